/* SPDX-License-Identifier: MIT
 * output: what a verb answers on standard output, and what becomes of an answer that nobody gets:
 * it is not "all is well". */
#include "command.h"
#include "lex.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed; /* errno of the first write that did */

void output_begin(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void output_clean(FILE *out, const char *text, size_t n)
{
	const char *end = text + n;
	bool harmless;
	size_t length;

	for (; text < end; text += length) {
		length = lex_char(text, end, &harmless);
		if (harmless && *text != '\n' && *text != '\r')
			fwrite(text, 1, length, out);
		else
			for (size_t i = 0; i < length; i++)
				fprintf(out, "\\x%02x", (unsigned char)text[i]);
	}
}

void output_flush(void)
{
	if (fflush(stdout) != 0 && !failed)
		failed = errno;
}

int output_end(const char *verb, int code)
{
	output_flush();
	if (!ferror(stdout))
		return code;
	fprintf(stderr, "starttls%s%s: write error%s%s\n", *verb ? " " : "", verb,
		failed ? ": " : "", failed ? strerror(failed) : "");
	if (code != EXIT_OK)
		return code;
	return strcmp(verb, "run") != 0 ? EXIT_NOT_WRITTEN : RUN_REFUSED;
}
