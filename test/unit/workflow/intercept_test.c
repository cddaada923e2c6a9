/*
 * Interceptors of workflows without a worker. Goal: all that comes in and all that is asked for
 * passes through them, in the order that is promised; what they set is in the commands; they may
 * end what they are about, go on twice, or fail; without any of a kind nothing changes. Method: as
 * run_test.c; two tables that write letters down.
 */
#include "play.h"

static char order[512];

static void note(const char *what, const void *user)
{
	size_t used = strlen(order);

	snprintf(order + used, sizeof(order) - used, "%s%s ", what, (const char *)user);
}

struct job_in {
	const char *scene;
};
typedef const char *job_out;
TEMPORAL_WORKFLOW_CONTRACT(job, "Job", scene);
struct work_in {
	int n;
};
typedef int work_out;
TEMPORAL_ACTIVITY_CONTRACT(work, "work", n);
typedef int ask_out;
TEMPORAL_NEXUS_CONTRACT_0(ask, "ask");
TEMPORAL_SIGNAL_CONTRACT_0(hint, "hint");
struct job {
	int told;
};
struct job_set_in {
	int n;
};
typedef int job_set_out;
TEMPORAL_UPDATE_CONTRACT(job_set, "set", n);
typedef int job_get_out;
TEMPORAL_QUERY_CONTRACT_0(job_get, "get");
TEMPORAL_SIGNAL_CONTRACT_0(job_tell, "tell");

static const struct temporal_failure *job_set_check(
	const struct wf *wf, const struct job *self, const struct job_set_in *in)
{
	note("check", "");
	return in->n < 0 ? wf_failure(wf, "Negative", "no") : NULL;
}

static job_set_out job_set_run(struct wf *wf, struct job *self, const struct job_set_in *in)
{
	note("set", "");
	self->told = in->n;
	return in->n;
}
TEMPORAL_UPDATE(job, set);

static job_get_out job_get_run(const struct wf *wf, const struct job *self)
{
	note("get", "");
	return self->told + (int)wf_headers(wf)->count;
}
TEMPORAL_QUERY_0(job, get);

static void job_tell_run(struct wf *wf, struct job *self)
{
	note("tell", "");
	self->told = 7;
}
TEMPORAL_SIGNAL_0(job, tell);

static job_out job_run(struct wf *wf, struct job *self, const struct job_in *in)
{
	note("run", "");
	if (!strcmp(in->scene, "ask")) {
		wf_detach(wf, wf_start_activity(wf, work,
				      WF_ACTIVITY_OPTS(.start_to_close_ms = 1000), .n = 1));
		wf_detach(wf,
			wf_start_local(wf, work, WF_LOCAL_OPTS(.start_to_close_ms = 1000), .n = 2));
		wf_detach(wf, wf_start_child(wf, job, WF_CHILD_OPTS(.id = "c"), .scene = "x"));
		wf_detach(wf, wf_external_signal_0(wf, "other", NULL, hint));
		wf_detach(wf,
			wf_start_nexus_0(wf, ask, WF_NEXUS_OPTS(.endpoint = "e", .service = "s")));
		wf_sleep(wf, 500);
	}
	if (!strcmp(in->scene, "next"))
		wf_continue_as_new(wf, job, NULL, .scene = "end");
	if (!strcmp(in->scene, "wait"))
		wf_sleep(wf, 1000);
	return in->scene;
}
static const struct temporal_handler *const handlers[] = { &job_set_handler, &job_get_handler,
	&job_tell_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(job, handlers);

static const struct temporal_workflow *const workflows[] = { &job_workflow, NULL };

/* ---- the interceptors ---- */

static void in(struct wf *wf, struct wf_next *next, struct wf_inbound *inbound, void *user)
{
	note(inbound->name, user);
	wf_next_in(wf, next, inbound);
	note("/", user);
}

static void query(const struct wf *wf, struct wf_next *next, struct wf_inbound *inbound, void *user)
{
	note(inbound->name, user);
	wf_next_query(wf, next, inbound);
}

/* Goes on twice: a check has no effects. */
static const struct temporal_failure *check(
	const struct wf *wf, struct wf_next *next, struct wf_inbound *inbound, void *user)
{
	const struct temporal_failure *failure = wf_next_check(wf, next, inbound);

	note("?", user);
	return failure ? failure : wf_next_check(wf, next, inbound);
}

static struct wf_future *out(
	struct wf *wf, struct wf_next *next, struct wf_outbound *outbound, void *user)
{
	const struct temporal_payload value = { .data = { user, 1 } };

	note(*outbound->name ? outbound->name : "timer", user);
	wf_outbound_header(wf, outbound, "by", &value); /* the last one to set it is the first */
	wf_outbound_header(wf, outbound, user, &value);
	return wf_next_out(wf, next, outbound);
}

static struct wf_future *none(
	struct wf *wf, struct wf_next *next, struct wf_outbound *outbound, void *user)
{
	return NULL;
}

static void instead(struct wf *wf, struct wf_next *next, struct wf_inbound *inbound, void *user)
{
	if (!strcmp(user, "fails"))
		wf_fail(wf, "Refused", "not %s", ((const struct job_in *)inbound->in)->scene);
}

static const struct temporal_workflow_interceptor all = { in, in, in, query, check, out, out, out,
	out, out, out, out };
static const struct temporal_workflow_interceptor nothing = { .execute = NULL };
static const struct temporal_workflow_interceptor ends = { .execute = instead };
static const struct temporal_workflow_interceptor loses = { .activity = none };
#define TABLE(name_, table_, user_) \
	static const struct temporal_interceptor name_ = { .workflow = &(table_), \
		.user = (void *)(uintptr_t)(user_) }
TABLE(first, all, "1");
TABLE(second, all, "2");
TABLE(empty, nothing, "");
TABLE(silent, ends, "silent");
TABLE(failing, ends, "fails");
TABLE(losing, loses, "");

static void open_with(struct play *play, const struct temporal_interceptor *const *list)
{
	order[0] = '\0';
	play_open(play, workflows);
	play->config.interceptors = list;
}

static const struct activation_headers *headers_of(const struct command *command)
{
	switch (command->kind) {
	case COMMAND_SCHEDULE_ACTIVITY:
		return &command->schedule_activity.headers;
	case COMMAND_SCHEDULE_LOCAL_ACTIVITY:
		return &command->schedule_local_activity.headers;
	case COMMAND_START_CHILD:
		return &command->start_child.headers;
	case COMMAND_SIGNAL_EXTERNAL:
		return &command->signal_external.headers;
	case COMMAND_CONTINUE_AS_NEW:
		return &command->continue_as_new.headers;
	default:
		return NULL;
	}
}

/* "2" and "1", and "by" of the first: it is the last that what leaves passes by. */
static void assert_headers(const struct command *command)
{
	const struct activation_headers *headers = headers_of(command);

	if (!headers)
		return;
	assert_int_equal(headers->count, 3);
	assert_string_equal(headers->items[0]->key, "by");
	assert_int_equal(headers->items[0]->value->data.data[0], '1');
	assert_string_equal(headers->items[1]->key, "2");
	assert_string_equal(headers->items[2]->key, "1");
}

static const struct temporal_interceptor *const both[] = { &first, &empty, &second, NULL };

static void what_is_asked_for_passes_by(void **state)
{
	struct play play;

	open_with(&play, both);
	play_start(&play, "Job", "\"ask\"", NULL);
	play_run(&play);
	assert_string_equal(order, "Job1 Job2 run work2 work1 work2 work1 Job2 Job1 hint2 hint1 "
				   "ask2 ask1 timer2 timer1 ");
	assert_int_equal(play.completion->n_commands, 6);
	for (size_t i = 0; i < play.completion->n_commands; i++)
		assert_headers(&play.completion->commands[i]);
	assert_int_equal(play.completion->commands[4].schedule_nexus.n_headers, 3);
	assert_string_equal(play.completion->commands[4].schedule_nexus.headers[0].value, "1");
	play_close(&play);
}

static void the_next_run_too(void **state)
{
	struct play play;

	open_with(&play, both);
	play_start(&play, "Job", "\"next\"", NULL);
	play_expect(&play, "continue as Job(\"end\")\n");
	assert_headers(&play.completion->commands[0]);
	assert_string_equal(order, "Job1 Job2 run Job2 Job1 "); /* what follows has no end */
	play_close(&play);
}

static void update(struct play *play, const char *id, const char *json)
{
	play_job(play, JOB_DO_UPDATE)->update = (struct activation_update){ .id = id,
		.protocol_instance_id = id,
		.name = "set",
		.input = play_one(play, json),
		.run_validator = true };
}

static void handlers_are_called_through_them(void **state)
{
	Common__Header__FieldsEntry entry = COMMON__HEADER__FIELDS_ENTRY__INIT,
				    *entries[] = { &entry };
	struct play play;

	open_with(&play, both);
	play_start(&play, "Job", "\"wait\"", NULL);
	play_run(&play);
	order[0] = '\0';
	play_signal(&play, "tell", NULL);
	play_run(&play);
	assert_string_equal(order, "tell1 tell2 tell /2 /1 ");
	order[0] = '\0';
	play_query(&play, "q", "get", NULL);
	entry.key = "one";
	entry.value = play_payload(&play, "1");
	play.jobs[0].query.headers = (struct activation_headers){ entries, 1 };
	play_expect(&play, "query q: 8\n");
	assert_string_equal(order, "get1 get2 get ");
	order[0] = '\0';
	update(&play, "u", "3");
	play_expect(&play, "update u accepted\nupdate u completed 3\n");
	assert_string_equal(order, "check ?2 check ?1 check ?2 check set1 set2 set /2 /1 ");
	order[0] = '\0';
	update(&play, "v", "-3");
	play_expect(&play, "update v rejected Negative: no\n");
	assert_string_equal(order, "check ?2 ?1 ");
	play_close(&play);
}

static void one_may_end_what_it_is_about(void **state)
{
	const struct temporal_interceptor *const silently[] = { &silent, NULL },
						 *const by_failure[] = { &failing, NULL };
	struct play play;

	open_with(&play, by_failure);
	play_start(&play, "Job", "\"x\"", NULL);
	play_expect(&play, "fail Refused: not x\n");
	assert_string_equal(order, "");
	play_close(&play);
	open_with(&play, silently);
	play_start(&play, "Job", "\"x\"", NULL);
	play_run(&play); /* no result was stored: a NULL string is none of its contract */
	assert_true(play.completion->failed);
	assert_string_equal(order, "");
	play_close(&play);
}

static void a_lost_future_fails_the_task(void **state)
{
	const struct temporal_interceptor *const list[] = { &losing, NULL };
	struct play play;

	open_with(&play, list);
	play_start(&play, "Job", "\"ask\"", NULL);
	play_expect(&play, "task failed: InvalidArgument: an interceptor of work has returned no "
			   "future\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_passes_by),
		cmocka_unit_test(the_next_run_too),
		cmocka_unit_test(handlers_are_called_through_them),
		cmocka_unit_test(one_may_end_what_it_is_about),
		cmocka_unit_test(a_lost_future_fails_the_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
