/*
 * intercept.c: a client's calls through its interceptors, between the user's options and the
 * request.
 *
 * Interceptors see names and payloads: arguments of a contract are encoded for them, and what comes
 * out goes on as an untyped call. All of it is on the caller's thread and in the call's arena; the
 * call keeps what they have made of it until its end, of which `ended` tells on the loop's thread.
 */
#include "client/intercept.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "client/connection.h"
#include "convert/convert.h"

struct temporal_client_next {
	const struct temporal_interceptor *const *at;
};

/* ---- the chain ---- */

static temporal_client_call_fn *function_of(
	const struct temporal_client_interceptor *table, enum temporal_client_operation operation)
{
	switch (operation) {
	case TEMPORAL_CALL_START:
		return table->start;
	case TEMPORAL_CALL_SIGNAL_WITH_START:
		return table->signal_with_start;
	case TEMPORAL_CALL_UPDATE_WITH_START:
		return table->update_with_start;
	case TEMPORAL_CALL_SIGNAL:
		return table->signal;
	case TEMPORAL_CALL_QUERY:
		return table->query;
	case TEMPORAL_CALL_UPDATE:
		return table->update;
	case TEMPORAL_CALL_CANCEL:
		return table->cancel;
	case TEMPORAL_CALL_TERMINATE:
		return table->terminate;
	case TEMPORAL_CALL_DESCRIBE:
		break;
	}
	return table->describe;
}

enum temporal_code temporal_client_next(struct temporal_client_next *next,
	struct temporal_client_call *call, struct temporal_error *err)
{
	const struct temporal_interceptor *const *at = next->at;
	enum temporal_code code = TEMPORAL_OK;

	for (; *next->at; next->at++) {
		const struct temporal_interceptor *here = *next->at;
		temporal_client_call_fn *function = function_of(here->client, call->operation);

		if (!function)
			continue;
		next->at++;
		code = function(next, call, here->user, err);
		break;
	}
	next->at = at;
	return code;
}

/* ---- what they see, and what becomes of it ---- */

static enum temporal_definition kind_of(enum temporal_client_operation operation, bool with)
{
	switch (operation) {
	case TEMPORAL_CALL_SIGNAL_WITH_START:
		return with ? TEMPORAL_DEFINES_SIGNAL : TEMPORAL_DEFINES_WORKFLOW;
	case TEMPORAL_CALL_UPDATE_WITH_START:
		return with ? TEMPORAL_DEFINES_UPDATE : TEMPORAL_DEFINES_WORKFLOW;
	case TEMPORAL_CALL_SIGNAL:
		return TEMPORAL_DEFINES_SIGNAL;
	case TEMPORAL_CALL_QUERY:
		return TEMPORAL_DEFINES_QUERY;
	case TEMPORAL_CALL_UPDATE:
		return TEMPORAL_DEFINES_UPDATE;
	default:
		return TEMPORAL_DEFINES_WORKFLOW;
	}
}

/* The arguments as payloads, as they will travel. */
static enum temporal_code encode(struct client_call *call, const struct client_input *input,
	enum temporal_definition kind, struct temporal_payloads *out, struct temporal_error *err)
{
	struct client_request builder;

	*out = input->arguments;
	if (!input->contract)
		return TEMPORAL_OK;
	client_request_init(&builder, &call->arena, err);
	const Common__Payloads *made = client_request_input_payloads(&builder, input, kind);
	size_t n = builder.code || !made ? 0 : made->n_payloads;

	if (builder.code)
		return builder.code;
	if (!convert_payloads_from_api(&call->arena, n ? made->payloads : NULL, n, out))
		return error_no_memory(err, "the arguments of a call");
	return TEMPORAL_OK;
}

static enum temporal_code fill_in(struct client_call *call, const struct client_outbound *outbound,
	struct temporal_client_call *made, struct temporal_error *err)
{
	const struct client_input *input = outbound->input, *with = outbound->with;
	enum temporal_code code = TEMPORAL_OK;

	*made = (struct temporal_client_call){
		.operation = outbound->operation,
		.client = call->client,
		.workflow_id = outbound->workflow_id ? outbound->workflow_id : "",
		.run_id = outbound->run_id ? outbound->run_id : "",
		.name = input && input->name ? input->name : "",
		.with_name = with && with->name ? with->name : "",
		.start = outbound->start,
		.reason = outbound->reason && *outbound->reason ? *outbound->reason : "",
		.reserved = call,
	};
	if (outbound->headers && *outbound->headers)
		made->headers = **outbound->headers;
	if (input)
		code = encode(
			call, input, kind_of(outbound->operation, false), &made->arguments, err);
	if (!code && with)
		code = encode(
			call, with, kind_of(outbound->operation, true), &made->with_arguments, err);
	return code;
}

static void take_back(
	const struct client_outbound *outbound, const struct temporal_client_call *made)
{
	if (outbound->input)
		*outbound->input = REQUEST_UNTYPED(made->name, made->arguments);
	if (outbound->with)
		*outbound->with = REQUEST_UNTYPED(made->with_name, made->with_arguments);
	if (outbound->headers)
		*outbound->headers = made->headers.count ? &made->headers : NULL;
	if (outbound->reason)
		*outbound->reason = made->reason;
}

/* What `ended` is told of must be the call's own by then, as its caller's memory may be gone. */
static bool keep(struct client_call *call, struct temporal_client_call *made)
{
	const char **texts[] = { &made->workflow_id, &made->run_id, &made->name, &made->with_name,
		&made->reason };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i] = arena_strdup(&call->arena, *texts[i] ? *texts[i] : "");
		if (!*texts[i])
			return false;
	}
	return true;
}

enum temporal_code client_intercept(struct client_call *call,
	const struct client_outbound *outbound, struct temporal_error *err)
{
	struct temporal_client_next next = { call->client->interceptors };
	struct temporal_client_call *made;
	enum temporal_code code;

	if (!next.at)
		return TEMPORAL_OK;
	made = ARENA_NEW(&call->arena, struct temporal_client_call);
	if (!made)
		return error_no_memory(err, "a call");
	code = fill_in(call, outbound, made, err);
	if (!code)
		code = temporal_client_next(&next, made, err);
	if (code)
		return code;
	if (made->start && !str_empty(made->start->id))
		made->workflow_id = made->start->id;
	if (!keep(call, made))
		return error_no_memory(err, "a call");
	take_back(outbound, made);
	call->intercepted = made;
	return TEMPORAL_OK;
}

void client_intercept_ended(const struct client_call *call, const struct temporal_error *err)
{
	struct temporal_client_call told = *call->intercepted;

	/* Of these the caller's memory may be gone. */
	told.arguments = told.with_arguments = (struct temporal_payloads){ NULL, 0 };
	told.headers = (struct temporal_entries){ NULL, 0 };
	told.start = NULL;
	for (const struct temporal_interceptor *const *each = call->client->interceptors; *each;
		each++) {
		if ((*each)->client->ended)
			(*each)->client->ended(&told, err, (*each)->user);
	}
}

/* ---- for interceptors ---- */

void *temporal_client_call_alloc(struct temporal_client_call *call, size_t size)
{
	struct client_call *mine = call->reserved;

	return arena_zalloc(&mine->arena, size);
}

enum temporal_code temporal_client_call_header(struct temporal_client_call *call, const char *key,
	const struct temporal_payload *value, struct temporal_error *err)
{
	struct arena *arena = &((struct client_call *)call->reserved)->arena;
	const struct temporal_entries old = call->headers;
	struct temporal_entry *items = arena_array(arena, old.count + 1, sizeof(*items));
	const Common__Payload *copy = convert_payload_to_api(arena, value);
	size_t place = 0;

	if (!items || !copy)
		return error_no_memory(err, "a header");
	while (place < old.count && !str_same(old.items[place].key, key))
		place++;
	if (old.count)
		memcpy(items, old.items, old.count * sizeof(*items));
	items[place].key = arena_strdup(arena, key);
	if (!items[place].key || convert_payload_from_api(arena, copy, &items[place].value))
		return error_no_memory(err, "a header");
	call->headers =
		(struct temporal_entries){ items, place == old.count ? place + 1 : old.count };
	return TEMPORAL_OK;
}
