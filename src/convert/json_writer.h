/*
 * json_writer.h: a text that grows, for JSON.
 */
#ifndef CONVERT_JSON_WRITER_H
#define CONVERT_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* What is short stays in `small`. After a failed allocation all that follows is dropped. */
struct json_writer {
	char *data;
	size_t len, size;
	bool failed; /* out of memory */
	char small[512];
};

void json_writer_init(struct json_writer *writer);
void json_writer_finish(struct json_writer *writer);

/* Room for `len` more bytes, which count as written; NULL when memory is out. */
char *json_put_room(struct json_writer *writer, size_t len);
void json_put(struct json_writer *writer, const char *bytes, size_t len);
#define JSON_PUT(writer_, literal_) json_put((writer_), "" literal_, sizeof(literal_) - 1)

/* The text, which is valid UTF-8, in quotes and escaped where JSON wants it. */
void json_put_string(struct json_writer *writer, const char *text, size_t len);

/* The size of that, quotes included; and the writing alone, of exactly that size. */
size_t json_string_size(const char *text, size_t len);
void json_write_string(char *out, size_t size, const char *text, size_t len);

#endif
