/*
 * socket.c: TCP with uv_poll, and TLS between it and its owner.
 *
 * Why not uv_tcp: send() with MSG_NOSIGNAL (no SIGPIPE, whoever runs the loop), one read buffer and
 * one write buffer for all sockets of a loop instead of one each, and no request object a write. A
 * read is fed whole to the owner; what that caused leaves at the end of the loop's iteration in one
 * send().
 *
 * Invariants
 * - `unsent` holds what the kernel did not take; while it is not empty nothing else is produced.
 * - After `broken` nothing is read or written; after rpc_socket_close no event but `closed` comes.
 */
#include "rpc/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/inherit.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/tls.h"

#define READS_A_TURN 4 /* then other sockets have their turn */

static void on_poll(uv_poll_t *poll, int status, int events);

static struct rpc_socket *socket_of(struct rpc_task *task)
{
	return (struct rpc_socket *)(void *)((char *)task - offsetof(struct rpc_socket, flush));
}

static void break_with(struct rpc_socket *socket, const struct temporal_error *err)
{
	if (socket->ended)
		return;
	socket->ended = true;
	if (socket->polling)
		uv_poll_stop(&socket->poll);
	socket->interest = 0;
	socket->events->broken(socket, err);
}

static void break_errno(struct rpc_socket *socket, const char *what, int number)
{
	struct temporal_error err;

	error_set(&err, TEMPORAL_UNAVAILABLE, "%s: %s", what, strerror(number));
	break_with(socket, &err);
}

/* Waits for what there is to wait for. */
static void update(struct rpc_socket *socket)
{
	int wanted = socket->stop_reading ? 0 : UV_READABLE;

	if (!socket->polling || socket->ended)
		return;
	if (socket->connecting || socket->unsent_len > 0)
		wanted |= UV_WRITABLE;
	if (wanted == socket->interest)
		return;
	socket->interest = wanted;
	if (wanted)
		uv_poll_start(&socket->poll, wanted, on_poll);
	else
		uv_poll_stop(&socket->poll);
}

/* Writing. */

static bool keep_unsent(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	uint8_t *unsent = mem_alloc(len);

	if (!unsent)
		return false;
	memcpy(unsent, data, len);
	mem_free(socket->unsent);
	socket->unsent = unsent;
	socket->unsent_at = 0;
	socket->unsent_len = len;
	return true;
}

/* The number of bytes taken, or -1 after breaking. */
static ssize_t send_some(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	ssize_t n;

	do {
		n = send(socket->fd, data, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	break_errno(socket, "connection lost while writing", errno);
	return -1;
}

/* Sends, and keeps what was not taken. False: stop producing. */
static bool send_or_keep(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	ssize_t n = send_some(socket, data, len);

	if (n < 0)
		return false;
	if ((size_t)n == len)
		return true;
	if (!keep_unsent(socket, data + n, len - (size_t)n))
		break_errno(socket, "connection lost while writing", ENOMEM);
	return false;
}

static bool send_unsent(struct rpc_socket *socket)
{
	while (socket->unsent_len > 0) {
		ssize_t n =
			send_some(socket, socket->unsent + socket->unsent_at, socket->unsent_len);

		if (n <= 0)
			return false;
		socket->unsent_at += (size_t)n;
		socket->unsent_len -= (size_t)n;
	}
	mem_free(socket->unsent);
	socket->unsent = NULL;
	return true;
}

/* Sends what TLS has ready. */
static bool send_ciphertext(struct rpc_socket *socket)
{
	uint8_t *out = rpc_loop_cipher(socket->loop);
	size_t n;

	if (!out)
		return false;
	while ((n = rpc_tls_pull(socket->tls, out, RPC_SCRATCH_SIZE)) > 0) {
		if (!send_or_keep(socket, out, n))
			return false;
	}
	return true;
}

static void produce(struct rpc_socket *socket)
{
	uint8_t *out = rpc_loop_out(socket->loop);
	struct temporal_error err;
	size_t n;

	if (!out) {
		break_errno(socket, "connection", ENOMEM);
		return;
	}
	if (socket->tls && !send_ciphertext(socket))
		return;
	if (socket->handshaking)
		return;
	while (!socket->ended && (n = socket->events->fill(socket, out, RPC_SCRATCH_SIZE)) > 0) {
		if (!socket->tls) {
			if (!send_or_keep(socket, out, n))
				return;
			continue;
		}
		if (rpc_tls_write(socket->tls, out, n, &err) != TEMPORAL_OK) {
			break_with(socket, &err);
			return;
		}
		if (!send_ciphertext(socket))
			return;
	}
}

static void flush_now(struct rpc_socket *socket)
{
	if (socket->fd < 0 || socket->ended || socket->connecting)
		return;
	if (send_unsent(socket))
		produce(socket);
	update(socket);
}

static void on_flush(struct rpc_task *task)
{
	struct rpc_socket *socket = socket_of(task);

	socket->flushing = false;
	flush_now(socket);
	if (socket->fd < 0 && !socket->polling) /* closed while it was queued */
		socket->events->closed(socket);
}

void rpc_socket_flush(struct rpc_socket *socket)
{
	if (socket->flushing || socket->fd < 0)
		return;
	socket->flushing = true;
	socket->flush.run = on_flush;
	rpc_loop_later(socket->loop, &socket->flush);
}

bool rpc_socket_is_flushed(const struct rpc_socket *socket)
{
	return socket->unsent_len == 0;
}

void rpc_socket_pause(struct rpc_socket *socket, bool paused)
{
	socket->stop_reading = paused;
	update(socket);
}

/* Reading. */

/* Where the system cannot, it wakes up for any. */
void rpc_socket_wake_at(struct rpc_socket *socket, int bytes)
{
	setsockopt(socket->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

static void handshake(struct rpc_socket *socket)
{
	struct temporal_error err;
	enum rpc_tls_step step = rpc_tls_handshake(socket->tls, &err);

	rpc_socket_flush(socket);
	if (step == RPC_TLS_ERROR) {
		flush_now(socket); /* the alert tells the peer why */
		break_with(socket, &err);
	} else if (step == RPC_TLS_DONE) {
		socket->handshaking = false;
		socket->events->ready(socket);
	}
}

static void received_ciphertext(struct rpc_socket *socket, const uint8_t *data, size_t len)
{
	uint8_t *plain = rpc_loop_cipher(socket->loop);
	struct temporal_error err;

	if (!plain || rpc_tls_receive(socket->tls, data, len) != TEMPORAL_OK) {
		break_errno(socket, "connection", ENOMEM);
		return;
	}
	if (socket->handshaking)
		handshake(socket);
	while (!socket->handshaking && !socket->ended && socket->fd >= 0) {
		size_t n;

		switch (rpc_tls_read(socket->tls, plain, RPC_SCRATCH_SIZE, &n, &err)) {
		case RPC_TLS_DONE:
			socket->events->received(socket, plain, n);
			continue;
		case RPC_TLS_ERROR:
			break_with(socket, &err);
			return;
		case RPC_TLS_MORE:
			break;
		}
		break;
	}
	if (!socket->ended && socket->fd >= 0 && rpc_tls_has_output(socket->tls))
		rpc_socket_flush(socket);
}

static void read_some(struct rpc_socket *socket)
{
	uint8_t *in = rpc_loop_in(socket->loop);

	if (!in) {
		break_errno(socket, "connection", ENOMEM);
		return;
	}
	for (int i = 0;
		i < READS_A_TURN && socket->fd >= 0 && !socket->ended && !socket->stop_reading;
		i++) {
		ssize_t n = recv(socket->fd, in, RPC_SCRATCH_SIZE, 0);

		if (n == 0) {
			break_with(socket, &(struct temporal_error){ .code = TEMPORAL_OK });
			return;
		}
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			break_errno(socket, "connection lost", errno);
		if (n < 0)
			return;
		socket->last_read_ns = rpc_now_ns();
		if (socket->tls)
			received_ciphertext(socket, in, (size_t)n);
		else
			socket->events->received(socket, in, (size_t)n);
		if (n < RPC_SCRATCH_SIZE)
			return;
	}
}

bool rpc_socket_read(struct rpc_socket *socket)
{
	int64_t before_ns = socket->last_read_ns;

	if (socket->fd < 0 || socket->ended || socket->connecting)
		return false;
	read_some(socket);
	return socket->ended || socket->last_read_ns != before_ns;
}

int64_t rpc_socket_quiet_ns(const struct rpc_socket *socket)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(socket->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_last_data_recv * RPC_MS_NS;
}

static void on_connected(struct rpc_socket *socket)
{
	int number = 0;
	socklen_t len = sizeof(number);

	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
		number = errno;
	if (number != 0) {
		break_errno(socket, "cannot connect", number);
		return;
	}
	socket->connecting = false;
	socket->last_read_ns = rpc_now_ns();
	update(socket);
	socket->events->ready(socket);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct rpc_socket *socket = poll->data;

	if (socket->connecting) {
		on_connected(socket);
		return;
	}
	if (status < 0 && !(events & UV_READABLE)) {
		break_errno(socket, "connection lost", -status);
		return;
	}
	if (events & UV_READABLE)
		read_some(socket);
	if (socket->fd >= 0 && !socket->ended && (events & UV_WRITABLE))
		flush_now(socket);
}

/* Opening and closing. */

static enum temporal_code start(struct rpc_socket *socket, struct rpc_loop *loop,
	const struct rpc_socket_events *events, int fd, struct temporal_error *err)
{
	int one = 1;

	*socket = (struct rpc_socket){ .events = events, .loop = loop, .fd = fd };
	inherit_not(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	int result = uv_poll_init(rpc_loop_uv(loop), &socket->poll, fd);
	if (result < 0) {
		inherit_close(fd);
		socket->fd = -1;
		return error_set(
			err, TEMPORAL_INTERNAL, "cannot watch a socket: %s", uv_strerror(result));
	}
	socket->poll.data = socket;
	socket->polling = true;
	socket->last_read_ns = rpc_now_ns();
	return TEMPORAL_OK;
}

static int tcp_open(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

enum temporal_code rpc_socket_connect(struct rpc_socket *socket, struct rpc_loop *loop,
	const struct rpc_socket_events *events, const struct sockaddr *address,
	struct temporal_error *err)
{
	socklen_t len = address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						      : sizeof(struct sockaddr_in6);
	int fd = tcp_open(address->sa_family);

	if (fd < 0)
		return error_set(
			err, TEMPORAL_UNAVAILABLE, "cannot open a socket: %s", strerror(errno));
	if (connect(fd, address, len) < 0 && errno != EINPROGRESS) {
		error_set(err, TEMPORAL_UNAVAILABLE, "cannot connect: %s", strerror(errno));
		close(fd);
		return TEMPORAL_UNAVAILABLE;
	}
	enum temporal_code code = start(socket, loop, events, fd, err);
	if (code != TEMPORAL_OK)
		return code;
	socket->connecting = true;
	update(socket);
	return TEMPORAL_OK;
}

enum temporal_code rpc_socket_accept(struct rpc_socket *socket, struct rpc_loop *loop,
	const struct rpc_socket_events *events, int fd, struct temporal_error *err)
{
	enum temporal_code code = start(socket, loop, events, fd, err);

	if (code == TEMPORAL_OK)
		update(socket);
	return code;
}

enum temporal_code rpc_socket_start_tls(struct rpc_socket *socket, struct rpc_tls_context *context,
	const char *name, struct temporal_error *err)
{
	socket->tls = rpc_tls_new(context, name, err);
	if (!socket->tls)
		return err ? err->code : TEMPORAL_NO_MEMORY;
	socket->handshaking = true;
	handshake(socket);
	return TEMPORAL_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct rpc_socket *socket = handle->data;

	socket->polling = false;
	if (!socket->flushing)
		socket->events->closed(socket);
}

void rpc_socket_close(struct rpc_socket *socket)
{
	if (socket->fd < 0)
		return;
	socket->ended = true;
	uv_poll_stop(&socket->poll);
	rpc_tls_free(socket->tls);
	socket->tls = NULL;
	mem_free(socket->unsent);
	socket->unsent = NULL;
	socket->unsent_len = 0;
	/* uv_close takes the descriptor out of the loop once more: not when it is another thread's.
	 */
	uv_close((uv_handle_t *)&socket->poll, on_closed);
	inherit_close(socket->fd);
	socket->fd = -1;
}
