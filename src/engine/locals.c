/*
 * locals.c: local activities on both sides of their machines: what the worker has to run, and what
 * history has of their outcomes.
 *
 *	live     locals_request -> step.locals -> the worker -> engine_run_locals -> the machine
 *	replay   a marker in the sequence to come -> locals_ahead -> locals_deliver -> the machine
 *
 * The thread that owns the run.
 *
 * What the worker runs is given to it as the message of an activity task, since that is what it
 * knows how to run; the machine holds it, which may have to wait tasks for it, and so does the
 * worker while an attempt runs, which may be longer than the run is there.
 *
 * On replay outcomes are known early, all those of one task at once. The workflow must get each in
 * the activation in which it got it the first time, since it may look which are there. Activations
 * are counted within a workflow task (heartbeats do not begin a new count), and the marker has the
 * number. Markers from before there was one are delivered as early as they can be, as it was done
 * then.
 */
#include <stdatomic.h>
#include <string.h>

#include "engine/marker.h"
#include "engine/run.h"
#include "proto/payload.h"

#define REQUEST_ARENA_FIRST 1024

/* ---- what the worker is to run ---- */

/* The request and the messages of its task, which are made at once. */
struct request {
	struct local_request base;
	Workflowservice__PollActivityTaskQueueResponse task;
	Common__ActivityType activity_type;
	Common__WorkflowType workflow_type;
	Common__WorkflowExecution execution;
	Google__Duration schedule_to_close, start_to_close;
};

static void set_duration(Google__Duration *duration, int64_t ms)
{
	duration->seconds = ms / 1000;
	duration->nanos = (int32_t)(ms % 1000 * 1000000);
}

static Common__Payloads *copy_arguments(
	struct arena *arena, const struct activation_payloads *arguments)
{
	Common__Payloads *copy = proto_payloads_new(arena, arguments->count);

	for (size_t i = 0; copy && i < arguments->count; i++) {
		copy->payloads[i] = proto_payload_copy(arena, arguments->items[i]);
		if (!copy->payloads[i])
			return NULL;
	}
	return copy;
}

/* Copies of what lies in the workflow's memory. */
static bool fill_input(const struct command_schedule_local_activity *from, struct arena *arena,
	Workflowservice__PollActivityTaskQueueResponse *to)
{
	Common__Header headers = COMMON__HEADER__INIT;

	headers.fields = unconst(from->headers.items);
	headers.n_fields = from->headers.count;
	if (from->arguments.count)
		to->input = copy_arguments(arena, &from->arguments);
	if (headers.n_fields)
		to->header = proto_copy(arena, &headers);
	if (from->retry_policy)
		to->retry_policy = proto_copy(arena, from->retry_policy);
	return (!from->arguments.count || to->input) && (!headers.n_fields || to->header) &&
	       (!from->retry_policy || to->retry_policy);
}

static bool copy_text(struct arena *arena, const char **to, const char *text)
{
	*to = arena_strdup(arena, text_or_empty(text));
	return *to;
}

static struct request *request_new(struct arena *arena)
{
	static const struct request empty = {
		.base.holders = 1,
		.task = WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT,
		.activity_type = COMMON__ACTIVITY_TYPE__INIT,
		.workflow_type = COMMON__WORKFLOW_TYPE__INIT,
		.execution = COMMON__WORKFLOW_EXECUTION__INIT,
		.schedule_to_close = GOOGLE__DURATION__INIT,
		.start_to_close = GOOGLE__DURATION__INIT,
	};
	struct request *request = arena_memdup(arena, &empty, sizeof(empty));

	if (!request)
		return NULL;
	request->base.task = &request->task;
	request->task.activity_type = &request->activity_type;
	request->task.workflow_type = &request->workflow_type;
	request->task.workflow_execution = &request->execution;
	request->task.schedule_to_close_timeout = &request->schedule_to_close;
	request->task.start_to_close_timeout = &request->start_to_close;
	return request;
}

static bool fill_task(struct engine_run *run, const struct machine *machine,
	const struct command_schedule_local_activity *from, struct arena *arena, struct request *to)
{
	to->task.attempt = from->attempt ? (int32_t)from->attempt : 1;
	set_duration(&to->schedule_to_close, from->schedule_to_close_ms);
	set_duration(&to->start_to_close, from->start_to_close_ms);
	return fill_input(from, arena, &to->task) &&
	       copy_text(arena, &to->task.activity_id, machine->id) &&
	       copy_text(arena, &to->activity_type.name, machine_text(machine, 1)) &&
	       copy_text(arena, &to->task.workflow_namespace, run->config->namespace_) &&
	       copy_text(arena, &to->workflow_type.name, run->workflow_type) &&
	       copy_text(arena, &to->execution.workflow_id, run->workflow_id) &&
	       copy_text(arena, &to->execution.run_id, run->run_id);
}

struct local_request *locals_request_new(
	struct engine_run *run, const struct machine *machine, const struct command *command)
{
	const struct command_schedule_local_activity *from = &command->schedule_local_activity;
	struct arena arena;
	struct request *request;

	arena_init(&arena, REQUEST_ARENA_FIRST, ARENA_NO_BUDGET);
	request = request_new(&arena);
	if (!request || !fill_task(run, machine, from, &arena, request)) {
		arena_finish(&arena);
		run_no_memory(run);
		return NULL;
	}
	request->base.seq = machine->seq;
	request->base.original_schedule_ns = from->original_schedule_ns;
	request->base.schedule_to_start_ms = from->schedule_to_start_ms;
	request->base.retry_threshold_ms = from->local_retry_threshold_ms;
	request->base.arena = arena;
	return &request->base;
}

/* The count is not what const protects. */
const struct local_request *engine_local_hold(const struct local_request *request)
{
	struct local_request *held = unconst(request);

	atomic_fetch_add_explicit(&held->holders, 1, memory_order_relaxed);
	return request;
}

void engine_local_release(const struct local_request *request)
{
	struct local_request *held = unconst(request);
	struct arena arena;

	if (!held || atomic_fetch_sub_explicit(&held->holders, 1, memory_order_acq_rel) > 1)
		return;
	arena = held->arena; /* the request itself lies in it */
	arena_finish(&arena);
}

/* One more pointer in an array of the task's arena, which doubles. */
static bool append(struct engine_run *run, const void ***items, size_t *count, const void *item)
{
	if (!(*count & (*count - 1))) { /* full at 0, 1, 2, 4, ... */
		size_t room = *count ? *count * 2 : 1;
		const void **more = arena_array(&run->task->arena, room, sizeof(*more));

		if (!more)
			return run_no_memory(run);
		if (*count)
			memcpy(more, *items, *count * sizeof(*more));
		*items = more;
	}
	(*items)[(*count)++] = item;
	return true;
}

/* The clock of the workflow is noted: the activity's end is that much later. */
bool locals_request(struct engine_run *run, struct machine *machine)
{
	machine->started_event_id = run->time_ns;
	run->n_locals++;
	return append(run, &run->task->locals, &run->task->n_locals, machine->local);
}

bool locals_cancel(struct engine_run *run, struct machine *machine)
{
	return append(run, &run->task->cancels, &run->task->n_cancels, machine->local);
}

/* With the first task that is new, what history has no outcome of is run after all. */
bool locals_new_task(struct engine_run *run)
{
	for (struct machine *machine = run->locals; machine; machine = machine->next)
		if (machine_local_waits(machine) && !machine_step(run, machine, LOCAL_SCHEDULE))
			return false;
	return true;
}

/* A result may come late: what the workflow has given up has ended for it. */
bool locals_result(struct engine_run *run, const struct local_result *result)
{
	struct machine *machine = machine_find(run, MACHINE_LOCAL_ACTIVITY, result->seq);
	struct local_result own = *result;

	if (!machine)
		return true;
	if (__builtin_add_overflow(
		    machine->started_event_id, result->runtime_ns, &own.complete_time_ns))
		own.complete_time_ns = INT64_MAX; /* history has a strange time */
	return machine_local_step(run, machine, LOCAL_RESULT, &own);
}

/* ---- what history has ---- */

/* A marker in the sequence to come. */
bool locals_ahead(struct engine_run *run, const History__HistoryEvent *event)
{
	struct marker_local *marker = ARENA_NEW(&run->task->arena, struct marker_local);

	if (!marker)
		return run_no_memory(run);
	if (!marker_read_local(event, &run->task->arena, marker))
		return run_fatal(run, "%s cannot be read", event_describe(run, event));
	marker->next = run->task->ahead;
	run->task->ahead = marker;
	return true;
}

/* The oldest comes first: the list is the newest first, so it is turned once it is complete. */
void locals_ahead_end(struct engine_run *run)
{
	struct marker_local *turned = NULL, *next;

	for (struct marker_local *each = run->task->ahead; each; each = next) {
		next = each->next;
		each->next = turned;
		turned = each;
	}
	run->task->ahead = turned;
}

/* Is it to be told with the activation of that number, or before? */
static bool is_due(const struct marker_local *marker, uint64_t index)
{
	return !marker->has_index || marker->index <= index;
}

/* Those up to the index; each leaves the list. */
static bool deliver(struct engine_run *run, uint64_t index)
{
	struct marker_local **link = &run->task->ahead;

	while (*link) {
		struct marker_local *marker = *link;
		struct machine *machine = machine_find(run, MACHINE_LOCAL_ACTIVITY, marker->seq);

		if (!machine || !machine_local_waits(machine) || !is_due(marker, index)) {
			link = &marker->next;
			continue;
		}
		*link = marker->next;
		if (!machine_local_step(run, machine, LOCAL_KNOW, &marker->result))
			return false;
	}
	return true;
}

bool locals_deliver(struct engine_run *run)
{
	return deliver(run, run->activation_index);
}

/*
 * Nothing else is to happen in this task: what is due next comes now, whatever its number. (The
 * count of whoever wrote the marker may not have been ours.)
 */
bool locals_deliver_next(struct engine_run *run)
{
	uint64_t least = UINT64_MAX;

	for (const struct marker_local *each = run->task->ahead; each; each = each->next) {
		const struct machine *machine =
			machine_find(run, MACHINE_LOCAL_ACTIVITY, each->seq);

		if (machine && machine_local_waits(machine) && each->index < least)
			least = each->index;
	}
	return least == UINT64_MAX || deliver(run, least);
}
