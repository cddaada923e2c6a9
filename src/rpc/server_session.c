/*
 * server_session.c: the server's side of gRPC on top of nghttp2, for clients that may be hostile.
 *
 *   HEADERS ok  -> `request`  -> `message`s -> `half_closed`    (any time: finish, or `gone`)
 *   HEADERS bad -> an answer with the HTTP status that gRPC prescribes, no event but `gone`
 *
 * Invariants
 * - Every stream that `open` made gets `gone` exactly once; then nghttp2 has no pointer to it.
 * - The window is given back only for bytes that were taken, and the connection's only while the
 *   messages being received keep within half of their memory: a client that sends more than we
 *   digest is slowed down, never buffered.
 * - What costs the client nothing is counted: resets and frames by kind, header bytes before they
 *   are copied, our own resets; an empty bucket ends the connection.
 *
 * Called by server.c on the loop's thread, and by tests.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/server_session_internal.h"

struct rpc_server_stream *rpc_server_stream_find(struct rpc_server_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session->h2, id);
}

/* The end of a stream. */

static void give_back_window(struct rpc_server_session *session)
{
	if (session->held == 0 || session->memory > session->opts.memory_max / 2)
		return;
	nghttp2_session_consume_connection(session->h2, session->held);
	session->held = 0;
}

void rpc_server_stream_detach(struct rpc_server_stream *stream, bool cancelled)
{
	struct rpc_server_session *session = stream->session;

	if (stream->prev)
		stream->prev->next = stream->next;
	else
		session->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	session->n_streams--;
	nghttp2_session_set_stream_user_data(session->h2, stream->id, NULL);
	rpc_server_unsent(session, 0, rpc_outbox_size(&stream->outbox));
	rpc_outbox_clear(&stream->outbox);
	rpc_deframer_finish(&stream->in);
	give_back_window(session);
	stream->session = NULL;
	session->opts.events->gone(stream, cancelled);
}

bool rpc_server_owes_too_much(const struct rpc_server_session *session)
{
	const size_t *all = session->opts.unsent_all;

	return session->unsent > RPC_UNSENT_MAX ||
	       (all && *all > RPC_UNSENT_ALL_MAX && session->unsent > RPC_UNSENT_FAIR);
}

void rpc_server_stream_reset(struct rpc_server_stream *stream, uint32_t error)
{
	nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, error);
	rpc_server_stream_detach(stream, true);
}

/* Request bodies. */

static bool hand_out(struct rpc_server_stream *stream, const struct rpc_message *message,
	struct temporal_error *err)
{
	const struct rpc_server_session_opts *opts = &stream->session->opts;
	struct bytes plain;

	if (!message->compressed) {
		opts->events->message(stream, message->data, message->len);
		return true;
	}
	if (!stream->gzip) {
		error_set(
			err, TEMPORAL_INTERNAL, "grpc: a compressed message without grpc-encoding");
		return false;
	}
	if (rpc_gzip_inflate(opts->gzip, message->data, message->len, opts->receive_max, &plain,
		    err) != TEMPORAL_OK)
		return false;
	opts->events->message(stream, plain.ptr, plain.len);
	mem_free(plain.ptr);
	return true;
}

static void take_data(
	struct rpc_server_session *session, int32_t id, const uint8_t *data, size_t len)
{
	struct rpc_server_stream *stream;
	struct temporal_error err;

	while ((stream = rpc_server_stream_find(session, id)) && stream->announced &&
		!stream->finished) {
		struct rpc_message message;
		enum rpc_deframed step = rpc_deframe(&stream->in, &data, &len, &message, &err);

		if (step == RPC_DEFRAMED_MORE)
			return;
		if (step == RPC_DEFRAMED_ERROR || !hand_out(stream, &message, &err)) {
			rpc_server_stream_fail(stream, &err);
			return;
		}
	}
}

static int on_data(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
	struct rpc_server_session *session = user;
	struct rpc_server_stream *stream = rpc_server_stream_find(session, id);

	if (stream) {
		stream->body_bytes += len;
		if (stream->body_bytes - stream->body_mark >= RPC_BODY_PROGRESS) {
			stream->body_mark = stream->body_bytes;
			stream->progress_ns = session->now_ns;
		}
		take_data(session, id, data, len);
	}
	nghttp2_session_consume_stream(h2, id, len);
	session->held += len;
	give_back_window(session);
	return 0;
}

static void on_half_closed(struct rpc_server_session *session, struct rpc_server_stream *stream)
{
	struct temporal_error err;

	stream->half_closed = true;
	stream->progress_ns = session->now_ns;
	if (stream->finished)
		return;
	if (!stream->announced) {
		rpc_server_answer_other(stream);
		return;
	}
	if (rpc_deframer_inside(&stream->in)) {
		error_set(&err, TEMPORAL_INTERNAL, "grpc: the request ends within a message");
		rpc_server_stream_fail(stream, &err);
		return;
	}
	session->opts.events->half_closed(stream);
}

/* Frames. */

/* Ends the connection when its client does for free what costs us. */
static int flooded(struct rpc_server_session *session, const char *how)
{
	session->flooded = how;
	nghttp2_session_terminate_session(session->h2, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
	struct rpc_server_session *session = user;
	struct rpc_server_stream *stream;

	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		session->has_settings = true;
		break;

	case NGHTTP2_RST_STREAM:
		rpc_recent_add(&session->reset_ids, frame->hd.stream_id);
		if (!rpc_bucket_take(
			    &session->resets, session->now_ns, RPC_RESETS_BURST, RPC_RESETS_PER_S))
			return flooded(session, "streams that it resets");
		break;
	case NGHTTP2_HEADERS:
		stream = rpc_server_stream_find(session, frame->hd.stream_id);
		if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			rpc_server_on_request(session, stream);
		/* fallthrough */
	case NGHTTP2_DATA:
		stream = rpc_server_stream_find(session, frame->hd.stream_id);
		if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			on_half_closed(session, stream);
		break;
	default:
		break;
	}
	return 0;
}

/*
 * What nghttp2 lets pass because it may have crossed a reset of ours: DATA on a stream that the
 * client itself reset, and a new stream with a lower number than an old one.
 */
static void check_closed(struct rpc_server_session *session, const nghttp2_frame_hd *frame)
{
	int32_t id = frame->stream_id;

	if (id % 2 == 0 || id > session->last_id ||
		nghttp2_session_get_stream_remote_close(session->h2, id) >= 0)
		return;
	if (frame->type == NGHTTP2_DATA && rpc_recent_has(&session->reset_ids, id))
		nghttp2_submit_rst_stream(
			session->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
	if (frame->type == NGHTTP2_HEADERS && !rpc_recent_has(&session->early_ids, id))
		nghttp2_session_terminate_session(session->h2, NGHTTP2_PROTOCOL_ERROR);
}

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *frame, void *user)
{
	struct rpc_server_session *session = user;

	if (!rpc_flood_allows(&session->flood, frame, session->now_ns))
		return flooded(session, "control frames");
	if (frame->type == NGHTTP2_DATA || frame->type == NGHTTP2_HEADERS)
		check_closed(session, frame);
	return 0;
}

static int on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *user)
{
	struct rpc_server_session *session = user;

	if (rpc_bucket_take(&session->own_resets, session->now_ns, RPC_OWN_RESETS_BURST,
		    RPC_OWN_RESETS_PER_S))
		return 0;
	return flooded(session, "invalid frames");
}

/*
 * An answer that is complete while the request still comes: RST_STREAM(NO_ERROR) tells the client
 * to stop (RFC 9113, 8.1). Resets that the client provoked are counted.
 */
static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
	struct rpc_server_session *session = user;

	int32_t id = frame->hd.stream_id;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		rpc_recent_add(&session->early_ids, id);
	if (frame->hd.type == NGHTTP2_RST_STREAM &&
		frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
		if (rpc_bucket_take(&session->own_resets, session->now_ns, RPC_OWN_RESETS_BURST,
			    RPC_OWN_RESETS_PER_S))
			return 0;
		return flooded(session, "streams that have to be reset");
	}
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
		nghttp2_session_get_stream_remote_close(h2, id) == 0)
		nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *user)
{
	struct rpc_server_stream *stream = rpc_server_stream_find(user, id);

	if (stream)
		rpc_server_stream_detach(stream, !stream->finished || stream->outbox.head);
	return 0;
}

/* The session. */

static int session_open(struct rpc_server_session *session, nghttp2_session_callbacks *callbacks,
	nghttp2_option *option)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->opts.streams_max },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, RPC_SERVER_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, RPC_HEADER_LIST_MAX },
	};

	nghttp2_session_callbacks_set_on_begin_headers_callback(
		callbacks, rpc_server_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, rpc_server_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	int result =
		nghttp2_session_server_new3(&session->h2, callbacks, session, option, rpc_h2_mem());
	if (result == 0)
		result = nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings,
			sizeof(settings) / sizeof(settings[0]));
	if (result == 0)
		result = nghttp2_session_set_local_window_size(
			session->h2, NGHTTP2_FLAG_NONE, 0, RPC_CONNECTION_WINDOW);
	return result;
}

struct rpc_server_session *rpc_server_session_new(
	const struct rpc_server_session_opts *opts, int64_t now_ns, struct temporal_error *err)
{
	struct rpc_server_session *session = mem_zalloc(sizeof(*session));
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int result = NGHTTP2_ERR_NOMEM;

	if (!session)
		goto out;
	session->opts = *opts;
	session->opts.receive_max = opts->receive_max ? opts->receive_max : RPC_SERVER_RECEIVE_MAX;
	session->opts.memory_max = opts->memory_max ? opts->memory_max : RPC_SERVER_MEMORY_MAX;
	session->opts.streams_max = opts->streams_max ? opts->streams_max : RPC_STREAMS_MAX;
	session->now_ns = session->opened_ns = now_ns;
	session->watch.skip = NGHTTP2_CLIENT_MAGIC_LEN;
	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0)
		result = session_open(session, callbacks, option);
out:
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	if (result == 0)
		return session;
	error_no_memory(err, "HTTP/2 session");
	rpc_server_session_free(session);
	return NULL;
}

void rpc_server_session_free(struct rpc_server_session *session)
{
	if (!session)
		return;
	while (session->streams)
		rpc_server_stream_detach(session->streams, true);
	nghttp2_session_del(session->h2);
	mem_free(session);
}

static void watch_windows(struct rpc_server_session *session, const uint8_t *data, size_t len)
{
	int32_t id;

	while ((id = rpc_window_watch_next(&session->watch, &data, &len)) > 0) {
		if (id <= session->last_id &&
			nghttp2_session_get_stream_remote_close(session->h2, id) < 0)
			nghttp2_submit_rst_stream(
				session->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
	}
}

enum temporal_code rpc_server_feed(struct rpc_server_session *session, const uint8_t *data,
	size_t len, int64_t now_ns, struct temporal_error *err)
{
	session->now_ns = now_ns;
	ssize_t used = nghttp2_session_mem_recv(session->h2, data, len);
	if (session->flooded)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"the client floods the connection with %s", session->flooded);
	watch_windows(session, data, len);
	if (used >= 0)
		return TEMPORAL_OK;
	if (used == NGHTTP2_ERR_NOMEM)
		return error_no_memory(err, "HTTP/2 connection");
	return error_set(err, TEMPORAL_INVALID_ARGUMENT, "the client does not speak HTTP/2: %s",
		nghttp2_strerror((int)used));
}

enum temporal_code rpc_server_drain(struct rpc_server_session *session, uint8_t *out, size_t cap,
	size_t *len, struct temporal_error *err)
{
	return rpc_h2_drain(session->h2, &session->pending, out, cap, len, err);
}

bool rpc_server_wants_write(const struct rpc_server_session *session)
{
	return session->pending.len > 0 || nghttp2_session_want_write(session->h2);
}

bool rpc_server_is_clogged(const struct rpc_server_session *session)
{
	return nghttp2_session_get_outbound_queue_size(session->h2) > 2 * session->opts.streams_max;
}

/* A stream whose client neither sends nor takes. */
static bool is_stalled(const struct rpc_server_stream *stream, int64_t now_ns)
{
	int64_t quiet_ms = (now_ns - stream->progress_ns) / RPC_MS_NS;

	if (stream->outbox.head || stream->finished)
		return quiet_ms > RPC_REPLY_STALLED_MS;
	return rpc_deframer_inside(&stream->in) && quiet_ms > RPC_BODY_PROGRESS_MS;
}

bool rpc_server_tick(struct rpc_server_session *session, int64_t now_ns)
{
	int64_t age_ms = (now_ns - session->opened_ns) / RPC_MS_NS;
	struct rpc_server_stream *stream = session->streams;

	session->now_ns = now_ns;
	if (!session->has_settings && age_ms > RPC_PREFACE_TIMEOUT_MS)
		return false;
	if (!session->called && age_ms > RPC_FIRST_CALL_MS)
		return false;

	while (stream) {
		struct rpc_server_stream *next = stream->next;

		if (is_stalled(stream, now_ns))
			rpc_server_stream_reset(stream, NGHTTP2_CANCEL);
		stream = next;
	}
	return true;
}

void rpc_server_notice(struct rpc_server_session *session)
{
	nghttp2_submit_shutdown_notice(session->h2);
}

void rpc_server_goaway(struct rpc_server_session *session)
{
	nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session->h2), NGHTTP2_NO_ERROR, NULL, 0);
}

bool rpc_server_over(const struct rpc_server_session *session)
{
	return !rpc_server_wants_write(session) && !nghttp2_session_want_read(session->h2);
}

size_t rpc_server_streams(const struct rpc_server_session *session)
{
	return session->n_streams;
}

bool rpc_server_called(const struct rpc_server_session *session)
{
	return session->called;
}
