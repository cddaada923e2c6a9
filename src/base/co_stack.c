/*
 * co_stack.c: stacks are cut from slabs, one mapping each, and never go back to the system before
 * their pool ends; what goes back are their pages.
 *
 *	slab:  | guard | stack 0 ...... | guard | stack 1 ...... | guard | ...
 *	               bottom      top
 *
 * Every stack has an area of 64 KiB below it, so that no frame of a sane size jumps over it. It is
 * guarded, in this order of liking, by
 *
 *	MADV_GUARD_INSTALL (Linux 6.13), which costs no mapping;
 *	mprotect, which costs two mappings a stack, while the process has less than half of
 *	    vm.max_map_count from us;
 *	nothing: the 64 bytes below `bottom` are a canary, which is 0 so that an untouched page
 *	    costs no memory. co.c looks at it after each switch. The area still keeps an overflow
 *	    away from the neighbour.
 *
 * A stack that is given back keeps its top page if few are idle (the next workflow finds it warm),
 * else it loses all. Huge pages are refused: they would make a touched page 2 MiB.
 *
 * All but the counters of guards belongs to one pool and its thread; these are the process's, and
 * atomic.
 */
#include "base/co_stack.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/co.h"
#include "base/mem.h"
#include "base/sanitize.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define WITH_VALGRIND 1
#endif
#endif
#ifndef WITH_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* 32 stacks a slab make 4 MiB of address space, which costs nothing until it is touched. */
enum {
	SLAB_STACKS = 32,
	STACK_PAGES_MAX = 4096,
	WARM_MAX = 64,
	CANARY = 64
};
#define GUARD_SIZE ((size_t)64 * 1024)

struct co_slab {
	struct co_slab *older;
	char *base;
	size_t length;
	size_t n_cut; /* stacks that were taken at least once */
	struct co_stack stacks[SLAB_STACKS];
};

/* Of the whole process: guards by mprotect, and how many there may be (0: not asked yet). */
static atomic_long guards_used, guards_limit;
static atomic_bool light_guards_refused;

/*
 * Asked once a process. The other half of the mappings is for the program around us, which would
 * fail in malloc and in loading libraries without it.
 */
static long guards_allowed(void)
{
	long limit = atomic_load_explicit(&guards_limit, memory_order_relaxed);

	if (limit)
		return limit;
	long maps = 65530;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	if (file && fscanf(file, "%ld", &maps) != 1)
		maps = 65530;
	if (file)
		fclose(file);
	limit = maps / 4 > 0 ? maps / 4 : 1; /* half of the mappings, two for each guard */
	atomic_store_explicit(&guards_limit, limit, memory_order_relaxed);
	return limit;
}

void co_test_guards(long limit, bool no_light)
{
	atomic_store(&guards_limit, limit < 0 ? 0 : limit);
	atomic_store(&light_guards_refused, no_light);
	if (limit == 0)
		atomic_store(&guards_limit, -1); /* 0 would mean: ask the system */
}

/*
 * The best guard that is to be had. A kernel without the light one is asked once; a failed mprotect
 * (the limit was lower than believed) falls back to the canary without a word, but it is counted.
 */
static enum co_guard guard(char *from, size_t size)
{
	if (!atomic_load_explicit(&light_guards_refused, memory_order_relaxed)) {
		if (!madvise(from, size, MADV_GUARD_INSTALL))
			return CO_GUARD_LIGHT;
		atomic_store_explicit(&light_guards_refused, true, memory_order_relaxed);
	}
	if (atomic_fetch_add(&guards_used, 1) < guards_allowed() &&
		!mprotect(from, size, PROT_NONE))
		return CO_GUARD_MAPPING;
	atomic_fetch_sub(&guards_used, 1);
	return CO_GUARD_CANARY;
}

bool co_stacks_init(struct co_stacks *stacks, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (size == 0)
		size = CO_STACK_SIZE;
	if (size < 16 * 1024)
		size = 16 * 1024;
	if (size > STACK_PAGES_MAX * page)
		size = STACK_PAGES_MAX * page;
	*stacks = (struct co_stacks){
		.size = (size + page - 1) / page * page,
		.guard = (GUARD_SIZE + page - 1) / page * page,
		.page = page,
	};
	return true;
}

/* The mapping goes with the slab; here is what is booked elsewhere. */
static void stack_finish(const struct co_stack *stack)
{
#ifdef WITH_VALGRIND
	VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
	sanitize_unpoison(stack->bottom, (size_t)(stack->top - stack->bottom));
	if (stack->guard == CO_GUARD_MAPPING)
		atomic_fetch_sub(&guards_used, 1);
}

void co_stacks_finish(struct co_stacks *stacks)
{
	while (stacks->slabs) {
		struct co_slab *slab = stacks->slabs;

		stacks->slabs = slab->older;
		for (size_t i = 0; i < slab->n_cut; i++)
			stack_finish(&slab->stacks[i]);
		munmap(slab->base, slab->length);
		mem_free(slab);
	}
	mem_free(stacks->idle);
	*stacks = (struct co_stacks){ .size = 0 };
}

/*
 * The list of idle stacks grows here, with room for all there are, so that giving one back cannot
 * fail.
 */
static struct co_slab *slab_new(struct co_stacks *stacks)
{
	size_t room = (stacks->n_stacks + SLAB_STACKS) * sizeof(struct co_stack *);
	struct co_stack **idle = mem_realloc(stacks->idle, room);

	if (!idle)
		return NULL;
	stacks->idle = idle;
	struct co_slab *slab = mem_zalloc(sizeof(*slab));
	if (!slab)
		return NULL;
	slab->length = (stacks->size + stacks->guard) * SLAB_STACKS;
	slab->base = mmap(NULL, slab->length, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slab->base == MAP_FAILED) {
		mem_free(slab);
		return NULL;
	}
	madvise(slab->base, slab->length, MADV_NOHUGEPAGE);
	slab->older = stacks->slabs;
	stacks->slabs = slab;
	stacks->n_stacks += SLAB_STACKS;
	return slab;
}

/* A stack that was never used: its area is guarded now and never again. */
static struct co_stack *stack_cut(struct co_stacks *stacks)
{
	struct co_slab *slab = stacks->slabs;

	if (!slab || slab->n_cut == SLAB_STACKS)
		slab = slab_new(stacks);
	if (!slab)
		return NULL;
	struct co_stack *stack = &slab->stacks[slab->n_cut];
	char *area = slab->base + slab->n_cut * (stacks->size + stacks->guard);
	slab->n_cut++;
	stack->bottom = area + stacks->guard;
	stack->top = stack->bottom + stacks->size;
	stack->guard = guard(area, stacks->guard);
	if (stack->guard == CO_GUARD_CANARY)
		stacks->n_unguarded++;
#ifdef WITH_VALGRIND
	stack->valgrind_id = (unsigned)VALGRIND_STACK_REGISTER(stack->bottom, stack->top);
#endif
	return stack;
}

struct co_stack *co_stack_take(struct co_stacks *stacks)
{
	if (stacks->n_idle)
		return stacks->idle[--stacks->n_idle];
	return stack_cut(stacks);
}

/*
 * Poison that AddressSanitizer keeps for dead frames is wiped off. The most recent one is the first
 * to be used again: its page is in the cache.
 */
void co_stack_give(struct co_stacks *stacks, struct co_stack *stack)
{
	sanitize_unpoison(stack->bottom, stacks->size);
	if (stacks->n_idle < WARM_MAX)
		co_stack_trim(stacks, stack, stack->top - 1);
	else
		madvise(stack->bottom, stacks->size, MADV_DONTNEED);
	stacks->idle[stacks->n_idle++] = stack;
}

/*
 * Has the page been written to? Asking the system takes a call; so a word of each cache line is
 * looked at, which maps no memory. A deep call that leaves zeros in all of them goes unnoticed, and
 * so does one when a tool forbids to look (below a stack pointer, or into a sanitizer's redzones).
 */
__attribute__((no_sanitize("address", "thread", "undefined"))) static bool looks_touched(
	const char *page, size_t size)
{
	if (RUNNING_ON_VALGRIND)
		return true;
	for (size_t at = 0; at < size; at += 64) {
		if (*(const volatile uint64_t *)(const volatile void *)(page + at))
			return true;
	}
	return false;
}

/*
 * One call tells which pages are resident, another gives back what lies below the stack pointer;
 * above it are live frames.
 */
static size_t trim_below(const struct co_stacks *stacks, const struct co_stack *stack, size_t low)
{
	unsigned char resident[STACK_PAGES_MAX];
	size_t pages = stacks->size / stacks->page, kept = 0;
	bool below = false;

	if (mincore(stack->bottom, stacks->size, resident))
		return stacks->size;
	for (size_t i = 0; i < pages; i++) {
		if (!(resident[i] & 1))
			continue;
		if (i < low)
			below = true;
		else
			kept++;
	}
	if (below)
		madvise(stack->bottom, low * stacks->page, MADV_DONTNEED);
	return kept * stacks->page;
}

/*
 * The usual case is a coroutine that has not gone deeper than its parked frames: one look at the
 * page below, no system call.
 */
size_t co_stack_trim(const struct co_stacks *stacks, const struct co_stack *stack, const char *sp)
{
	size_t low = (size_t)(sp - stack->bottom) / stacks->page;

	if (low == 0)
		return stacks->size;
	if (looks_touched(stack->bottom + (low - 1) * stacks->page, stacks->page))
		return trim_below(stacks, stack, low);
	return stacks->size - low * stacks->page;
}

/* Guarded stacks need no look: an overflow has ended the process already. */
bool co_stack_intact(const struct co_stack *stack)
{
	static const char zero[CANARY];

	return stack->guard != CO_GUARD_CANARY || !memcmp(stack->bottom - CANARY, zero, CANARY);
}
