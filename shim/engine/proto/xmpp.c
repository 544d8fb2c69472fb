/* SPDX-License-Identifier: MIT
 * xmpp: XMPP streams (RFC 6120 section 5); xmpp-server is the same between servers.
 *
 *   A <?xml…?><stream:stream to='example.org' …>    held
 *   p <stream:stream to='example.org' …>            our own, for the same domain
 *   P <stream:stream …><stream:features><starttls/>…  never shown
 *   p <starttls/>
 *   P <proceed/>                    TLS begins behind its '>'; then the app's own header inside TLS
 *
 * Surprising: the certificate must be for the domain of `to`, not for the host that was dialled
 * (RFC 6120 section 13.7.2). And our header says nothing but the domains: a user's `from` belongs
 * inside TLS (section 4.7.1). */
#include "xml.h"

#define NS_STREAMS "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_TLS     "urn:ietf:params:xml:ns:xmpp-tls"

enum { WAIT_HEADER, WAIT_FEATURES, WAIT_PROCEED }; /* talk_proto.step */
/* talk_proto.seen: the app has opened a stream itself, and the peer heard it */
enum { OPENED = 1 };
enum { HEADER_MAX = 4096, DOMAIN_MAX = 255, DEPTH_MAX = 64 };

/* One tag that stands alone (the declaration, the stream's own), or one whole element with all that
 * is in it. Blanks before it belong to it. */
static ssize_t frame_element(struct span in)
{
	size_t at = xml_text_end(in, 0, true), depth = 0;
	struct xml_tag tag;

	for (;;) {
		int found;

		if (at == in.n)
			return 0;
		if (in.at[at] != '<')
			return -1;
		found = xml_tag(span_after(in, at), &tag);
		if (found <= 0)
			return found;
		at += tag.n;
		if (!depth && (tag.kind == XML_DECLARATION || span_is(tag.name, "stream")))
			return (ssize_t)at;
		if (tag.kind == XML_DECLARATION || (tag.kind == XML_CLOSES && !depth))
			return -1;
		if (tag.kind == XML_OPENS && ++depth > DEPTH_MAX)
			return -1;
		if (tag.kind == XML_CLOSES)
			depth--;
		if (!depth)
			return (ssize_t)at;
		at = xml_text_end(in, at, false);
	}
}

static bool is_declaration(struct span unit)
{
	return unit.n > 1 && unit.at[1] == '?';
}

/* The app's declaration and header are one unit: they are held together. */
static ssize_t frame_header(struct span in)
{
	ssize_t first = frame_element(in), second;

	if (first <= 0 || !is_declaration(in))
		return first;
	second = frame_element(span_after(in, (size_t)first));
	return second > 0 ? first + second : second;
}

static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	ssize_t n = memchr(in.at, '\0', in.n) ? -1
		    : from == SIDE_APP        ? frame_header(in)
					      : frame_element(in);

	if (n == 0 && from == SIDE_APP && in.n >= HEADER_MAX)
		n = -1;
	if (n < 0)
		talk_proto(t)->why = from == SIDE_APP ? "app did not begin with an XMPP stream"
						      : "server sent what is no XMPP";
	return n;
}

/* The first tag of a unit. frame() has seen it. */
static struct xml_tag first_tag(struct span unit)
{
	struct xml_tag tag = {.kind = XML_DECLARATION};

	xml_tag(span_after(unit, xml_text_end(unit, 0, true)), &tag);
	return tag;
}

/* The tag behind the declaration, if there is one. */
static struct xml_tag header_tag(struct span unit)
{
	return first_tag(is_declaration(unit) ? span_after(unit, first_tag(unit).n) : unit);
}

/* What may stand between the quotes of our own header. (ASCII: a domain of another script has its
 * A-labels in the certificate, and we know no way from one to the other.) */
static bool is_domain(struct span s)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";

	for (size_t i = 0; i < s.n; i++)
		if (!s.at[i] || !strchr(good, s.at[i]))
			return false;
	return s.n && s.n <= DOMAIN_MAX;
}

static void say_domain(struct talk *t, const char *attribute_name, struct span domain)
{
	if (domain.n)
		talk_say(t, " %s='%.*s'", attribute_name, (int)domain.n, (const char *)domain.at);
}

static enum move app(struct talk *t, struct span unit, const char *namespace)
{
	struct talk_proto *p = talk_proto(t);
	struct xml_tag tag = header_tag(unit);
	struct span to = xml_attribute(&tag, "to"), from = xml_attribute(&tag, "from");

	if (tag.kind != XML_OPENS || !span_is(tag.name, "stream")) {
		p->why = "app did not begin with an XMPP stream";
		return MOVE_BAD;
	}
	if (strcmp(namespace, "jabber:server") != 0)
		from.n = 0;
	if ((to.n && !is_domain(to)) || (from.n && !is_domain(from))) {
		p->why = "the domain in the app's stream header is not one that can be verified";
		return MOVE_BAD;
	}
	if (to.n)
		talk_verify_as(t, to);
	talk_say(t, "<?xml version='1.0'?><stream:stream");
	say_domain(t, "to", to);
	say_domain(t, "from", from);
	talk_say(t, " version='1.0' xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams'>",
		 namespace);
	return MOVE_HOLD;
}

static enum move client_app(struct talk *t, struct span unit)
{
	return app(t, unit, "jabber:client");
}

static enum move server_app(struct talk *t, struct span unit)
{
	return app(t, unit, "jabber:server");
}

/* The stream that the peer has seen is ours: an app's own can only begin on a new connection. */
static enum move no_tls(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	talk_proto(t)->spent = true;
	return MOVE_NOTLS;
}

static enum move bad(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_BAD;
}

/* A server older than RFC 3920 says no version, and will send no features (RFC 6120 section
 * 4.7.5). */
static enum move opened(struct talk *t, const struct xml_tag *tag)
{
	if (tag->kind == XML_DECLARATION)
		return MOVE_KEEP;
	if (tag->kind != XML_OPENS || !span_is(tag->name, "stream"))
		return bad(t, "server did not open an XMPP stream");
	if (!xml_attribute(tag, "version").n)
		return no_tls(t, "server did not offer TLS");
	talk_proto(t)->step = WAIT_FEATURES;
	return MOVE_KEEP;
}

/* <starttls/> of the right namespace as a child of <features/>, and nowhere else. */
static bool offers_tls(struct span features)
{
	size_t at = xml_text_end(features, 0, true), depth = 0;
	struct xml_tag tag;

	while (at < features.n && xml_tag(span_after(features, at), &tag) == 1) {
		if (depth == 1 && tag.kind != XML_CLOSES && span_is(tag.name, "starttls") &&
		    span_is(xml_attribute(&tag, "xmlns"), NS_TLS))
			return true;
		depth += tag.kind == XML_OPENS;
		depth -= tag.kind == XML_CLOSES;
		at = xml_text_end(features, at + tag.n, false);
	}
	return false;
}

static enum move offered(struct talk *t, const struct xml_tag *tag, struct span unit)
{
	if (span_is(tag->name, "error"))
		return no_tls(t, "server refused the stream before TLS");
	if (!span_is(tag->name, "features") || tag->kind == XML_CLOSES)
		return bad(t, "server sent no stream features");
	if (!offers_tls(unit))
		return no_tls(t, "server did not offer TLS");
	talk_proto(t)->step = WAIT_PROCEED;
	talk_say(t, "<starttls xmlns='" NS_TLS "'/>");
	return MOVE_KEEP;
}

/* TLS begins behind the '>' (RFC 6120 section 5.4.3.3); talk.c refuses what else is there. */
static enum move agreed(struct talk *t, const struct xml_tag *tag)
{
	if (span_is(tag->name, "proceed") && span_is(xml_attribute(tag, "xmlns"), NS_TLS))
		return MOVE_TLS;
	if (span_is(tag->name, "failure") || span_is(tag->name, "error"))
		return no_tls(t, "server refused STARTTLS");
	return bad(t, "server answered neither yes nor no to STARTTLS");
}

static enum move peer(struct talk *t, struct span unit)
{
	struct xml_tag tag = first_tag(unit);

	switch (talk_proto(t)->step) {
	case WAIT_HEADER:
		return opened(t, &tag);
	case WAIT_FEATURES:
		return offered(t, &tag, unit);
	case WAIT_PROCEED:
		return agreed(t, &tag);
	}
	return MOVE_BAD;
}

/* <starttls/>, or <starttls></starttls>, with nothing in it. */
static bool is_starttls(const struct xml_tag *tag, struct span behind)
{
	struct xml_tag end;

	if (!span_is(tag->name, "starttls") || !span_is(xml_attribute(tag, "xmlns"), NS_TLS))
		return false;
	if (tag->kind == XML_EMPTY)
		return true;
	return tag->kind == XML_OPENS && xml_tag(behind, &end) == 1 && end.kind == XML_CLOSES &&
	       end.n == behind.n;
}

/* `by app`: the stream's own header and end, and the request for TLS; no stanza. */
static bool harmless(struct talk *t, struct span unit)
{
	size_t at = is_declaration(unit) ? first_tag(unit).n : 0;
	struct xml_tag tag;

	at = xml_text_end(unit, at, true);
	tag = first_tag(span_after(unit, at));
	if (span_is(tag.name, "stream")) {
		talk_proto(t)->seen |= OPENED;
		return true;
	}
	return is_starttls(&tag, span_after(unit, at + tag.n));
}

static void tell_escaped(struct talk *t, const char *text)
{
	for (; *text; text++) {
		if (*text == '&' || *text == '<')
			talk_tell(t, "&#%d;", *text);
		else
			talk_tell_bytes(t, span_of(text, 1));
	}
}

/* "Reconnect later" (RFC 6120 section 4.9.3.15); policy-violation would read as permanent. An error
 * stands in a stream, so there is one (section 4.9.1.1): ours, where the peer cannot have opened
 * one. */
static void refuse_in(struct talk *t, const char *why, const char *namespace)
{
	if (!(talk_proto(t)->seen & OPENED))
		talk_tell(t,
			  "<?xml version='1.0'?><stream:stream xmlns='%s' "
			  "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
			  namespace);
	talk_tell(t, "<stream:error><remote-connection-failed xmlns='" NS_STREAMS "'/>"
		     "<text xmlns='" NS_STREAMS "'>");
	tell_escaped(t, why);
	talk_tell(t, "</text></stream:error></stream:stream>");
}

static void client_refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	refuse_in(t, why, "jabber:client");
}

static void server_refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	refuse_in(t, why, "jabber:server");
}

const struct proto proto_xmpp = {
	.name = "xmpp",
	.spec = "RFC 6120 section 5",
	.ports = {5222},
	.frame = frame,
	.app = client_app,
	.peer = peer,
	.harmless = harmless,
	.refuse = client_refuse,
};

const struct proto proto_xmpp_server = {
	.name = "xmpp-server",
	.spec = "RFC 6120 section 5",
	.ports = {5269},
	.frame = frame,
	.app = server_app,
	.peer = peer,
	.harmless = harmless,
	.refuse = server_refuse,
};
