/*
 * checksum.h: CRC-32C, which guards each record and each part of a history: SQLite has no checksum
 * of its own.
 */
#ifndef SERVER_STORE_CHECKSUM_H
#define SERVER_STORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the beginning) over the bytes. Any thread. */
uint32_t store_crc32c(uint32_t crc, const void *data, size_t size);

/* The same without the machine's instruction, for tests. */
uint32_t store_crc32c_portable(uint32_t crc, const void *data, size_t size);

/* Over the columns that identify a row, then over its data. */
uint32_t store_checksum(
	uint64_t owner, uint64_t number, uint64_t kind, const void *data, size_t size);

#endif
