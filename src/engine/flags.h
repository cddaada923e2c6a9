/*
 * flags.h: the SDK's and the language's feature flags of one run, and the SDK's name and version,
 * as recorded in WorkflowTaskCompleted events: what has changed in the making of commands since a
 * history was written.
 */
#ifndef ENGINE_FLAGS_H
#define ENGINE_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/api/history/v1/message.pb-c.h>

#include "base/arena.h"

/* The numbers are those of the core SDK: histories of all its languages carry them. */
enum core_flag {
	FLAG_ID_AND_TYPE_CHECKS = 1,
	FLAG_UPSERT_ON_PATCH = 2,
	FLAG_MOVE_TERMINAL_COMMANDS = 3,
};

struct flag_set { /* sorted */
	uint32_t *items;
	uint32_t count, capacity;
};

struct flags {
	bool off;               /* the server does not keep them: none is ever in force */
	uint8_t core, core_new; /* bit masks; in force, and to be recorded */
	struct flag_set lang, lang_new;
	char *sdk_name, *sdk_version; /* last recorded; NULL: none */
};

void flags_finish(struct flags *flags);

/* Takes over what a completed task has recorded. False when memory is out. */
bool flags_from_completed(
	struct flags *flags, const History__WorkflowTaskCompletedEventAttributes *completed)
	__attribute__((warn_unused_result));

/* May the flag's behaviour be used? With `record` always (unless they are off), and it will be
 * recorded. */
bool flags_use(struct flags *flags, enum core_flag flag, bool record);

/* The language came to need these. False when memory is out. */
bool flags_add_lang(struct flags *flags, const uint32_t *items, size_t count)
	__attribute__((warn_unused_result));

/*
 * What a completion has to record: all flags that this SDK knows and that are not in force yet, and
 * name and version if they have changed. They are in force from now on. The message is in the
 * arena; NULL when memory is out.
 */
Sdk__WorkflowTaskCompletedMetadata *flags_record(
	struct flags *flags, const char *sdk_name, const char *sdk_version, struct arena *arena);

size_t flags_memory(const struct flags *flags);

#endif
