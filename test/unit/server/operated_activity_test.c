/*
 * What operators do to activities. Goal: a paused activity is handed to nobody and no time-out ends
 * it, what runs is told with its heartbeat, a released one begins at once or within the jitter, a
 * reset one counts anew, options change one by one by their mask, and each refusal has the official
 * server's text. Method: one workflow with one activity, calls by hand on a clock that the test
 * sets.
 */
#include "fake_workflow.h"

#define ID(Name_) WORKFLOWSERVICE__##Name_##_ACTIVITY_REQUEST__ACTIVITY_ID

static void set_up_activity(void)
{
	start_workflow();
	schedule_activity("a", NULL);
}

static struct activity *the_activity(void)
{
	struct activity *activity = state_activity_by_id(current_run(), "a");

	assert_non_null(activity);
	return activity;
}

static void pause_it(const char *request_id)
{
	Workflowservice__PauseActivityRequest in = WORKFLOWSERVICE__PAUSE_ACTIVITY_REQUEST__INIT;

	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = ID(PAUSE);
	in.id = "a";
	in.identity = "me";
	in.reason = "because";
	in.request_id = request_id;
	call_well(frontend_pause_activity, &in);
}

static void unpause_it(int64_t jitter_s, bool reset)
{
	Workflowservice__UnpauseActivityRequest in =
		WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__INIT;
	Google__Duration jitter = GOOGLE__DURATION__INIT;

	jitter.seconds = jitter_s;
	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = WORKFLOWSERVICE__UNPAUSE_ACTIVITY_REQUEST__ACTIVITY_UNPAUSE_ALL;
	in.unpause_all = true;
	in.jitter = &jitter;
	in.reset_attempts = in.reset_heartbeat = reset;
	call_well(frontend_unpause_activity, &in);
}

static void fail_it(ProtobufCBinaryData token)
{
	Workflowservice__RespondActivityTaskFailedRequest in =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;

	failure.message = "no";
	in.namespace_ = "default";
	in.task_token = token;
	in.failure = &failure;
	call_well(frontend_activity_failed, &in);
}

/* What the heartbeat is answered: 1 paused, 2 reset. */
static int beat(ProtobufCBinaryData token)
{
	Workflowservice__RecordActivityTaskHeartbeatRequest in =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;
	const Workflowservice__RecordActivityTaskHeartbeatResponse *out;
	struct answer answer;

	in.namespace_ = "default";
	in.task_token = token;
	call(&answer, frontend_activity_heartbeat, &in);
	assert_int_equal(answer.code, TEMPORAL_OK);
	out = answer.message;
	int told = out->activity_paused + 2 * out->activity_reset;
	forget(&answer);
	return told;
}

static void paused_one_is_handed_to_nobody(void **state)
{
	struct answer answer;

	(void)state;
	set_up_activity();
	pause_it("1");
	poll_activity(&answer);
	assert_false(answer.done);
	world_pass(3600 * 1000 * MS);
	assert_false(answer.done);
	unpause_it(0, false);
	assert_true(answer.done);
	forget(&answer);
}

static void paused_while_it_runs(void **state)
{
	struct answer answer;

	(void)state;
	set_up_activity();
	ProtobufCBinaryData token = poll_activity(&answer)->task_token;
	assert_int_equal(beat(token), 0);
	pause_it("1");
	assert_int_equal(beat(token), 1);
	world_pass(3600 * 1000 * MS); /* far beyond its time-out */
	fail_it(token);
	assert_int_equal(the_activity()->attempt, 2);
	assert_int_equal(the_activity()->state, ACTIVITY_SCHEDULED);
	assert_null(the_activity()->task.queue);
	assert_true(the_activity()->last_failure.len > 0);
	unpause_it(0, true);
	assert_int_equal(the_activity()->attempt, 1);
	assert_int_equal(the_activity()->last_failure.len, 0);
	assert_non_null(the_activity()->task.queue);
	forget(&answer);
}

static void jitter_spreads_the_next_attempt(void **state)
{
	(void)state;
	set_up_activity();
	pause_it("1");
	unpause_it(10, false);
	assert_int_equal(the_activity()->state, ACTIVITY_BACKING_OFF);
	assert_true(the_activity()->attempt_scheduled_ns < world.now_ns + 10000 * MS);
	world_pass(10000 * MS);
	assert_int_equal(the_activity()->state, ACTIVITY_SCHEDULED);
}

static void running_one_is_told_of_a_reset(void **state)
{
	Workflowservice__ResetActivityRequest in = WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__INIT;
	struct answer answer;

	(void)state;
	set_up_activity();
	ProtobufCBinaryData token = poll_activity(&answer)->task_token;
	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY_TYPE;
	in.type = "work";
	in.reset_heartbeat = true;
	call_well(frontend_reset_activity, &in);
	assert_int_equal(beat(token), 2);
	assert_true(the_activity()->heartbeat_ns > 0);
	fail_it(token);
	assert_false(the_activity()->reset);
	assert_int_equal(the_activity()->heartbeat_ns, 0);
	assert_int_equal(the_activity()->attempt, 2);
	call_well(frontend_reset_activity, &in); /* it backs off: at once then */
	assert_int_equal(the_activity()->attempt, 1);
	assert_int_equal(the_activity()->state, ACTIVITY_SCHEDULED);
	forget(&answer);
}

static void reset_may_keep_the_pause(void **state)
{
	Workflowservice__ResetActivityRequest in = WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__INIT;

	(void)state;
	set_up_activity();
	pause_it("1");
	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = WORKFLOWSERVICE__RESET_ACTIVITY_REQUEST__ACTIVITY_MATCH_ALL;
	in.keep_paused = true;
	call_well(frontend_reset_activity, &in);
	assert_true(the_activity()->paused);
	in.keep_paused = false;
	call_well(frontend_reset_activity, &in);
	assert_false(the_activity()->paused);
	assert_non_null(the_activity()->task.queue);
}

/* ---- Options ---- */

static Google__FieldMask mask = GOOGLE__FIELD_MASK__INIT;
static Activity__ActivityOptions options = ACTIVITY__ACTIVITY_OPTIONS__INIT;

static Workflowservice__UpdateActivityOptionsRequest update_of(const char **path)
{
	Workflowservice__UpdateActivityOptionsRequest in =
		WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__INIT;

	mask.paths = path;
	mask.n_paths = 1;
	in.namespace_ = "default";
	in.execution = &workflow;
	in.activity_case = WORKFLOWSERVICE__UPDATE_ACTIVITY_OPTIONS_REQUEST__ACTIVITY_ID;
	in.id = "a";
	in.activity_options = &options;
	in.update_mask = &mask;
	return in;
}

static void options_change_by_their_mask(void **state)
{
	const char *path = "scheduleToCloseTimeout";
	Workflowservice__UpdateActivityOptionsRequest in = update_of(&path);
	Google__Duration half = GOOGLE__DURATION__INIT;
	Taskqueue__TaskQueue other = TASKQUEUE__TASK_QUEUE__INIT;

	(void)state;
	set_up_activity();
	half.seconds = 30;
	other.name = "other";
	options = (Activity__ActivityOptions)ACTIVITY__ACTIVITY_OPTIONS__INIT;
	options.schedule_to_close_timeout = &half;
	options.task_queue = &other;
	call_well(frontend_update_activity_options, &in);
	assert_int_equal(the_activity()->schedule_to_close_ms, 30000);
	assert_int_equal(the_activity()->start_to_close_ms, 30000); /* never longer */
	assert_string_equal(the_activity()->task_queue, "queue");
	path = "task_queue.name";
	call_well(frontend_update_activity_options, &in);
	assert_string_equal(the_activity()->task.queue->name, "other");
	in.restore_original = true;
	in.update_mask = NULL;
	call_well(frontend_update_activity_options, &in);
	assert_string_equal(the_activity()->task.queue->name, "queue");
	assert_int_equal(the_activity()->schedule_to_close_ms, 0);
	assert_int_equal(the_activity()->start_to_close_ms, 60000);
}

/* The back-off of one that has failed goes by the new policy. */
static void new_policy_moves_the_next_attempt(void **state)
{
	const char *path = "retry_policy.initial_interval";
	Workflowservice__UpdateActivityOptionsRequest in = update_of(&path);
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;
	Google__Duration interval = GOOGLE__DURATION__INIT;
	struct answer answer;

	(void)state;
	set_up_activity();
	fail_it(poll_activity(&answer)->task_token);
	assert_int_equal(the_activity()->attempt_scheduled_ns, world.now_ns + 1000 * MS);
	interval.seconds = 20;
	policy.initial_interval = &interval;
	options = (Activity__ActivityOptions)ACTIVITY__ACTIVITY_OPTIONS__INIT;
	options.retry_policy = &policy;
	call_well(frontend_update_activity_options, &in);
	assert_int_equal(the_activity()->attempt_scheduled_ns, world.now_ns + 40000 * MS);
	forget(&answer);
}

static void bad_options_are_refused(void **state)
{
	const char *path = "retryPolicy.backoffCoefficient";
	Workflowservice__UpdateActivityOptionsRequest in = update_of(&path);
	Common__RetryPolicy policy = COMMON__RETRY_POLICY__INIT;
	Common__Priority priority = COMMON__PRIORITY__INIT;
	Google__Duration negative = GOOGLE__DURATION__INIT;
	Taskqueue__TaskQueue none = TASKQUEUE__TASK_QUEUE__INIT;
	char key[66];

	(void)state;
	set_up_activity();
	options = (Activity__ActivityOptions)ACTIVITY__ACTIVITY_OPTIONS__INIT;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"RetryPolicy is not provided");
	options.retry_policy = &policy;
	policy.backoff_coefficient = 0.5;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"BackoffCoefficient cannot be less than 1 on retry policy.");
	path = "taskQueue.name";
	options.task_queue = &none;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"missing task queue name");
	path = "start_to_close_timeout";
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the "
		"activity. ActivityId=a ActivityType=work");
	negative.seconds = -1;
	options.start_to_close_timeout = &negative;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"invalid StartToCloseTimeout: negative duration");
	options.priority = &priority;
	priority.priority_key = -1;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"priority key can't be negative");
	priority.priority_key = 1;
	memset(key, 'k', sizeof(key));
	key[65] = '\0';
	priority.fairness_key = key;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"fairness key length exceeds limit");
	key[64] = '\0';
	path = "priority";
	call_well(frontend_update_activity_options, &in);
	in.restore_original = true;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"Both UpdateMask and RestoreOriginal are provided");
	in.restore_original = false;
	in.update_mask = NULL;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"UpdateMask is not provided");
	in.activity_options = NULL;
	call_badly(frontend_update_activity_options, &in, TEMPORAL_INVALID_ARGUMENT,
		"ActivityOptions are not provided");
}

static void bad_requests_are_refused(void **state)
{
	Workflowservice__PauseActivityRequest in = WORKFLOWSERVICE__PAUSE_ACTIVITY_REQUEST__INIT;

	(void)state;
	set_up_activity();
	in.namespace_ = "default";
	call_badly(frontend_pause_activity, &in, TEMPORAL_INVALID_ARGUMENT,
		"WorkflowId is not set on request.");
	in.execution = &workflow;
	call_badly(frontend_pause_activity, &in, TEMPORAL_INVALID_ARGUMENT,
		"Either Activity.Id or Activity.Type should be set on request.");
	in.activity_case = ID(PAUSE);
	in.id = "b";
	call_badly(frontend_pause_activity, &in, TEMPORAL_NOT_FOUND,
		"Can't find pending activity with such ID. Invalid activityID or activity already "
		"completed");
	in.id = "a";
	workflow.run_id = "7";
	call_badly(frontend_pause_activity, &in, TEMPORAL_INVALID_ARGUMENT,
		"RunId is not valid UUID.");
	workflow.run_id = "00000000-0000-0000-0000-000000000005";
	call_badly(frontend_pause_activity, &in, TEMPORAL_NOT_FOUND,
		"workflow execution not found for workflow ID \"w\" and run ID "
		"\"00000000-0000-0000-0000-000000000005\"");
	workflow.run_id = "";
	pause_it("1");
	pause_it("1");
	in.request_id = "2";
	call_badly(frontend_pause_activity, &in, TEMPORAL_FAILED_PRECONDITION,
		"activity is already paused");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paused_one_is_handed_to_nobody),
		TEST(paused_while_it_runs),
		TEST(jitter_spreads_the_next_attempt),
		TEST(running_one_is_told_of_a_reset),
		TEST(reset_may_keep_the_pause),
		TEST(options_change_by_their_mask),
		TEST(new_policy_moves_the_next_attempt),
		TEST(bad_options_are_refused),
		TEST(bad_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
