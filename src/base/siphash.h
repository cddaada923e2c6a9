/*
 * siphash.h: SipHash-1-3 (Aumasson and Bernstein), the keyed hash that run ids are turned into
 * random seeds with.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Of `size` bytes under the key (k0, k1). The same on every machine. */
uint64_t siphash13(const void *data, size_t size, uint64_t k0, uint64_t k1);

#endif
