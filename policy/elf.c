/* SPDX-License-Identifier: MIT
 * elf: the headers of a program, in both classes. Source: the System V ABI, chapters 4 and 5.
 *
 *   header ─► program headers ─┬─ INTERP   the loader's path
 *                              ├─ NOTE     "Go"
 *                              ├─ LOAD     address ─► offset in the file
 *                              └─ DYNAMIC  NEEDED, SONAME, STRTAB, SYMTAB
 *
 * Section headers are not looked at: the loader does not either, and a stripped program may have
 * none. */
#include "elf.h"
#include <elf.h>
#include <string.h>

/* What both classes say of one thing, at the width of the larger. */
struct segment {
	uint64_t type, offset, address, size;
};

struct entry {
	int64_t tag;
	uint64_t value;
};

/* n bytes at an offset, or NULL where the file does not have them. */
static const void *at(const struct elf *e, uint64_t offset, uint64_t n)
{
	return offset <= e->size && n <= e->size - offset ? e->bytes + offset : NULL;
}

static bool copy(const struct elf *e, uint64_t offset, void *into, size_t n)
{
	const void *from = at(e, offset, n);

	if (from)
		memcpy(into, from, n);
	return from;
}

/* A string that ends within the n bytes at offset. Longer ones than any path are none: they are C++
 * symbols, or an attempt to keep us busy. */
static const char *string(const struct elf *e, uint64_t offset, uint64_t n)
{
	const char *s;

	n = n < 4096 ? n : 4096;
	s = at(e, offset, n);
	return s && n && memchr(s, '\0', (size_t)n) ? s : NULL;
}

/* --- program headers */

static bool segment_get(const struct elf *e, size_t i, struct segment *s)
{
	if (e->bits == 64) {
		Elf64_Ehdr h;
		Elf64_Phdr p;

		if (!copy(e, 0, &h, sizeof h) || i >= h.e_phnum || h.e_phentsize != sizeof p ||
		    h.e_phoff > e->size || !copy(e, h.e_phoff + i * sizeof p, &p, sizeof p))
			return false;
		*s = (struct segment){p.p_type, p.p_offset, p.p_vaddr, p.p_filesz};
	} else {
		Elf32_Ehdr h;
		Elf32_Phdr p;

		if (!copy(e, 0, &h, sizeof h) || i >= h.e_phnum || h.e_phentsize != sizeof p ||
		    !copy(e, h.e_phoff + i * sizeof p, &p, sizeof p))
			return false;
		*s = (struct segment){p.p_type, p.p_offset, p.p_vaddr, p.p_filesz};
	}
	return true;
}

/* Where in the file an address is loaded from; beyond its end when nowhere. */
static uint64_t offset_of(const struct elf *e, uint64_t address)
{
	struct segment s;

	for (size_t i = 0; segment_get(e, i, &s); i++)
		if (s.type == PT_LOAD && address >= s.address && address - s.address < s.size)
			return s.offset + (address - s.address);
	return UINT64_MAX;
}

/* The Go linker leaves a note whose owner is "Go". */
static bool is_go(const struct elf *e, const struct segment *s)
{
	Elf64_Nhdr note; /* the same in both classes */
	uint64_t offset = s->offset, end = s->offset + s->size;

	while (offset < end && copy(e, offset, &note, sizeof note)) {
		const char *owner = at(e, offset + sizeof note, 4);

		if (owner && note.n_namesz == 4 && !memcmp(owner, "Go\0", 4))
			return true;
		offset += sizeof note + (((uint64_t)note.n_namesz + 3) & ~3ULL) +
			  (((uint64_t)note.n_descsz + 3) & ~3ULL);
	}
	return false;
}

/* --- the dynamic section */

static bool entry_get(const struct elf *e, uint64_t i, struct entry *entry)
{
	if (i >= e->n_dynamic)
		return false;
	if (e->bits == 64) {
		Elf64_Dyn d;

		if (!copy(e, e->dynamic + i * sizeof d, &d, sizeof d))
			return false;
		*entry = (struct entry){d.d_tag, d.d_un.d_val};
	} else {
		Elf32_Dyn d;

		if (!copy(e, e->dynamic + i * sizeof d, &d, sizeof d))
			return false;
		*entry = (struct entry){d.d_tag, d.d_un.d_val};
	}
	return entry->tag != DT_NULL;
}

/* The value of the skip-th entry with this tag. */
static bool entry_find(const struct elf *e, int64_t tag, size_t skip, uint64_t *value)
{
	struct entry entry;

	for (uint64_t i = 0; entry_get(e, i, &entry); i++)
		if (entry.tag == tag && !skip--) {
			*value = entry.value;
			return true;
		}
	return false;
}

static const char *dynamic_string(const struct elf *e, int64_t tag, size_t skip)
{
	uint64_t value;

	if (!entry_find(e, tag, skip, &value) || value >= e->n_strings)
		return NULL;
	return string(e, e->strings + value, e->n_strings - value);
}

/* Nothing says how many symbols there are: the GNU hash section knows only those that others may
 * take from here. So they end where the next table begins. */
static uint64_t count_symbols(const struct elf *e, uint64_t address)
{
	static const int64_t tables[] = {DT_STRTAB, DT_HASH,   DT_GNU_HASH, DT_VERSYM, DT_VERNEED,
					 DT_VERDEF, DT_RELA,   DT_REL,      DT_JMPREL, DT_RELR,
					 DT_INIT,   DT_PLTGOT, DT_FINI};
	uint64_t next = UINT64_MAX, other;

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (entry_find(e, tables[i], 0, &other) && other > address && other < next)
			next = other;
	if (next == UINT64_MAX)
		return 0;
	return (next - address) / (e->bits == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
}

static void read_dynamic(struct elf *e, const struct segment *s)
{
	uint64_t address;

	e->dynamic = s->offset;
	e->n_dynamic = s->size / (e->bits == 64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn));
	if (entry_find(e, DT_STRTAB, 0, &address) && entry_find(e, DT_STRSZ, 0, &e->n_strings))
		e->strings = offset_of(e, address);
	if (!at(e, e->strings, e->n_strings))
		e->n_strings = 0;
	if (entry_find(e, DT_SYMTAB, 0, &address)) {
		e->symbols = offset_of(e, address);
		e->n_symbols = e->symbols < e->size ? count_symbols(e, address) : 0;
	}
}

/* --- for others */

const char *elf_open(struct elf *e, const uint8_t *bytes, size_t size)
{
	const uint8_t order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	struct segment s;
	uint16_t machine;

	*e = (struct elf){.bytes = bytes, .size = size};
	if (size < EI_NIDENT || memcmp(bytes, ELFMAG, SELFMAG))
		return "it is not an ELF file";
	if (bytes[EI_DATA] != order)
		return "it is for a machine of the other byte order";
	if (bytes[EI_CLASS] != ELFCLASS32 && bytes[EI_CLASS] != ELFCLASS64)
		return "it is damaged: an ELF file of no known class";
	e->bits = bytes[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	if (!copy(e, offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine) ||
	    !segment_get(e, 0, &s))
		return "it is damaged: an ELF file without program headers";
	e->machine = machine;
	for (size_t i = 0; segment_get(e, i, &s); i++) {
		if (s.type == PT_INTERP)
			e->interpreter = string(e, s.offset, s.size);
		else if (s.type == PT_NOTE)
			e->go = e->go || is_go(e, &s);
		else if (s.type == PT_DYNAMIC)
			read_dynamic(e, &s);
	}
	return NULL;
}

const char *elf_needed(const struct elf *e, size_t i)
{
	return dynamic_string(e, DT_NEEDED, i);
}

const char *elf_soname(const struct elf *e)
{
	return dynamic_string(e, DT_SONAME, 0);
}

void elf_imports(const struct elf *e, void (*visit)(void *context, const char *name), void *context)
{
	for (uint64_t i = 1; i < e->n_symbols; i++) { /* the first is no symbol */
		uint64_t name;
		uint16_t section;
		const char *word;

		if (e->bits == 64) {
			Elf64_Sym s;

			if (!copy(e, e->symbols + i * sizeof s, &s, sizeof s))
				return;
			name = s.st_name;
			section = s.st_shndx;
		} else {
			Elf32_Sym s;

			if (!copy(e, e->symbols + i * sizeof s, &s, sizeof s))
				return;
			name = s.st_name;
			section = s.st_shndx;
		}
		if (section != SHN_UNDEF || name >= e->n_strings)
			continue;
		word = string(e, e->strings + name, e->n_strings - name);
		if (word)
			visit(context, word);
	}
}
