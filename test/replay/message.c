/* message.c: messages as words, by reflection. Tests only: memory is not watched, a failed
 * allocation ends the program. */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "proto/codec.h"

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

static bool is(const ProtobufCMessageDescriptor *type, const char *name)
{
	return strcmp(type->name, name) == 0;
}

static Common__Payload *payload_of(struct arena *arena, const char *text, size_t size)
{
	Common__Payload *payload = must(proto_new(arena, &common__payload__descriptor));

	payload->data.data = must(arena_memdup(arena, text, size));
	payload->data.len = size;
	return payload;
}

static Common__Payloads *payloads_of(struct arena *arena, const char *text)
{
	Common__Payloads *payloads = must(proto_new(arena, &common__payloads__descriptor));

	payloads->payloads = must(arena_array(arena, strlen(text) + 1, sizeof(void *)));
	for (;;) {
		size_t size = strcspn(text, "|");

		payloads->payloads[payloads->n_payloads++] = payload_of(arena, text, size);
		if (!text[size])
			return payloads;
		text += size + 1;
	}
}

/* A message of the type by its short form; NULL if it has none. */
static void *short_form(
	struct arena *arena, const ProtobufCMessageDescriptor *type, const char *value)
{
	ProtobufCMessage *message;

	if (type == &common__payload__descriptor)
		return payload_of(arena, value, strlen(value));
	if (type == &common__payloads__descriptor)
		return payloads_of(arena, value);
	message = must(proto_new(arena, type));
	if (is(type, "google.protobuf.Duration") || is(type, "google.protobuf.Timestamp")) {
		long long ms = strtoll(value, NULL, 0);

		((Google__Duration *)message)->seconds = ms / 1000;
		((Google__Duration *)message)->nanos = (int32_t)(ms % 1000 * 1000000);
		return message;
	}
	if (message_set(arena, message, "name", value) ||
		message_set(arena, message, "message", value) ||
		message_set(arena, message, "workflow_id", value))
		return message;
	return NULL;
}

static void set_numbers(struct arena *arena, char *at, size_t *count, const char *value)
{
	uint32_t *items = must(arena_array(arena, strlen(value) + 1, sizeof(*items)));

	*count = 0;
	for (char *end = NULL; *value; value = *end ? end + 1 : end)
		items[(*count)++] = (uint32_t)strtoul(value, &end, 0);
	memcpy(at, &items, sizeof(items));
}

/* Of a map: one entry, whose value is its key; "" is none. */
static void set_entry(struct arena *arena, const ProtobufCFieldDescriptor *field, char *at,
	size_t *count, const char *value)
{
	ProtobufCMessage **items = must(arena_array(arena, 1, sizeof(*items)));

	memcpy(at, &items, sizeof(items));
	*count = *value ? 1 : 0;
	items[0] = must(proto_new(arena, field->descriptor));
	message_set(arena, items[0], "key", value);
	message_set(arena, items[0], "value", value);
}

static bool set_scalar(
	struct arena *arena, const ProtobufCFieldDescriptor *field, char *at, const char *value)
{
	long long number = strtoll(value, NULL, 0);

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)(void *)at = must(arena_strdup(arena, value));
		return true;
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)(void *)at = (ProtobufCBinaryData){
			.data = must(arena_memdup(arena, value, strlen(value))),
			.len = strlen(value),
		};
		return true;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(int64_t *)(void *)at = number;
		return true;
	case PROTOBUF_C_TYPE_MESSAGE: {
		void *message = short_form(arena, field->descriptor, value);

		*(void **)(void *)at = message;
		return message;
	}
	default:
		*(int32_t *)(void *)at = (int32_t)number;
		return true;
	}
}

static const ProtobufCFieldDescriptor *field_of(
	const ProtobufCMessage *message, const char *path, size_t size)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

		if (strlen(field->name) == size && memcmp(field->name, path, size) == 0)
			return field;
	}
	return NULL;
}

bool message_set(
	struct arena *arena, ProtobufCMessage *message, const char *path, const char *value)
{
	for (;;) {
		size_t size = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field = field_of(message, path, size);
		char *at = field ? (char *)message + field->offset : NULL;

		if (!field)
			return false;
		if (field->label == PROTOBUF_C_LABEL_REPEATED &&
			field->type == PROTOBUF_C_TYPE_MESSAGE) {
			set_entry(arena, field, at,
				(size_t *)(void *)((char *)message + field->quantifier_offset),
				value);
			return true;
		}
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			set_numbers(arena, at,
				(size_t *)(void *)((char *)message + field->quantifier_offset),
				value);
			return true;
		}
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			*(uint32_t *)(void *)((char *)message + field->quantifier_offset) =
				field->id;
		if (!path[size])
			return set_scalar(arena, field, at, value);
		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			return false;
		if (!*(void **)(void *)at)
			*(void **)(void *)at = must(proto_new(arena, field->descriptor));
		message = *(ProtobufCMessage **)(void *)at;
		path += size + 1;
	}
}

struct words {
	struct arena *arena;
	char *text;
};

static void add_word(struct words *words, const char *path, const char *value)
{
	words->text = must(arena_printf(words->arena, "%s%s=%s\n", words->text, path, value));
}

static void add_message(struct words *words, const char *path, const ProtobufCMessage *message);

static char *payloads_text(struct arena *arena, Common__Payload *const *items, size_t count)
{
	char *text = must(arena_strdup(arena, ""));

	for (size_t i = 0; i < count; i++)
		text = must(arena_printf(arena, "%s%s%.*s", text, i ? "|" : "",
			(int)items[i]->data.len, (const char *)items[i]->data.data));
	return text;
}

/* A message of a protocol, packed into an Any: type_url, and the fields of the content. */
static void add_any(struct words *words, const char *path, const Google__Any *any)
{
	static const ProtobufCMessageDescriptor *const types[] = { &update__acceptance__descriptor,
		&update__rejection__descriptor, &update__response__descriptor };
	const char *slash = strrchr(any->type_url ? any->type_url : "", '/');

	add_word(words, must(arena_printf(words->arena, "%s.type_url", path)), any->type_url);
	for (size_t i = 0; slash && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(slash + 1, types[i]->name) == 0)
			add_message(words, path,
				must(proto_decode(words->arena, types[i], any->value.data,
					any->value.len, NULL, NULL)));
}

static void add_submessage(struct words *words, const char *path, const ProtobufCMessage *message)
{
	const Google__Duration *duration = (const void *)message;
	const Common__Payloads *payloads = (const void *)message;
	const Common__Payload *payload = (const void *)message;
	Common__Payload *item[1];

	if (message->descriptor == &common__payloads__descriptor) {
		add_word(words, path,
			payloads_text(words->arena, payloads->payloads, payloads->n_payloads));
	} else if (message->descriptor == &common__payload__descriptor) {
		memcpy(item, &payload, sizeof(item[0]));
		add_word(words, path, payloads_text(words->arena, item, 1));
	} else if (is(message->descriptor, "google.protobuf.Duration") ||
		   is(message->descriptor, "google.protobuf.Timestamp")) {
		long long ms = (long long)duration->seconds * 1000 + duration->nanos / 1000000;

		add_word(words, path, must(arena_printf(words->arena, "%lld", ms)));
	} else if (is(message->descriptor, "google.protobuf.Any")) {
		add_any(words, path, (const void *)message);
	} else {
		add_word(words, path, "");
		add_message(words, path, message);
	}
}

static void add_value(struct words *words, const char *path, const ProtobufCFieldDescriptor *field,
	const char *at)
{
	const ProtobufCBinaryData *bytes = (const void *)at;
	const char *text = NULL;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)(const void *)at;
		if (text && *text)
			add_word(words, path, text);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		if (bytes->len)
			add_word(words, path,
				must(arena_printf(words->arena, "%.*s", (int)bytes->len,
					(const char *)bytes->data)));
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(const ProtobufCMessage *const *)(const void *)at)
			add_submessage(
				words, path, *(const ProtobufCMessage *const *)(const void *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		if (*(const int64_t *)(const void *)at)
			text = arena_printf(words->arena, "%lld",
				(long long)*(const int64_t *)(const void *)at);
		break;
	default:
		if (*(const int32_t *)(const void *)at)
			text = arena_printf(words->arena, "%d", *(const int32_t *)(const void *)at);
		break;
	}
	if (text)
		add_word(words, path, text);
}

static void add_repeated(struct words *words, const char *path,
	const ProtobufCFieldDescriptor *field, const char *items, size_t count)
{
	char *numbers = must(arena_strdup(words->arena, ""));

	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		for (size_t i = 0; i < count; i++)
			add_submessage(words, path,
				((const ProtobufCMessage *const *)(const void *)items)[i]);
		return;
	}
	for (size_t i = 0; i < count; i++)
		numbers = must(arena_printf(words->arena, "%s%s%u", numbers, i ? "," : "",
			((const uint32_t *)(const void *)items)[i]));
	if (count)
		add_word(words, path, numbers);
}

static void add_message(struct words *words, const char *path, const ProtobufCMessage *message)
{
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		const char *quantifier = (const char *)message + field->quantifier_offset;
		const char *at = (const char *)message + field->offset;
		const char *name = must(
			arena_printf(words->arena, "%s%s%s", path, *path ? "." : "", field->name));

		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
			*(const uint32_t *)(const void *)quantifier != field->id)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			add_repeated(words, name, field, *(const char *const *)(const void *)at,
				*(const size_t *)(const void *)quantifier);
		else
			add_value(words, name, field, at);
	}
}

char *message_words(struct arena *arena, const ProtobufCMessage *message)
{
	struct words words = { arena, must(arena_strdup(arena, "")) };

	if (message)
		add_message(&words, "", message);
	return words.text;
}

bool words_have(const char *words, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = words; *at; at = strchr(at, '\n') + 1)
		if (strncmp(at, word, size) == 0 && at[size] == '\n')
			return true;
	return false;
}
