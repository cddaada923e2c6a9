/*
 * nexus.c: takes a Nexus task, has its handler run on a thread of the pool, and answers.
 *
 *	loop    poll -> [request] ...................... [answered] -> freed
 *	thread             `-> decode, run, encode -> RPC ---^
 *
 * The answer is encoded and its call started on the handler's thread. A request is always answered,
 * unless its deadline is over: then the server has given up waiting, and sends it again if it may.
 *
 * What a handler returns decides the call: a failure of kind NEXUS_HANDLER fails the task, one of
 * kind APPLICATION or CANCELLED is the end of the operation and as such a complete answer, and any
 * other is an internal error of the handler with that as its cause.
 */
#include "worker/nexus.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "client/client.h"
#include "convert/convert.h"
#include "proto/link.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "rpc/methods.h"
#include "worker/event.h"
#include "worker/intercept.h"
#include "worker/limits.h"
#include "worker/metrics.h"
#include "worker/nexus_answer.h"
#include "worker/nexus_text.h"
#include "worker/thread.h"
#include "worker/worker.h"

/* ---- the loop: the end ---- */

/* What its slot is used for. */
static struct temporal_slot_use use_of(const struct nexus *nexus)
{
	return (struct temporal_slot_use){ .workflow_type = "",
		.activity_type = "",
		.nexus_service = nexus->info.service,
		.nexus_operation = nexus->info.operation };
}

static void end(struct nexus *nexus)
{
	struct temporal_worker *worker = nexus->worker;
	const struct temporal_slot_use use = use_of(nexus);
	struct arena arena = nexus->arena; /* the request itself lies in it */

	worker_slots_return(&worker->nexus_slots, &nexus->slot, &use);
	worker_metrics_nexus_ends(nexus);
	worker_count_task(worker, TEMPORAL_SLOT_NEXUS, nexus->reason != NULL);
	rpc_timer_stop(&nexus->deadline);
	*nexus->link = nexus->next;
	if (nexus->next)
		nexus->next->link = nexus->link;
	pthread_cond_destroy(&nexus->cancelled);
	pthread_mutex_destroy(&nexus->lock);
	client_unref_on_loop(nexus->client);
	arena_finish(&arena);
	worker_advance(worker);
	worker_pollers_pump(worker);
}

static void end_posted(struct rpc_task *task)
{
	end(WORKER_NEXUS_OF(task, end_task));
}

static void answered(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct nexus *nexus = user;

	/* NOT_FOUND: the server has given up waiting, which it tells its caller too. */
	if (reply->code != TEMPORAL_OK)
		worker_log(nexus->worker,
			reply->code == TEMPORAL_NOT_FOUND ? TEMPORAL_LOG_DEBUG : TEMPORAL_LOG_WARN,
			"answering Nexus operation %s of service %s: %s: %s", nexus->info.operation,
			nexus->info.service, temporal_code_name(reply->code), reply->error.message);
	else
		worker_metrics_nexus_answered(nexus);
	arena_finish(&reply->arena);
	end(nexus);
}

/* ---- the handler's thread: the answer ---- */

static struct temporal_worker_event event_of(
	const struct nexus *nexus, enum temporal_worker_event_kind kind)
{
	return (struct temporal_worker_event){
		.kind = kind,
		.nexus_service = nexus->info.service,
		.nexus_operation = nexus->info.operation,
	};
}

static void fail(struct nexus *nexus, const struct temporal_failure *failure);

/* What cannot be sent is told once; without memory for that either, the deadline ends the request.
 */
static void send(struct nexus *nexus, const struct rpc_method *method, const void *message)
{
	struct rpc_request request = {
		.method = method,
		.message = message,
		.retry = RPC_RETRY_REPORT,
		.done = answered,
		.user = nexus,
	};
	struct temporal_error err;

	/* Once it is started the request may be gone; its worker waits for this thread. */
	struct temporal_worker *worker = nexus->worker;
	bool sent = rpc_start(worker_channel_enter(worker), &request, &err) != NULL;

	worker_channel_leave(worker);
	if (sent)
		return;
	worker_log(nexus->worker, TEMPORAL_LOG_ERROR,
		"answering Nexus operation %s of service %s: %s", nexus->info.operation,
		nexus->info.service, err.message);
	if (nexus->instead) {
		rpc_loop_post(nexus->worker->loop, &nexus->end_task);
		return;
	}
	nexus->instead = true;
	fail(nexus, nexus_error_of(nexus, &err));
}

/* The handler's error; the failure is of its kind. */
static void fail(struct nexus *nexus, const struct temporal_failure *failure)
{
	Workflowservice__RespondNexusTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_FAILED_REQUEST__INIT;
	struct temporal_worker_event event = event_of(nexus, TEMPORAL_EVENT_NEXUS_TASK_FAILED);

	nexus->reason = nexus_printf(nexus, "handler_error_%s", failure->type);
	if (!nexus->reason) /* it counts as a failure all the same */
		nexus->reason = "handler_error_INTERNAL";
	event.text = failure->message;
	worker_event(nexus->worker, event);
	worker_log(nexus->worker, TEMPORAL_LOG_WARN,
		"the handler of Nexus operation %s of service %s failed: %s: %s",
		nexus->info.operation, nexus->info.service, failure->type, failure->message);
	message.namespace_ = nexus->worker->namespace_;
	message.identity = nexus->worker->opts.identity;
	message.task_token = nexus->task->task_token;
	message.poller_group_id = nexus->task->poller_group_id;
	worker_nexus_answer_failed(&nexus->arena, failure, nexus->task->request, &message);
	send(nexus, &rpc_workflow_respond_nexus_task_failed, &message);
}

static void complete(struct nexus *nexus, Nexus__Response *response)
{
	Workflowservice__RespondNexusTaskCompletedRequest message =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT;

	if (!response) {
		fail(nexus, nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory for the answer"));
		return;
	}
	message.namespace_ = nexus->worker->namespace_;
	message.identity = nexus->worker->opts.identity;
	message.task_token = nexus->task->task_token;
	message.poller_group_id = nexus->task->poller_group_id;
	message.response = response;
	send(nexus, &rpc_workflow_respond_nexus_task_completed, &message);
}

/* The operation has ended, and not well. */
static void complete_unsuccessful(struct nexus *nexus, const struct temporal_failure *failure)
{
	bool cancelled = failure->kind == TEMPORAL_FAILURE_CANCELLED;
	struct temporal_worker_event event =
		event_of(nexus, cancelled ? TEMPORAL_EVENT_NEXUS_OPERATION_CANCELED
					  : TEMPORAL_EVENT_NEXUS_OPERATION_FAILED);

	nexus->reason = cancelled ? "operation_canceled" : "operation_failed";
	event.text = failure->message;
	worker_event(nexus->worker, event);
	complete(nexus,
		worker_nexus_answer_unsuccessful(&nexus->arena, failure, nexus->task->request));
}

static void complete_started(struct nexus *nexus, Common__Payload *result)
{
	struct temporal_worker_event event =
		event_of(nexus, nexus->token ? TEMPORAL_EVENT_NEXUS_OPERATION_STARTED
					     : TEMPORAL_EVENT_NEXUS_OPERATION_COMPLETED);

	if (nexus->token) {
		event.text = nexus->token;
		worker_event(nexus->worker, event);
	} else {
		worker_event_payload(nexus->worker, event, result);
	}
	complete(nexus, worker_nexus_answer_started(&nexus->arena, nexus, result));
}

static void complete_cancel(struct nexus *nexus)
{
	struct temporal_worker_event event = event_of(nexus, TEMPORAL_EVENT_NEXUS_CANCEL_DELIVERED);

	event.text = nexus->info.operation_token;
	worker_event(nexus->worker, event);
	complete(nexus, worker_nexus_answer_cancel(&nexus->arena));
}

/* The server does not wait any more. */
static void drop(struct nexus *nexus)
{
	struct temporal_worker_event event = event_of(nexus, TEMPORAL_EVENT_NEXUS_TASK_FAILED);

	nexus->reason = "timeout";
	event.text = "the deadline of the request is over";
	worker_event(nexus->worker, event);
	worker_log(nexus->worker, TEMPORAL_LOG_WARN,
		"Nexus operation %s of service %s was handled after its deadline",
		nexus->info.operation, nexus->info.service);
	rpc_loop_post(nexus->worker->loop, &nexus->end_task);
}

/* ---- the handler's thread: the handler ---- */

static const struct temporal_failure *bad_input(
	struct nexus *nexus, const struct temporal_error *err)
{
	const struct temporal_failure cause = { .kind = TEMPORAL_FAILURE_APPLICATION,
		.message = err->message,
		.type = "BadPayload",
		.non_retryable = true };

	if (err->code == TEMPORAL_NO_MEMORY)
		return nexus_error_of(nexus, err);
	return nexus_error_with(nexus,
		&(const struct nexus_error_opts){ .type = NEXUS_ERROR_BAD_REQUEST,
			.retry = TEMPORAL_HANDLER_NON_RETRYABLE,
			.cause = &cause },
		"Payload converter failed to decode Nexus operation input");
}

static const struct temporal_failure *run_typed(struct nexus *nexus, Common__Payload **result)
{
	const struct temporal_contract *contract = nexus->definition->contract;
	Common__Payload *const payloads[] = { nexus->start->payload };
	struct temporal_error err;
	void *in = nexus_alloc(nexus, contract->in.size),
	     *out = nexus_alloc(nexus, contract->out_size);

	if (!in || !out)
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory for the input");
	/* Callers send a null where there is no argument. */
	if (contract->in.n_fields > 0 && convert_decode_arguments(&nexus->arena, contract, payloads,
						 payloads[0] ? 1 : 0, in, &err) != TEMPORAL_OK)
		return bad_input(nexus, &err);
	const struct temporal_failure *failure =
		worker_intercept_nexus_start(nexus, contract->in.n_fields > 0 ? in : NULL, out);

	if (failure || nexus->token)
		return failure;
	if (convert_encode_result(&nexus->arena, contract, out, result, &err) != TEMPORAL_OK)
		return nexus_error(
			nexus, NEXUS_ERROR_INTERNAL, "encoding the result: %s", err.message);
	return NULL;
}

/* The dynamic operation: a payload in, a payload out. */
static const struct temporal_failure *run_dynamic(struct nexus *nexus, Common__Payload **result)
{
	struct temporal_payload in = { .encoding = PROTO_ENCODING_NULL }, out = { 0 };

	if (nexus->start->payload &&
		convert_payload_from_api(&nexus->arena, nexus->start->payload, &in) != TEMPORAL_OK)
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory for the input");
	const struct temporal_failure *failure = worker_intercept_nexus_start(nexus, &in, &out);

	if (failure || nexus->token || (!out.encoding && !out.data.data))
		return failure;
	*result = convert_payload_to_api(&nexus->arena, &out);
	return *result ? NULL
		       : nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory for the result");
}

/* A failure that is neither an operation's end nor a handler's error. */
static const struct temporal_failure *internal_error(
	struct nexus *nexus, const struct temporal_failure *cause)
{
	bool is_application = cause->kind == TEMPORAL_FAILURE_APPLICATION;

	return nexus_error_with(nexus,
		&(const struct nexus_error_opts){ .type = NEXUS_ERROR_INTERNAL,
			.retry = is_application && cause->non_retryable
					 ? TEMPORAL_HANDLER_NON_RETRYABLE
					 : TEMPORAL_HANDLER_RETRY_DEFAULT,
			.cause = cause },
		"Internal handler error");
}

static bool is_operation_end(const struct nexus *nexus, const struct temporal_failure *failure)
{
	return nexus->start && (failure->kind == TEMPORAL_FAILURE_APPLICATION ||
				       failure->kind == TEMPORAL_FAILURE_CANCELLED);
}

static void answer(
	struct nexus *nexus, const struct temporal_failure *failure, Common__Payload *result)
{
	if (nexus_cancel_reason(nexus) == NEXUS_TIMED_OUT)
		drop(nexus);
	else if (!failure && nexus->cancel)
		complete_cancel(nexus);
	else if (!failure)
		complete_started(nexus, result);
	else if (failure->kind == TEMPORAL_FAILURE_NEXUS_HANDLER)
		fail(nexus, failure);
	else if (is_operation_end(nexus, failure))
		complete_unsuccessful(nexus, failure);
	else
		fail(nexus, internal_error(nexus, failure));
}

/* The handler waits for the call: its arena and its links are free. A link is help for a reader;
 * without memory for it the operation goes on all the same. */
static void add_link(void *user, const Common__Link *from)
{
	struct nexus *nexus = user;
	Nexus__Link *link = proto_link_write(&nexus->arena, from);

	if (link)
		worker_nexus_add_link(nexus, link);
}

/* What the handler does by nexus_client tells of the operation, too. */
static void begin_links(struct nexus *nexus)
{
	nexus->client_links = (struct client_links){ .answered = add_link, .user = nexus };
	nexus->client_links.links = proto_links_read(&nexus->arena, nexus->start->links,
		nexus->start->n_links, &nexus->client_links.n_links);
	client_links_set(&nexus->client_links);
}

static void execute(struct worker_pool_job *job)
{
	struct nexus *nexus = WORKER_NEXUS_OF(job, job);
	const struct temporal_failure *failure;
	Common__Payload *result = NULL;

	if (nexus->start)
		begin_links(nexus);
	if (!nexus->definition)
		failure = nexus->refusal;
	else if (nexus->cancel)
		failure = worker_intercept_nexus_cancel(nexus);
	else if (nexus->definition->contract)
		failure = run_typed(nexus, &result);
	else
		failure = run_dynamic(nexus, &result);
	client_links_set(NULL);
	nexus->execution_ns = rpc_now_ns() - nexus->received_ns;
	answer(nexus, failure, result);
}

/* ---- the loop: the beginning ---- */

static void cancel(struct nexus *nexus, enum nexus_cancel_reason reason)
{
	pthread_mutex_lock(&nexus->lock);
	/* The deadline counts whatever else was told before. */
	if (nexus->cancel_reason == NEXUS_NOT_CANCELLED || reason == NEXUS_TIMED_OUT)
		nexus->cancel_reason = reason;
	pthread_cond_broadcast(&nexus->cancelled);
	pthread_mutex_unlock(&nexus->lock);
}

static void deadline_is_over(struct rpc_timer *timer)
{
	cancel(WORKER_NEXUS_OF(timer, deadline), NEXUS_TIMED_OUT);
}

void worker_nexus_cancel_all(struct temporal_worker *worker)
{
	for (struct nexus *nexus = worker->nexus_tasks; nexus; nexus = nexus->next)
		cancel(nexus, NEXUS_WORKER_SHUTDOWN);
}

static bool sync_init(struct nexus *nexus)
{
	if (pthread_mutex_init(&nexus->lock, NULL) != 0)
		return false;
	if (worker_condition_init(&nexus->cancelled))
		return true;
	pthread_mutex_destroy(&nexus->lock);
	return false;
}

static struct nexus *nexus_new(struct temporal_worker *worker,
	const Workflowservice__PollNexusTaskQueueResponse *task, struct arena *arena)
{
	struct nexus *nexus = ARENA_NEW(arena, struct nexus);
	const Nexus__Request *request = task->request;

	if (!nexus)
		return NULL;
	nexus->worker = worker;
	nexus->task = task;
	if (request && request->variant_case == NEXUS__REQUEST__VARIANT_START_OPERATION)
		nexus->start = request->start_operation;
	if (request && request->variant_case == NEXUS__REQUEST__VARIANT_CANCEL_OPERATION)
		nexus->cancel = request->cancel_operation;
	nexus->links_end = &nexus->links;
	nexus->end_task.run = end_posted;
	nexus->job.run = execute;
	nexus->received_ns = rpc_now_ns();
	nexus->arena = *arena;
	nexus->arena.budget = nexus->arena.held + WORKER_ACTIVITY_MEMORY_MAX;
	bool filled = worker_nexus_info(nexus) && sync_init(nexus);

	if (filled)
		nexus->definition = worker_nexus_find(nexus);
	*arena = filled ? (struct arena){ 0 } : nexus->arena;
	return filled ? nexus : NULL;
}

/* On the loop, before its handler runs. */
static void begin(struct nexus *nexus, const struct worker_slot *slot)
{
	struct temporal_worker *worker = nexus->worker;
	const struct temporal_slot_use use = use_of(nexus);

	nexus->slot = *slot;
	worker_slots_use(&worker->nexus_slots, &nexus->slot, &use);
	nexus->next = worker->nexus_tasks;
	nexus->link = &worker->nexus_tasks;
	nexus->client = client_ref(worker->current->client);
	if (nexus->next)
		nexus->next->link = &nexus->next;
	worker->nexus_tasks = nexus;
	worker_event(worker, event_of(nexus, TEMPORAL_EVENT_NEXUS_TASK_RECEIVED));
	worker_metrics_nexus_begins(nexus);
	if (nexus->timeout_ns >= 0)
		rpc_timer_set(worker->loop, &nexus->deadline,
			nexus->received_ns + nexus->timeout_ns, deadline_is_over);
	if (nexus->timeout_ns == 0)
		cancel(nexus, NEXUS_TIMED_OUT); /* it came too late, and the timer would */
	else if (worker->cancels_activities)
		cancel(nexus, NEXUS_WORKER_SHUTDOWN);
}

void worker_nexus_task(struct temporal_worker *worker,
	const Workflowservice__PollNexusTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot)
{
	struct nexus *nexus = nexus_new(worker, task, arena);

	if (!nexus) {
		/* The server sends the request again when it has timed out. */
		worker_log(worker, TEMPORAL_LOG_ERROR, "no memory for a Nexus task");
		worker_slots_return_unused(&worker->nexus_slots, slot);
		return;
	}
	begin(nexus, slot);
	if (!worker_pool_run(&worker->pool, &nexus->job))
		fail(nexus, nexus_error(nexus, NEXUS_ERROR_RESOURCE_EXHAUSTED,
				    "the worker can start no thread for the handler"));
}
