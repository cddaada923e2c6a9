/*
 * event.c: a history as blocks of encoded events, one block a transition.
 *
 * An event is encoded once, when it is added, in the form in which History holds it (tag, length,
 * event), so that the same bytes go into the journal and, later, out to pollers: event_range
 * makes a History whose unknown fields are the blocks, which the encoder copies.
 *
 * While a workflow task runs, what happens outside of it is buffered: the worker must see the
 * events of its own commands first. Buffered events lie encoded with no number, and are decoded
 * once to get one.
 *
 * Loop's thread.
 */
#include "server/history/event.h"

#include <google/protobuf/timestamp.pb-c.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/flush.h"
#include "server/history/update.h"
#include "server/limits.h"
#include "server/nexus/nexus.h"

#define EVENTS_TAG   0x0a /* field 1 of History, length-delimited */
#define RANGE_SIZE   (4 * 1024 * 1024)
#define BLOCKS_FIRST 8

static History__HistoryEvent__AttributesCase case_of(const ProtobufCMessage *attributes)
{
	const ProtobufCMessageDescriptor *type = &history__history_event__descriptor;

	for (unsigned i = 0; i < type->n_fields; i++) {
		if (type->fields[i].descriptor == attributes->descriptor)
			return (History__HistoryEvent__AttributesCase)type->fields[i].id;
	}
	return HISTORY__HISTORY_EVENT__ATTRIBUTES__NOT_SET;
}

/* What comes from outside of the workflow task, and so waits for its end. */
static bool is_buffered(const struct execution *execution, Enums__EventType type)
{
	if (!execution->task_started_id)
		return false;
	switch (type) {
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_STARTED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_CANCELED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_FIRED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_STARTED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_COMPLETED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_CANCELED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED:
	case ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
		return true;
	default:
		return false;
	}
}

static bool grow_blocks(struct execution *execution)
{
	uint32_t capacity = execution->blocks_capacity * 2;

	if (execution->n_blocks < execution->blocks_capacity)
		return true;
	if (!capacity)
		capacity = BLOCKS_FIRST;
	struct event_block **blocks =
		mem_realloc(execution->blocks, capacity * sizeof(struct event_block *));
	if (!blocks)
		return false;
	execution->blocks = blocks;
	execution->blocks_capacity = capacity;
	return true;
}

/* The open block with room for `need` bytes more. */
static struct event_block *block_for(struct execution *execution, size_t need)
{
	struct event_block *block = NULL;
	size_t len = 0, capacity;

	if (execution->block_open) {
		block = execution->blocks[execution->n_blocks - 1];
		len = block->len;
		if (block->capacity - len >= need)
			return block;
	} else if (!grow_blocks(execution)) {
		return NULL;
	}
	capacity = len ? len * 2 + need : need;
	if (capacity > UINT32_MAX)
		return NULL;
	block = mem_realloc(block, sizeof(*block) + capacity);
	if (!block)
		return NULL;
	if (!execution->block_open) {
		block->first_id = execution->next_event_id;
		block->count = block->len = 0;
		execution->n_blocks++;
		execution->block_open = true;
	}
	block->capacity = (uint32_t)capacity;
	execution->blocks[execution->n_blocks - 1] = block;
	return block;
}

static int64_t append(struct execution *execution, History__HistoryEvent *event)
{
	event->event_id = execution->next_event_id;
	size_t size = proto_size(event);
	struct event_block *block = block_for(execution, 1 + record_varint_size(size) + size);

	if (!block) {
		server_no_memory(execution->server);
		return 0;
	}
	uint8_t *out = block->data + block->len;
	*out++ = EVENTS_TAG;
	out = record_varint_write(out, size);
	proto_write(event, out, size);
	block->len = (uint32_t)(out + size - block->data);
	block->count++;
	execution->history_size += (int64_t)size;
	execution->event_added = true;
	transition_touch(execution);
	return execution->next_event_id++;
}

static void link_buffered(struct execution *execution, struct buffered_event *event)
{
	event->next = NULL;
	*execution->buffered_last = event;
	execution->buffered_last = &event->next;
	execution->n_buffered++;
	execution->buffered_size += event->len;
}

static int64_t buffer(struct execution *execution, const History__HistoryEvent *event)
{
	size_t len = proto_size(event);
	struct buffered_event *buffered = mem_alloc(sizeof(*buffered) + len);

	if (!buffered) {
		server_no_memory(execution->server);
		return 0;
	}
	buffered->number = ++execution->records;
	buffered->len = len;
	proto_write(event, buffered->data, len);
	link_buffered(execution, buffered);
	transition_record_bytes(execution->server,
		(struct entity_key){ ENTITY_BUFFERED, execution->number, buffered->number },
		buffered->data, len);
	transition_touch(execution);
	return 0;
}

int64_t event_add_with(struct execution *execution, Enums__EventType type, void *attributes,
	const struct event_extras *extras)
{
	History__HistoryEvent event = HISTORY__HISTORY_EVENT__INIT;
	Google__Timestamp time = GOOGLE__TIMESTAMP__INIT;
	int64_t now = extras && extras->time_ns ? extras->time_ns : execution->server->now_ns;

	speculative_settle(execution);
	time.seconds = now / NS_PER_SECOND;
	time.nanos = (int32_t)(now % NS_PER_SECOND);
	event.event_time = &time;
	event.event_type = type;
	event.task_id = execution->server->now_ns; /* any number that grows */
	event.attributes_case = case_of(attributes);
	event.worker_may_ignore =
		type == ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED;
	event.workflow_execution_started_event_attributes = attributes;
	if (extras) {
		event.user_metadata = extras->user_metadata;
		event.event_group_markers = extras->group_markers;
		event.n_event_group_markers = extras->n_group_markers;
		event.links = extras->links;
		event.n_links = extras->n_links;
		event.worker_may_ignore |= extras->worker_may_ignore;
	}
	return is_buffered(execution, type) ? buffer(execution, &event) : append(execution, &event);
}

int64_t event_add(struct execution *execution, Enums__EventType type, void *attributes)
{
	return event_add_with(execution, type, attributes, NULL);
}

/* Takes the buffered events out, decoded; an entry is NULL when memory is out. */
static History__HistoryEvent **take_buffered(struct execution *execution)
{
	struct server *server = execution->server;
	History__HistoryEvent **events = arena_array(
		&server->scratch, execution->n_buffered, sizeof(History__HistoryEvent *));

	for (unsigned n = 0; execution->buffered; n++) {
		struct buffered_event *buffered = execution->buffered;

		if (events)
			events[n] =
				proto_decode(&server->scratch, &history__history_event__descriptor,
					buffered->data, buffered->len, NULL, NULL);
		execution->buffered = buffered->next;
		transition_erase(server, (struct entity_key){ ENTITY_BUFFERED, execution->number,
						 buffered->number });
		mem_free(buffered);
	}
	execution->buffered_last = &execution->buffered;
	execution->n_buffered = 0;
	execution->buffered_size = 0;
	return events;
}

bool event_flush(struct execution *execution)
{
	struct server *server = execution->server;
	unsigned n = execution->n_buffered;
	struct flush flush = { .execution = execution };

	if (n == 0)
		return false;
	History__HistoryEvent **events = take_buffered(execution);
	flush.starts = arena_array(&server->scratch, n + 1, sizeof(*flush.starts));
	if (!events || !flush.starts) {
		server_no_memory(server);
		return true;
	}
	for (unsigned i = 0; i < 2 * n; i++) {
		History__HistoryEvent *event = events[i % n];

		if (!event)
			server_no_memory(server);
		if (!event || flush_comes_last(event->event_type) != (i >= n))
			continue;
		flush_resolve(&flush, event);
		append(execution, event);
		flush_numbered(&flush, event);
		nexus_flushed(execution, event, event->event_id);
	}
	return true;
}

bool event_unbuffer_timer(struct execution *execution, const char *timer_id, int64_t *started_id)
{
	struct server *server = execution->server;

	for (struct buffered_event *at = execution->buffered; at; at = at->next) {
		const History__HistoryEvent *event = proto_decode(&server->scratch,
			&history__history_event__descriptor, at->data, at->len, NULL, NULL);

		if (!event || event->event_type != ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_FIRED ||
			!str_same(event->timer_fired_event_attributes->timer_id, timer_id))
			continue;
		if (!started_id)
			return true;
		*started_id = event->timer_fired_event_attributes->started_event_id;
		transition_erase(server,
			(struct entity_key){ ENTITY_BUFFERED, execution->number, at->number });
		return event_restore_buffered(execution, at->number, NULL, 0);
	}
	return false;
}

/* Reading. */

static const struct event_block *block_of(const struct execution *execution, int64_t event_id)
{
	uint32_t low = 0, high = execution->n_blocks;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (execution->blocks[middle]->first_id <= event_id)
			low = middle;
		else
			high = middle;
	}
	return low < high ? execution->blocks[low] : NULL;
}

/* The offset of the n-th event of a block; blocks are our own encoding. */
static size_t offset_of(const struct event_block *block, int64_t n)
{
	size_t at = 0;

	for (; n > 0; n--) {
		uint64_t size = 0;

		at += 1 + record_varint_read(block->data + at + 1, block->len - at - 1, &size);
		at += (size_t)size;
	}
	return at;
}

/* The events are there. False: server->unread says why not, unless memory is out. */
static bool has_history(const struct execution *execution)
{
	struct temporal_error err;

	if (archive_history(execution, &err))
		return true;
	if (err.code != TEMPORAL_NO_MEMORY)
		execution->server->unread = err;
	return false;
}

History__HistoryEvent *event_read(
	const struct execution *execution, int64_t event_id, struct arena *arena)
{
	const struct event_block *block =
		has_history(execution) ? block_of(execution, event_id) : NULL;
	struct temporal_error err;
	uint64_t size = 0;

	if (!block || event_id < block->first_id || event_id >= block->first_id + block->count)
		return NULL;
	size_t at = offset_of(block, event_id - block->first_id) + 1;
	at += record_varint_read(block->data + at, block->len - at, &size);
	History__HistoryEvent *event = proto_decode(arena, &history__history_event__descriptor,
		block->data + at, (size_t)size, NULL, &err);
	if (!event && err.code != TEMPORAL_NO_MEMORY)
		(void)error_set(&execution->server->unread, TEMPORAL_DATA_LOSS,
			"event %lld of run %s cannot be read: %s", (long long)event_id,
			execution->run_id, err.message);
	return event;
}

/* Adds encoded events to a History: one unknown field, whose tag the encoder writes itself. */
static bool add_bytes(
	History__History *history, const uint8_t *data, size_t len, struct arena *arena)
{
	ProtobufCMessageUnknownField *fields =
		arena_array(arena, (size_t)history->base.n_unknown_fields + 1, sizeof(*fields));
	uint8_t *copy = arena_memdup(arena, data + 1, len - 1);

	if (!fields || !copy)
		return false;
	for (unsigned i = 0; i < history->base.n_unknown_fields; i++)
		fields[i] = history->base.unknown_fields[i];
	fields[history->base.n_unknown_fields++] = (ProtobufCMessageUnknownField){
		.tag = 1,
		.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
		.len = len - 1,
		.data = copy,
	};
	history->base.unknown_fields = fields;
	return true;
}

/* The encoded events of [first, *end), at most `limit` and RANGE_SIZE bytes, in one piece. */
static struct bytes gather(const struct execution *execution, int64_t first, int64_t *end,
	int64_t limit, struct arena *arena)
{
	size_t size = 0;
	struct bytes out = { 0 };
	int64_t last = *end - first > limit ? first + limit : *end;

	for (unsigned pass = 0; pass < 2; pass++) {
		int64_t id = first;

		out.len = 0;
		while (id < last && (out.len == 0 || out.len < RANGE_SIZE)) {
			const struct event_block *block = block_of(execution, id);
			int64_t stop = block->first_id + block->count;

			stop = stop < last ? stop : last;
			size_t from = offset_of(block, id - block->first_id);
			size_t to = stop == block->first_id + block->count
					    ? block->len
					    : offset_of(block, stop - block->first_id);
			if (out.ptr)
				memcpy(out.ptr + out.len, block->data + from, to - from);
			out.len += to - from;
			id = stop;
		}
		size = out.len;
		last = id;
		if (!out.ptr && !(out.ptr = arena_alloc(arena, size)))
			break;
	}
	*end = last;
	return out;
}

History__History *event_range(const struct execution *execution, int64_t first, int64_t *end,
	int64_t limit, struct arena *arena)
{
	History__History *history = PROTO_NEW(arena, History__History, history__history);

	if (first < 1)
		first = 1;
	if (*end > execution->next_event_id)
		*end = execution->next_event_id;
	if (!history || first >= *end)
		return history;
	if (!has_history(execution))
		return NULL;
	struct bytes events = gather(execution, first, end, limit, arena);
	if (!events.ptr || !add_bytes(history, events.ptr, events.len, arena))
		return NULL;
	return history;
}

bool event_append(
	History__History *history, const History__HistoryEvent *event, struct arena *arena)
{
	size_t size = proto_size(event), prefix = 1 + record_varint_size(size);
	uint8_t *data = arena_alloc(arena, prefix + size);

	if (!data)
		return false;
	data[0] = EVENTS_TAG;
	record_varint_write(data + 1, size);
	proto_write(event, data + prefix, size);
	return add_bytes(history, data, prefix + size, arena);
}

/* Recovery. */

static bool count_events(const uint8_t *data, size_t len, uint32_t *count)
{
	size_t at = 0;

	for (*count = 0; at < len; (*count)++) {
		uint64_t size = 0;
		size_t n = record_varint_read(data + at + 1, len - at - 1, &size);

		if (data[at] != EVENTS_TAG || n == 0 || size > len - at - 1 - n)
			return false;
		at += 1 + n + (size_t)size;
	}
	return true;
}

bool event_restore(struct execution *execution, int64_t first_id, const uint8_t *data, size_t len)
{
	const struct event_block *before =
		execution->n_blocks ? execution->blocks[execution->n_blocks - 1] : NULL;
	struct event_block *block;
	uint32_t count;

	if (first_id != (before ? before->first_id + before->count : 1) || len > UINT32_MAX ||
		!count_events(data, len, &count) || !grow_blocks(execution))
		return false;
	block = mem_alloc(sizeof(*block) + len);
	if (!block)
		return false;
	block->first_id = first_id;
	block->count = count;
	block->len = block->capacity = (uint32_t)len;
	memcpy(block->data, data, len);
	execution->blocks[execution->n_blocks++] = block;
	return true;
}

bool event_restore_buffered(
	struct execution *execution, int64_t number, const uint8_t *data, size_t len)
{
	struct buffered_event **at = &execution->buffered;

	if (len == 0) {
		struct buffered_event *gone;

		while (*at && (*at)->number != number)
			at = &(*at)->next;
		gone = *at;
		if (!gone)
			return true;
		*at = gone->next;
		if (!gone->next)
			execution->buffered_last = at;
		execution->n_buffered--;
		execution->buffered_size -= gone->len;
		mem_free(gone);
		return true;
	}
	struct buffered_event *buffered = mem_alloc(sizeof(*buffered) + len);
	if (!buffered)
		return false;
	buffered->number = number;
	buffered->len = len;
	memcpy(buffered->data, data, len);
	link_buffered(execution, buffered);
	return true;
}
