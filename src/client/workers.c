/*
 * workers.c: the registry of a client's workers, one in each process that uses the client.
 *
 * Workers are added on any thread, and leave on the loop's when they stop or go on with another
 * client (those that never ran: on any). So on the loop's thread one that runs cannot go away, and
 * is asked for a slot with no lock held: that may call the user's code. A worker of another client,
 * which came to this one later, stays on the loop of its own: it is here to be counted, and does
 * not run for us.
 */
#include "client/workers.h"

#include "base/error.h"
#include "base/str.h"
#include "client/connection.h"
#include "client/uuid.h"

static struct client_workers *workers_of(struct temporal_client *client)
{
	return &atomic_load_explicit(&client->link, memory_order_acquire)->workers;
}

void client_workers_init(struct client_workers *workers)
{
	pthread_mutex_init(&workers->lock, NULL);
}

void client_workers_finish(struct client_workers *workers)
{
	pthread_mutex_destroy(&workers->lock);
}

static const struct client_worker *overlapping(
	const struct client_workers *workers, const struct client_worker *worker)
{
	for (const struct client_worker *at = workers->first; at; at = at->next) {
		if (at->owner != worker->owner && (at->kinds & worker->kinds) &&
			str_same(at->task_queue, worker->task_queue) &&
			str_same(at->build_id, worker->build_id))
			return at;
	}
	return NULL;
}

static const char *kind_name(unsigned kinds)
{
	if (kinds & CLIENT_WORKER_WORKFLOWS)
		return "workflow";
	return kinds & CLIENT_WORKER_ACTIVITIES ? "activity" : "Nexus";
}

enum temporal_code client_workers_add(struct temporal_client *client, struct client_worker *worker,
	bool check, struct temporal_error *err)
{
	struct client_workers *workers = workers_of(client);
	const struct client_worker *other = NULL;
	unsigned both = 0;

	pthread_mutex_lock(&workers->lock);
	if (check)
		other = overlapping(workers, worker);
	if (other) {
		both = other->kinds & worker->kinds;
	} else if (!worker->is_known) {
		worker->next = workers->first;
		workers->first = worker;
		worker->is_known = true;
	}
	pthread_mutex_unlock(&workers->lock);
	if (!both)
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_ALREADY_EXISTS,
		"worker: another worker of this client polls %s tasks of task queue \"%s\" with "
		"the same build id; expected one (or .skip_overlap_check)",
		kind_name(both), worker->task_queue);
}

void client_workers_remove(struct temporal_client *client, struct client_worker *worker)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	if (worker->is_known) {
		struct client_worker **at = &workers->first;

		while (*at != worker)
			at = &(*at)->next;
		*at = worker->next;
	}
	worker->is_known = worker->is_running = false;
	pthread_mutex_unlock(&workers->lock);
}

void client_workers_run(struct temporal_client *client, struct client_worker *worker)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	worker->is_running = worker->is_known;
	pthread_mutex_unlock(&workers->lock);
}

/* The n-th that could take a workflow task of the queue. */
static struct client_worker *nth(struct client_workers *workers, const char *task_queue, unsigned n)
{
	struct client_worker *at;

	pthread_mutex_lock(&workers->lock);
	for (at = workers->first; at; at = at->next) {
		if (!at->is_running || !(at->kinds & CLIENT_WORKER_WORKFLOWS) ||
			!str_same(at->task_queue, task_queue))
			continue;
		if (n-- == 0)
			break;
	}
	pthread_mutex_unlock(&workers->lock);
	return at;
}

bool client_workers_has(struct temporal_client *client, const char *task_queue)
{
	return nth(workers_of(client), task_queue, 0) != NULL;
}

struct client_worker *client_workers_reserve(
	struct temporal_client *client, const char *task_queue, void **permit)
{
	struct client_workers *workers = workers_of(client);
	struct client_worker *worker;

	for (unsigned n = 0; (worker = nth(workers, task_queue, n)); n++) {
		if (worker->reserve(worker, permit))
			return worker;
	}
	return NULL;
}

const char *client_workers_key(struct temporal_client *client)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	if (!workers->key) {
		client_uuid(workers->key_text);
		workers->key = workers->key_text;
	}
	pthread_mutex_unlock(&workers->lock);
	return workers->key;
}

struct client_group *client_workers_group(struct temporal_client *client, struct rpc_loop *loop)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	struct client_group *group = workers->groups;

	while (group && group->loop != loop)
		group = group->next;
	pthread_mutex_unlock(&workers->lock);
	return group;
}

void client_workers_group_add(struct temporal_client *client, struct client_group *group)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	group->next = workers->groups;
	workers->groups = group;
	pthread_mutex_unlock(&workers->lock);
}

void client_workers_group_remove(struct temporal_client *client, struct client_group *group)
{
	struct client_workers *workers = workers_of(client);

	pthread_mutex_lock(&workers->lock);
	struct client_group **at = &workers->groups;

	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	pthread_mutex_unlock(&workers->lock);
}
