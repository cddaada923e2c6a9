/*
 * flags.h: the command line of temporald: what was asked for, and the table of what may be.
 */
#ifndef TEMPORALD_FLAGS_H
#define TEMPORALD_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include <temporal/server.h>

#define FLAGS_LIST_MAX 256

struct flag_list {
	const char *items[FLAGS_LIST_MAX + 1]; /* NULL at the end */
	size_t count;
};

enum command {
	COMMAND_SERVE,
	COMMAND_BACKUP,
	COMMAND_CHECK,
};

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
	LOG_NEVER,
};

/* Texts are those of argv. */
struct flags {
	enum command command;
	const char *db, *host;
	const char *file; /* the backup's */
	int port;         /* 0: any free one */
	int http_port;    /* -1: none */
	int metrics_port; /* -1: none */
	struct flag_list namespaces, dynamic_config, search_attributes, api_keys;
	const char *tls_cert, *tls_key, *tls_client_ca; /* files */
	const char *api_key_file;
	bool allow_insecure;
	bool time_skipping, time_unlocked;
	enum log_level log_level;
	bool log_json;
	bool help, version;
};

/* Reads the command line. False: it is wrong, and the message on standard error says how. */
bool flags_parse(struct flags *flags, int argc, char **argv);

void flags_print_help(void);

#endif
