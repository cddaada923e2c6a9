/*
 * sim.c: the queue of events, chance, and the trace.
 *
 * A run has two parts. First `steps` events with faults; then the faults end, and everything that
 * was begun has to come to its end by itself. Last the server is killed once more, and what it then
 * says, from its disk alone, is compared with all that was ever acknowledged (check.c).
 *
 * The trace is a hash over the time, name and bytes of what happened: equal seeds have equal
 * traces, or something in the code under test depends on more than its inputs.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_FIRST 65536
/* In virtual time: no workflow here takes so long without faults. */
#define CALM_NS (7200 * SIM_SECOND)

struct event {
	int64_t due_ns;
	uint64_t order;
	void (*run)(void *arg);
	void *arg;
};

int64_t sim_now_ns;
bool sim_faults;
struct sim_figures sim_figures;
struct arena sim_arena;
struct sim_completion *sim_completions;

static struct event *queue;
static size_t n_queue, queue_room;
static uint64_t next_order, chance, trace;
static bool broken, verbose;

/* ---- events: a binary heap, [1 .. n_queue] ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

void sim_after(int64_t delay_ns, void (*run)(void *arg), void *arg)
{
	struct event event = { sim_now_ns + delay_ns, next_order++, run, arg };
	size_t at = ++n_queue;

	if (n_queue >= queue_room) {
		queue_room = queue_room ? queue_room * 2 : 1024;
		queue = realloc(queue, queue_room * sizeof(*queue));
		if (!queue)
			abort();
	}
	for (; at > 1 && before(&event, &queue[at / 2]); at /= 2)
		queue[at] = queue[at / 2];
	queue[at] = event;
}

static struct event pop(void)
{
	struct event first = queue[1], last = queue[n_queue--];
	size_t at = 1;

	for (size_t child = 2; child <= n_queue; child = 2 * at) {
		if (child < n_queue && before(&queue[child + 1], &queue[child]))
			child++;
		if (before(&last, &queue[child]))
			break;
		queue[at] = queue[child];
		at = child;
	}
	queue[at] = last;
	return first;
}

/* ---- chance ---- */

uint64_t sim_random(uint64_t bound)
{
	uint64_t z = chance += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

bool sim_chance(unsigned per_mille)
{
	return sim_faults && sim_random(1000) < per_mille;
}

int64_t sim_between(int64_t low, int64_t high)
{
	return low + (int64_t)sim_random((uint64_t)(high - low + 1));
}

/* ---- trace ---- */

uint64_t check_hash(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

void sim_trace(const char *what, const void *data, size_t size)
{
	trace = check_hash(trace, &sim_now_ns, sizeof(sim_now_ns));
	trace = check_hash(trace, what, strlen(what));
	trace = check_hash(trace, data, size);
	if (verbose)
		printf("%14.6f  %-60s %6zu bytes  %016llx\n",
			(double)(sim_now_ns - SIM_BEGIN) / 1e9, what, size,
			(unsigned long long)trace);
}

void sim_violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("VIOLATION after %ld events, at %.6f s: ", sim_figures.events,
		(double)(sim_now_ns - SIM_BEGIN) / 1e9);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	broken = true;
}

bool sim_broken(void)
{
	return broken;
}

void *sim_alloc(size_t size)
{
	void *memory = arena_zalloc(&sim_arena, size);

	if (!memory)
		abort();
	return memory;
}

void sim_completed(const char *run_id, int64_t activity, int64_t number)
{
	struct sim_completion *completion = sim_alloc(sizeof(*completion));

	snprintf(completion->run_id, sizeof(completion->run_id), "%s", run_id);
	completion->activity = activity;
	completion->number = number;
	completion->next = sim_completions;
	sim_completions = completion;
}

/* ---- a run ---- */

static void step(void)
{
	struct event event = pop();

	sim_now_ns = event.due_ns;
	sim_figures.events++;
	event.run(event.arg);
}

static void play(long steps)
{
	int64_t end_ns;

	while (!broken && sim_figures.events < steps && !client_all_over())
		step();
	sim_faults = false;
	sim_trace("calm", NULL, 0);
	end_ns = sim_now_ns + CALM_NS;
	while (!broken && !client_all_over()) {
		step();
		if (sim_now_ns < end_ns)
			continue;
		for (int i = 0; i < client_n_plans; i++) {
			if (client_plans[i].over)
				continue;
			sim_violation("%s (of kind %d) never comes to its end", client_plans[i].id,
				client_plans[i].kind);
			node_print(client_plans[i].run_id);
		}
	}
	if (broken)
		return;
	node_restart();
	check_begin();
	while (!broken && !check_done)
		step();
}

uint64_t sim_run(const struct sim_opts *opts)
{
	arena_init(&sim_arena, ARENA_FIRST, ARENA_NO_BUDGET);
	sim_figures = (struct sim_figures){ 0 };
	sim_completions = NULL;
	sim_now_ns = SIM_BEGIN;
	chance = opts->seed;
	trace = UINT64_C(0xcbf29ce484222325);
	n_queue = 0;
	next_order = 0;
	broken = false;
	verbose = opts->verbose;
	sim_faults = opts->crash_at < 0;
	node_begin(opts->seed, opts->crash_at);
	sim_workers_begin();
	sim_activities_begin();
	sim_nexus_begin();
	client_begin(opts->seed, opts->crash_at >= 0);
	play(opts->steps);
	node_finish();
	net_finish();
	sim_workers_finish();
	free(queue);
	queue = NULL;
	queue_room = 0;
	arena_finish(&sim_arena);
	return broken ? 0 : trace;
}
