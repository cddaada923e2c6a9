/*
 * civil.c: the Gregorian calendar by arithmetic. Years are counted from March, so that a leap day
 * is the last one of a year; 400 years are one period. Pure.
 */
#include "server/history/civil.h"

#define PERIOD_DAYS  INT64_C(146097)
#define EPOCH_DAYS   INT64_C(719468) /* from 0000-03-01 to 1970-01-01 */
#define PERIOD_YEARS 400

int64_t civil_day(int64_t year, unsigned month, unsigned day)
{
	int64_t from_march = year - (month <= 2);
	int64_t period =
		(from_march >= 0 ? from_march : from_march - (PERIOD_YEARS - 1)) / PERIOD_YEARS;
	int64_t year_of = from_march - period * PERIOD_YEARS;
	int64_t month_of = month > 2 ? month - 3 : month + 9;
	int64_t day_of = (153 * month_of + 2) / 5 + (int64_t)day - 1;

	return period * PERIOD_DAYS + year_of * 365 + year_of / 4 - year_of / 100 + day_of -
	       EPOCH_DAYS;
}

void civil_from(int64_t at_s, struct civil *out)
{
	int64_t days = at_s / CIVIL_DAY_S - (at_s % CIVIL_DAY_S < 0);
	int64_t rest = at_s - days * CIVIL_DAY_S;
	int64_t since = days + EPOCH_DAYS;
	int64_t period = (since >= 0 ? since : since - (PERIOD_DAYS - 1)) / PERIOD_DAYS;
	int64_t day_of = since - period * PERIOD_DAYS;
	int64_t year_of = (day_of - day_of / 1460 + day_of / 36524 - day_of / 146096) / 365;
	int64_t day_of_year = day_of - (365 * year_of + year_of / 4 - year_of / 100);
	int64_t month_of = (5 * day_of_year + 2) / 153;

	out->day = (unsigned)(day_of_year - (153 * month_of + 2) / 5 + 1);
	out->month = (unsigned)(month_of < 10 ? month_of + 3 : month_of - 9);
	out->year = year_of + period * PERIOD_YEARS + (out->month <= 2);
	out->hour = (unsigned)(rest / 3600);
	out->minute = (unsigned)(rest / 60 % 60);
	out->second = (unsigned)(rest % 60);
	out->weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
}
