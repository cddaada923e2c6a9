/*
 * commands.c: the server's commands to the workers of a client: one poll for Nexus tasks on a queue
 * that the client's key names, by all of its workers together.
 *
 * There is one command: to cancel an activity, which saves waiting for its next heartbeat. It names
 * the attempt by its task token; which of the workers has it is found by asking each. An activity
 * that runs no more is as good as cancelled. What is no command that we know gets an answer without
 * a result, as the order of the results counts.
 *
 * The poll is made anew for as long as the group lives, whatever it ended with; after a failure
 * that rpc does not try again, and after an answer that came empty without having waited, only
 * after a pause. It goes by the channel of one worker, and when that leaves, by another one's.
 */
#include "worker/commands.h"

#include <string.h>

#include "client/workers.h"
#include "proto/codec.h"
#include "proto/wire.h"
#include "rpc/methods.h"
#include "worker/act.h"
#include "worker/event.h"
#include "worker/group.h"
#include "worker/worker.h"

#define MS_NS          INT64_C(1000000)
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS   10000
#define EMPTY_MIN_MS   100 /* servers keep a poll waiting for a minute */
#define COMMANDS_TAG \
	(1 << 3 | WIRE_LEN) /* ExecuteCommandsRequest.commands and its answer's results */

/* ---- the messages ---- */

bool worker_commands_read(struct arena *arena, const uint8_t *data, size_t len,
	Worker__WorkerCommand ***commands, size_t *n)
{
	const uint8_t *at = data, *end = len ? data + len : data;

	*n = 0;
	*commands =
		arena_array(arena, len / 2 + 1, sizeof(**commands)); /* two bytes each at least */
	if (!*commands)
		return false;
	while (at < end) {
		uint32_t tag, size;

		at = wire_read_short(at, end, &tag);
		at = at && tag == COMMANDS_TAG ? wire_read_len(at, end, &size) : NULL;
		if (!at)
			return false;
		Worker__WorkerCommand *command = proto_decode(
			arena, &worker__worker_command__descriptor, at, size, NULL, NULL);

		if (!command)
			return false;
		(*commands)[(*n)++] = command;
		at += size;
	}
	return true;
}

static bool is_cancel(const Worker__WorkerCommand *command)
{
	return command->type_case == WORKER__WORKER_COMMAND__TYPE_CANCEL_ACTIVITY;
}

bool worker_commands_answer(
	struct arena *arena, Worker__WorkerCommand *const *commands, size_t n, struct bytes *out)
{
	/* A CancelActivityResult has no fields: the oneof's tag, and the length 0. */
	static const uint8_t cancelled[] = { COMMANDS_TAG, 2, 1 << 3 | WIRE_LEN, 0 };
	static const uint8_t nothing[] = { COMMANDS_TAG, 0 };

	out->ptr = arena_alloc(arena, n * sizeof(cancelled) + 1);
	out->len = 0;
	if (!out->ptr)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t size = is_cancel(commands[i]) ? sizeof(cancelled) : sizeof(nothing);

		memcpy(out->ptr + out->len, is_cancel(commands[i]) ? cancelled : nothing, size);
		out->len += size;
	}
	return true;
}

/* ---- doing ---- */

static bool cancel_in(struct temporal_worker *worker, const ProtobufCBinaryData *token)
{
	for (struct act *act = worker->acts; act; act = act->next) {
		const ProtobufCBinaryData *own = &act->task->task_token;

		if (act->is_local || act->ended || own->len != token->len ||
			memcmp(own->data, token->data, token->len) != 0)
			continue;
		worker_act_cancel(act, ACT_CANCEL_REQUESTED, false);
		return true;
	}
	return false;
}

static void cancel(struct worker_group *group, const ProtobufCBinaryData *token)
{
	struct temporal_worker *worker = token->len > 0 ? group->first : NULL;

	while (worker && !cancel_in(worker, token))
		worker = worker->next_in_group;
}

/* ---- the answer ---- */

static void answered(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_group *group = user;

	if (reply->code != TEMPORAL_OK && group->first)
		worker_log(group->first, TEMPORAL_LOG_DEBUG, "answering a worker's command: %s",
			reply->error.message);
	arena_finish(&reply->arena);
	worker_group_call_over(group);
}

static void answer(struct worker_group *group,
	const Workflowservice__PollNexusTaskQueueResponse *task, const struct bytes *results)
{
	Workflowservice__RespondNexusTaskCompletedRequest message =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT;
	Nexus__Response response = NEXUS__RESPONSE__INIT;
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Sync sync = NEXUS__START_OPERATION_RESPONSE__SYNC__INIT;
	Common__Payload payload = COMMON__PAYLOAD__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_respond_nexus_task_completed,
		.message = &message,
		.retry = RPC_RETRY_REPORT,
		.done = answered,
		.user = group,
	};

	payload.data.data = results->ptr;
	payload.data.len = results->len;
	sync.payload = &payload;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start.sync_success = &sync;
	response.variant_case = NEXUS__RESPONSE__VARIANT_START_OPERATION;
	response.start_operation = &start;
	message.namespace_ = group->first->namespace_;
	message.identity = group->first->opts.identity;
	message.task_token = task->task_token;
	message.response = &response;
	if (rpc_start(group->first->channel, &request, NULL))
		group->open_calls++;
}

/* ---- polling ---- */

static void execute(struct worker_group *group,
	const Workflowservice__PollNexusTaskQueueResponse *task, struct arena *arena)
{
	const Nexus__StartOperationRequest *start =
		task->request && task->request->variant_case ==
					 NEXUS__REQUEST__VARIANT_START_OPERATION
			? task->request->start_operation
			: NULL;
	Worker__WorkerCommand **commands;
	struct bytes results;
	size_t n;

	if (!start || !start->payload ||
		!worker_commands_read(arena, start->payload->data.data, start->payload->data.len,
			&commands, &n)) {
		worker_log(group->first, TEMPORAL_LOG_WARN,
			"the server sent a command that cannot be read");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (is_cancel(commands[i]))
			cancel(group, &commands[i]->cancel_activity->task_token);
	}
	if (worker_commands_answer(arena, commands, n, &results))
		answer(group, task, &results);
}

static void poll_again(struct rpc_timer *timer)
{
	struct worker_group *group =
		(struct worker_group *)((char *)timer - offsetof(struct worker_group, poll_again));

	worker_commands_begin(group);
}

/* Longer with each failure, and with each answer that came empty at once. */
static void pause_polls(struct worker_group *group)
{
	int64_t wait_ms = group->pause_ms ? group->pause_ms * 2 : PAUSE_FIRST_MS;

	group->pause_ms = wait_ms < PAUSE_MAX_MS ? wait_ms : PAUSE_MAX_MS;
	rpc_timer_set(group->base.loop, &group->poll_again, rpc_now_ns() + group->pause_ms * MS_NS,
		poll_again);
}

/* It is no call's end that counts, but what it took: a poll that waited says that all is well. */
static bool is_hasty(const struct worker_group *group, enum temporal_code code)
{
	return code != TEMPORAL_OK || rpc_now_ns() - group->polled_ns < EMPTY_MIN_MS * MS_NS;
}

static void polled(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_group *group = user;
	const Workflowservice__PollNexusTaskQueueResponse *task = reply->message;
	bool left = !group->poller; /* its worker has left meanwhile: that is why it ended */

	group->command_poll = NULL;
	group->poller = NULL;
	if (reply->code == TEMPORAL_OK && group->first && task->task_token.len > 0) {
		group->pause_ms = 0;
		execute(group, task, &reply->arena);
		worker_commands_begin(group);
	} else if (group->first && (left || !is_hasty(group, reply->code))) {
		group->pause_ms = 0;
		worker_commands_begin(group);
	} else if (group->first) {
		if (reply->code != TEMPORAL_OK)
			worker_log(group->first, TEMPORAL_LOG_WARN, "polling for commands: %s",
				reply->error.message);
		pause_polls(group);
	}
	arena_finish(&reply->arena);
	worker_group_call_over(group);
}

/* Without memory for the call it is made later. */
void worker_commands_begin(struct worker_group *group)
{
	Workflowservice__PollNexusTaskQueueRequest message =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_REQUEST__INIT;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_poll_nexus_task_queue,
		.message = &message,
		.retry = RPC_RETRY_LONG_POLL,
		.done = polled,
		.user = group,
	};

	queue.name = group->control_queue;
	queue.kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_WORKER_COMMANDS;
	message.namespace_ = group->first->namespace_;
	message.identity = group->first->opts.identity;
	message.worker_instance_key = group->key;
	message.task_queue = &queue;
	group->polled_ns = rpc_now_ns();
	group->poller = group->first;
	group->command_poll = rpc_start(group->first->channel, &request, NULL);
	if (group->command_poll)
		group->open_calls++;
	else
		pause_polls(group);
}

void worker_commands_leave(struct worker_group *group, const struct temporal_worker *worker)
{
	if (!group->first)
		rpc_timer_stop(&group->poll_again);
	if (!group->command_poll || group->poller != worker)
		return;
	/* The channel may go with the worker; another one's poll follows. */
	group->poller = NULL;
	rpc_cancel(group->command_poll);
}
