/* SPDX-License-Identifier: MIT
 * layers: which files there are, whether they may be believed, and loading them.
 *
 *   /etc/starttls/policy                 of root, and written by nobody else
 *   $STARTTLS_POLICY, else               of the user or of root, and written by nobody else
 *   $XDG_CONFIG_HOME/starttls/policy, else
 *   ~/.config/starttls/policy            and so all that they include
 *
 * A layer that is not there is silent. One that is there and cannot be read is broken: it might
 * have asked for more. */
#include "read.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char out_of_memory[] = "out of memory while the policy was read";

/* --- where they are */

/* A path that does not fit must not end up as another file, or as none. */
static void user_path(struct policy_files *files, const char *base, const char *rest)
{
	static char path[4096];
	int n = snprintf(path, sizeof path, "%s%s", base, rest);

	files->user = path;
	if (n < 0 || (size_t)n >= sizeof path) {
		files->user = "(the path of the user's policy is too long)";
		files->user_required = true;
	}
}

struct policy_files policy_files(void)
{
	struct policy_files files = {.system = POLICY_SYSTEM_FILE};
	/* All NULL under AT_SECURE: whoever started a setuid program has no say in it. */
	const char *named = secure_getenv("STARTTLS_POLICY");
	const char *config = secure_getenv("XDG_CONFIG_HOME");
	const char *home = secure_getenv("HOME");

	if (named && *named) {
		files.user_required = true;
		user_path(&files, named, "");
	} else if (config && *config == '/') { /* XDG: a relative one is to be ignored */
		user_path(&files, config, "/starttls/policy");
	} else if (home && *home == '/') {
		user_path(&files, home, "/.config/starttls/policy");
	}
	return files;
}

/* --- loading */

static struct policy *policy_new(void)
{
	struct policy *p = calloc(1, sizeof *p);

	for (int i = 0; p && i < LAYERS; i++)
		p->layers[i].end = &p->layers[i].first;
	return p;
}

/* Is there nothing to read? A place that cannot even be searched is not this user's home (a daemon
 * that gave up root often keeps its HOME); but it may well be where the system's policy is. */
static bool absent(const char *file, int layer)
{
	struct stat st;

	if (stat(file, &st) == 0)
		return false;
	return errno == ENOENT || errno == ENOTDIR || (errno == EACCES && layer == LAYER_USER);
}

static void read_layer(struct policy *policy, int layer, const char *file, FILE *errors)
{
	struct reading reading = {.policy = policy, .layer = layer, .errors = errors};
	struct text text = {.name = pool_copy(&policy->pool, file, strlen(file))};
	struct parser p = {.reading = &reading, .text = &text};

	policy->layers[layer].file = text.name;
	if (text.name)
		read_file(&p, &text);
}

/* What was built without memory is not what was written, and nobody knows what it would have been
 * about. */
static struct policy *finish(struct policy *p)
{
	if (!p->pool.failed)
		return p;
	policy_free(p);
	return NULL;
}

struct policy *policy_load(const struct policy_files *files, FILE *errors)
{
	int saved = errno;
	struct policy *p = policy_new();

	if (p && files->system && !absent(files->system, LAYER_SYSTEM))
		read_layer(p, LAYER_SYSTEM, files->system, errors);
	if (p && files->user && (files->user_required || !absent(files->user, LAYER_USER)))
		read_layer(p, LAYER_USER, files->user, errors);
	errno = saved;
	return p ? finish(p) : NULL;
}

struct policy *policy_from_text(const struct policy_text texts[LAYERS], FILE *errors)
{
	int saved = errno;
	struct policy *policy = policy_new();

	for (int i = 0; policy && i < LAYERS; i++) {
		struct reading reading = {.policy = policy, .layer = i, .errors = errors};
		struct text text = {texts[i].name, texts[i].bytes, texts[i].size};
		struct parser p = {.reading = &reading, .text = &text, .from_memory = true};

		if (!text.bytes)
			continue;
		text.name = pool_copy(&policy->pool, text.name, strlen(text.name));
		policy->layers[i].file = text.name;
		if (text.name)
			parse_text(&p);
	}
	errno = saved;
	return policy ? finish(policy) : NULL;
}

void policy_free(struct policy *p)
{
	if (p)
		pool_free(&p->pool);
	free(p);
}

const char *policy_broken(const struct policy *p)
{
	return p ? p->broken : out_of_memory;
}

const char *policy_layer(const struct policy *p, int layer, size_t *n_rules)
{
	*n_rules = p->layers[layer].n_rules;
	return p->layers[layer].file;
}
