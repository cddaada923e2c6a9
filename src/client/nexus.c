/*
 * nexus.c: Nexus endpoints: made, changed, found, deleted. They belong to the server's operator
 * service, which knows no namespaces.
 *
 * An endpoint is copied out of its reply into an arena of its own; a list is one of several pages,
 * collected in the call's arena and handed over as a whole. What is wrong with a name or a target
 * is left to the server to say, whose rules change; here alone is what it could not see.
 */
#include <string.h>

#include <temporal/api/operatorservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/call.h"
#include "client/request.h"
#include "convert/convert.h"
#include "proto/time.h"

#define PAGE_SIZE 100

/* What the user gets is its first member. */
struct endpoint {
	struct temporal_nexus_endpoint public;
	struct arena arena;
};

struct endpoints {
	struct temporal_nexus_endpoints public;
	struct arena arena;
};

/* ---- from the server ---- */

/* What is no text in JSON has none for us; the payload is there all the same. */
static bool copy_description(
	struct arena *arena, const Common__Payload *from, struct temporal_nexus_endpoint *to)
{
	static const struct temporal_contract text = {
		.name = "description",
		.out = { .kind = TEMPORAL_KIND_STRING, .size = sizeof(const char *) },
		.out_size = sizeof(const char *),
	};

	to->description = "";
	if (!from)
		return true;
	if (convert_decode_result(arena, &text, from, &to->description, NULL) != TEMPORAL_OK ||
		!to->description)
		to->description = "";
	return convert_payload_from_api(arena, from, &to->description_payload) == TEMPORAL_OK;
}

static bool copy(
	struct arena *arena, const Nexus__Endpoint *from, struct temporal_nexus_endpoint *to)
{
	const Nexus__EndpointSpec *spec = from->spec;
	const Nexus__EndpointTarget *target = spec ? spec->target : NULL;
	const char **texts[] = { &to->id, &to->name, &to->namespace_, &to->task_queue, &to->url,
		&to->url_prefix };

	*to = (struct temporal_nexus_endpoint){
		.id = from->id,
		.version = from->version,
		.name = spec ? spec->name : "",
		.url_prefix = from->url_prefix,
		.created_ns = proto_timestamp_ns_or(from->created_time, 0),
		.modified_ns = proto_timestamp_ns_or(from->last_modified_time, 0),
	};
	if (target && target->variant_case == NEXUS__ENDPOINT_TARGET__VARIANT_WORKER) {
		to->namespace_ = target->worker->namespace_;
		to->task_queue = target->worker->task_queue;
	}
	if (target && target->variant_case == NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL)
		to->url = target->external->url;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i] = str_empty(*texts[i]) ? "" : arena_strdup(arena, *texts[i]);
		if (!*texts[i])
			return false;
	}
	return copy_description(arena, spec ? spec->description : NULL, to);
}

static struct temporal_nexus_endpoint *endpoint_new(
	const Nexus__Endpoint *from, struct temporal_error *err)
{
	if (!from) {
		error_set(err, TEMPORAL_INTERNAL, "the server sent no endpoint");
		return NULL;
	}
	struct endpoint *made = mem_zalloc(sizeof(*made));

	if (made)
		arena_init(&made->arena, 256, ARENA_NO_BUDGET);
	if (made && copy(&made->arena, from, &made->public))
		return &made->public;
	error_no_memory(err, "an endpoint");
	if (made)
		temporal_nexus_endpoint_unref(&made->public);
	return NULL;
}

void temporal_nexus_endpoint_unref(struct temporal_nexus_endpoint *endpoint)
{
	struct endpoint *made = (struct endpoint *)(void *)endpoint;

	if (!made)
		return;
	arena_finish(&made->arena);
	mem_free(made);
}

void temporal_nexus_endpoints_unref(struct temporal_nexus_endpoints *endpoints)
{
	struct endpoints *made = (struct endpoints *)(void *)endpoints;

	if (!made)
		return;
	arena_finish(&made->arena);
	mem_free(made);
}

static void end_with(
	struct client_call *call, const Nexus__Endpoint *endpoint, struct temporal_error *err)
{
	struct temporal_nexus_endpoint *made = err->code ? NULL : endpoint_new(endpoint, err);

	client_call_end(call, made, made ? NULL : err);
}

/* The replies are alike, but of different types. */
static void took_created(struct client_call *call, struct rpc_reply *reply)
{
	const Operatorservice__CreateNexusEndpointResponse *response = reply->message;

	end_with(call, reply->code ? NULL : response->endpoint, &reply->error);
}

static void took_updated(struct client_call *call, struct rpc_reply *reply)
{
	const Operatorservice__UpdateNexusEndpointResponse *response = reply->message;

	end_with(call, reply->code ? NULL : response->endpoint, &reply->error);
}

static void took_got(struct client_call *call, struct rpc_reply *reply)
{
	const Operatorservice__GetNexusEndpointResponse *response = reply->message;

	end_with(call, reply->code ? NULL : response->endpoint, &reply->error);
}

static void took_found(struct client_call *call, struct rpc_reply *reply)
{
	const Operatorservice__ListNexusEndpointsResponse *response = reply->message;

	if (!reply->code && response->n_endpoints == 0)
		error_set(&reply->error, TEMPORAL_NOT_FOUND, "there is no endpoint of that name");
	end_with(call, reply->error.code ? NULL : response->endpoints[0], &reply->error);
}

/* ---- requests ---- */

static Nexus__EndpointSpec *spec_new(struct client_request *builder,
	const struct temporal_client *client, const struct temporal_nexus_endpoint_opts *opts)
{
	Nexus__EndpointSpec *spec = REQUEST_NEW(builder, Nexus__EndpointSpec, nexus__endpoint_spec);
	Nexus__EndpointTarget *target =
		REQUEST_NEW(builder, Nexus__EndpointTarget, nexus__endpoint_target);

	if (!opts->task_queue == !opts->url)
		client_request_fail(builder, "expected either a task_queue or a url");
	spec->name = opts->name;
	spec->description = client_request_text_payload(builder, opts->description);
	spec->target = target;
	if (opts->url) {
		target->variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL;
		target->external = REQUEST_NEW(
			builder, Nexus__EndpointTarget__External, nexus__endpoint_target__external);
		target->external->url = opts->url;
		return spec;
	}
	target->variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_WORKER;
	target->worker =
		REQUEST_NEW(builder, Nexus__EndpointTarget__Worker, nexus__endpoint_target__worker);
	target->worker->namespace_ = opts->namespace_ ? opts->namespace_ : client_namespace(client);
	target->worker->task_queue = opts->task_queue;
	return spec;
}

/* The call with its builder; NULL: `err` says why. */
static struct client_call *begin(struct temporal_client *client,
	const struct client_call_opts *opts, struct client_request *builder,
	const struct rpc_method *method, struct temporal_error *err)
{
	struct client_call *call = client_call_new(client, opts, err);

	if (!call)
		return NULL;
	client_request_init(builder, &call->arena, err);
	call->method = method;
	return call;
}

/* The one place where a builder's error becomes the caller's. */
static struct client_call *built(
	struct client_call *call, const struct client_request *builder, struct temporal_error *err)
{
	if (!builder->code)
		return call;
	if (call->what)
		error_prefix(err, "%s", call->what);
	client_call_free(call);
	return NULL;
}

static struct client_call *prepare_create(struct temporal_client *client,
	const struct temporal_nexus_endpoint_opts *given, size_t size, struct temporal_error *err)
{
	struct temporal_nexus_endpoint_opts opts;
	struct client_request builder;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	struct client_call *call = begin(client, CLIENT_CALL_OPTS(&opts), &builder,
		&rpc_operator_create_nexus_endpoint, err);

	if (!call)
		return NULL;
	Operatorservice__CreateNexusEndpointRequest *message =
		REQUEST_NEW(&builder, Operatorservice__CreateNexusEndpointRequest,
			operatorservice__create_nexus_endpoint_request);

	client_call_name(call, "creation of Nexus endpoint \"%s\"", opts.name ? opts.name : "");
	message->spec = spec_new(&builder, client, &opts);
	call->message = message;
	call->took = took_created;
	return built(call, &builder, err);
}

static struct client_call *prepare_update(struct temporal_client *client, const char *id,
	int64_t version, const struct temporal_nexus_endpoint_opts *given, size_t size,
	struct temporal_error *err)
{
	struct temporal_nexus_endpoint_opts opts;
	struct client_request builder;

	if (client_opts_copy(&opts, sizeof(opts), given, size, err))
		return NULL;
	struct client_call *call = begin(client, CLIENT_CALL_OPTS(&opts), &builder,
		&rpc_operator_update_nexus_endpoint, err);

	if (!call)
		return NULL;
	Operatorservice__UpdateNexusEndpointRequest *message =
		REQUEST_NEW(&builder, Operatorservice__UpdateNexusEndpointRequest,
			operatorservice__update_nexus_endpoint_request);

	client_call_name(call, "update of Nexus endpoint \"%s\"", id ? id : "");
	message->id = id;
	message->version = version;
	message->spec = spec_new(&builder, client, &opts);
	call->message = message;
	call->took = took_updated;
	return built(call, &builder, err);
}

static struct client_call *prepare_get(
	struct temporal_client *client, const char *id, struct temporal_error *err)
{
	struct client_request builder;
	struct client_call *call =
		begin(client, NULL, &builder, &rpc_operator_get_nexus_endpoint, err);

	if (!call)
		return NULL;
	Operatorservice__GetNexusEndpointRequest *message =
		REQUEST_NEW(&builder, Operatorservice__GetNexusEndpointRequest,
			operatorservice__get_nexus_endpoint_request);

	client_call_name(call, "Nexus endpoint \"%s\"", id ? id : "");
	message->id = id;
	call->message = message;
	call->took = took_got;
	return built(call, &builder, err);
}

static struct client_call *prepare_find(
	struct temporal_client *client, const char *name, struct temporal_error *err)
{
	struct client_request builder;
	struct client_call *call =
		begin(client, NULL, &builder, &rpc_operator_list_nexus_endpoints, err);

	if (!call)
		return NULL;
	Operatorservice__ListNexusEndpointsRequest *message =
		REQUEST_NEW(&builder, Operatorservice__ListNexusEndpointsRequest,
			operatorservice__list_nexus_endpoints_request);

	client_call_name(call, "Nexus endpoint of the name \"%s\"", name ? name : "");
	if (str_empty(name)) /* which would be any */
		client_request_fail(&builder, "the name is empty");
	message->name = name;
	call->message = message;
	call->took = took_found;
	return built(call, &builder, err);
}

static struct client_call *prepare_delete(
	struct temporal_client *client, const char *id, int64_t version, struct temporal_error *err)
{
	struct client_request builder;
	struct client_call *call =
		begin(client, NULL, &builder, &rpc_operator_delete_nexus_endpoint, err);

	if (!call)
		return NULL;
	Operatorservice__DeleteNexusEndpointRequest *message =
		REQUEST_NEW(&builder, Operatorservice__DeleteNexusEndpointRequest,
			operatorservice__delete_nexus_endpoint_request);

	client_call_name(call, "deletion of Nexus endpoint \"%s\"", id ? id : "");
	message->id = id;
	message->version = version;
	call->message = message;
	call->took = client_took_nothing;
	return built(call, &builder, err);
}

/* ---- lists ---- */

struct list_state {
	struct endpoints *made;
	struct temporal_nexus_endpoint *items; /* made->public.items */
	size_t capacity;
	Operatorservice__ListNexusEndpointsRequest *message;
	struct arena_mark mark; /* of the call's arena: before the page's token */
};

static void free_list(struct client_call *call)
{
	struct list_state *state = call->state;

	if (state->made)
		temporal_nexus_endpoints_unref(&state->made->public);
	state->made = NULL;
}

static bool append(struct list_state *state, const Nexus__Endpoint *endpoint)
{
	struct endpoints *made = state->made;

	if (made->public.count == state->capacity) {
		size_t capacity = state->capacity ? state->capacity * 2 : 16;
		struct temporal_nexus_endpoint *grown =
			arena_array(&made->arena, capacity, sizeof(*grown));

		if (!grown)
			return false;
		if (made->public.count)
			memcpy(grown, state->items, made->public.count * sizeof(*grown));
		made->public.items = state->items = grown;
		state->capacity = capacity;
	}
	if (!copy(&made->arena, endpoint, &state->items[made->public.count]))
		return false;
	made->public.count++;
	return true;
}

static bool take_page(
	struct client_call *call, const Operatorservice__ListNexusEndpointsResponse *page)
{
	struct list_state *state = call->state;
	ProtobufCBinaryData *token = &state->message->next_page_token;

	for (size_t i = 0; i < page->n_endpoints; i++) {
		if (!append(state, page->endpoints[i]))
			return false;
	}
	arena_release(&call->arena, state->mark);
	token->len = page->next_page_token.len;
	token->data = arena_memdup(&call->arena, page->next_page_token.data, token->len);
	return token->data != NULL;
}

static void took_page(struct client_call *call, struct rpc_reply *reply)
{
	struct list_state *state = call->state;
	struct temporal_nexus_endpoints *list = &state->made->public;

	if (!reply->code && !take_page(call, reply->message))
		error_no_memory(&reply->error, "a list of endpoints");
	if (reply->error.code) {
		client_call_end(call, NULL, &reply->error);
	} else if (state->message->next_page_token.len) {
		client_call_again(call);
	} else {
		state->made = NULL;
		client_call_end(call, list, NULL);
	}
}

static struct client_call *prepare_list(struct temporal_client *client, struct temporal_error *err)
{
	struct client_request builder;
	struct client_call *call =
		begin(client, NULL, &builder, &rpc_operator_list_nexus_endpoints, err);

	if (!call)
		return NULL;
	struct list_state *state = ARENA_NEW(&call->arena, struct list_state);

	if (!state) {
		builder.code = error_no_memory(err, "a list of endpoints");
		return built(call, &builder, err);
	}
	call->state = state;
	call->finish = free_list;
	state->made = mem_zalloc(sizeof(*state->made));
	state->message = REQUEST_NEW(&builder, Operatorservice__ListNexusEndpointsRequest,
		operatorservice__list_nexus_endpoints_request);
	if (state->made)
		arena_init(&state->made->arena, 1024, ARENA_NO_BUDGET);
	else if (!builder.code)
		builder.code = error_no_memory(err, "a list of endpoints");
	client_call_name(call, "list of Nexus endpoints");
	state->message->page_size = PAGE_SIZE;
	state->mark = arena_mark(&call->arena);
	call->message = state->message;
	call->took = took_page;
	return built(call, &builder, err);
}

/* ---- the public forms ---- */

static void *wait_for(struct client_call *call, struct temporal_error *err)
{
	void *made;

	return call && client_call_wait(call, &made, err) == TEMPORAL_OK ? made : NULL;
}

/* `why` is an error of the preparation, if there is no call: the callback is not called then. */
static enum temporal_code not_started(const struct temporal_error *why, struct temporal_error *err)
{
	if (err)
		*err = *why;
	return why->code;
}

static void tell_endpoint(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.endpoint(value, err, call->user);
}

static void tell_endpoints(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.endpoints(value, err, call->user);
}

static enum temporal_code start(struct client_call *call, const struct temporal_error *why,
	temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err)
{
	if (!call)
		return not_started(why, err);
	call->ended = tell_endpoint;
	call->tell.endpoint = done;
	call->user = user;
	return client_call_start(call, err);
}

struct temporal_nexus_endpoint *temporal_nexus_endpoint_create_(struct temporal_client *client,
	const struct temporal_nexus_endpoint_opts *opts, size_t size, struct temporal_error *err)
{
	return wait_for(prepare_create(client, opts, size, err), err);
}

enum temporal_code temporal_nexus_endpoint_create_async_(struct temporal_client *client,
	const struct temporal_nexus_endpoint_opts *opts, size_t size,
	temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start(prepare_create(client, opts, size, &why), &why, done, user, err);
}

struct temporal_nexus_endpoint *temporal_nexus_endpoint_update_(struct temporal_client *client,
	const char *id, int64_t version, const struct temporal_nexus_endpoint_opts *opts,
	size_t size, struct temporal_error *err)
{
	return wait_for(prepare_update(client, id, version, opts, size, err), err);
}

enum temporal_code temporal_nexus_endpoint_update_async_(struct temporal_client *client,
	const char *id, int64_t version, const struct temporal_nexus_endpoint_opts *opts,
	size_t size, temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start(prepare_update(client, id, version, opts, size, &why), &why, done, user, err);
}

struct temporal_nexus_endpoint *temporal_nexus_endpoint_get(
	struct temporal_client *client, const char *id, struct temporal_error *err)
{
	return wait_for(prepare_get(client, id, err), err);
}

enum temporal_code temporal_nexus_endpoint_get_async(struct temporal_client *client, const char *id,
	temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start(prepare_get(client, id, &why), &why, done, user, err);
}

struct temporal_nexus_endpoint *temporal_nexus_endpoint_find(
	struct temporal_client *client, const char *name, struct temporal_error *err)
{
	return wait_for(prepare_find(client, name, err), err);
}

enum temporal_code temporal_nexus_endpoint_find_async(struct temporal_client *client,
	const char *name, temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };

	return start(prepare_find(client, name, &why), &why, done, user, err);
}

struct temporal_nexus_endpoints *temporal_nexus_endpoint_list(
	struct temporal_client *client, struct temporal_error *err)
{
	return wait_for(prepare_list(client, err), err);
}

enum temporal_code temporal_nexus_endpoint_list_async(struct temporal_client *client,
	temporal_nexus_endpoints_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare_list(client, &why);

	if (!call)
		return not_started(&why, err);
	call->ended = tell_endpoints;
	call->tell.endpoints = done;
	call->user = user;
	return client_call_start(call, err);
}

enum temporal_code temporal_nexus_endpoint_delete(
	struct temporal_client *client, const char *id, int64_t version, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare_delete(client, id, version, &why);

	return call ? client_call_wait(call, NULL, err) : not_started(&why, err);
}

enum temporal_code temporal_nexus_endpoint_delete_async(struct temporal_client *client,
	const char *id, int64_t version, temporal_done_fn *done, void *user,
	struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare_delete(client, id, version, &why);

	return call ? client_call_done_async(call, done, user, err) : not_started(&why, err);
}
