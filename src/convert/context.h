/*
 * context.h: what an encoding or decoding carries along: memory, the place in the contract, errors.
 */
#ifndef CONVERT_CONTEXT_H
#define CONVERT_CONTEXT_H

#include <temporal/types.h>

#include "base/arena.h"
#include "base/str.h"
#include "convert/json_reader.h"

/* Where we are: a step lies on the stack of the function that took it and points to the one before.
 */
struct convert_step {
	const struct convert_step *up;
	const char *name; /* of the argument or member; NULL: an element */
	size_t index;     /* of the argument or element, from 0 */
};

struct convert_context {
	struct arena *arena;
	struct temporal_error *err;
	enum temporal_code code;       /* of errors in the value */
	const struct convert_step *at; /* NULL: the result */
	unsigned depth;                /* of records in records */
	enum temporal_code failed;     /* OK so far */
};

/*
 * Reports an error and gives false: "argument 2 (order).lines[3].count: " and the message. The
 * first one counts.
 */
bool convert_fail(struct convert_context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool convert_fail_memory(struct convert_context *context);

/* The text of `format` arguments: what values of the field look like, for "expected ...". */
struct convert_expected {
	char text[80];
};
const char *convert_expected(const struct temporal_field *field, struct convert_expected *buffer);

/* The kind of a JSON value in words: "a string". */
const char *convert_json_kind(enum json_kind kind);

/* Kinds whose value is a pointer already: NULL there is what an optional one has as absent. */
static inline bool convert_is_pointer(enum temporal_kind kind)
{
	return kind == TEMPORAL_KIND_STRING || kind == TEMPORAL_KIND_MESSAGE;
}

/* From one element of an array to the next. */
static inline size_t convert_stride(const struct temporal_field *field)
{
	return field->kind == TEMPORAL_KIND_MESSAGE ? sizeof(void *) : field->size;
}

/* Messages: their pointer is read from and written to `at`. */
bool convert_encode_message(struct convert_context *context, const struct temporal_field *field,
	const void *message, struct str *json) __attribute__((warn_unused_result));
bool convert_decode_message(struct convert_context *context, const struct temporal_field *field,
	struct str data, bool json, void *at) __attribute__((warn_unused_result));

#endif
