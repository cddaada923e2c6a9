/*
 * Contracts as a filter, for convert_differential.py. Each request on stdin: the letter of a
 * contract of test/compile/study.h, the length (32 bits, little-endian) and bytes of a message
 * Payloads, which are the arguments. Each answer on stdout: '+', the length and bytes of the
 * Payloads that the decoded arguments are encoded as; or '-', the length and text of the error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "compile/study.h"
#include "convert/convert.h"
#include "proto/codec.h"

static const struct temporal_contract *contract_of(int letter)
{
	switch (letter) {
	case 's':
		return &simple;
	case 'm':
		return &maybe;
	case 'w':
		return &wait;
	default:
		return &send;
	}
}

static bool read_block(struct arena *arena, struct bytes *out)
{
	uint8_t prefix[4];

	if (fread(prefix, 1, 4, stdin) != 4)
		return false;
	out->len = (size_t)prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 |
		   (size_t)prefix[3] << 24;
	out->ptr = arena_alloc(arena, out->len);
	return out->ptr && fread(out->ptr, 1, out->len, stdin) == out->len;
}

static void answer(char verdict, const void *data, size_t len)
{
	uint8_t prefix[4] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
		(uint8_t)(len >> 24) };

	putchar(verdict);
	fwrite(prefix, 1, 4, stdout);
	fwrite(data, 1, len, stdout);
	fflush(stdout);
}

static enum temporal_code there_and_back(struct arena *arena,
	const struct temporal_contract *contract, struct bytes request, struct bytes *out,
	struct temporal_error *err)
{
	Common__Payloads reply = COMMON__PAYLOADS__INIT;
	void *in = arena_alloc(arena, contract->in.size);
	Common__Payloads *payloads = proto_decode(
		arena, &common__payloads__descriptor, request.ptr, request.len, NULL, err);

	if (!payloads || !in)
		return err->code;
	enum temporal_code code = convert_decode_arguments(
		arena, contract, payloads->payloads, payloads->n_payloads, in, err);
	if (!code)
		code = convert_encode_arguments(
			arena, contract, in, &reply.payloads, &reply.n_payloads, err);
	return code ? code : proto_encode(arena, &reply, 0, out, err);
}

int main(void)
{
	for (int letter = getchar(); letter != EOF; letter = getchar()) {
		struct temporal_error err = { .code = TEMPORAL_OK };
		struct bytes request, reply;
		struct arena arena;

		arena_init(&arena, 4096, 64 << 20);
		if (!read_block(&arena, &request))
			return 1;
		if (there_and_back(&arena, contract_of(letter), request, &reply, &err))
			answer('-', err.message, strlen(err.message));
		else
			answer('+', reply.ptr, reply.len);
		arena_finish(&arena);
	}
	return 0;
}
