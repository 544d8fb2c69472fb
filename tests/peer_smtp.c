// SPDX-License-Identifier: MIT
// peer_smtp: the dialogue of the peer. RFC 5321, 2033 (LMTP), 3207 (STARTTLS), 4954 (AUTH), and verbs of our own that give programs of
// every I/O style something to read and write:
//
//   ECHO [n]    250, then every byte comes back: n of them, or until the app's end of file
//   SOURCE n    250, then n bytes of the pattern
//   SINK [n]    250, takes n bytes or all until end of file, then "250 COUNT SUM"
//   PAUSE ms    250, after ms milliseconds
//   SILENCE     nothing
//   LAST        250 and end of stream in one go
//   RESET       RST
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static bool lmtp(void)
{
	return !strcmp(behave.proto, "lmtp");
}

/* --- greeting and STARTTLS */

static bool greet(struct session *s)
{
	char text[4096];

	if (behave.greeting)
		snprintf(text, sizeof text, "%s\r\n", behave.greeting);
	else
		snprintf(text, sizeof text, "220 %s %s\r\n", behave.name, lmtp() ? "LMTP" : "ESMTP");
	return io_step(s, STEP_GREETING, text) && io_say(s, text, strlen(text));
}

static bool do_ehlo(struct session *s, const char *arg)
{
	char text[4096];
	bool offer = !s->ssl && !behave.no_offer;
	bool auth = s->ssl || !behave.auth_inside_tls_only;

	(void)arg;
	s->extended = true;
	if (!io_step(s, STEP_EHLO, NULL))
		return false;
	snprintf(text, sizeof text, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n%s%s%s250 SIZE 104857600\r\n", behave.name,
	         offer ? behave.offer_text : "", auth ? "250-AUTH PLAIN LOGIN\r\n" : "",
	         s->ssl ? "" : behave.inject_before ? behave.inject_before : "");
	return (s->ssl || io_step(s, STEP_OFFER, text)) && io_say(s, text, strlen(text));
}

static bool do_helo(struct session *s, const char *arg)
{
	(void)arg;
	return io_sayf(s, "250 %s\r\n", behave.name);
}

static bool do_starttls(struct session *s, const char *arg)
{
	(void)arg;
	if (!io_step(s, STEP_STARTTLS, NULL))
		return false;
	if (s->ssl)
		return io_sayf(s, "503 5.5.1 TLS is up already\r\n");
	if (!io_sayf(s, "%s\r\n%s", behave.starttls_reply, behave.inject_behind ? behave.inject_behind : ""))
		return false;
	if (strncmp(behave.starttls_reply, "220", 3) != 0)
		return true;
	s->extended = s->mail = false; /* RFC 3207 section 4.2 */
	s->recipients = 0;
	return io_start_tls(s);
}

/* --- the mail */

static bool do_auth(struct session *s, const char *arg)
{
	char line[1024];

	if (!s->ssl && behave.auth_inside_tls_only)
		return io_sayf(s, "538 5.7.11 encryption is needed\r\n");
	if (!strncasecmp(arg, "LOGIN", 5)) {
		if (!arg[5] && !(io_sayf(s, "334 VXNlcm5hbWU6\r\n") && io_line(s, line, sizeof line)))
			return false;
		if (!(io_sayf(s, "334 UGFzc3dvcmQ6\r\n") && io_line(s, line, sizeof line)))
			return false;
	} else if (!strcasecmp(arg, "PLAIN")) {
		if (!(io_sayf(s, "334 \r\n") && io_line(s, line, sizeof line)))
			return false;
	}
	return io_sayf(s, "235 2.7.0 welcome\r\n");
}

static bool do_mail(struct session *s, const char *arg)
{
	(void)arg;
	if (!io_step(s, STEP_MAIL, NULL))
		return false;
	if (behave.require_tls && !s->ssl)
		return io_sayf(s, "530 5.7.0 Must issue a STARTTLS command first\r\n");
	if (!attack(s))
		return false;
	s->mail = true;
	s->recipients = 0;
	return io_sayf(s, "250 2.1.0 ok\r\n");
}

static bool do_rcpt(struct session *s, const char *arg)
{
	(void)arg;
	if (!io_step(s, STEP_RCPT, NULL))
		return false;
	if (!s->mail)
		return io_sayf(s, "503 5.5.1 MAIL first\r\n");
	s->recipients++;
	return io_sayf(s, "250 2.1.5 ok\r\n");
}

/* Take the mail to its lone dot, unstuffed (RFC 5321 section 4.5.2), into f, which may be NULL. */
static bool take_body(struct session *s, FILE *f)
{
	char block[sizeof s->in];
	enum { LINE_START, DOT, DOT_CR, CR, IN_LINE } at = LINE_START;
	size_t n;

	for (bool first = true;; first = false) {
		n = io_read(s, block, sizeof block);
		if (n == 0 || (first && !io_step(s, STEP_BODY, NULL)))
			return false;
		for (size_t i = 0; i < n; i++) {
			char c = block[i];

			if (at == LINE_START && c == '.') {
				at = DOT;
				continue;
			}
			if (at == DOT && c == '\r') {
				at = DOT_CR;
				continue;
			}
			if (at == DOT_CR && c == '\n') {
				s->in_at = 0;
				s->in_end = n - i - 1;
				memcpy(s->in, block + i + 1, s->in_end);
				return true;
			}
			if (at == DOT_CR && f)
				putc('\r', f);
			at = c == '\r' ? CR : c == '\n' && at == CR ? LINE_START : IN_LINE;
			if (f)
				putc(c, f);
		}
	}
}

static bool do_data(struct session *s, const char *arg)
{
	char path[4096] = "";
	FILE *f = NULL;

	(void)arg;
	if (!io_step(s, STEP_DATA, NULL))
		return false;
	if (s->recipients == 0)
		return io_sayf(s, "503 5.5.1 RCPT first\r\n");
	if (!io_sayf(s, "354 go\r\n"))
		return false;
	if (behave.mailbox) {
		snprintf(path, sizeof path, "%s/%u-%u.eml", behave.mailbox, s->number, ++s->mails);
		f = fopen(path, "we");
	}
	bool whole = take_body(s, f);
	if (f)
		fclose(f);
	if (!whole || !io_step(s, STEP_DOT, NULL)) {
		if (f)
			remove(path);
		return false;
	}
	if (f && s->facts)
		fprintf(s->facts, "mail %s\n", path);
	for (unsigned i = 0; i < (lmtp() ? s->recipients : 1); i++)
		if (!io_sayf(s, "250 2.0.0 kept\r\n"))
			return false;
	s->mail = false;
	return true;
}

static bool do_rset(struct session *s, const char *arg)
{
	(void)arg;
	s->mail = false;
	return io_sayf(s, "250 2.0.0 ok\r\n");
}

static bool do_noop(struct session *s, const char *arg)
{
	return io_sayf(s, "250 2.0.0 ok%s%s\r\n", *arg ? " " : "", arg);
}

static bool do_quit(struct session *s, const char *arg)
{
	(void)arg;
	if (io_step(s, STEP_QUIT, NULL))
		io_sayf(s, "221 2.0.0 bye\r\n");
	return false;
}

/* --- verbs for the programs in legacy/ */

/* n of "ECHO n"; without it, as long as the app has something. */
static size_t count_of(const char *arg)
{
	return *arg ? strtoul(arg, NULL, 10) : SIZE_MAX;
}

static bool do_echo(struct session *s, const char *arg)
{
	char block[16 * 1024];
	size_t left = count_of(arg);

	if (!io_sayf(s, "250 echo\r\n"))
		return false;
	while (left > 0) {
		size_t n = io_read(s, block, left < sizeof block ? left : sizeof block);
		if (n == 0 || !io_say(s, block, n))
			return false;
		left -= n;
	}
	return true;
}

static bool do_source(struct session *s, const char *arg)
{
	unsigned char block[16 * 1024];
	size_t n = count_of(arg);

	if (!io_sayf(s, "250 source\r\n"))
		return false;
	for (size_t at = 0; at < n;) {
		size_t part = n - at < sizeof block ? n - at : sizeof block;
		for (size_t i = 0; i < part; i++)
			block[i] = pattern(at + i);
		if (!io_say(s, block, part))
			return false;
		at += part;
	}
	return true;
}

static bool do_sink(struct session *s, const char *arg)
{
	unsigned char block[16 * 1024];
	size_t left = count_of(arg), total = 0, n;
	uint32_t sum = SUM_START;

	if (!io_sayf(s, "250 sink\r\n"))
		return false;
	while (left > 0 && (n = io_read(s, block, left < sizeof block ? left : sizeof block)) > 0) {
		sum = sum_add(sum, block, n);
		left -= n;
		total += n;
	}
	return io_sayf(s, "250 %zu %08x\r\n", total, sum);
}

static bool do_pause(struct session *s, const char *arg)
{
	long ms = strtol(arg, NULL, 10);
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
	return io_sayf(s, "250 %ld ms later\r\n", ms);
}

static bool do_silence(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return true;
}

/* Reads nothing for that many milliseconds, then everything, and says nothing to it. */
static bool do_hoard(struct session *s, const char *arg)
{
	long ms = strtol(arg, NULL, 10);
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	char block[16 * 1024];
	size_t total = 0, n;

	nanosleep(&t, NULL);
	while ((n = io_read(s, block, sizeof block)) > 0)
		total += n;
	if (s->facts)
		fprintf(s->facts, "hoarded %zu\n", total);
	return false;
}

static bool do_last(struct session *s, const char *arg)
{
	io_sayf(s, "250 last %s\r\n", arg);
	return false;
}

static bool do_reset(struct session *s, const char *arg)
{
	(void)arg;
	s->reset = true;
	return false;
}

static const struct verb {
	const char *word;
	bool (*act)(struct session *, const char *arg);
} verbs[] = {
	{"EHLO", do_ehlo},     {"LHLO", do_ehlo},     {"HELO", do_helo},   {"STARTTLS", do_starttls}, {"AUTH", do_auth},
	{"MAIL", do_mail},     {"RCPT", do_rcpt},     {"DATA", do_data},   {"RSET", do_rset},         {"NOOP", do_noop},
	{"QUIT", do_quit},     {"ECHO", do_echo},     {"SINK", do_sink},   {"SOURCE", do_source},     {"PAUSE", do_pause},
	{"SILENCE", do_silence}, {"LAST", do_last},         {"HOARD", do_hoard},
	{"RESET", do_reset},
};

static bool obey(struct session *s, const char *line)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strlen(verbs[i].word) == n && !strncasecmp(line, verbs[i].word, n))
			return verbs[i].act(s, line[n] ? line + n + 1 : "");
	return io_sayf(s, "500 5.5.2 what?\r\n");
}

void smtp_serve(struct session *s)
{
	char line[8 * 1024];

	if (!strcmp(behave.proto, "tls") && !io_start_tls(s))
		return;
	if (!greet(s))
		return;
	while (io_line(s, line, sizeof line) && obey(s, line))
		;
}
