/* SPDX-License-Identifier: MIT
 * hook_load: dlopen(), for RTLD_DEEPBIND alone. An object that is opened with it looks for symbols
 * in itself and in what it needs, libc too, before it looks in what was preloaded: it would never
 * see us, and speak plaintext without a word. PHP opens all its extensions so, and with them
 * libldap and libpq. The flag protects a plug-in from symbols of its host; systems without it
 * (musl), and programs under a sanitizer, live without.
 *
 * Surprising: it has to be a jump and no call. libc looks at its return address to find the
 * caller's RUNPATH and namespace. */
#include "hook.h"
#include <dlfcn.h>

HOOK void *dlopen(const char *file, int mode)
{
	return real.dlopen(file, mode & ~RTLD_DEEPBIND);
}
