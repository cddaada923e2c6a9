/*
 * cron.c: cron schedules as the official server reads them. A field is a list of ranges with steps;
 * the days of the month and of the week are both asked when one of them is a star, and either is
 * enough when none is. Time is searched field by field, from months down, in the schedule's zone:
 * civil times are seconds "since the epoch in local time", which zone.c turns into real ones.
 *
 * Pure, but for the zone's file.
 */
#include "server/history/cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/time.h"
#include "server/history/civil.h"
#include "server/limits.h"

#define YEARS_MAX  5
#define TEXT_MAX   1000
#define FIELDS     5
#define MINUTE_S   60
#define HOUR_S     3600
#define NEVER      0
#define STEPS_MAX  20000 /* more than five years of days and all that is within one */
#define EVERY_TEXT "@every "

/* ---- Parsing ---- */

struct field {
	unsigned min, max;
	const char *const *names; /* of min, min + 1, ..., NULL */
};

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
	"sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

static const struct field field_minute = { 0, 59, NULL }, field_hour = { 0, 23, NULL },
			  field_day = { 1, 31, NULL }, field_month = { 1, 12, month_names },
			  field_weekday = { 0, 6, day_names };

/* A number of the list, without a sign or with a plus. */
static bool read_number(const char *text, unsigned *out)
{
	unsigned value = 0;

	if (*text == '+')
		text++;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > 10000)
			return false;
		value = value * 10 + (unsigned)(*text - '0');
	}
	*out = value;
	return true;
}

static bool read_value(const struct field *field, const char *text, unsigned *out)
{
	for (unsigned i = 0; field->names && field->names[i]; i++) {
		if (strcasecmp(field->names[i], text) == 0) {
			*out = field->min + i;
			return true;
		}
	}
	return read_number(text, out);
}

/* Cuts a text at the first `mark`; what is behind it, or NULL. */
static char *cut(char *text, char mark)
{
	char *at = strchr(text, mark);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

/* One range: "*", "N", "N-M", each with "/STEP" or without. */
static bool read_range(const struct field *field, char *text, uint64_t *bits, bool *star)
{
	char *step_text = cut(text, '/'), *end_text = cut(text, '-');
	bool all = str_same(text, "*") || str_same(text, "?");
	unsigned first = field->min, last = field->max, step = 1;

	if ((step_text && strchr(step_text, '/')) || (end_text && strchr(end_text, '-') && !all))
		return false;
	if (!all && !read_value(field, text, &first))
		return false;
	if (!all && !end_text)
		last = step_text ? field->max : first;
	else if (!all && !read_value(field, end_text, &last))
		return false;
	if (step_text && !read_number(step_text, &step))
		return false;
	if (first < field->min || last > field->max || first > last || step == 0)
		return false;
	for (unsigned i = first; i <= last; i += step)
		*bits |= UINT64_C(1) << i;
	*star |= all && step == 1;
	return true;
}

static bool read_field(const struct field *field, char *text, uint64_t *bits, bool *star)
{
	bool ignored = false;

	while (text) {
		char *next = cut(text, ',');

		if (*text && !read_range(field, text, bits, star ? star : &ignored))
			return false;
		text = next;
	}
	return true;
}

/* Cuts off the next word; NULL: there is none. */
static char *next_word(char **text)
{
	char *word = *text;

	while (*word && isspace((unsigned char)*word))
		word++;
	if (!*word)
		return NULL;
	char *end = word;
	while (*end && !isspace((unsigned char)*end))
		end++;
	*text = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static bool read_fields(struct cron *cron, char *text)
{
	char *words[FIELDS];

	for (unsigned i = 0; i < FIELDS; i++) {
		words[i] = next_word(&text);
		if (!words[i])
			return false;
	}
	return !next_word(&text) && read_field(&field_minute, words[0], &cron->minutes, NULL) &&
	       read_field(&field_hour, words[1], &cron->hours, NULL) &&
	       read_field(&field_day, words[2], &cron->days, &cron->any_day) &&
	       read_field(&field_month, words[3], &cron->months, NULL) &&
	       read_field(&field_weekday, words[4], &cron->weekdays, &cron->any_weekday);
}

static double unit_seconds(const char **text)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "\xc2\xb5s", 1e-6 }, { "\xce\xbcs", 1e-6 },
		{ "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);
		char after;

		if (strncmp(*text, units[i].name, len) != 0)
			continue;
		after = (*text)[len];
		if (after && after != '.' && !isdigit((unsigned char)after))
			continue;
		*text += len;
		return units[i].seconds;
	}
	return 0;
}

/* "1h30m", "1.5s", "-2m", "0". */
static bool read_duration(const char *text, double *seconds)
{
	double sign = *text == '-' ? -1 : 1;

	*seconds = 0;
	if (*text == '-' || *text == '+')
		text++;
	if (str_same(text, "0"))
		return true;
	if (!*text)
		return false;
	while (*text) {
		double value = 0, scale = 1, unit;
		unsigned digits = 0;

		for (; isdigit((unsigned char)*text); text++, digits++)
			value = value * 10 + (*text - '0');
		if (*text == '.') {
			text++;
			for (; isdigit((unsigned char)*text); text++, digits++)
				value += (*text - '0') * (scale /= 10);
		}
		unit = digits ? unit_seconds(&text) : 0;
		if (unit == 0)
			return false;
		*seconds += value * unit;
	}
	*seconds *= sign;
	return *seconds < 9.2e9 && *seconds > -9.2e9;
}

/* "@daily" and its like stand for five fields. */
static bool read_named(struct cron *cron, const char *text)
{
	static const struct {
		const char *name, *fields;
	} named[] = { { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
		{ "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },
		{ "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" } };
	char fields[16];
	double seconds;

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (!str_same(text, named[i].name))
			continue;
		memcpy(fields, named[i].fields, strlen(named[i].fields) + 1);
		return read_fields(cron, fields);
	}
	if (strncmp(text, EVERY_TEXT, strlen(EVERY_TEXT)) != 0 ||
		!read_duration(text + strlen(EVERY_TEXT), &seconds))
		return false;
	cron->every_s = seconds < 1 ? 1 : (int64_t)(seconds + 1e-9);
	return true;
}

static bool read_zone(struct cron *cron, char **text)
{
	char *name, *end;

	if (strncmp(*text, "TZ=", 3) != 0 && strncmp(*text, "CRON_TZ=", 8) != 0)
		return true;
	name = strchr(*text, '=') + 1;
	end = strchr(name, ' ');
	if (!end)
		return false;
	*end = '\0';
	*text = end + 1;
	while (isspace((unsigned char)**text))
		(*text)++;
	return zone_load(&cron->zone, name);
}

bool cron_parse(struct cron *cron, const char *text)
{
	char copy[TEXT_MAX + 1], *rest = copy;

	*cron = (struct cron){ 0 };
	if (strlen(text) > TEXT_MAX)
		return false;
	memcpy(copy, text, strlen(text) + 1);
	if (!read_zone(cron, &rest))
		return false;
	return *rest == '@' ? read_named(cron, rest) : read_fields(cron, rest);
}

void cron_finish(struct cron *cron)
{
	zone_finish(&cron->zone);
}

/* ---- The next time ---- */

/* A time while it is searched: real and civil. `moved`: a field has been changed, so that those
 * below it begin at their least. */
struct search {
	const struct cron *cron;
	int64_t utc_s;
	struct civil at;
	bool moved;
	unsigned steps; /* made; a search that takes too many is given up */
};

static void go_to(struct search *search, int64_t utc_s)
{
	search->steps++;
	search->utc_s = utc_s;
	civil_from(utc_s + zone_offset(&search->cron->zone, utc_s, NULL, NULL), &search->at);
}

/* To a date, at this time of the day; a day beyond the end of its month counts on. */
static void go_to_date(
	struct search *search, int64_t year, unsigned month, unsigned day, int64_t second)
{
	go_to(search, zone_to_utc(&search->cron->zone,
			      civil_day(year, month, day) * CIVIL_DAY_S + second));
}

static int64_t second_of_day(const struct civil *at)
{
	return at->hour * HOUR_S + at->minute * MINUTE_S + at->second;
}

static bool is_lost(const struct search *search)
{
	return search->steps > STEPS_MAX;
}

static bool day_matches(const struct search *search)
{
	bool day = search->cron->days >> search->at.day & 1;
	bool weekday = search->cron->weekdays >> search->at.weekday & 1;

	if (search->cron->any_day || search->cron->any_weekday)
		return day && weekday;
	return day || weekday;
}

/*
 * Each finds its field's next match. False: a larger unit has begun anew, search from the top.
 *
 * Where midnight does not exist a day begins an hour late, or the step to it ends an hour early;
 * both are put right by the hour that is off, as the official server's library does it. So the time
 * of the day is kept from step to step.
 */
static bool find_month(struct search *search)
{
	while (!(search->cron->months >> search->at.month & 1)) {
		if (!search->moved)
			go_to_date(search, search->at.year, search->at.month, 1, 0);
		search->moved = true;
		const struct civil at = search->at;
		go_to_date(search, at.year + (at.month == 12), at.month == 12 ? 1 : at.month + 1,
			at.day, second_of_day(&at));
		if (search->at.month == 1 || is_lost(search))
			return false;
	}
	return true;
}

static bool find_day(struct search *search)
{
	while (!day_matches(search)) {
		if (!search->moved)
			go_to_date(search, search->at.year, search->at.month, search->at.day, 0);
		search->moved = true;
		const struct civil at = search->at;
		go_to_date(search, at.year, at.month, at.day + 1, second_of_day(&at));
		if (search->at.hour > 12)
			go_to(search, search->utc_s + (24 - (int64_t)search->at.hour) * HOUR_S);
		else if (search->at.hour)
			go_to(search, search->utc_s - (int64_t)search->at.hour * HOUR_S);
		if (search->at.day == 1 || is_lost(search))
			return false;
	}
	return true;
}

static bool find_hour(struct search *search)
{
	while (!(search->cron->hours >> search->at.hour & 1)) {
		if (!search->moved)
			go_to(search,
				search->utc_s - search->at.minute * MINUTE_S - search->at.second);
		search->moved = true;
		go_to(search, search->utc_s + HOUR_S);
		if (search->at.hour == 0 || is_lost(search))
			return false;
	}
	return true;
}

static bool find_minute(struct search *search)
{
	while (!(search->cron->minutes >> search->at.minute & 1)) {
		if (!search->moved)
			go_to(search, search->utc_s - search->at.second);
		search->moved = true;
		go_to(search, search->utc_s + MINUTE_S);
		if (search->at.minute == 0 || is_lost(search))
			return false;
	}
	return true;
}

/* Schedules know no seconds: the next full minute, and that anew from the top. */
static bool find_second(struct search *search)
{
	if (search->at.second == 0)
		return true;
	search->moved = true;
	go_to(search, search->utc_s + MINUTE_S - search->at.second);
	return false;
}

int64_t cron_next_ns(const struct cron *cron, int64_t after_ns)
{
	struct search search = { .cron = cron };
	int64_t after_s = after_ns / NS_PER_SECOND;

	if (cron->every_s)
		return (after_s + cron->every_s) * NS_PER_SECOND;
	go_to(&search, after_s + 1);
	int64_t last_year = search.at.year + YEARS_MAX;
	while (search.at.year <= last_year && !is_lost(&search)) {
		if (find_month(&search) && find_day(&search) && find_hour(&search) &&
			find_minute(&search) && find_second(&search))
			return search.utc_s * NS_PER_SECOND;
	}
	return NEVER;
}

/* ---- Use ---- */

const char *cron_invalid(const char *schedule, int64_t now_ns)
{
	const char *wrong = NULL;
	struct cron cron;

	if (str_empty(schedule))
		return NULL;
	if (!cron_parse(&cron, schedule))
		wrong = "invalid CronSchedule.";
	else if (cron_next_ns(&cron, now_ns) == NEVER)
		wrong = "invalid CronSchedule, no time can be found to satisfy the schedule";
	cron_finish(&cron);
	return wrong;
}

/* The first time that matches after `scheduled_ns` and is not before `now_ns`. */
static int64_t next_from(const struct cron *cron, int64_t scheduled_ns, int64_t now_ns)
{
	int64_t next = cron_next_ns(cron, scheduled_ns);

	if (cron->every_s && next < now_ns) {
		int64_t every_ns = cron->every_s * NS_PER_SECOND;

		return next + (now_ns - next + every_ns - 1) / every_ns * every_ns;
	}
	while (next != NEVER && next < now_ns)
		next = cron_next_ns(cron, next);
	return next;
}

int64_t cron_backoff_ms(const char *schedule, int64_t scheduled_ns, int64_t now_ns)
{
	int64_t next = scheduled_ns, wait_s = -1;
	struct cron cron;

	if (str_empty(schedule))
		return -1;
	if (cron_parse(&cron, schedule)) {
		if (now_ns >= scheduled_ns)
			next = next_from(&cron, scheduled_ns, now_ns);
		if (next != NEVER)
			wait_s = (next - now_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
	}
	cron_finish(&cron);
	return wait_s < 0 ? -1 : wait_s * 1000;
}

void cron_first(struct server *server, struct start_opts *opts)
{
	History__WorkflowExecutionStartedEventAttributes *attributes = opts->attributes;
	int64_t backoff_ms;

	if (str_empty(attributes->cron_schedule))
		return;
	attributes->initiator =
		ENUMS__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE;
	backoff_ms = cron_backoff_ms(attributes->cron_schedule, server->now_ns, server->now_ns);
	if (backoff_ms > 0)
		opts->delay_ms = backoff_ms;
}
