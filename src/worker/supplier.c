/*
 * supplier.c: slots by resources, and by the user's callbacks.
 *
 * Who needs a slot that can wait (a poll, a local activity) reserves it: it gets one at once, or is
 * told when to ask again. By resources, and for callbacks without `reserve`, that is a timer; with
 * `reserve` it is the end of the reservation:
 *
 *	idle --reserve--> open --grant, on any thread--> (answered) --> has_slot --reserve--> idle
 *	                    `----refuse----------------> (answered) --> idle
 *
 * There is one reservation at a time, for each of the two queues of workflow tasks, like in the
 * core SDK, where each kind of poll waits for its slot by itself. A slot that comes when nobody
 * wants it any more is given back when the worker stops.
 *
 * Invariant: slots->used counts all that were issued and not yet returned.
 */
#include "worker/supplier.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/str.h"
#include "worker/local.h"
#include "worker/poller.h"
#include "worker/worker.h"

#define AGAIN_NS (10 * NS_PER_MS) /* as the core SDK */

static struct temporal_slot_reservation *reservation_of(
	struct worker_supplier *supplier, bool is_sticky)
{
	return &supplier->reservations[is_sticky ? 1 : 0];
}

static bool is_workflow(const struct worker_supplier *supplier)
{
	return supplier->kind == TEMPORAL_SLOT_WORKFLOW;
}

/* ---- asking again ---- */

/* A slot may be had: whoever waits for one asks. */
static void pump(struct worker_supplier *supplier)
{
	if (supplier->kind == TEMPORAL_SLOT_LOCAL_ACTIVITY)
		worker_locals_pump(supplier->worker);
	else
		worker_pollers_pump(supplier->worker);
}

static void again(struct rpc_timer *timer)
{
	pump((struct worker_supplier *)((char *)timer - offsetof(struct worker_supplier, again)));
}

static void ask_again(struct worker_supplier *supplier, int64_t wait_ns)
{
	if (!supplier->again.armed)
		rpc_timer_set(
			supplier->worker->loop, &supplier->again, rpc_now_ns() + wait_ns, again);
}

/* ---- issuing ---- */

static bool issue(struct worker_supplier *supplier, bool is_sticky, int64_t now_ns)
{
	supplier->slots->used++;
	supplier->issued[is_sticky ? 1 : 0]++;
	supplier->issued_ns = now_ns;
	return true;
}

/* Some are given in any case; of workflows one for each queue, or neither would move. */
static bool is_below_minimum(const struct worker_supplier *supplier, bool is_sticky)
{
	return supplier->slots->used < (unsigned)supplier->opts.min_slots ||
	       (is_workflow(supplier) && supplier->issued[is_sticky ? 1 : 0] == 0);
}

static bool by_resources(struct worker_supplier *supplier, bool is_sticky)
{
	int64_t now_ns = rpc_now_ns(), ramp_ns = supplier->opts.ramp_throttle_ms * NS_PER_MS;

	if (is_below_minimum(supplier, is_sticky))
		return issue(supplier, is_sticky, now_ns);
	if (now_ns - supplier->issued_ns < ramp_ns ||
		supplier->slots->used >= (unsigned)supplier->opts.max_slots ||
		!worker_resources_allow(supplier->resources, now_ns))
		return false;
	return issue(supplier, is_sticky, now_ns);
}

static struct temporal_slot_request request_of(
	const struct worker_supplier *supplier, bool is_sticky)
{
	const struct temporal_worker_opts *opts = &supplier->worker->opts;

	return (struct temporal_slot_request){ .kind = supplier->kind,
		.task_queue = opts->task_queue,
		.identity = opts->identity,
		.build_id = opts->build_id,
		.is_sticky = is_sticky,
		.num_issued = (int32_t)supplier->slots->used };
}

static bool by_callback(struct worker_supplier *supplier, struct worker_slot *slot)
{
	const struct temporal_slot_request request = request_of(supplier, slot->is_sticky);

	slot->permit = NULL;
	return supplier->opts.callbacks->try_reserve(
		       &request, &slot->permit, supplier->opts.user) &&
	       issue(supplier, slot->is_sticky, 0);
}

bool worker_supplier_try(struct worker_supplier *supplier, struct worker_slot *slot)
{
	slot->is_used = false;
	return supplier->opts.source == TEMPORAL_SLOTS_BY_CALLBACKS
		       ? by_callback(supplier, slot)
		       : by_resources(supplier, slot->is_sticky);
}

/* ---- reservations ---- */

static void give_back(struct worker_supplier *supplier, struct temporal_slot_reservation *held)
{
	held->has_slot = false;
	worker_supplier_return(supplier, &held->slot, NULL);
}

/* Takes notice of the answer. */
static void close(struct temporal_slot_reservation *reservation)
{
	struct worker_supplier *supplier = reservation->supplier;

	reservation->is_open = false;
	if (!reservation->granted)
		return;
	reservation->slot.permit = reservation->permit;
	reservation->has_slot = issue(supplier, reservation->slot.is_sticky, 0);
	if (reservation->is_cancelled)
		give_back(supplier, reservation);
}

static void answered(struct rpc_task *task)
{
	struct temporal_slot_reservation *reservation =
		(struct temporal_slot_reservation *)((char *)task -
						     offsetof(struct temporal_slot_reservation,
							     answered));
	struct worker_supplier *supplier = reservation->supplier;

	close(reservation);
	if (reservation->has_slot)
		pump(supplier);
	else
		ask_again(supplier, AGAIN_NS); /* not at once: it was refused */
	worker_advance(supplier->worker);
}

static bool answer(struct temporal_slot_reservation *reservation, bool granted, void *permit)
{
	struct temporal_worker *worker = reservation->supplier->worker;

	if (!atomic_exchange(&reservation->asked, false))
		return false;
	reservation->granted = granted;
	reservation->permit = permit;
	if (rpc_loop_here(worker->loop) && reservation->is_inside)
		close(reservation);
	else
		rpc_loop_post(worker->loop, &reservation->answered);
	return true;
}

bool temporal_slot_reservation_grant(struct temporal_slot_reservation *reservation, void *permit)
{
	return answer(reservation, true, permit);
}

bool temporal_slot_reservation_refuse(struct temporal_slot_reservation *reservation)
{
	return answer(reservation, false, NULL);
}

static void ask(struct worker_supplier *supplier, struct temporal_slot_reservation *reservation)
{
	const struct temporal_slot_request request =
		request_of(supplier, reservation->slot.is_sticky);

	reservation->is_open = reservation->is_inside = true;
	reservation->is_cancelled = false;
	atomic_store(&reservation->asked, true);
	supplier->opts.callbacks->reserve(&request, reservation, supplier->opts.user);
	reservation->is_inside = false;
	if (!reservation->is_open && !reservation->has_slot)
		ask_again(supplier, AGAIN_NS);
}

static bool by_reservation(struct worker_supplier *supplier, struct worker_slot *slot)
{
	struct temporal_slot_reservation *reservation = reservation_of(supplier, slot->is_sticky);

	if (!reservation->is_open && !reservation->has_slot && !supplier->again.armed) {
		reservation->slot.is_sticky = slot->is_sticky;
		ask(supplier, reservation);
	}
	if (!reservation->has_slot)
		return false;
	reservation->has_slot = false;
	*slot = reservation->slot;
	return true;
}

bool worker_supplier_reserve(struct worker_supplier *supplier, struct worker_slot *slot)
{
	const struct temporal_slot_callbacks *callbacks = supplier->opts.callbacks;

	if (callbacks && callbacks->reserve)
		return by_reservation(supplier, slot);
	if (worker_supplier_try(supplier, slot))
		return true;
	ask_again(supplier, AGAIN_NS);
	return false;
}

/* ---- use and return ---- */

void worker_supplier_use(struct worker_supplier *supplier, struct worker_slot *slot,
	const struct temporal_slot_use *use)
{
	const struct temporal_slot_callbacks *callbacks = supplier->opts.callbacks;
	struct temporal_slot_use told = *use;

	slot->is_used = true;
	if (!callbacks || !callbacks->mark_used)
		return;
	told.kind = supplier->kind;
	told.permit = slot->permit;
	told.is_used = true;
	told.is_sticky = slot->is_sticky;
	callbacks->mark_used(&told, supplier->opts.user);
}

void worker_supplier_return(struct worker_supplier *supplier, const struct worker_slot *slot,
	const struct temporal_slot_use *use)
{
	static const struct temporal_slot_use nothing = {
		.workflow_type = "", .activity_type = "", .nexus_service = "", .nexus_operation = ""
	};
	struct temporal_slot_use told = use ? *use : nothing;

	supplier->slots->used--;
	supplier->issued[slot->is_sticky ? 1 : 0]--;
	if (!supplier->opts.callbacks)
		return;
	told.kind = supplier->kind;
	told.permit = slot->permit;
	told.is_used = slot->is_used;
	told.is_sticky = slot->is_sticky;
	supplier->opts.callbacks->release(&told, supplier->opts.user);
}

int32_t worker_slots_available(const struct worker_slots *slots)
{
	const struct worker_supplier *supplier = slots->supplier;

	if (!supplier)
		return (int32_t)worker_slots_free(slots);
	if (!supplier->opts.callbacks || !supplier->opts.callbacks->available)
		return -1;
	return supplier->opts.callbacks->available(supplier->kind, supplier->opts.user);
}

const char *worker_slots_source(const struct worker_slots *slots)
{
	const struct worker_supplier *supplier = slots->supplier;

	if (!supplier)
		return "Fixed";
	if (!supplier->opts.callbacks)
		return "ResourceBased";
	return str_empty(supplier->opts.callbacks->name) ? "Custom"
							 : supplier->opts.callbacks->name;
}

/* ---- life ---- */

void worker_supplier_init(struct worker_supplier *supplier, struct temporal_worker *worker,
	enum temporal_slot_kind kind, const struct temporal_slot_supplier *opts)
{
	supplier->worker = worker;
	supplier->kind = kind;
	supplier->opts = *opts;
	for (int i = 0; i < 2; i++) {
		supplier->reservations[i].supplier = supplier;
		supplier->reservations[i].answered.run = answered;
	}
}

/* Nobody wants what it has reserved, or would reserve. */
static void withdraw(struct worker_supplier *supplier)
{
	rpc_timer_stop(&supplier->again);
	for (int i = 0; i < 2; i++) {
		struct temporal_slot_reservation *reservation = &supplier->reservations[i];

		if (reservation->has_slot)
			give_back(supplier, reservation);
		if (!reservation->is_open || reservation->is_cancelled)
			continue;
		reservation->is_cancelled = true;
		supplier->opts.callbacks->cancel(reservation, supplier->opts.user);
	}
}

void worker_suppliers_stop(struct temporal_worker *worker)
{
	for (int i = 0; i < TEMPORAL_SLOT_KINDS; i++) {
		if (i != TEMPORAL_SLOT_LOCAL_ACTIVITY && worker->suppliers[i])
			withdraw(worker->suppliers[i]);
	}
}

bool worker_suppliers_idle(struct temporal_worker *worker)
{
	bool idle = true;

	for (int i = 0; i < TEMPORAL_SLOT_KINDS; i++) {
		struct worker_supplier *supplier = worker->suppliers[i];

		if (!supplier)
			continue;
		withdraw(supplier);
		idle = idle && !supplier->reservations[0].is_open &&
		       !supplier->reservations[1].is_open;
	}
	return idle;
}
