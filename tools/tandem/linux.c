// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads Linux: a bzImage through the boot protocol (its 64-bit entry, or the
 * 32-bit one for kernels without), or an uncompressed vmlinux at its 64-bit
 * entry.
 *
 * Follows Documentation/x86/boot.rst of the kernel. Every header field is
 * checked before it is used: the file may be cut short or no kernel at all.
 *
 * Beware: an uncompressed vmlinux has no setup header; the one made here says
 * as little as the kernel's own 64-bit entry needs.
 */
#include <errno.h>
#include <string.h>

#include "elf_load.h"
#include "load.h"

/* Offsets in the file and in boot_params alike. */
#define BP_ACPI_RSDP 0x070
#define BP_EXT_RAMDISK_IMAGE 0x0c0
#define BP_EXT_RAMDISK_SIZE 0x0c4
#define BP_E820_ENTRIES 0x1e8
#define BP_SETUP_SECTS 0x1f1
#define BP_SYSSIZE 0x1f4
#define BP_VID_MODE 0x1fa
#define BP_BOOT_FLAG 0x1fe
#define BP_JUMP_LEN 0x201
#define BP_HEADER 0x202
#define BP_VERSION 0x206
#define BP_TYPE_OF_LOADER 0x210
#define BP_LOADFLAGS 0x211
#define BP_RAMDISK_IMAGE 0x218
#define BP_RAMDISK_SIZE 0x21c
#define BP_CMD_LINE_PTR 0x228
#define BP_INITRD_ADDR_MAX 0x22c
#define BP_KERNEL_ALIGNMENT 0x230
#define BP_RELOCATABLE 0x234
#define BP_XLOADFLAGS 0x236
#define BP_CMDLINE_SIZE 0x238
#define BP_PREF_ADDRESS 0x258
#define BP_INIT_SIZE 0x260
#define BP_HEADER_MAX 0x290 /* the EDD data that follows */
#define BP_E820_TABLE 0x2d0
#define BP_SIZE 4096

#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x01
#define XLF_ABOVE_4G 0x02
#define VID_MODE_NORMAL 0xffff
#define LOADER_UNDEFINED 0xff
#define ENTRY64 0x200

struct header {
	unsigned int version;
	uint64_t setup_size; /* bytes of the file before the protected-mode code
			      */
	uint64_t header_end; /* first byte after the setup header */
	uint64_t code_size;
	uint64_t pref_address, init_size, alignment, initrd_max;
	uint32_t cmdline_max;
	unsigned int xloadflags;
	bool relocatable;
};

static int bad(const struct tdm_load *load, const char *why)
{
	tdm_error("'%s' cannot be booted: %s", load->path, why);
	return -ENOEXEC;
}

/* Is it a kernel this loader can start, and is the file whole? */
static int check_header(const struct tdm_load *load, struct header *h)
{
	const uint8_t *b = load->image->data;
	uint64_t size = load->image->size;

	if (size < BP_HEADER_MAX)
		return bad(load, "it is too short for a kernel");
	if (tdm_le16(b + BP_BOOT_FLAG) != 0xaa55 ||
	    memcmp(b + BP_HEADER, "HdrS", 4))
		return bad(
			load,
			"it is neither a bzImage nor an ELF vmlinux (use --elf for a multiboot kernel, --bios for firmware)");
	h->version = tdm_le16(b + BP_VERSION);
	if (h->version < 0x0202)
		return bad(load,
			   "its boot protocol is older than 2.02 (Linux 2.4)");
	if (!(b[BP_LOADFLAGS] & LOADED_HIGH))
		return bad(load,
			   "it is a zImage, which loads low; make a bzImage");
	h->setup_size =
		(b[BP_SETUP_SECTS] ? b[BP_SETUP_SECTS] : 4) * 512ULL + 512;
	h->header_end = BP_HEADER + b[BP_JUMP_LEN];
	if (h->header_end < BP_INITRD_ADDR_MAX || h->header_end > BP_HEADER_MAX)
		return bad(load,
			   "the length of its setup header makes no sense");
	if (h->setup_size >= size)
		return bad(
			load,
			"the file ends within its setup code; is it cut short?");
	h->code_size = size - h->setup_size;
	if (h->version >= 0x0204 &&
	    tdm_le32(b + BP_SYSSIZE) * 16ULL > tdm_align_up(h->code_size, 16))
		return bad(
			load,
			"the file is shorter than its header says; is it cut short?");
	return 0;
}

/* The fields each version of the protocol added, or what held before it. */
static int parse_header(const struct tdm_load *load, struct header *h)
{
	const uint8_t *b = load->image->data;
	int err;

	memset(h, 0, sizeof(*h));
	err = check_header(load, h);
	if (err)
		return err;
	h->alignment = 1;
	h->pref_address = 0x100000;
	h->cmdline_max = 255;
	h->initrd_max = 0x37ffffff;
	h->init_size = h->code_size;
	if (h->version >= 0x0203)
		h->initrd_max = tdm_le32(b + BP_INITRD_ADDR_MAX);
	if (h->version >= 0x0205) {
		h->alignment = tdm_le32(b + BP_KERNEL_ALIGNMENT);
		h->relocatable = b[BP_RELOCATABLE];
	}
	if (h->version >= 0x0206)
		h->cmdline_max = tdm_le32(b + BP_CMDLINE_SIZE);
	if (h->version >= 0x020a) {
		h->pref_address = tdm_le64(b + BP_PREF_ADDRESS);
		if (tdm_le32(b + BP_INIT_SIZE) > h->init_size)
			h->init_size = tdm_le32(b + BP_INIT_SIZE);
	}
	if (h->version >= 0x020c)
		h->xloadflags = tdm_le16(b + BP_XLOADFLAGS);
	if (!h->alignment || (h->alignment & (h->alignment - 1)) ||
	    h->alignment > TDM_GIB || h->pref_address > TDM_LOW_MAX)
		return bad(
			load,
			"the load address or alignment in its header makes no sense");
	return 0;
}

static int put_cmdline(const struct tdm_load *load, uint32_t max)
{
	size_t len = strlen(load->cmdline);

	if (max > TDM_CMDLINE_MAX - 1)
		max = TDM_CMDLINE_MAX - 1;
	if (len > max) {
		tdm_error(
			"--append has %zu characters; this kernel takes at most %u",
			len, max);
		return -E2BIG;
	}
	return tdm_mem_write(load->mem, TDM_CMDLINE, load->cmdline, len + 1,
			     "the command line");
}

/*
 * All initrds one after the other, each on a 4-byte boundary as concatenated
 * cpio archives want it, as high in low memory as the kernel allows.
 */
static int put_initrds(const struct tdm_load *load,
		       const struct tdm_linux_setup *s)
{
	uint64_t total = 0, top = load->mem->low_size, at, off = 0;
	uint8_t *to;

	for (unsigned int i = 0; i < load->nr_initrds; i++)
		total = tdm_align_up(total, 4) + load->initrd[i].size;
	if (!total)
		return 0;
	if (s->initrd_max < top)
		top = s->initrd_max + 1;
	at = top > total ? (top - total) & ~0xfffULL : 0;
	if (at < s->kernel_end) {
		tdm_error(
			"kernel and initrd together need more guest memory: give at least --mem %llu",
			(unsigned long long)((s->kernel_end + total) / TDM_MIB +
					     16));
		return -ENOMEM;
	}
	to = tdm_mem_at(load->mem, at, total);
	if (!to)
		return -ENOMEM;
	for (unsigned int i = 0; i < load->nr_initrds; i++) {
		off = tdm_align_up(off, 4);
		memcpy(to + off, load->initrd[i].data, load->initrd[i].size);
		off += load->initrd[i].size;
	}
	tdm_put32(s->params + BP_RAMDISK_IMAGE, (uint32_t)at);
	tdm_put32(s->params + BP_RAMDISK_SIZE, (uint32_t)total);
	return 0;
}

/**
 * tdm_linux_finish() - command line, initrds, memory map, ACPI pointer into
 * boot_params.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_linux_finish(const struct tdm_load *load,
		     const struct tdm_linux_setup *s)
{
	struct tdm_e820 map[TDM_E820_MAX];
	unsigned int n = tdm_mem_e820(load->mem, map);
	int err = put_cmdline(load, s->cmdline_max);

	if (!err)
		err = put_initrds(load, s);
	if (err)
		return err;
	s->params[BP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	tdm_put16(s->params + BP_VID_MODE, VID_MODE_NORMAL);
	tdm_put32(s->params + BP_CMD_LINE_PTR, TDM_CMDLINE);
	tdm_put64(s->params + BP_ACPI_RSDP, load->rsdp);
	s->params[BP_E820_ENTRIES] = (uint8_t)n;
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *e = s->params + BP_E820_TABLE + i * 20;

		tdm_put64(e, map[i].addr);
		tdm_put64(e + 8, map[i].size);
		tdm_put32(e + 16, map[i].type);
	}
	return 0;
}

/* Where the kernel goes; 0 when it fits nowhere. */
static uint64_t choose_address(const struct tdm_load *load,
			       const struct header *h)
{
	uint64_t at = h->pref_address, low;

	if (tdm_mem_at(load->mem, at, h->init_size))
		return at;
	low = tdm_align_up(0x100000, h->alignment);
	if (h->relocatable && tdm_mem_at(load->mem, low, h->init_size))
		return low;
	return 0;
}

/**
 * tdm_load_linux() - load a bzImage.
 * @load: files and options
 * @entry: the boot vCPU's first state: 64-bit when the kernel has that entry
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_load_linux(const struct tdm_load *load, struct tdm_entry *entry)
{
	struct tdm_linux_setup s;
	struct header h;
	uint64_t at;
	int err;

	err = parse_header(load, &h);
	if (err)
		return err;
	at = choose_address(load, &h);
	if (!at) {
		tdm_error(
			"the kernel needs %llu MiB from address 0x%llx on: give at least --mem %llu",
			(unsigned long long)(h.init_size / TDM_MIB + 1),
			(unsigned long long)h.pref_address,
			(unsigned long long)((h.pref_address + h.init_size) /
						     TDM_MIB +
					     32));
		return -ENOMEM;
	}
	err = tdm_mem_write(load->mem, at, load->image->data + h.setup_size,
			    h.code_size, "the kernel");
	if (err)
		return err;
	s.params = tdm_mem_at(load->mem, TDM_BOOT_PARAMS, BP_SIZE);
	memset(s.params, 0, BP_SIZE);
	memcpy(s.params + BP_SETUP_SECTS, load->image->data + BP_SETUP_SECTS,
	       h.header_end - BP_SETUP_SECTS);
	s.kernel_end = at + h.init_size;
	s.initrd_max = h.initrd_max;
	s.cmdline_max = h.cmdline_max;
	err = tdm_linux_finish(load, &s);
	if (err)
		return err;
	*entry = (struct tdm_entry){ .mode = TDM_ENTRY_PROT32,
				     .rip = at,
				     .rsi = TDM_BOOT_PARAMS };
	if (!(h.xloadflags & XLF_KERNEL_64))
		return 0;
	if (h.code_size <= ENTRY64)
		return bad(load, "it has no code at its 64-bit entry");
	entry->mode = TDM_ENTRY_LONG64;
	entry->rip = at + ENTRY64;
	return tdm_linux_long_mode(load->mem);
}

/**
 * tdm_load_vmlinux() - load an uncompressed 64-bit kernel (ELF).
 *
 * The kernel starts where its ELF file says, so it is not relocated (no KASLR).
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_load_vmlinux(const struct tdm_load *load, struct tdm_entry *entry)
{
	struct tdm_linux_setup s;
	struct tdm_elf elf;
	int err = tdm_elf_load(load->image, load->path, load->mem, &elf);

	if (err)
		return err;
	if (!elf.is64)
		return bad(
			load,
			"a 32-bit vmlinux has no entry for a loader; use its bzImage, or --elf if it is a multiboot kernel");
	if (elf.start < TDM_MIB)
		return bad(
			load,
			"it loads below 1 MiB, where the loader's tables are");
	s.params = tdm_mem_at(load->mem, TDM_BOOT_PARAMS, BP_SIZE);
	memset(s.params, 0, BP_SIZE);
	tdm_put16(s.params + BP_BOOT_FLAG, 0xaa55);
	memcpy(s.params + BP_HEADER, "HdrS", 4);
	tdm_put16(s.params + BP_VERSION, 0x020c);
	s.params[BP_LOADFLAGS] = LOADED_HIGH;
	tdm_put32(s.params + BP_KERNEL_ALIGNMENT, 0x1000000);
	s.kernel_end = tdm_align_up(elf.end, 2 * TDM_MIB);
	s.initrd_max = 0x7fffffff;
	s.cmdline_max = 2047; /* COMMAND_LINE_SIZE less the NUL */
	err = tdm_linux_finish(load, &s);
	if (err)
		return err;
	*entry = (struct tdm_entry){ .mode = TDM_ENTRY_LONG64,
				     .rip = elf.entry,
				     .rsi = TDM_BOOT_PARAMS };
	return tdm_linux_long_mode(load->mem);
}

/**
 * tdm_linux_long_mode() - page tables that map the first 4 GiB onto themselves.
 *
 * They lie at TDM_BOOT_TABLES: PML4, PDPT, four page directories of 2 MiB
 * pages.
 */
int tdm_linux_long_mode(struct tdm_memory *mem)
{
	const uint64_t flags = 0x03,
		       large = 0x83; /* present, writable; page size */
	uint64_t pdpt = TDM_BOOT_TABLES + 0x1000, pd = TDM_BOOT_TABLES + 0x2000;
	uint8_t *t = tdm_mem_at(mem, TDM_BOOT_TABLES,
				TDM_BOOT_TABLES_END - TDM_BOOT_TABLES);

	if (!t)
		return -ENOMEM;
	memset(t, 0, TDM_BOOT_TABLES_END - TDM_BOOT_TABLES);
	tdm_put64(t, pdpt | flags);
	for (unsigned int i = 0; i < 4; i++)
		tdm_put64(t + 0x1000 + 8 * i, (pd + 0x1000 * i) | flags);
	for (unsigned int i = 0; i < 4 * 512; i++)
		tdm_put64(t + 0x2000 + 8 * i, i * 2 * TDM_MIB | large);
	return 0;
}
