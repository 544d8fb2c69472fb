/* SPDX-License-Identifier: MIT
 * xml: the tags of a stream of XML, for xmpp.c. (W3C, "Extensible Markup Language", section 3.1.)
 *
 *   <stream:features>                 name "features", inside ""
 *   <starttls xmlns='urn:…'/>         name "starttls", inside " xmlns='urn:…'/"
 *
 * Surprising: this is no XML parser. It counts quotes and tags, just enough to know where a unit
 * ends. What it does not know has no place before TLS and is an error: comments and processing
 * instructions, which RFC 6120 section 11.1 forbids anyway, and CDATA.
 *
 * All functions are pure: spans point into the bytes they were given. */
#ifndef STARTTLS_PROTO_XML_H
#define STARTTLS_PROTO_XML_H

#include "../proto.h"

struct xml_tag {
	enum xml_kind { XML_OPENS, XML_CLOSES, XML_EMPTY, XML_DECLARATION } kind;
	size_t n;           /* bytes, from '<' to '>' */
	struct span name;   /* without its prefix, which is the sender's to choose */
	struct span inside; /* behind the name, up to the '>' */
};

/* The tag at the start of `in`, which begins with '<'. Returns 1; 0: more is needed; -1: nothing we
 * know. *tag means something after 1 only. */
int xml_tag(struct span in, struct xml_tag *tag);

/* The value of an attribute, between its quotes; empty when there is none of that name. Entities
 * are left as they are. */
struct span xml_attribute(const struct xml_tag *tag, const char *name);

/* Offset >= at of the next '<' in `in`, or in.n; with blank_only, of the first byte that is no
 * blank. */
size_t xml_text_end(struct span in, size_t at, bool blank_only);

#endif
