/*
 * cron.h: when a run with a cron schedule begins, and the next one of its chain. The schedules are
 * those of the official server: five fields (minute, hour, day, month, day of the week), @daily and
 * the like, @every DURATION; a time zone in front (CRON_TZ=Europe/Berlin), else UTC.
 */
#ifndef SERVER_HISTORY_CRON_H
#define SERVER_HISTORY_CRON_H

#include "server/history/history.h"
#include "server/history/zone.h"

/* A parsed schedule. Which values of a field match: a bit each. */
struct cron {
	int64_t every_s; /* not 0: that often, and the fields mean nothing */
	uint64_t minutes, hours, days, months, weekdays;
	bool any_day, any_weekday; /* the field is a star: the other one decides alone */
	struct zone zone;
};

/* False: it is no schedule. Reads the zone's file if it names one. Finish it with cron_finish, in
 * any case. */
bool cron_parse(struct cron *cron, const char *text) __attribute__((warn_unused_result));
void cron_finish(struct cron *cron);

/* The first time after `after_ns` that matches, in whole seconds; 0: none within five years. */
int64_t cron_next_ns(const struct cron *cron, int64_t after_ns);

/* NULL: valid (as no schedule is); else what is wrong with it, as the official server says it. */
const char *cron_invalid(const char *schedule, int64_t now_ns);

/* How long to wait, from `now_ns`, for the run after the one that was due at `scheduled_ns`; in
 * whole seconds. -1: there is no schedule, or no time matches any more. */
int64_t cron_backoff_ms(const char *schedule, int64_t scheduled_ns, int64_t now_ns);

/* The first run of a chain: if its attributes have a schedule, when it begins. */
void cron_first(struct server *server, struct start_opts *opts);

#endif
