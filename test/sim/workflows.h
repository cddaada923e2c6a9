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

/* Ends once it has seen so many updates. Returns how many, as sim_mixed does. */
struct sim_updated_in {
	int64_t updates;
};
typedef int64_t sim_updated_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_updated, "sim_updated", updates);

/* One number in three is refused. Returns how many came before, and the number. */
struct sim_updated_add_in {
	int64_t number;
};
typedef int64_t sim_updated_add_out;
TEMPORAL_UPDATE_CONTRACT(sim_updated_add, "add", number);

/* So many children. Returns how many of them it has seen complete. */
struct sim_family_in {
	int64_t children;
};
typedef int64_t sim_family_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_family, "sim_family", children);

/* What a child does, or the workflow behind a Nexus operation. */
enum sim_child_kind {
	SIM_CHILD_QUICK,
	SIM_CHILD_FAILING,
	SIM_CHILD_TOLD,    /* waits for a signal */
	SIM_CHILD_ENDLESS, /* rather long, that is */
	SIM_CHILD_RELAY,   /* is a quick one after it has continued as new */
	SIM_CHILD_KINDS,
};
struct sim_child_in {
	int64_t kind;
};
typedef int64_t sim_child_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_child, "sim_child", kind);

struct sim_child_tell_in {
	int64_t number;
};
TEMPORAL_SIGNAL_CONTRACT(sim_child_tell, "tell", number);

/* The how manieth run of its chain it is; one in six fails. */
typedef int64_t sim_cron_out;
TEMPORAL_WORKFLOW_CONTRACT_0(sim_cron, "sim_cron");

/* So many Nexus operations. Returns how many have succeeded. */
struct sim_caller_in {
	int64_t operations;
};
typedef int64_t sim_caller_out;
TEMPORAL_WORKFLOW_CONTRACT(sim_caller, "sim_caller", operations);

/* A wait of the run's own choice, now and then a longer one. */
int64_t sim_some_time(struct wf *wf);
/* A timer, activities, or a race of both. */
void sim_play_round(struct wf *wf, int64_t round);

extern const struct temporal_workflow sim_family_workflow, sim_child_workflow, sim_cron_workflow,
	sim_caller_workflow;
extern const struct temporal_workflow *const sim_workflows[];

#endif
