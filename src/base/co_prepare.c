/*
 * co_prepare.c: the first frame of a stack, as the assembly expects it; and, where there is no
 * assembly for the processor, the switch itself over swapcontext.
 *
 * There, a point is the address of a ucontext_t that lies on the stack which it describes.
 * makecontext passes ints, so the entry's pointers lie beside the context.
 *
 * Both ways build by hand what co_switch() would have left behind, so that the first switch is not
 * a special case. entry never returns: there is nothing to return to.
 */
#include "base/co_switch.h"

#include <stdint.h>

#if (!defined(__x86_64__) && !defined(__aarch64__)) || defined(CO_UCONTEXT)
#include <stdlib.h>
#include <ucontext.h>

struct start {
	ucontext_t context;
	void (*entry)(void *arg);
	void *arg;
};

static void start(unsigned high, unsigned low)
{
	struct start *self = (struct start *)(uintptr_t)((uint64_t)high << 32 | low);

	self->entry(self->arg);
	abort();
}

co_point co_prepare(char *bottom, char *top, void (*entry)(void *arg), void *arg)
{
	struct start *self = (struct start *)(void *)(top - (sizeof(*self) + 63) / 64 * 64);
	uint64_t at = (uint64_t)(uintptr_t)self;

	if (getcontext(&self->context))
		abort();
	self->entry = entry;
	self->arg = arg;
	self->context.uc_stack.ss_sp = bottom;
	self->context.uc_stack.ss_size = (size_t)((char *)self - bottom);
	self->context.uc_link = NULL;
	makecontext(&self->context, (void (*)(void))start, 2, (unsigned)(at >> 32), (unsigned)at);
	return &self->context;
}

void co_switch(co_point *from, co_point to)
{
	ucontext_t here;

	*from = &here;
	if (swapcontext(&here, to))
		abort();
}
#else
/* The stack as the assembly's first switch to it finds it. */
extern void co_start(void);

#if defined(__x86_64__)
co_point co_prepare(char *bottom, char *top, void (*entry)(void *arg), void *arg)
{
	void **sp = (void **)(void *)top;

	(void)bottom;
	*--sp = NULL; /* keeps the call of entry aligned */
	*--sp = NULL; /* no return address: the end for debuggers */
	*--sp = (void *)(uintptr_t)co_start;
	*--sp = NULL;                     /* rbp */
	*--sp = NULL;                     /* rbx */
	*--sp = (void *)(uintptr_t)entry; /* r12 */
	*--sp = arg;                      /* r13 */
	*--sp = NULL;                     /* r14 */
	*--sp = NULL;                     /* r15 */
	return sp;
}
#else
co_point co_prepare(char *bottom, char *top, void (*entry)(void *arg), void *arg)
{
	void **sp = (void **)(void *)(top - 160);

	(void)bottom;
	for (int i = 0; i < 20; i++)
		sp[i] = NULL;
	sp[0] = (void *)(uintptr_t)entry;     /* x19 */
	sp[1] = arg;                          /* x20 */
	sp[11] = (void *)(uintptr_t)co_start; /* x30 */
	return sp;
}
#endif
#endif
