/*
 * Children, signals and cancellations to other workflows, Nexus operations: what calls command, and
 * what jobs settle. Method: as run_test.c.
 */
#include "play.h"

struct ship_in {
	const char *to;
};
typedef int ship_out;
TEMPORAL_WORKFLOW_CONTRACT(ship, "Ship", to);

struct ship_speed_in {
	int knots;
};
TEMPORAL_SIGNAL_CONTRACT(ship_speed, "speed", knots);
TEMPORAL_SIGNAL_CONTRACT_0(ship_stop, "stop");

struct weather_in {
	const char *where;
};
typedef const char *weather_out;
TEMPORAL_NEXUS_CONTRACT(weather, "forecast", where);
typedef int tide_out;
TEMPORAL_NEXUS_CONTRACT_0(tide, "tide");

struct port_in {
	int step;
};
typedef const char *port_out;
TEMPORAL_WORKFLOW_CONTRACT(port, "Port", step);

static const struct wf_child_opts named = { .id = "ship-1" };

static port_out start_and_result(struct wf *wf)
{
	struct wf_future *child = wf_start_child(wf, ship, &named, .to = "Rome");
	struct wf_future *started = wf_child_started(wf, child);

	wf_wait(wf, started);
	wf_wait(wf, wf_child_started(wf, child)); /* the same one */
	wf_wait(wf, wf_child_signal(wf, child, ship_speed, .knots = 9));
	return wf_printf(wf, "%s %s %d", wf_child_id(wf, child), wf_child_run_id(wf, child),
		wf_await(wf, ship, child));
}

static port_out signals(struct wf *wf)
{
	struct wf_future *first = wf_external_signal(wf, "w-1", "r-1", ship_speed, .knots = 1);
	struct wf_future *second = wf_external_signal_0(wf, "w-2", NULL, ship_stop);
	struct wf_future *cancel = wf_external_cancel(wf, "w-3", NULL, "enough");

	wf_cancel(wf, first);
	const struct temporal_failure *failure = wf_try(wf, second);
	return wf_printf(wf, "%s, %s, %s", failure ? failure->message : "sent",
		wf_try(wf, first) ? "not sent" : "sent", wf_try(wf, cancel) ? "no" : "asked");
}

static port_out operations(struct wf *wf)
{
	struct temporal_entry header = { "lang", { .data = { "en", 2 } } };
	struct wf_nexus_opts opts = { .endpoint = "e",
		.service = "s",
		.headers = { &header, 1 },
		.schedule_to_close_ms = 30,
		.schedule_to_start_ms = 20,
		.start_to_close_ms = 10,
		.cancellation = TEMPORAL_REMOTE_TRY_CANCEL };
	struct wf_future *forecast = wf_start_nexus(wf, weather, &opts, .where = "here");

	wf_wait(wf, wf_nexus_started(wf, forecast));
	const char *token = wf_nexus_token(wf, forecast);
	int height = wf_nexus_0(wf, tide, WF_NEXUS_OPTS(.endpoint = "e", .service = "t"));
	return wf_printf(wf, "%s %d %s", token, height, wf_await(wf, weather, forecast));
}

static port_out not_observed(struct wf *wf)
{
	struct wf_future *child = wf_start_child(wf, ship, &named, .to = "x");

	wf_sleep(wf, 1);
	return wf_child_id(wf, child);
}

static port_out cancelled(struct wf *wf)
{
	struct wf_future *child = wf_start_child(wf, ship, &named, .to = "x");
	struct wf_future *nexus =
		wf_start_nexus_0(wf, tide, WF_NEXUS_OPTS(.endpoint = "e", .service = "t"));
	struct wf_future *begun = wf_nexus_started(wf, nexus);

	wf_sleep(wf, 1);
	wf_cancel(wf, child);
	wf_cancel(wf, begun);
	const struct temporal_failure *one = wf_try(wf, child), *two = wf_try(wf, begun);
	return wf_printf(wf, "%s %s", one ? one->message : "done", two ? two->message : "done");
}

static port_out given_up(struct wf *wf)
{
	struct wf_future *child = wf_start_child(wf, ship, &named, .to = "x");
	struct wf_future *begun = wf_child_started(wf, child);

	wf_cancel(wf, child);
	const struct temporal_failure *why = wf_try(wf, begun);
	const struct temporal_failure *end = wf_try(wf, child);

	return wf_printf(wf, "%s, %s", why ? why->message : "begun", end ? end->message : "done");
}

static port_out port_run(struct wf *wf, const struct port_in *in)
{
	static port_out (*const steps[])(
		struct wf *) = { start_and_result, signals, operations, not_observed, cancelled };

	if (in->step == 5)
		return wf_printf(wf, "%d", wf_child(wf, ship, NULL, .to = "Oslo"));
	if (in->step == 6)
		(void)wf_nexus_0(wf, tide, WF_NEXUS_OPTS(.endpoint = "e"));
	if (in->step == 8)
		return given_up(wf);
	if (in->step == 7)
		return wf_child_id(wf, wf_timer(wf, 1));
	return steps[in->step](wf);
}
TEMPORAL_WORKFLOW(port);

static const struct temporal_workflow *const workflows[] = { &port_workflow, NULL };

static void open_at(struct play *play, const char *step)
{
	play_open(play, workflows);
	play_start(play, "Port", step, NULL);
}

static void a_child_starts_and_ends(void **state)
{
	struct play play;

	open_at(&play, "0");
	play_expect(&play, "child 1 Ship ship-1(\"Rome\")\n");
	play_child_started(&play, 1, "run-9");
	play_expect(&play, "signal 1 speed to ship-1(9)\n");
	play_job(&play, JOB_RESOLVE_SIGNAL_EXTERNAL)->resolve_signal_external.seq = 1;
	play_expect(&play, "");
	play_child(&play, 1, RESOLUTION_COMPLETED, "4");
	play_expect(&play, "complete \"ship-1 run-9 4\"\n");
	play_close(&play);
}

static void a_child_may_not_start(void **state)
{
	struct play play;

	open_at(&play, "0");
	play_run(&play);
	play_job(&play, JOB_RESOLVE_CHILD_START)->resolve_child_start =
		(struct activation_resolve_child_start){ .seq = 1,
			.status = CHILD_START_FAILED,
			.cause = (Enums__StartChildWorkflowExecutionFailedCause)1,
			.run_id = "",
			.workflow_id = "ship-1",
			.workflow_type = "Ship" };
	play_expect(&play,
		"fail Child workflow not started <- WorkflowAlreadyStarted: a workflow of that id "
		"runs already, or has run and may not run again\n");
	play_close(&play);
}

static void a_child_gets_an_id(void **state)
{
	struct play play;

	open_at(&play, "5");
	play_run(&play);
	assert_int_equal(play.completion->n_commands, 1);
	assert_int_equal(strlen(play.completion->commands[0].start_child.workflow_id), 36);
	play_child_started(&play, 1, "r");
	play_child(&play, 1, RESOLUTION_COMPLETED, "7");
	play_expect(&play, "complete \"7\"\n");
	play_close(&play);
}

static void a_failed_child_fails_who_does_not_look(void **state)
{
	struct play play;

	open_at(&play, "3");
	play_expect(&play, "child 1 Ship ship-1(\"x\")\ntimer 1 0.001s\n");
	play_child_started(&play, 1, "r");
	play_child(&play, 1, RESOLUTION_FAILED, "sunk");
	play_expect(&play, "");
	play_fire(&play, 1);
	play_expect(&play, "fail Kind: sunk\n");
	play_close(&play);
}

static void what_is_given_up_ends_with_its_start(void **state)
{
	struct play play;

	open_at(&play, "4");
	play_expect(
		&play, "child 1 Ship ship-1(\"x\")\nnexus 1 e/t/tide(nothing)\ntimer 1 0.001s\n");
	play_fire(&play, 1);
	play_expect(&play, "cancel child 1\ncancel nexus 1\n");
	play_child(&play, 1, RESOLUTION_CANCELLED, "off");
	struct activation_job *job = play_job(&play, JOB_RESOLVE_NEXUS);
	job->resolve_nexus.seq = 1;
	job->resolve_nexus.result.status = RESOLUTION_CANCELLED;
	job->resolve_nexus.result.failure = play_failure(&play, TEMPORAL_FAILURE_CANCELLED, "away");
	play_expect(&play, "complete \"off away\"\n");
	play_close(&play);
}

/* Who waits for its start hears of it too. */
static void a_child_that_is_given_up_has_not_started(void **state)
{
	struct play play;

	open_at(&play, "8");
	play_expect(&play, "child 1 Ship ship-1(\"x\")\ncancel child 1\n");
	play_child(&play, 1, RESOLUTION_CANCELLED, "off");
	play_expect(&play, "complete \"off, off\"\n");
	play_close(&play);
}

static void signals_are_sent_and_taken_back(void **state)
{
	struct play play;

	open_at(&play, "1");
	play_expect(&play, "signal 1 speed to w-1(1)\nsignal 2 stop to w-2()\n"
			   "cancel workflow 1 w-3: enough\ncancel signal 1\n");
	struct activation_job *job = play_job(&play, JOB_RESOLVE_SIGNAL_EXTERNAL);
	job->resolve_signal_external.seq = 1;
	job->resolve_signal_external.failure =
		play_failure(&play, TEMPORAL_FAILURE_CANCELLED, "taken back");
	job = play_job(&play, JOB_RESOLVE_SIGNAL_EXTERNAL);
	job->resolve_signal_external.seq = 2;
	job->resolve_signal_external.failure =
		play_failure(&play, TEMPORAL_FAILURE_APPLICATION, "nobody there");
	play_job(&play, JOB_RESOLVE_CANCEL_EXTERNAL)->resolve_cancel_external.seq = 1;
	play_expect(&play, "complete \"nobody there, not sent, asked\"\n");
	play_close(&play);
}

static void operations_start_and_end(void **state)
{
	struct play play;
	struct activation_job *job;

	open_at(&play, "2");
	play_expect(&play, "nexus 1 e/s/forecast(\"here\") lang=en\n");
	const struct command_schedule_nexus *nexus = &play.completion->commands[0].schedule_nexus;

	assert_int_equal(nexus->schedule_to_close_ms, 30);
	assert_int_equal(nexus->schedule_to_start_ms, 20);
	assert_int_equal(nexus->start_to_close_ms, 10);
	assert_int_equal(nexus->cancellation_type, NEXUS_TRY_CANCEL);
	job = play_job(&play, JOB_RESOLVE_NEXUS_START);
	job->resolve_nexus_start.seq = 1;
	job->resolve_nexus_start.status = NEXUS_STARTED_ASYNC;
	job->resolve_nexus_start.operation_token = "tok";
	play_expect(&play, "nexus 2 e/t/tide(nothing)\n");
	job = play_job(&play, JOB_RESOLVE_NEXUS_START);
	job->resolve_nexus_start.seq = 2;
	job->resolve_nexus_start.status = NEXUS_STARTED_SYNC;
	job->resolve_nexus_start.operation_token = "";
	job = play_job(&play, JOB_RESOLVE_NEXUS);
	job->resolve_nexus.seq = 2;
	job->resolve_nexus.result.result = play_payload(&play, "3");
	play_expect(&play, "");
	job = play_job(&play, JOB_RESOLVE_NEXUS);
	job->resolve_nexus.seq = 1;
	job->resolve_nexus.result.result = play_payload(&play, "\"rain\"");
	play_expect(&play, "complete \"tok 3 rain\"\n");
	play_close(&play);
}

static void an_operation_may_not_start(void **state)
{
	struct play play;
	struct activation_job *job;

	open_at(&play, "2");
	play_run(&play);
	job = play_job(&play, JOB_RESOLVE_NEXUS_START);
	job->resolve_nexus_start.seq = 1;
	job->resolve_nexus_start.status = NEXUS_START_FAILED;
	job->resolve_nexus_start.operation_token = "";
	job->resolve_nexus_start.failure =
		play_failure(&play, TEMPORAL_FAILURE_APPLICATION, "closed");
	play_expect(&play, "fail Kind: closed\n");
	play_close(&play);
}

static void mistakes_fail_the_task(void **state)
{
	struct play play;

	open_at(&play, "6");
	play_expect(&play, "task failed: InvalidArgument: Nexus operation tide needs an endpoint "
			   "and a service\n");
	play_close(&play);
	open_at(&play, "7");
	play_expect(&play,
		"task failed: InvalidArgument: wf_child_id: the future is not that of a child\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_starts_and_ends),
		cmocka_unit_test(a_child_may_not_start),
		cmocka_unit_test(a_child_gets_an_id),
		cmocka_unit_test(a_failed_child_fails_who_does_not_look),
		cmocka_unit_test(what_is_given_up_ends_with_its_start),
		cmocka_unit_test(a_child_that_is_given_up_has_not_started),
		cmocka_unit_test(signals_are_sent_and_taken_back),
		cmocka_unit_test(operations_start_and_end),
		cmocka_unit_test(an_operation_may_not_start),
		cmocka_unit_test(mistakes_fail_the_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
