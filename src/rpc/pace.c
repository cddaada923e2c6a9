/*
 * pace.c: fewer wake-ups. A reply that wakes a thread which slept finds its caches cold, and costs
 * several times what the same reply costs right after another one. So reading is put off where
 * nobody is the worse for it. In all cases the kernel keeps what has come (SO_RCVLOWAT) and wakes
 * us once there is more than a limit, or when the connection ends.
 *
 * - Lazy: the answer to a measuring ping, and the replies to lazy calls, which are small and say
 *   nothing but "taken". While only such calls and long polls are open, they are read together with
 *   the next task, or after RPC_LAZY_MS.
 * - At an interval, if the user wants it: while RPC_TICK_WORK pieces of work or more are open, and
 *   two readings were closer than the interval, the socket is read once an interval. It ends with
 *   the first interval without a byte, so that a quiet connection has neither timers nor delay; and
 *   with one whose replies all came at its beginning, since that server waits for us. Replies that
 *   follow each other faster than an eighth of the interval do not begin it: they find us warm.
 */
#include "rpc/pace.h"

#include "rpc/limits.h"
#include "rpc/link.h"

static struct rpc_link *link_of(struct rpc_pace *pace)
{
	return (struct rpc_link *)(void *)((char *)pace - offsetof(struct rpc_link, pace));
}

static void settle(struct rpc_link *link)
{
	struct rpc_pace *pace = &link->pace;
	int bytes = pace->is_ticking ? RPC_TICK_BYTES : pace->is_lazy ? RPC_LAZY_BYTES : 1;

	if (bytes == (pace->wakes_at ? pace->wakes_at : 1))
		return;
	pace->wakes_at = bytes;
	rpc_socket_wake_at(&link->socket, bytes);
}

static void on_lazy_over(struct rpc_timer *timer)
{
	struct rpc_link *link = link_of(
		(struct rpc_pace *)(void *)((char *)timer - offsetof(struct rpc_pace, lazy)));

	link->pace.is_lazy = false;
	settle(link);
	if (!rpc_client_owes_pong(link->session))
		return;
	rpc_client_pong(link->session);
	rpc_socket_flush(&link->socket);
}

static void put_off(struct rpc_link *link)
{
	if (!link->pace.lazy.armed)
		rpc_timer_set(link->loop, &link->pace.lazy, rpc_now_ns() + RPC_LAZY_MS * RPC_MS_NS,
			on_lazy_over);
}

void rpc_pace_expect(struct rpc_link *link, struct rpc_call *call)
{
	struct rpc_pace *pace = &link->pace;

	call->http2.prompt = !call->lazy && !rpc_is_worker_poll(call->policy);
	if (call->http2.prompt) {
		pace->n_prompt++;
		pace->is_lazy = false;
		settle(link);
	} else if (call->lazy && pace->n_prompt == 0 && !pace->is_lazy && !link->socket.tls &&
		   !rpc_client_draining(link->session)) {
		pace->is_lazy = true;
		settle(link);
		put_off(link);
	}
}

static void on_tick(struct rpc_timer *timer);

static void tick_again(struct rpc_link *link)
{
	rpc_timer_set(link->loop, &link->pace.tick,
		link->pace.last_read_ns + link->opts->read_interval_ns, on_tick);
}

static void stop_ticking(struct rpc_link *link)
{
	rpc_timer_stop(&link->pace.tick);
	link->pace.is_ticking = false;
	settle(link);
}

static void on_tick(struct rpc_timer *timer)
{
	struct rpc_link *link = link_of(
		(struct rpc_pace *)(void *)((char *)timer - offsetof(struct rpc_pace, tick)));

	bool waits_for_us =
		rpc_socket_quiet_ns(&link->socket) > link->opts->read_interval_ns * 3 / 4;

	/*
	 * What it reads arms the next tick, or ends the link. A piece of a TLS record does neither:
	 * the rest of it, which may be smaller than what we wake up for, is then waited for.
	 */
	bool was_read = rpc_socket_read(&link->socket);
	if (link->state == RPC_LINK_OPEN && (!was_read || waits_for_us || !timer->armed))
		stop_ticking(link);
}

static void received_at_interval(struct rpc_link *link)
{
	struct rpc_pace *pace = &link->pace;
	int64_t gap_ns = link->socket.last_read_ns - pace->last_read_ns;
	int64_t interval_ns = link->opts->read_interval_ns;

	pace->last_read_ns = link->socket.last_read_ns;
	if (*link->opts->work < RPC_TICK_WORK || rpc_client_draining(link->session)) {
		if (pace->is_ticking)
			stop_ticking(link);
		return;
	}
	if (!pace->is_ticking && (gap_ns > interval_ns || gap_ns < interval_ns / 8))
		return;
	pace->is_ticking = true;
	settle(link);
	tick_again(link);
}

void rpc_pace_received(struct rpc_link *link)
{
	if (rpc_client_owes_pong(link->session))
		put_off(link);
	if (link->opts->read_interval_ns > 0)
		received_at_interval(link);
}

void rpc_pace_stop(struct rpc_link *link)
{
	rpc_timer_stop(&link->pace.lazy);
	rpc_timer_stop(&link->pace.tick);
}
