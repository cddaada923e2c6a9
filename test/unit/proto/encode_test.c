/*
 * Goal: encodings are canonical, exact in size and safe on structs filled by hand; copies share
 * nothing. Method: small messages against bytes written by hand.
 */
#include "google/protobuf/descriptor.pb-c.h"
#include "proto_fixture.h"

static void encode_leaves_headroom(void **state)
{
	struct fixture *f = *state;
	Common__WorkflowExecution *run =
		PROTO_NEW(&f->arena, Common__WorkflowExecution, common__workflow_execution);
	struct bytes out;

	run->workflow_id = "w";
	run->run_id = NULL; /* counts as "" */
	assert_int_equal(proto_encode(&f->arena, run, 5, &out, &f->err), TEMPORAL_OK);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.ptr + 5, "\x0a\x01w", 3);
}

static void encode_accepts_structs_filled_by_hand(void **state)
{
	struct fixture *f = *state;
	Common__Payload one = COMMON__PAYLOAD__INIT;
	Common__Payload *array[2] = { &one, NULL }; /* a NULL element is an empty message */
	Common__Payloads all = COMMON__PAYLOADS__INIT;
	struct bytes out;

	one.data = (ProtobufCBinaryData){ 5, NULL }; /* bytes without data are empty */
	one.base.descriptor = NULL;                  /* what a zeroed submessage has */
	all.n_payloads = 2;
	all.payloads = array;
	assert_int_equal(proto_encode(&f->arena, &all, 0, &out, &f->err), TEMPORAL_OK);
	assert_memory_equal(out.ptr + out.len - 2, "\x0a\x00", 2);
	assert_non_null(proto_decode(
		&f->arena, &common__payloads__descriptor, out.ptr, out.len, NULL, &f->err));
}

static void encode_refuses_bad_text_and_depth(void **state)
{
	struct fixture *f = *state;
	Failure__Failure chain[102];
	struct bytes out;

	for (int i = 0; i < 102; i++) {
		chain[i] = (Failure__Failure)FAILURE__FAILURE__INIT;
		chain[i].cause = i < 101 ? &chain[i + 1] : NULL;
	}
	assert_int_equal(
		proto_encode(&f->arena, chain, 0, &out, &f->err), TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(f->err.message, "nested"));
	assert_int_equal(proto_size(chain), 0);
	assert_null(proto_copy(&f->arena, chain));
	assert_int_equal(proto_encode(&f->arena, chain + 1, 0, &out, &f->err), TEMPORAL_OK);
	chain[101].message = "\xff";
	assert_int_equal(
		proto_encode(&f->arena, chain + 1, 0, &out, &f->err), TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(f->err.message, "Failure.message"));
}

static void encode_writes_a_oneofs_zero(void **state)
{
	struct fixture *f = *state;
	Failure__Failure *failure = PROTO_NEW(&f->arena, Failure__Failure, failure__failure);
	struct bytes out;

	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	assert_int_equal(proto_size(failure), 0); /* a case without its message */
	failure->canceled_failure_info =
		PROTO_NEW(&f->arena, Failure__CanceledFailureInfo, failure__canceled_failure_info);
	assert_int_equal(proto_encode(&f->arena, failure, 0, &out, &f->err), TEMPORAL_OK);
	assert_int_equal(out.len, 2);
	assert_memory_equal(out.ptr, "\x3a\x00", 2);
}

static void encode_knows_presence_of_proto2(void **state)
{
	struct fixture *f = *state;
	/* FieldDescriptorProto: number (3) = 0 and name (1) = "" are there because they are told so
	 */
	static const char data[] = "\x0a\x00\x18\x00";
	const Google__FieldDescriptorProto *field =
		DECODE(f, google__field_descriptor_proto__descriptor, data);
	/* NamePart: both fields are required and so written even when empty */
	const void *part = PROTO_NEW(&f->arena, Google__UninterpretedOption__NamePart,
		google__uninterpreted_option__name_part);
	struct bytes out;

	assert_true(field->has_number && field->name && !field->extendee);
	assert_int_equal(proto_encode(&f->arena, field, 0, &out, &f->err), TEMPORAL_OK);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.ptr, data, 4);
	assert_int_equal(proto_size(part), 4);
}

static void copy_shares_nothing(void **state)
{
	struct fixture *f = *state;
	static const char data[] =
		"\x0a\x01m\x22\x05\x0a\x03why\x2a\x0c\x0a\x01T\x1a\x07\x0a\x05\x0a\x03\x0a\x01k"
		"\xc0\x3e\x05\xca\x3e\x02zz";
	struct arena short_lived;
	struct bytes out;

	arena_init(&short_lived, 64, ARENA_NO_BUDGET);
	const void *message = proto_decode(
		&short_lived, &failure__failure__descriptor, data, sizeof(data) - 1, NULL, &f->err);
	assert_non_null(message);
	const void *copy = proto_copy(&f->arena, message);
	arena_finish(&short_lived); /* what the copy still used of it would be a use after free */
	assert_non_null(copy);
	assert_int_equal(proto_encode(&f->arena, copy, 0, &out, &f->err), TEMPORAL_OK);
	assert_int_equal(out.len, sizeof(data) - 1);
	assert_memory_equal(out.ptr, data, sizeof(data) - 1);
}

/* Payloads, each many times as long as the next one: the encoder comes to them with rising size. */
static const Common__Payloads *growing(struct fixture *f, Common__Payloads *all, size_t n)
{
	size_t len = 1;

	all->payloads = arena_array(&f->arena, n, sizeof(*all->payloads));
	all->n_payloads = n;
	for (size_t i = n; i-- > 0; len *= 7) {
		all->payloads[i] = PROTO_NEW(&f->arena, Common__Payload, common__payload);
		all->payloads[i]->data.data = arena_alloc(&f->arena, len);
		all->payloads[i]->data.len = len;
		memset(all->payloads[i]->data.data, 'a' + (int)i, len);
	}
	return all;
}

/* From smaller than a chunk to larger than all but a measured one, out of chunks of any size. */
static void encode_moves_to_where_there_is_room(void **state)
{
	struct fixture *f = *state;
	Common__Payloads all = COMMON__PAYLOADS__INIT;
	struct arena arena;
	struct bytes out;

	for (size_t n = 0; n <= 8; n++) {
		const void *message = growing(f, &all, n);
		size_t size = proto_size(message);
		uint8_t *expected = arena_alloc(&f->arena, size);

		proto_write(message, expected, size);
		for (size_t first = 64; first <= 16384; first *= 4) {
			arena_init(&arena, first, ARENA_NO_BUDGET);
			assert_int_equal(
				proto_encode(&arena, message, 5, &out, &f->err), TEMPORAL_OK);
			assert_int_equal(out.len, 5 + size);
			assert_memory_equal(out.ptr + 5, expected, size);
			assert_true(arena.held <= 8 * size + 2 * first + 1024);
			arena_finish(&arena);
		}
	}
}

/* What does not fit in the budget leaves what there was, and nothing else. */
static void encode_keeps_the_budget(void **state)
{
	struct fixture *f = *state;
	Common__Payloads all = COMMON__PAYLOADS__INIT;
	const void *message = growing(f, &all, 6);
	size_t size = proto_size(message);
	struct arena arena;
	struct bytes out;

	arena_init(&arena, 64, size);
	char *before = arena_strdup(&arena, "before");
	assert_int_equal(proto_encode(&arena, message, 0, &out, &f->err), TEMPORAL_NO_MEMORY);
	assert_true(arena.held <= size);
	assert_string_equal(before, "before");
	all.payloads += 5; /* the last one alone */
	all.n_payloads = 1;
	assert_int_equal(proto_encode(&arena, &all, 0, &out, &f->err), TEMPORAL_OK);
	assert_memory_equal(out.ptr,
		"\x0a\x03\x12\x01"
		"f",
		out.len);
	arena_finish(&arena);
}

static void encode_gives_up_without_memory(void **state)
{
	struct fixture *f = *state;
	Common__Payloads all = COMMON__PAYLOADS__INIT;
	const void *message = growing(f, &all, 6);
	struct bytes out;
	long after = 0;

	for (int hit = 1; hit; after++) {
		struct arena arena;

		arena_init(&arena, 64, ARENA_NO_BUDGET);
		mem_fault_set(after, 0);
		enum temporal_code code = proto_encode(&arena, message, 0, &out, &f->err);
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		assert_int_equal(code, hit ? TEMPORAL_NO_MEMORY : TEMPORAL_OK);
		arena_finish(&arena);
	}
	assert_true(after > 3); /* it has grown */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(encode_leaves_headroom),
		FIXTURE_TEST(encode_accepts_structs_filled_by_hand),
		FIXTURE_TEST(encode_refuses_bad_text_and_depth),
		FIXTURE_TEST(encode_writes_a_oneofs_zero),
		FIXTURE_TEST(encode_knows_presence_of_proto2),
		FIXTURE_TEST(encode_moves_to_where_there_is_room),
		FIXTURE_TEST(encode_keeps_the_budget),
		FIXTURE_TEST(encode_gives_up_without_memory),
		FIXTURE_TEST(copy_shares_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
