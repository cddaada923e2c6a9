/*
 * text.h: the lines of a replay test, as words. A word may be quoted: reason="two words".
 */
#ifndef REPLAY_TEXT_H
#define REPLAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define WORDS_MAX 48

struct line {
	unsigned number; /* in its file */
	char *words[WORDS_MAX];
	size_t count;
};

struct script {
	const char *path;
	struct line *lines;
	size_t count;
};

/* All lines that say something, without comments. Ends the program with a message if the file
 * cannot be read. */
struct script script_read(struct arena *arena, const char *path);

/* The value of the word `key=value`, or NULL. */
const char *line_value(const struct line *line, const char *key);
int64_t line_number(const struct line *line, const char *key, int64_t otherwise);
bool line_has(const struct line *line, const char *word);

/* Says where in which file, and what is wrong, and ends the program. */
_Noreturn void script_fail(const struct script *script, const struct line *line, const char *format,
	...) __attribute__((format(printf, 3, 4)));

#endif
