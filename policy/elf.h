/* SPDX-License-Identifier: MIT
 * elf: what the loader will make of a file. */
#ifndef STARTTLS_ELF_H
#define STARTTLS_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	const uint8_t *bytes; /* the whole file */
	size_t size;
	/* What the headers say: */
	unsigned bits;           /* 32 or 64 */
	unsigned machine;        /* EM_… */
	const char *interpreter; /* the loader it asks for; NULL: none, the file starts by itself */
	bool go;                 /* built by the Go toolchain */
	/* For the functions below: */
	uint64_t dynamic, n_dynamic, strings, n_strings, symbols, n_symbols;
};

/* Read the headers of an ELF file of this machine's byte order. NULL, or (static) why it is none.
 * Nothing in the file is believed: what points outside of it is not there. The bytes stay the
 * caller's, and must outlive e. */
const char *elf_open(struct elf *e, const uint8_t *bytes, size_t size);

/* The i-th library it needs (DT_NEEDED), and its own soname; NULL: no more, or none. They live
 * as long as the bytes. */
const char *elf_needed(const struct elf *e, size_t i);
const char *elf_soname(const struct elf *e);

/* Call visit for each name that the file takes from other objects. */
void elf_imports(const struct elf *e, void (*visit)(void *context, const char *name),
		 void *context);

#endif
