/*
 * activity_control.c: what operators do to a pending activity: pause, unpause, reset, new options.
 *
 * None of it is an event of the history, as nothing of an attempt is. A paused activity is in no
 * queue and has no timer; an attempt that runs goes on, is told with its next heartbeat, and no
 * time-out ends it. What does not run when it is released begins its attempt anew: its last failure
 * is forgotten then, as the official server does.
 *
 * Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"

static bool is_running(const struct activity *activity)
{
	return activity->state == ACTIVITY_STARTED;
}

static void forget_heartbeat(struct activity *activity)
{
	state_activity_set(activity, &activity->heartbeat_details, NULL);
	activity->heartbeat_ns = 0;
}

static void changed(struct activity *activity)
{
	transition_activity(activity);
	transition_touch(activity->execution);
	transition_durable(activity->execution->server);
	activity_arm(activity);
}

void activity_forget_reset(struct activity *activity)
{
	if (activity->reset_heartbeat)
		forget_heartbeat(activity);
	activity->reset = activity->reset_heartbeat = false;
}

/* The attempt begins at that time, or now if it is over. */
static void schedule(struct activity *activity, int64_t at_ns)
{
	struct server *server = activity->execution->server;

	matching_withdraw(&activity->task);
	state_activity_set(activity, &activity->last_failure, NULL);
	activity_forget_reset(activity);
	activity->attempt_scheduled_ns = at_ns;
	activity->state = at_ns > server->now_ns ? ACTIVITY_BACKING_OFF : ACTIVITY_SCHEDULED;
	changed(activity);
	if (activity->state == ACTIVITY_SCHEDULED)
		activity_dispatch(activity);
}

/* Now, or somewhere in the time of the jitter. */
static int64_t soon(const struct activity *activity, int64_t jitter_ms)
{
	const struct server *server = activity->execution->server;
	uint64_t chance = 0;

	if (jitter_ms <= 0 || jitter_ms > INT64_MAX / NS_PER_MS)
		return server->now_ns;
	server->io.random(server->io.user, &chance, sizeof(chance));
	int64_t later_ns = (int64_t)(chance % (uint64_t)(jitter_ms * NS_PER_MS));
	return later_ns > INT64_MAX - server->now_ns ? INT64_MAX : server->now_ns + later_ns;
}

void activity_pause(
	struct activity *activity, const char *identity, const char *reason, const char *request_id)
{
	struct server *server = activity->execution->server;

	if (activity->paused) /* the same request again */
		return;
	activity->paused = true;
	activity->paused_ns = server->now_ns;
	state_set_text(server, &activity->pause_identity, identity);
	state_set_text(server, &activity->pause_reason, reason);
	state_set_text(server, &activity->pause_request_id, request_id);
	attributes_paused(activity->execution);
	matching_withdraw(&activity->task);
	changed(activity);
}

static void clear_pause(struct activity *activity)
{
	struct server *server = activity->execution->server;

	activity->paused = false;
	activity->paused_ns = 0;
	state_set_text(server, &activity->pause_identity, NULL);
	state_set_text(server, &activity->pause_reason, NULL);
	state_set_text(server, &activity->pause_request_id, NULL);
	attributes_paused(activity->execution);
}

void activity_unpause(struct activity *activity, const struct activity_unpause *how)
{
	if (!activity->paused)
		return;
	clear_pause(activity);
	if (how->attempts)
		activity->attempt = 1;
	if (how->heartbeat)
		forget_heartbeat(activity);
	if (is_running(activity))
		changed(activity);
	else
		schedule(activity, soon(activity, how->jitter_ms));
}

void activity_set_priority(struct activity *activity, const Common__Priority *priority)
{
	activity->has_priority = priority;
	state_set_bytes(activity->execution->server, &activity->priority, priority);
}

static Common__Priority *decode_priority(const struct bytes *data, struct arena *arena)
{
	return data->len ? proto_decode(arena, &common__priority__descriptor, data->ptr, data->len,
				   NULL, NULL)
			 : NULL;
}

Common__Priority *activity_priority(const struct activity *activity, struct arena *arena)
{
	const Common__Priority *base = decode_priority(&activity->execution->priority, arena);
	Common__Priority *own = decode_priority(&activity->priority, arena);

	if (!own && (base || activity->has_priority))
		own = PROTO_NEW(arena, Common__Priority, common__priority);
	if (!own || !base)
		return own;
	if (!own->priority_key)
		own->priority_key = base->priority_key;
	if (str_empty(own->fairness_key))
		own->fairness_key = base->fairness_key;
	if (own->fairness_weight <= 0)
		own->fairness_weight = base->fairness_weight;
	return own;
}

static void take_options(struct activity *activity, const struct activity_options *options)
{
	struct server *server = activity->execution->server;

	state_set_text(server, &activity->task_queue, options->task_queue);
	activity->schedule_to_close_ms = options->schedule_to_close_ms;
	activity->schedule_to_start_ms = options->schedule_to_start_ms;
	activity->start_to_close_ms = options->start_to_close_ms;
	activity->heartbeat_ms = options->heartbeat_ms;
	state_set_bytes(server, &activity->retry_policy, options->retry_policy);
	if (!options->keep_priority)
		activity_set_priority(activity, options->priority);
}

void activity_reset(struct activity *activity, const struct activity_reset *how)
{
	activity->attempt = 1;
	activity->reset = true;
	if (how->heartbeat)
		activity->reset_heartbeat = true;
	if (how->options)
		take_options(activity, how->options);
	if (activity->paused && !how->keep_paused)
		clear_pause(activity);
	if (is_running(activity) || activity->paused)
		changed(activity);
	else
		schedule(activity, soon(activity, how->jitter_ms));
}

/* When the attempt of an activity that does not run is due by its policy as it is now. */
static int64_t due_by_policy(const struct activity *activity)
{
	const struct server *server = activity->execution->server;
	const Failure__Failure any = FAILURE__FAILURE__INIT;
	Enums__RetryState state;
	const Common__RetryPolicy *policy;
	int64_t delay_ms;

	if (activity->attempt <= 1 || !activity->retry_policy.len)
		return activity->attempt_scheduled_ns;
	policy = proto_decode(&activity->execution->server->scratch,
		&common__retry_policy__descriptor, activity->retry_policy.ptr,
		activity->retry_policy.len, NULL, NULL);
	delay_ms = retry_backoff_ms(policy, activity->attempt, server->now_ns, 0, &any, &state);
	return timers_after(activity->attempt_completed_ns, delay_ms > 0 ? delay_ms : 0);
}

void activity_set_options(struct activity *activity, const struct activity_options *options)
{
	take_options(activity, options);
	if (is_running(activity))
		changed(activity);
	else
		schedule(activity, due_by_policy(activity));
}

void activity_hold(struct activity *activity)
{
	activity->attempt++;
	activity->state = ACTIVITY_SCHEDULED;
	activity->attempt_completed_ns = activity->execution->server->now_ns;
	activity->started_ns = 0;
	matching_withdraw(&activity->task);
	changed(activity);
}
