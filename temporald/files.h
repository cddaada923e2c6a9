/* files.h: small text files that flags name: certificates, keys. */
#ifndef TEMPORALD_FILES_H
#define TEMPORALD_FILES_H

#include "flags.h"

/* The text of a file, malloc'ed; NULL, and a message on standard error, if it cannot be read. */
char *file_read(const char *path);

/* Adds each line of the file that is not empty to the list; the text stays for ever. False, and a
 * message, if it cannot be read or the list is full. */
bool file_read_lines(const char *path, struct flag_list *list);

#endif
