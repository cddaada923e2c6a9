/*
 * Cron schedules. Goal: which texts are schedules, and which times they mean, in UTC and in zones
 * with summer time, past the end of the zones' tables too; runs of a chain follow each other by
 * cron and retry with what each leaves to the next. Method: a table of times; then workflows by
 * hand.
 */
#include "run_world.h"
#include "server/history/civil.h"
#include "server/history/cron.h"

static int64_t at(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute)
{
	return (civil_day(year, month, day) * CIVIL_DAY_S + hour * 3600 + minute * 60) *
	       NS_PER_SECOND;
}

static void valid_and_invalid(void **state)
{
	static const char *const valid[] = { "* * * * *", "*/15 0-5,22 1 jan-MAR mon", "@daily",
		"@every 1h30m", "@every 1.5s", "? ? ? ? ?", "5/20 * * * *", "CRON_TZ=UTC @hourly",
		"TZ=Europe/Berlin 0 0 * * *", "0 0 29 2 *", "+5 * * * *", "" };
	static const char *const invalid[] = { "x", "* * * *", "* * * * * *", "60 * * * *",
		"* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "5-1 * * * *", "*/0 * * * *",
		"1-2-3 * * * *", "*/2/3 * * * *", "-1 * * * *", "@never", "@every 5", "@every",
		"@every x", "TZ=Nowhere/Atall * * * * *", "TZ=UTC", "TZ=../etc/passwd @daily",
		"TZ=/etc/localtime @daily" };

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		assert_null(cron_invalid(valid[i], at(2026, 1, 1, 0, 0)));
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		if (!cron_invalid(invalid[i], at(2026, 1, 1, 0, 0)))
			fail_msg("\"%s\" is taken for a schedule", invalid[i]);
		assert_string_equal(
			cron_invalid(invalid[i], at(2026, 1, 1, 0, 0)), "invalid CronSchedule.");
	}
	assert_string_equal(cron_invalid("0 0 31 2 *", at(2026, 1, 1, 0, 0)),
		"invalid CronSchedule, no time can be found to satisfy the schedule");
}

struct next {
	const char *schedule;
	int64_t after, expected;
};

static void check(const struct next *next)
{
	struct cron cron;

	assert_true(cron_parse(&cron, next->schedule));
	int64_t got = cron_next_ns(&cron, next->after);
	if (got != next->expected)
		fail_msg("\"%s\" after %lld: %lld, expected %lld", next->schedule,
			(long long)(next->after / NS_PER_SECOND), (long long)(got / NS_PER_SECOND),
			(long long)(next->expected / NS_PER_SECOND));
	cron_finish(&cron);
}

static void next_times(void **state)
{
	const struct next cases[] = {
		{ "* * * * *", at(2026, 1, 1, 0, 0), at(2026, 1, 1, 0, 1) },
		{ "* * * * *", at(2026, 1, 1, 0, 0) - 1, at(2026, 1, 1, 0, 0) },
		{ "* * * * *", at(2026, 12, 31, 23, 59) + 5, at(2027, 1, 1, 0, 0) },
		{ "30 9 * * *", at(2026, 1, 1, 9, 30), at(2026, 1, 2, 9, 30) },
		{ "0 0 29 2 *", at(2025, 1, 1, 0, 0), at(2028, 2, 29, 0, 0) },
		{ "0 0 1 1 *", at(2026, 1, 1, 0, 0), at(2027, 1, 1, 0, 0) },
		/* Both days are restricted: either is enough. */
		{ "0 0 13 * 5", at(2026, 11, 1, 0, 0), at(2026, 11, 6, 0, 0) },
		{ "0 0 13 * *", at(2026, 11, 1, 0, 0), at(2026, 11, 13, 0, 0) },
		/* A star with a step restricts. */
		{ "0 0 */10 * 1", at(2026, 11, 1, 0, 0), at(2026, 11, 2, 0, 0) },
		{ "@weekly", at(2026, 11, 24, 12, 0), at(2026, 11, 29, 0, 0) },
		{ "@every 90s", at(2026, 1, 1, 0, 0) + 5, at(2026, 1, 1, 0, 1) + 30 * 1000 * MS },
		{ "@every -5s", at(2026, 1, 1, 0, 0), at(2026, 1, 1, 0, 0) + 1000 * MS },
		{ "5/20 * * * *", at(2026, 1, 1, 0, 26), at(2026, 1, 1, 0, 45) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

static void next_times_in_zones(void **state)
{
	const struct next cases[] = {
		{ "TZ=Europe/Berlin 0 0 * * *", at(2026, 11, 24, 12, 0), at(2026, 11, 24, 23, 0) },
		{ "TZ=Europe/Berlin 0 0 * * *", at(2026, 7, 1, 12, 0), at(2026, 7, 1, 22, 0) },
		/* 02:30 does not exist on 29 March 2026. */
		{ "CRON_TZ=Europe/Berlin 30 2 * * *", at(2026, 3, 28, 2, 0),
			at(2026, 3, 30, 0, 30) },
		/* It exists twice on 25 October. */
		{ "CRON_TZ=Europe/Berlin 30 2 * * *", at(2026, 10, 24, 12, 0),
			at(2026, 10, 25, 0, 30) },
		{ "TZ=America/New_York 0 9 * * mon-fri", at(2026, 3, 6, 15, 0),
			at(2026, 3, 9, 13, 0) },
		/* Beyond the table: by the rule at the end of the file. */
		{ "TZ=America/New_York 0 9 * * *", at(2060, 7, 1, 20, 0), at(2060, 7, 2, 13, 0) },
		{ "TZ=America/New_York 0 9 * * *", at(2060, 12, 1, 20, 0), at(2060, 12, 2, 14, 0) },
		{ "TZ=Asia/Kolkata 0 0 * * *", at(2026, 1, 1, 0, 0), at(2026, 1, 1, 18, 30) },
		/* Midnight does not exist on the last Friday of April there. */
		{ "TZ=Africa/Cairo @monthly", INT64_C(2691981156000000000),
			INT64_C(2692731600000000000) },
		/* Midnight did not exist there on 4 November 2018. */
		{ "TZ=America/Sao_Paulo 0 0 4 11 *", at(2018, 11, 1, 0, 0), at(2019, 11, 4, 3, 0) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

static void backoffs(void **state)
{
	const int64_t noon = at(2026, 1, 1, 12, 0);

	(void)state;
	assert_int_equal(cron_backoff_ms("", noon, noon), -1);
	assert_int_equal(cron_backoff_ms("x y", noon, noon), -1);
	assert_int_equal(cron_backoff_ms("@every 1h", noon, noon), 3600000);
	/* In whole seconds, never too early. */
	assert_int_equal(cron_backoff_ms("* * * * *", noon, noon + 59500 * MS), 1000);
	/* A run that took longer than its turn: the next one that is not past. */
	assert_int_equal(cron_backoff_ms("@every 10s", noon, noon + 25000 * MS), 5000);
	assert_int_equal(cron_backoff_ms("@every 10s", noon, noon + 20000 * MS), 0);
	assert_int_equal(cron_backoff_ms("*/10 * * * *", noon, noon + 25 * 60000 * MS), 300000);
	/* Not due yet. */
	assert_int_equal(cron_backoff_ms("@every 10s", noon + 7000 * MS, noon), 7000);
}

/* ---- Runs ---- */

static void start_cron(const char *schedule, int32_t attempts)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;
	Google__Duration interval = GOOGLE__DURATION__INIT;

	interval.seconds = 3;
	policy.initial_interval = &interval;
	policy.maximum_attempts = attempts;
	in.cron_schedule = schedule;
	in.retry_policy = attempts ? &policy : NULL;
	run_start_with(&in);
}

static const History__WorkflowExecutionStartedEventAttributes *started(void)
{
	return run_event(run_of("w"), 1)->workflow_execution_started_event_attributes;
}

static const Command__Command *result_command(const char *text, Command__Command **out)
{
	static Common__Payload payload, *list = &payload;
	static Common__Payloads result;

	payload = (Common__Payload)COMMON__PAYLOAD__INIT;
	payload.data.data = (uint8_t *)(uintptr_t)text;
	payload.data.len = strlen(text);
	result = (Common__Payloads)COMMON__PAYLOADS__INIT;
	result.payloads = &list;
	result.n_payloads = 1;
	*out = run_complete_command();
	(*out)->complete_workflow_execution_command_attributes->result = &result;
	return *out;
}

static void first_run_waits_for_its_turn(void **state)
{
	(void)state;
	start_cron("@every 10s", 0);
	assert_string_equal(run_events("w"), "1");
	assert_int_equal(started()->initiator,
		ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
	assert_int_equal(started()->first_workflow_task_backoff->seconds, 10);
	world_pass(10000 * MS);
	assert_string_equal(run_events("w"), "1 5");
}

/* A result is handed on; a failure leaves the result of the run before it. */
static void next_run_gets_what_the_last_left(void **state)
{
	Command__Command *command;

	(void)state;
	start_cron("@every 10s", 0);
	world_pass(10000 * MS);
	struct execution *first = run_of("w");
	result_command("one", &command);
	assert_string_equal(run_command("w", command), "");
	assert_string_equal(world_events(first), "1 5 6 7 2");
	assert_string_equal(
		run_event(first, 5)
			->workflow_execution_completed_event_attributes->new_execution_run_id,
		run_of("w")->run_id);
	assert_memory_equal(started()->last_completion_result->payloads[0]->data.data, "one", 3);
	assert_string_equal(started()->first_execution_run_id, first->run_id);
	assert_string_equal(started()->continued_execution_run_id, first->run_id);
	world_pass(10000 * MS);
	assert_string_equal(run_command("w", run_fail_command("bad")), "");
	assert_string_equal(started()->continued_failure->message, "bad");
	assert_memory_equal(started()->last_completion_result->payloads[0]->data.data, "one", 3);
	assert_int_equal(started()->attempt, 1);
}

static void retries_come_before_the_next_turn(void **state)
{
	(void)state;
	start_cron("@every 1m", 2);
	world_pass(60000 * MS);
	assert_string_equal(run_command("w", run_fail_command("one")), "");
	assert_int_equal(started()->attempt, 2);
	assert_int_equal(started()->initiator,
		ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_RETRY);
	assert_int_equal(started()->first_workflow_task_backoff->seconds, 3);
	world_pass(3000 * MS);
	struct execution *second = run_of("w");
	assert_string_equal(run_command("w", run_fail_command("two")), "");
	assert_int_equal(run_event(second, second->next_event_id - 1)
				 ->workflow_execution_failed_event_attributes->retry_state,
		ENUMS__RETRY_STATE__RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
	assert_int_equal(started()->attempt, 1);
	assert_int_equal(started()->first_workflow_task_backoff->seconds, 60);
}

static void cancel_ends_the_chain(void **state)
{
	Workflowservice__RequestCancelWorkflowExecutionRequest in =
		WORKFLOWSERVICE__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowExecution name = COMMON__WORKFLOW_EXECUTION__INIT;
	Command__Command command = COMMAND__COMMAND__INIT;
	Command__CancelWorkflowExecutionCommandAttributes attributes =
		COMMAND__CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
	struct answer answer;

	(void)state;
	start_cron("@every 1h", 0);
	name.workflow_id = "w";
	in.namespace_ = "default";
	in.workflow_execution = &name;
	call(&answer, frontend_cancel, &in);
	forget(&answer);
	/* It does not wait for its turn to learn of it. */
	assert_string_equal(run_events("w"), "1 20 5");
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.cancel_workflow_execution_command_attributes = &attributes;
	assert_string_equal(run_command("w", &command), "");
	assert_string_equal(run_events("w"), "1 20 5 6 7 21");
}

/* A chain does not spin: its runs begin at least a second apart. */
static void runs_are_spaced(void **state)
{
	(void)state;
	run_start("w");
	world_pass(300 * MS);
	assert_string_equal(run_command("w", run_continue_command()), "");
	assert_int_equal(started()->first_workflow_task_backoff->nanos, 700000000);
	world_pass(700 * MS - 1);
	assert_string_equal(run_events("w"), "1");
	world_pass(1);
	assert_string_equal(run_events("w"), "1 5");
	world_pass(1000 * MS);
	assert_string_equal(run_command("w", run_continue_command()), "");
	assert_string_equal(run_events("w"), "1 5");
	assert_int_equal(started()->first_workflow_task_backoff->nanos, 0);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, run_set_up, run_tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_and_invalid),
		cmocka_unit_test(next_times),
		cmocka_unit_test(next_times_in_zones),
		cmocka_unit_test(backoffs),
		TEST(first_run_waits_for_its_turn),
		TEST(next_run_gets_what_the_last_left),
		TEST(retries_come_before_the_next_turn),
		TEST(cancel_ends_the_chain),
		TEST(runs_are_spaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
