/*
 * pending.c: a sorted array. Numbers come ascending, so that putting is appending; taking is a
 * binary search that leaves a hole. When more than half are holes it is compacted, which keeps
 * both cheap however long a run lives.
 *
 * Invariants: numbers ascend; `live` counts entries that are not holes; a hole keeps its number, so
 * that the search still works. There are at most twice as many entries as are pending; the room is
 * that of the largest crowd there ever was.
 *
 * Why not a map: nearly all runs have no more than a handful pending, and 16 bytes for each are the
 * least that a cached run can pay. On the thread that the run is pinned to.
 */
#include "workflow/pending.h"

#include "base/mem.h"

struct pending_entry {
	uint32_t seq;
	struct wf_future *future;
};

/* Moves towards the front; the order stays. */
static void compact(struct pending *pending)
{
	size_t kept = 0;

	for (size_t i = 0; i < pending->count; i++) {
		if (pending->entries[i].future)
			pending->entries[kept++] = pending->entries[i];
	}
	pending->count = kept;
}

bool pending_put(struct pending *pending, uint32_t seq, struct wf_future *future)
{
	if (pending->count == pending->room) {
		size_t room = pending->room ? pending->room * 2 : 2;
		struct pending_entry *entries =
			mem_realloc(pending->entries, room * sizeof(*entries));

		if (!entries)
			return false;
		pending->entries = entries;
		pending->room = room;
	}
	pending->entries[pending->count++] = (struct pending_entry){ seq, future };
	pending->live++;
	return true;
}

/* The entry of the number; NULL: it was never pending, or was taken. */
static struct pending_entry *find(const struct pending *pending, uint32_t seq)
{
	size_t low = 0, high = pending->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pending->entries[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == pending->count || pending->entries[low].seq != seq ||
		!pending->entries[low].future)
		return NULL;
	return &pending->entries[low];
}

struct wf_future *pending_get(const struct pending *pending, uint32_t seq)
{
	const struct pending_entry *entry = find(pending, seq);

	return entry ? entry->future : NULL;
}

struct wf_future *pending_take(struct pending *pending, uint32_t seq)
{
	struct pending_entry *entry = find(pending, seq);
	struct wf_future *future = entry ? entry->future : NULL;

	if (!entry)
		return NULL;
	entry->future = NULL;
	pending->live--;
	if (pending->live * 2 <= pending->count)
		compact(pending);
	return future;
}

void pending_finish(struct pending *pending)
{
	mem_free(pending->entries);
	*pending = (struct pending){ .entries = NULL };
}
