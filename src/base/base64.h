/*
 * base64.h: RFC 4648, in both alphabets. Pure; any thread.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

enum base64_form {
	BASE64_PADDED, /* with '=' up to a multiple of four: JSON */
	BASE64_BARE,   /* without: headers of gRPC */
	BASE64_URL,    /* the alphabet with '-' and '_', without '=': tokens */
};

/* Characters that `len` bytes make at most; exactly so many when padded, or when bare. */
#define BASE64_SIZE(len_)      (((len_) + 2) / 3 * 4)
#define BASE64_BARE_SIZE(len_) (((len_)*4 + 2) / 3)

/* Writes that many, not terminated, and gives their number. */
size_t base64_encode(char *out, const void *data, size_t len, enum base64_form form);

/* Room for the bytes that a text stands for. */
#define BASE64_ROOM(text_len_) ((text_len_) / 4 * 3 + 3)

/*
 * Either alphabet, padded or not. False: it is no base64; so is, for the first of the two, a text
 * with bits left over that are not 0. The other drops them, as readers of protobuf's JSON do.
 */
bool base64_decode(const char *text, size_t len, unsigned char *out, size_t *out_len)
	__attribute__((warn_unused_result));
bool base64_decode_loose(const char *text, size_t len, unsigned char *out, size_t *out_len)
	__attribute__((warn_unused_result));

#endif
