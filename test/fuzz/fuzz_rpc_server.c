/*
 * The server's session. Goal: whatever a client sends, each stream that was opened is given back
 * exactly once, and what the server answers stays within bounds. Method: the input follows a
 * client's preface and is fed in pieces whose size its first byte says; requests are answered, or
 * held when their path is longer than a few bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "rpc/limits.h"
#include "rpc/server_session.h"

static int opened, gone;

static struct rpc_server_stream *on_open(void *owner)
{
	struct rpc_server_stream *stream = mem_zalloc(sizeof(*stream));

	if (!stream)
		return NULL;
	arena_init(&stream->arena, 512, 1 << 18);
	opened++;
	return stream;
}

static void on_request(struct rpc_server_stream *stream)
{
	if (!stream->path)
		abort(); /* nghttp2 lets no request pass without one */
}

static volatile uint8_t seen;

static void on_message(struct rpc_server_stream *stream, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		seen = data[i]; /* the bytes are there */
	if (len > 1 << 16)
		abort();
}

static void on_half_closed(struct rpc_server_stream *stream)
{
	struct rpc_outgoing *outgoing = ARENA_NEW(&stream->arena, struct rpc_outgoing);

	if (strlen(stream->path) > 8 || !outgoing)
		return;
	*outgoing = (struct rpc_outgoing){ .data = (const uint8_t *)"\0\0\0\0\2hi", .len = 7 };
	rpc_server_send(stream, outgoing);
	rpc_server_finish(stream, TEMPORAL_NOT_FOUND, "h\xC3\xA9", "\1\2\3", 3);
}

static void on_gone(struct rpc_server_stream *stream, bool cancelled)
{
	gone++;
	arena_finish(&stream->arena);
	mem_free(stream);
}

static const char *on_page(struct rpc_server_stream *stream)
{
	return "page";
}

static const struct rpc_server_events events = {
	on_open,
	on_request,
	on_message,
	on_half_closed,
	on_gone,
	on_page,
};

static void drain(struct rpc_server_session *session)
{
	uint8_t out[4096];
	size_t len;

	while (rpc_server_drain(session, out, sizeof(out), &len, NULL) == TEMPORAL_OK && len > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct rpc_gzip gzip = { 0 };
	const struct rpc_server_session_opts opts = {
		.events = &events,
		.gzip = &gzip,
		.receive_max = 1 << 16,
		.memory_max = 1 << 20,
		.streams_max = 20,
	};
	struct rpc_server_session *session = rpc_server_session_new(&opts, RPC_S_NS, NULL);
	size_t piece = size > 0 ? data[0] * 16U + 1 : 1;

	opened = gone = 0;
	if (!session || rpc_server_feed(session, (const uint8_t *)preface, sizeof(preface) - 1,
				RPC_S_NS, NULL) != TEMPORAL_OK)
		abort();
	for (size_t at = 1; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (rpc_server_feed(session, data + at, n, RPC_S_NS, NULL) != TEMPORAL_OK)
			break;
		drain(session);
	}
	rpc_server_tick(session, 100 * RPC_S_NS);
	drain(session);
	rpc_server_session_free(session);
	if (opened != gone)
		abort();
	rpc_gzip_finish(&gzip);
	return 0;
}
