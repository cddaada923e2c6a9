/*
 * interop_client.c: the client of gRPC's interoperability tests, on ours: `interop_client PORT
 * CASE`. Unary cases go through a channel, the others through a session on a blocking socket. Exit
 * code 0: the case holds.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interop_methods.h"
#include "proto/codec.h"
#include "rpc/client_session.h"
#include "rpc/limits.h"
#include "rpc/loop.h"
#include "rpc/text.h"

#define CHECK(condition_) \
	do { \
		if (!(condition_)) { \
			fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition_); \
			exit(1); \
		} \
	} while (0)

static uint16_t port;
static bool compress;
static struct arena arena;
static uint8_t zeros[1 << 20];

static Interop__Payload *payload_of(size_t size)
{
	Interop__Payload *payload = PROTO_NEW(&arena, Interop__Payload, interop__payload);

	payload->body.data = zeros;
	payload->body.len = size;
	return payload;
}

/* Unary cases. */

static enum temporal_code call_within(int64_t timeout_ms, const struct rpc_method *method,
	const void *message, struct rpc_reply *reply)
{
	struct rpc_loop *loop = rpc_loop_new(NULL);
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%u", port);
	CHECK(rpc_loop_start(loop, "client", NULL) == TEMPORAL_OK);
	struct rpc_channel *channel = rpc_channel_new(loop,
		&(struct rpc_connect_opts){ .target = target, .compress_always = compress }, NULL);
	CHECK(channel);
	enum temporal_code code = rpc_wait(channel,
		&(struct rpc_request){
			.method = method, .message = message, .timeout_ms = timeout_ms },
		reply, NULL);
	rpc_channel_unref(channel);
	rpc_loop_free(loop);
	return code;
}

static enum temporal_code call(
	const struct rpc_method *method, const void *message, struct rpc_reply *reply)
{
	return call_within(10000, method, message, reply);
}

static void empty_unary(void)
{
	Interop__Empty empty = INTEROP__EMPTY__INIT;
	struct rpc_reply reply;

	CHECK(call(&empty_call, &empty, &reply) == TEMPORAL_OK);
	CHECK(reply.message_size == 0);
	arena_finish(&reply.arena);
}

static void large_unary(void)
{
	Interop__SimpleRequest request = INTEROP__SIMPLE_REQUEST__INIT;
	struct rpc_reply reply;

	request.response_size = 314159;
	request.payload = payload_of(271828);
	CHECK(call(&unary_call, &request, &reply) == TEMPORAL_OK);
	CHECK(((const Interop__SimpleResponse *)reply.message)->payload->body.len == 314159);
	arena_finish(&reply.arena);
}

/* grpc-go's server has no gzip and refuses the compressed request: the channel has to send it
 * plain. */
static void large_unary_gzip(void)
{
	compress = true;
	large_unary();
}

static void check_echo_status(const char *text)
{
	Interop__SimpleRequest request = INTEROP__SIMPLE_REQUEST__INIT;
	struct rpc_reply reply;
	Interop__EchoStatus status = INTEROP__ECHO_STATUS__INIT;

	status.code = 2;
	status.message = arena_strdup(&arena, text);
	request.response_status = &status;
	CHECK(call(&unary_call, &request, &reply) == TEMPORAL_UNKNOWN);
	CHECK(strcmp(reply.error.message, text) == 0);
	arena_finish(&reply.arena);
}

static void special_status_message(void)
{
	check_echo_status("\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP "
			  "\xF0\x9F\x98\x88\t\n");
}

static void check_unimplemented(const char *path)
{
	const struct rpc_method method = { path, &interop__empty__descriptor,
		&interop__empty__descriptor };
	Interop__Empty empty = INTEROP__EMPTY__INIT;
	struct rpc_reply reply;

	CHECK(call(&method, &empty, &reply) == TEMPORAL_UNIMPLEMENTED);
	arena_finish(&reply.arena);
}

static void unimplemented_method(void)
{
	check_unimplemented("/grpc.testing.TestService/UnimplementedCall");
}

static void unimplemented_service(void)
{
	check_unimplemented("/grpc.testing.UnimplementedService/UnimplementedCall");
}

/* Streaming cases: one stream on one connection. */

struct stream {
	struct rpc_client_stream stream; /* first: the events cast */
	struct rpc_client_session *session;
	struct rpc_gzip gzip;
	int fd;
	const struct rpc_method *method;
	unsigned messages;
	size_t last_size; /* of the payload received last */
	int32_t sum;
	bool ended;
	enum temporal_code code;
	char text[200], initial[100], trailing[100];
};

static void on_message(
	struct rpc_client_stream *client_stream, const uint8_t *data, size_t len, size_t wire_len)
{
	struct stream *stream = (struct stream *)(void *)client_stream;
	const void *message = proto_decode(&arena, stream->method->response, data, len, NULL, NULL);

	CHECK(message);
	stream->messages++;
	if (stream->method == &input_call)
		stream->sum = ((const Interop__StreamingInputCallResponse *)message)
				      ->aggregated_payload_size;
	else if (stream->method != &unary_call)
		stream->last_size =
			((const Interop__StreamingOutputCallResponse *)message)->payload->body.len;
}

static void on_end(struct rpc_client_stream *client_stream, const struct rpc_end *end)
{
	struct stream *stream = (struct stream *)(void *)client_stream;

	stream->ended = true;
	stream->code = end->code;
	snprintf(stream->text, sizeof(stream->text), "%s", end->message);
}

static void on_header(
	struct rpc_client_stream *client_stream, const char *name, const char *value, size_t len)
{
	struct stream *stream = (struct stream *)(void *)client_stream;

	if (strcmp(name, "x-grpc-test-echo-initial") == 0)
		snprintf(stream->initial, sizeof(stream->initial), "%s", value);
	if (strcmp(name, "x-grpc-test-echo-trailing-bin") == 0)
		snprintf(stream->trailing, sizeof(stream->trailing), "%s", value);
}

static const struct rpc_client_events events = { on_message, on_end, on_header };

static void write_all(struct stream *stream)
{
	uint8_t out[65536];
	size_t len;

	while (rpc_client_drain(stream->session, out, sizeof(out), &len, NULL) == TEMPORAL_OK &&
		len > 0)
		CHECK(send(stream->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* Writes what there is and reads once; at most `wait_ms`. */
static void turn(struct stream *stream, int wait_ms)
{
	struct pollfd fd = { .fd = stream->fd, .events = POLLIN };
	uint8_t in[65536];

	write_all(stream);
	if (poll(&fd, 1, wait_ms) <= 0)
		return;
	ssize_t n = recv(stream->fd, in, sizeof(in), 0);
	CHECK(n > 0);
	CHECK(rpc_client_feed(stream->session, in, (size_t)n, rpc_now_ns(), NULL) == TEMPORAL_OK);
	write_all(stream);
}

static void wait_end(struct stream *stream)
{
	for (int64_t until = rpc_now_ns() + 10 * RPC_S_NS; !stream->ended && rpc_now_ns() < until;)
		turn(stream, 100);
	CHECK(stream->ended);
}

static void wait_messages(struct stream *stream, unsigned n)
{
	for (int64_t until = rpc_now_ns() + 10 * RPC_S_NS;
		stream->messages < n && rpc_now_ns() < until;)
		turn(stream, 100);
	CHECK(stream->messages == n);
}

static void open_stream(
	struct stream *stream, const struct rpc_method *method, const char *timeout, bool metadata)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	nghttp2_nv fields[12];
	size_t n = 0;

	memset(stream, 0, sizeof(*stream));
	stream->method = method;
	stream->stream.events = &events;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	stream->fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(stream->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	stream->session =
		rpc_client_session_new(&(struct rpc_client_opts){ .gzip = &stream->gzip }, NULL);
	CHECK(stream->session);
	fields[n++] = RPC_NV(":method", "POST", 4);
	fields[n++] = RPC_NV(":scheme", "http", 4);
	fields[n++] = RPC_NV(":path", method->path, strlen(method->path));
	fields[n++] = RPC_NV(":authority", "localhost", 9);
	fields[n++] = RPC_NV("te", "trailers", 8);
	fields[n++] = RPC_NV("content-type", "application/grpc", 16);
	fields[n++] = RPC_NV("grpc-accept-encoding", "gzip", 4);
	if (timeout)
		fields[n++] = RPC_NV("grpc-timeout", timeout, strlen(timeout));
	if (metadata) {
		fields[n++] = RPC_NV("x-grpc-test-echo-initial", "test_initial_metadata_value", 27);
		fields[n++] = RPC_NV("x-grpc-test-echo-trailing-bin", "q6ur", 4);
	}
	CHECK(rpc_client_open(stream->session, &stream->stream, fields, n, NULL) == TEMPORAL_OK);
	write_all(stream); /* the fields' bytes are no longer needed */
}

static void close_stream(struct stream *stream)
{
	rpc_client_session_free(stream->session, "closed");
	rpc_gzip_finish(&stream->gzip);
	close(stream->fd);
}

static void send_message(struct stream *stream, const void *message)
{
	struct rpc_outgoing *outgoing = ARENA_NEW(&arena, struct rpc_outgoing);
	struct bytes wire;

	CHECK(proto_encode(&arena, message, RPC_PREFIX_SIZE, &wire, NULL) == TEMPORAL_OK);
	rpc_prefix_write(wire.ptr, false, wire.len - RPC_PREFIX_SIZE);
	*outgoing = (struct rpc_outgoing){ .data = wire.ptr, .len = wire.len };
	rpc_client_send(&stream->stream, outgoing);
}

static Interop__StreamingOutputCallRequest *output_request(
	const int32_t *sizes, size_t n, size_t payload)
{
	Interop__StreamingOutputCallRequest *request = PROTO_NEW(&arena,
		Interop__StreamingOutputCallRequest, interop__streaming_output_call_request);

	request->n_response_parameters = n;
	request->response_parameters =
		arena_array(&arena, n + 1, sizeof(*request->response_parameters));
	for (size_t i = 0; i < n; i++) {
		request->response_parameters[i] = PROTO_NEW(
			&arena, Interop__ResponseParameters, interop__response_parameters);
		request->response_parameters[i]->size = sizes[i];
	}
	if (payload > 0)
		request->payload = payload_of(payload);
	return request;
}

static const int32_t request_sizes[] = { 27182, 8, 1828, 45904 };
static const int32_t response_sizes[] = { 31415, 9, 2653, 58979 };

static void client_streaming(void)
{
	struct stream stream;

	open_stream(&stream, &input_call, NULL, false);
	for (int i = 0; i < 4; i++) {
		Interop__StreamingInputCallRequest request =
			INTEROP__STREAMING_INPUT_CALL_REQUEST__INIT;

		request.payload = payload_of((size_t)request_sizes[i]);
		send_message(&stream, &request);
		turn(&stream, 1);
	}
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_OK && stream.messages == 1 && stream.sum == 74922);
	close_stream(&stream);
}

static void server_streaming(void)
{
	struct stream stream;

	open_stream(&stream, &output_call, NULL, false);
	send_message(&stream, output_request(response_sizes, 4, 0));
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_OK && stream.messages == 4 && stream.last_size == 58979);
	close_stream(&stream);
}

static void ping_pong(void)
{
	struct stream stream;

	open_stream(&stream, &duplex_call, NULL, false);
	for (unsigned i = 0; i < 4; i++) {
		send_message(
			&stream, output_request(&response_sizes[i], 1, (size_t)request_sizes[i]));
		wait_messages(&stream, i + 1);
		CHECK(stream.last_size == (size_t)response_sizes[i]);
	}
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_OK && stream.messages == 4);
	close_stream(&stream);
}

static void empty_stream(void)
{
	struct stream stream;

	open_stream(&stream, &duplex_call, NULL, false);
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_OK && stream.messages == 0);
	close_stream(&stream);
}

/* The deadline is the client's own affair: the server sleeps for 200 ms before it answers. */
static void timeout_on_sleeping_server(void)
{
	Interop__StreamingOutputCallRequest *request = output_request(response_sizes, 1, 27182);
	struct rpc_reply reply;

	request->response_parameters[0]->interval_us = 200000;
	CHECK(call_within(1, &duplex_call, request, &reply) == TEMPORAL_DEADLINE_EXCEEDED);
	arena_finish(&reply.arena);
}

static void cancel_after_begin(void)
{
	struct stream stream;

	open_stream(&stream, &input_call, NULL, false);
	turn(&stream, 10);
	rpc_client_cancel(&stream.stream, TEMPORAL_CANCELLED, "enough");
	CHECK(stream.ended && stream.code == TEMPORAL_CANCELLED);
	turn(&stream, 10);
	close_stream(&stream);
}

static void cancel_after_first_response(void)
{
	struct stream stream;

	open_stream(&stream, &duplex_call, NULL, false);
	send_message(&stream, output_request(response_sizes, 1, 27182));
	wait_messages(&stream, 1);
	rpc_client_cancel(&stream.stream, TEMPORAL_CANCELLED, "enough");
	CHECK(stream.ended && stream.code == TEMPORAL_CANCELLED);
	turn(&stream, 10);
	close_stream(&stream);
}

static void status_code_and_message(void)
{
	Interop__StreamingOutputCallRequest *request = output_request(NULL, 0, 0);
	Interop__EchoStatus status = INTEROP__ECHO_STATUS__INIT;
	struct stream stream;

	check_echo_status("test status message");
	status.code = 2;
	status.message = arena_strdup(&arena, "test status message");
	request->response_status = &status;
	open_stream(&stream, &duplex_call, NULL, false);
	send_message(&stream, request);
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_UNKNOWN && strcmp(stream.text, "test status message") == 0);
	close_stream(&stream);
}

static void check_metadata(const struct rpc_method *method, const void *request)
{
	struct stream stream;

	open_stream(&stream, method, NULL, true);
	send_message(&stream, request);
	rpc_client_send_end(&stream.stream);
	wait_end(&stream);
	CHECK(stream.code == TEMPORAL_OK && stream.messages == 1);
	CHECK(strcmp(stream.initial, "test_initial_metadata_value") == 0);
	CHECK(strcmp(stream.trailing, "q6ur") == 0);
	close_stream(&stream);
}

static void custom_metadata(void)
{
	Interop__SimpleRequest request = INTEROP__SIMPLE_REQUEST__INIT;

	request.response_size = 314159;
	request.payload = payload_of(271828);
	check_metadata(&unary_call, &request);
	check_metadata(&duplex_call, output_request(response_sizes, 1, 27182));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "empty_unary", empty_unary },
	{ "large_unary", large_unary },
	{ "large_unary_gzip", large_unary_gzip },
	{ "client_streaming", client_streaming },
	{ "server_streaming", server_streaming },
	{ "ping_pong", ping_pong },
	{ "empty_stream", empty_stream },
	{ "timeout_on_sleeping_server", timeout_on_sleeping_server },
	{ "cancel_after_begin", cancel_after_begin },
	{ "cancel_after_first_response", cancel_after_first_response },
	{ "status_code_and_message", status_code_and_message },
	{ "special_status_message", special_status_message },
	{ "custom_metadata", custom_metadata },
	{ "unimplemented_method", unimplemented_method },
	{ "unimplemented_service", unimplemented_service },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	port = (uint16_t)atoi(argv[1]);
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[2]) != 0)
			continue;
		cases[i].run();
		arena_finish(&arena);
		return 0;
	}
	fprintf(stderr, "there is no case %s\n", argv[2]);
	return 2;
}
