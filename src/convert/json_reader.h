/*
 * json_reader.h: reads JSON by walking over it: what comes next, take it, or skip it.
 *
 * Strict (RFC 8259): valid UTF-8, no lone surrogates, no trailing commas, nothing behind the value.
 * Nesting is bounded by JSON_DEPTH_MAX and never recursed into.
 */
#ifndef CONVERT_JSON_READER_H
#define CONVERT_JSON_READER_H

#include "base/arena.h"
#include "base/str.h"
#include "convert/number.h"

#define JSON_DEPTH_MAX 100

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
	JSON_NONE, /* no value begins here */
};

struct json_reader {
	const char *start, *next, *end;
	const char *problem; /* after a failure: what is wrong at `next`; a literal */
	bool no_memory;      /* or this */
};

void json_reader_init(struct json_reader *reader, const void *data, size_t len);

/* What the next value is, by its first character; spaces before it are passed. */
enum json_kind json_peek(struct json_reader *reader);

/*
 * Each takes the next value, which json_peek() has found to be of that kind; false on a failure.
 * A string's text is in the arena and terminated, but may hold NULs.
 */
bool json_take_null(struct json_reader *reader) __attribute__((warn_unused_result));
bool json_take_bool(struct json_reader *reader, bool *out) __attribute__((warn_unused_result));
bool json_take_number(struct json_reader *reader, struct number *out)
	__attribute__((warn_unused_result));
bool json_take_string(struct json_reader *reader, struct arena *arena, struct str *out)
	__attribute__((warn_unused_result));

/* Passes a value of any kind, checking it all; `out`, if not NULL, gets its text. */
bool json_skip(struct json_reader *reader, struct str *out) __attribute__((warn_unused_result));

/*
 * Loops over what is in an array or object: after the opening bracket was taken by json_open(),
 * json_more() says whether another element or member follows (`first` for the first call), and
 * takes the closing bracket if not. false in `*ok`: a failure.
 */
void json_open(struct json_reader *reader);
bool json_more(struct json_reader *reader, char close, bool first, bool *ok);

/* A member's name and the colon. The name is the input itself if it has no escapes. */
bool json_take_name(struct json_reader *reader, struct arena *arena, struct str *out)
	__attribute__((warn_unused_result));

/* The elements of the array that json_peek() has found, without moving; all of it is checked. */
bool json_count(const struct json_reader *reader, size_t *out, struct json_reader *failed)
	__attribute__((warn_unused_result));

/* Nothing but spaces may be left. */
bool json_end(struct json_reader *reader) __attribute__((warn_unused_result));

#endif
