/*
 * failure.c: failures of the run and of its task.
 *
 * Of the run: values, raised in a coroutine, given to the server as the run's end. Of the task:
 * what is wrong with program or machine; recorded once, and the run is broken from then on.
 *
 *	                  run                                task
 *	raised by         wf_fail, wf_raise, failed awaits   run_break, run_fault, ..._memory
 *	means             the workflow has failed            this worker cannot go on
 *	goes to           failure_end_run: the last command  completion.failed: tried again
 *	deferred actions  run                                do not run
 *
 * A broken run is never resumed: what its code has done since the last answer is forgotten with it.
 * run_break... may be called anywhere and return; run_fault and run_lacks_memory are for coroutines
 * and end the calling one.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"
#include "proto/codec.h"

/* For when there is no memory to say so; never written to, it is shared by all threads. */
static Failure__ApplicationFailureInfo no_memory_info = FAILURE__APPLICATION_FAILURE_INFO__INIT;
static const Failure__Failure no_memory = {
	.base = PROTOBUF_C_MESSAGE_INIT(&failure__failure__descriptor),
	.message = "the workflow's memory is exhausted: the run's budget, or the process",
	.source = "CSDK",
	.stack_trace = "",
	.failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO,
	.application_failure_info = &no_memory_info,
};

/* The one place that breaks a run. */
static void record(struct wf *wf, const Failure__Failure *failure)
{
	wf->broken = true;
	wf->completion = (struct completion){ .failed = true, .failure = failure };
}

/* Needs no memory itself. */
void run_out_of_memory(struct wf *wf)
{
	if (!wf->completion.failed)
		record(wf, &no_memory);
}

/* On the thread's stack. `message` may be NULL: it could not be formatted. */
static void break_with(struct wf *wf, const char *type, const char *message)
{
	struct temporal_failure failure = { .message = message, .type = type };
	Failure__Failure *encoded = message ? convert_failure_to_api(&wf->task, &failure) : NULL;

	if (encoded)
		record(wf, encoded);
	else
		run_out_of_memory(wf);
}

void run_break(struct wf *wf, const char *type, const char *format, ...)
{
	va_list args;

	if (wf->completion.failed)
		return;
	va_start(args, format);
	break_with(wf, type, arena_vprintf(&wf->task, format, args));
	va_end(args);
}

/* Out of memory is told apart, since trying again may help; a bad payload needs other code. */
void run_break_error(struct wf *wf, const struct temporal_error *err, const char *what)
{
	if (err->code == TEMPORAL_NO_MEMORY)
		run_out_of_memory(wf);
	else
		run_break(wf, "BadPayload", "%s: %s", what, err->message);
}

struct fault_call {
	struct wf *wf;
	const char *type, *message;
};

static void fault_call(void *arg)
{
	struct fault_call *call = arg;

	if (!call->wf->completion.failed)
		break_with(call->wf, call->type, call->message);
}

/*
 * Two visits to the thread's stack, as both formatting and encoding use more of it than a coroutine
 * should touch.
 */
_Noreturn void run_fault(struct wf *wf, const char *type, const char *format, ...)
{
	struct fault_call call = { .wf = wf, .type = type };
	va_list args;

	va_start(args, format);
	call.message = memory_vprintf(wf, &wf->task, format, args);
	va_end(args);
	memory_on_thread(wf, fault_call, &call);
	coroutine_leave(wf);
}

_Noreturn void run_lacks_memory(struct wf *wf)
{
	run_out_of_memory(wf);
	coroutine_leave(wf);
}

/*
 * The constant serves two purposes: as the template, which has all strings set, and as the failure
 * itself when memory is out. So a cancellation always arrives.
 */
const struct temporal_failure *failure_cancelled(struct wf *wf, const char *message)
{
	static const struct temporal_failure out_of_memory = {
		.kind = TEMPORAL_FAILURE_CANCELLED,
		.message = "Cancelled",
		.source = "",
		.stack_trace = "",
		.type = "",
		.activity_id = "",
		.activity_type = "",
		.identity = "",
		.namespace_ = "",
		.workflow_id = "",
		.run_id = "",
		.workflow_type = "",
		.endpoint = "",
		.service = "",
		.operation = "",
		.operation_token = "",
	};
	struct temporal_failure *failure =
		arena_memdup(&wf->arena, &out_of_memory, sizeof(*failure));

	if (!failure)
		return &out_of_memory;
	failure->message = message;
	return failure;
}

/*
 * One level deep, as in the other SDKs: an activity's failure is a cancellation if its direct cause
 * is.
 */
bool wf_is_cancelled(const struct temporal_failure *failure)
{
	if (failure->kind == TEMPORAL_FAILURE_CANCELLED)
		return true;
	return (failure->kind == TEMPORAL_FAILURE_ACTIVITY ||
		       failure->kind == TEMPORAL_FAILURE_CHILD_WORKFLOW ||
		       failure->kind == TEMPORAL_FAILURE_NEXUS_OPERATION) &&
	       failure->cause && failure->cause->kind == TEMPORAL_FAILURE_CANCELLED;
}

/*
 * A cancelled failure is the run's cancellation only if that was asked for; as in the other SDKs it
 * does not matter whether it came from there. Without the request it is a failure like any other:
 * it would look as if somebody had cancelled the run.
 */
void failure_end_run(struct wf *wf, const struct temporal_failure *failure)
{
	if (wf->cancel_reason && wf_is_cancelled(failure)) {
		run_last_command(wf, COMMAND_CANCEL_WORKFLOW);
		return;
	}
	Failure__Failure *encoded = convert_failure_to_api(&wf->task, failure);
	struct command *command = encoded ? run_last_command(wf, COMMAND_FAIL_WORKFLOW) : NULL;
	if (command)
		command->fail.failure = encoded;
	else if (!encoded)
		run_out_of_memory(wf);
}

/* ---- the API ---- */

/* All strings are set: whoever gets a failure of the library finds no NULL in it. */
static struct temporal_failure *application(
	struct wf *wf, struct arena *arena, const char *type, const char *format, va_list args)
{
	struct temporal_failure *failure =
		arena_memdup(arena, failure_cancelled(wf, ""), sizeof(*failure));
	const char *copy = arena_strdup(arena, type ? type : "");
	const char *message = memory_vprintf(wf, arena, format, args);

	if (!failure || !copy || !message)
		run_lacks_memory(wf);
	failure->kind = TEMPORAL_FAILURE_APPLICATION;
	failure->type = copy;
	failure->message = message;
	return failure;
}

struct temporal_failure *wf_failure(
	const struct wf *constant, const char *type, const char *format, ...)
{
	struct wf *wf = run_of(constant);
	va_list args;

	va_start(args, format);
	struct temporal_failure *failure = application(wf, run_arena(wf), type, format, args);
	va_end(args);
	return failure;
}

void(wf_fail)(struct wf *wf, const char *type, const char *format, ...)
{
	va_list args;

	run_acts(wf, "wf_fail");
	va_start(args, format);
	const struct temporal_failure *failure = application(wf, &wf->arena, type, format, args);
	va_end(args);
	coroutine_raise(wf, failure);
}

void wf_reject(const struct wf *constant, const char *type, const char *format, ...)
{
	struct wf *wf = run_of(constant);
	va_list args;

	va_start(args, format);
	const struct temporal_failure *failure = application(wf, run_arena(wf), type, format, args);
	va_end(args);
	coroutine_raise(wf, failure);
}

struct copy_call {
	struct arena *arena;
	const struct temporal_failure *failure;
};

static void copy_call(void *arg)
{
	struct copy_call *call = arg;

	call->failure = convert_failure_copy(call->arena, call->failure);
}

void(wf_raise)(struct wf *wf, const struct temporal_failure *failure)
{
	run_acts(wf, "wf_raise");
	struct copy_call call = { &wf->arena, failure };

	memory_on_thread(wf, copy_call, &call);
	if (!call.failure)
		run_lacks_memory(wf);
	coroutine_raise(wf, call.failure);
}
