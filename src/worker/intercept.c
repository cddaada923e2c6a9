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
#include "worker/nexus.h"
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

enum kind {
	WORKFLOW,
	ACTIVITY,
	NEXUS
};
#define KINDS 3

static bool is_for(const struct temporal_interceptor *interceptor, enum kind kind)
{
	switch (kind) {
	case WORKFLOW:
		return interceptor->workflow;
	case ACTIVITY:
		return interceptor->activity;
	case NEXUS:
		break;
	}
	return interceptor->nexus;
}

static size_t pick(const struct temporal_interceptor *const *from, enum kind kind,
	const struct temporal_interceptor **to, size_t n)
{
	for (; from && *from; from++) {
		if (is_for(*from, kind))
			to[n++] = *from;
	}
	return n;
}

bool worker_interceptors_init(struct temporal_worker *worker)
{
	const struct temporal_interceptor *const *first = client_interceptors(worker->client);
	const struct temporal_interceptor *const *second = worker->opts.interceptors;
	size_t all = count(first) + count(second), n[KINDS];
	const struct temporal_interceptor **picked[KINDS];

	for (int i = 0; all > 0 && i < KINDS; i++) {
		picked[i] = arena_array(&worker->arena, all + 1, sizeof(*picked[i]));
		if (!picked[i])
			return false;
		n[i] = pick(first, (enum kind)i, picked[i], 0);
		n[i] = pick(second, (enum kind)i, picked[i], n[i]);
	}
	if (all == 0)
		return true;
	worker->wf.interceptors = n[WORKFLOW] ? picked[WORKFLOW] : NULL;
	worker->interceptors = n[ACTIVITY] ? picked[ACTIVITY] : NULL;
	worker->last_interceptor = n[ACTIVITY] ? &picked[ACTIVITY][n[ACTIVITY] - 1] : NULL;
	worker->nexus_interceptors = n[NEXUS] ? picked[NEXUS] : NULL;
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

/* ---- Nexus ---- */

struct nexus_next {
	const struct temporal_interceptor *const *at;
};

const struct temporal_failure *nexus_next_start(
	struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_failure *failure;

	while (*next->at && !(*next->at)->nexus->start)
		next->at++;
	const struct temporal_interceptor *here = *next->at;

	if (here) {
		next->at++;
		failure = here->nexus->start(nexus, next, in, here->user);
	} else {
		failure = nexus->definition->start(nexus, in->in, in->out);
	}
	next->at = at;
	return failure;
}

const struct temporal_failure *worker_intercept_nexus_start(
	struct nexus *nexus, const void *in, void *out)
{
	struct nexus_next next = { nexus->worker->nexus_interceptors };
	struct nexus_inbound inbound = { nexus->definition->contract, in, out, NULL };

	if (!next.at)
		return nexus->definition->start(nexus, in, out);
	return nexus_next_start(nexus, &next, &inbound);
}

static const struct temporal_failure *cancel(struct nexus *nexus, const char *token)
{
	return nexus->definition->cancel ? nexus->definition->cancel(nexus, token)
					 : nexus_cancel_workflow(nexus, token);
}

const struct temporal_failure *nexus_next_cancel(
	struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_failure *failure;

	while (*next->at && !(*next->at)->nexus->cancel)
		next->at++;
	const struct temporal_interceptor *here = *next->at;

	if (here) {
		next->at++;
		failure = here->nexus->cancel(nexus, next, in, here->user);
	} else {
		failure = cancel(nexus, in->token);
	}
	next->at = at;
	return failure;
}

const struct temporal_failure *worker_intercept_nexus_cancel(struct nexus *nexus)
{
	struct nexus_next next = { nexus->worker->nexus_interceptors };
	struct nexus_inbound inbound = { nexus->definition->contract, NULL, NULL,
		nexus->info.operation_token };

	if (!next.at)
		return cancel(nexus, inbound.token);
	return nexus_next_cancel(nexus, &next, &inbound);
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
