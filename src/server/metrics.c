/*
 * metrics.c: the series of a server, and when they change.
 *
 *	a call        an op: its method in its namespace, with its series, found by a map
 *	a poll        series of its task queue, kept with it; the sticky ones are one
 *	a run's end   series of its namespace, kept with it
 *	a commit      series that the store adds to on its own thread
 *	gauges        set on the loop when somebody reads: nothing is done for them meanwhile
 *
 * Who reads waits for the loop, but not for ever: a loop that hangs is what a probe has to find,
 * so after a moment the reader goes on with what was there before. Names of namespaces come from
 * callers; one that is not registered is counted as "_unknown_".
 *
 * Loop's thread; metrics_wait() is the reader's.
 */
#include "server/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "rpc/channel.h"
#include "server/limits.h"
#include "server/request.h"
#include "server/store/store.h"
#include "server/transition.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"

#define COLLECT_NS (2 * NS_PER_SECOND) /* for which a reader waits for the loop */
#define LABELS_MAX 4
#define UNKNOWN    "_unknown_"
#define STICKY     "__sticky__"

/* The official server's. */
static const int64_t bounds_ms[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
	20000, 50000, 100000, 200000, 500000, 1000000 };

#define COUNT(list_) (sizeof(list_) / sizeof((list_)[0]))

#define DESC(name_, kind_, help_) \
	static const struct metrics_desc name_ = { #name_, help_, TEMPORAL_METRIC_##kind_, \
		bounds_ms, \
		TEMPORAL_METRIC_##kind_ == TEMPORAL_METRIC_HISTOGRAM ? COUNT(bounds_ms) : 0 }

DESC(service_requests, COUNTER, "Calls.");
DESC(service_error_with_type, COUNTER, "Calls that were answered with an error, by its type.");
DESC(service_latency, HISTOGRAM, "How long calls took, long polls with their wait.");
DESC(service_pending_requests, GAUGE, "Calls that wait for their answer.");
DESC(persistence_requests, COUNTER, "Commits to the database.");
DESC(persistence_latency, HISTOGRAM, "How long commits took, with their fsync.");
DESC(poll_success, COUNTER, "Polls of a task queue that got a task.");
DESC(poll_timeouts, COUNTER, "Polls of a task queue that ended without a task.");
DESC(pending_polls, GAUGE, "Polls that wait at a task queue.");
DESC(approximate_backlog_count, GAUGE, "Tasks that wait in a task queue.");
DESC(approximate_backlog_age_seconds, GAUGE, "For how long the oldest of them has waited.");
DESC(loaded_task_queue_count, GAUGE, "Task queues that are known.");
DESC(total_namespaces, GAUGE, "Namespaces.");
DESC(workflow_success, COUNTER, "Workflow runs that completed.");
DESC(workflow_failed, COUNTER, "Workflow runs that failed.");
DESC(workflow_cancel, COUNTER, "Workflow runs that were canceled.");
DESC(workflow_terminate, COUNTER, "Workflow runs that were terminated.");
DESC(workflow_continued_as_new, COUNTER, "Workflow runs that continued as new.");
DESC(workflow_timeout, COUNTER, "Workflow runs that timed out.");
DESC(temporald_open_workflows, GAUGE, "Workflow runs that are open.");
DESC(process_resident_memory_bytes, GAUGE, "Memory of the process.");
DESC(build_information, GAUGE, "The version, as a label.");

/* By status, from WORKFLOW_EXECUTION_STATUS_COMPLETED. */
static const struct metrics_desc *const endings[] = { &workflow_success, &workflow_failed,
	&workflow_cancel, &workflow_terminate, &workflow_continued_as_new, &workflow_timeout };
#define N_ENDINGS COUNT(endings)
#define FIRST_END 2 /* WORKFLOW_EXECUTION_STATUS_COMPLETED */

/* Errors of a type that an op was answered with. */
struct op_error {
	struct op_error *next;
	char *type;
	struct metrics_series *series;
};

/* Calls of a method in a namespace. */
struct metrics_op {
	const struct rpc_method *method;
	char *space;
	struct metrics_op *next_hash;
	struct metrics_series *requests, *latency, *pending;
	int64_t n_pending;
	struct op_error *errors;
};

struct task_queue_metrics {
	struct metrics_series *with_task, *without, *pending, *backlog, *age;
};

struct space_metrics {
	struct metrics_series *open, *endings[N_ENDINGS];
};

struct server_metrics {
	struct metrics_collector collector; /* first: the registry casts back */
	struct temporal_metrics *registry;
	struct map ops; /* hash of method and namespace to chain */
	struct metrics_series *commit_count, *commit_latency, *namespaces, *memory, *queues[3];
	struct metrics_probe probe;
	void (*post)(void *user);
	void *user;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t asked, done; /* under the lock: collections */
};

static const char *const kinds[] = { "Workflow", "Activity", "Nexus" };

/* Pairs of name and value, NULL behind the last. */
static struct metrics_series *series_of(
	struct server_metrics *metrics, const struct metrics_desc *desc, const char *const *pairs)
{
	struct temporal_metric_label labels[LABELS_MAX];
	size_t n = 0;

	for (; pairs[2 * n] && n < LABELS_MAX; n++)
		labels[n] = (struct temporal_metric_label){ pairs[2 * n], pairs[2 * n + 1] };
	return metrics_series(metrics->registry, desc, labels, n);
}

#define SERIES(metrics_, desc_, ...) \
	series_of((metrics_), &(desc_), (const char *const[]){ __VA_ARGS__, NULL })

/* ---- Reading ---- */

/* One collection is enough for all that ask while it is under way. */
static void metrics_wait(struct metrics_collector *collector)
{
	struct server_metrics *metrics = (struct server_metrics *)(void *)collector;
	int64_t until_ns = clock_steady_ns() + COLLECT_NS;
	struct timespec until = { until_ns / NS_PER_SECOND, until_ns % NS_PER_SECOND };

	pthread_mutex_lock(&metrics->lock);
	bool under_way = metrics->asked != metrics->done;
	if (!under_way)
		metrics->asked++;
	pthread_mutex_unlock(&metrics->lock);
	if (!under_way)
		metrics->post(metrics->user);
	pthread_mutex_lock(&metrics->lock);
	while (metrics->asked != metrics->done &&
		pthread_cond_timedwait(&metrics->changed, &metrics->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&metrics->lock);
}

/* Of this process, as the system counts it; 0: it does not tell. */
static int64_t memory_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long long total = 0, resident = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lld %lld", &total, &resident) != 2)
		resident = 0;
	(void)fclose(file);
	return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static struct task_queue_metrics *of_queue(struct task_queue *queue)
{
	struct server_metrics *metrics = queue->server->metrics;
	const char *space = queue->space->name, *name = queue->sticky ? STICKY : queue->name;
	const char *kind = kinds[queue->kind];
	struct task_queue_metrics *out;

	if (queue->metrics)
		return queue->metrics;
	out = mem_zalloc(sizeof(*out));
	if (!out)
		return NULL;
#define QUEUE_SERIES(desc_) \
	SERIES(metrics, desc_, "namespace", space, "taskqueue", name, "task_type", kind)
	out->with_task = QUEUE_SERIES(poll_success);
	out->without = QUEUE_SERIES(poll_timeouts);
	out->pending = QUEUE_SERIES(pending_polls);
	out->backlog = QUEUE_SERIES(approximate_backlog_count);
	out->age = QUEUE_SERIES(approximate_backlog_age_seconds);
#undef QUEUE_SERIES
	queue->metrics = out;
	return out;
}

static struct space_metrics *of_space(struct server *server, struct server_namespace *space)
{
	struct space_metrics *out = space->metrics;

	if (out)
		return out;
	out = mem_zalloc(sizeof(*out));
	if (!out)
		return NULL;
	out->open = SERIES(server->metrics, temporald_open_workflows, "namespace", space->name);
	for (size_t i = 0; i < N_ENDINGS; i++)
		out->endings[i] = SERIES(server->metrics, *endings[i], "namespace", space->name);
	space->metrics = out;
	return out;
}

struct queue_gauges {
	int64_t pending, backlog, age_ns;
};

static void set_gauges(const struct task_queue_metrics *series, struct queue_gauges gauges)
{
	metrics_set(series->pending, gauges.pending);
	metrics_set(series->backlog, gauges.backlog);
	metrics_set(series->age, gauges.age_ns / NS_PER_SECOND);
}

static struct queue_gauges gauges_of(struct task_queue *queue)
{
	struct queue_gauges out = { 0 };
	int64_t oldest_ns = 0;

	for (const struct matching_poller *at = queue->pollers; at; at = at->next)
		out.pending++;
	out.backlog = lanes_count(&queue->lanes, 0, &oldest_ns);
	out.age_ns = oldest_ns ? queue->server->now_ns - oldest_ns : 0;
	return out;
}

/* Sticky queues share their series: so many wait at all of them, and the oldest for so long. */
static void collect_queue(struct task_queue *queue, struct map *sums)
{
	struct task_queue_metrics *series = of_queue(queue);
	struct queue_gauges gauges = gauges_of(queue);

	if (!series)
		return;
	if (queue->sticky) {
		uint64_t key = (uint64_t)(uintptr_t)series->pending;
		struct queue_gauges *sum = map_get(sums, key);

		if (!sum) {
			sum = arena_zalloc(&queue->server->scratch, sizeof(*sum));
			if (!sum || !map_put(sums, key, sum))
				return;
		}
		sum->pending += gauges.pending;
		sum->backlog += gauges.backlog;
		if (gauges.age_ns > sum->age_ns)
			sum->age_ns = gauges.age_ns;
		gauges = *sum;
	}
	set_gauges(series, gauges);
}

static void collect_queues(struct server *server)
{
	const struct map *queues = &server->matching.queues;
	int64_t n[3] = { 0 };
	struct map sums = { 0 };

	for (uint32_t i = 0; i < queues->capacity; i++) {
		for (struct task_queue *at = queues->slots[i].value; at; at = at->next_hash) {
			collect_queue(at, &sums);
			n[at->kind]++;
		}
	}
	for (size_t i = 0; i < COUNT(n); i++)
		metrics_set(server->metrics->queues[i], n[i]);
	map_finish(&sums);
}

void server_metrics_collect(struct server *server)
{
	struct server_metrics *metrics = server->metrics;
	int64_t n = 0;

	transition_begin(server);
	collect_queues(server);
	for (struct server_namespace *space = server->namespaces; space; space = space->next) {
		struct space_metrics *series = of_space(server, space);

		if (series)
			metrics_set(series->open, space->n_open);
		n += !space->gone;
	}
	metrics_set(metrics->namespaces, n);
	metrics_set(metrics->memory, memory_bytes());
	atomic_store(&metrics->probe.ready, !server->failed);
	atomic_store(&metrics->probe.beat_ns, clock_steady_ns());
	transition_end(server);
	pthread_mutex_lock(&metrics->lock);
	metrics->done = metrics->asked;
	pthread_cond_broadcast(&metrics->changed);
	pthread_mutex_unlock(&metrics->lock);
}

/* ---- Calls ---- */

static const char *operation_of(const struct rpc_method *method)
{
	const char *slash = strrchr(method->path, '/');

	return slash ? slash + 1 : method->path;
}

/* Nearly every request begins with its namespace; one of no namespace of ours counts as unknown. */
static const char *space_of(const struct request *request)
{
	const ProtobufCMessage *message = request->message;
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "namespace");
	const char *name = "";

	if (field && field->type == PROTOBUF_C_TYPE_STRING)
		name = *(const char *const *)(const void *)((const char *)message + field->offset);
	return !str_empty(name) && state_namespace(request->server, name) ? name : UNKNOWN;
}

static struct metrics_op *op_new(
	struct server *server, const struct rpc_method *method, const char *space, uint64_t hash)
{
	struct server_metrics *metrics = server->metrics;
	struct metrics_op *op = mem_zalloc(sizeof(*op));
	const char *operation = operation_of(method);

	if (!op)
		return NULL;
	op->method = method;
	op->space = mem_strdup(space);
	op->next_hash = map_get(&metrics->ops, hash);
	if (!op->space || !map_put(&metrics->ops, hash, op)) {
		mem_free(op->space);
		mem_free(op);
		return NULL;
	}
#define OP_SERIES(desc_) \
	SERIES(metrics, desc_, "operation", operation, "namespace", space, "service_name", \
		"frontend")
	op->requests = OP_SERIES(service_requests);
	op->latency = OP_SERIES(service_latency);
	op->pending = OP_SERIES(service_pending_requests);
#undef OP_SERIES
	return op;
}

void server_metrics_begins_(struct request *request)
{
	struct server *server = request->server;
	const char *space = space_of(request);
	uint64_t hash = state_hash(server, 0, space) ^ (uint64_t)(uintptr_t)request->method;
	struct metrics_op *op = map_get(&server->metrics->ops, hash);

	while (op && (op->method != request->method || !str_same(op->space, space)))
		op = op->next_hash;
	if (!op)
		op = op_new(server, request->method, space, hash);
	if (!op)
		return;
	request->op = op;
	request->start_ns = clock_steady_ns();
	metrics_add(op->requests, 1);
	metrics_set(op->pending, ++op->n_pending);
}

/* "serviceerror_NotFound": by the detail that goes with the answer, else by its code. */
static void print_type(const struct request *request, char out[64])
{
	static const char *const names[] = { [TEMPORAL_CANCELLED] = "Canceled",
		[TEMPORAL_UNKNOWN] = "Unknown",
		[TEMPORAL_INVALID_ARGUMENT] = "InvalidArgument",
		[TEMPORAL_DEADLINE_EXCEEDED] = "DeadlineExceeded",
		[TEMPORAL_NOT_FOUND] = "NotFound",
		[TEMPORAL_ALREADY_EXISTS] = "AlreadyExists",
		[TEMPORAL_PERMISSION_DENIED] = "PermissionDenied",
		[TEMPORAL_RESOURCE_EXHAUSTED] = "ResourceExhausted",
		[TEMPORAL_FAILED_PRECONDITION] = "FailedPrecondition",
		[TEMPORAL_ABORTED] = "Aborted",
		[TEMPORAL_OUT_OF_RANGE] = "OutOfRange",
		[TEMPORAL_UNIMPLEMENTED] = "Unimplemented",
		[TEMPORAL_INTERNAL] = "Internal",
		[TEMPORAL_UNAVAILABLE] = "Unavailable",
		[TEMPORAL_DATA_LOSS] = "DataLoss" };
	enum temporal_code code = request->server->failed ? TEMPORAL_UNAVAILABLE : request->code;
	const Common__GrpcStatus *status = request->server->failed ? NULL : request->status;
	const char *url = status && status->n_details ? status->details[0]->type_url : "";
	const char *dot = strrchr(url, '.');
	const char *name = (size_t)code < COUNT(names) && names[code] ? names[code] : "Unknown";

	snprintf(out, 64, "serviceerror_%s", dot ? dot + 1 : name);
	size_t len = strlen(out), tail = strlen("Failure");
	if (dot && len > tail && strcmp(out + len - tail, "Failure") == 0)
		out[len - tail] = '\0';
}

static void count_error(struct server *server, struct metrics_op *op, const char *type)
{
	struct op_error *error = op->errors;

	while (error && !str_same(error->type, type))
		error = error->next;
	if (!error) {
		error = mem_zalloc(sizeof(*error));
		if (!error)
			return;
		error->type = mem_strdup(type);
		if (!error->type) {
			mem_free(error);
			return;
		}
		error->series = SERIES(server->metrics, service_error_with_type, "operation",
			operation_of(op->method), "namespace", op->space, "service_name",
			"frontend", "error_type", type);
		error->next = op->errors;
		op->errors = error;
	}
	metrics_add(error->series, 1);
}

void server_metrics_ends_(struct request *request)
{
	struct metrics_op *op = request->op;
	char type[64];

	request->op = NULL;
	metrics_observe(op->latency, clock_steady_ns() - request->start_ns);
	metrics_set(op->pending, --op->n_pending);
	if (request->code == TEMPORAL_OK && !request->server->failed)
		return;
	print_type(request, type);
	count_error(request->server, op, type);
}

/* ---- What happens ---- */

void server_metrics_polled_(struct task_queue *queue, bool task)
{
	struct task_queue_metrics *series = of_queue(queue);

	if (series)
		metrics_add(task ? series->with_task : series->without, 1);
}

void server_metrics_forget_(struct task_queue *queue)
{
	set_gauges(queue->metrics, (struct queue_gauges){ 0 });
	mem_free(queue->metrics);
	queue->metrics = NULL;
}

void server_metrics_closed_(const struct execution *execution)
{
	struct space_metrics *series = of_space(execution->server, execution->space);
	int32_t ending = execution->status - FIRST_END;

	if (series && ending >= 0 && (size_t)ending < N_ENDINGS)
		metrics_add(series->endings[ending], 1);
}

/* ---- Life ---- */

bool server_metrics_init(struct server *server, struct temporal_metrics *registry)
{
	struct server_metrics *metrics = registry ? mem_zalloc(sizeof(*metrics)) : NULL;
	pthread_condattr_t monotonic;

	if (!metrics)
		return !registry;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&metrics->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&metrics->lock, NULL);
	metrics->registry = temporal_metrics_ref(registry);
	metrics->collector.collect = metrics_wait;
	metrics->commit_count = SERIES(
		metrics, persistence_requests, "operation", "Commit", "service_name", "history");
	metrics->commit_latency = SERIES(
		metrics, persistence_latency, "operation", "Commit", "service_name", "history");
	metrics->namespaces = SERIES(metrics, total_namespaces, "service_name", "frontend");
	for (size_t i = 0; i < COUNT(kinds); i++)
		metrics->queues[i] = SERIES(metrics, loaded_task_queue_count, "task_type", kinds[i],
			"service_name", "matching");
	metrics->memory = metrics_series(registry, &process_resident_memory_bytes, NULL, 0);
	metrics_set(SERIES(metrics, build_information, "build_version", TEMPORAL_VERSION,
			    "service_name", "frontend"),
		1);
	server->metrics = metrics;
	return true;
}

void server_metrics_started(struct server *server, void (*post)(void *user), void *user)
{
	struct server_metrics *metrics = server->metrics;

	if (!metrics)
		return;
	metrics->post = post;
	metrics->user = user;
	metrics->started = true;
	atomic_store(&metrics->probe.ready, true);
	atomic_store(&metrics->probe.beat_ns, clock_steady_ns());
	metrics_probe_add(metrics->registry, &metrics->probe);
	metrics_collector_add(metrics->registry, &metrics->collector);
}

void server_metrics_stopped(struct server *server)
{
	struct server_metrics *metrics = server->metrics;

	if (!metrics || !metrics->started)
		return;
	metrics_collector_remove(metrics->registry, &metrics->collector);
	metrics_probe_remove(metrics->registry, &metrics->probe);
	metrics->started = false;
}

static void op_free(struct metrics_op *op)
{
	while (op) {
		struct metrics_op *next = op->next_hash;

		while (op->errors) {
			struct op_error *error = op->errors;

			op->errors = error->next;
			mem_free(error->type);
			mem_free(error);
		}
		mem_free(op->space);
		mem_free(op);
		op = next;
	}
}

void server_metrics_finish(struct server *server)
{
	struct server_metrics *metrics = server->metrics;

	if (!metrics)
		return;
	server_metrics_stopped(server);
	for (uint32_t i = 0; i < metrics->ops.capacity; i++)
		op_free(metrics->ops.slots[i].value);
	map_finish(&metrics->ops);
	temporal_metrics_unref(metrics->registry);
	pthread_cond_destroy(&metrics->changed);
	pthread_mutex_destroy(&metrics->lock);
	mem_free(metrics);
	server->metrics = NULL;
}

void server_metrics_store(const struct server *server, struct store_opts *opts)
{
	if (!server->metrics)
		return;
	opts->commit_count = server->metrics->commit_count;
	opts->commit_latency = server->metrics->commit_latency;
}
