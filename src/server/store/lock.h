/*
 * lock.h: one process, and one store in it, has a database open.
 */
#ifndef SERVER_STORE_LOCK_H
#define SERVER_STORE_LOCK_H

#include <temporal/error.h>

/*
 * Locks the file `path`-lock, which it makes; *fd is its descriptor (-1 on failure).
 * FAILED_PRECONDITION when it is locked already. The lock ends with store_lock_release, or with
 * the process.
 */
enum temporal_code store_lock_take(const char *path, int *fd, struct temporal_error *err)
	__attribute__((warn_unused_result));
void store_lock_release(int fd);

#endif
