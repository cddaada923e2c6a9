/*
 * fault_vfs.c: the disk of fault_vfs.h. `view` of a file is what reads see; `durable` is what is
 * left at a loss of power, and `pending` leads from one to the other.
 *
 * Locks and shared memory are real enough for several connections of one process; shared memory
 * is lost at a crash, as in life.
 */
#include "lib/fault_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX   16
#define REGIONS_MAX 64
#define SECTOR      512

struct bytes_of {
	unsigned char *ptr;
	size_t size, capacity;
};

struct change {
	bool truncate;
	size_t offset, size;
	unsigned char *data;
};

struct disk_file {
	char name[256];
	bool used;
	bool exists, exists_durable; /* its name in the directory */
	bool sync_directory;         /* its first sync also syncs the directory, as SQLite does */
	struct bytes_of view, durable;
	struct change *pending;
	size_t n_pending, pending_capacity;
	int shared, reserved, exclusive; /* SQLite's locks, counted */
	void *regions[REGIONS_MAX];
	int shm_shared[SQLITE_SHM_NLOCK], shm_exclusive[SQLITE_SHM_NLOCK];
};

struct fault_disk {
	sqlite3_vfs vfs;
	char name[64];
	struct disk_file files[FILES_MAX];
	uint64_t random;
	long calls, syncs;
	long crash_at;              /* the number of a call; -1: never */
	long fail_at, fail_sync_at; /* of a call that is no sync, and of a sync */
	int fail_code;
	bool crashed, full;
};

struct open_file {
	sqlite3_file base;
	struct fault_disk *disk;
	struct disk_file *file;
	bool delete_on_close;
	int level;
	unsigned shm_shared, shm_exclusive; /* masks of what this connection holds */
};

static void *must(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

static uint64_t next_random(struct fault_disk *disk)
{
	disk->random += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = disk->random;
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- Bytes ---- */

static void resize(struct bytes_of *bytes, size_t size)
{
	if (size > bytes->capacity) {
		bytes->capacity = size * 2;
		bytes->ptr = must(realloc(bytes->ptr, bytes->capacity));
	}
	if (size > bytes->size)
		memset(bytes->ptr + bytes->size, 0, size - bytes->size);
	bytes->size = size;
}

static void put(struct bytes_of *bytes, size_t offset, const void *data, size_t size)
{
	if (offset + size > bytes->size)
		resize(bytes, offset + size);
	memcpy(bytes->ptr + offset, data, size);
}

static void copy_bytes(struct bytes_of *to, const struct bytes_of *from)
{
	to->size = 0;
	resize(to, from->size);
	if (from->size)
		memcpy(to->ptr, from->ptr, from->size);
}

/* ---- Files ---- */

static struct disk_file *find(struct fault_disk *disk, const char *name)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (disk->files[i].used && strcmp(disk->files[i].name, name) == 0)
			return &disk->files[i];
	}
	return NULL;
}

static struct disk_file *make(struct fault_disk *disk, const char *name)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct disk_file *file = &disk->files[i];

		if (file->used)
			continue;
		file->used = true;
		(void)strncpy(file->name, name, sizeof(file->name) - 1);
		return file;
	}
	abort();
}

static void forget_pending(struct disk_file *file)
{
	for (size_t i = 0; i < file->n_pending; i++)
		free(file->pending[i].data);
	file->n_pending = 0;
}

static void add_pending(
	struct disk_file *file, bool truncate, size_t offset, const void *data, size_t size)
{
	if (file->n_pending == file->pending_capacity) {
		file->pending_capacity = file->pending_capacity * 2 + 16;
		file->pending = must(
			realloc(file->pending, file->pending_capacity * sizeof(*file->pending)));
	}
	struct change *change = &file->pending[file->n_pending++];
	*change = (struct change){ .truncate = truncate, .offset = offset, .size = size };
	if (data) {
		change->data = must(malloc(size + 1));
		memcpy(change->data, data, size);
	}
}

static void apply(struct disk_file *file, const struct change *change)
{
	if (change->truncate)
		resize(&file->durable, change->offset);
	else
		put(&file->durable, change->offset, change->data, change->size);
}

static void apply_torn(struct fault_disk *disk, struct disk_file *file, const struct change *change)
{
	size_t end = change->offset + change->size, next;

	if (change->truncate) {
		apply(file, change);
		return;
	}
	for (size_t at = change->offset; at < end; at = next) {
		next = (at / SECTOR + 1) * SECTOR;
		if (next > end)
			next = end;
		if (next_random(disk) & 1)
			put(&file->durable, at, change->data + (at - change->offset), next - at);
	}
}

static void sync_directory(struct fault_disk *disk)
{
	for (int i = 0; i < FILES_MAX; i++)
		disk->files[i].exists_durable = disk->files[i].exists;
}

/* ---- Faults ---- */

/* Counts a call that changes the disk. SQLITE_OK: it goes on. *last: it does, but says it fails. */
static int count_call(struct fault_disk *disk, bool sync, bool *last)
{
	*last = false;
	if (disk->crashed)
		return SQLITE_IOERR;
	long call = disk->calls++, number = sync ? disk->syncs : -2;
	disk->syncs += sync;
	if (call == disk->crash_at) {
		disk->crashed = true;
		*last = true;
		return SQLITE_OK;
	}
	if (number == disk->fail_sync_at || (!sync && call - disk->syncs == disk->fail_at)) {
		disk->fail_at = disk->fail_sync_at = -1;
		return disk->fail_code;
	}
	return SQLITE_OK;
}

/* ---- SQLite's methods ---- */

static int file_close(sqlite3_file *base)
{
	struct open_file *open = (struct open_file *)base;

	if (open->delete_on_close)
		open->file->exists = open->file->exists_durable = false;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *out, int size, sqlite3_int64 offset)
{
	struct open_file *open = (struct open_file *)base;
	const struct bytes_of *view = &open->file->view;
	size_t there = 0, wanted = (size_t)size;

	if (open->disk->crashed)
		return SQLITE_IOERR_READ;
	if ((size_t)offset < view->size)
		there = view->size - (size_t)offset;
	if (there > wanted)
		there = wanted;
	if (there)
		memcpy(out, view->ptr + offset, there);
	if (there == wanted)
		return SQLITE_OK;
	memset((char *)out + there, 0, wanted - there);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
	struct open_file *open = (struct open_file *)base;
	bool last;
	int code = count_call(open->disk, false, &last);

	if (code != SQLITE_OK)
		return code;
	if (open->disk->full && (size_t)offset + (size_t)size > open->file->view.size)
		return SQLITE_FULL;
	put(&open->file->view, (size_t)offset, data, (size_t)size);
	add_pending(open->file, false, (size_t)offset, data, (size_t)size);
	return last ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct open_file *open = (struct open_file *)base;
	bool last;
	int code = count_call(open->disk, false, &last);

	if (code != SQLITE_OK)
		return code;
	resize(&open->file->view, (size_t)size);
	add_pending(open->file, true, (size_t)size, NULL, 0);
	return last ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct open_file *open = (struct open_file *)base;
	bool last;
	int code = count_call(open->disk, true, &last);

	/* A crash in a sync: what is pending may or may not have been written. */
	if (code != SQLITE_OK || last)
		return last ? SQLITE_IOERR_FSYNC : code;
	copy_bytes(&open->file->durable, &open->file->view);
	forget_pending(open->file);
	if (open->file->sync_directory)
		sync_directory(open->disk);
	open->file->sync_directory = false;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)((struct open_file *)base)->file->view.size;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	struct open_file *open = (struct open_file *)base;
	struct disk_file *file = open->file;

	if (open->level >= level)
		return SQLITE_OK;
	if (level == SQLITE_LOCK_SHARED) {
		if (file->exclusive)
			return SQLITE_BUSY;
		file->shared++;
	}
	if (level >= SQLITE_LOCK_RESERVED && open->level < SQLITE_LOCK_RESERVED) {
		if (file->reserved)
			return SQLITE_BUSY;
		file->reserved = 1;
		open->level = SQLITE_LOCK_RESERVED;
	}
	if (level == SQLITE_LOCK_EXCLUSIVE) {
		if (file->shared > 1)
			return SQLITE_BUSY;
		file->exclusive = 1;
	}
	open->level = level;
	return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct open_file *open = (struct open_file *)base;
	struct disk_file *file = open->file;

	if (open->level <= level)
		return SQLITE_OK;
	if (open->level == SQLITE_LOCK_EXCLUSIVE)
		file->exclusive = 0;
	if (open->level >= SQLITE_LOCK_RESERVED)
		file->reserved = 0;
	if (level == SQLITE_LOCK_NONE)
		file->shared--;
	open->level = level;
	return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *reserved)
{
	*reserved = ((struct open_file *)base)->file->reserved;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
	return SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* what SQLite takes a disk for by default */
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
	struct open_file *open = (struct open_file *)base;

	*out = NULL;
	if (region >= REGIONS_MAX)
		return SQLITE_IOERR_SHMMAP;
	if (!open->file->regions[region] && extend)
		open->file->regions[region] = must(calloc(1, (size_t)size));
	*out = open->file->regions[region];
	return SQLITE_OK;
}

static int shm_unlock(struct open_file *open, int from, int n)
{
	for (int i = from; i < from + n; i++) {
		unsigned bit = 1U << i;

		open->file->shm_shared[i] -= (open->shm_shared & bit) != 0;
		open->file->shm_exclusive[i] -= (open->shm_exclusive & bit) != 0;
		open->shm_shared &= ~bit;
		open->shm_exclusive &= ~bit;
	}
	return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *base, int from, int n, int flags)
{
	struct open_file *open = (struct open_file *)base;
	struct disk_file *file = open->file;
	bool shared = flags & SQLITE_SHM_SHARED;

	if (flags & SQLITE_SHM_UNLOCK)
		return shm_unlock(open, from, n);
	for (int i = from; i < from + n; i++) {
		bool mine = (open->shm_shared | open->shm_exclusive) & (1U << i);

		if (!mine && (file->shm_exclusive[i] || (!shared && file->shm_shared[i])))
			return SQLITE_BUSY;
	}
	for (int i = from; i < from + n; i++) {
		if ((open->shm_shared | open->shm_exclusive) & (1U << i))
			continue;
		*(shared ? &file->shm_shared[i] : &file->shm_exclusive[i]) += 1;
		*(shared ? &open->shm_shared : &open->shm_exclusive) |= 1U << i;
	}
	return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *base)
{
	__sync_synchronize();
}

static void drop_shm(struct disk_file *file)
{
	for (int i = 0; i < REGIONS_MAX; i++) {
		free(file->regions[i]);
		file->regions[i] = NULL;
	}
}

static int file_shm_unmap(sqlite3_file *base, int delete)
{
	if (delete)
		drop_shm(((struct open_file *)base)->file);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int disk_open(
	sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
	struct fault_disk *disk = vfs->pAppData;
	struct open_file *open = (struct open_file *)base;
	struct disk_file *file = find(disk, name ? name : "temporary");

	memset(open, 0, sizeof(*open));
	if (disk->crashed || ((!file || !file->exists) && !(flags & SQLITE_OPEN_CREATE)))
		return SQLITE_CANTOPEN;
	if (!file)
		file = make(disk, name ? name : "temporary");
	if (!file->exists) {
		file->exists = true;
		resize(&file->view, 0);
		file->sync_directory = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
	}
	open->base.pMethods = &methods;
	open->disk = disk;
	open->file = file;
	open->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct fault_disk *disk = vfs->pAppData;
	struct disk_file *file = find(disk, name);
	bool last;

	if (!file || !file->exists)
		return SQLITE_IOERR_DELETE_NOENT;
	int code = count_call(disk, false, &last);
	if (code != SQLITE_OK)
		return code;
	file->exists = false;
	if (sync && !last)
		sync_directory(disk);
	return last ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *there)
{
	const struct disk_file *file = find(vfs->pAppData, name);

	*there = file && file->exists;
	return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	size_t length = strlen(name);

	if (length >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(out, name, length + 1);
	return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
	for (int i = 0; i < size; i++)
		out[i] = (char)next_random(vfs->pAppData);
	return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds)
{
	return microseconds;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
	*now = 0;
	return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
	return 0;
}

/* ---- What tests call ---- */

struct fault_disk *fault_disk_new(const char *name, uint64_t seed)
{
	struct fault_disk *disk = must(calloc(1, sizeof(*disk)));

	(void)strncpy(disk->name, name, sizeof(disk->name) - 1);
	disk->random = seed;
	disk->crash_at = disk->fail_at = disk->fail_sync_at = -1;
	disk->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct open_file),
		.mxPathname = 255,
		.zName = disk->name,
		.pAppData = disk,
		.xOpen = disk_open,
		.xDelete = disk_delete,
		.xAccess = disk_access,
		.xFullPathname = disk_full_path,
		.xRandomness = disk_randomness,
		.xSleep = disk_sleep,
		.xCurrentTimeInt64 = disk_time,
		.xGetLastError = disk_last_error,
	};
	if (sqlite3_vfs_register(&disk->vfs, 0) != SQLITE_OK)
		abort();
	/* SQLite's own chance, of which each log's salt is: else no two runs write the same. */
	(void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed % 1000000) + 1, NULL);
	return disk;
}

void fault_disk_free(struct fault_disk *disk)
{
	if (!disk)
		return;
	sqlite3_vfs_unregister(&disk->vfs);
	for (int i = 0; i < FILES_MAX; i++) {
		struct disk_file *file = &disk->files[i];

		drop_shm(file);
		forget_pending(file);
		free(file->pending);
		free(file->view.ptr);
		free(file->durable.ptr);
	}
	free(disk);
}

long fault_disk_calls(const struct fault_disk *disk)
{
	return disk->calls;
}

long fault_disk_syncs(const struct fault_disk *disk)
{
	return disk->syncs;
}

void fault_disk_crash_after(struct fault_disk *disk, long after)
{
	disk->crash_at = disk->calls + after;
}

void fault_disk_fail_after(struct fault_disk *disk, long after, int code, bool syncs)
{
	disk->fail_code = code;
	disk->fail_at = syncs ? -1 : disk->calls - disk->syncs + after;
	disk->fail_sync_at = syncs ? disk->syncs + after : -1;
}

void fault_disk_full(struct fault_disk *disk, bool full)
{
	disk->full = full;
}

static void settle(struct fault_disk *disk, struct disk_file *file, enum fault_keep keep)
{
	size_t n = file->n_pending;

	if (keep == FAULT_KEEP_NONE)
		n = 0;
	else if (keep == FAULT_KEEP_PREFIX)
		n = (size_t)(next_random(disk) % (n + 1));
	for (size_t i = 0; i < n; i++) {
		if (keep >= FAULT_KEEP_RANDOM && (next_random(disk) & 1))
			continue;
		if (keep == FAULT_KEEP_TORN)
			apply_torn(disk, file, &file->pending[i]);
		else
			apply(file, &file->pending[i]);
	}
	forget_pending(file);
}

static void restart_file(struct fault_disk *disk, struct disk_file *file, enum fault_keep keep)
{
	settle(disk, file, keep);
	if (keep == FAULT_KEEP_ALL)
		file->exists_durable = file->exists;
	file->exists = file->exists_durable;
	if (!file->exists)
		resize(&file->durable, 0);
	copy_bytes(&file->view, &file->durable);
	file->sync_directory = false;
	file->shared = file->reserved = file->exclusive = 0;
	memset(file->shm_shared, 0, sizeof(file->shm_shared));
	memset(file->shm_exclusive, 0, sizeof(file->shm_exclusive));
	drop_shm(file);
}

void fault_disk_restart(struct fault_disk *disk, enum fault_keep keep)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (disk->files[i].used)
			restart_file(disk, &disk->files[i], keep);
	}
	disk->crash_at = disk->fail_at = disk->fail_sync_at = -1;
	disk->crashed = disk->full = false;
}

struct fault_saved {
	struct disk_file files[FILES_MAX]; /* only what lies on the disk of them */
};

/* What of a file is on the disk, and on its way there. */
static void copy_file(struct disk_file *to, const struct disk_file *from)
{
	forget_pending(to);
	memcpy(to->name, from->name, sizeof(to->name));
	to->used = from->used;
	to->exists = from->exists;
	to->exists_durable = from->exists_durable;
	copy_bytes(&to->view, &from->view);
	copy_bytes(&to->durable, &from->durable);
	for (size_t i = 0; i < from->n_pending; i++) {
		const struct change *change = &from->pending[i];

		add_pending(to, change->truncate, change->offset, change->data, change->size);
	}
}

struct fault_saved *fault_disk_save(const struct fault_disk *disk)
{
	struct fault_saved *saved = must(calloc(1, sizeof(*saved)));

	for (int i = 0; i < FILES_MAX; i++)
		copy_file(&saved->files[i], &disk->files[i]);
	return saved;
}

void fault_disk_put_back(struct fault_disk *disk, const struct fault_saved *saved, uint64_t seed)
{
	for (int i = 0; i < FILES_MAX; i++)
		copy_file(&disk->files[i], &saved->files[i]);
	disk->random = seed;
}

void fault_saved_free(struct fault_saved *saved)
{
	for (int i = 0; i < FILES_MAX; i++) {
		forget_pending(&saved->files[i]);
		free(saved->files[i].pending);
		free(saved->files[i].view.ptr);
		free(saved->files[i].durable.ptr);
	}
	free(saved);
}

static uint64_t mix(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return digest ^ digest >> 29;
}

uint64_t fault_disk_digest(const struct fault_disk *disk)
{
	uint64_t digest = 1;

	for (int i = 0; i < FILES_MAX; i++) {
		const struct disk_file *file = &disk->files[i];
		size_t size = file->exists ? file->view.size : 0, at = 0;
		uint64_t word = 0;

		digest = mix(digest, file->exists ? size + 1 : 0);
		for (; at + sizeof(word) <= size; at += sizeof(word)) {
			memcpy(&word, file->view.ptr + at, sizeof(word));
			digest = mix(digest, word);
		}
		word = 0;
		if (at < size)
			memcpy(&word, file->view.ptr + at, size - at);
		digest = mix(digest, word);
	}
	return digest;
}

unsigned char *fault_disk_file(struct fault_disk *disk, const char *name, size_t *size)
{
	struct disk_file *file = find(disk, name);

	if (!file || !file->exists)
		return NULL;
	*size = file->view.size;
	return file->view.ptr;
}
