/*
 * flags.c: the command line as a table, one line a flag. What the official command line's
 * `server start-dev` takes is taken here too, in the forms that it allows: --name VALUE,
 * --name=VALUE, -p VALUE, -pVALUE, switches with =true or =false. The manual page and
 * docs/server.md list the same flags (test/server/temporald_test.py compares them).
 */
#include "flags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum flag_kind {
	FLAG_TEXT,    /* const char * */
	FLAG_LIST,    /* struct flag_list: may be given again */
	FLAG_PORT,    /* int */
	FLAG_SWITCH,  /* bool */
	FLAG_LEVEL,   /* enum log_level */
	FLAG_FORMAT,  /* bool: is it JSON? */
	FLAG_IGNORED, /* is taken, and has nothing to say here */
};

struct flag {
	const char *name;
	char short_name;
	enum flag_kind kind;
	const char *argument; /* NULL: a switch */
	size_t offset;
	const char *help;
};

#define FLAG(name_, short_, kind_, argument_, field_, help_) \
	{ \
		name_, short_, kind_, argument_, offsetof(struct flags, field_), help_ \
	}
#define IGNORED(name_, argument_) \
	{ \
		name_, 0, FLAG_IGNORED, argument_, 0, "accepted, without effect" \
	}

static const struct flag known[] = {
	FLAG("ip", 0, FLAG_TEXT, "ADDRESS", host, "address to listen on (127.0.0.1)"),
	FLAG("port", 'p', FLAG_PORT, "PORT", port, "port to listen on (7233); 0: any free one"),
	FLAG("http-port", 0, FLAG_PORT, "PORT", http_port,
		"port of the Nexus HTTP API (there is none); 0: any free one"),
	FLAG("metrics-port", 0, FLAG_PORT, "PORT", metrics_port,
		"port of the figures for Prometheus and of the probes (there is none); 0: any free "
		"one"),
	FLAG("db-filename", 'f', FLAG_TEXT, "FILE", db,
		"database, made if it is not there (in memory, and gone with the server)"),
	FLAG("namespace", 'n', FLAG_LIST, "NAME", namespaces,
		"namespace to register besides \"default\"; may be given again"),
	FLAG("search-attribute", 0, FLAG_LIST, "NAME=TYPE", search_attributes,
		"search attribute to register: Text, Keyword, KeywordList, Int, Double, Bool or "
		"Datetime; may be given again"),
	FLAG("dynamic-config-value", 0, FLAG_LIST, "KEY=VALUE", dynamic_config,
		"a limit under its official name, the value in JSON; may be given again"),
	FLAG("tls-cert", 0, FLAG_TEXT, "FILE", tls_cert, "certificate chain (PEM): speak TLS"),
	FLAG("tls-key", 0, FLAG_TEXT, "FILE", tls_key, "its private key (PEM)"),
	FLAG("tls-client-ca", 0, FLAG_TEXT, "FILE", tls_client_ca,
		"clients need a certificate that one of these has signed (PEM)"),
	FLAG("api-key", 0, FLAG_LIST, "KEY", api_keys,
		"calls have to show this key, or another of them; may be given again"),
	FLAG("api-key-file", 0, FLAG_TEXT, "FILE", api_key_file, "the same, one key a line"),
	FLAG("allow-insecure", 0, FLAG_SWITCH, NULL, allow_insecure,
		"listen on another address than this machine's own without TLS"),
	FLAG("time-skipping", 0, FLAG_SWITCH, NULL, time_skipping,
		"virtual time with the test service, locked once (as `temporald PORT`)"),
	FLAG("enable-time-skipping", 0, FLAG_SWITCH, NULL, time_unlocked, "the same, not locked"),
	FLAG("log-level", 0, FLAG_LEVEL, "LEVEL", log_level,
		"debug, info, warn, error or never (warn)"),
	FLAG("log-format", 0, FLAG_FORMAT, "FORMAT", log_json, "text, pretty or json (text)"),
	FLAG("version", 'v', FLAG_SWITCH, NULL, version, "print the version"),
	FLAG("help", 'h', FLAG_SWITCH, NULL, help, "print this"),
	IGNORED("headless", NULL),
	IGNORED("log-config", NULL),
	IGNORED("sqlite-pragma", "NAME=VALUE"),
	IGNORED("ui-asset-path", "PATH"),
	IGNORED("ui-codec-endpoint", "URL"),
	IGNORED("ui-ip", "ADDRESS"),
	IGNORED("ui-port", "PORT"),
	IGNORED("ui-public-path", "PATH"),
};

#define N_KNOWN      (sizeof(known) / sizeof(known[0]))
#define NAME_MAX_LEN 64

void flags_print_help(void)
{
	printf("temporald [server start-dev] [FLAGS]   a Temporal server in one process\n"
	       "temporald PORT [FLAGS]                 the same on virtual time, for tests\n"
	       "temporald backup --db-filename DB FILE copies a database, also of a running "
	       "server\n"
	       "temporald check --db-filename DB       checks a database that no server uses\n\n");
	for (size_t i = 0; i < N_KNOWN; i++) {
		char left[48], letter[8] = "    ";

		if (known[i].short_name)
			snprintf(letter, sizeof(letter), "-%c, ", known[i].short_name);
		snprintf(left, sizeof(left), "%s--%s %s", letter, known[i].name,
			known[i].argument ? known[i].argument : "");
		printf("  %-38s %s\n", left, known[i].help);
	}
}

/* ---- Finding a flag ---- */

/* How many letters one would have to change, at most `most` of which are looked at. */
static size_t distance(const char *a, size_t len, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], n = strlen(b);

	if (len > NAME_MAX_LEN || n > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = change < row[j] + 1 ? change : row[j] + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
		}
	}
	return row[n];
}

static bool unknown(const char *argument, const char *name, size_t len)
{
	const struct flag *nearest = NULL;
	size_t least = 4;

	for (size_t i = 0; i < N_KNOWN; i++) {
		bool begins = len > 1 && strncmp(known[i].name, name, len) == 0;
		size_t away = begins ? 1 : distance(name, len, known[i].name);

		if (away < least) {
			least = away;
			nearest = &known[i];
		}
	}
	fprintf(stderr, "temporald: there is no flag %s; ", argument);
	if (nearest)
		fprintf(stderr, "is --%s meant?\n", nearest->name);
	else
		fprintf(stderr, "--help lists them\n");
	return false;
}

static const struct flag *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0)
			return &known[i];
	}
	return NULL;
}

static const struct flag *find_short(char letter)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		if (letter && known[i].short_name == letter)
			return &known[i];
	}
	return NULL;
}

/* ---- Taking a value ---- */

static bool take_port(int *port, const char *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < 0 || number > 65535) {
		fprintf(stderr, "temporald: \"%s\" is no port; expected 0 to 65535\n", value);
		return false;
	}
	*port = (int)number;
	return true;
}

static bool take_choice(const char *flag, const char *value, const char *const *choices, int *out)
{
	for (int i = 0; choices[i]; i++) {
		if (strcmp(choices[i], value) == 0) {
			*out = i;
			return true;
		}
	}
	fprintf(stderr, "temporald: --%s is \"%s\"; expected ", flag, value);
	for (int i = 0; choices[i]; i++)
		fprintf(stderr, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
	fprintf(stderr, "\n");
	return false;
}

static bool take_list(struct flag_list *list, const char *flag, const char *value)
{
	if (list->count == FLAGS_LIST_MAX) {
		fprintf(stderr, "temporald: --%s is given more than %d times\n", flag,
			FLAGS_LIST_MAX);
		return false;
	}
	list->items[list->count++] = value;
	return true;
}

static bool take(struct flags *flags, const struct flag *flag, const char *value)
{
	static const char *const levels[] = { "debug", "info", "warn", "error", "never", NULL };
	static const char *const formats[] = { "text", "pretty", "json", NULL };
	static const char *const truths[] = { "false", "true", NULL };
	void *place = (char *)flags + flag->offset;
	int choice = 1;

	switch (flag->kind) {
	case FLAG_TEXT:
		*(const char **)place = value;
		return true;
	case FLAG_LIST:
		return take_list(place, flag->name, value);
	case FLAG_PORT:
		return take_port(place, value);
	case FLAG_SWITCH:
		if (value && !take_choice(flag->name, value, truths, &choice))
			return false;
		*(bool *)place = choice == 1;
		return true;
	case FLAG_LEVEL:
		if (!take_choice(flag->name, value, levels, &choice))
			return false;
		*(enum log_level *)place = (enum log_level)choice;
		return true;
	case FLAG_FORMAT:
		if (!take_choice(flag->name, value, formats, &choice))
			return false;
		*(bool *)place = choice == 2;
		return true;
	default:
		return true;
	}
}

/* One flag with its value, which may be the next argument; *i is the index of the last one used. */
static bool parse_flag(struct flags *flags, int argc, char **argv, int *i)
{
	const char *text = argv[*i], *value = NULL;
	const struct flag *flag;

	if (text[1] == '-') {
		const char *name = text + 2, *equals = strchr(name, '=');
		size_t len = equals ? (size_t)(equals - name) : strlen(name);

		flag = find(name, len);
		if (!flag)
			return unknown(text, name, len);
		value = equals ? equals + 1 : NULL;
	} else {
		flag = find_short(text[1]);
		if (!flag)
			return unknown(text, text + 1, strlen(text + 1));
		if (text[2])
			value = text[2] == '=' ? text + 3 : text + 2;
	}
	if (flag->argument && !value && *i + 1 < argc)
		value = argv[++*i];
	if (flag->argument && !value) {
		fprintf(stderr, "temporald: --%s wants a value: %s\n", flag->name, flag->argument);
		return false;
	}
	return take(flags, flag, value);
}

/* ---- Words that are no flags ---- */

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* The n-th word (0 is the first): a command, its file, or the port of the test server. */
static bool take_word(struct flags *flags, const char *word, const char *before, int n)
{
	if (n == 0 && is_number(word)) {
		flags->time_skipping = true;
		return take_port(&flags->port, word);
	}
	if (n == 0 && strcmp(word, "server") == 0)
		return true;
	if (n == 1 && strcmp(word, "start-dev") == 0 && strcmp(before, "server") == 0)
		return true;
	if (n == 0 && strcmp(word, "backup") == 0) {
		flags->command = COMMAND_BACKUP;
		return true;
	}
	if (n == 0 && strcmp(word, "check") == 0) {
		flags->command = COMMAND_CHECK;
		return true;
	}
	if (n == 1 && flags->command == COMMAND_BACKUP) {
		flags->file = word;
		return true;
	}
	if (n == 1 && flags->command == COMMAND_CHECK) {
		flags->db = word;
		return true;
	}
	fprintf(stderr,
		"temporald: \"%s\" is no command; expected a port, backup, check, or flags alone\n",
		word);
	return false;
}

static bool is_complete(const struct flags *flags)
{
	if (flags->help || flags->version || flags->command == COMMAND_SERVE)
		return true;
	if (!flags->db)
		fprintf(stderr, "temporald: which database? expected --db-filename FILE\n");
	else if (flags->command == COMMAND_BACKUP && !flags->file)
		fprintf(stderr, "temporald: to which file? expected backup FILE\n");
	return flags->db && (flags->command == COMMAND_CHECK || flags->file);
}

bool flags_parse(struct flags *flags, int argc, char **argv)
{
	const char *word = "";
	int words = 0;

	*flags = (struct flags){
		.port = 7233, .http_port = -1, .metrics_port = -1, .log_level = LOG_WARN
	};
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (!parse_flag(flags, argc, argv, &i))
				return false;
			continue;
		}
		if (!take_word(flags, argv[i], word, words))
			return false;
		word = argv[i];
		words++;
	}
	return is_complete(flags);
}
