/*
 * start_check.h: what a new run may be started with, whoever starts it: a client, a parent, the run
 * before it. Each check gives NULL or the official server's text of what is wrong.
 */
#ifndef SERVER_HISTORY_START_CHECK_H
#define SERVER_HISTORY_START_CHECK_H

#include "server/history/history.h"

/* A time-out or delay: not negative. NULL is none. */
const char *start_check_duration(const Google__Duration *duration);
const char *start_check_priority(const Common__Priority *priority);
const char *start_check_override(const Workflow__VersioningOverride *override);
/* Links of one request; the text may lie in the arena. */
const char *start_check_links(Common__Link *const *links, size_t n,
	const struct server_config *config, struct arena *arena);

/* The three time-outs of a run with their defaults: 0 is none, but for the task's. */
struct start_timeouts {
	int64_t whole_ms, run_ms, task_ms;
};
void start_timeouts(const Google__Duration *whole, const Google__Duration *run,
	const Google__Duration *task, int64_t standard_task_ms, struct start_timeouts *out);

/* A Memo or SearchAttributes without the entries whose value is null. In the arena; NULL for NULL,
 * and when nothing is left. */
void *start_without_nulls(
	struct arena *arena, const ProtobufCMessageDescriptor *type, const void *message);

#endif
