// SPDX-License-Identifier: GPL-2.0-only
/*
 * largepages.c - pages of 2 MiB and 1 GiB: the right memory behind each, split
 * into small ones and joined again, and one that holds its own tables.
 */
#include "paging.h"

const char guest_name[] = "largepages";

#define RW (PT_P | PT_W)
/* Memory of its own, behind the pool: 2 MiB pieces. */
#define PIECE(n) (0x5000000ul + (n) * 0x200000ul)

static struct chain c;

/* First word of each 4 KiB page in eight pieces says where it is. */
static void mark(void)
{
	u64 pa;

	for (pa = PIECE(0); pa < PIECE(8); pa += PAGE_SIZE)
		*(volatile u64 *)pa = pa;
}

static u32 compare(u64 va, u64 pa, u64 size)
{
	u32 bad = 0;
	u64 off;

	for (off = 0; off < size; off += 7 * PAGE_SIZE)
		bad += *(volatile u64 *)(va + off) != pa + off;
	return bad;
}

static void places(void)
{
	u32 i, bad = 0;

	for (i = 0; i < 8; i++)
		c.table[2][i] = PIECE(7 - i) | RW | PT_PS;
	write_cr3(read_cr3());
	for (i = 0; i < 8; i++)
		bad += compare(c.va + i * 0x200000, PIECE(7 - i), 0x200000);
	check_eq("2m", bad, 0);
	/* Another piece at the same address. */
	for (i = 0; i < 8; i++) {
		c.table[2][i] = PIECE(i) | RW | PT_PS;
		invlpg_addr(c.va + i * 0x200000 + 0x123000);
		bad += compare(c.va + i * 0x200000, PIECE(i), 0x200000);
	}
	check_eq("2m.moved", bad, 0);
	if (!HAS_1G) {
		skip("1g", "no 1 GiB pages");
		return;
	}
	c.table[3][1] = RW | PT_PS;
	bad = compare(c.va + 0x40000000 + PIECE(0), PIECE(0), 0x1000000);
	*(volatile u64 *)(c.va + 0x40000000 + PIECE(3) + 8) = 0x1234;
	bad += *(volatile u64 *)(PIECE(3) + 8) != 0x1234;
	/* The very same memory as small pages below another entry. */
	bad += *(volatile u64 *)(c.va + 3 * 0x200000 + 8) != 0x1234;
	check_eq("1g", bad, 0);
	c.table[3][1] = (u64)c.table[2] | RW;
	invlpg_addr(c.va + 0x40000000 + PIECE(3));
	write_cr3(read_cr3());
	bad = compare(c.va + 0x40000000, PIECE(0), 0x200000);
	check_eq("1g.split", bad, 0);
	c.table[3][1] = 0;
	write_cr3(read_cr3());
}

static void split(void)
{
	u64 *pt = (u64 *)frame_pa(frame_alloc());
	u32 i, n, bad = 0;

	for (n = 0; n < 12; n++) {
		for (i = 0; i < 512; i++)
			pt[i] = (PIECE(2) + i * PAGE_SIZE) | RW;
		c.table[2][0] = (u64)pt | RW;
		invlpg_addr(c.va + n * 0x11000);
		write_cr3(read_cr3());
		bad += compare(c.va, PIECE(2), 0x200000);
		/* One of the small pages is special. */
		pt[n * 9] = PIECE(5) | PT_P;
		invlpg_addr(c.va + n * 9 * PAGE_SIZE);
		bad += *(volatile u64 *)(c.va + n * 9 * PAGE_SIZE) != PIECE(5);
		bad += probe_write(c.va + n * 9 * PAGE_SIZE + 8, 1) !=
		       (PF_P | PF_W);
		bad += *(volatile u64 *)(c.va + (n * 9 + 1) * PAGE_SIZE) !=
		       PIECE(2) + (n * 9 + 1) * PAGE_SIZE;
		c.table[2][0] = PIECE(2) | RW | PT_PS;
		write_cr3(read_cr3());
		bad += probe_write(c.va + n * 9 * PAGE_SIZE + 8, n) != ACC_FINE;
		bad += compare(c.va, PIECE(2), 0x200000);
	}
	check_eq("split", bad, 0);

	/* From a large page to nothing and back, rights changed on the way. */
	for (n = 0; n < 12; n++) {
		c.table[2][0] = 0;
		invlpg_addr(c.va + n * PAGE_SIZE);
		write_cr3(read_cr3());
		bad += probe_cell(c.va + n * PAGE_SIZE) != PROBE_FAULT;
		c.table[2][0] = PIECE(n & 7) | PT_P | PT_PS;
		bad += compare(c.va, PIECE(n & 7), 0x40000);
		bad += probe_write(c.va + n * PAGE_SIZE + 8, 1) != (PF_P | PF_W);
		c.table[2][0] |= PT_W;
		invlpg_addr(c.va + n * PAGE_SIZE);
		bad += probe_write(c.va + n * PAGE_SIZE + 8, 1) != ACC_FINE;
	}
	check_eq("rights", bad, 0);
}

/* The pool's 2 MiB as one page: the tables of that very page are in it. */
static void own_tables(void)
{
	u64 va = c.va + 0x200000, in = va - POOL_BASE;
	volatile u64 *pde = (u64 *)((u64)c.table[2] + in);
	volatile u64 *pt;
	u32 i, bad = 0;

	c.table[2][1] = POOL_BASE | RW | PT_PS;
	c.table[2][2] = 0;
	write_cr3(read_cr3());
	bad += (pde[1] & ~(PT_A | PT_D)) != (POOL_BASE | RW | PT_PS);
	/* Tables written through the large page they make up. */
	pde[2] = (u64)c.table[1] | RW;
	pt = (u64 *)((u64)c.table[1] + in);
	for (i = 0; i < 64; i++) {
		pt[i] = frame_pa(i & 15) | RW;
		bad += probe_cell(va + 0x200000 + i * PAGE_SIZE) !=
		       data_value(i & 15);
	}
	for (i = 0; i < 64; i++) {
		pt[i] = frame_pa(i * 3 & 15) | RW;
		invlpg_addr(va + 0x200000 + i * PAGE_SIZE);
		bad += probe_cell(va + 0x200000 + i * PAGE_SIZE) !=
		       data_value(i * 3 & 15);
	}
	check_eq("own_tables", bad, 0);
	/* It removes itself, and comes back by another way. */
	pde[1] = 0;
	invlpg_addr(va);
	check_eq("own_tables.gone", probe_cell(va), PROBE_FAULT);
	c.table[2][1] = POOL_BASE | RW | PT_PS;
	bad = probe_cell(va + PAGE_SIZE) != data_value(1);
	bad += pde[1] >> 21 != POOL_BASE >> 21;
	check_eq("own_tables.back", bad, 0);
}

/* Splits the identity map this code runs in, and joins it. */
static void identity(void)
{
	u64 *pt = (u64 *)frame_pa(frame_alloc()), old = boot_pd0[0];
	u32 i, n, bad = 0;

	for (i = 0; i < 512; i++)
		pt[i] = i * PAGE_SIZE | RW;
	for (n = 0; n < 20; n++) {
		boot_pd0[0] = (u64)pt | RW;
		write_cr3(read_cr3());
		bad += probe_cell(c.va + 0x200000) != data_value(0);
		boot_pd0[0] = old;
		invlpg_addr(0x100000);
		write_cr3(read_cr3());
	}
	check_eq("identity", bad, 0);
}

void guest_main(void)
{
	probe_init();
	chain_init(&c, 1);
	mark();
	places();
	split();
	own_tables();
	identity();
}
