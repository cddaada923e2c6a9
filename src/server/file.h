/* file.h: messages about a database file. */
#ifndef SERVER_FILE_H
#define SERVER_FILE_H

#include <temporal/error.h>

/* Puts the file's name (NULL: in memory) before the message, unless that has it; returns the code,
 * which is not OK. `err` may be NULL. */
enum temporal_code server_name_file(const char *db, struct temporal_error *err);

#endif
