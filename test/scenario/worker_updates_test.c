/*
 * Updates against a server: executed, started and waited for, found by id, rejected, failed, with a
 * start, while the run is cached and when it has to be built again.
 *
 * Method: one workflow with a typed update whose handler waits for a signal, one that answers at
 * once, and one without arguments; clients as a user writes them.
 */
#include "worker_fixture.h"

struct shop {
	int stock;
	bool open, closing;
};
typedef int shop_out;
TEMPORAL_WORKFLOW_CONTRACT_0(shop, "Shop");
TEMPORAL_SIGNAL_CONTRACT_0(shop_open, "open");
TEMPORAL_SIGNAL_CONTRACT_0(shop_close, "close");

struct shop_sell_in {
	int amount;
	const char *to;
};
typedef const char *shop_sell_out;
TEMPORAL_UPDATE_CONTRACT(shop_sell, "sell", amount, to);

struct shop_refill_in {
	int amount;
};
typedef int shop_refill_out;
TEMPORAL_UPDATE_CONTRACT(shop_refill, "refill", amount);

typedef void shop_dust_out;
TEMPORAL_UPDATE_CONTRACT_0(shop_dust, "dust");

static void shop_open_run(struct wf *wf, struct shop *self)
{
	self->open = true;
}
TEMPORAL_SIGNAL_0(shop, open);

static void shop_close_run(struct wf *wf, struct shop *self)
{
	self->closing = true;
}
TEMPORAL_SIGNAL_0(shop, close);

static bool is_open(const void *state)
{
	return ((const struct shop *)state)->open;
}

static bool is_closing(const void *state)
{
	return ((const struct shop *)state)->closing;
}

static const struct temporal_failure *shop_sell_check(
	const struct wf *wf, const struct shop *self, const struct shop_sell_in *in)
{
	return in->amount > 0 ? NULL : wf_failure(wf, "Amount", "%d is not sold", in->amount);
}

static shop_sell_out shop_sell_run(struct wf *wf, struct shop *self, const struct shop_sell_in *in)
{
	wf_wait(wf, wf_until(wf, is_open, self));
	if (in->amount > self->stock)
		wf_fail(wf, "Stock", "only %d are there", self->stock);
	self->stock -= in->amount;
	return wf_printf(wf, "%d to %s", in->amount, in->to);
}
TEMPORAL_UPDATE(shop, sell);

static const struct temporal_failure *shop_refill_check(
	const struct wf *wf, const struct shop *self, const struct shop_refill_in *in)
{
	return NULL;
}

static shop_refill_out shop_refill_run(
	struct wf *wf, struct shop *self, const struct shop_refill_in *in)
{
	return self->stock += in->amount;
}
TEMPORAL_UPDATE(shop, refill);

static const struct temporal_failure *shop_dust_check(const struct wf *wf, const struct shop *self)
{
	return NULL;
}

static void shop_dust_run(struct wf *wf, struct shop *self)
{
	wf_sleep(wf, 1);
}
TEMPORAL_UPDATE_0(shop, dust);

static shop_out shop_run(struct wf *wf, struct shop *self)
{
	wf_wait(wf, wf_until(wf, is_closing, self));
	wf_wait_handlers(wf);
	return self->stock;
}
static const struct temporal_handler *const shop_handlers[] = { &shop_open_handler,
	&shop_close_handler, &shop_sell_handler, &shop_refill_handler, &shop_dust_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW_0(shop, shop_handlers);

static void start_shop_worker(int64_t cached)
{
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&shop_workflow),
		.max_cached_workflows = (int)cached,
	});
}

/* Closes the shop and looks what is left. */
static void assert_stock(struct temporal_run *run, int expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int stock = -1;

	assert_int_equal(temporal_signal_0(run, shop_close, &err), TEMPORAL_OK);
	assert_int_equal(temporal_result(run, shop, &stock, NULL, &err), TEMPORAL_OK);
	assert_int_equal(stock, expected);
	temporal_run_unref(run);
}

static void executed(int64_t cached)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *kept = NULL;
	const char *sold = NULL;
	int stock = 0;

	start_shop_worker(cached);
	struct temporal_run *run = START_0(shop);
	assert_int_equal(
		temporal_update(run, shop_refill, &stock, NULL, &err, .amount = 5), TEMPORAL_OK);
	assert_int_equal(stock, 5);
	assert_int_equal(temporal_update_0(run, shop_dust, NULL, NULL, &err), TEMPORAL_OK);
	assert_int_equal(temporal_signal_0(run, shop_open, &err), TEMPORAL_OK);
	assert_int_equal(
		temporal_update(run, shop_sell, &sold, &kept, &err, .amount = 2, .to = "ann"),
		TEMPORAL_OK);
	assert_string_equal(sold, "2 to ann");
	temporal_result_unref(kept);
	/* Rejected by the check, failed in the handler, unknown. */
	assert_int_equal(
		temporal_update(run, shop_sell, &sold, &kept, &err, .amount = -1, .to = "bob"),
		TEMPORAL_UPDATE_FAILED);
	assert_string_equal(temporal_result_failure(kept)->type, "Amount");
	temporal_result_unref(kept);
	assert_int_equal(
		temporal_update(run, shop_sell, &sold, &kept, &err, .amount = 9, .to = "bob"),
		TEMPORAL_UPDATE_FAILED);
	assert_string_equal(temporal_result_failure(kept)->message, "only 3 are there");
	temporal_result_unref(kept);
	kept = temporal_update_named(run, "paint", (struct temporal_payloads){ 0 },
		(&(struct temporal_update_opts){ .id = "painting" }), &err);
	assert_non_null(kept);
	assert_int_equal(temporal_result_status(kept), TEMPORAL_STATUS_FAILED);
	assert_non_null(strstr(temporal_result_failure(kept)->message, "known updates: [sell"));
	temporal_result_unref(kept);
	assert_stock(run, 3);
}

static void updates_are_executed(void **state)
{
	executed(0);
}

/* Nothing stays in memory: each task begins with the whole history. */
static void updates_are_executed_without_a_cache(void **state)
{
	executed(TEMPORAL_OFF);
}

static void an_update_is_started_and_waited_for(void **state)
{
	struct temporal_update_opts opts = { .id = "first-sale" };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *kept = NULL;
	const char *sold = NULL;
	int stock = 0;

	start_shop_worker(0);
	struct temporal_run *run = START_0(shop);
	assert_int_equal(
		temporal_update(run, shop_refill, &stock, NULL, &err, .amount = 5), TEMPORAL_OK);
	struct temporal_update *update =
		temporal_update_start(run, shop_sell, &opts, &err, .amount = 4, .to = "ann");
	assert_non_null(update);
	assert_string_equal(temporal_update_id(update), "first-sale");
	assert_null(temporal_update_wait(update, 200, &err)); /* the shop is not open */
	assert_int_equal(err.code, TEMPORAL_DEADLINE_EXCEEDED);
	assert_int_equal(temporal_signal_0(run, shop_open, &err), TEMPORAL_OK);
	assert_int_equal(
		temporal_update_result(update, shop_sell, &sold, &kept, &err), TEMPORAL_OK);
	assert_string_equal(sold, "4 to ann");
	temporal_result_unref(kept);
	temporal_update_unref(update);

	/* The same id again is the same update; and by id alone. */
	update = temporal_update_start(run, shop_sell, &opts, &err, .amount = 4, .to = "ann");
	assert_non_null(update);
	assert_int_equal(
		temporal_update_result(update, shop_sell, &sold, &kept, &err), TEMPORAL_OK);
	temporal_result_unref(kept);
	temporal_update_unref(update);
	update = temporal_update_handle(run, "first-sale", &err);
	assert_non_null(update);
	assert_int_equal(
		temporal_update_result(update, shop_sell, &sold, &kept, &err), TEMPORAL_OK);
	assert_string_equal(sold, "4 to ann");
	temporal_result_unref(kept);
	temporal_update_unref(update);
	assert_stock(run, 1);
}

static void an_update_starts_its_workflow(void **state)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000,
		.id = fixture.queue,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING };
	struct temporal_update_opts completed = { .wait_for = TEMPORAL_UPDATE_COMPLETED };
	struct shop_refill_in five = { .amount = 5 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = NULL;

	start_shop_worker(0);
	for (int i = 1; i <= 2; i++) {
		struct temporal_update *update = temporal_update_with_start_0(
			fixture.client, shop, &opts, shop_refill, &five, &completed, &err);
		int stock = 0;

		if (!update)
			print_message("%s\n", err.message);
		assert_non_null(update);
		assert_int_equal(temporal_update_result(update, shop_refill, &stock, NULL, &err),
			TEMPORAL_OK);
		assert_int_equal(stock, 5 * i);
		temporal_run_unref(run);
		run = temporal_run_ref(temporal_update_run(update));
		assert_int_equal(temporal_run_was_started(run), i == 1);
		temporal_update_unref(update);
	}
	/* Insisting on a new run, nothing is done, and the error is that of the start. */
	opts.id_conflict_policy = TEMPORAL_ID_CONFLICT_FAIL;
	assert_null(temporal_update_with_start_0(
		fixture.client, shop, &opts, shop_refill, &five, &completed, &err));
	assert_int_equal(err.code, TEMPORAL_ALREADY_EXISTS);
	opts.id_conflict_policy = TEMPORAL_ID_CONFLICT_DEFAULT;
	assert_null(temporal_update_with_start_0(
		fixture.client, shop, &opts, shop_refill, &five, &completed, &err));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_stock(run, 10);
}

struct told {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int outcomes;
	struct temporal_update *update;
};

static void on_outcome(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	struct told *told = user;

	pthread_mutex_lock(&told->lock);
	told->outcomes += result && !err ? 1 : 100;
	pthread_cond_signal(&told->cond);
	pthread_mutex_unlock(&told->lock);
	temporal_result_unref(result);
}

static void on_update(struct temporal_update *update, const struct temporal_error *err, void *user)
{
	struct told *told = user;

	pthread_mutex_lock(&told->lock);
	told->update = update;
	pthread_cond_signal(&told->cond);
	pthread_mutex_unlock(&told->lock);
}

static void updates_need_not_block(void **state)
{
	struct told told = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, NULL };
	struct temporal_update_opts opts = { .id = NULL };
	struct temporal_error err = { .code = TEMPORAL_OK };

	start_shop_worker(0);
	struct temporal_run *run = START_0(shop);
	assert_int_equal(
		temporal_update_async(run, shop_refill, on_outcome, &told, &err, .amount = 7),
		TEMPORAL_OK);
	assert_int_equal(temporal_update_start_async(
				 run, shop_refill, &opts, on_update, &told, &err, .amount = 1),
		TEMPORAL_OK);
	pthread_mutex_lock(&told.lock);
	while (!told.outcomes || !told.update)
		pthread_cond_wait(&told.cond, &told.lock);
	pthread_mutex_unlock(&told.lock);
	assert_int_equal(
		temporal_update_wait_async(told.update, 0, on_outcome, &told, &err), TEMPORAL_OK);
	pthread_mutex_lock(&told.lock);
	while (told.outcomes < 2)
		pthread_cond_wait(&told.cond, &told.lock);
	pthread_mutex_unlock(&told.lock);
	assert_int_equal(told.outcomes, 2);
	temporal_update_unref(told.update);
	assert_stock(run, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(updates_are_executed, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			updates_are_executed_without_a_cache, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			an_update_is_started_and_waited_for, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			an_update_starts_its_workflow, begin_test, end_test),
		cmocka_unit_test_setup_teardown(updates_need_not_block, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
