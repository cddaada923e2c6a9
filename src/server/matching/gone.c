/*
 * gone.c: the keys of workers that have shut down, in a ring. Almost always it is empty or out of
 * date, which one comparison tells. Nothing here is recorded. Loop's thread.
 */
#include "server/matching/gone.h"

#include <string.h>

#include "base/mem.h"
#include "server/limits.h"

void gone_add(struct gone *gone, const char *key, int64_t now_ns)
{
	char *copy = strnlen(key, SERVER_ID_MAX + 1) <= SERVER_ID_MAX ? mem_strdup(key) : NULL;

	if (!copy)
		return;
	mem_free(gone->keys[gone->next]);
	gone->keys[gone->next] = copy;
	gone->last_until_ns = gone->until_ns[gone->next] = now_ns + GONE_NS;
	gone->next = (gone->next + 1) % GONE_MAX;
}

bool gone_has(const struct gone *gone, const char *key, int64_t now_ns)
{
	if (now_ns >= gone->last_until_ns || key[0] == '\0')
		return false;
	for (size_t i = 0; i < GONE_MAX && gone->keys[i]; i++)
		if (now_ns < gone->until_ns[i] && strcmp(gone->keys[i], key) == 0)
			return true;
	return false;
}

void gone_finish(struct gone *gone)
{
	for (size_t i = 0; i < GONE_MAX; i++)
		mem_free(gone->keys[i]);
	*gone = (struct gone){ 0 };
}
