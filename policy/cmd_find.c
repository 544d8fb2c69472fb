/* SPDX-License-Identifier: MIT
 * find: where the program is that a word means, and where our library is. */
#include "command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "libstarttls.so"

/* --- the library */

/* Put directory + rest into path when there is such a library. */
static bool try_library(char path[PATH_MAX], const char *directory, const char *rest)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof name, "%s%s%s", directory, rest, LIBRARY);

	return n > 0 && (size_t)n < sizeof name && realpath(name, path) && access(path, R_OK) == 0;
}

bool library_find(char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		slash[1] = '\0';
		if (try_library(path, self, "") || try_library(path, self, "../lib/"))
			return true;
	}
	return try_library(path, STARTTLS_LIBDIR, "/");
}

/* --- the program */

static bool executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool program_find(const char *word, char path[PATH_MAX])
{
	const char *list = getenv("PATH");

	if (strchr(word, '/')) {
		int n = snprintf(path, PATH_MAX, "%s", word);

		return n > 0 && n < PATH_MAX && executable(path);
	}
	if (!list)
		list = "/bin:/usr/bin"; /* as execvp() does */
	for (const char *end; *word; list = end + 1) {
		int n;

		end = strchrnul(list, ':');
		n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - list), list,
			     end > list ? "/" : "", word);
		if (n > 0 && n < PATH_MAX && executable(path))
			return true;
		if (!*end)
			break;
	}
	errno = ENOENT;
	return false;
}
