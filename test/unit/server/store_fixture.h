/*
 * store_fixture.h: a store that works only when it is told to, and what the tests of it share.
 */
#ifndef TEST_UNIT_SERVER_STORE_FIXTURE_H
#define TEST_UNIT_SERVER_STORE_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/arena.h"
#include "base/mem.h"
#include "lib/fault_vfs.h"
#include "server/store/store.h"

#define FIXTURE_RECORDS 64

/* What was given back, as text: "run.ordinal:kind=data " and "space/key=data ". */
struct recovered {
	char records[4096], settings[1024];
	int n_records;
};

/* The done callbacks of a store, counted by code. */
struct outcomes {
	int ok, exhausted, unavailable, other;
	int64_t deleted;
	char message[240];
};

static inline enum temporal_code on_record(
	void *user, const struct store_record *record, struct temporal_error *err)
{
	struct recovered *recovered = user;
	size_t at = strlen(recovered->records);

	recovered->n_records++;
	if (at < sizeof(recovered->records) - 64)
		snprintf(recovered->records + at, sizeof(recovered->records) - at,
			"%" PRIu64 ".%u:%u=%.*s ", record->run, record->ordinal, record->kind,
			(int)(record->size < 24 ? record->size : 24), (const char *)record->data);
	return TEMPORAL_OK;
}

static inline enum temporal_code on_setting(
	void *user, const struct store_setting *setting, struct temporal_error *err)
{
	struct recovered *recovered = user;
	size_t at = strlen(recovered->settings);

	snprintf(recovered->settings + at, sizeof(recovered->settings) - at, "%u/%s=%.*s ",
		setting->space, setting->key, (int)setting->size, (const char *)setting->data);
	return TEMPORAL_OK;
}

static inline void on_done(void *user, const struct store_done *done)
{
	struct outcomes *outcomes = user;

	outcomes->deleted += done->deleted;
	switch (done->code) {
	case TEMPORAL_OK:
		outcomes->ok++;
		return;
	case TEMPORAL_RESOURCE_EXHAUSTED:
		outcomes->exhausted++;
		break;
	case TEMPORAL_UNAVAILABLE:
		outcomes->unavailable++;
		break;
	default:
		outcomes->other++;
	}
	snprintf(outcomes->message, sizeof(outcomes->message), "%s", done->err->message);
}

static inline enum temporal_code recover(
	struct store *store, struct recovered *recovered, struct temporal_error *err)
{
	struct store_visitor visitor = { on_setting, on_record, recovered };

	memset(recovered, 0, sizeof(*recovered));
	return store_recover(store, &visitor, err);
}

/* Opens and recovers a manual store, or fails the test. */
static inline struct store *open_store(const struct store_opts *opts, struct recovered *recovered)
{
	struct temporal_error err = { 0 };
	struct store *store = store_open(opts, &err);

	if (!store)
		fail_msg("store_open: %s", err.message);
	if (recover(store, recovered, &err) != TEMPORAL_OK)
		fail_msg("store_recover: %s", err.message);
	return store;
}

/* One batch with one record, queued. */
static inline enum temporal_code append_text(struct store *store, uint64_t run, uint32_t kind,
	const char *text, struct outcomes *outcomes)
{
	struct store_batch *batch = store_batch_new();

	store_batch_append(batch, run, kind, text, strlen(text));
	return store_submit(store, batch, STORE_DURABLE, on_done, outcomes, NULL);
}

/* Works off everything and calls the callbacks. */
static inline void settle(struct store *store)
{
	while (store_run(store, true))
		;
	store_step(store);
}

/* A closed run with fitting columns: workflow id "wf-<run>", and so on. */
struct sample {
	char workflow_id[32], run_id[32];
	struct store_closed closed;
};

static inline void sample_init(struct sample *sample, uint64_t run, int64_t close_ns)
{
	memset(sample, 0, sizeof(*sample));
	snprintf(sample->workflow_id, sizeof(sample->workflow_id), "wf-%" PRIu64, run);
	snprintf(sample->run_id, sizeof(sample->run_id), "id-%" PRIu64, run);
	sample->closed = (struct store_closed){
		.run = run,
		.name_space = 1,
		.status = 2,
		.workflow_id = sample->workflow_id,
		.run_id = sample->run_id,
		.type = run % 2 ? "odd" : "even",
		.task_queue = "orders",
		.start_ns = close_ns - 10,
		.execution_ns = close_ns - 9,
		.close_ns = close_ns,
		.expire_ns = INT64_MAX,
		.history_length = 3,
		.info = "memo",
		.info_size = 4,
	};
}

static inline void close_run(struct store *store, const struct store_closed *closed,
	const struct store_history *history, size_t n, struct outcomes *outcomes)
{
	struct store_batch *batch = store_batch_new();

	store_batch_close(batch, closed, history, n);
	assert_int_equal(
		store_submit(store, batch, STORE_LAZY, on_done, outcomes, NULL), TEMPORAL_OK);
}

#endif
