/*
 * event.c: the callbacks for events and log lines.
 *
 * Everything is made on the stack or in an arena of the call, so that the callback can run on any
 * thread without a lock, and nothing is made at all when nobody listens.
 */
#include "worker/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "convert/convert.h"
#include "worker/limits.h"
#include "worker/worker.h"

bool worker_events_wanted(const struct temporal_worker *worker)
{
	return worker->opts.on_event || worker->opts.log_events;
}

void worker_event(struct temporal_worker *worker, struct temporal_worker_event event)
{
	const char **texts[] = { &event.task_queue, &event.workflow_type, &event.workflow_id,
		&event.run_id, &event.activity_type, &event.activity_id, &event.text,
		&event.nexus_service, &event.nexus_operation };

	if (!worker_events_wanted(worker))
		return;
	event.task_queue = worker->opts.task_queue;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!*texts[i])
			*texts[i] = "";
	}
	if (worker->opts.on_event)
		worker->opts.on_event(&event, worker->opts.user);
	if (worker->opts.log_events)
		worker_log_write_event(worker, &event);
}

/* At most WORKER_EVENT_TEXT_MAX bytes, cut between characters. */
static const char *cut(struct arena *arena, const char *text, size_t len)
{
	if (len > WORKER_EVENT_TEXT_MAX) {
		len = WORKER_EVENT_TEXT_MAX;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
			len--;
	}
	return arena_str(arena, (struct str){ text, len });
}

static const char *payload_text(struct arena *arena, const Common__Payload *payload)
{
	static const struct temporal_contract string = {
		.name = "",
		.out = { .name = "", .kind = TEMPORAL_KIND_STRING, .size = sizeof(const char *) },
		.out_size = sizeof(const char *),
	};
	struct temporal_payload public;
	const char *text = NULL;

	if (convert_payload_from_api(arena, payload, &public) != TEMPORAL_OK)
		return NULL;
	const char *data = public.data.data;

	if (strncmp(public.encoding, "json/", 5) != 0)
		return arena_printf(arena, "(%s, %zu bytes)", public.encoding, public.data.len);
	if (public.data.len == 0 || data[0] != '"')
		return cut(arena, data, public.data.len);
	if (convert_decode_result(arena, &string, payload, &text, NULL) != TEMPORAL_OK || !text)
		return NULL;
	return cut(arena, text, strlen(text));
}

void worker_event_payload(struct temporal_worker *worker, struct temporal_worker_event event,
	const Common__Payload *payload)
{
	struct arena arena;

	if (!worker_events_wanted(worker))
		return;
	arena_init(&arena, 256, ARENA_NO_BUDGET);
	event.text = payload ? payload_text(&arena, payload) : "";
	worker_event(worker, event);
	arena_finish(&arena);
}

enum temporal_log_level worker_log_least(const struct temporal_worker *worker)
{
	if (!worker->opts.on_log && !worker->opts.log_format)
		return TEMPORAL_LOG_DEFAULT;
	return worker->opts.log_level ? worker->opts.log_level : TEMPORAL_LOG_WARN;
}

bool worker_logs(const struct temporal_worker *worker, enum temporal_log_level level)
{
	enum temporal_log_level least = worker_log_least(worker);

	return least && level >= least;
}

void worker_log_line(struct temporal_worker *worker, struct temporal_worker_log line)
{
	const char **texts[] = { &line.message, &line.workflow_type, &line.workflow_id,
		&line.run_id, &line.activity_type, &line.activity_id };

	if (!worker_logs(worker, line.level))
		return;
	line.task_queue = worker->opts.task_queue;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!*texts[i])
			*texts[i] = "";
	}
	if (worker->opts.on_log)
		worker->opts.on_log(&line, worker->opts.user);
	if (worker->opts.log_format)
		worker_log_write(worker, &line);
}

void worker_log(
	struct temporal_worker *worker, enum temporal_log_level level, const char *format, ...)
{
	char message[1024];
	va_list args;

	if (!worker_logs(worker, level))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	worker_log_line(worker, (struct temporal_worker_log){ .level = level, .message = message });
}

void worker_log_workflow(const struct wf_log_record *record, void *user)
{
	worker_log_line(
		user, (struct temporal_worker_log){ .level = (enum temporal_log_level)record->level,
			      .message = record->message,
			      .workflow_type = record->workflow_type,
			      .workflow_id = record->workflow_id,
			      .run_id = record->run_id });
}
