/*
 * replace.c: another client for a worker that lives.
 *
 * The worker stays on the loop of the client that it was made with (`home`), since all that it has
 * under way is there; of another client it gets a channel of its own on that loop, which shares the
 * client's headers, so an API key that is replaced later reaches it.
 *
 *	known ---- taken by the loop ----> current ---- another one is ----> retired ---> freed
 *	  ^                                  ^                                  |
 *	  '- it polls for the same tasks:    '----- it is given once more ------'
 *	     refused, and all stays
 *
 * What moves with the client: the registry in which workers that poll for the same tasks are told
 * apart (at once, under the worker's lock, so that a conflict changes nothing), polls, answers,
 * heartbeats and the poll for commands (with the loop's next turn). A retired client is given up
 * when nobody can have its channel in hand any more (`senders`, see worker.h) and the last call is
 * over; polls that wait at its server are left there, as cancelling one may lose a task, but none
 * is tried again. Once the worker stops, all that is left goes with it.
 */
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"
#include "worker/group.h"
#include "worker/worker.h"

#define SENDERS_WAIT_NS INT64_C(1000000)

/* ---- making, freeing ---- */

static struct worker_client *client_new(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct worker_client *mine = mem_zalloc(sizeof(*mine));

	if (!mine) {
		error_no_memory(err, "worker: its client");
		return NULL;
	}
	mine->channel = client_channel_open(client, worker->client, err);
	if (!mine->channel) {
		mem_free(mine);
		return NULL;
	}
	mine->worker = worker;
	mine->client = client_ref(client);
	mine->in_client = worker->home.in_client;
	mine->in_client.next = NULL;
	mine->in_client.is_known = mine->in_client.is_running = false;
	return mine;
}

/* Its last reference may be given up on the loop's thread, or by the worker's owner. */
static void client_free(struct worker_client *mine, void (*unref)(struct temporal_client *client))
{
	client_workers_remove(mine->client, &mine->in_client);
	client_channel_close(mine->client, mine->channel);
	unref(mine->client);
	mem_free(mine);
}

void worker_clients_init(struct temporal_worker *worker, struct temporal_client *client)
{
	worker->client = client_ref(client);
	worker->home.worker = worker;
	worker->home.client = client;
	worker->home.channel = client_channel(client);
	worker->newest = worker->current = &worker->home;
	atomic_init(&worker->channel, worker->home.channel);
	atomic_init(&worker->senders, 0);
}

void worker_clients_finish(struct temporal_worker *worker)
{
	client_workers_remove(worker->client, &worker->home.in_client);
	while (worker->clients) {
		struct worker_client *next = worker->clients->next;

		client_free(worker->clients, temporal_client_unref);
		worker->clients = next;
	}
	temporal_client_unref(worker->client);
}

void worker_clients_leave(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	client_workers_remove(worker->client, &worker->home.in_client);
	for (struct worker_client *at = worker->clients; at; at = at->next)
		client_workers_remove(at->client, &at->in_client);
	pthread_mutex_unlock(&worker->lock);
}

/* ---- the loop: giving up the old ones ---- */

/* Not one that has just been given once more. */
static void try_free(struct worker_client *mine)
{
	struct temporal_worker *worker = mine->worker;
	struct worker_client **at = &worker->clients;

	pthread_mutex_lock(&worker->lock);
	bool wanted = worker->newest == mine;

	while (!wanted && *at != mine)
		at = &(*at)->next;
	if (!wanted)
		*at = mine->next;
	pthread_mutex_unlock(&worker->lock);
	if (!wanted)
		client_free(mine, client_unref_on_loop);
}

static void became_idle(struct rpc_task *task)
{
	struct worker_client *mine =
		(struct worker_client *)((char *)task - offsetof(struct worker_client, idle));
	struct temporal_worker *worker = mine->worker;

	mine->waits = false;
	if (mine->retired && worker->phase == WORKER_RUNNING)
		try_free(mine);
	worker_advance(worker);
}

static void senders_over(struct rpc_timer *timer);

static void await_idle(struct worker_client *mine)
{
	struct temporal_worker *worker = mine->worker;

	if (atomic_load(&worker->senders) > 0) {
		rpc_timer_set(
			worker->loop, &mine->again, rpc_now_ns() + SENDERS_WAIT_NS, senders_over);
		return;
	}
	mine->waits = true;
	mine->idle.run = became_idle;
	rpc_channel_when_idle(mine->channel, &mine->idle);
}

static void senders_over(struct rpc_timer *timer)
{
	await_idle((struct worker_client *)((char *)timer - offsetof(struct worker_client, again)));
}

/* Under the lock. The first one stays as long as the worker: its loop is the worker's. */
static void retire(struct worker_client *mine)
{
	client_workers_remove(mine->client, &mine->in_client);
	if (mine == &mine->worker->home)
		return;
	mine->retired = true;
	if (!mine->waits && !mine->again.armed)
		await_idle(mine);
}

/* All but the one that it works with, and the one that is on its way to the loop. */
static void retire_others(struct temporal_worker *worker)
{
	const struct worker_client *current = worker->current;

	pthread_mutex_lock(&worker->lock);
	if (&worker->home != current && &worker->home != worker->newest)
		retire(&worker->home);
	for (struct worker_client *at = worker->clients; at; at = at->next) {
		if (at != current && at != worker->newest)
			retire(at);
	}
	/* One that was given after the worker had begun to stop. */
	if (worker->phase > WORKER_RUNNING)
		client_workers_remove(current->client, &worker->current->in_client);
	pthread_mutex_unlock(&worker->lock);
}

/* False: its task is in the loop's queue. */
static bool take_back(struct worker_client *mine)
{
	rpc_timer_stop(&mine->again);
	if (mine->waits && rpc_channel_when_idle(mine->channel, NULL))
		mine->waits = false;
	return !mine->waits;
}

bool worker_clients_settle(struct temporal_worker *worker)
{
	bool settled = true;

	pthread_mutex_lock(&worker->lock);
	for (struct worker_client *at = worker->clients; at; at = at->next)
		settled &= take_back(at);
	pthread_mutex_unlock(&worker->lock);
	return settled;
}

/* ---- the loop: going over to the new one ---- */

static void switch_to(struct temporal_worker *worker, struct worker_client *mine)
{
	struct worker_client *old = worker->current;

	worker_group_leave(worker);
	worker->current = mine;
	worker->channel = mine->channel;
	rpc_channel_work(old->channel, -(int)worker->n_works);
	rpc_channel_work(mine->channel, (int)worker->n_works);
	mine->retired = false;
	take_back(mine);
	worker_pollers_move(worker);
	if (worker->phase != WORKER_RUNNING)
		return;
	worker_clients_run(worker);
	worker_group_join(worker);
	worker_describe_namespace(worker); /* it may be another server, or version */
}

void worker_clients_run(struct temporal_worker *worker)
{
	struct worker_client *mine = worker->current;

	/* Tasks come to a worker at once only from calls on its own loop. */
	if (client_loop(mine->client) == worker->loop)
		client_workers_run(mine->client, &mine->in_client);
}

void worker_client_posted(struct rpc_task *task)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)task -
					   offsetof(struct temporal_worker, client_task));

	pthread_mutex_lock(&worker->lock);
	struct worker_client *newest = worker->newest;

	worker->client_posted = false;
	pthread_mutex_unlock(&worker->lock);
	if (newest != worker->current)
		switch_to(worker, newest);
	retire_others(worker);
	worker_advance(worker);
}

/* ---- any thread ---- */

struct rpc_channel *worker_channel_ref(struct temporal_worker *worker)
{
	atomic_fetch_add(&worker->senders, 1);
	struct rpc_channel *channel = rpc_channel_ref(worker->channel);

	atomic_fetch_sub(&worker->senders, 1);
	return channel;
}

/* Under the lock: the worker has the client already, or has it now. */
static struct worker_client *find_or_add(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct worker_client *mine = worker->clients;

	if (client == worker->client)
		return &worker->home;
	while (mine && mine->client != client)
		mine = mine->next;
	if (mine)
		return mine;
	mine = client_new(worker, client, err);
	if (!mine)
		return NULL;
	mine->next = worker->clients;
	worker->clients = mine;
	return mine;
}

/* Under the lock. */
static enum temporal_code set_newest(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct worker_client *first = worker->clients;

	if (worker->closed)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION, "worker: it has stopped");
	struct worker_client *mine = find_or_add(worker, client, err);

	if (!mine)
		return err->code;
	enum temporal_code code =
		client_workers_add(client, &mine->in_client, !worker->opts.skip_overlap_check, err);

	if (code != TEMPORAL_OK) {
		if (worker->clients != first) { /* nobody has seen it */
			worker->clients = first;
			client_free(mine, temporal_client_unref);
		}
		return code;
	}
	worker->newest = mine;
	if (worker->started && !worker->client_posted)
		rpc_loop_post(worker->loop, &worker->client_task);
	worker->client_posted = true;
	return TEMPORAL_OK;
}

enum temporal_code temporal_worker_set_client(
	struct temporal_worker *worker, struct temporal_client *client, struct temporal_error *err)
{
	struct temporal_error own = { .code = TEMPORAL_OK };

	if (worker->pid != getpid())
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"worker: it was made before this process was forked");
	if (!str_same(client_namespace(client), worker->namespace_))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: the new client's namespace is \"%s\", expected \"%s\" as before",
			client_namespace(client), worker->namespace_);
	pthread_mutex_lock(&worker->lock);
	set_newest(worker, client, &own);
	pthread_mutex_unlock(&worker->lock);
	if (own.code != TEMPORAL_OK && err)
		*err = own;
	return own.code;
}
