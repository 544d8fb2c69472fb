#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dlopen() under the shim: plug-ins opened with RTLD_DEEPBIND are seen too (PHP's LDAP and PostgreSQL extensions would not be), and
# libc still knows who asked, by whose RUNPATH it looks.

load helper

# two_objects: program PLUGIN [PORT] opens the plug-in, which speaks to PORT; plugins/ is in its RUNPATH
two_objects() {
  mkdir plugins
  gcc -shared -fPIC -o plugins/plugin.so -x c - <<'END'
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
int speak(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char line[512];

	return connect(fd, (struct sockaddr *)&to, sizeof to) || read(fd, line, sizeof line) < 4 || write(fd, "HELO box\r\n", 10) != 10 ||
	       read(fd, line, sizeof line) < 4 || close(fd);
}
END
  gcc -Wl,--enable-new-dtags -Wl,-rpath,"$PWD/plugins" -o program -x c - <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
int main(int argc, char **argv)
{
	void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND);
	int (*speak)(const char *) = plugin ? dlsym(plugin, "speak") : 0;

	return !speak ? 2 : argc > 2 ? speak(argv[2]) : 0;
}
END
}

@test "a plug-in opened with RTLD_DEEPBIND speaks TLS" {
  two_objects
  serve
  watch verify
  run -0 shim ./program "$PWD/plugins/plugin.so" "$PORT"
  peer_saw "HELO box"
  peer_never_saw_in_clear "HELO box"
}

# The sanitizers' own dlopen() breaks this; then it is broken without us too.
@test "the RUNPATH of the program that opens it counts, as without us" {
  two_objects
  policy "verify to any"
  local native=0
  LD_PRELOAD=$runtime ./program plugin.so || native=$?
  [ -n "$runtime" ] || [ "$native" = 0 ]
  run -"$native" shim ./program plugin.so
}
