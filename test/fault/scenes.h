/*
 * scenes.h: what a worker does while faults are injected: scenes, each with the worker's options
 * that belong to it, what the clients do, and what has to come of it.
 */
#ifndef TEST_FAULT_SCENES_H
#define TEST_FAULT_SCENES_H

#include <stdbool.h>

#include <temporal/client.h>
#include <temporal/worker.h>

struct stage {
	struct temporal_server *server;
	struct temporal_client *control; /* no fault ever comes to it */
	struct temporal_client *client;  /* the worker's */
	struct temporal_worker *worker;
	struct temporal_worker_opts opts;
	struct temporal_metrics *metrics;
	bool by_wire;   /* the worker's client has a socket to the server */
	char queue[64]; /* the scene's own, for this one time */
	char endpoint[80];
};

struct scene {
	const char *name;
	void (*prepare)(struct stage *stage);
	/* Starts what the worker shall do, and returns when that is done; what is not as it should
	 * be has been told by stage_blame. */
	void (*play)(struct stage *stage);
	bool from_the_start; /* faults begin with the connect, else with the worker's first task */
	bool is_slow;        /* not in a sweep over a part of the allocations */
};

extern const struct scene scenes[];
extern const size_t scenes_count;

/* Something is wrong: says what and where, and ends the program. */
void stage_blame(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Before another attempt at what has failed so many times: waits for a moment, or gives up. */
void stage_pause(int times, const char *what);
/* Stops the worker amid its work, and starts another one. */
void stage_restart(struct stage *stage);
/* Faults of the calling thread's allocations count from here on, or do not. */
void stage_count(bool counts);

#endif
