/*
 * endpoint.c: endpoints and the operator's calls for them. All are in memory, in the order of their
 * ids, which is that of the pages; each is a setting of the store.
 *
 * As on the official server, an update may take the name of another endpoint, and forgets when the
 * endpoint was made.
 *
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

static const struct record_field endpoint_fields[] = {
	RECORD_FIELD(1, TEXT, nexus_endpoint, id),
	RECORD_FIELD(2, TEXT, nexus_endpoint, name),
	RECORD_FIELD(3, INT, nexus_endpoint, version),
	RECORD_FIELD(4, INT, nexus_endpoint, created_ns),
	RECORD_FIELD(5, INT, nexus_endpoint, modified_ns),
	RECORD_FIELD(6, TEXT, nexus_endpoint, namespace_id),
	RECORD_FIELD(7, TEXT, nexus_endpoint, task_queue),
	RECORD_FIELD(8, TEXT, nexus_endpoint, url),
	RECORD_FIELD(9, BYTES, nexus_endpoint, description),
};
static const struct record_type endpoint_type = RECORD_TYPE(endpoint_fields);

/* ---- The list ---- */

struct nexus_endpoint *nexus_endpoint_by_id(const struct server *server, const char *id)
{
	struct nexus_endpoint *at = server->nexus_endpoints;

	while (at && !str_same(at->id, id))
		at = at->next;
	return at;
}

/* Of two that share a name the one that took it last counts. */
struct nexus_endpoint *nexus_endpoint_by_name(const struct server *server, const char *name)
{
	struct nexus_endpoint *found = NULL;

	for (struct nexus_endpoint *at = server->nexus_endpoints; at; at = at->next) {
		if (str_same(at->name, name) && (!found || at->modified_ns > found->modified_ns))
			found = at;
	}
	return found;
}

struct server_namespace *nexus_endpoint_space(
	const struct server *server, const struct nexus_endpoint *endpoint)
{
	return state_namespace_by_id(server, endpoint->namespace_id);
}

static void endpoint_free(struct nexus_endpoint *endpoint)
{
	record_finish(&endpoint_type, endpoint);
	mem_free(endpoint);
}

static void insert(struct server *server, struct nexus_endpoint *endpoint)
{
	struct nexus_endpoint **at = &server->nexus_endpoints;

	while (*at && strcmp((*at)->id, endpoint->id) < 0)
		at = &(*at)->next;
	endpoint->next = *at;
	*at = endpoint;
}

bool nexus_endpoint_restore(struct server *server, const uint8_t *data, size_t len)
{
	struct nexus_endpoint *endpoint = mem_zalloc(sizeof(*endpoint));

	if (!endpoint)
		return false;
	if (!record_read(&endpoint_type, endpoint, data, len) || str_empty(endpoint->id)) {
		endpoint_free(endpoint);
		return false;
	}
	insert(server, endpoint);
	return true;
}

void nexus_endpoints_finish(struct server *server)
{
	while (server->nexus_endpoints) {
		struct nexus_endpoint *endpoint = server->nexus_endpoints;

		server->nexus_endpoints = endpoint->next;
		endpoint_free(endpoint);
	}
}

static void save(struct server *server, const struct nexus_endpoint *endpoint)
{
	size_t size = record_size(&endpoint_type, endpoint);
	uint8_t *data = arena_alloc(&server->scratch, size);

	if (!data) {
		server_no_memory(server);
		return;
	}
	record_write(&endpoint_type, endpoint, data);
	journal_setting(server, JOURNAL_NEXUS_ENDPOINTS, endpoint->id, data, size);
}

/* ---- As messages ---- */

static Nexus__EndpointTarget *target_of(
	struct request *request, const struct nexus_endpoint *endpoint)
{
	Nexus__EndpointTarget *target =
		REQUEST_NEW(request, Nexus__EndpointTarget, nexus__endpoint_target);
	const struct server_namespace *space = nexus_endpoint_space(request->server, endpoint);

	if (!str_empty(endpoint->url)) {
		target->variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL;
		target->external = REQUEST_NEW(
			request, Nexus__EndpointTarget__External, nexus__endpoint_target__external);
		target->external->url = request_text(request, endpoint->url);
		return target;
	}
	target->variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_WORKER;
	target->worker =
		REQUEST_NEW(request, Nexus__EndpointTarget__Worker, nexus__endpoint_target__worker);
	target->worker->namespace_ = request_text(request, space ? space->name : "");
	target->worker->task_queue = request_text(request, endpoint->task_queue);
	return target;
}

static Nexus__Endpoint *describe(struct request *request, const struct nexus_endpoint *endpoint)
{
	Nexus__Endpoint *out = REQUEST_NEW(request, Nexus__Endpoint, nexus__endpoint);
	const struct bytes *description = &endpoint->description;

	out->version = endpoint->version;
	out->id = request_text(request, endpoint->id);
	out->spec = REQUEST_NEW(request, Nexus__EndpointSpec, nexus__endpoint_spec);
	out->spec->name = request_text(request, endpoint->name);
	if (description->len)
		out->spec->description = proto_decode(request->arena, &common__payload__descriptor,
			description->ptr, description->len, NULL, NULL);
	out->spec->target = target_of(request, endpoint);
	if (endpoint->created_ns)
		out->created_time = proto_timestamp_new(request->arena, endpoint->created_ns);
	if (endpoint->version > 1)
		out->last_modified_time =
			proto_timestamp_new(request->arena, endpoint->modified_ns);
	out->url_prefix =
		arena_printf(request->arena, "/nexus/endpoints/%s/services", endpoint->id);
	if (!out->url_prefix)
		server_no_memory(request->server);
	return out;
}

static void take(
	struct server *server, struct nexus_endpoint *endpoint, const Nexus__EndpointSpec *spec)
{
	const Nexus__EndpointTarget *target = spec->target;

	state_set_text(server, &endpoint->name, spec->name);
	state_set_bytes(server, &endpoint->description, spec->description);
	state_set_text(server, &endpoint->url, NULL);
	state_set_text(server, &endpoint->namespace_id, NULL);
	state_set_text(server, &endpoint->task_queue, NULL);
	endpoint->version++;
	endpoint->modified_ns = server->now_ns;
	if (target->variant_case == NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL) {
		state_set_text(server, &endpoint->url, target->external->url);
		return;
	}
	state_set_text(server, &endpoint->namespace_id,
		state_namespace(server, target->worker->namespace_)->id);
	state_set_text(server, &endpoint->task_queue, target->worker->task_queue);
}

/* ---- The calls ---- */

void nexus_create_endpoint(struct request *request)
{
	const Operatorservice__CreateNexusEndpointRequest *in = request->message;
	struct server *server = request->server;
	Operatorservice__CreateNexusEndpointResponse *response =
		REQUEST_NEW(request, Operatorservice__CreateNexusEndpointResponse,
			operatorservice__create_nexus_endpoint_response);
	struct nexus_endpoint *endpoint;
	char id[SERVER_UUID_SIZE];

	if (!nexus_endpoint_check(request, in->spec))
		return;
	if (nexus_endpoint_by_name(server, in->spec->name)) {
		request_fail(request, TEMPORAL_ALREADY_EXISTS, NULL,
			"error creating Nexus endpoint. Endpoint with name %s already registered",
			in->spec->name);
		return;
	}
	endpoint = mem_zalloc(sizeof(*endpoint));
	if (!endpoint) {
		server_no_memory(server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	server_uuid(&server->io, id);
	state_set_text(server, &endpoint->id, id);
	endpoint->created_ns = server->now_ns;
	take(server, endpoint, in->spec);
	if (!endpoint->id) {
		endpoint_free(endpoint);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	insert(server, endpoint);
	save(server, endpoint);
	response->endpoint = describe(request, endpoint);
	request_reply(request, response);
}

static void not_found(struct request *request, const char *format, const char *id)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;

	request_fail(request, TEMPORAL_NOT_FOUND, &detail, format, id);
}

void nexus_update_endpoint(struct request *request)
{
	const Operatorservice__UpdateNexusEndpointRequest *in = request->message;
	Operatorservice__UpdateNexusEndpointResponse *response =
		REQUEST_NEW(request, Operatorservice__UpdateNexusEndpointResponse,
			operatorservice__update_nexus_endpoint_response);

	if (!nexus_endpoint_check(request, in->spec))
		return;
	struct nexus_endpoint *endpoint = nexus_endpoint_by_id(request->server, in->id);
	if (!endpoint) {
		not_found(
			request, "error updating Nexus endpoint. endpoint ID %s not found", in->id);
		return;
	}
	if (in->version != endpoint->version) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"nexus endpoint version mismatch. received: %lld expected %lld",
			(long long)in->version, (long long)endpoint->version);
		return;
	}
	endpoint->created_ns = 0;
	take(request->server, endpoint, in->spec);
	save(request->server, endpoint);
	response->endpoint = describe(request, endpoint);
	request_reply(request, response);
}

void nexus_delete_endpoint(struct request *request)
{
	const Operatorservice__DeleteNexusEndpointRequest *in = request->message;
	struct server *server = request->server;
	struct nexus_endpoint **at = &server->nexus_endpoints;

	if (!nexus_endpoint_check_id(
		    request, in->id, in->version <= 0 ? "endpoint version is non-positive" : NULL))
		return;
	while (*at && !str_same((*at)->id, in->id))
		at = &(*at)->next;
	struct nexus_endpoint *endpoint = *at;
	if (!endpoint) {
		not_found(request, "error deleting nexus endpoint with ID: %s", in->id);
		return;
	}
	*at = endpoint->next;
	journal_setting(server, JOURNAL_NEXUS_ENDPOINTS, endpoint->id, NULL, 0);
	endpoint_free(endpoint);
	request_reply(request, REQUEST_NEW(request, Operatorservice__DeleteNexusEndpointResponse,
				       operatorservice__delete_nexus_endpoint_response));
}

void nexus_get_endpoint(struct request *request)
{
	const Operatorservice__GetNexusEndpointRequest *in = request->message;
	Operatorservice__GetNexusEndpointResponse *response =
		REQUEST_NEW(request, Operatorservice__GetNexusEndpointResponse,
			operatorservice__get_nexus_endpoint_response);

	if (!nexus_endpoint_check_id(request, in->id, NULL))
		return;
	const struct nexus_endpoint *endpoint = nexus_endpoint_by_id(request->server, in->id);
	if (!endpoint) {
		not_found(request, "Nexus endpoint with ID `%s` not found", in->id);
		return;
	}
	response->endpoint = describe(request, endpoint);
	request_reply(request, response);
}

static bool check_page(struct request *request, int32_t size)
{
	if (size < 0)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "page_size is negative");
	else if (size > SERVER_NEXUS_PAGE_MAX)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"page_size exceeds limit of %d", SERVER_NEXUS_PAGE_MAX);
	return size >= 0 && size <= SERVER_NEXUS_PAGE_MAX;
}

/* One of that name, or a page that begins with the id of the token. */
void nexus_list_endpoints(struct request *request)
{
	const Operatorservice__ListNexusEndpointsRequest *in = request->message;
	Operatorservice__ListNexusEndpointsResponse *response =
		REQUEST_NEW(request, Operatorservice__ListNexusEndpointsResponse,
			operatorservice__list_nexus_endpoints_response);
	ProtobufCBinaryData token = in->next_page_token;
	bool named = !str_empty(in->name);
	size_t size = named ? 1 : in->page_size ? (size_t)in->page_size : SERVER_NEXUS_PAGE;
	struct nexus_endpoint *at = named ? nexus_endpoint_by_name(request->server, in->name)
					  : request->server->nexus_endpoints;

	if (!named && !check_page(request, in->page_size))
		return;
	while (!named && at && token.len &&
		!str_eq(str_from(at->id), (struct str){ (const char *)token.data, token.len }))
		at = at->next;
	if (!named && token.len && !at) {
		request_fail(request, TEMPORAL_INTERNAL, NULL, "error listing Nexus endpoints");
		return;
	}
	response->endpoints = request_array(request, size, sizeof(*response->endpoints));
	for (; at && response->endpoints && response->n_endpoints < size; at = at->next)
		response->endpoints[response->n_endpoints++] = describe(request, at);
	if (!named && at) {
		const char *next = request_text(request, at->id);

		response->next_page_token =
			(ProtobufCBinaryData){ strlen(next), (uint8_t *)(uintptr_t)next };
	}
	request_reply(request, response);
}
