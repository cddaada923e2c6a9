/*
 * run.h: the inside of a run's handle. It never changes after it was made.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H

#include <stdatomic.h>

#include "base/arena.h"
#include "client/client.h"

struct temporal_run {
	struct temporal_client *client; /* a reference */
	atomic_uint refs;
	struct arena arena;
	const char *workflow_id;
	const char *run_id; /* of the run that was started; "" for the newest */
	/* Which run signals, queries and so on address; "" for the newest. */
	const char *bound_run_id;
	const char *first_run_id; /* whose chain cancel and terminate are bound to; "" for none */
	bool started;
};

/* A handle with one reference. NULL ids are "". */
struct temporal_run *client_run_new(struct temporal_client *client, const char *workflow_id,
	const char *run_id, const char *first_run_id, struct temporal_error *err)
	__attribute__((warn_unused_result));

#endif
