/*
 * fake_world.h: a server's logic with no network, no thread and a clock that the test sets. Calls
 * go in as messages, answers are caught; the store is in memory.
 */
#ifndef TEST_SERVER_FAKE_WORLD_H
#define TEST_SERVER_FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/history/event.h"
#include "server/journal.h"

#define MS NS_PER_MS

/* A call and what came of it. */
struct answer {
	struct request request; /* first: the ops cast */
	struct arena arena;
	bool done;
	enum temporal_code code;
	const void *message; /* the reply */
	char text[200];
};

static struct {
	struct server server;
	int64_t now_ns, steady_ns;
	uint32_t chance;
	int woken;
} world;

static int64_t world_now(void *user)
{
	return world.now_ns;
}

static int64_t world_steady(void *user)
{
	return world.steady_ns;
}

static void world_random(void *user, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		world.chance = world.chance * 1664525U + 1013904223U;
		((uint8_t *)out)[i] = (uint8_t)(world.chance >> 16);
	}
}

static void world_wake(void *user)
{
	__atomic_store_n(&world.woken, 1, __ATOMIC_RELEASE);
}

static void answer_reply(struct request *request, const void *message)
{
	struct answer *answer = (struct answer *)(void *)request;

	answer->done = true;
	answer->message = message;
}

static void answer_fail(
	struct request *request, enum temporal_code code, const char *text, const void *status)
{
	struct answer *answer = (struct answer *)(void *)request;

	answer->done = true;
	answer->code = code;
	snprintf(answer->text, sizeof(answer->text), "%s", text);
}

static const char *answer_header(struct request *request, const char *name)
{
	return NULL;
}

static const struct request_ops answer_ops = { answer_reply, answer_fail, answer_header };

/* Lets the store commit what was submitted. */
static void world_settle(void)
{
	for (int i = 0; world.server.committed < world.server.submitted; i++) {
		assert_true(i < 5000);
		if (__atomic_exchange_n(&world.woken, 0, __ATOMIC_ACQUIRE))
			journal_step(&world.server);
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void world_open(void)
{
	const struct server_io io = {
		.now_ns = world_now, .steady_ns = world_steady, .random = world_random
	};
	struct temporal_error err;

	world.now_ns = INT64_C(1700000000000000000);
	world.steady_ns = 0;
	world.chance = 1;
	state_init(&world.server, &io);
	transition_begin(&world.server);
	assert_int_equal(journal_open(&world.server, NULL, world_wake, &err), TEMPORAL_OK);
	namespace_register(&world.server, "default", "", "", 0);
	transition_end(&world.server);
	world_settle();
}

static void world_close(void)
{
	journal_close(&world.server);
	state_finish(&world.server);
}

/* Time goes on by so much, and what is due happens. */
static __attribute__((unused)) void world_pass(int64_t ns)
{
	world.now_ns += ns;
	transition_tick(&world.server, 0);
	world_settle();
}

static void call(struct answer *answer, frontend_handler *handle, const void *message)
{
	*answer = (struct answer){ 0 };
	arena_init(&answer->arena, 1024, ARENA_NO_BUDGET);
	answer->request = (struct request){
		.server = &world.server,
		.ops = &answer_ops,
		.arena = &answer->arena,
		.message = message ? proto_copy(&answer->arena, message) : NULL,
		.deadline_ns = INT64_MAX,
	};
	frontend_serve(&answer->request, handle);
	world_settle();
}

static void forget(struct answer *answer)
{
	arena_finish(&answer->arena);
}

/* The types of all events of a run, as numbers in one text, which is good until the next one. */
static __attribute__((unused)) const char *world_events(const struct execution *execution)
{
	static char text[400];
	struct arena arena;
	size_t at = 0;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	text[0] = '\0';
	for (int64_t id = 1; id < execution->next_event_id && at < sizeof(text); id++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d", id > 1 ? " " : "",
			(int)event_read(execution, id, &arena)->event_type);
	arena_finish(&arena);
	return text;
}

#endif
