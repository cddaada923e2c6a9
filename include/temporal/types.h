/*
 * types.h: what client, worker, workflow and activity code share: contracts, payloads, failures,
 * policies.
 */
#ifndef TEMPORAL_TYPES_H
#define TEMPORAL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any option: "none, off or zero", where 0 stands for the default. */
#define TEMPORAL_OFF (-1)

#define TEMPORAL_SECONDS(n_) ((int64_t)(n_)*1000)
#define TEMPORAL_MINUTES(n_) ((int64_t)(n_)*60000)
#define TEMPORAL_HOURS(n_)   ((int64_t)(n_)*3600000)
#define TEMPORAL_DAYS(n_)    ((int64_t)(n_)*86400000)

/* ---- payloads ---- */

struct temporal_bytes {
	const void *data;
	size_t len;
};

struct temporal_metadata {
	const char *key;
	struct temporal_bytes value;
};

/*
 * One value as it travels: bytes, and metadata that say how to read them ("encoding" is always
 * there).
 */
struct temporal_payload {
	const char *encoding; /* "json/plain" (so is NULL), "binary/plain", "binary/null", ... */
	struct temporal_bytes data;
	const struct temporal_metadata *metadata; /* besides "encoding" */
	size_t n_metadata;
};

struct temporal_payloads {
	const struct temporal_payload *items;
	size_t count;
};

/* A named payload: of headers, memos and search attributes. */
struct temporal_entry {
	const char *key;
	struct temporal_payload value;
};

struct temporal_entries {
	const struct temporal_entry *items;
	size_t count;
};

/* ---- types on the wire ---- */

enum temporal_kind {
	TEMPORAL_KIND_VOID,
	TEMPORAL_KIND_BOOL,
	TEMPORAL_KIND_INT, /* signed, of the field's size */
	TEMPORAL_KIND_UINT,
	TEMPORAL_KIND_FLOAT,   /* float or double, by size */
	TEMPORAL_KIND_STRING,  /* const char * */
	TEMPORAL_KIND_BYTES,   /* struct temporal_bytes: payload binary/plain, base64 in JSON */
	TEMPORAL_KIND_PAYLOAD, /* struct temporal_payload: as it is */
	TEMPORAL_KIND_RECORD,  /* a struct with fields: a JSON object */
	TEMPORAL_KIND_MESSAGE, /* pointer to a protobuf-c message: json/protobuf, binary/protobuf */
};

struct temporal_type;

/* How a field holds its value. What is a pointer already (STRING, MESSAGE) is its own OPTIONAL. */
enum temporal_shape {
	TEMPORAL_SHAPE_PLAIN,    /* the value itself */
	TEMPORAL_SHAPE_OPTIONAL, /* a pointer to the value; NULL: absent */
	TEMPORAL_SHAPE_ARRAY,    /* a pointer to n values; n is the size_t at count_offset */
};

struct temporal_field {
	const char *name; /* on the wire */
	size_t offset;    /* in the struct */
	enum temporal_kind kind;
	enum temporal_shape shape;
	size_t size;                      /* of one value */
	size_t count_offset;              /* of an ARRAY */
	const struct temporal_type *type; /* of a RECORD */
	const void *message;              /* of a MESSAGE: its ProtobufCMessageDescriptor */
};

/* A record: a struct that travels as a JSON object. Made by TEMPORAL_RECORD. */
struct temporal_type {
	size_t size;
	const struct temporal_field *fields;
	size_t n_fields;
};

enum temporal_definition {
	TEMPORAL_DEFINES_ACTIVITY,
	TEMPORAL_DEFINES_WORKFLOW,
	TEMPORAL_DEFINES_SIGNAL,
	TEMPORAL_DEFINES_QUERY,
	TEMPORAL_DEFINES_UPDATE,
	TEMPORAL_DEFINES_NEXUS_OPERATION,
};

/*
 * What a definition takes and gives. Made by the TEMPORAL_..._CONTRACT macros; constant for the
 * program's life.
 */
struct temporal_contract {
	const char *name; /* on the wire */
	enum temporal_definition definition;
	struct temporal_type in;   /* the arguments: one positional payload a field */
	struct temporal_field out; /* the result, at offset 0 of X_out; VOID: none */
	size_t out_size;
};

/*
 * A Nexus service: its name, and the contracts of its operations. Made by
 * TEMPORAL_NEXUS_SERVICE_CONTRACT.
 */
struct temporal_nexus_contract {
	const char *name; /* on the wire; callers give it in their options */
	const struct temporal_contract *const *operations; /* NULL-terminated */
};

#include <temporal/contract.h>

/* ---- failures ---- */

enum temporal_failure_kind {
	TEMPORAL_FAILURE_APPLICATION,
	TEMPORAL_FAILURE_TIMEOUT,
	TEMPORAL_FAILURE_CANCELLED,
	TEMPORAL_FAILURE_TERMINATED,
	TEMPORAL_FAILURE_SERVER,
	TEMPORAL_FAILURE_RESET_WORKFLOW,
	TEMPORAL_FAILURE_ACTIVITY,
	TEMPORAL_FAILURE_CHILD_WORKFLOW,
	TEMPORAL_FAILURE_NEXUS_OPERATION,
	TEMPORAL_FAILURE_NEXUS_HANDLER,
};

enum temporal_timeout_type {
	TEMPORAL_TIMEOUT_UNSPECIFIED,
	TEMPORAL_TIMEOUT_START_TO_CLOSE,
	TEMPORAL_TIMEOUT_SCHEDULE_TO_START,
	TEMPORAL_TIMEOUT_SCHEDULE_TO_CLOSE,
	TEMPORAL_TIMEOUT_HEARTBEAT,
};

/* Why an activity or child was not tried again (numbers of the API). */
enum temporal_retry_state {
	TEMPORAL_RETRY_STATE_UNSPECIFIED,
	TEMPORAL_RETRY_STATE_IN_PROGRESS,
	TEMPORAL_RETRY_STATE_NON_RETRYABLE_FAILURE,
	TEMPORAL_RETRY_STATE_TIMEOUT,
	TEMPORAL_RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED,
	TEMPORAL_RETRY_STATE_RETRY_POLICY_NOT_SET,
	TEMPORAL_RETRY_STATE_INTERNAL_SERVER_ERROR,
	TEMPORAL_RETRY_STATE_CANCEL_REQUESTED,
};

enum temporal_category {
	TEMPORAL_CATEGORY_UNSPECIFIED,
	TEMPORAL_CATEGORY_BENIGN, /* expected: counts in no metric of failures */
};

/* May a request to a Nexus handler that has failed be sent again? */
enum temporal_handler_retry {
	TEMPORAL_HANDLER_RETRY_DEFAULT, /* by the error's type */
	TEMPORAL_HANDLER_RETRYABLE,
	TEMPORAL_HANDLER_NON_RETRYABLE,
};

/*
 * A failure as the API has it; which fields mean something depends on `kind`. Strings are never
 * NULL in a failure that the library gives; in one that it is given, NULL is "".
 */
struct temporal_failure {
	enum temporal_failure_kind kind;
	const char *message, *source, *stack_trace;
	const struct temporal_failure *cause; /* NULL: none */

	const char *type;                /* APPLICATION; NEXUS_HANDLER: the error's type */
	bool non_retryable;              /* APPLICATION, SERVER, NEXUS_HANDLER */
	int64_t next_retry_delay_ms;     /* APPLICATION; 0: by the policy */
	enum temporal_category category; /* APPLICATION */
	/* APPLICATION, CANCELLED; TIMEOUT, RESET_WORKFLOW: the last heartbeat's */
	struct temporal_payloads details;
	enum temporal_timeout_type timeout_type; /* TIMEOUT */

	/* ACTIVITY, CHILD_WORKFLOW, NEXUS_OPERATION */
	const char *activity_id, *activity_type, *identity;
	const char *namespace_, *workflow_id, *run_id, *workflow_type;
	const char *endpoint, *service, *operation, *operation_token;
	int64_t scheduled_event_id; /* a child's: of the event that initiated it */
	int64_t started_event_id;
	enum temporal_retry_state retry_state;

	/* NEXUS_HANDLER; non_retryable is the same as NON_RETRYABLE */
	enum temporal_handler_retry handler_retry;
};

/* ---- policies ---- */

struct temporal_retry_policy {
	int64_t initial_interval_ms;            /* 0: 1 s */
	double backoff_coefficient;             /* 0: 2.0; else at least 1 */
	int64_t maximum_interval_ms;            /* 0: 100 times the initial interval */
	int32_t maximum_attempts;               /* 0: no limit; TEMPORAL_OFF: no retry, as 1 */
	const char *const *non_retryable_types; /* NULL-terminated; types of application failures */
};

struct temporal_priority {
	int32_t key; /* 1 (first) to 5; 0: the default, 3 */
	const char *fairness_key;
	float fairness_weight; /* 0: 1.0 */
};

enum temporal_id_reuse_policy {
	TEMPORAL_ID_REUSE_DEFAULT, /* ALLOW_DUPLICATE */
	TEMPORAL_ID_REUSE_ALLOW_DUPLICATE,
	TEMPORAL_ID_REUSE_ALLOW_DUPLICATE_FAILED_ONLY,
	TEMPORAL_ID_REUSE_REJECT_DUPLICATE,
};

enum temporal_id_conflict_policy {
	TEMPORAL_ID_CONFLICT_DEFAULT, /* FAIL (signal-with-start: USE_EXISTING) */
	TEMPORAL_ID_CONFLICT_FAIL,
	TEMPORAL_ID_CONFLICT_USE_EXISTING,
	TEMPORAL_ID_CONFLICT_TERMINATE_EXISTING,
};

enum temporal_status {
	TEMPORAL_STATUS_UNSPECIFIED,
	TEMPORAL_STATUS_RUNNING,
	TEMPORAL_STATUS_COMPLETED,
	TEMPORAL_STATUS_FAILED,
	TEMPORAL_STATUS_CANCELED,
	TEMPORAL_STATUS_TERMINATED,
	TEMPORAL_STATUS_CONTINUED_AS_NEW,
	TEMPORAL_STATUS_TIMED_OUT,
	TEMPORAL_STATUS_PAUSED,
};

/* How important a line of a log is. */
enum temporal_log_level {
	TEMPORAL_LOG_DEFAULT, /* as an option: WARN */
	TEMPORAL_LOG_TRACE,
	TEMPORAL_LOG_DEBUG,
	TEMPORAL_LOG_INFO,
	TEMPORAL_LOG_WARN,
	TEMPORAL_LOG_ERROR,
};

/* What becomes of a run when another version of its deployment has become the current one. */
enum temporal_versioning_behavior {
	TEMPORAL_VERSIONING_UNSPECIFIED,
	TEMPORAL_VERSIONING_PINNED,       /* it stays with the version that it began with */
	TEMPORAL_VERSIONING_AUTO_UPGRADE, /* it goes on with the new one */
};

/* Which worker deployment version runs a workflow, against the rules of the task queue. */
struct temporal_versioning_override {
	const char *deployment, *build_id; /* pinned to that version; both or neither */
	bool auto_upgrade;                 /* or always the current one */
};

/* With which version a run begins that was continued as new. */
enum temporal_next_versioning {
	TEMPORAL_NEXT_AS_BEFORE,    /* the run's before, if that was pinned */
	TEMPORAL_NEXT_AUTO_UPGRADE, /* the deployment's current one */
	TEMPORAL_NEXT_RAMPING,      /* the one that it ramps up, if it does */
};

/* What becomes of a child workflow when its parent has ended. */
enum temporal_parent_close_policy {
	TEMPORAL_PARENT_CLOSE_DEFAULT, /* TERMINATE */
	TEMPORAL_PARENT_CLOSE_TERMINATE,
	TEMPORAL_PARENT_CLOSE_ABANDON, /* it goes on */
	TEMPORAL_PARENT_CLOSE_REQUEST_CANCEL,
};

/* When a child workflow or a Nexus operation that is cancelled is resolved in its workflow. */
enum temporal_remote_cancellation {
	TEMPORAL_REMOTE_WAIT_COMPLETED, /* when it has ended, in whatever way */
	TEMPORAL_REMOTE_WAIT_REQUESTED, /* when the request to cancel has reached it */
	TEMPORAL_REMOTE_TRY_CANCEL,     /* at once, and it is asked to stop */
	TEMPORAL_REMOTE_ABANDON,        /* at once, and it is left alone */
};

/* When an activity that is cancelled is resolved in its workflow. */
enum temporal_cancellation_type {
	TEMPORAL_TRY_CANCEL,                  /* at once, and the activity is asked to stop */
	TEMPORAL_WAIT_CANCELLATION_COMPLETED, /* when the activity has ended */
	TEMPORAL_ABANDON,                     /* at once, and the activity is left alone */
};

#ifdef __cplusplus
}
#endif
#endif
