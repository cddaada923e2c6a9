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
#include "base/base64.h"
#include "server/nexus/nexus.h"

#define STARTED ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_STARTED

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
	char *text = arena_alloc(arena, BASE64_BARE_SIZE(size) + 1);
	if (!text) {
		server_no_memory(operation->execution->server);
		return "";
	}
	text[base64_encode(text, data, size, BASE64_URL)] = '\0';
	return text;
}

static bool read_token(struct server *server, const char *text, struct token *token)
{
	size_t len = text ? strlen(text) : 0;
	uint8_t *data = arena_alloc(&server->scratch, BASE64_ROOM(len));

	return data && base64_decode(text, len, data, &len) && len &&
	       record_read(&token_type, token, data, len);
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
	struct nexus_operation *operation = NULL;
	const char *error = "NOT_FOUND";

	if (read_token(server, text, &token) && is_in(server, &token, space)) {
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
