/*
 * activity_info.c: what an activity's code is told of its attempt, from the task. It has no state;
 * the loop's thread, or the child process that the attempt is run in.
 *
 * Texts and tokens are the task's own, which lies in the attempt's arena as well; what has another
 * form in the public header is copied there.
 */
#include "base/str.h"
#include "convert/convert.h"
#include "proto/time.h"
#include "worker/act.h"
#include "worker/worker.h"

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
		.initial_interval_ms = proto_duration_ms_or(policy->initial_interval, 0),
		.backoff_coefficient = policy->backoff_coefficient,
		.maximum_interval_ms = proto_duration_ms_or(policy->maximum_interval, 0),
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
	const Common__Payloads *details = task->heartbeat_details;

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
		.scheduled_time_ns = proto_timestamp_ns_or(task->scheduled_time, 0),
		.attempt_scheduled_time_ns =
			proto_timestamp_ns_or(task->current_attempt_scheduled_time, 0),
		.started_time_ns = proto_timestamp_ns_or(task->started_time, 0),
		.schedule_to_close_timeout_ms =
			proto_duration_ms_or(task->schedule_to_close_timeout, 0),
		.start_to_close_timeout_ms = proto_duration_ms_or(task->start_to_close_timeout, 0),
		.heartbeat_timeout_ms = proto_duration_ms_or(task->heartbeat_timeout, 0),
		.task_token = { task->task_token.data, task->task_token.len },
	};
	if (priority)
		act->info.priority = (struct temporal_priority){
			.key = priority->priority_key,
			.fairness_key = priority->fairness_key,
			.fairness_weight = priority->fairness_weight,
		};
	return fill_headers(act) && fill_retry_policy(act) &&
	       (!details || convert_payloads_from_api(&act->arena, details->payloads,
				    details->n_payloads, &act->last_details));
}
