/*
 * command.h: what a workflow answers to an activation. Kinds and fields are those of the official
 * core SDK's workflow_commands messages, as plain structs.
 *
 * Commands and what they point to are borrowed by the engine until engine_run_complete returns:
 * what it needs longer it copies. `seq` counts from 1 for each kind of thing that can be awaited
 * (timers, activities, children, ...) on its own. NULL strings count as ""; durations are ms, 0
 * means absent unless said otherwise.
 */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include "engine/activation.h"

#include <temporal/api/sdk/v1/event_group_marker.pb-c.h>
#include <temporal/api/sdk/v1/user_metadata.pb-c.h>
#include <temporal/api/workflow/v1/message.pb-c.h>

enum activity_cancellation_type {
	ACTIVITY_TRY_CANCEL,                  /* resolve at once, and ask the activity to stop */
	ACTIVITY_WAIT_CANCELLATION_COMPLETED, /* ask, and resolve when the activity has ended */
	ACTIVITY_ABANDON,                     /* resolve at once, and ask nobody */
};

enum child_cancellation_type {
	CHILD_ABANDON,
	CHILD_TRY_CANCEL,
	CHILD_WAIT_CANCELLATION_COMPLETED,
	CHILD_WAIT_CANCELLATION_REQUESTED,
};

enum nexus_cancellation_type {
	NEXUS_WAIT_CANCELLATION_COMPLETED,
	NEXUS_ABANDON,
	NEXUS_TRY_CANCEL,
	NEXUS_WAIT_CANCELLATION_REQUESTED,
};

enum versioning_intent {
	VERSIONING_UNSPECIFIED,
	VERSIONING_COMPATIBLE,
	VERSIONING_DEFAULT
};

struct command_memo {
	Common__Memo__FieldsEntry *const *items;
	size_t count;
};

struct command_schedule_activity {
	uint32_t seq;
	const char *activity_id; /* "": the decimal `seq` */
	const char *activity_type, *task_queue;
	struct activation_headers headers;
	struct activation_payloads arguments;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms, heartbeat_ms;
	const Common__RetryPolicy *retry_policy;
	enum activity_cancellation_type cancellation_type;
	bool do_not_eagerly_execute;
	enum versioning_intent versioning_intent;
	const Common__Priority *priority;
};

struct command_schedule_local_activity {
	uint32_t seq;
	const char *activity_id, *activity_type;
	uint32_t attempt;
	int64_t original_schedule_ns;
	struct activation_headers headers;
	struct activation_payloads arguments;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms;
	const Common__RetryPolicy *retry_policy;
	int64_t local_retry_threshold_ms;
	enum activity_cancellation_type cancellation_type;
	bool include_arguments_in_marker;
};

struct command_query_result {
	const char *query_id;
	const Common__Payload *response; /* when failure is NULL; may itself be NULL: no result */
	const Failure__Failure *failure;
};

struct command_continue_as_new {
	const char *workflow_type, *task_queue; /* "": as this run's */
	struct activation_payloads arguments;
	int64_t run_timeout_ms, task_timeout_ms;
	struct command_memo memo;
	struct activation_headers headers;
	const Common__SearchAttributes *search_attributes;
	const Common__RetryPolicy *retry_policy;
	enum versioning_intent versioning_intent;
	Enums__ContinueAsNewVersioningBehavior initial_versioning_behavior;
	int64_t backoff_start_ms;
};

struct command_start_child {
	uint32_t seq;
	const char *namespace_, *workflow_id, *workflow_type, *task_queue;
	struct activation_payloads input;
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms;
	Enums__ParentClosePolicy parent_close_policy;
	Enums__WorkflowIdReusePolicy workflow_id_reuse_policy;
	const Common__RetryPolicy *retry_policy;
	const char *cron_schedule;
	struct activation_headers headers;
	struct command_memo memo;
	const Common__SearchAttributes *search_attributes;
	enum child_cancellation_type cancellation_type;
	enum versioning_intent versioning_intent;
	const Common__Priority *priority;
	const Workflow__VersioningOverride *versioning_override;
};

struct command_signal_external {
	uint32_t seq;
	const char *child_workflow_id; /* set: a child of this run; else `execution` */
	struct activation_execution execution;
	const char *signal_name;
	struct activation_payloads arguments;
	struct activation_headers headers;
};

enum update_response {
	UPDATE_ACCEPTED,
	UPDATE_REJECTED,
	UPDATE_COMPLETED
};

struct command_nexus_header {
	const char *key, *value;
};

struct command_schedule_nexus {
	uint32_t seq;
	const char *endpoint, *service, *operation;
	const Common__Payload *input;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms;
	const struct command_nexus_header *headers;
	size_t n_headers;
	enum nexus_cancellation_type cancellation_type;
};

enum command_kind {
	COMMAND_START_TIMER,
	COMMAND_CANCEL_TIMER,
	COMMAND_SCHEDULE_ACTIVITY,
	COMMAND_REQUEST_CANCEL_ACTIVITY,
	COMMAND_SCHEDULE_LOCAL_ACTIVITY,
	COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY,
	COMMAND_QUERY_RESULT,
	COMMAND_COMPLETE_WORKFLOW,
	COMMAND_FAIL_WORKFLOW,
	COMMAND_CANCEL_WORKFLOW,
	COMMAND_CONTINUE_AS_NEW,
	COMMAND_SET_PATCH_MARKER,
	COMMAND_START_CHILD,
	COMMAND_CANCEL_CHILD,
	COMMAND_REQUEST_CANCEL_EXTERNAL,
	COMMAND_SIGNAL_EXTERNAL,
	COMMAND_CANCEL_SIGNAL,
	COMMAND_UPSERT_SEARCH_ATTRIBUTES,
	COMMAND_MODIFY_PROPERTIES,
	COMMAND_UPDATE_RESPONSE,
	COMMAND_SCHEDULE_NEXUS,
	COMMAND_REQUEST_CANCEL_NEXUS,
};

struct command {
	enum command_kind kind;
	const Sdk__UserMetadata *user_metadata;
	Sdk__EventGroupMarker *const *event_group_markers;
	size_t n_event_group_markers;
	union {
		struct {
			uint32_t seq;
			int64_t start_to_fire_ns;
		} start_timer; /* ns: the API's Duration is that fine */
		struct {
			uint32_t seq;
		} cancel_timer;
		struct command_schedule_activity schedule_activity;
		struct {
			uint32_t seq;
		} request_cancel_activity;
		struct command_schedule_local_activity schedule_local_activity;
		struct {
			uint32_t seq;
		} request_cancel_local_activity;
		struct command_query_result query_result;
		struct {
			const Common__Payload *result;
		} complete; /* NULL: no result */
		struct {
			const Failure__Failure *failure;
		} fail;
		struct {
			const Common__Payloads *details;
		} cancel;
		struct command_continue_as_new continue_as_new;
		struct {
			const char *patch_id;
			bool deprecated;
		} set_patch_marker;
		struct command_start_child start_child;
		struct {
			uint32_t seq;
			const char *reason;
		} cancel_child;
		struct {
			uint32_t seq;
			struct activation_execution execution;
			const char *reason;
		} cancel_external;
		struct command_signal_external signal_external;
		struct {
			uint32_t seq;
		} cancel_signal;
		struct {
			const Common__SearchAttributes *search_attributes;
		} upsert_search_attributes;
		struct {
			const Common__Memo *upserted_memo;
		} modify_properties;
		struct {
			const char *protocol_instance_id;
			enum update_response response;
			const Failure__Failure *rejected;
			const Common__Payload *completed;
		} update_response;
		struct command_schedule_nexus schedule_nexus;
		struct {
			uint32_t seq;
		} request_cancel_nexus;
	};
};

/* A workflow's answer to one activation: its commands in order, or why the workflow *task* (not the
 * run) failed. */
struct completion {
	bool failed;
	const struct command *commands;
	size_t n_commands;
	const uint32_t *used_flags; /* flags of the language that this activation came to need */
	size_t n_used_flags;
	Enums__VersioningBehavior versioning_behavior;
	const Failure__Failure *failure; /* when failed */
	/* When failed; 0: WORKFLOW_WORKER_UNHANDLED_FAILURE. */
	Enums__WorkflowTaskFailedCause cause;
};

#endif
