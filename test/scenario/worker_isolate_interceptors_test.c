/*
 * Goal: a worker's interceptors of activities, and its client's, are around those in child
 * processes as around others, in the child; what they point to is found there, or the worker is
 * refused. Method: interceptors that write down in which order they are called, to memory of their
 * process; the activity's answer, which they change, brings that here.
 */
#include "worker_fixture.h"

#include <stdlib.h>

#include <temporal/interceptor.h>

struct scene_in {
	const char *what;
};
typedef const char *scene_out;
TEMPORAL_ACTIVITY_CONTRACT(scene, "scene", what);

struct play_in {
	const char *what;
};
typedef const char *play_out;
TEMPORAL_WORKFLOW_CONTRACT(play, "Play", what);

static const struct temporal_failure *scene_run(
	struct act *act, const struct scene_in *in, scene_out *out)
{
	*out = in->what;
	return NULL;
}
TEMPORAL_ACTIVITY(scene);

static play_out play_run(struct wf *wf, const struct play_in *in)
{
	const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	const struct temporal_entry header = { "tenant", { .data = { "\"acme\"", 6 } } };
	const struct wf_activity_opts opts = {
		.start_to_close_ms = 20000, .retry = &once, .headers = { &header, 1 }
	};
	struct wf_future *future = wf_start_activity(wf, scene, &opts, .what = in->what);
	const struct temporal_failure *failure = wf_try(wf, future);

	if (failure)
		return wf_printf(wf, "%s %s", failure->cause->type, failure->cause->message);
	return wf_await(wf, scene, future);
}
TEMPORAL_WORKFLOW(play);

/* ---- the worker ---- */

static char lines[1024]; /* of activities' own */

static void keep_log(const struct temporal_worker_log *line, void *user)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	size_t used = strlen(lines);

	if (strcmp(line->activity_type, "scene") == 0 && strncmp(line->message, "tenant ", 7) == 0)
		snprintf(lines + used, sizeof(lines) - used, "%s, ", line->message);
	pthread_mutex_unlock(&lock);
}

static const struct temporal_worker_opts *with(struct temporal_worker_opts *opts)
{
	static const struct temporal_workflow *const workflows[] = { &play_workflow, NULL };
	static const struct temporal_activity *const activities[] = { &scene_activity, NULL };

	opts->task_queue = fixture.queue;
	opts->workflows = workflows;
	opts->activities = activities;
	opts->on_log = keep_log;
	return opts;
}

static void start_with(struct temporal_worker_opts opts)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	lines[0] = '\0';
	fixture.worker = temporal_worker_new_(fixture.client, with(&opts), sizeof(opts), &err);
	if (!fixture.worker || temporal_worker_start(fixture.worker, &err) != TEMPORAL_OK)
		print_message("%s\n", err.message);
	assert_int_equal(err.code, TEMPORAL_OK);
}

static void start_isolated(struct temporal_worker_opts opts)
{
	opts.isolation = TEMPORAL_ISOLATE_PROCESS;
	start_with(opts);
}

/* ---- interceptors ---- */

/* Of the process that it is in. */
struct notes {
	const char *name;
	char order[256];
};
static struct notes outer_notes = { .name = "outer" }, inner_notes = { .name = "inner" };
static char order[512];
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const char *what, const struct notes *notes)
{
	pthread_mutex_lock(&order_lock);
	size_t used = strlen(order);

	snprintf(order + used, sizeof(order) - used, "%s %s, ", notes->name, what);
	pthread_mutex_unlock(&order_lock);
}

/* Lets pass who has a tenant, logs, and changes the answer; its state is the child's own. */
static const struct temporal_failure *around(
	struct act *act, struct act_next *next, struct act_inbound *in, void *user)
{
	const struct temporal_payload *tenant =
		temporal_entries_find(&act_info(act)->headers, "tenant");
	const struct scene_in *given = in->in;

	if (strcmp(given->what, "refused") == 0)
		return act_failure(act, "Refused", "by %s", ((struct notes *)user)->name);
	note("in", user);
	act_log(act, TEMPORAL_LOG_WARN, "tenant %.*s", tenant ? (int)tenant->data.len : 0,
		tenant ? (const char *)tenant->data.data : "");
	act_heartbeat(act, 1);
	const struct temporal_failure *failure = act_next_execute(act, next, in);

	note("out", user);
	if (!failure)
		*(scene_out *)in->out =
			act_printf(act, "%s%s %d", order, *(scene_out *)in->out, (int)getpid());
	return failure;
}

static void beats(
	struct act *act, struct act_next *next, const struct temporal_payloads *details, void *user)
{
	note("beats", user);
	act_next_heartbeat(act, next, details);
}

static const struct act_info *informs(const struct act *act, struct act_next *next, void *user)
{
	note("informs", user);
	return act_next_info(act, next);
}

static const struct temporal_activity_interceptor around_activities = {
	.execute = around, .heartbeat = beats, .info = informs
};
static const struct temporal_activity_interceptor only_around = { .execute = around };
static const struct temporal_interceptor outer = { .activity = &around_activities,
	.user = &outer_notes };

#define INTERCEPTORS(...) ((const struct temporal_interceptor *const[]){ __VA_ARGS__, NULL })

/* The second table was made here, which does not matter: its functions and notes were not. */
static void interceptors_are_around_it(void **state)
{
	const struct temporal_interceptor inner = { .activity = &only_around,
		.user = &inner_notes };
	int pid = 0;

	start_isolated((struct temporal_worker_opts){
		.interceptors = INTERCEPTORS(&outer, &inner), .max_isolated_processes = 1 });
	char *text = result_text(START(play, .what = "plain"), &play);
	/* The inner one puts in front of the text what has happened by then, the outer one all. */
	const char *last = strstr(text, "plain ");

	assert_non_null(last);
	assert_memory_equal(text,
		"outer informs, outer in, outer beats, outer informs, inner in, "
		"outer beats, inner out, outer out, outer informs, ",
		strlen("outer informs, outer in, outer beats, outer informs, inner in, "
		       "outer beats, inner out, outer out, "));
	assert_int_equal(sscanf(last, "plain %d", &pid), 1);
	assert_int_not_equal(pid, 0);
	assert_int_not_equal(pid, getpid());
	free(text);
	assert_result(START(play, .what = "refused"), &play, "Refused by outer");
	assert_string_equal(order, ""); /* nothing of them was called here */
	stop_worker();
	assert_string_equal(lines, "tenant \"acme\", tenant \"acme\", ");
}

/* As those of its client. */
static void a_clients_interceptors_are_too(void **state)
{
	struct temporal_error err;
	struct temporal_client *shared = fixture.client;

	fixture.client = temporal_client_connect(
		&err, .target = test_server_shared(), .interceptors = INTERCEPTORS(&outer));
	assert_non_null(fixture.client);
	start_isolated((struct temporal_worker_opts){ 0 });
	char *text = result_text(START(play, .what = "plain"), &play);

	assert_memory_equal(text, "outer informs, outer in", 23);
	free(text);
	stop_worker();
	temporal_client_unref(fixture.client);
	fixture.client = shared;
}

static void what_children_cannot_find_is_refused(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct notes *made = calloc(1, sizeof(*made));
	const struct temporal_interceptor of_heap = { .activity = &around_activities,
		.user = made };
	const struct temporal_interceptor number = { .activity = &only_around,
		.user = (void *)(uintptr_t)7 };
	struct temporal_worker_opts opts = { .interceptors = INTERCEPTORS(&number, &of_heap),
		.isolation = TEMPORAL_ISOLATE_PROCESS };

	assert_non_null(made);
	made->name = "made";
	assert_null(temporal_worker_new_(fixture.client, with(&opts), sizeof(opts), &err));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "interceptor 2 of activities has a .user"));
	/* On threads nothing speaks against it. */
	start_with((struct temporal_worker_opts){ .interceptors = INTERCEPTORS(&of_heap) });
	free(result_text(START(play, .what = "plain"), &play));
	stop_worker();
	assert_memory_equal(order, "made informs, made in", 21);
	order[0] = '\0';
	free(made);
}

static void they_may_be_left_out(void **state)
{
	struct notes *made = calloc(1, sizeof(*made));
	const struct temporal_interceptor of_heap = { .activity = &around_activities,
		.user = made };

	start_isolated((struct temporal_worker_opts){
		.interceptors = INTERCEPTORS(&of_heap), .no_isolated_interceptors = true });
	assert_result(START(play, .what = "plain"), &play, "plain");
	stop_worker();
	free(made);
}

int main(int argc, char **argv)
{
	temporal_isolate_main(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(interceptors_are_around_it, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			a_clients_interceptors_are_too, begin_test, end_test),
		cmocka_unit_test_setup_teardown(
			what_children_cannot_find_is_refused, begin_test, end_test),
		cmocka_unit_test_setup_teardown(they_may_be_left_out, begin_test, end_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
