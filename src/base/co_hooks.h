/*
 * co_hooks.h: what the sanitizers must be told when a thread changes its stack. Empty in a plain
 * build.
 *
 * A side is one of the two between which a thread switches: its own stack, or a coroutine's.
 */
#ifndef BASE_CO_HOOKS_H
#define BASE_CO_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/co_switch.h"
#include "base/sanitize.h"

#ifdef SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef SANITIZE_THREAD
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define SANITIZE_MEMORY 1
#endif
#endif

struct co_side {
	co_point point;
	const void *bottom; /* of the thread's stack: known from the first switch away from it on */
	size_t size;
	void *fake; /* AddressSanitizer's stack for locals that are looked at after their function's
		       return */
	void *fiber; /* ThreadSanitizer's */
};

/* Before the switch. `last`: `from` is left for good. */
static inline void co_hook_leave(struct co_side *from, struct co_side *to, bool last)
{
	(void)from, (void)to, (void)last;
#ifdef SANITIZE_ADDRESS
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->bottom, to->size);
#endif
#ifdef SANITIZE_MEMORY
	__msan_start_switch_fiber(to->bottom, to->size);
#endif
#ifdef SANITIZE_THREAD
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* After it, on the side that was reached; `from` is the one that was left. */
static inline void co_hook_arrive(struct co_side *here, struct co_side *from)
{
	(void)here, (void)from;
#ifdef SANITIZE_ADDRESS
	__sanitizer_finish_switch_fiber(here->fake, &from->bottom, &from->size);
#endif
#ifdef SANITIZE_MEMORY
	__msan_finish_switch_fiber(&from->bottom, &from->size);
#endif
}

static inline void co_hook_new(struct co_side *side)
{
	(void)side;
#ifdef SANITIZE_THREAD
	side->fiber = __tsan_create_fiber(0);
#endif
#ifdef SANITIZE_ADDRESS
	__lsan_register_root_region(side->bottom, side->size);
#endif
}

/* The thread's own side, before its first switch. */
static inline void co_hook_thread(struct co_side *side)
{
	(void)side;
#ifdef SANITIZE_THREAD
	side->fiber = __tsan_get_current_fiber();
#endif
}

/*
 * The side is never reached again. If it was left in the middle, its fake stack is destroyed by a
 * switch that happens in the sanitizer's books alone; nothing of this function may lie on a fake
 * stack meanwhile.
 */
#ifdef SANITIZE_ADDRESS
__attribute__((no_sanitize("address")))
#endif
static inline void
co_hook_free(struct co_side *side, struct co_side *thread)
{
	(void)side, (void)thread;
#ifdef SANITIZE_THREAD
	__tsan_destroy_fiber(side->fiber);
#endif
#ifdef SANITIZE_ADDRESS
	if (side->fake) {
		const void *bottom;
		size_t size;

		__sanitizer_start_switch_fiber(&thread->fake, side->bottom, side->size);
		__sanitizer_finish_switch_fiber(side->fake, &bottom, &size);
		__sanitizer_start_switch_fiber(NULL, bottom, size);
		__sanitizer_finish_switch_fiber(thread->fake, NULL, NULL);
	}
	__lsan_unregister_root_region(side->bottom, side->size);
#endif
}

#endif
