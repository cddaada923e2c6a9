/*
 * fault_vfs.h: a disk in memory for SQLite that fails and loses power when it is told to.
 *
 * Each file has what is durable, and the writes since its last sync, one by one. At a crash the
 * test says what became of those. A new or deleted name is durable once the directory is synced.
 * One thread at a time.
 */
#ifndef TEST_LIB_FAULT_VFS_H
#define TEST_LIB_FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault_disk;

enum fault_keep {
	FAULT_KEEP_ALL,    /* the process was killed: the system wrote everything */
	FAULT_KEEP_NONE,   /* power was lost, nothing unsynced had been written */
	FAULT_KEEP_PREFIX, /* of each file the first few writes */
	FAULT_KEEP_RANDOM, /* any of the writes */
	FAULT_KEEP_TORN,   /* any of their 512-byte sectors */
	FAULT_KEEPS
};

/* Registers a VFS of this name; the seed decides what is kept. Aborts when memory is out. */
struct fault_disk *fault_disk_new(const char *name, uint64_t seed);
void fault_disk_free(struct fault_disk *disk);

/* Calls that change the disk so far: writes, truncations, syncs, deletions. */
long fault_disk_calls(const struct fault_disk *disk);
long fault_disk_syncs(const struct fault_disk *disk);

/* The call after `after` further ones is the last that reaches the disk: it and all calls after it
 * fail. */
void fault_disk_crash_after(struct fault_disk *disk, long after);

/* The call after `after` further ones fails with SQLite's `code`, and has no effect. `syncs`:
 * of the syncs, else of all other calls. */
void fault_disk_fail_after(struct fault_disk *disk, long after, int code, bool syncs);

/* Every write that would grow a file beyond its present size fails with SQLITE_FULL, until it is
 * turned off. */
void fault_disk_full(struct fault_disk *disk, bool full);

/* After a crash (or at any moment when no file is open): the machine starts again. */
void fault_disk_restart(struct fault_disk *disk, enum fault_keep keep);

/* What is on the disk and on its way there, to be put back as often as it is wanted: so that each
 * idea of what was kept can be tried on one crash. No file is open meanwhile. */
struct fault_saved *fault_disk_save(const struct fault_disk *disk);
void fault_disk_put_back(struct fault_disk *disk, const struct fault_saved *saved, uint64_t seed);
void fault_saved_free(struct fault_saved *saved);

/* A number that tells contents of the disk apart, after fault_disk_restart. */
uint64_t fault_disk_digest(const struct fault_disk *disk);

/* The bytes of a file (durable and written), NULL if it is not there. May be changed in place,
 * after fault_disk_restart. */
unsigned char *fault_disk_file(struct fault_disk *disk, const char *name, size_t *size);

#endif
