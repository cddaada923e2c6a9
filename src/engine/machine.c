/*
 * machine.c: the pool of a run's machines and the two ways to find one: by kind and number (as the
 * workflow speaks of it) and by the id of the event that began it (as history does). Both are keys
 * of one map.
 *
 * A machine lives in a slab of the run and goes back to the free list in a final state, when no
 * command of it waits any more: a long run keeps only what is open. Numbers up to the highest yet
 * whose machine is gone are things that have ended, so a late cancellation of one is told from a
 * number that never was.
 *
 * The thread that owns the run.
 *
 * Keys of the map: bit 63 tells the two apart.
 *
 *	type << 32 | seq             from machine_new() to release()
 *	1 << 63    | event id        from machine_began() to release(), for machines that history
 *	                             speaks of again by that id
 *
 * Numbers are unique for each kind only, which is why the kind is part of the key. Event ids are
 * positive (event.c), so the two spaces do not meet.
 */
#include "engine/machine.h"

#include <string.h>

#include "base/mem.h"
#include "engine/run.h"
#include "proto/enum_name.h"

const struct machine_kind *const machine_kinds[MACHINE_KINDS] = {
	[MACHINE_ACTIVITY] = &machine_activity,
	[MACHINE_TIMER] = &machine_timer,
	[MACHINE_CHILD] = &machine_child,
	[MACHINE_SIGNAL_EXTERNAL] = &machine_signal_external,
	[MACHINE_CANCEL_EXTERNAL] = &machine_cancel_external,
	[MACHINE_NEXUS] = &machine_nexus,
	[MACHINE_LOCAL_ACTIVITY] = &machine_local_activity,
	[MACHINE_UPDATE] = &machine_update,
	[MACHINE_PATCH] = &machine_patch,
	[MACHINE_UPSERT] = &machine_upsert,
	[MACHINE_PROPERTIES] = &machine_properties,
	[MACHINE_COMPLETE] = &machine_complete,
	[MACHINE_FAIL] = &machine_fail,
	[MACHINE_CANCEL] = &machine_cancel,
	[MACHINE_CONTINUE_AS_NEW] = &machine_continue_as_new,
	[MACHINE_WORKFLOW_TASK] = &machine_workflow_task,
};

#define KEY_OF_EVENT (1ULL << 63)
#define INTERNAL     (1U << 31)

static uint64_t number_key(unsigned type, uint32_t seq)
{
	return (uint64_t)type << 32 | seq;
}

/*
 * Slabs are small: most cached runs wait for one thing. They are not given back one by one;
 * task_end() frees all of them when no machine is left, which is the usual state between two tasks
 * of a run that waits for a signal.
 */
static struct machine *allocate(struct engine_run *run)
{
	if (!run->free_machines) {
		struct machine_slab *slab = mem_zalloc(sizeof(*slab));

		if (!slab)
			return NULL;
		slab->next = run->slabs;
		run->slabs = slab;
		for (size_t i = sizeof(slab->machines) / sizeof(slab->machines[0]); i-- > 0;) {
			slab->machines[i].next = run->free_machines;
			run->free_machines = &slab->machines[i];
		}
	}
	struct machine *machine = run->free_machines;

	run->free_machines = machine->next;
	return machine;
}

/* Updates are found by name, and local activities asked all, so they stand in lists too: few. */
static void unlink_from(struct machine **link, const struct machine *machine)
{
	while (*link && *link != machine)
		link = &(*link)->next;
	if (*link)
		*link = machine->next;
}

/*
 * The number goes, but stays below seq_max: machine_activity_cancel() and machine_timer_cancel()
 * tell by it that the thing existed and has ended.
 */
static void release(struct engine_run *run, struct machine *machine)
{
	if (machine->type == MACHINE_UPDATE)
		unlink_from(&run->updates, machine);
	if (machine->type == MACHINE_LOCAL_ACTIVITY) {
		unlink_from(&run->locals, machine);
		engine_local_release(machine->local);
	}
	map_remove(&run->machines, number_key(machine->type, machine->seq));
	if (machine->initial_event_id)
		map_remove(&run->machines, KEY_OF_EVENT | (uint64_t)machine->initial_event_id);
	mem_free(machine->id);
	*machine = (struct machine){ .next = run->free_machines };
	run->free_machines = machine;
	run->n_machines--;
}

/*
 * A number twice is a fault of the language above, not of the user's code: it hands numbers out by
 * counting. seq_max is kept for the kinds that can be cancelled by number; these come first in enum
 * machine_type.
 */
struct machine *machine_new(struct engine_run *run, enum machine_type type, uint32_t seq)
{
	if (machine_find(run, type, seq)) {
		run_fatal(run,
			"the workflow used the sequence number %u of a %s that is still open", seq,
			machine_kinds[type]->name);
		return NULL;
	}
	struct machine *machine = allocate(run);

	if (!machine) {
		run_no_memory(run);
		return NULL;
	}
	*machine = (struct machine){
		.kind = machine_kinds[type],
		.type = (uint8_t)type,
		.seq = seq,
	};
	run->n_machines++;
	if (!map_put(&run->machines, number_key(type, seq), machine)) {
		release(run, machine);
		run_no_memory(run);
		return NULL;
	}
	if (type < MACHINE_NUMBERED && seq > run->seq_max[type] && !(seq & INTERNAL))
		run->seq_max[type] = seq;
	return machine;
}

/* Numbers of the engine's own have the highest bit, which no workflow counts up to. */
struct machine *machine_new_internal(struct engine_run *run, enum machine_type type)
{
	struct machine *machine = machine_new(run, type, INTERNAL | ++run->internal_seq);

	if (machine)
		machine->internal = true;
	return machine;
}

struct machine *machine_find(struct engine_run *run, enum machine_type type, uint32_t seq)
{
	return map_get(&run->machines, number_key(type, seq));
}

struct machine *machine_of_event(struct engine_run *run, int64_t initial_event_id)
{
	return map_get(&run->machines, KEY_OF_EVENT | (uint64_t)initial_event_id);
}

bool machine_began(struct engine_run *run, struct machine *machine)
{
	machine->initial_event_id = run->event->event_id;
	return map_put(&run->machines, KEY_OF_EVENT | (uint64_t)machine->initial_event_id,
		       machine) ||
	       run_no_memory(run);
}

/*
 * A pair without a row means different things by where it comes from. While an event of history is
 * being applied, history says something that the workflow's code would not have led to:
 * nondeterminism. Else it is the workflow that asks for something impossible.
 */
bool machine_step(struct engine_run *run, struct machine *machine, unsigned event)
{
	const struct fsm_table *table = machine->kind->table;

	switch (fsm_step(table, &machine->state, event, machine, run)) {
	case FSM_MOVED:
		return true;
	case FSM_REFUSED:
		return false;
	case FSM_NO_ROW:
		break;
	}
	if (!run->event)
		return run_fatal(run, "%s is %s: %s is not possible then",
			machine_describe(run, machine), table->states[machine->state],
			table->events[event]);
	return run_nondeterminism(run, "%s does not fit %s, which is %s",
		event_describe(run, run->event), machine_describe(run, machine),
		table->states[machine->state]);
}

bool machine_cancel_numbered(
	struct engine_run *run, enum machine_type type, uint32_t seq, unsigned event)
{
	struct machine *machine = machine_find(run, type, seq);

	if (!machine && seq && seq <= run->seq_max[type])
		return true; /* it has ended */
	if (!machine)
		return run_nondeterminism(run, "the workflow cancels %s %u, which it has not begun",
			machine_kinds[type]->name, seq);
	if (machine->kind->final_states & 1U << machine->state)
		return true;
	return machine_step(run, machine, event);
}

/*
 * Two conditions: no event can change it any more, and no command of it waits in the queue, whose
 * entry points to it. Callers must not use the machine afterwards.
 */
void machine_release_if_done(struct engine_run *run, struct machine *machine)
{
	if (!machine->n_queued && machine->kind->final_states & 1U << machine->state)
		release(run, machine);
}

void machine_forget(struct engine_run *run, struct machine *machine)
{
	release(run, machine);
}

/* One allocation for all: they live and die together. NULL counts as "". */
bool machine_set_texts(
	struct engine_run *run, struct machine *machine, const char *const *texts, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(text_or_empty(texts[i])) + 1;

	char *to = mem_alloc(size);

	if (!to)
		return run_no_memory(run);
	mem_free(machine->id);
	machine->id = to;
	for (size_t i = 0; i < count; i++) {
		size = strlen(text_or_empty(texts[i])) + 1;
		memcpy(to, text_or_empty(texts[i]), size);
		to += size;
	}
	return true;
}

const char *machine_text(const struct machine *machine, unsigned index)
{
	const char *text = machine->id;

	while (index--)
		text += strlen(text) + 1;
	return text;
}

/* Machines on the free list have no id to free. */
void machines_finish(struct engine_run *run)
{
	struct machine_slab *next;

	for (struct machine *each = run->locals; each; each = each->next)
		engine_local_release(each->local);
	run->locals = NULL;
	for (struct machine_slab *slab = run->slabs; slab; slab = next) {
		next = slab->next;
		for (size_t i = 0; i < sizeof(slab->machines) / sizeof(slab->machines[0]); i++)
			mem_free(slab->machines[i].id);
		mem_free(slab);
	}
	run->slabs = NULL;
	run->free_machines = NULL;
	map_finish(&run->machines);
}

/*
 * What the user reads in a nondeterminism error: by the names of the workflow's code where there
 * are any. Without memory, the kind's name alone.
 */
const char *machine_describe(struct engine_run *run, const struct machine *machine)
{
	struct arena *arena = &run->task->arena;
	const char *text;

	switch ((enum machine_type)machine->type) {
	case MACHINE_ACTIVITY:
		text = arena_printf(arena, "the workflow's activity %s of type %s", machine->id,
			machine->activity_type);
		break;
	case MACHINE_TIMER:
		text = arena_printf(arena, "the workflow's timer %u", machine->seq);
		break;
	case MACHINE_LOCAL_ACTIVITY:
		text = arena_printf(arena, "the workflow's local activity %s of type %s",
			machine->id, machine_text(machine, 1));
		break;
	case MACHINE_CHILD:
		text = arena_printf(arena, "the workflow's child %s of type %s", machine->id,
			machine_text(machine, 1));
		break;
	case MACHINE_NEXUS:
		text = arena_printf(arena, "the workflow's Nexus operation %s of service %s",
			machine_text(machine, 2), machine_text(machine, 1));
		break;
	case MACHINE_UPDATE:
	case MACHINE_PATCH:
		text = arena_printf(
			arena, "the workflow's %s %s", machine->kind->name, machine->id);
		break;
	default:
		text = arena_printf(
			arena, "the workflow's command %s", machine->kind->command_name);
		break;
	}
	return text ? text : machine->kind->name;
}

/* What tells an event from others of its type; NULL: nothing. */
static const char *event_detail(struct arena *arena, const History__HistoryEvent *event)
{
	if (!event_has_attributes(event))
		return NULL;
	switch (event->event_type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: {
		const History__ActivityTaskScheduledEventAttributes *scheduled =
			event->activity_task_scheduled_event_attributes;

		return arena_printf(arena, "activity %s, type %s", scheduled->activity_id,
			scheduled->activity_type ? scheduled->activity_type->name : "");
	}
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_STARTED:
		return arena_printf(
			arena, "timer %s", event->timer_started_event_attributes->timer_id);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_FIRED:
		return arena_printf(
			arena, "timer %s", event->timer_fired_event_attributes->timer_id);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_CANCELED:
		return arena_printf(
			arena, "timer %s", event->timer_canceled_event_attributes->timer_id);
	case ENUMS__EVENT_TYPE__EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: {
		const History__StartChildWorkflowExecutionInitiatedEventAttributes *initiated =
			event->start_child_workflow_execution_initiated_event_attributes;

		return arena_printf(arena, "child %s, type %s", initiated->workflow_id,
			initiated->workflow_type ? initiated->workflow_type->name : "");
	}
	case ENUMS__EVENT_TYPE__EVENT_TYPE_MARKER_RECORDED:
		return arena_printf(
			arena, "marker %s", event->marker_recorded_event_attributes->marker_name);
	default:
		return NULL;
	}
}

const char *event_describe(struct engine_run *run, const History__HistoryEvent *event)
{
	struct arena *arena = &run->task->arena;
	const char *detail = event_detail(arena, event);
	char name[PROTO_ENUM_TEXT];
	const char *text;

	proto_event_name((int)event->event_type, name);
	if (!event_is_known(event))
		text = arena_printf(arena, "event %lld of type %d", (long long)event->event_id,
			(int)event->event_type);
	else if (detail)
		text = arena_printf(
			arena, "event %lld %s (%s)", (long long)event->event_id, name, detail);
	else
		text = arena_printf(arena, "event %lld %s", (long long)event->event_id, name);
	return text ? text : "an event";
}
