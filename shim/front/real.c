/* SPDX-License-Identifier: MIT
 * real: looking up the libc functions underneath. The only file that calls dlsym. */
#include "real.h"
#include "../quiet.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "fcntl64 and sendfile64 are taken for aliases");

/* dlsym may allocate, and a host's allocator may read a file: that read must not ask dlsym
 * again. */
static _Thread_local bool looking;

static void *find(const char *name, void *otherwise)
{
	int error = errno;
	uint64_t signals;
	void *found;

	if (looking)
		return NULL;
	signals = quiet_begin();
	looking = true;
	found = dlsym(RTLD_NEXT, name);
	looking = false;
	quiet_end(signals);
	errno = error;
	return found ? found : otherwise;
}

static long absent(long answer)
{
	errno = ENOSYS;
	return answer;
}

/* Functions that the kernel does not know ignore their arguments. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define DEFINE(type, name, params, args, without) \
	static type kernel_##name params \
	{ \
		return (type)(without); \
	} \
	static type first_##name params \
	{ \
		void *libc = find(#name, kernel_##name); \
\
		if (!libc) \
			return kernel_##name args; \
		real.name = libc; \
		return real.name args; \
	}
REAL_FUNCTIONS(DEFINE)

#define POINT(type, name, params, args, without) .name = first_##name,
struct real real = {REAL_FUNCTIONS(POINT)};

void real_all(void)
{
	void *found;

#define LOOK_UP(type, name, params, args, without) \
	if (real.name == first_##name && (found = find(#name, kernel_##name))) \
		real.name = found;
	REAL_FUNCTIONS(LOOK_UP)
}

void *real_symbol(void *handle, const char *name)
{
	return dlsym(handle, name);
}
