/*
 * pending.h: futures that wait for a job of the engine, by their sequence number.
 */
#ifndef WORKFLOW_PENDING_H
#define WORKFLOW_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wf_future;

struct pending {
	struct pending_entry *entries; /* by `seq` ascending; a NULL future was taken */
	size_t count, room, live;
};

/* `seq` is greater than all before. False: no memory. */
bool pending_put(struct pending *pending, uint32_t seq, struct wf_future *future)
	__attribute__((warn_unused_result));

/* The future, which stays; NULL: there is none of that number. */
struct wf_future *pending_get(const struct pending *pending, uint32_t seq);

/* The future, which is no longer pending; NULL: there is none of that number. */
struct wf_future *pending_take(struct pending *pending, uint32_t seq);

void pending_finish(struct pending *pending);

#endif
