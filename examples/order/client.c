/*
 * client.c: starts an order and prints its result.
 *
 *	order_client [--address HOST:PORT] [--namespace NAME] [--task-queue QUEUE] ORDER_ID
 */
#include <stdio.h>

#include <temporal/client.h>

#include "contract.h"
#include "options.h"

static int fail(const struct temporal_error *err)
{
	fprintf(stderr, "order_client: %s\n", err->message);
	return 1;
}

static int execute(struct temporal_client *client, const struct options *options)
{
	const struct temporal_start_opts start = {
		.id = options->order_id,
		.task_queue = options->task_queue,
	};
	struct temporal_result *result = NULL;
	struct temporal_error err;
	order_out text;

	if (temporal_execute(client, order, &start, &text, &result, &err,
		    .order_id = options->order_id) != TEMPORAL_OK) {
		temporal_result_unref(result);
		return fail(&err);
	}
	printf("%s\n", text);
	temporal_result_unref(result);
	return 0;
}

int main(int argc, char **argv)
{
	struct temporal_error err;
	struct options options;

	if (!options_parse(&options, argc, argv) || !options.order_id) {
		fprintf(stderr, "usage: order_client [--address HOST:PORT] [--namespace NAME] "
				"[--task-queue QUEUE] ORDER_ID\n");
		return 2;
	}
	struct temporal_client *client = temporal_client_connect(
		&err, .target = options.address, .namespace_ = options.namespace_);

	if (!client)
		return fail(&err);
	int status = execute(client, &options);

	temporal_client_unref(client);
	return status;
}
