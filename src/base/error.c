/*
 * error.c: the names of the codes, and the one place that writes a struct temporal_error.
 *
 * Nothing here allocates or fails, so that an error can be told whatever the trouble is. Any
 * thread; the struct is its caller's.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* By number: gRPC's 0 to 16. */
static const char *const grpc_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

/* From TEMPORAL_NO_MEMORY (100) on. */
static const char *const own_names[] = {
	"NO_MEMORY",
	"BAD_PAYLOAD",
	"RUN_FAILED",
	"NONDETERMINISM",
	"QUERY_REJECTED",
	"QUERY_FAILED",
	"UPDATE_FAILED",
};

const char *temporal_code_name(enum temporal_code code)
{
	size_t n = (size_t)code;

	if (n < sizeof(grpc_names) / sizeof(grpc_names[0]))
		return grpc_names[n];
	if (n >= TEMPORAL_NO_MEMORY &&
		n - TEMPORAL_NO_MEMORY < sizeof(own_names) / sizeof(own_names[0]))
		return own_names[n - TEMPORAL_NO_MEMORY];
	return "UNKNOWN_CODE";
}

/*
 * Codes that speak of the moment and not of the request. DEADLINE_EXCEEDED is not among them: the
 * time is over for the caller as well.
 */
static bool is_retryable(enum temporal_code code)
{
	switch (code) {
	case TEMPORAL_RESOURCE_EXHAUSTED:
	case TEMPORAL_UNAVAILABLE:
	case TEMPORAL_ABORTED:
		return true;
	default:
		return false;
	}
}

/*
 * Ends a truncated message before its last character if that has several bytes: it may not have
 * fitted whole, and to find out whether it did is not worth it. Without this a message could end in
 * half a character, which is no UTF-8.
 */
static void trim_utf8(char *text, size_t len)
{
	size_t at = len;

	while (at > 0 && len - at < 4 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
		at--;
	if (at > 0 && (unsigned char)text[at - 1] >= 0xC0)
		text[at - 1] = '\0';
}

static void write_message(struct temporal_error *err, const char *format, va_list args)
{
	int len = vsnprintf(err->message, sizeof(err->message), format, args);

	if (len >= (int)sizeof(err->message))
		trim_utf8(err->message, sizeof(err->message) - 1);
}

enum temporal_code error_set(
	struct temporal_error *err, enum temporal_code code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	*err = (struct temporal_error){ .code = code, .retryable = is_retryable(code) };
	va_start(args, format);
	write_message(err, format, args);
	va_end(args);
	return code;
}

enum temporal_code error_no_memory(struct temporal_error *err, const char *what)
{
	return error_set(err, TEMPORAL_NO_MEMORY, "out of memory: %s", what);
}

/* On copies: format may take arguments from the message itself. */
void error_prefix(struct temporal_error *err, const char *format, ...)
{
	char rest[sizeof(err->message)];
	char head[sizeof(err->message)];
	va_list args;

	if (!err)
		return;
	memcpy(rest, err->message, sizeof(rest));
	va_start(args, format);
	vsnprintf(head, sizeof(head), format, args);
	va_end(args);
	if (snprintf(err->message, sizeof(err->message), "%s: %s", head, rest) >=
		(int)sizeof(err->message))
		trim_utf8(err->message, sizeof(err->message) - 1);
}
