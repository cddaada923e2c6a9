/*
 * process.h: programs that a test starts: their output in a file, their end by a deadline, never
 * left behind.
 *
 * A process is killed by the kernel when the thread that started it ends (PR_SET_PDEATHSIG), so
 * start it from the main thread. What cannot be done ends the test program with a message that says
 * why.
 */
#ifndef TEST_LIB_PROCESS_H
#define TEST_LIB_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct test_process {
	pid_t pid;        /* 0: not running */
	int status;       /* of waitpid, once it has ended */
	char output[256]; /* the file that takes its standard output and standard error */
};

/* Prints the message and ends the program with status 1: the test failed, or could not be set up.
 */
void test_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Prints the reason and ends the program with status 77, which CTest counts as skipped. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* CLOCK_MONOTONIC in ms. */
int64_t test_now_ms(void);

/* Sleeps for a few ms between two looks at something that another process does. */
void test_pause(void);

/*
 * Waits until the condition is true, and ends the test if it does not become so. The time is that
 * of a machine which does everything else first; nobody waits so long for what happens.
 */
#define TEST_WAIT_MS 60000
#define test_wait_until(condition_) \
	do { \
		int64_t end_ms_ = test_now_ms() + TEST_WAIT_MS; \
\
		for (; !(condition_); test_pause()) { \
			if (test_now_ms() > end_ms_) \
				test_die("%s:%d: this did not come true: %s", __FILE__, __LINE__, \
					#condition_); \
		} \
	} while (0)

/*
 * A TCP port of 127.0.0.1 that nobody listens on at this moment. It is none of those that the
 * kernel gives to connections, so that it is still free when a server is started there again.
 */
int test_free_port(void);

/*
 * A new folder for this program's files, removed with all in it when the program ends by exit. The
 * string is valid until then. TEST_KEEP=1 in the environment keeps the folders and says where they
 * are.
 */
const char *test_temp_dir(void);

/*
 * The path of a program of the build under test: test_program("examples/order/order_worker"). It is
 * valid until the next call; the test is skipped where CTest has not said which build it is.
 */
const char *test_program(const char *path);

/* prefix-PID-N: a name that no other test uses on the shared server. `name` takes 64 bytes. */
const char *test_unique(char name[64], const char *prefix);

/* Starts argv (looked up in PATH, NULL-terminated). Its output replaces the file's old content. */
void test_process_spawn(struct test_process *process, const char *const argv[]);

/* Has it ended? Its status is in process->status then. */
bool test_process_ended(struct test_process *process);

/* Waits for its end. Returns the exit status, 128 + the signal's number, or -1 if it still runs at
 * the deadline. */
int test_process_wait(struct test_process *process, int timeout_ms);

/* Waits until its output has `text` in it. False if it ended, or the deadline passed, without. */
bool test_process_wait_output(struct test_process *process, const char *text, int timeout_ms);

/* All that it has printed until now; malloc'ed, terminated. */
char *test_process_output(const struct test_process *process);

/* Sends the signal, if it still runs. */
void test_process_signal(struct test_process *process, int signal_number);

/* kill -9, and waits for the end. A process that has ended, or was never started (zeroed), is fine.
 */
void test_process_kill(struct test_process *process);

/* Spawns, waits, returns the exit status as test_process_wait; the output (malloc'ed) goes to
 * *output unless NULL. */
int test_run(const char *const argv[], char **output, int timeout_ms);

#endif
