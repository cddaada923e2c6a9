/*
 * http.h: the Nexus HTTP API: start and cancel operations, complete them by their callback. An
 * exchange is a request and its answer, whichever way they came; http_server.c has the network.
 * Private to the folder, and to server.c.
 */
#ifndef SERVER_NEXUS_HTTP_H
#define SERVER_NEXUS_HTTP_H

#include "server/nexus/text.h"

struct nexus_header {
	const char *name; /* in lower case */
	const char *value;
};

#define NEXUS_HTTP_HEADERS_MAX 128
#define NEXUS_HTTP_BODY_MAX    (4 * 1024 * 1024)

struct nexus_exchange {
	struct request request;   /* first: its ops cast */
	struct arena arena;       /* of all that follows */
	const char *method, *url; /* with its query, as sent */
	struct nexus_header headers[NEXUS_HTTP_HEADERS_MAX];
	size_t n_headers;
	struct str body;
	struct nexus_call *call; /* that it waits for */
	/* the answer */
	unsigned status;
	struct nexus_header out[NEXUS_HTTP_HEADERS_MAX];
	size_t n_out;
	struct str out_body;
	/* Called on the loop's thread once the answer may leave; the exchange is its again. */
	void (*answered)(struct nexus_exchange *exchange);
};

/* Before an exchange is served: its request, for frontend_serve(&exchange->request, ...). */
void nexus_exchange_init(struct nexus_exchange *exchange, struct server *server,
	void (*answered)(struct nexus_exchange *exchange));
void nexus_exchange_finish(struct nexus_exchange *exchange);
/* Copies; what is too much is dropped. */
void nexus_exchange_header(struct nexus_exchange *exchange, const char *name, const char *value);

/* http_serve.c: a handler like those of the RPCs. */
void nexus_http_serve(struct request *request);

/* http_content.c: payloads and failures as bodies and headers. */
/* The value of a header, "" if there is none. */
const char *nexus_http_get(const struct nexus_header *headers, size_t n, const char *name);
/* A body with the content headers of a message. NULL: memory is out, or no payload. */
Common__Payload *nexus_content_read(
	struct arena *arena, const struct nexus_header *headers, size_t n_headers, struct str body);
/* Sets *type to "" if there is none. False: memory is out. */
bool nexus_content_write(
	struct arena *arena, const Common__Payload *payload, struct str *body, const char **type);
/* The JSON of a failure of the Nexus API, and its chain of causes. NULL: it is none. */
Nexus__Failure *nexus_failure_read(struct arena *arena, struct str json);
/* What a wrapper of an operation's error wraps; the failure itself otherwise. */
const Nexus__Failure *nexus_failure_unwrap(const Nexus__Failure *failure);
/* ... of a failure of Temporal. Empty: memory is out. */
struct str nexus_failure_write(struct arena *arena, const Failure__Failure *failure);
/* The links of all headers "nexus-link" that are links. */
Nexus__Link **nexus_http_links(
	struct arena *arena, const struct nexus_header *headers, size_t n_headers, size_t *n);

/* http_server.c: the listener, with a thread of its own. NULL: it cannot listen. */
struct nexus_http;
struct rpc_loop;
struct nexus_http *nexus_http_start(struct server *server, struct rpc_loop *loop, const char *host,
	uint16_t port, struct temporal_error *err);
uint16_t nexus_http_port(const struct nexus_http *http);
/* On the loop's thread, before the loop ends: nothing new comes in, what waits is answered. */
void nexus_http_drain(struct nexus_http *http);
/* Afterwards, on any other thread. */
void nexus_http_stop(struct nexus_http *http);

#endif
