/*
 * isolate_child.c: a process that the helper has forked: one attempt at a time, on its main thread.
 *
 * An attempt is a struct act as on the worker's threads, with a `link` in place of a loop: the same
 * code decodes arguments and encodes results (worker_activity_call), and act_... sends through the
 * link what it would have left for the loop. Whether it is cancelled is read from shared memory.
 *
 * Should the code crash, a handler on a stack of its own says what and where; the status comes from
 * the helper. Nothing here is cleaned up: what an attempt leaves behind is the next one's, or goes
 * with the process.
 */
#include "worker/isolate_child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

#include "base/trace.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "worker/act.h"
#include "worker/activity.h"
#include "worker/limits.h"
#include "worker/worker.h"

/* ---- what act_... do ---- */

enum act_cancel_reason isolate_link_reason(const struct isolate_link *link)
{
	return (enum act_cancel_reason)atomic_load(&link->shared->reason);
}

bool isolate_link_wait(const struct isolate_link *link, int64_t timeout_ms)
{
	int64_t now_ns = rpc_now_ns(), most_ms = (INT64_MAX - now_ns) / 1000000,
		until_ns = now_ns + (timeout_ms < most_ms ? timeout_ms : most_ms) * 1000000;

	while (isolate_link_reason(link) == ACT_NOT_CANCELLED) {
		int64_t left_ns = until_ns - rpc_now_ns();
		const struct timespec left = { .tv_sec = (time_t)(left_ns / 1000000000),
			.tv_nsec = (long)(left_ns % 1000000000) };

		if (timeout_ms >= 0 && left_ns <= 0)
			return false;
		syscall(SYS_futex, &link->shared->reason, FUTEX_WAIT, ACT_NOT_CANCELLED,
			timeout_ms >= 0 ? &left : NULL, NULL, 0);
	}
	return true;
}

/* A worker that is gone ends this process by itself. */
static void say(const struct isolate_link *link, const struct isolate_message *message)
{
	if (!isolate_send(link->fd, message))
		_exit(0);
}

/* The message's encoding in the arena; false: no memory, or it cannot be encoded. */
static bool say_encoded(const struct isolate_link *link, struct arena *arena, uint32_t kind,
	uint32_t flags, const void *content)
{
	struct bytes encoded = { 0 };

	if (content && proto_encode(arena, content, 0, &encoded, NULL) != TEMPORAL_OK)
		return false;
	say(link, &(const struct isolate_message){ .kind = kind,
			  .flags = flags,
			  .data = encoded.ptr,
			  .size = encoded.len,
			  .fd = -1 });
	return true;
}

void isolate_link_beat(
	const struct isolate_link *link, struct arena *arena, const Common__Payloads *details)
{
	struct bytes encoded = { 0 };

	/* What cannot be encoded is a heartbeat without details. */
	if (details && proto_encode(arena, details, 0, &encoded, NULL) != TEMPORAL_OK)
		encoded = (struct bytes){ 0 };
	struct isolate_message message = { .kind = ISOLATE_BEAT, .fd = -1 };

	message.id =
		isolate_beat_write(link->shared, link->id, rpc_now_ns(), encoded.ptr, encoded.len);
	bool wanted = isolate_beat_is_wanted(link->shared);

	if (encoded.len > sizeof(link->shared->beats[0].details)) {
		message.flags = 1;
		message.data = encoded.ptr;
		message.size = encoded.len;
	}
	if (wanted || message.flags)
		say(link, &message);
}

bool isolate_link_logs(const struct isolate_link *link, enum temporal_log_level level)
{
	enum temporal_log_level least = link->worker->opts.log_level;

	return least && level >= least;
}

void isolate_link_log(
	const struct isolate_link *link, enum temporal_log_level level, const char *message)
{
	say(link, &(const struct isolate_message){ .kind = ISOLATE_LOG,
			  .flags = level,
			  .data = message,
			  .size = strnlen(message, ISOLATE_LOG_MAX),
			  .fd = -1 });
}

/* ---- attempts ---- */

static void say_failure(
	const struct isolate_link *link, struct act *act, const struct temporal_failure *failure)
{
	const Failure__Failure *message = convert_failure_to_api(&act->arena, failure);
	static const struct temporal_failure broken = {
		.kind = TEMPORAL_FAILURE_APPLICATION,
		.message = "the activity's failure could not be encoded",
		.type = "INTERNAL",
	};

	if (message && say_encoded(link, &act->arena, ISOLATE_FAILED, 0, message))
		return;
	message = convert_failure_to_api(&act->arena, &broken);
	if (!message || !say_encoded(link, &act->arena, ISOLATE_FAILED, 0, message))
		say(link, &(const struct isolate_message){ .kind = ISOLATE_FAILED, .fd = -1 });
}

static void say_outcome(const struct isolate_link *link, struct act *act,
	const struct temporal_failure *failure, const Common__Payload *result)
{
	if (!failure && act->later)
		say(link, &(const struct isolate_message){ .kind = ISOLATE_LATER, .fd = -1 });
	else if (!failure &&
		 say_encoded(link, &act->arena, ISOLATE_COMPLETED, result != NULL, result))
		return;
	else
		say_failure(link, act,
			failure ? failure
				: act_failure_with(act,
					  &(const struct act_failure_opts){
						  .type = "INVALID_ARGUMENT",
						  .non_retryable = true },
					  "the activity's result cannot be encoded"));
}

static struct act *attempt_new(const struct isolate_link *link, struct arena *arena)
{
	struct isolate_message message;

	if (isolate_receive(link->fd, false, arena, &message) != ISOLATE_GOT ||
		message.kind != ISOLATE_RUN)
		return NULL;
	const Workflowservice__PollActivityTaskQueueResponse *task =
		proto_decode(arena, &workflowservice__poll_activity_task_queue_response__descriptor,
			message.data, message.size, NULL, NULL);

	return task ? worker_activity_isolated(link->worker, task, arena, link) : NULL;
}

/* false: nobody asks any more. */
static bool serve(const struct isolate_link *link)
{
	Common__Payload *result = NULL;
	struct arena arena;

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	struct act *act = attempt_new(link, &arena);

	if (!act) {
		arena_finish(&arena);
		return false;
	}
	const struct temporal_failure *failure = worker_activity_call(act, &result);

	fflush(NULL); /* a process that is killed while it is idle would take it along */
	say_outcome(link, act, failure, result);
	worker_activity_isolated_free(act);
	return true;
}

/* ---- the process ---- */

static const struct isolate_link *crash_link;

static void on_crash(int number, siginfo_t *info, void *context)
{
	static struct isolate_crash crash;
	void *frames[TRACE_FRAMES_MAX];
	bool fault = number != SIGABRT && info->si_code > 0;
	size_t n = trace_take(frames, TRACE_FRAMES_MAX, context);

	crash.signal = number;
	crash.overflow = trace_is_overflow(info, context);
	crash.address = fault ? (uint64_t)(uintptr_t)info->si_addr : 0;
	trace_format(crash.trace, sizeof(crash.trace), frames, n);
	isolate_send_last(crash_link->fd, ISOLATE_CRASH, &crash, sizeof(crash));
	signal(number, SIG_DFL); /* and again, when this returns */
	raise(number);
}

static void watch_crashes(const struct isolate_link *link)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
	struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = WORKER_SIGNAL_STACK };

	crash_link = link;
	trace_prepare();
	stack.ss_sp = mmap(
		NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
		return;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

_Noreturn void isolate_child_main(struct isolate_link *link)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != link->helper)
		_exit(0);
	prctl(PR_SET_NAME, "temporal-act");
	watch_crashes(link);
	if (link->memory_limit > 0)
		setrlimit(RLIMIT_DATA, &(const struct rlimit){ (rlim_t)link->memory_limit,
					       (rlim_t)link->memory_limit });
	while (serve(link))
		continue;
	_exit(0);
}
