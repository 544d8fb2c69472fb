// SPDX-License-Identifier: MIT
// stdio on a socket, in all the ways of old programs. usage: stdio HOST PORT early|late|update|buffers|words|bulk|again|closed|reopen|left|standard|quick|perror|usurped
#include "legacy.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <wchar.h>

static FILE *in, *out, *told; /* told: where the results go, whatever stdout is */

static void expect(const char *wanted)
{
	char line[1024];

	must(fgets(line, sizeof line, in), "fgets where '%s' was awaited", wanted);
	line[strcspn(line, "\r\n")] = '\0';
	fprintf(told, "%s\n", line);
	must(!strncmp(line, wanted, strlen(wanted)), "'%s' where '%s' was awaited", line, wanted);
}

static void open_both(int fd)
{
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	must(in && out, "fdopen");
	must(fileno(in) == fd && fileno(out) > fd, "fileno");
}

static void greet(void)
{
	expect("220");
	fprintf(out, "HELO %s\r\n", "legacy.test");
	must(fflush(out) == 0, "fflush");
	expect("250");
}

static void quit(void)
{
	must(fputs("QUIT\r\n", out) >= 0 && fflush(out) == 0, "QUIT");
	expect("221");
	must(getc(in) == EOF && feof(in) && !ferror(in), "no end of file after QUIT");
	if (out != in)
		must(fclose(out) == 0, "fclose of the writer");
	must(fclose(in) == 0, "fclose of the reader");
	fprintf(told, "done\n");
}

/* The streams are there before the socket is connected. */
static void early(char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *a = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	open_both(fd);
	must(getaddrinfo(argv[1], argv[2], &hints, &a) == 0, "getaddrinfo");
	must(connect(fd, a->ai_addr, a->ai_addrlen) == 0, "connect");
	freeaddrinfo(a);
	greet();
	quit();
}

/* One stream for both directions. */
static void update(int fd, const char *mode)
{
	in = out = fdopen(fd, mode);
	must(in, "fdopen %s", mode);
	greet();
	must(fseek(in, 0, SEEK_CUR) == -1 && errno == ESPIPE, "fseek");
	must(ftell(in) == -1 && errno == ESPIPE, "ftell");
	fputs("NOOP update\r\n", out);
	must(__fpending(out) == 13, "%zu pending", __fpending(out));
	must(fflush(out) == 0, "fflush");
	expect("250");
	quit();
}

static void buffers(void)
{
	static char room[64];

	greet();
	must(setvbuf(out, NULL, _IONBF, 0) == 0, "setvbuf");
	fputs("NOOP unbuffered\r\n", out);
	expect("250");
	must(setvbuf(out, room, _IOLBF, sizeof room) == 0, "setvbuf");
	fputs("NOOP by line\r\n", out);
	expect("250");
	must(setvbuf(out, room, _IOFBF, sizeof room) == 0, "setvbuf");
	fputs("NOOP full, and longer than the buffer is, so that some of it goes at once\r\n", out);
	fflush(out);
	expect("250");
	setvbuf(out, NULL, _IONBF, 0); /* the room goes away before the stream would */
	setvbuf(in, NULL, _IONBF, 0);
	fputs("NOOP both unbuffered\r\n", out);
	expect("250");
	quit();
}

static void words(void)
{
	char *line = NULL, word[32] = "";
	size_t room = 0;
	int code = 0, c;

	greet();
	fputs("NOOP alpha 42 omega\r\nNOOP second\r\nNOOP third\r\n", out);
	must(putc_unlocked('\n', out) == '\n' && fflush(out) == 0, "fflush");
	must(fscanf(in, "%d 2.0.0 ok %31s", &code, word) == 2, "fscanf");
	fprintf(told, "%d %s\n", code, word);
	must(fscanf(in, "%d", &code) == 1 && (c = getc(in)) == ' ', "fscanf");
	must(ungetc('<', in) == '<' && getc(in) == '<', "ungetc");
	fprintf(told, "%d\n", code);
	must(getline(&line, &room, in) > 0, "getline");
	fprintf(told, "%s", line);
	must(getdelim(&line, &room, 'k', in) > 0, "getdelim");
	fprintf(told, "%s\n", line);
	must(fread(word, 1, 5, in) == 5, "fread");
	fprintf(told, "%.5s\n", word);
	expect("nd");
	expect("250");
	free(line);
	/* read and written in bytes, so never wide any more */
	must(fwide(in, 0) < 0 && fwide(in, 1) < 0, "fwide");
	must(fgetwc(in) == WEOF, "fgetwc");
	must(fputwc(L'x', out) == WEOF && fputws(L"wide", out) == -1, "fputwc");
	must(fwprintf(out, L"%d", 1) == -1, "fwprintf");
	expect("5");
	quit();
}

static void bulk(void)
{
	static unsigned char bytes[3000001];
	char verdict[64];

	greet();
	fprintf(out, "SOURCE %zu\r\n", sizeof bytes);
	fflush(out);
	expect("250");
	must(fread(bytes, 1, sizeof bytes, in) == sizeof bytes, "fread");
	check(bytes, sizeof bytes, 0);
	fprintf(out, "SINK %zu\r\n", sizeof bytes);
	fflush(out);
	expect("250");
	must(fwrite(bytes, 1000, sizeof bytes / 1000, out) == sizeof bytes / 1000, "fwrite");
	must(fwrite(bytes, 1, 1, out) == 1 && fflush(out) == 0, "fwrite");
	snprintf(verdict, sizeof verdict, "250 %zu", sizeof bytes);
	expect(verdict);
	quit();
}

/* A non-blocking descriptor: an error that is none. */
static void again(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char line[64];

	greet();
	set_nonblocking(fd);
	errno = 0;
	must(!fgets(line, sizeof line, in) && errno == EAGAIN, "fgets");
	must(ferror(in) && !feof(in), "ferror");
	clearerr(in);
	must(!ferror(in), "clearerr");
	fputs("NOOP again\r\n", out);
	fflush(out);
	must(poll(&p, 1, 20000) == 1, "poll");
	expect("250");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	quit();
}

static void closed(int fd)
{
	greet();
	signal(SIGPIPE, SIG_IGN);
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	fputs("NOOP\r\n", out);
	must(fflush(out) == EOF && errno == EPIPE && ferror(out), "fflush");
	must(getc(in) == EOF && feof(in), "getc");
	must(fclose(in) == 0, "fclose");
	fclose(out);
	must(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "fclose leaves the descriptor open");
	fprintf(told, "closed\n");
}

static void reopen(int fd)
{
	FILE *same;
	char line[64];

	greet();
	same = freopen("/dev/zero", "r", in);
	must(same == in && fileno(in) == fd && getc(in) == 0, "freopen of the reader");
	must(putc('x', in) == EOF, "a reader that writes");
	same = freopen("stdio.out", "w", out);
	must(same == out && fprintf(out, "to a file\n") > 0 && ftell(out) == 10, "freopen of the writer");
	must(freopen("stdio.out", "r", out) && fgets(line, sizeof line, out), "freopen to read");
	fprintf(told, "%s", line);
	must(fclose(in) == 0 && fclose(out) == 0, "fclose");
	in = fdopen(begin((char *[]){"", getenv("LEGACY_HOST"), getenv("LEGACY_PORT")}), "r+");
	must(in && !freopen("/nowhere/at/all", "r", in) && errno == ENOENT, "freopen of what is not there");
	fprintf(told, "reopened\n");
}

/* The connection becomes descriptors 0 and 1 of a program that uses stdin and stdout. */
static void standard(int fd)
{
	char word[32];

	must(dup2(fd, 0) == 0 && dup2(fd, 1) == 1, "dup2");
	must(close(fd) == 0, "close");
	in = stdin;
	out = stdout;
	expect("220");
	printf("HELO %s\r\n", "legacy.test");
	must(fflush(stdout) == 0, "fflush");
	must(scanf("250 %31s", word) == 1, "scanf");
	fprintf(told, "%s\n", word);
	expect("");
	putchar('N');
	puts("OOP to stdout");
	fflush(NULL);
	expect("250");
	must(write(1, "NOOP raw\r\n", 10) == 10, "write");
	expect("250");
	quit();
}

int main(int argc, char **argv)
{
	int fd;

	must(argc == 4, "four words");
	told = fdopen(dup(1), "w");
	setvbuf(told, NULL, _IOLBF, 0);
	if (!strcmp(argv[3], "early"))
		return early(argv), 0;
	setenv("LEGACY_HOST", argv[1], 1);
	setenv("LEGACY_PORT", argv[2], 1);
	fd = dial(argv);
	if (!strcmp(argv[3], "update"))
		return update(fd, "r+"), 0;
	if (!strcmp(argv[3], "append"))
		return update(fd, "a+"), 0;
	if (!strcmp(argv[3], "standard"))
		return standard(fd), 0;
	open_both(fd);
	if (!strcmp(argv[3], "late")) {
		greet();
		quit();
	} else if (!strcmp(argv[3], "buffers")) {
		buffers();
	} else if (!strcmp(argv[3], "words")) {
		words();
	} else if (!strcmp(argv[3], "bulk")) {
		bulk();
	} else if (!strcmp(argv[3], "perror")) {
		must(dup2(fd, 2) == 2, "dup2");
		greet();
		errno = ENOENT;
		perror("NOOP");
		expect("5"); /* "NOOP:" is no verb */
		fprintf(stderr, "NOOP unbuffered\r\n");
		expect("250");
		must(dup2(fileno(told), 2) == 2, "dup2");
		perror("elsewhere");
		quit();
	} else if (!strcmp(argv[3], "usurped")) { /* a stream of something else, whose number becomes the connection's */
		FILE *other = fopen("/dev/null", "w");

		greet();
		must(dup2(fd, fileno(other)) >= 0, "dup2");
		fputs("NOOP secret\r\n", other);
		fprintf(told, "%s\n", fflush(other) == 0 ? "said" : strerrorname_np(errno));
		quit();
	} else if (!strcmp(argv[3], "again")) {
		again(fd);
	} else if (!strcmp(argv[3], "closed")) {
		closed(fd);
	} else if (!strcmp(argv[3], "reopen")) {
		reopen(fd);
	} else { /* left, quick: what is in the buffers at the end */
		greet();
		fputs("SILENCE last words\r\n", out);
		if (!strcmp(argv[3], "quick")) {
			fflush(out);
			quick_exit(0);
		}
	}
	return 0;
}
