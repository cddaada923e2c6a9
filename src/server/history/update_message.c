/*
 * update_message.c: the protocol between the server and workers about updates.
 *
 * Down goes a Request, with a workflow task. Up come Acceptance, Rejection and Response, with its
 * completion; the first and the last of them with a command that says where among the commands
 * they take place. Messages that no command names come after all commands.
 *
 * As with commands, all are checked before the first is applied. What an earlier message of the
 * same completion does to an update is kept in update.planned meanwhile.
 *
 *            Acceptance            Rejection     Response
 *   admitted accepted              rejected      wrong
 *   sent     accepted              rejected      wrong
 *   accepted wrong                 wrong         completed
 *   others   wrong                 wrong         wrong
 *
 * An update that the server has lost (a restart) comes to life again by the copy of its request
 * that the worker sends.
 *
 * Loop's thread.
 */
#include <stdlib.h>

#include "proto/codec.h"
#include "server/history/update.h"
#include "server/limits.h"
#include "temporal/api/protocol/v1/message.pb-c.h"

#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define BAD          CAUSE(BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE)
#define PACKAGE      "temporal.api.update.v1"
#define REQUEST_URL  "type.googleapis.com/" PACKAGE ".Request"

/* A message of a completion. */
struct planned {
	const void *body; /* Update__Acceptance, Update__Rejection or Update__Response */
	struct update *update;
	bool taken; /* a command has named it */
	bool applied;
};

/* A message's place, to be found by its id. */
struct place {
	const char *id;
	size_t index;
};

struct update_plan {
	struct planned *messages;
	struct place *places; /* ordered by id, then by index */
	size_t n;
};

/* ---- Down ---- */

static Google__Any *wrap(struct request *request, const struct update *update)
{
	Google__Any *any = REQUEST_NEW(request, Google__Any, google__any);

	any->type_url = REQUEST_URL;
	any->value.data = arena_memdup(request->arena, update->request.ptr, update->request.len);
	any->value.len = update->request.len;
	if (!any->value.data)
		server_no_memory(request->server);
	return any;
}

static Protocol__Message *make_request(struct request *request, const struct update *update)
{
	Protocol__Message *message = REQUEST_NEW(request, Protocol__Message, protocol__message);

	message->id = arena_printf(request->arena, "%s/request", update->id);
	message->protocol_instance_id = request_text(request, update->id);
	message->sequencing_id_case = PROTOCOL__MESSAGE__SEQUENCING_ID_EVENT_ID;
	/* The worker handles it after all events before the start of the task. */
	message->event_id = update->execution->task_started_id - 1;
	message->body = wrap(request, update);
	return message;
}

void update_send(struct execution *execution, struct request *request, bool again,
	Workflowservice__PollWorkflowTaskQueueResponse *response)
{
	if (!update_pending(execution))
		return;
	response->messages =
		arena_array(request->arena, execution->updates.n_open, sizeof(*response->messages));
	for (struct update *at = execution->updates.first; at && response->messages;
		at = at->next) {
		if (at->state != UPDATE_ADMITTED && !(again && at->state == UPDATE_SENT))
			continue;
		at->state = UPDATE_SENT;
		/* One with an event of its own is known by that. */
		if (at->request.len)
			response->messages[response->n_messages++] = make_request(request, at);
	}
	if (!response->messages)
		server_no_memory(request->server);
}

/* ---- Up: checking ---- */

static int by_id(const void *a, const void *b)
{
	const struct place *left = a, *right = b;
	int order = strcmp(left->id, right->id);

	if (order)
		return order;
	return left->index < right->index ? -1 : left->index > right->index;
}

bool update_check_begin(struct decision *decision)
{
	struct arena *arena = decision->request->arena;
	size_t n = decision->message->n_messages;
	struct update_plan *plan = arena_zalloc(arena, sizeof(*plan));

	decision->plan = plan;
	if (!plan || !n)
		return plan;
	plan->n = n;
	plan->messages = arena_array(arena, n, sizeof(*plan->messages));
	plan->places = arena_array(arena, n, sizeof(*plan->places));
	if (!plan->messages || !plan->places)
		return false;
	for (size_t i = 0; i < n; i++) {
		plan->messages[i] = (struct planned){ 0 };
		plan->places[i] = (struct place){ decision->message->messages[i]->id, i };
	}
	qsort(plan->places, n, sizeof(*plan->places), by_id);
	for (struct update *at = decision->execution->updates.first; at; at = at->next)
		at->planned = at->state;
	return true;
}

/* The first message of that id, or NULL. */
static struct planned *find_message(const struct update_plan *plan, const char *id, size_t *index)
{
	size_t low = 0, high = plan->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(plan->places[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == plan->n || !str_same(plan->places[low].id, id))
		return NULL;
	*index = plan->places[low].index;
	return &plan->messages[*index];
}

/* The completion is wrong, but its task goes on. */
static bool refuse(struct decision *decision, enum temporal_code code, const char *text)
{
	decision->refused = code;
	decision->text = text;
	return false;
}

/* The type of the body, "temporal.api.update.v1.Rejection", or NULL: refused. */
static const char *type_of(struct decision *decision, const Protocol__Message *message)
{
	const char *name, *slash;

	if (!message->body) {
		refuse(decision, TEMPORAL_INVALID_ARGUMENT, "nil message body");
		return NULL;
	}
	slash = strrchr(message->body->type_url, '/');
	name = slash ? slash + 1 : message->body->type_url;
	if (str_empty(name)) {
		refuse(decision, TEMPORAL_INVALID_ARGUMENT, "no message name specified");
		return NULL;
	}
	if (!strrchr(name, '.')) {
		refuse(decision, TEMPORAL_INVALID_ARGUMENT,
			arena_printf(decision->request->arena,
				"failed to extract protocol type: no . found in \"%s\"", name));
		return NULL;
	}
	return name;
}

static const ProtobufCMessageDescriptor *descriptor_of(const char *type)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&update__acceptance__descriptor,
		&update__rejection__descriptor,
		&update__response__descriptor,
		&update__request__descriptor,
		&update__meta__descriptor,
		&update__input__descriptor,
		&update__outcome__descriptor,
		&update__wait_policy__descriptor,
		&update__update_ref__descriptor,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_same(types[i]->name, type))
			return types[i];
	}
	return NULL;
}

static const ProtobufCMessageDescriptor *kind_of(const void *body)
{
	return ((const ProtobufCMessage *)body)->descriptor;
}

static bool is_kind(const void *body, const ProtobufCMessageDescriptor *kind)
{
	return kind_of(body) == kind;
}

/* The message's body, decoded. NULL: the task fails. */
static const void *decode(struct decision *decision, const char *type, ProtobufCBinaryData value)
{
	const ProtobufCMessageDescriptor *descriptor = descriptor_of(type);
	const void *body;

	if (!descriptor) {
		command_refuse(decision, BAD, "unable to unmarshal request: proto: not found");
		return NULL;
	}
	body = proto_decode(
		decision->request->arena, descriptor, value.data, value.len, NULL, NULL);
	if (!body)
		command_refuse(decision, BAD,
			"unable to unmarshal request: proto: cannot parse invalid wire-format "
			"data");
	return body;
}

/* What the worker sends back of a request that the server may have lost. */
static const Update__Request *copy_of_request(const void *body)
{
	if (is_kind(body, &update__acceptance__descriptor))
		return ((const Update__Acceptance *)body)->accepted_request;
	if (is_kind(body, &update__rejection__descriptor))
		return ((const Update__Rejection *)body)->rejected_request;
	return NULL;
}

/* The update that the message is about; a lost one comes to life. NULL: refused. */
static struct update *subject(
	struct decision *decision, const char *id, const Google__Any *message, const char *type)
{
	struct execution *execution = decision->execution;
	struct update *update = update_find(execution, id);
	const char *over = update ? NULL : update_over_total(execution, decision->request->arena);
	const Update__Request *request;
	const void *body;

	if (update) {
		if (update->state == UPDATE_COMPLETED)
			update->planned = UPDATE_COMPLETED;
		return update;
	}
	if (over) {
		refuse(decision, TEMPORAL_FAILED_PRECONDITION, over);
		return NULL;
	}
	body = decode(decision, type, message->value);
	request = body ? copy_of_request(body) : NULL;
	if (body && !request)
		command_refuse(decision, BAD,
			"update %s wasn't found on the server. This is most likely a transient "
			"error which will be resolved automatically by retries",
			id);
	if (!request)
		return NULL;
	update = update_new(execution, id, request);
	if (update)
		update->resurrected = true;
	return update;
}

/* A state in the words of the official server; `now`: it was reached in this completion. */
static const char *name_of(const struct update *update)
{
	bool now = update->planned != update->state;

	switch (update->planned) {
	case UPDATE_ADMITTED:
		return "Admitted";
	case UPDATE_SENT:
		return "Sent";
	case UPDATE_ACCEPTED:
		return now ? "ProvisionallyAccepted" : "Accepted";
	case UPDATE_ABORTED:
		return "Aborted";
	default:
		return now ? "ProvisionallyCompleted" : "Completed";
	}
}

static bool is_waiting(const struct update *update)
{
	return update->planned == UPDATE_ADMITTED || update->planned == UPDATE_SENT;
}

static bool wrong_state(struct decision *decision, const struct update *update, const char *kind)
{
	return command_refuse(decision, BAD,
		"invalid state transition attempted for Update %s: received *update.%s message "
		"while in state %s",
		update->id, kind, name_of(update));
}

static bool missing(struct decision *decision, const char *kind, const char *field)
{
	return command_refuse(decision, BAD, "invalid *update.%s: %s is not set", kind, field);
}

static bool check_acceptance(
	struct decision *decision, struct update *update, const Update__Acceptance *in)
{
	if (!is_waiting(update))
		return wrong_state(decision, update, "Acceptance");
	if (!in->accepted_request_sequencing_event_id)
		return missing(decision, "Acceptance", "accepted_request_sequencing_event_id");
	if (str_empty(in->accepted_request_message_id))
		return missing(decision, "Acceptance", "accepted_request_message_id");
	update->planned = UPDATE_ACCEPTED;
	return true;
}

static bool check_rejection(struct decision *decision, struct update *update)
{
	if (!is_waiting(update))
		return wrong_state(decision, update, "Rejection");
	update->planned = UPDATE_REJECTED;
	return true;
}

static bool check_response(
	struct decision *decision, struct update *update, const Update__Response *in)
{
	if (update->planned != UPDATE_ACCEPTED)
		return wrong_state(decision, update, "Response");
	if (!in->meta)
		return missing(decision, "Response", "meta");
	if (str_empty(in->meta->update_id))
		return missing(decision, "Response", "meta.update_id");
	if (!str_same(in->meta->update_id, update->id))
		return command_refuse(decision, BAD,
			"invalid *update.Response: meta.update_id != %s", update->id);
	if (!in->outcome)
		return missing(decision, "Response", "outcome");
	update->planned = UPDATE_COMPLETED;
	return true;
}

static bool check_body(struct decision *decision, const struct planned *planned)
{
	const void *body = planned->body;

	/* After a command that ends the run only a rejection has an effect. */
	if (is_kind(body, &update__rejection__descriptor))
		return check_rejection(decision, planned->update);
	if (decision->closes)
		return true;
	if (is_kind(body, &update__acceptance__descriptor))
		return check_acceptance(decision, planned->update, body);
	if (is_kind(body, &update__response__descriptor))
		return check_response(decision, planned->update, body);
	return command_refuse(decision, BAD, "Message type *update.%s not supported",
		strrchr(kind_of(body)->name, '.') + 1);
}

static bool check_message(struct decision *decision, size_t index)
{
	const Protocol__Message *message = decision->message->messages[index];
	struct planned *planned = &decision->plan->messages[index];
	const char *type = type_of(decision, message), *dot;

	planned->taken = true;
	if (!type)
		return false;
	if (server_over(proto_size(message->body), decision->execution->server->config.blob_max)) {
		decision->terminate = true;
		return command_refuse(decision, BAD, "Message type %s exceeds size limit.", type);
	}
	dot = strrchr(type, '.');
	if ((size_t)(dot - type) != strlen(PACKAGE) || strncmp(type, PACKAGE, strlen(PACKAGE)) != 0)
		return command_refuse(
			decision, BAD, "unsupported protocol type %.*s", (int)(dot - type), type);
	planned->update = subject(decision, message->protocol_instance_id, message->body, type);
	if (!planned->update)
		return false;
	planned->body = decode(decision, type, message->body->value);
	return planned->body && check_body(decision, planned);
}

bool update_check_command(struct decision *decision, const Command__Command *command)
{
	const char *id = command->protocol_message_command_attributes->message_id;
	struct planned *planned;
	size_t index = 0;

	if (str_empty(id))
		return command_refuse(
			decision, BAD, "MessageID is not set on ProtocolMessageCommand.");
	planned = find_message(decision->plan, id, &index);
	if (!planned || planned->taken)
		return command_refuse(decision, BAD,
			"ProtocolMessageCommand referenced absent message ID %s", id);
	return check_message(decision, index);
}

bool update_check_rest(struct decision *decision)
{
	for (size_t i = 0; i < decision->plan->n; i++) {
		if (!decision->plan->messages[i].taken && !check_message(decision, i))
			return false;
	}
	return true;
}

/* ---- Up: applying ---- */

static void accept(struct update *update, const Update__Acceptance *in, struct arena *arena)
{
	History__WorkflowExecutionUpdateAcceptedEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_UPDATE_ACCEPTED_EVENT_ATTRIBUTES__INIT;

	out.protocol_instance_id = update->id;
	out.accepted_request_message_id = arena_printf(arena, "%s/request", update->id);
	out.accepted_request_sequencing_event_id = in->accepted_request_sequencing_event_id;
	/* An admitted event holds the request already. */
	if (update->request.len)
		out.accepted_request = proto_decode(arena, &update__request__descriptor,
			update->request.ptr, update->request.len, NULL, NULL);
	if (!out.accepted_request_message_id || (update->request.len && !out.accepted_request))
		server_no_memory(update->execution->server);
	update->accepted_id = event_add(update->execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, &out);
	update->state = UPDATE_ACCEPTED;
	update->resurrected = false;
	state_set_bytes(update->execution->server, &update->request, NULL);
	update_record(update);
}

static void complete(struct update *update, const Update__Response *in)
{
	History__WorkflowExecutionUpdateCompletedEventAttributes out =
		HISTORY__WORKFLOW_EXECUTION_UPDATE_COMPLETED_EVENT_ATTRIBUTES__INIT;

	out.accepted_event_id = update->accepted_id;
	out.meta = in->meta;
	out.outcome = in->outcome;
	update->completed_id = event_add(update->execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED, &out);
	update->state = UPDATE_COMPLETED;
	update->outcome = in->outcome;
	update_record(update);
}

static void reject(struct update *update, Failure__Failure *failure, struct request *request)
{
	Update__Outcome *outcome = REQUEST_NEW(request, Update__Outcome, update__outcome);

	outcome->value_case = UPDATE__OUTCOME__VALUE_FAILURE;
	outcome->failure =
		failure ? failure : REQUEST_NEW(request, Failure__Failure, failure__failure);
	update->outcome = outcome;
	update->state = UPDATE_REJECTED;
}

static void apply(struct decision *decision, size_t index)
{
	struct planned *planned = &decision->plan->messages[index];
	struct update *update = planned->update;
	const void *body = planned->body;

	planned->applied = true;
	if (is_kind(body, &update__rejection__descriptor))
		reject(update, ((const Update__Rejection *)body)->failure, decision->request);
	else if (!state_running(decision->execution))
		return;
	else if (is_kind(body, &update__acceptance__descriptor))
		accept(update, body, decision->request->arena);
	else
		complete(update, body);
}

void update_apply_command(struct decision *decision, const Command__Command *command)
{
	size_t index = 0;

	if (find_message(decision->plan, command->protocol_message_command_attributes->message_id,
		    &index))
		apply(decision, index);
}

/* The worker has completed its task, and said nothing about these. */
static void reject_unprocessed(struct decision *decision)
{
	struct request *request = decision->request;

	for (struct update *at = decision->execution->updates.first; at; at = at->next) {
		if (at->state != UPDATE_SENT)
			continue;
		Failure__Failure *failure =
			REQUEST_NEW(request, Failure__Failure, failure__failure);
		Failure__ApplicationFailureInfo *info = REQUEST_NEW(request,
			Failure__ApplicationFailureInfo, failure__application_failure_info);
		info->type = "UnprocessedUpdate";
		info->non_retryable = true;
		failure->message = "Workflow Update is rejected because it wasn't processed by "
				   "worker. Probably, Workflow Update is not supported by the "
				   "worker.";
		failure->source = "Server";
		failure->failure_info_case =
			FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
		failure->application_failure_info = info;
		reject(at, failure, request);
	}
}

void update_apply_rest(struct decision *decision)
{
	for (size_t i = 0; i < decision->plan->n; i++) {
		if (!decision->plan->messages[i].applied)
			apply(decision, i);
	}
	if (!state_running(decision->execution)) {
		update_close(decision->execution);
		return;
	}
	if (!decision->message->force_create_new_workflow_task)
		reject_unprocessed(decision);
	update_settle(decision->execution);
}
