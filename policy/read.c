/* SPDX-License-Identifier: MIT
 * read: one file, and the files that it includes.
 *
 * Every limit is there so that no file whatever can hang or fill the process that reads it: files
 * of a megabyte, eight levels of include, a thousand files and four megabytes for a layer. */
#include "read.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 1 << 20, LAYER_BYTES = 4 << 20, LAYER_FILES = 1000, DEPTH = 8 };

/* --- may it be believed? */

static bool trusted(struct parser *p, const struct stat *st)
{
	bool system = p->reading->layer == LAYER_SYSTEM;

	if (st->st_uid != 0 && (system || st->st_uid != geteuid())) {
		complain(p, NULL,
			 system ? "the file is owned by user %u, not by root"
				: "the file is owned by user %u, neither you nor root",
			 st->st_uid);
		hint(p, "look who wrote it, then: chown %s %s", system ? "root" : "\"$USER\"",
		     p->text->name);
		return false;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		complain(p, NULL, "others than its owner may write the file (mode %04o)",
			 st->st_mode & 07777);
		hint(p, "look who wrote it, then: chmod go-w %s", p->text->name);
		return false;
	}
	return true;
}

static bool loops(const struct parser *p)
{
	for (const struct parser *up = p->includer; up; up = up->includer)
		if (up->dev == p->dev && up->ino == p->ino)
			return true;
	return false;
}

static bool acceptable(struct parser *p, const struct stat *st)
{
	if (!S_ISREG(st->st_mode)) {
		complain(p, NULL,
			 S_ISDIR(st->st_mode) ? "this is a directory, not a file"
					      : "this is not a regular file");
		return false;
	}
	if (!trusted(p, st))
		return false;
	p->dev = st->st_dev;
	p->ino = st->st_ino;
	if (loops(p)) {
		complain(p, NULL, "the file includes itself");
		return false;
	}
	if (st->st_size > FILE_BYTES) {
		complain(p, NULL, "the file is larger than a megabyte");
		hint(p, "this does not look like a policy");
		return false;
	}
	return true;
}

/* --- reading */

static void cannot_read(struct parser *p, int error)
{
	pool_blame(parser_pool(p), error);
	complain(p, NULL, "cannot read the file: %s", strerrordesc_np(error));
	if (error == EACCES && p->reading->layer == LAYER_SYSTEM)
		hint(p, "it is for all users: chmod a+r, and a+x for the directories on the way");
}

/* A descriptor of a regular file that may be believed, or -1. Looks before it opens, because
 * opening a device may already do something; and again afterwards, because that is what we have. */
static int open_file(struct parser *p)
{
	struct stat st;
	int fd = -1;

	if (stat(p->text->name, &st) == 0) {
		if (!acceptable(p, &st))
			return -1;
		fd = open(p->text->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		cannot_read(p, errno);
	else if (acceptable(p, &st))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* To the end of the file, or size bytes; -1 with errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, bytes + n, size - n);

		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)n;
}

static bool within_limits(struct parser *p, ssize_t n)
{
	struct reading *r = p->reading;

	if (n < 0) {
		cannot_read(p, errno);
		return false;
	}
	r->bytes += (size_t)n;
	if (n > FILE_BYTES || r->bytes > LAYER_BYTES || ++r->files > LAYER_FILES) {
		complain(p, NULL, "the policy is too large with this file");
		hint(p, "at most %d files, of one megabyte each and four together", LAYER_FILES);
		return false;
	}
	return true;
}

void read_file(struct parser *p, struct text *text)
{
	char *bytes;
	ssize_t n;
	int fd = open_file(p);

	if (fd < 0)
		return;
	bytes = malloc(FILE_BYTES + 1);
	n = bytes ? read_all(fd, bytes, FILE_BYTES + 1) : 0;
	close(fd);
	if (!bytes) {
		p->reading->policy->pool.failed = true;
	} else if (within_limits(p, n)) {
		text->bytes = bytes;
		text->size = (size_t)n;
		parse_text(p);
		text->bytes = NULL;
	}
	free(bytes);
}

/* --- include */

/* The pattern from the root, or relative to the directory of this file, whose own name is no
 * pattern. NULL: memory is out. */
static const char *absolute_pattern(struct parser *p, const struct word *path)
{
	struct pool *pool = parser_pool(p);
	const char *name = p->text->name, *slash = strrchr(name, '/');
	size_t directory = slash && path->at[0] != '/' ? (size_t)(slash - name) + 1 : 0, n = 0;
	char *pattern = pool_get(pool, 2 * directory + path->n + 1);

	if (!pattern)
		return NULL;
	for (size_t i = 0; i < directory; i++) {
		if (strchr("*?[]\\", name[i]))
			pattern[n++] = '\\';
		pattern[n++] = name[i];
	}
	memcpy(pattern + n, path->at, path->n);
	return pattern;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* glob(3): a directory that is not there is no match; one that cannot be read may hide the rule
 * that mattered. */
static int on_glob_error(const char *path, int error)
{
	(void)path;
	return error != ENOENT && error != ENOTDIR;
}

static void read_included(struct parser *p, const char *name, const char *at)
{
	struct text text = {.name = pool_copy(parser_pool(p), name, strlen(name))};
	struct parser child = {.reading = p->reading,
			       .text = &text,
			       .includer = p,
			       .include_at = at,
			       .depth = p->depth + 1};

	if (text.name)
		read_file(&child, &text);
}

void read_include(struct parser *p, const struct word *path)
{
	const char *pattern = absolute_pattern(p, path);
	glob_t found = {0};
	int result;

	if (p->from_memory || p->depth == DEPTH) {
		complain(p, path->at,
			 p->from_memory ? "there is no file to include from here"
					: "includes are nested more than %d deep",
			 DEPTH);
		return;
	}
	if (!pattern)
		return;
	/* glob's own order depends on the locale of the program we are in, and the first match
	 * wins. */
	result = glob(pattern, GLOB_NOSORT, on_glob_error, &found);
	if (result == 0) {
		qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
		for (size_t i = 0; i < found.gl_pathc && p->reading->files <= LAYER_FILES; i++)
			read_included(p, found.gl_pathv[i], path->at);
	} else if (result == GLOB_NOSPACE) {
		p->reading->policy->pool.failed = true;
	} else if (result != GLOB_NOMATCH) {
		complain(p, path->at, "cannot search the directory of '%s'", quote(path).text);
	} else if (!memchr(path->at, '*', path->n)) {
		caution(p, path->at, "there is no file '%s'", quote(path).text);
	}
	globfree(&found);
}
