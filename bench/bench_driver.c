/*
 * bench_driver.c: starts workflows and checks their results, so many at a time, and says how fast
 * that was. It is the Go SDK's driver of the comparison in C, with its flags and its output; a
 * server that finishes a workflow in less time than that driver needs for one is measured with this
 * one.
 *
 *	bench_driver --address 127.0.0.1:7233 --task-queue q --workload echo-activity \
 *		--count 1000 --concurrency 50 [--duration 8s] [--json]
 *
 * Everything is asynchronous: each flight is a chain of callbacks on the client's thread, from
 * start to result to the next start; the main thread sleeps until the last flight is over. The
 * counters are the client thread's alone until then.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <temporal/client.h>

#define SIGNALS    100
#define ERRORS_MAX 20
#define PAUSE_MS   10
#define FDS_MAX    1024
#define QUEUE_CALL "/temporal.api.workflowservice.v1.WorkflowService/DescribeTaskQueue"
#define FLOOR_CALL "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"

/* What is started, and what it has to return. */
struct workload {
	const char *name, *type;
	int64_t n, expected; /* n 0: the argument is the id, and the result a text with it */
	int signals;
	bool start_only, floor;
};

static const struct workload workloads[] = {
	{ .name = "echo-activity", .type = "OrderWorkflow" },
	{ .name = "chain-10", .type = "ChainWorkflow", .n = 10, .expected = 45 },
	{ .name = "fan-100", .type = "FanWorkflow", .n = 100, .expected = 4950 },
	{ .name = "timers-10", .type = "TimerWorkflow", .n = 10, .expected = 10 },
	{ .name = "local-100", .type = "LocalWorkflow", .n = 100, .expected = 4950 },
	{ .name = "signals-100",
		.type = "SignalWorkflow",
		.n = SIGNALS,
		.expected = SIGNALS,
		.signals = SIGNALS },
	{ .name = "start-only", .type = "OrderWorkflow", .start_only = true },
	{ .name = "rpc-floor", .floor = true },
};

static struct {
	const char *address, *namespace_, *task_queue, *mode, *prefix;
	const struct workload *workload;
	int64_t count, concurrency;
	double duration_s, timeout_s;
	bool json;
} flags = { .address = "127.0.0.1:7233",
	.namespace_ = "default",
	.task_queue = "peers",
	.mode = "run",
	.workload = &workloads[0],
	.count = 100,
	.concurrency = 1,
	.timeout_s = 60 };

/* One of those that are in flight at a time. */
struct flight {
	char id[160];
	double begun_s;
	struct temporal_run *run;
	int signals;
};

static struct {
	struct temporal_client *client;
	struct flight *flights;
	double *latencies_ms;
	int64_t next, done, errors, calls, landed;
	double begun_s;
	char first_error[480];
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench_driver: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* ---- flights ---- */

static void fly(struct flight *flight);

/* The flight's workflow is over; err NULL: with the right result. */
static void land(struct flight *flight, const char *error)
{
	temporal_run_unref(flight->run);
	flight->run = NULL;
	if (!error)
		all.latencies_ms[all.done++] = (now_s() - flight->begun_s) * 1e3;
	else if (all.errors++ == 0)
		snprintf(all.first_error, sizeof(all.first_error), "%s", error);
	fly(flight);
}

static void check(struct flight *flight, const struct temporal_result *result)
{
	char expected[256], error[480];
	struct temporal_payloads payloads = temporal_result_payloads(result);

	if (flags.workload->n > 0)
		snprintf(expected, sizeof(expected), "%lld", (long long)flags.workload->expected);
	else
		snprintf(expected, sizeof(expected), "\"Order %s: charged 42.50\"", flight->id);
	if (temporal_result_status(result) == TEMPORAL_STATUS_COMPLETED && payloads.count == 1 &&
		payloads.items[0].data.len == strlen(expected) &&
		memcmp(payloads.items[0].data.data, expected, strlen(expected)) == 0) {
		land(flight, NULL);
		return;
	}
	snprintf(error, sizeof(error), "workflow %s: it did not complete with %s", flight->id,
		expected);
	land(flight, error);
}

static void on_result(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	if (err)
		land(user, err->message);
	else
		check(user, result);
	temporal_result_unref(result);
}

static void wait_for_result(struct flight *flight)
{
	struct temporal_error err;

	all.calls++;
	if (temporal_run_wait_0_async(flight->run, on_result, flight, &err) != TEMPORAL_OK)
		land(flight, err.message);
}

static void signal_next(struct flight *flight);

static void on_signalled(const struct temporal_error *err, void *user)
{
	struct flight *flight = user;

	if (err)
		land(flight, err->message);
	else if (++flight->signals < flags.workload->signals)
		signal_next(flight);
	else
		wait_for_result(flight);
}

static void signal_next(struct flight *flight)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%d", flight->signals);
	const struct temporal_payload number = { .data = { text, (size_t)len } };
	struct temporal_error err;

	all.calls++;
	if (temporal_signal_named_0_async(flight->run, "sig",
		    ((struct temporal_payloads){ &number, 1 }), on_signalled, flight,
		    &err) != TEMPORAL_OK)
		land(flight, err.message);
}

static void on_started(struct temporal_run *run, const struct temporal_error *err, void *user)
{
	struct flight *flight = user;

	flight->run = run;
	if (err)
		land(flight, err->message);
	else if (flags.workload->start_only)
		land(flight, NULL);
	else if (flags.workload->signals > 0)
		signal_next(flight);
	else
		wait_for_result(flight);
}

static enum temporal_code start(struct flight *flight, struct temporal_error *err)
{
	const struct temporal_start_opts opts = {
		.id = flight->id, .task_queue = flags.task_queue, .task_timeout_ms = 10000
	};
	char text[200];
	int len = flags.workload->n > 0
			  ? snprintf(text, sizeof(text), "%lld", (long long)flags.workload->n)
			  : snprintf(text, sizeof(text), "\"%s\"", flight->id);
	const struct temporal_payload argument = { .data = { text, (size_t)len } };

	return temporal_start_named_async(all.client, flags.workload->type,
		((struct temporal_payloads){ &argument, 1 }), &opts, on_started, flight, err);
}

static void on_floor(struct temporal_buffer *buffer, const struct temporal_error *err, void *user)
{
	temporal_buffer_unref(buffer);
	land(user, err ? err->message : NULL);
}

static void finish_flights(void)
{
	pthread_mutex_lock(&all.lock);
	all.is_over = true;
	pthread_cond_signal(&all.over);
	pthread_mutex_unlock(&all.lock);
}

/* Begins the flight's next workflow, or ends the flight. */
static void fly(struct flight *flight)
{
	struct temporal_error err;
	enum temporal_code code;
	bool late = flags.duration_s > 0 && now_s() - all.begun_s > flags.duration_s;

	if (late || all.next >= flags.count || all.errors > ERRORS_MAX) {
		if (++all.landed == flags.concurrency)
			finish_flights();
		return;
	}
	snprintf(flight->id, sizeof(flight->id), "%s-%lld", flags.prefix, (long long)++all.next);
	flight->begun_s = now_s();
	flight->signals = 0;
	all.calls++;
	if (flags.workload->floor)
		code = temporal_client_call_async(all.client, FLOOR_CALL,
			(struct temporal_bytes){ NULL, 0 }, false, on_floor, flight, &err);
	else
		code = start(flight, &err);
	if (code != TEMPORAL_OK)
		land(flight, err.message);
}

/* The first workflows are begun on the client's thread too, so that the counters need no lock. */
static void on_first(struct temporal_buffer *buffer, const struct temporal_error *err, void *user)
{
	temporal_buffer_unref(buffer);
	if (err)
		die("%s", err->message);
	all.begun_s = now_s();
	for (int64_t i = 0; i < flags.concurrency; i++)
		fly(&all.flights[i]);
}

/* ---- what it cost ---- */

static double cpu_s(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* What the process's connections have carried so far, by the system's count. */
static void wire_bytes(uint64_t *out, uint64_t *in)
{
	*out = *in = 0;
	for (int fd = 0; fd < FDS_MAX; fd++) {
		struct tcp_info info = { 0 };
		socklen_t size = sizeof(info);

		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
			continue;
		*out += info.tcpi_bytes_acked;
		*in += info.tcpi_bytes_received;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double share)
{
	int64_t at = (int64_t)(share * (double)all.done + 0.5) - 1;

	if (all.done == 0)
		return 0;
	return all.latencies_ms[at < 0 ? 0 : at >= all.done ? all.done - 1 : at];
}

static void print_text(double seconds, double cpu)
{
	printf("%-14s n=%lld errors=%lld conc=%lld  %.1f workflows/s  p50 %.2f  p95 %.2f  p99 %.2f "
	       "ms  driver CPU %.2f s  %s\n",
		flags.workload->name, (long long)all.done, (long long)all.errors,
		(long long)flags.concurrency, (double)all.done / seconds, percentile(0.5),
		percentile(0.95), percentile(0.99), cpu, all.first_error);
}

static void print_json(double seconds, double cpu, uint64_t out, uint64_t in)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	printf("{\"workload\":\"%s\",\"count\":%lld,\"errors\":%lld,\"concurrency\":%lld,"
	       "\"seconds\":%.6f,\"per_second\":%.3f,\"min_ms\":%.4f,\"p50_ms\":%.4f,"
	       "\"p95_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"driver_cpu_s\":%.6f,"
	       "\"driver_rpcs\":%lld,\"driver_bytes_out\":%llu,\"driver_bytes_in\":%llu,"
	       "\"end_unix_ns\":%lld",
		flags.workload->name, (long long)all.done, (long long)all.errors,
		(long long)flags.concurrency, seconds, (double)all.done / seconds, percentile(0),
		percentile(0.5), percentile(0.95), percentile(0.99), percentile(1), cpu,
		(long long)all.calls, (unsigned long long)out, (unsigned long long)in,
		(long long)end.tv_sec * 1000000000 + end.tv_nsec);
	if (all.first_error[0]) {
		printf(",\"first_error\":\"");
		for (const char *c = all.first_error; *c; c++)
			putchar(*c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? '\'' : *c);
		printf("\"");
	}
	printf("}\n");
}

/* ---- modes ---- */

static void wait_until_over(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (time_t)flags.timeout_s;
	pthread_mutex_lock(&all.lock);
	while (!all.is_over) {
		if (pthread_cond_timedwait(&all.over, &all.lock, &end) != 0)
			die("not over after %.0f s: %lld done, %lld errors %s", flags.timeout_s,
				(long long)all.done, (long long)all.errors, all.first_error);
	}
	pthread_mutex_unlock(&all.lock);
}

static int run(void)
{
	struct temporal_error err;
	uint64_t out[2], in[2];
	double cpu = cpu_s();

	all.flights = calloc((size_t)flags.concurrency, sizeof(all.flights[0]));
	all.latencies_ms = malloc((size_t)flags.count * sizeof(all.latencies_ms[0]));
	if (!all.flights || !all.latencies_ms)
		die("no memory for %lld workflows", (long long)flags.count);
	wire_bytes(&out[0], &in[0]);
	if (temporal_client_call_async(all.client, FLOOR_CALL, (struct temporal_bytes){ NULL, 0 },
		    false, on_first, NULL, &err) != TEMPORAL_OK)
		die("%s", err.message);
	wait_until_over();
	double seconds = now_s() - all.begun_s;

	wire_bytes(&out[1], &in[1]);
	qsort(all.latencies_ms, (size_t)all.done, sizeof(all.latencies_ms[0]), compare);
	if (flags.json)
		print_json(seconds, cpu_s() - cpu, out[1] - out[0], in[1] - in[0]);
	else
		print_text(seconds, cpu_s() - cpu);
	free(all.flights);
	free(all.latencies_ms);
	return all.errors > 0 ? 2 : 0;
}

/* Until the task queue has a poller of each kind. */
static int wait_worker(void)
{
	static const char *const kinds[] = { "TASK_QUEUE_TYPE_WORKFLOW",
		"TASK_QUEUE_TYPE_ACTIVITY" };
	struct temporal_error err;
	double end_s = now_s() + flags.timeout_s;
	char request[512];

	for (int i = 0; i < 2;) {
		int len = snprintf(request, sizeof(request),
			"{\"namespace\":\"%s\",\"taskQueue\":{\"name\":\"%s\"},\"taskQueueType\":"
			"\"%s\"}",
			flags.namespace_, flags.task_queue, kinds[i]);
		struct temporal_buffer *reply = temporal_client_call(all.client, QUEUE_CALL,
			(struct temporal_bytes){ request, (size_t)len }, true, &err);

		if (reply && strstr(reply->data, "\"identity\""))
			i++;
		else if (now_s() > end_s)
			die("no poller of %s on %s", kinds[i], flags.task_queue);
		else
			pause_ms(PAUSE_MS);
		temporal_buffer_unref(reply);
	}
	return 0;
}

/* Starts one workflow, with no worker there, and says when its result has come. */
static int pending(void)
{
	const struct temporal_start_opts opts = {
		.id = flags.prefix, .task_queue = flags.task_queue, .task_timeout_ms = 10000
	};
	char text[200];
	int len = snprintf(text, sizeof(text), "\"%s\"", flags.prefix);
	const struct temporal_payload argument = { .data = { text, (size_t)len } };
	struct temporal_error err;
	struct timespec end;
	struct temporal_run *one = temporal_start_named(all.client, "OrderWorkflow",
		((struct temporal_payloads){ &argument, 1 }), &opts, &err);

	if (!one)
		die("start: %s", err.message);
	printf("STARTED\n");
	fflush(stdout);
	struct temporal_result *result = temporal_run_wait_0(one, &err);

	if (!result || temporal_result_status(result) != TEMPORAL_STATUS_COMPLETED)
		die("result: %s", result ? "the workflow did not complete" : err.message);
	clock_gettime(CLOCK_REALTIME, &end);
	printf("%lld\n", (long long)end.tv_sec * 1000000000 + end.tv_nsec);
	temporal_result_unref(result);
	temporal_run_unref(one);
	return 0;
}

/* Starts `count` workflows that wait; on a line from stdin, lets them end and waits for that. */
static int idle(void)
{
	struct temporal_run **runs = calloc((size_t)flags.count, sizeof(struct temporal_run *));
	struct temporal_error err;

	if (!runs)
		die("no memory for %lld workflows", (long long)flags.count);
	for (int64_t i = 0; i < flags.count; i++) {
		char id[160];
		const struct temporal_start_opts opts = {
			.id = id, .task_queue = flags.task_queue, .task_timeout_ms = 10000
		};

		snprintf(id, sizeof(id), "%s-%lld", flags.prefix, (long long)i);
		runs[i] = temporal_start_named(all.client, "IdleWorkflow",
			((struct temporal_payloads){ NULL, 0 }), &opts, &err);
		if (!runs[i])
			die("idle: %s", err.message);
	}
	for (int64_t i = 0; i < flags.count; i++) {
		/* started, workflow task scheduled, started, completed */
		for (int64_t events = 0; events < 4; pause_ms(events < 4 ? PAUSE_MS : 0)) {
			struct temporal_run_description *what =
				temporal_run_describe(runs[i], &err);

			if (!what)
				die("idle: %s", err.message);
			events = what->history_length;
			temporal_run_description_unref(what);
		}
	}
	printf("READY\n");
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		;
	double begun_s = now_s();

	for (int64_t i = 0; i < flags.count; i++) {
		if (temporal_signal_named_0(runs[i], "done",
			    ((struct temporal_payloads){ NULL, 0 }), &err) != TEMPORAL_OK)
			die("idle: %s", err.message);
	}
	for (int64_t i = 0; i < flags.count; i++) {
		temporal_result_unref(temporal_run_wait_0(runs[i], &err));
		temporal_run_unref(runs[i]);
	}
	free(runs);
	printf("DONE %.3f\n", now_s() - begun_s);
	return 0;
}

/* ---- the command line ---- */

/* "8s", "250ms", "1m30s". */
static double duration(const char *name, const char *text)
{
	double seconds = 0;
	char *end;

	do {
		double value = strtod(text, &end);

		if (end == text || value < 0)
			die("--%s %s: expected a duration such as 8s or 250ms", name, text);
		if (strncmp(end, "ms", 2) == 0)
			seconds += value / 1e3;
		else
			seconds += *end == 'h' ? value * 3600 : *end == 'm' ? value * 60 : value;
		end += strncmp(end, "ms", 2) == 0 ? 2 : *end != '\0';
		text = end;
	} while (*text);
	return seconds;
}

static int64_t number(const char *name, const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (end == text || *end || value < 1 || value > 100000000)
		die("--%s %s: expected a number from 1 to 100000000", name, text);
	return value;
}

static const struct workload *find_workload(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		if (strcmp(workloads[i].name, name) == 0)
			return &workloads[i];
	}
	die("unknown workload \"%s\"", name);
}

static void set(const char *name, const char *value)
{
	const struct {
		const char *name, **text;
	} texts[] = { { "address", &flags.address }, { "namespace", &flags.namespace_ },
		{ "task-queue", &flags.task_queue }, { "mode", &flags.mode },
		{ "prefix", &flags.prefix } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i].name, name) == 0) {
			*texts[i].text = value;
			return;
		}
	}
	if (strcmp(name, "workload") == 0)
		flags.workload = find_workload(value);
	else if (strcmp(name, "count") == 0)
		flags.count = number(name, value);
	else if (strcmp(name, "concurrency") == 0)
		flags.concurrency = number(name, value);
	else if (strcmp(name, "duration") == 0)
		flags.duration_s = duration(name, value);
	else if (strcmp(name, "timeout") == 0)
		flags.timeout_s = duration(name, value);
	else
		die("unknown flag --%s", name);
}

/* As Go's flag package: -name or --name, "=value" or the next argument. */
static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *name = argv[i] + strspn(argv[i], "-"), *value = strchr(name, '=');

		if (name == argv[i])
			die("%s: expected a flag", argv[i]);
		if (strcmp(name, "json") == 0) {
			flags.json = true;
			continue;
		}
		if (value)
			*value++ = '\0';
		else if (i + 1 < argc)
			value = argv[++i];
		else
			die("--%s needs a value", name);
		set(name, value);
	}
}

/* A fresh server may listen before it has its namespace. */
static void dial(void)
{
	struct temporal_error err;
	double end_s = now_s() + flags.timeout_s;
	char request[256];
	int len = snprintf(request, sizeof(request), "{\"namespace\":\"%s\"}", flags.namespace_);

	for (;;) {
		all.client = temporal_client_connect(
			&err, .target = flags.address, .namespace_ = flags.namespace_);
		struct temporal_buffer *reply =
			!all.client ? NULL
				    : temporal_client_call(all.client,
					      "/temporal.api.workflowservice.v1.WorkflowService/"
					      "DescribeNamespace",
					      (struct temporal_bytes){ request, (size_t)len }, true,
					      &err);

		temporal_buffer_unref(reply);
		if (reply)
			return;
		temporal_client_unref(all.client);
		if (strcmp(flags.mode, "wait-server") != 0 || now_s() > end_s)
			die("%s: %s", flags.address, err.message);
		pause_ms(PAUSE_MS);
	}
}

int main(int argc, char **argv)
{
	const struct {
		const char *name;
		int (*run)(void);
	} modes[] = { { "run", run }, { "wait-server", NULL }, { "wait-worker", wait_worker },
		{ "pending", pending }, { "idle", idle } };
	char prefix[100];
	int status = -1;

	parse(argc, argv);
	snprintf(prefix, sizeof(prefix), "%s-%llx", flags.workload->name,
		(unsigned long long)(now_s() * 1e9));
	if (!flags.prefix)
		flags.prefix = prefix;
	dial();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, flags.mode) == 0)
			status = modes[i].run ? modes[i].run() : 0;
	}
	temporal_client_unref(all.client);
	if (status < 0)
		die("unknown mode \"%s\"", flags.mode);
	return status;
}
