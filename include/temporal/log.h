/*
 * log.h: lines of a worker's log, and its events, as text: for people, as logfmt, or as JSON. A
 * worker writes them itself (.log_format of its options); these functions are for an on_log or
 * on_event of the program's own.
 */
#ifndef TEMPORAL_LOG_H
#define TEMPORAL_LOG_H

#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_worker_event;
struct temporal_worker_log;

enum temporal_log_format {
	TEMPORAL_LOG_FORMAT_NONE,
	TEMPORAL_LOG_FORMAT_TEXT,   /* time LEVEL message key=value ... */
	TEMPORAL_LOG_FORMAT_LOGFMT, /* time=... level=... msg="..." key=value ... */
	TEMPORAL_LOG_FORMAT_JSON,   /* {"time":"...","level":"...","msg":"...","key":"value",...} */
};

/* No line is longer, with its newline and a '\0'. */
#define TEMPORAL_LOG_LINE_SIZE 4096

/*
 * Writes one line, with its newline and a '\0', and returns its length. Whatever the texts hold, it
 * is one line of valid UTF-8 in that format: control characters are escaped, bytes that are no
 * UTF-8 replaced, long texts cut ("..."). Fields that are "" are left out. `time_ns` since 1970, of
 * which the line has the milliseconds, in UTC. Nothing is allocated. Any thread.
 */
TEMPORAL_API size_t temporal_log_line(char out[TEMPORAL_LOG_LINE_SIZE],
	enum temporal_log_format format, const struct temporal_worker_log *line, int64_t time_ns);
TEMPORAL_API size_t temporal_log_event(char out[TEMPORAL_LOG_LINE_SIZE],
	enum temporal_log_format format, const struct temporal_worker_event *event,
	int64_t time_ns);

#ifdef __cplusplus
}
#endif
#endif
