/*
 * Arguments. Goal: no payload crashes the decoder of a contract that has all forms of fields, an
 * error always names itself, and what is accepted can be sent on and comes back the same.
 *
 * Method: the first byte picks a contract of test/compile/study.h, the rest is cut at each byte 30
 * into arguments, of which the first byte picks the encoding. What was decoded is encoded, decoded
 * and encoded again; both encodings have to be equal.
 */
#include <stdlib.h>
#include <string.h>

#include "compile/study.h"
#include "convert/convert.h"
#include "fuzz/fuzz.h"

#define MEMORY_MAX    (64u << 20)
#define ARGUMENTS_MAX 20
#define SEPARATOR     30

static const struct temporal_contract *contract_of(uint8_t letter)
{
	switch (letter) {
	case 's':
		return &simple;
	case 'm':
		return &maybe;
	case 'p':
		return &picture;
	case 'w':
		return &wait;
	default:
		return &send;
	}
}

static const char *encoding_of(uint8_t letter)
{
	switch (letter) {
	case 'n':
		return "binary/null";
	case 'b':
		return "binary/plain";
	case 'J':
		return "json/protobuf";
	case 'B':
		return "binary/protobuf";
	case 'x':
		return "binary/encrypted";
	default:
		return "json/plain";
	}
}

/* The arguments in the input; their count. */
static size_t cut(struct arena *arena, const uint8_t *data, size_t size, Common__Payload **out)
{
	size_t count = 0;

	while (size > 0 && count < ARGUMENTS_MAX) {
		const uint8_t *end = memchr(data, SEPARATOR, size);
		size_t len = end ? (size_t)(end - data) : size;
		struct temporal_payload payload = {
			.encoding = encoding_of(len ? *data : 'n'),
			.data = { data + (len > 0), len - (len > 0) },
		};

		out[count] = convert_payload_to_api(arena, &payload);
		if (!out[count])
			abort();
		count++;
		len += end != NULL;
		data += len;
		size -= len;
	}
	return count;
}

static void compare(const Common__Payload *a, const Common__Payload *b)
{
	if (a->n_metadata != b->n_metadata || a->data.len != b->data.len ||
		(a->data.len > 0 && memcmp(a->data.data, b->data.data, a->data.len) != 0))
		abort();
}

/* `in` was accepted. A message may still hold what JSON has no form for. */
static void round_trip(
	struct arena *arena, const struct temporal_contract *contract, const void *in, void *again)
{
	Common__Payload **first, **second;
	size_t n_first, n_second;

	if (convert_encode_arguments(arena, contract, in, &first, &n_first, NULL)) {
		if (contract != &wait)
			abort();
		return;
	}
	if (convert_decode_arguments(arena, contract, first, n_first, again, NULL) ||
		convert_encode_arguments(arena, contract, again, &second, &n_second, NULL) ||
		n_first != n_second)
		abort();
	for (size_t i = 0; i < n_first; i++)
		compare(first[i], second[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Common__Payload *payloads[ARGUMENTS_MAX];
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct arena arena;

	if (size == 0)
		return 0;
	const struct temporal_contract *contract = contract_of(*data);
	arena_init(&arena, 1024, MEMORY_MAX);
	void *in = arena_alloc(&arena, contract->in.size);
	void *again = arena_alloc(&arena, contract->in.size);
	size_t count = cut(&arena, data + 1, size - 1, payloads);

	if (!convert_decode_arguments(&arena, contract, payloads, count, in, &err))
		round_trip(&arena, contract, in, again);
	else if (err.code == TEMPORAL_OK || !err.message[0])
		abort();
	arena_finish(&arena);
	return 0;
}
