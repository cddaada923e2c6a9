/*
 * wire.h: the smallest pieces of protobuf's wire format: varints, tags, fixed-width numbers.
 *
 * The readers take what is left as [at, end) and return the place behind what they read, or NULL
 * when the bytes are not what they have to be. Nothing here allocates.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64BIT = 1,
	WIRE_LEN = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32BIT = 5,
};

#define WIRE_VARINT_MAX 10 /* bytes of the longest varint */

static inline uint32_t wire_tag(uint32_t number, enum wire_type type)
{
	return number << 3 | (uint32_t)type;
}

/* A varint of at most 10 bytes; what of the tenth goes beyond 64 bits is dropped, as other
 * implementations do. */
static inline const uint8_t *wire_read_long(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
	uint64_t sum = 0;

	for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
		uint8_t byte = *at++;

		sum |= (uint64_t)(byte & 0x7F) << shift;
		if (byte < 0x80) {
			*value = sum;
			return at;
		}
	}
	return NULL;
}

static inline const uint8_t *wire_read_varint(
	const uint8_t *at, const uint8_t *end, uint64_t *value)
{
	if (at < end && *at < 0x80) {
		*value = *at;
		return at + 1;
	}
	return wire_read_long(at, end, value);
}

/* A varint of at most five bytes and 32 bits: a tag or a length. */
static inline const uint8_t *wire_read_short(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
	uint64_t wide;

	if (at < end && *at < 0x80) {
		*value = *at;
		return at + 1;
	}
	const uint8_t *behind = wire_read_long(at, end, &wide);
	if (!behind || behind - at > 5 || wide > UINT32_MAX)
		return NULL;
	*value = (uint32_t)wide;
	return behind;
}

/* The length in front of bytes that all lie before `end`. */
static inline const uint8_t *wire_read_len(const uint8_t *at, const uint8_t *end, uint32_t *len)
{
	const uint8_t *behind = wire_read_short(at, end, len);

	return behind && *len <= (size_t)(end - behind) ? behind : NULL;
}

static inline uint32_t wire_load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static inline uint64_t wire_load64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static inline void wire_store32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void wire_store64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

/* Most values and lengths are below 128. */
static inline size_t wire_varint_size(uint64_t value)
{
	if (value < 0x80)
		return 1;
	unsigned bits = 63 - (unsigned)__builtin_clzll(value);

	return (bits * 9 + 73) / 64;
}

/* Writes exactly wire_varint_size(value) bytes; returns the place behind. */
static inline uint8_t *wire_store_varint(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static inline uint64_t wire_zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value < 0 ? -1 : 0);
}

static inline int64_t wire_unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

#endif
