// SPDX-License-Identifier: MIT
// C++ streams on a socket: libstdc++'s stdio_filebuf, and cin and cout once the socket is descriptors 0 and 1.
#include <cstring>
#include <ext/stdio_filebuf.h>
#include <iostream>
#include <string>
extern "C" {
#include "legacy.h"
}

static void expect(std::istream &in, const char *wanted)
{
	std::string line;

	must(bool(std::getline(in, line)), "getline where '%s' was awaited", wanted);
	line.erase(line.find_last_not_of("\r") + 1);
	must(line.compare(0, strlen(wanted), wanted) == 0, "'%s' where '%s' was awaited", line.c_str(), wanted);
	printf("%s\n", line.c_str());
}

int main(int argc, char **argv)
{
	int fd = dial(argv);
	__gnu_cxx::stdio_filebuf<char> get(fd, std::ios::in), put(dup(fd), std::ios::out);
	std::istream in(&get);
	std::ostream out(&put);

	must(argc == 3, "three words");
	expect(in, "220");
	out << "HELO legacy.test\r\n" << std::flush;
	expect(in, "250");
	out << "NOOP " << 42 << "\r\n" << std::flush;
	expect(in, "250");
	out << "QUIT\r\n" << std::flush;
	expect(in, "221");
	must(in.peek() == std::char_traits<char>::eof(), "no end of file after QUIT");
	put.close();
	get.close();
	must(fcntl(fd, F_GETFD) == -1, "close leaves the descriptor open");
	printf("done\n");
	return 0;
}
