/*
 * lanes.c: lanes in a heap by (priority, pass, turn); those that a rate holds back stand in a list
 * aside until it is time.
 *
 * Invariant: a lane with tasks is in the heap or in the list of the blocked; one without is in
 * neither, and is kept only while its pass or rate says something (at most LANES_KEPT of them).
 * Most queues have the one usual lane, for which all of this costs nothing.
 *
 * Loop's thread.
 */
#include "server/matching/lanes.h"

#include "base/mem.h"
#include "base/str.h"
#include "server/matching/matching.h"

#define LANES_KEPT   1024
#define WEIGHT_LEAST 0.001
#define WEIGHT_MOST  1000.0
#define HEAP_FIRST   8

/* ---- The heap ---- */

static bool before(const struct matching_lane *a, const struct matching_lane *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (a->pass < b->pass || b->pass < a->pass)
		return a->pass < b->pass;
	return a->turn < b->turn;
}

static void place(struct matching_lanes *lanes, size_t at, struct matching_lane *lane)
{
	lanes->heap[at] = lane;
	lane->at = at;
}

static void up(struct matching_lanes *lanes, struct matching_lane *lane)
{
	size_t at = lane->at;

	for (; at > 1 && before(lane, lanes->heap[at / 2]); at /= 2)
		place(lanes, at, lanes->heap[at / 2]);
	place(lanes, at, lane);
}

static void down(struct matching_lanes *lanes, struct matching_lane *lane)
{
	size_t at = lane->at;

	for (;;) {
		size_t child = at * 2;

		if (child > lanes->n_heap)
			break;
		if (child < lanes->n_heap && before(lanes->heap[child + 1], lanes->heap[child]))
			child++;
		if (!before(lanes->heap[child], lane))
			break;
		place(lanes, at, lanes->heap[child]);
		at = child;
	}
	place(lanes, at, lane);
}

/* Room for one lane more. */
static bool reserve(struct matching_lanes *lanes)
{
	size_t capacity = lanes->capacity ? lanes->capacity * 2 : HEAP_FIRST;
	struct matching_lane **heap;

	/* All lanes fit, so that putting one back never fails. */
	if (lanes->n_lanes + 1 < lanes->capacity)
		return true;
	heap = mem_realloc(lanes->heap, capacity * sizeof(struct matching_lane *));
	if (!heap)
		return false;
	lanes->heap = heap;
	lanes->capacity = capacity;
	return true;
}

static void heap_add(struct matching_lanes *lanes, struct matching_lane *lane)
{
	lane->at = ++lanes->n_heap;
	up(lanes, lane);
}

static void heap_remove(struct matching_lanes *lanes, struct matching_lane *lane)
{
	struct matching_lane *last = lanes->heap[lanes->n_heap--];
	size_t at = lane->at;

	lane->at = 0;
	if (last == lane)
		return;
	place(lanes, at, last);
	up(lanes, last);
	down(lanes, last);
}

/* ---- Lanes ---- */

static void unlink_blocked(struct matching_lanes *lanes, struct matching_lane *lane)
{
	struct matching_lane **link = &lanes->blocked;

	while (*link != lane)
		link = &(*link)->next_blocked;
	*link = lane->next_blocked;
	lane->blocked = false;
}

static void lane_free(struct matching_lane *lane)
{
	mem_free(lane->key);
	mem_free(lane);
}

/* Out of the chain of its hash. */
static void forget(struct matching_lanes *lanes, struct matching_lane *lane)
{
	struct matching_lane *first = map_remove(&lanes->by_hash, lane->hash), **link = &first;

	while (*link != lane)
		link = &(*link)->next_hash;
	*link = lane->next_hash;
	/* A key that was there a moment ago needs no memory. */
	if (first && !map_put(&lanes->by_hash, lane->hash, first))
		return;
	if (lanes->usual == lane)
		lanes->usual = NULL;
	lanes->n_lanes--;
	lane_free(lane);
}

/* Drops lanes without tasks when there are many. */
static void prune(struct matching_lanes *lanes)
{
	for (uint32_t i = 0; i < lanes->by_hash.capacity; i++) {
		struct matching_lane *lane = lanes->by_hash.slots[i].value;

		while (lane && lane->n_tasks)
			lane = lane->next_hash;
		if (!lane || lane == lanes->usual)
			continue;
		forget(lanes, lane);
		i = i ? i - 1 : 0; /* the table may have moved */
		if (lanes->n_lanes < LANES_KEPT / 2)
			return;
	}
}

static struct matching_lane *find(
	struct matching_lanes *lanes, int32_t priority, const struct lanes_place *at)
{
	uint64_t hash = at->hash + (uint64_t)priority;
	struct matching_lane *first, *lane;

	if (lanes->n_lanes >= LANES_KEPT && lanes->n_lanes > 2 * lanes->n_heap)
		prune(lanes);
	first = map_get(&lanes->by_hash, hash);
	for (lane = first; lane; lane = lane->next_hash) {
		if (lane->priority == priority && str_same(lane->key, at->key))
			return lane;
	}
	lane = reserve(lanes) ? mem_zalloc(sizeof(*lane)) : NULL;
	if (!lane)
		return NULL;
	lane->key = str_empty(at->key) ? NULL : mem_strdup(at->key);
	if ((!str_empty(at->key) && !lane->key) || !map_put(&lanes->by_hash, hash, lane)) {
		lane_free(lane);
		return NULL;
	}
	lane->next_hash = first;
	lane->hash = hash;
	lane->priority = priority;
	if (lanes->key_limited)
		rate_set(&lane->rate, lanes->key_rate);
	lanes->n_lanes++;
	return lane;
}

static struct matching_lane *lane_for(struct matching_lanes *lanes, const struct lanes_place *at)
{
	int32_t priority = at->priority;
	bool usual;

	if (priority <= 0)
		priority = LANES_USUAL;
	else if (priority > LANES_PRIORITIES)
		priority = LANES_PRIORITIES;
	usual = priority == LANES_USUAL && str_empty(at->key);
	if (!usual)
		return find(lanes, priority, at);
	if (!lanes->usual)
		lanes->usual = find(lanes, priority, at);
	return lanes->usual;
}

static double weight_of(double weight)
{
	if (!(weight > 0)) /* nor is what is no number */
		return 1;
	return weight < WEIGHT_LEAST ? WEIGHT_LEAST : weight > WEIGHT_MOST ? WEIGHT_MOST : weight;
}

bool lanes_add(
	struct matching_lanes *lanes, struct matching_task *task, const struct lanes_place *at)
{
	struct matching_lane *lane = lane_for(lanes, at);

	if (!lane)
		return false;
	lane->weight = weight_of(at->weight);
	task->lane = lane;
	task->next = NULL;
	task->prev = lane->tasks_last;
	*(lane->tasks_last ? &lane->tasks_last->next : &lane->tasks) = task;
	lane->tasks_last = task;
	lanes->n_tasks++;
	if (lane->n_tasks++ > 0 || lane->blocked)
		return true;
	/* It has not earned anything while it was empty. */
	if (lane->pass < lanes->pass[lane->priority - 1])
		lane->pass = lanes->pass[lane->priority - 1];
	lane->turn = ++lanes->turns;
	heap_add(lanes, lane);
	return true;
}

void lanes_remove(struct matching_lanes *lanes, struct matching_task *task)
{
	struct matching_lane *lane = task->lane;

	*(task->prev ? &task->prev->next : &lane->tasks) = task->next;
	*(task->next ? &task->next->prev : &lane->tasks_last) = task->prev;
	task->next = task->prev = NULL;
	task->lane = NULL;
	lanes->n_tasks--;
	if (--lane->n_tasks > 0)
		return;
	if (lane->blocked)
		unlink_blocked(lanes, lane);
	else
		heap_remove(lanes, lane);
}

/* Lanes whose time has come go back into the heap; the time of the first that stays. */
static int64_t unblock(struct matching_lanes *lanes, int64_t now_ns)
{
	struct matching_lane **link = &lanes->blocked;
	int64_t first_ns = INT64_MAX;

	while (*link) {
		struct matching_lane *lane = *link;
		int64_t ready_ns = rate_ready_ns(&lane->rate);

		if (ready_ns > now_ns) {
			first_ns = ready_ns < first_ns ? ready_ns : first_ns;
			link = &lane->next_blocked;
			continue;
		}
		*link = lane->next_blocked;
		lane->blocked = false;
		heap_add(lanes, lane);
	}
	return first_ns;
}

struct matching_task *lanes_first(struct matching_lanes *lanes, int64_t now_ns, int64_t *ready_ns)
{
	*ready_ns = unblock(lanes, now_ns);
	while (lanes->n_heap) {
		struct matching_lane *lane = lanes->heap[1];
		int64_t lane_ns = rate_ready_ns(&lane->rate);

		if (lane_ns <= now_ns)
			return lane->tasks;
		heap_remove(lanes, lane);
		lane->blocked = true;
		lane->next_blocked = lanes->blocked;
		lanes->blocked = lane;
		*ready_ns = lane_ns < *ready_ns ? lane_ns : *ready_ns;
	}
	return NULL;
}

void lanes_take(struct matching_lanes *lanes, struct matching_task *task, int64_t now_ns)
{
	struct matching_lane *lane = task->lane;

	lanes->pass[lane->priority - 1] = lane->pass;
	rate_take(&lane->rate, now_ns);
	lane->pass += 1 / lane->weight;
	lane->turn = ++lanes->turns;
	down(lanes, lane);
}

void lanes_limit_keys(struct matching_lanes *lanes, bool limited, double per_second)
{
	lanes->key_limited = limited;
	lanes->key_rate = per_second;
	for (uint32_t i = 0; i < lanes->by_hash.capacity; i++) {
		struct matching_lane *lane = lanes->by_hash.slots[i].value;

		for (; lane; lane = lane->next_hash) {
			lane->rate.limited = lane->rate.limited && limited;
			if (limited)
				rate_set(&lane->rate, per_second);
		}
	}
}

unsigned lanes_count(const struct matching_lanes *lanes, int32_t priority, int64_t *oldest_ns)
{
	unsigned n = 0;

	*oldest_ns = 0;
	for (uint32_t i = 0; lanes->n_tasks && i < lanes->by_hash.capacity; i++) {
		const struct matching_lane *lane = lanes->by_hash.slots[i].value;

		for (; lane; lane = lane->next_hash) {
			if ((priority && lane->priority != priority) || !lane->tasks)
				continue;
			n += lane->n_tasks;
			if (!*oldest_ns || lane->tasks->offered_ns < *oldest_ns)
				*oldest_ns = lane->tasks->offered_ns;
		}
	}
	return n;
}

void lanes_finish(struct matching_lanes *lanes)
{
	for (uint32_t i = 0; i < lanes->by_hash.capacity; i++) {
		struct matching_lane *lane = lanes->by_hash.slots[i].value;

		while (lane) {
			struct matching_lane *next = lane->next_hash;

			lane_free(lane);
			lane = next;
		}
	}
	map_finish(&lanes->by_hash);
	mem_free(lanes->heap);
	*lanes = (struct matching_lanes){ 0 };
}
