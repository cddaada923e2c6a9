/*
 * base64.c: RFC 4648, both alphabets. Strict: no characters between, no bits left over.
 *
 * Called by the encoder and decoder for bytes in records and arrays. Any thread; no state.
 *
 * Strict, since a text that decodes in two ways, or decodes to less than it seems to hold, is a
 * transmission error that would go unnoticed. Both alphabets, since peers in JavaScript and Go use
 * the one for URLs.
 */
#include "convert/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(char *out, const void *data, size_t len)
{
	const unsigned char *in = data;

	for (; len > 0; in += 3, out += 4) {
		size_t count = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)in[0] << 16;

		bits |= count > 1 ? (uint32_t)in[1] << 8 : 0;
		bits |= count > 2 ? in[2] : 0;
		out[0] = alphabet[bits >> 18];
		out[1] = alphabet[bits >> 12 & 63];
		out[2] = count > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[3] = count > 2 ? alphabet[bits & 63] : '=';
		len -= count;
	}
}

/* The six bits of a character, or -1. */
static int base64_value(char c)
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

/*
 * Padding counts only where it is complete (the length is a multiple of 4); without any it may be
 * left out. Bits that fill up the last character must be 0: else several texts would mean the same
 * bytes.
 */
bool base64_read(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned held = 0; /* bits in `bits` that are not written yet */
	size_t count = 0;

	if (len % 4 == 0) {
		len -= len > 0 && text[len - 1] == '=';
		len -= len % 4 == 3 && text[len - 1] == '=';
	}
	for (size_t i = 0; i < len; i++) {
		int value = base64_value(text[i]);

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
	return len % 4 != 1 && (bits & ((1U << held) - 1)) == 0;
}
