// SPDX-License-Identifier: MIT
// Wide characters on a socket's streams. usage: wide HOST PORT utf8|c|bytes|scan|again|half|reopen|standard
#include "legacy.h"

#include <locale.h>
#include <poll.h>
#include <stdio_ext.h>
#include <wchar.h>

static FILE *in, *out, *told; /* told: where the results go, in bytes, whatever stdout is */

static void expect(const wchar_t *wanted)
{
	wchar_t line[256];

	must(fgetws(line, 256, in), "fgetws where '%ls' was awaited", wanted);
	line[wcscspn(line, L"\r\n")] = L'\0';
	for (wchar_t *c = line; *c; c++)
		fprintf(told, *c < 128 ? "%lc" : "<%x>", (unsigned)*c);
	fprintf(told, "\n");
	must(!wcsncmp(line, wanted, wcslen(wanted)), "'%ls' where '%ls' was awaited", line, wanted);
}

static void greet(void)
{
	fprintf(told, "%d %d\n", fwide(in, 0), fwide(out, 0));
	expect(L"220");
	must(fwprintf(out, L"HELO %ls.%s\r\n", L"legacy", "test") == 18, "fwprintf");
	must(fflush(out) == 0, "fflush");
	expect(L"250");
	fprintf(told, "%d %d, for good: %d %d\n", fwide(in, 0), fwide(out, 0), fwide(in, -1), fwide(out, -1));
}

static void quit(void)
{
	must(fputws(L"QUIT\r\n", out) >= 0 && fflush(out) == 0, "QUIT");
	expect(L"221");
	must(getwc(in) == WEOF && feof(in) && !ferror(in), "no end of file after QUIT");
	must(fclose(out) == 0 && fclose(in) == 0, "fclose");
	fprintf(told, "done\n");
}

/* Have the peer send these bytes back. */
static void echo(const char *bytes, size_t n)
{
	fwprintf(out, L"ECHO %zu\r\n", n);
	fflush(out);
	expect(L"250");
	say_bytes(fileno(out), bytes, n);
}

/* All that can be written arrives as it would, and all that arrives can be read. */
static void characters(void)
{
	static const char text[] = "a\303\244\342\202\254\360\237\220\200z\r\n";
	wchar_t line[16];
	wint_t c;

	greet();
	fputws(L"ECHO 17\r\n", out);
	must(fputwc(L'ä', out) == L'ä' && putwc(L'€', out) == L'€', "fputwc");
	must(fputws(L"\x1f400 ends.\r\nNOOP \xe9\r\n", out) >= 0, "fputws");
	must(fflush(out) == 0, "fflush");
	expect(L"250");
	for (int i = 0; i < 4; i++)
		fprintf(told, "%x ", fgetwc(in));
	while ((c = getwc_unlocked(in)) != L'\n' && c != WEOF)
		fprintf(told, "%x ", c);
	fprintf(told, "\n");
	expect(L"250");
	echo(text, sizeof text - 1);
	must(fgetwc(in) == L'a' && ungetwc(L'a', in) == L'a' && ungetwc(L'€', in) == L'€', "ungetwc");
	must(fgetws(line, 4, in) == line && line[3] == 0, "fgetws");
	fprintf(told, "%x %x %x\n", line[0], line[1], line[2]);
	must(fgetws(line, 1, in) == line && line[0] == 0 && !fgetws(line, 0, in), "fgetws without room");
	expect(L"€\x1f400z");
	quit();
}

/* A locale that has seven bits only. */
static void ascii(void)
{
	greet();
	must(fputws(L"NOOP a€\xe9\r\n", out) >= 0 && fflush(out) == 0 && !ferror(out), "fputws");
	expect(L"250");
	echo("ab\351z\r\n", 6);
	for (int i = 0; i < 4; i++) {
		errno = 0;
		fprintf(told, "%x ", fgetwc(in));
		fprintf(told, "%d %d%d\n", errno, feof(in), ferror(in));
	}
}

static void bytes_first(void)
{
	wchar_t text[8];
	char line[64];

	must(fwide(out, -1) < 0 && fgets(line, sizeof line, in), "fgets");
	fprintf(told, "%d %d %d %d\n", fwide(in, 1), fwide(out, 1), fputws(L"x", out), fwprintf(out, L"x"));
	fprintf(told, "%d %d %d\n", fgetwc(in) == WEOF, fgetws(text, 8, in) == NULL, fwscanf(in, L"%7ls", text));
	fprintf(told, "%d\n", fputs("HELO bytes.test\r\n", out) >= 0 && fflush(out) == 0 && fgets(line, sizeof line, in));
}

static void scan(void)
{
	wchar_t word[32] = L"", *own = NULL;
	char narrow[32] = "", *bytes = NULL, *set = NULL;
	int code = 0, n = 0;
	wchar_t c;

	greet();
	fputws(L"NOOP one\r\nNOOP two\r\nNOOP three\r\n", out);
	fflush(out);
	must(fwscanf(in, L"%d 2.0.0 ok %31ls", &code, word) == 2, "fwscanf");
	fprintf(told, "%d %ls\n", code, word);
	must(fwscanf(in, L"%d%lc%n", &code, &c, &n) == 2, "fwscanf");
	fprintf(told, "%d '%lc' %d\n", code, c, n);
	expect(L"2.0.0");
	must(fwscanf(in, L"%31s%mls", narrow, &own) == 2, "fwscanf");
	fprintf(told, "%s %ls\n", narrow, own);
	free(own);
	expect(L"");
	fputws(L"NOOP\r\nPAUSE 100\r\n", out); /* the second half comes when the first has been scanned */
	fflush(out);
	must(fwscanf(in, L"%mls %ms ok %*d %m[^\r%%]%n", &own, &bytes, &set, &n) == 3, "fwscanf");
	fprintf(told, "%ls %s %s %d\n", own, bytes, set, n);
	free(own);
	free(bytes);
	free(set);
	expect(L"");
	echo("12\303\244\303\266x3.5 0x1f rest\r\n", 22);
	must(fwscanf(in, L"%d%l[äö]x%f %i", &code, word, &(float){0}, &n) == 4, "fwscanf");
	fprintf(told, "%d %x %x %d\n", code, word[0], word[1], n);
	must(fwscanf(in, L"%d", &code) == 0, "fwscanf of what is no number");
	expect(L" rest" + 1);
	fputws(L"QUIT\r\n", out);
	fflush(out);
	n = fwscanf(in, L"%d %*[^\n]%d", &code, &n);
	fprintf(told, "%d %d %d%d\n", n, code, feof(in) != 0, ferror(in) != 0);
	n = fwscanf(in, L"%d", &code);
	fprintf(told, "%d\n", n);
}

/* Nothing for now; with `half`, a character whose last byte is late, which libc's own streams never get over. */
static void again(int fd, bool half)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	greet();
	fputws(L"ECHO 3\r\n", out);
	fflush(out);
	expect(L"250");
	set_nonblocking(fd);
	if (half) {
		say_bytes(fd, "\342\202", 2);
		must(poll(&p, 1, 20000) == 1, "poll");
	}
	must(fgetwc(in) == WEOF && errno == EAGAIN && ferror(in) && !feof(in), "fgetwc");
	clearerr(in);
	say_bytes(fd, "\342\202\254" + 2 * half, half ? 1 : 3);
	must(poll(&p, 1, 20000) == 1, "poll");
	fprintf(told, "%x\n", fgetwc(in));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	quit();
}

int main(int argc, char **argv)
{
	const char *act = argv[argc - 1];
	int fd;

	must(argc == 4, "three words");
	told = fdopen(dup(1), "w");
	setvbuf(told, NULL, _IOLBF, 0);
	must(setlocale(LC_ALL, strcmp(act, "c") ? "C.UTF-8" : "C"), "setlocale");
	fd = dial(argv);
	if (!strcmp(act, "standard")) {
		must(dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && close(fd) == 0, "dup2");
		in = stdin;
		out = stdout;
		must(getwchar() == L'2' && ungetwc(L'2', stdin) == L'2', "getwchar");
		greet();
		must(wprintf(L"NOOP %d\r\n", 1) == 8 && putwchar(L'N') == L'N', "wprintf");
		fputws(L"OOP\r\n", stdout);
		fflush(NULL);
		expect(L"250");
		must(wscanf(L"%*[^\r\n]") == 0 && getwchar_unlocked() == L'\r' && getwchar() == L'\n', "wscanf");
		quit();
		return 0;
	}
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	must(in && out, "fdopen");
	if (!strcmp(act, "utf8")) {
		characters();
	} else if (!strcmp(act, "c")) {
		ascii();
	} else if (!strcmp(act, "bytes")) {
		bytes_first();
	} else if (!strcmp(act, "scan")) {
		scan();
	} else if (!strcmp(act, "again")) {
		again(fd, false);
	} else if (!strcmp(act, "half")) {
		again(fd, true);
	} else if (!strcmp(act, "reopen")) {
		greet();
		must(freopen("wide.out", "w", out) == out && fwide(out, 0) == 0, "freopen");
		fprintf(told, "%d\n", fputs("bytes now\n", out) >= 0 && fwide(out, 0) < 0);
		fclose(out);
		out = fdopen(dup(fd), "w");
		must(setvbuf(out, NULL, _IONBF, 0) == 0 && fwide(out, 0) == 0, "setvbuf");
		quit();
	}
	return 0;
}
