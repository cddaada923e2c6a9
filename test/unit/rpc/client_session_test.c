/*
 * Goal: whatever a server sends, each stream ends once, with the right code, and nothing is kept or
 * allocated beyond the limits. Method: the session alone, fed with frames written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rpc/client_session.h"
#include "rpc/limits.h"
#include "wire.h"

struct fixture {
	struct rpc_client_session *session;
	struct rpc_gzip gzip;
	struct wire in;
	uint8_t out[1 << 18];
	size_t out_len;
	struct temporal_error err;
};

struct stream {
	struct rpc_client_stream stream; /* first */
	struct rpc_outgoing outgoing;
	int ends, messages;
	enum temporal_code code;
	bool refused, transport, no_gzip;
	char text[300], received[300];
	uint8_t details[100];
	size_t details_len;
};

static void on_message(
	struct rpc_client_stream *client, const uint8_t *data, size_t len, size_t wire_len)
{
	struct stream *stream = (struct stream *)(void *)client;

	stream->messages++;
	if (len < sizeof(stream->received)) {
		if (len > 0)
			memcpy(stream->received, data, len);
		stream->received[len] = '\0';
	}
}

static void on_end(struct rpc_client_stream *client, const struct rpc_end *end)
{
	struct stream *stream = (struct stream *)(void *)client;

	stream->ends++;
	stream->code = end->code;
	stream->refused = end->refused;
	stream->transport = end->transport;
	stream->no_gzip = end->no_gzip;
	strncpy(stream->text, end->message, sizeof(stream->text) - 1);
	stream->details_len = end->details_len;
	if (end->details_len <= sizeof(stream->details) && end->details_len > 0)
		memcpy(stream->details, end->details, end->details_len);
}

static const struct rpc_client_events events = { .message = on_message, .end = on_end };

static void session_start(struct fixture *f, size_t receive_max)
{
	const struct rpc_client_opts opts = { .gzip = &f->gzip, .receive_max = receive_max };

	rpc_client_session_free(f->session, "again");
	f->session = rpc_client_session_new(&opts, &f->err);
	assert_non_null(f->session);
	f->in.len = 0;
	wire_frame(&f->in, SETTINGS, 0, 0, NULL, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	session_start(f, 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rpc_client_session_free(f->session, "test over");
	rpc_gzip_finish(&f->gzip);
	free(f);
	return 0;
}

static enum temporal_code open_stream(struct fixture *f, struct stream *stream)
{
	const nghttp2_nv fields[] = {
		RPC_NV(":method", "POST", 4),
		RPC_NV(":scheme", "http", 4),
		RPC_NV(":path", "/s/m", 4),
		RPC_NV(":authority", "a", 1),
	};

	memset(stream, 0, sizeof(*stream));
	stream->stream.events = &events;
	stream->outgoing = (struct rpc_outgoing){ .data = (const uint8_t *)"\0\0\0\0\0", .len = 5 };
	rpc_client_send(&stream->stream, &stream->outgoing);
	rpc_client_send_end(&stream->stream);
	return rpc_client_open(f->session, &stream->stream, fields, 4, &f->err);
}

static void drain(struct fixture *f)
{
	size_t len = 0;

	f->out_len = 0;
	do {
		f->out_len += len;
		if (rpc_client_drain(f->session, f->out + f->out_len, 1000, &len, NULL) !=
			TEMPORAL_OK)
			return;
	} while (len > 0 && f->out_len + 2000 < sizeof(f->out));
}

/* Feeds what the test wrote, in pieces of 7 bytes, and takes what the session says. */
static enum temporal_code feed(struct fixture *f)
{
	enum temporal_code code = TEMPORAL_OK;

	drain(f);
	for (size_t at = 0; at < f->in.len && code == TEMPORAL_OK; at += 7) {
		size_t left = f->in.len - at;

		code = rpc_client_feed(
			f->session, f->in.bytes + at, left < 7 ? left : 7, RPC_S_NS, &f->err);
	}
	f->in.len = 0;
	drain(f);
	return code;
}

#define REPLY_HEADERS PAIRS(":status", "200", "content-type", "application/grpc")

static void data(struct fixture *f, uint8_t flags, uint32_t id, const char *bytes, size_t len)
{
	wire_frame(&f->in, DATA, flags, id, bytes, len);
}

static void success_is_three_blocks(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	data(f, 0, 1, "\0\0\0\0\5hel", 8);
	data(f, 0, 1, "lo", 2);
	wire_headers(&f->in, END_STREAM, 1, PAIRS("grpc-status", "0", "grpc-message", ""));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_OK);
	assert_int_equal(stream.messages, 1);
	assert_string_equal(stream.received, "hello");
	assert_int_equal(rpc_client_streams(f->session), 0);
}

static void errors_are_one_block(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, END_STREAM, 1,
		PAIRS(":status", "200", "content-type", "application/grpc", "grpc-status", "5",
			"grpc-message", "nosuch%C3%A9ns", "grpc-status-details-bin", "AAEC/w"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_NOT_FOUND);
	assert_string_equal(stream.text, "nosuch\xC3\xA9ns");
	assert_int_equal(stream.details_len, 4);
	assert_memory_equal(stream.details, "\0\1\2\xFF", 4);
}

static void a_reset_after_the_status_is_no_failure(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	wire_headers(&f->in, END_STREAM, 1, PAIRS("grpc-status", "8", "grpc-message", "busy"));
	wire_number(&f->in, RST_STREAM, 1, 0);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_RESOURCE_EXHAUSTED);
}

static void resets_are_mapped(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t error;
		enum temporal_code code;
		bool refused;
	} cases[] = {
		{ 0, TEMPORAL_INTERNAL, false },
		{ 2, TEMPORAL_INTERNAL, false },
		{ 7, TEMPORAL_UNAVAILABLE, true },
		{ 8, TEMPORAL_CANCELLED, false },
		{ 11, TEMPORAL_RESOURCE_EXHAUSTED, false },
		{ 12, TEMPORAL_PERMISSION_DENIED, false },
		{ 12345, TEMPORAL_INTERNAL, false },
	};

	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream stream;

		assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
		wire_number(&f->in, RST_STREAM, 1 + 2 * i, cases[i].error);
		assert_int_equal(feed(f), TEMPORAL_OK);
		assert_int_equal(stream.ends, 1);
		assert_int_equal(stream.code, cases[i].code);
		assert_int_equal(stream.refused, cases[i].refused);
	}
}

static void http_errors_are_mapped(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *status;
		enum temporal_code code;
	} cases[] = {
		{ "400", TEMPORAL_INTERNAL },
		{ "401", TEMPORAL_UNAUTHENTICATED },
		{ "403", TEMPORAL_PERMISSION_DENIED },
		{ "404", TEMPORAL_UNIMPLEMENTED },
		{ "429", TEMPORAL_UNAVAILABLE },
		{ "502", TEMPORAL_UNAVAILABLE },
		{ "503", TEMPORAL_UNAVAILABLE },
		{ "504", TEMPORAL_UNAVAILABLE },
		{ "302", TEMPORAL_UNKNOWN },
		{ "200", TEMPORAL_UNKNOWN },
	};

	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream stream;

		assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
		wire_headers(&f->in, 0, 1 + 2 * i,
			PAIRS(":status", cases[i].status, "content-type", "text/html"));
		data(f, END_STREAM, 1 + 2 * i, "<html>sorry</html>", 18);
		assert_int_equal(feed(f), TEMPORAL_OK);
		assert_int_equal(stream.ends, 1);
		assert_int_equal(stream.code, cases[i].code);
		assert_int_equal(stream.messages, 0);
	}
}

/* The real server's answer to a wrong content-type. */
static void grpc_status_beats_http_status(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, END_STREAM, 1,
		PAIRS(":status", "415", "content-type", "application/grpc", "grpc-status", "3",
			"grpc-message", "no"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.code, TEMPORAL_INVALID_ARGUMENT);
}

static void a_missing_end_is_internal(void **state)
{
	struct fixture *f = *state;
	struct stream no_trailers, cut_message;

	assert_int_equal(open_stream(f, &no_trailers), TEMPORAL_OK);
	assert_int_equal(open_stream(f, &cut_message), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	data(f, END_STREAM, 1, "\0\0\0\0\0", 5);
	wire_headers(&f->in, 0, 3, REPLY_HEADERS);
	data(f, 0, 3, "\0\0\0\0\5he", 7);
	wire_headers(&f->in, END_STREAM, 3, PAIRS("grpc-status", "0"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(no_trailers.code, TEMPORAL_INTERNAL);
	assert_int_equal(cut_message.code, TEMPORAL_INTERNAL);
	assert_string_equal(cut_message.text, "the reply ends within a message");
}

static void odd_status_values(void **state)
{
	struct fixture *f = *state;
	static const char *const values[] = { "17", "99999", "x", "", "-1" };

	for (uint32_t i = 0; i < 5; i++) {
		struct stream stream;

		assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
		wire_headers(&f->in, END_STREAM, 1 + 2 * i,
			PAIRS(":status", "200", "content-type", "application/grpc", "grpc-status",
				values[i]));
		assert_int_equal(feed(f), TEMPORAL_OK);
		assert_int_equal(stream.code, TEMPORAL_UNKNOWN);
	}
}

/* Messages that lie. */

static void a_lie_about_the_length_ends_the_stream(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	session_start(f, 1000);
	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	data(f, 0, 1, "\0\x7F\xFF\xFF\xFFxxxx", 9);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(wire_find(f->out, f->out_len, RST_STREAM, 1));
}

static void compression_must_be_agreed(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	data(f, 0, 1, "\1\0\0\0\1x", 6);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.code, TEMPORAL_INTERNAL);
}

static void gzip_is_inflated_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	static uint8_t zeros[100000], packed[2000];
	struct stream small, bomb;

	session_start(f, 5000);
	assert_int_equal(open_stream(f, &small), TEMPORAL_OK);
	assert_int_equal(open_stream(f, &bomb), TEMPORAL_OK);
	for (uint32_t i = 0; i < 2; i++) {
		size_t len =
			i == 0 ? rpc_gzip_deflate(
					 &f->gzip, "hello hello hello hello", 23, packed + 5, 1000)
			       : rpc_gzip_deflate(&f->gzip, zeros, sizeof(zeros), packed + 5, 1000);

		rpc_prefix_write(packed, true, len);
		wire_headers(&f->in, 0, 1 + 2 * i,
			PAIRS(":status", "200", "content-type", "application/grpc", "grpc-encoding",
				"gzip"));
		wire_frame(&f->in, DATA, 0, 1 + 2 * i, packed, len + 5);
		wire_headers(&f->in, END_STREAM, 1 + 2 * i, PAIRS("grpc-status", "0"));
	}
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(small.code, TEMPORAL_OK);
	assert_string_equal(small.received, "hello hello hello hello");
	assert_int_equal(bomb.code, TEMPORAL_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(bomb.text, "after decompression larger than max"));
	assert_int_equal(bomb.messages, 0);
}

static void refusing_gzip_is_noticed(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, END_STREAM, 1,
		PAIRS(":status", "200", "content-type", "application/grpc", "grpc-accept-encoding",
			"identity", "grpc-status", "12"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.code, TEMPORAL_UNIMPLEMENTED);
	assert_true(stream.no_gzip);
}

/* Headers without end. */

static void too_many_fields_end_the_stream(void **state)
{
	struct fixture *f = *state;
	const char *pairs[2 * 100 + 1] = { ":status", "200" };
	static struct stream stream; /* outlives the session */

	for (int i = 1; i < 100; i++) {
		pairs[2 * i] = "x";
		pairs[2 * i + 1] = "y";
	}
	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_headers(&f->in, 0, 1, pairs);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_INTERNAL);
}

static void interim_blocks_are_counted(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	for (unsigned i = 0; i <= RPC_HEADER_BLOCKS_MAX; i++)
		wire_headers(&f->in, 0, 1, PAIRS(":status", "103"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(stream.ends, 1);
	assert_int_equal(stream.code, TEMPORAL_INTERNAL);
}

/* GOAWAY. */

static void goaway_refuses_what_was_not_begun(void **state)
{
	struct fixture *f = *state;
	struct stream begun, refused;

	assert_int_equal(open_stream(f, &begun), TEMPORAL_OK);
	assert_int_equal(open_stream(f, &refused), TEMPORAL_OK);
	wire_goaway(&f->in, 0x7FFFFFFF, 0);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_true(rpc_client_draining(f->session));
	assert_int_equal(begun.ends + refused.ends, 0);
	wire_goaway(&f->in, 1, 0);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(refused.ends, 1);
	assert_true(refused.refused);
	assert_int_equal(begun.ends, 0);
	wire_headers(&f->in, 0, 1, REPLY_HEADERS);
	data(f, 0, 1, "\0\0\0\0\0", 5);
	wire_headers(&f->in, END_STREAM, 1, PAIRS("grpc-status", "0"));
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_int_equal(begun.code, TEMPORAL_OK);
	assert_int_equal(rpc_client_streams(f->session), 0);
}

static void a_lost_connection_ends_all_streams(void **state)
{
	struct fixture *f = *state;
	static struct stream streams[3]; /* outlives the session */

	for (int i = 0; i < 3; i++)
		assert_int_equal(open_stream(f, &streams[i]), TEMPORAL_OK);
	assert_int_equal(feed(f), TEMPORAL_OK);
	rpc_client_session_free(f->session, "the cable is cut");
	f->session = NULL;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(streams[i].ends, 1);
		assert_int_equal(streams[i].code, TEMPORAL_UNAVAILABLE);
		assert_true(streams[i].transport);
		assert_string_equal(streams[i].text, "the cable is cut");
	}
}

static void cancelling_resets_once(void **state)
{
	struct fixture *f = *state;
	struct stream sent, unsent;

	assert_int_equal(open_stream(f, &sent), TEMPORAL_OK);
	drain(f);
	assert_int_equal(open_stream(f, &unsent), TEMPORAL_OK);
	rpc_client_cancel(&unsent.stream, TEMPORAL_CANCELLED, "no");
	rpc_client_cancel(&sent.stream, TEMPORAL_CANCELLED, "no");
	rpc_client_cancel(&sent.stream, TEMPORAL_CANCELLED, "no");
	assert_int_equal(sent.ends, 1);
	assert_int_equal(unsent.ends, 1);
	drain(f);
	assert_non_null(wire_find(f->out, f->out_len, RST_STREAM, 1));
	assert_null(wire_find(f->out, f->out_len, HEADERS, 3));
	wire_headers(&f->in, 0, 1, REPLY_HEADERS); /* crossed the reset */
	assert_int_equal(feed(f), TEMPORAL_OK);
}

/* What ends the connection. */

static void pushes_are_a_connection_error(void **state)
{
	struct fixture *f = *state;
	static struct stream stream; /* outlives the session */
	static const uint8_t promise[] = { 0, 0, 0, 2, 0x82 };

	assert_int_equal(open_stream(f, &stream), TEMPORAL_OK);
	wire_frame(&f->in, SETTINGS, ACK, 0, NULL, 0); /* it knows that we want no pushes */
	wire_frame(&f->in, PUSH_PROMISE, END_HEADERS, 1, promise, sizeof(promise));
	(void)feed(f);
	assert_non_null(wire_find(f->out, f->out_len, GOAWAY, 0));
	assert_true(rpc_client_over(f->session));
}

static void floods_end_the_connection(void **state)
{
	struct fixture *f = *state;
	static const uint8_t types[] = { SETTINGS, PRIORITY };

	for (size_t t = 0; t < sizeof(types); t++) {
		enum temporal_code code = TEMPORAL_OK;

		session_start(f, 0);
		for (int i = 0; i < 3000 && code == TEMPORAL_OK; i++) {
			wire_frame(&f->in, types[t], 0, types[t] == PRIORITY ? 1 : 0, "\0\0\0\0\1",
				types[t] == PRIORITY ? 5 : 0);
			code = feed(f);
		}
		assert_int_equal(code, TEMPORAL_UNAVAILABLE);
	}
}

/* Any ping is answered at once, but for the one that grpc-go measures with: that is owed, once. */
static void a_measuring_ping_is_answered_later(void **state)
{
	static const uint8_t measuring[8] = { 2, 4, 16, 16, 9, 14, 7, 7 };
	struct fixture *f = *state;
	const uint8_t *answer;

	wire_frame(&f->in, PING, 0, 0, "12345678", 8);
	assert_int_equal(feed(f), TEMPORAL_OK);
	answer = wire_find(f->out, f->out_len, PING, 0);
	assert_non_null(answer);
	assert_memory_equal(answer, "12345678", 8);
	assert_false(rpc_client_owes_pong(f->session));

	f->in.len = 0;
	wire_frame(&f->in, PING, 0, 0, measuring, 8);
	assert_int_equal(feed(f), TEMPORAL_OK);
	drain(f);
	assert_null(wire_find(f->out, f->out_len, PING, 0));
	assert_true(rpc_client_owes_pong(f->session));

	rpc_client_pong(f->session);
	drain(f);
	answer = wire_find(f->out, f->out_len, PING, 0);
	assert_non_null(answer);
	assert_memory_equal(answer, measuring, 8);
	assert_false(rpc_client_owes_pong(f->session));
}

static void the_servers_limit_of_streams_is_kept(void **state)
{
	struct fixture *f = *state;
	static struct stream streams[2]; /* outlives the session */

	wire_frame(&f->in, SETTINGS, 0, 0, "\0\3\0\0\0\2", 6);
	assert_int_equal(feed(f), TEMPORAL_OK);
	assert_false(rpc_client_full(f->session));
	assert_int_equal(open_stream(f, &streams[0]), TEMPORAL_OK);
	assert_int_equal(open_stream(f, &streams[1]), TEMPORAL_OK);
	assert_true(rpc_client_full(f->session));
	rpc_client_cancel(&streams[0].stream, TEMPORAL_CANCELLED, "");
	assert_false(rpc_client_full(f->session));
}

/* A good conversation with some bytes changed: every stream ends once. */
static void mutations(void **state)
{
	struct fixture *f = *state;
	struct wire *good = calloc(1, sizeof(*good));
	unsigned seed = 1;

	wire_frame(good, SETTINGS, 0, 0, "\0\3\0\0\0\x64", 6);
	wire_headers(good, 0, 1, REPLY_HEADERS);
	wire_frame(good, DATA, 0, 1, "\0\0\0\0\5hello\0\0\0\0\0", 15);
	wire_frame(good, PING, 0, 0, "12345678", 8);
	wire_headers(good, END_STREAM, 1, PAIRS("grpc-status", "0", "grpc-message", "a%20b"));
	wire_headers(good, END_STREAM, 3,
		PAIRS(":status", "200", "grpc-status", "5", "grpc-status-details-bin", "AAEC"));
	wire_goaway(good, 3, 0);
	for (int round = 0; round < 3000; round++) {
		struct stream streams[3];

		session_start(f, 1000);
		for (int i = 0; i < 3; i++)
			assert_int_equal(open_stream(f, &streams[i]), TEMPORAL_OK);
		f->in.len = 0;
		wire_put(&f->in, good->bytes, good->len);
		for (int i = 0; i < 1 + round % 4; i++) {
			seed = seed * 1103515245 + 12345;
			f->in.bytes[(seed >> 8) % f->in.len] = (uint8_t)(seed >> 16);
		}
		(void)feed(f);
		rpc_client_session_free(f->session, "over");
		f->session = NULL;
		for (int i = 0; i < 3; i++)
			assert_int_equal(streams[i].ends, 1);
	}
	free(good);
}

/* The Nth allocation fails: the stream still ends once, if it was opened. */
static void allocations_fail(void **state)
{
	struct fixture *f = *state;
	int failures = 0;

	for (long n = 0; n < 200; n++) {
		const struct rpc_client_opts opts = { .gzip = &f->gzip };
		struct stream stream = { .ends = -1 };

		rpc_client_session_free(f->session, "again");
		mem_fault_set(n, 1);
		f->session = rpc_client_session_new(&opts, &f->err);
		bool opened = f->session && open_stream(f, &stream) == TEMPORAL_OK;
		if (opened) {
			f->in.len = 0;
			wire_frame(&f->in, SETTINGS, 0, 0, NULL, 0);
			wire_headers(&f->in, 0, 1, REPLY_HEADERS);
			data(f, 0, 1, "\0\0\0\0\5hel", 8);
			data(f, 0, 1, "lo", 2);
			wire_headers(&f->in, END_STREAM, 1,
				PAIRS("grpc-status", "5", "grpc-message", "m"));
			(void)feed(f);
		}
		bool hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		rpc_client_session_free(f->session, "over");
		f->session = NULL;
		if (opened)
			assert_int_equal(stream.ends, 1);
		failures += hit;
		if (!hit) {
			assert_int_equal(stream.code, TEMPORAL_NOT_FOUND);
			break;
		}
	}
	assert_in_range(failures, 5, 199);
}

#define WITH_FIXTURE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(success_is_three_blocks),
		WITH_FIXTURE(errors_are_one_block),
		WITH_FIXTURE(a_reset_after_the_status_is_no_failure),
		WITH_FIXTURE(resets_are_mapped),
		WITH_FIXTURE(http_errors_are_mapped),
		WITH_FIXTURE(grpc_status_beats_http_status),
		WITH_FIXTURE(a_missing_end_is_internal),
		WITH_FIXTURE(odd_status_values),
		WITH_FIXTURE(a_lie_about_the_length_ends_the_stream),
		WITH_FIXTURE(compression_must_be_agreed),
		WITH_FIXTURE(gzip_is_inflated_up_to_the_limit),
		WITH_FIXTURE(refusing_gzip_is_noticed),
		WITH_FIXTURE(too_many_fields_end_the_stream),
		WITH_FIXTURE(interim_blocks_are_counted),
		WITH_FIXTURE(goaway_refuses_what_was_not_begun),
		WITH_FIXTURE(a_lost_connection_ends_all_streams),
		WITH_FIXTURE(cancelling_resets_once),
		WITH_FIXTURE(pushes_are_a_connection_error),
		WITH_FIXTURE(floods_end_the_connection),
		WITH_FIXTURE(a_measuring_ping_is_answered_later),
		WITH_FIXTURE(the_servers_limit_of_streams_is_kept),
		WITH_FIXTURE(mutations),
		WITH_FIXTURE(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
