/*
 * base64.h: bytes inside of JSON. Written in the standard alphabet with padding; read in either
 * alphabet, with or without padding.
 */
#ifndef CONVERT_BASE64_H
#define CONVERT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that `len` bytes make. */
#define BASE64_SIZE(len_) (((len_) + 2) / 3 * 4)

/* Writes exactly BASE64_SIZE(len) characters, not terminated. */
void base64_write(char *out, const void *data, size_t len);

/* Decodes to `out`, which has room for len / 4 * 3 + 2 bytes; false if the text is not base64. */
bool base64_read(const char *text, size_t len, unsigned char *out, size_t *out_len)
	__attribute__((warn_unused_result));

#endif
