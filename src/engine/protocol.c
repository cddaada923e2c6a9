/*
 * protocol.c: the messages that come with a workflow task. The only protocol is the update; its
 * machine is not built yet, so that each request is answered by a rejection, which its caller gets
 * to see.
 *
 * The thread that owns the run.
 *
 * Every request gets an answer with the task's completion, because its caller waits for one. A kind
 * of message that is not known here cannot be answered, so it fails the task before the workflow
 * has run.
 */
#include <string.h>

#include "engine/run.h"
#include "proto/codec.h"

#define REQUEST_TYPE   "temporal.api.update.v1.Request"
#define REJECTION_TYPE "type.googleapis.com/temporal.api.update.v1.Rejection"

#define NEW(arena_, Type_, INIT_) ((Type_ *)arena_memdup((arena_), &(Type_)INIT_, sizeof(Type_)))

/*
 * By the name behind the last slash, as protobuf's Any prescribes: what stands before it is
 * anybody's.
 */
static bool is_update_request(const Protocol__Message *message)
{
	const char *url = message->body ? text_or_empty(message->body->type_url) : "";
	const char *name = strrchr(url, '/');

	return strcmp(name ? name + 1 : url, REQUEST_TYPE) == 0;
}

/* Seen to when the task begins, before the workflow has done work that could not be answered. */
bool protocol_check(struct engine_run *run)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = run->task->response;

	for (size_t i = 0; response && i < response->n_messages; i++) {
		const Protocol__Message *message = response->messages[i];

		if (!is_update_request(message))
			return run_fatal(run, "this SDK cannot handle the message %s of type %s",
				text_or_empty(message->id),
				message->body ? text_or_empty(message->body->type_url) : "");
		if (message->sequencing_id_case != PROTOCOL__MESSAGE__SEQUENCING_ID_EVENT_ID)
			return run_fatal(run,
				"the update request %s does not say behind which event it comes",
				text_or_empty(message->id));
	}
	return true;
}

/* What the caller of the update gets to see. */
static Failure__Failure *new_refusal(struct arena *arena)
{
	Failure__Failure *failure = NEW(arena, Failure__Failure, FAILURE__FAILURE__INIT);
	Failure__ApplicationFailureInfo *info = NEW(
		arena, Failure__ApplicationFailureInfo, FAILURE__APPLICATION_FAILURE_INFO__INIT);

	if (!failure || !info)
		return NULL;
	failure->message = "this worker's SDK does not handle workflow updates yet";
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	info->type = "UpdateNotSupported";
	info->non_retryable = true;
	return failure;
}

/*
 * The request goes back with its rejection: the server kept nothing of it. The answer's id is
 * derived from the request's, as the core SDK does.
 */
static bool fill_rejection(
	struct engine_run *run, const Protocol__Message *request, Protocol__Message *answer)
{
	struct arena *arena = &run->task->arena;
	Update__Rejection rejection = UPDATE__REJECTION__INIT;
	struct bytes encoded;

	rejection.rejected_request_message_id = text_or_empty(request->id);
	rejection.rejected_request_sequencing_event_id = request->event_id;
	rejection.failure = new_refusal(arena);
	rejection.rejected_request = proto_decode(arena, &update__request__descriptor,
		request->body->value.data, request->body->value.len, NULL, NULL);
	if (!rejection.failure)
		return run_no_memory(run);
	if (!rejection.rejected_request)
		return run_fatal(
			run, "the update request %s cannot be decoded", text_or_empty(request->id));
	if (proto_encode(arena, &rejection, 0, &encoded, NULL))
		return run_no_memory(run);
	answer->id = arena_printf(arena, "%s/reject", text_or_empty(request->id));
	answer->protocol_instance_id = text_or_empty(request->protocol_instance_id);
	answer->body = NEW(arena, Google__Any, GOOGLE__ANY__INIT);
	if (!answer->id || !answer->body)
		return run_no_memory(run);
	answer->body->type_url = REJECTION_TYPE;
	answer->body->value = (ProtobufCBinaryData){ .len = encoded.len, .data = encoded.ptr };
	return true;
}

bool protocol_reject_all(
	struct engine_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *request)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = run->task->response;
	struct arena *arena = &run->task->arena;

	if (!response || !response->n_messages)
		return true;
	request->messages = arena_array(arena, response->n_messages, sizeof(*request->messages));
	if (!request->messages)
		return run_no_memory(run);
	for (size_t i = 0; i < response->n_messages; i++) {
		Protocol__Message *answer = NEW(arena, Protocol__Message, PROTOCOL__MESSAGE__INIT);

		if (!answer)
			return run_no_memory(run);
		if (!fill_rejection(run, response->messages[i], answer))
			return false;
		request->messages[request->n_messages++] = answer;
	}
	return true;
}
