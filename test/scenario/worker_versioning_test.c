/*
 * Worker deployment versioning. Goal: a pinned run stays with the version that it began with, one
 * that upgrades itself goes on with the current one; overrides at the start, of children and of
 * continued runs count; the run is told whose task it works on.
 *
 * Method: two workers, versions 1 and 2 of a deployment, the same workflow in a pinned and in an
 * upgrading form; the command line makes one of them the current version. On the real server alone:
 * temporald has no worker deployments.
 */
#include <stdlib.h>

#include "worker_fixture.h"

struct stage_in {
	const char *scene;
};
typedef const char *stage_out;
TEMPORAL_WORKFLOW_CONTRACT(stage, "Stage", scene);
struct moving_in {
	const char *scene;
};
typedef const char *moving_out;
TEMPORAL_WORKFLOW_CONTRACT(moving, "Moving", scene);

static char deployment[80];

/* The versions that a run's first and last tasks were done by, around a signal. */
static const char *versions_around(struct wf *wf)
{
	const char *first = wf_strdup(wf, wf_info(wf)->build_id);

	wf_receive_raw(wf, "go on");
	return wf_printf(wf, "%s then %s of %d", first, wf_info(wf)->build_id,
		!strcmp(wf_info(wf)->deployment_name, deployment));
}

static stage_out stage_run(struct wf *wf, const struct stage_in *in)
{
	const struct temporal_versioning_override first = { .deployment = deployment,
		.build_id = "1" };

	if (!strcmp(in->scene, "tell"))
		return wf_strdup(wf, wf_info(wf)->build_id);
	if (!strcmp(in->scene, "child"))
		return wf_printf(wf, "child %s",
			wf_child(wf, stage, WF_CHILD_OPTS(.versioning_override = &first),
				.scene = "tell"));
	if (!strcmp(in->scene, "next")) {
		wf_receive_raw(wf, "go on");
		wf_continue_as_new(wf, stage,
			WF_CONTINUE_AS_NEW_OPTS(.versioning = TEMPORAL_NEXT_AUTO_UPGRADE),
			.scene = "tell");
	}
	return versions_around(wf);
}
TEMPORAL_WORKFLOW(stage);

static moving_out moving_run(struct wf *wf, const struct moving_in *in)
{
	return versions_around(wf);
}
TEMPORAL_WORKFLOW(moving);

static struct temporal_worker *version(const char *build_id)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(fixture.client, &err,
		.task_queue = fixture.queue, .on_event = on_event, .on_log = on_log,
		.workflows = WORKFLOWS(&stage_workflow, &moving_workflow),
		.deployment = &(const struct temporal_deployment_opts){ .name = deployment,
			.build_id = build_id,
			.use_versioning = true,
			.default_behavior = TEMPORAL_VERSIONING_AUTO_UPGRADE },
		.workflow_options = (const struct temporal_workflow_opts[]){
			{ &stage_workflow, .versioning = TEMPORAL_VERSIONING_PINNED },
			{ .workflow = NULL } });

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	return worker;
}

/* A new run, wherever it goes. */
static bool goes_to(const char *build_id)
{
	struct temporal_run *run = START(stage, .scene = "tell");
	struct temporal_result *result = NULL;
	struct temporal_error err;
	const char *text = NULL;

	assert_int_equal(temporal_result_(run, &stage, &text, NULL, 0, &result, &err), TEMPORAL_OK);
	bool same = strcmp(text, build_id) == 0;

	temporal_result_unref(result);
	temporal_run_unref(run);
	return same;
}

/*
 * The server learns of a version by its worker's first poll, a little later; and the queue of the
 * new current one, later again.
 */
static void make_current(const char *build_id)
{
	const char *args[] = { "worker", "deployment", "set-current-version", "--deployment-name",
		deployment, "--build-id", build_id, "--yes", NULL };
	int status = 1;

	for (int64_t end_ms = test_now_ms() + TEST_WAIT_MS; status;) {
		char *output = NULL;

		status = test_server_run_cli(test_server_shared(), args, &output);
		if (status && test_now_ms() > end_ms)
			fail_msg("%s", output);
		free(output);
	}
	test_wait_until(goes_to(build_id));
}

static void go_on(struct temporal_run *run)
{
	const struct temporal_payloads none = { NULL, 0 };
	struct temporal_error err;

	assert_int_equal(temporal_signal_named_0(run, "go on", none, &err), TEMPORAL_OK);
}

static struct temporal_run *start_on(const char *scene, const char *build_id)
{
	const struct temporal_versioning_override pinned = { .deployment = deployment,
		.build_id = build_id };
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000,
		.versioning_override = &pinned };
	struct temporal_error err;
	struct temporal_run *run =
		temporal_start(fixture.client, stage, &opts, &err, .scene = scene);

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

static void runs_go_where_their_version_is(void **state)
{
	snprintf(deployment, sizeof(deployment), "d-%s", fixture.queue);
	struct temporal_worker *first = version("1");

	make_current("1");
	int before = event_count(TEMPORAL_EVENT_WORKFLOW_STARTED);
	struct temporal_run *pinned = START(stage, .scene = "around"),
			    *upgrades = START(moving, .scene = ""),
			    *continued = START(stage, .scene = "next");

	wait_for_events(TEMPORAL_EVENT_WORKFLOW_STARTED, before + 3);
	struct temporal_worker *second = version("2");

	make_current("2");
	go_on(pinned);
	go_on(upgrades);
	go_on(continued);
	assert_result(pinned, &stage, "1 then 1 of 1");
	assert_result(upgrades, &moving, "1 then 2 of 1");
	assert_result(continued, &stage, "2");
	assert_result(START(stage, .scene = "tell"), &stage, "2");
	assert_result(start_on("tell", "1"), &stage, "1");
	assert_result(START(stage, .scene = "child"), &stage, "child 1");
	end(first);
	end(second);
}

/* A deployment without versioning is told, and its worker gets all tasks. */
static void an_unversioned_deployment_is_only_told(void **state)
{
	snprintf(deployment, sizeof(deployment), "d-%s", fixture.queue);
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&stage_workflow),
		.deployment = &(const struct temporal_deployment_opts){ .name = deployment,
			.build_id = "9" },
	});
	assert_result(START(stage, .scene = "tell"), &stage, "9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			runs_go_where_their_version_is, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			an_unversioned_deployment_is_only_told, begin_test, end_test),
	};

	if (!test_server_is_real()) {
		printf("skipped: temporald has no worker deployments\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, begin_all, end_all);
}
