/*
 * number.h: JSON's numbers as text, to and from C's. Nothing here knows of a locale.
 */
#ifndef CONVERT_NUMBER_H
#define CONVERT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number that is written here; none is terminated. */
#define NUMBER_TEXT_MAX 32

/* A number as it stands in a text: (-1)^negative * mantissa * 10^exponent, if `exact`. */
struct number {
	const char *text;
	size_t len;
	bool negative;
	bool exact; /* the mantissa holds all digits; else only the text does */
	uint64_t mantissa;
	int64_t exponent;
	int64_t scale; /* the exponent as it is written behind 'e' */
};

/* Reads a number as JSON writes it; gives its length, 0 when there is none at `text`. */
size_t number_scan(const char *text, const char *end, struct number *number);

/* Its value, if it is integral and in range ("3.0" and "1e3" are integral). */
bool number_to_int(const struct number *number, int64_t *out) __attribute__((warn_unused_result));
bool number_to_uint(const struct number *number, uint64_t *out) __attribute__((warn_unused_result));

/* The nearest double, ties to even; false when it is beyond the range of a double. */
bool number_to_double(const struct number *number, double *out) __attribute__((warn_unused_result));

/*
 * The shortest decimal that reads back as the same value, and of these the nearest; always with a
 * point or an exponent, so that it stays a floating-point number for others. Finite values only.
 */
size_t number_write_double(char *out, double value);
size_t number_write_float(char *out, float value);

#endif
