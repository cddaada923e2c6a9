/*
 * link.h: one connection to a server, from the name to the end: DNS, TCP, proxy, TLS, HTTP/2.
 * Loop's thread alone.
 */
#ifndef RPC_LINK_H
#define RPC_LINK_H

#include "rpc/call.h"
#include "rpc/pace.h"
#include "rpc/resolve.h"
#include "rpc/socket.h"

enum rpc_link_state {
	RPC_LINK_RESOLVING,
	RPC_LINK_CONNECTING,
	RPC_LINK_PROXY,
	RPC_LINK_TLS,
	RPC_LINK_OPEN, /* calls may be started; may be draining, see rpc_client_draining */
	RPC_LINK_CLOSED,
};

struct rpc_link;

/* What a link needs to know, all borrowed from the channel for the link's life. */
struct rpc_link_opts {
	struct rpc_target target;    /* the server */
	struct rpc_target proxy;     /* host "": none */
	char *proxy_authorization;   /* header's value or NULL */
	struct rpc_tls_context *tls; /* NULL: in the clear */
	const char *server_name;     /* of the certificate */
	const char *authority;
	int64_t connect_timeout_ns, keep_alive_ns, keep_alive_timeout_ns; /* keep_alive_ns 0: off */
	int64_t read_interval_ns; /* 0: each reply is read when it comes */
	const unsigned *work;     /* rpc_channel.work */
	size_t receive_max;
	bool compress, compress_always;
};

/* Who owns links. None is called from within a function of this header. */
struct rpc_link_events {
	/* It is open: calls may be started. */
	void (*opened)(struct rpc_link *link);
	/* It takes calls again, or not any more: GOAWAY, a stream ended. */
	void (*changed)(struct rpc_link *link);
	/* It is over: could not be opened, or broke (`err`), or is drained (NULL). All its calls
	 * have ended. */
	void (*over)(struct rpc_link *link, const struct temporal_error *err);
	/* Its memory is gone right after. */
	void (*freed)(struct rpc_link *link);
	/* The server does not take gzip. */
	void (*no_gzip)(struct rpc_link *link);
};

struct rpc_link {
	struct rpc_socket socket; /* first: the socket's events cast */
	const struct rpc_link_opts *opts;
	const struct rpc_link_events *events;
	void *owner;
	struct rpc_link *next; /* the owner's list */
	enum rpc_link_state state;
	struct rpc_loop *loop;
	struct rpc_resolve *resolve;
	struct rpc_addresses addresses;
	unsigned at; /* the address being tried */
	union rpc_address peer;
	struct rpc_client_session *session;
	struct rpc_timer timer; /* connect timeout, then keep-alive */
	struct rpc_pace pace;   /* what of the reading may be put off */
	bool begun, pinged;
	bool counted_open; /* the owner's: `opened` came */
	bool served;       /* the server has answered something: it is one */
	char *proxy_reply;
	size_t proxy_len;
	struct temporal_error failure; /* of the last address */
};

/* Begins to connect. NULL when memory is out. */
struct rpc_link *rpc_link_new(struct rpc_loop *loop, const struct rpc_link_opts *opts,
	const struct rpc_link_events *events, void *owner, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Open, not draining, and the server allows one stream more? */
bool rpc_link_takes_calls(const struct rpc_link *link);

/* Starts a try of the call on a link that takes calls. On failure the call is not with it. */
enum temporal_code rpc_link_start(struct rpc_link *link, struct rpc_call *call,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Takes the call off its link, without an event. */
void rpc_link_cancel(struct rpc_call *call);

/* Takes no new calls; closes when the running ones are over. */
void rpc_link_drain(struct rpc_link *link);

/* Closes at once, ending its calls with UNAVAILABLE; no event but `freed`. */
void rpc_link_close(struct rpc_link *link);

#endif
