/*
 * Forks of a program whose clients and worker are at work. Goal: a child may use the clients that
 * it has from its parent, make others, and workers of its own; or leave at once, or execute another
 * program; in none of these cases does the parent lose a result or get one twice, has the child a
 * descriptor of the parent's connections, or hangs. Method: threads that start workflows, threads
 * that fork meanwhile, children that do one of these things and tell by their status.
 */
#include "worker_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/sanitize.h"

#define FORKERS  3
#define FORKS    6 /* of each */
#define STARTERS 2
#define FDS_MAX  1024

struct add_in {
	int a, b;
};
typedef int add_out;
TEMPORAL_ACTIVITY_CONTRACT(add, "add", a, b);
struct sum_in {
	int a, b;
};
typedef int sum_out;
TEMPORAL_WORKFLOW_CONTRACT(sum, "Sum", a, b);

static atomic_int added, again;

static const struct temporal_failure *add_run(
	struct act *act, const struct add_in *in, add_out *out)
{
	atomic_fetch_add(&added, 1);
	if (act_info(act)->attempt > 1)
		atomic_fetch_add(&again, 1);
	*out = in->a + in->b;
	return NULL;
}
TEMPORAL_ACTIVITY(add);

static sum_out sum_run(struct wf *wf, const struct sum_in *in)
{
	return wf_activity(
		wf, add, WF_ACTIVITY_OPTS(.start_to_close_ms = 20000), .a = in->a, .b = in->b);
}
TEMPORAL_WORKFLOW(sum);

/* ---- what both sides do ---- */

static bool sums(struct temporal_client *client, const char *queue, int a, int b)
{
	struct temporal_start_opts opts = { .task_queue = queue, .execution_timeout_ms = 60000 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = temporal_start(client, sum, &opts, &err, .a = a, .b = b);
	int out = 0;
	bool right =
		run && temporal_result(run, sum, &out, NULL, &err) == TEMPORAL_OK && out == a + b;

	if (!right)
		print_message("%d instead of %d + %d: %s\n", out, a, b, err.message);
	temporal_run_unref(run);
	return right;
}

/* ---- descriptors ---- */

static bool ours[FDS_MAX]; /* that the program was started with */

static void note_descriptors(void)
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		ours[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* A connection or a socket pair that came with the fork. */
static bool has_a_socket(void)
{
	char path[32], target[32] = "";

	for (int fd = 0; fd < FDS_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (!ours[fd] && readlink(path, target, sizeof(target) - 1) > 0 &&
			strncmp(target, "socket:", 7) == 0)
			return true;
	}
	return false;
}

/* In the executed program: nothing but what its grandparent was started with. */
static int check_descriptors(const char *known)
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 && known[fd] != '1')
			return 1;
	}
	return 0;
}

static void execute(void)
{
	char program[] = "/proc/self/exe", flag[] = "--descriptors", known[FDS_MAX + 1] = "";
	char *argv[] = { program, flag, known, NULL };

	for (int fd = 0; fd < FDS_MAX; fd++)
		known[fd] = ours[fd] ? '1' : '0';
	execv(program, argv);
	_exit(9);
}

/* ---- children ---- */

static bool uses_a_new_client(int number)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = test_server_shared());
	bool right = client && sums(client, fixture.queue, number, 3);

	temporal_client_unref(client);
	return right;
}

/* What it has of the parent's worker is of no use, and does no harm. */
static bool lets_go_of_the_worker(void)
{
	struct temporal_error err;
	bool refused = temporal_worker_wait(fixture.worker, &err) == TEMPORAL_FAILED_PRECONDITION;

	temporal_worker_shutdown(fixture.worker);
	temporal_worker_unref(fixture.worker);
	return refused;
}

static void be_a_child(int number)
{
	alarm(30); /* one that hangs dies by it */
	if (has_a_socket())
		_exit(2);
	switch (number % 4) {
	case 0:
		if (!sums(fixture.client, fixture.queue, number, 1) || !lets_go_of_the_worker())
			_exit(3);
		temporal_client_unref(fixture.client);
		_exit(0);
	case 1:
		_exit(uses_a_new_client(number) ? 0 : 4);
	case 2:
		_exit(0);
	default:
		execute();
	}
}

/* ---- the load ---- */

static atomic_bool forks_are_over, wrong;
static atomic_int expected;

static void *start_all(void *arg)
{
	for (int i = 0; !forks_are_over; i++) {
		if (!sums(fixture.client, fixture.queue, i, (int)(intptr_t)arg))
			wrong = true;
		atomic_fetch_add(&expected, 1);
	}
	return NULL;
}

static void *fork_all(void *arg)
{
	int status = -1;

	for (int i = 0; i < FORKS; i++) {
		int number = (int)(intptr_t)arg * FORKS + i;
		pid_t child = fork();

		if (child == 0)
			be_a_child(number);
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
			print_message("child %d: status %x\n", number, status);
			wrong = true;
		}
		atomic_fetch_add(&expected, number % 4 < 2);
	}
	return NULL;
}

static void start_adding(void)
{
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&sum_workflow), .activities = ACTIVITIES(&add_activity) });
}

static void forks_under_load_disturb_nobody(void **state)
{
	pthread_t forkers[FORKERS], starters[STARTERS];

#if defined(SANITIZE_THREAD) || defined(SANITIZE_ADDRESS)
	skip(); /* their runtimes hang in a child that was forked amid an allocation */
#endif
	added = again = expected = 0;
	forks_are_over = wrong = false;
	start_adding();
	for (intptr_t i = 0; i < STARTERS; i++)
		pthread_create(&starters[i], NULL, start_all, (void *)i);
	for (intptr_t i = 0; i < FORKERS; i++)
		pthread_create(&forkers[i], NULL, fork_all, (void *)i);
	for (int i = 0; i < FORKERS; i++)
		pthread_join(forkers[i], NULL);
	forks_are_over = true;
	for (int i = 0; i < STARTERS; i++)
		pthread_join(starters[i], NULL);
	stop_worker();
	assert_false(wrong);
	assert_int_equal(added, expected);
	assert_int_equal(again, 0);
}

/* ---- one fork ---- */

static void wait_for(pid_t child)
{
	int status = -1;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* With a client that the parent has connected, and called nothing with since. */
static void a_child_may_have_a_worker(void **state)
{
#ifdef SANITIZE_THREAD
	skip(); /* its runtime starts no threads in a forked child */
#endif
	pid_t child = fork();

	if (child == 0) {
		alarm(30);
		start_adding();
		bool right = sums(fixture.client, fixture.queue, 1, 2);

		stop_worker();
		_exit(right ? 0 : 5);
	}
	wait_for(child);
}

/* Headers that are set in the child are no affair of a channel that the parent's worker has. */
static void a_child_may_set_headers(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

#ifdef SANITIZE_THREAD
	skip();
#endif
	start_adding();
	struct temporal_client *other =
		temporal_client_connect(&err, .target = test_server_shared());

	assert_non_null(other);
	assert_int_equal(temporal_worker_set_client(fixture.worker, other, &err), TEMPORAL_OK);
	assert_true(sums(other, fixture.queue, 1, 2));
	pid_t child = fork();

	if (child == 0) {
		alarm(30);
		_exit(temporal_client_set_header(other, "x", "y", &err) == TEMPORAL_OK &&
					sums(other, fixture.queue, 3, 4)
				? 0
				: 6);
	}
	wait_for(child);
	assert_true(sums(other, fixture.queue, 5, 6));
	stop_worker();
	temporal_client_unref(other);
}

static void *run_worker(void *arg)
{
	struct temporal_error err;

	return temporal_worker_run(fixture.worker, &err) == TEMPORAL_OK ? NULL : arg;
}

/* It dies by a signal as if there were no worker, which goes on. */
static void a_signal_to_a_child_is_not_the_parents(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	pthread_t thread;
	void *failed;
	int status = -1;

	fixture.worker = temporal_worker_new(fixture.client, &err, .task_queue = fixture.queue,
		.workflows = WORKFLOWS(&sum_workflow), .activities = ACTIVITIES(&add_activity),
		.shutdown_on_signals = true);
	assert_non_null(fixture.worker);
	pthread_create(&thread, NULL, run_worker, &status);
	assert_true(sums(fixture.client, fixture.queue, 1, 2));
	pid_t child = fork();

	if (child == 0) {
		alarm(10);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_true(sums(fixture.client, fixture.queue, 3, 4));
	kill(getpid(), SIGTERM);
	pthread_join(thread, &failed);
	assert_null(failed);
	temporal_worker_unref(fixture.worker);
	fixture.worker = NULL;
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin_test, end_test)

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--descriptors") == 0)
		return check_descriptors(argv[2]);
	note_descriptors();
	const struct CMUnitTest tests[] = {
		TEST(a_child_may_have_a_worker),
		TEST(forks_under_load_disturb_nobody),
		TEST(a_child_may_set_headers),
		TEST(a_signal_to_a_child_is_not_the_parents),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
