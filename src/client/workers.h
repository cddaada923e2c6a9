/*
 * workers.h: the workers of a client, in this process: so that no two of them poll the same tasks
 * by mistake, that a workflow can be started on one of them without a poll, and that they tell the
 * server of themselves together.
 */
#ifndef CLIENT_WORKERS_H
#define CLIENT_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/error.h>

#include "base/arena.h"

struct temporal_client;
struct rpc_loop;

/* What a worker polls for. */
enum client_worker_kinds {
	CLIENT_WORKER_WORKFLOWS = 1,
	CLIENT_WORKER_ACTIVITIES = 2,
	CLIENT_WORKER_NEXUS = 4,
};

/* A worker, as a client knows it; one for each client that it works with. */
struct client_worker {
	/* constant once it is added */
	void *owner; /* the worker */
	const char *task_queue;
	const char *build_id;                               /* of its deployment; "": it has none */
	unsigned kinds;                                     /* enum client_worker_kinds */
	const Deployment__WorkerDeploymentOptions *version; /* NULL: it has no deployment */

	/* Loop, while it runs: a slot for a workflow task, if one is free now; and its use. `task`
	 * lies in the arena, whose content is taken over; NULL: there is none, the slot goes back.
	 */
	bool (*reserve)(struct client_worker *worker, void **permit);
	void (*give)(struct client_worker *worker, void *permit,
		const Workflowservice__PollWorkflowTaskQueueResponse *task, struct arena *arena);

	/* the registry's lock */
	struct client_worker *next;
	bool is_known, is_running;
};

struct client_workers {
	pthread_mutex_t lock;
	struct client_worker *first;
	const char *key; /* NULL until it is asked for */
	char key_text[40];
	struct client_group *groups;
};

/* What the workers of one loop do together for a client (worker/group.c); embedded there. */
struct client_group {
	struct rpc_loop *loop;     /* whose thread alone touches it, but for `next` */
	struct client_group *next; /* the registry's lock */
};

void client_workers_init(struct client_workers *workers);
void client_workers_finish(struct client_workers *workers);

/*
 * Any thread. `check`: ALREADY_EXISTS if another worker polls for some of the same tasks: same task
 * queue, same build id. One that is known already stays so.
 */
enum temporal_code client_workers_add(struct temporal_client *client, struct client_worker *worker,
	bool check, struct temporal_error *err) __attribute__((warn_unused_result));
/* It polls no more. Any thread, but the loop's while it runs. Twice is fine. */
void client_workers_remove(struct temporal_client *client, struct client_worker *worker);
/* Loop: tasks may be given to it until it is removed. */
void client_workers_run(struct temporal_client *client, struct client_worker *worker);

/* Is there a worker that runs workflows of the queue? Any thread. */
bool client_workers_has(struct temporal_client *client, const char *task_queue);
/* Loop: one of these that has a slot, which was taken, with its permit; NULL: none. */
struct client_worker *client_workers_reserve(
	struct temporal_client *client, const char *task_queue, void **permit);

/* Names this process' use of the client to the server: a UUID. Any thread. */
const char *client_workers_key(struct temporal_client *client);
/* The loop's, as the next two: what its workers do together; NULL: nothing is there. */
struct client_group *client_workers_group(struct temporal_client *client, struct rpc_loop *loop);
void client_workers_group_add(struct temporal_client *client, struct client_group *group);
void client_workers_group_remove(struct temporal_client *client, struct client_group *group);

#endif
