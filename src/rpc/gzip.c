/*
 * gzip.c: zlib behind two functions. The output of an inflation grows as bytes come out, never by
 * what a header claims.
 *
 * The deflater has a window of 8 KiB and little memory (64 KiB in all instead of 268): requests are
 * small, and an idle worker must stay small. The loop's thread alone.
 */
#define ZLIB_CONST
#include "rpc/gzip.h"

#include <zlib.h>

#include "base/error.h"
#include "base/mem.h"

#define INFLATE_FIRST 4096U

static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size)
{
	return mem_alloc((size_t)items * size);
}

static void zlib_free(voidpf opaque, voidpf ptr)
{
	mem_free(ptr);
}

static z_stream *deflater(struct rpc_gzip *gzip)
{
	z_stream *z = gzip->deflater;

	if (z)
		return deflateReset(z) == Z_OK ? z : NULL;
	z = mem_zalloc(sizeof(*z));
	if (!z)
		return NULL;
	z->zalloc = zlib_alloc;
	z->zfree = zlib_free;
	if (deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, 13 + 16, 6, Z_DEFAULT_STRATEGY) != Z_OK) {
		mem_free(z);
		return NULL;
	}
	gzip->deflater = z;
	return z;
}

static z_stream *inflater(struct rpc_gzip *gzip)
{
	z_stream *z = gzip->inflater;

	if (z)
		return inflateReset(z) == Z_OK ? z : NULL;
	z = mem_zalloc(sizeof(*z));
	if (!z)
		return NULL;
	z->zalloc = zlib_alloc;
	z->zfree = zlib_free;
	if (inflateInit2(z, 15 + 16) != Z_OK) {
		mem_free(z);
		return NULL;
	}
	gzip->inflater = z;
	return z;
}

void rpc_gzip_finish(struct rpc_gzip *gzip)
{
	if (gzip->deflater)
		deflateEnd(gzip->deflater);
	if (gzip->inflater)
		inflateEnd(gzip->inflater);
	mem_free(gzip->deflater);
	mem_free(gzip->inflater);
	*gzip = (struct rpc_gzip){ 0 };
}

size_t rpc_gzip_deflate(
	struct rpc_gzip *gzip, const void *data, size_t len, uint8_t *out, size_t max)
{
	z_stream *z = len <= UINT32_MAX && max <= UINT32_MAX ? deflater(gzip) : NULL;

	if (!z)
		return 0;
	z->next_in = data;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)max;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? max - z->avail_out : 0;
}

/* Room for more output: doubles up to one byte beyond the limit, which tells "exactly max" from
 * "more than max". */
static bool grow(struct bytes *out, size_t *cap, size_t max)
{
	size_t wanted = *cap * 2 > max ? max + 1 : *cap * 2;
	uint8_t *ptr = mem_realloc(out->ptr, wanted);

	if (!ptr)
		return false;
	out->ptr = ptr;
	*cap = wanted;
	return true;
}

static enum temporal_code inflate_all(
	z_stream *z, size_t max, struct bytes *out, struct temporal_error *err)
{
	size_t cap = INFLATE_FIRST / 2;
	int result = Z_OK;

	while (result != Z_STREAM_END) {
		if (out->len > max)
			return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
				"grpc: received message after decompression larger than max %zu",
				max);
		if ((out->len == cap || !out->ptr) && !grow(out, &cap, max))
			return error_no_memory(err, "inflated message");
		size_t room = cap - out->len;
		z->next_out = out->ptr + out->len;
		z->avail_out = room > UINT32_MAX ? UINT32_MAX : (uInt)room;
		uInt before = z->avail_out;
		result = inflate(z, Z_NO_FLUSH);
		out->len += before - z->avail_out;
		if (result != Z_OK && result != Z_STREAM_END)
			return error_set(err, TEMPORAL_INTERNAL,
				"grpc: message is not valid gzip: %s",
				z->msg ? z->msg : "cut short");
	}
	if (out->len > max)
		return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"grpc: received message after decompression larger than max %zu", max);
	if (z->avail_in > 0)
		return error_set(err, TEMPORAL_INTERNAL, "grpc: %u bytes follow the gzip member",
			z->avail_in);
	return TEMPORAL_OK;
}

enum temporal_code rpc_gzip_inflate(struct rpc_gzip *gzip, const void *data, size_t len, size_t max,
	struct bytes *out, struct temporal_error *err)
{
	z_stream *z = len <= UINT32_MAX ? inflater(gzip) : NULL;

	*out = (struct bytes){ 0 };
	if (!z)
		return error_no_memory(err, "gzip inflater");
	z->next_in = data;
	z->avail_in = (uInt)len;
	enum temporal_code code = inflate_all(z, max, out, err);
	if (code != TEMPORAL_OK) {
		mem_free(out->ptr);
		*out = (struct bytes){ 0 };
	}
	return code;
}
