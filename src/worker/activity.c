/*
 * activity.c: the life of an attempt, as the loop sees it: takes an activity task, has it run on a
 * thread of the pool, and frees it when it has been answered.
 *
 *	loop    poll or eager task -> [act] ..................... [answered] -> freed
 *	thread                          `-> decode, run, encode -> RPC --^
 *
 * activity_info.c reads the task, activity_execute.c is the thread's part, and activity_answer.c
 * the RPC. An attempt that the server does not know any more, or that somebody else will complete,
 * is not answered at all.
 */
#include "worker/activity.h"

#include "base/error.h"
#include "worker/act.h"
#include "worker/event.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/options.h"
#include "worker/run.h"
#include "worker/thread.h"
#include "worker/worker.h"

struct temporal_worker_event worker_activity_event(
	const struct act *act, enum temporal_worker_event_kind kind)
{
	return (struct temporal_worker_event){
		.kind = kind,
		.workflow_type = act->info.workflow_type,
		.workflow_id = act->info.workflow_id,
		.run_id = act->info.run_id,
		.activity_type = act->info.activity_type,
		.activity_id = act->info.activity_id,
		.attempt = act->info.attempt,
	};
}

/* ---- the loop: the end ---- */

/* Gives the memory, in which the attempt itself lies too. */
static struct arena take_apart(struct act *act)
{
	*act->link = act->next;
	if (act->next)
		act->next->link = act->link;
	pthread_cond_destroy(&act->cancelled);
	pthread_mutex_destroy(&act->lock);
	arena_finish(&act->beat_arena);
	return act->arena;
}

void worker_activity_try_free(struct act *act)
{
	struct temporal_worker *worker = act->worker;

	if (!act->ended || !worker_heartbeat_over(act))
		return;
	struct arena arena = take_apart(act);

	arena_finish(&arena);
	worker_advance(worker);
}

struct temporal_slot_use worker_activity_use(const struct act *act)
{
	return (struct temporal_slot_use){ .workflow_type = act->info.workflow_type,
		.activity_type = act->info.activity_type,
		.nexus_service = "",
		.nexus_operation = "" };
}

void worker_activity_end(struct act *act)
{
	struct temporal_worker *worker = act->worker;
	const struct temporal_slot_use use = worker_activity_use(act);

	worker_heartbeat_end(act);
	worker->n_eager -= act->eager;
	worker_count_task(worker, TEMPORAL_SLOT_ACTIVITY, act->failed);
	worker_slots_return(&worker->activity_slots, &act->slot, &use);
	rpc_timer_stop(&act->kill_timer);
	act->ended = true;
	worker_activity_try_free(act);
	worker_pollers_pump(worker);
}

static void end_posted(struct rpc_task *task)
{
	worker_activity_end((struct act *)((char *)task - offsetof(struct act, end_task)));
}

/* ---- the loop: the beginning ---- */

static void run_posted(struct rpc_task *task)
{
	worker_activity_execute((struct act *)((char *)task - offsetof(struct act, run_task)));
}

static void run_in_pool(struct worker_pool_job *job)
{
	worker_activity_execute((struct act *)((char *)job - offsetof(struct act, job)));
}

static bool sync_init(struct act *act)
{
	if (pthread_mutex_init(&act->lock, NULL) != 0)
		return false;
	if (worker_condition_init(&act->cancelled))
		return true;
	pthread_mutex_destroy(&act->lock);
	return false;
}

static struct act *act_new(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena)
{
	struct act *act = ARENA_NEW(arena, struct act);

	if (!act)
		return NULL;
	act->worker = worker;
	act->plenty = worker_slots_plenty(&worker->activity_slots);
	act->blob_max = worker->oversize.blob_max;
	act->task = task;
	act->arena = *arena;
	act->arena.budget = act->arena.held + WORKER_ACTIVITY_MEMORY_MAX;
	act->end_task.run = end_posted;
	arena_init(&act->beat_arena, WORKER_ARENA_FIRST, WORKER_ACTIVITY_MEMORY_MAX);
	bool filled = worker_activity_info(act);

	*arena = act->arena; /* whatever happens next, the caller's is up to date */
	if (!filled || !sync_init(act))
		return NULL;
	act->definition = worker_options_activity(&worker->opts, act->info.activity_type);
	act->isolated = worker->isolate && act->definition &&
			worker_isolates(&worker->opts, act->definition);
	*arena = (struct arena){ 0 };
	return act;
}

struct act *worker_activity_isolated(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct isolate_link *link)
{
	struct act *act = act_new(worker, task, arena);

	if (act)
		act->inside = link;
	return act;
}

void worker_activity_isolated_free(struct act *act)
{
	pthread_cond_destroy(&act->cancelled);
	pthread_mutex_destroy(&act->lock);
	arena_finish(&act->beat_arena);
	struct arena arena = act->arena; /* the attempt itself lies in it */

	arena_finish(&arena);
}

/* On the loop, in the pool: it runs from here on. */
static void begin(struct act *act, const struct worker_slot *slot)
{
	struct temporal_worker *worker = act->worker;
	const struct temporal_slot_use use = worker_activity_use(act);

	act->slot = *slot;
	worker_slots_use(
		act->is_local ? &worker->local_slots : &worker->activity_slots, &act->slot, &use);

	act->next = worker->acts;
	act->link = &worker->acts;
	if (act->next)
		act->next->link = &act->next;
	worker->acts = act;
	worker_event(worker, worker_activity_event(act, TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED));
	worker_metrics_attempt_begins(act);
	if (act->is_local)
		act->beat_state = WORKER_BEAT_CLOSED; /* it has none; timeouts are local.c's */
	else
		worker_heartbeat_begin(act);
	if (worker->cancels_activities)
		worker_act_cancel(act, ACT_WORKER_SHUTDOWN, false);
}

static bool run(struct act *act)
{
	struct temporal_worker *worker = act->worker;

	act->job.run = run_in_pool;
	if (!worker->opts.short_activities)
		return worker_pool_run(&worker->pool, &act->job);
	act->run_task.run = run_posted;
	rpc_loop_post(worker->loop, &act->run_task);
	return true;
}

void worker_activity_task(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, bool eager)
{
	struct act *act = act_new(worker, task, arena);

	if (!act) {
		/* The server gives the task out again when it has timed out. */
		worker_log(
			worker, TEMPORAL_LOG_ERROR, "no memory for activity %s", task->activity_id);
		worker->n_eager -= eager;
		worker_slots_return_unused(&worker->activity_slots, slot);
		return;
	}
	act->eager = eager;
	begin(act, slot);
	if (!run(act))
		worker_activity_answer_failure(
			act, act_failure(act, "RESOURCE_EXHAUSTED",
				     "the worker can start no thread for the activity"));
}

struct act *worker_activity_local(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, struct worker_local *local,
	const struct local_request *request)
{
	struct act *act = act_new(worker, task, arena);

	if (!act)
		return NULL;
	act->is_local = true;
	act->local = local;
	act->request = engine_local_hold(request);
	begin(act, slot);
	if (!worker->opts.short_activities && !run(act))
		worker_local_end(act,
			worker_activity_failure(
				act, act_failure(act, "RESOURCE_EXHAUSTED",
					     "the worker can start no thread for the activity")),
			NULL);
	return act;
}

/* No call or timer is on its way: heartbeats were closed when it began. */
void worker_activity_end_local(struct act *act, struct arena *arena)
{
	rpc_timer_stop(&act->kill_timer);
	engine_local_release(act->request);
	*arena = take_apart(act);
}

void worker_activities_cancel(struct temporal_worker *worker)
{
	struct worker_run *next;

	for (struct act *act = worker->acts; act; act = act->next)
		worker_act_cancel(act, ACT_WORKER_SHUTDOWN, false);
	for (struct worker_run *run = worker->local_runs; run; run = next) {
		next = run->next_local;
		worker_run_stops(run);
	}
}
