/*
 * What a request to start a workflow may say. Goal: each mistake has its text, at its limit and
 * beyond; what a request carries is in the first event and in Describe; requests that come again or
 * meet a run get what policies say. Method: calls by hand.
 */
#include "run_world.h"

#include "temporal/api/deployment/v1/message.pb-c.h"

#define REUSE(name_)    ENUMS__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##name_
#define CONFLICT(name_) ENUMS__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##name_

static char long_text[SERVER_ID_MAX + 2];
static struct answer answer; /* the last one; forgotten by the next */

static const char *start_text(const Workflowservice__StartWorkflowExecutionRequest *in)
{
	forget(&answer);
	call(&answer, frontend_start, in);
	return answer.code == TEMPORAL_OK ? "" : answer.text;
}

static const Workflowservice__StartWorkflowExecutionResponse *started(void)
{
	assert_int_equal(answer.code, TEMPORAL_OK);
	return answer.message;
}

static int set_up(void **state)
{
	answer = (struct answer){ 0 };
	arena_init(&answer.arena, 64, ARENA_NO_BUDGET);
	memset(long_text, 'x', SERVER_ID_MAX + 1);
	return run_set_up(state);
}

static int tear_down(void **state)
{
	forget(&answer);
	return run_tear_down(state);
}

static void names(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("");

	(void)state;
	assert_string_equal(start_text(&in), "WorkflowId is not set on request.");
	in.workflow_id = long_text;
	assert_string_equal(
		start_text(&in), "WorkflowId exceeds maximum allowed length (1001/1000)");
	in = run_start_request("w");
	in.workflow_type = NULL;
	assert_string_equal(start_text(&in), "WorkflowType is not set on request.");
	in = run_start_request("w");
	in.workflow_type->name = long_text;
	assert_string_equal(start_text(&in), "WorkflowType length exceeds limit.");
	in = run_start_request("w");
	in.task_queue = NULL;
	assert_string_equal(start_text(&in), "taskQueue is not set");
	in.task_queue = &run_queue;
	run_queue.name = "";
	assert_string_equal(start_text(&in), "missing task queue name");
	run_queue.name = long_text;
	assert_string_equal(start_text(&in), "taskQueue length exceeds limit");
	run_queue.name = "/_sys/x";
	assert_string_equal(
		start_text(&in), "task queue name cannot start with reserved prefix /_sys/");
	run_queue.name = QUEUE_NAME;
	in.request_id = long_text;
	assert_string_equal(start_text(&in), "RequestId length exceeds limit.");
	assert_null(run_of("w"));
}

static void names_at_their_limit(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");

	(void)state;
	long_text[SERVER_ID_MAX] = '\0';
	in.workflow_id = in.request_id = long_text;
	in.workflow_type->name = long_text;
	run_queue.name = long_text;
	assert_string_equal(start_text(&in), "");
	assert_non_null(run_of(long_text));
}

static void times(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Google__Duration negative = GOOGLE__DURATION__INIT, zero = GOOGLE__DURATION__INIT;

	(void)state;
	negative.nanos = -1;
	in.workflow_execution_timeout = &negative;
	assert_string_equal(start_text(&in),
		"An invalid WorkflowExecutionTimeoutSeconds is set on request. cause: negative "
		"duration");
	in = run_start_request("w");
	in.workflow_start_delay = &negative;
	assert_string_equal(start_text(&in),
		"An invalid WorkflowStartDelaySeconds is set on request. cause: negative duration");
	in.workflow_start_delay = &zero;
	in.cron_schedule = "@daily";
	assert_string_equal(
		start_text(&in), "CronSchedule and WorkflowStartDelay may not be used together.");
	in.workflow_start_delay = NULL;
	in.cron_schedule = "daily";
	assert_string_equal(start_text(&in), "invalid CronSchedule.");
}

/* The longest durations of the API lead beyond the end of the clock: never, not long ago. */
static void times_beyond_the_end(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Google__Duration longest = GOOGLE__DURATION__INIT;

	(void)state;
	longest.seconds = PROTO_DURATION_MAX;
	in.workflow_execution_timeout = in.workflow_run_timeout = &longest;
	in.workflow_start_delay = &longest;
	assert_string_equal(start_text(&in), "");
	const struct execution *run = run_of("w");
	assert_true(run->execution_expires_ns == INT64_MAX);
	assert_true(run->run_expires_ns == INT64_MAX);
	assert_true(run->first_task_due_ns > INT64_MAX - MS);
	assert_true(run->backing_off);
	world_pass(1000 * MS);
	assert_true(state_running(run));
	assert_true(run->backing_off);
}

static void retry_policies(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Google__Duration one = GOOGLE__DURATION__INIT, two = GOOGLE__DURATION__INIT;
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;
	const char *type = "TemporalTimeout:foo";

	(void)state;
	one.seconds = 1;
	two.seconds = 2;
	in.retry_policy = &policy;
	policy.maximum_attempts = -1;
	assert_string_equal(start_text(&in), "MaximumAttempts cannot be negative on retry policy.");
	policy.maximum_attempts = 0;
	policy.initial_interval = &two;
	policy.maximum_interval = &one;
	assert_string_equal(start_text(&in),
		"MaximumInterval cannot be less than InitialInterval on retry policy.");
	/* One attempt is no retry: nothing else is looked at. */
	policy.maximum_attempts = 1;
	assert_string_equal(start_text(&in), "");
	in.workflow_id = "v";
	policy = (Common__RetryPolicy)COMMON__RETRY_POLICY__INIT;
	policy.non_retryable_error_types = &type;
	policy.n_non_retryable_error_types = 1;
	assert_string_equal(start_text(&in), "Invalid timeout type value: foo.");
	type = "TemporalTimeout:Heartbeat";
	assert_string_equal(start_text(&in), "");
}

static void priorities(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Common__Priority priority = COMMON__PRIORITY__INIT;

	(void)state;
	in.priority = &priority;
	priority.priority_key = -1;
	assert_string_equal(start_text(&in), "priority key can't be negative");
	priority.priority_key = 1;
	priority.fairness_weight = -1;
	assert_string_equal(start_text(&in), "must be greater than zero");
	priority.fairness_weight = 0;
	long_text[SERVER_FAIRNESS_KEY_MAX + 1] = '\0';
	priority.fairness_key = long_text;
	assert_string_equal(start_text(&in), "fairness key length exceeds limit");
	long_text[SERVER_FAIRNESS_KEY_MAX] = '\0';
	assert_string_equal(start_text(&in), "");
}

static void links(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Common__Link link = COMMON__LINK__INIT, *list[SERVER_LINKS_MAX + 1];
	Common__Link__WorkflowEvent event = COMMON__LINK__WORKFLOW_EVENT__INIT;

	(void)state;
	for (size_t i = 0; i <= SERVER_LINKS_MAX; i++)
		list[i] = &link;
	in.links = list;
	in.n_links = 1;
	assert_string_equal(start_text(&in), "unsupported link variant");
	link.variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link.workflow_event = &event;
	event.namespace_ = "default";
	event.workflow_id = "w";
	assert_string_equal(
		start_text(&in), "workflow event link must not have an empty run ID field");
	event.run_id = "r";
	in.n_links = SERVER_LINKS_MAX + 1;
	assert_string_equal(
		start_text(&in), "cannot attach more than 10 links per request, got 11");
	world.server.config.links_max = 1;
	in.n_links = 2;
	assert_string_equal(start_text(&in), "cannot attach more than 1 links per request, got 2");
	world.server.config.links_max = SERVER_LINKS_MAX;
	in.n_links = SERVER_LINKS_MAX;
	assert_string_equal(start_text(&in), "");
	assert_int_equal(run_event(run_of("w"), 1)->n_links, SERVER_LINKS_MAX);
}

static void versions(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Workflow__VersioningOverride override = WORKFLOW__VERSIONING_OVERRIDE__INIT;
	Workflow__VersioningOverride__PinnedOverride pinned =
		WORKFLOW__VERSIONING_OVERRIDE__PINNED_OVERRIDE__INIT;
	Deployment__WorkerDeploymentVersion version = DEPLOYMENT__WORKER_DEPLOYMENT_VERSION__INIT;

	(void)state;
	in.versioning_override = &override;
	assert_string_equal(start_text(&in), "override behavior is required");
	override.override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_PINNED;
	override.pinned = &pinned;
	assert_string_equal(start_text(&in), "must provide version if override is pinned.");
	pinned.version = &version;
	pinned.behavior = 1;
	version.deployment_name = "d";
	version.build_id = "b";
	assert_string_equal(start_text(&in),
		"Pinned version 'd:b' is not present in task queue 'queue' of type 'Workflow'");
	assert_int_equal(answer.code, TEMPORAL_FAILED_PRECONDITION);
	override = (Workflow__VersioningOverride)WORKFLOW__VERSIONING_OVERRIDE__INIT;
	override.behavior = ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_PINNED;
	override.pinned_version = "d";
	assert_string_equal(start_text(&in), "invalid version string \"d\", expected format is "
					     "\"<deployment_name>.<build_id>\"");
	/* An older form becomes today's. */
	override.behavior = ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_AUTO_UPGRADE;
	override.pinned_version = "";
	assert_string_equal(start_text(&in), "");
	const Workflow__VersioningOverride *kept =
		run_event(run_of("w"), 1)
			->workflow_execution_started_event_attributes->versioning_override;
	assert_true(kept->auto_upgrade);
	assert_int_equal(kept->behavior, 0);
}

static void policies_that_contradict(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");

	(void)state;
	in.workflow_id_reuse_policy = REUSE(TERMINATE_IF_RUNNING);
	in.workflow_id_conflict_policy = CONFLICT(FAIL);
	assert_memory_equal(start_text(&in), "Invalid WorkflowIDReusePolicy: ", 31);
	in.workflow_id_reuse_policy = REUSE(REJECT_DUPLICATE);
	in.workflow_id_conflict_policy = CONFLICT(TERMINATE_EXISTING);
	assert_memory_equal(start_text(&in), "Invalid WorkflowIDReusePolicy: ", 31);
}

static void id_that_is_taken(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	char expected[200];

	(void)state;
	run_start("w");
	struct execution *first = run_of("w");
	snprintf(expected, sizeof(expected),
		"Workflow execution is already running. WorkflowId: w, RunId: %s.", first->run_id);
	assert_string_equal(start_text(&in), expected);
	assert_int_equal(answer.code, TEMPORAL_ALREADY_EXISTS);
	in.workflow_id_conflict_policy = CONFLICT(USE_EXISTING);
	assert_string_equal(start_text(&in), "");
	assert_false(started()->started);
	assert_string_equal(started()->run_id, first->run_id);
	/* The old run's end names the new one. */
	in.workflow_id_conflict_policy = CONFLICT(TERMINATE_EXISTING);
	assert_string_equal(start_text(&in), "");
	assert_true(started()->started);
	const History__WorkflowExecutionTerminatedEventAttributes *end =
		run_event(first, 3)->workflow_execution_terminated_event_attributes;
	assert_string_equal(end->reason, "TerminateIfRunning WorkflowIdReusePolicy");
	assert_string_equal(end->identity, SERVER_HISTORY_IDENTITY);
	snprintf(
		expected, sizeof(expected), "\"terminated by new runID: %s\"", run_of("w")->run_id);
	assert_int_equal(end->details->payloads[0]->data.len, strlen(expected));
	assert_memory_equal(end->details->payloads[0]->data.data, expected, strlen(expected));
}

static void id_of_a_run_that_has_ended(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	char expected[200];

	(void)state;
	run_start("w");
	assert_string_equal(run_command("w", run_complete_command()), "");
	const char *run_id = run_of("w")->run_id;
	in.workflow_id_reuse_policy = REUSE(REJECT_DUPLICATE);
	snprintf(expected, sizeof(expected),
		"Workflow execution already finished. WorkflowId: w, RunId: %s. Workflow Id reuse "
		"policy: reject duplicate workflow Id.",
		run_id);
	assert_string_equal(start_text(&in), expected);
	in.workflow_id_reuse_policy = REUSE(ALLOW_DUPLICATE_FAILED_ONLY);
	snprintf(expected, sizeof(expected),
		"Workflow execution already finished successfully. WorkflowId: w, RunId: %s. "
		"Workflow Id reuse policy: allow duplicate workflow Id if last run failed.",
		run_id);
	expected[199] = '\0';
	assert_memory_equal(start_text(&in), expected, 150);
	in.workflow_id_reuse_policy = REUSE(ALLOW_DUPLICATE);
	assert_string_equal(start_text(&in), "");
	assert_string_not_equal(run_of("w")->run_id, run_id);
}

/* A request that comes again has the answer of the first time, an eager task included. */
static void request_that_comes_again(void **state)
{
	Workflowservice__StartWorkflowExecutionRequest in = run_start_request("w");
	Google__Duration delay = GOOGLE__DURATION__INIT;

	(void)state;
	in.request_id = "once";
	in.request_eager_execution = true;
	assert_string_equal(start_text(&in), "");
	assert_int_equal(started()->eager_workflow_task->started_event_id, 3);
	assert_string_equal(start_text(&in), "");
	assert_true(started()->started);
	assert_int_equal(started()->eager_workflow_task->started_event_id, 3);
	assert_string_equal(run_events("w"), "1 5 6");
	/* A run that has to wait is not given away. */
	in = run_start_request("v");
	delay.seconds = 1;
	in.request_eager_execution = true;
	in.workflow_start_delay = &delay;
	assert_string_equal(start_text(&in), "");
	assert_null(started()->eager_workflow_task);
	assert_false(
		run_event(run_of("v"), 1)
			->workflow_execution_started_event_attributes->eager_execution_accepted);
	assert_string_equal(run_events("v"), "1");
}

static const char *signal_text(const Workflowservice__SignalWithStartWorkflowExecutionRequest *in)
{
	forget(&answer);
	call(&answer, frontend_signal_with_start, in);
	return answer.code == TEMPORAL_OK ? "" : answer.text;
}

static void signal_with_start(void **state)
{
	Workflowservice__SignalWithStartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__SIGNAL_WITH_START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;

	(void)state;
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	assert_string_equal(signal_text(&in), "signal not set");
	in.signal_name = long_text;
	assert_string_equal(
		signal_text(&in), "signal name exceeds maximum allowed length (1001/1000)");
	in.signal_name = "hello";
	assert_string_equal(signal_text(&in), "workflow type not set");
	in.workflow_type = &type;
	in.task_queue = &run_queue;
	in.workflow_id_conflict_policy = CONFLICT(FAIL);
	assert_memory_equal(signal_text(&in), "Invalid WorkflowIDConflictPolicy: ", 34);
	in.workflow_id_conflict_policy = CONFLICT(UNSPECIFIED);
	/* By cron the run waits, and the signal with it; the next one of its kind does not. */
	in.cron_schedule = "@every 1h";
	assert_string_equal(signal_text(&in), "");
	assert_string_equal(run_events("w"), "1 26");
	in.request_id = "other";
	assert_string_equal(signal_text(&in), "");
	const Workflowservice__SignalWithStartWorkflowExecutionResponse *told = answer.message;
	assert_false(told->started);
	assert_string_equal(told->signal_link->workflow_event->request_id_ref->request_id, "other");
	assert_string_equal(run_events("w"), "1 26 26 5");
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(names),
		TEST(names_at_their_limit),
		TEST(times),
		TEST(times_beyond_the_end),
		TEST(retry_policies),
		TEST(priorities),
		TEST(links),
		TEST(versions),
		TEST(policies_that_contradict),
		TEST(id_that_is_taken),
		TEST(id_of_a_run_that_has_ended),
		TEST(request_that_comes_again),
		TEST(signal_with_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
