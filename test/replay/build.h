/*
 * build.h: what the lines of a replay test stand for: histories, tasks and the workflow's commands.
 */
#ifndef REPLAY_BUILD_H
#define REPLAY_BUILD_H

#include "engine/engine.h"
#include "text.h"

/* A cursor over the lines of a script: a block's head, then its body. */
struct reader {
	struct script script;
	size_t at;
};

/* The next line, if its first word is one of `heads` (space-separated, with a space at both ends);
 * else NULL. */
const struct line *reader_take(struct reader *reader, const char *heads);

/* The body of a history: lines `event ID Type key=value...`. */
History__History *build_history(struct reader *reader, struct arena *arena);

/* A poll's response: the head line's words and its body (event, query, legacy_query, message). */
Workflowservice__PollWorkflowTaskQueueResponse *build_task(
	struct reader *reader, const struct line *head, struct arena *arena);

Workflowservice__GetWorkflowExecutionHistoryResponse *build_page(
	struct reader *reader, const struct line *head, struct arena *arena);

/* The workflow's answer: the body of `complete`, or the words of `fail`. */
struct completion build_completion(
	struct reader *reader, const struct line *head, struct arena *arena);

/* The lines `result ...` of local activities that have ended. */
struct local_result *build_local_results(struct reader *reader, struct arena *arena, size_t *count);

#endif
