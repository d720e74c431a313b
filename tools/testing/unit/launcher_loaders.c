// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of guest memory and of everything the launcher puts into it:
 * Linux, ELF and multiboot images, ACPI tables. Files are made here, byte by
 * byte, then damaged: a loader may refuse a file, never believe it.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "acpi.h"
#include "elf_load.h"
#include "launcher_test.h"
#include "load.h"
#include "memory.h"

#define MEM (64 * TDM_MIB)
#define SETUP (5 * 512) /* four setup sectors and the boot sector */

static struct tdm_memory mem;
static uint8_t file[3 * 65536];
static struct tdm_blob image = { file, sizeof(file) };
static struct tdm_entry entry;

static void fresh_memory(uint64_t size)
{
	tdm_mem_destroy(&mem);
	EXPECT(!tdm_mem_init(&mem, size, false));
}

static uint8_t *at(uint64_t gpa)
{
	uint8_t *p = tdm_mem_at(&mem, gpa, 1);

	EXPECT(p);
	return p ? p : file;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* --- memory --- */

static void memory_ranges(void)
{
	fresh_memory(5 * TDM_GIB);
	EXPECT_EQ(mem.low_size, 3 * TDM_GIB);
	EXPECT(tdm_mem_at(&mem, 0, 0xa0000));
	EXPECT(!tdm_mem_at(&mem, 0, 0xa0001));
	EXPECT(!tdm_mem_at(&mem, 0xa0000, 1));
	EXPECT(!tdm_mem_at(&mem, 0xbffff, 1));
	EXPECT(tdm_mem_at(&mem, 0xc0000, 1));
	EXPECT(tdm_mem_at(&mem, 0xbfffffff, 1));
	EXPECT(!tdm_mem_at(&mem, 0xbfffffff, 2));
	EXPECT(!tdm_mem_at(&mem, 0xc0000000, 1));
	EXPECT(!tdm_mem_at(&mem, 0xffffffff, 2));
	EXPECT(tdm_mem_at(&mem, 0x100000000, 2 * TDM_GIB) ==
	       mem.base + 3 * TDM_GIB);
	EXPECT(!tdm_mem_at(&mem, 0x100000000, 2 * TDM_GIB + 1));
	EXPECT(!tdm_mem_at(&mem, UINT64_MAX, 1));
	EXPECT(!tdm_mem_at(&mem, 0x1000, UINT64_MAX));
	EXPECT(!tdm_mem_at(&mem, 0x100000000, UINT64_MAX));
	EXPECT_EQ((uintptr_t)mem.base % (2 * TDM_MIB), 0);
}

static void memory_map(void)
{
	struct tdm_e820 map[TDM_E820_MAX];
	struct tdm_slot slot[4];
	uint64_t ram = 0;
	unsigned int n;

	fresh_memory(4 * TDM_GIB);
	n = tdm_mem_e820(&mem, map);
	for (unsigned int i = 0; i < n; i++) {
		EXPECT(map[i].size);
		if (i)
			EXPECT(map[i].addr >=
			       map[i - 1].addr + map[i - 1].size);
		if (map[i].type == TDM_E820_RAM) {
			EXPECT(tdm_mem_at(&mem, map[i].addr, map[i].size));
			ram += map[i].size;
		}
	}
	EXPECT(ram > 4 * TDM_GIB - TDM_MIB && ram < 4 * TDM_GIB);
	EXPECT_EQ(tdm_mem_slots(&mem, slot), 3);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(slot[i].hva ==
		       tdm_mem_at(&mem, slot[i].gpa, slot[i].size));
}

static void memory_sizes(void)
{
	EXPECT_EQ(tdm_mem_init(&mem, 4096, false), -EINVAL);
	EXPECT_EQ(tdm_mem_init(&mem, TDM_MEM_MIN + 1, false), -EINVAL);
	EXPECT_EQ(tdm_mem_init(&mem, UINT64_MAX & ~0xfffULL, false), -EINVAL);
	EXPECT(!tdm_mem_init(&mem, TDM_MEM_MIN, true));
}

static void memory_rom(void)
{
	struct tdm_slot slot[4];
	unsigned int n;

	fresh_memory(MEM);
	memset(file, 0xab, sizeof(file));
	EXPECT(tdm_mem_add_rom(&mem, file, 4095));
	EXPECT(tdm_mem_add_rom(&mem, file, 17 * TDM_MIB));
	file[0x20000 - 1] = 0xcd;
	EXPECT(!tdm_mem_add_rom(&mem, file, 0x20000));
	n = tdm_mem_slots(&mem, slot);
	EXPECT_EQ(slot[n - 1].gpa, 0xfffe0000);
	EXPECT(slot[n - 1].readonly);
	EXPECT_EQ(*at(0xfffff), 0xcd);
	EXPECT_EQ(*at(0xe0000), 0xab);
}

/* --- bzImage --- */

static void make_bzimage(void)
{
	memset(file, 0, sizeof(file));
	image = (struct tdm_blob){ file, sizeof(file) };
	for (unsigned int i = SETUP; i < sizeof(file); i++)
		file[i] = (uint8_t)(i * 7);
	file[0x1f1] = 4;
	tdm_put32(file + 0x1f4, (sizeof(file) - SETUP) / 16);
	tdm_put16(file + 0x1fe, 0xaa55);
	file[0x200] = 0xeb;
	file[0x201] = 0x66; /* header up to 0x268 */
	memcpy(file + 0x202, "HdrS", 4);
	tdm_put16(file + 0x206, 0x020f);
	file[0x211] = 1; /* LOADED_HIGH */
	tdm_put32(file + 0x22c, 0x7fffffff);
	tdm_put32(file + 0x230, 0x200000);
	file[0x234] = 1;
	tdm_put16(file + 0x236, 0x3f);
	tdm_put32(file + 0x238, 2047);
	tdm_put64(file + 0x258, 0x1000000);
	tdm_put32(file + 0x260, 0x800000);
}

static int load_linux(const char *cmdline, struct tdm_blob *initrd,
		      unsigned int nr)
{
	struct tdm_load load = { .mem = &mem,
				 .path = "test",
				 .image = &image,
				 .cmdline = cmdline,
				 .initrd = initrd,
				 .nr_initrds = nr,
				 .rsdp = 0xe0000 };

	return tdm_load_linux(&load, &entry);
}

static void linux_loads(void)
{
	uint8_t text[] = "initrd";
	struct tdm_blob initrd[2] = { { text, 5 }, { text, 6 } };
	uint8_t *bp;
	uint32_t rd;

	make_bzimage();
	fresh_memory(MEM);
	EXPECT(!load_linux("console=ttyS0", initrd, 2));
	EXPECT_EQ(entry.mode, TDM_ENTRY_LONG64);
	EXPECT_EQ(entry.rip, 0x1000200);
	EXPECT_EQ(entry.rsi, TDM_BOOT_PARAMS);
	EXPECT(!memcmp(at(0x1000000), file + SETUP, sizeof(file) - SETUP));
	bp = at(TDM_BOOT_PARAMS);
	EXPECT(!memcmp(bp + 0x202, "HdrS", 4));
	EXPECT_EQ(bp[0x1ef], 0); /* sentinel: the rest was zeroed */
	EXPECT_EQ(bp[0x268], 0); /* and the header ends where it says */
	EXPECT_EQ(bp[0x210], 0xff);
	EXPECT(!strcmp((char *)at(tdm_le32(bp + 0x228)), "console=ttyS0"));
	EXPECT_EQ(tdm_le64(bp + 0x70), 0xe0000);
	EXPECT_EQ(tdm_le32(bp + 0x21c), 14); /* 5, padded to 8, and 6 */
	rd = tdm_le32(bp + 0x218);
	EXPECT_EQ(rd % 4096, 0);
	EXPECT(!memcmp(at(rd), "initr\0\0\0initrd", 14));
	EXPECT(bp[0x1e8] >= 5);
	EXPECT_EQ(tdm_le64(bp + 0x2d0), 0);
	/* the identity map: 3 GiB + 2 MiB through the fourth directory */
	EXPECT_EQ(tdm_le64(at(TDM_BOOT_TABLES)), TDM_BOOT_TABLES + 0x1003);
	EXPECT_EQ(tdm_le64(at(TDM_BOOT_TABLES + 0x5008)), 0xc0200083);
}

static void linux_32bit(void)
{
	make_bzimage();
	fresh_memory(MEM);
	tdm_put16(file + 0x236, 0);
	EXPECT(!load_linux("", NULL, 0));
	EXPECT_EQ(entry.mode, TDM_ENTRY_PROT32);
	EXPECT_EQ(entry.rip, 0x1000000);
	tdm_put16(file + 0x206, 0x0204); /* old: always at 1 MiB */
	EXPECT(!load_linux("", NULL, 0));
	EXPECT_EQ(entry.rip, 0x100000);
}

static void linux_relocates(void)
{
	make_bzimage();
	tdm_put64(file + 0x258, 0x3f00000); /* does not fit there */
	fresh_memory(MEM);
	EXPECT(!load_linux("", NULL, 0));
	EXPECT_EQ(entry.rip, 0x200200); /* aligned as it wants */
	file[0x234] = 0;
	EXPECT_EQ(load_linux("", NULL, 0), -ENOMEM);
}

static void linux_refuses(void)
{
	static const struct {
		const char *what;
		unsigned int off, width;
		uint32_t value;
	} damage[] = {
		{ "boot flag", 0x1fe, 2, 0 },
		{ "magic", 0x202, 4, 0 },
		{ "old protocol", 0x206, 2, 0x0201 },
		{ "zImage", 0x211, 1, 0 },
		{ "setup longer than the file", 0x1f1, 1, 255 },
		{ "code longer than the file", 0x1f4, 4, 0x100000 },
		{ "header too short", 0x201, 1, 0 },
		{ "header too long", 0x201, 1, 0xff },
		{ "alignment no power of two", 0x230, 4, 3 },
		{ "alignment zero", 0x230, 4, 0 },
		{ "alignment huge", 0x230, 4, 0x80000000 },
		{ "address beyond low memory", 0x25c, 4, 1 },
		{ "needs more memory than there is", 0x260, 4, 0xfffff000 },
	};

	fresh_memory(MEM);
	for (unsigned int i = 0; i < ARRAY_SIZE(damage); i++) {
		make_bzimage();
		memcpy(file + damage[i].off, &damage[i].value, damage[i].width);
		if (damage[i].off == 0x1f1)
			image.size = 255 * 512;
		if (!load_linux("", NULL, 0)) {
			printf("# accepted: %s\n", damage[i].what);
			EXPECT(false);
		}
	}
	for (unsigned int size = 1; size < SETUP + 16; size += 13) {
		make_bzimage();
		image.size = size;
		EXPECT(load_linux("", NULL, 0));
	}
}

static void linux_cmdline_and_initrd_limits(void)
{
	static uint8_t big[60 * TDM_MIB];
	struct tdm_blob initrd = { big, sizeof(big) };
	static char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	make_bzimage();
	fresh_memory(MEM);
	EXPECT_EQ(load_linux(text, NULL, 0), -E2BIG);
	text[2047] = '\0';
	EXPECT(!load_linux(text, NULL, 0));
	tdm_put32(file + 0x238,
		  UINT32_MAX); /* a kernel that takes any length */
	EXPECT(!load_linux(text, NULL, 0));
	EXPECT_EQ(load_linux("", &initrd, 1), -ENOMEM);
	fresh_memory(256 * TDM_MIB);
	EXPECT(!load_linux("", &initrd, 1));
	tdm_put32(file + 0x22c, 0x4ffffff); /* initrd must end below 80 MiB */
	EXPECT_EQ(load_linux("", &initrd, 1), -ENOMEM);
	initrd.size = TDM_MIB;
	EXPECT(!load_linux("", &initrd, 1));
	EXPECT_EQ(tdm_le32(at(TDM_BOOT_PARAMS + 0x218)), 0x5000000 - TDM_MIB);
}

/* Random damage to the header: refused or loaded, nothing else. */
static void linux_random(void)
{
	uint8_t text[64] = { 0 };
	struct tdm_blob initrd = { text, sizeof(text) };
	unsigned int loaded = 0;

	fresh_memory(MEM);
	for (unsigned int i = 0; i < 3000; i++) {
		make_bzimage();
		for (unsigned int n = 1 + test_random() % 4; n; n--)
			file[0x1f1 + test_random() % 0x80] =
				(uint8_t)test_random();
		if (!(test_random() & 7))
			image.size = 1 + test_random() % sizeof(file);
		loaded += !load_linux("quiet", &initrd, 1);
	}
	EXPECT(loaded > 0);
}

/* --- ELF --- */

static Elf32_Ehdr *make_elf32(void)
{
	Elf32_Ehdr *h = (Elf32_Ehdr *)file;
	Elf32_Phdr *p = (Elf32_Phdr *)(file + 64);

	memset(file, 0, sizeof(file));
	image = (struct tdm_blob){ file, sizeof(file) };
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS32;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_type = ET_EXEC;
	h->e_machine = EM_386;
	h->e_entry = 0x100010;
	h->e_phoff = 64;
	h->e_phentsize = sizeof(*p);
	h->e_phnum = 2;
	p[0] = (Elf32_Phdr){ PT_LOAD, 4096,   0x100000, 0x100000,
			     0x1000,  0x3000, 7,	0 };
	p[1] = (Elf32_Phdr){ PT_NOTE, 0xfffffff0, 0, 0, 0xffff, 0, 0, 0 };
	memset(file + 4096, 0x5a, 4096);
	return h;
}

static Elf64_Ehdr *make_elf64(void)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)file;
	Elf64_Phdr *p = (Elf64_Phdr *)(file + 64);

	memset(file, 0, sizeof(file));
	image = (struct tdm_blob){ file, sizeof(file) };
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_type = ET_EXEC;
	h->e_machine = EM_X86_64;
	h->e_entry = 0xffffffff81000040;
	h->e_phoff = 64;
	h->e_phentsize = sizeof(*p);
	h->e_phnum = 1;
	*p = (Elf64_Phdr){ PT_LOAD,   7,      4096,   0xffffffff81000000,
			   0x1000000, 0x1000, 0x2000, 0 };
	return h;
}

static int load_elf(struct tdm_elf *out)
{
	return tdm_elf_load(&image, "test", &mem, out);
}

static void elf_loads(void)
{
	struct tdm_elf elf;

	make_elf32();
	fresh_memory(MEM);
	memset(at(0x101000), 0xee, 0x2000);
	EXPECT(!load_elf(&elf));
	EXPECT_EQ(elf.entry, 0x100010);
	EXPECT_EQ(elf.start, 0x100000);
	EXPECT_EQ(elf.end, 0x103000);
	EXPECT_EQ(*at(0x100fff), 0x5a);
	EXPECT_EQ(*at(0x101000), 0); /* cleared */
	EXPECT_EQ(*at(0x102fff), 0);
	make_elf64();
	EXPECT(!load_elf(&elf));
	EXPECT(elf.is64);
	EXPECT_EQ(elf.entry, 0x1000040); /* virtual entry, translated */
}

static void elf_refuses(void)
{
	struct tdm_elf elf;

	fresh_memory(MEM);
	make_elf32()->e_type = ET_DYN;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32()->e_machine = EM_ARM;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32()->e_phoff = sizeof(file) - 8;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32()->e_phentsize = 1;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32()->e_entry = 0x99;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32();
	((Elf32_Phdr *)(file + 64))->p_filesz = 0x10000000;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32();
	((Elf32_Phdr *)(file + 64))->p_offset = 0xfffffff0;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf32();
	((Elf32_Phdr *)(file + 64))->p_memsz = 0xf0000000;
	EXPECT_EQ(load_elf(&elf), -ENOMEM);
	make_elf32();
	((Elf32_Phdr *)(file + 64))->p_paddr = 0x9f000; /* into the hole */
	EXPECT_EQ(load_elf(&elf), -ENOMEM);
	make_elf32()->e_ident[EI_DATA] = ELFDATA2MSB;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
	make_elf64();
	((Elf64_Phdr *)(file + 64))->p_paddr = UINT64_MAX - 10;
	EXPECT_EQ(load_elf(&elf), -ENOMEM);
	make_elf64();
	image.size = 40;
	EXPECT_EQ(load_elf(&elf), -ENOEXEC);
}

static void elf_random(void)
{
	unsigned int loaded = 0;
	struct tdm_elf elf;

	fresh_memory(MEM);
	for (unsigned int i = 0; i < 20000; i++) {
		if (i & 1)
			make_elf32();
		else
			make_elf64();
		for (unsigned int n = 1 + test_random() % 3; n; n--)
			file[4 + test_random() % 120] = (uint8_t)test_random();
		loaded += !load_elf(&elf);
	}
	EXPECT(loaded > 0);
}

static int load_vmlinux(void)
{
	struct tdm_load load = {
		.mem = &mem, .path = "test", .image = &image, .cmdline = "quiet"
	};

	return tdm_load_vmlinux(&load, &entry);
}

static void vmlinux_loads(void)
{
	make_elf64();
	fresh_memory(MEM);
	EXPECT(!load_vmlinux());
	EXPECT_EQ(entry.mode, TDM_ENTRY_LONG64);
	EXPECT_EQ(entry.rip, 0x1000040);
	EXPECT(!memcmp(at(TDM_BOOT_PARAMS + 0x202), "HdrS", 4));
	make_elf32();
	EXPECT_EQ(load_vmlinux(), -ENOEXEC);
	make_elf64();
	((Elf64_Phdr *)(file + 64))->p_paddr = 0x7000;
	EXPECT_EQ(load_vmlinux(), -ENOEXEC); /* onto boot_params */
}

/* --- multiboot --- */

static void put_mb_header(unsigned int off, uint32_t flags)
{
	tdm_put32(file + off, 0x1badb002);
	tdm_put32(file + off + 4, flags);
	tdm_put32(file + off + 8, -(0x1badb002 + flags));
}

static int load_multiboot(const char *cmdline, struct tdm_blob *initrd,
			  char **names, unsigned int nr)
{
	struct tdm_load load = { .mem = &mem,
				 .path = "dir/kernel",
				 .image = &image,
				 .cmdline = cmdline,
				 .initrd = initrd,
				 .initrd_path = names,
				 .nr_initrds = nr };

	return tdm_load_multiboot(&load, &entry);
}

static void multiboot_elf(void)
{
	uint8_t text[] = "module";
	struct tdm_blob initrd = { text, 6 };
	char *names[] = { (char *)"a.mod" };
	uint8_t *mbi, *mod;

	make_elf32();
	put_mb_header(0x200, 3);
	fresh_memory(MEM);
	EXPECT(!load_multiboot("one two", &initrd, names, 1));
	EXPECT_EQ(entry.mode, TDM_ENTRY_PROT32);
	EXPECT_EQ(entry.rax, 0x2badb002);
	EXPECT_EQ(entry.rip, 0x100010);
	mbi = at(entry.rbx);
	EXPECT_EQ(tdm_le32(mbi), 0x24d);
	EXPECT_EQ(tdm_le32(mbi + 4), 639);
	EXPECT_EQ(tdm_le32(mbi + 8), 63 * 1024);
	EXPECT(!strcmp((char *)at(tdm_le32(mbi + 16)), "dir/kernel one two"));
	EXPECT(!strcmp((char *)at(tdm_le32(mbi + 64)), "tandem"));
	EXPECT_EQ(tdm_le32(mbi + 20), 1);
	mod = at(tdm_le32(mbi + 24));
	EXPECT_EQ(tdm_le32(mod), 0x103000); /* page-aligned, after the kernel */
	EXPECT_EQ(tdm_le32(mod + 4), 0x103006);
	EXPECT(!memcmp(at(0x103000), "module", 6));
	EXPECT(!strcmp((char *)at(tdm_le32(mod + 8)), "a.mod"));
	EXPECT_EQ(tdm_le32(at(tdm_le32(mbi + 48))), 20);
	EXPECT_EQ(tdm_le32(mbi + 44) % 24, 0);
	EXPECT(!load_multiboot("", NULL, NULL, 0));
	EXPECT(!strcmp((char *)at(tdm_le32(at(entry.rbx) + 16)), "dir/kernel"));
}

static void make_flat(void)
{
	memset(file, 0x90, sizeof(file));
	image = (struct tdm_blob){ file, sizeof(file) };
	put_mb_header(0x100, 0x10003);
	tdm_put32(file + 0x10c, 0x200100); /* header_addr */
	tdm_put32(file + 0x110, 0x200000); /* load_addr */
	tdm_put32(file + 0x114, 0x201000); /* load_end_addr */
	tdm_put32(file + 0x118, 0x205000); /* bss_end_addr */
	tdm_put32(file + 0x11c, 0x200040); /* entry_addr */
}

static void multiboot_flat(void)
{
	make_flat();
	fresh_memory(MEM);
	memset(at(0x200000), 0xee, 0x6000);
	EXPECT(!load_multiboot("", NULL, NULL, 0));
	EXPECT_EQ(entry.rip, 0x200040);
	EXPECT_EQ(*at(0x200000), 0x90);
	EXPECT_EQ(*at(0x201000), 0x00);
	EXPECT_EQ(*at(0x204fff), 0x00);
	EXPECT_EQ(*at(0x205000), 0xee);
	tdm_put32(file + 0x114, 0); /* the whole file, no bss */
	tdm_put32(file + 0x118, 0);
	EXPECT(!load_multiboot("", NULL, NULL, 0));
	EXPECT_EQ(*at(0x200000 + sizeof(file) - 1), 0x90);
}

static void multiboot_refuses(void)
{
	static const struct {
		unsigned int off;
		uint32_t value;
	} damage[] = {
		{ 0x108, 0 },	     /* checksum */
		{ 0x10c, 0x1fffff }, /* header before the image */
		{ 0x110, 0x100000 }, /* load address too far below the header */
		{ 0x114, 0x1fffff }, /* end before start */
		{ 0x114, 0x300000 }, /* beyond the file */
		{ 0x118, 0x200800 }, /* bss ends inside the image */
		{ 0x118, 0xffffffff }, /* bss beyond memory */
		{ 0x11c, 0x205000 },   /* entry outside */
		{ 0x11c, 0x1fffff },
	};

	fresh_memory(MEM);
	for (unsigned int i = 0; i < ARRAY_SIZE(damage); i++) {
		make_flat();
		tdm_put32(file + damage[i].off, damage[i].value);
		EXPECT(load_multiboot("", NULL, NULL, 0));
	}
	make_elf32();
	EXPECT_EQ(load_multiboot("", NULL, NULL, 0), -ENOEXEC); /* no header */
	put_mb_header(0x200, 3 | 0x20); /* a required feature nobody knows */
	EXPECT_EQ(load_multiboot("", NULL, NULL, 0), -ENOEXEC);
	put_mb_header(8192 - 8, 3); /* straddles the end of the search */
	EXPECT_EQ(load_multiboot("", NULL, NULL, 0), -ENOEXEC);
	make_elf32();
	put_mb_header(0x200, 3);
	((Elf32_Phdr *)(file + 64))->p_paddr = 0x10000;
	((Elf32_Phdr *)(file + 64))->p_vaddr = 0x10000;
	make_elf32()->e_entry = 0x10010;
	put_mb_header(0x200, 3);
	((Elf32_Phdr *)(file + 64))->p_paddr = 0x10000; /* onto the info */
	EXPECT_EQ(load_multiboot("", NULL, NULL, 0), -ENOEXEC);
}

static void multiboot_long_text(void)
{
	static char text[0x10000];

	memset(text, 'x', sizeof(text) - 1);
	make_elf32();
	put_mb_header(0x200, 3);
	fresh_memory(MEM);
	EXPECT_EQ(load_multiboot(text, NULL, NULL, 0), -E2BIG);
	text[0xf000] = '\0';
	EXPECT(!load_multiboot(text, NULL, NULL, 0));
}

static void multiboot_random(void)
{
	uint8_t text[64] = { 0 };
	struct tdm_blob initrd = { text, sizeof(text) };
	char *names[] = { (char *)"x" };
	unsigned int loaded = 0;

	fresh_memory(MEM);
	for (unsigned int i = 0; i < 5000; i++) {
		make_flat();
		for (unsigned int n = 1 + test_random() % 3; n; n--)
			file[0x10c + test_random() % 20] =
				(uint8_t)test_random();
		if (!(test_random() & 7))
			image.size = 1 + test_random() % sizeof(file);
		loaded += !load_multiboot("text", &initrd, names, 1);
	}
	EXPECT(loaded > 0);
}

/* --- ACPI --- */

static void acpi_tables(void)
{
	static uint8_t area[0x20000];
	uint8_t *xsdt, *table;
	long used = tdm_acpi_build(area, sizeof(area), 0xe0000, 3);
	unsigned int lapics = 0;

	EXPECT(used > 0 && (size_t)used < sizeof(area));
	EXPECT(!memcmp(area, "RSD PTR ", 8));
	EXPECT_EQ(sum(area, 20), 0);
	EXPECT_EQ(sum(area, 36), 0);
	xsdt = area + (tdm_le64(area + 24) - 0xe0000);
	EXPECT(!memcmp(xsdt, "XSDT", 4));
	EXPECT_EQ(sum(xsdt, tdm_le32(xsdt + 4)), 0);
	table = area + (tdm_le32(area + 16) - 0xe0000);
	EXPECT(!memcmp(table, "RSDT", 4));
	EXPECT_EQ(sum(table, tdm_le32(table + 4)), 0);
	EXPECT_EQ(tdm_le32(table + 36), tdm_le32(xsdt + 36));

	table = area + (tdm_le64(xsdt + 36) - 0xe0000);
	EXPECT(!memcmp(table, "FACP", 4));
	EXPECT_EQ(sum(table, tdm_le32(table + 4)), 0);
	EXPECT_EQ(tdm_le32(table + 64), 0x604);
	EXPECT_EQ(tdm_le32(table + 40), tdm_le64(table + 140));
	EXPECT_EQ(tdm_le32(table + 36) % 64, 0); /* FACS alignment */
	EXPECT(!memcmp(area + (tdm_le32(table + 36) - 0xe0000), "FACS", 4));
	table = area + (tdm_le32(table + 40) - 0xe0000);
	EXPECT(!memcmp(table, "DSDT", 4));
	EXPECT_EQ(sum(table, tdm_le32(table + 4)), 0);

	table = area + (tdm_le64(xsdt + 44) - 0xe0000);
	EXPECT(!memcmp(table, "APIC", 4));
	EXPECT_EQ(sum(table, tdm_le32(table + 4)), 0);
	for (unsigned int off = 44; off < tdm_le32(table + 4);
	     off += table[off + 1]) {
		if (!table[off + 1]) {
			EXPECT(false); /* an entry without length */
			break;
		}
		if (table[off] == 0)
			EXPECT_EQ(table[off + 3], lapics++);
	}
	EXPECT_EQ(lapics, 3);
}

static void acpi_full(void)
{
	static uint8_t area[0x20000];
	long most = tdm_acpi_build(area, sizeof(area), 0xe0000, 255);

	EXPECT(most > 0);
	for (size_t size = 0; size < (size_t)most; size += 97)
		EXPECT_EQ(tdm_acpi_build(area, size, 0xe0000, 255), -ENOSPC);
}

static const struct test tests[] = {
	{ "memory: what is RAM and what not", memory_ranges },
	{ "memory: map and slots agree with it", memory_map },
	{ "memory: sizes refused", memory_sizes },
	{ "memory: firmware image", memory_rom },
	{ "linux: a bzImage is loaded", linux_loads },
	{ "linux: 32-bit entry and old protocols", linux_32bit },
	{ "linux: relocation", linux_relocates },
	{ "linux: damaged headers are refused", linux_refuses },
	{ "linux: command line and initrd limits",
	  linux_cmdline_and_initrd_limits },
	{ "linux: random damage", linux_random },
	{ "elf: loads", elf_loads },
	{ "elf: refuses", elf_refuses },
	{ "elf: random damage", elf_random },
	{ "vmlinux: loads", vmlinux_loads },
	{ "multiboot: ELF, information, modules", multiboot_elf },
	{ "multiboot: address fields", multiboot_flat },
	{ "multiboot: refuses", multiboot_refuses },
	{ "multiboot: long command lines", multiboot_long_text },
	{ "multiboot: random damage", multiboot_random },
	{ "acpi: tables are consistent", acpi_tables },
	{ "acpi: too little room", acpi_full },
};

int main(void)
{
	int status = run_tests(tests, ARRAY_SIZE(tests));

	tdm_mem_destroy(&mem);
	return status;
}
