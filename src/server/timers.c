/*
 * timers.c: a binary heap of pointers; each timer knows its place, so that stopping it costs no
 * search. Equal times fire in no particular order. Pure.
 */
#include "server/timers.h"

#include "base/mem.h"

#define TIMERS_FIRST 64

void timers_finish(struct timers *timers)
{
	mem_free(timers->heap);
	*timers = (struct timers){ 0 };
}

static void place(struct timers *timers, size_t at, struct timers_entry *entry)
{
	timers->heap[at] = entry;
	entry->at = at;
}

static void sift(struct timers *timers, size_t at)
{
	struct timers_entry **heap = timers->heap, *entry = heap[at];

	while (at > 1 && heap[at / 2]->due_ns > entry->due_ns) {
		place(timers, at, heap[at / 2]);
		at /= 2;
	}
	for (size_t child = 2 * at; child <= timers->count; child = 2 * at) {
		if (child < timers->count && heap[child + 1]->due_ns < heap[child]->due_ns)
			child++;
		if (heap[child]->due_ns >= entry->due_ns)
			break;
		place(timers, at, heap[child]);
		at = child;
	}
	place(timers, at, entry);
}

static bool grow(struct timers *timers)
{
	size_t capacity = timers->capacity ? timers->capacity * 2 : TIMERS_FIRST;
	struct timers_entry **heap =
		mem_realloc(timers->heap, (capacity + 1) * sizeof(struct timers_entry *));

	if (!heap)
		return false;
	timers->heap = heap;
	timers->capacity = capacity;
	return true;
}

bool timers_set(struct timers *timers, struct timers_entry *entry, int64_t due_ns,
	void (*fire)(struct timers_entry *))
{
	if (!entry->at && timers->count == timers->capacity && !grow(timers))
		return false;
	entry->fire = fire;
	entry->due_ns = due_ns;
	if (!entry->at)
		place(timers, ++timers->count, entry);
	sift(timers, entry->at);
	return true;
}

void timers_stop(struct timers *timers, struct timers_entry *entry)
{
	size_t at = entry->at;

	if (!at)
		return;
	entry->at = 0;
	struct timers_entry *last = timers->heap[timers->count--];
	if (last == entry)
		return;
	place(timers, at, last);
	sift(timers, at);
}

int64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[1]->due_ns : INT64_MAX;
}

struct timers_entry *timers_pop(struct timers *timers, int64_t now_ns)
{
	if (timers_next(timers) > now_ns)
		return NULL;

	struct timers_entry *entry = timers->heap[1];
	timers_stop(timers, entry);
	return entry;
}
