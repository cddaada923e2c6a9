/*
 * plugin.c: plugins of a worker: its client's, then its own. They change its options when it is
 * made, and hear of its start and its end, on the thread of whoever asks for these.
 */
#include <string.h>

#include "base/error.h"
#include "client/client.h"
#include "proto/codec.h"
#include "worker/intercept.h"
#include "worker/worker.h"

static size_t count(const struct temporal_plugin *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* The list is the one that the caller gave: a plugin cannot bring others. */
static bool keep_list(struct temporal_worker *worker, const struct temporal_plugin *const *own)
{
	const struct temporal_plugin *const *clients = client_plugins(worker->client);
	size_t n_clients = count(clients), n_own = count(own);
	const struct temporal_plugin **all =
		arena_array(&worker->arena, n_clients + n_own + 1, sizeof(*all));

	if (!all)
		return false;
	if (n_clients)
		memcpy(all, clients, n_clients * sizeof(*all));
	if (n_own)
		memcpy(all + n_clients, own, n_own * sizeof(*all));
	worker->plugins = all;
	return true;
}

enum temporal_code worker_plugins_apply(struct temporal_worker *worker,
	struct temporal_worker_opts *opts, const struct temporal_worker_opts *given, size_t size,
	struct temporal_error *err)
{
	enum temporal_code code = TEMPORAL_OK;

	*opts = (struct temporal_worker_opts){ 0 };
	memcpy(opts, given, size < sizeof(*opts) ? size : sizeof(*opts));
	if (!keep_list(worker, opts->plugins))
		return error_no_memory(err, "worker: its plugins");
	for (size_t i = 0; !code && worker->plugins[i]; i++) {
		const struct temporal_plugin *plugin = worker->plugins[i];

		if (plugin->worker)
			code = plugin->worker(opts, sizeof(*opts), plugin->user, err);
	}
	opts->plugins = worker->plugins;
	return code;
}

void worker_plugins_tell(const struct temporal_worker *worker, struct arena *arena,
	Worker__WorkerHeartbeat *heartbeat)
{
	size_t n = count(worker->plugins);

	heartbeat->plugins = arena_array(arena, n, sizeof(heartbeat->plugins[0]));
	for (size_t i = 0; heartbeat->plugins && i < n; i++) {
		Worker__PluginInfo *info =
			PROTO_NEW(arena, Worker__PluginInfo, worker__plugin_info);

		if (!info)
			return;
		info->name = worker->plugins[i]->name ? worker->plugins[i]->name : "";
		heartbeat->plugins[heartbeat->n_plugins++] = info;
	}
}

static void stop_first(struct temporal_worker *worker, size_t n)
{
	while (n-- > 0) {
		const struct temporal_plugin *plugin = worker->plugins[n];

		if (plugin->stop)
			plugin->stop(worker, plugin->user);
	}
}

enum temporal_code worker_plugins_start(struct temporal_worker *worker, struct temporal_error *err)
{
	for (size_t i = 0; worker->plugins[i]; i++) {
		const struct temporal_plugin *plugin = worker->plugins[i];
		enum temporal_code code =
			plugin->start ? plugin->start(worker, plugin->user, err) : TEMPORAL_OK;

		if (code) {
			stop_first(worker, i);
			return code;
		}
	}
	return TEMPORAL_OK;
}

void worker_plugins_stop(struct temporal_worker *worker)
{
	stop_first(worker, count(worker->plugins));
}
