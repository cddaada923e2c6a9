/*
 * error.h: the one vocabulary of errors.
 *
 * Every function that can fail returns an enum temporal_code, or NULL where it would return an
 * object, and writes the detail to the caller's struct temporal_error, its last parameter, which
 * may be NULL. Nothing in it is on the heap and nothing has to be freed. It is written only on
 * failure.
 */
#ifndef TEMPORAL_ERROR_H
#define TEMPORAL_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TEMPORAL_API              __attribute__((visibility("default")))
#define TEMPORAL_MUST_USE         __attribute__((warn_unused_result))
#define TEMPORAL_PRINTF(fmt_, n_) __attribute__((format(printf, fmt_, n_)))
#define TEMPORAL_SENTINEL         __attribute__((sentinel))
#define TEMPORAL_NORETURN         __attribute__((noreturn))
#else
#define TEMPORAL_API
#define TEMPORAL_MUST_USE
#define TEMPORAL_PRINTF(fmt_, n_)
#define TEMPORAL_SENTINEL
#define TEMPORAL_NORETURN
#endif

/* What went wrong. 0 to 16 are gRPC's status codes, with gRPC's numbers; our own follow from 100.
 */
enum temporal_code {
	TEMPORAL_OK = 0,
	TEMPORAL_CANCELLED = 1,
	TEMPORAL_UNKNOWN = 2,
	TEMPORAL_INVALID_ARGUMENT = 3,
	TEMPORAL_DEADLINE_EXCEEDED = 4,
	TEMPORAL_NOT_FOUND = 5,
	TEMPORAL_ALREADY_EXISTS = 6,
	TEMPORAL_PERMISSION_DENIED = 7,
	TEMPORAL_RESOURCE_EXHAUSTED = 8,
	TEMPORAL_FAILED_PRECONDITION = 9,
	TEMPORAL_ABORTED = 10,
	TEMPORAL_OUT_OF_RANGE = 11,
	TEMPORAL_UNIMPLEMENTED = 12,
	TEMPORAL_INTERNAL = 13,
	TEMPORAL_UNAVAILABLE = 14,
	TEMPORAL_DATA_LOSS = 15,
	TEMPORAL_UNAUTHENTICATED = 16,

	TEMPORAL_NO_MEMORY = 100, /* an allocation failed here, in this process */
	TEMPORAL_BAD_PAYLOAD =
		101,               /* a payload does not have the form that the contract asks for */
	TEMPORAL_RUN_FAILED = 102, /* the workflow run did not complete: see the result's failure */
	TEMPORAL_NONDETERMINISM = 103, /* a history and the workflow's code do not fit together */
	TEMPORAL_QUERY_REJECTED =
		104, /* the run's status forbids the query by its reject condition */
	TEMPORAL_QUERY_FAILED = 105,  /* the query's handler failed */
	TEMPORAL_UPDATE_FAILED = 106, /* the workflow rejected the update, or its handler failed */
};

/*
 * Which typed detail came with a gRPC status (google.rpc.Status with one of
 * temporal.api.errordetails.v1).
 */
enum temporal_detail {
	TEMPORAL_DETAIL_NONE = 0,
	TEMPORAL_DETAIL_NOT_FOUND,
	TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED,
	TEMPORAL_DETAIL_NAMESPACE_NOT_ACTIVE,
	TEMPORAL_DETAIL_NAMESPACE_UNAVAILABLE,
	TEMPORAL_DETAIL_NAMESPACE_INVALID_STATE,
	TEMPORAL_DETAIL_NAMESPACE_NOT_FOUND,
	TEMPORAL_DETAIL_NAMESPACE_ALREADY_EXISTS,
	TEMPORAL_DETAIL_CLIENT_VERSION_NOT_SUPPORTED,
	TEMPORAL_DETAIL_SERVER_VERSION_NOT_SUPPORTED,
	TEMPORAL_DETAIL_CANCELLATION_ALREADY_REQUESTED,
	TEMPORAL_DETAIL_QUERY_FAILED,
	TEMPORAL_DETAIL_PERMISSION_DENIED,
	TEMPORAL_DETAIL_RESOURCE_EXHAUSTED,
	TEMPORAL_DETAIL_SYSTEM_WORKFLOW,
	TEMPORAL_DETAIL_WORKFLOW_NOT_READY,
	TEMPORAL_DETAIL_NEWER_BUILD_EXISTS,
	TEMPORAL_DETAIL_MULTI_OPERATION,
	TEMPORAL_DETAIL_ACTIVITY_ALREADY_STARTED,
	TEMPORAL_DETAIL_NEXUS_OPERATION_ALREADY_STARTED,
	TEMPORAL_DETAIL_OTHER, /* one that this version does not know */
};

struct temporal_error {
	enum temporal_code code;
	enum temporal_detail detail;
	bool retryable;    /* the same call may succeed later */
	char message[240]; /* what failed, on which input, and what was expected; cut if too long,
			      always terminated */
	char run_id[40];   /* WORKFLOW_ALREADY_STARTED: the run in the way; else empty */
	uint64_t reserved[4];
};

/*
 * The code's name as gRPC spells it ("NOT_FOUND"), or our own in the same form ("BAD_PAYLOAD");
 * "UNKNOWN_CODE" for a number that is none. A static string. Any thread.
 */
TEMPORAL_API const char *temporal_code_name(enum temporal_code code);

#ifdef __cplusplus
}
#endif
#endif
