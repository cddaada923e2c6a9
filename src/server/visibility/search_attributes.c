/*
 * search_attributes.c: a namespace's aliases for the custom columns: adding, removing, finding;
 * and whether a run may have certain attributes. Values are search_value.c's.
 *
 * Invariants: an alias stands for one column; of the free columns of a type the first is taken,
 * so the same requests give the same columns. Owned by the server's loop.
 */
#include "server/visibility/search_attributes.h"

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/map.h"
#include "proto/payload.h"

static const struct visibility_column *custom_column(size_t i)
{
	size_t n;
	const struct visibility_column *columns = visibility_columns(&n);

	return &columns[n - SEARCH_ATTRIBUTES_CUSTOM + i];
}

void search_attributes_finish(struct search_attributes *attributes)
{
	if (!attributes)
		return;
	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++)
		mem_free(attributes->aliases[i]);
	*attributes = (struct search_attributes){ 0 };
}

/* The index of the alias's column; SEARCH_ATTRIBUTES_CUSTOM for none. */
static size_t find(const struct search_attributes *attributes, struct str alias)
{
	size_t i = 0;

	while (i < SEARCH_ATTRIBUTES_CUSTOM &&
		!(attributes->aliases[i] && str_eq(alias, str_from(attributes->aliases[i]))))
		i++;
	return i;
}

const struct visibility_column *search_attributes_find(void *attributes, struct str alias)
{
	size_t i = find(attributes, alias);

	return i < SEARCH_ATTRIBUTES_CUSTOM ? custom_column(i) : NULL;
}

/* What an alias or a system's name stands for; NULL: unknown. */
static const struct visibility_column *column_of(
	const struct search_attributes *attributes, const char *key)
{
	size_t i = find(attributes, str_from(key));
	const struct visibility_column *column = i < SEARCH_ATTRIBUTES_CUSTOM
							 ? custom_column(i)
							 : visibility_column_find(str_from(key));

	return column && column->custom && i == SEARCH_ATTRIBUTES_CUSTOM ? NULL : column;
}

const char *search_attributes_alias(const struct search_attributes *attributes, size_t i,
	const struct visibility_column **column)
{
	*column = custom_column(i);
	return attributes->aliases[i];
}

bool search_attributes_restore(
	struct search_attributes *attributes, const char *column, const char *alias)
{
	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++) {
		if (!str_same(column, custom_column(i)->name))
			continue;
		char *copy = mem_strdup(alias);
		if (!copy)
			return false;
		mem_free(attributes->aliases[i]);
		attributes->aliases[i] = copy;
		return true;
	}
	return false;
}

/* Names that the system keeps for itself: its columns, its prefix, and three of its fields. */
static bool is_reserved(const char *name)
{
	const struct visibility_column *column = visibility_column_find(str_from(name));

	return (column && !column->custom) || strncmp(name, "Temporal", 8) == 0 ||
	       str_same(name, "Memo") || str_same(name, "NamespaceId") ||
	       str_same(name, "VisibilityTaskKey");
}

static size_t columns_of(enum visibility_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++)
		n += custom_column(i)->type == type;
	return n;
}

static enum temporal_code add_one(struct search_attributes *attributes,
	const struct search_attribute *attribute, struct temporal_error *err)
{
	enum visibility_type type = (enum visibility_type)attribute->type;
	size_t i = 0;

	if (str_empty(attribute->name) ||
		find(attributes, str_from(attribute->name)) < SEARCH_ATTRIBUTES_CUSTOM)
		return TEMPORAL_OK;
	while (i < SEARCH_ATTRIBUTES_CUSTOM &&
		(custom_column(i)->type != type || attributes->aliases[i]))
		i++;
	if (i == SEARCH_ATTRIBUTES_CUSTOM)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"Unable to create search attributes: cannot have more than %zu search "
			"attribute of type %s.",
			columns_of(type), visibility_type_name(type));
	attributes->aliases[i] = mem_strdup(attribute->name);
	return attributes->aliases[i] ? TEMPORAL_OK : error_no_memory(err, "a search attribute");
}

enum temporal_code search_attributes_validate(
	const struct search_attribute *list, size_t n, struct temporal_error *err)
{
	if (!n)
		return error_set(
			err, TEMPORAL_INVALID_ARGUMENT, "SearchAttributes are not set on request.");
	for (size_t i = 0; i < n; i++) {
		if (is_reserved(list[i].name))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"Search attribute %s is reserved by system.", list[i].name);
		if (list[i].type < 0 || list[i].type >= VISIBILITY_TYPE_COUNT)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"Unknown search attribute type: %d.", (int)list[i].type);
	}
	return TEMPORAL_OK;
}

enum temporal_code search_attributes_add(struct search_attributes *attributes,
	const struct search_attribute *list, size_t n, struct temporal_error *err)
{
	struct search_attributes before = *attributes;
	enum temporal_code code = search_attributes_validate(list, n, err);

	for (size_t i = 0; code == TEMPORAL_OK && i < n; i++)
		code = add_one(attributes, &list[i], err);
	if (code == TEMPORAL_OK)
		return TEMPORAL_OK;
	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++) {
		if (!before.aliases[i])
			mem_free(attributes->aliases[i]);
	}
	*attributes = before;
	return code;
}

enum temporal_code search_attributes_remove(struct search_attributes *attributes,
	const char *const *names, size_t n, struct temporal_error *err)
{
	if (!n)
		return error_set(
			err, TEMPORAL_INVALID_ARGUMENT, "SearchAttributes are not set on request.");
	for (size_t i = 0; i < n; i++) {
		if (find(attributes, str_from(names[i])) == SEARCH_ATTRIBUTES_CUSTOM &&
			visibility_column_find(str_from(names[i])))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"Unable to remove non-custom search attributes: %s.", names[i]);
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = find(attributes, str_from(names[i]));
		if (at == SEARCH_ATTRIBUTES_CUSTOM)
			continue;
		mem_free(attributes->aliases[at]);
		attributes->aliases[at] = NULL;
	}
	return TEMPORAL_OK;
}

/* Does only the server itself give it a value? */
static bool is_of_server(const struct visibility_column *column)
{
	static const char *const prefixes[] = { "TemporalWork", "TemporalUsedWorker",
		"TemporalExternalPayload" };
	bool found = column->place != VISIBILITY_ATTRIBUTE;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		found = found || strncmp(column->name, prefixes[i], strlen(prefixes[i])) == 0;
	return found;
}

static enum temporal_code check_one(const struct search_attributes *attributes,
	const char *name_space, const Common__SearchAttributes__IndexedFieldsEntry *entry,
	struct temporal_error *err)
{
	const struct visibility_column *column = column_of(attributes, entry->key);
	size_t size = entry->value ? entry->value->data.len : 0;
	struct visibility_value value;
	struct arena arena;

	if (!column)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"Namespace %s has no mapping defined for search attribute %s", name_space,
			entry->key);
	if (is_of_server(column))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"%s attribute can't be set in SearchAttributes", entry->key);
	if (size > SEARCH_ATTRIBUTES_VALUE_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"search attribute %s value size %zu exceeds size limit %d", entry->key,
			size, SEARCH_ATTRIBUTES_VALUE_MAX);
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	enum temporal_code code =
		search_attribute_decode(&arena, entry->key, column, entry->value, &value, err);
	arena_finish(&arena);
	return code;
}

enum temporal_code search_attributes_check(const struct search_attributes *attributes,
	const char *name_space, const Common__SearchAttributes *values, struct temporal_error *err)
{
	enum temporal_code code = TEMPORAL_OK;

	if (!values)
		return TEMPORAL_OK;
	if (values->n_indexed_fields > SEARCH_ATTRIBUTES_COUNT_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"number of search attributes %zu exceeds limit %d",
			values->n_indexed_fields, SEARCH_ATTRIBUTES_COUNT_MAX);
	for (size_t i = 0; code == TEMPORAL_OK && i < values->n_indexed_fields; i++)
		code = check_one(attributes, name_space, values->indexed_fields[i], err);
	size_t size = proto_size(values);
	if (code == TEMPORAL_OK && size > SEARCH_ATTRIBUTES_TOTAL_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"total size of search attributes %zu exceeds size limit %d", size,
			SEARCH_ATTRIBUTES_TOTAL_MAX);
	return code;
}

/* ---- A run's attributes ---- */

/* Null, an empty list: such a value takes the attribute away. */
static bool is_unset(
	struct arena *arena, const struct visibility_column *column, const Common__Payload *payload)
{
	struct visibility_value value;

	return search_attribute_decode(arena, column->name, column, payload, &value, NULL) ==
		       TEMPORAL_OK &&
	       value.kind == VISIBILITY_NULL;
}

/* Puts a copy of the value, with its type, where the result has that key, or behind. */
static bool put(struct arena *arena, Common__SearchAttributes *out, const char *key,
	const Common__Payload *value, const struct visibility_column *column)
{
	Common__SearchAttributes__IndexedFieldsEntry *entry =
		proto_map_find(out->indexed_fields, out->n_indexed_fields, key);
	struct str type = str_from(visibility_type_name(column->type));

	if (!entry) {
		entry = proto_new(
			arena, &common__search_attributes__indexed_fields_entry__descriptor);
		if (!entry || !(entry->key = arena_strdup(arena, key)))
			return false;
		out->indexed_fields[out->n_indexed_fields++] = entry;
	}
	entry->value = proto_payload_copy(arena, value);
	if (!entry->value)
		return false;
	return proto_payload_get(entry->value, "type").len ||
	       proto_payload_set(arena, entry->value, "type", type);
}

static void take_away(Common__SearchAttributes *out, const char *key)
{
	for (size_t i = 0; i < out->n_indexed_fields; i++) {
		if (!str_same(out->indexed_fields[i]->key, key))
			continue;
		out->indexed_fields[i] = out->indexed_fields[--out->n_indexed_fields];
		return;
	}
}

static bool apply(struct arena *arena, const struct search_attributes *attributes,
	const Common__SearchAttributes *changes, Common__SearchAttributes *out)
{
	for (size_t i = 0; changes && i < changes->n_indexed_fields; i++) {
		const Common__SearchAttributes__IndexedFieldsEntry *entry =
			changes->indexed_fields[i];
		const struct visibility_column *column = column_of(attributes, entry->key);

		if (!column)
			continue;
		if (!entry->value || is_unset(arena, column, entry->value))
			take_away(out, entry->key);
		else if (!put(arena, out, entry->key, entry->value, column))
			return false;
	}
	return true;
}

const char *search_attributes_unknown(
	const struct search_attributes *attributes, const Common__SearchAttributes *values)
{
	for (size_t i = 0; values && i < values->n_indexed_fields; i++) {
		if (!column_of(attributes, values->indexed_fields[i]->key))
			return values->indexed_fields[i]->key;
	}
	return NULL;
}

Common__SearchAttributes *search_attributes_typed(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *values)
{
	Common__SearchAttributes *out = proto_new(arena, &common__search_attributes__descriptor);

	if (!out)
		return NULL;
	out->indexed_fields =
		arena_array(arena, values->n_indexed_fields + 1, sizeof(*out->indexed_fields));
	for (size_t i = 0; i < values->n_indexed_fields; i++) {
		const Common__SearchAttributes__IndexedFieldsEntry *entry =
			values->indexed_fields[i];
		const struct visibility_column *column = column_of(attributes, entry->key);

		if (column && entry->value &&
			(!out->indexed_fields ||
				!put(arena, out, entry->key, entry->value, column)))
			return NULL;
	}
	return out;
}

Common__SearchAttributes *search_attributes_merge(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *now,
	const Common__SearchAttributes *changes)
{
	Common__SearchAttributes *out = proto_new(arena, &common__search_attributes__descriptor);
	size_t n = (now ? now->n_indexed_fields : 0) + (changes ? changes->n_indexed_fields : 0);

	if (!out)
		return NULL;
	out->indexed_fields = arena_array(arena, n + 1, sizeof(*out->indexed_fields));
	if (!out->indexed_fields || !apply(arena, attributes, now, out) ||
		!apply(arena, attributes, changes, out))
		return NULL;
	return out;
}

struct visibility_value search_attributes_get(struct arena *arena,
	const struct search_attributes *attributes, const Common__SearchAttributes *values,
	const struct visibility_column *column)
{
	struct visibility_value value = { 0 };
	const char *key = column->name;

	for (size_t i = 0; column->custom && i < SEARCH_ATTRIBUTES_CUSTOM; i++) {
		if (custom_column(i) == column)
			key = attributes->aliases[i];
	}
	const Common__SearchAttributes__IndexedFieldsEntry *entry =
		values && key
			? proto_map_find(values->indexed_fields, values->n_indexed_fields, key)
			: NULL;
	if (!entry || !entry->value ||
		search_attribute_decode(arena, key, column, entry->value, &value, NULL) !=
			TEMPORAL_OK)
		return (struct visibility_value){ 0 };
	return value;
}
