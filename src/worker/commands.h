/*
 * commands.h: the commands that a server gives to the workers of a client. The loop's thread.
 */
#ifndef WORKER_COMMANDS_H
#define WORKER_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/api/worker/v1/message.pb-c.h>

#include "base/arena.h"
#include "base/str.h"

struct temporal_worker;
struct worker_group;
struct rpc_call;

/*
 * The payload of a call of ExecuteCommands: so many commands, in an array in the arena; and that of
 * its answer, with a result for each. False: it is no such message, or no memory. Pure.
 */
bool worker_commands_read(struct arena *arena, const uint8_t *data, size_t len,
	Worker__WorkerCommand ***commands, size_t *n);
bool worker_commands_answer(
	struct arena *arena, Worker__WorkerCommand *const *commands, size_t n, struct bytes *out);

/* Polls the queue of the group's commands, from now on. */
void worker_commands_begin(struct worker_group *group);
/* The worker is no more in the group. */
void worker_commands_leave(struct worker_group *group, const struct temporal_worker *worker);

#endif
