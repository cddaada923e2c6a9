/*
 * server_session.h: the server's side of gRPC over one HTTP/2 connection, without I/O: bytes and
 * the time go in, bytes and events come out. One thread at a time.
 */
#ifndef RPC_SERVER_SESSION_H
#define RPC_SERVER_SESSION_H

#include "base/arena.h"
#include "rpc/frame.h"
#include "rpc/gzip.h"
#include "rpc/h2.h"

struct rpc_server_session;

/* Metadata of a request: all fields that HTTP/2 and gRPC do not use themselves. Values as on the
 * wire. */
struct rpc_field {
	struct rpc_field *next;
	const char *name, *value;
	size_t len;
};

/* A stream, embedded as first member in what the owner's `open` event makes. */
struct rpc_server_stream {
	struct rpc_server_session *session;    /* NULL: the stream is over */
	struct rpc_server_stream *next, *prev; /* the session's open streams */
	struct arena arena;                    /* of the stream; texts below are in it */
	int32_t id;
	/* the request */
	const char *path, *authority;
	struct rpc_field *fields, **fields_tail;
	int64_t deadline_ns; /* INT64_MAX: none */
	unsigned n_fields;
	size_t header_bytes;
	bool get, head, post, is_grpc, bad_timeout, gzip, bad_encoding, accepts_gzip, announced,
		half_closed;
	struct rpc_deframer in;
	/* the reply */
	struct rpc_outbox outbox;
	struct rpc_field *headers, *trailers; /* besides gRPC's own, to be sent */
	bool replied, headers_sent, finished, is_page, gzip_out;
	const char *status, *message, *details;
	/* limit H6 */
	int64_t progress_ns;
	size_t body_bytes, body_mark;
};

struct rpc_server_events {
	/* A new stream: zeroed memory that begins with a struct rpc_server_stream, or NULL when
	 * there is none. */
	struct rpc_server_stream *(*open)(void *owner);
	/* The headers of a gRPC request are there. The owner may finish the stream at once. */
	void (*request)(struct rpc_server_stream *stream);
	/* A message of the request, inflated; valid during the call. */
	void (*message)(struct rpc_server_stream *stream, const uint8_t *data, size_t len);
	/* The request is complete. */
	void (*half_closed)(struct rpc_server_stream *stream);
	/*
	 * The stream is out of the session: answered whole, or reset, or the connection is gone.
	 * Comes for each stream that `open` made; `cancelled` says that the client did not wait for
	 * the answer. The memory is the owner's again.
	 */
	void (*gone)(struct rpc_server_stream *stream, bool cancelled);
	/* Text of the page at "/", in the stream's arena; may be NULL. */
	const char *(*page)(struct rpc_server_stream *stream);
};

struct rpc_server_session_opts {
	const struct rpc_server_events *events;
	void *owner;
	struct rpc_gzip *gzip; /* borrowed */
	size_t receive_max;    /* of one message; 0: RPC_SERVER_RECEIVE_MAX */
	size_t memory_max;     /* of all messages being received; 0: RPC_SERVER_MEMORY_MAX */
	unsigned streams_max;  /* 0: RPC_STREAMS_MAX */
	bool scheme_https;
	size_t *unsent_all; /* bytes of answers that wait, of all connections; NULL: not counted */
};

struct rpc_server_session *rpc_server_session_new(const struct rpc_server_session_opts *opts,
	int64_t now_ns, struct temporal_error *err) __attribute__((warn_unused_result));

/* All streams are `gone`, cancelled. NULL is fine. Not from within an event. */
void rpc_server_session_free(struct rpc_server_session *session);

/* Bytes from the client. After an error: drain once more (GOAWAY says why) and close. */
enum temporal_code rpc_server_feed(struct rpc_server_session *session, const uint8_t *data,
	size_t len, int64_t now_ns, struct temporal_error *err) __attribute__((warn_unused_result));
enum temporal_code rpc_server_drain(struct rpc_server_session *session, uint8_t *out, size_t cap,
	size_t *len, struct temporal_error *err) __attribute__((warn_unused_result));
bool rpc_server_wants_write(const struct rpc_server_session *session);

/* Too much is waiting for a client that does not read: stop reading from it until this is false
 * again. */
bool rpc_server_is_clogged(const struct rpc_server_session *session);

/* Looks for what takes too long. False: the connection is to be closed. */
bool rpc_server_tick(struct rpc_server_session *session, int64_t now_ns);

/* Graceful end: first a notice, then, a second later, the number of the last stream that will be
 * served. */
void rpc_server_notice(struct rpc_server_session *session);
void rpc_server_goaway(struct rpc_server_session *session);

/* Over: nothing to write, nothing wanted. Idle: no stream is open. */
bool rpc_server_over(const struct rpc_server_session *session);
size_t rpc_server_streams(const struct rpc_server_session *session);
bool rpc_server_called(const struct rpc_server_session *session);

/* A header or trailer of the reply, copied; before the first message, or before the finish.
 * NO_MEMORY or OK. */
enum temporal_code rpc_server_add(struct rpc_server_stream *stream, bool trailer, const char *name,
	const char *value, size_t len) __attribute__((warn_unused_result));

/*
 * Before an answer: true if too much waits on the connection already (many that waited for the same
 * are answered at once). Then the stream was reset, and is `gone`.
 */
bool rpc_server_drop(struct rpc_server_stream *stream) __attribute__((warn_unused_result));

/* Sends a message with its prefix; the bytes stay valid until `sent` or `gone`. On a stream that is
 * over: `sent` at once. */
void rpc_server_send(struct rpc_server_stream *stream, struct rpc_outgoing *outgoing);

/* The end of the reply. `message` and `details` (encoded google.rpc.Status) are copied; NULL: none.
 * Once. */
void rpc_server_finish(struct rpc_server_stream *stream, enum temporal_code code,
	const char *message, const void *details, size_t details_len);

#endif
