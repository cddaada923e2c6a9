/*
 * workflow.h: what workflow code is written with. Functions that begin with wf_ are for it alone.
 * Children, other workflows and Nexus operations are in remote.h, definitions for a worker and the
 * macros that make them in definition.h; both come with it.
 *
 * A workflow's function runs on a coroutine, as do its handlers and what it starts by wf_go. One of
 * them runs at a time, until it waits; the order is the same whenever the history is replayed. So
 * workflow code must do the same each time: it uses no clock, thread, file, socket, random number
 * or malloc of its own, only wf_ functions and plain computation.
 *
 * Memory: whatever a wf_ function returns, arguments, results and the state live until the run
 * ends (or until the wf_release of a wf_mark). Workflow code owns nothing else, therefore:
 *
 * A failure does not return. When a thing that was waited for has failed, the waiting coroutine
 * runs its deferred actions and ends there, with that failure. wf_try makes a value of a failure.
 * If the coroutine is the run's function, the run fails (or is cancelled, if it was asked to be and
 * the failure says so); if it is a signal's handler, too; if it was started by wf_go, its future
 * fails. A future that failed and that nobody waited for, selected, cancelled or detached fails the
 * run when its function returns.
 *
 * Mistakes of the program (a result that is not of the contract's form, invalid options) and lack
 * of memory fail the workflow *task*, not the run: the server gives the task out again, until a
 * corrected worker takes it.
 *
 * Cancellation of a coroutine comes once, as the failure of what it waits for or will wait for
 * next, and is passed to that: timers and conditions end at once, activities as their cancellation
 * type says, coroutines when they have ended. What ends well nevertheless is a success. A wf_select
 * waits until all of its futures have ended, and then fails.
 *
 * A bad access ends the process by its signal, as in any program in C; so does an overflow of a
 * coroutine's stack (workflow_stack_size of the worker), which runs into a guard page. Code that
 * computes without end holds up the runs that share its thread. Nothing is lost: the server gives
 * the task out again, to any worker, when it has timed out.
 *
 * Functions that act take a `struct wf *`; a query's handler has a `const struct wf *`, with which
 * they do not compile. All are for the run's own coroutines, on their thread. In C++ the functions
 * are as in C; the macros that know contracts are for C alone.
 */
#ifndef TEMPORAL_WORKFLOW_H
#define TEMPORAL_WORKFLOW_H

#include <stdarg.h>

#include <temporal/definition.h>
#include <temporal/remote.h>
#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wf;        /* a run, in the hands of its code */
struct wf_future; /* something that will have a result or a failure */

/* ---- waiting ---- */

/* Waits until the future has succeeded. Its failure does not return. */
TEMPORAL_API void wf_wait(struct wf *wf, struct wf_future *future);

/* Waits until the future has ended; its failure, or NULL for a success. */
TEMPORAL_API const struct temporal_failure *wf_try(
	struct wf *wf, struct wf_future *future) TEMPORAL_MUST_USE;

/*
 * Waits until one of the futures (up to a NULL; at least one) has ended, and returns the first such
 * in the order given. Its failure, if it has one, counts as observed and is not raised: ask for it
 * by wf_try, wf_wait or wf_await.
 */
TEMPORAL_API struct wf_future *wf_select(
	struct wf *wf, struct wf_future *first, ...) TEMPORAL_SENTINEL TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_select_n(
	struct wf *wf, struct wf_future *const *futures, size_t n_futures) TEMPORAL_MUST_USE;

/* Has it ended? */
TEMPORAL_API bool wf_is_done(const struct wf *wf, const struct wf_future *future);

/*
 * A future that succeeds when ready(state) is true. It is asked again each time all other
 * coroutines wait, in the order in which such futures were made; it ends, cancelled, with the
 * coroutine that made it. `ready` only looks: it calls no function that acts.
 */
TEMPORAL_API struct wf_future *wf_until(
	struct wf *wf, bool (*ready)(const void *state), const void *state) TEMPORAL_MUST_USE;

/* Waits for ready(state), at most for that long: was it true in time? */
TEMPORAL_API bool wf_until_timeout(
	struct wf *wf, bool (*ready)(const void *state), const void *state, int64_t timeout_ms);

struct wf_timer_opts {
	const char *summary; /* shown by user interfaces */
};

/* A durable timer. 0 ms have passed at once; negative is invalid. */
TEMPORAL_API struct wf_future *wf_timer(struct wf *wf, int64_t ms) TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_timer_with_(struct wf *wf, int64_t ms,
	const struct wf_timer_opts *opts, size_t opts_size) TEMPORAL_MUST_USE;

/* Waits for a timer. */
TEMPORAL_API void wf_sleep(struct wf *wf, int64_t ms);

/* ---- coroutines, cancellation, clean-up ---- */

/*
 * Starts fn(wf, arg) on a coroutine of its own, which runs when the caller waits. The future
 * succeeds when it returns, and fails with the failure that it meets. `arg` must live as long; it
 * may be a local of a function that waits for the future (a failure does not take it away).
 */
TEMPORAL_API struct wf_future *wf_go(
	struct wf *wf, void (*fn)(struct wf *wf, void *arg), void *arg) TEMPORAL_MUST_USE;

/*
 * Cancels what the future stands for; if it has ended, nothing happens. A coroutine is cancelled
 * together with all that it has started. The future still has to end: timers and conditions do at
 * once, with a failure of kind CANCELLED; wait for the others if it matters.
 */
TEMPORAL_API void wf_cancel(struct wf *wf, struct wf_future *future);

/* Its failure concerns nobody. */
TEMPORAL_API void wf_detach(struct wf *wf, struct wf_future *future);

/*
 * Registers action(wf, arg) for the end of this coroutine, by return or failure. The last
 * registered runs first, on the coroutine's own stack, and may wait; cancellation does not reach
 * it. If one fails, the rest run all the same, and the first failure of all is the coroutine's.
 * None runs when the run is evicted from a worker's memory. After a return the coroutine's locals
 * are gone: `arg` points to memory of the run.
 */
TEMPORAL_API void wf_defer(struct wf *wf, void (*action)(struct wf *wf, void *arg), void *arg);

/* Why the run was asked to be cancelled ("" if no reason was given); NULL: it was not asked. */
TEMPORAL_API const char *wf_cancel_reason(const struct wf *wf);

/* ---- activities ---- */

struct wf_activity_opts {
	const char *task_queue;  /* NULL: the workflow's */
	const char *activity_id; /* NULL: a number of its own */
	/* One of the first two is required. */
	int64_t start_to_close_ms;    /* of one attempt */
	int64_t schedule_to_close_ms; /* of all attempts together; 0: as long as the run */
	int64_t schedule_to_start_ms; /* of the wait in the queue; 0: no limit */
	int64_t heartbeat_ms;         /* the longest silence; 0: no heartbeats expected */
	const struct temporal_retry_policy *retry; /* NULL: the server's, without end */
	enum temporal_cancellation_type cancellation;
	bool no_eager; /* never hand it to this worker together with the task's answer */
	const struct temporal_priority *priority; /* NULL: as the workflow's */
	const char *summary;                      /* shown by user interfaces */
	struct temporal_entries headers;
};

/* An activity of that type with these arguments; `in` may be NULL for none. */
TEMPORAL_API struct wf_future *wf_start_activity_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_activity_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;

/*
 * As wf_wait, then its result; NULL: none. A second call gives the same; wf_await of the same
 * future is a mistake that fails the task.
 */
TEMPORAL_API const struct temporal_payload *wf_await_raw(struct wf *wf, struct wf_future *future);

/* ---- local activities ---- */

struct wf_local_opts {
	const char *activity_id; /* NULL: a number of its own */
	/* One of the first two is required. */
	int64_t start_to_close_ms;    /* of one attempt */
	int64_t schedule_to_close_ms; /* of all attempts together; 0: as long as the run */
	int64_t schedule_to_start_ms; /* of the wait for a free slot; 0: no limit */
	const struct temporal_retry_policy *retry; /* NULL: a second, doubled, without end */
	int64_t retry_threshold_ms;                /* longer waits are a timer's; 0: a minute */
	enum temporal_cancellation_type cancellation;
	const char *summary; /* shown by user interfaces */
	struct temporal_entries headers;
};

/*
 * An activity that this worker runs within the workflow task: short, and without a queue. Its
 * outcome is recorded; if the worker dies before that it runs again. It has no heartbeats.
 */
TEMPORAL_API struct wf_future *wf_start_local_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_local_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;

/* ---- changes of the code of workflows that run ---- */

/*
 * Is this run one of those that do the new thing? True for what is new, and for what has met the
 * patch before; false on the replay of a run that has not. The answer for an id stays the same.
 */
TEMPORAL_API bool wf_patched(struct wf *wf, const char *id);

/* When all runs that do the old thing are gone: in place of wf_patched, until those that have met
 * the patch are gone too. */
TEMPORAL_API void wf_deprecate_patch(struct wf *wf, const char *id);

/* ---- what is known of the run ---- */

/*
 * Sets search attributes or entries of the memo; a payload "null" (or of encoding binary/null)
 * removes one. wf_info has them at once.
 */
TEMPORAL_API void wf_upsert_search_attributes(
	struct wf *wf, const struct temporal_entries *entries);
TEMPORAL_API void wf_upsert_memo(struct wf *wf, const struct temporal_entries *entries);

/* ---- signals and queries ---- */

/*
 * The next signal of that name which has no handler: waits for one, takes it, and returns its
 * arguments. Signals without a handler are kept in order until they are asked for.
 */
TEMPORAL_API const struct temporal_payloads *wf_receive_raw(struct wf *wf, const char *name);

/* A future that succeeds when such a signal is there; it takes none. */
TEMPORAL_API struct wf_future *wf_until_signal_raw(
	struct wf *wf, const char *name) TEMPORAL_MUST_USE;

/* How many signals of that name wait to be received. */
TEMPORAL_API size_t wf_signals_waiting(const struct wf *wf, const char *name);

/*
 * Is no signal's or update's handler in the middle of its work? wf_wait_handlers waits until that
 * is so: for the end of the run's function (a run that ends drops them; the log warns of it).
 */
TEMPORAL_API bool wf_handlers_are_done(const struct wf *wf);
TEMPORAL_API void wf_wait_handlers(struct wf *wf);

/* Ends a query's handler, or an update's check: it fails with an application failure of that type.
 */
TEMPORAL_API void wf_reject(const struct wf *wf, const char *type, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_NORETURN;

/* ---- failures ---- */

/* Ends this coroutine with an application failure of that type. */
TEMPORAL_API void wf_fail(struct wf *wf, const char *type, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_NORETURN;

/* Ends this coroutine with a failure of any kind; it is copied. */
TEMPORAL_API void wf_raise(struct wf *wf, const struct temporal_failure *failure) TEMPORAL_NORETURN;

/* An application failure as a value: to be a cause, to be changed and raised, to refuse an update.
 */
TEMPORAL_API struct temporal_failure *wf_failure(const struct wf *wf, const char *type,
	const char *format, ...) TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

/* Does the failure say that something was cancelled: itself, or the activity or child that it tells
 * of? */
TEMPORAL_API bool wf_is_cancelled(const struct temporal_failure *failure);

/* ---- the next run ---- */

struct wf_continue_as_new_opts {
	const char *task_queue; /* NULL: as this run's; so with the others */
	int64_t run_timeout_ms, task_timeout_ms;
	int64_t backoff_start_ms; /* before the new run's first task */
	const struct temporal_retry_policy *retry;
	struct temporal_entries memo, headers;
	struct temporal_entries search_attributes; /* count 0: keep */
	enum temporal_next_versioning versioning;
};

/* Ends the run; a new one of the type (NULL: the same) starts with these arguments. */
TEMPORAL_API void wf_continue_as_new_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_continue_as_new_opts *opts,
	size_t opts_size) TEMPORAL_NORETURN;

/* ---- time, random, memory ---- */

/* The workflow's clock: when its task was started, in ns since 1970. It stands still between waits.
 */
TEMPORAL_API int64_t wf_now_ns(const struct wf *wf);

/* Random, but the same in each replay: 64 bits; a number below `bound` (not 0); a version 4 UUID.
 */
TEMPORAL_API uint64_t wf_random(struct wf *wf);
TEMPORAL_API uint64_t wf_random_below(struct wf *wf, uint64_t bound);
TEMPORAL_API const char *wf_uuid4(struct wf *wf);

/* Memory of the run, zeroed, aligned to 16. Size 0 is fine. In a query: until it has been answered.
 */
TEMPORAL_API void *wf_alloc(const struct wf *wf, size_t size) TEMPORAL_MUST_USE;
TEMPORAL_API char *wf_strdup(const struct wf *wf, const char *text) TEMPORAL_MUST_USE;
TEMPORAL_API void *wf_memdup(const struct wf *wf, const void *data, size_t size) TEMPORAL_MUST_USE;
TEMPORAL_API char *wf_printf(const struct wf *wf, const char *format, ...)
	TEMPORAL_PRINTF(2, 3) TEMPORAL_MUST_USE;
TEMPORAL_API char *wf_vprintf(const struct wf *wf, const char *format, va_list args)
	TEMPORAL_PRINTF(2, 0) TEMPORAL_MUST_USE;

/*
 * For long loops: wf_release frees what this coroutine alone got since the mark (its allocations,
 * results, and futures that have ended). Marks are released last in, first out.
 */
struct wf_mark {
	void *scope;
};
TEMPORAL_API struct wf_mark wf_mark(struct wf *wf) TEMPORAL_MUST_USE;
TEMPORAL_API void wf_release(struct wf *wf, struct wf_mark mark);

/* ---- about the run ---- */

/*
 * The headers of what the running code was called with: of a handler those of its signal, query or
 * update, else the run's. wf_received_headers: of the signal that this coroutine has received last.
 */
TEMPORAL_API const struct temporal_entries *wf_headers(const struct wf *wf);
TEMPORAL_API const struct temporal_entries *wf_received_headers(const struct wf *wf);

/* A line for the worker's log; nothing while the history is replayed. */
TEMPORAL_API void wf_log(const struct wf *wf, enum temporal_log_level level, const char *format,
	...) TEMPORAL_PRINTF(3, 4);

/* Is this code run again over a history? For nothing that the run depends on. */
TEMPORAL_API bool wf_is_replaying(const struct wf *wf);

struct wf_execution {
	const char *namespace_, *workflow_id, *run_id; /* of a root, namespace_ is "" */
};

/*
 * Strings are never NULL ("" is absent), pointers may be; times are 0 when absent. What is marked
 * "now" changes from task to task, the rest never.
 */
struct wf_info {
	const char *namespace_, *task_queue, *workflow_type, *workflow_id, *run_id;
	const char *first_run_id; /* of the chain of runs that continued as new, were retried or by
				     cron */
	const char *original_run_id; /* this run's, before it was reset */
	const char *continued_run_id;
	const char *cron_schedule;
	int32_t attempt; /* from 1 */
	const struct wf_execution *parent, *root;
	int64_t start_time_ns; /* when the run was started */
	int64_t execution_expires_ns;
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms;
	const struct temporal_retry_policy *retry;
	const struct temporal_priority *priority;
	struct temporal_entries headers, memo, search_attributes;
	uint32_t history_length;                /* now */
	uint64_t history_size_bytes;            /* now */
	bool continue_as_new_suggested;         /* now */
	const char *build_id, *deployment_name; /* now: of the worker that made this task */
	bool target_version_changed; /* now: a new run would go to another deployment version */
};
TEMPORAL_API const struct wf_info *wf_info(const struct wf *wf);

/* Of the run before in a chain by cron or continue-as-new; NULL: none. */
TEMPORAL_API const struct temporal_payload *wf_last_result_raw(const struct wf *wf);
TEMPORAL_API const struct temporal_failure *wf_last_failure(const struct wf *wf);

/* What user interfaces show of the run's state beside its history; Markdown. It is copied. */
TEMPORAL_API void wf_set_current_details(struct wf *wf, const char *text);

/* ---- what the macros below call ---- */

TEMPORAL_API const void *wf_await_(
	struct wf *wf, const struct temporal_contract *contract, struct wf_future *future);
TEMPORAL_API struct wf_future *wf_start_activity_(struct wf *wf,
	const struct temporal_contract *contract, const void *in,
	const struct wf_activity_opts *opts, size_t opts_size) TEMPORAL_MUST_USE;
TEMPORAL_API const void *wf_activity_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_activity_opts *opts, size_t opts_size);
TEMPORAL_API struct wf_future *wf_start_local_(struct wf *wf,
	const struct temporal_contract *contract, const void *in, const struct wf_local_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;
TEMPORAL_API const void *wf_local_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_local_opts *opts, size_t opts_size);
TEMPORAL_API const void *wf_receive_(struct wf *wf, const struct temporal_contract *contract);
TEMPORAL_API const void *wf_last_result_(
	const struct wf *wf, const struct temporal_contract *contract);
TEMPORAL_API void wf_continue_as_new_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_continue_as_new_opts *opts,
	size_t opts_size) TEMPORAL_NORETURN;

#ifdef __cplusplus

static inline struct wf_future *wf_start_activity_raw(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_activity_opts *opts)
{
	return wf_start_activity_raw_(wf, type, in, opts, sizeof(*opts));
}

static inline struct wf_future *wf_start_local_raw(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_local_opts *opts)
{
	return wf_start_local_raw_(wf, type, in, opts, sizeof(*opts));
}

TEMPORAL_NORETURN static inline void wf_continue_as_new_raw(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_continue_as_new_opts *opts)
{
	wf_continue_as_new_raw_(wf, type, in, opts, sizeof(*opts));
}

static inline struct wf_future *wf_timer_with(
	struct wf *wf, int64_t ms, const struct wf_timer_opts *opts)
{
	return wf_timer_with_(wf, ms, opts, sizeof(*opts));
}

#else

/* It knows neither _Generic nor tables of macros: */
/* clang-format off */

/* ---- calls that know contracts ---- */

/*
 * An activity of the contract X:
 *
 *	future = wf_start_activity(wf, X, &opts, .argument = value, ...);
 *	result = wf_await(wf, X, future);
 *
 * or both in one, result = wf_activity(wf, X, &opts, .argument = value, ...). Arguments that are
 * left out are zero. The ..._0 forms are for contracts without arguments. `opts` may be written in
 * place: WF_ACTIVITY_OPTS(.start_to_close_ms = TEMPORAL_SECONDS(10)).
 */
#define wf_start_activity(wf_, X_, opts_, ...) \
	wf_start_activity_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, ACTIVITY), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, activity))
#define wf_start_activity_0(wf_, X_, opts_) \
	wf_start_activity_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, ACTIVITY), NULL, \
		WF_OPTS_(opts_, activity))
#define wf_activity(wf_, X_, opts_, ...) \
	TEMPORAL_RESULT_(X_, wf_activity_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, ACTIVITY), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, activity)))
#define wf_activity_0(wf_, X_, opts_) \
	TEMPORAL_RESULT_(X_, wf_activity_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, ACTIVITY), \
		NULL, WF_OPTS_(opts_, activity)))
#define WF_ACTIVITY_OPTS(...) (&(const struct wf_activity_opts){ __VA_ARGS__ })

/* The same, run by this worker within the workflow task. */
#define wf_start_local(wf_, X_, opts_, ...) \
	wf_start_local_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, ACTIVITY), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, local))
#define wf_start_local_0(wf_, X_, opts_) \
	wf_start_local_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, ACTIVITY), NULL, \
		WF_OPTS_(opts_, local))
#define wf_local(wf_, X_, opts_, ...) \
	TEMPORAL_RESULT_(X_, wf_local_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, ACTIVITY), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, local)))
#define wf_local_0(wf_, X_, opts_) \
	TEMPORAL_RESULT_(X_, wf_local_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, ACTIVITY), NULL, \
		WF_OPTS_(opts_, local)))
#define WF_LOCAL_OPTS(...) (&(const struct wf_local_opts){ __VA_ARGS__ })

/* As wf_wait, then the result, of type X_out. */
#define wf_await(wf_, X_, future_) TEMPORAL_RESULT_(X_, wf_await_(WF_ACTS_(wf_), &X_, future_))

/* Ends the run; a new one of the contract X starts with these arguments. `opts` may be NULL. */
#define wf_continue_as_new(wf_, X_, opts_, ...) \
	wf_continue_as_new_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, continue_as_new))
#define wf_continue_as_new_0(wf_, X_, opts_) \
	wf_continue_as_new_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, WORKFLOW), NULL, \
		WF_OPTS_(opts_, continue_as_new))
#define WF_CONTINUE_AS_NEW_OPTS(...) (&(const struct wf_continue_as_new_opts){ __VA_ARGS__ })

/*
 * The next signal of the contract X for which the workflow has no handler: a const struct X_in *.
 * wf_receive_0 gives nothing. wf_until_signal is the future for wf_select.
 */
#define wf_receive(wf_, X_) \
	((const struct X_##_in *)wf_receive_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, SIGNAL)))
#define wf_receive_0(wf_, X_) ((void)wf_receive_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, SIGNAL)))
#define wf_until_signal(wf_, X_) \
	wf_until_signal_raw(wf_, TEMPORAL_CONTRACT_OF_(X_, SIGNAL)->name)

/* What the run before of the contract X returned: a const X_out *; NULL: nothing. */
#define wf_last_result(wf_, X_) \
	((const X_##_out *)wf_last_result_(wf_, TEMPORAL_CONTRACT_OF_(X_, WORKFLOW)))

/*
 * ---- how it works: nothing below is for use elsewhere ----
 */

/* A run that may act: a const struct wf * fits nothing here. */
#define WF_ACTS_(wf_) _Generic((wf_), struct wf *: (wf_))
#define WF_OPTS_(opts_, kind_) \
	TEMPORAL_POINTER_(opts_, struct wf_##kind_##_opts), sizeof(struct wf_##kind_##_opts)
#define WF_WITHOUT_ARGUMENTS_(X_, definition_) \
	(TEMPORAL_CONTRACT_OF_(X_, definition_) + TEMPORAL_CHECK_(!(int)X_##_has_arguments_, \
		#X_ " has arguments: use the form without ..._0"))

/* The functions that act, each behind a macro that refuses a const struct wf *. */
#define wf_wait(wf_, future_) (wf_wait)(WF_ACTS_(wf_), future_)
#define wf_try(wf_, future_) (wf_try)(WF_ACTS_(wf_), future_)
#define wf_select(wf_, ...) (wf_select)(WF_ACTS_(wf_), __VA_ARGS__)
#define wf_select_n(wf_, futures_, n_futures_) (wf_select_n)(WF_ACTS_(wf_), futures_, n_futures_)
#define wf_until(wf_, ready_, state_) (wf_until)(WF_ACTS_(wf_), ready_, state_)
#define wf_until_timeout(wf_, ready_, state_, timeout_ms_) \
	(wf_until_timeout)(WF_ACTS_(wf_), ready_, state_, timeout_ms_)
#define wf_timer(wf_, ms_) (wf_timer)(WF_ACTS_(wf_), ms_)
#define wf_timer_with(wf_, ms_, opts_) wf_timer_with_(WF_ACTS_(wf_), ms_, WF_OPTS_(opts_, timer))
#define wf_sleep(wf_, ms_) (wf_sleep)(WF_ACTS_(wf_), ms_)
#define wf_go(wf_, fn_, arg_) (wf_go)(WF_ACTS_(wf_), fn_, arg_)
#define wf_cancel(wf_, future_) (wf_cancel)(WF_ACTS_(wf_), future_)
#define wf_detach(wf_, future_) (wf_detach)(WF_ACTS_(wf_), future_)
#define wf_defer(wf_, action_, arg_) (wf_defer)(WF_ACTS_(wf_), action_, arg_)
#define wf_start_activity_raw(wf_, type_, in_, opts_) \
	wf_start_activity_raw_(WF_ACTS_(wf_), type_, in_, WF_OPTS_(opts_, activity))
#define wf_await_raw(wf_, future_) (wf_await_raw)(WF_ACTS_(wf_), future_)
#define wf_start_local_raw(wf_, type_, in_, opts_) \
	wf_start_local_raw_(WF_ACTS_(wf_), type_, in_, WF_OPTS_(opts_, local))
#define wf_patched(wf_, id_) (wf_patched)(WF_ACTS_(wf_), id_)
#define wf_deprecate_patch(wf_, id_) (wf_deprecate_patch)(WF_ACTS_(wf_), id_)
#define wf_upsert_search_attributes(wf_, ...) \
	(wf_upsert_search_attributes)(WF_ACTS_(wf_), __VA_ARGS__)
#define wf_upsert_memo(wf_, ...) (wf_upsert_memo)(WF_ACTS_(wf_), __VA_ARGS__)
#define wf_receive_raw(wf_, name_) (wf_receive_raw)(WF_ACTS_(wf_), name_)
#define wf_until_signal_raw(wf_, name_) (wf_until_signal_raw)(WF_ACTS_(wf_), name_)
#define wf_wait_handlers(wf_) (wf_wait_handlers)(WF_ACTS_(wf_))
#define wf_fail(wf_, ...) (wf_fail)(WF_ACTS_(wf_), __VA_ARGS__)
#define wf_raise(wf_, failure_) (wf_raise)(WF_ACTS_(wf_), failure_)
#define wf_continue_as_new_raw(wf_, type_, in_, opts_) \
	wf_continue_as_new_raw_(WF_ACTS_(wf_), type_, in_, WF_OPTS_(opts_, continue_as_new))
#define wf_random(wf_) (wf_random)(WF_ACTS_(wf_))
#define wf_random_below(wf_, bound_) (wf_random_below)(WF_ACTS_(wf_), bound_)
#define wf_uuid4(wf_) (wf_uuid4)(WF_ACTS_(wf_))
#define wf_mark(wf_) (wf_mark)(WF_ACTS_(wf_))
#define wf_release(wf_, mark_) (wf_release)(WF_ACTS_(wf_), mark_)
#define wf_set_current_details(wf_, text_) (wf_set_current_details)(WF_ACTS_(wf_), text_)
/* clang-format on */

#endif /* not C++ */

#ifdef __cplusplus
}
#endif
#endif
