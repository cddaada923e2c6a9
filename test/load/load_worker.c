/*
 * load_worker.c: the worker of the load tests: it writes down what it has run, so that others can
 * tell who ran what, and how often.
 *
 *	load_worker --address HOST:PORT --task-queue QUEUE --log FILE
 *		[--activities N] [--cached N] [--bytes N]
 *
 * NotesWorkflow(n, ms) runs n activities note(key, ms) at once; each appends a line "PID KEY" to
 * the file once it has slept. WaitsWorkflow() waits for the signal "done". Ten times a second the
 * worker prints, if something is new, "status started=A evicted=B running=C ended=D": runs whose
 * code was entered, runs that have left the cache, the most activities that ran at a time, and how
 * many have ended (the most is not older than these).
 *
 * Lines are appended by one write each, so several workers can share a file.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <temporal/client.h>
#include <temporal/worker.h>

struct note_in {
	const char *key;
	int64_t ms;
};
typedef int64_t note_out;
TEMPORAL_ACTIVITY_CONTRACT(note, "note", key, ms);

struct notes_in {
	int64_t n, ms;
};
typedef int64_t notes_out;
TEMPORAL_WORKFLOW_CONTRACT(notes, "NotesWorkflow", n, ms);

typedef void waits_out;
TEMPORAL_WORKFLOW_CONTRACT_0(waits, "WaitsWorkflow");
TEMPORAL_SIGNAL_CONTRACT_0(done, "done");

static struct {
	int log; /* descriptor */
	_Atomic int started, evicted, running, most, ended;
} seen = { .log = -1 };

static void write_line(const char *key)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), key);

	if (len <= 0 || (size_t)len >= sizeof(line) || write(seen.log, line, (size_t)len) != len)
		abort(); /* the test counts on it */
}

static const struct temporal_failure *note_run(
	struct act *act, const struct note_in *in, note_out *out)
{
	int running = atomic_fetch_add(&seen.running, 1) + 1, most = atomic_load(&seen.most);

	while (running > most && !atomic_compare_exchange_weak(&seen.most, &most, running))
		;
	if (in->ms > 0)
		nanosleep(&(struct timespec){ .tv_sec = in->ms / 1000,
				  .tv_nsec = in->ms % 1000 * 1000000 },
			NULL);
	write_line(in->key);
	atomic_fetch_sub(&seen.running, 1);
	atomic_fetch_add(&seen.ended, 1);
	*out = 1;
	return NULL;
}
TEMPORAL_ACTIVITY(note);

/* Attempts that die with their worker are given out again when this has passed. */
static const struct wf_activity_opts two_seconds = { .start_to_close_ms = TEMPORAL_SECONDS(2),
	.retry = &(const struct temporal_retry_policy){
		.initial_interval_ms = 50, .maximum_interval_ms = 500 } };

static notes_out notes_run(struct wf *wf, const struct notes_in *in)
{
	struct wf_future **futures = wf_alloc(wf, (size_t)in->n * sizeof(*futures));
	const char *id = wf_info(wf)->workflow_id;
	int64_t sum = 0;

	for (int64_t i = 0; i < in->n; i++)
		futures[i] = wf_start_activity(wf, note, &two_seconds,
			.key = wf_printf(wf, "%s/%lld", id, (long long)i), .ms = in->ms);
	for (int64_t i = 0; i < in->n; i++)
		sum += wf_await(wf, note, futures[i]);
	return sum;
}
TEMPORAL_WORKFLOW(notes);

static waits_out waits_run(struct wf *wf)
{
	wf_receive_0(wf, done);
}
TEMPORAL_WORKFLOW_0(waits);

static void count(const struct temporal_worker_event *event, void *user)
{
	if (event->kind == TEMPORAL_EVENT_WORKFLOW_STARTED)
		atomic_fetch_add(&seen.started, 1);
	else if (event->kind == TEMPORAL_EVENT_WORKFLOW_EVICTED)
		atomic_fetch_add(&seen.evicted, 1);
}

static void complain(const struct temporal_worker_log *line, void *user)
{
	fprintf(stderr, "load_worker: %s\n", line->message);
}

static void print_status(void)
{
	static char last[128];
	char line[128];
	int ended = atomic_load(&seen.ended);

	snprintf(line, sizeof(line), "status started=%d evicted=%d running=%d ended=%d",
		atomic_load(&seen.started), atomic_load(&seen.evicted), atomic_load(&seen.most),
		ended);
	if (strcmp(line, last) == 0)
		return;
	memcpy(last, line, sizeof(last));
	printf("%s\n", line);
	fflush(stdout);
}

/* Until it is killed: that is what it is for. */
static int work(const char *address, struct temporal_worker_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client =
		temporal_client_connect(&err, .target = address, .lazy = true);
	struct temporal_worker *worker =
		client ? temporal_worker_new_(client, &opts, sizeof(opts), &err) : NULL;

	if (!worker || temporal_worker_start(worker, &err) != TEMPORAL_OK) {
		fprintf(stderr, "load_worker: %s\n", err.message);
		return 1;
	}
	for (;;) {
		nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL);
		print_status();
	}
}

int main(int argc, char **argv)
{
	const char *address = NULL;
	struct temporal_worker_opts opts = {
		.workflows = (const struct temporal_workflow *const[]){ &notes_workflow,
			&waits_workflow, NULL },
		.activities = (const struct temporal_activity *const[]){ &note_activity, NULL },
		.sticky_schedule_to_start_timeout_ms = 500, /* tasks of one that was killed */
		.on_event = count,
		.on_log = complain,
	};

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--address") == 0)
			address = argv[i + 1];
		else if (strcmp(argv[i], "--task-queue") == 0)
			opts.task_queue = argv[i + 1];
		else if (strcmp(argv[i], "--log") == 0)
			seen.log =
				open(argv[i + 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		else if (strcmp(argv[i], "--activities") == 0)
			opts.max_concurrent_activities = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--cached") == 0)
			opts.max_cached_workflows = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--bytes") == 0)
			opts.max_cached_bytes = atoll(argv[i + 1]);
		else
			argc = 0;
	}
	if (argc % 2 == 0 || !address || !opts.task_queue || seen.log < 0) {
		fprintf(stderr, "usage: load_worker --address HOST:PORT --task-queue QUEUE "
				"--log FILE [--activities N] [--cached N] [--bytes N]\n");
		return 2;
	}
	return work(address, opts);
}
