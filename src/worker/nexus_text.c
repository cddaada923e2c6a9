/*
 * nexus_text.c: tokens, timeouts and types of errors, in the form that all SDKs give them.
 *
 * Tokens come back from callers and may hold anything: they are read strictly, and what is wrong is
 * told by a constant text. Pure.
 */
#include "worker/nexus_text.h"

#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "convert/json_reader.h"
#include "convert/json_writer.h"
#include "worker/limits.h"

/* ---- tokens ---- */

/* Base64 of the other alphabet and without padding, which survives in URLs. */
static const char *for_urls(struct arena *arena, const char *text, size_t len)
{
	char *out = arena_alloc_aligned(arena, BASE64_BARE_SIZE(len) + 1, 1);

	if (out)
		out[base64_encode(out, text, len, BASE64_URL)] = '\0';
	return out;
}

const char *worker_nexus_token(struct arena *arena, const char *namespace_, const char *workflow_id)
{
	struct json_writer json;

	json_writer_init(&json);
	JSON_PUT(&json, "{\"t\":1,\"ns\":");
	json_put_string(&json, namespace_, strlen(namespace_));
	JSON_PUT(&json, ",\"wid\":");
	json_put_string(&json, workflow_id, strlen(workflow_id));
	JSON_PUT(&json, "}");
	const char *token = json.failed ? NULL : for_urls(arena, json.data, json.len);

	json_writer_finish(&json);
	return token;
}

/* The members that matter. */
struct token {
	bool has_type, has_version;
	struct str type, version; /* as they stand there */
	struct str namespace_, workflow_id;
};

static bool take_text(struct json_reader *reader, struct arena *arena, struct str *out)
{
	return json_peek(reader) == JSON_STRING && json_take_string(reader, arena, out) &&
	       memchr(out->ptr, '\0', out->len) == NULL;
}

/* Members that are not known are passed by: newer SDKs may have some. */
static bool read_member(
	struct json_reader *reader, struct arena *arena, struct str name, struct token *token)
{
	if (str_eq(name, STR("ns")))
		return take_text(reader, arena, &token->namespace_);
	if (str_eq(name, STR("wid")))
		return take_text(reader, arena, &token->workflow_id);
	if (str_eq(name, STR("t"))) {
		token->has_type = true;
		return json_skip(reader, &token->type);
	}
	if (str_eq(name, STR("v"))) {
		token->has_version = json_peek(reader) != JSON_NULL;
		return json_skip(reader, &token->version);
	}
	return json_skip(reader, NULL);
}

static bool read_object(struct json_reader *reader, struct arena *arena, struct token *token)
{
	struct str name;
	bool ok = true, first = true;

	if (json_peek(reader) != JSON_OBJECT)
		return false;
	json_open(reader);
	for (; json_more(reader, '}', first, &ok); first = false) {
		if (!json_take_name(reader, arena, &name) ||
			!read_member(reader, arena, name, token))
			return false;
	}
	return ok && json_end(reader);
}

static const char *out_of_memory(struct worker_nexus_target *target)
{
	target->no_memory = true;
	return "no memory for the token";
}

const char *worker_nexus_token_read(
	struct arena *arena, const char *token, struct worker_nexus_target *target)
{
	size_t len = strlen(token), json_len = 0;
	struct json_reader reader;
	struct token read = { 0 };

	*target = (struct worker_nexus_target){ .no_memory = false };
	if (len == 0)
		return "invalid token: token is empty";
	unsigned char *json = arena_alloc_aligned(arena, BASE64_ROOM(len), 1);
	if (!json)
		return out_of_memory(target);
	if (!base64_decode(token, len, json, &json_len))
		return "failed to decode token as base64url";
	json_reader_init(&reader, json, json_len);
	if (!read_object(&reader, arena, &read))
		return reader.no_memory ? out_of_memory(target)
					: "failed to unmarshal operation token";
	if (!read.has_type || !str_eq(read.type, STR("1")))
		return "invalid workflow token type, expected: 1";
	if (read.has_version && !str_eq(read.version, STR("0")))
		return "invalid workflow token: 'v' field, if present, must be 0 or null/absent";
	if (!read.namespace_.ptr)
		return "invalid token: expected namespace to be a string";
	if (read.workflow_id.len == 0)
		return "invalid workflow token: missing workflow id";
	target->namespace_ = arena_str(arena, read.namespace_);
	target->workflow_id = arena_str(arena, read.workflow_id);
	return target->namespace_ && target->workflow_id ? NULL : out_of_memory(target);
}

/* ---- timeouts ---- */

static double take_digits(const char **at, double *scale)
{
	double value = 0;

	for (*scale = 1; **at >= '0' && **at <= '9'; (*at)++) {
		value = value * 10 + (**at - '0');
		*scale *= 10;
	}
	return value;
}

/* The nanoseconds of the unit at the text, which is passed; 0: there is none. */
static double take_unit(const char **at)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "\xC2\xB5s", 1e3 }, { "\xCE\xBCs", 1e3 },
		{ "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*at, units[i].name, len) == 0) {
			*at += len;
			return units[i].ns;
		}
	}
	return 0;
}

bool worker_nexus_timeout(const char *text, int64_t *ns)
{
	double total = 0, scale;

	text += strspn(text, " \t");
	bool negative = *text == '-';

	text += negative;
	if (!*text || *text == ' ' || *text == '\t')
		return false;
	while (*text && *text != ' ' && *text != '\t') {
		const char *start = text;
		double value = take_digits(&text, &scale);
		bool point = *text == '.';

		if (point) {
			text++;
			double fraction = take_digits(&text, &scale);

			value += fraction / scale;
		}
		double unit = text - start > point ? take_unit(&text) : 0;

		if (unit == 0)
			return false;
		total += value * unit;
	}
	if (text[strspn(text, " \t")] || !(total < (double)WORKER_DURATION_MAX_MS * 1e6))
		return false;
	*ns = negative ? 0 : (int64_t)total;
	return true;
}

/* ---- types of errors ---- */

const char *worker_nexus_error_name(enum nexus_error_type type)
{
	static const char *const names[] = {
		[NEXUS_ERROR_INTERNAL] = "INTERNAL",
		[NEXUS_ERROR_BAD_REQUEST] = "BAD_REQUEST",
		[NEXUS_ERROR_UNAUTHENTICATED] = "UNAUTHENTICATED",
		[NEXUS_ERROR_UNAUTHORIZED] = "UNAUTHORIZED",
		[NEXUS_ERROR_NOT_FOUND] = "NOT_FOUND",
		[NEXUS_ERROR_REQUEST_TIMEOUT] = "REQUEST_TIMEOUT",
		[NEXUS_ERROR_CONFLICT] = "CONFLICT",
		[NEXUS_ERROR_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
		[NEXUS_ERROR_NOT_IMPLEMENTED] = "NOT_IMPLEMENTED",
		[NEXUS_ERROR_UNAVAILABLE] = "UNAVAILABLE",
		[NEXUS_ERROR_UPSTREAM_TIMEOUT] = "UPSTREAM_TIMEOUT",
	};

	return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

/*
 * A handler that may not call Temporal is no fault of its caller's, and may be set right: so
 * UNAUTHENTICATED and PERMISSION_DENIED are internal, and tried again.
 */
enum nexus_error_type worker_nexus_error_of(
	enum temporal_code code, enum temporal_handler_retry *retry)
{
	*retry = TEMPORAL_HANDLER_RETRY_DEFAULT;
	switch (code) {
	case TEMPORAL_INVALID_ARGUMENT:
		return NEXUS_ERROR_BAD_REQUEST;
	case TEMPORAL_ALREADY_EXISTS:
	case TEMPORAL_FAILED_PRECONDITION:
	case TEMPORAL_OUT_OF_RANGE:
		*retry = TEMPORAL_HANDLER_NON_RETRYABLE;
		return NEXUS_ERROR_INTERNAL;
	case TEMPORAL_ABORTED:
	case TEMPORAL_UNAVAILABLE:
		return NEXUS_ERROR_UNAVAILABLE;
	case TEMPORAL_NOT_FOUND:
		return NEXUS_ERROR_NOT_FOUND;
	case TEMPORAL_RESOURCE_EXHAUSTED:
		return NEXUS_ERROR_RESOURCE_EXHAUSTED;
	case TEMPORAL_UNIMPLEMENTED:
		return NEXUS_ERROR_NOT_IMPLEMENTED;
	case TEMPORAL_DEADLINE_EXCEEDED:
		return NEXUS_ERROR_UPSTREAM_TIMEOUT;
	default:
		return NEXUS_ERROR_INTERNAL;
	}
}
