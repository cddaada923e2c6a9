/*
 * bench_embedded.c: server, worker and client in one process, one workflow with one activity after
 * the other: how long each takes, and how many commits of the database that is.
 *
 *	bench_embedded FILE|- COUNT
 *
 * FILE is made if it is not there; "-" keeps all in memory. One line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <temporal/client.h>
#include <temporal/server.h>
#include <temporal/worker.h>

#include "server/server.h"
#include "server/store/store.h"

#define QUEUE "embedded"
#define WARM  20

struct charge_in {
	double amount;
};
typedef const char *charge_out;
TEMPORAL_ACTIVITY_CONTRACT(charge, "charge", amount);

struct order_in {
	int64_t number;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "Order", number);

static const struct temporal_failure *charge_run(
	struct act *act, const struct charge_in *in, charge_out *out)
{
	*out = act_printf(act, "charged %.2f", in->amount);
	return NULL;
}
TEMPORAL_ACTIVITY(charge);

static order_out order_run(struct wf *wf, const struct order_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = TEMPORAL_SECONDS(10) };

	return wf_printf(wf, "Order %lld: %s", (long long)in->number,
		wf_activity(wf, charge, &opts, .amount = 42.5));
}
TEMPORAL_WORKFLOW(order);

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void die(const struct temporal_error *err)
{
	fprintf(stderr, "bench_embedded: %s\n", err->message);
	exit(1);
}

/* One workflow, from its start to its result; the milliseconds it took. */
static double once(struct temporal_client *client, int64_t number)
{
	const struct temporal_start_opts opts = { .task_queue = QUEUE };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *keep = NULL;
	order_out text = NULL;
	char expected[64];
	double begun_ms = now_ms();

	if (temporal_execute(client, order, &opts, &text, &keep, &err, .number = number) !=
		TEMPORAL_OK)
		die(&err);
	double took_ms = now_ms() - begun_ms;

	snprintf(expected, sizeof(expected), "Order %lld: charged 42.50", (long long)number);
	if (strcmp(text, expected) != 0) {
		snprintf(err.message, sizeof(err.message), "got \"%s\", want \"%s\"", text,
			expected);
		die(&err);
	}
	temporal_result_unref(keep);
	return took_ms;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double cpu_ms(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static void measure(struct temporal_server *server, struct temporal_client *client, int count)
{
	double *took_ms = malloc((size_t)count * sizeof(took_ms[0]));
	struct store_stats before = { 0 }, after = { 0 };

	if (!took_ms)
		exit(1);
	for (int i = 0; i < WARM; i++)
		once(client, i);
	store_stats(server->server.store, &before);
	double cpu = cpu_ms(), begun_ms = now_ms();

	for (int i = 0; i < count; i++)
		took_ms[i] = once(client, i);
	double wall_ms = now_ms() - begun_ms;

	cpu = cpu_ms() - cpu;
	store_stats(server->server.store, &after);
	qsort(took_ms, (size_t)count, sizeof(took_ms[0]), compare);
	double commits = (double)(after.commits - before.commits);

	printf("{\"workflows\":%d,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"max_ms\":%.3f,"
	       "\"per_second\":%.0f,\"cpu_ms\":%.3f,\"commits\":%.2f,\"commit_ms\":%.3f}\n",
		count, took_ms[count / 2], took_ms[count * 95 / 100], took_ms[count - 1],
		count / wall_ms * 1e3, cpu / count, commits / count,
		commits > 0 ? (double)(after.commit_ns - before.commit_ns) / commits / 1e6 : 0);
	free(took_ms);
}

int main(int argc, char **argv)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	int count = argc == 3 ? atoi(argv[2]) : 0;

	if (count < 1) {
		fprintf(stderr, "usage: bench_embedded FILE|- COUNT\n");
		return 2;
	}
	bool in_memory = strcmp(argv[1], "-") == 0;

	struct temporal_server *server =
		temporal_server_start(&err, .db = in_memory ? NULL : argv[1]);
	struct temporal_client *client =
		server ? temporal_client_connect(&err, .server = server) : NULL;
	struct temporal_worker *worker = NULL;

	if (client)
		worker = temporal_worker_new(client, &err, .task_queue = QUEUE,
			.workflows =
				(const struct temporal_workflow *const[]){ &order_workflow, NULL },
			.activities =
				(const struct temporal_activity *const[]){ &charge_activity, NULL },
			.workflow_threads = TEMPORAL_OFF, .short_activities = true);
	if (!worker || temporal_worker_start(worker, &err) != TEMPORAL_OK)
		die(&err);
	measure(server, client, count);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	temporal_server_stop(server);
	return 0;
}
