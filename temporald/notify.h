/* notify.h: tells the service manager how we are. */
#ifndef TEMPORALD_NOTIFY_H
#define TEMPORALD_NOTIFY_H

/* Sends a state ("READY=1") to the socket that the service manager has named in the environment;
 * nothing without one. */
void notify(const char *state);

#endif
