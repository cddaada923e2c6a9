/*
 * task_queue_config.c: UpdateTaskQueueConfig, the list of partitions (as many as the official
 * server has, though all of a queue is in its first one here), and the older ways to tell which
 * versions of workers may take tasks, which the official server has switched off. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/map.h"
#include "proto/time.h"
#include "server/frontend/task_queue.h"
#include "server/limits.h"
#include "server/matching/config.h"
#include "temporal/api/errordetails/v1/message.pb-c.h"

#define REASON_MAX 1000

static bool refuse(struct request *request, const char *format, const char *what)
{
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, format, what);
	return false;
}

/* False: answered. */
static bool check_rate(struct request *request,
	const Workflowservice__UpdateTaskQueueConfigRequest__RateLimitUpdate *update, bool activity,
	const char *name, const char *what)
{
	if (!update)
		return true;
	if (!activity && update->rate_limit)
		return refuse(request, "Setting %s on workflow task queues is not allowed.", what);
	if (!update->rate_limit)
		return true;
	if (!(update->rate_limit->requests_per_second >= 0))
		return refuse(
			request, "RequestsPerSecond for %s rate limit must be non-negative.", name);
	return strlen(update->reason) <= REASON_MAX ||
	       refuse(request, "%s.Reason field too long (max 1000 characters).", name);
}

static bool refuse_many(struct request *request)
{
	return refuse(request, "%s",
		"fairness weight overrides update rejected: exceeds maximum number of entries");
}

/* False: answered. Their number comes first: all pairs are looked at. */
static bool check_weights(struct request *request)
{
	const Workflowservice__UpdateTaskQueueConfigRequest *in = request->message;

	if (in->n_set_fairness_weight_overrides > SERVER_FAIRNESS_WEIGHTS_MAX ||
		in->n_unset_fairness_weight_overrides > SERVER_FAIRNESS_WEIGHTS_MAX)
		return refuse_many(request);
	for (size_t i = 0; i < in->n_set_fairness_weight_overrides; i++) {
		const char *key = in->set_fairness_weight_overrides[i]->key;

		if (strlen(key) > SERVER_FAIRNESS_KEY_MAX)
			return refuse(request, "%s", "fairness key length exceeds limit");
		if (!(in->set_fairness_weight_overrides[i]->value > 0))
			return refuse(request,
				"invalid fairness weight weight for key \"%s\": must be greater "
				"than zero",
				key);
		for (size_t j = 0; j < in->n_unset_fairness_weight_overrides; j++) {
			if (str_same(in->unset_fairness_weight_overrides[j], key))
				return refuse(request,
					"fairness weight override key \"%s\" present in both set "
					"and unset lists",
					key);
		}
	}
	return true;
}

static Taskqueue__RateLimitConfig *rate_of(struct request *request,
	const Workflowservice__UpdateTaskQueueConfigRequest__RateLimitUpdate *update)
{
	const Workflowservice__UpdateTaskQueueConfigRequest *in = request->message;
	Taskqueue__RateLimitConfig *out =
		REQUEST_NEW(request, Taskqueue__RateLimitConfig, taskqueue__rate_limit_config);

	out->rate_limit = update->rate_limit;
	out->metadata = REQUEST_NEW(request, Taskqueue__ConfigMetadata, taskqueue__config_metadata);
	out->metadata->reason = update->reason;
	out->metadata->update_identity = in->identity;
	out->metadata->update_time = proto_timestamp_new(request->arena, request->server->now_ns);
	return out;
}

static bool is_unset(const Workflowservice__UpdateTaskQueueConfigRequest *in, const char *key)
{
	for (size_t i = 0; i < in->n_unset_fairness_weight_overrides; i++) {
		if (str_same(in->unset_fairness_weight_overrides[i], key))
			return true;
	}
	return false;
}

/* False: answered, there would be too many. */
static bool merge_weights(struct request *request, Taskqueue__TaskQueueConfig *config)
{
	const Workflowservice__UpdateTaskQueueConfigRequest *in = request->message;
	size_t n_set = in->n_set_fairness_weight_overrides, n = 0;
	Taskqueue__TaskQueueConfig__FairnessWeightOverridesEntry **entries = request_array(
		request, config->n_fairness_weight_overrides + n_set, sizeof(*entries));

	if (!entries)
		return true;
	for (size_t i = 0; i < config->n_fairness_weight_overrides; i++) {
		Taskqueue__TaskQueueConfig__FairnessWeightOverridesEntry *entry =
			config->fairness_weight_overrides[i];

		if (!is_unset(in, entry->key) &&
			!proto_map_find(in->set_fairness_weight_overrides, n_set, entry->key))
			entries[n++] = entry;
	}
	for (size_t i = 0; i < n_set; i++) {
		entries[n] = REQUEST_NEW(request,
			Taskqueue__TaskQueueConfig__FairnessWeightOverridesEntry,
			taskqueue__task_queue_config__fairness_weight_overrides_entry);
		entries[n]->key = in->set_fairness_weight_overrides[i]->key;
		entries[n++]->value = in->set_fairness_weight_overrides[i]->value;
	}
	config->fairness_weight_overrides = entries;
	config->n_fairness_weight_overrides = n;
	return n <= SERVER_FAIRNESS_WEIGHTS_MAX || refuse_many(request);
}

static bool check_identity(struct request *request, const char *identity)
{
	int64_t most = request->server->config.id_max;

	if (!server_over(strlen(identity), most))
		return true;
	request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
		"Identity field too long (max %lld characters).", (long long)most);
	return false;
}

/* The name's length is limited as everywhere, which the official server forgets here. */
static bool check_name(struct request *request, const char *name)
{
	if (strncmp(name, TASK_QUEUE_RESERVED, strlen(TASK_QUEUE_RESERVED)) == 0)
		return refuse(request, "task queue family name cannot have prefix /_sys/ %s", name);
	return frontend_length(request, name, "taskQueue length exceeds limit");
}

void frontend_update_task_queue_config(struct request *request)
{
	const Workflowservice__UpdateTaskQueueConfigRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	enum matching_queue_kind kind = task_queue_kind(in->task_queue_type);
	bool activity = kind != MATCHING_QUEUE_WORKFLOW;
	Workflowservice__UpdateTaskQueueConfigResponse *response;

	if (!space ||
		!check_rate(request, in->update_queue_rate_limit, activity, "UpdateQueueRateLimit",
			"rate limit") ||
		!check_rate(request, in->update_fairness_key_rate_limit_default, activity,
			"UpdateFairnessKeyRateLimitDefault", "fairness key rate limit") ||
		!check_identity(request, in->identity) || !check_weights(request) ||
		!check_name(request, in->task_queue))
		return;
	struct task_queue *queue = matching_queue(request->server, space, in->task_queue, kind);
	Taskqueue__TaskQueueConfig *config = queue ? matching_config(queue, request->arena) : NULL;
	response = REQUEST_NEW(request, Workflowservice__UpdateTaskQueueConfigResponse,
		workflowservice__update_task_queue_config_response);
	response->config = config;
	if (!config) {
		server_no_memory(request->server);
		request_reply(request, response);
		return;
	}
	if (in->update_queue_rate_limit)
		config->queue_rate_limit = rate_of(request, in->update_queue_rate_limit);
	if (in->update_fairness_key_rate_limit_default)
		config->fairness_keys_rate_limit_default =
			rate_of(request, in->update_fairness_key_rate_limit_default);
	if (!merge_weights(request, config))
		return;
	matching_config_set(queue, config);
	request_reply(request, response);
}

/* The names of so many partitions; the first has the queue's own. */
static Taskqueue__TaskQueuePartitionMetadata **partitions(
	struct request *request, const char *name, size_t n)
{
	Taskqueue__TaskQueuePartitionMetadata **list = request_array(request, n, sizeof(*list));

	for (size_t i = 0; list && i < n; i++) {
		list[i] = REQUEST_NEW(request, Taskqueue__TaskQueuePartitionMetadata,
			taskqueue__task_queue_partition_metadata);
		list[i]->key =
			i ? arena_printf(request->arena, TASK_QUEUE_RESERVED "%s/%zu", name, i)
			  : name;
		list[i]->owner_host_name = "localhost";
		if (!list[i]->key)
			server_no_memory(request->server);
	}
	return list;
}

void frontend_list_partitions(struct request *request)
{
	const Workflowservice__ListTaskQueuePartitionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	Workflowservice__ListTaskQueuePartitionsResponse *out;

	if (!space || !task_queue_named(request, in->task_queue))
		return;
	const char *name = in->task_queue->name;
	size_t n = (size_t)request->server->config.partitions;
	out = REQUEST_NEW(request, Workflowservice__ListTaskQueuePartitionsResponse,
		workflowservice__list_task_queue_partitions_response);
	out->activity_task_queue_partitions = partitions(request, name, n);
	out->workflow_task_queue_partitions = partitions(request, name, n);
	out->n_activity_task_queue_partitions = out->activity_task_queue_partitions ? n : 0;
	out->n_workflow_task_queue_partitions = out->workflow_task_queue_partitions ? n : 0;
	request_reply(request, out);
}

/* ---- Versions by sets and by rules: switched off ---- */

/* The first field of each of these requests is the namespace. */
static void refuse_versions(struct request *request, const char *version)
{
	const ProtobufCMessage *in = request->message;
	const char *const *name =
		(const void *)((const char *)in + in->descriptor->fields[0].offset);
	Errordetails__PermissionDeniedFailure detail =
		ERRORDETAILS__PERMISSION_DENIED_FAILURE__INIT;

	if (!frontend_namespace(request, *name))
		return;
	request_fail(request, TEMPORAL_PERMISSION_DENIED, &detail,
		"Worker versioning %s is disabled on this namespace.", version);
}

void frontend_version_sets(struct request *request)
{
	refuse_versions(request, "v0.1 (Version Set-based, deprecated)");
}

void frontend_version_rules(struct request *request)
{
	refuse_versions(request, "v0.2 (Rules-based, deprecated)");
}
