/*
 * worker.h: a worker polls a task queue and runs the workflows, activities and Nexus operations
 * that it is given.
 *
 *	struct temporal_worker *worker = temporal_worker_new(client, &err,
 *		.task_queue = "orders",
 *		.workflows = (const struct temporal_workflow *const[]){ &order_workflow, NULL },
 *		.activities = (const struct temporal_activity *const[]){ &charge_activity, NULL });
 *	if (!worker || temporal_worker_run(worker, &err) != TEMPORAL_OK)
 *		...
 *	temporal_worker_unref(worker);
 *
 * A worker has threads of its own: a few for workflow code (each run stays on one of them), and
 * as many for activities as are being executed at a time. Its network belongs to the client's
 * loop thread. All of them block asynchronous signals.
 */
#ifndef TEMPORAL_WORKER_H
#define TEMPORAL_WORKER_H

#include <temporal/activity.h>
#include <temporal/client.h>
#include <temporal/interceptor.h>
#include <temporal/log.h>
#include <temporal/nexus.h>
#include <temporal/tuner.h>
#include <temporal/types.h>
#include <temporal/workflow.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_worker;

/* What an event says that has happened. */
enum temporal_worker_event_kind {
	TEMPORAL_EVENT_WORKER_STARTED, /* the first polls are on their way */
	TEMPORAL_EVENT_WORKER_STOPPED, /* everything that was begun has ended */
	TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED,
	TEMPORAL_EVENT_WORKFLOW_STARTED, /* the run's code is about to be entered for the first time
					  */
	TEMPORAL_EVENT_WORKFLOW_TASK_FAILED, /* `text` says why; the server will give the task out
						again */
	TEMPORAL_EVENT_ACTIVITY_SCHEDULED,   /* the workflow asks for it; its answer is about to be
						sent */
	TEMPORAL_EVENT_WORKFLOW_COMPLETED, /* and the server has taken it, as with the next three */
	TEMPORAL_EVENT_WORKFLOW_FAILED,
	TEMPORAL_EVENT_WORKFLOW_CANCELED,
	TEMPORAL_EVENT_WORKFLOW_CONTINUED_AS_NEW,
	TEMPORAL_EVENT_WORKFLOW_EVICTED, /* the run has left the cache */
	TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED,
	TEMPORAL_EVENT_ACTIVITY_COMPLETED, /* its function has returned and its answer is about to
					      be sent, as below */
	TEMPORAL_EVENT_ACTIVITY_FAILED,
	TEMPORAL_EVENT_ACTIVITY_CANCELED,
	TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN, /* somebody else will complete it: act_complete_later */
	TEMPORAL_EVENT_NEXUS_TASK_RECEIVED,
	TEMPORAL_EVENT_NEXUS_OPERATION_COMPLETED, /* its handler has returned and its answer is
						     about to be sent, as below */
	TEMPORAL_EVENT_NEXUS_OPERATION_STARTED,   /* it goes on elsewhere; `text` is its token */
	TEMPORAL_EVENT_NEXUS_OPERATION_FAILED,
	TEMPORAL_EVENT_NEXUS_OPERATION_CANCELED,
	TEMPORAL_EVENT_NEXUS_CANCEL_DELIVERED, /* the one with the token `text` was asked to stop */
	TEMPORAL_EVENT_NEXUS_TASK_FAILED, /* the handler could not do it, or not in time: `text` */
};

/* All that is not known or does not apply is "" or 0. Valid during the callback. */
struct temporal_worker_event {
	enum temporal_worker_event_kind kind;
	const char *task_queue;
	const char *workflow_type, *workflow_id, *run_id;
	const char *activity_type, *activity_id;
	int32_t attempt;  /* of the task */
	bool first_task;  /* WORKFLOW_TASK_RECEIVED: the run's history begins with this task */
	const char *text; /* COMPLETED: the result, a string without its quotes, anything else as it
			     travels, cut at 1 KiB; FAILED: the message */
	const char *nexus_service, *nexus_operation;
};

/* One line of the worker's log, or of workflow code's (then the workflow's names are set). Valid
 * during the callback. */
struct temporal_worker_log {
	enum temporal_log_level level;
	const char *message;
	const char *workflow_type, *workflow_id, *run_id; /* "" for the worker's own */
	const char *task_queue;
	const char *activity_type, *activity_id; /* of act_log; else "" */
	int32_t attempt;                         /* of the activity; else 0 */
};

/* Which version of which deployment the worker is. */
struct temporal_deployment_opts {
	const char *name, *build_id; /* required with use_versioning; name: without a '.' */
	/* The server gives out only the tasks of workflows that belong to this version, or to none,
	   once it was made the deployment's current (or ramping) one. */
	bool use_versioning;
	/* Of workflows without a behaviour of their own (workflow_options); only with
	   use_versioning, where each workflow needs one. */
	enum temporal_versioning_behavior default_behavior;
};

/*
 * Options of a worker. 0 (or NULL) stands for the default that is given, TEMPORAL_OFF for "none"
 * where that is possible. Everything is copied before temporal_worker_new returns, but the
 * definitions, which have to outlive the worker.
 */
struct temporal_worker_opts {
	const char *task_queue; /* required */

	/* What can be run; NULL-terminated; at least one definition in all. At most one of each may
	   be without a name: the dynamic one, which gets all that the others are not called. */
	const struct temporal_workflow *const *workflows;
	const struct temporal_activity *const *activities;

	const char *identity; /* the client's */
	/* The version of the code, as the server shows it; the build id that the program's linker
	   has noted, if it has; "": none. */
	const char *build_id;

	/* Runs that stay in memory between their tasks; the least recently used are dropped first,
	   and come back by replay. OFF: every task replays its run's history. */
	int32_t max_cached_workflows; /* 1000 */
	int64_t max_cached_bytes;     /* no limit */

	/* Tasks at a time; a poll is made only when there is room for what it may bring. */
	int32_t max_concurrent_workflow_tasks; /* 100; at least 2 with a cache */
	int32_t max_concurrent_activities;     /* 100 */

	/* Polls that wait at the server at a time, and the part of the workflow polls (at least
	   one) that goes to the common queue rather than to this worker's own, where the tasks of
	   cached runs come. */
	int32_t workflow_task_pollers;         /* 5 */
	int32_t activity_task_pollers;         /* 5 */
	double nonsticky_to_sticky_poll_ratio; /* 0.2; at most 1 */

	int64_t sticky_schedule_to_start_timeout_ms; /* 10 s, after which a cached run's task may go
							to any worker */

	/* A heartbeat goes to the server at most once in 0.8 of the activity's heartbeat timeout,
	   or `default_` without one, but at least once in `max_`. */
	int64_t max_heartbeat_throttle_interval_ms;     /* 60 s */
	int64_t default_heartbeat_throttle_interval_ms; /* 30 s */

	double max_activities_per_second;            /* that this worker starts; no limit */
	double max_task_queue_activities_per_second; /* of the whole queue, kept by the server; no
							limit */

	/* Between shutdown and the cancellation of the activities that still run (their reason is
	   then WORKER_SHUTDOWN); OFF: they are never cancelled, only waited for. */
	int64_t graceful_shutdown_timeout_ms; /* 0: at once */

	bool no_remote_activities; /* run no activities; the definitions may be there nevertheless
				    */
	bool no_eager_activities; /* do not start activities that a workflow task of this worker has
				     just scheduled */
	int32_t max_eager_activities_per_workflow_task; /* 3 */

	bool fail_run_on_nondeterminism; /* the run fails, not just its task */

	/* OFF: workflow code runs on the client's own thread, which saves two switches between
	   threads a task; but while it computes nothing is sent or received, heartbeats of
	   activities included. */
	int32_t workflow_threads;    /* 2 */
	int64_t workflow_stack_size; /* bytes reserved for each coroutine; 64 KiB */
	/* All activities are over within microseconds and never wait: they run on the client's own
	   thread too, one after the other, which saves two switches between threads each. While one
	   runs nothing is sent or received. */
	bool short_activities;
	int64_t activity_stack_size; /* bytes reserved for each activity thread; 1 MiB */

	/* While temporal_worker_run waits, SIGINT and SIGTERM shut the worker down; a second one
	 * does what it did before. */
	bool shutdown_on_signals;

	/* Both are called on any of the worker's threads, also on several at a time, with no lock
	   held. They must not block and not call back into the worker, except for
	   temporal_worker_shutdown. */
	void (*on_event)(const struct temporal_worker_event *event, void *user);
	void (*on_log)(const struct temporal_worker_log *line, void *user);
	enum temporal_log_level log_level; /* 0: WARN; lower levels are not passed to on_log */
	void *user;

	int32_t max_concurrent_local_activities; /* 100: attempts at a time */

	/* The server refuses the worker for good: called once, on the client's own thread, before
	   the shutdown that follows begins. It cannot stop that; otherwise as on_event. */
	void (*on_fatal_error)(const struct temporal_error *err, void *user);

	const struct temporal_deployment_opts *deployment; /* none; not with build_id */
	/* More about some of the workflows; ends with one whose `workflow` is NULL. */
	const struct temporal_workflow_opts *workflow_options;
	/* Mistakes that fail the run and not its task, by their type ("BadPayload",
	   "InvalidArgument", "NonDeterminismError", ...), or "*" for all; NULL-terminated. Lack of
	   memory never does. */
	const char *const *workflow_failure_types;
	/* Is a patch that a run meets for the first time, not on replay, to be used? Asked once a
	   run and patch, so that code can be shipped before it is switched on. NULL: yes, always.
	   On the workflow's thread; it must not act on the run. */
	bool (*use_patch)(const char *patch_id, const struct wf_info *info, void *user);
	/* Functions around tasks and what they ask for (interceptor.h), behind the client's; and
	   plugins. NULL-terminated; the tables have to outlive the worker. */
	const struct temporal_interceptor *const *interceptors;
	const struct temporal_plugin *const *plugins;
	/* Lines of the log, from log_level on, are written in that form (log.h) to the descriptor,
	   besides what on_log does; with log_events also all that on_event hears of. */
	enum temporal_log_format log_format; /* NONE: nothing is written */
	int log_fd;                          /* 0: that of stderr */
	bool log_events;
	bool log_on_replay; /* workflow code logs while its history is replayed, too */
	/* Instead of max_concurrent_*: where slots come from (see <temporal/tuner.h>). Copied;
	   callbacks and what they work on have to outlive the worker. */
	const struct temporal_tuner *tuner;
	/* Of the activities at a time, so many may be such as this worker's own workflow tasks have
	   just scheduled. */
	int32_t max_concurrent_eager_activities; /* no limit */
	double max_local_activities_per_second;  /* attempts that are started; no limit */

	/* Services whose Nexus operations are handled; NULL-terminated. At most one without a name:
	   the dynamic one. */
	const struct temporal_nexus_service *const *nexus_services;
	int32_t max_concurrent_nexus_tasks; /* 100 */
	int32_t nexus_task_pollers;         /* 5 */
	/* Where activities run whose definition does not say so. PROCESS, here or there: in child
	   processes; needs temporal_isolate_main. */
	enum temporal_isolation isolation; /* TEMPORAL_ISOLATE_THREAD */
	int32_t max_isolated_processes;    /* at a time; as many as attempts may run */
	/* A process is replaced after so many attempts (for code that leaks); never. */
	int32_t isolated_attempts_per_process;
	/* Between an isolated attempt's timeout or cancellation and its process being killed; OFF:
	   it is never killed. */
	int64_t isolated_kill_grace_ms; /* 5 s */
	int64_t isolated_memory_limit;  /* bytes of data of each process (RLIMIT_DATA); none */

	/* Instead of *_task_pollers: as many polls as the server's hints ask for. With neither, a
	   namespace may ask its workers for it (as if `&(const struct temporal_autoscaling){ 0 }`
	   were given). */
	const struct temporal_autoscaling *workflow_task_autoscaling;
	const struct temporal_autoscaling *activity_task_autoscaling;
	const struct temporal_autoscaling *nexus_task_autoscaling;
	/* CPU time that workflow code may take between two waits; then its task fails
	   ("[TMPRL1101] Potential deadlock detected") with a stack trace, and other runs get
	   another thread. Not with workflow_threads OFF. */
	int64_t deadlock_timeout_ms; /* 2 s */
	bool debug_mode;             /* for debuggers: no such limit; also by the environment, with
					TEMPORAL_DEBUG set to anything */

	/* Another worker of the same client may poll for tasks of the same queue, kind and build
	   id. */
	bool skip_overlap_check;
	/* Send payloads that the namespace's limits forbid all the same, for a proxy that makes
	   them smaller; otherwise tasks whose answers have such fail here, as "PayloadsTooLarge".
	 */
	bool no_payload_limit;

	/* The interceptors of activities are not called in child processes (see interceptor.h). */
	bool no_isolated_interceptors;
};

/*
 * Makes a worker. It holds a reference to its client and does nothing before it is started. NULL
 * with INVALID_ARGUMENT for options that do not fit (the message names the option and what was
 * expected), or NO_MEMORY. A forked child may make workers with the clients that it has from its
 * parent; those that the parent has made are the parent's. Any thread.
 */
#define temporal_worker_new(client_, err_, ...) \
	temporal_worker_new_((client_), &(const struct temporal_worker_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_worker_opts), (err_))
TEMPORAL_API struct temporal_worker *temporal_worker_new_(struct temporal_client *client,
	const struct temporal_worker_opts *opts, size_t opts_size,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * Starts the worker and waits until it was shut down and all that it had begun has ended. A server
 * that cannot be reached is tried again for as long as it takes; a server that refuses the worker
 * for good (its namespace does not exist, it is not allowed in) ends it with that error.
 * TEMPORAL_OK after a shutdown. Not on a thread of the worker or the client (FAILED_PRECONDITION).
 * A worker runs once: FAILED_PRECONDITION the second time.
 */
TEMPORAL_API enum temporal_code temporal_worker_run(
	struct temporal_worker *worker, struct temporal_error *err) TEMPORAL_MUST_USE;

/* The two halves of it, for a caller that has something else to do in between. Any thread but the
 * worker's own. */
TEMPORAL_API enum temporal_code temporal_worker_start(
	struct temporal_worker *worker, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_worker_wait(
	struct temporal_worker *worker, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * A worker on the program's own loop: that of a client with .no_thread (client.h says when to
 * step). Between temporal_worker_start and the end:
 *
 *	while (temporal_worker_step(worker))
 *		poll(&(struct pollfd){ temporal_worker_fd(worker), POLLIN, 0 }, 1,
 *			temporal_worker_timeout_ms(worker));
 *	code = temporal_worker_wait(worker, &err);
 *
 * A step drives the client and so all of its workers; it says whether this one still has something
 * to do. Any thread may step, one after the other; a step that comes while another thread is in one
 * does nothing, as that does all that there is to do.
 *
 * When the worker has ended, temporal_worker_wait gives its end and does not wait; before, on the
 * thread that steps, it is refused. With workflow_threads = TEMPORAL_OFF and short_activities there
 * is no other thread at all, and workflows and activities run within the step. temporal_worker_run
 * and temporal_worker_unref turn the loop themselves. A client with a thread: the descriptor is -1,
 * and a step only says whether the worker runs.
 */
TEMPORAL_API int temporal_worker_fd(struct temporal_worker *worker);
TEMPORAL_API int temporal_worker_timeout_ms(struct temporal_worker *worker);
TEMPORAL_API bool temporal_worker_step(struct temporal_worker *worker);

/*
 * Asks the worker to stop: it polls no more, finishes its tasks (see graceful_shutdown_timeout_ms)
 * and lets temporal_worker_run return. Returns at once. Any thread, also activities and callbacks;
 * any number of times; before the start too. Not in a signal handler (see shutdown_on_signals).
 */
TEMPORAL_API void temporal_worker_shutdown(struct temporal_worker *worker);

/*
 * Has the worker work with another client of the same namespace from now on (new credentials,
 * another address): polls go there as those that wait at the old one's server end, what is being
 * worked on is answered there; so do heartbeats of the worker and the commands to it, and it counts
 * as a worker of the new client, no more of the old one (see skip_overlap_check). A client that was
 * replaced is given up when its last call has ended, but for the first one, on whose thread the
 * worker's network stays. Eager starts come to the worker from its first client alone, while it
 * works with that.
 *
 * INVALID_ARGUMENT for another namespace; ALREADY_EXISTS if another worker of the new client polls
 * for the same tasks; FAILED_PRECONDITION if the worker has stopped: then all stays as it was. Any
 * thread, also in callbacks; returns at once.
 */
TEMPORAL_API enum temporal_code temporal_worker_set_client(struct temporal_worker *worker,
	struct temporal_client *client, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * For programs whose workers run activities in child processes: to be called in main, before any
 * thread is started, and best as its first line:
 *
 *	int main(int argc, char **argv)
 *	{
 *		temporal_isolate_main(argc, argv);
 *		...
 *
 * Usually it returns at once. A worker with isolated activities executes its own program once more;
 * there it does not return, but forks the processes in which activities run. So what main does
 * before this line is done in those processes too, what comes after it is not.
 */
TEMPORAL_API void temporal_isolate_main(int argc, char **argv);

/* What was running when it crashed; what does not apply is "" or NULL. Valid during the callback.
 */
struct temporal_crash {
	int signal;
	const char *signal_name; /* "SIGSEGV" */
	const void *address;     /* that was not to be accessed, or of the instruction */
	bool stack_overflow;
	const char *workflow_type, *workflow_id, *run_id;
	const char *coroutine; /* "run", "wf_go", "signal", "query", "update" */
	const char *handler;   /* of which signal, query or update */
	const char *activity_type, *activity_id;
	const char *trace; /* one line a frame */
};

/*
 * Installs handlers of SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT for the whole process. When one
 * of these comes while code of a workflow or an activity runs on a thread of a worker, it is named
 * on standard error, with a stack trace, and by on_crash (may be NULL); all then goes on as before:
 * to the handlers that were there, or to the process's end. on_crash runs in the signal handler, so
 * it may only do what is safe there (write, but not printf or malloc). To be called before workers
 * are made, and once: FAILED_PRECONDITION the second time.
 */
TEMPORAL_API enum temporal_code temporal_crash_handlers_install(
	void (*on_crash)(const struct temporal_crash *crash, void *user), void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* Gives the worker up; one that still runs is shut down and waited for. NULL is fine. Not on a
 * thread of the worker. */
TEMPORAL_API void temporal_worker_unref(struct temporal_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
