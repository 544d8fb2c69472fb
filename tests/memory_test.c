/* SPDX-License-Identifier: MIT
 * memory_test: is there memory, and what is remembered of it. Each page is good or not by turns, and is never remembered as good
 * because its neighbours were. */
#include "check.h"
#include "memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 16 };

static char *map(int protection)
{
	return mmap(NULL, PAGES * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What is remembered is the thread's: a new one begins with nothing. */
static void in_thread(void *(*test)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, test, NULL) != 0)
		check(false, "a thread");
	else
		pthread_join(thread, NULL);
}

static void *test_answers(void *unused)
{
	char *pages = map(PROT_READ | PROT_WRITE), *constant = map(PROT_READ);

	mprotect(pages + 3 * PAGE, PAGE, PROT_NONE);
	errno = 77;
	check(memory_readable(NULL, 0) && memory_writable((char *)1, 0) == 0,
	      "nothing needs no memory");
	check(!memory_readable((char *)1, 1) && memory_writable((char *)1, 1) == 0, "no page");
	check(memory_writable(NULL, 9) == 0 && !memory_readable((char *)-4, 3), "nor at the ends");
	check(memory_writable((char *)-4, 9) == 0, "nor round the end");
	for (int turn = 0; turn < 2; turn++) {
		check(memory_readable(pages + 1, 3 * PAGE - 1), "up to the end");
		check(!memory_readable(pages + 1, 3 * PAGE), "and not one byte more");
		check(memory_writable(pages + 1, 3 * PAGE) == 3 * PAGE - 1, "but what there is");
		check(memory_writable(pages + 1, SIZE_MAX) == 3 * PAGE - 1,
		      "however much is asked");
		check(memory_readable(constant, PAGE) && memory_writable(constant, 1) == 0,
		      "what can be read only");
	}
	check(errno == 77, "errno is kept");
	munmap(pages, PAGES * PAGE);
	munmap(constant, PAGES * PAGE);
	return unused;
}

/* Every second page is missing, and between two that were good there is still none. */
static void *test_holes(void *unused)
{
	char *pages = map(PROT_READ | PROT_WRITE);
	int at, turn;

	for (at = 1; at < PAGES; at += 2)
		mprotect(pages + at * PAGE, PAGE, PROT_NONE);
	for (turn = 0; turn < 3; turn++)
		for (at = 0; at < PAGES; at++) {
			check(memory_readable(pages + at * PAGE + 8, 16) == (at % 2 == 0), "read");
			check(memory_writable(pages + at * PAGE + PAGE - 8, 16) == (at % 2 ? 0 : 8),
			      "write");
		}
	check(!memory_readable(pages, 3 * PAGE), "a range with a hole in it");
	check(memory_writable(pages, 3 * PAGE) == PAGE, "up to the hole");
	check(!memory_readable(pages, 3 * PAGE), "nor is it remembered as whole");
	munmap(pages, PAGES * PAGE);
	return unused;
}

/* In any order, together they are one range; its ends are exact. */
static void *test_growth(void *unused)
{
	static const int order[] = {5, 4, 6, 9, 8, 7, 10};
	char *pages = map(PROT_READ | PROT_WRITE);
	size_t i;

	mprotect(pages, 4 * PAGE, PROT_NONE);
	mprotect(pages + 11 * PAGE, PAGE, PROT_NONE);
	for (i = 0; i < sizeof order / sizeof *order; i++)
		check(memory_readable(pages + order[i] * PAGE, PAGE), "a page");
	check(memory_readable(pages + 4 * PAGE, 7 * PAGE), "all of them");
	check(!memory_readable(pages + 4 * PAGE - 1, 2), "not the one before");
	check(!memory_readable(pages + 11 * PAGE - 1, 2), "not the one behind");
	check(!memory_readable(pages + 4 * PAGE, 7 * PAGE + 1), "not all and one more");
	munmap(pages, PAGES * PAGE);
	return unused;
}

int main(void)
{
	in_thread(test_answers);
	in_thread(test_holes);
	in_thread(test_growth);
	return check_result();
}
