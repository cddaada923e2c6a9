/*
 * timer.c: durable timers: started, fired, cancelled.
 *
 * A timer is a command with the next number, and a future in `timers` under that number until a job
 * fires it or the code cancels it. The engine tells nothing of a cancellation: it is complete at
 * once, here. A duration of 0 is done without a command, as in the Go SDK: a timer would only cost
 * a workflow task.
 *
 * wf_sleep gives its future to nobody, so it is recycled at once, and a run that sleeps in a loop
 * needs no more memory for it.
 *
 * timer_fire and timer_cancel may be called anywhere; the rest is for coroutines.
 */
#include "workflow/run.h"

/*
 * The number is taken before anything can fail, but a failure here ends the task, so no gap in the
 * numbers is ever seen by history.
 */
static struct wf_future *timer_start(struct wf *wf, int64_t ms, const struct wf_timer_opts *opts)
{
	struct wf_future *future = future_new(wf, FUTURE_TIMER);

	if (!future)
		run_lacks_memory(wf);
	if (ms == 0) {
		future_settle(wf, future, NULL);
		return future;
	}
	future->seq = ++wf->timer_seq;
	struct command *command = run_command(wf, COMMAND_START_TIMER);
	if (!command || !pending_put(&wf->timers, future->seq, future))
		run_lacks_memory(wf);
	command->start_timer.seq = future->seq;
	command->start_timer.start_to_fire_ns = ms * 1000000;
	return future;
}

struct summary_call {
	struct wf *wf;
	const char *summary;
	Sdk__UserMetadata *metadata;
};

/*
 * On the thread's stack, since it encodes JSON. Into the task's arena: the engine has the command
 * before that is reset.
 */
static void summary_call(void *arg)
{
	struct summary_call *call = arg;

	call->metadata = options_summary(&call->wf->task, call->summary);
}

/*
 * The summary is attached to the command just made, which is the newest of the array: nothing else
 * has run meanwhile.
 */
static struct wf_future *begin(struct wf *wf, int64_t ms, const struct wf_timer_opts *opts)
{
	if (!options_ms(&ms) || ms > INT64_MAX / 1000000)
		run_fault(wf, "InvalidArgument", "wf_timer: %lld ms is no duration", (long long)ms);
	struct wf_future *future = timer_start(wf, ms, opts);
	if (!opts->summary || ms == 0)
		return future;
	struct summary_call call = { .wf = wf, .summary = opts->summary };
	memory_on_thread(wf, summary_call, &call);
	if (!call.metadata)
		run_lacks_memory(wf);
	wf->commands[wf->n_commands - 1].user_metadata = call.metadata;
	return future;
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	return begin(wf, out->ms, call);
}

struct wf_future *wf_timer_with_(
	struct wf *wf, int64_t ms, const struct wf_timer_opts *given, size_t opts_size)
{
	struct wf_timer_opts opts;

	run_acts(wf, "wf_timer");
	options_copy(&opts, sizeof(opts), given, opts_size);
	if (!intercepts(wf))
		return begin(wf, ms, &opts);
	struct wf_outbound out = { .name = "", .ms = ms };
	return intercept_out(wf, INTERCEPTED(timer), &out, ask, &opts, NULL);
}

struct wf_future *(wf_timer)(struct wf *wf, int64_t ms)
{
	return wf_timer_with_(wf, ms, NULL, 0);
}

void(wf_sleep)(struct wf *wf, int64_t ms)
{
	run_acts(wf, "wf_sleep");
	struct wf_future *future = (wf_timer)(wf, ms);

	await_one(wf, future, "wf_sleep");
	const struct temporal_failure *failure = future->failure;
	future_recycle(wf, future);
	if (failure)
		coroutine_raise(wf, failure);
}

/* One that was cancelled earlier in the activation is not there: nothing to do. */
void timer_fire(struct wf *wf, uint32_t seq)
{
	struct wf_future *future = pending_take(&wf->timers, seq);

	if (!future)
		return;
	future_settle(wf, future, NULL);
	if (future->of)
		local_again(wf, future);
}

/* Out of `timers` first: a TimerFired of the same activation finds nothing and changes nothing. */
void timer_cancel(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_CANCEL_TIMER);

	if (!command) {
		run_out_of_memory(wf);
		return;
	}
	command->cancel_timer.seq = future->seq;
	pending_take(&wf->timers, future->seq);
	future_settle(wf, future, failure_cancelled(wf, "Timer cancelled"));
}
