/*
 * co_switch.h: the switch between two stacks, behind two functions. co_x86_64.S and co_aarch64.S
 * have them in assembly; elsewhere (or with CO_UCONTEXT defined) co_prepare.c has them over
 * swapcontext, which costs two system calls a switch.
 */
#ifndef BASE_CO_SWITCH_H
#define BASE_CO_SWITCH_H

#include <stddef.h>

/* Where a stack was left: its stack pointer, or in co_prepare.c the ucontext, which lies on that
 * stack. */
typedef void *co_point;

/* Leaves the running stack at *from and goes on at `to`; returns when somebody switches to *from.
 */
void co_switch(co_point *from, co_point to);

/* A point on a fresh stack whose first switch calls entry(arg), which must not return. `top` is
 * aligned to 64. */
co_point co_prepare(char *bottom, char *top, void (*entry)(void *arg), void *arg);

#endif
