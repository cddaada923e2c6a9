/*
 * Proto3 JSON. Goal: no text crashes the reader, and what it accepts, the writer gives back.
 * Method: the text is read as a history, leniently and strictly; what was read is written, read
 * and encoded, and both encodings have to be equal.
 */
#include <stdlib.h>
#include <string.h>
#include <temporal/api/history/v1/message.pb-c.h>

#include "fuzz/fuzz.h"
#include "proto/json.h"

#define MEMORY_MAX (64u << 20)

static void round_trip(struct arena *arena, const void *message)
{
	struct bytes first, second;
	struct str text;

	if (proto_encode(arena, message, 0, &first, NULL) != TEMPORAL_OK ||
		proto_to_json(arena, message, 0, &text, NULL) != TEMPORAL_OK)
		return;
	const void *again =
		proto_from_json(arena, &history__history__descriptor, text, false, NULL);

	if (!again || proto_encode(arena, again, 0, &second, NULL) != TEMPORAL_OK ||
		first.len != second.len || memcmp(first.ptr, second.ptr, first.len) != 0)
		abort();
}

static void read(const uint8_t *data, size_t size, bool ignore_unknown)
{
	struct temporal_error err = { 0 };
	struct arena arena;

	arena_init(&arena, 1024, MEMORY_MAX);
	const void *message = proto_from_json(&arena, &history__history__descriptor,
		(struct str){ (const char *)data, size }, ignore_unknown, &err);

	if (message)
		round_trip(&arena, message);
	else if (err.code == TEMPORAL_OK || !err.message[0])
		abort();
	arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read(data, size, true);
	read(data, size, false);
	return 0;
}
