/*
 * h2.c: the parts of a session that do not depend on the side: messages going out, and counting
 * what a peer may do for free. Loop's thread (or a test).
 */
#include "rpc/h2.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"

void rpc_outbox_push(struct rpc_outbox *outbox, struct rpc_outgoing *outgoing)
{
	outgoing->next = NULL;
	if (outbox->head)
		outbox->last->next = outgoing;
	else
		outbox->head = outgoing;
	outbox->last = outgoing;
}

static void outbox_pop(struct rpc_outbox *outbox)
{
	struct rpc_outgoing *head = outbox->head;

	outbox->head = head->next;
	outbox->at = 0;
	if (head->sent)
		head->sent(head);
}

size_t rpc_outbox_read(struct rpc_outbox *outbox, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (outbox->head && n < cap) {
		size_t left = outbox->head->len - outbox->at;
		size_t piece = left < cap - n ? left : cap - n;

		memcpy(out + n, outbox->head->data + outbox->at, piece);
		n += piece;
		outbox->at += piece;
		if (outbox->at == outbox->head->len)
			outbox_pop(outbox);
	}
	return n;
}

size_t rpc_outbox_size(const struct rpc_outbox *outbox)
{
	size_t size = 0;

	for (const struct rpc_outgoing *outgoing = outbox->head; outgoing;
		outgoing = outgoing->next)
		size += outgoing->len;
	return size - outbox->at;
}

void rpc_outbox_clear(struct rpc_outbox *outbox)
{
	while (outbox->head)
		outbox_pop(outbox);
}

bool rpc_bucket_take(struct rpc_bucket *bucket, int64_t now_ns, unsigned burst, unsigned per_s)
{
	int64_t price_ns = RPC_S_NS / per_s;
	int64_t from_ns = bucket->spent_until_ns > now_ns ? bucket->spent_until_ns : now_ns;

	if (from_ns + price_ns - now_ns > price_ns * burst)
		return false;
	bucket->spent_until_ns = from_ns + price_ns;
	return true;
}

/*
 * Generous enough for any honest peer: grpc-go pings once for each burst of data, and a window
 * update may follow each frame of ours.
 */
bool rpc_flood_allows(struct rpc_flood *flood, const nghttp2_frame_hd *frame, int64_t now_ns)
{
	switch (frame->type) {
	case NGHTTP2_SETTINGS:
		return rpc_bucket_take(&flood->settings, now_ns, 100, 10);
	case NGHTTP2_PING:
		return flood->of_server ? rpc_bucket_take(&flood->ping, now_ns, 100000, 100000)
					: rpc_bucket_take(&flood->ping, now_ns, 5000, 2000);
	case NGHTTP2_PRIORITY:
		return rpc_bucket_take(&flood->priority, now_ns, 1000, 100);
	case NGHTTP2_DATA:
		if (frame->length > 0 || (frame->flags & NGHTTP2_FLAG_END_STREAM))
			return true;
		return rpc_bucket_take(&flood->empty_data, now_ns, 1000, 100);
	case NGHTTP2_WINDOW_UPDATE:
		return rpc_bucket_take(&flood->window, now_ns, 20000, 100000);
	case NGHTTP2_HEADERS:
	case NGHTTP2_RST_STREAM:
	case NGHTTP2_GOAWAY:
	case NGHTTP2_CONTINUATION:
		return true;
	default:
		return rpc_bucket_take(&flood->unknown, now_ns, 1000, 100);
	}
}

void rpc_recent_add(struct rpc_recent *recent, int32_t id)
{
	recent->ids[recent->at++ % RPC_RECENT_SIZE] = id;
}

bool rpc_recent_has(const struct rpc_recent *recent, int32_t id)
{
	for (unsigned i = 0; i < RPC_RECENT_SIZE; i++) {
		if (recent->ids[i] == id)
			return true;
	}
	return false;
}

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A header is complete: what follows of the frame is skipped, but for the increment of a
 * WINDOW_UPDATE. */
static bool is_empty_update(struct rpc_window_watch *watch)
{
	size_t length = big_endian(watch->head) >> 8;
	bool update = watch->head[3] == NGHTTP2_WINDOW_UPDATE && length == 4;

	if (update && watch->have < 13)
		return false;
	watch->have = 0;
	watch->skip = update ? 0 : length;
	return update && (big_endian(watch->head + 9) & 0x7FFFFFFF) == 0;
}

int32_t rpc_window_watch_next(struct rpc_window_watch *watch, const uint8_t **data, size_t *len)
{
	while (*len > 0) {
		unsigned wanted = watch->have < 9 ? 9 : 13;
		size_t room = watch->skip > 0 ? watch->skip : wanted - watch->have;
		size_t n = *len < room ? *len : room;

		if (watch->skip > 0) {
			watch->skip -= n;
		} else {
			memcpy(watch->head + watch->have, *data, n);
			watch->have += (unsigned)n;
		}
		*data += n;
		*len -= n;
		if (watch->have == wanted && is_empty_update(watch))
			return (int32_t)(big_endian(watch->head + 5) & 0x7FFFFFFF);
	}
	return 0;
}

static void *h2_alloc(size_t size, void *user)
{
	return mem_alloc(size);
}

static void h2_free(void *ptr, void *user)
{
	mem_free(ptr);
}

static void *h2_calloc(size_t count, size_t size, void *user)
{
	return size > 0 && count > SIZE_MAX / size ? NULL : mem_zalloc(count * size);
}

static void *h2_realloc(void *ptr, size_t size, void *user)
{
	return mem_realloc(ptr, size);
}

nghttp2_mem *rpc_h2_mem(void)
{
	static nghttp2_mem mem = { NULL, h2_alloc, h2_free, h2_calloc, h2_realloc };

	return &mem;
}

/* nghttp2's struct has pointers to non-const bytes, which it does not write to. */
static uint8_t *unconst(const char *text)
{
	union {
		const char *in;
		uint8_t *out;
	} bytes = { text };

	return bytes.out;
}

nghttp2_nv rpc_nv(const char *name, size_t name_len, const char *value, size_t value_len)
{
	return (nghttp2_nv){ unconst(name), unconst(value), name_len, value_len,
		NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}

enum temporal_code rpc_h2_drain(nghttp2_session *session, struct rpc_pending *pending, uint8_t *out,
	size_t cap, size_t *len, struct temporal_error *err)
{
	size_t n = 0;

	while (n < cap) {
		if (pending->len == 0) {
			ssize_t got = nghttp2_session_mem_send(session, &pending->data);

			if (got < 0)
				return error_set(err,
					got == NGHTTP2_ERR_NOMEM ? TEMPORAL_NO_MEMORY
								 : TEMPORAL_INTERNAL,
					"HTTP/2 cannot write: %s", nghttp2_strerror((int)got));
			if (got == 0)
				break;
			pending->len = (size_t)got;
		}
		size_t piece = pending->len < cap - n ? pending->len : cap - n;
		memcpy(out + n, pending->data, piece);
		n += piece;
		pending->data += piece;
		pending->len -= piece;
	}
	*len = n;
	return TEMPORAL_OK;
}
