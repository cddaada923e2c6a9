/*
 * supplier.h: slots from a tuner's suppliers (<temporal/tuner.h>). The loop's thread, but for the
 * two public functions that end a reservation.
 *
 * All who want slots call the inline functions below: with a fixed number they cost a comparison
 * and an addition.
 */
#ifndef WORKER_SUPPLIER_H
#define WORKER_SUPPLIER_H

#include <stdatomic.h>
#include <stddef.h>

#include <temporal/tuner.h>

#include "rpc/loop.h"
#include "worker/resources.h"
#include "worker/slots.h"

struct temporal_worker;

/* What a taken slot has of its supplier; all zero of a fixed one. */
struct worker_slot {
	void *permit;
	bool is_sticky, is_used;
};

/* One question to the callbacks at a time, for each queue of workflow tasks. */
struct temporal_slot_reservation {
	struct worker_supplier *supplier;
	struct rpc_task answered;

	/* loop */
	bool is_open;   /* asked, and the answer not yet noticed */
	bool is_inside; /* `reserve` has not returned */
	bool is_cancelled;
	bool has_slot; /* its slot waits for somebody to take it */
	struct worker_slot slot;

	atomic_bool asked; /* may be answered */
	bool granted;      /* the answer; whose who gave it, until `answered` runs */
	void *permit;
};

/* The slots of one kind, if they are not a fixed number. */
struct worker_supplier {
	struct temporal_worker *worker;
	struct worker_slots *slots;
	enum temporal_slot_kind kind;
	struct temporal_slot_supplier opts;               /* complete */
	struct worker_resources *resources;               /* of the tuner; BY_RESOURCES */
	int64_t issued_ns;                                /* when it last gave one */
	unsigned issued[2];                               /* by is_sticky */
	struct rpc_timer again;                           /* until it is asked again */
	struct temporal_slot_reservation reservations[2]; /* by is_sticky */
};

void worker_supplier_init(struct worker_supplier *supplier, struct temporal_worker *worker,
	enum temporal_slot_kind kind, const struct temporal_slot_supplier *opts);

bool worker_supplier_try(struct worker_supplier *supplier, struct worker_slot *slot);
bool worker_supplier_reserve(struct worker_supplier *supplier, struct worker_slot *slot);
void worker_supplier_use(struct worker_supplier *supplier, struct worker_slot *slot,
	const struct temporal_slot_use *use);
void worker_supplier_return(struct worker_supplier *supplier, const struct worker_slot *slot,
	const struct temporal_slot_use *use);

/* How many more there are; negative: not known. */
int32_t worker_slots_available(const struct worker_slots *slots);
/* As worker heartbeats tell it. */
const char *worker_slots_source(const struct worker_slots *slots);

/* The worker stops: what was reserved for polls is given back, questions are withdrawn. */
void worker_suppliers_stop(struct temporal_worker *worker);
/* Is no question open? Nothing but local activities may have asked; then that is withdrawn. */
bool worker_suppliers_idle(struct temporal_worker *worker);

/* A slot now or not at all. `slot->is_sticky` is set by the caller. */
static inline bool worker_slots_try(struct worker_slots *slots, struct worker_slot *slot)
{
	return slots->supplier ? worker_supplier_try(slots->supplier, slot)
			       : worker_slots_take(slots);
}

/* A slot now; or, false, worker_pollers_pump and worker_locals_pump are called when there may be
 * one. */
static inline bool worker_slots_reserve(struct worker_slots *slots, struct worker_slot *slot)
{
	return slots->supplier ? worker_supplier_reserve(slots->supplier, slot)
			       : worker_slots_take(slots);
}

/* A slot for a task that has come unasked, whatever the limit: it is returned like any other. */
static inline void worker_slots_force(struct worker_slots *slots)
{
	slots->used++;
	if (slots->supplier)
		slots->supplier->issued[0]++;
}

/* A task has come for the slot. */
static inline void worker_slots_use(
	struct worker_slots *slots, struct worker_slot *slot, const struct temporal_slot_use *use)
{
	if (slots->supplier)
		worker_supplier_use(slots->supplier, slot, use);
}

/* The task has ended. */
static inline void worker_slots_return(struct worker_slots *slots, const struct worker_slot *slot,
	const struct temporal_slot_use *use)
{
	if (slots->supplier)
		worker_supplier_return(slots->supplier, slot, use);
	else
		worker_slots_release(slots);
}

/* Gives a slot back for which no task has come. */
static inline void worker_slots_return_unused(
	struct worker_slots *slots, const struct worker_slot *slot)
{
	if (slots->supplier)
		worker_supplier_return(slots->supplier, slot, NULL);
	else
		worker_slots_release(slots);
}

#endif
