// SPDX-License-Identifier: GPL-2.0-only
/*
 * selfmap.c - a PML4 entry that refers to the PML4: all page tables appear in
 * the address space they make up, and are changed there.
 *
 * Slot 5 is recursive: the PTE of va is at slot 5, its three upper indices one
 * level down. With index 5 at every level it is the PML4 itself.
 */
#include "paging.h"

const char guest_name[] = "selfmap";

#define SLOT 5ul
#define SELF_PT (SLOT << 39)
#define SELF_PD (SELF_PT | SLOT << 30)
#define SELF_PDPT (SELF_PD | SLOT << 21)
#define SELF_PML4 (SELF_PDPT | SLOT << 12)
#define ENTRY(base, va, shift) \
	((volatile u64 *)((base) + (((va) & 0xfffffffff000) >> (shift) & ~7ul)))
#define PTE(va) ENTRY(SELF_PT, va, 9)
#define PDE(va) ENTRY(SELF_PD, va, 18)
#define PDPTE(va) ENTRY(SELF_PDPT, va, 27)
#define PML4E(va) ENTRY(SELF_PML4, va, 36)
#define RW (PT_P | PT_W)
#define NO_AD(e) ((e) & ~(PT_A | PT_D))

static struct chain c;

/* Each table is seen where it should be, at each level. */
static void seen(void)
{
	u64 va = c.va, got[4];

	probe_cell(va);
	got[0] = NO_AD(*PTE(va));
	got[1] = NO_AD(*PDE(va));
	got[2] = NO_AD(*PDPTE(va));
	got[3] = NO_AD(*PML4E(va));
	check(got[0] == NO_AD(c.table[1][0]) && got[1] == NO_AD(c.table[2][0]) &&
	      got[2] == NO_AD(c.table[3][0]) && got[3] == NO_AD(boot_pml4[1]),
	      "seen", "%lx %lx %lx %lx", got[0], got[1], got[2], got[3]);
	check_eq("seen.self", NO_AD(*PML4E(SELF_PT)), (u64)boot_pml4 | RW);
}

/* New mappings by writes to the self-map alone. */
static void build(void)
{
	u64 va = 2ul << 39 | 3ul << 30 | 7ul << 21, pt, pd, pdpt;
	u32 i, bad = 0;

	pdpt = frame_pa(frame_alloc());
	pd = frame_pa(frame_alloc());
	pt = frame_pa(frame_alloc());
	/* Each step reaches the table the one before has put in. */
	*PML4E(va) = pdpt | RW;
	bad += *PDPTE(va) != 0;
	*PDPTE(va) = pd | RW;
	bad += *PDE(va) != 0;
	*PDE(va) = pt | RW;
	bad += *PTE(va) != 0;
	for (i = 0; i < 16; i++)
		*PTE(va + i * PAGE_SIZE) = frame_pa(i) | RW;
	for (i = 0; i < 16; i++)
		bad += probe_cell(va + i * PAGE_SIZE) != data_value(i);
	check_eq("build", bad, 0);

	/* A fork's way: read-only, and writable again after the fault. */
	for (i = 0; i < 16; i++) {
		*PTE(va + i * PAGE_SIZE) &= ~PT_W;
		invlpg_addr(va + i * PAGE_SIZE);
		bad += probe_write(va + i * PAGE_SIZE + 0x80, 1) !=
		       (PF_P | PF_W);
		*PTE(va + i * PAGE_SIZE) = frame_pa(15 - i) | RW;
		invlpg_addr(va + i * PAGE_SIZE);
		bad += probe_write(va + i * PAGE_SIZE + 0x80, i) != ACC_FINE;
		bad += probe_cell(va + i * PAGE_SIZE) != data_value(15 - i);
	}
	check_eq("rights", bad, 0);

	/* Accessed and dirty flags show up in the window, too. */
	*PTE(va) = frame_pa(0) | RW;
	invlpg_addr(va);
	probe_cell(va);
	bad = (*PTE(va) & (PT_A | PT_D)) != PT_A;
	probe_write(va + 0x80, 1);
	bad += (*PTE(va) & (PT_A | PT_D)) != (PT_A | PT_D);
	check_eq("ad", bad, 0);

	/* Taken down from the top: the window of it goes with it. */
	*PML4E(va) = 0;
	write_cr3(read_cr3());
	bad = probe_cell(va) != PROBE_FAULT;
	bad += probe_cell((u64)PTE(va)) != PROBE_FAULT;
	bad += probe_cell((u64)PDE(va)) != PROBE_FAULT;
	bad += probe_cell((u64)PDPTE(va)) != PROBE_FAULT;
	check_eq("gone", bad, 0);
}

/* A read-only self-map refuses; the tables themselves do not change. */
static void read_only(void)
{
	u32 bad = 0;

	boot_pml4[SLOT] &= ~PT_W;
	write_cr3(read_cr3());
	bad += probe_write((u64)PTE(c.va), 0) != (PF_P | PF_W);
	bad += probe_write((u64)PML4E(c.va), 0) != (PF_P | PF_W);
	bad += probe_cell(c.va) != data_value(0);
	boot_pml4[SLOT] |= PT_W;
	/* More rights: a fault is allowed once, the retry must succeed. */
	if (probe_write((u64)PTE(c.va), c.table[1][0]) != ACC_FINE)
		bad += probe_write((u64)PTE(c.va), c.table[1][0]) != ACC_FINE;
	check_eq("read_only", bad, 0);
}

/* The self-map's own entry: moved, doubled, and removed through itself. */
static void own_entry(void)
{
	u32 i, bad = 0;
	u64 value;

	for (i = 6; i < 16; i++) {
		*PML4E((u64)i << 39) = (u64)boot_pml4 | RW;
		/* Mixed paths: slots i and 5 in any order are the same. */
		bad += probe_read((u64)i << 39 | SLOT << 30 | (u64)i << 21 |
				  SLOT << 12 | 8, &value) != ACC_FINE;
		bad += NO_AD(value) != NO_AD(boot_pml4[1]);
	}
	for (i = 6; i < 16; i++)
		*PML4E((u64)i << 39) = 0;
	write_cr3(read_cr3());
	for (i = 6; i < 16; i++)
		bad += probe_cell((u64)i << 39) != PROBE_FAULT;
	check_eq("own_entry.doubled", bad, 0);

	*PML4E(SELF_PT) = 0;
	write_cr3(read_cr3());
	check_eq("own_entry.removed", probe_cell(SELF_PML4), PROBE_FAULT);
	boot_pml4[SLOT] = (u64)boot_pml4 | RW;
	check_eq("own_entry.back", NO_AD(*PML4E(SELF_PT)), (u64)boot_pml4 | RW);
}

/* Two address spaces see their own tables at the same addresses. */
static void two_roots(void)
{
	u64 home = read_cr3(), *other = (u64 *)frame_pa(frame_alloc());
	u64 *tables = (u64 *)frame_pa(frame_alloc());
	u32 n, bad = 0;

	memcpy(other, boot_pml4, PAGE_SIZE);
	other[SLOT] = (u64)other | RW;
	other[1] = (u64)tables | RW;
	for (n = 0; n < 30; n++) {
		write_cr3((u64)other);
		bad += NO_AD(*PML4E(SELF_PT)) != ((u64)other | RW);
		bad += probe_cell(c.va) != (n ? data_value((n - 1) & 7) :
						PROBE_FAULT);
		*PDPTE(c.va) = (u64)c.table[2] | RW;
		*PTE(c.va) = frame_pa(n & 7) | RW;
		invlpg_addr(c.va);
		bad += probe_cell(c.va) != data_value(n & 7);
		write_cr3(home);
		bad += NO_AD(*PML4E(SELF_PT)) != ((u64)boot_pml4 | RW);
		/* The page table is shared: the change is seen here, too. */
		bad += probe_cell(c.va) != data_value(n & 7);
	}
	check_eq("two_roots", bad, 0);
}

void guest_main(void)
{
	probe_init();
	chain_init(&c, 1);
	boot_pml4[SLOT] = (u64)boot_pml4 | RW;
	seen();
	build();
	read_only();
	own_entry();
	two_roots();
}
