/* SPDX-License-Identifier: MIT
 * read: files that may be anything, read without blocking and without believing them. */
#ifndef STARTTLS_READ_H
#define STARTTLS_READ_H

#include "parse.h"

/* Read the file text->name and parse it with p, whose text this is. Fills in text->bytes for that
 * time, and p->dev and p->ino. Complains. Never blocks on a FIFO or device. */
void read_file(struct parser *p, struct text *text);

#endif
