// SPDX-License-Identifier: GPL-2.0-only
/*
 * invlpg.c - what a flush guarantees, and what needs none.
 *
 * SDM vol. 3, "Caching Translation Information". Between a change and the
 * flush the old translation may be used or not: either is accepted, neither
 * is printed. After the flush only the new one.
 */
#include "paging.h"

const char guest_name[] = "invlpg";

#define RW (PT_P | PT_W)

static struct chain c;

enum { BY_INVLPG, BY_OFFSET, BY_CR3, BY_PGE, BY_INVPCID1, BY_INVPCID2, BY_INVPCID3, BY_PSE, NR_BY };
static const char *const by_names[NR_BY] = {
	"invlpg", "invlpg_offset", "cr3", "pge", "invpcid0", "invpcid2",
	"invpcid3", "cr4_pge_twice",
};

static void invpcid(u64 type, u64 pcid, u64 va)
{
	u64 desc[2] = { pcid, va };

	asm volatile("invpcid %0, %1" : : "m"(desc), "r"(type) : "memory");
}

static void flush(int by, u64 va)
{
	u64 cr4 = read_cr4();

	switch (by) {
	case BY_INVLPG:
		invlpg_addr(va);
		break;
	case BY_OFFSET:
		invlpg_addr(va + 0xfff);
		break;
	case BY_CR3:
		write_cr3(read_cr3());
		break;
	case BY_PGE:
		write_cr4(cr4 ^ CR4_PGE);
		write_cr4(cr4);
		break;
	case BY_INVPCID1:
		invpcid(0, 0, va);
		break;
	case BY_INVPCID2:
		invpcid(2, 0, 0);
		break;
	case BY_INVPCID3:
		invpcid(3, 0, 0);
		break;
	case BY_PSE:
		write_cr4(cr4 ^ CR4_PGE);
		break;
	}
}

static bool offered(int by)
{
	return HAS_INVPCID || by < BY_INVPCID1 || by == BY_PSE;
}

/* Remapped, lowered, removed: the old may last until the flush. */
static void each_flush(int by)
{
	u32 i, bad = 0;
	u64 va, got;

	for (i = 0; i < 32; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = frame_pa(1) | RW;
		flush(by, va);
		bad += probe_cell(va) != data_value(1);
		bad += probe_write(va + 0x40, i) != ACC_FINE;

		c.table[1][i] = frame_pa(2) | RW;
		got = probe_cell(va);
		bad += got != data_value(1) && got != data_value(2);
		flush(by, va);
		bad += probe_cell(va) != data_value(2);

		c.table[1][i] = frame_pa(2) | PT_P;
		got = probe_write(va + 0x40, i);
		bad += got != ACC_FINE && got != (PF_P | PF_W);
		flush(by, va);
		bad += probe_write(va + 0x40, i) != (PF_P | PF_W);

		c.table[1][i] = 0;
		got = probe_cell(va);
		bad += got != data_value(2) && got != PROBE_FAULT;
		flush(by, va);
		bad += probe_cell(va) != PROBE_FAULT;
	}
	check_eq(by_names[by], bad, 0);
}

/* From not present to present: no flush, at any level, by any path. */
static void presence(void)
{
	u32 i, bad = 0;
	u64 va;

	for (i = 0; i < 64; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = 0;
		invlpg_addr(va);
		bad += probe_cell(va) != PROBE_FAULT;
		c.table[1][i] = frame_pa(i & 15) | RW;
		bad += probe_cell(va) != data_value(i & 15);
	}
	check_eq("presence.pte", bad, 0);
	for (i = 0; i < 64; i++) {
		va = c.va + (i + 1) * 0x200000;
		bad += probe_cell(va) != PROBE_FAULT;
		c.table[2][i + 1] = (u64)c.table[1] | RW;
		bad += probe_cell(va + i * PAGE_SIZE) != data_value(i & 15);
	}
	check_eq("presence.pde", bad, 0);
	for (i = 0; i < 64; i++) {
		va = c.va + (i + 1) * 0x40000000ul;
		bad += probe_cell(va) != PROBE_FAULT;
		c.table[3][i + 1] = (u64)c.table[2] | RW;
		bad += probe_cell(va + i * PAGE_SIZE) != data_value(i & 15);
	}
	check_eq("presence.pdpte", bad, 0);
	for (i = 2; i < 64; i++) {
		va = c.va + ((u64)i << 39);
		bad += probe_cell(va) != PROBE_FAULT;
		boot_pml4[i + 1] = (u64)c.table[3] | RW;
		bad += probe_cell(va + i * PAGE_SIZE) != data_value(i & 15);
		boot_pml4[i + 1] = 0;
	}
	write_cr3(read_cr3());
	check_eq("presence.pml4e", bad, 0);
	/* Cleared of a reserved bit: was not cached either. */
	for (i = 0; i < 64; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = frame_pa(i & 15) | RW | BIT(51);
		invlpg_addr(va);
		bad += probe_cell(va) != (PROBE_FAULT | PF_P | PF_RSVD);
		c.table[1][i] &= ~BIT(51);
		bad += probe_cell(va) != data_value(i & 15);
	}
	check_eq("presence.reserved", bad, 0);
}

/* More rights: one spurious fault is allowed, after it the new ones count. */
static void raised(void)
{
	u32 i, bad = 0, sig;
	u64 va, efer = rdmsr(MSR_EFER), got;

	wrmsr(MSR_EFER, efer | EFER_NXE);
	for (i = 0; i < 64; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = frame_pa(i & 15) | PT_P | PT_NX;
		invlpg_addr(va);
		bad += probe_cell(va) != data_value(i & 15);
		bad += probe_write(va + 0x40, 1) != (PF_P | PF_W);
		c.table[1][i] |= PT_W;
		got = probe_write(va + 0x40, 1);
		bad += got != ACC_FINE && got != (PF_P | PF_W);
		bad += probe_write(va + 0x40, 2) != ACC_FINE;
		bad += probe_fetch(va, &sig) != (PF_P | PF_I);
		c.table[1][i] &= ~PT_NX;
		got = probe_fetch(va, &sig);
		bad += got != ACC_FINE && got != (PF_P | PF_I);
		bad += probe_fetch(va, &sig) != ACC_FINE ||
		       sig != 0x51600000 + (i & 15);
		/* From above. */
		c.table[2][0] &= ~PT_W;
		invlpg_addr(va);
		bad += probe_write(va + 0x40, 1) != (PF_P | PF_W);
		c.table[2][0] |= PT_W;
		probe_write(va + 0x40, 1);
		bad += probe_write(va + 0x40, 2) != ACC_FINE;
	}
	wrmsr(MSR_EFER, efer);
	check_eq("raised", bad, 0);
}

/* INVLPG drops what is cached of upper levels, for every address. */
static void structures(void)
{
	u64 *pt = (u64 *)frame_pa(frame_alloc());
	u32 i, bad = 0;

	for (i = 0; i < 512; i++) {
		pt[i] = frame_pa((i + 1) & 15) | RW;
		c.table[1][i] = frame_pa(i & 15) | RW;
	}
	write_cr3(read_cr3());
	for (i = 1; i < 200; i += 2) {
		c.table[2][0] = (u64)c.table[1] | RW;
		invlpg_addr(c.va + (i - 1) * PAGE_SIZE);
		bad += probe_cell(c.va + (i - 1) * PAGE_SIZE) !=
		       data_value((i - 1) & 15);
		c.table[2][0] = (u64)pt | RW;
		invlpg_addr(c.va + 0x40000000);
		/* Not used since the last change of its own translation. */
		bad += probe_cell(c.va + i * PAGE_SIZE) !=
		       data_value((i + 1) & 15);
	}
	c.table[2][0] = (u64)c.table[1] | RW;
	write_cr3(read_cr3());
	check_eq("structures", bad, 0);
}

static void large(void)
{
	u32 i, bad = 0;
	u64 va = c.va + 0x600000, got;

	for (i = 0; i < 24; i++) {
		c.table[2][3] = POOL_BASE | RW | PT_PS;
		invlpg_addr(va + i * 0x9000);
		bad += probe_cell(va + PAGE_SIZE) != data_value(1);
		bad += probe_cell(va + (i & 15) * PAGE_SIZE) !=
		       data_value(i & 15);
		/* Any address of it flushes all of it. */
		c.table[2][3] = (u64)c.table[1] | RW;
		got = probe_cell(va + 3 * PAGE_SIZE);
		bad += got != data_value(3);
		c.table[2][3] = 0;
		invlpg_addr(va + 0x1ff000);
		/* The 4 KiB ones used after the split each on its own. */
		invlpg_addr(va + 3 * PAGE_SIZE);
		bad += probe_cell(va + PAGE_SIZE) != PROBE_FAULT;
		bad += probe_cell(va + 3 * PAGE_SIZE) != PROBE_FAULT;
		bad += probe_cell(va + (i & 15) * PAGE_SIZE) != PROBE_FAULT;
	}
	check_eq("large", bad, 0);
}

/* Global pages outlive MOV CR3 (or not), but not the flushes that name them. */
static void global(void)
{
	u64 cr4 = read_cr4(), va, got;
	u32 i, bad = 0;

	write_cr4(cr4 | CR4_PGE);
	for (i = 0; i < 32; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = frame_pa(1) | RW | PT_G;
		invlpg_addr(va);
		bad += probe_cell(va) != data_value(1);
		c.table[1][i] = frame_pa(2) | RW | PT_G;
		write_cr3(read_cr3());
		got = probe_cell(va);
		bad += got != data_value(1) && got != data_value(2);
		invlpg_addr(va);
		bad += probe_cell(va) != data_value(2);
		c.table[1][i] = frame_pa(3) | RW | PT_G;
		flush(BY_PGE, va);
		bad += probe_cell(va) != data_value(3);
		if (HAS_INVPCID) {
			c.table[1][i] = frame_pa(4) | RW;
			flush(BY_INVPCID2, va);
			bad += probe_cell(va) != data_value(4);
		}
	}
	check_eq("global", bad, 0);
	/* With PGE off the G bit means nothing: MOV CR3 flushes. */
	write_cr4(cr4 & ~CR4_PGE);
	for (i = 0; i < 32; i++) {
		va = c.va + i * PAGE_SIZE;
		c.table[1][i] = frame_pa(5) | RW | PT_G;
		write_cr3(read_cr3());
		bad += probe_cell(va) != data_value(5);
		c.table[1][i] = frame_pa(6) | RW | PT_G;
		write_cr3(read_cr3());
		bad += probe_cell(va) != data_value(6);
	}
	check_eq("global.pge0", bad, 0);
	write_cr4(cr4);
}

static void forms(void)
{
	expect_user_fault("user", SNIP("", "invlpg (%rsp)", ""), EXC_GP, 0);
	expect_fault("register", SNIP("", ".byte 0x0f, 0x01, 0xff", ""), EXC_UD,
		     NO_ERR);
	expect_done("noncanonical", SNIP("mov $1, %eax; shl $63, %rax",
					 "invlpg (%rax)", ""));
	expect_done("unmapped", SNIP("mov $0x10000000000, %rax",
				     "invlpg (%rax)", ""));
	expect_fault("lock", SNIP("", ".byte 0xf0, 0x0f, 0x01, 0x38", ""),
		     EXC_UD, NO_ERR);
}

void guest_main(void)
{
	int by;

	probe_init();
	chain_init(&c, 1);
	for (by = 0; by < NR_BY; by++)
		if (offered(by))
			each_flush(by);
		else
			skip(by_names[by], "no INVPCID");
	presence();
	raised();
	structures();
	large();
	global();
	forms();
}
