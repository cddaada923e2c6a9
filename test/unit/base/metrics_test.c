/*
 * Goal: the registry counts right, its text is what Prometheus reads, and its endpoint answers what
 * it should and refuses the rest. Method: series made and updated, the text compared as a whole;
 * requests as bytes on a socket, hostile ones among them; every allocation failed once.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "base/sanitize.h"

static const int64_t bounds[] = { 50, 1000, 2500 };
static const struct metrics_desc counter = { "requests", "Requests.", TEMPORAL_METRIC_COUNTER, NULL,
	0 };
static const struct metrics_desc gauge = { "level", "A level.", TEMPORAL_METRIC_GAUGE, NULL, 0 };
static const struct metrics_desc histogram = { "latency", "Latencies.", TEMPORAL_METRIC_HISTOGRAM,
	bounds, 3 };

#define MS INT64_C(1000000)

static struct temporal_metrics *make(struct temporal_metrics_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_metrics *metrics = temporal_metrics_new_(&err, &opts, sizeof(opts));

	if (!metrics)
		print_message("%s\n", err.message);
	assert_non_null(metrics);
	return metrics;
}

static void assert_text(struct temporal_metrics *metrics, const char *expected)
{
	char text[4096], cut[8];
	size_t len = temporal_metrics_text(metrics, text, sizeof(text));

	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	assert_int_equal(temporal_metrics_text(metrics, NULL, 0), len);
	assert_int_equal(temporal_metrics_text(metrics, cut, sizeof(cut)), len);
	if (len >= sizeof(cut))
		assert_int_equal(strlen(cut), sizeof(cut) - 1);
}

static void text_of_all_kinds(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ 0 });
	const struct temporal_metric_label ugly = { "type", "a\\b\"c\nd" }, none = { "x", NULL };
	struct metrics_series *series = metrics_series(metrics, &counter, &ugly, 1);

	(void)state;
	metrics_add(series, 2);
	metrics_add(series, 3);
	metrics_set(metrics_series(metrics, &gauge, &none, 1), -7);
	/* On a bound counts to it; beyond the last one to +Inf; below zero is zero. */
	series = metrics_series(metrics, &histogram, NULL, 0);
	metrics_observe(series, 50 * MS);
	metrics_observe(series, 50 * MS + 1);
	metrics_observe(series, 9000 * MS);
	metrics_observe(series, -5);
	assert_text(metrics, "# HELP temporal_latency Latencies.\n"
			     "# TYPE temporal_latency histogram\n"
			     "temporal_latency_bucket{le=\"50\"} 2\n"
			     "temporal_latency_bucket{le=\"1000\"} 3\n"
			     "temporal_latency_bucket{le=\"2500\"} 3\n"
			     "temporal_latency_bucket{le=\"+Inf\"} 4\n"
			     "temporal_latency_sum 9100.000001\n"
			     "temporal_latency_count 4\n"
			     "# HELP temporal_level A level.\n"
			     "# TYPE temporal_level gauge\n"
			     "temporal_level -7\n"
			     "# HELP temporal_requests Requests.\n"
			     "# TYPE temporal_requests counter\n"
			     "temporal_requests{type=\"a\\\\b\\\"c\\nd\"} 5\n");
	temporal_metrics_unref(metrics);
}

static void options_change_names_and_units(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ .prefix = "my_",
		.in_seconds = true,
		.total_suffix = true,
		.unit_suffix = true,
		.labels = &(const struct temporal_metric_label){ "pod", "p1" },
		.n_labels = 1 });

	(void)state;
	metrics_add(metrics_series(metrics, &counter,
			    &(const struct temporal_metric_label){ "a", "b" }, 1),
		1);
	metrics_observe(metrics_series(metrics, &histogram, NULL, 0), 1500 * MS);
	assert_text(metrics, "# HELP my_latency_seconds Latencies.\n"
			     "# TYPE my_latency_seconds histogram\n"
			     "my_latency_seconds_bucket{pod=\"p1\",le=\"0.05\"} 0\n"
			     "my_latency_seconds_bucket{pod=\"p1\",le=\"1\"} 0\n"
			     "my_latency_seconds_bucket{pod=\"p1\",le=\"2.5\"} 1\n"
			     "my_latency_seconds_bucket{pod=\"p1\",le=\"+Inf\"} 1\n"
			     "my_latency_seconds_sum{pod=\"p1\"} 1.5\n"
			     "my_latency_seconds_count{pod=\"p1\"} 1\n"
			     "# HELP my_requests_total Requests.\n"
			     "# TYPE my_requests_total counter\n"
			     "my_requests_total{pod=\"p1\",a=\"b\"} 1\n");
	temporal_metrics_unref(metrics);
}

static void no_series_has_a_label_twice(void **state)
{
	const struct temporal_metric_label given[] = { { "a", "1" }, { "pod", "p1" } };
	struct temporal_metrics *metrics =
		make((struct temporal_metrics_opts){ .labels = given, .n_labels = 2 });
	const struct temporal_metric_label own = { "a", "2" };

	(void)state;
	metrics_add(metrics_series(metrics, &counter, &own, 1), 1);
	assert_text(metrics, "# HELP temporal_requests Requests.\n"
			     "# TYPE temporal_requests counter\n"
			     "temporal_requests{pod=\"p1\",a=\"2\"} 1\n");
	temporal_metrics_unref(metrics);
}

static void the_same_labels_are_the_same_series(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ 0 });
	struct temporal_metric_label label = { "n", "0" };
	struct metrics_series *first = metrics_series(metrics, &counter, &label, 1);
	char value[16], long_value[5000];

	(void)state;
	assert_ptr_equal(metrics_series(metrics, &counter, &label, 1), first);
	assert_ptr_not_equal(metrics_series(metrics, &gauge, &label, 1), first);
	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	label.value = long_value;
	assert_null(metrics_series(metrics, &counter, &label, 1));
	label.value = value;
	for (int i = 1; i < METRICS_SERIES_MAX; i++) {
		snprintf(value, sizeof(value), "%d", i);
		assert_non_null(metrics_series(metrics, &counter, &label, 1));
	}
	snprintf(value, sizeof(value), "more");
	assert_null(metrics_series(metrics, &counter, &label, 1));
	metrics_add(NULL, 1);
	metrics_set(NULL, 1);
	metrics_observe(NULL, 1);
	temporal_metrics_unref(metrics);
}

/* Around the longest text of a series' labels, 4095 bytes: n="xx..." and, as the last character, a
 * quote, which takes two. */
static void long_labels_fit_or_are_refused(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ 0 });
	char name[4100], value[4100];
	struct temporal_metric_label label = { "n", value };

	(void)state;
	for (size_t n = 4080; n < sizeof(value) - 2; n++) {
		memset(value, 'x', n);
		value[n] = '"';
		value[n + 1] = '\0';
		bool fits = strlen("n=\"") + n + strlen("\\\"") + strlen("\"") <= 4095;

		assert_int_equal(metrics_series(metrics, &counter, &label, 1) != NULL, fits);
	}
	label = (struct temporal_metric_label){ name, "" };
	for (size_t n = 4080; n < sizeof(name) - 1; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		assert_int_equal(metrics_series(metrics, &gauge, &label, 1) != NULL,
			n + strlen("=\"\"") <= 4095);
	}
	temporal_metrics_unref(metrics);
}

struct heard {
	int count;
	char text[256];
};

static void hear(const struct temporal_metric_value *value, void *user)
{
	struct heard *heard = user;

	heard->count++;
	snprintf(heard->text, sizeof(heard->text), "%s %d %s=%s %lld", value->name, value->kind,
		value->n_labels ? value->labels[0].name : "",
		value->n_labels ? value->labels[0].value : "", (long long)value->value);
}

static void the_callback_hears_each_change(void **state)
{
	struct heard heard = { 0 };
	struct temporal_metrics *metrics =
		make((struct temporal_metrics_opts){ .on_value = hear, .user = &heard });
	const struct temporal_metric_label label = { "a", "b\"" };
	struct metrics_series *level = metrics_series(metrics, &gauge, &label, 1);

	(void)state;
	metrics_add(metrics_series(metrics, &counter, &label, 1), 3);
	assert_string_equal(heard.text, "temporal_requests 1 a=b\" 3");
	metrics_set(level, 5);
	assert_string_equal(heard.text, "temporal_level 2 a=b\" 5");
	metrics_set(level, 5);
	assert_int_equal(heard.count, 2);
	metrics_observe(metrics_series(metrics, &histogram, &label, 1), 42);
	assert_string_equal(heard.text, "temporal_latency 3 a=b\" 42");
	temporal_metrics_unref(metrics);
}

static void bad_options_are_refused(void **state)
{
	const struct temporal_metric_label labels[] = { { "le", "x" }, { "1a", "x" }, { "", "x" },
		{ "a-b", "x" }, { NULL, "x" }, { "a", NULL } };
	const struct temporal_metric_label twice[] = { { "a", "x" }, { "b", "x" }, { "a", "y" } };
	const char *const addresses[] = { "localhost", "", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:1x", "127.0.0.1:-1" };
	struct {
		struct temporal_metrics_opts known;
		char more;
	} newer = { .more = 1 };
	struct temporal_error err;

	(void)state;
	assert_null(temporal_metrics_new(&err, .prefix = "a-b"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_null(temporal_metrics_new(&err, .n_labels = 1));
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		assert_null(temporal_metrics_new(&err, .labels = &labels[i], .n_labels = 1));
		assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	}
	assert_null(temporal_metrics_new(&err, .labels = twice, .n_labels = 3));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_null(temporal_metrics_new(&err, .listen = addresses[i]));
		assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	}
	assert_null(temporal_metrics_new(&err, .listen = "192.0.2.1:1")); /* not of this machine */
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_null(temporal_metrics_new_(&err, &newer.known, sizeof(newer)));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	temporal_metrics_unref(NULL);
}

/* Sends the bytes, returns all that comes back until the other end closes. */
static const char *ask(const struct temporal_metrics *metrics, const char *request)
{
	static char reply[8192];
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) },
		.sin_port = htons(temporal_metrics_port(metrics)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 5 },
		sizeof(struct timeval));
	assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
	while ((n = recv(fd, reply + len, sizeof(reply) - 1 - len, 0)) > 0)
		len += (size_t)n;
	reply[len] = '\0';
	close(fd);
	return reply;
}

static const char *get(const struct temporal_metrics *metrics, const char *path)
{
	char request[256];

	snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	return ask(metrics, request);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void the_endpoint_answers(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ .listen = ":0" });
	const char *reply;

	(void)state;
	metrics_add(metrics_series(metrics, &counter, NULL, 0), 41);
	assert_int_not_equal(temporal_metrics_port(metrics), 0);
	reply = get(metrics, "/metrics");
	assert_true(begins(reply, "HTTP/1.1 200 "));
	assert_non_null(
		strstr(reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(reply, "\r\n\r\n# HELP temporal_requests Requests.\n"));
	assert_non_null(strstr(reply, "\ntemporal_requests 41\n"));
	assert_true(begins(get(metrics, "/"), "HTTP/1.1 404 "));
	assert_true(begins(get(metrics, "/metrics/../etc"), "HTTP/1.1 404 "));
	reply = ask(metrics, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_true(begins(reply, "HTTP/1.1 200 "));
	assert_null(strstr(reply, "temporal_requests"));
	temporal_metrics_unref(metrics);
}

static void the_endpoint_refuses(void **state)
{
	static char large[40000];
	struct temporal_metrics *metrics =
		make((struct temporal_metrics_opts){ .listen = "127.0.0.1:0" });
	struct temporal_error err;
	char taken[32];

	(void)state;
	assert_true(begins(ask(metrics, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
					"Content-Length: 3\r\n\r\nabc"),
		"HTTP/1.1 405 "));
	assert_true(begins(ask(metrics, "nonsense\r\n\r\n"), "HTTP/1.") ||
		    ask(metrics, "nonsense\r\n\r\n")[0] == '\0');
	/* More headers than it has room for. */
	size_t len = (size_t)snprintf(large, sizeof(large), "GET /metrics HTTP/1.1\r\nHost: ");
	memset(large + len, 'a', sizeof(large) - 1 - len);
	assert_false(begins(ask(metrics, large), "HTTP/1.1 200 "));
	/* And goes on. */
	assert_true(begins(get(metrics, "/healthz"), "HTTP/1.1 200 "));
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", temporal_metrics_port(metrics));
	assert_null(temporal_metrics_new(&err, .listen = taken));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	temporal_metrics_unref(metrics);
}

static void health_is_that_of_all_probes(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ .listen = ":0" });
	struct metrics_probe one = { 0 }, two = { 0 };
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	assert_true(begins(get(metrics, "/healthz"), "HTTP/1.1 200 "));
	assert_true(begins(get(metrics, "/readyz"), "HTTP/1.1 503 "));
	atomic_store(&one.beat_ns, now_ns);
	atomic_store(&two.beat_ns, now_ns);
	metrics_probe_add(metrics, &one);
	metrics_probe_add(metrics, &two);
	atomic_store(&one.ready, true);
	assert_non_null(strstr(get(metrics, "/readyz"), "not ok: 1 of 2 ready"));
	atomic_store(&two.ready, true);
	assert_true(begins(get(metrics, "/readyz"), "HTTP/1.1 200 "));
	atomic_store(&two.beat_ns, now_ns - METRICS_BEAT_MAX_NS - 1);
	assert_true(begins(get(metrics, "/healthz"), "HTTP/1.1 503 "));
	metrics_probe_remove(metrics, &two);
	metrics_probe_remove(metrics, &two); /* not there: nothing happens */
	assert_true(begins(get(metrics, "/healthz"), "HTTP/1.1 200 "));
	metrics_probe_remove(metrics, &one);
	temporal_metrics_unref(metrics);
}

#define ADDS 20000

static void *add_many(void *arg)
{
	struct metrics_series *series = metrics_series(arg, &counter, NULL, 0);
	struct metrics_series *latency = metrics_series(arg, &histogram, NULL, 0);

	for (int i = 0; i < ADDS; i++) {
		metrics_add(series, 1);
		metrics_observe(latency, MS);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ 0 });
	pthread_t threads[4];
	char text[2048];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, metrics), 0);
	for (int i = 0; i < 20; i++)
		temporal_metrics_text(metrics, text, sizeof(text));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	temporal_metrics_text(metrics, text, sizeof(text));
	assert_non_null(strstr(text, "temporal_requests 80000\n"));
	assert_non_null(strstr(text, "temporal_latency_sum 80000\n"));
	assert_non_null(strstr(text, "temporal_latency_count 80000\n"));
	temporal_metrics_unref(metrics);
}

static void memory_may_run_out(void **state)
{
	(void)state;
	for (long i = 0;; i++) {
		struct temporal_error err;

		mem_fault_set(i, 1);
		struct temporal_metrics *metrics = temporal_metrics_new(&err, .prefix = "x_");

		if (metrics) {
			metrics_add(metrics_series(metrics, &counter, NULL, 0), 1);
			temporal_metrics_unref(metrics);
		}
		if (!mem_fault_hit())
			break;
	}
	mem_fault_set(-1, 0);
}

static atomic_bool reads;

static void *read_always(void *arg)
{
	while (atomic_load(&reads)) {
		temporal_metrics_text(arg, NULL, 0);
		metrics_series(arg, &counter, NULL, 0);
	}
	return NULL;
}

/* Another thread has the locks most of the time; a child in which they stayed locked would hang. */
static void a_forked_child_has_no_lock_held(void **state)
{
	struct temporal_metrics *metrics = make((struct temporal_metrics_opts){ 0 });
	pthread_t thread;

	(void)state;
#ifdef SANITIZE_THREAD
	skip(); /* its own locks do not bear it */
#endif
	atomic_store(&reads, true);
	assert_int_equal(pthread_create(&thread, NULL, read_always, metrics), 0);
	for (int i = 0; i < 100; i++) {
		int how = -1;
		pid_t pid = fork();

		if (pid == 0) {
			alarm(5);
			metrics_add(metrics_series(metrics, &gauge, NULL, 0), 1);
			_exit(temporal_metrics_text(metrics, NULL, 0) > 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &how, 0), pid);
		assert_int_equal(how, 0);
	}
	atomic_store(&reads, false);
	pthread_join(thread, NULL);
	temporal_metrics_unref(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_all_kinds),
		cmocka_unit_test(options_change_names_and_units),
		cmocka_unit_test(no_series_has_a_label_twice),
		cmocka_unit_test(the_same_labels_are_the_same_series),
		cmocka_unit_test(long_labels_fit_or_are_refused),
		cmocka_unit_test(the_callback_hears_each_change),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(the_endpoint_answers),
		cmocka_unit_test(the_endpoint_refuses),
		cmocka_unit_test(health_is_that_of_all_probes),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(a_forked_child_has_no_lock_held),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
