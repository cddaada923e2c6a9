/*
 * text.c: writing JSON as Go's encoder does: members in the order of the fields, maps in the order
 * of their keys, and what HTML could mistake for its own escaped. Histories hold such texts, so
 * they are the same byte for byte.
 *
 * Pure.
 */
#include "server/nexus/text.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_FIRST 128

void nexus_text_put(struct nexus_text *text, const char *data, size_t len)
{
	if (text->out_of_memory || len == 0)
		return;
	if (len > text->capacity - text->len) {
		size_t capacity = text->capacity ? text->capacity * 2 : TEXT_FIRST;

		if (capacity < text->len + len)
			capacity = text->len + len;
		char *grown = arena_alloc(text->arena, capacity);
		if (!grown) {
			text->out_of_memory = true;
			return;
		}
		if (text->len)
			memcpy(grown, text->ptr, text->len);
		text->ptr = grown;
		text->capacity = capacity;
	}
	memcpy(text->ptr + text->len, data, len);
	text->len += len;
}

void nexus_text_puts(struct nexus_text *text, const char *data)
{
	nexus_text_put(text, data, strlen(data));
}

struct str nexus_text_str(const struct nexus_text *text)
{
	return text->out_of_memory ? (struct str){ 0 } : (struct str){ text->ptr, text->len };
}

static bool is_special(char c)
{
	return c == '<' || c == '>' || c == '&';
}

static void put_unicode(struct nexus_text *text, char c)
{
	char escaped[8];

	snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)(unsigned char)c);
	nexus_text_puts(text, escaped);
}

static void put_escaped(struct nexus_text *text, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;
	char escaped[2] = { '\\', at ? letters[at - plain] : '\0' };

	if (at)
		nexus_text_put(text, escaped, sizeof(escaped));
	else if ((unsigned char)c < 0x20 || is_special(c))
		put_unicode(text, c);
	else
		nexus_text_put(text, &c, 1);
}

void nexus_text_quote(struct nexus_text *text, const char *value)
{
	nexus_text_puts(text, "\"");
	for (; value && *value; value++)
		put_escaped(text, *value);
	nexus_text_puts(text, "\"");
}

void nexus_text_compact(struct nexus_text *text, struct str json)
{
	bool in_string = false;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];

		if (is_special(c)) {
			put_unicode(text, c);
			continue;
		}
		if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		nexus_text_put(text, &c, 1);
		if (c == '\\' && in_string && i + 1 < json.len)
			nexus_text_put(text, &json.ptr[++i], 1);
		else if (c == '"')
			in_string = !in_string;
	}
}

/* An entry, and where it stood: of two with one key the first counts. */
struct place {
	const Nexus__Failure__MetadataEntry *entry;
	size_t at;
};

static int by_key(const void *a, const void *b)
{
	const struct place *left = a, *right = b;
	int order = strcmp(left->entry->key, right->entry->key);

	return order ? order : (left->at > right->at) - (left->at < right->at);
}

static void member(struct nexus_text *text, const char *name)
{
	if (text->ptr[text->len - 1] != '{')
		nexus_text_puts(text, ",");
	nexus_text_quote(text, name);
	nexus_text_puts(text, ":");
}

static void put_metadata(struct nexus_text *text, const Nexus__Failure *failure)
{
	size_t n = failure->n_metadata;
	struct place *places = arena_array(text->arena, n, sizeof(*places));

	if (!places) {
		text->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ failure->metadata[i], i };
	qsort(places, n, sizeof(*places), by_key);
	member(text, "metadata");
	nexus_text_puts(text, "{");
	for (size_t i = 0; i < n && !text->out_of_memory; i++) {
		if (i && str_same(places[i].entry->key, places[i - 1].entry->key))
			continue;
		member(text, places[i].entry->key);
		nexus_text_quote(text, places[i].entry->value);
	}
	nexus_text_puts(text, "}");
}

void nexus_text_failure(
	struct nexus_text *text, const Nexus__Failure *failure, struct str cause, bool with_message)
{
	nexus_text_puts(text, "{");
	if (text->out_of_memory)
		return;
	if (with_message && !str_empty(failure->message)) {
		member(text, "message");
		nexus_text_quote(text, failure->message);
	}
	if (with_message && !str_empty(failure->stack_trace)) {
		member(text, "stackTrace");
		nexus_text_quote(text, failure->stack_trace);
	}
	if (failure->n_metadata)
		put_metadata(text, failure);
	if (failure->details.len) {
		member(text, "details");
		nexus_text_compact(text,
			(struct str){ (const char *)failure->details.data, failure->details.len });
	}
	if (cause.len) {
		member(text, "cause");
		nexus_text_put(text, cause.ptr, cause.len);
	}
	nexus_text_puts(text, "}");
}
