/* SPDX-License-Identifier: MIT
 * process: the pid tells, because vfork() runs no handlers. */
#include "process.h"
#include <stdatomic.h>
#include <unistd.h>

static _Atomic pid_t owner; /* 0: nothing is ours yet */

void process_own(void)
{
	owner = getpid();
}

bool process_borrowed(void)
{
	return owner && owner != getpid();
}
