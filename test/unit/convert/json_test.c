/*
 * The syntax of JSON: what is refused, and where; what nobody asked for is passed over, however
 * deep and hostile it is.
 *
 * Method: texts that are wrong in one way each, both where they are read and where they are
 * skipped; every prefix of a text that is right; nesting at the limit and far beyond.
 */
#include <stdlib.h>

#include "convert/json_reader.h"
#include "convert/json_writer.h"
#include "convert_fixture.h"

static bool skips(const char *text, size_t len)
{
	struct json_reader reader;

	json_reader_init(&reader, text, len);
	return json_skip(&reader, NULL) && json_end(&reader);
}

static void well_formed_texts_are_passed(void **state)
{
	static const char *const texts[] = { "null", " true ", "false", "0", "-0.5e-3", "\"\"",
		"[]", "{}", "[1,[2,[3]],{}]", "{\"a\":{\"b\":[]},\"a\":\"\\u0000\\ud83d\\ude00\"}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\r\n\t [ 1 , 2 ] \r\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(skips(texts[i], strlen(texts[i])));
}

static void malformed_texts_are_refused(void **state)
{
	static const char *const texts[] = { "", " ", "nul", "nulls", "True", "tru", "[", "]", "{",
		"}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\" 1}", "{\"a\":1]", "{1:2}", "\"", "\"a",
		"\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"",
		"\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\", "\"\x01\"", "\"\n\"", "\"\xFF\"",
		"\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"a\xE2\x82\"", "1.", "01", "/* */ 1",
		"1 // x", "\xEF\xBB\xBF 1", "1 1", "[]]", "{}{}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(skips(texts[i], strlen(texts[i])));
	assert_false(skips("1\0", 2));
	assert_false(skips("\"a\0b\"", 5));
}

static void prefixes_are_refused(void **state)
{
	static const char text[] =
		"{\"a\":[1.5e3,\"\\u00e9\xC3\xA9\",null,{\"b\":false}],\"c\":-2}";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len + 1); /* so that a sanitizer sees what is read behind it */

		assert_non_null(copy);
		memcpy(copy, text, len);
		assert_false(skips(copy, len));
		free(copy);
	}
	assert_true(skips(text, sizeof(text) - 1));
}

static void nesting_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	size_t deep = 1000000;
	char *text = malloc(2 * deep + 1);
	struct note_in in;

	assert_non_null(text);
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_true(skips(text, 2 * JSON_DEPTH_MAX));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_false(skips(text, 2 * JSON_DEPTH_MAX + 2));
	memset(text, '[', deep);
	memset(text + deep, ']', deep);
	text[2 * deep] = '\0';
	assert_false(skips(text, 2 * deep));
	for (size_t i = 0; i < deep; i++)
		memcpy(text + i * 2, i % 2 ? ": " : "{\"", 2);
	assert_false(skips(text, 2 * deep));
	assert_int_equal(DECODE_TEXTS(fixture, note, &in, text), TEMPORAL_BAD_PAYLOAD);
	free(text);
}

/* Each text of the first argument of "send" is refused in its way, and nothing is read behind it.
 */
static void hostile_records_are_refused(void **state)
{
	static const char *const texts[] = { "[]", "{\"to\":[]}", "{\"to\":{\"street\":{}}}",
		"{\"lines\":{}}", "{\"lines\":[[]]}", "{\"lines\":[{}]}", "{\"tags\":[null]}",
		"{\"tags\":[\"a\",]}", "{\"extra\":}", "{\"extra\":[}", "{\"unknown\":[1,}",
		"{\"\\ud800\":1}", "{\"to\" {}}", "{\"to\":{\"street\":\"\\ud800\"}}",
		"{\"from\":1}", "{\"lines\":[{\"n\":1e400}]}",
		"{\"lines\":[{\"n\":99999999999999999999}]}", "{", "{\"lines\":[",
		"{\"lines\":[{\"sku\":\"", "{\"lines\":[{\"discount\":nul" };
	struct fixture *fixture = *state;
	struct send_in in;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(DECODE_TEXTS(fixture, send, &in, texts[i]), TEMPORAL_BAD_PAYLOAD);
		assert_memory_equal(fixture->err.message, "argument 1 (parcel)", 19);
	}
}

static void hostile_metadata_is_borne(void **state)
{
	struct fixture *fixture = *state;
	Common__Payload payload = COMMON__PAYLOAD__INIT, *payloads = &payload;
	Common__Payload__MetadataEntry entry = COMMON__PAYLOAD__METADATA_ENTRY__INIT;
	Common__Payload__MetadataEntry *entries[] = { &entry, &entry };
	struct temporal_payload out;
	struct note_in in;

	/* None at all; an empty encoding; the same entry twice. */
	assert_int_equal(
		convert_decode_arguments(&fixture->arena, &note, &payloads, 1, &in, &fixture->err),
		TEMPORAL_BAD_PAYLOAD);
	assert_int_equal(convert_payload_from_api(&fixture->arena, &payload, &out), TEMPORAL_OK);
	assert_string_equal(out.encoding, "");
	payload.metadata = entries;
	payload.n_metadata = 2;
	assert_int_equal(convert_payload_from_api(&fixture->arena, &payload, &out), TEMPORAL_OK);
	assert_int_equal(out.n_metadata, 2);
	entry.key = "encoding";
	assert_int_equal(convert_payload_from_api(&fixture->arena, &payload, &out), TEMPORAL_OK);
	assert_int_equal(out.n_metadata, 0);
	assert_string_equal(out.encoding, "");
}

static void strings_are_escaped(void **state)
{
	static const char text[] = "\"\\\b\f\n\r\t\x01\x1F/<\xC3\xA9\x7F";
	static const char expected[] = "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/<\xC3\xA9\x7F\"";
	struct json_writer writer;

	json_writer_init(&writer);
	json_put_string(&writer, text, strlen(text));
	assert_int_equal(writer.len, sizeof(expected) - 1);
	assert_memory_equal(writer.data, expected, writer.len);
	/* Beyond the writer's own room it goes on. */
	for (int i = 0; i < 1000; i++)
		JSON_PUT(&writer, "0123456789");
	assert_int_equal(writer.len, sizeof(expected) - 1 + 10000);
	assert_memory_equal(writer.data, expected, sizeof(expected) - 1);
	assert_memory_equal(writer.data + writer.len - 10, "0123456789", 10);
	json_writer_finish(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(well_formed_texts_are_passed),
		FIXTURE_TEST(malformed_texts_are_refused),
		FIXTURE_TEST(prefixes_are_refused),
		FIXTURE_TEST(nesting_is_bounded),
		FIXTURE_TEST(hostile_records_are_refused),
		FIXTURE_TEST(hostile_metadata_is_borne),
		FIXTURE_TEST(strings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
