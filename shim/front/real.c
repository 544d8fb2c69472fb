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

/* With signals kept out. May change errno. */
static void *look_up(const char *name, void *otherwise)
{
	void *found;

	if (looking)
		return NULL;
	looking = true;
	found = dlsym(RTLD_NEXT, name);
	looking = false;
	return found ? found : otherwise;
}

static void *find(const char *name, void *otherwise)
{
	int error = errno;
	uint64_t signals = quiet_begin();
	void *found = look_up(name, otherwise);

	quiet_end(signals);
	errno = error;
	return found;
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
	int error = errno;
	uint64_t signals = quiet_begin();
	void *found;

#define LOOK_UP(type, name, params, args, without) \
	if (real.name == first_##name && (found = look_up(#name, kernel_##name))) \
		real.name = found;
	REAL_FUNCTIONS(LOOK_UP)
	quiet_end(signals);
	errno = error;
}

void *real_symbol(void *handle, const char *name)
{
	return dlsym(handle, name);
}
