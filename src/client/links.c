/*
 * links.c: what a thread adds to its calls, as the other SDKs do by the context of their handlers.
 * Of a thread and not of the client, since handlers share that with all that goes on beside them.
 */
#include "client/links.h"

static _Thread_local const struct client_links *here;

void client_links_set(const struct client_links *links)
{
	here = links;
}

const struct client_links *client_links_here(void)
{
	return here;
}
