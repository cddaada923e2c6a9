/*
 * main.c: temporald, the daemon: a server, the line that says it is ready, and the signals that end
 * it; and the commands that care for a database.
 *
 *     temporald [server start-dev] [flags]
 *     temporald PORT [flags]
 *     temporald backup|check ...
 *
 * The words `server start-dev` are those of the official command line, since the official SDKs'
 * test kits start a server so; a port alone is how they start the official test server: virtual
 * time, locked once.
 *
 * The main thread waits for signals, the server has threads of its own.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <temporal/metrics.h>

#include "files.h"
#include "flags.h"
#include "log.h"
#include "notify.h"

#define LARGE_BYTES (512 * 1024)

/* The server can no longer keep its promises: say so and leave, with nothing more acknowledged. */
static void on_fatal(const char *message, void *user)
{
	(void)user;
	log_line(LOG_ERROR, "%s", message);
	_Exit(1);
}

static void on_warning(const char *message, void *user)
{
	(void)user;
	log_line(LOG_WARN, "%s", message);
}

/* The certificates of the flags; false if a file cannot be read. The texts are freed at the end of
 * the process. */
static bool read_tls(const struct flags *flags, struct temporal_server_tls_opts *tls)
{
	tls->cert_pem = flags->tls_cert ? file_read(flags->tls_cert) : NULL;
	tls->key_pem = flags->tls_key ? file_read(flags->tls_key) : NULL;
	tls->client_ca_pem = flags->tls_client_ca ? file_read(flags->tls_client_ca) : NULL;
	return !flags->tls_cert == !tls->cert_pem && !flags->tls_key == !tls->key_pem &&
	       !flags->tls_client_ca == !tls->client_ca_pem;
}

/* As the option of the library has it. */
static int32_t http_port(const struct flags *flags)
{
	if (flags->http_port < 0)
		return 0;
	return flags->http_port ? flags->http_port : TEMPORAL_SERVER_ANY_PORT;
}

/* The figures of the flags, under the official names; false if nobody can read them. */
static bool open_metrics(const struct flags *flags, struct temporal_metrics **metrics)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	char address[300];
	const char *host = flags->host ? flags->host : "";

	if (flags->metrics_port < 0)
		return true;
	snprintf(address, sizeof(address), strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
		flags->metrics_port);
	*metrics = temporal_metrics_new(&err, .listen = address, .prefix = "", .in_seconds = true);
	if (!*metrics)
		log_line(LOG_ERROR, "%s", err.message);
	return *metrics;
}

static struct temporal_server *start(struct flags *flags, struct temporal_metrics *metrics)
{
	struct temporal_server_tls_opts tls = { 0 };
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_server *server;

	if (!read_tls(flags, &tls))
		return NULL;
	if (flags->api_key_file && !file_read_lines(flags->api_key_file, &flags->api_keys))
		return NULL;
	server = temporal_server_start(&err, .db = flags->db, .host = flags->host,
		.port = flags->port ? flags->port : TEMPORAL_SERVER_ANY_PORT,
		.http_port = http_port(flags), .namespaces = flags->namespaces.items,
		.search_attributes = flags->search_attributes.items,
		.dynamic_config = flags->dynamic_config.items,
		.tls = tls.cert_pem || tls.key_pem || tls.client_ca_pem ? &tls : NULL,
		.api_keys = flags->api_keys.items, .allow_insecure = flags->allow_insecure,
		.time_skipping = flags->time_unlocked   ? TEMPORAL_TIME_SKIPPING_UNLOCKED
				 : flags->time_skipping ? TEMPORAL_TIME_SKIPPING_LOCKED
							: TEMPORAL_TIME_SKIPPING_OFF,
		.fatal = on_fatal, .warn = on_warning, .metrics = metrics);
	if (!server)
		log_line(LOG_ERROR, "%s", err.message);
	return server;
}

/* As many connections as the system lets us have: the usual soft limit is for programs that use
 * select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Waits for the first signal; a second one ends the process at once. */
static void wait_for_end(const sigset_t *signals)
{
	int number = 0;

	sigwait(signals, &number);
	log_line(LOG_INFO, "stopping on %s", strsignal(number));
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static int serve(struct flags *flags)
{
	struct temporal_metrics *metrics = NULL;
	struct temporal_server *server;
	const char *host = flags->host ? flags->host : "127.0.0.1";
	bool six = strchr(host, ':') != NULL;
	sigset_t signals;

	raise_file_limit();
	/* Large blocks go back to the system at once: else one crowd of large answers stays for
	 * ever. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (!open_metrics(flags, &metrics))
		return 1;
	server = start(flags, metrics);
	if (!server)
		return 1;
	printf("temporald listens on %s%s%s:%u\n", six ? "[" : "", host, six ? "]" : "",
		temporal_server_port(server));
	if (temporal_server_http_port(server))
		printf("Nexus HTTP API on %s%s%s:%u\n", six ? "[" : "", host, six ? "]" : "",
			temporal_server_http_port(server));
	if (metrics)
		printf("Metrics on %s%s%s:%u\n", six ? "[" : "", host, six ? "]" : "",
			temporal_metrics_port(metrics));
	fflush(stdout);
	log_line(LOG_INFO, "ready, with %s", flags->db ? flags->db : "everything in memory");
	notify("READY=1");
	wait_for_end(&signals);
	notify("STOPPING=1");
	temporal_server_stop(server);
	temporal_metrics_unref(metrics);
	return 0;
}

static int care(const struct flags *flags)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	enum temporal_code code;

	if (flags->command == COMMAND_BACKUP)
		code = temporal_server_backup(flags->db, flags->file, &err);
	else
		code = temporal_server_check(flags->db, &err);
	if (code != TEMPORAL_OK) {
		log_line(LOG_ERROR, "%s", err.message);
		return 1;
	}
	if (flags->command == COMMAND_BACKUP)
		printf("%s is a copy of %s\n", flags->file, flags->db);
	else
		printf("%s is whole\n", flags->db);
	return 0;
}

int main(int argc, char **argv)
{
	static struct flags flags;

	if (!flags_parse(&flags, argc, argv))
		return 2;
	log_open(flags.log_level, flags.log_json);
	if (flags.help)
		flags_print_help();
	else if (flags.version)
		printf("temporald %s\n", TEMPORAL_VERSION);
	else
		return flags.command == COMMAND_SERVE ? serve(&flags) : care(&flags);
	return 0;
}
