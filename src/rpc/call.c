/*
 * call.c: calls from rpc_start to `done`, whatever stands behind the channel: deadline, retries,
 * decoding, the pool.
 *
 *            rpc_start                on the loop              end of a try          `done`
 *   (caller) ---------> POSTED ---------------------> TRYING ----------------> ENDED ------> pool
 *                                                     ^    | to be tried again
 *                                          wait over  |    v
 *                                                     WAITING ---- deadline, cancel ----> ENDED
 *
 * Invariants
 * - A call in TRYING is with the ops and has its timer armed for the try's deadline; in WAITING it
 *   is with nobody and the timer is armed for the next try.
 * - `done` is called once, from the loop's thread, and never from within rpc_start.
 * - A channel is destroyed on its loop when the last reference is gone and every posted call has
 *   arrived there.
 *
 * Calls are pooled with their two arenas (request and reply), so that a steady state allocates
 * nothing here.
 */
#include "rpc/call.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/headers.h"
#include "rpc/limits.h"
#include "rpc/status.h"

#define ARENA_FIRST    1024U
#define ARENA_KEEP_MAX (8U * RPC_KIB) /* of a call in the pool */
#define POOL_MAX       32U
#define REFUSALS_MAX \
	3U /* refused streams are sent again at once so often; then the policy decides */
#define DEADLINE_SLACK_NS (50 * RPC_MS_NS)
#define LATE_TEXT_SIZE    160

static struct rpc_call *call_of_task(struct rpc_task *task)
{
	return (struct rpc_call *)(void *)((char *)task - offsetof(struct rpc_call, task));
}

static struct rpc_call *call_of_timer(struct rpc_timer *timer)
{
	return (struct rpc_call *)(void *)((char *)timer - offsetof(struct rpc_call, timer));
}

/* The pool. */

static void arena_ready(struct arena *arena)
{
	if (arena->chunk_size == 0)
		arena_init(arena, ARENA_FIRST, ARENA_NO_BUDGET);
}

static struct rpc_call *call_new(struct rpc_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	struct rpc_call *call = channel->pool;
	if (call) {
		channel->pool = call->next;
		channel->n_pool--;
	}
	struct rpc_headers *headers = rpc_headers_ref(channel->headers);
	pthread_mutex_unlock(&channel->lock);
	if (!call)
		call = mem_zalloc(sizeof(*call));
	if (!call) {
		rpc_headers_unref(headers);
		return NULL;
	}
	call->headers = headers;
	call->channel = channel;
	arena_ready(&call->arena);
	arena_ready(&call->reply.arena);
	return call;
}

static void arena_recycle(struct arena *arena)
{
	arena_reset(arena);
	if (arena->held > ARENA_KEEP_MAX || arena->held == 0) {
		arena_finish(arena);
		*arena = (struct arena){ 0 };
		return;
	}
	arena->budget = ARENA_NO_BUDGET;
	arena->chunk_size = ARENA_FIRST;
}

static void call_free(struct rpc_call *call)
{
	arena_finish(&call->arena);
	arena_finish(&call->reply.arena);
	mem_free(call);
}

/* As new, but for the arenas. A call that succeeds has touched a fifth of the struct. */
static void call_clear(struct rpc_call *call)
{
	struct arena request = call->arena;

	memset(call, 0, offsetof(struct rpc_call, http2.stream));
	call->arena = request;
	call->reply.code = TEMPORAL_OK;
	call->reply.error.code = TEMPORAL_OK;
	call->reply.error.detail = TEMPORAL_DETAIL_NONE;
	call->reply.error.retryable = false;
	call->reply.error.message[0] = call->reply.error.run_id[0] = '\0';
	call->reply.message = NULL;
	call->reply.status = NULL;
	call->reply.message_size = 0;
	call->bad_message.code = TEMPORAL_OK;
}

static void call_recycle(struct rpc_call *call)
{
	struct rpc_channel *channel = call->channel;

	rpc_headers_unref(call->headers);
	rpc_parcel_unref(call->parcel);
	arena_recycle(&call->arena);
	arena_recycle(&call->reply.arena);
	call_clear(call);
	pthread_mutex_lock(&channel->lock);
	bool keep = channel->n_pool < POOL_MAX;
	if (keep) {
		call->next = channel->pool;
		channel->pool = call;
		channel->n_pool++;
	}
	pthread_mutex_unlock(&channel->lock);
	if (!keep)
		call_free(call);
}

/* The channel's base. */

enum temporal_code rpc_channel_init(struct rpc_channel *channel, const struct rpc_channel_ops *ops,
	struct rpc_loop *loop, const struct rpc_header *headers, size_t n_headers,
	struct temporal_error *err)
{
	struct temporal_error own;

	channel->headers = rpc_headers_new(headers, n_headers, &own);
	if (!channel->headers) {
		if (err)
			*err = own;
		return own.code;
	}
	channel->ops = ops;
	channel->loop = loop;
	channel->chance = (uint64_t)rpc_now_ns() ^ (uint64_t)(uintptr_t)channel;
	atomic_init(&channel->refs, 1);
	pthread_mutex_init(&channel->lock, NULL);
	return TEMPORAL_OK;
}

void rpc_channel_finish(struct rpc_channel *channel)
{
	while (channel->pool) {
		struct rpc_call *call = channel->pool;

		channel->pool = call->next;
		call_free(call);
	}
	rpc_headers_unref(channel->headers);
	pthread_mutex_destroy(&channel->lock);
}

void rpc_channel_work(struct rpc_channel *channel, int change)
{
	channel->work += (unsigned)change;
}

struct rpc_loop *rpc_channel_loop(const struct rpc_channel *channel)
{
	return channel->loop;
}

void rpc_channel_observe(struct rpc_channel *channel, struct rpc_observer *observer)
{
	channel->observer = observer;
}

bool rpc_is_out(const struct rpc_call *call)
{
	return call->state == RPC_CALL_TRYING &&
	       (call->channel->ops->in_process || call->http2.link);
}

void rpc_give_up(struct rpc_call *call)
{
	call->retry.policy = RPC_RETRY_NONE;
	if (!rpc_is_out(call))
		rpc_cancel(call);
}

struct rpc_channel *rpc_channel_ref(struct rpc_channel *channel)
{
	atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
	return channel;
}

uint32_t rpc_channel_chance(struct rpc_channel *channel)
{
	uint64_t x = channel->chance += 0x9E3779B97F4A7C15U; /* splitmix64 */

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
	x = (x ^ x >> 27) * 0x94D049BB133111EBU;
	return (uint32_t)(x >> 32);
}

enum temporal_code rpc_channel_set_header(
	struct rpc_channel *channel, const struct rpc_header *header, struct temporal_error *err)
{
	struct temporal_error own = { .code = TEMPORAL_OK };

	pthread_mutex_lock(&channel->lock);
	struct rpc_headers *old = channel->headers;
	struct rpc_headers *new = rpc_headers_with(old, header, &own);
	if (new)
		channel->headers = new;
	pthread_mutex_unlock(&channel->lock);
	if (new)
		rpc_headers_unref(old);
	else if (err)
		*err = own;
	return own.code;
}

/* The end. */

static void unlink_call(struct rpc_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		call->channel->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
}

static bool is_idle(struct rpc_channel *channel)
{
	return !channel->calls && channel->begun == atomic_load(&channel->submitted);
}

/* Once closed, the channel goes with its last call. */
static void maybe_settle(struct rpc_channel *channel)
{
	if ((!channel->closing && !channel->idle) || !is_idle(channel))
		return;
	if (channel->idle)
		rpc_loop_post(channel->loop, channel->idle);
	channel->idle = NULL;
	if (channel->closing)
		channel->ops->destroy(channel);
}

bool rpc_channel_when_idle(struct rpc_channel *channel, struct rpc_task *idle)
{
	bool waited = channel->idle != NULL;

	channel->idle = idle;
	maybe_settle(channel);
	return waited;
}

static void finish(struct rpc_call *call)
{
	struct rpc_channel *channel = call->channel;

	rpc_timer_stop(&call->timer);
	call->state = RPC_CALL_ENDED;
	unlink_call(call);
	if (call->reply.code == TEMPORAL_OK)
		call->reply.error.code = TEMPORAL_OK;
	else
		call->reply.message = NULL;
	call->done(call, &call->reply, call->user);
	call_recycle(call);
	maybe_settle(channel);
}

static void finish_with(struct rpc_call *call, enum temporal_code code, const char *message)
{
	call->reply.code = error_set(&call->reply.error, code, "%s", message);
	finish(call);
}

/* Tries. */

static void on_deadline(struct rpc_timer *timer);

static void try_start(struct rpc_call *call)
{
	int64_t now_ns = rpc_now_ns();
	bool each = rpc_is_worker_poll(call->policy) || call->policy == RPC_RETRY_USER_POLL;

	call->state = RPC_CALL_TRYING;
	call->has_message = call->extra_message = false;
	call->bad_message.code = TEMPORAL_OK;
	call->try_began_ns = now_ns;
	call->try_deadline_ns = each ? now_ns + call->timeout_ns : call->deadline_ns;
	rpc_timer_set(call->channel->loop, &call->timer, call->try_deadline_ns, on_deadline);
	call->channel->ops->start(call->channel, call);
}

/* An API key may have been replaced since the last try, perhaps because that was refused. */
static void renew_headers(struct rpc_call *call)
{
	struct rpc_channel *channel = call->channel;
	struct rpc_headers *old = call->headers;

	pthread_mutex_lock(&channel->lock);
	call->headers = rpc_headers_ref(channel->headers);
	pthread_mutex_unlock(&channel->lock);
	rpc_headers_unref(old);
}

static void on_wait_over(struct rpc_timer *timer)
{
	struct rpc_call *call = call_of_timer(timer);

	renew_headers(call);
	try_start(call);
}

static void describe(struct rpc_call *call, const struct rpc_end *end)
{
	struct rpc_reply *reply = &call->reply;

	reply->code = end->code;
	if (str_empty(end->message))
		error_set(&reply->error, end->code, "%s answered %s without a message",
			call->method->path, temporal_code_name(end->code));
	else
		error_set(&reply->error, end->code, "%s", end->message);
	reply->status = NULL;
	if (end->details_len > 0 && !call->no_status_details)
		reply->status = rpc_status_decode(
			&reply->arena, end->details, end->details_len, &reply->error);
}

/* A try ended with what is no result of the server: wrong number of messages, or one that cannot be
 * decoded. */
static bool is_malformed(struct rpc_call *call, struct rpc_end *end)
{
	*end = (struct rpc_end){ .code = TEMPORAL_INTERNAL };
	if (call->bad_message.code != TEMPORAL_OK) {
		end->code = call->bad_message.code;
		end->message = call->bad_message.message;
	} else if (call->extra_message) {
		end->message = "the server sent more than one message in reply to a unary call";
	} else if (!call->has_message) {
		end->message = "the server answered OK without a message";
	}
	return end->message != NULL;
}

/*
 * A server whose clock of the deadline runs out a little before ours drops the stream without a
 * status: that is the deadline, not somebody's wish to cancel.
 */
static bool ran_out(const struct rpc_call *call, const struct rpc_end *end)
{
	return end->dropped && rpc_now_ns() >= call->try_deadline_ns - DEADLINE_SLACK_NS;
}

static const char *late(const struct rpc_call *call, char text[LATE_TEXT_SIZE])
{
	snprintf(text, LATE_TEXT_SIZE, "%s did not answer within %lld ms", call->method->path,
		(long long)(call->timeout_ns / RPC_MS_NS));
	return text;
}

/* Once a try: an end that turns out to be the deadline comes here twice. */
static void observe(struct rpc_call *call, enum temporal_code code)
{
	struct rpc_observer *observer = call->channel->observer;
	bool long_poll = rpc_is_worker_poll(call->policy) || call->policy == RPC_RETRY_USER_POLL;

	if (call->try_began_ns == 0)
		return;
	observer->tried(observer, call->method, long_poll, code, rpc_now_ns() - call->try_began_ns);
	call->try_began_ns = 0;
}

void rpc_call_end_try(struct rpc_call *call, const struct rpc_end *end)
{
	struct rpc_end malformed, timed_out = { .code = TEMPORAL_DEADLINE_EXCEEDED };
	char text[LATE_TEXT_SIZE];
	int64_t now_ns;

	if (ran_out(call, end)) {
		timed_out.message = late(call, text);
		end = &timed_out;
	}
	if (call->channel->observer)
		observe(call, end->code);
	if (end->code == TEMPORAL_OK) {
		if (!is_malformed(call, &malformed)) {
			call->reply.code = TEMPORAL_OK;
			finish(call);
			return;
		}
		end = &malformed;
	}
	now_ns = rpc_now_ns();
	if (end->code == TEMPORAL_CANCELLED && now_ns >= call->try_deadline_ns) {
		on_deadline(&call->timer); /* the server's clock was faster than our timer */
		return;
	}
	if (end->refused && ++call->refusals <= REFUSALS_MAX && now_ns < call->try_deadline_ns) {
		try_start(call);
		return;
	}
	call->refusals = 0;
	const struct rpc_failure failure = { end->code, end->message, end->transport };
	int64_t wait_ms =
		rpc_retry_next(&call->retry, &failure, now_ns, rpc_channel_chance(call->channel));
	int64_t due_ns = now_ns + wait_ms * RPC_MS_NS;
	if (wait_ms < 0 || due_ns >= call->deadline_ns || call->channel->closing) {
		describe(call, end);
		finish(call);
		return;
	}
	arena_reset(&call->reply.arena); /* of a message that came before the failure */
	call->state = RPC_CALL_WAITING;
	rpc_timer_set(call->channel->loop, &call->timer, due_ns, on_wait_over);
}

static void on_deadline(struct rpc_timer *timer)
{
	struct rpc_call *call = call_of_timer(timer);
	char text[LATE_TEXT_SIZE];

	call->channel->ops->cancel(call->channel, call);
	rpc_call_end_try(call, &(struct rpc_end){ .code = TEMPORAL_DEADLINE_EXCEEDED,
				       .message = late(call, text) });
}

static void on_no_memory(struct rpc_timer *timer)
{
	struct rpc_call *call = call_of_timer(timer);
	struct temporal_error err;

	error_no_memory(&err, "call");
	rpc_call_end_try(call, &(struct rpc_end){ .code = err.code, .message = err.message });
}

void rpc_call_no_memory(struct rpc_call *call)
{
	rpc_timer_set(call->channel->loop, &call->timer, rpc_now_ns(), on_no_memory);
}

void rpc_call_message(struct rpc_call *call, const uint8_t *data, size_t len, size_t wire_len)
{
	struct rpc_reply *reply = &call->reply;

	if (call->has_message) {
		call->extra_message = true;
		return;
	}
	call->has_message = true;
	reply->message_size = wire_len;
	arena_ready(&reply->arena);
	reply->arena.budget = PROTO_DECODED_MAX(len);
	if (len > ARENA_FIRST && reply->arena.held == 0)
		reply->arena.chunk_size = len < ARENA_CHUNK_MAX / 4 ? len * 4 : ARENA_CHUNK_MAX;
	reply->message = proto_decode(
		&reply->arena, call->method->response, data, len, NULL, &call->bad_message);
	if (!reply->message && call->bad_message.code == TEMPORAL_OK)
		call->bad_message.code = TEMPORAL_INTERNAL;
}

void rpc_call_message_in(struct rpc_call *call, const void *message, struct arena *arena)
{
	arena_finish(&call->reply.arena);
	call->reply.arena = *arena;
	*arena = (struct arena){ 0 };
	call->reply.message = message;
	call->reply.message_size = 0;
	call->has_message = true;
}

/* Beginning on the loop. */

static void call_begin(struct rpc_task *task)
{
	struct rpc_call *call = call_of_task(task);
	struct rpc_channel *channel = call->channel;
	int64_t now_ns = rpc_now_ns();
	bool whole = !rpc_is_worker_poll(call->policy) && call->policy != RPC_RETRY_USER_POLL;

	channel->begun++;
	call->prev = NULL;
	call->next = channel->calls;
	if (call->next)
		call->next->prev = call;
	channel->calls = call;
	if (channel->closing || call->cancelled) {
		finish_with(call, TEMPORAL_CANCELLED,
			channel->closing ? "the client was closed" : "the call was cancelled");
		return;
	}
	call->deadline_ns = whole ? now_ns + call->timeout_ns : INT64_MAX;
	rpc_retry_init(&call->retry, call->policy, now_ns);
	try_start(call);
}

static void cancel_task(struct rpc_task *task)
{
	struct rpc_call *call = call_of_task(task);

	finish_with(call, TEMPORAL_CANCELLED,
		call->channel->closing ? "the client was closed" : "the call was cancelled");
}

/* `done` comes with the loop's next turn, not from within the caller's call. */
void rpc_cancel(struct rpc_call *call)
{
	if (call->state == RPC_CALL_TRYING)
		call->channel->ops->cancel(call->channel, call);
	if (call->state != RPC_CALL_TRYING && call->state != RPC_CALL_WAITING) {
		call->cancelled = true;
		return;
	}
	rpc_timer_stop(&call->timer);
	call->state = RPC_CALL_CANCELLED;
	call->task.run = cancel_task;
	rpc_loop_post(call->channel->loop, &call->task);
}

static void channel_close(struct rpc_task *task)
{
	struct rpc_channel *channel =
		(struct rpc_channel *)(void *)((char *)task - offsetof(struct rpc_channel, close));

	channel->closing = true;
	for (struct rpc_call *call = channel->calls; call; call = call->next)
		rpc_cancel(call);
	maybe_settle(channel);
}

void rpc_channel_unref(struct rpc_channel *channel)
{
	if (!channel || atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1)
		return;
	channel->close.run = channel_close;
	rpc_loop_post(channel->loop, &channel->close);
}

/* rpc_start. */

enum temporal_code rpc_encode(
	struct arena *arena, const void *message, struct bytes *encoded, struct temporal_error *err)
{
	enum temporal_code code = proto_encode(arena, message, RPC_PREFIX_SIZE, encoded, err);

	if (code != TEMPORAL_OK)
		return code;
	size_t len = encoded->len - RPC_PREFIX_SIZE;
	if (len > UINT32_MAX)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"request of %zu bytes: gRPC's limit is 4 GiB", len);
	rpc_prefix_write(encoded->ptr, false, len);
	return TEMPORAL_OK;
}

/* In process only what is wrong with a message makes it go by wire, and memory that is out. */
static enum temporal_code take_message(
	struct rpc_call *call, const struct rpc_request *request, struct temporal_error *err)
{
	if (call->channel->ops->in_process) {
		call->parcel = rpc_parcel_new(request->message);
		if (call->parcel)
			return TEMPORAL_OK;
	}
	if (!request->encoded.ptr)
		return rpc_encode(&call->arena, request->message, &call->wire, err);
	call->wire = request->encoded;
	return TEMPORAL_OK;
}

static enum temporal_code call_fill(
	struct rpc_call *call, const struct rpc_request *request, struct temporal_error *err)
{
	bool poll = rpc_is_worker_poll(request->retry) || request->retry == RPC_RETRY_USER_POLL;
	int64_t timeout_ms = request->timeout_ms;

	if (timeout_ms <= 0)
		timeout_ms = poll ? RPC_POLL_TIMEOUT_MS : RPC_CALL_TIMEOUT_MS;
	if (timeout_ms > INT64_MAX / 4 / RPC_MS_NS)
		timeout_ms = INT64_MAX / 4 / RPC_MS_NS;
	call->method = request->method;
	call->timeout_ns = timeout_ms * RPC_MS_NS;
	call->policy = request->retry;
	call->no_status_details = request->no_status_details;
	call->lazy = request->lazy;
	call->done = request->done;
	call->user = request->user;
	call->n_fields = request->n_headers;
	enum temporal_code code = take_message(call, request, err);
	if (code == TEMPORAL_OK)
		code = rpc_headers_copy(
			&call->arena, request->headers, request->n_headers, &call->fields, err);
	return code;
}

struct rpc_call *rpc_start(
	struct rpc_channel *channel, const struct rpc_request *request, struct temporal_error *err)
{
	struct rpc_call *call = call_new(channel);
	enum temporal_code code =
		call ? call_fill(call, request, err) : error_no_memory(err, "call");

	if (request->arena)
		arena_finish(request->arena);
	if (code != TEMPORAL_OK) {
		if (call)
			call_recycle(call);
		return NULL;
	}
	call->task.run = call_begin;
	atomic_fetch_add_explicit(&channel->submitted, 1, memory_order_relaxed);
	rpc_loop_post(channel->loop, &call->task);
	return call;
}

/* rpc_wait: the same with a caller that sleeps. */

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct rpc_reply *reply;
	bool over;
};

static void wake_waiter(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct waiter *waiter = user;

	*waiter->reply = *reply;
	reply->arena = (struct arena){ 0 };
	pthread_mutex_lock(&waiter->lock);
	waiter->over = true;
	pthread_cond_signal(&waiter->wake); /* under the lock: the waiter's stack is gone once it
					       has seen `over` */
	pthread_mutex_unlock(&waiter->lock);
}

enum temporal_code rpc_wait(struct rpc_channel *channel, const struct rpc_request *request,
	struct rpc_reply *reply, struct temporal_error *err)
{
	struct waiter waiter = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .reply = reply
	};
	struct rpc_request own = *request;

	*reply = (struct rpc_reply){ .code = TEMPORAL_OK };
	if (rpc_loop_here(channel->loop)) {
		if (request->arena)
			arena_finish(request->arena);
		reply->code = error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"%s: a blocking call on a loop's thread would wait for itself",
			request->method->path);
		return reply->code;
	}
	own.done = wake_waiter;
	own.user = &waiter;
	if (!rpc_start(channel, &own, &reply->error)) {
		if (err)
			*err = reply->error;
		return reply->code = reply->error.code;
	}
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.over)
		pthread_cond_wait(&waiter.wake, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	pthread_mutex_destroy(&waiter.lock);
	pthread_cond_destroy(&waiter.wake);
	if (reply->code != TEMPORAL_OK && err)
		*err = reply->error;
	return reply->code;
}
