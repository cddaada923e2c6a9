/*
 * flags.c: sets of flags. Those of the core are few and known, so a mask does; a number that this
 * version does not know is passed by, as the core SDK does. Those of the language are any numbers,
 * kept sorted.
 *
 * The thread that owns the run.
 *
 * Why there are flags: an SDK's own behaviour may change in ways that would make other commands of
 * the same code. Such a change is guarded by a flag. A completion writes down which flags were in
 * force, so that a replay, even by a newer SDK, does as it was done.
 *
 *	flags in history   in force (core, lang), whatever this SDK prefers
 *	a new task         may use any flag that it knows, and records it (core_new, lang_new)
 *	replay             may use only those in force
 */
#include "engine/flags.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/event.h"

#define CORE_FLAGS_ALL \
	(1U << FLAG_ID_AND_TYPE_CHECKS | 1U << FLAG_UPSERT_ON_PATCH | \
		1U << FLAG_MOVE_TERMINAL_COMMANDS)

void flags_finish(struct flags *flags)
{
	mem_free(flags->lang.items);
	mem_free(flags->lang_new.items);
	mem_free(flags->sdk_name);
	mem_free(flags->sdk_version);
	*flags = (struct flags){ 0 };
}

/* Where the flag is or belongs. */
static uint32_t position(const struct flag_set *set, uint32_t flag)
{
	uint32_t low = 0, high = set->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (set->items[middle] < flag)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has(const struct flag_set *set, uint32_t flag)
{
	uint32_t at = position(set, flag);

	return at < set->count && set->items[at] == flag;
}

static bool add(struct flag_set *set, uint32_t flag)
{
	uint32_t at = position(set, flag);

	if (at < set->count && set->items[at] == flag)
		return true;
	if (set->count == set->capacity) {
		uint32_t capacity = set->capacity ? set->capacity * 2 : 4;
		uint32_t *items = mem_realloc(set->items, capacity * sizeof(*items));

		if (!items)
			return false;
		set->items = items;
		set->capacity = capacity;
	}
	memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof(*set->items));
	set->items[at] = flag;
	set->count++;
	return true;
}

/* Replaces an owned string, if it is another one and not empty. */
static bool replace(char **old, const char *text)
{
	if (str_empty(text) || str_same(*old, text))
		return true;

	char *copy = mem_strdup(text);

	if (!copy)
		return false;
	mem_free(*old);
	*old = copy;
	return true;
}

/* Flags found in history are in force whatever this SDK would do: history was made with them. */
bool flags_from_completed(
	struct flags *flags, const History__WorkflowTaskCompletedEventAttributes *completed)
{
	const Sdk__WorkflowTaskCompletedMetadata *metadata = completed->sdk_metadata;

	if (flags->off || !metadata)
		return true;
	for (size_t i = 0; i < metadata->n_core_used_flags; i++) {
		uint32_t flag = metadata->core_used_flags[i];

		if (flag < 8)
			flags->core |= (uint8_t)(1U << flag & CORE_FLAGS_ALL);
	}
	for (size_t i = 0; i < metadata->n_lang_used_flags; i++)
		if (!add(&flags->lang, metadata->lang_used_flags[i]))
			return false;
	return replace(&flags->sdk_name, metadata->sdk_name) &&
	       replace(&flags->sdk_version, metadata->sdk_version);
}

/*
 * `record` is the caller's knowledge that this is a new task. On replay the flag must have been in
 * history: nothing else would be the same as then.
 */
bool flags_use(struct flags *flags, enum core_flag flag, bool record)
{
	if (flags->off)
		return false;
	if (record)
		flags->core_new |= (uint8_t)(1U << flag);
	return record || (flags->core & 1U << flag);
}

/*
 * Held apart until a completion carries them (record_lang): a task that fails must not leave flags
 * that history has never seen.
 */
bool flags_add_lang(struct flags *flags, const uint32_t *items, size_t count)
{
	if (flags->off)
		return true;
	for (size_t i = 0; i < count; i++)
		if (!has(&flags->lang, items[i]) && !add(&flags->lang_new, items[i]))
			return false;
	return true;
}

/*
 * A completion records all flags that it might have used, so that no later one has to wonder. The
 * core SDK does the same. Without it, a flag whose case first comes up in a later task could not be
 * told, on replay, from one that did not exist yet.
 */
static bool record_core(
	struct flags *flags, Sdk__WorkflowTaskCompletedMetadata *metadata, struct arena *arena)
{
	unsigned fresh = (flags->core_new | CORE_FLAGS_ALL) & ~(unsigned)flags->core;

	metadata->core_used_flags = arena_array(arena, 8, sizeof(uint32_t));
	if (!metadata->core_used_flags)
		return false;
	for (uint32_t flag = 0; flag < 8; flag++)
		if (fresh & 1U << flag)
			metadata->core_used_flags[metadata->n_core_used_flags++] = flag;
	flags->core |= (uint8_t)fresh;
	flags->core_new = 0;
	return true;
}

static bool record_lang(
	struct flags *flags, Sdk__WorkflowTaskCompletedMetadata *metadata, struct arena *arena)
{
	if (!flags->lang_new.count)
		return true;
	metadata->lang_used_flags = arena_memdup(arena, flags->lang_new.items,
		flags->lang_new.count * sizeof(*flags->lang_new.items));
	if (!metadata->lang_used_flags)
		return false;
	metadata->n_lang_used_flags = flags->lang_new.count;
	for (size_t i = 0; i < metadata->n_lang_used_flags; i++)
		if (!add(&flags->lang, metadata->lang_used_flags[i]))
			return false;
	flags->lang_new.count = 0;
	return true;
}

/*
 * Name and version go only when they differ from what history has last: they are for people, and
 * every completion would carry them for nothing. The message is made even if flags are off, since
 * the server takes an empty one.
 */
Sdk__WorkflowTaskCompletedMetadata *flags_record(
	struct flags *flags, const char *sdk_name, const char *sdk_version, struct arena *arena)
{
	Sdk__WorkflowTaskCompletedMetadata *metadata = arena_alloc(arena, sizeof(*metadata));

	if (!metadata)
		return NULL;
	*metadata = (Sdk__WorkflowTaskCompletedMetadata)SDK__WORKFLOW_TASK_COMPLETED_METADATA__INIT;
	if (flags->off)
		return metadata;
	if (!record_core(flags, metadata, arena) || !record_lang(flags, metadata, arena))
		return NULL;
	if (!str_same(flags->sdk_name, sdk_name))
		metadata->sdk_name = text_or_empty(sdk_name);
	if (!str_same(flags->sdk_version, sdk_version))
		metadata->sdk_version = text_or_empty(sdk_version);
	return metadata;
}

size_t flags_memory(const struct flags *flags)
{
	return (flags->lang.capacity + flags->lang_new.capacity) * sizeof(uint32_t) +
	       (flags->sdk_name ? strlen(flags->sdk_name) + 1 : 0) +
	       (flags->sdk_version ? strlen(flags->sdk_version) + 1 : 0);
}
