/*
 * payload.c: payloads of one or two metadata entries, as all SDKs write them. Stateless.
 */
#include "proto/payload.h"

#include "proto/map.h"

/* No data is NULL: an empty value needs no memory. */
static bool value_copy(struct arena *arena, ProtobufCBinaryData *out, const void *data, size_t len)
{
	*out = (ProtobufCBinaryData){ 0 };
	if (len == 0)
		return true;
	out->data = arena_memdup(arena, data, len);
	out->len = len;
	return out->data;
}

Common__Payload *proto_payload_new(
	struct arena *arena, const char *encoding, const void *data, size_t len)
{
	Common__Payload *payload = PROTO_NEW(arena, Common__Payload, common__payload);

	if (!payload || !value_copy(arena, &payload->data, data, len) ||
		!proto_payload_set(arena, payload, PROTO_ENCODING_KEY, str_from(encoding)))
		return NULL;
	return payload;
}

/* A new entry without value at the end of the metadata. */
static Common__Payload__MetadataEntry *entry_add(
	struct arena *arena, Common__Payload *payload, const char *key)
{
	size_t n = payload->n_metadata;
	Common__Payload__MetadataEntry *entry =
		PROTO_NEW(arena, Common__Payload__MetadataEntry, common__payload__metadata_entry);
	Common__Payload__MetadataEntry **array = arena_array(arena, n + 1, sizeof(*array));

	if (!entry || !array)
		return NULL;
	entry->key = arena_strdup(arena, key);
	if (!entry->key)
		return NULL;
	if (n)
		memcpy(array, payload->metadata, n * sizeof(*array));
	array[n] = entry;
	payload->metadata = array;
	payload->n_metadata = n + 1;
	return entry;
}

/* Replaces the value of a key that is there: a map has each key once. */
bool proto_payload_set(
	struct arena *arena, Common__Payload *payload, const char *key, struct str value)
{
	Common__Payload__MetadataEntry *entry =
		proto_map_find(payload->metadata, payload->n_metadata, key);

	if (!entry)
		entry = entry_add(arena, payload, key);
	return entry && value_copy(arena, &entry->value, value.ptr, value.len);
}

static struct str text_of(ProtobufCBinaryData data)
{
	return (struct str){ (const char *)data.data, data.data ? data.len : 0 };
}

struct str proto_payload_get(const Common__Payload *payload, const char *key)
{
	const Common__Payload__MetadataEntry *entry =
		payload ? proto_map_find(payload->metadata, payload->n_metadata, key) : NULL;

	return entry ? text_of(entry->value) : (struct str){ NULL, 0 };
}

bool proto_payload_is(const Common__Payload *payload, const char *encoding)
{
	return str_eq(proto_payload_get(payload, PROTO_ENCODING_KEY), str_from(encoding));
}

struct str proto_payload_data(const Common__Payload *payload)
{
	return payload ? text_of(payload->data) : (struct str){ NULL, 0 };
}

Common__Payloads *proto_payloads_new(struct arena *arena, size_t n)
{
	Common__Payloads *payloads = PROTO_NEW(arena, Common__Payloads, common__payloads);

	if (!payloads || n == 0)
		return payloads;
	payloads->payloads = arena_array(arena, n, sizeof(payloads->payloads[0]));
	payloads->n_payloads = n;
	return payloads->payloads ? payloads : NULL;
}

Common__Payloads *proto_payloads_copy(struct arena *arena, const Common__Payloads *payloads)
{
	return proto_copy(arena, payloads);
}

/* Has it nothing but metadata and data, each entry with key and value? */
static bool is_plain(const Common__Payload *payload)
{
	if (payload->base.n_unknown_fields || payload->n_external_payloads)
		return false;
	for (size_t i = 0; i < payload->n_metadata; i++)
		if (!payload->metadata[i] || !payload->metadata[i]->key ||
			payload->metadata[i]->base.n_unknown_fields)
			return false;
	return true;
}

static size_t plain_size(const Common__Payload *payload)
{
	size_t size = sizeof(*payload) + payload->data.len;

	for (size_t i = 0; i < payload->n_metadata; i++)
		size += sizeof(void *) + sizeof(*payload->metadata[i]) +
			strlen(payload->metadata[i]->key) + 1 + payload->metadata[i]->value.len;
	return size;
}

/* The bytes, at a place that moves on. */
static void *put_bytes(char **at, const void *data, size_t len)
{
	char *to = *at;

	if (len)
		memcpy(to, data, len);
	*at += len;
	return to;
}

/*
 * Every argument and every result is copied once or twice on its way, so the usual payload goes
 * without the walk over its fields: one block for structs, pointers and texts, in this order.
 */
Common__Payload *proto_payload_copy(struct arena *arena, const Common__Payload *payload)
{
	if (!is_plain(payload))
		return proto_copy(arena, payload);
	size_t n = payload->n_metadata;
	Common__Payload *copy = arena_alloc_aligned(arena, plain_size(payload), 8);

	if (!copy)
		return NULL;
	Common__Payload__MetadataEntry *entries = (Common__Payload__MetadataEntry *)(copy + 1);
	Common__Payload__MetadataEntry **array = (Common__Payload__MetadataEntry **)(entries + n);
	char *at = (char *)(array + n);

	*copy = *payload;
	if (n)
		copy->metadata = array;
	for (size_t i = 0; i < n; i++) {
		const Common__Payload__MetadataEntry *from = payload->metadata[i];

		entries[i] = *from;
		entries[i].key = put_bytes(&at, from->key, strlen(from->key) + 1);
		if (from->value.len)
			entries[i].value.data = put_bytes(&at, from->value.data, from->value.len);
		array[i] = &entries[i];
	}
	if (payload->data.len)
		copy->data.data = put_bytes(&at, payload->data.data, payload->data.len);
	return copy;
}

size_t proto_payloads_count(const Common__Payloads *payloads)
{
	return payloads ? payloads->n_payloads : 0;
}
