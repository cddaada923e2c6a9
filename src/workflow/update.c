/*
 * update.c: updates: a coroutine each.
 *
 *	          decoded, the check has nothing against it          the handler returns
 *	[arrived] ----------------------------------> [accepted] -----------------> [completed]
 *	    |                                             |
 *	    | no handler, bad input, the check refuses    | the handler fails
 *	    +-------------------------> [rejected]        +-----> [rejected], its failure
 *
 * The caller of a rejected update gets the failure and history keeps nothing of it. After the
 * acceptance history has the update, and the same response means that it has completed with that
 * failure (enum update_response has no other for it).
 *
 * A rejection may not change the run, since it leaves no trace: until the acceptance the coroutine
 * must not act (check()), and nothing but the decoded input was allocated for it.
 *
 * On replay the update is known to have been accepted, and the check is not run: it may depend on a
 * state which code that has changed since does not reach.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* The engine finds the update by its protocol instance. */
static struct command *respond(
	struct wf *wf, const struct coroutine *self, enum update_response response)
{
	struct command *command = run_command(wf, COMMAND_UPDATE_RESPONSE);

	if (!command) {
		run_out_of_memory(wf);
		return NULL;
	}
	command->update_response.protocol_instance_id = self->handler.id;
	command->update_response.response = response;
	return command;
}

/* Before the acceptance and after it alike, see the drawing. */
static void refuse(
	struct wf *wf, const struct coroutine *self, const struct temporal_failure *failure)
{
	Failure__Failure *rejected = convert_failure_to_api(&wf->task, failure);
	struct command *command = respond(wf, self, UPDATE_REJECTED);

	if (!rejected)
		run_out_of_memory(wf);
	else if (command)
		command->update_response.rejected = rejected;
}

/*
 * In the handler's own coroutine, read-only for the while: it gets the same input, and a wf_reject
 * in it ends the coroutine before anything was accepted.
 */
static const struct temporal_failure *check_code(struct wf *wf, struct coroutine *self)
{
	const struct temporal_handler *handler = self->handler.handler;

	if (handler->check)
		return handler->check(wf, wf->state, self->handler.in);
	if (handler->check_raw)
		return handler->check_raw(wf, wf->state, self->name, self->handler.in);
	return NULL;
}

static const struct temporal_failure *check(struct wf *wf, struct coroutine *self)
{
	self->read_only = true;
	const struct temporal_failure *failure =
		intercepts(wf) ? intercept_in(wf, self, INTERCEPTED(check), check_code)
			       : check_code(wf, self);
	self->read_only = false;
	return failure;
}

static const struct temporal_failure *handle(struct wf *wf, struct coroutine *self)
{
	const struct temporal_handler *handler = self->handler.handler;

	if (handler->update)
		handler->update(wf, wf->state, self->handler.in, self->handler.out);
	else
		self->handler.out = (void *)(uintptr_t)handler->update_raw(
			wf, wf->state, self->name, self->handler.in);
	return NULL;
}

/* Accepted before the handler's first line, so that its commands follow the acceptance. */
static void body(struct wf *wf, struct coroutine *self)
{
	const struct temporal_failure *failure = self->handler.validate ? check(wf, self) : NULL;

	if (failure)
		coroutine_raise(wf, failure);
	if (!respond(wf, self, UPDATE_ACCEPTED))
		coroutine_leave(wf);
	self->handler.accepted = true;
	if (intercepts(wf))
		intercept_in(wf, self, INTERCEPTED(update), handle);
	else
		handle(wf, self);
}

/*
 * As query.c encodes its answers. A result that cannot be encoded fails the task and not the
 * update: a corrected worker can still answer.
 */
static enum temporal_code encode(struct wf *wf, const struct coroutine *self,
	Common__Payload **payload, struct temporal_error *err)
{
	const struct temporal_contract *contract = self->handler.handler->contract;

	if (contract)
		return convert_encode_result(&wf->task, contract, self->handler.out, payload, err);
	if (!self->handler.out)
		return TEMPORAL_OK;
	*payload = convert_payload_to_api(&wf->task, self->handler.out);
	err->code = *payload ? TEMPORAL_OK : TEMPORAL_NO_MEMORY;
	return err->code;
}

/* On the thread's stack. An update's failure never ends the run: it is its caller's. */
static void ended(struct wf *wf, struct coroutine *self)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	Common__Payload *payload = NULL;

	wf->handlers_running--;
	if (self->failure) {
		refuse(wf, self, self->failure);
		return;
	}
	if (encode(wf, self, &payload, &err)) {
		run_break_error(wf, &err, "encoding the update's result");
		return;
	}
	struct command *command = respond(wf, self, UPDATE_COMPLETED);
	if (command)
		command->update_response.completed = payload;
}

static const struct coroutine_class update_class = {
	.name = "update", .handles = true, .body = body, .ended = ended
};

/* One that cannot be run: its coroutine's only deed is the rejection, at its turn. */
static void refused_body(struct wf *wf, struct coroutine *self)
{
	coroutine_raise(wf, self->handler.in);
}

static const struct coroutine_class refused_class = {
	.name = "update", .body = refused_body, .ended = ended
};

/*
 * The failure goes to where the input would be; refused_body() takes it from there. It waits for
 * its turn like any handler, so that responses keep the order of the updates.
 */
static void refuse_with(
	struct wf *wf, struct coroutine *self, const char *type, const char *message)
{
	struct temporal_failure failure = { .type = type, .message = message };

	self->class = &refused_class;
	self->handler.in = message ? convert_failure_copy(&wf->arena, &failure) : NULL;
	if (!self->handler.in)
		run_out_of_memory(wf);
}

static void refuse_unknown(struct wf *wf, struct coroutine *self, const char *update)
{
	const struct temporal_handler *const *each = wf->definition->handlers;
	char *known = arena_strdup(&wf->task, "");

	for (; each && *each && known; each++) {
		if ((*each)->definition == TEMPORAL_DEFINES_UPDATE)
			known = arena_printf(
				&wf->task, "%s%s%s", known, *known ? " " : "", handler_name(*each));
	}
	refuse_with(wf, self, "NotFoundError",
		known ? arena_printf(&wf->task,
				"Update handler for '%s' expected but not found, known updates: "
				"[%s]",
				update, known)
		      : NULL);
}

/* In the run's arena: a handler may store what it was given. */
static void prepare(struct wf *wf, struct coroutine *self, const struct activation_update *job)
{
	const struct temporal_contract *contract = self->handler.handler->contract;
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (!contract) {
		struct temporal_payloads *raw = ARENA_NEW(&wf->arena, struct temporal_payloads);

		self->handler.in = raw;
		if (!raw || !convert_payloads_from_api(
				    &wf->arena, job->input.items, job->input.count, raw))
			run_out_of_memory(wf);
		return;
	}
	void *in = arena_zalloc(&wf->arena, contract->in.size);
	self->handler.in = in;
	self->handler.out = arena_zalloc(&wf->arena, contract->out_size);
	if (!in || !self->handler.out) {
		run_out_of_memory(wf);
		return;
	}
	if (convert_decode_arguments(
		    &wf->arena, contract, job->input.items, job->input.count, in, &err))
		refuse_with(wf, self, "BadPayload",
			arena_printf(&wf->task, "Failed decoding the arguments of update %s: %s",
				job->name, err.message));
}

/*
 * The coroutine is made first and told afterwards what to do; it cannot run before this returns.
 * Its id and name must outlive the activation, as the handler may wait.
 */
void update_apply(struct wf *wf, const struct activation_update *job)
{
	struct coroutine *self = coroutine_new(wf, &update_class);
	const char *id = arena_strdup(&wf->arena, job->protocol_instance_id);
	const char *name = arena_strdup(&wf->arena, job->name);

	if (!self || !id || !name ||
		!intercept_headers(&wf->arena, &job->headers, &self->handler.headers)) {
		run_out_of_memory(wf);
		return;
	}
	wf->handlers_running++;
	self->name = name;
	self->handler.id = id;
	self->handler.validate = job->run_validator;
	self->handler.handler = handler_find(wf, TEMPORAL_DEFINES_UPDATE, job->name);
	if (self->handler.handler)
		prepare(wf, self, job);
	else
		refuse_unknown(wf, self, job->name);
}
