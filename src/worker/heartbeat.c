/*
 * heartbeat.c: from act_heartbeat on the activity's thread to RecordActivityTaskHeartbeat on the
 * loop, and back to act_cancelled.
 *
 * Only the latest details matter, so there is no queue: the activity leaves them in
 * `beat_details`, and wakes the loop only if that is not going to look anyway. An activity that
 * gives a million heartbeats a second costs one call an interval.
 *
 *	IDLE --act_heartbeat--> (beat_task) --> WATCHED: a call is on its way, or a timer armed
 *	  ^                                       |  ^ |
 *	  |                                       |  `-' the call is done or the timer fired,
 *	  `-- the interval is over, nothing new --'      and there are new details
 *
 * Those of a child process lie in memory that it shares (isolate_beat.c) until the loop looks.
 *
 * The timeouts of the attempt are watched here too: an activity that the server must have given
 * up long ago (by 5 s, so as not to race with the server) is cancelled even if it never asks.
 */
#include <string.h>

#include "base/clock.h"
#include "rpc/methods.h"
#include "worker/act.h"
#include "worker/event.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/worker.h"

void worker_act_cancel(struct act *act, enum act_cancel_reason reason, bool unknown)
{
	pthread_mutex_lock(&act->lock);
	if (act->reason == ACT_NOT_CANCELLED) {
		act->reason = reason;
		if (act->process)
			isolate_tell(act->process, reason);
	}
	act->unknown = act->unknown || unknown;
	pthread_cond_broadcast(&act->cancelled);
	pthread_mutex_unlock(&act->lock);
	isolate_cancelled(act);
}

static struct act *act_of_timer(struct rpc_timer *timer)
{
	return (struct act *)((char *)timer - offsetof(struct act, beat_timer));
}

static void look(struct act *act);

static void interval_over(struct rpc_timer *timer)
{
	look(act_of_timer(timer));
}

static void answered(
	struct act *act, const Workflowservice__RecordActivityTaskHeartbeatResponse *response)
{
	if (response->cancel_requested)
		worker_act_cancel(act, ACT_CANCEL_REQUESTED, false);
	else if (response->activity_paused)
		worker_act_cancel(act, ACT_PAUSED, false);
	else if (response->activity_reset)
		worker_act_cancel(act, ACT_RESET, false);
}

static void beat_done(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct act *act = user;

	act->beat_call = NULL;
	if (reply->code == TEMPORAL_OK)
		answered(act, reply->message);
	else if (reply->code == TEMPORAL_NOT_FOUND)
		worker_act_cancel(act, ACT_NOT_FOUND, true);
	else
		worker_log(act->worker, TEMPORAL_LOG_WARN, "heartbeat of activity %s (%s): %s",
			act->info.activity_id, act->info.activity_type, reply->error.message);
	arena_finish(&reply->arena);
	if (act->ended) {
		worker_activity_try_free(act);
		return;
	}
	look(act);
}

/* With the lock held: the call is encoded before rpc_start returns. */
static bool send_beat(struct act *act)
{
	Workflowservice__RecordActivityTaskHeartbeatRequest message =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_record_activity_task_heartbeat,
		.message = &message,
		.retry = RPC_RETRY_REPORT,
		.done = beat_done,
		.user = act,
	};

	message.task_token = act->task->task_token;
	message.namespace_ = act->worker->namespace_;
	message.identity = act->worker->opts.identity;
	message.details = act->beat_details;
	act->beat_call = rpc_start(act->worker->channel, &request, NULL);
	return act->beat_call != NULL;
}

/* With the lock held: is there something to be sent? If not, the next heartbeat wakes the loop. */
static bool is_new(struct act *act)
{
	bool rests = !isolate_heartbeats(act) && !act->beat_new;

	return !rests || !isolate_heartbeats_rest(act);
}

/* Sends what is new if the interval allows, and arranges to look again. */
static void look(struct act *act)
{
	int64_t now_ns = rpc_now_ns(),
		due_ns = act->beat_sent_ns ? act->beat_sent_ns + act->beat_interval_ns : now_ns;

	pthread_mutex_lock(&act->lock);
	if (act->beat_state == WORKER_BEAT_CLOSED || act->beat_call) {
		pthread_mutex_unlock(&act->lock); /* the call's end looks again */
		return;
	}
	act->beat_state = WORKER_BEAT_WATCHED;
	if (now_ns < due_ns) {
		rpc_timer_set(act->worker->loop, &act->beat_timer, due_ns, interval_over);
	} else if (!is_new(act)) {
		act->beat_state = WORKER_BEAT_IDLE;
	} else {
		/* Without memory for the call this one is left out, and the next interval tries
		 * again. */
		act->beat_sent_ns = now_ns;
		act->beat_new = !send_beat(act);
		if (act->beat_new)
			rpc_timer_set(act->worker->loop, &act->beat_timer,
				now_ns + act->beat_interval_ns, interval_over);
	}
	pthread_mutex_unlock(&act->lock);
}

static void beat_posted(struct rpc_task *task)
{
	struct act *act = (struct act *)((char *)task - offsetof(struct act, beat_task));

	pthread_mutex_lock(&act->lock);
	act->beat_posted = false;
	pthread_mutex_unlock(&act->lock);
	if (act->ended)
		worker_activity_try_free(act);
	else
		look(act);
}

/* How long after the server an attempt is given up here. One that can be killed has its own grace
 * after that. */
static int64_t patience_ms(const struct act *act)
{
	return act->isolated ? WORKER_ISOLATED_TIMEOUT_MS : WORKER_LOCAL_TIMEOUT_MS;
}

static void too_late(struct rpc_timer *timer)
{
	struct act *act = (struct act *)((char *)timer - offsetof(struct act, timeout_timer));
	int64_t start_ms = act->info.start_to_close_timeout_ms,
		beat_ms = act->info.heartbeat_timeout_ms;

	if (beat_ms > 0 && (start_ms == 0 || beat_ms < start_ms)) {
		pthread_mutex_lock(&act->lock);
		isolate_heartbeats(act);
		/* For the server the time runs from when it was told. */
		int64_t last_ns = act->beat_made_ns > act->beat_sent_ns ? act->beat_made_ns
									: act->beat_sent_ns;
		int64_t due_ns = last_ns + (beat_ms + patience_ms(act)) * NS_PER_MS;

		pthread_mutex_unlock(&act->lock);
		if (due_ns > rpc_now_ns()) {
			rpc_timer_set(act->worker->loop, timer, due_ns, too_late);
			return;
		}
	}
	worker_act_cancel(act, ACT_TIMED_OUT, true);
}

void worker_heartbeat_begin(struct act *act)
{
	const struct temporal_worker_opts *opts = &act->worker->opts;
	int64_t start_ms = act->info.start_to_close_timeout_ms,
		beat_ms = act->info.heartbeat_timeout_ms;
	int64_t timeout_ms =
		beat_ms > 0 && (start_ms == 0 || beat_ms < start_ms) ? beat_ms : start_ms;

	act->beat_task.run = beat_posted;
	act->beat_interval_ns =
		worker_throttle_ms(beat_ms, opts->default_heartbeat_throttle_interval_ms,
			opts->max_heartbeat_throttle_interval_ms) *
		NS_PER_MS;
	act->beat_made_ns = rpc_now_ns();
	if (timeout_ms > 0 && timeout_ms < WORKER_DURATION_MAX_MS)
		rpc_timer_set(act->worker->loop, &act->timeout_timer,
			act->beat_made_ns + (timeout_ms + patience_ms(act)) * NS_PER_MS, too_late);
}

void worker_heartbeat_end(struct act *act)
{
	rpc_timer_stop(&act->beat_timer);
	rpc_timer_stop(&act->timeout_timer);
	pthread_mutex_lock(&act->lock);
	act->beat_state = WORKER_BEAT_CLOSED;
	pthread_mutex_unlock(&act->lock);
}

bool worker_heartbeat_over(struct act *act)
{
	pthread_mutex_lock(&act->lock);
	bool posted = act->beat_posted;

	pthread_mutex_unlock(&act->lock);
	return !posted && !act->beat_call;
}
