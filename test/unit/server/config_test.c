/*
 * Goal: dynamic configuration under the official names sets the limits that it names, is told apart
 * into what has an effect and what has none, and bad input is refused with what was expected.
 * Method: single lines, at, below and above what a limit may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/config.h"
#include "server/limits.h"

static struct server_config config;

static int set_up(void **state)
{
	(void)state;
	server_config_init(&config);
	return 0;
}

static void assert_taken(const char *line, bool expected)
{
	struct temporal_error err = { .message = "" };
	bool has_effect = !expected;

	if (server_config_set(&config, line, &has_effect, &err) != TEMPORAL_OK)
		fail_msg("%s: %s", line, err.message);
	if (has_effect != expected)
		fail_msg("%s: %s an effect", line, has_effect ? "has" : "has not");
}

static void assert_refused(const char *line, const char *why)
{
	struct temporal_error err = { .message = "" };
	bool has_effect;

	assert_int_equal(
		server_config_set(&config, line, &has_effect, &err), TEMPORAL_INVALID_ARGUMENT);
	if (!strstr(err.message, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", line, err.message, why);
}

static void starts_with_the_defaults(void **state)
{
	assert_int_equal(config.blob_max, SERVER_BLOB_MAX);
	assert_int_equal(config.history_count_suggest, SERVER_HISTORY_COUNT_SUGGEST);
	assert_int_equal(config.task_timeout_ms, SERVER_TASK_TIMEOUT_MS);
	assert_false(server_over(10, 10));
	assert_true(server_over(11, 10));
}

static void sets_limits(void **state)
{
	assert_taken("limit.blobSize.error=10240", true);
	assert_int_equal(config.blob_max, 10240);
	assert_taken("LIMIT.historycount.suggestContinueAsNew=1", true);
	assert_int_equal(config.history_count_suggest, 1);
	assert_taken("limit.historySize.error=2147483647", true);
	assert_int_equal(config.history_size_max, INT32_MAX);
	assert_refused("limit.blobSize.error=0", "expected 1 to");
	assert_refused("limit.blobSize.error=-1", "expected 1 to");
	assert_refused("limit.blobSize.error=2147483648", "expected 1 to");
	assert_refused("limit.blobSize.error=\"10\"", "expected 1 to");
	assert_refused("limit.blobSize.error=1.5", "expected 1 to");
	assert_int_equal(config.blob_max, 10240);
}

static void sets_durations(void **state)
{
	assert_taken("matching.longPollExpirationInterval=\"20s\"", true);
	assert_int_equal(config.poll_ms, 20000);
	assert_taken("matching.longPollExpirationInterval=\"1.5m\"", true);
	assert_int_equal(config.poll_ms, 90000);
	assert_taken("history.longPollExpirationInterval=\"250ms\"", true);
	assert_int_equal(config.history_poll_ms, 250);
	assert_taken("history.defaultWorkflowTaskTimeout=2", true);
	assert_int_equal(config.task_timeout_ms, 2000);
	assert_refused("history.defaultWorkflowTaskTimeout=\"2 days\"", "no duration");
	assert_refused("history.defaultWorkflowTaskTimeout=\"s\"", "no duration");
	assert_refused("history.defaultWorkflowTaskTimeout=\"0s\"", "no duration");
	assert_refused("history.defaultWorkflowTaskTimeout=true", "no duration");
	assert_int_equal(config.task_timeout_ms, 2000);
}

static void tells_what_has_no_effect(void **state)
{
	assert_taken("system.enableEagerWorkflowStart=true", true);
	assert_taken("system.enableEagerWorkflowStart=false", false);
	assert_taken("frontend.enableServerVersionCheck=false", true);
	assert_taken("system.refreshNexusEndpointsMinWait=\"0s\"", true);
	assert_taken("no.such.key=[{\"Pattern\":\"*\"}]", false);
	assert_taken("no.such.key=1", false);
}

static void refuses_what_it_cannot_read(void **state)
{
	assert_refused("limit.blobSize.error", "expected KEY=VALUE");
	assert_refused("=1", "expected KEY=VALUE");
	assert_refused("", "expected KEY=VALUE");
	assert_refused("limit.blobSize.error=", "not in JSON");
	assert_refused("history.defaultWorkflowTaskTimeout=\"1.2.3s\"", "no duration");
	assert_refused("limit.blobSize.error=abc", "not in JSON");
	assert_refused("no.such.key=nothing", "not in JSON");
	assert_refused("no.such.key=1 2", "not in JSON");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(starts_with_the_defaults, set_up),
		cmocka_unit_test_setup(sets_limits, set_up),
		cmocka_unit_test_setup(sets_durations, set_up),
		cmocka_unit_test_setup(tells_what_has_no_effect, set_up),
		cmocka_unit_test_setup(refuses_what_it_cannot_read, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
