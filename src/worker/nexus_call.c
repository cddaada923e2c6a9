/*
 * nexus_call.c: the functions that handlers of Nexus operations call, but those that start or
 * cancel workflows (nexus_start.c).
 *
 * The request's arena is the handler's thread's alone until the function returns. What other
 * threads of the handler may call too takes the request's lock, which is never held across a call.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "worker/nexus.h"
#include "worker/nexus_text.h"
#include "worker/thread.h"
#include "worker/worker.h"

const struct nexus_info *nexus_info(const struct nexus *nexus)
{
	return &nexus->info;
}

const char *nexus_header(const struct nexus *nexus, const char *name)
{
	for (size_t i = 0; i < nexus->info.n_headers; i++) {
		if (strcmp(nexus->info.headers[i].name, name) == 0)
			return nexus->info.headers[i].value;
	}
	return NULL;
}

void *nexus_alloc(struct nexus *nexus, size_t size)
{
	return arena_zalloc(&nexus->arena, size);
}

char *nexus_printf(struct nexus *nexus, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = arena_vprintf(&nexus->arena, format, args);

	va_end(args);
	return text;
}

struct temporal_client *nexus_client(const struct nexus *nexus)
{
	return nexus->client;
}

/* ---- cancellation ---- */

/* The lock is no part of what const protects. */
static pthread_mutex_t *lock_of(const struct nexus *nexus)
{
	union {
		const pthread_mutex_t *given;
		pthread_mutex_t *taken;
	} lock = { &nexus->lock };

	return lock.taken;
}

enum nexus_cancel_reason nexus_cancel_reason(const struct nexus *nexus)
{
	pthread_mutex_lock(lock_of(nexus));
	enum nexus_cancel_reason reason = nexus->cancel_reason;

	pthread_mutex_unlock(lock_of(nexus));
	return reason;
}

bool nexus_cancelled(const struct nexus *nexus)
{
	return nexus_cancel_reason(nexus) != NEXUS_NOT_CANCELLED;
}

bool nexus_wait(struct nexus *nexus, int64_t timeout_ms)
{
	const struct timespec until = worker_time_in(timeout_ms);
	int over = 0;

	pthread_mutex_lock(&nexus->lock);
	while (nexus->cancel_reason == NEXUS_NOT_CANCELLED && over != ETIMEDOUT) {
		if (timeout_ms < 0)
			pthread_cond_wait(&nexus->cancelled, &nexus->lock);
		else
			over = pthread_cond_timedwait(&nexus->cancelled, &nexus->lock, &until);
	}
	bool cancelled = nexus->cancel_reason != NEXUS_NOT_CANCELLED;

	pthread_mutex_unlock(&nexus->lock);
	return cancelled;
}

/* ---- what the answer gets ---- */

bool worker_nexus_add_link(struct nexus *nexus, Nexus__Link *link)
{
	struct worker_nexus_link *added =
		link ? ARENA_NEW(&nexus->arena, struct worker_nexus_link) : NULL;

	if (!added)
		return false;
	added->link = link;
	*nexus->links_end = added;
	nexus->links_end = &added->next;
	nexus->n_links++;
	return true;
}

bool nexus_add_link(struct nexus *nexus, const char *url, const char *type)
{
	Nexus__Link *link = PROTO_NEW(&nexus->arena, Nexus__Link, nexus__link);

	if (!link)
		return false;
	link->url = arena_strdup(&nexus->arena, url ? url : "");
	link->type = arena_strdup(&nexus->arena, type ? type : "");
	return link->url && link->type && worker_nexus_add_link(nexus, link);
}

const struct temporal_failure *nexus_complete_later(struct nexus *nexus, const char *token)
{
	if (str_empty(token))
		return nexus_error(nexus, NEXUS_ERROR_INTERNAL,
			"an operation that goes on elsewhere needs a token");
	nexus->token = arena_strdup(&nexus->arena, token);
	return nexus->token ? NULL
			    : nexus_error(nexus, NEXUS_ERROR_INTERNAL, "no memory for the token");
}

/* ---- failures ---- */

/* What is returned when there is no memory for a failure. */
static const struct temporal_failure *no_memory(void)
{
	static const struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_NEXUS_HANDLER,
		.message = "no memory for the failure's text",
		.type = "INTERNAL",
	};

	return &failure;
}

static const struct temporal_failure *failure_new(
	struct nexus *nexus, const struct temporal_failure *like, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* What it refers to may lie on the caller's stack: copied. */
static const struct temporal_failure *failure_new(
	struct nexus *nexus, const struct temporal_failure *like, const char *format, va_list args)
{
	struct temporal_failure failure = *like;

	failure.message = arena_vprintf(&nexus->arena, format, args);
	const struct temporal_failure *copy =
		failure.message ? convert_failure_copy(&nexus->arena, &failure) : NULL;

	return copy ? copy : no_memory();
}

/* A failure like `like_`, with the variable arguments behind `format_` as its message. */
#define RETURN_FAILURE(nexus_, like_, format_) \
	do { \
		const struct temporal_failure like = like_; \
		va_list args; \
		va_start(args, format_); \
		const struct temporal_failure *failure = \
			failure_new((nexus_), &like, (format_), args); \
		va_end(args); \
		return failure; \
	} while (0)

static struct temporal_failure operation_failure(const struct nexus_failure_opts *opts)
{
	return (struct temporal_failure){
		.kind = TEMPORAL_FAILURE_APPLICATION,
		.type = opts->type ? opts->type : "OperationError",
		.non_retryable = true,
		.details = opts->details,
		.cause = opts->cause,
	};
}

static struct temporal_failure handler_failure(const struct nexus_error_opts *opts)
{
	return (struct temporal_failure){
		.kind = TEMPORAL_FAILURE_NEXUS_HANDLER,
		.type = worker_nexus_error_name(opts->type),
		.non_retryable = opts->retry == TEMPORAL_HANDLER_NON_RETRYABLE,
		.handler_retry = opts->retry,
		.cause = opts->cause,
	};
}

const struct temporal_failure *nexus_failure(
	struct nexus *nexus, const char *type, const char *format, ...)
{
	const struct nexus_failure_opts opts = { .type = type };

	RETURN_FAILURE(nexus, operation_failure(&opts), format);
}

const struct temporal_failure *nexus_failure_with(
	struct nexus *nexus, const struct nexus_failure_opts *opts, const char *format, ...)
{
	RETURN_FAILURE(nexus, operation_failure(opts), format);
}

const struct temporal_failure *nexus_cancelled_failure(struct nexus *nexus, const char *format, ...)
{
	RETURN_FAILURE(nexus, { .kind = TEMPORAL_FAILURE_CANCELLED }, format);
}

const struct temporal_failure *nexus_error(
	struct nexus *nexus, enum nexus_error_type type, const char *format, ...)
{
	const struct nexus_error_opts opts = { .type = type };

	RETURN_FAILURE(nexus, handler_failure(&opts), format);
}

const struct temporal_failure *nexus_error_with(
	struct nexus *nexus, const struct nexus_error_opts *opts, const char *format, ...)
{
	RETURN_FAILURE(nexus, handler_failure(opts), format);
}

const struct temporal_failure *nexus_error_of(struct nexus *nexus, const struct temporal_error *err)
{
	struct nexus_error_opts opts = { .cause = NULL };

	opts.type = worker_nexus_error_of(err->code, &opts.retry);
	return nexus_error_with(nexus, &opts, "%s", err->message);
}
