/*
 * intercept.c: which interceptors a worker has, and those of activities.
 *
 * The lists are picked once, by what their tables are for, so that a worker without interceptors of
 * a kind sees a NULL. A chain is a struct act_next on the stack of the thread that is called or
 * asks; as for workflows (workflow/intercept.c), what comes in goes from the first to the last, and
 * what is asked for the other way round.
 */
#include "worker/intercept.h"

#include "client/client.h"
#include "worker/act.h"
#include "worker/worker.h"

struct act_next {
	const struct temporal_interceptor *const *at; /* the next one; NULL: none is left */
};

/* ---- which there are ---- */

static size_t count(const struct temporal_interceptor *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static void pick(const struct temporal_interceptor *const *from,
	const struct temporal_interceptor **workflow, size_t *n_workflow,
	const struct temporal_interceptor **activity, size_t *n_activity)
{
	for (; from && *from; from++) {
		if ((*from)->workflow)
			workflow[(*n_workflow)++] = *from;
		if ((*from)->activity)
			activity[(*n_activity)++] = *from;
	}
}

bool worker_interceptors_init(struct temporal_worker *worker)
{
	const struct temporal_interceptor *const *first = client_interceptors(worker->client);
	const struct temporal_interceptor *const *second = worker->opts.interceptors;
	size_t n = count(first) + count(second), n_workflow = 0, n_activity = 0;
	const struct temporal_interceptor **workflow, **activity;

	if (n == 0)
		return true;
	workflow = arena_array(&worker->arena, n + 1, sizeof(*workflow));
	activity = arena_array(&worker->arena, n + 1, sizeof(*activity));
	if (!workflow || !activity)
		return false;
	pick(first, workflow, &n_workflow, activity, &n_activity);
	pick(second, workflow, &n_workflow, activity, &n_activity);
	worker->wf.interceptors = n_workflow ? workflow : NULL;
	worker->interceptors = n_activity ? activity : NULL;
	worker->last_interceptor = n_activity ? &activity[n_activity - 1] : NULL;
	return true;
}

/* ---- in ---- */

const struct temporal_failure *act_next_execute(
	struct act *act, struct act_next *next, struct act_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_failure *failure;

	while (*next->at && !(*next->at)->activity->execute)
		next->at++;
	const struct temporal_interceptor *here = *next->at;

	if (here) {
		next->at++;
		failure = here->activity->execute(act, next, in, here->user);
	} else {
		failure = act->definition->run(act, in->in, in->out);
	}
	next->at = at;
	return failure;
}

const struct temporal_failure *worker_intercept_execute(struct act *act, const void *in, void *out)
{
	struct act_next next = { act->worker->interceptors };
	struct act_inbound inbound = { act->definition->contract, in, out };

	if (!next.at)
		return act->definition->run(act, in, out);
	return act_next_execute(act, &next, &inbound);
}

/* ---- out ---- */

/* One further to the front; NULL: that was the first. */
static const struct temporal_interceptor *const *before(
	const struct act *act, const struct temporal_interceptor *const *at)
{
	return at == act->worker->interceptors ? NULL : at - 1;
}

void act_next_heartbeat(
	struct act *act, struct act_next *next, const struct temporal_payloads *details)
{
	const struct temporal_interceptor *const *at = next->at;

	while (next->at && !(*next->at)->activity->heartbeat)
		next->at = before(act, next->at);
	const struct temporal_interceptor *here = next->at ? *next->at : NULL;

	if (here) {
		next->at = before(act, next->at);
		here->activity->heartbeat(act, next, details, here->user);
	} else {
		worker_act_heartbeat(act, details);
	}
	next->at = at;
}

void worker_intercept_heartbeat(struct act *act, const struct temporal_payloads *details)
{
	act_next_heartbeat(act, &(struct act_next){ act->worker->last_interceptor }, details);
}

const struct act_info *act_next_info(const struct act *act, struct act_next *next)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct act_info *info = &act->info;

	while (next->at && !(*next->at)->activity->info)
		next->at = before(act, next->at);
	const struct temporal_interceptor *here = next->at ? *next->at : NULL;

	if (here) {
		next->at = before(act, next->at);
		info = here->activity->info(act, next, here->user);
	}
	next->at = at;
	return info;
}

const struct act_info *worker_intercept_info(const struct act *act)
{
	return act_next_info(act, &(struct act_next){ act->worker->last_interceptor });
}
