/*
 * local.c: runs local activities: slots, attempts with their timeouts, retries, cancellation.
 *
 *	queued --slot--> runs --> [an attempt has ended] --> done
 *	                  ^                 | fails, may be tried again
 *	                  +---- waits <-----+            (a long wait is the workflow's: done)
 *
 * Each is a struct worker_local in its run's list from the step that asks for it until its result
 * was taken. An attempt is an act like that of a remote activity (activity.c), with the task that
 * the engine has made, without a token: it reports here instead of to the server. An attempt that
 * has timed out goes on in its thread until the function returns; nobody hears of it then, but its
 * slot is taken until that. Nothing is copied on the way: each attempt holds the engine's request,
 * and leaves its memory, in which the outcome lies, to the local.
 *
 * The run may be gone before that too: `run` is NULL then, and the attempt's end frees the local.
 */
#include "worker/local.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "rpc/loop.h"
#include "worker/act.h"
#include "worker/activity.h"
#include "worker/event.h"
#include "worker/limits.h"
#include "worker/run.h"
#include "worker/worker.h"

enum local_state {
	LOCAL_QUEUED,
	LOCAL_RUNS,
	LOCAL_WAITS, /* for the next attempt */
	LOCAL_DONE,
};

struct worker_local {
	struct temporal_worker *worker;
	struct worker_run *run; /* NULL: nobody waits for it */
	struct worker_local *next;
	enum local_state state;
	bool cancelled;
	struct arena arena; /* of the outcome; the last attempt's */
	const struct local_request *request;
	const Workflowservice__PollActivityTaskQueueResponse *task; /* the request's */
	uint32_t seq, attempt;
	int64_t original_schedule_ns; /* by the computer's clock, as in the marker */
	int64_t asked_ns, began_ns;   /* by the loop's: when it was asked for; its first attempt */
	int64_t start_to_close_ms, schedule_to_close_ms, schedule_to_start_ms, threshold_ms;
	struct act *act;             /* the attempt that runs; NULL: none that counts */
	struct rpc_timer timer;      /* of the attempt's timeout, or until the next one */
	struct local_result outcome; /* in `arena` */
};

static void start(struct worker_local *local);

/* Clamped: what is longer is never anyway. */
static int64_t duration_of(const Google__Duration *duration)
{
	int64_t ms = proto_duration_ms_clamped(duration);

	return ms < WORKER_DURATION_MAX_MS ? ms : WORKER_DURATION_MAX_MS;
}

static void local_free(struct worker_local *local)
{
	rpc_timer_stop(&local->timer);
	arena_finish(&local->arena);
	engine_local_release(local->request);
	mem_free(local);
}

/* Tells the run, if that is waiting and not with its thread. */
static void done(struct worker_local *local)
{
	rpc_timer_stop(&local->timer);
	local->state = LOCAL_DONE;
	local->outcome.seq = local->seq;
	local->outcome.attempt = local->attempt;
	local->outcome.original_schedule_ns = local->original_schedule_ns;
	local->outcome.runtime_ns = rpc_now_ns() - local->asked_ns;
	if (local->run)
		worker_run_local_done(local->run);
	else if (!local->act)
		local_free(local);
}

static Failure__Failure *failure_new(struct worker_local *local, const char *message)
{
	Failure__Failure *failure = PROTO_NEW(&local->arena, Failure__Failure, failure__failure);

	if (failure)
		failure->message = message;
	return failure;
}

/* It can be neither run nor told of: the task that waits for it fails, and is tried again. */
static void no_memory(struct worker_local *local)
{
	worker_log(local->worker, TEMPORAL_LOG_ERROR, "no memory for a local activity");
	if (local->run)
		worker_run_local_no_memory(local->run);
}

static void done_cancelled(struct worker_local *local)
{
	Failure__Failure *failure = failure_new(local, "");
	Failure__CanceledFailureInfo *info = PROTO_NEW(
		&local->arena, Failure__CanceledFailureInfo, failure__canceled_failure_info);

	if (!failure || !info) {
		no_memory(local);
		return;
	}
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	failure->canceled_failure_info = info;
	local->outcome.failure = failure;
	done(local);
}

static Failure__Failure *timeout_of(struct worker_local *local, Enums__TimeoutType type)
{
	Failure__Failure *failure = failure_new(local, "The local activity timed out");
	Failure__TimeoutFailureInfo *info = PROTO_NEW(
		&local->arena, Failure__TimeoutFailureInfo, failure__timeout_failure_info);

	if (!failure || !info)
		return NULL;
	info->timeout_type = type;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	failure->timeout_failure_info = info;
	return failure;
}

/* ---- after an attempt ---- */

static bool is_retryable(const struct worker_local *local, const Failure__Failure *failure)
{
	const Common__RetryPolicy *policy = local->task->retry_policy;
	const Failure__ApplicationFailureInfo *info = failure->application_failure_info;

	if (policy && policy->maximum_attempts > 0 &&
		local->attempt >= (uint32_t)policy->maximum_attempts)
		return false;
	if (failure->failure_info_case == FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO)
		return false;
	if (failure->failure_info_case != FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
		return true;
	if (info->non_retryable)
		return false;
	for (size_t i = 0; policy && i < policy->n_non_retryable_error_types; i++)
		if (str_same(policy->non_retryable_error_types[i], info->type))
			return false;
	return true;
}

/* As servers do: from a second on, doubled, up to a hundred times the first. */
static int64_t back_off_ms(const struct worker_local *local, const Failure__Failure *failure)
{
	const Common__RetryPolicy *policy = local->task->retry_policy;
	double first = policy ? (double)duration_of(policy->initial_interval) : 0;
	double most = policy ? (double)duration_of(policy->maximum_interval) : 0;
	double factor =
		policy && policy->backoff_coefficient >= 1 ? policy->backoff_coefficient : 2;
	bool application = failure->failure_info_case ==
			   FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;

	if (application && failure->application_failure_info->next_retry_delay)
		return duration_of(failure->application_failure_info->next_retry_delay);
	first = first > 0 ? first : 1000;
	most = most > 0 ? most : first * 100;
	for (uint32_t attempt = 1; attempt < local->attempt && first < most; attempt++)
		first *= factor;
	most = most < (double)WORKER_DURATION_MAX_MS ? most : (double)WORKER_DURATION_MAX_MS;
	return (int64_t)(first < most ? first : most);
}

/* How much of schedule_to_close is left; INT64_MAX without such a limit. */
static int64_t left_ms(const struct worker_local *local)
{
	if (!local->schedule_to_close_ms)
		return INT64_MAX;
	return local->schedule_to_close_ms -
	       (clock_epoch_ns() - local->original_schedule_ns) / NS_PER_MS;
}

static void wait_is_over(struct rpc_timer *timer)
{
	struct worker_local *local =
		(struct worker_local *)((char *)timer - offsetof(struct worker_local, timer));

	local->attempt++;
	local->state = LOCAL_QUEUED;
	start(local);
}

/* It has failed: the next attempt, now or by the workflow's timer, or the end. */
static void failed(struct worker_local *local, const Failure__Failure *failure)
{
	int64_t wait_ms = back_off_ms(local, failure);

	local->outcome.failure = failure;
	if (local->cancelled || !is_retryable(local, failure) || wait_ms >= left_ms(local)) {
		done(local);
		return;
	}
	if (wait_ms > local->threshold_ms) {
		local->outcome.backoff_ms = wait_ms;
		done(local);
		return;
	}
	local->outcome.failure = NULL;
	local->state = LOCAL_WAITS;
	rpc_timer_set(local->worker->loop, &local->timer, rpc_now_ns() + wait_ms * NS_PER_MS,
		wait_is_over);
}

static void too_late(struct rpc_timer *timer)
{
	struct worker_local *local =
		(struct worker_local *)((char *)timer - offsetof(struct worker_local, timer));
	bool all = left_ms(local) <= 0;
	Failure__Failure *failure =
		timeout_of(local, all ? ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
				      : ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE);
	struct act *act = local->act;

	if (!failure) {
		no_memory(local);
		return;
	}
	act->local = NULL; /* its end is nobody's affair any more */
	local->act = NULL;
	worker_act_cancel(act, ACT_TIMED_OUT, true);
	failed(local, failure);
}

/* ---- attempts ---- */

/* Somebody still waits for it. */
static void attempt_ended(struct worker_local *local, const Failure__Failure *failure, bool stops)
{
	struct worker_run *run = local->run;

	if (!run)
		local_free(local);
	else if (failure && stops)
		local->state = LOCAL_QUEUED; /* no failure of its own: another worker's turn */
	else if (failure)
		failed(local, failure);
	else
		done(local);
	if (run)
		worker_run_stops(run);
}

bool worker_locals_run(const struct worker_run *run)
{
	for (const struct worker_local *local = run->locals; local; local = local->next) {
		if (local->state == LOCAL_RUNS)
			return true;
	}
	return false;
}

static void end_posted(struct rpc_task *task)
{
	struct act *act = (struct act *)((char *)task - offsetof(struct act, end_task));
	struct temporal_worker *worker = act->worker;
	struct worker_local *local = act->local;
	const Failure__Failure *failure = act->local_failure;
	bool stops = act_cancel_reason(act) == ACT_WORKER_SHUTDOWN;
	const struct worker_slot slot = act->slot;
	const struct temporal_slot_use use = worker_activity_use(act);
	struct arena arena = { 0 };

	worker_count_task(worker, TEMPORAL_SLOT_LOCAL_ACTIVITY, act->failed);
	worker_slots_return(&worker->local_slots, &slot, &use); /* its texts are the act's */
	if (local)
		local->outcome.result = act->local_result;
	worker_activity_end_local(act, &arena);
	if (local) {
		rpc_timer_stop(&local->timer);
		local->act = NULL;
		arena_finish(&local->arena);
		local->arena = arena;
		attempt_ended(local, failure, stops);
	} else {
		arena_finish(&arena);
	}
	worker_locals_pump(worker);
	worker_advance(worker);
}

void worker_local_end(struct act *act, const Failure__Failure *failure, Common__Payload *result)
{
	act->local_failure = failure;
	act->local_result = result;
	act->end_task.run = end_posted;
	if (act->worker->opts.short_activities)
		end_posted(&act->end_task); /* this is the loop */
	else
		rpc_loop_post(act->worker->loop, &act->end_task);
}

/*
 * The task as a server would have given it out: the request's, which the act holds, but for the
 * attempt's own members.
 */
static Workflowservice__PollActivityTaskQueueResponse *task_of(
	struct worker_local *local, struct arena *arena)
{
	Workflowservice__PollActivityTaskQueueResponse *task =
		arena_memdup(arena, local->task, sizeof(*task));
	Google__Timestamp *scheduled = PROTO_NEW(arena, Google__Timestamp, google__timestamp);
	Google__Timestamp *started = PROTO_NEW(arena, Google__Timestamp, google__timestamp);
	int64_t now_ns = clock_epoch_ns();

	if (!task || !scheduled || !started)
		return NULL;
	scheduled->seconds = local->original_schedule_ns / 1000000000;
	scheduled->nanos = (int32_t)(local->original_schedule_ns % 1000000000);
	started->seconds = now_ns / 1000000000;
	started->nanos = (int32_t)(now_ns % 1000000000);
	task->scheduled_time = scheduled;
	task->started_time = task->current_attempt_scheduled_time = started;
	task->attempt = (int32_t)local->attempt;
	return task;
}

static void run_attempt(struct worker_local *local, const struct worker_slot *slot)
{
	int64_t limit_ms = left_ms(local);
	struct arena arena;
	Workflowservice__PollActivityTaskQueueResponse *task;

	arena_init(&arena, WORKER_ARENA_FIRST, ARENA_NO_BUDGET);
	task = task_of(local, &arena);
	local->act = task ? worker_activity_local(
				    local->worker, task, &arena, slot, local, local->request)
			  : NULL;
	arena_finish(&arena);
	if (!local->act) {
		worker_slots_return_unused(&local->worker->local_slots, slot);
		local->state = LOCAL_QUEUED;
		no_memory(local);
		return;
	}
	local->state = LOCAL_RUNS;
	if (local->start_to_close_ms && local->start_to_close_ms < limit_ms)
		limit_ms = local->start_to_close_ms;
	/* A short one runs in one go: no timer could end it. */
	if (limit_ms < WORKER_DURATION_MAX_MS && !local->worker->opts.short_activities)
		rpc_timer_set(local->worker->loop, &local->timer,
			rpc_now_ns() + (limit_ms > 0 ? limit_ms : 0) * NS_PER_MS, too_late);
	if (local->cancelled)
		worker_act_cancel(local->act, ACT_CANCEL_REQUESTED, false);
	if (local->worker->opts.short_activities)
		worker_activity_execute(local->act); /* to its end: what it needs is in the cache */
}

/* It has waited too long for a slot. */
static bool is_stale(const struct worker_local *local)
{
	return local->attempt == 1 && local->schedule_to_start_ms &&
	       (rpc_now_ns() - local->asked_ns) / NS_PER_MS >= local->schedule_to_start_ms;
}

static void rate_allows(struct rpc_timer *timer)
{
	worker_locals_pump(
		(struct temporal_worker *)((char *)timer -
					   offsetof(struct temporal_worker, local_again)));
}

/* max_local_activities_per_second: there will be a look at the queue when the next may start. */
static bool is_too_early(struct temporal_worker *worker)
{
	if (!worker->local_rate.interval_ns)
		return false;
	int64_t now_ns = rpc_now_ns(), early_ns = worker_rate_take(&worker->local_rate, now_ns);

	if (early_ns > 0)
		rpc_timer_set(worker->loop, &worker->local_again, now_ns + early_ns, rate_allows);
	return early_ns > 0;
}

static void start(struct worker_local *local)
{
	struct temporal_worker *worker = local->worker;
	struct worker_slot slot = { .is_sticky = false };

	if (local->state != LOCAL_QUEUED || worker->cancels_activities || is_too_early(worker))
		return;
	if (!worker_slots_reserve(&worker->local_slots, &slot)) {
		worker_rate_return(&worker->local_rate);
		return;
	}
	if (is_stale(local)) {
		worker_rate_return(&worker->local_rate);
		worker_slots_return_unused(&worker->local_slots, &slot);
		local->outcome.failure =
			timeout_of(local, ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START);
		if (local->outcome.failure)
			done(local);
		else
			no_memory(local);
		return;
	}
	run_attempt(local, &slot);
}

static void pump(struct temporal_worker *worker)
{
	for (struct worker_run *run = worker->local_runs; run; run = run->next_local) {
		struct worker_local *next;

		for (struct worker_local *local = run->locals; local; local = next) {
			next = local->next;
			if (worker_slots_free(&worker->local_slots) == 0)
				return;
			start(local);
		}
	}
}

/*
 * A slot is free: the oldest that waits in any run. Short ones end within start(), which comes here
 * again: that is left to the one that began.
 */
void worker_locals_pump(struct temporal_worker *worker)
{
	if (worker->pumps_locals)
		return;
	worker->pumps_locals = true;
	pump(worker);
	worker->pumps_locals = false;
}

/* ---- the run's side ---- */

static void begin_one(struct worker_run *run, const struct local_request *request)
{
	struct worker_local *local = mem_zalloc(sizeof(*local)), **link = &run->locals;

	if (!local) {
		worker_log(run->worker, TEMPORAL_LOG_ERROR, "no memory for a local activity");
		worker_run_local_no_memory(run);
		return;
	}
	arena_init(&local->arena, 256, ARENA_NO_BUDGET);
	local->request = engine_local_hold(request);
	local->task = request->task;
	local->worker = run->worker;
	local->run = run;
	local->seq = request->seq;
	local->attempt = (uint32_t)local->task->attempt;
	local->original_schedule_ns =
		request->original_schedule_ns ? request->original_schedule_ns : clock_epoch_ns();
	local->asked_ns = rpc_now_ns();
	local->start_to_close_ms = duration_of(local->task->start_to_close_timeout);
	local->schedule_to_close_ms = duration_of(local->task->schedule_to_close_timeout);
	local->schedule_to_start_ms = request->schedule_to_start_ms;
	local->threshold_ms =
		request->retry_threshold_ms ? request->retry_threshold_ms : WORKER_LOCAL_RETRY_MS;
	while (*link)
		link = &(*link)->next;
	*link = local;
	start(local);
}

static void cancel_one(struct worker_run *run, uint32_t seq)
{
	struct worker_local *local = run->locals;

	while (local && local->seq != seq)
		local = local->next;
	if (!local || local->state == LOCAL_DONE)
		return;
	local->cancelled = true;
	if (local->act) /* none if it runs no more and memory was out for its outcome */
		worker_act_cancel(local->act, ACT_CANCEL_REQUESTED, false);
	else
		done_cancelled(local);
}

void worker_locals_begin(struct worker_run *run)
{
	for (size_t i = 0; i < run->step.n_locals; i++)
		begin_one(run, run->step.locals[i]);
	for (size_t i = 0; i < run->step.n_cancels; i++)
		cancel_one(run, run->step.cancels[i]->seq);
}

struct local_result *worker_locals_take(struct worker_run *run, struct arena *arena, size_t *count)
{
	struct worker_local *one = NULL;
	struct local_result *results;
	size_t n = 0;

	for (struct worker_local *local = run->locals; local; local = local->next) {
		if (local->state != LOCAL_DONE)
			continue;
		one = local;
		n++;
	}
	if (n == 1)
		results = &one->outcome; /* the usual case */
	else
		results = n ? arena_array(arena, n, sizeof(*results)) : NULL;
	if (n > 1 && !results) { /* no memory: one after the other */
		results = &one->outcome;
		n = 1;
	}
	if (!results)
		return NULL;
	*count = 0;
	for (struct worker_local **link = &run->locals; *link;) {
		struct worker_local *local = *link;

		if (local->state != LOCAL_DONE || (n == 1 && local != one)) {
			link = &local->next;
			continue;
		}
		if (n > 1)
			results[*count] = local->outcome;
		++*count;
		*link = local->next;
		local->next = run->taken;
		run->taken = local;
	}
	return results;
}

void worker_locals_taken(struct worker_run *run)
{
	while (run->taken) {
		struct worker_local *local = run->taken;

		run->taken = local->next;
		local_free(local);
	}
}

void worker_locals_drop(struct worker_run *run)
{
	worker_locals_taken(run);
	while (run->locals) {
		struct worker_local *local = run->locals;

		run->locals = local->next;
		local->run = NULL;
		if (!local->act) {
			local_free(local);
			continue;
		}
		rpc_timer_stop(&local->timer);
		worker_act_cancel(local->act, ACT_NOT_FOUND, true);
	}
}
