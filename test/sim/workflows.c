/*
 * workflows.c: what the workers of the simulation run: ordinary workflow code on the real engine.
 * Its choices are random (the run's own), its result says what it has seen, so that what is lost or
 * doubled shows.
 */
#include "workflows.h"

#include "sim.h"

struct sim_mixed {
	int64_t wanted, seen, doubled;
	int64_t times[SIM_SIGNALS];
};

static const struct wf_activity_opts patient = {
	.start_to_close_ms = 8000,
	.heartbeat_ms = 3000,
	.retry = &(const struct temporal_retry_policy){ .initial_interval_ms = 100,
		.maximum_interval_ms = 2000 },
};

static const struct wf_local_opts near = {
	.start_to_close_ms = 20000,
	.retry = &(const struct temporal_retry_policy){ .initial_interval_ms = 100 },
	.retry_threshold_ms = 300,
};

int64_t sim_some_time(struct wf *wf)
{
	return 1 + (int64_t)wf_random_below(wf, wf_random_below(wf, 4) ? 300 : 6000);
}

/* Whoever comes first cancels the other. */
static void race(struct wf *wf, int64_t round)
{
	struct wf_future *timer = wf_timer(wf, sim_some_time(wf));
	struct wf_future *activity = wf_start_activity(wf, sim_work, &patient, .round = round);
	struct wf_future *first = wf_select(wf, timer, activity, NULL);

	wf_cancel(wf, first == timer ? activity : timer);
	(void)!wf_try(wf, timer);
	(void)!wf_try(wf, activity);
}

/* In the workflow task itself, which may take longer than it should. */
static void stay(struct wf *wf, int64_t round)
{
	struct wf_future *timer = wf_timer(wf, sim_some_time(wf));
	struct wf_future *local = wf_start_local(wf, sim_work, &near, .round = round);

	if (wf_random_below(wf, 4) == 0)
		wf_cancel(wf, local);
	(void)!wf_try(wf, local);
	(void)wf_local(wf, sim_work, &near, .round = round);
	wf_wait(wf, timer);
}

static void fan_out(struct wf *wf, int64_t round)
{
	struct wf_future *activities[3];

	for (int i = 0; i < 3; i++)
		activities[i] = wf_start_activity(wf, sim_work, &patient, .round = round);
	for (int i = 0; i < 3; i++)
		wf_wait(wf, activities[i]);
}

void sim_play_round(struct wf *wf, int64_t round)
{
	switch (wf_random_below(wf, 5)) {
	case 0:
		wf_sleep(wf, sim_some_time(wf));
		break;
	case 1:
		(void)wf_activity(wf, sim_work, &patient, .round = round);
		break;
	case 2:
		race(wf, round);
		break;
	case 3:
		stay(wf, round);
		break;
	default:
		fan_out(wf, round);
		break;
	}
}

static bool has_all(const void *state)
{
	const struct sim_mixed *self = state;

	return self->seen >= self->wanted;
}

static sim_mixed_out sim_mixed_run(
	struct wf *wf, struct sim_mixed *self, const struct sim_mixed_in *in)
{
	self->wanted = in->signals;
	for (int64_t i = 0; i < in->rounds; i++)
		sim_play_round(wf, i);
	wf_wait(wf, wf_until(wf, has_all, self));
	return self->seen + 1000 * self->doubled;
}

static void sim_mixed_tell_run(
	struct wf *wf, struct sim_mixed *self, const struct sim_mixed_tell_in *in)
{
	if (self->times[in->number]++)
		self->doubled++;
	else
		self->seen++;
}
TEMPORAL_SIGNAL(sim_mixed, tell);

static sim_mixed_seen_out sim_mixed_seen_run(const struct wf *wf, const struct sim_mixed *self)
{
	return self->seen;
}
TEMPORAL_QUERY_0(sim_mixed, seen);

static const struct temporal_handler *const mixed_handlers[] = { &sim_mixed_tell_handler,
	&sim_mixed_seen_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(sim_mixed, mixed_handlers);

static sim_relay_out sim_relay_run(struct wf *wf, const struct sim_relay_in *in)
{
	sim_play_round(wf, in->left);
	if (in->left > 0)
		wf_continue_as_new(wf, sim_relay, NULL, .left = in->left - 1);
	return 0;
}
TEMPORAL_WORKFLOW(sim_relay);

/* ---- updates ---- */

struct sim_updated {
	int64_t wanted, seen, doubled;
	int64_t times[SIM_UPDATES];
};

static bool has_all_updates(const void *state)
{
	const struct sim_updated *self = state;

	return self->seen >= self->wanted;
}

static sim_updated_out sim_updated_run(
	struct wf *wf, struct sim_updated *self, const struct sim_updated_in *in)
{
	self->wanted = in->updates;
	sim_play_round(wf, 0);
	wf_wait(wf, wf_until(wf, has_all_updates, self));
	wf_wait_handlers(wf);
	return self->seen + 1000 * self->doubled;
}

static const struct temporal_failure *sim_updated_add_check(
	const struct wf *wf, const struct sim_updated *self, const struct sim_updated_add_in *in)
{
	return in->number % 3 == 2 ? wf_failure(wf, "Refused", "not this one") : NULL;
}

static sim_updated_add_out sim_updated_add_run(
	struct wf *wf, struct sim_updated *self, const struct sim_updated_add_in *in)
{
	int64_t before = self->seen;

	if (self->times[in->number]++)
		self->doubled++;
	else
		self->seen++;
	if (wf_random_below(wf, 2))
		sim_play_round(wf, in->number);
	return 100 * before + in->number;
}
TEMPORAL_UPDATE(sim_updated, add);

static const struct temporal_handler *const updated_handlers[] = { &sim_updated_add_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(sim_updated, updated_handlers);

const struct temporal_workflow *const sim_workflows[] = { &sim_mixed_workflow, &sim_relay_workflow,
	&sim_updated_workflow, &sim_family_workflow, &sim_child_workflow, &sim_cron_workflow,
	&sim_caller_workflow, NULL };
