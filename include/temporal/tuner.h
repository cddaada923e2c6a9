/*
 * tuner.h: who gives out the slots of a worker, and how many polls wait for what they may bring.
 *
 *	.tuner = &(const struct temporal_tuner){
 *		.workflow = { .fixed_slots = 50 },
 *		.activity = { .source = TEMPORAL_SLOTS_BY_RESOURCES, .max_slots = 500 },
 *		.resources = { .target_memory = 0.8, .target_cpu = 0.9 } },
 *
 * A slot is held from before the poll that may bring a task until the task's answer was taken. Each
 * kind of task has a source of slots of its own: a fixed number, the machine's memory and CPU, or
 * callbacks.
 */
#ifndef TEMPORAL_TUNER_H
#define TEMPORAL_TUNER_H

#include <stdbool.h>
#include <stdint.h>

#include <temporal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum temporal_slot_kind {
	TEMPORAL_SLOT_WORKFLOW,
	TEMPORAL_SLOT_ACTIVITY,
	TEMPORAL_SLOT_LOCAL_ACTIVITY,
	TEMPORAL_SLOT_NEXUS,
};
#define TEMPORAL_SLOT_KINDS 4

/* ---- slots by callbacks ---- */

/* Who asks for a slot. Valid during the callback. */
struct temporal_slot_request {
	enum temporal_slot_kind kind;
	const char *task_queue, *identity, *build_id; /* of the worker */
	bool is_sticky;     /* WORKFLOW: for a task of a run in this worker's cache */
	int32_t num_issued; /* slots of the kind that the worker holds now */
};

/* A slot, and what it is used for. Valid during the callback; texts that do not apply are "". */
struct temporal_slot_use {
	enum temporal_slot_kind kind;
	void *permit; /* what its reservation has set */
	bool is_used; /* false, in `release`: no task has come, and what follows is not set */
	bool is_sticky;
	const char *workflow_type, *activity_type; /* by kind; "" where they do not apply */
	const char *nexus_service, *nexus_operation;
};

struct temporal_slot_reservation;

/*
 * A source of slots of one's own. All are called on the client's thread, one at a time: they must
 * not block, nor call into the worker or wait for the client.
 */
struct temporal_slot_callbacks {
	const char *name; /* as worker heartbeats tell it; "Custom" */

	/* A slot now or not at all; true: it is given, `*permit` (NULL before) is what the other
	   callbacks get. Required. */
	bool (*try_reserve)(const struct temporal_slot_request *request, void **permit, void *user);

	/*
	 * A slot for a poll, or a local activity, which can wait. Ends by
	 * temporal_slot_reservation_grant or _refuse, in the callback or later and on any thread,
	 * once. NULL: try_reserve is asked every 10 ms and whenever a slot is given back.
	 */
	void (*reserve)(const struct temporal_slot_request *request,
		struct temporal_slot_reservation *reservation, void *user);
	/* The worker has no use for a reservation any more: it has to be ended soon. With
	   `reserve`: required. */
	void (*cancel)(struct temporal_slot_reservation *reservation, void *user);

	/* A task has come for it. May be NULL. */
	void (*mark_used)(const struct temporal_slot_use *use, void *user);
	/* It is given back. Required. */
	void (*release)(const struct temporal_slot_use *use, void *user);
	/* How many more there are, for metrics and heartbeats; negative, or NULL: not known. */
	int32_t (*available)(enum temporal_slot_kind kind, void *user);
};

/* Ends a reservation: here is the slot. What comes too late, or twice, has no effect and returns
 * false: the slot is not taken. Any thread; not once the worker is gone. */
TEMPORAL_API bool temporal_slot_reservation_grant(
	struct temporal_slot_reservation *reservation, void *permit);
/* Ends a reservation without a slot, as after `cancel`. The worker may ask again. */
TEMPORAL_API bool temporal_slot_reservation_refuse(struct temporal_slot_reservation *reservation);

/* ---- sources ---- */

enum temporal_slot_source {
	TEMPORAL_SLOTS_FIXED,
	TEMPORAL_SLOTS_BY_RESOURCES, /* as long as memory and CPU are below their targets */
	TEMPORAL_SLOTS_BY_CALLBACKS,
};

/* Where the slots of one kind come from. 0 (NULL) is the default given. */
struct temporal_slot_supplier {
	enum temporal_slot_source source;
	/* FIXED */
	int32_t fixed_slots; /* 100; workflows: at least 2 with a cache */
	/* BY_RESOURCES */
	int32_t min_slots;        /* given without asking; workflows 2, others 1 */
	int32_t max_slots;        /* 10,000 */
	int64_t ramp_throttle_ms; /* between two slots beyond `min_slots`; activities and local
				     activities 50, others OFF */
	/* BY_CALLBACKS */
	const struct temporal_slot_callbacks *callbacks;
	void *user;
};

/*
 * Slots by resources: two PID controllers, of memory and of CPU, are fed with what is used (of the
 * cgroup's limit, where there is one, else of the machine's); a slot is given while both outputs
 * are above their thresholds. All kinds of a tuner share them. Fractions: 1 is all there is.
 */
struct temporal_resource_opts {
	double target_memory, target_cpu; /* above 0, at most 1; required */
	/* 0 is the default given; OFF is 0 */
	double memory_p_gain, memory_i_gain, memory_d_gain; /* 5, 0, 1 */
	double memory_threshold;                            /* 0.25 */
	double cpu_p_gain, cpu_i_gain, cpu_d_gain;          /* 5, 0, 1 */
	double cpu_threshold;                               /* 0.05 */
};

struct temporal_tuner {
	struct temporal_slot_supplier workflow, activity, local_activity, nexus;
	struct temporal_resource_opts resources; /* if a supplier is BY_RESOURCES */
};

/* ---- polls ---- */

/*
 * The number of polls that wait follows the server's hints: it grows while there is a backlog and
 * more polls do bring more tasks, shrinks when polls come back empty, and is halved when the server
 * has too much to do. Servers that give no hints leave it as it is. 0 is the default given.
 */
struct temporal_autoscaling {
	int32_t min_pollers;     /* 1 */
	int32_t max_pollers;     /* 100 */
	int32_t initial_pollers; /* 5 */
};

#ifdef __cplusplus
}
#endif
#endif
