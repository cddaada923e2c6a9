/*
 * log.c: one line a message. The server itself logs nothing: what is here is of the start, the end
 * and what ends it. Any thread.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define LINE_MAX_LEN 1024

static enum log_level least = LOG_WARN;
static bool as_json;

void log_open(enum log_level level, bool json)
{
	least = level;
	as_json = json;
}

static void print_json(const char *level, const char *text)
{
	struct timespec now;
	struct tm utc;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(stderr, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":\"", stamp,
		now.tv_nsec / 1000000, level);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(stderr, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(stderr, "\\u%04x", (unsigned)*text);
		else
			fputc(*text, stderr);
	}
	fputs("\"}\n", stderr);
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char text[LINE_MAX_LEN];
	va_list args;

	if (level < least)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	flockfile(stderr);
	if (as_json)
		print_json(names[level], text);
	else
		fprintf(stderr, "temporald: %s%s\n", level == LOG_WARN ? "warning: " : "", text);
	funlockfile(stderr);
}
