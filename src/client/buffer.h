/*
 * buffer.h: bytes that are handed to a user.
 */
#ifndef CLIENT_BUFFER_H
#define CLIENT_BUFFER_H

#include <temporal/client.h>

/* A copy of the bytes with a zero behind it. NULL: no memory. */
struct temporal_buffer *client_buffer_new(const void *data, size_t len, struct temporal_error *err)
	__attribute__((warn_unused_result));

#endif
