/*
 * isolate_config.c: what the worker tells its helper, and how that makes a worker of it again, as
 * far as attempts need one.
 *
 * The message is a list of texts, each with its NUL, in the order of write_all: both ends are the
 * same program. Of what lies in memory only the place is told, since the helper has never come to
 * where main makes things: definitions by their structs, interceptors by their functions, so that
 * their tables may have been made anywhere. An interceptor's `user` is what it points to in the
 * helper: an object of the program as it is there, or no pointer at all.
 *
 * The worker's side runs on the thread that makes the worker; the helper has one thread.
 */
#include "worker/isolate_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "worker/event.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/worker.h"

/* A function or object, as a number; functions have no other form that C lets us look at. */
union pointer {
	const void *object;
	void *user;
	uintptr_t number;
	const struct temporal_failure *(*execute)(
		struct act *act, struct act_next *next, struct act_inbound *in, void *user);
	void (*heartbeat)(struct act *act, struct act_next *next,
		const struct temporal_payloads *details, void *user);
	const struct act_info *(*info)(const struct act *act, struct act_next *next, void *user);
};
#define POINTER(member_, value_) ((union pointer){ .member_ = (value_) })

/* No object is there: small numbers in the guise of a pointer. */
#define POINTER_MIN 4096

/* Those that run in children; NULL: none. */
static const struct temporal_interceptor *const *interceptors_of(
	const struct temporal_worker *worker)
{
	return worker->opts.no_isolated_interceptors ? NULL : worker->interceptors;
}

static const char *definition_name(const struct temporal_activity *definition)
{
	return definition->contract ? definition->contract->name : "";
}

/* ---- the worker's side ---- */

/* Written twice: measured first (`at` NULL), then to memory of that size. */
struct writer {
	char *at;
	size_t size;
};

static void add(struct writer *writer, const char *text)
{
	size_t size = strlen(text) + 1;

	if (writer->at)
		memcpy(writer->at + writer->size, text, size);
	writer->size += size;
}

static void add_number(struct writer *writer, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	add(writer, digits);
}

static void add_definition(struct writer *writer, const struct temporal_activity *definition)
{
	struct isolate_place place = { .file = "" };

	(void)isolate_place_of(definition, &place); /* worker_isolate_check has seen it */
	add(writer, place.file);
	add_number(writer, place.offset);
	add(writer, definition_name(definition));
}

static void add_pointer(struct writer *writer, union pointer pointer)
{
	struct isolate_place place = { .file = "", .offset = pointer.number };

	if (pointer.number >= POINTER_MIN)
		(void)isolate_place_of(pointer.object, &place); /* else it will be refused */
	add_number(writer, place.layout);                       /* 0: it is the number itself */
	add(writer, place.file);
	add_number(writer, place.offset);
}

static void add_interceptors(struct writer *writer, const struct temporal_worker *worker)
{
	const struct temporal_interceptor *const *list = interceptors_of(worker);
	size_t n = 0;

	while (list && list[n])
		n++;
	add_number(writer, n);
	for (size_t i = 0; i < n; i++) {
		const struct temporal_activity_interceptor *table = list[i]->activity;

		add_pointer(writer, POINTER(execute, table->execute));
		add_pointer(writer, POINTER(heartbeat, table->heartbeat));
		add_pointer(writer, POINTER(info, table->info));
		add_pointer(writer, POINTER(user, list[i]->user));
	}
}

static void write_all(struct writer *writer, const struct temporal_worker *worker, size_t processes)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	size_t n = 0;

	add_number(writer, (uint64_t)getpid());
	add_number(writer, processes);
	add_number(writer, (uint64_t)opts->isolated_memory_limit);
	add(writer, worker->namespace_);
	add(writer, opts->task_queue);
	add_number(writer, worker_log_least(worker));
	for (size_t i = 0; opts->activities[i]; i++)
		n += worker_isolates(opts, opts->activities[i]);
	add_number(writer, n);
	for (size_t i = 0; opts->activities[i]; i++) {
		if (worker_isolates(opts, opts->activities[i]))
			add_definition(writer, opts->activities[i]);
	}
	add_interceptors(writer, worker);
}

bool isolate_config(const struct temporal_worker *worker, size_t processes, struct arena *arena,
	struct isolate_message *message)
{
	struct writer writer = { 0 };

	write_all(&writer, worker, processes);
	writer.at = arena_alloc(arena, writer.size);
	message->kind = ISOLATE_CONFIG;
	message->data = writer.at;
	message->size = writer.size;
	if (!writer.at)
		return false;
	writer.size = 0;
	write_all(&writer, worker, processes);
	return true;
}

static bool is_found(union pointer pointer)
{
	struct isolate_place place;

	return pointer.number < POINTER_MIN || isolate_place_of(pointer.object, &place);
}

enum temporal_code worker_isolate_check_interceptors(
	const struct temporal_worker *worker, struct temporal_error *err)
{
	const struct temporal_interceptor *const *list = interceptors_of(worker);

	for (size_t i = 0; worker->isolate && list && list[i]; i++) {
		const struct temporal_activity_interceptor *table = list[i]->activity;

		if (!is_found(POINTER(execute, table->execute)) ||
			!is_found(POINTER(heartbeat, table->heartbeat)) ||
			!is_found(POINTER(info, table->info)))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: interceptor %zu of activities has a function that is in "
				"no file, which child processes cannot find "
				"(.no_isolated_interceptors leaves them out there)",
				i + 1);
		if (!is_found(POINTER(user, list[i]->user)))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: interceptor %zu of activities has a .user that lies on a "
				"stack or heap, which child processes do not have: expected NULL "
				"or a static object (.no_isolated_interceptors leaves them out "
				"there)",
				i + 1);
	}
	return TEMPORAL_OK;
}

/* ---- the helper's side ---- */

struct reader {
	const char *at, *end;
	struct arena *arena;
	const char *wrong; /* NULL: nothing so far; then all that is read is "" or 0 */
};

static const char *next(struct reader *reader)
{
	const char *text = reader->at;
	size_t room = (size_t)(reader->end - reader->at), len = strnlen(text, room);

	if (len == room) {
		reader->wrong = "its configuration is broken";
		return "";
	}
	reader->at += len + 1;
	return text;
}

static uint64_t next_number(struct reader *reader)
{
	return strtoull(next(reader), NULL, 10);
}

/* An array of that many, and room for the NULL at its end. */
static void *new_array(struct reader *reader, size_t n, size_t size)
{
	void *array = n < WORKER_TASKS_MAX ? arena_array(reader->arena, n + 1, size) : NULL;

	if (!array)
		reader->wrong = "no memory";
	return array;
}

/* The definition of that name; what is found elsewhere than it was is no such thing. */
static const struct temporal_activity *next_definition(struct reader *reader)
{
	struct isolate_place place = { .file = next(reader) };

	place.offset = next_number(reader);
	const char *name = next(reader);
	const struct temporal_activity *definition =
		reader->wrong ? NULL : isolate_at_place(&place, sizeof(*definition));

	if (definition && strcmp(definition_name(definition), name) == 0)
		return definition;
	if (!reader->wrong)
		reader->wrong = arena_printf(reader->arena, "it has no such activity: %s", name);
	return NULL;
}

static void read_definitions(struct reader *reader, struct temporal_worker *worker)
{
	size_t n = next_number(reader);
	const struct temporal_activity **list = new_array(reader, n, sizeof(const void *));

	for (size_t i = 0; i < n && !reader->wrong; i++)
		list[i] = next_definition(reader);
	worker->opts.activities = list;
}

static union pointer next_pointer(struct reader *reader)
{
	struct isolate_place place = { .layout = next_number(reader) };
	union pointer pointer = { .number = 0 };

	place.file = next(reader);
	place.offset = next_number(reader);
	if (!place.layout)
		pointer.number = place.offset;
	else if (!reader->wrong)
		pointer.object = isolate_at_place(&place, 1);
	if (place.layout && !pointer.number && !reader->wrong)
		reader->wrong = arena_printf(reader->arena,
			"an interceptor is not found: %s is another file than the worker's",
			*place.file ? place.file : "the program");
	return pointer;
}

static void read_interceptors(struct reader *reader, struct temporal_worker *worker)
{
	size_t n = next_number(reader);
	const struct temporal_interceptor **list = new_array(reader, n, sizeof(const void *));
	struct temporal_interceptor *each = new_array(reader, n, sizeof(*each));
	struct temporal_activity_interceptor *tables = new_array(reader, n, sizeof(*tables));

	for (size_t i = 0; i < n && !reader->wrong; i++) {
		tables[i].execute = next_pointer(reader).execute;
		tables[i].heartbeat = next_pointer(reader).heartbeat;
		tables[i].info = next_pointer(reader).info;
		each[i].activity = &tables[i];
		each[i].user = next_pointer(reader).user;
		list[i] = &each[i];
	}
	worker->interceptors = n ? list : NULL;
	worker->last_interceptor = n ? &list[n - 1] : NULL;
}

const char *isolate_config_read(const struct isolate_message *message, struct arena *arena,
	struct temporal_worker *worker, struct isolate_setup *setup)
{
	struct reader reader = { .at = message->data, .arena = arena };

	reader.end = reader.at + message->size;
	setup->worker = (pid_t)next_number(&reader);
	setup->processes = next_number(&reader);
	setup->memory_limit = (int64_t)next_number(&reader);
	worker->namespace_ = next(&reader);
	worker->opts.task_queue = next(&reader);
	worker->opts.log_level = (enum temporal_log_level)next_number(&reader);
	read_definitions(&reader, worker);
	read_interceptors(&reader, worker);
	return reader.wrong;
}
