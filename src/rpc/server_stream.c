/*
 * server_stream.c: the headers of a request on their way in, and the answer on its way out:
 * headers, messages and trailers, or one block with the HTTP status that gRPC prescribes for what
 * is no gRPC.
 *
 * Header bytes are counted before anything is copied. The answer's texts lie in the stream's arena,
 * so that nghttp2 need not copy them.
 *
 * Called from the callbacks of server_session.c, and by handlers through server_call.c, on the
 * loop's thread.
 */
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "rpc/limits.h"
#include "rpc/server_session_internal.h"
#include "rpc/status.h"
#include "rpc/text.h"

#define REPLY_FIELDS_MAX 32U

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
	struct rpc_server_stream *stream = rpc_server_stream_find(session, id);

	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t n = rpc_outbox_read(&stream->outbox, out, cap);
	rpc_server_unsent(session, 0, n);
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

bool rpc_server_drop(struct rpc_server_stream *stream)
{
	if (!rpc_server_owes_too_much(stream->session))
		return false;
	rpc_server_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
	return true;
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
	rpc_server_unsent(stream->session, outgoing->len, 0);
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
				? arena_alloc(&stream->arena, BASE64_BARE_SIZE(details_len) + 1)
				: NULL;

	stream->status = numbers[rpc_status_code(code)];
	if (text) {
		text[rpc_percent_encode(message, len, text)] = '\0';
		stream->message = text;
	}
	if (encoded) {
		encoded[base64_encode(encoded, details, details_len, BASE64_BARE)] = '\0';
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
void rpc_server_stream_fail(struct rpc_server_stream *stream, const struct temporal_error *err)
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
		rpc_server_unsent(stream->session, body->len, 0);
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

int rpc_server_on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user)
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

int rpc_server_on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
	struct rpc_server_stream *stream = rpc_server_stream_find(user, frame->hd.stream_id);

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
void rpc_server_on_request(struct rpc_server_session *session, struct rpc_server_stream *stream)
{
	if (!stream->post || !stream->is_grpc)
		return;
	if (stream->bad_timeout) {
		refuse(stream, "400", TEMPORAL_INTERNAL, "malformed grpc-timeout");
	} else if (stream->bad_encoding) {
		refuse(stream, "200", TEMPORAL_UNIMPLEMENTED,
			"grpc: Decompressor is not installed for this grpc-encoding");
	} else if (rpc_server_owes_too_much(session)) {
		refuse(stream, "200", TEMPORAL_RESOURCE_EXHAUSTED,
			"too many bytes of earlier answers wait to be read on this connection");
	} else {
		stream->announced = true;
		session->opts.events->request(stream);
	}
}

void rpc_server_answer_other(struct rpc_server_stream *stream)
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
