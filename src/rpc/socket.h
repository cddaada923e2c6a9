/*
 * socket.h: a stream of bytes over TCP on a loop, in the clear or through TLS; both sides use it.
 * Loop's thread alone.
 */
#ifndef RPC_SOCKET_H
#define RPC_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include <temporal/error.h>

#include "rpc/loop_io.h"

struct rpc_socket;
struct rpc_tls;
struct rpc_tls_context;

struct rpc_socket_events {
	/* Connected, or the TLS handshake is done: bytes may flow. */
	void (*ready)(struct rpc_socket *socket);
	/* Plain bytes came; valid during the call. */
	void (*received)(struct rpc_socket *socket, const uint8_t *data, size_t len);
	/* Write plain bytes to send to `out`; 0: there are none. Called until 0 or until the kernel
	 * takes no more. */
	size_t (*fill)(struct rpc_socket *socket, uint8_t *out, size_t cap);
	/* The peer closed (code OK), or it broke. Once; the owner then calls rpc_socket_close. */
	void (*broken)(struct rpc_socket *socket, const struct temporal_error *err);
	/* The memory may be freed: after rpc_socket_close. */
	void (*closed)(struct rpc_socket *socket);
};

struct rpc_socket {
	const struct rpc_socket_events *events;
	struct rpc_loop *loop;
	uv_poll_t poll;
	int fd; /* -1: closed */
	struct rpc_task flush;
	struct rpc_tls *tls; /* NULL: in the clear */
	bool flushing, polling, connecting, handshaking, ended, stop_reading;
	int interest;    /* what `poll` waits for */
	uint8_t *unsent; /* what the kernel did not take */
	size_t unsent_at, unsent_len;
	int64_t last_read_ns;
};

/* Begins to connect; `ready` or `broken` follows. On failure the socket is as before. */
enum temporal_code rpc_socket_connect(struct rpc_socket *socket, struct rpc_loop *loop,
	const struct rpc_socket_events *events, const struct sockaddr *address,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* Takes over an accepted descriptor (also on failure). */
enum temporal_code rpc_socket_accept(struct rpc_socket *socket, struct rpc_loop *loop,
	const struct rpc_socket_events *events, int fd, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Begins TLS; `ready` follows (again). For a client, `name` is the server's name in SNI and
 * certificate. */
enum temporal_code rpc_socket_start_tls(struct rpc_socket *socket, struct rpc_tls_context *context,
	const char *name, struct temporal_error *err) __attribute__((warn_unused_result));

/* Asks for `fill` at the end of the loop's iteration. */
void rpc_socket_flush(struct rpc_socket *socket);

/* Has all that was handed over been taken by the kernel? */
bool rpc_socket_is_flushed(const struct rpc_socket *socket);

/* From now on, wakes up for no fewer than so many bytes (1: any), or for the connection's end. */
void rpc_socket_wake_at(struct rpc_socket *socket, int bytes);

/* Reads what there is, without waiting to be woken for it. False: there was nothing. The socket may
 * have broken after it. */
bool rpc_socket_read(struct rpc_socket *socket);

/* How long ago the last bytes came, read or not, as exact as the system's ticks (some ms). */
int64_t rpc_socket_quiet_ns(const struct rpc_socket *socket);

/* Stops reading (while the peer does not take our answers), or goes on. */
void rpc_socket_pause(struct rpc_socket *socket, bool paused);

/* Closes at once; `closed` follows. Closing twice is fine. */
void rpc_socket_close(struct rpc_socket *socket);

#endif
