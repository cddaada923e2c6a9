/*
 * Cancellation: of the run, of futures, of coroutines with all that they have started. Method: as
 * run_test.c.
 */
#include "play.h"

typedef void ping_out;
TEMPORAL_ACTIVITY_CONTRACT_0(ping, "ping");

struct script {
	char trace[256];
};
typedef const char *script_out;
TEMPORAL_WORKFLOW_CONTRACT_0(script, "Script");

static void (*body)(struct wf *wf, struct script *self);

static void note(struct script *self, const char *text)
{
	size_t used = strlen(self->trace);

	snprintf(self->trace + used, sizeof(self->trace) - used, "%s", text);
}

static script_out script_run(struct wf *wf, struct script *self)
{
	body(wf, self);
	return self->trace;
}
TEMPORAL_STATEFUL_WORKFLOW_0(script, NULL);

static const struct temporal_workflow *const workflows[] = { &script_workflow, NULL };

static void begin(
	struct play *play, void (*chosen)(struct wf *wf, struct script *self), const char *expected)
{
	body = chosen;
	play_open(play, workflows);
	play_start(play, "Script", NULL);
	play_expect(play, expected);
}

static void sleeps(struct wf *wf, struct script *self)
{
	wf_sleep(wf, 1000);
}

static void a_run_that_sleeps_is_cancelled(void **state)
{
	struct play play;

	begin(&play, sleeps, "timer 1 1s\n");
	play_cancel(&play, "enough");
	play_expect(&play, "cancel timer 1\ncancelled\n");
	play_close(&play);
}

static void cleans_up(struct wf *wf, struct script *self)
{
	if (wf_try(wf, wf_timer(wf, 1000)))
		note(self, wf_cancel_reason(wf));
	wf_sleep(wf, 2000); /* cancellation came once */
	note(self, " cleaned");
}

static void cancellation_comes_once(void **state)
{
	struct play play;

	begin(&play, cleans_up, "timer 1 1s\n");
	play_cancel(&play, "enough");
	play_expect(&play, "cancel timer 1\ntimer 2 2s\n");
	play_cancel(&play, "again");
	play_expect(&play, "");
	play_fire(&play, 2);
	play_expect(&play, "complete \"enough cleaned\"\n");
	play_close(&play);
}

static void before_it_waits(void **state)
{
	struct play play;

	body = sleeps;
	play_open(&play, workflows);
	play_start(&play, "Script", NULL);
	play_cancel(&play, "");
	play_expect(&play, "timer 1 1s\ncancel timer 1\ncancelled\n");
	play_close(&play);
}

static void acts(struct wf *wf, struct script *self)
{
	wf_activity_0(wf, ping,
		WF_ACTIVITY_OPTS(.start_to_close_ms = 1000,
			.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED));
	note(self, "went on");
}

static void an_activity_is_asked_and_waited_for(void **state)
{
	struct play play;

	begin(&play, acts, "activity 1 ping()\n");
	assert_int_equal(play.completion->commands[0].schedule_activity.cancellation_type,
		ACTIVITY_WAIT_CANCELLATION_COMPLETED);
	play_cancel(&play, "");
	play_expect(&play, "cancel activity 1\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_CANCELLED, NULL);
	play_expect(&play, "cancelled\n");
	play_close(&play);
	begin(&play, acts, "activity 1 ping()\n"); /* it may end well all the same */
	play_cancel(&play, "");
	play_expect(&play, "cancel activity 1\n");
	play_activity(&play, 1, NULL);
	play_expect(&play, "complete \"went on\"\n");
	play_close(&play);
}

static void a_cancelled_activity_without_a_request_fails_the_run(void **state)
{
	struct play play;

	begin(&play, acts, "activity 1 ping()\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_CANCELLED, NULL);
	play_expect(&play, "fail activity error <- it broke\n");
	play_close(&play);
}

static bool never(const void *state)
{
	return false;
}

static void waits_for_a_condition(struct wf *wf, struct script *self)
{
	if (wf_try(wf, wf_until(wf, never, NULL)))
		note(self, "one ");
	wf_until_timeout(wf, never, NULL, 1000);
}

static void conditions_end_at_once(void **state)
{
	struct play play;

	begin(&play, waits_for_a_condition, "");
	play_cancel(&play, "");
	play_expect(&play, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "complete \"one \"\n");
	play_close(&play);
}

static void selects(struct wf *wf, struct script *self)
{
	struct wf_future *activity =
		wf_start_activity_0(wf, ping, WF_ACTIVITY_OPTS(.start_to_close_ms = 1000));
	struct wf_future *timer = wf_timer(wf, 1000);

	note(self, wf_select(wf, activity, timer, NULL) ? "not reached" : "!");
}

static void a_select_lets_all_end_and_fails(void **state)
{
	struct play play;

	begin(&play, selects, "activity 1 ping()\ntimer 1 1s\n");
	play_cancel(&play, "");
	play_expect(&play, "cancel activity 1\ncancel timer 1\n");
	play_activity(&play, 1, NULL);
	play_expect(&play, "cancelled\n");
	play_close(&play);
}

static void sleeps_beside_an_activity(struct wf *wf, struct script *self)
{
	struct wf_future *activity =
		wf_start_activity_0(wf, ping, WF_ACTIVITY_OPTS(.start_to_close_ms = 1000));

	if (wf_try(wf, wf_timer(wf, 1000)))
		note(self, "asked, ");
	wf_wait(wf, activity);
	note(self, "and went on");
}

/* What the run does not wait for is its own affair. */
static void a_runs_cancellation_stops_at_what_it_waits_for(void **state)
{
	struct play play;

	begin(&play, sleeps_beside_an_activity, "activity 1 ping()\ntimer 1 1s\n");
	play_cancel(&play, "");
	play_expect(&play, "cancel timer 1\n");
	play_activity(&play, 1, NULL);
	play_expect(&play, "complete \"asked, and went on\"\n");
	play_close(&play);
}

/* ---- wf_cancel ---- */

static void cancels_itself(struct wf *wf, struct script *self)
{
	struct wf_future *timer = wf_timer(wf, 1000), *condition = wf_until(wf, never, NULL);
	struct wf_future *activity =
		wf_start_activity_0(wf, ping, WF_ACTIVITY_OPTS(.start_to_close_ms = 1000));

	wf_cancel(wf, timer);
	wf_cancel(wf, condition);
	wf_cancel(wf, activity);
	wf_cancel(wf, activity); /* nothing more */
	note(self, wf_try(wf, timer)->message);
	note(self, wf_is_cancelled(wf_try(wf, condition)) ? " yes" : " no");
	note(self, wf_is_cancelled(wf_try(wf, activity)) ? " yes" : " no");
	wf_cancel(wf, activity);
}

static void futures_are_cancelled_one_by_one(void **state)
{
	struct play play;

	begin(&play, cancels_itself,
		"timer 1 1s\nactivity 1 ping()\ncancel timer 1\ncancel activity 1\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_CANCELLED, NULL);
	play_expect(&play, "complete \"Timer cancelled yes yes\"\n");
	play_close(&play);
}

static void inner(struct wf *wf, void *arg)
{
	wf_sleep(wf, 3000);
}

static void outer_undo(struct wf *wf, void *arg)
{
	note(arg, "undo ");
	wf_sleep(wf, 4000); /* shielded */
	note(arg, "undone ");
}

static void outer(struct wf *wf, void *arg)
{
	struct wf_future *dropped = wf_timer(wf, 1000), *child = wf_go(wf, inner, NULL);

	(void)dropped;
	wf_defer(wf, outer_undo, arg);
	wf_sleep(wf, 2000);
	wf_wait(wf, child);
}

static void cancels_a_tree(struct wf *wf, struct script *self)
{
	struct wf_future *tree = wf_go(wf, outer, self);

	wf_sleep(wf, 500);
	wf_cancel(wf, tree);
	note(self, wf_is_cancelled(wf_try(wf, tree)) ? "cancelled" : "?");
}

static void a_coroutine_is_cancelled_with_all_that_it_started(void **state)
{
	struct play play;

	begin(&play, cancels_a_tree, "timer 1 0.5s\ntimer 2 1s\ntimer 3 2s\ntimer 4 3s\n");
	play_fire(&play, 1);
	play_expect(&play, "cancel timer 3\ncancel timer 2\ncancel timer 4\ntimer 5 4s\n");
	play_fire(&play, 5);
	play_expect(&play, "complete \"undo undone cancelled\"\n");
	play_close(&play);
}

static void undoes_first(struct wf *wf, void *arg)
{
	wf_defer(wf, outer_undo, arg);
	wf_fail(wf, "Early", "on its own");
}

static void cancels_what_undoes(struct wf *wf, struct script *self)
{
	struct wf_future *part = wf_go(wf, undoes_first, self);

	wf_sleep(wf, 500);
	wf_cancel(wf, part);
	note(self, wf_try(wf, part)->type);
}

static void deferred_actions_are_shielded(void **state)
{
	struct play play;

	begin(&play, cancels_what_undoes, "timer 1 0.5s\ntimer 2 4s\n");
	play_fire(&play, 1);
	play_expect(&play, "");
	play_fire(&play, 2);
	play_expect(&play, "complete \"undo undone Early\"\n");
	play_close(&play);
}

static void outer_only(struct wf *wf, struct script *self)
{
	wf_wait(wf, wf_go(wf, outer, self));
}

static void a_runs_cancellation_is_passed_to_the_coroutine_it_waits_for(void **state)
{
	struct play play;

	begin(&play, outer_only, "timer 1 1s\ntimer 2 2s\ntimer 3 3s\n");
	play_cancel(&play, "");
	play_expect(&play, "cancel timer 2\ncancel timer 1\ncancel timer 3\ntimer 4 4s\n");
	play_fire(&play, 4);
	play_expect(&play, "cancelled\n");
	play_close(&play);
}

enum {
	DEEP = 300
};

static void nested(struct wf *wf, void *arg)
{
	int depth = *(int *)arg - 1;

	if (depth == 0)
		wf_sleep(wf, 1000);
	else
		wf_wait(wf, wf_go(wf, nested, &depth));
}

static void nests(struct wf *wf, struct script *self)
{
	int depth = DEEP;
	struct wf_future *chain = wf_go(wf, nested, &depth);

	wf_sleep(wf, 500);
	wf_cancel(wf, chain);
	wf_wait(wf, chain);
}

/* Goal: a long chain of coroutines that wait for each other needs no deep stack to be cancelled. */
static void a_long_chain_is_cancelled(void **state)
{
	struct play play;

	begin(&play, nests, "timer 1 0.5s\ntimer 2 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "cancel timer 2\nfail Timer cancelled\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_sleeps_is_cancelled),
		cmocka_unit_test(cancellation_comes_once),
		cmocka_unit_test(before_it_waits),
		cmocka_unit_test(an_activity_is_asked_and_waited_for),
		cmocka_unit_test(a_runs_cancellation_stops_at_what_it_waits_for),
		cmocka_unit_test(a_cancelled_activity_without_a_request_fails_the_run),
		cmocka_unit_test(conditions_end_at_once),
		cmocka_unit_test(a_select_lets_all_end_and_fails),
		cmocka_unit_test(futures_are_cancelled_one_by_one),
		cmocka_unit_test(a_coroutine_is_cancelled_with_all_that_it_started),
		cmocka_unit_test(deferred_actions_are_shielded),
		cmocka_unit_test(a_runs_cancellation_is_passed_to_the_coroutine_it_waits_for),
		cmocka_unit_test(a_long_chain_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
