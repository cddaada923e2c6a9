/*
 * external.c: signals and cancellations to other workflows, and signals to children.
 *
 * Each is a command with the next number of its kind and a future that a job settles. A signal that
 * is cancelled is taken back if its command was not sent yet; the engine tells by the same job.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* A signal on its way over the change of stacks. */
struct sending {
	struct wf *wf;
	struct arguments arguments;
	const char *name;
	const struct wf_future *child; /* to whom; or: */
	const char *workflow_id, *run_id;
	struct temporal_entries headers;
	struct command command;
};

/* To the task's arena; the name to the run's, where the future has it. */
static void encode_call(void *arg)
{
	struct sending *sending = arg;
	struct wf *wf = sending->wf;
	struct command_signal_external *signal = &sending->command.signal_external;

	if (!sending->child) {
		signal->execution = (struct activation_execution){ wf->info.namespace_,
			arena_strdup(&wf->task, sending->workflow_id),
			arena_strdup(&wf->task, sending->run_id ? sending->run_id : "") };
		if (!signal->execution.workflow_id || !signal->execution.run_id)
			sending->arguments.err.code = TEMPORAL_NO_MEMORY;
	}
	if (!sending->arguments.contract) {
		sending->name = arena_strdup(&wf->arena, sending->name);
		if (!sending->name)
			sending->arguments.err.code = TEMPORAL_NO_MEMORY;
	}
	if (!options_headers(&wf->task, &sending->headers, &signal->headers))
		sending->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&sending->arguments))
		signal->arguments = sending->arguments.out;
}

static struct wf_future *give(struct wf *wf, struct sending *sending)
{
	if (!sending->child && str_empty(sending->workflow_id))
		run_fault(
			wf, "InvalidArgument", "signal %s: there is no workflow id", sending->name);
	if (sending->child)
		sending->command.signal_external.child_workflow_id =
			wf_child_id(wf, sending->child);
	sending->wf = wf;
	sending->arguments.arena = &wf->task;
	memory_on_thread(wf, encode_call, sending);
	arguments_check(wf, &sending->arguments, sending->name);
	struct wf_future *future = future_new(wf, FUTURE_SIGNAL);
	struct command *command = future ? run_command(wf, COMMAND_SIGNAL_EXTERNAL) : NULL;
	if (!command || !pending_put(&wf->signals_sent, wf->signal_seq + 1, future))
		run_lacks_memory(wf);
	future->seq = ++wf->signal_seq;
	future->what = sending->name;
	sending->command.kind = COMMAND_SIGNAL_EXTERNAL;
	sending->command.signal_external.seq = future->seq;
	sending->command.signal_external.signal_name = sending->name;
	*command = sending->command;
	return future;
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	struct sending *sending = call;

	sending->name = out->name;
	sending->headers = out->headers;
	if (!sending->child) {
		sending->workflow_id = out->workflow_id;
		sending->run_id = out->run_id;
	}
	arguments_replace(&sending->arguments, out->arguments);
	return give(wf, sending);
}

static struct wf_future *send_signal(struct wf *wf, struct sending *sending)
{
	if (!intercepts(wf))
		return give(wf, sending);
	sending->arguments.arena = &wf->task;
	struct wf_outbound out = { .name = sending->name,
		.arguments = sending->arguments.raw,
		.workflow_id = sending->workflow_id ? sending->workflow_id : "",
		.run_id = sending->run_id ? sending->run_id : "" };
	return intercept_out(
		wf, INTERCEPTED(signal_external), &out, ask, sending, &sending->arguments);
}

struct wf_future *wf_external_signal_(struct wf *wf, const char *workflow_id, const char *run_id,
	const struct temporal_contract *contract, const void *in)
{
	struct sending sending = { .arguments = { .contract = contract, .in = in },
		.name = contract->name,
		.workflow_id = workflow_id,
		.run_id = run_id };

	run_acts(wf, "wf_external_signal");
	return send_signal(wf, &sending);
}

struct wf_future *(wf_external_signal_raw)(struct wf *wf, const char *workflow_id,
	const char *run_id, const char *name, const struct temporal_payloads *in)
{
	struct sending sending = { .arguments = { .raw = in },
		.name = name,
		.workflow_id = workflow_id,
		.run_id = run_id };

	run_acts(wf, "wf_external_signal_raw");
	return send_signal(wf, &sending);
}

struct wf_future *wf_child_signal_(struct wf *wf, const struct wf_future *child,
	const struct temporal_contract *contract, const void *in)
{
	struct sending sending = { .arguments = { .contract = contract, .in = in },
		.name = contract->name,
		.child = child };

	run_acts(wf, "wf_child_signal");
	return send_signal(wf, &sending);
}

struct wf_future *(wf_child_signal_raw)(struct wf *wf, const struct wf_future *child,
	const char *name, const struct temporal_payloads *in)
{
	struct sending sending = { .arguments = { .raw = in }, .name = name, .child = child };

	run_acts(wf, "wf_child_signal_raw");
	return send_signal(wf, &sending);
}

struct wf_future *(wf_external_cancel)(struct wf *wf, const char *workflow_id, const char *run_id,
	const char *reason)
{
	run_acts(wf, "wf_external_cancel");
	if (str_empty(workflow_id))
		run_fault(wf, "InvalidArgument", "wf_external_cancel: there is no workflow id");
	const char *id = arena_strdup(&wf->arena, workflow_id);
	const char *run = arena_strdup(&wf->task, run_id ? run_id : "");
	const char *why = arena_strdup(&wf->task, reason ? reason : "");
	struct wf_future *future = id && run && why ? future_new(wf, FUTURE_CANCEL) : NULL;
	struct command *command = future ? run_command(wf, COMMAND_REQUEST_CANCEL_EXTERNAL) : NULL;
	if (!command || !pending_put(&wf->cancels, wf->cancel_seq + 1, future))
		run_lacks_memory(wf);
	future->seq = ++wf->cancel_seq;
	future->what = id;
	command->cancel_external.seq = future->seq;
	command->cancel_external.execution =
		(struct activation_execution){ wf->info.namespace_, id, run };
	command->cancel_external.reason = why;
	return future;
}

/* A job: delivered, or why not. */
void external_resolve(
	struct wf *wf, struct pending *pending, uint32_t seq, const Failure__Failure *failure)
{
	struct wf_future *future = pending_take(pending, seq);
	const struct temporal_failure *copy = NULL;

	if (!future) {
		run_break(wf, "InternalError",
			"Failed finding the signal or cancellation of sequence number %u", seq);
		return;
	}
	if (failure) {
		copy = convert_failure_from_api(&wf->arena, failure);
		if (!copy)
			run_out_of_memory(wf);
	}
	future_settle(wf, future, copy);
}

void external_take_back(struct wf *wf, struct wf_future *future)
{
	struct command *command = run_command(wf, COMMAND_CANCEL_SIGNAL);

	if (command)
		command->cancel_signal.seq = future->seq;
	else
		run_out_of_memory(wf);
}
