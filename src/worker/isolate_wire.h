/*
 * isolate_wire.h: what the worker, its helper process and the helper's children say to each other.
 *
 *	worker --control--> helper    CONFIG once; FORK with a child's end of a socket; KILL
 *	worker <--socket--> child     RUN; BEAT, LOG ..., then COMPLETED, FAILED or LATER
 *	worker <--socket--- child     CRASH: its last words
 *	worker <--socket--- helper    DIED, on the dead child's own socket: its status
 *
 * The helper keeps a copy of each child's end, so that whoever talks to a child hears of its death
 * in the same place and in order, and nothing has to be waited for elsewhere. Sockets keep packets
 * apart (SOCK_SEQPACKET): who dies in the middle of a message leaves no half of one behind.
 */
#ifndef WORKER_ISOLATE_WIRE_H
#define WORKER_ISOLATE_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/activity.h>

#include "base/arena.h"

enum isolate_kind {
	ISOLATE_CONFIG = 1, /* texts, see isolate_config.c; passes the shared memory */
	ISOLATE_FORK,       /* `id`: the child's, `flags`: its place in the shared memory; passes
			       its socket */
	ISOLATE_KILL,       /* `id`: the child's */
	ISOLATE_RUN,        /* the task, as a server would have sent it */
	ISOLATE_BEAT,       /* `flags` 0: one lies in the shared memory; 1: Payloads, too large for
			       that, and `id` is its number */
	ISOLATE_COMPLETED,  /* `flags`: there is a result, a Payload */
	ISOLATE_FAILED,     /* a Failure */
	ISOLATE_LATER,
	ISOLATE_CRASH, /* struct isolate_crash */
	ISOLATE_DIED,  /* struct isolate_died */
	ISOLATE_LOG,   /* a text; `flags`: its level */
};

#define ISOLATE_TRACE_MAX 6000
#define ISOLATE_LOG_MAX   2048 /* as act_log's */

struct isolate_crash {
	int32_t signal;
	uint32_t overflow;
	uint64_t address;
	char trace[ISOLATE_TRACE_MAX];
};

struct isolate_died {
	int32_t status; /* of waitpid */
	int32_t error;  /* errno: it could not be forked at all; 0: it could */
};

/* A heartbeat. */
struct isolate_beat {
	uint64_t owner; /* whose: the child's id */
	uint64_t number;
	int64_t made_ns;    /* rpc_now_ns */
	uint32_t elsewhere; /* it comes by a message */
	uint32_t size;
	char details[1984]; /* Payloads; empty: without details */
};

/* One child's place in the memory that all share: a page. */
struct isolate_shared {
	_Atomic uint32_t reason; /* enum act_cancel_reason; a futex */
	_Atomic uint32_t wanted; /* the next heartbeat is to be told of */
	_Atomic uint64_t beat;   /* the number of the latest one, in beats[number % 2]; 0: none */
	uint64_t unused[6];
	struct isolate_beat beats[2];
};
_Static_assert(sizeof(struct isolate_shared) == 4096, "one page");

struct isolate_message {
	uint32_t kind, flags;
	uint64_t id;
	const void *data; /* received: in the arena */
	size_t size;
	int fd; /* passed along; -1: none */
};

enum isolate_got {
	ISOLATE_GOT,
	ISOLATE_CLOSED,    /* there is nobody at the other end any more */
	ISOLATE_NO_MEMORY, /* for a message that long */
	ISOLATE_GARBLED,
};

/* Blocks until all of it is on its way. false: the other end is closed, or memory is out. */
bool isolate_send(int fd, const struct isolate_message *message)
	__attribute__((warn_unused_result));

/* Blocks until there is a message; its data is put into the arena. Unless it `passes`, a descriptor
 * that comes along is refused: who has nobody to trust would have to close it. */
enum isolate_got isolate_receive(int fd, bool passes, struct arena *arena,
	struct isolate_message *message) __attribute__((warn_unused_result));

/* For a signal handler: one small message, if there is room for it at once. */
void isolate_send_last(int fd, uint32_t kind, const void *data, size_t size);

/* ---- heartbeats, in the shared memory (isolate_beat.c) ---- */

/* Worker: an attempt begins; the first heartbeat is wanted. */
void isolate_beat_reset(struct isolate_shared *shared);
/* Child: leaves a heartbeat, the number of which is returned; details that have no room there go by
 * a message, to be sent after this. */
uint64_t isolate_beat_write(struct isolate_shared *shared, uint64_t owner, int64_t made_ns,
	const void *details, size_t size);
/* Child: is it to be told of now? */
bool isolate_beat_is_wanted(struct isolate_shared *shared);
/* Worker: wants to be told of the next one; one that is there already has to be looked for after
 * this. */
void isolate_beat_want(struct isolate_shared *shared);
/* Worker: the latest one, if its number is above `after`, and not elsewhere. */
bool isolate_beat_read(struct isolate_shared *shared, uint64_t owner, uint64_t after,
	struct isolate_beat *beat) __attribute__((warn_unused_result));

/* ---- definitions, in two processes of one program (isolate_names.c) ---- */

/* Where an object or function lies: in which file (""; the program) and where in it. */
struct isolate_place {
	const char *file;
	uint64_t offset;
	uint64_t layout; /* of the file's parts; 0: of any */
};

/* false: it is in no file, so the helper will not find it. */
bool isolate_place_of(const void *object, struct isolate_place *place);
/* The same in this process; NULL: there is none of `size` bytes, or the file is another one. */
const void *isolate_at_place(const struct isolate_place *place, size_t size);

#endif
