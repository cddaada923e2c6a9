/*
 * sim.h: the simulation: server, workers and clients in one thread, on a clock and a chance of
 * their own. Everything that happens is an event in one queue, in the order of its time; the whole
 * run follows from the seed.
 */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "rpc/channel.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define SIM_US     INT64_C(1000)
#define SIM_MS     INT64_C(1000000)
#define SIM_SECOND INT64_C(1000000000)
#define SIM_BEGIN  INT64_C(1700000000000000000)

#define SIM_NAMESPACE "default"
#define SIM_QUEUE     "sim"

struct sim_opts {
	uint64_t seed;
	long steps; /* events with faults; then all is left to come to its end */
	/* No faults but one: the disk stops at this call. -1: random faults instead. */
	long crash_at;
	bool verbose; /* prints each traced event */
};

/* What a run was like, for the summary. */
struct sim_figures {
	long disk_calls;
	long events, calls, drops, doubles, crashes, torn_commits, worker_crashes;
	long starts, signals, activities, tasks, timers, reads; /* acknowledged */
	long updates, children, operations, locals, resets, shutdowns;
};

/* ---- sim.c: events, chance, trace ---- */

extern int64_t sim_now_ns;
extern bool sim_faults; /* drops, doubles, crashes: until the steps are over */
extern struct sim_figures sim_figures;

/* Runs one simulation. Returns the hash of its trace; 0: it found a violation (printed). */
uint64_t sim_run(const struct sim_opts *opts);

/* `run` is called at sim_now_ns + delay, after what was queued before for that time. */
void sim_after(int64_t delay_ns, void (*run)(void *arg), void *arg);

uint64_t sim_random(uint64_t bound); /* below it */
bool sim_chance(unsigned per_mille); /* without faults: false */
int64_t sim_between(int64_t low, int64_t high);

/* Part of the trace: what happened, and the bytes that it was about. */
void sim_trace(const char *what, const void *data, size_t size);
/* A promise was broken; the run ends. */
void sim_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool sim_broken(void);

/* Memory that lives until the end of the run. Never NULL. */
void *sim_alloc(size_t size);
extern struct arena sim_arena;

/* ---- network.c: calls that are delayed, lost, doubled ---- */

/* The end of a call. The message lies in the arena, whose content may be taken over. */
typedef void net_done(
	void *user, enum temporal_code code, const void *message, struct arena *arena);

/* Calls the server. `done` comes exactly once, from a later event. */
void net_call(const struct rpc_method *method, const void *message, int64_t timeout_ns,
	net_done *done, void *user);
/* The same, repeated until the server has answered with something that is final. */
void net_insist(const struct rpc_method *method, const void *message, net_done *done, void *user);
/* The caller of the call with this `user` gives up, if the server has it; `done` gets CANCELLED. */
void net_leave(const void *user);
/* Nothing of the server's present life is answered any more. */
void net_server_is_gone(void);
void net_finish(void);

/* ---- node.c: the server: its life, disk and crashes ---- */

struct server;
extern struct server *node_server; /* NULL: it is down */
void node_begin(uint64_t seed, long stop_at);
/* After anything that may have changed the server. */
void node_settle(void);
/* Kills it now, and starts it again from what is on the disk. */
void node_restart(void);
/* Did the server come up at this moment? What was due while it was down is done then. */
bool node_came_up(int64_t at_ns);
/* Prints the events of a run as the server has them now, for whoever looks for the reason. */
void node_print(const char *run_id);
void node_finish(void);

/* ---- worker.c, activity.c, client.c ---- */

#define SIM_WORKERS 2
void sim_workers_begin(void);
void sim_workers_finish(void);
void sim_activities_begin(void);

#define SIM_SIGNALS 4
#define SIM_UPDATES 3
enum sim_kind {
	SIM_MIXED,   /* timers, activities, signals; perhaps it is reset */
	SIM_RELAY,   /* continues as new */
	SIM_UPDATED, /* updates; perhaps the first of them starts it */
	SIM_FAMILY,  /* children, and what one can do to them */
	SIM_CRON,    /* runs by the clock, until it is terminated */
	SIM_CALLER,  /* Nexus operations */
	SIM_KINDS,
};

struct sim_signal {
	struct sim_plan *plan;
	int number;
	bool acknowledged;
};

/* What its caller was told. */
struct sim_update {
	struct sim_plan *plan;
	int number;
	bool accepted, rejected, completed;
	int64_t outcome;   /* completed: what the handler returned */
	int64_t failed_ns; /* it was told of the run's end instead */
};

enum sim_reset {
	SIM_NO_RESET,
	SIM_RESET_WANTED,
	SIM_RESET_DONE, /* or it came too late */
};

/* One workflow id: what a client does with it, and what it has been told. */
struct sim_plan {
	enum sim_kind kind;
	int index, signals, updates;
	bool to_terminate, to_cancel, starts_by_update;
	const char *schedule; /* of SIM_CRON */
	char id[24], request_id[24];
	char run_id[40]; /* acknowledged; empty: not yet */
	struct sim_signal signal[SIM_SIGNALS];
	struct sim_update update[SIM_UPDATES];
	int64_t terminated_ns, cancelled_ns; /* when it was acknowledged; 0: not */
	bool over;                           /* its end has been seen */
	int64_t waits_ns;                    /* since when somebody waits for it */
	enum sim_reset reset;
	int64_t reset_ns;      /* when it was over */
	char reset_run_id[40]; /* acknowledged: the run that began anew; empty: none */
	/* The longest history that was read: a prefix of every later one. */
	char read_run_id[40];
	int64_t read_events;
	uint64_t read_hash;
};

/* An answer "completed" that was acknowledged: of an activity or a workflow task. */
struct sim_completion {
	struct sim_completion *next;
	char run_id[40];
	int64_t activity; /* its id; 0: a workflow task; -1: a Nexus operation of any run */
	int64_t number;   /* what made it unlike any other */
	int found;        /* so many times: by the last check */
};

#define SIM_PLANS     14
#define SIM_FEW_PLANS 3 /* where one run is made for each write: half of the kinds, by the seed */
extern struct sim_plan client_plans[SIM_PLANS];
extern int client_n_plans;
extern struct sim_completion *sim_completions;
void client_begin(uint64_t seed, bool few);
bool client_all_over(void);

/* What clients send, in memory that lives until the end of the run. */
Common__Payload *client_number(int64_t value);
Common__Payloads *client_numbers(const int64_t *values, size_t n_values);
Common__WorkflowExecution *client_execution(const char *workflow_id, const char *run_id);
Workflowservice__StartWorkflowExecutionRequest *client_start_message(
	const char *workflow_id, const char *type, const char *request_id, Common__Payloads *input);
Workflowservice__StartWorkflowExecutionRequest *client_plan_message(const struct sim_plan *plan);
/* The start of a plan was answered. `code` not OK: it may be a later run's answer. */
void client_started(struct sim_plan *plan, enum temporal_code code, const char *run_id);

/* updates.c: starts the plan by its first update; sends the others. */
void updates_start(struct sim_plan *plan);
void updates_begin(struct sim_plan *plan);

/* nexus.c: an endpoint, and the workers behind it. */
#define SIM_ENDPOINT "endpoint"
void sim_nexus_begin(void);

/* A completion that was acknowledged. */
void sim_completed(const char *run_id, int64_t activity, int64_t number);

/* ---- check.c ---- */

uint64_t check_hash(uint64_t hash, const void *data, size_t size);
/* Reads all histories, with no faults any more, and compares them with what was acknowledged. */
void check_begin(void);
extern bool check_done;

#endif
