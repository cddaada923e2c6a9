/*
 * nexus_text.h: the texts of Nexus: tokens, timeouts, types of errors. Pure; any thread.
 */
#ifndef WORKER_NEXUS_TEXT_H
#define WORKER_NEXUS_TEXT_H

#include <temporal/nexus.h>

#include "base/arena.h"

/*
 * The token of an operation that a workflow run does, as all SDKs make it: a JSON object in base64
 * for URLs. NULL: no memory.
 */
const char *worker_nexus_token(
	struct arena *arena, const char *namespace_, const char *workflow_id);

/* What such a token names. */
struct worker_nexus_target {
	const char *namespace_, *workflow_id;
	bool no_memory; /* the token may be good, but could not be read */
};

/* NULL, or what is wrong with the token or, if target->no_memory, here (a literal). */
const char *worker_nexus_token_read(
	struct arena *arena, const char *token, struct worker_nexus_target *target);

/* A duration as Go writes it: "30s", "1m30.5s", "9.155416ms"; a negative one, which servers do send
 * when they are late, is 0. false: it is none, or has no end that a timer could wait for. */
bool worker_nexus_timeout(const char *text, int64_t *ns) __attribute__((warn_unused_result));

/* "BAD_REQUEST"; an unknown number is INTERNAL. */
const char *worker_nexus_error_name(enum nexus_error_type type);

/* What the failure of a call within a handler is to the caller. */
enum nexus_error_type worker_nexus_error_of(
	enum temporal_code code, enum temporal_handler_retry *retry);

#endif
