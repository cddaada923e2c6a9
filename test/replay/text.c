/* text.c: reading the text of replay tests. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the text into words in place; quotes are taken out. */
static void split(struct line *line, char *at)
{
	while (line->count < WORDS_MAX) {
		bool quoted = false;
		char *to;

		while (*at == ' ' || *at == '\t')
			at++;
		if (!*at || *at == '#')
			return;
		line->words[line->count++] = to = at;
		for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
			if (*at == '\\' && at[1])
				*to++ = *++at;
			else if (*at == '"')
				quoted = !quoted;
			else
				*to++ = *at;
		}
		if (*at)
			at++;
		*to = '\0';
	}
}

static char *read_all(struct arena *arena, const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	long size;

	if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
		rewind(file);
		text = arena_alloc(arena, (size_t)size + 1);
		if (text)
			text[fread(text, 1, (size_t)size, file)] = '\0';
	}
	if (file)
		fclose(file);
	if (!text) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	return text;
}

/* A line of its own words, made from a short form. */
static void add_event(struct arena *arena, struct script *script, unsigned number, const char *id,
	const char *type)
{
	struct line *line = &script->lines[script->count++];

	line->number = number;
	line->words[line->count++] = arena_strdup(arena, "event");
	line->words[line->count++] = arena_strdup(arena, id);
	line->words[line->count++] = arena_strdup(arena, type);
}

/*
 * `start key=value...`: the events 1 to 3 of a run of the workflow type Order. `wft ID`: a workflow
 * task's scheduled and started event.
 */
static void expand(struct arena *arena, struct script *script, const struct line *from)
{
	struct line *line = &script->lines[script->count];

	if (strcmp(from->words[0], "start") == 0) {
		add_event(arena, script, from->number, "1", "WorkflowExecutionStarted");
		line->words[line->count++] = arena_strdup(arena, "workflow_type=Order");
		for (size_t i = 1; i < from->count; i++)
			line->words[line->count++] = from->words[i];
		add_event(arena, script, from->number, "2", "WorkflowTaskScheduled");
		add_event(arena, script, from->number, "3", "WorkflowTaskStarted");
	} else if (strcmp(from->words[0], "wft") == 0 && from->count == 2) {
		add_event(arena, script, from->number, from->words[1], "WorkflowTaskScheduled");
		add_event(arena, script, from->number,
			arena_printf(arena, "%d", atoi(from->words[1]) + 1), "WorkflowTaskStarted");
	} else {
		script->lines[script->count++] = *from;
	}
}

struct script script_read(struct arena *arena, const char *path)
{
	struct script script = { .path = path };
	char *text = read_all(arena, path);
	size_t n_lines = 1;
	unsigned number = 0;

	for (const char *at = text; *at; at++)
		n_lines += *at == '\n';
	script.lines = arena_array(arena, 3 * n_lines, sizeof(*script.lines));
	for (char *at = text; at && script.lines;) {
		char *end = strchr(at, '\n');
		struct line line = { .number = ++number };

		if (end)
			*end = '\0';
		split(&line, at);
		if (line.count)
			expand(arena, &script, &line);
		at = end ? end + 1 : NULL;
	}
	return script;
}

const char *line_value(const struct line *line, const char *key)
{
	size_t size = strlen(key);

	for (size_t i = 0; i < line->count; i++)
		if (strncmp(line->words[i], key, size) == 0 && line->words[i][size] == '=')
			return line->words[i] + size + 1;
	return NULL;
}

int64_t line_number(const struct line *line, const char *key, int64_t otherwise)
{
	const char *value = line_value(line, key);

	return value ? strtoll(value, NULL, 0) : otherwise;
}

bool line_has(const struct line *line, const char *word)
{
	for (size_t i = 0; i < line->count; i++)
		if (strcmp(line->words[i], word) == 0)
			return true;
	return false;
}

void script_fail(const struct script *script, const struct line *line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", script->path, line->number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}
