/*
 * activation.h: what the engine tells a workflow. The jobs have the order, kinds and fields of the
 * official core SDK's workflow_activation messages, as plain structs: another language can sit on
 * this boundary.
 *
 * An activation and all that it points to is borrowed until the completion for it was given to the
 * engine. Strings are never NULL ("" when absent), messages may be. Times are ns since the epoch,
 * durations ms; 0 means absent.
 */
#ifndef ENGINE_ACTIVATION_H
#define ENGINE_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/enums/v1/failed_cause.pb-c.h>
#include <temporal/api/enums/v1/workflow.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/api/update/v1/message.pb-c.h>

struct activation_payloads {
	Common__Payload *const *items;
	size_t count;
};

struct activation_headers {
	Common__Header__FieldsEntry *const *items;
	size_t count;
};

struct activation_execution {
	const char *namespace_, *workflow_id, *run_id;
};

struct activation_initialize {
	const char *workflow_type, *workflow_id;
	struct activation_payloads arguments;
	uint64_t randomness_seed;
	struct activation_headers headers;
	const char *identity;
	bool has_parent;
	struct activation_execution parent;
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms;
	const char *continued_from_run_id;
	Enums__ContinueAsNewInitiator continued_initiator;
	const Failure__Failure *continued_failure;
	const Common__Payloads *last_completion_result;
	const char *first_execution_run_id, *original_execution_run_id;
	const Common__RetryPolicy *retry_policy;
	int32_t attempt;
	const char *cron_schedule;
	int64_t execution_expiration_ns;
	int64_t cron_schedule_to_schedule_ms;
	const Common__Memo *memo;
	const Common__SearchAttributes *search_attributes;
	int64_t start_time_ns;
	bool has_root;
	struct activation_execution root; /* namespace_ is "" */
	const Common__Priority *priority;
};

enum resolution_status {
	RESOLUTION_COMPLETED,
	RESOLUTION_FAILED,
	RESOLUTION_CANCELLED,
	RESOLUTION_BACKOFF,   /* local activity: start a timer, then schedule again */
	RESOLUTION_TIMED_OUT, /* Nexus operation */
};

struct resolution {
	enum resolution_status status;
	const Common__Payload *result;   /* COMPLETED; NULL: no result */
	const Failure__Failure *failure; /* FAILED, CANCELLED, TIMED_OUT */
	uint32_t backoff_attempt;        /* BACKOFF */
	int64_t backoff_ms;
	int64_t backoff_original_schedule_ns;
};

enum child_start_status {
	CHILD_START_SUCCEEDED,
	CHILD_START_FAILED,
	CHILD_START_CANCELLED
};

struct activation_resolve_child_start {
	uint32_t seq;
	enum child_start_status status;
	const char *run_id;                      /* SUCCEEDED */
	const char *workflow_id, *workflow_type; /* FAILED */
	Enums__StartChildWorkflowExecutionFailedCause cause;
	const Failure__Failure *failure; /* CANCELLED */
};

struct activation_query {
	/* "legacy_query" for one that is answered by RespondQueryTaskCompleted. */
	const char *query_id;
	const char *query_type;
	struct activation_payloads arguments;
	struct activation_headers headers;
};

struct activation_signal {
	const char *signal_name;
	struct activation_payloads input;
	const char *identity;
	struct activation_headers headers;
	int64_t originating_event_id;
};

struct activation_update {
	const char *id, *protocol_instance_id, *name;
	struct activation_payloads input;
	struct activation_headers headers;
	const Update__Meta *meta;
	bool run_validator;
};

enum nexus_start_status {
	NEXUS_STARTED_ASYNC,
	NEXUS_STARTED_SYNC,
	NEXUS_START_FAILED
};

enum eviction_reason {
	EVICTION_UNSPECIFIED,
	EVICTION_CACHE_FULL,
	EVICTION_CACHE_MISS,
	EVICTION_NONDETERMINISM,
	EVICTION_LANG_FAIL,
	EVICTION_LANG_REQUESTED,
	EVICTION_TASK_NOT_FOUND,
	EVICTION_UNHANDLED_COMMAND,
	EVICTION_FATAL,
	EVICTION_PAGINATION_OR_HISTORY_FETCH,
	EVICTION_WORKFLOW_EXECUTION_ENDING,
};

enum activation_job_kind {
	JOB_INITIALIZE_WORKFLOW,
	JOB_FIRE_TIMER,
	JOB_UPDATE_RANDOM_SEED,
	JOB_QUERY_WORKFLOW,
	JOB_CANCEL_WORKFLOW,
	JOB_SIGNAL_WORKFLOW,
	JOB_RESOLVE_ACTIVITY,
	JOB_NOTIFY_HAS_PATCH,
	JOB_RESOLVE_CHILD_START,
	JOB_RESOLVE_CHILD,
	JOB_RESOLVE_SIGNAL_EXTERNAL,
	JOB_RESOLVE_CANCEL_EXTERNAL,
	JOB_DO_UPDATE,
	JOB_RESOLVE_NEXUS_START,
	JOB_RESOLVE_NEXUS,
	JOB_REMOVE_FROM_CACHE,
};

struct activation_job {
	enum activation_job_kind kind;
	union {
		const struct activation_initialize *initialize;
		struct {
			uint32_t seq;
		} fire_timer;
		struct {
			uint64_t seed;
		} update_random_seed;
		struct activation_query query;
		struct {
			const char *reason;
		} cancel;
		struct activation_signal signal;
		struct {
			uint32_t seq;
			struct resolution result;
			bool is_local;
		} resolve_activity;
		struct {
			const char *patch_id;
		} has_patch;
		struct activation_resolve_child_start resolve_child_start;
		struct {
			uint32_t seq;
			struct resolution result;
		} resolve_child;
		struct {
			uint32_t seq;
			const Failure__Failure *failure; /* NULL: it succeeded */
			Enums__SignalExternalWorkflowExecutionFailedCause cause;
		} resolve_signal_external;
		struct {
			uint32_t seq;
			const Failure__Failure *failure;
			Enums__CancelExternalWorkflowExecutionFailedCause cause;
		} resolve_cancel_external;
		struct activation_update update;
		struct {
			uint32_t seq;
			enum nexus_start_status status;
			const char *operation_token;     /* STARTED_ASYNC */
			const Failure__Failure *failure; /* START_FAILED */
		} resolve_nexus_start;
		struct {
			uint32_t seq;
			struct resolution result;
		} resolve_nexus;
		struct {
			const char *message;
			enum eviction_reason reason;
		} remove_from_cache;
	};
};

struct activation {
	const char *run_id;
	int64_t time_ns; /* the workflow's clock from here on */
	bool is_replaying;
	uint32_t history_length;
	uint64_t history_size_bytes;
	bool continue_as_new_suggested;
	const Enums__SuggestContinueAsNewReason *continue_as_new_reasons;
	size_t n_continue_as_new_reasons;
	const uint32_t *internal_flags; /* flags of the language that are in force */
	size_t n_internal_flags;
	const char *deployment_name, *build_id; /* of the worker that made (or makes) this task */
	const char *last_sdk_version;
	bool target_deployment_version_changed;
	const struct activation_job *jobs; /* in the order in which they are applied */
	size_t n_jobs;
};

#endif
