/*
 * marker.c: the JSON in markers, read and written.
 *
 * Pure but for the arena; the thread that owns the run.
 *
 *	core_patch   details "patch-data": {"id":"...","deprecated":false}; long ago "patch_id" and
 *	             "deprecated", bytes
 *	core_local_activity
 *	             details "data": {"seq":1,"attempt":1,"activity_id":"1","activity_type":"",
 *	             "complete_time":{"seconds":1,"nanos":2},"backoff":null,
 *	             "original_schedule_time":{...},"activation_index":1}, and "result" unless the
 *	             marker has a failure
 *
 * The data are an object of plain members, of which some are objects of plain members themselves
 * (times). So the reader here knows no more, and hands over each member with the name of the object
 * around it. What it reads was written by an SDK, but came over the network: nesting is bounded,
 * nothing is recursed into.
 */
#include "engine/marker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "engine/event.h"
#include "proto/payload.h"

#define PATCH_NAME                "core_patch"
#define LOCAL_ACTIVITY_NAME       "core_local_activity"
#define NESTING_MAX               8
#define DETAILS_MAX               2   /* that we write */
#define LOCAL_TEXT_MAX            512 /* but for id and type: names, and 9 numbers of 20 */
#define NEW(arena_, Type_, INIT_) ((Type_ *)arena_memdup((arena_), &(Type_)INIT_, sizeof(Type_)))

enum marker_kind marker_kind(const History__HistoryEvent *event)
{
	const char *name = text_or_empty(event->marker_recorded_event_attributes->marker_name);

	if (strcmp(name, PATCH_NAME) == 0)
		return MARKER_PATCH;
	return strcmp(name, LOCAL_ACTIVITY_NAME) == 0 ? MARKER_LOCAL_ACTIVITY : MARKER_OTHER;
}

/* The first payload of that name; NULL: there is none. */
static const Common__Payload *detail(const History__HistoryEvent *event, const char *key)
{
	const History__MarkerRecordedEventAttributes *attributes =
		event->marker_recorded_event_attributes;

	for (size_t i = 0; i < attributes->n_details; i++) {
		const Common__Payloads *value = attributes->details[i]->value;

		if (str_same(attributes->details[i]->key, key))
			return value && value->n_payloads ? value->payloads[0] : NULL;
	}
	return NULL;
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	const char *at, *end;
	bool no_good;
};

static void skip_spaces(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

/* The next character, spaces aside; 0 at the end. */
static char look(struct reader *reader)
{
	skip_spaces(reader);
	return (char)(reader->at < reader->end ? *reader->at : 0);
}

static bool take(struct reader *reader, char expected)
{
	if (look(reader) != expected)
		return false;
	reader->at++;
	return true;
}

static unsigned hex4(const char *text)
{
	char digits[5] = { 0 };

	memcpy(digits, text, 4);
	return (unsigned)strtoul(digits, NULL, 16);
}

/* As UTF-8; returns how many bytes. */
static size_t put_code_point(char *to, unsigned code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Behind "\u": four digits, and a second half if they are the first one of a pair. */
static size_t take_escaped_code(struct reader *reader, char *to)
{
	unsigned code, low;

	if (reader->end - reader->at < 4) {
		reader->no_good = true;
		return 0;
	}
	code = hex4(reader->at);
	reader->at += 4;
	if (code >= 0xd800 && code < 0xdc00 && reader->end - reader->at >= 6 &&
		reader->at[0] == '\\' && reader->at[1] == 'u') {
		low = hex4(reader->at + 2);
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		reader->at += 6;
	}
	return put_code_point(to, code & 0x1fffff);
}

static size_t take_escape(struct reader *reader, char *to)
{
	static const char from[] = "bfnrt", is[] = "\b\f\n\r\t";
	char c = *reader->at++;
	const char *known = strchr(from, c);

	if (c == 'u')
		return take_escaped_code(reader, to);
	*to = c && known ? is[known - from] : c;
	return 1;
}

/* The text behind the quotation mark that was taken. An escape is never shorter than its value. */
static const char *take_string(struct reader *reader)
{
	const char *close = reader->at;
	size_t len = 0;
	char *text;

	while (close < reader->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= reader->end) {
		reader->no_good = true;
		return "";
	}
	text = arena_alloc(reader->arena, (size_t)(close - reader->at) + 1);
	if (!text) {
		reader->no_good = true;
		return "";
	}
	while (reader->at < close && !reader->no_good) {
		if (*reader->at == '\\') {
			reader->at++;
			len += take_escape(reader, text + len);
		} else {
			text[len++] = *reader->at++;
		}
	}
	text[len] = '\0';
	reader->at = close + 1;
	return text;
}

/* A member: its name, the name of the object around it ("": none), and its value as text. */
typedef void member_fn(void *to, const char *object, const char *name, const char *value);

/* A number, true, false or null, as it is written. */
static const char *take_word(struct reader *reader)
{
	const char *begin = reader->at;

	while (reader->at < reader->end && *reader->at && !strchr(",}] \t\r\n", *reader->at))
		reader->at++;
	const char *text =
		arena_str(reader->arena, (struct str){ begin, (size_t)(reader->at - begin) });

	reader->no_good = reader->no_good || !text || reader->at == begin;
	return text ? text : "";
}

/* Objects only: a level deeper for each. `names` is that of the object of each level. */
static bool read_members(struct str json, struct arena *arena, member_fn *member, void *to)
{
	struct reader reader = { arena, json.ptr, json.ptr + json.len, false };
	const char *names[NESTING_MAX] = { "" };
	unsigned depth = 0;

	if (!json.len || !take(&reader, '{'))
		return false;
	for (;;) {
		const char *name;

		if (take(&reader, '}')) {
			if (!depth--)
				return !reader.no_good;
			take(&reader, ',');
			continue;
		}
		if (!take(&reader, '"'))
			return false;
		name = take_string(&reader);
		if (!take(&reader, ':') || reader.no_good)
			return false;
		if (take(&reader, '{')) {
			if (++depth == NESTING_MAX)
				return false;
			names[depth] = name;
			continue;
		}
		member(to, names[depth], name,
			take(&reader, '"') ? take_string(&reader) : take_word(&reader));
		if (reader.no_good)
			return false;
		take(&reader, ',');
	}
}

static void patch_member(void *to, const char *object, const char *name, const char *value)
{
	struct marker_patch *patch = to;

	if (*object)
		return;
	if (strcmp(name, "id") == 0)
		patch->id = value;
	else if (strcmp(name, "deprecated") == 0)
		patch->deprecated = strcmp(value, "true") == 0;
}

/* As long ago: the id's bytes, and a byte that is 0 or not. */
static bool read_old_patch(
	const History__HistoryEvent *event, struct arena *arena, struct marker_patch *patch)
{
	const Common__Payload *id = detail(event, "patch_id");
	const Common__Payload *deprecated = detail(event, "deprecated");

	if (!id || !deprecated || !deprecated->data.len)
		return false;
	patch->id = arena_str(arena, proto_payload_data(id));
	patch->deprecated = deprecated->data.data[0] != 0;
	return patch->id;
}

bool marker_read_patch(
	const History__HistoryEvent *event, struct arena *arena, struct marker_patch *patch)
{
	const Common__Payload *data = detail(event, "patch-data");

	*patch = (struct marker_patch){ 0 };
	if (!data)
		return read_old_patch(event, arena, patch);
	return read_members(proto_payload_data(data), arena, patch_member, patch) && patch->id;
}

/*
 * Seconds and nanoseconds come one after the other: they are added up. What is negative or has no
 * place in an int64_t is left out: whoever calculates with these times need not fear them.
 */
static void time_member(int64_t *ns, const char *name, const char *value)
{
	int64_t per_one = strcmp(name, "seconds") == 0 ? NS_PER_SECOND : 1;
	int64_t number = strtoll(value, NULL, 10), sum;

	if ((per_one == 1 && strcmp(name, "nanos") != 0) || number < 0)
		return;
	if (!__builtin_mul_overflow(number, per_one, &sum) &&
		!__builtin_add_overflow(*ns, sum, &sum))
		*ns = sum;
}

/* A marker on its way through local_member(). */
struct local_reading {
	struct marker_local *marker;
	int64_t backoff_ns;
};

static void local_member(void *to, const char *object, const char *name, const char *value)
{
	struct local_reading *reading = to;
	struct marker_local *marker = reading->marker;

	if (strcmp(object, "complete_time") == 0) {
		time_member(&marker->result.complete_time_ns, name, value);
	} else if (strcmp(object, "original_schedule_time") == 0) {
		time_member(&marker->result.original_schedule_ns, name, value);
	} else if (strcmp(object, "backoff") == 0) {
		time_member(&reading->backoff_ns, name, value);
	} else if (*object) {
		return;
	} else if (strcmp(name, "seq") == 0) {
		marker->seq = (uint32_t)strtoul(value, NULL, 10);
	} else if (strcmp(name, "attempt") == 0) {
		marker->result.attempt = (uint32_t)strtoul(value, NULL, 10);
	} else if (strcmp(name, "activity_id") == 0) {
		marker->activity_id = value;
	} else if (strcmp(name, "activity_type") == 0) {
		marker->activity_type = value;
	} else if (strcmp(name, "activation_index") == 0 && strcmp(value, "null") != 0) {
		marker->has_index = true;
		marker->index = strtoull(value, NULL, 10);
	}
}

bool marker_read_local(
	const History__HistoryEvent *event, struct arena *arena, struct marker_local *marker)
{
	const Common__Payload *data = detail(event, "data");
	struct local_reading reading = { marker, 0 };

	*marker = (struct marker_local){ .activity_id = "", .activity_type = "" };
	marker->result.result = detail(event, "result");
	marker->result.failure = event->marker_recorded_event_attributes->failure;
	if (!data || !read_members(proto_payload_data(data), arena, local_member, &reading))
		return false;
	marker->result.backoff_ms = reading.backoff_ns / (NS_PER_SECOND / 1000);
	return marker->seq;
}

/* ---- writing ---- */

/* Bytes that a text may take as a JSON string, quotation marks included. */
static size_t quoted_max(const char *text)
{
	return strlen(text) * 6 + 2;
}

/* As a JSON string, with its quotation marks; returns the place behind. */
static char *put_quoted(char *to, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = (char)c;
		} else if (c < 0x20) {
			memcpy(to, "\\u00", 4);
			to[4] = digits[c >> 4];
			to[5] = digits[c & 15];
			to += 6;
		} else {
			*to++ = (char)c;
		}
	}
	*to++ = '"';
	return to;
}

static char *quoted(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, quoted_max(text) + 1);

	if (out)
		*put_quoted(out, text) = '\0';
	return out;
}

static Common__Payload *json_payload(struct arena *arena, const char *json)
{
	return json ? proto_payload_new(arena, PROTO_ENCODING_JSON, json, strlen(json)) : NULL;
}

/* The same around text of the arena, with metadata that all share: nobody adds to it. */
static Common__Payload *json_around(struct arena *arena, const char *json)
{
	static uint8_t value[] = PROTO_ENCODING_JSON;
	static Common__Payload__MetadataEntry encoding = {
		.base = PROTOBUF_C_MESSAGE_INIT(&common__payload__metadata_entry__descriptor),
		.key = PROTO_ENCODING_KEY,
		.value = { sizeof(value) - 1, value },
	};
	static Common__Payload__MetadataEntry *metadata[] = { &encoding };
	Common__Payload *payload = json ? NEW(arena, Common__Payload, COMMON__PAYLOAD__INIT) : NULL;

	if (!payload)
		return NULL;
	payload->n_metadata = 1;
	payload->metadata = metadata;
	payload->data.data = (uint8_t *)(uintptr_t)json;
	payload->data.len = strlen(json);
	return payload;
}

/* Messages that belong together are made at once: this is done for each local activity. */
struct marker {
	Command__RecordMarkerCommandAttributes attributes;
	Command__RecordMarkerCommandAttributes__DetailsEntry *details[DETAILS_MAX];
};

struct detail {
	Command__RecordMarkerCommandAttributes__DetailsEntry entry;
	Common__Payloads value;
	Common__Payload *payload;
};

static bool add_detail(struct arena *arena, Command__RecordMarkerCommandAttributes *attributes,
	const char *key, const Common__Payload *payload)
{
	struct detail *detail = arena_alloc(arena, sizeof(*detail));

	if (!detail)
		return false;
	*detail = (struct detail){
		.entry = COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__DETAILS_ENTRY__INIT,
		.value = COMMON__PAYLOADS__INIT,
		.payload = (Common__Payload *)(uintptr_t)payload,
	};
	detail->entry.key = key;
	detail->entry.value = &detail->value;
	detail->value.payloads = &detail->payload;
	detail->value.n_payloads = 1;
	attributes->details[attributes->n_details++] = &detail->entry;
	return true;
}

static Command__RecordMarkerCommandAttributes *marker_new(struct arena *arena, const char *name)
{
	struct marker *marker = arena_alloc(arena, sizeof(*marker));

	if (!marker)
		return NULL;
	*marker = (struct marker){ .attributes = COMMAND__RECORD_MARKER_COMMAND_ATTRIBUTES__INIT };
	marker->attributes.marker_name = name;
	marker->attributes.details = marker->details;
	return &marker->attributes;
}

Command__RecordMarkerCommandAttributes *marker_write_patch(
	struct arena *arena, const char *id, bool deprecated)
{
	Command__RecordMarkerCommandAttributes *marker = marker_new(arena, PATCH_NAME);
	const char *text = quoted(arena, id);
	Common__Payload *data =
		text ? json_payload(arena, arena_printf(arena, "{\"id\":%s,\"deprecated\":%s}",
						   text, deprecated ? "true" : "false"))
		     : NULL;

	return marker && data && add_detail(arena, marker, "patch-data", data) ? marker : NULL;
}

/* These give the place behind, too; the C library's formats took a quarter of a local activity. */
static char *put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

/* As members; "null" for none. */
static char *put_time(char *to, int64_t value, int64_t per_second)
{
	if (!value)
		return put(to, "null");
	to = str_put_int(put(to, "{\"seconds\":"), value / per_second);
	to = str_put_int(put(to, ",\"nanos\":"), value % per_second * (NS_PER_SECOND / per_second));
	return put(to, "}");
}

/* The index is one of activations within a task: it is nowhere near the end of an int64_t. */
static const char *local_text(struct arena *arena, const struct marker_local *marker)
{
	const struct local_result *result = &marker->result;
	char *text = arena_alloc_aligned(arena,
		LOCAL_TEXT_MAX + quoted_max(marker->activity_id) +
			quoted_max(marker->activity_type),
		1);
	char *to = text;

	if (!text)
		return NULL;
	to = str_put_int(put(to, "{\"seq\":"), marker->seq);
	to = str_put_int(put(to, ",\"attempt\":"), result->attempt);
	to = put_quoted(put(to, ",\"activity_id\":"), marker->activity_id);
	to = put_quoted(put(to, ",\"activity_type\":"), marker->activity_type);
	to = put_time(put(to, ",\"complete_time\":"), result->complete_time_ns, NS_PER_SECOND);
	to = put_time(put(to, ",\"backoff\":"), result->backoff_ms, 1000);
	to = put_time(put(to, ",\"original_schedule_time\":"), result->original_schedule_ns,
		NS_PER_SECOND);
	to = str_put_int(put(to, ",\"activation_index\":"), (int64_t)marker->index);
	*put(to, "}") = '\0';
	return text;
}

Command__RecordMarkerCommandAttributes *marker_write_local(
	struct arena *arena, const struct marker_local *marker)
{
	Command__RecordMarkerCommandAttributes *to = marker_new(arena, LOCAL_ACTIVITY_NAME);
	Common__Payload *data = json_around(arena, local_text(arena, marker));

	if (!to || !data || !add_detail(arena, to, "data", data))
		return NULL;
	to->failure = (Failure__Failure *)(uintptr_t)marker->result.failure;
	if (marker->result.result && !add_detail(arena, to, "result", marker->result.result))
		return NULL;
	return to;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

Common__Payload *marker_versions(struct arena *arena, const char **ids, size_t count)
{
	size_t size = sizeof("[]");
	Common__Payload *payload;
	char *list, *to;

	for (size_t i = 0; i < count; i++)
		size += quoted_max(ids[i]) + 1;
	list = to = arena_alloc(arena, size);
	if (!list)
		return NULL;
	qsort(ids, count, sizeof(*ids), by_name);
	*to++ = '[';
	for (size_t i = 0; i < count; i++) {
		if (i)
			*to++ = ',';
		to = put_quoted(to, ids[i]);
	}
	memcpy(to, "]", 2);
	payload = json_payload(arena, list);
	if (!payload || !proto_payload_set(arena, payload, "type", STR("KeywordList")))
		return NULL;
	return payload;
}
