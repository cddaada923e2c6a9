/*
 * json_writer.c: the text of a record or an array while it is written.
 *
 * One writer lives on the stack of encode.c for one payload; the result is copied to the arena in
 * its final size, so that growing leaves nothing behind there. The error is sticky: it is checked
 * once, at the end.
 */
#include "convert/json_writer.h"

#include "base/mem.h"

void json_writer_init(struct json_writer *writer)
{
	writer->data = writer->small;
	writer->len = 0;
	writer->size = sizeof(writer->small);
	writer->failed = false;
}

void json_writer_finish(struct json_writer *writer)
{
	if (writer->data != writer->small)
		mem_free(writer->data);
	writer->data = writer->small;
}

/*
 * By doubling. The first time the text moves out of the struct, after which it is an ordinary
 * allocation.
 */
static bool writer_grow(struct json_writer *writer, size_t len)
{
	size_t size = writer->size;
	bool first = writer->data == writer->small;

	while (size - writer->len < len) {
		if (size > SIZE_MAX / 2)
			return false;
		size *= 2;
	}
	char *data = mem_realloc(first ? NULL : writer->data, size);
	if (!data)
		return false;
	if (first)
		memcpy(data, writer->small, writer->len);
	writer->data = data;
	writer->size = size;
	return true;
}

char *json_put_room(struct json_writer *writer, size_t len)
{
	if (writer->failed)
		return NULL;
	if (writer->size - writer->len < len && !writer_grow(writer, len)) {
		writer->failed = true;
		return NULL;
	}
	writer->len += len;
	return writer->data + writer->len - len;
}

/* After a failure nothing is written any more, so that callers need not look until the end. */
void json_put(struct json_writer *writer, const char *bytes, size_t len)
{
	char *room = json_put_room(writer, len);

	if (room && len > 0)
		memcpy(room, bytes, len);
}

/* The letter behind the backslash for what has a short escape, 'u' for other controls, 0: none. */
static char escape_of(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return c < 0x20 ? 'u' : 0;
	}
}

/* What is not ASCII is written as it is: JSON is UTF-8. U+007F and "/" need no escape either. */
size_t json_string_size(const char *text, size_t len)
{
	size_t size = len + 2;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == '"' || c == '\\')
			size += escape_of(c) == 'u' ? 5 : 1;
	}
	return size;
}

/*
 * `size` must be that of json_string_size() for this text: it tells whether there is anything to
 * escape.
 */
void json_write_string(char *out, size_t size, const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '"';
	if (size == len + 2) { /* as most texts are: nothing to escape */
		memcpy(out, text, len);
		out[len] = '"';
		return;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape = c < 0x20 || c == '"' || c == '\\' ? escape_of(c) : 0;

		if (!escape) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '\\';
		*out++ = escape;
		if (escape == 'u') {
			memcpy(out, "00", 2);
			out[2] = digits[c >> 4];
			out[3] = digits[c & 15];
			out += 4;
		}
	}
	*out = '"';
}

void json_put_string(struct json_writer *writer, const char *text, size_t len)
{
	size_t size = json_string_size(text, len);
	char *room = json_put_room(writer, size);

	if (room)
		json_write_string(room, size, text, len);
}
