/*
 * request.h: one call of a client while the server works on it, whichever way it came (network,
 * same process, test). Loop's thread.
 *
 * An answer is held back until all that the server has changed so far is durable; only
 * request_reply_now() does not wait.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include <temporal/error.h>

#include "base/arena.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "server/matching/matching.h"
#include "server/timers.h"

struct server;
struct request;
struct rpc_method;
struct metrics_op;

/* The way back to the client. */
struct request_ops {
	/* Answers, exactly once; the request and its arena are gone after it. */
	void (*reply)(struct request *request, const void *message);
	void (*fail)(struct request *request, enum temporal_code code, const char *text,
		const void *status);
	/* A header of the call as text, or NULL. */
	const char *(*header)(struct request *request, const char *name);
};

struct request {
	struct server *server;
	const struct request_ops *ops;
	struct arena *arena; /* of the request and its answer */
	const void *message; /* decoded and checked */
	int64_t deadline_ns; /* CLOCK_MONOTONIC; INT64_MAX: none */
	/* Set while it waits for something; called when the client has given up: it then has to be
	 * answered (nobody gets it). */
	void (*cancelled)(struct request *request);
	void *waiting_for;             /* for the owner of `cancelled` */
	struct timers_entry timer;     /* of the wait; in server->waits */
	struct matching_advice advice; /* of a poll that gets a task */
	/* held answer */
	struct request *next;
	uint64_t ticket; /* the batch that has to be durable first */
	const void *reply;
	enum temporal_code code;
	const char *text;
	const void *status;
	/* for metrics.c */
	const struct rpc_method *method;
	struct metrics_op *op; /* NULL: it is not counted */
	int64_t start_ns;
};

/* Answers. The message has to lie in the request's arena, with all that it points to. */
void request_reply(struct request *request, const void *message);

/* Answers without waiting for the commit: for workflow tasks, which acknowledge nothing. */
void request_reply_now(struct request *request, const void *message);

/* Answers with a failure; `detail`: NULL or a message of temporal.api.errordetails.v1. */
void request_fail(struct request *request, enum temporal_code code, const void *detail,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Waits at most `wait_ms`, and not until the caller's deadline; `expired` is called then. */
void request_wait(struct request *request, int64_t wait_ms, void (*expired)(struct request *),
	void *waiting_for);
/* The wait is over, one way or the other. */
void request_wake(struct request *request);

/* Releases the held answers up to the ticket; for transition.c. */
void request_release(struct server *server, uint64_t committed);

/* New messages in the request's arena that never fail: memory that is out stops the server, and an
 * empty message comes back. */
#define REQUEST_NEW(request_, Type_, prefix_) \
	((Type_ *)request_message((request_), &prefix_##__descriptor))
void *request_message(struct request *request, const ProtobufCMessageDescriptor *type);
const char *request_text(struct request *request, const char *text);
/* Something recorded that belongs to the answer could not be read: it becomes DATA_LOSS, or memory
 * is out and stops the server. */
void request_unread(struct request *request);
/* A recorded message, NULL for no bytes; a time, NULL for 0. NULL also when memory is out (the
 * server has failed), or when the record is damaged (request_unread was called). */
void *request_decode(
	struct request *request, const ProtobufCMessageDescriptor *type, const struct bytes *data);
Google__Timestamp *request_time(struct request *request, int64_t ns);
/* Likewise; none is left out. */
Google__Duration *request_duration(struct request *request, int64_t ms);
Google__Duration *request_duration_ns(struct request *request, int64_t ns);
void *request_array(struct request *request, size_t count, size_t size);

#endif
