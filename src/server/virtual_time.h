/*
 * virtual_time.h: the server's clock: that of its io, and how far it has been skipped ahead.
 *
 * With time skipping on, the time jumps to the next timer whenever nothing else can happen: no lock
 * is held, and no workflow task, activity or query waits for a worker or is with one. Every lock
 * keeps the pace of the real clock. That is the time of the API's test service.
 */
#ifndef SERVER_VIRTUAL_TIME_H
#define SERVER_VIRTUAL_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct server;
struct sleeper;

struct virtual_time {
	bool on;          /* skipping is served; else the clock is never ahead */
	int64_t ahead_ns; /* recorded */
	int64_t locks;    /* below zero: unlocked more often than locked */
	/* Sleeps called from within a task: each lets one of the kind not count as busy. */
	int64_t sleeping_activities, sleeping_others;
	int64_t hold_ns; /* CLOCK_MONOTONIC: no jump before; a client is about to learn something */
	struct sleeper *sleepers;
};

/* Locked or not, from now on time skipping is served. */
void virtual_time_start(struct server *server, bool locked);

/* The time now, skipped or not. */
int64_t virtual_time_now(const struct server *server);

/* At the end of an input: jumps to the next timer if nothing else can happen. The timer then is
 * due. */
void virtual_time_advance(struct server *server);

/* Keeps the pace for a moment: someone has just been told of an end, and may lock. */
void virtual_time_hold(struct server *server);

void virtual_time_lock(struct server *server);
void virtual_time_unlock(struct server *server);

/* Answers the request when the time has come; `unlocked`: skipping is unlocked meanwhile. */
void virtual_time_sleep(struct request *request, int64_t due_ns, bool unlocked);

/* The server stops: all sleeps are answered. */
void virtual_time_drain(struct server *server);

#endif
