/*
 * activity.c: an activity from its command to its end.
 *
 *                  dispatch             start
 *     backing off ----------> scheduled ------> started ---> completed, canceled: an event, gone
 *          ^                                       |
 *          +------ retry: failed, timed out -------+-------> no retry left: an event, gone
 *
 * The Started event is written together with the end: attempts leave no trace in the history. One
 * timer an activity stands at the next of its time-outs, or at the end of the back-off.
 *
 * A start is durable before the worker gets the task. It goes into the same transition as the
 * scheduling if somebody polls at that moment.
 *
 * Loop's thread.
 */
#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/limits.h"

static struct server *server_of(const struct activity *activity)
{
	return activity->execution->server;
}

void activity_dispatch(struct activity *activity)
{
	if (activity->paused)
		return;
	matching_offer(matching_queue(server_of(activity), activity->execution->space,
			       activity->task_queue, true),
		&activity->task);
}

/* ---- Time-outs ---- */

struct timeout {
	Enums__TimeoutType type; /* 0: the back-off ends */
	int64_t due_ns;
};

static void earlier(struct timeout *next, Enums__TimeoutType type, int64_t from_ns, int64_t ms)
{
	if (ms <= 0 || ms > (INT64_MAX - from_ns) / NS_PER_MS)
		return;
	if (from_ns + ms * NS_PER_MS < next->due_ns)
		*next = (struct timeout){ type, from_ns + ms * NS_PER_MS };
}

static struct timeout next_timeout(const struct activity *activity)
{
	struct timeout next = { 0, INT64_MAX };
	int64_t alive_ns = activity->heartbeat_ns > activity->started_ns ? activity->heartbeat_ns
									 : activity->started_ns;

	if (activity->paused) /* nothing is due before it goes on */
		return next;
	earlier(&next, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, activity->scheduled_ns,
		activity->schedule_to_close_ms);
	switch (activity->state) {
	case ACTIVITY_BACKING_OFF:
		if (activity->attempt_scheduled_ns <= next.due_ns)
			next = (struct timeout){ 0, activity->attempt_scheduled_ns };
		break;
	case ACTIVITY_SCHEDULED:
		earlier(&next, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START,
			activity->attempt_scheduled_ns, activity->schedule_to_start_ms);
		break;
	default:
		earlier(&next, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE,
			activity->started_ns, activity->start_to_close_ms);
		earlier(&next, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_HEARTBEAT, alive_ns,
			activity->heartbeat_ms);
	}
	return next;
}

static void timer_fired(struct timers_entry *entry);

void activity_arm(struct activity *activity)
{
	struct server *server = server_of(activity);
	struct timeout next = next_timeout(activity);

	timers_stop(&server->timers, &activity->timer);
	if (next.due_ns != INT64_MAX &&
		!timers_set(&server->timers, &activity->timer, next.due_ns, timer_fired))
		server_no_memory(server);
}

/* ---- The start ---- */

static Google__Duration *duration(struct request *request, int64_t ms)
{
	Google__Duration *out = proto_duration_new_ms(request->arena, ms);

	if (!out)
		server_no_memory(request->server);
	return out;
}

/* What is recorded of an activity as a message. NULL: nothing, or the server has failed. */
static void *decode(const struct activity *activity, struct arena *arena,
	const ProtobufCMessageDescriptor *type, const struct bytes *data)
{
	struct server *server = server_of(activity);
	struct temporal_error err;
	void *message =
		data->len ? proto_decode(arena, type, data->ptr, data->len, NULL, &err) : NULL;

	if (message || !data->len)
		return message;
	if (err.code != TEMPORAL_NO_MEMORY)
		(void)error_set(&server->unread, TEMPORAL_DATA_LOSS,
			"what is recorded of activity %s cannot be read: %s", activity->id,
			err.message);
	server_unread(server);
	return NULL;
}

static void describe(struct activity *activity, struct request *request,
	Workflowservice__PollActivityTaskQueueResponse *out)
{
	struct execution *execution = activity->execution;
	const History__HistoryEvent *event =
		event_read(execution, activity->scheduled_id, request->arena);
	struct task_token token = {
		.run = (int64_t)execution->number,
		.scheduled_id = activity->scheduled_id,
		.attempt = activity->attempt,
		.starts = activity->starts,
		.run_id = execution->run_id,
	};

	if (!event) {
		server_unread(execution->server);
		return;
	}
	const History__ActivityTaskScheduledEventAttributes *scheduled =
		event->activity_task_scheduled_event_attributes;
	out->task_token = token_make(request, &token);
	out->workflow_namespace = request_text(request, execution->space->name);
	out->workflow_type = REQUEST_NEW(request, Common__WorkflowType, common__workflow_type);
	out->workflow_type->name = request_text(request, execution->type);
	out->workflow_execution =
		REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);
	out->workflow_execution->workflow_id = request_text(request, execution->workflow_id);
	out->workflow_execution->run_id = request_text(request, execution->run_id);
	out->activity_type = scheduled->activity_type;
	out->activity_id = scheduled->activity_id;
	out->header = scheduled->header;
	out->input = scheduled->input;
	out->retry_policy = decode(activity, request->arena, &common__retry_policy__descriptor,
		&activity->retry_policy);
	out->priority = activity_priority(activity, request->arena);
	out->heartbeat_details = decode(activity, request->arena, &common__payloads__descriptor,
		&activity->heartbeat_details);
	out->attempt = activity->attempt;
	out->scheduled_time = proto_timestamp_new(request->arena, activity->scheduled_ns);
	out->current_attempt_scheduled_time =
		proto_timestamp_new(request->arena, activity->attempt_scheduled_ns);
	out->started_time = proto_timestamp_new(request->arena, activity->started_ns);
	out->schedule_to_close_timeout = duration(request, activity->schedule_to_close_ms);
	out->start_to_close_timeout = duration(request, activity->start_to_close_ms);
	out->heartbeat_timeout = duration(request, activity->heartbeat_ms);
}

Workflowservice__PollActivityTaskQueueResponse *activity_begin(
	struct activity *activity, struct request *request, const char *identity)
{
	struct server *server = server_of(activity);
	Workflowservice__PollActivityTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__PollActivityTaskQueueResponse,
			workflowservice__poll_activity_task_queue_response);
	char request_id[SERVER_UUID_SIZE];

	matching_withdraw(&activity->task);
	server_uuid(&server->io, request_id);
	state_set_text(server, &activity->request_id, request_id);
	state_set_text(server, &activity->identity, identity);
	activity->state = ACTIVITY_STARTED;
	activity->started_ns = server->now_ns;
	activity->heartbeat_ns = 0;
	activity->starts++;
	transition_activity(activity);
	transition_touch(activity->execution);
	transition_durable(server);
	activity_arm(activity);
	describe(activity, request, response);
	return response;
}

void activity_start(struct activity *activity, struct request *request, const char *identity)
{
	Workflowservice__PollActivityTaskQueueResponse *response =
		activity_begin(activity, request, identity);

	response->poller_scaling_decision = matching_decision(request);
	request_reply(request, response);
}

/* ---- The end ---- */

/* The Started event, of the last attempt. Its number; 0 when it was not started or is buffered. */
static int64_t add_started(struct activity *activity)
{
	History__ActivityTaskStartedEventAttributes started =
		HISTORY__ACTIVITY_TASK_STARTED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = { .time_ns = activity->started_ns };
	struct arena *scratch = &server_of(activity)->scratch;

	started.scheduled_event_id = activity->scheduled_id;
	started.identity = activity->identity;
	started.request_id = activity->request_id;
	started.attempt = activity->attempt;
	started.last_failure =
		decode(activity, scratch, &failure__failure__descriptor, &activity->last_failure);
	int64_t id = event_add_with(activity->execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_STARTED, &started, &extras);
	/* A buffered one has no number yet; what is not 0 is replaced when it has (event.c). */
	return id ? id : -1;
}

static void finish(struct activity *activity)
{
	struct execution *execution = activity->execution;

	transition_erase(execution->server,
		(struct entity_key){ ENTITY_ACTIVITY, execution->number, activity->scheduled_id });
	transition_touch(execution);
	transition_durable(execution->server);
	state_activity_free(activity);
}

void activity_completed(
	struct activity *activity, const Common__Payloads *result, const char *identity)
{
	struct execution *execution = activity->execution;
	History__ActivityTaskCompletedEventAttributes attributes =
		HISTORY__ACTIVITY_TASK_COMPLETED_EVENT_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = activity->scheduled_id;
	attributes.started_event_id = add_started(activity);
	attributes.result = (Common__Payloads *)(uintptr_t)result;
	attributes.identity = identity;
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &attributes);
	finish(activity);
	workflow_task_wake(execution);
}

void activity_canceled(
	struct activity *activity, const Common__Payloads *details, const char *identity)
{
	struct execution *execution = activity->execution;
	History__ActivityTaskCanceledEventAttributes attributes =
		HISTORY__ACTIVITY_TASK_CANCELED_EVENT_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = activity->scheduled_id;
	attributes.started_event_id =
		activity->state == ACTIVITY_STARTED ? add_started(activity) : 0;
	attributes.latest_cancel_requested_event_id = activity->cancel_requested_id;
	attributes.details = (Common__Payloads *)(uintptr_t)details;
	attributes.identity = identity;
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_CANCELED, &attributes);
	finish(activity);
	workflow_task_wake(execution);
}

static void add_failed(struct activity *activity, const Failure__Failure *failure,
	const char *identity, Enums__RetryState state)
{
	History__ActivityTaskFailedEventAttributes attributes =
		HISTORY__ACTIVITY_TASK_FAILED_EVENT_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = activity->scheduled_id;
	attributes.started_event_id = add_started(activity);
	attributes.failure = (Failure__Failure *)(uintptr_t)failure;
	attributes.identity = identity;
	attributes.retry_state = state;
	event_add(activity->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_FAILED,
		&attributes);
}

static void add_timed_out(
	struct activity *activity, const Failure__Failure *failure, Enums__RetryState state)
{
	History__ActivityTaskTimedOutEventAttributes attributes =
		HISTORY__ACTIVITY_TASK_TIMED_OUT_EVENT_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = activity->scheduled_id;
	attributes.started_event_id =
		activity->state == ACTIVITY_STARTED ? add_started(activity) : 0;
	attributes.failure = (Failure__Failure *)(uintptr_t)failure;
	attributes.retry_state = state;
	event_add(activity->execution, ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
		&attributes);
}

/* What is kept of a failure for the next attempt is small. */
static void keep_failure(struct activity *activity, const Failure__Failure *failure)
{
	Failure__Failure brief = FAILURE__FAILURE__INIT;
	Failure__ServerFailureInfo info = FAILURE__SERVER_FAILURE_INFO__INIT;

	if (proto_size(failure) <= SERVER_ACTIVITY_FAILURE_MAX) {
		state_activity_set(activity, &activity->last_failure, failure);
		return;
	}
	brief.message = "Failure exceeds size limit.";
	brief.source = "Server";
	brief.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
	brief.server_failure_info = &info;
	state_activity_set(activity, &activity->last_failure, &brief);
}

static bool retry_allowed(const struct activity *activity, const Failure__Failure *failure)
{
	const Common__RetryPolicy *policy = decode(activity, &server_of(activity)->scratch,
		&common__retry_policy__descriptor, &activity->retry_policy);

	return policy && retry_kind(policy, failure);
}

/* Is there a next attempt? It is prepared then. */
static bool retry(
	struct activity *activity, const Failure__Failure *failure, Enums__RetryState *state)
{
	struct server *server = server_of(activity);
	const Common__RetryPolicy *policy;
	int64_t expires_ns = 0, delay_ms;

	if (activity->cancel_requested_id) {
		*state = ENUMS__RETRY_STATE__RETRY_STATE_CANCEL_REQUESTED;
		return false;
	}
	if (activity->paused && retry_allowed(activity, failure)) {
		keep_failure(activity, failure);
		activity_hold(activity);
		*state = ENUMS__RETRY_STATE__RETRY_STATE_IN_PROGRESS;
		return true;
	}
	policy = decode(activity, &server->scratch, &common__retry_policy__descriptor,
		&activity->retry_policy);
	if (activity->schedule_to_close_ms)
		expires_ns = timers_after(activity->scheduled_ns, activity->schedule_to_close_ms);
	delay_ms = retry_backoff_ms(
		policy, activity->attempt, server->now_ns, expires_ns, failure, state);
	if (delay_ms < 0)
		return false;
	keep_failure(activity, failure);
	activity_forget_reset(activity);
	activity->attempt++;
	activity->state = ACTIVITY_BACKING_OFF;
	activity->attempt_completed_ns = server->now_ns;
	activity->attempt_scheduled_ns = timers_after(server->now_ns, delay_ms);
	activity->started_ns = 0;
	matching_withdraw(&activity->task);
	transition_activity(activity);
	transition_touch(activity->execution);
	transition_durable(server);
	activity_arm(activity);
	return true;
}

void activity_failed(
	struct activity *activity, const Failure__Failure *failure, const char *identity)
{
	struct execution *execution = activity->execution;
	Enums__RetryState state;

	if (retry(activity, failure, &state))
		return;
	add_failed(activity, failure, identity, state);
	finish(activity);
	workflow_task_wake(execution);
}

static const char *timeout_text(Enums__TimeoutType type)
{
	switch (type) {
	case ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE:
		return "activity StartToClose timeout";
	case ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START:
		return "activity ScheduleToStart timeout";
	case ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_HEARTBEAT:
		return "activity Heartbeat timeout";
	default:
		return "activity ScheduleToClose timeout";
	}
}

static void timed_out(struct activity *activity, Enums__TimeoutType type)
{
	struct execution *execution = activity->execution;
	struct arena *scratch = &execution->server->scratch;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__TimeoutFailureInfo info = FAILURE__TIMEOUT_FAILURE_INFO__INIT;
	Enums__RetryState state;

	info.timeout_type = type;
	info.last_heartbeat_details = decode(
		activity, scratch, &common__payloads__descriptor, &activity->heartbeat_details);
	failure.message = timeout_text(type);
	failure.source = "Server";
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	failure.timeout_failure_info = &info;
	if (retry(activity, &failure, &state))
		return;
	failure.cause =
		decode(activity, scratch, &failure__failure__descriptor, &activity->last_failure);
	if (type == ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_CLOSE ||
		type == ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START)
		state = ENUMS__RETRY_STATE__RETRY_STATE_TIMEOUT;
	if (state == ENUMS__RETRY_STATE__RETRY_STATE_TIMEOUT &&
		type != ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START) {
		failure.message = "Not enough time to schedule next retry before activity "
				  "ScheduleToClose timeout, giving up retrying";
		info.timeout_type = ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_CLOSE;
	}
	add_timed_out(activity, &failure, state);
	finish(activity);
	workflow_task_wake(execution);
}

static void timer_fired(struct timers_entry *entry)
{
	struct activity *activity =
		(struct activity *)(void *)((char *)entry - offsetof(struct activity, timer));
	struct timeout next = next_timeout(activity);

	if (next.type) {
		timed_out(activity, next.type);
		return;
	}
	activity->state = ACTIVITY_SCHEDULED;
	transition_activity(activity);
	activity_arm(activity);
	activity_dispatch(activity);
}

void activity_heartbeat(struct activity *activity, const Common__Payloads *details)
{
	struct server *server = server_of(activity);

	activity->heartbeat_ns = server->now_ns;
	if (details)
		state_activity_set(activity, &activity->heartbeat_details, details);
	transition_activity(activity);
	transition_touch(activity->execution);
	activity_arm(activity);
}

/* ---- Commands ---- */

void command_schedule_activity(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	struct server *server = execution->server;
	struct arena *arena = decision->request->arena;
	const Command__ScheduleActivityTaskCommandAttributes *in =
		command->schedule_activity_task_command_attributes;
	History__ActivityTaskScheduledEventAttributes out =
		HISTORY__ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES__INIT;
	Common__RetryPolicy none = COMMON__RETRY_POLICY__INIT;
	struct event_extras extras = event_extras_of(command);
	struct activity *activity = state_activity_new(execution);

	if (!activity)
		return;
	activity_timeouts(in, execution->run_timeout_ms, activity);
	out.activity_id = in->activity_id;
	out.activity_type = in->activity_type;
	out.task_queue = in->task_queue;
	if (!out.task_queue || str_empty(out.task_queue->name)) {
		out.task_queue =
			REQUEST_NEW(decision->request, Taskqueue__TaskQueue, taskqueue__task_queue);
		out.task_queue->name = execution->task_queue;
	}
	if (!out.task_queue->kind)
		out.task_queue->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	out.header = in->header;
	out.input = in->input;
	out.priority = in->priority;
	out.use_workflow_build_id = in->use_workflow_build_id;
	out.schedule_to_close_timeout = duration(decision->request, activity->schedule_to_close_ms);
	out.schedule_to_start_timeout = duration(decision->request, activity->schedule_to_start_ms);
	out.start_to_close_timeout = duration(decision->request, activity->start_to_close_ms);
	out.heartbeat_timeout = duration(decision->request, activity->heartbeat_ms);
	out.retry_policy = retry_defaults(arena, in->retry_policy ? in->retry_policy : &none);
	out.workflow_task_completed_event_id = decision->completed_id;
	activity->scheduled_id = event_add_with(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &out, &extras);
	state_set_text(server, &activity->id, in->activity_id);
	state_set_text(server, &activity->type, in->activity_type->name);
	state_set_text(server, &activity->task_queue, out.task_queue->name);
	state_set_bytes(server, &activity->retry_policy, out.retry_policy);
	activity_set_priority(activity, out.priority);
	activity->attempt = 1;
	activity->state = ACTIVITY_SCHEDULED;
	activity->scheduled_ns = activity->attempt_scheduled_ns = server->now_ns;
	activity_begin_life(decision, activity, in->request_eager_execution);
}

void activity_begin_life(struct decision *decision, struct activity *activity, bool eager)
{
	Workflowservice__RespondWorkflowTaskCompletedResponse *response = decision->response;
	Workflowservice__PollActivityTaskQueueResponse **tasks;

	if (!eager) {
		transition_activity(activity);
		activity_arm(activity);
		activity_dispatch(activity);
		return;
	}
	tasks = arena_array(
		decision->request->arena, response->n_activity_tasks + 1, sizeof(*tasks));
	if (!tasks) {
		server_no_memory(server_of(activity));
		return;
	}
	for (size_t i = 0; i < response->n_activity_tasks; i++)
		tasks[i] = response->activity_tasks[i];
	tasks[response->n_activity_tasks++] =
		activity_begin(activity, decision->request, decision->message->identity);
	response->activity_tasks = tasks;
}

bool activity_timeouts(const Command__ScheduleActivityTaskCommandAttributes *in,
	int64_t run_timeout_ms, struct activity *out)
{
	int64_t to_close = 0, to_start = 0, run = 0, heartbeat = 0;

	if (!proto_duration_ms(in->schedule_to_close_timeout, &to_close) ||
		!proto_duration_ms(in->schedule_to_start_timeout, &to_start) ||
		!proto_duration_ms(in->start_to_close_timeout, &run) ||
		!proto_duration_ms(in->heartbeat_timeout, &heartbeat))
		return false;
	if (to_close < 0 || to_start < 0 || run < 0 || heartbeat < 0 || (!to_close && !run))
		return false;
	if (run_timeout_ms && (!to_close || to_close > run_timeout_ms))
		to_close = run_timeout_ms;
	if (to_close && (!to_start || to_start > to_close))
		to_start = to_close;
	if (to_close && (!run || run > to_close))
		run = to_close;
	out->schedule_to_close_ms = to_close;
	out->schedule_to_start_ms = to_start;
	out->start_to_close_ms = run;
	out->heartbeat_ms = heartbeat > run ? run : heartbeat;
	return true;
}

void command_cancel_activity(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	int64_t scheduled_id =
		command->request_cancel_activity_task_command_attributes->scheduled_event_id;
	struct activity *activity = state_activity(execution, scheduled_id);
	History__ActivityTaskCancelRequestedEventAttributes attributes =
		HISTORY__ACTIVITY_TASK_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;

	attributes.scheduled_event_id = scheduled_id;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	int64_t id = event_add(execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, &attributes);
	if (!activity) /* it has ended meanwhile */
		return;
	activity->cancel_requested_id = id;
	if (activity->state == ACTIVITY_STARTED) {
		transition_activity(activity);
		return;
	}
	static const char text[] = "\"ACTIVITY_ID_NOT_STARTED\"";
	struct arena *arena = decision->request->arena;
	Common__Payloads *details = proto_payloads_new(arena, 1);
	if (details)
		details->payloads[0] =
			proto_payload_new(arena, PROTO_ENCODING_JSON, text, sizeof(text) - 1);
	activity_canceled(activity, details, decision->message->identity);
}
