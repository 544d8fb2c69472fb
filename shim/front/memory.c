/* SPDX-License-Identifier: MIT
 * memory: is there memory where the app's pointer says?
 *
 * What was there is remembered per thread as ranges of whole pages, which grow together: a program
 * moves through a few buffers, and one comparison says yes for every piece of them. */
#include "memory.h"
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, KNOWN = 4 }; /* pages may be larger: then some are asked about twice */
enum access { READING, WRITING };

static _Thread_local struct known {
	struct range {
		uintptr_t from;
		size_t n; /* bytes; 0: none */
	} range[KNOWN];
	unsigned latest, oldest;
} known[2];

static bool kernel_reads(uintptr_t page)
{
	/* at the page's end, for the first word of all is NULL, which the kernel would take for "no
	 * set" */
	return syscall(SYS_rt_sigprocmask, ~0, page + PAGE - 8, NULL, 8) == 0 || errno != EFAULT;
}

static bool kernel_writes(uintptr_t page)
{
	static _Atomic uint32_t nobody; /* waits here */

	return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, NULL, page,
		       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) >= 0 ||
	       errno != EFAULT;
}

static bool is_there(uintptr_t address, enum access how)
{
	uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
	int error = errno;
	bool there = how == READING ? kernel_reads(page) : kernel_writes(page);

	errno = error;
	return there;
}

static bool is_within(const struct range *r, uintptr_t from, size_t n)
{
	size_t at = from - r->from;

	return at < r->n && n <= r->n - at;
}

/* Are the n > 0 bytes from `from` on in a range? */
static bool is_known(struct known *k, uintptr_t from, size_t n)
{
	if (is_within(&k->range[k->latest], from, n))
		return true;
	for (unsigned i = 0; i < KNOWN; i++)
		if (is_within(&k->range[i], from, n)) {
			k->latest = i;
			return true;
		}
	return false;
}

/* A signal handler may come at any moment and look here: never a range that mixes old and new. */
static void replace(struct range *r, uintptr_t from, uintptr_t end)
{
	r->n = 0;
	atomic_signal_fence(memory_order_seq_cst);
	r->from = from;
	atomic_signal_fence(memory_order_seq_cst);
	r->n = end - from;
}

/* The pages from that of `from` to that of `last` are there: put them to a range that touches them,
 * or in the place of the oldest. */
static void learn(struct known *k, uintptr_t from, uintptr_t last)
{
	uintptr_t end = (last | (PAGE - 1)) + 1;
	struct range *r;

	from &= ~(uintptr_t)(PAGE - 1);
	for (r = k->range; r < k->range + KNOWN; r++) {
		if (!r->n || r->from > end || from > r->from + r->n)
			continue;
		if (end < r->from + r->n)
			end = r->from + r->n;
		if (from > r->from)
			from = r->from;
		replace(r, from, end);
		return;
	}
	replace(&k->range[k->oldest++ % KNOWN], from, end);
}

/* Ask the kernel how many of the n > 0 bytes are there: each page, for there may be a hole between
 * two that are. */
static size_t ask(uintptr_t from, size_t n, enum access how)
{
	uintptr_t last, at = from;

	if (__builtin_add_overflow(from, n - 1, &last))
		last = UINTPTR_MAX;
	for (;; at = (at / PAGE + 1) * PAGE) {
		if (!is_there(at, how))
			break;
		if (at / PAGE == last / PAGE) {
			learn(&known[how], from, last);
			return n;
		}
	}
	if (at > from)
		learn(&known[how], from, at - 1);
	return at - from;
}

size_t memory_there(const void *bytes, size_t n)
{
	uintptr_t from = (uintptr_t)bytes;

	return !n || is_known(&known[READING], from, n) ? n : ask(from, n, READING);
}

size_t memory_writable(const void *bytes, size_t n)
{
	uintptr_t from = (uintptr_t)bytes;

	return !n || is_known(&known[WRITING], from, n) ? n : ask(from, n, WRITING);
}
