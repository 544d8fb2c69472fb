/* SPDX-License-Identifier: MIT
 * check: how the unit tests count. One line for each check that fails, the counts at the end. */
#ifndef STARTTLS_TEST_CHECK_H
#define STARTTLS_TEST_CHECK_H

#include <stdbool.h>
#include <stdio.h>

static unsigned passed, failed;

/* `what` says what should be so. */
static inline void check(bool ok, const char *what)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED: %s\n", what);
}

/* What main() returns. */
static inline int check_result(void)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}

#endif
