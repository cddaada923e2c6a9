/*
 * create.c: a new database file, whole or not there at all: it is made in memory, written beside
 * its place, synced, and renamed into it. SQLite's own way to an empty write-ahead-logged database
 * with our tables costs seven syncs one after the other, this one two; a server on an empty
 * database is ready so much sooner.
 *
 * Where this is not possible (no permission, no space, a file is there already) nothing is left
 * behind, and the ordinary way, which follows, does it or says why. The owner's thread, with the
 * lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "server/store/internal.h"
#include "server/store/schema.h"

/* In the header: which format reads and writes the file; 2 is the write-ahead log. */
#define WRITE_VERSION_AT 18
#define READ_VERSION_AT  19
#define WAL_VERSION      2

static bool is_absent(const char *path)
{
	struct stat info;

	return lstat(path, &info) != 0 && errno == ENOENT;
}

static bool write_all(int fd, const unsigned char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return fsync(fd) == 0;
}

/* Its names are durable from here on. */
static bool sync_folder(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *folder =
		slash ? arena_printf(arena, "%.*s", (int)(slash - path + 1), path) : ".";
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static bool put(struct arena *arena, const char *path, const unsigned char *data, size_t size)
{
	const char *beside = arena_printf(arena, "%s-new", path);
	int fd = beside ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	bool ok = fd >= 0 && write_all(fd, data, size);

	if (fd < 0)
		return false;
	(void)close(fd);
	ok = ok && rename(beside, path) == 0;
	if (!ok)
		(void)unlink(beside);
	return ok && sync_folder(arena, path);
}

/* The bytes of an empty database of ours, SQLite's; NULL: not to be had. */
static unsigned char *make_image(sqlite3_int64 *size)
{
	struct store_conn conn = { 0 };
	unsigned char *image = NULL;

	if (store_conn_open(&conn, NULL, NULL, STORE_WRITER, NULL) != TEMPORAL_OK)
		return NULL;
	image = sqlite3_serialize(conn.db, "main", size, 0);
	store_conn_close(&conn);
	if (image && *size > READ_VERSION_AT)
		image[WRITE_VERSION_AT] = image[READ_VERSION_AT] = WAL_VERSION;
	return image;
}

void store_create(const char *path)
{
	struct arena arena;
	const char *log;
	unsigned char *image = NULL;
	sqlite3_int64 size = 0;

	arena_init(&arena, 512, ARENA_NO_BUDGET);
	log = arena_printf(&arena, "%s-wal", path);
	/* A log that has outlived its database must not be played onto another one. */
	if (log && is_absent(path) && is_absent(log))
		image = make_image(&size);
	if (image)
		(void)put(&arena, path, image, (size_t)size);
	sqlite3_free(image);
	arena_finish(&arena);
}
