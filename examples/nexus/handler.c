/*
 * handler.c: handles the service of parcels: one operation at once, the other by a workflow.
 *
 *	nexus_handler [HOST:PORT]
 *
 * It makes the endpoint by which callers reach it, and runs until it gets SIGINT or SIGTERM.
 */
#include <stdio.h>

#include <temporal/client.h>
#include <temporal/worker.h>

#include "contract.h"

#define TASK_QUEUE "parcels"

/* ---- the workflow that ships; callers do not know it ---- */

struct shipping_in {
	struct parcel parcel;
};
typedef ship_out shipping_out;
TEMPORAL_WORKFLOW_CONTRACT(shipping, "Shipping", RECORD(parcel, struct parcel));

static shipping_out shipping_run(struct wf *wf, const struct shipping_in *in)
{
	wf_sleep(wf, TEMPORAL_SECONDS(1)); /* the way is long */
	return wf_printf(wf, "%s, for %s", in->parcel.to, in->parcel.id);
}
TEMPORAL_WORKFLOW(shipping);

/* ---- the operations ---- */

static const struct temporal_failure *quote_run(
	struct nexus *nexus, const struct quote_in *in, quote_out *out)
{
	if (in->parcel.kilos > 30) /* for good: the caller's operation fails */
		return nexus_failure(
			nexus, "TooHeavy", "%g kg are too much for us", in->parcel.kilos);
	*out = 4 + in->parcel.kilos * 1.5;
	return NULL;
}
TEMPORAL_NEXUS(quote);

/* The id is the parcel's: a request that comes twice ships it once. */
static const struct temporal_failure *ship_run(
	struct nexus *nexus, const struct ship_in *in, ship_out *out)
{
	const struct temporal_start_opts opts = {
		.id = nexus_printf(nexus, "ship-%s", in->parcel.id),
	};

	printf("Shipping %s to %s\n", in->parcel.id, in->parcel.to);
	return nexus_start_workflow(nexus, shipping, &opts, .parcel = in->parcel);
}
TEMPORAL_NEXUS(ship);

TEMPORAL_NEXUS_SERVICE(parcels, &quote_operation, &ship_operation);

/* ---- the worker ---- */

/* Usually an operator does this, once. */
static bool make_endpoint(struct temporal_client *client, struct temporal_error *err)
{
	struct temporal_nexus_endpoint *endpoint = temporal_nexus_endpoint_create(
		client, err, .name = PARCELS_ENDPOINT, .task_queue = TASK_QUEUE);
	bool there = endpoint || err->code == TEMPORAL_ALREADY_EXISTS;

	temporal_nexus_endpoint_unref(endpoint);
	return there;
}

static int fail(const struct temporal_error *err)
{
	fprintf(stderr, "nexus_handler: %s\n", err->message);
	return 1;
}

static int serve(struct temporal_client *client)
{
	struct temporal_error err;

	if (!make_endpoint(client, &err))
		return fail(&err);
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = TASK_QUEUE,
		.workflows = (const struct temporal_workflow *const[]){ &shipping_workflow, NULL },
		.nexus_services =
			(const struct temporal_nexus_service *const[]){ &parcels_service, NULL },
		.shutdown_on_signals = true);

	if (!worker)
		return fail(&err);
	printf("Handling operations of the service %s\n", parcels.name);
	int status = temporal_worker_run(worker, &err) == TEMPORAL_OK ? 0 : fail(&err);

	temporal_worker_unref(worker);
	return status;
}

int main(int argc, char **argv)
{
	struct temporal_error err;

	setvbuf(stdout, NULL, _IOLBF, 0); /* lines appear at once, also in a file */
	struct temporal_client *client =
		temporal_client_connect(&err, .target = argc > 1 ? argv[1] : "localhost:7233");

	if (!client)
		return fail(&err);
	int status = serve(client);

	temporal_client_unref(client);
	return status;
}
