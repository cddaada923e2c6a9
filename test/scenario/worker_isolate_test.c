/*
 * Goal: activities in child processes keep the contract of those on threads, and whatever their
 * code does to its process is a failure of that attempt alone, named by signal or status, after
 * which the worker goes on. Method: one activity, told by its argument what to do, and a workflow
 * that calls it; the processes are looked at from outside by their ids, which the activity gives.
 * The program executes itself again as a worker that is then killed.
 */
#include "worker_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/sanitize.h"

extern char **environ;

struct probe_in {
	const char *what;
};
typedef const char *probe_out;
TEMPORAL_ACTIVITY_CONTRACT(probe, "probe", what);

struct cpu_in {
	int64_t sleep_ms;
};
typedef int64_t cpu_out;
TEMPORAL_ACTIVITY_CONTRACT(cpu, "cpu", sleep_ms);

struct try_in {
	const char *what, *how; /* how it is called; "" as most are */
};
typedef const char *try_out;
TEMPORAL_WORKFLOW_CONTRACT(try, "Try", what, how);

struct many_in {
	int64_t n;
	bool at_once;
	int64_t sleep_ms;
};
typedef const char *many_out;
TEMPORAL_WORKFLOW_CONTRACT(many, "Many", n, at_once, sleep_ms);

/* ---- the activity, in its process ---- */

/* Where an activity leaves what it cannot return. */
static void note_path(char *path, size_t size, const char *queue)
{
	snprintf(path, size, "/tmp/temporal-%s", queue);
}

static void note(struct act *act, const void *data, size_t len)
{
	char path[128];

	note_path(path, sizeof(path), act_info(act)->task_queue);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		_exit(99);
	close(fd);
}

static size_t noted(char *out, size_t size)
{
	char path[128];

	note_path(path, sizeof(path), fixture.queue);
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? 0 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}

static const struct temporal_failure *do_result(struct act *act, probe_out *out)
{
	const struct act_info *info = act_info(act);

	if (strcmp(info->activity_type, "probe") != 0 || strcmp(info->workflow_type, "Try") != 0 ||
		info->start_to_close_timeout_ms != 20000 || info->attempt != 1 ||
		info->started_time_ns == 0 || strncmp(info->task_queue, "worker-test", 11) != 0 ||
		strcmp(info->namespace_, "default") != 0 || act_cancelled(act) || act_wait(act, 1))
		return act_failure(act, "Wrong", "the info is not as expected");
	*out = act_printf(act, "done: %s", "\xC3\xBC \"quoted\"");
	return NULL;
}

static const struct temporal_failure *do_pid(struct act *act, probe_out *out)
{
	*out = act_printf(act, "%d %d", (int)getpid(), (int)getppid());
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
		act_heartbeat(act, "row 41");
		abort(); /* the worker has the details all the same */
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

	note(act, open.data, open.len);
	return NULL;
}

/* Beyond one packet, with a heartbeat of such a size before. */
static const struct temporal_failure *do_large(struct act *act, probe_out *out)
{
	size_t len = (size_t)1500 * 1000;
	char *text = act_alloc(act, len + 1);

	if (!text)
		return act_failure(act, "Wrong", "no memory");
	memset(text, 'x', len);
	act_heartbeat(act, text);
	*out = text;
	return NULL;
}

static const struct temporal_failure *do_segv(struct act *act, probe_out *out)
{
	*(volatile int *)0xBAD0 = 1; /* NOLINT: on purpose */
	return NULL;
}

static const struct temporal_failure *do_abort(struct act *act, probe_out *out)
{
	abort();
}

static const struct temporal_failure *do_exit(struct act *act, probe_out *out)
{
	_exit(7);
}

static const struct temporal_failure *do_kill(struct act *act, probe_out *out)
{
	kill(getpid(), SIGKILL);
	return NULL;
}

static int deeper(volatile char *above, int more)
{
	volatile char frame[8192];

	frame[0] = (char)(above[0] + 1);
	return (more > 0 ? deeper(frame, more - 1) : 0) + frame[0];
}

static const struct temporal_failure *do_overflow(struct act *act, probe_out *out)
{
	volatile char first[1] = { 0 };

	*out = act_printf(act, "%d", deeper(first, 1000000));
	return NULL;
}

static const struct temporal_failure *do_hang(struct act *act, probe_out *out)
{
	char pid[32];
	int len = snprintf(pid, sizeof(pid), "%d", (int)getpid());

	act_heartbeat_0(act);
	note(act, pid, (size_t)len);
	while (pause() != 0) /* always -1 */
		continue;
	return NULL;
}

/* Says what no such process says, and stays. */
static const struct temporal_failure *do_nonsense(struct act *act, probe_out *out)
{
	char pid[32], words[64];
	int len = snprintf(pid, sizeof(pid), "%d", (int)getpid());

	note(act, pid, (size_t)len);
	memset(words, 0, sizeof(words));
	words[0] = 99;
	for (int fd = 3; fd < 64; fd++)
		send(fd, words, 32, MSG_NOSIGNAL); /* where it is no socket nothing happens */
	while (pause() != 0)
		continue;
	return NULL;
}

static const struct temporal_failure *do_second(struct act *act, probe_out *out)
{
	if (act_info(act)->attempt == 1)
		return do_segv(act, out);
	*out = "the second";
	return NULL;
}

static const struct temporal_failure *do_memory(struct act *act, probe_out *out)
{
	size_t got = 0;

	while (got < 1000 && malloc(1000 * 1000))
		got++;
	*out = got < 1000 ? "memory ended" : "there is no limit";
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
		{ "pid", do_pid },
		{ "chain", do_chain },
		{ "beat", do_beat },
		{ "cancel", do_until_cancelled },
		{ "later", do_later },
		{ "large", do_large },
		{ "segv", do_segv },
		{ "abort", do_abort },
		{ "exit", do_exit },
		{ "kill", do_kill },
		{ "overflow", do_overflow },
		{ "hang", do_hang },
		{ "nonsense", do_nonsense },
		{ "second", do_second },
		{ "memory", do_memory },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].what, in->what) == 0)
			return table[i].run(act, out);
	}
	return act_failure_with(
		act, &(const struct act_failure_opts){ .non_retryable = true }, "do what?");
}
TEMPORAL_ACTIVITY(probe);

/* Always isolated. */
static const struct temporal_failure *cpu_run(
	struct act *act, const struct cpu_in *in, cpu_out *out)
{
	act_wait(act, in->sleep_ms);
	*out = getpid();
	return NULL;
}
TEMPORAL_ISOLATED_ACTIVITY(cpu);

/* ---- the workflows ---- */

static const struct temporal_retry_policy quick_retries = { .initial_interval_ms = 10 };
static const struct temporal_retry_policy no_retries = { .maximum_attempts = 1 };
static const struct wf_activity_opts retried = { .start_to_close_ms = 20000,
	.retry = &quick_retries };
static const struct wf_activity_opts once = { .start_to_close_ms = 20000, .retry = &no_retries };

/* The failure's type and message, of the one that the activity failed with. */
static const char *told(struct wf *wf, const struct temporal_failure *failure)
{
	while (failure && failure->cause)
		failure = failure->cause;
	if (!failure)
		return "no failure";
	return wf_printf(wf, "%s: %s",
		failure->kind == TEMPORAL_FAILURE_APPLICATION ? failure->type
		: failure->kind == TEMPORAL_FAILURE_TIMEOUT   ? "timeout"
							      : "other",
		failure->message);
}

static try_out try_to_cancel(struct wf *wf, const char *what)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = 30000,
		.heartbeat_ms = 500,
		.retry = &no_retries,
		.cancellation = TEMPORAL_WAIT_CANCELLATION_COMPLETED };
	struct wf_future *future = wf_start_activity(wf, probe, &opts, .what = what);

	wf_sleep(wf, 300);
	wf_cancel(wf, future);
	const struct temporal_failure *failure = wf_try(wf, future);

	return failure && wf_is_cancelled(failure) ? "cancelled" : told(wf, failure);
}

static try_out try_run(struct wf *wf, const struct try_in *in)
{
	const struct wf_activity_opts short_of_time = { .start_to_close_ms = 300,
		.retry = &no_retries };
	const struct wf_local_opts local = { .start_to_close_ms = 20000, .retry = &no_retries };

	if (strcmp(in->how, "cancel") == 0)
		return try_to_cancel(wf, in->what);
	if (strcmp(in->how, "failure") == 0)
		return told(wf, wf_try(wf, wf_start_activity(wf, probe, &once, .what = in->what)));
	if (strcmp(in->how, "local") == 0)
		return told(wf, wf_try(wf, wf_start_local(wf, probe, &local, .what = in->what)));
	if (strcmp(in->how, "timeout") == 0)
		return told(wf,
			wf_try(wf, wf_start_activity(wf, probe, &short_of_time, .what = in->what)));
	if (strcmp(in->what, "crash") == 0)
		return wf_activity(wf, probe, &once, .what = "segv");
	if (strcmp(in->what, "cpu") == 0)
		return wf_printf(wf, "%lld", (long long)wf_activity(wf, cpu, &once, .sleep_ms = 0));
	return wf_activity(wf, probe, &retried, .what = in->what);
}
TEMPORAL_WORKFLOW(try);

/* The processes of n attempts, one after the other or all at once. */
static many_out many_run(struct wf *wf, const struct many_in *in)
{
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));
	const char *all = "";

	for (int64_t i = 0; i < in->n; i++) {
		futures[i] = wf_start_activity(wf, cpu, &once, .sleep_ms = in->sleep_ms);
		if (!in->at_once)
			wf_wait(wf, futures[i]);
	}
	for (int64_t i = 0; i < in->n; i++)
		all = wf_printf(wf, "%s%lld ", all, (long long)wf_await(wf, cpu, futures[i]));
	return all;
}
TEMPORAL_WORKFLOW(many);

static void start_isolated(struct temporal_worker_opts opts)
{
	static const struct temporal_workflow *const workflows[] = { &try_workflow, &many_workflow,
		NULL };
	static const struct temporal_activity *const activities[] = { &probe_activity,
		&cpu_activity, NULL };

	opts.workflows = workflows;
	opts.activities = activities;
	opts.isolation = TEMPORAL_ISOLATE_PROCESS;
	start_worker(opts);
}

/* ---- the tests ---- */

static const char *result_of(struct temporal_run *run, const struct temporal_contract *contract)
{
	static char copy[1024];
	struct temporal_result *result = NULL;
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *text = NULL;

	if (temporal_result_(run, contract, &text, NULL, 0, &result, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	snprintf(copy, sizeof(copy), "%s", text);
	temporal_result_unref(result);
	temporal_run_unref(run);
	return copy;
}

static void assert_begins(const char *text, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) != 0)
		print_message("\"%s\" does not begin with \"%s\"\n", text, begin);
	assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
}

/* Waits until there is no such process; a zombie is one. */
static void assert_gone(pid_t pid)
{
	assert_true(pid > 1);
	test_wait_until(kill(pid, 0) != 0);
	assert_int_equal(errno, ESRCH);
}

static pid_t noted_pid(void)
{
	char text[64];

	test_wait_until(noted(text, sizeof(text)) != 0);
	return (pid_t)atoi(text);
}

static int forget(void **state)
{
	char path[128];

	note_path(path, sizeof(path), fixture.queue);
	unlink(path);
	return end_test(state);
}

static void the_contract_is_kept(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "result", .how = ""), &try, "done: \xC3\xBC \"quoted\"");
	struct temporal_result *result = failed_result(START(try, .what = "chain", .how = ""));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_string_equal(failure->type, "Outer");
	assert_string_equal(failure->message, "cannot write it");
	assert_true(failure->non_retryable);
	assert_memory_equal(failure->details.items[0].data.data, "\"row 7\"", 7);
	assert_string_equal(failure->cause->type, "Inner");
	temporal_result_unref(result);
	assert_result(START(try, .what = "cancel", .how = "cancel"), &try, "cancelled");
}

static void a_heartbeat_survives_the_process(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "beat", .how = ""), &try, "went on after row 41");
}

static void somebody_else_completes_it(void **state)
{
	char token[4096];
	struct temporal_error err;
	const char *text = "completed outside";

	start_isolated((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = START(try, .what = "later", .how = "");

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN, 1);
	size_t len = noted(token, sizeof(token));
	const struct temporal_activity_target target = { .task_token = { token, len } };

	assert_int_equal(temporal_activity_complete(fixture.client, probe, &target, &text, &err),
		TEMPORAL_OK);
	assert_result(run, &try, "completed outside");
}

static void what_is_large_passes(void **state)
{
	struct temporal_result *result = NULL;
	struct temporal_error err = { .code = TEMPORAL_OK };
	const char *text = NULL;

	start_isolated((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = START(try, .what = "large", .how = "");

	assert_int_equal(temporal_result_(run, &try, &text, NULL, 0, &result, &err), TEMPORAL_OK);
	assert_int_equal(strlen(text), 1500000);
	temporal_result_unref(result);
	temporal_run_unref(run);
}

/* One worker lives through all of them. */
static void each_death_is_a_failure_with_a_name(void **state)
{
	static const struct {
		const char *what, *failure;
	} deaths[] = {
		{ "segv", "ProcessCrashed: activity 'probe' died by SIGSEGV (address 0xbad0)" },
		{ "abort", "ProcessCrashed: activity 'probe' died by SIGABRT" },
		{ "exit", "ProcessExited: activity 'probe' exited with status 7" },
		{ "kill", "ProcessKilled: activity 'probe' died by SIGKILL" },
		{ "overflow", "ProcessCrashed: activity 'probe' died by SIGSEGV (address 0x" },
	};

	start_isolated((struct temporal_worker_opts){ 0 });
	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		const char *text =
			result_of(START(try, .what = deaths[i].what, .how = "failure"), &try);

		assert_begins(text, deaths[i].failure);
		if (strcmp(deaths[i].what, "overflow") == 0)
			assert_non_null(strstr(text, "its stack has overflowed"));
	}
	assert_begins(result_of(START(try, .what = "segv", .how = "local"), &try),
		"ProcessCrashed: activity 'probe' died by SIGSEGV");
	assert_result(START(try, .what = "second", .how = ""), &try, "the second");
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 7);
}

/* A crash says where: the failure has the stack of the child. */
static void a_crash_has_its_stack(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	struct temporal_result *result = failed_result(START(try, .what = "crash", .how = ""));
	const struct temporal_failure *failure = temporal_result_failure(result)->cause;

	assert_string_equal(failure->type, "ProcessCrashed");
	assert_false(failure->non_retryable);
	assert_non_null(strstr(failure->stack_trace, "  at "));
	assert_non_null(strstr(failure->stack_trace, "scenario_worker_isolate+0x"));
	temporal_result_unref(result);
}

static void a_hang_is_killed(void **state)
{
	start_isolated((struct temporal_worker_opts){ .isolated_kill_grace_ms = 100 });
	assert_begins(result_of(START(try, .what = "hang", .how = "timeout"), &try), "timeout: ");
	assert_gone(noted_pid());
	assert_result(START(try, .what = "result", .how = ""), &try, "done: \xC3\xBC \"quoted\"");
}

static void a_hang_after_cancellation_is_killed(void **state)
{
	start_isolated((struct temporal_worker_opts){
		.isolated_kill_grace_ms = 100, .max_heartbeat_throttle_interval_ms = 50 });
	int64_t begun_ms = test_now_ms();

	/* It gives one heartbeat, so its timeout ends it. */
	assert_begins(result_of(START(try, .what = "hang", .how = "cancel"), &try), "timeout: ");
	assert_gone(noted_pid());
	assert_true(test_now_ms() - begun_ms < 5000);
}

/* A worker that stops tells those that run, and does not wait for who does not listen. */
static void a_shutdown_ends_what_hangs(void **state)
{
	start_isolated((struct temporal_worker_opts){ .isolated_kill_grace_ms = 100 });
	struct temporal_run *run = START(try, .what = "hang", .how = "");
	pid_t pid = noted_pid();

	stop_worker();
	assert_gone(pid);
	assert_int_equal(event_count(TEMPORAL_EVENT_ACTIVITY_FAILED), 1);
	assert_begins(fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED],
		"activity 'probe' did not end within 100 ms of its cancellation");
	temporal_run_unref(run);
}

static void processes_are_used_again(void **state)
{
	int pids[4] = { 0 };

	start_isolated((struct temporal_worker_opts){
		.isolated_attempts_per_process = 2, .max_isolated_processes = 1 });
	assert_int_equal(sscanf(result_of(START(many, .n = 4), &many), "%d %d %d %d", &pids[0],
				 &pids[1], &pids[2], &pids[3]),
		4);
	assert_int_equal(pids[0], pids[1]);
	assert_int_equal(pids[2], pids[3]);
	assert_int_not_equal(pids[0], pids[2]);
	assert_int_not_equal(pids[0], getpid());
	assert_gone(pids[0]);
	/* More than there may be at a time wait for each other: first one process, then another. */
	assert_int_equal(sscanf(result_of(START(many, .n = 4, .at_once = true), &many),
				 "%d %d %d %d", &pids[0], &pids[1], &pids[2], &pids[3]),
		4);
	stop_worker();
	for (int i = 0; i < 4; i++) {
		int same = 0;

		for (int k = 0; k < 4; k++)
			same += pids[i] == pids[k];
		assert_int_equal(same, 2);
		assert_gone(pids[i]);
	}
}

static void memory_has_a_limit(void **state)
{
#if defined(SANITIZE_ADDRESS) || defined(SANITIZE_THREAD)
	skip(); /* the sanitizers' own memory is beyond any limit */
#endif
	start_isolated((struct temporal_worker_opts){ .isolated_memory_limit = 100 * 1000 * 1000 });
	assert_result(START(try, .what = "memory", .how = ""), &try, "memory ended");
}

/* One activity of several: the others stay on threads. */
static void a_definition_may_ask_for_it(void **state)
{
	int pid = 0, parent = 0;

	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&try_workflow),
		.activities = ACTIVITIES(&probe_activity, &cpu_activity) });
	sscanf(result_of(START(try, .what = "pid", .how = ""), &try), "%d", &pid);
	assert_int_equal(pid, getpid());
	sscanf(result_of(START(try, .what = "cpu", .how = ""), &try), "%d", &pid);
	assert_int_not_equal(pid, getpid());
	stop_worker();
	start_isolated((struct temporal_worker_opts){ 0 });
	sscanf(result_of(START(try, .what = "pid", .how = ""), &try), "%d %d", &pid, &parent);
	assert_int_not_equal(pid, getpid());
	assert_int_not_equal(parent, getpid());
}

static void the_helper_may_die(void **state)
{
	int pid = 0, helper = 0;

	start_isolated((struct temporal_worker_opts){ 0 });
	sscanf(result_of(START(try, .what = "pid", .how = ""), &try), "%d %d", &pid, &helper);
	kill(helper, SIGKILL);
	assert_gone(pid); /* its children go with it */
	assert_result(START(try, .what = "result", .how = ""), &try, "done: \xC3\xBC \"quoted\"");
	assert_gone(helper); /* not even a zombie is left */
}

/* As many as were idle may die with it, more than an attempt may meet dead ones. */
static void idle_processes_may_die(void **state)
{
	int pids[5] = { 0 }, pid = 0, helper = 0;

	start_isolated((struct temporal_worker_opts){ 0 });
	sscanf(result_of(START(try, .what = "pid", .how = ""), &try), "%d %d", &pid, &helper);
	assert_int_equal(
		sscanf(result_of(START(many, .n = 5, .at_once = true, .sleep_ms = 500), &many),
			"%d %d %d %d %d", &pids[0], &pids[1], &pids[2], &pids[3], &pids[4]),
		5);
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < i; j++)
			assert_int_not_equal(pids[i], pids[j]);
	}
	kill(helper, SIGKILL);
	for (int i = 0; i < 5; i++)
		assert_gone(pids[i]);
	assert_result(START(try, .what = "result", .how = "failure"), &try, "no failure");
}

/* A process that is not listened to any more does not live on. */
static void nonsense_is_not_listened_to(void **state)
{
	start_isolated((struct temporal_worker_opts){ 0 });
	assert_result(START(try, .what = "nonsense", .how = "failure"), &try,
		"INTERNAL: the activity's process talks nonsense");
	assert_gone(noted_pid());
	assert_result(START(try, .what = "result", .how = "failure"), &try, "no failure");
}

static int open_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(all);
	while (readdir(all))
		n++;
	closedir(all);
	return n;
}

static void nothing_is_left_behind(void **state)
{
	int before = open_descriptors(), pid = 0, helper = 0;

	start_isolated((struct temporal_worker_opts){ 0 });
	result_of(START(many, .n = 5, .at_once = true), &many);
	result_of(START(try, .what = "segv", .how = "failure"), &try);
	sscanf(result_of(START(try, .what = "pid", .how = ""), &try), "%d %d", &pid, &helper);
	stop_worker();
	assert_gone(pid);
	assert_gone(helper);
	assert_int_equal(open_descriptors(), before);
}

/* The program once more, as a worker of the same queue, until it is killed. */
static int be_worker(const char *address, const char *queue)
{
	connect_client(address);
	snprintf(fixture.queue, sizeof(fixture.queue), "%s", queue);
	start_isolated((struct temporal_worker_opts){ 0 });
	while (pause() != 0)
		continue;
	return 0;
}

static void processes_end_with_their_worker(void **state)
{
	char program[] = "/proc/self/exe", flag[] = "--worker", address[64];
	char *argv[] = { program, flag, address, fixture.queue, NULL };
	pid_t worker;
	int status;

	snprintf(address, sizeof(address), "%s", test_server_shared());
	assert_int_equal(posix_spawn(&worker, program, NULL, NULL, argv, environ), 0);
	struct temporal_run *run = START(try, .what = "hang", .how = "");
	pid_t pid = noted_pid();

	assert_int_equal(kill(pid, 0), 0);
	kill(worker, SIGKILL);
	waitpid(worker, &status, 0);
	assert_gone(pid);
	temporal_run_unref(run);
}

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	if (argc == 4 && strcmp(argv[1], "--worker") == 0)
		return be_worker(argv[2], argv[3]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_contract_is_kept, begin_test, forget),
		cmocka_unit_test_setup_teardown(
			a_heartbeat_survives_the_process, begin_test, forget),
		cmocka_unit_test_setup_teardown(somebody_else_completes_it, begin_test, forget),
		cmocka_unit_test_setup_teardown(what_is_large_passes, begin_test, forget),
		cmocka_unit_test_setup_teardown(
			each_death_is_a_failure_with_a_name, begin_test, forget),
		cmocka_unit_test_setup_teardown(a_crash_has_its_stack, begin_test, forget),
		cmocka_unit_test_setup_teardown(a_hang_is_killed, begin_test, forget),
		cmocka_unit_test_setup_teardown(
			a_hang_after_cancellation_is_killed, begin_test, forget),
		cmocka_unit_test_setup_teardown(a_shutdown_ends_what_hangs, begin_test, forget),
		cmocka_unit_test_setup_teardown(processes_are_used_again, begin_test, forget),
		cmocka_unit_test_setup_teardown(memory_has_a_limit, begin_test, forget),
		cmocka_unit_test_setup_teardown(a_definition_may_ask_for_it, begin_test, forget),
		cmocka_unit_test_setup_teardown(the_helper_may_die, begin_test, forget),
		cmocka_unit_test_setup_teardown(idle_processes_may_die, begin_test, forget),
		cmocka_unit_test_setup_teardown(nonsense_is_not_listened_to, begin_test, forget),
		cmocka_unit_test_setup_teardown(nothing_is_left_behind, begin_test, forget),
		cmocka_unit_test_setup_teardown(
			processes_end_with_their_worker, begin_test, forget),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
