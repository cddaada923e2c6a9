/*
 * watchdog.c: the deadlock detector: one activation of workflow code may take so much CPU time of
 * its thread and no more.
 *
 *	look: the same activation as at the last look, and its thread has computed for too long
 *	  -> its stack is asked for (base/trace_thread.c)
 *	  -> a new thread takes its place (workflow_thread.c); who wins `activation` is sure
 *	  -> the task fails with TMPRL1101; the run is left alone until its code returns
 *	  -> all others of that thread come back by replay on the new one (run_stuck.c)
 *
 * It is a timer of the loop that looks four times in that time, only while a workflow thread is
 * busy. What an activation pays for it is one atomic store and one exchange. CPU time is counted,
 * so that a process which is stopped, in a debugger or by a busy machine, does not look stuck; and
 * from the first look that has seen the activation, so that it may take a quarter more.
 */
#include "worker/watchdog.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/trace.h"
#include "worker/event.h"
#include "worker/run.h"
#include "worker/worker.h"

#define LOOKS          4
#define INTERVAL_MIN   5
#define TRACE_TEXT_MAX 6000

static int64_t cpu_ns(const struct worker_workflow_thread *thread)
{
	clockid_t clock;

	return pthread_getcpuclockid(thread->thread, &clock) == 0 ? clock_ns(clock) : 0;
}

static void tell(struct worker_run *run, const char *trace)
{
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ApplicationFailureInfo info = FAILURE__APPLICATION_FAILURE_INFO__INIT;
	char text[160];

	snprintf(text, sizeof(text),
		"[TMPRL1101] Potential deadlock detected: workflow didn't yield within %g "
		"second(s).",
		(double)run->worker->opts.deadlock_timeout_ms / 1000);
	worker_log(run->worker, TEMPORAL_LOG_ERROR, "workflow %s (%s, run %s): %s\n%s",
		engine_run_workflow_id(run->engine), engine_run_workflow_type(run->engine),
		run->run_id, text, trace);
	info.type = "DeadlockError";
	failure.message = text;
	failure.source = "CSDK";
	failure.stack_trace = trace;
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	worker_run_give_up(run, &failure);
}

static void is_stuck(struct temporal_worker *worker, unsigned i)
{
	struct worker_workflow_thread *thread = worker->workflow_threads.items[i];
	struct worker_run *queued = NULL;
	void *frames[TRACE_FRAMES_MAX];
	char trace[TRACE_TEXT_MAX];
	size_t n = trace_of_thread(thread->thread, frames, TRACE_FRAMES_MAX);

	trace_format(trace, sizeof(trace), frames, n);
	struct worker_run *run =
		worker_workflow_threads_replace(&worker->workflow_threads, i, &queued);

	if (!run)
		return; /* it has just returned; or the next look will have memory */
	tell(run, trace);
	worker_runs_leave(thread, queued);
}

/* false: it sleeps. */
static bool look_at(struct temporal_worker *worker, unsigned i)
{
	struct worker_workflow_thread *thread = worker->workflow_threads.items[i];
	uint64_t activation;

	if (!thread->running || worker_workflow_thread_sleeps(thread))
		return false;
	activation = atomic_load_explicit(&thread->activation, memory_order_relaxed);
	if (activation == 0)
		return true;
	int64_t now_ns = cpu_ns(thread);

	if (activation != thread->seen) {
		thread->seen = activation;
		thread->seen_cpu_ns = now_ns;
	} else if (now_ns - thread->seen_cpu_ns >= worker->opts.deadlock_timeout_ms * NS_PER_MS) {
		is_stuck(worker, i);
	}
	return true;
}

static void look(struct rpc_timer *timer)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)timer -
					   offsetof(struct temporal_worker, watchdog));
	bool busy = false;

	for (unsigned i = 0; i < worker->workflow_threads.count; i++)
		busy = look_at(worker, i) || busy;
	if (busy)
		worker_watchdog_look(worker);
}

void worker_watchdog_look(struct temporal_worker *worker)
{
	int64_t interval_ms = worker->opts.deadlock_timeout_ms / LOOKS;

	if (worker->watchdog.armed || worker->phase == WORKER_STOPPED)
		return;
	if (interval_ms < INTERVAL_MIN)
		interval_ms = INTERVAL_MIN;
	rpc_timer_set(
		worker->loop, &worker->watchdog, rpc_now_ns() + interval_ms * NS_PER_MS, look);
}

void worker_watchdog_stop(struct temporal_worker *worker)
{
	rpc_timer_stop(&worker->watchdog);
}
