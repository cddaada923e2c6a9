/*
 * client_session.c: the client's side of gRPC on top of nghttp2.
 *
 * Invariants
 * - A stream is in the session's list from rpc_client_open to its `end`, which comes exactly once:
 *   at the server's END_STREAM, at a reset, by rpc_client_cancel, or when the session is freed.
 *   From then on nghttp2 has no pointer to it (its user data is NULL), even if nghttp2's own stream
 *   lives a little longer.
 * - grpc-status counts from whichever header block carries it (errors come as one block,
 *   "Trailers-Only"), and what arrived before a reset still counts: RST_STREAM(NO_ERROR) after an
 *   early reply is no failure.
 * - Nothing is allocated by what a header claims; all that a hostile server may send is counted.
 *
 * Called by link.c on the loop's thread, and by tests with bytes from an array.
 */
#include "rpc/client_session.h"

#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/text.h"

struct rpc_client_session {
	nghttp2_session *h2;
	struct rpc_client_opts opts;
	struct rpc_client_stream *streams;
	size_t n_streams;
	size_t memory; /* buffered in deframers */
	int64_t now_ns;
	struct rpc_pending pending;
	struct rpc_flood flood;
	struct rpc_bucket invalid;
	bool draining, has_settings;
	bool drains;    /* nghttp2 writes: memory that is out is then its */
	bool owes_pong; /* to a measuring ping */
};

static struct rpc_client_stream *find(struct rpc_client_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session->h2, id);
}

/* The end of a stream. */

static void detach(struct rpc_client_stream *stream)
{
	struct rpc_client_session *session = stream->session;

	if (stream->prev)
		stream->prev->next = stream->next;
	else
		session->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	session->n_streams--;
	nghttp2_session_set_stream_user_data(session->h2, stream->id, NULL);
	rpc_outbox_clear(&stream->outbox);
	rpc_deframer_finish(&stream->in);
	stream->session = NULL;
}

static void end(struct rpc_client_stream *stream, struct rpc_end result)
{
	char *message = stream->message;
	uint8_t *details = stream->details;

	if (!result.message)
		result.message = "";
	stream->message = NULL;
	stream->details = NULL;
	detach(stream);
	stream->events->end(stream, &result);
	mem_free(message);
	mem_free(details);
}

static enum temporal_code code_of_http(unsigned status)
{
	switch (status) {
	case 400:
		return TEMPORAL_INTERNAL;
	case 401:
		return TEMPORAL_UNAUTHENTICATED;
	case 403:
		return TEMPORAL_PERMISSION_DENIED;
	case 404:
		return TEMPORAL_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return TEMPORAL_UNAVAILABLE;
	default:
		return TEMPORAL_UNKNOWN;
	}
}

static enum temporal_code code_of_reset(uint32_t error)
{
	switch (error) {
	case NGHTTP2_REFUSED_STREAM:
		return TEMPORAL_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return TEMPORAL_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return TEMPORAL_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return TEMPORAL_PERMISSION_DENIED;
	default:
		return TEMPORAL_INTERNAL;
	}
}

/* What came is wrong, and it is known how. */
static void end_wrong(struct rpc_client_stream *stream, enum temporal_code code, const char *format,
	unsigned number)
{
	error_set(&stream->error, code, "%s%u", format, number);
	end(stream, (struct rpc_end){ .code = code, .message = stream->error.message });
}

/* The server's last word has arrived, or it reset the stream with `reset`. */
static void end_by_server(struct rpc_client_stream *stream, uint32_t reset, bool was_reset)
{
	if (stream->error.code != TEMPORAL_OK) {
		end(stream, (struct rpc_end){
				    .code = stream->error.code, .message = stream->error.message });
	} else if (stream->grpc_status >= 0) {
		unsigned status = (unsigned)stream->grpc_status;

		end(stream, (struct rpc_end){ .code = status <= 16 ? (enum temporal_code)status
								   : TEMPORAL_UNKNOWN,
				    .message = stream->message,
				    .details = stream->details,
				    .details_len = stream->details_len,
				    .no_gzip = stream->no_gzip });
	} else if (stream->http_status != 0 && stream->http_status != 200) {
		end_wrong(stream, code_of_http(stream->http_status),
			"the server answered without gRPC status, with HTTP status ",
			stream->http_status);
	} else if (was_reset) {
		error_set(&stream->error, code_of_reset(reset), "the server reset the stream: %s",
			nghttp2_http2_strerror(reset));
		end(stream, (struct rpc_end){ .code = stream->error.code,
				    .message = stream->error.message,
				    .refused = reset == NGHTTP2_REFUSED_STREAM,
				    .dropped = reset == NGHTTP2_CANCEL });
	} else if (stream->bad_content) {
		end(stream, (struct rpc_end){ .code = TEMPORAL_UNKNOWN,
				    .message = "the server's reply is not application/grpc" });
	} else {
		end(stream,
			(struct rpc_end){ .code = TEMPORAL_INTERNAL,
				.message = "the server closed the stream without grpc-status" });
	}
}

void rpc_client_cancel(
	struct rpc_client_stream *stream, enum temporal_code code, const char *reason)
{
	if (!stream->session)
		return;
	nghttp2_submit_rst_stream(
		stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	end(stream, (struct rpc_end){ .code = code, .message = reason });
}

/* Refuses the rest of a reply. The stream's `error` says why. */
static void refuse(struct rpc_client_stream *stream)
{
	nghttp2_submit_rst_stream(
		stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	end_by_server(stream, NGHTTP2_CANCEL, true);
}

/* Headers. */

static void take_status(struct rpc_client_stream *stream, const char *value, size_t len)
{
	unsigned status;

	stream->grpc_status =
		rpc_number_parse(value, len, &status) ? (int)(status & 0xFFFF) : TEMPORAL_UNKNOWN;
}

static bool take_message(struct rpc_client_stream *stream, const char *value, size_t len)
{
	if (len == 0)
		return true;
	char *text = mem_realloc(stream->message, len + 1);
	if (!text)
		return false;
	memcpy(text, value, len);
	text[rpc_percent_decode(text, len)] = '\0';
	stream->message = text;
	return true;
}

static bool take_details(struct rpc_client_stream *stream, const char *value, size_t len)
{
	uint8_t *details = mem_realloc(stream->details, BASE64_ROOM(len));

	if (!details)
		return false;
	stream->details = details;
	if (!base64_decode(value, len, details, &stream->details_len))
		stream->details_len = 0;
	return true;
}

static bool starts_with(const char *value, size_t len, const char *start)
{
	size_t n = strlen(start);

	return len >= n && memcmp(value, start, n) == 0;
}

/* Does the list of encodings, divided by commas, contain gzip? */
static bool names_gzip(const char *value, size_t len)
{
	return memmem(value, len, "gzip", 4) != NULL;
}

static bool take_field(struct rpc_client_stream *stream, const char *name, size_t name_len,
	const char *value, size_t len)
{
	if (RPC_IS("grpc-status", name, name_len))
		take_status(stream, value, len);
	else if (RPC_IS("grpc-message", name, name_len))
		return take_message(stream, value, len);
	else if (RPC_IS("grpc-status-details-bin", name, name_len))
		return take_details(stream, value, len);
	else if (RPC_IS(":status", name, name_len))
		stream->http_status = rpc_number_parse(value, len, &stream->http_status)
					      ? stream->http_status
					      : 0;
	else if (RPC_IS("content-type", name, name_len))
		stream->bad_content = !starts_with(value, len, "application/grpc");
	else if (RPC_IS("grpc-encoding", name, name_len)) {
		stream->gzip = len == 4 && memcmp(value, "gzip", 4) == 0;
		stream->bad_encoding =
			!stream->gzip && !(len == 8 && memcmp(value, "identity", 8) == 0);
	} else if (RPC_IS("grpc-accept-encoding", name, name_len))
		stream->no_gzip = !names_gzip(value, len);
	return true;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
	struct rpc_client_stream *stream = find(user, frame->hd.stream_id);

	if (!stream || ++stream->blocks <= RPC_HEADER_BLOCKS_MAX)
		return 0;
	error_set(&stream->error, TEMPORAL_INTERNAL, "the server sent more than %u header blocks",
		RPC_HEADER_BLOCKS_MAX);
	refuse(stream);
	return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
	struct rpc_client_stream *stream = find(user, frame->hd.stream_id);

	if (!stream)
		return 0;
	stream->fields++;
	stream->header_bytes += name_len + len + 32;
	if (stream->fields > RPC_HEADER_FIELDS_MAX ||
		stream->header_bytes > RPC_REPLY_HEADERS_MAX) {
		error_set(&stream->error, TEMPORAL_INTERNAL,
			"the reply's headers are larger than %u bytes or %u fields",
			RPC_REPLY_HEADERS_MAX, RPC_HEADER_FIELDS_MAX);
		refuse(stream);
		return 0;
	}
	if (!take_field(stream, (const char *)name, name_len, (const char *)value, len)) {
		error_no_memory(&stream->error, "header of a reply");
		refuse(stream);
		return 0;
	}
	if (stream->events->header)
		stream->events->header(stream, (const char *)name, (const char *)value, len);
	return 0;
}

/* Messages. */

static bool hand_out(struct rpc_client_session *session, struct rpc_client_stream *stream,
	const struct rpc_message *message)
{
	struct bytes plain;

	if (!message->compressed) {
		stream->events->message(stream, message->data, message->len, message->len);
		return true;
	}
	if (!stream->gzip) {
		error_set(&stream->error, TEMPORAL_INTERNAL,
			"the reply is compressed, but not with the agreed gzip");
		return false;
	}
	if (rpc_gzip_inflate(session->opts.gzip, message->data, message->len,
		    session->opts.receive_max, &plain, &stream->error) != TEMPORAL_OK)
		return false;
	stream->events->message(stream, plain.ptr, plain.len, message->len);
	mem_free(plain.ptr);
	return true;
}

static int on_data(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
	struct rpc_client_session *session = user;
	struct rpc_client_stream *stream = find(session, id);

	while (stream) {
		struct rpc_message message;
		enum rpc_deframed step;

		/* a page of a proxy's HTML is no message */
		if (stream->bad_content || (stream->http_status != 200 && stream->http_status != 0))
			return 0;
		step = rpc_deframe(&stream->in, &data, &len, &message, &stream->error);
		if (step == RPC_DEFRAMED_MORE)
			return 0;
		if (step == RPC_DEFRAMED_ERROR || !hand_out(session, stream, &message)) {
			refuse(stream);
			return 0;
		}
		stream = find(session, id); /* the callback may have cancelled it */
	}
	return 0;
}

/* Frames. */

/* END_STREAM from the server: it is done, so are we, even if it did not want to hear the whole
 * request. */
static void on_server_done(struct rpc_client_session *session, struct rpc_client_stream *stream)
{
	if (stream->error.code == TEMPORAL_OK && stream->grpc_status <= 0 &&
		rpc_deframer_inside(&stream->in))
		error_set(&stream->error, TEMPORAL_INTERNAL, "the reply ends within a message");
	if (nghttp2_session_get_stream_local_close(session->h2, stream->id) == 0)
		nghttp2_submit_rst_stream(
			session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	end_by_server(stream, NGHTTP2_NO_ERROR, false);
}

/*
 * grpc-go measures the connection with a ping of these bytes after DATA, one at a time, as often as
 * it gets an answer. Answered at once it would be a packet, a wake-up and a write more for nearly
 * every call, on both sides.
 */
static const uint8_t measuring_ping[8] = { 2, 4, 16, 16, 9, 14, 7, 7 };

static int pong(struct rpc_client_session *session, const uint8_t data[8])
{
	return nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_ACK, data) == 0
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_ping(struct rpc_client_session *session, const nghttp2_ping *ping)
{
	if (ping->hd.flags & NGHTTP2_FLAG_ACK)
		return 0;
	if (session->owes_pong ||
		memcmp(ping->opaque_data, measuring_ping, sizeof(measuring_ping)) != 0)
		return pong(session, ping->opaque_data);
	session->owes_pong = true;
	return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
	struct rpc_client_session *session = user;
	struct rpc_client_stream *stream;

	switch (frame->hd.type) {
	case NGHTTP2_GOAWAY:
		session->draining = true;
		break;
	case NGHTTP2_SETTINGS:
		session->has_settings = true;
		break;
	case NGHTTP2_PING:
		return on_ping(session, &frame->ping);
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
		stream = find(session, frame->hd.stream_id);
		if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			on_server_done(session, stream);
		break;
	default:
		break;
	}
	return 0;
}

static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *frame, void *user)
{
	struct rpc_client_session *session = user;

	return rpc_flood_allows(&session->flood, frame, session->now_ns)
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *user)
{
	struct rpc_client_session *session = user;

	return rpc_bucket_take(&session->invalid, session->now_ns, 100, 10)
		       ? 0
		       : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *user)
{
	struct rpc_client_session *session = user;
	struct rpc_client_stream *stream = find(session, id);

	/* A request whose headers there was no memory for looks like one that the server refused.
	 */
	if (stream && session->drains && mem_watch_hit())
		end(stream, (struct rpc_end){ .code = TEMPORAL_NO_MEMORY,
				    .message = "out of memory: the headers of a request" });
	else if (stream)
		end_by_server(stream, error, true);
	return 0;
}

/* Requests. */

static ssize_t read_outbox(nghttp2_session *h2, int32_t id, uint8_t *out, size_t cap,
	uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct rpc_client_stream *stream = find(user, id);

	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t n = rpc_outbox_read(&stream->outbox, out, cap);
	if (!stream->outbox.head && stream->outbox.closed)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0) {
		stream->outbox.paused = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

static void attach(struct rpc_client_session *session, struct rpc_client_stream *stream)
{
	stream->session = session;
	stream->grpc_status = -1;
	stream->in.max = session->opts.receive_max;
	stream->in.memory = &session->memory;
	stream->in.memory_max = session->opts.memory_max;
	stream->prev = NULL;
	stream->next = session->streams;
	if (stream->next)
		stream->next->prev = stream;
	session->streams = stream;
	session->n_streams++;
}

enum temporal_code rpc_client_open(struct rpc_client_session *session,
	struct rpc_client_stream *stream, const nghttp2_nv *fields, size_t n_fields,
	struct temporal_error *err)
{
	nghttp2_data_provider provider = { .read_callback = read_outbox };
	int32_t id = nghttp2_submit_request(session->h2, NULL, fields, n_fields, &provider, stream);

	if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
		session->draining = true; /* 2^30 calls: time for a new connection */
		return error_set(
			err, TEMPORAL_UNAVAILABLE, "the connection has no stream ids left");
	}
	if (id < 0)
		return error_set(err,
			id == NGHTTP2_ERR_NOMEM ? TEMPORAL_NO_MEMORY : TEMPORAL_INTERNAL,
			"cannot open a stream: %s", nghttp2_strerror(id));
	stream->id = id;
	attach(session, stream);
	return TEMPORAL_OK;
}

static void resume(struct rpc_client_stream *stream)
{
	if (!stream->session || !stream->outbox.paused)
		return;
	stream->outbox.paused = false;
	nghttp2_session_resume_data(stream->session->h2, stream->id);
}

void rpc_client_send(struct rpc_client_stream *stream, struct rpc_outgoing *outgoing)
{
	rpc_outbox_push(&stream->outbox, outgoing);
	resume(stream);
}

void rpc_client_send_end(struct rpc_client_stream *stream)
{
	stream->outbox.closed = true;
	resume(stream);
}

/* The session. */

static int session_open(struct rpc_client_session *session, nghttp2_session_callbacks *callbacks)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, RPC_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, RPC_REPLY_HEADERS_MAX },
	};

	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option *option;
	int result = nghttp2_option_new(&option);

	if (result != 0)
		return result;
	nghttp2_option_set_no_auto_ping_ack(option, 1);
	result =
		nghttp2_session_client_new3(&session->h2, callbacks, session, option, rpc_h2_mem());
	nghttp2_option_del(option);
	if (result == 0)
		result = nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings,
			sizeof(settings) / sizeof(settings[0]));
	if (result == 0)
		result = nghttp2_session_set_local_window_size(
			session->h2, NGHTTP2_FLAG_NONE, 0, RPC_CONNECTION_WINDOW);
	return result;
}

struct rpc_client_session *rpc_client_session_new(
	const struct rpc_client_opts *opts, struct temporal_error *err)
{
	struct rpc_client_session *session = mem_zalloc(sizeof(*session));
	nghttp2_session_callbacks *callbacks = NULL;
	int result = NGHTTP2_ERR_NOMEM;

	if (!session)
		goto out;
	session->opts = *opts;
	session->flood.of_server = true;
	session->opts.receive_max = opts->receive_max ? opts->receive_max : RPC_CLIENT_RECEIVE_MAX;
	session->opts.memory_max = opts->memory_max ? opts->memory_max : RPC_CLIENT_MEMORY_MAX;
	if (nghttp2_session_callbacks_new(&callbacks) == 0)
		result = session_open(session, callbacks);
out:
	nghttp2_session_callbacks_del(callbacks);
	if (result == 0)
		return session;
	error_no_memory(err, "HTTP/2 session");
	rpc_client_session_free(session, "");
	return NULL;
}

void rpc_client_session_free(struct rpc_client_session *session, const char *reason)
{
	if (!session)
		return;
	while (session->streams) {
		struct rpc_client_stream *stream = session->streams;

		if (stream->grpc_status >= 0 || stream->error.code != TEMPORAL_OK)
			end_by_server(stream, NGHTTP2_NO_ERROR, false);
		else
			end(stream, (struct rpc_end){ .code = TEMPORAL_UNAVAILABLE,
					    .message = reason,
					    .transport = true });
	}
	nghttp2_session_del(session->h2);
	mem_free(session);
}

enum temporal_code rpc_client_feed(struct rpc_client_session *session, const uint8_t *data,
	size_t len, int64_t now_ns, struct temporal_error *err)
{
	session->now_ns = now_ns;
	ssize_t used = nghttp2_session_mem_recv(session->h2, data, len);
	if (used >= 0)
		return TEMPORAL_OK;
	if (used == NGHTTP2_ERR_NOMEM)
		return error_no_memory(err, "HTTP/2 connection");
	if (used == NGHTTP2_ERR_CALLBACK_FAILURE || used == NGHTTP2_ERR_FLOODED)
		return error_set(err, TEMPORAL_UNAVAILABLE,
			"the server floods the connection with control frames");
	return error_set(err, TEMPORAL_UNAVAILABLE, "the server does not speak HTTP/2: %s",
		nghttp2_strerror((int)used));
}

enum temporal_code rpc_client_drain(struct rpc_client_session *session, uint8_t *out, size_t cap,
	size_t *len, struct temporal_error *err)
{
	mem_watch();
	session->drains = true;
	enum temporal_code code = rpc_h2_drain(session->h2, &session->pending, out, cap, len, err);
	session->drains = false;
	return code;
}

bool rpc_client_wants_write(const struct rpc_client_session *session)
{
	return session->pending.len > 0 || nghttp2_session_want_write(session->h2);
}

void rpc_client_ping(struct rpc_client_session *session)
{
	nghttp2_submit_ping(session->h2, NGHTTP2_FLAG_NONE, NULL);
}

bool rpc_client_owes_pong(const struct rpc_client_session *session)
{
	return session->owes_pong;
}

void rpc_client_pong(struct rpc_client_session *session)
{
	if (session->owes_pong && pong(session, measuring_ping) == 0)
		session->owes_pong = false;
}

void rpc_client_goodbye(struct rpc_client_session *session)
{
	session->draining = true;
	nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0);
}

bool rpc_client_draining(const struct rpc_client_session *session)
{
	return session->draining;
}

bool rpc_client_full(const struct rpc_client_session *session)
{
	uint32_t max = 100; /* what nghttp2 assumes until the server's first SETTINGS */

	if (session->has_settings)
		max = nghttp2_session_get_remote_settings(
			session->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return session->n_streams >= max;
}

size_t rpc_client_streams(const struct rpc_client_session *session)
{
	return session->n_streams;
}

bool rpc_client_over(const struct rpc_client_session *session)
{
	return !rpc_client_wants_write(session) && !nghttp2_session_want_read(session->h2);
}
