/*
 * trace.h: where code is: the return addresses of a stack, and their names. Made for signal
 * handlers.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_FRAMES_MAX 48

/* Loads what taking a trace needs the first time; before trace_take may be called in a signal
 * handler. Any thread, any number of times. */
void trace_prepare(void);

/*
 * The addresses of the running stack, innermost first; `context` is a signal handler's third
 * argument: then the trace begins where the signal came (NULL: with the caller). Their number.
 * Async-signal-safe after trace_prepare. Needs some 5 KiB of stack.
 */
size_t trace_take(void **frames, size_t max, const void *context);

/* Has a signal with that information and context come because a stack that only its end limits was
 * used up: an access near to where its pointer is? */
bool trace_is_overflow(const siginfo_t *info, const void *context);

/*
 * One line a frame, "  at name+0x12 (program)", into `out`, which is terminated; what does not fit
 * is left out. Names are those that the dynamic linker knows; others stay an offset in their file,
 * for addr2line. The bytes written. Allocates nothing.
 */
size_t trace_format(char *out, size_t size, void *const *frames, size_t count);

/* The signal's name, "SIGSEGV"; "signal" for one without. Async-signal-safe. */
const char *trace_signal_name(int number);

/* The calling thread may be asked for its stack from now on. */
void trace_allow(void);
/* The stack of a thread that runs and has allowed it; 0: it did not answer within 100 ms. Not in a
 * signal handler; not for the calling thread. */
size_t trace_of_thread(pthread_t thread, void **frames, size_t max);

/* Text without printf, for signal handlers. */
struct trace_text {
	char *out;
	size_t size, len; /* `out` is always terminated; len < size */
};
void trace_add(struct trace_text *text, const char *add);
void trace_add_hex(struct trace_text *text, uint64_t value);
void trace_add_number(struct trace_text *text, uint64_t value);

#endif
