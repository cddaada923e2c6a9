/*
 * query.c: queries: a coroutine each, that must not act, with the thread's scratch arena. It cannot
 * wait, so it ends within the activation, and nothing of it stays.
 *
 * Why a coroutine, though it never waits: a handler is user's code, which may overflow its stack,
 * call wf_reject (which does not return), or allocate; all of that works on coroutines alone. Why
 * it cannot wait: the functions that do are refused to it (run_acts), and conditions are not looked
 * at.
 *
 * The answer is a command, in the task's arena. The handler sees the state as const and may keep
 * nothing.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/*
 * For every query, ours included. One of payload and failure is set, or none: a result that is
 * void.
 */
void query_answer(struct wf *wf, const char *id, const Common__Payload *payload,
	const struct temporal_failure *failure)
{
	struct command *command = run_command(wf, COMMAND_QUERY_RESULT);
	Failure__Failure *encoded = failure ? convert_failure_to_api(&wf->task, failure) : NULL;

	if (!command || (failure && !encoded)) {
		run_out_of_memory(wf);
		return;
	}
	command->query_result.query_id = id;
	command->query_result.response = payload;
	command->query_result.failure = encoded;
}

/* `message` may be NULL, so that the caller need not look whether it could be formatted. */
static void answer_failed(struct wf *wf, const char *id, const char *type, const char *message)
{
	struct temporal_failure failure = { .type = type, .message = message };

	if (message)
		query_answer(wf, id, NULL, &failure);
	else
		run_out_of_memory(wf);
}

/* What an untyped handler returns stays const for us: convert_payload_to_api() only reads it. */
static const struct temporal_failure *answer(struct wf *wf, struct coroutine *self)
{
	const struct temporal_handler *handler = self->handler.handler;

	if (handler->query)
		handler->query(wf, wf->state, self->handler.in, self->handler.out);
	else
		self->handler.out = (void *)(uintptr_t)handler->query_raw(
			wf, wf->state, self->name, self->handler.in);
	return NULL;
}

static void body(struct wf *wf, struct coroutine *self)
{
	if (intercepts(wf))
		intercept_in(wf, self, INTERCEPTED(query), answer);
	else
		answer(wf, self);
}

/*
 * On the thread's stack. A failure of the handler is the query's answer and touches the run in no
 * way: queries come from outside, and must not be able to end a run.
 */
static void ended(struct wf *wf, struct coroutine *self)
{
	const struct temporal_contract *contract = self->handler.handler->contract;
	struct temporal_error err = { .code = TEMPORAL_OK };
	Common__Payload *payload = NULL;

	if (self->failure) {
		query_answer(wf, self->handler.id, NULL, self->failure);
		return;
	}
	if (contract)
		err.code = convert_encode_result(
			&wf->task, contract, self->handler.out, &payload, &err);
	else if (self->handler.out &&
		 !(payload = convert_payload_to_api(&wf->task, self->handler.out)))
		err.code = TEMPORAL_NO_MEMORY;
	if (err.code == TEMPORAL_NO_MEMORY)
		run_out_of_memory(wf);
	else if (err.code)
		answer_failed(wf, self->handler.id, "BadPayload",
			arena_printf(&wf->task, "encoding the result: %s", err.message));
	else
		query_answer(wf, self->handler.id, payload, NULL);
}

static const struct coroutine_class query_class = {
	.name = "query", .read_only = true, .handles = true, .body = body, .ended = ended
};

/* The names help whoever has mistyped one. */
static void answer_unknown(struct wf *wf, const struct activation_query *job)
{
	const struct temporal_handler *const *each = wf->definition->handlers;
	char *known = arena_strdup(&wf->task, "");

	for (; each && *each && known; each++) {
		if ((*each)->definition == TEMPORAL_DEFINES_QUERY)
			known = arena_printf(&wf->task, "%s%s ", known, handler_name(*each));
	}
	if (!known) {
		run_out_of_memory(wf);
		return;
	}
	answer_failed(wf, job->query_id, "NotFoundError",
		arena_printf(&wf->task,
			"Query handler for '%s' expected but not found, known queries: "
			"[%s__stack_trace __temporal_workflow_metadata]",
			job->query_type, known));
}

/* Arguments and room for the result, in the scratch arena. */
static enum temporal_code prepare(struct wf *wf, struct coroutine *self,
	const struct activation_query *job, struct temporal_error *err)
{
	const struct temporal_contract *contract = self->handler.handler->contract;
	struct arena *scratch = &wf->thread->scratch;

	self->arena = scratch;
	if (!intercept_headers(scratch, &job->headers, &self->handler.headers))
		return TEMPORAL_NO_MEMORY;
	if (!contract) {
		struct temporal_payloads *raw = ARENA_NEW(scratch, struct temporal_payloads);

		self->handler.in = raw;
		return raw && convert_payloads_from_api(
				      scratch, job->arguments.items, job->arguments.count, raw)
			       ? TEMPORAL_OK
			       : TEMPORAL_NO_MEMORY;
	}
	void *in = arena_zalloc(scratch, contract->in.size);
	self->handler.in = in;
	self->handler.out = arena_zalloc(scratch, contract->out_size);
	if (!in || !self->handler.out)
		return TEMPORAL_NO_MEMORY;
	return convert_decode_arguments(
		scratch, contract, job->arguments.items, job->arguments.count, in, err);
}

/* In place of body and ended of a coroutine whose query has been answered already. */
static void never_runs(struct wf *wf, struct coroutine *self)
{
}

/*
 * One with bad arguments is answered at once; its coroutine is there already and does nothing. It
 * cannot be taken back: making it has put it into the lists, and the class is what decides what it
 * does.
 */
void query_apply(struct wf *wf, const struct activation_query *job)
{
	static const struct coroutine_class refused = {
		.name = "query", .read_only = true, .body = never_runs, .ended = never_runs
	};
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (metadata_query(wf, job))
		return;
	const struct temporal_handler *handler =
		handler_find(wf, TEMPORAL_DEFINES_QUERY, job->query_type);
	if (!handler) {
		answer_unknown(wf, job);
		return;
	}
	struct coroutine *self = coroutine_new(wf, &query_class);
	if (!self) {
		run_out_of_memory(wf);
		return;
	}
	self->handler.handler = handler;
	self->handler.id = job->query_id;
	self->name = job->query_type;
	enum temporal_code code = prepare(wf, self, job, &err);
	if (code == TEMPORAL_NO_MEMORY)
		run_out_of_memory(wf);
	if (!code)
		return;
	self->class = &refused;
	answer_failed(wf, job->query_id, "BadPayload",
		arena_printf(&wf->task, "Failed decoding the arguments of query %s: %s",
			job->query_type, err.message));
}
