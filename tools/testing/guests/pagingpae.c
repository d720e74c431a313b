// SPDX-License-Identifier: GPL-2.0-only
/*
 * pagingpae.c - PAE paging: rights, every bit of every entry, random tables;
 * and the four PDPTEs, which the processor reads when CR3 is loaded and at no
 * other time.
 *
 * SDM vol. 3, "PAE Paging", "PDPTE Registers".
 */
#include "pgtest.h"

const char guest_name[] = "pagingpae";

static const struct pgenv plain = { .mode = PG_PAE, .wp = true, .nxe = true };

static u64 pdpt_root;

/* 32-bit code with PAE paging on, the tables as they are. */
static void run32(struct exec *x, struct snip s)
{
	exec_init_pm(x, &s);
	x->cr0 |= CR0_PG | CR0_WP;
	x->cr3 = pdpt_root;
	x->cr4 = CR4_PAE;
	x->efer = EFER_NXE;
}

/* PDPTE @bit changed: MOV CR3 faults if it is reserved. */
static void pdpte_reserved(void)
{
	struct pgenv env = plain;
	struct tables t;
	struct exec x;
	struct snip s = SNIP32("mov %cr3, %eax; mov %ebx, 24(%esi)",
			       "mov %eax, %cr3", "mov $1, %edi");
	u64 mask = reserved_mask(&env, 3, false), got = 0, frame;
	u32 k, errors = 0;

	pool_init();
	tables_init(&t, PG_PAE);
	pdpt_root = t.root;
	frame = t.at[2];
	for (k = 1; k < 64; k++) {
		/* Upper halves are there before; they fault at entry then. */
		if (k >= 32)
			continue;
		run32(&x, s);
		entry_set(PG_PAE, t.root, 3, frame | PT_P);
		x.rbx = (u32)((frame | PT_P) ^ BIT(k));
		x.rsi = t.root;
		exec_legacy(&x);
		if (x.vec == EXC_GP && x.err == 0 && x.rip == s.at)
			got |= BIT(k);
		else if (x.vec != VEC_DONE)
			errors++;
	}
	check(got == (mask & 0xffffffff) && !errors, "pdpte.reserved_low",
	      "#GP for bits %lx, %u other", got, errors);
	/* A not-present PDPTE may hold anything. */
	run32(&x, s);
	x.rbx = 0xfffffffe;
	x.rsi = t.root;
	exec_legacy(&x);
	check_done("pdpte.not_present_any", &x, &s);
	s = SNIP32("mov %cr3, %eax; movl $0, 24(%esi); movl $0x80000000, 28(%esi); orl $1, 24(%esi)",
		   "mov %eax, %cr3", "");
	run32(&x, s);
	entry_set(PG_PAE, t.root, 3, 0);
	x.rsi = t.root;
	exec_legacy(&x);
	check_exc("pdpte.reserved_63", &x, &s, EXC_GP, 0, s.at);
}

/*
 * The PDPTE in memory is cleared: nothing happens until the next load. A page
 * directory is what it was, too.
 */
static void pdpte_cached(void)
{
	struct tables t;
	struct exec x;
	struct snip s;
	int i;

	pool_init();
	tables_init(&t, PG_PAE);
	pdpt_root = t.root;
	entry_set(PG_PAE, t.root, 2, t.at[2] | PT_P);
	entry_set(PG_PAE, t.at[2], 0, t.at[1] | PT_P | PT_W | PT_U);
	for (i = 0; i < DATA_FRAMES; i++)
		entry_set(PG_PAE, t.at[1], i, frame_pa(i) | PT_P | PT_W);

	/* Each page is touched for the first time: no TLB entry helps. */
	s = SNIP32("movl $0, 16(%esi)", "mov 0x80000008, %eax",
		   "mov 0x80001008, %ebx; invlpg 0x80001000; mov 0x80001008, %ecx");
	run32(&x, s);
	x.rsi = t.root;
	exec_legacy(&x);
	check(x.vec == VEC_DONE && (u32)x.rax == 0xda7a0000 &&
	      (u32)x.rbx == 0xda7a0001 && (u32)x.rcx == 0xda7a0001,
	      "pdpte.cached", "vec %lx err %lx %x %x %x", x.vec, x.err,
	      (u32)x.rax, (u32)x.rbx, (u32)x.rcx);

	/* MOV CR3 reads it anew. */
	entry_set(PG_PAE, t.root, 2, t.at[2] | PT_P);
	s = SNIP32("mov 0x80000008, %eax; movl $0, 16(%esi); mov %cr3, %ecx; mov %ecx, %cr3",
		   "mov 0x80000008, %ebx", "");
	run32(&x, s);
	x.rsi = t.root;
	exec_legacy(&x);
	check_exc("pdpte.cr3_reloads", &x, &s, EXC_PF, 0, s.at);

	/* So does a change of CR4.PGE, PSE, SMEP, or CR0.CD, NW, PG. */
#define RELOAD(name, insn) do {						\
	entry_set(PG_PAE, t.root, 2, t.at[2] | PT_P);			\
	s = SNIP32("mov 0x80000008, %eax; movl $0, 16(%esi); " insn,	\
		   "mov 0x80000008, %ebx", "");				\
	run32(&x, s);							\
	x.rsi = t.root;							\
	exec_legacy(&x);						\
	check_exc(name, &x, &s, EXC_PF, 0, s.at);			\
} while (0)
	RELOAD("pdpte.pge_reloads",
	       "mov %cr4, %ecx; xor $0x80, %ecx; mov %ecx, %cr4");
	RELOAD("pdpte.pse_reloads",
	       "mov %cr4, %ecx; xor $0x10, %ecx; mov %ecx, %cr4");
	RELOAD("pdpte.cd_reloads",
	       "mov %cr0, %ecx; xor $0x40000000, %ecx; mov %ecx, %cr0");
	if (HAS_SMEP)
		RELOAD("pdpte.smep_reloads",
		       "mov %cr4, %ecx; xor $0x100000, %ecx; mov %ecx, %cr4");

	/* One that became present is seen by nobody before the load. */
	entry_set(PG_PAE, t.root, 2, 0);
	s = SNIP32("mov %ebx, 16(%esi)", "mov 0x80000008, %eax", "");
	run32(&x, s);
	x.rsi = t.root;
	x.rbx = t.at[2] | PT_P;
	exec_legacy(&x);
	check_exc("pdpte.present_not_seen", &x, &s, EXC_PF, 0, s.at);

	/* A failed load leaves the old ones in force, and CR3 as it was. */
	entry_set(PG_PAE, t.root, 2, t.at[2] | PT_P);
	s = SNIP32("mov %cr3, %ecx; movl $3, 24(%esi)", "mov %ecx, %cr3", "");
	run32(&x, s);
	x.rsi = t.root;
	entry_set(PG_PAE, t.root, 3, 0);
	exec_legacy(&x);
	check_exc("pdpte.failed_load", &x, &s, EXC_GP, 0, s.at);
	check_eq("pdpte.failed_load_cr3", x.cr3, t.root);
	entry_set(PG_PAE, t.root, 3, 0);

	/* Any multiple of 32 will do for CR3. */
	memcpy((void *)(t.root + 0x7e0), (void *)t.root, 32);
	s = SNIP32("", "mov 0x80000008, %eax", "");
	run32(&x, s);
	x.cr3 += 0x7e0;
	exec_legacy(&x);
	check(x.vec == VEC_DONE && (u32)x.rax == 0xda7a0000, "pdpte.cr3_32",
	      "vec %lx %x", x.vec, (u32)x.rax);
}

void guest_main(void)
{
	struct pgenv env = plain;
	u64 seed;

	test_rights("rights", env);
	env.wp = false;
	test_rights("rights.wp0", env);
	env.nxe = false;
	test_rights("rights.wp0_nxe0", env);
	if (HAS_SMEP) {
		env.smep = true;
		test_rights("rights.smep_wp0_nxe0", env);
		env.wp = true;
		test_rights("rights.smep_nxe0", env);
	}
	env = plain;
	if (HAS_SMAP) {
		env.smap = true;
		test_rights("rights.smap", env);
		env.ac = true;
		test_rights("rights.smap_ac", env);
	}
	env = plain;
	test_flips("flips.pte", env, 1, false);
	test_flips("flips.pde", env, 2, false);
	test_flips("flips.pde_2m", env, 2, true);
	env.nxe = false;
	test_flips("flips.nxe0.pte", env, 1, false);
	test_flips("flips.nxe0.pde", env, 2, false);
	test_flips("flips.nxe0.pde_2m", env, 2, true);
	for (seed = 1; seed < 13; seed++) {
		env.nxe = seed & 1;
		env.wp = seed & 2;
		env.smep = HAS_SMEP && (seed & 4);
		env.smap = HAS_SMAP && (seed & 8);
		test_random("random", env, seed);
	}
	pdpte_reserved();
	pdpte_cached();
}
