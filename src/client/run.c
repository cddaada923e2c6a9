/*
 * run.c: handles of runs: which workflow, which run, which chain. Immutable, counted, any thread.
 *
 * A handle from a start knows the run that it started, but addresses the workflow's newest run with
 * signals and queries, because a chain goes on in new runs; cancel and terminate are held to the
 * chain by its first run's id. A handle for a given run id addresses that run and no other.
 *
 *	handle from            signals, queries go to   cancel, terminate are bound to
 *	a start                the newest run           the chain of the run that it started
 *	temporal_run_handle    that run, or the newest  that run, or the newest
 *	temporal_chain_handle  the newest run           the chain
 *
 * A handle has a reference to its client, so a client lives as long as its handles.
 */
#include "client/run.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* The constant for "" costs no memory. */
static const char *copied(struct arena *arena, const char *text)
{
	return str_empty(text) ? "" : arena_strdup(arena, text);
}

struct temporal_run *client_run_new(struct temporal_client *client, const char *workflow_id,
	const char *run_id, const char *first_run_id, struct temporal_error *err)
{
	struct temporal_run *run = mem_zalloc(sizeof(*run));

	if (!run) {
		error_no_memory(err, "a run's handle");
		return NULL;
	}
	atomic_init(&run->refs, 1);
	arena_init(&run->arena, 192, ARENA_NO_BUDGET);
	run->client = temporal_client_ref(client);
	run->workflow_id = copied(&run->arena, workflow_id);
	run->run_id = copied(&run->arena, run_id);
	run->first_run_id = copied(&run->arena, first_run_id);
	run->bound_run_id = "";
	if (!run->workflow_id || !run->run_id || !run->first_run_id) {
		error_no_memory(err, "a run's handle");
		temporal_run_unref(run);
		return NULL;
	}
	return run;
}

struct temporal_run *temporal_run_handle(struct temporal_client *client, const char *id,
	const char *run_id, struct temporal_error *err)
{
	struct temporal_run *run;

	if (str_empty(id)) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "a run's handle needs the workflow's id");
		return NULL;
	}
	run = client_run_new(client, id, run_id, NULL, err);
	if (run)
		run->bound_run_id = run->run_id;
	return run;
}

struct temporal_run *temporal_chain_handle(struct temporal_client *client, const char *id,
	const char *first_run_id, struct temporal_error *err)
{
	if (str_empty(id) || str_empty(first_run_id)) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"a chain's handle needs the workflow's id and the first run's");
		return NULL;
	}
	return client_run_new(client, id, first_run_id, first_run_id, err);
}

struct temporal_run *temporal_run_ref(struct temporal_run *run)
{
	atomic_fetch_add_explicit(&run->refs, 1, memory_order_relaxed);
	return run;
}

/* The client last: it may end with this, and with it what we stand on. */
void temporal_run_unref(struct temporal_run *run)
{
	struct temporal_client *client;

	if (!run || atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) != 1)
		return;
	client = run->client;
	arena_finish(&run->arena);
	mem_free(run);
	temporal_client_unref(client);
}

const char *temporal_run_workflow_id(const struct temporal_run *run)
{
	return run->workflow_id;
}

const char *temporal_run_run_id(const struct temporal_run *run)
{
	return run->run_id;
}

const char *temporal_run_first_run_id(const struct temporal_run *run)
{
	return run->first_run_id;
}

bool temporal_run_was_started(const struct temporal_run *run)
{
	return run->started;
}
