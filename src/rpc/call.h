/*
 * call.h: the inside of channels and calls, for what implements rpc_channel_ops: connection.c and
 * the in-process server.
 */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "rpc/channel.h"
#include "rpc/client_session.h"
#include "rpc/parcel.h"
#include "rpc/retry.h"
#include "rpc/text.h"

/* An immutable, counted set of headers that goes with every call. */
struct rpc_headers {
	atomic_uint refs;
	size_t n;
	struct rpc_header fields[]; /* as on the wire: binary values are base64; the bytes follow in
				       the same block */
};

enum rpc_call_state {
	RPC_CALL_POSTED,    /* the loop has not seen it yet */
	RPC_CALL_TRYING,    /* it is with the ops */
	RPC_CALL_WAITING,   /* for the next try */
	RPC_CALL_CANCELLED, /* with nobody; its end is posted */
	RPC_CALL_ENDED,
};

struct rpc_call {
	/* set by rpc_start, then constant */
	struct rpc_channel *channel;
	const struct rpc_method *method;
	struct arena arena;        /* the request's encoding, headers of the call */
	struct bytes wire;         /* prefix and encoded message; empty if there is a parcel */
	struct rpc_parcel *parcel; /* in process, but for messages that have to go by wire */
	struct rpc_header *fields; /* the call's own, as on the wire */
	size_t n_fields;
	struct rpc_headers *headers; /* the channel's at its last try; a reference */
	int64_t timeout_ns;
	enum rpc_retry policy;
	bool no_status_details, lazy;
	void (*done)(struct rpc_call *call, struct rpc_reply *reply, void *user);
	void *user;
	/* loop */
	struct rpc_task task;
	struct rpc_call *next, *prev; /* rpc_channel.calls; `next` also in the pool */
	enum rpc_call_state state;
	int64_t deadline_ns; /* of the whole call; INT64_MAX: none */
	int64_t try_deadline_ns;
	int64_t try_began_ns;   /* 0: the observer has heard of its end */
	struct rpc_timer timer; /* the deadline, or the next try */
	struct rpc_retry_state retry;
	bool has_message, extra_message, cancelled;
	unsigned refusals; /* by servers, one after the other */
	void *peer;        /* the in-process server's */
	/* loop, the transport's */
	struct {
		struct rpc_outgoing outgoing;
		struct rpc_call *next_waiting; /* for a connection */
		bool waiting, cancelling, gzipped;
		bool prompt; /* counted by the link: its reply is to be read at once */
		struct rpc_link *link;
		char timeout[RPC_TIMEOUT_SIZE];
		struct rpc_client_stream stream; /* last */
	} http2;
	/* loop: of these call_clear sets only what says that there is nothing; errors are large */
	struct rpc_reply reply; /* what came so far in this try */
	struct temporal_error
		bad_message; /* why the message could not be decoded; code OK: nothing */
};

struct rpc_channel {
	const struct rpc_channel_ops *ops;
	struct rpc_loop *loop;
	struct rpc_observer *observer; /* NULL: none */
	atomic_uint refs;
	atomic_ulong submitted; /* calls posted to the loop */
	/* any thread, under the lock */
	pthread_mutex_t lock;
	struct rpc_headers *headers;
	struct rpc_call *pool;
	unsigned n_pool;
	/* loop */
	unsigned long begun; /* calls that arrived there */
	struct rpc_call *calls;
	struct rpc_task close;
	struct rpc_task *idle; /* to be posted when no call is left; NULL: nobody waits */
	unsigned work;         /* rpc_channel_work */
	bool closing;
	uint64_t chance; /* state of the generator for jitter */
};

/* Fills in the base of a channel with one reference. */
enum temporal_code rpc_channel_init(struct rpc_channel *channel, const struct rpc_channel_ops *ops,
	struct rpc_loop *loop, const struct rpc_header *headers, size_t n_headers,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Frees what the base holds; for the end of ops->destroy. Loop's thread. */
void rpc_channel_finish(struct rpc_channel *channel);

/* A received message: decodes it into the call's reply. Loop's thread. */
void rpc_call_message(struct rpc_call *call, const uint8_t *data, size_t len, size_t wire_len);

/*
 * The same in process: the response lies in `arena`, which is taken over. It was checked as if it
 * had come by wire.
 */
void rpc_call_message_in(struct rpc_call *call, const void *message, struct arena *arena);

/*
 * The end of a try, from the ops; not from within ops->start or ops->cancel. May start the next try
 * at once (refused) or later; else `done` is called and the call is gone.
 */
void rpc_call_end_try(struct rpc_call *call, const struct rpc_end *end);

/* The end of a try that could not begin, for want of memory; from ops->start. */
void rpc_call_no_memory(struct rpc_call *call);

/* 32 random bits for jitter. */
uint32_t rpc_channel_chance(struct rpc_channel *channel);

#endif
