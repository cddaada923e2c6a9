/*
 * options.c: from what the caller wrote to what the worker works with.
 *
 * One table says of every number where it is, what its default is, and what is allowed: the checks
 * and their messages cannot drift apart. Called by temporal_worker_new_opts on the caller's thread;
 * pure but for the arena.
 */
#include "worker/options.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "worker/build_id.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/nexus.h"
#include "worker/registration.h"
#include "worker/tuner.h"

enum number_type {
	INT32,
	INT64,
	DOUBLE
};

struct number {
	const char *name;
	size_t offset;
	enum number_type type;
	bool can_be_off;
	double standard, min, max; /* all limits are exact in a double */
};

/* clang-format off */
#define NUMBER(member_, type_, off_, standard_, min_, max_) { \
	.name = #member_, .offset = offsetof(struct temporal_worker_opts, member_), \
	.type = (type_), .can_be_off = (off_), \
	.standard = (standard_), .min = (min_), .max = (max_) }
#define MS_MAX WORKER_DURATION_MAX_MS

static const struct number numbers[] = {
	/* member, type, can be off, default, least, most */
	NUMBER(max_cached_workflows, INT32, true, WORKER_CACHED_WORKFLOWS, 1, INT32_MAX),
	NUMBER(max_cached_bytes, INT64, true, 0, 1, 1e15),
	NUMBER(max_concurrent_workflow_tasks, INT32, false, WORKER_WORKFLOW_TASKS, 1,
		WORKER_TASKS_MAX),
	NUMBER(max_concurrent_activities, INT32, false, WORKER_ACTIVITIES, 1, WORKER_TASKS_MAX),
	NUMBER(max_concurrent_local_activities, INT32, false, WORKER_LOCAL_ACTIVITIES, 1,
		WORKER_TASKS_MAX),
	NUMBER(max_concurrent_nexus_tasks, INT32, false, WORKER_NEXUS_TASKS, 1, WORKER_TASKS_MAX),
	NUMBER(workflow_task_pollers, INT32, false, WORKER_POLLERS, 1, WORKER_POLLERS_MAX),
	NUMBER(activity_task_pollers, INT32, false, WORKER_POLLERS, 1, WORKER_POLLERS_MAX),
	NUMBER(nexus_task_pollers, INT32, false, WORKER_POLLERS, 1, WORKER_POLLERS_MAX),
	NUMBER(nonsticky_to_sticky_poll_ratio, DOUBLE, true, WORKER_POLL_RATIO, 0, 1),
	NUMBER(sticky_schedule_to_start_timeout_ms, INT64, false, WORKER_STICKY_TIMEOUT_MS, 1,
		MS_MAX),
	NUMBER(max_heartbeat_throttle_interval_ms, INT64, true, WORKER_HEARTBEAT_MAX_MS, 1, MS_MAX),
	NUMBER(default_heartbeat_throttle_interval_ms, INT64, true, WORKER_HEARTBEAT_DEFAULT_MS, 1,
		MS_MAX),
	NUMBER(max_activities_per_second, DOUBLE, true, 0, 0, 1e9),
	NUMBER(max_task_queue_activities_per_second, DOUBLE, true, 0, 0, 1e9),
	NUMBER(max_eager_activities_per_workflow_task, INT32, true, WORKER_EAGER_ACTIVITIES, 1,
		WORKER_TASKS_MAX),
	NUMBER(max_concurrent_eager_activities, INT32, true, 0, 1, WORKER_TASKS_MAX),
	NUMBER(max_local_activities_per_second, DOUBLE, true, 0, 0, 1e9),
	NUMBER(workflow_threads, INT32, true, WORKER_WORKFLOW_THREADS, 1,
		WORKER_WORKFLOW_THREADS_MAX),
	NUMBER(workflow_stack_size, INT64, false, 0, WORKER_STACK_MIN, WORKER_STACK_MAX),
	NUMBER(activity_stack_size, INT64, false, WORKER_ACTIVITY_STACK, WORKER_STACK_MIN,
		WORKER_STACK_MAX),
	NUMBER(deadlock_timeout_ms, INT64, true, WORKER_DEADLOCK_MS, 1, MS_MAX),
	NUMBER(max_isolated_processes, INT32, false, 0, 1, WORKER_TASKS_MAX),
	NUMBER(isolated_attempts_per_process, INT32, true, 0, 1, INT32_MAX),
	NUMBER(isolated_kill_grace_ms, INT64, true, WORKER_ISOLATE_GRACE_MS, 1, MS_MAX),
	NUMBER(isolated_memory_limit, INT64, true, 0, 1024.0 * 1024, 1e15),
};
/* clang-format on */

static double number_get(const struct number *number, const struct temporal_worker_opts *opts)
{
	const char *at = (const char *)opts + number->offset;

	switch (number->type) {
	case INT32:
		return *(const int32_t *)(const void *)at;
	case INT64:
		return (double)*(const int64_t *)(const void *)at;
	case DOUBLE:
		break;
	}
	return *(const double *)(const void *)at;
}

static void number_set(const struct number *number, struct temporal_worker_opts *opts, double value)
{
	char *at = (char *)opts + number->offset;

	switch (number->type) {
	case INT32:
		*(int32_t *)(void *)at = (int32_t)value;
		return;
	case INT64:
		*(int64_t *)(void *)at = (int64_t)value;
		return;
	case DOUBLE:
		break;
	}
	*(double *)(void *)at = value;
}

static enum temporal_code number_complete(
	const struct number *number, struct temporal_worker_opts *opts, struct temporal_error *err)
{
	double value = number_get(number, opts);

	if (value == 0) {
		number_set(number, opts, number->standard);
		return TEMPORAL_OK;
	}
	if (value == TEMPORAL_OFF && number->can_be_off) {
		number_set(number, opts, 0);
		return TEMPORAL_OK;
	}
	if (value >= number->min && value <= number->max) /* a NaN is not */
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"worker: .%s is %.15g, expected %.15g to %.15g%s", number->name, value, number->min,
		number->max, number->can_be_off ? ", or TEMPORAL_OFF" : "");
}

static enum temporal_code check_text(const char *name, const char *text, struct temporal_error *err)
{
	size_t len = strlen(text);

	if (len > WORKER_NAME_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .%s has %zu bytes, expected at most %d", name, len,
			WORKER_NAME_MAX);
	if (!str_is_utf8(text, len))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "worker: .%s is not UTF-8", name);
	return TEMPORAL_OK;
}

static enum temporal_code copy_texts(struct temporal_worker_opts *opts, const char *client_identity,
	struct arena *arena, struct temporal_error *err)
{
	const char **texts[] = { &opts->task_queue, &opts->identity, &opts->build_id };
	static const char *const names[] = { "task_queue", "identity", "build_id" };
	char build_id[WORKER_BUILD_ID_SIZE];

	if (str_empty(opts->task_queue))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT, "worker: .task_queue is missing");
	if (str_empty(opts->identity))
		opts->identity = client_identity;
	if (!opts->build_id && !opts->deployment) {
		worker_build_id(build_id);
		opts->build_id = build_id;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!*texts[i])
			*texts[i] = "";
		if (check_text(names[i], *texts[i], err) != TEMPORAL_OK)
			return TEMPORAL_INVALID_ARGUMENT;
		*texts[i] = arena_strdup(arena, *texts[i]);
		if (!*texts[i])
			return error_no_memory(err, "worker: its options");
	}
	return TEMPORAL_OK;
}

/* The i-th definition's name ("": the dynamic one); NULL: its contract is of another kind. */
static const char *workflow_name(const void *list, size_t i)
{
	const struct temporal_workflow *workflow =
		((const struct temporal_workflow *const *)list)[i];

	if (!workflow->contract)
		return workflow->name ? workflow->name : "";
	return workflow->contract->definition == TEMPORAL_DEFINES_WORKFLOW
		       ? workflow->contract->name
		       : NULL;
}

static const char *activity_name(const void *list, size_t i)
{
	const struct temporal_activity *activity =
		((const struct temporal_activity *const *)list)[i];

	if (!activity->contract)
		return "";
	return activity->contract->definition == TEMPORAL_DEFINES_ACTIVITY
		       ? activity->contract->name
		       : NULL;
}

/* Every definition has a name of its own. Lists are short: quadratic. */
static enum temporal_code check_names(const void *list, size_t n, const char *what,
	const char *(*name)(const void *list, size_t i), struct temporal_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!name(list, i))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .%s[%zu] has a contract of another kind", what, i);
		if (strlen(name(list, i)) > WORKER_NAME_MAX)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .%s[%zu]: its name has more than %d bytes", what, i,
				WORKER_NAME_MAX);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(name(list, i), name(list, j)) != 0)
				continue;
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .%s[%zu] and [%zu] have the same name%s%s", what, j, i,
				*name(list, i) ? ": " : ", none", name(list, i));
		}
	}
	return TEMPORAL_OK;
}

static size_t list_length(const void *list)
{
	const void *const *items = list;
	size_t n = 0;

	while (items && items[n])
		n++;
	return n;
}

/* The definitions themselves are the program's constants; the lists may be compound literals on a
 * stack. */
static enum temporal_code copy_definitions(
	struct temporal_worker_opts *opts, struct arena *arena, struct temporal_error *err)
{
	size_t n_workflows = list_length(opts->workflows),
	       n_activities = list_length(opts->activities),
	       n_services = list_length(opts->nexus_services);

	if (n_workflows + n_activities + n_services == 0)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: no .workflows, .activities or .nexus_services: nothing to do");
	if (n_workflows + n_services == 0 && opts->no_remote_activities)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: no .workflows, and .no_remote_activities: nothing to do");
	enum temporal_code code =
		check_names(opts->workflows, n_workflows, "workflows", workflow_name, err);

	if (code == TEMPORAL_OK)
		code = check_names(
			opts->activities, n_activities, "activities", activity_name, err);
	if (code != TEMPORAL_OK)
		return code;
	const void **copy = arena_array(arena, n_workflows + n_activities + 2, sizeof(void *));

	if (!copy)
		return error_no_memory(err, "worker: its options");
	if (n_workflows)
		memcpy(copy, opts->workflows, n_workflows * sizeof(void *));
	opts->workflows = (const struct temporal_workflow *const *)copy;
	copy += n_workflows + 1;
	if (n_activities)
		memcpy(copy, opts->activities, n_activities * sizeof(void *));
	opts->activities = (const struct temporal_activity *const *)copy;
	return TEMPORAL_OK;
}

const struct temporal_autoscaling worker_autoscaling_enrolled = { WORKER_SCALED_MIN,
	WORKER_SCALED_MAX, WORKER_POLLERS };

static enum temporal_code complete_autoscaling(const char *name,
	const struct temporal_autoscaling **opts, int32_t pollers, struct arena *arena,
	struct temporal_error *err)
{
	struct temporal_autoscaling *copy;

	if (!*opts) {
		*opts = pollers == 0 ? &worker_autoscaling_enrolled : NULL;
		return TEMPORAL_OK;
	}
	if (pollers != 0)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .%s_task_autoscaling and .%s_task_pollers: expected one of them",
			name, name);
	copy = arena_alloc(arena, sizeof(*copy));
	if (!copy)
		return error_no_memory(err, "worker: its options");
	*copy = **opts;
	copy->min_pollers = copy->min_pollers ? copy->min_pollers : WORKER_SCALED_MIN;
	copy->max_pollers = copy->max_pollers ? copy->max_pollers : WORKER_SCALED_MAX;
	copy->initial_pollers = copy->initial_pollers ? copy->initial_pollers : WORKER_POLLERS;
	*opts = copy;
	if (copy->min_pollers >= 1 && copy->min_pollers <= copy->initial_pollers &&
		copy->initial_pollers <= copy->max_pollers &&
		copy->max_pollers <= WORKER_POLLERS_MAX)
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"worker: .%s_task_autoscaling has %" PRId32 " to %" PRId32 " pollers, at first "
		"%" PRId32 ": expected 1 to %d, in order",
		name, copy->min_pollers, copy->max_pollers, copy->initial_pollers,
		WORKER_POLLERS_MAX);
}

static enum temporal_code check_together(
	const struct temporal_worker_opts *opts, struct temporal_error *err)
{
	if (opts->max_cached_workflows > 0 && opts->max_concurrent_workflow_tasks < 2)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .max_concurrent_workflow_tasks is %" PRId32
			", expected at least 2 with a cache of runs (or "
			".max_cached_workflows = TEMPORAL_OFF)",
			opts->max_concurrent_workflow_tasks);
	if (opts->graceful_shutdown_timeout_ms < TEMPORAL_OFF ||
		opts->graceful_shutdown_timeout_ms > WORKER_DURATION_MAX_MS)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .graceful_shutdown_timeout_ms is %" PRId64
			", expected 0 or more, or TEMPORAL_OFF",
			opts->graceful_shutdown_timeout_ms);
	return worker_isolate_check(opts, err);
}

/* Whoever wants to look into workflow code by a debugger sets the variable. */
static bool is_debugged(const struct temporal_worker_opts *opts)
{
	return opts->debug_mode || !str_empty(getenv("TEMPORAL_DEBUG"));
}

/* Who looks after workflow code is the loop, so that must not run it itself. */
static enum temporal_code check_deadlock(
	struct temporal_worker_opts *opts, bool wanted, struct temporal_error *err)
{
	if (opts->workflow_threads == 0 && wanted)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deadlock_timeout_ms is %" PRId64 ", but without "
			".workflow_threads nobody is there to notice",
			opts->deadlock_timeout_ms);
	if (opts->workflow_threads == 0 || is_debugged(opts))
		opts->deadlock_timeout_ms = 0;
	return TEMPORAL_OK;
}

enum temporal_code worker_options_complete(struct temporal_worker_opts *opts,
	const struct temporal_worker_opts *given, size_t size, const char *client_identity,
	struct arena *arena, struct temporal_error *err)
{
	struct temporal_worker_opts written = { 0 };

	memcpy(&written, given, size < sizeof(written) ? size : sizeof(written));
	*opts = written;
	enum temporal_code code = copy_texts(opts, client_identity, arena, err);

	if (code == TEMPORAL_OK)
		code = copy_definitions(opts, arena, err);
	if (code == TEMPORAL_OK)
		code = worker_nexus_options(opts, arena, err);
	for (size_t i = 0; code == TEMPORAL_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		code = number_complete(&numbers[i], opts, err);
	if (code == TEMPORAL_OK)
		code = complete_autoscaling("workflow", &opts->workflow_task_autoscaling,
			written.workflow_task_pollers, arena, err);
	if (code == TEMPORAL_OK)
		code = complete_autoscaling("activity", &opts->activity_task_autoscaling,
			written.activity_task_pollers, arena, err);
	if (code == TEMPORAL_OK)
		code = complete_autoscaling("nexus", &opts->nexus_task_autoscaling,
			written.nexus_task_pollers, arena, err);
	if (code == TEMPORAL_OK)
		code = check_together(opts, err);
	if (code == TEMPORAL_OK)
		code = check_deadlock(opts, written.deadlock_timeout_ms > 0, err);
	if (code == TEMPORAL_OK)
		code = worker_registration_complete(opts, arena, err);
	if (code == TEMPORAL_OK)
		code = worker_tuner_complete(opts, &written, arena, err);
	return code;
}

const struct temporal_activity *worker_options_activity(
	const struct temporal_worker_opts *opts, const char *type)
{
	const struct temporal_activity *dynamic = NULL;

	for (size_t i = 0; opts->activities[i]; i++) {
		if (!opts->activities[i]->contract)
			dynamic = opts->activities[i];
		else if (strcmp(opts->activities[i]->contract->name, type) == 0)
			return opts->activities[i];
	}
	return dynamic;
}
