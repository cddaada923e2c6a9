/*
 * search_value.c: the value in a search attribute's payload, decoded to what its column holds.
 *
 * The column decides the type; a "type" in the metadata is for show only, as it is on the official
 * server. A list of one stands for its element. Pure; any thread.
 */
#include <stdio.h>

#include "base/error.h"
#include "proto/payload.h"
#include "server/visibility/flat_json.h"
#include "server/visibility/print.h"
#include "server/visibility/search_attributes.h"

/* Values in messages: Go's spelling of what JSON says. */
struct text {
	char text[PRINT_VALUE_MAX];
	size_t n;
};

static void put(struct text *out, const char *text, size_t len)
{
	if (len >= sizeof(out->text) - out->n) {
		len = sizeof(out->text) - out->n - 1;
		while (len && (text[len] & 0xc0) == 0x80) /* not within a character */
			len--;
	}
	memcpy(out->text + out->n, text, len);
	out->n += len;
	out->text[out->n] = 0;
}

static void put_scalar(struct text *out, const struct visibility_value *value)
{
	char number[PRINT_VALUE_MAX];

	switch (value->kind) {
	case VISIBILITY_IS_TEXT:
		put(out, value->text.ptr, value->text.len);
		return;
	case VISIBILITY_NULL:
		put(out, "<nil>", 5);
		return;
	default: /* there all numbers are doubles */
		if (value->kind == VISIBILITY_IS_INT)
			print_double((double)value->number, number);
		else
			print_quoted_value(value, number);
		put(out, number, strlen(number));
	}
}

static void put_value(struct text *out, const struct flat_json *json)
{
	if (json->array)
		put(out, "[", 1);
	for (size_t i = 0; i < json->n; i++) {
		if (i)
			put(out, " ", 1);
		put_scalar(out, &json->items[i]);
	}
	if (json->array)
		put(out, "]", 1);
}

static enum temporal_code refuse(const char *name, const struct visibility_column *column,
	const char *value, struct temporal_error *err)
{
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"invalid value for search attribute %s of type %s: %s", name,
		visibility_type_name(column->type), value);
}

/* A payload that is no JSON: its bytes, or the message as text. */
static enum temporal_code refuse_payload(const char *name, const struct visibility_column *column,
	const Common__Payload *payload, struct temporal_error *err)
{
	struct str encoding = proto_payload_get(payload, PROTO_ENCODING_KEY);
	struct str data = proto_payload_data(payload);
	struct text text = { .n = 0 };
	char part[PRINT_VALUE_MAX];

	if (proto_payload_is(payload, PROTO_ENCODING_BINARY)) {
		put(&text, "[", 1);
		for (size_t i = 0; i < data.len && i < PRINT_VALUE_MAX; i++) {
			int len = snprintf(
				part, sizeof(part), i ? " %d" : "%d", (uint8_t)data.ptr[i]);
			put(&text, part, (size_t)len);
		}
		put(&text, "]", 1);
		return refuse(name, column, text.text, err);
	}
	put(&text, "value from <", 12);
	if (encoding.len) {
		int len = snprintf(part, sizeof(part),
			"metadata:{key:\"encoding\"  value:\"%.*s\"}%s",
			encoding.len > 64 ? 64 : (int)encoding.len, encoding.ptr,
			data.len ? "  " : "");
		put(&text, part, (size_t)len);
	}
	if (data.len) {
		print_quoted_value(
			&(struct visibility_value){ VISIBILITY_IS_TEXT, .text = data }, part);
		put(&text, "data:", 5);
		put(&text, part, strlen(part));
	}
	put(&text, ">", 1);
	return refuse(name, column, text.text, err);
}

enum verdict {
	FITS,
	REFUSED,
	NO_MEMORY
};

/* A text for a Text column: its words. */
static enum verdict words(struct arena *arena, struct visibility_value *value)
{
	char *copy = arena_alloc(arena, VISIBILITY_WORDS_MAX(value->text.len));

	if (!copy)
		return NO_MEMORY;
	value->text = (struct str){ copy, visibility_words(value->text, copy) };
	return FITS;
}

static enum verdict verdict(bool fits)
{
	return fits ? FITS : REFUSED;
}

static enum verdict scalar(struct arena *arena, const struct visibility_column *column,
	const struct visibility_value *json, struct visibility_value *out)
{
	int64_t ns;

	*out = *json;
	if (json->kind == VISIBILITY_NULL)
		return FITS;
	switch (column->type) {
	case VISIBILITY_INT:
		return verdict(json->kind == VISIBILITY_IS_INT);
	case VISIBILITY_DOUBLE:
		if (json->kind == VISIBILITY_IS_INT)
			*out = (struct visibility_value){ VISIBILITY_IS_DOUBLE,
				.real = (double)json->number };
		return verdict(out->kind == VISIBILITY_IS_DOUBLE);
	case VISIBILITY_BOOL:
		return verdict(json->kind == VISIBILITY_IS_BOOL);
	case VISIBILITY_DATETIME:
		if (json->kind != VISIBILITY_IS_TEXT || !visibility_time_parse(json->text, &ns))
			return REFUSED;
		*out = (struct visibility_value){ VISIBILITY_IS_INT, .number = ns };
		return FITS;
	case VISIBILITY_TEXT:
		return json->kind == VISIBILITY_IS_TEXT ? words(arena, out) : REFUSED;
	default:
		return verdict(json->kind == VISIBILITY_IS_TEXT);
	}
}

/* Elements that are null do not count. */
static enum verdict list(
	struct arena *arena, const struct flat_json *json, struct visibility_value *out)
{
	struct str *items = arena_array(arena, json->n + 1, sizeof(*items));
	size_t n = 0;

	if (!items)
		return NO_MEMORY;
	if (!json->array)
		return verdict(json->items->kind == VISIBILITY_NULL);
	for (size_t i = 0; i < json->n; i++) {
		if (json->items[i].kind == VISIBILITY_IS_TEXT)
			items[n++] = json->items[i].text;
		else if (json->items[i].kind != VISIBILITY_NULL)
			return REFUSED;
	}
	*out = (struct visibility_value){ n ? VISIBILITY_IS_LIST : VISIBILITY_NULL, .list = items,
		.n_list = n };
	return FITS;
}

static enum verdict convert(struct arena *arena, const struct visibility_column *column,
	const struct flat_json *json, struct visibility_value *out)
{
	if (column->type == VISIBILITY_KEYWORD_LIST)
		return list(arena, json, out);
	if (!json->n)
		return FITS;
	return json->n > 1 ? REFUSED : scalar(arena, column, json->items, out);
}

enum temporal_code search_attribute_decode(struct arena *arena, const char *name,
	const struct visibility_column *column, const Common__Payload *payload,
	struct visibility_value *out, struct temporal_error *err)
{
	struct str data = proto_payload_data(payload);
	struct text shown = { .n = 0 };
	enum flat_json_result result = FLAT_JSON_BROKEN;
	struct flat_json json;

	*out = (struct visibility_value){ 0 };
	if (!payload || proto_payload_is(payload, PROTO_ENCODING_NULL))
		return TEMPORAL_OK;
	if (proto_payload_is(payload, PROTO_ENCODING_JSON) &&
		data.len <= SEARCH_ATTRIBUTES_VALUE_MAX)
		result = flat_json_read(arena, data, &json);
	if (result == FLAT_JSON_BROKEN)
		return refuse_payload(name, column, payload, err);
	if (result == FLAT_JSON_NESTED) {
		put(&shown, data.ptr, data.len);
		return refuse(name, column, shown.text, err);
	}
	enum verdict fits = result == FLAT_JSON_OK ? convert(arena, column, &json, out) : NO_MEMORY;
	if (fits == FITS)
		return TEMPORAL_OK;
	*out = (struct visibility_value){ 0 };
	if (fits == NO_MEMORY)
		return error_no_memory(err, "a search attribute's value");
	put_value(&shown, &json);
	return refuse(name, column, shown.text, err);
}
