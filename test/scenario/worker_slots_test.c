/*
 * Goal: never are there more tasks at a time than there are slots, wherever these come from: a
 * number, the machine's resources, or callbacks that answer at once, later, on another thread, or
 * not at all; every slot that was given comes back. Method: a workflow with many activities, local
 * activities or none, whose functions count how many of them run; callbacks that count slots.
 */
#include "worker_fixture.h"

#include <stdatomic.h>

struct count_in {
	int64_t ms;
};
typedef int64_t count_out;
TEMPORAL_ACTIVITY_CONTRACT(count, "count", ms);

struct fan_in {
	int64_t n, ms;
	bool local;
};
typedef int64_t fan_out;
TEMPORAL_WORKFLOW_CONTRACT(fan, "Fan", n, ms, local);

static atomic_int running, running_max, ran, eager;
static struct temporal_metrics *metrics;

/* Counts the activity tasks that came with the answer to a workflow task. */
static void on_value(const struct temporal_metric_value *value, void *user)
{
	if (strcmp(value->name, "temporal_activity_task_received") != 0)
		return;
	for (size_t i = 0; i < value->n_labels; i++) {
		if (!strcmp(value->labels[i].name, "eager") &&
			!strcmp(value->labels[i].value, "true"))
			atomic_fetch_add(&eager, 1);
	}
}

static const struct temporal_failure *count_run(
	struct act *act, const struct count_in *in, count_out *out)
{
	int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&running_max);

	(void)act;
	while (most < now && !atomic_compare_exchange_weak(&running_max, &most, now))
		;
	if (in->ms > 0)
		nanosleep(&(struct timespec){ .tv_nsec = in->ms * 1000000 }, NULL);
	atomic_fetch_sub(&running, 1);
	*out = atomic_fetch_add(&ran, 1) + 1;
	return NULL;
}
TEMPORAL_ACTIVITY(count);

static const struct wf_activity_opts within = { .start_to_close_ms = 30000 };
static const struct wf_local_opts local = { .start_to_close_ms = 30000 };

static fan_out fan_run(struct wf *wf, const struct fan_in *in)
{
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));

	for (int64_t i = 0; i < in->n; i++)
		futures[i] = in->local ? wf_start_local(wf, count, &local, .ms = in->ms)
				       : wf_start_activity(wf, count, &within, .ms = in->ms);
	for (int64_t i = 0; i < in->n; i++)
		wf_wait(wf, futures[i]);
	return in->n;
}
TEMPORAL_WORKFLOW(fan);

static void start_fan(struct temporal_worker_opts opts)
{
	static const struct temporal_workflow *const workflows[] = { &fan_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &count_activity, NULL };

	atomic_store(&running, 0);
	atomic_store(&running_max, 0);
	atomic_store(&ran, 0);
	opts.workflows = workflows;
	opts.activities = activities;
	start_worker(opts);
}

static void assert_fan(struct temporal_run *run, int64_t expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int64_t n = 0;

	if (temporal_result_(run, &fan, &n, NULL, 0, NULL, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	assert_int_equal(n, expected);
	temporal_run_unref(run);
}

/* ---- a tuner's numbers ---- */

static void a_tuner_has_fixed_numbers(void **state)
{
	start_fan((struct temporal_worker_opts){
		.tuner = &(const struct temporal_tuner){ .workflow = { .fixed_slots = 2 },
			.activity = { .fixed_slots = 3 },
			.local_activity = { .fixed_slots = 2 } } });
	assert_fan(START(fan, .n = 50, .ms = 2), 50);
	assert_int_equal(atomic_load(&running_max), 3);
	atomic_store(&running_max, 0);
	assert_fan(START(fan, .n = 20, .ms = 2, .local = true), 20);
	assert_int_equal(atomic_load(&running_max), 2);
}

static void resources_stay_between_their_numbers(void **state)
{
	/* Nothing is free below such targets: only the least is given. */
	start_fan((struct temporal_worker_opts){ .no_eager_activities = true,
		.tuner = &(const struct temporal_tuner){
			.workflow = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
			.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES, .min_slots = 2 },
			.local_activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES },
			.resources = { .target_memory = 1e-6, .target_cpu = 1e-6 } } });
	assert_fan(START(fan, .n = 30, .ms = 2), 30);
	assert_int_equal(atomic_load(&running_max), 2);
	atomic_store(&running_max, 0);
	assert_fan(START(fan, .n = 10, .ms = 2, .local = true), 10);
	assert_int_equal(atomic_load(&running_max), 1);
	stop_worker();
	/* Everything is: thresholds that no output is below. */
	start_fan((struct temporal_worker_opts){
		.tuner = &(const struct temporal_tuner){
			.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES,
				.max_slots = 4,
				.ramp_throttle_ms = TEMPORAL_OFF },
			.resources = { .target_memory = 1,
				.target_cpu = 1,
				.memory_threshold = -1000,
				.cpu_threshold = -1000 } } });
	assert_fan(START(fan, .n = 100, .ms = 2), 100);
	assert_int_equal(atomic_load(&running_max), 4);
}

/* 20 ms apart, one slot after the other: the third comes after 40 ms at the earliest. */
static void the_ramp_is_throttled(void **state)
{
	start_fan((struct temporal_worker_opts){ .no_eager_activities = true,
		.tuner = &(const struct temporal_tuner){
			.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES,
				.ramp_throttle_ms = 60000 },
			.resources = { .target_memory = 1,
				.target_cpu = 1,
				.memory_threshold = -1000,
				.cpu_threshold = -1000 } } });
	assert_fan(START(fan, .n = 20, .ms = 2), 20);
	assert_int_equal(atomic_load(&running_max), 1); /* a second one would take a minute */
}

/* ---- slots of one's own ---- */

/* A pool of `max` slots in all, each with a permit of its own. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int max, held, held_max, used, released, released_unused, refused;
	int by_kind[TEMPORAL_SLOT_KINDS]; /* taken */
	int sticky;
	bool bad; /* something was not as promised */
	bool permits[64];
	struct temporal_slot_reservation *waiting[8];
	bool stops;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Locked. NULL: none is free. */
static bool *take(void)
{
	if (pool.held >= pool.max)
		return NULL;
	for (size_t i = 0; i < 64; i++) {
		if (pool.permits[i])
			continue;
		pool.permits[i] = true;
		pool.held++;
		pool.held_max = pool.held > pool.held_max ? pool.held : pool.held_max;
		return &pool.permits[i];
	}
	return NULL;
}

static void check_request(const struct temporal_slot_request *request)
{
	if (strcmp(request->task_queue, fixture.queue) != 0 || !*request->identity ||
		!request->build_id || request->num_issued < 0)
		pool.bad = true;
	pool.sticky += request->is_sticky;
	pool.by_kind[request->kind]++;
}

static bool pool_try(const struct temporal_slot_request *request, void **permit, void *user)
{
	pthread_mutex_lock(&pool.lock);
	check_request(request);
	*permit = take();
	pool.refused += !*permit;
	pthread_mutex_unlock(&pool.lock);
	return *permit && user == &pool;
}

static void pool_reserve(const struct temporal_slot_request *request,
	struct temporal_slot_reservation *reservation, void *user)
{
	pthread_mutex_lock(&pool.lock);
	check_request(request);
	for (size_t i = 0; i < 8 && reservation; i++) {
		if (pool.waiting[i])
			continue;
		pool.waiting[i] = reservation;
		reservation = NULL;
	}
	pool.bad = pool.bad || reservation;
	pthread_cond_signal(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
}

static void pool_cancel(struct temporal_slot_reservation *reservation, void *user)
{
	pthread_mutex_lock(&pool.lock);
	for (size_t i = 0; i < 8; i++) {
		if (pool.waiting[i] == reservation)
			pool.waiting[i] = NULL;
	}
	pthread_mutex_unlock(&pool.lock);
	temporal_slot_reservation_refuse(reservation);
}

static void pool_used(const struct temporal_slot_use *use, void *user)
{
	const char *type =
		use->kind == TEMPORAL_SLOT_WORKFLOW ? use->workflow_type : use->activity_type;

	pthread_mutex_lock(&pool.lock);
	pool.used++;
	if (!use->is_used || !*(bool *)use->permit ||
		strcmp(type, use->kind == TEMPORAL_SLOT_WORKFLOW ? "Fan" : "count") != 0)
		pool.bad = true;
	pthread_mutex_unlock(&pool.lock);
}

static void pool_release(const struct temporal_slot_use *use, void *user)
{
	pthread_mutex_lock(&pool.lock);
	if (!use->permit || !*(bool *)use->permit)
		pool.bad = true;
	else
		*(bool *)use->permit = false;
	pool.held--;
	pool.released++;
	pool.released_unused += !use->is_used;
	if (use->is_used && use->kind == TEMPORAL_SLOT_ACTIVITY &&
		strcmp(use->activity_type, "count") != 0)
		pool.bad = true;
	pthread_cond_signal(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
}

static int32_t pool_available(enum temporal_slot_kind kind, void *user)
{
	pthread_mutex_lock(&pool.lock);
	int32_t free = pool.max - pool.held;

	pthread_mutex_unlock(&pool.lock);
	return free;
}

/* Grants what waits, whenever there is a slot. */
static void *grant(void *argument)
{
	pthread_mutex_lock(&pool.lock);
	while (!pool.stops) {
		struct temporal_slot_reservation *reservation = NULL;
		bool *permit = NULL;

		for (size_t i = 0; i < 8 && !reservation; i++) {
			permit = pool.waiting[i] ? take() : NULL;
			if (!permit)
				continue;
			reservation = pool.waiting[i];
			pool.waiting[i] = NULL;
		}
		if (!reservation) {
			pthread_cond_wait(&pool.changed, &pool.lock);
			continue;
		}
		pthread_mutex_unlock(&pool.lock);
		if (!temporal_slot_reservation_grant(reservation, permit))
			pool.bad = true;
		pthread_mutex_lock(&pool.lock);
	}
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

static const struct temporal_slot_callbacks trying = { .try_reserve = pool_try,
	.mark_used = pool_used,
	.release = pool_release,
	.available = pool_available };
static const struct temporal_slot_callbacks granting = { .name = "pool",
	.try_reserve = pool_try,
	.reserve = pool_reserve,
	.cancel = pool_cancel,
	.mark_used = pool_used,
	.release = pool_release };

static void start_pool(const struct temporal_slot_callbacks *callbacks, int max)
{
	const struct temporal_slot_supplier ours = {
		.source = TEMPORAL_SLOTS_BY_CALLBACKS, .callbacks = callbacks, .user = &pool
	};
	const struct temporal_tuner tuner = {
		.workflow = ours, .activity = ours, .local_activity = ours, .nexus = ours
	};

	pthread_mutex_lock(&pool.lock);
	memset(&pool.max, 0, sizeof(pool) - offsetof(__typeof__(pool), max));
	pool.max = max;
	pthread_mutex_unlock(&pool.lock);
	start_fan((struct temporal_worker_opts){ .tuner = &tuner });
}

static void assert_pool(int max, int activities)
{
	assert_false(pool.bad);
	assert_int_equal(pool.held, 0);
	assert_in_range(pool.held_max, 1, max);
	assert_in_range(pool.used, activities, pool.released);
	assert_int_equal(pool.released, pool.used + pool.released_unused);
	assert_true(pool.released_unused > 0); /* those of the polls that the shutdown ended */
	assert_true(pool.by_kind[TEMPORAL_SLOT_WORKFLOW] > 0 && pool.sticky > 0);
	assert_true(pool.by_kind[TEMPORAL_SLOT_ACTIVITY] > 0);
	assert_true(pool.by_kind[TEMPORAL_SLOT_LOCAL_ACTIVITY] > 0);
}

static void slots_of_ones_own_are_asked_for(void **state)
{
	start_pool(&trying, 12);
	assert_fan(START(fan, .n = 100, .ms = 1), 100);
	assert_fan(START(fan, .n = 30, .ms = 1, .local = true), 30);
	stop_worker();
	assert_true(pool.refused > 0);
	assert_pool(12, 130);
}

static void slots_of_ones_own_come_later(void **state)
{
	pthread_t thread;

	start_pool(&granting, 12);
	assert_int_equal(pthread_create(&thread, NULL, grant, NULL), 0);
	assert_fan(START(fan, .n = 100, .ms = 1), 100);
	assert_fan(START(fan, .n = 30, .ms = 1, .local = true), 30);
	stop_worker();
	pthread_mutex_lock(&pool.lock);
	pool.stops = true;
	pthread_cond_signal(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
	pthread_join(thread, NULL);
	assert_pool(12, 130);
}

/* Nobody grants: the worker is idle, and stops without waiting for a slot. */
static void a_worker_without_slots_stops(void **state)
{
	start_pool(&granting, 0);
	wait_for_events(TEMPORAL_EVENT_WORKER_STARTED, 1);
	stop_worker();
	assert_int_equal(pool.held_max, 0);
	assert_true(pool.by_kind[TEMPORAL_SLOT_WORKFLOW] > 0);
}

static void reserve_at_once(const struct temporal_slot_request *request,
	struct temporal_slot_reservation *reservation, void *user)
{
	void *permit = NULL;
	bool given = pool_try(request, &permit, user);

	if (given)
		pool.bad = pool.bad || !temporal_slot_reservation_grant(reservation, permit);
	else
		pool.bad = pool.bad || !temporal_slot_reservation_refuse(reservation);
	/* A second answer has no effect. */
	pool.bad = pool.bad || temporal_slot_reservation_grant(reservation, NULL) ||
		   temporal_slot_reservation_refuse(reservation);
}

static void a_reservation_may_end_in_its_callback(void **state)
{
	struct temporal_slot_callbacks callbacks = granting;

	callbacks.reserve = reserve_at_once;
	start_pool(&callbacks, 12);
	assert_fan(START(fan, .n = 100, .ms = 1), 100);
	assert_fan(START(fan, .n = 30, .ms = 1, .local = true), 30);
	stop_worker();
	assert_pool(12, 130);
}

/* ---- rates and eager activities ---- */

static void local_activities_are_spaced(void **state)
{
	start_fan((struct temporal_worker_opts){ .max_local_activities_per_second = 100 });
	int64_t begun_ms = test_now_ms();

	assert_fan(START(fan, .n = 21, .local = true), 21);
	assert_true(test_now_ms() - begun_ms >= 200);
}

/* All ten are scheduled by one task; so many of them come with its answer. */
static void eager_activities_are_limited(void **state)
{
	start_fan((struct temporal_worker_opts){ .max_eager_activities_per_workflow_task = 10,
		.max_concurrent_eager_activities = 2 });
	atomic_store(&eager, 0);
	assert_fan(START(fan, .n = 10, .ms = 20), 10);
	assert_int_equal(atomic_load(&eager), 2);
	stop_worker();
	start_fan((struct temporal_worker_opts){ .max_eager_activities_per_workflow_task = 10 });
	atomic_store(&eager, 0);
	assert_fan(START(fan, .n = 10, .ms = 20), 10);
	assert_int_equal(atomic_load(&eager), 10);
}

static void without_eager_starts_all_are_polled(void **state)
{
	start_fan((struct temporal_worker_opts){
		.max_eager_activities_per_workflow_task = 10, .no_eager_activities = true });
	atomic_store(&eager, 0);
	assert_fan(START(fan, .n = 10, .ms = 1), 10);
	assert_int_equal(atomic_load(&eager), 0);
}

static int begin_file(void **state)
{
	struct temporal_error err;

	metrics = temporal_metrics_new(&err, .on_value = on_value);
	assert_non_null(metrics);
	fixture.client =
		temporal_client_connect(&err, .target = test_server_shared(), .metrics = metrics);
	assert_non_null(fixture.client);
	return 0;
}

static int end_file(void **state)
{
	end_all(state);
	temporal_metrics_unref(metrics);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tuner_has_fixed_numbers, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			resources_stay_between_their_numbers, begin_test, end_test),
		cmocka_unit_test_setup_teardown(the_ramp_is_throttled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			slots_of_ones_own_are_asked_for, begin_test, end_test),
		cmocka_unit_test_setup_teardown(slots_of_ones_own_come_later, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_worker_without_slots_stops, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_reservation_may_end_in_its_callback, begin_test, end_test),
		cmocka_unit_test_setup_teardown(local_activities_are_spaced, begin_test, end_test),
		cmocka_unit_test_setup_teardown(eager_activities_are_limited, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			without_eager_starts_all_are_polled, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_file, end_file);
}
