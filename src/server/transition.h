/*
 * transition.h: one change of state: events are added (encoded once), entities change, and at the
 * end of the input all of it goes to the store as one batch. Answers wait for its commit.
 */
#ifndef SERVER_TRANSITION_H
#define SERVER_TRANSITION_H

#include "server/state.h"
#include "temporal/api/history/v1/message.pb-c.h"

/* A batch is a run of entries, each: kind (a byte), run and id (8 bytes each, little-endian),
 * length (4 bytes), bytes. Kind 0 is a block of events, with `id` the first one's number; no bytes
 * in any other kind means that the entity is gone. */
#define BATCH_EVENTS      0
#define BATCH_HEADER_SIZE 21

struct batch {
	uint8_t *data;
	size_t len, capacity;
};

struct batch_entry {
	struct entity_key key;
	const uint8_t *data;
	size_t len;
};

/* Walks a batch. False: at its end, or (`*bad`) broken. */
bool batch_next(const uint8_t *data, size_t len, size_t *at, struct batch_entry *entry, bool *bad);

/* The execution has changed: its record goes into the batch. */
void transition_touch(struct execution *execution);

/* A snapshot of an entity into the batch; or its end. */
void transition_record(struct server *server, struct entity_key key, const struct record_type *type,
	const void *object);
void transition_record_bytes(
	struct server *server, struct entity_key key, const void *data, size_t len);
void transition_erase(struct server *server, struct entity_key key);
void transition_activity(struct activity *activity);

/* The begin of an input: the time. */
void transition_begin(struct server *server);

/* Before something of the input leaves: memory that was out in it stops the server. */
void transition_check_memory(struct server *server);

/*
 * The end of an input: tasks meet pollers, changed executions are recorded, and the batch leaves
 * for the store, unless all of it may wait for the next one (`transition_durable` was not called).
 */
void transition_end(struct server *server);
void transition_durable(struct server *server);

/* What has changed goes to the store now, durable or not, before something that builds on it. */
void transition_submit(struct server *server);

/* An input of its own: all timers that are due fire; `wait_now_ns` is CLOCK_MONOTONIC, for waits.
 * */
void transition_tick(struct server *server, int64_t wait_now_ns);

/* The store has committed all batches up to this one. */
void transition_committed(struct server *server, uint64_t ticket);

#endif
