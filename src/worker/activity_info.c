/*
 * activity_info.c: what an activity's code is told of its attempt, from the task. It has no state;
 * the loop's thread, or the child process that the attempt is run in.
 *
 * Texts and tokens are the task's own, which lies in the attempt's arena as well; what has another
 * form in the public header is copied there.
 */
#include "base/str.h"
#include "convert/convert.h"
#include "worker/act.h"
#include "worker/limits.h"
#include "worker/worker.h"

static int64_t duration_ms(const Google__Duration *duration)
{
	if (!duration || duration->seconds < 0 || duration->seconds > WORKER_DURATION_MAX_MS / 1000)
		return 0;
	return duration->seconds * 1000 + duration->nanos / 1000000;
}

static int64_t time_ns(const Google__Timestamp *time)
{
	/* The range of an int64_t ends in the year 2262. */
	if (!time || time->seconds < 0 || time->seconds > INT64_MAX / 1000000000 - 1)
		return 0;
	return time->seconds * 1000000000 + time->nanos;
}

bool worker_activity_payloads(
	struct arena *arena, const Common__Payloads *message, struct temporal_payloads *out)
{
	size_t n = message ? message->n_payloads : 0;
	struct temporal_payload *items = arena_array(arena, n, sizeof(*items));

	if (!items)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (convert_payload_from_api(arena, message->payloads[i], &items[i]) != TEMPORAL_OK)
			return false;
	}
	*out = (struct temporal_payloads){ items, n };
	return true;
}

static bool fill_headers(struct act *act)
{
	const Common__Header *header = act->task->header;
	size_t n = header ? header->n_fields : 0;
	struct temporal_entry *items = arena_array(&act->arena, n, sizeof(*items));

	if (!items)
		return false;
	for (size_t i = 0; i < n; i++) {
		items[i].key = header->fields[i]->key;
		if (header->fields[i]->value &&
			convert_payload_from_api(&act->arena, header->fields[i]->value,
				&items[i].value) != TEMPORAL_OK)
			return false;
	}
	act->info.headers = (struct temporal_entries){ items, n };
	return true;
}

static bool fill_retry_policy(struct act *act)
{
	const Common__RetryPolicy *policy = act->task->retry_policy;

	if (!policy)
		return true;
	struct temporal_retry_policy *copy = ARENA_NEW(&act->arena, struct temporal_retry_policy);
	const char **types =
		arena_array(&act->arena, policy->n_non_retryable_error_types + 1, sizeof(*types));

	if (!copy || !types)
		return false;
	for (size_t i = 0; i < policy->n_non_retryable_error_types; i++)
		types[i] = policy->non_retryable_error_types[i];
	*copy = (struct temporal_retry_policy){
		.initial_interval_ms = duration_ms(policy->initial_interval),
		.backoff_coefficient = policy->backoff_coefficient,
		.maximum_interval_ms = duration_ms(policy->maximum_interval),
		.maximum_attempts = policy->maximum_attempts,
		.non_retryable_types = types,
	};
	act->info.retry_policy = copy;
	return true;
}

bool worker_activity_info(struct act *act)
{
	const Workflowservice__PollActivityTaskQueueResponse *task = act->task;
	const Common__Priority *priority = task->priority;

	act->info = (struct act_info){
		.activity_type = task->activity_type ? task->activity_type->name : "",
		.activity_id = task->activity_id,
		.task_queue = act->worker->opts.task_queue,
		.namespace_ = str_empty(task->workflow_namespace) ? act->worker->namespace_
								  : task->workflow_namespace,
		.workflow_type = task->workflow_type ? task->workflow_type->name : "",
		.workflow_id =
			task->workflow_execution ? task->workflow_execution->workflow_id : "",
		.run_id = task->workflow_execution ? task->workflow_execution->run_id : "",
		.attempt = task->attempt,
		.scheduled_time_ns = time_ns(task->scheduled_time),
		.attempt_scheduled_time_ns = time_ns(task->current_attempt_scheduled_time),
		.started_time_ns = time_ns(task->started_time),
		.schedule_to_close_timeout_ms = duration_ms(task->schedule_to_close_timeout),
		.start_to_close_timeout_ms = duration_ms(task->start_to_close_timeout),
		.heartbeat_timeout_ms = duration_ms(task->heartbeat_timeout),
		.task_token = { task->task_token.data, task->task_token.len },
	};
	if (priority)
		act->info.priority = (struct temporal_priority){
			.key = priority->priority_key,
			.fairness_key = priority->fairness_key,
			.fairness_weight = priority->fairness_weight,
		};
	return fill_headers(act) && fill_retry_policy(act) &&
	       worker_activity_payloads(&act->arena, task->heartbeat_details, &act->last_details);
}
