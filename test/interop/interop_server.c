/*
 * interop_server.c: the server of gRPC's interoperability tests, on ours. `interop_server PORT
 * [CERT KEY]` prints its port and serves until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "interop_methods.h"
#include "rpc/server.h"
#include "rpc/text.h"

static const char echo_initial[] = "x-grpc-test-echo-initial";
static const char echo_trailing[] = "x-grpc-test-echo-trailing-bin";

static uint8_t zeros[4 << 20];

/* The client wants its metadata back; a binary value is base64 on the wire and must not be encoded
 * once more. */
static void echo_metadata(struct rpc_server_call *call)
{
	const char *initial = rpc_server_header(call, echo_initial);
	const char *trailing = rpc_server_header(call, echo_trailing);
	uint8_t bytes[BASE64_ROOM(256)];
	size_t len;

	if (initial && rpc_server_add_header(call,
			       &(struct rpc_header){ echo_initial, initial, strlen(initial) },
			       false, NULL) != TEMPORAL_OK)
		abort();
	if (!trailing || strlen(trailing) > 256 ||
		!base64_decode(trailing, strlen(trailing), bytes, &len))
		return;
	if (rpc_server_add_header(call,
		    &(struct rpc_header){ echo_trailing, (const char *)bytes, len }, true,
		    NULL) != TEMPORAL_OK)
		abort();
}

static void answer_empty(struct rpc_server_call *call, const void *request, void *user)
{
	Interop__Empty empty = INTEROP__EMPTY__INIT;

	rpc_server_reply(call, &empty);
}

static Interop__Payload payload_of(int32_t size)
{
	Interop__Payload payload = INTEROP__PAYLOAD__INIT;

	payload.body.data = zeros;
	payload.body.len = size > 0 && (size_t)size <= sizeof(zeros) ? (size_t)size : 0;
	return payload;
}

static void answer_unary(struct rpc_server_call *call, const void *message, void *user)
{
	const Interop__SimpleRequest *request = message;
	Interop__SimpleResponse response = INTEROP__SIMPLE_RESPONSE__INIT;
	Interop__Payload payload = payload_of(request->response_size);

	echo_metadata(call);
	if (request->response_status && request->response_status->code != 0) {
		rpc_server_fail(call, (enum temporal_code)request->response_status->code,
			request->response_status->message, NULL);
		return;
	}
	response.payload = &payload;
	rpc_server_reply(call, &response);
}

static void open_stream(struct rpc_server_call *call, void *user)
{
	echo_metadata(call);
}

static void stream_out(struct rpc_server_call *call, const void *message, void *user)
{
	const Interop__StreamingOutputCallRequest *request = message;

	for (size_t i = 0; i < request->n_response_parameters; i++) {
		Interop__StreamingOutputCallResponse response =
			INTEROP__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
		Interop__Payload payload = payload_of(request->response_parameters[i]->size);

		response.payload = &payload;
		if (rpc_server_send_message(call, &response, NULL) != TEMPORAL_OK)
			return;
	}
	if (request->response_status && request->response_status->code != 0)
		rpc_server_end(call, (enum temporal_code)request->response_status->code,
			request->response_status->message, NULL);
}

static void end_stream(struct rpc_server_call *call, void *user)
{
	rpc_server_end(call, TEMPORAL_OK, NULL, NULL);
}

static void count_in(struct rpc_server_call *call, const void *message, void *user)
{
	const Interop__StreamingInputCallRequest *request = message;
	size_t *sum = (size_t *)rpc_server_data(call);

	*sum += request->payload ? request->payload->body.len : 0;
}

static void answer_sum(struct rpc_server_call *call, void *user)
{
	Interop__StreamingInputCallResponse response = INTEROP__STREAMING_INPUT_CALL_RESPONSE__INIT;

	response.aggregated_payload_size = (int32_t) * (size_t *)rpc_server_data(call);
	if (rpc_server_send_message(call, &response, NULL) == TEMPORAL_OK)
		rpc_server_end(call, TEMPORAL_OK, NULL, NULL);
}

static void forget(struct rpc_server_call *call, void *user)
{
}

static const struct rpc_server_streaming out_streaming = { open_stream, stream_out, end_stream,
	forget };
static const struct rpc_server_streaming in_streaming = { open_stream, count_in, answer_sum,
	forget };

static const struct rpc_server_method methods[] = {
	{ .method = &empty_call, .handle = answer_empty },
	{ .method = &unary_call, .handle = answer_unary },
	{ .method = &output_call, .streaming = &out_streaming },
	{ .method = &input_call, .streaming = &in_streaming },
	{ .method = &duplex_call, .streaming = &out_streaming },
};

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 65536);

	if (!file || !text) {
		perror(path);
		exit(1);
	}
	*len = fread(text, 1, 65535, file);
	fclose(file);
	return text;
}

int main(int argc, char **argv)
{
	struct rpc_server_opts opts = { .methods = methods,
		.n_methods = sizeof(methods) / sizeof(methods[0]) };
	struct temporal_error err;
	struct rpc_loop *loop = rpc_loop_new(&err);

	if (argc > 1)
		opts.port = (uint16_t)atoi(argv[1]);
	if (argc > 3) {
		opts.cert_pem = read_file(argv[2], &opts.cert_pem_len);
		opts.key_pem = read_file(argv[3], &opts.key_pem_len);
	}
	struct rpc_server *server = loop ? rpc_server_new(loop, &opts, &err) : NULL;
	if (!server || rpc_loop_start(loop, "server", &err) != TEMPORAL_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	printf("%u\n", rpc_server_port(server));
	fflush(stdout);
	for (;;)
		pause();
}
