/*
 * Messages out of DATA: the same messages whatever the pieces, memory that follows the bytes that
 * came, and compression that cannot be turned against us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rpc/frame.h"
#include "rpc/gzip.h"

#define OUT_SIZE 64

/* Feeds `data` in pieces of `piece` bytes; writes the messages one after the other to `out`; the
 * result of the last step. */
static enum rpc_deframed feed(struct rpc_deframer *deframer, const uint8_t *data, size_t len,
	size_t piece, char *out, unsigned *n, struct temporal_error *err)
{
	*n = 0;
	*out = '\0';
	for (size_t at = 0; at < len; at += piece) {
		const uint8_t *p = data + at;
		size_t left = len - at < piece ? len - at : piece;
		struct rpc_message message;
		enum rpc_deframed step;

		while ((step = rpc_deframe(deframer, &p, &left, &message, err)) ==
			RPC_DEFRAMED_ONE) {
			size_t used = strlen(out);

			snprintf(out + used, OUT_SIZE - used, "%.*s%s", (int)message.len,
				(const char *)message.data, message.compressed ? "!" : ".");
			++*n;
		}
		if (step == RPC_DEFRAMED_ERROR)
			return step;
		assert_int_equal(left, 0);
	}
	return RPC_DEFRAMED_MORE;
}

static void any_pieces_give_the_same_messages(void **state)
{
	static const uint8_t wire[] = "\0\0\0\0\5hello\0\0\0\0\0\1\0\0\0\3abc\0\0\0\0\6world!";
	char out[OUT_SIZE];
	unsigned n;

	for (size_t piece = 1; piece < sizeof(wire); piece++) {
		size_t memory = 0;
		struct rpc_deframer deframer = {
			.max = 100, .memory = &memory, .memory_max = 1000
		};

		assert_int_equal(feed(&deframer, wire, sizeof(wire) - 1, piece, out, &n, NULL),
			RPC_DEFRAMED_MORE);
		assert_string_equal(out, "hello..abc!world!.");
		assert_int_equal(n, 4);
		assert_false(rpc_deframer_inside(&deframer));
		rpc_deframer_finish(&deframer);
		assert_int_equal(memory, 0);
	}
}

static void refuses_a_lie_about_the_length(void **state)
{
	size_t memory = 0;
	struct rpc_deframer deframer = { .max = 100, .memory = &memory, .memory_max = 1000 };
	struct temporal_error err;
	char out[OUT_SIZE];
	unsigned n;

	assert_int_equal(
		feed(&deframer, (const uint8_t *)"\0\xFF\xFF\xFF\xFFxx", 7, 7, out, &n, &err),
		RPC_DEFRAMED_ERROR);
	assert_int_equal(err.code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(
		strstr(err.message, "received message larger than max (4294967295 vs. 100)"));
	assert_int_equal(memory, 0);
	rpc_deframer_finish(&deframer);
}

static void refuses_an_unknown_flag(void **state)
{
	size_t memory = 0;
	struct rpc_deframer deframer = { .max = 100, .memory = &memory, .memory_max = 1000 };
	struct temporal_error err;
	char out[OUT_SIZE];
	unsigned n;

	assert_int_equal(feed(&deframer, (const uint8_t *)"\2\0\0\0\0", 5, 1, out, &n, &err),
		RPC_DEFRAMED_ERROR);
	assert_int_equal(err.code, TEMPORAL_INTERNAL);
	rpc_deframer_finish(&deframer);
}

/* A message announced with 64 MiB of which 10 bytes came holds what a message of some bytes holds.
 */
static void memory_follows_the_bytes(void **state)
{
	size_t memory = 0;
	struct rpc_deframer deframer = {
		.max = 64 << 20, .memory = &memory, .memory_max = 64 << 20
	};
	char out[OUT_SIZE];
	unsigned n;

	assert_int_equal(
		feed(&deframer, (const uint8_t *)"\0\4\0\0\0abcdefghij", 15, 15, out, &n, NULL),
		RPC_DEFRAMED_MORE);
	assert_true(rpc_deframer_inside(&deframer));
	assert_true(memory <= 4096);
	rpc_deframer_finish(&deframer);
	assert_int_equal(memory, 0);
}

static void the_connections_memory_is_a_limit(void **state)
{
	static uint8_t big[4096];
	size_t memory = 3000;
	struct rpc_deframer deframer = { .max = 64 << 20, .memory = &memory, .memory_max = 4000 };
	struct temporal_error err;
	char out[OUT_SIZE];
	unsigned n;

	memcpy(big, "\0\0\1\0\0", 5);
	assert_int_equal(
		feed(&deframer, big, sizeof(big), sizeof(big), out, &n, &err), RPC_DEFRAMED_ERROR);
	assert_int_equal(err.code, TEMPORAL_RESOURCE_EXHAUSTED);
	rpc_deframer_finish(&deframer);
	assert_int_equal(memory, 3000);
}

/* gzip. */

static void gzip_round_trip(void **state)
{
	struct rpc_gzip gzip = { 0 };
	static uint8_t data[100000], packed[100000];
	struct bytes out;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 7);
	for (int again = 0; again < 2; again++) {
		size_t len = rpc_gzip_deflate(&gzip, data, sizeof(data), packed, sizeof(packed));

		assert_true(len > 0 && len < sizeof(data));
		assert_int_equal(rpc_gzip_inflate(&gzip, packed, len, sizeof(data), &out, NULL),
			TEMPORAL_OK);
		assert_int_equal(out.len, sizeof(data));
		assert_memory_equal(out.ptr, data, sizeof(data));
		mem_free(out.ptr);
	}
	rpc_gzip_finish(&gzip);
}

static void gzip_only_if_smaller(void **state)
{
	struct rpc_gzip gzip = { 0 };
	uint8_t data[64], packed[64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + 13);
	assert_int_equal(
		rpc_gzip_deflate(&gzip, data, sizeof(data), packed, sizeof(packed) - 1), 0);
	rpc_gzip_finish(&gzip);
}

/* 16 MiB of zeros in some 16 KiB: it has to stop at the limit, not at the end. */
static void gzip_bomb(void **state)
{
	struct rpc_gzip gzip = { 0 };
	size_t size = 16 << 20;
	uint8_t *zeros = calloc(1, size), *packed = malloc(size);
	struct temporal_error err;
	struct bytes out;
	size_t len = rpc_gzip_deflate(&gzip, zeros, size, packed, size);

	assert_true(len > 0 && len < 100000);
	assert_int_equal(rpc_gzip_inflate(&gzip, packed, len, 1 << 20, &out, &err),
		TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(
		strstr(err.message, "grpc: received message after decompression larger than max"));
	assert_null(out.ptr);
	assert_int_equal(rpc_gzip_inflate(&gzip, packed, len, size, &out, &err), TEMPORAL_OK);
	mem_free(out.ptr);
	assert_int_equal(rpc_gzip_inflate(&gzip, packed, len, size - 1, &out, &err),
		TEMPORAL_RESOURCE_EXHAUSTED);
	free(zeros);
	free(packed);
	rpc_gzip_finish(&gzip);
}

static void gzip_refuses_garbage(void **state)
{
	struct rpc_gzip gzip = { 0 };
	uint8_t packed[200];
	struct temporal_error err;
	struct bytes out;
	size_t len = rpc_gzip_deflate(&gzip, "hello hello hello", 17, packed, 100);

	assert_int_equal(
		rpc_gzip_inflate(&gzip, "plain text", 10, 100, &out, &err), TEMPORAL_INTERNAL);
	assert_int_equal(rpc_gzip_inflate(&gzip, "", 0, 100, &out, &err), TEMPORAL_INTERNAL);
	for (size_t cut = 1; cut < len; cut++)
		assert_int_equal(
			rpc_gzip_inflate(&gzip, packed, cut, 100, &out, &err), TEMPORAL_INTERNAL);
	memcpy(packed + len, packed, len); /* a second member */
	assert_int_equal(
		rpc_gzip_inflate(&gzip, packed, len * 2, 100, &out, &err), TEMPORAL_INTERNAL);
	assert_int_equal(rpc_gzip_inflate(&gzip, packed, len, 100, &out, &err), TEMPORAL_OK);
	mem_free(out.ptr);
	rpc_gzip_finish(&gzip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_pieces_give_the_same_messages),
		cmocka_unit_test(refuses_a_lie_about_the_length),
		cmocka_unit_test(refuses_an_unknown_flag),
		cmocka_unit_test(memory_follows_the_bytes),
		cmocka_unit_test(the_connections_memory_is_a_limit),
		cmocka_unit_test(gzip_round_trip),
		cmocka_unit_test(gzip_only_if_smaller),
		cmocka_unit_test(gzip_bomb),
		cmocka_unit_test(gzip_refuses_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
