/*
 * matching.h: task queues: tasks wait for pollers, or pollers for tasks. In memory: tasks are
 * rebuilt from the executions after a restart; what operators have set of a queue is recorded.
 *
 * matching_offer() only queues; pairs are made by matching_run() at the end of each input, so that
 * a task's start is part of the transition that scheduled it if somebody waits for it.
 */
#ifndef SERVER_MATCHING_MATCHING_H
#define SERVER_MATCHING_MATCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "server/matching/gone.h"
#include "server/matching/lanes.h"
#include "server/matching/stats.h"
#include "server/timers.h"

struct server;
struct server_namespace;
struct request;
struct task_queue;
struct task_queue_metrics;

enum matching_kind {
	MATCHING_WORKFLOW, /* of an execution */
	MATCHING_ACTIVITY, /* of an activity */
	MATCHING_QUERY,    /* of a query */
	MATCHING_NEXUS,    /* a request for a Nexus operation: nexus/call.c */
};

/* What a queue is of; a name may stand for one of each. */
enum matching_queue_kind {
	MATCHING_QUEUE_WORKFLOW,
	MATCHING_QUEUE_ACTIVITY,
	MATCHING_QUEUE_NEXUS,
};

/* A task, embedded in what it belongs to. Zeroed: it is in no queue. */
struct matching_task {
	enum matching_kind kind;
	void *owner;
	struct task_queue *queue;
	struct matching_lane *lane;
	struct matching_task *next, *prev; /* lane.tasks */
	int64_t offered_ns;
};

/* A poll that waits; in its request's arena. */
struct matching_poller {
	struct request *request;
	struct task_queue *queue;
	const char *identity, *worker_key; /* the key may be "" */
	struct matching_poller *next, *prev;
	int64_t since_ns;
};

/* What a poller is told besides its task. */
struct matching_advice {
	int32_t pollers;   /* by how many there should be more, or fewer */
	int64_t n_backlog; /* tasks that are left */
};

struct matching {
	struct map queues;        /* hash to chain */
	struct task_queue *ready; /* may have a pair */
	/* all queues, by their last use */
	struct task_queue *newest, *oldest;
	size_t n_queues;
	struct gone gone;
};

struct task_queue {
	struct server *server;
	struct task_queue *next_hash, *next_ready, *newer, *older;
	int64_t used_ns;
	uint64_t hash;
	struct server_namespace *space;
	char *name;
	enum matching_queue_kind kind;
	bool sticky, is_ready;
	int64_t polled_ns; /* the last poll; 0: never */
	struct matching_lanes lanes;
	struct matching_poller *pollers, *pollers_last;
	struct matching_stats stats;
	/* the limit on what goes out: what operators have set, else what the workers ask for */
	struct matching_rate rate;
	bool rate_by_worker;
	double worker_rate;
	struct timers_entry rate_timer;     /* the limit lets another task through */
	struct task_queue_metrics *metrics; /* NULL: not counted, or not yet */
	struct bytes config;                /* Taskqueue__TaskQueueConfig; recorded, see config.c */
};

/*
 * The queue of that name, made if it is new. NULL: memory is out (the server has failed). Good
 * until the end of the input, and for as long as it has a task or a poller: others go after some
 * time.
 */
struct task_queue *matching_queue(struct server *server, struct server_namespace *space,
	const char *name, enum matching_queue_kind kind);

/* ... or NULL if there is none: who only asks makes none. */
struct task_queue *matching_find(struct server *server, struct server_namespace *space,
	const char *name, enum matching_queue_kind kind);

/* Puts the task at the end of the queue; takes it out of the one that it is in. */
void matching_offer(struct task_queue *queue, struct matching_task *task);
void matching_withdraw(struct matching_task *task);

/* A poll: it waits until there is a task, its time is up, or its worker shuts down. */
void matching_poll(struct task_queue *queue, struct request *request, const char *identity,
	const char *worker_key);
/* ... what it tells of its worker, before it: for the statistics, and the rate that it asks for. */
void matching_seen(struct task_queue *queue, const struct stats_poll *poll);

/* The rate at which tasks go out: what was set by operators goes before what workers ask for. */
void matching_set_rate(struct task_queue *queue);

/* Does somebody poll this sticky queue, or has until just now? */
bool matching_alive(const struct task_queue *queue);

/* Sends the pollers of a queue away with empty answers; its only worker is shutting down. */
void matching_unload(struct task_queue *queue);
/* ... those of one worker, which is seen here no more. */
void matching_leave(struct task_queue *queue, const char *identity, const char *worker_key);

/* Makes all pairs that can be made. */
void matching_run(struct server *server);

void matching_finish(struct server *server);

#endif
