#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dlopen() under the shim: plug-ins opened with RTLD_DEEPBIND are seen too (PHP's LDAP and PostgreSQL extensions would not be), and
# libc still knows who asked, by whose RUNPATH it looks.

load helper

@test "a plug-in opened with RTLD_DEEPBIND, found by its program's RUNPATH, speaks TLS" {
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
	void *plugin = dlopen("plugin.so", RTLD_NOW | RTLD_DEEPBIND);
	int (*speak)(const char *) = plugin ? dlsym(plugin, "speak") : 0;

	return argc == 2 && speak ? speak(argv[1]) : 2;
}
END
  serve
  watch verify
  run -0 shim ./program "$PORT"
  peer_saw "HELO box"
  peer_never_saw_in_clear "HELO box"
}
