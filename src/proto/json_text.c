/*
 * json_text.c: names, base64 and numbers of proto3 JSON. Stateless.
 *
 * Strings that hold numbers are read by jansson, as it is strict and knows about locales. Readers
 * are lenient as the mapping asks: either alphabet of base64, a field by either of its names,
 * numbers as strings and strings as numbers.
 */
#include "proto/json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* An underscore goes, and the letter behind it becomes a capital; nothing else changes. */
size_t protojson_camel(const char *name, size_t len, char *out)
{
	size_t n = 0;
	bool word = false;

	for (size_t i = 0; i < len; i++) {
		if (name[i] != '_')
			out[n++] = word ? upper(name[i]) : name[i];
		word = name[i] == '_';
	}
	return n;
}

/* Is `json` the lowerCamelCase of the field's name? */
static bool is_camel_of(const char *json, const char *name)
{
	for (; *name; name++) {
		char c = *name;

		if (c == '_') {
			while (*name == '_')
				name++;
			c = upper(*name);
		}
		if (!c || *json++ != c)
			return false;
	}
	return !*json;
}

/* A walk with a comparison on the fly: no table of names is kept for a rare use. */
const ProtobufCFieldDescriptor *protojson_field_find(
	const ProtobufCMessageDescriptor *type, const char *name)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (is_camel_of(name, type->fields[i].name) || !strcmp(name, type->fields[i].name))
			return &type->fields[i];
	return NULL;
}

/* Is `entry` the name of the field in CamelCase, with "Entry" behind it? */
static bool is_entry_name(const char *entry, const char *name)
{
	size_t len = strlen(entry), tail = strlen("Entry");
	char camel[128];

	if (strlen(name) >= sizeof(camel) || len <= tail ||
		strcmp(entry + len - tail, "Entry") != 0)
		return false;
	size_t n = protojson_camel(name, strlen(name), camel);
	camel[0] = upper(camel[0]);
	return n == len - tail && memcmp(entry, camel, n) == 0;
}

/*
 * protobuf-c keeps no mark of it, so it is told by the shape and the name that protoc gives a map's
 * entry. A message that somebody has named and shaped so by hand is taken for one, too.
 */
bool protojson_is_map(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t len = strlen(type->name);

	if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	return entry->n_fields == 2 && entry->fields[0].id == 1 && entry->fields[1].id == 2 &&
	       !strcmp(entry->fields[0].name, "key") && !strcmp(entry->fields[1].name, "value") &&
	       !strncmp(entry->name, type->name, len) && entry->name[len] == '.' &&
	       is_entry_name(entry->short_name, field->name);
}

/* Sign and magnitude of a double that is whole. */
static bool whole(double value, bool *negative, uint64_t *magnitude)
{
	*negative = value < 0;
	value = fabs(value);
	if (!(value < 18446744073709551616.0) || value != (double)(uint64_t)value)
		return false;
	*magnitude = (uint64_t)value;
	return true;
}

/* Nothing but digits, with or without a minus in front. */
static bool plain_digits(const char *text, bool *negative, uint64_t *magnitude)
{
	uint64_t value = 0;

	*negative = *text == '-';
	text += *negative;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*magnitude = value;
	return true;
}

/*
 * The number in a string, to be given back; NULL if it holds anything else. "1e3" and "3.0" are
 * numbers here, also for integers.
 */
static json_t *number_in(const json_t *json)
{
	json_t *inner = json_loads(json_string_value(json), JSON_DECODE_ANY, NULL);

	if (inner && !json_is_number(inner)) {
		json_decref(inner);
		return NULL;
	}
	return inner;
}

/* Plain digits first: a double would lose some of 64 bits. */
bool protojson_integer(const json_t *json, bool *negative, uint64_t *magnitude)
{
	if (json_is_integer(json)) {
		json_int_t value = json_integer_value(json);

		*negative = value < 0;
		*magnitude = *negative ? -(uint64_t)value : (uint64_t)value;
		return true;
	}
	if (json_is_real(json))
		return whole(json_real_value(json), negative, magnitude);
	if (!json_is_string(json))
		return false;
	if (plain_digits(json_string_value(json), negative, magnitude))
		return true;
	json_t *inner = number_in(json);
	bool ok = inner && whole(json_number_value(inner), negative, magnitude);
	json_decref(inner);
	return ok;
}

bool protojson_number(const json_t *json, double *value)
{
	static const struct {
		const char *name;
		double value;
	} specials[] = { { "NaN", NAN }, { "Infinity", INFINITY }, { "-Infinity", -INFINITY } };

	if (json_is_number(json)) {
		*value = json_number_value(json);
		return true;
	}
	if (!json_is_string(json))
		return false;
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (!strcmp(specials[i].name, json_string_value(json))) {
			*value = specials[i].value;
			return true;
		}
	json_t *inner = number_in(json);
	*value = inner ? json_number_value(inner) : 0;
	json_decref(inner);
	return inner;
}

/* Replaces the locale's decimal point, of whatever bytes, by a dot. */
static void normalize_point(char *text)
{
	size_t n = 0;

	for (const char *at = text; *at; at++) {
		if (strchr("0123456789+-e", *at))
			text[n++] = *at;
		else if (n == 0 || text[n - 1] != '.')
			text[n++] = '.';
	}
	text[n] = '\0';
}

/*
 * The first precision that reads back: 15 digits are enough for most doubles, 17 for all (6 and 9
 * for floats). printf and strtod use the same locale, whose point is replaced afterwards.
 */
void protojson_print_number(double value, bool is_float, char out[JSON_NUMBER_TEXT])
{
	int last = is_float ? 9 : 17;

	if (!isfinite(value)) {
		snprintf(out, JSON_NUMBER_TEXT, "\"%s\"",
			isnan(value) ? "NaN"
			: value < 0  ? "-Infinity"
				     : "Infinity");
		return;
	}
	if (value == 0) { /* "-0" would be read as a whole number, which has no sign */
		snprintf(out, JSON_NUMBER_TEXT, "%s", signbit(value) ? "-0.0" : "0");
		return;
	}
	for (int digits = is_float ? 6 : 15; digits <= last; digits++) {
		snprintf(out, JSON_NUMBER_TEXT, "%.*g", digits, value);
		if (is_float ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value)
			break;
	}
	normalize_point(out);
}
