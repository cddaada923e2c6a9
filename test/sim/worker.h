/*
 * worker.h: what the files of the workflow workers share: a life of a worker, and the runs in its
 * memory.
 */
#ifndef TEST_SIM_WORKER_H
#define TEST_SIM_WORKER_H

#include "engine/engine.h"
#include "sim.h"
#include "workflow/instance.h"

#define LIFE_POLLS 4 /* of both queues, in turn */

struct local;

struct life {
	struct life *next; /* of this run of the simulation */
	int worker;
	bool dead, stopping; /* stopping: it finishes what it has, and polls no more */
	int polls;           /* that wait */
	void *poll_at[LIFE_POLLS];
	char identity[32], sticky[40];
	struct engine_config engine;
	struct wf_config config;
	struct wf_thread *thread;
	struct cached *runs;
	int n_runs;
};

struct task {
	const Workflowservice__PollWorkflowTaskQueueResponse *message; /* NULL: none */
	struct arena arena;
};

/* A run in a worker's memory. */
struct cached {
	struct life *life;
	struct cached *next;
	char run_id[40];
	struct engine_run *engine;
	struct wf_instance *instance;
	struct engine_step step;
	struct task kept;   /* came while another was being worked on */
	int64_t number;     /* of the answer that is on its way */
	bool unplayable;    /* ... which is that the history does not fit the code */
	bool leaves_events; /* ... by which the server's history changes */
	bool busy, gone;
	struct local *locals; /* that have not been taken */
	int64_t wait;         /* which wait for local activities it is; odd: it waits */
};

/* Goes on from the step that the engine has given. */
void worker_go(struct cached *run);

/* locals.c: the engine waits for local activities. */
void locals_wait(struct cached *run);

#endif
