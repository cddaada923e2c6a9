/*
 * workflows_remote.c: the workflows that have to do with others: parents and their children, runs
 * by the clock, callers of Nexus operations. As in workflows.c, their choices are random.
 */
#include "workflows.h"

#include "sim.h"

#define CHILDREN_MAX 4
#define LONG_MS      40000

/* ---- children ---- */

struct sim_child {
	int64_t told;
};

static void sim_child_tell_run(
	struct wf *wf, struct sim_child *self, const struct sim_child_tell_in *in)
{
	self->told++;
}
TEMPORAL_SIGNAL(sim_child, tell);

static bool was_told(const void *state)
{
	return ((const struct sim_child *)state)->told > 0;
}

static sim_child_out sim_child_run(
	struct wf *wf, struct sim_child *self, const struct sim_child_in *in)
{
	switch (in->kind) {
	case SIM_CHILD_TOLD:
		wf_until_timeout(wf, was_told, self, LONG_MS);
		return self->told;
	case SIM_CHILD_ENDLESS:
		wf_sleep(wf, LONG_MS);
		return in->kind;
	default:
		sim_play_round(wf, in->kind);
		break;
	}
	if (in->kind == SIM_CHILD_FAILING)
		wf_fail(wf, "Misfit", "as planned");
	if (in->kind == SIM_CHILD_RELAY)
		wf_continue_as_new(wf, sim_child, NULL, .kind = SIM_CHILD_QUICK);
	return in->kind;
}

static const struct temporal_handler *const child_handlers[] = { &sim_child_tell_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(sim_child, child_handlers);

/* ---- parents ---- */

static struct wf_future *bear(struct wf *wf, int64_t number)
{
	const char *id = wf_printf(wf, "%s/%d", wf_info(wf)->workflow_id, (int)number);
	struct wf_child_opts opts = { .id = id };

	opts.parent_close = (enum temporal_parent_close_policy)wf_random_below(wf, 4);
	opts.cancellation = (enum temporal_remote_cancellation)wf_random_below(wf, 3);
	return wf_start_child(
		wf, sim_child, &opts, .kind = (int64_t)wf_random_below(wf, SIM_CHILD_KINDS));
}

/* From outside, as it could be done to any workflow. */
static void interfere(struct wf *wf, struct wf_future *child)
{
	const char *id = wf_child_id(wf, child);

	switch (wf_random_below(wf, 4)) {
	case 0:
		(void)!wf_try(wf, wf_child_signal(wf, child, sim_child_tell, .number = 1));
		break;
	case 1:
		(void)!wf_try(wf, wf_external_signal(wf, id, NULL, sim_child_tell, .number = 2));
		break;
	case 2:
		(void)!wf_try(wf, wf_external_cancel(wf, id, NULL, "enough"));
		break;
	default:
		(void)!wf_try(
			wf, wf_external_signal(wf, "nobody", NULL, sim_child_tell, .number = 3));
		break;
	}
}

/* Has it been seen to succeed? */
static bool raise_child(struct wf *wf, struct wf_future *child)
{
	if (wf_try(wf, wf_child_started(wf, child)))
		return false;
	if (wf_random_below(wf, 2))
		wf_sleep(wf, sim_some_time(wf));
	if (wf_random_below(wf, 2))
		interfere(wf, child);
	switch (wf_random_below(wf, 4)) {
	case 0:
		wf_detach(wf, child); /* let it see */
		return false;
	case 1:
		wf_cancel(wf, child);
		break;
	default:
		break;
	}
	return !wf_try(wf, child);
}

static sim_family_out sim_family_run(struct wf *wf, const struct sim_family_in *in)
{
	struct wf_future *children[CHILDREN_MAX];
	int64_t succeeded = 0;

	for (int64_t i = 0; i < in->children; i++)
		children[i] = bear(wf, i);
	for (int64_t i = 0; i < in->children; i++)
		succeeded += raise_child(wf, children[i]);
	return succeeded;
}
TEMPORAL_WORKFLOW(sim_family);

/* ---- by the clock ---- */

static sim_cron_out sim_cron_run(struct wf *wf)
{
	const sim_cron_out *last = wf_last_result(wf, sim_cron);
	int64_t result = last ? *last + 1 : 1;

	if (wf_random_below(wf, 2))
		sim_play_round(wf, result);
	if (wf_random_below(wf, 6) == 0)
		wf_fail(wf, "Misfit", "this time");
	return result;
}
TEMPORAL_WORKFLOW_0(sim_cron);

/* ---- callers ---- */

static struct wf_future *operate(struct wf *wf, int64_t number)
{
	static const char *const names[] = { "now", "later", "fail", "endless" };
	const char *text = wf_printf(wf, "\"%s-%d\"", wf_info(wf)->workflow_id, (int)number);
	struct temporal_payload in = { .data = { text, strlen(text) } };
	struct wf_nexus_opts opts = { .endpoint = SIM_ENDPOINT, .service = "service" };

	opts.cancellation = (enum temporal_remote_cancellation)wf_random_below(wf, 3);
	if (wf_random_below(wf, 4) == 0)
		opts.schedule_to_close_ms = 1 + (int64_t)wf_random_below(wf, 10000);
	return wf_start_nexus_raw(wf, names[wf_random_below(wf, 4)], &in, &opts);
}

static bool finish_operation(struct wf *wf, struct wf_future *operation)
{
	if (wf_random_below(wf, 2))
		(void)!wf_try(wf, wf_nexus_started(wf, operation));
	if (wf_random_below(wf, 3) == 0) {
		wf_sleep(wf, sim_some_time(wf));
		wf_cancel(wf, operation);
	}
	return !wf_try(wf, operation);
}

static sim_caller_out sim_caller_run(struct wf *wf, const struct sim_caller_in *in)
{
	struct wf_future *operations[CHILDREN_MAX];
	int64_t succeeded = 0;

	for (int64_t i = 0; i < in->operations; i++)
		operations[i] = operate(wf, i);
	for (int64_t i = 0; i < in->operations; i++)
		succeeded += finish_operation(wf, operations[i]);
	return succeeded;
}
TEMPORAL_WORKFLOW(sim_caller);
