/*
 * time.h: protobuf's Timestamp and Duration against the product's times (int64_t nanoseconds since
 * the epoch) and durations (int64_t milliseconds or nanoseconds), and their text in proto3 JSON.
 * Any thread.
 *
 * What comes from the network may hold any numbers: the readers refuse what protobuf forbids and
 * what int64_t cannot hold.
 */
#ifndef PROTO_TIME_H
#define PROTO_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/* The range of protobuf's types in seconds: years 1 to 9999, and some 10,000 years either way. */
#define PROTO_TIMESTAMP_MIN INT64_C(-62135596800)
#define PROTO_TIMESTAMP_MAX INT64_C(253402300799)
#define PROTO_DURATION_MAX  INT64_C(315576000000)

#define PROTO_TIME_TEXT 48 /* bytes that hold any time or duration as text */

/*
 * The value of a message; an absent (NULL) one reads as 0. False, with the result left alone, when
 * the message breaks protobuf's rules or the value does not fit (times from 1677 to 2262 do,
 * durations of 292 years in nanoseconds). Milliseconds are rounded away from zero, so that no
 * timeout becomes shorter than what was asked for, or none at all.
 */
bool proto_timestamp_ns(const Google__Timestamp *timestamp, int64_t *ns)
	__attribute__((warn_unused_result));
bool proto_duration_ns(const Google__Duration *duration, int64_t *ns)
	__attribute__((warn_unused_result));
bool proto_duration_ms(const Google__Duration *duration, int64_t *ms)
	__attribute__((warn_unused_result));

/* For what only informs: `otherwise` where there is no such value. */
int64_t proto_timestamp_ns_or(const Google__Timestamp *timestamp, int64_t otherwise);
int64_t proto_duration_ms_or(const Google__Duration *duration, int64_t otherwise);

/* For those who must go on with any: what breaks the rules counts as the numbers say, what does not
 * fit as the nearest that does. */
int64_t proto_timestamp_ns_clamped(const Google__Timestamp *timestamp);
int64_t proto_duration_ms_clamped(const Google__Duration *duration);

/* New messages; NULL when memory is out. Milliseconds beyond PROTO_DURATION_MAX are cut to it. */
Google__Timestamp *proto_timestamp_new(struct arena *arena, int64_t ns)
	__attribute__((warn_unused_result));
Google__Duration *proto_duration_new_ns(struct arena *arena, int64_t ns)
	__attribute__((warn_unused_result));
Google__Duration *proto_duration_new_ms(struct arena *arena, int64_t ms)
	__attribute__((warn_unused_result));

/*
 * Text: RFC 3339 ("2025-05-01T20:51:16.759226Z", or with an offset) and seconds ("1.5s"). The
 * parsers set seconds and nanos; the printers write a terminated text and return its length, 0 for
 * a message that is out of range.
 */
bool proto_timestamp_parse(struct str text, Google__Timestamp *out)
	__attribute__((warn_unused_result));
bool proto_duration_parse(struct str text, Google__Duration *out)
	__attribute__((warn_unused_result));
size_t proto_timestamp_print(const Google__Timestamp *timestamp, char out[PROTO_TIME_TEXT]);
size_t proto_duration_print(const Google__Duration *duration, char out[PROTO_TIME_TEXT]);

#endif
