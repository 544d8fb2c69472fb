/* SPDX-License-Identifier: MIT
 * http: Upgrade to TLS within HTTP/1.1 (RFC 2817), as CUPS does it for IPP on port 631.
 *
 *   A POST /printers/p …                     held: a request is the app's, not to be seen
 *   p OPTIONS * HTTP/1.1, Upgrade: TLS/1.0   our own (section 3.2)
 *   P HTTP/1.1 101 Switching Protocols       handshake; TLS begins behind the blank line
 *   P HTTP/1.1 200 OK                        inside TLS: the answer to OPTIONS (section 3.3); swallowed
 *   p POST /printers/p …                     inside TLS
 *
 * Surprising: whatever else the server answers may have a body, or end the connection. So where the
 * policy allows plaintext the app begins on a new one. */
#include "../proto.h"
#include <stdio.h>

enum { WAIT_SWITCH, WAIT_ANSWER, READY }; /* talk_proto.step */
enum { BODY_MAX = 8192, HOST_MAX = 255 };

static bool is_token(uint8_t c)
{
	return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

/* Length of the header, blank line included; 0: there is no blank line yet. */
static size_t header_length(struct span in)
{
	for (size_t i = 0; i + 1 < in.n; i++) {
		if (in.at[i] != '\n')
			continue;
		if (in.at[i + 1] == '\n')
			return i + 2;
		if (i + 2 < in.n && in.at[i + 1] == '\r' && in.at[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

/* The value of a header field, without blanks around it. False: no such field. */
static bool field(struct span header, const char *name, struct span *value)
{
	const uint8_t *lf;
	size_t n = strlen(name);

	while (header.n && (lf = memchr(header.at, '\n', header.n))) {
		header = span_after(header, (size_t)(lf - header.at) + 1);
		if (header.n <= n || header.at[n] != ':' ||
		    !span_is_word(span_first(header, n), name))
			continue;
		lf = memchr(header.at, '\n', header.n);
		*value = span_after(span_first(header, (size_t)(lf - header.at)), n + 1);
		while (value->n && *value->at <= ' ')
			*value = span_after(*value, 1);
		while (value->n && value->at[value->n - 1] <= ' ')
			value->n--;
		return true;
	}
	return false;
}

/* Bytes of body; -1: not to be known, or more than an answer to OPTIONS has. */
static ssize_t body_length(struct span header)
{
	struct span value;
	ssize_t n = 0;

	if (field(header, "Transfer-Encoding", &value))
		return -1;
	if (!field(header, "Content-Length", &value))
		return 0;
	for (size_t i = 0; i < value.n; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' || n > BODY_MAX)
			return -1;
		n = n * 10 + (value.at[i] - '0');
	}
	return value.n && n <= BODY_MAX ? n : -1;
}

/* "HTTP/1." and a status code, or so much of it as there is. */
static bool is_response(struct span in)
{
	static const char form[] = "HTTP/1.9 999";

	for (size_t i = 0; i < sizeof(form) - 1 && i < in.n; i++)
		if (form[i] == '9' ? in.at[i] < '0' || in.at[i] > '9' : in.at[i] != form[i])
			return false;
	return true;
}

static ssize_t frame_response(struct talk *t, struct span in)
{
	size_t n = header_length(in);
	ssize_t body;

	talk_proto(t)->why = "server sent what is no HTTP";
	if (!is_response(in) || memchr(in.at, '\0', n ? n : in.n))
		return -1;
	if (!n || talk_proto(t)->step != WAIT_ANSWER)
		return (ssize_t)n;
	talk_proto(t)->why = "server's answer to OPTIONS has no length that we know";
	body = body_length(span_first(in, n));
	if (body < 0)
		return -1;
	return n + (size_t)body <= in.n ? (ssize_t)n + body : 0;
}

static ssize_t frame_request(struct talk *t, struct span in)
{
	if (in.n && !is_token(*in.at)) {
		talk_proto(t)->why = *in.at == 0x16 ? "app does TLS of its own"
						    : "app did not begin with an HTTP request";
		return -1;
	}
	return (ssize_t)header_length(in);
}

static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	return from == SIDE_PEER ? frame_response(t, in) : frame_request(t, in);
}

/* What may stand in our own header. */
static bool is_host(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] != ':' && s.at[i] != '[' && s.at[i] != ']' && !is_token(s.at[i]))
			return false;
	return s.n && s.n <= HOST_MAX;
}

/* Only the host is said of the request: whom the server must be anyway. */
static enum move app(struct talk *t, struct span unit)
{
	const char *known = talk_proto(t)->host;
	struct span host, upgrade;

	if (!field(unit, "Host", &host) || !is_host(host))
		host = span_text(known ? known : "localhost");
	if (field(unit, "Upgrade", &upgrade) && upgrade.n >= 4 &&
	    span_is_word(span_first(upgrade, 4), "TLS/")) {
		talk_proto(t)->why = "app asks for TLS of its own";
		return MOVE_OWN;
	}
	talk_say(t,
		 "OPTIONS * HTTP/1.1\r\nHost: %.*s\r\nConnection: Upgrade\r\nUpgrade: "
		 "TLS/1.0\r\n\r\n",
		 (int)host.n, (const char *)host.at);
	return MOVE_HOLD;
}

static enum move peer(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	struct span code = span_first(span_after(unit, 9), 3), upgrade;

	p->spent = true;
	p->why = NULL;
	if (span_is(code, "101")) {
		if (field(unit, "Upgrade", &upgrade) && upgrade.n >= 4 &&
		    span_is_word(span_first(upgrade, 4), "TLS/"))
			return MOVE_TLS;
		p->why = "server switched to a protocol that is not TLS";
		return MOVE_BAD;
	}
	if (*code.at == '1')
		return MOVE_KEEP;
	p->why = "server did not switch to TLS";
	return MOVE_NOTLS;
}

static void inside_begin(struct talk *t)
{
	talk_proto(t)->step = WAIT_ANSWER;
	talk_proto(t)->waiting = true;
}

static enum move inside(struct talk *t, enum side from, uint8_t *unit, size_t n)
{
	struct talk_proto *p = talk_proto(t);

	(void)n;
	if (p->step == READY)
		return MOVE_DONE;
	if (from == SIDE_APP)
		return MOVE_HOLD;
	if (unit[9] != '1')
		p->step = READY;
	p->waiting = p->step != READY;
	return MOVE_KEEP;
}

/* One line of a header that gives nothing away: a field that only says who is asked, and by what
 * program. */
static bool is_harmless_field(struct span line)
{
	static const char *const names[] = {"Host", "Connection", "Upgrade", "User-Agent"};
	const uint8_t *colon = memchr(line.at, ':', line.n);
	struct span name = span_first(line, colon ? (size_t)(colon - line.at) : 0);

	if (span_is_word(line, "Content-Length: 0"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (span_is_word(name, names[i]))
			return line_is_text(line);
	return false;
}

/* `by app`: what we would ask ourselves (RFC 2817 section 3.2). Every other request is one that TLS
 * was wanted for. */
static bool harmless(struct talk *t, struct span unit)
{
	struct span line, upgrade;
	bool first = true;

	(void)t;
	for (; unit.n; first = false) {
		const uint8_t *lf = memchr(unit.at, '\n', unit.n);

		line = line_text(span_first(unit, (size_t)(lf - unit.at) + 1));
		if (first &&
		    (!field(unit, "Upgrade", &upgrade) || !span_is(line, "OPTIONS * HTTP/1.1")))
			return false;
		if (!first && line.n && !is_harmless_field(line))
			return false;
		unit = span_after(unit, (size_t)(lf - unit.at) + 1);
	}
	return true;
}

/* 503 says "later" (RFC 9110 section 15.6.4). */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t,
		  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 300\r\nContent-Type: "
		  "text/plain\r\n"
		  "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\r\n",
		  strlen(why) + 2, why);
}

const struct proto proto_http = {
	.name = "http",
	.spec = "RFC 2817 section 3",
	.ports = {631},
	.eof_delimits = true, /* where there is no Content-Length (RFC 9112 section 6.3) */
	.frame = frame,
	.app = app,
	.peer = peer,
	.inside = inside,
	.inside_begin = inside_begin,
	.harmless = harmless,
	.refuse = refuse,
};
