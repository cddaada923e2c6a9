/*
 * server_session_internal.h: what server_session.c (frames, limits) and server_stream.c (headers,
 * answers) share.
 */
#ifndef RPC_SERVER_SESSION_INTERNAL_H
#define RPC_SERVER_SESSION_INTERNAL_H

#include "rpc/server_session.h"

struct rpc_server_session {
	nghttp2_session *h2;
	struct rpc_server_session_opts opts;
	struct rpc_server_stream *streams;
	size_t n_streams;
	size_t memory; /* buffered in deframers */
	size_t held;   /* of the connection's window, to be given back when there is memory again */
	size_t unsent; /* bytes of answers that wait for the client */
	int64_t now_ns, opened_ns;
	struct rpc_pending pending;
	struct rpc_flood flood;
	struct rpc_bucket resets, own_resets;
	struct rpc_recent reset_ids; /* streams that the client reset */
	struct rpc_recent early_ids; /* streams that we ended before the client did */
	struct rpc_window_watch watch;
	int32_t last_id;

	bool has_settings, called;
	const char *flooded; /* why the connection is to be closed */
};

/* Bytes of answers come and go. */
static inline void rpc_server_unsent(struct rpc_server_session *session, size_t more, size_t less)
{
	session->unsent += more - less;
	if (session->opts.unsent_all)
		*session->opts.unsent_all += more - less;
}

/* Does the client take too little of what it has asked for? */
bool rpc_server_owes_too_much(const struct rpc_server_session *session);

struct rpc_server_stream *rpc_server_stream_find(struct rpc_server_session *session, int32_t id);

/* Takes the stream out of the session: `gone`. */
void rpc_server_stream_detach(struct rpc_server_stream *stream, bool cancelled);

/* RST_STREAM, and out of the session. */
void rpc_server_stream_reset(struct rpc_server_stream *stream, uint32_t error);

/* Ends the stream with the error: something is wrong with a message of the request. */
void rpc_server_stream_fail(struct rpc_server_stream *stream, const struct temporal_error *err);

/* nghttp2's callbacks for the headers of a request; then, when all are there, and when an odd
 * request is complete. */
int rpc_server_on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user);
int rpc_server_on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user);
void rpc_server_on_request(struct rpc_server_session *session, struct rpc_server_stream *stream);
void rpc_server_answer_other(struct rpc_server_stream *stream);

#endif
