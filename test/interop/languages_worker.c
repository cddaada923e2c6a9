/*
 * languages_worker.c: workflows in C for tests that drive them from other languages.
 *
 *	languages_worker --address HOST:PORT --task-queue QUEUE
 *
 * Letter(queue, text): waits for the signal "sign", asks an activity "shout" of whoever works on
 * `queue`, and gives "<shouted text> (<signer>)". The query "state" says how far it has come.
 */
#include <stdio.h>
#include <string.h>

#include <temporal/worker.h>

struct shout_in {
	const char *text;
	int64_t times;
};
typedef const char *shout_out;
TEMPORAL_ACTIVITY_CONTRACT(shout, "shout", text, times);

struct letter_in {
	const char *queue, *text;
};
typedef const char *letter_out;
TEMPORAL_WORKFLOW_CONTRACT(letter, "Letter", queue, text);

struct letter_sign_in {
	const char *by;
};
TEMPORAL_SIGNAL_CONTRACT(letter_sign, "sign", by);

typedef const char *letter_state_out;
TEMPORAL_QUERY_CONTRACT_0(letter_state, "state");

struct letter {
	const char *signer, *shouted;
};

static void letter_sign_run(struct wf *wf, struct letter *self, const struct letter_sign_in *in)
{
	self->signer = in->by;
}
TEMPORAL_SIGNAL(letter, sign);

static letter_state_out letter_state_run(const struct wf *wf, const struct letter *self)
{
	if (self->shouted)
		return "shouted";
	return self->signer ? wf_printf(wf, "signed by %s", self->signer) : "unsigned";
}
TEMPORAL_QUERY_0(letter, state);

static bool is_signed(const void *state)
{
	return ((const struct letter *)state)->signer != NULL;
}

static letter_out letter_run(struct wf *wf, struct letter *self, const struct letter_in *in)
{
	wf_wait(wf, wf_until(wf, is_signed, self));
	self->shouted = wf_activity(wf, shout,
		WF_ACTIVITY_OPTS(.task_queue = in->queue, .start_to_close_ms = TEMPORAL_SECONDS(10),
			.retry = &(const struct temporal_retry_policy){ .maximum_attempts = 1 }),
		.text = in->text, .times = 3);
	return wf_printf(wf, "%s (%s)", self->shouted, self->signer);
}

static const struct temporal_handler *const letter_handlers[] = { &letter_sign_handler,
	&letter_state_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(letter, letter_handlers);

static const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return NULL;
}

int main(int argc, char **argv)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	enum temporal_code code = TEMPORAL_UNKNOWN;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = option(argc, argv, "--address"));
	const struct temporal_workflow *const workflows[] = { &letter_workflow, NULL };
	struct temporal_worker *worker =
		!client ? NULL
			: temporal_worker_new(client, &err,
				  .task_queue = option(argc, argv, "--task-queue"),
				  .workflows = workflows, .shutdown_on_signals = true);

	if (worker)
		code = temporal_worker_run(worker, &err);
	if (code != TEMPORAL_OK)
		fprintf(stderr, "languages_worker: %s\n", err.message);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return code != TEMPORAL_OK;
}
