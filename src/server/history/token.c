/*
 * token.c: the tokens that workers and callers carry for us: of tasks, and of pages of a history.
 * They are records (record.h) and opaque to everybody else. Whatever comes back is checked: a
 * token may be stale, or made up. Any thread.
 */
#include "base/mem.h"
#include "server/history/history.h"

static const struct record_field token_fields[] = {
	RECORD_FIELD(1, INT, task_token, run),
	RECORD_FIELD(2, INT, task_token, scheduled_id),
	RECORD_FIELD(3, INT, task_token, started_id),
	RECORD_FIELD(4, INT, task_token, attempt),
	RECORD_FIELD(5, INT, task_token, starts),
	RECORD_FIELD(6, TEXT, task_token, query),
	RECORD_FIELD(7, TEXT, task_token, run_id),
};
static const struct record_type token_type = RECORD_TYPE(token_fields);

ProtobufCBinaryData token_make(struct request *request, const struct task_token *token)
{
	size_t size = record_size(&token_type, token);
	uint8_t *data = arena_alloc(request->arena, size);

	if (!data) {
		server_no_memory(request->server);
		return (ProtobufCBinaryData){ 0 };
	}
	record_write(&token_type, token, data);
	return (ProtobufCBinaryData){ size, data };
}

bool token_read(ProtobufCBinaryData data, struct task_token *token)
{
	*token = (struct task_token){ 0 };
	return data.len > 0 && record_read(&token_type, token, data.data, data.len);
}

void token_finish(struct task_token *token)
{
	record_finish(&token_type, token);
}

ProtobufCBinaryData token_page(
	struct request *request, const struct execution *execution, int64_t next, int64_t end)
{
	struct task_token token = {
		.run = (int64_t)execution->number,
		.scheduled_id = next,
		.started_id = end,
		.run_id = execution->run_id,
	};

	return token_make(request, &token);
}
