/*
 * mem.h: every allocation outside an arena goes through here, so that a test can make the Nth one
 * fail.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/*
 * As malloc, calloc, realloc and free. NULL on failure (or an injected one); size 0 gives a unique
 * pointer.
 */
void *mem_alloc(size_t size) __attribute__((malloc, warn_unused_result));
void *mem_zalloc(size_t size) __attribute__((malloc, warn_unused_result));
void *mem_realloc(void *ptr, size_t size) __attribute__((warn_unused_result));
char *mem_strdup(const char *text) __attribute__((malloc, warn_unused_result));
void mem_free(void *ptr);

/* For those who cannot look at each allocation that is made for them: has one of this thread's
 * failed since it called mem_watch()? */
void mem_watch(void);
int mem_watch_hit(void);

/*
 * Test only: after `after` further allocations of any thread, one (`sticky` false) or all that
 * follow fail; a negative `after` turns it off. mem_fault_hit() says whether one has failed since.
 */
void mem_fault_set(long after, int sticky);
int mem_fault_hit(void);

/*
 * Test only: whose allocations count: those for which this says yes, asked on the thread that
 * allocates with how many are left before the one that fails. NULL: all. Set while faults are off.
 */
void mem_fault_where(int (*counts)(long left));

/* Test only: turns faults off and says how many allocations were left until the next; then goes on
 * with that count. */
long mem_fault_pause(void);
void mem_fault_resume(long left);

#endif
