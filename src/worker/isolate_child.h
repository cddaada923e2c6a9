/*
 * isolate_child.h: a child process: runs attempts until nobody is at the other end any more.
 */
#ifndef WORKER_ISOLATE_CHILD_H
#define WORKER_ISOLATE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <temporal/activity.h>
#include <temporal/api/common/v1/message.pb-c.h>

#include "worker/isolate_wire.h"

struct act;
struct temporal_worker;

struct isolate_link {
	struct temporal_worker *worker; /* as much of one as an attempt needs */
	struct isolate_shared *shared;
	uint64_t id; /* of this process */
	int fd;
	pid_t helper;
	int64_t memory_limit; /* 0: none */
};

_Noreturn void isolate_child_main(struct isolate_link *link);

/* What act_... do for an attempt in such a process. Any of its threads. */
enum act_cancel_reason isolate_link_reason(const struct isolate_link *link);
bool isolate_link_wait(const struct isolate_link *link, int64_t timeout_ms);
bool isolate_link_logs(const struct isolate_link *link, enum temporal_log_level level);
/* These with the attempt's lock held. What is encoded lies in the arena. */
void isolate_link_beat(
	const struct isolate_link *link, struct arena *arena, const Common__Payloads *details);
void isolate_link_log(
	const struct isolate_link *link, enum temporal_log_level level, const char *message);

#endif
