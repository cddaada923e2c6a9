/*
 * intercept.c: calls of workflow code, and what it asks for, through the interceptors' functions;
 * and headers.
 *
 * A chain is a struct wf_next on the stack of the coroutine that is called or asks: it knows which
 * table comes next, and what stands at the end. What comes in goes through the tables from the
 * first to the last, what is asked for the other way round, so that the first one is the outermost
 * of both. A step puts its place back when it returns, so an interceptor may go on more than once.
 *
 * All of it is workflow code and runs on coroutines, but intercept_headers, which is for jobs.
 */
#include "workflow/run.h"

#include <string.h>

#include "base/str.h"
#include "convert/convert.h"

static const struct temporal_entries no_headers;

/* ---- chains ---- */

typedef void any_fn(void);

/* Has the table a function there? All are pointers to functions, of one size and form. */
static any_fn *function_of(const struct temporal_interceptor *interceptor, size_t offset)
{
	any_fn *function;

	memcpy(&function, (const char *)interceptor->workflow + offset, sizeof(function));
	return function;
}

/* The next interceptor with a function of that kind; NULL: there is none. `at` is behind it. */
static const struct temporal_interceptor *advance(const struct wf *wf, struct wf_next *next)
{
	const struct temporal_interceptor *const *first = wf->thread->config->interceptors;

	while (next->at && *next->at) {
		const struct temporal_interceptor *here = *next->at;

		next->at = next->step < 0 && next->at == first ? NULL : next->at + next->step;
		if (function_of(here, next->offset))
			return here;
	}
	return NULL;
}

static struct wf_inbound inbound_of(const struct wf *wf, const struct coroutine *self)
{
	const struct temporal_handler *handler =
		self->class->handles ? self->handler.handler : NULL;

	if (!handler)
		return (struct wf_inbound){ .name = wf->info.workflow_type,
			.headers = wf->info.headers,
			.contract = wf->definition->contract,
			.in = wf->in };
	return (struct wf_inbound){ .name = self->name,
		.headers = self->handler.headers ? *self->handler.headers : no_headers,
		.contract = handler->contract,
		.in = self->handler.in };
}

const struct temporal_failure *intercept_in(struct wf *wf, struct coroutine *self, size_t offset,
	const struct temporal_failure *(*last)(struct wf *wf, struct coroutine *self))
{
	struct wf_inbound in = inbound_of(wf, self);
	struct wf_next next = { .at = wf->thread->config->interceptors,
		.step = 1,
		.offset = offset,
		.self = self,
		.last = last };

	if (offset == INTERCEPTED(check))
		return wf_next_check(wf, &next, &in);
	if (offset == INTERCEPTED(query))
		wf_next_query(wf, &next, &in);
	else
		wf_next_in(wf, &next, &in);
	return NULL;
}

void wf_next_in(struct wf *wf, struct wf_next *next, struct wf_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_interceptor *here = advance(wf, next);

	if (here)
		((wf_inbound_fn *)function_of(here, next->offset))(wf, next, in, here->user);
	else
		next->last(wf, next->self);
	next->at = at;
}

void wf_next_query(const struct wf *wf, struct wf_next *next, struct wf_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_interceptor *here = advance(wf, next);

	if (here)
		here->workflow->query(wf, next, in, here->user);
	else
		next->last(run_of(wf), next->self);
	next->at = at;
}

const struct temporal_failure *wf_next_check(
	const struct wf *wf, struct wf_next *next, struct wf_inbound *in)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_interceptor *here = advance(wf, next);
	const struct temporal_failure *failure =
		here ? here->workflow->check(wf, next, in, here->user)
		     : next->last(run_of(wf), next->self);

	next->at = at;
	return failure;
}

struct wf_future *intercept_out(struct wf *wf, size_t offset, struct wf_outbound *out,
	struct wf_future *(*ask)(struct wf *wf, struct wf_outbound *out, void *call), void *call,
	struct arguments *arguments)
{
	const struct temporal_interceptor *const *at = wf->thread->config->interceptors;
	struct wf_next next = {
		.step = -1, .offset = offset, .ask = ask, .call = call, .arguments = arguments
	};

	while (at[1])
		at++;
	next.at = at;
	out->reserved = arguments;
	struct wf_future *future = wf_next_out(wf, &next, out);
	if (!future)
		run_fault(wf, "InvalidArgument", "an interceptor of %s has returned no future",
			out->name);
	return future;
}

struct wf_future *wf_next_out(struct wf *wf, struct wf_next *next, struct wf_outbound *out)
{
	const struct temporal_interceptor *const *at = next->at;
	const struct temporal_interceptor *here = advance(wf, next);
	struct wf_future *future = here ? ((wf_outbound_fn *)function_of(here, next->offset))(
						  wf, next, out, here->user)
					: next->ask(wf, out, next->call);

	next->at = at;
	return future;
}

/* ---- what interceptors set ---- */

struct header_call {
	struct arena *arena;
	const char *key;
	const struct temporal_payload *value;
	struct temporal_entries *headers;
	bool failed;
};

/* On the thread's stack. A new list: the old one may be the caller's constant. */
static void header_call(void *arg)
{
	struct header_call *call = arg;
	const struct temporal_entries *old = call->headers;
	struct temporal_entry *items = arena_array(call->arena, old->count + 1, sizeof(*items));
	Common__Payload *copy = convert_payload_to_api(call->arena, call->value);
	size_t place = 0;

	call->failed = true;
	if (!items || !copy)
		return;
	while (place < old->count && !str_same(old->items[place].key, call->key))
		place++;
	for (size_t i = 0; i < old->count; i++)
		items[i] = old->items[i];
	items[place].key = arena_strdup(call->arena, call->key);
	call->failed = !items[place].key ||
		       convert_payload_from_api(call->arena, copy, &items[place].value);
	*call->headers =
		(struct temporal_entries){ items, place == old->count ? place + 1 : old->count };
}

void wf_outbound_header(struct wf *wf, struct wf_outbound *out, const char *key,
	const struct temporal_payload *value)
{
	struct header_call call = { run_arena(wf), key, value, &out->headers, false };

	memory_on_thread(wf, header_call, &call);
	if (call.failed)
		run_lacks_memory(wf);
}

struct arguments_call {
	struct arena *arena;
	struct arguments *arguments;
	struct temporal_payloads *out;
	bool failed;
};

static void arguments_call(void *arg)
{
	struct arguments_call *call = arg;

	if (arguments_encode(call->arguments))
		call->failed = !convert_payloads_from_api(call->arena, call->arguments->out.items,
			call->arguments->out.count, call->out);
}

const struct temporal_payloads *wf_outbound_arguments(struct wf *wf, struct wf_outbound *out)
{
	struct arguments *arguments = out->reserved;

	if (out->arguments)
		return out->arguments;
	struct temporal_payloads *made = wf_alloc(wf, sizeof(*made));
	struct arguments_call call = { run_arena(wf), arguments, made, false };

	if (arguments) {
		memory_on_thread(wf, arguments_call, &call);
		arguments_check(wf, arguments, out->name);
	}
	if (call.failed)
		run_lacks_memory(wf);
	out->arguments = made;
	return made;
}

/* ---- headers that have come ---- */

bool intercept_headers(struct arena *arena, const struct activation_headers *from,
	const struct temporal_entries **out)
{
	*out = NULL;
	if (!from->count)
		return true;
	struct temporal_entries *made = ARENA_NEW(arena, struct temporal_entries);
	struct temporal_entry *items = arena_array(arena, from->count, sizeof(*items));

	if (!made || !items)
		return false;
	for (size_t i = 0; i < from->count; i++) {
		const Common__Payload *value = from->items[i]->value;

		items[i].key = arena_strdup(arena, from->items[i]->key);
		if (!items[i].key ||
			(value && convert_payload_from_api(arena, value, &items[i].value)))
			return false;
	}
	*made = (struct temporal_entries){ items, from->count };
	*out = made;
	return true;
}

const struct temporal_entries *wf_headers(const struct wf *wf)
{
	const struct coroutine *self = wf->current;

	if (!self || !self->class->handles)
		return &wf->info.headers;
	return self->handler.headers ? self->handler.headers : &no_headers;
}

const struct temporal_entries *wf_received_headers(const struct wf *wf)
{
	const struct coroutine *self = wf->current;

	return self && self->received ? self->received : &no_headers;
}
