/*
 * bench_list.c: what lists and counts cost with many closed runs in the store.
 *
 *	bench_list DB RUNS
 *
 * Makes a database with so many closed runs: of ten thousand 9,700 completed, 200 failed, 99 timed
 * out and 1 was terminated; ten types (one of them one in ten thousand), five queues, a search
 * attribute that a hundred runs share. Then one line of JSON a query: the first page of 100, a
 * count, and one by status, in microseconds, the median of several. A DB that is there is what this
 * made before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "server/state.h"
#include "server/store/store.h"
#include "server/visibility/listing.h"

#define START_NS INT64_C(1700000000000000000)
#define SECOND   INT64_C(1000000000)
#define TIMES    7

struct bench {
	struct store *store;
	struct server_namespace space;
	int wake_fd;
	int64_t outstanding;
	int64_t rows;
	int runs;
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static void die(const char *what, const struct temporal_error *err)
{
	(void)fprintf(stderr, "bench_list: %s: %s\n", what, err->message);
	exit(1);
}

static void on_wake(void *user)
{
	uint64_t one = 1;
	struct bench *bench = user;

	if (write(bench->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void wait_step(struct bench *bench)
{
	uint64_t count;

	if (read(bench->wake_fd, &count, sizeof(count)) != sizeof(count))
		abort();
	store_step(bench->store);
}

static void on_done(void *user, const struct store_done *done)
{
	struct bench *bench = user;

	if (done->code != TEMPORAL_OK)
		die("commit", done->err);
	bench->outstanding--;
}

static void on_page(void *user, const struct store_page *page)
{
	struct bench *bench = user;

	if (page->code != TEMPORAL_OK)
		die("list", page->err);
	bench->outstanding--;
	bench->rows = (int64_t)page->n;
}

static void on_count(void *user, const struct store_count *count)
{
	struct bench *bench = user;

	if (count->code != TEMPORAL_OK)
		die("count", count->err);
	bench->outstanding--;
	bench->rows = count->total;
}

static int32_t status_of(int i)
{
	int place = i % 10000;

	return place < 9700 ? 2 : place < 9900 ? 3 : place < 9999 ? 7 : 5;
}

static void add_run(struct store_batch *batch, int i)
{
	char workflow_id[40], run_id[40], type[16], queue[16], customer[24];
	static char info[400], history[1200];
	int64_t start = START_NS + i * SECOND;
	struct store_attribute attributes[] = { { "Keyword01", customer },
		{ "BuildIds", "unversioned" } };
	struct store_history part = { 1, 11, history, sizeof(history) };

	(void)snprintf(workflow_id, sizeof(workflow_id), "order-%d", i);
	(void)snprintf(run_id, sizeof(run_id), "%08" PRIx32 "-0000-4000-8000-%012d",
		(uint32_t)i * UINT32_C(2654435761), i);
	(void)snprintf(type, sizeof(type), "type-%d", i % 10000 == 5000 ? 9 : i % 9);
	(void)snprintf(queue, sizeof(queue), "queue-%d", i % 5);
	(void)snprintf(customer, sizeof(customer), "customer-%d", i / 100);
	struct store_closed row = {
		.run = (uint64_t)i + 1,
		.name_space = 1,
		.status = status_of(i),
		.workflow_id = workflow_id,
		.run_id = run_id,
		.type = type,
		.task_queue = queue,
		.root_workflow_id = workflow_id,
		.root_run_id = run_id,
		.start_ns = start,
		.execution_ns = start,
		.close_ns = start + 2 * SECOND,
		.expire_ns = start + 86400 * SECOND,
		.history_length = 11,
		.info = info,
		.info_size = sizeof(info),
		.attributes = attributes,
		.n_attributes = 2,
	};

	store_batch_close(batch, &row, &part, 1);
}

static void fill(struct bench *bench)
{
	struct temporal_error err;

	for (int i = 0; i < bench->runs;) {
		struct store_batch *batch = store_batch_new();

		for (int end = i + 200; i < end && i < bench->runs; i++)
			add_run(batch, i);
		if (store_submit(bench->store, batch, STORE_DURABLE, on_done, bench, &err) !=
			TEMPORAL_OK)
			die("submit", &err);
		bench->outstanding++;
		while (bench->outstanding > 20)
			wait_step(bench);
	}
	while (bench->outstanding)
		wait_step(bench);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

enum question {
	LIST,
	COUNT,
	COUNT_BY_STATUS,
};

/* One list or count; in ns. */
static int64_t ask(struct bench *bench, const char *query_text, enum question question)
{
	struct filter_resolver resolver = { search_attributes_find,
		&bench->space.search_attributes };
	struct store_query query = { .limit = 100 };
	struct temporal_error err;
	struct arena arena;
	int64_t start = now_ns();
	bool count = question != LIST;
	char text[200];

	(void)snprintf(text, sizeof(text), "%s%s", query_text,
		question == COUNT_BY_STATUS ? " GROUP BY ExecutionStatus" : "");
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	const struct filter *filter = filter_parse(&arena, str_from(text), &resolver, &err);
	if (!filter)
		die(text, &err);
	if (!listing_closed(&arena, &bench->space, filter, count, &query))
		abort();
	query.after.close_ns = INT64_MAX;
	enum temporal_code code = count ? store_count(bench->store, &query, on_count, bench, &err)
					: store_list(bench->store, &query, on_page, bench, &err);
	if (code != TEMPORAL_OK)
		die(text, &err);
	bench->outstanding++;
	while (bench->outstanding)
		wait_step(bench);
	arena_finish(&arena);
	return now_ns() - start;
}

static double median_us(struct bench *bench, const char *text, enum question question)
{
	int64_t took[TIMES];

	for (int i = 0; i < TIMES; i++)
		took[i] = ask(bench, text, question);
	qsort(took, TIMES, sizeof(took[0]), compare);
	return (double)took[TIMES / 2] / 1e3;
}

static void measure(struct bench *bench)
{
	static const char *const queries[] = {
		"",
		"ExecutionStatus = 'Completed'",
		"ExecutionStatus = 'Terminated'",
		"WorkflowType = 'type-1'",
		"WorkflowType = 'type-9'",
		"WorkflowType = 'type-1' AND ExecutionStatus = 'Failed'",
		"TaskQueue = 'queue-3'",
		"WorkflowId = 'order-77'",
		"WorkflowId STARTS_WITH 'order-77'",
		"RunId = '00000000-0000-4000-8000-000000000000'",
		"Customer = 'customer-7'",
		"Customer = 'nobody'",
		"StartTime > '2023-11-14T22:20:00Z'",
		"StartTime BETWEEN '2023-11-14T22:20:00Z' AND '2023-11-14T22:25:00Z'",
		"CloseTime < '2023-11-14T22:25:00Z'",
	};

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		double list = median_us(bench, queries[i], LIST);
		int64_t rows = bench->rows;
		double grouped = median_us(bench, queries[i], COUNT_BY_STATUS);
		double count = median_us(bench, queries[i], COUNT);

		printf("{\"runs\": %d, \"query\": \"%s\", \"rows\": %" PRId64
		       ", \"page_us\": %.0f, \"count\": %" PRId64
		       ", \"count_us\": %.0f, \"by_status_us\": %.0f}\n",
			bench->runs, queries[i], rows, list, bench->rows, count, grouped);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = { .space = { .number = 1 } };
	struct store_opts opts = { .wake = on_wake, .user = &bench };
	struct search_attribute customer = { "Customer", VISIBILITY_KEYWORD };
	struct temporal_error err;

	if (argc < 3)
		return fprintf(stderr, "usage: bench_list DB RUNS\n"), 2;
	opts.path = argv[1];
	bool made = access(argv[1], F_OK) == 0;
	bench.runs = (int)strtol(argv[2], NULL, 10);
	bench.wake_fd = eventfd(0, EFD_CLOEXEC);
	if (search_attributes_add(&bench.space.search_attributes, &customer, 1, &err) !=
		TEMPORAL_OK)
		die("attribute", &err);
	bench.store = store_open(&opts, &err);
	if (!bench.store || store_recover(bench.store, NULL, &err) != TEMPORAL_OK)
		die("open", &err);
	int64_t start = now_ns();
	if (!made) {
		fill(&bench);
		printf("{\"runs\": %d, \"fill_per_second\": %.0f}\n", bench.runs,
			bench.runs / ((double)(now_ns() - start) / 1e9));
	}
	measure(&bench);
	store_close(bench.store);
	search_attributes_finish(&bench.space.search_attributes);
	return 0;
}
