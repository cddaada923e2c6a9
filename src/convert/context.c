/*
 * context.c: errors that say where they are: "argument 2 (order).lines[3].count: expected ...".
 *
 * The path costs nothing as long as all goes well: it is a list through the stack frames of the
 * encoder or decoder, and is written out when something fails. Any thread.
 *
 * Encoder and decoder return false from every function after an error, without asking what it was;
 * the first report counts, as it is the nearest to the cause.
 */
#include "convert/context.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

struct path {
	char text[160];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void path_add(
	struct path *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path->text + path->len, sizeof(path->text) - path->len, format, args);
	va_end(args);
	if (len > 0)
		path->len += (size_t)len;
	if (path->len >= sizeof(path->text))
		path->len = sizeof(path->text) - 1;
}

/* The steps from the outermost one; a path that is too long loses its end. */
static void path_write(struct path *path, const struct convert_step *at)
{
	const struct convert_step *steps[JSON_DEPTH_MAX];
	size_t count = 0;

	path_add(path, at ? "%s" : "result", "");
	for (; at && count < JSON_DEPTH_MAX; at = at->up)
		steps[count++] = at;
	while (count-- > 0) {
		at = steps[count];
		if (!at->up && at->name)
			path_add(path, "argument %zu (%s)", at->index + 1, at->name);
		else if (at->name)
			path_add(path, ".%s", at->name);
		else
			path_add(path, "[%zu]", at->index);
	}
}

/*
 * The code is the direction's: INVALID_ARGUMENT for what the program gives, BAD_PAYLOAD for what
 * came.
 */
bool convert_fail(struct convert_context *context, const char *format, ...)
{
	struct path path = { .len = 0 };
	char message[200];
	va_list args;

	if (context->failed)
		return false;
	path_write(&path, context->at);
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	context->failed = error_set(context->err, context->code, "%s: %s", path.text, message);
	return false;
}

/*
 * Out of memory is not the value's fault and has its own code, by which the layers above try again.
 */
bool convert_fail_memory(struct convert_context *context)
{
	if (!context->failed)
		context->failed = error_no_memory(context->err, "a payload");
	return false;
}

const char *convert_json_kind(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
		[JSON_NONE] = "nothing",
	};

	return names[kind];
}

/* The range and not the type's name: the reader of the message may know no C. */
static const char *expected_integer(const struct temporal_field *field, char *text, size_t size)
{
	unsigned bits = (unsigned)field->size * 8;

	if (field->kind == TEMPORAL_KIND_UINT) {
		unsigned long long most = UINT64_MAX >> (64 - bits);

		snprintf(text, size, "an integer from 0 to %llu", most);
	} else {
		long long most = (long long)((UINT64_MAX >> 1) >> (64 - bits));

		snprintf(text, size, "an integer from %lld to %lld", -most - 1, most);
	}
	return text;
}

const char *convert_expected(const struct temporal_field *field, struct convert_expected *buffer)
{
	if (field->shape == TEMPORAL_SHAPE_ARRAY)
		return "an array";
	switch (field->kind) {
	case TEMPORAL_KIND_BOOL:
		return "a boolean";
	case TEMPORAL_KIND_INT:
	case TEMPORAL_KIND_UINT:
		return expected_integer(field, buffer->text, sizeof(buffer->text));
	case TEMPORAL_KIND_FLOAT:
		return "a number";
	case TEMPORAL_KIND_STRING:
		return "a string";
	case TEMPORAL_KIND_BYTES:
		return "bytes (in base64)";
	case TEMPORAL_KIND_RECORD:
		return "an object";
	case TEMPORAL_KIND_MESSAGE:
		return "a protobuf message";
	default:
		return "a value";
	}
}
