/* files.c: small text files that flags name. Read once, at the start, on the main thread. */
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define FILE_MAX (1 << 20) /* bytes */

static char *refuse(const char *path, const char *why, FILE *file, char *text)
{
	log_line(LOG_ERROR, "cannot read %s: %s", path, why);
	if (file)
		fclose(file);
	free(text);
	return NULL;
}

char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(FILE_MAX + 1);

	if (!file || !text)
		return refuse(path, strerror(errno), file, text);
	size_t len = fread(text, 1, FILE_MAX, file);
	if (ferror(file))
		return refuse(path, strerror(errno), file, text);
	if (len == FILE_MAX)
		return refuse(path, "it is larger than 1 MiB", file, text);
	fclose(file);
	text[len] = '\0';
	return text;
}

bool file_read_lines(const char *path, struct flag_list *list)
{
	char *text = file_read(path), *rest = text, *line;

	if (!text)
		return false;
	while ((line = strtok_r(rest, "\r\n", &rest))) {
		if (list->count == FLAGS_LIST_MAX) {
			log_line(LOG_ERROR, "%s has more than %d lines", path, FLAGS_LIST_MAX);
			return false;
		}
		list->items[list->count++] = line;
	}
	if (list->count == 0)
		log_line(LOG_ERROR, "%s is empty; expected a key in each line", path);
	return list->count > 0;
}
