/*
 * time_calls.c: virtual time for the program that has the server in it. A call is a request of the
 * test service that is made on the server's thread, while the caller's waits for its answer.
 *
 * Any thread but the server's.
 */
#include <unistd.h>

#include "base/error.h"
#include "proto/time.h"
#include "server/server.h"
#include "temporal/api/testservice/v1/request_response.pb-c.h"

#define ARENA_FIRST 512

struct time_call {
	struct request request; /* first: the ops cast */
	struct rpc_task task;
	struct arena arena;
	frontend_handler *handle;
	struct temporal_error *err;
	enum temporal_code code;
	int64_t time_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done; /* under the lock */
};

static void end(struct time_call *call)
{
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->changed);
	pthread_mutex_unlock(&call->lock);
}

static void call_reply(struct request *request, const void *message)
{
	struct time_call *call = (struct time_call *)(void *)request;

	call->time_ns = request->server->now_ns;
	end(call);
}

static void call_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct time_call *call = (struct time_call *)(void *)request;

	/* That there is no such service means here that the server was started otherwise. */
	if (code == TEMPORAL_UNIMPLEMENTED)
		call->code = error_set(call->err, TEMPORAL_FAILED_PRECONDITION,
			"the server was started without time skipping");
	else
		call->code = error_set(call->err, code, "%s", text);
	end(call);
}

static const char *call_header(struct request *request, const char *name)
{
	return NULL;
}

static const struct request_ops call_ops = { call_reply, call_fail, call_header };

static void on_call(struct rpc_task *task)
{
	struct time_call *call =
		(struct time_call *)(void *)((char *)task - offsetof(struct time_call, task));

	frontend_serve(&call->request, call->handle);
}

/* Makes the call and waits. */
static enum temporal_code make(struct temporal_server *server, struct time_call *call,
	frontend_handler *handle, const void *message)
{
	if (server->pid != getpid())
		return error_set(call->err, TEMPORAL_FAILED_PRECONDITION,
			"the server is in the process that this one was forked from");
	arena_init(&call->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	pthread_mutex_init(&call->lock, NULL);
	pthread_cond_init(&call->changed, NULL);
	call->handle = handle;
	call->task.run = on_call;
	call->request = (struct request){
		.server = &server->server,
		.ops = &call_ops,
		.arena = &call->arena,
		.message = message,
		.deadline_ns = INT64_MAX,
	};
	rpc_loop_post(server->loop, &call->task);
	pthread_mutex_lock(&call->lock);
	while (!call->done)
		pthread_cond_wait(&call->changed, &call->lock);
	pthread_mutex_unlock(&call->lock);
	pthread_cond_destroy(&call->changed);
	pthread_mutex_destroy(&call->lock);
	arena_finish(&call->arena);
	return call->code;
}

int64_t temporal_server_time_ns(struct temporal_server *server)
{
	struct time_call call = { 0 };

	(void)make(server, &call, frontend_get_time, NULL);
	return call.time_ns;
}

void temporal_server_lock_time(struct temporal_server *server)
{
	struct time_call call = { 0 };

	(void)make(server, &call, frontend_lock_time, NULL);
}

void temporal_server_unlock_time(struct temporal_server *server)
{
	struct time_call call = { 0 };

	(void)make(server, &call, frontend_unlock_time, NULL);
}

enum temporal_code temporal_server_skip(
	struct temporal_server *server, int64_t ms, struct temporal_error *err)
{
	Testservice__SleepRequest sleep = TESTSERVICE__SLEEP_REQUEST__INIT;
	Google__Duration duration = GOOGLE__DURATION__INIT;
	struct time_call call = { .err = err };

	duration.seconds = ms / 1000;
	duration.nanos = (int32_t)(ms % 1000) * 1000000;
	sleep.duration = &duration;
	return make(server, &call, frontend_unlock_time_with_sleep, &sleep);
}
