/*
 * isolated.c: a worker whose activities may crash, exit, run out of memory or hang, since each runs
 * in a process of its own.
 *
 *     isolated [ADDRESS]
 *
 * An album of pictures, some of which are too much for the library that reads them. Each of these
 * is a failed activity that says what has happened; the others get their thumbnail, by the same
 * worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/worker.h>

#define QUEUE "isolated"
#define MEGA  (1024L * 1024)

/* ---- A library that one cannot trust ---- */

static void read_picture(const char *file)
{
	volatile char *volatile nowhere = NULL;
	volatile int busy = 1;

	if (strcmp(file, "broken.png") == 0)
		*nowhere = 'x';
	if (strcmp(file, "newer.png") == 0)
		exit(3); /* "unsupported version" */
	if (strcmp(file, "huge.png") == 0) {
		for (char *room = malloc(MEGA); room; room = malloc(MEGA))
			memset(room, 'x', MEGA);
		abort(); /* "out of memory" */
	}
	if (strcmp(file, "endless.png") == 0) {
		while (busy)
			continue;
	}
}

/* ---- The activity, and the workflow that calls it for each picture ---- */

struct thumbnail_in {
	const char *file;
};
typedef const char *thumbnail_out;
TEMPORAL_ACTIVITY_CONTRACT(thumbnail, "thumbnail", file);

typedef const char *album_out;
TEMPORAL_WORKFLOW_CONTRACT_0(album, "Album");

static const struct temporal_failure *thumbnail_run(
	struct act *act, const struct thumbnail_in *in, thumbnail_out *out)
{
	read_picture(in->file);
	*out = act_printf(act, "small-%s", in->file);
	return NULL;
}
TEMPORAL_ISOLATED_ACTIVITY(thumbnail);

/* Most of these mishaps would come again. What comes of a system without memory would not, so a
 * picture gets a second try. */
static album_out album_run(struct wf *wf)
{
	static const char *const files[] = { "cat.png", "broken.png", "newer.png", "huge.png",
		"endless.png", "dog.png" };
	static const char *const hopeless[] = { "ProcessCrashed", "ProcessExited", NULL };
	const struct temporal_retry_policy retry = {
		.maximum_attempts = 2, .initial_interval_ms = 10, .non_retryable_types = hopeless
	};
	const struct wf_activity_opts opts = { .start_to_close_ms = 1000, .retry = &retry };
	const char *text = "";

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct wf_future *future =
			wf_start_activity(wf, thumbnail, &opts, .file = files[i]);
		const struct temporal_failure *failure = wf_try(wf, future);
		const struct temporal_failure *cause = failure ? failure->cause : NULL;

		text = wf_printf(wf, "%s%s: %s\n", text, files[i],
			cause ? cause->message : wf_await(wf, thumbnail, future));
	}
	return text;
}
TEMPORAL_WORKFLOW_0(album);

/* ---- The program ---- */

int main(int argc, char **argv)
{
	/* The worker executes this program once more, to have a process that forks the others: in
	 * that one this call does not return. So it comes first. */
	temporal_isolate_main(argc, argv);

	const struct temporal_workflow *const workflows[] = { &album_workflow, NULL };
	const struct temporal_activity *const activities[] = { &thumbnail_activity, NULL };
	const struct temporal_start_opts start = { .task_queue = QUEUE };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *result = NULL;
	struct temporal_worker *worker = NULL;
	album_out text = NULL;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = argc > 1 ? argv[1] : "localhost:7233");

	if (client)
		worker = temporal_worker_new(client, &err, .task_queue = QUEUE,
			.workflows = workflows, .activities = activities,
			.isolated_memory_limit = 64 * MEGA, /* then malloc returns NULL */
			.isolated_kill_grace_ms = 500);     /* after a timeout, for who hangs */
	if (worker && !temporal_worker_start(worker, &err) &&
		!temporal_execute_0(client, album, &start, &text, &result, &err))
		printf("%s", text);
	else
		fprintf(stderr, "isolated: %s\n", err.message);
	temporal_result_unref(result);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return text ? 0 : 1;
}
