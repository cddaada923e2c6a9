/*
 * call.h: one call of a user: a request or several, from the thread that makes it to the callback
 * at its end. Each group of calls (start.c, result.c, ...) fills in one of these.
 */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <temporal/api/common/v1/message.pb-c.h>

#include "base/arena.h"
#include "client/client.h"
#include "rpc/channel.h"
#include "rpc/methods.h"

struct client_call;
struct client_links;
struct temporal_client_call;

/* Takes what a call ended with: an object, an error, or (queries) both. Loop's thread; once. */
typedef void client_ended_fn(
	struct client_call *call, void *value, const struct temporal_error *err);

struct client_call {
	/* Fixed when the call is sent. */
	struct temporal_client *client;
	struct rpc_channel *channel;
	struct rpc_loop *loop;
	const char *what; /* "signal \"approve\" to workflow \"order-1\"": put in front of errors */
	struct rpc_header *headers;
	size_t n_headers;
	enum rpc_retry retry;
	int64_t timeout_ms; /* of each RPC; 0: rpc's default */
	int64_t limit_ms; /* of all of them together; 0: none. Sent by client_call_send_within alone
			   */

	/* Caller's thread until the call is sent, the loop's from then on. */
	struct arena arena;
	const struct rpc_method *method;
	const void *message; /* in the arena, or borrowed until the call is sent */
	void *state;         /* of the group; in the arena */
	/* Takes the reply (may move its arena out); sends again or ends the call. */
	void (*took)(struct client_call *call, struct rpc_reply *reply);
	void (*finish)(
		struct client_call *call); /* frees what is not in the arena; NULL: nothing */
	struct rpc_call *rpc;              /* known only to calls with a limit */
	struct rpc_task task; /* its `run` may be set before the start: that sends, by _again */
	struct rpc_timer timer;
	bool expired;
	const struct client_links *links;         /* of the thread that waits; NULL: none */
	struct temporal_client_call *intercepted; /* NULL: nobody is to hear of its end */

	/* How the end is told. */
	client_ended_fn *ended;
	union {
		temporal_done_fn *done;
		temporal_run_fn *run;
		temporal_result_fn *result;
		temporal_update_fn *update;
		temporal_description_fn *description;
		temporal_nexus_endpoint_fn *endpoint;
		temporal_nexus_endpoints_fn *endpoints;
		temporal_buffer_fn *buffer;
		temporal_heartbeat_fn *heartbeat;
	} tell;
	void *user;
};

/* The part of all options that is about the RPC. */
struct client_call_opts {
	int64_t timeout_ms;
	const struct temporal_header *headers;
	size_t n_headers;
};
#define CLIENT_CALL_OPTS(opts_) \
	(&(struct client_call_opts){ \
		(opts_)->timeout_ms, (opts_)->rpc_headers, (opts_)->n_rpc_headers })

/*
 * Copies a struct of options of `given` bytes to one of `known` bytes; what the caller does not
 * know stays zero. INVALID_ARGUMENT if it has set something that we do not know. `from` may be
 * NULL.
 */
enum temporal_code client_opts_copy(void *to, size_t known, const void *from, size_t given,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * A call of the client, to be filled in and sent or freed. NULL: no memory, bad options, or a
 * client that is going away. Any thread.
 */
struct client_call *client_call_new(struct temporal_client *client,
	const struct client_call_opts *opts, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Frees a call that was not sent. NULL is fine. */
void client_call_free(struct client_call *call);

/* Sets `what` as printf does. */
void client_call_name(struct client_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Sends call->message. OK: `took` will be called; the call is no longer the caller's. Else it was
 * freed. Any thread.
 */
enum temporal_code client_call_start(struct client_call *call, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * client_call_start and the wait for its end, which gives `*value`. Refused on the loop's thread.
 * The call is freed in any case.
 */
enum temporal_code client_call_wait(struct client_call *call, void **value,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* From `took`: sends call->message again (the next page, the next run). It may end the call. */
void client_call_again(struct client_call *call);

/* From `took`: ends the call with an object or an error, which gets `what` in front. Frees the
 * call. */
void client_call_end(struct client_call *call, void *value, struct temporal_error *err);

/* From `took`: the answer has a link (NULL: none), for the handler that waits for it, if any. */
void client_call_linked(struct client_call *call, const Common__Link *link);

/* A `took` for calls whose answer says nothing: ends with NULL. */
void client_took_nothing(struct client_call *call, struct rpc_reply *reply);

/* Starts a call whose end is told by a callback. Any thread. */
enum temporal_code client_call_done_async(struct client_call *call, temporal_done_fn *done,
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));
enum temporal_code client_call_run_async(struct client_call *call, temporal_run_fn *done,
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));
enum temporal_code client_call_result_async(struct client_call *call, temporal_result_fn *done,
	void *user, struct temporal_error *err) __attribute__((warn_unused_result));

#endif
