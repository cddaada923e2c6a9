/*
 * workflows.h: the contracts of the simulated workflows, for their worker and for what its clients
 * send.
 */
#ifndef TEST_SIM_WORKFLOWS_H
#define TEST_SIM_WORKFLOWS_H

#include <temporal/workflow.h>

/* Fails, sleeps, or gives a number that no other attempt has given. */
struct sim_work_in {
	int64_t round;
};
typedef int64_t sim_work_out;
TEMPORAL_ACTIVITY_CONTRACT(sim_work, "sim_work", round);

/* Rounds of timers and activities, then so many different signals. Returns how many it has seen,
 * and a thousand for each that it has seen twice. */
struct sim_mixed_in {
	int64_t rounds, signals;
};
typedef int64_t sim_mixed_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_mixed, "sim_mixed", rounds, signals);

struct sim_mixed_tell_in {
	int64_t number;
};
TEMPORAL_SIGNAL_CONTRACT(sim_mixed_tell, "tell", number);

typedef int64_t sim_mixed_seen_out;
TEMPORAL_QUERY_CONTRACT_0(sim_mixed_seen, "seen");

/* Continues as new until there is nothing left. */
struct sim_relay_in {
	int64_t left;
};
typedef int64_t sim_relay_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_relay, "sim_relay", left);

extern const struct temporal_workflow *const sim_workflows[];

#endif
