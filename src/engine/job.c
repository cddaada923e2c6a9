/*
 * job.c: the jobs of the activation to come, made from events and queries. They lie in that
 * activation's arena and point into the events, which stay until the activation was answered.
 *
 * The thread that owns the run.
 *
 * The workflow gets jobs by their kind and not in the order of history, in ranks that the core SDK
 * has fixed (rank()): other languages' SDKs rely on it, and histories that they have written replay
 * only in that order. Within a rank the order of history stays.
 */
#include <string.h>

#include "base/mem.h"
#include "base/siphash.h"
#include "engine/run.h"
#include "proto/codec.h"
#include "proto/time.h"

/* The array grows within the arena: what it leaves behind goes with the activation. */
struct activation_job *job_add(struct engine_run *run, enum activation_job_kind kind)
{
	struct task *task = run->task;

	if (task->n_jobs == task->jobs_capacity) {
		size_t capacity = task->jobs_capacity ? task->jobs_capacity * 2 : 4;
		struct activation_job *jobs =
			arena_array(run_activation_arena(run), capacity, sizeof(*jobs));

		if (!jobs) {
			run_no_memory(run);
			return NULL;
		}
		if (task->n_jobs)
			memcpy(jobs, task->jobs, task->n_jobs * sizeof(*jobs));
		task->jobs = jobs;
		task->jobs_capacity = capacity;
	}
	struct activation_job *job = &task->jobs[task->n_jobs++];

	*job = (struct activation_job){ .kind = kind };
	return job;
}

struct activation_payloads job_payloads(const Common__Payloads *payloads)
{
	if (!payloads)
		return (struct activation_payloads){ 0 };
	return (struct activation_payloads){ payloads->payloads, payloads->n_payloads };
}

/* Borrowed, as all that a job points to. */
struct activation_headers job_headers(const Common__Header *header)
{
	if (!header)
		return (struct activation_headers){ 0 };
	return (struct activation_headers){ header->fields, header->n_fields };
}

/*
 * As the core SDK: SipHash-1-3 under the zero key of the id's bytes and a terminating 0xff. The
 * Rust standard library hashes a string so, and the core SDK's seed is that hash: a workflow of any
 * of its languages has the same random numbers for the same run id. The run id is the original one,
 * so that a reset run continues the numbers; the reset itself then brings a new seed
 * (machine_workflow_task.c).
 */
uint64_t randomness_seed(const char *run_id)
{
	char bytes[256];
	size_t size = strlen(text_or_empty(run_id));

	if (size > sizeof(bytes) - 1)
		size = sizeof(bytes) - 1; /* run ids are UUIDs */
	memcpy(bytes, text_or_empty(run_id), size);
	bytes[size] = (char)0xff;
	return siphash13(bytes, size + 1, 0, 0);
}

/*
 * What a continue-as-new takes over must outlive the event. Only what a continue-as-new inherits
 * (emit.c); in an arena of its own, since most runs have none of these and the run is to be small.
 */
static bool keep_for_next_run(
	struct engine_run *run, const History__WorkflowExecutionStartedEventAttributes *started)
{
	if (!started->memo && !started->retry_policy && !started->search_attributes)
		return true;
	if (!run_inherited_arena(run))
		return false;
	if (started->memo)
		run->memo = proto_copy(run->started, started->memo);
	if (started->retry_policy)
		run->retry_policy = proto_copy(run->started, started->retry_policy);
	if (started->search_attributes)
		run->search_attributes = proto_copy(run->started, started->search_attributes);
	if ((started->memo && !run->memo) || (started->retry_policy && !run->retry_policy) ||
		(started->search_attributes && !run->search_attributes))
		return run_no_memory(run);
	return true;
}

/* Who started the run, and who started the first of them all. */
static void fill_relatives(struct activation_initialize *job,
	const History__WorkflowExecutionStartedEventAttributes *started)
{
	const Common__WorkflowExecution *parent = started->parent_workflow_execution;
	const Common__WorkflowExecution *root = started->root_workflow_execution;

	job->parent = (struct activation_execution){ "", "", "" };
	job->root = job->parent;
	if (parent) {
		job->has_parent = true;
		job->parent.namespace_ = started->parent_workflow_namespace;
		job->parent.workflow_id = parent->workflow_id;
		job->parent.run_id = parent->run_id;
	}
	if (root) {
		job->has_root = true;
		job->root.workflow_id = root->workflow_id;
		job->root.run_id = root->run_id;
	}
}

/* Strings and messages are the event's: it stays until the activation was answered. */
static void fill_initialize(struct engine_run *run, struct activation_initialize *job,
	const History__WorkflowExecutionStartedEventAttributes *started)
{
	*job = (struct activation_initialize){
		.workflow_type = started->workflow_type ? started->workflow_type->name : "",
		.workflow_id = text_or_empty(run->workflow_id),
		.arguments = job_payloads(started->input),
		.randomness_seed = randomness_seed(started->original_execution_run_id),
		.headers = job_headers(started->header),
		.identity = text_or_empty(started->identity),
		.execution_timeout_ms =
			proto_duration_ms_clamped(started->workflow_execution_timeout),
		.run_timeout_ms = proto_duration_ms_clamped(started->workflow_run_timeout),
		.task_timeout_ms = proto_duration_ms_clamped(started->workflow_task_timeout),
		.continued_from_run_id = text_or_empty(started->continued_execution_run_id),
		.continued_initiator = started->initiator,
		.continued_failure = started->continued_failure,
		.last_completion_result = started->last_completion_result,
		.first_execution_run_id = text_or_empty(started->first_execution_run_id),
		.original_execution_run_id = text_or_empty(started->original_execution_run_id),
		.retry_policy = started->retry_policy,
		.attempt = started->attempt,
		.cron_schedule = text_or_empty(started->cron_schedule),
		.execution_expiration_ns =
			proto_timestamp_ns_clamped(started->workflow_execution_expiration_time),
		.cron_schedule_to_schedule_ms =
			proto_duration_ms_clamped(started->first_workflow_task_backoff),
		.memo = started->memo,
		.search_attributes = started->search_attributes,
		.start_time_ns = proto_timestamp_ns_clamped(run->event->event_time),
		.priority = started->priority,
	};
	fill_relatives(job, started);
}

bool job_add_initialize(struct engine_run *run)
{
	const History__WorkflowExecutionStartedEventAttributes *started =
		run->event->workflow_execution_started_event_attributes;
	struct activation_initialize *initialize =
		ARENA_NEW(run_activation_arena(run), struct activation_initialize);
	struct activation_job *job = job_add(run, JOB_INITIALIZE_WORKFLOW);

	if (!initialize || !job)
		return run_no_memory(run);
	if (str_empty(run->workflow_id) && !run_set_text(&run->workflow_id, started->workflow_id))
		return run_no_memory(run);
	run->task_timeout_ms = proto_duration_ms_clamped(started->workflow_task_timeout);
	fill_initialize(run, initialize, started);
	job->initialize = initialize;
	/* A clock for a query that comes before the first task. */
	if (initialize->start_time_ns > run->time_ns)
		run->time_ns = initialize->start_time_ns;
	if (!run_set_text(&run->workflow_type, initialize->workflow_type))
		return run_no_memory(run);
	return keep_for_next_run(run, started);
}

/* A signal that the workflow has no handler for is its affair: the job comes in any case. */
bool job_add_signal(struct engine_run *run)
{
	const History__WorkflowExecutionSignaledEventAttributes *signaled =
		run->event->workflow_execution_signaled_event_attributes;
	struct activation_job *job = job_add(run, JOB_SIGNAL_WORKFLOW);

	if (!job)
		return false;
	job->signal = (struct activation_signal){
		.signal_name = text_or_empty(signaled->signal_name),
		.input = job_payloads(signaled->input),
		.identity = text_or_empty(signaled->identity),
		.headers = job_headers(signaled->header),
		.originating_event_id = run->event->event_id,
	};
	return true;
}

bool job_add_cancel(struct engine_run *run)
{
	struct activation_job *job = job_add(run, JOB_CANCEL_WORKFLOW);

	if (!job)
		return false;
	job->cancel.reason = text_or_empty(
		run->event->workflow_execution_cancel_requested_event_attributes->cause);
	return true;
}

/*
 * Where a job stands in an activation. Patches before all that code may ask about them; the seed
 * before code runs; signals and updates before what was awaited, so that a handler sees the state
 * from before the workflow goes on; local activities behind others; queries and eviction are alone
 * anyway.
 */
static unsigned rank(const struct activation_job *job)
{
	switch (job->kind) {
	case JOB_INITIALIZE_WORKFLOW:
		return 0;
	case JOB_NOTIFY_HAS_PATCH:
		return 1;
	case JOB_UPDATE_RANDOM_SEED:
		return 2;
	case JOB_SIGNAL_WORKFLOW:
	case JOB_DO_UPDATE:
		return 3;
	case JOB_RESOLVE_ACTIVITY:
		return job->resolve_activity.is_local ? 5 : 4;
	case JOB_QUERY_WORKFLOW:
		return 6;
	case JOB_REMOVE_FROM_CACHE:
		return 7;
	default:
		return 4;
	}
}

#define RANKS 8

/*
 * By rank, else in the order in which they came. A counting sort, as it is stable; mostly the jobs
 * are sorted already and stay where they are.
 */
bool jobs_sort(struct engine_run *run)
{
	struct task *task = run->task;
	size_t starts[RANKS + 1] = { 0 };
	bool sorted = true;

	for (size_t i = 0; i < task->n_jobs; i++) {
		starts[rank(&task->jobs[i]) + 1]++;
		if (i && rank(&task->jobs[i - 1]) > rank(&task->jobs[i]))
			sorted = false;
	}
	if (sorted)
		return true;

	struct activation_job *jobs =
		arena_array(run_activation_arena(run), task->n_jobs, sizeof(*jobs));

	if (!jobs)
		return run_no_memory(run);
	for (size_t i = 0; i < RANKS; i++)
		starts[i + 1] += starts[i];
	for (size_t i = 0; i < task->n_jobs; i++)
		jobs[starts[rank(&task->jobs[i])]++] = task->jobs[i];
	task->jobs = jobs;
	task->jobs_capacity = task->n_jobs;
	return true;
}

/* Queries lie in the poll's response, which is the task's. */
static struct activation_job query_job(const char *id, const Query__WorkflowQuery *query)
{
	return (struct activation_job){
		.kind = JOB_QUERY_WORKFLOW,
		.query = {
			.query_id = id,
			.query_type = text_or_empty(query->query_type),
			.arguments = job_payloads(query->query_args),
			.headers = job_headers(query->header),
		},
	};
}

/* The server sends one kind or the other; both at once would leave one unanswered. */
bool queries_take(
	struct engine_run *run, const Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	struct task *task = run->task;
	size_t count = response->n_queries + (response->query ? 1 : 0);

	if (!count)
		return true;
	if (response->query && response->n_queries)
		return run_fatal(run, "the task has a legacy query and others too");

	struct activation_job *queries = arena_array(&task->arena, count, sizeof(*queries));

	if (!queries)
		return run_no_memory(run);
	task->queries = queries;
	if (response->query) {
		queries[task->n_queries++] = query_job(LEGACY_QUERY_ID, response->query);
		task->legacy_query = true;
	}
	for (size_t i = 0; i < response->n_queries; i++)
		if (response->queries[i]->value)
			queries[task->n_queries++] =
				query_job(response->queries[i]->key, response->queries[i]->value);
	return true;
}
