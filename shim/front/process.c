/* SPDX-License-Identifier: MIT
 * process: the pid tells, because vfork() runs no handlers; and a page with MADV_WIPEONFORK, which
 * is empty in a child that has a memory of its own. */
#include "process.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic pid_t owner;          /* 0: not known */
static _Atomic bool watching;        /* process_own() has been called: there is something to
				      * protect */
static _Atomic char *_Atomic intact; /* 1, in a forked child 0; NULL: the kernel has no such page */

static _Thread_local bool apart; /* this thread has descriptors of its own */

static void note(void)
{
	apart = false;
	owner = getpid();
	if (intact)
		*intact = 1;
}

void process_begin(void)
{
	int error = errno;
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED && madvise(page, 1, MADV_WIPEONFORK) == 0) {
		intact = page;
		note();
		(void)pthread_atfork(NULL, NULL, note);
	} else if (page != MAP_FAILED) {
		munmap(page, 1);
	}
	errno = error;
}

void process_own(void)
{
	watching = true;
	note();
}

bool process_borrowed(void)
{
	if (apart)
		return true;
	if (!owner || owner == getpid())
		return false;
	if (watching || *intact)
		return true;
	note(); /* forked without the C library, but nothing of ours is there yet to suffer */
	return false;
}

void process_part(void)
{
	if (!process_borrowed()) /* a child of vfork() has its parent's thread-local memory */
		apart = true;
}

bool process_estranged(void)
{
	return process_borrowed() && intact && !*intact;
}
