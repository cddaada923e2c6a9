/*
 * What the tests of src/convert share: an arena that is always given back, payloads from text, and
 * a contract's arguments there and back.
 */
#ifndef TEST_CONVERT_FIXTURE_H
#define TEST_CONVERT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "compile/study.h"
#include "convert/convert.h"
#include "proto/codec.h"

struct fixture {
	struct arena arena;
	struct temporal_error err;
};

static inline int fixture_setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ .err = { .code = TEMPORAL_OK } };
	arena_init(&fixture.arena, 1024, ARENA_NO_BUDGET);
	*state = &fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	arena_finish(&((struct fixture *)*state)->arena);
	return 0;
}

#define FIXTURE_TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, fixture_setup, fixture_teardown)

static inline Common__Payload *payload_of(
	struct fixture *fixture, const char *encoding, const void *data, size_t len)
{
	struct temporal_payload payload = { .encoding = encoding, .data = { data, len } };

	return convert_payload_to_api(&fixture->arena, &payload);
}

static inline Common__Payload *json_payload(struct fixture *fixture, const char *text)
{
	return payload_of(fixture, "json/plain", text, strlen(text));
}

/* Decodes JSON texts, up to a NULL, as the arguments of the contract. */
static inline enum temporal_code decode_texts(struct fixture *fixture,
	const struct temporal_contract *contract, void *in, const char *const *texts)
{
	Common__Payload *payloads[32] = { NULL };
	size_t count = 0;

	for (; texts[count]; count++)
		payloads[count] = json_payload(fixture, texts[count]);
	return convert_decode_arguments(
		&fixture->arena, contract, payloads, count, in, &fixture->err);
}

#define DECODE_TEXTS(fixture_, contract_, in_, ...) \
	decode_texts((fixture_), &(contract_), (in_), (const char *const[]){ __VA_ARGS__, NULL })

/* Asserts the encoding and the data of a payload. */
static inline void assert_payload(
	const Common__Payload *payload, const char *encoding, const char *data)
{
	assert_non_null(payload);
	assert_string_equal(payload->metadata[0]->key, "encoding");
	assert_int_equal(payload->metadata[0]->value.len, strlen(encoding));
	assert_memory_equal(payload->metadata[0]->value.data, encoding, strlen(encoding));
	assert_int_equal(payload->data.len, strlen(data));
	assert_memory_equal(payload->data.data, data, strlen(data));
}

#endif
