/*
 * contract.h: what an order's workflow and its activity take and give. The worker, its clients and
 * other workflows include it; none of them needs the code.
 */
#ifndef ORDER_CONTRACT_H
#define ORDER_CONTRACT_H

#include <temporal/types.h>

struct charge_card_in {
	double amount;
};
typedef const char *charge_card_out; /* the transaction */
TEMPORAL_ACTIVITY_CONTRACT(charge_card, "charge_card", amount);

struct order_in {
	const char *order_id;
};
typedef const char *order_out; /* what became of it, in words */
TEMPORAL_WORKFLOW_CONTRACT(order, "OrderWorkflow", order_id);

#endif
