/*
 * replace.c: another client for a worker that lives.
 *
 * The worker stays on the loop of the client that it was made with, since all that it has under way
 * is there; of the new client it gets a channel of its own on that loop, which shares the client's
 * headers, so an API key that is replaced later reaches it. Channels are given up only with the
 * worker: an activity's thread may have one in hand, and calls of the old one go on to their ends.
 *
 * Polls that wait at the old server are left there, as cancelling one may lose a task; but none is
 * tried again with the old client.
 */
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"
#include "worker/worker.h"

/* One that the worker was given while it lived. */
struct worker_client {
	struct temporal_client *client;
	struct rpc_channel *channel;
	struct worker_client *next;
};

static struct worker_client *client_new(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct worker_client *mine = mem_zalloc(sizeof(*mine));

	if (!mine) {
		error_no_memory(err, "worker: its client");
		return NULL;
	}
	mine->client = client_ref(client);
	mine->channel = client_channel_open(client, worker->client, err);
	if (mine->channel)
		return mine;
	temporal_client_unref(client);
	mem_free(mine);
	return NULL;
}

static void client_free(struct worker_client *mine)
{
	client_channel_close(mine->client, mine->channel);
	temporal_client_unref(mine->client);
	mem_free(mine);
}

void worker_clients_finish(struct temporal_worker *worker)
{
	while (worker->clients) {
		struct worker_client *next = worker->clients->next;

		client_free(worker->clients);
		worker->clients = next;
	}
}

struct temporal_client *worker_newest_client(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	struct temporal_client *client = worker->clients ? worker->clients->client : worker->client;

	pthread_mutex_unlock(&worker->lock);
	return client;
}

void worker_client_posted(struct rpc_task *task)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)task -
					   offsetof(struct temporal_worker, client_task));

	pthread_mutex_lock(&worker->lock);
	worker->client_posted = false;
	worker->channel = worker->clients->channel;
	pthread_mutex_unlock(&worker->lock);
	worker_pollers_move(worker);
	worker_advance(worker);
}

/* False: the worker has stopped, or is about to. */
static bool add(struct temporal_worker *worker, struct worker_client *mine)
{
	pthread_mutex_lock(&worker->lock);
	bool open = !worker->closed;

	if (open) {
		mine->next = worker->clients;
		worker->clients = mine;
		if (worker->started && !worker->client_posted)
			rpc_loop_post(worker->loop, &worker->client_task);
		worker->client_posted = true;
	}
	pthread_mutex_unlock(&worker->lock);
	return open;
}

enum temporal_code temporal_worker_set_client(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct worker_client *mine;
	struct temporal_error own = { .code = TEMPORAL_OK };

	if (worker->pid != getpid())
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"worker: it was made before this process was forked");
	if (!str_same(client_namespace(client), worker->namespace_))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: the new client's namespace is \"%s\", expected \"%s\" as before",
			client_namespace(client), worker->namespace_);
	mine = client_new(worker, client, &own);
	if (!mine) {
		if (err)
			*err = own;
		return own.code;
	}
	if (add(worker, mine))
		return TEMPORAL_OK;
	client_free(mine);
	return error_set(err, TEMPORAL_FAILED_PRECONDITION, "worker: it has stopped");
}
