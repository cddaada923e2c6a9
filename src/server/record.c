/*
 * record.c: the two walks over a table of fields, writing and reading.
 *
 * A record is written at each transition of its entity, so it holds only what is not zero, and is
 * written in place, without an allocation. Pure; any thread.
 */
#include "server/record.h"

#include "base/mem.h"

size_t record_varint_size(uint64_t value)
{
	size_t n = 1;

	while (value >= 0x80) {
		value >>= 7;
		n++;
	}
	return n;
}

uint8_t *record_varint_write(uint8_t *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t)value;
	return out;
}

size_t record_varint_read(const uint8_t *data, size_t len, uint64_t *value)
{
	uint64_t result = 0;

	for (size_t i = 0; i < len && i < 10; i++) {
		result |= (uint64_t)(data[i] & 0x7f) << (7 * i);
		if (!(data[i] & 0x80)) {
			*value = result;
			return i + 1;
		}
	}
	return 0;
}

static const void *at(const struct record_field *field, const void *object)
{
	return (const char *)object + field->offset;
}

static bool is_blob(const struct record_field *field)
{
	return field->kind == RECORD_TEXT || field->kind == RECORD_BYTES;
}

static struct str blob_of(const struct record_field *field, const void *object)
{
	if (field->kind == RECORD_TEXT)
		return str_from(*(char *const *)at(field, object));

	const struct bytes *bytes = at(field, object);
	return (struct str){ (const char *)bytes->ptr, bytes->len };
}

static uint64_t number_of(const struct record_field *field, const void *object)
{
	uint64_t number = 0;

	switch (field->kind) {
	case RECORD_INT:
		return (uint64_t) * (const int64_t *)at(field, object);
	case RECORD_SMALL:
		return (uint64_t)(int64_t) * (const int32_t *)at(field, object);
	case RECORD_BOOL:
		return *(const bool *)at(field, object);
	default:
		memcpy(&number, at(field, object), sizeof(double));
		return number;
	}
}

size_t record_size(const struct record_type *type, const void *object)
{
	size_t size = 0;

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		size_t len = is_blob(field) ? blob_of(field, object).len : 0;
		uint64_t number = is_blob(field) ? len : number_of(field, object);

		if (number)
			size += 1 + record_varint_size(number) + len;
	}
	return size;
}

void record_write(const struct record_type *type, const void *object, uint8_t *out)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		struct str blob = is_blob(field) ? blob_of(field, object) : (struct str){ 0 };
		uint64_t number = is_blob(field) ? blob.len : number_of(field, object);

		if (!number)
			continue;
		/* The lowest bit says whether bytes follow, for readers that do not know the
		 * field. */
		*out++ = (uint8_t)((field->number << 1) | is_blob(field));
		out = record_varint_write(out, number);
		if (blob.len)
			memcpy(out, blob.ptr, blob.len);
		out += blob.len;
	}
}

static const struct record_field *find(const struct record_type *type, uint8_t number)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		if (type->fields[i].number == number)
			return &type->fields[i];
	}
	return NULL;
}

static bool store_blob(
	const struct record_field *field, void *object, const uint8_t *data, size_t len)
{
	void *member = (char *)object + field->offset;

	if (field->kind == RECORD_BYTES)
		return record_set_bytes(member, data, len);

	char *text = mem_alloc(len + 1);
	if (!text)
		return false;
	memcpy(text, data, len);
	text[len] = '\0';
	mem_free(*(char **)member);
	*(char **)member = text;
	return true;
}

static void store_number(const struct record_field *field, void *object, uint64_t number)
{
	void *member = (char *)object + field->offset;

	switch (field->kind) {
	case RECORD_INT:
		*(int64_t *)member = (int64_t)number;
		break;
	case RECORD_SMALL:
		*(int32_t *)member = (int32_t)(int64_t)number;
		break;
	case RECORD_BOOL:
		*(bool *)member = number != 0;
		break;
	default:
		memcpy(member, &number, sizeof(double));
	}
}

bool record_read(const struct record_type *type, void *object, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint8_t tag = data[i++];
		uint64_t number = 0;
		size_t n = record_varint_read(data + i, len - i, &number);
		const struct record_field *field = find(type, tag >> 1);
		bool blob = tag & 1;

		i += n;
		if (n == 0 || (blob && number > len - i) || (field && is_blob(field) != blob))
			return false;
		if (field && blob && !store_blob(field, object, data + i, (size_t)number))
			return false;
		if (field && !blob)
			store_number(field, object, number);
		i += blob ? (size_t)number : 0;
	}
	return true;
}

void record_finish(const struct record_type *type, void *object)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		void *member = (char *)object + type->fields[i].offset;

		if (type->fields[i].kind == RECORD_TEXT)
			mem_free(*(char **)member);
		else if (type->fields[i].kind == RECORD_BYTES)
			mem_free(((struct bytes *)member)->ptr);
	}
}

bool record_set_text(char **field, const char *text)
{
	char *copy = NULL;

	if (!str_empty(text)) {
		copy = mem_strdup(text);
		if (!copy)
			return false;
	}
	mem_free(*field);
	*field = copy;
	return true;
}

bool record_set_bytes(struct bytes *field, const void *data, size_t len)
{
	uint8_t *copy = NULL;

	if (len) {
		copy = mem_alloc(len);
		if (!copy)
			return false;
		memcpy(copy, data, len);
	}
	mem_free(field->ptr);
	*field = (struct bytes){ copy, len };
	return true;
}
