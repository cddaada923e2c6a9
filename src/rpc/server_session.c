/*
 * server_session.c: the server's side of gRPC on top of nghttp2, for clients that may be hostile.
 *
 *   HEADERS ok  -> `request`  -> `message`s -> `half_closed`        (any time: finish, or `gone`
 * when the client resets) HEADERS bad -> an answer with the HTTP status that gRPC prescribes, no
 * event but `gone`
 *
 * Invariants
 * - Every stream that `open` made gets `gone` exactly once; then nghttp2 has no pointer to it.
 * - The window is given back only for bytes that were taken, and the connection's only while the
 * messages being received keep within half of their memory: a client that sends more than we digest
 * is slowed down, never buffered.
 * - What costs the client nothing is counted: resets and frames by kind, header bytes before they
 * are copied, our own resets; an empty bucket ends the connection.
 *
 * Called by server.c on the loop's thread, and by tests.
 */
#include "rpc/server_session.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/limits.h"
#include "rpc/text.h"

#define REPLY_FIELDS_MAX 32U

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

static struct rpc_server_stream *find(struct rpc_server_session *session, int32_t id)
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

static void detach(struct rpc_server_stream *stream, bool cancelled)
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
	rpc_outbox_clear(&stream->outbox);
	rpc_deframer_finish(&stream->in);
	give_back_window(session);
	stream->session = NULL;
	session->opts.events->gone(stream, cancelled);
}

static void reset(struct rpc_server_stream *stream, uint32_t error)
{
	nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, error);
	detach(stream, true);
}

/* Answers. */

static ssize_t read_outbox(nghttp2_session *h2, int32_t id, uint8_t *out, size_t cap,
	uint32_t *flags, nghttp2_data_source *source, void *user);

static size_t add_fields(nghttp2_nv *fields, size_t n, const struct rpc_field *list)
{
	for (; list && n < REPLY_FIELDS_MAX; list = list->next)
		fields[n++] = rpc_nv(list->name, strlen(list->name), list->value, list->len);
	return n;
}

static size_t status_fields(const struct rpc_server_stream *stream, nghttp2_nv *fields, size_t n)
{
	fields[n++] = RPC_NV("grpc-status", stream->status, strlen(stream->status));
	if (stream->message)
		fields[n++] = RPC_NV("grpc-message", stream->message, strlen(stream->message));
	if (stream->details)
		fields[n++] =
			RPC_NV("grpc-status-details-bin", stream->details, strlen(stream->details));
	return add_fields(fields, n, stream->trailers);
}

/* Submits the reply's first block; on failure nghttp2 has no memory and the stream is reset. */
static void submit(struct rpc_server_stream *stream, const nghttp2_nv *fields, size_t n, bool body)
{
	nghttp2_data_provider provider = { .read_callback = read_outbox };

	stream->headers_sent = true;
	if (nghttp2_submit_response(
		    stream->session->h2, stream->id, fields, n, body ? &provider : NULL) != 0)
		nghttp2_submit_rst_stream(
			stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
}

static void submit_headers(struct rpc_server_stream *stream)
{
	nghttp2_nv fields[REPLY_FIELDS_MAX];
	size_t n = 0;

	fields[n++] = RPC_NV(":status", "200", 3);
	fields[n++] = RPC_NV("content-type", "application/grpc", 16);
	if (stream->gzip_out)
		fields[n++] = RPC_NV("grpc-encoding", "gzip", 4);
	submit(stream, fields, add_fields(fields, n, stream->headers), true);
}

/* An answer without messages: one block (gRPC's Trailers-Only), with an HTTP status for those who
 * do not speak gRPC. */
static void submit_only(struct rpc_server_stream *stream, const char *http_status)
{
	nghttp2_nv fields[REPLY_FIELDS_MAX];
	size_t n = 0;

	fields[n++] = RPC_NV(":status", http_status, 3);
	fields[n++] = RPC_NV("content-type", "application/grpc", 16);
	if (stream->bad_encoding)
		fields[n++] = RPC_NV("grpc-accept-encoding", "gzip", 4);
	n = add_fields(fields, n, stream->headers);
	submit(stream, fields, status_fields(stream, fields, n), false);
}

static void resume(struct rpc_server_stream *stream)
{
	if (!stream->outbox.paused)
		return;
	stream->outbox.paused = false;
	nghttp2_session_resume_data(stream->session->h2, stream->id);
}

static ssize_t end_of_body(struct rpc_server_stream *stream, uint32_t *flags)
{
	nghttp2_nv fields[REPLY_FIELDS_MAX];

	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->is_page)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return nghttp2_submit_trailer(
		stream->session->h2, stream->id, fields, status_fields(stream, fields, 0));
}

static ssize_t read_outbox(nghttp2_session *h2, int32_t id, uint8_t *out, size_t cap,
	uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct rpc_server_session *session = user;
	struct rpc_server_stream *stream = find(session, id);

	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t n = rpc_outbox_read(&stream->outbox, out, cap);
	session->unsent -= n < session->unsent ? n : session->unsent;
	stream->progress_ns = session->now_ns;
	if (!stream->outbox.head && stream->outbox.closed)
		return end_of_body(stream, flags) < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
						      : (ssize_t)n;
	if (n == 0) {
		stream->outbox.paused = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

enum temporal_code rpc_server_add(struct rpc_server_stream *stream, bool trailer, const char *name,
	const char *value, size_t len)
{
	struct rpc_field *field = ARENA_NEW(&stream->arena, struct rpc_field);
	struct rpc_field **list = trailer ? &stream->trailers : &stream->headers;

	if (!field)
		return TEMPORAL_NO_MEMORY;
	field->name = arena_strdup(&stream->arena, name);
	field->value = arena_str(&stream->arena, (struct str){ value, len });
	field->len = len;
	if (!field->name || !field->value)
		return TEMPORAL_NO_MEMORY;
	while (*list)
		list = &(*list)->next;
	*list = field;
	return TEMPORAL_OK;
}

void rpc_server_send(struct rpc_server_stream *stream, struct rpc_outgoing *outgoing)
{
	if (!stream->session || stream->finished) {
		if (outgoing->sent)
			outgoing->sent(outgoing);
		return;
	}
	if (!stream->outbox.head)
		stream->progress_ns = stream->session->now_ns;
	stream->session->unsent += outgoing->len;
	rpc_outbox_push(&stream->outbox, outgoing);
	if (!stream->headers_sent)
		submit_headers(stream);
	resume(stream);
}

static void set_status(struct rpc_server_stream *stream, enum temporal_code code,
	const char *message, const void *details, size_t details_len)
{
	static const char *const numbers[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
		"10", "11", "12", "13", "14", "15", "16" };
	size_t len = message ? strlen(message) : 0;
	char *text = len > 0 ? arena_alloc(&stream->arena, len * 3 + 1) : NULL;
	char *encoded = details_len > 0
				? arena_alloc(&stream->arena, RPC_BASE64_SIZE(details_len) + 1)
				: NULL;

	/* our own codes beyond gRPC's: a peer could not read them */
	stream->status = numbers[code <= 16                   ? code
				 : code == TEMPORAL_NO_MEMORY ? TEMPORAL_RESOURCE_EXHAUSTED
							      : TEMPORAL_UNKNOWN];
	if (text) {
		text[rpc_percent_encode(message, len, text)] = '\0';
		stream->message = text;
	}
	if (encoded) {
		encoded[rpc_base64_encode(details, details_len, encoded)] = '\0';
		stream->details = encoded;
	}
}

void rpc_server_finish(struct rpc_server_stream *stream, enum temporal_code code,
	const char *message, const void *details, size_t details_len)
{
	if (!stream->session || stream->finished)
		return;
	stream->finished = true;
	set_status(stream, code, message, details, details_len);
	stream->outbox.closed = true;
	if (!stream->headers_sent)
		submit_only(stream, "200");
	else
		resume(stream);
}

static void refuse(struct rpc_server_stream *stream, const char *http_status,
	enum temporal_code code, const char *message)
{
	stream->finished = true;
	set_status(stream, code, message, NULL, 0);
	submit_only(stream, http_status);
}

/* Something is wrong with a message of the request. */
static void fail(struct rpc_server_stream *stream, const struct temporal_error *err)
{
	rpc_server_finish(stream, err->code, err->message, NULL, 0);
}

static void answer_page(struct rpc_server_stream *stream)
{
	const char *text = stream->session->opts.events->page
				   ? stream->session->opts.events->page(stream)
				   : NULL;
	struct rpc_outgoing *body = ARENA_NEW(&stream->arena, struct rpc_outgoing);
	bool found = text && body && str_same(stream->path, "/");
	nghttp2_nv fields[2];

	fields[0] = RPC_NV(":status", found ? "200" : "404", 3);
	fields[1] = RPC_NV("content-type", "text/plain; charset=utf-8", 25);
	stream->finished = stream->is_page = true;
	stream->outbox.closed = true;
	found = found && !stream->head;
	if (found) {
		body->data = (const uint8_t *)text;
		body->len = strlen(text);
		stream->session->unsent += body->len;
		rpc_outbox_push(&stream->outbox, body);
	}
	submit(stream, fields, 2, found);
}

/* Request headers. */

static struct rpc_server_stream *open_stream(struct rpc_server_session *session, int32_t id)
{
	struct rpc_server_stream *stream = session->opts.events->open(session->opts.owner);

	if (!stream)
		return NULL;
	stream->session = session;
	stream->id = id;
	stream->deadline_ns = INT64_MAX;
	stream->fields_tail = &stream->fields;
	stream->in.max = session->opts.receive_max;
	stream->in.memory = &session->memory;
	stream->in.memory_max = session->opts.memory_max;
	stream->progress_ns = session->now_ns;
	stream->next = session->streams;
	stream->prev = NULL;
	if (stream->next)
		stream->next->prev = stream;
	session->streams = stream;
	session->n_streams++;
	session->called = true;
	session->last_id = id;
	return stream;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
{
	struct rpc_server_session *session = user;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct rpc_server_stream *stream = open_stream(session, frame->hd.stream_id);
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, stream);
	return 0;
}

static bool keep_field(struct rpc_server_stream *stream, struct str name, struct str value)
{
	struct rpc_field *field = ARENA_NEW(&stream->arena, struct rpc_field);

	if (!field)
		return false;
	field->name = arena_str(&stream->arena, name);
	field->value = arena_str(&stream->arena, value);
	field->len = value.len;
	*stream->fields_tail = field;
	stream->fields_tail = &field->next;
	return field->name && field->value;
}

static void take_timeout(struct rpc_server_stream *stream, struct str value)
{
	int64_t timeout_ns, now_ns = stream->session->now_ns;

	stream->bad_timeout = !rpc_timeout_parse(value.ptr, value.len, &timeout_ns);
	if (!stream->bad_timeout)
		stream->deadline_ns =
			timeout_ns < INT64_MAX - now_ns ? now_ns + timeout_ns : INT64_MAX;
}

/* "application/grpc", with a subtype after '+' or parameters after ';'. */
static bool is_grpc_content(struct str value)
{
	const struct str grpc = STR("application/grpc");

	if (value.len < grpc.len || memcmp(value.ptr, grpc.ptr, grpc.len) != 0)
		return false;
	return value.len == grpc.len || value.ptr[grpc.len] == '+' || value.ptr[grpc.len] == ';';
}

static bool take_pseudo(struct rpc_server_stream *stream, struct str name, struct str value)
{
	if (str_eq(name, STR(":method"))) {
		stream->post = str_eq(value, STR("POST"));
		stream->head = str_eq(value, STR("HEAD"));
		stream->get = stream->head || str_eq(value, STR("GET"));
	} else if (str_eq(name, STR(":path"))) {
		return (stream->path = arena_str(&stream->arena, value)) != NULL;
	} else if (str_eq(name, STR(":authority"))) {
		return (stream->authority = arena_str(&stream->arena, value)) != NULL;
	}
	return true;
}

static bool take_field(struct rpc_server_stream *stream, struct str name, struct str value)
{
	if (name.len > 0 && name.ptr[0] == ':')
		return take_pseudo(stream, name, value);
	if (str_eq(name, STR("content-type"))) {
		stream->is_grpc = is_grpc_content(value);
	} else if (str_eq(name, STR("grpc-timeout"))) {
		take_timeout(stream, value);
	} else if (str_eq(name, STR("grpc-encoding"))) {
		stream->gzip = str_eq(value, STR("gzip"));
		stream->bad_encoding = !stream->gzip && !str_eq(value, STR("identity"));
	} else if (str_eq(name, STR("grpc-accept-encoding"))) {
		stream->accepts_gzip = value.len >= 4 && memmem(value.ptr, value.len, "gzip", 4);
	} else if (!str_eq(name, STR("te"))) {
		return keep_field(stream, name, value);
	}
	return true;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
	struct rpc_server_stream *stream = find(user, frame->hd.stream_id);

	if (!stream)
		return 0;
	stream->n_fields++;
	stream->header_bytes += name_len + len + 32; /* counted before anything is copied */
	if (stream->n_fields > RPC_HEADER_FIELDS_MAX || stream->header_bytes > RPC_HEADER_LIST_MAX)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0; /* trailers of a request mean nothing in gRPC */
	if (!take_field(stream, (struct str){ (const char *)name, name_len },
		    (struct str){ (const char *)value, len }))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

/* All headers are there. What is no gRPC is answered when it is complete. */
static void on_request(struct rpc_server_session *session, struct rpc_server_stream *stream)
{
	if (!stream->post || !stream->is_grpc)
		return;
	if (stream->bad_timeout) {
		refuse(stream, "400", TEMPORAL_INTERNAL, "malformed grpc-timeout");
	} else if (stream->bad_encoding) {
		refuse(stream, "200", TEMPORAL_UNIMPLEMENTED,
			"grpc: Decompressor is not installed for this grpc-encoding");
	} else {
		stream->announced = true;
		session->opts.events->request(stream);
	}
}

static void answer_other(struct rpc_server_stream *stream)
{
	if (stream->get)
		answer_page(stream);
	else if (!stream->post)
		refuse(stream, "405", TEMPORAL_INTERNAL,
			"the method of a gRPC request must be POST");
	else
		refuse(stream, "415", TEMPORAL_INVALID_ARGUMENT,
			"the content-type must be application/grpc");
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

	while ((stream = find(session, id)) && stream->announced && !stream->finished) {
		struct rpc_message message;
		enum rpc_deframed step = rpc_deframe(&stream->in, &data, &len, &message, &err);

		if (step == RPC_DEFRAMED_MORE)
			return;
		if (step == RPC_DEFRAMED_ERROR || !hand_out(stream, &message, &err)) {
			fail(stream, &err);
			return;
		}
	}
}

static int on_data(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
	struct rpc_server_session *session = user;
	struct rpc_server_stream *stream = find(session, id);

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
		answer_other(stream);
		return;
	}
	if (rpc_deframer_inside(&stream->in)) {
		error_set(&err, TEMPORAL_INTERNAL, "grpc: the request ends within a message");
		fail(stream, &err);
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
		stream = find(session, frame->hd.stream_id);
		if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			on_request(session, stream);
		/* fallthrough */
	case NGHTTP2_DATA:
		stream = find(session, frame->hd.stream_id);
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
	struct rpc_server_stream *stream = find(user, id);

	if (stream)
		detach(stream, !stream->finished || stream->outbox.head);
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

	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
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
		detach(session->streams, true);
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
			reset(stream, NGHTTP2_CANCEL);
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
