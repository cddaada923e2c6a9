/*
 * activity.h: what activity code is written with. Functions that begin with act_ are for it alone.
 */
#ifndef TEMPORAL_ACTIVITY_H
#define TEMPORAL_ACTIVITY_H

#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One attempt of an activity. Its memory (act_alloc, act_printf) lives until the attempt has been
 * reported.
 */
struct act;

/* Where an activity's code runs. */
enum temporal_isolation {
	TEMPORAL_ISOLATE_DEFAULT, /* as the worker's option says; of the worker: THREAD */
	TEMPORAL_ISOLATE_THREAD,  /* on a thread of the worker */
	TEMPORAL_ISOLATE_PROCESS, /* in a child process, whose death is a failure of the attempt */
};

/*
 * An activity that a worker can run: a contract and the function bound to it. `run` gets the
 * contract's struct X_in (NULL for one without arguments) and room for its X_out (not NULL, but
 * untouched for void); it returns NULL, or the failure of the attempt. It is called on a thread of
 * the worker's pool, or on the main thread of a child process.
 */
struct temporal_activity {
	const struct temporal_contract *contract;
	const struct temporal_failure *(*run)(struct act *act, const void *in, void *out);
	enum temporal_isolation isolation;
};

#ifndef __cplusplus

/*
 * Binds X_run to the contract X and defines `const struct temporal_activity X_activity`:
 *
 *	static const struct temporal_failure *
 *	X_run(struct act *act, const struct X_in *in, X_out *out)
 *
 * Where X_out is void, the function has no `out`. TEMPORAL_ACTIVITY_0 is for contracts without
 * arguments (TEMPORAL_ACTIVITY_CONTRACT_0): their function has no `in`. TEMPORAL_ISOLATED_ACTIVITY
 * and its _0 define one that always runs in a child process (see temporal_isolate_main).
 */
#define TEMPORAL_ACTIVITY(X_)            TEMPORAL_BIND_ACTIVITY_(X_, TEMPORAL_ISOLATE_DEFAULT)
#define TEMPORAL_ACTIVITY_0(X_)          TEMPORAL_BIND_ACTIVITY_0_(X_, TEMPORAL_ISOLATE_DEFAULT)
#define TEMPORAL_ISOLATED_ACTIVITY(X_)   TEMPORAL_BIND_ACTIVITY_(X_, TEMPORAL_ISOLATE_PROCESS)
#define TEMPORAL_ISOLATED_ACTIVITY_0(X_) TEMPORAL_BIND_ACTIVITY_0_(X_, TEMPORAL_ISOLATE_PROCESS)

#define TEMPORAL_BIND_ACTIVITY_(X_, isolation_) \
	TEMPORAL_CHECK_CONTRACT_(X_, ACTIVITY, 1); \
	typedef const struct temporal_failure *X_##_full_run_( \
		struct act *, const struct X_##_in *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_( \
		struct act *, const struct X_##_in *); \
	TEMPORAL_ACTIVITY_CHECK_(X_, "(struct act *, const struct " #X_ "_in *, " #X_ "_out *)", \
		"(struct act *, const struct " #X_ "_in *)"); \
	TEMPORAL_ACTIVITY_(X_, isolation_, (act_, (const struct X_##_in *)in_, (X_##_out *)out_), \
		(act_, (const struct X_##_in *)in_))
#define TEMPORAL_BIND_ACTIVITY_0_(X_, isolation_) \
	TEMPORAL_CHECK_CONTRACT_(X_, ACTIVITY, 0); \
	typedef const struct temporal_failure *X_##_full_run_(struct act *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_(struct act *); \
	TEMPORAL_ACTIVITY_CHECK_(X_, "(struct act *, " #X_ "_out *)", "(struct act *)"); \
	TEMPORAL_ACTIVITY_(X_, isolation_, (act_, (X_##_out *)out_), (act_))

/*
 * The function has exactly the type that its contract asks for: with `out`, or without it where
 * X_out is void.
 */
#define TEMPORAL_ACTIVITY_CHECK_(X_, full_, void_) \
	_Static_assert(_Generic((X_##_out *)0, \
		void *: TEMPORAL_IS_(X_##_run, X_##_void_run_ *), \
		default: TEMPORAL_IS_(X_##_run, X_##_full_run_ *)), \
		#X_ "_run must be a function " full_ ", or where " #X_ "_out is void " void_ \
		", that returns const struct temporal_failure *")

/* One of the two calls is of the function's type, the other is never evaluated. */
#define TEMPORAL_ACTIVITY_(X_, isolation_, full_args_, void_args_) \
	static const struct temporal_failure *X_##_entry_( \
		struct act *act_, const void *in_, void *out_) \
	{ \
		(void)in_; \
		(void)out_; \
		return _Generic(&X_##_run, X_##_void_run_ * \
				: _Generic(&X_##_run, X_##_void_run_ * \
					   : &X_##_run, default \
					   : (X_##_void_run_ *)NULL) void_args_, \
				X_##_full_run_ * \
				: _Generic(&X_##_run, X_##_full_run_ * \
					   : &X_##_run, default \
					   : (X_##_full_run_ *)NULL) full_args_); \
	} \
	const struct temporal_activity X_##_activity = { &X_, X_##_entry_, isolation_ }

#endif /* not C++ */

/*
 * ---- for activity code ----
 *
 * All of these may be called by the activity's function on its thread. act_cancelled, act_wait,
 * act_heartbeat and act_info may also be called by threads that the function has started, as long
 * as it has not returned.
 */

/* What is known about the attempt. Strings are never NULL; times are ns since the epoch, durations
 * ms, 0: none. */
struct act_info {
	const char *activity_type, *activity_id, *task_queue;
	const char *namespace_;
	const char *workflow_type, *workflow_id,
		*run_id; /* "" for an activity that no workflow has started */
	int32_t attempt; /* from 1 */
	int64_t scheduled_time_ns, attempt_scheduled_time_ns, started_time_ns;
	int64_t schedule_to_close_timeout_ms, start_to_close_timeout_ms, heartbeat_timeout_ms;
	struct temporal_bytes
		task_token; /* names the attempt to temporal_activity_complete and its like */
	struct temporal_entries headers;
	const struct temporal_retry_policy *retry_policy; /* NULL: none is known */
	struct temporal_priority priority;
};
TEMPORAL_API const struct act_info *act_info(const struct act *act);

/*
 * A line for the worker's log, with the activity's and its workflow's names. Any of its threads.
 */
TEMPORAL_API void act_log(const struct act *act, enum temporal_log_level level, const char *format,
	...) TEMPORAL_PRINTF(3, 4);

/* Memory that lives as long as the attempt; zeroed. NULL when there is none left. Not for other
 * threads. */
TEMPORAL_API void *act_alloc(struct act *act, size_t size) TEMPORAL_MUST_USE;
TEMPORAL_API char *act_printf(struct act *act, const char *format, ...)
	TEMPORAL_PRINTF(2, 3) TEMPORAL_MUST_USE;

/* Why an activity should stop. */
enum act_cancel_reason {
	ACT_NOT_CANCELLED,
	ACT_CANCEL_REQUESTED, /* its workflow, or a client, does not want it any more */
	ACT_TIMED_OUT,        /* the server will not take its answer */
	ACT_PAUSED, /* a client has paused it: fail, and the next attempt comes when it is unpaused
		     */
	ACT_RESET,  /* a client has reset it: the same, at once */
	ACT_WORKER_SHUTDOWN, /* the worker stops */
	ACT_NOT_FOUND,       /* the server knows it no longer */
};

/*
 * Has the activity been cancelled? A request that comes from the server is noticed with the answer
 * to a heartbeat, so activities that want to be cancelled make heartbeats.
 */
TEMPORAL_API bool act_cancelled(const struct act *act);
TEMPORAL_API enum act_cancel_reason act_cancel_reason(const struct act *act);
/* Sleeps until the activity is cancelled (true) or the time is over (false); a negative time is for
 * ever. */
TEMPORAL_API bool act_wait(struct act *act, int64_t timeout_ms);

/*
 * Tells the server that the activity lives and how far it is. Never blocks; the worker sends the
 * latest details, no more often than its options say, and with a failure of the attempt the very
 * last ones. act_heartbeat takes a bool, an integer, a double or a string; act_heartbeat_payloads
 * any details (copied); act_heartbeat_0 has none.
 */
#define act_heartbeat(act_, value_) \
	act_heartbeat_value((act_), _Generic((value_), \
		bool: TEMPORAL_KIND_BOOL, float: TEMPORAL_KIND_FLOAT, double: TEMPORAL_KIND_FLOAT, \
		char *: TEMPORAL_KIND_STRING, const char *: TEMPORAL_KIND_STRING, \
		unsigned char: TEMPORAL_KIND_UINT, unsigned short: TEMPORAL_KIND_UINT, \
		unsigned: TEMPORAL_KIND_UINT, \
		unsigned long: TEMPORAL_KIND_UINT, unsigned long long: TEMPORAL_KIND_UINT, \
		signed char: TEMPORAL_KIND_INT, short: TEMPORAL_KIND_INT, int: TEMPORAL_KIND_INT, \
		long: TEMPORAL_KIND_INT, long long: TEMPORAL_KIND_INT), \
		sizeof(value_), (value_))
TEMPORAL_API void act_heartbeat_value(struct act *act, enum temporal_kind kind, size_t size, ...);
TEMPORAL_API void act_heartbeat_payloads(struct act *act, const struct temporal_payloads *details);
TEMPORAL_API void act_heartbeat_0(struct act *act);

/*
 * The details of the last heartbeat of the attempt before this one; none at the first.
 * act_last_heartbeat reads one of them into a variable: true if it is there and fits.
 */
TEMPORAL_API struct temporal_payloads act_last_heartbeat_payloads(const struct act *act);
#define act_last_heartbeat(act_, index_, variable_) \
	act_last_heartbeat_value((act_), (index_), _Generic((variable_), \
		bool *: TEMPORAL_KIND_BOOL, double *: TEMPORAL_KIND_FLOAT, \
		const char **: TEMPORAL_KIND_STRING, \
		uint32_t *: TEMPORAL_KIND_UINT, uint64_t *: TEMPORAL_KIND_UINT, \
		int32_t *: TEMPORAL_KIND_INT, int64_t *: TEMPORAL_KIND_INT), \
		sizeof(*(variable_)), (variable_))
TEMPORAL_API bool act_last_heartbeat_value(struct act *act, size_t index, enum temporal_kind kind,
	size_t size, void *variable) TEMPORAL_MUST_USE;

/* A failure to return, in the attempt's memory. Its type is what retry policies and workflows tell
 * failures apart by. */
TEMPORAL_API const struct temporal_failure *act_failure(struct act *act, const char *type,
	const char *format, ...) TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

struct act_failure_opts {
	const char *type;
	bool non_retryable;
	int64_t next_retry_delay_ms; /* 0: by the retry policy */
	enum temporal_category category;
	struct temporal_payloads details;
	const struct temporal_failure *cause;
};
TEMPORAL_API const struct temporal_failure *act_failure_with(
	struct act *act, const struct act_failure_opts *opts, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

/* What an activity returns that ends because it was cancelled. The server takes it only from one
 * that was. */
TEMPORAL_API const struct temporal_failure *act_cancelled_failure(
	struct act *act) TEMPORAL_MUST_USE;

/*
 * When the function returns NULL after this, the attempt stays open: somebody else will complete it
 * by the token (also in act_info), which is to be copied if it has to outlive the attempt.
 */
TEMPORAL_API struct temporal_bytes act_complete_later(struct act *act) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
