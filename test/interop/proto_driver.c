/*
 * The codec as a filter, for proto_differential.py. Each request on stdin: one byte of what to do,
 * the length (32 bits, little-endian) and text of the type's name, the length and bytes of the
 * message. Each answer on stdout: one byte, '+' or '-', and the length and bytes of the result, or
 * of the error's text. b  bytes to message to bytes     p  bytes to message to JSON     j  JSON to
 * message to bytes
 */
#include <stdio.h>
#include <stdlib.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "proto/json.h"
#include "temporal/api/command/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
	&command__command__descriptor,
	&common__payload__descriptor,
	&failure__failure__descriptor,
	&google__double_value__descriptor,
	&google__field_descriptor_proto__descriptor,
	&google__float_value__descriptor,
	&google__struct__descriptor,
	&google__uint32_value__descriptor,
	&google__uint64_value__descriptor,
	&history__history_event__descriptor,
	&sdk__workflow_task_completed_metadata__descriptor,
	&workflowservice__describe_task_queue_response__descriptor,
	&workflowservice__poll_workflow_task_queue_response__descriptor,
	&workflowservice__respond_workflow_task_completed_request__descriptor,
	&workflowservice__start_workflow_execution_request__descriptor,
};

static bool read_block(struct arena *arena, struct bytes *out)
{
	uint8_t prefix[4];

	if (fread(prefix, 1, 4, stdin) != 4)
		return false;
	out->len = (size_t)prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 |
		   (size_t)prefix[3] << 24;
	out->ptr = arena_alloc(arena, out->len + 1);
	if (!out->ptr || fread(out->ptr, 1, out->len, stdin) != out->len)
		return false;
	out->ptr[out->len] = '\0';
	return true;
}

static void answer(char verdict, const void *data, size_t len)
{
	uint8_t prefix[4] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
		(uint8_t)(len >> 24) };

	putchar(verdict);
	fwrite(prefix, 1, 4, stdout);
	fwrite(data, 1, len, stdout);
	fflush(stdout);
}

static const ProtobufCMessageDescriptor *type_of(struct bytes name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_same(types[i]->name, (const char *)name.ptr))
			return types[i];
	fprintf(stderr, "proto_driver: no type %s\n", (const char *)name.ptr);
	exit(2);
}

static enum temporal_code convert(struct arena *arena, int what,
	const ProtobufCMessageDescriptor *type, struct bytes in, struct bytes *out,
	struct temporal_error *err)
{
	const struct str text = { (const char *)in.ptr, in.len };
	const void *message = what == 'j' ? proto_from_json(arena, type, text, false, err)
					  : proto_decode(arena, type, in.ptr, in.len, NULL, err);
	struct str json;

	if (!message)
		return err->code;
	if (what != 'p')
		return proto_encode(arena, message, 0, out, err);
	enum temporal_code code = proto_to_json(arena, message, 0, &json, err);
	if (code == TEMPORAL_OK)
		*out = (struct bytes){ (uint8_t *)arena_str(arena, json), json.len };
	return code;
}

int main(void)
{
	struct arena arena;
	int what;

	arena_init(&arena, 64 * 1024, ARENA_NO_BUDGET);
	while ((what = getchar()) != EOF) {
		struct temporal_error err = { 0 };
		struct bytes name, in, out = { 0 };

		if (!read_block(&arena, &name) || !read_block(&arena, &in))
			return 1;
		if (convert(&arena, what, type_of(name), in, &out, &err) == TEMPORAL_OK)
			answer('+', out.ptr, out.len);
		else
			answer('-', err.message, strlen(err.message));
		arena_reset(&arena);
	}
	arena_finish(&arena);
	return 0;
}
