/*
 * oversize.c: the limits of a namespace on payloads and memos (DescribeNamespace).
 *
 * A server that gets too much fails the task with less to say, or ends the run; so the task is
 * failed here, with the cause that says what it is, and the run stays for code that sends less.
 * What is measured, and against which limit, is as the server does it: the encoded size of
 * payloads, the sum of keys and data for search attributes and changed memos. Which fields count is
 * what the core SDK checks.
 */
#include "worker/oversize.h"

#include "base/str.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "worker/report.h"
#include "worker/run.h"
#include "worker/worker.h"

static const char blob_text[] = "[TMPRL1103] Attempted to upload payloads with size that exceeded "
				"the error limit.",
		  memo_text[] = "[TMPRL1103] Attempted to upload memo with size that exceeded the "
				"error limit.";

/* ---- sizes ---- */

/* Tags and lengths around a payload, or around an entry of its metadata: some 30 bytes at most. */
#define AROUND 64

/* No less than it takes, at a glance; what is seldom there has to be measured. */
static size_t payload_at_most(const Common__Payload *payload)
{
	size_t sum = payload->data.len + AROUND;

	if (payload->n_external_payloads || payload->base.n_unknown_fields)
		return proto_size(payload) + AROUND;
	for (size_t i = 0; i < payload->n_metadata; i++)
		sum += strlen(payload->metadata[i]->key) + payload->metadata[i]->value.len + AROUND;
	return sum;
}

static size_t at_most(const Common__Payloads *payloads)
{
	size_t sum = 0;

	for (size_t i = 0; payloads && i < payloads->n_payloads; i++)
		sum += payload_at_most(payloads->payloads[i]);
	return sum;
}

/* Is it over the limit? Measured only if it may be. */
static bool payloads_over(const Common__Payloads *payloads, int64_t max)
{
	return at_most(payloads) > (size_t)max && proto_size(payloads) > (size_t)max;
}

static bool marker_over(const Command__RecordMarkerCommandAttributes *marker, int64_t max)
{
	size_t glance = 0, sum = 0;

	for (size_t i = 0; i < marker->n_details; i++)
		glance += strlen(marker->details[i]->key) + at_most(marker->details[i]->value);
	if (glance <= (size_t)max)
		return false;
	for (size_t i = 0; i < marker->n_details; i++)
		sum += strlen(marker->details[i]->key) + proto_size(marker->details[i]->value);
	return sum > (size_t)max;
}

static size_t size_of(const Common__Payload *payload)
{
	return payload ? payload->data.len : 0;
}

static bool search_attributes_over(const Common__SearchAttributes *attributes, int64_t max)
{
	size_t sum = 0;

	for (size_t i = 0; attributes && i < attributes->n_indexed_fields; i++)
		sum += strlen(attributes->indexed_fields[i]->key) +
		       size_of(attributes->indexed_fields[i]->value);
	return (int64_t)sum > max;
}

static bool change_over(const Common__Memo *memo, int64_t max)
{
	size_t sum = 0;

	for (size_t i = 0; memo && i < memo->n_fields; i++)
		sum += strlen(memo->fields[i]->key) + size_of(memo->fields[i]->value);
	return (int64_t)sum > max;
}

/* ---- commands ---- */

static bool blob_over(const Command__Command *command, int64_t max)
{
	switch (command->command_type) {
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
		return payloads_over(
			command->schedule_activity_task_command_attributes->input, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
		return payloads_over(
			command->complete_workflow_execution_command_attributes->result, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
		return command->fail_workflow_execution_command_attributes->failure &&
		       (int64_t)proto_size(
			       command->fail_workflow_execution_command_attributes->failure) > max;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		return payloads_over(
			command->continue_as_new_workflow_execution_command_attributes->input, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
		return payloads_over(
			command->start_child_workflow_execution_command_attributes->input, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION:
		return payloads_over(
			command->signal_external_workflow_execution_command_attributes->input, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_RECORD_MARKER:
		return marker_over(command->record_marker_command_attributes, max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION:
		return command->schedule_nexus_operation_command_attributes->input &&
		       (int64_t)proto_size(
			       command->schedule_nexus_operation_command_attributes->input) > max;
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return search_attributes_over(
			command->upsert_workflow_search_attributes_command_attributes
				->search_attributes,
			max);
	case ENUMS__COMMAND_TYPE__COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES:
		return change_over(
			command->modify_workflow_properties_command_attributes->upserted_memo, max);
	default:
		return false;
	}
}

static bool memo_over(const Command__Command *command, int64_t max)
{
	const Common__Memo *memo = NULL;

	if (command->command_type ==
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
		memo = command->continue_as_new_workflow_execution_command_attributes->memo;
	if (command->command_type ==
		ENUMS__COMMAND_TYPE__COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION)
		memo = command->start_child_workflow_execution_command_attributes->memo;
	return memo && (int64_t)proto_size(memo) > max;
}

const char *worker_oversize_completion(const struct worker_oversize *limits,
	const Workflowservice__RespondWorkflowTaskCompletedRequest *request)
{
	if (limits->blob_max == 0 && limits->memo_max == 0)
		return NULL;
	for (size_t i = 0; i < request->n_commands; i++) {
		if (limits->blob_max > 0 && blob_over(request->commands[i], limits->blob_max))
			return blob_text;
		if (limits->memo_max > 0 && memo_over(request->commands[i], limits->memo_max))
			return memo_text;
	}
	return NULL;
}

const char *worker_oversize_result(
	const struct worker_oversize *limits, const Common__Payloads *payloads)
{
	return limits->blob_max > 0 && payloads_over(payloads, limits->blob_max) ? blob_text : NULL;
}

/* ---- instead of the answer ---- */

bool worker_oversize_fail(struct worker_run *run, const char *why,
	void (*done)(struct rpc_call *call, struct rpc_reply *reply, void *user),
	struct temporal_error *err)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *refused = run->step.completed;
	Workflowservice__RespondWorkflowTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_FAILED_REQUEST__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ApplicationFailureInfo info = FAILURE__APPLICATION_FAILURE_INFO__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_respond_workflow_task_failed,
		.message = &message,
		.retry = RPC_RETRY_REPORT,
		.done = done,
		.user = run,
	};

	info.type = WORKER_OVERSIZE_TYPE;
	failure.message = why;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	message.task_token = refused->task_token;
	message.cause =
		ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE;
	message.failure = &failure;
	message.identity = refused->identity;
	message.namespace_ = refused->namespace_;
	message.deployment_options = refused->deployment_options;
	message.worker_version = refused->worker_version_stamp;
	worker_report_given_up(run, why);
	worker_count_task(run->worker, TEMPORAL_SLOT_WORKFLOW, true);
	return rpc_start(run->worker->channel, &request, err) != NULL;
}
