/*
 * str.h: a string or a run of bytes as pointer and length, by value; it owns nothing.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *ptr; /* not NULL-terminated in general; may be NULL when len is 0 */
	size_t len;
};

struct bytes {
	uint8_t *ptr;
	size_t len;
};

#define STR(literal_) ((struct str){ "" literal_, sizeof(literal_) - 1 })

static inline struct str str_from(const char *text)
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Are the two C strings equal? NULL counts as "". */
static inline bool str_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Is the text NULL or ""? */
static inline bool str_empty(const char *text)
{
	return !text || !*text;
}

/* The letter in lower case, if it is one of ASCII. No locale. */
static inline char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Room for any number of these two; without a terminator. */
#define STR_INT_MAX 20

/* Write the number in decimal, and give the place behind it. No locale, no format: for what is
 * written for each task. */
char *str_put_int(char *to, int64_t value);
char *str_put_uint(char *to, uint64_t value);

/*
 * Is it valid UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF)? Length 0
 * is.
 */
bool str_is_utf8(const char *ptr, size_t len);

#endif
