/* SPDX-License-Identifier: MIT
 * arrive: connections that were there before the program. */
#include "arrive.h"
#include "../../policy/policy.h"
#include "copies.h"
#include "inherit.h"
#include "real.h"
#include "watch.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_socket(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode);
}

static uint16_t port_of(const struct sockaddr_storage *addr)
{
	/* the same place in both families */
	return ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port);
}

/* Did the program's side accept it? */
static bool accepted(int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t n = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &n) == 0 &&
	       (port_of(&own) < 1024 || port_proto(port_of(&own)));
}

static void look_at(int fd)
{
	struct sockaddr_storage peer = {0};
	struct sockaddr *addr = (struct sockaddr *)&peer;
	socklen_t n = sizeof(peer);

	if (is_socket(fd) && real.getpeername(fd, addr, &n) == 0 && watch_family(addr, n) &&
	    !accepted(fd))
		watch_arrived(fd, addr, n);
}

void arrive(void)
{
	static const int places[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, 6, 7};
	const char *ucspi = getenv("PROTO");
	size_t n = ucspi && strcmp(ucspi, "TCP") == 0 ? 5 : 3;
	int error = errno;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= is_socket(places[i]);
	for (size_t i = 0; any && i < n; i++)
		copies_mark(places[i]);
	for (size_t i = 0; any && i < n; i++)
		if (!table_has(places[i]))
			look_at(places[i]);
	for (size_t i = 0; any && i < n; i++)
		if (table_has(places[i]))
			inherit_expect(places[i]);
	errno = error;
}
