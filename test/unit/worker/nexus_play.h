/*
 * nexus_play.h: one Nexus task through a worker, for unit tests: a server in the process gives it
 * out and keeps what it is asked. Whoever includes this defines the service `post` before.
 */
#ifndef UNIT_WORKER_NEXUS_PLAY_H
#define UNIT_WORKER_NEXUS_PLAY_H

#include "../client/fake_server.h"
#include "proto/payload.h"
#include "worker/nexus.h"

struct test {
	struct arena arena;
	struct fake_server *server;
	Workflowservice__PollNexusTaskQueueResponse *task;
	Nexus__StartOperationRequest *start;
	Nexus__CancelOperationRequest *cancel;
};

static inline int begin(void **state)
{
	static struct test test;

	test = (struct test){ .server = fake_new() };
	arena_init(&test.arena, 4096, ARENA_NO_BUDGET);
	test.server->unordered = true;
	test.task = PROTO_NEW(&test.arena, Workflowservice__PollNexusTaskQueueResponse,
		workflowservice__poll_nexus_task_queue_response);
	test.task->request = PROTO_NEW(&test.arena, Nexus__Request, nexus__request);
	test.start = PROTO_NEW(
		&test.arena, Nexus__StartOperationRequest, nexus__start_operation_request);
	test.cancel = PROTO_NEW(
		&test.arena, Nexus__CancelOperationRequest, nexus__cancel_operation_request);
	test.task->task_token.data = (uint8_t *)arena_strdup(&test.arena, "token");
	test.task->task_token.len = 5;
	test.start->service = test.cancel->service = "post";
	test.start->operation = test.cancel->operation = "weigh";
	test.start->request_id = "request-1";
	*state = &test;
	return 0;
}

static inline int end(void **state)
{
	struct test *test = *state;

	fake_free(test->server);
	arena_finish(&test->arena);
	return 0;
}

static inline void starts(struct test *test, const char *operation, const char *json)
{
	test->start->operation = operation;
	test->start->payload =
		json ? proto_payload_new(&test->arena, PROTO_ENCODING_JSON, json, strlen(json))
		     : NULL;
	test->task->request->variant_case = NEXUS__REQUEST__VARIANT_START_OPERATION;
	test->task->request->start_operation = test->start;
}

static inline void cancels(struct test *test, const char *token)
{
	test->cancel->operation_token = token;
	test->task->request->variant_case = NEXUS__REQUEST__VARIANT_CANCEL_OPERATION;
	test->task->request->cancel_operation = test->cancel;
}

static inline void takes_failures(struct test *test)
{
	test->task->request->capabilities =
		PROTO_NEW(&test->arena, Nexus__Request__Capabilities, nexus__request__capabilities);
	test->task->request->capabilities->temporal_failure_responses = true;
}

static inline void set_header(struct test *test, const char *name, const char *value)
{
	Nexus__Request__HeaderEntry *entry =
		PROTO_NEW(&test->arena, Nexus__Request__HeaderEntry, nexus__request__header_entry);

	entry->key = name;
	entry->value = value;
	test->task->request->header = arena_array(&test->arena, 1, sizeof(entry));
	test->task->request->header[0] = entry;
	test->task->request->n_header = 1;
}

/* The n-th request of the method, from 0; NULL: there is none. */
static inline const void *asked(
	const struct fake_server *server, const struct rpc_method *method, unsigned n)
{
	for (size_t i = 0; i < server->n_asked; i++) {
		if (server->asked[i].method == method && n-- == 0)
			return server->asked[i].message;
	}
	return NULL;
}

static atomic_int events;

static inline void count_event(const struct temporal_worker_event *event, void *user)
{
	if (event->kind >= TEMPORAL_EVENT_NEXUS_OPERATION_COMPLETED &&
		event->kind <= TEMPORAL_EVENT_NEXUS_TASK_FAILED)
		atomic_fetch_add(&events, 1);
}

/* Has a worker take the task, waits for its answer, and stops it. */
static inline void run(struct test *test)
{
	const struct temporal_nexus_service *const services[] = { &post_service, NULL };
	struct temporal_client *client = fake_connect(test->server);
	struct temporal_error err = { .code = TEMPORAL_OK };
	const struct rpc_method *const answered[] = { &rpc_workflow_respond_nexus_task_completed,
		&rpc_workflow_respond_nexus_task_failed, &rpc_workflow_shutdown_worker };
	static const Workflowservice__RespondNexusTaskCompletedResponse completed =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_RESPONSE__INIT;
	static const Workflowservice__RespondNexusTaskFailedResponse failed =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_FAILED_RESPONSE__INIT;
	static const Workflowservice__ShutdownWorkerResponse shut =
		WORKFLOWSERVICE__SHUTDOWN_WORKER_RESPONSE__INIT;
	const void *const replies[] = { &completed, &failed, &shut };

	fake_expect(test->server, &rpc_workflow_poll_nexus_task_queue, test->task);
	for (int i = 0; i < 3; i++)
		fake_expect(test->server, answered[i], replies[i]);
	events = 0;
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = "queue",
		.nexus_services = services, .nexus_task_pollers = 1, .on_event = count_event,
		.graceful_shutdown_timeout_ms = TEMPORAL_OFF);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	while (events == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

/* The one answer, as a failure of the task. */
static inline const Workflowservice__RespondNexusTaskFailedRequest *failure_of(
	const struct test *test)
{
	const Workflowservice__RespondNexusTaskFailedRequest *answer =
		asked(test->server, &rpc_workflow_respond_nexus_task_failed, 0);

	assert_non_null(answer);
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_failed, 1));
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_completed, 0));
	assert_int_equal(answer->task_token.len, 5);
	assert_string_equal(answer->identity, "tester");
	return answer;
}

static inline const Nexus__Response *response_of(const struct test *test)
{
	const Workflowservice__RespondNexusTaskCompletedRequest *answer =
		asked(test->server, &rpc_workflow_respond_nexus_task_completed, 0);

	assert_non_null(answer);
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_completed, 1));
	assert_null(asked(test->server, &rpc_workflow_respond_nexus_task_failed, 0));
	return answer->response;
}

static inline void assert_fails(struct test *test, const char *type, const char *text)
{
	takes_failures(test);
	run(test);
	const Failure__Failure *failure = failure_of(test)->failure;

	assert_non_null(failure);
	assert_null(failure_of(test)->error);
	assert_int_equal(failure->failure_info_case,
		FAILURE__FAILURE__FAILURE_INFO_NEXUS_HANDLER_FAILURE_INFO);
	assert_string_equal(failure->nexus_handler_failure_info->type, type);
	if (!strstr(failure->message, text))
		print_message("\"%s\" is not in \"%s\"\n", text, failure->message);
	assert_non_null(strstr(failure->message, text));
}

#endif
