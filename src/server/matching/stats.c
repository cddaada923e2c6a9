/*
 * stats.c: counts over the last half minute in buckets of five seconds, and the list of pollers.
 * Nothing here is recorded: it begins anew with the server. Loop's thread.
 */
#include "server/matching/stats.h"

#include <string.h>

#include "base/mem.h"

static void advance(struct stats_count *count, int64_t now_ns)
{
	int64_t steps;

	if (!count->start_ns)
		count->start_ns = count->bucket_ns = now_ns;
	steps = (now_ns - count->bucket_ns) / STATS_BUCKET_NS;
	for (int64_t i = 0; i < steps && i < STATS_BUCKETS; i++) {
		count->at = (count->at + 1) % STATS_BUCKETS;
		count->buckets[count->at] = 0;
	}
	count->bucket_ns += steps * STATS_BUCKET_NS;
}

void stats_add(struct stats_count *count, int64_t now_ns)
{
	advance(count, now_ns);
	count->buckets[count->at]++;
}

double stats_rate(struct stats_count *count, int64_t now_ns)
{
	int64_t span_ns, total = 0;

	if (!count->start_ns)
		return 0;
	advance(count, now_ns);
	for (unsigned i = 0; i < STATS_BUCKETS; i++)
		total += count->buckets[i];
	span_ns = now_ns - count->bucket_ns + STATS_SPAN_NS;
	if (span_ns > now_ns - count->start_ns)
		span_ns = now_ns - count->start_ns;
	return span_ns > 0 ? (double)total * 1e9 / (double)span_ns : 0;
}

void stats_task(struct matching_stats *stats, int32_t priority, bool added, int64_t now_ns)
{
	struct stats_level **level = &stats->levels[priority - 1];

	if (!*level) {
		*level = mem_zalloc(sizeof(**level));
		if (!*level)
			return;
		(*level)->added.start_ns = (*level)->added.bucket_ns = now_ns;
		(*level)->dispatched = (*level)->added;
	}
	stats_add(added ? &(*level)->added : &(*level)->dispatched, now_ns);
}

double stats_level_rate(struct matching_stats *stats, int32_t priority, bool added, int64_t now_ns)
{
	double rate = 0;

	for (int32_t i = 1; i <= LANES_PRIORITIES; i++) {
		struct stats_level *level = stats->levels[i - 1];

		if (level && (!priority || priority == i))
			rate += stats_rate(added ? &level->added : &level->dispatched, now_ns);
	}
	return rate;
}

static void seen_free(struct stats_seen *seen)
{
	mem_free(seen->identity);
	mem_free(seen->build_id);
	mem_free(seen);
}

void stats_forget(struct matching_stats *stats, int64_t now_ns)
{
	struct stats_seen **link = &stats->seen;

	while (*link) {
		struct stats_seen *seen = *link;

		if (now_ns - seen->last_ns < STATS_SEEN_NS) {
			link = &seen->next;
			continue;
		}
		*link = seen->next;
		stats->n_seen--;
		seen_free(seen);
	}
}

void stats_leave(struct matching_stats *stats, const char *identity)
{
	struct stats_seen **link = &stats->seen;

	while (*link) {
		struct stats_seen *seen = *link;

		if (!str_same(seen->identity, identity)) {
			link = &seen->next;
			continue;
		}
		*link = seen->next;
		stats->n_seen--;
		seen_free(seen);
	}
}

static bool is_same(const struct stats_seen *seen, const struct stats_poll *poll)
{
	return str_same(seen->identity, poll->identity) && str_same(seen->build_id, poll->build_id);
}

void stats_poll(struct matching_stats *stats, const struct stats_poll *poll, int64_t now_ns)
{
	struct stats_seen *seen = stats->seen;

	while (seen && !is_same(seen, poll))
		seen = seen->next;
	if (!seen) {
		stats_forget(stats, now_ns);
		seen = stats->n_seen < STATS_SEEN_MAX ? mem_zalloc(sizeof(*seen)) : NULL;
		if (!seen)
			return;
		seen->identity = mem_strdup(poll->identity ? poll->identity : "");
		seen->build_id = mem_strdup(poll->build_id ? poll->build_id : "");
		if (!seen->identity || !seen->build_id) {
			seen_free(seen);
			return;
		}
		seen->next = stats->seen;
		stats->seen = seen;
		stats->n_seen++;
	}
	seen->last_ns = now_ns;
	seen->rate = poll->rate;
	seen->versioned = poll->versioned;
}

void stats_finish(struct matching_stats *stats)
{
	while (stats->seen) {
		struct stats_seen *seen = stats->seen;

		stats->seen = seen->next;
		seen_free(seen);
	}
	for (unsigned i = 0; i < LANES_PRIORITIES; i++)
		mem_free(stats->levels[i]);
	*stats = (struct matching_stats){ 0 };
}
