/*
 * effect.h: what a run does to other runs: a child that it starts, a signal or a request to cancel
 * that it sends, its end that its parent and its children learn of.
 *
 * Effects wait until all of the input's own changes are made, and happen before it ends. So cause
 * and effect are in one batch: after a crash there are both or neither, and nothing has to be
 * remembered between them. That is also why a run never has a signal or a request to cancel that is
 * on its way when somebody looks.
 */
#ifndef SERVER_HISTORY_EFFECT_H
#define SERVER_HISTORY_EFFECT_H

#include "server/state.h"

enum effect_kind {
	EFFECT_START_CHILD,
	EFFECT_SIGNAL,
	EFFECT_CANCEL,
	EFFECT_CLOSED, /* the run has ended: its parent is told */
	EFFECT_CHILD_TERMINATE,
	EFFECT_CHILD_CANCEL,
};

struct effect {
	struct effect *next;
	uint64_t run; /* the number of the run that causes it */
	enum effect_kind kind;
	int64_t initiated_id; /* the event that says what is to happen; 0 for EFFECT_CLOSED */
	/* EFFECT_CHILD_...: the run may go before its children do. */
	const char *namespace_id, *workflow_id, *first_run_id;
};

/* Adds an effect; in the server's scratch arena. NULL: memory is out (the server has failed). */
struct effect *effect_add(struct execution *execution, enum effect_kind kind, int64_t initiated_id);

/* All effects happen, and those that they cause; for transition_end(). */
void effect_run_all(struct server *server);

#endif
