/*
 * Lines of the log. Goal: in each format a line is whole, one line, valid and bounded, whatever the
 * texts hold; identities and events are fields of it; a worker writes them to a descriptor.
 *
 * Method: lines compared byte by byte; texts of all bytes and of great length, whose JSON is read
 * back by jansson.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include <temporal/log.h>
#include <temporal/worker.h>

#include "base/str.h"

#define NOON INT64_C(1700000000123456789) /* 2023-11-14T22:13:20.123Z */

static char out[TEMPORAL_LOG_LINE_SIZE];

static const struct temporal_worker_log of_workflow = { .level = TEMPORAL_LOG_WARN,
	.message = "it is \"late\"\nvery",
	.workflow_type = "Order",
	.workflow_id = "order 1",
	.run_id = "r-1",
	.activity_type = "",
	.activity_id = "",
	.task_queue = "orders" };

static void a_line_in_each_format(void **state)
{
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_TEXT, &of_workflow, NOON);
	assert_string_equal(out,
		"2023-11-14T22:13:20.123Z WARN  it is \"late\"\\nvery task_queue=orders "
		"workflow_type=Order workflow_id=\"order 1\" run_id=r-1\n");
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_LOGFMT, &of_workflow, NOON);
	assert_string_equal(out,
		"time=2023-11-14T22:13:20.123Z level=warn msg=\"it is \\\"late\\\"\\nvery\" "
		"task_queue=orders workflow_type=Order workflow_id=\"order 1\" run_id=r-1\n");
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_JSON, &of_workflow, NOON);
	assert_string_equal(out,
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\","
		"\"msg\":\"it is \\\"late\\\"\\nvery\",\"task_queue\":\"orders\","
		"\"workflow_type\":\"Order\",\"workflow_id\":\"order 1\",\"run_id\":\"r-1\"}\n");
}

static void activities_and_events_have_their_fields(void **state)
{
	const struct temporal_worker_log line = { .level = TEMPORAL_LOG_ERROR,
		.message = "no",
		.activity_type = "charge",
		.activity_id = "5",
		.attempt = 2 };
	const struct temporal_worker_event event = { .kind = TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED,
		.task_queue = "q",
		.workflow_type = "Order",
		.attempt = 1,
		.text = "a=b" };

	temporal_log_line(out, TEMPORAL_LOG_FORMAT_LOGFMT, &line, 0);
	assert_string_equal(out, "time=1970-01-01T00:00:00.000Z level=error msg=no "
				 "activity_type=charge activity_id=5 attempt=2\n");
	temporal_log_event(out, TEMPORAL_LOG_FORMAT_JSON, &event, 0);
	assert_string_equal(out, "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\","
				 "\"msg\":\"workflow task received\","
				 "\"event\":\"workflow_task_received\",\"task_queue\":\"q\","
				 "\"workflow_type\":\"Order\",\"attempt\":1,\"text\":\"a=b\"}\n");
	temporal_log_event(out, TEMPORAL_LOG_FORMAT_TEXT, &event, 0);
	assert_string_equal(out,
		"1970-01-01T00:00:00.000Z INFO  workflow task received "
		"event=workflow_task_received task_queue=q workflow_type=Order attempt=1 "
		"text=\"a=b\"\n");
}

static void every_event_has_a_name(void **state)
{
	for (int kind = 0; kind <= TEMPORAL_EVENT_NEXUS_TASK_FAILED; kind++) {
		const struct temporal_worker_event event = {
			.kind = (enum temporal_worker_event_kind)kind
		};

		temporal_log_event(out, TEMPORAL_LOG_FORMAT_JSON, &event, 0);
		assert_non_null(strstr(out, "\"event\":\"w")   ? out
				: strstr(out, "\"event\":\"a") ? out
							       : strstr(out, "\"event\":\"n"));
	}
}

/* One line, ended, valid, and not too long. */
static void assert_whole(enum temporal_log_format format, size_t len)
{
	assert_int_equal(strlen(out), len);
	assert_true(len < TEMPORAL_LOG_LINE_SIZE);
	assert_ptr_equal(strchr(out, '\n'), out + len - 1);
	assert_true(str_is_utf8(out, len));
	if (format != TEMPORAL_LOG_FORMAT_JSON)
		return;
	json_t *object = json_loads(out, 0, NULL);

	assert_non_null(object);
	assert_non_null(json_object_get(object, "msg"));
	json_decref(object);
}

static void any_text_makes_one_line(void **state)
{
	static const char *const texts[] = { "", "\x01\x7f\x1b[0m", "\xff\xfe\xc3", "\xed\xa0\x80",
		"\xe2\x82", "\xf4\x90\x80\x80", "caf\xc3\xa9 \xf0\x9f\x8d\x8e", "a\"} ,{\"x\":1",
		"\\u0000\\", "x=1 y=2\r\n", "\xf0\x9f" };

	for (int format = TEMPORAL_LOG_FORMAT_TEXT; format <= TEMPORAL_LOG_FORMAT_JSON; format++) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			const struct temporal_worker_log line = { .level = TEMPORAL_LOG_INFO,
				.message = texts[i],
				.workflow_id = texts[i],
				.activity_id = texts[i] };

			assert_whole((enum temporal_log_format)format,
				temporal_log_line(
					out, (enum temporal_log_format)format, &line, NOON));
		}
	}
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_LOGFMT,
		&(const struct temporal_worker_log){ .message = "\x1b\xff" }, 0);
	assert_non_null(strstr(out, "msg=\"\\u001b\xEF\xBF\xBD\""));
}

/* Next line, a terminal's command, line and paragraph separator; their neighbours stay. */
static void controls_beyond_ascii_are_escaped(void **state)
{
	static const char *const texts[] = { "\xC2\x85", "\xC2\x9B", "\xE2\x80\xA8",
		"\xE2\x80\xA9" };
	static const char *const escapes[] = { "\\u0085", "\\u009b", "\\u2028", "\\u2029" };

	for (int format = TEMPORAL_LOG_FORMAT_TEXT; format <= TEMPORAL_LOG_FORMAT_JSON; format++) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
			const struct temporal_worker_log line = { .message = texts[i],
				.workflow_id = texts[i] };

			assert_whole((enum temporal_log_format)format,
				temporal_log_line(
					out, (enum temporal_log_format)format, &line, NOON));
			assert_null(strstr(out, texts[i]));
			assert_non_null(strstr(out, escapes[i]));
		}
	}
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_LOGFMT,
		&(const struct temporal_worker_log){ .message = "\xC2\x85" }, 0);
	assert_non_null(strstr(out, "msg=\"\\u0085\""));
	temporal_log_line(out, TEMPORAL_LOG_FORMAT_LOGFMT,
		&(const struct temporal_worker_log){
			.message = "\xC2\xA0\xE2\x80\xA7\xE2\x80\xAA" },
		0);
	assert_non_null(strstr(out, "msg=\xC2\xA0\xE2\x80\xA7\xE2\x80\xAA\n"));
}

/* All fields at their longest, of one byte, of two, and of what is escaped to six. */
static void long_texts_are_cut(void **state)
{
	static const char *const units[] = { "x", "\xc3\xa9", "\x01", "\"", "\xff" };
	static char text[8192];

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t unit = strlen(units[i]);

		for (size_t n = 0; n + unit < sizeof(text); n += unit)
			memcpy(text + n, units[i], unit + 1);
		const struct temporal_worker_log line = { .level = TEMPORAL_LOG_INFO,
			.message = text,
			.task_queue = text,
			.workflow_type = text,
			.workflow_id = text,
			.run_id = text,
			.activity_type = text,
			.activity_id = text,
			.attempt = INT32_MIN };
		const struct temporal_worker_event event = {
			.kind = TEMPORAL_EVENT_WORKFLOW_CONTINUED_AS_NEW,
			.task_queue = text,
			.workflow_type = text,
			.workflow_id = text,
			.run_id = text,
			.activity_type = text,
			.activity_id = text,
			.nexus_service = text,
			.nexus_operation = text,
			.attempt = INT32_MIN,
			.text = text
		};

		for (int format = 1; format <= TEMPORAL_LOG_FORMAT_JSON; format++) {
			assert_whole((enum temporal_log_format)format,
				temporal_log_line(
					out, (enum temporal_log_format)format, &line, NOON));
			assert_non_null(strstr(out, "..."));
			assert_whole((enum temporal_log_format)format,
				temporal_log_event(
					out, (enum temporal_log_format)format, &event, NOON));
		}
	}
}

struct hello_in {
	const char *name;
};
typedef const char *hello_out;
TEMPORAL_WORKFLOW_CONTRACT(hello, "Hello", name);

static hello_out hello_run(struct wf *wf, const struct hello_in *in)
{
	return in->name;
}
TEMPORAL_WORKFLOW(hello);

/* Its start and its end, as events, though nobody is at the server's address. */
static void a_worker_writes_to_a_descriptor(void **state)
{
	struct temporal_error err;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = "127.0.0.1:1", .lazy = true);
	char text[8192] = "";
	int fds[2];

	assert_non_null(client);
	assert_int_equal(pipe(fds), 0);
	struct temporal_worker *worker = temporal_worker_new(client, &err, .task_queue = "q",
		.workflows = (const struct temporal_workflow *const[]){ &hello_workflow, NULL },
		.log_format = TEMPORAL_LOG_FORMAT_LOGFMT, .log_fd = fds[1], .log_events = true);

	assert_non_null(worker);
	assert_int_equal(temporal_worker_start(worker, &err), TEMPORAL_OK);
	temporal_worker_unref(worker);
	close(fds[1]);
	for (size_t used = 0; used < sizeof(text) - 1;) {
		ssize_t n = read(fds[0], text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	close(fds[0]);
	assert_non_null(strstr(text, "msg=\"worker started\" event=worker_started task_queue=q\n"));
	assert_non_null(strstr(text, "msg=\"worker stopped\" event=worker_stopped task_queue=q\n"));
	temporal_client_unref(client);
}

static void a_bad_format_is_refused(void **state)
{
	struct temporal_error err;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = "127.0.0.1:1", .lazy = true);

	assert_null(temporal_worker_new(client, &err, .task_queue = "q",
		.workflows = (const struct temporal_workflow *const[]){ &hello_workflow, NULL },
		.log_format = 9));
	assert_non_null(strstr(err.message, ".log_format is 9"));
	temporal_client_unref(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_in_each_format),
		cmocka_unit_test(activities_and_events_have_their_fields),
		cmocka_unit_test(every_event_has_a_name),
		cmocka_unit_test(any_text_makes_one_line),
		cmocka_unit_test(controls_beyond_ascii_are_escaped),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(a_worker_writes_to_a_descriptor),
		cmocka_unit_test(a_bad_format_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
