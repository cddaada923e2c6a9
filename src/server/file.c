/*
 * file.c: care of a database file that is not, or not only, this server's: its copy and its check,
 * and messages that say which file they are about. Any thread.
 */
#include "server/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <temporal/server.h>

#include "base/error.h"
#include "server/store/store.h"

enum temporal_code server_name_file(const char *db, struct temporal_error *err)
{
	char message[sizeof(err->message)];

	if (!err)
		return TEMPORAL_UNAVAILABLE;
	if (!db || strstr(err->message, db))
		return err->code;
	memcpy(message, err->message, sizeof(message));
	return error_set(err, err->code, "%s: %s", db, message);
}

/* Before anything is made beside a file that is not there. */
static enum temporal_code look(const char *db, struct temporal_error *err)
{
	if (access(db, F_OK) == 0)
		return TEMPORAL_OK;
	return error_set(err, errno == ENOENT ? TEMPORAL_NOT_FOUND : TEMPORAL_UNAVAILABLE,
		"cannot open the database %s: %s", db, strerror(errno));
}

enum temporal_code temporal_server_backup(
	const char *db, const char *file, struct temporal_error *err)
{
	struct temporal_error ignored;
	enum temporal_code code;

	err = err ? err : &ignored;
	code = look(db, err);
	if (code == TEMPORAL_OK && store_backup_file(db, file, err) != TEMPORAL_OK)
		code = server_name_file(db, err);
	return code;
}

enum temporal_code temporal_server_check(const char *db, struct temporal_error *err)
{
	struct temporal_error ignored;
	enum temporal_code code;

	err = err ? err : &ignored;
	code = look(db, err);
	if (code == TEMPORAL_OK && store_check(db, NULL, err) != TEMPORAL_OK)
		code = server_name_file(db, err);
	return code;
}
