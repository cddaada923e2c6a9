/*
 * machine_properties.c: changes of the run's memo.
 *
 *	         issue            WorkflowPropertiesModified
 *	created -------> issued -----------------------------> recorded
 *
 * Nothing comes of it for the workflow. The memo that the next run inherits (emit.c) changes with
 * the command.
 */
#include "engine/run.h"

#include "proto/codec.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	ISSUED,
	RECORDED
};

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED, PROPERTIES_ISSUE,    ISSUED,   NULL },
	{ ISSUED,  PROPERTIES_RECORDED, RECORDED, NULL },
};
/* clang-format on */

static const char *const states[] = { "created", "issued", "recorded" };
static const char *const events[] = { "issue", "WorkflowPropertiesModified" };

static const struct fsm_table table = FSM_TABLE("change of the memo", rows, states, events);

const struct machine_kind machine_properties = {
	.name = "change of the memo",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "ModifyWorkflowProperties",
};

/* As with search attributes (machine_upsert.c): copies over what was there. */
static bool merge(struct engine_run *run, const Common__Memo *more)
{
	struct arena *arena = run_inherited_arena(run);
	size_t room = more->n_fields + (run->memo ? run->memo->n_fields : 0);
	Common__Memo *all;

	if (!arena)
		return false;
	all = PROTO_NEW(arena, Common__Memo, common__memo);
	if (!all)
		return run_no_memory(run);
	all->fields = arena_array(arena, room, sizeof(*all->fields));
	if (!all->fields)
		return run_no_memory(run);
	for (size_t i = 0; run->memo && i < run->memo->n_fields; i++)
		all->fields[all->n_fields++] = run->memo->fields[i];
	for (size_t i = 0; i < more->n_fields; i++) {
		size_t place = 0;

		while (place < all->n_fields &&
			!str_same(all->fields[place]->key, more->fields[i]->key))
			place++;
		all->fields[place] = proto_copy(arena, more->fields[i]);
		if (!all->fields[place])
			return run_no_memory(run);
		all->n_fields += place == all->n_fields;
	}
	run->memo = all;
	return true;
}

bool machine_properties_modify(struct engine_run *run, const struct command *command)
{
	const Common__Memo *memo = command->modify_properties.upserted_memo;
	struct machine *machine = machine_new_internal(run, MACHINE_PROPERTIES);

	return machine && (!memo || merge(run, memo)) &&
	       queue_push(run, machine, COMMAND_MODIFY_PROPERTIES, command) &&
	       machine_step(run, machine, PROPERTIES_ISSUE);
}
