// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator in protected and long mode, above CPL 3 and between levels:
 * gates, stack switches, event delivery, system registers. What CPL 3 can do is
 * compared with the real processor instead (emul_segs_test.c).
 */
#include "emul_case.h"

#define GDT	0x400u
#define IDT	0x600u
#define TSS	0x900u
#define KSTACK	0x7000u		/* ring-0 stack in the TSS */
#define IST1	0x7800u

/* Selectors of the GDT that tables() makes. */
#define KCODE	0x08		/* level 0, of the mode the test runs in */
#define KDATA	0x10
#define UCODE	0x1b		/* level 3 */
#define UDATA	0x23
#define CONF	0x28		/* conforming, level 0 */
#define TSS_SEL	0x30		/* 16 bytes in long mode */
#define LDT_SEL	0x40		/* ditto */
#define GATE	0x53		/* call gate, usable from level 3; ditto */
#define NPCODE	0x60		/* not present */

static void gate(unsigned int at, u16 sel, u64 off, u8 rights, u8 low, bool wide)
{
	poke(at, (off & 0xffff) | (u64)sel << 16 | (u64)low << 32 |
		 (u64)rights << 40 | (off >> 16 & 0xffff) << 48, 8);
	if (wide)
		poke(at + 8, off >> 32, 8);
}

static void tables(enum tdm_cpu_mode mode)
{
	u64 l = mode == TDM_MODE_LONG64 ? 0x0020000000000000ull :
					  0x0040000000000000ull;
	bool wide = mode == TDM_MODE_LONG64;

	poke(GDT + KCODE, 0x008f9b000000ffffull | l, 8);
	poke(GDT + KDATA, 0x00cf93000000ffffull, 8);
	poke(GDT + 0x18, 0x008ffb000000ffffull | l, 8);
	poke(GDT + 0x20, 0x00cff3000000ffffull, 8);
	poke(GDT + CONF, 0x008f9f000000ffffull | l, 8);
	poke(GDT + TSS_SEL, 0x0000890000000067ull | (u64)TSS << 16, 8);
	poke(GDT + LDT_SEL, 0x000082000000001full | 0x300ull << 16, 8);
	poke(GDT + NPCODE, 0x008f1b000000ffffull | l, 8);
	gate(GDT + 0x50, KCODE, 0x1200, 0xec, 0, wide);
	g.gdt = (struct tdm_table) { .base = GDT, .limit = 0x6f };
	g.idt = (struct tdm_table) { .base = IDT, .limit = 0x2ff };
	g.seg[TDM_SEG_TR] = (struct tdm_segment) {
		.selector = TSS_SEL, .base = TSS, .limit = 0x67, .ar = 0x8b,
	};
	if (wide) {
		poke(TSS + 4, KSTACK, 8);
		poke(TSS + 36, IST1, 8);
	} else {
		poke(TSS + 4, KSTACK, 4);
		poke(TSS + 8, KDATA, 4);
	}
}

static void start(enum tdm_cpu_mode mode, unsigned int cpl)
{
	fresh_flat(mode, cpl);
	tables(mode);
	g.seg[TDM_SEG_CS].selector = cpl ? UCODE : KCODE;
	g.seg[TDM_SEG_SS].selector = cpl ? UDATA : KDATA;
	g.seg[TDM_SEG_DS] = g.seg[TDM_SEG_ES] = g.seg[TDM_SEG_SS];
	FLAGS = 0x202;
}

static unsigned int cpl(void)
{
	return (g.seg[TDM_SEG_SS].ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;
}

static void segment_checks(void)
{
	start(TDM_MODE_PROT32, 0);
	/* null: loads, but cannot be used; SS never */
	GPR(RAX) = 3;
	CHECK_EQ(RUN(0x8e, 0xd8), TDM_EMUL_DONE);
	CHECK(faulted(RUN(0xa0, 0x00, 0x20, 0x00, 0x00), 13, 0));
	CHECK(faulted(RUN(0x8e, 0xd0), 13, 0));
	/* SS of another level, not writable, not present */
	GPR(RAX) = UDATA;
	CHECK(faulted(RUN(0x8e, 0xd0), 13, 0x20));
	GPR(RAX) = KCODE;
	CHECK(faulted(RUN(0x8e, 0xd0), 13, KCODE));
	poke(GDT + KDATA + 5, 0x12, 1);
	GPR(RAX) = KDATA;
	CHECK(faulted(RUN(0x8e, 0xd0), 12, KDATA));
	CHECK(faulted(RUN(0x8e, 0xd8), 11, KDATA));
	/* the accessed bit is set in memory, and only then */
	poke(GDT + KDATA + 5, 0x92, 1);
	CHECK_EQ(RUN(0x8e, 0xd8), TDM_EMUL_DONE);
	CHECK_EQ(peek(GDT + KDATA + 5, 1), 0x93);
	CHECK_EQ(g.seg[TDM_SEG_DS].ar, 0xc093);
	/* beyond the table */
	GPR(RAX) = 0x70;
	CHECK(faulted(RUN(0x8e, 0xd8), 13, 0x70));
	/* an LDT that is not there */
	GPR(RAX) = 0x0c;
	CHECK(faulted(RUN(0x8e, 0xd8), 13, 0x0c));
	/* code segments are read-only; expand-down limits */
	CHECK(faulted(RUN(0x2e, 0xa2, 0x00, 0x20, 0x00, 0x00), 13, 0));
	g.seg[TDM_SEG_DS] = (struct tdm_segment) {
		.limit = 0x1fff, .ar = 0xc097,
	};
	CHECK(faulted(RUN(0xa0, 0xff, 0x1f, 0x00, 0x00), 13, 0));
	CHECK_EQ(RUN(0xa0, 0x00, 0x20, 0x00, 0x00), TDM_EMUL_DONE);
	CHECK(faulted(RUN(0xa1, 0xfd, 0xff, 0xff, 0xff), 13, 0));
}

static void call_gate32(void)
{
	start(TDM_MODE_PROT32, 3);
	gate(GDT + 0x50, KCODE, 0x1200, 0xec, 2, false);	/* two parameters */
	poke(STACK, 0x1111, 4);
	poke(STACK + 4, 0x2222, 4);
	CHECK_EQ(RUN(0x9a, 0, 0, 0, 0, GATE, 0), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1200);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, KCODE);
	CHECK_EQ(g.seg[TDM_SEG_SS].selector, KDATA);
	CHECK_EQ(cpl(), 0);
	CHECK_EQ(GPR(RSP), KSTACK - 24);
	CHECK_EQ(peek(KSTACK - 4, 4), UDATA);
	CHECK_EQ(peek(KSTACK - 8, 4), STACK);
	CHECK_EQ(peek(KSTACK - 12, 4), 0x2222);
	CHECK_EQ(peek(KSTACK - 16, 4), 0x1111);
	CHECK_EQ(peek(KSTACK - 20, 4), UCODE);
	CHECK_EQ(peek(KSTACK - 24, 4), CODE + 7);
	/* retf 8: back out; DS of level 0 is nulled, ES of level 3 stays */
	g.seg[TDM_SEG_DS].ar = 0xc093;
	memcpy(ram + 0x1200, (u8[]){ 0xca, 8, 0 }, 3);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, CODE + 7);
	CHECK_EQ(cpl(), 3);
	CHECK_EQ(GPR(RSP), STACK + 8);
	CHECK(g.seg[TDM_SEG_DS].ar & TDM_AR_UNUSABLE);
	CHECK_EQ(g.seg[TDM_SEG_ES].selector, UDATA);
	/* a stack that the TSS does not have, or that is too small */
	g.seg[TDM_SEG_TR].limit = 10;
	CHECK(faulted(RUN(0x9a, 0, 0, 0, 0, GATE, 0), 10, TSS_SEL));
	g.seg[TDM_SEG_TR].limit = 0x67;
	poke(TSS + 8, UDATA, 4);
	CHECK(faulted(RUN(0x9a, 0, 0, 0, 0, GATE, 0), 10, 0x20));
	poke(TSS + 8, 0, 4);
	CHECK(faulted(RUN(0x9a, 0, 0, 0, 0, GATE, 0), 10, 0));
	CHECK_EQ(GPR(RSP), STACK + 8);
	CHECK_EQ(cpl(), 3);
	/* a jump may not change the level */
	CHECK(faulted(RUN(0xea, 0, 0, 0, 0, GATE, 0), 13, KCODE));
	/* gate not present; privilege */
	gate(GDT + 0x50, KCODE, 0x1200, 0x6c, 0, false);
	CHECK(faulted(RUN(0x9a, 0, 0, 0, 0, GATE, 0), 11, 0x50));
	gate(GDT + 0x50, KCODE, 0x1200, 0x8c, 0, false);
	CHECK(faulted(RUN(0x9a, 0, 0, 0, 0, GATE, 0), 13, 0x50));
	/* conforming code runs at the caller's level */
	CHECK_EQ(RUN(0xea, 0x40, 0, 0, 0, CONF, 0), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, CONF | 3);
	CHECK_EQ(cpl(), 3);
	/* tasks are beyond us */
	start(TDM_MODE_PROT32, 0);
	CHECK_EQ(RUN(0xea, 0, 0, 0, 0, TSS_SEL, 0), TDM_EMUL_UNHANDLED);
}

static void call_gate64(void)
{
	start(TDM_MODE_LONG64, 3);
	poke(0x2000, 0, 4);
	poke(0x2004, GATE, 2);
	GPR(RBX) = 0x2000;
	CHECK_EQ(RUN(0xff, 0x1b), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1200);
	CHECK_EQ(cpl(), 0);
	CHECK_EQ(g.seg[TDM_SEG_SS].selector, 0);
	CHECK_EQ(peek(KSTACK - 8, 8), UDATA);
	CHECK_EQ(peek(KSTACK - 16, 8), STACK);
	CHECK_EQ(peek(KSTACK - 24, 8), UCODE);
	CHECK_EQ(peek(KSTACK - 32, 8), CODE + 2);
	memcpy(ram + 0x1200, (u8[]){ 0x48, 0xcb }, 2);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(cpl(), 3);
	CHECK_EQ(GPR(RSP), STACK);
	/* not-present code, and the upper half's type */
	gate(GDT + 0x50, NPCODE, 0x1200, 0xec, 0, true);
	CHECK(faulted(RUN(0xff, 0x1b), 11, NPCODE));
	gate(GDT + 0x50, KCODE, 0x1200, 0xec, 0, true);
	poke(GDT + 0x5d, 0x1f, 1);
	CHECK(faulted(RUN(0xff, 0x1b), 13, 0x50));
}

static int deliver(u8 vector, u8 type, bool has_error, u32 error, u8 len)
{
	struct tdm_emul_event ev = {
		.vector = vector, .type = type, .has_error = has_error,
		.error = error, .insn_len = len,
	};

	return tdm_emul_deliver(&g.c, &ev);
}

static void events32(void)
{
	start(TDM_MODE_PROT32, 3);
	gate(IDT + 14 * 8, KCODE, 0x1300, 0x8e, 0, false);
	gate(IDT + 3 * 8, KCODE, 0x1310, 0xef, 0, false);
	RIP = CODE;
	CHECK_EQ(deliver(14, TDM_EMUL_EXC, true, 0xabc, 0), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1300);
	CHECK_EQ(cpl(), 0);
	CHECK_EQ(FLAGS, 2);			/* interrupt gate: IF off */
	CHECK_EQ(GPR(RSP), KSTACK - 24);
	CHECK_EQ(peek(KSTACK - 4, 4), UDATA);
	CHECK_EQ(peek(KSTACK - 8, 4), STACK);
	CHECK_EQ(peek(KSTACK - 12, 4), 0x202);
	CHECK_EQ(peek(KSTACK - 16, 4), UCODE);
	CHECK_EQ(peek(KSTACK - 20, 4), CODE);
	CHECK_EQ(peek(KSTACK - 24, 4), 0xabc);
	/* from level 0 to level 0: same stack, trap gate keeps IF */
	FLAGS = 0x202;
	CHECK_EQ(deliver(3, TDM_EMUL_SOFT_EXC, false, 0, 1), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RSP), KSTACK - 36);
	CHECK_EQ(peek(KSTACK - 36, 4), 0x1301);
	CHECK_EQ(FLAGS, 0x202);
	/* add esp, 4 is the handler's; iret twice leads back out */
	memcpy(ram + 0x1310, (u8[]){ 0xcf }, 1);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1301);
	GPR(RSP) += 4;
	memcpy(ram + 0x1301, (u8[]){ 0xcf }, 1);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, CODE);
	CHECK_EQ(cpl(), 3);
	CHECK_EQ(GPR(RSP), STACK);
	/* INT n needs a gate it may use; exceptions do not care */
	CHECK_EQ(deliver(14, TDM_EMUL_SOFT_INT, false, 0, 2), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.error, 14 * 8 + 2);
	CHECK_EQ(g.c.event.vector, 13);
	/* beyond the IDT, and an empty entry; EXT is set for hardware events */
	CHECK_EQ(deliver(0x60, TDM_EMUL_EXT_INT, false, 0, 0), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.error, 0x60 * 8 + 3);
	CHECK_EQ(deliver(0x20, TDM_EMUL_EXT_INT, false, 0, 0), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.error, 0x20 * 8 + 3);
	CHECK_EQ(GPR(RSP), STACK);
}

static void events64(void)
{
	start(TDM_MODE_LONG64, 3);
	gate(IDT + 14 * 16, KCODE, 0x1300, 0x8e, 0, true);
	gate(IDT + 8 * 16, KCODE, 0xffffffff80001310ull, 0x8e, 1, true);
	RIP = CODE;
	CHECK_EQ(deliver(14, TDM_EMUL_EXC, true, 7, 0), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RSP), KSTACK - 48);
	CHECK_EQ(peek(KSTACK - 8, 8), UDATA);
	CHECK_EQ(peek(KSTACK - 48, 8), 7);
	CHECK_EQ(g.seg[TDM_SEG_SS].selector, 0);
	CHECK_EQ(cpl(), 0);
	/* IST even from level 0; the frame is aligned, SS and RSP always there */
	GPR(RSP) -= 4;
	CHECK_EQ(deliver(8, TDM_EMUL_EXC, true, 0, 0), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0xffffffff80001310ull);
	CHECK_EQ(GPR(RSP), IST1 - 48);
	CHECK_EQ(peek(IST1 - 16, 8), KSTACK - 52);
	CHECK_EQ(peek(IST1 - 40, 8), 0x1300);
	/* iretq */
	RIP = 0x1400;
	GPR(RSP) += 8;
	memcpy(ram + 0x1400, (u8[]){ 0x48, 0xcf }, 2);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1300);
	CHECK_EQ(GPR(RSP), KSTACK - 52);
	/* a stack that is not canonical */
	start(TDM_MODE_LONG64, 3);
	gate(IDT + 14 * 16, KCODE, 0x1300, 0x8e, 0, true);
	poke(TSS + 4, 0x8000000000000000ull, 8);
	CHECK_EQ(deliver(14, TDM_EMUL_EXC, true, 7, 0), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.vector, 12);
	CHECK_EQ(cpl(), 3);
}

static void to_vm86_and_back(void)
{
	unsigned int i;
	static const u32 frame[] = {
		0x1234, 0x0010, 0x23202, 0x4000, 0x0020, 0x0030, 0x0040, 0x0050, 0x0060,
	};

	start(TDM_MODE_PROT32, 0);
	for (i = 0; i < ARRAY_SIZE(frame); i++)
		poke(STACK + 4 * i, frame[i], 4);
	CHECK_EQ(RUN(0xcf), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1234);
	CHECK_EQ(g.seg[TDM_SEG_CS].base, 0x100);
	CHECK_EQ(g.seg[TDM_SEG_SS].base, 0x200);
	CHECK_EQ(g.seg[TDM_SEG_GS].base, 0x600);
	CHECK_EQ(g.seg[TDM_SEG_DS].ar, 0xf3);
	CHECK_EQ(GPR(RSP), 0x4000);
	CHECK(FLAGS & X86_EFLAGS_VM);
	gate(IDT + 13 * 8, KCODE, 0x1300, 0x8e, 0, false);
	CHECK_EQ(deliver(13, TDM_EMUL_EXC, true, 0, 0), TDM_EMUL_DONE);
	CHECK(!(FLAGS & X86_EFLAGS_VM));
	CHECK_EQ(cpl(), 0);
	CHECK_EQ(GPR(RSP), KSTACK - 40);
	CHECK_EQ(peek(KSTACK - 4, 4), 0x60);	/* GS, FS, DS, ES, SS, ESP */
	CHECK_EQ(peek(KSTACK - 20, 4), 0x20);
	CHECK_EQ(peek(KSTACK - 24, 4), 0x4000);
	CHECK_EQ(peek(KSTACK - 28, 4), 0x23202);
	CHECK(g.seg[TDM_SEG_DS].ar & TDM_AR_UNUSABLE);
}

static void fast_calls(void)
{
	start(TDM_MODE_LONG64, 3);
	g.star = 0x0023000800000000ull;
	g.lstar = 0xffffffff81000000ull;
	g.fmask = 0x47700;
	FLAGS = 0x10202 | X86_EFLAGS_DF;
	CHECK_EQ(RUN(0x0f, 0x05), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0xffffffff81000000ull);
	CHECK_EQ(GPR(RCX), CODE + 2);
	CHECK_EQ(GPR(R11), 0x602);
	CHECK_EQ(FLAGS, 2);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, 8);
	CHECK_EQ(g.seg[TDM_SEG_CS].ar, 0xa09b);
	CHECK_EQ(g.seg[TDM_SEG_SS].ar, 0xc093);
	/* sysretq, and to a bad address */
	GPR(RCX) = 0x800000000000ull;
	CHECK(faulted(RUN(0x48, 0x0f, 0x07), 13, 0));
	GPR(RCX) = CODE;
	GPR(R11) = 0x30202;
	CHECK_EQ(RUN(0x48, 0x0f, 0x07), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, 0x33);
	CHECK_EQ(g.seg[TDM_SEG_SS].selector, 0x2b);
	CHECK_EQ(cpl(), 3);
	CHECK_EQ(FLAGS, 0x202);
	CHECK(faulted(RUN(0x48, 0x0f, 0x07), 13, 0));
	g.c.efer &= ~1ull;
	CHECK(faulted(RUN(0x0f, 0x05), 6, 0));
	/* sysenter and sysexit */
	start(TDM_MODE_PROT32, 3);
	CHECK(faulted(RUN(0x0f, 0x34), 13, 0));
	g.sysenter_cs = 0x08;
	g.sysenter_esp = 0x7000;
	g.sysenter_eip = 0x1500;
	CHECK_EQ(RUN(0x0f, 0x34), TDM_EMUL_DONE);
	CHECK_EQ(RIP, 0x1500);
	CHECK_EQ(GPR(RSP), 0x7000);
	CHECK_EQ(g.seg[TDM_SEG_SS].selector, 0x10);
	CHECK_EQ(cpl(), 0);
	CHECK_EQ(FLAGS, 2);
	GPR(RDX) = CODE;
	GPR(RCX) = STACK;
	CHECK_EQ(RUN(0x0f, 0x35), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_CS].selector, 0x1b);
	CHECK_EQ(GPR(RSP), STACK);
	CHECK_EQ(cpl(), 3);
}

static void system_segments(void)
{
	start(TDM_MODE_LONG64, 0);
	GPR(RAX) = TSS_SEL;
	CHECK_EQ(RUN(0x0f, 0x00, 0xd8), TDM_EMUL_DONE);		/* ltr */
	CHECK_EQ(peek(GDT + TSS_SEL + 5, 1), 0x8b);
	CHECK_EQ(g.seg[TDM_SEG_TR].ar, 0x8b);
	CHECK(faulted(RUN(0x0f, 0x00, 0xd8), 13, TSS_SEL));	/* busy now */
	GPR(RAX) = LDT_SEL;
	CHECK_EQ(RUN(0x0f, 0x00, 0xd0), TDM_EMUL_DONE);		/* lldt */
	CHECK_EQ(g.seg[TDM_SEG_LDTR].base, 0x300);
	CHECK(faulted(RUN(0x0f, 0x00, 0xd8), 13, LDT_SEL));
	poke(GDT + LDT_SEL + 8, 0x8000, 4);			/* base not canonical */
	CHECK(faulted(RUN(0x0f, 0x00, 0xd0), 13, LDT_SEL));
	GPR(RAX) = 0;
	CHECK_EQ(RUN(0x0f, 0x00, 0xd0), TDM_EMUL_DONE);
	CHECK(g.seg[TDM_SEG_LDTR].ar & TDM_AR_UNUSABLE);
	CHECK(faulted(RUN(0x0f, 0x00, 0xd8), 13, 0));
	/* lar and lsl of system descriptors */
	GPR(RAX) = TSS_SEL;
	CHECK_EQ(RUN(0x0f, 0x02, 0xd0), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RDX), 0x8b00);
	CHECK_EQ(RUN(0x0f, 0x03, 0xd0), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RDX), 0x67);
	GPR(RAX) = GATE;
	CHECK_EQ(RUN(0x0f, 0x03, 0xd0), TDM_EMUL_DONE);		/* gates have none */
	CHECK(!(FLAGS & X86_EFLAGS_ZF));
	/* sgdt, sidt, str, sldt, smsw and UMIP */
	GPR(RBX) = 0x2000;
	CHECK_EQ(RUN(0x0f, 0x01, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(peek(0x2000, 2), g.gdt.limit);
	CHECK_EQ(peek(0x2002, 8), g.gdt.base);
	start(TDM_MODE_LONG64, 3);
	GPR(RBX) = 0x2000;
	CHECK_EQ(RUN(0x0f, 0x00, 0xc8), TDM_EMUL_DONE);		/* str eax */
	CHECK_EQ(GPR(RAX), TSS_SEL);
	g.c.cr4 |= X86_CR4_UMIP;
	CHECK(faulted(RUN(0x0f, 0x00, 0xc8), 13, 0));
	CHECK(faulted(RUN(0x0f, 0x01, 0x03), 13, 0));
	CHECK(faulted(RUN(0x0f, 0x01, 0xe0), 13, 0));
	CHECK(faulted(RUN(0x0f, 0x01, 0x13), 13, 0));		/* lgdt */
	/* lidt of a non-canonical base */
	start(TDM_MODE_LONG64, 0);
	GPR(RBX) = 0x2000;
	poke(0x2002, 0x1234000000000000ull, 8);
	CHECK(faulted(RUN(0x0f, 0x01, 0x1b), 13, 0));
}

static void control_and_debug(void)
{
	start(TDM_MODE_LONG64, 0);
	g.cr[2] = 0x1122334455667788ull;
	CHECK_EQ(RUN(0x0f, 0x20, 0xd0), TDM_EMUL_DONE);		/* mov rax, cr2 */
	CHECK_EQ(GPR(RAX), g.cr[2]);
	CHECK_EQ(RUN(0x44, 0x0f, 0x22, 0xc0), TDM_EMUL_DONE);	/* mov cr8, rax */
	CHECK_EQ(g.cr[8], GPR(RAX));
	CHECK(faulted(RUN(0x0f, 0x20, 0xc8), 6, 0));		/* cr1 */
	g.c.cr0 = g.cr[0] |= X86_CR0_TS;
	CHECK_EQ(RUN(0x0f, 0x06), TDM_EMUL_DONE);		/* clts */
	CHECK(!(g.cr[0] & X86_CR0_TS));
	/* dr4 is dr6 without CR4.DE; general detect */
	g.dr[6] = 0xffff0ff0;
	CHECK_EQ(RUN(0x0f, 0x21, 0xe0), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0xffff0ff0);
	g.c.cr4 |= X86_CR4_DE;
	CHECK(faulted(RUN(0x0f, 0x21, 0xe0), 6, 0));
	GPR(RAX) = 0x100000000ull;
	CHECK(faulted(RUN(0x0f, 0x23, 0xf8), 13, 0));
	g.dr[7] = 0x2000;
	CHECK_EQ(RUN(0x0f, 0x21, 0xc0), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.vector, 1);
	CHECK_EQ(g.c.event.address, 0x2000);
	/* TSC, CPUID, MSRs */
	g.tsc = 0x1234567890ull;
	CHECK_EQ(RUN(0x0f, 0x31), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RDX), 0x12);
	CHECK_EQ(GPR(RAX), 0x34567890);
	g.tsc_aux = 77;
	CHECK_EQ(RUN(0x0f, 0x01, 0xf9), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 77);
	GPR(RCX) = 0xc0000082;
	GPR(RAX) = 0x55667788;
	GPR(RDX) = 0x11223344;
	CHECK_EQ(RUN(0x0f, 0x30), TDM_EMUL_DONE);
	CHECK_EQ(g.lstar, 0x1122334455667788ull);
	GPR(RCX) = 0x12345;
	CHECK(faulted(RUN(0x0f, 0x32), 13, 0));
	CHECK(faulted(RUN(0x0f, 0x30), 13, 0));
	CHECK_EQ(RUN(0x0f, 0x01, 0x3b), TDM_EMUL_DONE);		/* invlpg [rbx] */
	CHECK_EQ(g.invlpg, GPR(RBX));
	CHECK_EQ(RUN(0x0f, 0x09), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_invd, 1);
}

static void privilege(void)
{
	start(TDM_MODE_LONG64, 3);
	CHECK(faulted(RUN(0x0f, 0x20, 0xd0), 13, 0));		/* mov rax, cr2 */
	CHECK(faulted(RUN(0x0f, 0x21, 0xc0), 13, 0));		/* mov rax, dr0 */
	CHECK(faulted(RUN(0x0f, 0x32), 13, 0));			/* rdmsr */
	CHECK(faulted(RUN(0x0f, 0x01, 0x3b), 13, 0));		/* invlpg */
	CHECK(faulted(RUN(0x0f, 0x01, 0xf8), 13, 0));		/* swapgs */
	CHECK(faulted(RUN(0x0f, 0x01, 0xcb), 6, 0));		/* stac */
	CHECK(faulted(RUN(0x0f, 0x01, 0xd1), 13, 0));		/* xsetbv */
	CHECK(faulted(RUN(0xf4), 13, 0));
	CHECK_EQ(RUN(0x0f, 0x31), TDM_EMUL_DONE);
	g.c.cr4 |= X86_CR4_TSD;
	CHECK(faulted(RUN(0x0f, 0x31), 13, 0));
	CHECK(faulted(RUN(0x0f, 0x01, 0xf9), 13, 0));
	/* wrfsbase, rdgsbase; fs: goes there */
	GPR(RAX) = 0x2000;
	CHECK_EQ(RUN(0xf3, 0x48, 0x0f, 0xae, 0xd0), TDM_EMUL_DONE);
	CHECK_EQ(g.seg[TDM_SEG_FS].base, 0x2000);
	poke(0x2040, 0x99, 1);
	GPR(RBX) = 0x40;
	CHECK_EQ(RUN(0x64, 0x8a, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x2099);
	GPR(RAX) = 0x8000000000000000ull;
	CHECK(faulted(RUN(0xf3, 0x48, 0x0f, 0xae, 0xd0), 13, 0));
	g.c.cr4 &= ~(u64)X86_CR4_FSGSBASE;
	CHECK(faulted(RUN(0xf3, 0x48, 0x0f, 0xae, 0xd0), 6, 0));
	/* swapgs */
	start(TDM_MODE_LONG64, 0);
	g.kernel_gs = 0x1234;
	g.seg[TDM_SEG_GS].base = 0x5678;
	CHECK_EQ(RUN(0x0f, 0x01, 0xf8), TDM_EMUL_DONE);
	CHECK_EQ(g.kernel_gs, 0x5678);
	CHECK_EQ(g.seg[TDM_SEG_GS].base, 0x1234);
	CHECK_EQ(RUN(0x0f, 0x01, 0xcb), TDM_EMUL_DONE);		/* stac */
	CHECK(FLAGS & X86_EFLAGS_AC);
	GPR(RCX) = GPR(RDX) = 0;
	GPR(RAX) = 3;
	CHECK_EQ(RUN(0x0f, 0x01, 0xd1), TDM_EMUL_DONE);
	CHECK_EQ(g.xcr0, 3);
}

static void features_and_units(void)
{
	start(TDM_MODE_LONG64, 3);
	GPR(RBX) = 0x2000;
	poke(0x2000, 0x100, 8);
	/* lzcnt and tzcnt without the feature are bsr and bsf */
	g.c.features = 0;
	CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 8);
	CHECK(faulted(RUN(0xf3, 0x0f, 0xb8, 0x03), 6, 0));	/* popcnt */
	CHECK(faulted(RUN(0x0f, 0x38, 0xf0, 0x03), 6, 0));	/* movbe */
	CHECK(faulted(RUN(0xc5, 0xfe, 0x6f, 0x03), 6, 0));	/* vmovdqu */
	g.c.features = ~0ull & ~TDM_EMUL_F_AMD;
	CHECK_EQ(RUN(0xf3, 0x0f, 0xbd, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 31 - 8);
	CHECK_EQ(RUN(0xc5, 0xfe, 0x6f, 0x03), TDM_EMUL_DONE);
	/* task switched, emulation, OSFXSR, XCR0 */
	g.c.cr0 |= X86_CR0_TS;
	CHECK(faulted(RUN(0x0f, 0x10, 0x03), 7, 0));
	CHECK(faulted(RUN(0xc5, 0xfe, 0x6f, 0x03), 7, 0));
	g.c.cr0 |= X86_CR0_EM;
	CHECK(faulted(RUN(0x0f, 0x10, 0x03), 6, 0));
	g.c.cr0 &= ~(u64)(X86_CR0_TS | X86_CR0_EM);
	g.xcr0 = 1;
	CHECK(faulted(RUN(0xc5, 0xfe, 0x6f, 0x03), 6, 0));
	g.c.cr4 &= ~(u64)X86_CR4_OSFXSR;
	CHECK(faulted(RUN(0x0f, 0x10, 0x03), 6, 0));
	CHECK_EQ(RUN(0x0f, 0x6f, 0x03), TDM_EMUL_DONE);		/* movq mm0 */
	CHECK_EQ(g.mmx[0], 0x100);
	/* VMX instructions are undefined, x87 and SSE arithmetic unhandled */
	CHECK(faulted(RUN(0x0f, 0x01, 0xc4), 6, 0));		/* vmxoff */
	CHECK_EQ(RUN(0xde, 0xc1), TDM_EMUL_UNHANDLED);
	CHECK_EQ(RUN(0x0f, 0x58, 0xc1), TDM_EMUL_UNHANDLED);
	/* user accesses to supervisor pages; supervisor ones to any */
	g.region[0].flags = REGION_SUPER;
	RIP = CODE;
	CHECK(faulted(guest_step(&g), 14, 0x15));
}

static const struct emul_case cases[] = {
	{ "segment loads and limits at level 0", segment_checks },
	{ "call gates in 32-bit mode", call_gate32 },
	{ "call gates in long mode", call_gate64 },
	{ "event delivery in 32-bit mode, IRET", events32 },
	{ "event delivery in long mode, IST, IRETQ", events64 },
	{ "into virtual-8086 mode and back", to_vm86_and_back },
	{ "SYSCALL, SYSRET, SYSENTER, SYSEXIT", fast_calls },
	{ "LTR, LLDT, LAR, LSL, SGDT, UMIP", system_segments },
	{ "control and debug registers, MSRs, TSC", control_and_debug },
	{ "privilege, FSGSBASE, SWAPGS, XSETBV", privilege },
	{ "CPUID features and vector unit state", features_and_units },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
