/*
 * log.c: lines of the log and events as text, and their way to a descriptor.
 *
 * A line is made in a buffer on the caller's stack and written by one call of write(2), so lines of
 * several threads do not mix and nothing is locked or allocated. Each value has a room of its own
 * (MESSAGE_MAX, VALUE_MAX), whose sum is less than the buffer: a line is always whole, and what is
 * cut is a value, between characters. So no text can end a line or, but for the message of the
 * format for people, which has no quotes, forge a field.
 */
#include <temporal/log.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "worker/event.h"
#include "worker/limits.h"
#include "worker/worker.h"

enum {
	MESSAGE_MAX = 1800, /* bytes as written, escapes included */
	VALUE_MAX = 220,
	ESCAPE_MAX = 6 /* \u001b */
};

struct line {
	char *start, *at;
	enum temporal_log_format format;
};

/* ---- values ---- */

static void put(struct line *line, const char *text)
{
	size_t len = strlen(text);

	memcpy(line->at, text, len);
	line->at += len;
}

/* Bytes of the character there; 0: it is none. */
static size_t character(const char *text)
{
	unsigned char lead = (unsigned char)*text;
	size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

	return strnlen(text, len) == len && str_is_utf8(text, len) ? len : 0;
}

/* The code point of a control character, or of one at which some readers end a line; 0: neither. */
static unsigned control(const char *text, size_t len)
{
	const unsigned char *byte = (const unsigned char *)text;

	if (len == 1)
		return *byte < ' ' || *byte == 0x7F ? *byte : 0;
	if (len == 2 && byte[0] == 0xC2 && byte[1] < 0xA0)
		return byte[1]; /* U+0080 to U+009F: next line, and what terminals obey */
	if (len == 3 && byte[0] == 0xE2 && byte[1] == 0x80 && (byte[2] == 0xA8 || byte[2] == 0xA9))
		return 0x2000 + (byte[2] & 0x3FU); /* line and paragraph separator */
	return 0;
}

/* The escape of a control character, or in quotes of what would end them; 0: it needs none. */
static size_t escape(char out[ESCAPE_MAX + 1], const char *text, size_t len, bool quoted)
{
	const char *plain = strchr("\nn\rr\tt", *text);
	unsigned code = control(text, len);

	if (*text == '\n' || *text == '\r' || *text == '\t')
		return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\%c", plain[1]);
	if (quoted && (*text == '"' || *text == '\\'))
		return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\%c", *text);
	if (code)
		return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\u%04x", code & 0xFFFF);
	return 0;
}

/* At most `max` bytes, and a sign that there was more. */
static void put_text(struct line *line, const char *text, size_t max, bool quoted)
{
	const char *end = line->at + max - 3;

	while (*text) {
		char escaped[ESCAPE_MAX + 1];
		size_t len = character(text), out = escape(escaped, text, len, quoted);
		const char *from = out ? escaped : len ? text : "\xEF\xBF\xBD";

		out = out ? out : len ? len : 3;
		if (line->at + out > end) {
			put(line, "...");
			return;
		}
		memcpy(line->at, from, out);
		line->at += out;
		text += len ? len : 1;
	}
}

/* Has it what would break key=value? */
static bool needs_quotes(const char *text)
{
	if (!*text)
		return true;
	for (; *text; text++) {
		if (*text == ' ' || strchr("=\"\\", *text) || control(text, character(text)))
			return true;
	}
	return false;
}

static void put_value(struct line *line, const char *text, size_t max)
{
	bool quoted = line->format == TEMPORAL_LOG_FORMAT_JSON || needs_quotes(text);

	if (quoted)
		put(line, "\"");
	put_text(line, text, max, quoted);
	if (quoted)
		put(line, "\"");
}

/* ---- fields ---- */

static void put_key(struct line *line, const char *key)
{
	bool json = line->format == TEMPORAL_LOG_FORMAT_JSON;

	if (line->at > line->start)
		put(line, json ? "," : " ");
	else if (json)
		put(line, "{");
	if (json)
		put(line, "\"");
	put(line, key);
	put(line, json ? "\":" : "=");
}

static void put_field(struct line *line, const char *key, const char *value)
{
	if (str_empty(value))
		return;
	put_key(line, key);
	put_value(line, value, VALUE_MAX);
}

static void put_number(struct line *line, const char *key, int32_t value)
{
	char text[16];

	if (value == 0)
		return;
	snprintf(text, sizeof(text), "%d", (int)value);
	put_key(line, key);
	put(line, text);
}

static void put_time(struct line *line, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	char text[64];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc))
		utc = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
		utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		(int)(time_ns / 1000000 % 1000));
	put_value(line, text, sizeof(text));
}

/* Time, level and message, with which each line begins. */
static struct line line_begin(char *out, enum temporal_log_format format, int64_t time_ns,
	enum temporal_log_level level, const char *message)
{
	static const char *const names[] = { "info", "trace", "debug", "info", "warn", "error" };
	static const char *const words[] = { "INFO ", "TRACE", "DEBUG", "INFO ", "WARN ", "ERROR" };
	size_t n = (size_t)level < sizeof(names) / sizeof(names[0]) ? (size_t)level : 0;
	struct line line = { out, out, format };

	if (format != TEMPORAL_LOG_FORMAT_LOGFMT && format != TEMPORAL_LOG_FORMAT_JSON) {
		put_time(&line, time_ns);
		put(&line, " ");
		put(&line, words[n]);
		put(&line, " ");
		put_text(&line, message, MESSAGE_MAX, false);
		return line;
	}
	put_key(&line, "time");
	put_time(&line, time_ns);
	put_key(&line, "level");
	put_value(&line, names[n], VALUE_MAX);
	put_key(&line, "msg");
	put_value(&line, message, MESSAGE_MAX);
	return line;
}

static size_t line_end(struct line *line)
{
	put(line, line->format == TEMPORAL_LOG_FORMAT_JSON ? "}\n" : "\n");
	*line->at = '\0';
	return (size_t)(line->at - line->start);
}

size_t temporal_log_line(char out[TEMPORAL_LOG_LINE_SIZE], enum temporal_log_format format,
	const struct temporal_worker_log *log, int64_t time_ns)
{
	struct line line = line_begin(out, format, time_ns, log->level, log->message);

	put_field(&line, "task_queue", log->task_queue);
	put_field(&line, "workflow_type", log->workflow_type);
	put_field(&line, "workflow_id", log->workflow_id);
	put_field(&line, "run_id", log->run_id);
	put_field(&line, "activity_type", log->activity_type);
	put_field(&line, "activity_id", log->activity_id);
	put_number(&line, "attempt", log->attempt);
	return line_end(&line);
}

/* ---- events ---- */

/* Its name as a field, and as words. */
static const struct {
	const char *name, *words;
} kinds[] = {
	[TEMPORAL_EVENT_WORKER_STARTED] = { "worker_started", "worker started" },
	[TEMPORAL_EVENT_WORKER_STOPPED] = { "worker_stopped", "worker stopped" },
	[TEMPORAL_EVENT_WORKFLOW_TASK_RECEIVED] = { "workflow_task_received",
		"workflow task received" },
	[TEMPORAL_EVENT_WORKFLOW_STARTED] = { "workflow_started", "workflow started" },
	[TEMPORAL_EVENT_WORKFLOW_TASK_FAILED] = { "workflow_task_failed", "workflow task failed" },
	[TEMPORAL_EVENT_ACTIVITY_SCHEDULED] = { "activity_scheduled", "activity scheduled" },
	[TEMPORAL_EVENT_WORKFLOW_COMPLETED] = { "workflow_completed", "workflow completed" },
	[TEMPORAL_EVENT_WORKFLOW_FAILED] = { "workflow_failed", "workflow failed" },
	[TEMPORAL_EVENT_WORKFLOW_CANCELED] = { "workflow_canceled", "workflow canceled" },
	[TEMPORAL_EVENT_WORKFLOW_CONTINUED_AS_NEW] = { "workflow_continued_as_new",
		"workflow continued as new" },
	[TEMPORAL_EVENT_WORKFLOW_EVICTED] = { "workflow_evicted", "workflow evicted" },
	[TEMPORAL_EVENT_ACTIVITY_TASK_RECEIVED] = { "activity_task_received",
		"activity task received" },
	[TEMPORAL_EVENT_ACTIVITY_COMPLETED] = { "activity_completed", "activity completed" },
	[TEMPORAL_EVENT_ACTIVITY_FAILED] = { "activity_failed", "activity failed" },
	[TEMPORAL_EVENT_ACTIVITY_CANCELED] = { "activity_canceled", "activity canceled" },
	[TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN] = { "activity_left_open", "activity left open" },
	[TEMPORAL_EVENT_NEXUS_TASK_RECEIVED] = { "nexus_task_received", "Nexus task received" },
	[TEMPORAL_EVENT_NEXUS_OPERATION_COMPLETED] = { "nexus_operation_completed",
		"Nexus operation completed" },
	[TEMPORAL_EVENT_NEXUS_OPERATION_STARTED] = { "nexus_operation_started",
		"Nexus operation started" },
	[TEMPORAL_EVENT_NEXUS_OPERATION_FAILED] = { "nexus_operation_failed",
		"Nexus operation failed" },
	[TEMPORAL_EVENT_NEXUS_OPERATION_CANCELED] = { "nexus_operation_canceled",
		"Nexus operation canceled" },
	[TEMPORAL_EVENT_NEXUS_CANCEL_DELIVERED] = { "nexus_cancel_delivered",
		"Nexus cancel delivered" },
	[TEMPORAL_EVENT_NEXUS_TASK_FAILED] = { "nexus_task_failed", "Nexus task failed" },
};

size_t temporal_log_event(char out[TEMPORAL_LOG_LINE_SIZE], enum temporal_log_format format,
	const struct temporal_worker_event *event, int64_t time_ns)
{
	bool known =
		(size_t)event->kind < sizeof(kinds) / sizeof(kinds[0]) && kinds[event->kind].name;
	struct line line = line_begin(out, format, time_ns, TEMPORAL_LOG_INFO,
		known ? kinds[event->kind].words : "event");

	put_field(&line, "event", known ? kinds[event->kind].name : "");
	put_field(&line, "task_queue", event->task_queue);
	put_field(&line, "workflow_type", event->workflow_type);
	put_field(&line, "workflow_id", event->workflow_id);
	put_field(&line, "run_id", event->run_id);
	put_field(&line, "activity_type", event->activity_type);
	put_field(&line, "activity_id", event->activity_id);
	put_field(&line, "nexus_service", event->nexus_service);
	put_field(&line, "nexus_operation", event->nexus_operation);
	put_number(&line, "attempt", event->attempt);
	if (!str_empty(event->text)) {
		put_key(&line, "text");
		put_value(&line, event->text, WORKER_LOG_TEXT_MAX);
	}
	return line_end(&line);
}

/* ---- to the descriptor ---- */

/* A log that cannot be written is lost: there is nobody to tell. */
static void write_line(const struct temporal_worker *worker, const char *line, size_t len)
{
	int fd = worker->opts.log_fd ? worker->opts.log_fd : STDERR_FILENO;

	while (len > 0) {
		ssize_t n = write(fd, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line += n;
		len -= (size_t)n;
	}
}

void worker_log_write(const struct temporal_worker *worker, const struct temporal_worker_log *line)
{
	char text[TEMPORAL_LOG_LINE_SIZE];

	write_line(worker, text,
		temporal_log_line(text, worker->opts.log_format, line, clock_epoch_ns()));
}

void worker_log_write_event(
	const struct temporal_worker *worker, const struct temporal_worker_event *event)
{
	char text[TEMPORAL_LOG_LINE_SIZE];

	write_line(worker, text,
		temporal_log_event(text, worker->opts.log_format, event, clock_epoch_ns()));
}
