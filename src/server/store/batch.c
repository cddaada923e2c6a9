/*
 * batch.c: gathering changes. A batch is one arena with a list of operations in it; what is put in
 * is copied, so that the caller's memory is free at once and the writer's thread shares nothing.
 *
 * Calls do not fail one by one: the first problem stays in the batch, what follows is ignored, and
 * store_submit() reports it.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "server/store/internal.h"

struct store_batch *store_batch_new(void)
{
	struct store_batch *batch = mem_zalloc(sizeof(*batch));

	if (!batch)
		return NULL;
	arena_init(&batch->arena, 512, ARENA_NO_BUDGET);
	batch->last = &batch->first;
	return batch;
}

void store_batch_free(struct store_batch *batch)
{
	if (!batch)
		return;
	arena_finish(&batch->arena);
	mem_free(batch);
}

static void no_memory(struct store_batch *batch)
{
	if (batch->code == TEMPORAL_OK)
		batch->code = error_no_memory(&batch->err, "a batch for the store");
}

/* Is the number of a run, and the size of a blob, within the limits? */
static bool check(struct store_batch *batch, uint64_t run, size_t size)
{
	if (!batch || batch->code != TEMPORAL_OK)
		return false;
	if (run > STORE_RUN_MAX)
		batch->code = error_set(&batch->err, TEMPORAL_INVALID_ARGUMENT,
			"the run's number %llu is too great; expected one of store_new_run",
			(unsigned long long)run);
	else if (size > STORE_BLOB_MAX)
		batch->code = error_set(&batch->err, TEMPORAL_INVALID_ARGUMENT,
			"%zu bytes for one row of the store; expected at most %d", size,
			STORE_BLOB_MAX);
	return batch->code == TEMPORAL_OK;
}

static struct store_op *add(struct store_batch *batch, enum store_op_kind kind)
{
	struct store_op *op = ARENA_NEW(&batch->arena, struct store_op);

	if (!op) {
		no_memory(batch);
		return NULL;
	}
	op->kind = kind;
	batch->bytes += sizeof(*op);
	*batch->last = op;
	batch->last = &op->next;
	return op;
}

static const void *keep(struct store_batch *batch, const void *data, size_t size)
{
	const void *copy = arena_memdup(&batch->arena, size ? data : "", size);

	if (!copy)
		no_memory(batch);
	batch->bytes += size;
	return copy;
}

static const char *keep_text(struct store_batch *batch, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length > STORE_TEXT_MAX) {
		if (batch->code == TEMPORAL_OK)
			batch->code = error_set(&batch->err, TEMPORAL_INVALID_ARGUMENT,
				"a text of %zu bytes for a column of the store; expected at most "
				"%d",
				length, STORE_TEXT_MAX);
		return "";
	}
	return keep(batch, text ? text : "", length + 1);
}

void store_batch_append(
	struct store_batch *batch, uint64_t run, uint32_t kind, const void *data, size_t size)
{
	if (!check(batch, run, size))
		return;
	struct store_op *op = add(batch, OP_APPEND);
	if (!op)
		return;
	op->run = run;
	op->number = kind;
	op->data = keep(batch, data, size);
	op->size = size;
	batch->records++;
}

void store_batch_drop(struct store_batch *batch, uint64_t run)
{
	if (!check(batch, run, 0))
		return;
	struct store_op *op = add(batch, OP_DROP);
	if (op)
		op->run = run;
}

void store_batch_set(
	struct store_batch *batch, uint32_t space, const char *key, const void *data, size_t size)
{
	if (!check(batch, 0, size))
		return;
	struct store_op *op = add(batch, OP_SET);
	if (!op)
		return;
	op->number = space;
	op->key = keep_text(batch, key);
	op->data = keep(batch, data, size);
	op->size = size;
}

void store_batch_unset(struct store_batch *batch, uint32_t space, const char *key)
{
	if (!check(batch, 0, 0))
		return;
	struct store_op *op = add(batch, OP_UNSET);
	if (!op)
		return;
	op->number = space;
	op->key = keep_text(batch, key);
}

static void keep_attributes(struct store_batch *batch, struct store_closed *closed)
{
	struct store_attribute *copies =
		arena_array(&batch->arena, closed->n_attributes, sizeof(*copies));

	if (!copies) {
		no_memory(batch);
		return;
	}
	for (size_t i = 0; i < closed->n_attributes; i++) {
		copies[i].name = keep_text(batch, closed->attributes[i].name);
		copies[i].value = keep_text(batch, closed->attributes[i].value);
	}
	closed->attributes = copies;
}

static void keep_closed(
	struct store_batch *batch, struct store_op *op, const struct store_closed *closed)
{
	struct store_closed *copy = arena_memdup(&batch->arena, closed, sizeof(*closed));

	if (!copy) {
		no_memory(batch);
		return;
	}
	op->closed = copy;
	for (int i = 0; i < CLOSED_TEXTS; i++) {
		const char **text = closed_text(copy, i);

		*text = keep_text(batch, *text);
	}
	copy->info = keep(batch, copy->info, copy->info_size);
	keep_attributes(batch, copy);
}

/* The parts of a history must follow each other, from event 1. */
static bool check_history(
	struct store_batch *batch, uint64_t run, const struct store_history *history, size_t n)
{
	int64_t next = 1;

	for (size_t i = 0; i < n; i++) {
		if (!check(batch, run, history[i].size))
			return false;
		if (history[i].first_event != next || history[i].events < 1 ||
			history[i].events > STORE_EVENT_MAX - next) {
			batch->code = error_set(&batch->err, TEMPORAL_INVALID_ARGUMENT,
				"part %zu of a history has %lld events from %lld; expected at "
				"least one, from %lld on",
				i, (long long)history[i].events, (long long)history[i].first_event,
				(long long)next);
			return false;
		}
		next += history[i].events;
	}
	return true;
}

void store_batch_close(struct store_batch *batch, const struct store_closed *closed,
	const struct store_history *history, size_t n_history)
{
	if (!check(batch, closed->run, closed->info_size) ||
		!check_history(batch, closed->run, history, n_history))
		return;
	struct store_op *op = add(batch, OP_CLOSE);
	if (!op)
		return;
	op->run = closed->run;
	keep_closed(batch, op, closed);
	op->history = arena_array(&batch->arena, n_history, sizeof(*history));
	if (!op->history) {
		no_memory(batch);
		return;
	}
	op->n_history = n_history;
	for (size_t i = 0; i < n_history; i++) {
		op->history[i] = history[i];
		op->history[i].data = keep(batch, history[i].data, history[i].size);
	}
}

void store_batch_delete(struct store_batch *batch, uint64_t run)
{
	if (!check(batch, run, 0))
		return;
	struct store_op *op = add(batch, OP_DELETE);
	if (op)
		op->run = run;
}

void store_batch_expire(struct store_batch *batch, int64_t now_ns, int limit)
{
	if (!check(batch, 0, 0))
		return;
	struct store_op *op = add(batch, OP_EXPIRE);
	if (!op)
		return;
	op->now_ns = now_ns;
	op->limit = limit;
}
