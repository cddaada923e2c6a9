/*
 * task_queue.c: DescribeTaskQueue in both of its forms: of one kind of queue, or (enhanced) of
 * several, by versions, of which there is the one without a name. Loop's thread.
 */
#include "server/frontend/task_queue.h"

#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/matching/config.h"

#define TYPE(name_)    ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_##name_
#define SOURCE(name_)  ENUMS__RATE_LIMIT_SOURCE__RATE_LIMIT_SOURCE_##name_
#define REACH(name_)   ENUMS__BUILD_ID_TASK_REACHABILITY__BUILD_ID_TASK_REACHABILITY_##name_
#define PRIORITY_ENTRY Workflowservice__DescribeTaskQueueResponse__StatsByPriorityKeyEntry
#define PRIORITY_ENTRY_TYPE \
	&workflowservice__describe_task_queue_response__stats_by_priority_key_entry__descriptor
#define ENHANCED     ENUMS__DESCRIBE_TASK_QUEUE_MODE__DESCRIBE_TASK_QUEUE_MODE_ENHANCED
#define STICKY       ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY
#define TOO_LONG     "taskQueue length exceeds limit"
#define NO_RATE      100000.0 /* what a queue or a poller without a limit is told to have */
#define N_TYPES      4        /* of enum TaskQueueType, with its zero */
#define VERSIONS_MAX 1000     /* of a request */
#define REACH_MAX    5        /* ... that asks whether they are reachable */
#define NO_TIME      INT64_C(-62135596800) /* seconds; the year 1: never */

static bool is_partition(const char *name)
{
	return strncmp(name, TASK_QUEUE_RESERVED, strlen(TASK_QUEUE_RESERVED)) == 0;
}

bool task_queue_named_any(struct request *request, const Taskqueue__TaskQueue *queue)
{
	return frontend_present(request, queue, "taskQueue is not set") &&
	       frontend_text(request, queue->name, "missing task queue name") &&
	       frontend_length(request, queue->name, TOO_LONG) &&
	       (queue->kind != STICKY || frontend_length(request, queue->normal_name, TOO_LONG));
}

bool task_queue_named(struct request *request, const Taskqueue__TaskQueue *queue)
{
	if (!task_queue_named_any(request, queue))
		return false;
	if (is_partition(queue->name))
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"task queue name cannot start with reserved prefix " TASK_QUEUE_RESERVED);
	return !is_partition(queue->name);
}

bool task_queue_patient(struct request *request)
{
	struct server *server = request->server;
	int64_t left_ns = request->deadline_ns - server->io.steady_ns(server->io.user);

	if (left_ns >= SERVER_POLL_LEAST_MS * INT64_C(1000000))
		return true;
	request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL, "Context timeout is too short.");
	return false;
}

enum matching_queue_kind task_queue_kind(Enums__TaskQueueType type)
{
	return type == TYPE(ACTIVITY) ? MATCHING_QUEUE_ACTIVITY
	       : type == TYPE(NEXUS)  ? MATCHING_QUEUE_NEXUS
				      : MATCHING_QUEUE_WORKFLOW;
}

struct stats_poll task_queue_poll(const char *identity,
	const Common__WorkerVersionCapabilities *capabilities,
	const Deployment__WorkerDeploymentOptions *options,
	const Taskqueue__TaskQueueMetadata *metadata)
{
	struct stats_poll poll = { .identity = identity };

	if (capabilities)
		poll.build_id = capabilities->build_id;
	else if (options)
		poll.build_id = options->build_id;
	poll.versioned = capabilities && capabilities->use_versioning;
	if (metadata && metadata->max_tasks_per_second)
		poll.rate = metadata->max_tasks_per_second->value;
	return poll;
}

/* ---- Parts of the answer ---- */

static Taskqueue__TaskQueueStats *stats_of(
	struct request *request, struct task_queue *queue, int32_t priority)
{
	Taskqueue__TaskQueueStats *stats =
		REQUEST_NEW(request, Taskqueue__TaskQueueStats, taskqueue__task_queue_stats);
	int64_t now = request->server->now_ns, oldest_ns = 0, age_ns = 0;

	if (queue) {
		stats->approximate_backlog_count = lanes_count(&queue->lanes, priority, &oldest_ns);
		age_ns = oldest_ns ? now - oldest_ns : 0;
		stats->tasks_add_rate = (float)stats_level_rate(&queue->stats, priority, true, now);
		stats->tasks_dispatch_rate =
			(float)stats_level_rate(&queue->stats, priority, false, now);
	}
	stats->approximate_backlog_age = proto_duration_new_ns(request->arena, age_ns);
	return stats;
}

/* How many have polled of late; they are put into `list`, which is made. */
static size_t pollers_of(
	struct request *request, struct task_queue *queue, Taskqueue__PollerInfo ***list)
{
	size_t n = 0;

	if (!queue)
		return 0;
	stats_forget(&queue->stats, request->server->now_ns);
	*list = request_array(request, queue->stats.n_seen, sizeof(**list));
	for (const struct stats_seen *at = queue->stats.seen; at && *list; at = at->next) {
		Taskqueue__PollerInfo *info =
			REQUEST_NEW(request, Taskqueue__PollerInfo, taskqueue__poller_info);

		info->identity = request_text(request, at->identity);
		info->last_access_time = proto_timestamp_new(request->arena, at->last_ns);
		info->rate_per_second = at->rate > 0 ? at->rate : NO_RATE;
		if (!str_empty(at->build_id)) {
			info->worker_version_capabilities =
				REQUEST_NEW(request, Common__WorkerVersionCapabilities,
					common__worker_version_capabilities);
			info->worker_version_capabilities->build_id =
				request_text(request, at->build_id);
			info->worker_version_capabilities->use_versioning = at->versioned;
		}
		(*list)[n++] = info;
	}
	return n;
}

/* ---- The plain form ---- */

static void add_stats(struct request *request, struct task_queue *queue,
	Workflowservice__DescribeTaskQueueResponse *response)
{
	PRIORITY_ENTRY **entries = request_array(request, LANES_PRIORITIES, sizeof(*entries));

	response->stats = stats_of(request, queue, 0);
	response->stats_by_priority_key = entries;
	for (int32_t i = 1; entries && i <= LANES_PRIORITIES; i++) {
		if (i != LANES_USUAL && !(queue && queue->stats.levels[i - 1]))
			continue;
		PRIORITY_ENTRY *entry = request_message(request, PRIORITY_ENTRY_TYPE);
		entry->key = i;
		entry->value = stats_of(request, queue, i);
		entries[response->n_stats_by_priority_key++] = entry;
	}
}

/* The rate in effect, and where it comes from. */
static void add_rate(struct request *request, struct task_queue *queue,
	Workflowservice__DescribeTaskQueueResponse *response)
{
	Workflowservice__DescribeTaskQueueResponse__EffectiveRateLimit *out =
		REQUEST_NEW(request, Workflowservice__DescribeTaskQueueResponse__EffectiveRateLimit,
			workflowservice__describe_task_queue_response__effective_rate_limit);
	bool limited = queue && queue->rate.limited && queue->rate.per_second < NO_RATE;
	double set = 0;

	out->requests_per_second = (float)(limited ? queue->rate.per_second : NO_RATE);
	out->rate_limit_source = SOURCE(SYSTEM);
	if (limited)
		out->rate_limit_source =
			matching_config_rate(queue, &set) ? SOURCE(API) : SOURCE(WORKER);
	response->effective_rate_limit = out;
}

static void add_status(struct request *request, struct task_queue *queue,
	Workflowservice__DescribeTaskQueueResponse *response)
{
	Taskqueue__TaskQueueStatus *status =
		REQUEST_NEW(request, Taskqueue__TaskQueueStatus, taskqueue__task_queue_status);

	status->backlog_count_hint = queue ? queue->lanes.n_tasks : 0;
	status->rate_per_second = queue && queue->rate.limited ? queue->rate.per_second : NO_RATE;
	status->task_id_block =
		REQUEST_NEW(request, Taskqueue__TaskIdBlock, taskqueue__task_id_block);
	response->task_queue_status = status;
}

static void add_versioning(
	struct request *request, Workflowservice__DescribeTaskQueueResponse *response)
{
	Google__Timestamp *never = REQUEST_NEW(request, Google__Timestamp, google__timestamp);

	never->seconds = NO_TIME;
	response->versioning_info = REQUEST_NEW(
		request, Taskqueue__TaskQueueVersioningInfo, taskqueue__task_queue_versioning_info);
	response->versioning_info->current_version = "__unversioned__";
	response->versioning_info->update_time = never;
}

static void describe(struct request *request, struct task_queue *queue)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	Workflowservice__DescribeTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__DescribeTaskQueueResponse,
			workflowservice__describe_task_queue_response);

	response->n_pollers = pollers_of(request, queue, &response->pollers);
	add_rate(request, queue, response);
	add_versioning(request, response);
	if (in->report_stats)
		add_stats(request, queue, response);
	if (in->include_task_queue_status)
		add_status(request, queue, response);
	if (in->report_config && queue && queue->config.len)
		response->config = matching_config(queue, request->arena);
	request_reply(request, response);
}

/* "/_sys/NAME/NUMBER" is the name of a partition. */
static bool is_partition_of_something(const char *name)
{
	const char *base = name + strlen(TASK_QUEUE_RESERVED), *slash = strrchr(base, '/');
	char *end;

	return slash && slash > base && strtol(slash + 1, &end, 10) > 0 && !*end;
}

/* A queue has one partition, which has the queue's name: the others have neither tasks nor polls.
 */
static void describe_one(struct request *request, struct server_namespace *space)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	const char *name = in->task_queue->name;

	if (!is_partition(name))
		describe(request, matching_find(request->server, space, name,
					  task_queue_kind(in->task_queue_type)));
	else if (is_partition_of_something(name))
		describe(request, NULL);
	else
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"invalid task queue partition name %s", name);
}

/* ---- The enhanced form ---- */

static Taskqueue__TaskQueueVersionInfo__TypesInfoEntry *type_entry(struct request *request,
	struct server_namespace *space, Enums__TaskQueueType type, bool unversioned)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	Taskqueue__TaskQueueVersionInfo__TypesInfoEntry *entry =
		REQUEST_NEW(request, Taskqueue__TaskQueueVersionInfo__TypesInfoEntry,
			taskqueue__task_queue_version_info__types_info_entry);
	struct task_queue *queue = unversioned
					   ? matching_find(request->server, space,
						     in->task_queue->name, task_queue_kind(type))
					   : NULL;

	entry->key = (int32_t)type;
	entry->value =
		REQUEST_NEW(request, Taskqueue__TaskQueueTypeInfo, taskqueue__task_queue_type_info);
	if (in->report_stats)
		entry->value->stats = stats_of(request, queue, 0);
	if (in->report_pollers)
		entry->value->n_pollers = pollers_of(request, queue, &entry->value->pollers);
	return entry;
}

/* A version's queues; the one without a name is what all workers here poll. */
static Taskqueue__TaskQueueVersionInfo *version_info(
	struct request *request, struct server_namespace *space, const char *build_id)
{
	static const Enums__TaskQueueType both[] = { TYPE(WORKFLOW), TYPE(ACTIVITY) };
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	const Enums__TaskQueueType *types = in->n_task_queue_types ? in->task_queue_types : both;
	size_t n = in->n_task_queue_types ? in->n_task_queue_types : 2;
	unsigned seen = 0; /* each type once: its bit */
	bool unversioned = str_empty(build_id);
	Taskqueue__TaskQueueVersionInfo *info = REQUEST_NEW(
		request, Taskqueue__TaskQueueVersionInfo, taskqueue__task_queue_version_info);

	info->types_info = request_array(request, N_TYPES, sizeof(*info->types_info));
	for (size_t i = 0; info->types_info && i < n; i++) {
		unsigned bit = (unsigned)types[i] < N_TYPES ? 1u << types[i] : 0;

		if (bit & ~seen)
			info->types_info[info->n_types_info++] =
				type_entry(request, space, types[i], unversioned);
		seen |= bit;
	}
	if (in->report_task_reachability)
		info->task_reachability = unversioned ? REACH(REACHABLE) : REACH(UNREACHABLE);
	return info;
}

static void describe_versions(struct request *request, struct server_namespace *space)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	const Taskqueue__TaskQueueVersionSelection *versions = in->versions;
	size_t n_named = versions ? versions->n_build_ids : 0;
	bool unversioned = !n_named || versions->unversioned || versions->all_active;
	Workflowservice__DescribeTaskQueueResponse *response =
		REQUEST_NEW(request, Workflowservice__DescribeTaskQueueResponse,
			workflowservice__describe_task_queue_response);
	Workflowservice__DescribeTaskQueueResponse__VersionsInfoEntry **entries =
		request_array(request, n_named + 1, sizeof(*entries));

	response->versions_info = entries;
	for (size_t i = unversioned ? 0 : 1; entries && i <= n_named; i++) {
		bool is_nameless = i > 0 && str_empty(versions->build_ids[i - 1]);

		if (is_nameless && unversioned)
			continue;
		unversioned |= is_nameless;
		Workflowservice__DescribeTaskQueueResponse__VersionsInfoEntry *entry = REQUEST_NEW(
			request, Workflowservice__DescribeTaskQueueResponse__VersionsInfoEntry,
			workflowservice__describe_task_queue_response__versions_info_entry);
		entry->key = i ? versions->build_ids[i - 1] : "";
		entry->value = version_info(request, space, entry->key);
		entries[response->n_versions_info++] = entry;
	}
	request_reply(request, response);
}

/* False: answered. */
static bool check_versions(
	struct request *request, const Workflowservice__DescribeTaskQueueRequest *in)
{
	size_t n = in->versions ? in->versions->n_build_ids : 0;

	if (in->report_task_reachability && n > REACH_MAX)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Too many build ids queried at once with ReportTaskReachability==true, "
			"limit: %d",
			REACH_MAX);
	else if (n > VERSIONS_MAX)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Too many build ids queried at once, limit: %d", VERSIONS_MAX);
	else
		return true;
	return false;
}

void frontend_describe_task_queue(struct request *request)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	bool enhanced = in->api_mode == ENHANCED;

	if (!space || !(enhanced ? task_queue_named(request, in->task_queue)
				 : task_queue_named_any(request, in->task_queue)))
		return;
	if (!enhanced) {
		describe_one(request, space);
		return;
	}
	if (!check_versions(request, in))
		return;
	if (in->task_queue->kind == STICKY)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Enhanced DescribeTaskQueue is not valid for a sticky queue, use "
			"api_mode=UNSPECIFIED or a normal queue.");
	else
		describe_versions(request, space);
}
