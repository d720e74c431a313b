/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory and where things are in it.
 *
 * RAM is one host mapping: guest-physical 0 up to at most 3 GiB, the rest from
 * 4 GiB on. 0xa0000-0xbffff (the display's window on a PC) is a hole, so is all
 * from 3 to 4 GiB but the BIOS ROM. 0xc0000-0xfffff is plain memory.
 */
#ifndef TANDEM_MEMORY_H
#define TANDEM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TDM_MEM_MIN 0x200000ULL
#define TDM_MEM_MAX (1ULL << 40)
#define TDM_LOW_MAX 0xc0000000ULL
#define TDM_HIGH_BASE 0x100000000ULL
#define TDM_HOLE_START 0xa0000ULL
#define TDM_HOLE_END 0xc0000ULL

/* What the launcher itself puts below 1 MiB. */
#define TDM_BDA 0x400
#define TDM_BOOT_PARAMS 0x7000
#define TDM_BOOT_TABLES 0x9000 /* PML4, PDPT, four page directories */
#define TDM_BOOT_TABLES_END 0xf000
#define TDM_MB_INFO 0x10000 /* multiboot information, its maps and strings */
#define TDM_MB_INFO_END 0x20000
#define TDM_CMDLINE 0x20000
#define TDM_CMDLINE_MAX 0x10000 /* with the terminating NUL */
#define TDM_EBDA 0x9fc00
#define TDM_ACPI_START 0xe0000
#define TDM_ACPI_END 0xff000
#define TDM_BOOT_GDT 0xff000
#define TDM_BIOS_END 0x100000

/* KVM's own pages for real mode without unrestricted guest: identity map, then
 * TSS. */
#define TDM_IDENTITY_MAP 0xfeffc000ULL
#define TDM_TSS_ADDR 0xfeffd000ULL

#define TDM_E820_RAM 1
#define TDM_E820_RESERVED 2
#define TDM_E820_MAX 16

struct tdm_e820 {
	uint64_t addr, size;
	uint32_t type;
};

struct tdm_slot {
	uint64_t gpa, size;
	void *hva;
	bool readonly;
};

struct tdm_memory {
	uint8_t *base; /* host address of guest-physical 0 */
	uint64_t size, low_size, high_size;
	void *map; /* what was mapped, with slack for alignment */
	size_t map_size;
	uint8_t *rom; /* firmware image that ends at 4 GiB, or NULL */
	uint64_t rom_size;
};

int tdm_mem_init(struct tdm_memory *mem, uint64_t size, bool prealloc);
void tdm_mem_destroy(struct tdm_memory *mem);
int tdm_mem_add_rom(struct tdm_memory *mem, const uint8_t *image,
		    uint64_t size);
void *tdm_mem_at(const struct tdm_memory *mem, uint64_t gpa, uint64_t len);
int tdm_mem_peek(const struct tdm_memory *mem, uint64_t gpa);
int tdm_mem_write(const struct tdm_memory *mem, uint64_t gpa, const void *data,
		  uint64_t len, const char *what);
unsigned int tdm_mem_slots(const struct tdm_memory *mem,
			   struct tdm_slot slots[4]);
unsigned int tdm_mem_e820(const struct tdm_memory *mem,
			  struct tdm_e820 map[TDM_E820_MAX]);
void tdm_mem_bios_data(struct tdm_memory *mem);

#endif
