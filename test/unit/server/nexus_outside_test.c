/*
 * Requests to other servers. Goal: an operation of an endpoint outside and a callback by URL are
 * sent as the Nexus HTTP API has them, whatever is answered has the outcome that it says, and
 * callbacks go to no address that the operator has not named. Method: requests are caught before
 * the network, and answered by hand.
 */
#include "base/mem.h"
#include "fake_workflow.h"
#include "server/nexus/http_client.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define ALLOWED "callback.allowedAddresses="

static struct nexus_outgoing *caught;

static void catch_it(struct server *server, struct nexus_outgoing *outgoing)
{
	assert_null(caught);
	caught = outgoing;
}

/* The answer of the other side; status 0: none. */
static void answer_it(unsigned status, const char *type, const char *body)
{
	struct nexus_outgoing *outgoing = caught;

	assert_non_null(outgoing);
	caught = NULL;
	outgoing->status = status;
	snprintf(outgoing->error, sizeof(outgoing->error), "no route");
	outgoing->in[outgoing->n_in++] = (struct nexus_header){ "content-type", type };
	outgoing->in[outgoing->n_in++] =
		(struct nexus_header){ "nexus-operation-state", "canceled" };
	outgoing->in_body = mem_strdup(body);
	outgoing->in_len = strlen(body);
	transition_begin(&world.server);
	outgoing->done(outgoing);
	nexus_outgoing_free(outgoing);
	transition_end(&world.server);
	world_settle();
}

static int set_up_outside(void **state)
{
	set_up(state);
	caught = NULL;
	world.server.nexus_send = catch_it;
	state_set_text(&world.server, &world.server.nexus_callback_base, "http://here:1");
	return 0;
}

static void schedule_outside(void)
{
	Operatorservice__CreateNexusEndpointRequest in =
		OPERATORSERVICE__CREATE_NEXUS_ENDPOINT_REQUEST__INIT;
	Nexus__EndpointSpec spec = NEXUS__ENDPOINT_SPEC__INIT;
	Nexus__EndpointTarget target = NEXUS__ENDPOINT_TARGET__INIT;
	Nexus__EndpointTarget__External external = NEXUS__ENDPOINT_TARGET__EXTERNAL__INIT;
	Command__Command command = COMMAND__COMMAND__INIT, *commands = &command;
	Command__ScheduleNexusOperationCommandAttributes attributes =
		COMMAND__SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES__INIT;

	external.url = "http://there/base/";
	target.variant_case = NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL;
	target.external = &external;
	spec.name = "outside";
	spec.target = &target;
	in.spec = &spec;
	call_well(nexus_create_endpoint, &in);
	start_workflow();
	attributes.endpoint = "outside";
	attributes.service = "a service";
	attributes.operation = "op";
	command.command_type = ENUMS__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION;
	command.attributes_case =
		COMMAND__COMMAND__ATTRIBUTES_SCHEDULE_NEXUS_OPERATION_COMMAND_ATTRIBUTES;
	command.schedule_nexus_operation_command_attributes = &attributes;
	decide(&commands, 1);
}

static const char *sent_header(const char *name)
{
	return nexus_http_get(caught->headers, caught->n_headers, name);
}

static void operation_outside(void **state)
{
	static const struct {
		unsigned status;
		const char *type, *body, *events;
	} cases[] = {
		{ 200, "application/json", "1", "1 5 6 7 48 50 5" },
		{ 201, "application/json", "{\"token\":\"t\",\"state\":\"running\"}",
			"1 5 6 7 48 49 5" },
		{ 201, "application/json", "{}", "1 5 6 7 48" },
		{ 424, "application/json", "{\"message\":\"no\"}", "1 5 6 7 48 52 5" },
		{ 404, "text/plain", "what?", "1 5 6 7 48 51 5" },
		{ 503, "text/plain", "later", "1 5 6 7 48" },
		{ 0, "", "", "1 5 6 7 48" },
		{ 302, "", "", "1 5 6 7 48" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			tear_down(state);
			set_up_outside(state);
		}
		schedule_outside();
		assert_string_equal(caught->url,
			"http://there/base/a%20service/op?callback=http%3A%2F%2Fhere%3A1"
			"%2Fnamespaces%2Fdefault%2Fnexus%2Fcallback");
		assert_string_equal(sent_header("request-timeout"), "10000ms");
		assert_true(*sent_header("nexus-callback-temporal-callback-token"));
		assert_true(*sent_header("nexus-link"));
		answer_it(cases[i].status, cases[i].type, cases[i].body);
		assert_string_equal(world_events(current_run()), cases[i].events);
	}
}

/* Starts the workflow with a callback to the URL; false: refused with that text. */
static void start_with(const char *url, const char *refusal)
{
	Workflowservice__StartWorkflowExecutionRequest in =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;
	Common__WorkflowType type = COMMON__WORKFLOW_TYPE__INIT;
	Common__Callback callback = COMMON__CALLBACK__INIT, *callbacks = &callback;
	Common__Callback__Nexus nexus = COMMON__CALLBACK__NEXUS__INIT;

	nexus.url = url;
	callback.variant_case = COMMON__CALLBACK__VARIANT_NEXUS;
	callback.nexus = &nexus;
	type.name = "type";
	in.namespace_ = "default";
	in.workflow_id = "w";
	in.workflow_type = &type;
	in.task_queue = &queue;
	in.completion_callbacks = &callbacks;
	in.n_completion_callbacks = 1;
	if (refusal)
		call_badly(frontend_start, &in, TEMPORAL_INVALID_ARGUMENT, refusal);
	else
		call_well(frontend_start, &in);
}

static void allow(const char *line, enum temporal_code expected)
{
	enum temporal_code code = TEMPORAL_OK;

	assert_true(nexus_rules_set(&world.server, line, &code, NULL));
	assert_int_equal(code, expected);
}

static void addresses(void **state)
{
	enum temporal_code code;

	(void)state;
	assert_false(nexus_rules_set(&world.server, "other=[]", &code, NULL));
	start_with("http://a:1/x", "invalid url: url does not match any configured callback "
				   "address: http://a:1/x");
	allow(ALLOWED "[{\"Pattern\":\"a:*\"},{\"Pattern\":\"*.b\",\"AllowInsecure\":true},1]",
		TEMPORAL_OK);
	start_with("http://a:1/x", "invalid url: callback address does not allow insecure "
				   "connections: http://a:1/x");
	start_with("http://b/", "invalid url: url does not match any configured callback address: "
				"http://b/");
	start_with("http://x.y.b/", NULL);
	allow(ALLOWED "{", TEMPORAL_INVALID_ARGUMENT);
}

static void callback_by_url(void **state)
{
	Workflowservice__TerminateWorkflowExecutionRequest in =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;

	(void)state;
	allow("component.callbacks.allowedAddresses=[{\"Pattern\":\"*\",\"AllowInsecure\":true}]",
		TEMPORAL_OK);
	start_with("http://there/cb", NULL);
	in.namespace_ = "default";
	in.workflow_execution = &workflow;
	call_well(frontend_terminate, &in);
	const struct nexus_callback *callback = current_run()->nexus_callbacks;
	assert_string_equal(caught->url, "http://there/cb");
	assert_string_equal(sent_header("nexus-operation-state"), "failed");
	assert_true(*sent_header("nexus-operation-close-time"));
	answer_it(503, "text/plain", "later");
	assert_int_equal(callback->state, ENUMS__CALLBACK_STATE__CALLBACK_STATE_BACKING_OFF);
	world_pass(1000 * MS);
	answer_it(200, "", "");
	assert_int_equal(callback->state, ENUMS__CALLBACK_STATE__CALLBACK_STATE_SUCCEEDED);
	assert_int_equal(callback->attempt, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(operation_outside, set_up_outside, tear_down),
		cmocka_unit_test_setup_teardown(addresses, set_up_outside, tear_down),
		cmocka_unit_test_setup_teardown(callback_by_url, set_up_outside, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
