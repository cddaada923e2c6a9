/*
 * embedded.c: an application with its workflow engine inside: server, worker and client in one
 * process, no socket, one database file.
 *
 *     embedded FILE ORDER_ID
 *
 * Kill it while an order waits to be shipped and start it again with the same arguments: it goes on
 * where it was, and does not charge the card again.
 */
#include <stdio.h>

#include <temporal/client.h>
#include <temporal/server.h>
#include <temporal/worker.h>

#define QUEUE "orders"

/* ---- What can be done: two activities and the workflow that calls them ---- */

struct charge_card_in {
	double amount;
};
typedef const char *charge_card_out;
TEMPORAL_ACTIVITY_CONTRACT(charge_card, "charge_card", amount);

struct ship_in {
	const char *order_id;
};
typedef const char *ship_out;
TEMPORAL_ACTIVITY_CONTRACT(ship, "ship", order_id);

struct order_in {
	const char *order_id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id);

static const struct temporal_failure *charge_card_run(
	struct act *act, const struct charge_card_in *in, charge_card_out *out)
{
	printf("Charging $%.2f\n", in->amount);
	*out = act_printf(act, "txn-%g", in->amount);
	return NULL;
}
TEMPORAL_ACTIVITY(charge_card);

static const struct temporal_failure *ship_run(
	struct act *act, const struct ship_in *in, ship_out *out)
{
	printf("Shipping %s\n", in->order_id);
	*out = act_printf(act, "parcel of %s", in->order_id);
	return NULL;
}
TEMPORAL_ACTIVITY(ship);

static order_out order_run(struct wf *wf, const struct order_in *in)
{
	const struct wf_activity_opts opts = { .start_to_close_ms = TEMPORAL_SECONDS(10) };
	const char *txn = wf_activity(wf, charge_card, &opts, .amount = 99.99);

	wf_sleep(wf, TEMPORAL_SECONDS(2)); /* on disk: a day would do as well */
	return wf_printf(
		wf, "%s, paid by %s", wf_activity(wf, ship, &opts, .order_id = in->order_id), txn);
}
TEMPORAL_WORKFLOW(order);

/* ---- The application ---- */

/* Starts the order, or finds it where an earlier process has left it, and waits for its end. */
static enum temporal_code run_order(
	struct temporal_client *client, const char *order_id, struct temporal_error *err)
{
	const struct temporal_start_opts start = { .task_queue = QUEUE,
		.id = order_id,
		.id_conflict_policy = TEMPORAL_ID_CONFLICT_USE_EXISTING };
	struct temporal_result *keep = NULL;
	order_out text = NULL;
	enum temporal_code code =
		temporal_execute(client, order, &start, &text, &keep, err, .order_id = order_id);

	if (code == TEMPORAL_OK)
		printf("Order %s: %s\n", order_id, text);
	temporal_result_unref(keep);
	return code;
}

int main(int argc, char **argv)
{
	const struct temporal_workflow *const workflows[] = { &order_workflow, NULL };
	const struct temporal_activity *const activities[] = { &charge_card_activity,
		&ship_activity, NULL };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_server *server = NULL;
	struct temporal_client *client = NULL;
	struct temporal_worker *worker = NULL;
	bool done;

	if (argc != 3) {
		fprintf(stderr, "usage: embedded FILE ORDER_ID\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	server = temporal_server_start(&err, .db = argv[1]);
	if (server)
		client = temporal_client_connect(&err, .server = server);
	if (client)
		worker = temporal_worker_new(client, &err, .task_queue = QUEUE,
			.workflows = workflows, .activities = activities);
	done = worker && temporal_worker_start(worker, &err) == TEMPORAL_OK &&
	       run_order(client, argv[2], &err) == TEMPORAL_OK;
	if (!done)
		fprintf(stderr, "embedded: %s\n", err.message);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	temporal_server_stop(server);
	return done ? 0 : 1;
}
