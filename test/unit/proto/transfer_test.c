/*
 * Goal: proto_transfer() gives what decode(encode(message)) gives, to the last member, or gives up;
 * and it gives up on all that the wire would refuse. Method: random messages of many types, sloppy
 * as programs make them (NULL strings, elements and oneofs, odd booleans, unknown fields that the
 * type knows), compared member by member; bad ones by hand.
 */
#include "google/protobuf/descriptor.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "proto_fixture.h"
#include "temporal/api/command/v1/message.pb-c.h"

#define ROUNDS 400

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* ---- Random messages, by protobuf-c's descriptors alone ---- */

static void *at(void *message, unsigned offset)
{
	return (char *)message + offset;
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return 8;
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static void *random_message(
	struct arena *arena, const ProtobufCMessageDescriptor *type, unsigned depth);

static const char *random_text(struct arena *arena)
{
	static const char *const texts[] = { NULL, "", "a", "eight by", "gr\xc3\xbc\xc3\x9f",
		"a text that is longer than a word of the machine \xf0\x9f\x98\x80" };

	return arena_strdup(arena, texts[chance(6)]);
}

static void random_value(
	struct arena *arena, const ProtobufCFieldDescriptor *field, void *slot, unsigned depth)
{
	uint64_t bits = (uint64_t)chance(1u << 31) << chance(33);

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(const char **)slot = random_text(arena);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)slot = (ProtobufCBinaryData){ chance(40),
			chance(3) ? arena_zalloc(arena, 40) : NULL };
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(void **)slot = depth < 6 && chance(4)
					 ? random_message(arena, field->descriptor, depth + 1)
					 : NULL;
		break;
	default:
		memcpy(slot, &bits, size_of(field->type));
		if (chance(8) == 0)
			memset(slot, 0xFF, size_of(field->type));
	}
}

static void random_field(
	struct arena *arena, const ProtobufCFieldDescriptor *field, void *message, unsigned depth)
{
	void *slot = at(message, field->offset);
	unsigned *quantifier = at(message, field->quantifier_offset);

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = chance(6), size = size_of(field->type);
		char *array = arena_array(arena, n + 1, size);

		for (size_t i = 0; i < n; i++)
			random_value(arena, field, array + i * size, depth);
		*(size_t *)(void *)quantifier = n;
		*(char **)slot = array;
		return;
	}
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		*quantifier = field->id;
	else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && size_of(field->type) != 8)
		*quantifier = 7; /* as true as 1 */
	random_value(arena, field, slot, depth);
}

/* A field that the type knows (all of another message of it), or one that it does not. */
static void add_unknown(struct arena *arena, ProtobufCMessage *message, unsigned depth)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	ProtobufCMessageUnknownField *field = ARENA_NEW(arena, ProtobufCMessageUnknownField);
	struct bytes more = { 0 };

	message->unknown_fields = field;
	message->n_unknown_fields = 1;
	*field = (ProtobufCMessageUnknownField){
		.tag = 9999,
		.wire_type = PROTOBUF_C_WIRE_TYPE_VARINT,
		.len = 1,
		.data = arena_memdup(arena, "\x05", 1),
	};
	if (chance(2) || proto_encode(arena, random_message(arena, type, depth + 2), 0, &more,
				 NULL) != TEMPORAL_OK)
		return;
	field->len = more.len + 1;
	field->data = arena_alloc(arena, field->len);
	field->data[0] = 5;
	memcpy(field->data + 1, more.ptr, more.len);
}

static void *random_message(
	struct arena *arena, const ProtobufCMessageDescriptor *type, unsigned depth)
{
	ProtobufCMessage *message = proto_new(arena, type);

	for (unsigned i = 0; i < type->n_fields; i++)
		if (chance(type->n_fields > 12 ? 6 : 2) == 0)
			random_field(arena, &type->fields[i], message, depth);
	if (depth < 4 && chance(5) == 0)
		add_unknown(arena, message, depth);
	return message;
}

/* ---- Comparison ---- */

static void assert_same(const void *a, const void *b, const ProtobufCMessageDescriptor *type);

static void same_value(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
	const ProtobufCBinaryData *x = a, *y = b;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (*(const char *const *)a && *(const char *const *)b)
			assert_string_equal(*(const char *const *)a, *(const char *const *)b);
		else
			assert_true(*(const char *const *)a == *(const char *const *)b);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		assert_int_equal(x->len, y->len);
		assert_int_equal(!x->data, !y->data);
		if (x->len)
			assert_memory_equal(x->data, y->data, x->len);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		assert_same(*(void *const *)a, *(void *const *)b, field->descriptor);
		break;
	default:
		assert_memory_equal(a, b, size_of(field->type));
	}
}

static void same_field(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
	const void *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
	const void *p = (const char *)a + field->quantifier_offset;
	const void *q = (const char *)b + field->quantifier_offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = *(const size_t *)p, size = size_of(field->type);

		assert_int_equal(n, *(const size_t *)q);
		for (size_t i = 0; i < n; i++)
			same_value(
				field, *(char *const *)x + i * size, *(char *const *)y + i * size);
		return;
	}
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		assert_int_equal(*(const unsigned *)p, *(const unsigned *)q);
		if (*(const unsigned *)p != field->id)
			return;
	} else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && size_of(field->type) != 8) {
		assert_int_equal(*(const unsigned *)p, *(const unsigned *)q);
	}
	same_value(field, x, y);
}

static void assert_same(const void *a, const void *b, const ProtobufCMessageDescriptor *type)
{
	const ProtobufCMessage *x = a, *y = b;

	assert_int_equal(!a, !b);
	if (!a)
		return;
	assert_true(x->descriptor == type && y->descriptor == type);
	for (unsigned i = 0; i < type->n_fields; i++)
		same_field(&type->fields[i], a, b);
	assert_int_equal(x->n_unknown_fields, y->n_unknown_fields);
	for (unsigned i = 0; i < x->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *p = &x->unknown_fields[i],
						   *q = &y->unknown_fields[i];

		assert_int_equal(p->tag, q->tag);
		assert_int_equal(p->wire_type, q->wire_type);
		assert_int_equal(p->len, q->len);
		assert_memory_equal(p->data, q->data, p->len);
	}
}

/* What the wire gives; NULL: it refuses. */
static void *by_wire(struct fixture *f, const void *message)
{
	const ProtobufCMessageDescriptor *type = ((const ProtobufCMessage *)message)->descriptor;
	struct bytes wire = { 0 };

	if (proto_encode(&f->arena, message, 0, &wire, &f->err) != TEMPORAL_OK)
		return NULL;
	return proto_decode(&f->arena, type, wire.ptr, wire.len, NULL, &f->err);
}

/* ---- Tests ---- */

static void transfer_is_what_the_wire_gives(void **state)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&workflowservice__start_workflow_execution_request__descriptor,
		&workflowservice__poll_workflow_task_queue_response__descriptor,
		&workflowservice__respond_workflow_task_completed_request__descriptor,
		&workflowservice__describe_workflow_execution_response__descriptor,
		&history__history_event__descriptor,
		&command__command__descriptor,
		&failure__failure__descriptor,
		&google__descriptor_proto__descriptor,
		&google__file_options__descriptor,
		&google__value__descriptor,
	};
	struct fixture *f = *state;
	unsigned passed = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			struct arena mark, far;

			seed = i * 1000 + t + 1;
			arena_init(&mark, 4096, ARENA_NO_BUDGET);
			arena_init(&far, 256, ARENA_NO_BUDGET);
			void *message = random_message(&mark, types[t], 0);
			void *wire = by_wire(f, message);
			void *copy = proto_transfer(&far, message, SIZE_MAX);

			if (copy) {
				assert_non_null(wire);
				assert_same(copy, wire, types[t]);
				passed++;
			}
			arena_finish(&mark);
			arena_finish(&far);
			arena_reset(&f->arena);
		}
	}
	print_message(
		"%u of %zu were transferred\n", passed, ROUNDS * sizeof(types) / sizeof(types[0]));
	assert_true(passed > ROUNDS * 8);
}

static void transfer_shares_nothing(void **state)
{
	struct fixture *f = *state;
	struct arena near;

	seed = 42;
	arena_init(&near, 4096, ARENA_NO_BUDGET);
	void *copy = NULL;
	struct bytes before = { 0 }, after = { 0 };

	for (int i = 0; i < 50; i++) {
		void *message = random_message(&near, &failure__failure__descriptor, 0);

		copy = proto_transfer(&f->arena, message, SIZE_MAX);
		assert_non_null(copy);
		assert_int_equal(proto_encode(&f->arena, copy, 0, &before, &f->err), TEMPORAL_OK);
		arena_finish(&near); /* what the copy used of it would be a use after free */
		assert_int_equal(proto_encode(&f->arena, copy, 0, &after, &f->err), TEMPORAL_OK);
		assert_int_equal(before.len, after.len);
		assert_memory_equal(before.ptr, after.ptr, before.len);
	}
}

static void transfer_gives_up_where_the_wire_refuses(void **state)
{
	static Failure__Failure chain[102];
	struct fixture *f = *state;

	for (int i = 0; i < 102; i++) {
		chain[i] = (Failure__Failure)FAILURE__FAILURE__INIT;
		chain[i].cause = i < 101 ? &chain[i + 1] : NULL;
	}
	assert_null(proto_transfer(&f->arena, chain, SIZE_MAX));
	assert_non_null(proto_transfer(&f->arena, chain + 1, SIZE_MAX));
	chain[101].message = "\xff";
	assert_null(proto_transfer(&f->arena, chain + 1, SIZE_MAX));
	chain[101].message = "\xed\xa0\x80"; /* a surrogate */
	assert_null(proto_transfer(&f->arena, chain + 1, SIZE_MAX));
}

static void transfer_refuses_bad_bytes_of_unknown_fields(void **state)
{
	static uint8_t cut[] = { 200, 1, 'x' }, text[] = { 2, 0xff, 0xff };
	ProtobufCMessageUnknownField field = {
		.tag = 1, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = 3, .data = cut
	};
	Common__WorkflowExecution run = COMMON__WORKFLOW_EXECUTION__INIT;
	struct fixture *f = *state;

	run.base.unknown_fields = &field;
	run.base.n_unknown_fields = 1;
	assert_null(proto_transfer(&f->arena, &run, SIZE_MAX));
	field.data = text;
	assert_null(proto_transfer(&f->arena, &run, SIZE_MAX));
	text[1] = text[2] = 'a';
	const Common__WorkflowExecution *copy = proto_transfer(&f->arena, &run, SIZE_MAX);
	assert_string_equal(copy->workflow_id, "aa");
	assert_int_equal(copy->base.n_unknown_fields, 0);
}

/* What grows beyond the limits of the decoder is left to it; else it is copied at any size. */
static void transfer_keeps_to_the_limits(void **state)
{
	static Common__Payload *none[200000];
	Common__Payloads all = COMMON__PAYLOADS__INIT;
	Common__Payload one = COMMON__PAYLOAD__INIT, *list[] = { &one };
	struct fixture *f = *state;
	static uint8_t data[3000000];

	all.payloads = none;
	all.n_payloads = 200000;
	assert_null(by_wire(f, &all));
	assert_null(proto_transfer(&f->arena, &all, SIZE_MAX));
	all.n_payloads = 20;
	assert_non_null(by_wire(f, &all));
	assert_non_null(proto_transfer(&f->arena, &all, SIZE_MAX));
	one.data = (ProtobufCBinaryData){ sizeof(data), data };
	all.payloads = list;
	all.n_payloads = 1;
	assert_non_null(proto_transfer(&f->arena, &all, sizeof(data) + 100));
	assert_null(proto_transfer(&f->arena, &all, sizeof(data)));
}

static void transfer_without_memory_gives_up(void **state)
{
	struct fixture *f = *state;
	void *copy = NULL;

	seed = 7;
	void *message = random_message(
		&f->arena, &workflowservice__poll_workflow_task_queue_response__descriptor, 0);
	for (long after = 0; !copy; after++) {
		struct arena far;

		arena_init(&far, 64, ARENA_NO_BUDGET);
		mem_fault_set(after, 1);
		copy = proto_transfer(&far, message, SIZE_MAX);
		assert_int_equal(!copy, mem_fault_hit());
		mem_fault_set(-1, 0);
		arena_finish(&far);
		assert_true(after < 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(transfer_is_what_the_wire_gives),
		FIXTURE_TEST(transfer_shares_nothing),
		FIXTURE_TEST(transfer_gives_up_where_the_wire_refuses),
		FIXTURE_TEST(transfer_refuses_bad_bytes_of_unknown_fields),
		FIXTURE_TEST(transfer_keeps_to_the_limits),
		FIXTURE_TEST(transfer_without_memory_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
