/*
 * loop.c: a worker and its client on the program's own poll(2) loop, with no other thread, against
 * a server on localhost:7233. Lines from the standard input are greeted by a workflow each; at its
 * end, and when all greetings were printed, the program stops.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <temporal/worker.h>
#include <unistd.h>

struct hello_in {
	const char *name;
};
typedef const char *hello_out;
TEMPORAL_WORKFLOW_CONTRACT(hello, "Hello", name);

static hello_out hello_run(struct wf *wf, const struct hello_in *in)
{
	return wf_printf(wf, "Hello, %s!", in->name);
}
TEMPORAL_WORKFLOW(hello);

static unsigned greeting; /* workflows whose result has not come yet */

/* Called within temporal_worker_step. */
static void greeted(struct temporal_result *result, const struct temporal_error *err, void *user)
{
	hello_out text = NULL;

	(void)user;
	greeting--;
	if (!err && temporal_result_get(result, hello, &text, NULL) == TEMPORAL_OK)
		printf("%s\n", text);
	else
		fprintf(stderr, "loop: %s\n", err ? err->message : "no greeting came");
	temporal_result_unref(result);
}

/* Starts a workflow for the line; false: the input has ended. */
static bool read_line(struct temporal_client *client)
{
	const struct temporal_start_opts start = { .task_queue = "loop" };
	struct temporal_error err;
	char line[256];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	for (char *name = strtok(line, "\n"); name; name = strtok(NULL, "\n")) {
		if (temporal_execute_async(
			    client, hello, &start, greeted, NULL, &err, .name = name))
			fprintf(stderr, "loop: %s\n", err.message);
		else
			greeting++;
	}
	return true;
}

static void serve(struct temporal_client *client, struct temporal_worker *worker)
{
	struct pollfd fds[] = { { .fd = temporal_worker_fd(worker), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	bool input = true;

	while (temporal_worker_step(worker)) {
		if (!input && greeting == 0)
			temporal_worker_shutdown(worker);
		if (poll(fds, input ? 2 : 1, temporal_worker_timeout_ms(worker)) > 0 && input &&
			fds[1].revents)
			input = read_line(client);
	}
}

int main(int argc, char **argv)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_client *client = temporal_client_connect(
		&err, .target = argc > 1 ? argv[1] : "127.0.0.1:7233", .no_thread = true);
	const struct temporal_workflow *const workflows[] = { &hello_workflow, NULL };
	struct temporal_worker *worker = NULL;
	int status = 1;

	if (client)
		worker = temporal_worker_new(client, &err, .task_queue = "loop",
			.workflows = workflows, .workflow_threads = TEMPORAL_OFF);
	if (worker && temporal_worker_start(worker, &err) == TEMPORAL_OK) {
		serve(client, worker);
		status = temporal_worker_wait(worker, &err) != TEMPORAL_OK;
	}
	if (err.code != TEMPORAL_OK)
		fprintf(stderr, "loop: %s\n", err.message);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return status;
}
