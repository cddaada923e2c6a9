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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <temporal/worker.h>

#include "base/mem.h"
#include "worker/isolate.h"
#include "worker/isolate_child.h"
#include "worker/limits.h"
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
	size_t processes;
	int64_t memory_limit;
	struct child *children;
	size_t n_children, room;
	int deaths, parent; /* descriptors: readable when a child, the worker has ended */
};

static _Atomic bool prepared;

bool isolate_is_prepared(void)
{
	return prepared;
}

/* ---- the configuration: texts, each with its NUL ---- */

struct texts {
	char *at, *end;
};

/* Of those that are to be run in children. */
static size_t definitions_count(const struct temporal_worker_opts *opts)
{
	size_t n = 0;

	for (size_t i = 0; opts->activities[i]; i++)
		n += worker_isolates(opts, opts->activities[i]);
	return n;
}

static const char *definition_name(const struct temporal_activity *definition)
{
	return definition->contract ? definition->contract->name : "";
}

static void add(struct texts *texts, const char *text)
{
	size_t size = strlen(text) + 1;

	if (size > (size_t)(texts->end - texts->at))
		return;
	memcpy(texts->at, text, size);
	texts->at += size;
}

static void add_number(struct texts *texts, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	add(texts, digits);
}

bool isolate_config(const struct temporal_worker *worker, size_t processes, struct arena *arena,
	struct isolate_message *message)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	size_t size = strlen(worker->namespace_) + strlen(opts->task_queue) + 128;
	struct isolate_place place;

	for (size_t i = 0; opts->activities[i]; i++) {
		if (worker_isolates(opts, opts->activities[i]) &&
			isolate_place_of(opts->activities[i], &place))
			size += strlen(place.file) + strlen(definition_name(opts->activities[i])) +
				32;
	}
	struct texts texts = { .at = arena_alloc(arena, size) };

	message->kind = ISOLATE_CONFIG;
	message->data = texts.at;
	if (!texts.at)
		return false;
	texts.end = texts.at + size;
	add_number(&texts, (uint64_t)getpid());
	add(&texts, worker->namespace_);
	add(&texts, opts->task_queue);
	add_number(&texts, processes);
	add_number(&texts, (uint64_t)opts->isolated_memory_limit);
	add_number(&texts, definitions_count(opts));
	for (size_t i = 0; opts->activities[i]; i++) {
		if (!worker_isolates(opts, opts->activities[i]) ||
			!isolate_place_of(opts->activities[i], &place))
			continue;
		add(&texts, place.file);
		add_number(&texts, place.offset);
		add(&texts, definition_name(opts->activities[i]));
	}
	message->size = (size_t)(texts.at - (const char *)message->data);
	return true;
}

static _Noreturn void give_up(const char *why, const char *what)
{
	fprintf(stderr, "temporal: the helper of isolated activities: %s%s\n", why, what);
	_exit(1);
}

static const char *next(struct texts *texts)
{
	const char *text = texts->at;
	size_t room = (size_t)(texts->end - texts->at), len = strnlen(text, room);

	if (len == room)
		give_up("its configuration is broken", "");
	texts->at += len + 1;
	return text;
}

static uint64_t next_number(struct texts *texts)
{
	return strtoull(next(texts), NULL, 10);
}

/* The definition of that name; what is found elsewhere than it was is no such thing. */
static const struct temporal_activity *next_definition(struct texts *texts)
{
	struct isolate_place place = { .file = next(texts) };

	place.offset = next_number(texts);
	const char *name = next(texts);
	const struct temporal_activity *definition = isolate_at_place(&place, sizeof(*definition));

	if (!definition || strcmp(definition_name(definition), name) != 0)
		give_up("it has no such activity: ", name);
	return definition;
}

static void read_definitions(struct helper *helper, struct texts *texts)
{
	size_t n = next_number(texts);
	const struct temporal_activity **list = arena_array(&helper->arena, n + 1, sizeof(*list));

	if (!list)
		give_up("no memory", "");
	for (size_t i = 0; i < n; i++)
		list[i] = next_definition(texts);
	helper->worker->opts.activities = list;
}

static void configure(struct helper *helper)
{
	struct isolate_message message;

	arena_init(&helper->arena, 4096, ARENA_NO_BUDGET);
	if (isolate_receive(ISOLATE_CONTROL_FD, true, &helper->arena, &message) != ISOLATE_GOT ||
		message.kind != ISOLATE_CONFIG || message.fd < 0)
		give_up("nobody told it what to do: it is not to be started by hand", "");
	union {
		const void *given;
		char *text;
	} data = { message.data };
	struct texts texts = { data.text, data.text + message.size };
	pid_t worker = (pid_t)next_number(&texts);

	helper->worker = mem_zalloc(sizeof(*helper->worker));
	if (!helper->worker)
		give_up("no memory", "");
	helper->worker->namespace_ = next(&texts);
	helper->worker->opts.task_queue = next(&texts);
	helper->processes = next_number(&texts);
	helper->memory_limit = (int64_t)next_number(&texts);
	read_definitions(helper, &texts);
	helper->shared = mmap(NULL, helper->processes * sizeof(helper->shared[0]),
		PROT_READ | PROT_WRITE, MAP_SHARED, message.fd, 0);
	if (helper->shared == MAP_FAILED)
		give_up("its shared memory: ", strerror(errno));
	close(message.fd);
	helper->parent = (int)syscall(SYS_pidfd_open, worker, 0);
	if (getppid() != worker)
		_exit(0); /* it has ended meanwhile */
}

/* ---- children ---- */

/* In the child: of all that the helper has it keeps its own end alone. */
static _Noreturn void be_child(struct helper *helper, uint32_t place, int fd, pid_t parent)
{
	struct isolate_link link = { .worker = helper->worker,
		.shared = &helper->shared[place],
		.fd = fd,
		.helper = parent,
		.memory_limit = helper->memory_limit };

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

	if (message->fd < 0 || message->flags >= helper->processes || !have_room(helper)) {
		if (message->fd >= 0)
			tell_death(message->fd, 0, ENOMEM);
		return;
	}
	fflush(NULL); /* what is in buffers would be written by both */
	pid_t pid = fork();

	if (pid == 0)
		be_child(helper, message->flags, message->fd, self);
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
