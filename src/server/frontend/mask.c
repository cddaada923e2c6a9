/*
 * mask.c: merging messages by a field mask, driven by the messages' descriptors: one walk for all
 * requests that update something. Clients write the names in snake case or in camel case; both
 * are the same without underscores and case. Pure, but for the answer to a bad request.
 */
#include "server/frontend/mask.h"

#include <string.h>

#include "server/state.h"

/* Steps over one letter that counts. */
static char next(const char **text)
{
	while (**text == '_')
		(*text)++;
	return **text ? str_lower(*(*text)++) : '\0';
}

/* Does `given` begin with `path`? The rest of it then. */
static const char *after(const char *given, const char *path)
{
	char letter;

	while ((letter = next(&path)) != '\0') {
		if (next(&given) != letter)
			return NULL;
	}
	return given;
}

bool mask_names(const Google__FieldMask *mask, const char *path)
{
	for (size_t i = 0; mask && i < mask->n_paths; i++) {
		const char *rest = after(mask->paths[i], path);

		if (rest && *rest == '\0')
			return true;
	}
	return false;
}

bool mask_names_part(const Google__FieldMask *mask, const char *path)
{
	for (size_t i = 0; mask && i < mask->n_paths; i++) {
		const char *rest = after(mask->paths[i], path);

		if (rest && *rest == '.')
			return true;
	}
	return false;
}

static const ProtobufCFieldDescriptor *field_of(
	const ProtobufCMessageDescriptor *type, const char *name, size_t len)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (strlen(type->fields[i].name) == len &&
			memcmp(type->fields[i].name, name, len) == 0)
			return &type->fields[i];
	}
	return NULL;
}

static bool is_path(const ProtobufCMessageDescriptor *type, const char *path)
{
	for (;;) {
		size_t len = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field = type ? field_of(type, path, len) : NULL;

		if (!field || path[len] == '\0')
			return field;
		type = field->type == PROTOBUF_C_TYPE_MESSAGE &&
				       field->label != PROTOBUF_C_LABEL_REPEATED
			       ? field->descriptor
			       : NULL;
		path += len + 1;
	}
}

const char *mask_invalid(const Google__FieldMask *mask, const ProtobufCMessageDescriptor *type)
{
	for (size_t i = 0; i < mask->n_paths; i++) {
		if (!is_path(type, mask->paths[i]))
			return mask->paths[i];
	}
	return NULL;
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(double);
	case PROTOBUF_C_TYPE_FLOAT:
		return sizeof(float);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return sizeof(int32_t);
	}
}

/* The submessage in which the field's last part lies, on both sides. */
struct place {
	const char *from;
	char *into;
	const ProtobufCMessageDescriptor *type;
};

/* False: answered. */
static bool descend(
	struct request *request, const struct mask_field *field, size_t len, struct place *place)
{
	const ProtobufCFieldDescriptor *part = field_of(place->type, field->path, len);
	const void *from;
	void *into;

	memcpy(&from, place->from + part->offset, sizeof(from));
	memcpy(&into, place->into + part->offset, sizeof(into));
	if (!from && !field->needs)
		from = request_message(request, part->descriptor);
	if (!from) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s is not provided",
			field->needs);
		return false;
	}
	if (!into) {
		into = request_message(request, part->descriptor);
		memcpy(place->into + part->offset, &into, sizeof(into));
	}
	*place = (struct place){ from, into, part->descriptor };
	return true;
}

static bool merge_field(
	struct request *request, const struct mask_field *field, const void *from, void *into)
{
	struct place place = { from, into, ((const ProtobufCMessage *)from)->descriptor };
	const char *dot = strchr(field->path, '.'), *name = dot ? dot + 1 : field->path;
	const ProtobufCFieldDescriptor *leaf;
	const void *value;

	if (dot && !descend(request, field, (size_t)(dot - field->path), &place))
		return false;
	leaf = field_of(place.type, name, strlen(name));
	if (!dot && field->needs) {
		memcpy(&value, place.from + leaf->offset, sizeof(value));
		if (!value) {
			request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s is not provided",
				field->needs);
			return false;
		}
	}
	memcpy(place.into + leaf->offset, place.from + leaf->offset, size_of(leaf));
	return true;
}

bool mask_merge(struct request *request, const struct mask_field *fields, size_t n_fields,
	const Google__FieldMask *mask, const void *from, void *into)
{
	for (size_t i = 0; i < n_fields; i++) {
		if (mask_names(mask, fields[i].path) &&
			!merge_field(request, &fields[i], from, into))
			return false;
	}
	return true;
}
