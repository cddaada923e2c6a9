/*
 * pending_activity.c: how a pending activity is described: its attempt, its options, and what
 * operators did to it. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"

#define STATE(name_) ENUMS__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_##name_

static Enums__PendingActivityState state_of(const struct activity *activity)
{
	if (activity->cancel_requested_id)
		return STATE(CANCEL_REQUESTED);
	if (activity->state == ACTIVITY_STARTED)
		return activity->paused ? STATE(PAUSE_REQUESTED) : STATE(STARTED);
	return activity->paused ? STATE(PAUSED) : STATE(SCHEDULED);
}

Activity__ActivityOptions *activity_options_describe(
	struct request *request, const struct activity *activity)
{
	Activity__ActivityOptions *out =
		REQUEST_NEW(request, Activity__ActivityOptions, activity__activity_options);

	out->task_queue = REQUEST_NEW(request, Taskqueue__TaskQueue, taskqueue__task_queue);
	out->task_queue->name = request_text(request, activity->task_queue);
	out->schedule_to_close_timeout = request_duration(request, activity->schedule_to_close_ms);
	out->schedule_to_start_timeout = request_duration(request, activity->schedule_to_start_ms);
	out->start_to_close_timeout = request_duration(request, activity->start_to_close_ms);
	out->heartbeat_timeout = request_duration(request, activity->heartbeat_ms);
	out->priority = request_decode(request, &common__priority__descriptor, &activity->priority);
	if (!out->priority && activity->has_priority)
		out->priority = REQUEST_NEW(request, Common__Priority, common__priority);
	out->retry_policy =
		request_decode(request, &common__retry_policy__descriptor, &activity->retry_policy);
	if (!out->retry_policy)
		out->retry_policy = REQUEST_NEW(request, Common__RetryPolicy, common__retry_policy);
	/* These cannot be changed, and are not told. */
	out->retry_policy->n_non_retryable_error_types = 0;
	return out;
}

static void describe_pause(struct request *request, const struct activity *activity,
	Workflow__PendingActivityInfo *out)
{
	Workflow__PendingActivityInfo__PauseInfo *info =
		REQUEST_NEW(request, Workflow__PendingActivityInfo__PauseInfo,
			workflow__pending_activity_info__pause_info);

	out->paused = true;
	out->pause_info = info;
	info->pause_time = request_time(request, activity->paused_ns);
	info->paused_by_case = WORKFLOW__PENDING_ACTIVITY_INFO__PAUSE_INFO__PAUSED_BY_MANUAL;
	info->manual = REQUEST_NEW(request, Workflow__PendingActivityInfo__PauseInfo__Manual,
		workflow__pending_activity_info__pause_info__manual);
	info->manual->identity = request_text(request, activity->pause_identity);
	info->manual->reason = request_text(request, activity->pause_reason);
}

static void describe_attempt(struct request *request, const struct activity *activity,
	Workflow__PendingActivityInfo *out)
{
	out->attempt = activity->attempt;
	out->scheduled_time = request_time(request, activity->attempt_scheduled_ns);
	out->last_started_time = request_time(request, activity->started_ns);
	out->last_worker_identity = request_text(request, activity->identity);
	out->last_attempt_complete_time = request_time(request, activity->attempt_completed_ns);
	out->last_failure =
		request_decode(request, &failure__failure__descriptor, &activity->last_failure);
	if (activity->heartbeat_ns) {
		out->last_heartbeat_time = request_time(request, activity->heartbeat_ns);
		out->heartbeat_details = request_decode(
			request, &common__payloads__descriptor, &activity->heartbeat_details);
	}
	if (activity->state != ACTIVITY_BACKING_OFF || activity->paused)
		return;
	out->next_attempt_schedule_time = request_time(request, activity->attempt_scheduled_ns);
	out->current_retry_interval = request_duration_ns(
		request, activity->attempt_scheduled_ns - activity->attempt_completed_ns);
}

Workflow__PendingActivityInfo *pending_activity_describe(
	struct request *request, const struct activity *activity)
{
	Workflow__PendingActivityInfo *out = REQUEST_NEW(
		request, Workflow__PendingActivityInfo, workflow__pending_activity_info);

	out->activity_id = request_text(request, activity->id);
	out->activity_type = REQUEST_NEW(request, Common__ActivityType, common__activity_type);
	out->activity_type->name = request_text(request, activity->type);
	out->state = state_of(activity);
	describe_attempt(request, activity, out);
	if (activity->schedule_to_close_ms)
		out->expiration_time = request_time(request,
			activity->scheduled_ns + activity->schedule_to_close_ms * NS_PER_MS);
	out->activity_options = activity_options_describe(request, activity);
	/* An activity cannot run on a sticky queue: its name and the normal one are the same. */
	out->activity_options->task_queue->normal_name = out->activity_options->task_queue->name;
	out->priority = out->activity_options->priority;
	out->maximum_attempts = out->activity_options->retry_policy->maximum_attempts;
	if (activity->paused)
		describe_pause(request, activity, out);
	return out;
}
