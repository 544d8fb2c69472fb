/* SPDX-License-Identifier: MIT
 * inherit: which of our descriptors the app means to leave to the programs it executes.
 *
 * The kernel's own flag is FD_CLOEXEC on every descriptor in the table, always: a program that is
 * executed behind our back (a raw system call, posix_spawn, popen) finds the descriptor closed, and
 * cannot say a word on it in plaintext. What the app asked for is kept here, told to it by F_GETFD,
 * and acted on where an exec() is ours to see (hook_exec.c).
 *
 * All keep errno, take no lock and are async-signal-safe; fd must be below TABLE_FDS. */
#ifndef STARTTLS_INHERIT_H
#define STARTTLS_INHERIT_H

#include <stdbool.h>

enum { INHERIT_EXPECTED = 8 }; /* UCSPI has 6 and 7 */

/* fd is ours from now on: take the kernel's flag. And: it is not any more, though open; give it
 * back. */
void inherit_hide(int fd);
void inherit_show(int fd);

/* Shall fd be left to an executed program? */
bool inherit_wish(int fd);
void inherit_set(int fd, bool wish);

/* fd has come from another program, which has made the connection for us. And: does a program that
 * is executed look for a connection there, and perhaps read before it says a word? So it is there,
 * and with standard input, output and error. */
void inherit_expect(int fd);
bool inherit_expected(int fd);

#endif
