/*
 * timers.h: what has to happen at a time: a heap of timers that are embedded in what they belong
 * to. Pure: time is an argument.
 */
#ifndef SERVER_TIMERS_H
#define SERVER_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timers_entry {
	void (*fire)(struct timers_entry *entry);
	int64_t due_ns;
	size_t at; /* its place in the heap, from 1; 0: it is not armed */
};

/* So much later. A duration of the API may be 10,000 years: what lies beyond the end of time is
 * INT64_MAX, which is never due. `ms` is not negative. */
static inline int64_t timers_after(int64_t from_ns, int64_t ms)
{
	int64_t ns, at_ns;

	if (__builtin_mul_overflow(ms, INT64_C(1000000), &ns) ||
		__builtin_add_overflow(from_ns, ns, &at_ns))
		return INT64_MAX;
	return at_ns;
}

/* Zeroed: empty. */
struct timers {
	struct timers_entry **heap; /* [1 .. count] */
	size_t count, capacity;
};

void timers_finish(struct timers *timers);

/* Arms the timer, again if it is. False: memory is out. */
bool timers_set(struct timers *timers, struct timers_entry *entry, int64_t due_ns,
	void (*fire)(struct timers_entry *)) __attribute__((warn_unused_result));
void timers_stop(struct timers *timers, struct timers_entry *entry);

/* When the first one is due; INT64_MAX: none is armed. */
int64_t timers_next(const struct timers *timers);

/* Takes out the first one that is due at `now_ns`; NULL: none is. */
struct timers_entry *timers_pop(struct timers *timers, int64_t now_ns);

#endif
