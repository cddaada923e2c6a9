/*
 * check.h: what the files of the last check share: a run that is read, and what its history must
 * agree with.
 */
#ifndef TEST_SIM_CHECK_H
#define TEST_SIM_CHECK_H

#include "sim.h"

#define CHECK_EVENTS_MAX 4096
#define EVENT(Name_)     ENUMS__EVENT_TYPE__EVENT_TYPE_##Name_

/* What another run has seen of a run: of a child, or of the workflow of a Nexus operation. */
struct check_seen {
	const char *by, *by_run_id; /* that other run; NULL: nobody */
	int64_t by_end_ns;          /* its end */
	bool is_chain;              /* only the last run of it is looked at */
	Enums__EventType end;       /* of the run, by its own event's type; 0: none was seen */
	Enums__ParentClosePolicy policy;
	int64_t value;              /* its result; -1: none was seen */
	int64_t signals, signalled; /* that were sent to it, and that were told to have come */
	int64_t cancels, cancelled, cancelled_ns; /* the last of them */
};

/* A run that is to be read. */
struct check_run {
	struct check_run *next;
	const struct sim_plan *plan;      /* NULL: nobody's but `seen.by`'s */
	const char *workflow_id, *run_id; /* "": whichever is found */
	const char *first_run_id;         /* that the first of its chain must have; NULL: any */
	int64_t carried;                  /* the result of the runs of cron before it; 0: none */
	int64_t due_ns; /* when a run of cron is to begin, counted from it; 0: no matter */
	struct check_seen seen;
};

/* One more is to be read. */
struct check_run *check_add(
	const struct sim_plan *plan, const char *workflow_id, const char *run_id);

/* A JSON number in the first payload; -1: there is none. */
int64_t check_number(const Common__Payloads *payloads);
int64_t check_payload(const Common__Payload *payload);
int64_t check_time(const History__HistoryEvent *event);
int check_count(const History__History *history, Enums__EventType type);
const History__HistoryEvent *check_event(const History__History *history, int64_t id);
const History__HistoryEvent *check_last(const History__History *history);
/* Done when it was due, or when the server came up again. */
bool check_is_due(int64_t at_ns, int64_t due_ns);

/* check_remote.c */
void check_updates(const struct check_run *run, const History__History *history);
void check_children(const struct check_run *run, const History__History *history);
void check_operations(const struct check_run *run, const History__History *history);
void check_seen(const struct check_run *run, const History__History *history);
void check_cron(struct check_run *run, const History__History *history);
void check_locals(const char *id, const History__History *history);

#endif
