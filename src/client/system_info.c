/*
 * system_info.c: what the server can do, asked once for each link (GetSystemInfo).
 *
 * An eager connect asks at once, which proves the connection, and does so without retries: a wrong
 * address should be told now. A lazy client asks when its first worker is made. Servers too old to
 * know the method can do nothing of what it tells.
 */
#include <stdio.h>
#include <string.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "client/connection.h"
#include "rpc/channel.h"
#include "rpc/methods.h"

#define CONNECT_TIMEOUT_MS 10000

/* The names of the API and ours are the same. */
#define TAKE(name_) capabilities->name_ = from->name_

/* A server that is too old to send capabilities has none of them. */
static void take(struct client_capabilities *capabilities,
	const Workflowservice__GetSystemInfoResponse *response)
{
	const Workflowservice__GetSystemInfoResponse__Capabilities *from = response->capabilities;

	capabilities->known = true;
	snprintf(capabilities->server_version, sizeof(capabilities->server_version), "%s",
		response->server_version ? response->server_version : "");
	if (!from)
		return;
	TAKE(signal_and_query_header);
	TAKE(internal_error_differentiation);
	TAKE(activity_failure_include_heartbeat);
	TAKE(supports_schedules);
	TAKE(encoded_failure_attributes);
	TAKE(build_id_based_versioning);
	TAKE(upsert_memo);
	TAKE(eager_workflow_start);
	TAKE(sdk_metadata);
	TAKE(count_group_by_execution_status);
	TAKE(nexus);
	TAKE(server_scaled_deployments);
}

#undef TAKE

void client_capabilities(
	const struct temporal_client *client, struct client_capabilities *capabilities)
{
	struct client_link *link = atomic_load_explicit(&client->link, memory_order_acquire);

	pthread_mutex_lock(&link->lock);
	*capabilities = link->capabilities;
	pthread_mutex_unlock(&link->lock);
}

struct asked {
	struct rpc_reply *reply;
	bool done;
};

static void answered(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct asked *asked = user;

	*asked->reply = *reply;
	reply->arena = (struct arena){ 0 };
	asked->done = true;
}

/* Of a client without a thread, nobody steps the loop yet: it is turned here, for this one call. */
static enum temporal_code ask(const struct client_link *link, struct rpc_request *request,
	struct rpc_reply *reply, struct temporal_error *err)
{
	struct asked asked = { reply, false };

	if (!rpc_loop_is_adopted(link->loop) || !rpc_loop_here(link->loop) ||
		rpc_loop_inside(link->loop))
		return rpc_wait(link->channel, request, reply, err);
	request->done = answered;
	request->user = &asked;
	if (!rpc_start(link->channel, request, &reply->error))
		reply->code = reply->error.code;
	while (!reply->code && !asked.done)
		rpc_loop_turn(link->loop);
	if (reply->code && err)
		*err = reply->error;
	return reply->code;
}

/* Two threads may ask at once: both get the same answer. The lock is not held over the call. */
enum temporal_code client_ensure_connected(
	struct temporal_client *client, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct client_link *link = client_enter(client, &own);
	struct client_capabilities capabilities;
	Workflowservice__GetSystemInfoRequest message =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_REQUEST__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_get_system_info,
		.message = &message,
		.timeout_ms = client->opts.connect_timeout_ms ? client->opts.connect_timeout_ms
							      : CONNECT_TIMEOUT_MS,
	};
	struct rpc_reply reply = { 0 };
	enum temporal_code code;

	if (!link) {
		if (err)
			*err = own;
		return own.code;
	}
	client_capabilities(client, &capabilities);
	if (capabilities.known)
		return TEMPORAL_OK;
	code = ask(link, &request, &reply, err);
	if (code == TEMPORAL_OK)
		take(&capabilities, reply.message);
	if (code == TEMPORAL_UNIMPLEMENTED) {
		capabilities.known = true;
		code = TEMPORAL_OK;
	}
	arena_finish(&reply.arena);
	if (code) {
		error_prefix(err, "connect to %s", client->opts.target);
		return code;
	}
	pthread_mutex_lock(&link->lock);
	link->capabilities = capabilities;
	pthread_mutex_unlock(&link->lock);
	return TEMPORAL_OK;
}
