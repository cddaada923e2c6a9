/*
 * caller.c: a workflow that sends a parcel by the service of parcels, of which it knows the
 * contract and the endpoint alone.
 *
 *	nexus_caller PARCEL_ID [HOST:PORT]
 */
#include <stdio.h>

#include <temporal/client.h>
#include <temporal/worker.h>

#include "contract.h"

#define TASK_QUEUE "shop"

struct send_in {
	struct parcel parcel;
};
typedef const char *send_out;
TEMPORAL_WORKFLOW_CONTRACT(send, "Send", RECORD(parcel, struct parcel));

static send_out send_run(struct wf *wf, const struct send_in *in)
{
	const struct wf_nexus_opts opts = {
		.endpoint = PARCELS_ENDPOINT,
		.service = parcels.name,
		.schedule_to_close_ms = TEMPORAL_MINUTES(5),
	};
	double price = wf_nexus(wf, quote, &opts, .parcel = in->parcel);
	const char *who = wf_nexus(wf, ship, &opts, .parcel = in->parcel);

	return wf_printf(wf, "%s: %.2f paid, signed by %s", in->parcel.id, price, who);
}
TEMPORAL_WORKFLOW(send);

static int fail(const struct temporal_error *err)
{
	fprintf(stderr, "nexus_caller: %s\n", err->message);
	return 1;
}

static int send_parcel(struct temporal_client *client, const char *id)
{
	const struct temporal_start_opts start = { .id = id, .task_queue = TASK_QUEUE };
	struct temporal_result *result = NULL;
	struct temporal_error err;
	send_out text;

	enum temporal_code code = temporal_execute(client, send, &start, &text, &result, &err,
		.parcel = { .id = id, .to = "Ann", .kilos = 2 });

	if (code == TEMPORAL_OK)
		printf("%s\n", text);
	temporal_result_unref(result);
	return code == TEMPORAL_OK ? 0 : fail(&err);
}

static int run(struct temporal_client *client, const char *id)
{
	struct temporal_error err;
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = TASK_QUEUE,
		.workflows = (const struct temporal_workflow *const[]){ &send_workflow, NULL });

	if (!worker)
		return fail(&err);
	int status = temporal_worker_start(worker, &err) == TEMPORAL_OK ? send_parcel(client, id)
									: fail(&err);

	temporal_worker_unref(worker); /* shuts it down */
	return status;
}

int main(int argc, char **argv)
{
	struct temporal_error err;

	if (argc < 2) {
		fprintf(stderr, "usage: nexus_caller PARCEL_ID [HOST:PORT]\n");
		return 2;
	}
	struct temporal_client *client =
		temporal_client_connect(&err, .target = argc > 2 ? argv[2] : "localhost:7233");

	if (!client)
		return fail(&err);
	int status = run(client, argv[1]);

	temporal_client_unref(client);
	return status;
}
