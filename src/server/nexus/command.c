/*
 * command.c: the two commands of a workflow: schedule an operation, request its cancellation. The
 * texts are those of the official server.
 *
 * Loop's thread.
 */

#include "proto/codec.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define TYPE(name_)  ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_
#define CAUSE(name_) ENUMS__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##name_
#define BAD_SCHEDULE CAUSE(BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES)
#define BAD_CANCEL   CAUSE(BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES)
#define ATTRIBUTES   "ScheduleNexusOperationCommandAttributes"

bool nexus_command_is(Enums__CommandType type)
{
	return type == TYPE(SCHEDULE_NEXUS_OPERATION) ||
	       type == TYPE(REQUEST_CANCEL_NEXUS_OPERATION);
}

/* ---- Checks ---- */

static bool check_name(struct decision *decision, const char *value, const char *what, size_t max)
{
	if (strlen(value) <= max)
		return true;
	return command_refuse(
		decision, BAD_SCHEDULE, ATTRIBUTES ".%s exceeds length limit of %zu", what, max);
}

static bool check_timeout(
	struct decision *decision, const Google__Duration *duration, const char *what)
{
	if (!duration)
		return true;
	if ((duration->seconds > 0 && duration->nanos < 0) ||
		(duration->seconds < 0 && duration->nanos > 0))
		return command_refuse(decision, BAD_SCHEDULE,
			ATTRIBUTES ".%s is invalid: duration has seconds and nanos with different "
				   "signs",
			what);
	if (duration->seconds < 0 || duration->nanos < 0)
		return command_refuse(decision, BAD_SCHEDULE,
			ATTRIBUTES ".%s is invalid: negative duration", what);
	return true;
}

static bool is_disallowed(const char *key)
{
	static const char *const keys[] = { "request-timeout", "xdc-redirection-api",
		"xdc-redirection-source-cell", "xdc-redirection", "caller-name", "caller-type",
		"call-initiation", "temporal-principal-type", "temporal-principal-name" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (str_same(key, keys[i]))
			return true;
	}
	return false;
}

static bool check_header(
	struct decision *decision, const Command__ScheduleNexusOperationCommandAttributes *in)
{
	size_t size = 0;

	for (size_t i = 0; i < in->n_nexus_header; i++) {
		const char *key = in->nexus_header[i]->key;
		const char *small = arena_lower(decision->request->arena, key);

		size += strlen(key) + strlen(in->nexus_header[i]->value);
		if (small && is_disallowed(small))
			return command_refuse(decision, BAD_SCHEDULE,
				ATTRIBUTES ".NexusHeader contains a disallowed header key: \"%s\"",
				key);
	}
	if (size <= SERVER_NEXUS_HEADER_MAX)
		return true;
	return command_refuse(decision, BAD_SCHEDULE, ATTRIBUTES ".NexusHeader exceeds size limit");
}

/* Operations that will be pending when this command is applied. */
static bool check_number(struct decision *decision, size_t index)
{
	size_t n = decision->execution->n_nexus_operations;

	for (size_t i = 0; i < index; i++)
		n += decision->message->commands[i]->command_type == TYPE(SCHEDULE_NEXUS_OPERATION);
	if (n < SERVER_NEXUS_PENDING_MAX)
		return true;
	return command_refuse(decision, CAUSE(PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED),
		"workflow has reached the pending nexus operation limit of %d for this namespace",
		SERVER_NEXUS_PENDING_MAX);
}

static bool check_schedule(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];
	const Command__ScheduleNexusOperationCommandAttributes *in =
		command->schedule_nexus_operation_command_attributes;

	if (!command_has_attributes(command))
		return command_refuse(decision, BAD_SCHEDULE, "empty " ATTRIBUTES);
	if (!nexus_endpoint_by_name(decision->execution->server, in->endpoint))
		return command_refuse(
			decision, BAD_SCHEDULE, "endpoint \"%s\" not found", in->endpoint);
	if (!check_name(decision, in->service, "Service", SERVER_ID_MAX) ||
		!check_name(decision, in->operation, "Operation", SERVER_ID_MAX) ||
		!check_timeout(decision, in->schedule_to_close_timeout, "ScheduleToCloseTimeout") ||
		!check_timeout(decision, in->schedule_to_start_timeout, "ScheduleToStartTimeout") ||
		!check_timeout(decision, in->start_to_close_timeout, "StartToCloseTimeout"))
		return false;
	if (in->input &&
		server_over(proto_size(in->input), decision->execution->server->config.blob_max)) {
		decision->terminate = true;
		return command_refuse(
			decision, BAD_SCHEDULE, ATTRIBUTES ".Input exceeds size limit");
	}
	return check_header(decision, in) && check_number(decision, index);
}

/* Will a command before this one schedule the event of that number? Every command is one event. */
static bool scheduled_before(const struct decision *decision, size_t index, int64_t id)
{
	const struct execution *execution = decision->execution;
	int64_t first = execution->next_event_id + (execution->task_transient ? 2 : 0) + 1;

	return id >= first && id < first + (int64_t)index &&
	       decision->message->commands[id - first]->command_type ==
		       TYPE(SCHEDULE_NEXUS_OPERATION);
}

static bool canceled_before(const struct decision *decision, size_t index, int64_t id)
{
	for (size_t i = 0; i < index; i++) {
		const Command__Command *command = decision->message->commands[i];

		if (command->command_type == TYPE(REQUEST_CANCEL_NEXUS_OPERATION) &&
			command->request_cancel_nexus_operation_command_attributes
					->scheduled_event_id == id)
			return true;
	}
	return false;
}

static bool check_cancel(struct decision *decision, size_t index)
{
	const Command__Command *command = decision->message->commands[index];

	if (!command_has_attributes(command))
		return command_refuse(
			decision, BAD_CANCEL, "empty CancelNexusOperationCommandAttributes");
	int64_t id = command->request_cancel_nexus_operation_command_attributes->scheduled_event_id;
	const struct nexus_operation *operation = nexus_operation_find(decision->execution, id);
	if (!operation && !scheduled_before(decision, index, id) &&
		!nexus_end_buffered(decision->execution, id))
		return command_refuse(decision, BAD_CANCEL,
			"requested cancelation for a non-existing or already completed operation "
			"with scheduled event ID of %lld",
			(long long)id);
	if ((operation && operation->cancel_requested_id) || canceled_before(decision, index, id))
		return command_refuse(decision, BAD_CANCEL,
			"cancelation was already requested for an operation with scheduled event "
			"ID %lld",
			(long long)id);
	return true;
}

bool nexus_command_check(struct decision *decision, size_t index)
{
	return decision->message->commands[index]->command_type == TYPE(SCHEDULE_NEXUS_OPERATION)
		       ? check_schedule(decision, index)
		       : check_cancel(decision, index);
}

/* ---- Effects ---- */

static Google__Duration *capped(
	struct decision *decision, Google__Duration *duration, int64_t max_ms, int64_t *ms)
{
	*ms = 0;
	if (!proto_duration_ms(duration, ms))
		*ms = INT64_MAX / NS_PER_MS;
	if (*ms == 0 || max_ms == 0 || *ms <= max_ms)
		return duration;
	*ms = max_ms;
	return proto_duration_new_ms(decision->request->arena, max_ms);
}

/* Time-outs within those around them. */
static void take_timeouts(struct decision *decision,
	const Command__ScheduleNexusOperationCommandAttributes *in,
	History__NexusOperationScheduledEventAttributes *out, struct nexus_operation *operation)
{
	int64_t run_ms = decision->execution->run_timeout_ms;

	out->schedule_to_close_timeout = capped(
		decision, in->schedule_to_close_timeout, run_ms, &operation->schedule_to_close_ms);
	if (run_ms && operation->schedule_to_close_ms == 0) {
		operation->schedule_to_close_ms = run_ms;
		out->schedule_to_close_timeout =
			proto_duration_new_ms(decision->request->arena, run_ms);
	}
	out->schedule_to_start_timeout = capped(decision, in->schedule_to_start_timeout,
		operation->schedule_to_close_ms, &operation->schedule_to_start_ms);
	out->start_to_close_timeout = capped(decision, in->start_to_close_timeout,
		operation->schedule_to_close_ms, &operation->start_to_close_ms);
}

#define ENTRY_TYPE(what_) \
	history__nexus_operation_scheduled_event_attributes__nexus_header_entry__##what_

static void take_header(struct decision *decision,
	const Command__ScheduleNexusOperationCommandAttributes *in,
	History__NexusOperationScheduledEventAttributes *out)
{
	struct arena *arena = decision->request->arena;

	out->nexus_header = arena_array(arena, in->n_nexus_header, sizeof(*out->nexus_header));
	for (size_t i = 0; i < in->n_nexus_header && out->nexus_header; i++) {
		History__NexusOperationScheduledEventAttributes__NexusHeaderEntry *entry =
			request_message(decision->request, &ENTRY_TYPE(descriptor));

		entry->key = arena_lower(arena, in->nexus_header[i]->key);
		entry->value = in->nexus_header[i]->value;
		out->nexus_header[out->n_nexus_header++] = entry;
	}
}

static void schedule(struct decision *decision, const Command__Command *command)
{
	const Command__ScheduleNexusOperationCommandAttributes *in =
		command->schedule_nexus_operation_command_attributes;
	struct server *server = decision->execution->server;
	const struct nexus_endpoint *endpoint = nexus_endpoint_by_name(server, in->endpoint);
	struct nexus_operation *operation = nexus_operation_new(decision->execution);
	History__NexusOperationScheduledEventAttributes out =
		HISTORY__NEXUS_OPERATION_SCHEDULED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);
	char request_id[SERVER_UUID_SIZE];

	if (!operation)
		return;
	server_uuid(&server->io, request_id);
	out.endpoint = in->endpoint;
	out.endpoint_id = endpoint->id;
	out.service = in->service;
	out.operation = in->operation;
	out.input = in->input;
	out.request_id = request_id;
	out.workflow_task_completed_event_id = decision->completed_id;
	take_timeouts(decision, in, &out, operation);
	take_header(decision, in, &out);
	operation->scheduled_id = event_add_with(decision->execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_SCHEDULED, &out, &extras);
	operation->state =
		ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_SCHEDULED;
	operation->scheduled_ns = server->now_ns;
	state_set_text(server, &operation->endpoint, in->endpoint);
	state_set_text(server, &operation->endpoint_id, endpoint->id);
	state_set_text(server, &operation->service, in->service);
	state_set_text(server, &operation->operation, in->operation);
	state_set_text(server, &operation->request_id, request_id);
	nexus_operation_record(operation);
	nexus_operation_arm(operation);
	nexus_operation_start(operation);
}

static void cancel(struct decision *decision, const Command__Command *command)
{
	int64_t id = command->request_cancel_nexus_operation_command_attributes->scheduled_event_id;
	struct nexus_operation *operation = nexus_operation_find(decision->execution, id);
	History__NexusOperationCancelRequestedEventAttributes out =
		HISTORY__NEXUS_OPERATION_CANCEL_REQUESTED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);

	out.scheduled_event_id = id;
	out.workflow_task_completed_event_id = decision->completed_id;
	int64_t event_id = event_add_with(decision->execution,
		ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED, &out, &extras);
	if (!operation) /* its end is buffered */
		return;
	operation->cancel_requested_id = event_id;
	if (operation->state ==
		ENUMS__PENDING_NEXUS_OPERATION_STATE__PENDING_NEXUS_OPERATION_STATE_STARTED)
		nexus_operation_cancel(operation);
	nexus_operation_record(operation);
}

void nexus_command_apply(struct decision *decision, const Command__Command *command)
{
	if (command->command_type == TYPE(SCHEDULE_NEXUS_OPERATION))
		schedule(decision, command);
	else
		cancel(decision, command);
}
