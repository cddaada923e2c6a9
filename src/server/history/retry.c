/*
 * retry.c: retry policies: their defaults, what is wrong with one, and when the next attempt
 * begins. Pure.
 */
#include "proto/codec.h"
#include "proto/enum_name.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/history/start_check.h"
#include "server/limits.h"

Common__RetryPolicy *retry_defaults(struct arena *arena, const Common__RetryPolicy *policy)
{
	Common__RetryPolicy *full = policy ? proto_copy(arena, policy) : NULL;
	int64_t initial_ms = 0, max_ms = 0;

	if (!full)
		return NULL;
	(void)!proto_duration_ms(full->initial_interval, &initial_ms);
	(void)!proto_duration_ms(full->maximum_interval, &max_ms);
	if (initial_ms == 0) {
		initial_ms = SERVER_RETRY_INTERVAL_MS;
		full->initial_interval = proto_duration_new_ms(arena, initial_ms);
	}
	if (full->backoff_coefficient == 0)
		full->backoff_coefficient = SERVER_RETRY_COEFFICIENT;
	if (max_ms == 0)
		full->maximum_interval =
			proto_duration_new_ms(arena, initial_ms * SERVER_RETRY_MAX_FACTOR);
	return full->initial_interval && full->maximum_interval ? full : NULL;
}

/* A type that begins so means time-outs of the kind that it ends with. */
#define TIMEOUT_PREFIX "TemporalTimeout:"

static bool is_known_timeout(const char *name)
{
	int value;

	return proto_enum_value(&enums__timeout_type__descriptor, str_from(name), &value) &&
	       value != ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_UNSPECIFIED;
}

const char *retry_invalid_types(const Common__RetryPolicy *policy, struct arena *arena)
{
	for (size_t i = 0; policy && i < policy->n_non_retryable_error_types; i++) {
		const char *type = policy->non_retryable_error_types[i];

		if (strncmp(type, TIMEOUT_PREFIX, strlen(TIMEOUT_PREFIX)) == 0 &&
			!is_known_timeout(type + strlen(TIMEOUT_PREFIX)))
			return arena_printf(arena, "Invalid timeout type value: %s.",
				type + strlen(TIMEOUT_PREFIX));
	}
	return NULL;
}

const char *retry_invalid(const Common__RetryPolicy *policy)
{
	int64_t initial_ms = 0, max_ms = 0;

	if (!policy || policy->maximum_attempts == 1)
		return NULL;
	if (start_check_duration(policy->initial_interval))
		return "invalid InitialInterval set on retry policy: negative duration";
	if (policy->backoff_coefficient != 0 && policy->backoff_coefficient < 1)
		return "BackoffCoefficient cannot be less than 1 on retry policy.";
	if (start_check_duration(policy->maximum_interval))
		return "invalid MaximumInterval set on retry policy: negative duration";
	(void)!proto_duration_ms(policy->initial_interval, &initial_ms);
	(void)!proto_duration_ms(policy->maximum_interval, &max_ms);
	if (max_ms != 0 && max_ms < (initial_ms ? initial_ms : SERVER_RETRY_INTERVAL_MS))
		return "MaximumInterval cannot be less than InitialInterval on retry policy.";
	if (policy->maximum_attempts < 0)
		return "MaximumAttempts cannot be negative on retry policy.";
	return NULL;
}

static bool is_listed(const Common__RetryPolicy *policy, const char *type)
{
	for (size_t i = 0; i < policy->n_non_retryable_error_types; i++) {
		if (str_same(policy->non_retryable_error_types[i], type))
			return true;
	}
	return false;
}

static bool is_retryable_timeout(const Common__RetryPolicy *policy, Enums__TimeoutType type)
{
	switch (type) {
	case ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE:
		return !is_listed(policy, TIMEOUT_PREFIX "StartToClose");
	case ENUMS__TIMEOUT_TYPE__TIMEOUT_TYPE_HEARTBEAT:
		return !is_listed(policy, TIMEOUT_PREFIX "Heartbeat");
	default:
		return false;
	}
}

static bool is_retryable(const Common__RetryPolicy *policy, const Failure__Failure *failure)
{
	const Failure__ApplicationFailureInfo *info;

	switch (failure->failure_info_case) {
	case FAILURE__FAILURE__FAILURE_INFO_TERMINATED_FAILURE_INFO:
	case FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO:
		return false;
	case FAILURE__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO:
		return !failure->server_failure_info->non_retryable;
	case FAILURE__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO:
		return is_retryable_timeout(policy, failure->timeout_failure_info->timeout_type);
	case FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO:
		info = failure->application_failure_info;
		return !info->non_retryable && !is_listed(policy, info->type);
	default:
		return true;
	}
}

bool retry_kind(const Common__RetryPolicy *policy, const Failure__Failure *failure)
{
	return is_retryable(policy, failure);
}

/* The delay before the attempt that follows `attempt`. */
static int64_t interval_ms(
	const Common__RetryPolicy *policy, int32_t attempt, const Failure__Failure *failure)
{
	int64_t initial_ms = 0, max_ms = 0, given_ms = 0;
	double interval;

	(void)!proto_duration_ms(policy->initial_interval, &initial_ms);
	(void)!proto_duration_ms(policy->maximum_interval, &max_ms);
	/* What the worker asks for is bounded like any other interval. */
	if (failure->failure_info_case == FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO &&
		failure->application_failure_info->next_retry_delay &&
		proto_duration_ms(failure->application_failure_info->next_retry_delay, &given_ms))
		return given_ms <= 0 || given_ms > max_ms ? max_ms : given_ms;
	interval = (double)initial_ms;
	for (int32_t i = 1; i < attempt && interval < (double)max_ms; i++)
		interval *= policy->backoff_coefficient;
	return interval > (double)max_ms ? max_ms : (int64_t)interval;
}

int64_t retry_backoff_ms(const Common__RetryPolicy *policy, int32_t attempt, int64_t now_ns,
	int64_t expires_ns, const Failure__Failure *failure, Enums__RetryState *state)
{
	int64_t delay_ms;

	if (!policy) {
		*state = ENUMS__RETRY_STATE__RETRY_STATE_RETRY_POLICY_NOT_SET;
		return -1;
	}
	if (!is_retryable(policy, failure)) {
		*state = ENUMS__RETRY_STATE__RETRY_STATE_NON_RETRYABLE_FAILURE;
		return -1;
	}
	if (policy->maximum_attempts > 0 && attempt >= policy->maximum_attempts) {
		*state = ENUMS__RETRY_STATE__RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED;
		return -1;
	}
	delay_ms = interval_ms(policy, attempt, failure);
	if (expires_ns && delay_ms > (expires_ns - now_ns) / NS_PER_MS) {
		*state = ENUMS__RETRY_STATE__RETRY_STATE_TIMEOUT;
		return -1;
	}
	*state = ENUMS__RETRY_STATE__RETRY_STATE_IN_PROGRESS;
	return delay_ms;
}
