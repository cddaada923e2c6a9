/*
 * client.h: what the worker needs of a client. The public half is <temporal/client.h>.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <temporal/client.h>

#include "rpc/channel.h"

/* What the server said it can do (GetSystemInfo); all false before the first connection. */
struct client_capabilities {
	bool known;
	bool signal_and_query_header, internal_error_differentiation,
		activity_failure_include_heartbeat;
	bool supports_schedules, encoded_failure_attributes, build_id_based_versioning, upsert_memo;
	bool eager_workflow_start, sdk_metadata, count_group_by_execution_status, nexus,
		server_scaled_deployments;
	char server_version[32];
};

/* As temporal_client_connect; of the options, those of the network mean nothing. */
struct temporal_client *client_connect_through(const struct rpc_transport *transport,
	const struct temporal_client_opts *opts, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Counted: a worker holds a reference to its client. Any thread. */
struct temporal_client *client_ref(struct temporal_client *client);
/* As temporal_client_unref, for the thread of another client's loop: it does not wait for this
 * one's to end. NULL is fine. */
void client_unref_on_loop(struct temporal_client *client);

struct rpc_channel *client_channel(const struct temporal_client *client); /* borrowed */
/*
 * Another channel of the client, on the loop of `home`, a client too: for a worker of that one
 * which moves to this one. It gets the headers that are set on this client, and counts for `home`.
 * Of `home` itself it is its own channel.
 * The caller holds references to both; closed again before these are given up. Any thread.
 */
struct rpc_channel *client_channel_open(
	struct temporal_client *client, struct temporal_client *home, struct temporal_error *err)
	__attribute__((warn_unused_result));
void client_channel_close(struct temporal_client *client, struct rpc_channel *channel);
/* What the next give is this process's from here on, though it was forked from the client's. */
enum temporal_code client_make_ours(struct temporal_client *client, struct temporal_error *err)
	__attribute__((warn_unused_result));
struct rpc_loop *client_loop(
	const struct temporal_client *client); /* borrowed; its thread runs all callbacks */
const char *client_namespace(const struct temporal_client *client);
/* NULL: nothing is counted; borrowed */
struct temporal_metrics *client_metrics(const struct temporal_client *client);
/* As its options have them, NULL or NULL-terminated; valid as long as the client. */
const struct temporal_interceptor *const *client_interceptors(const struct temporal_client *client);
const struct temporal_plugin *const *client_plugins(const struct temporal_client *client);
const char *client_identity(const struct temporal_client *client);

/* Between two heartbeats of workers; 0: they send none. */
int64_t client_worker_heartbeat_ms(const struct temporal_client *client);

/* Copies what is known now. Any thread. */
void client_capabilities(
	const struct temporal_client *client, struct client_capabilities *capabilities);

/* Connects if need be and asks for the capabilities once; blocks; not on the loop's thread. */
enum temporal_code client_ensure_connected(struct temporal_client *client,
	struct temporal_error *err) __attribute__((warn_unused_result));

#endif
