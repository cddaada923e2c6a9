/*
 * The Nexus HTTP API. Goal: each route does what its RPC side does, answers and errors have the
 * official server's statuses, headers and bodies, byte for byte; content becomes the payload that
 * its type says, and back. Method: exchanges by hand, without a network; one endpoint on "queue".
 */
#include "fake_endpoint.h"
#include "proto/payload.h"
#include "server/nexus/http.h"

static bool is_answered;

static void on_answer(struct nexus_exchange *exchange)
{
	is_answered = true;
}

static void begin(struct nexus_exchange *exchange, const char *url, const char *body)
{
	memset(exchange, 0, sizeof(*exchange));
	nexus_exchange_init(exchange, &world.server, on_answer);
	exchange->method = "POST";
	exchange->url = url;
	exchange->body = str_from(body);
	is_answered = false;
}

static void serve(struct nexus_exchange *exchange)
{
	frontend_serve(&exchange->request, nexus_http_serve);
	world_settle();
}

static void expect(struct nexus_exchange *exchange, unsigned status, const char *body)
{
	assert_true(is_answered);
	assert_int_equal(exchange->status, status);
	assert_int_equal(exchange->out_body.len, strlen(body));
	assert_memory_equal(exchange->out_body.ptr, body, strlen(body));
	nexus_exchange_finish(exchange);
}

static const char *endpoint_id(void)
{
	make_endpoint("endpoint");
	return world.server.nexus_endpoints->id;
}

static const char *path_of(const char *rest)
{
	static char path[200];

	snprintf(path, sizeof(path), "/nexus/endpoints/%s/services/%s", endpoint_id(), rest);
	return path;
}

static const Workflowservice__PollNexusTaskQueueResponse *poll(struct answer *answer)
{
	Workflowservice__PollNexusTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_REQUEST__INIT;

	in.namespace_ = "default";
	in.task_queue = &queue;
	call(answer, nexus_poll, &in);
	assert_non_null(answer->message);
	return answer->message;
}

static void answer_start(const struct answer *task, Nexus__StartOperationResponse *start)
{
	Workflowservice__RespondNexusTaskCompletedRequest in =
		WORKFLOWSERVICE__RESPOND_NEXUS_TASK_COMPLETED_REQUEST__INIT;
	Nexus__Response response = NEXUS__RESPONSE__INIT;

	response.variant_case = NEXUS__RESPONSE__VARIANT_START_OPERATION;
	response.start_operation = start;
	in.namespace_ = "default";
	in.task_token =
		((const Workflowservice__PollNexusTaskQueueResponse *)task->message)->task_token;
	in.response = &response;
	call_well(nexus_task_completed, &in);
}

static void start_and_its_result(void **state)
{
	struct nexus_exchange exchange;
	struct answer task;
	Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
	Nexus__StartOperationResponse__Sync sync = NEXUS__START_OPERATION_RESPONSE__SYNC__INIT;

	(void)state;
	begin(&exchange, path_of("s%20v/op?callback=http%3A%2F%2Fx"), "\"in\"");
	nexus_exchange_header(&exchange, "Content-Type", "application/json");
	nexus_exchange_header(&exchange, "Nexus-Callback-Key", "value");
	nexus_exchange_header(&exchange, "Nexus-Request-Id", "id");
	nexus_exchange_header(&exchange, "Host", "here");
	serve(&exchange);
	assert_false(is_answered);
	const Nexus__Request *request = poll(&task)->request;
	const Nexus__StartOperationRequest *in = request->start_operation;
	assert_string_equal(in->service, "s v");
	assert_string_equal(in->callback, "http://x");
	assert_string_equal(in->callback_header[0]->key, "key");
	assert_string_equal(in->request_id, "id");
	assert_true(proto_payload_is(in->payload, PROTO_ENCODING_JSON));
	assert_int_equal(request->n_header, 3); /* the id, and the time left in two spellings */
	sync.payload = in->payload;
	start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_SYNC_SUCCESS;
	start.sync_success = &sync;
	answer_start(&task, &start);
	forget(&task);
	assert_string_equal(
		nexus_http_get(exchange.out, exchange.n_out, "content-type"), "application/json");
	expect(&exchange, 200, "\"in\"");
}

static void start_and_its_failure(void **state)
{
	static const char *const bodies[] = { "{\"message\":\"no\"}",
		"{\"message\":\"operation error\",\"metadata\":{\"type\":\"nexus.OperationError\","
		"\"unwrap-error\":\"true\"},\"details\":{\"state\":\"canceled\"},\"cause\":"
		"{\"message\":\"no\"}}" };
	const char *path = path_of("s/op");

	(void)state;
	for (int whole = 0; whole < 2; whole++) {
		struct nexus_exchange exchange;
		struct answer task;
		Nexus__StartOperationResponse start = NEXUS__START_OPERATION_RESPONSE__INIT;
		Nexus__UnsuccessfulOperationError error = NEXUS__UNSUCCESSFUL_OPERATION_ERROR__INIT;
		Nexus__Failure failure = NEXUS__FAILURE__INIT;

		begin(&exchange, path, "");
		nexus_exchange_header(
			&exchange, "temporal-nexus-failure-support", whole ? "true" : "false");
		serve(&exchange);
		poll(&task);
		failure.message = "no";
		error.operation_state = "canceled";
		error.failure = &failure;
		start.variant_case = NEXUS__START_OPERATION_RESPONSE__VARIANT_OPERATION_ERROR;
		start.operation_error = &error;
		answer_start(&task, &start);
		forget(&task);
		assert_string_equal(
			nexus_http_get(exchange.out, exchange.n_out, "nexus-operation-state"),
			"canceled");
		expect(&exchange, 424, bodies[whole]);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *method, *url;
		unsigned status;
		const char *text, *type;
	} cases[] = {
		{ "POST", "/nothing", 404, "not found", "NOT_FOUND" },
		{ "POST", "/nexus/callback", 400, "invalid request operation state: \\\"\\\"",
			"BAD_REQUEST" },
		{ "GET", "/namespaces/default/task-queues/q/nexus-services/s/o", 400,
			"invalid request method: expected POST, got \\\"GET\\\"", "BAD_REQUEST" },
		{ "POST", "/namespaces/none/task-queues/q/nexus-services/s/o", 404,
			"namespace not found: \\\"none\\\"", "NOT_FOUND" },
		{ "POST", "/namespaces/default/task-queues/q/nexus-services/s/o/cancel", 400,
			"missing operation token", "BAD_REQUEST" },
		{ "POST", "/namespaces/default/task-queues/q/nexus-services/s/o/other", 404,
			"not found", "NOT_FOUND" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nexus_exchange exchange;
		char body[300];

		begin(&exchange, cases[i].url, "");
		exchange.method = cases[i].method;
		serve(&exchange);
		snprintf(body, sizeof(body),
			"{\"message\":\"%s\",\"metadata\":{\"type\":\"nexus.HandlerError\"},"
			"\"details\":{\"type\":\"%s\"}}",
			cases[i].text, cases[i].type);
		expect(&exchange, cases[i].status, body);
	}
}

static void headers_that_cannot_be_meant(void **state)
{
	static const struct {
		const char *url, *name, *value, *text;
	} cases[] = {
		{ "/namespaces/default/task-queues/q/nexus-services/s/o", "request-timeout",
			"1000000000m", "invalid request timeout header" },
		{ "/namespaces/default/task-queues/q/nexus-services/s/o", "request-timeout", "nans",
			"invalid request timeout header" },
		{ "/nexus/callback", "nexus-operation-start-time", "Fri, 31 Dec 9999 23:59:59 GMT",
			"failed to parse operation start time header" },
		{ "/nexus/callback", "nexus-operation-start-time", "Mon, 01 Jan 1900 00:00:00 GMT",
			"failed to parse operation start time header" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nexus_exchange exchange;
		char body[300];

		begin(&exchange, cases[i].url, "");
		nexus_exchange_header(&exchange, cases[i].name, cases[i].value);
		serve(&exchange);
		snprintf(body, sizeof(body),
			"{\"message\":\"%s\",\"metadata\":{\"type\":\"nexus.HandlerError\"},"
			"\"details\":{\"type\":\"BAD_REQUEST\"}}",
			cases[i].text);
		expect(&exchange, 400, body);
	}
}

/* The time of a call is real: the server's clock alone does not end it. */
static void nobody_answers_in_time(void **state)
{
	struct nexus_exchange exchange;

	(void)state;
	begin(&exchange, path_of("s/op"), "");
	nexus_exchange_header(&exchange, "request-timeout", "2s");
	serve(&exchange);
	world_pass(3600 * 1000 * MS);
	transition_tick(&world.server, 1000 * MS - 1);
	assert_false(is_answered);
	transition_tick(&world.server, 1000 * MS);
	world_settle();
	expect(&exchange, 520,
		"{\"message\":\"upstream timeout\",\"metadata\":{\"type\":\"nexus.HandlerError\"},"
		"\"details\":{\"type\":\"UPSTREAM_TIMEOUT\"}}");
}

static void content_and_back(void **state)
{
	static const char *const types[] = { "", "application/json", "application/octet-stream",
		"application/json; format=protobuf; message-type=\"a.B\"",
		"application/x-protobuf; message-type=\"a.B\"", "text/plain" };
	static const char *const encodings[] = { "binary/null", "json/plain", "binary/plain",
		"json/protobuf", "binary/protobuf", "unknown/nexus-content" };
	struct arena arena;

	(void)state;
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct nexus_header header = { "content-type", types[i] };
		struct str in = str_from(i ? "1" : ""), body;
		const Common__Payload *payload = nexus_content_read(&arena, &header, i != 0, in);
		const char *type;

		assert_non_null(payload);
		assert_true(proto_payload_is(payload, encodings[i]));
		assert_true(nexus_content_write(&arena, payload, &body, &type));
		if (i < 5) /* the last one goes as a payload of ours */
			assert_string_equal(type, types[i]);
	}
	arena_finish(&arena);
}

static void failures_and_back(void **state)
{
	static const char *const texts[] = {
		"{\"message\":\"a\",\"cause\":{\"message\":\"b\",\"stackTrace\":\"s\"}}",
		"{\"message\":\"a\",\"metadata\":{\"b\":\"1\",\"c\":\"2\"},\"details\":[1,2]}",
		"{\"message\":\"\\u003ca\\u003e\",\"metadata\":{\"type\":\"nexus.HandlerError\"},"
		"\"details\":{\"type\":\"INTERNAL\",\"retryableOverride\":false}}",
		"{\"message\":\"a\",\"metadata\":{\"type\":\"nexus.HandlerError\"},\"details\":"
		"{\"type\":\"INTERNAL\",\"encodedAttributes\":"
		"\"eyJtZXRhZGF0YSI6eyJlbmNvZGluZyI6ImFuTnZi"
		"aTl3YkdGcGJnPT0ifSwiZGF0YSI6IlB6OC8ifQ\"}}",
		"{\"message\":\"a\",\"metadata\":{\"type\":\"temporal.api.failure.v1.Failure\"},"
		"\"details\":{\"terminatedFailureInfo\":{}}}",
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const Nexus__Failure *failure = nexus_failure_read(&arena, str_from(texts[i]));

		assert_non_null(failure);
		struct str out =
			nexus_failure_write(&arena, nexus_failure_to_temporal(&arena, failure));
		assert_int_equal(out.len, strlen(texts[i]));
		assert_memory_equal(out.ptr, texts[i], out.len);
	}
	assert_null(nexus_failure_read(&arena, str_from("{")));
	assert_null(nexus_failure_read(&arena, str_from("[]")));
	arena_finish(&arena);
}

/* A long chain of causes with much in the innermost: its JSON is not copied at each step, neither
 * where nobody needs it nor (metadata) where all would have it. */
static void causes_are_not_multiplied(void **state)
{
	static Nexus__Failure chain[100];
	Nexus__Failure__MetadataEntry entry = NEXUS__FAILURE__METADATA_ENTRY__INIT,
				      *entries[] = { &entry };
	const size_t n = sizeof(chain) / sizeof(chain[0]), size = 300000;
	char *text = test_malloc(size + 1);
	struct arena arena;

	(void)state;
	memset(text, 'x', size);
	text[size] = '\0';
	entry.key = entry.value = "other";
	for (int metadata = 0; metadata < 2; metadata++) {
		const Failure__Failure *out;
		size_t depth = 0;

		for (size_t i = 0; i < n; i++) {
			chain[i] = (Nexus__Failure)NEXUS__FAILURE__INIT;
			chain[i].message = "failed";
			chain[i].cause = i + 1 < n ? &chain[i + 1] : NULL;
			chain[i].metadata = entries;
			chain[i].n_metadata = metadata ? 1 : 0;
		}
		chain[n - 1].stack_trace = text;
		arena_init(&arena, 1024, ARENA_NO_BUDGET);
		out = nexus_failure_to_temporal(&arena, chain);
		assert_true(arena.held < (metadata ? 40000000 : 1000000));
		for (; out; out = out->cause)
			depth++;
		assert_int_equal(depth, n);
		arena_finish(&arena);
	}
	test_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(start_and_its_result, set_up, tear_down),
		cmocka_unit_test_setup_teardown(start_and_its_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(headers_that_cannot_be_meant, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_answers_in_time, set_up, tear_down),
		cmocka_unit_test(content_and_back),
		cmocka_unit_test(failures_and_back),
		cmocka_unit_test(causes_are_not_multiplied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
