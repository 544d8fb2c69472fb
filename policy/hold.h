/* SPDX-License-Identifier: MIT
 * hold: would the loader put libstarttls.so into this program? What the loader goes by, asked by
 * `starttls run` and `inspect` before a program is started, and by the library (guard.h) for those
 * that a program starts.
 *
 * No function here takes memory, and none changes errno for the worse: they work in the child of
 * vfork() too. */
#ifndef STARTTLS_HOLD_H
#define STARTTLS_HOLD_H

#include "elf.h"
#include <limits.h>
#include <sys/stat.h>

enum { HOLD_WHY = 400 }; /* a reason fits, path and all */

/* The library that is to be loaded, and who hears of each reason why it would not be (a sentence
 * with its remedy, "it is …"). */
struct hold {
	unsigned bits, machine; /* 32 or 64; EM_… */
	const char *loader;     /* not NULL: no other's programs get the library */
	void (*say)(void *of, const char *why);
	void *of;
};

/* The loader ignores LD_PRELOAD, because the program gets more rights than its caller (AT_SECURE)?
 * And what of its ELF headers? True when nothing was said. */
bool hold_rights(const struct hold *h, const char *path, const struct stat *st);
bool hold_loader(const struct hold *h, const struct elf *e);

/* Map a regular file, to be unmapped with munmap(st->st_size). NULL, with errno; an empty file is
 * NULL and errno 0. Never blocks on a FIFO. */
const uint8_t *hold_map(const char *path, struct stat *st);

/* The words of a #! line; text is their place. reader: the program that the kernel starts;
 * argument: all that stands behind it, or NULL. False when the file does not begin with #! and a
 * program: execvp(3) has the shell read it then. */
struct hold_script {
	char text[256], *reader, *argument;
};
bool hold_script(struct hold_script *script, const uint8_t *bytes, size_t size);

/* Both questions about the program that the kernel starts for this file, also through #!. False:
 * why not, in h->say. What cannot be read is not held either; what is not there is nobody's
 * business, and true. */
bool hold_file(const struct hold *h, const char *path);

#endif
