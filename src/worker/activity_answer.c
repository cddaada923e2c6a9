/*
 * activity_answer.c: tells the server how an attempt has ended, and waits until it knows.
 *
 * The answer is encoded and its call started on the activity's thread, where the outcome lies; the
 * loop only sends it, and hears the reply. What cannot be encoded, and what the server does not
 * take, is answered once more, by a failure that says so: else the attempt would only time out, and
 * be made again for nothing.
 */
#include <string.h>

#include "base/error.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "worker/act.h"
#include "worker/event.h"
#include "worker/oversize.h"
#include "worker/worker.h"

/* Who answers, and for which attempt: the fields that all the requests have. */
#define ANSWER_HEAD(act_, message_) \
	do { \
		(message_)->task_token = (act_)->task->task_token; \
		(message_)->namespace_ = (act_)->worker->namespace_; \
		(message_)->identity = (act_)->worker->opts.identity; \
		(message_)->deployment_options = (act_)->worker->version; \
		(message_)->worker_version = (act_)->worker->stamp; \
	} while (0)

/* Without memory for it, one that says so: the attempt must not seem to have succeeded, nor be left
 * to its timeout. */
Failure__Failure *worker_activity_failure(struct act *act, const struct temporal_failure *failure)
{
	static Failure__ApplicationFailureInfo info = {
		.base = PROTOBUF_C_MESSAGE_INIT(&failure__application_failure_info__descriptor),
		.type = "NO_MEMORY",
	};
	static Failure__Failure no_memory = {
		.base = PROTOBUF_C_MESSAGE_INIT(&failure__failure__descriptor),
		.message = "no memory for the activity's failure",
		.source = "CSDK",
		.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO,
		.application_failure_info = &info,
	};
	Failure__Failure *message = convert_failure_to_api(&act->arena, failure);

	return message ? message : &no_memory;
}

/*
 * A result that the server does not take, being too large, would be computed again and again. A
 * server that is only busy has the same code: then the attempt is left to its timeout.
 */
static bool is_refused(const struct act *act, const struct rpc_reply *reply)
{
	if (!act->has_result)
		return false;
	return reply->code == TEMPORAL_INVALID_ARGUMENT ||
	       (reply->code == TEMPORAL_RESOURCE_EXHAUSTED &&
		       strstr(reply->error.message, "larger than max"));
}

static void answer_failed(struct act *act, const struct temporal_failure *failure);

/* Loop. */
static void answered(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct act *act = user;
	const struct temporal_failure *refused = NULL;

	/* NOT_FOUND: it was cancelled or has timed out meanwhile, which is nobody's fault. */
	if (reply->code != TEMPORAL_OK)
		worker_log(act->worker,
			reply->code == TEMPORAL_NOT_FOUND ? TEMPORAL_LOG_DEBUG : TEMPORAL_LOG_WARN,
			"reporting activity %s (%s): %s: %s", act->info.activity_id,
			act->info.activity_type, temporal_code_name(reply->code),
			reply->error.message);
	if (is_refused(act, reply))
		refused = act_failure_with(act,
			&(const struct act_failure_opts){
				.type = temporal_code_name(reply->code), .non_retryable = true },
			"the server refused the result: %s", reply->error.message);
	arena_finish(&reply->arena);
	act->has_result = false;
	if (refused)
		answer_failed(act, refused);
	else
		worker_activity_end(act);
}

static void answer_instead(struct act *act, const struct temporal_error *why);

static void send(struct act *act, const struct rpc_method *method, const void *message)
{
	struct rpc_request request = {
		.method = method,
		.message = message,
		.retry = RPC_RETRY_REPORT,
		.done = answered,
		.user = act,
		.lazy = act->plenty,
	};
	struct temporal_error err;

	/* Once it is started the attempt may be gone; its worker waits for this thread. */
	struct temporal_worker *worker = act->worker;
	bool sent = rpc_start(worker_channel_enter(worker), &request, &err) != NULL;

	worker_channel_leave(worker);
	if (sent)
		return;
	worker_log(act->worker, TEMPORAL_LOG_ERROR, "reporting activity %s (%s): %s",
		act->info.activity_id, act->info.activity_type, err.message);
	if (act->instead)
		rpc_loop_post(act->worker->loop, &act->end_task);
	else
		answer_instead(act, &err);
}

/*
 * What could not be encoded fails the attempt for good, once: another one would not fare better.
 * Without memory for that either, the server will notice by the timeout.
 */
static void answer_instead(struct act *act, const struct temporal_error *why)
{
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	const struct act_failure_opts opts = {
		.type = worker_activity_error_type(why),
		.non_retryable = why->code != TEMPORAL_NO_MEMORY,
	};
	const struct temporal_failure *failure = act_failure_with(act, &opts, "%s", why->message);

	act->instead = true;
	act->has_result = false;
	ANSWER_HEAD(act, &message);
	message.failure = worker_activity_failure(act, failure);
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
}

void worker_activity_tell_failed(struct act *act, const struct temporal_failure *failure)
{
	struct temporal_worker_event event =
		worker_activity_event(act, TEMPORAL_EVENT_ACTIVITY_FAILED);

	event.text = failure->message;
	worker_event(act->worker, event);
	act_log(act,
		failure->category == TEMPORAL_CATEGORY_BENIGN ? TEMPORAL_LOG_DEBUG
							      : TEMPORAL_LOG_WARN,
		"activity failed: %s", failure->message ? failure->message : "");
}

/* Its result would be refused. Another attempt may have a smaller one. */
static void answer_oversize(struct act *act, const char *why)
{
	const struct temporal_failure *failure = act_failure_with(
		act, &(const struct act_failure_opts){ .type = WORKER_OVERSIZE_TYPE }, "%s", why);
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	worker_activity_tell_failed(act, failure);
	ANSWER_HEAD(act, &message);
	message.failure = convert_failure_to_api(&act->arena, failure);
	message.cause =
		ENUMS__ACTIVITY_TASK_FAILED_CAUSE__ACTIVITY_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE;
	act->failed = true;
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
}

void worker_activity_answer(struct act *act, Common__Payload *result)
{
	Workflowservice__RespondActivityTaskCompletedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;
	Common__Payloads payloads = COMMON__PAYLOADS__INIT;

	payloads.payloads = &result;
	payloads.n_payloads = 1;
	const char *oversize =
		worker_oversize_result(&(const struct worker_oversize){ .blob_max = act->blob_max },
			result ? &payloads : NULL);

	if (oversize) {
		answer_oversize(act, oversize);
		return;
	}
	worker_event_payload(
		act->worker, worker_activity_event(act, TEMPORAL_EVENT_ACTIVITY_COMPLETED), result);
	ANSWER_HEAD(act, &message);
	if (result)
		message.result = &payloads;
	act->has_result = true;
	send(act, &rpc_workflow_respond_activity_task_completed, &message);
}

static void answer_failed(struct act *act, const struct temporal_failure *failure)
{
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	worker_activity_tell_failed(act, failure);
	ANSWER_HEAD(act, &message);
	message.failure = worker_activity_failure(act, failure);
	/* The next attempt gets the last details, whether they have been sent or not. The lock:
	 * until they are encoded. */
	pthread_mutex_lock(&act->lock);
	message.last_heartbeat_details = act->beat_details;
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
	pthread_mutex_unlock(&act->lock);
}

static void answer_cancelled(struct act *act, const struct temporal_failure *failure)
{
	Workflowservice__RespondActivityTaskCanceledRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_CANCELED_REQUEST__INIT;

	worker_event(act->worker, worker_activity_event(act, TEMPORAL_EVENT_ACTIVITY_CANCELED));
	ANSWER_HEAD(act, &message);
	if (failure->details.count)
		message.details = convert_payloads_to_api(&act->arena, &failure->details);
	send(act, &rpc_workflow_respond_activity_task_canceled, &message);
}

void worker_activity_answer_nothing(struct act *act, enum temporal_worker_event_kind kind)
{
	worker_event(act->worker, worker_activity_event(act, kind));
	rpc_loop_post(act->worker->loop, &act->end_task);
}

/*
 * A cancelled failure is the activity's end only if the server has asked for it. Of the other
 * reasons the server wants to hear a failure, after which it decides what comes next; types and
 * texts are those of the other SDKs.
 */
static const struct temporal_failure *instead_of_cancelled(
	struct act *act, enum act_cancel_reason reason)
{
	switch (reason) {
	case ACT_WORKER_SHUTDOWN:
		return act_failure(act, "WorkerShutdown", "the worker was shut down");
	case ACT_PAUSED:
		return act_failure(act, "ActivityPause", "the activity was paused");
	case ACT_RESET:
		return act_failure(act, "ActivityReset", "the activity was reset");
	case ACT_NOT_CANCELLED:
		return act_failure(act, "CancelledError",
			"the activity returned a cancelled failure, but nobody has cancelled it");
	case ACT_CANCEL_REQUESTED:
	case ACT_TIMED_OUT:
	case ACT_NOT_FOUND:
		break;
	}
	return NULL;
}

void worker_activity_answer_failure(struct act *act, const struct temporal_failure *failure)
{
	if (failure->kind == TEMPORAL_FAILURE_CANCELLED) {
		const struct temporal_failure *other =
			instead_of_cancelled(act, act_cancel_reason(act));

		if (!other) {
			answer_cancelled(act, failure);
			return;
		}
		failure = other;
	}
	answer_failed(act, failure);
}
