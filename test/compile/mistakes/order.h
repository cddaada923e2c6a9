/*
 * order.h: what the mistakes are made with: contracts, options and a state, all of them right.
 */
#ifndef ORDER_H
#define ORDER_H

#include <temporal/activity.h>
#include <temporal/workflow.h>

struct charge_card_in {
	double amount;
};
typedef const char *charge_card_out;
TEMPORAL_ACTIVITY_CONTRACT(charge_card, "ChargeCard", amount);

struct ship_in {
	const char *order_id;
};
typedef bool ship_out;
TEMPORAL_WORKFLOW_CONTRACT(ship, "ShipWorkflow", order_id);

struct order_in {
	const char *order_id;
};
typedef const char *order_out;
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id);

struct order_approve_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(order_approve, "approve", by);

typedef const char *order_status_out;
TEMPORAL_QUERY_CONTRACT_0(order_status, "status");

struct order_raise_in {
	double by;
};
typedef double order_raise_out;
TEMPORAL_UPDATE_CONTRACT(order_raise, "raise", by);

struct line {
	const char *sku;
	int count;
};
TEMPORAL_RECORD(line, sku, count);

struct order {
	double amount;
};

static const struct wf_activity_opts quick = { .start_to_close_ms = TEMPORAL_SECONDS(10) };

/* Makes "defined but not used" no error of its own. */
#define USED __attribute__((unused))

#endif
