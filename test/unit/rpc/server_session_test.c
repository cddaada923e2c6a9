/*
 * Goal: a hostile client gets an answer or is cut off, costs little, and leaves nothing behind.
 * Method: the session alone, fed with frames written by hand; the owner here counts what it opened
 * and what was given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/server_session.h"
#include "wire.h"

struct fixture {
	struct rpc_server_session *session;
	struct rpc_gzip gzip;
	struct wire in;
	uint8_t out[1 << 20];
	size_t out_len;
	int opened, requests, messages, half_closed, gone, cancelled;
	bool hold; /* do not answer */
	bool is_large;
	struct rpc_server_stream *held; /* the last one that was not answered */
	size_t unsent_all;
	int64_t now_ns;
	int64_t deadline_ns;
	char received[100];
	struct temporal_error err;
};

static struct fixture *now;

static struct rpc_server_stream *on_open(void *owner)
{
	struct rpc_server_stream *stream = mem_zalloc(sizeof(*stream));

	if (!stream)
		return NULL;
	arena_init(&stream->arena, 512, 1 << 16);
	now->opened++;
	return stream;
}

static void on_request(struct rpc_server_stream *stream)
{
	now->requests++;
	now->deadline_ns = stream->deadline_ns;
}

static void on_message(struct rpc_server_stream *stream, const uint8_t *data, size_t len)
{
	now->messages++;
	if (len < sizeof(now->received)) {
		if (len > 0)
			memcpy(now->received, data, len);
		now->received[len] = '\0';
	}
}

/* That nobody takes. */
static struct rpc_outgoing large = { .data = (const uint8_t *)"", .len = RPC_UNSENT_MAX };
static struct rpc_outgoing answer = { .data = (const uint8_t *)"\0\0\0\0\2hi", .len = 7 };

static void on_half_closed(struct rpc_server_stream *stream)
{
	now->half_closed++;
	now->held = stream;
	if (now->hold || rpc_server_drop(stream))
		return;
	answer.next = NULL;
	rpc_server_send(stream, now->is_large ? &large : &answer);
	rpc_server_finish(stream, TEMPORAL_OK, NULL, NULL, 0);
}

static void on_gone(struct rpc_server_stream *stream, bool cancelled)
{
	now->gone++;
	now->cancelled += cancelled;
	arena_finish(&stream->arena);
	mem_free(stream);
}

static const char *on_page(struct rpc_server_stream *stream)
{
	return "all is well\n";
}

static const struct rpc_server_events events = { on_open, on_request, on_message, on_half_closed,
	on_gone, on_page };

static void session_start(struct fixture *f)
{
	const struct rpc_server_session_opts opts = {
		.events = &events,
		.gzip = &f->gzip,
		.receive_max = 1000,
		.streams_max = 100,
		.unsent_all = &f->unsent_all,
	};

	rpc_server_session_free(f->session);
	assert_int_equal(f->opened, f->gone);
	f->session = rpc_server_session_new(&opts, f->now_ns, &f->err);
	f->opened = f->requests = f->messages = f->half_closed = f->gone = f->cancelled = 0;
	f->hold = false;
	f->in.len = 0;
	wire_put(&f->in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	wire_frame(&f->in, SETTINGS, 0, 0, NULL, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	now = *state = f;
	f->now_ns = 1000 * RPC_S_NS;
	session_start(f);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rpc_server_session_free(f->session);
	assert_int_equal(f->opened, f->gone);
	rpc_gzip_finish(&f->gzip);
	free(f);
	return 0;
}

static void drain(struct fixture *f)
{
	size_t len = 0;

	do {
		f->out_len += len;
		if (rpc_server_drain(f->session, f->out + f->out_len, 1000, &len, NULL) !=
			TEMPORAL_OK)
			return;
	} while (len > 0 && f->out_len + 2000 < sizeof(f->out));
}

static enum temporal_code feed_pieces(struct fixture *f, size_t piece)
{
	enum temporal_code code = TEMPORAL_OK;

	f->out_len = 0;
	for (size_t at = 0; at < f->in.len && code == TEMPORAL_OK; at += piece) {
		size_t left = f->in.len - at;

		code = rpc_server_feed(f->session, f->in.bytes + at, left < piece ? left : piece,
			f->now_ns, &f->err);
		drain(f);
	}
	f->in.len = 0;
	return code;
}

static enum temporal_code feed(struct fixture *f)
{
	return feed_pieces(f, 11);
}

#define GRPC \
	":method", "POST", ":scheme", "http", ":path", "/s/m", ":authority", "a", "te", "trailers"

static void request(struct fixture *f, uint32_t id)
{
	wire_headers(&f->in, 0, id, PAIRS(GRPC, "content-type", "application/grpc"));
	wire_frame(&f->in, DATA, END_STREAM, id, "\0\0\0\0\3abc", 8);
}

/* Does the text stand in what was written? Values with "-" or digits are not Huffman coded only if
 * that is longer. */
static bool was_written(const struct fixture *f, uint8_t type, uint32_t id)
{
	return wire_find(f->out, f->out_len, type, id) != NULL;
}

/* The last HEADERS of the stream, decoded, as "name=value\n" lines. */
static const char *decoded(struct fixture *f, uint32_t id)
{
	static char text[4000];
	nghttp2_hd_inflater *inflater;
	size_t at = 0;

	text[0] = '\0';
	nghttp2_hd_inflate_new(&inflater);
	while (at + 9 <= f->out_len) {
		const uint8_t *p = f->out + at;
		size_t size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		const uint8_t *in = p + 9;
		size_t left = size;

		for (int flags = 0; p[3] == HEADERS && !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
			nghttp2_nv nv;
			ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, in, left, 1);

			if (n < 0)
				break;
			in += n;
			left -= (size_t)n;
			if ((flags & NGHTTP2_HD_INFLATE_EMIT) && p[8] == (uint8_t)id)
				snprintf(text + strlen(text), sizeof(text) - strlen(text),
					"%s=%s\n", (char *)nv.name, (char *)nv.value);
		}
		if (p[3] == HEADERS)
			nghttp2_hd_inflate_end_headers(inflater);
		at += 9 + size;
	}
	nghttp2_hd_inflate_del(inflater);
	return text;
}

static void assert_says(struct fixture *f, uint32_t id, const char *line)
{
	if (!strstr(decoded(f, id), line))
		fail_msg("stream %u lacks %s:\n%s", id, line, decoded(f, id));
}

static void any_pieces_give_the_same_answer(void **state)
{
	struct fixture *f = *state;

	for (size_t piece = 1; piece < 60; piece += 7) {
		session_start(f);
		request(f, 1);
		assert_int_equal(feed_pieces(f, piece), TEMPORAL_OK);
		assert_int_equal(f->requests, 1);
		assert_int_equal(f->messages, 1);
		assert_string_equal(f->received, "abc");
		assert_int_equal(f->gone, 1);
		assert_int_equal(f->cancelled, 0);
		assert_memory_equal(wire_find(f->out, f->out_len, DATA, 1), "\0\0\0\0\2hi", 7);
		assert_says(f, 1, ":status=200\n");
		assert_says(f, 1, "grpc-status=0\n");
	}
}

static void what_is_no_grpc_is_told_so(void **state)
{
	struct fixture *f = *state;

	wire_headers(&f->in, END_STREAM, 1,
		PAIRS(":method", "PUT", ":scheme", "http", ":path", "/s/m", ":authority", "a"));
	wire_headers(&f->in, END_STREAM, 3, PAIRS(GRPC, "content-type", "application/json"));
	wire_headers(&f->in, END_STREAM, 5, PAIRS(GRPC));
	wire_headers(&f->in, END_STREAM, 7, PAIRS(GRPC, "content-type", "application/grpcx"));
	wire_headers(&f->in, END_STREAM, 9,
		PAIRS(GRPC, "content-type", "application/grpc", "grpc-timeout", "10ms"));
	wire_headers(&f->in, END_STREAM, 11,
		PAIRS(GRPC, "content-type", "application/grpc", "grpc-encoding", "br"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_says(f, 1, ":status=405\n");
	assert_says(f, 1, "grpc-status=13\n");
	for (uint32_t id = 3; id <= 7; id += 2) {
		assert_says(f, id, ":status=415\n");
		assert_says(f, id, "grpc-status=3\n");
	}
	assert_says(f, 9, ":status=400\n");
	assert_says(f, 9, "grpc-status=13\n");
	assert_says(f, 11, "grpc-status=12\n");
	assert_says(f, 11, "grpc-accept-encoding=gzip\n");
	assert_int_equal(f->requests, 0);
	assert_int_equal(f->gone, 6);
}

static void subtypes_are_grpc(void **state)
{
	struct fixture *f = *state;

	wire_headers(&f->in, 0, 1,
		PAIRS(GRPC, "content-type", "application/grpc+proto", "grpc-timeout", "5S"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->requests, 1);
	assert_int_equal(f->deadline_ns, f->now_ns + 5 * RPC_S_NS);
}

static void the_page_is_at_the_root(void **state)
{
	struct fixture *f = *state;

	wire_headers(&f->in, END_STREAM, 1,
		PAIRS(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"));
	wire_headers(&f->in, END_STREAM, 3,
		PAIRS(":method", "GET", ":scheme", "http", ":path", "/x", ":authority", "a"));
	wire_headers(&f->in, END_STREAM, 5,
		PAIRS(":method", "HEAD", ":scheme", "http", ":path", "/", ":authority", "a"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_says(f, 1, ":status=200\n");
	assert_memory_equal(wire_find(f->out, f->out_len, DATA, 1), "all is well\n", 12);
	assert_says(f, 3, ":status=404\n");
	assert_says(f, 5, ":status=");
	assert_false(was_written(f, DATA, 5));
	assert_int_equal(f->gone, 3);
}

static void bad_messages_are_refused(void **state)
{
	struct fixture *f = *state;
	static uint8_t zeros[50000], packed[1000];
	size_t len = rpc_gzip_deflate(&f->gzip, zeros, sizeof(zeros), packed + 5, 900);
	const struct {
		const void *data;
		size_t len;
		const char *status;
	} cases[] = {
		{ "\2\0\0\0\0", 5, "grpc-status=13\n" },
		{ "\0\xFF\xFF\xFF\xFF", 5, "grpc-status=8\n" },
		{ "\1\0\0\0\1x", 6, "grpc-status=13\n" },
		{ "\0\0\0\0\5ab", 7, "grpc-status=13\n" },
		{ packed, len + 5, "grpc-status=8\n" },
	};

	rpc_prefix_write(packed, true, len);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t id = 2 * i + 1;

		wire_headers(&f->in, 0, id,
			PAIRS(GRPC, "content-type", "application/grpc", "grpc-encoding",
				cases[i].data == packed ? "gzip" : "identity"));
		wire_frame(&f->in, DATA, END_STREAM, id, cases[i].data, cases[i].len);
	}
	assert_int_equal(feed(f), TEMPORAL_OK);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_says(f, 2 * i + 1, cases[i].status);
	assert_int_equal(f->half_closed, 0);
	assert_int_equal(f->gone, 5);
}

/* An answer before the request is complete: the client is told to stop. */
static void an_early_answer_stops_the_client(void **state)
{
	struct fixture *f = *state;

	wire_headers(&f->in, 0, 1, PAIRS(GRPC, "content-type", "application/grpc"));
	wire_frame(&f->in, DATA, 0, 1, "\0\xFF\xFF\xFF\xFF", 5);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_says(f, 1, "grpc-status=8\n");
	assert_memory_equal(wire_find(f->out, f->out_len, RST_STREAM, 1), "\0\0\0\0", 4);
	assert_int_equal(f->gone, 1);
	wire_frame(&f->in, DATA, 0, 1, "more", 4); /* crossed the reset: no error */
	request(f, 3);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->half_closed, 1);
	assert_int_equal(f->gone, 2);
	assert_false(was_written(f, GOAWAY, 0));
}

static void a_reset_cancels(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	request(f, 1);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->gone, 0);
	wire_number(&f->in, RST_STREAM, 1, 8);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->gone, 1);
	assert_int_equal(f->cancelled, 1);
}

/* Attacks. */

static void rapid_resets_are_cut_off(void **state)
{
	struct fixture *f = *state;
	enum temporal_code code = TEMPORAL_OK;
	uint32_t id;

	f->hold = true;
	for (id = 1; id < 20000 && code == TEMPORAL_OK; id += 2) {
		request(f, id);
		wire_number(&f->in, RST_STREAM, id, 8);
		code = feed_pieces(f, 1000);
	}
	assert_int_equal(code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_true(id / 2 <= RPC_RESETS_BURST + 10);
	assert_true(was_written(f, GOAWAY, 0));
	assert_int_equal(f->opened, f->gone);
}

/* The client makes us reset its streams instead ("MadeYouReset"): windows that overflow. */
static void provoked_resets_are_cut_off(void **state)
{
	struct fixture *f = *state;
	enum temporal_code code = TEMPORAL_OK;
	uint32_t id;

	f->hold = true;
	for (id = 1; id < 20000 && code == TEMPORAL_OK; id += 2) {
		request(f, id);
		wire_number(&f->in, WINDOW_UPDATE, id, 0x7FFFFFFF);
		code = feed_pieces(f, 1000);
	}
	assert_int_equal(code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_true(id / 2 <= RPC_OWN_RESETS_BURST + 10);
}

static void floods_are_cut_off(void **state)
{
	struct fixture *f = *state;
	static const uint8_t types[] = { SETTINGS, PING, PRIORITY };

	for (size_t t = 0; t < sizeof(types); t++) {
		enum temporal_code code = TEMPORAL_OK;

		session_start(f);
		for (int i = 0; i < 30000 && code == TEMPORAL_OK; i++) {
			wire_frame(&f->in, types[t], 0, types[t] == PRIORITY ? 1 : 0,
				"\0\0\0\3\1\0\0\0",
				types[t] == PING       ? 8
				: types[t] == PRIORITY ? 5
						       : 0);
			code = feed_pieces(f, 1000);
		}
		assert_int_equal(code, TEMPORAL_RESOURCE_EXHAUSTED);
	}
	session_start(f);
	request(f, 1);
	wire_headers(&f->in, 0, 3, PAIRS(GRPC, "content-type", "application/grpc"));
	enum temporal_code code = feed(f);
	for (int i = 0; i < 3000 && code == TEMPORAL_OK; i++) {
		wire_frame(&f->in, DATA, 0, 3, NULL, 0);
		code = feed_pieces(f, 1000);
	}
	assert_int_equal(code, TEMPORAL_RESOURCE_EXHAUSTED);
}

static void header_bombs_end_the_stream(void **state)
{
	struct fixture *f = *state;
	static char value[120];
	const char *pairs[2 * 300 + 13] = { GRPC, "content-type", "application/grpc" };

	memset(value, 'v', sizeof(value) - 1);
	for (int i = 6; i < 100; i++) {
		pairs[2 * i] = "x";
		pairs[2 * i + 1] = "y";
	}
	wire_headers(&f->in, 0, 1, pairs);
	assert_int_equal(feed_pieces(f, 4000), TEMPORAL_OK);
	assert_true(was_written(f, RST_STREAM, 1));
	assert_int_equal(f->requests, 0);
	for (int i = 6; i < 300; i++)
		pairs[2 * i + 1] = value;
	wire_headers(&f->in, 0, 3, pairs);
	(void)feed_pieces(f, 4000);
	assert_int_equal(f->requests, 0);
	assert_int_equal(f->opened, f->gone);
}

static void too_many_streams_are_refused(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	for (uint32_t id = 1; id < 2 * 150; id += 2)
		request(f, id);
	assert_int_equal(feed_pieces(f, 1000), TEMPORAL_OK);
	assert_int_equal(f->opened - f->gone, 100);
}

static void a_silent_client_is_cut_off(void **state)
{
	struct fixture *f = *state;

	f->in.len = 0;
	assert_true(rpc_server_tick(f->session, f->now_ns + 9 * RPC_S_NS));
	assert_false(rpc_server_tick(f->session, f->now_ns + 11 * RPC_S_NS));
}

static void a_client_that_never_calls_is_cut_off(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_true(rpc_server_tick(f->session, f->now_ns + 19 * RPC_S_NS));
	assert_false(rpc_server_tick(f->session, f->now_ns + 21 * RPC_S_NS));
}

static void a_request_that_crawls_is_reset(void **state)
{
	struct fixture *f = *state;

	wire_headers(&f->in, 0, 1, PAIRS(GRPC, "content-type", "application/grpc"));
	wire_frame(&f->in, DATA, 0, 1, "\0\0\0\1\0abc", 8);
	assert_int_equal(feed(f), TEMPORAL_OK);
	for (int s = 0; s < 12; s++) {
		f->now_ns += RPC_S_NS;
		wire_frame(&f->in, DATA, 0, 1, "x", 1);
		assert_int_equal(feed(f), TEMPORAL_OK);
		assert_true(rpc_server_tick(f->session, f->now_ns));
	}
	drain(f);
	assert_int_equal(f->gone, 1);
	assert_int_equal(f->cancelled, 1);
}

/* A client whose window is closed does not take its answer: the stream is reset after a while. */
static void an_answer_that_nobody_takes_is_reset(void **state)
{
	struct fixture *f = *state;

	f->in.len = 24;
	wire_frame(&f->in, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* initial window 0 */
	request(f, 1);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->gone, 0);
	assert_true(rpc_server_tick(f->session, f->now_ns + 29 * RPC_S_NS));
	assert_int_equal(f->gone, 0);
	assert_true(rpc_server_tick(f->session, f->now_ns + 31 * RPC_S_NS));
	assert_int_equal(f->gone, 1);
}

/* A client that takes nothing of its answers: what waits is counted, for all connections together
 * too, and beyond a limit requests are refused and answers dropped. */
static void answers_that_nobody_takes_are_limited(void **state)
{
	struct fixture *f = *state;

	f->in.len = 24;
	wire_frame(&f->in, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* initial window 0 */
	request(f, 1);
	request(f, 3);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->unsent_all, 2 * answer.len);
	f->unsent_all = RPC_UNSENT_ALL_MAX; /* by others: this one has its fair part */
	request(f, 5);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->requests, 3);
	f->unsent_all = 3 * answer.len;
	f->hold = true;
	request(f, 7);
	assert_int_equal(feed(f), TEMPORAL_OK);
	struct rpc_server_stream *held = f->held;
	f->hold = false;
	f->is_large = true;
	request(f, 9);
	assert_int_equal(feed(f), TEMPORAL_OK);
	f->is_large = false;
	assert_int_equal(f->unsent_all, 3 * 7 + RPC_UNSENT_MAX);
	request(f, 11);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->requests, 5);
	assert_true(was_written(f, HEADERS, 11)); /* RESOURCE_EXHAUSTED */
	assert_true(rpc_server_drop(held));
	assert_int_equal(f->cancelled, 1);
	drain(f);
	assert_true(was_written(f, RST_STREAM, 7));
	session_start(f);
	assert_int_equal(f->unsent_all, 0);
}

static void held_calls_may_take_their_time(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	request(f, 1);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_true(rpc_server_tick(f->session, f->now_ns + 3600 * RPC_S_NS));
	assert_int_equal(f->gone, 0);
}

static void goaway_in_two_steps(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	request(f, 1);
	assert_int_equal(feed(f), TEMPORAL_OK);
	f->out_len = 0;
	rpc_server_notice(f->session);
	drain(f);
	assert_memory_equal(wire_find(f->out, f->out_len, GOAWAY, 0), "\x7F\xFF\xFF\xFF", 4);
	request(f, 3); /* it crossed the notice: served */
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(f->requests, 2);
	f->out_len = 0;
	rpc_server_goaway(f->session);
	drain(f);
	assert_memory_equal(wire_find(f->out, f->out_len, GOAWAY, 0), "\0\0\0\3", 4);
	assert_int_equal(f->gone, 0);
}

static void mutations(void **state)
{
	struct fixture *f = *state;
	struct wire *good = calloc(1, sizeof(*good));
	unsigned seed = 1;

	request(f, 1);
	wire_headers(&f->in, END_STREAM, 3,
		PAIRS(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"));
	wire_frame(&f->in, PING, 0, 0, "12345678", 8);
	wire_headers(&f->in, 0, 5,
		PAIRS(GRPC, "content-type", "application/grpc", "grpc-timeout", "1S", "x-y-bin",
			"AAEC"));
	wire_number(&f->in, WINDOW_UPDATE, 5, 1000);
	wire_frame(&f->in, DATA, 0, 5, "\0\0\0\0\1x", 6);
	wire_number(&f->in, RST_STREAM, 5, 8);
	wire_put(good, f->in.bytes, f->in.len);
	for (int round = 0; round < 3000; round++) {
		session_start(f);
		f->in.len = 0;
		wire_put(&f->in, good->bytes, good->len);
		for (int i = 0; i < 1 + round % 4; i++) {
			seed = seed * 1103515245 + 12345;
			f->in.bytes[(seed >> 8) % f->in.len] = (uint8_t)(seed >> 16);
		}
		(void)feed_pieces(f, 1 + seed % 200);
		rpc_server_tick(f->session, f->now_ns + 60 * RPC_S_NS);
		drain(f);
	}
	free(good);
}

static void allocations_fail(void **state)
{
	struct fixture *f = *state;
	int failures = 0;

	for (long n = 0; n < 300; n++) {
		const struct rpc_server_session_opts opts = { .events = &events, .gzip = &f->gzip };

		rpc_server_session_free(f->session);
		assert_int_equal(f->opened, f->gone);
		f->in.len = 24;
		memcpy(f->in.bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
		wire_frame(&f->in, SETTINGS, 0, 0, NULL, 0);
		request(f, 1);
		request(f, 3);
		mem_fault_set(n, 1);
		f->session = rpc_server_session_new(&opts, f->now_ns, &f->err);
		if (f->session)
			(void)feed(f);
		bool hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		failures += hit;
		if (!hit)
			break;
	}
	assert_in_range(failures, 5, 299);
}

#define WITH_FIXTURE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(any_pieces_give_the_same_answer),
		WITH_FIXTURE(what_is_no_grpc_is_told_so),
		WITH_FIXTURE(subtypes_are_grpc),
		WITH_FIXTURE(the_page_is_at_the_root),
		WITH_FIXTURE(bad_messages_are_refused),
		WITH_FIXTURE(an_early_answer_stops_the_client),
		WITH_FIXTURE(a_reset_cancels),
		WITH_FIXTURE(rapid_resets_are_cut_off),
		WITH_FIXTURE(provoked_resets_are_cut_off),
		WITH_FIXTURE(floods_are_cut_off),
		WITH_FIXTURE(header_bombs_end_the_stream),
		WITH_FIXTURE(too_many_streams_are_refused),
		WITH_FIXTURE(a_silent_client_is_cut_off),
		WITH_FIXTURE(a_client_that_never_calls_is_cut_off),
		WITH_FIXTURE(a_request_that_crawls_is_reset),
		WITH_FIXTURE(an_answer_that_nobody_takes_is_reset),
		WITH_FIXTURE(answers_that_nobody_takes_are_limited),
		WITH_FIXTURE(held_calls_may_take_their_time),
		WITH_FIXTURE(goaway_in_two_steps),
		WITH_FIXTURE(mutations),
		WITH_FIXTURE(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
