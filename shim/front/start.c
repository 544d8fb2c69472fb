/* SPDX-License-Identifier: MIT
 * start: the environment, and the end of the process. */
#include "start.h"
#include "engine_open.h"
#include "process.h"
#include "table.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static char log_to[PATH_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A copy, for the host may change its environment at any time. */
static void look(void)
{
	const char *to = secure_getenv("STARTTLS_LOG");

	if (to && strlen(to) < sizeof(log_to))
		strcpy(log_to, to);
}

const char *start_log(void)
{
	pthread_once(&once, look);
	return *log_to ? log_to : NULL;
}

/* Slots stay: stdio is flushed after us, and must still find its connections. */
__attribute__((destructor)) static void end(void)
{
	struct conn *c;

	if (table_next(0) < 0 || process_borrowed())
		return;
	for (int fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if ((c = table_get(fd)))
			engine->finish(c, fd);
}
