/*
 * protobuf.c: protobuf messages as arguments, results and members: json/protobuf, binary/protobuf.
 *
 * The work is done by proto/codec.h and proto/json.h; here is what a contract adds: the check that
 * field and descriptor belong together, and errors with the place in the contract. Any thread.
 */
#include <protobuf-c/protobuf-c.h>

#include "convert/context.h"
#include "proto/codec.h"
#include "proto/json.h"

/*
 * The contract names type and descriptor apart; if they are not of one message, the decoder would
 * write past the struct. The size does not prove that they are, but tells nearly all mistakes.
 */
static bool check_descriptor(struct convert_context *context, const struct temporal_field *field)
{
	const ProtobufCMessageDescriptor *descriptor = field->message;

	return descriptor->sizeof_message == field->size ||
	       convert_fail(context, "the contract's descriptor %s is not that of its type",
		       descriptor->name);
}

/* What the layer below reports, with our place in front of it. */
static bool fail_below(struct convert_context *context, const struct temporal_error *err)
{
	if (err->code == TEMPORAL_NO_MEMORY)
		return convert_fail_memory(context);
	return convert_fail(context, "%s", err->message);
}

/* A message that was not set to its INIT has another descriptor or none, and cannot be walked. */
bool convert_encode_message(struct convert_context *context, const struct temporal_field *field,
	const void *message, struct str *json)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	const ProtobufCMessage *base = message;

	if (!check_descriptor(context, field))
		return false;
	if (!message)
		return convert_fail(context, "expected a protobuf message, got NULL");
	if (base->descriptor != field->message)
		return convert_fail(context, "the message is not initialized as its type");
	if (proto_to_json(context->arena, message, 0, json, &err))
		return fail_below(context, &err);
	return true;
}

/*
 * JSON may have members that this version of the message does not know: they are passed by, as
 * unknown fields are in the binary form.
 */
bool convert_decode_message(struct convert_context *context, const struct temporal_field *field,
	struct str data, bool json, void *at)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	void *message;

	if (!check_descriptor(context, field))
		return false;
	if (json)
		message = proto_from_json(context->arena, field->message, data, true, &err);
	else
		message = proto_decode(
			context->arena, field->message, data.ptr, data.len, NULL, &err);
	if (!message)
		return fail_below(context, &err);
	memcpy(at, &message, sizeof(message));
	return true;
}
