/* SPDX-License-Identifier: MIT
 * hook_wait: what the hooks of poll(2), select(2) and epoll_wait(2) share (hook_wait.c tells what they are
 * for). */
#ifndef STARTTLS_HOOK_WAIT_H
#define STARTTLS_HOOK_WAIT_H

#include <stdbool.h>
#include <time.h>

/* The kernel has said that fd is readable: for our sake only? Takes locks; keeps errno. */
bool wait_is_ours_alone(int fd);

/* A time-out of ppoll(2) and pselect(2), which the kernel does not count down: when it ends. NULL:
 * never. */
struct timespec wait_until(const struct timespec *timeout);
/* How long that is from now on. */
struct timespec wait_left(const struct timespec *until);
bool wait_is_over(const struct timespec *timeout);

/* A call is about to sleep for *ms milliseconds (-1: for ever): has it to come back earlier, for
 * the engine's sake? Then *ms is until when. May refuse connections, whose descriptors are ready
 * then. Takes locks; keeps errno. */
bool wait_shorten(int *ms);
/* From one kind of time-out to the other; NULL and -1: for ever. */
int wait_ms(const struct timespec *timeout);
struct timespec wait_span(int ms);

#endif
