/*
 * search_attributes.c: the operators' calls for a namespace's search attributes, and what the
 * server and its flags do with them. Each alias is a setting of the store, by namespace and column.
 *
 * Loop's thread; what the flags ask for, at start, the caller's.
 */
#include "base/error.h"
#include "server/frontend/frontend.h"
#include "server/journal.h"
#include "server/store/store.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define CUSTOM_ENTRY \
	&operatorservice__list_search_attributes_response__custom_attributes_entry__descriptor
#define SYSTEM_ENTRY \
	&operatorservice__list_search_attributes_response__system_attributes_entry__descriptor
#define KEYS_ENTRY &workflowservice__get_search_attributes_response__keys_entry__descriptor

/* The aliases as they are now, into the store. */
static void save(struct server *server, const struct server_namespace *space)
{
	struct store_batch *batch = store_batch_new();

	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++) {
		const struct visibility_column *column;
		const char *alias = search_attributes_alias(&space->search_attributes, i, &column);
		const char *key = arena_printf(
			&server->scratch, "%lld/%s", (long long)space->number, column->name);

		if (!key)
			server_no_memory(server);
		else if (alias)
			store_batch_set(
				batch, JOURNAL_SEARCH_ATTRIBUTES, key, alias, strlen(alias));
		else
			store_batch_unset(batch, JOURNAL_SEARCH_ATTRIBUTES, key);
	}
	journal_submit_other(server, batch);
}

static struct server_namespace *find_namespace(struct request *request, const char *name)
{
	return frontend_text(request, name, "Namespace is not set on request.")
		       ? frontend_namespace(request, name)
		       : NULL;
}

void frontend_add_search_attributes(struct request *request)
{
	const Operatorservice__AddSearchAttributesRequest *in = request->message;
	size_t n = in->n_search_attributes;
	struct search_attribute *list = arena_array(request->arena, n, sizeof(*list));
	struct temporal_error err;

	if (!list) {
		request_fail(request, TEMPORAL_RESOURCE_EXHAUSTED, NULL, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		list[i].name = in->search_attributes[i]->key;
		list[i].type = (int32_t)in->search_attributes[i]->value;
	}
	if (!frontend_known_if_named(request, in->namespace_))
		return;
	/* What is wrong in itself is told before a namespace is asked for. */
	bool valid = search_attributes_validate(list, n, &err) == TEMPORAL_OK;
	struct server_namespace *space = valid ? find_namespace(request, in->namespace_) : NULL;
	if (space && search_attributes_add(&space->search_attributes, list, n, &err) != TEMPORAL_OK)
		valid = false;
	if (!valid) {
		request_fail(request, err.code, NULL, "%s", err.message);
		return;
	}
	if (!space)
		return;
	save(request->server, space);
	request_reply(request, REQUEST_NEW(request, Operatorservice__AddSearchAttributesResponse,
				       operatorservice__add_search_attributes_response));
}

void frontend_remove_search_attributes(struct request *request)
{
	const Operatorservice__RemoveSearchAttributesRequest *in = request->message;
	size_t n = in->n_search_attributes;
	struct server_namespace *space;
	struct temporal_error err;

	if (!frontend_known_if_named(request, in->namespace_) ||
		!frontend_present(
			request, n ? in : NULL, "SearchAttributes are not set on request."))
		return;
	space = find_namespace(request, in->namespace_);
	if (!space)
		return;
	if (search_attributes_remove(&space->search_attributes,
		    (const char *const *)in->search_attributes, n, &err) != TEMPORAL_OK) {
		request_fail(request, err.code, NULL, "%s", err.message);
		return;
	}
	save(request->server, space);
	request_reply(request, REQUEST_NEW(request, Operatorservice__RemoveSearchAttributesResponse,
				       operatorservice__remove_search_attributes_response));
}

/* A name and its type, in one of the maps of the answers, which are all of one shape. */
static void *entry_of(struct request *request, const ProtobufCMessageDescriptor *map,
	const char *name, enum visibility_type type)
{
	Workflowservice__GetSearchAttributesResponse__KeysEntry *entry =
		request_message(request, map);

	entry->key = request_text(request, name);
	entry->value = (Enums__IndexedValueType)type;
	return entry;
}

void frontend_list_search_attributes(struct request *request)
{
	const Operatorservice__ListSearchAttributesRequest *in = request->message;
	struct server_namespace *space = find_namespace(request, in->namespace_);
	const struct visibility_column *column, *columns;
	size_t n;

	if (!space)
		return;
	Operatorservice__ListSearchAttributesResponse *out =
		REQUEST_NEW(request, Operatorservice__ListSearchAttributesResponse,
			operatorservice__list_search_attributes_response);
	columns = visibility_columns(&n);
	out->custom_attributes =
		request_array(request, SEARCH_ATTRIBUTES_CUSTOM, sizeof(*out->custom_attributes));
	out->system_attributes = request_array(request, n, sizeof(*out->system_attributes));
	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM && out->custom_attributes; i++) {
		const char *alias = search_attributes_alias(&space->search_attributes, i, &column);

		if (alias)
			out->custom_attributes[out->n_custom_attributes++] =
				entry_of(request, CUSTOM_ENTRY, alias, column->type);
	}
	for (size_t i = 0; i < n && out->system_attributes; i++) {
		if (!columns[i].custom)
			out->system_attributes[out->n_system_attributes++] =
				entry_of(request, SYSTEM_ENTRY, columns[i].name, columns[i].type);
	}
	request_reply(request, out);
}

/* All columns, whatever a namespace calls them: the call knows no namespace. */
void frontend_get_search_attributes(struct request *request)
{
	Workflowservice__GetSearchAttributesResponse *out =
		REQUEST_NEW(request, Workflowservice__GetSearchAttributesResponse,
			workflowservice__get_search_attributes_response);
	size_t n;
	const struct visibility_column *columns = visibility_columns(&n);

	out->keys = request_array(request, n, sizeof(*out->keys));
	for (size_t i = 0; i < n && out->keys; i++)
		out->keys[out->n_keys++] =
			entry_of(request, KEYS_ENTRY, columns[i].name, columns[i].type);
	request_reply(request, out);
}

void namespace_describe_aliases(struct request *request, const struct server_namespace *space,
	Namespace__NamespaceConfig *out)
{
	out->custom_search_attribute_aliases = request_array(
		request, SEARCH_ATTRIBUTES_CUSTOM, sizeof(*out->custom_search_attribute_aliases));
	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM && out->custom_search_attribute_aliases;
		i++) {
		const struct visibility_column *column;
		const char *alias = search_attributes_alias(&space->search_attributes, i, &column);

		if (!alias)
			continue;
		Namespace__NamespaceConfig__CustomSearchAttributeAliasesEntry *entry = REQUEST_NEW(
			request, Namespace__NamespaceConfig__CustomSearchAttributeAliasesEntry,
			namespace__namespace_config__custom_search_attribute_aliases_entry);
		entry->key = column->name;
		entry->value = request_text(request, alias);
		out->custom_search_attribute_aliases[out->n_custom_search_attribute_aliases++] =
			entry;
	}
}

enum temporal_code namespace_add_attribute(struct server *server, struct server_namespace *space,
	const char *definition, struct temporal_error *err)
{
	const char *equals = strchr(definition, '=');
	struct search_attribute attribute = { 0 };

	if (equals)
		attribute.type = (int32_t)visibility_type_find(str_from(equals + 1));
	if (!equals || equals == definition || !attribute.type)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"search attribute \"%s\" is none; expected NAME=TYPE, with a type of Text, "
			"Keyword, Int, Double, Bool, Datetime, KeywordList",
			definition);
	attribute.name = arena_str(
		&server->scratch, (struct str){ definition, (size_t)(equals - definition) });
	if (!attribute.name)
		return error_no_memory(err, "a search attribute");
	enum temporal_code code =
		search_attributes_add(&space->search_attributes, &attribute, 1, err);
	if (code == TEMPORAL_OK)
		save(server, space);
	return code;
}

void namespace_forget_attributes(struct server *server, struct server_namespace *space)
{
	bool any = false;

	for (size_t i = 0; i < SEARCH_ATTRIBUTES_CUSTOM; i++)
		any = any || space->search_attributes.aliases[i];
	if (!any)
		return;
	search_attributes_finish(&space->search_attributes);
	save(server, space);
}
