/*
 * A program that may open no more descriptors, or start no more threads. Goal: connecting says so,
 * naming what is out; a worker that runs goes on with what it has; tasks that need a thread or a
 * descriptor come again, and are done when there is one, each with its result. Method: the limit of
 * the process is set to what it has open, and pthread_create is this program's own.
 */
#include "worker_fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- threads ---- */

static atomic_int threads_left = -1; /* that may be started; negative: all */

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	union {
		void *symbol;
		create_fn *call;
	} next = { dlsym(RTLD_NEXT, "pthread_create") };

	if (atomic_load(&threads_left) == 0)
		return EAGAIN;
	if (atomic_load(&threads_left) > 0)
		atomic_fetch_sub(&threads_left, 1);
	return next.call(thread, attributes, run, arg);
}

/* ---- descriptors ---- */

static struct rlimit usual;

/* Not one more. */
static void close_the_door(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
	struct rlimit tight = usual;

	assert_true(fd >= 0); /* the lowest that is free: all below are in use */
	close(fd);
	tight.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
}

static void open_the_door(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

/* ---- the work ---- */

struct twice_in {
	int number;
};
typedef int twice_out;
TEMPORAL_ACTIVITY_CONTRACT(twice, "twice", number);
typedef int apart_out;
struct apart_in {
	int number;
};
TEMPORAL_ACTIVITY_CONTRACT(apart, "apart", number);

struct both_in {
	int number;
	bool isolated;
};
typedef int both_out;
TEMPORAL_WORKFLOW_CONTRACT(both, "Both", number, isolated);

static const struct temporal_failure *twice_run(
	struct act *act, const struct twice_in *in, twice_out *out)
{
	*out = 2 * in->number;
	return NULL;
}
TEMPORAL_ACTIVITY(twice);

static const struct temporal_failure *apart_run(
	struct act *act, const struct apart_in *in, apart_out *out)
{
	*out = 3 * in->number;
	return NULL;
}
TEMPORAL_ISOLATED_ACTIVITY(apart);

static both_out both_run(struct wf *wf, const struct both_in *in)
{
	static const struct temporal_retry_policy soon = { .initial_interval_ms = 50,
		.backoff_coefficient = 1 };
	const struct wf_activity_opts opts = { .start_to_close_ms = 3000, .retry = &soon };

	if (in->isolated)
		return wf_activity(wf, apart, &opts, .number = in->number);
	return wf_activity(wf, twice, &opts, .number = in->number);
}
TEMPORAL_WORKFLOW(both);

static void start_both(void)
{
	start_worker((struct temporal_worker_opts){ .workflows = WORKFLOWS(&both_workflow),
		.activities = ACTIVITIES(&twice_activity, &apart_activity) });
	wait_for_events(TEMPORAL_EVENT_WORKER_STARTED, 1);
}

static struct temporal_run *start(int number, bool isolated)
{
	struct temporal_start_opts opts = {
		.task_queue = fixture.queue, .execution_timeout_ms = 60000, .task_timeout_ms = 1000
	};
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = temporal_start(
		fixture.client, both, &opts, &err, .number = number, .isolated = isolated);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

static void gives(struct temporal_run *run, int expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int out = 0;

	if (temporal_result(run, both, &out, NULL, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(out, expected);
	temporal_run_unref(run);
}

static void does_not_connect(const char *why)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = test_server_shared());

	if (client || !strstr(err.message, why))
		print_message("%s\n", err.message);
	assert_null(client);
	assert_non_null(strstr(err.message, why));
}

/* ---- the tests ---- */

/* One after the other is given back, so that it is another step of the connect that fails. */
static void connecting_without_descriptors_says_so(void **state)
{
	struct temporal_client *client = NULL;
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct rlimit now;
	int tries = 0;

	close_the_door();
	does_not_connect("oo many open files");
	for (; !client && tries < 30; tries++) {
		client = temporal_client_connect(&err, .target = test_server_shared());
		if (!client)
			assert_non_null(strstr(err.message, "oo many open files"));
		getrlimit(RLIMIT_NOFILE, &now);
		now.rlim_cur++;
		setrlimit(RLIMIT_NOFILE, &now);
	}
	open_the_door();
	assert_non_null(client);
	assert_true(tries > 2);
	temporal_client_unref(client);
}

static void a_worker_needs_no_more_descriptors(void **state)
{
	start_both();
	close_the_door();
	for (int i = 0; i < 5; i++)
		gives(start(i, false), 2 * i);
	struct temporal_run *run = start(7, true);

	wait_for_events(TEMPORAL_EVENT_ACTIVITY_FAILED, 1);
	assert_non_null(
		strstr(fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "Too many open files"));
	open_the_door();
	gives(run, 21);
}

static void connecting_without_threads_says_so(void **state)
{
	threads_left = 0;
	does_not_connect("Resource temporarily unavailable");
	threads_left = -1;
}

/* First none for the workflow, then none for its activity. */
static void tasks_wait_for_threads(void **state)
{
	start_both();
	threads_left = 0;
	struct temporal_run *run = start(4, false);

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED, 1);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	threads_left = 1;
	wait_for_events(TEMPORAL_EVENT_ACTIVITY_FAILED, 1);
	assert_non_null(strstr(fixture.last_text[TEMPORAL_EVENT_ACTIVITY_FAILED], "no thread"));
	threads_left = -1;
	gives(run, 8);
}

static int begin(void **state)
{
	getrlimit(RLIMIT_NOFILE, &usual);
	return begin_test(state);
}

static int finish(void **state)
{
	threads_left = -1;
	open_the_door();
	return end_test(state);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, finish)

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	const struct CMUnitTest tests[] = {
		TEST(connecting_without_descriptors_says_so),
		TEST(a_worker_needs_no_more_descriptors),
		TEST(connecting_without_threads_says_so),
		TEST(tasks_wait_for_threads),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
