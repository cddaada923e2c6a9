/*
 * machine_update.c: one update, from its request to its outcome.
 *
 *	           accept              UpdateAccepted            complete
 *	requested --------> accepted ----------------> running -----------> completing
 *	    |                   |                                               |
 *	    | reject            | complete             UpdateAccepted           | UpdateCompleted
 *	    v                   +-----> completed early -----------> completing v
 *	rejected                                                            completed
 *
 * Accepting and completing are each a message and a command that names it: the command gives the
 * message its place among the others. A rejection is a message alone and leaves nothing in history.
 *
 * What holds in each state:
 *
 *	requested          the workflow has its JOB_DO_UPDATE; nothing was said yet
 *	accepted           the command of the acceptance is in the queue, or was sent
 *	completed early    both commands are in the queue: the outcome came before the event of the
 *	                   acceptance
 *	running            history has UpdateAccepted
 *	completing         history has it, and the command of the outcome is in the queue
 *
 * On replay the request is made of the event that accepts it (protocol.c), the commands are matched
 * with the events as all are, and no message is made. After its acceptance, an update that the
 * workflow rejects has completed with that failure.
 */
#include "engine/run.h"

/* The numbers of rows and of the names below. */
enum state {
	REQUESTED,
	ACCEPTED,
	REJECTED,
	COMPLETED_EARLY,
	RUNNING,
	COMPLETING,
	COMPLETED
};

/* Positions in machine_set_texts(). */
enum text {
	INSTANCE_ID,
	MESSAGE_ID,
	UPDATE_ID,
	IDENTITY,
	TEXTS
};

/* The workflow's command is at hand while it is applied; its kind tells acceptance and outcome. */
static bool on_accept(void *self, void *context)
{
	struct machine *machine = self;
	Update__Acceptance acceptance = UPDATE__ACCEPTANCE__INIT;

	acceptance.accepted_request_message_id = machine_text(machine, MESSAGE_ID);
	acceptance.accepted_request_sequencing_event_id = machine->started_event_id;
	acceptance.accepted_request = unconst(machine->request);
	machine->request = NULL;
	return protocol_send(context, machine, "accept", &acceptance);
}

static bool on_reject(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	Update__Rejection rejection = UPDATE__REJECTION__INIT;

	rejection.rejected_request_message_id = machine_text(machine, MESSAGE_ID);
	rejection.rejected_request_sequencing_event_id = machine->started_event_id;
	rejection.rejected_request = unconst(machine->request);
	rejection.failure = unconst(run->answering->update_response.rejected);
	machine->request = NULL;
	return protocol_send(run, machine, "reject", &rejection);
}

/* An outcome without a result is a success with no payload. */
static bool on_complete(void *self, void *context)
{
	struct machine *machine = self;
	struct engine_run *run = context;
	const struct command *answer = run->answering;
	Update__Meta meta = UPDATE__META__INIT;
	Update__Outcome outcome = UPDATE__OUTCOME__INIT;
	Update__Response response = UPDATE__RESPONSE__INIT;
	Common__Payloads result = COMMON__PAYLOADS__INIT;
	Common__Payload *item = unconst(answer->update_response.completed);

	meta.update_id = machine_text(machine, UPDATE_ID);
	meta.identity = machine_text(machine, IDENTITY);
	response.meta = &meta;
	response.outcome = &outcome;
	if (answer->update_response.response == UPDATE_REJECTED) {
		outcome.value_case = UPDATE__OUTCOME__VALUE_FAILURE;
		outcome.failure = unconst(answer->update_response.rejected);
	} else {
		outcome.value_case = UPDATE__OUTCOME__VALUE_SUCCESS;
		outcome.success = &result;
		result.payloads = &item;
		result.n_payloads = item ? 1 : 0;
	}
	return protocol_send(run, machine, "complete", &response);
}

/* clang-format off */
static const struct fsm_row rows[] = {
	{ REQUESTED,       UPDATE_ACCEPT,          ACCEPTED,        on_accept },
	{ REQUESTED,       UPDATE_REJECT,          REJECTED,        on_reject },

	{ ACCEPTED,        UPDATE_WAS_ACCEPTED,    RUNNING,         NULL },
	{ ACCEPTED,        UPDATE_COMPLETE,        COMPLETED_EARLY, on_complete },

	{ COMPLETED_EARLY, UPDATE_WAS_ACCEPTED,    COMPLETING,      NULL },

	{ RUNNING,         UPDATE_COMPLETE,        COMPLETING,      on_complete },

	{ COMPLETING,      UPDATE_WAS_COMPLETED,   COMPLETED,       NULL },
};
/* clang-format on */

static const char *const states[] = { "requested", "accepted", "rejected", "accepted and completed",
	"running", "completing", "completed" };
static const char *const events[] = { "accept", "reject", "complete",
	"WorkflowExecutionUpdateAccepted", "WorkflowExecutionUpdateCompleted",
	"WorkflowExecutionUpdateRejected" };

static const struct fsm_table table = FSM_TABLE("update", rows, states, events);

const struct machine_kind machine_update = {
	.name = "update",
	.table = &table,
	.final_states = 1U << REJECTED | 1U << COMPLETED,
	.command_name = "ProtocolMessage",
};

/* Updates have names, the protocol's instance ids; their numbers are for the map alone. */
static struct machine *find(struct engine_run *run, const char *instance_id)
{
	struct machine *machine = run->updates;

	while (machine && !str_same(machine->id, instance_id))
		machine = machine->next;
	return machine;
}

static bool add_job(struct engine_run *run, const struct update_request *request)
{
	struct activation_job *job = job_add(run, JOB_DO_UPDATE);
	const Update__Meta *meta = request->request->meta;
	const Update__Input *input = request->request->input;

	if (!job)
		return false;
	job->update = (struct activation_update){
		.id = text_or_empty(meta->update_id),
		.protocol_instance_id = text_or_empty(request->instance_id),
		.name = text_or_empty(input->name),
		.input = job_payloads(input->args),
		.headers = job_headers(input->header),
		.meta = meta,
		.run_validator = !run->replaying,
	};
	return true;
}

bool machine_update_request(struct engine_run *run, const struct update_request *request)
{
	const Update__Meta *meta = request->request->meta;

	if (!meta || !request->request->input)
		return run_fatal(run, "the request of update %s has no %s",
			text_or_empty(request->instance_id), meta ? "input" : "metadata");
	if (find(run, request->instance_id))
		return run_fatal(run, "the update %s is requested while it is at work",
			text_or_empty(request->instance_id));

	struct machine *machine = machine_new_internal(run, MACHINE_UPDATE);
	const char *texts[TEXTS] = { request->instance_id, request->message_id, meta->update_id,
		meta->identity };

	if (!machine || !machine_set_texts(run, machine, texts, TEXTS))
		return false;
	machine->started_event_id = request->event_id;
	machine->request = request->request;
	machine->next = run->updates;
	run->updates = machine;
	return add_job(run, request);
}

/*
 * The command is queued before the machine moves (machine_activity.c says why). The queue needs its
 * source for the message's name alone.
 */
bool machine_update_respond(struct engine_run *run, const struct command *command)
{
	const char *instance_id = command->update_response.protocol_instance_id;
	struct machine *machine = find(run, instance_id);
	unsigned event = UPDATE_COMPLETE;
	bool ok;

	if (!machine)
		return run_fatal(run, "the workflow answers the update %s, which is not at work",
			text_or_empty(instance_id));
	if (machine->state == REQUESTED)
		event = command->update_response.response == UPDATE_REJECTED ? UPDATE_REJECT
									     : UPDATE_ACCEPT;
	if (event != UPDATE_REJECT && !queue_push(run, machine, COMMAND_UPDATE_RESPONSE, command))
		return false;
	if (event == UPDATE_ACCEPT && command->update_response.response == UPDATE_COMPLETED)
		return run_fatal(run, "the workflow completes the update %s without accepting it",
			machine->id);
	if (event == UPDATE_COMPLETE && command->update_response.response == UPDATE_ACCEPTED)
		return run_fatal(run, "the workflow accepts the update %s twice", machine->id);
	run->answering = command;
	ok = machine_step(run, machine, event);
	run->answering = NULL;
	if (ok)
		machine_release_if_done(run, machine);
	return ok;
}

/* "ID/accept" or "ID/complete", as the core SDK names them. */
const char *machine_update_message_id(
	const struct machine *machine, const char *what, struct arena *arena)
{
	return arena_printf(arena, "%s/%s", machine_text(machine, MESSAGE_ID), what);
}

/*
 * The server completes what a task leaves unanswered, with a text that blames the SDK. So it is the
 * task that fails, with one that names the update.
 */
bool machine_update_all_answered(struct engine_run *run)
{
	for (const struct machine *machine = run->updates; machine; machine = machine->next)
		if (machine->state == REQUESTED)
			return run_fatal(run,
				"the workflow has neither accepted nor rejected the update %s",
				machine->id);
	return true;
}
