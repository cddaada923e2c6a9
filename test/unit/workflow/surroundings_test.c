/*
 * What a run has around it: information, clock, random numbers, log, the run before and the run
 * after. Method: as run_test.c.
 */
#include "play.h"

struct probe_in {
	int step;
};
typedef const char *probe_out;
TEMPORAL_WORKFLOW_CONTRACT(probe, "Probe", step);

static probe_out (*body)(struct wf *wf, const struct probe_in *in);

static probe_out probe_run(struct wf *wf, const struct probe_in *in)
{
	return body(wf, in);
}
TEMPORAL_WORKFLOW(probe);

static const struct temporal_workflow *const workflows[] = { &probe_workflow, NULL };

static void open_as(
	struct play *play, probe_out (*chosen)(struct wf *wf, const struct probe_in *in))
{
	body = chosen;
	play_open(play, workflows);
	play_start(play, "Probe", "1", NULL);
}

/* ---- random ---- */

static probe_out draws(struct wf *wf, const struct probe_in *in)
{
	uint64_t a = wf_random(wf), b = wf_random(wf), c = wf_random_below(wf, 10);
	const char *id = wf_uuid4(wf);

	if (strlen(id) != 36 || id[14] != '4' || !strchr("89ab", id[19]))
		wf_fail(wf, "Uuid", "%s", id);
	return wf_printf(wf, "%llx %llx %d", (unsigned long long)a, (unsigned long long)b, (int)c);
}

static void random_numbers_come_from_the_seed(void **state)
{
	struct play play;

	open_as(&play, draws);
	play_expect(&play, "complete \"15780b2e0c2ec716 6104d9866d113a7e 9\"\n");
	play_close(&play);
	open_as(&play, draws);
	play_job(&play, JOB_UPDATE_RANDOM_SEED)->update_random_seed.seed = 43;
	play_run(&play);
	assert_null(strstr(play.text, "15780b2e0c2ec716"));
	play_close(&play);
}

/* ---- information and clock ---- */

static probe_out tells(struct wf *wf, const struct probe_in *in)
{
	const struct wf_info *info = wf_info(wf);

	wf_sleep(wf, 1);
	return wf_printf(wf, "%s %s %s %s %s %d %u %d %s %s %.*s %lld %s", info->namespace_,
		info->task_queue, info->workflow_type, info->workflow_id, info->run_id,
		info->attempt, info->history_length, info->continue_as_new_suggested,
		info->parent->workflow_id, info->retry->non_retryable_types[0],
		(int)info->memo.items[0].value.data.len,
		(const char *)info->memo.items[0].value.data.data, (long long)wf_now_ns(wf),
		wf_is_replaying(wf) ? "replaying" : "live");
}

static void the_run_knows_itself(void **state)
{
	struct play play;
	const char *types[] = { "Fatal" };
	Common__RetryPolicy retry = COMMON__RETRY_POLICY__INIT;
	Common__Memo memo = COMMON__MEMO__INIT;
	Common__Memo__FieldsEntry entry = COMMON__MEMO__FIELDS_ENTRY__INIT, *entries[] = { &entry };

	open_as(&play, tells);
	retry.n_non_retryable_error_types = 1;
	retry.non_retryable_error_types = types;
	entry.key = "colour";
	entry.value = play_payload(&play, "blue");
	memo.n_fields = 1;
	memo.fields = entries;
	play.initialize.retry_policy = &retry;
	play.initialize.memo = &memo;
	play.initialize.has_parent = true;
	play.initialize.parent = (struct activation_execution){ "default", "wf-0", "run-0" };
	play_expect(&play, "timer 1 0.001s\n");
	play.activation.history_length = 9;
	play.activation.continue_as_new_suggested = true;
	play_fire(&play, 1);
	play_expect(&play, "complete \"default queue Probe wf-1 run-1 1 9 1 wf-0 Fatal blue "
			   "2000000000 live\"\n");
	play_close(&play);
}

static probe_out tells_its_patience(struct wf *wf, const struct probe_in *in)
{
	const struct temporal_retry_policy *retry = wf_info(wf)->retry;

	return wf_printf(wf, "%lld %lld", (long long)retry->initial_interval_ms,
		(long long)retry->maximum_interval_ms);
}

/* A duration that no int64_t of milliseconds can hold is clamped, as the engine does. */
static void durations_of_the_retry_policy_are_clamped(void **state)
{
	struct play play;
	Common__RetryPolicy retry = COMMON__RETRY_POLICY__INIT;
	Google__Duration least = GOOGLE__DURATION__INIT, most = GOOGLE__DURATION__INIT;

	open_as(&play, tells_its_patience);
	least.seconds = 1;
	least.nanos = 500000000;
	most.seconds = INT64_MAX / 10;
	retry.initial_interval = &least;
	retry.maximum_interval = &most;
	play.initialize.retry_policy = &retry;
	play_expect(&play, "complete \"1500 9223372036854775807\"\n");
	play_close(&play);
}

static probe_out logs(struct wf *wf, const struct probe_in *in)
{
	char text[900];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	wf_log(wf, TEMPORAL_LOG_INFO, "before %d", 1);
	wf_sleep(wf, 1);
	wf_log(wf, TEMPORAL_LOG_WARN, "after %s", text);
	return "";
}

static void the_log_is_silent_on_replay(void **state)
{
	struct play play;

	open_as(&play, logs);
	play.activation.is_replaying = true;
	play_expect(&play, "timer 1 0.001s\n");
	assert_string_equal(play.log, "");
	play.activation.is_replaying = false;
	play_fire(&play, 1);
	play_expect(&play, "complete \"\"\n");
	assert_int_equal(strlen(play.log), strlen("4 after \n") + 899);
	play_close(&play);
}

/* ---- the run before, the run after ---- */

static probe_out looks_back(struct wf *wf, const struct probe_in *in)
{
	const probe_out *last = wf_last_result(wf, probe);
	const struct temporal_failure *failure = wf_last_failure(wf);

	return wf_printf(
		wf, "%s %s", last ? *last : "nothing", failure ? failure->message : "fine");
}

static void the_last_result_and_failure(void **state)
{
	struct play play;
	Common__Payloads last = COMMON__PAYLOADS__INIT;
	Common__Payload *items[1];
	struct temporal_failure failure = { .message = "it broke" };

	open_as(&play, looks_back);
	play_expect(&play, "complete \"nothing fine\"\n");
	play_close(&play);
	open_as(&play, looks_back);
	items[0] = play_payload(&play, "\"before\"");
	last.n_payloads = 1;
	last.payloads = items;
	play.initialize.last_completion_result = &last;
	play.initialize.continued_failure = convert_failure_to_api(&play.arena, &failure);
	play_expect(&play, "complete \"before it broke\"\n");
	play_close(&play);
}

static void sleeps(struct wf *wf, void *arg)
{
	wf_sleep(wf, 100);
}

static probe_out continues(struct wf *wf, const struct probe_in *in)
{
	wf_defer(wf, sleeps, NULL);
	wf_continue_as_new(wf, probe,
		WF_CONTINUE_AS_NEW_OPTS(.run_timeout_ms = 7000, .task_timeout_ms = 6000,
			.backoff_start_ms = 5000, .versioning = TEMPORAL_NEXT_AUTO_UPGRADE,
			.task_queue = "elsewhere",
			.retry = &(const struct temporal_retry_policy){ .maximum_attempts = 3 }),
		.step = in->step + 1);
}

static void continuing_as_new_runs_the_deferred_actions_first(void **state)
{
	struct play play;

	open_as(&play, continues);
	play_expect(&play, "timer 1 0.1s\n");
	play_fire(&play, 1);
	play_expect(&play, "continue as Probe(2)\n");
	const struct command_continue_as_new *next = &play.completion->commands[0].continue_as_new;
	assert_int_equal(next->run_timeout_ms, 7000);
	assert_int_equal(next->task_timeout_ms, 6000);
	assert_int_equal(next->backoff_start_ms, 5000);
	assert_int_equal(next->initial_versioning_behavior, TEMPORAL_NEXT_AUTO_UPGRADE);
	assert_string_equal(next->task_queue, "elsewhere");
	assert_int_equal(next->retry_policy->maximum_attempts, 3);
	play_close(&play);
}

static probe_out opts(struct wf *wf, const struct probe_in *in)
{
	const struct temporal_entry header = { "trace", { .data = { "1", 1 } } };
	const char *const fatal[] = { "Fatal", NULL };
	const struct temporal_retry_policy retry = { .initial_interval_ms = 1500,
		.maximum_interval_ms = 60000,
		.maximum_attempts = TEMPORAL_OFF,
		.non_retryable_types = fatal };
	const struct temporal_priority priority = { .key = 2, .fairness_key = "tenant" };

	wf_wait(wf, wf_timer_with(wf, 1000, (&(const struct wf_timer_opts){ .summary = "tea" })));
	(void)wf_await_raw(
		wf, wf_start_activity_raw(wf, "brew", NULL,
			    WF_ACTIVITY_OPTS(.start_to_close_ms = 1, .schedule_to_close_ms = 2,
				    .schedule_to_start_ms = 3, .heartbeat_ms = 4, .retry = &retry,
				    .priority = &priority, .no_eager = true, .summary = "a \"cup\"",
				    .headers = { &header, 1 }, .cancellation = TEMPORAL_ABANDON)));
	return "";
}

static void all_options_of_an_activity_reach_the_command(void **state)
{
	struct play play;

	open_as(&play, opts);
	play_expect(&play, "timer 1 1s\n");
	const Common__Payload *summary = play.completion->commands[0].user_metadata->summary;
	assert_memory_equal(summary->data.data, "\"tea\"", 5);
	play_fire(&play, 1);
	play_expect(&play, "activity 1 brew()\n");
	const struct command *command = &play.completion->commands[0];
	const struct command_schedule_activity *activity = &command->schedule_activity;
	assert_int_equal(activity->start_to_close_ms, 1);
	assert_int_equal(activity->schedule_to_close_ms, 2);
	assert_int_equal(activity->schedule_to_start_ms, 3);
	assert_int_equal(activity->heartbeat_ms, 4);
	assert_int_equal(activity->retry_policy->maximum_attempts, 1);
	assert_int_equal(activity->retry_policy->initial_interval->seconds, 1);
	assert_int_equal(activity->retry_policy->initial_interval->nanos, 500000000);
	assert_string_equal(activity->retry_policy->non_retryable_error_types[0], "Fatal");
	assert_int_equal(activity->priority->priority_key, 2);
	assert_string_equal(activity->priority->fairness_key, "tenant");
	assert_string_equal(activity->headers.items[0]->key, "trace");
	assert_true(activity->do_not_eagerly_execute);
	assert_int_equal(activity->cancellation_type, ACTIVITY_ABANDON);
	assert_memory_equal(command->user_metadata->summary->data.data, "\"a \\\"cup\\\"\"", 11);
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_numbers_come_from_the_seed),
		cmocka_unit_test(the_run_knows_itself),
		cmocka_unit_test(durations_of_the_retry_policy_are_clamped),
		cmocka_unit_test(the_log_is_silent_on_replay),
		cmocka_unit_test(the_last_result_and_failure),
		cmocka_unit_test(continuing_as_new_runs_the_deferred_actions_first),
		cmocka_unit_test(all_options_of_an_activity_reach_the_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
