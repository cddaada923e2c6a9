/*
 * machine_upsert.c: changes of the run's search attributes.
 *
 *	         issue            UpsertWorkflowSearchAttributes
 *	created -------> issued ---------------------------------> recorded
 *
 * Nothing comes of it for the workflow. The run's search attributes, which the next run inherits
 * (emit.c), change with the command; those that the engine sets for patches are for people alone
 * and are not inherited.
 */
#include "engine/run.h"

#include "engine/marker.h"
#include "proto/codec.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	ISSUED,
	RECORDED
};

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED, UPSERT_ISSUE,    ISSUED,   NULL },
	{ ISSUED,  UPSERT_RECORDED, RECORDED, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "issued", "recorded" };
static const char *const events[] = { "issue", "UpsertWorkflowSearchAttributes" };

static const struct fsm_table table =
	FSM_TABLE("upsert of search attributes", rows, states, events);

const struct machine_kind machine_upsert = {
	.name = "upsert of search attributes",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "UpsertWorkflowSearchAttributes",
};

/* The place of the key in the fields, or the one behind the last. */
static size_t place_of(const Common__SearchAttributes *in, const char *key)
{
	size_t i = 0;

	while (i < in->n_indexed_fields && !str_same(in->indexed_fields[i]->key, key))
		i++;
	return i;
}

/*
 * Copies of what is new, over what was there. All in the arena of what the run inherits; what is
 * replaced stays behind in it, which the limits on a history bound.
 */
static bool merge(struct engine_run *run, const Common__SearchAttributes *more)
{
	struct arena *arena = run_inherited_arena(run);
	size_t room = more->n_indexed_fields;
	Common__SearchAttributes *all;

	if (!arena)
		return false;
	all = PROTO_NEW(arena, Common__SearchAttributes, common__search_attributes);
	room += run->search_attributes ? run->search_attributes->n_indexed_fields : 0;
	if (!all)
		return run_no_memory(run);
	all->indexed_fields = arena_array(arena, room, sizeof(*all->indexed_fields));
	if (!all->indexed_fields)
		return run_no_memory(run);
	for (size_t i = 0; run->search_attributes && i < run->search_attributes->n_indexed_fields;
		i++)
		all->indexed_fields[all->n_indexed_fields++] =
			run->search_attributes->indexed_fields[i];
	for (size_t i = 0; i < more->n_indexed_fields; i++) {
		size_t place = place_of(all, more->indexed_fields[i]->key);

		all->indexed_fields[place] = proto_copy(arena, more->indexed_fields[i]);
		if (!all->indexed_fields[place])
			return run_no_memory(run);
		all->n_indexed_fields += place == all->n_indexed_fields;
	}
	run->search_attributes = all;
	return true;
}

static bool issue(struct engine_run *run, const struct command *command)
{
	struct machine *machine = machine_new_internal(run, MACHINE_UPSERT);

	return machine && queue_push(run, machine, COMMAND_UPSERT_SEARCH_ATTRIBUTES, command) &&
	       machine_step(run, machine, UPSERT_ISSUE);
}

/*
 * The list of patches is the engine's: where that is in force, a workflow that sets it itself sends
 * an upsert of nothing, as the core SDK does, which keeps the place of the command.
 */
bool machine_upsert_set(struct engine_run *run, const struct command *command)
{
	const Common__SearchAttributes *more = command->upsert_search_attributes.search_attributes;
	bool ours = flags_use(&run->flags, FLAG_UPSERT_ON_PATCH, !run->replaying);
	struct command *empty;

	if (more && !merge(run, more))
		return false;
	if (!ours || !more || place_of(more, MARKER_VERSIONS) == more->n_indexed_fields)
		return issue(run, command);
	empty = ARENA_NEW(run_activation_arena(run), struct command);
	if (!empty)
		return run_no_memory(run);
	empty->kind = COMMAND_UPSERT_SEARCH_ATTRIBUTES;
	return issue(run, empty);
}

bool machine_upsert_internal(struct engine_run *run, const char *key, Common__Payload *value)
{
	struct arena *arena = run_activation_arena(run);
	struct command *command = ARENA_NEW(arena, struct command);
	Common__SearchAttributes *all =
		PROTO_NEW(arena, Common__SearchAttributes, common__search_attributes);
	Common__SearchAttributes__IndexedFieldsEntry *entry =
		PROTO_NEW(arena, Common__SearchAttributes__IndexedFieldsEntry,
			common__search_attributes__indexed_fields_entry);
	Common__SearchAttributes__IndexedFieldsEntry **list = arena_alloc(arena, sizeof(*list));

	if (!command || !all || !entry || !list)
		return run_no_memory(run);
	entry->key = key;
	entry->value = value;
	*list = entry;
	all->indexed_fields = list;
	all->n_indexed_fields = 1;
	command->kind = COMMAND_UPSERT_SEARCH_ATTRIBUTES;
	command->upsert_search_attributes.search_attributes = all;
	return issue(run, command);
}
