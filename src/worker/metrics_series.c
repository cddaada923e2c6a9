/*
 * metrics_series.c: the names, labels and bounds of what a worker counts, which are those of the
 * core SDK, so that dashboards made for other SDKs fit; and the sets in which they are looked up.
 *
 * `all` below is the one table of series: one entry each, grouped by the labels they have besides
 * namespace and task queue. A group's series are looked up together, once for each value of these
 * labels, and kept in a set.
 *
 * The loop's thread; a set does not change once it is made. Types are named by servers: after
 * SETS_MAX of them the rest share a set.
 */
#include "worker/metrics_series.h"

#include <string.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "client/metrics.h"

#define SETS_MAX 1000
#define OTHERS   "(others)"

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

static const struct {
	const struct metrics_desc *desc;
	enum metrics_group group;
	struct temporal_metric_label own;
} all[WORKER_SERIES] = {
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

void worker_metrics_set_free(struct worker_metrics_set *set)
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

	for (int i = 0; i < WORKER_SERIES; i++) {
		if (all[i].group != set->group)
			continue;
		labels[4] = all[i].own;
		set->series[i] = metrics_series(metrics->metrics, all[i].desc, labels, 5);
	}
}

struct worker_metrics_set *worker_metrics_set_new(const struct worker_metrics *metrics,
	enum metrics_group group, const char *activity, const char *workflow)
{
	struct worker_metrics_set *set = mem_zalloc(sizeof(*set));

	if (!set)
		return NULL;
	set->group = group;
	set->workflow = mem_strdup(workflow);
	set->activity = mem_strdup(activity);
	if (!set->workflow || !set->activity) {
		worker_metrics_set_free(set);
		return NULL;
	}
	look_up(metrics, set);
	return set;
}

static struct worker_metrics_set **bucket_of(struct worker_metrics *metrics,
	enum metrics_group group, const char *activity, const char *workflow)
{
	/* The table is small and bounded: no key could make it slow enough to need a secret. */
	uint64_t hash = siphash13(
		workflow, strlen(workflow), siphash13(activity, strlen(activity), group, 0), 0);

	return &metrics->buckets[hash % WORKER_METRICS_BUCKETS];
}

const struct worker_metrics_set *worker_metrics_set_of(struct worker_metrics *metrics,
	enum metrics_group group, const char *activity, const char *workflow)
{
	struct worker_metrics_set **bucket = bucket_of(metrics, group, activity, workflow);
	struct worker_metrics_set *set = *bucket;

	while (set && (set->group != group || strcmp(set->workflow, workflow) != 0 ||
			      strcmp(set->activity, activity) != 0))
		set = set->next;
	if (set)
		return set;
	if (metrics->n_sets >= SETS_MAX && strcmp(workflow, OTHERS) != 0)
		return worker_metrics_set_of(
			metrics, group, group >= GROUP_ACTIVITY ? OTHERS : "", OTHERS);
	set = worker_metrics_set_new(metrics, group, activity, workflow);
	if (!set)
		return NULL;
	set->next = *bucket;
	*bucket = set;
	metrics->n_sets++;
	return set;
}

void worker_metrics_sets_finish(struct worker_metrics *metrics)
{
	for (size_t i = 0; i < WORKER_METRICS_BUCKETS; i++) {
		while (metrics->buckets[i]) {
			struct worker_metrics_set *next = metrics->buckets[i]->next;

			worker_metrics_set_free(metrics->buckets[i]);
			metrics->buckets[i] = next;
		}
	}
	worker_metrics_set_free(metrics->own);
}
