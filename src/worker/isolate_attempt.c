/*
 * isolate_attempt.c: one attempt, seen from its thread of the worker's pool: the task goes to a
 * child process, heartbeats come back, then the outcome or a death.
 *
 * A death is a failure of the attempt like any other, and may be tried again: the child is replaced
 * and the worker goes on. Its types:
 *
 *	ProcessCrashed   died by a signal that its code has caused: SIGSEGV, SIGABRT, ...
 *	ProcessKilled    died by another signal, such as SIGKILL of a system without memory
 *	ProcessExited    its code has called exit, or _exit
 *	ProcessHung      was killed by the worker: its timeout or its cancellation plus the grace
 *
 * The thread only waits; the loop's timer kills (isolate_cancelled), since it hears of timeouts and
 * cancellations first.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/trace.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "worker/act.h"
#include "worker/isolate.h"
#include "worker/isolate_helper.h"
#include "worker/isolate_wire.h"
#include "worker/limits.h"
#include "worker/worker.h"

struct talk {
	struct act *act;
	struct isolate_process *process;
	struct isolate_crash crash; /* .signal 0: nothing was heard of one */
	Common__Payload *result;
	const struct temporal_failure *failure;
	bool usable; /* the child is alive and idle */
};

/* ---- deaths ---- */

static const struct temporal_failure *process_failure(struct act *act, const char *type,
	const char *trace, const char *format, ...) __attribute__((format(printf, 4, 5)));

static const struct temporal_failure *process_failure(
	struct act *act, const char *type, const char *trace, const char *format, ...)
{
	struct temporal_failure *failure = ARENA_NEW(&act->arena, struct temporal_failure);
	va_list args;

	va_start(args, format);
	const char *message = arena_vprintf(&act->arena, format, args);

	va_end(args);
	if (!failure || !message)
		return act_failure(act, type, "the activity's process died");
	*failure = (struct temporal_failure){ .kind = TEMPORAL_FAILURE_APPLICATION,
		.message = message,
		.type = type,
		.stack_trace = trace ? arena_strdup(&act->arena, trace) : NULL };
	return failure;
}

static bool is_crash(int number)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP };

	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		if (crashes[i] == number)
			return true;
	}
	return false;
}

static bool is_killed(struct act *act)
{
	pthread_mutex_lock(&act->lock);
	bool killed = act->killed;

	pthread_mutex_unlock(&act->lock);
	return killed;
}

static const struct temporal_failure *died_by(struct talk *talk, int number)
{
	struct act *act = talk->act;
	const struct isolate_crash *crash = &talk->crash;
	const char *type = act->info.activity_type, *name = trace_signal_name(number);
	const char *trace = crash->signal == number ? crash->trace : NULL;

	if (number == SIGKILL && is_killed(act))
		return process_failure(act, "ProcessHung", NULL,
			"activity '%s' did not end within %lld ms of its %s: its process was "
			"killed",
			type, (long long)act->worker->opts.isolated_kill_grace_ms,
			act_cancel_reason(act) == ACT_TIMED_OUT ? "timeout" : "cancellation");
	if (!is_crash(number))
		return process_failure(act, "ProcessKilled", NULL,
			"activity '%s' died by %s%s: somebody has killed its process", type, name,
			number == SIGKILL ? " (as the system does that runs out of memory)" : "");
	if (trace && crash->overflow)
		return process_failure(act, "ProcessCrashed", trace,
			"activity '%s' died by %s (address 0x%llx): its stack has overflowed", type,
			name, (unsigned long long)crash->address);
	if (trace && number != SIGABRT)
		return process_failure(act, "ProcessCrashed", trace,
			"activity '%s' died by %s (address 0x%llx)", type, name,
			(unsigned long long)crash->address);
	return process_failure(
		act, "ProcessCrashed", trace, "activity '%s' died by %s", type, name);
}

static const struct temporal_failure *died(struct talk *talk, const struct isolate_message *message)
{
	struct act *act = talk->act;
	struct isolate_died death;

	if (message->size != sizeof(death))
		return act_failure(act, "INTERNAL", "the activity's process is out of order");
	memcpy(&death, message->data, sizeof(death));
	if (death.error)
		return act_failure(act, "RESOURCE_EXHAUSTED",
			"no process can be had for the activity: %s", strerror(death.error));
	if (WIFSIGNALED(death.status))
		return died_by(talk, WTERMSIG(death.status));
	return process_failure(act, "ProcessExited", NULL,
		"activity '%s' exited with status %d, instead of returning",
		act->info.activity_type, WEXITSTATUS(death.status));
}

/* ---- what the child says ---- */

static void heard_crash(struct talk *talk, const struct isolate_message *message)
{
	if (message->size != sizeof(talk->crash))
		return;
	memcpy(&talk->crash, message->data, sizeof(talk->crash));
	talk->crash.trace[sizeof(talk->crash.trace) - 1] = '\0';
}

static const struct temporal_failure *decoded_failure(
	struct act *act, const struct isolate_message *message)
{
	const Failure__Failure *failure = proto_decode(&act->arena, &failure__failure__descriptor,
		message->data, message->size, NULL, NULL);
	const struct temporal_failure *decoded =
		failure ? convert_failure_from_api(&act->arena, failure) : NULL;

	return decoded ? decoded
		       : act_failure(act, "INTERNAL", "the activity's failure cannot be read");
}

static void heard_result(struct talk *talk, const struct isolate_message *message)
{
	struct act *act = talk->act;

	talk->usable = true;
	if (!message->flags)
		return;
	talk->result = proto_decode(&act->arena, &common__payload__descriptor, message->data,
		message->size, NULL, NULL);
	if (!talk->result)
		talk->failure =
			act_failure(act, "INTERNAL", "the activity's result cannot be read");
}

/* It is told of, or is large. */
static void heard_beat(struct act *act, const struct isolate_message *message)
{
	pthread_mutex_lock(&act->lock);
	if (!message->flags) {
		isolate_heartbeats(act);
	} else if (message->id > act->beat_number) {
		worker_act_heartbeat_encoded(act, message->data, message->size, rpc_now_ns());
		act->beat_number = message->id;
	}
	worker_act_heartbeat_wakes(act);
	pthread_mutex_unlock(&act->lock);
}

/* true: that was the end. */
static bool heard(struct talk *talk, const struct isolate_message *message)
{
	struct act *act = talk->act;

	switch (message->kind) {
	case ISOLATE_BEAT:
		heard_beat(act, message);
		return false;
	case ISOLATE_LOG:
		if (message->flags <= TEMPORAL_LOG_ERROR)
			worker_act_log(act, (enum temporal_log_level)message->flags, message->data);
		return false;
	case ISOLATE_CRASH:
		heard_crash(talk, message);
		return false;
	case ISOLATE_COMPLETED:
		heard_result(talk, message);
		return true;
	case ISOLATE_LATER:
		talk->usable = act->later = true;
		return true;
	case ISOLATE_FAILED:
		talk->usable = true;
		talk->failure = decoded_failure(act, message);
		return true;
	case ISOLATE_DIED:
		talk->failure = died(talk, message);
		return true;
	default:
		talk->failure =
			act_failure(act, "INTERNAL", "the activity's process talks nonsense");
		return true;
	}
}

/* Listens until the attempt has ended in one way or the other. What is no outcome is forgotten at
 * once, so that many heartbeats need no more memory than one. */
static void listen(struct talk *talk)
{
	struct act *act = talk->act;
	int fd = isolate_socket(talk->process);

	for (;;) {
		struct arena_mark mark = arena_mark(&act->arena);
		struct isolate_message message;

		switch (isolate_receive(fd, false, &act->arena, &message)) {
		case ISOLATE_GOT:
			if (heard(talk, &message))
				return;
			break;
		case ISOLATE_CLOSED:
			talk->failure = process_failure(act, "ProcessKilled", NULL,
				"activity '%s' died with the helper process",
				act->info.activity_type);
			return;
		case ISOLATE_NO_MEMORY:
			talk->failure = act_failure(
				act, "NO_MEMORY", "no memory for what the activity returns");
			return;
		case ISOLATE_GARBLED:
			talk->failure = act_failure(
				act, "INTERNAL", "the activity's process talks nonsense");
			return;
		}
		arena_release(&act->arena, mark);
	}
}

/* ---- heartbeats ---- */

bool isolate_heartbeats(struct act *act)
{
	struct isolate_process *process = act->process;
	struct isolate_beat beat;

	if (!process || !isolate_beat_read(isolate_memory(process), isolate_id(process),
				act->beat_number, &beat))
		return false;
	int64_t now_ns = rpc_now_ns();

	worker_act_heartbeat_encoded(
		act, beat.details, beat.size, beat.made_ns < now_ns ? beat.made_ns : now_ns);
	act->beat_number = beat.number;
	return true;
}

bool isolate_heartbeats_rest(struct act *act)
{
	if (!act->process)
		return true;
	isolate_beat_want(isolate_memory(act->process));
	return !isolate_heartbeats(act);
}

/* ---- an attempt ---- */

/* From here on a cancellation reaches it; false: it is to be killed already. */
static bool attach(struct act *act, struct isolate_process *process)
{
	pthread_mutex_lock(&act->lock);
	bool late = act->killed;

	if (!late) {
		act->process = process;
		act->beat_number = 0;
		if (act->reason != ACT_NOT_CANCELLED)
			isolate_tell(process, act->reason);
	}
	pthread_mutex_unlock(&act->lock);
	return !late;
}

/* Was it told to die? Then it may do so at any time. */
static bool detach(struct act *act)
{
	pthread_mutex_lock(&act->lock);
	isolate_heartbeats(act); /* the last one; the process may have died since */
	act->process = NULL;
	bool killed = act->killed;

	pthread_mutex_unlock(&act->lock);
	return killed;
}

/* false: the child had died before it was asked. */
static bool try_once(struct talk *talk, const struct isolate_message *task)
{
	struct act *act = talk->act;
	struct temporal_error err;

	talk->process = isolate_take(act->worker->isolate, &err);
	if (!talk->process) {
		talk->failure = act_failure(act, "RESOURCE_EXHAUSTED", "%s", err.message);
		return true;
	}
	if (!attach(act, talk->process)) {
		isolate_give(talk->process, true);
		talk->failure = act_failure(act, "ProcessHung",
			"activity '%s' was cancelled before there was a process for it",
			act->info.activity_type);
		return true;
	}
	bool asked = isolate_send(isolate_socket(talk->process), task);

	if (asked)
		listen(talk);
	bool killed = detach(act);

	isolate_give(talk->process, talk->usable && !killed);
	return asked;
}

const struct temporal_failure *isolate_attempt(struct act *act, Common__Payload **result)
{
	struct isolate_message task = { .kind = ISOLATE_RUN, .fd = -1 };
	struct talk talk = { .act = act };
	struct bytes encoded;
	struct temporal_error err;

	if (proto_encode(&act->arena, act->task, 0, &encoded, &err) != TEMPORAL_OK)
		return act_failure(act, "NO_MEMORY", "passing the task on: %s", err.message);
	task.data = encoded.ptr;
	task.size = encoded.len;
	for (int i = 0; i < WORKER_ISOLATE_TRIES; i++) {
		if (try_once(&talk, &task)) {
			*result = talk.result;
			return talk.failure;
		}
	}
	return act_failure(act, "RESOURCE_EXHAUSTED",
		"the processes for activities die as soon as they are started");
}

/* ---- the loop ---- */

static void grace_over(struct rpc_timer *timer)
{
	struct act *act = (struct act *)((char *)timer - offsetof(struct act, kill_timer));

	pthread_mutex_lock(&act->lock);
	act->killed = true;
	if (act->process)
		isolate_kill(act->process);
	pthread_mutex_unlock(&act->lock);
}

void isolate_cancelled(struct act *act)
{
	int64_t grace_ms = act->worker->opts.isolated_kill_grace_ms;

	/* One that has ended may still hear of a cancellation, by its last heartbeat's answer. */
	if (act->isolated && !act->ended && !act->kill_timer.armed && grace_ms > 0)
		rpc_timer_set(act->worker->loop, &act->kill_timer,
			rpc_now_ns() + grace_ms * 1000000, grace_over);
}

/* ---- options ---- */

bool worker_isolates(
	const struct temporal_worker_opts *opts, const struct temporal_activity *activity)
{
	enum temporal_isolation own = activity->isolation;

	return (own != TEMPORAL_ISOLATE_DEFAULT ? own : opts->isolation) ==
	       TEMPORAL_ISOLATE_PROCESS;
}

static enum temporal_code check_one(const struct temporal_worker_opts *opts,
	const struct temporal_activity *activity, struct temporal_error *err)
{
	const char *name = activity->contract ? activity->contract->name : "(the dynamic one)";
	struct isolate_place place;

	if ((unsigned)activity->isolation > TEMPORAL_ISOLATE_PROCESS)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: the isolation of activity %s is %d, expected a value of enum "
			"temporal_isolation",
			name, (int)activity->isolation);
	if (!worker_isolates(opts, activity))
		return TEMPORAL_OK;
	if (opts->short_activities)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .short_activities run on the client's own thread, but activity %s "
			"is to run in a process of its own: one of both",
			name);
	if (!isolate_is_prepared())
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: activity %s is to run in a process of its own: main has to call "
			"temporal_isolate_main(argc, argv) first",
			name);
	if (!isolate_place_of(activity, &place))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: activity %s is to run in a process of its own, so its definition "
			"has to be a constant of the program, not on a stack or heap",
			name);
	return TEMPORAL_OK;
}

enum temporal_code worker_isolate_check(
	const struct temporal_worker_opts *opts, struct temporal_error *err)
{
	if ((unsigned)opts->isolation > TEMPORAL_ISOLATE_PROCESS)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .isolation is %d, expected a value of enum temporal_isolation",
			(int)opts->isolation);
	for (size_t i = 0; opts->activities[i]; i++) {
		enum temporal_code code = check_one(opts, opts->activities[i], err);

		if (code != TEMPORAL_OK)
			return code;
	}
	return TEMPORAL_OK;
}
