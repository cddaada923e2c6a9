/*
 * Goal: no setting of slots, polls, threads and cache loses a task, or runs more at a time than it
 * allows; under a thread sanitizer, none has a race. Method: 24 settings drawn at random from a
 * seed that is printed (TEMPORAL_TEST_SEED repeats it), each with the same load: workflows that
 * start activities and local activities together and wait in between.
 */
#include "worker_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SETTINGS 24
#define RUNS     6
#define STEPS    6

struct tick_in {
	int64_t n;
	bool local;
};
typedef int64_t tick_out;
TEMPORAL_ACTIVITY_CONTRACT(tick, "tick", n, local);

struct dial_in {
	int64_t n;
};
typedef int64_t dial_out;
TEMPORAL_WORKFLOW_CONTRACT(dial, "Dial", n);

static atomic_int running[2], most[2], ran;

static const struct temporal_failure *tick_run(
	struct act *act, const struct tick_in *in, tick_out *out)
{
	int now = atomic_fetch_add(&running[in->local], 1) + 1,
	    seen = atomic_load(&most[in->local]);

	while (seen < now && !atomic_compare_exchange_weak(&most[in->local], &seen, now))
		;
	if (in->n % 3 == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	atomic_fetch_add(&ran, 1);
	atomic_fetch_sub(&running[in->local], 1);
	*out = in->n;
	return NULL;
}
TEMPORAL_ACTIVITY(tick);

static dial_out dial_run(struct wf *wf, const struct dial_in *in)
{
	static const struct wf_activity_opts remote = { .start_to_close_ms = 30000 };
	static const struct wf_local_opts here = { .start_to_close_ms = 30000 };
	struct wf_future *futures[2 * STEPS];
	int64_t sum = 0;

	for (int i = 0; i < STEPS; i++) {
		futures[2 * i] = wf_start_activity(wf, tick, &remote, .n = i);
		futures[2 * i + 1] = wf_start_local(wf, tick, &here, .n = i, .local = true);
	}
	wf_sleep(wf, 1);
	for (int i = 0; i < 2 * STEPS; i++) {
		wf_wait(wf, futures[i]);
		sum += i / 2;
	}
	return sum + wf_activity(wf, tick, &remote, .n = in->n);
}
TEMPORAL_WORKFLOW(dial);

/* ---- settings ---- */

static uint64_t state;

/* From `least` to `greatest` (xorshift64*). */
static int32_t draw(int32_t least, int32_t greatest)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return least + (int32_t)(state * 0x2545F4914F6CDD1DULL >> 33) % (greatest - least + 1);
}

static bool always(const struct temporal_slot_request *request, void **permit, void *user)
{
	return request->num_issued < 8;
}

static void release(const struct temporal_slot_use *use, void *user)
{
}

static const struct temporal_slot_callbacks eight = { .try_reserve = always, .release = release };

struct setting {
	struct temporal_worker_opts opts;
	struct temporal_tuner tuner;
	struct temporal_autoscaling workflows, activities;
	int32_t remote_max, local_max; /* that may run at a time */
};

/* Returns how many there may be at a time. */
static int32_t draw_supplier(struct temporal_slot_supplier *supplier, int32_t least)
{
	*supplier =
		(struct temporal_slot_supplier){ .source = (enum temporal_slot_source)draw(0, 2) };
	switch (supplier->source) {
	case TEMPORAL_SLOTS_FIXED:
		return supplier->fixed_slots = draw(least, 12);
	case TEMPORAL_SLOTS_BY_RESOURCES:
		supplier->min_slots = draw(1, 3);
		supplier->ramp_throttle_ms = draw(0, 1) ? TEMPORAL_OFF : 5;
		return supplier->max_slots = draw(3, 12);
	case TEMPORAL_SLOTS_BY_CALLBACKS:
		break;
	}
	supplier->callbacks = &eight;
	return 8;
}

static struct temporal_autoscaling draw_scaling(void)
{
	struct temporal_autoscaling scaling = { .min_pollers = draw(1, 2) };

	scaling.initial_pollers = scaling.min_pollers + draw(0, 3);
	scaling.max_pollers = scaling.initial_pollers + draw(0, 5);
	return scaling;
}

static void draw_setting(struct setting *setting)
{
	static const struct temporal_workflow *const workflows[] = { &dial_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &tick_activity, NULL };
	struct temporal_worker_opts *opts = &setting->opts;

	*setting = (struct setting){ .workflows = draw_scaling(), .activities = draw_scaling() };
	opts->workflows = workflows;
	opts->activities = activities;
	opts->max_cached_workflows = draw(0, 3) ? draw(1, 8) : TEMPORAL_OFF;
	opts->workflow_threads = draw(0, 3) ? draw(1, 3) : TEMPORAL_OFF;
	opts->no_eager_activities = draw(0, 1);
	opts->max_concurrent_eager_activities = draw(0, 2);
	opts->nonsticky_to_sticky_poll_ratio = draw(1, 10) / 10.0;
	if (draw(0, 1)) {
		opts->tuner = &setting->tuner;
		draw_supplier(&setting->tuner.workflow, 2);
		setting->remote_max = draw_supplier(&setting->tuner.activity, 1);
		setting->local_max = draw_supplier(&setting->tuner.local_activity, 1);
		setting->tuner.resources.target_memory = 0.95;
		setting->tuner.resources.target_cpu = 0.95;
	} else {
		opts->max_concurrent_workflow_tasks = draw(2, 8);
		opts->max_concurrent_activities = setting->remote_max = draw(1, 8);
		opts->max_concurrent_local_activities = setting->local_max = draw(1, 8);
	}
	if (draw(0, 1))
		opts->workflow_task_autoscaling = &setting->workflows;
	else
		opts->workflow_task_pollers = draw(1, 6);
	if (draw(0, 1))
		opts->activity_task_autoscaling = &setting->activities;
	else
		opts->activity_task_pollers = draw(1, 6);
}

static void run_load(void)
{
	struct temporal_run *runs[RUNS];

	for (int i = 0; i < RUNS; i++)
		runs[i] = START(dial, .n = i);
	for (int i = 0; i < RUNS; i++) {
		struct temporal_error err = { .code = TEMPORAL_OK };
		int64_t sum = 0;

		if (temporal_result_(runs[i], &dial, &sum, NULL, 0, NULL, &err) != TEMPORAL_OK)
			print_message("%s\n", err.message);
		assert_int_equal(err.code, TEMPORAL_OK);
		assert_int_equal(sum, STEPS * (STEPS - 1) + i);
		temporal_run_unref(runs[i]);
	}
}

static void every_setting_does_all_tasks(void **ignored)
{
	const char *given = getenv("TEMPORAL_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
	struct setting setting;

	print_message("seed %llu\n", (unsigned long long)seed);
	state = seed | 1;
	/* The real server takes a second for each. */
	for (int i = 0; i < (test_server_is_real() ? SETTINGS / 6 : SETTINGS); i++) {
		begin_test(ignored); /* a queue that no poll was cancelled on */
		for (int kind = 0; kind < 2; kind++)
			atomic_store(&most[kind], 0);
		atomic_store(&ran, 0);
		draw_setting(&setting);
		start_worker(setting.opts);
		run_load();
		stop_worker();
		assert_int_equal(atomic_load(&ran), RUNS * (2 * STEPS + 1));
		assert_in_range(atomic_load(&most[0]), 1, setting.remote_max);
		assert_in_range(atomic_load(&most[1]), 1, setting.local_max);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_setting_does_all_tasks, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
