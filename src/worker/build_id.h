/*
 * build_id.h: which build of the program this is.
 */
#ifndef WORKER_BUILD_ID_H
#define WORKER_BUILD_ID_H

#include <stdbool.h>
#include <stddef.h>

#define WORKER_BUILD_ID_SIZE 129 /* of the text: of 64 bytes at most */

/* The build id of the running program as its linker has noted it, in hexadecimal digits; "": it has
 * none. Any thread; the same each time. */
void worker_build_id(char out[WORKER_BUILD_ID_SIZE]);

/* The same from a segment of notes, which may be damaged. Pure. False: it is not there. */
bool worker_build_id_read(const void *notes, size_t size, char out[WORKER_BUILD_ID_SIZE]);

#endif
