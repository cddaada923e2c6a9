/*
 * http_client.h: requests to other servers: endpoints outside, callbacks by URL. Private to the
 * folder, and to server.c.
 */
#ifndef SERVER_NEXUS_HTTP_CLIENT_H
#define SERVER_NEXUS_HTTP_CLIENT_H

#include "rpc/loop.h"
#include "server/nexus/http.h"

/* A POST and what came of it. It belongs to the loop's thread but while it is under way. */
struct nexus_outgoing {
	struct server *server;
	struct arena arena;
	const char *url;
	struct nexus_header headers[NEXUS_HTTP_HEADERS_MAX];
	size_t n_headers;
	struct str body;
	int64_t timeout_ms;
	/* the answer; status 0: there was none, `error` says why */
	unsigned status;
	bool timed_out;
	char error[256];
	struct nexus_header in[NEXUS_HTTP_HEADERS_MAX];
	size_t n_in;
	char *in_body;
	size_t in_len, in_capacity;
	/* Called within an input; the request is gone after it. NULL: nobody waits any more. */
	void (*done)(struct nexus_outgoing *outgoing);
	void *owner;
	/* http_client.c */
	struct rpc_task task;
	struct nexus_client *client;
	struct nexus_outgoing *next, *prev; /* all of the client */
	struct nexus_outgoing *next_queued;
	void *easy, *list;
};

/* An empty one; NULL: memory is out (the server has failed). */
struct nexus_outgoing *nexus_outgoing_new(struct server *server);
void nexus_outgoing_header(struct nexus_outgoing *outgoing, const char *name, const char *value);
void nexus_outgoing_free(struct nexus_outgoing *outgoing);
/* On its way by server->nexus_send; without one it ends at once, as one that got no answer. */
void nexus_outgoing_send(struct nexus_outgoing *outgoing);

/* http_call.c: a call of an endpoint outside. */
void nexus_call_send_out(struct nexus_call *call, const char *url, int64_t timeout_ms);
/* The error of an answer that is none of success. */
void nexus_outgoing_failed(struct nexus_outgoing *outgoing, struct nexus_outcome *out);

/* http_client.c: libcurl, loaded with the first request, on a thread of its own. */
struct nexus_client;
struct nexus_client *nexus_client_new(struct server *server, struct rpc_loop *loop);
/* Its thread ends; what is under way gets no answer. Not on the loop's thread. */
void nexus_client_stop(struct nexus_client *client);
/* After the loop's thread has ended and the state is finished, which still has callbacks that lead
 * to these requests. */
void nexus_client_free(struct nexus_client *client);

#endif
