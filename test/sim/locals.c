/*
 * locals.c: local activities of the simulated workers: they take their time, complete with a number
 * that is never given twice, fail, and may take longer than their workflow task.
 *
 *     locals_wait --> [each: sleeps, ends] --> engine_run_locals --> ...
 *         \-- most of the task's time is over --> engine_run_heartbeat
 */
#include <stdio.h>
#include <string.h>

#include "worker.h"

#define HEARTBEAT_NS (8 * SIM_SECOND) /* of the ten of a task */

struct local {
	struct local *next; /* of its run */
	struct cached *run;
	uint32_t seq, attempt;
	int64_t asked_ns, original_ns;
	bool done, cancelled;
};

/* A wait that a heartbeat may end. */
struct beat {
	struct cached *run;
	int64_t wait;
};

static Failure__Failure *failure_of(const struct local *local)
{
	Failure__Failure *failure = sim_alloc(sizeof(*failure));

	*failure = (Failure__Failure)FAILURE__FAILURE__INIT;
	if (local->cancelled) {
		Failure__CanceledFailureInfo *info = sim_alloc(sizeof(*info));

		*info = (Failure__CanceledFailureInfo)FAILURE__CANCELED_FAILURE_INFO__INIT;
		failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
		failure->canceled_failure_info = info;
	} else {
		Failure__ApplicationFailureInfo *info = sim_alloc(sizeof(*info));

		*info = (Failure__ApplicationFailureInfo)FAILURE__APPLICATION_FAILURE_INFO__INIT;
		failure->message = "bad luck";
		failure->failure_info_case =
			FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
		failure->application_failure_info = info;
	}
	return failure;
}

/* What has ended, if the run waits for it now. */
static void deliver(struct cached *run)
{
	struct local_result results[4];
	size_t n_results = 0;

	for (struct local **at = &run->locals; *at && n_results < 4;) {
		struct local *local = *at;

		if (!local->done) {
			at = &local->next;
			continue;
		}
		*at = local->next;
		bool fails = local->cancelled || sim_chance(150);
		results[n_results++] = (struct local_result){
			.seq = local->seq,
			.result = fails ? NULL : client_number(++sim_figures.locals),
			.failure = fails ? failure_of(local) : NULL,
			.attempt = local->attempt,
			.backoff_ms = fails && !local->cancelled ? 500 : 0,
			.original_schedule_ns = local->original_ns,
			.runtime_ns = sim_now_ns - local->asked_ns,
		};
	}
	if (!n_results)
		return;
	run->wait++;
	run->step = engine_run_locals(run->engine, results, n_results);
	worker_go(run);
}

static bool waits(const struct cached *run)
{
	return !run->gone && !run->life->dead && run->wait % 2;
}

static void end(void *arg)
{
	struct local *local = arg;

	local->done = true;
	if (waits(local->run))
		deliver(local->run);
}

static void beat(void *arg)
{
	const struct beat *beat = arg;

	if (!waits(beat->run) || beat->run->wait != beat->wait)
		return;
	beat->run->wait++;
	beat->run->step = engine_run_heartbeat(beat->run->engine);
	worker_go(beat->run);
}

static void begin(struct cached *run, const struct local_request *request)
{
	struct local *local = sim_alloc(sizeof(*local));

	local->run = run;
	local->seq = request->seq;
	local->attempt = (uint32_t)request->task->attempt;
	local->asked_ns = sim_now_ns;
	local->original_ns =
		request->original_schedule_ns ? request->original_schedule_ns : sim_now_ns;
	local->next = run->locals;
	run->locals = local;
	sim_after(sim_chance(60) ? 15 * SIM_SECOND : sim_between(0, 300 * SIM_MS), end, local);
}

void locals_wait(struct cached *run)
{
	struct beat *wait = sim_alloc(sizeof(*wait));

	for (size_t i = 0; i < run->step.n_locals; i++)
		begin(run, run->step.locals[i]);
	for (size_t i = 0; i < run->step.n_cancels; i++) {
		for (struct local *at = run->locals; at; at = at->next) {
			if (at->seq == run->step.cancels[i]->seq)
				at->cancelled = at->done = true;
		}
	}
	run->wait++;
	*wait = (struct beat){ run, run->wait };
	sim_after(HEARTBEAT_NS, beat, wait);
	deliver(run);
}
