// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the PT_LOAD segments of an ELF executable into guest memory.
 *
 * Every offset, size and address in the file is checked against the file and
 * against guest memory before it is used.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf_load.h"

struct segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

struct layout {
	bool is64;
	uint64_t entry, phoff;
	unsigned int phnum, phentsize;
};

/** tdm_elf_is() - does the file start as an ELF file does? */
bool tdm_elf_is(const struct tdm_blob *b)
{
	return b->size >= EI_NIDENT && !memcmp(b->data, ELFMAG, SELFMAG);
}

static int bad(const char *path, const char *why)
{
	tdm_error("'%s' cannot be loaded: %s", path, why);
	return -ENOEXEC;
}

static int parse_header(const struct tdm_blob *b, const char *path,
			struct layout *l)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;
	uint16_t machine, type;

	if (!tdm_elf_is(b))
		return bad(path, "it is not an ELF file");
	if (b->data[EI_DATA] != ELFDATA2LSB)
		return bad(path, "it is big-endian; an x86 kernel is not");
	l->is64 = b->data[EI_CLASS] == ELFCLASS64;
	if (l->is64 && b->size >= sizeof(h64)) {
		memcpy(&h64, b->data, sizeof(h64));
		machine = h64.e_machine;
		type = h64.e_type;
		*l = (struct layout){ true, h64.e_entry, h64.e_phoff,
				      h64.e_phnum, h64.e_phentsize };
	} else if (!l->is64 && b->data[EI_CLASS] == ELFCLASS32 &&
		   b->size >= sizeof(h32)) {
		memcpy(&h32, b->data, sizeof(h32));
		machine = h32.e_machine;
		type = h32.e_type;
		*l = (struct layout){ false, h32.e_entry, h32.e_phoff,
				      h32.e_phnum, h32.e_phentsize };
	} else {
		return bad(
			path,
			"its ELF header is cut short or of an unknown class");
	}
	if (machine != (l->is64 ? EM_X86_64 : EM_386))
		return bad(path, "it is for another processor than x86");
	if (type != ET_EXEC)
		return bad(path, "it is no fixed-address executable (ET_EXEC)");
	if (l->phentsize !=
		    (l->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    !l->phnum ||
	    !tdm_in_range(l->phoff, (uint64_t)l->phnum * l->phentsize, b->size))
		return bad(path, "its program headers lie outside the file");
	return 0;
}

static void get_segment(const struct tdm_blob *b, const struct layout *l,
			unsigned int i, struct segment *s)
{
	const uint8_t *p = b->data + l->phoff + (uint64_t)i * l->phentsize;
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (l->is64) {
		memcpy(&p64, p, sizeof(p64));
		*s = (struct segment){ p64.p_type,  p64.p_offset, p64.p_vaddr,
				       p64.p_paddr, p64.p_filesz, p64.p_memsz };
	} else {
		memcpy(&p32, p, sizeof(p32));
		*s = (struct segment){ p32.p_type,  p32.p_offset, p32.p_vaddr,
				       p32.p_paddr, p32.p_filesz, p32.p_memsz };
	}
}

static int load_segment(const struct tdm_blob *b, const char *path,
			const struct tdm_memory *mem, const struct segment *s)
{
	uint8_t *to;

	if (s->filesz > s->memsz ||
	    !tdm_in_range(s->offset, s->filesz, b->size))
		return bad(
			path,
			"a segment lies outside the file; is the file cut short?");
	to = tdm_mem_at(mem, s->paddr, s->memsz);
	if (!to) {
		tdm_error(
			"'%s' wants memory 0x%llx-0x%llx; give the guest more with --mem (it has %llu MiB)",
			path, (unsigned long long)s->paddr,
			(unsigned long long)(s->paddr + s->memsz),
			(unsigned long long)(mem->size / TDM_MIB));
		return -ENOMEM;
	}
	memcpy(to, b->data + s->offset, s->filesz);
	memset(to + s->filesz, 0, s->memsz - s->filesz);
	return 0;
}

/**
 * tdm_elf_load() - load all segments.
 * @b: the file
 * @path: its name, for messages
 * @mem: guest memory
 * @out: entry point and extent, physical. An entry given as a virtual address
 *	is translated through the segment that holds it.
 *
 * Return: 0, -ENOEXEC or -ENOMEM, reported.
 */
int tdm_elf_load(const struct tdm_blob *b, const char *path,
		 const struct tdm_memory *mem, struct tdm_elf *out)
{
	bool phys = false, virt = false;
	uint64_t virt_entry = 0;
	struct layout l;
	int err = parse_header(b, path, &l);

	if (err)
		return err;
	*out = (struct tdm_elf){ .is64 = l.is64,
				 .entry = l.entry,
				 .start = UINT64_MAX };
	for (unsigned int i = 0; i < l.phnum; i++) {
		struct segment s;

		get_segment(b, &l, i, &s);
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		err = load_segment(b, path, mem, &s);
		if (err)
			return err;
		if (s.paddr < out->start)
			out->start = s.paddr;
		if (s.paddr + s.memsz > out->end)
			out->end = s.paddr + s.memsz;
		if (l.entry >= s.paddr && l.entry - s.paddr < s.memsz)
			phys = true;
		if (l.entry >= s.vaddr && l.entry - s.vaddr < s.memsz) {
			virt = true;
			virt_entry = l.entry - s.vaddr + s.paddr;
		}
	}
	if (!phys && !virt)
		return bad(path,
			   "its entry point lies in none of its segments");
	if (!phys)
		out->entry = virt_entry;
	return 0;
}
