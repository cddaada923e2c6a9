/*
 * bench_fill.c: many closed runs in a database, quickly, to measure the server among them.
 *
 *	bench_fill DB RUNS
 *
 * DB is one of a server that has been stopped, and has at least one run that has ended (say, of
 * bench_embedded). The newest of them is copied RUNS times, under ids and numbers of their own, one
 * a millisecond until now: row, events, and what is recorded of it. So they are runs that the
 * server can describe and whose histories it can read. One line of JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "server/state.h"
#include "server/store/store.h"
#include "server/transition.h"

#define RUNS_A_BATCH 2000
#define MS           INT64_C(1000000)
#define PARTS_MAX    64

struct fill {
	struct store *store;
	int wake_fd;
	int outstanding;
	struct arena arena; /* of the model */
	bool found;
	struct store_closed model;
	struct store_history parts[PARTS_MAX];
	size_t n_parts;
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what, const struct temporal_error *err)
{
	(void)fprintf(stderr, "bench_fill: %s: %s\n", what, err ? err->message : "");
	exit(1);
}

static void on_wake(void *user)
{
	uint64_t one = 1;
	struct fill *fill = user;

	if (write(fill->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void wait_step(struct fill *fill)
{
	uint64_t count;

	if (read(fill->wake_fd, &count, sizeof(count)) != sizeof(count))
		abort();
	store_step(fill->store);
}

/* ---- The model ---- */

static void on_newest(void *user, const struct store_page *page)
{
	struct fill *fill = user;
	struct temporal_error err;

	fill->outstanding--;
	if (page->code != TEMPORAL_OK)
		die("list", page->err);
	if (!page->n)
		return;
	const struct store_closed *row = &page->rows[0];
	fill->found = store_find(fill->store, row->name_space, row->workflow_id, row->run_id,
			      &fill->arena, &fill->model, &err) == TEMPORAL_OK;
}

static enum temporal_code take_part(
	void *user, const struct store_history *part, struct temporal_error *err)
{
	struct fill *fill = user;
	struct store_history *copy = &fill->parts[fill->n_parts++];

	if (fill->n_parts == PARTS_MAX)
		die("the history of the model is too long", NULL);
	*copy = *part;
	copy->data = arena_memdup(&fill->arena, part->data, part->size);
	return TEMPORAL_OK;
}

static void find_model(struct fill *fill)
{
	const struct store_query query = { .name_space = 1, .limit = 1 };
	struct temporal_error err;

	fill->outstanding++;
	if (store_list(fill->store, &query, on_newest, fill, &err) != TEMPORAL_OK)
		die("list", &err);
	while (fill->outstanding)
		wait_step(fill);
	if (!fill->found)
		die("no run has ended in this database", NULL);
	if (store_load_history(fill->store, fill->model.run, take_part, fill, &err) != TEMPORAL_OK)
		die("history", &err);
}

/* ---- The copies ---- */

/* What is recorded of the model, as that of another run. */
static void set_info(struct server *server, const struct fill *fill, struct store_closed *row)
{
	const uint8_t *data = fill->model.info;
	struct batch_entry entry;
	size_t at = 0;
	bool bad;

	server->batch->len = 0;
	while (batch_next(data, fill->model.info_size, &at, &entry, &bad)) {
		struct execution execution = { 0 };

		entry.key.run = row->run;
		if (entry.key.kind != ENTITY_EXECUTION) {
			transition_record_bytes(server, entry.key, entry.data, entry.len);
			continue;
		}
		if (!record_read(&state_execution_type, &execution, entry.data, entry.len))
			die("the model cannot be read", NULL);
		execution.number = row->run;
		transition_record(server, entry.key, &state_execution_type, &execution);
		record_finish(&state_execution_type, &execution);
	}
	row->info = server->batch->data;
	row->info_size = server->batch->len;
}

static void add_copy(
	struct server *server, struct fill *fill, struct store_batch *batch, int64_t start_ns)
{
	struct store_closed row = fill->model;
	char workflow_id[40], run_id[40];
	uint64_t ms = (uint64_t)(start_ns / MS);

	row.run = store_new_run(fill->store);
	(void)snprintf(workflow_id, sizeof(workflow_id), "stored-%" PRIu64, row.run);
	(void)snprintf(run_id, sizeof(run_id), "%08" PRIx64 "-%04" PRIx64 "-7000-8000-%012" PRIx64,
		ms >> 16 & UINT32_MAX, ms & 0xffff, row.run);
	row.workflow_id = row.root_workflow_id = workflow_id;
	row.run_id = row.root_run_id = run_id;
	row.start_ns = start_ns;
	row.execution_ns = start_ns + (fill->model.execution_ns - fill->model.start_ns);
	row.close_ns = start_ns + (fill->model.close_ns - fill->model.start_ns);
	row.expire_ns = row.close_ns + (fill->model.expire_ns - fill->model.close_ns);
	set_info(server, fill, &row);
	store_batch_close(batch, &row, fill->parts, fill->n_parts);
}

static void on_done(void *user, const struct store_done *done)
{
	struct fill *fill = user;

	if (done->code != TEMPORAL_OK)
		die("commit", done->err);
	fill->outstanding--;
}

static void add_copies(struct fill *fill, int runs)
{
	static struct server server;
	struct batch gathered = { 0 };
	int64_t first_ns = now_ns(CLOCK_REALTIME) - runs * MS;
	struct temporal_error err;

	server.batch = &gathered;
	for (int i = 0; i < runs;) {
		struct store_batch *batch = store_batch_new();

		for (int end = i + RUNS_A_BATCH; i < end && i < runs; i++)
			add_copy(&server, fill, batch, first_ns + i * MS);
		if (store_submit(fill->store, batch, STORE_DURABLE, on_done, fill, &err) !=
			TEMPORAL_OK)
			die("submit", &err);
		fill->outstanding++;
		while (fill->outstanding > 2)
			wait_step(fill);
	}
	while (fill->outstanding)
		wait_step(fill);
	mem_free(gathered.data);
}

int main(int argc, char **argv)
{
	struct fill fill = { .wake_fd = eventfd(0, EFD_CLOEXEC) };
	struct store_opts opts = { .wake = on_wake, .user = &fill, .wal_pages = 50000 };
	int runs = argc == 3 ? atoi(argv[2]) : -1;
	struct temporal_error err;

	if (runs < 0 || access(argv[1], F_OK) != 0) {
		(void)fprintf(stderr, "usage: bench_fill DB RUNS (DB is one of a server)\n");
		return 2;
	}
	opts.path = argv[1];
	arena_init(&fill.arena, 4096, ARENA_NO_BUDGET);
	fill.store = store_open(&opts, &err);
	if (!fill.store || store_recover(fill.store, NULL, &err) != TEMPORAL_OK)
		die("open", &err);
	find_model(&fill);
	int64_t start_ns = now_ns(CLOCK_MONOTONIC);

	add_copies(&fill, runs);
	printf("{\"runs\": %d, \"per_second\": %.0f}\n", runs,
		runs / ((double)(now_ns(CLOCK_MONOTONIC) - start_ns) / 1e9));
	store_close(fill.store);
	arena_finish(&fill.arena);
	close(fill.wake_fd);
	return 0;
}
