/*
 * civil.h: days and seconds of the calendar, without zones: counted from 1970-01-01. Pure.
 */
#ifndef SERVER_HISTORY_CIVIL_H
#define SERVER_HISTORY_CIVIL_H

#include <stdint.h>

#define CIVIL_DAY_S INT64_C(86400)

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday */
};

/* The day of a date. */
int64_t civil_day(int64_t year, unsigned month, unsigned day);

/* The parts of a time in seconds. */
void civil_from(int64_t at_s, struct civil *out);

#endif
