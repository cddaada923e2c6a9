/*
 * isolate_helper.c: the helper: the program executed once more, which forks children and tells of
 * their deaths.
 *
 * It has one thread, so that a fork copies a process in which nobody holds a lock. All it does is
 * wait for three things: a message of the worker, the death of a child, the end of the worker. When
 * the worker ends, in whatever way, so does everything here: its socket closes, or, should a copy
 * of that have been inherited by somebody, its process is seen to end; children have asked the
 * kernel to be killed with the helper.
 *
 *	FORK --> child, in the list       KILL --> SIGKILL, if it is still in the list
 *	SIGCHLD --> DIED on its socket, which is closed; out of the list
 *
 * A child is in the list until its status was read, so its process id can be nobody else's.
 */
#include "worker/isolate_helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <temporal/worker.h>

#include "base/mem.h"
#include "worker/isolate_child.h"
#include "worker/isolate_config.h"
#include "worker/thread.h"
#include "worker/worker.h"

struct child {
	uint64_t id;
	pid_t pid;
	int fd; /* a copy of its end */
};

struct helper {
	struct arena arena; /* of the configuration */
	struct temporal_worker *worker;
	struct isolate_shared *shared;
	struct isolate_setup setup;
	struct child *children;
	size_t n_children, room;
	int deaths, parent; /* descriptors: readable when a child, the worker has ended */
};

static _Atomic bool prepared;

bool isolate_is_prepared(void)
{
	return prepared;
}

static _Noreturn void give_up(const char *why, const char *what)
{
	fprintf(stderr, "temporal: the helper of isolated activities: %s%s\n", why, what);
	_exit(1);
}

static void configure(struct helper *helper)
{
	struct isolate_message message;

	arena_init(&helper->arena, 4096, ARENA_NO_BUDGET);
	if (isolate_receive(ISOLATE_CONTROL_FD, true, &helper->arena, &message) != ISOLATE_GOT ||
		message.kind != ISOLATE_CONFIG || message.fd < 0)
		give_up("nobody told it what to do: it is not to be started by hand", "");
	helper->worker = mem_zalloc(sizeof(*helper->worker));
	if (!helper->worker)
		give_up("no memory", "");
	const char *wrong =
		isolate_config_read(&message, &helper->arena, helper->worker, &helper->setup);

	if (wrong)
		give_up(wrong, "");
	helper->shared = mmap(NULL, helper->setup.processes * sizeof(helper->shared[0]),
		PROT_READ | PROT_WRITE, MAP_SHARED, message.fd, 0);
	if (helper->shared == MAP_FAILED)
		give_up("its shared memory: ", strerror(errno));
	close(message.fd);
	helper->parent = (int)syscall(SYS_pidfd_open, helper->setup.worker, 0);
	if (getppid() != helper->setup.worker)
		_exit(0); /* it has ended meanwhile */
}

/* ---- children ---- */

/* In the child: of all that the helper has it keeps its own end alone. */
static _Noreturn void be_child(
	struct helper *helper, const struct isolate_message *message, pid_t parent)
{
	struct isolate_link link = { .worker = helper->worker,
		.shared = &helper->shared[message->flags],
		.id = message->id,
		.fd = message->fd,
		.helper = parent,
		.memory_limit = helper->setup.memory_limit };

	close(ISOLATE_CONTROL_FD);
	close(helper->deaths);
	close(helper->parent);
	for (size_t i = 0; i < helper->n_children; i++)
		close(helper->children[i].fd);
	isolate_child_main(&link);
}

static bool have_room(struct helper *helper)
{
	if (helper->n_children < helper->room)
		return true;
	size_t room = helper->room ? 2 * helper->room : 16;
	struct child *children = mem_realloc(helper->children, room * sizeof(children[0]));

	if (!children)
		return false;
	helper->children = children;
	helper->room = room;
	return true;
}

static void tell_death(int fd, int status, int error)
{
	const struct isolate_died died = { .status = status, .error = error };

	isolate_send_last(fd, ISOLATE_DIED, &died, sizeof(died));
	close(fd);
}

static void fork_one(struct helper *helper, const struct isolate_message *message)
{
	pid_t self = getpid();

	if (message->fd < 0 || message->flags >= helper->setup.processes || !have_room(helper)) {
		if (message->fd >= 0)
			tell_death(message->fd, 0, ENOMEM);
		return;
	}
	fflush(NULL); /* what is in buffers would be written by both */
	pid_t pid = fork();

	if (pid == 0)
		be_child(helper, message, self);
	if (pid < 0) {
		tell_death(message->fd, 0, errno);
		return;
	}
	helper->children[helper->n_children++] =
		(struct child){ .id = message->id, .pid = pid, .fd = message->fd };
}

static void kill_one(struct helper *helper, uint64_t id)
{
	for (size_t i = 0; i < helper->n_children; i++) {
		if (helper->children[i].id == id)
			kill(helper->children[i].pid, SIGKILL);
	}
}

static void reap(struct helper *helper)
{
	struct signalfd_siginfo ignored;
	int status;

	while (read(helper->deaths, &ignored, sizeof(ignored)) == (ssize_t)sizeof(ignored))
		continue;
	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0;
		pid = waitpid(-1, &status, WNOHANG)) {
		size_t i = 0;

		while (i < helper->n_children && helper->children[i].pid != pid)
			i++;
		if (i == helper->n_children)
			continue;
		tell_death(helper->children[i].fd, status, 0);
		helper->children[i] = helper->children[--helper->n_children];
	}
}

/* ---- main ---- */

static _Noreturn void end(struct helper *helper)
{
	for (size_t i = 0; i < helper->n_children; i++)
		kill(helper->children[i].pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	_exit(0);
}

static void obey(struct helper *helper)
{
	struct isolate_message message;
	struct arena arena;

	arena_init(&arena, 256, ARENA_NO_BUDGET);
	if (isolate_receive(ISOLATE_CONTROL_FD, true, &arena, &message) != ISOLATE_GOT)
		end(helper);
	if (message.kind == ISOLATE_FORK)
		fork_one(helper, &message);
	else if (message.kind == ISOLATE_KILL)
		kill_one(helper, message.id);
	arena_finish(&arena);
}

static _Noreturn void helper_main(void)
{
	struct helper helper = { .parent = -1 };
	sigset_t mask;

	worker_thread_block_signals(NULL);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, "temporal-helper");
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	helper.deaths = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	configure(&helper);
	for (;;) {
		struct pollfd fds[] = { { .fd = ISOLATE_CONTROL_FD, .events = POLLIN },
			{ .fd = helper.deaths, .events = POLLIN },
			{ .fd = helper.parent, .events = POLLIN } };

		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[2].revents)
			end(&helper);
		if (fds[1].revents)
			reap(&helper);
		if (fds[0].revents)
			obey(&helper);
	}
}

void temporal_isolate_main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], ISOLATE_FLAG) == 0)
		helper_main();
	prepared = true;
}
