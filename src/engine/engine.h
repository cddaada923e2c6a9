/*
 * engine.h: one workflow run's history to activations to commands. Pure: no I/O, no clock, no
 * thread; each call gets what has come and says what is to be done next.
 *
 *	                 engine_run_task(poll response)
 *	                              |
 *	      +------------------> [step] <--------------------+
 *	      |                       |                        |
 *	engine_run_complete     ACTIVATE, FETCH_HISTORY,    engine_run_history
 *	(the workflow's answer) RESPOND_*, EVICT, IDLE      (one page more)
 *
 * One thread at a time; a run is pinned to one anyway. The messages that are handed in come with
 * the arena that holds them, which the run keeps for as long as it needs it.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/activation.h"
#include "engine/command.h"

struct engine_run;

/* What the engine has to know of its worker; borrowed, must outlive the run. */
struct engine_config {
	const char *namespace_, *task_queue, *identity;
	const char *sdk_name, *sdk_version;
	const char *sticky_queue;  /* NULL: no stickiness (nothing is cached) */
	int64_t sticky_timeout_ms; /* schedule-to-start of the sticky queue */
	const char *build_id;      /* worker version stamp; "" if none */
	bool use_versioning;
	const char *deployment_name;
	bool fail_run_on_nondeterminism;
	/* The same for these types alone; NULL, or NULL-terminated. */
	const char *const *fail_types_on_nondeterminism;
	bool no_sdk_metadata; /* the server lacks the capability sdk_metadata */
	/* More page tokens than this fail the task; 0: ENGINE_PAGES_MAX. */
	unsigned history_pages_max;
};

#define ENGINE_PAGES_MAX 4096

/* What the caller is to do. After each RESPOND_*: engine_run_responded. */
enum engine_action {
	/* Run `activation` in the workflow, then engine_run_complete. */
	ENGINE_ACTIVATE,
	/* GetWorkflowExecutionHistory by `page_token` ("": from the start), then
	 * engine_run_history. */
	ENGINE_FETCH_HISTORY,
	/* Send `completed`. */
	ENGINE_RESPOND_COMPLETED,
	/* Send `failed`; if it is NULL, tell the server nothing. */
	ENGINE_RESPOND_FAILED,
	/* Send `query`, the answer to a legacy query. */
	ENGINE_RESPOND_QUERY,
	/*
	 * Run the local activities of `locals`, cancel those of `cancels`; then engine_run_locals
	 * with what has ended, or engine_run_heartbeat when most of the task's timeout has passed.
	 * Nothing is to be started if there are none: some still run.
	 */
	ENGINE_WAIT_LOCALS,
	/* Nothing, until the next task; the run may stay cached. */
	ENGINE_IDLE,
	/* The workflow has had its REMOVE_FROM_CACHE: free instance and run. */
	ENGINE_EVICT,
};

/*
 * A local activity, to be run in this process. It lives as long as its outcome is waited for, or
 * whoever runs it holds it: what it says is constant.
 */
struct local_request {
	struct arena arena; /* of it and of all that it points to */
	_Atomic uint32_t holders;
	uint32_t seq;
	/* As the server would give out an activity; `attempt` is that of the first try. */
	Workflowservice__PollActivityTaskQueueResponse *task;
	int64_t original_schedule_ns; /* of the first attempt of all; 0: it is this one */
	int64_t schedule_to_start_ms; /* 0: no limit */
	int64_t retry_threshold_ms;   /* longer back-offs are a timer's; 0: a minute */
};

/* What one has come to; borrowed from engine_run_locals until the activation that tells of it is
 * completed. */
struct local_result {
	uint32_t seq;
	const Common__Payload *result;   /* NULL: none */
	const Failure__Failure *failure; /* NULL: it succeeded */
	uint32_t attempt;                /* the last one */
	int64_t backoff_ms; /* it failed, and is to be tried again by a timer; 0: it is over */
	int64_t original_schedule_ns;
	int64_t runtime_ns;
	int64_t complete_time_ns; /* by the workflow's clock; the engine knows */
};

struct engine_step {
	enum engine_action action;
	/* WAIT_LOCALS; until the next call. */
	const struct local_request *const *locals, *const *cancels;
	size_t n_locals, n_cancels;
	const struct activation *activation;
	struct bytes page_token;
	/* In the run's task arena, valid until engine_run_responded. */
	Workflowservice__RespondWorkflowTaskCompletedRequest *completed;
	Workflowservice__RespondWorkflowTaskFailedRequest *failed;
	Workflowservice__RespondQueryTaskCompletedRequest *query;
	/* RESPOND_FAILED: for the worker's log, also when nothing is sent. */
	const char *failure_text;
};

/* A run without history. NULL when memory is out. */
struct engine_run *engine_run_new(const struct engine_config *config, const char *run_id)
	__attribute__((warn_unused_result));
void engine_run_free(struct engine_run *run);

/*
 * A workflow task for the run: `response` lies in `arena`, whose content the run takes over. A task
 * whose history does not continue where the run stands makes it ask for the history from the start.
 * While another task is being worked on, the caller keeps the new one back.
 */
struct engine_step engine_run_task(struct engine_run *run,
	const Workflowservice__PollWorkflowTaskQueueResponse *response, struct arena *arena);

/* One page of history that FETCH_HISTORY asked for; NULL: it could not be fetched, `code` says why.
 */
struct engine_step engine_run_history(struct engine_run *run,
	const Workflowservice__GetWorkflowExecutionHistoryResponse *page, struct arena *arena,
	enum temporal_code code);

/* The workflow's answer to the activation. */
struct engine_step engine_run_complete(struct engine_run *run, const struct completion *completion);

/*
 * The server's answer to RESPOND_*: `code` and, of a completed task, the response. If that brings a
 * new workflow task, its arena is taken over and the step is that of this task; else the arena
 * stays the caller's.
 */
struct engine_step engine_run_responded(struct engine_run *run, enum temporal_code code,
	const char *message, const Workflowservice__RespondWorkflowTaskCompletedResponse *response,
	struct arena *arena);

/* Local activities have ended; only after WAIT_LOCALS. Those that nobody waits for are ignored. */
struct engine_step engine_run_locals(
	struct engine_run *run, const struct local_result *results, size_t n_results);

/* Local activities take longer than the task may: it is completed, and goes on as another one. */
struct engine_step engine_run_heartbeat(struct engine_run *run);

/* There is no memory to run a local activity: the task fails. */
struct engine_step engine_run_no_memory(struct engine_run *run);

/* The worker stops while local activities run: the task gets no answer, and the run goes. */
struct engine_step engine_run_drop(struct engine_run *run);

/* At least the bytes of the answer that is to be sent. */
size_t engine_run_answer_bytes(const struct engine_run *run);

/* Holds what the step said of a local activity, beyond the step; any thread. */
const struct local_request *engine_local_hold(const struct local_request *request);
void engine_local_release(const struct local_request *request); /* NULL is fine */

/* How long a workflow task may take; 0: not known. */
int64_t engine_run_task_timeout_ms(const struct engine_run *run);

/*
 * The workflow does not answer its activation, and is left alone: what to tell the server of the
 * task, or of its query, so that it fails: RESPOND_FAILED or RESPOND_QUERY (whose message may be
 * NULL: nothing is told). What is told lies in the task. Nothing else may be called afterwards but
 * what gives texts, and engine_run_free once the workflow has come back.
 */
struct engine_step engine_run_give_up(struct engine_run *run, const Failure__Failure *failure);

/* The cache wants the room: only when the run is IDLE. Gives an ACTIVATE with the single job
 * REMOVE_FROM_CACHE. */
struct engine_step engine_run_evict(
	struct engine_run *run, enum eviction_reason reason, const char *message);

/* For the worker's cache and reports. */
size_t engine_run_memory(const struct engine_run *run); /* bytes held */
const char *engine_run_id(const struct engine_run *run);
const char *engine_run_workflow_type(
	const struct engine_run *run); /* "" before the first history */
const char *engine_run_workflow_id(const struct engine_run *run);

/*
 * Replay of a whole history without a server: as engine_run_task, with no token; the step after the
 * last activation is IDLE if code and history fit, RESPOND_FAILED (with failure_text) if not.
 */
struct engine_step engine_run_replay(struct engine_run *run, const History__History *history,
	const char *workflow_id, struct arena *arena);

#endif
