/*
 * literal.c: times, durations and words out of text. Pure functions; any thread.
 *
 * Times are read as leniently as the official server reads them (its standard library takes a
 * one-digit hour, a comma and any offset up to 24:60), since what works there must work here.
 */
#include <limits.h>

#include "base/clock.h"
#include "server/visibility/column.h"

struct cursor {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take(struct cursor *cursor, char c)
{
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* Between `min` and `max` digits, of which at most 18 are asked for. */
static bool take_number(struct cursor *cursor, int min, int max, int64_t *out)
{
	int64_t value = 0;
	int n = 0;

	for (; n < max && cursor->at < cursor->end && is_digit(*cursor->at); n++)
		value = value * 10 + (*cursor->at++ - '0');
	*out = value;
	return n >= min;
}

/* Digits of a fraction, as billionths; further ones are dropped. */
static int64_t take_fraction(struct cursor *cursor)
{
	int64_t value = 0, unit = NS_PER_SECOND / 10;

	for (; cursor->at < cursor->end && is_digit(*cursor->at); cursor->at++, unit /= 10)
		value += unit * (*cursor->at - '0');
	return value;
}

/* Days since the epoch in the Gregorian calendar (years 0 to 9999). */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y + 400) / 400 - 1;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_zone(struct cursor *cursor, int64_t *offset_s)
{
	int64_t hours, minutes;

	*offset_s = 0;
	if (take(cursor, 'Z'))
		return true;
	bool west = take(cursor, '-');
	if (!west && !take(cursor, '+'))
		return false;
	if (!take_number(cursor, 2, 2, &hours) || !take(cursor, ':') ||
		!take_number(cursor, 2, 2, &minutes) || hours > 24 || minutes > 60)
		return false;
	*offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

bool visibility_time_parse(struct str text, int64_t *ns)
{
	struct cursor in = { text.ptr, text.len ? text.ptr + text.len : text.ptr };
	int64_t year, month, day, hour, minute, second, offset, fraction = 0;

	if (!text.len || !take_number(&in, 4, 4, &year) || !take(&in, '-') ||
		!take_number(&in, 2, 2, &month) || !take(&in, '-') ||
		!take_number(&in, 2, 2, &day) || !take(&in, 'T'))
		return false;
	if (!take_number(&in, 1, 2, &hour) || !take(&in, ':') || !take_number(&in, 2, 2, &minute) ||
		!take(&in, ':') || !take_number(&in, 2, 2, &second))
		return false;
	if (in.end - in.at > 1 && (*in.at == '.' || *in.at == ',') && is_digit(in.at[1])) {
		in.at++;
		fraction = take_fraction(&in);
	}
	if (!take_zone(&in, &offset) || in.at != in.end || month < 1 || month > 12 || day < 1 ||
		day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	int64_t total = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 +
			second - offset;
	if (__builtin_mul_overflow(total, NS_PER_SECOND, ns) ||
		__builtin_add_overflow(*ns, fraction, ns))
		*ns = total < 0 ? INT64_MIN : INT64_MAX;
	return true;
}

/* A whole number with its sign. */
static bool parse_integer(struct str text, int64_t *out)
{
	struct cursor in = { text.ptr, text.ptr + text.len };
	bool minus = take(&in, '-');
	int64_t value = 0;

	if (!minus)
		(void)take(&in, '+');
	if (in.at == in.end)
		return false;
	for (; in.at < in.end; in.at++) {
		if (!is_digit(*in.at) || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, *in.at - '0', &value))
			return false;
	}
	/* Summed up below zero, where there is room for the lowest number. */
	*out = value;
	return minus || !__builtin_sub_overflow(0, value, out);
}

static bool parse_clock(struct str text, int64_t *ns)
{
	struct cursor in = { text.ptr, text.ptr + text.len };
	int64_t hours, minutes, seconds;

	if (!take_number(&in, 1, 12, &hours) || !take(&in, ':') ||
		!take_number(&in, 1, 2, &minutes) || !take(&in, ':') ||
		!take_number(&in, 1, 2, &seconds) || in.at != in.end || minutes > 59 ||
		seconds > 59)
		return false;
	return !__builtin_mul_overflow(hours * 3600 + minutes * 60 + seconds, NS_PER_SECOND, ns);
}

/* The unit at the cursor in ns; 0 if there is none. */
static int64_t take_unit(struct cursor *cursor)
{
	static const struct {
		struct str name;
		int64_t ns;
	} units[] = {
		{ { "ns", 2 }, 1 },
		{ { "us", 2 }, 1000 },
		{ { "\xc2\xb5s", 3 }, 1000 },
		{ { "\xce\xbcs", 3 }, 1000 },
		{ { "ms", 2 }, 1000000 },
		{ { "s", 1 }, NS_PER_SECOND },
		{ { "m", 1 }, 60 * NS_PER_SECOND },
		{ { "h", 1 }, 3600 * NS_PER_SECOND },
		{ { "d", 1 }, 86400 * NS_PER_SECOND },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct str name = units[i].name;
		if ((size_t)(cursor->end - cursor->at) >= name.len &&
			memcmp(cursor->at, name.ptr, name.len) == 0) {
			cursor->at += name.len;
			return units[i].ns;
		}
	}
	return 0;
}

/* One "1.5h"; added to *ns. */
static bool take_duration(struct cursor *cursor, int64_t *ns)
{
	const char *start = cursor->at;
	int64_t whole, fraction = 0, part;

	if (!take_number(cursor, 0, 18, &whole))
		return false;
	bool digits = cursor->at > start;
	if (take(cursor, '.')) {
		const char *point = cursor->at;
		fraction = take_fraction(cursor);
		digits = digits || cursor->at > point;
	}
	int64_t unit = take_unit(cursor);
	if (!digits || !unit || __builtin_mul_overflow(whole, unit, &part))
		return false;
	/* A fraction of a day in ns is exact in long double: 2^47 * 10^9 < 2^64 * 10^9 / 2^16. */
	int64_t rest = (int64_t)((long double)fraction * (long double)unit / NS_PER_SECOND);
	return !__builtin_add_overflow(part, rest, &part) && !__builtin_add_overflow(*ns, part, ns);
}

bool visibility_duration_parse(struct str text, int64_t *ns)
{
	struct cursor in = { text.ptr, text.len ? text.ptr + text.len : text.ptr };
	int64_t total = 0;

	if (!text.len)
		return false;
	if (parse_integer(text, ns) || parse_clock(text, ns))
		return true;
	bool minus = take(&in, '-');
	if (!minus)
		(void)take(&in, '+');
	if (in.at == in.end)
		return false;
	while (in.at < in.end) {
		if (!take_duration(&in, &total))
			return false;
	}
	*ns = minus ? -total : total;
	return true;
}

/*
 * The plain letter of U+00C0 to U+017F, '.' where there is none (the letter stays as it is): what
 * is left when accents are taken away and capitals made small.
 */
static const char plain_letters[] =
	"aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
	"aaaaaaccccccccdd..eeeeeeeeeegggggggghh..iiiiiiiii...jjkk.llllll."
	"...nnnnnn...oooooo..rrrrrrsssssssstttt..uuuuuuuuuuuuwwyyyzzzzzz.";

/* A code point above U+007F of at most 4 bytes of valid UTF-8. */
static uint32_t decode(const char *ptr, size_t len, size_t *used)
{
	uint8_t lead = (uint8_t)*ptr;
	size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t point = lead & (0xffu >> (n + 1));

	if (lead < 0xc2 || n > len) {
		*used = 1;
		return 0xfffd;
	}
	for (size_t i = 1; i < n; i++)
		point = point << 6 | ((uint8_t)ptr[i] & 0x3f);
	*used = n;
	return point;
}

static bool is_separator(uint32_t point)
{
	return (point < 0xc0 && point != 0xaa && point != 0xb5 && point != 0xba) || point == 0xd7 ||
	       point == 0xf7 || (point >= 0x2000 && point <= 0x206f) ||
	       (point >= 0x2190 && point <= 0x2bff) || (point >= 0x3000 && point <= 0x3003) ||
	       (point >= 0x3008 && point <= 0x3020);
}

/* Small letters of Latin-1, Greek and Cyrillic capitals that have no plain letter. */
static uint32_t lower(uint32_t point)
{
	if ((point >= 0xc0 && point <= 0xde) || (point >= 0x391 && point <= 0x3a9) ||
		(point >= 0x410 && point <= 0x42f))
		return point + 0x20;
	if (point >= 0x400 && point <= 0x40f)
		return point + 0x50;
	return point;
}

/* Appends a letter or digit; the number of bytes, 0 for what separates words. */
static size_t put_letter(const char *ptr, size_t len, size_t *used, char *out)
{
	char c = *ptr;

	*used = 1;
	if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
		out[0] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		return 1;
	}
	if ((uint8_t)c < 0x80)
		return 0;
	uint32_t point = decode(ptr, len, used);
	if (is_separator(point))
		return 0;
	if (point >= 0xc0 && point < 0x180 && plain_letters[point - 0xc0] != '.') {
		out[0] = plain_letters[point - 0xc0];
		return 1;
	}
	uint32_t small = lower(point);
	memcpy(out, ptr, *used);
	if (small != point) { /* two bytes before and after */
		out[0] = (char)(0xc0 | small >> 6);
		out[1] = (char)(0x80 | (small & 0x3f));
	}
	return *used;
}

size_t visibility_words(struct str text, char *out)
{
	size_t n = 0, used = 1;

	out[n++] = ' ';
	for (size_t at = 0; at < text.len; at += used) {
		size_t put = put_letter(text.ptr + at, text.len - at, &used, out + n);
		if (put)
			n += put;
		else if (out[n - 1] != ' ')
			out[n++] = ' ';
	}
	if (out[n - 1] != ' ')
		out[n++] = ' ';
	return n;
}
