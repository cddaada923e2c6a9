/*
 * channel.h: what a client calls methods through. Behind it is a connection to a server
 * (connection.h), or a server in the same process; the caller cannot tell.
 */
#ifndef RPC_CHANNEL_H
#define RPC_CHANNEL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#include "base/arena.h"
#include "rpc/loop.h"

struct rpc_channel;
struct rpc_call;

/* A method of the API; constants of rpc/methods.h. */
struct rpc_method {
	const char *path; /* "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo" */
	const ProtobufCMessageDescriptor *request, *response;
};

struct rpc_header {
	const char *name;  /* lower case; of a binary value it ends in "-bin" */
	const char *value; /* text; a binary value's bytes */
	size_t len;        /* of the value */
};

/* Which failures are tried again, and how (the official core SDK's policies; see rpc/retry.c). */
enum rpc_retry {
	RPC_RETRY_NONE,
	RPC_RETRY_CALL, /* 100 ms x 1.7 up to 5 s, 10 tries, 10 s in all; throttled 1 s x 2 up to 10
			   s */
	RPC_RETRY_REPORT, /* a worker's, of what it has done: as CALL, and also after memory was out
			   */
	RPC_RETRY_LONG_POLL, /* a worker's: 200 ms x 2 up to 10 s, for ever; each try has the whole
				timeout */
	RPC_RETRY_SCALED_POLL, /* as LONG_POLL, but what tells something of the number of polls is
				  the call's end: RESOURCE_EXHAUSTED, CANCELLED, DEADLINE_EXCEEDED
				*/
	RPC_RETRY_USER_POLL,   /* a client's long poll: as CALL, but each try has the whole timeout,
				and the 10 s run from the first failure */
};

/* The end of a call. It belongs to the callback, which may move the arena out (copy the struct and
 * zero this one). */
struct rpc_reply {
	enum temporal_code code;
	struct temporal_error error; /* when code is not OK */
	const void *message;         /* when it is: the response, in `arena`; never NULL then */
	const void *
		status; /* the Common__GrpcStatus of grpc-status-details-bin, in `arena`, or NULL */
	size_t message_size; /* bytes on the wire, 0 in process */
	struct arena arena;
};

static inline bool rpc_is_worker_poll(enum rpc_retry retry)
{
	return retry == RPC_RETRY_LONG_POLL || retry == RPC_RETRY_SCALED_POLL;
}

struct rpc_request {
	const struct rpc_method *method;
	const void *message; /* borrowed until rpc_start returns */
	struct arena *arena; /* if set: finished by rpc_start, also on failure; of the message */
	/* The same message from rpc_encode, if it is sent often; borrowed until `done`. */
	struct bytes encoded;
	int64_t timeout_ms; /* of the whole call with its retries (polls: of one try); 0: 30 s
				(70 s) */
	enum rpc_retry retry;
	bool no_status_details; /* do not decode status details */
	/* Nobody waits for the reply: it may be read RPC_LAZY_MS later, together with what comes
	 * next. That saves the wake-up which most replies to reports of a worker cost. */
	bool lazy;
	const struct rpc_header
		*headers; /* besides the channel's own; borrowed until rpc_start returns */
	size_t n_headers;
	/*
	 * Called once, on the channel's loop thread, with no lock held, never from within
	 * rpc_start. It may start other calls and must not block. The call is gone after it.
	 */
	void (*done)(struct rpc_call *call, struct rpc_reply *reply, void *user);
	void *user;
};

/* Encodes a message into the arena in the form of rpc_request.encoded. */
enum temporal_code rpc_encode(struct arena *arena, const void *message, struct bytes *encoded,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Starts a call. Any thread. NULL when memory is out or the message cannot be encoded (`done` is
 * then never called). The returned handle is valid until `done` was called.
 */
struct rpc_call *rpc_start(struct rpc_channel *channel, const struct rpc_request *request,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Asks for the call's end; `done` comes with CANCELLED, or with the result that was faster. Loop's
 * thread alone (other threads post a task), and not after `done`.
 */
void rpc_cancel(struct rpc_call *call);

/*
 * Starts a call and waits for its end; the reply is moved to `reply`, whose arena the caller
 * finishes. Not on the loop's thread (FAILED_PRECONDITION). `request->done` and `user` are ignored.
 */
enum temporal_code rpc_wait(struct rpc_channel *channel, const struct rpc_request *request,
	struct rpc_reply *reply, struct temporal_error *err) __attribute__((warn_unused_result));

/* Hears of the tries of a channel's calls, for statistics. */
struct rpc_observer {
	/* A try has ended, with or without another one to follow; not one that was cancelled here.
	 * Loop's thread. */
	void (*tried)(struct rpc_observer *observer, const struct rpc_method *method,
		bool long_poll, enum temporal_code code, int64_t took_ns);
};

/* Before the channel's first call. The observer has to outlive the channel's calls. */
void rpc_channel_observe(struct rpc_channel *channel, struct rpc_observer *observer);

/* Is the call at the server now (and not between tries, or waiting for a connection)? Loop's
 * thread. */
bool rpc_is_out(const struct rpc_call *call);

/* No other try is made: a call that is at the server now may still end well, another one is
 * cancelled. Where rpc_cancel may be called. */
void rpc_give_up(struct rpc_call *call);

/* So many pieces of work more (or fewer) are open that its replies drive; for
 * rpc_connect_opts.read_interval_ms. Loop's thread. */
void rpc_channel_work(struct rpc_channel *channel, int change);

/* Posts the task once, as soon as no call of the channel is open: now, or later. NULL takes it
 * back; false: it was posted before, or there was none. Loop's thread. */
bool rpc_channel_when_idle(struct rpc_channel *channel, struct rpc_task *idle);

struct rpc_loop *rpc_channel_loop(const struct rpc_channel *channel);

/* Channels are counted: the client and each of its workers hold one reference. Any thread. */
struct rpc_channel *rpc_channel_ref(struct rpc_channel *channel);
/* Gives up a reference; with the last one all calls end with CANCELLED and the channel closes. NULL
 * is fine. */
void rpc_channel_unref(struct rpc_channel *channel);

/*
 * What stands behind a channel: rpc/connection.c (HTTP/2) or an in-process server. All but
 * `destroy` run on the loop's thread.
 */
struct rpc_channel_ops {
	void (*start)(struct rpc_channel *channel, struct rpc_call *call);
	void (*cancel)(struct rpc_channel *channel, struct rpc_call *call);
	void (*destroy)(struct rpc_channel *channel);
	bool in_process; /* calls have a copy of the message (rpc/parcel.h) instead of its encoding,
			    but for one that has to go by wire */
};

/* Options of a channel over HTTP/2; everything is copied. Durations: 0 is the default, negative is
 * off. */
struct rpc_connect_opts {
	const char *target; /* "host:port", "[v6]:port", optionally with "http://" or "https://" in
			       front */
	bool tls;
	/* Default: larger requests are gzip-compressed, if that makes them smaller and the server
	 * is another machine. */
	bool no_compression;
	bool compress_always; /* to servers on this machine too: saves nothing there, for tests and
				 proxies */
	const char *ca_pem, *cert_pem,
		*key_pem; /* texts, not paths; NULL: the system's roots; no client certificate */
	size_t ca_pem_len, cert_pem_len, key_pem_len;
	const char *server_name; /* of SNI and the certificate; NULL: the target's host */
	const char *authority;   /* :authority; NULL: the target */
	const char *proxy;       /* HTTP CONNECT proxy "host:port"; NULL: none */
	const char *proxy_user, *proxy_password;
	int64_t keep_alive_ms;            /* 30 s */
	int64_t keep_alive_timeout_ms;    /* 15 s */
	int64_t connect_timeout_ms;       /* 10 s for DNS, TCP, proxy and TLS together */
	int64_t dns_refresh_ms;           /* 30 s */
	int64_t read_interval_ms;         /* see pace.c; off */
	size_t max_receive_size;          /* of one message after inflation; 128 MiB */
	const struct rpc_header *headers; /* sent with every call */
	size_t n_headers;
};

/*
 * A channel over HTTP/2 on the loop. It does not connect before its first call, and connects again
 * by itself, with back-off, for as long as it lives. Bad options: INVALID_ARGUMENT, NULL.
 */
struct rpc_channel *rpc_channel_new(struct rpc_loop *loop, const struct rpc_connect_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Replaces one of the headers that are sent with every call from the next call on; NULL value
 * removes it. Any thread. */
enum temporal_code rpc_channel_set_header(
	struct rpc_channel *channel, const struct rpc_header *header, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Where a client's channels come from instead of the network: a server in the same process.
 * It is the first member of struct temporal_server, through which a client knows one. */
struct rpc_transport {
	/* Opens a channel on the loop that sends these headers with every call; any thread. */
	struct rpc_channel *(*open)(void *user, struct rpc_loop *loop,
		const struct rpc_header *headers, size_t n_headers, struct temporal_error *err);
	void *user; /* outlives the client */
};

#endif
