/*
 * Goal: with the crash handlers, the end of a process says which workflow or activity has caused
 * it, where, and what was there before still gets the signal. Method: this program executes itself
 * as a worker whose code crashes in one way or the other; what it has written is read.
 */
#include "worker_fixture.h"

#include <signal.h>
#include <stdlib.h>

#include "base/sanitize.h"
#include "lib/process.h"

struct crash_in {
	const char *how;
};
typedef const char *crash_out;
TEMPORAL_WORKFLOW_CONTRACT(crash, "Crash", how);

struct fall_in {
	const char *how;
};
typedef const char *fall_out;
TEMPORAL_ACTIVITY_CONTRACT(fall, "fall", how);

static int deeper(volatile char *above, int more)
{
	volatile char frame[1024];

	frame[0] = (char)(above[0] + 1);
	return (more > 0 ? deeper(frame, more - 1) : 0) + frame[0];
}

static int go_wrong(const char *how)
{
	volatile char first[1] = { 0 };

	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "overflow") == 0)
		return deeper(first, 1000000);
	*(volatile int *)0xBAD0 = 1; /* NOLINT: on purpose */
	return 0;
}

static const struct temporal_failure *fall_run(
	struct act *act, const struct fall_in *in, fall_out *out)
{
	*out = act_printf(act, "%d", go_wrong(in->how));
	return NULL;
}
TEMPORAL_ACTIVITY(fall);

static crash_out crash_run(struct wf *wf, const struct crash_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = 10000 };

	if (strncmp(in->how, "act-", 4) == 0)
		return wf_activity(wf, fall, &opts, .how = in->how + 4);
	return wf_printf(wf, "%d", go_wrong(in->how));
}
TEMPORAL_WORKFLOW(crash);

/* ---- the program that crashes ---- */

static void on_crash(const struct temporal_crash *what, void *user)
{
	static const char hello[] = "told: ";
	const char *name = *what->activity_type ? what->activity_type : what->workflow_type;

	(void)!write(STDERR_FILENO, hello, sizeof(hello) - 1);
	(void)!write(STDERR_FILENO, name, strlen(name));
	(void)!write(STDERR_FILENO, "\n", 1);
}

static void was_before(int number)
{
	static const char text[] = "the old handler\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(number == SIGSEGV ? 3 : 4);
}

static int be_worker(const char *address, const char *queue, bool old_handler)
{
	struct sigaction action = { .sa_handler = was_before, .sa_flags = SA_ONSTACK };
	struct temporal_error err;

	sigemptyset(&action.sa_mask);
	if (old_handler)
		sigaction(SIGSEGV, &action, NULL);
	if (temporal_crash_handlers_install(on_crash, NULL, &err) != TEMPORAL_OK)
		return 99;
	connect_client(address);
	snprintf(fixture.queue, sizeof(fixture.queue), "%s", queue);
	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&crash_workflow),
		.activities = ACTIVITIES(&fall_activity) });
	while (pause() != 0)
		continue;
	return 0;
}

/* ---- the tests ---- */

static int crash_worker(const char *how, const char *old_handler, char *said, size_t size)
{
	struct test_process process = { 0 };
	const char *const argv[] = { "/proc/self/exe", "--worker", test_server_shared(),
		fixture.queue, old_handler, NULL };
	struct temporal_error err;

	test_process_spawn(&process, argv);
	struct temporal_run *run = START(crash, .how = how);
	int status = test_process_wait(&process, 10000);
	FILE *file = fopen(process.output, "r");
	size_t len = file ? fread(said, 1, size - 1, file) : 0;

	if (file)
		fclose(file);
	said[len] = '\0';
	print_message("%s", said);
	assert_int_equal(
		temporal_run_terminate(run, &err, .reason = "its worker has crashed"), TEMPORAL_OK);
	temporal_run_unref(run);
	return status;
}

static void a_workflow_is_named(void **state)
{
	char said[16384];
	int status = crash_worker("segv", "no", said, sizeof(said));

	/* A sanitizer's own handler has the last word. */
#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD)
	assert_int_equal(status, 128 + SIGSEGV);
#else
	assert_int_not_equal(status, 0);
#endif
	assert_non_null(
		strstr(said, "temporal: SIGSEGV at address 0xbad0 in workflow 'Crash' (id '"));
	assert_non_null(strstr(said, "'), coroutine 'run'\n  at "));
	assert_non_null(strstr(said, "told: Crash\n"));
}

static void an_overflow_is_told_as_such(void **state)
{
	char said[16384];

	assert_int_not_equal(crash_worker("overflow", "no", said, sizeof(said)), 0);
	assert_non_null(strstr(said, "temporal: SIGSEGV at address 0x"));
	assert_non_null(strstr(said, ", the stack has overflowed, in workflow 'Crash'"));
	assert_non_null(strstr(said, "told: Crash\n"));
}

static void an_activity_is_named(void **state)
{
	char said[16384];

	assert_int_not_equal(crash_worker("act-segv", "no", said, sizeof(said)), 0);
	assert_non_null(
		strstr(said, "temporal: SIGSEGV at address 0xbad0 in activity 'fall' (id "));
	assert_non_null(strstr(said, "of workflow 'Crash' (id '"));
	assert_non_null(strstr(said, "told: fall\n"));
	assert_int_not_equal(crash_worker("act-overflow", "no", said, sizeof(said)), 0);
	assert_non_null(strstr(said, ", the stack has overflowed, in activity 'fall'"));
	assert_int_equal(crash_worker("act-abort", "no", said, sizeof(said)), 128 + SIGABRT);
	assert_non_null(strstr(said, "temporal: SIGABRT in activity 'fall'"));
}

static void the_old_handler_has_its_turn(void **state)
{
	char said[16384];

	assert_int_equal(crash_worker("segv", "old", said, sizeof(said)), 3);
	assert_non_null(strstr(said, "told: Crash\nthe old handler\n"));
}

/* Nothing of ours runs there: nothing is said. */
static void other_threads_are_not_ours(void **state)
{
	struct test_process process = { 0 };
	const char *const argv[] = { "/proc/self/exe", "--alone", NULL };
	char said[1024];

	test_process_spawn(&process, argv);
	assert_int_not_equal(test_process_wait(&process, 10000), 0);
	FILE *file = fopen(process.output, "r");

	assert_non_null(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	assert_null(strstr(said, "temporal:"));
	assert_null(strstr(said, "told:"));
}

static int crash_alone(void)
{
	struct temporal_error err;

	if (temporal_crash_handlers_install(on_crash, NULL, &err) != TEMPORAL_OK)
		return 0;
	if (temporal_crash_handlers_install(on_crash, NULL, &err) != TEMPORAL_FAILED_PRECONDITION)
		return 0;
	return go_wrong("segv");
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--worker") == 0)
		return be_worker(argv[2], argv[3], strcmp(argv[4], "old") == 0);
	if (argc == 2 && strcmp(argv[1], "--alone") == 0)
		return crash_alone();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_workflow_is_named, begin_test, end_test),
		cmocka_unit_test_setup_teardown(an_overflow_is_told_as_such, begin_test, end_test),
		cmocka_unit_test_setup_teardown(an_activity_is_named, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_old_handler_has_its_turn, begin_test, end_test),
		cmocka_unit_test_setup_teardown(other_threads_are_not_ours, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
