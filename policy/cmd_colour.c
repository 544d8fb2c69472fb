/* SPDX-License-Identifier: MIT
 * colour: for people at a terminal, and nobody else (https://no-color.org). */
#include "command.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *colour(FILE *out, enum colour which)
{
	static const char *const codes[] = {
		[COLOUR_OFF] = "\033[0m",
		[COLOUR_GOOD] = "\033[32m",
		[COLOUR_DOUBT] = "\033[33m",
		[COLOUR_BAD] = "\033[31m",
	};
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!isatty(fileno(out)) || (none && *none) || !term || !strcmp(term, "dumb"))
		return "";
	return codes[which];
}
