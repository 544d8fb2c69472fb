/* SPDX-License-Identifier: MIT
 * start: the environment, the beginning and the end of the process. */
#include "start.h"
#include "../quiet.h"
#include "arrive.h"
#include "ask.h"
#include "engine_open.h"
#include "everywhere.h"
#include "names.h"
#include "process.h"
#include "stream.h"
#include "table.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static char log_to[PATH_MAX], observe_to[PATH_MAX];
static char settings[6 * PATH_MAX]; /* start_kept(): a copy, for the same reason */
static char *kept[8];
static atomic_bool known; /* the two above */

/* A copy, for the host may change its environment at any time. */
static void look(void)
{
	const char *to = secure_getenv("STARTTLS_LOG"),
		   *observe = secure_getenv("STARTTLS_OBSERVE");

	if (to && strlen(to) < sizeof(log_to))
		strcpy(log_to, to);
	if (observe && *observe == '/' && strlen(observe) < sizeof(observe_to))
		strcpy(observe_to, observe);
	known = true;
}

/* At the first question, which may come before begin(). */
static void know(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t signals;

	if (known)
		return;
	signals = quiet_begin();
	pthread_once(&once, look);
	quiet_end(signals);
}

const char *start_observe(void)
{
	know();
	return *observe_to ? observe_to : NULL;
}

const char *start_log(void)
{
	know();
	return *log_to ? log_to : NULL;
}

/* What does not fit is not kept; there is none of that from `run`. */
static void keep(void)
{
	static const char *const names[] = {"STARTTLS_RUN", "STARTTLS_POLICY", "STARTTLS_LOG",
					    "STARTTLS_OBSERVE"};
	size_t used = 0, n = 0;

	if (!secure_getenv(names[0]))
		return;
	start_log(); /* a program that empties its environment is to be heard of, too */
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = secure_getenv(names[i]);
		size_t size = value ? strlen(names[i]) + strlen(value) + 2 : 0;

		if (!size || size > sizeof(settings) - used)
			continue;
		kept[n++] = settings + used;
		stpcpy(stpcpy(stpcpy(settings + used, names[i]), "="), value);
		used += size;
	}
}

const char *start_run(void)
{
	return *kept ? *kept + sizeof("STARTTLS_RUN=") - 1 : NULL;
}

const char *start_policy(void)
{
	static const char name[] = "STARTTLS_POLICY=";

	for (char **k = kept; *k; k++)
		if (strncmp(*k, name, sizeof(name) - 1) == 0)
			return *k + sizeof(name) - 1;
	return NULL;
}

bool start_names_policy(void)
{
	return start_policy() || secure_getenv("STARTTLS_POLICY");
}

char *const *start_kept(void)
{
	return kept;
}

/* Before the program's own handlers, which then find nothing of ours locked: nss_ldap's closes its
 * connection in the child. The last one is the first to be called before fork(): streams are
 * written out on connections with their list locked. */
static void survive_fork(void)
{
	names_survive_fork();
	ask_survive_fork();
	(void)engine_survive_fork(); /* out of memory: it is tried again before there is need */
	stream_survive_fork();
}

__attribute__((constructor)) static void begin(void)
{
	process_begin();
	survive_fork();
	keep();
	if (start_run())
		everywhere_begin(start_run());
	arrive();
}

/* Slots stay: who writes later still must find them. */
static void finish_all(void)
{
	struct conn *c;

	for (int fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if ((c = table_get(fd)))
			engine->finish(c, fd);
}

/* libc writes its streams out only after us, so what waits in ours goes first. */
__attribute__((destructor)) static void end(void)
{
	if (table_next(0) < 0 || process_borrowed())
		return;
	stream_flush_all();
	finish_all();
}

/* quick_exit() runs no destructors and writes no streams out. */
static void end_quickly(void)
{
	if (!process_borrowed())
		finish_all();
}

void start_watching(void)
{
	(void)at_quick_exit(end_quickly);
}
