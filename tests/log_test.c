/* SPDX-License-Identifier: MIT
 * log_test: the log line: which fields, in which order, and nothing from outside that could forge another. */
#include "check.h"
#include "log.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void check_line(const struct event *e, const char *want, const char *what)
{
	char line[LOG_LINE];
	bool same = log_format(e, 0, line, sizeof(line)) == strlen(line) && !strcmp(line, want);

	check(same, what);
	if (!same)
		printf("  want %s\n  got  %s\n", want, line);
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
		.expires = 1924905600,
	};

	inet_pton(AF_INET, "198.51.100.9", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::5", &v6.sin6_addr);
	check_line(&e,
		   "starttls verified to=smtp.example.com addr=198.51.100.9 port=587 proto=smtp "
		   "tls=1.3 "
		   "cipher=TLS_AES_256_GCM_SHA384 need=verify rule=/etc/starttls/policy:5 ms=41 "
		   "expires=2030-12-31",
		   "all fields in their order");
	e = (struct event){.verdict = EVENT_REFUSED,
			   .addr = (struct sockaddr *)&v6,
			   .why = "server did not offer TLS",
			   .ms = -1};
	check_line(&e, "starttls refused addr=2001:db8::5 port=25 why=\"server did not offer TLS\"",
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

	check_line(&e,
		   "starttls plaintext to=a?b??c?? why=\"x?"
		   "?'y' ?=\"",
		   "what could end a value or a line is replaced");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	e = (struct event){.verdict = EVENT_REFUSED, .why = big, .ms = -1, .expires = 1};
	n = log_format(&e, 0, line, sizeof(line));
	check_line(&e, line, "a long line is cut");
	check(n < sizeof(line) && strcmp(line + n - 21, "x\" expires=1970-01-01") == 0,
	      "a line that was cut still ends its quotes, and has the fields behind them");
	log_format(&e, 7, line, sizeof(line));
	check(strcmp(line + n, " lost=7") == 0, "the lines lost are told at the end");
	n = log_format(&e, 0, line, 40);
	check(n < 40 && strlen(line) == n, "a very short buffer is not overrun");
}

static void test_rate(void)
{
	_Atomic int64_t paid_until = 0;
	int64_t now = 1000;
	int i;

	for (i = 0; i < LOG_BURST && log_admits(&paid_until, now); i++)
		;
	check(i == LOG_BURST, "a burst is admitted");
	check(!log_admits(&paid_until, now), "what is more than that is not");
	check(!log_admits(&paid_until, now + LOG_INTERVAL_MS - 1), "nor too early");
	check(log_admits(&paid_until, now + LOG_INTERVAL_MS), "but one more in its time");
	check(!log_admits(&paid_until, now + LOG_INTERVAL_MS), "and only one");
	now += 1000LL * LOG_BURST * LOG_INTERVAL_MS;
	for (i = 0; i < 2 * LOG_BURST && log_admits(&paid_until, now); i++)
		;
	check(i == LOG_BURST, "a long silence does not save up for more than a burst");
}

int main(void)
{
	test_fields();
	test_hostile();
	test_rate();
	return check_result();
}
