/*
 * activity.c: activity workers. They do nothing but take time: they complete with a number that is
 * never given twice, fail, send heartbeats, or are never heard of again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/convert.h"
#include "proto/codec.h"
#include "rpc/methods.h"
#include "sim.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

#define POLLS   4
#define POLL_NS (70 * SIM_SECOND)

struct work {
	ProtobufCBinaryData token;
	char run_id[40];
	int64_t activity, number, beats;
};

static int64_t next_number;

static void completed(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct work *work = user;

	if (code != TEMPORAL_OK)
		return;
	sim_figures.activities++;
	sim_completed(work->run_id, work->activity, work->number);
}

static void complete(struct work *work)
{
	Workflowservice__RespondActivityTaskCompletedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;
	Common__Payloads result = COMMON__PAYLOADS__INIT;
	Common__Payload *payload;
	char text[24];

	work->number = ++next_number;
	snprintf(text, sizeof(text), "%lld", (long long)work->number);
	payload = convert_payload_to_api(
		&sim_arena, &(struct temporal_payload){ .data = { text, strlen(text) } });
	result.payloads = &payload;
	result.n_payloads = 1;
	message.namespace_ = SIM_NAMESPACE;
	message.task_token = work->token;
	message.result = &result;
	net_insist(&rpc_workflow_respond_activity_task_completed, &message, completed, work);
}

static void ignore(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
}

static void fail(struct work *work)
{
	Workflowservice__RespondActivityTaskFailedRequest message =
		WORKFLOWSERVICE__RESPOND_ACTIVITY_TASK_FAILED_REQUEST__INIT;
	Failure__Failure failure = FAILURE__FAILURE__INIT;
	Failure__ApplicationFailureInfo info = FAILURE__APPLICATION_FAILURE_INFO__INIT;

	failure.message = "bad luck";
	failure.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	message.namespace_ = SIM_NAMESPACE;
	message.task_token = work->token;
	message.failure = &failure;
	net_insist(&rpc_workflow_respond_activity_task_failed, &message, ignore, NULL);
}

static void work_on(void *arg)
{
	Workflowservice__RecordActivityTaskHeartbeatRequest message =
		WORKFLOWSERVICE__RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST__INIT;
	struct work *work = arg;

	if (work->beats-- <= 0) {
		if (sim_chance(120))
			fail(work);
		else
			complete(work);
		return;
	}
	message.namespace_ = SIM_NAMESPACE;
	message.task_token = work->token;
	net_call(&rpc_workflow_record_activity_task_heartbeat, &message, SIM_SECOND, ignore, NULL);
	sim_after(sim_between(500 * SIM_MS, 1500 * SIM_MS), work_on, work);
}

static void poll(void *arg);

static void polled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__PollActivityTaskQueueResponse *response = message;
	struct work *work;

	if (code != TEMPORAL_OK) {
		sim_after(sim_between(SIM_MS, 200 * SIM_MS), poll, NULL);
		return;
	}
	sim_after(0, poll, NULL);
	if (!response->task_token.len || sim_chance(60))
		return;
	work = sim_alloc(sizeof(*work));
	work->token.len = response->task_token.len;
	work->token.data = sim_alloc(work->token.len);
	memcpy(work->token.data, response->task_token.data, work->token.len);
	snprintf(work->run_id, sizeof(work->run_id), "%s", response->workflow_execution->run_id);
	work->activity = strtoll(response->activity_id, NULL, 10);
	work->beats = sim_chance(200) ? sim_between(1, 4) : 0;
	sim_after(sim_between(0, 200 * SIM_MS), work_on, work);
}

static void poll(void *arg)
{
	Workflowservice__PollActivityTaskQueueRequest message =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;

	queue.name = SIM_QUEUE;
	message.namespace_ = SIM_NAMESPACE;
	message.task_queue = &queue;
	message.identity = "activity-worker";
	net_call(&rpc_workflow_poll_activity_task_queue, &message, POLL_NS, polled, NULL);
}

void sim_activities_begin(void)
{
	next_number = 0;
	for (int i = 0; i < POLLS; i++)
		sim_after(sim_between(0, SIM_MS), poll, NULL);
}
