/*
 * rpc_fixture.h: a server and a channel to it, over loopback, in one process. The server answers
 * DescribeNamespace by the text of the namespace, see on_describe(), and holds polls until it is
 * told to release them.
 */
#ifndef RPC_FIXTURE_H
#define RPC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/limits.h"
#include "rpc/methods.h"
#include "rpc/server.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

struct fixture {
	struct rpc_loop *server_loop, *client_loop;
	struct rpc_server *server;
	struct rpc_server_opts server_opts;
	struct rpc_channel *channel;
	uint16_t port;
	char target[40];
	/* the server loop's thread writes, the test reads */
	atomic_int calls, cancelled, waiting, stopped;
	atomic_int failures_left; /* of "flaky" */
	struct rpc_server_call *held[64];
	struct temporal_error err;
};

static struct fixture *fixture_now;

/* Waits until the counter has the value; fails after ten seconds. */
static inline void wait_for(atomic_int *counter, int value)
{
	for (int i = 0; i < 10000 && atomic_load(counter) < value; i++)
		usleep(1000);
	assert_true(atomic_load(counter) >= value);
}

static inline void on_cancelled(struct rpc_server_call *call, void *user)
{
	atomic_fetch_add(&fixture_now->cancelled, 1);
	rpc_server_fail(call, TEMPORAL_CANCELLED, "nobody listens", NULL);
}

static inline void reply_with(struct rpc_server_call *call, const char *id, size_t padding)
{
	Workflowservice__DescribeNamespaceResponse response =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_RESPONSE__INIT;
	Namespace__NamespaceInfo info = NAMESPACE__NAMESPACE_INFO__INIT;
	char *text = calloc(1, padding + 1);

	for (size_t i = 0; i < padding; i++)
		text[i] = (char)('a' + i * 7 % 23);
	info.id = id;
	info.description = text;
	response.namespace_info = &info;
	rpc_server_reply(call, &response);
	free(text);
}

static inline void fail_with_details(struct rpc_server_call *call)
{
	Errordetails__WorkflowExecutionAlreadyStartedFailure failure =
		ERRORDETAILS__WORKFLOW_EXECUTION_ALREADY_STARTED_FAILURE__INIT;
	Common__GrpcStatus status = COMMON__GRPC_STATUS__INIT;
	Google__Any any = GOOGLE__ANY__INIT, *details[] = { &any };
	uint8_t bytes[100];

	failure.run_id = "0b9e1c2a-run";
	any.type_url = "type.googleapis.com/"
		       "temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure";
	any.value.len = proto_size(&failure);
	any.value.data = bytes;
	proto_write(&failure, bytes, any.value.len);
	status.code = 6;
	status.message = "already started";
	status.details = details;
	status.n_details = 1;
	rpc_server_fail(call, TEMPORAL_ALREADY_EXISTS,
		"Workflow execution is already running: n\xC3\xA9s", &status);
}

static inline void on_describe(struct rpc_server_call *call, const void *message, void *user)
{
	const Workflowservice__DescribeNamespaceRequest *request = message;
	const char *what = request->namespace_;
	int code, size, ms;

	atomic_fetch_add(&fixture_now->calls, 1);
	if (sscanf(what, "fail %d", &code) == 1)
		rpc_server_fail(call, (enum temporal_code)code, "as you wish", NULL);
	else if (sscanf(what, "size %d", &size) == 1)
		reply_with(call, "sized", (size_t)size);
	else if (sscanf(what, "slow %d", &ms) == 1) {
		usleep((unsigned)ms * 1000);
		reply_with(call, "slow", 0);
	} else if (strcmp(what, "details") == 0)
		fail_with_details(call);
	else if (strcmp(what, "hold") == 0)
		rpc_server_on_cancel(call, on_cancelled, NULL);
	else if (strcmp(what, "flaky") == 0 && atomic_fetch_sub(&fixture_now->failures_left, 1) > 0)
		rpc_server_fail(call, TEMPORAL_UNAVAILABLE, "not now", NULL);
	else if (strncmp(what, "header ", 7) == 0)
		reply_with(call,
			rpc_server_header(call, what + 7) ? rpc_server_header(call, what + 7)
							  : "none",
			0);
	else
		reply_with(call, what, 0);
}

static inline void on_poll(struct rpc_server_call *call, const void *message, void *user)
{
	int at = atomic_load(&fixture_now->waiting);

	fixture_now->held[at] = call;
	atomic_fetch_add(&fixture_now->waiting, 1);
}

static const struct rpc_server_method fixture_methods[] = {
	{ .method = &rpc_workflow_describe_namespace, .handle = on_describe },
	{ .method = &rpc_workflow_poll_workflow_task_queue, .handle = on_poll },
};

struct release {
	struct rpc_task task;
	struct fixture *fixture;
	atomic_int done;
};

static inline void release_task(struct rpc_task *task)
{
	struct release *release = (struct release *)(void *)task;
	struct fixture *f = release->fixture;
	Workflowservice__PollWorkflowTaskQueueResponse response =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_RESPONSE__INIT;

	for (int i = 0; i < atomic_load(&f->waiting); i++)
		rpc_server_reply(f->held[i], &response);
	atomic_store(&f->waiting, 0);
	atomic_store(&release->done, 1);
}

/* Answers all held polls. */
static inline void release_polls(struct fixture *f)
{
	struct release release = { .task = { .run = release_task }, .fixture = f };

	rpc_loop_post(f->server_loop, &release.task);
	wait_for(&release.done, 1);
}

static inline void server_start(struct fixture *f)
{
	f->server_opts.methods = fixture_methods;
	f->server_opts.n_methods = sizeof(fixture_methods) / sizeof(fixture_methods[0]);
	f->server_opts.port = f->port;
	f->server = rpc_server_new(f->server_loop, &f->server_opts, &f->err);
	if (!f->server)
		fail_msg("%s", f->err.message);
	f->port = rpc_server_port(f->server);
	snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", f->port);
}

static inline void on_stopped(void *user)
{
	atomic_fetch_add(&((struct fixture *)user)->stopped, 1);
}

static inline void server_stop(struct fixture *f, int64_t grace_ms)
{
	int before = atomic_load(&f->stopped);

	rpc_server_stop(f->server, grace_ms, on_stopped, f);
	f->server = NULL;
	wait_for(&f->stopped, before + 1);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_now = *state = f;
	f->server_loop = rpc_loop_new(NULL);
	f->client_loop = rpc_loop_new(NULL);
	assert_int_equal(rpc_loop_start(f->server_loop, "server", NULL), TEMPORAL_OK);
	assert_int_equal(rpc_loop_start(f->client_loop, "client", NULL), TEMPORAL_OK);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	rpc_channel_unref(f->channel);
	rpc_loop_free(f->client_loop);
	if (f->server)
		server_stop(f, 0);
	rpc_loop_free(f->server_loop);
	free(f);
	return 0;
}

static inline void connect_with(struct fixture *f, struct rpc_connect_opts opts)
{
	if (!opts.target)
		opts.target = f->target;
	f->channel = rpc_channel_new(f->client_loop, &opts, &f->err);
	if (!f->channel)
		fail_msg("%s", f->err.message);
}

/* DescribeNamespace with the text; the answered id in `id` (100 bytes) if it is not NULL. */
static inline enum temporal_code describe(
	struct fixture *f, const char *what, struct rpc_request opts, char *id)
{
	Workflowservice__DescribeNamespaceRequest request =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;
	struct rpc_reply reply;

	request.namespace_ = what;
	opts.method = &rpc_workflow_describe_namespace;
	opts.message = &request;
	enum temporal_code code = rpc_wait(f->channel, &opts, &reply, &f->err);
	if (code == TEMPORAL_OK && id) {
		const Workflowservice__DescribeNamespaceResponse *response = reply.message;

		snprintf(id, 100, "%s", response->namespace_info->id);
	}
	arena_finish(&reply.arena);
	return code;
}

#define CALL(...) ((struct rpc_request){ __VA_ARGS__ })

#endif
