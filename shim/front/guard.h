/* SPDX-License-Identifier: MIT
 * guard: under `starttls run` no program is executed that the library would not come into.
 *
 *   starttls run script ── STARTTLS_RUN ──► sh ──► env -i ── execvp("mailer") ──► told, exit 125
 *
 * The loader fails open and in silence, so the one who still has the library must look: at the
 * environment that is handed on, and at the program's file (hold.h). Without `run` nobody asked for
 * that, and programs are executed as ever. All functions work in the child of vfork(), take no
 * memory and keep errno. */
#ifndef STARTTLS_GUARD_H
#define STARTTLS_GUARD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { GUARD_STATUS = 125 }; /* as that of `run` */

/* Would this program, executed with this environment, be without the library? Then that has been
 * told, on stderr and in the log. What is not there or must not be executed is for exec() to say.
 * NULL for envp: an empty one. */
bool guard_forbids(const char *path, char *const envp[]);

/* The same where exec() is about to replace this process: it ends there. By _exit(): a child made
 * by vfork() must not do more, and a program that is told "no" by exec() would try the next one. */
void guard_exec(const char *path, char *const envp[]);

/* The file that execvp(file) finds; `file` itself where it finds none. */
const char *guard_find(const char *file, char path[PATH_MAX]);

/* What `run` has set must outlive a script that keeps LD_PRELOAD only (env -i LD_PRELOAD=…).
 * guard_room: bytes of room for the array that guard_environment fills and returns; 0: envp does as
 * it is. */
size_t guard_room(char *const envp[]);
char *const *guard_environment(char *const envp[], void *room);

#endif
