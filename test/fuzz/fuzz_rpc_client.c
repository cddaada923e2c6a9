/*
 * The client's session. Goal: whatever a server sends, each stream ends exactly once, and the
 * memory of messages is all given back. Method: three streams are opened, the input is fed in
 * pieces whose size its first byte says, and the session is freed.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "rpc/client_session.h"
#include "rpc/limits.h"

#define STREAMS 3

struct stream {
	struct rpc_client_stream stream; /* first: the events cast */
	struct rpc_outgoing outgoing;
	int ends;
};

static volatile uint8_t seen;

static void on_message(
	struct rpc_client_stream *client, const uint8_t *data, size_t len, size_t wire_len)
{
	for (size_t i = 0; i < len; i += 64)
		seen = data[i]; /* the bytes are there */
	if (((struct stream *)(void *)client)->ends > 0)
		abort();
}

static void on_end(struct rpc_client_stream *client, const struct rpc_end *end)
{
	((struct stream *)(void *)client)->ends++;
	if (strlen(end->message) > RPC_REPLY_HEADERS_MAX)
		abort();
}

static const struct rpc_client_events events = { .message = on_message, .end = on_end };

static void open_stream(struct rpc_client_session *session, struct stream *stream)
{
	const nghttp2_nv fields[] = {
		RPC_NV(":method", "POST", 4),
		RPC_NV(":scheme", "http", 4),
		RPC_NV(":path", "/s/m", 4),
		RPC_NV(":authority", "a", 1),
	};

	stream->stream.events = &events;
	stream->outgoing.data = (const uint8_t *)"\0\0\0\0\0";
	stream->outgoing.len = 5;
	rpc_client_send(&stream->stream, &stream->outgoing);
	rpc_client_send_end(&stream->stream);
	if (rpc_client_open(session, &stream->stream, fields, 4, NULL) != TEMPORAL_OK)
		abort();
}

static void drain(struct rpc_client_session *session)
{
	uint8_t out[4096];
	size_t len;

	while (rpc_client_drain(session, out, sizeof(out), &len, NULL) == TEMPORAL_OK && len > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_gzip gzip = { 0 };
	const struct rpc_client_opts opts = {
		.gzip = &gzip, .receive_max = 1 << 20, .memory_max = 1 << 20
	};
	struct rpc_client_session *session = rpc_client_session_new(&opts, NULL);
	struct stream streams[STREAMS] = { 0 };
	size_t piece = size > 0 ? data[0] * 16U + 1 : 1;

	if (!session)
		abort();
	for (int i = 0; i < STREAMS; i++)
		open_stream(session, &streams[i]);
	drain(session);
	for (size_t at = 1; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (rpc_client_feed(session, data + at, n, RPC_S_NS, NULL) != TEMPORAL_OK)
			break;
		drain(session);
	}
	rpc_client_session_free(session, "over");
	for (int i = 0; i < STREAMS; i++) {
		if (streams[i].ends != 1)
			abort();
	}
	rpc_gzip_finish(&gzip);
	return 0;
}
