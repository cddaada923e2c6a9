/*
 * uuid.h: random ids of workflows and requests.
 */
#ifndef CLIENT_UUID_H
#define CLIENT_UUID_H

#define UUID_SIZE 37 /* with the terminating zero */

/* A version 4 UUID in lower case, from the kernel's generator; fork-safe for that reason. Any
 * thread. */
void client_uuid(char uuid[UUID_SIZE]);

#endif
