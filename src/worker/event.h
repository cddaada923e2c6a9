/*
 * event.h: telling the user what happens: events and log lines. Any thread of the worker, no lock
 * held.
 */
#ifndef WORKER_EVENT_H
#define WORKER_EVENT_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/worker.h>

struct wf_log_record;

/* Does anybody listen? What is only needed for events is left out otherwise. */
bool worker_events_wanted(const struct temporal_worker *worker);

/* Passes the event on; its NULL strings become "", its task queue the worker's. */
void worker_event(struct temporal_worker *worker, struct temporal_worker_event event);

/*
 * An event with `payload` as its text (NULL: ""): the content of a JSON string, other JSON and
 * texts as they are, anything else as its encoding and size.
 */
void worker_event_payload(struct temporal_worker *worker, struct temporal_worker_event event,
	const Common__Payload *payload);

/* log.c: a line, an event to the descriptor of the options. */
void worker_log_write(const struct temporal_worker *worker, const struct temporal_worker_log *line);
void worker_log_write_event(
	const struct temporal_worker *worker, const struct temporal_worker_event *event);

/* A line that is complete but for what the worker is, if its level is wanted. */
void worker_log_line(struct temporal_worker *worker, struct temporal_worker_log line);

void worker_log(struct temporal_worker *worker, enum temporal_log_level level, const char *format,
	...) __attribute__((format(printf, 3, 4)));
bool worker_logs(const struct temporal_worker *worker, enum temporal_log_level level);

/* From which level on somebody wants lines; 0: nobody wants any. */
enum temporal_log_level worker_log_least(const struct temporal_worker *worker);

/* wf_config.log: the lines of workflow code. */
void worker_log_workflow(const struct wf_log_record *record, void *user);

#endif
