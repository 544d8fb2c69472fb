/* SPDX-License-Identifier: MIT
 * ldap: StartTLS in front of the app's first message (RFC 4511 section 4.14, RFC 4513 section 3.1).
 *
 *   A bindRequest            held: no operation may be outstanding (RFC 4511 section 4.14.1)
 *   p extendedReq StartTLS   with a message id that no app counts up to
 *   P extendedResp success   handshake; then what is held, inside TLS
 *
 * A message is  30 LENGTH  02 LENGTH ID  OPERATION LENGTH …  in BER, definite lengths only (RFC 4511
 * section 5.1), which may be longer than they need be: WinLDAP writes 84 00 00 00 0c.
 *
 * Surprising: an app that does StartTLS itself is let ask, with its own id, and we step aside for
 * its ClientHello; but whether the answer was good is for us to say. */
#include "../proto.h"

enum { OWN = 1, AGREED = 2 }; /* talk_proto.seen; talk_proto.code is the id we wait for */

enum {
	OUR_ID = 0x7ffffff0, /* below maxInt (RFC 4511 section 4.1.1) */
	MESSAGE_MAX = 128 * 1024,
	TLS_HANDSHAKE = 22, /* RFC 8446 section 5.1 */
	SEQUENCE = 0x30,
	INTEGER = 0x02,
	OCTETS = 0x04,
	ENUMERATED = 0x0a,
	BIND_REQUEST = 0x60,
	BIND_RESPONSE = 0x61,
	EXTENDED_REQUEST = 0x77,
	EXTENDED_RESPONSE = 0x78,
	REQUEST_NAME = 0x80,
	RESPONSE_NAME = 0x8a,
	UNBIND_REQUEST = 0x42,
	/* "A server is shutting down or a subsystem is offline": try again (appendix A.2). */
	UNAVAILABLE = 52,
};

static const char start_tls[] = "1.3.6.1.4.1.1466.20037";
static const char disconnection[] = "1.3.6.1.4.1.1466.20036"; /* RFC 4511 section 4.4.1 */

/* Tag and length. Returns their bytes, with the length of what follows in *n; 0: more is needed;
 * -1: not in LDAP. */
static int head(struct span in, size_t *n)
{
	int octets;

	if (in.n < 2)
		return 0;
	if ((in.at[0] & 0x1f) == 0x1f || in.at[1] == 0x80 || in.at[1] > 0x84)
		return -1; /* tags of several bytes; indefinite; more than 4 GiB */
	octets = in.at[1] & 0x80 ? in.at[1] & 0x7f : 0;
	if (in.n < 2 + (size_t)octets)
		return 0;
	*n = octets ? 0 : in.at[1];
	for (int i = 0; i < octets; i++)
		*n = *n << 8 | in.at[2 + i];
	return 2 + octets;
}

/* Take the first element off `in`: its value, when it has that tag and is whole. */
static bool take(struct span *in, uint8_t tag, struct span *value)
{
	size_t n;
	int before = head(*in, &n);

	if (before <= 0 || *in->at != tag || n > in->n - (size_t)before)
		return false;
	*value = span_first(span_after(*in, (size_t)before), n);
	*in = span_after(*in, (size_t)before + n);
	return true;
}

/* A number that is not negative and fits an int. */
static bool number(struct span value, int *number)
{
	uint64_t all = 0;

	if (!value.n || value.n > 5 || *value.at & 0x80)
		return false;
	for (size_t i = 0; i < value.n; i++)
		all = all << 8 | value.at[i];
	*number = (int)all;
	return all <= INT32_MAX;
}

static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	size_t n;
	int before;

	if (from == SIDE_APP && talk_proto(t)->seen & AGREED && in.n && *in.at == TLS_HANDSHAKE)
		return 1; /* the app's own ClientHello */
	if (in.n && *in.at != SEQUENCE)
		return -1;
	before = head(in, &n);
	if (before <= 0)
		return before;
	if (n > MESSAGE_MAX) {
		talk_proto(t)->why = "first message is longer than any honest one";
		return -1;
	}
	return in.n - (size_t)before >= n ? (ssize_t)((size_t)before + n) : 0;
}

/* The id and the operation of the message that is at the front of `in`, and whole. */
static bool begins(struct span in, int *id, struct span *operation)
{
	struct span value;

	return take(&in, SEQUENCE, operation) && operation->n <= MESSAGE_MAX &&
	       take(operation, INTEGER, &value) && number(value, id) && operation->n;
}

static bool is_start_tls(struct span operation)
{
	struct span request, name;

	return take(&operation, EXTENDED_REQUEST, &request) &&
	       take(&request, REQUEST_NAME, &name) && span_is(name, start_tls);
}

/* A message in the making, written from its end: lengths stand in front of what they count. */
struct draft {
	uint8_t bytes[600]; /* a reason of 400, an OID, and heads */
	size_t n;
};

static void put(struct draft *d, const void *bytes, size_t n)
{
	d->n += n;
	memcpy(d->bytes + sizeof(d->bytes) - d->n, bytes, n);
}

/* Tag and length for all that was written since there were `since` bytes. */
static void put_head(struct draft *d, uint8_t tag, size_t since)
{
	size_t n = d->n - since;

	if (n < 0x80)
		put(d, (uint8_t[]){tag, (uint8_t)n}, 2);
	else
		put(d, (uint8_t[]){tag, 0x82, (uint8_t)(n >> 8), (uint8_t)n}, 4);
}

static void put_element(struct draft *d, uint8_t tag, const char *text)
{
	size_t since = d->n;

	put(d, text, strlen(text));
	put_head(d, tag, since);
}

static void put_id(struct draft *d, int id)
{
	size_t since = d->n;

	for (;; id >>= 8) {
		put(d, &(uint8_t){(uint8_t)id}, 1);
		if (id < 0x80) /* the highest bit is a sign */
			break;
	}
	put_head(d, INTEGER, since);
}

/* Around the operation: the message id, and the message's own head. */
static struct span finish(struct draft *d, uint8_t operation, int id)
{
	put_head(d, operation, 0);
	put_id(d, id);
	put_head(d, SEQUENCE, 0);
	return span_of(d->bytes + sizeof(d->bytes) - d->n, d->n);
}

static void ask(struct talk *t, int id)
{
	struct draft d = {.n = 0};

	talk_proto(t)->code = id;
	put_element(&d, REQUEST_NAME, start_tls);
	talk_say_bytes(t, finish(&d, EXTENDED_REQUEST, id));
}

static enum move app(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	struct span operation;
	int id;

	if (p->seen & AGREED)
		return MOVE_OWN;
	if (p->seen & OWN) {
		p->why = "app did not wait for the answer to its StartTLS";
		return MOVE_BAD;
	}
	if (!begins(unit, &id, &operation))
		return MOVE_BAD;
	if (!is_start_tls(operation)) {
		ask(t, OUR_ID);
		return MOVE_HOLD;
	}
	p->seen |= OWN;
	ask(t, id);
	return MOVE_KEEP;
}

/* Is it whole, an answer to us, and nothing in it that does not belong there? Its texts and
 * referrals were written by nobody knows whom, and are not looked at. */
static bool parse_answer(struct span unit, int *id, int *code)
{
	struct span message, value, result;

	if (!take(&unit, SEQUENCE, &message) || unit.n || !take(&message, INTEGER, &value) ||
	    !number(value, id) || !take(&message, EXTENDED_RESPONSE, &result))
		return false;
	if (!take(&result, ENUMERATED, &value) || !number(value, code) ||
	    !take(&result, OCTETS, &value) || !take(&result, OCTETS, &value))
		return false;
	while (result.n) {
		uint8_t tag = *result.at;

		if (!take(&result, tag, &value) ||
		    (tag == RESPONSE_NAME && *id && !span_is(value, start_tls)))
			return false;
	}
	return true;
}

static enum move peer(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	int id, code;

	p->why = "server sent what is no answer to StartTLS";
	if (p->seen & AGREED || !parse_answer(unit, &id, &code))
		return MOVE_BAD;
	if (id == 0)
		p->why = "server ended the connection instead of answering StartTLS";
	if (id != p->code)
		return MOVE_BAD;
	if (code != 0) {
		p->why = "server refused StartTLS";
		if (p->seen & OWN)
			talk_hold(t, unit);
		return MOVE_NOTLS;
	}
	if (!(p->seen & OWN))
		return MOVE_TLS;
	p->seen |= AGREED;
	talk_tell_bytes(t, unit);
	return MOVE_KEEP;
}

/* StartTLS and nothing with it, neither a value nor controls (RFC 4511 sections 4.1.11 and 4.12);
 * unbind, which is goodbye. */
static bool harmless(struct talk *t, struct span unit)
{
	struct span operation, request, name;
	int id;

	(void)t;
	if (!begins(unit, &id, &operation))
		return false;
	if (take(&operation, UNBIND_REQUEST, &request))
		return !request.n && !operation.n;
	return take(&operation, EXTENDED_REQUEST, &request) && !operation.n &&
	       take(&request, REQUEST_NAME, &name) && !request.n && span_is(name, start_tls);
}

/* The answer to the bind that the app waits for, else a Notice of Disconnection. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	struct draft d = {.n = 0};
	struct span operation;
	bool bind;
	int id = 0;

	(void)cause;
	bind = begins(talk_said(t), &id, &operation) && *operation.at == BIND_REQUEST;
	if (!bind)
		put_element(&d, RESPONSE_NAME, disconnection);
	put_element(&d, OCTETS, why);
	put_element(&d, OCTETS, "");
	put(&d, (uint8_t[]){ENUMERATED, 1, UNAVAILABLE}, 3);
	talk_tell_bytes(t, finish(&d, bind ? BIND_RESPONSE : EXTENDED_RESPONSE, bind ? id : 0));
}

const struct proto proto_ldap = {
	.name = "ldap",
	.spec = "RFC 4511 section 4.14",
	.ports = {389},
	.frame = frame,
	.app = app,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
