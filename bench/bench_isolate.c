/*
 * bench_isolate.c: what it costs to run an activity in a child process instead of on a thread.
 *
 *	bench_isolate [COUNT]
 *
 * Server and two workers in one process; the workflow runs COUNT (500) local activities one after
 * the other, so that hardly anything but the attempts is measured, first on threads, then in
 * processes, in ten rounds of each by turns. One line of JSON: the median of the rounds, as time an
 * attempt, and the CPU time of all processes in all rounds; and what one heartbeat costs, of BEATS
 * in a row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <temporal/client.h>
#include <temporal/server.h>
#include <temporal/worker.h>

#define ROUNDS 10
#define BEATS  1000000

struct charge_in {
	double amount;
};
typedef const char *charge_out;
TEMPORAL_ACTIVITY_CONTRACT(charge, "charge", amount);

typedef double beats_out;
TEMPORAL_ACTIVITY_CONTRACT_0(beats, "beats");

struct chain_in {
	int64_t count;
};
typedef int64_t chain_out;
TEMPORAL_WORKFLOW_CONTRACT(chain, "Chain", count);

typedef double beat_out;
TEMPORAL_WORKFLOW_CONTRACT_0(beat, "Beat");

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static const struct temporal_failure *charge_run(
	struct act *act, const struct charge_in *in, charge_out *out)
{
	*out = act_printf(act, "charged %.2f", in->amount);
	return NULL;
}
TEMPORAL_ACTIVITY(charge);

static const struct temporal_failure *beats_run(struct act *act, beats_out *out)
{
	double begun_us = now_us();

	for (int64_t i = 0; i < BEATS; i++)
		act_heartbeat(act, i);
	*out = (now_us() - begun_us) / BEATS;
	return NULL;
}
TEMPORAL_ACTIVITY_0(beats);

static beat_out beat_run(struct wf *wf)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = TEMPORAL_SECONDS(60),
		.heartbeat_ms = TEMPORAL_SECONDS(10) };

	return wf_activity_0(wf, beats, &opts);
}
TEMPORAL_WORKFLOW_0(beat);

static chain_out chain_run(struct wf *wf, const struct chain_in *in)
{
	const struct wf_local_opts opts = { .start_to_close_ms = TEMPORAL_SECONDS(10) };
	chain_out total = 0;

	for (int64_t i = 0; i < in->count; i++)
		total += (chain_out)strlen(wf_local(wf, charge, &opts, .amount = 42.5));
	return total;
}
TEMPORAL_WORKFLOW(chain);

static double cpu_us(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void die(const struct temporal_error *err)
{
	fprintf(stderr, "bench_isolate: %s\n", err->message);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct temporal_worker *start_worker(
	struct temporal_client *client, const char *queue, enum temporal_isolation isolation)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = queue,
		.workflows = (const struct temporal_workflow *const[]){ &chain_workflow,
			&beat_workflow, NULL },
		.activities = (const struct temporal_activity *const[]){ &charge_activity,
			&beats_activity, NULL },
		.isolation = isolation);

	if (!worker || temporal_worker_start(worker, &err) != TEMPORAL_OK)
		die(&err);
	return worker;
}

/* Microseconds an attempt. */
static double once(struct temporal_client *client, const char *queue, int64_t count)
{
	const struct temporal_start_opts opts = { .task_queue = queue };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *keep = NULL;
	chain_out total = 0;
	double begun_us = now_us();

	if (temporal_execute(client, chain, &opts, &total, &keep, &err, .count = count) !=
		TEMPORAL_OK)
		die(&err);
	double took_us = now_us() - begun_us;

	if (total != count * 13) {
		fprintf(stderr, "bench_isolate: a wrong result\n");
		exit(1);
	}
	temporal_result_unref(keep);
	return took_us / (double)count;
}

/* A worker of its own: the processes of the others have ended, and their time was counted. */
static double beat_us(
	struct temporal_client *client, const char *queue, enum temporal_isolation isolation)
{
	struct temporal_worker *worker = start_worker(client, queue, isolation);
	const struct temporal_start_opts opts = { .task_queue = queue };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *keep = NULL;
	beat_out took_us = 0;

	if (temporal_execute_0(client, beat, &opts, &took_us, &keep, &err) != TEMPORAL_OK)
		die(&err);
	temporal_result_unref(keep);
	temporal_worker_unref(worker);
	return took_us;
}

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	static const char *const queues[] = { "threads", "processes" };
	struct temporal_error err = { .code = TEMPORAL_OK };
	int count = argc > 1 ? atoi(argv[1]) : 500;
	struct temporal_server *server = count > 0 ? temporal_server_start(&err, .db = NULL) : NULL;
	struct temporal_client *client =
		server ? temporal_client_connect(&err, .server = server) : NULL;

	if (!client)
		die(&err);
	struct temporal_worker *workers[] = {
		start_worker(client, queues[0], TEMPORAL_ISOLATE_THREAD),
		start_worker(client, queues[1], TEMPORAL_ISOLATE_PROCESS),
	};
	double took_us[2][ROUNDS], cpu[2] = { 0 }, begun;

	for (int round = -1; round < ROUNDS; round++) {
		for (int i = 0; i < 2; i++) {
			begun = cpu_us(RUSAGE_SELF);
			double took = once(client, queues[i], count);

			if (round < 0)
				continue; /* warm */
			took_us[i][round] = took;
			cpu[i] += cpu_us(RUSAGE_SELF) - begun;
		}
	}
	for (int i = 0; i < 2; i++) {
		temporal_worker_unref(workers[i]);
		qsort(took_us[i], ROUNDS, sizeof(took_us[0][0]), compare);
	}
	double thread_us = took_us[0][ROUNDS / 2], process_us = took_us[1][ROUNDS / 2];
	double all = (double)count * ROUNDS;

	cpu[1] += cpu_us(RUSAGE_CHILDREN) * ROUNDS / (ROUNDS + 1); /* the warm round too */
	double beats_us[] = { beat_us(client, queues[0], TEMPORAL_ISOLATE_THREAD),
		beat_us(client, queues[1], TEMPORAL_ISOLATE_PROCESS) };

	printf("{\"attempts\":%d,\"thread_us\":%.1f,\"process_us\":%.1f,\"cost_us\":%.1f,"
	       "\"thread_cpu_us\":%.1f,\"process_cpu_us\":%.1f,"
	       "\"thread_beat_us\":%.2f,\"process_beat_us\":%.2f}\n",
		count * ROUNDS, thread_us, process_us, process_us - thread_us, cpu[0] / all,
		cpu[1] / all, beats_us[0], beats_us[1]);
	temporal_client_unref(client);
	temporal_server_stop(server);
	return 0;
}
