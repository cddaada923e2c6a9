/*
 * endpoint_check.c: what is wrong with an endpoint, in the words of the official server: all issues
 * in one text.
 *
 * Pure but for the look-up of the namespace.
 */
#include <ctype.h>

#include "proto/codec.h"
#include "server/limits.h"
#include "server/nexus/text.h"
#include "server/nexus/url.h"

#define NAME_PATTERN "^[a-zA-Z][a-zA-Z0-9\\\\-]*[a-zA-Z0-9]$" /* as it is quoted */
#define RESERVED     "/_sys/"

/* Issues, separated by ", ". */
static void issue(struct nexus_text *issues, const char *text)
{
	if (issues->len)
		nexus_text_puts(issues, ", ");
	nexus_text_puts(issues, text ? text : "out of memory");
}

static bool answer(struct request *request, struct nexus_text *issues)
{
	if (issues->out_of_memory) {
		server_no_memory(request->server);
		request_fail(request, TEMPORAL_UNAVAILABLE, NULL, "out of memory");
		return false;
	}
	if (issues->len)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL, "%.*s", (int)issues->len,
			issues->ptr);
	return issues->len == 0;
}

static bool is_ascii_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_ascii_word(char c)
{
	return is_ascii_alpha(c) || (c >= '0' && c <= '9');
}

/* A letter, then letters, digits and hyphens; at least two; no hyphen at the end. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	if (len < 2 || !is_ascii_alpha(name[0]) || !is_ascii_word(name[len - 1]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!is_ascii_word(name[i]) && name[i] != '-')
			return false;
	}
	return true;
}

static void check_name(struct nexus_text *issues, const char *name)
{
	if (str_empty(name)) {
		issue(issues, "endpoint name not set");
		return;
	}
	if (strlen(name) > SERVER_NEXUS_ENDPOINT_NAME_MAX)
		issue(issues,
			arena_printf(issues->arena, "endpoint name exceeds length limit of %d",
				SERVER_NEXUS_ENDPOINT_NAME_MAX));
	if (!is_name(name))
		issue(issues, "endpoint name must match the regex: \"" NAME_PATTERN "\"");
}

static void check_queue(struct nexus_text *issues, const char *name, int64_t max)
{
	const char *wrong = NULL;

	if (str_empty(name))
		wrong = "taskQueue is not set";
	else if (server_over(strlen(name), max))
		wrong = "taskQueue length exceeds limit";
	else if (strncmp(name, RESERVED, strlen(RESERVED)) == 0)
		wrong = "task queue name cannot start with reserved prefix " RESERVED;
	if (wrong)
		issue(issues,
			arena_printf(issues->arena, "invalid target task queue: \"%s\"", wrong));
}

static void check_url(struct nexus_text *issues, const char *url)
{
	const char *scheme, *host, *text;

	if (str_empty(url))
		issue(issues, "empty target URL");
	else if (strlen(url) > SERVER_NEXUS_ENDPOINT_URL_MAX)
		issue(issues, arena_printf(issues->arena, "target URL length exceeds limit of %d",
				      SERVER_NEXUS_ENDPOINT_URL_MAX));
	else if (!url_check(issues->arena, url, &scheme, &host, &text))
		issue(issues, arena_printf(issues->arena, "invalid target URL: %s", text));
	else if (!str_same(scheme, "http") && !str_same(scheme, "https"))
		issue(issues, arena_printf(issues->arena,
				      "invalid target URL scheme: \"%s\", expected http or https",
				      scheme));
}

/* False: answered. */
static bool check_worker(struct request *request, struct nexus_text *issues,
	const Nexus__EndpointTarget__Worker *worker)
{
	if (str_empty(worker->namespace_)) {
		issue(issues, "target namespace not set");
	} else if (!state_namespace(request->server, worker->namespace_)) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"could not verify namespace referenced by target exists: Namespace %s is "
			"not found.",
			worker->namespace_);
		return false;
	}
	check_queue(issues, worker->task_queue, request->server->config.id_max);
	return true;
}

bool nexus_endpoint_check(struct request *request, const Nexus__EndpointSpec *spec)
{
	struct nexus_text issues = { .arena = request->arena };
	const Nexus__EndpointTarget *target = spec ? spec->target : NULL;

	check_name(&issues, spec ? spec->name : NULL);
	if (!target || !target->variant_case) {
		issue(&issues, "empty target variant");
		return answer(request, &issues);
	}
	if (target->variant_case == NEXUS__ENDPOINT_TARGET__VARIANT_EXTERNAL)
		check_url(&issues, target->external->url);
	else if (!check_worker(request, &issues, target->worker))
		return false;
	if (spec->description && proto_size(spec->description) > SERVER_NEXUS_DESCRIPTION_MAX)
		issue(&issues, arena_printf(request->arena, "description size exceeds limit of %d",
				       SERVER_NEXUS_DESCRIPTION_MAX));
	return answer(request, &issues);
}

static bool is_uuid(const char *id)
{
	for (size_t i = 0; id[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? id[i] != '-' : !isxdigit((unsigned char)id[i]))
			return false;
	}
	return true;
}

bool nexus_endpoint_check_id(struct request *request, const char *id, const char *also)
{
	struct nexus_text issues = { .arena = request->arena };

	if (str_empty(id))
		issue(&issues, "endpoint ID not set");
	else if (strlen(id) != SERVER_UUID_SIZE - 1)
		issue(&issues,
			arena_printf(request->arena,
				"malformed endpoint ID: \"invalid UUID length: %zu\"", strlen(id)));
	else if (!is_uuid(id))
		issue(&issues, "malformed endpoint ID: \"invalid UUID format\"");
	if (also)
		issue(&issues, also);
	return answer(request, &issues);
}
