/*
 * properties.c: memo and search attributes of a run, and merging what workflow code changes into
 * them. A key with an empty payload, or one that says null, is taken out. Memo and SearchAttributes
 * have one shape: a map from text to payload in field 1. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/map.h"
#include "proto/payload.h"
#include "server/history/history.h"

bool properties_is_nothing(const Common__Payload *payload)
{
	return !payload || proto_payload_is(payload, PROTO_ENCODING_NULL) ||
	       (payload->data.len == 0 && payload->n_metadata == 0) ||
	       (proto_payload_is(payload, PROTO_ENCODING_JSON) && payload->data.len == 4 &&
		       memcmp(payload->data.data, "null", 4) == 0);
}

/* In the scratch memory; NULL: memory is out, and the server knows it. */
static Common__Memo *merged(struct execution *execution, const struct bytes *field,
	const ProtobufCMessageDescriptor *type, const Common__Memo *change)
{
	struct arena *arena = &execution->server->scratch;
	Common__Memo *now = proto_decode(arena, type, field->ptr, field->len, NULL, NULL);
	Common__Memo__FieldsEntry **entries;
	size_t n = 0;

	entries =
		now ? arena_array(arena, now->n_fields + change->n_fields, sizeof(*entries)) : NULL;
	if (!entries) {
		server_no_memory(execution->server);
		return NULL;
	}
	for (size_t i = 0; i < now->n_fields; i++) {
		if (!proto_map_find(change->fields, change->n_fields, now->fields[i]->key))
			entries[n++] = now->fields[i];
	}
	for (size_t i = 0; i < change->n_fields; i++) {
		if (proto_map_is_last(change->fields, change->n_fields, i) &&
			!properties_is_nothing(change->fields[i]->value))
			entries[n++] = change->fields[i];
	}
	now->fields = entries;
	now->n_fields = n;
	return now;
}

void properties_merge(struct execution *execution, struct bytes *field,
	const ProtobufCMessageDescriptor *type, const void *changes)
{
	const Common__Memo *change = changes;

	if (!change || change->n_fields == 0)
		return;
	Common__Memo *now = merged(execution, field, type, change);
	if (!now)
		return;
	state_set_bytes(execution->server, field, now);
	transition_touch(execution);
}

size_t properties_merged_size(struct execution *execution, const Common__Memo *change)
{
	const Common__Memo *now =
		merged(execution, &execution->memo, &common__memo__descriptor, change);

	return now ? proto_size(now) : 0;
}
