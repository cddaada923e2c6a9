/*
 * patch.c: patches of code that runs, and upserts of search attributes and memo.
 *
 * The engine tells of the markers that history has before the code asks (patch_known). The first
 * question after an id settles the answer for the run: code that was once on the new way stays
 * there, whatever the later answer would be. Each yes is a command; the engine records it once.
 *
 * An upsert changes what wf_info says at once, and is a command; nothing comes back.
 */
#include "workflow/run.h"

#include <string.h>

#include "base/str.h"
#include "convert/convert.h"

/* In the run's arena; a run has few. */
struct known_patch {
	struct known_patch *next;
	const char *id;
	bool in_history, answered, answer;
};

/* Anywhere. NULL: no memory. */
static struct known_patch *find_or_add(struct wf *wf, const char *id)
{
	struct known_patch *patch = wf->patches;

	while (patch && !str_same(patch->id, id))
		patch = patch->next;
	if (patch)
		return patch;
	patch = ARENA_NEW(&wf->arena, struct known_patch);
	if (!patch)
		return NULL;
	patch->id = arena_strdup(&wf->arena, id);
	if (!patch->id)
		return NULL;
	patch->next = wf->patches;
	wf->patches = patch;
	return patch;
}

/* A job: history has a marker of it. */
void patch_known(struct wf *wf, const char *id)
{
	struct known_patch *patch = find_or_add(wf, id);

	if (patch)
		patch->in_history = true;
	else
		run_out_of_memory(wf);
}

struct worker_call {
	struct wf *wf;
	const char *id;
	bool answer;
};

static void worker_call(void *arg)
{
	struct worker_call *call = arg;
	const struct wf_config *config = call->wf->thread->config;

	call->answer = config->use_patch(call->id, &call->wf->info, config->user);
}

/* New here, and not in history: the worker may not want it yet. The run remembers the answer by its
 * marker, or by the lack of one. */
static bool worker_wants(struct wf *wf, const char *id)
{
	struct worker_call call = { wf, id, true };
	struct coroutine *self = wf->current;
	bool read_only = self->read_only;

	if (!wf->thread->config->use_patch)
		return true;
	self->read_only = true;
	memory_on_thread(wf, worker_call, &call);
	self->read_only = read_only;
	return call.answer;
}

static bool ask(struct wf *wf, const char *id, bool deprecated)
{
	struct known_patch *patch = find_or_add(wf, id);
	struct command *command;

	if (!patch)
		run_lacks_memory(wf);
	if (!patch->answered) {
		patch->answered = true;
		patch->answer = patch->in_history ||
				(!wf->replaying && (deprecated || worker_wants(wf, patch->id)));
	}
	if (!patch->answer)
		return false;
	command = run_command(wf, COMMAND_SET_PATCH_MARKER);
	if (!command)
		run_lacks_memory(wf);
	command->set_patch_marker.patch_id = patch->id;
	command->set_patch_marker.deprecated = deprecated;
	return true;
}

bool(wf_patched)(struct wf *wf, const char *id)
{
	run_acts(wf, "wf_patched");
	return ask(wf, id, false);
}

void(wf_deprecate_patch)(struct wf *wf, const char *id)
{
	run_acts(wf, "wf_deprecate_patch");
	ask(wf, id, true);
}

/* ---- upserts ---- */

struct upsert {
	struct wf *wf;
	const struct temporal_entries *entries;
	struct temporal_entries *known; /* of wf_info */
	bool memo, no_memory;
	Common__SearchAttributes *attributes;
	Common__Memo *message;
};

/* "Nothing" is what removes an entry. */
static bool is_nothing(const struct temporal_payload *payload)
{
	return str_same(payload->encoding, "binary/null") ||
	       (payload->data.len == 4 && memcmp(payload->data.data, "null", 4) == 0);
}

/* A copy in the run's arena: the caller's may go. */
static bool keep(struct arena *arena, const struct temporal_entry *from, struct temporal_entry *to)
{
	Common__Payload *copy = convert_payload_to_api(arena, &from->value);

	to->key = arena_strdup(arena, from->key);
	return copy && to->key && convert_payload_from_api(arena, copy, &to->value) == TEMPORAL_OK;
}

/* A new list: whoever holds the old one from wf_info keeps what it had. */
static bool merge(struct upsert *upsert)
{
	struct arena *arena = &upsert->wf->arena;
	const struct temporal_entries *more = upsert->entries;
	struct temporal_entry *items =
		arena_array(arena, upsert->known->count + more->count, sizeof(*items));
	size_t count = upsert->known->count;

	if (!items)
		return false;
	for (size_t i = 0; i < count; i++)
		items[i] = upsert->known->items[i];
	for (size_t i = 0; i < more->count; i++) {
		size_t place = 0;

		while (place < count && !str_same(items[place].key, more->items[i].key))
			place++;
		if (is_nothing(&more->items[i].value)) {
			if (place < count)
				items[place] = items[--count];
			continue;
		}
		if (!keep(arena, &more->items[i], &items[place]))
			return false;
		count += place == count;
	}
	*upsert->known = (struct temporal_entries){ items, count };
	return true;
}

/* Thread's stack. */
static void upsert_call(void *arg)
{
	struct upsert *upsert = arg;
	struct arena *arena = &upsert->wf->task;
	struct command_memo memo = { NULL, 0 };

	if (!upsert->memo) {
		upsert->attributes = options_search_attributes(arena, upsert->entries);
		upsert->no_memory = !upsert->attributes || !merge(upsert);
		return;
	}
	upsert->message = ARENA_NEW(arena, Common__Memo);
	upsert->no_memory =
		!upsert->message || !options_memo(arena, upsert->entries, &memo) || !merge(upsert);
	if (upsert->no_memory)
		return;
	*upsert->message = (Common__Memo)COMMON__MEMO__INIT;
	upsert->message->n_fields = memo.count;
	upsert->message->fields = (Common__Memo__FieldsEntry **)(uintptr_t)memo.items;
}

static struct command *upsert(struct wf *wf, struct upsert *upsert, enum command_kind kind)
{
	struct command *command;

	memory_on_thread(wf, upsert_call, upsert);
	command = upsert->no_memory ? NULL : run_command(wf, kind);
	if (!command)
		run_lacks_memory(wf);
	return command;
}

void(wf_upsert_search_attributes)(struct wf *wf, const struct temporal_entries *entries)
{
	struct upsert call = { .wf = wf, .entries = entries, .known = &wf->info.search_attributes };

	run_acts(wf, "wf_upsert_search_attributes");
	if (!entries->count)
		return;
	struct command *command = upsert(wf, &call, COMMAND_UPSERT_SEARCH_ATTRIBUTES);
	command->upsert_search_attributes.search_attributes = call.attributes;
}

void(wf_upsert_memo)(struct wf *wf, const struct temporal_entries *entries)
{
	struct upsert call = {
		.wf = wf, .entries = entries, .known = &wf->info.memo, .memo = true
	};

	run_acts(wf, "wf_upsert_memo");
	if (!entries->count)
		return;
	struct command *command = upsert(wf, &call, COMMAND_MODIFY_PROPERTIES);
	command->modify_properties.upserted_memo = call.message;
}
