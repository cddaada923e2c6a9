/*
 * frame.c: cuts messages out of DATA.
 *
 * A message that lies whole in one piece of input is handed out from there, without a copy: most
 * do. Otherwise it is collected in a buffer that grows with the bytes that arrived, never to the
 * length that the prefix announces, and that counts against the connection's memory. Loop's thread
 * (or a test).
 */
#include "rpc/frame.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

#define BUFFER_FIRST 1024U

void rpc_prefix_write(uint8_t *out, bool compressed, size_t len)
{
	out[0] = compressed;
	out[1] = (uint8_t)(len >> 24);
	out[2] = (uint8_t)(len >> 16);
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static enum temporal_code take_prefix(struct rpc_deframer *deframer, const uint8_t **data,
	size_t *len, struct temporal_error *err)
{
	size_t n = least(*len, RPC_PREFIX_SIZE - (size_t)deframer->prefix_have);
	const uint8_t *p = deframer->prefix;

	memcpy(deframer->prefix + deframer->prefix_have, *data, n);
	deframer->prefix_have = (uint8_t)(deframer->prefix_have + n);
	*data += n;
	*len -= n;
	if (deframer->prefix_have < RPC_PREFIX_SIZE)
		return TEMPORAL_OK;
	if (p[0] > 1)
		return error_set(err, TEMPORAL_INTERNAL,
			"grpc: received message with unexpected flag byte %u", p[0]);
	deframer->want = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	if (deframer->want > deframer->max)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED, RPC_RECEIVED_TOO_LARGE,
			deframer->want, deframer->max);
	return TEMPORAL_OK;
}

static enum temporal_code buffer_grow(
	struct rpc_deframer *deframer, size_t needed, struct temporal_error *err)
{
	size_t cap = deframer->cap ? deframer->cap : BUFFER_FIRST;

	while (cap < needed)
		cap *= 2;
	cap = least(cap, deframer->want);
	if (*deframer->memory + (cap - deframer->cap) > deframer->memory_max)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"the messages being received on this connection need more than %zu bytes",
			deframer->memory_max);
	uint8_t *buffer = mem_realloc(deframer->buffer, cap);
	if (!buffer)
		return error_no_memory(err, "received message");
	*deframer->memory += cap - deframer->cap;
	deframer->buffer = buffer;
	deframer->cap = cap;
	return TEMPORAL_OK;
}

static enum temporal_code collect(struct rpc_deframer *deframer, const uint8_t **data, size_t *len,
	struct temporal_error *err)
{
	size_t n = least(*len, deframer->want - deframer->have);

	if (deframer->have + n > deframer->cap) {
		enum temporal_code code = buffer_grow(deframer, deframer->have + n, err);

		if (code != TEMPORAL_OK)
			return code;
	}
	memcpy(deframer->buffer + deframer->have, *data, n);
	deframer->have += n;
	*data += n;
	*len -= n;
	return TEMPORAL_OK;
}

enum rpc_deframed rpc_deframe(struct rpc_deframer *deframer, const uint8_t **data, size_t *len,
	struct rpc_message *message, struct temporal_error *err)
{
	if (deframer->prefix_have == RPC_PREFIX_SIZE && deframer->have == deframer->want &&
		deframer->cap > 0)
		rpc_deframer_finish(deframer); /* the message that was handed out last */
	if (*len == 0)
		return RPC_DEFRAMED_MORE;
	if (deframer->prefix_have < RPC_PREFIX_SIZE &&
		take_prefix(deframer, data, len, err) != TEMPORAL_OK)
		return RPC_DEFRAMED_ERROR;
	if (deframer->prefix_have < RPC_PREFIX_SIZE)
		return RPC_DEFRAMED_MORE;
	message->compressed = deframer->prefix[0] != 0;
	message->len = deframer->want;
	if (deframer->have == 0 && *len >= deframer->want) {
		message->data = *data;
		*data += deframer->want;
		*len -= deframer->want;
		deframer->prefix_have = 0;
		return RPC_DEFRAMED_ONE;
	}
	if (*len > 0 && collect(deframer, data, len, err) != TEMPORAL_OK)
		return RPC_DEFRAMED_ERROR;
	if (deframer->have < deframer->want)
		return RPC_DEFRAMED_MORE;
	message->data = deframer->buffer;
	return RPC_DEFRAMED_ONE;
}

bool rpc_deframer_inside(const struct rpc_deframer *deframer)
{
	bool handed_out = deframer->cap > 0 && deframer->have == deframer->want;

	return deframer->prefix_have > 0 && !handed_out;
}

void rpc_deframer_finish(struct rpc_deframer *deframer)
{
	if (deframer->memory)
		*deframer->memory -= deframer->cap;
	mem_free(deframer->buffer);
	deframer->buffer = NULL;
	deframer->have = deframer->cap = 0;
	deframer->prefix_have = 0;
}

enum temporal_code rpc_too_large(struct temporal_error *err, size_t len, size_t max)
{
	return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
		"grpc: trying to send message larger than max (%zu vs. %zu)", len, max);
}
