// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagingoff.c - paging switched off and on: addresses are physical in between,
 * nothing of before is left after, and each mode reads the tables its own way.
 *
 * SDM vol. 3, "Paging Modes and Control Bits", "Operations that Invalidate
 * TLBs and Paging-Structure Caches".
 */
#include "pgtest.h"

const char guest_name[] = "pagingoff";

static struct tables t32, tpae;

static void init_pm(struct exec *x, const struct snip *s, int mode)
{
	exec_init_pm(x, s);
	x->cr3 = mode == PG_PAE ? tpae.root : t32.root;
	x->cr4 = mode == PG_PAE ? CR4_PAE : 0;
	x->rsi = t32.at[1];
	x->rdi = tpae.at[1];
}

#define PG_ON "mov %cr0, %eax; bts $31, %eax; mov %eax, %cr0; jmp 9f; 9: "
#define PG_OFF "mov %cr0, %eax; btr $31, %eax; mov %eax, %cr0; jmp 9f; 9: "

/* Virtual address 0x84000008 (t32) or 0x84000008 (tpae): entry 0 of a table. */
static void make_tables(void)
{
	int i;

	pool_init();
	tables_init(&t32, PG_32);
	tables_init(&tpae, PG_PAE);
	entry_set(PG_32, t32.root, 0x210, t32.at[1] | PT_P | PT_W | PT_U);
	entry_set(PG_PAE, tpae.root, 2, tpae.at[2] | PT_P);
	entry_set(PG_PAE, tpae.at[2], 32, tpae.at[1] | PT_P | PT_W | PT_U);
	for (i = 0; i < DATA_FRAMES; i++) {
		entry_set(PG_32, t32.at[1], i,
			  frame_pa(i) | PT_P | PT_W | PT_U);
		entry_set(PG_PAE, tpae.at[1], i,
			  frame_pa(15 - i) | PT_P | PT_W | PT_U);
	}
}

static void values(const char *name, const struct exec *x, u32 rbx, u32 rcx,
		   u32 rdx)
{
	check(x->vec == VEC_DONE && (u32)x->rbx == rbx && (u32)x->rcx == rcx &&
	      (u32)x->rdx == rdx, name, "vec %lx err %lx cr2 %lx: %x %x %x",
	      x->vec, x->err, x->vec == EXC_PF ? x->cr2 : 0, (u32)x->rbx,
	      (u32)x->rcx, (u32)x->rdx);
}

static void switching(int mode, const char *name)
{
	u32 first = mode == PG_32 ? 0 : 15;
	struct exec x;
	struct snip s;

	/* On, off (physical), on again. */
	s = SNIP32(PG_ON, "mov 0x84000008, %ebx",
		   PG_OFF "mov 0x4001008, %ecx; " PG_ON "mov 0x84000008, %edx; " PG_OFF);
	init_pm(&x, &s, mode);
	exec_legacy(&x);
	values(name, &x, 0xda7a0000 + first, 0xda7a0001, 0xda7a0000 + first);

	/* The entry changes while paging is off: no flush is needed. */
	s = SNIP32(PG_ON, "mov 0x84000008, %ebx",
		   PG_OFF "mov (%esi), %ecx; mov 4(%esi), %edx; mov %edx, (%esi); mov %ecx, 4(%esi);"
		   "mov (%edi), %ecx; mov 8(%edi), %edx; mov %edx, (%edi); mov %ecx, 8(%edi); "
		   PG_ON "mov 0x84000008, %ecx; mov 0x84001008, %edx; " PG_OFF);
	init_pm(&x, &s, mode);
	exec_legacy(&x);
	values(mode == PG_32 ? "changed_while_off.32" : "changed_while_off.pae",
	       &x, 0xda7a0000 + first, 0xda7a0000 + (mode == PG_32 ? 1 : 14),
	       0xda7a0000 + first);
	make_tables();

	/* Written through paging, read without, many times round. */
	s = SNIP32("mov $60, %ebp; xor %edx, %edx; xor %ecx, %ecx",
		   "1: " PG_ON "mov %ebp, 0x84000040; mov 0x84000040, %ebx; " PG_OFF
		   "add 0x4000040, %edx; add 0x400f040, %edx; mov %ebp, 0x4002040; movl $0, 0x4000040; movl $0, 0x400f040;"
		   PG_ON "mov 0x84002040, %eax; add %eax, %ecx; mov 0x8400d040, %eax; add %eax, %ecx;" PG_OFF
		   "dec %ebp; jnz 1b", "");
	init_pm(&x, &s, mode);
	exec_legacy(&x);
	values(mode == PG_32 ? "rounds.32" : "rounds.pae", &x, 1, 60 * 61 / 2,
	       60 * 61 / 2);
	make_tables();
}

/* No paging: no rights, no flags; user code reaches everything. */
static void none(void)
{
	struct snip s = SNIP32("mov 0x4003008, %ebx", "mov %ebx, 0x4003050",
			       "mov 0x4003050, %ecx; mov $1, %edx");
	struct exec x;

	exec_init_pm(&x, &s);
	x.cs = SEL_U32;
	x.ss = x.ds = x.es = x.fs = x.gs = SEL_UD;
	x.rsp = (u64)user_stack_top;
	exec_legacy(&x);
	values("none.user", &x, 0xda7a0003, 0xda7a0003, 1);
	/* CR3 may hold anything without paging. */
	s = SNIP32("mov $0xdead1000, %eax", "mov %eax, %cr3",
		   "mov %cr3, %ebx; mov 0x4003008, %ecx; mov $1, %edx");
	init_pm(&x, &s, PG_32);
	exec_legacy(&x);
	values("none.cr3", &x, 0xdead1000, 0xda7a0003, 1);
}

/* 32-bit to PAE and back, with paging off between: same address, own tables. */
static void both(void)
{
	struct exec x;
	struct snip s;

	s = SNIP32(PG_ON "mov 0x84000008, %ebx; " PG_OFF
		   "mov %cr4, %eax; bts $5, %eax; mov %eax, %cr4; mov %ebp, %cr3; " PG_ON,
		   "mov 0x84000008, %ecx",
		   PG_OFF "mov %cr4, %eax; btr $5, %eax; mov %eax, %cr4; mov (%esp), %eax; mov %eax, %cr3; "
		   PG_ON "mov 0x84000008, %edx; " PG_OFF);
	init_pm(&x, &s, PG_32);
	x.rbp = tpae.root;
	x.rsp -= 64;
	*(u32 *)x.rsp = t32.root;
	exec_legacy(&x);
	values("both", &x, 0xda7a0000, 0xda7a000f, 0xda7a0000);

	/* Paging stays on while PAE goes on: CR3's new meaning is at once. */
	s = SNIP32(PG_ON "mov 0x84000008, %ebx; mov %ebp, %eax; mov %eax, %cr3",
		   "mov 0x84000008, %ecx; mov $1, %edx", PG_OFF);
	init_pm(&x, &s, PG_32);
	x.rbp = t32.root;
	exec_legacy(&x);
	values("cr3.same", &x, 0xda7a0000, 0xda7a0000, 1);

	/* PSE changes what a directory entry means. */
	entry_set(PG_32, t32.root, 0x220, t32.at[1] | PT_P | PT_W | PT_PS);
	entry_set(PG_32, t32.root, 0x211, POOL_BASE | PT_P | PT_W | PT_PS);
	s = SNIP32(PG_ON "mov 0x88000008, %ebx; mov %cr4, %eax; bts $4, %eax; mov %eax, %cr4",
		   "mov 0x84405008, %ecx",
		   "mov %cr4, %eax; btr $4, %eax; mov %eax, %cr4; mov 0x88003008, %edx; " PG_OFF);
	init_pm(&x, &s, PG_32);
	exec_legacy(&x);
	values("pse", &x, 0xda7a0000, 0xda7a0005, 0xda7a0003);
}

/* A PDPTE with a reserved bit: MOV CR0 that sets PG faults, PG stays off. */
static void refused(void)
{
	struct snip s = SNIP32("mov %cr0, %eax; bts $31, %eax",
			       "mov %eax, %cr0", "");
	struct exec x;

	entry_set(PG_PAE, tpae.root, 3, 7);
	init_pm(&x, &s, PG_PAE);
	exec_legacy(&x);
	check_exc("pdpte_reserved", &x, &s, EXC_GP, 0, s.at);
	check_eq("pdpte_reserved.cr0", x.cr0 & CR0_PG, 0);
	entry_set(PG_PAE, tpae.root, 3, 0);
}

/* The long-mode boot tables after every excursion: still theirs. */
static void long_mode(void)
{
	struct snip s = SNIP32(PG_ON "mov 0x84000008, %ebx",
			       "mov %ebx, 0x84000044",
			       "mov $1, %ecx; mov $1, %edx; " PG_OFF);
	struct exec x;
	u32 i, bad = 0;

	for (i = 0; i < 25; i++) {
		init_pm(&x, &s, i & 1 ? PG_PAE : PG_32);
		exec_legacy(&x);
		bad += x.vec != VEC_DONE;
		bad += (u32)x.rbx != 0xda7a0000 + (i & 1 ? 15 : 0);
		window_map(3, frame_pa(i & 15), PT_P);
		bad += *(volatile u32 *)(window_addr(3) + CELL) !=
		       data_value(i & 15);
	}
	check_eq("long_mode", bad, 0);
}

void guest_main(void)
{
	make_tables();
	switching(PG_32, "switching.32");
	switching(PG_PAE, "switching.pae");
	none();
	both();
	refused();
	long_mode();
}
