/*
 * payload.c: payloads as the API has them and as the user has them.
 *
 * The metadata of a payload that we make are one entry as a rule, which is the same for all: they
 * point to constants here, so that an argument costs a single allocation. Nobody writes to a
 * message after it was made. Any thread.
 */
#include "convert/payload.h"

#include "convert/convert.h"
#include "proto/codec.h"

#define ENTRY(text_) \
	{ \
		.base = PROTOBUF_C_MESSAGE_INIT(&common__payload__metadata_entry__descriptor), \
		.key = "encoding", .value = { sizeof(text_) - 1, (uint8_t *)(text_) }, \
	}

static char text_null[] = "binary/null", text_binary[] = "binary/plain", text_json[] = "json/plain",
	    text_json_protobuf[] = "json/protobuf", text_binary_protobuf[] = "binary/protobuf";

/*
 * By encoding. Not const, because protobuf-c's lists point to what could be written; nobody does.
 */
static Common__Payload__MetadataEntry entries[] = {
	[PAYLOAD_NULL] = ENTRY(text_null),
	[PAYLOAD_BINARY] = ENTRY(text_binary),
	[PAYLOAD_JSON] = ENTRY(text_json),
	[PAYLOAD_JSON_PROTOBUF] = ENTRY(text_json_protobuf),
	[PAYLOAD_BINARY_PROTOBUF] = ENTRY(text_binary_protobuf),
};

static Common__Payload__MetadataEntry *lists[] = {
	[PAYLOAD_NULL] = &entries[PAYLOAD_NULL],
	[PAYLOAD_BINARY] = &entries[PAYLOAD_BINARY],
	[PAYLOAD_JSON] = &entries[PAYLOAD_JSON],
	[PAYLOAD_JSON_PROTOBUF] = &entries[PAYLOAD_JSON_PROTOBUF],
	[PAYLOAD_BINARY_PROTOBUF] = &entries[PAYLOAD_BINARY_PROTOBUF],
};

static struct str bytes_str(ProtobufCBinaryData bytes)
{
	return (struct str){ (const char *)bytes.data, bytes.len };
}

/* A walk over the map's entries, of which there are one or two. */
struct str payload_metadata(const Common__Payload *payload, const char *key)
{
	for (size_t i = 0; i < payload->n_metadata; i++) {
		if (str_same(payload->metadata[i]->key, key))
			return bytes_str(payload->metadata[i]->value);
	}
	return (struct str){ NULL, 0 };
}

/* PAYLOAD_OTHER for anything that the tables do not know, as a codec's "binary/encrypted". */
static enum payload_encoding encoding_of(struct str name)
{
	for (int i = 0; i < PAYLOAD_OTHER; i++) {
		if (str_eq(name, bytes_str(entries[i].value)))
			return (enum payload_encoding)i;
	}
	return PAYLOAD_OTHER;
}

enum payload_encoding payload_encoding(const Common__Payload *payload, struct str *name)
{
	*name = payload_metadata(payload, "encoding");
	if (!name->ptr)
		*name = STR("");
	return encoding_of(*name);
}

/* Message and data in one allocation, the data behind the message. */
Common__Payload *payload_new(struct arena *arena, enum payload_encoding encoding, size_t len)
{
	size_t head = sizeof(Common__Payload);
	Common__Payload *payload =
		len <= SIZE_MAX - head ? arena_alloc_aligned(arena, head + len, 8) : NULL;

	if (!payload)
		return NULL;
	*payload = (Common__Payload)COMMON__PAYLOAD__INIT;
	payload->n_metadata = 1;
	payload->metadata = &lists[encoding];
	payload->data.len = len;
	payload->data.data = (uint8_t *)(payload + 1);
	return payload;
}

static Common__Payload__MetadataEntry *entry_new(
	struct arena *arena, const char *key, struct str value)
{
	Common__Payload__MetadataEntry *entry = arena_alloc(arena, sizeof(*entry));

	if (!entry)
		return NULL;
	*entry = (Common__Payload__MetadataEntry)COMMON__PAYLOAD__METADATA_ENTRY__INIT;
	entry->key = arena_strdup(arena, key ? key : "");
	entry->value.data = arena_memdup(arena, value.ptr ? value.ptr : "", value.len);
	entry->value.len = value.len;
	return entry->key && entry->value.data ? entry : NULL;
}

/*
 * The constant list is shared, so the payload gets a list of its own; it is not changed in place.
 */
bool payload_add_metadata(
	struct arena *arena, Common__Payload *payload, const char *key, struct str value)
{
	size_t count = payload->n_metadata;
	Common__Payload__MetadataEntry **list = arena_array(arena, count + 1, sizeof(*list));

	if (!list)
		return false;
	memcpy(list, payload->metadata, count * sizeof(*list));
	list[count] = entry_new(arena, key, value);
	payload->metadata = list;
	payload->n_metadata = count + 1;
	return list[count] != NULL;
}

/*
 * The metadata of a public payload: its encoding, then the others. A payload that has none but a
 * known encoding, as nearly all have, shares the constant list.
 */
static Common__Payload__MetadataEntry **metadata_to_api(
	struct arena *arena, const struct temporal_payload *in, struct str name)
{
	enum payload_encoding encoding = encoding_of(name);

	if (encoding != PAYLOAD_OTHER && in->n_metadata == 0)
		return &lists[encoding];
	Common__Payload__MetadataEntry **list =
		arena_array(arena, in->n_metadata + 1, sizeof(*list));
	if (!list)
		return NULL;
	list[0] =
		encoding != PAYLOAD_OTHER ? &entries[encoding] : entry_new(arena, "encoding", name);
	if (!list[0])
		return NULL;
	for (size_t i = 0; i < in->n_metadata; i++) {
		struct temporal_bytes value = in->metadata[i].value;

		list[i + 1] = entry_new(
			arena, in->metadata[i].key, (struct str){ value.data, value.len });
		if (!list[i + 1])
			return NULL;
	}
	return list;
}

Common__Payload *convert_payload_to_api(struct arena *arena, const struct temporal_payload *in)
{
	struct str name = str_from(in->encoding ? in->encoding : "json/plain");
	Common__Payload *payload = payload_new(arena, PAYLOAD_BINARY, in->data.len);

	if (!payload)
		return NULL;
	if (in->data.len)
		memcpy(payload->data.data, in->data.data, in->data.len);
	payload->metadata = metadata_to_api(arena, in, name);
	payload->n_metadata = in->n_metadata + 1;
	return payload->metadata ? payload : NULL;
}

/* The encoding gets its own field in the public struct; the list has only the others. */
static bool metadata_from_api(struct arena *arena, const Common__Payload *payload,
	struct temporal_metadata *list, struct temporal_payload *out)
{
	for (size_t i = 0; i < payload->n_metadata; i++) {
		const Common__Payload__MetadataEntry *entry = payload->metadata[i];

		if (str_same(entry->key, "encoding")) {
			out->encoding = arena_str(arena, bytes_str(entry->value));
			if (!out->encoding)
				return false;
			continue;
		}
		struct temporal_metadata *to = &list[out->n_metadata++];
		to->key = arena_strdup(arena, entry->key ? entry->key : "");
		to->value.len = entry->value.len;
		to->value.data = arena_memdup(arena, entry->value.data, entry->value.len);
		if (!to->key || !to->value.data)
			return false;
	}
	return true;
}

/* The list is not made for the usual payload, whose one entry is the encoding. */
enum temporal_code convert_payload_from_api(
	struct arena *arena, const Common__Payload *payload, struct temporal_payload *out)
{
	struct temporal_metadata *list = NULL;

	*out = (struct temporal_payload){ .encoding = "" };
	if (payload->n_metadata > 1 || !payload_metadata(payload, "encoding").ptr) {
		list = arena_array(arena, payload->n_metadata, sizeof(*list));
		if (!list)
			return TEMPORAL_NO_MEMORY;
	}
	if (!metadata_from_api(arena, payload, list, out))
		return TEMPORAL_NO_MEMORY;
	out->metadata = out->n_metadata ? list : NULL;
	out->data.len = payload->data.len;
	out->data.data = arena_memdup(arena, payload->data.data, payload->data.len);
	return out->data.data ? TEMPORAL_OK : TEMPORAL_NO_MEMORY;
}

Common__Payloads *convert_payloads_to_api(
	struct arena *arena, const struct temporal_payloads *payloads)
{
	Common__Payloads *message = PROTO_NEW(arena, Common__Payloads, common__payloads);

	if (!message)
		return NULL;
	message->n_payloads = payloads->count;
	message->payloads = arena_array(arena, payloads->count, sizeof(message->payloads[0]));
	for (size_t i = 0; i < payloads->count && message->payloads; i++) {
		message->payloads[i] = convert_payload_to_api(arena, &payloads->items[i]);
		if (!message->payloads[i])
			return NULL;
	}
	return message->payloads ? message : NULL;
}

bool convert_payloads_from_api(struct arena *arena, Common__Payload *const *items, size_t count,
	struct temporal_payloads *out)
{
	struct temporal_payload *copies = arena_array(arena, count, sizeof(*copies));

	if (!copies)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (convert_payload_from_api(arena, items[i], &copies[i]))
			return false;
	}
	*out = (struct temporal_payloads){ copies, count };
	return true;
}
