/*
 * bench_store.c: what the server's store does on this disk.
 *
 *	bench_store transitions DB BATCH SECONDS [BYTES]
 *		durable records a second, BATCH submitters at a time
 *	bench_store close DB RUNS [BYTES]
 *		closed runs a second, in the background
 *	bench_store find DB RUNS
 *		look-ups and pages among RUNS closed runs
 *	bench_store recover DB RECORDS
 *		time to open a database with so many records
 *
 * Prints one line of JSON. DB is made, and must not be there before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "server/store/store.h"

#define LIVE_RUNS 2000

struct bench {
	struct store *store;
	int wake_fd;
	int64_t outstanding, done;
	int pages;
};

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what, const struct temporal_error *err)
{
	(void)fprintf(stderr, "bench_store: %s: %s\n", what, err->message);
	exit(1);
}

static void on_wake(void *user)
{
	uint64_t one = 1;
	struct bench *bench = user;

	if (write(bench->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void on_done(void *user, const struct store_done *done)
{
	struct bench *bench = user;

	if (done->code != TEMPORAL_OK)
		die("commit", done->err);
	bench->outstanding--;
	bench->done++;
}

static void on_page(void *user, const struct store_page *page)
{
	struct bench *bench = user;

	if (page->code != TEMPORAL_OK)
		die("list", page->err);
	bench->outstanding--;
	bench->pages += (int)page->n;
}

static void open_bench(struct bench *bench, const char *path, const struct store_visitor *visitor)
{
	struct temporal_error err;
	struct store_opts opts = { .path = path, .wake = on_wake, .user = bench };

	*bench = (struct bench){ .wake_fd = eventfd(0, EFD_CLOEXEC) };
	bench->store = store_open(&opts, &err);
	if (!bench->store)
		die("open", &err);
	if (store_recover(bench->store, visitor, &err) != TEMPORAL_OK)
		die("recover", &err);
}

static void close_bench(struct bench *bench)
{
	store_close(bench->store);
	close(bench->wake_fd);
}

static void wait_step(struct bench *bench)
{
	uint64_t count;

	if (read(bench->wake_fd, &count, sizeof(count)) != sizeof(count))
		abort();
	store_step(bench->store);
}

static void submit(struct bench *bench, struct store_batch *batch, enum store_urgency urgency)
{
	struct temporal_error err;

	if (store_submit(bench->store, batch, urgency, on_done, bench, &err) != TEMPORAL_OK)
		die("submit", &err);
	bench->outstanding++;
}

static uint64_t written(void)
{
	unsigned long long bytes = 0;
	char line[128];
	FILE *io = fopen("/proc/self/io", "r");

	while (io && fgets(line, sizeof(line), io)) {
		if (strncmp(line, "wchar: ", 7) == 0)
			bytes = strtoull(line + 7, NULL, 10);
	}
	if (io)
		(void)fclose(io);
	return bytes;
}

/* As many submitters as BATCH, each with one transition on the way at a time; runs are replaced by
 * a closing snapshot after 6 records, as in life. */
static void bench_transitions(const char *path, int batch_size, int seconds, size_t size)
{
	struct bench bench;
	static char data[1 << 20];
	uint64_t sent = 0;

	open_bench(&bench, path, NULL);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31);
	int64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int64_t end = start + (int64_t)seconds * 1000000000;
	uint64_t bytes = written();
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		while (bench.outstanding < batch_size) {
			struct store_batch *batch = store_batch_new();
			uint64_t run = sent % LIVE_RUNS + 1;

			if (sent / LIVE_RUNS % 6 == 5)
				store_batch_drop(batch, run);
			store_batch_append(batch, run, 1, data, size);
			submit(&bench, batch, STORE_DURABLE);
			sent++;
		}
		wait_step(&bench);
	}
	double took = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
	double cpu_us = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3;
	struct store_stats stats;
	store_stats(bench.store, &stats);
	printf("{\"what\": \"transitions\", \"batch\": %d, \"bytes\": %zu, \"per_second\": %.0f, "
	       "\"cpu_us\": %.1f, \"written\": %.0f, \"commit_us\": %.0f, \"batches_a_commit\": "
	       "%.1f}\n",
		batch_size, size, (double)bench.done / took, cpu_us / (double)bench.done,
		(double)(written() - bytes) / (double)bench.done,
		(double)stats.commit_ns / 1e3 / (double)stats.commits,
		(double)stats.batches / (double)stats.commits);
	close_bench(&bench);
}

static void close_one(struct bench *bench, uint64_t run, const char *data, size_t size)
{
	char workflow_id[40], run_id[40];
	struct store_batch *batch = store_batch_new();
	uint64_t mixed = run * UINT64_C(0x9e3779b97f4a7c15);

	(void)snprintf(workflow_id, sizeof(workflow_id), "order-%016" PRIx64, mixed);
	(void)snprintf(run_id, sizeof(run_id), "%016" PRIx64 "-0000-0000-%08" PRIx64, mixed, run);
	struct store_closed closed = {
		.run = run,
		.name_space = 1,
		.status = (int32_t)(run % 5) + 2,
		.workflow_id = workflow_id,
		.run_id = run_id,
		.type = "OrderWorkflow",
		.task_queue = "orders",
		.root_workflow_id = workflow_id,
		.root_run_id = run_id,
		.start_ns = (int64_t)run * 1000,
		.execution_ns = (int64_t)run * 1000,
		.close_ns = (int64_t)run * 1000 + 500,
		.expire_ns = (int64_t)run * 1000 + 86400,
		.history_length = 11,
	};
	struct store_history history = { 1, 11, data, size };
	store_batch_close(batch, &closed, &history, 1);
	submit(bench, batch, STORE_LAZY);
}

static void fill(struct bench *bench, int runs, size_t size)
{
	static char data[1 << 20];

	for (int i = 1; i <= runs; i++) {
		close_one(bench, (uint64_t)i, data, size);
		while (bench->outstanding >= 1000)
			wait_step(bench);
	}
	while (bench->outstanding)
		wait_step(bench);
}

static void bench_close(const char *path, int runs, size_t size)
{
	struct bench bench;

	open_bench(&bench, path, NULL);
	int64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	fill(&bench, runs, size);
	double took = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
	printf("{\"what\": \"close\", \"runs\": %d, \"bytes\": %zu, \"per_second\": %.0f, "
	       "\"cpu_us\": %.1f}\n",
		runs, size, runs / took,
		(double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3 / runs);
	close_bench(&bench);
}

static double find_us(struct bench *bench, int runs, bool there)
{
	enum {
		TIMES = 2000
	};
	int64_t start = clock_ns(CLOCK_MONOTONIC);

	for (uint64_t i = 0; i < TIMES; i++) {
		char workflow_id[40];
		struct arena arena;
		struct store_closed row;
		uint64_t run = there ? i * 7919 % (uint64_t)runs + 1 : (uint64_t)runs + 1 + i;

		(void)snprintf(workflow_id, sizeof(workflow_id), "order-%016" PRIx64,
			run * UINT64_C(0x9e3779b97f4a7c15));
		arena_init(&arena, 1024, ARENA_NO_BUDGET);
		enum temporal_code code =
			store_find(bench->store, 1, workflow_id, NULL, &arena, &row, NULL);
		arena_finish(&arena);
		if (code != (there ? TEMPORAL_OK : TEMPORAL_NOT_FOUND))
			abort();
	}
	return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / TIMES;
}

static double page_us(struct bench *bench, int runs)
{
	enum {
		TIMES = 100
	};
	struct temporal_error err;
	int64_t start = clock_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < TIMES; i++) {
		int64_t at = (int64_t)runs * 10 * i;
		struct store_query query = {
			.name_space = 1,
			.limit = 100,
			.after = { at + 500, at, (uint64_t)runs },
		};

		if (store_list(bench->store, &query, on_page, bench, &err) != TEMPORAL_OK)
			die("list", &err);
		bench->outstanding++;
		while (bench->outstanding)
			wait_step(bench);
	}
	return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / TIMES;
}

static void bench_find(const char *path, int runs)
{
	struct bench bench;

	open_bench(&bench, path, NULL);
	fill(&bench, runs, 1000);
	printf("{\"what\": \"find\", \"runs\": %d, \"found_us\": %.1f, \"missing_us\": %.1f, "
	       "\"page_of_100_us\": %.0f}\n",
		runs, find_us(&bench, runs, true), find_us(&bench, runs, false),
		page_us(&bench, runs));
	close_bench(&bench);
}

static enum temporal_code on_record(
	void *user, const struct store_record *record, struct temporal_error *err)
{
	++*(int64_t *)user;
	return TEMPORAL_OK;
}

static void bench_recover(const char *path, int records)
{
	struct bench bench;
	char data[2000] = { 0 };
	int64_t n = 0;

	open_bench(&bench, path, NULL);
	for (int i = 0; i < records; i++) {
		struct store_batch *batch = store_batch_new();

		store_batch_append(batch, (uint64_t)(i % LIVE_RUNS) + 1, 1, data, sizeof(data));
		submit(&bench, batch, STORE_LAZY);
		while (bench.outstanding >= 2000)
			wait_step(&bench);
	}
	close_bench(&bench);
	int64_t start = clock_ns(CLOCK_MONOTONIC);
	struct store_visitor visitor = { .record = on_record, .user = &n };
	open_bench(&bench, path, &visitor);
	printf("{\"what\": \"recover\", \"records\": %" PRId64 ", \"ms\": %.1f}\n", n,
		(double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6);
	close_bench(&bench);
}

static int number(int argc, char **argv, int at, int other)
{
	return argc > at ? (int)strtol(argv[at], NULL, 10) : other;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "transitions") == 0)
		bench_transitions(argv[2], number(argc, argv, 3, 1), number(argc, argv, 4, 3),
			(size_t)number(argc, argv, 5, 2000));
	else if (strcmp(what, "close") == 0)
		bench_close(
			argv[2], number(argc, argv, 3, 20000), (size_t)number(argc, argv, 4, 6000));
	else if (strcmp(what, "find") == 0)
		bench_find(argv[2], number(argc, argv, 3, 10000));
	else if (strcmp(what, "recover") == 0)
		bench_recover(argv[2], number(argc, argv, 3, 100000));
	else
		return fprintf(stderr,
			       "usage: bench_store transitions|close|find|recover DB ...\n"),
		       2;
	return 0;
}
