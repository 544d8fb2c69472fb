/* SPDX-License-Identifier: MIT
 * hook_asan: a program built with AddressSanitizer ends at once when another library comes before
 * the sanitizer's, and what is in /etc/ld.so.preload always does. It has nothing to fear from us:
 * what we hook we hand on to the next library, which is the sanitizer's. So we answer the question
 * for options that its runtime asks whoever defines this function; a program that does so itself is
 * asked, and not we. $ASAN_OPTIONS comes after it and can say otherwise. */
#include "hook.h"

HOOK const char *__asan_default_options(void);
HOOK const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
