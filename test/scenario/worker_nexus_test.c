/*
 * Nexus operations with both sides in C, against a server. Goal: what a handler returns is what the
 * caller gets (at once, by a workflow run, failures, errors that are tried again and that are not),
 * cancellations of all four types reach it, headers and links travel, limits and deadlines hold,
 * and a handler that is restarted goes on. Method: one caller type that plays a scene by its
 * argument, and a service whose operations count how often they were called.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "worker_fixture.h"

#include <temporal/metrics.h>

/* ---- the service ---- */

struct seed {
	const char *name;
	int64_t depth;
};
TEMPORAL_RECORD(seed, name, depth);

struct water_in {
	struct seed seed;
};
typedef const char *water_out;
TEMPORAL_NEXUS_CONTRACT(water, "water", RECORD(seed, struct seed));

struct plant_in {
	const char *name;
};
typedef const char *plant_out;
TEMPORAL_NEXUS_CONTRACT(plant, "plant", name);

struct flaky_in {
	const char *how;
};
typedef void flaky_out;
TEMPORAL_NEXUS_CONTRACT(flaky, "flaky", how);

typedef int64_t slow_out;
TEMPORAL_NEXUS_CONTRACT_0(slow, "slow");

struct keep_in {
	const char *token;
};
typedef const char *keep_out;
TEMPORAL_NEXUS_CONTRACT(keep, "keep", token);

struct pick_in {
	const char *id;
};
typedef void pick_out;
TEMPORAL_NEXUS_CONTRACT(pick, "pick", id);

TEMPORAL_NEXUS_SERVICE_CONTRACT(garden, "garden", &water, &plant, &flaky, &slow, &keep, &pick);

struct tree_in {
	const char *name;
};
typedef const char *tree_out;
TEMPORAL_WORKFLOW_CONTRACT(tree, "Tree", name);
struct tree {
	bool is_ripe;
};
TEMPORAL_SIGNAL_CONTRACT_0(tree_ripen, "ripen");

static void tree_ripen_run(struct wf *wf, struct tree *self)
{
	self->is_ripe = true;
}
TEMPORAL_SIGNAL_0(tree, ripen);

static bool is_ripe(const void *state)
{
	return ((const struct tree *)state)->is_ripe;
}

static tree_out tree_run(struct wf *wf, struct tree *self, const struct tree_in *in)
{
	if (!strcmp(in->name, "rotten"))
		wf_fail(wf, "Rotten", "the tree is rotten");
	wf_wait(wf, wf_until(wf, is_ripe, self));
	return wf_printf(wf, "fruit of %s", in->name);
}
static const struct temporal_handler *const tree_handlers[] = { &tree_ripen_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(tree, tree_handlers);

static atomic_int flaky_calls[6], at_a_time, most_at_a_time, cancels;
static atomic_int last_reason;
static char kept[64];

static const struct temporal_failure *water_run(
	struct nexus *nexus, const struct water_in *in, water_out *out)
{
	const struct nexus_info *info = nexus_info(nexus);
	bool links_back = info->n_links == 1 && strstr(info->links[0].url, "/workflows/");

	if (!nexus_add_link(nexus, "https://garden.example/beds/7", "garden.Bed"))
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no link");
	bool deadlines = info->deadline_ns > info->scheduled_time_ns &&
			 info->operation_deadline_ns > info->scheduled_time_ns;

	*out = nexus_printf(nexus, "%s %lld %s %s %d%d%d", in->seed.name, (long long)in->seed.depth,
		nexus_header(nexus, "gardener"), info->operation, links_back,
		strlen(info->request_id) == 36, deadlines);
	return NULL;
}
TEMPORAL_NEXUS(water);

static const struct temporal_failure *plant_run(
	struct nexus *nexus, const struct plant_in *in, plant_out *out)
{
	struct temporal_start_opts opts = { .id = nexus_printf(nexus, "%s-%s",
						    nexus_info(nexus)->task_queue, in->name) };

	return nexus_start_workflow(nexus, tree, &opts, .name = in->name);
}
TEMPORAL_NEXUS(plant);

static const char *const ways[] = { "once", "conflict, once", "never again", "what", "dry",
	"stop" };

static const struct temporal_failure *flaky_run(struct nexus *nexus, const struct flaky_in *in)
{
	size_t way = 0;

	while (strcmp(ways[way], in->how) != 0)
		way++;
	bool again = atomic_fetch_add(&flaky_calls[way], 1) > 0;
	const struct nexus_error_opts closed = { .type = NEXUS_ERROR_UNAVAILABLE,
		.retry = TEMPORAL_HANDLER_NON_RETRYABLE };
	const struct nexus_error_opts busy = { .type = NEXUS_ERROR_CONFLICT,
		.retry = TEMPORAL_HANDLER_RETRYABLE };

	switch (way) {
	case 0:
		return again ? NULL : nexus_error(nexus, NEXUS_ERROR_UNAVAILABLE, "not yet");
	case 1:
		return again ? NULL : nexus_error_with(nexus, &busy, "busy");
	case 2:
		return nexus_error_with(nexus, &closed, "closed");
	case 3:
		return nexus_error(nexus, NEXUS_ERROR_BAD_REQUEST, "how?");
	case 4:
		return nexus_failure(nexus, "Dry", "no water");
	default:
		return nexus_cancelled_failure(nexus, "not today");
	}
}
TEMPORAL_NEXUS(flaky);

/* Takes until it is stopped, or 50 ms; counts how many do so at a time. */
static const struct temporal_failure *slow_run(struct nexus *nexus, slow_out *out)
{
	bool for_ever = nexus_header(nexus, "for-ever") != NULL;
	int now = atomic_fetch_add(&at_a_time, 1) + 1;

	for (int most = most_at_a_time; now > most;)
		if (atomic_compare_exchange_weak(&most_at_a_time, &most, now))
			break;
	*out = nexus_wait(nexus, for_ever ? -1 : 50);
	last_reason = (int)nexus_cancel_reason(nexus);
	atomic_fetch_sub(&at_a_time, 1);
	return *out ? nexus_error(nexus, NEXUS_ERROR_UNAVAILABLE, "stopped") : NULL;
}
TEMPORAL_NEXUS_0(slow);

static const struct temporal_failure *keep_run(
	struct nexus *nexus, const struct keep_in *in, keep_out *out)
{
	return nexus_complete_later(nexus, in->token);
}
static const struct temporal_failure *keep_cancel(struct nexus *nexus, const char *token)
{
	snprintf(kept, sizeof(kept), "%s", token);
	atomic_fetch_add(&cancels, 1);
	return NULL;
}
TEMPORAL_CANCELLABLE_NEXUS(keep);

/* Another tree by the client's own calls, ripened at once. */
static const struct temporal_failure *graft(struct nexus *nexus, const char *name)
{
	const char *queue = nexus_info(nexus)->task_queue;
	struct temporal_start_opts opts = { .id = nexus_printf(nexus, "%s-%s", queue, name),
		.task_queue = queue };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run =
		temporal_start(nexus_client(nexus), tree, &opts, &err, .name = name);
	bool done = run && temporal_signal_0(run, tree_ripen, &err) == TEMPORAL_OK;

	temporal_run_unref(run);
	return done ? NULL : nexus_error(nexus, NEXUS_ERROR_INTERNAL, "%s", err.message);
}

static const struct temporal_failure *pick_run(struct nexus *nexus, const struct pick_in *in)
{
	if (strcmp(in->id, "graft") == 0)
		return graft(nexus, in->id);
	return nexus_signal_0(nexus, in->id, tree_ripen);
}
TEMPORAL_NEXUS(pick);

TEMPORAL_NEXUS_SERVICE(garden, &water_operation, &plant_operation, &flaky_operation,
	&slow_operation, &keep_operation, &pick_operation);

/* All other services. */
static const struct temporal_failure *any_start(struct nexus *nexus, const void *in, void *out)
{
	const struct temporal_payload *payload = in;
	struct temporal_payload *answer = out;
	const struct nexus_info *info = nexus_info(nexus);
	const char *text = nexus_printf(
		nexus, "\"%s/%s of %zu bytes\"", info->service, info->operation, payload->data.len);

	*answer = (struct temporal_payload){ .data = { text, text ? strlen(text) : 0 } };
	return NULL;
}
static const struct temporal_nexus_operation any_operation = { .start = any_start };
static const struct temporal_nexus_operation *const any_operations[] = { &any_operation, NULL };
static const struct temporal_nexus_service any_service = { .operations = any_operations };

/* ---- the caller ---- */

struct caller_in {
	const char *scene, *endpoint, *text;
};
typedef const char *caller_out;
TEMPORAL_WORKFLOW_CONTRACT(caller, "Caller", scene, endpoint, text);

struct caller {
	bool may_cancel;
};
TEMPORAL_SIGNAL_CONTRACT_0(caller_stop, "stop");

static void caller_stop_run(struct wf *wf, struct caller *self)
{
	self->may_cancel = true;
}
TEMPORAL_SIGNAL_0(caller, stop);

static bool may_cancel(const void *state)
{
	return ((const struct caller *)state)->may_cancel;
}

/* The causes of a failure, in one line. */
static const char *say(struct wf *wf, const struct temporal_failure *failure)
{
	const struct temporal_failure *cause = failure ? failure->cause : NULL;

	if (!failure)
		return "fine";
	if (failure->kind != TEMPORAL_FAILURE_NEXUS_OPERATION || !cause)
		return wf_printf(wf, "a failure of kind %d: %s", failure->kind, failure->message);
	switch (cause->kind) {
	case TEMPORAL_FAILURE_NEXUS_HANDLER:
		return wf_printf(wf, "handler %s: %s", cause->type, cause->message);
	case TEMPORAL_FAILURE_APPLICATION:
		return wf_printf(wf, "failed %s: %s", cause->type, cause->message);
	case TEMPORAL_FAILURE_CANCELLED:
		return wf_printf(wf, "cancelled: %s", cause->message);
	case TEMPORAL_FAILURE_TIMEOUT:
		return "timed out";
	default:
		return wf_printf(wf, "kind %d: %s", cause->kind, cause->message);
	}
}

static caller_out waters(struct wf *wf, const struct caller_in *in)
{
	const struct temporal_entry header = { "gardener", { .data = { "ann", 3 } } };

	return wf_nexus(wf, water,
		WF_NEXUS_OPTS(.endpoint = in->endpoint, .service = garden.name,
			.schedule_to_close_ms = 10000, .headers = { &header, 1 }),
		.seed = { in->text, 3 });
}

static caller_out plants(struct wf *wf, const struct wf_nexus_opts *opts, const char *text)
{
	struct wf_future *planted = wf_start_nexus(wf, plant, opts, .name = text);
	const struct temporal_failure *failure = wf_try(wf, wf_nexus_started(wf, planted));

	if (failure)
		return say(wf, failure);
	if (!*wf_nexus_token(wf, planted))
		return "it has no token";
	failure = wf_try(wf, planted);
	return failure ? say(wf, failure) : wf_await(wf, plant, planted);
}

static caller_out stops(
	struct wf *wf, struct caller *self, const struct caller_in *in, const char *how)
{
	static const enum temporal_remote_cancellation types[] = { TEMPORAL_REMOTE_WAIT_COMPLETED,
		TEMPORAL_REMOTE_WAIT_REQUESTED, TEMPORAL_REMOTE_TRY_CANCEL,
		TEMPORAL_REMOTE_ABANDON };
	struct wf_nexus_opts opts = {
		.endpoint = in->endpoint, .service = garden.name, .cancellation = types[*how - '0']
	};
	struct wf_future *planted = wf_start_nexus(wf, plant, &opts, .name = in->text);

	wf_wait(wf, wf_nexus_started(wf, planted));
	wf_wait(wf, wf_until(wf, may_cancel, self));
	wf_cancel(wf, planted);
	const struct temporal_failure *failure = wf_try(wf, planted);
	if (types[*how - '0'] == TEMPORAL_REMOTE_TRY_CANCEL)
		wf_sleep(wf, 1); /* so that the request leaves before the run ends */
	return wf_printf(wf, "%d", failure && wf_is_cancelled(failure));
}

static caller_out stops_kept(
	struct wf *wf, const struct caller_in *in, const struct wf_nexus_opts *opts)
{
	struct wf_future *kept_one = wf_start_nexus(wf, keep, opts, .token = in->text);

	wf_wait(wf, wf_nexus_started(wf, kept_one));
	const char *token = wf_nexus_token(wf, kept_one);

	wf_cancel(wf, kept_one);
	const struct temporal_failure *failure = wf_try(wf, kept_one);
	return wf_printf(wf, "%s %d", token, failure && wf_is_cancelled(failure));
}

static caller_out many(struct wf *wf, const struct wf_nexus_opts *opts)
{
	struct wf_future *futures[8];
	int64_t stopped = 0;

	for (int i = 0; i < 8; i++)
		futures[i] = wf_start_nexus_0(wf, slow, opts);
	for (int i = 0; i < 8; i++)
		stopped += wf_await(wf, slow, futures[i]);
	return stopped ? "not all" : "all";
}

static caller_out too_slow(struct wf *wf, const struct caller_in *in)
{
	const struct temporal_entry header = { "for-ever", { .data = { "yes", 3 } } };

	return say(wf,
		wf_try(wf, wf_start_nexus_0(wf, slow,
				   WF_NEXUS_OPTS(.endpoint = in->endpoint, .service = garden.name,
					   .schedule_to_close_ms = atoi(in->text),
					   .headers = { &header, 1 }))));
}

static caller_out asks_anything(struct wf *wf, const struct caller_in *in)
{
	struct temporal_payload payload = { .data = { in->text, strlen(in->text) } };
	const struct wf_nexus_opts opts = { .endpoint = in->endpoint, .service = "shed" };
	const struct temporal_payload *out =
		wf_await_raw(wf, wf_start_nexus_raw(wf, "open", &payload, &opts));

	return wf_printf(wf, "%.*s", (int)out->data.len, (const char *)out->data.data);
}

static caller_out caller_run(struct wf *wf, struct caller *self, const struct caller_in *in)
{
	const struct wf_nexus_opts opts = { .endpoint = in->endpoint,
		.service = garden.name,
		.cancellation = TEMPORAL_REMOTE_WAIT_REQUESTED };

	if (!strcmp(in->scene, "water"))
		return waters(wf, in);
	if (!strcmp(in->scene, "plant"))
		return plants(wf, &opts, in->text);
	if (!strncmp(in->scene, "stop", 4))
		return stops(wf, self, in, in->scene + 4);
	if (!strcmp(in->scene, "keep"))
		return stops_kept(wf, in, &opts);
	if (!strcmp(in->scene, "pick"))
		return say(wf, wf_try(wf, wf_start_nexus(wf, pick, &opts, .id = in->text)));
	if (!strcmp(in->scene, "flaky"))
		return say(wf, wf_try(wf, wf_start_nexus(wf, flaky, &opts, .how = in->text)));
	if (!strcmp(in->scene, "many"))
		return many(wf, &opts);
	if (!strcmp(in->scene, "too slow"))
		return too_slow(wf, in);
	return asks_anything(wf, in);
}
static const struct temporal_handler *const caller_handlers[] = { &caller_stop_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(caller, caller_handlers);

/* ---- the tests ---- */

static struct temporal_nexus_endpoint *endpoint;
static struct temporal_metrics *metrics;

static const struct temporal_workflow *const all_workflows[] = { &caller_workflow, &tree_workflow,
	NULL };
static const struct temporal_nexus_service *const all_services[] = { &garden_service, &any_service,
	NULL };

static void start_garden(struct temporal_worker_opts opts)
{
	opts.workflows = all_workflows;
	opts.nexus_services = all_services;
	start_worker(opts);
}

static int begin_garden(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char name[80];

	begin_test(state);
	memset(flaky_calls, 0, sizeof(flaky_calls));
	cancels = at_a_time = most_at_a_time = last_reason = 0;
	snprintf(name, sizeof(name), "e-%s", fixture.queue);
	endpoint = temporal_nexus_endpoint_create(
		fixture.client, &err, .name = name, .task_queue = fixture.queue);
	if (!endpoint)
		print_message("%s\n", err.message);
	return endpoint ? 0 : -1;
}

static int end_garden(void **state)
{
	struct temporal_error err;

	end_test(state);
	enum temporal_code code = temporal_nexus_endpoint_delete(
		fixture.client, endpoint->id, endpoint->version, &err);

	temporal_nexus_endpoint_unref(endpoint);
	return code == TEMPORAL_OK ? 0 : -1;
}

#define PLAY(scene_, text_) \
	START(caller, .scene = scene_, .endpoint = endpoint->name, .text = text_)

static struct temporal_run *tree_of(const char *name)
{
	struct temporal_error err;
	char id[128];

	snprintf(id, sizeof(id), "%s-%s", fixture.queue, name);
	return temporal_run_handle(fixture.client, id, NULL, &err);
}

static void ripen(const char *name)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = tree_of(name);

	if (temporal_signal_0(run, tree_ripen, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
	temporal_run_unref(run);
}

static enum temporal_status status_of(struct temporal_run *run)
{
	struct temporal_error err;
	struct temporal_run_description *description = temporal_run_describe(run, &err);

	assert_non_null(description);
	enum temporal_status status = description->status;

	temporal_run_description_unref(description);
	return status;
}

static void assert_tree_becomes(const char *name, enum temporal_status status)
{
	struct temporal_run *run = tree_of(name);
	test_wait_until(status_of(run) == status);
	temporal_run_unref(run);
}

static void assert_history_has(struct temporal_run *run, const char *text)
{
	struct temporal_error err;
	struct temporal_buffer *history = temporal_run_history_json(run, &err);

	assert_non_null(history);
	if (!strstr(history->data, text))
		print_message("%s is not in %s\n", text, history->data);
	assert_non_null(strstr(history->data, text));
	temporal_buffer_unref(history);
}

static void an_operation_is_done_at_once(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	assert_result(PLAY("water", "oak"), &caller, "oak 3 ann water 111");
	assert_int_equal(event_count(TEMPORAL_EVENT_NEXUS_OPERATION_COMPLETED), 1);
}

static void a_run_does_the_operation(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = PLAY("plant", "oak"), *again = temporal_run_ref(run);

	wait_for_events(TEMPORAL_EVENT_NEXUS_OPERATION_STARTED, 1);
	ripen("oak");
	assert_result(run, &caller, "fruit of oak");
	/* Links lead both ways. */
	struct temporal_run *grown = tree_of("oak");

	assert_history_has(again, temporal_run_workflow_id(grown));
	assert_history_has(grown, temporal_run_workflow_id(again));
	assert_history_has(grown, "nexus-operation-token");
	temporal_run_unref(grown);
	temporal_run_unref(again);
}

static void a_run_that_fails_fails_the_operation(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	assert_result(PLAY("plant", "rotten"), &caller, "failed Rotten: the tree is rotten");
}

static void operations_are_cancelled(void **state)
{
	static const char *const scenes[] = { "stop0", "stop1", "stop2", "stop3" };
	static const char *const names[] = { "ash", "beech", "cedar", "date" };
	struct temporal_run *runs[4];
	struct temporal_error err;

	start_garden((struct temporal_worker_opts){ 0 });
	for (int i = 0; i < 4; i++)
		runs[i] = PLAY(scenes[i], names[i]);
	wait_for_events(TEMPORAL_EVENT_NEXUS_OPERATION_STARTED, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(temporal_signal_0(runs[i], caller_stop, &err), TEMPORAL_OK);
	for (int i = 0; i < 4; i++)
		assert_result(runs[i], &caller, "1");
	for (int i = 0; i < 3; i++)
		assert_tree_becomes(names[i], TEMPORAL_STATUS_CANCELED);
	assert_tree_becomes("date", TEMPORAL_STATUS_RUNNING);
	assert_int_equal(event_count(TEMPORAL_EVENT_NEXUS_CANCEL_DELIVERED), 3);
	struct temporal_run *abandoned = tree_of("date");

	assert_int_equal(temporal_run_terminate_0(abandoned, &err), TEMPORAL_OK);
	temporal_run_unref(abandoned);
}

static void a_cancel_handler_gets_its_token(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	assert_result(PLAY("keep", "my token"), &caller, "my token 1");
	assert_int_equal(cancels, 1);
	assert_string_equal(kept, "my token");
}

/* The value of a series of this test's queue, or -1. */
static long value_of(const char *series, const char *labels)
{
	static char text[1 << 18];
	char line[512];

	assert_true(temporal_metrics_text(metrics, text, sizeof(text)) < sizeof(text));
	snprintf(line, sizeof(line), "\ntemporal_%s{namespace=\"default\",task_queue=\"%s\"%s} ",
		series, fixture.queue, labels);
	const char *at = strstr(text, line);

	return at ? strtol(at + strlen(line), NULL, 10) : -1;
}

#define FAILED(reason_) value_of("nexus_task_execution_failed", ",failure_reason=\"" reason_ "\"")

static void assert_counted(void)
{
	assert_int_equal(FAILED("handler_error_UNAVAILABLE"), 2);
	assert_int_equal(FAILED("handler_error_CONFLICT"), 1);
	assert_int_equal(FAILED("handler_error_BAD_REQUEST"), 1);
	assert_int_equal(FAILED("operation_failed"), 1);
	assert_int_equal(FAILED("operation_canceled"), 1);
	assert_int_equal(FAILED("timeout"), 1);
	assert_int_equal(value_of("nexus_task_execution_latency_count", ""), 9);
	assert_int_equal(value_of("nexus_task_endtoend_latency_count", ""), 8);
	assert_int_equal(value_of("nexus_task_schedule_to_start_latency_count", ""), 9);
	assert_true(value_of("nexus_poll_no_task", "") >= 0);
	assert_true(value_of("num_pollers", ",poller_type=\"nexus_task\"") >= 1);
	assert_int_equal(
		value_of("worker_task_slots_available", ",worker_type=\"NexusWorker\""), 100);
	assert_int_equal(value_of("worker_task_slots_used", ",worker_type=\"NexusWorker\""), 0);
}

/* All at a time, and one beside them that takes too long: what waits waits together. */
static void errors_are_tried_again_or_not(void **state)
{
	static const char *const said[] = { "fine", "fine", "handler UNAVAILABLE: closed",
		"handler BAD_REQUEST: how?", "failed Dry: no water", "cancelled: not today" };
	static const int tried[] = { 2, 2, 1, 1, 1, 1 };
	struct temporal_run *runs[6], *late;

	start_garden((struct temporal_worker_opts){ 0 });
	/* A handler gets a second less than its caller, and none with less than half of one left.
	 */
	late = PLAY("too slow", "1700");
	for (int i = 0; i < 6; i++)
		runs[i] = PLAY("flaky", ways[i]);
	for (int i = 0; i < 6; i++) {
		assert_result(runs[i], &caller, said[i]);
		assert_int_equal(flaky_calls[i], tried[i]);
	}
	assert_result(late, &caller, "timed out");
	assert_int_equal(last_reason, NEXUS_TIMED_OUT);
	wait_for_events(TEMPORAL_EVENT_NEXUS_TASK_FAILED, 5);
	assert_int_equal(event_count(TEMPORAL_EVENT_NEXUS_OPERATION_FAILED), 1);
	assert_int_equal(event_count(TEMPORAL_EVENT_NEXUS_OPERATION_CANCELED), 1);
	test_wait_until(FAILED("timeout") >= 1); /* it is the last to be counted */
	assert_counted();
}

static void a_handler_signals_another_workflow(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	struct temporal_run *fig = START(tree, .name = "fig"), *again = temporal_run_ref(fig);
	struct temporal_run *run = PLAY("pick", temporal_run_workflow_id(fig));
	struct temporal_run *picker = temporal_run_ref(run);

	assert_result(run, &caller, "fine");
	assert_result(fig, &tree, "fruit of fig");
	assert_history_has(again, temporal_run_workflow_id(picker));
	temporal_run_unref(picker);
	temporal_run_unref(again);
}

static int times_in(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

/* What a handler starts and signals by its client is linked as what it does by nexus_...: in the
 * history of the run, with its start and with the signal; in the caller's, if the server gives one
 * back, as newer ones do. */
static void calls_of_the_client_are_linked(void **state)
{
	struct temporal_error err;

	start_garden((struct temporal_worker_opts){ 0 });
	struct temporal_run *run = PLAY("pick", "graft"), *picker = temporal_run_ref(run);

	assert_result(run, &caller, "fine");
	struct temporal_run *grown = tree_of("graft");
	struct temporal_buffer *history = temporal_run_history_json(grown, &err);

	assert_non_null(history);
	assert_int_equal(times_in(history->data, temporal_run_workflow_id(picker)), 2);
	temporal_buffer_unref(history);
	assert_history_has(picker, temporal_run_workflow_id(grown));
	temporal_run_unref(grown);
	temporal_run_unref(picker);
}

static void so_many_run_at_a_time(void **state)
{
	start_garden((struct temporal_worker_opts){ .max_concurrent_nexus_tasks = 2 });
	assert_result(PLAY("many", ""), &caller, "all");
	assert_int_equal(most_at_a_time, 2);
}

/* Slots of one's own: two, and each is told what it is used for. */
static int slots_given, slots_told;

static bool give_slot(const struct temporal_slot_request *request, void **permit, void *user)
{
	if (request->kind != TEMPORAL_SLOT_NEXUS || slots_given == 2)
		return false;
	slots_given++;
	return true;
}

static void note_use(const struct temporal_slot_use *use, void *user)
{
	slots_told +=
		!strcmp(use->nexus_service, garden.name) && !strcmp(use->nexus_operation, "slow");
}

static void take_slot(const struct temporal_slot_use *use, void *user)
{
	slots_given--;
}

static void a_tuner_gives_slots(void **state)
{
	static const struct temporal_slot_callbacks two = {
		.try_reserve = give_slot, .mark_used = note_use, .release = take_slot
	};
	const struct temporal_tuner tuner = { .nexus = { .source = TEMPORAL_SLOTS_BY_CALLBACKS,
						      .callbacks = &two } };

	slots_told = 0;
	start_garden((struct temporal_worker_opts){ .tuner = &tuner });
	assert_result(PLAY("many", ""), &caller, "all");
	stop_worker();
	assert_int_equal(most_at_a_time, 2);
	assert_int_equal(slots_told, 8);
	assert_int_equal(slots_given, 0);
}

static void one_poller_is_enough(void **state)
{
	start_garden((struct temporal_worker_opts){ .nexus_task_pollers = 1 });
	assert_result(PLAY("many", ""), &caller, "all");
}

static void the_dynamic_service_gets_the_rest(void **state)
{
	start_garden((struct temporal_worker_opts){ 0 });
	assert_result(PLAY("anything", "\"key\""), &caller, "\"shed/open of 5 bytes\"");
}

/* The first worker answers that it stops, and the second one does it. */
static void a_handler_is_restarted(void **state)
{
	start_garden((struct temporal_worker_opts){ .graceful_shutdown_timeout_ms = 1 });
	struct temporal_run *run = PLAY("plant", "elm"), *waits = PLAY("too slow", "60000");
	struct temporal_error err;

	wait_for_events(TEMPORAL_EVENT_NEXUS_TASK_RECEIVED, 2);
	/* The first of each run, and the one that tells of the tree: none is lost in a poll that
	   ends. */
	wait_for_events(TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED, 4);
	stop_worker();
	assert_int_equal(last_reason, NEXUS_WORKER_SHUTDOWN);
	start_garden((struct temporal_worker_opts){ 0 });
	wait_for_events(TEMPORAL_EVENT_NEXUS_TASK_RECEIVED, 3);
	ripen("elm");
	assert_result(run, &caller, "fruit of elm");
	assert_int_equal(temporal_run_terminate_0(waits, &err), TEMPORAL_OK);
	temporal_run_unref(waits);
}

/* A worker with nothing but Nexus services, beside one with nothing but workflows. */
static void a_worker_handles_nexus_alone(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *workflows = temporal_worker_new(fixture.client, &err,
		.task_queue = "nexus-callers", .workflows = all_workflows, .on_log = on_log);

	assert_non_null(workflows);
	assert_int_equal(temporal_worker_start(workflows, &err), TEMPORAL_OK);
	start_worker((struct temporal_worker_opts){ .nexus_services = all_services });
	struct temporal_start_opts opts = { .task_queue = "nexus-callers" };
	struct temporal_run *run = temporal_start(fixture.client, caller, &opts, &err,
		.scene = "water", .endpoint = endpoint->name, .text = "fir");

	assert_non_null(run);
	assert_result(run, &caller, "fir 3 ann water 111");
	temporal_worker_unref(workflows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_operation_is_done_at_once, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(a_run_does_the_operation, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			a_run_that_fails_fails_the_operation, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(operations_are_cancelled, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			a_cancel_handler_gets_its_token, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			errors_are_tried_again_or_not, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			a_handler_signals_another_workflow, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			calls_of_the_client_are_linked, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(so_many_run_at_a_time, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(a_tuner_gives_slots, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(one_poller_is_enough, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			the_dynamic_service_gets_the_rest, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(a_handler_is_restarted, begin_garden, end_garden),
		cmocka_unit_test_setup_teardown(
			a_worker_handles_nexus_alone, begin_garden, end_garden),
	};
	struct temporal_error err = { .code = TEMPORAL_OK };

	metrics = temporal_metrics_new(&err, .prefix = NULL);
	fixture.client =
		temporal_client_connect(&err, .target = test_server_shared(), .metrics = metrics);
	if (!fixture.client) {
		print_message("%s\n", err.message);
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	end_all(NULL);
	temporal_metrics_unref(metrics);
	return failed;
}
