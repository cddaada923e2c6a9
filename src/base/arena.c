/*
 * arena.c: chunks in a list, the newest in front; the free part of the newest is handed out from
 * low to high, and from its other end what was written backwards (a tail).
 *
 *	arena->last --> [ header | used ........ | free ... | tails ]    next, end: the free part
 *	                    |
 *	                  older --> [ header | used ... | lost ]
 *	                                |
 *	                              older --> NULL
 *
 * What is free at the end of a chunk when the next one is opened is lost until the arena is reset.
 *
 * A request that is larger than a chunk gets one of its own size. Chunks grow by doubling, so that
 * a small run stays small (its first chunk is 1 KiB) and a large one makes few calls of malloc. The
 * size to come is not forgotten by reset or finish: who has used much will do so again.
 *
 * `held` is what the arena has from malloc, and never more than the budget: that is the limit by
 * which whatever comes from the network, or a workflow's code, is kept from taking all memory.
 * Under AddressSanitizer the free part is poisoned, so that a use behind an object or after a reset
 * is found as one behind a malloc would be.
 *
 * The thread that has the arena.
 */
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sanitize.h"

/* `data` is aligned to 16 by the padding, as malloc's blocks are. */
struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* with this header */
	char pad[16 - (sizeof(void *) + sizeof(size_t)) % 16];
	char data[];
};

void arena_init(struct arena *arena, size_t first, size_t budget)
{
	*arena = (struct arena){ .chunk_size = first < 64 ? 64 : first, .budget = budget };
}

/* Unpoisoned first: the allocator writes to what it gets back. */
static void chunk_free(struct arena *arena, struct arena_chunk *chunk)
{
	sanitize_unpoison(chunk, chunk->size);
	arena->held -= chunk->size;
	mem_free(chunk);
}

/* Makes a chunk the one that is being filled, whose free part is [next, end). */
static void arena_open(struct arena *arena, struct arena_chunk *chunk, char *next, char *end)
{
	arena->last = chunk;
	arena->next = next;
	arena->end = end;
	sanitize_poison(next, (size_t)(end - next));
}

static void arena_open_empty(struct arena *arena, struct arena_chunk *chunk)
{
	arena_open(arena, chunk, chunk->data, (char *)chunk + chunk->size);
}

void arena_finish(struct arena *arena)
{
	while (arena->last) {
		struct arena_chunk *chunk = arena->last;

		arena->last = chunk->older;
		chunk_free(arena, chunk);
	}
	arena->next = arena->end = NULL;
}

/*
 * Keeps the newest chunk, which is mostly the largest: an arena that is used again and again comes
 * to need no malloc at all.
 */
void arena_reset(struct arena *arena)
{
	struct arena_chunk *keep = arena->last;

	if (!keep)
		return;
	while (keep->older) {
		struct arena_chunk *chunk = keep->older;

		keep->older = chunk->older;
		chunk_free(arena, chunk);
	}
	arena_open_empty(arena, keep);
}

/* Near the budget's end the chunk is only as large as it must be, before the answer is no. */
static struct arena_chunk *chunk_new(struct arena *arena, size_t least)
{
	size_t size = arena->chunk_size > least ? arena->chunk_size : least;

	if (size > arena->budget - arena->held)
		size = least;
	if (size > arena->budget - arena->held)
		return NULL;
	struct arena_chunk *chunk = mem_alloc(size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->older = arena->last;
	arena->held += size;
	if (arena->chunk_size < ARENA_CHUNK_MAX)
		arena->chunk_size *= 2;
	return chunk;
}

/*
 * The chunk has no room: a new one is opened, with room for the worst alignment. arena.h has the
 * usual case, so that it is inlined.
 */
void *arena_alloc_slow(struct arena *arena, size_t size, size_t align)
{
	size_t room = sizeof(struct arena_chunk) + align;

	if (size > SIZE_MAX - room)
		return NULL;
	struct arena_chunk *chunk = chunk_new(arena, size + room);
	if (!chunk)
		return NULL;
	arena_open_empty(arena, chunk);
	uintptr_t at = ((uintptr_t)chunk->data + align - 1) & ~(uintptr_t)(align - 1);
	arena->next = (char *)at + size;
	sanitize_unpoison((char *)at, size);
	return (char *)at;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *at = arena_alloc(arena, size);

	return at ? memset(at, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_zalloc(arena, total);
}

void *arena_memdup(struct arena *arena, const void *data, size_t size)
{
	void *at = arena_alloc(arena, size);

	if (at && size)
		memcpy(at, data, size);
	return at;
}

char *arena_str(struct arena *arena, struct str text)
{
	char *at = arena_alloc_aligned(arena, text.len + 1, 1);

	if (!at)
		return NULL;
	if (text.len)
		memcpy(at, text.ptr, text.len);
	at[text.len] = '\0';
	return at;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_str(arena, str_from(text)) : NULL;
}

char *arena_lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);

	for (char *at = copy; at && *at; at++)
		*at = str_lower(*at);
	return copy;
}

/* Formats twice, to measure and to write: the text gets exactly its size. */
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		return NULL;
	char *at = arena_alloc_aligned(arena, (size_t)len + 1, 1);
	if (at)
		vsnprintf(at, (size_t)len + 1, format, args);
	return at;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *at = arena_vprintf(arena, format, args);
	va_end(args);
	return at;
}

/* All of the free part is the writer's; what it wrote there before lies in an older chunk. */
char *arena_tail(struct arena *arena, size_t least, size_t *room)
{
	struct arena_chunk *chunk;

	if (!arena->last || (size_t)(arena->end - arena->next) < least) {
		if (least > SIZE_MAX - sizeof(*chunk))
			return NULL;
		chunk = chunk_new(arena, sizeof(*chunk) + least);
		if (!chunk)
			return NULL;
		arena_open_empty(arena, chunk);
	}
	*room = (size_t)(arena->end - arena->next);
	sanitize_unpoison(arena->next, *room);
	return arena->end;
}

void *arena_tail_keep(struct arena *arena, size_t size)
{
	arena->end -= size;
	sanitize_poison(arena->next, (size_t)(arena->end - arena->next));
	return arena->end;
}

/* Costs nothing and holds nothing: pointers into what is there. */
struct arena_mark arena_mark(const struct arena *arena)
{
	return (struct arena_mark){ arena->last, arena->next, arena->end };
}

/* Chunks that were opened since go; `held` falls with them, so the budget is free again too. */
void arena_release(struct arena *arena, struct arena_mark mark)
{
	while (arena->last != mark.last) {
		struct arena_chunk *chunk = arena->last;

		arena->last = chunk->older;
		chunk_free(arena, chunk);
	}
	arena_open(arena, mark.last, mark.next, mark.end);
}
