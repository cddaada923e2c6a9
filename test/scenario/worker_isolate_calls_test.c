/*
 * Goal: what an activity may call on a thread it may call in a process of its own, to the same
 * effect: infos, logs, heartbeats, cancellation with its reasons, failures, clients. Method:
 * scenes, one a group of functions of activity.h, each of which returns as text what it has seen;
 * they are run on threads and in processes, and the texts compared. What only a process can do,
 * die, has tests of its own.
 */
#include "worker_fixture.h"

#include <signal.h>
#include <stdlib.h>

#include "base/sanitize.h"

struct scene_in {
	const char *what, *text;
};
typedef const char *scene_out;
TEMPORAL_ACTIVITY_CONTRACT(scene, "scene", what, text);

struct play_in {
	const char *what, *how, *text;
};
typedef const char *play_out;
TEMPORAL_WORKFLOW_CONTRACT(play, "Play", what, how, text);

/* ---- scenes ---- */

static const char *add_entry(struct act *act, const char *text, const struct temporal_entry *entry)
{
	return act_printf(act, "%s %s=%.*s (%s)", text, entry->key, (int)entry->value.data.len,
		(const char *)entry->value.data.data, entry->value.encoding);
}

/* All that is the same in two runs. */
static const struct temporal_failure *do_info(struct act *act, scene_out *out)
{
	const struct act_info *info = act_info(act);
	const char *text = act_printf(act, "%s %s %s %d %lld %lld %lld", info->activity_type,
		info->namespace_, info->workflow_type, (int)info->attempt,
		(long long)info->schedule_to_close_timeout_ms,
		(long long)info->start_to_close_timeout_ms, (long long)info->heartbeat_timeout_ms);

	if (!*info->workflow_id || !*info->run_id || !*info->activity_id ||
		info->task_token.len == 0 || info->scheduled_time_ns == 0 ||
		info->attempt_scheduled_time_ns == 0 || info->started_time_ns == 0 ||
		strncmp(info->task_queue, "worker-test", 11) != 0)
		return act_failure(act, "Wrong", "something is missing");
	for (size_t i = 0; i < info->headers.count; i++)
		text = add_entry(act, text, &info->headers.items[i]);
	if (info->retry_policy)
		text = act_printf(act, "%s %lld %g %lld %d %s", text,
			(long long)info->retry_policy->initial_interval_ms,
			info->retry_policy->backoff_coefficient,
			(long long)info->retry_policy->maximum_interval_ms,
			(int)info->retry_policy->maximum_attempts,
			info->retry_policy->non_retryable_types[0]);
	*out = act_printf(act, "%s %d %s %g", text, (int)info->priority.key,
		info->priority.fairness_key, (double)info->priority.fairness_weight);
	return NULL;
}

/* One beyond what a line has room for, too. */
static const struct temporal_failure *do_log(struct act *act, scene_out *out)
{
	char *large = act_alloc(act, 5000);

	memset(large, 'x', 4999);
	act_log(act, TEMPORAL_LOG_DEBUG, "nobody wants this");
	act_log(act, TEMPORAL_LOG_INFO, "%s of %d", "a line", 3);
	act_log(act, TEMPORAL_LOG_ERROR, "%s", large);
	act_log(act, TEMPORAL_LOG_WARN, "%s", "");
	*out = "logged";
	return NULL;
}

static const struct temporal_failure *do_log_and_die(struct act *act, scene_out *out)
{
	act_log(act, TEMPORAL_LOG_WARN, "last words");
	_exit(3);
}

static const struct temporal_failure *do_memory(struct act *act, scene_out *out)
{
	const unsigned char *zeroed = act_alloc(act, 100000);
	int sum = 0;

	for (int i = 0; zeroed && i < 100000; i++)
		sum += zeroed[i];
	*out = act_printf(
		act, "%d %s", sum, act_alloc(act, (size_t)1 << 40) ? "without end" : "has an end");
	return NULL;
}

static const struct temporal_failure *do_fail(struct act *act, scene_out *out)
{
	const struct temporal_metadata more = { .key = "owner", .value = { "me", 2 } };
	const struct temporal_payload details[] = { { .data = { "7", 1 } },
		{ .encoding = "binary/plain",
			.data = { "\0\1", 2 },
			.metadata = &more,
			.n_metadata = 1 } };
	const struct temporal_failure *inner =
		act_failure_with(act, &(const struct act_failure_opts){ .type = "Inner" }, "in");

	return act_failure_with(act,
		&(const struct act_failure_opts){ .type = "Outer",
			.non_retryable = true,
			.next_retry_delay_ms = 1234,
			.category = TEMPORAL_CATEGORY_BENIGN,
			.details = { details, 2 },
			.cause = inner },
		"out of %s", "order");
}

/* A result that is no text at all. */
static const struct temporal_failure *do_broken(struct act *act, scene_out *out)
{
	*out = "\xFF";
	return NULL;
}

/* Each kind of value; the next attempt reads the last. */
static const struct temporal_failure *do_values(struct act *act, scene_out *out)
{
	const struct temporal_payload two[] = { { .data = { "1.5", 3 } },
		{ .data = { "\"two\"", 5 } } };
	double first = 0;
	const char *second = NULL;

	if (act_info(act)->attempt == 1) {
		act_heartbeat(act, true);
		act_heartbeat(act, 1);
		act_heartbeat(act, UINT64_MAX);
		act_heartbeat(act, 0.5);
		act_heartbeat(act, "text");
		act_heartbeat_0(act);
		act_heartbeat_payloads(act, &(const struct temporal_payloads){ two, 2 });
		return act_failure(act, "Again", "once more");
	}
	if (!act_last_heartbeat(act, 0, &first) || !act_last_heartbeat(act, 1, &second))
		return act_failure(act, "Wrong", "the details do not fit");
	*out = act_printf(
		act, "%g %s of %zu", first, second, act_last_heartbeat_payloads(act).count);
	return NULL;
}

struct other {
	struct act *act;
	bool cancelled;
};

static void *be_other(void *user)
{
	struct other *other = user;

	act_log(other->act, TEMPORAL_LOG_WARN, "from another thread");
	for (int i = 0; i < 200; i++)
		act_heartbeat(other->act, i);
	other->cancelled = act_wait(other->act, 100) || act_cancelled(other->act);
	return NULL;
}

/* Two at a time, with details of more than one packet in between. */
static const struct temporal_failure *do_threads(struct act *act, scene_out *out)
{
	struct other other = { .act = act };
	char *large = act_alloc(act, 200001);
	pthread_t thread;
	int64_t last = 0;

	if (act_info(act)->attempt > 1) {
		bool there = act_last_heartbeat(act, 0, &last);

		*out = act_printf(act, "%s %lld", there ? "last" : "none", (long long)last);
		return NULL;
	}
	memset(large, 'x', 200000);
	if (pthread_create(&thread, NULL, be_other, &other) != 0)
		return act_failure(act, "Wrong", "no thread");
	for (int i = 0; i < 20; i++)
		act_heartbeat(act, large);
	pthread_join(thread, NULL);
	act_heartbeat(act, 4711);
	return act_failure(act, other.cancelled ? "Wrong" : "Again", "once more");
}

static const struct temporal_failure *do_client(
	struct act *act, const struct scene_in *in, scene_out *out)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(&err, .target = in->text);
	const struct temporal_payload said = { .data = { "\"hello\"", 7 } };
	const struct temporal_payloads arguments = { &said, 1 };
	struct temporal_run *run = client ? temporal_run_handle(client, act_info(act)->workflow_id,
						    act_info(act)->run_id, &err)
					  : NULL;

	if (run && temporal_signal_named_0(run, "said", arguments, &err) == TEMPORAL_OK)
		*out = "said it";
	temporal_run_unref(run);
	temporal_client_unref(client);
	return *out ? NULL : act_failure(act, "Wrong", "%s", err.message);
}

/* Until somebody wants an end, which comes with the answers to heartbeats. */
static const struct temporal_failure *do_reason(struct act *act, scene_out *out)
{
	static const char *const names[] = { "none", "requested", "timed out", "paused", "reset",
		"shutdown", "not found" };

	while (!act_cancelled(act)) {
		act_heartbeat(act, "still there");
		act_wait(act, 5);
	}
	act_log(act, TEMPORAL_LOG_WARN, "%s", names[act_cancel_reason(act)]);
	return act_cancelled_failure(act);
}

/* As fast as it goes, and never a wait. */
static const struct temporal_failure *do_many(struct act *act, scene_out *out)
{
	int64_t i = 0;

	if (act_info(act)->attempt > 1) {
		bool there = act_last_heartbeat(act, 0, &i);

		*out = act_printf(act, "%s %lld", there ? "last" : "none", (long long)i);
		return NULL;
	}
	for (; i < 100000; i++)
		act_heartbeat(act, i);
	kill(getpid(), SIGKILL);
	return NULL;
}

static const struct temporal_failure *do_many_until_cancelled(struct act *act, scene_out *out)
{
	for (int64_t i = 0; !act_cancelled(act); i++)
		act_heartbeat(act, i);
	return act_cancelled_failure(act);
}

/* The second comes within the interval of the first; nothing is said after that. */
static const struct temporal_failure *do_silent(struct act *act, scene_out *out)
{
	const char *last = NULL;

	if (act_last_heartbeat(act, 0, &last)) {
		*out = last;
		return NULL;
	}
	act_heartbeat(act, "first");
	act_heartbeat(act, "second");
	act_wait(act, -1);
	return act_cancelled_failure(act);
}

/* Longer than its heartbeat timeout, each time after a pause in which the worker has sent all that
 * there was. */
static const struct temporal_failure *do_long(struct act *act, scene_out *out)
{
	for (int i = 0; i < 4; i++) {
		act_heartbeat(act, i);
		if (act_wait(act, 300))
			return act_cancelled_failure(act);
	}
	*out = "to the end";
	return NULL;
}

/* A local one: its heartbeats are for the next attempt alone. */
static const struct temporal_failure *do_local(struct act *act, scene_out *out)
{
	const struct act_info *info = act_info(act);
	const char *last = NULL;

	act_log(act, TEMPORAL_LOG_WARN, "attempt %d", (int)info->attempt);
	if (info->attempt == 1) {
		act_heartbeat(act, "row 1");
		return act_failure(act, "Again", "once more");
	}
	*out = act_printf(act, "%s of %s, attempt %d, %lld, after %s", info->activity_type,
		info->workflow_type, (int)info->attempt, (long long)info->start_to_close_timeout_ms,
		act_last_heartbeat(act, 0, &last) ? last : "none");
	return NULL;
}

static const struct temporal_failure *scene_run(
	struct act *act, const struct scene_in *in, scene_out *out)
{
	static const struct {
		const char *what;
		const struct temporal_failure *(*run)(struct act *act, scene_out *out);
	} table[] = {
		{ "info", do_info },
		{ "log", do_log },
		{ "log and die", do_log_and_die },
		{ "memory", do_memory },
		{ "fail", do_fail },
		{ "broken", do_broken },
		{ "values", do_values },
		{ "threads", do_threads },
		{ "reason", do_reason },
		{ "many", do_many },
		{ "many until cancelled", do_many_until_cancelled },
		{ "silent", do_silent },
		{ "long", do_long },
		{ "local", do_local },
	};

	if (strcmp(in->what, "client") == 0)
		return do_client(act, in, out);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].what, in->what) == 0)
			return table[i].run(act, out);
	}
	*out = in->what;
	return NULL;
}
TEMPORAL_ACTIVITY(scene);

/* Of any type: gives back what it got. */
static const struct temporal_failure *echo_run(struct act *act, const void *in, void *out)
{
	const struct temporal_payloads *arguments = in;

	*(struct temporal_payload *)out = arguments->items[1];
	return NULL;
}
static const struct temporal_activity echo_activity = { .run = echo_run };

/* ---- the workflow ---- */

static const char *add_failure(struct wf *wf, const char *text, const struct temporal_failure *of)
{
	text = wf_printf(wf, "%s[%d %s: %s; %d %lld %d", text, (int)of->kind, of->type, of->message,
		of->non_retryable, (long long)of->next_retry_delay_ms, (int)of->category);
	for (size_t i = 0; i < of->details.count; i++) {
		const struct temporal_payload *detail = &of->details.items[i];

		text = wf_printf(wf, "%s (%s, %zu bytes, %zu more)", text, detail->encoding,
			detail->data.len, detail->n_metadata);
	}
	return wf_printf(wf, "%s]", text);
}

static const char *whole(struct wf *wf, const struct temporal_failure *failure)
{
	const char *text = "";

	for (const struct temporal_failure *of = failure->cause; of; of = of->cause)
		text = add_failure(wf, text, of);
	return text;
}

static play_out play_run(struct wf *wf, const struct play_in *in)
{
	static const char *const never[] = { "Outer", NULL };
	const struct temporal_retry_policy retry = { .initial_interval_ms = 10,
		.backoff_coefficient = 1.5,
		.maximum_attempts = strcmp(in->how, "once") == 0 ? 1 : 3,
		.non_retryable_types = never };
	const struct temporal_priority priority = {
		.key = 2, .fairness_key = "acme", .fairness_weight = 1.5F
	};
	const struct temporal_entry header = { "tenant", { .data = { "\"acme\"", 6 } } };
	struct wf_activity_opts opts = { .start_to_close_ms = 20000,
		.schedule_to_close_ms = 30000,
		.heartbeat_ms = strcmp(in->what, "long") == 0 ? 1000 : 20000,
		.retry = &retry,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED,
		.priority = &priority,
		.headers = { &header, 1 } };

	if (strcmp(in->how, "short") == 0) {
		opts.start_to_close_ms = 400;
		opts.heartbeat_ms = 0;
	}
	const struct temporal_payload arguments[] = { { .data = { "0", 1 } },
		{ .data = { "\"any\"", 5 } } };
	const struct temporal_payloads two = { arguments, 2 };
	struct wf_future *future =
		strcmp(in->what, "any") == 0
			? wf_start_activity_raw(wf, "whatever", &two, &opts)
			: wf_start_activity(wf, scene, &opts, .what = in->what, .text = in->text);

	if (strcmp(in->how, "cancel") == 0) {
		wf_sleep(wf, 200);
		wf_cancel(wf, future);
	}
	const struct temporal_failure *failure = wf_try(wf, future);

	if (failure)
		return whole(wf, failure);
	if (strcmp(in->what, "any") == 0)
		return wf_printf(wf, "%.*s", (int)wf_await_raw(wf, future)->data.len,
			(const char *)wf_await_raw(wf, future)->data.data);
	if (strcmp(in->what, "client") == 0) {
		const struct temporal_bytes heard = wf_receive_raw(wf, "said")->items[0].data;

		return wf_printf(wf, "heard %.*s", (int)heard.len, (const char *)heard.data);
	}
	return wf_await(wf, scene, future);
}
TEMPORAL_WORKFLOW(play);

/* ---- the worker ---- */

static struct {
	pthread_mutex_t lock;
	char lines[16384]; /* of activities: level, names, message */
} logs = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep_log(const struct temporal_worker_log *line, void *user)
{
	if (!*line->activity_type) {
		print_message("worker: %s\n", line->message);
		return;
	}
	pthread_mutex_lock(&logs.lock);
	size_t used = strlen(logs.lines);
	bool named = *line->workflow_id && *line->run_id && *line->activity_id &&
		     strcmp(line->task_queue, fixture.queue) == 0;

	snprintf(logs.lines + used, sizeof(logs.lines) - used, "%d %s %s %d %s %s\n",
		(int)line->level, line->workflow_type, line->activity_type, (int)line->attempt,
		named ? "named" : "nameless", line->message);
	pthread_mutex_unlock(&logs.lock);
}

static const struct temporal_worker_opts *with(struct temporal_worker_opts *opts)
{
	static const struct temporal_workflow *const workflows[] = { &play_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &scene_activity,
		&echo_activity, NULL };

	opts->task_queue = fixture.queue;
	opts->workflows = workflows;
	opts->activities = activities;
	opts->on_event = on_event;
	opts->on_log = keep_log;
	opts->log_level = opts->log_level ? opts->log_level : TEMPORAL_LOG_INFO;
	if (!opts->max_heartbeat_throttle_interval_ms)
		opts->max_heartbeat_throttle_interval_ms = 100;
	return opts;
}

static void start_with(struct temporal_worker_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	logs.lines[0] = '\0';
	fixture.worker = temporal_worker_new_(fixture.client, with(&opts), sizeof(opts), &err);
	if (!fixture.worker || temporal_worker_start(fixture.worker, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
}

static void start_isolated(struct temporal_worker_opts opts)
{
	opts.isolation = TEMPORAL_ISOLATE_PROCESS;
	start_with(opts);
}

static void assert_text(struct temporal_run *run, const char *expected)
{
	char *text = result_text(run, &play);

	assert_string_equal(text, expected);
	free(text);
}

/* ---- tests ---- */

/* First of all; the worker's own lines about failed attempts come behind. */
static void assert_logged(const char *expected)
{
	logs.lines[strlen(expected)] = '\0';
	assert_string_equal(logs.lines, expected);
}

static const struct {
	const char *what, *how, *begins;
} scenes[] = {
	{ "info", "", "scene default Play 1 30000 20000 20000 tenant=\"acme\" (json/plain)" },
	{ "memory", "", "0 has an end" },
	{ "fail", "", "[" },
	{ "broken", "", "[" },
	{ "values", "", "1.5 two of 2" },
	{ "threads", "", "last 4711" },
	{ "client", "", "heard \"hello\"" },
	{ "many until cancelled", "cancel", "[" },
	{ "reason", "cancel", "[" },
	{ "silent", "short", "second" },
	{ "long", "once", "to the end" },
	{ "any", "", "\"any\"" },
	{ "local", "local", "scene of Play, attempt 2, 20000, after row 1" },
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

/* All at once, to save time. */
static void play_all(enum temporal_isolation isolation, char *texts[SCENES])
{
	struct temporal_run *runs[SCENES];

	start_with((struct temporal_worker_opts){ .isolation = isolation });
	for (size_t i = 0; i < SCENES; i++)
		runs[i] = START(play, .what = scenes[i].what, .how = scenes[i].how,
			.text = test_server_shared());
	for (size_t i = 0; i < SCENES; i++)
		texts[i] = result_text(runs[i], &play);
	stop_worker();
}

static void each_call_does_the_same(void **state)
{
	char *threads[SCENES], *processes[SCENES];

	play_all(TEMPORAL_ISOLATE_THREAD, threads);
	play_all(TEMPORAL_ISOLATE_PROCESS, processes);
	for (size_t i = 0; i < SCENES; i++) {
		assert_string_equal(threads[i], processes[i]);
		if (strncmp(threads[i], scenes[i].begins, strlen(scenes[i].begins)) != 0)
			fail_msg("\"%s\" does not begin with \"%s\"", threads[i], scenes[i].begins);
		free(threads[i]);
		free(processes[i]);
	}
}

static void a_log_has_levels_and_names(void **state)
{
	char expected[4096];
	int used = snprintf(expected, sizeof(expected), "5 Play scene 1 named ");

	/* The line for INFO is not wanted; the long one is cut. */
	memset(expected + used, 'x', 2047);
	snprintf(expected + used + 2047, sizeof(expected) - 2047 - (size_t)used,
		"\n4 Play scene 1 named \n");
	for (int i = 0; i < 2; i++) {
		start_with((struct temporal_worker_opts){ .log_level = TEMPORAL_LOG_WARN,
			.isolation = i ? TEMPORAL_ISOLATE_PROCESS : TEMPORAL_ISOLATE_THREAD });
		assert_text(START(play, .what = "log", .how = "", .text = ""), "logged");
		stop_worker();
		assert_string_equal(logs.lines, expected);
	}
}

static void last_words_are_logged(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	free(result_text(START(play, .what = "log and die", .how = "once", .text = ""), &play));
	stop_worker();
	assert_logged("4 Play scene 1 named last words\n");
}

/* Not one is lost though the process is killed, and they do not take long. */
static void many_heartbeats_are_quick_and_none_is_lost(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	int64_t begun_ms = test_now_ms();

	assert_text(START(play, .what = "many", .how = "", .text = ""), "last 99999");
#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD)
	assert_true(test_now_ms() - begun_ms < 5000);
#else
	(void)begun_ms;
#endif
}

/* PauseActivity, ResetActivity */
static void control(const struct temporal_run *run, const char *what)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char request[512], path[128];

	snprintf(path, sizeof(path), "/temporal.api.workflowservice.v1.WorkflowService/%s", what);
	snprintf(request, sizeof(request),
		"{\"namespace\":\"default\",\"execution\":{\"workflowId\":\"%s\"},\"type\":"
		"\"scene\",\"identity\":\"test\"}",
		temporal_run_workflow_id(run));
	struct temporal_buffer *done = temporal_client_call(fixture.client, path,
		(struct temporal_bytes){ request, strlen(request) }, true, &err);

	if (!done)
		print_message("%s\n", err.message);
	assert_non_null(done);
	temporal_buffer_unref(done);
}

static bool is_logged(const char *message)
{
	pthread_mutex_lock(&logs.lock);
	bool is = strstr(logs.lines, message) != NULL;

	pthread_mutex_unlock(&logs.lock);
	return is;
}

static void wait_for_log(const char *message)
{
	test_wait_until(is_logged(message));
}

/* The reasons that are no request; that one is among the scenes. */
static void reasons_arrive(void **state)
{
	static const char *const reasons[] = { "paused", "not found", "reset", "shutdown" };
	struct temporal_error err;

	start_isolated((struct temporal_worker_opts){ 0 });
	for (size_t i = 0; i < 4; i++) {
		struct temporal_run *run = START(play, .what = "reason", .how = "once", .text = "");

		wait_for_events(TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED, (int)i + 1);
		if (i == 0)
			control(run, "PauseActivity");
		if (i == 1)
			assert_int_equal(temporal_run_terminate_0(run, &err), TEMPORAL_OK);
		if (i == 2)
			control(run, "ResetActivity");
		if (i == 3)
			temporal_worker_shutdown(fixture.worker);
		wait_for_log(reasons[i]);
		/* Or it has ended by itself. */
		if ((i == 0 || i == 2) && temporal_run_terminate_0(run, &err) != TEMPORAL_OK)
			assert_int_equal(err.code, TEMPORAL_NOT_FOUND);
		temporal_run_unref(run);
	}
}

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_call_does_the_same, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_log_has_levels_and_names, begin_test, end_test),
		cmocka_unit_test_setup_teardown(last_words_are_logged, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			many_heartbeats_are_quick_and_none_is_lost, begin_test, end_test),
		cmocka_unit_test_setup_teardown(reasons_arrive, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
