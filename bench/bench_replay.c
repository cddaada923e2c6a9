/*
 * bench_replay.c: how fast a history is replayed: the engine and the workflow's code, without
 * server, worker or threads.
 *
 * Each replay is that of a worker that has never seen the run: a new engine run, a new instance,
 * all of the history's workflow tasks, and the eviction. What is measured does not include reading
 * and decoding the file (parse_ms does).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <temporal/api/history/v1/message.pb-c.h>

#include "bench.h"
#include "engine/engine.h"
#include "proto/codec.h"
#include "proto/json.h"
#include "workflow/instance.h"

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The whole file, in the arena; ptr NULL: it cannot be read. */
static struct bytes read_file(struct arena *arena, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct bytes bytes = { 0 };

	if (!file)
		return bytes;
	if (fseek(file, 0, SEEK_END) == 0 && ftell(file) >= 0) {
		bytes.len = (size_t)ftell(file);
		rewind(file);
		bytes.ptr = arena_alloc(arena, bytes.len);
		if (bytes.ptr && fread(bytes.ptr, 1, bytes.len, file) != bytes.len)
			bytes.ptr = NULL;
	}
	fclose(file);
	return bytes;
}

/* Activations and answers until the engine wants something else; `ended`: the workflow has reached
 * its end. */
static struct engine_step drive(
	struct engine_run *run, struct wf_instance *instance, struct engine_step step, bool *ended)
{
	while (step.action == ENGINE_ACTIVATE) {
		const struct completion *completion =
			wf_instance_activate(instance, step.activation);

		for (size_t i = 0; i < completion->n_commands; i++)
			*ended =
				*ended || completion->commands[i].kind == COMMAND_COMPLETE_WORKFLOW;
		step = engine_run_complete(run, completion);
	}
	return step;
}

static bool replay(struct wf_thread *thread, const struct engine_config *config,
	const History__History *history)
{
	struct engine_run *run = engine_run_new(config, "00000000-0000-4000-8000-000000000000");
	struct wf_instance *instance =
		wf_instance_new(thread, "00000000-0000-4000-8000-000000000000");
	struct arena none = { 0 };
	bool fits = false;

	if (run && instance) {
		bool ended = false;
		struct engine_step step = drive(
			run, instance, engine_run_replay(run, history, "bench", &none), &ended);

		fits = step.action == ENGINE_IDLE && ended;
		if (!fits)
			fprintf(stderr, "bench_worker: the replay failed: %s\n",
				step.failure_text ? step.failure_text
						  : "the history ends before the workflow");
	}
	wf_instance_free(instance);
	engine_run_free(run);
	return fits;
}

static int replay_all(const History__History *history, int times, double parse_s)
{
	const struct engine_config config = { .namespace_ = "default",
		.task_queue = "bench",
		.identity = "bench",
		.sdk_name = "temporal-c",
		.sdk_version = "bench",
		.build_id = "",
		.deployment_name = "" };
	const struct wf_config wf = {
		.namespace_ = "default", .task_queue = "bench", .workflows = bench_workflows
	};
	struct wf_thread *thread = wf_thread_new(&wf);
	double total_s = 0, best_s = 1e9, cpu_before_s = cpu_s();

	for (int i = 0; thread && i < times; i++) {
		double start_s = now_s();

		if (!replay(thread, &config, history))
			return 1;
		double taken_s = now_s() - start_s;

		total_s += taken_s;
		if (taken_s < best_s)
			best_s = taken_s;
	}
	if (!thread)
		return 1;
	printf("{\"events\": %zu, \"times\": %d, \"parse_ms\": %.3f, \"mean_ms\": %.4f, "
	       "\"best_ms\": %.4f, "
	       "\"events_per_s\": %.0f, \"cpu_ms_per_replay\": %.4f}\n",
		history->n_events, times, parse_s * 1e3, total_s * 1e3 / times, best_s * 1e3,
		(double)history->n_events * times / total_s,
		(cpu_s() - cpu_before_s) * 1e3 / times);
	wf_thread_free(thread);
	return 0;
}

/* A history in JSON begins with a brace, which no field of the message in bytes does. */
static const History__History *decode(
	struct arena *arena, struct bytes bytes, struct temporal_error *err)
{
	const ProtobufCMessageDescriptor *type = &history__history__descriptor;

	if (bytes.len && bytes.ptr[0] == '{')
		return proto_from_json(
			arena, type, (struct str){ (const char *)bytes.ptr, bytes.len }, true, err);
	return proto_decode(arena, type, bytes.ptr, bytes.len, NULL, err);
}

int bench_replay(const char *file, int times)
{
	struct temporal_error err = { .message = "cannot be read" };
	struct arena arena;
	int status = 1;

	arena_init(&arena, 64 * 1024, ARENA_NO_BUDGET);
	double start_s = now_s();
	struct bytes bytes = read_file(&arena, file);
	const History__History *history = bytes.ptr ? decode(&arena, bytes, &err) : NULL;

	if (history)
		status = replay_all(history, times, now_s() - start_s);
	else
		fprintf(stderr, "bench_worker: %s: %s\n", file, err.message);
	arena_finish(&arena);
	return status;
}
