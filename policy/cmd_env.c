/* SPDX-License-Identifier: MIT
 * starttls env: what to paste elsewhere, where `starttls run` cannot stand in front: a shell, a
 * systemd unit, a Dockerfile. */
#include "command.h"
#include <stdio.h>
#include <string.h>

/* Would one of them take the path for more than a path? */
static bool plain(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || strchr(":\"'\\$%`*?[]{}<>|&;()#~!\177", *path))
			return false;
	return true;
}

/* Appended, as by `run`: whoever preloads something else first meant it to come first. */
static void print_sh(const char *library)
{
	printf("# for a shell, or ~/.profile: every program started from it (eval \"$(starttls "
	       "env)\")\n"
	       "export LD_PRELOAD=\"${LD_PRELOAD:+$LD_PRELOAD:}%s\"\n",
	       library);
}

static void print_systemd(const char *library)
{
	printf("# systemctl edit NAME.service, then systemctl restart NAME.service\n"
	       "# It replaces an LD_PRELOAD that the unit has already. Each connection leaves a "
	       "line in: journalctl -t NAME\n"
	       "[Service]\n"
	       "Environment=LD_PRELOAD=%s\n",
	       library);
}

static void print_docker(const char *library)
{
	int directory = (int)(strrchr(library, '/') - library) + 1;

	printf("# Dockerfile; the image must have glibc and libssl3. Put both libraries beside it "
	       "first:\n"
	       "#   cp %s %.*slibstarttls-tls.so .\n"
	       "COPY libstarttls.so libstarttls-tls.so /usr/local/lib/\n"
	       "ENV LD_PRELOAD=/usr/local/lib/libstarttls.so\n"
	       "# There is no syslog in a container: the log goes to the program's stderr.\n"
	       "ENV STARTTLS_LOG=stderr\n",
	       library, directory, library);
}

static const struct form {
	const char *option;
	void (*print)(const char *library);
} forms[] = {{"--sh", print_sh}, {"--systemd", print_systemd}, {"--docker", print_docker}};

static const struct form *find_form(const char *option)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (!strcmp(option, forms[i].option))
			return &forms[i];
	return NULL;
}

int cmd_env(int argc, char **argv)
{
	const struct form *form = find_form(argc > 1 ? argv[1] : "--sh");
	char library[PATH_MAX];

	if (!form || argc > 2) {
		fprintf(stderr, "starttls env: '%s' is %s; one of --sh, --systemd, --docker\n",
			argv[form ? 2 : 1], form ? "too much" : "unknown");
		return EXIT_WRONG_USE;
	}
	if (!library_find(library)) {
		fputs("starttls env: there is no libstarttls.so beside this command, in ../lib or "
		      "in " STARTTLS_LIBDIR "; install it first\n",
		      stderr);
		return EXIT_UNREACHABLE;
	}
	if (!plain(library)) {
		fprintf(stderr,
			"starttls env: '%s' has characters that would have to be quoted "
			"differently "
			"everywhere: move it to a plain path\n",
			library);
		return EXIT_UNREACHABLE;
	}
	form->print(library);
	return EXIT_OK;
}
