/*
 * Goal: workflow code that computes without end fails its task, says where it is, and holds up
 * nobody else; when it has come back, the run goes on. Method: a workflow that spins until the test
 * lets it go, and others on the same threads that wait for a signal meanwhile.
 */
#include "worker_fixture.h"

#include <dirent.h>
#include <stdatomic.h>

#include "base/sanitize.h"

#define OTHERS 8

struct spin_in {
	int64_t sleep_ms; /* spins without, once */
};
typedef const char *spin_out;
TEMPORAL_WORKFLOW_CONTRACT(spin, "Spin", sleep_ms);

struct wait_in {
	int64_t number;
};
typedef int64_t wait_out;
TEMPORAL_WORKFLOW_CONTRACT(wait, "Wait", number);

struct wait_go_on_in {
	int64_t unused;
};
TEMPORAL_SIGNAL_CONTRACT(wait_go_on, "go_on", unused);

static atomic_int spins, entered; /* it is to spin; how often it was entered */

static void sleep_ms(int64_t ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static spin_out spin_run(struct wf *wf, const struct spin_in *in)
{
	atomic_fetch_add(&entered, 1);
	if (in->sleep_ms)
		sleep_ms(in->sleep_ms); /* NOLINT: what workflow code must not do */
	while (atomic_load(&spins))
		continue;
	wf_sleep(wf, 10);
	return "came back";
}
TEMPORAL_WORKFLOW(spin);

struct wait {
	bool over;
};

static void wait_go_on_run(struct wf *wf, struct wait *self, const struct wait_go_on_in *in)
{
	self->over = true;
}
TEMPORAL_SIGNAL(wait, go_on);

static bool is_over(const void *state)
{
	return ((const struct wait *)state)->over;
}

static wait_out wait_run(struct wf *wf, struct wait *self, const struct wait_in *in)
{
	wf_wait(wf, wf_until(wf, is_over, self));
	wf_sleep(wf, 10);
	return in->number;
}
static const struct temporal_handler *const wait_handlers[] = { &wait_go_on_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(wait, wait_handlers);

static void start_detecting(int64_t timeout_ms)
{
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&spin_workflow, &wait_workflow),
		.deadlock_timeout_ms = timeout_ms });
}

static void assert_number(struct temporal_run *run, int64_t number)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t result = -1;

	if (temporal_result_(run, &wait, &result, NULL, 0, NULL, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	assert_int_equal(result, number);
	temporal_run_unref(run);
}

static void others_go_on(void **state)
{
	struct temporal_run *others[OTHERS];
	struct temporal_error err;

	start_detecting(100);
	for (int i = 0; i < OTHERS; i++)
		others[i] = START(wait, .number = i);
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, OTHERS);
	atomic_store(&spins, 1);
	struct temporal_run *run = START(spin, .sleep_ms = 0);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	assert_string_equal(fixture.last_text[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED],
		"[TMPRL1101] Potential deadlock detected: workflow didn't yield within 0.1 "
		"second(s).");
	/* It still spins, and half of the others were on its thread. */
	for (int i = 0; i < OTHERS; i++)
		assert_int_equal(
			temporal_signal(others[i], wait_go_on, &err, .unused = 0), TEMPORAL_OK);
	for (int i = 0; i < OTHERS; i++)
		assert_number(others[i], i);
	assert_int_equal(atomic_load(&entered), 1);
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED), 1);
	atomic_store(&spins, 0);
	assert_result(run, &spin, "came back");
	assert_int_equal(atomic_load(&entered), 2);
}

/* The log names the workflow and where its code is. */
static void its_stack_is_told(void **state)
{
	start_detecting(100);
	atomic_store(&spins, 1);
	struct temporal_run *run = START(spin, .sleep_ms = 0);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	atomic_store(&spins, 0);
	assert_result(run, &spin, "came back");
	pthread_mutex_lock(&fixture.lock);
	assert_non_null(strstr(fixture.last_log, "(Spin, run "));
	assert_non_null(strstr(fixture.last_log, "[TMPRL1101]"));
#ifndef SANITIZE_THREAD /* which delivers signals when it likes to */
	assert_non_null(strstr(fixture.last_log, "\n  at "));
	assert_non_null(strstr(fixture.last_log, "scenario_worker_deadlock+0x"));
#endif
	pthread_mutex_unlock(&fixture.lock);
}

static bool is_workflow_thread(const char *id)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/comm", id);
	file = fopen(path, "r");
	if (!file)
		return false; /* it has just ended */
	bool read = fgets(name, sizeof(name), file) != NULL;

	fclose(file);
	return read && strcmp(name, "temporal-wf\n") == 0;
}

static int workflow_threads(void)
{
	DIR *all = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(all);
	for (struct dirent *each = readdir(all); each; each = readdir(all))
		n += is_workflow_thread(each->d_name);
	closedir(all);
	return n;
}

/* Each of several threads is replaced when its turn comes, and ends when its code has come back. */
static void several_may_be_stuck(void **state)
{
	struct temporal_run *runs[4];

	start_detecting(100);
	atomic_store(&spins, 1);
	for (int i = 0; i < 4; i++) {
		runs[i] = START(spin, .sleep_ms = 0);
		wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, i + 1);
	}
	assert_true(workflow_threads() >= 4);
	atomic_store(&spins, 0);
	for (int i = 0; i < 4; i++)
		assert_result(runs[i], &spin, "came back");
	test_wait_until(workflow_threads() <= 2);
}

/* A worker that is asked to stop waits for code that does not, but for nothing else. */
static void a_shutdown_waits_for_it(void **state)
{
	start_detecting(100);
	struct temporal_run *other = START(wait, .number = 1);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, 1);
	atomic_store(&spins, 1);
	struct temporal_run *run = START(spin, .sleep_ms = 0);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, 1);
	temporal_worker_shutdown(fixture.worker);
	sleep_ms(200);
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKER_STOPPED), 0);
	atomic_store(&spins, 0);
	stop_worker();
	start_detecting(100);
	assert_result(run, &spin, "came back");
	temporal_run_unref(other);
}

static void sleep_is_no_cpu_time(void **state)
{
	start_detecting(100);
	assert_result(START(spin, .sleep_ms = 500), &spin, "came back");
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED), 0);
}

static void it_may_be_off(void **state)
{
	start_detecting(TEMPORAL_OFF);
	atomic_store(&spins, 1);
	struct temporal_run *run = START(spin, .sleep_ms = 0);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, 1);
	sleep_ms(400);
	atomic_store(&spins, 0);
	assert_result(run, &spin, "came back");
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKFLOW_TASK_FAILED), 0);
}

static int begin(void **state)
{
	atomic_store(&entered, 0);
	return begin_test(state);
}

static int end(void **state)
{
	atomic_store(&spins, 0);
	return end_test(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(others_go_on, begin, end),
		cmocka_unit_test_setup_teardown(its_stack_is_told, begin, end),
		cmocka_unit_test_setup_teardown(several_may_be_stuck, begin, end),
		cmocka_unit_test_setup_teardown(a_shutdown_waits_for_it, begin, end),
		cmocka_unit_test_setup_teardown(sleep_is_no_cpu_time, begin, end),
		cmocka_unit_test_setup_teardown(it_may_be_off, begin, end),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
