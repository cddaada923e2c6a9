/*
 * continue.c: continue-as-new. The command is prepared when the code asks for it, with all its
 * options copied to the run's arena, since deferred actions may still wait; it is given when the
 * coroutine has ended. A failure that is none stands for it on the way out.
 *
 *	wf_continue_as_new -> command in `next_run` -> raise(continue_failure) -> deferred actions
 *	    -> coroutine_step() knows the failure by its address -> continue_end_run()
 *
 * The arena of the task would not do: by the time that the deferred actions are done, the command
 * may be needed activations later. A second call in a deferred action replaces the command.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

const struct temporal_failure continue_failure = { .message = "continued as new" };

struct prepare {
	struct wf *wf;
	const char *type;
	struct arguments arguments;
	struct wf_continue_as_new_opts opts;
	struct command *command;
};

/* Type and task queue may be "": the engine then takes this run's. */
static bool encode_options(struct prepare *prepare, struct command_continue_as_new *next)
{
	const struct wf_continue_as_new_opts *opts = &prepare->opts;
	struct arena *arena = &prepare->wf->arena;
	bool fine = options_headers(arena, &opts->headers, &next->headers) &&
		    options_memo(arena, &opts->memo, &next->memo);

	if (opts->retry) {
		next->retry_policy = options_retry(arena, opts->retry);
		fine = fine && next->retry_policy;
	}
	if (opts->search_attributes.count) {
		next->search_attributes =
			options_search_attributes(arena, &opts->search_attributes);
		fine = fine && next->search_attributes;
	}
	next->workflow_type = arena_strdup(arena, prepare->type ? prepare->type : "");
	next->task_queue = arena_strdup(arena, opts->task_queue ? opts->task_queue : "");
	next->run_timeout_ms = opts->run_timeout_ms;
	next->task_timeout_ms = opts->task_timeout_ms;
	next->backoff_start_ms = opts->backoff_start_ms;
	next->initial_versioning_behavior =
		(Enums__ContinueAsNewVersioningBehavior)opts->versioning;
	return fine && next->workflow_type && next->task_queue;
}

/* On the thread's stack. */
static void prepare_call(void *arg)
{
	struct prepare *prepare = arg;
	struct command_continue_as_new *next = &prepare->command->continue_as_new;

	if (!encode_options(prepare, next))
		prepare->arguments.err.code = TEMPORAL_NO_MEMORY;
	if (arguments_encode(&prepare->arguments))
		next->arguments = prepare->arguments.out;
}

/*
 * Nothing of the run changes until the last line: options or arguments that are wrong fail the
 * task.
 */
static _Noreturn void end(struct wf *wf, struct prepare *prepare)
{
	if (!options_ms(&prepare->opts.run_timeout_ms) ||
		!options_ms(&prepare->opts.task_timeout_ms) ||
		!options_ms(&prepare->opts.backoff_start_ms))
		run_fault(wf, "InvalidArgument", "wf_continue_as_new: a timeout is negative");
	if ((unsigned)prepare->opts.versioning > TEMPORAL_NEXT_RAMPING)
		run_fault(wf, "InvalidArgument", "wf_continue_as_new: versioning is %d",
			(int)prepare->opts.versioning);
	prepare->command = ARENA_NEW(&wf->arena, struct command);
	if (!prepare->command)
		run_lacks_memory(wf);
	prepare->command->kind = COMMAND_CONTINUE_AS_NEW;
	prepare->arguments.arena = &wf->arena;
	memory_on_thread(wf, prepare_call, prepare);
	arguments_check(wf, &prepare->arguments, "wf_continue_as_new");
	wf->next_run = prepare->command;
	coroutine_raise(wf, &continue_failure);
}

static struct wf_future *ask(struct wf *wf, struct wf_outbound *out, void *call)
{
	struct prepare *prepare = call;

	prepare->type = out->name;
	prepare->opts.headers = out->headers;
	arguments_replace(&prepare->arguments, out->arguments);
	end(wf, prepare);
}

static _Noreturn void end_with(struct wf *wf, struct prepare *prepare,
	const struct wf_continue_as_new_opts *given, size_t opts_size)
{
	options_copy(&prepare->opts, sizeof(prepare->opts), given, opts_size);
	if (!intercepts(wf))
		end(wf, prepare);
	prepare->arguments.arena = &wf->arena;
	struct wf_outbound out = { .name = prepare->type ? prepare->type : "",
		.headers = prepare->opts.headers,
		.arguments = prepare->arguments.raw,
		.continue_as_new = &prepare->opts };
	(void)intercept_out(
		wf, INTERCEPTED(continue_as_new), &out, ask, prepare, &prepare->arguments);
	run_fault(wf, "InvalidArgument", "an interceptor of wf_continue_as_new has returned");
}

void wf_continue_as_new_(struct wf *wf, const struct temporal_contract *contract, const void *in,
	const struct wf_continue_as_new_opts *opts, size_t opts_size)
{
	struct prepare prepare = {
		.wf = wf, .type = contract->name, .arguments = { .contract = contract, .in = in }
	};

	run_acts(wf, "wf_continue_as_new");
	end_with(wf, &prepare, opts, opts_size);
}

void wf_continue_as_new_raw_(struct wf *wf, const char *type, const struct temporal_payloads *in,
	const struct wf_continue_as_new_opts *opts, size_t opts_size)
{
	struct prepare prepare = { .wf = wf, .type = type, .arguments = { .raw = in } };

	run_acts(wf, "wf_continue_as_new_raw");
	end_with(wf, &prepare, opts, opts_size);
}

/* A shallow copy: what it points to is in the run's arena, which outlives the answer. */
void continue_end_run(struct wf *wf)
{
	struct command *command = run_last_command(wf, COMMAND_CONTINUE_AS_NEW);

	if (command)
		*command = *wf->next_run;
}
