// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a Multiboot (version 1, specification 0.6.96) kernel: ELF, or a flat
 * image with the header's address fields. --initrd files become modules.
 *
 * The kernel starts in flat 32-bit protected mode with paging off, EAX = magic,
 * EBX = information structure. Its command line is "FILE APPENDED-TEXT".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "elf_load.h"
#include "load.h"

#define MB_SEARCH 8192
#define MB_MAGIC 0x1badb002U
#define MB_LOADED 0x2badb002U
#define MB_MEMORY_INFO (1U << 1)
#define MB_VIDEO (1U << 2)
#define MB_ADDRESSES (1U << 16)
#define MB_REQUIRED 0xffffU
#define MB_KNOWN (1U | MB_MEMORY_INFO | MB_VIDEO)

#define MBI_MEMORY (1U << 0)
#define MBI_CMDLINE (1U << 2)
#define MBI_MODS (1U << 3)
#define MBI_MMAP (1U << 6)
#define MBI_LOADER (1U << 9)
#define MBI_SIZE 120

struct mb_header {
	uint64_t offset; /* in the file */
	uint32_t flags, header_addr, load_addr, load_end, bss_end, entry;
};

/* A bump allocator over the low area the information structure lives in. */
struct info {
	uint8_t *base;
	uint32_t used;
};

static int bad(const struct tdm_load *load, const char *why)
{
	tdm_error("'%s' cannot be loaded as a multiboot kernel: %s", load->path,
		  why);
	return -ENOEXEC;
}

static int find_header(const struct tdm_load *load, struct mb_header *h)
{
	const uint8_t *b = load->image->data;
	uint64_t end =
		load->image->size < MB_SEARCH ? load->image->size : MB_SEARCH;

	for (uint64_t off = 0; off + 12 <= end; off += 4) {
		uint32_t flags = tdm_le32(b + off + 4);

		if (tdm_le32(b + off) != MB_MAGIC ||
		    MB_MAGIC + flags + tdm_le32(b + off + 8))
			continue;
		*h = (struct mb_header){ .offset = off, .flags = flags };
		if (!(flags & MB_ADDRESSES))
			return 0;
		if (off + 32 > load->image->size)
			return bad(load,
				   "the file ends within its multiboot header");
		h->header_addr = tdm_le32(b + off + 12);
		h->load_addr = tdm_le32(b + off + 16);
		h->load_end = tdm_le32(b + off + 20);
		h->bss_end = tdm_le32(b + off + 24);
		h->entry = tdm_le32(b + off + 28);
		return 0;
	}
	return bad(load, "no multiboot 1 header in its first 8 KiB");
}

/* Load by the header's address fields. */
static int load_flat(const struct tdm_load *load, const struct mb_header *h,
		     struct tdm_elf *out)
{
	uint64_t skip, len, end;
	uint8_t *to;

	if (h->header_addr < h->load_addr ||
	    h->header_addr - h->load_addr > h->offset)
		return bad(load, "its address fields contradict each other");
	skip = h->offset - (h->header_addr - h->load_addr);
	len = load->image->size - skip;
	if (h->load_end) {
		if (h->load_end < h->load_addr ||
		    h->load_end - h->load_addr > len)
			return bad(
				load,
				"the file is shorter than its load_end_addr says");
		len = h->load_end - h->load_addr;
	}
	end = h->load_addr + len;
	if (h->bss_end && h->bss_end < end)
		return bad(load,
			   "its bss_end_addr lies before its load_end_addr");
	if (h->bss_end)
		end = h->bss_end;
	if (h->entry < h->load_addr || h->entry >= end)
		return bad(load, "its entry_addr lies outside what is loaded");
	to = tdm_mem_at(load->mem, h->load_addr, end - h->load_addr);
	if (!to) {
		tdm_error(
			"'%s' wants memory 0x%x-0x%llx; give the guest more with --mem",
			load->path, h->load_addr, (unsigned long long)end);
		return -ENOMEM;
	}
	memcpy(to, load->image->data + skip, len);
	memset(to + len, 0, end - h->load_addr - len);
	*out = (struct tdm_elf){ .entry = h->entry,
				 .start = h->load_addr,
				 .end = end };
	return 0;
}

/* Take @len bytes of the information area. Return: guest address, 0 when full.
 */
static uint32_t take(struct info *info, uint64_t len)
{
	uint32_t at = (uint32_t)tdm_align_up(info->used, 8);

	if (!tdm_in_range(at, len, TDM_MB_INFO_END - TDM_MB_INFO))
		return 0;
	info->used = at + (uint32_t)len;
	return TDM_MB_INFO + at;
}

static uint8_t *info_at(struct info *info, uint32_t gpa)
{
	return info->base + (gpa - TDM_MB_INFO);
}

/* "FILE TEXT" as a string in the information area; 0 when it does not fit. */
static uint32_t put_string(struct info *info, const char *file,
			   const char *text)
{
	size_t len = strlen(file) + 1 + strlen(text) + 1;
	uint32_t at = take(info, len);

	if (at)
		snprintf((char *)info_at(info, at), len, "%s%s%s", file,
			 *text ? " " : "", text);
	return at;
}

static int put_modules(const struct tdm_load *load, struct info *info,
		       uint64_t at, uint8_t *mbi)
{
	uint32_t list = take(info, 16ULL * load->nr_initrds);

	if (!list)
		return -ENOMEM;
	for (unsigned int i = 0; i < load->nr_initrds; i++) {
		uint8_t *m = info_at(info, list) + 16 * i;
		uint32_t name = put_string(info, load->initrd_path[i], "");
		int err;

		at = tdm_align_up(at, 4096);
		err = tdm_mem_write(load->mem, at, load->initrd[i].data,
				    load->initrd[i].size,
				    "a module (--initrd)");
		if (err)
			return err;
		if (!name)
			return -ENOMEM;
		tdm_put32(m, (uint32_t)at);
		tdm_put32(m + 4, (uint32_t)(at + load->initrd[i].size));
		tdm_put32(m + 8, name);
		at += load->initrd[i].size;
	}
	tdm_put32(mbi, tdm_le32(mbi) | MBI_MODS);
	tdm_put32(mbi + 20, load->nr_initrds);
	tdm_put32(mbi + 24, list);
	return 0;
}

static int put_info(const struct tdm_load *load, uint64_t end, uint32_t *where)
{
	struct info info = { tdm_mem_at(load->mem, TDM_MB_INFO,
					TDM_MB_INFO_END - TDM_MB_INFO),
			     0 };
	struct tdm_e820 map[TDM_E820_MAX];
	unsigned int n = tdm_mem_e820(load->mem, map);
	uint32_t at = take(&info, MBI_SIZE), mmap = take(&info, 24ULL * n),
		 cmdline, loader;
	uint8_t *mbi = info_at(&info, at);

	memset(info.base, 0, TDM_MB_INFO_END - TDM_MB_INFO);
	cmdline = put_string(&info, load->path, load->cmdline);
	loader = put_string(&info, "tandem", "");
	if (!cmdline || !loader) {
		tdm_error(
			"--append is too long for a multiboot kernel (about 60 KiB fit)");
		return -E2BIG;
	}
	tdm_put32(mbi, MBI_MEMORY | MBI_CMDLINE | MBI_MMAP | MBI_LOADER);
	tdm_put32(mbi + 4, TDM_EBDA / 1024);
	tdm_put32(mbi + 8, (uint32_t)((load->mem->low_size - TDM_MIB) / 1024));
	tdm_put32(mbi + 16, cmdline);
	tdm_put32(mbi + 44, 24 * n);
	tdm_put32(mbi + 48, mmap);
	tdm_put32(mbi + 64, loader);
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *e = info_at(&info, mmap) + 24 * i;

		tdm_put32(e, 20); /* size of the rest of the entry */
		tdm_put64(e + 4, map[i].addr);
		tdm_put64(e + 12, map[i].size);
		tdm_put32(e + 20, map[i].type);
	}
	*where = at;
	return load->nr_initrds ? put_modules(load, &info, end, mbi) : 0;
}

/**
 * tdm_load_multiboot() - load a multiboot kernel and its modules.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_load_multiboot(const struct tdm_load *load, struct tdm_entry *entry)
{
	struct mb_header h;
	struct tdm_elf elf;
	uint32_t mbi;
	int err = find_header(load, &h);

	if (err)
		return err;
	if (h.flags & MB_REQUIRED & ~MB_KNOWN)
		return bad(load,
			   "its header requires a feature this loader has not");
	if (h.flags & MB_VIDEO)
		tdm_note(
			"the kernel asks for a video mode; there is no display");
	if (h.flags & MB_ADDRESSES)
		err = load_flat(load, &h, &elf);
	else
		err = tdm_elf_load(load->image, load->path, load->mem, &elf);
	if (err)
		return err;
	if (elf.entry > UINT32_MAX)
		return bad(load, "its entry point lies above 4 GiB");
	if (elf.start < TDM_CMDLINE && elf.end > TDM_MB_INFO)
		return bad(
			load,
			"it loads at 64 to 128 KiB, where the boot information goes");
	err = put_info(load, elf.end > TDM_MIB ? elf.end : TDM_MIB, &mbi);
	if (err)
		return err;
	*entry = (struct tdm_entry){ .mode = TDM_ENTRY_PROT32,
				     .rip = elf.entry,
				     .rax = MB_LOADED,
				     .rbx = mbi };
	return 0;
}
