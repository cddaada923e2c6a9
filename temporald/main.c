/*
 * main.c: temporald, the daemon: flags, signals, and the line that says it is ready.
 *
 *     temporald [server start-dev] [flags]
 *     temporald PORT [--enable-time-skipping]
 *
 * The second form is that of the official test server: virtual time, locked once unless it is
 * enabled at once.
 *
 * The words `server start-dev` and the flags are those of the official command line, since the
 * official SDKs' test kits start a server so. Unknown dynamic configuration is accepted with a
 * warning, as there.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/server.h>

#define NAMESPACES_MAX 64
#define ATTRIBUTES_MAX 128
#define DEFAULT_PORT   7233

struct flags {
	struct temporal_server_opts opts;
	const char *namespaces[NAMESPACES_MAX + 1];
	size_t n_namespaces;
	const char *attributes[ATTRIBUTES_MAX + 1];
	size_t n_attributes;
	bool quiet, help;
};

enum flag_kind {
	FLAG_TEXT,
	FLAG_PORT,
	FLAG_NAMESPACE,
	FLAG_ATTRIBUTE,
	FLAG_DYNAMIC,
	FLAG_LEVEL,
	FLAG_ACCEPTED,
	FLAG_SKIPPING,
	FLAG_ALONE
};

struct flag {
	const char *name, *argument;
	enum flag_kind kind;
	const char *help;
};

static const struct flag known[] = {
	{ "ip", "ADDRESS", FLAG_TEXT, "address to listen on (127.0.0.1)" },
	{ "port", "PORT", FLAG_PORT, "port to listen on (7233; 0: any free one)" },
	{ "db-filename", "FILE", FLAG_TEXT, "database file, made if it is not there (in memory)" },
	{ "namespace", "NAME", FLAG_NAMESPACE, "a namespace to register; may be given again" },
	{ "log-level", "LEVEL", FLAG_LEVEL, "debug, info, warn, error or never (warn)" },
	{ "dynamic-config-value", "KEY=VALUE", FLAG_DYNAMIC,
		"accepted; unknown keys with a warning" },
	{ "search-attribute", "NAME=TYPE", FLAG_ATTRIBUTE,
		"a search attribute of all these namespaces; may be given again" },
	{ "log-format", "FORMAT", FLAG_ACCEPTED, "accepted" },
	{ "ui-port", "PORT", FLAG_ACCEPTED, "accepted; there is no page yet" },
	{ "ui-ip", "ADDRESS", FLAG_ACCEPTED, "accepted" },
	{ "http-port", "PORT", FLAG_ACCEPTED, "accepted" },
	{ "metrics-port", "PORT", FLAG_ACCEPTED, "accepted" },
	{ "sqlite-pragma", "NAME=VALUE", FLAG_ACCEPTED, "accepted" },
	{ "headless", NULL, FLAG_ALONE, "accepted; there is no page yet" },
	{ "time-skipping", NULL, FLAG_SKIPPING,
		"serve the test service: virtual time, locked once (as `temporald PORT` does)" },
	{ "enable-time-skipping", NULL, FLAG_SKIPPING, "... and not locked" },
	{ "help", NULL, FLAG_ALONE, "this text" },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static void print_help(void)
{
	printf("temporald [server start-dev] [flags]: a Temporal server in one process\n"
	       "temporald PORT [flags]: the same with virtual time, for tests\n\n");
	for (size_t i = 0; i < N_KNOWN; i++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s %s", known[i].name,
			known[i].argument ? known[i].argument : "");
		printf("  %-36s %s\n", left, known[i].help);
	}
}

static const struct flag *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0)
			return &known[i];
	}
	return NULL;
}

static bool take_port(struct flags *flags, const char *value)
{
	char *end;
	long port;

	errno = 0;
	port = strtol(value, &end, 10);
	if (errno || end == value || *end || port < 0 || port > 65535) {
		fprintf(stderr, "temporald: --port %s is no port; expected 0 to 65535\n", value);
		return false;
	}
	flags->opts.port = port ? (int32_t)port : TEMPORAL_SERVER_ANY_PORT;
	return true;
}

static bool take(struct flags *flags, const struct flag *flag, const char *value)
{
	switch (flag->kind) {
	case FLAG_TEXT:
		if (strcmp(flag->name, "ip") == 0)
			flags->opts.host = value;
		else
			flags->opts.db = value;
		return true;
	case FLAG_PORT:
		return take_port(flags, value);
	case FLAG_NAMESPACE:
		if (flags->n_namespaces == NAMESPACES_MAX) {
			fprintf(stderr, "temporald: more than %d namespaces\n", NAMESPACES_MAX);
			return false;
		}
		flags->namespaces[flags->n_namespaces++] = value;
		return true;
	case FLAG_ATTRIBUTE:
		if (flags->n_attributes == ATTRIBUTES_MAX) {
			fprintf(stderr, "temporald: more than %d search attributes\n",
				ATTRIBUTES_MAX);
			return false;
		}
		flags->attributes[flags->n_attributes++] = value;
		return true;
	case FLAG_DYNAMIC:
		if (!flags->quiet)
			fprintf(stderr, "temporald: dynamic configuration %s has no effect\n",
				value);
		return true;
	case FLAG_SKIPPING:
		if (strcmp(flag->name, "enable-time-skipping") == 0)
			flags->opts.time_skipping = TEMPORAL_TIME_SKIPPING_UNLOCKED;
		else if (!flags->opts.time_skipping)
			flags->opts.time_skipping = TEMPORAL_TIME_SKIPPING_LOCKED;
		return true;
	case FLAG_LEVEL:
		flags->quiet = strcmp(value, "error") == 0 || strcmp(value, "never") == 0;
		return true;
	default:
		flags->help |= strcmp(flag->name, "help") == 0;
		return true;
	}
}

static bool parse(struct flags *flags, int argc, char **argv)
{
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "server") == 0 && strcmp(argv[2], "start-dev") == 0)
		i = 3;
	if (argc > 1 && argv[1][0] >= '0' && argv[1][0] <= '9') {
		if (!take_port(flags, argv[1]))
			return false;
		flags->opts.time_skipping = TEMPORAL_TIME_SKIPPING_LOCKED;
		i = 2;
	}
	for (; i < argc; i++) {
		const char *name = argv[i] + strspn(argv[i], "-"), *equals = strchr(name, '=');
		size_t len = equals ? (size_t)(equals - name) : strlen(name);
		const struct flag *flag = name == argv[i] ? NULL : find(name, len);
		const char *value = equals ? equals + 1 : NULL;

		if (!flag && strcmp(name, "h") == 0)
			flag = find("help", 4);
		else if (!flag && strcmp(name, "n") == 0)
			flag = find("namespace", 9);
		else if (!flag && strcmp(name, "p") == 0)
			flag = find("port", 4);
		else if (!flag && strcmp(name, "f") == 0)
			flag = find("db-filename", 11);
		if (!flag) {
			fprintf(stderr, "temporald: unknown argument %s; see --help\n", argv[i]);
			return false;
		}
		if (flag->argument && !value && i + 1 < argc)
			value = argv[++i];
		if (flag->argument && !value) {
			fprintf(stderr, "temporald: --%s wants %s\n", flag->name, flag->argument);
			return false;
		}
		if (!take(flags, flag, value))
			return false;
	}
	return true;
}

/* The server can no longer keep its promises: say so and leave, with nothing more acknowledged. */
static void on_fatal(const char *message, void *user)
{
	fprintf(stderr, "temporald: %s\n", message);
	_Exit(1);
}

/* The quiet levels count before the values that they quiet. */
static void look_for_level(struct flags *flags, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--log-level") == 0)
			flags->quiet = strcmp(argv[i + 1], "error") == 0 ||
				       strcmp(argv[i + 1], "never") == 0;
	}
}

int main(int argc, char **argv)
{
	struct flags flags = { .opts = { .port = DEFAULT_PORT, .fatal = on_fatal } };
	struct temporal_error err;
	struct temporal_server *server;
	sigset_t signals;
	int number;

	look_for_level(&flags, argc, argv);
	if (!parse(&flags, argc, argv))
		return 2;
	if (flags.help) {
		print_help();
		return 0;
	}
	flags.opts.namespaces = flags.namespaces;
	flags.opts.search_attributes = flags.attributes;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	server = temporal_server_start_sized(&err, &flags.opts, sizeof(flags.opts));
	if (!server) {
		fprintf(stderr, "temporald: %s\n", err.message);
		return 1;
	}
	printf("temporald listens on %s:%u\n", flags.opts.host ? flags.opts.host : "127.0.0.1",
		temporal_server_port(server));
	fflush(stdout);
	sigwait(&signals, &number);
	temporal_server_stop(server);
	return 0;
}
