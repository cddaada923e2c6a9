/*
 * loop.c: the loop of libuv, the queue that other threads post to, and the timers.
 *
 * Invariants
 * - `local`, `late`, timers and scratch belong to the loop's thread; `queue` is under the lock.
 * - Who posts from another thread signals only when the queue was empty: a burst of calls costs one
 *   wake-up.
 * - What the loop's thread posts while the loop runs goes to `local` without lock or system call,
 *   and is run at the end of the iteration by settle(). `late` tasks (writes) run after that, so
 *   one iteration makes one write a connection.
 * - The wake-up is a descriptor of our own: behind libuv's the loop spins until its sender's write
 *   has returned, which on few processors was a third of a call's CPU in process.
 * - libuv's own timers have a cached clock and whole milliseconds. Ours are a pairing heap on
 *   CLOCK_MONOTONIC, linked through the timers themselves (arming cannot fail), with one timer of
 *   libuv armed for the earliest. It is set anew only for an earlier one: the deadlines of short
 *   calls, set and stopped, never touch it.
 */
#include "rpc/loop.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "rpc/gzip.h"
#include "rpc/limits.h"
#include "rpc/loop_io.h"

#define STEPPED_MS 1

struct rpc_queue {
	struct rpc_task *head, **tail;
};

struct rpc_loop {
	/* loop */
	uv_loop_t uv;
	uv_poll_t wake;
	uv_prepare_t before_poll;
	uv_check_t after_poll;
	uv_timer_t clock;
	int64_t clock_due_ns;     /* what `clock` is armed for; INT64_MAX: nothing */
	struct rpc_timer *timers; /* the heap's root */
	int64_t firing_ns;        /* while timers fire: they cannot be armed for earlier */
	struct rpc_queue local, late;
	unsigned long work; /* counts what was done, for rpc_loop_step */
	unsigned char *in, *out, *cipher;
	struct rpc_gzip gzip;
	bool running;
	/* once */
	pthread_t thread;
	bool has_thread;
	locale_t locale; /* of one without a thread: while it is stepped; 0: none */
	int wake_fd;
	/* any thread */
	_Atomic(uintptr_t) owner; /* pthread_t of the thread that runs or steps it */
	atomic_flag stepped;      /* one without a thread: somebody is in a step */
	atomic_uint wakers;       /* threads between their post and its wake-up */
	pthread_mutex_t lock;
	struct rpc_queue queue; /* lock */
	bool stopping;          /* lock */
};

int64_t rpc_now_ns(void)
{
	return clock_steady_ns();
}

/* Queues. */

static void queue_init(struct rpc_queue *queue)
{
	queue->head = NULL;
	queue->tail = &queue->head;
}

static void queue_push(struct rpc_queue *queue, struct rpc_task *task)
{
	task->next = NULL;
	*queue->tail = task;
	queue->tail = &task->next;
}

static struct rpc_task *queue_take(struct rpc_queue *queue)
{
	struct rpc_task *head = queue->head;

	queue_init(queue);
	return head;
}

static bool run_all(struct rpc_loop *loop, struct rpc_task *task)
{
	bool any = task != NULL;

	while (task) {
		struct rpc_task *next = task->next; /* the task may be gone once it has run */

		loop->work++;
		task->run(task);
		task = next;
	}
	return any;
}

static struct rpc_task *take_posted(struct rpc_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct rpc_task *head = queue_take(&loop->queue);
	pthread_mutex_unlock(&loop->lock);
	return head;
}

/* Timers: a pairing heap. A node's `prev` is its parent when it is the first child, else its left
 * sibling. */

static struct rpc_timer *heap_meld(struct rpc_timer *a, struct rpc_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->due_ns < a->due_ns) {
		struct rpc_timer *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Melds siblings: pairs from the left, then all pairs from the right. */
static struct rpc_timer *heap_merge(struct rpc_timer *first)
{
	struct rpc_timer *pairs = NULL, *root = NULL;

	while (first) {
		struct rpc_timer *a = first, *b = first->next;

		first = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		a = heap_meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct rpc_timer *next = pairs->next;

		pairs->next = NULL;
		root = heap_meld(root, pairs);
		pairs = next;
	}
	if (root)
		root->prev = NULL;
	return root;
}

static void heap_remove(struct rpc_loop *loop, struct rpc_timer *timer)
{
	struct rpc_timer *children = heap_merge(timer->child);

	if (loop->timers == timer) {
		loop->timers = children;
	} else {
		if (timer->prev->child == timer)
			timer->prev->child = timer->next;
		else
			timer->prev->next = timer->next;
		if (timer->next)
			timer->next->prev = timer->prev;
		loop->timers = heap_meld(loop->timers, children);
	}
	timer->child = timer->next = timer->prev = NULL;
	timer->armed = false;
}

void rpc_timer_set(struct rpc_loop *loop, struct rpc_timer *timer, int64_t due_ns,
	void (*fire)(struct rpc_timer *))
{
	rpc_timer_stop(timer);
	timer->due_ns = due_ns > loop->firing_ns ? due_ns : loop->firing_ns + 1;
	timer->fire = fire;
	timer->loop = loop;
	timer->armed = true;
	loop->timers = heap_meld(loop->timers, timer);
}

void rpc_timer_stop(struct rpc_timer *timer)
{
	if (timer->armed)
		heap_remove(timer->loop, timer);
}

static void fire_due(struct rpc_loop *loop)
{
	loop->firing_ns = rpc_now_ns();
	while (loop->timers && loop->timers->due_ns <= loop->firing_ns) {
		struct rpc_timer *timer = loop->timers;

		heap_remove(loop, timer);
		loop->work++;
		timer->fire(timer);
	}
	loop->firing_ns = 0;
}

static void on_clock(uv_timer_t *handle)
{
	struct rpc_loop *loop = handle->data;

	loop->clock_due_ns = INT64_MAX;
	fire_due(loop);
}

static void arm_clock(struct rpc_loop *loop)
{
	if (!loop->timers || loop->timers->due_ns >= loop->clock_due_ns)
		return;
	int64_t left_ns = loop->timers->due_ns - rpc_now_ns();
	int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + RPC_MS_NS - 1) / RPC_MS_NS;
	loop->clock_due_ns = loop->timers->due_ns;
	uv_timer_start(&loop->clock, on_clock, (uint64_t)left_ms, 0);
}

/* The end of an iteration, before and after the wait for sockets. */

/* One that cannot be written has a wake-up in it already. */
static void wake_up(const struct rpc_loop *loop)
{
	eventfd_write(loop->wake_fd, 1);
}

/* Rounds are bounded, so that tasks which post tasks cannot starve the sockets. */
static void settle(struct rpc_loop *loop)
{
	for (int round = 0; round < 16; round++) {
		if (run_all(loop, queue_take(&loop->local)))
			continue;
		if (!run_all(loop, queue_take(&loop->late)))
			break;
	}
	if (loop->local.head || loop->late.head)
		wake_up(loop);
	arm_clock(loop);
}

static void on_before_poll(uv_prepare_t *handle)
{
	settle(handle->data);
}

static void on_after_poll(uv_check_t *handle)
{
	settle(handle->data);
}

static void on_wake(uv_poll_t *handle, int status, int events)
{
	struct rpc_loop *loop = handle->data;
	eventfd_t count;

	eventfd_read(loop->wake_fd, &count);
	run_all(loop, take_posted(loop));
	pthread_mutex_lock(&loop->lock);
	bool stopping = loop->stopping;
	pthread_mutex_unlock(&loop->lock);
	if (stopping)
		uv_unref((uv_handle_t *)&loop->wake);
}

/* Life. */

static int open_wake(struct rpc_loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return uv_translate_sys_error(errno);
	int result = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
	if (result == 0) {
		result = uv_poll_start(&loop->wake, UV_READABLE, on_wake);
		if (result < 0) { /* a loop that has a handle cannot be closed */
			uv_close((uv_handle_t *)&loop->wake, NULL);
			uv_run(&loop->uv, UV_RUN_NOWAIT);
		}
	}
	if (result < 0)
		close(loop->wake_fd);
	return result;
}

static int loop_open(struct rpc_loop *loop)
{
	int result = uv_loop_init(&loop->uv);

	if (result < 0) {
		/* What it fails at may be the second descriptor; it leaves the first one open. */
		if (uv_backend_fd(&loop->uv) > 0)
			close(uv_backend_fd(&loop->uv));
		return result;
	}
	result = open_wake(loop);
	if (result < 0) {
		uv_loop_close(&loop->uv);
		return result;
	}
	uv_prepare_init(&loop->uv, &loop->before_poll);
	uv_check_init(&loop->uv, &loop->after_poll);
	uv_timer_init(&loop->uv, &loop->clock);
	loop->wake.data = loop->before_poll.data = loop->after_poll.data = loop->clock.data = loop;
	uv_prepare_start(&loop->before_poll, on_before_poll);
	uv_check_start(&loop->after_poll, on_after_poll);
	uv_unref((uv_handle_t *)&loop->before_poll);
	uv_unref((uv_handle_t *)&loop->after_poll);
	uv_unref((uv_handle_t *)&loop->clock);
	return 0;
}

struct rpc_loop *rpc_loop_new(struct temporal_error *err)
{
	struct rpc_loop *loop = mem_zalloc(sizeof(*loop));

	if (!loop) {
		error_no_memory(err, "event loop");
		return NULL;
	}
	int result = loop_open(loop);
	if (result < 0) {
		error_set(err, TEMPORAL_INTERNAL, "cannot open an event loop: %s",
			uv_strerror(result));
		mem_free(loop);
		return NULL;
	}
	loop->clock_due_ns = INT64_MAX;
	queue_init(&loop->queue);
	queue_init(&loop->local);
	queue_init(&loop->late);
	pthread_mutex_init(&loop->lock, NULL);
	return loop;
}

/* Runs until rpc_loop_free asked for the end and nothing is open on the loop. */
static void loop_run(struct rpc_loop *loop)
{
	loop->running = true;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	while (run_all(loop, take_posted(loop)) || loop->local.head || loop->late.head) {
		settle(loop);
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	}
	loop->running = false;
}

static void own(struct rpc_loop *loop)
{
	atomic_store_explicit(&loop->owner, (uintptr_t)pthread_self(), memory_order_relaxed);
}

static void *thread_main(void *arg)
{
	struct rpc_loop *loop = arg;
	locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);

	if (locale)
		uselocale(locale);
	own(loop);
	loop_run(loop);
	if (locale) {
		uselocale(LC_GLOBAL_LOCALE);
		freelocale(locale);
	}
	return NULL;
}

enum temporal_code rpc_loop_start(
	struct rpc_loop *loop, const char *name, struct temporal_error *err)
{
	sigset_t all, old;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV); /* the synchronous ones must reach a crash handler */
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGTRAP);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int result = pthread_create(&loop->thread, NULL, thread_main, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (result != 0)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED, "cannot start thread %s: %s",
			name, strerror(result));
	loop->has_thread = true;
	pthread_setname_np(loop->thread, name);
	return TEMPORAL_OK;
}

int rpc_loop_fd(const struct rpc_loop *loop)
{
	return uv_backend_fd(&loop->uv);
}

/* libuv's clock stands still between steps. */
static int timeout_ms(struct rpc_loop *loop)
{
	if (loop->local.head || loop->late.head)
		return 0;
	uv_update_time(&loop->uv);
	return uv_backend_timeout(&loop->uv);
}

/* Another thread's step may change it meanwhile, so that is to be asked again soon. */
int rpc_loop_timeout_ms(struct rpc_loop *loop)
{
	if (rpc_loop_inside(loop))
		return timeout_ms(loop);
	if (atomic_flag_test_and_set_explicit(&loop->stepped, memory_order_acquire))
		return STEPPED_MS;
	int ms = timeout_ms(loop);

	atomic_flag_clear_explicit(&loop->stepped, memory_order_release);
	return ms;
}

/* Text is written by the C locale's rules, whatever the caller has chosen. */
enum temporal_code rpc_loop_adopt(struct rpc_loop *loop, struct temporal_error *err)
{
	loop->locale = newlocale(LC_ALL_MASK, "C", NULL);
	if (!loop->locale)
		return error_no_memory(err, "event loop");
	own(loop);
	return TEMPORAL_OK;
}

bool rpc_loop_is_adopted(const struct rpc_loop *loop)
{
	return !loop->has_thread;
}

/* False: another thread is in a step, which does all that there is to do. */
static bool enter(struct rpc_loop *loop, locale_t *before)
{
	if (atomic_flag_test_and_set_explicit(&loop->stepped, memory_order_acquire))
		return false;
	own(loop);
	loop->running = true;
	*before = loop->locale ? uselocale(loop->locale) : (locale_t)0;
	return true;
}

static void leave(struct rpc_loop *loop, locale_t before)
{
	loop->running = false;
	if (before)
		uselocale(before);
	atomic_flag_clear_explicit(&loop->stepped, memory_order_release);
}

/*
 * libuv tells the kernel about new descriptors only when it polls, so a step goes on until nothing
 * happened: else what the last callback opened would not wake the caller's loop.
 */
void rpc_loop_step(struct rpc_loop *loop)
{
	locale_t locale;
	unsigned long before;

	if (!enter(loop, &locale))
		return;
	for (int round = 0; round < 16; round++) {
		before = loop->work;
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		if (loop->work == before)
			break;
	}
	leave(loop, locale);
}

void rpc_loop_turn(struct rpc_loop *loop)
{
	locale_t locale;

	if (!enter(loop, &locale))
		return;
	uv_run(&loop->uv, UV_RUN_ONCE);
	leave(loop, locale);
}

static void close_own(struct rpc_loop *loop)
{
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->before_poll, NULL);
	uv_close((uv_handle_t *)&loop->after_poll, NULL);
	uv_close((uv_handle_t *)&loop->clock, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	close(loop->wake_fd);
}

void rpc_loop_free(struct rpc_loop *loop)
{
	if (!loop)
		return;
	pthread_mutex_lock(&loop->lock);
	loop->stopping = true;
	pthread_mutex_unlock(&loop->lock);
	wake_up(loop);
	if (loop->has_thread) {
		pthread_join(loop->thread, NULL);
	} else {
		own(loop);
		loop_run(loop);
	}
	/* The task that ended all may have run before its sender's wake-up. */
	while (atomic_load_explicit(&loop->wakers, memory_order_acquire))
		sched_yield();
	close_own(loop);
	if (loop->locale)
		freelocale(loop->locale);
	pthread_mutex_destroy(&loop->lock);
	rpc_gzip_finish(&loop->gzip);
	mem_free(loop->in);
	mem_free(loop->out);
	mem_free(loop->cipher);
	mem_free(loop);
}

void rpc_loop_post(struct rpc_loop *loop, struct rpc_task *task)
{
	if (rpc_loop_here(loop) && loop->running) {
		queue_push(&loop->local, task);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	bool wake = !loop->queue.head;
	queue_push(&loop->queue, task);
	if (wake)
		atomic_fetch_add_explicit(&loop->wakers, 1, memory_order_relaxed);
	pthread_mutex_unlock(&loop->lock);
	if (!wake)
		return;
	wake_up(loop);
	atomic_fetch_sub_explicit(&loop->wakers, 1, memory_order_release);
}

void rpc_loop_later(struct rpc_loop *loop, struct rpc_task *task)
{
	queue_push(&loop->late, task);
}

bool rpc_loop_here(const struct rpc_loop *loop)
{
	return atomic_load_explicit(&loop->owner, memory_order_relaxed) ==
	       (uintptr_t)pthread_self();
}

/* `running` belongs to the thread that is there. */
bool rpc_loop_inside(const struct rpc_loop *loop)
{
	return rpc_loop_here(loop) && loop->running;
}

uv_loop_t *rpc_loop_uv(struct rpc_loop *loop)
{
	return &loop->uv;
}

static unsigned char *scratch(unsigned char **buffer)
{
	if (!*buffer)
		*buffer = mem_alloc(RPC_SCRATCH_SIZE);
	return *buffer;
}

unsigned char *rpc_loop_in(struct rpc_loop *loop)
{
	return scratch(&loop->in);
}

unsigned char *rpc_loop_out(struct rpc_loop *loop)
{
	return scratch(&loop->out);
}

unsigned char *rpc_loop_cipher(struct rpc_loop *loop)
{
	return scratch(&loop->cipher);
}

struct rpc_gzip *rpc_loop_gzip(struct rpc_loop *loop)
{
	return &loop->gzip;
}
