/*
 * co_stack.h: stacks for coroutines: address space, guards, recycling. co.c alone uses it, on the
 * pool's thread.
 */
#ifndef BASE_CO_STACK_H
#define BASE_CO_STACK_H

#include <stdbool.h>
#include <stddef.h>

enum co_guard {
	CO_GUARD_CANARY,
	CO_GUARD_LIGHT,
	CO_GUARD_MAPPING
};

struct co_stack {
	char *bottom, *top; /* bottom is the lowest address; the guard area lies below it */
	enum co_guard guard;
	unsigned valgrind_id;
};

struct co_slab;

struct co_stacks {
	size_t size, guard; /* of each stack */
	size_t page;
	struct co_slab *slabs;
	struct co_stack **idle; /* used before, the most recent last; room for every stack */
	size_t n_idle, n_stacks, n_unguarded;
};

bool co_stacks_init(struct co_stacks *stacks, size_t size);
void co_stacks_finish(struct co_stacks *stacks);

/* NULL: no memory. */
struct co_stack *co_stack_take(struct co_stacks *stacks);
void co_stack_give(struct co_stacks *stacks, struct co_stack *stack);

/* Forgets the content of all resident pages below the one of `sp`; the bytes that stay resident. */
size_t co_stack_trim(const struct co_stacks *stacks, const struct co_stack *stack, const char *sp);

/* False when something was written below an unguarded stack. */
bool co_stack_intact(const struct co_stack *stack);

#endif
