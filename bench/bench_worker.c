/*
 * bench_worker.c: the workloads that the SDKs are compared by, on this library's worker.
 *
 *	bench_worker [--address HOST:PORT] [--task-queue QUEUE] [--workflow-threads N]
 *		[--read-interval-ms N] [--metrics HOST:PORT]
 *	bench_worker --replay FILE [--times N]
 *
 * Names, arguments and results are those of the same program in the other languages, so that one
 * driver drives them all.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/client.h>
#include <temporal/worker.h>

#include "bench.h"

struct charge_card_in {
	double amount;
};
typedef const char *charge_card_out;
TEMPORAL_ACTIVITY_CONTRACT(charge_card, "charge_card", amount);

struct noop_in {
	int64_t i;
};
typedef int64_t noop_out;
TEMPORAL_ACTIVITY_CONTRACT(noop, "noop", i);

struct order_in {
	const char *id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", id);

struct chain_in {
	int64_t n;
};
typedef int64_t chain_out;
TEMPORAL_WORKFLOW_CONTRACT(chain, "ChainWorkflow", n);

struct fan_in {
	int64_t n;
};
typedef int64_t fan_out;
TEMPORAL_WORKFLOW_CONTRACT(fan, "FanWorkflow", n);

struct timer_in {
	int64_t n;
};
typedef int64_t timer_out;
TEMPORAL_WORKFLOW_CONTRACT(timer, "TimerWorkflow", n);

struct signal_in {
	int64_t n;
};
typedef int64_t signal_out;
TEMPORAL_WORKFLOW_CONTRACT(signal, "SignalWorkflow", n);

struct local_in {
	int64_t n;
};
typedef int64_t local_out;
TEMPORAL_WORKFLOW_CONTRACT(local, "LocalWorkflow", n);

typedef void idle_out;
TEMPORAL_WORKFLOW_CONTRACT_0(idle, "IdleWorkflow");

/* The signals. */
struct sig_in {
	int64_t i;
};
TEMPORAL_SIGNAL_CONTRACT(sig, "sig", i);
TEMPORAL_SIGNAL_CONTRACT_0(done, "done");

static const struct temporal_failure *charge_card_run(
	struct act *act, const struct charge_card_in *in, charge_card_out *out)
{
	*out = act_printf(act, "charged %.2f", in->amount);
	return NULL;
}
TEMPORAL_ACTIVITY(charge_card);

static const struct temporal_failure *noop_run(
	struct act *act, const struct noop_in *in, noop_out *out)
{
	*out = in->i;
	return NULL;
}
TEMPORAL_ACTIVITY(noop);

static const struct wf_activity_opts ten_seconds = { .start_to_close_ms = TEMPORAL_SECONDS(10) };

static order_out order_run(struct wf *wf, const struct order_in *in)
{
	const char *charged = wf_activity(wf, charge_card, &ten_seconds, .amount = 42.5);

	return wf_printf(wf, "Order %s: %s", in->id, charged);
}
TEMPORAL_WORKFLOW(order);

static chain_out chain_run(struct wf *wf, const struct chain_in *in)
{
	int64_t sum = 0;

	for (int64_t i = 0; i < in->n; i++)
		sum += wf_activity(wf, noop, &ten_seconds, .i = i);
	return sum;
}
TEMPORAL_WORKFLOW(chain);

static fan_out fan_run(struct wf *wf, const struct fan_in *in)
{
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));
	int64_t sum = 0;

	for (int64_t i = 0; i < in->n; i++)
		futures[i] = wf_start_activity(wf, noop, &ten_seconds, .i = i);
	for (int64_t i = 0; i < in->n; i++)
		sum += wf_await(wf, noop, futures[i]);
	return sum;
}
TEMPORAL_WORKFLOW(fan);

static timer_out timer_run(struct wf *wf, const struct timer_in *in)
{
	for (int64_t i = 0; i < in->n; i++)
		wf_sleep(wf, 1);
	return in->n;
}
TEMPORAL_WORKFLOW(timer);

static signal_out signal_run(struct wf *wf, const struct signal_in *in)
{
	for (int64_t i = 0; i < in->n; i++)
		(void)wf_receive(wf, sig);
	return in->n;
}
TEMPORAL_WORKFLOW(signal);

static local_out local_run(struct wf *wf, const struct local_in *in)
{
	static const struct wf_local_opts here = { .start_to_close_ms = TEMPORAL_SECONDS(10) };
	int64_t sum = 0;

	for (int64_t i = 0; i < in->n; i++)
		sum += wf_local(wf, noop, &here, .i = i);
	return sum;
}
TEMPORAL_WORKFLOW(local);

static idle_out idle_run(struct wf *wf)
{
	wf_receive_0(wf, done);
}
TEMPORAL_WORKFLOW_0(idle);

const struct temporal_workflow *const bench_workflows[] = { &order_workflow, &chain_workflow,
	&fan_workflow, &timer_workflow, &signal_workflow, &local_workflow, &idle_workflow, NULL };

static void complain(const struct temporal_worker_log *line, void *user)
{
	fprintf(stderr, "bench_worker: %s\n", line->message);
}

static int work(const char *address, const char *listen_on, const char *task_queue, int threads,
	int interval_ms)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_metrics *metrics =
		listen_on ? temporal_metrics_new(&err, .listen = listen_on) : NULL;
	struct temporal_client *client =
		listen_on && !metrics
			? NULL
			: temporal_client_connect(&err, .target = address, .lazy = true,
				  .read_interval_ms = interval_ms, .metrics = metrics);
	struct temporal_worker *worker =
		!client ? NULL
			: temporal_worker_new(client, &err, .task_queue = task_queue,
				  .workflows = bench_workflows,
				  .activities =
					  (const struct temporal_activity *const[]){
						  &charge_card_activity, &noop_activity, NULL },
				  .max_concurrent_workflow_tasks = 100,
				  .max_concurrent_activities = 100,
				  .max_concurrent_local_activities = 100,
				  .max_cached_workflows = 5000, .workflow_task_pollers = 5,
				  .activity_task_pollers = 5,
				  .short_activities = threads == TEMPORAL_OFF,
				  .workflow_threads = threads, .shutdown_on_signals = true,
				  .on_log = complain);

	temporal_client_unref(client);
	temporal_metrics_unref(metrics);
	int status = worker && temporal_worker_run(worker, &err) == TEMPORAL_OK ? 0 : 1;

	if (status)
		fprintf(stderr, "bench_worker: %s\n", err.message);
	temporal_worker_unref(worker);
	return status;
}

int main(int argc, char **argv)
{
	const char *address = "127.0.0.1:7233", *task_queue = "peers", *history = NULL;
	const char *listen_on = NULL;
	int times = 20, threads = TEMPORAL_OFF, interval_ms = -1;

	/* A heap for each of a hundred threads would cost memory, a single one would be fought for.
	 */
	mallopt(M_ARENA_MAX, 3);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--address") == 0)
			address = argv[i + 1];
		else if (strcmp(argv[i], "--task-queue") == 0)
			task_queue = argv[i + 1];
		else if (strcmp(argv[i], "--replay") == 0)
			history = argv[i + 1];
		else if (strcmp(argv[i], "--times") == 0)
			times = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--workflow-threads") == 0)
			threads = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--read-interval-ms") == 0)
			interval_ms = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--metrics") == 0)
			listen_on = argv[i + 1];
		else
			argc = 0;
	}
	if (argc % 2 == 0 || times < 1) {
		fprintf(stderr, "usage: bench_worker [--address HOST:PORT] [--task-queue QUEUE] "
				"[--workflow-threads N] [--read-interval-ms N] "
				"[--metrics HOST:PORT]\n"
				"       bench_worker --replay FILE [--times N]\n");
		return 2;
	}
	if (interval_ms < 0)
		interval_ms = threads == TEMPORAL_OFF ? 20 : 0;
	return history ? bench_replay(history, times)
		       : work(address, listen_on, task_queue, threads, interval_ms);
}
