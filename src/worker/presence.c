/*
 * presence.c: what a worker tells of itself: the message of its heartbeats.
 *
 * The numbers are the loop's, counted where tasks end whether there are metrics or not: an addition
 * each. CPU and memory are those of host.h, measured since the heartbeat before.
 */
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/workers.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "worker/group.h"
#include "worker/intercept.h"
#include "worker/worker.h"

static int32_t clamped(uint64_t n)
{
	return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

static Worker__WorkerSlotsInfo *slots_info(struct arena *arena, const struct worker_slots *slots,
	unsigned polls, struct worker_task_count *count)
{
	Worker__WorkerSlotsInfo *info =
		PROTO_NEW(arena, Worker__WorkerSlotsInfo, worker__worker_slots_info);
	/* The slot that a poll holds has no task yet. */
	unsigned used = slots->used > polls ? slots->used - polls : 0;

	if (!info)
		return NULL;
	info->current_available_slots =
		slots->supplier ? worker_slots_available(slots) : (int32_t)(slots->max - used);
	if (info->current_available_slots < 0)
		info->current_available_slots = -1;
	info->current_used_slots = (int32_t)used;
	info->slot_supplier_kind = worker_slots_source(slots);
	info->total_processed_tasks = clamped(count->processed);
	info->total_failed_tasks = clamped(count->failed);
	info->last_interval_processed_tasks = clamped(count->processed - count->processed_told);
	info->last_interval_failure_tasks = clamped(count->failed - count->failed_told);
	count->processed_told = count->processed;
	count->failed_told = count->failed;
	return info;
}

static Worker__WorkerPollerInfo *poller_info(struct temporal_worker *worker, struct arena *arena,
	enum worker_poll_kind kind, unsigned polls)
{
	Worker__WorkerPollerInfo *info =
		PROTO_NEW(arena, Worker__WorkerPollerInfo, worker__worker_poller_info);
	int64_t polled_ns = worker->pollers.polled_ns[kind];

	if (!info)
		return NULL;
	info->current_pollers = (int32_t)polls;
	info->is_autoscaling = worker->pollers.scalers[kind].is_auto;
	if (polled_ns)
		info->last_successful_poll_time =
			proto_timestamp_new(arena, clock_epoch_ns() - (rpc_now_ns() - polled_ns));
	return info;
}

static Worker__WorkerHostInfo *host_info(struct temporal_worker *worker, struct arena *arena)
{
	Worker__WorkerHostInfo *info =
		PROTO_NEW(arena, Worker__WorkerHostInfo, worker__worker_host_info);
	char name[256] = "";

	if (!info)
		return NULL;
	gethostname(name, sizeof(name) - 1);
	worker_host_sample(&worker->host, rpc_now_ns(), NS_PER_SECOND / 10);
	info->host_name = arena_strdup(arena, name);
	info->process_id = arena_printf(arena, "%d", (int)getpid());
	info->worker_grouping_key =
		worker->group ? worker->group->key : client_workers_key(worker->current->client);
	info->current_host_cpu_usage = (float)worker->host.cpu;
	info->current_host_mem_usage = (float)worker->host.memory;
	return info->host_name && info->process_id ? info : NULL;
}

/* The program is native code on Linux; of which libc and architecture is known when it is compiled.
 */
static Worker__EnvironmentInfo *environment(struct arena *arena)
{
	Worker__EnvironmentInfo *info =
		PROTO_NEW(arena, Worker__EnvironmentInfo, worker__environment_info);
	Worker__EnvironmentInfo__Runtime *runtime = PROTO_NEW(
		arena, Worker__EnvironmentInfo__Runtime, worker__environment_info__runtime);
	Worker__EnvironmentInfo__Platform *platform = PROTO_NEW(
		arena, Worker__EnvironmentInfo__Platform, worker__environment_info__platform);
	Worker__EnvironmentInfo__LinuxPlatform *system = PROTO_NEW(arena,
		Worker__EnvironmentInfo__LinuxPlatform, worker__environment_info__linux_platform);
	Worker__EnvironmentInfo__Runtime **runtimes = arena_array(arena, 1, sizeof(void *));
	struct utsname name;

	if (!info || !runtime || !platform || !system || !runtimes)
		return NULL;
	runtime->type = WORKER__ENVIRONMENT_INFO__RUNTIME__RUNTIME_TYPE__RUNTIME_TYPE_NATIVE;
	runtimes[0] = runtime;
	info->runtimes = runtimes;
	info->n_runtimes = 1;
	if (uname(&name) == 0)
		system->version = arena_strdup(arena, name.release);
#if defined(__x86_64__)
	system->architecture = WORKER__ENVIRONMENT_INFO__ARCHITECTURE__ARCHITECTURE_AMD64;
#elif defined(__aarch64__)
	system->architecture = WORKER__ENVIRONMENT_INFO__ARCHITECTURE__ARCHITECTURE_ARM64;
#endif
#if defined(__GLIBC__)
	system->libc = WORKER__ENVIRONMENT_INFO__LINUX_PLATFORM__LIBC__LIBC_GLIBC;
#else
	system->libc = WORKER__ENVIRONMENT_INFO__LINUX_PLATFORM__LIBC__LIBC_MUSL;
#endif
	platform->variant_case = WORKER__ENVIRONMENT_INFO__PLATFORM__VARIANT_LINUX;
	platform->linux = system;
	info->platform = platform;
	return info;
}

static Deployment__WorkerDeploymentVersion *deployment(
	const struct temporal_worker *worker, struct arena *arena)
{
	Deployment__WorkerDeploymentVersion *version;

	if (!worker->opts.deployment)
		return NULL;
	version = PROTO_NEW(
		arena, Deployment__WorkerDeploymentVersion, deployment__worker_deployment_version);
	if (version) {
		version->deployment_name = worker->opts.deployment->name;
		version->build_id = worker->opts.build_id;
	}
	return version;
}

static void fill_counts(
	struct temporal_worker *worker, struct arena *arena, Worker__WorkerHeartbeat *out)
{
	const struct worker_pollers *pollers = &worker->pollers;
	unsigned normal = pollers->balance.active[WORKER_QUEUE_NORMAL];
	unsigned sticky = pollers->balance.active[WORKER_QUEUE_STICKY];
	struct worker_stats *stats = &worker->stats;

	out->workflow_task_slots_info = slots_info(arena, &worker->workflow_slots, normal + sticky,
		&stats->tasks[TEMPORAL_SLOT_WORKFLOW]);
	out->activity_task_slots_info = slots_info(arena, &worker->activity_slots,
		pollers->activities, &stats->tasks[TEMPORAL_SLOT_ACTIVITY]);
	out->nexus_task_slots_info = slots_info(
		arena, &worker->nexus_slots, pollers->nexus, &stats->tasks[TEMPORAL_SLOT_NEXUS]);
	out->local_activity_slots_info = slots_info(
		arena, &worker->local_slots, 0, &stats->tasks[TEMPORAL_SLOT_LOCAL_ACTIVITY]);
	out->workflow_poller_info = poller_info(worker, arena, WORKER_POLL_WORKFLOWS, normal);
	out->workflow_sticky_poller_info = poller_info(worker, arena, WORKER_POLL_STICKY, sticky);
	out->activity_poller_info =
		poller_info(worker, arena, WORKER_POLL_ACTIVITIES, pollers->activities);
	out->nexus_poller_info = poller_info(worker, arena, WORKER_POLL_NEXUS, pollers->nexus);
	out->total_sticky_cache_hit = clamped(stats->cache_hits);
	out->total_sticky_cache_miss = clamped(stats->cache_misses);
	out->current_sticky_cache_size = clamped(worker->cache.count);
}

static void fill_times(
	struct temporal_worker *worker, struct arena *arena, Worker__WorkerHeartbeat *out)
{
	struct worker_stats *stats = &worker->stats;
	int64_t now_ns = clock_epoch_ns();

	out->start_time = proto_timestamp_new(arena, stats->started_ns);
	out->heartbeat_time = proto_timestamp_new(arena, now_ns);
	if (stats->told_ns) {
		int64_t passed_ns = now_ns > stats->told_ns ? now_ns - stats->told_ns : 0;

		out->elapsed_since_last_heartbeat =
			proto_duration_new_ms(arena, passed_ns / 1000000);
	}
	stats->told_ns = now_ns;
}

void worker_stats_begin(struct temporal_worker *worker)
{
	worker->stats.started_ns = clock_epoch_ns();
	worker_host_sample(&worker->host, rpc_now_ns(), 0);
}

Worker__WorkerHeartbeat *worker_presence(struct temporal_worker *worker, struct arena *arena)
{
	Worker__WorkerHeartbeat *out =
		PROTO_NEW(arena, Worker__WorkerHeartbeat, worker__worker_heartbeat);

	if (!out)
		return NULL;
	out->worker_instance_key = worker->instance_key;
	out->worker_identity = worker->opts.identity;
	out->task_queue = worker->opts.task_queue;
	out->sdk_name = worker->engine.sdk_name;
	out->sdk_version = worker->engine.sdk_version;
	out->status = worker->phase == WORKER_RUNNING
			      ? ENUMS__WORKER_STATUS__WORKER_STATUS_RUNNING
			      : ENUMS__WORKER_STATUS__WORKER_STATUS_SHUTTING_DOWN;
	out->host_info = host_info(worker, arena);
	out->deployment_version = deployment(worker, arena);
	out->environment = environment(arena);
	worker_plugins_tell(worker, arena, out);
	fill_counts(worker, arena, out);
	fill_times(worker, arena, out);
	return out;
}
