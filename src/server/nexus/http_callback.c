/*
 * http_callback.c: callbacks by URL: to which addresses they may go, and their delivery.
 *
 * Addresses are rules of the operator (component.callbacks.allowedAddresses), each a pattern for
 * host and port in which * stands for anything; without one no callback leaves this server.
 *
 * Loop's thread; rules are set before it runs.
 */
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"
#include "google/protobuf/struct.pb-c.h"
#include "proto/codec.h"
#include "proto/json.h"
#include "proto/link.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/nexus/http_client.h"
#include "server/nexus/url.h"

/* ---- Rules ---- */

struct nexus_rule {
	char *pattern;
	bool insecure; /* also without TLS */
	struct nexus_rule *next;
};

void nexus_rules_finish(struct server *server)
{
	while (server->nexus_rules) {
		struct nexus_rule *rule = server->nexus_rules;

		server->nexus_rules = rule->next;
		mem_free(rule->pattern);
		mem_free(rule);
	}
}

static const Google__Value *member(const Google__Struct *object, const char *name)
{
	for (size_t i = 0; i < object->n_fields; i++) {
		if (str_same(object->fields[i]->key, name))
			return object->fields[i]->value;
	}
	return NULL;
}

/* Entries that are none are passed by, as the official server does. */
static bool add_rule(struct server *server, const Google__Value *entry)
{
	const Google__Value *pattern, *insecure;
	struct nexus_rule *rule;

	if (entry->kind_case != GOOGLE__VALUE__KIND_STRUCT_VALUE)
		return true;
	pattern = member(entry->struct_value, "Pattern");
	insecure = member(entry->struct_value, "AllowInsecure");
	if (!pattern || pattern->kind_case != GOOGLE__VALUE__KIND_STRING_VALUE ||
		str_empty(pattern->string_value))
		return true;
	rule = mem_zalloc(sizeof(*rule));
	if (!rule || !record_set_text(&rule->pattern, pattern->string_value)) {
		mem_free(rule);
		return false;
	}
	rule->insecure = insecure && insecure->kind_case == GOOGLE__VALUE__KIND_BOOL_VALUE &&
			 insecure->bool_value;
	rule->next = server->nexus_rules;
	server->nexus_rules = rule;
	return true;
}

bool nexus_rules_set(struct server *server, const char *line, enum temporal_code *code,
	struct temporal_error *err)
{
	static const char *const keys[] = { "component.callbacks.allowedAddresses=",
		"callback.allowedAddresses=" };
	const char *json = NULL;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(line, keys[i], strlen(keys[i])) == 0)
			json = line + strlen(keys[i]);
	}
	if (!json)
		return false;
	const Google__ListValue *list = proto_from_json(
		&server->scratch, &google__list_value__descriptor, str_from(json), true, err);
	*code = list ? TEMPORAL_OK : TEMPORAL_INVALID_ARGUMENT;
	nexus_rules_finish(server);
	for (size_t i = 0; list && i < list->n_values; i++) {
		if (!add_rule(server, list->values[i]))
			*code = error_no_memory(err, "the rules of callback addresses");
	}
	return true;
}

/* Does the pattern match all of the text? The last * takes back what it has given. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

enum nexus_verdict nexus_rules_judge(const struct server *server, const char *host, bool secure)
{
	for (const struct nexus_rule *rule = server->nexus_rules; rule; rule = rule->next) {
		if (matches(rule->pattern, host))
			return secure || rule->insecure ? NEXUS_ALLOWED : NEXUS_INSECURE;
	}
	return NEXUS_UNKNOWN;
}

/* ---- Delivery ---- */

/* The failure that the official server writes: an error's message begins with its type. */
static const char *error_text(
	const struct nexus_outgoing *outgoing, struct arena *arena, const struct nexus_outcome *out)
{
	const Failure__Failure *failure = out->failure;

	if (!failure || failure->failure_info_case !=
				FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO)
		return failure ? failure->message : outgoing->error;
	if (str_empty(failure->message))
		return arena_printf(
			arena, "handler error (%s)", failure->nexus_handler_failure_info->type);
	return arena_printf(arena, "handler error (%s): %s",
		failure->nexus_handler_failure_info->type, failure->message);
}

static void on_answer(struct nexus_outgoing *outgoing)
{
	struct nexus_callback *callback = outgoing->owner;
	struct nexus_outcome out = { 0 };

	callback->outgoing = NULL;
	if (outgoing->status >= 200 && outgoing->status < 300) {
		nexus_callback_attempted(callback, NULL, false);
		return;
	}
	nexus_outgoing_failed(outgoing, &out);
	const char *text = error_text(outgoing, &outgoing->arena, &out);
	nexus_callback_attempted(callback, text ? text : "out of memory", out.retryable);
}

static void add_outcome(struct nexus_outgoing *outgoing, const struct nexus_completion *completion)
{
	struct arena *arena = &outgoing->arena;
	const char *type = "application/json", *state = "succeeded";

	if (completion->failure) {
		outgoing->body = nexus_failure_write(arena, completion->failure);
		state = completion->canceled ? "canceled" : "failed";
	} else if (nexus_content_write(arena, completion->result, &outgoing->body, &type)) {
		/* What it points to is gone with this input. */
		outgoing->body.ptr = arena_memdup(arena, outgoing->body.ptr, outgoing->body.len);
	}
	if (outgoing->body.len && !outgoing->body.ptr)
		server_no_memory(outgoing->server);
	nexus_outgoing_header(outgoing, "content-type", type);
	nexus_outgoing_header(outgoing, "nexus-operation-state", state);
}

static void add_times_and_links(
	struct nexus_outgoing *outgoing, const struct nexus_completion *completion)
{
	time_t seconds = (time_t)(completion->start_ns / NS_PER_SECOND);
	struct tm parts;
	char text[64];

	if (gmtime_r(&seconds, &parts) &&
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts))
		nexus_outgoing_header(outgoing, "nexus-operation-start-time", text);
	Google__Timestamp close = GOOGLE__TIMESTAMP__INIT;
	close.seconds = completion->close_ns / NS_PER_SECOND;
	close.nanos = (int32_t)(completion->close_ns % NS_PER_SECOND);
	proto_timestamp_print(&close, text);
	nexus_outgoing_header(outgoing, "nexus-operation-close-time", text);
	for (size_t i = 0; i < completion->n_links; i++) {
		const Nexus__Link *link = proto_link_write(&outgoing->arena, completion->links[i]);
		const char *value = link ? nexus_link_header(&outgoing->arena, link) : NULL;

		if (value)
			nexus_outgoing_header(outgoing, "nexus-link", value);
	}
}

void nexus_callback_post(struct nexus_callback *callback, const Common__Callback__Nexus *spec,
	const struct nexus_completion *completion)
{
	struct nexus_outgoing *outgoing = nexus_outgoing_new(callback->execution->server);

	if (!outgoing)
		return;
	outgoing->url = arena_strdup(&outgoing->arena, spec->url);
	if (!outgoing->url)
		server_no_memory(outgoing->server);
	add_outcome(outgoing, completion);
	nexus_outgoing_header(outgoing, "user-agent", "temporalio/server");
	for (size_t i = 0; i < spec->n_header; i++)
		nexus_outgoing_header(outgoing, spec->header[i]->key, spec->header[i]->value);
	add_times_and_links(outgoing, completion);
	outgoing->timeout_ms = SERVER_NEXUS_CALL_MS;
	outgoing->done = on_answer;
	outgoing->owner = callback;
	callback->outgoing = outgoing;
	nexus_outgoing_send(outgoing);
}

void nexus_callback_abandon(struct nexus_callback *callback)
{
	if (callback->outgoing)
		callback->outgoing->done = NULL;
	callback->outgoing = NULL;
}
