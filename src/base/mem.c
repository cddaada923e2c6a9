/*
 * mem.c: malloc with a fault point in front.
 *
 * The counter is read without a lock on every allocation; it is negative (off) but in tests. Any
 * thread.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ZALLOC_SMALL 1024

static atomic_long fault_after = -1;
static atomic_bool fault_sticky;
static atomic_bool fault_seen;
static int (*fault_counts)(long left); /* NULL: all do */
static _Thread_local bool failed;      /* since mem_watch */

/*
 * Counts down, and says no at the end. Without a lock two threads may both see the last one; the
 * subtraction decides whose it is.
 */
static bool fault_now(void)
{
	long left = atomic_load_explicit(&fault_after, memory_order_relaxed);

	if (left < 0 || (fault_counts && !fault_counts(left)))
		return false;
	left = atomic_fetch_sub(&fault_after, 1);
	if (left > 0)
		return false;
	if (left < 0) /* another thread took the last one */
		return false;
	if (atomic_load(&fault_sticky))
		atomic_store(&fault_after, 0);
	atomic_store(&fault_seen, true);
	return true;
}

void mem_fault_set(long after, int sticky)
{
	atomic_store(&fault_sticky, sticky != 0);
	atomic_store(&fault_seen, false);
	atomic_store(&fault_after, after);
}

int mem_fault_hit(void)
{
	return atomic_load(&fault_seen);
}

void mem_fault_where(int (*counts)(long left))
{
	fault_counts = counts;
}

long mem_fault_pause(void)
{
	return atomic_exchange(&fault_after, -1);
}

void mem_fault_resume(long left)
{
	atomic_store(&fault_after, left);
}

void mem_watch(void)
{
	failed = false;
}

int mem_watch_hit(void)
{
	return failed;
}

/* What an allocation gives. */
static void *given(void *at)
{
	failed |= !at;
	return at;
}

void *mem_alloc(size_t size)
{
	return given(fault_now() ? NULL : malloc(size ? size : 1));
}

/*
 * The C library has what was freed lately at hand for malloc alone, and only calloc knows which
 * memory is zero: what is small is cleared here.
 */
void *mem_zalloc(size_t size)
{
	void *at;

	if (size > ZALLOC_SMALL)
		return given(fault_now() ? NULL : calloc(1, size));
	at = mem_alloc(size);
	return at ? memset(at, 0, size) : NULL;
}

void *mem_realloc(void *ptr, size_t size)
{
	return given(fault_now() ? NULL : realloc(ptr, size ? size : 1));
}

char *mem_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = mem_alloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

void mem_free(void *ptr)
{
	free(ptr);
}
