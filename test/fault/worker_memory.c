/*
 * worker_memory.c: each allocation of a worker at work fails once, or all do for a while.
 *
 * Goal: whichever it is, the process lives, gives all memory back, does not hang, and each run ends
 * with the result that it has without the fault, after a retry or a timeout at most.
 *
 * Method: a server in this process, never disturbed; a worker with a client of its own, whose
 * threads' allocations count, and scenes (scenes.c) that it plays, each once for every n until the
 * nth allocation is none of the scene's any more. By default a part of them; --full: all.
 *
 *	worker_memory [--full | --stride N --seed N] [--scene NAME] [--from N] [--to N]
 *	              [--wire | --process] [--once | --outage] [--verbose] [--log]
 */
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <temporal/server.h>

#include "base/mem.h"
#include "base/sanitize.h"
#include "client/client.h"
#include "scenes.h"

#define HANG_S    12
#define OUTAGE_NS INT64_C(12000000)

struct options {
	const char *scene;
	long from, to, stride, seed;
	bool verbose, log, only_wire, only_process, only_once, only_outage;
};

static struct options options = { .to = 1000000, .stride = 1 };
static char position[128]; /* where the sweep is, for who reads of a crash */

void stage_blame(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", position);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

static void hangs(int signal_number)
{
	static const char text[] = ": it hangs\n";

	if (write(STDERR_FILENO, position, strlen(position)) < 0 ||
		write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	abort();
}

#ifndef SANITIZE_ADDRESS
/* A crash should say where the sweep was. */
static void crashes(int signal_number)
{
	if (write(STDERR_FILENO, position, strlen(position)) < 0 ||
		write(STDERR_FILENO, "\n", 1) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}
#endif

void stage_pause(int times, const char *what)
{
	if (times == 1000)
		stage_blame("%s", what);
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* ---- which allocations count ---- */

enum whose {
	UNKNOWN,
	COUNTS,
	EXEMPT
};

static _Thread_local enum whose whose;
static bool outage;
static _Atomic int64_t outage_began_ns;

void stage_count(bool counts)
{
	whose = counts ? COUNTS : EXEMPT;
}

static enum whose whose_is_it(void)
{
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	return !strcmp(name, "temporal-rpc") || !strcmp(name, "temporal-wf") ||
			       !strcmp(name, "temporal-act")
		       ? COUNTS
		       : EXEMPT;
}

static void show_place(void)
{
	void *frames[24];
	enum whose mine = whose;

	whose = EXEMPT;
	fprintf(stderr, "%s:\n", position);
	backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
	whose = mine;
}

static int counts(long left)
{
	if (whose == UNKNOWN)
		whose = whose_is_it();
	if (whose == EXEMPT)
		return 0;
	if (left == 0 && options.verbose && outage_began_ns == 0)
		show_place();
	if (left > 0 || !outage)
		return 1;
	int64_t now_ns = rpc_now_ns(), none = 0;

	atomic_compare_exchange_strong(&outage_began_ns, &none, now_ns);
	return now_ns - outage_began_ns < OUTAGE_NS;
}

static void exempt_posted(struct rpc_task *task)
{
	whose = EXEMPT;
}

/* ---- the stage ---- */

static struct stage stage;
static struct rpc_task exempt_task = { .run = exempt_posted };

static void set_the_stage(void)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	whose = EXEMPT;
	stage.server = temporal_server_start(&err, .port = TEMPORAL_SERVER_ANY_PORT);
	if (stage.server)
		stage.control = temporal_client_connect(&err, .server = stage.server);
	if (!stage.control)
		stage_blame("%s", err.message);
	rpc_loop_post(client_loop(stage.control), &exempt_task);
}

static void clear_the_stage(void)
{
	temporal_client_unref(stage.control);
	temporal_server_stop(stage.server);
}

/* One try; what fails for want of memory says so. */
static bool connect_once(void)
{
	struct temporal_client_opts opts = { .metrics = stage.metrics,
		.worker_heartbeat_interval_ms = stage.metrics ? 1000 : TEMPORAL_OFF };
	struct temporal_error err = { .code = TEMPORAL_OK };
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%d", (int)temporal_server_port(stage.server));
	opts.target = stage.by_wire ? target : NULL;
	opts.server = stage.by_wire ? NULL : stage.server;
	stage_count(true);
	stage.client = temporal_client_connect_(&err, &opts, sizeof(opts));
	stage_count(false);
	if (!stage.client && err.code != TEMPORAL_NO_MEMORY && !strstr(err.message, "memory"))
		stage_blame("connecting: %s: %s", temporal_code_name(err.code), err.message);
	return stage.client;
}

static bool start_once(void)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	stage_count(true);
	stage.worker = temporal_worker_new_(stage.client, &stage.opts, sizeof(stage.opts), &err);
	enum temporal_code code =
		stage.worker ? temporal_worker_start(stage.worker, &err) : err.code;

	stage_count(false);
	if (code != TEMPORAL_OK && code != TEMPORAL_NO_MEMORY)
		stage_blame("a worker: %s", err.message);
	if (code == TEMPORAL_OK)
		return true;
	temporal_worker_unref(stage.worker);
	return false;
}

static void start_worker(void)
{
	for (int i = 0; !start_once(); i++)
		stage_pause(i, "the worker never starts");
}

static void stop_worker(void)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	stage_count(true);
	temporal_worker_shutdown(stage.worker);
	if (temporal_worker_wait(stage.worker, &err) != TEMPORAL_OK)
		stage_blame("the worker ended: %s", err.message);
	temporal_worker_unref(stage.worker);
	stage_count(false);
}

void stage_restart(struct stage *on)
{
	stop_worker();
	start_worker();
}

static struct temporal_nexus_endpoint *endpoint_new(void)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_nexus_endpoint *endpoint = temporal_nexus_endpoint_create(
		stage.control, &err, .name = stage.endpoint, .task_queue = stage.queue);

	if (!endpoint)
		stage_blame("%s", err.message);
	return endpoint;
}

static void endpoint_free(struct temporal_nexus_endpoint *endpoint)
{
	struct temporal_error err;

	if (temporal_nexus_endpoint_delete(stage.control, endpoint->id, endpoint->version, &err) !=
		TEMPORAL_OK)
		stage_blame("%s", err.message);
	temporal_nexus_endpoint_unref(endpoint);
}

/* The scene with the nth allocation failing; false: there is none. */
static bool play(const struct scene *scene, long n)
{
	static int times;

	snprintf(stage.queue, sizeof(stage.queue), "q-%d", ++times);
	snprintf(stage.endpoint, sizeof(stage.endpoint), "e-%d", times);
	alarm(HANG_S);
	scene->prepare(&stage);
	if (options.log) {
		stage.opts.log_format = TEMPORAL_LOG_FORMAT_TEXT;
		stage.opts.log_events = true;
	}
	struct temporal_nexus_endpoint *endpoint =
		stage.opts.nexus_services ? endpoint_new() : NULL;

	outage_began_ns = 0;
	if (scene->from_the_start)
		mem_fault_set(n, outage);
	for (int i = 0; !connect_once(); i++)
		stage_pause(i, "the client never connects");
	start_worker();
	if (!scene->from_the_start)
		mem_fault_set(n, outage);
	scene->play(&stage);
	stop_worker();
	temporal_client_unref(stage.client);
	bool hit = mem_fault_hit();

	mem_fault_set(-1, 0);
	if (endpoint)
		endpoint_free(endpoint);
	temporal_metrics_unref(stage.metrics);
	stage.metrics = NULL;
	alarm(0);
	return hit;
}

/* ---- the sweep ---- */

static void sweep(const struct scene *scene, long number)
{
	int64_t began_ns = rpc_now_ns();
	long first = options.from + (options.seed + number * 53) % options.stride;
	long points = 0, n = first;

	for (;; n += options.stride, points++) {
		snprintf(position, sizeof(position), "%s --%s --%s --from %ld", scene->name,
			stage.by_wire ? "wire" : "process", outage ? "outage" : "once", n);
		int64_t ns = rpc_now_ns();

		if (n > options.to || !play(scene, n))
			break;
		if (options.verbose)
			fprintf(stderr, "%s: %ld ms\n", position,
				(long)((rpc_now_ns() - ns) / 1000000));
	}
	printf("%-18s %-8s %-7s %5ld points up to %ld, %ld ms\n", scene->name,
		stage.by_wire ? "wire" : "process", outage ? "outage" : "once", points, n,
		(long)((rpc_now_ns() - began_ns) / 1000000));
	fflush(stdout);
}

static void sweep_all(void)
{
	for (size_t i = 0; i < 4 * scenes_count; i++) {
		const struct scene *scene = &scenes[i / 4];

		stage.by_wire = i & 1;
		outage = i & 2;
		if (options.scene ? strcmp(options.scene, scene->name) != 0
				  : scene->is_slow && options.stride > 1)
			continue;
		if ((stage.by_wire ? options.only_process : options.only_wire) ||
			(outage ? options.only_once : options.only_outage))
			continue;
		sweep(scene, (long)i);
	}
}

static long number(int argc, char **argv, int *i)
{
	if (++*i >= argc)
		stage_blame("%s: a number is missing", argv[*i - 1]);
	return strtol(argv[*i], NULL, 10);
}

static void read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--from"))
			options.from = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--to"))
			options.to = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--stride"))
			options.stride = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--seed"))
			options.seed = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--scene") && i + 1 < argc)
			options.scene = argv[++i];
		options.verbose |= !strcmp(argv[i], "--verbose");
		options.log |= !strcmp(argv[i], "--log");
		options.only_wire |= !strcmp(argv[i], "--wire");
		options.only_process |= !strcmp(argv[i], "--process");
		options.only_once |= !strcmp(argv[i], "--once");
		options.only_outage |= !strcmp(argv[i], "--outage");
	}
}

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	read_options(argc, argv);
	signal(SIGALRM, hangs);
#ifndef SANITIZE_ADDRESS
	signal(SIGSEGV, crashes);
#endif
	set_the_stage();
	mem_fault_where(counts);
	sweep_all();
	clear_the_stage();
	return 0;
}
