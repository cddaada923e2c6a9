/*
 * stats.h: what is told about a queue: how many tasks a second come and go, and who polls.
 */
#ifndef SERVER_MATCHING_STATS_H
#define SERVER_MATCHING_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "server/matching/lanes.h"

#define STATS_BUCKET_NS (INT64_C(5) * 1000000000)
#define STATS_SPAN_NS   (INT64_C(30) * 1000000000)
#define STATS_BUCKETS   7
#define STATS_SEEN_MAX  100
#define STATS_SEEN_NS   (INT64_C(300) * 1000000000)

/* A count over the last half minute. Zeroed: it has not begun. */
struct stats_count {
	int64_t start_ns, bucket_ns; /* of the count; of its current bucket */
	uint32_t buckets[STATS_BUCKETS];
	unsigned at;
};

void stats_add(struct stats_count *count, int64_t now_ns);
/* A second. */
double stats_rate(struct stats_count *count, int64_t now_ns);

/* Of one priority. */
struct stats_level {
	struct stats_count added, dispatched;
};

/* Somebody who has polled in the last five minutes. */
struct stats_seen {
	struct stats_seen *next;
	char *identity, *build_id;
	int64_t last_ns;
	double rate; /* that it asked for; 0: none */
	bool versioned;
};

/* Zeroed: nothing. */
struct matching_stats {
	struct stats_level *levels[LANES_PRIORITIES]; /* NULL: there was no such task */
	struct stats_seen *seen;
	unsigned n_seen;
	struct matching_rate decisions; /* on the number of pollers */
};

struct stats_poll {
	const char *identity, *build_id;
	double rate;
	bool versioned;
};

/* Memory that is out leaves a gap in the statistics, no more. */
void stats_task(struct matching_stats *stats, int32_t priority, bool added, int64_t now_ns);
void stats_poll(struct matching_stats *stats, const struct stats_poll *poll, int64_t now_ns);
/* Forgets one poller. */
void stats_leave(struct matching_stats *stats, const char *identity);
/* Forgets who has not polled for five minutes. */
void stats_forget(struct matching_stats *stats, int64_t now_ns);
/* A second, of a priority (0: of all). */
double stats_level_rate(struct matching_stats *stats, int32_t priority, bool added, int64_t now_ns);

void stats_finish(struct matching_stats *stats);

#endif
