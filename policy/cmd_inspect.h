/* SPDX-License-Identifier: MIT
 * inspect: what the rooms of `starttls inspect` share. Nobody else includes this. */
#ifndef STARTTLS_INSPECT_H
#define STARTTLS_INSPECT_H

#include "hold.h"
#include <stdio.h>

struct inspection {
	FILE *out;
	const char *prefix, *path; /* of each line; of the file that is looked at */
	const char *library;       /* ours; NULL: not installed */
	bool all;                  /* not only what is wrong */
	bool held;                 /* so far */
	bool absent;               /* what would read the script cannot be started */
	const uint8_t *bytes;
	size_t size;
	struct stat st;
	const struct elf *ours;
};

/* A line about the file: worth knowing; or a reason why the shim cannot hold it. */
__attribute__((format(printf, 2, 3))) void inspect_note(struct inspection *i, const char *format,
							...);
__attribute__((format(printf, 2, 3))) void inspect_wrong(struct inspection *i, const char *format,
							 ...);

/* What the program takes from others, and what these take: socket calls, TLS, and ways around libc.
 * Starts this system's loader on the file, which maps its libraries and runs none of them. */
void inspect_imports(struct inspection *i, const struct elf *e);

/* AppArmor's profiles: is one of them for this program, and what must it allow? */
void inspect_confinement(struct inspection *i);

#endif
