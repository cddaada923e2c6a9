/*
 * instance.c: a run as the worker sees it: jobs in, commands out.
 *
 * The jobs of an activation are applied in sets, as the Python SDK does by default, and after each
 * set that is not empty the coroutines run until all of them wait:
 *
 *	set 0  patches                       conditions are not looked at
 *	set 1  signals and updates           conditions are
 *	set 2  all the rest, the start too   conditions are
 *	set 3  queries (alone)               conditions are not
 *
 * So signals that came before the first task are handled before the run's function begins, on the
 * state that is there from the start.
 *
 * What goes wrong here does not end the run but the task: the run is broken, its coroutines are not
 * resumed, and the worker evicts it.
 *
 * One activation, from the outside in:
 *
 *	wf_instance_activate
 *	  initialize_now, ready_to_apply      clock, definition, state, arguments
 *	  for each set: apply each job        jobs make coroutines, wake or settle
 *	                run_until_all_wait    the scheduler, until nothing moves
 *	  future_keep_results                 what the activation's memory holds is copied
 *
 * So user's code runs in run_until_all_wait() alone, and always as a coroutine (but for what
 * wf_until was given, which only looks); a job's function runs none of it, which is why it may walk
 * lists that the code changes. The thread's stack is the scheduler's; what needs more stack than a
 * coroutine has is called back onto it (memory.c).
 *
 * All of it on the thread that the run is pinned to, by the worker's workflow threads.
 */
#include "workflow/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "convert/convert.h"

enum {
	FIRST_CHUNK = 1024,
	TASK_CHUNK = 1024, /* a few commands; made for each activation, so malloc has it at hand */
	SCRATCH_CHUNK = 4096
};
#define MEMORY_MAX ((size_t)128 * 1024 * 1024)

/*
 * One for each workflow thread: stacks are recycled among its runs, and the scratch arena serves
 * one query at a time, so that queries leave nothing behind in the runs.
 */
struct wf_thread *wf_thread_new(const struct wf_config *config)
{
	struct wf_thread *thread = mem_zalloc(sizeof(*thread));

	if (!thread)
		return NULL;
	thread->config = config;
	arena_init(&thread->scratch, SCRATCH_CHUNK,
		config->memory_max ? config->memory_max : MEMORY_MAX);
	thread->pool = co_pool_new(config->stack_size);
	if (!thread->pool) {
		mem_free(thread);
		return NULL;
	}
	return thread;
}

void wf_thread_free(struct wf_thread *thread)
{
	if (!thread)
		return;
	co_pool_free(thread->pool);
	arena_finish(&thread->scratch);
	mem_free(thread);
}

/*
 * Costs the struct and the first chunk of the arena; stack, state and arguments come with the first
 * activation.
 */
struct wf_instance *wf_instance_new(struct wf_thread *thread, const char *run_id)
{
	struct wf_instance *instance = mem_zalloc(sizeof(*instance));
	size_t budget = thread->config->memory_max ? thread->config->memory_max : MEMORY_MAX;

	if (!instance)
		return NULL;
	struct wf *wf = &instance->wf;
	wf->thread = thread;
	wf->ready_end = &wf->ready;
	wf->conditions_end = &wf->conditions;
	wf->signals_end = &wf->signals;
	arena_init(&wf->arena, FIRST_CHUNK, budget);
	arena_init(&wf->task, TASK_CHUNK, budget);
	wf->info.run_id = arena_strdup(&wf->arena, run_id);
	if (!wf->info.run_id) {
		mem_free(instance);
		return NULL;
	}
	return instance;
}

void wf_instance_free(struct wf_instance *instance)
{
	if (!instance)
		return;
	struct wf *wf = &instance->wf;
	coroutine_end_all(wf);
	pending_finish(&wf->timers);
	pending_finish(&wf->activities);
	pending_finish(&wf->children);
	pending_finish(&wf->signals_sent);
	pending_finish(&wf->cancels);
	pending_finish(&wf->operations);
	arena_finish(&wf->task);
	arena_finish(&wf->arena);
	mem_free(instance);
}

/*
 * The task's arena is finished and not reset: a reset would keep its newest chunk, which may be the
 * largest thing that an idle run holds.
 */
void wf_instance_done(struct wf_instance *instance)
{
	instance->wf.completion = (struct completion){ .failed = false };
	instance->wf.commands = NULL;
	instance->wf.n_commands = instance->wf.commands_room = 0;
	arena_finish(&instance->wf.task);
	arena_init(&instance->wf.task, TASK_CHUNK, instance->wf.task.budget);
}

/*
 * What the cache's byte budget counts. Stacks by their resident pages, as far as they are known
 * (coroutine.c); 16 is the size of an entry of pending.c.
 */
size_t wf_instance_memory(const struct wf_instance *instance)
{
	const struct wf *wf = &instance->wf;

	return sizeof(*instance) + wf->arena.held + wf->task.held + wf->stack_bytes +
	       (wf->timers.room + wf->activities.room + wf->children.room + wf->signals_sent.room +
		       wf->cancels.room + wf->operations.room) *
		       16;
}

/*
 * Commands are one array, as the engine takes them. What it outgrows stays in the task's arena
 * until the answer was given. On failure the room is as before, which run_command() sees.
 */
static void command_grow(struct wf *wf)
{
	size_t room = wf->commands_room ? wf->commands_room * 2 : 4;
	struct command *commands = arena_array(&wf->task, room, sizeof(*commands));

	if (!commands)
		return;
	for (size_t i = 0; i < wf->n_commands; i++)
		commands[i] = wf->commands[i];
	wf->commands = commands;
	wf->commands_room = room;
}

struct command *run_command(struct wf *wf, enum command_kind kind)
{
	if (wf->n_commands == wf->commands_room)
		command_grow(wf);
	if (wf->n_commands == wf->commands_room)
		return NULL;
	struct command *command = &wf->commands[wf->n_commands++];
	*command = (struct command){ .kind = kind };
	return command;
}

/*
 * The first that ends the run counts: a handler that fails later changes nothing any more. That the
 * commands of what still runs go with it all the same is the engine's affair: it puts this one last
 * (engine/commands.c).
 */
struct command *run_last_command(struct wf *wf, enum command_kind kind)
{
	if (wf->finished)
		return NULL;
	struct command *command = run_command(wf, kind);
	if (command)
		wf->finished = true;
	else
		run_out_of_memory(wf);
	return command;
}

/*
 * Reaches the run's function alone; what that has started hears of it by what it waits for.
 * Handlers go on: they belong to those who have called them. The first reason stays, as
 * cancellation is delivered once.
 */
static void cancel_run(struct wf *wf, const char *reason)
{
	const char *copy = arena_strdup(&wf->arena, reason);

	if (!copy) {
		run_out_of_memory(wf);
		return;
	}
	if (!wf->cancel_reason)
		wf->cancel_reason = copy;
	if (wf->main)
		cancel_coroutine(wf, wf->main, false);
}

/*
 * Kinds that the language has no functions for yet cannot come, as only commands bring them about.
 * If one does, the engine and this file disagree, and the task fails.
 */
static void apply(struct wf *wf, const struct activation_job *job)
{
	switch (job->kind) {
	case JOB_INITIALIZE_WORKFLOW:
		initialize_start(wf);
		break;
	case JOB_FIRE_TIMER:
		timer_fire(wf, job->fire_timer.seq);
		break;
	case JOB_UPDATE_RANDOM_SEED:
		random_seed(wf->random, job->update_random_seed.seed);
		break;
	case JOB_QUERY_WORKFLOW:
		query_apply(wf, &job->query);
		break;
	case JOB_CANCEL_WORKFLOW:
		cancel_run(wf, job->cancel.reason);
		break;
	case JOB_SIGNAL_WORKFLOW:
		signal_apply(wf, &job->signal);
		break;
	case JOB_RESOLVE_ACTIVITY:
		activity_resolve(wf, job->resolve_activity.seq, &job->resolve_activity.result);
		break;
	case JOB_DO_UPDATE:
		update_apply(wf, &job->update);
		break;
	case JOB_NOTIFY_HAS_PATCH:
		patch_known(wf, job->has_patch.patch_id);
		break;
	case JOB_RESOLVE_CHILD_START:
		child_started(wf, &job->resolve_child_start);
		break;
	case JOB_RESOLVE_CHILD:
		child_resolve(wf, job->resolve_child.seq, &job->resolve_child.result);
		break;
	case JOB_RESOLVE_SIGNAL_EXTERNAL:
		external_resolve(wf, &wf->signals_sent, job->resolve_signal_external.seq,
			job->resolve_signal_external.failure);
		break;
	case JOB_RESOLVE_CANCEL_EXTERNAL:
		external_resolve(wf, &wf->cancels, job->resolve_cancel_external.seq,
			job->resolve_cancel_external.failure);
		break;
	case JOB_RESOLVE_NEXUS_START:
		operation_started(wf, job);
		break;
	case JOB_RESOLVE_NEXUS:
		operation_resolve(wf, job->resolve_nexus.seq, &job->resolve_nexus.result);
		break;
	case JOB_REMOVE_FROM_CACHE:
		break;
	default:
		run_break(wf, "InternalError",
			"a job of kind %d came, for nothing this run has started", (int)job->kind);
	}
}

/*
 * The queue may grow while it is worked on. A broken run stops between two coroutines: none of them
 * is to see a state that an earlier one has left half done.
 */
static void run_ready(struct wf *wf)
{
	while (wf->ready && !wf->broken) {
		struct coroutine *next = wf->ready;

		wf->ready = next->next_ready;
		if (!wf->ready)
			wf->ready_end = &wf->ready;
		next->ready = false;
		coroutine_step(wf, next);
	}
}

/*
 * Conditions are looked at only when nothing is ready, as Python's loop does. The result is a fixed
 * point: nothing is ready, and no condition that somebody waits for holds. The order is part of the
 * dialect: a condition that is true for a moment only, between two ready coroutines, is not seen,
 * on any replay either.
 */
static void run_until_all_wait(struct wf *wf, bool conditions)
{
	do {
		run_ready(wf);
	} while (!wf->broken && conditions && future_check_conditions(wf));
}

/* As drawn above. */
static int set_of(enum activation_job_kind kind)
{
	switch (kind) {
	case JOB_NOTIFY_HAS_PATCH:
		return 0;
	case JOB_SIGNAL_WORKFLOW:
	case JOB_DO_UPDATE:
		return 1;
	case JOB_QUERY_WORKFLOW:
		return 3;
	default:
		return 2;
	}
}

/*
 * An empty set runs nothing, not even a look at the conditions: how often they are looked at is
 * part of the dialect.
 */
static void apply_set(struct wf *wf, const struct activation *activation, int set)
{
	bool any = false;

	for (size_t i = 0; i < activation->n_jobs && !wf->broken; i++) {
		if (set_of(activation->jobs[i].kind) != set)
			continue;
		any = true;
		apply(wf, &activation->jobs[i]);
	}
	if (any)
		run_until_all_wait(wf, set == 1 || set == 2);
}

static const struct activation_job *job_of_kind(
	const struct activation *activation, enum activation_job_kind kind)
{
	for (size_t i = 0; i < activation->n_jobs; i++) {
		if (activation->jobs[i].kind == kind)
			return &activation->jobs[i];
	}
	return NULL;
}

/* Definition and arguments come before any set, since signals (set 1) need the state. */
static bool ready_to_apply(struct wf *wf, const struct activation *activation)
{
	const struct activation_job *first = job_of_kind(activation, JOB_INITIALIZE_WORKFLOW);

	if (wf->broken) {
		run_break(wf, "InternalError", "the run's task has failed before");
		return false;
	}
	if (first && wf->definition) {
		run_break(wf, "InternalError", "the run is started for a second time");
		return false;
	}
	if (first)
		return initialize_run(wf, activation, first->initialize);
	if (!wf->definition)
		run_break(wf, "InternalError", "the run's first activation does not start it");
	return !wf->broken;
}

/*
 * The completion is failed, or has all commands since the activation began; never both, since a
 * task that has failed has done nothing.
 *
 * An eviction ends the coroutines where they stand and gives no command; the instance is then good
 * for nothing but to be freed.
 */
static const struct completion *activate(struct wf *wf, const struct activation *activation)
{
	arena_reset(&wf->task);
	arena_reset(&wf->thread->scratch);
	wf->commands = NULL;
	wf->n_commands = wf->commands_room = 0;
	wf->completion = (struct completion){ .failed = false };
	if (job_of_kind(activation, JOB_REMOVE_FROM_CACHE)) {
		coroutine_end_all(wf);
		return &wf->completion;
	}
	bool was_finished = wf->finished;
	initialize_now(wf, activation);
	if (ready_to_apply(wf, activation)) {
		for (int set = 0; set <= 3 && !wf->broken; set++)
			apply_set(wf, activation, set);
	}
	future_keep_results(wf);
	if (wf->completion.failed)
		outcome_of_failure(wf);
	if (wf->finished && !was_finished && wf->handlers_running)
		wf_log(wf, TEMPORAL_LOG_WARN,
			"The run ends while %u of its handlers are at work: wf_wait_handlers waits "
			"for them",
			wf->handlers_running);
	if (!wf->completion.failed) {
		wf->completion.commands = wf->commands;
		wf->completion.n_commands = wf->n_commands;
		wf->completion.versioning_behavior = outcome_versioning(wf);
	}
	return &wf->completion;
}

const struct completion *wf_instance_activate(
	struct wf_instance *instance, const struct activation *activation)
{
	struct wf *wf = &instance->wf;

	wf->thread->running = wf;
	const struct completion *completion = activate(wf, activation);

	wf->thread->running = NULL;
	return completion;
}

static const char *known(const char *text)
{
	return text ? text : "";
}

bool wf_thread_where(const struct wf_thread *thread, struct wf_where *where)
{
	const struct wf *wf = thread->running;

	if (!wf)
		return false;
	const struct coroutine *current = wf->current;

	*where = (struct wf_where){ .workflow_type = known(wf->info.workflow_type),
		.workflow_id = known(wf->info.workflow_id),
		.run_id = known(wf->info.run_id),
		.coroutine = current ? known(current->class->name) : "",
		.handler = current ? known(current->name) : "" };
	return true;
}

bool wf_thread_overflows(const struct wf_thread *thread, const void *address)
{
	return co_is_overflow(thread->pool, address);
}

/*
 * Every function that acts comes here first. A compiler with the contracts has seen most mistakes
 * (a query has a const struct wf *), but a cast or a pointer kept in the state gets around it.
 *
 * Called from no coroutine at all (another thread, a signal handler) there is nobody to fail: going
 * on would corrupt the run silently, so the process ends.
 */
void run_acts(struct wf *wf, const char *verb)
{
	if (!wf->current) {
		fprintf(stderr,
			"temporal: %s was called by something that is no coroutine of the run\n",
			verb);
		abort();
	}
	if (!wf->current->read_only)
		return;
	coroutine_raise(
		wf, (wf_failure)(wf, "ReadOnly", "%s: a query or a validator must not act", verb));
}

/*
 * A coroutine's own, which wf_mark exchanges; outside any, as in the decoding of a signal, the
 * run's.
 */
struct arena *run_arena(struct wf *wf)
{
	return wf->current ? wf->current->arena : &wf->arena;
}

/*
 * The const of the API says what code may do, not what memory is written to: functions that only
 * look still allocate what they return. The object itself is never const.
 */
struct wf *run_of(const struct wf *wf)
{
	return (struct wf *)(uintptr_t)wf;
}

/* The exact name before the one for all. Lists are short and fixed, so they are walked. */
const struct temporal_handler *handler_find(
	const struct wf *wf, enum temporal_definition definition, const char *name)
{
	const struct temporal_handler *for_all = NULL;

	if (!wf->definition->handlers)
		return NULL;
	for (size_t i = 0; wf->definition->handlers[i]; i++) {
		const struct temporal_handler *each = wf->definition->handlers[i];

		if (each->definition != definition)
			continue;
		if (str_same(handler_name(each), name))
			return each;
		if (str_empty(handler_name(each)))
			for_all = each;
	}
	return for_all;
}

const char *handler_name(const struct temporal_handler *handler)
{
	if (handler->contract)
		return handler->contract->name;
	return handler->name ? handler->name : "";
}
