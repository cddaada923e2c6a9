/*
 * The contracts of study.h: that all forms compile (gcc and clang, strict and GNU C, every warning
 * an error) is one half of this test, the tables that they make are the other.
 *
 * Method: the bindings are called through the structs that they define, as the worker does it, and
 * the fields are compared with what the structs say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/activity.h>

#include "study.h"

#define CHECK(condition_) check((condition_), #condition_, __LINE__)

static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "study.c:%d: not so: %s\n", line, what);
	exit(1);
}

/* ---- bindings, one of each form ---- */

static const struct temporal_failure *simple_run(
	struct act *act, const struct simple_in *in, simple_out *out)
{
	*out = in->text;
	return NULL;
}
TEMPORAL_ACTIVITY(simple);

static const struct temporal_failure failed = { .message = "no" };

static const struct temporal_failure *note_run(struct act *act, const struct note_in *in)
{
	return in->text ? NULL : &failed;
}
TEMPORAL_ACTIVITY(note);

static int ticks;

static const struct temporal_failure *tick_run(struct act *act)
{
	ticks++;
	return NULL;
}
TEMPORAL_ACTIVITY_0(tick);

static const struct temporal_failure *anything_run(struct act *act, anything_out *out)
{
	out->encoding = "binary/null";
	return NULL;
}
TEMPORAL_ACTIVITY_0(anything);

/* The helpers that the macros of workflow.h and client.h are made of. */
static const void *at(const void *pointer)
{
	return pointer;
}

static clock_read_out read_clock(void)
{
	return 7;
}

static void tick_quietly(void)
{
	ticks++;
}

static void bindings_call_their_functions(void)
{
	struct simple_in simple_arguments = { .text = "hello" };
	struct note_in nothing = { .text = NULL };
	const char *text = NULL;
	anything_out payload = { .encoding = NULL };
	char untouched = 'u';

	CHECK(simple_activity.contract == &simple);
	CHECK(!simple_activity.run(NULL, &simple_arguments, &text) && strcmp(text, "hello") == 0);
	CHECK(note_activity.run(NULL, &nothing, &untouched) == &failed && untouched == 'u');
	CHECK(!tick_activity.run(NULL, NULL, &untouched) && ticks == 1);
	CHECK(!anything_activity.run(NULL, NULL, &payload) && payload.encoding);
}

static void results_are_typed(void)
{
	clock_read_out stored = 0, value = 5;
	struct parcel parcel = { .n_tags = 3 };

	TEMPORAL_STORE_RESULT_(clock_read, &stored, read_clock());
	CHECK(stored == 7);
	TEMPORAL_STORE_RESULT_(tick, NULL, tick_quietly());
	CHECK(ticks == 2);
	CHECK(TEMPORAL_RESULT_(clock_read, at(&value)) == 5);
	CHECK(TEMPORAL_RESULT_(send, at(&parcel)).n_tags == 3);
	TEMPORAL_RESULT_(tick, at(NULL));
	CHECK(TEMPORAL_OUT_POINTER_(clock_read, &stored) == &stored);
	CHECK(TEMPORAL_OUT_POINTER_(clock_read, NULL) == NULL);
	CHECK(TEMPORAL_CONTRACT_OF_(clock_read, QUERY) == &clock_read);
	CHECK(TEMPORAL_ARGUMENTS_(note, .text = "x")->text[0] == 'x');
}

static void simple_fields_have_their_kinds(void)
{
	static const enum temporal_kind kinds[] = {
		TEMPORAL_KIND_BOOL,
		TEMPORAL_KIND_INT,
		TEMPORAL_KIND_INT,
		TEMPORAL_KIND_INT,
		TEMPORAL_KIND_INT,
		TEMPORAL_KIND_INT,
		TEMPORAL_KIND_UINT,
		TEMPORAL_KIND_UINT,
		TEMPORAL_KIND_UINT,
		TEMPORAL_KIND_UINT,
		TEMPORAL_KIND_UINT,
		TEMPORAL_KIND_FLOAT,
		TEMPORAL_KIND_FLOAT,
		TEMPORAL_KIND_STRING,
		TEMPORAL_KIND_BYTES,
		TEMPORAL_KIND_PAYLOAD,
	};

	CHECK(simple.in.n_fields == 16 && simple.in.size == sizeof(struct simple_in));
	for (size_t i = 0; i < 16; i++) {
		CHECK(simple.in.fields[i].kind == kinds[i]);
		CHECK(simple.in.fields[i].shape == TEMPORAL_SHAPE_PLAIN);
	}
	CHECK(simple.in.fields[2].offset == offsetof(struct simple_in, i16));
	CHECK(simple.in.fields[2].size == sizeof(short));
	CHECK(simple.out.kind == TEMPORAL_KIND_STRING && simple.out_size == sizeof(char *));
	CHECK(strcmp(simple.name, "Simple") == 0);
	CHECK(named.in.fields[3].kind == TEMPORAL_KIND_UINT && named.in.fields[3].size == 4);
	CHECK(strcmp(named.in.fields[0].name, "a") == 0);
	CHECK(strcmp(named.in.fields[1].name, "bee") == 0);
	CHECK(named.out.kind == TEMPORAL_KIND_UINT && named.out_size == sizeof(enum color));
}

static void records_nest(void)
{
	const struct temporal_field *fields = send.in.fields;

	CHECK(send.in.n_fields == 6 && line_record.n_fields == 3 && parcel_record.n_fields == 5);
	CHECK(fields[0].kind == TEMPORAL_KIND_RECORD && fields[0].type == &parcel_record);
	CHECK(parcel_record.fields[1].shape == TEMPORAL_SHAPE_OPTIONAL);
	CHECK(parcel_record.fields[1].type == &address_record);
	CHECK(parcel_record.fields[2].shape == TEMPORAL_SHAPE_ARRAY);
	CHECK(parcel_record.fields[2].type == &line_record);
	CHECK(parcel_record.fields[2].count_offset == offsetof(struct parcel, n_lines));
	CHECK(parcel_record.fields[3].kind == TEMPORAL_KIND_STRING);
	CHECK(fields[1].kind == TEMPORAL_KIND_FLOAT && fields[1].size == sizeof(double));
	CHECK(fields[2].kind == TEMPORAL_KIND_BYTES && strcmp(fields[2].name, "pictures") == 0);
	CHECK(fields[3].shape == TEMPORAL_SHAPE_OPTIONAL && strcmp(fields[3].name, "remark") == 0);
	CHECK(fields[4].kind == TEMPORAL_KIND_INT && fields[4].size == sizeof(int64_t));
	CHECK(fields[5].type == &parcel_record && fields[5].size == sizeof(struct parcel));
	CHECK(send.out.type == &parcel_record && send.out_size == sizeof(struct parcel));
	CHECK(send.definition == TEMPORAL_DEFINES_WORKFLOW);
}

static void optionals_have_the_size_of_their_value(void)
{
	static const size_t sizes[] = { sizeof(bool), 2, 1, sizeof(float), sizeof(char *),
		sizeof(struct temporal_bytes), sizeof(struct temporal_payload) };

	CHECK(maybe.in.n_fields == 7);
	for (size_t i = 0; i < 7; i++) {
		CHECK(maybe.in.fields[i].shape == TEMPORAL_SHAPE_OPTIONAL);
		CHECK(maybe.in.fields[i].size == sizes[i]);
	}
}

static void absent_arguments_and_results(void)
{
	CHECK(maybe.out.kind == TEMPORAL_KIND_VOID && maybe.out_size == 0);
	CHECK(clock_read.in.n_fields == 0 && clock_read.in.size == 0);
	CHECK(clock_read.out.kind == TEMPORAL_KIND_INT && clock_read.out_size == 8);
	CHECK(tick.in.n_fields == 0 && tick.out_size == 0);
	CHECK(order_approve.definition == TEMPORAL_DEFINES_SIGNAL && order_approve.out_size == 0);
	CHECK(order_close.in.n_fields == 0 && order_close.out.kind == TEMPORAL_KIND_VOID);
}

static void results_of_other_forms(void)
{
	CHECK(list.out.shape == TEMPORAL_SHAPE_ARRAY && list.out.type == &line_record);
	CHECK(list.out.count_offset == offsetof(struct lines, count));
	CHECK(list.out_size == sizeof(struct lines));
	CHECK(nickname.out.shape == TEMPORAL_SHAPE_OPTIONAL && nickname.out_size == sizeof(char *));
	CHECK(balance.out.kind == TEMPORAL_KIND_FLOAT && balance.out.size == sizeof(double));
	CHECK(last_line.out.type == &line_record);
	CHECK(picture.out.kind == TEMPORAL_KIND_BYTES);
	CHECK(picture.in.fields[1].kind == TEMPORAL_KIND_PAYLOAD);
	CHECK(anything.out.kind == TEMPORAL_KIND_PAYLOAD);
	CHECK(wait.in.fields[0].message == &google__duration__descriptor);
	CHECK(wait.in.fields[1].shape == TEMPORAL_SHAPE_OPTIONAL);
	CHECK(wait.out.kind == TEMPORAL_KIND_MESSAGE && wait.out.size == sizeof(Google__Duration));
}

int main(void)
{
	bindings_call_their_functions();
	results_are_typed();
	simple_fields_have_their_kinds();
	records_nest();
	optionals_have_the_size_of_their_value();
	absent_arguments_and_results();
	results_of_other_forms();
	return 0;
}
