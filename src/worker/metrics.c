/*
 * metrics.c: counts what a worker does; metrics_series.c says under which names, docs/metrics.md
 * explains each.
 *
 * A run or an attempt holds its set of series from its task on, so that counting is an atomic
 * addition on whatever thread it happens. The timer and all look-ups of sets are the loop's.
 *
 * Latencies that begin at the server are measured between the server's own times where the task has
 * both, else with this machine's clock.
 */
#include "worker/metrics.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "proto/time.h"
#include "rpc/loop.h"
#include "worker/metrics_series.h"

#define NONDETERMINISM \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
#define TICK_NS (INT64_C(1000) * 1000000)
#define SOON_NS (INT64_C(100) * 1000000) /* while it is not ready */

static void add(const struct worker_metrics_set *set, enum worker_series series)
{
	if (set)
		metrics_add(set->series[series], 1);
}

static void observe(const struct worker_metrics_set *set, enum worker_series series, int64_t ns)
{
	if (set)
		metrics_observe(set->series[series], ns);
}

/* ---- times ---- */

/* From one of the server's times to another. */
static void observe_between(const struct worker_metrics_set *set, enum worker_series series,
	int64_t from_ns, int64_t to_ns)
{
	if (from_ns > 0 && to_ns > 0)
		observe(set, series, to_ns - from_ns);
}

/* ---- life ---- */

bool worker_metrics_init(struct temporal_worker *worker)
{
	struct temporal_metrics *registry = client_metrics(worker->client);

	if (!registry)
		return true;
	worker->metrics = mem_zalloc(sizeof(*worker->metrics));
	if (!worker->metrics)
		return false;
	worker->metrics->worker = worker;
	worker->metrics->metrics = registry; /* the client's reference, and we have one to that */
	worker->metrics->own = worker_metrics_set_new(worker->metrics, GROUP_WORKER, "", "");
	return worker->metrics->own != NULL;
}

void worker_metrics_finish(struct temporal_worker *worker)
{
	struct worker_metrics *metrics = worker->metrics;

	if (!metrics)
		return;
	worker_metrics_sets_finish(metrics);
	mem_free(metrics);
	worker->metrics = NULL;
}

/* A worker that has no slot left for a poll is busy, which is as good as polling. */
static bool is_ready(const struct temporal_worker *worker)
{
	const struct worker_pollers *pollers = &worker->pollers;

	if (worker->phase != WORKER_RUNNING)
		return false;
	for (size_t i = 0; i < pollers->n_polls; i++) {
		if (pollers->polls[i].call && rpc_is_out(pollers->polls[i].call))
			return true;
	}
	return pollers->active == 0;
}

static void on_tick(struct rpc_timer *timer)
{
	struct worker_metrics *metrics =
		(struct worker_metrics *)((char *)timer - offsetof(struct worker_metrics, tick));
	bool ready = is_ready(metrics->worker);
	int64_t now_ns = rpc_now_ns();

	atomic_store(&metrics->probe.beat_ns, now_ns);
	atomic_store(&metrics->probe.ready, ready);
	rpc_timer_set(metrics->worker->loop, &metrics->tick, now_ns + (ready ? TICK_NS : SOON_NS),
		on_tick);
}

void worker_metrics_started(struct temporal_worker *worker)
{
	struct worker_metrics *metrics = worker->metrics;

	if (!metrics)
		return;
	add(metrics->own, STARTS);
	if (temporal_metrics_port(metrics->metrics) == 0)
		return; /* nobody can ask for the health */
	atomic_store(&metrics->probe.beat_ns, rpc_now_ns());
	metrics_probe_add(metrics->metrics, &metrics->probe);
	metrics->probed = true;
	rpc_timer_set(worker->loop, &metrics->tick, rpc_now_ns() + SOON_NS, on_tick);
}

void worker_metrics_stopped(struct temporal_worker *worker)
{
	struct worker_metrics *metrics = worker->metrics;

	if (!metrics)
		return;
	rpc_timer_stop(&metrics->tick);
	if (metrics->probed)
		metrics_probe_remove(metrics->metrics, &metrics->probe);
	for (int i = POLLERS_WORKFLOW; i <= CACHE_SIZE; i++)
		metrics_set(metrics->own->series[i], 0);
}

/* ---- polls, slots, cache ---- */

static void set_slots(const struct worker_metrics_set *own, enum worker_series available,
	enum worker_series used, const struct worker_slots *slots, unsigned polls)
{
	/* The slot that a poll holds has no task yet. */
	unsigned busy = slots->used > polls ? slots->used - polls : 0;

	int32_t left = slots->supplier ? worker_slots_available(slots)
				       : (int32_t)(slots->max > busy ? slots->max - busy : 0);

	metrics_set(own->series[used], busy);
	if (left >= 0) /* else nobody knows */
		metrics_set(own->series[available], left);
}

void worker_metrics_levels_(struct temporal_worker *worker)
{
	const struct worker_metrics_set *own = worker->metrics->own;
	const struct worker_pollers *pollers = &worker->pollers;
	unsigned normal = pollers->balance.active[WORKER_QUEUE_NORMAL];
	unsigned sticky = pollers->balance.active[WORKER_QUEUE_STICKY];

	metrics_set(own->series[POLLERS_WORKFLOW], normal);
	metrics_set(own->series[POLLERS_STICKY], sticky);
	metrics_set(own->series[POLLERS_ACTIVITY], pollers->activities);
	set_slots(own, AVAILABLE_WORKFLOW, USED_WORKFLOW, &worker->workflow_slots, normal + sticky);
	set_slots(own, AVAILABLE_ACTIVITY, USED_ACTIVITY, &worker->activity_slots,
		pollers->activities);
	set_slots(own, AVAILABLE_LOCAL, USED_LOCAL, &worker->local_slots, 0);
	metrics_set(own->series[POLLERS_NEXUS], pollers->nexus);
	set_slots(own, AVAILABLE_NEXUS, USED_NEXUS, &worker->nexus_slots, pollers->nexus);
	metrics_set(own->series[CACHE_SIZE], (int64_t)worker->cache.count);
	if (worker->phase != WORKER_RUNNING)
		atomic_store_explicit(&worker->metrics->probe.ready, false, memory_order_relaxed);
}

void worker_metrics_polled_(struct temporal_worker *worker, bool activity, bool task)
{
	const struct worker_metrics_set *own = worker->metrics->own;

	if (!activity)
		add(own, task ? WORKFLOW_POLLS : WORKFLOW_POLLS_EMPTY);
	else if (!task)
		add(own, ACTIVITY_POLLS_EMPTY);
}

void worker_metrics_evicted_(struct temporal_worker *worker)
{
	add(worker->metrics->own, EVICTIONS);
}

/* ---- workflow tasks ---- */

static const char *workflow_type_of(const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	return task->workflow_type && task->workflow_type->name ? task->workflow_type->name : "";
}

/* The history continues where an earlier task ended. */
static bool is_partial(const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	const History__History *history = task->history;

	return history && history->n_events > 0 && history->events[0]->event_id > 1;
}

void worker_metrics_workflow_task_(struct temporal_worker *worker,
	const Workflowservice__PollWorkflowTaskQueueResponse *task, bool cached)
{
	struct worker_metrics *metrics = worker->metrics;

	observe_between(metrics->own, WORKFLOW_QUEUED,
		proto_timestamp_ns_or(task->scheduled_time, 0),
		proto_timestamp_ns_or(task->started_time, 0));
	if (!is_partial(task))
		return;
	if (cached)
		add(worker_metrics_set_of(metrics, GROUP_WORKFLOW, "", workflow_type_of(task)),
			CACHE_HITS);
	else
		add(metrics->own, CACHE_MISSES);
}

void worker_metrics_begins_(
	struct worker_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	run->metrics = worker_metrics_set_of(
		run->worker->metrics, GROUP_WORKFLOW, "", workflow_type_of(task));
}

void worker_metrics_activation_(struct worker_run *run, const struct activation *activation)
{
	if (activation->n_jobs > 0 && activation->jobs[0].kind == JOB_INITIALIZE_WORKFLOW)
		run->started_ns = activation->jobs[0].initialize->start_time_ns;
	if (run->replayed && !activation->is_replaying)
		observe(run->metrics, WORKFLOW_REPLAY, rpc_now_ns() - run->begun_ns);
	run->replayed = activation->is_replaying;
}

void worker_metrics_answered_(struct worker_run *run)
{
	observe(run->metrics, WORKFLOW_TASK, rpc_now_ns() - run->begun_ns);
}

void worker_metrics_failing_(struct worker_run *run)
{
	bool nondeterminism = run->step.failed && run->step.failed->cause == NONDETERMINISM;

	add(run->metrics, nondeterminism ? TASKS_NONDETERMINISTIC : TASKS_FAILED);
	worker_metrics_evicted(run->worker);
}

static bool is_benign(const Failure__Failure *failure)
{
	return failure &&
	       failure->failure_info_case ==
		       FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO &&
	       failure->application_failure_info->category ==
		       ENUMS__APPLICATION_ERROR_CATEGORY__APPLICATION_ERROR_CATEGORY_BENIGN;
}

void worker_metrics_completed_(struct worker_run *run, const Command__Command *command)
{
	switch (command->command_type) {
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
		add(run->metrics, WORKFLOWS_COMPLETED);
		break;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
		if (!is_benign(command->fail_workflow_execution_command_attributes->failure))
			add(run->metrics, WORKFLOWS_FAILED);
		break;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
		add(run->metrics, WORKFLOWS_CANCELED);
		break;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		add(run->metrics, WORKFLOWS_CONTINUED);
		break;
	default:
		return;
	}
	observe_between(run->metrics, WORKFLOW_RUN, run->started_ns, clock_epoch_ns());
}

/* ---- attempts ---- */

void worker_metrics_attempt_begins_(struct act *act)
{
	struct worker_metrics *metrics = act->worker->metrics;
	const struct act_info *info = &act->info;

	act->metrics = worker_metrics_set_of(metrics, act->is_local ? GROUP_LOCAL : GROUP_ACTIVITY,
		info->activity_type, info->workflow_type);
	act->received_ns = rpc_now_ns();
	if (act->is_local) {
		add(act->metrics, LOCALS);
		return;
	}
	add(act->metrics, act->eager ? ACTIVITIES_EAGER : ACTIVITIES);
	observe_between(metrics->own, ACTIVITY_QUEUED, info->attempt_scheduled_time_ns,
		info->started_time_ns);
}

static void local_ends(const struct act *act, const struct temporal_failure *failure)
{
	observe(act->metrics, LOCAL_RUN, rpc_now_ns() - act->received_ns);
	if (!failure)
		observe_between(
			act->metrics, LOCAL_ALL, act->info.scheduled_time_ns, clock_epoch_ns());
	else if (failure->kind == TEMPORAL_FAILURE_CANCELLED &&
		 act_cancel_reason(act) != ACT_TIMED_OUT)
		add(act->metrics, LOCALS_CANCELLED);
	else if (failure->category != TEMPORAL_CATEGORY_BENIGN)
		add(act->metrics, LOCALS_FAILED);
}

void worker_metrics_attempt_ends_(struct act *act, const struct temporal_failure *failure)
{
	if (act->is_local) {
		local_ends(act, failure);
		return;
	}
	observe(act->metrics, ACTIVITY_RUN, rpc_now_ns() - act->received_ns);
	if (!failure && !act->later)
		observe_between(
			act->metrics, ACTIVITY_ALL, act->info.scheduled_time_ns, clock_epoch_ns());
	else if (failure && failure->kind != TEMPORAL_FAILURE_CANCELLED &&
		 failure->category != TEMPORAL_CATEGORY_BENIGN)
		add(act->metrics, ACTIVITIES_FAILED);
}

/* ---- Nexus tasks ---- */

void worker_metrics_nexus_poll_empty_(struct temporal_worker *worker)
{
	add(worker->metrics->own, NEXUS_POLLS_EMPTY);
}

void worker_metrics_nexus_begins_(struct nexus *nexus)
{
	observe_between(nexus->worker->metrics->own, NEXUS_QUEUED, nexus->info.scheduled_time_ns,
		clock_epoch_ns());
}

void worker_metrics_nexus_answered_(struct nexus *nexus)
{
	observe_between(nexus->worker->metrics->own, NEXUS_ALL, nexus->info.scheduled_time_ns,
		clock_epoch_ns());
}

void worker_metrics_nexus_ends_(struct nexus *nexus)
{
	struct worker_metrics *metrics = nexus->worker->metrics;

	observe(metrics->own, NEXUS_RUN, nexus->execution_ns);
	if (nexus->reason)
		add(worker_metrics_set_of(metrics, GROUP_NEXUS, nexus->reason, ""), NEXUS_FAILED);
}
