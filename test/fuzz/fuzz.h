/*
 * fuzz.h: what a fuzzer defines. It returns 0; whatever the bytes are, it must neither crash, leak
 * nor hang.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
