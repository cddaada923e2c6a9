/*
 * crash.c: names the workflow or activity whose code has crashed, before the process ends.
 *
 * The handlers are the process's, but say something only for a thread of a worker that runs a
 * user's code: each such thread keeps a pointer to what that is. Everybody else's crashes, and in
 * the end ours too, go on to the handlers that were there before: those are put back, and the
 * signal comes again.
 *
 * A handler runs on a stack of its own (worker_signal_stack_begin), since the thread's own may be
 * what has overflowed. It trusts nothing but the pointers that it reads: no lock, no allocation, no
 * printf.
 */
#include "worker/crash.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <temporal/worker.h>

#include "base/error.h"
#include "base/trace.h"
#include "worker/act.h"
#include "workflow/instance.h"

#define TEXT_MAX  1024
#define TRACE_MAX 6000

static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define N_SIGNALS (sizeof(numbers) / sizeof(numbers[0]))

static struct sigaction before[N_SIGNALS];
static struct {
	void (*on_crash)(const struct temporal_crash *crash, void *user);
	void *user;
} told;
static atomic_bool installed, crashing;

static _Thread_local struct {
	const struct act *act;
	const struct wf_thread *thread;
} runs;

bool crash_is_watched(void)
{
	return atomic_load_explicit(&installed, memory_order_acquire);
}

void crash_runs_activity(const struct act *act)
{
	runs.act = act;
}

void crash_runs_workflows(const struct wf_thread *thread)
{
	runs.thread = thread;
}

/* ---- in the handler ---- */

static void look_at_activity(struct temporal_crash *crash)
{
	const struct act_info *info = &runs.act->info;

	crash->activity_type = info->activity_type;
	crash->activity_id = info->activity_id;
	crash->workflow_type = info->workflow_type;
	crash->workflow_id = info->workflow_id;
	crash->run_id = info->run_id;
}

static void look_at_workflow(struct temporal_crash *crash, const struct wf_where *where)
{
	crash->workflow_type = where->workflow_type;
	crash->workflow_id = where->workflow_id;
	crash->run_id = where->run_id;
	crash->coroutine = where->coroutine;
	crash->handler = where->handler;
	crash->stack_overflow = wf_thread_overflows(runs.thread, crash->address);
}

static void add_quoted(struct trace_text *text, const char *what, const char *name)
{
	trace_add(text, what);
	trace_add(text, "'");
	trace_add(text, name ? name : "");
	trace_add(text, "'");
}

static void describe(struct trace_text *text, const struct temporal_crash *crash)
{
	trace_add(text, "temporal: ");
	trace_add(text, crash->signal_name);
	if (crash->address) {
		trace_add(text, " at address ");
		trace_add_hex(text, (uintptr_t)crash->address);
	}
	if (crash->stack_overflow)
		trace_add(text, ", the stack has overflowed,");
	if (*crash->activity_type) {
		add_quoted(text, " in activity ", crash->activity_type);
		add_quoted(text, " (id ", crash->activity_id);
		add_quoted(text, ") of workflow ", crash->workflow_type);
	} else {
		add_quoted(text, " in workflow ", crash->workflow_type);
	}
	add_quoted(text, " (id ", crash->workflow_id);
	add_quoted(text, ", run ", crash->run_id);
	trace_add(text, ")");
	if (*crash->coroutine)
		add_quoted(text, ", coroutine ", crash->coroutine);
	if (*crash->handler)
		add_quoted(text, " of ", crash->handler);
	trace_add(text, "\n");
}

static void write_out(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDERR_FILENO, text, len);

		if (written <= 0)
			return;
		text += written;
		len -= (size_t)written;
	}
}

/* What is sure first; the names of the trace may hang on a lock that the crash has left held. */
static void tell(struct temporal_crash *crash, const void *context)
{
	static char out[TEXT_MAX], trace[TRACE_MAX];
	struct trace_text text = { out, sizeof(out), 0 };
	void *frames[TRACE_FRAMES_MAX];

	out[0] = '\0';
	describe(&text, crash);
	write_out(out, text.len);
	size_t n = trace_take(frames, TRACE_FRAMES_MAX, context);

	write_out(trace, trace_format(trace, sizeof(trace), frames, n));
	crash->trace = trace;
	if (told.on_crash)
		told.on_crash(crash, told.user);
}

/* The one that was there before, and the signal again: at once if it was sent, else when what has
 * caused it is executed again. */
static void pass_on(int number, const siginfo_t *info)
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (numbers[i] == number)
			sigaction(number, &before[i], NULL);
	}
	if (info->si_code <= 0)
		raise(number);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct temporal_crash crash = { .signal = number,
		.signal_name = trace_signal_name(number),
		.address = info->si_code > 0 ? info->si_addr : NULL,
		.workflow_type = "",
		.workflow_id = "",
		.run_id = "",
		.coroutine = "",
		.handler = "",
		.activity_type = "",
		.activity_id = "" };
	struct wf_where where;
	bool ours = true;

	crash.stack_overflow = trace_is_overflow(info, context);
	if (runs.act)
		look_at_activity(&crash);
	else if (runs.thread && wf_thread_where(runs.thread, &where))
		look_at_workflow(&crash, &where);
	else
		ours = false;
	if (ours && !atomic_exchange(&crashing, true))
		tell(&crash, context);
	pass_on(number, info);
}

/* ---- installing ---- */

enum temporal_code temporal_crash_handlers_install(
	void (*on_crash)(const struct temporal_crash *crash, void *user), void *user,
	struct temporal_error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct sigaction action = { .sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	enum temporal_code code = TEMPORAL_OK;

	sigemptyset(&action.sa_mask);
	trace_prepare();
	pthread_mutex_lock(&lock);
	if (installed) {
		code = error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"the crash handlers are installed already: once a process");
	} else {
		told.on_crash = on_crash;
		told.user = user;
		for (size_t i = 0; i < N_SIGNALS; i++)
			sigaction(numbers[i], &action, &before[i]);
		atomic_store_explicit(&installed, true, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return code;
}
