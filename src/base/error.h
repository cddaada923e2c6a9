/*
 * error.h: filling in the caller's struct temporal_error.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <temporal/error.h>

/*
 * Writes code and formatted message to `err` (which may be NULL) and returns the code, so that one
 * can write `return error_set(err, ...)`. A message that is too long is cut at a character's edge.
 * Codes that a caller may retry are marked so.
 */
enum temporal_code error_set(struct temporal_error *err, enum temporal_code code,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* error_set() with NO_MEMORY; `what` says what could not be allocated. */
enum temporal_code error_no_memory(struct temporal_error *err, const char *what);

/* Puts "text: " in front of a message that is already there: context that only a caller knows. */
void error_prefix(struct temporal_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
