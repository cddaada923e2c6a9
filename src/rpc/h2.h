/*
 * h2.h: what the client's and the server's sessions share.
 */
#ifndef RPC_H2_H
#define RPC_H2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal/error.h>

#include "rpc/channel.h"

/* One message on its way out, prefix included. The bytes are the sender's and stay valid until
 * `sent`. */
struct rpc_outgoing {
	struct rpc_outgoing *next;
	const uint8_t *data;
	size_t len;
	void (*sent)(
		struct rpc_outgoing *outgoing); /* its bytes are no longer needed; may be NULL */
};

/* The messages that a stream still has to send; zeroed at first. */
struct rpc_outbox {
	struct rpc_outgoing *head, *last;
	size_t at;   /* bytes of the head that are gone */
	bool closed; /* nothing follows */
	bool paused; /* nghttp2 waits until told that there is more */
};

void rpc_outbox_push(struct rpc_outbox *outbox, struct rpc_outgoing *outgoing);

/* Copies up to `cap` bytes out. */
size_t rpc_outbox_read(struct rpc_outbox *outbox, uint8_t *out, size_t cap);

/* The bytes that are still in it. */
size_t rpc_outbox_size(const struct rpc_outbox *outbox);

/* Gives back what was not sent. */
void rpc_outbox_clear(struct rpc_outbox *outbox);

/* Events that may happen `burst` times at once and `per_s` times a second in the long run. */
struct rpc_bucket {
	int64_t spent_until_ns; /* the time at which it will be full again */
};

/* False when it is empty. */
bool rpc_bucket_take(struct rpc_bucket *bucket, int64_t now_ns, unsigned burst, unsigned per_s);

/* Frames that cost the sender nothing, counted by kind (limit H5). */
struct rpc_flood {
	bool of_server; /* grpc-go's server pings once for each burst of data it gets */
	struct rpc_bucket settings, ping, priority, empty_data, window, unknown;
};

/* Accounts for a received frame; false when its sender floods. */
bool rpc_flood_allows(struct rpc_flood *flood, const nghttp2_frame_hd *frame, int64_t now_ns);

/* The last ids of streams of some kind. */
#define RPC_RECENT_SIZE 32
struct rpc_recent {
	int32_t ids[RPC_RECENT_SIZE];
	unsigned at;
};

void rpc_recent_add(struct rpc_recent *recent, int32_t id);
bool rpc_recent_has(const struct rpc_recent *recent, int32_t id);

/*
 * Looks along the bytes that a client sends for WINDOW_UPDATE frames that add nothing to a stream's
 * window: an error (RFC 9113, 6.9) of which nghttp2 says nothing when the stream is closed already.
 */
struct rpc_window_watch {
	size_t skip;      /* bytes up to the next frame's header */
	uint8_t head[13]; /* of the frame; with the increment, for a WINDOW_UPDATE */
	unsigned have;
};

/* The stream of such a frame in the bytes, or 0; advances *data and *len behind it. */
int32_t rpc_window_watch_next(struct rpc_window_watch *watch, const uint8_t **data, size_t *len);

/* nghttp2's memory comes from base/mem.h. */
nghttp2_mem *rpc_h2_mem(void);

/* A header field whose bytes nghttp2 does not copy: they stay valid until the frame was written. */
nghttp2_nv rpc_nv(const char *name, size_t name_len, const char *value, size_t value_len);
#define RPC_NV(name_, value_, len_) rpc_nv("" name_, sizeof(name_) - 1, (value_), (len_))

/* Copies what the session wants to write. `pending` is nghttp2's last piece, of which some may not
 * have fitted. */
struct rpc_pending {
	const uint8_t *data;
	size_t len;
};
enum temporal_code rpc_h2_drain(nghttp2_session *session, struct rpc_pending *pending, uint8_t *out,
	size_t cap, size_t *len, struct temporal_error *err) __attribute__((warn_unused_result));

/* Is the field `name` the one named by the literal? */
#define RPC_IS(literal_, name_, len_) \
	((len_) == sizeof(literal_) - 1 && memcmp((name_), "" literal_, sizeof(literal_) - 1) == 0)

#endif
