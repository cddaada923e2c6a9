/*
 * tuner.c: a tuner's suppliers, checked and complete, and the slots that follow from them. One
 * table says of each kind what its defaults are. On the caller's thread, before the worker starts.
 */
#include "worker/tuner.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>

#include "base/error.h"
#include "worker/limits.h"
#include "worker/worker.h"

static const struct {
	const char *name;
	size_t offset; /* in struct temporal_tuner */
	int32_t min_slots;
	int64_t ramp_throttle_ms;
} kinds[TEMPORAL_SLOT_KINDS] = {
	[TEMPORAL_SLOT_WORKFLOW] = { "workflow", offsetof(struct temporal_tuner, workflow), 2, 0 },
	[TEMPORAL_SLOT_ACTIVITY] = { "activity", offsetof(struct temporal_tuner, activity), 1,
		WORKER_RAMP_MS },
	[TEMPORAL_SLOT_LOCAL_ACTIVITY] = { "local_activity",
		offsetof(struct temporal_tuner, local_activity), 1, WORKER_RAMP_MS },
	[TEMPORAL_SLOT_NEXUS] = { "nexus", offsetof(struct temporal_tuner, nexus), 1, 0 },
};

static struct temporal_slot_supplier *supplier_of(struct temporal_tuner *tuner, int kind)
{
	return (struct temporal_slot_supplier *)(void *)((char *)tuner + kinds[kind].offset);
}

/* ---- checks ---- */

static enum temporal_code refuse(
	struct temporal_error *err, int kind, const char *member, const char *expected)
{
	return error_set(err, TEMPORAL_INVALID_ARGUMENT, "worker: .tuner.%s.%s: expected %s",
		kinds[kind].name, member, expected);
}

static enum temporal_code complete_fixed(struct temporal_slot_supplier *supplier, int kind,
	bool has_cache, struct temporal_error *err)
{
	int32_t least = kind == TEMPORAL_SLOT_WORKFLOW && has_cache ? 2 : 1;

	if (supplier->fixed_slots == 0)
		supplier->fixed_slots = WORKER_ACTIVITIES;
	if (supplier->fixed_slots < least || supplier->fixed_slots > WORKER_TASKS_MAX)
		return refuse(err, kind, "fixed_slots",
			least > 1 ? "2 (with a cache of runs) to 100000" : "1 to 100000");
	return TEMPORAL_OK;
}

static enum temporal_code complete_resources(struct temporal_slot_supplier *supplier, int kind,
	bool has_cache, struct temporal_error *err)
{
	int32_t least = kind == TEMPORAL_SLOT_WORKFLOW && has_cache ? 2 : 1;

	if (supplier->min_slots == 0)
		supplier->min_slots = kinds[kind].min_slots;
	if (supplier->max_slots == 0)
		supplier->max_slots = WORKER_RESOURCE_SLOTS;
	if (supplier->ramp_throttle_ms == 0)
		supplier->ramp_throttle_ms = kinds[kind].ramp_throttle_ms;
	else if (supplier->ramp_throttle_ms == TEMPORAL_OFF)
		supplier->ramp_throttle_ms = 0;
	if (supplier->min_slots < 1 || supplier->min_slots > supplier->max_slots)
		return refuse(err, kind, "min_slots", "1 to max_slots");
	if (supplier->max_slots < least || supplier->max_slots > WORKER_TASKS_MAX)
		return refuse(err, kind, "max_slots",
			least > 1 ? "2 (with a cache of runs) to 100000" : "1 to 100000");
	if (supplier->ramp_throttle_ms < 0 || supplier->ramp_throttle_ms > WORKER_DURATION_MAX_MS)
		return refuse(err, kind, "ramp_throttle_ms", "0 or more, or TEMPORAL_OFF");
	return TEMPORAL_OK;
}

static enum temporal_code check_callbacks(
	const struct temporal_slot_supplier *supplier, int kind, struct temporal_error *err)
{
	const struct temporal_slot_callbacks *callbacks = supplier->callbacks;

	if (!callbacks)
		return refuse(err, kind, "callbacks", "some, with this source");
	if (!callbacks->try_reserve || !callbacks->release)
		return refuse(err, kind, "callbacks", "at least try_reserve and release");
	if (callbacks->reserve && !callbacks->cancel)
		return refuse(err, kind, "callbacks", "cancel with reserve");
	return TEMPORAL_OK;
}

static enum temporal_code complete(struct temporal_slot_supplier *supplier, int kind,
	bool has_cache, struct temporal_error *err)
{
	if (supplier->source != TEMPORAL_SLOTS_BY_CALLBACKS)
		supplier->callbacks = NULL;
	switch (supplier->source) {
	case TEMPORAL_SLOTS_FIXED:
		return complete_fixed(supplier, kind, has_cache, err);
	case TEMPORAL_SLOTS_BY_RESOURCES:
		return complete_resources(supplier, kind, has_cache, err);
	case TEMPORAL_SLOTS_BY_CALLBACKS:
		return check_callbacks(supplier, kind, err);
	}
	return refuse(err, kind, "source", "one of enum temporal_slot_source");
}

static void standard(double *value, double standard)
{
	if (*value == 0)
		*value = standard;
	else if (*value == TEMPORAL_OFF)
		*value = 0;
}

static enum temporal_code complete_targets(
	struct temporal_resource_opts *opts, struct temporal_error *err)
{
	if (!(opts->target_memory > 0 && opts->target_memory <= 1 && opts->target_cpu > 0 &&
		    opts->target_cpu <= 1))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .tuner.resources: target_memory is %g and target_cpu %g, expected "
			"more than 0, at most 1",
			opts->target_memory, opts->target_cpu);
	standard(&opts->memory_p_gain, 5);
	standard(&opts->memory_d_gain, 1);
	standard(&opts->memory_i_gain, 0);
	standard(&opts->memory_threshold, 0.25);
	standard(&opts->cpu_p_gain, 5);
	standard(&opts->cpu_i_gain, 0);
	standard(&opts->cpu_d_gain, 1);
	standard(&opts->cpu_threshold, 0.05);
	return TEMPORAL_OK;
}

static enum temporal_code check_alone(
	const struct temporal_worker_opts *given, struct temporal_error *err)
{
	if (given->max_concurrent_workflow_tasks == 0 && given->max_concurrent_activities == 0 &&
		given->max_concurrent_local_activities == 0 &&
		given->max_concurrent_nexus_tasks == 0)
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"worker: .tuner and .max_concurrent_*: expected one of them");
}

enum temporal_code worker_tuner_complete(struct temporal_worker_opts *opts,
	const struct temporal_worker_opts *given, struct arena *arena, struct temporal_error *err)
{
	bool by_resources = false;

	if (!opts->tuner)
		return TEMPORAL_OK;
	struct temporal_tuner *tuner = arena_alloc(arena, sizeof(*tuner));

	if (!tuner)
		return error_no_memory(err, "worker: its options");
	*tuner = *opts->tuner;
	opts->tuner = tuner;
	enum temporal_code code = check_alone(given, err);

	for (int i = 0; code == TEMPORAL_OK && i < TEMPORAL_SLOT_KINDS; i++) {
		struct temporal_slot_supplier *supplier = supplier_of(tuner, i);

		by_resources |= supplier->source == TEMPORAL_SLOTS_BY_RESOURCES;
		code = complete(supplier, i, opts->max_cached_workflows > 0, err);
	}
	if (code == TEMPORAL_OK && by_resources)
		code = complete_targets(&tuner->resources, err);
	return code;
}

/* ---- the worker's slots ---- */

static bool supply(struct temporal_worker *worker, struct worker_slots *slots, int kind)
{
	struct temporal_tuner tuner = *worker->opts.tuner;
	const struct temporal_slot_supplier *opts = supplier_of(&tuner, kind);

	if (opts->source == TEMPORAL_SLOTS_FIXED) {
		slots->max = (unsigned)opts->fixed_slots;
		return true;
	}
	struct worker_supplier *supplier = arena_alloc(&worker->arena, sizeof(*supplier));

	if (!supplier)
		return false;
	*supplier = (struct worker_supplier){ .slots = slots, .resources = &worker->resources };
	worker_supplier_init(supplier, worker, (enum temporal_slot_kind)kind, opts);
	slots->max =
		opts->source == TEMPORAL_SLOTS_BY_RESOURCES ? (unsigned)opts->max_slots : INT_MAX;
	slots->supplier = worker->suppliers[kind] = supplier;
	return true;
}

bool worker_tuner_init(struct temporal_worker *worker)
{
	const struct temporal_worker_opts *opts = &worker->opts;

	worker->workflow_slots.max = (unsigned)opts->max_concurrent_workflow_tasks;
	worker->activity_slots.max = (unsigned)opts->max_concurrent_activities;
	worker->local_slots.max = (unsigned)opts->max_concurrent_local_activities;
	worker->nexus_slots.max = (unsigned)opts->max_concurrent_nexus_tasks;
	worker_rate_init(&worker->local_rate, opts->max_local_activities_per_second);
	if (!opts->tuner)
		return true;
	worker_resources_init(&worker->resources, &opts->tuner->resources);
	return supply(worker, &worker->workflow_slots, TEMPORAL_SLOT_WORKFLOW) &&
	       supply(worker, &worker->activity_slots, TEMPORAL_SLOT_ACTIVITY) &&
	       supply(worker, &worker->local_slots, TEMPORAL_SLOT_LOCAL_ACTIVITY) &&
	       supply(worker, &worker->nexus_slots, TEMPORAL_SLOT_NEXUS);
}
