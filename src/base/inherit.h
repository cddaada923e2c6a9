/*
 * inherit.h: descriptors that a forked child is not to have: connections, sockets that listen,
 * locks of files. A copy in the child would keep them alive after the parent has closed them, or
 * has died: a port that stays taken, a poll that a server gives a task to. (An exec closes them
 * anyway.)
 */
#ifndef BASE_INHERIT_H
#define BASE_INHERIT_H

/* A child that is forked from now on closes it first thing. Any thread. */
void inherit_not(int fd);

/* Closes the descriptor, of which no child needs to know any more. Any thread. */
void inherit_close(int fd);

#endif
