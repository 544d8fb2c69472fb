/* SPDX-License-Identifier: MIT
 * hook_sandbox: prctl(), to read the policy, and to look libc's functions up, while there is leave
 * to. A program that is about to give up system calls (libseccomp asks for PR_SET_NO_NEW_PRIVS
 * first) may connect later, when those that open files and list directories are no longer among its
 * own: asking the policy would then be its end, though the connection is none of ours. apt's
 * methods do so, with APT::Sandbox::Seccomp.
 *
 * Surprising: a fixed number of parameters, for the reason in hook_control.c. The engine is not
 * opened: a sandbox that leaves out what TLS needs ends the program at its first watched
 * connection, with nothing said to anybody. */
#include "ask.h"
#include "hook.h"
#include "process.h"
#include "start.h"
#include <linux/prctl.h>

HOOK int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);

static SLOW void prepare(void)
{
	real_all(); /* later that takes a system call, to keep signals out */
	(void)start_observe();
	if (!process_borrowed())
		ask_prepare();
}

HOOK int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	if (option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP)
		prepare();
	return real.prctl(option, a, b, c, d);
}
