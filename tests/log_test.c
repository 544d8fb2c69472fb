/* SPDX-License-Identifier: MIT
 * log_test: the log line: which fields, in which order, and nothing from outside that could forge another. */
#include "log.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static unsigned passed, failed;

static void check(const struct event *e, const char *want, const char *what)
{
	char line[LOG_LINE];

	if (log_format(e, line, sizeof(line)) == strlen(line) && strcmp(line, want) == 0) {
		passed++;
		return;
	}
	failed++;
	printf("log_test: %s\n  want %s\n  got  %s\n", what, want, line);
}

static void test_fields(void)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(587)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
	struct event e = {
		.verdict = EVENT_VERIFIED,
		.to = "smtp.example.com",
		.proto = "smtp",
		.tls = "1.3",
		.cipher = "TLS_AES_256_GCM_SHA384",
		.rule = "/etc/starttls/policy:5",
		.addr = (struct sockaddr *)&v4,
		.needs = NEED_TRY | NEED_TLS | NEED_CHAIN | NEED_NAME,
		.ms = 41,
	};

	inet_pton(AF_INET, "198.51.100.9", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::5", &v6.sin6_addr);
	check(&e,
	      "starttls verified to=smtp.example.com addr=198.51.100.9 port=587 proto=smtp tls=1.3 "
	      "cipher=TLS_AES_256_GCM_SHA384 need=verify rule=/etc/starttls/policy:5 ms=41",
	      "all fields in their order");
	e = (struct event){.verdict = EVENT_REFUSED,
			   .addr = (struct sockaddr *)&v6,
			   .why = "server did not offer TLS",
			   .ms = -1};
	check(&e, "starttls refused addr=2001:db8::5 port=25 why=\"server did not offer TLS\"",
	      "fields that are not known are left out");
}

static void test_hostile(void)
{
	struct event e = {.verdict = EVENT_PLAINTEXT,
			  .to = "a b\n\"c\x1b\xff",
			  .why = "x\r\n\"y\" \x01=",
			  .ms = -1};
	char big[3 * LOG_LINE], line[LOG_LINE];
	size_t n;

	check(&e,
	      "starttls plaintext to=a?b??c?? why=\"x?"
	      "?'y' ?=\"",
	      "what could end a value or a line is replaced");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	e = (struct event){.verdict = EVENT_BROKEN, .why = big, .ms = -1};
	n = log_format(&e, line, sizeof(line));
	check(&e, line, "a long line is cut");
	if (n == sizeof(line) - 1 && line[n - 1] == '"') {
		passed++;
	} else {
		failed++;
		printf("log_test: a line that was cut still ends its quotes\n");
	}
}

int main(void)
{
	test_fields();
	test_hostile();
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
