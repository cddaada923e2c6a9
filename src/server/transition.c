/*
 * transition.c: from changes to one batch, and from its commit to the answers.
 *
 *   transition_begin -> handlers change the state: event_add, transition_touch, transition_record
 *                    -> transition_end: matching_run, records of touched executions, submit
 *                    -> transition_committed: held answers leave
 *
 * The state in memory is ahead of the disk, never behind it: what a later input sees may be lost by
 * a crash, but then its own answer was held back as well, since it waits for all batches before it.
 *
 * Much of what is made of an input, a field of an event or of an answer, may be left out: so where
 * any allocation of it has failed, none of it leaves, even if whoever made it went on without.
 *
 * Loop's thread.
 */
#include "server/transition.h"

#include "base/mem.h"
#include "server/history/effect.h"
#include "server/history/history.h"
#include "server/journal.h"
#include "server/nexus/nexus.h"

#define BATCH_FIRST 4096

static void put_number(uint8_t *out, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *in, unsigned n)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < n; i++)
		value |= (uint64_t)in[i] << (8 * i);
	return value;
}

bool batch_next(const uint8_t *data, size_t len, size_t *at, struct batch_entry *entry, bool *bad)
{
	const uint8_t *header = data + *at;
	size_t left = len - *at;

	*bad = false;
	if (left == 0)
		return false;
	*bad = left < BATCH_HEADER_SIZE || get_number(header + 17, 4) > left - BATCH_HEADER_SIZE;
	if (*bad)
		return false;
	*entry = (struct batch_entry){
		.key = { .kind = header[0],
			.run = get_number(header + 1, 8),
			.id = (int64_t)get_number(header + 9, 8) },
		.data = header + BATCH_HEADER_SIZE,
		.len = (size_t)get_number(header + 17, 4),
	};
	*at += BATCH_HEADER_SIZE + entry->len;
	return true;
}

/* Room for an entry of so many bytes, its header filled in; NULL: memory is out. */
static uint8_t *put_entry(struct server *server, struct entity_key key, size_t len)
{
	struct batch *batch = server->batch;
	size_t need = batch->len + BATCH_HEADER_SIZE + len;

	if (need > batch->capacity) {
		size_t capacity = batch->capacity ? batch->capacity * 2 : BATCH_FIRST;
		uint8_t *data =
			mem_realloc(batch->data, capacity < need ? capacity = need : capacity);

		if (!data) {
			server_no_memory(server);
			return NULL;
		}
		batch->data = data;
		batch->capacity = capacity;
	}
	uint8_t *header = batch->data + batch->len;
	header[0] = key.kind;
	put_number(header + 1, key.run, 8);
	put_number(header + 9, (uint64_t)key.id, 8);
	put_number(header + 17, len, 4);
	batch->len = need;
	return header + BATCH_HEADER_SIZE;
}

void transition_record(struct server *server, struct entity_key key, const struct record_type *type,
	const void *object)
{
	uint8_t *out = put_entry(server, key, record_size(type, object));

	if (out)
		record_write(type, object, out);
}

void transition_record_bytes(
	struct server *server, struct entity_key key, const void *data, size_t len)
{
	uint8_t *out = put_entry(server, key, len);

	if (out && len)
		memcpy(out, data, len);
}

void transition_erase(struct server *server, struct entity_key key)
{
	(void)put_entry(server, key, 0);
}

void transition_activity(struct activity *activity)
{
	struct entity_key key = { ENTITY_ACTIVITY, activity->execution->number,
		activity->scheduled_id };

	transition_record(activity->execution->server, key, &state_activity_type, activity);
}

void transition_touch(struct execution *execution)
{
	if (execution->touched)
		return;
	execution->touched = true;
	execution->next_touched = execution->server->touched;
	execution->server->touched = execution;
}

void transition_durable(struct server *server)
{
	server->batch_durable = true;
}

void transition_begin(struct server *server)
{
	int64_t now = virtual_time_now(server);

	mem_watch();
	server->archive.lost.code = server->unread.code = TEMPORAL_OK;
	if (now > server->now_ns)
		server->now_ns = now;
}

void transition_check_memory(struct server *server)
{
	if (mem_watch_hit())
		server_no_memory(server);
}

static void seal(struct execution *execution)
{
	struct server *server = execution->server;

	if (execution->block_open) {
		struct event_block *block = execution->blocks[execution->n_blocks - 1];
		struct entity_key key = { BATCH_EVENTS, execution->number, block->first_id };

		execution->block_open = false;
		transition_record_bytes(server, key, block->data, block->len);
	}
	struct entity_key key = { ENTITY_EXECUTION, execution->number, 0 };
	execution->transitions++;
	transition_record(server, key, &state_execution_type, execution);
	if (execution->event_added)
		history_wake(execution);
	execution->event_added = false;
	if (!state_running(execution))
		archive_note(execution);
}

static void seal_all(struct server *server)
{
	while (server->touched) {
		struct execution *execution = server->touched;

		server->touched = execution->next_touched;
		execution->touched = false;
		seal(execution);
	}
}

/* Gives the answers of this input their ticket. */
static void queue_answers(struct server *server)
{
	while (server->answers) {
		struct request *request = server->answers;

		server->answers = request->next;
		request->next = NULL;
		request->ticket = server->submitted;
		*server->held_last = request;
		server->held_last = &request->next;
	}
	server->answers_last = &server->answers;
}

void transition_submit(struct server *server)
{
	transition_check_memory(server);
	if (!server->batch->len || server->failed)
		return;
	server->batch_durable = false;
	server->submitted++;
	journal_submit(server);
}

/* Whatever has made them too long (what could be foreseen was refused). */
static void end_long_runs(struct server *server)
{
	for (struct execution *at = server->touched; at; at = at->next_touched) {
		if (state_running(at) && at->next_event_id - 1 > server->config.history_count_max)
			(void)execution_over_limit(at, 0, 0, false);
	}
}

void transition_end(struct server *server)
{
	end_long_runs(server);
	effect_run_all(server);
	nexus_run(server);
	matching_run(server);
	seal_all(server);
	transition_check_memory(server);
	bool durable = server->batch_durable;
	if (durable)
		transition_submit(server);
	archive_run(server, durable);
	queue_answers(server);
	arena_reset(&server->scratch);
	request_release(server, server->committed);
	virtual_time_advance(server);
	if (server->changed)
		server->changed(server);
}

void transition_tick(struct server *server, int64_t wait_now_ns)
{
	struct timers_entry *entry;

	transition_begin(server);
	while ((entry = timers_pop(&server->timers, server->now_ns)))
		entry->fire(entry);
	while ((entry = timers_pop(&server->waits, wait_now_ns))) {
		if (entry->fire) {
			entry->fire(entry);
			continue;
		}
		struct request *request =
			(struct request *)(void *)((char *)entry - offsetof(struct request, timer));

		request->cancelled(request);
	}
	archive_expire(server);
	transition_end(server);
}

void transition_committed(struct server *server, uint64_t ticket)
{
	if (ticket > server->committed)
		server->committed = ticket;
	request_release(server, server->committed);
}
