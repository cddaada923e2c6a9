/*
 * options.h: the command line of the two programs: --address, --namespace and --task-queue.
 */
#ifndef ORDER_OPTIONS_H
#define ORDER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct options {
	const char *address, *namespace_, *task_queue;
	const char *order_id; /* the argument without a flag; NULL: none */
};

static inline bool options_parse(struct options *options, int argc, char **argv)
{
	*options = (struct options){ "localhost:7233", "default", "orders", NULL };
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' && !options->order_id)
			options->order_id = argv[i];
		else if (strcmp(argv[i], "--address") == 0 && i + 1 < argc)
			options->address = argv[++i];
		else if (strcmp(argv[i], "--namespace") == 0 && i + 1 < argc)
			options->namespace_ = argv[++i];
		else if (strcmp(argv[i], "--task-queue") == 0 && i + 1 < argc)
			options->task_queue = argv[++i];
		else
			return false;
	}
	return true;
}

#endif
