// SPDX-License-Identifier: GPL-2.0-only
/*
 * crs.c - control register writes: what faults and changes nothing, what is
 * ignored, what sticks.
 *
 * SDM vol. 3, "Control Registers"; vol. 2, "MOV - Move to/from Control
 * Registers", "LMSW", "CLTS". A guest of its own, because an emulator that
 * lets CR0.PG without PE through does not come back.
 */
#include "lib.h"

const char guest_name[] = "crs";

/* SDM vol. 2, MOV to CR: combinations that raise #GP(0) and change nothing. */
static void bad_cr(void)
{
	struct exec x;
	struct snip s;
	u64 cr0 = read_cr0(), cr4 = read_cr4(), cr3 = read_cr3();
	static const struct {
		const char *name;
		u64 set, clear;
	} cr0_cases[] = {
		{ "cr0.pg_without_pe", 0, CR0_PE },
		{ "cr0.nw_without_cd", CR0_NW, CR0_CD },
		{ "cr0.bit32", BIT(32), 0 },
		{ "cr0.bit63", BIT(63), 0 },
		{ "cr0.pg_off_in_64bit", 0, CR0_PG },
	}, cr4_cases[] = {
		{ "cr4.pae_off_in_long", 0, CR4_PAE },
		{ "cr4.bit15", BIT(15), 0 },
		{ "cr4.bit30", BIT(30), 0 },
		{ "cr4.bit63", BIT(63), 0 },
		{ "cr4.la57_in_long", CR4_LA57, 0 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cr0_cases); i++) {
		s = SNIP("", "mov %rax, %cr0", "");
		exec_init(&x, &s);
		x.rax = (cr0 | cr0_cases[i].set) & ~cr0_cases[i].clear;
		exec64(&x);
		check_exc(cr0_cases[i].name, &x, &s, EXC_GP, 0, s.at);
		check_eq(cr0_cases[i].name, read_cr0(), cr0);
	}
	for (i = 0; i < ARRAY_SIZE(cr4_cases); i++) {
		s = SNIP("", "mov %rax, %cr4", "");
		exec_init(&x, &s);
		x.rax = (cr4 | cr4_cases[i].set) & ~cr4_cases[i].clear;
		exec64(&x);
		check_exc(cr4_cases[i].name, &x, &s, EXC_GP, 0, s.at);
		check_eq(cr4_cases[i].name, read_cr4(), cr4);
	}

	/* Reserved CR0 bits below 32 are ignored, ET reads 1. */
	s = SNIP("", "mov %rax, %cr0", "");
	exec_init(&x, &s);
	x.rax = (cr0 | BIT(6) | BIT(17) | BIT(28)) & ~CR0_ET;
	exec64(&x);
	check_done("cr0.reserved_ignored", &x, &s);
	check_eq("cr0.reserved_ignored", read_cr0(), cr0);

	/* CR3 above the physical address width. */
	s = SNIP("", "mov %rax, %cr3", "");
	exec_init(&x, &s);
	x.rax = cr3 | BIT(phys_bits());
	exec64(&x);
	check_exc("cr3.beyond_maxphyaddr", &x, &s, EXC_GP, 0, s.at);
	exec_init(&x, &s);
	x.rax = cr3 | BIT(63);
	exec64(&x);
	check_exc("cr3.bit63_without_pcid", &x, &s, EXC_GP, 0, s.at);
	check_eq("cr3.unchanged", read_cr3(), cr3);

}

static void others(void)
{
	struct exec x;
	struct snip s;
	u64 cr0 = read_cr0();

	/* CR8: four bits. */
	s = SNIP("", "mov %rax, %cr8", "");
	exec_init(&x, &s);
	x.rax = 0x10;
	exec64(&x);
	check_exc("cr8.reserved", &x, &s, EXC_GP, 0, s.at);
	exec_init(&x, &s);
	x.rax = 0xb;
	exec64(&x);
	check_done("cr8.write", &x, &s);
	check_eq("cr8.read", read_cr8(), 0xb);
	write_cr8(0);

	/* Control registers that do not exist. */
	s = SNIP("", ".byte 0x0f, 0x20, 0xc8", ""); /* mov %cr1, %rax */
	exec_init(&x, &s);
	exec64(&x);
	check_exc("cr1", &x, &s, EXC_UD, NO_ERR, s.at);
	s = SNIP("", ".byte 0x0f, 0x22, 0xe8", ""); /* mov %rax, %cr5 */
	exec_init(&x, &s);
	exec64(&x);
	check_exc("cr5", &x, &s, EXC_UD, NO_ERR, s.at);
	s = SNIP("", ".byte 0x44, 0x0f, 0x20, 0xf8", ""); /* mov %cr15, %rax */
	exec_init(&x, &s);
	exec64(&x);
	check_exc("cr15", &x, &s, EXC_UD, NO_ERR, s.at);

	/* LMSW sets PE but cannot clear it; reaches bits 0-3 only. */
	s = SNIP("mov %cr0, %rbx; mov $0xfff0, %eax", "lmsw %ax",
		 "mov %cr0, %rcx; mov %rbx, %cr0");
	exec_init(&x, &s);
	exec64(&x);
	check_done("lmsw", &x, &s);
	check(x.rcx == (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)), "lmsw.cr0", "%lx",
	      x.rcx);
	s = SNIP("mov %cr0, %rbx; mov $0xe, %eax", "lmsw %ax",
		 "mov %cr0, %rcx; clts; mov %cr0, %rdx; mov %rbx, %cr0");
	exec_init(&x, &s);
	exec64(&x);
	check(x.rcx == (cr0 | CR0_MP | CR0_EM | CR0_TS) &&
	      x.rdx == (cr0 | CR0_MP | CR0_EM), "lmsw.set_clts", "%lx %lx",
	      x.rcx, x.rdx);
}

void guest_main(void)
{
	bad_cr();
	others();
}
