/* SPDX-License-Identifier: MIT
 * ftp: the control connection (RFC 4217, RFC 959). ftp-data, at the end, is what it announces.
 *
 *   P 220 ready              held for the app
 *   p AUTH TLS
 *   P 234 go                 handshake; from here on inside TLS:
 *   p PBSZ 0, PROT P         our own: data connections in TLS too
 *   P 200, 200               and only now the greeting to the app
 *   A PASV  P 227 (…,195,80) watched for ever: the app will dial that port, and shall get TLS there
 *   A PORT …,200,1           the peer will dial that one
 *
 * Surprising: a server may want a login before PBSZ (530, 503); then it is done between the app's
 * last login command and its answer. The address in a 227 is the peer's to forge, so the control
 * connection's is put in its place, as curl does. And a transfer whose data connection we had to
 * refuse ends with our 425 or 426, whatever the server thought of it. */
#include "../proto.h"

enum { WAIT_GREETING, WAIT_GO, WAIT_PBSZ, WAIT_PROT, WAIT_LOGIN, READY }; /* talk_proto.step */
enum {
	APP_MIDLINE = 1,  /* talk_proto.seen: the app's last unit was a line's beginning */
	PEER_MIDLINE = 2, /* so was the peer's */
	LOGGED_IN = 4,
	REPLACED = 8, /* the reply under way is dropped, the app has our own */
};

struct line {
	int code;         /* 0: none, a line within a reply */
	bool last;        /* of its reply */
	struct span text; /* behind the code */
};

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
static bool parse(struct talk *t, struct span unit, struct line *line)
{
	struct talk_proto *p = talk_proto(t);
	int code = digits(unit, 3);
	uint8_t next = unit.n > 3 ? unit.at[3] : '\n';
	bool ends = next == ' ' || next == '\r' || next == '\n';

	*line = (struct line){.text = unit.n > 3 ? span_after(unit, 3) : unit};
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
	if (talk_proto(t)->step < WAIT_PBSZ)
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

static enum move greeted(struct talk *t, const struct line *line, struct span unit)
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
static enum move agreed(struct talk *t, const struct line *line)
{
	if (!line->last)
		return MOVE_KEEP;
	return line->code == 234 ? MOVE_TLS : no_tls(t, "server refused AUTH TLS");
}

static enum move peer(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	struct line line;

	p->units++;
	if (p->units > 300 || !parse(t, unit, &line)) {
		p->why = p->units > 300 ? "server sent a reply without end"
					: "server sent what is no FTP reply";
		return MOVE_BAD;
	}
	return p->step == WAIT_GREETING ? greeted(t, &line, unit) : agreed(t, &line);
}

static void inside_begin(struct talk *t)
{
	talk_proto(t)->step = WAIT_PBSZ;
	talk_proto(t)->code = 0;
	talk_proto(t)->waiting = true;
	talk_say(t, "PBSZ 0\r\n");
}

/* ---- inside TLS: protecting what comes */

static enum move protected_now(struct talk *t)
{
	talk_proto(t)->step = READY;
	talk_proto(t)->waiting = false;
	talk_release_greeting(t);
	return MOVE_KEEP;
}

/* The answers to PBSZ and PROT (RFC 4217 section 9). */
static enum move protecting(struct talk *t, const struct line *line)
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
	if ((line->code == 530 || line->code == 503) && !(p->seen & LOGGED_IN)) {
		p->step = WAIT_LOGIN;
		p->waiting = false;
		talk_release_greeting(t);
		return MOVE_KEEP;
	}
	p->why = "server does not protect data connections";
	return MOVE_BAD;
}

/* 230 and 232 end the login; they wait until the answers to PBSZ and PROT are here. */
static enum move login(struct talk *t, const struct line *line, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	if (line->code != 230 && line->code != 232)
		return MOVE_PASS;
	talk_hold(t, unit);
	if (line->last) {
		p->seen |= LOGGED_IN;
		p->step = WAIT_PBSZ;
		talk_say(t, "PBSZ 0\r\n");
	}
	return MOVE_KEEP;
}

/* ---- inside TLS: the connections that are announced */

/* Six numbers with commas between them, as in PORT and 227. */
static bool six_numbers(struct span s, unsigned n[6])
{
	size_t at = 0;

	for (int i = 0; i < 6; i++) {
		n[i] = 256;
		while (at < s.n && s.at[at] >= '0' && s.at[at] <= '9' &&
		       (n[i] == 256 || n[i] < 256))
			n[i] = (n[i] == 256 ? 0 : n[i] * 10) + (unsigned)(s.at[at++] - '0');
		if (n[i] > 255 || (i < 5 && (at == s.n || s.at[at++] != ',')))
			return false;
	}
	return true;
}

static uint16_t port_of(const unsigned n[6])
{
	return (uint16_t)(n[4] << 8 | n[5]);
}

/* The last of the fields between delimiters in |…|…|port| (RFC 2428). 0: there is none. */
static uint16_t extended_port(struct span s)
{
	unsigned port = 0;
	int delimiters = 0;

	for (size_t i = 1; i < s.n && delimiters < 3; i++) {
		if (s.at[i] == s.at[0]) {
			delimiters++;
			if (delimiters == 2)
				port = 0;
		} else if (delimiters == 2 && s.at[i] >= '0' && s.at[i] <= '9' && port < 65536) {
			port = port * 10 + (unsigned)(s.at[i] - '0');
		}
	}
	return delimiters == 3 && port < 65536 ? (uint16_t)port : 0;
}

static struct span behind(struct span s, uint8_t c)
{
	const uint8_t *at = s.n ? memchr(s.at, c, s.n) : NULL;

	return at ? span_after(s, (size_t)(at - s.at) + 1) : span_of(NULL, 0);
}

/* Numbers begin behind "(", or, with servers that leave it out, with the first digit. */
static struct span numbers(struct span s)
{
	struct span inside = behind(s, '(');

	if (inside.n)
		return inside;
	while (s.n && (*s.at < '0' || *s.at > '9'))
		s = span_after(s, 1);
	return s;
}

/* 227: the app shall dial the control connection's own peer. */
static enum move passive(struct talk *t, struct span text)
{
	struct talk_proto *p = talk_proto(t);
	const uint8_t *own = p->peer_v4;
	unsigned n[6];

	if (!six_numbers(numbers(text), n))
		return MOVE_PASS;
	p->data.port = port_of(n);
	p->data.dialled_by = SIDE_APP;
	if (!own || (own[0] == n[0] && own[1] == n[1] && own[2] == n[2] && own[3] == n[3]))
		return MOVE_PASS;
	talk_tell(t, "227 Entering Passive Mode (%d,%d,%d,%d,%u,%u).\r\n", own[0], own[1], own[2],
		  own[3], n[4], n[5]);
	return MOVE_KEEP;
}

static void announce(struct talk *t, enum side dialled_by, uint16_t port)
{
	if (!port)
		return;
	talk_proto(t)->data.port = port;
	talk_proto(t)->data.dialled_by = dialled_by;
}

/* ---- inside TLS: what the peer says */

/* The app has begun a transfer, and this is its end. Where we had to refuse the data connection the
 * app hears it from us: a 226 would make a file of nothing, or of half, a success. */
static enum move transferred(struct talk *t, const struct line *line)
{
	struct talk_proto *p = talk_proto(t);

	if (line->code < 200) {
		p->data.started = true;
		return MOVE_PASS;
	}
	if (p->data.why && !(p->seen & REPLACED)) {
		talk_tell(t, "%d libstarttls: %s\r\n", p->data.cut ? 426 : 425, p->data.why);
		p->seen |= REPLACED;
	}
	if (!line->last)
		return p->seen & REPLACED ? MOVE_KEEP : MOVE_PASS;
	p->data.transferring = p->data.started = p->data.uploading = false;
	if (!(p->seen & REPLACED))
		return MOVE_PASS;
	p->seen &= ~(unsigned)REPLACED;
	return MOVE_KEEP;
}

static enum move reply(struct talk *t, const struct line *line, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	switch (p->step) {
	case WAIT_PBSZ:
	case WAIT_PROT:
		return protecting(t, line);
	case WAIT_LOGIN:
		return login(t, line, unit);
	}
	if (line->code == 227)
		return passive(t, line->text);
	if (line->code == 229)
		announce(t, SIDE_APP, extended_port(behind(line->text, '(')));
	return p->data.transferring ? transferred(t, line) : MOVE_PASS;
}

/* ---- inside TLS: what the app says */

/* A telnet command may stand before it (RFC 959 section 4.1.3: IP and Synch before ABOR). */
static struct span command(struct span line)
{
	while (line.n && !((*line.at | 32) >= 'a' && (*line.at | 32) <= 'z'))
		line = span_after(line, 1);
	return line;
}

static struct span word_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && ((line.at[n] | 32) >= 'a' && (line.at[n] | 32) <= 'z'))
		n++;
	return span_first(line, n);
}

static struct span argument_of(struct span line)
{
	struct span s = span_after(line, word_of(line).n);

	while (s.n && *s.at == ' ')
		s = span_after(s, 1);
	return s;
}

static void begin_transfer(struct talk *t, bool uploading)
{
	struct talk_proto *p = talk_proto(t);

	p->data.transferring = true;
	p->data.started = false;
	p->data.uploading = uploading;
}

static void look_at_command(struct talk *t, struct span line)
{
	static const char *const up[] = {"STOR", "APPE", "STOU"};
	static const char *const down[] = {"RETR", "LIST", "NLST", "MLSD"};
	struct span word = word_of(command(line)), rest = argument_of(command(line));
	unsigned n[6];

	if (span_is_word(word, "PORT") && six_numbers(rest, n))
		announce(t, SIDE_PEER, port_of(n));
	else if (span_is_word(word, "EPRT"))
		announce(t, SIDE_PEER, extended_port(rest));
	for (size_t i = 0; i < sizeof(up) / sizeof(*up); i++)
		if (span_is_word(word, up[i]))
			begin_transfer(t, true);
	for (size_t i = 0; i < sizeof(down) / sizeof(*down); i++)
		if (span_is_word(word, down[i]))
			begin_transfer(t, false);
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

static enum move inside(struct talk *t, enum side from, uint8_t *at, size_t n)
{
	struct talk_proto *p = talk_proto(t);
	struct span unit = span_of(at, n);
	struct line line;

	if (from == SIDE_APP) {
		if (p->step == WAIT_PBSZ || p->step == WAIT_PROT)
			return MOVE_HOLD;
		if (!is_rest(p, APP_MIDLINE, unit))
			look_at_command(t, unit);
		return MOVE_PASS;
	}
	if (is_rest(p, PEER_MIDLINE, unit) || !parse(t, unit, &line))
		return p->step == WAIT_PBSZ || p->step == WAIT_PROT ? MOVE_BAD : MOVE_PASS;
	return reply(t, &line, unit);
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
	.refuse = refuse,
};

/* A data connection: TLS from the first byte, the app's side being the TLS client whoever dialled
 * (RFC 4217 section 7). Its end is the file's, so only close_notify may say it. It has no words; the
 * control connection has. */
const struct proto proto_ftp_data = {
	.name = "ftp-data",
	.spec = "RFC 4217 section 7",
	.implicit = true,
	.eof_delimits = true,
	.no_redial = true,
};
