/*
 * act.c: the functions that activity code calls.
 *
 * act_alloc and its like work on the attempt's arena, which is the activity's thread's alone until
 * the function returns. What other threads of the activity may call too takes the attempt's lock,
 * which is never held across a call.
 */
#include "worker/act.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "worker/event.h"
#include "worker/intercept.h"
#include "worker/isolate_child.h"
#include "worker/thread.h"
#include "worker/worker.h"

const struct act_info *act_info(const struct act *act)
{
	if (act->worker->interceptors)
		return worker_intercept_info(act);
	return &act->info;
}

/* ---- the log ---- */

/* The lock is no part of what const protects. */
static pthread_mutex_t *lock_of(const struct act *act)
{
	union {
		const pthread_mutex_t *given;
		pthread_mutex_t *taken;
	} lock = { &act->lock };

	return lock.taken;
}

void worker_act_log(const struct act *act, enum temporal_log_level level, const char *message)
{
	worker_log_line(act->worker, (struct temporal_worker_log){ .level = level,
					     .message = message,
					     .workflow_type = act->info.workflow_type,
					     .workflow_id = act->info.workflow_id,
					     .run_id = act->info.run_id,
					     .activity_type = act->info.activity_type,
					     .activity_id = act->info.activity_id,
					     .attempt = act->info.attempt });
}

void act_log(const struct act *act, enum temporal_log_level level, const char *format, ...)
{
	char message[ISOLATE_LOG_MAX];
	va_list args;

	if (act->inside ? !isolate_link_logs(act->inside, level) : !worker_logs(act->worker, level))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (!act->inside) {
		worker_act_log(act, level, message);
		return;
	}
	pthread_mutex_lock(lock_of(act));
	isolate_link_log(act->inside, level, message);
	pthread_mutex_unlock(lock_of(act));
}

/* ---- memory ---- */

void *act_alloc(struct act *act, size_t size)
{
	return arena_zalloc(&act->arena, size);
}

char *act_printf(struct act *act, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = arena_vprintf(&act->arena, format, args);

	va_end(args);
	return text;
}

/* ---- cancellation ---- */

enum act_cancel_reason act_cancel_reason(const struct act *act)
{
	if (act->inside)
		return isolate_link_reason(act->inside);
	pthread_mutex_lock(lock_of(act));
	enum act_cancel_reason reason = act->reason;

	pthread_mutex_unlock(lock_of(act));
	return reason;
}

bool act_cancelled(const struct act *act)
{
	return act_cancel_reason(act) != ACT_NOT_CANCELLED;
}

bool act_wait(struct act *act, int64_t timeout_ms)
{
	const struct timespec until = worker_time_in(timeout_ms);
	int over = 0;

	if (act->inside)
		return isolate_link_wait(act->inside, timeout_ms);
	pthread_mutex_lock(&act->lock);
	while (act->reason == ACT_NOT_CANCELLED && over != ETIMEDOUT) {
		if (timeout_ms < 0)
			pthread_cond_wait(&act->cancelled, &act->lock);
		else
			over = pthread_cond_timedwait(&act->cancelled, &act->lock, &until);
	}
	bool cancelled = act->reason != ACT_NOT_CANCELLED;

	pthread_mutex_unlock(&act->lock);
	return cancelled;
}

/* ---- heartbeats ---- */

/* The details as messages in beat_arena; with the lock held. NULL: none, or no memory for them. */
static Common__Payloads *details_message(struct act *act, const struct temporal_payloads *details)
{
	arena_finish(&act->beat_arena);
	return details->count ? convert_payloads_to_api(&act->beat_arena, details) : NULL;
}

void worker_act_heartbeat_wakes(struct act *act)
{
	if (act->beat_state != WORKER_BEAT_IDLE || act->beat_posted)
		return;
	act->beat_posted = true;
	rpc_loop_post(act->worker->loop, &act->beat_task);
}

/* There is a new heartbeat; with the lock held. */
static void beat(struct act *act, Common__Payloads *details)
{
	if (act->inside) {
		isolate_link_beat(act->inside, &act->beat_arena, details);
		return;
	}
	act->beat_details = details;
	act->beat_new = true;
	act->beat_made_ns = rpc_now_ns();
	worker_act_heartbeat_wakes(act);
}

void worker_act_heartbeat(struct act *act, const struct temporal_payloads *details)
{
	pthread_mutex_lock(&act->lock);
	beat(act, details_message(act, details));
	pthread_mutex_unlock(&act->lock);
}

void worker_act_heartbeat_encoded(
	struct act *act, const void *details, size_t size, int64_t made_ns)
{
	arena_finish(&act->beat_arena);
	act->beat_details = size ? proto_decode(&act->beat_arena, &common__payloads__descriptor,
					   details, size, NULL, NULL)
				 : NULL;
	act->beat_new = true;
	act->beat_made_ns = made_ns;
}

void act_heartbeat_payloads(struct act *act, const struct temporal_payloads *details)
{
	if (act->worker->interceptors)
		worker_intercept_heartbeat(act, details);
	else
		worker_act_heartbeat(act, details);
}

void act_heartbeat_0(struct act *act)
{
	act_heartbeat_payloads(act, &(const struct temporal_payloads){ 0 });
}

union value {
	bool boolean;
	int64_t integer;
	uint64_t natural;
	double real;
	const char *string;
};

/* A contract of one result, to use the converter for a single value. */
static struct temporal_contract contract_of(enum temporal_kind kind, size_t size)
{
	return (struct temporal_contract){ .name = "heartbeat",
		.out = { .name = "heartbeat", .kind = kind, .size = size },
		.out_size = size };
}

static size_t value_read(union value *value, enum temporal_kind kind, size_t size, va_list args)
{
	switch (kind) {
	case TEMPORAL_KIND_BOOL:
		value->boolean = va_arg(args, int) != 0;
		return sizeof(value->boolean);
	case TEMPORAL_KIND_INT:
		value->integer = size > sizeof(int) ? va_arg(args, int64_t) : va_arg(args, int);
		return sizeof(value->integer);
	case TEMPORAL_KIND_UINT:
		value->natural =
			size > sizeof(int) ? va_arg(args, uint64_t) : va_arg(args, unsigned);
		return sizeof(value->natural);
	case TEMPORAL_KIND_FLOAT:
		value->real = va_arg(args, double);
		return sizeof(value->real);
	default:
		value->string = va_arg(args, const char *);
		return sizeof(value->string);
	}
}

/* For interceptors, as details that they can read. */
static void heartbeat_intercepted(
	struct act *act, const struct temporal_contract *contract, const union value *value)
{
	struct temporal_payload detail = { 0 };
	Common__Payload *encoded = NULL;
	struct arena scratch;

	arena_init(&scratch, 256, ARENA_NO_BUDGET);
	bool fine =
		convert_encode_result(&scratch, contract, value, &encoded, NULL) == TEMPORAL_OK &&
		convert_payload_from_api(&scratch, encoded, &detail) == TEMPORAL_OK;

	worker_intercept_heartbeat(act, &(const struct temporal_payloads){ &detail, fine });
	arena_finish(&scratch);
}

void act_heartbeat_value(struct act *act, enum temporal_kind kind, size_t size, ...)
{
	union value value;
	va_list args;

	va_start(args, size);
	const struct temporal_contract contract =
		contract_of(kind, value_read(&value, kind, size, args));

	va_end(args);
	if (act->worker->interceptors) {
		heartbeat_intercepted(act, &contract, &value);
		return;
	}
	pthread_mutex_lock(&act->lock);
	arena_finish(&act->beat_arena);
	Common__Payloads *details = PROTO_NEW(&act->beat_arena, Common__Payloads, common__payloads);

	if (details) {
		details->payloads = arena_array(&act->beat_arena, 1, sizeof(details->payloads[0]));
		/* What cannot be encoded (a NaN, a broken string) is a heartbeat without details.
		 */
		if (details->payloads && convert_encode_result(&act->beat_arena, &contract, &value,
						 details->payloads, NULL) == TEMPORAL_OK)
			details->n_payloads = 1;
	}
	beat(act, details);
	pthread_mutex_unlock(&act->lock);
}

struct temporal_payloads act_last_heartbeat_payloads(const struct act *act)
{
	return act->last_details;
}

bool act_last_heartbeat_value(
	struct act *act, size_t index, enum temporal_kind kind, size_t size, void *variable)
{
	const struct temporal_contract contract = contract_of(kind, size);
	const Common__Payloads *details = act->task->heartbeat_details;

	return details && index < details->n_payloads &&
	       convert_decode_result(&act->arena, &contract, details->payloads[index], variable,
		       NULL) == TEMPORAL_OK;
}

/* ---- failures ---- */

/* What is returned when there is no memory for a failure. */
static const struct temporal_failure *no_memory(void)
{
	static const struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_APPLICATION,
		.message = "no memory for the failure's text",
		.type = "NO_MEMORY",
	};

	return &failure;
}

static const struct temporal_failure *failure_new(
	struct act *act, const struct act_failure_opts *opts, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static const struct temporal_failure *failure_new(
	struct act *act, const struct act_failure_opts *opts, const char *format, va_list args)
{
	struct temporal_failure *failure = ARENA_NEW(&act->arena, struct temporal_failure);
	char *message = arena_vprintf(&act->arena, format, args);

	if (!failure || !message)
		return no_memory();
	failure->kind = TEMPORAL_FAILURE_APPLICATION;
	failure->message = message;
	failure->type = opts->type ? arena_strdup(&act->arena, opts->type) : "";
	failure->non_retryable = opts->non_retryable;
	failure->next_retry_delay_ms = opts->next_retry_delay_ms;
	failure->category = opts->category;
	failure->details = opts->details;
	failure->cause = opts->cause;
	return failure->type ? failure : no_memory();
}

const struct temporal_failure *act_failure(
	struct act *act, const char *type, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const struct temporal_failure *failure =
		failure_new(act, &(const struct act_failure_opts){ .type = type }, format, args);

	va_end(args);
	return failure;
}

const struct temporal_failure *act_failure_with(
	struct act *act, const struct act_failure_opts *opts, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const struct temporal_failure *failure = failure_new(act, opts, format, args);

	va_end(args);
	/* Details and cause may lie on the caller's stack. */
	const struct temporal_failure *copy = convert_failure_copy(&act->arena, failure);

	return copy ? copy : no_memory();
}

const struct temporal_failure *act_cancelled_failure(struct act *act)
{
	static const struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_CANCELLED,
		.message = "the activity was cancelled",
	};

	return &failure;
}

struct temporal_bytes act_complete_later(struct act *act)
{
	act->later = true;
	return act->info.task_token;
}
