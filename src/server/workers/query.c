/*
 * query.c: a query is read and answered in one walk, for each worker anew: there are few of both.
 *
 *   query := all ("OR" all)*        all := term ("AND" term)*
 *   term  := "(" query ")" | NAME comparison VALUE | NAME [NOT] BETWEEN VALUE AND VALUE
 *          | NAME IS [NOT] NULL | NAME [NOT] STARTS_WITH VALUE
 *
 * As on the official server a question that cannot be answered (an unknown name, an operator that
 * the field does not have) makes the worker none of those, unless an OR or AND has decided before.
 * Pure.
 */
#include "server/workers/query.h"

#include "proto/enum_name.h"
#include "proto/time.h"
#include "server/visibility/token.h"

#define QUERY_DEPTH_MAX 50

struct reader {
	struct arena *arena;
	struct lexer lexer;
	struct token token; /* the next one */
	const Worker__WorkerHeartbeat *worker;
	unsigned depth;
};

static void step(struct reader *reader)
{
	token_next(&reader->lexer, &reader->token);
}

static bool take(struct reader *reader, enum token_kind kind)
{
	bool is = reader->token.kind == kind;

	if (is)
		step(reader);
	return is;
}

static enum worker_verdict verdict(bool yes)
{
	return yes ? WORKER_YES : WORKER_NO;
}

/* ---- Fields ---- */

/* The field's text; false: it is none of the texts. */
static bool text_field(
	const Worker__WorkerHeartbeat *worker, struct str name, char *buffer, const char **text)
{
	const Deployment__WorkerDeploymentVersion *version = worker->deployment_version;

	if (str_eq(name, STR("WorkerInstanceKey")))
		*text = worker->worker_instance_key;
	else if (str_eq(name, STR("WorkerIdentity")))
		*text = worker->worker_identity;
	else if (str_eq(name, STR("HostName")))
		*text = worker->host_info ? worker->host_info->host_name : "";
	else if (str_eq(name, STR("TaskQueue")))
		*text = worker->task_queue;
	else if (str_eq(name, STR("DeploymentName")))
		*text = version ? version->deployment_name : "";
	else if (str_eq(name, STR("BuildId")))
		*text = version ? version->build_id : "";
	else if (str_eq(name, STR("SdkName")))
		*text = worker->sdk_name;
	else if (str_eq(name, STR("SdkVersion")))
		*text = worker->sdk_version;
	else if (str_eq(name, STR("WorkerStatus")) || str_eq(name, STR("Status")) ||
		 str_eq(name, STR("status")))
		*text = proto_enum_short(
			&enums__worker_status__descriptor, (int)worker->status, buffer);
	else
		return false;
	return true;
}

/* The field's time; false: it is none of the times. */
static bool time_field(const Worker__WorkerHeartbeat *worker, struct str name,
	const Google__Timestamp **message, int64_t *ns)
{
	if (str_eq(name, STR("StartTime")))
		*message = worker->start_time;
	else if (str_eq(name, STR("HeartbeatTime")))
		*message = worker->heartbeat_time;
	else
		return false;
	*ns = 0;
	(void)!proto_timestamp_ns(*message, ns); /* a bad one counts as none */
	return true;
}

static bool starts_with(const char *text, struct str prefix)
{
	return strlen(text) >= prefix.len && memcmp(text, prefix.ptr, prefix.len) == 0;
}

static enum worker_verdict compare_text(const char *text, enum token_kind op, struct str value)
{
	if (value.len == 0)
		return WORKER_UNKNOWN;
	switch (op) {
	case TOKEN_EQUAL:
		return verdict(str_eq(str_from(text), value));
	case TOKEN_NOT_EQUAL:
		return verdict(!str_eq(str_from(text), value));
	case TOKEN_STARTS_WITH:
		return verdict(starts_with(text, value));
	default:
		return WORKER_UNKNOWN;
	}
}

static enum worker_verdict compare_time(int64_t ns, enum token_kind op, int64_t value)
{
	switch (op) {
	case TOKEN_EQUAL:
		return verdict(ns == value);
	case TOKEN_NOT_EQUAL:
		return verdict(ns != value);
	case TOKEN_LESS:
		return verdict(ns < value);
	case TOKEN_LESS_EQUAL:
		return verdict(ns <= value);
	case TOKEN_GREATER:
		return verdict(ns > value);
	case TOKEN_GREATER_EQUAL:
		return verdict(ns >= value);
	default:
		return WORKER_UNKNOWN;
	}
}

/* ---- Terms ---- */

/* A text or a number. False: no value stands here. */
static bool value(struct reader *reader, struct str *out)
{
	*out = reader->token.text;
	return take(reader, TOKEN_STRING) || take(reader, TOKEN_NUMBER);
}

static bool time_value(struct str text, int64_t *ns)
{
	Google__Timestamp time = GOOGLE__TIMESTAMP__INIT;

	return proto_timestamp_parse(text, &time) && proto_timestamp_ns(&time, ns);
}

static enum worker_verdict negate(enum worker_verdict answer, bool not )
{
	if (!not || answer > WORKER_YES)
		return answer;
	return answer == WORKER_YES ? WORKER_NO : WORKER_YES;
}

static enum worker_verdict is_null(struct reader *reader, struct str name)
{
	bool not = take(reader, TOKEN_NOT);
	const Google__Timestamp *time;
	char buffer[PROTO_ENUM_TEXT];
	const char *text;
	int64_t ns;

	if (!take(reader, TOKEN_NULL))
		return WORKER_MALFORMED;
	if (text_field(reader->worker, name, buffer, &text))
		return negate(verdict(str_empty(text)), not );
	if (time_field(reader->worker, name, &time, &ns))
		return negate(verdict(!time), not );
	return WORKER_UNKNOWN;
}

static enum worker_verdict between(struct reader *reader, struct str name, bool not )
{
	const Google__Timestamp *time;
	int64_t ns, from_ns, to_ns;
	struct str from, to;

	if (!value(reader, &from) || !take(reader, TOKEN_AND) || !value(reader, &to))
		return WORKER_MALFORMED;
	if (!time_field(reader->worker, name, &time, &ns) || !time_value(from, &from_ns) ||
		!time_value(to, &to_ns))
		return WORKER_UNKNOWN;
	return time ? negate(verdict(ns >= from_ns && ns <= to_ns), not ) : WORKER_NO;
}

/* Anything in parentheses that no field has a use for: IN (...). */
static enum worker_verdict pass_list(struct reader *reader)
{
	struct str ignored;

	if (!take(reader, TOKEN_OPEN))
		return WORKER_MALFORMED;
	do {
		if (!value(reader, &ignored))
			return WORKER_MALFORMED;
	} while (take(reader, TOKEN_COMMA));
	return take(reader, TOKEN_CLOSE) ? WORKER_UNKNOWN : WORKER_MALFORMED;
}

static enum worker_verdict comparison(struct reader *reader, struct str name)
{
	bool not = take(reader, TOKEN_NOT);
	enum token_kind op = reader->token.kind;
	const Google__Timestamp *time;
	char buffer[PROTO_ENUM_TEXT];
	const char *text;
	int64_t ns, other_ns;
	struct str other;

	if (op < TOKEN_EQUAL || op > TOKEN_IS)
		return not ? WORKER_MALFORMED : WORKER_UNKNOWN; /* a name alone */
	step(reader);
	if (op == TOKEN_IS)
		return not ? WORKER_MALFORMED : is_null(reader, name);
	if (op == TOKEN_BETWEEN)
		return between(reader, name, not );
	if (op == TOKEN_IN)
		return pass_list(reader);
	if (!value(reader, &other))
		return WORKER_MALFORMED;
	if (text_field(reader->worker, name, buffer, &text))
		return negate(compare_text(text, op, other), not );
	if (time_field(reader->worker, name, &time, &ns) && time_value(other, &other_ns))
		return compare_time(ns, op, other_ns);
	return WORKER_UNKNOWN;
}

static enum worker_verdict read_query(struct reader *reader);

static enum worker_verdict plain_term(struct reader *reader)
{
	enum worker_verdict answer;
	struct str name = reader->token.text;

	if (take(reader, TOKEN_NAME) || take(reader, TOKEN_KEYWORD))
		return comparison(reader, name);
	if (!take(reader, TOKEN_OPEN) || ++reader->depth > QUERY_DEPTH_MAX)
		return WORKER_MALFORMED;
	answer = read_query(reader);
	reader->depth--;
	return take(reader, TOKEN_CLOSE) ? answer : WORKER_MALFORMED;
}

/* However many NOTs stand before it, nothing in front of a term can be answered. */
static enum worker_verdict term(struct reader *reader)
{
	bool negated = false;

	while (take(reader, TOKEN_NOT))
		negated = true;
	enum worker_verdict answer = plain_term(reader);
	return negated && answer != WORKER_MALFORMED ? WORKER_UNKNOWN : answer;
}

/* One of a chain: what has decided on the left stays; a mistake on the right is one. */
static enum worker_verdict join(
	enum worker_verdict left, enum worker_verdict right, enum worker_verdict goes_on)
{
	if (right == WORKER_MALFORMED)
		return right;
	return left == goes_on ? right : left;
}

static enum worker_verdict all(struct reader *reader)
{
	enum worker_verdict answer = term(reader);

	while (take(reader, TOKEN_AND))
		answer = join(answer, term(reader), WORKER_YES);
	return answer;
}

static enum worker_verdict read_query(struct reader *reader)
{
	enum worker_verdict answer = all(reader);

	while (take(reader, TOKEN_OR))
		answer = join(answer, all(reader), WORKER_NO);
	return answer;
}

enum worker_verdict worker_query(
	struct arena *arena, const char *query, const Worker__WorkerHeartbeat *worker)
{
	struct reader reader = { .arena = arena, .worker = worker };
	enum worker_verdict answer;

	if (query[strspn(query, " \t\r\n")] == '\0')
		return WORKER_YES;
	if (!token_begin(&reader.lexer, arena, str_from(query)))
		return WORKER_UNKNOWN;
	step(&reader);
	answer = read_query(&reader);
	return reader.token.kind == TOKEN_END ? answer : WORKER_MALFORMED;
}
