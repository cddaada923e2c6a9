/*
 * time.c: arithmetic on times that may hold anything, and their text. Stateless; no libc time
 * functions, which depend on the process's time zone and locale.
 *
 * The API's times are seconds and nanoseconds from anywhere; ours are int64_t. What does not fit is
 * told by false, never wrapped: each caller knows whether to refuse or to clamp.
 */
#include "proto/time.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/codec.h"

#define MS_PER_SECOND   1000
#define SECONDS_PER_DAY 86400

/* The range that protobuf defines: the years 1 to 9999. */
static bool timestamp_ok(const Google__Timestamp *timestamp)
{
	return timestamp->seconds >= PROTO_TIMESTAMP_MIN &&
	       timestamp->seconds <= PROTO_TIMESTAMP_MAX && timestamp->nanos >= 0 &&
	       timestamp->nanos < NS_PER_SECOND;
}

/* Seconds and nanoseconds must have the same sign. */
static bool duration_ok(const Google__Duration *duration)
{
	int64_t seconds = duration->seconds, nanos = duration->nanos;

	return seconds >= -PROTO_DURATION_MAX && seconds <= PROTO_DURATION_MAX &&
	       nanos > -NS_PER_SECOND && nanos < NS_PER_SECOND && !(seconds > 0 && nanos < 0) &&
	       !(seconds < 0 && nanos > 0);
}

static bool to_ns(int64_t seconds, int64_t nanos, int64_t *ns)
{
	int64_t whole;

	/* Towards zero first: near INT64_MIN the seconds alone would be too much. */
	if (seconds < 0 && nanos > 0) {
		seconds++;
		nanos -= NS_PER_SECOND;
	}
	if (__builtin_mul_overflow(seconds, NS_PER_SECOND, &whole) ||
		__builtin_add_overflow(whole, nanos, &whole))
		return false;
	*ns = whole;
	return true;
}

bool proto_timestamp_ns(const Google__Timestamp *timestamp, int64_t *ns)
{
	if (!timestamp) {
		*ns = 0;
		return true;
	}
	return timestamp_ok(timestamp) && to_ns(timestamp->seconds, timestamp->nanos, ns);
}

bool proto_duration_ns(const Google__Duration *duration, int64_t *ns)
{
	if (!duration) {
		*ns = 0;
		return true;
	}
	return duration_ok(duration) && to_ns(duration->seconds, duration->nanos, ns);
}

/* Rounded away from zero: a timeout of a microsecond must not become none. */
static int64_t nanos_to_ms(int64_t nanos)
{
	int64_t up = nanos > 0 ? NS_PER_MS - 1 : nanos < 0 ? 1 - NS_PER_MS : 0;

	return (nanos + up) / NS_PER_MS;
}

bool proto_duration_ms(const Google__Duration *duration, int64_t *ms)
{
	if (!duration) {
		*ms = 0;
		return true;
	}
	if (!duration_ok(duration))
		return false;
	*ms = duration->seconds * MS_PER_SECOND + nanos_to_ms(duration->nanos);
	return true;
}

int64_t proto_timestamp_ns_or(const Google__Timestamp *timestamp, int64_t otherwise)
{
	int64_t ns;

	return proto_timestamp_ns(timestamp, &ns) ? ns : otherwise;
}

int64_t proto_duration_ms_or(const Google__Duration *duration, int64_t otherwise)
{
	int64_t ms;

	return proto_duration_ms(duration, &ms) ? ms : otherwise;
}

static int64_t clamped(int64_t seconds, int64_t per_second, int64_t fraction)
{
	int64_t value;

	if (__builtin_mul_overflow(seconds, per_second, &value) ||
		__builtin_add_overflow(value, fraction, &value))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return value;
}

int64_t proto_timestamp_ns_clamped(const Google__Timestamp *timestamp)
{
	return timestamp ? clamped(timestamp->seconds, NS_PER_SECOND, timestamp->nanos) : 0;
}

int64_t proto_duration_ms_clamped(const Google__Duration *duration)
{
	return duration ? clamped(duration->seconds, MS_PER_SECOND, nanos_to_ms(duration->nanos))
			: 0;
}

/* Nanoseconds count forward, also before 1970: -0.5 s is second -1 and half a second. */
Google__Timestamp *proto_timestamp_new(struct arena *arena, int64_t ns)
{
	Google__Timestamp *timestamp = PROTO_NEW(arena, Google__Timestamp, google__timestamp);

	if (!timestamp)
		return NULL;
	int64_t nanos = ns % NS_PER_SECOND;
	int64_t below = nanos < 0;
	timestamp->seconds = ns / NS_PER_SECOND - below;
	timestamp->nanos = (int32_t)(nanos + below * NS_PER_SECOND);
	return timestamp;
}

Google__Duration *proto_duration_new_ns(struct arena *arena, int64_t ns)
{
	Google__Duration *duration = PROTO_NEW(arena, Google__Duration, google__duration);

	if (!duration)
		return NULL;
	duration->seconds = ns / NS_PER_SECOND;
	duration->nanos = (int32_t)(ns % NS_PER_SECOND);
	return duration;
}

/* Clamped to protobuf's range, which is what "very long" is meant as. */
Google__Duration *proto_duration_new_ms(struct arena *arena, int64_t ms)
{
	Google__Duration *duration = PROTO_NEW(arena, Google__Duration, google__duration);
	int64_t most = PROTO_DURATION_MAX * MS_PER_SECOND;

	if (!duration)
		return NULL;
	if (ms > most)
		ms = most;
	if (ms < -most)
		ms = -most;
	duration->seconds = ms / MS_PER_SECOND;
	duration->nanos = (int32_t)(ms % MS_PER_SECOND * NS_PER_MS);
	return duration;
}

/* A text that is being read: what was expected and did not come clears `ok`. */
struct scan {
	struct str left;
	bool ok;
};

static bool scan_char(struct scan *scan, char wanted)
{
	if (scan->left.len == 0 || *scan->left.ptr != wanted)
		return false;
	scan->left.ptr++;
	scan->left.len--;
	return true;
}

/* Between `least` and `most` digits; *count says how many there were. */
static int64_t scan_digits(struct scan *scan, size_t least, size_t most, size_t *count)
{
	int64_t value = 0;
	size_t n = 0;

	while (n < most && scan->left.len && *scan->left.ptr >= '0' && *scan->left.ptr <= '9') {
		value = value * 10 + (*scan->left.ptr - '0');
		scan->left.ptr++;
		scan->left.len--;
		n++;
	}
	if (n < least)
		scan->ok = false;
	if (count)
		*count = n;
	return value;
}

/* Digits of a fixed number, with a mark behind them unless that is '\0'. */
static int64_t scan_part(struct scan *scan, size_t digits, char mark)
{
	int64_t value = scan_digits(scan, digits, digits, NULL);

	if (mark && !scan_char(scan, mark))
		scan->ok = false;
	return value;
}

/* An optional fraction of a second, in nanoseconds. */
static int64_t scan_fraction(struct scan *scan)
{
	size_t n;

	if (!scan_char(scan, '.'))
		return 0;
	int64_t nanos = scan_digits(scan, 1, 9, &n);
	for (; n < 9; n++)
		nanos *= 10;
	return nanos;
}

/* Days from the epoch to a day of the Gregorian calendar: years counted from March, in cycles of
 * 400. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t from_march = month > 2 ? month - 3 : month + 9;
	int64_t y = month > 2 ? year : year - 1;
	int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

	return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* "Z", or "+hh:mm" in seconds east of Greenwich. */
static int64_t scan_offset(struct scan *scan)
{
	if (scan_char(scan, 'Z') || scan_char(scan, 'z'))
		return 0;
	bool west = scan_char(scan, '-');
	if (!west && !scan_char(scan, '+'))
		scan->ok = false;
	int64_t hours = scan_part(scan, 2, ':'), minutes = scan_part(scan, 2, '\0');
	if (hours > 23 || minutes > 59)
		scan->ok = false;
	int64_t seconds = hours * 3600 + minutes * 60;
	return west ? -seconds : seconds;
}

/*
 * RFC 3339 by hand: strptime follows the locale and knows no fractions. All errors but one are
 * noticed at the end: what is read behind an error does no harm. Second 60 is refused, as by other
 * protobuf implementations.
 */
bool proto_timestamp_parse(struct str text, Google__Timestamp *out)
{
	struct scan scan = { text, true };
	int64_t year = scan_part(&scan, 4, '-');
	int64_t month = scan_part(&scan, 2, '-');
	int64_t day = scan_part(&scan, 2, '\0');

	if (!scan_char(&scan, 'T') && !scan_char(&scan, 't'))
		return false;
	int64_t hour = scan_part(&scan, 2, ':');
	int64_t minute = scan_part(&scan, 2, ':');
	int64_t second = scan_part(&scan, 2, '\0');
	int64_t nanos = scan_fraction(&scan);
	int64_t offset = scan_offset(&scan);
	if (!scan.ok || scan.left.len || month < 1 || month > 12 || day < 1 ||
		day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	out->seconds = days_of(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 +
		       second - offset;
	out->nanos = (int32_t)nanos;
	return timestamp_ok(out);
}

/* Decimal seconds with an "s". */
bool proto_duration_parse(struct str text, Google__Duration *out)
{
	struct scan scan = { text, true };
	int64_t sign = scan_char(&scan, '-') ? -1 : 1;
	int64_t seconds = scan_digits(&scan, 1, 12, NULL);
	int64_t nanos = scan_fraction(&scan);

	if (!scan_char(&scan, 's') || !scan.ok || scan.left.len)
		return false;
	out->seconds = sign * seconds;
	out->nanos = (int32_t)(sign * nanos);
	return duration_ok(out);
}

/* Nanoseconds with as many digits as they need, in threes. */
static size_t print_fraction(int64_t nanos, char *out, size_t size)
{
	int digits = nanos % 1000 ? 9 : nanos % NS_PER_MS ? 6 : 3;

	for (int i = digits; i < 9; i++)
		nanos /= 10;
	return nanos ? (size_t)snprintf(out, size, ".%0*" PRId64, digits, nanos) : 0;
}

/* The year is estimated from below and counted up: some twenty steps for the last one. */
size_t proto_timestamp_print(const Google__Timestamp *timestamp, char out[PROTO_TIME_TEXT])
{
	if (!timestamp_ok(timestamp))
		return 0;
	int64_t since =
		timestamp->seconds - PROTO_TIMESTAMP_MIN; /* from the year 1 on: never negative */
	int64_t days = since / SECONDS_PER_DAY, second = since % SECONDS_PER_DAY;
	int64_t year = days / 366 + 1, month = 1; /* not later than it is */
	int64_t epoch_days = days - -PROTO_TIMESTAMP_MIN / SECONDS_PER_DAY;

	while (days_of(year + 1, 1, 1) <= epoch_days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= epoch_days)
		month++;
	int64_t day = epoch_days - days_of(year, month, 1) + 1;
	size_t len = (size_t)snprintf(out, PROTO_TIME_TEXT,
		"%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64,
		year, month, day, second / 3600, second / 60 % 60, second % 60);
	len += print_fraction(timestamp->nanos, out + len, PROTO_TIME_TEXT - len);
	return len + (size_t)snprintf(out + len, PROTO_TIME_TEXT - len, "Z");
}

/* The sign stands once, in front, also for -0.5 s, whose seconds are 0. */
size_t proto_duration_print(const Google__Duration *duration, char out[PROTO_TIME_TEXT])
{
	if (!duration_ok(duration))
		return 0;
	bool negative = duration->seconds < 0 || duration->nanos < 0;
	int64_t sign = negative ? -1 : 1;
	size_t len = (size_t)snprintf(
		out, PROTO_TIME_TEXT, "%s%" PRId64, negative ? "-" : "", sign * duration->seconds);
	len += print_fraction(sign * duration->nanos, out + len, PROTO_TIME_TEXT - len);
	return len + (size_t)snprintf(out + len, PROTO_TIME_TEXT - len, "s");
}
