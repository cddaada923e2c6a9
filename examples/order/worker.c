/*
 * worker.c: runs orders: a workflow that charges a card by an activity.
 *
 *	order_worker [--address HOST:PORT] [--namespace NAME] [--task-queue QUEUE]
 *
 * It prints what it does, until it gets SIGINT or SIGTERM.
 */
#include <stdio.h>

#include <temporal/client.h>
#include <temporal/worker.h>

#include "contract.h"
#include "options.h"

static const struct temporal_failure *charge_card_run(
	struct act *act, const struct charge_card_in *in, charge_card_out *out)
{
	printf("Charging $%.2f\n", in->amount);
	*out = act_printf(act, "txn-%g", in->amount);
	return NULL;
}
TEMPORAL_ACTIVITY(charge_card);

static order_out order_run(struct wf *wf, const struct order_in *in)
{
	const struct wf_activity_opts ten_seconds = { .start_to_close_ms = TEMPORAL_SECONDS(10) };
	const char *transaction = wf_activity(wf, charge_card, &ten_seconds, .amount = 99.99);

	return wf_printf(wf, "Order %s: %s", in->order_id, transaction);
}
TEMPORAL_WORKFLOW(order);

/* Prints the milestones; called on any of the worker's threads. */
static void show(const struct temporal_worker_event *event, void *user)
{
	(void)user;
	switch (event->kind) {
	case TEMPORAL_EVENT_WORKER_STARTED:
		printf("Worker started on task queue: %s\nListening for work...\n",
			event->task_queue);
		break;
	case TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED:
		if (event->first_task) /* later ones bring the activity's result */
			printf("[Workflow Task Received] %s\n", event->workflow_type);
		break;
	case TEMPORAL_EVENT_WORKFLOW_STARTED:
		printf("[Executing] %s\n", event->workflow_id);
		break;
	case TEMPORAL_EVENT_ACTIVITY_SCHEDULED:
		printf("[Activity Scheduled] %s\n", event->activity_type);
		break;
	case TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED:
		printf("[Activity Task Received] %s\n", event->activity_type);
		break;
	case TEMPORAL_EVENT_ACTIVITY_COMPLETED:
		printf("[Activity Completed] %s\n", event->text);
		break;
	case TEMPORAL_EVENT_WORKFLOW_COMPLETED:
		printf("[Workflow Completed]\n");
		break;
	case TEMPORAL_EVENT_ACTIVITY_FAILED:
		printf("[Activity Failed] %s\n", event->text);
		break;
	case TEMPORAL_EVENT_WORKFLOW_FAILED:
		printf("[Workflow Failed] %s\n", event->text);
		break;
	default:
		break;
	}
}

static void complain(const struct temporal_worker_log *line, void *user)
{
	(void)user;
	fprintf(stderr, "order_worker: %s\n", line->message);
}

static int fail(const struct temporal_error *err)
{
	fprintf(stderr, "order_worker: %s\n", err->message);
	return 1;
}

int main(int argc, char **argv)
{
	struct temporal_error err;
	struct options options;

	if (!options_parse(&options, argc, argv) || options.order_id) {
		fprintf(stderr, "usage: order_worker [--address HOST:PORT] [--namespace NAME] "
				"[--task-queue QUEUE]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* lines appear at once, also in a file */
	struct temporal_client *client = temporal_client_connect(
		&err, .target = options.address, .namespace_ = options.namespace_, .lazy = true);

	if (!client)
		return fail(&err);
	struct temporal_worker *worker = temporal_worker_new(client, &err,
		.task_queue = options.task_queue,
		.workflows = (const struct temporal_workflow *const[]){ &order_workflow, NULL },
		.activities =
			(const struct temporal_activity *const[]){ &charge_card_activity, NULL },
		.max_concurrent_activities = 10, .shutdown_on_signals = true, .on_event = show,
		.on_log = complain);

	temporal_client_unref(client); /* the worker holds its own reference */
	if (!worker)
		return fail(&err);
	int status = temporal_worker_run(worker, &err) == TEMPORAL_OK ? 0 : fail(&err);

	temporal_worker_unref(worker);
	return status;
}
