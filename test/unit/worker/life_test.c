/*
 * A worker's life without a server. Goal: it is made or refused cleanly, whatever allocation fails,
 * and starts and stops though nobody answers. Method: a lazy client of a port that nobody listens
 * on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <temporal/worker.h>

#include "base/mem.h"

struct hello_in {
	const char *name;
};
typedef const char *hello_out;
TEMPORAL_WORKFLOW_CONTRACT(hello, "Hello", name);

static hello_out hello_run(struct wf *wf, const struct hello_in *in)
{
	return in->name;
}
TEMPORAL_WORKFLOW(hello);

static struct temporal_client *client;

static struct temporal_worker *make(struct temporal_error *err)
{
	return temporal_worker_new(client, err, .task_queue = "q",
		.workflows = (const struct temporal_workflow *const[]){ &hello_workflow, NULL });
}

static void a_worker_needs_a_client(void **state)
{
	struct temporal_error err;

	assert_null(temporal_worker_new(NULL, &err, .task_queue = "q"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	temporal_worker_unref(NULL);
}

static void bad_options_are_refused(void **state)
{
	struct temporal_error err;

	assert_null(temporal_worker_new(client, &err, .task_queue = "q"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "no .workflows, .activities or .nexus_services"));
}

/* The nth allocation fails, for all n that there are; the sanitizer sees what is not given back. */
static void each_allocation_may_fail(void **state)
{
	struct temporal_worker *worker = NULL;
	struct temporal_error err;

	for (long n = 0; !worker; n++) {
		assert_true(n < 1000);
		mem_fault_set(n, 0);
		worker = make(&err);
		assert_int_equal(mem_fault_hit() != 0, worker == NULL);
		mem_fault_set(-1, 0);
		if (!worker)
			assert_int_equal(err.code, TEMPORAL_NO_MEMORY);
	}
	temporal_worker_unref(worker);
}

static const struct temporal_workflow_interceptor of_workflows = { .execute = NULL };
static const struct temporal_activity_interceptor of_activities = { .execute = NULL };
static const struct temporal_interceptor interceptor = { .workflow = &of_workflows,
	.activity = &of_activities };
static const struct temporal_plugin plugin = { .name = "test.plugin" };

/* The same with all that is copied of the options of its life. */
static void so_may_each_of_the_options(void **state)
{
	struct temporal_worker *worker = NULL;
	struct temporal_error err;

	for (long n = 0; !worker; n++) {
		assert_true(n < 1000);
		mem_fault_set(n, 0);
		worker = temporal_worker_new(client, &err, .task_queue = "q",
			.workflows =
				(const struct temporal_workflow *const[]){ &hello_workflow, NULL },
			.deployment = &(const struct temporal_deployment_opts){ "d", "1", true,
				TEMPORAL_VERSIONING_PINNED },
			.workflow_options =
				(const struct temporal_workflow_opts[]){
					{ &hello_workflow, TEMPORAL_VERSIONING_AUTO_UPGRADE,
						(const char *const[]){
							"NonDeterminismError", NULL } },
					{ .workflow = NULL } },
			.workflow_failure_types = (const char *const[]){ "BadPayload", NULL },
			.interceptors =
				(const struct temporal_interceptor *const[]){ &interceptor, NULL },
			.plugins = (const struct temporal_plugin *const[]){ &plugin, NULL });
		assert_int_equal(mem_fault_hit() != 0, worker == NULL);
		mem_fault_set(-1, 0);
		if (!worker)
			assert_int_equal(err.code, TEMPORAL_NO_MEMORY);
	}
	temporal_worker_unref(worker);
}

static void it_stops_though_nobody_answers(void **state)
{
	struct temporal_error err;
	struct temporal_worker *worker = make(&err);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_FAILED_PRECONDITION);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
}

/* A child has the memory of the parent's worker, but none of its threads. */
static void a_forked_child_is_told(void **state)
{
	struct temporal_error err;
	struct temporal_worker *worker = make(&err);
	int status = -1;

	assert_non_null(worker);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		enum temporal_code code = temporal_worker_start(worker, &err);

		temporal_worker_unref(worker);
		_exit(code == TEMPORAL_FAILED_PRECONDITION ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	temporal_worker_unref(worker);
}

/* Nor does one wait for a worker that runs in the parent alone, or stop it. */
static void a_forked_child_does_not_wait(void **state)
{
	struct temporal_error err;
	struct temporal_worker *worker = make(&err);
	int status = -1;

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(10); /* a child that hangs dies by it */
		temporal_worker_shutdown(worker);
		_exit(temporal_worker_wait(worker, &err) == TEMPORAL_FAILED_PRECONDITION ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
}

static int set_up(void **state)
{
	struct temporal_error err;

	client = temporal_client_connect(&err, .target = "127.0.0.1:1", .lazy = true);
	return client ? 0 : -1;
}

static int tear_down(void **state)
{
	temporal_client_unref(client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_needs_a_client),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(so_may_each_of_the_options),
		cmocka_unit_test(it_stops_though_nobody_answers),
		cmocka_unit_test(a_forked_child_is_told),
		cmocka_unit_test(a_forked_child_does_not_wait),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
