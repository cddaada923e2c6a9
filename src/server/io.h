/*
 * io.h: the world outside the server's logic: clock and chance. The disk stands behind
 * store/store.h, the network behind struct request_ops (request.h). A simulation brings its own of
 * each.
 */
#ifndef SERVER_IO_H
#define SERVER_IO_H

#include <stddef.h>
#include <stdint.h>

struct server_io {
	/* The time in ns since the epoch. It never goes back. */
	int64_t (*now_ns)(void *user);
	/* Fills `out` with random bytes. */
	void (*random)(void *user, void *out, size_t len);
	void *user;
};

/* The machine's: wall clock at the first call, from then on as steady as CLOCK_MONOTONIC. */
extern const struct server_io server_io_system;

/* A random UUID of version 4 in lower case, terminated. */
#define SERVER_UUID_SIZE 37
void server_uuid(const struct server_io *io, char uuid[SERVER_UUID_SIZE]);

#endif
