/*
 * interop_methods.h: the service of gRPC's interoperability tests; both programs use it.
 */
#ifndef INTEROP_METHODS_H
#define INTEROP_METHODS_H

#include "interop.pb-c.h"
#include "rpc/channel.h"

#define INTEROP_METHOD(name_, path_, request_, response_) \
	static const struct rpc_method name_ = { "/grpc.testing." path_, \
		&interop__##request_##__descriptor, &interop__##response_##__descriptor };

INTEROP_METHOD(empty_call, "TestService/EmptyCall", empty, empty)
INTEROP_METHOD(unary_call, "TestService/UnaryCall", simple_request, simple_response)
INTEROP_METHOD(output_call, "TestService/StreamingOutputCall", streaming_output_call_request,
	streaming_output_call_response)
INTEROP_METHOD(input_call, "TestService/StreamingInputCall", streaming_input_call_request,
	streaming_input_call_response)
INTEROP_METHOD(duplex_call, "TestService/FullDuplexCall", streaming_output_call_request,
	streaming_output_call_response)

#endif
