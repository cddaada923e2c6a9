/*
 * arena.h: a bump allocator. What is allocated in one lives until the arena is reset or finished,
 * or until a release to a mark taken before; nothing in it is freed alone.
 *
 * An arena belongs to one thread at a time; it is handed over together with what is in it.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sanitize.h"
#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *last; /* the chunk that is being filled; older ones hang behind it */
	char *next, *end;         /* what is free in it */
	size_t chunk_size;        /* of the next chunk; doubles up to ARENA_CHUNK_MAX */
	size_t held;              /* bytes in all chunks, headers included */
	size_t budget;            /* upper limit of `held` */
};

struct arena_mark {
	struct arena_chunk *last;
	char *next, *end;
};

#define ARENA_NO_BUDGET SIZE_MAX
#define ARENA_CHUNK_MAX (256 * 1024)

/*
 * Makes an empty arena; it allocates nothing yet. `first` is the size of its first chunk, at
 * least 64.
 */
void arena_init(struct arena *arena, size_t first, size_t budget);

/*
 * Frees all memory. A zeroed arena is fine. Afterwards it is empty and can be used again (with the
 * budget that it had; its next chunk is as large as the next one would have been).
 */
void arena_finish(struct arena *arena);

/* Forgets everything, but keeps the newest chunk for what comes next. */
void arena_reset(struct arena *arena);

/*
 * `size` bytes aligned for any scalar (16); NULL when memory is out or the budget is spent. Size 0
 * gives a valid pointer. arena_alloc leaves the bytes as they are, arena_zalloc clears them.
 */
void *arena_alloc_slow(struct arena *arena, size_t size, size_t align)
	__attribute__((malloc, warn_unused_result));

static inline void *arena_alloc_aligned(struct arena *arena, size_t size, size_t align)
{
	uintptr_t at = ((uintptr_t)arena->next + align - 1) & ~(uintptr_t)(align - 1);

	if (!arena->next || at > (uintptr_t)arena->end || size > (uintptr_t)arena->end - at)
		return arena_alloc_slow(arena, size, align);
	arena->next = (char *)at + size;
	sanitize_unpoison((char *)at, size);
	return (char *)at;
}

static inline void *arena_alloc(struct arena *arena, size_t size)
{
	return arena_alloc_aligned(arena, size, 16);
}

void *arena_zalloc(struct arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/* `count` zeroed elements of `size` bytes; NULL too when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size)
	__attribute__((malloc, warn_unused_result));
#define ARENA_NEW(arena_, type_) ((type_ *)arena_zalloc((arena_), sizeof(type_)))

/* Copies. The strings are terminated. NULL on failure. arena_strdup(NULL) is NULL. */
void *arena_memdup(struct arena *arena, const void *data, size_t size)
	__attribute__((warn_unused_result));
char *arena_strdup(struct arena *arena, const char *text) __attribute__((warn_unused_result));
char *arena_str(struct arena *arena, struct str text) __attribute__((warn_unused_result));
/* Like arena_strdup, with the letters of ASCII in lower case: names of headers. */
char *arena_lower(struct arena *arena, const char *text) __attribute__((warn_unused_result));
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0), warn_unused_result));

/*
 * For what is written from its end to its start, and whose size is known only then. arena_tail()
 * gives the end of free memory, `*room` bytes of it and at least `least`; NULL when memory is out
 * or the budget is spent. They may be written until something else is asked of the arena. Who needs
 * more room asks again and copies what there is to the new place: the old one can still be read.
 * arena_tail_keep() then allocates the last `size` bytes (0: none), and gives their start.
 */
char *arena_tail(struct arena *arena, size_t least, size_t *room)
	__attribute__((warn_unused_result));
void *arena_tail_keep(struct arena *arena, size_t size);

/*
 * Frees what was allocated since the mark. Marks are released last in, first out; a reset ends them
 * all.
 */
struct arena_mark arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, struct arena_mark mark);

#endif
