/*
 * signal.c: signals: to a handler's coroutine, or kept until the workflow receives them.
 *
 * One whose input is not of the contract's form is dropped, with a line in the log: no retry would
 * make it better, and failing the task would stop the run for good.
 *
 * The two ways may be mixed, but not for one name: a signal whose name has a handler (or the one
 * for all) goes to it when it arrives, all others wait in `signals` in the order in which they
 * came. A handler is part of the definition, so it is there before the first signal, and the choice
 * is the same on every replay.
 *
 * signal_apply runs on the thread's stack, as all jobs do; what is called wf_... on a coroutine's.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"

/* Typed or untyped, as the handler was bound; handler.in fits to it (signal_apply). */
static const struct temporal_failure *handle(struct wf *wf, struct coroutine *self)
{
	const struct temporal_handler *handler = self->handler.handler;

	if (handler->signal)
		handler->signal(wf, wf->state, self->handler.in);
	else
		handler->signal_raw(wf, wf->state, self->name, self->handler.in);
	return NULL;
}

static void handler_body(struct wf *wf, struct coroutine *self)
{
	if (intercepts(wf))
		intercept_in(wf, self, INTERCEPTED(signal), handle);
	else
		handle(wf, self);
}

/* A handler is an error boundary like the run's function: what it fails with ends the run. */
static void handler_ended(struct wf *wf, struct coroutine *self)
{
	wf->handlers_running--;
	if (self->failure)
		failure_end_run(wf, self->failure);
}

static const struct coroutine_class handler_class = {
	.name = "signal", .handles = true, .body = handler_body, .ended = handler_ended
};

/* An error in the log, for it loses data; but it is all that is left of the signal. */
static void drop(struct wf *wf, const char *name, const struct temporal_error *err)
{
	wf_log(wf, TEMPORAL_LOG_ERROR, "Failed decoding the input of signal %s, dropping it: %s",
		name, err->message);
}

/*
 * The input in the run's arena; NULL: dropped, or the run is broken. What a failed decoding has
 * allocated is released, so that a stream of bad signals does not fill the run's budget.
 */
static const void *decode(struct wf *wf, const struct temporal_contract *contract, const char *name,
	Common__Payload *const *items, size_t count)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct arena_mark mark = arena_mark(&wf->arena);
	void *in = arena_zalloc(&wf->arena, contract->in.size);

	if (!in) {
		run_out_of_memory(wf);
		return NULL;
	}
	switch (convert_decode_arguments(&wf->arena, contract, items, count, in, &err)) {
	case TEMPORAL_OK:
		return in;
	case TEMPORAL_NO_MEMORY:
		run_out_of_memory(wf);
		return NULL;
	default:
		arena_release(&wf->arena, mark);
		drop(wf, name, &err);
		return NULL;
	}
}

static struct temporal_payloads *decode_raw(struct wf *wf, const struct activation_signal *job)
{
	struct temporal_payloads *in = ARENA_NEW(&wf->arena, struct temporal_payloads);

	if (in && convert_payloads_from_api(&wf->arena, job->input.items, job->input.count, in))
		return in;
	run_out_of_memory(wf);
	return NULL;
}

/* Untyped, since it is not known yet by which contract it will be received. */
static void keep(struct wf *wf, const struct activation_signal *job)
{
	struct signal *signal = ARENA_NEW(&wf->arena, struct signal);
	const char *name = arena_strdup(&wf->arena, job->signal_name);

	if (!signal || !name || !intercept_headers(&wf->arena, &job->headers, &signal->headers) ||
		!convert_payloads_from_api(
			&wf->arena, job->input.items, job->input.count, &signal->input)) {
		run_out_of_memory(wf);
		return;
	}
	signal->name = name;
	*wf->signals_end = signal;
	wf->signals_end = &signal->next;
}

/*
 * The handler's coroutine is only made here; it runs when the set is applied, after those of the
 * signals before it. It is counted from now on, not from its first line: wf_wait_handlers in the
 * same activation must wait for it.
 */
void signal_apply(struct wf *wf, const struct activation_signal *job)
{
	const struct temporal_handler *handler =
		handler_find(wf, TEMPORAL_DEFINES_SIGNAL, job->signal_name);

	if (!handler) {
		keep(wf, job);
		return;
	}
	const void *in = handler->contract ? decode(wf, handler->contract, job->signal_name,
						     job->input.items, job->input.count)
					   : decode_raw(wf, job);
	const char *name = *handler_name(handler) ? handler_name(handler)
						  : arena_strdup(&wf->arena, job->signal_name);
	const struct temporal_entries *headers;
	if (!in || wf->broken)
		return;
	if (!intercept_headers(&wf->arena, &job->headers, &headers)) {
		run_out_of_memory(wf);
		return;
	}
	struct coroutine *self = name ? coroutine_new(wf, &handler_class) : NULL;
	if (!self) {
		run_out_of_memory(wf);
		return;
	}
	self->name = name;
	self->handler.handler = handler;
	self->handler.in = in;
	self->handler.headers = headers;
	wf->handlers_running++;
}

bool wf_handlers_are_done(const struct wf *wf)
{
	return wf->handlers_running == 0;
}

static bool are_done(const void *state)
{
	return wf_handlers_are_done(state);
}

/*
 * The handlers of updates count too. Called in a handler it would wait for itself for ever; the
 * run's function is who needs it, before it returns.
 */
void(wf_wait_handlers)(struct wf *wf)
{
	run_acts(wf, "wf_wait_handlers");
	struct wf_future *future = (wf_until)(wf, are_done, wf);

	future->orphan = true;
	await_one(wf, future, "wf_wait_handlers");
	future_excuse(wf, future);
	if (future->failure)
		coroutine_raise(wf, future->failure);
}

/* ---- receiving ---- */

/* The link to the oldest of that name, or the end of the list. */
static struct signal **find(struct wf *wf, const char *name)
{
	struct signal **link = &wf->signals;

	while (*link && !str_same((*link)->name, name))
		link = &(*link)->next;
	return link;
}

/* What a condition has to know: on the stack of a coroutine that waits, or in the run's memory. */
struct awaited {
	struct wf *wf;
	const char *name;
};

static bool is_there(const void *state)
{
	const struct awaited *awaited = state;

	return *find(awaited->wf, awaited->name) != NULL;
}

size_t wf_signals_waiting(const struct wf *wf, const char *name)
{
	size_t count = 0;

	for (const struct signal *each = wf->signals; each; each = each->next)
		count += str_same(each->name, name);
	return count;
}

/*
 * The signal itself stays where it is: the future says that there is one, wf_receive takes it. If
 * one is there already, the future is done at once and needs no look at the conditions.
 */
struct wf_future *(wf_until_signal_raw)(struct wf *wf, const char *name)
{
	run_acts(wf, "wf_until_signal");
	struct awaited *awaited = wf_alloc(wf, sizeof(*awaited));

	*awaited = (struct awaited){ wf, wf_strdup(wf, name) };
	struct wf_future *future = (wf_until)(wf, is_there, awaited);
	future->what = awaited->name;
	if (is_there(awaited))
		future_settle(wf, future, NULL);
	return future;
}

/*
 * Takes the next of that name, waiting for it. A loop: two coroutines may wait for one name, both
 * wake, and one comes too late. The condition looks at this stack, which is fine: it is settled
 * before the function is left, or ended with the coroutine (coroutine.c, let_go()).
 */
static struct signal *take(struct wf *wf, const char *name, const char *verb)
{
	struct signal **link;

	while (!*(link = find(wf, name))) {
		struct awaited awaited = { wf, name };
		struct wf_future *future = (wf_until)(wf, is_there, &awaited);

		future->what = name;
		future->orphan = true;
		await_one(wf, future, verb);
		future_excuse(wf, future);
		if (future->failure)
			coroutine_raise(wf, future->failure);
	}
	struct signal *signal = *link;
	*link = signal->next;
	if (!*link)
		wf->signals_end = link;
	wf->current->received = signal->headers;
	return signal;
}

const struct temporal_payloads *(wf_receive_raw)(struct wf *wf, const char *name)
{
	run_acts(wf, "wf_receive_raw");
	return &take(wf, name, "wf_receive")->input;
}

struct receive_call {
	struct wf *wf;
	const struct temporal_contract *contract;
	const struct signal *signal;
	const void *in;
};

/*
 * On the thread's stack. The payloads are put into the API's form again, as decoding reads that;
 * into the task's arena, since the decoded input has copies.
 */
static void receive_call(void *arg)
{
	struct receive_call *call = arg;
	struct wf *wf = call->wf;
	struct activation_payloads items;

	if (!options_payloads(&wf->task, &call->signal->input, &items)) {
		run_out_of_memory(wf);
		return;
	}
	call->in = decode(wf, call->contract, call->signal->name, items.items, items.count);
}

/*
 * A signal that cannot be decoded is dropped (decode() has logged it), and the next one is waited
 * for.
 */
const void *wf_receive_(struct wf *wf, const struct temporal_contract *contract)
{
	struct receive_call call = { .wf = wf, .contract = contract };

	run_acts(wf, "wf_receive");
	while (!call.in) {
		call.signal = take(wf, contract->name, "wf_receive");
		memory_on_thread(wf, receive_call, &call);
		if (wf->broken)
			coroutine_leave(wf);
	}
	return call.in;
}
