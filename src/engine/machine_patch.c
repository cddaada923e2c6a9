/*
 * machine_patch.c: patches: places where the code of running workflows was changed.
 *
 *	         issue            MarkerRecorded
 *	created -------> issued -----------------> recorded
 *
 * The code asks "is this patched?", and does the old or the new. History answers on replay: there
 * is a marker of the patch, or there is none. So the workflow is told of markers one task ahead
 * (JOB_NOTIFY_HAS_PATCH), and has no need to wait.
 *
 *	history has                 the code asks             the code says it is deprecated
 *	nothing, it is new          marker, and yes           a deprecated marker
 *	a marker                    yes, they match           they match
 *	a deprecated marker         yes, they match           they match
 *	no marker, it is replay     no                        the command is dropped
 *
 *	history has                 the code does not ask
 *	a marker                    nondeterminism
 *	a deprecated marker         it is passed by, with the upsert behind it
 *
 * A patch is recorded once in a run, whoever asks how often. With its marker goes an upsert of the
 * search attribute that lists the run's patches (flag UPSERT_ON_PATCH: histories from before have
 * none), unless the list has grown too long for servers.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/marker.h"

/* The numbers of rows and of the names below. */
enum state {
	CREATED,
	ISSUED,
	RECORDED
};

/* That it is the same patch. */
static bool on_recorded(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	struct marker_patch patch;

	if (!marker_read_patch(run->event, &run->task->arena, &patch))
		return run_fatal(run, "%s cannot be read", event_describe(run, run->event));
	return str_same(patch.id, machine->id) ||
	       run_nondeterminism(run, "%s is of the patch %s and does not match %s",
		       event_describe(run, run->event), patch.id, machine_describe(run, machine));
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ CREATED, PATCH_ISSUE,    ISSUED,   NULL },
	{ ISSUED,  PATCH_RECORDED, RECORDED, on_recorded },
};
/* clang-format on */

static const char *const states[] = { "created", "issued", "recorded" };
static const char *const events[] = { "issue", "MarkerRecorded" };

static const struct fsm_table table = FSM_TABLE("patch", rows, states, events);

const struct machine_kind machine_patch = {
	.name = "patch",
	.table = &table,
	.final_states = 1U << RECORDED,
	.command_name = "RecordMarker",
};

/* ---- the patches of the run ---- */

static struct patch *find(struct engine_run *run, const char *id)
{
	for (uint32_t i = 0; i < run->n_patches; i++)
		if (str_same(run->patches[i].id, id))
			return &run->patches[i];
	return NULL;
}

/* One more; NULL: the run has failed. */
static struct patch *add(struct engine_run *run, const char *id)
{
	struct patch *patches = mem_realloc(run->patches, (run->n_patches + 1) * sizeof(*patches));
	char *copy = mem_strdup(text_or_empty(id));

	if (patches)
		run->patches = patches;
	if (!patches || !copy) {
		mem_free(copy);
		run_no_memory(run);
		return NULL;
	}
	patches[run->n_patches] = (struct patch){ .id = copy };
	return &patches[run->n_patches++];
}

void patches_finish(struct engine_run *run)
{
	for (uint32_t i = 0; i < run->n_patches; i++)
		mem_free(run->patches[i].id);
	mem_free(run->patches);
}

size_t patches_memory(const struct engine_run *run)
{
	size_t size = run->n_patches * sizeof(*run->patches);

	for (uint32_t i = 0; i < run->n_patches; i++)
		size += strlen(run->patches[i].id) + 1;
	return size;
}

/* A marker in the sequence to come. The id for the job is that of the run's list, which stays. */
bool patch_ahead(struct engine_run *run, const History__HistoryEvent *event)
{
	struct activation_job *job;
	struct marker_patch marker;
	const struct patch *patch;

	if (!marker_read_patch(event, &run->task->arena, &marker))
		return run_fatal(run, "%s cannot be read", event_describe(run, event));
	patch = find(run, marker.id);
	if (!patch)
		patch = add(run, marker.id);
	job = patch ? job_add(run, JOB_NOTIFY_HAS_PATCH) : NULL;
	if (!job)
		return false;
	job->has_patch.patch_id = patch->id;
	return true;
}

/* ---- commands ---- */

/*
 * All patches of the run that have a command, the new one included, as a command of the engine's
 * own (machine_cancel_external.c does likewise).
 */
static bool upsert_versions(struct engine_run *run)
{
	struct arena *arena = run_activation_arena(run);
	const char **ids = arena_array(arena, run->n_patches, sizeof(*ids));
	size_t count = 0;
	Common__Payload *list;

	for (uint32_t i = 0; ids && i < run->n_patches; i++)
		if (run->patches[i].commanded)
			ids[count++] = run->patches[i].id;
	list = ids ? marker_versions(arena, ids, count) : NULL;
	if (!list)
		return run_no_memory(run);
	if (list->data.len >= MARKER_VERSIONS_MAX)
		return true;
	return machine_upsert_internal(run, MARKER_VERSIONS, list);
}

bool machine_patch_set(struct engine_run *run, const struct command *command)
{
	const char *id = text_or_empty(command->set_patch_marker.patch_id);
	struct patch *patch = find(run, id);
	bool seen = patch;
	struct machine *machine;

	if (patch && patch->commanded)
		return true;
	if (!patch)
		patch = add(run, id);
	machine = patch ? machine_new_internal(run, MACHINE_PATCH) : NULL;
	if (!machine || !machine_set_texts(run, machine, &id, 1) ||
		!queue_push(run, machine, COMMAND_SET_PATCH_MARKER, command) ||
		!machine_step(run, machine, PATCH_ISSUE))
		return false;
	patch->commanded = true;
	/* On replay there was an upsert if there was a marker, and the flag. */
	if (run->replaying && !seen)
		return true;
	return !flags_use(&run->flags, FLAG_UPSERT_ON_PATCH, !run->replaying) ||
	       upsert_versions(run);
}

/* ---- events of commands that are or are not patch markers ---- */

/*
 * What the event being applied, the next of a command, means for the command at the head of the
 * queue; see the tables above.
 */
enum patch_fit machine_patch_fit(struct engine_run *run, const struct machine *head)
{
	const struct machine *patch = head && head->type == MACHINE_PATCH ? head : NULL;
	struct marker_patch marker;

	if (run->event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_MARKER_RECORDED ||
		marker_kind(run->event) != MARKER_PATCH)
		return patch ? PATCH_DROP_COMMAND : PATCH_FITS;
	if (!marker_read_patch(run->event, &run->task->arena, &marker))
		return PATCH_FITS; /* and fails when it is applied */
	if (!marker.deprecated || (patch && str_same(patch->id, marker.id)))
		return PATCH_FITS;
	run->skip_versions = true;
	return PATCH_SKIP_EVENT;
}

/* Is the event the upsert that goes with a patch? */
bool patch_is_versions(const History__HistoryEvent *event)
{
	const Common__SearchAttributes *attributes;

	if (event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES ||
		!event_has_attributes(event))
		return false;
	attributes = event->upsert_workflow_search_attributes_event_attributes->search_attributes;
	for (size_t i = 0; attributes && i < attributes->n_indexed_fields; i++)
		if (str_same(attributes->indexed_fields[i]->key, MARKER_VERSIONS))
			return true;
	return false;
}
