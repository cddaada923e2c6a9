/*
 * io.h: the world outside the server's logic: clocks, chance and disk. The network is whoever makes
 * requests (request.h): the loop's listener, a channel of this process, or a simulation, which
 * brings its own of everything here.
 */
#ifndef SERVER_IO_H
#define SERVER_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server_io {
	/* The time in ns since the epoch. It never goes back. */
	int64_t (*now_ns)(void *user);
	/* A steady time in ns, for what callers wait for: their deadlines are in it. */
	int64_t (*steady_ns)(void *user);
	/* Fills `out` with random bytes. */
	void (*random)(void *user, void *out, size_t len);
	/*
	 * The disk: SQLite's name of a VFS. There are no threads then: what is submitted is written
	 * when store_run() is called on the server's store. NULL: the machine's disk, with threads.
	 */
	const char *disk;
	void *user;
};

/* The machine's: wall clock at the first call, from then on as steady as CLOCK_MONOTONIC. */
extern const struct server_io server_io_system;

/* A random UUID of version 4 in lower case, terminated. */
#define SERVER_UUID_SIZE 37
void server_uuid(const struct server_io *io, char uuid[SERVER_UUID_SIZE]);

/* The same of version 7, as run ids are: it begins with the time, so later ones sort behind. */
void server_run_uuid(const struct server_io *io, int64_t now_ns, char uuid[SERVER_UUID_SIZE]);

/* Is the text of the form of a UUID: 8-4-4-4-12 hexadecimal digits? */
bool server_uuid_valid(const char *text);

#endif
