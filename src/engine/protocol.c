/*
 * protocol.c: the messages that come and go with workflow tasks. The only protocol is the update:
 * a request comes, an acceptance, a rejection or a response goes (machine_update.c).
 *
 *	live     the poll's messages -> requests -> delivered before the event that stands behind
 *	         their place in history
 *	replay   UpdateAccepted of the sequence to come -> a request for this one
 *	both     UpdateAdmitted, for updates that outlive a reset: a request of history's own
 *
 * The thread that owns the run.
 *
 * On replay the server does not send the messages again: the event that accepted the update keeps
 * the request. It stands behind the task that had seen the request, so it is looked up ahead, and
 * the workflow gets it in the same activation as the first time. A request that was rejected left
 * nothing, and is not seen again.
 *
 * A kind of message that is not known here cannot be answered, so it fails the task before the
 * workflow has run.
 */
#include <string.h>

#include "engine/run.h"
#include "proto/codec.h"

#define TYPE_PREFIX  "type.googleapis.com/"
#define REQUEST_TYPE "temporal.api.update.v1.Request"

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

static bool take(
	struct engine_run *run, const Protocol__Message *message, struct update_request *request)
{
	if (!is_update_request(message))
		return run_fatal(run, "this SDK cannot handle the message %s of type %s",
			text_or_empty(message->id),
			message->body ? text_or_empty(message->body->type_url) : "");
	if (message->sequencing_id_case != PROTOCOL__MESSAGE__SEQUENCING_ID_EVENT_ID)
		return run_fatal(run,
			"the update request %s does not say behind which event it comes",
			text_or_empty(message->id));
	*request = (struct update_request){
		.message_id = text_or_empty(message->id),
		.instance_id = text_or_empty(message->protocol_instance_id),
		.event_id = message->event_id,
		.request = proto_decode(&run->task->arena, &update__request__descriptor,
			message->body->value.data, message->body->value.len, NULL, NULL),
	};
	return request->request || run_fatal(run, "the update request %s cannot be decoded",
					   text_or_empty(message->id));
}

/* Seen to when the task begins, before the workflow has done work that could not be answered. */
bool protocol_take(struct engine_run *run)
{
	struct task *task = run->task;
	const Workflowservice__PollWorkflowTaskQueueResponse *response = task->response;

	if (!response->n_messages)
		return true;
	task->requests = arena_array(&task->arena, response->n_messages, sizeof(*task->requests));
	if (!task->requests)
		return run_no_memory(run);
	for (size_t i = 0; i < response->n_messages; i++) {
		if (!take(run, response->messages[i], &task->requests[i]))
			return false;
		task->n_requests = i + 1;
	}
	return true;
}

/* Those that stay keep their order: it is the order in which they came. */
bool protocol_deliver(struct engine_run *run, int64_t event_id)
{
	struct task *task = run->task;
	size_t kept = 0;

	for (size_t i = 0; i < task->n_requests; i++) {
		struct update_request request = task->requests[i];

		if (request.event_id >= event_id)
			task->requests[kept++] = request;
		else if (!machine_update_request(run, &request))
			return false;
	}
	task->n_requests = kept;
	return true;
}

/* The list grows in the task's arena; a reset that carries over many updates is rare. */
static bool keep_admitted(struct engine_run *run, const struct update_request *request)
{
	struct task *task = run->task;

	if (task->n_admitted == task->admitted_room) {
		size_t room = task->admitted_room ? task->admitted_room * 2 : 4;
		struct update_request *admitted =
			arena_array(&task->arena, room, sizeof(*admitted));

		if (!admitted)
			return run_no_memory(run);
		if (task->n_admitted)
			memcpy(admitted, task->admitted, task->n_admitted * sizeof(*admitted));
		task->admitted = admitted;
		task->admitted_room = room;
	}
	task->admitted[task->n_admitted++] = *request;
	return true;
}

/*
 * The event is the request, and its own place in history. What is new goes to the workflow at once;
 * on replay only the acceptance, which may come tasks later, shows when it did. The event's memory
 * goes before that, hence the copies.
 */
bool protocol_admitted(struct engine_run *run)
{
	const History__WorkflowExecutionUpdateAdmittedEventAttributes *attributes =
		run->event->workflow_execution_update_admitted_event_attributes;
	struct arena *arena = &run->task->arena;
	const Update__Request *request = attributes->request;

	if (!request || !request->meta)
		return run_fatal(run, "%s has no request", event_describe(run, run->event));

	struct update_request admitted = {
		.instance_id = arena_strdup(arena, text_or_empty(request->meta->update_id)),
		.message_id =
			arena_printf(arena, "%s/request", text_or_empty(request->meta->update_id)),
		.event_id = run->event->event_id,
		.request = proto_copy(arena, request),
	};

	if (!admitted.instance_id || !admitted.message_id || !admitted.request)
		return run_no_memory(run);
	return run->replaying ? keep_admitted(run, &admitted)
			      : machine_update_request(run, &admitted);
}

bool protocol_accepted(struct engine_run *run, const History__HistoryEvent *event)
{
	const History__WorkflowExecutionUpdateAcceptedEventAttributes *attributes;
	struct task *task = run->task;

	attributes = event->workflow_execution_update_accepted_event_attributes;
	for (size_t i = 0; i < task->n_admitted; i++) {
		struct update_request admitted = task->admitted[i];

		if (!str_same(admitted.instance_id, attributes->protocol_instance_id))
			continue;
		task->admitted[i] = task->admitted[--task->n_admitted];
		return machine_update_request(run, &admitted);
	}
	if (!attributes->accepted_request)
		return run_fatal(
			run, "%s has no request that it accepts", event_describe(run, event));
	return machine_update_request(
		run, &(struct update_request){
			     .message_id = attributes->accepted_request_message_id,
			     .instance_id = attributes->protocol_instance_id,
			     .event_id = attributes->accepted_request_sequencing_event_id,
			     .request = attributes->accepted_request,
		     });
}

static bool keep_message(struct engine_run *run, Protocol__Message *message)
{
	struct task *task = run->task;

	if (task->n_messages == task->messages_room) {
		size_t room = task->messages_room ? task->messages_room * 2 : 4;
		Protocol__Message **messages = arena_array(&task->arena, room, sizeof(*messages));

		if (!messages)
			return run_no_memory(run);
		if (task->n_messages)
			memcpy(messages, task->messages, task->n_messages * sizeof(*messages));
		task->messages = messages;
		task->messages_room = room;
	}
	task->messages[task->n_messages++] = message;
	return true;
}

/* "Acceptance" of "temporal.api.update.v1.Acceptance" and so on is the descriptor's name. */
bool protocol_send(
	struct engine_run *run, const struct machine *machine, const char *what, const void *body)
{
	struct arena *arena = &run->task->arena;
	const ProtobufCMessage *base = body;
	struct bytes encoded;

	if (run->replaying)
		return true;

	Protocol__Message *message = NEW(arena, Protocol__Message, PROTOCOL__MESSAGE__INIT);
	Google__Any *any = NEW(arena, Google__Any, GOOGLE__ANY__INIT);

	if (!message || !any || proto_encode(arena, body, 0, &encoded, NULL))
		return run_no_memory(run);
	any->type_url = arena_printf(arena, TYPE_PREFIX "%s", base->descriptor->name);
	any->value = (ProtobufCBinaryData){ .len = encoded.len, .data = encoded.ptr };
	message->body = any;
	message->id = machine_update_message_id(machine, what, arena);
	message->protocol_instance_id = arena_strdup(arena, machine->id);
	if (!any->type_url || !message->id || !message->protocol_instance_id)
		return run_no_memory(run);
	return keep_message(run, message);
}
