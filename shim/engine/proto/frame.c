/* SPDX-License-Identifier: MIT
 * frame: where does the first unit end? The framings that several protocols share.
 *
 *   "220 mx ESMTP\r\n250"   frame_line: 14     "250-mx"   frame_line: 0, more is needed
 *
 * A line ends at LF, with or without CR: lenient on purpose. What smuggling makes of bare LF
 * (CVE-2023-51764) needs bytes that are passed on; before TLS all of the peer's are dropped, but
 * for the greeting, which is handed over as it came. */
#include "../proto.h"

ssize_t frame_line(struct talk *t, struct span in)
{
	struct span head = span_first(in, FRAME_LINE_MAX);
	const uint8_t *lf = head.n ? memchr(head.at, '\n', head.n) : NULL;
	size_t n = lf ? (size_t)(lf - head.at) + 1 : head.n;

	if (n && memchr(head.at, '\0', n)) {
		talk_proto(t)->why = "peer sent a NUL byte in a line";
		return -1;
	}
	if (lf)
		return (ssize_t)n;
	if (n == FRAME_LINE_MAX) {
		talk_proto(t)->why = "peer sent a line without end";
		return -1;
	}
	return 0;
}

ssize_t frame_lines(struct talk *t, enum side from, struct span in)
{
	(void)from;
	return frame_line(t, in);
}
