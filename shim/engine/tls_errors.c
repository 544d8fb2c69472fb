/* SPDX-License-Identifier: MIT
 * tls_errors: the host's error queue. It belongs to the thread, so the host's use of OpenSSL and
 * ours share it, and OpenSSL's own handshake clears it whatever marks are set. Mostly it is empty,
 * and then nothing needs to be kept. */
#include "tls_local.h"
#include <stdlib.h>

enum { QUEUE = 16, TEXT = 256 }; /* OpenSSL keeps no more errors than that */

struct error {
	unsigned long code;
	int line;
	char file[TEXT], function[TEXT], data[TEXT];
};

struct errors {
	size_t n;
	struct error error[QUEUE];
};

static void copy(char to[static TEXT], const char *from)
{
	size_t n = from ? strnlen(from, TEXT - 1) : 0;

	if (n)
		memcpy(to, from, n);
	to[n] = 0;
}

struct errors *errors_aside(void)
{
	struct errors *hosts = ERR_peek_error() ? calloc(1, sizeof *hosts) : NULL;
	const char *file, *function, *data;
	struct error *e;
	int flags;

	while (hosts && hosts->n < QUEUE) {
		e = &hosts->error[hosts->n];
		e->code = ERR_get_error_all(&file, &e->line, &function, &data, &flags);
		if (!e->code)
			break;
		copy(e->file, file);
		copy(e->function, function);
		copy(e->data, flags & ERR_TXT_STRING ? data : NULL);
		hosts->n++;
	}
	return hosts;
}

void errors_back(struct errors *hosts)
{
	size_t i;

	if (ERR_peek_error())
		ERR_clear_error();
	for (i = 0; hosts && i < hosts->n; i++) {
		const struct error *e = &hosts->error[i];

		ERR_new();
		ERR_set_debug(e->file, e->line, e->function);
		if (*e->data)
			ERR_set_error(ERR_GET_LIB(e->code), ERR_GET_REASON(e->code), "%s", e->data);
		else
			ERR_set_error(ERR_GET_LIB(e->code), ERR_GET_REASON(e->code), NULL);
	}
	free(hosts);
}
