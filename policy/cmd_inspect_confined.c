/* SPDX-License-Identifier: MIT
 * starttls inspect: AppArmor. A profile that is for the program may forbid it to map our library,
 * or to read the policy; then `run` does not start it, and with LD_PRELOAD alone its watched
 * connections are refused. Source: apparmor.d(5), "Profile Attachment" and "Globbing".
 *
 *   profile msmtp /usr/bin/msmtp flags=(…) {       its name, then what it is for
 *   /usr/sbin/{dhclient,dhclient-script} {         both in one
 *
 * The files are read, not the kernel's copy, which does not tell what a profile is for. Whether it
 * is loaded is asked there. */
#include "cmd_inspect.h"
#include "policy.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROFILES "/etc/apparmor.d"
#define LOADED   "/sys/kernel/security/apparmor/profiles"

enum { DEPTH = 200 }; /* stars and braces within one another: more are a mistake */

/* --- patterns */

static bool matches(const char *pattern, const char *path, int depth);

/* {a,b}rest: any alternative, each followed by the rest. */
static bool matches_any(const char *pattern, const char *path, int depth)
{
	const char *close = strchr(pattern, '}'), *from = pattern + 1;
	char joined[PATH_MAX];

	while (close && from <= close) {
		size_t n = strcspn(from, ",}");

		if (snprintf(joined, sizeof joined, "%.*s%s", (int)n, from, close + 1) < PATH_MAX &&
		    matches(joined, path, depth))
			return true;
		from += n + 1;
	}
	return false;
}

/* What a star stands for: with `far`, slashes too. */
static bool matches_star(const char *rest, const char *path, bool far, int depth)
{
	for (;; path++) {
		if (matches(rest, path, depth))
			return true;
		if (!*path || (*path == '/' && !far))
			return false;
	}
}

/* A set of characters, and behind it; NULL: it does not match. */
static const char *matches_set(const char *pattern, char c)
{
	bool not = pattern[1] == '^', found = false;
	const char *at = pattern + 1 + not ;

	for (; *at && *at != ']'; at++) {
		if (at[1] == '-' && at[2] && at[2] != ']') {
			found |= c >= at[0] && c <= at[2];
			at += 2;
		} else {
			found |= c == *at;
		}
	}
	return *at && c && found != not ? at + 1 : NULL;
}

/* A variable may stand for anything: better one profile too many than one too few. */
static bool matches(const char *pattern, const char *path, int depth)
{
	for (; depth > 0; pattern++, path++) {
		if (*pattern == '{')
			return matches_any(pattern, path, depth - 1);
		if (*pattern == '@' && pattern[1] == '{')
			return matches_star(pattern + strcspn(pattern, "}") + 1, path, true,
					    depth - 1);
		if (*pattern == '*') {
			bool far = pattern[1] == '*';

			return matches_star(pattern + 1 + far, path, far, depth - 1);
		}
		if (*pattern == '[') {
			pattern = matches_set(pattern, *path);
			if (!pattern)
				return false;
			pattern--;
			continue;
		}
		if (!*pattern || !*path)
			return *pattern == *path;
		if (*pattern != *path && (*pattern != '?' || *path == '/'))
			return false;
	}
	return false;
}

/* --- profiles */

/* The first line of a profile: its name and what it is for. Cuts the line. False: it is none, or
 * for nothing. */
static bool read_head(char *line, const char **name, const char **pattern)
{
	char *rest, *brace = strrchr(line, '{');
	bool named;

	if (!brace || brace[1 + strspn(brace + 1, " \t\r\n")])
		return false;
	*brace = '\0';
	*name = strtok_r(line, " \t\"", &rest);
	if (!*name)
		return false;
	named = !strcmp(*name, "profile");
	if (named)
		*name = strtok_r(NULL, " \t\"", &rest);
	*pattern = named ? strtok_r(NULL, " \t\"", &rest) : NULL;
	if (!*pattern || (**pattern != '/' && **pattern != '@'))
		*pattern = *name;
	return *pattern && (**pattern == '/' || **pattern == '@');
}

/* " (enforce)", as the kernel has it; "" when it is not loaded, or only root may know. */
static void loaded_mode(const char *name, char mode[32])
{
	FILE *in = fopen(LOADED, "re");
	char *line = NULL;
	size_t size = 0, n = strlen(name);

	*mode = '\0';
	while (in && getline(&line, &size, in) > 0)
		if (!strncmp(line, name, n) && line[n] == ' ' && line[n + 1] == '(')
			snprintf(mode, 32, "%.*s", (int)strcspn(line + n, "\n"), line + n);
	free(line);
	if (in)
		fclose(in);
}

static void tell(struct inspection *i, const char *file, const char *name)
{
	const char *ours = i->library ? i->library : "libstarttls.so";
	char mode[32];

	loaded_mode(name, mode);
	inspect_note(
		i,
		"AppArmor confines it by the profile '%s'%s of %s; that must allow '%s mr,', the "
		"same for libstarttls-tls.so beside it, and '%.*s/** r,'",
		name, mode, file, ours,
		(int)(strrchr(POLICY_SYSTEM_FILE, '/') - POLICY_SYSTEM_FILE), POLICY_SYSTEM_FILE);
}

static void look_into(struct inspection *i, const char *file, const char *path)
{
	FILE *in = fopen(file, "re");
	const char *name, *pattern;
	char *line = NULL;
	size_t size = 0;

	while (in && getline(&line, &size, in) > 0) {
		char *head = line + strspn(line, " \t");

		if (*head != '#' && read_head(head, &name, &pattern) &&
		    matches(pattern, path, DEPTH))
			tell(i, file, name);
	}
	free(line);
	if (in)
		fclose(in);
}

/* A regular file that is not switched off (aa-disable(8)). */
static bool in_use(const char *file, const char *name)
{
	char disabled[PATH_MAX];
	struct stat st;

	snprintf(disabled, sizeof disabled, PROFILES "/disable/%s", name);
	return *name != '.' && stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(disabled, F_OK) != 0;
}

void inspect_confinement(struct inspection *i)
{
	char path[PATH_MAX], file[PATH_MAX];
	const struct dirent *entry;
	DIR *all = i->all && realpath(i->path, path) ? opendir(PROFILES) : NULL;

	while (all && (entry = readdir(all))) {
		snprintf(file, sizeof file, PROFILES "/%s", entry->d_name);
		if (in_use(file, entry->d_name))
			look_into(i, file, path);
	}
	if (all)
		closedir(all);
}
