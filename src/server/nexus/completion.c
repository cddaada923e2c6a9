/*
 * completion.c: an operation that was started ends: its token comes back with the outcome, from a
 * callback of this server or by HTTP.
 *
 * The token is a record in base64: it names run, event and request. It is no secret key, so all of
 * it is compared with the operation that it leads to. After a reset the operation may go on in
 * another run of the workflow id, where it has the same event and request.
 *
 * Loop's thread.
 */
#include "server/nexus/nexus.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define STARTED  ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_STARTED

/* ---- Tokens ---- */

struct token {
	int64_t run, scheduled_id;
	char *run_id, *request_id;
};

static const struct record_field token_fields[] = {
	RECORD_FIELD(1, INT, token, run),
	RECORD_FIELD(2, INT, token, scheduled_id),
	RECORD_FIELD(3, TEXT, token, run_id),
	RECORD_FIELD(4, TEXT, token, request_id),
};
static const struct record_type token_type = RECORD_TYPE(token_fields);

/* Base64 for URLs, without padding. */
static char *to_text(struct arena *arena, const uint8_t *data, size_t len)
{
	char *text = arena_alloc(arena, len / 3 * 4 + 5), *at = text;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < len && text; i++) {
		bits = (bits << 8) | data[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			*at++ = ALPHABET[(bits >> (n_bits - 6)) & 63];
	}
	if (text && n_bits)
		*at++ = ALPHABET[(bits << (6 - n_bits)) & 63];
	if (text)
		*at = '\0';
	return text;
}

static uint8_t *from_text(struct arena *arena, const char *text, size_t *len)
{
	uint8_t *data = arena_alloc(arena, strlen(text) + 1), *at = data;
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (; *text && data; text++) {
		const char *digit = strchr(ALPHABET, *text);

		if (!digit)
			return NULL;
		bits = (bits << 6) | (uint32_t)(digit - ALPHABET);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*at++ = (uint8_t)(bits >> n_bits);
		}
	}
	*len = (size_t)(at - data);
	return data;
}

const char *nexus_token_make(struct arena *arena, const struct nexus_operation *operation)
{
	struct token token = {
		.run = (int64_t)operation->execution->number,
		.scheduled_id = operation->scheduled_id,
		.run_id = operation->execution->run_id,
		.request_id = operation->request_id,
	};
	size_t size = record_size(&token_type, &token);
	uint8_t *data = arena_alloc(arena, size);

	if (!data) {
		server_no_memory(operation->execution->server);
		return "";
	}
	record_write(&token_type, &token, data);
	const char *text = to_text(arena, data, size);
	if (!text)
		server_no_memory(operation->execution->server);
	return text ? text : "";
}

/* ---- The operation of a token ---- */

static struct nexus_operation *in_run(struct execution *execution, const struct token *token)
{
	struct nexus_operation *operation =
		execution && state_running(execution)
			? nexus_operation_find(execution, token->scheduled_id)
			: NULL;

	return operation && str_same(operation->request_id, token->request_id) ? operation : NULL;
}

static struct nexus_operation *look_up(
	struct server *server, const struct token *token, const char **text)
{
	struct execution *execution = state_numbered(server, (uint64_t)token->run);

	if (!execution || !str_same(execution->run_id, token->run_id)) {
		*text = "workflow execution not found";
		return NULL;
	}
	struct nexus_operation *operation = in_run(execution, token);
	if (!operation)
		operation = in_run(execution->id->current, token);
	*text = "workflow execution already completed";
	if (state_running(execution))
		*text = arena_printf(&server->scratch,
			"stale reference: state machine not found: nexusoperations.Operation:%lld",
			(long long)token->scheduled_id);
	return operation;
}

static void complete(struct nexus_operation *operation, const struct nexus_completion *completion)
{
	/* Its start has not been told yet: the end tells of it too. */
	if (operation->state != (int32_t)STARTED)
		nexus_add_started(operation, completion->token, completion->start_ns,
			completion->links, completion->n_links);
	if (completion->failure)
		nexus_add_unsuccessful(operation, completion->failure, completion->canceled);
	else
		nexus_add_completed(operation, completion->result, NULL, 0);
}

/* Is the run of the token in that namespace? */
static bool is_in(struct server *server, const struct token *token, const char *space)
{
	const struct execution *execution = state_numbered(server, (uint64_t)token->run);

	return !space || !execution || str_same(execution->space->name, space);
}

const char *nexus_complete(struct server *server, const char *text, const char *space,
	const struct nexus_completion *completion, const char **why)
{
	struct token token = { 0 };
	size_t len = 0;
	const uint8_t *data = str_empty(text) ? NULL : from_text(&server->scratch, text, &len);
	struct nexus_operation *operation = NULL;
	const char *error = "NOT_FOUND";

	if (data && len && record_read(&token_type, &token, data, len) &&
		is_in(server, &token, space)) {
		operation = look_up(server, &token, why);
	} else {
		*why = "invalid callback token";
		error = "BAD_REQUEST";
	}
	record_finish(&token_type, &token);
	if (!operation)
		return error;
	complete(operation, completion);
	return NULL;
}
