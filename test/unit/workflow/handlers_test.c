/*
 * Signals, queries and updates: typed, untyped, unknown, wrong. Method: as run_test.c.
 */
#include "play.h"

struct door {
	const char *opened_by;
	int asked;
};
typedef const char *door_out;
TEMPORAL_WORKFLOW_CONTRACT_0(door, "Door");

struct door_open_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(door_open, "open", by);
TEMPORAL_SIGNAL_CONTRACT_0(door_break, "break");
TEMPORAL_SIGNAL_CONTRACT_0(door_knock, "knock");
struct door_call_in {
	int number;
};
TEMPORAL_SIGNAL_CONTRACT(door_call, "call", number);

struct door_state_in {
	bool loud;
};
typedef const char *door_state_out;
TEMPORAL_QUERY_CONTRACT(door_state, "state", loud);
typedef int door_asked_out;
TEMPORAL_QUERY_CONTRACT_0(door_asked, "asked");
typedef void door_nothing_out;
TEMPORAL_QUERY_CONTRACT_0(door_nothing, "nothing");

struct door_paint_in {
	const char *colour;
};
typedef int door_paint_out;
TEMPORAL_UPDATE_CONTRACT(door_paint, "paint", colour);

static void door_open_run(struct wf *wf, struct door *self, const struct door_open_in *in)
{
	wf_sleep(wf, 1000);
	self->opened_by = in->by;
}
TEMPORAL_SIGNAL(door, open);

static void door_break_run(struct wf *wf, struct door *self)
{
	wf_fail(wf, "Broken", "the door is broken");
}
TEMPORAL_SIGNAL_0(door, break);

static door_state_out door_state_run(
	const struct wf *wf, const struct door *self, const struct door_state_in *in)
{
	if (!self->opened_by)
		wf_reject(wf, "Closed", "the door is %s", "closed");
	return wf_printf(wf, "open by %s%s", self->opened_by, in->loud ? "!" : "");
}
TEMPORAL_QUERY(door, state);

static door_asked_out door_asked_run(const struct wf *wf, const struct door *self)
{
	return self->asked;
}
TEMPORAL_QUERY_0(door, asked);

static void door_nothing_run(const struct wf *wf, const struct door *self)
{
	struct wf *acts = (struct wf *)(uintptr_t)wf; /* what no macro can see */

	wf_sleep(acts, 1);
}
TEMPORAL_QUERY_0(door, nothing);

static const struct temporal_failure *door_paint_check(
	const struct wf *wf, const struct door *self, const struct door_paint_in *in)
{
	if (!strcmp(in->colour, "plaid"))
		wf_reject(wf, "Taste", "no %s", in->colour);
	if (!strcmp(in->colour, "red"))
		wf_sleep((struct wf *)(uintptr_t)wf, 1);
	return strcmp(in->colour, "pink") ? NULL : wf_failure(wf, "Taste", "not %s", in->colour);
}

static door_paint_out door_paint_run(
	struct wf *wf, struct door *self, const struct door_paint_in *in)
{
	if (!strcmp(in->colour, "water"))
		wf_fail(wf, "Wet", "that is no colour");
	wf_sleep(wf, 2000);
	return ++self->asked;
}
TEMPORAL_UPDATE(door, paint);

static bool is_open(const void *state)
{
	return ((const struct door *)state)->opened_by != NULL;
}

static door_out door_run(struct wf *wf, struct door *self)
{
	wf_set_current_details(wf, "a \"door\"");
	wf_wait(wf, wf_until(wf, is_open, self));
	while (wf_signals_waiting(wf, "knock"))
		wf_receive_0(wf, door_knock);
	if (wf_signals_waiting(wf, "hurry") == 0)
		wf_wait_handlers(wf);
	int first = wf_receive(wf, door_call)->number, second = wf_receive(wf, door_call)->number;
	return wf_printf(wf, "%s %d %d %s", self->opened_by, first, second,
		wf_handlers_are_done(wf) ? "done" : "busy");
}

static const struct temporal_handler *const door_handlers[] = { &door_open_handler,
	&door_break_handler, &door_state_handler, &door_asked_handler, &door_nothing_handler,
	&door_paint_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW_0(door, door_handlers);

/* ---- untyped ---- */

struct any {
	const char *trace;
};

static const struct temporal_payload *any_run(
	struct wf *wf, struct any *self, const char *type, const struct temporal_payloads *in)
{
	struct temporal_payloads one = { in->items, 1 };
	struct wf_future *future = wf_start_activity_raw(
		wf, type, &one, WF_ACTIVITY_OPTS(.start_to_close_ms = 1, .activity_id = "mine"));

	self->trace = wf_printf(wf, "%s of %zu", type, in->count);
	return wf_await_raw(wf, future);
}

static void any_signal_run(
	struct wf *wf, struct any *self, const char *name, const struct temporal_payloads *in)
{
	self->trace = wf_printf(wf, "%s, %s(%zu)", self->trace ? self->trace : "", name, in->count);
}
TEMPORAL_DYNAMIC_SIGNAL(any, signal);

static const struct temporal_payload *any_query_run(const struct wf *wf, const struct any *self,
	const char *name, const struct temporal_payloads *in)
{
	struct temporal_payload *out = wf_alloc(wf, sizeof(*out));
	const char *text = wf_printf(wf, "\"%s: %s\"", name, self->trace);

	if (!strcmp(name, "none"))
		return NULL;
	*out = (struct temporal_payload){ .data = { text, strlen(text) } };
	return out;
}
TEMPORAL_DYNAMIC_QUERY(any, query);

static const struct temporal_handler *const any_handlers[] = { &any_signal_handler,
	&any_query_handler, NULL };
TEMPORAL_STATEFUL_DYNAMIC_WORKFLOW(any, any_handlers);

static const struct temporal_workflow *const workflows[] = { &door_workflow, &any_workflow, NULL };

static void begin(struct play *play)
{
	play_open(play, workflows);
	play_start(play, "Door", NULL);
	play_expect(play, "");
}

/* ---- signals ---- */

static void handlers_wait_on_coroutines_of_their_own(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "open", "\"ann\"");
	play_signal(&play, "open", "\"bob\"");
	play_expect(&play, "timer 1 1s\ntimer 2 1s\n");
	play_signal(&play, "call", "1");
	play_signal(&play, "knock", NULL);
	play_signal(&play, "call", "2");
	play_expect(&play, "");
	play_fire(&play, 1);
	play_expect(&play, "");
	play_fire(&play, 2);
	play_expect(&play, "complete \"bob 1 2 done\"\n");
	assert_string_equal(play.log, "");
	play_close(&play);
}

static void a_run_may_end_before_its_handlers(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "open", "\"ann\"");
	play_signal(&play, "open", "\"bob\"");
	play_signal(&play, "hurry", NULL);
	play_signal(&play, "call", "1");
	play_signal(&play, "call", "2");
	play_expect(&play, "timer 1 1s\ntimer 2 1s\n");
	play_fire(&play, 1);
	play_expect(&play, "complete \"ann 1 2 busy\"\n");
	assert_non_null(strstr(play.log, "4 The run ends while 1 of its handlers are at work"));
	play_close(&play);
}

static void receiving_waits(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "open", "\"ann\"");
	play_run(&play);
	play_fire(&play, 1);
	play_expect(&play, "");
	play_signal(&play, "call", "3");
	play_expect(&play, "");
	play_signal(&play, "call", "\"no number\"");
	play_expect(&play, ""); /* dropped */
	assert_non_null(strstr(play.log, "Failed decoding the input of signal call, dropping it"));
	play_signal(&play, "call", "4");
	play_expect(&play, "complete \"ann 3 4 done\"\n");
	play_close(&play);
}

static void a_handlers_failure_fails_the_run(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "break", NULL);
	play_expect(&play, "fail Broken: the door is broken\n");
	play_close(&play);
}

static void a_signal_of_the_wrong_form_is_dropped(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "open", "7");
	play_expect(&play, "");
	assert_non_null(strstr(play.log,
		"5 Failed decoding the input of signal open, dropping it: argument 1 (by)"));
	play.log[0] = '\0';
	play.activation.is_replaying = true;
	play_signal(&play, "open", "7");
	play_expect(&play, "");
	assert_string_equal(play.log, ""); /* silent on replay */
	play_close(&play);
}

/* ---- queries ---- */

static void queries_answer_by_the_state(void **state)
{
	struct play play;

	begin(&play);
	play_query(&play, "q1", "state", "true");
	play_query(&play, "q2", "asked", NULL);
	play_expect(&play, "query q1: Closed: the door is closed\nquery q2: 0\n");
	play_signal(&play, "open", "\"ann\"");
	play_run(&play);
	play_fire(&play, 1);
	play_run(&play);
	play_query(&play, "q3", "state", "true");
	play_expect(&play, "query q3: \"open by ann!\"\n");
	play_close(&play);
}

static void queries_that_cannot_be_answered(void **state)
{
	struct play play;

	begin(&play);
	play_query(&play, "q1", "colour", NULL);
	play_expect(&play,
		"query q1: NotFoundError: Query handler for 'colour' expected but not found, known "
		"queries: [state asked nothing __stack_trace __temporal_workflow_metadata]\n");
	play_query(&play, "q2", "state", "3");
	play_run(&play);
	assert_non_null(strstr(
		play.text, "query q2: BadPayload: Failed decoding the arguments of query state"));
	play_query(&play, "q3", "nothing", NULL);
	play_expect(&play, "query q3: ReadOnly: wf_sleep: a query or a validator must not act\n");
	play_signal(&play, "open", "\"ann\"");
	play_expect(&play, "timer 1 1s\n"); /* none of it did harm */
	play_close(&play);
}

static void the_stack_trace_says_what_each_coroutine_waits_for(void **state)
{
	struct play play;

	begin(&play);
	play_signal(&play, "open", "\"ann\"");
	play_run(&play);
	play_query(&play, "q", "__stack_trace", NULL);
	play_expect(&play,
		"query q: \"run: wf_wait: a condition\\nsignal open: wf_sleep: timer 1\\n\"\n");
	play_close(&play);
}

static void the_metadata_tells_all_handlers(void **state)
{
	struct play play;

	begin(&play);
	play_query(&play, "q", "__temporal_workflow_metadata", NULL);
	play_run(&play);
	assert_non_null(strstr(play.text, "{\"definition\":{\"type\":\"Door\",\"queryDefinitions\":"
					  "[{\"name\":\"__stack_trace\""));
	assert_non_null(strstr(play.text,
		"{\"name\":\"asked\"},{\"name\":\"nothing\"},{\"name\":\"state\"}],"
		"\"signalDefinitions\":[{\"name\":\"break\"},{\"name\":\"open\"}],"
		"\"updateDefinitions\":[{\"name\":\"paint\"}]},"
		"\"currentDetails\":\"a \\\"door\\\"\"}"));
	play_close(&play);
}

/* ---- updates ---- */

static void update(struct play *play, const char *name, const char *json, bool validate)
{
	play_job(play, JOB_DO_UPDATE)->update = (struct activation_update){ .id = "u",
		.protocol_instance_id = "u",
		.name = name,
		.input = play_one(play, json),
		.run_validator = validate };
}

static void updates_are_checked_accepted_and_completed(void **state)
{
	struct play play;

	begin(&play);
	update(&play, "paint", "\"blue\"", true);
	play_expect(&play, "update u accepted\ntimer 1 2s\n");
	play_fire(&play, 1);
	play_expect(&play, "update u completed 1\n");
	update(&play, "paint", "\"pink\"", true);
	play_expect(&play, "update u rejected Taste: not pink\n");
	update(&play, "paint", "\"plaid\"", true);
	play_expect(&play, "update u rejected Taste: no plaid\n");
	update(&play, "paint", "\"red\"", true);
	play_expect(&play,
		"update u rejected ReadOnly: wf_sleep: a query or a validator must not act\n");
	update(&play, "paint", "\"pink\"", false);
	play_expect(&play, "update u accepted\ntimer 2 2s\n");
	update(&play, "paint", "\"water\"", true);
	play_expect(&play, "update u accepted\nupdate u rejected Wet: that is no colour\n");
	update(&play, "burn", "1", true);
	play_expect(&play, "update u rejected NotFoundError: Update handler for 'burn' expected "
			   "but not found, "
			   "known updates: [paint]\n");
	update(&play, "paint", "1", true);
	play_run(&play);
	assert_non_null(strstr(play.text,
		"update u rejected BadPayload: Failed decoding the arguments of update "
		"paint"));
	play_close(&play);
}

/* ---- untyped ---- */

static void whatever_has_no_definition_goes_to_the_untyped_one(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Unheard", "{\"a\":1}", "2", NULL);
	play_signal(&play, "ring", "1");
	play_expect(&play, "activity 1 Unheard({\"a\":1})\n");
	assert_string_equal(play.completion->commands[0].schedule_activity.activity_id, "mine");
	play_signal(&play, "rang", NULL);
	play_expect(&play, "");
	play_query(&play, "q", "why", NULL);
	play_query(&play, "p", "none", NULL);
	play_expect(&play, "query q: \"why: Unheard of 2, rang(0)\"\nquery p: nothing\n");
	play_activity(&play, 1, "[3]");
	play_expect(&play, "complete [3]\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_wait_on_coroutines_of_their_own),
		cmocka_unit_test(a_run_may_end_before_its_handlers),
		cmocka_unit_test(receiving_waits),
		cmocka_unit_test(a_handlers_failure_fails_the_run),
		cmocka_unit_test(a_signal_of_the_wrong_form_is_dropped),
		cmocka_unit_test(queries_answer_by_the_state),
		cmocka_unit_test(queries_that_cannot_be_answered),
		cmocka_unit_test(the_stack_trace_says_what_each_coroutine_waits_for),
		cmocka_unit_test(the_metadata_tells_all_handlers),
		cmocka_unit_test(updates_are_checked_accepted_and_completed),
		cmocka_unit_test(whatever_has_no_definition_goes_to_the_untyped_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
