/* SPDX-License-Identifier: MIT
 * ftp: the control connection (RFC 4217, RFC 959); what it says of data connections is in
 * ftp_data.c. ftps: the same inside TLS from the first byte.
 *
 *   P 220 ready              held for the app                ftps: handshake
 *   p AUTH TLS                                                     P 220 ready   held for the app
 *   P 234 go                 handshake; from here on inside TLS:
 *   p PBSZ 0, PROT P         our own: data connections in TLS too
 *   P 200, 200               and only now the greeting to the app
 *   A PASV …                 watched for ever
 *
 * Surprising: a server may want a login before PBSZ (530, 503); then it is done between the app's
 * last login command and its answer. */
#include "ftp.h"

/* talk_proto.step. WAIT_WELCOME: ftps; from there to WAIT_PROT the app has not been greeted inside
 * TLS, and says nothing. */
enum { WAIT_GREETING, WAIT_GO, WAIT_WELCOME, WAIT_PBSZ, WAIT_PROT, WAIT_LOGIN, READY };

static int digits(struct span s, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++) {
		if (i >= s.n || s.at[i] < '0' || s.at[i] > '9')
			return -1;
		value = value * 10 + (s.at[i] - '0');
	}
	return value;
}

/* Replies of several lines begin with "nnn-" and end with "nnn " of the same code; in between
 * anything may stand (RFC 959 section 4.2). talk_proto.code is that code, or 0. */
static bool parse(struct talk *t, struct span unit, struct ftp_line *line)
{
	struct talk_proto *p = talk_proto(t);
	int code = digits(unit, 3);
	uint8_t next = unit.n > 3 ? unit.at[3] : '\n';
	bool ends = next == ' ' || next == '\r' || next == '\n';

	*line = (struct ftp_line){.text = unit.n > 3 ? span_after(unit, 3) : unit};
	if (p->code) {
		line->last = code == p->code && ends;
		line->code = p->code;
		if (line->last)
			p->code = 0;
		return true;
	}
	if (code < 100 || code > 599 || (!ends && next != '-'))
		return false;
	line->code = code;
	line->last = ends;
	p->code = ends ? 0 : code;
	return true;
}

static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	struct span head = span_first(in, FRAME_LINE_MAX);
	const uint8_t *lf;

	(void)from;
	if (talk_proto(t)->step < WAIT_WELCOME)
		return frame_line(t, in);
	/* Inside TLS all of it passes: telnet's commands, file names, lines however long. */
	lf = head.n ? memchr(head.at, '\n', head.n) : NULL;
	if (lf)
		return lf - head.at + 1;
	return head.n == FRAME_LINE_MAX ? FRAME_LINE_MAX : 0;
}

static enum move no_tls(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_NOTLS;
}

static enum move greeted(struct talk *t, const struct ftp_line *line, struct span unit)
{
	if (!line->last || line->code == 120) /* "ready in nnn minutes", and 220 then */
		return MOVE_HOLD;
	if (line->code != 220) {
		talk_hold(t, unit);
		return no_tls(t, "server refused service before TLS");
	}
	talk_proto(t)->step = WAIT_GO;
	talk_say(t, "AUTH TLS\r\n");
	return MOVE_HOLD;
}

/* Only 234 starts TLS (RFC 4217 section 4): 334 wants security data first. */
static enum move agreed(struct talk *t, const struct ftp_line *line)
{
	if (!line->last)
		return MOVE_KEEP;
	return line->code == 234 ? MOVE_TLS : no_tls(t, "server refused AUTH TLS");
}

/* There are clients that take it for a line's end: behind it they would find a reply, from before
 * TLS, to a command that goes inside. */
static bool has_bare_cr(struct span unit)
{
	struct span text = line_text(unit);

	return text.n && memchr(text.at, '\r', text.n);
}

static enum move peer(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	struct ftp_line line;

	if (!line_counts(t))
		return MOVE_BAD;
	if (has_bare_cr(unit)) {
		p->why = "server sent a carriage return within a line";
		return MOVE_BAD;
	}
	if (!parse(t, unit, &line)) {
		p->why = "server sent what is no FTP reply";
		return MOVE_BAD;
	}
	return p->step == WAIT_GREETING ? greeted(t, &line, unit) : agreed(t, &line);
}

/* ---- inside TLS: protecting what comes */

/* The app waits for us, and we for the answers to PBSZ and PROT. */
static void protect(struct talk *t)
{
	talk_proto(t)->step = WAIT_PBSZ;
	talk_proto(t)->units = 0;
	talk_proto(t)->waiting = true;
	talk_say(t, "PBSZ 0\r\n");
}

static void inside_begin(struct talk *t)
{
	talk_proto(t)->code = 0;
	protect(t);
}

static enum move protected_now(struct talk *t)
{
	talk_proto(t)->step = READY;
	talk_proto(t)->waiting = false;
	talk_release_greeting(t);
	return MOVE_KEEP;
}

static void wrapped_begin(struct talk *t)
{
	talk_proto(t)->step = WAIT_WELCOME;
	talk_proto(t)->waiting = true;
}

/* The greeting of a server behind TLS from the first byte. When it has no service for us, the app
 * shall hear why. */
static enum move welcomed(struct talk *t, const struct ftp_line *line, struct span unit)
{
	talk_hold(t, unit);
	if (!line->last || line->code == 120)
		return MOVE_KEEP;
	if (line->code == 220)
		inside_begin(t);
	else
		protected_now(t);
	return MOVE_KEEP;
}

/* The answers to PBSZ and PROT (RFC 4217 section 9). */
static enum move protecting(struct talk *t, const struct ftp_line *line)
{
	struct talk_proto *p = talk_proto(t);

	if (!line->last)
		return MOVE_KEEP;
	if (line->code / 100 == 2 && p->step == WAIT_PROT)
		return protected_now(t);
	if (line->code / 100 == 2) {
		p->step = WAIT_PROT;
		talk_say(t, "PROT P\r\n");
		return MOVE_KEEP;
	}
	if ((line->code == 530 || line->code == 503) && !(p->seen & FTP_LOGGED_IN)) {
		p->step = WAIT_LOGIN;
		p->waiting = false;
		talk_release_greeting(t);
		return MOVE_KEEP;
	}
	p->why = "server does not protect data connections";
	return MOVE_BAD;
}

/* 230 and 232 end the login; they wait until the answers to PBSZ and PROT are here. */
static enum move login(struct talk *t, const struct ftp_line *line, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	if (line->code != 230 && line->code != 232)
		return ftp_data_reply(t, line); /* perhaps it wants no login to transfer */
	talk_hold(t, unit);
	if (line->last) {
		p->seen |= FTP_LOGGED_IN;
		protect(t);
	}
	return MOVE_KEEP;
}

static enum move reply(struct talk *t, const struct ftp_line *line, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	switch (p->step) {
	case WAIT_WELCOME:
		return welcomed(t, line, unit);
	case WAIT_PBSZ:
	case WAIT_PROT:
		return protecting(t, line);
	case WAIT_LOGIN:
		return login(t, line, unit);
	}
	return ftp_data_reply(t, line);
}

static bool is_greeted(const struct talk_proto *p)
{
	return p->step > WAIT_PROT;
}

/* Is this unit the rest of a line? */
static bool is_rest(struct talk_proto *p, unsigned flag, struct span unit)
{
	bool rest = p->seen & flag;

	p->seen &= ~flag;
	if (unit.at[unit.n - 1] != '\n')
		p->seen |= flag;
	return rest;
}

/* What clients do not agree on is made to look alike to all: a carriage return within a line; and
 * in a reply of several lines one that begins with its code and goes on strangely, which is the
 * last to some. */
static void tidy(const struct talk_proto *p, uint8_t *at, size_t n)
{
	size_t text = line_text(span_of(at, n)).n;

	for (size_t i = 0; i < text; i++)
		if (at[i] == '\r')
			at[i] = ' ';
	if (p->code && n > 3 && digits(span_of(at, n), 3) == p->code && !strchr(" -\r\n", at[3]))
		at[0] = ' ';
}

/* The app asks for TLS of its own inside ours, as many do where the server knows AUTH. Some servers
 * agree (Pure-FTPd), and nothing comes of it; so they are asked for a mechanism that there is not:
 * 504 (RFC 2228 section 3), in its turn, and the app goes on without. */
static void spoil_auth(uint8_t *at, size_t n)
{
	static const char *const forms[] = {"AUTH TLS", "AUTH SSL", "AUTH TLS-C", "AUTH TLS-P",
					    NULL};

	if (line_is_one_of(span_of(at, n), forms))
		at[strlen("AUTH ")] = 'X';
}

static enum move inside(struct talk *t, enum side from, uint8_t *at, size_t n)
{
	struct talk_proto *p = talk_proto(t);
	struct span unit = span_of(at, n);
	struct ftp_line line;

	if (from == SIDE_APP) {
		if (!is_greeted(p))
			return MOVE_HOLD;
		if (is_rest(p, FTP_APP_MIDLINE, unit))
			return MOVE_PASS;
		spoil_auth(at, n);
		return ftp_data_command(t, unit) ? MOVE_PASS : MOVE_KEEP;
	}
	tidy(p, at, n);
	if (is_rest(p, FTP_PEER_MIDLINE, unit))
		return is_greeted(p) ? MOVE_PASS : MOVE_BAD;
	if (!parse(t, unit, &line)) {
		if (!is_greeted(p))
			return MOVE_BAD;
		return ftp_data_is_passive(unit)
			       ? ftp_data_passive(t, &(struct ftp_line){.last = true})
			       : MOVE_PASS;
	}
	if (p->waiting && !line_counts(t))
		return MOVE_BAD;
	return reply(t, &line, unit);
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {
		"AUTH TLS", "AUTH SSL",     "AUTH TLS-C", "AUTH TLS-P", "FEAT", "SYST", "HOST ?",
		"CLNT ?",   "OPTS UTF8 ON", "NOOP",       "HELP",       "QUIT", NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* 421 answers anything (RFC 959 section 4.2.2): the app tries again later. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "421 %s\r\n", why);
}

const struct proto proto_ftp = {
	.name = "ftp",
	.spec = "RFC 4217 section 4",
	.ports = {21},
	.peer_first = true,
	.urgent_inline = true,
	.frame = frame,
	.peer = peer,
	.inside = inside,
	.inside_begin = inside_begin,
	.harmless = harmless,
	.refuse = refuse,
};

const struct proto proto_ftps = {
	.name = "ftps",
	.spec = "draft-murray-auth-ftp-ssl",
	.ports = {990},
	.peer_first = true,
	.implicit = true,
	.urgent_inline = true,
	.frame = frame,
	.inside = inside,
	.inside_begin = wrapped_begin,
	.refuse = refuse,
};
