/*
 * process.c: programs that a test starts.
 *
 * Output goes to a file, not to a pipe: the child can never block on a reader, and all that it said
 * is still there after a kill -9. Waiting is polling with short pauses, always against a deadline
 * of the monotonic clock.
 */
#include "lib/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_TIMEOUT_MS 10000

static void leave(int status, const char *format, va_list args)
	__attribute__((noreturn, format(printf, 2, 0)));

static void leave(int status, const char *format, va_list args)
{
	fflush(stdout);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(status);
}

void test_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	leave(1, format, args);
}

void test_skip(const char *format, ...)
{
	va_list args;

	fputs("skipped: ", stderr);
	va_start(args, format);
	leave(77, format, args);
}

int64_t test_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void test_pause(void)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000000 };

	nanosleep(&pause, NULL);
}

static bool is_free(int port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

int test_free_port(void)
{
	const int first = 10240;
	int last = 32768; /* where Linux begins those of connections, unless it says otherwise */
	FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (range) {
		if (fscanf(range, "%d", &last) != 1 || last <= first)
			last = 65535;
		fclose(range);
	}
	for (int i = 0; i < 1000; i++) {
		uint32_t random = 0;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			break;
		int port = first + (int)(random % (uint32_t)(last - first));

		if (is_free(port))
			return port;
	}
	test_die("no free port on 127.0.0.1: %s", strerror(errno));
	return 0;
}

static char temp_dir[128];
static pid_t temp_dir_owner;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_temp_dir(void)
{
	if (getpid() != temp_dir_owner)
		return;
	if (getenv("TEST_KEEP"))
		fprintf(stderr, "kept: %s\n", temp_dir);
	else
		nftw(temp_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_temp_dir(void)
{
	if (!temp_dir[0]) {
		const char *base = getenv("TMPDIR");

		snprintf(temp_dir, sizeof(temp_dir), "%s/temporal-test-XXXXXX",
			base ? base : "/tmp");
		if (!mkdtemp(temp_dir))
			test_die("no temporary folder %s: %s", temp_dir, strerror(errno));
		temp_dir_owner = getpid();
		atexit(remove_temp_dir);
	}
	return temp_dir;
}

const char *test_program(const char *path)
{
	static char full[512];
	const char *build = getenv("TEMPORAL_TEST_BUILD_DIR");

	if (!build)
		test_skip("TEMPORAL_TEST_BUILD_DIR is unset: which build has %s?", path);
	if (snprintf(full, sizeof(full), "%s/%s", build, path) >= (int)sizeof(full))
		test_die("the path of the build is too long: %s", build);
	if (access(full, X_OK))
		test_die("%s: the build has no such program", full);
	return full;
}

const char *test_unique(char name[64], const char *prefix)
{
	static unsigned count;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, 64, "%.20s-%x-%lx%06x", prefix, (unsigned)getpid(), (long)now.tv_sec,
		count++);
	return name;
}

/* In the child, between fork and exec: only calls that are safe there. */
static void become(const char *const argv[], int output, pid_t parent) __attribute__((noreturn));

static void become(const char *const argv[], int output, pid_t parent)
{
	int nothing = open("/dev/null", O_RDONLY);
	union {
		const char *const *in;
		char *const *exec;
	} args = { .in = argv };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(argv[0], args.exec);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void test_process_spawn(struct test_process *process, const char *const argv[])
{
	static int count;
	pid_t parent = getpid();
	int output;

	if (!process->output[0])
		snprintf(process->output, sizeof(process->output), "%s/%d.log", test_temp_dir(),
			count++);
	output = open(process->output, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (output < 0)
		test_die("%s: %s", process->output, strerror(errno));
	fflush(NULL);
	process->pid = fork();
	if (process->pid < 0)
		test_die("cannot start %s: %s", argv[0], strerror(errno));
	if (process->pid == 0)
		become(argv, output, parent);
	close(output);
}

bool test_process_ended(struct test_process *process)
{
	if (process->pid && waitpid(process->pid, &process->status, WNOHANG) == process->pid)
		process->pid = 0;
	return !process->pid;
}

int test_process_wait(struct test_process *process, int timeout_ms)
{
	int64_t deadline = test_now_ms() + timeout_ms;

	while (!test_process_ended(process)) {
		if (test_now_ms() >= deadline)
			return -1;
		test_pause();
	}
	if (WIFSIGNALED(process->status))
		return 128 + WTERMSIG(process->status);
	return WEXITSTATUS(process->status);
}

bool test_process_wait_output(struct test_process *process, const char *text, int timeout_ms)
{
	int64_t deadline = test_now_ms() + timeout_ms;

	for (;;) {
		bool last = test_process_ended(process) || test_now_ms() >= deadline;
		char *output = test_process_output(process);
		bool found = strstr(output, text);

		free(output);
		if (found || last)
			return found;
		test_pause();
	}
}

char *test_process_output(const struct test_process *process)
{
	FILE *file = fopen(process->output, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		test_die("%s: %s", process->output, strerror(errno));
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = calloc(1, 1);
	}
	fclose(file);
	if (!text)
		test_die("no memory for the output in %s", process->output);
	return text;
}

void test_process_signal(struct test_process *process, int signal_number)
{
	if (!test_process_ended(process))
		kill(process->pid, signal_number);
}

void test_process_kill(struct test_process *process)
{
	test_process_signal(process, SIGKILL);
	if (process->pid && test_process_wait(process, KILL_TIMEOUT_MS) < 0)
		test_die("process %d does not end after kill -9", (int)process->pid);
}

int test_run(const char *const argv[], char **output, int timeout_ms)
{
	struct test_process process = { 0 };
	int status;

	test_process_spawn(&process, argv);
	status = test_process_wait(&process, timeout_ms);
	test_process_kill(&process);
	if (output)
		*output = test_process_output(&process);
	return status;
}
