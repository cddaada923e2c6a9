/*
 * namespace.c: namespaces: registering, describing, listing, updating, deprecating them. There is
 * one cluster, and no archive outside of the server, so that part of a request is checked, and then
 * of no effect.
 *
 * A namespace's own data, bad binaries and aliases are kept as the encoded messages that the API
 * has for them: nothing but these calls looks into them.
 *
 * Loop's thread.
 */
#include "server/frontend/namespace.h"

#include "proto/codec.h"
#include "proto/map.h"
#include "proto/time.h"
#include "server/journal.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define STATE(name_) ENUMS__NAMESPACE_STATE__NAMESPACE_STATE_##name_
#define CLUSTER      "active"

static Enums__NamespaceState state_of(const struct server_namespace *space)
{
	return space->state ? (Enums__NamespaceState)space->state : STATE(REGISTERED);
}

static const char *name_of_state(Enums__NamespaceState state)
{
	return state == STATE(DELETED)      ? "Deleted"
	       : state == STATE(DEPRECATED) ? "Deprecated"
					    : "Registered";
}

static void *decode(
	struct request *request, const ProtobufCMessageDescriptor *type, const struct bytes *data)
{
	void *message = proto_decode(request->arena, type, data->ptr, data->len, NULL, NULL);

	return message ? message : request_message(request, type);
}

void namespace_settings(struct request *request, const struct server_namespace *space,
	Namespace__NamespaceInfo *info, Namespace__NamespaceConfig *config)
{
	const Namespace__NamespaceInfo *own_info =
		decode(request, &namespace__namespace_info__descriptor, &space->info);
	const Namespace__NamespaceConfig *own_config =
		decode(request, &namespace__namespace_config__descriptor, &space->config);

	info->state = state_of(space);
	info->data = own_info->data;
	info->n_data = own_info->n_data;
	config->bad_binaries = own_config->bad_binaries;
	if (!config->bad_binaries)
		config->bad_binaries =
			REQUEST_NEW(request, Namespace__BadBinaries, namespace__bad_binaries);
	if (config->n_custom_search_attribute_aliases)
		return;
	config->custom_search_attribute_aliases = own_config->custom_search_attribute_aliases;
	config->n_custom_search_attribute_aliases = own_config->n_custom_search_attribute_aliases;
}

Replication__ClusterReplicationConfig **namespace_clusters(struct request *request)
{
	Replication__ClusterReplicationConfig **clusters =
		arena_alloc(request->arena, sizeof(*clusters));

	if (!clusters) {
		server_no_memory(request->server);
		return NULL;
	}
	clusters[0] = REQUEST_NEW(request, Replication__ClusterReplicationConfig,
		replication__cluster_replication_config);
	clusters[0]->cluster_name = CLUSTER;
	return clusters;
}

bool namespace_usable(struct request *request, const struct server_namespace *space, bool start)
{
	static Enums__NamespaceState allowed[] = { STATE(REGISTERED), STATE(DEPRECATED) };
	Errordetails__NamespaceInvalidStateFailure detail =
		ERRORDETAILS__NAMESPACE_INVALID_STATE_FAILURE__INIT;
	Enums__NamespaceState state = state_of(space);

	if (state == STATE(REGISTERED) || (state == STATE(DEPRECATED) && !start))
		return true;
	detail.namespace_ = space->name;
	detail.state = state;
	detail.allowed_states = allowed;
	detail.n_allowed_states = start ? 1 : 2;
	request_fail(request, TEMPORAL_FAILED_PRECONDITION, &detail,
		"Namespace has invalid state: %s. Must be %s.", name_of_state(state),
		start ? "Registered" : "Registered or Deprecated");
	return false;
}

struct server_namespace *namespace_by_id(const struct server *server, const char *id)
{
	struct server_namespace *space = server->namespaces;

	while (space && (space->gone || !str_same(space->id, id)))
		space = space->next;
	return space;
}

bool namespace_is_uuid(const char *text)
{
	return strlen(text) == SERVER_UUID_SIZE - 1 && text[8] == '-' && text[13] == '-' &&
	       text[18] == '-' && text[23] == '-';
}

void namespace_not_found(struct request *request, const char *name)
{
	Errordetails__NamespaceNotFoundFailure detail =
		ERRORDETAILS__NAMESPACE_NOT_FOUND_FAILURE__INIT;

	detail.namespace_ = name;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail, "Namespace %s is not found.", name);
}

/* ---- Describing ---- */

void frontend_describe_namespace(struct request *request)
{
	const Workflowservice__DescribeNamespaceRequest *in = request->message;
	const struct server_namespace *space;

	if (str_empty(in->id)) {
		if (!frontend_text(request, in->namespace_, "Namespace not set on request."))
			return;
		space = state_namespace(request->server, in->namespace_);
	} else if (!str_empty(in->namespace_)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"GetNamespace operation failed.  Both ID and Name specified in request.");
		return;
	} else if (!namespace_is_uuid(in->id)) {
		request_fail(request, TEMPORAL_UNKNOWN, NULL, "invalid UUID length: %zu",
			strlen(in->id));
		return;
	} else {
		space = namespace_by_id(request->server, in->id);
	}
	if (space)
		request_reply(request, namespace_describe(request, space));
	else
		namespace_not_found(request, str_empty(in->id) ? in->namespace_ : in->id);
}

/* In the order of their numbers. NULL: there is none after this one. */
static const struct server_namespace *after(
	const struct server *server, int64_t number, bool deleted)
{
	const struct server_namespace *found = NULL;

	for (const struct server_namespace *at = server->namespaces; at; at = at->next) {
		if (at->gone || at->number <= number || (found && at->number > found->number))
			continue;
		if (deleted || state_of(at) != STATE(DELETED))
			found = at;
	}
	return found;
}

static void put_token(
	struct request *request, Workflowservice__ListNamespacesResponse *response, int64_t number)
{
	response->next_page_token.data = arena_memdup(request->arena, &number, sizeof(number));
	response->next_page_token.len = sizeof(number);
	if (!response->next_page_token.data)
		server_no_memory(request->server);
}

void frontend_list_namespaces(struct request *request)
{
	const Workflowservice__ListNamespacesRequest *in = request->message;
	Workflowservice__ListNamespacesResponse *response = REQUEST_NEW(request,
		Workflowservice__ListNamespacesResponse, workflowservice__list_namespaces_response);
	bool deleted = in->namespace_filter && in->namespace_filter->include_deleted;
	size_t limit = in->page_size > 0 && in->page_size <= SERVER_NAMESPACE_PAGE
			       ? (size_t)in->page_size
			       : SERVER_NAMESPACE_PAGE;
	const struct server_namespace *at;
	int64_t number = 0;

	if (in->page_size < 0) {
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL,
			"ListNamespaces operation failed. Failed to get namespace rows. Error: "
			"missing one or more args for API");
		return;
	}
	if (in->next_page_token.len == sizeof(number))
		memcpy(&number, in->next_page_token.data, sizeof(number));
	response->namespaces = request_array(request, limit, sizeof(*response->namespaces));
	while (response->namespaces && response->n_namespaces < limit &&
		(at = after(request->server, number, deleted))) {
		response->namespaces[response->n_namespaces++] = namespace_describe(request, at);
		number = at->number;
	}
	if (after(request->server, number, deleted))
		put_token(request, response, number);
	request_reply(request, response);
}

/* ---- Registering ---- */

/* False: answered. */
static bool check_retention(struct request *request, const Google__Duration *retention, int64_t *ms)
{
	*ms = 0;
	if (proto_duration_ms(retention, ms) && *ms >= SERVER_RETENTION_MIN_MS)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"A valid retention period is not set on request.");
	return false;
}

/* False: answered. */
static bool check_cluster(struct request *request, const char *name)
{
	if (str_empty(name) || str_same(name, CLUSTER))
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "Invalid cluster name: %s", name);
	return false;
}

static bool check_clusters(
	struct request *request, Replication__ClusterReplicationConfig *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!check_cluster(request, list[i]->cluster_name))
			return false;
	}
	return true;
}

/* Makes new entries, sorted in by their keys, out of two maps of texts. */
static void merge_data(struct request *request, struct server_namespace *space,
	Namespace__UpdateNamespaceInfo__DataEntry *const *changes, size_t n_changes)
{
	Namespace__NamespaceInfo *info =
		decode(request, &namespace__namespace_info__descriptor, &space->info);
	Namespace__NamespaceInfo__DataEntry **entries =
		request_array(request, info->n_data + n_changes, sizeof(*entries));
	size_t n = 0;

	if (!entries)
		return;
	for (size_t i = 0; i < info->n_data; i++) {
		if (!proto_map_find(changes, n_changes, info->data[i]->key))
			entries[n++] = info->data[i];
	}
	for (size_t i = 0; i < n_changes; i++) {
		entries[n] = REQUEST_NEW(request, Namespace__NamespaceInfo__DataEntry,
			namespace__namespace_info__data_entry);
		entries[n]->key = changes[i]->key;
		entries[n++]->value = changes[i]->value;
	}
	info->data = entries;
	info->n_data = n;
	state_set_bytes(request->server, &space->info, info);
}

static void add(struct server *server, const char *name, const char *id, const char *description,
	const char *owner_email, int64_t retention_ms, bool by_call)
{
	struct server_namespace *space = state_namespace_new(server, name);

	if (!space)
		return;
	state_set_text(server, &space->id, id);
	state_set_text(server, &space->description, description);
	state_set_text(server, &space->owner_email, owner_email);
	space->retention_ms = retention_ms ? retention_ms : SERVER_RETENTION_MS;
	space->by_call = by_call;
	journal_namespace(server, space);
}

void frontend_register_namespace(struct request *request)
{
	const Workflowservice__RegisterNamespaceRequest *in = request->message;
	struct server *server = request->server;
	Errordetails__NamespaceAlreadyExistsFailure exists =
		ERRORDETAILS__NAMESPACE_ALREADY_EXISTS_FAILURE__INIT;
	int64_t retention_ms = 0;
	char id[SERVER_UUID_SIZE];

	if (!frontend_text(request, in->namespace_, "Namespace not set on request."))
		return;
	if (!frontend_length(request, in->namespace_, "Namespace length exceeds limit."))
		return;
	if (in->is_global_namespace) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Cannot register global namespace when not enabled");
		return;
	}
	if (!check_retention(request, in->workflow_execution_retention_period, &retention_ms))
		return;
	if (state_namespace(server, in->namespace_) || str_same(in->namespace_, SYSTEM_NAMESPACE)) {
		request_fail(request, TEMPORAL_ALREADY_EXISTS, &exists,
			"Namespace \"%s\" already exists", in->namespace_);
		return;
	}
	if (!check_cluster(request, in->active_cluster_name) ||
		!check_clusters(request, in->clusters, in->n_clusters))
		return;
	server_uuid(&server->io, id);
	add(server, in->namespace_, id, in->description, in->owner_email, retention_ms, true);
	struct server_namespace *space = state_namespace(server, in->namespace_);
	if (space && in->n_data) {
		/* Both maps are of texts: their entries are laid out alike. */
		merge_data(request, space,
			(Namespace__UpdateNamespaceInfo__DataEntry *const *)(const void *)in->data,
			in->n_data);
		journal_namespace(server, space);
	}
	request_reply(request, REQUEST_NEW(request, Workflowservice__RegisterNamespaceResponse,
				       workflowservice__register_namespace_response));
}

void namespace_register(struct server *server, const char *name, const char *description,
	const char *owner_email, int64_t retention_ms)
{
	char id[SERVER_UUID_SIZE];

	server_uuid(&server->io, id);
	add(server, name, id, description, owner_email, retention_ms, false);
}

void namespace_register_system(struct server *server)
{
	add(server, SYSTEM_NAMESPACE, "32049b68-7872-4094-8e63-d0dd59896a83",
		"Temporal internal system namespace", "temporal-core@temporal.io",
		7 * SERVER_RETENTION_MS, false);
}

/* ---- Updating ---- */

/* False: answered. */
static bool check_update(struct request *request, const struct server_namespace *space)
{
	const Workflowservice__UpdateNamespaceRequest *in = request->message;
	const Replication__NamespaceReplicationConfig *replication = in->replication_config;
	Enums__NamespaceState old = state_of(space),
			      new = in->update_info ? in->update_info->state : 0;

	if (new &&new != old && (new < old || old == STATE(DELETED))) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Invalid namespace state update.");
		return false;
	}
	if (replication && replication->state > 1 && old != STATE(REGISTERED)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"update ReplicationState is only supported when namespace is in "
			"Registered state, current state: %s",
			name_of_state(old));
		return false;
	}
	if (replication &&
		(!check_cluster(request, replication->active_cluster_name) ||
			!check_clusters(request, replication->clusters, replication->n_clusters)))
		return false;
	if (!in->promote_namespace)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"global namespace is not enabled on this cluster, cannot update global namespace "
		"or promote local namespace: %s",
		space->name);
	return false;
}

/* The bad binaries with those of the request: `config` is changed. False: answered. */
static bool merge_binaries(struct request *request, Namespace__NamespaceConfig *config)
{
	const Workflowservice__UpdateNamespaceRequest *in = request->message;
	const Namespace__BadBinaries *changes = in->config ? in->config->bad_binaries : NULL;
	Namespace__BadBinaries *now = config->bad_binaries;
	Namespace__BadBinaries__BinariesEntry **entries;
	size_t n = 0;

	if (!changes)
		return true;
	entries = request_array(request, now->n_binaries + changes->n_binaries, sizeof(*entries));
	if (!entries)
		return true;
	for (size_t i = 0; i < now->n_binaries; i++) {
		if (!proto_map_find(changes->binaries, changes->n_binaries, now->binaries[i]->key))
			entries[n++] = now->binaries[i];
	}
	for (size_t i = 0; i < changes->n_binaries; i++) {
		entries[n] = proto_copy(request->arena, changes->binaries[i]);
		if (entries[n] && entries[n]->value)
			entries[n++]->value->create_time =
				proto_timestamp_new(request->arena, request->server->now_ns);
	}
	now->binaries = entries;
	now->n_binaries = n;
	if (n <= SERVER_BAD_BINARIES_MAX)
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"Total resetBinaries cannot exceed the max limit: %d", SERVER_BAD_BINARIES_MAX);
	return false;
}

/* False: answered, there is no such binary. */
static bool delete_binary(
	struct request *request, Namespace__BadBinaries *binaries, const char *checksum)
{
	for (size_t i = 0; i < binaries->n_binaries; i++) {
		if (!str_same(binaries->binaries[i]->key, checksum))
			continue;
		binaries->binaries[i] = binaries->binaries[--binaries->n_binaries];
		return true;
	}
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"Bad binary checksum %s doesn't exists.", checksum);
	return false;
}

static bool apply_info(struct request *request, struct server_namespace *space,
	const Namespace__UpdateNamespaceInfo *info)
{
	struct server *server = request->server;

	if (!info)
		return false;
	if (!str_empty(info->description))
		state_set_text(server, &space->description, info->description);
	if (!str_empty(info->owner_email))
		state_set_text(server, &space->owner_email, info->owner_email);
	if (info->n_data)
		merge_data(request, space, info->data, info->n_data);
	if (info->state)
		space->state = (int32_t)info->state;
	return !str_empty(info->description) || !str_empty(info->owner_email) || info->n_data ||
	       info->state;
}

/* These two calls have a text of their own for no name. */
static struct server_namespace *named(struct request *request, const char *name)
{
	return frontend_text(request, name, "Namespace not set on request.")
		       ? frontend_namespace(request, name)
		       : NULL;
}

void frontend_update_namespace(struct request *request)
{
	const Workflowservice__UpdateNamespaceRequest *in = request->message;
	struct server_namespace *space = named(request, in->namespace_);
	Namespace__NamespaceInfo info = NAMESPACE__NAMESPACE_INFO__INIT;
	Namespace__NamespaceConfig config = NAMESPACE__NAMESPACE_CONFIG__INIT;
	int64_t retention_ms = 0;

	if (!space || !check_update(request, space))
		return;
	namespace_settings(request, space, &info, &config);
	if (in->config && in->config->workflow_execution_retention_ttl &&
		!check_retention(
			request, in->config->workflow_execution_retention_ttl, &retention_ms))
		return;
	if (!merge_binaries(request, &config) ||
		(!str_empty(in->delete_bad_binary) &&
			!delete_binary(request, config.bad_binaries, in->delete_bad_binary)))
		return;
	bool changed = apply_info(request, space, in->update_info);
	if (retention_ms)
		space->retention_ms = retention_ms;
	if (in->config && in->config->n_custom_search_attribute_aliases) {
		config.custom_search_attribute_aliases =
			in->config->custom_search_attribute_aliases;
		config.n_custom_search_attribute_aliases =
			in->config->n_custom_search_attribute_aliases;
		changed = true;
	}
	/* Bad binaries alone are told in the answer, and kept with the next other change; so does
	 * the official server. */
	changed = changed || retention_ms || !str_empty(in->delete_bad_binary);
	if (changed) {
		state_set_bytes(request->server, &space->config, &config);
		journal_namespace(request->server, space);
	}
	Workflowservice__DescribeNamespaceResponse *now = namespace_describe(request, space);
	Workflowservice__UpdateNamespaceResponse *response =
		REQUEST_NEW(request, Workflowservice__UpdateNamespaceResponse,
			workflowservice__update_namespace_response);
	now->config->bad_binaries = config.bad_binaries;
	response->namespace_info = now->namespace_info;
	response->config = now->config;
	response->replication_config = now->replication_config;
	request_reply(request, response);
}

void frontend_deprecate_namespace(struct request *request)
{
	const Workflowservice__DeprecateNamespaceRequest *in = request->message;
	struct server_namespace *space = named(request, in->namespace_);

	if (!space)
		return;
	space->state = STATE(DEPRECATED);
	journal_namespace(request->server, space);
	request_reply(request, REQUEST_NEW(request, Workflowservice__DeprecateNamespaceResponse,
				       workflowservice__deprecate_namespace_response));
}
