/*
 * inherit.c: a bit for each descriptor, looked through by the child of a fork.
 *
 * A fork takes the lock, so that no descriptor is closed and given out again between the bit and
 * the child. Nobody in the child uses what it closes: whoever has such a descriptor belongs to the
 * parent, and is left alone. Descriptors above the table's end are inherited as they always are.
 * (posix_spawn and vfork run no handlers, and execute a program.)
 */
#include "base/inherit.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t bits[FDS_MAX / 64]; /* lock */
static int end;                     /* lock: behind the highest that was ever marked */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	for (int fd = 0; fd < end; fd++) {
		if (bits[fd / 64] >> fd % 64 & 1)
			close(fd);
	}
	memset(bits, 0, sizeof(bits));
	end = 0;
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

void inherit_not(int fd)
{
	if (fd < 0 || fd >= FDS_MAX)
		return;
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	bits[fd / 64] |= UINT64_C(1) << fd % 64;
	end = fd >= end ? fd + 1 : end;
	pthread_mutex_unlock(&lock);
}

void inherit_close(int fd)
{
	pthread_mutex_lock(&lock);
	if (fd >= 0 && fd < FDS_MAX)
		bits[fd / 64] &= ~(UINT64_C(1) << fd % 64);
	close(fd);
	pthread_mutex_unlock(&lock);
}
