/*
 * Several workers in a process, on one client and on two, and their ends. Goal: each gets its own
 * queue's tasks, those of one queue share them and run each once, one's shutdown leaves the others,
 * a refusal is told before the shutdown that follows, a new client takes over from the old one.
 *
 * Method: activities that say which worker has run them.
 */
#include <malloc.h>
#include <stdatomic.h>

#include "worker_fixture.h"

#define WORKERS 2

struct who_in {
	int n;
};
typedef const char *who_out;
TEMPORAL_ACTIVITY_CONTRACT(who, "who", n);
struct ask_in {
	int n;
};
typedef const char *ask_out;
TEMPORAL_WORKFLOW_CONTRACT(ask, "Ask", n);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int runs[256]; /* of each activity */

static const struct temporal_failure *who_run(
	struct act *act, const struct who_in *in, who_out *out)
{
	pthread_mutex_lock(&lock);
	runs[in->n]++;
	pthread_mutex_unlock(&lock);
	*out = act_printf(act, "%s", act_info(act)->task_queue);
	return NULL;
}
TEMPORAL_ACTIVITY(who);

static ask_out ask_run(struct wf *wf, const struct ask_in *in)
{
	return wf_activity(
		wf, who, WF_ACTIVITY_OPTS(.start_to_close_ms = 1000, .no_eager = true), .n = in->n);
}
TEMPORAL_WORKFLOW(ask);

static struct temporal_worker *worker_on(struct temporal_client *client, const char *queue)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = queue,
		.workflows = WORKFLOWS(&ask_workflow), .activities = ACTIVITIES(&who_activity),
		.on_log = on_log, .skip_overlap_check = true);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	return worker;
}

static struct temporal_run *ask_on(struct temporal_client *client, const char *queue, int n)
{
	/* The real server may give a task to a poll that was just cancelled: it comes again. */
	struct temporal_start_opts opts = {
		.task_queue = queue, .execution_timeout_ms = 60000, .task_timeout_ms = 1000
	};
	struct temporal_error err;
	struct temporal_run *run = temporal_start(client, ask, &opts, &err, .n = n);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

static void end(struct temporal_worker *worker)
{
	struct temporal_error err;

	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
}

/* Half of the workers on one queue, the others each on its own; one after the other ends. */
static void workers_share_a_client(void **state)
{
	struct temporal_worker *same[WORKERS], *apart[WORKERS];
	char queues[WORKERS][sizeof(fixture.queue) + 16];
	struct temporal_run *asked[32];

	for (int i = 0; i < WORKERS; i++) {
		snprintf(queues[i], sizeof(queues[i]), "%s-%d", fixture.queue, i);
		same[i] = worker_on(fixture.client, fixture.queue);
		apart[i] = worker_on(fixture.client, queues[i]);
	}
	for (int i = 0; i < WORKERS; i++) {
		memset(runs, 0, sizeof(runs));
		for (int n = 0; n < 32; n++)
			asked[n] = ask_on(fixture.client,
				n % 2 ? fixture.queue : queues[i + n / 2 % (WORKERS - i)], n);
		for (int n = 0; n < 32; n++)
			assert_result(asked[n], &ask,
				n % 2 ? fixture.queue : queues[i + n / 2 % (WORKERS - i)]);
		for (int n = 0; n < 32; n++)
			assert_int_equal(runs[n], 1);
		end(same[i]);
		end(apart[i]);
	}
}

/* Namespaces are clients: a worker of the one sees nothing of the other. */
static void workers_of_two_clients(void **state)
{
	struct temporal_error err;
	struct temporal_client *other =
		temporal_client_connect(&err, .target = test_server_shared());

	assert_non_null(other);
	struct temporal_worker *first = worker_on(fixture.client, fixture.queue),
			       *second = worker_on(other, fixture.queue);

	temporal_client_unref(other); /* its worker holds it */
	assert_result(ask_on(fixture.client, fixture.queue, 1), &ask, fixture.queue);
	end(first);
	assert_result(ask_on(fixture.client, fixture.queue, 2), &ask, fixture.queue);
	end(second);
}

static void a_live_worker_gets_another_client(void **state)
{
	struct temporal_error err;
	struct temporal_client *old = temporal_client_connect(&err, .target = test_server_shared()),
			       *new = temporal_client_connect(&err, .target = test_server_shared());

	assert_non_null(old);
	assert_non_null(new);
	struct temporal_worker *worker = worker_on(old, fixture.queue);

	temporal_client_unref(old);
	for (int i = 0; i < 3; i++) {
		assert_result(ask_on(fixture.client, fixture.queue, i), &ask, fixture.queue);
		assert_int_equal(
			temporal_worker_set_client(worker, i % 2 ? fixture.client : new, &err),
			TEMPORAL_OK);
	}
	temporal_client_unref(new);
	assert_result(ask_on(fixture.client, fixture.queue, 3), &ask, fixture.queue);
	end(worker);
}

#define REPLACEMENTS 100
#define WARM         20
#define UNDER_WAY    8
#define ASKED        (REPLACEMENTS / 2 + UNDER_WAY)
#define MEMORY_SLACK (512 << 10) /* a client that is left takes 20 KiB and more */
#define POLLS        4 /* workflows, on two queues, activities; one at least holds a client */

static int open_sockets(void)
{
	char path[64], target[64];
	int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t len = readlink(path, target, sizeof(target) - 1);

		n += len > 7 && !strncmp(target, "socket:", 7);
	}
	return n;
}

/* Clients end on threads of their own. */
static int sockets_at_most(int max)
{
	int n;

	test_wait_until((n = open_sockets()) <= max);
	return n;
}

static void replace_client(struct temporal_worker *worker)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = test_server_shared());

	assert_non_null(client);
	assert_int_equal(temporal_worker_set_client(worker, client, &err), TEMPORAL_OK);
	temporal_client_unref(client);
}

/* While work goes on: none is lost, and a client goes when its last poll has ended, of which there
 * are no more than before. */
static void clients_come_and_go_under_load(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *home =
		temporal_client_connect(&err, .target = test_server_shared());
	struct temporal_run *asked[ASKED];
	size_t memory = 0, memory_then;

	assert_non_null(home);
	struct temporal_worker *worker = temporal_worker_new(home, &err,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&ask_workflow),
		.activities = ACTIVITIES(&who_activity), .on_log = on_log,
		.workflow_task_pollers = 2, .activity_task_pollers = 2);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	temporal_client_unref(home);
	memset(runs, 0, sizeof(runs));
	int sockets = open_sockets();

	int n = 0;

	for (; n < UNDER_WAY; n++)
		asked[n] = ask_on(fixture.client, fixture.queue, n);
	for (int i = 0; i < REPLACEMENTS; i++) {
		replace_client(worker);
		if (i == WARM)
			memory = mallinfo2().uordblks;
		if (i % 2)
			continue;
		asked[n] = ask_on(fixture.client, fixture.queue, n);
		assert_result(asked[n - UNDER_WAY], &ask, fixture.queue);
		n++;
	}
	/* The current one, with its own connection and the worker's; as many for a poll. */
	assert_in_range(sockets_at_most(sockets + 2 * (POLLS + 1)), 1, sockets + 2 * (POLLS + 1));
	memory_then = mallinfo2().uordblks;
	print_message("%zu bytes, %zu before\n", memory_then, memory);
	assert_true(memory_then <= memory + MEMORY_SLACK);
	for (int i = n - UNDER_WAY; i < n; i++)
		assert_result(asked[i], &ask, fixture.queue);
	for (int i = 0; i < n; i++)
		assert_true(runs[i] >= 1);
	end(worker);
	assert_in_range(sockets_at_most(sockets - 1), 1, sockets);
}

/* A namespace of the test's own; the real server's parts learn of it one after the other. */
static struct temporal_client *client_of_new_namespace(char name[80])
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char request[256];

	snprintf(name, 80, "n-%s", fixture.queue);
	snprintf(request, sizeof(request),
		"{\"namespace\":\"%s\",\"workflowExecutionRetentionPeriod\":\"86400s\"}", name);
	temporal_buffer_unref(temporal_client_call(fixture.client,
		"/temporal.api.workflowservice.v1.WorkflowService/RegisterNamespace",
		(struct temporal_bytes){ request, strlen(request) }, true, &err));
	assert_int_equal(err.code, TEMPORAL_OK);
	struct temporal_client *client =
		temporal_client_connect(&err, .target = test_server_shared(), .namespace_ = name);

	assert_non_null(client);
	return client;
}

static struct temporal_run *ask_when_known(struct temporal_client *client, int n)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue, .task_timeout_ms = 1000 };
	struct temporal_run *run = NULL;
	struct temporal_error err;

	test_wait_until((run = temporal_start(client, ask, &opts, &err, .n = n)) != NULL);
	return run;
}

/* The same queue's name in two namespaces is two queues. */
static void namespaces_are_apart(void **state)
{
	char name[80];
	struct temporal_client *client = client_of_new_namespace(name);
	struct temporal_run *elsewhere = ask_when_known(client, 7);

	memset(runs, 0, sizeof(runs));
	struct temporal_worker *here = worker_on(fixture.client, fixture.queue);

	assert_result(ask_on(fixture.client, fixture.queue, 8), &ask, fixture.queue);
	assert_int_equal(runs[7], 0);
	struct temporal_worker *there = worker_on(client, fixture.queue);

	assert_result(elsewhere, &ask, fixture.queue);
	assert_int_equal(runs[7], 1);
	end(here);
	end(there);
	temporal_client_unref(client);
}

/* ---- running ---- */

struct runner {
	struct temporal_worker *worker;
	enum temporal_code code;
	atomic_bool returned;
};

static void *run_it(void *arg)
{
	struct runner *runner = arg;
	struct temporal_error why;

	runner->code = temporal_worker_run(runner->worker, &why);
	atomic_store(&runner->returned, true);
	return NULL;
}

/* Not when there is nothing to do for the moment. */
static void run_returns_when_it_is_shut_down(void **state)
{
	struct temporal_error why = { .code = TEMPORAL_OK };
	struct runner runner = { .code = TEMPORAL_UNKNOWN };
	pthread_t thread;

	runner.worker = temporal_worker_new(fixture.client, &why, .task_queue = fixture.queue,
		.workflows = WORKFLOWS(&ask_workflow), .activities = ACTIVITIES(&who_activity));
	assert_non_null(runner.worker);
	assert_int_equal(pthread_create(&thread, NULL, run_it, &runner), 0);
	for (int i = 0; i < 3; i++)
		assert_result(ask_on(fixture.client, fixture.queue, i), &ask, fixture.queue);
	assert_false(atomic_load(&runner.returned));
	temporal_worker_shutdown(runner.worker);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(runner.code, TEMPORAL_OK);
	assert_int_equal(temporal_worker_run(runner.worker, &why), TEMPORAL_FAILED_PRECONDITION);
	temporal_worker_unref(runner.worker);
}

/* ---- mistakes that fail the run ---- */

struct slip_in {
	int n;
};
typedef void slip_out;
TEMPORAL_WORKFLOW_CONTRACT(slip, "Slip", n);

static atomic_int version, begun;

static void slip_run(struct wf *wf, const struct slip_in *in)
{
	if (in->n == 1)
		wf_sleep(wf, -5); /* a mistake */
	if (in->n == 2 && version == 2)
		(void)wf_activity(wf, who, WF_ACTIVITY_OPTS(.start_to_close_ms = 1000), .n = 1);
	begun += in->n == 2;
	wf_sleep(wf, 300); /* what version 1 begins with */
	wf_receive_raw(wf, "go on");
}
TEMPORAL_WORKFLOW(slip);

static struct temporal_worker *worker_that_fails(void)
{
	struct temporal_error why = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(fixture.client, &why,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&slip_workflow),
		.activities = ACTIVITIES(&who_activity), .max_cached_workflows = TEMPORAL_OFF,
		.on_event = on_event,
		.workflow_failure_types = (const char *const[]){ "InvalidArgument", NULL },
		.workflow_options = (const struct temporal_workflow_opts[]){
			{ .workflow = &slip_workflow,
				.failure_types =
					(const char *const[]){ "NonDeterminismError", NULL } },
			{ .workflow = NULL } });

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &why), TEMPORAL_OK);
	return worker;
}

static void mistakes_of_listed_types_fail_the_run(void **state)
{
	struct temporal_worker *worker;
	struct temporal_result *result;

	version = 1;
	worker = worker_that_fails();
	result = failed_result(START(slip, .n = 1));
	assert_string_equal(temporal_result_failure(result)->type, "InvalidArgument");
	temporal_result_unref(result);
	struct temporal_run *run = START(slip, .n = 2);

	test_wait_until(begun != 0);
	version = 2; /* the code has changed under the run */
	result = failed_result(run);
	assert_non_null(strstr(temporal_result_failure(result)->message, "timer"));
	temporal_result_unref(result);
	end(worker);
}

static atomic_int told;

static void on_fatal(const struct temporal_error *err, void *user)
{
	assert_int_equal(err->code, TEMPORAL_NOT_FOUND);
	told += event_count(TEMPORAL_EVENT_WORKER_STOPPED) == 0;
	told += strstr(err->message, "nowhere-at-all") != NULL;
}

static void a_refusal_is_told_first(void **state)
{
	struct temporal_error err;
	struct temporal_client *client = temporal_client_connect(
		&err, .target = test_server_shared(), .namespace_ = "nowhere-at-all");

	assert_non_null(client);
	struct temporal_worker *worker = temporal_worker_new(client, &err,
		.task_queue = fixture.queue, .workflows = WORKFLOWS(&ask_workflow),
		.on_event = on_event, .on_fatal_error = on_fatal);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_run(worker, &err), TEMPORAL_NOT_FOUND);
	assert_int_equal(told, 2);
	assert_int_equal(event_count(TEMPORAL_EVENT_WORKER_STOPPED), 1);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(workers_share_a_client, begin_test),
		cmocka_unit_test_setup(workers_of_two_clients, begin_test),
		cmocka_unit_test_setup(clients_come_and_go_under_load, begin_test),
		cmocka_unit_test_setup(a_live_worker_gets_another_client, begin_test),
		cmocka_unit_test_setup(namespaces_are_apart, begin_test),
		cmocka_unit_test_setup(run_returns_when_it_is_shut_down, begin_test),
		cmocka_unit_test_setup(mistakes_of_listed_types_fail_the_run, begin_test),
		cmocka_unit_test_setup(a_refusal_is_told_first, begin_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
