/* SPDX-License-Identifier: MIT
 * everywhere: /etc/ld.so.preload, read as the loader does. Source: ld.so(8), "FILES" and "Dynamic
 * string tokens"; words of the file are parted by blanks, line ends and colons, and # begins a
 * comment (glibc, elf/rtld.c). Contract: everywhere.h. */
#include "everywhere.h"
#include "../../policy/hold.h"
#include "real.h"
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define FILE_OF_LOADER "/etc/ld.so.preload"

extern const ElfW(Ehdr) __ehdr_start
	__attribute__((visibility("hidden"))); /* our own header, by the linker */

static char word[PATH_MAX]; /* by which the file names us; empty: it does not */
static const char *loader;
static struct stat root; /* a path means something else in another (chroot(2)) */

/* --- the file */

/* The next word at or behind *at, which moves on. False at the end, and where it does not fit. */
static bool next_word(const char **at, const char *end, char found[PATH_MAX])
{
	static const char between[] = {' ', '\t', '\n', ':', '#'};
	const char *c = *at, *newline;
	size_t n = 0;

	for (; c < end && memchr(between, *c, sizeof(between)); c++) {
		newline = memchr(c, '\n', (size_t)(end - c));
		if (*c == '#')
			c = newline ? newline : end - 1;
	}
	for (; c < end && *c && !memchr(between, *c, sizeof(between)) && n < PATH_MAX - 1; c++)
		found[n++] = *c;
	found[n] = '\0';
	*at = c;
	return n > 0 && n < PATH_MAX - 1;
}

/* Does the file hold a word that `wanted` likes? It is left in found. */
static bool search(bool (*wanted)(const char *), char found[PATH_MAX])
{
	struct stat st;
	const uint8_t *bytes = hold_map(FILE_OF_LOADER, &st);
	const char *at = (const char *)bytes, *end = bytes ? at + st.st_size : at;
	bool good = false;

	while (!good && next_word(&at, end, found))
		good = wanted(found);
	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return good;
}

/* --- at the start */

/* $LIB is the loader's own; $ORIGIN and $PLATFORM would be those of another program. */
static bool means_the_same_elsewhere(const char *path)
{
	for (const char *token = path; (token = strchr(token, '$')); token++)
		if (strncmp(token + 1, "LIB", 3) != 0 && strncmp(token + 1, "{LIB}", 5) != 0)
			return false;
	return *path == '/';
}

static bool is_ours(const char *path)
{
	const struct link_map *object;

	if (!means_the_same_elsewhere(path))
		return false;
	object = real.dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	return object && object->l_addr == (ElfW(Addr)) & __ehdr_start;
}

/* The program's comes first. */
static int take_loader(struct dl_phdr_info *info, size_t size, void *of)
{
	(void)size;
	(void)of;
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			loader = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1;
}

void everywhere_begin(const char *library)
{
	char path[PATH_MAX], found[PATH_MAX];
	size_t n = strcspn(library, ":");

	if (n >= sizeof(path) || !search(is_ours, found))
		return;
	memcpy(path, library, n);
	path[n] = '\0';
	if (is_ours(path) && stat("/", &root) == 0) {
		strcpy(word, found);
		dl_iterate_phdr(take_loader, NULL);
	}
}

/* --- at exec() */

static bool is_word(const char *found)
{
	return strcmp(found, word) == 0;
}

const char *everywhere_loader(void)
{
	char found[PATH_MAX];
	struct stat now;

	if (!*word || stat("/", &now) < 0 || now.st_dev != root.st_dev || now.st_ino != root.st_ino)
		return NULL;
	return search(is_word, found) ? loader : NULL;
}
