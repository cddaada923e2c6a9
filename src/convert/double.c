/*
 * double.c: doubles and floats to and from decimals, exactly.
 *
 * Both ways have a fast path in double arithmetic, whose results are exact by these facts: integers
 * up to 2^53 and powers of ten up to 10^22 are doubles, and one multiplication or division of
 * doubles is correctly rounded. Prices, percentages and times take it. What is left goes through
 * natural numbers of any size (big.c): reading by a binary long division, writing by the
 * free-format algorithm of Steele and White. That costs around a microsecond, more for extreme
 * exponents.
 *
 * printf and strtod are not used: they follow the process's locale. Any thread; no state.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "convert/big.h"
#include "convert/number.h"

_Static_assert(FLT_RADIX == 2 && DBL_MANT_DIG == 53 && FLT_MANT_DIG == 24, "IEEE 754");
_Static_assert(FLT_EVAL_METHOD == 0, "doubles are computed as doubles");

#define EXACT_INTEGER_MAX (UINT64_C(1) << 53)
#define EXACT_POWER_MAX   22

static const double powers_of_ten[EXACT_POWER_MAX + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
	1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* ---- reading ---- */

/*
 * No two doubles, nor the middle of two, differ first after so many digits (767): what comes later
 * only matters as being there or not.
 */
#define DIGITS_MAX 780

/* Decimal exponents of the first digit beyond which a double is infinite, or 0. */
#define MAGNITUDE_MAX 310
#define MAGNITUDE_MIN (-326)

/*
 * The digits of the text as a natural number, its count of decimal digits, and the power of ten
 * that it is to be scaled by.
 */
static int64_t read_digits(const struct number *number, struct big *digits, int64_t *count)
{
	const char *at = number->text + number->negative;
	const char *end = number->text + number->len;
	int64_t exponent = number->scale;
	bool fraction = false, rest = false;

	big_set(digits, 0);
	*count = 0;
	for (; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.') {
			fraction = true;
		} else if (*count < DIGITS_MAX) {
			big_multiply_add(digits, 10, (uint64_t)(*at - '0'));
			*count += digits->count > 0;
			exponent -= fraction;
		} else {
			rest = rest || *at != '0';
			exponent += !fraction;
		}
	}
	if (rest) {
		big_multiply_add(digits, 10, 1);
		*count += 1;
		exponent--;
	}
	return exponent;
}

/*
 * numerator / denominator as the bits of a double: scaled to lie in [1, 2), it is divided bit by
 * bit; what remains after the last bit decides how to round. The carry of rounding up runs into the
 * exponent, as it must.
 */
static uint64_t divide_to_bits(struct big *numerator, struct big *denominator)
{
	int exponent = (int)big_bits(numerator) - (int)big_bits(denominator);
	uint64_t mantissa = 0;

	if (exponent > 0)
		big_shift_left(denominator, (unsigned)exponent);
	else
		big_shift_left(numerator, (unsigned)-exponent);
	if (big_compare(numerator, denominator) < 0) {
		big_shift_left(numerator, 1);
		exponent--;
	}
	int bits = exponent < DBL_MIN_EXP - 1 ? DBL_MANT_DIG - (DBL_MIN_EXP - 1 - exponent)
					      : DBL_MANT_DIG;
	if (bits < 0)
		return 0;
	if (exponent >= DBL_MAX_EXP)
		return UINT64_C(0x7FF) << (DBL_MANT_DIG - 1); /* infinity */
	for (int i = 0; i < bits; i++) {
		mantissa <<= 1;
		if (big_compare(numerator, denominator) >= 0) {
			big_subtract(numerator, denominator);
			mantissa |= 1;
		}
		big_shift_left(numerator, 1);
	}
	int half = big_compare(numerator, denominator);
	if (half > 0 || (half == 0 && mantissa & 1))
		mantissa++;
	if (bits < DBL_MANT_DIG)
		return mantissa;
	return ((uint64_t)(exponent + DBL_MAX_EXP - 2) << (DBL_MANT_DIG - 1)) + mantissa;
}

/*
 * Too large or too small by the place of the first digit is seen before the power of ten is
 * multiplied out: "1e999999" must cost nothing, and the numbers of big.c have an end.
 */
static bool read_exactly(const struct number *number, double *out)
{
	struct big numerator, denominator;
	int64_t count;
	int64_t exponent = read_digits(number, &numerator, &count);
	uint64_t bits = 0;

	if (count > 0 && count + exponent > MAGNITUDE_MAX)
		return false;
	if (count > 0 && count + exponent > MAGNITUDE_MIN) {
		big_set(&denominator, 1);
		if (exponent > 0)
			big_multiply_power_of_ten(&numerator, (unsigned)exponent);
		else
			big_multiply_power_of_ten(&denominator, (unsigned)-exponent);
		bits = divide_to_bits(&numerator, &denominator);
	}
	memcpy(out, &bits, sizeof(bits));
	return *out <= DBL_MAX;
}

/*
 * The fast way needs the mantissa and the power of ten to be exact doubles; then the one operation
 * left rounds correctly.
 */
bool number_to_double(const struct number *number, double *out)
{
	double value = (double)number->mantissa;

	if (number->exact && number->mantissa <= EXACT_INTEGER_MAX &&
		number->exponent >= -EXACT_POWER_MAX && number->exponent <= EXACT_POWER_MAX) {
		if (number->exponent < 0)
			value /= powers_of_ten[-number->exponent];
		else
			value *= powers_of_ten[number->exponent];
	} else if (!read_exactly(number, &value)) {
		return false;
	}
	*out = number->negative ? -value : value;
	return true;
}

/* ---- writing ---- */

/* A positive value as decimal: 0.DIGITS * 10^point. 17 digits are the most that a double needs. */
struct decimal {
	char digits[20];
	int count;
	int point;
};

static void decimal_set(struct decimal *decimal, uint64_t digits, int fraction)
{
	decimal->count = (int)(str_put_uint(decimal->digits, digits) - decimal->digits);
	decimal->point = decimal->count - fraction;
}

/*
 * Up to 15 digits name a double uniquely, so the first count of decimals with which the value is
 * met again is the shortest form; a float is met by the nearest of up to 9 digits.
 */
static bool write_short(double value, bool single, struct decimal *decimal)
{
	double limit = single ? 1e9 : 1e15;

	if (value < (double)EXACT_INTEGER_MAX && value == (double)(uint64_t)value && !single) {
		decimal_set(decimal, (uint64_t)value, 0);
		return true;
	}
	for (int i = 0; value > 1e-8 && i <= EXACT_POWER_MAX; i++) {
		double scaled = value * powers_of_ten[i];

		if (scaled >= limit)
			return false;
		uint64_t digits = (uint64_t)(scaled + 0.5);
		double back = (double)digits / powers_of_ten[i];
		if (single ? (float)back == (float)value : back == value) {
			decimal_set(decimal, digits, i);
			return digits > 0;
		}
	}
	return false;
}

/*
 * The value as a fraction value / scale, and the distances to the middles between it and the next
 * lower and higher floating-point numbers, on the same scale.
 */
struct fraction {
	struct big value, scale, lower, higher;
	bool even; /* the middles themselves still round to the value */
};

/*
 * Takes the double apart. All four numbers are multiplied by two (and by two more at a power of
 * two), so that the middles, which lie at half a unit, are whole.
 */
static void fraction_init(struct fraction *fraction, double value, bool single)
{
	int digits = single ? FLT_MANT_DIG : DBL_MANT_DIG;
	int least = single ? FLT_MIN_EXP : DBL_MIN_EXP;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	int exponent = (int)(bits >> (DBL_MANT_DIG - 1));
	uint64_t mantissa = bits & ((UINT64_C(1) << (DBL_MANT_DIG - 1)) - 1);
	if (exponent)
		mantissa |= UINT64_C(1) << (DBL_MANT_DIG - 1);
	exponent = (exponent ? exponent : 1) - (DBL_MAX_EXP - 1) - (DBL_MANT_DIG - 1);
	/* A float's mantissa has fewer digits, and still fewer when it is subnormal as a float. */
	int drop = DBL_MANT_DIG - digits;
	if (exponent + drop < least - digits)
		drop = least - digits - exponent;
	mantissa >>= drop;
	exponent += drop;

	/* At a power of two the next lower number is half as far away as the next higher one. */
	unsigned edge = mantissa == UINT64_C(1) << (digits - 1) && exponent > least - digits;
	unsigned up = exponent > 0 ? (unsigned)exponent : 0;
	unsigned down = exponent < 0 ? (unsigned)-exponent : 0;
	fraction->even = mantissa % 2 == 0;
	big_set(&fraction->value, mantissa);
	big_shift_left(&fraction->value, up + 1 + edge);
	big_set(&fraction->scale, 1);
	big_shift_left(&fraction->scale, down + 1 + edge);
	big_set(&fraction->lower, 1);
	big_shift_left(&fraction->lower, up);
	big_set(&fraction->higher, 1);
	big_shift_left(&fraction->higher, up + edge);
}

/* The next digit comes before the point. Multiplying the distances along keeps all on one scale. */
static void fraction_times_ten(struct fraction *fraction)
{
	big_multiply_add(&fraction->value, 10, 0);
	big_multiply_add(&fraction->lower, 10, 0);
	big_multiply_add(&fraction->higher, 10, 0);
}

/* Is value + higher beyond the scale, or on it where that counts? */
static bool fraction_is_high(const struct fraction *fraction)
{
	struct big sum;

	big_copy(&sum, &fraction->value);
	big_add(&sum, &fraction->higher);
	int order = big_compare(&sum, &fraction->scale);
	return fraction->even ? order >= 0 : order > 0;
}

/* Is what is left so little that the digits so far already read back as the value? */
static bool fraction_is_low(const struct fraction *fraction)
{
	int order = big_compare(&fraction->value, &fraction->lower);

	return fraction->even ? order <= 0 : order < 0;
}

/* Scales by the power of ten that brings the value just below 1; gives that power. */
static int fraction_scale(struct fraction *fraction, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	int log2 = (int)(bits >> (DBL_MANT_DIG - 1)) - (DBL_MAX_EXP - 1);
	if (log2 <= -DBL_MAX_EXP + 1) /* subnormal: by its highest bit */
		log2 = 63 - __builtin_clzll(bits) + DBL_MIN_EXP - DBL_MANT_DIG;
	/* An estimate that is never too high; 1233 / 4096 is just below log10(2). */
	int point = log2 >= 0 ? log2 * 1233 / 4096 : -(-log2 * 1233 / 4096) - 1;
	if (point > 0) {
		big_multiply_power_of_ten(&fraction->scale, (unsigned)point);
	} else {
		big_multiply_power_of_ten(&fraction->value, (unsigned)-point);
		big_multiply_power_of_ten(&fraction->lower, (unsigned)-point);
		big_multiply_power_of_ten(&fraction->higher, (unsigned)-point);
	}
	while (fraction_is_high(fraction)) {
		big_multiply_add(&fraction->scale, 10, 0);
		point++;
	}
	return point;
}

/*
 * Digit by digit from the left, until what is left is nearer than the middles: then no shorter
 * decimal lies between them. When both neighbours would do, the nearer one is taken, and of two the
 * even one.
 */
static void write_exactly(double value, bool single, struct decimal *decimal)
{
	struct fraction fraction;

	fraction_init(&fraction, value, single);
	decimal->point = fraction_scale(&fraction, value);
	decimal->count = 0;
	for (;;) {
		int digit = 0;

		fraction_times_ten(&fraction);
		while (big_compare(&fraction.value, &fraction.scale) >= 0) {
			big_subtract(&fraction.value, &fraction.scale);
			digit++;
		}
		bool low = fraction_is_low(&fraction), high = fraction_is_high(&fraction);
		if (low && high) {
			big_shift_left(&fraction.value, 1);
			int half = big_compare(&fraction.value, &fraction.scale);
			low = half < 0 || (half == 0 && digit % 2 == 0);
		}
		decimal->digits[decimal->count++] = (char)('0' + digit + (low || !high ? 0 : 1));
		if (low || high)
			return;
	}
}

static char *write_zeros(char *at, int count)
{
	for (; count > 0; count--)
		*at++ = '0';
	return at;
}

static char *write_bytes(char *at, const char *bytes, int count)
{
	memcpy(at, bytes, (size_t)count);
	return at + count;
}

/* 0.00012, 12.5, 1200.0: for what is neither very small nor very large. */
static char *write_plain(char *at, const struct decimal *decimal)
{
	int whole = decimal->point < decimal->count ? decimal->point : decimal->count;

	if (decimal->point <= 0) {
		at = write_bytes(at, "0.", 2);
		at = write_zeros(at, -decimal->point);
		return write_bytes(at, decimal->digits, decimal->count);
	}
	at = write_bytes(at, decimal->digits, whole);
	at = write_zeros(at, decimal->point - whole);
	*at++ = '.';
	if (whole == decimal->count)
		return write_zeros(at, 1);
	return write_bytes(at, decimal->digits + whole, decimal->count - whole);
}

/* 1.25e+30, 5e-324 */
static char *write_scientific(char *at, const struct decimal *decimal)
{
	int exponent = decimal->point - 1;

	*at++ = decimal->digits[0];
	if (decimal->count > 1) {
		*at++ = '.';
		at = write_bytes(at, decimal->digits + 1, decimal->count - 1);
	}
	*at++ = 'e';
	*at++ = exponent < 0 ? '-' : '+';
	if (exponent > -10 && exponent < 10)
		*at++ = '0';
	return str_put_int(at, exponent < 0 ? -exponent : exponent);
}

/*
 * The form of Python's repr and thus of its JSON: plain from 1e-4 up to 1e16, scientific beyond.
 * -0.0 keeps its sign, as it is another value.
 */
static size_t write_value(char *out, double value, bool single)
{
	struct decimal decimal;
	char *at = out;

	if (signbit(value)) {
		*at++ = '-';
		value = -value;
	}
	if (value == 0) {
		at = write_bytes(at, "0.0", 3);
	} else {
		if (!write_short(value, single, &decimal))
			write_exactly(value, single, &decimal);
		if (decimal.point > -4 && decimal.point <= 16)
			at = write_plain(at, &decimal);
		else
			at = write_scientific(at, &decimal);
	}
	return (size_t)(at - out);
}

size_t number_write_double(char *out, double value)
{
	return write_value(out, value, false);
}

size_t number_write_float(char *out, float value)
{
	return write_value(out, (double)value, true);
}
