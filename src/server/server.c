/*
 * server.c: the life of a server: it opens the store, rebuilds the state, listens, and stops.
 * Between the world and the logic: calls of rpc/server.h become requests, the loop's timer
 * becomes ticks, the store's wake-ups become commits.
 *
 * One thread, the loop's, owns all state. temporal_server_start and _stop run on the caller's
 * thread, before and after that thread lives.
 */
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "server/file.h"
#include "server/frontend/namespace.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/nexus/http_client.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"

#define HEALTH_SERVING 1

/* ---- Calls of the network ---- */

struct network_request {
	struct request request; /* first: the ops cast */
	struct rpc_server_call *call;
};

static struct rpc_server_call *call_of(struct request *request)
{
	return ((struct network_request *)(void *)request)->call;
}

static void network_reply(struct request *request, const void *message)
{
	rpc_server_reply(call_of(request), message);
}

static void network_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	rpc_server_fail(call_of(request), code, text, status);
}

static const char *network_header(struct request *request, const char *name)
{
	return rpc_server_header(call_of(request), name);
}

static const struct request_ops network_ops = { network_reply, network_fail, network_header };

/* The client is gone: whatever waits for it may go too. */
static void network_cancelled(struct rpc_server_call *call, void *user)
{
	struct request *request = user;
	struct server *server = request->server;

	if (!request->cancelled)
		return;
	transition_begin(server);
	request->cancelled(request); /* it may have been answered, and be no more */
	transition_end(server);
}

static void network_handle(struct rpc_server_call *call, const void *message, void *user)
{
	const struct server_method *method = user;
	struct arena *arena = rpc_server_arena(call);

	/* The budget was that of the request; the answer may be larger. */
	arena->budget = ARENA_NO_BUDGET;
	struct network_request *out = ARENA_NEW(arena, struct network_request);
	if (!out) {
		rpc_server_fail(call, TEMPORAL_RESOURCE_EXHAUSTED, "out of memory", NULL);
		return;
	}
	if (!access_allows(method->access, rpc_server_path(call),
		    rpc_server_header(call, "authorization"))) {
		rpc_server_fail(call, TEMPORAL_PERMISSION_DENIED, "Request unauthorized.", NULL);
		return;
	}
	out->call = call;
	out->request = (struct request){
		.server = method->server,
		.ops = &network_ops,
		.arena = arena,
		.message = message,
		.deadline_ns = rpc_server_deadline_ns(call),
		.method = method->method,
	};
	rpc_server_on_cancel(call, network_cancelled, &out->request);
	frontend_serve(&out->request, method->handle);
}

/*
 * grpc.health.v1.Health/Check. Its two messages are not among the API's, but have the shape of two
 * that are: a text in field 1, and a number in field 1.
 */
static const struct rpc_method health_check = { "/grpc.health.v1.Health/Check",
	&common__workflow_type__descriptor, &common__grpc_status__descriptor };

static void handle_health(struct request *request)
{
	static const char *const known[] = { "", "temporal.api.workflowservice.v1.WorkflowService",
		"temporal.api.operatorservice.v1.OperatorService" };
	const char *service = ((const Common__WorkflowType *)request->message)->name;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!str_same(service, known[i]))
			continue;
		Common__GrpcStatus *response =
			REQUEST_NEW(request, Common__GrpcStatus, common__grpc_status);

		response->code = HEALTH_SERVING;
		request_reply(request, response);
		return;
	}
	request_fail(request, TEMPORAL_NOT_FOUND, NULL, "unknown service");
}

static bool make_table(struct temporal_server *server)
{
	size_t n = frontend_methods_count + 1;

	server->methods = mem_zalloc(n * sizeof(*server->methods));
	server->table = mem_zalloc(n * sizeof(*server->table));
	if (!server->methods || !server->table)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct frontend_method health = { &health_check, handle_health };
		const struct frontend_method *method =
			i < frontend_methods_count ? &frontend_methods[i] : &health;

		server->methods[i] = (struct server_method){ &server->server, &server->access,
			method->handle, method->method };
		server->table[i] = (struct rpc_server_method){
			.method = method->method,
			.handle = network_handle,
			.user = &server->methods[i],
		};
	}
	return true;
}

/* ---- Time and disk ---- */

static struct temporal_server *of_state(struct server *state)
{
	return (struct temporal_server *)(void *)((char *)state -
						  offsetof(struct temporal_server, server));
}

static void tell_fatal(struct temporal_server *server)
{
	if (!server->server.failed || server->told)
		return;
	server->told = true;
	request_release(&server->server, UINT64_MAX);
	if (server->fatal)
		server->fatal(server->server.failure, server->user);
}

static void on_wake(struct rpc_timer *timer)
{
	struct temporal_server *server =
		(struct temporal_server *)(void *)((char *)timer -
						   offsetof(struct temporal_server, wake));

	transition_tick(&server->server, rpc_now_ns());
}

static void arm(struct server *state)
{
	struct temporal_server *server = of_state(state);
	int64_t due = timers_next(&state->timers), wait = timers_next(&state->waits);

	if (due != INT64_MAX) {
		int64_t left = due - virtual_time_now(state);

		due = rpc_now_ns() + (left > 0 ? left : 0);
	}
	if (wait < due)
		due = wait;
	if (state->archive.expiry_ns != INT64_MAX) {
		int64_t left = state->archive.expiry_ns - virtual_time_now(state);
		int64_t at = rpc_now_ns() + (left > 0 ? left : 0);

		due = at < due ? at : due;
	}
	if (state->time.hold_ns > rpc_now_ns() && state->time.hold_ns < due)
		due = state->time.hold_ns;
	tell_fatal(server);
	if (due == INT64_MAX)
		rpc_timer_stop(&server->wake);
	else if (!server->wake.armed || server->wake.due_ns != due)
		rpc_timer_set(server->loop, &server->wake, due, on_wake);
}

static void on_store_step(struct rpc_task *task)
{
	struct temporal_server *server =
		(struct temporal_server *)(void *)((char *)task -
						   offsetof(struct temporal_server, store_step));

	journal_step(&server->server);
	tell_fatal(server);
}

static void wake_for_store(void *user)
{
	struct temporal_server *server = of_state(user);

	pthread_mutex_lock(&server->lock);
	if (!server->ending)
		rpc_loop_post(server->loop, &server->store_step);
	pthread_mutex_unlock(&server->lock);
}

/* ---- Figures ---- */

static void on_collect(struct rpc_task *task)
{
	struct temporal_server *server =
		(struct temporal_server *)(void *)((char *)task -
						   offsetof(struct temporal_server, collect));

	server_metrics_collect(&server->server);
}

/* A reader's thread. */
static void post_collect(void *user)
{
	struct temporal_server *server = user;

	rpc_loop_post(server->loop, &server->collect);
}

/* ---- Start ---- */

static enum temporal_code check_opts(
	const struct temporal_server_opts *opts, struct temporal_error *err)
{
	if (opts->port < TEMPORAL_SERVER_ANY_PORT || opts->port > 65535)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"port %d is none: 1 to 65535, 0 for no listener, or "
			"TEMPORAL_SERVER_ANY_PORT",
			opts->port);
	if (opts->time_skipping > TEMPORAL_TIME_SKIPPING_LOCKED)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"time_skipping %d is none of enum temporal_time_skipping",
			(int)opts->time_skipping);
	return TEMPORAL_OK;
}

static enum temporal_code configure(struct temporal_server *server,
	const struct temporal_server_opts *opts, struct temporal_error *err)
{
	const char *const *line = opts->dynamic_config;
	enum temporal_code code = access_init(&server->access, opts, err);
	char text[256];

	for (; code == TEMPORAL_OK && line && *line; line++) {
		bool has_effect = true;

		if (nexus_rules_set(&server->server, *line, &code, err))
			continue;
		code = server_config_set(&server->server.config, *line, &has_effect, err);
		snprintf(text, sizeof(text), "dynamic configuration %s has no effect", *line);
		if (code == TEMPORAL_OK && !has_effect && opts->warn)
			opts->warn(text, opts->user);
	}
	return code;
}

static void register_all(struct server *server, const struct temporal_server_opts *opts)
{
	if (!state_namespace(server, "default"))
		namespace_register(server, "default", "", "", 0);
	if (!state_namespace(server, SYSTEM_NAMESPACE))
		namespace_register_system(server);
	for (size_t i = 0; opts->namespaces && opts->namespaces[i]; i++) {
		if (!state_namespace(server, opts->namespaces[i]))
			namespace_register(server, opts->namespaces[i], "", "", 0);
	}
}

/* Of the namespaces that register_all knows. */
static enum temporal_code add_attributes(
	struct server *server, const struct temporal_server_opts *opts, struct temporal_error *err)
{
	enum temporal_code code = TEMPORAL_OK;

	for (size_t i = 0; opts->search_attributes && opts->search_attributes[i]; i++) {
		const char *const *name = opts->namespaces;

		code = namespace_add_attribute(server, state_namespace(server, "default"),
			opts->search_attributes[i], err);
		for (; code == TEMPORAL_OK && name && *name; name++)
			code = namespace_add_attribute(server, state_namespace(server, *name),
				opts->search_attributes[i], err);
		if (code != TEMPORAL_OK)
			break;
	}
	return code;
}

/* The first input, on the loop's thread: what recovery armed is due from now on. */
static void on_begin(struct rpc_task *task)
{
	struct temporal_server *server =
		(struct temporal_server *)(void *)((char *)task -
						   offsetof(struct temporal_server, begin));

	server->server.changed = arm;
	transition_tick(&server->server, rpc_now_ns());
}

static enum temporal_code listen_on(struct temporal_server *server,
	const struct temporal_server_opts *opts, struct temporal_error *err)
{
	const char *host = opts->host ? opts->host : "127.0.0.1";
	char address[300];

	if (opts->port == 0)
		return TEMPORAL_OK;
	struct rpc_server_opts listen = {
		.host = opts->host,
		.port = opts->port > 0 ? (uint16_t)opts->port : 0,
		.methods = server->table,
		.n_methods = frontend_methods_count + 1,
	};
	if (opts->tls) {
		listen.cert_pem = opts->tls->cert_pem;
		listen.cert_pem_len = strlen(opts->tls->cert_pem);
		listen.key_pem = opts->tls->key_pem;
		listen.key_pem_len = strlen(opts->tls->key_pem);
		listen.client_ca_pem = opts->tls->client_ca_pem;
		listen.client_ca_pem_len =
			opts->tls->client_ca_pem ? strlen(opts->tls->client_ca_pem) : 0;
	}
	server->listener = rpc_server_new(server->loop, &listen, err);
	if (!server->listener)
		return err ? err->code : TEMPORAL_UNAVAILABLE;
	server->port = rpc_server_port(server->listener);
	snprintf(address, sizeof(address), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
		server->port);
	state_set_text(&server->server, &server->server.address, address);
	return TEMPORAL_OK;
}

/*
 * The times in a file whose clock was skipped lie ahead of the real one: without time skipping
 * nothing in it would be due for as long, which is worse than to say so.
 */
static enum temporal_code start_time(
	struct server *server, const struct temporal_server_opts *opts, struct temporal_error *err)
{
	if (opts->time_skipping)
		virtual_time_start(server, opts->time_skipping == TEMPORAL_TIME_SKIPPING_LOCKED);
	else if (server->time.ahead_ns)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the clock of %s has been skipped %" PRId64
			" ms ahead; expected a server with time skipping",
			opts->db, server->time.ahead_ns / 1000000);
	return TEMPORAL_OK;
}

static enum temporal_code listen_http(struct temporal_server *server,
	const struct temporal_server_opts *opts, struct temporal_error *err)
{
	const char *host = opts->host ? opts->host : "127.0.0.1";
	char base[300];

	if (opts->http_port == 0)
		return TEMPORAL_OK;
	if (opts->tls || (opts->api_keys && *opts->api_keys))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"the HTTP API has neither TLS nor keys; expected no http_port beside tls "
			"or "
			"api_keys");
	server->http = nexus_http_start(&server->server, server->loop, opts->host,
		opts->http_port > 0 ? (uint16_t)opts->http_port : 0, err);
	if (!server->http)
		return err ? err->code : TEMPORAL_UNAVAILABLE;
	snprintf(base, sizeof(base), strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u", host,
		nexus_http_port(server->http));
	state_set_text(&server->server, &server->server.nexus_callback_base, base);
	return TEMPORAL_OK;
}

static enum temporal_code start(struct temporal_server *server,
	const struct temporal_server_opts *opts, struct temporal_error *err)
{
	char cluster[SERVER_UUID_SIZE];
	enum temporal_code code = configure(server, opts, err);

	if (code != TEMPORAL_OK)
		return code;
	server->loop = rpc_loop_new(err);
	if (!server->loop)
		return err ? err->code : TEMPORAL_UNAVAILABLE;
	if (!server_metrics_init(&server->server, opts->metrics))
		return error_no_memory(err, "the server's metrics");
	if (!make_table(server))
		return error_no_memory(err, "the server's table of methods");
	transition_begin(&server->server);
	code = journal_open(&server->server, opts->db, wake_for_store, err);
	if (code == TEMPORAL_OK)
		code = start_time(&server->server, opts, err);
	if (code != TEMPORAL_OK)
		return server_name_file(opts->db, err);
	server_uuid(&server->server.io, cluster);
	state_set_text(&server->server, &server->server.cluster_id, cluster);
	register_all(&server->server, opts);
	namespace_resume(&server->server);
	if (!server->server.failed)
		code = add_attributes(&server->server, opts, err);
	transition_end(&server->server);
	if (server->server.failed)
		return error_set(err, TEMPORAL_UNAVAILABLE, "%s", server->server.failure);
	if (code != TEMPORAL_OK)
		return code;
	code = listen_on(server, opts, err);
	if (code != TEMPORAL_OK)
		return code;
	if (!nexus_client_new(&server->server, server->loop))
		return error_no_memory(err, "the HTTP client");
	code = listen_http(server, opts, err);
	if (code != TEMPORAL_OK)
		return code;
	rpc_loop_post(server->loop, &server->begin);
	code = rpc_loop_start(server->loop, "temporal-server", err);
	if (code == TEMPORAL_OK)
		server_metrics_started(&server->server, post_collect, server);
	return code;
}

/* The loop ends before the store does, since steps of the store may be under way on it; the store
 * then commits the rest on this thread. */
static void server_free(struct temporal_server *server)
{
	server_metrics_stopped(&server->server);
	nexus_http_stop(server->http);
	nexus_client_stop(server->server.nexus_client);
	pthread_mutex_lock(&server->lock);
	server->ending = true;
	pthread_mutex_unlock(&server->lock);
	rpc_loop_free(server->loop);
	if (server->server.store)
		journal_close(&server->server);
	/* A callback that is under way still leads to its request. */
	struct nexus_client *client = server->server.nexus_client;
	state_finish(&server->server);
	server_metrics_finish(&server->server);
	nexus_client_free(client);
	access_finish(&server->access);
	mem_free(server->methods);
	mem_free(server->table);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	mem_free(server);
}

struct temporal_server *temporal_server_start_sized(
	struct temporal_error *err, const struct temporal_server_opts *given, size_t size)
{
	struct temporal_server_opts opts = { 0 };
	struct temporal_server *server;

	memcpy(&opts, given, size < sizeof(opts) ? size : sizeof(opts));
	if (check_opts(&opts, err) != TEMPORAL_OK)
		return NULL;
	server = mem_zalloc(sizeof(*server));
	if (!server) {
		error_no_memory(err, "the server");
		return NULL;
	}
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	state_init(&server->server, &server_io_system);
	server->transport = (struct rpc_transport){ server_channel_open, server };
	server->fatal = opts.fatal;
	server->user = opts.user;
	server->pid = getpid();
	server->begin.run = on_begin;
	server->store_step.run = on_store_step;
	server->collect.run = on_collect;
	if (start(server, &opts, err) == TEMPORAL_OK)
		return server;
	if (server->listener)
		rpc_server_stop(server->listener, 0, NULL, NULL);
	server_free(server);
	return NULL;
}

uint16_t temporal_server_port(const struct temporal_server *server)
{
	return server->port;
}

uint16_t temporal_server_http_port(const struct temporal_server *server)
{
	return nexus_http_port(server->http);
}

/* ---- Stop ---- */

static void on_stopped(void *user)
{
	struct temporal_server *server = user;

	pthread_mutex_lock(&server->lock);
	server->stopped = true;
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

/* Answers all that waits, so that the listener can close. */
static void on_drain(struct rpc_task *task)
{
	struct temporal_server *server =
		(struct temporal_server *)(void *)((char *)task -
						   offsetof(struct temporal_server, drain));
	struct server *state = &server->server;
	struct timers_entry *entry;

	transition_begin(state);
	while ((entry = timers_pop(&state->waits, INT64_MAX - 1))) {
		if (entry->fire) /* no request's */
			continue;
		struct request *request =
			(struct request *)(void *)((char *)entry - offsetof(struct request, timer));

		request->cancelled(request);
	}
	virtual_time_drain(state);
	transition_end(state);
	/* What commits later than this is not told any more; who asked asks again. That is no
	 * failure to tell the owner of, who has asked for it. */
	server->told = true;
	server_fail(state, "the server is stopping");
	request_release(state, UINT64_MAX);
	nexus_http_drain(server->http);
	state->changed = NULL;
	rpc_timer_stop(&server->wake);
	pthread_mutex_lock(&server->lock);
	server->drained = true;
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

void temporal_server_stop(struct temporal_server *server)
{
	if (!server || server->pid != getpid())
		return;
	server->drain.run = on_drain;
	rpc_loop_post(server->loop, &server->drain);
	if (server->listener)
		rpc_server_stop(server->listener, SERVER_STOP_GRACE_MS, on_stopped, server);
	pthread_mutex_lock(&server->lock);
	while (!server->drained || (server->listener && !server->stopped))
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	server_free(server);
}
