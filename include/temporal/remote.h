/*
 * remote.h: what a workflow does with others: child workflows, signals and cancellations to other
 * workflows, Nexus operations. A part of workflow.h, which includes it and says what holds for all;
 * include that.
 */
#ifndef TEMPORAL_REMOTE_H
#define TEMPORAL_REMOTE_H

#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wf;
struct wf_future;

/* ---- child workflows ---- */

struct wf_child_opts {
	const char *id;         /* the workflow's; NULL: a random UUID */
	const char *task_queue; /* NULL: this workflow's */
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms;
	enum temporal_parent_close_policy parent_close; /* when this run has ended */
	enum temporal_id_reuse_policy id_reuse_policy;
	enum temporal_remote_cancellation cancellation;
	const struct temporal_retry_policy *retry; /* NULL: a failed child is not tried again */
	const char *cron_schedule;
	struct temporal_entries memo, search_attributes, headers;
	const struct temporal_priority *priority; /* NULL: as this workflow's */
	const char *summary;                      /* shown by user interfaces */
	const struct temporal_versioning_override *versioning_override; /* NULL: none */
};

/*
 * A child workflow of that type with these arguments (`in` may be NULL): the future of its result.
 * If it cannot be started, that fails with a failure of kind CHILD_WORKFLOW.
 */
TEMPORAL_API struct wf_future *wf_start_child_raw_(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_child_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;

/*
 * Of a child: a future that succeeds when it runs, or fails when it cannot be started (then the
 * child's own future is excused). A child that its parent's end is to leave alone must have started
 * before.
 */
TEMPORAL_API struct wf_future *wf_child_started(
	struct wf *wf, struct wf_future *child) TEMPORAL_MUST_USE;

/* The child's workflow id, and its run id ("" before it has started). */
TEMPORAL_API const char *wf_child_id(const struct wf *wf, const struct wf_future *child);
TEMPORAL_API const char *wf_child_run_id(const struct wf *wf, const struct wf_future *child);

/* ---- other workflows ---- */

/*
 * Sends a signal to another workflow (`run_id` NULL: its newest run), or to a child. The future
 * succeeds when it was delivered; an application failure says why it was not.
 */
TEMPORAL_API struct wf_future *wf_external_signal_raw(struct wf *wf, const char *workflow_id,
	const char *run_id, const char *name, const struct temporal_payloads *in) TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_child_signal_raw(struct wf *wf, const struct wf_future *child,
	const char *name, const struct temporal_payloads *in) TEMPORAL_MUST_USE;

/* Asks another workflow to cancel itself; the future succeeds when it was asked. */
TEMPORAL_API struct wf_future *wf_external_cancel(struct wf *wf, const char *workflow_id,
	const char *run_id, const char *reason) TEMPORAL_MUST_USE;

/* ---- Nexus operations ---- */

struct wf_nexus_opts {
	const char *endpoint, *service; /* required */
	int64_t schedule_to_close_ms;   /* 0: as long as the run */
	int64_t schedule_to_start_ms, start_to_close_ms;
	enum temporal_remote_cancellation cancellation;
	struct temporal_entries headers; /* texts: the payloads' data as they are; names in lower
					    case */
	const char *summary;             /* shown by user interfaces */
};

/* An operation with that input (NULL: none): the future of its result. */
TEMPORAL_API struct wf_future *wf_start_nexus_raw_(struct wf *wf, const char *operation,
	const struct temporal_payload *in, const struct wf_nexus_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;

/* Of an operation: a future that succeeds when it has started (or is done at once). */
TEMPORAL_API struct wf_future *wf_nexus_started(
	struct wf *wf, struct wf_future *operation) TEMPORAL_MUST_USE;

/* The handler's name for an operation that has started, "" for others. */
TEMPORAL_API const char *wf_nexus_token(const struct wf *wf, const struct wf_future *operation);

/* ---- what the macros below call ---- */

TEMPORAL_API struct wf_future *wf_start_child_(struct wf *wf,
	const struct temporal_contract *contract, const void *in, const struct wf_child_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;
TEMPORAL_API const void *wf_child_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_child_opts *opts, size_t opts_size);
TEMPORAL_API struct wf_future *wf_external_signal_(struct wf *wf, const char *workflow_id,
	const char *run_id, const struct temporal_contract *contract,
	const void *in) TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_child_signal_(struct wf *wf, const struct wf_future *child,
	const struct temporal_contract *contract, const void *in) TEMPORAL_MUST_USE;
TEMPORAL_API struct wf_future *wf_start_nexus_(struct wf *wf,
	const struct temporal_contract *contract, const void *in, const struct wf_nexus_opts *opts,
	size_t opts_size) TEMPORAL_MUST_USE;
TEMPORAL_API const void *wf_nexus_(struct wf *wf, const struct temporal_contract *contract,
	const void *in, const struct wf_nexus_opts *opts, size_t opts_size);
#ifdef __cplusplus

static inline struct wf_future *wf_start_child_raw(struct wf *wf, const char *type,
	const struct temporal_payloads *in, const struct wf_child_opts *opts)
{
	return wf_start_child_raw_(wf, type, in, opts, sizeof(*opts));
}

static inline struct wf_future *wf_start_nexus_raw(struct wf *wf, const char *operation,
	const struct temporal_payload *in, const struct wf_nexus_opts *opts)
{
	return wf_start_nexus_raw_(wf, operation, in, opts, sizeof(*opts));
}

#else

/* It knows neither _Generic nor tables of macros: */
/* clang-format off */

/* ---- calls that know contracts ---- */

/*
 * A child workflow of the contract X, as activities are: wf_start_child and wf_await, or wf_child
 * for both. `opts` may be NULL.
 */
#define wf_start_child(wf_, X_, opts_, ...) \
	wf_start_child_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, child))
#define wf_start_child_0(wf_, X_, opts_) \
	wf_start_child_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, WORKFLOW), NULL, \
		WF_OPTS_(opts_, child))
#define wf_child(wf_, X_, opts_, ...) \
	TEMPORAL_RESULT_(X_, wf_child_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, child)))
#define wf_child_0(wf_, X_, opts_) \
	TEMPORAL_RESULT_(X_, wf_child_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, WORKFLOW), NULL, \
		WF_OPTS_(opts_, child)))
#define WF_CHILD_OPTS(...) (&(const struct wf_child_opts){ __VA_ARGS__ })

/* The signal of the contract S to another workflow or a child: a future, as of the raw forms. */
#define wf_external_signal(wf_, workflow_id_, run_id_, S_, ...) \
	wf_external_signal_(WF_ACTS_(wf_), workflow_id_, run_id_, \
		TEMPORAL_CONTRACT_OF_(S_, SIGNAL), TEMPORAL_ARGUMENTS_(S_, __VA_ARGS__))
#define wf_external_signal_0(wf_, workflow_id_, run_id_, S_) \
	wf_external_signal_(WF_ACTS_(wf_), workflow_id_, run_id_, \
		WF_WITHOUT_ARGUMENTS_(S_, SIGNAL), NULL)
#define wf_child_signal(wf_, child_, S_, ...) \
	wf_child_signal_(WF_ACTS_(wf_), child_, TEMPORAL_CONTRACT_OF_(S_, SIGNAL), \
		TEMPORAL_ARGUMENTS_(S_, __VA_ARGS__))
#define wf_child_signal_0(wf_, child_, S_) \
	wf_child_signal_(WF_ACTS_(wf_), child_, WF_WITHOUT_ARGUMENTS_(S_, SIGNAL), NULL)

/* A Nexus operation of the contract X, which has one argument or none. */
#define wf_start_nexus(wf_, X_, opts_, ...) \
	wf_start_nexus_(WF_ACTS_(wf_), TEMPORAL_CONTRACT_OF_(X_, NEXUS_OPERATION), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, nexus))
#define wf_start_nexus_0(wf_, X_, opts_) \
	wf_start_nexus_(WF_ACTS_(wf_), WF_WITHOUT_ARGUMENTS_(X_, NEXUS_OPERATION), NULL, \
		WF_OPTS_(opts_, nexus))
#define wf_nexus(wf_, X_, opts_, ...) \
	TEMPORAL_RESULT_(X_, wf_nexus_(WF_ACTS_(wf_), \
		TEMPORAL_CONTRACT_OF_(X_, NEXUS_OPERATION), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), WF_OPTS_(opts_, nexus)))
#define wf_nexus_0(wf_, X_, opts_) \
	TEMPORAL_RESULT_(X_, wf_nexus_(WF_ACTS_(wf_), \
		WF_WITHOUT_ARGUMENTS_(X_, NEXUS_OPERATION), NULL, WF_OPTS_(opts_, nexus)))
#define WF_NEXUS_OPTS(...) (&(const struct wf_nexus_opts){ __VA_ARGS__ })

/* The functions that act, each behind a macro that refuses a const struct wf *. */
#define wf_start_child_raw(wf_, type_, in_, opts_) \
	wf_start_child_raw_(WF_ACTS_(wf_), type_, in_, WF_OPTS_(opts_, child))
#define wf_child_started(wf_, child_) (wf_child_started)(WF_ACTS_(wf_), child_)
#define wf_external_signal_raw(wf_, workflow_id_, run_id_, name_, in_) \
	(wf_external_signal_raw)(WF_ACTS_(wf_), workflow_id_, run_id_, name_, in_)
#define wf_child_signal_raw(wf_, child_, name_, in_) \
	(wf_child_signal_raw)(WF_ACTS_(wf_), child_, name_, in_)
#define wf_external_cancel(wf_, workflow_id_, run_id_, reason_) \
	(wf_external_cancel)(WF_ACTS_(wf_), workflow_id_, run_id_, reason_)
#define wf_start_nexus_raw(wf_, operation_, in_, opts_) \
	wf_start_nexus_raw_(WF_ACTS_(wf_), operation_, in_, WF_OPTS_(opts_, nexus))
#define wf_nexus_started(wf_, operation_) (wf_nexus_started)(WF_ACTS_(wf_), operation_)
/* clang-format on */

#endif /* not C++ */

#ifdef __cplusplus
}
#endif
#endif
