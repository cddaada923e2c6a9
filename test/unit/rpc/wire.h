/*
 * wire.h: HTTP/2 frames written by hand, for peers that do what no library would let them do.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};

#define END_STREAM  0x1
#define ACK         0x1
#define END_HEADERS 0x4

struct wire {
	uint8_t bytes[1 << 18];
	size_t len;
};

static inline void wire_put(struct wire *wire, const void *data, size_t len)
{
	if (len > 0)
		memcpy(wire->bytes + wire->len, data, len);
	wire->len += len;
}

static inline void wire_frame(struct wire *wire, uint8_t type, uint8_t flags, uint32_t id,
	const void *payload, size_t len)
{
	const uint8_t head[9] = { (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type,
		flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	wire_put(wire, head, sizeof(head));
	wire_put(wire, payload, len);
}

static inline void wire_number(struct wire *wire, uint8_t type, uint32_t id, uint32_t number)
{
	const uint8_t payload[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number };

	wire_frame(wire, type, 0, id, payload, 4);
}

static inline void wire_goaway(struct wire *wire, uint32_t last_id, uint8_t error)
{
	const uint8_t payload[8] = { (uint8_t)(last_id >> 24), (uint8_t)(last_id >> 16),
		(uint8_t)(last_id >> 8), (uint8_t)last_id, 0, 0, 0, error };

	wire_frame(wire, GOAWAY, 0, 0, payload, 8);
}

/* Literal fields without indexing: names and values in turn up to NULL, each text below 127 bytes.
 */
static inline void wire_headers(
	struct wire *wire, uint8_t flags, uint32_t id, const char *const *pairs)
{
	uint8_t block[65536];
	size_t n = 0;

	for (size_t i = 0; pairs[i]; i++) {
		size_t len = strlen(pairs[i]);

		if (i % 2 == 0)
			block[n++] = 0; /* literal, not indexed, new name */
		block[n++] = (uint8_t)len;
		memcpy(block + n, pairs[i], len);
		n += len;
	}
	wire_frame(wire, HEADERS, (uint8_t)(flags | END_HEADERS), id, block, n);
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Is there a frame of the type on the stream in the bytes that a session wrote? Its payload, or
 * NULL. */
static inline const uint8_t *wire_find(const uint8_t *bytes, size_t len, uint8_t type, uint32_t id)
{
	size_t at = 0;

	while (at + 9 <= len) {
		const uint8_t *p = bytes + at;
		size_t size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		uint32_t stream =
			(uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];

		if (p[3] == type && stream == id)
			return p + 9;
		at += 9 + size;
	}
	return NULL;
}

#endif
