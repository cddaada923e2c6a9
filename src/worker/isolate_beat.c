/*
 * isolate_beat.c: heartbeats of a child process, by the memory that it shares with the worker.
 *
 * Only the latest details matter, and the worker looks at them no more often than it sends them. So
 * a child leaves them in its place of the memory, which costs no system call, and they are there
 * whatever becomes of the child. The first one after the worker has nothing left to look for is
 * told of by a message: `wanted` says so. Both orders, of the child (leaves, looks whether it is
 * wanted) and the worker (wants, looks whether one was left), are such that one of them sees the
 * other.
 *
 * There are two rooms, used by turns, so that who is killed while it writes has not touched the one
 * that counts. A child is not trusted: sizes are checked after they were copied, a reader that is
 * never let read gives up, and what was left by a predecessor in the same place is known by its
 * `owner`.
 *
 * The child writes with its attempt's lock held; the worker reads with that of its own.
 */
#include <string.h>

#include "worker/isolate_wire.h"

/* A writer that comes around in the meantime again and again is none that encodes heartbeats. */
#define READ_TRIES 100

void isolate_beat_reset(struct isolate_shared *shared)
{
	atomic_store(&shared->beat, 0);
	atomic_store(&shared->wanted, 1);
}

uint64_t isolate_beat_write(struct isolate_shared *shared, uint64_t owner, int64_t made_ns,
	const void *details, size_t size)
{
	uint64_t number = atomic_load(&shared->beat) + 1;
	struct isolate_beat *beat = &shared->beats[number % 2];

	beat->owner = owner;
	beat->made_ns = made_ns;
	beat->elsewhere = size > sizeof(beat->details);
	beat->size = beat->elsewhere ? 0 : (uint32_t)size;
	if (beat->size > 0)
		memcpy(beat->details, details, beat->size);
	atomic_store(&shared->beat, number);
	return number;
}

bool isolate_beat_is_wanted(struct isolate_shared *shared)
{
	return atomic_load(&shared->wanted) && atomic_exchange(&shared->wanted, 0);
}

void isolate_beat_want(struct isolate_shared *shared)
{
	atomic_store(&shared->wanted, 1);
}

static void copy(const struct isolate_beat *from, struct isolate_beat *to)
{
	memcpy(to, from, offsetof(struct isolate_beat, details));
	if (to->size > sizeof(to->details))
		to->size = 0;
	memcpy(to->details, from->details, to->size);
}

bool isolate_beat_read(
	struct isolate_shared *shared, uint64_t owner, uint64_t after, struct isolate_beat *beat)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t number = atomic_load(&shared->beat);

		if (number <= after)
			return false;
		copy(&shared->beats[number % 2], beat);
		/* A load that none before can be put behind: only if this is still the latest was
		 * its room not written to. */
		if (atomic_fetch_add(&shared->beat, 0) != number)
			continue;
		beat->number = number;
		return beat->owner == owner && !beat->elsewhere;
	}
	return false;
}
