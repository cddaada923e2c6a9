/*
 * virtual_time.c: when time may jump, and the sleeps that make it.
 *
 * The locks count as the Java test server's do, but for two things. Unlocks that are not balanced
 * (two callers that both wait for a result) never make up for a task that runs, so that no worker
 * loses its task to a jump; only a sleep from within a task does, and only for a task of its kind.
 * And no jump is made right after a caller was told that its workflow has ended: it is about to
 * lock again, and what else sleeps would be carried off before it can look.
 *
 * What is busy is counted when somebody asks, over all executions: the state has no counter that
 * could go wrong, and nobody else pays for it. Loop's thread.
 */
#include "server/virtual_time.h"

#include "server/journal.h"
#include "server/limits.h"
#include "server/state.h"
#include "server/transition.h"
#include "temporal/api/testservice/v1/request_response.pb-c.h"

enum unlocked_by {
	UNLOCKED_NOT,
	UNLOCKED_LOCK,     /* it has taken a lock away */
	UNLOCKED_ACTIVITY, /* it makes an activity not count, or a local one's workflow task */
	UNLOCKED_OTHER,
};

/* In its request's arena. */
struct sleeper {
	struct timers_entry timer;
	struct request *request;
	enum unlocked_by by;
	struct sleeper *next;
};

void virtual_time_start(struct server *server, bool locked)
{
	server->time.on = true;
	server->time.locks = locked;
}

int64_t virtual_time_now(const struct server *server)
{
	return server->io.now_ns(server->io.user) + server->time.ahead_ns;
}

struct busy {
	int64_t activities, others;
};

/* Tasks that wait for a worker or are with one. */
static void count_tasks(const struct execution *execution, struct busy *busy)
{
	busy->others += execution->n_queries;
	if (!state_running(execution))
		return;
	busy->others += execution->task_scheduled_id != 0;
	for (const struct activity *at = execution->activities; at; at = at->next)
		busy->activities +=
			at->state == ACTIVITY_SCHEDULED || at->state == ACTIVITY_STARTED;
}

static struct busy count_all(const struct server *server)
{
	struct busy busy = { .others = server->nexus_calls.count };

	for (uint32_t i = 0; i < server->numbers.capacity; i++) {
		if (server->numbers.slots[i].value)
			count_tasks(server->numbers.slots[i].value, &busy);
	}
	return busy;
}

/* Sleeps that outlive their task (it has timed out) must not discount that of somebody else. */
static void forget_sleeps(
	struct virtual_time *time, enum unlocked_by by, int64_t *sleeping, int64_t tasks)
{
	for (struct sleeper *at = time->sleepers; at && *sleeping > tasks; at = at->next) {
		if (at->by == by) {
			at->by = UNLOCKED_NOT;
			--*sleeping;
		}
	}
}

/* What keeps the time: all that is busy, but for those that sleep in it. */
static struct busy count_awake(struct server *server)
{
	struct virtual_time *time = &server->time;
	struct busy busy = count_all(server);

	forget_sleeps(time, UNLOCKED_ACTIVITY, &time->sleeping_activities, busy.activities);
	forget_sleeps(time, UNLOCKED_OTHER, &time->sleeping_others, busy.others);
	busy.activities -= time->sleeping_activities;
	busy.others -= time->sleeping_others;
	return busy;
}

void virtual_time_advance(struct server *server)
{
	struct virtual_time *time = &server->time;
	int64_t next = timers_next(&server->timers), now;
	struct busy busy;

	if (!time->on || server->failed || (time->locks > 0 && !time->sleepers))
		return;
	busy = count_awake(server);
	if (time->locks > 0 || next == INT64_MAX || busy.activities > 0 || busy.others > 0)
		return;
	now = virtual_time_now(server);
	if (next <= now || time->hold_ns > server->io.steady_ns(server->io.user))
		return;
	time->ahead_ns += next - now;
	journal_time(server);
}

void virtual_time_hold(struct server *server)
{
	if (server->time.on)
		server->time.hold_ns = server->io.steady_ns(server->io.user) +
				       SERVER_SKIP_HOLD_MS * INT64_C(1000000);
}

void virtual_time_lock(struct server *server)
{
	server->time.locks++;
}

void virtual_time_unlock(struct server *server)
{
	server->time.locks--;
}

/* ---- Sleeps ---- */

static void unlink_sleeper(struct sleeper *sleeper)
{
	struct virtual_time *time = &sleeper->request->server->time;
	struct sleeper **at = &time->sleepers;

	while (*at != sleeper)
		at = &(*at)->next;
	*at = sleeper->next;
	time->locks += sleeper->by == UNLOCKED_LOCK;
	time->sleeping_activities -= sleeper->by == UNLOCKED_ACTIVITY;
	time->sleeping_others -= sleeper->by == UNLOCKED_OTHER;
}

static void answer(struct request *request)
{
	request_reply(request,
		REQUEST_NEW(request, Testservice__SleepResponse, testservice__sleep_response));
}

static void awake(struct timers_entry *timer)
{
	struct sleeper *sleeper = (struct sleeper *)(void *)timer;

	unlink_sleeper(sleeper);
	answer(sleeper->request);
}

/* The caller has given up. */
static void cancelled(struct request *request)
{
	struct sleeper *sleeper = request->waiting_for;

	timers_stop(&request->server->timers, &sleeper->timer);
	awake(&sleeper->timer);
}

static enum unlocked_by unlock_for(struct server *server)
{
	struct virtual_time *time = &server->time;
	struct busy busy;

	if (time->locks > 0) {
		time->locks--;
		return UNLOCKED_LOCK;
	}
	busy = count_awake(server);
	if (busy.activities > 0) {
		time->sleeping_activities++;
		return UNLOCKED_ACTIVITY;
	}
	if (busy.others <= 0)
		return UNLOCKED_NOT;
	time->sleeping_others++;
	return UNLOCKED_OTHER;
}

void virtual_time_sleep(struct request *request, int64_t due_ns, bool unlocked)
{
	struct server *server = request->server;
	struct sleeper *sleeper;

	if (due_ns <= server->now_ns) {
		answer(request);
		return;
	}
	sleeper = ARENA_NEW(request->arena, struct sleeper);
	if (!sleeper || !timers_set(&server->timers, &sleeper->timer, due_ns, awake)) {
		server_no_memory(server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return;
	}
	sleeper->request = request;
	sleeper->by = unlocked ? unlock_for(server) : UNLOCKED_NOT;
	sleeper->next = server->time.sleepers;
	server->time.sleepers = sleeper;
	request->waiting_for = sleeper;
	request->cancelled = cancelled;
}

void virtual_time_drain(struct server *server)
{
	while (server->time.sleepers)
		cancelled(server->time.sleepers->request);
}
