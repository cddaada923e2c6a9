/*
 * gone.h: workers that have just shut down. A poll of theirs that was on its way gets no task: it
 * would be lost. Pure: time is an argument.
 */
#ifndef SERVER_MATCHING_GONE_H
#define SERVER_MATCHING_GONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GONE_MAX 64                         /* the earliest one makes room */
#define GONE_NS  (INT64_C(30) * 1000000000) /* after which nobody still polls */

/* Zeroed: nobody is gone. */
struct gone {
	char *keys[GONE_MAX]; /* NULL: none */
	int64_t until_ns[GONE_MAX];
	int64_t last_until_ns; /* of the latest one */
	size_t next;
};

/* The worker with this key is gone from now on. Without memory it is not remembered. */
void gone_add(struct gone *gone, const char *key, int64_t now_ns);
bool gone_has(const struct gone *gone, const char *key, int64_t now_ns);
void gone_finish(struct gone *gone);

#endif
