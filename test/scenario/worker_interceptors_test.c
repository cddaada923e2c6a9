/*
 * Interceptors, headers, plugins. Goal: a tenant that the client names travels to the workflow, its
 * activities (local ones too), children, signals, updates, queries and the next run, by
 * interceptors alone; headers that code sets itself arrive, too; the client's interceptors come
 * first; a call may be refused or changed; heartbeats and infos pass by; plugins bring interceptors
 * and hear of the worker's life.
 *
 * Method: a propagator of one header, tables that write down in which order they are called, and
 * workflows that return what they have found.
 */
#include <stdatomic.h>

#include "worker_fixture.h"

/* ---- a propagator: what a program would use ---- */

#define TENANT "tenant"

static const struct temporal_payload acme = { .data = { "\"acme\"", 6 } };

static const char *text_of(const struct temporal_entries *headers)
{
	static const char none[] = "nobody";
	const struct temporal_payload *value = temporal_entries_find(headers, TENANT);

	if (!value)
		return none;
	return value->data.len == 6 && !memcmp(value->data.data, "\"acme\"", 6) ? "acme" : "other";
}

static enum temporal_code name_tenant(struct temporal_client_next *next,
	struct temporal_client_call *call, void *user, struct temporal_error *err)
{
	enum temporal_code code = temporal_client_call_header(call, TENANT, &acme, err);

	return code ? code : temporal_client_next(next, call, err);
}

static struct wf_future *pass_tenant(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out, void *user)
{
	const struct temporal_payload *tenant =
		temporal_entries_find(&wf_info(wf)->headers, TENANT);

	if (tenant)
		wf_outbound_header(wf, out, TENANT, tenant);
	return wf_next_out(wf, next, out);
}

/* Nexus headers are texts. */
static struct wf_future *pass_as_text(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out, void *user)
{
	const struct temporal_payload text = { .data = { "acme", 4 } };

	if (temporal_entries_find(&wf_info(wf)->headers, TENANT))
		wf_outbound_header(wf, out, TENANT, &text);
	return wf_next_out(wf, next, out);
}

static const struct temporal_client_interceptor propagate_from_clients = { .start = name_tenant,
	.signal_with_start = name_tenant,
	.update_with_start = name_tenant,
	.signal = name_tenant,
	.query = name_tenant,
	.update = name_tenant };
static const struct temporal_workflow_interceptor propagate_in_workflows = { .activity =
										     pass_tenant,
	.local = pass_tenant,
	.child = pass_tenant,
	.signal_external = pass_tenant,
	.continue_as_new = pass_tenant,
	.nexus = pass_as_text };
static const struct temporal_interceptor propagator = { .client = &propagate_from_clients,
	.workflow = &propagate_in_workflows };

/* ---- what the code finds ---- */

struct whose_in {
	const char *what;
};
typedef const char *whose_out;
TEMPORAL_ACTIVITY_CONTRACT(whose, "whose", what);

static const struct temporal_failure *whose_run(
	struct act *act, const struct whose_in *in, whose_out *out)
{
	act_heartbeat(act, in->what);
	*out = act_printf(act, "%s of %s", in->what, text_of(&act_info(act)->headers));
	return NULL;
}
TEMPORAL_ACTIVITY(whose);

struct pick_in {
	const char *what;
};
typedef const char *pick_out;
TEMPORAL_NEXUS_CONTRACT(pick, "pick", what);
TEMPORAL_NEXUS_SERVICE_CONTRACT(garden, "garden", &pick);

static const struct temporal_failure *pick_run(
	struct nexus *nexus, const struct pick_in *in, pick_out *out)
{
	const char *tenant = nexus_header(nexus, TENANT);

	*out = nexus_printf(nexus, "%s of %s", in->what, tenant ? tenant : "nobody");
	return NULL;
}
TEMPORAL_NEXUS(pick);
TEMPORAL_NEXUS_SERVICE(garden, &pick_operation);

struct leaf_in {
	int next;
};
typedef const char *leaf_out;
TEMPORAL_WORKFLOW_CONTRACT(leaf, "Leaf", next);

static leaf_out leaf_run(struct wf *wf, const struct leaf_in *in)
{
	if (in->next)
		wf_continue_as_new(wf, leaf, NULL, .next = 0);
	return wf_printf(wf, "leaf of %s", text_of(wf_headers(wf)));
}
TEMPORAL_WORKFLOW(leaf);

struct tree_in {
	const char *scene;
};
typedef const char *tree_out;
TEMPORAL_WORKFLOW_CONTRACT(tree, "Tree", scene);
struct tree {
	const char *told, *asked;
};
struct tree_tell_in {
	const char *what;
};
TEMPORAL_SIGNAL_CONTRACT(tree_tell, "tell", what);
typedef const char *tree_ask_out;
TEMPORAL_UPDATE_CONTRACT_0(tree_ask, "ask");
typedef const char *tree_see_out;
TEMPORAL_QUERY_CONTRACT_0(tree_see, "see");

static void tree_tell_run(struct wf *wf, struct tree *self, const struct tree_tell_in *in)
{
	self->told = wf_printf(wf, "%s by %s", in->what, text_of(wf_headers(wf)));
}
TEMPORAL_SIGNAL(tree, tell);

static const struct temporal_failure *tree_ask_check(const struct wf *wf, const struct tree *self)
{
	if (strcmp(text_of(wf_headers(wf)), "acme") != 0)
		return wf_failure(wf, "NotYours", "who asks?");
	return NULL;
}

static tree_ask_out tree_ask_run(struct wf *wf, struct tree *self)
{
	self->asked = text_of(wf_headers(wf));
	return wf_printf(wf, "asked by %s", self->asked);
}
TEMPORAL_UPDATE_0(tree, ask);

static tree_see_out tree_see_run(const struct wf *wf, const struct tree *self)
{
	return wf_printf(wf, "seen by %s", text_of(wf_headers(wf)));
}
TEMPORAL_QUERY_0(tree, see);

static bool is_told(const void *state)
{
	const struct tree *self = state;

	return self->told && self->asked;
}

static tree_out tree_run(struct wf *wf, struct tree *self, const struct tree_in *in)
{
	const struct wf_activity_opts quick = { .start_to_close_ms = 5000 };

	if (!strcmp(in->scene, "wait")) {
		wf_wait(wf, wf_until(wf, is_told, self));
		wf_receive_raw(wf, "unhandled");
		return wf_printf(wf, "%s, %s, received of %s", self->told, self->asked,
			text_of(wf_received_headers(wf)));
	}
	if (!strcmp(in->scene, "own")) {
		const struct temporal_entry mine = { TENANT, acme };

		return wf_activity(wf, whose,
			WF_ACTIVITY_OPTS(.start_to_close_ms = 5000, .headers = { &mine, 1 }),
			.what = "own");
	}
	if (!strncmp(in->scene, "nexus ", 6))
		return wf_nexus(wf, pick,
			WF_NEXUS_OPTS(.endpoint = in->scene + 6, .service = "garden",
				.schedule_to_close_ms = 10000),
			.what = "fruit");
	const char *remote = wf_activity(wf, whose, &quick, .what = "remote");
	const char *local =
		wf_local(wf, whose, WF_LOCAL_OPTS(.start_to_close_ms = 5000), .what = "local");
	const char *child = wf_child(wf, leaf, NULL, .next = !strcmp(in->scene, "chain"));

	wf_sleep(wf, 1);
	return wf_printf(
		wf, "%s, %s, %s, self of %s", remote, local, child, text_of(&wf_info(wf)->headers));
}
static const struct temporal_handler *const tree_handlers[] = { &tree_tell_handler,
	&tree_ask_handler, &tree_see_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(tree, tree_handlers);

/* ---- the order, and what may be done ---- */

static char order[2048];

static void note(const char *what, const char *who)
{
	size_t used = strlen(order);

	snprintf(order + used, sizeof(order) - used, "%s%s ", what, who);
}

static enum temporal_code refuse(struct temporal_error *err)
{
	err->code = TEMPORAL_PERMISSION_DENIED;
	snprintf(err->message, sizeof(err->message), "not by this program");
	return err->code;
}

static enum temporal_code note_start(struct temporal_client_next *next,
	struct temporal_client_call *call, void *user, struct temporal_error *err)
{
	note("start", user);
	if (!strcmp(call->name, "Forbidden"))
		return refuse(err);
	return temporal_client_next(next, call, err);
}

static atomic_int ended, failed;

static void note_end(
	const struct temporal_client_call *call, const struct temporal_error *err, void *user)
{
	ended += call->operation == TEMPORAL_CALL_START && call->workflow_id[0] != '\0';
	failed += err != NULL;
}

static void note_run(struct wf *wf, struct wf_next *next, struct wf_inbound *in, void *user)
{
	if (!wf_is_replaying(wf))
		note("run", user);
	wf_next_in(wf, next, in);
	if (!wf_is_replaying(wf))
		note("ran", user);
}

/* The duration of the timer and the argument of the activity are changed on their way. */
static struct wf_future *note_timer(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out, void *user)
{
	if (!wf_is_replaying(wf))
		note("timer", user);
	out->ms = out->ms > 1000 ? 1 : out->ms;
	return wf_next_out(wf, next, out);
}

static struct wf_future *note_activity(
	struct wf *wf, struct wf_next *next, struct wf_outbound *out, void *user)
{
	const struct temporal_payloads *arguments = wf_outbound_arguments(wf, out);
	struct temporal_payload *changed = wf_alloc(wf, sizeof(*changed));
	struct temporal_payloads *all = wf_alloc(wf, sizeof(*all));

	if (!wf_is_replaying(wf))
		note("activity", user);
	changed->data.data = wf_printf(wf, "\"%.*s%s\"", (int)arguments->items[0].data.len - 2,
		(const char *)arguments->items[0].data.data + 1, (const char *)user);
	changed->data.len = strlen(changed->data.data);
	*all = (struct temporal_payloads){ changed, 1 };
	out->arguments = all;
	return wf_next_out(wf, next, out);
}

static const struct temporal_failure *note_execute(
	struct act *act, struct act_next *next, struct act_inbound *in, void *user)
{
	note("execute", user);
	return act_next_execute(act, next, in);
}

static void note_heartbeat(
	struct act *act, struct act_next *next, const struct temporal_payloads *details, void *user)
{
	note("beat", user);
	assert_int_equal(details->count, 1);
	act_next_heartbeat(act, next, details);
}

static const struct act_info *note_info(const struct act *act, struct act_next *next, void *user)
{
	note("info", user);
	return act_next_info(act, next);
}

static const struct temporal_failure *note_operation(
	struct nexus *nexus, struct nexus_next *next, struct nexus_inbound *in, void *user)
{
	note("operation", user);
	assert_string_equal(((const struct pick_in *)in->in)->what, "fruit");
	return nexus_next_start(nexus, next, in);
}

static const struct temporal_nexus_interceptor note_nexus = { .start = note_operation };
static const struct temporal_client_interceptor note_client = { .start = note_start,
	.ended = note_end };
static const struct temporal_workflow_interceptor note_workflow = {
	.execute = note_run, .timer = note_timer, .activity = note_activity
};
static const struct temporal_activity_interceptor note_activities = {
	.execute = note_execute, .heartbeat = note_heartbeat, .info = note_info
};
static const struct temporal_interceptor first = { &note_client, &note_workflow, &note_activities,
	&note_nexus, (void *)(uintptr_t) "1", { 0 } },
					 second = { &note_client, &note_workflow, &note_activities,
						 &note_nexus, (void *)(uintptr_t) "2", { 0 } };

struct nap_in {
	const char *what;
};
typedef const char *nap_out;
TEMPORAL_WORKFLOW_CONTRACT(nap, "Nap", what);
typedef void forbidden_out;
TEMPORAL_WORKFLOW_CONTRACT_0(forbidden, "Forbidden");

static nap_out nap_run(struct wf *wf, const struct nap_in *in)
{
	wf_sleep(wf, TEMPORAL_HOURS(1));
	return wf_activity(
		wf, whose, WF_ACTIVITY_OPTS(.start_to_close_ms = 5000), .what = in->what);
}
TEMPORAL_WORKFLOW(nap);

/* ---- tests ---- */

static struct temporal_client *client_with(const struct temporal_interceptor *interceptor)
{
	struct temporal_error err;
	struct temporal_client *client = temporal_client_connect(&err,
		.target = test_server_shared(),
		.interceptors = (const struct temporal_interceptor *const[]){ interceptor, NULL });

	assert_non_null(client);
	return client;
}

static struct temporal_worker *worker_with(struct temporal_client *client,
	const struct temporal_interceptor *interceptor, int32_t max_cached)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_worker *worker = temporal_worker_new(client, &err,
		.task_queue = fixture.queue, .on_log = on_log, .max_cached_workflows = max_cached,
		.workflows = WORKFLOWS(&tree_workflow, &leaf_workflow, &nap_workflow),
		.activities = ACTIVITIES(&whose_activity),
		.nexus_services =
			(const struct temporal_nexus_service *const[]){ &garden_service, NULL },
		.interceptors = (const struct temporal_interceptor *const[]){ interceptor, NULL });

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	return worker;
}

static void end(struct temporal_worker *worker, struct temporal_client *client)
{
	struct temporal_error err;

	temporal_worker_shutdown(worker);
	assert_int_equal(temporal_worker_wait(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

#define START_BY(client_, X_, ...) start_by(client_, &X_, &(const struct X_##_in){ __VA_ARGS__ })
static struct temporal_run *start_by(
	struct temporal_client *client, const struct temporal_contract *contract, const void *in)
{
	struct temporal_start_opts opts = { .task_queue = fixture.queue,
		.execution_timeout_ms = 60000 };
	struct temporal_error err;
	struct temporal_run *run =
		temporal_start_contract_(client, contract, in, &opts, sizeof(opts), &err);

	if (!run)
		print_message("%s\n", err.message);
	assert_non_null(run);
	return run;
}

/* With a cache and without one: headers are in history. */
static void a_tenant_travels_with_all(void **state)
{
	for (int cached = 0; cached < 2; cached++) {
		struct temporal_client *client = client_with(&propagator);
		struct temporal_worker *worker =
			worker_with(client, NULL, cached ? 0 : TEMPORAL_OFF);

		assert_result(START_BY(client, tree, .scene = cached ? "chain" : "tree"), &tree,
			"remote of acme, local of acme, leaf of acme, self of acme");
		end(worker, client);
	}
}

static void handlers_see_the_headers_of_their_calls(void **state)
{
	struct temporal_client *client = client_with(&propagator);
	struct temporal_worker *worker = worker_with(client, NULL, 0);
	struct temporal_run *run = START_BY(client, tree, .scene = "wait");
	const struct temporal_payloads none = { NULL, 0 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_result *kept;
	const char *text;

	assert_int_equal(temporal_query_0(run, tree_see, &text, &kept, &err), TEMPORAL_OK);
	assert_string_equal(text, "seen by acme");
	temporal_result_unref(kept);
	assert_int_equal(temporal_update_0(run, tree_ask, &text, &kept, &err), TEMPORAL_OK);
	assert_string_equal(text, "asked by acme");
	temporal_result_unref(kept);
	assert_int_equal(temporal_signal(run, tree_tell, &err, .what = "told"), TEMPORAL_OK);
	assert_int_equal(temporal_signal_named_0(run, "unhandled", none, &err), TEMPORAL_OK);
	assert_result(run, &tree, "told by acme, acme, received of acme");
	end(worker, client);
}

/* Without interceptors, the same headers may be set by hand. */
static void code_sets_headers_itself(void **state)
{
	struct temporal_worker *worker = worker_with(temporal_client_ref(fixture.client), NULL, 0);

	assert_result(START(tree, .scene = "own"), &tree, "own of acme");
	assert_result(START(tree, .scene = "tree"), &tree,
		"remote of nobody, local of nobody, leaf of nobody, self of nobody");
	end(worker, fixture.client);
}

static void the_clients_come_first(void **state)
{
	struct temporal_client *client = client_with(&first);
	struct temporal_worker *worker = worker_with(client, &second, 0);
	struct temporal_start_opts opts = { .task_queue = fixture.queue };
	struct temporal_error err;

	order[0] = '\0';
	assert_null(temporal_start_0(client, forbidden, &opts, &err));
	assert_int_equal(err.code, TEMPORAL_PERMISSION_DENIED);
	assert_non_null(strstr(err.message, "not by this program"));
	assert_result(START_BY(client, nap, .what = "x"), &nap, "x21 of nobody");
	end(worker, client);
	assert_string_equal(order, "start1 start1 run1 run2 timer2 timer1 activity2 activity1 "
				   "execute1 execute2 beat2 beat1 info2 info1 ran2 ran1 ");
	assert_int_equal(ended, 1);
	assert_int_equal(failed, 0);
}

static void make_endpoint(const char *name)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char spec[512];

	snprintf(spec, sizeof(spec),
		"{\"spec\":{\"name\":\"%s\",\"target\":{\"worker\":{\"namespace\":\"default\","
		"\"taskQueue\":\"%s\"}}}}",
		name, fixture.queue);
	struct temporal_buffer *made = temporal_client_call(fixture.client,
		"/temporal.api.operatorservice.v1.OperatorService/CreateNexusEndpoint",
		(struct temporal_bytes){ spec, strlen(spec) }, true, &err);

	if (!made)
		print_message("%s\n", err.message);
	assert_non_null(made);
	temporal_buffer_unref(made);
}

/* The real server learns of a new endpoint a little later: the operation is tried again. */
static void operations_are_intercepted(void **state)
{
	struct temporal_client *client = client_with(&propagator);
	struct temporal_worker *worker = worker_with(client, &second, 0);
	char scene[96];

	snprintf(scene, sizeof(scene), "nexus %s", fixture.queue);
	make_endpoint(fixture.queue);
	order[0] = '\0';
	assert_result(START_BY(client, tree, .scene = scene), &tree, "fruit of acme");
	end(worker, client);
	assert_string_equal(order, "run2 operation2 ran2 ");
}

/* ---- plugins ---- */

static enum temporal_code plug_client(
	struct temporal_client_opts *opts, size_t size, void *user, struct temporal_error *err)
{
	static const struct temporal_interceptor *const both[] = { &propagator, NULL };

	assert_true(size >= offsetof(struct temporal_client_opts, plugins));
	opts->interceptors = both;
	return TEMPORAL_OK;
}

static enum temporal_code plug_worker(
	struct temporal_worker_opts *opts, size_t size, void *user, struct temporal_error *err)
{
	note("worker", user);
	opts->task_queue = fixture.queue;
	return strcmp(user, "bad") == 0 ? refuse(err) : TEMPORAL_OK;
}

static enum temporal_code note_begin(
	struct temporal_worker *worker, void *user, struct temporal_error *err)
{
	note("begin", user);
	return strcmp(user, "late") == 0 ? refuse(err) : TEMPORAL_OK;
}

static void note_stop(struct temporal_worker *worker, void *user)
{
	note("stop", user);
}

static const struct temporal_plugin of_client = { "test.client", plug_client, plug_worker,
	note_begin, note_stop, (void *)(uintptr_t) "1", { 0 } };
static const struct temporal_plugin of_worker = { "test.worker", NULL, plug_worker, note_begin,
	note_stop, (void *)(uintptr_t) "2", { 0 } };
static const struct temporal_plugin bad = {
	.name = "test.bad", .worker = plug_worker, .user = (void *)(uintptr_t) "bad"
};
static const struct temporal_plugin late = { .name = "test.late",
	.start = note_begin,
	.stop = note_stop,
	.user = (void *)(uintptr_t) "late" };

static struct temporal_worker *plugged_worker(struct temporal_client *client,
	const struct temporal_plugin *plugin, struct temporal_error *err)
{
	return temporal_worker_new(client, err, .task_queue = "another", .on_log = on_log,
		.workflows = WORKFLOWS(&tree_workflow, &leaf_workflow),
		.activities = ACTIVITIES(&whose_activity),
		.plugins = (const struct temporal_plugin *const[]){ plugin, NULL });
}

static void plugins_change_options_and_hear_of_the_life(void **state)
{
	struct temporal_error err;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = test_server_shared(),
			.plugins = (const struct temporal_plugin *const[]){ &of_client, NULL });

	assert_non_null(client);
	order[0] = '\0';
	struct temporal_worker *worker = plugged_worker(client, &of_worker, &err);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	assert_result(START_BY(client, tree, .scene = "tree"), &tree,
		"remote of acme, local of acme, leaf of acme, self of acme");
	temporal_worker_unref(worker);
	assert_string_equal(order, "worker1 worker2 begin1 begin2 stop2 stop1 ");
	assert_null(plugged_worker(client, &bad, &err));
	assert_int_equal(err.code, TEMPORAL_PERMISSION_DENIED);
	order[0] = '\0';
	worker = plugged_worker(client, &late, &err);
	assert_non_null(worker);
	assert_int_equal(temporal_worker_run(worker, &err), TEMPORAL_PERMISSION_DENIED);
	assert_string_equal(order, "worker1 begin1 beginlate stop1 ");
	temporal_worker_unref(worker);
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_tenant_travels_with_all, begin_test),
		cmocka_unit_test_setup(handlers_see_the_headers_of_their_calls, begin_test),
		cmocka_unit_test_setup(code_sets_headers_itself, begin_test),
		cmocka_unit_test_setup(the_clients_come_first, begin_test),
		cmocka_unit_test_setup(operations_are_intercepted, begin_test),
		cmocka_unit_test_setup(plugins_change_options_and_hear_of_the_life, begin_test),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
