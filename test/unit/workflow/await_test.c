/*
 * Waiting: futures, select, conditions, coroutines, deferred actions, and what becomes of failures
 * that nobody has seen. Method: as run_test.c; bodies write what they do into a trace that is their
 * result.
 */
#include "play.h"

typedef void ping_out;
TEMPORAL_ACTIVITY_CONTRACT_0(ping, "ping");

static const struct wf_activity_opts fast = { .start_to_close_ms = 1000 };

/* One workflow, whose body the test chooses; its state is a trace. */
struct script {
	char trace[256];
	int count;
};
typedef const char *script_out;
TEMPORAL_WORKFLOW_CONTRACT_0(script, "Script");

struct script_add_in {
	int by;
};
TEMPORAL_SIGNAL_CONTRACT(script_add, "add", by);

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

static void script_add_run(struct wf *wf, struct script *self, const struct script_add_in *in)
{
	self->count += in->by;
}
TEMPORAL_SIGNAL(script, add);

static const struct temporal_handler *const script_handlers[] = { &script_add_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW_0(script, script_handlers);

static const struct temporal_workflow *const workflows[] = { &script_workflow, NULL };

static void begin(
	struct play *play, void (*chosen)(struct wf *wf, struct script *self), const char *expected)
{
	body = chosen;
	play_open(play, workflows);
	play_start(play, "Script", NULL);
	play_expect(play, expected);
}

/* ---- conditions ---- */

static bool has_three(const void *state)
{
	return ((const struct script *)state)->count >= 3;
}

static void waits_for_three(struct wf *wf, struct script *self)
{
	wf_wait(wf, wf_until(wf, has_three, self));
	note(self, "three");
}

static void a_condition_is_looked_at_after_signals(void **state)
{
	struct play play;

	begin(&play, waits_for_three, "");
	play_signal(&play, "add", "1");
	play_expect(&play, "");
	play_signal(&play, "add", "2");
	play_expect(&play, "complete \"three\"\n");
	play_close(&play);
}

static void races_a_timer(struct wf *wf, struct script *self)
{
	struct wf_future *timer = wf_timer(wf, 1000), *three = wf_until(wf, has_three, self);

	if (wf_select(wf, three, timer, NULL) == timer) {
		note(self, "late");
		return;
	}
	wf_cancel(wf, timer);
	note(self, "in time");
}

static void a_timer_against_a_signal(void **state)
{
	struct play play;

	begin(&play, races_a_timer, "timer 1 1s\n");
	play_signal(&play, "add", "3");
	play_expect(&play, "cancel timer 1\ncomplete \"in time\"\n");
	play_close(&play);
	begin(&play, races_a_timer, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "complete \"late\"\n");
	play_close(&play);
}

static void waits_with_timeout(struct wf *wf, struct script *self)
{
	for (int i = 0; i < 2; i++)
		note(self, wf_until_timeout(wf, has_three, self, 1000) ? "yes " : "no ");
	struct wf_future *timer = wf_timer(wf, 5000);
	wf_wait(wf, timer);
}

static void until_with_a_timeout(void **state)
{
	struct play play;

	begin(&play, waits_with_timeout, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "timer 2 1s\n");
	play_signal(&play, "add", "5");
	play_expect(&play, "cancel timer 2\ntimer 3 5s\n");
	play_fire(&play, 3);
	play_expect(&play, "complete \"no yes \"\n");
	play_close(&play);
}

/* Goal: Python's order: a signal of the first task is handled before the run's function begins. */
static void sees_the_signal(struct wf *wf, struct script *self)
{
	note(self, self->count == 7 ? "seen" : "not seen");
}

static void signals_of_the_first_task_come_first(void **state)
{
	struct play play;

	body = sees_the_signal;
	play_open(&play, workflows);
	play_start(&play, "Script", NULL);
	play_signal(&play, "add", "7");
	play_expect(&play, "complete \"seen\"\n");
	play_close(&play);
}

/* ---- coroutines ---- */

struct part {
	struct script *script;
	const char *name;
};

static void works(struct wf *wf, void *arg)
{
	struct part *part = arg;

	note(part->script, part->name);
	wf_sleep(wf, 1000);
	note(part->script, part->name);
}

static void goes_thrice(struct wf *wf, struct script *self)
{
	struct part a = { self, "a" }, b = { self, "b" }, c = { self, "c" };
	struct wf_future *futures[] = { wf_go(wf, works, &a), wf_go(wf, works, &b),
		wf_go(wf, works, &c) };

	note(self, "main ");
	for (int i = 0; i < 3; i++)
		wf_wait(wf, futures[i]);
	note(self, wf_is_done(wf, futures[0]) ? " done" : " pending");
}

static void coroutines_run_in_the_order_of_their_start(void **state)
{
	struct play play;

	begin(&play, goes_thrice, "timer 1 1s\ntimer 2 1s\ntimer 3 1s\n");
	play_fire(&play, 3);
	play_fire(&play, 1);
	play_expect(&play, "");
	play_fire(&play, 2);
	play_expect(&play, "complete \"main abccab done\"\n");
	play_close(&play);
}

static void breaks(struct wf *wf, void *arg)
{
	wf_fail(wf, "Broken", "%s", (const char *)arg);
}

static void tries(struct wf *wf, struct script *self)
{
	const struct temporal_failure *failure =
		wf_try(wf, wf_go(wf, breaks, (void *)(uintptr_t) "wheel"));

	note(self, failure->type);
	note(self, " ");
	note(self, failure->message);
	note(self, wf_try(wf, wf_timer(wf, 0)) ? " failed" : " fine");
}

static void try_makes_a_value_of_a_failure(void **state)
{
	struct play play;

	begin(&play, tries, "complete \"Broken wheel fine\"\n");
	play_close(&play);
}

static void two_wait_for_one(struct wf *wf, void *arg)
{
	struct wf_future **shared = arg;

	wf_wait(wf, shared[0]);
}

static void shares(struct wf *wf, struct script *self)
{
	struct wf_future *shared = wf_start_activity_0(wf, ping, &fast);
	struct wf_future *one = wf_go(wf, two_wait_for_one, &shared),
			 *two = wf_go(wf, two_wait_for_one, &shared);

	note(self, wf_try(wf, one) ? "failed " : "fine ");
	note(self, wf_try(wf, two) ? "failed" : "fine");
}

static void all_who_wait_for_a_future_get_its_failure(void **state)
{
	struct play play;

	begin(&play, shares, "activity 1 ping()\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_APPLICATION, "Other");
	play_expect(&play, "complete \"failed failed\"\n");
	play_close(&play);
}

static void selects_among_many(struct wf *wf, struct script *self)
{
	struct wf_future *t[10];

	for (int i = 0; i < 10; i++)
		t[i] = wf_timer(wf, 1000);
	struct wf_future *first =
		wf_select(wf, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], NULL);
	note(self, first == t[7] ? "7" : "other");
	note(self, wf_select_n(wf, t, 10) == t[7] ? "7" : "other"); /* done: without waiting */
}

static void select_gives_the_first_that_is_done(void **state)
{
	struct play play;

	begin(&play, selects_among_many,
		"timer 1 1s\ntimer 2 1s\ntimer 3 1s\ntimer 4 1s\ntimer 5 1s\n"
		"timer 6 1s\ntimer 7 1s\ntimer 8 1s\ntimer 9 1s\ntimer 10 1s\n");
	play_fire(&play, 8);
	play_expect(&play, "complete \"77\"\n");
	play_close(&play);
}

static void selects_nothing(struct wf *wf, struct script *self)
{
	note(self, wf_select_n(wf, NULL, 0) ? "?" : "!");
}

static void select_of_nothing_is_a_mistake(void **state)
{
	struct play play;

	begin(&play, selects_nothing,
		"task failed: InvalidArgument: wf_select: there is no future to wait for\n");
	play_close(&play);
}

/* ---- results ---- */

struct brew_in {
	int cups;
};
typedef const char *brew_out;
TEMPORAL_ACTIVITY_CONTRACT(brew, "brew", cups);

static const struct wf_activity_opts quick = { .start_to_close_ms = 1000 };

static void awaits_typed_then_raw(struct wf *wf, struct script *self)
{
	struct wf_future *future = wf_start_activity(wf, brew, &quick, .cups = 2);

	note(self, wf_await(wf, brew, future));
	note(self, wf_await(wf, brew, future));
	note(self, wf_await_raw(wf, future)->encoding);
}

static void awaits_raw_then_typed(struct wf *wf, struct script *self)
{
	struct wf_future *future = wf_start_activity(wf, brew, &quick, .cups = 2);

	note(self, wf_await_raw(wf, future)->encoding);
	note(self, wf_await_raw(wf, future)->encoding);
	note(self, wf_await(wf, brew, future));
}

/* One future has one value: its second form would be read as what it is not. */
static void a_result_is_not_awaited_in_two_forms(void **state)
{
	struct play play;

	begin(&play, awaits_typed_then_raw, "activity 1 brew(2)\n");
	play_activity(&play, 1, "\"tea\"");
	play_expect(&play, "task failed: InvalidArgument: wf_await_raw of brew: wf_await has taken "
			   "the result before\n");
	play_close(&play);
	begin(&play, awaits_raw_then_typed, "activity 1 brew(2)\n");
	play_activity(&play, 1, "\"tea\"");
	play_expect(&play, "task failed: InvalidArgument: wf_await of brew: wf_await_raw has taken "
			   "the result before\n");
	play_close(&play);
}

/* ---- failures that nobody has seen ---- */

static struct wf_future *failing(struct wf *wf)
{
	return wf_go(wf, breaks, (void *)(uintptr_t) "unseen");
}

static void drops(struct wf *wf, struct script *self)
{
	struct wf_future *dropped = failing(wf);

	(void)dropped;
	wf_sleep(wf, 1000);
}

static void drops_two(struct wf *wf, struct script *self)
{
	struct wf_future *first = failing(wf),
			 *second = wf_go(wf, breaks, (void *)(uintptr_t) "later");

	(void)first;
	(void)second;
	wf_sleep(wf, 1000);
}

static void detaches(struct wf *wf, struct script *self)
{
	wf_detach(wf, failing(wf));
	wf_sleep(wf, 1000);
}

static void selects(struct wf *wf, struct script *self)
{
	struct wf_future *timer = wf_timer(wf, 1000), *broken = failing(wf);

	note(self, wf_select(wf, timer, broken, NULL) == broken ? "broken" : "timer");
	wf_wait(wf, timer);
}

static void an_unseen_failure_fails_the_run_at_its_end(void **state)
{
	struct play play;

	begin(&play, drops, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "fail Broken: unseen\n");
	play_close(&play);
	begin(&play, drops_two, "timer 1 1s\n"); /* the first one says why */
	play_fire(&play, 1);
	play_expect(&play, "fail Broken: unseen\n");
	play_close(&play);
	begin(&play, detaches, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "complete \"\"\n");
	play_close(&play);
	begin(&play, selects, "timer 1 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "complete \"broken\"\n");
	play_close(&play);
}

/* ---- deferred actions ---- */

static void undo(struct wf *wf, void *arg)
{
	struct part *part = arg;

	note(part->script, part->name);
	wf_activity_0(wf, ping, &fast);
}

static void undo_badly(struct wf *wf, void *arg)
{
	struct part *part = arg;

	note(part->script, part->name);
	wf_fail(wf, "Undo", "%s", part->name);
}

static struct part *part_new(struct wf *wf, struct script *self, const char *name)
{
	struct part *part = wf_alloc(wf, sizeof(*part));

	*part = (struct part){ self, name };
	return part;
}

static void saga(struct wf *wf, struct script *self)
{
	wf_defer(wf, undo, part_new(wf, self, "a"));
	wf_defer(wf, undo, part_new(wf, self, "b"));
	wf_activity_0(wf, ping, &fast);
	note(self, "done ");
}

static void deferred_actions_run_backwards_after_a_failure(void **state)
{
	struct play play;

	begin(&play, saga, "activity 1 ping()\n");
	play_activity_failed(&play, 1, TEMPORAL_FAILURE_APPLICATION, "Broken");
	play_expect(&play, "activity 2 ping()\n");
	play_activity(&play, 2, NULL);
	play_expect(&play, "activity 3 ping()\n");
	play_activity(&play, 3, NULL);
	play_expect(&play, "fail activity error <- Broken: it broke\n");
	play_close(&play);
}

static void deferred_actions_run_after_a_return(void **state)
{
	struct play play;

	begin(&play, saga, "activity 1 ping()\n");
	play_activity(&play, 1, NULL);
	play_expect(&play, "activity 2 ping()\n");
	play_activity(&play, 2, NULL);
	play_expect(&play, "activity 3 ping()\n");
	play_activity(&play, 3, NULL);
	play_expect(&play, "complete \"done ba\"\n");
	play_close(&play);
}

static void bad_saga_part(struct wf *wf, void *arg)
{
	struct script *self = arg;

	wf_defer(wf, undo_badly, part_new(wf, self, "a"));
	wf_defer(wf, undo_badly, part_new(wf, self, "b"));
	wf_defer(wf, undo, part_new(wf, self, "c"));
}

static void bad_saga(struct wf *wf, struct script *self)
{
	const struct temporal_failure *failure = wf_try(wf, wf_go(wf, bad_saga_part, self));

	note(self, " ");
	note(self, failure->message);
}

static void all_deferred_actions_run_and_the_first_failure_counts(void **state)
{
	struct play play;

	begin(&play, bad_saga, "activity 1 ping()\n");
	play_activity(&play, 1, NULL);
	play_expect(&play, "complete \"cba b\"\n");
	play_close(&play);
}

/* ---- whose memory is whose ---- */

static void reads_later(struct wf *wf, void *arg)
{
	const char *text = arg;

	wf_sleep(wf, 1000);
	if (strcmp(text, "the parent's"))
		wf_fail(wf, "Overwritten", "%s", text);
	wf_wait(wf, wf_go(wf, breaks, (void *)(uintptr_t) "in the end"));
}

static void fails_early(struct wf *wf, void *arg)
{
	char text[] = "the parent's";

	wf_detach(wf, wf_go(wf, reads_later, text));
	wf_sleep(wf, 10);
	wf_fail(wf, "Early", "%s", text);
}

static void overwrites(struct wf *wf, void *arg)
{
	char room[2000];

	memset(room, '!', sizeof(room));
	wf_sleep(wf, 2000);
	if (room[1000] != '!')
		wf_fail(wf, "Overwritten", "the other way");
}

static void outlives(struct wf *wf, struct script *self)
{
	note(self, wf_try(wf, wf_go(wf, fails_early, NULL))->message);
	for (int i = 0; i < 3; i++)
		wf_detach(wf, wf_go(wf, overwrites, NULL));
	wf_sleep(wf, 5000);
}

/* Goal: a coroutine that a failed one has started still finds the other's locals. */
static void a_failures_frames_stay_while_they_are_needed(void **state)
{
	struct play play;

	begin(&play, outlives, "timer 1 0.01s\ntimer 2 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "timer 3 5s\ntimer 4 2s\ntimer 5 2s\ntimer 6 2s\n");
	play_fire(&play, 2);
	play_expect(&play, "");
	for (uint32_t i = 4; i <= 6; i++)
		play_fire(&play, i);
	play_expect(&play, "");
	play_fire(&play, 3);
	play_expect(&play, "complete \"the parent's\"\n");
	play_close(&play);
	begin(&play, outlives, "timer 1 0.01s\ntimer 2 1s\n");
	play_fire(&play, 1);
	play_run(&play);
	play_close(&play); /* all at once, children after their parent */
}

static bool looks(const void *state)
{
	return *(const int *)state == 1;
}

static void looks_at_a_local(struct wf *wf, void *arg)
{
	int local = 0;

	*(struct wf_future **)arg = wf_until(wf, looks, &local);
	wf_fail(wf, "Early", "%d", local);
}

static void asks_for_the_dead(struct wf *wf, struct script *self)
{
	struct wf_future *condition, *part = wf_go(wf, looks_at_a_local, &condition);

	note(self, wf_try(wf, part)->type);
	note(self, wf_is_cancelled(wf_try(wf, condition)) ? " cancelled" : "?");
}

static void waits_for_anothers(struct wf *wf, void *arg)
{
	wf_wait(wf, arg);
}

static bool never(const void *state)
{
	return false;
}

static void shares_a_condition(struct wf *wf, struct script *self)
{
	struct wf_future *condition = wf_until(wf, never, NULL);

	wf_wait(wf, wf_go(wf, waits_for_anothers, condition));
}

static void eviction_in_the_middle_of_it_all(void **state)
{
	struct play play;

	begin(&play, shares_a_condition, "");
	play_job(&play, JOB_REMOVE_FROM_CACHE)->remove_from_cache.message = "";
	play_expect(&play, "");
	play_close(&play);
	begin(&play, goes_thrice, "timer 1 1s\ntimer 2 1s\ntimer 3 1s\n");
	play_close(&play);
}

static void conditions_end_with_their_coroutine(void **state)
{
	struct play play;

	begin(&play, asks_for_the_dead, "complete \"Early cancelled\"\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_condition_is_looked_at_after_signals),
		cmocka_unit_test(a_timer_against_a_signal),
		cmocka_unit_test(until_with_a_timeout),
		cmocka_unit_test(signals_of_the_first_task_come_first),
		cmocka_unit_test(coroutines_run_in_the_order_of_their_start),
		cmocka_unit_test(try_makes_a_value_of_a_failure),
		cmocka_unit_test(all_who_wait_for_a_future_get_its_failure),
		cmocka_unit_test(select_gives_the_first_that_is_done),
		cmocka_unit_test(select_of_nothing_is_a_mistake),
		cmocka_unit_test(a_result_is_not_awaited_in_two_forms),
		cmocka_unit_test(an_unseen_failure_fails_the_run_at_its_end),
		cmocka_unit_test(deferred_actions_run_backwards_after_a_failure),
		cmocka_unit_test(deferred_actions_run_after_a_return),
		cmocka_unit_test(all_deferred_actions_run_and_the_first_failure_counts),
		cmocka_unit_test(a_failures_frames_stay_while_they_are_needed),
		cmocka_unit_test(conditions_end_with_their_coroutine),
		cmocka_unit_test(eviction_in_the_middle_of_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
