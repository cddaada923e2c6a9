/*
 * activity.c: takes an activity task, has it run on a thread of the pool, and reports what came
 * of it.
 *
 *	loop    poll or eager task -> [act] ..................... [reported] -> freed
 *	thread                          `-> decode, run, encode -> RPC --^
 *
 * The answer is encoded and its call started on the activity's thread; the loop only sends it. An
 * attempt that the server does not know any more, or that somebody else will complete, is not
 * reported at all.
 */
#include "worker/activity.h"

#include <string.h>

#include "base/error.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "worker/act.h"
#include "worker/crash.h"
#include "worker/event.h"
#include "worker/intercept.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/options.h"
#include "worker/oversize.h"
#include "worker/run.h"
#include "worker/thread.h"
#include "worker/worker.h"

/* ---- the loop: the end ---- */

/* Gives the memory, in which the attempt itself lies too. */
static struct arena take_apart(struct act *act)
{
	*act->link = act->next;
	if (act->next)
		act->next->link = act->link;
	pthread_cond_destroy(&act->cancelled);
	pthread_mutex_destroy(&act->lock);
	arena_finish(&act->beat_arena);
	return act->arena;
}

void worker_activity_try_free(struct act *act)
{
	struct temporal_worker *worker = act->worker;

	if (!act->ended || !worker_heartbeat_over(act))
		return;
	struct arena arena = take_apart(act);

	arena_finish(&arena);
	worker_advance(worker);
}

struct temporal_slot_use worker_activity_use(const struct act *act)
{
	return (struct temporal_slot_use){ .workflow_type = act->info.workflow_type,
		.activity_type = act->info.activity_type,
		.nexus_service = "",
		.nexus_operation = "" };
}

static void end(struct act *act)
{
	struct temporal_worker *worker = act->worker;
	const struct temporal_slot_use use = worker_activity_use(act);

	worker_heartbeat_end(act);
	worker->n_eager -= act->eager;
	worker_count_task(worker, TEMPORAL_SLOT_ACTIVITY, act->failed);
	worker_slots_return(&worker->activity_slots, &act->slot, &use);
	rpc_timer_stop(&act->kill_timer);
	act->ended = true;
	worker_activity_try_free(act);
	worker_pollers_pump(worker);
}

static void end_posted(struct rpc_task *task)
{
	end((struct act *)((char *)task - offsetof(struct act, end_task)));
}

static void report_failed(struct act *act, const struct temporal_failure *failure);

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

static void reported(struct rpc_call *call, struct rpc_reply *reply, void *user)
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
		report_failed(act, refused);
	else
		end(act);
}

/* ---- the activity's thread ---- */

static struct temporal_worker_event event_of(
	const struct act *act, enum temporal_worker_event_kind kind)
{
	return (struct temporal_worker_event){
		.kind = kind,
		.workflow_type = act->info.workflow_type,
		.workflow_id = act->info.workflow_id,
		.run_id = act->info.run_id,
		.activity_type = act->info.activity_type,
		.activity_id = act->info.activity_id,
		.attempt = act->info.attempt,
	};
}

/* Without memory for it, one that says so: the attempt must not seem to have succeeded, nor be left
 * to its timeout. */
static Failure__Failure *failure_message(struct act *act, const struct temporal_failure *failure)
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

static void report_instead(struct act *act, const struct temporal_error *why);

static void send(struct act *act, const struct rpc_method *method, const void *message)
{
	struct rpc_request request = {
		.method = method,
		.message = message,
		.retry = RPC_RETRY_CALL,
		.done = reported,
		.user = act,
		.lazy = act->plenty,
	};
	struct temporal_error err;

	if (rpc_start(act->worker->channel, &request, &err))
		return;
	worker_log(act->worker, TEMPORAL_LOG_ERROR, "reporting activity %s (%s): %s",
		act->info.activity_id, act->info.activity_type, err.message);
	if (act->instead)
		rpc_loop_post(act->worker->loop, &act->end_task);
	else
		report_instead(act, &err);
}

/* Retry policies go by the type: a payload's is the one that workflow code sees too. */
static const char *type_of(const struct temporal_error *err)
{
	return err->code == TEMPORAL_BAD_PAYLOAD ? "BadPayload" : temporal_code_name(err->code);
}

/*
 * What could not be encoded fails the attempt for good, once: another one would not fare better.
 * Without memory for that either, the server will notice by the timeout.
 */
static void report_instead(struct act *act, const struct temporal_error *why)
{
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	const struct act_failure_opts opts = {
		.type = type_of(why),
		.non_retryable = why->code != TEMPORAL_NO_MEMORY,
	};
	const struct temporal_failure *failure = act_failure_with(act, &opts, "%s", why->message);

	act->instead = true;
	act->has_result = false;
	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.deployment_options = act->worker->version;
	message.failure = failure_message(act, failure);
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
}

/* Its result would be refused. Another attempt may have a smaller one. */
static void report_oversize(struct act *act, const char *why)
{
	const struct temporal_failure *failure = act_failure_with(
		act, &(const struct act_failure_opts){ .type = WORKER_OVERSIZE_TYPE }, "%s", why);
	struct temporal_worker_event event = event_of(act, TEMPORAL_EVENT_ACTIVITY_FAILED);
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;

	event.text = failure->message;
	worker_event(act->worker, event);
	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.deployment_options = act->worker->version;
	message.failure = convert_failure_to_api(&act->arena, failure);
	message.cause =
		ENUMS__ACTIVITY_TASK_FAILED_CAUSE__ACTIVITY_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE;
	act->failed = true;
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
}

static void report_completed(struct act *act, Common__Payload *result)
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
		report_oversize(act, oversize);
		return;
	}
	worker_event_payload(act->worker, event_of(act, TEMPORAL_EVENT_ACTIVITY_COMPLETED), result);
	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.deployment_options = act->worker->version;
	if (result)
		message.result = &payloads;
	act->has_result = true;
	send(act, &rpc_workflow_respond_activity_task_completed, &message);
}

static void report_failed(struct act *act, const struct temporal_failure *failure)
{
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	struct temporal_worker_event event = event_of(act, TEMPORAL_EVENT_ACTIVITY_FAILED);

	event.text = failure->message;
	worker_event(act->worker, event);
	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.deployment_options = act->worker->version;
	message.failure = failure_message(act, failure);
	/* The next attempt gets the last details, whether they have been sent or not. The lock:
	 * until they are encoded. */
	pthread_mutex_lock(&act->lock);
	message.last_heartbeat_details = act->beat_details;
	send(act, &rpc_workflow_respond_activity_task_failed, &message);
	pthread_mutex_unlock(&act->lock);
}

static Common__Payloads *details_message(struct act *act, const struct temporal_payloads *details)
{
	if (details->count == 0)
		return NULL;
	Common__Payloads *message = PROTO_NEW(&act->arena, Common__Payloads, common__payloads);

	if (!message)
		return NULL;
	message->payloads = arena_array(&act->arena, details->count, sizeof(message->payloads[0]));
	for (size_t i = 0; message->payloads && i < details->count; i++) {
		message->payloads[i] = convert_payload_to_api(&act->arena, &details->items[i]);
		if (!message->payloads[i])
			return NULL;
		message->n_payloads++;
	}
	return message;
}

static void report_cancelled(struct act *act, const struct temporal_failure *failure)
{
	Workflowservice__RespondActivityTaskCanceledRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_CANCELED_REQUEST__INIT;

	worker_event(act->worker, event_of(act, TEMPORAL_EVENT_ACTIVITY_CANCELED));
	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.deployment_options = act->worker->version;
	message.details = details_message(act, &failure->details);
	send(act, &rpc_workflow_respond_activity_task_canceled, &message);
}

static void report_nothing(struct act *act, enum temporal_worker_event_kind kind)
{
	worker_event(act->worker, event_of(act, kind));
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

static void report_failure(struct act *act, const struct temporal_failure *failure)
{
	if (failure->kind == TEMPORAL_FAILURE_CANCELLED) {
		const struct temporal_failure *other =
			instead_of_cancelled(act, act_cancel_reason(act));

		if (!other) {
			report_cancelled(act, failure);
			return;
		}
		failure = other;
	}
	report_failed(act, failure);
}

static bool is_unknown(struct act *act)
{
	pthread_mutex_lock(&act->lock);
	bool unknown = act->unknown;

	pthread_mutex_unlock(&act->lock);
	return unknown;
}

static const struct temporal_failure *not_registered(struct act *act)
{
	const struct temporal_activity *const *activities = act->worker->opts.activities;
	const char *names = "";

	for (size_t i = 0; activities[i] && names; i++)
		names = act_printf(
			act, "%s%s%s", names, i ? ", " : "", activities[i]->contract->name);
	return act_failure(act, "NotFoundError",
		"this worker has no activity \"%s\" (asked for by workflow \"%s\"); it has: %s",
		act->info.activity_type, act->info.workflow_type, names ? names : "");
}

static const struct temporal_failure *run_typed(struct act *act, Common__Payload **result)
{
	const struct temporal_contract *contract = act->definition->contract;
	const Common__Payloads *input = act->task->input;
	struct temporal_error err;
	void *in = act_alloc(act, contract->in.size), *out = act_alloc(act, contract->out_size);

	if (!in || !out)
		return act_failure(act, "NO_MEMORY", "no memory for the arguments");
	if (convert_decode_arguments(&act->arena, contract, input ? input->payloads : NULL,
		    input ? input->n_payloads : 0, in, &err) != TEMPORAL_OK)
		return act_failure(act, type_of(&err), "decoding the arguments: %s", err.message);
	const struct temporal_failure *failure = worker_intercept_execute(act, in, out);

	if (failure || act->later)
		return failure;
	if (convert_encode_result(&act->arena, contract, out, result, &err) != TEMPORAL_OK)
		return act_failure(act, type_of(&err), "encoding the result: %s", err.message);
	return NULL;
}

static bool payloads_from_api(
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

/* The dynamic activity: payloads in, a payload out. */
static const struct temporal_failure *run_dynamic(struct act *act, Common__Payload **result)
{
	struct temporal_payloads in;
	struct temporal_payload out = { 0 };

	if (!payloads_from_api(&act->arena, act->task->input, &in))
		return act_failure(act, "NO_MEMORY", "no memory for the arguments");
	const struct temporal_failure *failure = worker_intercept_execute(act, &in, &out);

	if (failure || act->later || (!out.encoding && !out.data.data))
		return failure;
	*result = convert_payload_to_api(&act->arena, &out);
	return *result ? NULL : act_failure(act, "NO_MEMORY", "no memory for the result");
}

/* Nobody can complete it later: it has no token, and its task waits. */
static void end_local(
	struct act *act, const struct temporal_failure *failure, Common__Payload *result)
{
	if (!failure && act->later)
		failure = act_failure_with(act,
			&(const struct act_failure_opts){
				.type = "InvalidArgument", .non_retryable = true },
			"a local activity cannot be completed later");
	worker_event(act->worker, event_of(act, failure ? TEMPORAL_EVENT_ACTIVITY_FAILED
							: TEMPORAL_EVENT_ACTIVITY_COMPLETED));
	worker_local_end(
		act, failure ? failure_message(act, failure) : NULL, failure ? NULL : result);
}

const struct temporal_failure *worker_activity_call(struct act *act, Common__Payload **result)
{
	if (!act->definition)
		return not_registered(act);
	return act->definition->contract ? run_typed(act, result) : run_dynamic(act, result);
}

void worker_activity_execute(struct act *act)
{
	Common__Payload *result = NULL;

	crash_runs_activity(act);
	const struct temporal_failure *failure =
		act->isolated ? isolate_attempt(act, &result) : worker_activity_call(act, &result);

	crash_runs_activity(NULL);
	worker_metrics_attempt_ends(act, failure);
	if (act->is_local)
		end_local(act, failure, result);
	else if (is_unknown(act))
		report_nothing(act, TEMPORAL_EVENT_ACTIVITY_CANCELED);
	else if (failure)
		report_failure(act, failure);
	else if (act->later)
		report_nothing(act, TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN);
	else
		report_completed(act, result);
}

/* ---- the loop: the beginning ---- */

static void run_posted(struct rpc_task *task)
{
	worker_activity_execute((struct act *)((char *)task - offsetof(struct act, run_task)));
}

static void run_in_pool(struct worker_pool_job *job)
{
	worker_activity_execute((struct act *)((char *)job - offsetof(struct act, job)));
}

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

static bool info_headers(struct act *act)
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

static bool info_retry_policy(struct act *act)
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

static bool info_fill(struct act *act)
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
	return info_headers(act) && info_retry_policy(act) &&
	       payloads_from_api(&act->arena, task->heartbeat_details, &act->last_details);
}

static bool sync_init(struct act *act)
{
	if (pthread_mutex_init(&act->lock, NULL) != 0)
		return false;
	if (worker_condition_init(&act->cancelled))
		return true;
	pthread_mutex_destroy(&act->lock);
	return false;
}

static struct act *act_new(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena)
{
	struct act *act = ARENA_NEW(arena, struct act);

	if (!act)
		return NULL;
	act->worker = worker;
	act->plenty = worker_slots_plenty(&worker->activity_slots);
	act->blob_max = worker->oversize.blob_max;
	act->task = task;
	act->arena = *arena;
	act->arena.budget = act->arena.held + WORKER_ACTIVITY_MEMORY_MAX;
	act->end_task.run = end_posted;
	arena_init(&act->beat_arena, WORKER_ARENA_FIRST, WORKER_ACTIVITY_MEMORY_MAX);
	bool filled = info_fill(act);

	*arena = act->arena; /* whatever happens next, the caller's is up to date */
	if (!filled || !sync_init(act))
		return NULL;
	act->definition = worker_options_activity(&worker->opts, act->info.activity_type);
	act->isolated = worker->isolate && act->definition &&
			worker_isolates(&worker->opts, act->definition);
	*arena = (struct arena){ 0 };
	return act;
}

struct act *worker_activity_isolated(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct isolate_link *link)
{
	struct act *act = act_new(worker, task, arena);

	if (act)
		act->inside = link;
	return act;
}

void worker_activity_isolated_free(struct act *act)
{
	pthread_cond_destroy(&act->cancelled);
	pthread_mutex_destroy(&act->lock);
	arena_finish(&act->beat_arena);
	struct arena arena = act->arena; /* the attempt itself lies in it */

	arena_finish(&arena);
}

/* On the loop, in the pool: it runs from here on. */
static void begin(struct act *act, const struct worker_slot *slot)
{
	struct temporal_worker *worker = act->worker;
	const struct temporal_slot_use use = worker_activity_use(act);

	act->slot = *slot;
	worker_slots_use(
		act->is_local ? &worker->local_slots : &worker->activity_slots, &act->slot, &use);

	act->next = worker->acts;
	act->link = &worker->acts;
	if (act->next)
		act->next->link = &act->next;
	worker->acts = act;
	worker_event(worker, event_of(act, TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED));
	worker_metrics_attempt_begins(act);
	if (act->is_local)
		act->beat_state = WORKER_BEAT_CLOSED; /* it has none; timeouts are local.c's */
	else
		worker_heartbeat_begin(act);
	if (worker->cancels_activities)
		worker_act_cancel(act, ACT_WORKER_SHUTDOWN, false);
}

static bool run(struct act *act)
{
	struct temporal_worker *worker = act->worker;

	act->job.run = run_in_pool;
	if (!worker->opts.short_activities)
		return worker_pool_run(&worker->pool, &act->job);
	act->run_task.run = run_posted;
	rpc_loop_post(worker->loop, &act->run_task);
	return true;
}

void worker_activity_task(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, bool eager)
{
	struct act *act = act_new(worker, task, arena);

	if (!act) {
		/* The server gives the task out again when it has timed out. */
		worker_log(
			worker, TEMPORAL_LOG_ERROR, "no memory for activity %s", task->activity_id);
		worker->n_eager -= eager;
		worker_slots_return_unused(&worker->activity_slots, slot);
		return;
	}
	act->eager = eager;
	begin(act, slot);
	if (!run(act))
		report_failed(act, act_failure(act, "RESOURCE_EXHAUSTED",
					   "the worker can start no thread for the activity"));
}

struct act *worker_activity_local(struct temporal_worker *worker,
	const Workflowservice__PollActivityTaskQueueResponse *task, struct arena *arena,
	const struct worker_slot *slot, struct worker_local *local,
	const struct local_request *request)
{
	struct act *act = act_new(worker, task, arena);

	if (!act)
		return NULL;
	act->is_local = true;
	act->local = local;
	act->request = engine_local_hold(request);
	begin(act, slot);
	if (!worker->opts.short_activities && !run(act))
		worker_local_end(act,
			failure_message(
				act, act_failure(act, "RESOURCE_EXHAUSTED",
					     "the worker can start no thread for the activity")),
			NULL);
	return act;
}

/* No call or timer is on its way: heartbeats were closed when it began. */
void worker_activity_end_local(struct act *act, struct arena *arena)
{
	rpc_timer_stop(&act->kill_timer);
	engine_local_release(act->request);
	*arena = take_apart(act);
}

void worker_activities_cancel(struct temporal_worker *worker)
{
	struct worker_run *next;

	for (struct act *act = worker->acts; act; act = act->next)
		worker_act_cancel(act, ACT_WORKER_SHUTDOWN, false);
	for (struct worker_run *run = worker->local_runs; run; run = next) {
		next = run->next_local;
		worker_run_stops(run);
	}
}
