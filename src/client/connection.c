/*
 * connection.c: the life of a client: connect, references, headers, the fork, the end.
 *
 * A client is its options and a link (link.c) for the process. Every call enters through
 * client_enter, which compares process ids and makes a new link in a forked child. All that is
 * not atomic is written under one lock for all clients of the process. A fork takes that lock, so
 * that the child finds no client half changed.
 *
 * The last reference may be given up on the client's own thread, by a callback. A thread cannot
 * join itself, so the end is then left to a short-lived thread.
 *
 * Who may touch what:
 *
 *	opts, arena, transport   written before the connect returns; read by any thread
 *	link                     read by any thread; replaced under the lock, never taken away while
 *	                         the client lives: whoever has read it may go on using it
 *	headers                  under the lock
 *	refs, closing            atomic
 *
 * Why one lock for all clients: it is taken for a fork, for a header, for a child's new link, all
 * of them rare; and a fork has to take all locks that there are.
 */
#include "client/connection.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/str.h"
#include "client/call.h"

static pthread_mutex_t links_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void lock_links(void)
{
	pthread_mutex_lock(&links_lock);
}

static void unlock_links(void)
{
	pthread_mutex_unlock(&links_lock);
}

/* Once a process, at the first client: the handlers cannot be taken back. */
static void watch_forks(void)
{
	pthread_atfork(lock_links, unlock_links, unlock_links);
}

static struct client_link *current_link(const struct temporal_client *client)
{
	return atomic_load_explicit(&client->link, memory_order_acquire);
}

/*
 * In a forked child: a link of its own in front of the parent's. Checked again under the lock,
 * since two threads of the child may come at once. The parent's is kept for its memory: calls of
 * the parent that were copied may still point to it, and nobody can end them here.
 */
static struct client_link *renew_link(struct temporal_client *client, struct temporal_error *err)
{
	struct client_link *link;

	lock_links();
	link = current_link(client);
	if (link->pid != getpid()) {
		struct client_link *fresh = client_link_new(client, err);

		if (fresh) {
			fresh->older = link;
			atomic_store_explicit(&client->link, fresh, memory_order_release);
		}
		link = fresh;
	}
	unlock_links();
	return link;
}

/*
 * A system call for each call of the user: getpid also tells of a fork that went around
 * pthread_atfork. `closing` catches callbacks that start calls while the client ends.
 */
struct client_link *client_enter(struct temporal_client *client, struct temporal_error *err)
{
	struct client_link *link = current_link(client);

	if (atomic_load_explicit(&client->closing, memory_order_relaxed)) {
		error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the client of %s is closing: its last reference was given up",
			client->opts.target);
		return NULL;
	}
	return link->pid == getpid() ? link : renew_link(client, err);
}

/* The loop's thread is joined here, so none of its callbacks comes after this. */
static void client_free(struct temporal_client *client)
{
	client_link_free(current_link(client));
	for (struct client_header *header = client->headers, *next; header; header = next) {
		next = header->next;
		mem_free(header->name);
		mem_free(header->value);
		mem_free(header);
	}
	temporal_metrics_unref(client->opts.metrics);
	arena_finish(&client->arena);
	mem_free(client);
}

/*
 * An eager client that does not get through is no client: the caller gets the reason and nothing to
 * free.
 */
static struct temporal_client *client_new(const struct rpc_transport *transport,
	const struct temporal_client_opts *opts, size_t size, struct temporal_error *err)
{
	struct temporal_client *client = mem_zalloc(sizeof(*client));
	struct client_link *link;

	if (!client) {
		error_no_memory(err, "a client");
		return NULL;
	}
	metrics_watch_forks(); /* before ours: a fork takes the locks in the opposite order */
	pthread_once(&fork_once, watch_forks);
	atomic_init(&client->refs, 1);
	arena_init(&client->arena, 512, ARENA_NO_BUDGET);
	if (transport)
		client->transport = *transport;
	if (client_take_options(client, opts, size, err)) {
		client->opts.metrics = NULL; /* not ours yet */
		goto fail;
	}
	if (client->opts.metrics)
		temporal_metrics_ref(client->opts.metrics);
	if (!transport && client->opts.server)
		client->transport =
			*(const struct rpc_transport *)(const void *)client->opts.server;
	link = client_link_new(client, err);
	if (!link)
		goto fail;
	atomic_store_explicit(&client->link, link, memory_order_release);
	if (!client->opts.lazy && client_ensure_connected(client, err))
		goto fail;
	return client;
fail:
	client_free(client);
	return NULL;
}

struct temporal_client *temporal_client_connect_(
	struct temporal_error *err, const struct temporal_client_opts *opts, size_t size)
{
	return client_new(NULL, opts, size, err);
}

struct temporal_client *client_connect_through(const struct rpc_transport *transport,
	const struct temporal_client_opts *opts, struct temporal_error *err)
{
	return client_new(transport, opts, opts ? sizeof(*opts) : 0, err);
}

struct temporal_client *temporal_client_ref(struct temporal_client *client)
{
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return client;
}

struct temporal_client *client_ref(struct temporal_client *client)
{
	return temporal_client_ref(client);
}

static void *free_elsewhere(void *arg)
{
	client_free(arg);
	return NULL;
}

/* Was it the last reference? */
static bool give_up(struct temporal_client *client)
{
	if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
		return false;
	atomic_store(&client->closing, true);
	return true;
}

/* Without a thread for it the client stays: a leak, but nothing that crashes. */
static void leave_to_thread(struct temporal_client *client)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, free_elsewhere, client) == 0)
		pthread_detach(thread);
}

void temporal_client_unref(struct temporal_client *client)
{
	if (!client || !give_up(client))
		return;
	struct client_link *link = current_link(client);

	if (link->pid != getpid() || !rpc_loop_inside(link->loop))
		client_free(client);
	else
		leave_to_thread(client);
}

void client_unref_on_loop(struct temporal_client *client)
{
	if (client && give_up(client))
		leave_to_thread(client);
}

/* ---- a client without a thread ---- */

static struct rpc_loop *adopted_loop(struct temporal_client *client)
{
	struct client_link *link = client->opts.no_thread ? client_enter(client, NULL) : NULL;

	return link ? link->loop : NULL;
}

int temporal_client_fd(struct temporal_client *client)
{
	struct rpc_loop *loop = adopted_loop(client);

	return loop ? rpc_loop_fd(loop) : -1;
}

int temporal_client_timeout_ms(struct temporal_client *client)
{
	struct rpc_loop *loop = adopted_loop(client);

	return loop ? rpc_loop_timeout_ms(loop) : -1;
}

/* A callback may give up what it thinks is the last reference. */
void temporal_client_step(struct temporal_client *client)
{
	struct rpc_loop *loop = adopted_loop(client);

	if (!loop || rpc_loop_inside(loop))
		return;
	temporal_client_ref(client);
	rpc_loop_step(loop);
	temporal_client_unref(client);
}

/* ---- headers of a live client ---- */

/* The entry of that name, new if need be. Under the lock. */
static struct client_header *find_header(struct temporal_client *client, const char *name)
{
	struct client_header *header = client->headers;

	while (header && strcmp(header->name, name) != 0)
		header = header->next;
	if (header)
		return header;
	header = mem_zalloc(sizeof(*header));
	if (!header)
		return NULL;
	header->name = mem_strdup(name);
	if (!header->name) {
		mem_free(header);
		return NULL;
	}
	header->next = client->headers;
	client->headers = header;
	return header;
}

/*
 * Remembers the header for links to come and gives it to the present one. Under the lock. First the
 * channel, then our copy: what failed is not remembered. A header that was removed stays as an
 * entry without a value, so that a child's link removes it too.
 */
static enum temporal_code set_header(struct temporal_client *client, struct client_link *link,
	const char *name, const char *value, struct temporal_error *err)
{
	struct rpc_header header = { name, value, value ? strlen(value) : 0 };
	struct client_header *mine = find_header(client, name);
	char *copy = value ? mem_strdup(value) : NULL;
	enum temporal_code code;

	if (!mine || (value && !copy))
		code = error_no_memory(err, "a header");
	else
		code = rpc_channel_set_header(link->channel, &header, err);
	for (struct client_branch *each = client->branches; each && !code; each = each->next)
		if (each->pid == link->pid)
			code = rpc_channel_set_header(each->channel, &header, err);
	if (code) {
		mem_free(copy);
		return code;
	}
	mem_free(mine->value);
	mine->value = copy;
	return TEMPORAL_OK;
}

/* With an error of its own, since err may be NULL and the code is needed. */
enum temporal_code temporal_client_set_header(struct temporal_client *client, const char *name,
	const char *value, struct temporal_error *err)
{
	struct temporal_error own = { 0 };
	struct client_link *link;
	enum temporal_code code = client_check_header(name, value, &own);

	if (!code) {
		link = client_enter(client, &own);
		if (link) {
			lock_links();
			code = set_header(client, link, name, value, &own);
			unlock_links();
		}
	}
	if (own.code && err)
		*err = own;
	return own.code;
}

/* For keys that rotate: calls from now on have the new one. */
enum temporal_code temporal_client_set_api_key(
	struct temporal_client *client, const char *api_key, struct temporal_error *err)
{
	struct arena scratch;
	const char *value = NULL;
	enum temporal_code code;

	arena_init(&scratch, 256, ARENA_NO_BUDGET);
	if (api_key)
		value = arena_printf(&scratch, "Bearer %s", api_key);
	if (api_key && !value)
		code = error_no_memory(err, "an API key");
	else
		code = temporal_client_set_header(client, "authorization", value, err);
	arena_finish(&scratch);
	return code;
}

/* ---- channels on other loops ---- */

/* Counts go to the series of `home`, whose loop's thread is the one that touches them. */
struct rpc_channel *client_channel_open(
	struct temporal_client *client, struct temporal_client *home, struct temporal_error *err)
{
	struct client_link *link = current_link(home);

	if (current_link(client) == link)
		return rpc_channel_ref(link->channel);
	struct client_branch *branch = mem_zalloc(sizeof(*branch));

	if (!branch) {
		error_no_memory(err, "a client's connection");
		return NULL;
	}
	lock_links();
	branch->channel = client_link_channel(client, link->loop, err);
	if (branch->channel) {
		branch->pid = link->pid;
		branch->next = client->branches;
		client->branches = branch;
	}
	unlock_links();
	if (!branch->channel) {
		mem_free(branch);
		return NULL;
	}
	if (link->metrics)
		rpc_channel_observe(branch->channel, client_metrics_observer(link->metrics));
	return branch->channel;
}

void client_channel_close(struct temporal_client *client, struct rpc_channel *channel)
{
	struct client_branch **link = &client->branches, *branch;

	lock_links();
	while (*link && (*link)->channel != channel)
		link = &(*link)->next;
	branch = *link;
	if (branch)
		*link = branch->next;
	unlock_links();
	mem_free(branch);
	rpc_channel_unref(channel);
}

/* ---- what others ask ---- */

const char *temporal_client_namespace(const struct temporal_client *client)
{
	return client->opts.namespace_;
}

const char *temporal_client_identity(const struct temporal_client *client)
{
	return current_link(client)->identity;
}

const char *client_namespace(const struct temporal_client *client)
{
	return client->opts.namespace_;
}

const char *client_identity(const struct temporal_client *client)
{
	return current_link(client)->identity;
}

const struct temporal_interceptor *const *client_interceptors(const struct temporal_client *client)
{
	return client->opts.interceptors;
}

const struct temporal_plugin *const *client_plugins(const struct temporal_client *client)
{
	return client->opts.plugins;
}

struct temporal_metrics *client_metrics(const struct temporal_client *client)
{
	return client->opts.metrics;
}

struct rpc_channel *client_channel(const struct temporal_client *client)
{
	return current_link(client)->channel;
}

enum temporal_code client_make_ours(struct temporal_client *client, struct temporal_error *err)
{
	struct temporal_error own = { .code = TEMPORAL_OK };

	if (client_enter(client, &own))
		return TEMPORAL_OK;
	if (err)
		*err = own;
	return own.code;
}

struct rpc_loop *client_loop(const struct temporal_client *client)
{
	return current_link(client)->loop;
}
