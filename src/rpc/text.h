/*
 * text.h: the small encodings in gRPC's headers. Pure; any thread.
 */
#ifndef RPC_TEXT_H
#define RPC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* grpc-message: `len` bytes percent-encoded into `out` (3 * len bytes are enough); the length,
 * without terminator. */
size_t rpc_percent_encode(const char *text, size_t len, char *out);

/* Decodes in place what percent_encode made; a bad escape stays as it is. The new length. */
size_t rpc_percent_decode(char *text, size_t len);

/* grpc-timeout: at most 8 digits and a unit, never less than asked. `out` has RPC_TIMEOUT_SIZE
 * bytes; the length. */
#define RPC_TIMEOUT_SIZE 12
size_t rpc_timeout_format(int64_t timeout_ns, char *out);
bool rpc_timeout_parse(const char *text, size_t len, int64_t *timeout_ns);

/* Decimal number of at most 10 digits, as in grpc-status and :status. */
bool rpc_number_parse(const char *text, size_t len, unsigned *number);

/* Is it a legal, lower-case name / value of metadata on the wire? */
bool rpc_header_name_ok(const char *name);
bool rpc_header_value_ok(const char *value, size_t len);

/* What is told of a path that is not served. */
#define RPC_UNKNOWN_METHOD_SIZE 300
void rpc_unknown_method(const char *path, char text[RPC_UNKNOWN_METHOD_SIZE]);

#endif
