/*
 * endpoint.h: Nexus endpoints: by which name callers reach which worker. They belong to the whole
 * server, not to a namespace. A part of client.h, which includes it.
 *
 *	struct temporal_nexus_endpoint *made = temporal_nexus_endpoint_create(client, &err,
 *		.name = "shop-endpoint", .task_queue = "shop");
 *	...
 *	temporal_nexus_endpoint_unref(made);
 */
#ifndef TEMPORAL_ENDPOINT_H
#define TEMPORAL_ENDPOINT_H

#include <temporal/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an endpoint is made of, or changed to. Either a task queue or a URL. */
struct temporal_nexus_endpoint_opts {
	const char *name;        /* required; letters, digits, '-' and '_' */
	const char *namespace_;  /* of the task queue; NULL: the client's */
	const char *task_queue;  /* that workers with .nexus_services poll */
	const char *url;         /* a handler outside of the server */
	const char *description; /* Markdown for people */
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/* An endpoint as the server has it. Strings are never NULL; times are ns since the epoch, 0: never.
 */
struct temporal_nexus_endpoint {
	const char *id;  /* given by the server */
	int64_t version; /* counts its changes; a change names the one that it is based on */
	const char *name, *namespace_, *task_queue, *url;
	const char *description;                     /* "" where it is no text, too */
	struct temporal_payload description_payload; /* as it travels; without data: none */
	const char *url_prefix;                      /* path of the server's HTTP API for it */
	int64_t created_ns, modified_ns;
	uint64_t reserved[4];
};

struct temporal_nexus_endpoints {
	const struct temporal_nexus_endpoint *items;
	size_t count;
};

/* What these return belongs to the caller. NULL is fine. */
TEMPORAL_API void temporal_nexus_endpoint_unref(struct temporal_nexus_endpoint *endpoint);
TEMPORAL_API void temporal_nexus_endpoints_unref(struct temporal_nexus_endpoints *endpoints);

/* Makes an endpoint. ALREADY_EXISTS: there is one of that name. INVALID_ARGUMENT: the server says
 * what is wrong with the name or the target. */
#define temporal_nexus_endpoint_create(client_, err_, ...) \
	temporal_nexus_endpoint_create_((client_), \
		&(const struct temporal_nexus_endpoint_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_nexus_endpoint_opts), (err_))

/* Changes the endpoint with that id to what the options say, all of it. FAILED_PRECONDITION: its
 * version is another one by now. NOT_FOUND. */
#define temporal_nexus_endpoint_update(client_, id_, version_, err_, ...) \
	temporal_nexus_endpoint_update_((client_), (id_), (version_), \
		&(const struct temporal_nexus_endpoint_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_nexus_endpoint_opts), (err_))

/* The endpoint with that id, or of that name. NOT_FOUND. */
TEMPORAL_API struct temporal_nexus_endpoint *temporal_nexus_endpoint_get(
	struct temporal_client *client, const char *id,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_nexus_endpoint *temporal_nexus_endpoint_find(
	struct temporal_client *client, const char *name,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* All there are. */
TEMPORAL_API struct temporal_nexus_endpoints *temporal_nexus_endpoint_list(
	struct temporal_client *client, struct temporal_error *err) TEMPORAL_MUST_USE;

/* Deletes the endpoint with that id and version; operations that go to it fail from then on. */
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_delete(struct temporal_client *client,
	const char *id, int64_t version, struct temporal_error *err) TEMPORAL_MUST_USE;

/* The forms that do not wait. What the callbacks get belongs to them. */
typedef void temporal_nexus_endpoint_fn(
	struct temporal_nexus_endpoint *endpoint, const struct temporal_error *err, void *user);
typedef void temporal_nexus_endpoints_fn(
	struct temporal_nexus_endpoints *endpoints, const struct temporal_error *err, void *user);
#define temporal_nexus_endpoint_create_async(client_, done_, user_, err_, ...) \
	temporal_nexus_endpoint_create_async_((client_), \
		&(const struct temporal_nexus_endpoint_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_nexus_endpoint_opts), (done_), (user_), (err_))
#define temporal_nexus_endpoint_update_async(client_, id_, version_, done_, user_, err_, ...) \
	temporal_nexus_endpoint_update_async_((client_), (id_), (version_), \
		&(const struct temporal_nexus_endpoint_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_nexus_endpoint_opts), (done_), (user_), (err_))
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_get_async(struct temporal_client *client,
	const char *id, temporal_nexus_endpoint_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_find_async(struct temporal_client *client,
	const char *name, temporal_nexus_endpoint_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_list_async(struct temporal_client *client,
	temporal_nexus_endpoints_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_delete_async(struct temporal_client *client,
	const char *id, int64_t version, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

TEMPORAL_API struct temporal_nexus_endpoint *temporal_nexus_endpoint_create_(
	struct temporal_client *client, const struct temporal_nexus_endpoint_opts *opts,
	size_t size, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_nexus_endpoint *temporal_nexus_endpoint_update_(
	struct temporal_client *client, const char *id, int64_t version,
	const struct temporal_nexus_endpoint_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_create_async_(
	struct temporal_client *client, const struct temporal_nexus_endpoint_opts *opts,
	size_t size, temporal_nexus_endpoint_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_nexus_endpoint_update_async_(
	struct temporal_client *client, const char *id, int64_t version,
	const struct temporal_nexus_endpoint_opts *opts, size_t size,
	temporal_nexus_endpoint_fn *done, void *user, struct temporal_error *err) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
