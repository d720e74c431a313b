// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: the host mapping behind it, checked access, slots, memory map.
 *
 * Everything that puts data into the guest goes through tdm_mem_at(), which
 * refuses a range that is not RAM as a whole.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "util.h"

#define HUGE (2 * TDM_MIB)

/* Populate now, so that no first touch is counted while the guest runs. */
static int populate(uint8_t *p, uint64_t size)
{
	long page = sysconf(_SC_PAGESIZE);

#ifdef MADV_POPULATE_WRITE
	if (!madvise(p, size, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -errno;
#endif
	for (uint64_t off = 0; off < size; off += (uint64_t)page)
		*(volatile uint8_t *)(p + off) = 0;
	return 0;
}

/**
 * tdm_mem_init() - reserve guest memory.
 * @mem: filled in
 * @size: bytes of RAM, TDM_MEM_MIN to TDM_MEM_MAX, a multiple of 4 KiB
 * @prealloc: touch every page now instead of at the guest's first access
 *
 * The mapping starts on a 2 MiB boundary so that the host can back it, and the
 * kernel map it, with large pages.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_mem_init(struct tdm_memory *mem, uint64_t size, bool prealloc)
{
	int err;

	memset(mem, 0, sizeof(*mem));
	if (size < TDM_MEM_MIN || size > TDM_MEM_MAX || size % 4096) {
		tdm_error("--mem must be 2M to 1T in steps of 4K");
		return -EINVAL;
	}
	mem->size = size;
	mem->low_size = size < TDM_LOW_MAX ? size : TDM_LOW_MAX;
	mem->high_size = size - mem->low_size;
	mem->map_size = size + HUGE;
	mem->map = mmap(NULL, mem->map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->map == MAP_FAILED) {
		err = -errno;
		mem->map = NULL;
		tdm_error(
			"cannot map %llu MiB of guest memory: %s; try a smaller --mem",
			(unsigned long long)(size / TDM_MIB), strerror(-err));
		return err;
	}
	mem->base = (uint8_t *)tdm_align_up((uint64_t)mem->map, HUGE);
	madvise(mem->base, size,
		MADV_HUGEPAGE); /* only advice: fine where not supported */
	madvise(mem->base, size, MADV_DONTDUMP); /* a crash dump of the launcher
						    need not hold it */
	if (!prealloc)
		return 0;
	err = populate(mem->base, size);
	if (err) {
		tdm_error(
			"--prealloc: the host has no %llu MiB to give: %s; try a smaller --mem",
			(unsigned long long)(size / TDM_MIB), strerror(-err));
		tdm_mem_destroy(mem);
	}
	return err;
}

/** tdm_mem_destroy() - unmap everything. No vCPU may run any more. */
void tdm_mem_destroy(struct tdm_memory *mem)
{
	if (mem->map)
		munmap(mem->map, mem->map_size);
	if (mem->rom)
		munmap(mem->rom, mem->rom_size);
	memset(mem, 0, sizeof(*mem));
}

/**
 * tdm_mem_add_rom() - place a firmware image so that it ends at 4 GiB.
 *
 * The last 128 KiB also appear below 1 MiB, as on a PC.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_mem_add_rom(struct tdm_memory *mem, const uint8_t *image, uint64_t size)
{
	uint64_t copy = size < 128 * TDM_KIB ? size : 128 * TDM_KIB;

	if (!size || size % (4 * TDM_KIB) ||
	    size > TDM_HIGH_BASE - TDM_TSS_ADDR - 0x3000) {
		tdm_error(
			"the firmware image must be a multiple of 4 KiB and at most 16 MiB");
		return -EINVAL;
	}
	mem->rom = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem->rom == MAP_FAILED) {
		mem->rom = NULL;
		tdm_error("no memory for the firmware image");
		return -ENOMEM;
	}
	mem->rom_size = size;
	memcpy(mem->rom, image, size);
	memcpy(mem->base + TDM_MIB - copy, image + size - copy, copy);
	return 0;
}

/**
 * tdm_mem_at() - host address of a range of guest RAM.
 *
 * Return: the address, or NULL unless all of [gpa, gpa + len) is RAM of one
 * piece.
 */
void *tdm_mem_at(const struct tdm_memory *mem, uint64_t gpa, uint64_t len)
{
	if (gpa < TDM_HOLE_START)
		return tdm_in_range(gpa, len, TDM_HOLE_START) ? mem->base + gpa
							      : NULL;
	if (gpa < TDM_HOLE_END)
		return NULL;
	if (gpa < mem->low_size)
		return tdm_in_range(gpa, len, mem->low_size) ? mem->base + gpa
							     : NULL;
	if (gpa < TDM_HIGH_BASE ||
	    !tdm_in_range(gpa - TDM_HIGH_BASE, len, mem->high_size))
		return NULL;
	return mem->base + mem->low_size + (gpa - TDM_HIGH_BASE);
}

/** tdm_mem_peek() - a byte of RAM or ROM, or -1. */
int tdm_mem_peek(const struct tdm_memory *mem, uint64_t gpa)
{
	const uint8_t *p = tdm_mem_at(mem, gpa, 1);

	if (p)
		return *p;
	if (gpa >= TDM_HIGH_BASE || gpa < TDM_HIGH_BASE - mem->rom_size)
		return -1;
	return mem->rom[gpa - (TDM_HIGH_BASE - mem->rom_size)];
}

/** tdm_mem_write() - copy into the guest. Return: 0, or -ENOMEM, reported,
 * naming @what. */
int tdm_mem_write(const struct tdm_memory *mem, uint64_t gpa, const void *data,
		  uint64_t len, const char *what)
{
	void *p = tdm_mem_at(mem, gpa, len);

	if (!p) {
		tdm_error(
			"%s does not fit: it needs guest memory 0x%llx-0x%llx, --mem gives %llu MiB",
			what, (unsigned long long)gpa,
			(unsigned long long)(gpa + len),
			(unsigned long long)(mem->size / TDM_MIB));
		return -ENOMEM;
	}
	memcpy(p, data, len);
	return 0;
}

/** tdm_mem_slots() - the memory slots to give to the device. Return: how many.
 */
unsigned int tdm_mem_slots(const struct tdm_memory *mem,
			   struct tdm_slot slots[4])
{
	unsigned int n = 0;

	slots[n++] = (struct tdm_slot){ 0, TDM_HOLE_START, mem->base, false };
	slots[n++] =
		(struct tdm_slot){ TDM_HOLE_END, mem->low_size - TDM_HOLE_END,
				   mem->base + TDM_HOLE_END, false };
	if (mem->high_size)
		slots[n++] =
			(struct tdm_slot){ TDM_HIGH_BASE, mem->high_size,
					   mem->base + mem->low_size, false };
	if (mem->rom)
		slots[n++] = (struct tdm_slot){ TDM_HIGH_BASE - mem->rom_size,
						mem->rom_size, mem->rom, true };
	return n;
}

/** tdm_mem_e820() - the memory map a PC's firmware would report. Return:
 * entries used. */
unsigned int tdm_mem_e820(const struct tdm_memory *mem,
			  struct tdm_e820 map[TDM_E820_MAX])
{
	unsigned int n = 0;

	map[n++] = (struct tdm_e820){ 0, TDM_EBDA, TDM_E820_RAM };
	map[n++] = (struct tdm_e820){ TDM_EBDA, TDM_HOLE_START - TDM_EBDA,
				      TDM_E820_RESERVED };
	map[n++] = (struct tdm_e820){ TDM_ACPI_START,
				      TDM_BIOS_END - TDM_ACPI_START,
				      TDM_E820_RESERVED };
	map[n++] = (struct tdm_e820){ TDM_MIB, mem->low_size - TDM_MIB,
				      TDM_E820_RAM };
	map[n++] = (struct tdm_e820){ TDM_IDENTITY_MAP, 0x4000,
				      TDM_E820_RESERVED };
	if (mem->rom)
		map[n++] =
			(struct tdm_e820){ TDM_HIGH_BASE - mem->rom_size,
					   mem->rom_size, TDM_E820_RESERVED };
	if (mem->high_size)
		map[n++] = (struct tdm_e820){ TDM_HIGH_BASE, mem->high_size,
					      TDM_E820_RAM };
	return n;
}

/** tdm_mem_bios_data() - the few BIOS data area fields that system software
 * still reads. */
void tdm_mem_bios_data(struct tdm_memory *mem)
{
	uint8_t *bda = mem->base + TDM_BDA;

	tdm_put16(bda + 0x00, 0x3f8); /* COM1 */
	tdm_put16(bda + 0x0e, TDM_EBDA >> 4);
	tdm_put16(bda + 0x10,
		  0x0202); /* equipment: coprocessor, one serial port */
	tdm_put16(bda + 0x13,
		  TDM_EBDA / 1024); /* KiB of memory below the EBDA */
	mem->base[TDM_EBDA] = 1;    /* the EBDA's size in KiB */
}
