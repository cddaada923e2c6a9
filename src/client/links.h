/*
 * links.h: links of the calls that a handler of a Nexus operation makes: to the one who asked for
 * the operation, so that the histories of what it starts and signals tell of it; and back.
 */
#ifndef CLIENT_LINKS_H
#define CLIENT_LINKS_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

struct client_links {
	Common__Link **links; /* for requests */
	size_t n_links;
	/* A call that the thread waits for was answered with a link. Loop's thread, while that one
	 * waits. */
	void (*answered)(void *user, const Common__Link *link);
	void *user;
};

/* The calling thread's: what it adds to its calls until it is set to NULL. Borrowed. */
void client_links_set(const struct client_links *links);
const struct client_links *client_links_here(void);

#endif
