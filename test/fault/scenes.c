/*
 * scenes.c: one workflow type that plays a scene by its argument, and what it calls.
 *
 * All that can be lost for want of memory is tried again soon: tasks time out after an eighth of a
 * second, retries wait some milliseconds. So each run has to end with its result, whichever
 * allocation has failed.
 */
#include "scenes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SOON_MS  120
#define SHORT_MS 60 /* a task that waits for local activities gives a sign at 80 % of it */

static const struct temporal_retry_policy at_once = { .initial_interval_ms = 2,
	.backoff_coefficient = 1 };

/* ---- activities ---- */

struct job_in {
	const char *how;
	int number;
};
typedef const char *job_out;
TEMPORAL_ACTIVITY_CONTRACT(job, "job", how, number);

static const struct temporal_failure *job_run(
	struct act *act, const struct job_in *in, job_out *out)
{
	int32_t attempt = act_info(act)->attempt;

	*out = act_printf(act, "%d", in->number);
	if (!*out)
		return act_failure(act, "NO_MEMORY", "no memory for the result");
	if (!strcmp(in->how, "again") && attempt < 2)
		return act_failure_with(act,
			&(const struct act_failure_opts){
				.type = "Again", .cause = act_failure(act, "Inner", "why") },
			"not at attempt %d", attempt);
	if (!strcmp(in->how, "beat")) {
		act_heartbeat(act, attempt);
		if (attempt < 2)
			return act_failure(act, "Again", "not yet");
		act_wait(act, 1);
	}
	if (!strcmp(in->how, "slow"))
		act_wait(act, 70);
	if (!strcmp(in->how, "wait") && act_wait(act, 5000))
		return act_cancelled_failure(act);
	return NULL;
}
TEMPORAL_ACTIVITY(job);

/* ---- the service ---- */

struct weigh_in {
	const char *what;
};
typedef const char *weigh_out;
TEMPORAL_NEXUS_CONTRACT(weigh, "weigh", what);
struct carry_in {
	const char *what;
};
typedef const char *carry_out;
TEMPORAL_NEXUS_CONTRACT(carry, "carry", what);
struct hold_in {
	const char *what;
};
typedef const char *hold_out;
TEMPORAL_NEXUS_CONTRACT(hold, "hold", what);
TEMPORAL_NEXUS_SERVICE_CONTRACT(post, "post", &weigh, &carry, &hold);

static const struct temporal_failure *weigh_run(
	struct nexus *nexus, const struct weigh_in *in, weigh_out *out)
{
	*out = nexus_printf(nexus, "%s weighed", in->what);
	return *out ? NULL : nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory");
}
TEMPORAL_NEXUS(weigh);

struct play_in {
	const char *scene, *text;
};
typedef const char *play_out;
TEMPORAL_WORKFLOW_CONTRACT(play, "Play", scene, text);

/* One run however often it is asked for: by its id, which the caller's request gives. */
static const struct temporal_failure *carry_run(
	struct nexus *nexus, const struct carry_in *in, carry_out *out)
{
	const char *id = nexus_printf(
		nexus, "%s-carry-%s", nexus_info(nexus)->task_queue, nexus_info(nexus)->request_id);

	const struct temporal_start_opts opts = { .id = id,
		.task_timeout_ms = SOON_MS,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING };

	if (!id)
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory");
	return nexus_start_workflow(nexus, play, &opts, .scene = "echo", .text = in->what);
}
TEMPORAL_NEXUS(carry);

static const struct temporal_failure *hold_run(
	struct nexus *nexus, const struct hold_in *in, hold_out *out)
{
	return nexus_complete_later(nexus, in->what);
}
static atomic_int cancels;
static const struct temporal_failure *hold_cancel(struct nexus *nexus, const char *token)
{
	atomic_fetch_add(&cancels, 1);
	return NULL;
}
TEMPORAL_CANCELLABLE_NEXUS(hold);

TEMPORAL_NEXUS_SERVICE(post, &weigh_operation, &carry_operation, &hold_operation);

/* ---- the workflow ---- */

struct play {
	int sum, added, updates;
	bool may_end;
};

struct play_add_in {
	int amount;
};
TEMPORAL_SIGNAL_CONTRACT(play_add, "add", amount);
TEMPORAL_SIGNAL_CONTRACT_0(play_end, "end");
struct play_sum_in {
	int times;
};
typedef int play_sum_out;
TEMPORAL_QUERY_CONTRACT(play_sum, "sum", times);
struct play_put_in {
	int amount;
	const char *why;
};
typedef const char *play_put_out;
TEMPORAL_UPDATE_CONTRACT(play_put, "put", amount, why);

static void play_add_run(struct wf *wf, struct play *self, const struct play_add_in *in)
{
	self->sum += in->amount;
	self->added++;
}
TEMPORAL_SIGNAL(play, add);

static void play_end_run(struct wf *wf, struct play *self)
{
	self->may_end = true;
}
TEMPORAL_SIGNAL_0(play, end);

static play_sum_out play_sum_run(
	const struct wf *wf, const struct play *self, const struct play_sum_in *in)
{
	return self->sum * in->times;
}
TEMPORAL_QUERY(play, sum);

static const struct temporal_failure *play_put_check(
	const struct wf *wf, const struct play *self, const struct play_put_in *in)
{
	return in->amount > 0 ? NULL : wf_failure(wf, "Amount", "not %d", in->amount);
}

static play_put_out play_put_run(struct wf *wf, struct play *self, const struct play_put_in *in)
{
	wf_sleep(wf, 1);
	self->sum += in->amount;
	self->updates++;
	return wf_printf(wf, "%s %d", in->why, in->amount);
}
TEMPORAL_UPDATE(play, put);

static bool may_end(const void *state)
{
	return ((const struct play *)state)->may_end;
}

static const struct wf_activity_opts remote = { .start_to_close_ms = SOON_MS, .retry = &at_once };

static play_out plays_activities(struct wf *wf)
{
	static const struct wf_activity_opts beats = {
		.start_to_close_ms = 2 * SOON_MS, .heartbeat_ms = SOON_MS, .retry = &at_once
	};
	struct wf_future *first = wf_start_activity(wf, job, &remote, .how = "", .number = 1);
	struct wf_future *again = wf_start_activity(wf, job, &remote, .how = "again", .number = 2);
	struct wf_future *beat = wf_start_activity(wf, job, &beats, .how = "beat", .number = 3);
	struct wf_future *wait = wf_start_activity(wf, job,
		WF_ACTIVITY_OPTS(.start_to_close_ms = 10000, .heartbeat_ms = SOON_MS,
			.retry = &at_once),
		.how = "wait", .number = 4);
	const char *text = wf_printf(wf, "%s %s %s", wf_await(wf, job, first),
		wf_await(wf, job, again), wf_await(wf, job, beat));

	wf_cancel(wf, wait);
	const struct temporal_failure *failure = wf_try(wf, wait);
	return wf_printf(wf, "%s %s", text,
		failure && wf_is_cancelled(failure) ? "cancelled" : "not cancelled");
}

static play_out plays_locals(struct wf *wf)
{
	static const struct temporal_retry_policy later = { .initial_interval_ms = 20,
		.backoff_coefficient = 1 };
	static const struct wf_local_opts local = { .start_to_close_ms = SOON_MS,
		.retry = &at_once };
	struct wf_future *wait = wf_start_local(
		wf, job, WF_LOCAL_OPTS(.start_to_close_ms = 20000), .how = "wait", .number = 1);
	struct wf_future *two = wf_start_local(wf, job, &local, .how = "", .number = 2);
	struct wf_future *three = wf_start_local(wf, job, &local, .how = "again", .number = 3);
	const char *text = wf_printf(wf, "%s %s", wf_await(wf, job, two), wf_await(wf, job, three));

	text = wf_printf(wf, "%s %s", text,
		wf_local(wf, job,
			WF_LOCAL_OPTS(.start_to_close_ms = SOON_MS, .retry = &later,
				.retry_threshold_ms = 5),
			.how = "again", .number = 4));
	wf_sleep(wf, 1);
	wf_cancel(wf, wait);
	const struct temporal_failure *failure = wf_try(wf, wait);
	return wf_printf(wf, "%s %s", text,
		failure && wf_is_cancelled(failure) ? "cancelled" : "not cancelled");
}

/* Longer than a task may take: it is kept by heartbeats. */
static play_out plays_long_locals(struct wf *wf)
{
	static const struct wf_local_opts local = { .start_to_close_ms = 20000, .retry = &at_once };
	struct wf_future *futures[8];

	for (int i = 0; i < 8; i++)
		futures[i] = wf_start_local(wf, job, &local, .how = "slow", .number = i);
	for (int i = 0; i < 8; i++)
		wf_wait(wf, futures[i]);
	return wf_await(wf, job, futures[7]);
}

static play_out plays_nexus(struct wf *wf, const char *endpoint)
{
	const struct wf_nexus_opts opts = { .endpoint = endpoint,
		.service = post.name,
		.cancellation = TEMPORAL_REMOTE_WAIT_REQUESTED };
	struct wf_future *held = wf_start_nexus(wf, hold, &opts, .what = "box");
	struct wf_future *weighed = wf_start_nexus(wf, weigh, &opts, .what = "stone");
	struct wf_future *carried = wf_start_nexus(wf, carry, &opts, .what = "bag");
	const char *text =
		wf_printf(wf, "%s, %s", wf_await(wf, weigh, weighed), wf_await(wf, carry, carried));

	wf_wait(wf, wf_nexus_started(wf, held));
	wf_cancel(wf, held);
	const struct temporal_failure *failure = wf_try(wf, held);
	return wf_printf(
		wf, "%s, %s", text, failure && wf_is_cancelled(failure) ? "released" : "held");
}

static play_out plays_messages(struct wf *wf, struct play *self)
{
	wf_wait(wf, wf_until(wf, may_end, self));
	wf_wait_handlers(wf);
	return wf_printf(wf, "%d by %d and %d", self->sum, self->added, self->updates);
}

static play_out plays_family(struct wf *wf)
{
	const struct wf_child_opts opts = { .task_timeout_ms = SOON_MS };
	struct temporal_payload note = { .data = { "\"x\"", 3 } };
	struct temporal_entry entry = { "note", note };

	struct wf_future *child = wf_start_child(wf, play, &opts, .scene = "messages", .text = "");

	wf_wait(wf, wf_child_started(wf, child));
	wf_wait(wf, wf_child_signal(wf, child, play_add, .amount = 5));
	wf_wait(wf, wf_external_signal_0(wf, wf_child_id(wf, child), NULL, play_end));
	wf_upsert_memo(wf, &(const struct temporal_entries){ &entry, 1 });
	return wf_printf(wf, "%s, %d", wf_await(wf, play, child), wf_patched(wf, "new"));
}

static play_out plays_timers(struct wf *wf, const char *text)
{
	for (int i = 0; i < 3; i++) {
		wf_sleep(wf, 1);
		text = wf_printf(
			wf, "%s%s", text, wf_activity(wf, job, &remote, .how = "", .number = i));
	}
	return text;
}

static play_out play_run(struct wf *wf, struct play *self, const struct play_in *in)
{
	if (!strcmp(in->scene, "activities"))
		return plays_activities(wf);
	if (!strcmp(in->scene, "locals"))
		return plays_locals(wf);
	if (!strcmp(in->scene, "long locals"))
		return plays_long_locals(wf);
	if (!strcmp(in->scene, "nexus"))
		return plays_nexus(wf, in->text);
	if (!strcmp(in->scene, "messages"))
		return plays_messages(wf, self);
	if (!strcmp(in->scene, "family"))
		return plays_family(wf);
	if (!strcmp(in->scene, "relay"))
		wf_continue_as_new(wf, play, WF_CONTINUE_AS_NEW_OPTS(.task_timeout_ms = SOON_MS),
			.scene = "echo", .text = in->text);
	if (!strcmp(in->scene, "timers"))
		return plays_timers(wf, in->text);
	return wf_strdup(wf, in->text);
}
static const struct temporal_handler *const play_handlers[] = { &play_add_handler,
	&play_end_handler, &play_sum_handler, &play_put_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(play, play_handlers);

/* ---- what clients do ---- */

static struct temporal_run *start_by(struct temporal_client *client, const struct stage *stage,
	const char *id, const char *scene, const char *text, struct temporal_error *err)
{
	char full[160];
	struct temporal_start_opts opts = { .id = full,
		.task_queue = stage->queue,
		.execution_timeout_ms = 30000,
		.task_timeout_ms = strstr(scene, "locals") ? SHORT_MS : SOON_MS,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING,
		.request_eager_start = client == stage->client };

	snprintf(full, sizeof(full), "%s-%s", stage->queue, id);
	return temporal_start(client, play, &opts, err, .scene = scene, .text = text);
}

static struct temporal_run *start(
	const struct stage *stage, const char *id, const char *scene, const char *text)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = start_by(stage->control, stage, id, scene, text, &err);

	if (!run)
		stage_blame("starting %s: %s", scene, err.message);
	return run;
}

static void expect(struct temporal_run *run, const char *expected)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *result = NULL;
	const char *text = NULL;

	if (temporal_result(run, play, &text, &result, &err) != TEMPORAL_OK)
		stage_blame("instead of \"%s\": %s", expected, err.message);
	if (strcmp(text, expected) != 0)
		stage_blame("instead of \"%s\": \"%s\"", expected, text);
	temporal_result_unref(result);
	temporal_run_unref(run);
}

static void play_activities(struct stage *stage)
{
	expect(start(stage, "a", "activities", ""), "1 2 3 cancelled");
}

static void play_locals(struct stage *stage)
{
	struct temporal_run *slow = start(stage, "b", "long locals", "");

	expect(start(stage, "a", "locals", ""), "2 3 4 cancelled");
	expect(slow, "7");
}

static void play_nexus(struct stage *stage)
{
	atomic_store(&cancels, 0);
	expect(start(stage, "a", "nexus", stage->endpoint), "stone weighed, bag, released");
	if (atomic_load(&cancels) == 0)
		stage_blame("the operation was not cancelled");
}

static void play_family(struct stage *stage)
{
	expect(start(stage, "a", "family", ""), "5 by 1 and 0, 1");
}

/* Servers let a second pass before the next run begins. */
static void play_relay(struct stage *stage)
{
	expect(start(stage, "a", "relay", "baton"), "baton");
}

static void play_cache(struct stage *stage)
{
	struct temporal_run *runs[3];

	for (int i = 0; i < 3; i++)
		runs[i] = start(stage, (const char *const[]){ "a", "b", "c" }[i], "timers", "t");
	for (int i = 0; i < 3; i++)
		expect(runs[i], "t012");
}

static void play_restart(struct stage *stage)
{
	struct temporal_run *first = start(stage, "a", "timers", "t");
	struct temporal_run *second = start(stage, "b", "long locals", "");
	struct temporal_run *third = start(stage, "c", "activities", "");

	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	stage_restart(stage);
	expect(first, "t012");
	expect(second, "7");
	expect(third, "1 2 3 cancelled");
}

static void play_eager(struct stage *stage)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_run *run = NULL;

	for (int i = 0; !run; i++) {
		stage_count(true);
		run = start_by(stage->client, stage, "a", "echo", "text", &err);
		stage_count(false);
		if (!run && err.code != TEMPORAL_NO_MEMORY)
			stage_blame("an eager start: %s", err.message);
		if (!run)
			stage_pause(i, "nothing can be started");
	}
	temporal_run_unref(run);
	expect(start(stage, "a", "echo", "text"), "text");
}

/* A query may say that there was no memory, or get no answer; then it is asked again. */
static void ask(struct temporal_run *run, int expected)
{
	struct temporal_query_opts opts = { .timeout_ms = 1400 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	int sum = 0;

	for (int i = 0;; i++) {
		enum temporal_code code =
			temporal_query_with(run, play_sum, &opts, &sum, NULL, &err, .times = 2);

		if (code == TEMPORAL_OK)
			break;
		if (i == 10 ||
			(code != TEMPORAL_DEADLINE_EXCEEDED && !strstr(err.message, "memory")))
			stage_blame("a query: %s", err.message);
	}
	if (sum != 2 * expected)
		stage_blame("the query answers %d instead of %d", sum, 2 * expected);
}

static void play_messages(struct stage *stage)
{
	struct temporal_run *run = start(stage, "a", "messages", "");
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *kept = NULL;
	const char *why = NULL;

	for (int i = 0; i < 3; i++) {
		if (temporal_signal(run, play_add, &err, .amount = 1) != TEMPORAL_OK)
			stage_blame("a signal: %s", err.message);
	}
	if (temporal_update(run, play_put, &why, &kept, &err, .amount = 10, .why = "more") !=
			TEMPORAL_OK ||
		strcmp(why, "more 10") != 0)
		stage_blame("an update: %s %s", why ? why : "", err.message);
	temporal_result_unref(kept);
	kept = NULL;
	if (temporal_update(run, play_put, &why, &kept, &err, .amount = 0, .why = "less") !=
		TEMPORAL_UPDATE_FAILED)
		stage_blame("an update that is not to be taken: %s", err.message);
	if (strcmp(temporal_result_failure(kept)->message, "not 0") != 0)
		stage_blame("an update was rejected with \"%s\"",
			temporal_result_failure(kept)->message);
	temporal_result_unref(kept);
	ask(run, 13);
	if (temporal_signal_0(run, play_end, &err) != TEMPORAL_OK)
		stage_blame("the last signal: %s", err.message);
	expect(run, "13 by 3 and 1");
}

/* ---- the worker's options ---- */

static const struct temporal_workflow *const all_workflows[] = { &play_workflow, NULL };
static const struct temporal_activity *const all_activities[] = { &job_activity, NULL };
static const struct temporal_nexus_service *const all_services[] = { &post_service, NULL };

static void prepare_all(struct stage *stage)
{
	stage->opts = (struct temporal_worker_opts){ .task_queue = stage->queue,
		.workflows = all_workflows,
		.activities = all_activities,
		.sticky_schedule_to_start_timeout_ms = SOON_MS };
}

static void prepare_polled(struct stage *stage)
{
	prepare_all(stage);
	stage->opts.no_eager_activities = true;
	stage->opts.max_cached_workflows = TEMPORAL_OFF;
}

static void prepare_cache(struct stage *stage)
{
	prepare_all(stage);
	stage->opts.max_cached_workflows = 1;
	stage->opts.max_cached_bytes = 1 << 20;
}

static void prepare_nexus(struct stage *stage)
{
	prepare_all(stage);
	stage->opts.nexus_services = all_services;
}

static void prepare_isolated(struct stage *stage)
{
	prepare_all(stage);
	stage->opts.isolation = TEMPORAL_ISOLATE_PROCESS;
	stage->opts.max_isolated_processes = 2;
}

static void prepare_inline(struct stage *stage)
{
	prepare_all(stage);
	stage->opts.workflow_threads = TEMPORAL_OFF;
}

static void note_run(struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user)
{
	wf_log(wf, TEMPORAL_LOG_INFO, "begins");
	wf_next_in(wf, next, in);
}

static void ignore_event(const struct temporal_worker_event *event, void *user)
{
}

static void ignore_log(const struct temporal_worker_log *line, void *user)
{
}

/* All that a worker can be asked to do besides. */
static void prepare_options(struct stage *stage)
{
	static const struct temporal_workflow_interceptor notes = { .execute = note_run };
	static const struct temporal_interceptor interceptor = { .workflow = &notes };
	static const struct temporal_interceptor *const interceptors[] = { &interceptor, NULL };
	static const struct temporal_plugin plugin = { .name = "test.plugin" };
	static const struct temporal_plugin *const plugins[] = { &plugin, NULL };
	static const struct temporal_autoscaling scaled = {
		.min_pollers = 1, .initial_pollers = 2, .max_pollers = 4
	};
	static const struct temporal_tuner tuner = {
		.workflow = { .fixed_slots = 20 },
		.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES, .max_slots = 500 },
		.local_activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES, .max_slots = 500 },
		.resources = { .target_memory = 1, .target_cpu = 1 },
	};
	struct temporal_error err = { .code = TEMPORAL_OK };

	prepare_all(stage);
	stage->metrics = temporal_metrics_new(&err, .prefix = "");
	if (!stage->metrics)
		stage_blame("%s", err.message);
	stage->opts.interceptors = interceptors;
	stage->opts.plugins = plugins;
	stage->opts.workflow_task_autoscaling = &scaled;
	stage->opts.activity_task_autoscaling = &scaled;
	stage->opts.tuner = &tuner;
	stage->opts.on_event = ignore_event;
	stage->opts.on_log = ignore_log;
	stage->opts.log_level = TEMPORAL_LOG_DEBUG;
	stage->opts.log_events = true;
}

const struct scene scenes[] = {
	{ .name = "activities", .prepare = prepare_all, .play = play_activities },
	{ .name = "polled", .prepare = prepare_polled, .play = play_activities },
	{ .name = "inline", .prepare = prepare_inline, .play = play_activities },
	{ .name = "locals", .prepare = prepare_all, .play = play_locals },
	{ .name = "nexus", .prepare = prepare_nexus, .play = play_nexus },
	{ .name = "messages", .prepare = prepare_all, .play = play_messages },
	{ .name = "replayed-messages", .prepare = prepare_polled, .play = play_messages },
	{ .name = "family", .prepare = prepare_all, .play = play_family },
	{ .name = "relay", .prepare = prepare_all, .play = play_relay, .is_slow = true },
	{ .name = "cache", .prepare = prepare_cache, .play = play_cache },
	{ .name = "eager", .prepare = prepare_all, .play = play_eager },
	{ .name = "isolated", .prepare = prepare_isolated, .play = play_activities },
	{ .name = "restart", .prepare = prepare_all, .play = play_restart },
	{ .name = "options",
		.prepare = prepare_options,
		.play = play_cache,
		.from_the_start = true },
};
const size_t scenes_count = sizeof(scenes) / sizeof(scenes[0]);
