/*
 * network.c: calls between clients and server. What crosses is encoded and decoded, as on a wire.
 * A request or its answer may be late, lost, or come twice; who calls sees a time-out or a broken
 * connection, as the real client does, and does not know what became of it.
 *
 *     net_call -> [request] -> frontend_serve ... -> [answer] -> done
 *          \-- deadline: done(DEADLINE_EXCEEDED), and the server is told
 */
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "server/frontend/frontend.h"
#include "sim.h"

#define ARENA_FIRST  1024
#define INSIST_NS    (10 * SIM_SECOND)
#define PER_MILLE    20 /* of requests, and of answers: lost; half as many come twice */
#define LATENCY_MIN  (50 * SIM_US)
#define LATENCY_MAX  (3 * SIM_MS)
#define LATENCY_LONG (2 * SIM_SECOND)

/* The caller's side. Lives until the end of the run, so that what is late finds it. */
struct call {
	const struct rpc_method *method;
	struct bytes wire;
	int64_t deadline_ns;
	net_done *done;
	void *user;
	bool over;
};

/* The server's side of one delivery of a call. */
struct delivery {
	struct request request; /* first: the ops cast */
	struct arena arena;
	struct call *call;
	struct delivery *next, *previous;
};

struct answer {
	struct call *call;
	enum temporal_code code;
	struct bytes wire;
};

static struct delivery *deliveries; /* that the server has not answered */

static int64_t latency(void)
{
	return sim_chance(10) ? sim_between(LATENCY_MAX, LATENCY_LONG)
			      : sim_between(LATENCY_MIN, LATENCY_MAX);
}

static struct bytes keep(struct bytes wire)
{
	struct bytes copy = { sim_alloc(wire.len + 1), wire.len };

	if (wire.len)
		memcpy(copy.ptr, wire.ptr, wire.len);
	return copy;
}

/* ---- answers ---- */

static void end(
	struct call *call, enum temporal_code code, const void *message, struct arena *arena)
{
	if (call->over)
		return;
	call->over = true;
	sim_trace(call->method->path, &code, sizeof(code));
	call->done(call->user, code, message, arena);
}

static void arrive(void *arg)
{
	struct answer *answer = arg;
	struct arena arena;
	void *message = NULL;

	if (answer->call->over)
		return;
	arena_init(&arena, ARENA_FIRST, ARENA_NO_BUDGET);
	if (answer->code == TEMPORAL_OK) {
		message = proto_decode(&arena, answer->call->method->response, answer->wire.ptr,
			answer->wire.len, NULL, NULL);
		if (!message)
			sim_violation("an answer of %s cannot be read", answer->call->method->path);
	}
	sim_trace("answer", answer->wire.ptr, answer->wire.len);
	end(answer->call, answer->code, message, &arena);
	arena_finish(&arena);
}

static void answer(struct call *call, enum temporal_code code, struct bytes wire)
{
	struct answer *out = sim_alloc(sizeof(*out));

	if (sim_chance(PER_MILLE)) {
		/* The connection breaks: the caller knows that, or waits. */
		sim_figures.drops++;
		if (sim_random(2))
			return;
		code = TEMPORAL_UNAVAILABLE;
		wire = (struct bytes){ 0 };
	}
	*out = (struct answer){ call, code, keep(wire) };
	sim_after(latency(), arrive, out);
}

/* ---- the server's side ---- */

static void forget(struct delivery *delivery)
{
	if (delivery->previous)
		delivery->previous->next = delivery->next;
	else
		deliveries = delivery->next;
	if (delivery->next)
		delivery->next->previous = delivery->previous;
	arena_finish(&delivery->arena);
	free(delivery);
}

static void delivery_reply(struct request *request, const void *message)
{
	struct delivery *delivery = (struct delivery *)(void *)request;
	struct bytes wire = { 0 };

	if (proto_encode(&delivery->arena, message, 0, &wire, NULL) != TEMPORAL_OK)
		sim_violation("an answer of %s cannot be written", delivery->call->method->path);
	answer(delivery->call, TEMPORAL_OK, wire);
	forget(delivery);
}

static void delivery_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct delivery *delivery = (struct delivery *)(void *)request;

	sim_trace(text, NULL, 0);
	answer(delivery->call, code, (struct bytes){ 0 });
	forget(delivery);
}

static const char *delivery_header(struct request *request, const char *name)
{
	return NULL;
}

static const struct request_ops delivery_ops = { delivery_reply, delivery_fail, delivery_header };

static frontend_handler *find(const struct rpc_method *method)
{
	for (size_t i = 0; i < frontend_methods_count; i++) {
		if (frontend_methods[i].method == method)
			return frontend_methods[i].handle;
	}
	abort();
}

static void deliver(void *arg)
{
	struct call *call = arg;
	struct delivery *delivery;

	if (!node_server) {
		answer(call, TEMPORAL_UNAVAILABLE, (struct bytes){ 0 });
		return;
	}
	delivery = calloc(1, sizeof(*delivery));
	if (!delivery)
		abort();
	arena_init(&delivery->arena, ARENA_FIRST, ARENA_NO_BUDGET);
	delivery->call = call;
	delivery->next = deliveries;
	if (deliveries)
		deliveries->previous = delivery;
	deliveries = delivery;
	delivery->request = (struct request){
		.server = node_server,
		.ops = &delivery_ops,
		.arena = &delivery->arena,
		.message = proto_decode(&delivery->arena, call->method->request, call->wire.ptr,
			call->wire.len, NULL, NULL),
		.deadline_ns = call->deadline_ns,
	};
	sim_trace("request", call->wire.ptr, call->wire.len);
	frontend_serve(&delivery->request, find(call->method));
	node_settle();
}

/* The caller has left: the server hears of it. */
static void leave(struct call *call)
{
	struct delivery *at = deliveries;

	while (at && at->call != call)
		at = at->next;
	if (!at || !at->request.cancelled || !node_server)
		return;
	transition_begin(node_server);
	at->request.cancelled(&at->request);
	transition_end(node_server);
	node_settle();
}

void net_server_is_gone(void)
{
	/* What the dying server says of them is the last that anybody hears. */
	while (deliveries)
		delivery_fail(&deliveries->request, TEMPORAL_UNAVAILABLE, "gone", NULL);
}

void net_finish(void)
{
	while (deliveries)
		forget(deliveries);
}

/* ---- the caller's side ---- */

static void deadline(void *arg)
{
	struct call *call = arg;
	struct arena none = { 0 };

	if (call->over)
		return;
	end(call, TEMPORAL_DEADLINE_EXCEEDED, NULL, &none);
	leave(call);
}

void net_leave(const void *user)
{
	struct delivery *at = deliveries;
	struct arena none = { 0 };

	while (at && (at->call->user != user || at->call->over))
		at = at->next;
	if (!at)
		return;
	struct call *call = at->call;
	end(call, TEMPORAL_CANCELLED, NULL, &none);
	leave(call);
}

static void start(const struct rpc_method *method, struct bytes wire, int64_t timeout_ns,
	net_done *done, void *user)
{
	struct call *call = sim_alloc(sizeof(*call));

	*call = (struct call){ method, wire, sim_now_ns + timeout_ns, done, user, false };
	sim_figures.calls++;
	sim_after(timeout_ns, deadline, call);
	if (sim_chance(PER_MILLE)) {
		sim_figures.drops++;
		return;
	}
	sim_after(latency(), deliver, call);
	if (sim_chance(PER_MILLE / 2)) {
		sim_figures.doubles++;
		sim_after(latency(), deliver, call);
	}
}

static struct bytes encode(const void *message)
{
	struct bytes wire = { 0 };

	if (proto_encode(&sim_arena, message, 0, &wire, NULL) != TEMPORAL_OK)
		abort();
	return wire;
}

void net_call(const struct rpc_method *method, const void *message, int64_t timeout_ns,
	net_done *done, void *user)
{
	start(method, encode(message), timeout_ns, done, user);
}

/* ---- until it is answered ---- */

struct insistence {
	const struct rpc_method *method;
	struct bytes wire;
	net_done *done;
	void *user;
};

static void again(void *arg);

static void insisted(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct insistence *insistence = user;

	/* (RESOURCE_EXHAUSTED: a run that may be about to end takes no signal.) */
	if (code == TEMPORAL_UNAVAILABLE || code == TEMPORAL_DEADLINE_EXCEEDED ||
		code == TEMPORAL_RESOURCE_EXHAUSTED)
		sim_after(sim_between(SIM_MS, 500 * SIM_MS), again, insistence);
	else
		insistence->done(insistence->user, code, message, arena);
}

static void again(void *arg)
{
	struct insistence *insistence = arg;

	start(insistence->method, insistence->wire, INSIST_NS, insisted, insistence);
}

void net_insist(const struct rpc_method *method, const void *message, net_done *done, void *user)
{
	struct insistence *insistence = sim_alloc(sizeof(*insistence));

	*insistence = (struct insistence){ method, encode(message), done, user };
	again(insistence);
}
