/*
 * headers.c: headers that a caller adds: checked, copied in the form of the wire, and the channel's
 * set of them that can be replaced at any time. Running calls keep the set they began with.
 */
#include "rpc/headers.h"

#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "rpc/limits.h"
#include "rpc/text.h"

static bool is_binary(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && memcmp(name + len - 4, "-bin", 4) == 0;
}

static enum temporal_code check(const struct rpc_header *header, struct temporal_error *err)
{
	const char *name = header->name;

	if (!rpc_header_name_ok(name))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"header name \"%s\": expected lower-case letters, digits, '-', '_' or '.'",
			name ? name : "");
	if (strncmp(name, "grpc-", 5) == 0 || str_same(name, "te") ||
		str_same(name, "content-type") || str_same(name, "connection"))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"header name \"%s\" is reserved for the transport", name);
	if (!is_binary(name) && !rpc_header_value_ok(header->value, header->len))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"value of header \"%s\": expected printable ASCII (binary values have "
			"names ending in -bin)",
			name);
	if (strlen(name) + header->len > RPC_HEADER_LIST_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"header \"%s\" is longer than %u bytes", name, RPC_HEADER_LIST_MAX);
	return TEMPORAL_OK;
}

static size_t stored_size(const struct rpc_header *header)
{
	size_t value = is_binary(header->name) ? BASE64_BARE_SIZE(header->len) : header->len;

	return strlen(header->name) + 1 + value + 1;
}

/* Copies to *at and moves it on. */
static struct rpc_header store(const struct rpc_header *header, char **at)
{
	struct rpc_header copy = { .name = *at };
	size_t name_size = strlen(header->name) + 1;
	char *value = *at + name_size;

	memcpy(*at, header->name, name_size);
	if (is_binary(header->name)) {
		copy.len = base64_encode(value, header->value, header->len, BASE64_BARE);
	} else {
		copy.len = header->len;
		if (header->len > 0)
			memcpy(value, header->value, header->len);
	}
	value[copy.len] = '\0';
	copy.value = value;
	*at = value + copy.len + 1;
	return copy;
}

enum temporal_code rpc_headers_copy(struct arena *arena, const struct rpc_header *headers, size_t n,
	struct rpc_header **out, struct temporal_error *err)
{
	size_t size = 0;

	*out = NULL;
	if (n == 0)
		return TEMPORAL_OK;
	if (n > RPC_HEADER_FIELDS_MAX / 2)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"%zu headers: at most %u are allowed", n, RPC_HEADER_FIELDS_MAX / 2);
	for (size_t i = 0; i < n; i++) {
		enum temporal_code code = check(&headers[i], err);

		if (code != TEMPORAL_OK)
			return code;
		size += stored_size(&headers[i]);
	}
	struct rpc_header *copies = arena_array(arena, n, sizeof(*copies));
	char *at = arena_alloc(arena, size);
	if (!copies || !at)
		return error_no_memory(err, "headers");
	for (size_t i = 0; i < n; i++)
		copies[i] = store(&headers[i], &at);
	*out = copies;
	return TEMPORAL_OK;
}

/* A set of `keep` (already in wire form, but for the one called `drop`) and `add`. */
static struct rpc_headers *set_new(const struct rpc_headers *keep, const char *drop,
	const struct rpc_header *add, size_t n_add)
{
	size_t n_keep = keep ? keep->n : 0, size = 0;

	for (size_t i = 0; i < n_keep; i++)
		size += strlen(keep->fields[i].name) + keep->fields[i].len + 2;
	for (size_t i = 0; i < n_add; i++)
		size += stored_size(&add[i]);
	struct rpc_headers *set =
		mem_alloc(sizeof(*set) + (n_keep + n_add) * sizeof(set->fields[0]) + size);
	if (!set)
		return NULL;
	char *at = (char *)&set->fields[n_keep + n_add];
	atomic_init(&set->refs, 1);
	set->n = 0;
	for (size_t i = 0; i < n_keep; i++) {
		const struct rpc_header *old = &keep->fields[i];
		size_t name_size = strlen(old->name) + 1;

		if (str_same(old->name, drop))
			continue;
		memcpy(at, old->name, name_size);
		memcpy(at + name_size, old->value, old->len + 1);
		set->fields[set->n++] = (struct rpc_header){ at, at + name_size, old->len };
		at += name_size + old->len + 1;
	}
	for (size_t i = 0; i < n_add; i++)
		set->fields[set->n++] = store(&add[i], &at);
	return set;
}

struct rpc_headers *rpc_headers_new(
	const struct rpc_header *headers, size_t n, struct temporal_error *err)
{
	if (n > RPC_HEADER_FIELDS_MAX / 2) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "%zu headers: at most %u are allowed", n,
			RPC_HEADER_FIELDS_MAX / 2);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (check(&headers[i], err) != TEMPORAL_OK)
			return NULL;
	}
	struct rpc_headers *set = set_new(NULL, "", headers, n);
	if (!set)
		error_no_memory(err, "headers");
	return set;
}

struct rpc_headers *rpc_headers_with(
	const struct rpc_headers *old, const struct rpc_header *header, struct temporal_error *err)
{
	if (check(header, err) != TEMPORAL_OK)
		return NULL;
	if (header->value && old->n >= RPC_HEADER_FIELDS_MAX / 2) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "more than %u headers",
			RPC_HEADER_FIELDS_MAX / 2);
		return NULL;
	}
	struct rpc_headers *set = set_new(old, header->name, header, header->value ? 1 : 0);
	if (!set)
		error_no_memory(err, "headers");
	return set;
}

struct rpc_headers *rpc_headers_ref(struct rpc_headers *headers)
{
	atomic_fetch_add_explicit(&headers->refs, 1, memory_order_relaxed);
	return headers;
}

void rpc_headers_unref(struct rpc_headers *headers)
{
	if (headers && atomic_fetch_sub_explicit(&headers->refs, 1, memory_order_acq_rel) == 1)
		mem_free(headers);
}
