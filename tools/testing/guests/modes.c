// SPDX-License-Identifier: GPL-2.0-only
/*
 * modes.c - every processor mode a guest can be in, and the ways between.
 *
 * SDM vol. 3, "Modes of Operation", "Processor Management and Initialization:
 * Mode Switching", "8086 Emulation".
 */
#include "lib.h"

const char guest_name[] = "modes";

/* Page tables for legacy paging: the first 16 MiB, one to one. */
static u32 *pd32;
static u64 *pdpt_pae, *pd_pae;

static void make_legacy_tables(void)
{
	u32 i;

	pd32 = alloc_pages(1);
	pdpt_pae = alloc_pages(1);
	pd_pae = alloc_pages(1);
	for (i = 0; i < 4; i++)
		pd32[i] = i << 22 | PT_P | PT_W | PT_U | PT_PS;
	pdpt_pae[0] = (u64)pd_pae | PT_P;
	for (i = 0; i < 8; i++)
		pd_pae[i] = (u64)i << 21 | PT_P | PT_W | PT_U | PT_PS;
}

static void long_mode(void)
{
	struct exec x;
	struct snip s;

	check_eq("long.cr0", read_cr0() & ~(u64)CR0_MP, 0x80010031);
	check_eq("long.cr4", read_cr4(), CR4_PAE);
	check_eq("long.efer", rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA),
		 EFER_LME | EFER_LMA);

	s = SNIP("", "mov %cs, %eax; mov $0x1122334455667788, %rbx; movabs $0x100000000, %rcx",
		 "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("long.run", &x, &s);
	check_eq("long.cs", x.rax, SEL_K64);
	check_eq("long.rbx", x.rbx, 0x1122334455667788);

	/* 32-bit results zero-extend, 8/16-bit ones do not. */
	s = SNIP("mov $-1, %rax; mov %rax, %rbx; mov %rax, %rcx",
		 "mov $1, %eax; mov $1, %bx; mov $1, %cl", "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.rax == 1 && x.rbx == 0xffffffffffff0001 &&
	      x.rcx == 0xffffffffffffff01, "long.zero_extend", "%lx %lx %lx",
	      x.rax, x.rbx, x.rcx);

	exec_user(&x, &s);
	exec64(&x);
	check_done("long.user", &x, &s);
	check(x.cs == SEL_U64 && x.ss == SEL_UD, "long.user.cpl", "%lx %lx",
	      x.cs, x.ss);

	/* Code through the high alias: a canonical address above 2^47. */
	s = SNIP("", "lea 1f(%rip), %rax; 1: nop", "");
	exec_init(&x, &s);
	x.rip = s.start + HIGH_ALIAS;
	x.rsp += HIGH_ALIAS;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rip == s.end + 2 + HIGH_ALIAS &&
	      x.rax > HIGH_ALIAS, "long.high", "rip %lx rax %lx", x.rip, x.rax);
}

static void compat_mode(void)
{
	struct exec x;
	struct snip s;

	/* 0x48 is DEC EAX outside 64-bit mode; addresses wrap at 2^32. */
	s = SNIP32("mov $5, %eax; mov $-4, %ebx",
		   ".byte 0x48; mov 12(%ebx), %ecx; lea 8(%ebx), %edx", "");
	exec_compat(&x, &s);
	*(volatile u32 *)8ul = 0x600df00d;
	exec64(&x);
	check_done("compat.ring0", &x, &s);
	check_eq("compat.ring0.dec", x.rax, 4);
	check_eq("compat.ring0.wrap", x.rcx, 0x600df00d);
	check_eq("compat.ring0.lea", x.rdx, 4);

	s = SNIP32("mov $5, %eax", ".byte 0x48; pusha; popa; mov %cs, %ecx", "");
	exec_user32(&x, &s);
	exec64(&x);
	check_done("compat.ring3", &x, &s);
	check_eq("compat.ring3.dec", x.rax, 4);
	check_eq("compat.ring3.cs", x.rcx, SEL_U32);

	/* 16-bit code segment in long mode. */
	s = SNIP16("mov $0x12345678, %eax", "mov $0x9abc, %ax", "");
	exec_init(&x, &s);
	x.cs = SEL_K16;
	x.ss = SEL_K16D;
	x.rsp = 0x7f00;
	exec64(&x);
	check_done("compat.16", &x, &s);
	check_eq("compat.16.ax", x.rax, 0x12349abc);

	/* Far jumps 64 -> 32 -> 64 bits within one snippet. */
	s = SNIP("lea 1f(%rip), %eax; push $0x18; push %rax", "lretq\n"
		 ".code32\n1: .byte 0x48; ljmp $0x08, $2f\n.code64\n2: movabs $0x123456789a, %rbx",
		 "");
	exec_init(&x, &s);
	x.ds = SEL_KD;
	exec64(&x);
	check_done("compat.far_there_and_back", &x, &s);
	check_eq("compat.far.rbx", x.rbx, 0x123456789a);
}

static void pm32_one(const char *name, u64 cr0, u64 cr3, u64 cr4)
{
	struct exec x;
	struct snip s;

	s = SNIP32("mov $0xc0000080, %ecx; rdmsr; mov %eax, %esi; mov %cr0, %edi",
		   "smsw %eax; mov %ss, %ebx; mov $5, %ebp; .byte 0x4d", "");
	exec_init_pm(&x, &s);
	x.cr0 |= cr0;
	x.cr3 = cr3;
	x.cr4 = cr4;
	exec_legacy(&x);
	check_done(name, &x, &s);
	check((x.rsi & (EFER_LMA | EFER_LME)) == 0 && x.rbp == 4 &&
	      x.rdi == (CR0_PE | CR0_ET | CR0_NE | cr0) &&
	      x.rax == (x.rdi & 0xffffffff) && x.rbx == SEL_KD &&
	      x.cr3 == cr3 && x.cr4 == cr4, name,
	      "efer %lx cr0 %lx smsw %lx ss %lx cr3 %lx cr4 %lx", x.rsi, x.rdi,
	      x.rax, x.rbx, x.cr3 ? 1ul : 0, x.cr4);

	/* Ring 3 and back through the TSS. */
	s = SNIP32("", "mov %cs, %eax; mov %ss, %ebx; pushfl; popl %ecx", "");
	exec_init_pm(&x, &s);
	x.cr0 |= cr0;
	x.cr3 = cr3;
	x.cr4 = cr4;
	x.cs = SEL_U32;
	x.ss = SEL_UD;
	x.ds = SEL_UD;
	x.es = SEL_UD;
	x.fs = 0;
	x.gs = 0;
	x.rsp = (u64)user_stack_top;
	exec_legacy(&x);
	check_done(name, &x, &s);
	check(x.rax == SEL_U32 && x.rbx == SEL_UD && x.rcx == FL_ONE &&
	      x.hss == SEL_KD, name, "ring3 cs %lx ss %lx fl %lx hss %lx",
	      x.rax, x.rbx, x.rcx, x.hss);
}

static void pm_modes(void)
{
	struct exec x;
	struct snip s;

	pm32_one("pm32.flat", 0, 0, 0);
	pm32_one("pm32.paged", CR0_PG, (u64)pd32, CR4_PSE);
	pm32_one("pm32.paged_wp", CR0_PG | CR0_WP, (u64)pd32, CR4_PSE);
	pm32_one("pm32.pae", CR0_PG | CR0_WP, (u64)pdpt_pae, CR4_PAE);
	pm32_one("pm32.pae_pse", CR0_PG, (u64)pdpt_pae, CR4_PAE | CR4_PSE);

	/* 16-bit code and stack in protected mode: SP wraps inside 64 KiB. */
	s = SNIP16("xor %esp, %esp", "pushw $0x1234; mov %esp, %eax; pop %bx",
		   "mov $0x7f00, %sp");
	exec_init_pm(&x, &s);
	x.cs = SEL_K16;
	x.ss = SEL_K16D;
	x.rsp = 0x7f00;
	exec_legacy(&x);
	check_done("pm16.run", &x, &s);
	check(x.rax == 0xfffe && (x.rbx & 0xffff) == 0x1234, "pm16.sp_wrap",
	      "%lx %lx", x.rax, x.rbx);

	/* A segment base and limit that are not flat. */
	set_gdt(SEL_TEST0, make_desc(0x100000, 0xfff, DESC_DATA, DESC_D));
	s = SNIP32("mov $0x78, %eax; mov %eax, %gs", "mov %gs:0xffc, %ebx",
		   "mov %gs:0xffd, %ecx");
	exec_init_pm(&x, &s);
	exec_legacy(&x);
	check_exc("pm32.limit", &x, &s, EXC_GP, 0, s.after);
	check_eq("pm32.base", x.rbx, *(u32 *)0x100ffcul);

	/* Expand-down: valid offsets are above the limit. */
	set_gdt(SEL_TEST0, make_desc(0, 0x1000, 0x97, DESC_D));
	s = SNIP32("mov $0x78, %eax; mov %eax, %gs; mov %gs:0x1001, %bl",
		   "mov %gs:0x1000, %bl", "");
	exec_init_pm(&x, &s);
	exec_legacy(&x);
	check_exc("pm32.expand_down", &x, &s, EXC_GP, 0, s.at);

	/* Read-only, execute-only and null segments. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, 0x91, DESC_D | DESC_G));
	s = SNIP32("mov $0x78, %eax; mov %eax, %gs; mov %gs:0x8000, %bl",
		   "mov %bl, %gs:0x8000", "");
	exec_init_pm(&x, &s);
	exec_legacy(&x);
	check_exc("pm32.read_only", &x, &s, EXC_GP, 0, s.at);

	s = SNIP32("xor %eax, %eax; mov %eax, %gs", "mov %gs:0x8000, %bl", "");
	exec_init_pm(&x, &s);
	exec_legacy(&x);
	check_exc("pm32.null", &x, &s, EXC_GP, 0, s.at);

	s = SNIP32("", "mov %bl, %cs:0x8000", "");
	exec_init_pm(&x, &s);
	exec_legacy(&x);
	check_exc("pm32.write_code", &x, &s, EXC_GP, 0, s.at);

	/* Stack limit: #SS(0). At CPL 3, so that the handler has ESP0. */
	set_gdt(SEL_TEST0, make_desc(0, 0x7fff, DESC_DATA | DESC_DPL3, DESC_D));
	s = SNIP32("mov $0x7b, %eax; mov %eax, %ss; mov $0x7ffd, %esp",
		   "pop %ecx", "");
	exec_init_pm(&x, &s);
	x.cs = SEL_U32;
	x.ss = SEL_UD;
	x.ds = SEL_UD;
	x.es = SEL_UD;
	x.fs = 0;
	x.gs = 0;
	exec_legacy(&x);
	check_exc("pm32.stack_limit", &x, &s, EXC_SS, 0, s.at);
}

static void real_mode(void)
{
	struct exec x;
	struct snip s;

	s = SNIP16("", "smsw %ax; mov %cs, %bx; mov $0x12345678, %ecx; pushf; pop %dx",
		   "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_done("real.run", &x, &s);
	check((x.rax & 1) == 0 && x.rbx == 0 && x.rcx == 0x12345678,
	      "real.state", "msw %lx cs %lx ecx %lx flags %lx", x.rax & 0xffff,
	      x.rbx, x.rcx, x.rdx & 0xffff);

	/* segment * 16 + offset, up to 0x10ffef (A20 on). */
	*(volatile u32 *)0x100010ul = *(volatile u32 *)0x100010ul;
	s = SNIP16("mov $0x1000, %ax; mov %ax, %es; mov $0xffff, %ax; mov %ax, %fs",
		   "movl $0xcafe0001, %es:0x20; mov %fs:0x10, %ebx", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_done("real.segments", &x, &s);
	check_eq("real.es_base", *(volatile u32 *)0x10020ul, 0xcafe0001);
	check_eq("real.above_1m", x.rbx, *(volatile u32 *)0x100000ul);

	/* Offsets above 0xffff: #GP, or #SS through SS; no error code. */
	s = SNIP16("mov $0x10000, %ebx", "mov (%ebx), %al", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.limit", &x, &s, EXC_GP, NO_ERR, s.at);

	s = SNIP16("", "mov 0xffff, %ax", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.limit_word", &x, &s, EXC_GP, NO_ERR, s.at);

	s = SNIP16("mov $0x10000, %ebp", "mov (%ebp), %al", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.stack_limit", &x, &s, EXC_SS, NO_ERR, s.at);

	s = SNIP16("xor %cl, %cl", "div %cl", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.de", &x, &s, EXC_DE, NO_ERR, s.at);

	s = SNIP16("", "ud2", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.ud", &x, &s, EXC_UD, NO_ERR, s.at);

	s = SNIP16("", "lldt %ax", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.lldt_ud", &x, &s, EXC_UD, NO_ERR, s.at);

	s = SNIP16("", "int3", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.bp", &x, &s, EXC_BP, NO_ERR, s.after);

	s = SNIP16("mov $0x7fff, %ax; add $1, %ax", "into", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.into", &x, &s, EXC_OF, NO_ERR, s.after);

	/* INT n clears IF, TF, AC and pushes 16-bit flags. */
	s = SNIP16("pushw $0x0ed7; popf", "int $0x40", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.int40", &x, &s, 0x40, NO_ERR, s.after);
	check_eq("real.int40.flags", x.rflags & 0xffff, 0x0ed7);

	/* A vector beyond the IDT limit: #GP (vector 13), saved IP at INT. */
	s = SNIP16("", "int $0x90", "");
	exec_init_real(&x, &s);
	x.idtr.limit = 0x8f * 4;
	exec_legacy(&x);
	check_exc("real.idt_limit", &x, &s, EXC_GP, NO_ERR, s.at);

	/* Single step. */
	s = SNIP16("pushw $0x0102; popf", "nop", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_exc("real.tf", &x, &s, EXC_DB, NO_ERR, s.after);

	/* Stack wraps at 64 KiB. */
	s = SNIP16("xor %sp, %sp", "pushw $0x55aa; mov %sp, %ax; pop %bx",
		   "mov $0x7f00, %sp");
	exec_init_real(&x, &s);
	x.ss = 0x1000;
	exec_legacy(&x);
	check((x.rax & 0xffff) == 0xfffe && (x.rbx & 0xffff) == 0x55aa &&
	      *(volatile u16 *)0x1fffeul == 0x55aa, "real.sp_wrap",
	      "%lx %lx", x.rax & 0xffff, x.rbx & 0xffff);

	/* String instructions with 16- and 32-bit address size. */
	*(volatile u64 *)0x10100ul = 0x8877665544332211;
	*(volatile u64 *)0x10200ul = 0;
	s = SNIP16("mov $0x1000, %ax; mov %ax, %ds; mov %ax, %es; mov $0x100, %esi; mov $0x200, %edi; mov $4, %ecx; cld",
		   "rep movsw", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check(x.rsi == 0x108 && x.rdi == 0x208 && !x.rcx &&
	      *(volatile u64 *)0x10200ul == 0x8877665544332211, "real.movsw",
	      "%lx %lx %lx", x.rsi, x.rdi, x.rcx);

	/* Far call and return, far jump to an aliased CS. */
	s = SNIP16("mov $0xbeef, %bx",
		   "lcall $0x700, $1f - 0x7000\n jmp 2f\n1: mov %cs, %bx\n lret\n2:",
		   "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_done("real.lcall", &x, &s);
	check_eq("real.lcall.cs", x.rbx & 0xffff, 0x700);

	/* Into protected mode and back without any far jump: CS stays. */
	s = SNIP16("mov %cr0, %eax; mov %eax, %edx; or $1, %al",
		   "mov %eax, %cr0; mov %cs, %bx; smsw %cx; mov %edx, %cr0", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_done("real.pe_blink", &x, &s);
	check((x.rcx & 1) && !(x.rbx & 0xffff), "real.pe_blink.state",
	      "msw %lx cs %lx", x.rcx & 0xffff, x.rbx & 0xffff);

	/* Privileged instructions are allowed: CPL is 0 in real mode. */
	s = SNIP16("", "mov %cr4, %ebx; mov $0xc0000080, %ecx; rdmsr; cli; clts",
		   "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_done("real.privileged", &x, &s);
	check(x.rbx == 0 && (x.rax & (EFER_LME | EFER_LMA)) == 0,
	      "real.privileged.state", "cr4 %lx efer %lx", x.rbx, x.rax);
}

static void unreal_mode(void)
{
	struct exec x;
	struct snip s;
	u32 *page = alloc_pages(1);

	*page = 0x12344321;

	/* "Big real mode": limits of 4 GiB kept from protected mode. */
	s = SNIP16("", "mov (%ebx), %eax; movl $0x55555555, 4(%ebx)", "");
	exec_init_real(&x, &s);
	x.mode = EXEC_UNREAL;
	x.pre[0] = SEL_KD;
	x.pre[1] = SEL_KD;
	x.pre[2] = SEL_KD;
	x.pre[3] = SEL_KD;
	x.rbx = (u64)page;
	exec_legacy(&x);
	check_done("unreal.big_ds", &x, &s);
	check(x.rax == 0x12344321 && page[1] == 0x55555555, "unreal.data",
	      "%lx %x", x.rax, page[1]);

	/* Loading DS in real mode sets the base, keeps the limit. */
	s = SNIP16("mov $0x10, %ax; mov %ax, %ds; sub $0x100, %ebx",
		   "mov (%ebx), %eax", "");
	exec_init_real(&x, &s);
	x.mode = EXEC_UNREAL;
	x.pre[0] = SEL_KD;
	x.pre[1] = SEL_KD;
	x.pre[2] = SEL_KD;
	x.pre[3] = SEL_KD;
	x.rbx = (u64)page;
	exec_legacy(&x);
	check_done("unreal.reload_keeps_limit", &x, &s);
	check_eq("unreal.reload.data", x.rax, 0x12344321);

	/* A base that no real-mode selector could have. */
	set_gdt(SEL_TEST0, make_desc((u64)page, 0xfff, DESC_DATA, 0));
	s = SNIP16("", "mov %es:0, %eax", "");
	exec_init_real(&x, &s);
	x.mode = EXEC_UNREAL;
	x.pre[0] = SEL_KD;
	x.pre[1] = SEL_TEST0;
	x.pre[2] = SEL_KD;
	x.pre[3] = SEL_KD;
	exec_legacy(&x);
	check_done("unreal.kept_base", &x, &s);
	check_eq("unreal.kept_base.data", x.rax, 0x12344321);

	s = SNIP16("", "mov %es:0xffd, %eax", "");
	exec_init_real(&x, &s);
	x.mode = EXEC_UNREAL;
	x.pre[0] = SEL_KD;
	x.pre[1] = SEL_TEST0;
	x.pre[2] = SEL_KD;
	x.pre[3] = SEL_KD;
	exec_legacy(&x);
	check_exc("unreal.kept_limit", &x, &s, EXC_GP, NO_ERR, s.at);
}

static void v86_exec(struct exec *x, const struct snip *s, u64 flags)
{
	exec_init_pm(x, s);
	x->cr0 |= CR0_PG;
	x->cr3 = (u64)pd32;
	x->cr4 = CR4_PSE;
	x->cs = 0;
	x->ss = 0;
	x->ds = 0;
	x->es = 0x1000;
	x->fs = 0x2000;
	x->gs = 0x3000;
	x->rsp = 0x7f00;
	x->rflags = FL_ONE | FL_VM | flags;
	exec_legacy(x);
}

static void v86_mode(void)
{
	struct exec x;
	struct snip s;

	*(volatile u32 *)0x10010ul = 0xfeedface;
	s = SNIP16("", "mov %es:0x10, %eax; mov %cs, %bx; pushf; pop %cx", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_done("v86.run", &x, &s);
	check(x.rax == 0xfeedface && !(x.rbx & 0xffff) &&
	      (x.rcx & 0xffff) == (FL_IOPL3 | FL_ONE), "v86.state",
	      "%lx cs %lx flags %lx", x.rax, x.rbx & 0xffff, x.rcx & 0xffff);
	check((x.rflags & FL_VM) && x.es == 0x1000 && x.fs == 0x2000 &&
	      x.gs == 0x3000, "v86.frame", "fl %lx es %lx fs %lx gs %lx",
	      x.rflags, x.es, x.fs, x.gs);

	/* IOPL < 3: PUSHF, POPF, CLI, STI, INT n, IRET trap. */
	s = SNIP16("", "pushf", "");
	v86_exec(&x, &s, 0);
	check_exc("v86.pushf", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "cli", "");
	v86_exec(&x, &s, 0);
	check_exc("v86.cli", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "int $0x81", "");
	v86_exec(&x, &s, 0);
	check_exc("v86.int_iopl", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "int3", "");
	v86_exec(&x, &s, 0);
	check_exc("v86.int3", &x, &s, EXC_BP, NO_ERR, s.after);
	/* INT n through a gate of DPL 0. */
	s = SNIP16("", "int $0x40", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.int_dpl", &x, &s, EXC_GP, 0x40 * 8 + 2, s.at);
	/* Ports go by the I/O bitmap alone, not by IOPL. */
	s = SNIP16("", "inb $0x21, %al", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.in", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "mov %cr0, %eax", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.cr0", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "hlt", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.hlt", &x, &s, EXC_GP, 0, s.at);
	s = SNIP16("", "lar %ax, %ax", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.lar_ud", &x, &s, EXC_UD, NO_ERR, s.at);
	s = SNIP16("", "mov 0xffff, %ax", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_exc("v86.limit", &x, &s, EXC_GP, 0, s.at);
	/* Beyond what is mapped: ES:FFFF wraps above 1 MiB, still mapped. */
	s = SNIP16("mov $0xffff, %ax; mov %ax, %es", "mov %es:0x10, %ebx", "");
	v86_exec(&x, &s, FL_IOPL3);
	check_done("v86.above_1m", &x, &s);
	check_eq("v86.above_1m.data", x.rbx, *(volatile u32 *)0x100000ul);
}

static void switching(void)
{
	struct exec x;
	struct snip s32, s16;
	u64 sum = 0;
	int i;

	s32 = SNIP32("", "mov %eax, %ebx; add $1, %ebx", "");
	s16 = SNIP16("", "mov %eax, %ebx; add $2, %ebx", "");
	for (i = 0; i < 50; i++) {
		exec_init_pm(&x, &s32);
		x.rax = i;
		if (i & 1) {
			x.cr0 |= CR0_PG;
			x.cr3 = i & 2 ? (u64)pdpt_pae : (u64)pd32;
			x.cr4 = i & 2 ? CR4_PAE : CR4_PSE;
		}
		exec_legacy(&x);
		sum += x.rbx;
		exec_init_real(&x, &s16);
		x.rax = i;
		exec_legacy(&x);
		sum += x.rbx;
		exec_compat(&x, &s32);
		x.rax = i;
		exec64(&x);
		sum += x.rbx;
	}
	check_eq("switch.hundred_fifty", sum, 3 * (49 * 50 / 2) + 4 * 50);
}

/* Privileged at CPL 3: #GP(0), whatever the operands. */
static void user_privileged(void)
{
	struct exec x;
	struct snip s;

#define USER_GP(name, insn) do {					\
	s = SNIP("", insn, "");						\
	exec_user(&x, &s);						\
	x.rcx = MSR_TSC;						\
	exec64(&x);							\
	check_exc("user." name, &x, &s, EXC_GP, 0, s.at);		\
} while (0)

	USER_GP("hlt", "hlt");
	USER_GP("cli", "cli");
	USER_GP("sti", "sti");
	USER_GP("clts", "clts");
	USER_GP("invlpg", "invlpg (%rsp)");
	USER_GP("invd", "invd");
	USER_GP("wbinvd", "wbinvd");
	USER_GP("lgdt", "lgdt (%rsp)");
	USER_GP("lidt", "lidt (%rsp)");
	USER_GP("lldt", "lldt %ax");
	USER_GP("ltr", "ltr %ax");
	USER_GP("lmsw", "lmsw %ax");
	USER_GP("rdmsr", "rdmsr");
	USER_GP("wrmsr", "wrmsr");
	USER_GP("rdpmc", "rdpmc");
	USER_GP("cr0_read", "mov %cr0, %rax");
	USER_GP("cr2_write", "mov %rax, %cr2");
	USER_GP("cr3_write", "mov %rax, %cr3");
	USER_GP("cr8_read", "mov %cr8, %rax");
	USER_GP("dr7_read", "mov %dr7, %rax");
	USER_GP("dr0_write", "mov %rax, %dr0");
	USER_GP("swapgs", "swapgs");
	USER_GP("in", "in $0x21, %al");
	USER_GP("out", "out %al, $0x80");
	USER_GP("cr4_read", "mov %cr4, %rax");

	/* With EFER.SCE clear SYSRET is #UD before the privilege check. */
	s = SNIP("", "sysretq", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("user.sysret_sce0", &x, &s, EXC_UD, NO_ERR, s.at);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	USER_GP("sysret", "sysretq");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);

	/* Allowed without UMIP, and plain CPUID, SMSW, SGDT. */
	s = SNIP("", "smsw %eax; sgdt -16(%rsp); sidt -32(%rsp); str %ecx; sldt %edx",
		 "");
	exec_user(&x, &s);
	exec64(&x);
	check_done("user.smsw_sgdt", &x, &s);
	check(x.rax == (read_cr0() & 0xffffffff) && x.rcx == SEL_TSS64 &&
	      !x.rdx, "user.smsw_str_sldt", "%lx %lx %lx", x.rax, x.rcx, x.rdx);
	check(!memcmp((void *)(x.rsp - USER_ALIAS - 16), &gdt_ptr, 10) &&
	      !memcmp((void *)(x.rsp - USER_ALIAS - 32), &idt_ptr, 10),
	      "user.sgdt_sidt", "limits %x %x",
	      *(u16 *)(x.rsp - USER_ALIAS - 16),
	      *(u16 *)(x.rsp - USER_ALIAS - 32));

	/* POPF at CPL 3: IOPL and IF kept silently. */
	s = SNIP("pushq $0x3202", "popfq", "pushfq; pop %rax");
	exec_user(&x, &s);
	exec64(&x);
	check_done("user.popf", &x, &s);
	check_eq("user.popf.flags", x.rax, FL_ONE);

	/* UMIP: the five become #GP at CPL 3, and only there. */
	if (!HAS_UMIP) {
		skip("umip", "cpuid.7:ecx.umip not offered");
		return;
	}
	write_cr4(read_cr4() | CR4_UMIP);
	USER_GP("umip.sgdt", "sgdt -16(%rsp)");
	USER_GP("umip.sidt", "sidt -16(%rsp)");
	USER_GP("umip.sldt", "sldt %eax");
	USER_GP("umip.smsw", "smsw %eax");
	USER_GP("umip.str", "str %eax");
	s = SNIP("", "smsw %eax; str %ecx", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("umip.ring0", &x, &s);
	write_cr4(read_cr4() & ~CR4_UMIP);
}

void guest_main(void)
{
	make_legacy_tables();
	long_mode();
	compat_mode();
	user_privileged();
	pm_modes();
	real_mode();
	unreal_mode();
	v86_mode();
	switching();
}
