/*
 * interceptor.h: functions around what a program does: a client's calls, workflow code and what it
 * asks for, activities. And plugins, which change the options of clients and workers.
 *
 *	static void note_run(struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user)
 *	{
 *		wf_log(wf, TEMPORAL_LOG_INFO, "begins");
 *		wf_next_in(wf, next, in);
 *		wf_log(wf, TEMPORAL_LOG_INFO, "has ended well");
 *	}
 *	static const struct temporal_workflow_interceptor notes = { .execute = note_run };
 *	static const struct temporal_interceptor interceptor = { .workflow = &notes };
 *
 *	.interceptors = (const struct temporal_interceptor *const[]){ &interceptor, NULL }
 *
 * Interceptors are constant tables that outlive the client or worker that has them; functions that
 * are NULL are passed over. A worker has those of its client, then its own. What comes in goes
 * through them from the first to the last, what workflow or activity code asks for from the last to
 * the first; a client's calls from the first to the last. Each function goes on by the ..._next
 * function of its kind, and ends what it is about by not calling it. Nothing is allocated for a
 * chain; without interceptors there is none.
 *
 * Headers are named payloads that travel with a call: tenants, traces, claims. Interceptors, and
 * handlers, read and set them on every way.
 */
#ifndef TEMPORAL_INTERCEPTOR_H
#define TEMPORAL_INTERCEPTOR_H

#include <string.h>

#include <temporal/activity.h>
#include <temporal/workflow.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_client;
struct temporal_start_opts;
struct temporal_client_opts;
struct temporal_worker_opts;
struct temporal_worker;

/* The entry of that key, or NULL. */
static inline const struct temporal_payload *temporal_entries_find(
	const struct temporal_entries *entries, const char *key)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (strcmp(entries->items[i].key, key) == 0)
			return &entries->items[i].value;
	}
	return NULL;
}

/* ---- a client's calls ---- */

enum temporal_client_operation {
	TEMPORAL_CALL_START,
	TEMPORAL_CALL_SIGNAL_WITH_START,
	TEMPORAL_CALL_UPDATE_WITH_START,
	TEMPORAL_CALL_SIGNAL,
	TEMPORAL_CALL_QUERY,
	TEMPORAL_CALL_UPDATE,
	TEMPORAL_CALL_CANCEL,
	TEMPORAL_CALL_TERMINATE,
	TEMPORAL_CALL_DESCRIBE,
};

/*
 * A call before it is sent. What is marked "may be set" counts as it is when the last interceptor
 * has returned; what is set lives until then (temporal_client_call_alloc). Absent strings are "".
 */
struct temporal_client_call {
	enum temporal_client_operation operation;
	struct temporal_client *client;
	const char *workflow_id, *run_id; /* of a start: `start` has it */
	const char *name; /* may be set: of workflow type (starts), signal, query, update */
	struct temporal_payloads arguments; /* may be set */
	const char *with_name;              /* may be set: ..._WITH_START: the signal or update */
	struct temporal_payloads with_arguments; /* may be set: its arguments */
	struct temporal_entries headers;   /* may be set; not of DESCRIBE, CANCEL, TERMINATE */
	struct temporal_start_opts *start; /* what it points to may be set; NULL but for starts */
	const char *reason;                /* may be set: CANCEL, TERMINATE */
	void *reserved;
};

struct temporal_client_next;

/*
 * Called on the thread that makes the call, before anything is sent; an error ends the call with
 * it. The request is built when the last interceptor has gone on, and sent when the first has
 * returned TEMPORAL_OK. It must not block on the client.
 */
typedef enum temporal_code temporal_client_call_fn(struct temporal_client_next *next,
	struct temporal_client_call *call, void *user, struct temporal_error *err);

struct temporal_client_interceptor {
	temporal_client_call_fn *start, *signal_with_start, *update_with_start;
	temporal_client_call_fn *signal, *query, *update, *cancel, *terminate, *describe;
	/* A call that was sent has ended: `err` is NULL if it succeeded. On the client's thread,
	   before its caller hears of it. */
	void (*ended)(const struct temporal_client_call *call, const struct temporal_error *err,
		void *user);
};

TEMPORAL_API enum temporal_code temporal_client_next(struct temporal_client_next *next,
	struct temporal_client_call *call, struct temporal_error *err) TEMPORAL_MUST_USE;

/* Memory that lives as long as the call; NULL when there is none. */
TEMPORAL_API void *temporal_client_call_alloc(
	struct temporal_client_call *call, size_t size) TEMPORAL_MUST_USE;

/* Sets or adds a header of the call; key and value are copied. */
TEMPORAL_API enum temporal_code temporal_client_call_header(struct temporal_client_call *call,
	const char *key, const struct temporal_payload *value,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* ---- workflow code ---- */

/*
 * All of these run as workflow code: on a coroutine of the run, in every replay the same. So they
 * use wf_ functions alone (wf_is_replaying for what is to be done once), and a failure in them, or
 * in what they go on to, does not return; wf_defer is for what has to happen nevertheless.
 */

/* What comes in: the run's function or a handler is about to be called. */
struct wf_inbound {
	const char *name; /* of the workflow's type, the signal, query or update */
	struct temporal_entries headers;
	const struct temporal_contract *contract; /* NULL: untyped */
	const void *in; /* the contract's struct X_in, or a const struct temporal_payloads */
	void *reserved;
};

/* What workflow code asks for. All may be set; what is set lives as long as the run. */
struct wf_outbound {
	const char *name; /* of the activity, child, signal or operation; the next run's type */
	struct temporal_entries headers; /* of a Nexus operation: texts, as of wf_nexus_opts */
	/* NULL: those of the contract, see wf_outbound_arguments. Set: in their place. */
	const struct temporal_payloads *arguments;
	int64_t ms;                        /* a timer's */
	const char *workflow_id, *run_id;  /* a signal's; of a child: "" */
	struct wf_activity_opts *activity; /* those that apply are not NULL; their headers */
	struct wf_local_opts *local;       /* do not count, `headers` do */
	struct wf_child_opts *child;
	struct wf_nexus_opts *nexus;
	struct wf_continue_as_new_opts *continue_as_new;
	void *reserved;
};

struct wf_next;

typedef void wf_inbound_fn(struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user);
typedef struct wf_future *wf_outbound_fn(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out, void *user);

struct temporal_workflow_interceptor {
	/* The run's function, and the handlers of signals and updates. */
	wf_inbound_fn *execute, *signal, *update;
	/* A query's handler, and an update's check, which is not run on replay: they must not act.
	 */
	void (*query)(const struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user);
	const struct temporal_failure *(*check)(
		const struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user);
	/* Signals are those to other workflows and to children. continue_as_new does not return. */
	wf_outbound_fn *activity, *local, *child, *signal_external, *timer, *nexus,
		*continue_as_new;
};

TEMPORAL_API void wf_next_in(struct wf *wf, struct wf_next *next, struct wf_inbound *in);
TEMPORAL_API void wf_next_query(const struct wf *wf, struct wf_next *next, struct wf_inbound *in);
TEMPORAL_API const struct temporal_failure *wf_next_check(
	const struct wf *wf, struct wf_next *next, struct wf_inbound *in) TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_next_out(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out) TEMPORAL_MUST_USE;

/* Sets or adds a header of what is asked for; key and value are copied. */
TEMPORAL_API void wf_outbound_header(struct wf *wf, struct wf_outbound *out, const char *key,
	const struct temporal_payload *value);

/* The arguments as they will travel; those of a contract are encoded now. */
TEMPORAL_API const struct temporal_payloads *wf_outbound_arguments(
	struct wf *wf, struct wf_outbound *out);

/* ---- activities ---- */

/*
 * Of those in child processes (.isolation) too: there all three functions are called in the child,
 * with `user` as it is when main calls temporal_isolate_main. So `user` has to be NULL, a number
 * below 4096, or to point to a static object; a worker with isolated activities and another `user`
 * is refused, unless .no_isolated_interceptors leaves all of them out there.
 */

struct act_next;

/* The function is about to be called; on its thread. act_info has type and headers. */
struct act_inbound {
	const struct temporal_contract *contract; /* NULL: untyped */
	const void *in;                           /* as of wf_inbound */
	void *out; /* room for the contract's X_out, or a struct temporal_payload */
};

struct temporal_activity_interceptor {
	const struct temporal_failure *(*execute)(
		struct act *act, struct act_next *next, struct act_inbound *in, void *user);
	/* What the activity asks for; on any of its threads. */
	void (*heartbeat)(struct act *act, struct act_next *next,
		const struct temporal_payloads *details, void *user);
	const struct act_info *(*info)(const struct act *act, struct act_next *next, void *user);
};

TEMPORAL_API const struct temporal_failure *act_next_execute(
	struct act *act, struct act_next *next, struct act_inbound *in) TEMPORAL_MUST_USE;
TEMPORAL_API void act_next_heartbeat(
	struct act *act, struct act_next *next, const struct temporal_payloads *details);
TEMPORAL_API const struct act_info *act_next_info(
	const struct act *act, struct act_next *next) TEMPORAL_MUST_USE;

/* ---- handlers of Nexus operations ---- */

struct nexus;
struct nexus_next;

/* The function is about to be called; on its thread. nexus_info has operation and headers. */
struct nexus_inbound {
	const struct temporal_contract *contract; /* NULL: of the dynamic operation */
	const void *in; /* to start: as temporal_nexus_operation.start gets it; else NULL */
	void *out;
	const char *token; /* to cancel: of what; else NULL */
};

/* nexus_add_link, nexus_complete_later and the like may be called, as in handlers. */
struct temporal_nexus_interceptor {
	const struct temporal_failure *(*start)(
		struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in, void *user);
	const struct temporal_failure *(*cancel)(
		struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in, void *user);
};

TEMPORAL_API const struct temporal_failure *nexus_next_start(
	struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in) TEMPORAL_MUST_USE;
TEMPORAL_API const struct temporal_failure *nexus_next_cancel(
	struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in) TEMPORAL_MUST_USE;

/* ---- the table ---- */

struct temporal_interceptor {
	const struct temporal_client_interceptor *client; /* NULL: none, as below */
	const struct temporal_workflow_interceptor *workflow;
	const struct temporal_activity_interceptor *activity;
	const struct temporal_nexus_interceptor *nexus;
	void *user; /* passed to all of its functions */
	void *reserved[3];
};

/* ---- plugins ---- */

/*
 * Changes the options of a client when it connects, and those of workers when they are made: of a
 * client's plugins for all of its workers, then of the worker's own. `size` is the size of the
 * options that this library knows; nothing behind it may be touched. What a plugin points options
 * to lives until the client or worker is gone. An error refuses the client or worker. Functions may
 * be NULL.
 *
 * start is called before a worker polls for the first time (an error keeps it from starting), on
 * the thread that starts it; stop when all of it has ended, in reverse order, on the thread that
 * waits for it or gives it up.
 */
struct temporal_plugin {
	const char *name; /* as the server shows it: "example.tenants" */
	enum temporal_code (*client)(struct temporal_client_opts *opts, size_t size, void *user,
		struct temporal_error *err);
	enum temporal_code (*worker)(struct temporal_worker_opts *opts, size_t size, void *user,
		struct temporal_error *err);
	enum temporal_code (*start)(
		struct temporal_worker *worker, void *user, struct temporal_error *err);
	void (*stop)(struct temporal_worker *worker, void *user);
	void *user;
	void *reserved[3];
};

#ifdef __cplusplus
}
#endif
#endif
