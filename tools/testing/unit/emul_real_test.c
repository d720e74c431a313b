// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator in real and virtual-8086 mode, and on the way out of it.
 */
#include "emul_case.h"

static void moves_and_segments(void)
{
	fresh_real();
	/* mov ax, 0x123; mov ds, ax: base follows, limit and rights stay */
	g.seg[TDM_SEG_DS].limit = 0xffffffff;
	CHECK_EQ(RUN(0xb8, 0x23, 0x01), TDM_EMUL_DONE);
	CHECK_EQ(RUN(0x8e, 0xd8), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_DS].base, 0x1230);
	CHECK_EQ(g.seg[TDM_SEG_DS].selector, 0x123);
	CHECK_EQ(g.seg[TDM_SEG_DS].limit, 0xffffffff);
	/* "unreal": a32 mov al, [ebx] beyond 64 KiB of segment */
	GPR(RBX) = READONLY + 7 - 0x1230;
	readonly[7] = 0x5a;
	CHECK_EQ(RUN(0x67, 0x8a, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX) & 0xff, 0x5a);
	/* mov [0x10], ax through the new base */
	CHECK_EQ(RUN(0xa3, 0x10, 0x00), TDM_EMUL_DONE);
	CHECK_EQ(peek(0x1240, 2), GPR(RAX) & 0xffff);
	/* mov cs, ax does not exist */
	CHECK(faulted(RUN(0x8e, 0xc8), 6, 0));
}

static void limits(void)
{
	fresh_real();
	/* A word at 0xffff does not fit: #GP without error code, #SS for SS */
	GPR(RBX) = 0xffff;
	CHECK(faulted(RUN(0x8b, 0x07), 13, 0));
	CHECK(!g.c.event.has_error);
	CHECK(faulted(RUN(0x36, 0x8b, 0x07), 12, 0));
	/* Offsets wrap at 64 KiB: [bx+si] = 0x10 */
	GPR(RSI) = 0x11;
	poke(0x10, 0xbeef, 2);
	CHECK_EQ(RUN(0x8b, 0x00), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX) & 0xffff, 0xbeef);
	/* push with SP = 0 wraps to 0xfffe */
	GPR(RSP) = 0x10000;
	CHECK_EQ(RUN(0x50), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RSP), 0x1fffe);
	CHECK_EQ(peek(0xfffe, 2), 0xbeef);
	/* push with SP = 1 does not fit */
	GPR(RSP) = 1;
	CHECK(faulted(RUN(0x50), 12, 0));
	CHECK_EQ(GPR(RSP), 1);
	/* Execution runs into the segment's end */
	ram[0xffff] = 0x90;
	RIP = 0xffff;
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x10000);
	CHECK(faulted(guest_step(&g), 13, 0));
	ram[0xffff] = 0x66;
	RIP = 0xffff;
	CHECK(faulted(guest_step(&g), 13, 0));
}

static void far_transfers(void)
{
	fresh_real();
	/* call 0x0200:0x0010 */
	CHECK_EQ(RUN(0x9a, 0x10, 0x00, 0x00, 0x02), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x10);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0x2000);
	CHECK_EQ(peek(STACK - 2, 2), 0);
	CHECK_EQ(peek(STACK - 4, 2), CODE + 5);
	/* retf 4 */
	ram[0x2010] = 0xca;
	ram[0x2011] = 4;
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, CODE + 5);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0);
	CHECK_EQ(GPR(RSP), STACK + 4);
	/* jmp far [bx], 32-bit offset beyond the limit */
	GPR(RBX) = 0x300;
	poke(0x300, 0x12345, 4);
	poke(0x304, 0x40, 2);
	CHECK(faulted(RUN(0x66, 0xff, 0x2f), 13, 0));
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0);
	CHECK_EQ(RUN(0xff, 0x2f), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x2345);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, 1);
	/* lds si, [bx] */
	guest_real_mode(&g);
	poke(0x302, 0x77, 2);
	CHECK_EQ(RUN(0xc5, 0x37), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RSI) & 0xffff, 0x2345);
	CHECK_EQ(g.seg[TDM_SEG_DS].base, 0x770);
}

static void interrupts(void)
{
	fresh_real();
	poke(0x21 * 4, 0x0050, 2);
	poke(0x21 * 4 + 2, 0x0300, 2);
	FLAGS = 0x202 | X86_EFLAGS_CF | X86_EFLAGS_TF;
	/* int 0x21: no trap follows, TF and IF are off in the handler */
	CHECK_EQ(RUN(0xcd, 0x21), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, 0);
	CHECK_EQ(RIP, 0x50);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0x3000);
	CHECK_EQ(FLAGS, 3);
	CHECK_EQ(peek(STACK - 2, 2), 0x303);
	CHECK_EQ(peek(STACK - 6, 2), CODE + 2);
	/* iret */
	ram[0x3050] = 0xcf;
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(FLAGS, 0x303);
	CHECK_EQ(RIP, CODE + 2);
	CHECK_EQ(GPR(RSP), STACK);
	CHECK_EQ(g.nr_nmi_unmask, 1);
	/* A vector beyond the table's limit */
	g.idt.limit = 0x21 * 4 + 2;
	FLAGS = 0x202;
	CHECK(faulted(RUN(0xcd, 0x21), 13, 0));
	/* into without OF */
	CHECK_EQ(RUN(0xce), TDM_EMUL_DONE);
	CHECK_EQ(RIP, CODE + 1);
	/* iretd keeps VM, sets RF */
	poke(STACK, CODE, 4);
	poke(STACK + 4, 0, 4);
	poke(STACK + 8, X86_EFLAGS_RF | X86_EFLAGS_VM | X86_EFLAGS_AC, 4);
	CHECK_EQ(RUN(0x66, 0xcf), TDM_EMUL_DONE);
	CHECK_EQ(FLAGS, X86_EFLAGS_RF | X86_EFLAGS_AC | 2);
}

static void external_events(void)
{
	struct tdm_emul_event ev = { .vector = 8, .type = TDM_EMUL_EXT_INT };

	fresh_real();
	poke(8 * 4, 0x1234, 2);
	poke(8 * 4 + 2, 0x0f00, 2);
	FLAGS = 0x246;
	RIP = 0x77;
	g.c.int_shadow = 0;
	CHECK_EQ(tdm_emul_deliver(&g.c, &ev), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1234);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0xf000);
	CHECK_EQ(peek(STACK - 6, 2), 0x77);
	CHECK_EQ(peek(STACK - 2, 2), 0x246);
	CHECK_EQ(FLAGS, 0x46);
	/* The stack does not take it: nothing changes */
	GPR(RSP) = 3;
	CHECK_EQ(tdm_emul_deliver(&g.c, &ev), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.vector, 12);
	CHECK_EQ(RIP, 0x1234);
	CHECK_EQ(GPR(RSP), 3);
	CHECK_EQ(peek(0, 4), 0);
}

static void shadows_and_stepping(void)
{
	fresh_real();
	CHECK_EQ(RUN(0xfb), TDM_EMUL_DONE);
	CHECK_EQ(g.c.int_shadow, TDM_EMUL_SHADOW_STI);
	CHECK_EQ(RUN(0xfb), TDM_EMUL_DONE);
	CHECK_EQ(g.c.int_shadow, 0);	/* IF was on already */
	CHECK_EQ(RUN(0x8e, 0xd0), TDM_EMUL_DONE);
	CHECK_EQ(g.c.int_shadow, TDM_EMUL_SHADOW_MOV_SS);
	CHECK_EQ(RUN(0x90), TDM_EMUL_DONE);
	CHECK_EQ(g.c.int_shadow, 0);
	CHECK_EQ(g.c.trap_dr6, 0);
	/* popf that sets TF does not trap itself; the next one does */
	poke(STACK, 0x100, 2);
	CHECK_EQ(RUN(0x9d), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, 0);
	CHECK_EQ(RUN(0x90), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, TDM_EMUL_DR6_BS);
	/* pop ss: the trap is lost */
	CHECK_EQ(RUN(0x17), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, 0);
	/* RF is cleared by completion */
	FLAGS = 2 | X86_EFLAGS_RF;
	CHECK_EQ(RUN(0x90), TDM_EMUL_DONE);
	CHECK_EQ(FLAGS, 2);
	CHECK_EQ(RUN(0xf4), TDM_EMUL_DONE);
	CHECK(g.halted);
}

static void into_protected_mode(void)
{
	fresh_real();
	/* GDT at 0x400: null, 32-bit code, data */
	poke(0x408, 0x00cf9a000000ffffull, 8);
	poke(0x410, 0x00cf92000000ffffull, 8);
	poke(0x500, 23, 2);
	poke(0x502, 0xff000400, 4);
	/* lgdt [0x500]: a 16-bit operand takes 24 bits of base */
	CHECK_EQ(RUN(0x0f, 0x01, 0x16, 0x00, 0x05), TDM_EMUL_DONE);
	CHECK_EQ(g.gdt.base, 0x400);
	CHECK_EQ(g.gdt.limit, 23);
	CHECK_EQ(RUN(0x66, 0x0f, 0x01, 0x16, 0x00, 0x05), TDM_EMUL_DONE);
	CHECK_EQ(g.gdt.base, 0xff000400);
	g.gdt.base = 0x400;
	/* mov cr0, eax */
	GPR(RAX) = 0x11;
	CHECK_EQ(RUN(0x0f, 0x22, 0xc0), TDM_EMUL_DONE);
	g.c.cr0 = g.cr[0];
	CHECK_EQ(g.c.cr0, 0x11);
	/* still 16-bit code, CS unchanged; jmp far 8:0x1100 */
	CHECK_EQ(RUN(0x66, 0xea, 0x00, 0x11, 0x00, 0x00, 0x08, 0x00),
		 TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1100);
	CHECK_EQ(g.seg[TDM_SEG_CS].ar, 0xc09b);
	CHECK_EQ(g.seg[TDM_SEG_CS].limit, 0xffffffff);
	CHECK_EQ(peek(0x408, 8), 0x00cf9b000000ffffull);	/* accessed */
	/* now 32-bit: mov eax, imm32; mov ds, ax */
	CHECK_EQ(RUN(0xb8, 0x10, 0x00, 0x00, 0x00), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x10);
	CHECK_EQ(RUN(0x8e, 0xd8), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_DS].ar, 0xc093);
	/* lmsw cannot clear PE */
	GPR(RAX) = 0;
	CHECK_EQ(RUN(0x0f, 0x01, 0xf0), TDM_EMUL_DONE);
	CHECK_EQ(g.cr[0] & 1, 1);
	/* a mov to CR0 the processor refuses */
	GPR(RAX) = 0x80000000;
	CHECK(faulted(RUN(0x0f, 0x22, 0xc0), 13, 0));
}

static void enter_vm86(unsigned int iopl)
{
	unsigned int i;

	fresh_flat(TDM_MODE_PROT32, 0);
	g.seg[TDM_SEG_TR].limit = 102;	/* no I/O bitmap */
	for (i = 0; i < TDM_SEG_LDTR; i++)
		g.seg[i] = (struct tdm_segment) { .limit = 0xffff, .ar = 0xf3 };
	FLAGS = 0x202 | X86_EFLAGS_VM | iopl << X86_EFLAGS_IOPL_BIT;
}

static void vm86(void)
{
	enter_vm86(3);
	CHECK_EQ(RUN(0xfa), TDM_EMUL_DONE);		/* cli */
	CHECK_EQ(RUN(0xcd, 0x21), TDM_EMUL_FAULT);	/* int 0x21 */
	CHECK_EQ(g.c.event.type, TDM_EMUL_SOFT_INT);
	CHECK_EQ(g.c.event.insn_len, 2);
	CHECK(faulted(RUN(0x0f, 0x01, 0xf0), 13, 0));	/* lmsw */
	CHECK(faulted(RUN(0x0f, 0x00, 0xc8), 6, 0));	/* str */
	GPR(RAX) = 0x1234;
	CHECK_EQ(RUN(0x8e, 0xc0), TDM_EMUL_DONE);	/* mov es, ax */
	CHECK_EQ(g.seg[TDM_SEG_ES].base, 0x12340);
	CHECK_EQ(g.seg[TDM_SEG_ES].ar, 0xf3);
	/* popf leaves IOPL alone */
	poke(STACK, 0x0002, 2);
	CHECK_EQ(RUN(0x9d), TDM_EMUL_DONE);
	CHECK_EQ(FLAGS & X86_EFLAGS_IOPL, X86_EFLAGS_IOPL);

	enter_vm86(0);
	CHECK(faulted(RUN(0xfa), 13, 0));
	CHECK(faulted(RUN(0x9c), 13, 0));
	CHECK(faulted(RUN(0xcd, 0x21), 13, 0));
	CHECK(faulted(RUN(0xcf), 13, 0));
	CHECK(faulted(RUN(0xe4, 0x60), 13, 0));		/* no bitmap in the TSS */
	g.c.cr4 |= X86_CR4_VME;
	CHECK_EQ(RUN(0xfb), TDM_EMUL_DONE);		/* sti: VIF */
	CHECK(FLAGS & X86_EFLAGS_VIF);
	CHECK_EQ(RUN(0x9c), TDM_EMUL_DONE);		/* pushf shows it as IF */
	CHECK_EQ(peek(STACK - 2, 2) & 0x3200, 0x3200);
	FLAGS |= X86_EFLAGS_VIP;
	CHECK(faulted(RUN(0xfb), 13, 0));
}

static void vme_redirection(void)
{
	enter_vm86(0);
	g.c.cr4 |= X86_CR4_VME;
	/* TSS at 0x600, I/O map base 0x88; redirection map at 0x68..0x87 */
	g.seg[TDM_SEG_TR].base = 0x600;
	g.seg[TDM_SEG_TR].limit = 0x100;
	poke(0x600 + 102, 0x88, 2);
	poke(0x21 * 4, 0x00400010, 4);
	CHECK_EQ(RUN(0xcd, 0x21), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x10);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0x400);
	CHECK_EQ(peek(STACK - 2, 2) & 0x3000, 0x3000);
	/* bit set: to the monitor */
	g.seg[TDM_SEG_CS].base = 0;
	ram[0x600 + 0x68 + 0x21 / 8] = 1 << (0x21 & 7);
	CHECK(faulted(RUN(0xcd, 0x21), 13, 0));
}

static void decimal_and_odd(void)
{
	fresh_real();
	GPR(RAX) = 0x0105;
	CHECK(faulted(RUN(0xd4, 0x00), 0, 0));		/* aam 0 */
	CHECK_EQ(RUN(0xd4, 0x0a), TDM_EMUL_DONE);
	/* 15 bytes are the most an instruction may have */
	CHECK(faulted(RUN(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
			  0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90), 13, 0));
	CHECK_EQ(RUN(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		     0x66, 0x66, 0x66, 0x66, 0x66, 0x90), TDM_EMUL_DONE);
	/* lock where it may not be */
	CHECK(faulted(RUN(0xf0, 0x89, 0x07), 6, 0));
	CHECK(faulted(RUN(0xf0, 0x01, 0xc0), 6, 0));
	/* x87: not emulated, nothing changes */
	GPR(RAX) = 0x1234;
	CHECK_EQ(RUN(0xd9, 0xc0), TDM_EMUL_UNHANDLED);
	CHECK_EQ(RIP, CODE);
	CHECK_EQ(g.c.insn->len, 2);
}

static const struct emul_case cases[] = {
	{ "moves and segment loads in real mode", moves_and_segments },
	{ "segment limits and wrap-around in real mode", limits },
	{ "far jumps, calls and returns in real mode", far_transfers },
	{ "software interrupts and iret in real mode", interrupts },
	{ "delivery of external interrupts in real mode", external_events },
	{ "interrupt shadow, single step, RF, HLT", shadows_and_stepping },
	{ "from real into protected mode", into_protected_mode },
	{ "virtual-8086 mode, IOPL and VME", vm86 },
	{ "interrupt redirection under VME", vme_redirection },
	{ "instruction length, LOCK, AAM 0, x87", decimal_and_odd },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
