/*
 * Task queues. Goal: tasks go out by priority, and among the fairness keys of one priority by
 * weight; a rate that operators set, or workers ask for, holds tasks back to the millisecond; a
 * poller is told of the backlog and whether there are too few or too many like it; what is
 * described is what was. Method: activities of one workflow, polled by hand; lanes and rates also
 * alone.
 */
#include <math.h>

#include "fake_workflow.h"
#include "server/limits.h"
#include "server/matching/config.h"

#define SECOND        (1000 * MS)
#define CONFIG(Name_) WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__##Name_##__INIT

/* ---- Lanes alone ---- */

static void add(struct matching_lanes *lanes, struct matching_task *task, int32_t priority,
	const char *key, double weight)
{
	uint64_t hash = key ? (uint64_t)key[0] * 1000 : 0;
	struct lanes_place place = { priority, key, weight, hash };

	*task = (struct matching_task){ 0 };
	task->owner = (void *)(uintptr_t)(key ? key : "-");
	assert_true(lanes_add(lanes, task, &place));
}

/* The keys of all tasks in their order. */
static const char *drain(struct matching_lanes *lanes)
{
	static char text[64];
	struct matching_task *task;
	int64_t ready_ns;
	size_t n = 0;

	while ((task = lanes_first(lanes, 0, &ready_ns))) {
		text[n++] = *(const char *)task->owner;
		lanes_take(lanes, task, 0);
		lanes_remove(lanes, task);
	}
	text[n] = '\0';
	return text;
}

static void priority_goes_first(void **state)
{
	struct matching_lanes lanes = { 0 };
	struct matching_task tasks[5];

	(void)state;
	add(&lanes, &tasks[0], 5, "e", 0);
	add(&lanes, &tasks[1], 0, NULL, 0);
	add(&lanes, &tasks[2], 1, "a", 0);
	add(&lanes, &tasks[3], 9, "f", 0); /* as 5 */
	add(&lanes, &tasks[4], 3, "c", 0);
	assert_string_equal(drain(&lanes), "a-cef");
	lanes_finish(&lanes);
}

static void keys_share_by_weight(void **state)
{
	struct matching_lanes lanes = { 0 };
	struct matching_task tasks[12];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		add(&lanes, &tasks[i], 0, "a", 2);
	for (size_t i = 6; i < 9; i++)
		add(&lanes, &tasks[i], 0, "b", 1);
	assert_string_equal(drain(&lanes), "ababaabaa");
	/* One that comes later has earned nothing in the meantime. */
	for (size_t i = 0; i < 3; i++)
		add(&lanes, &tasks[i], 0, "a", 1);
	for (size_t i = 3; i < 6; i++)
		add(&lanes, &tasks[i], 0, "z", 1);
	assert_string_equal(drain(&lanes), "zazaza");
	lanes_finish(&lanes);
}

static void withdrawn_tasks_leave_no_trace(void **state)
{
	struct matching_lanes lanes = { 0 };
	struct matching_task tasks[4];
	int64_t oldest_ns;

	(void)state;
	add(&lanes, &tasks[0], 0, "a", 0);
	add(&lanes, &tasks[1], 0, "b", 0);
	add(&lanes, &tasks[2], 0, "a", 0);
	add(&lanes, &tasks[3], 0, NULL, 0);
	lanes_remove(&lanes, &tasks[0]);
	lanes_remove(&lanes, &tasks[1]);
	assert_int_equal(lanes_count(&lanes, 0, &oldest_ns), 2);
	assert_string_equal(drain(&lanes), "a-");
	assert_int_equal(lanes_count(&lanes, 0, &oldest_ns), 0);
	lanes_finish(&lanes);
}

/* Many keys that come and go are forgotten. */
static void lanes_are_not_kept_for_ever(void **state)
{
	struct matching_lanes lanes = { 0 };
	struct matching_task task;
	char key[20];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct lanes_place place = { 0, key, 0, (uint64_t)i * 1000 };

		snprintf(key, sizeof(key), "%d", i);
		task = (struct matching_task){ .owner = key };
		assert_true(lanes_add(&lanes, &task, &place));
		drain(&lanes);
	}
	assert_true(lanes.n_lanes <= 1025);
	lanes_finish(&lanes);
}

static void limited_key_lets_others_by(void **state)
{
	struct matching_lanes lanes = { 0 };
	struct matching_task tasks[4];
	int64_t ready_ns;

	(void)state;
	lanes_limit_keys(&lanes, true, 1);
	add(&lanes, &tasks[0], 0, "a", 0);
	add(&lanes, &tasks[1], 0, "a", 0);
	add(&lanes, &tasks[2], 0, "b", 0);
	assert_string_equal(drain(&lanes), "ab");
	assert_null(lanes_first(&lanes, 0, &ready_ns));
	assert_int_equal(ready_ns, SECOND);
	assert_null(lanes_first(&lanes, SECOND - 1, &ready_ns));
	assert_ptr_equal(lanes_first(&lanes, SECOND, &ready_ns), &tasks[1]);
	lanes_remove(&lanes, &tasks[1]);
	lanes_finish(&lanes);
}

static void rates_allow_a_second_at_once(void **state)
{
	struct matching_rate rate = { 0 };

	(void)state;
	assert_int_equal(rate_ready_ns(&rate), 0);
	rate_set(&rate, 4);
	for (int i = 0; i < 4; i++) {
		assert_true(rate_ready_ns(&rate) <= 10 * SECOND);
		rate_take(&rate, 10 * SECOND);
	}
	assert_int_equal(rate_ready_ns(&rate), 10 * SECOND + 250 * MS);
	rate_set(&rate, 0);
	assert_int_equal(rate_ready_ns(&rate), INT64_MAX);
	rate_set(&rate, 0.5);
	rate_take(&rate, 10 * SECOND);
	assert_int_equal(rate_ready_ns(&rate), 12 * SECOND);
	rate_set(&rate, NAN);
	assert_int_equal(rate_ready_ns(&rate), INT64_MAX);
}

/* ---- A queue ---- */

static void one_more(const char *id, int32_t priority_key)
{
	Common__Priority priority = COMMON__PRIORITY__INIT;

	priority.priority_key = priority_key;
	schedule_activity(id, &priority);
	signal_workflow("more");
}

static void activities_go_by_priority(void **state)
{
	struct answer answer;

	(void)state;
	start_workflow();
	one_more("low", 5);
	one_more("usual", 0);
	one_more("high", 1);
	static const char *const order[] = { "high", "usual", "low" };
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(poll_activity(&answer)->activity_id, order[i]);
		forget(&answer);
	}
}

static void call_config(Workflowservice__UpdateTaskQueueConfigRequest *in, double per_second)
{
	Workflowservice__UpdateTaskQueueConfigRequest__RateLimitUpdate update =
		WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__RATE_LIMIT_UPDATE__INIT;
	Taskqueue__RateLimit limit = TASKQUEUE__RATE_LIMIT__INIT;

	limit.requests_per_second = (float)per_second;
	update.rate_limit = per_second < 0 ? NULL : &limit;
	in->namespace_ = "default";
	in->task_queue = "queue";
	in->task_queue_type = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
	in->update_queue_rate_limit = &update;
	call_well(frontend_update_task_queue_config, in);
	in->update_queue_rate_limit = NULL;
}

static struct task_queue *activity_queue(void)
{
	return matching_queue(&world.server, state_namespace(&world.server, "default"), "queue",
		MATCHING_QUEUE_ACTIVITY);
}

static void rate_holds_tasks_back(void **state)
{
	Workflowservice__UpdateTaskQueueConfigRequest in =
		WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__INIT;
	struct answer first, second;

	(void)state;
	start_workflow();
	one_more("a", 0);
	one_more("b", 0);
	call_config(&in, 1);
	poll_activity(&first);
	assert_true(first.done);
	poll_activity(&second);
	assert_false(second.done);
	world_pass(SECOND - 1);
	assert_false(second.done);
	world_pass(1);
	assert_true(second.done);
	forget(&first);
	forget(&second);
	call_config(&in, 0); /* nothing at all */
	one_more("c", 0);
	poll_activity(&first);
	world_pass(100 * SECOND);
	assert_false(first.done);
	call_config(&in, -1); /* without a limit again */
	assert_true(first.done);
	forget(&first);
}

static void workers_ask_for_a_rate(void **state)
{
	Workflowservice__PollActivityTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueueMetadata metadata = TASKQUEUE__TASK_QUEUE_METADATA__INIT;
	Google__DoubleValue rate = GOOGLE__DOUBLE_VALUE__INIT;
	struct answer first, second;

	(void)state;
	start_workflow();
	one_more("a", 0);
	one_more("b", 0);
	rate.value = 0.5;
	metadata.max_tasks_per_second = &rate;
	in.namespace_ = "default";
	in.task_queue = &queue;
	in.task_queue_metadata = &metadata;
	call(&first, frontend_poll_activity, &in);
	call(&second, frontend_poll_activity, &in);
	assert_true(first.done);
	assert_false(second.done);
	world_pass(2 * SECOND);
	assert_true(second.done);
	forget(&first);
	forget(&second);
}

static void settings_are_checked_and_kept(void **state)
{
	typedef Workflowservice__UpdateTaskQueueConfigRequest__SetFairnessWeightOverridesEntry
		entry_type;
	Workflowservice__UpdateTaskQueueConfigRequest in =
		WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__INIT;
	Workflowservice__UpdateTaskQueueConfigRequest__RateLimitUpdate update =
		WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__RATE_LIMIT_UPDATE__INIT;
	Taskqueue__RateLimit limit = TASKQUEUE__RATE_LIMIT__INIT;
	entry_type entry = CONFIG(SET_FAIRNESS_WEIGHT_OVERRIDES_ENTRY);
	entry_type *entries = &entry;
	static const char *many[SERVER_FAIRNESS_WEIGHTS_MAX + 1];
	const char *unset = "a";
	double weight = 1;

	(void)state;
	call_config(&in, 7);
	update.rate_limit = &limit;
	in.update_queue_rate_limit = &update;
	in.task_queue_type = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_WORKFLOW;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"Setting rate limit on workflow task queues is not allowed.");
	in.task_queue_type = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
	limit.requests_per_second = -1;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative.");
	limit.requests_per_second = NAN;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative.");
	in.update_queue_rate_limit = NULL;
	entry.key = "a";
	entry.value = NAN;
	in.set_fairness_weight_overrides = &entries;
	in.n_set_fairness_weight_overrides = 1;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"invalid fairness weight weight for key \"a\": must be greater than zero");
	entry.value = -1;
	in.set_fairness_weight_overrides = &entries;
	in.n_set_fairness_weight_overrides = 1;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"invalid fairness weight weight for key \"a\": must be greater than zero");
	entry.value = 3;
	call_well(frontend_update_task_queue_config, &in);
	matching_config_weight(activity_queue(), "a", &weight);
	assert_true(weight > 2.9 && weight < 3.1);
	in.unset_fairness_weight_overrides = &unset;
	in.n_unset_fairness_weight_overrides = 1;
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"fairness weight override key \"a\" present in both set and unset lists");
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = "b";
	in.unset_fairness_weight_overrides = many;
	in.n_unset_fairness_weight_overrides = sizeof(many) / sizeof(many[0]);
	call_badly(frontend_update_task_queue_config, &in, TEMPORAL_INVALID_ARGUMENT,
		"fairness weight overrides update rejected: exceeds maximum number of entries");
	/* As a restart reads it. */
	assert_true(matching_config_restore(&world.server, "1/1/other",
		activity_queue()->config.ptr, activity_queue()->config.len));
	struct task_queue *other = matching_queue(&world.server,
		state_namespace(&world.server, "default"), "other", MATCHING_QUEUE_ACTIVITY);
	assert_true(other->rate.limited && other->rate.per_second > 6.9);
	assert_false(matching_config_restore(&world.server, "1/9/other", "", 0));
}

/* ---- What is told ---- */

static void pollers_are_advised(void **state)
{
	const Workflowservice__PollActivityTaskQueueResponse *task;
	struct answer waits, quick;

	(void)state;
	start_workflow();
	poll_activity(&waits);
	world_pass(2 * SECOND);
	one_more("a", 0);
	task = waits.message;
	assert_int_equal(task->poller_scaling_decision->poll_request_delta_suggestion, -1);
	forget(&waits);
	one_more("b", 0);
	one_more("c", 0);
	world_pass(SECOND);
	task = poll_activity(&quick);
	assert_int_equal(task->poller_scaling_decision->poll_request_delta_suggestion, 1);
	forget(&quick);
}

static void describing_a_queue(void **state)
{
	Workflowservice__DescribeTaskQueueRequest in =
		WORKFLOWSERVICE__DESCRIBE_TASK_QUEUE_REQUEST__INIT;
	const Workflowservice__DescribeTaskQueueResponse *out;
	struct answer answer, poll;

	(void)state;
	start_workflow();
	one_more("a", 1);
	one_more("b", 0);
	poll_activity(&poll);
	forget(&poll);
	world_pass(10 * SECOND);
	in.namespace_ = "default";
	call_badly(frontend_describe_task_queue, &in, TEMPORAL_INVALID_ARGUMENT,
		"taskQueue is not set");
	in.task_queue = &queue;
	in.task_queue_type = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
	in.report_stats = true;
	call(&answer, frontend_describe_task_queue, &in);
	out = answer.message;
	assert_int_equal(out->stats->approximate_backlog_count, 1);
	assert_int_equal(out->stats->approximate_backlog_age->seconds, 10);
	assert_true(out->stats->tasks_add_rate > 0.19F && out->stats->tasks_add_rate < 0.21F);
	assert_int_equal(out->n_stats_by_priority_key, 2);
	assert_int_equal(out->stats_by_priority_key[0]->key, 1);
	assert_int_equal(out->n_pollers, 1);
	assert_string_equal(out->pollers[0]->identity, "worker");
	forget(&answer);
	in.api_mode = ENUMS__DESCRIBE_TASK_QUEUE_MODE__DESCRIBE_TASK_QUEUE_MODE_ENHANCED;
	call(&answer, frontend_describe_task_queue, &in);
	out = answer.message;
	assert_int_equal(out->n_versions_info, 1);
	assert_int_equal(out->versions_info[0]->value->n_types_info, 2);
	forget(&answer);
	world_pass(300 * SECOND); /* whoever polled is forgotten */
	in.api_mode = 0;
	call(&answer, frontend_describe_task_queue, &in);
	out = answer.message;
	assert_int_equal(out->n_pollers, 0);
	forget(&answer);
}

static void poll_of(struct answer *answer, const char *worker, const char *key)
{
	Workflowservice__PollActivityTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	in.identity = (char *)(uintptr_t)worker;
	in.worker_instance_key = (char *)(uintptr_t)key;
	call(answer, frontend_poll_activity, &in);
}

static void shut_down(const char *worker, const char *key)
{
	Workflowservice__ShutdownWorkerRequest in = WORKFLOWSERVICE__SHUTDOWN_WORKER_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = queue.name;
	in.identity = (char *)(uintptr_t)worker;
	in.worker_instance_key = (char *)(uintptr_t)key;
	call_well(frontend_shutdown_worker, &in);
}

/* A worker's polls end with it, also such as come late; others' stay. */
static void polls_end_with_their_worker(void **state)
{
	Workflowservice__DescribeTaskQueueRequest in =
		WORKFLOWSERVICE__DESCRIBE_TASK_QUEUE_REQUEST__INIT;
	struct answer gone, other, late, nameless, answer;
	const Workflowservice__PollActivityTaskQueueResponse *empty;
	const Workflowservice__DescribeTaskQueueResponse *out;

	(void)state;
	poll_of(&gone, "a", "key-a");
	poll_of(&other, "b", "key-b");
	poll_of(&nameless, "c", "");
	shut_down("a", "key-a");
	shut_down("c", "");
	assert_true(gone.done);
	empty = gone.message;
	assert_int_equal(empty->task_token.len, 0);
	poll_of(&late, "a", "key-a");
	assert_true(late.done);
	forget(&late);
	assert_false(other.done);
	assert_false(nameless.done);
	in.namespace_ = "default";
	in.task_queue = &queue;
	in.task_queue_type = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
	shut_down("a", "key-a");
	call(&answer, frontend_describe_task_queue, &in);
	out = answer.message;
	assert_int_equal(out->n_pollers, 2);
	assert_string_not_equal(out->pollers[0]->identity, "a");
	assert_string_not_equal(out->pollers[1]->identity, "a");
	forget(&answer);
	for (int i = 0; i < 100; i++) { /* only so many are remembered */
		char key[20];

		snprintf(key, sizeof(key), "key-%d", i);
		shut_down("d", key);
	}
	poll_of(&late, "d", "key-99");
	assert_true(late.done);
	forget(&late);
	world_pass(30 * SECOND);
	poll_of(&late, "d", "key-99");
	assert_false(late.done);
	late.request.cancelled(&late.request);
	other.request.cancelled(&other.request);
	nameless.request.cancelled(&nameless.request);
	forget(&gone);
	forget(&late);
	forget(&other);
	forget(&nameless);
}

static struct task_queue *name_queue(int number, bool makes)
{
	struct server *server = &world.server;
	struct server_namespace *space = state_namespace(server, "default");
	struct task_queue *found;
	char name[20];

	snprintf(name, sizeof(name), "name-%d", number);
	transition_begin(server);
	found = makes ? matching_queue(server, space, name, MATCHING_QUEUE_WORKFLOW)
		      : matching_find(server, space, name, MATCHING_QUEUE_WORKFLOW);
	transition_end(server);
	return found;
}

/* Of names that are used once there is a limited number, and none after some time; a queue with a
 * task, a poller or settings stays. */
static void queues_that_nobody_needs_go(void **state)
{
	Workflowservice__UpdateTaskQueueConfigRequest config =
		WORKFLOWSERVICE__UPDATE_TASK_QUEUE_CONFIG_REQUEST__INIT;
	struct answer poll;
	Taskqueue__TaskQueue other = TASKQUEUE__TASK_QUEUE__INIT;
	Workflowservice__PollActivityTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	struct matching *matching = &world.server.matching;

	(void)state;
	start_workflow(); /* its task waits */
	other.name = "polled";
	in.namespace_ = "default";
	in.task_queue = &other;
	call(&poll, frontend_poll_activity, &in);
	assert_false(poll.done);
	call_config(&config, 7);
	for (int i = 0; i < SERVER_IDLE_QUEUES_MAX + 5000; i++)
		assert_non_null(name_queue(i, true));
	assert_int_equal(matching->n_queues, SERVER_IDLE_QUEUES_MAX);
	assert_null(name_queue(0, false));
	assert_non_null(name_queue(SERVER_IDLE_QUEUES_MAX, false));
	world.now_ns += 299 * SECOND;
	name_queue(1, true);
	assert_true(matching->n_queues >= SERVER_IDLE_QUEUES_MAX);
	world.now_ns += SECOND;
	for (int i = 0; i < SERVER_IDLE_QUEUES_MAX / 2; i++)
		name_queue(-1, false);
	assert_int_equal(matching->n_queues, 4);
	assert_non_null(name_queue(1, false));
	world.now_ns += 300 * SECOND;
	for (int i = 0; i < 10; i++)
		name_queue(-1, false);
	assert_int_equal(matching->n_queues, 3);
	poll.request.cancelled(&poll.request);
	forget(&poll);
	schedule_activity("a", NULL);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priority_goes_first),
		cmocka_unit_test(keys_share_by_weight),
		cmocka_unit_test(withdrawn_tasks_leave_no_trace),
		cmocka_unit_test(lanes_are_not_kept_for_ever),
		cmocka_unit_test(limited_key_lets_others_by),
		cmocka_unit_test(rates_allow_a_second_at_once),
		TEST(activities_go_by_priority),
		TEST(rate_holds_tasks_back),
		TEST(workers_ask_for_a_rate),
		TEST(settings_are_checked_and_kept),
		TEST(pollers_are_advised),
		TEST(describing_a_queue),
		TEST(polls_end_with_their_worker),
		TEST(queues_that_nobody_needs_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
