/* SPDX-License-Identifier: MIT
 * legacy: what the small plain programs of this directory share. None of them has heard of TLS. Each does its I/O in one particular
 * way, talks to the peer's extra verbs (peer_smtp.c), and prints what happened: natively and under the shim that must be the same. */
#ifndef STARTTLS_TESTS_LEGACY_H
#define STARTTLS_TESTS_LEGACY_H

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

/* End with a sentence unless it is true. */
#define must(truth, ...) \
	do { \
		if (!(truth)) { \
			int error = errno; \
			printf("FAILED: " __VA_ARGS__); \
			printf(" (%s, errno %s)\n", #truth, strerrorname_np(error)); \
			exit(1); \
		} \
	} while (0)

/* Connect to argv[1] at port argv[2]. */
static UNUSED int dial(char **argv)
{
	struct addrinfo hints = {}, *all = NULL;

	hints.ai_socktype = SOCK_STREAM;
	must(getaddrinfo(argv[1], argv[2], &hints, &all) == 0, "cannot resolve %s", argv[1]);
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			freeaddrinfo(all);
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	must(false, "cannot connect");
	return -1;
}

static UNUSED void say_bytes(int fd, const void *bytes, size_t n)
{
	for (const char *from = (const char *)bytes; n > 0;) {
		ssize_t sent = write(fd, from, n);

		must(sent > 0, "write of %zu bytes gave %zd", n, sent);
		from += sent;
		n -= (size_t)sent;
	}
}

static UNUSED void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

/* Read one line byte by byte and print it. */
static UNUSED void hear(int fd, const char *wanted)
{
	char line[1024];
	size_t n = 0;

	do {
		ssize_t got = read(fd, line + n, 1);
		must(got == 1, "read gave %zd where '%s' was awaited", got, wanted);
	} while (line[n++] != '\n' && n < sizeof line);
	line[n - 1] = '\0';
	line[strcspn(line, "\r")] = '\0';
	printf("%s\n", line);
	must(!strncmp(line, wanted, strlen(wanted)), "'%s' where '%s' was awaited", line, wanted);
}

static UNUSED void ask(int fd, const char *text, const char *wanted)
{
	say(fd, text);
	hear(fd, wanted);
}

/* Dial, hear the greeting, say HELO. */
static UNUSED int begin(char **argv)
{
	int fd = dial(argv);

	hear(fd, "220");
	ask(fd, "HELO legacy.test\r\n", "250");
	return fd;
}

static UNUSED int finish(int fd)
{
	char c;

	ask(fd, "QUIT\r\n", "221");
	must(read(fd, &c, 1) == 0, "no end of file after QUIT");
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}

/* The peer's SOURCE sends this; our own big writes use it too. */
static UNUSED unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static UNUSED void fill(unsigned char *bytes, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(at + i);
}

static UNUSED void check(const unsigned char *bytes, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		must(bytes[i] == pattern(at + i), "byte %zu is wrong", at + i);
}

static UNUSED void set_nonblocking(int fd)
{
	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "fcntl");
}

/* --- a full-duplex flow over a non-blocking descriptor: FLOW bytes out, and the echo of them in. The program waits; these move. */
enum { FLOW = 700 * 1000 };
struct flow {
	size_t out, in;
};

/* Write until EAGAIN or done; whether the program should wait for writability. */
static UNUSED bool flow_write(struct flow *f, int fd)
{
	unsigned char bytes[10007];

	while (f->out < FLOW) {
		size_t n = FLOW - f->out < sizeof bytes ? FLOW - f->out : sizeof bytes;

		fill(bytes, n, f->out);
		ssize_t sent = write(fd, bytes, n);
		if (sent < 0 && errno == EAGAIN)
			return true;
		must(sent > 0, "write at %zu gave %zd", f->out, sent);
		f->out += (size_t)sent;
	}
	return false;
}

/* Read until EAGAIN, or once when `once`. */
static UNUSED void flow_read(struct flow *f, int fd, bool once)
{
	unsigned char bytes[7001];

	while (f->in < FLOW) {
		ssize_t got = read(fd, bytes, sizeof bytes);

		if (got < 0 && errno == EAGAIN)
			return;
		must(got > 0, "read at %zu gave %zd", f->in, got);
		check(bytes, (size_t)got, f->in);
		f->in += (size_t)got;
		if (once)
			return;
	}
}

static UNUSED int flow_end(struct flow *f, int fd)
{
	must(f->out == FLOW && f->in == FLOW, "%zu out, %zu in", f->out, f->in);
	printf("%d bytes out and back\n", FLOW);
	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0, "fcntl");
	return finish(fd);
}

/* Begin, and ask for the echo. The descriptor is non-blocking from then on. */
static UNUSED int flow_begin(char **argv)
{
	char text[64];
	int fd = begin(argv);

	snprintf(text, sizeof text, "ECHO %d\r\n", FLOW);
	ask(fd, text, "250");
	set_nonblocking(fd);
	return fd;
}

#endif
