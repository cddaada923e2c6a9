/*
 * Search attributes. Goal: aliases, counts, checks, values as the official development server has
 * them, its texts included (each was taken from it). Method: tables of requests and answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/map.h"
#include "proto/payload.h"
#include "server/visibility/search_attributes.h"

struct fixture {
	struct arena arena;
	struct search_attributes attributes;
	struct temporal_error err;
};

static const struct search_attribute usual[] = { { "CInt", VISIBILITY_INT },
	{ "CKw", VISIBILITY_KEYWORD }, { "CList", VISIBILITY_KEYWORD_LIST },
	{ "CText", VISIBILITY_TEXT }, { "CBool", VISIBILITY_BOOL }, { "CDbl", VISIBILITY_DOUBLE },
	{ "CTime", VISIBILITY_DATETIME } };

static int setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	arena_init(&fixture.arena, 1024, ARENA_NO_BUDGET);
	assert_int_equal(search_attributes_add(&fixture.attributes, usual, 7, NULL), TEMPORAL_OK);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	search_attributes_finish(&fixture->attributes);
	arena_finish(&fixture->arena);
	return 0;
}

/* "" if it was added. */
static const char *add(struct fixture *fixture, const char *name, int32_t type)
{
	struct search_attribute attribute = { name, type };

	fixture->err = (struct temporal_error){ 0 };
	(void)!search_attributes_add(&fixture->attributes, &attribute, 1, &fixture->err);
	return fixture->err.message;
}

static void definitions_are_checked(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(add(fixture, "WorkflowId", 2),
		"Search attribute WorkflowId is reserved by system.");
	assert_string_equal(add(fixture, "TemporalFoo", 2),
		"Search attribute TemporalFoo is reserved by system.");
	assert_string_equal(
		add(fixture, "Memo", 2), "Search attribute Memo is reserved by system.");
	assert_string_equal(add(fixture, "X1", 0),
		"Unable to create search attributes: cannot have more than 0 search attribute of "
		"type Unspecified.");
	assert_string_equal(add(fixture, "X1", 99), "Unknown search attribute type: 99.");
	assert_string_equal(
		add(fixture, "CInt", VISIBILITY_KEYWORD), ""); /* is there: left alone */
	assert_string_equal(add(fixture, "a b", 2), "");
	assert_int_equal(search_attributes_add(&fixture->attributes, NULL, 0, &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(fixture->err.message, "SearchAttributes are not set on request.");
}

static void columns_are_few(void **state)
{
	struct fixture *fixture = *state;
	const struct search_attribute two[] = { { "Kx", VISIBILITY_KEYWORD },
		{ "B3", VISIBILITY_BOOL } };

	assert_string_equal(add(fixture, "B1", VISIBILITY_BOOL), "");
	assert_string_equal(add(fixture, "B2", VISIBILITY_BOOL), "");
	assert_string_equal(add(fixture, "B3", VISIBILITY_BOOL),
		"Unable to create search attributes: cannot have more than 3 search attribute of "
		"type Bool.");
	/* All or nothing. */
	assert_int_equal(search_attributes_add(&fixture->attributes, two, 2, &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_null(search_attributes_find(&fixture->attributes, STR("Kx")));
	/* A removed one leaves its column. */
	const char *const names[] = { "B1", "Nope" };
	assert_int_equal(
		search_attributes_remove(&fixture->attributes, names, 2, NULL), TEMPORAL_OK);
	assert_string_equal(add(fixture, "B3", VISIBILITY_BOOL), "");
	assert_string_equal(
		search_attributes_find(&fixture->attributes, STR("B3"))->name, "Bool02");
}

static void system_attributes_stay(void **state)
{
	struct fixture *fixture = *state;
	const char *const system[] = { "CInt", "WorkflowId" }, *const column[] = { "Bool01" };

	assert_int_equal(search_attributes_remove(&fixture->attributes, system, 2, &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(
		fixture->err.message, "Unable to remove non-custom search attributes: WorkflowId.");
	assert_non_null(search_attributes_find(&fixture->attributes, STR("CInt")));
	assert_int_equal(search_attributes_remove(&fixture->attributes, column, 1, &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
}

static void aliases_are_restored(void **state)
{
	struct search_attributes again = { 0 };
	struct fixture *fixture = *state;
	const struct visibility_column *column;

	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++) {
		const char *alias = search_attributes_alias(&fixture->attributes, i, &column);
		assert_true(column->custom);
		if (alias)
			assert_true(search_attributes_restore(&again, column->name, alias));
	}
	assert_ptr_equal(search_attributes_find(&again, STR("CTime")),
		search_attributes_find(&fixture->attributes, STR("CTime")));
	assert_false(search_attributes_restore(&again, "Int99", "x"));
	search_attributes_finish(&again);
}

static Common__SearchAttributes *values(
	struct fixture *fixture, const char *key, const char *encoding, const char *data)
{
	Common__SearchAttributes *out =
		proto_new(&fixture->arena, &common__search_attributes__descriptor);

	out->indexed_fields = arena_array(&fixture->arena, 1, sizeof(*out->indexed_fields));
	out->indexed_fields[0] = proto_new(
		&fixture->arena, &common__search_attributes__indexed_fields_entry__descriptor);
	out->n_indexed_fields = 1;
	out->indexed_fields[0]->key = key;
	out->indexed_fields[0]->value =
		proto_payload_new(&fixture->arena, encoding, data, strlen(data));
	return out;
}

static void values_are_checked(void **state)
{
	static const struct {
		const char *key, *data, *message;
	} table[] = {
		{ "Nope", "1",
			"Namespace default has no mapping defined for search attribute Nope" },
		{ "Int01", "5",
			"Namespace default has no mapping defined for search attribute Int01" },
		{ "WorkflowId", "\"x\"", "WorkflowId attribute can't be set in SearchAttributes" },
		{ "StartTime", "\"2024-01-02T03:04:05Z\"",
			"StartTime attribute can't be set in SearchAttributes" },
		{ "TemporalWorkerDeployment", "\"x\"",
			"TemporalWorkerDeployment attribute can't be set in SearchAttributes" },
		{ "BuildIds", "[\"x\"]", "" },
		{ "CInt", "1", "" },
		{ "CInt", "[1]", "" },
		{ "CInt", "[null]", "" },
		{ "CInt", "null", "" },
		{ "CInt", "[]", "" },
		{ "CInt", "\"1\"", "invalid value for search attribute CInt of type Int: 1" },
		{ "CInt", "1.5", "invalid value for search attribute CInt of type Int: 1.5" },
		{ "CInt", "1.0", "invalid value for search attribute CInt of type Int: 1" },
		{ "CInt", "9223372036854775808",
			"invalid value for search attribute CInt of type Int: "
			"9.223372036854776e+18" },
		{ "CInt", "true", "invalid value for search attribute CInt of type Int: true" },
		{ "CInt", "[1, 2]", "invalid value for search attribute CInt of type Int: [1 2]" },
		{ "CInt", "[[1]]", "invalid value for search attribute CInt of type Int: [[1]]" },
		{ "CInt", "{junk",
			"invalid value for search attribute CInt of type Int: value from "
			"<metadata:{key:\"encoding\"  value:\"json/plain\"}  data:\"{junk\">" },
		{ "CInt", "",
			"invalid value for search attribute CInt of type Int: value from "
			"<metadata:{key:\"encoding\"  value:\"json/plain\"}>" },
		{ "CDbl", "1", "" },
		{ "CDbl", "1.5", "" },
		{ "CDbl", "\"NaN\"",
			"invalid value for search attribute CDbl of type Double: NaN" },
		{ "CBool", "true", "" },
		{ "CBool", "1", "invalid value for search attribute CBool of type Bool: 1" },
		{ "CTime", "\"2024-01-02T03:04:05.5+01:00\"", "" },
		{ "CTime", "\"2024-01-02\"",
			"invalid value for search attribute CTime of type Datetime: 2024-01-02" },
		{ "CTime", "5", "invalid value for search attribute CTime of type Datetime: 5" },
		{ "CKw", "\"x\"", "" },
		{ "CKw", "[\"x\", \"y\"]",
			"invalid value for search attribute CKw of type Keyword: [x y]" },
		{ "CList", "\"x\"",
			"invalid value for search attribute CList of type KeywordList: x" },
		{ "CList", "[\"x\", 1]",
			"invalid value for search attribute CList of type KeywordList: [x 1]" },
		{ "CList", "[\"x\", null]", "" },
		{ "CText", "5", "invalid value for search attribute CText of type Text: 5" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct temporal_error err = { 0 };
		enum temporal_code code = search_attributes_check(&fixture->attributes, "default",
			values(fixture, table[i].key, "json/plain", table[i].data), &err);
		assert_string_equal(err.message, table[i].message);
		assert_int_equal(code, *err.message ? TEMPORAL_INVALID_ARGUMENT : TEMPORAL_OK);
	}
	assert_int_equal(
		search_attributes_check(&fixture->attributes, "default", NULL, NULL), TEMPORAL_OK);
}

static void sizes_are_limited(void **state)
{
	struct fixture *fixture = *state;
	char text[SEARCH_ATTRIBUTES_VALUE_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[0] = text[SEARCH_ATTRIBUTES_VALUE_MAX - 1] = '"';
	text[SEARCH_ATTRIBUTES_VALUE_MAX] = 0;
	assert_int_equal(search_attributes_check(&fixture->attributes, "default",
				 values(fixture, "CText", "json/plain", text), NULL),
		TEMPORAL_OK);
	text[SEARCH_ATTRIBUTES_VALUE_MAX - 1] = 'x';
	text[SEARCH_ATTRIBUTES_VALUE_MAX] = '"';
	text[SEARCH_ATTRIBUTES_VALUE_MAX + 1] = 0;
	assert_int_equal(search_attributes_check(&fixture->attributes, "default",
				 values(fixture, "CText", "json/plain", text), &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(fixture->err.message,
		"search attribute CText value size 2049 exceeds size limit 2048");
}

static void other_encodings_are_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(search_attributes_check(&fixture->attributes, "default",
				 values(fixture, "CInt", "binary/plain", "1"), &fixture->err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_string_equal(
		fixture->err.message, "invalid value for search attribute CInt of type Int: [49]");
	assert_int_equal(search_attributes_check(&fixture->attributes, "default",
				 values(fixture, "CInt", "binary/null", ""), NULL),
		TEMPORAL_OK);
}

/* A value that is longer than a message is cut between characters. */
static void messages_stay_text(void **state)
{
	struct fixture *fixture = *state;
	char text[600];

	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', sizeof(text));
		text[0] = '"';
		for (size_t i = 1 + shift; i + 4 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		memcpy(text + sizeof(text) - 2, "\"", 2);
		assert_int_equal(
			search_attributes_check(&fixture->attributes, "default",
				values(fixture, "CInt", "json/plain", text), &fixture->err),
			TEMPORAL_INVALID_ARGUMENT);
		assert_true(str_is_utf8(fixture->err.message, strlen(fixture->err.message)));
		text[sizeof(text) - 2] = 'x'; /* unterminated */
		assert_int_equal(
			search_attributes_check(&fixture->attributes, "default",
				values(fixture, "CInt", "json/plain", text), &fixture->err),
			TEMPORAL_INVALID_ARGUMENT);
		assert_true(str_is_utf8(fixture->err.message, strlen(fixture->err.message)));
	}
}

static struct visibility_value get(
	struct fixture *fixture, const Common__SearchAttributes *now, const char *column)
{
	return search_attributes_get(&fixture->arena, &fixture->attributes, now,
		visibility_column_find(str_from(column)));
}

static void upserts_replace_and_take_away(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->arena;
	const struct search_attributes *attributes = &fixture->attributes;
	Common__SearchAttributes *now = search_attributes_merge(
		arena, attributes, NULL, values(fixture, "CInt", "json/plain", "1"));

	now = search_attributes_merge(arena, attributes, now,
		values(fixture, "CText", "json/plain", "\"Hello, W\\u00f6rld\""));
	assert_int_equal(now->n_indexed_fields, 2);
	const Common__SearchAttributes__IndexedFieldsEntry *entry =
		proto_map_find(now->indexed_fields, now->n_indexed_fields, "CInt");
	assert_true(str_eq(proto_payload_get(entry->value, "type"), STR("Int")));
	assert_int_equal(get(fixture, now, "Int01").number, 1);
	struct visibility_value text = get(fixture, now, "Text01");
	assert_true(str_eq(text.text, STR(" hello world ")));
	now = search_attributes_merge(
		arena, attributes, now, values(fixture, "CInt", "json/plain", "2"));
	assert_int_equal(get(fixture, now, "Int01").number, 2);
	now = search_attributes_merge(
		arena, attributes, now, values(fixture, "CInt", "binary/null", ""));
	assert_int_equal(now->n_indexed_fields, 1);
	assert_int_equal(get(fixture, now, "Int01").kind, VISIBILITY_NULL);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(definitions_are_checked),
		TEST(columns_are_few),
		TEST(system_attributes_stay),
		TEST(aliases_are_restored),
		TEST(values_are_checked),
		TEST(sizes_are_limited),
		TEST(other_encodings_are_refused),
		TEST(messages_stay_text),
		TEST(upserts_replace_and_take_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
