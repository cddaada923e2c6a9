/*
 * study.h: contracts in all their forms, as a user's header has them.
 */
#ifndef STUDY_H
#define STUDY_H

#include <google/protobuf/duration.pb-c.h>
#include <temporal/types.h>

/* The simple types: all 16 of them, one argument each. */
struct simple_in {
	bool yes;
	signed char i8;
	short i16;
	int i32;
	long i64;
	long long i64_too;
	unsigned char u8;
	unsigned short u16;
	unsigned int u32;
	unsigned long u64;
	unsigned long long u64_too;
	float single;
	double number;
	const char *text;
	struct temporal_bytes bytes;
	struct temporal_payload payload;
};
typedef const char *simple_out;
TEMPORAL_ACTIVITY_CONTRACT(simple, "Simple", yes, i8, i16, i32, i64, i64_too, u8, u16, u32, u64,
	u64_too, single, number, text, bytes, payload);

/* Typedefs and enumerations are what they stand for. */
enum color {
	RED,
	GREEN
};
struct named_in {
	int8_t a;
	uint64_t b;
	size_t c;
	enum color color;
};
typedef enum color named_out;
TEMPORAL_ACTIVITY_CONTRACT(named, "Named", a, NAMED(b, "bee"), NAMED(c, "with space"), color);

/* Records, in records. */
struct line {
	const char *sku;
	int32_t count;
	const double *discount;
};
TEMPORAL_RECORD(line, sku, NAMED(count, "n"), OPTIONAL(discount));

struct address {
	const char *street;
	const char *city;
};
TEMPORAL_RECORD(address, street, city);

struct parcel {
	struct address to;
	const struct address *from;
	const struct line *lines;
	size_t n_lines;
	const char *const *tags;
	size_t n_tags;
	struct temporal_payload extra;
};
TEMPORAL_RECORD(parcel, RECORD(to, struct address), OPTIONAL(RECORD(from, struct address)),
	ARRAY(lines, n_lines, struct line), ARRAY(tags, n_tags, const char *), extra);

struct send_in {
	struct parcel parcel;
	const double *weights;
	size_t n_weights;
	const struct temporal_bytes *images;
	size_t n_images;
	const char *note;
	const int64_t *priority;
	const struct parcel *backup;
};
typedef struct parcel send_out;
TEMPORAL_WORKFLOW_CONTRACT(send, "SendWorkflow", RECORD(parcel, struct parcel),
	ARRAY(weights, n_weights, double),
	NAMED(ARRAY(images, n_images, struct temporal_bytes), "pictures"),
	NAMED(OPTIONAL(note), "remark"), OPTIONAL(priority),
	OPTIONAL(RECORD(backup, struct parcel)), RETURNS(struct parcel));

/* Optionals of every simple type, all of them at the end. */
struct maybe_in {
	const bool *yes;
	const int16_t *i16;
	const uint8_t *u8;
	const float *single;
	const char *text;
	const struct temporal_bytes *bytes;
	const struct temporal_payload *payload;
};
typedef void maybe_out;
TEMPORAL_UPDATE_CONTRACT(maybe, "maybe", OPTIONAL(yes), OPTIONAL(i16), OPTIONAL(u8),
	OPTIONAL(single), OPTIONAL(text), OPTIONAL(bytes), OPTIONAL(payload));

/* No arguments, no result, neither. */
typedef int64_t clock_read_out;
TEMPORAL_QUERY_CONTRACT_0(clock_read, "clock");

struct note_in {
	const char *text;
};
typedef void note_out;
TEMPORAL_ACTIVITY_CONTRACT(note, "note", text);

typedef void tick_out;
TEMPORAL_ACTIVITY_CONTRACT_0(tick, "tick");

/* A signal has no result at all. */
struct order_approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(order_approve, "approve", by);
TEMPORAL_SIGNAL_CONTRACT_0(order_close, "close");

/* Results that are more than a simple value. */
struct lines {
	const struct line *items;
	size_t count;
};
typedef struct lines list_out;
TEMPORAL_QUERY_CONTRACT_0(list, "list", RETURNS(ARRAY(items, count, struct line)));

typedef const char *nickname_out;
TEMPORAL_QUERY_CONTRACT_0(nickname, "nickname", RETURNS(OPTIONAL(const char *)));

typedef const double *balance_out;
TEMPORAL_QUERY_CONTRACT_0(balance, "balance", RETURNS(OPTIONAL(double)));

typedef const struct line *last_line_out;
TEMPORAL_NEXUS_CONTRACT_0(last_line, "lastLine", RETURNS(OPTIONAL(struct line)));

struct picture_in {
	struct temporal_payload options;
	const struct temporal_payload *more;
	size_t n_more;
};
typedef struct temporal_bytes picture_out;
TEMPORAL_ACTIVITY_CONTRACT(
	picture, "picture", options, ARRAY(more, n_more, struct temporal_payload));

typedef struct temporal_payload anything_out;
TEMPORAL_ACTIVITY_CONTRACT_0(anything, "anything");

/* Messages of protobuf-c. */
struct wait_in {
	const Google__Duration *at_most;
	Google__Duration *at_least;
};
typedef const Google__Duration *wait_out;
TEMPORAL_ACTIVITY_CONTRACT(wait, "wait", MESSAGE(at_most, Google__Duration, google__duration),
	OPTIONAL(MESSAGE(at_least, Google__Duration, google__duration)),
	RETURNS(MESSAGE(Google__Duration, google__duration)));

#endif
