/*
 * The protobuf decoder. Goal: no bytes crash it, and what it accepts, it gives back. Method: the
 * first byte chooses the type of the message, the rest is decoded; a message that was decoded is
 * encoded, decoded and encoded again, and both encodings have to be equal; so has that of its copy
 * for the other side of a process.
 */
#include <stdlib.h>
#include <string.h>
#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/api/history/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "fuzz/fuzz.h"
#include "proto/codec.h"

#define MEMORY_MAX (64u << 20)

static const ProtobufCMessageDescriptor *const types[] = {
	&history__history__descriptor,
	&failure__failure__descriptor,
	&common__payloads__descriptor,
	&workflowservice__poll_workflow_task_queue_response__descriptor,
	&workflowservice__poll_activity_task_queue_response__descriptor,
	&workflowservice__respond_workflow_task_completed_request__descriptor,
};

/* False when the encoder refuses it: the decoder takes messages nested as deep as it may write. */
static bool encode(struct arena *arena, const void *message, struct bytes *out)
{
	return proto_encode(arena, message, 5, out, NULL) == TEMPORAL_OK;
}

static void check_same(struct arena *arena, const void *message, const struct bytes *expected)
{
	struct bytes own;

	if (!message || !encode(arena, message, &own) || own.len != expected->len ||
		memcmp(own.ptr + 5, expected->ptr + 5, own.len - 5) != 0)
		abort();
}

static void round_trip(
	struct arena *arena, const ProtobufCMessageDescriptor *type, const void *message)
{
	struct bytes first;

	if (!encode(arena, message, &first))
		return;
	const void *again = proto_decode(arena, type, first.ptr + 5, first.len - 5, NULL, NULL);

	check_same(arena, again, &first);
	const void *copy = proto_transfer(arena, message, SIZE_MAX);
	if (copy) /* else it is one for the wire */
		check_same(arena, copy, &first);
	if (proto_size(message) != first.len - 5)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct temporal_error err = { 0 };
	struct arena arena;

	if (size == 0)
		return 0;
	const ProtobufCMessageDescriptor *type =
		types[data[0] % (sizeof(types) / sizeof(types[0]))];

	arena_init(&arena, 1024, MEMORY_MAX);
	const void *message = proto_decode(&arena, type, data + 1, size - 1, NULL, &err);
	if (message)
		round_trip(&arena, type, message);
	else if (err.code == TEMPORAL_OK || !err.message[0])
		abort();
	arena_finish(&arena);
	return 0;
}
