/*
 * number.c: the syntax of JSON's numbers, and integers of them. Doubles are in double.c.
 *
 * Integers never pass through a double: all 64 bits are kept. Called by the decoder and encoder on
 * every task, so the common case is one loop over the digits. Any thread; no state.
 *
 * A number is scanned once, to mantissa and exponent with a note whether these are all of it
 * (`exact`), before it is known what kind of C number is wanted. Only a double with more digits
 * than 64 bits hold has to go back to the text (double.c).
 */
#include "convert/number.h"

#include <string.h>

/* Beyond this, an exponent decides alone: the value is 0 or out of range whatever the digits are.
 */
#define EXPONENT_MAX 1000000

static bool is_digit(const char *at, const char *end)
{
	return at < end && (unsigned char)(*at - '0') < 10;
}

/*
 * Adds the digits at `at` to the number, which are before the point (`places` 0) or behind it (1).
 * Those that the mantissa has no room for (`*full`) may be zeros, which move the point at most;
 * others make the number inexact. Gives what follows the digits.
 */
static const char *scan_digits(
	const char *at, const char *end, int places, bool *full, struct number *number)
{
	for (; is_digit(at, end); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*full || number->mantissa > (UINT64_MAX - digit) / 10) {
			*full = true;
			number->exact = number->exact && digit == 0;
			number->exponent += 1 - places;
		} else {
			number->mantissa = number->mantissa * 10 + digit;
			number->exponent -= places;
		}
	}
	return at;
}

/*
 * The exponent behind 'e'; NULL when no digit is there. It stops growing where it decides alone, so
 * it cannot overflow however long the text is.
 */
static const char *scan_exponent(const char *at, const char *end, struct number *number)
{
	int64_t exponent = 0;
	bool negative = false;

	if (at < end && (*at == '+' || *at == '-'))
		negative = *at++ == '-';
	if (!is_digit(at, end))
		return NULL;
	for (; is_digit(at, end); at++) {
		if (exponent < EXPONENT_MAX)
			exponent = exponent * 10 + (*at - '0');
	}
	number->scale = negative ? -exponent : exponent;
	number->exponent += number->scale;
	return at;
}

size_t number_scan(const char *text, const char *end, struct number *number)
{
	const char *at = text;
	bool full = false;

	*number = (struct number){ .text = text, .exact = true };
	if (at < end && *at == '-') {
		number->negative = true;
		at++;
	}
	if (!is_digit(at, end))
		return 0;
	if (*at == '0' && is_digit(at + 1, end))
		return 0; /* JSON knows no leading zeros */
	at = scan_digits(at, end, 0, &full, number);
	if (at < end && *at == '.') {
		if (!is_digit(at + 1, end))
			return 0;
		at = scan_digits(at + 1, end, 1, &full, number);
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at = scan_exponent(at + 1, end, number);
		if (!at)
			return 0;
	}
	number->len = (size_t)(at - text);
	return number->len;
}

/*
 * The value without its sign, if it is integral and fits in 64 bits.
 *
 * Both loops end early: a mantissa that is not 0 has at most 19 zeros to lose, and overflows after
 * as many more. 0 is taken out first, as it would do neither.
 */
static bool number_magnitude(const struct number *number, uint64_t *out)
{
	uint64_t mantissa = number->mantissa;
	int64_t exponent = number->exponent;

	if (!number->exact)
		return false;
	if (mantissa == 0)
		exponent = 0;
	for (; exponent < 0; exponent++) {
		if (mantissa % 10)
			return false;
		mantissa /= 10;
	}
	for (; exponent > 0; exponent--) {
		if (mantissa > UINT64_MAX / 10)
			return false;
		mantissa *= 10;
	}
	*out = mantissa;
	return true;
}

bool number_to_int(const struct number *number, int64_t *out)
{
	uint64_t magnitude;

	if (!number_magnitude(number, &magnitude))
		return false;
	if (magnitude > (uint64_t)INT64_MAX + (number->negative ? 1 : 0))
		return false;
	*out = (int64_t)(number->negative ? 0 - magnitude : magnitude);
	return true;
}

/* -0 is 0. */
bool number_to_uint(const struct number *number, uint64_t *out)
{
	return number_magnitude(number, out) && (!number->negative || *out == 0);
}
