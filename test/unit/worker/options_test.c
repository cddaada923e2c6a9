/*
 * A worker's options. Goal: whatever does not fit is refused with a message that names the option,
 * and what is left out has its documented default. Method: one set of good options, and a table of
 * changes to it with the expected words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/options.h"

static const struct temporal_contract order = { .name = "Order",
	.definition = TEMPORAL_DEFINES_WORKFLOW };
static const struct temporal_contract refund = { .name = "Refund",
	.definition = TEMPORAL_DEFINES_WORKFLOW };
static const struct temporal_contract charge = { .name = "charge",
	.definition = TEMPORAL_DEFINES_ACTIVITY };
static const struct temporal_workflow order_workflow = { .contract = &order },
				      refund_workflow = { .contract = &refund };
static const struct temporal_workflow named_workflow = { .name = "Order" },
				      any_workflow = { .name = NULL };
static const struct temporal_workflow confused_workflow = { .contract = &charge };
static const struct temporal_activity charge_activity = { .contract = &charge },
				      any_activity = { .contract = NULL };
static const struct temporal_activity confused_activity = { .contract = &order };

#define WORKFLOWS(...)  ((const struct temporal_workflow *const[]){ __VA_ARGS__, NULL })
#define ACTIVITIES(...) ((const struct temporal_activity *const[]){ __VA_ARGS__, NULL })

static struct arena arena;

static enum temporal_code complete(struct temporal_worker_opts *opts,
	struct temporal_worker_opts given, struct temporal_error *err)
{
	return worker_options_complete(opts, &given, sizeof(given), "me@here", &arena, err);
}

static const struct temporal_workflow *const order_alone[] = { &order_workflow, NULL };

static struct temporal_worker_opts good(void)
{
	return (struct temporal_worker_opts){ .task_queue = "orders", .workflows = order_alone };
}

static void assert_refused(struct temporal_worker_opts given, const char *word)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, given, &err), TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, word));
}

#define REFUSED(word_, ...) \
	do { \
		struct temporal_worker_opts given_ = { .task_queue = "orders", \
			.workflows = WORKFLOWS(&order_workflow), \
			__VA_ARGS__ }; \
		assert_refused(given_, (word_)); \
	} while (0)

static void what_is_left_out_has_its_default(void **state)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, good(), &err), TEMPORAL_OK);
	assert_string_equal(opts.identity, "me@here");
	assert_true(strlen(opts.build_id) >= 16); /* registration_test compares it */
	assert_int_equal(opts.max_cached_workflows, 1000);
	assert_int_equal(opts.max_cached_bytes, 0);
	assert_int_equal(opts.max_concurrent_workflow_tasks, 100);
	assert_int_equal(opts.max_concurrent_activities, 100);
	assert_int_equal(opts.workflow_task_pollers, 5);
	assert_int_equal(opts.activity_task_pollers, 5);
	assert_true(opts.nonsticky_to_sticky_poll_ratio == 0.2);
	assert_int_equal(opts.sticky_schedule_to_start_timeout_ms, 10000);
	assert_int_equal(opts.max_heartbeat_throttle_interval_ms, 60000);
	assert_int_equal(opts.default_heartbeat_throttle_interval_ms, 30000);
	assert_int_equal(opts.max_eager_activities_per_workflow_task, 3);
	assert_int_equal(opts.graceful_shutdown_timeout_ms, 0);
	assert_int_equal(opts.max_concurrent_local_activities, 100);
	assert_int_equal(opts.max_concurrent_nexus_tasks, 100);
	assert_int_equal(opts.nexus_task_pollers, 5);
	assert_int_equal(opts.workflow_threads, 2);
	assert_int_equal(opts.activity_stack_size, 1024 * 1024);
	assert_int_equal(opts.deadlock_timeout_ms, 2000);
	assert_int_equal(opts.isolated_kill_grace_ms, 5000);
	assert_non_null(opts.activities);
	assert_null(opts.activities[0]);
}

#define TUNER(...) \
	.tuner = &(const struct temporal_tuner) \
	{ \
		__VA_ARGS__ \
	}

static bool no_slot(const struct temporal_slot_request *request, void **permit, void *user)
{
	return false;
}

static void no_release(const struct temporal_slot_use *use, void *user)
{
}

static void no_reservation(const struct temporal_slot_request *request,
	struct temporal_slot_reservation *reservation, void *user)
{
}

static void a_tuner_has_its_defaults(void **state)
{
	const struct temporal_tuner tuner = { .activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
		.local_activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES,
			.ramp_throttle_ms = TEMPORAL_OFF },
		.nexus = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
		.resources = {
			.target_memory = 0.5, .target_cpu = 0.6, .cpu_d_gain = TEMPORAL_OFF } };
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;

	given.tuner = &tuner;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_ptr_not_equal(opts.tuner, &tuner);
	assert_int_equal(opts.tuner->workflow.fixed_slots, 100);
	assert_int_equal(opts.tuner->activity.min_slots, 1);
	assert_int_equal(opts.tuner->activity.max_slots, 10000);
	assert_int_equal(opts.tuner->activity.ramp_throttle_ms, 50);
	assert_int_equal(opts.tuner->local_activity.ramp_throttle_ms, 0);
	assert_int_equal(opts.tuner->nexus.ramp_throttle_ms, 0);
	assert_true(opts.tuner->resources.memory_p_gain == 5);
	assert_true(opts.tuner->resources.memory_i_gain == 0);
	assert_true(opts.tuner->resources.memory_d_gain == 1);
	assert_true(opts.tuner->resources.memory_threshold == 0.25);
	assert_true(opts.tuner->resources.cpu_p_gain == 5);
	assert_true(opts.tuner->resources.cpu_d_gain == 0);
	assert_true(opts.tuner->resources.cpu_threshold == 0.05);
}

static void a_tuner_that_does_not_fit_is_refused(void **state)
{
	static const struct temporal_slot_callbacks none = { .name = "none" }, endless = {
		.try_reserve = no_slot, .release = no_release, .reserve = no_reservation
	};

	REFUSED("max_concurrent_*", .max_concurrent_activities = 5, TUNER(.nexus = { 0 }));
	REFUSED(".tuner.workflow.fixed_slots", TUNER(.workflow = { .fixed_slots = 1 }));
	REFUSED(".tuner.activity.fixed_slots", TUNER(.activity = { .fixed_slots = -1 }));
	REFUSED("target_memory", TUNER(.nexus = { .source = TEMPORAL_SLOTS_BY_RESOURCES }));
	REFUSED("target_cpu", TUNER(.nexus = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
				      .resources = { .target_memory = 1, .target_cpu = 1.5 }));
	REFUSED(".tuner.activity.min_slots",
		TUNER(.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES,
			      .min_slots = 5,
			      .max_slots = 4 }));
	REFUSED(".tuner.workflow.max_slots",
		TUNER(.workflow = { .source = TEMPORAL_SLOTS_BY_RESOURCES,
			      .min_slots = 1,
			      .max_slots = 1 }));
	REFUSED(".tuner.activity.ramp_throttle_ms",
		TUNER(.activity = {
			      .source = TEMPORAL_SLOTS_BY_RESOURCES, .ramp_throttle_ms = -2 }));
	REFUSED(".tuner.activity.callbacks",
		TUNER(.activity = { .source = TEMPORAL_SLOTS_BY_CALLBACKS }));
	REFUSED("try_reserve and release",
		TUNER(.activity = { .source = TEMPORAL_SLOTS_BY_CALLBACKS, .callbacks = &none }));
	REFUSED("cancel with reserve",
		TUNER(.nexus = { .source = TEMPORAL_SLOTS_BY_CALLBACKS, .callbacks = &endless }));
	REFUSED(".tuner.nexus.source", TUNER(.nexus = { .source = (enum temporal_slot_source)9 }));
}

#define SCALED(...) (&(const struct temporal_autoscaling){ __VA_ARGS__ })

static void autoscaling_has_its_defaults(void **state)
{
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_ptr_equal(opts.workflow_task_autoscaling, &worker_autoscaling_enrolled);
	given.workflow_task_pollers = 3;
	given.activity_task_autoscaling = SCALED(0);
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_null(opts.workflow_task_autoscaling);
	assert_ptr_not_equal(opts.activity_task_autoscaling, given.activity_task_autoscaling);
	assert_int_equal(opts.activity_task_autoscaling->min_pollers, 1);
	assert_int_equal(opts.activity_task_autoscaling->max_pollers, 100);
	assert_int_equal(opts.activity_task_autoscaling->initial_pollers, 5);
	REFUSED("expected one of them", .workflow_task_pollers = 3,
		.workflow_task_autoscaling = SCALED(0));
	REFUSED("activity_task_autoscaling", .activity_task_autoscaling = SCALED(6, 100, 5));
	REFUSED("activity_task_autoscaling", .activity_task_autoscaling = SCALED(1, 4, 5));
	REFUSED("workflow_task_autoscaling", .workflow_task_autoscaling = SCALED(-1, 4, 2));
	REFUSED("workflow_task_autoscaling", .workflow_task_autoscaling = SCALED(1, 1001, 2));
	REFUSED("nexus_task_autoscaling", .nexus_task_autoscaling = SCALED(1, 4, 5));
}

static void everything_is_copied(void **state)
{
	char queue[] = "orders", identity[] = "myself";
	const struct temporal_activity *activities[] = { &charge_activity, NULL };
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts,
				 (struct temporal_worker_opts){ .task_queue = queue,
					 .identity = identity,
					 .activities = activities },
				 &err),
		TEMPORAL_OK);
	memset(queue, 'x', 6);
	memset(identity, 'x', 6);
	activities[0] = NULL;
	assert_string_equal(opts.task_queue, "orders");
	assert_string_equal(opts.identity, "myself");
	assert_ptr_equal(opts.activities[0], &charge_activity);
	assert_null(opts.activities[1]);
}

/* A program that was compiled when the struct was shorter passes its size; what it did not know is
 * 0. */
static void an_older_caller_is_understood(void **state)
{
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;

	memset((char *)&given + offsetof(struct temporal_worker_opts, max_concurrent_activities),
		0xEE,
		sizeof(given) - offsetof(struct temporal_worker_opts, max_concurrent_activities));
	assert_int_equal(worker_options_complete(&opts, &given,
				 offsetof(struct temporal_worker_opts, max_concurrent_activities),
				 "me", &arena, &err),
		TEMPORAL_OK);
	assert_int_equal(opts.max_concurrent_activities, 100);
	assert_null(opts.on_event);
}

static void off_means_none(void **state)
{
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;

	given.max_cached_workflows = TEMPORAL_OFF;
	given.max_concurrent_workflow_tasks = 1;
	given.max_activities_per_second = TEMPORAL_OFF;
	given.graceful_shutdown_timeout_ms = TEMPORAL_OFF;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.max_cached_workflows, 0);
	assert_true(opts.max_activities_per_second == 0);
	assert_int_equal(opts.graceful_shutdown_timeout_ms, TEMPORAL_OFF);
}

static void what_is_missing_is_named(void **state)
{
	assert_refused((struct temporal_worker_opts){ .workflows = WORKFLOWS(&order_workflow) },
		"task_queue");
	assert_refused((struct temporal_worker_opts){ .task_queue = "",
			       .workflows = WORKFLOWS(&order_workflow) },
		"task_queue");
	assert_refused((struct temporal_worker_opts){ .task_queue = "orders" },
		"no .workflows, .activities or .nexus_services");
	assert_refused((struct temporal_worker_opts){ .task_queue = "orders",
			       .activities = ACTIVITIES(&charge_activity),
			       .no_remote_activities = true },
		"no_remote_activities");
}

static void names_are_unique(void **state)
{
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .workflows = WORKFLOWS(
				       &order_workflow, &refund_workflow, &order_workflow) },
		"Order");
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .workflows = WORKFLOWS(&order_workflow, &named_workflow) },
		"Order");
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .workflows = WORKFLOWS(&any_workflow, &any_workflow) },
		"none");
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .activities = ACTIVITIES(&charge_activity, &charge_activity) },
		"activities[0] and [1]");
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .activities = ACTIVITIES(&any_activity, &any_activity) },
		"none");
}

static void kinds_are_not_confused(void **state)
{
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .workflows = WORKFLOWS(&confused_workflow) },
		"workflows[0]");
	assert_refused((struct temporal_worker_opts){ .task_queue = "q",
			       .activities = ACTIVITIES(&confused_activity) },
		"activities[0]");
}

static void numbers_have_ranges(void **state)
{
	REFUSED("max_cached_workflows", .max_cached_workflows = -2);
	REFUSED("max_cached_bytes", .max_cached_bytes = -2);
	REFUSED("max_concurrent_workflow_tasks", .max_concurrent_workflow_tasks = TEMPORAL_OFF);
	REFUSED("at least 2 with a cache", .max_concurrent_workflow_tasks = 1);
	REFUSED("max_concurrent_activities", .max_concurrent_activities = -5);
	REFUSED("max_concurrent_activities", .max_concurrent_activities = 100001);
	REFUSED("workflow_task_pollers", .workflow_task_pollers = -1);
	REFUSED("activity_task_pollers", .activity_task_pollers = 1001);
	REFUSED("nonsticky_to_sticky_poll_ratio", .nonsticky_to_sticky_poll_ratio = 1.5);
	REFUSED("nonsticky_to_sticky_poll_ratio", .nonsticky_to_sticky_poll_ratio = -0.5);
	REFUSED("sticky_schedule_to_start_timeout_ms", .sticky_schedule_to_start_timeout_ms = -1);
	REFUSED("max_activities_per_second", .max_activities_per_second = -2);
	REFUSED("max_activities_per_second", .max_activities_per_second = 0.0 / 0.0);
	REFUSED("graceful_shutdown_timeout_ms", .graceful_shutdown_timeout_ms = -2);
	REFUSED("workflow_threads", .workflow_threads = 257);
	REFUSED("workflow_stack_size", .workflow_stack_size = 4096);
	REFUSED("activity_stack_size", .activity_stack_size = INT64_MAX);
}

static void texts_are_utf8_of_limited_length(void **state)
{
	static char longest[1002];

	memset(longest, 'q', 1001);
	REFUSED("identity", .identity = longest);
	REFUSED("build_id", .build_id = "\xFF");
	longest[1000] = '\0';
	struct temporal_worker_opts opts, given = good();
	struct temporal_error err;

	given.task_queue = longest;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
}

static void activities_are_found_by_name(void **state)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, good(), &err), TEMPORAL_OK);
	assert_null(worker_options_activity(&opts, "charge"));
	assert_int_equal(
		complete(&opts,
			(struct temporal_worker_opts){ .task_queue = "q",
				.activities = ACTIVITIES(&any_activity, &charge_activity) },
			&err),
		TEMPORAL_OK);
	assert_ptr_equal(worker_options_activity(&opts, "charge"), &charge_activity);
	assert_ptr_equal(worker_options_activity(&opts, "refund"), &any_activity);
}

static int set_up(void **state)
{
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	return 0;
}

static int tear_down(void **state)
{
	arena_finish(&arena);
	return 0;
}

/* A child process finds its activities only if main has let it, and only among the constants. */
static void isolation_has_its_conditions(void **state)
{
	struct temporal_activity local = { .contract = &charge };
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;
	char program[] = "program", *argv[] = { program, NULL };

	given.activities = ACTIVITIES(&charge_activity);
	given.isolation = TEMPORAL_ISOLATE_PROCESS;
	assert_refused(given, "temporal_isolate_main");
	temporal_isolate_main(1, argv);
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.isolated_kill_grace_ms, 5000);
	given.short_activities = true;
	assert_refused(given, ".short_activities");
	given.short_activities = false;
	given.isolation = (enum temporal_isolation)7;
	assert_refused(given, ".isolation is 7");
	given.isolation = TEMPORAL_ISOLATE_DEFAULT;
	given.activities = ACTIVITIES(&local);
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	local.isolation = TEMPORAL_ISOLATE_PROCESS;
	assert_refused(given, "constant of the program");
	given.max_isolated_processes = TEMPORAL_OFF;
	assert_refused(given, ".max_isolated_processes");
}

/* Nobody can look after code that runs on the looker's own thread; a debugger stops it at will. */
static void the_deadlock_detector_has_its_conditions(void **state)
{
	struct temporal_worker_opts given = good(), opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.deadlock_timeout_ms, 2000);
	given.workflow_threads = TEMPORAL_OFF;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.deadlock_timeout_ms, 0);
	given.deadlock_timeout_ms = 1000;
	assert_refused(given, ".deadlock_timeout_ms is 1000");
	given.workflow_threads = 0;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.deadlock_timeout_ms, 1000);
	given.debug_mode = true;
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	assert_int_equal(opts.deadlock_timeout_ms, 0);
	given.debug_mode = false;
	setenv("TEMPORAL_DEBUG", "1", 1);
	assert_int_equal(complete(&opts, given, &err), TEMPORAL_OK);
	unsetenv("TEMPORAL_DEBUG");
	assert_int_equal(opts.deadlock_timeout_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(a_tuner_has_its_defaults),
		cmocka_unit_test(a_tuner_that_does_not_fit_is_refused),
		cmocka_unit_test(autoscaling_has_its_defaults),
		cmocka_unit_test(everything_is_copied),
		cmocka_unit_test(an_older_caller_is_understood),
		cmocka_unit_test(off_means_none),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(kinds_are_not_confused),
		cmocka_unit_test(numbers_have_ranges),
		cmocka_unit_test(texts_are_utf8_of_limited_length),
		cmocka_unit_test(activities_are_found_by_name),
		cmocka_unit_test(isolation_has_its_conditions),
		cmocka_unit_test(the_deadlock_detector_has_its_conditions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
