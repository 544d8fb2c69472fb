/* SPDX-License-Identifier: MIT
 * ftp_data: the data connections that the control connection speaks of inside TLS (RFC 959 sections
 * 3.2 and 4.1.2, RFC 2428).
 *
 *   A PASV  P 227 (…,195,80)   the app will dial that port, and shall get TLS there
 *   A PORT …,200,1             the peer will dial that one
 *   A RETR x                   a transfer begins
 *   P 150, 226                 the peer agreed to it; its end
 *
 * Surprising: the address in a 227 is the peer's to forge, so the control connection's is put in
 * its place, as curl does. What a client makes of the rest is its own affair: one wants
 * parentheses, another takes the first six numbers anywhere. A port that the app dials and we did
 * not read would be dialled in the clear, so the app is told the port we read, in the one form that
 * all read alike, or none. And a transfer whose data connection we had to refuse ends with our 425
 * or 426, whatever the server thought of it. */
#include "ftp.h"

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

/* The last of the fields between delimiters in |…|…|port| (RFC 2428), which is digits and no more.
 * 0: there is none. */
static uint16_t extended_port(struct span s)
{
	unsigned port = 0;
	int delimiters = 0;

	for (size_t i = 1; i < s.n && delimiters < 3; i++) {
		if (s.at[i] == s.at[0])
			delimiters++;
		else if (delimiters == 2 && (s.at[i] < '0' || s.at[i] > '9' || port > 65535))
			return 0;
		else if (delimiters == 2)
			port = port * 10 + (unsigned)(s.at[i] - '0');
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

static void announce(struct talk *t, enum side dialled_by, uint16_t port)
{
	if (!port)
		return;
	talk_proto(t)->data.port = port;
	talk_proto(t)->data.dialled_by = dialled_by;
	talk_proto(t)->data.started = false;
}

/* ---- what the peer says */

/* 227: the app shall dial the control connection's own peer. */
static bool passive(struct talk *t, struct span text)
{
	const uint8_t *own = talk_proto(t)->peer_v4;
	unsigned n[6];

	if (!six_numbers(numbers(text), n) || !port_of(n))
		return false;
	for (int i = 0; own && i < 4; i++)
		n[i] = own[i];
	announce(t, SIDE_APP, port_of(n));
	return talk_tell(t, "227 Entering Passive Mode (%u,%u,%u,%u,%u,%u).\r\n", n[0], n[1], n[2],
			 n[3], n[4], n[5]);
}

static bool extended_passive(struct talk *t, struct span text)
{
	uint16_t port = extended_port(behind(text, '('));

	if (!port)
		return false;
	announce(t, SIDE_APP, port);
	return talk_tell(t, "229 Entering Extended Passive Mode (|||%u|)\r\n", port);
}

/* RFC 1639, which RFC 2428 replaced. */
static const char no_long_form[] = "502 libstarttls: LPSV and LPRT cannot be protected\r\n";

bool ftp_data_is_passive(struct span unit)
{
	return unit.n > 3 && memcmp(unit.at, "22", 2) == 0 && unit.at[2] >= '7' &&
	       unit.at[2] <= '9' && (unit.at[3] < '0' || unit.at[3] > '9');
}

enum move ftp_data_passive(struct talk *t, const struct ftp_line *line)
{
	struct talk_proto *p = talk_proto(t);
	bool asked = p->seen & FTP_ASKED_PASSIVE;

	if (!line->last)
		return MOVE_KEEP;
	p->seen &= ~(unsigned)FTP_ASKED_PASSIVE;
	if (asked && line->code == 228)
		talk_tell(t, no_long_form);
	else if (!asked ||
		 !(line->code == 227 ? passive(t, line->text)
				     : line->code == 229 && extended_passive(t, line->text)))
		talk_tell(t, "425 libstarttls: the server named no data connection that could be "
			     "protected\r\n");
	return MOVE_KEEP;
}

/* The app has begun a transfer, and this is its end. Where we had to refuse the data connection the
 * app hears it from us: a 226 would make a file of nothing, or of half, a success. */
static enum move transferred(struct talk *t, const struct ftp_line *line)
{
	struct talk_proto *p = talk_proto(t);

	if (line->code < 200) {
		p->data.started = true;
		return MOVE_PASS;
	}
	if (p->data.why && !(p->seen & FTP_REPLACED)) {
		talk_tell(t, "%d libstarttls: %s\r\n", p->data.cut ? 426 : 425, p->data.why);
		p->seen |= FTP_REPLACED;
	}
	if (!line->last)
		return p->seen & FTP_REPLACED ? MOVE_KEEP : MOVE_PASS;
	p->data.transferring = false;
	if (!(p->seen & FTP_REPLACED))
		return MOVE_PASS;
	p->seen &= ~(unsigned)FTP_REPLACED;
	return MOVE_KEEP;
}

enum move ftp_data_reply(struct talk *t, const struct ftp_line *line)
{
	if (line->code >= 227 && line->code <= 229)
		return ftp_data_passive(t, line);
	return talk_proto(t)->data.transferring ? transferred(t, line) : MOVE_PASS;
}

/* ---- what the app says */

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

/* "P@SW" is PASV for routers that meddle with it. */
static bool asks_passive(struct span word, struct span line)
{
	static const char *const words[] = {"PASV", "EPSV", "LPSV", "CPSV", "SPSV"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (span_is_word(word, words[i]))
			return true;
	return line.n > 4 && span_is_word(span_first(line, 4), "P@SW");
}

bool ftp_data_command(struct talk *t, struct span line)
{
	static const char *const up[] = {"STOR", "APPE", "STOU"};
	static const char *const down[] = {"RETR", "LIST", "NLST", "MLSD"};
	struct span word = word_of(command(line)), rest = argument_of(command(line));
	unsigned n[6];

	if (span_is_word(word, "LPRT")) {
		talk_tell(t, no_long_form);
		return false;
	}
	if (asks_passive(word, command(line)))
		talk_proto(t)->seen |= FTP_ASKED_PASSIVE;
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
	return true;
}

/* A data connection: TLS from the first byte, the app's side being the TLS client whoever dialled
 * (RFC 4217 section 7). Its end is the file's, so only close_notify may say it. It has no words;
 * the control connection has. */
const struct proto proto_ftp_data = {
	.name = "ftp-data",
	.spec = "RFC 4217 section 7",
	.implicit = true,
	.eof_delimits = true,
	.no_redial = true,
};
