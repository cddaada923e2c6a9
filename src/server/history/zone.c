/*
 * zone.c: zone files of the system (TZif, RFC 8536): a list of changes, and behind it a rule in the
 * form of POSIX's TZ for the time after them. Everything in a file is checked before it is used.
 * A zone is read anew for each use: cron schedules are few, and the files small and in the cache.
 *
 * Reads files; any thread.
 */
#include "server/history/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/history/civil.h"

#define FILE_MAX    (64 * 1024)
#define NAME_MAX_   64
#define HEADER_SIZE 44
#define CHANGES_MAX 4096
#define FOREVER_S   (INT64_MAX / 4)

static const char *const folders[] = { "/usr/share/zoneinfo/", "/usr/lib/zoneinfo/",
	"/etc/zoneinfo/" };

/* ---- The file ---- */

struct reader {
	const uint8_t *data;
	size_t len;
};

static int64_t big_endian(const uint8_t *data, unsigned n)
{
	uint64_t value = data[0] & 0x80 ? UINT64_MAX : 0;

	for (unsigned i = 0; i < n; i++)
		value = value << 8 | data[i];
	return (int64_t)value;
}

/* Numbers of a header, in the order of the file. */
struct counts {
	size_t ut, standard, leap, changes, types, names;
};

static bool read_header(const struct reader *file, size_t at, struct counts *out)
{
	size_t *const fields[] = { &out->ut, &out->standard, &out->leap, &out->changes, &out->types,
		&out->names };

	if (file->len < at || file->len - at < HEADER_SIZE ||
		memcmp(file->data + at, "TZif", 4) != 0)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int64_t value = big_endian(file->data + at + 20 + 4 * i, 4);

		if (value < 0 || value > FILE_MAX)
			return false;
		*fields[i] = (size_t)value;
	}
	return out->types > 0 && out->changes <= CHANGES_MAX;
}

static size_t body_size(const struct counts *counts, size_t time_size)
{
	return counts->changes * (time_size + 1) + counts->types * 6 + counts->names +
	       counts->leap * (time_size + 4) + counts->standard + counts->ut;
}

/* The second part of the file, whose times have 64 bits. */
static bool read_body(
	struct zone *zone, const struct reader *file, size_t at, const struct counts *counts)
{
	const uint8_t *times = file->data + at, *indexes = times + counts->changes * 8;
	const uint8_t *types = indexes + counts->changes;

	zone->changes = mem_alloc((counts->changes + 1) * sizeof(*zone->changes));
	if (!zone->changes)
		return false;
	for (size_t i = 0; i < counts->changes; i++) {
		if (indexes[i] >= counts->types)
			return false;
		zone->changes[i] = (struct zone_change){ big_endian(times + 8 * i, 8),
			(int32_t)big_endian(types + 6 * indexes[i], 4) };
		if (i > 0 && zone->changes[i].at_s <= zone->changes[i - 1].at_s)
			return false;
	}
	zone->n_changes = counts->changes;
	zone->first_offset_s = (int32_t)big_endian(types, 4);
	return true;
}

/* ---- The rule ---- */

static bool skip_name(const char **text)
{
	const char *at = *text;

	if (*at == '<') {
		while (*at && *at != '>')
			at++;
		if (*at++ != '>')
			return false;
	} else {
		while (isalpha((unsigned char)*at))
			at++;
	}
	bool any = at != *text;
	*text = at;
	return any;
}

static bool read_int(const char **text, int32_t *out)
{
	int32_t value = 0;

	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text) && value < 10000; (*text)++)
		value = value * 10 + (**text - '0');
	*out = value;
	return true;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool read_clock(const char **text, int32_t *out)
{
	int32_t sign = **text == '-' ? -1 : 1, hour = 0, minute = 0, second = 0;

	if (**text == '-' || **text == '+')
		(*text)++;
	if (!read_int(text, &hour))
		return false;
	if (**text == ':' && (++*text, !read_int(text, &minute)))
		return false;
	if (**text == ':' && (++*text, !read_int(text, &second)))
		return false;
	*out = sign * (hour * 3600 + minute * 60 + second);
	return true;
}

/* ",M3.2.0/2", ",J60", ",59/1": when summer time begins or ends. */
static bool read_date(const char **text, char *kind, int32_t values[4])
{
	if (*(*text)++ != ',')
		return false;
	*kind = '0';
	if (**text == 'J' || **text == 'M')
		*kind = *(*text)++;
	if (*kind == 'M' &&
		(!read_int(text, &values[0]) || *(*text)++ != '.' || !read_int(text, &values[1]) ||
			*(*text)++ != '.' || !read_int(text, &values[2])))
		return false;
	if (*kind != 'M' && !read_int(text, &values[2]))
		return false;
	values[3] = 2 * 3600;
	return **text != '/' || (++*text, read_clock(text, &values[3]));
}

static bool valid_date(char kind, const int32_t values[4])
{
	if (kind == 'M')
		return values[0] >= 1 && values[0] <= 12 && values[1] >= 1 && values[1] <= 5 &&
		       values[2] <= 6;
	return values[2] <= 365 && (kind == '0' || values[2] >= 1);
}

static bool read_rule(struct zone_rule *rule, const char *text)
{
	int32_t west = 0, start[4] = { 0 }, end[4] = { 0 };

	if (!skip_name(&text) || !read_clock(&text, &west))
		return false;
	rule->offset_s = -west;
	if (!*text)
		return true;
	rule->has_summer = true;
	if (!skip_name(&text))
		return false;
	rule->summer_offset_s = rule->offset_s + 3600;
	if (*text && *text != ',') {
		if (!read_clock(&text, &west))
			return false;
		rule->summer_offset_s = -west;
	}
	if (!read_date(&text, &rule->start.kind, start) ||
		!read_date(&text, &rule->end.kind, end) || *text ||
		!valid_date(rule->start.kind, start) || !valid_date(rule->end.kind, end))
		return false;
	rule->start.month = start[0];
	rule->start.week = start[1];
	rule->start.day = start[2];
	rule->start.second = start[3];
	rule->end.month = end[0];
	rule->end.week = end[1];
	rule->end.day = end[2];
	rule->end.second = end[3];
	return true;
}

/* The text between two line feeds at the end of the file; "" is no rule. */
static bool read_footer(struct zone *zone, const struct reader *file, size_t at)
{
	char text[128];
	size_t len = 0;

	if (at >= file->len || file->data[at] != '\n')
		return true;
	for (at++; at < file->len && file->data[at] != '\n'; at++) {
		if (len == sizeof(text) - 1)
			return false;
		text[len++] = (char)file->data[at];
	}
	text[len] = '\0';
	zone->has_rule = len > 0;
	return len == 0 || read_rule(&zone->rule, text);
}

static bool parse(struct zone *zone, const struct reader *file)
{
	struct counts counts;
	size_t at = 0;

	if (!read_header(file, 0, &counts) || file->data[4] < '2')
		return false;
	at = HEADER_SIZE + body_size(&counts, 4);
	if (!read_header(file, at, &counts))
		return false;
	at += HEADER_SIZE;
	if (file->len - at < body_size(&counts, 8) || !read_body(zone, file, at, &counts))
		return false;
	return read_footer(zone, file, at + body_size(&counts, 8));
}

static bool load_file(struct zone *zone, const char *path)
{
	FILE *in = fopen(path, "rbe");
	struct reader file = { 0 };
	uint8_t *data;
	bool loaded;

	if (!in)
		return false;
	data = mem_alloc(FILE_MAX);
	if (data)
		file = (struct reader){ data, fread(data, 1, FILE_MAX, in) };
	fclose(in);
	loaded = data && parse(zone, &file);
	mem_free(data);
	return loaded;
}

/* A name must not lead out of the folder of zones. */
static bool valid_name(const char *name)
{
	return strlen(name) <= NAME_MAX_ && !strstr(name, "..") && name[0] != '/' &&
	       !strchr(name, '\\');
}

bool zone_load(struct zone *zone, const char *name)
{
	char path[128];

	*zone = (struct zone){ 0 };
	if (str_empty(name) || str_same(name, "UTC") || str_same(name, "Local"))
		return true;
	if (!valid_name(name))
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", folders[i], name);
		if (load_file(zone, path))
			return true;
		zone_finish(zone);
	}
	return false;
}

void zone_finish(struct zone *zone)
{
	mem_free(zone->changes);
	*zone = (struct zone){ 0 };
}

/* ---- Use ---- */

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The real time of a change of a rule in a year; `offset_s` is in force before it. */
static int64_t change_in(int64_t year, char kind, const int32_t values[4], int32_t offset_s)
{
	int64_t day = civil_day(year, 1, 1);

	if (kind == 'M') {
		int64_t first = civil_day(year, (unsigned)values[0], 1);
		int64_t next = civil_day(
			year + (values[0] == 12), values[0] == 12 ? 1 : (unsigned)values[0] + 1, 1);
		int64_t weekday = ((first + 4) % 7 + 7) % 7;

		day = first + (values[2] - weekday + 7) % 7 + 7 * (values[1] - 1);
		if (day >= next)
			day -= 7;
	} else if (kind == 'J') {
		day += values[2] - 1 + (values[2] >= 60 && is_leap(year));
	} else {
		day += values[2];
	}
	return day * CIVIL_DAY_S + values[3] - offset_s;
}

static int64_t summer_begins(const struct zone_rule *rule, int64_t year)
{
	const int32_t values[4] = { rule->start.month, rule->start.week, rule->start.day,
		rule->start.second };

	return change_in(year, rule->start.kind, values, rule->offset_s);
}

static int64_t summer_ends(const struct zone_rule *rule, int64_t year)
{
	const int32_t values[4] = { rule->end.month, rule->end.week, rule->end.day,
		rule->end.second };

	return change_in(year, rule->end.kind, values, rule->summer_offset_s);
}

/* By the rule: the last change before a time, and the next one, among those of three years. */
static int32_t by_rule(
	const struct zone_rule *rule, int64_t at_s, int64_t *from_s, int64_t *until_s)
{
	int32_t offset = rule->offset_s;
	struct civil civil;

	if (!rule->has_summer)
		return offset;
	civil_from(at_s + rule->offset_s, &civil);
	int64_t from = -FOREVER_S, until = FOREVER_S;
	for (int64_t year = civil.year - 1; year <= civil.year + 1; year++) {
		int64_t begins = summer_begins(rule, year), ends = summer_ends(rule, year);

		if (begins <= at_s && begins > from) {
			from = begins;
			offset = rule->summer_offset_s;
		}
		if (ends <= at_s && ends > from) {
			from = ends;
			offset = rule->offset_s;
		}
		until = begins > at_s && begins < until ? begins : until;
		until = ends > at_s && ends < until ? ends : until;
	}
	if (from > *from_s)
		*from_s = from;
	*until_s = until;
	return offset;
}

int32_t zone_offset(const struct zone *zone, int64_t at_s, int64_t *from_s, int64_t *until_s)
{
	int64_t from = -FOREVER_S, until = FOREVER_S;
	int32_t offset = zone->first_offset_s;
	size_t low = 0, high = zone->n_changes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->changes[middle].at_s <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0) {
		from = zone->changes[low - 1].at_s;
		offset = zone->changes[low - 1].offset_s;
	}
	if (low < zone->n_changes)
		until = zone->changes[low].at_s;
	else if (zone->has_rule)
		offset = by_rule(&zone->rule, at_s, &from, &until);
	if (from_s)
		*from_s = from;
	if (until_s)
		*until_s = until;
	return offset;
}

int64_t zone_to_utc(const struct zone *zone, int64_t local_s)
{
	int64_t from, until;
	int32_t offset = zone_offset(zone, local_s, &from, &until);
	int64_t utc = local_s - offset;

	if (utc >= from && utc < until)
		return utc;
	return local_s - zone_offset(zone, utc, NULL, NULL);
}
