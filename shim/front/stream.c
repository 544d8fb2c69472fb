/* SPDX-License-Identifier: MIT
 * stream: stdio streams whose bytes take the way of our hooks. fopencookie(3) gives all of stdio
 * but for three things:
 *
 *   fileno()       _fileno is -2 there; set, it makes fileno() right and changes nothing else
 *   wide streams   to libc it is a stream of bytes, for good; hooked (stream_wide.h). _mode is set
 *                  to say "not used yet", so that we learn of its use. _wide_data, a pointer that
 *                  crashes on purpose, marks a stream as ours
 *   freopen()      takes the object for one of libc's own; hooked (stream_reopen) */
#include "stream.h"
#include "../quiet.h"
#include "io.h"
#include "real.h"
#include "table.h"
#include "stream_wide.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One per stream, in a list for stream_flush_all(). */
struct stream {
	FILE *file;
	struct stream *next, **link; /* link: what points to us */
	int fd;
	struct wide wide;
};

char stream_mark[1024]; /* more than struct _IO_wide_data has; nothing ever writes to it */

/* Of the list. libc's stream locks come first, and are only tried under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stream *all;

static void list_lock(void)
{
	pthread_mutex_lock(&lock);
}

static void list_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void stream_survive_fork(void)
{
	pthread_atfork(list_lock, list_unlock, list_unlock);
}

static void list_add(struct stream *s)
{
	list_lock();
	s->next = all;
	s->link = &all;
	if (all)
		all->link = &s->next;
	all = s;
	list_unlock();
}

static void list_remove(struct stream *s)
{
	list_lock();
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	list_unlock();
}

static ssize_t cookie_read(void *cookie, char *bytes, size_t n)
{
	int fd = ((struct stream *)cookie)->fd;

	return table_has(fd) ? io_read(fd, bytes, n) : real.read(fd, bytes, n);
}

/* Returns less than n when not all of it could be sent, and never a negative number: libc takes
 * either for an error. */
static ssize_t cookie_write(void *cookie, const char *bytes, size_t n)
{
	int fd = ((struct stream *)cookie)->fd;
	ssize_t sent = 0;
	size_t done = 0;

	for (; done < n && sent >= 0; done += sent > 0 ? (size_t)sent : 0)
		sent = table_has(fd) ? io_transmit(fd, bytes + done, n - done, 0)
				     : real.write(fd, bytes + done, n - done);
	return (ssize_t)done;
}

static int cookie_seek(void *cookie, off64_t *at, int whence)
{
	off64_t now = lseek64(((struct stream *)cookie)->fd, *at, whence);

	if (now >= 0)
		*at = now;
	return now < 0 ? -1 : 0;
}

static int cookie_close(void *cookie)
{
	struct stream *s = cookie;
	int fd = s->fd;

	list_remove(s);
	wide_reset(&s->wide);
	free(s);
	return fd < 0 ? 0 : close(fd);
}

/* What a mode of fopen(3) says. */
struct mode {
	int flags;    /* of open(2) */
	char text[3]; /* as fopencookie() wants it */
};

/* False: not a mode. As in libc, only what follows the first letter closely counts. */
static bool read_mode(const char *text, struct mode *mode)
{
	static const struct {
		char letter;
		int flags;
	} letters[] = {{'r', 0}, {'w', O_CREAT | O_TRUNC}, {'a', O_CREAT | O_APPEND}, {0, 0}};
	size_t i = 0;

	while (letters[i].letter && letters[i].letter != *text)
		i++;
	if (!*text || !letters[i].letter) {
		errno = EINVAL;
		return false;
	}
	*mode = (struct mode){letters[i].flags, {*text}};
	for (i = 1; i < 6 && text[i] && text[i] != ','; i++) {
		if (text[i] == '+')
			mode->text[1] = '+';
		mode->flags |= text[i] == 'x' ? O_EXCL : text[i] == 'e' ? O_CLOEXEC : 0;
	}
	mode->flags |= mode->text[1] ? O_RDWR : *text == 'r' ? O_RDONLY : O_WRONLY;
	return true;
}

FILE *stream_open(int fd, const char *text)
{
	static const cookie_io_functions_t functions = {cookie_read, cookie_write, cookie_seek,
							cookie_close};
	struct mode mode;
	struct stream *s;

	if (!read_mode(text, &mode) || !(s = malloc(sizeof(*s))))
		return NULL;
	*s = (struct stream){.fd = fd};
	s->file = fopencookie(s, mode.text, functions);
	if (!s->file) {
		free(s);
		return NULL;
	}
	s->file->_fileno = fd;
	s->file->_mode = 0;
	s->file->_wide_data = (struct _IO_wide_data *)(void *)stream_mark;
	list_add(s);
	return s->file;
}

/* Open path in the place of fd, whose number stays, as from libc. Returns the descriptor, or -1
 * with fd closed. */
static int open_in_place(const char *path, const struct mode *mode, int fd)
{
	char self[32];
	int new, error;

	if (!path) { /* the same file in another mode; the kernel refuses that for sockets */
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		path = self;
	}
	new = open(path, mode->flags, 0666);
	if (fd < 0 || new == fd)
		return new;
	if (new < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	fd = dup3(new, fd, mode->flags & O_CLOEXEC);
	close(new);
	return fd;
}

/* Bits of FILE._flags that glibc keeps to itself, the same since its first version. */
enum { NO_READS = 4, NO_WRITES = 8 };

static struct stream *find(FILE *file)
{
	struct stream *s;

	list_lock();
	for (s = all; s && s->file != file; s = s->next)
		;
	list_unlock();
	return s;
}

struct wide *stream_wide(FILE *file)
{
	return &find(file)->wide;
}

FILE *stream_reopen(const char *path, const char *text, FILE *file)
{
	struct stream *s = find(file);
	struct mode mode;
	int fd = -1;

	flockfile(file);
	fflush_unlocked(file);
	__fpurge(file);
	clearerr_unlocked(file);
	wide_reset(&s->wide);
	file->_mode = 0;
	if (read_mode(text, &mode))
		fd = open_in_place(path, &mode, s->fd);
	s->fd = file->_fileno = fd;
	if (fd >= 0) {
		file->_flags &= ~(NO_READS | NO_WRITES);
		if (!mode.text[1])
			file->_flags |= *text == 'r' ? NO_WRITES : NO_READS;
	}
	funlockfile(file);
	return fd >= 0 ? file : NULL;
}

/* glibc's list of all its streams. */
extern FILE *_IO_list_all __attribute__((weak));
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));

/* Whoever still has such a stream, as C++'s cout may have the first stdout, must not speak
 * plaintext with it. */
static void disarm(int fd)
{
	if (!&_IO_list_all || !_IO_list_lock || !_IO_list_unlock)
		return;
	_IO_list_lock();
	for (FILE *f = _IO_list_all; f; f = f->_chain)
		if (f->_fileno == fd && !stream_is(f))
			f->_fileno = -1;
	_IO_list_unlock();
}

/* The standard stream of that number goes on as one of ours, with what it still had to write. */
static bool replace_standard(FILE **standard, int fd)
{
	FILE *was = *standard, *now;

	if (stream_is(was) || fileno(was) != fd)
		return true;
	now = stream_open(fd, fd == STDIN_FILENO ? "r" : "w");
	if (!now)
		return false;
	if (fd == STDERR_FILENO)
		setvbuf(now, NULL, _IONBF, 0);
	else if (__flbf(was))
		setvbuf(now, NULL, _IOLBF, 0);
	if (fwide(was, 0) > 0) {
		fwide(now, 1);
	} else if (fd != STDIN_FILENO && __fpending(was)) {
		fwrite(was->_IO_write_base, 1, __fpending(was), now);
	}
	__fpurge(was);
	*standard = now;
	return true;
}

bool stream_take(int fd)
{
	FILE **const standard[] = {&stdin, &stdout, &stderr};
	uint64_t signals = quiet_begin();
	int error = errno;
	bool taken = fd > STDERR_FILENO || !*standard[fd] || replace_standard(standard[fd], fd);

	if (taken) {
		disarm(fd);
		errno = error;
	}
	quiet_end(signals);
	return taken;
}

void stream_flush_all(void)
{
	list_lock();
	for (struct stream *s = all; s; s = s->next) {
		if (ftrylockfile(s->file))
			continue;
		if (__fpending(s->file))
			fflush_unlocked(s->file);
		funlockfile(s->file);
	}
	list_unlock();
}
