/*
 * trace.c: stack traces by the unwinder of the compiler's runtime, named by dladdr.
 *
 * Both are safe in a handler in practice, not by promise: the unwinder allocates only when it is
 * loaded (trace_prepare), and dladdr takes the dynamic linker's lock, which a thread that crashed
 * inside dlopen would hold. So whoever reports a crash writes first what needs no names.
 *
 * Any thread; nothing is kept between calls.
 */
#include "base/trace.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>

/* An overflow is this near to the stack pointer. */
#define NEAR 65536

void trace_prepare(void)
{
	void *frame[1];

	(void)backtrace(frame, 1);
}

static void *program_counter(const void *context)
{
	const ucontext_t *at = context;

#if defined(__x86_64__)
	return at ? (void *)at->uc_mcontext.gregs[REG_RIP] : NULL;
#elif defined(__aarch64__)
	return at ? (void *)at->uc_mcontext.pc : NULL;
#else
	(void)at;
	return NULL;
#endif
}

/* The interrupted code's; 0 where it is not known. */
static uintptr_t stack_pointer(const void *context)
{
	const ucontext_t *at = context;

#if defined(__x86_64__)
	return at ? (uintptr_t)at->uc_mcontext.gregs[REG_RSP] : 0;
#elif defined(__aarch64__)
	return at ? (uintptr_t)at->uc_mcontext.sp : 0;
#else
	(void)at;
	return 0;
#endif
}

bool trace_is_overflow(const siginfo_t *info, const void *context)
{
	uintptr_t sp = stack_pointer(context), at = (uintptr_t)info->si_addr;

	return info->si_signo == SIGSEGV && info->si_code > 0 && sp && at + NEAR > sp - NEAR &&
	       at < sp + NEAR;
}

/* The handler's own frames come first; they end where the interrupted code's address is met. */
size_t trace_take(void **frames, size_t max, const void *context)
{
	void *all[TRACE_FRAMES_MAX + 8];
	void *from = program_counter(context);
	int taken = backtrace(all, sizeof(all) / sizeof(all[0]));
	size_t n = taken > 0 ? (size_t)taken : 0, first = 1;

	for (size_t i = 0; from && i < n; i++) {
		if (all[i] == from) {
			first = i;
			break;
		}
	}
	first = first < n ? first : 0;
	n = n - first < max ? n - first : max;
	memcpy(frames, all + first, n * sizeof(frames[0]));
	return n;
}

void trace_add(struct trace_text *text, const char *add)
{
	for (; *add && text->len + 1 < text->size; add++)
		text->out[text->len++] = *add;
	text->out[text->len] = '\0';
}

static void add_digits(struct trace_text *text, uint64_t value, unsigned base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	trace_add(text, digits + at);
}

void trace_add_hex(struct trace_text *text, uint64_t value)
{
	trace_add(text, "0x");
	add_digits(text, value, 16);
}

void trace_add_number(struct trace_text *text, uint64_t value)
{
	add_digits(text, value, 10);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_frame(struct trace_text *text, const void *frame)
{
	Dl_info info;
	bool known = dladdr(frame, &info) != 0;

	trace_add(text, "  at ");
	if (known && info.dli_sname) {
		trace_add(text, info.dli_sname);
		trace_add(text, "+");
		trace_add_hex(text, (uintptr_t)frame - (uintptr_t)info.dli_saddr);
	} else {
		trace_add_hex(text, (uintptr_t)frame);
	}
	if (known && info.dli_fname) {
		trace_add(text, " (");
		trace_add(text, base_name(info.dli_fname));
		trace_add(text, "+");
		trace_add_hex(text, (uintptr_t)frame - (uintptr_t)info.dli_fbase);
		trace_add(text, ")");
	}
	trace_add(text, "\n");
}

size_t trace_format(char *out, size_t size, void *const *frames, size_t count)
{
	struct trace_text text = { out, size, 0 };

	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		size_t before = text.len;

		add_frame(&text, frames[i]);
		if (text.len + 1 >= size) { /* half a line says nothing */
			text.len = before;
			out[before] = '\0';
			break;
		}
	}
	return text.len;
}

const char *trace_signal_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" },
		{ SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" }, { SIGKILL, "SIGKILL" },
		{ SIGTERM, "SIGTERM" }, { SIGSYS, "SIGSYS" }, { SIGTRAP, "SIGTRAP" },
		{ SIGPIPE, "SIGPIPE" }, { SIGINT, "SIGINT" }, { SIGQUIT, "SIGQUIT" },
		{ SIGHUP, "SIGHUP" }, { SIGALRM, "SIGALRM" }, { SIGXCPU, "SIGXCPU" },
		{ SIGXFSZ, "SIGXFSZ" }, { SIGUSR1, "SIGUSR1" }, { SIGUSR2, "SIGUSR2" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == number)
			return names[i].name;
	}
	return "a signal without a name";
}
