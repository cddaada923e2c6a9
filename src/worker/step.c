/*
 * step.c: a worker on the program's own loop: that of a client without a thread.
 *
 * All that the loop's thread does elsewhere happens here within a step, on the caller's thread; so
 * waiting there for the worker's end means turning the loop until it has come. Which thread that is
 * says rpc_loop_here: the one that made the client, or that stepped it last.
 */
#include <poll.h>
#include <unistd.h>

#include "worker/thread.h"
#include "worker/worker.h"

/* Is it for this thread to turn the loop, and not in the middle of a turn? */
static bool is_ours(const struct temporal_worker *worker)
{
	return rpc_loop_is_adopted(worker->loop) && rpc_loop_here(worker->loop) &&
	       !rpc_loop_inside(worker->loop);
}

bool worker_may_wait(struct temporal_worker *worker, bool turns)
{
	if (worker_thread_is_ours())
		return false;
	if (!rpc_loop_here(worker->loop))
		return true;
	return is_ours(worker) && (turns || worker_is_stopped(worker));
}

void worker_turn(struct temporal_worker *worker)
{
	while (is_ours(worker) && !worker_is_stopped(worker))
		rpc_loop_turn(worker->loop);
}

bool worker_turn_until_signal(struct temporal_worker *worker, int fd)
{
	struct pollfd waits[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = rpc_loop_fd(worker->loop), .events = POLLIN } };
	uint64_t count;

	if (!is_ours(worker))
		return false;
	while (!worker_is_stopped(worker)) {
		/* Interrupted, or out of memory for once: the loop has to go on all the same. */
		if (poll(waits, 2, rpc_loop_timeout_ms(worker->loop)) < 0)
			waits[0].revents = 0;
		if (waits[0].revents && read(fd, &count, sizeof(count)) > 0 &&
			!worker_is_stopped(worker))
			temporal_worker_shutdown(worker);
		rpc_loop_step(worker->loop);
	}
	return true;
}

int temporal_worker_fd(struct temporal_worker *worker)
{
	return rpc_loop_is_adopted(worker->loop) ? rpc_loop_fd(worker->loop) : -1;
}

int temporal_worker_timeout_ms(struct temporal_worker *worker)
{
	return rpc_loop_is_adopted(worker->loop) ? rpc_loop_timeout_ms(worker->loop) : -1;
}

bool temporal_worker_step(struct temporal_worker *worker)
{
	if (worker->pid != getpid())
		return false;
	if (rpc_loop_is_adopted(worker->loop) && !rpc_loop_inside(worker->loop))
		rpc_loop_step(worker->loop);
	return !worker_is_stopped(worker);
}
