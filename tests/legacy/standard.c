// SPDX-License-Identifier: MIT
// Speaks on its stdin and stdout, which are a connection. usage: standard stdio|raw|mixed; what it hears goes to descriptor 9
#include "legacy.h"

static FILE *told;

static void hear_line(const char *wanted)
{
	static char *line;
	static size_t room;

	must(getline(&line, &room, stdin) > 0, "getline where '%s' was awaited", wanted);
	fputs(line, told);
	must(!strncmp(line, wanted, strlen(wanted)), "'%s' where '%s' was awaited", line, wanted);
}

static void with_stdio(void)
{
	int code, c;

	hear_line("220");
	printf("HELO %s\r\n", "legacy.test");
	fflush(stdout);
	must(scanf("%d", &code) == 1, "scanf");
	fprintf(told, "%d", code);
	while ((c = getchar()) != '\n' && c != EOF)
		putc(c, told);
	fputs("\n", told);
	puts("NOOP one\r");
	putchar('N');
	fwrite("OOP two\r\nQUIT\r\n", 1, 15, stdout);
	fflush(stdout);
	hear_line("250");
	hear_line("250");
	hear_line("221");
	must(getchar() == EOF && feof(stdin), "no end of file after QUIT");
}

static void with_read(void)
{
	char byte;

	say(1, "HELO legacy.test\r\nQUIT\r\n");
	while (read(0, &byte, 1) == 1)
		putc(byte, told);
}

int main(int argc, char **argv)
{
	must(argc == 2, "two words");
	told = fdopen(9, "w");
	if (argv[1][0] == 's')
		with_stdio();
	else
		with_read();
	fprintf(told, "done\n");
	return fclose(told);
}
