/*
 * config.h: the limits of a server that its operator may change, under the names of the official
 * server's dynamic configuration. They are read once, at the start.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

/* Sizes in bytes; limits.h has what they are by default. */
struct server_config {
	int64_t blob_max, memo_max;
	int64_t history_size_max, history_size_suggest;
	int64_t history_count_max, history_count_suggest;
	int64_t pending_activities_max, signals_max, buffered_max;
	int64_t id_max;
	int64_t history_page_max;
	int64_t poll_ms, history_poll_ms, task_timeout_ms, heartbeat_ms;
	int64_t pending_children_max, pending_signals_max, pending_cancels_max;
	int64_t links_max, link_max;
	int64_t updates_open_max, updates_size_max, updates_max;
	int64_t partitions;      /* that a task queue is said to have */
	int64_t run_interval_ms; /* between the starts of two runs of a chain, at least; or 0 */
	int64_t callbacks_max, state_size_max;
	int64_t cross_namespace; /* 1: commands may reach into other namespaces */
};

static inline bool server_over(size_t size, int64_t limit)
{
	return size > (uint64_t)limit;
}

void server_config_init(struct server_config *config);

/*
 * Takes "KEY=VALUE", the value in JSON ("limit.blobSize.error=10240"). OK, with *has_effect whether
 * it changes anything here or asks for what is so anyway; INVALID_ARGUMENT for one that cannot be
 * read, or is not of the key's kind.
 */
enum temporal_code server_config_set(struct server_config *config, const char *line,
	bool *has_effect, struct temporal_error *err) __attribute__((warn_unused_result));

#endif
