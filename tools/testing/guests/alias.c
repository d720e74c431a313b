// SPDX-License-Identifier: GPL-2.0-only
/*
 * alias.c - one page under thousands of addresses, one table under many
 * entries, a page that is data here and a page table there.
 *
 * The processor knows no such relations; a monitor that shadows tables does.
 */
#include "paging.h"

const char guest_name[] = "alias";

static struct chain c;

/* 8192 addresses of one frame: all of 16 tables, which all are one. */
static void thousands(void)
{
	volatile u64 *cell;
	u32 i, bad = 0;

	for (i = 0; i < 512; i++)
		c.table[1][i] = frame_pa(3) | PT_P | PT_W;
	for (i = 0; i < 16; i++)
		c.table[2][i] = (u64)c.table[1] | PT_P | PT_W;
	write_cr3(read_cr3());
	for (i = 0; i < 16 * 512; i += 3) {
		cell = (u64 *)(c.va + i * PAGE_SIZE + 0x100);
		*cell = i;
		bad += *(volatile u64 *)(frame_pa(3) + 0x100) != i;
		bad += *(volatile u64 *)(c.va + ((i * 7 + 1) & 8191) * PAGE_SIZE +
					 0x100) != i;
	}
	check_eq("thousands", bad, 0);

	/* The page goes away from under all of them by one table. */
	for (i = 0; i < 512; i++)
		c.table[1][i] = i & 1 ? frame_pa(i & 15) | PT_P : 0;
	write_cr3(read_cr3());
	for (i = 0; i < 16 * 512; i += 5)
		bad += probe_cell(c.va + i * PAGE_SIZE) !=
		       (i & 1 ? data_value(i & 15) : PROBE_FAULT);
	check_eq("thousands.gone", bad, 0);

	/* And comes back; no flush is due for that. */
	for (i = 0; i < 512; i += 2)
		c.table[1][i] = frame_pa(i & 15) | PT_P;
	for (i = 0; i < 16 * 512; i += 5)
		bad += probe_cell(c.va + i * PAGE_SIZE) != data_value(i & 15);
	check_eq("thousands.back", bad, 0);
}

/* The same frame read-write and read-only, at many places. */
static void rights(void)
{
	u32 i, bad = 0;

	for (i = 0; i < 64; i++)
		c.table[1][i] = frame_pa(4) | PT_P | (i & 1 ? PT_W : 0);
	write_cr3(read_cr3());
	for (i = 0; i < 64; i++) {
		bad += probe_write(c.va + i * PAGE_SIZE + 0x200, i) !=
		       (i & 1 ? ACC_FINE : PF_P | PF_W);
		bad += *(u64 *)(frame_pa(4) + 0x200) != (i ? (i - 1) | 1 : 0);
	}
	check_eq("rights", bad, 0);

	/* Rights from above: one table below a RW and a RO entry. */
	c.table[2][1] = (u64)c.table[1] | PT_P;
	c.table[2][0] = (u64)c.table[1] | PT_P | PT_W;
	write_cr3(read_cr3());
	bad = 0;
	for (i = 1; i < 64; i += 2) {
		bad += probe_write(c.va + i * PAGE_SIZE + 0x200, 0x100 + i) !=
		       ACC_FINE;
		bad += probe_write(c.va + 0x200000 + i * PAGE_SIZE + 0x200, i) !=
		       (PF_P | PF_W);
		bad += *(u64 *)(c.va + 0x200000 + i * PAGE_SIZE + 0x200) !=
		       0x100 + i;
	}
	check_eq("rights.upper", bad, 0);
	/* The other way round, in another order. */
	c.table[2][1] |= PT_W;
	c.table[2][0] &= ~PT_W;
	write_cr3(read_cr3());
	bad = 0;
	for (i = 63; i < 64; i -= 2) {
		bad += probe_write(c.va + i * PAGE_SIZE + 0x200, 1) !=
		       (PF_P | PF_W);
		bad += probe_write(c.va + 0x200000 + i * PAGE_SIZE + 0x200, i) !=
		       ACC_FINE;
	}
	check_eq("rights.swapped", bad, 0);
	c.table[2][0] |= PT_W;
	write_cr3(read_cr3());
}

/* A page of data becomes a page table, and one again, many times. */
static void role(void)
{
	u64 *page = (u64 *)frame_pa(frame_alloc());
	u32 i, n, bad = 0;

	c.table[1][0] = (u64)page | PT_P | PT_W; /* as data */
	c.table[2][2] = 0;
	write_cr3(read_cr3());
	for (n = 0; n < 20; n++) {
		u64 *data = (u64 *)c.va;

		for (i = 0; i < 16; i++)
			data[i] = frame_pa((i + n) & 15) | PT_P | PT_W;
		c.table[2][2] = (u64)page | PT_P | PT_W;
		for (i = 0; i < 16; i++)
			bad += probe_cell(c.va + 0x400000 + i * PAGE_SIZE) !=
			       data_value((i + n) & 15);
		/* In use, and written through the other address. */
		for (i = 0; i < 16; i++) {
			data[i] = frame_pa((i * 3 + n) & 15) | PT_P | PT_W;
			invlpg_addr(c.va + 0x400000 + i * PAGE_SIZE);
			bad += probe_cell(c.va + 0x400000 + i * PAGE_SIZE) !=
			       data_value((i * 3 + n) & 15);
		}
		c.table[2][2] = 0;
		write_cr3(read_cr3());
		bad += probe_cell(c.va + 0x400000) != PROBE_FAULT;
		/* Plain data again: what is written is only that. */
		memset(data, n, 256);
		bad += page[7] != n * 0x0101010101010101ul;
	}
	check_eq("role", bad, 0);
}

/* One frame is page table, directory and directory pointer table at once. */
static void levels(void)
{
	u64 *page = (u64 *)frame_pa(frame_alloc());
	u64 va = (u64)2 << 39, value;
	u32 bad = 0;

	page[0] = (u64)page | PT_P | PT_W;
	page[1] = frame_pa(1) | PT_P | PT_W;
	boot_pml4[2] = (u64)page | PT_P | PT_W;
	write_cr3(read_cr3());
	/* Index 0 everywhere: the frame itself. */
	bad += probe_read(va + 8, &value) != ACC_FINE;
	bad += (value & ~(PT_A | PT_D)) != (frame_pa(1) | PT_P | PT_W);
	/* Index 1 at the end: a data frame. */
	bad += probe_cell(va + PAGE_SIZE) != data_value(1);
	/* Written through itself. */
	*(volatile u64 *)(va + 16) = frame_pa(2) | PT_P | PT_W;
	bad += probe_cell(va + 2 * PAGE_SIZE) != data_value(2);
	*(volatile u64 *)(va + 16) = frame_pa(5) | PT_P | PT_W;
	invlpg_addr(va + 2 * PAGE_SIZE);
	bad += probe_cell(va + 2 * PAGE_SIZE) != data_value(5);
	/* Cuts the branch it came by. */
	*(volatile u64 *)va = 0;
	write_cr3(read_cr3());
	bad += probe_cell(va) != (PROBE_FAULT);
	check_eq("levels", bad, 0);
	boot_pml4[2] = 0;
	write_cr3(read_cr3());
}

/* 40 address spaces share every table but the root; switched at random. */
static void shared_roots(void)
{
	u64 *root[40], home = read_cr3(), va = (u64)3 << 39;
	u32 i, n, bad = 0;

	for (i = 0; i < 40; i++) {
		root[i] = (u64 *)frame_pa(frame_alloc());
		memcpy(root[i], boot_pml4, PAGE_SIZE);
		root[i][3 + (i & 3)] = (u64)c.table[3] | PT_P | PT_W;
	}
	for (i = 0; i < 512; i++)
		c.table[1][i] = frame_pa(i & 15) | PT_P | PT_W;
	pg_seed(5);
	for (n = 0; n < 400; n++) {
		i = pg_random() % 40;
		write_cr3((u64)root[i]);
		bad += probe_cell(va + ((u64)(i & 3) << 39) + n * PAGE_SIZE) !=
		       data_value(n & 15);
		bad += probe_cell(va + ((u64)((i + 1) & 3) << 39)) != PROBE_FAULT;
	}
	check_eq("shared_roots", bad, 0);
	write_cr3(home);
}

void guest_main(void)
{
	probe_init();
	chain_init(&c, 1);
	thousands();
	rights();
	role();
	levels();
	shared_roots();
}
