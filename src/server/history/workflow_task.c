/*
 * workflow_task.c: the one workflow task of an execution.
 *
 *                 schedule                  start                 complete
 *     (none) ----------------> scheduled ----------> started ------------------> (none)
 *                                 ^  |  sticky           |  fail, time out
 *                                 |  |  time-out         |
 *                                 +--+-------------------+
 *                                   next attempt; sticky: the same, on the normal queue
 *
 *   scheduled  task_scheduled_id is set; it is in a queue
 *   started    task_started_id too; events from outside are buffered, the time-out runs
 *
 * From the second attempt on the task is transient: its Scheduled and Started events have numbers,
 * but come into the history only with its completion, so that a task that fails for ever costs no
 * history. If other events have come meanwhile, it turns into a first attempt again. A task for
 * updates alone is kept out of the history too: speculative.c.
 *
 * A start is recorded, but does not wait for the disk: after a crash the task is handed out again,
 * and who has it from before is refused (NOT_FOUND) since nothing of it was started.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/update.h"
#include "server/limits.h"

#define CAUSE(name_)  ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define REASON(name_) ENUMS__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_##name_
#define KIND_NORMAL   ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL
#define KIND_STICKY   ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY

static bool is_sticky(const struct execution *execution)
{
	return !str_empty(execution->sticky_queue);
}

void workflow_task_clear_sticky(struct execution *execution)
{
	state_set_text(execution->server, &execution->sticky_queue, NULL);
	execution->sticky_timeout_ms = 0;
}

static struct task_queue *sticky_queue(struct execution *execution)
{
	struct task_queue *queue;

	if (!is_sticky(execution))
		return NULL;
	queue = matching_queue(execution->server, execution->space, execution->sticky_queue, false);
	if (!queue)
		return NULL;
	queue->sticky = true;
	return matching_alive(queue) ? queue : NULL;
}

static void timed_out(struct timers_entry *timer);

void workflow_task_arm(struct execution *execution)
{
	struct server *server = execution->server;
	int64_t due;

	timers_stop(&server->timers, &execution->task_timer);
	if (execution->task_started_id)
		due = execution->task_started_ns + execution->task_timeout_now_ms * NS_PER_MS;
	else if (execution->task.queue && execution->task.queue->sticky)
		due = timers_after(execution->task_scheduled_ns, execution->sticky_timeout_ms);
	else if (execution->task_speculative)
		due = execution->task_scheduled_ns + SERVER_SPECULATIVE_MS * NS_PER_MS;
	else
		return;
	if (!timers_set(&server->timers, &execution->task_timer, due, timed_out))
		server_no_memory(server);
}

void workflow_task_offer(struct execution *execution)
{
	struct task_queue *queue = sticky_queue(execution);

	if (!queue)
		queue = matching_queue(
			execution->server, execution->space, execution->task_queue, false);
	execution->task.kind = MATCHING_WORKFLOW;
	execution->task.owner = execution;
	matching_offer(queue, &execution->task);
	workflow_task_arm(execution);
}

/* A task that fails and fails is given more and more time, which slows the failures down. */
static int64_t timeout_of(const struct execution *execution)
{
	int64_t extra = SERVER_TASK_RETRY_MS;

	if (execution->task_attempt <= 3)
		return execution->task_timeout_ms;
	for (int32_t i = 4; i < execution->task_attempt && extra < SERVER_TASK_RETRY_MAX_MS; i++)
		extra *= 2;
	if (extra > SERVER_TASK_RETRY_MAX_MS)
		extra = SERVER_TASK_RETRY_MAX_MS;
	return execution->task_timeout_ms + extra;
}

/* The attributes of the Scheduled event, with what they point to. */
struct scheduled {
	History__WorkflowTaskScheduledEventAttributes attributes;
	Taskqueue__TaskQueue queue;
	Google__Duration timeout;
};

static void make_scheduled(const struct execution *execution, struct scheduled *out)
{
	*out = (struct scheduled){
		.attributes = HISTORY__WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES__INIT,
		.queue = TASKQUEUE__TASK_QUEUE__INIT,
		.timeout = GOOGLE__DURATION__INIT,
	};
	out->queue.name = is_sticky(execution) ? execution->sticky_queue : execution->task_queue;
	out->queue.kind = is_sticky(execution) ? KIND_STICKY : KIND_NORMAL;
	out->queue.normal_name = is_sticky(execution) ? execution->task_queue : NULL;
	out->timeout.seconds = execution->task_timeout_now_ms / 1000;
	out->timeout.nanos = (int32_t)(execution->task_timeout_now_ms % 1000 * NS_PER_MS);
	out->attributes.task_queue = &out->queue;
	out->attributes.start_to_close_timeout = &out->timeout;
	out->attributes.attempt = execution->task_attempt;
}

/* What the Started event is to say, even if it is written only when the task has ended: a workflow
 * may have asked for it. */
static void weigh(struct execution *execution)
{
	const struct server_config *config = &execution->server->config;

	execution->task_history_size = execution->history_size;
	execution->task_suggestions = 0;
	if (execution->history_size >= config->history_size_suggest)
		execution->task_suggestions |= SUGGEST_SIZE;
	if (execution->next_event_id > config->history_count_suggest)
		execution->task_suggestions |= SUGGEST_COUNT;
	if (update_many(execution))
		execution->task_suggestions |= SUGGEST_UPDATES;
}

/* The attributes of the Started event, with what they point to. */
struct started {
	History__WorkflowTaskStartedEventAttributes attributes;
	Enums__SuggestContinueAsNewReason reasons[3];
};

static void make_started(const struct execution *execution, struct started *out)
{
	static const struct {
		int32_t bit;
		Enums__SuggestContinueAsNewReason reason;
	} suggestions[] = { { SUGGEST_SIZE, REASON(HISTORY_SIZE_TOO_LARGE) },
		{ SUGGEST_COUNT, REASON(TOO_MANY_HISTORY_EVENTS) },
		{ SUGGEST_UPDATES, REASON(TOO_MANY_UPDATES) } };
	History__WorkflowTaskStartedEventAttributes *in = &out->attributes;

	*in = (History__WorkflowTaskStartedEventAttributes)
		HISTORY__WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES__INIT;
	in->scheduled_event_id = execution->task_scheduled_id;
	in->identity = execution->task_identity;
	in->request_id = execution->task_request_id;
	in->history_size_bytes = execution->task_history_size;
	in->suggest_continue_as_new = execution->task_suggestions != 0;
	in->suggest_continue_as_new_reasons = out->reasons;
	for (size_t i = 0; i < sizeof(suggestions) / sizeof(suggestions[0]); i++) {
		if (execution->task_suggestions & suggestions[i].bit)
			out->reasons[in->n_suggest_continue_as_new_reasons++] =
				suggestions[i].reason;
	}
}

static void add_scheduled(struct execution *execution)
{
	struct scheduled scheduled;
	struct event_extras extras = { .time_ns = execution->task_scheduled_ns };

	make_scheduled(execution, &scheduled);
	execution->task_scheduled_id =
		event_add_with(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			&scheduled.attributes, &extras);
}

static void add_started(struct execution *execution)
{
	struct started started;
	struct event_extras extras = { .time_ns = execution->task_started_ns };

	make_started(execution, &started);
	execution->task_started_id = event_add_with(execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED, &started.attributes, &extras);
}

static bool is_unwritten(const struct execution *execution)
{
	return execution->task_transient || execution->task_speculative;
}

void workflow_task_write(struct execution *execution, const char *identity)
{
	bool started = execution->task_started_id;

	if (!is_unwritten(execution))
		return;
	execution->task_transient = execution->task_speculative = false;
	add_scheduled(execution);
	if (!started)
		return;
	state_set_text(execution->server, &execution->task_identity, identity);
	add_started(execution);
}

static void schedule_quietly(struct execution *execution)
{
	if (execution->task_attempt < 1)
		execution->task_attempt = 1;
	execution->task_transient = execution->task_attempt > 1;
	execution->task_timeout_now_ms = timeout_of(execution);
	execution->task_scheduled_ns = execution->server->now_ns;
	if (!execution->task_transient)
		execution->task_original_scheduled_ns = execution->task_scheduled_ns;
	if (execution->n_buffered || execution->task_transient)
		execution->task_speculative = false;
	if (is_unwritten(execution))
		execution->task_scheduled_id = execution->next_event_id;
	else
		add_scheduled(execution);
	if (!execution->task_speculative)
		transition_touch(execution);
}

void workflow_task_schedule(struct execution *execution)
{
	if (!state_running(execution) || execution->task_scheduled_id || execution->backing_off)
		return;
	execution->task_wanted = true;
	if (execution->completing)
		return;
	schedule_quietly(execution);
	workflow_task_offer(execution);
}

void workflow_task_wake(struct execution *execution)
{
	workflow_task_schedule(execution);
}

static void begin(struct execution *execution, const char *identity, bool sticky,
	const char *known_request_id)
{
	struct server *server = execution->server;
	char request_id[SERVER_UUID_SIZE];

	matching_withdraw(&execution->task);
	if (!sticky)
		workflow_task_clear_sticky(execution);
	if (execution->task_transient && execution->next_event_id != execution->task_scheduled_id) {
		execution->task_attempt = 1;
		execution->task_transient = false;
		execution->task_timeout_now_ms = timeout_of(execution);
		add_scheduled(execution);
	}
	server_uuid(&server->io, request_id);
	state_set_text(server, &execution->task_request_id,
		known_request_id ? known_request_id : request_id);
	state_set_text(server, &execution->task_identity, identity);
	execution->task_started_ns = server->now_ns;
	weigh(execution);
	if (is_unwritten(execution))
		execution->task_started_id = execution->task_scheduled_id + 1;
	else
		add_started(execution);
	workflow_task_arm(execution);
	if (!execution->task_speculative)
		transition_touch(execution);
}

bool workflow_task_transient_events(
	const struct execution *execution, History__History *history, struct arena *arena)
{
	History__HistoryEvent event = HISTORY__HISTORY_EVENT__INIT;
	struct started started;
	struct scheduled scheduled;

	if (!is_unwritten(execution) || execution->task_scheduled_id != execution->next_event_id)
		return true;
	make_scheduled(execution, &scheduled);
	event.event_id = execution->task_scheduled_id;
	event.event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_SCHEDULED;
	event.event_time = proto_timestamp_new(arena, execution->task_scheduled_ns);
	event.attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES;
	event.workflow_task_scheduled_event_attributes = &scheduled.attributes;
	if (!event_append(history, &event, arena))
		return false;
	if (!execution->task_started_id)
		return true;
	make_started(execution, &started);
	event.event_id = execution->task_started_id;
	event.event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED;
	event.event_time = proto_timestamp_new(arena, execution->task_started_ns);
	event.attributes_case =
		HISTORY__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES;
	event.workflow_task_started_event_attributes = &started.attributes;
	return event_append(history, &event, arena);
}

void workflow_task_describe(struct execution *execution, struct request *request, bool sticky,
	Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	struct arena *arena = request->arena;
	struct task_token token = {
		.run = (int64_t)execution->number,
		.scheduled_id = execution->task_scheduled_id,
		.started_id = execution->task_started_id,
		.attempt = execution->task_attempt,
		.starts = execution->task_started_ns,
		.run_id = execution->run_id,
	};

	response->task_token = token_make(request, &token);
	workflow_task_subject(execution, request, response);
	response->previous_started_event_id = execution->previous_started_id;
	response->started_event_id = execution->task_started_id;
	response->attempt = execution->task_attempt;
	response->scheduled_time = proto_timestamp_new(arena, execution->task_scheduled_ns);
	response->started_time = proto_timestamp_new(arena, execution->task_started_ns);
	workflow_task_history(
		execution, request, sticky ? execution->previous_started_id + 1 : 1, response);
	query_attach(execution, request, response);
}

void workflow_task_subject(struct execution *execution, struct request *request,
	Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	response->workflow_execution =
		REQUEST_NEW(request, Common__WorkflowExecution, common__workflow_execution);
	response->workflow_execution->workflow_id = request_text(request, execution->workflow_id);
	response->workflow_execution->run_id = request_text(request, execution->run_id);
	response->workflow_type = REQUEST_NEW(request, Common__WorkflowType, common__workflow_type);
	response->workflow_type->name = request_text(request, execution->type);
	response->workflow_execution_task_queue =
		REQUEST_NEW(request, Taskqueue__TaskQueue, taskqueue__task_queue);
	response->workflow_execution_task_queue->name =
		request_text(request, execution->task_queue);
	response->workflow_execution_task_queue->kind = KIND_NORMAL;
}

void workflow_task_history(struct execution *execution, struct request *request, int64_t first,
	Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	int64_t end = execution->next_event_id, last = end;

	response->history = event_range(execution, first, &end, INT64_MAX, request->arena);
	if (!response->history)
		server_no_memory(execution->server);
	else if (end < last)
		response->next_page_token = token_page(request, execution, end, last);
	else if (execution->task_started_id &&
		 !workflow_task_transient_events(execution, response->history, request->arena))
		server_no_memory(execution->server);
}

void workflow_task_start(
	struct execution *execution, struct request *request, const char *identity, bool sticky)
{
	Workflowservice__PollWorkflowTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__PollWorkflowTaskQueueResponse,
			workflowservice__poll_workflow_task_queue_response);

	begin(execution, identity, sticky, NULL);
	workflow_task_describe(execution, request, sticky, response);
	update_send(execution, request, true, response);
	response->backlog_count_hint = request->advice.n_backlog;
	response->poller_scaling_decision = matching_decision(request);
	request_reply_now(request, response);
}

Workflowservice__PollWorkflowTaskQueueResponse *workflow_task_start_inline(
	struct execution *execution, struct request *request, const char *identity, bool sticky)
{
	Workflowservice__PollWorkflowTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__PollWorkflowTaskQueueResponse,
			workflowservice__poll_workflow_task_queue_response);

	if (!execution->task_scheduled_id)
		schedule_quietly(execution);
	begin(execution, identity, sticky, "request-from-RespondWorkflowTaskCompleted");
	workflow_task_describe(execution, request, sticky, response);
	return response;
}

static void clear(struct execution *execution)
{
	if (execution->task_started_id)
		execution->close_attempted = false;
	execution->task_scheduled_id = execution->task_started_id = 0;
	execution->task_transient = execution->task_speculative = false;
	execution->task_started_ns = 0;
	matching_withdraw(&execution->task);
	timers_stop(&execution->server->timers, &execution->task_timer);
}

void workflow_task_forget(struct execution *execution)
{
	clear(execution);
	execution->task_attempt = 1;
}

void workflow_task_drop(struct execution *execution)
{
	if (!execution->task_scheduled_id)
		return;
	if (execution->task_started_id && execution->task_speculative)
		workflow_task_write(execution, "history-service");
	if (execution->task_started_id && !execution->task_transient) {
		History__WorkflowTaskFailedEventAttributes failed =
			HISTORY__WORKFLOW_TASK_FAILED_EVENT_ATTRIBUTES__INIT;

		failed.scheduled_event_id = execution->task_scheduled_id;
		failed.started_event_id = execution->task_started_id;
		failed.cause = CAUSE(FORCE_CLOSE_COMMAND);
		failed.identity = "history-service";
		event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_FAILED, &failed);
	}
	clear(execution);
	transition_touch(execution);
	event_flush(execution);
}

void workflow_task_complete(
	struct execution *execution, History__WorkflowTaskCompletedEventAttributes *attributes)
{
	workflow_task_write(execution, attributes->identity);
	attributes->scheduled_event_id = execution->task_scheduled_id;
	attributes->started_event_id = execution->task_started_id;
	execution->previous_started_id = execution->task_started_id;
	clear(execution);
	transition_touch(execution);
	execution->task_attempt = 1;
	execution->last_completed_id = event_add(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_COMPLETED, attributes);
	reset_point_add(execution, attributes, execution->server->now_ns);
}

/* After a failure: the normal queue first, then the next attempt. */
static void again(struct execution *execution)
{
	bool sticky = is_sticky(execution), started = execution->task_started_id;

	clear(execution);
	transition_touch(execution);
	if (sticky)
		workflow_task_clear_sticky(execution);
	else if (started)
		execution->task_attempt++;
	if (event_flush(execution))
		execution->task_attempt = 1;
	workflow_task_schedule(execution);
	/* Queries wait for that task: on their own, a worker would hear of events that it may be
	 * about to lose. */
	query_again(execution);
	transition_durable(execution->server);
}

void workflow_task_fail(struct execution *execution, Enums__WorkflowTaskFailedCause cause,
	Failure__Failure *failure, const char *identity)
{
	if (execution->task_speculative)
		workflow_task_write(execution, identity);
	if (!execution->task_transient) {
		History__WorkflowTaskFailedEventAttributes failed =
			HISTORY__WORKFLOW_TASK_FAILED_EVENT_ATTRIBUTES__INIT;

		failed.scheduled_event_id = execution->task_scheduled_id;
		failed.started_event_id = execution->task_started_id;
		failed.cause = cause;
		failed.failure = failure;
		failed.identity = identity;
		event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_FAILED, &failed);
	}
	attributes_task_failed(execution, cause);
	again(execution);
	execution->close_attempted = cause == CAUSE(UNHANDLED_COMMAND);
}

static void timed_out(struct timers_entry *timer)
{
	struct execution *execution =
		(struct execution *)(void *)((char *)timer -
					     offsetof(struct execution, task_timer));

	if (execution->task_speculative)
		workflow_task_write(execution, "");
	if (!execution->task_transient) {
		History__WorkflowTaskTimedOutEventAttributes out =
			HISTORY__WORKFLOW_TASK_TIMED_OUT_EVENT_ATTRIBUTES__INIT;

		out.scheduled_event_id = execution->task_scheduled_id;
		out.started_event_id = execution->task_started_id;
		out.timeout_type = execution->task_started_id
					   ? ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE
					   : ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START;
		event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, &out);
	}
	if (execution->task_started_id)
		attributes_task_timed_out(
			execution, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE);
	again(execution);
}

bool workflow_task_heartbeat_over(struct execution *execution)
{
	struct server *server = execution->server;
	int64_t first_ns = execution->task_original_scheduled_ns;

	if (!first_ns || server->now_ns <= first_ns + server->config.heartbeat_ms * NS_PER_MS)
		return false;
	timed_out(&execution->task_timer);
	return true;
}
