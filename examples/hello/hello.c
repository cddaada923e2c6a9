/* hello.c: a worker and its client in one program, against a server on localhost:7233. */
#include <stdio.h>
#include <temporal/worker.h>

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

int main(int argc, char **argv)
{
	const struct temporal_start_opts start = { .task_queue = "hello" };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *result = NULL;
	hello_out text = NULL;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = argc > 1 ? argv[1] : "localhost:7233");
	const struct temporal_workflow *const workflows[] = { &hello_workflow, NULL };
	struct temporal_worker *worker = NULL;

	if (client)
		worker = temporal_worker_new(
			client, &err, .task_queue = "hello", .workflows = workflows);
	if (worker && !temporal_worker_start(worker, &err) &&
		!temporal_execute(client, hello, &start, &text, &result, &err, .name = "world"))
		printf("%s\n", text);
	else
		fprintf(stderr, "hello: %s\n", err.message);
	temporal_result_unref(result);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return text ? 0 : 1;
}
