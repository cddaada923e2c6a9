/*
 * metrics.c: what a worker counts. The names, labels and bounds are those of the core SDK, so that
 * dashboards made for other SDKs fit; docs/metrics.md explains each.
 *
 * `metrics` below is the one table of series: one entry each, grouped by the labels they have
 * besides namespace and task queue. A group's series are looked up together, once for each value of
 * these labels, and kept in a set; a run or an attempt holds its set from its task on, so that
 * counting is an atomic addition on whatever thread it happens.
 *
 * Whose is what: the table of sets, the timer and all lookups are the loop's; a set does not change
 * once it is made. Types are named by servers: after SETS_MAX of them the rest share a set.
 *
 * Latencies that begin at the server are measured between the server's own times where the task has
 * both, else with this machine's clock.
 */
#include "worker/metrics.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "client/client.h"
#include "client/metrics.h"
#include "rpc/loop.h"

#define BUCKETS  256
#define SETS_MAX 1000
#define NONDETERMINISM \
	ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
#define OTHERS     "(others)"
#define TICK_NS    (INT64_C(1000) * 1000000)
#define SOON_NS    (INT64_C(100) * 1000000) /* while it is not ready */
#define SECONDS_NS INT64_C(1000000000)

/* ---- the names ---- */

#define COUNTER(name_, help_) \
	static const struct metrics_desc name_ = { #name_, help_, TEMPORAL_METRIC_COUNTER, NULL, 0 }
#define GAUGE(name_, help_) \
	static const struct metrics_desc name_ = { #name_, help_, TEMPORAL_METRIC_GAUGE, NULL, 0 }
#define HISTOGRAM(name_, help_, bounds_, n_) \
	static const struct metrics_desc name_ = { #name_, help_, TEMPORAL_METRIC_HISTOGRAM, \
		bounds_, n_ }

static const int64_t run_bounds[] = { 100, 500, 1000, 1500, 2000, 5000, 10000, 30000, 60000, 120000,
	300000, 600000, 1800000, 3600000, 30600000, 86400000 };
static const int64_t task_bounds[] = { 1, 10, 20, 50, 100, 200, 500, 1000 };
static const int64_t attempt_bounds[] = { 50, 100, 500, 1000, 5000, 10000, 60000 };
static const int64_t queue_bounds[] = { 100, 500, 1000, 5000, 10000, 100000, 1000000 };

COUNTER(worker_start, "Workers that were started.");
GAUGE(num_pollers, "Polls that wait at the server.");
GAUGE(worker_task_slots_available, "Slots without a task.");
GAUGE(worker_task_slots_used, "Slots with a task.");
GAUGE(sticky_cache_size, "Runs in the cache.");
COUNTER(sticky_cache_miss, "Tasks with a partial history whose run was not in the cache.");
COUNTER(sticky_cache_total_forced_eviction, "Runs that left the cache before they ended.");
COUNTER(workflow_task_queue_poll_succeed, "Polls that brought a workflow task.");
COUNTER(workflow_task_queue_poll_empty, "Polls for workflow tasks that brought none.");
HISTOGRAM(workflow_task_schedule_to_start_latency, "How long workflow tasks were queued.",
	queue_bounds, 7);
COUNTER(activity_poll_no_task, "Polls for activity tasks that brought none.");
HISTOGRAM(activity_schedule_to_start_latency, "How long activity tasks were queued.", queue_bounds,
	7);
COUNTER(workflow_completed, "Workflows that completed.");
COUNTER(workflow_canceled, "Workflows that ended as cancelled.");
COUNTER(workflow_failed, "Workflows that failed.");
COUNTER(workflow_continue_as_new, "Workflows that continued as new.");
HISTOGRAM(workflow_endtoend_latency, "From a run's start to its end.", run_bounds, 16);
HISTOGRAM(workflow_task_execution_latency, "From a workflow task's arrival to its answer.",
	task_bounds, 8);
HISTOGRAM(workflow_task_replay_latency, "How long history was replayed before a task.", task_bounds,
	8);
COUNTER(workflow_task_execution_failed, "Workflow tasks that failed.");
COUNTER(sticky_cache_hit, "Tasks whose run was in the cache.");
COUNTER(activity_task_received, "Activity tasks that came.");
COUNTER(activity_execution_failed, "Attempts of activities that failed.");
HISTOGRAM(activity_execution_latency, "From an activity task's arrival to its end.", attempt_bounds,
	7);
HISTOGRAM(activity_succeed_endtoend_latency, "From an activity's schedule to its success.",
	client_metrics_bounds, CLIENT_METRICS_BOUNDS);
COUNTER(local_activity_total, "Attempts of local activities.");
COUNTER(local_activity_execution_cancelled, "Local activities that were cancelled.");
COUNTER(local_activity_execution_failed, "Attempts of local activities that failed.");
HISTOGRAM(local_activity_execution_latency, "How long attempts of local activities ran.",
	client_metrics_bounds, CLIENT_METRICS_BOUNDS);
HISTOGRAM(local_activity_succeed_endtoend_latency,
	"From a local activity's schedule to its success.", client_metrics_bounds,
	CLIENT_METRICS_BOUNDS);
COUNTER(nexus_poll_no_task, "Polls for Nexus tasks that brought none.");
HISTOGRAM(nexus_task_schedule_to_start_latency, "How long Nexus tasks were queued.",
	client_metrics_bounds, CLIENT_METRICS_BOUNDS);
HISTOGRAM(nexus_task_execution_latency, "How long handlers of Nexus tasks ran.",
	client_metrics_bounds, CLIENT_METRICS_BOUNDS);
HISTOGRAM(nexus_task_endtoend_latency, "From a Nexus task's schedule to its answer.",
	client_metrics_bounds, CLIENT_METRICS_BOUNDS);
COUNTER(nexus_task_execution_failed, "Nexus tasks that failed.");

/* Which labels a series has besides namespace, task queue, and one of its own. */
enum group {
	GROUP_WORKER,   /* none */
	GROUP_WORKFLOW, /* workflow_type */
	GROUP_ACTIVITY, /* activity_type, workflow_type */
	GROUP_LOCAL,    /* the same */
	GROUP_NEXUS,    /* failure_reason */
};

enum series {
	STARTS,
	POLLERS_WORKFLOW,
	POLLERS_STICKY,
	POLLERS_ACTIVITY,
	POLLERS_NEXUS,
	AVAILABLE_WORKFLOW,
	AVAILABLE_ACTIVITY,
	AVAILABLE_LOCAL,
	AVAILABLE_NEXUS,
	USED_WORKFLOW,
	USED_ACTIVITY,
	USED_LOCAL,
	USED_NEXUS,
	CACHE_SIZE,
	CACHE_MISSES,
	EVICTIONS,
	WORKFLOW_POLLS,
	WORKFLOW_POLLS_EMPTY,
	WORKFLOW_QUEUED,
	ACTIVITY_POLLS_EMPTY,
	ACTIVITY_QUEUED,
	WORKFLOWS_COMPLETED,
	WORKFLOWS_CANCELED,
	WORKFLOWS_FAILED,
	WORKFLOWS_CONTINUED,
	WORKFLOW_RUN,
	WORKFLOW_TASK,
	WORKFLOW_REPLAY,
	TASKS_FAILED,
	TASKS_NONDETERMINISTIC,
	CACHE_HITS,
	ACTIVITIES,
	ACTIVITIES_EAGER,
	ACTIVITIES_FAILED,
	ACTIVITY_RUN,
	ACTIVITY_ALL,
	LOCALS,
	LOCALS_CANCELLED,
	LOCALS_FAILED,
	LOCAL_RUN,
	LOCAL_ALL,
	NEXUS_POLLS_EMPTY,
	NEXUS_QUEUED,
	NEXUS_RUN,
	NEXUS_ALL,
	NEXUS_FAILED,
	SERIES,
};

static const struct {
	const struct metrics_desc *desc;
	enum group group;
	struct temporal_metric_label own;
} all[SERIES] = {
	[STARTS] = { &worker_start, GROUP_WORKER, { NULL, NULL } },
	[POLLERS_WORKFLOW] = { &num_pollers, GROUP_WORKER, { "poller_type", "workflow_task" } },
	[POLLERS_STICKY] = { &num_pollers, GROUP_WORKER,
		{ "poller_type", "sticky_workflow_task" } },
	[POLLERS_ACTIVITY] = { &num_pollers, GROUP_WORKER, { "poller_type", "activity_task" } },
	[POLLERS_NEXUS] = { &num_pollers, GROUP_WORKER, { "poller_type", "nexus_task" } },
	[AVAILABLE_WORKFLOW] = { &worker_task_slots_available, GROUP_WORKER,
		{ "worker_type", "WorkflowWorker" } },
	[AVAILABLE_ACTIVITY] = { &worker_task_slots_available, GROUP_WORKER,
		{ "worker_type", "ActivityWorker" } },
	[AVAILABLE_LOCAL] = { &worker_task_slots_available, GROUP_WORKER,
		{ "worker_type", "LocalActivityWorker" } },
	[AVAILABLE_NEXUS] = { &worker_task_slots_available, GROUP_WORKER,
		{ "worker_type", "NexusWorker" } },
	[USED_WORKFLOW] = { &worker_task_slots_used, GROUP_WORKER,
		{ "worker_type", "WorkflowWorker" } },
	[USED_ACTIVITY] = { &worker_task_slots_used, GROUP_WORKER,
		{ "worker_type", "ActivityWorker" } },
	[USED_LOCAL] = { &worker_task_slots_used, GROUP_WORKER,
		{ "worker_type", "LocalActivityWorker" } },
	[USED_NEXUS] = { &worker_task_slots_used, GROUP_WORKER, { "worker_type", "NexusWorker" } },
	[CACHE_SIZE] = { &sticky_cache_size, GROUP_WORKER, { NULL, NULL } },
	[CACHE_MISSES] = { &sticky_cache_miss, GROUP_WORKER, { NULL, NULL } },
	[EVICTIONS] = { &sticky_cache_total_forced_eviction, GROUP_WORKER, { NULL, NULL } },
	[WORKFLOW_POLLS] = { &workflow_task_queue_poll_succeed, GROUP_WORKER, { NULL, NULL } },
	[WORKFLOW_POLLS_EMPTY] = { &workflow_task_queue_poll_empty, GROUP_WORKER, { NULL, NULL } },
	[WORKFLOW_QUEUED] = { &workflow_task_schedule_to_start_latency, GROUP_WORKER,
		{ NULL, NULL } },
	[ACTIVITY_POLLS_EMPTY] = { &activity_poll_no_task, GROUP_WORKER, { NULL, NULL } },
	[ACTIVITY_QUEUED] = { &activity_schedule_to_start_latency, GROUP_WORKER, { NULL, NULL } },
	[WORKFLOWS_COMPLETED] = { &workflow_completed, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOWS_CANCELED] = { &workflow_canceled, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOWS_FAILED] = { &workflow_failed, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOWS_CONTINUED] = { &workflow_continue_as_new, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOW_RUN] = { &workflow_endtoend_latency, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOW_TASK] = { &workflow_task_execution_latency, GROUP_WORKFLOW, { NULL, NULL } },
	[WORKFLOW_REPLAY] = { &workflow_task_replay_latency, GROUP_WORKFLOW, { NULL, NULL } },
	[TASKS_FAILED] = { &workflow_task_execution_failed, GROUP_WORKFLOW,
		{ "failure_reason", "WorkflowError" } },
	[TASKS_NONDETERMINISTIC] = { &workflow_task_execution_failed, GROUP_WORKFLOW,
		{ "failure_reason", "NonDeterminismError" } },
	[CACHE_HITS] = { &sticky_cache_hit, GROUP_WORKFLOW, { NULL, NULL } },
	[ACTIVITIES] = { &activity_task_received, GROUP_ACTIVITY, { "eager", "false" } },
	[ACTIVITIES_EAGER] = { &activity_task_received, GROUP_ACTIVITY, { "eager", "true" } },
	[ACTIVITIES_FAILED] = { &activity_execution_failed, GROUP_ACTIVITY, { NULL, NULL } },
	[ACTIVITY_RUN] = { &activity_execution_latency, GROUP_ACTIVITY, { NULL, NULL } },
	[ACTIVITY_ALL] = { &activity_succeed_endtoend_latency, GROUP_ACTIVITY, { NULL, NULL } },
	[LOCALS] = { &local_activity_total, GROUP_LOCAL, { NULL, NULL } },
	[LOCALS_CANCELLED] = { &local_activity_execution_cancelled, GROUP_LOCAL, { NULL, NULL } },
	[LOCALS_FAILED] = { &local_activity_execution_failed, GROUP_LOCAL, { NULL, NULL } },
	[LOCAL_RUN] = { &local_activity_execution_latency, GROUP_LOCAL, { NULL, NULL } },
	[LOCAL_ALL] = { &local_activity_succeed_endtoend_latency, GROUP_LOCAL, { NULL, NULL } },
	[NEXUS_POLLS_EMPTY] = { &nexus_poll_no_task, GROUP_WORKER, { NULL, NULL } },
	[NEXUS_QUEUED] = { &nexus_task_schedule_to_start_latency, GROUP_WORKER, { NULL, NULL } },
	[NEXUS_RUN] = { &nexus_task_execution_latency, GROUP_WORKER, { NULL, NULL } },
	[NEXUS_ALL] = { &nexus_task_endtoend_latency, GROUP_WORKER, { NULL, NULL } },
	[NEXUS_FAILED] = { &nexus_task_execution_failed, GROUP_NEXUS, { NULL, NULL } },
};

/* ---- sets ---- */

/* The series of a group for one value of its labels; those of other groups are NULL. */
struct worker_metrics_set {
	struct worker_metrics_set *next; /* worker_metrics.buckets */
	enum group group;
	char *workflow, *activity; /* "" where the group does not have it */
	struct metrics_series *series[SERIES];
};

struct worker_metrics {
	struct temporal_worker *worker;
	struct temporal_metrics *metrics;
	struct worker_metrics_set *own; /* of GROUP_WORKER */
	struct worker_metrics_set *buckets[BUCKETS];
	size_t n_sets;
	struct rpc_timer tick;
	struct metrics_probe probe;
	bool probed;
};

static void set_free(struct worker_metrics_set *set)
{
	if (!set)
		return;
	mem_free(set->workflow);
	mem_free(set->activity);
	mem_free(set);
}

static void look_up(const struct worker_metrics *metrics, struct worker_metrics_set *set)
{
	const struct temporal_worker *worker = metrics->worker;
	bool of_workflow = set->group != GROUP_WORKER && set->group != GROUP_NEXUS;
	struct temporal_metric_label labels[] = { { "namespace", worker->namespace_ },
		{ "task_queue", worker->opts.task_queue },
		{ set->group == GROUP_NEXUS ? "failure_reason" : "activity_type",
			set->group >= GROUP_ACTIVITY ? set->activity : NULL },
		{ "workflow_type", of_workflow ? set->workflow : NULL }, { NULL, NULL } };

	for (int i = 0; i < SERIES; i++) {
		if (all[i].group != set->group)
			continue;
		labels[4] = all[i].own;
		set->series[i] = metrics_series(metrics->metrics, all[i].desc, labels, 5);
	}
}

static struct worker_metrics_set *set_new(const struct worker_metrics *metrics, enum group group,
	const char *activity, const char *workflow)
{
	struct worker_metrics_set *set = mem_zalloc(sizeof(*set));

	if (!set)
		return NULL;
	set->group = group;
	set->workflow = mem_strdup(workflow);
	set->activity = mem_strdup(activity);
	if (!set->workflow || !set->activity) {
		set_free(set);
		return NULL;
	}
	look_up(metrics, set);
	return set;
}

static struct worker_metrics_set **bucket_of(struct worker_metrics *metrics, enum group group,
	const char *activity, const char *workflow)
{
	/* The table is small and bounded: no key could make it slow enough to need a secret. */
	uint64_t hash = siphash13(
		workflow, strlen(workflow), siphash13(activity, strlen(activity), group, 0), 0);

	return &metrics->buckets[hash % BUCKETS];
}

/* The loop's. NULL: no memory; then nothing is counted. */
static const struct worker_metrics_set *set_of(struct worker_metrics *metrics, enum group group,
	const char *activity, const char *workflow)
{
	struct worker_metrics_set **bucket = bucket_of(metrics, group, activity, workflow);
	struct worker_metrics_set *set = *bucket;

	while (set && (set->group != group || strcmp(set->workflow, workflow) != 0 ||
			      strcmp(set->activity, activity) != 0))
		set = set->next;
	if (set)
		return set;
	if (metrics->n_sets >= SETS_MAX && strcmp(workflow, OTHERS) != 0)
		return set_of(metrics, group, group >= GROUP_ACTIVITY ? OTHERS : "", OTHERS);
	set = set_new(metrics, group, activity, workflow);
	if (!set)
		return NULL;
	set->next = *bucket;
	*bucket = set;
	metrics->n_sets++;
	return set;
}

static void add(const struct worker_metrics_set *set, enum series series)
{
	if (set)
		metrics_add(set->series[series], 1);
}

static void observe(const struct worker_metrics_set *set, enum series series, int64_t ns)
{
	if (set)
		metrics_observe(set->series[series], ns);
}

/* ---- times ---- */

static int64_t real_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * SECONDS_NS + now.tv_nsec;
}

/* 0: none, or one that has no place in an int64_t. */
static int64_t time_of(const Google__Timestamp *time)
{
	if (!time || time->seconds <= 0 || time->seconds > INT64_MAX / SECONDS_NS - 1)
		return 0;
	return time->seconds * SECONDS_NS + time->nanos;
}

/* From one of the server's times to another. */
static void observe_between(
	const struct worker_metrics_set *set, enum series series, int64_t from_ns, int64_t to_ns)
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
	worker->metrics->own = set_new(worker->metrics, GROUP_WORKER, "", "");
	return worker->metrics->own != NULL;
}

void worker_metrics_finish(struct temporal_worker *worker)
{
	struct worker_metrics *metrics = worker->metrics;

	if (!metrics)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (metrics->buckets[i]) {
			struct worker_metrics_set *next = metrics->buckets[i]->next;

			set_free(metrics->buckets[i]);
			metrics->buckets[i] = next;
		}
	}
	set_free(metrics->own);
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

static void set_slots(const struct worker_metrics_set *own, enum series available, enum series used,
	const struct worker_slots *slots, unsigned polls)
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

	observe_between(metrics->own, WORKFLOW_QUEUED, time_of(task->scheduled_time),
		time_of(task->started_time));
	if (!is_partial(task))
		return;
	if (cached)
		add(set_of(metrics, GROUP_WORKFLOW, "", workflow_type_of(task)), CACHE_HITS);
	else
		add(metrics->own, CACHE_MISSES);
}

void worker_metrics_begins_(
	struct worker_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *task)
{
	run->metrics = set_of(run->worker->metrics, GROUP_WORKFLOW, "", workflow_type_of(task));
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
	observe_between(run->metrics, WORKFLOW_RUN, run->started_ns, real_time_ns());
}

/* ---- attempts ---- */

void worker_metrics_attempt_begins_(struct act *act)
{
	struct worker_metrics *metrics = act->worker->metrics;
	const struct act_info *info = &act->info;

	act->metrics = set_of(metrics, act->is_local ? GROUP_LOCAL : GROUP_ACTIVITY,
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
			act->metrics, LOCAL_ALL, act->info.scheduled_time_ns, real_time_ns());
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
			act->metrics, ACTIVITY_ALL, act->info.scheduled_time_ns, real_time_ns());
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
		real_time_ns());
}

void worker_metrics_nexus_answered_(struct nexus *nexus)
{
	observe_between(nexus->worker->metrics->own, NEXUS_ALL, nexus->info.scheduled_time_ns,
		real_time_ns());
}

void worker_metrics_nexus_ends_(struct nexus *nexus)
{
	struct worker_metrics *metrics = nexus->worker->metrics;

	observe(metrics->own, NEXUS_RUN, nexus->execution_ns);
	if (nexus->reason)
		add(set_of(metrics, GROUP_NEXUS, nexus->reason, ""), NEXUS_FAILED);
}
