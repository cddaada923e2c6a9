/*
 * client_session.h: the client's side of gRPC over one HTTP/2 connection, without I/O: bytes and
 * the time go in, bytes and events come out. One thread at a time.
 */
#ifndef RPC_CLIENT_SESSION_H
#define RPC_CLIENT_SESSION_H

#include <string.h>

#include "rpc/frame.h"
#include "rpc/gzip.h"
#include "rpc/h2.h"

struct rpc_client_session;
struct rpc_client_stream;

/* How a stream ended. The texts are valid during the callback. */
struct rpc_end {
	enum temporal_code code;
	const char *message;    /* "" if none */
	const uint8_t *details; /* of grpc-status-details-bin, decoded; or NULL */
	size_t details_len;
	bool refused;   /* the server did not begin with it: it may be sent again, whatever it is */
	bool dropped;   /* the server cancelled the stream and gave no status */
	bool no_gzip;   /* the server does not take gzip */
	bool transport; /* the connection failed, not the call */
};

struct rpc_client_events {
	/* A whole message, inflated; valid during the call. */
	void (*message)(
		struct rpc_client_stream *stream, const uint8_t *data, size_t len, size_t wire_len);
	/* The stream is over and out of the session; it may be freed. Called once for each opened
	 * stream. */
	void (*end)(struct rpc_client_stream *stream, const struct rpc_end *end);
	/* A header (or trailer) of the reply; may be NULL. */
	void (*header)(
		struct rpc_client_stream *stream, const char *name, const char *value, size_t len);
};

/* A stream, embedded in what it serves; rpc_client_stream_init before it is opened. */
struct rpc_client_stream {
	const struct rpc_client_events *events;
	struct rpc_client_session *session;    /* NULL: not open */
	struct rpc_client_stream *next, *prev; /* rpc_client_session's open streams */
	struct rpc_outbox outbox;
	struct rpc_deframer in;
	int32_t id;
	/* of the reply so far */
	int grpc_status; /* -1: none yet */
	unsigned http_status;
	unsigned fields, blocks;
	size_t header_bytes;
	bool gzip, bad_encoding, bad_content, no_gzip, has_headers;
	char *message;
	uint8_t *details;
	size_t details_len;
	struct temporal_error
		error; /* last: what we found wrong with the reply; code OK: nothing */
};

static inline void rpc_client_stream_init(
	struct rpc_client_stream *stream, const struct rpc_client_events *events)
{
	/* All but the error's text, which is large and cold. */
	memset(stream, 0, offsetof(struct rpc_client_stream, error));
	stream->error.code = TEMPORAL_OK;
	stream->events = events;
}

struct rpc_client_opts {
	size_t receive_max;    /* of one message; 0: RPC_CLIENT_RECEIVE_MAX */
	size_t memory_max;     /* of all messages being received; 0: RPC_CLIENT_MEMORY_MAX */
	struct rpc_gzip *gzip; /* borrowed */
};

struct rpc_client_session *rpc_client_session_new(const struct rpc_client_opts *opts,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Ends all streams with UNAVAILABLE (`reason` says why), then frees. NULL is fine. Not from within
 * a callback. */
void rpc_client_session_free(struct rpc_client_session *session, const char *reason);

/* Bytes from the server. An error means that the connection is lost. */
enum temporal_code rpc_client_feed(struct rpc_client_session *session, const uint8_t *data,
	size_t len, int64_t now_ns, struct temporal_error *err) __attribute__((warn_unused_result));

/* Bytes for the server, at most `cap`; *len is 0 when there are none. */
enum temporal_code rpc_client_drain(struct rpc_client_session *session, uint8_t *out, size_t cap,
	size_t *len, struct temporal_error *err) __attribute__((warn_unused_result));
bool rpc_client_wants_write(const struct rpc_client_session *session);

/* Opens a stream. The fields' bytes stay valid until its end. Messages may be pushed before and
 * after. */
enum temporal_code rpc_client_open(struct rpc_client_session *session,
	struct rpc_client_stream *stream, const nghttp2_nv *fields, size_t n_fields,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Sends a message on an open stream; closes the stream's sending side. */
void rpc_client_send(struct rpc_client_stream *stream, struct rpc_outgoing *outgoing);
void rpc_client_send_end(struct rpc_client_stream *stream);

/* Resets an open stream with CANCEL and ends it: `end` is called, with the code given, before this
 * returns. */
void rpc_client_cancel(
	struct rpc_client_stream *stream, enum temporal_code code, const char *reason);

void rpc_client_ping(struct rpc_client_session *session);

/*
 * Pings are answered by themselves, but for those with which grpc-go's server measures the
 * connection: their answer is owed until rpc_client_pong, which RPC_LAZY_MS later is early
 * enough.
 */
bool rpc_client_owes_pong(const struct rpc_client_session *session);
void rpc_client_pong(struct rpc_client_session *session);

/* Says goodbye to the server, which may close the connection then. */
void rpc_client_goodbye(struct rpc_client_session *session);

/* May it take a stream more? Not after GOAWAY (draining), nor while as many are open as the server
 * allows (full). */
bool rpc_client_draining(const struct rpc_client_session *session);
bool rpc_client_full(const struct rpc_client_session *session);
size_t rpc_client_streams(const struct rpc_client_session *session);

/* Has the session ended by itself, with nothing left to write or read? */
bool rpc_client_over(const struct rpc_client_session *session);

#endif
