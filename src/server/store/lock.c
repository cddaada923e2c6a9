/*
 * lock.c: the lock beside the database.
 *
 * SQLite's own locks let several writers take turns, which is what must not be here: another
 * server would not see the state that this one has in memory. The lock is on a file of its own,
 * since closing any descriptor of the database would drop SQLite's POSIX locks; and it is an
 * open-file-description lock, so that it also holds between two stores of one process. The file
 * is never removed: a process that waits for it elsewhere would then lock a file without a name.
 */
#include "server/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/inherit.h"
#include "base/mem.h"

static enum temporal_code lock_file(
	const char *path, const char *name, int *fd, struct temporal_error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int opened = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (opened < 0)
		return error_set(err, TEMPORAL_UNAVAILABLE, "cannot open the lock file %s: %s",
			name, strerror(errno));
	if (fcntl(opened, F_OFD_SETLK, &lock) == 0) {
		*fd = opened;
		inherit_not(opened); /* the lock would be the child's too */
		return TEMPORAL_OK;
	}
	int failure = errno;
	close(opened);
	if (failure == EAGAIN || failure == EACCES)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the database %s is open in another server; expected one at a time", path);
	return error_set(err, TEMPORAL_UNAVAILABLE, "cannot lock %s: %s", name, strerror(failure));
}

enum temporal_code store_lock_take(const char *path, int *fd, struct temporal_error *err)
{
	static const char suffix[] = "-lock";
	size_t length = strlen(path);
	char *name = mem_alloc(length + sizeof(suffix));

	*fd = -1;
	if (!name)
		return error_no_memory(err, "the lock file's name");
	memcpy(name, path, length);
	memcpy(name + length, suffix, sizeof(suffix));
	enum temporal_code code = lock_file(path, name, fd, err);
	mem_free(name);
	return code;
}

void store_lock_release(int fd)
{
	if (fd >= 0)
		inherit_close(fd);
}
