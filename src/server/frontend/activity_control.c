/*
 * activity_control.c: the calls of operators on pending activities: one by its id, those of a type,
 * or all of them. First all that were meant are checked, then all are changed, so that a request
 * that is refused changes nothing. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/frontend/mask.h"
#include "server/limits.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

/* Which activities a request is about. */
struct target {
	const char *id, *type; /* neither: all */
	const char *refused;   /* why the request is refused, if its run is there */
	struct activity **found;
	size_t n;
};

static bool is_meant(const struct target *target, const struct activity *activity)
{
	if (target->id)
		return str_same(activity->id, target->id);
	return !target->type || str_same(activity->type, target->type);
}

static bool find_activities(
	struct request *request, const struct execution *execution, struct target *target)
{
	Errordetails__NotFoundFailure detail = ERRORDETAILS__NOT_FOUND_FAILURE__INIT;

	target->found = request_array(request, execution->n_activities, sizeof(struct activity *));
	if (!target->found) {
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return false;
	}
	for (struct activity *at = execution->activities; at; at = at->next) {
		if (is_meant(target, at))
			target->found[target->n++] = at;
	}
	if (target->n)
		return true;
	request_fail(request, TEMPORAL_NOT_FOUND, &detail,
		"Can't find pending activity with such ID. Invalid activityID or activity already "
		"completed");
	return false;
}

/* False: answered. `known`: the request says which activities it means. */
static bool find(struct request *request, const char *name,
	const Common__WorkflowExecution *workflow, bool known, struct target *target)
{
	struct server_namespace *space = frontend_namespace(request, name);
	struct execution *execution;

	if (!space ||
		!frontend_text(request, workflow ? workflow->workflow_id : NULL,
			"WorkflowId is not set on request.") ||
		!frontend_present(request, known ? request : NULL,
			"Either Activity.Id or Activity.Type should be set on request."))
		return false;
	execution = frontend_operated(request, space, workflow);
	if (execution && target->refused)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", target->refused);
	return execution && !target->refused && find_activities(request, execution, target);
}

static bool jitter_of(struct request *request, const Google__Duration *jitter, int64_t *ms)
{
	return frontend_duration(request, jitter, ms, "Jitter");
}

void frontend_pause_activity(struct request *request)
{
	const Workflowservice__PauseActivityRequest *in = request->message;
	struct target target = { 0 };

	if (in->activity_case == WORKFLOWSERVICE__PAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		target.id = in->id;
	else
		target.type = in->type;
	if (!find(request, in->namespace_, in->execution,
		    in->activity_case != WORKFLOWSERVICE__PAUSE_ACTIVITY_REQUEST__ACTIVITY__NOT_SET,
		    &target))
		return;
	for (size_t i = 0; i < target.n; i++) {
		if (target.found[i]->paused &&
			!str_same(target.found[i]->pause_request_id, in->request_id)) {
			request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
				"activity is already paused");
			return;
		}
	}
	for (size_t i = 0; i < target.n; i++)
		activity_pause(target.found[i], in->identity, in->reason, in->request_id);
	request_reply(request, REQUEST_NEW(request, Workflowservice__PauseActivityResponse,
				       workflowservice__pause_activity_response));
}

void frontend_unpause_activity(struct request *request)
{
	const Workflowservice__UnpauseActivityRequest *in = request->message;
	struct activity_unpause how = { in->reset_attempts, in->reset_heartbeat, 0 };
	struct target target = { 0 };

	if (in->activity_case == WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_ID)
		target.id = in->id;
	else if (in->activity_case == WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		target.type = in->type;
	if (!find(request, in->namespace_, in->execution,
		    in->activity_case !=
			    WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY__NOT_SET,
		    &target) ||
		!jitter_of(request, in->jitter, &how.jitter_ms))
		return;
	for (size_t i = 0; i < target.n; i++)
		activity_unpause(target.found[i], &how);
	request_reply(request, REQUEST_NEW(request, Workflowservice__UnpauseActivityResponse,
				       workflowservice__unpause_activity_response));
}

/* What the activity was scheduled with. */
static bool original_options(
	struct request *request, const struct activity *activity, struct activity_options *out)
{
	const History__HistoryEvent *event =
		event_read(activity->execution, activity->scheduled_id, request->arena);
	const History__ActivityTaskScheduledEventAttributes *in;

	if (!event) {
		request_unread(request);
		return false;
	}
	in = event->activity_task_scheduled_event_attributes;
	out->task_queue = in->task_queue->name;
	out->retry_policy = in->retry_policy;
	out->priority = in->priority;
	return proto_duration_ms(in->schedule_to_close_timeout, &out->schedule_to_close_ms) &&
	       proto_duration_ms(in->schedule_to_start_timeout, &out->schedule_to_start_ms) &&
	       proto_duration_ms(in->start_to_close_timeout, &out->start_to_close_ms) &&
	       proto_duration_ms(in->heartbeat_timeout, &out->heartbeat_ms);
}

void frontend_reset_activity(struct request *request)
{
	const Workflowservice__ResetActivityRequest *in = request->message;
	struct activity_reset how = { in->reset_heartbeat, in->keep_paused, 0, NULL };
	struct target target = { 0 };

	if (in->activity_case == WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY_ID)
		target.id = in->id;
	else if (in->activity_case == WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY_TYPE)
		target.type = in->type;
	if (!find(request, in->namespace_, in->execution,
		    in->activity_case != WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY__NOT_SET,
		    &target) ||
		!jitter_of(request, in->jitter, &how.jitter_ms))
		return;
	for (size_t i = 0; i < target.n; i++) {
		struct activity_options options = { .keep_priority = true };

		how.options = in->restore_original_options &&
					      original_options(request, target.found[i], &options)
				      ? &options
				      : NULL;
		activity_reset(target.found[i], &how);
	}
	request_reply(request, REQUEST_NEW(request, Workflowservice__ResetActivityResponse,
				       workflowservice__reset_activity_response));
}

/* ---- New options ---- */

/* The fields that may be changed; the whole of a message goes before its parts. */
static const struct mask_field fields[] = {
	{ "task_queue.name", "TaskQueue" },
	{ "schedule_to_close_timeout", NULL },
	{ "schedule_to_start_timeout", NULL },
	{ "start_to_close_timeout", NULL },
	{ "heartbeat_timeout", NULL },
	{ "priority", NULL },
	{ "priority.priority_key", "Priority" },
	{ "priority.fairness_key", "Priority" },
	{ "priority.fairness_weight", "Priority" },
	{ "retry_policy", "RetryPolicy" },
	{ "retry_policy.initial_interval", "RetryPolicy" },
	{ "retry_policy.backoff_coefficient", "RetryPolicy" },
	{ "retry_policy.maximum_interval", "RetryPolicy" },
	{ "retry_policy.maximum_attempts", "RetryPolicy" },
};

static bool is_negative(const Google__Duration *duration)
{
	return duration && (duration->seconds < 0 || duration->nanos < 0);
}

static bool check_duration(
	struct request *request, const Google__Duration *duration, const char *what)
{
	if (!is_negative(duration))
		return true;
	request_fail(
		request, TEMPORAL_INVALID_ARGUMENT, NULL, "invalid %s: negative duration", what);
	return false;
}

/* False: answered. */
static bool check_options(struct request *request, const Activity__ActivityOptions *options)
{
	return frontend_text(request, options->task_queue->name, "missing task queue name") &&
	       frontend_length(
		       request, options->task_queue->name, "taskQueue length exceeds limit") &&
	       check_duration(
		       request, options->schedule_to_close_timeout, "ScheduleToCloseTimeout") &&
	       check_duration(
		       request, options->schedule_to_start_timeout, "ScheduleToStartTimeout") &&
	       check_duration(request, options->start_to_close_timeout, "StartToCloseTimeout") &&
	       check_duration(request, options->heartbeat_timeout, "HeartbeatTimeout");
}

/* The time-outs with their defaults, in the options too. False: answered. */
static bool settle_timeouts(struct request *request, const struct activity *activity,
	Activity__ActivityOptions *options, struct activity_options *out)
{
	Command__ScheduleActivityTaskCommandAttributes command =
		COMMAND__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
	struct activity times = { 0 };

	command.schedule_to_close_timeout = options->schedule_to_close_timeout;
	command.schedule_to_start_timeout = options->schedule_to_start_timeout;
	command.start_to_close_timeout = options->start_to_close_timeout;
	command.heartbeat_timeout = options->heartbeat_timeout;
	if (!activity_timeouts(&command, 0, &times)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the "
			"activity. ActivityId=%s ActivityType=%s",
			activity->id, activity->type);
		return false;
	}
	out->schedule_to_close_ms = times.schedule_to_close_ms;
	out->schedule_to_start_ms = times.schedule_to_start_ms;
	out->start_to_close_ms = times.start_to_close_ms;
	out->heartbeat_ms = times.heartbeat_ms;
	return true;
}

/* The policy to keep: what cannot be changed comes from the old one. NULL: answered, or memory is
 * out. */
static const Common__RetryPolicy *policy_of(
	struct request *request, const struct activity *activity, const Common__RetryPolicy *merged)
{
	Common__RetryPolicy *full = retry_defaults(request->arena, merged);
	const Common__RetryPolicy *old =
		proto_decode(request->arena, &common__retry_policy__descriptor,
			activity->retry_policy.ptr, activity->retry_policy.len, NULL, NULL);

	if (!full || !old) {
		server_no_memory(request->server);
		return NULL;
	}
	/* A policy that is given as a whole (the official server takes it as it is). */
	const char *wrong = retry_invalid(full);
	if (wrong) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
		return NULL;
	}
	full->non_retryable_error_types = old->non_retryable_error_types;
	full->n_non_retryable_error_types = old->n_non_retryable_error_types;
	return full;
}

/* What the activity's options are to be. False: answered. */
static bool merge(
	struct request *request, const struct activity *activity, struct activity_options *out)
{
	const Workflowservice__UpdateActivityOptionsRequest *in = request->message;
	Activity__ActivityOptions *merged = activity_options_describe(request, activity);
	const char *wrong;

	if (!mask_merge(request, fields, sizeof(fields) / sizeof(fields[0]), in->update_mask,
		    in->activity_options, merged))
		return false;
	wrong = mask_names_part(in->update_mask, "retryPolicy")
			? retry_invalid(merged->retry_policy)
			: NULL;
	if (wrong) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%s", wrong);
		return false;
	}
	if (!check_options(request, merged) || !settle_timeouts(request, activity, merged, out))
		return false;
	out->task_queue = merged->task_queue->name;
	out->priority = merged->priority;
	out->retry_policy = policy_of(request, activity, merged->retry_policy);
	return out->retry_policy != NULL;
}

/* False: answered. */
static bool check_update(struct request *request)
{
	const Workflowservice__UpdateActivityOptionsRequest *in = request->message;

	if (in->restore_original && in->update_mask && in->update_mask->n_paths) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Both UpdateMask and RestoreOriginal are provided");
		return false;
	}
	return in->restore_original ||
	       frontend_present(request, in->update_mask, "UpdateMask is not provided");
}

static void reply_options(struct request *request, const struct activity *last)
{
	const Workflowservice__UpdateActivityOptionsRequest *in = request->message;
	Workflowservice__UpdateActivityOptionsResponse *response =
		REQUEST_NEW(request, Workflowservice__UpdateActivityOptionsResponse,
			workflowservice__update_activity_options_response);

	response->activity_options = activity_options_describe(request, last);
	if (!in->restore_original)
		response->activity_options->task_queue->kind =
			ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	request_reply(request, response);
}

void frontend_update_activity_options(struct request *request)
{
	const Workflowservice__UpdateActivityOptionsRequest *in = request->message;
	struct target target = { 0 };
	struct activity_options *options;

	if (in->activity_case == WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID)
		target.id = in->id;
	else if (in->activity_case ==
		 WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_TYPE)
		target.type = in->type;
	if (!in->restore_original && !in->activity_options)
		target.refused = "ActivityOptions are not provided";
	if (!frontend_priority(
		    request, in->activity_options ? in->activity_options->priority : NULL) ||
		!find(request, in->namespace_, in->execution,
			in->activity_case !=
				WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY__NOT_SET,
			&target) ||
		!check_update(request))
		return;
	options = request_array(request, target.n, sizeof(*options));
	for (size_t i = 0; options && i < target.n; i++) {
		options[i] = (struct activity_options){ 0 };
		if (in->restore_original)
			original_options(request, target.found[i], &options[i]);
		else if (!merge(request, target.found[i], &options[i]))
			return;
	}
	for (size_t i = 0; options && i < target.n; i++)
		activity_set_options(target.found[i], &options[i]);
	reply_options(request, target.found[target.n - 1]);
}
