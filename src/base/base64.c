/*
 * base64.c: RFC 4648, both alphabets, for bytes in JSON, in headers, and in tokens. No state.
 *
 * Reading is strict: a text that decodes in two ways, or to less than it seems to hold, is a
 * transmission error that would go unnoticed. Histories as JSON, though, have been written with
 * texts where bytes were expected, and must be read as everybody reads them. Both alphabets are
 * taken, since peers in JavaScript and Go use the one for URLs.
 */
#include "base/base64.h"

#include <stdint.h>

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

size_t base64_encode(char *out, const void *data, size_t len, enum base64_form form)
{
	const char *alphabet = form == BASE64_URL ? COMMON "-_" : COMMON "+/";
	const unsigned char *in = data;
	char *at = out;

	for (; len >= 3; in += 3, at += 4, len -= 3) {
		uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

		at[0] = alphabet[bits >> 18];
		at[1] = alphabet[bits >> 12 & 63];
		at[2] = alphabet[bits >> 6 & 63];
		at[3] = alphabet[bits & 63];
	}
	if (len > 0) {
		uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0);

		*at++ = alphabet[bits >> 18];
		*at++ = alphabet[bits >> 12 & 63];
		if (len > 1)
			*at++ = alphabet[bits >> 6 & 63];
		for (; form == BASE64_PADDED && len < 3; len++)
			*at++ = '=';
	}
	return (size_t)(at - out);
}

/* The six bits of a character, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Padding counts only where it is complete (the length is a multiple of 4); `left` are the bits
 * that fill up the last character. */
static bool decode(
	const char *text, size_t len, unsigned char *out, size_t *out_len, uint32_t *left)
{
	uint32_t bits = 0;
	unsigned held = 0; /* bits in `bits` that are not written yet */
	size_t count = 0;

	if (len % 4 == 0) {
		len -= len > 0 && text[len - 1] == '=';
		len -= len % 4 == 3 && text[len - 1] == '=';
	}
	for (size_t i = 0; i < len; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[count++] = (unsigned char)(bits >> held);
		}
	}
	*out_len = count;
	*left = bits & ((1U << held) - 1);
	return len % 4 != 1;
}

bool base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
	uint32_t left;

	return decode(text, len, out, out_len, &left) && left == 0;
}

bool base64_decode_loose(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
	uint32_t left;

	return decode(text, len, out, out_len, &left);
}
