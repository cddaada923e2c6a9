/*
 * A user's program with the server in it. It has a function with the name of one that the two
 * libraries share: that must not matter to either.
 */
#include <stdio.h>

#include <temporal/client.h>
#include <temporal/server.h>

const char *arena_init(void);

const char *arena_init(void)
{
	return "ok";
}

int main(void)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	struct temporal_server *server =
		temporal_server_start(&err, .port = TEMPORAL_SERVER_ANY_PORT);
	struct temporal_client *client = NULL;

	if (server && temporal_server_port(server) != 0)
		client = temporal_client_connect(&err, .server = server);
	puts(client ? arena_init() : err.message);
	temporal_client_unref(client);
	temporal_server_stop(server);
	return client ? 0 : 1;
}
