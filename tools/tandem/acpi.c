// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds the ACPI tables (ACPI 6.4, chapter 5): RSDP, RSDT, XSDT, FADT, FACS,
 * MADT and the DSDT compiled from dsdt.asl.
 *
 * They must agree with the devices: ports in acpi_pm.h, reset register in
 * pci.c, and with the interrupt wiring of an in-kernel irqchip: ISA IRQ 0
 * arrives on IOAPIC pin 2, all others on their own pin.
 */
#include <errno.h>
#include <string.h>

#include "acpi.h"
#include "dev/acpi_pm.h"
#include "util.h"

#include "dsdt.hex"

#define HEADER 36
#define LAPIC_ADDR 0xfee00000U
#define IOAPIC_ADDR 0xfec00000U
#define IOAPIC_ID 0
#define MPS_ACTIVE_HIGH_LEVEL 0x000d

/* The FADT's flags: what the machine is. */
#define FADT_WBINVD (1U << 0)
#define FADT_PROC_C1 (1U << 2)
#define FADT_SLP_BUTTON (1U << 5) /* no sleep button in fixed hardware */
#define FADT_TMR_VAL_EXT (1U << 8)
#define FADT_RESET_REG (1U << 10)
#define FADT_BOOT_LEGACY (1U << 0) /* ISA devices such as COM1 */
#define FADT_BOOT_NO_VGA (1U << 2)

struct area {
	uint8_t *base;
	size_t size, used;
	uint64_t gpa;
};

/* Next @len zeroed bytes at a multiple of @align; NULL when the area is full.
 */
static uint8_t *take(struct area *a, size_t len, size_t align, uint64_t *gpa)
{
	size_t off = tdm_align_up(a->gpa + a->used, align) - a->gpa;

	if (!tdm_in_range(off, len, a->size))
		return NULL;
	a->used = off + len;
	*gpa = a->gpa + off;
	memset(a->base + off, 0, len);
	return a->base + off;
}

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static void put_header(uint8_t *t, const char *sig, size_t len,
		       uint8_t revision)
{
	memcpy(t, sig, 4);
	tdm_put32(t + 4, (uint32_t)len);
	t[8] = revision;
	memcpy(t + 10, "TANDEM", 6);
	memcpy(t + 16, "TANDEM  ", 8);
	tdm_put32(t + 24, 1);
	memcpy(t + 28, "TNDM", 4);
	tdm_put32(t + 32, 1);
}

static void seal(uint8_t *t)
{
	t[9] = 0;
	t[9] = checksum(t, tdm_le32(t + 4));
}

/* Generic address structure for an I/O port. */
static void put_gas(uint8_t *p, uint8_t bits, uint8_t access, uint64_t port)
{
	p[0] = 1; /* system I/O */
	p[1] = bits;
	p[3] = access;
	tdm_put64(p + 4, port);
}

static void put_fadt(uint8_t *t, size_t len, uint64_t facs, uint64_t dsdt)
{
	put_header(t, "FACP", len, 5);
	tdm_put32(t + 36, (uint32_t)facs);
	tdm_put32(t + 40, (uint32_t)dsdt);
	tdm_put16(t + 46, TDM_SCI_GSI);
	tdm_put32(t + 56, TDM_PM1_EVT);
	tdm_put32(t + 64, TDM_PM1_CNT);
	tdm_put32(t + 76, TDM_PM_TMR);
	t[88] = 4;		   /* PM1 event block length */
	t[89] = 2;		   /* PM1 control block length */
	t[91] = 4;		   /* PM timer length */
	tdm_put16(t + 96, 0xffff); /* no C2 */
	tdm_put16(t + 98, 0xffff); /* no C3 */
	t[108] = 0x32;		   /* CMOS byte of the century */
	tdm_put16(t + 109, FADT_BOOT_LEGACY | FADT_BOOT_NO_VGA);
	tdm_put32(t + 112, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON |
				   FADT_TMR_VAL_EXT | FADT_RESET_REG);
	put_gas(t + 116, 8, 1, 0xcf9);
	t[128] = 0x06; /* value for the reset register */
	t[131] = 1;    /* minor revision: 5.1 */
	tdm_put64(t + 132, facs);
	tdm_put64(t + 140, dsdt);
	put_gas(t + 148, 32, 2, TDM_PM1_EVT);
	put_gas(t + 172, 16, 2, TDM_PM1_CNT);
	put_gas(t + 208, 32, 3, TDM_PM_TMR);
	seal(t);
}

static size_t madt_size(unsigned int cpus)
{
	return HEADER + 8 + 8 * cpus + 12 + 2 * 10 + 6;
}

static void put_madt(uint8_t *t, size_t len, unsigned int cpus)
{
	uint8_t *p = t + HEADER;

	put_header(t, "APIC", len, 3);
	tdm_put32(p, LAPIC_ADDR);
	tdm_put32(p + 4, 1); /* PC-AT compatible: 8259s are there too */
	p += 8;
	for (unsigned int i = 0; i < cpus; i++, p += 8) {
		p[0] = 0; /* local APIC */
		p[1] = 8;
		p[2] = (uint8_t)i;   /* ACPI processor UID */
		p[3] = (uint8_t)i;   /* APIC ID */
		tdm_put32(p + 4, 1); /* enabled */
	}
	p[0] = 1; /* IOAPIC */
	p[1] = 12;
	p[2] = IOAPIC_ID;
	tdm_put32(p + 4, IOAPIC_ADDR);
	p += 12;
	p[0] = 2; /* override: ISA IRQ 0 is GSI 2 */
	p[1] = 10;
	tdm_put32(p + 4, 2);
	p += 10;
	p[0] = 2; /* override: the SCI is active high, level */
	p[1] = 10;
	p[3] = TDM_SCI_GSI;
	tdm_put32(p + 4, TDM_SCI_GSI);
	tdm_put16(p + 8, MPS_ACTIVE_HIGH_LEVEL);
	p += 10;
	p[0] = 4; /* NMI on LINT1 of every local APIC */
	p[1] = 6;
	p[2] = 0xff;
	p[5] = 1;
	seal(t);
}

static void put_sdt(uint8_t *t, const char *sig, const uint64_t *tables,
		    unsigned int n, unsigned int width)
{
	put_header(t, sig, HEADER + n * width, 1);
	for (unsigned int i = 0; i < n; i++)
		if (width == 8)
			tdm_put64(t + HEADER + i * 8, tables[i]);
		else
			tdm_put32(t + HEADER + i * 4, (uint32_t)tables[i]);
	seal(t);
}

static void put_rsdp(uint8_t *t, uint64_t rsdt, uint64_t xsdt)
{
	memcpy(t, "RSD PTR ", 8);
	memcpy(t + 9, "TANDEM", 6);
	t[15] = 2;
	tdm_put32(t + 16, (uint32_t)rsdt);
	tdm_put32(t + 20, 36);
	tdm_put64(t + 24, xsdt);
	t[8] = checksum(t, 20);
	t[32] = checksum(t, 36);
}

/**
 * tdm_acpi_build() - write all tables; the RSDP comes first.
 * @area: host address of where they go; below 1 MiB, so 32-bit pointers do
 * @area_size: its size in bytes
 * @area_gpa: its guest-physical address, a multiple of 64
 * @cpus: processors, APIC IDs 0 to @cpus - 1; at most 255
 *
 * Return: bytes used, or -ENOSPC.
 */
long tdm_acpi_build(uint8_t *area, size_t area_size, uint64_t area_gpa,
		    unsigned int cpus)
{
	struct area a = { area, area_size, 0, area_gpa };
	size_t fadt_len = 268, madt_len = madt_size(cpus);
	uint64_t rsdp_at, rsdt_at, xsdt_at, facs_at, dsdt_at, tables[2];
	uint8_t *rsdp = take(&a, 36, 16, &rsdp_at);
	uint8_t *rsdt = take(&a, HEADER + sizeof(tables) / 2, 16, &rsdt_at);
	uint8_t *xsdt = take(&a, HEADER + sizeof(tables), 16, &xsdt_at);
	uint8_t *facs = take(&a, 64, 64, &facs_at);
	uint8_t *dsdt = take(&a, sizeof(dsdt_aml_code), 16, &dsdt_at);
	uint8_t *fadt = take(&a, fadt_len, 16, &tables[0]);
	uint8_t *madt = take(&a, madt_len, 16, &tables[1]);

	if (!rsdp || !rsdt || !xsdt || !facs || !dsdt || !fadt || !madt)
		return -ENOSPC;
	memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	memcpy(facs, "FACS", 4);
	tdm_put32(facs + 4, 64);
	facs[32] = 2; /* version */
	put_fadt(fadt, fadt_len, facs_at, dsdt_at);
	put_madt(madt, madt_len, cpus);
	put_sdt(rsdt, "RSDT", tables, ARRAY_SIZE(tables), 4);
	put_sdt(xsdt, "XSDT", tables, ARRAY_SIZE(tables), 8);
	put_rsdp(rsdp, rsdt_at, xsdt_at);
	return (long)a.used;
}
