/*
 * Goal: activities do what they are promised to: results, retries, failure
 * chains, time-outs, heartbeats, cancellation, completion by somebody else, limits, shutdown, and
 * clear errors for what does not fit. Method: one workflow that calls one activity, told by the
 * argument what to do; the result, or the failure's chain, is compared by the client.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct probe_in {
	const char *what;
};
typedef const char *probe_out;
TEMPORAL_ACTIVITY_CONTRACT(probe, "probe", what);

struct missing_in {
	const char *what;
};
typedef const char *missing_out;
TEMPORAL_ACTIVITY_CONTRACT(missing, "missing", what);

/* The same name with an argument of another type. */
struct other_probe_in {
	int64_t number;
};
typedef const char *other_probe_out;
TEMPORAL_ACTIVITY_CONTRACT(other_probe, "probe", number);

struct try_in {
	const char *what;
};
typedef const char *try_out;
TEMPORAL_WORKFLOW_CONTRACT(try, "Try", what);

struct many_in {
	int64_t n;
};
typedef int64_t many_out;
TEMPORAL_WORKFLOW_CONTRACT(many, "Many", n);

/* ---- the activity ---- */

static atomic_int running, running_max;
static atomic_bool gate_is_open;
static atomic_uintptr_t workflow_thread, activity_thread; /* that ran the last one */
static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static char token[4096]; /* token_lock */
static size_t token_len; /* token_lock */

static const struct temporal_failure *do_third(struct act *act, probe_out *out)
{
	if (act_info(act)->attempt < 3)
		return act_failure(act, "NotYet", "attempt %d", (int)act_info(act)->attempt);
	*out = "third";
	return NULL;
}

static const struct temporal_failure *do_chain(struct act *act, probe_out *out)
{
	const struct temporal_payload detail = { .data = { "\"row 7\"", 7 } };

	return act_failure_with(act,
		&(const struct act_failure_opts){ .type = "Outer",
			.non_retryable = true,
			.details = { &detail, 1 },
			.cause = act_failure(act, "Inner", "the disk is full") },
		"cannot write %s", "it");
}

static const struct temporal_failure *do_beat(struct act *act, probe_out *out)
{
	const char *where = NULL;
	int64_t rows = 0;

	if (act_info(act)->attempt == 1) {
		act_heartbeat(act, 1);
		act_heartbeat(act, "row 41"); /* not sent by itself: it travels with the failure */
		return act_failure(act, "Again", "again");
	}
	if (act_last_heartbeat(act, 0, &rows) || !act_last_heartbeat(act, 0, &where))
		return act_failure(act, "Wrong", "no details, or of a wrong type");
	*out = act_printf(act, "went on after %s", where);
	return NULL;
}

static const struct temporal_failure *do_until_cancelled(struct act *act, probe_out *out)
{
	do {
		act_heartbeat_0(act);
	} while (!act_wait(act, 50));
	if (act_cancel_reason(act) != ACT_CANCEL_REQUESTED)
		return act_failure(act, "Wrong", "reason %d", (int)act_cancel_reason(act));
	return act_cancelled_failure(act);
}

static const struct temporal_failure *do_later(struct act *act, probe_out *out)
{
	struct temporal_bytes open = act_complete_later(act);

	pthread_mutex_lock(&token_lock);
	memcpy(token, open.data, open.len < sizeof(token) ? open.len : sizeof(token));
	token_len = open.len;
	pthread_mutex_unlock(&token_lock);
	return NULL;
}

static const struct temporal_failure *do_count(struct act *act, probe_out *out)
{
	int now = atomic_fetch_add(&running, 1) + 1, max = atomic_load(&running_max);

	while (max < now && !atomic_compare_exchange_weak(&running_max, &max, now))
		continue;
	act_wait(act, 5);
	atomic_fetch_sub(&running, 1);
	*out = "counted";
	return NULL;
}

static const struct temporal_failure *do_wait(struct act *act, probe_out *out)
{
	if (!act_wait(act, 10000))
		return act_failure(act, "Wrong", "nobody has cancelled it");
	return act_cancel_reason(act) == ACT_WORKER_SHUTDOWN
		       ? act_cancelled_failure(act)
		       : act_failure(act, "Wrong", "another reason");
}

static const struct temporal_failure *do_gate(struct act *act, probe_out *out)
{
	while (!atomic_load(&gate_is_open))
		act_wait(act, 5);
	*out = "open";
	return NULL;
}

static const struct temporal_failure *do_unasked(struct act *act, probe_out *out)
{
	*out = "cancelled by nobody, at first";
	return act_info(act)->attempt == 1 ? act_cancelled_failure(act) : NULL;
}

static const struct temporal_failure *do_linger(struct act *act, probe_out *out)
{
	if (act_wait(act, 100))
		return act_failure(act, "Wrong", "cancelled");
	*out = "undisturbed";
	return NULL;
}

static const struct temporal_failure *do_sleep(struct act *act, probe_out *out)
{
	act_wait(act, 1000);
	*out = "too late";
	return NULL;
}

/* As long as a chain can be in the library's hands: sent it is shorter. */
static const struct temporal_failure *do_endless(struct act *act, probe_out *out)
{
	struct temporal_failure *round = act_alloc(act, sizeof(*round));

	if (!round)
		return act_failure(act, "Wrong", "no memory");
	*round = (struct temporal_failure){ .message = "round", .non_retryable = true };
	round->cause = round;
	return round;
}

/* Takes all that an attempt may have: there is none left for its failure either. */
static const struct temporal_failure *do_greedy(struct act *act, probe_out *out)
{
	for (size_t size = (size_t)1 << 28; size >= 8; size /= 2) {
		while (act_alloc(act, size))
			continue;
	}
	return act_failure(act, "Greedy", "there is no memory left");
}

/* Beyond the 4 MiB that a request may have. */
static const struct temporal_failure *do_large(struct act *act, probe_out *out)
{
	size_t len = 5 * 1024 * 1024;
	uint64_t random = 1;
	char *text = act_alloc(act, len + 1);

	if (!text)
		return act_failure(act, "Wrong", "no memory");
	for (size_t i = 0; i < len; i++) { /* nothing that compression makes small */
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		text[i] = (char)('0' + (random >> 33) % 43); /* up to 'Z' */
	}
	*out = text;
	return NULL;
}

static const struct temporal_failure *do_result(struct act *act, probe_out *out)
{
	const struct act_info *info = act_info(act);

	if (strcmp(info->activity_type, "probe") != 0 || strcmp(info->workflow_type, "Try") != 0 ||
		info->start_to_close_timeout_ms != 5000 || info->attempt != 1 ||
		info->started_time_ns == 0 || strcmp(info->task_queue, fixture.queue) != 0 ||
		strcmp(info->namespace_, "default") != 0)
		return act_failure(act, "Wrong", "the info is not as expected");
	*out = act_printf(act, "done: %s", "\xC3\xBC \"quoted\"");
	return NULL;
}

static const struct temporal_failure *probe_run(
	struct act *act, const struct probe_in *in, probe_out *out)
{
	static const struct {
		const char *what;
		const struct temporal_failure *(*run)(struct act *act, probe_out *out);
	} table[] = {
		{ "result", do_result },
		{ "third", do_third },
		{ "chain", do_chain },
		{ "beat", do_beat },
		{ "cancel", do_until_cancelled },
		{ "later", do_later },
		{ "count", do_count },
		{ "wait", do_wait },
		{ "linger", do_linger },
		{ "unasked", do_unasked },
		{ "gate", do_gate },
		{ "sleep", do_sleep },
		{ "endless", do_endless },
		{ "large", do_large },
		{ "greedy", do_greedy },
	};

	atomic_store(&activity_thread, (uintptr_t)pthread_self());
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].what, in->what) == 0)
			return table[i].run(act, out);
	}
	return act_failure_with(
		act, &(const struct act_failure_opts){ .non_retryable = true }, "do what?");
}
TEMPORAL_ACTIVITY(probe);

static const struct temporal_failure *other_probe_run(
	struct act *act, const struct other_probe_in *in, other_probe_out *out)
{
	*out = "never called";
	return NULL;
}
TEMPORAL_ACTIVITY(other_probe);

/* ---- the workflows ---- */

static const struct temporal_retry_policy quick_retries = { .initial_interval_ms = 10 };
static const struct temporal_retry_policy no_retries = { .maximum_attempts = 1 };
static const struct wf_activity_opts retried = { .start_to_close_ms = 5000,
	.retry = &quick_retries };
static const struct wf_activity_opts once = { .start_to_close_ms = 5000, .retry = &no_retries };

static try_out try_to_cancel(struct wf *wf)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = 30000,
		.heartbeat_ms = 200,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED };
	struct wf_future *future = wf_start_activity(wf, probe, &opts, .what = "cancel");

	wf_sleep(wf, 300);
	wf_cancel(wf, future);
	const struct temporal_failure *failure = wf_try(wf, future);

	return failure && wf_is_cancelled(failure) ? "cancelled" : "not cancelled";
}

static try_out try_run(struct wf *wf, const struct try_in *in)
{
	const struct wf_activity_opts short_of_time = { .start_to_close_ms = 200,
		.retry = &no_retries };
	const struct wf_activity_opts silent = {
		.start_to_close_ms = 5000, .heartbeat_ms = 200, .retry = &no_retries
	};

	atomic_store(&workflow_thread, (uintptr_t)pthread_self());
	if (strcmp(in->what, "cancel") == 0)
		return try_to_cancel(wf);
	if (strcmp(in->what, "missing") == 0)
		return wf_activity(wf, missing, &once, .what = "");
	if (strcmp(in->what, "sleep") == 0)
		return wf_activity(wf, probe, &short_of_time, .what = "sleep");
	if (strcmp(in->what, "silence") == 0)
		return wf_activity(wf, probe, &silent, .what = "sleep");
	if (strcmp(in->what, "greedy") == 0)
		return wf_activity(wf, probe, &once, .what = "greedy");
	if (strcmp(in->what, "once") == 0)
		return wf_activity(wf, probe, &once, .what = "third");
	return wf_activity(wf, probe, &retried, .what = in->what);
}
TEMPORAL_WORKFLOW(try);

static many_out many_run(struct wf *wf, const struct many_in *in)
{
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));

	for (int64_t i = 0; i < in->n; i++)
		futures[i] = wf_start_activity(wf, probe, &retried, .what = "count");
	for (int64_t i = 0; i < in->n; i++)
		wf_wait(wf, futures[i]);
	return in->n;
}
TEMPORAL_WORKFLOW(many);

static void start_all(struct temporal_worker_opts opts)
{
	static const struct temporal_workflow *const workflows[] = { &try_workflow, &many_workflow,
		NULL };
	static const struct temporal_activity *const activities[] = { &probe_activity, NULL };

	opts.workflows = workflows;
	if (!opts.activities)
		opts.activities = activities;
	start_worker(opts);
}

/* ---- the tests ---- */

static void an_activity_gives_its_result(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "result"), &try, "done: \xC3\xBC \"quoted\"");
	assert_string_equal(
		fixture.last_text[TEMPORAL_EVENT_ACTIVITY_COMPLETED], "done: \xC3\xBC \"quoted\"");
}

static void without_eager_starts_it_is_polled(void **state)
{
	start_all((struct temporal_worker_opts){ .no_eager_activities = true });
	assert_result(START(try, .what = "result"), &try, "done: \xC3\xBC \"quoted\"");
}

/* On the client's thread, eager or polled; retries and failures are as on threads of their own. */
static void short_activities_need_no_thread(void **state)
{
	start_all((struct temporal_worker_opts){
		.short_activities = true, .workflow_threads = TEMPORAL_OFF });
	assert_result(START(try, .what = "result"), &try, "done: \xC3\xBC \"quoted\"");
	assert_result(START(try, .what = "third"), &try, "third");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 2);
	assert_true(atomic_load(&activity_thread) == atomic_load(&workflow_thread));
}

static void a_failed_attempt_is_tried_again(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "third"), &try, "third");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 2);
}

static void without_memory_it_still_fails(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "greedy"));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_int_equal(failure->kind, TEMPORAL_FAILURE_APPLICATION);
	assert_string_equal(failure->type, "NO_MEMORY");
	temporal_result_unref(result);
}

/* The run's failure, the activity's, the one that the activity has returned, its cause. */
static void a_failure_arrives_with_its_chain(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "chain"));
	const struct temporal_failure *failure = temporal_result_failure(result);

	assert_int_equal(failure->kind, TEMPORAL_FAILURE_ACTIVITY);
	assert_string_equal(failure->activity_type, "probe");
	assert_int_equal(failure->retry_state, TEMPORAL_RETRY_STATE_NON_RETRYABLE_FAILURE);
	failure = failure->cause;
	assert_int_equal(failure->kind, TEMPORAL_FAILURE_APPLICATION);
	assert_string_equal(failure->type, "Outer");
	assert_string_equal(failure->message, "cannot write it");
	assert_true(failure->non_retryable);
	assert_int_equal(failure->details.count, 1);
	assert_memory_equal(failure->details.items[0].data.data, "\"row 7\"", 7);
	failure = failure->cause;
	assert_string_equal(failure->type, "Inner");
	assert_string_equal(failure->message, "the disk is full");
	assert_null(failure->cause);
	temporal_result_unref(result);
}

static void attempts_end_by_the_policy(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "once"));
	const struct temporal_failure *failure = temporal_result_failure(result);

	assert_int_equal(failure->retry_state, TEMPORAL_RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
	assert_string_equal(failure->cause->type, "NotYet");
	assert_string_equal(failure->cause->message, "attempt 1");
	temporal_result_unref(result);
}

static void an_unknown_activity_is_named(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "missing"));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_string_equal(failure->type, "NotFoundError");
	assert_string_equal(failure->message, "this worker has no activity \"missing\" (asked for "
					      "by workflow \"Try\"); it has: probe");
	temporal_result_unref(result);
}

static void wrong_arguments_are_a_failure(void **state)
{
	start_all((struct temporal_worker_opts){ .activities = ACTIVITIES(&other_probe_activity) });
	struct temporal_result *result = failed_result(START(try, .what = "once"));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_string_equal(failure->type, "BadPayload");
	assert_non_null(strstr(failure->message, "decoding the arguments"));
	assert_non_null(strstr(failure->message, "number"));
	temporal_result_unref(result);
}

static void an_endless_chain_is_cut(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "endless"));
	const struct temporal_failure *failure = temporal_result_failure(result);
	int length = 0;

	for (; failure; failure = failure->cause)
		length++;
	assert_in_range(length, 50, 100);
	temporal_result_unref(result);
}

static void a_result_that_is_too_large_is_a_failure(void **state)
{
	start_all((struct temporal_worker_opts){ .no_payload_limit = true });
	struct temporal_result *result = failed_result(START(try, .what = "large"));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	print_message("%s\n", failure->message);
	assert_non_null(strstr(failure->message, "the server refused the result"));
	temporal_result_unref(result);
}

static void assert_times_out(const char *what, enum temporal_timeout_type type)
{
	struct temporal_result *result = failed_result(START(try, .what = what));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_int_equal(failure->kind, TEMPORAL_FAILURE_TIMEOUT);
	assert_int_equal(failure->timeout_type, type);
	temporal_result_unref(result);
}

static void an_activity_that_is_slow_times_out(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_times_out("sleep", TEMPORAL_TIMEOUT_START_TO_CLOSE);
	assert_times_out("silence", TEMPORAL_TIMEOUT_HEARTBEAT);
}

static void the_next_attempt_reads_the_last_heartbeat(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "beat"), &try, "went on after row 41");
}

static void a_cancelled_activity_notices(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "cancel"), &try, "cancelled");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_CANCELED), 1);
}

/* It is tried again, as it would not be if it had been cancelled. */
static void a_cancellation_that_nobody_wanted_is_a_failure(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "unasked"), &try, "cancelled by nobody, at first");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_CANCELED), 0);
	assert_non_null(strstr(
		fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "but nobody has cancelled it"));
}

static void somebody_else_completes_it(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *out = "from outside";

	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = START(try, .what = "later");

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN, 1);
	pthread_mutex_lock(&token_lock);
	const struct temporal_activity_target target = { .task_token = { token, token_len } };
	enum temporal_code code =
		temporal_activity_complete(fixture.client, probe, &target, &out, &err);

	pthread_mutex_unlock(&token_lock);
	assert_int_equal(code, TEMPORAL_OK);
	assert_result(run, &try, "from outside");
}

/* The only activity there may be stands at the gate; workflows go on. */
static void workflows_go_on_beside_activities(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = -1;

	atomic_store(&gate_is_open, false);
	start_all((struct temporal_worker_opts){ .max_concurrent_activities = 1 });
	struct temporal_run *waits = START(try, .what = "gate");

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
	for (int i = 0; i < 5; i++) {
		struct temporal_run *run = START(many, .n = 0);

		assert_int_equal(temporal_result(run, many, &n, NULL, &err), TEMPORAL_OK);
		temporal_run_unref(run);
	}
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_COMPLETED), 0);
	atomic_store(&gate_is_open, true);
	assert_result(waits, &try, "open");
}

static void no_more_run_than_allowed(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = 0;

	atomic_store(&running_max, 0);
	start_all((struct temporal_worker_opts){ .max_concurrent_activities = 10 });
	struct temporal_run *run = START(many, .n = 1000);

	assert_int_equal(temporal_result(run, many, &n, NULL, &err), TEMPORAL_OK);
	assert_int_equal(n, 1000);
	assert_true(atomic_load(&running_max) <= 10);
	assert_true(atomic_load(&running_max) > 1);
	assert_int_equal(atomic_load(&running), 0);
	temporal_run_unref(run);
}

static void a_rate_is_kept(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = 0;

	start_all((struct temporal_worker_opts){ .max_activities_per_second = 20 });
	int64_t start_ms = test_now_ms();
	struct temporal_run *run = START(many, .n = 11);

	assert_int_equal(temporal_result(run, many, &n, NULL, &err), TEMPORAL_OK);
	assert_true(test_now_ms() - start_ms >= 500); /* ten spaces of 50 ms */
	temporal_run_unref(run);
}

/* The activity is cancelled, its attempt fails, and another worker makes the next one: it waits for
 * that one's shutdown. */
static void a_shutdown_cancels_activities(void **state)
{
	start_all((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = START(try, .what = "wait");
	int64_t start_ms;

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
	start_ms = test_now_ms();
	stop_worker();
	assert_true(test_now_ms() - start_ms < 5000);
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 1);
	assert_string_equal(
		fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "the worker was shut down");
	temporal_run_unref(run);
}

static void a_graceful_shutdown_waits_for_activities(void **state)
{
	start_all((struct temporal_worker_opts){ .graceful_shutdown_timeout_ms = TEMPORAL_OFF });
	struct temporal_run *run = START(many, .n = 3);

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
	stop_worker();
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_COMPLETED),
		event_count(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED));
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKER_STOPPED), 1);
	temporal_run_unref(run);
}

/* One that looks whether it is cancelled is left in peace: within the time, and without an end of
 * it. */
static void within_its_grace_an_activity_is_not_cancelled(void **state)
{
	const int64_t graces_ms[] = { TEMPORAL_OFF, 20000 };

	for (size_t i = 0; i < sizeof(graces_ms) / sizeof(graces_ms[0]); i++) {
		begin_test(state);
		start_all((struct temporal_worker_opts){
			.graceful_shutdown_timeout_ms = graces_ms[i] });
		struct temporal_run *run = START(try, .what = "linger");
		int64_t begun_ms;

		wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
		begun_ms = test_now_ms();
		stop_worker();
		assert_true(test_now_ms() - begun_ms < 15000);
		assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 0);
		assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_COMPLETED), 1);
		assert_string_equal(
			fixture.last_text[TEMPORAL_EVENT_ACTIVITY_COMPLETED], "undisturbed");
		temporal_run_unref(run);
	}
}

/* When the grace is over it hears of the shutdown. */
static void after_its_grace_an_activity_is_cancelled(void **state)
{
	start_all((struct temporal_worker_opts){ .graceful_shutdown_timeout_ms = 100 });
	struct temporal_run *run = START(try, .what = "wait");
	int64_t begun_ms;

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, 1);
	begun_ms = test_now_ms();
	stop_worker();
	assert_in_range(test_now_ms() - begun_ms, 100, 5000);
	assert_string_equal(
		fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "the worker was shut down");
	temporal_run_unref(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_activity_gives_its_result, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			short_activities_need_no_thread, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			without_eager_starts_it_is_polled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_failed_attempt_is_tried_again, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_failure_arrives_with_its_chain, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			without_memory_it_still_fails, begin_test, end_test),
		cmocka_unit_test_setup_teardown(attempts_end_by_the_policy, begin_test, end_test),
		cmocka_unit_test_setup_teardown(an_unknown_activity_is_named, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			wrong_arguments_are_a_failure, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			an_activity_that_is_slow_times_out, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_result_that_is_too_large_is_a_failure, begin_test, end_test),
		cmocka_unit_test_setup_teardown(an_endless_chain_is_cut, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			the_next_attempt_reads_the_last_heartbeat, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_cancelled_activity_notices, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_cancellation_that_nobody_wanted_is_a_failure, begin_test, end_test),
		cmocka_unit_test_setup_teardown(somebody_else_completes_it, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			workflows_go_on_beside_activities, begin_test, end_test),
		cmocka_unit_test_setup_teardown(no_more_run_than_allowed, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_rate_is_kept, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_shutdown_cancels_activities, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_graceful_shutdown_waits_for_activities, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			within_its_grace_an_activity_is_not_cancelled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			after_its_grace_an_activity_is_cancelled, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
