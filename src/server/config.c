/*
 * config.c: the official server's dynamic configuration, as far as it means something here.
 *
 * Two tables: keys whose number is a limit of ours, and keys that switch on what this server always
 * does. All other keys are of machinery that is not here (shards, caches, rates of queues on disk):
 * they are accepted, since test kits pass them, and reported as without effect. Keys are compared
 * without regard to case, as there. Used on the thread that starts the server.
 */
#include "server/config.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "server/limits.h"
#include "server/visibility/flat_json.h"

enum config_kind {
	KIND_COUNT,
	KIND_DURATION, /* in ms; JSON: "60s", or a number of seconds */
	KIND_PAUSE,    /* likewise, and may be 0 */
	KIND_SWITCH,   /* 0 or 1; JSON: false, true */
};

struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset;
	int64_t standard;
};

#define KEY(name_, kind_, field_, standard_) \
	{ \
		name_, kind_, offsetof(struct server_config, field_), standard_ \
	}

static const struct config_key keys[] = {
	KEY("limit.blobSize.error", KIND_COUNT, blob_max, SERVER_BLOB_MAX),
	KEY("limit.memoSize.error", KIND_COUNT, memo_max, SERVER_MEMO_MAX),
	KEY("limit.historySize.error", KIND_COUNT, history_size_max, SERVER_HISTORY_SIZE_MAX),
	KEY("limit.historySize.suggestContinueAsNew", KIND_COUNT, history_size_suggest,
		SERVER_HISTORY_SIZE_SUGGEST),
	KEY("limit.historyCount.error", KIND_COUNT, history_count_max, SERVER_HISTORY_COUNT_MAX),
	KEY("limit.historyCount.suggestContinueAsNew", KIND_COUNT, history_count_suggest,
		SERVER_HISTORY_COUNT_SUGGEST),
	KEY("limit.numPendingActivities.error", KIND_COUNT, pending_activities_max,
		SERVER_PENDING_ACTIVITIES_MAX),
	KEY("limit.maxIDLength", KIND_COUNT, id_max, SERVER_ID_MAX),
	KEY("history.maximumSignalsPerExecution", KIND_COUNT, signals_max, SERVER_SIGNALS_MAX),
	KEY("history.maximumBufferedEventsBatch", KIND_COUNT, buffered_max, SERVER_BUFFERED_MAX),
	KEY("frontend.historyMaxPageSize", KIND_COUNT, history_page_max, SERVER_HISTORY_PAGE_MAX),
	KEY("matching.numTaskqueueReadPartitions", KIND_COUNT, partitions, SERVER_PARTITIONS),
	KEY("matching.longPollExpirationInterval", KIND_DURATION, poll_ms, SERVER_POLL_MS),
	KEY("history.longPollExpirationInterval", KIND_DURATION, history_poll_ms,
		SERVER_HISTORY_POLL_MS),
	KEY("history.defaultWorkflowTaskTimeout", KIND_DURATION, task_timeout_ms,
		SERVER_TASK_TIMEOUT_MS),
	KEY("limit.numPendingChildExecutions.error", KIND_COUNT, pending_children_max,
		SERVER_PENDING_CHILDREN_MAX),
	KEY("limit.numPendingSignals.error", KIND_COUNT, pending_signals_max,
		SERVER_PENDING_EXTERNAL_MAX),
	KEY("limit.numPendingCancelRequests.error", KIND_COUNT, pending_cancels_max,
		SERVER_PENDING_EXTERNAL_MAX),
	KEY("history.workflowTaskHeartbeatTimeout", KIND_DURATION, heartbeat_ms,
		SERVER_TASK_HEARTBEAT_MS),
	KEY("history.maxInFlightUpdates", KIND_COUNT, updates_open_max, SERVER_UPDATES_OPEN_MAX),
	KEY("history.maxInFlightUpdatePayloads", KIND_COUNT, updates_size_max,
		SERVER_UPDATES_SIZE_MAX),
	KEY("history.maxTotalUpdates", KIND_COUNT, updates_max, SERVER_UPDATES_MAX),
	KEY("frontend.maxLinksPerRequest", KIND_COUNT, links_max, SERVER_LINKS_MAX),
	KEY("frontend.linkMaxSize", KIND_COUNT, link_max, SERVER_LINK_MAX),
	KEY("history.workflowIdReuseMinimalInterval", KIND_PAUSE, run_interval_ms,
		SERVER_RUN_INTERVAL_MS),
	KEY("callback.maxPerExecution", KIND_COUNT, callbacks_max, SERVER_NEXUS_CALLBACKS_MAX),
	KEY("limit.mutableStateSize.error", KIND_COUNT, state_size_max, SERVER_STATE_SIZE_MAX),
	KEY("system.enableCrossNamespaceCommands", KIND_SWITCH, cross_namespace, 0),
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

/* What is always on here; only `false` would be a wish that is not met. */
static const char *const always_on[] = {
	"activity.callbacksEnabled",
	"frontend.enableCancelWorkerPollsOnShutdown",
	"frontend.enableExecuteMultiOperation",
	"frontend.enableUpdateWorkflowExecution",
	"frontend.enableUpdateWorkflowExecutionAsyncAccepted",
	"history.enableRequestIdRefLinks",
	"history.enableTransitionHistory",
	"system.enableActivityEagerExecution",
	"system.enableEagerWorkflowStart",
	"system.forceSearchAttributesCacheRefreshOnRead",
};

/* What is never here, and what is at once here: any value is fine. */
static const char *const without_meaning[] = {
	"frontend.enableServerVersionCheck",
	"frontend.namespaceCount",
	"frontend.namespaceRPS",
	"frontend.namespaceRPS.visibility",
	"frontend.persistenceMaxQPS",
	"frontend.rps",
	"history.persistenceMaxQPS",
	"history.rps",
	"history.timerProcessorMaxPollRPS",
	"history.timerProcessorMaxTimeShift",
	"history.transferProcessorMaxPollRPS",
	"history.visibilityProcessorMaxPollRPS",
	"limit.blobSize.warn",
	"limit.historyCount.warn",
	"limit.historySize.warn",
	"limit.memoSize.warn",
	"limit.mutableStateSize.warn",
	"matching.persistenceMaxQPS",
	"matching.rps",
	"system.refreshNexusEndpointsMinWait",
};

#define ARENA_FIRST  1024
#define COUNT(list_) (sizeof(list_) / sizeof((list_)[0]))

static int64_t *field(struct server_config *config, const struct config_key *key)
{
	return (int64_t *)(void *)((char *)config + key->offset);
}

void server_config_init(struct server_config *config)
{
	for (size_t i = 0; i < N_KEYS; i++)
		*field(config, &keys[i]) = keys[i].standard;
}

static bool same(const char *name, const char *key, size_t len)
{
	return strlen(name) == len && strncasecmp(name, key, len) == 0;
}

static bool in_list(const char *const *list, size_t n, const char *key, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (same(list[i], key, len))
			return true;
	}
	return false;
}

/* The units of the official durations, in ms; 0 for no unit. */
static double unit_ms(struct str unit)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 }, { "", 1e3 } };

	for (size_t i = 0; i < COUNT(units); i++) {
		if (str_eq(str_from(units[i].name), unit))
			return units[i].ms;
	}
	return 0;
}

/* "1.5m": digits, perhaps with a fraction, and a unit; 0 for anything else. */
static double text_ms(struct str text)
{
	double number = 0, digit = 0;
	size_t i = 0;

	for (; i < text.len && (text.ptr[i] == '.' || (text.ptr[i] >= '0' && text.ptr[i] <= '9'));
		i++) {
		if (text.ptr[i] == '.' && digit != 0)
			return 0;
		if (text.ptr[i] == '.') {
			digit = 1;
		} else if (digit == 0) {
			number = number * 10 + (text.ptr[i] - '0');
		} else {
			digit /= 10;
			number += (text.ptr[i] - '0') * digit;
		}
	}
	return number * unit_ms((struct str){ text.ptr + i, text.len - i });
}

/* Values are NULL when they are neither a number, a text nor a boolean. */
static bool read_duration(const struct visibility_value *value, int64_t *out)
{
	double number = 0;

	if (value && value->kind == VISIBILITY_IS_INT)
		number = (double)value->number * 1e3;
	else if (value && value->kind == VISIBILITY_IS_DOUBLE)
		number = value->real * 1e3;
	else if (value && value->kind == VISIBILITY_IS_TEXT)
		number = text_ms(value->text);
	*out = number >= 1 && number < 1e15 ? (int64_t)number : 0;
	return *out > 0;
}

/* 0, "0", "0s". */
static bool is_zero(const struct visibility_value *value)
{
	if (value && value->kind == VISIBILITY_IS_TEXT)
		return str_eq(value->text, STR("0")) || str_eq(value->text, STR("0s"));
	return value && value->kind == VISIBILITY_IS_INT && value->number == 0;
}

static enum temporal_code set_limit(struct server_config *config, const struct config_key *key,
	const struct visibility_value *value, struct temporal_error *err)
{
	int64_t number = 0;

	bool timed = key->kind == KIND_DURATION || (key->kind == KIND_PAUSE && !is_zero(value));

	if (timed && !read_duration(value, &number))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"the dynamic configuration %s is no duration; expected one like \"60s\"",
			key->name);
	if (key->kind == KIND_COUNT) {
		number = value && value->kind == VISIBILITY_IS_INT ? value->number : -1;
		if (number <= 0 || number > INT32_MAX)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"the dynamic configuration %s is no limit; expected 1 to %d",
				key->name, INT32_MAX);
	}
	if (key->kind == KIND_SWITCH) {
		if (!value || value->kind != VISIBILITY_IS_BOOL)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"the dynamic configuration %s is no switch; expected true or false",
				key->name);
		number = value->number != 0;
	}
	*field(config, key) = number;
	return TEMPORAL_OK;
}

static enum temporal_code apply(struct server_config *config, const char *key, size_t len,
	const struct visibility_value *value, bool *has_effect, struct temporal_error *err)
{
	*has_effect = true;
	for (size_t i = 0; i < N_KEYS; i++) {
		if (same(keys[i].name, key, len))
			return set_limit(config, &keys[i], value, err);
	}
	if (in_list(always_on, COUNT(always_on), key, len))
		*has_effect = value && value->kind == VISIBILITY_IS_BOOL && value->number;
	else if (!in_list(without_meaning, COUNT(without_meaning), key, len))
		*has_effect = false;
	return TEMPORAL_OK;
}

enum temporal_code server_config_set(struct server_config *config, const char *line,
	bool *has_effect, struct temporal_error *err)
{
	const char *equals = strchr(line, '=');
	struct flat_json value = { 0 };
	struct arena arena;

	*has_effect = false;
	if (!equals || equals == line)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"the dynamic configuration \"%s\" has no value; expected KEY=VALUE", line);
	arena_init(&arena, ARENA_FIRST, ARENA_NO_BUDGET);
	enum flat_json_result result = flat_json_read(&arena, str_from(equals + 1), &value);
	enum temporal_code code = TEMPORAL_OK;

	if (result == FLAT_JSON_NO_MEMORY)
		code = error_no_memory(err, "the dynamic configuration");
	else if (result == FLAT_JSON_BROKEN)
		code = error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"the dynamic configuration \"%s\" is not in JSON", line);
	else
		code = apply(config, line, (size_t)(equals - line),
			result == FLAT_JSON_OK && !value.array ? &value.items[0] : NULL, has_effect,
			err);
	arena_finish(&arena);
	return code;
}
