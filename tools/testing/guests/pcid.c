// SPDX-License-Identifier: GPL-2.0-only
/*
 * pcid.c - process-context identifiers: what has to fault, and that no address
 * space ever sees another's translations, flushed or kept.
 *
 * SDM vol. 3, "Process-Context Identifiers (PCIDs)"; vol. 2, "INVPCID".
 */
#include "paging.h"

const char guest_name[] = "pcid";

#define RW (PT_P | PT_W)
#define NOFLUSH BIT(63)
#define SPACES 12

static struct chain c;
static u64 *root[SPACES], *pt[SPACES], home;

static void invpcid(u64 type, u64 pcid, u64 va)
{
	u64 desc[2] = { pcid, va };

	asm volatile("invpcid %0, %1" : : "m"(desc), "r"(type) : "memory");
}

static void rules(void)
{
	u64 cr4 = read_cr4();

	expect_fault("cr3.bit63_no_pcide",
		     SNIP("mov %cr3, %rax; bts $63, %rax", "mov %rax, %cr3", ""),
		     EXC_GP, 0);
	expect_fault("cr3.bit62",
		     SNIP("mov %cr3, %rax; bts $62, %rax", "mov %rax, %cr3", ""),
		     EXC_GP, 0);
	/* PCIDE cannot be set while CR3 names a PCID. */
	write_cr3(home | 0x18);
	expect_fault("cr4.pcide_with_pcid",
		     SNIP("mov %cr4, %rax; bts $17, %rax", "mov %rax, %cr4", ""),
		     EXC_GP, 0);
	write_cr3(home);
	expect_done("cr4.pcide",
		    SNIP("mov %cr4, %rax; bts $17, %rax", "mov %rax, %cr4", ""));
	expect_fault("cr0.pg_with_pcide",
		     SNIP("mov %cr0, %rax; btr $31, %rax", "mov %rax, %cr0", ""),
		     EXC_GP, 0);
	expect_done("cr3.bit63",
		    SNIP("mov %cr3, %rax; bts $63, %rax", "mov %rax, %cr3",
			 "mov %cr3, %rax"));
	check_eq("cr3.bit63_not_kept", read_cr3(), home);
	expect_fault("cr3.bit62_pcide",
		     SNIP("mov %cr3, %rax; bts $62, %rax", "mov %rax, %cr3", ""),
		     EXC_GP, 0);
	write_cr3(home | 0xabc);
	check_eq("cr3.pcid_kept", read_cr3(), home | 0xabc);
	/* Switching it off is fine with any PCID. */
	write_cr4(cr4);
	check_eq("cr4.off", read_cr4(), cr4);
	write_cr3(home);
	/* Not outside of long mode. */
	{
		struct snip s = SNIP32("mov %cr4, %eax; bts $17, %eax",
				       "mov %eax, %cr4", "");
		struct exec x;

		exec_init_pm(&x, &s);
		exec_legacy(&x);
		check_exc("cr4.pcide_legacy", &x, &s, EXC_GP, 0, s.at);
	}
}

static void invpcid_rules(void)
{
	u64 cr4 = read_cr4();

	if (!HAS_INVPCID) {
		skip("invpcid", "no INVPCID");
		return;
	}
#define INV(name, type, lo, hi, how)					\
	how("invpcid." name,						\
	    SNIP("sub $64, %rsp; mov $" lo ", %rax; mov %rax, (%rsp); mov $" hi ", %rax; mov %rax, 8(%rsp); mov $" type ", %rcx", \
		 "invpcid (%rsp), %rcx", "add $64, %rsp")
	INV("type4", "4", "0", "0", expect_fault), EXC_GP, 0);
	INV("type_huge", "0x100000000", "0", "0", expect_fault), EXC_GP, 0);
	INV("reserved", "2", "0x1000", "0", expect_fault), EXC_GP, 0);
	INV("reserved63", "3", "0x8000000000000000", "0", expect_fault), EXC_GP, 0);
	INV("noncanonical", "0", "0", "0x800000000000", expect_fault), EXC_GP, 0);
	INV("noncanonical_type1", "1", "0", "0x800000000000", expect_done));
	INV("pcid_no_pcide", "0", "5", "0", expect_fault), EXC_GP, 0);
	INV("pcid_no_pcide1", "1", "5", "0", expect_fault), EXC_GP, 0);
	INV("pcid_no_pcide2", "2", "5", "0", expect_done));
	INV("type0", "0", "0", "0x1000", expect_done));
	INV("user", "2", "0", "0", expect_user_fault), EXC_GP, 0);
	write_cr4(cr4 | CR4_PCIDE);
	INV("pcid", "1", "0xfff", "0", expect_done));
	INV("pcid0", "0", "0xfff", "0x1000", expect_done));
	INV("type4_pcide", "4", "0", "0", expect_fault), EXC_GP, 0);
	write_cr4(cr4);
	expect_fault("invpcid.pf", SNIP("mov $0x10000000000, %rax; mov $2, %ecx",
					"invpcid (%rax), %rcx", ""), EXC_PF, 0);
}

/* Each space has its own page table at the same address. */
static void make_spaces(void)
{
	u64 *pd, *pdpt;
	u32 i;

	for (i = 0; i < SPACES; i++) {
		root[i] = (u64 *)frame_pa(frame_alloc());
		memcpy(root[i], boot_pml4, PAGE_SIZE);
		pdpt = (u64 *)frame_pa(frame_alloc());
		pd = (u64 *)frame_pa(frame_alloc());
		pt[i] = (u64 *)frame_pa(frame_alloc());
		root[i][1] = (u64)pdpt | RW;
		pdpt[0] = (u64)pd | RW;
		pd[0] = (u64)pt[i] | RW;
	}
}

static u32 pcid_of(u32 i)
{
	return i * 7 + 1;
}

static void go(u32 i, u64 flag)
{
	write_cr3((u64)root[i] | pcid_of(i) | flag);
}

/* Switches that keep translations: still only one's own. */
static void spaces(void)
{
	u32 i, n, k, bad = 0;

	for (i = 0; i < SPACES; i++) {
		for (k = 0; k < 16; k++)
			pt[i][k] = frame_pa((i + k) & 15) | RW;
		invpcid(1, pcid_of(i), 0);
	}
	pg_seed(9);
	for (n = 0; n < 600; n++) {
		i = pg_random() % SPACES;
		k = pg_random() & 15;
		go(i, NOFLUSH);
		bad += probe_cell(c.va + k * PAGE_SIZE) != data_value((i + k) & 15);
	}
	check_eq("spaces", bad, 0);
}

/* A change while elsewhere, and each flush that makes it seen. */
static void flushes(void)
{
	u32 n, i, k, how, bad = 0, counts[5] = {};
	u64 got, want, va;

	for (n = 0; n < 500; n++) {
		i = pg_random() % SPACES;
		k = pg_random() & 15;
		how = pg_random() % 5;
		va = c.va + k * PAGE_SIZE;
		go(i, NOFLUSH);
		got = probe_cell(va);
		want = pg_random() & 15;
		go((i + 1) % SPACES, NOFLUSH);
		pt[i][k] = frame_pa(want) | RW;
		switch (how) {
		case 0:
			invpcid(0, pcid_of(i), va);
			go(i, NOFLUSH);
			break;
		case 1:
			invpcid(1, pcid_of(i), 0);
			go(i, NOFLUSH);
			break;
		case 2:
			invpcid(n & 1 ? 2 : 3, 0, 0);
			go(i, NOFLUSH);
			break;
		case 3:
			go(i, 0);
			break;
		case 4:
			go(i, NOFLUSH);
			/* The old one may be seen here. */
			bad += probe_cell(va) != got &&
			       probe_cell(va) != data_value(want);
			invlpg_addr(va);
			break;
		}
		if (probe_cell(va) != data_value(want)) {
			bad++;
			counts[how]++;
		}
	}
	check(!bad, "flushes", "%u: %u %u %u %u %u", bad, counts[0], counts[1],
	      counts[2], counts[3], counts[4]);
}

/* One PCID for two roots, one after the other: a flushing load between. */
static void reuse(void)
{
	u32 n, i, bad = 0;

	for (n = 0; n < 100; n++) {
		i = n % SPACES;
		write_cr3((u64)root[i] | 0x77);
		bad += (probe_cell(c.va) & 15) != (pt[i][0] >> 12 & 15);
		pt[i][0] = frame_pa(pg_random() & 15) | RW;
		write_cr3((u64)root[i] | 0x77);
		bad += (probe_cell(c.va) & 15) != (pt[i][0] >> 12 & 15);
	}
	check_eq("reuse", bad, 0);

	/* Not present before: seen in every context without a flush. */
	for (i = 0; i < SPACES; i++) {
		pt[i][20] = 0;
		invpcid(1, pcid_of(i), 0);
		go(i, NOFLUSH);
		bad += probe_cell(c.va + 20 * PAGE_SIZE) != PROBE_FAULT;
	}
	for (i = 0; i < SPACES; i++)
		pt[i][20] = frame_pa(i) | RW;
	for (i = 0; i < SPACES; i++) {
		go(i, NOFLUSH);
		bad += probe_cell(c.va + 20 * PAGE_SIZE) != data_value(i);
	}
	check_eq("presence", bad, 0);
}

/* Global pages belong to every context. */
static void global(void)
{
	u32 i, bad = 0;

	for (i = 0; i < SPACES; i++)
		pt[i][30] = frame_pa(1) | RW | PT_G;
	write_cr4(read_cr4() | CR4_PGE);
	for (i = 0; i < SPACES; i++) {
		go(i, NOFLUSH);
		bad += probe_cell(c.va + 30 * PAGE_SIZE) != data_value(1);
	}
	for (i = 0; i < SPACES; i++)
		pt[i][30] = frame_pa(2) | RW | PT_G;
	/* INVLPG flushes the global entry, whatever context it was made in. */
	invlpg_addr(c.va + 30 * PAGE_SIZE);
	for (i = 0; i < SPACES; i++) {
		go(i, 0);
		bad += probe_cell(c.va + 30 * PAGE_SIZE) != data_value(2);
	}
	for (i = 0; i < SPACES; i++)
		pt[i][30] = frame_pa(3) | RW | PT_G;
	invpcid(2, 0, 0);
	for (i = 0; i < SPACES; i++) {
		go(i, NOFLUSH);
		bad += probe_cell(c.va + 30 * PAGE_SIZE) != data_value(3);
	}
	for (i = 0; i < SPACES; i++)
		pt[i][30] = frame_pa(4) | RW | PT_G;
	write_cr4(read_cr4() & ~CR4_PGE);
	for (i = 0; i < SPACES; i++) {
		go(i, NOFLUSH);
		bad += probe_cell(c.va + 30 * PAGE_SIZE) != data_value(4);
	}
	check_eq("global", bad, 0);
}

/* Switching PCIDE off and on leaves nothing behind. */
static void off_and_on(void)
{
	u32 i, bad = 0;

	for (i = 0; i < SPACES; i++) {
		go(i, 0);
		pt[i][1] = frame_pa(5) | RW;
		invlpg_addr(c.va + PAGE_SIZE);
		bad += probe_cell(c.va + PAGE_SIZE) != data_value(5);
		pt[i][1] = frame_pa(6) | RW;
		write_cr4(read_cr4() & ~CR4_PCIDE);
		bad += probe_cell(c.va + PAGE_SIZE) != data_value(6);
		write_cr3((u64)root[i]);
		write_cr4(read_cr4() | CR4_PCIDE);
		go(i, NOFLUSH);
		bad += probe_cell(c.va + PAGE_SIZE) != data_value(6);
	}
	check_eq("off_and_on", bad, 0);
}

void guest_main(void)
{
	home = read_cr3();
	probe_init();
	chain_init(&c, 1);
	if (!HAS_PCID) {
		skip("pcid", "no PCID");
		return;
	}
	rules();
	invpcid_rules();
	if (!HAS_INVPCID) {
		skip("spaces", "no INVPCID");
		return;
	}
	make_spaces();
	write_cr3(home);
	write_cr4(read_cr4() | CR4_PCIDE);
	spaces();
	flushes();
	reuse();
	global();
	off_and_on();
	write_cr3(home);
	write_cr4(read_cr4() & ~CR4_PCIDE);
}
