/*
 * call.c: the way of a call: from its caller's thread through the client's loop to its end.
 *
 *	caller: client_call_new -> fill in -> client_call_start ------+
 *	loop:                                took <- reply <- rpc <---+<--- client_call_again
 *	                                       +-> client_call_end -> ended -> the user's callback
 *
 * Invariants: a call belongs to its caller until it is started and to the loop afterwards; whoever
 * has it frees it. A started call ends exactly once. A blocking call is an asynchronous one whose
 * end wakes its caller, so there is one path to test.
 *
 * The handle of the RPC is kept for calls with a limit alone: these start on the loop's thread,
 * where no reply can come before rpc_start has returned. All others start on their caller's thread,
 * which saves a wake-up.
 *
 * Why the caller's thread encodes: work is spread over the callers, and errors of the input are
 * told before anything was sent. What `took` and the callbacks do is on the loop's thread and holds
 * up all calls of the client, so they do little.
 *
 * An error's text gets `what` in front in one place (client_call_end, or client_call_start for what
 * is never sent), so every error names the call and its target.
 */
#include "client/call.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "client/connection.h"
#include "client/intercept.h"
#include "client/links.h"

#define CALL_ARENA_FIRST 1024
#define CALL_OF(member_ptr_, member_) \
	((struct client_call *)(void *)((char *)(member_ptr_)-offsetof( \
		struct client_call, member_)))

/*
 * Zero means the default for every option, so bytes beyond what we know may be ignored if all are
 * zero; if not, the caller wants something that would not happen.
 */
enum temporal_code client_opts_copy(
	void *to, size_t known, const void *from, size_t given, struct temporal_error *err)
{
	memset(to, 0, known);
	if (!from)
		return TEMPORAL_OK;
	for (size_t i = known; i < given; i++) {
		if (((const char *)from)[i])
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"options: the caller was compiled for a newer libtemporal and sets "
				"an "
				"option that this one does not have");
	}
	memcpy(to, from, given < known ? given : known);
	return TEMPORAL_OK;
}

/* Headers have to outlive the caller, since a call may send several requests. */
static enum temporal_code copy_headers(
	struct client_call *call, const struct client_call_opts *opts, struct temporal_error *err)
{
	if (!opts->n_headers)
		return TEMPORAL_OK;
	call->headers = arena_array(&call->arena, opts->n_headers, sizeof(*call->headers));
	if (!call->headers)
		return error_no_memory(err, "the headers of a call");
	for (size_t i = 0; i < opts->n_headers; i++) {
		const struct temporal_header *from = &opts->headers[i];
		enum temporal_code code = client_check_header(from->name, from->value, err);

		if (code)
			return code;
		call->headers[i].name = arena_strdup(&call->arena, from->name);
		call->headers[i].value = arena_strdup(&call->arena, from->value);
		if (!call->headers[i].name || !call->headers[i].value)
			return error_no_memory(err, "the headers of a call");
		call->headers[i].len = strlen(from->value);
	}
	call->n_headers = opts->n_headers;
	return TEMPORAL_OK;
}

/* The link is looked up once: a call stays with the process and the channel that it began with. */
struct client_call *client_call_new(struct temporal_client *client,
	const struct client_call_opts *opts, struct temporal_error *err)
{
	struct client_link *link = client_enter(client, err);
	struct client_call *call;
	enum temporal_code code = TEMPORAL_OK;

	if (!link)
		return NULL;
	call = mem_zalloc(sizeof(*call));
	if (!call) {
		error_no_memory(err, "a call");
		return NULL;
	}
	call->client = client;
	call->channel = link->channel;
	call->loop = link->loop;
	call->retry = RPC_RETRY_CALL;
	call->timeout_ms = client->opts.rpc_timeout_ms;
	arena_init(&call->arena, CALL_ARENA_FIRST, ARENA_NO_BUDGET);
	if (opts && opts->timeout_ms < 0)
		code = error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"timeout_ms is %lld: a call has to end at some time",
			(long long)opts->timeout_ms);
	else if (opts && opts->timeout_ms)
		call->timeout_ms = opts->timeout_ms;
	if (!code && opts)
		code = copy_headers(call, opts, err);
	if (code) {
		client_call_free(call);
		return NULL;
	}
	return call;
}

/* finish() comes first, as what it frees is found through the arena's memory. */
void client_call_free(struct client_call *call)
{
	if (!call)
		return;
	if (call->finish)
		call->finish(call);
	arena_finish(&call->arena);
	mem_free(call);
}

void client_call_name(struct client_call *call, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	call->what = arena_vprintf(&call->arena, format, args);
	va_end(args);
}

/* ---- on the loop ---- */

/*
 * A reply that came in spite of the limit is taken, since it is there; an error that came after it
 * was the limit's doing (expire() has cancelled the RPC), and is told as such.
 */
static void replied(struct rpc_call *rpc, struct rpc_reply *reply, void *user)
{
	struct client_call *call = user;

	call->rpc = NULL;
	if (reply->code && call->expired) {
		reply->code = error_set(&reply->error, TEMPORAL_DEADLINE_EXCEEDED,
			"not done after %lld ms", (long long)call->limit_ms);
		reply->error.detail = TEMPORAL_DETAIL_NONE;
	}
	call->took(call, reply);
}

static struct rpc_call *send_message(struct client_call *call, struct temporal_error *err)
{
	struct rpc_request request = {
		.method = call->method,
		.message = call->message,
		.timeout_ms = call->timeout_ms,
		.retry = call->retry,
		.headers = call->headers,
		.n_headers = call->n_headers,
		.done = replied,
		.user = call,
	};

	return rpc_start(call->channel, &request, err);
}

/*
 * The callback runs with nothing locked, and may start other calls of the client; the call itself
 * is freed behind it, so what is told must not be kept.
 */
void client_call_end(struct client_call *call, void *value, struct temporal_error *err)
{
	if (call->limit_ms)
		rpc_timer_stop(&call->timer);
	if (err && call->what)
		error_prefix(err, "%s", call->what);
	if (call->intercepted)
		client_intercept_ended(call, err);
	call->ended(call, value, err);
	client_call_free(call);
}

/* The limit may have passed between two requests, when there was no RPC to cancel. */
void client_call_again(struct client_call *call)
{
	struct temporal_error err = { 0 };

	if (call->expired) {
		error_set(&err, TEMPORAL_DEADLINE_EXCEEDED, "not done after %lld ms",
			(long long)call->limit_ms);
		client_call_end(call, NULL, &err);
		return;
	}
	call->rpc = send_message(call, &err);
	if (!call->rpc)
		client_call_end(call, NULL, &err);
}

void client_took_nothing(struct client_call *call, struct rpc_reply *reply)
{
	client_call_end(call, NULL, reply->code ? &reply->error : NULL);
}

/* Only cancels: the end comes through replied(), as all ends do. */
static void expire(struct rpc_timer *timer)
{
	struct client_call *call = CALL_OF(timer, timer);

	call->expired = true;
	if (call->rpc)
		rpc_cancel(call->rpc);
}

/* On the loop's thread: timer and call start where they end. */
static void start_limited(struct rpc_task *task)
{
	struct client_call *call = CALL_OF(task, task);

	rpc_timer_set(call->loop, &call->timer, rpc_now_ns() + call->limit_ms * NS_PER_MS, expire);
	client_call_again(call);
}

/* ---- starting ---- */

/* With a limit nothing can fail here any more; errors come by the callback. */
enum temporal_code client_call_start(struct client_call *call, struct temporal_error *err)
{
	struct temporal_error own = { 0 };

	if (call->limit_ms || call->task.run) {
		if (!call->task.run)
			call->task.run = start_limited;
		rpc_loop_post(call->loop, &call->task);
		return TEMPORAL_OK;
	}
	if (send_message(call, &own))
		return TEMPORAL_OK;
	if (call->what)
		error_prefix(&own, "%s", call->what);
	if (err)
		*err = own;
	client_call_free(call);
	return own.code;
}

/* One who waits for a call's end. It lives on the waiting thread's stack. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	void *value;
	struct temporal_error error; /* code OK: none */
};

static void wake(struct client_call *call, void *value, const struct temporal_error *err)
{
	struct waiter *waiter = call->user;

	pthread_mutex_lock(&waiter->lock);
	waiter->value = value;
	if (err)
		waiter->error = *err;
	waiter->done = true;
	pthread_cond_signal(&waiter->cond); /* under the lock: the waiter is gone soon after */
	pthread_mutex_unlock(&waiter->lock);
}

/*
 * A blocking call in a callback would wait for its own thread, so it is refused. There is no limit
 * here: every RPC has a timeout, or the user has asked for none.
 */
void client_call_linked(struct client_call *call, const Common__Link *link)
{
	if (link && call->links)
		call->links->answered(call->links->user, link);
}

enum temporal_code client_call_wait(
	struct client_call *call, void **value, struct temporal_error *err)
{
	struct waiter waiter = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, NULL,
		{ 0 } };
	enum temporal_code code;

	if (value)
		*value = NULL;
	if (rpc_loop_here(call->loop)) {
		code = error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"%s: a call that blocks was made in a callback of its client; use the form "
			"..._async there",
			call->what ? call->what : "a call");
		client_call_free(call);
		return code;
	}
	call->ended = wake;
	call->user = &waiter;
	call->links = client_links_here();
	code = client_call_start(call, err);
	if (code)
		return code;
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		pthread_cond_wait(&waiter.cond, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	pthread_mutex_destroy(&waiter.lock);
	pthread_cond_destroy(&waiter.cond);
	if (value)
		*value = waiter.value;
	if (waiter.error.code && err)
		*err = waiter.error;
	return waiter.error.code;
}

/* ---- ends that are told by a callback ---- */

static void tell_done(struct client_call *call, void *value, const struct temporal_error *err)
{
	(void)value;
	call->tell.done(err, call->user);
}

static void tell_run(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.run(value, err, call->user);
}

static void tell_result(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.result(value, err, call->user);
}

enum temporal_code client_call_done_async(
	struct client_call *call, temporal_done_fn *done, void *user, struct temporal_error *err)
{
	call->ended = tell_done;
	call->tell.done = done;
	call->user = user;
	return client_call_start(call, err);
}

enum temporal_code client_call_run_async(
	struct client_call *call, temporal_run_fn *done, void *user, struct temporal_error *err)
{
	call->ended = tell_run;
	call->tell.run = done;
	call->user = user;
	return client_call_start(call, err);
}

enum temporal_code client_call_result_async(
	struct client_call *call, temporal_result_fn *done, void *user, struct temporal_error *err)
{
	call->ended = tell_result;
	call->tell.result = done;
	call->user = user;
	return client_call_start(call, err);
}
