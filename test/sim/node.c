/*
 * node.c: the server of the simulation: its real logic and store, on a disk in memory that loses
 * power. Requests come from network.c; timers, commits and crashes are events.
 *
 *     down --open--> up --a request, a timer--> changed --disk event--> committed: answers leave
 *      ^                |                                   |
 *      +----- crash ----+------- the disk stops amid a commit
 *
 * A crash is sudden: nothing more reaches the disk, the memory is thrown away, and of the writes
 * that were not synced any may be lost or torn.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/fault_vfs.h"
#include "proto/json.h"
#include "server/frontend/frontend.h"
#include "server/journal.h"
#include "server/store/store.h"
#include "sim.h"

#define DISK    "sim"
#define LAZY_NS (200 * SIM_MS)

struct server *node_server;

static struct server state;
static struct fault_disk *disk;
static bool woken, disk_busy;
static long crash_at;   /* the disk is to stop, once, and has not; -1: not so */
static int64_t tick_ns; /* the earliest tick that is queued; INT64_MAX: none */

/* When it came up: all of its lives. */
static int64_t *up_ns;
static size_t n_up, up_room;

static int64_t node_now(void *user)
{
	return sim_now_ns;
}

static void node_random(void *user, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)sim_random(256);
}

static const struct server_io io = {
	.now_ns = node_now,
	.steady_ns = node_now,
	.random = node_random,
	.disk = DISK,
};

static void wake(void *user)
{
	woken = true;
}

/* ---- time ---- */

static void tick(void *arg)
{
	tick_ns = INT64_MAX;
	if (!node_server)
		return;
	transition_tick(node_server, sim_now_ns);
	node_settle();
}

static int64_t next_due(void)
{
	int64_t due = timers_next(&state.timers), wait = timers_next(&state.waits);

	due = wait < due ? wait : due;
	return state.archive.expiry_ns < due ? state.archive.expiry_ns : due;
}

static void arm(void)
{
	int64_t due = next_due();

	if (due >= tick_ns || due == INT64_MAX)
		return;
	due = due > sim_now_ns ? due : sim_now_ns;
	tick_ns = due;
	sim_after(due - sim_now_ns, tick, NULL);
}

/* ---- disk ---- */

static void crash(void);

static void use_disk(int64_t delay_ns);

static void disk_work(void *arg)
{
	bool lazy = arg || sim_random(8) == 0;
	struct store_stats stats;

	disk_busy = false;
	if (!node_server)
		return;
	if (store_run(state.store, lazy))
		use_disk(sim_between(20 * SIM_US, sim_chance(20) ? SIM_SECOND : 2 * SIM_MS));
	if (woken) {
		woken = false;
		journal_step(node_server);
	}
	store_stats(state.store, &stats);
	if (stats.queued_batches && !disk_busy) {
		disk_busy = true;
		sim_after(LAZY_NS, disk_work, &state);
	}
	if (state.failed)
		crash();
	else
		arm();
}

static void use_disk(int64_t delay_ns)
{
	if (disk_busy)
		return;
	disk_busy = true;
	sim_after(delay_ns, disk_work, NULL);
}

void node_settle(void)
{
	if (!node_server)
		return;
	if (state.failed) {
		crash();
		return;
	}
	use_disk(sim_between(20 * SIM_US, sim_chance(20) ? SIM_SECOND : 2 * SIM_MS));
	arm();
}

/* ---- life ---- */

static void open_server(void *arg);

/* The one crash of a run without other faults may come while the database is made. */
static bool stops_now(void)
{
	bool stops = crash_at >= 0;

	crash_at = -1;
	return stops;
}

static void start_over(void)
{
	sim_figures.crashes++;
	journal_close(&state);
	state_finish(&state);
	fault_disk_restart(disk, (enum fault_keep)sim_random(FAULT_KEEPS));
	sim_after(SIM_MS, open_server, NULL);
}

static void note_up(void)
{
	if (n_up == up_room) {
		up_room = up_room ? 2 * up_room : 32;
		up_ns = realloc(up_ns, up_room * sizeof(*up_ns));
		if (!up_ns)
			abort();
	}
	up_ns[n_up++] = sim_now_ns;
}

bool node_came_up(int64_t at_ns)
{
	for (size_t i = 0; i < n_up; i++) {
		if (up_ns[i] == at_ns)
			return true;
	}
	return false;
}

static void open_server(void *arg)
{
	struct temporal_error err = { .message = "" };

	woken = disk_busy = false;
	tick_ns = INT64_MAX;
	state_init(&state, &io);
	transition_begin(&state);
	if (journal_open(&state, "db", wake, &err) != TEMPORAL_OK) {
		if (stops_now()) {
			start_over();
			return;
		}
		sim_violation("the database cannot be opened again: %s", err.message);
		return;
	}
	if (!state_namespace(&state, SIM_NAMESPACE))
		namespace_register(&state, SIM_NAMESPACE, "", "", 0);
	transition_end(&state);
	node_server = &state;
	note_up();
	sim_trace("server is up", NULL, 0);
	transition_tick(&state, sim_now_ns);
	node_settle();
}

/* The end of this life: whoever waits in memory is let go, and nothing reaches the disk. */
static void close_server(void)
{
	struct timers_entry *entry;

	node_server = NULL;
	server_fail(&state, "killed");
	request_release(&state, UINT64_MAX);
	transition_begin(&state);
	while ((entry = timers_pop(&state.waits, INT64_MAX - 1))) {
		if (entry->fire) /* no request's */
			continue;
		struct request *request =
			(struct request *)(void *)((char *)entry - offsetof(struct request, timer));

		request->cancelled(request);
	}
	transition_end(&state);
	journal_close(&state);
	request_release(&state, UINT64_MAX);
	net_server_is_gone();
	state_finish(&state);
}

static void kill_server(void)
{
	sim_figures.crashes++;
	crash_at = -1;
	sim_trace("server is killed", NULL, 0);
	fault_disk_crash_after(disk, 0);
	close_server();
	fault_disk_restart(disk, (enum fault_keep)sim_random(FAULT_KEEPS));
}

static void crash(void)
{
	kill_server();
	sim_after(sim_between(SIM_MS, 5 * SIM_SECOND), open_server, NULL);
}

void node_restart(void)
{
	if (node_server)
		kill_server();
	open_server(NULL);
}

/* Now and then it dies: at once, or in the middle of what it writes next. */
static void misfortune(void *arg)
{
	if (!sim_faults)
		return;
	if (node_server && sim_random(2)) {
		crash();
	} else if (node_server) {
		sim_figures.torn_commits++;
		fault_disk_crash_after(disk, (long)sim_random(12));
	}
	sim_after(sim_between(100 * SIM_MS, 20 * SIM_SECOND), misfortune, NULL);
}

void node_print(const char *run_id)
{
	struct arena arena;

	if (!node_server)
		return;
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	for (uint32_t i = 0; i < state.numbers.capacity; i++) {
		const struct execution *run = state.numbers.slots[i].value;

		for (int64_t id = 1; run && run_id && strcmp(run->run_id, run_id) == 0 &&
				     id < run->next_event_id;
			id++) {
			const History__HistoryEvent *event = event_read(run, id, &arena);
			struct str text = { 0 };

			if (event && proto_to_json(&arena, event, 0, &text, NULL) == TEMPORAL_OK)
				printf("%.*s\n", (int)text.len, text.ptr);
		}
	}
	arena_finish(&arena);
}

void node_begin(uint64_t seed, long stop_at)
{
	disk = fault_disk_new(DISK, seed);
	crash_at = stop_at;
	if (crash_at >= 0)
		fault_disk_crash_after(disk, crash_at);
	open_server(NULL);
	sim_after(sim_between(0, 5 * SIM_SECOND), misfortune, NULL);
}

void node_finish(void)
{
	if (node_server)
		close_server();
	sim_figures.disk_calls = fault_disk_calls(disk);
	fault_disk_free(disk);
	free(up_ns);
	up_ns = NULL;
	n_up = up_room = 0;
}
