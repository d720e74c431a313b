// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of decoded instructions: it must be found when it can be used, and
 * never be stale. Each case runs what it did before once more after something
 * changed that the cache is not told of.
 */
#include "emul_case.h"

static void fresh_cached(void)
{
	fresh();
	memset(g.lines, 0, sizeof(g.lines));
	g.c.lines = g.lines;
	guest_flat(&g, TDM_MODE_LONG64, 0);
}

/* How many instructions were decoded, not found, in running one. */
static u64 decoded(int rc)
{
	static u64 before;
	u64 n = g.c.nr_decoded - before;

	before = g.c.nr_decoded;
	CHECK_EQ(rc, TDM_EMUL_DONE);
	return n;
}

static int again(u64 rip)
{
	RIP = rip;
	return guest_step(&g);
}

static void found_again(void)
{
	fresh_cached();
	decoded(TDM_EMUL_DONE);
	GPR(RBX) = 0x3000;
	GPR(RAX) = 0x1234;
	CHECK_EQ(decoded(RUN(0x48, 0x89, 0x03)), 1);	/* mov %rax,(%rbx) */
	CHECK_EQ(peek(0x3000, 8), 0x1234);
	GPR(RBX) = 0x4000;
	GPR(RAX) = 0x5678;
	CHECK_EQ(decoded(again(CODE)), 0);
	CHECK_EQ(peek(0x4000, 8), 0x5678);
	CHECK_EQ(RIP, CODE + 3);
	/* without the cache */
	g.c.lines = NULL;
	CHECK_EQ(decoded(again(CODE)), 1);
	CHECK_EQ(decoded(again(CODE)), 1);
	/* and back */
	g.c.lines = g.lines;
	CHECK_EQ(decoded(again(CODE)), 0);
}

static void self_modifying(void)
{
	fresh_cached();
	GPR(RBX) = CODE + 3;
	GPR(RAX) = 0xc8;
	/* mov %al,(%rbx); add %ecx,%eax, which becomes add %ecx,%ecx... */
	CHECK_EQ(RUN(0x88, 0x03, 0x01, 0xc8), TDM_EMUL_DONE);
	GPR(RCX) = 5;
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0xcd);
	GPR(RAX) = 0xc9;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0xc9);
	CHECK_EQ(GPR(RCX), 10);
	/* the last byte of a long one */
	decoded(TDM_EMUL_DONE);
	CHECK_EQ(RUN(0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8), TDM_EMUL_DONE);
	poke(CODE + 9, 0x80, 1);
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x8007060504030201ull);
	/* bytes behind the instruction do not count */
	decoded(TDM_EMUL_DONE);
	poke(CODE + 10, 0xcc, 1);
	CHECK_EQ(decoded(again(CODE)), 0);
}

/* The linear page shows another physical one: a remap, or another CR3. */
static void remapped(void)
{
	static u8 other[4096];
	struct region *low;

	fresh_cached();
	memset(other, 0x90, sizeof(other));
	other[0] = 0xf9;				/* stc */
	CHECK_EQ(RUN(0xf8), TDM_EMUL_DONE);		/* clc */
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK(!(FLAGS & X86_EFLAGS_CF));
	low = &g.region[0];
	CHECK(low->base == 0 && low->mem == ram);
	low->mem = other - CODE;
	low->len = CODE + 4096;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK(FLAGS & X86_EFLAGS_CF);
	low->mem = ram;
	low->len = RAM_LEN;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK(!(FLAGS & X86_EFLAGS_CF));
	/* mapped no more */
	low->base = 0x4000;
	low->len = 0x1000;
	RIP = CODE;
	CHECK(faulted(guest_step(&g), 14, 16));
}

/* The same bytes in another mode. */
static void other_mode(void)
{
	fresh_cached();
	GPR(RAX) = 0x1111222233334444ull;
	GPR(RCX) = 1;
	CHECK_EQ(RUN(0x48, 0x01, 0xc8), TDM_EMUL_DONE);	/* add %rcx,%rax */
	CHECK_EQ(GPR(RAX), 0x1111222233334445ull);
	CHECK_EQ(RIP, CODE + 3);
	guest_flat(&g, TDM_MODE_PROT32, 0);
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);		/* dec %eax */
	CHECK_EQ(GPR(RAX), 0x33334444);
	CHECK_EQ(RIP, CODE + 1);
	guest_flat(&g, TDM_MODE_PROT16, 0);
	GPR(RAX) = 0x10000;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);		/* dec %ax */
	CHECK_EQ(GPR(RAX), 0x1ffff);
	guest_real_mode(&g);
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x1fffe);
	guest_flat(&g, TDM_MODE_LONG64, 3);
	GPR(RAX) = 7;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 8);
}

/* The same code, another privilege level, other features, other flags. */
static void other_state(void)
{
	fresh_cached();
	CHECK_EQ(RUN(0xfa), TDM_EMUL_DONE);		/* cli */
	guest_flat(&g, TDM_MODE_LONG64, 3);
	RIP = CODE;
	CHECK(faulted(guest_step(&g), 13, 0));
	guest_flat(&g, TDM_MODE_LONG64, 0);
	CHECK_EQ(RUN(0xf3, 0x0f, 0xb8, 0xc1), TDM_EMUL_DONE);	/* popcnt */
	g.c.features &= ~TDM_EMUL_F_POPCNT;
	RIP = CODE;
	CHECK_EQ(guest_step(&g), TDM_EMUL_FAULT);
	CHECK_EQ(g.c.event.vector, 6);
	/* a trap flag that was not there */
	GPR(RBX) = 0x3000;
	CHECK_EQ(RUN(0x89, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, 0);
	FLAGS |= X86_EFLAGS_TF | X86_EFLAGS_RF;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(g.c.trap_dr6, TDM_EMUL_DR6_BS);
	CHECK(!(FLAGS & X86_EFLAGS_RF));
	FLAGS &= ~(u64)X86_EFLAGS_TF;
	/* the end of an interrupt shadow */
	g.c.int_shadow = TDM_EMUL_SHADOW_STI;
	FLAGS |= X86_EFLAGS_RF;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(g.c.int_shadow, 0);
	CHECK(!(FLAGS & X86_EFLAGS_RF));
}

/* Moves take a short cut: what they meet on the way is as without it. */
static void short_cut(void)
{
	fresh_cached();
	GPR(RBX) = 0x3000;
	GPR(RAX) = 0x1122334455667788ull;
	CHECK_EQ(RUN(0x89, 0x43, 0x08), TDM_EMUL_DONE);	/* mov %eax,8(%rbx) */
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(peek(0x3008, 8), 0x55667788);
	GPR(RBX) = DEVICE - 8;				/* a device */
	g.nr_journal = 0;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 1);
	CHECK_EQ(g.journal[0].data, 0x55667788);
	GPR(RBX) = DEVICE - 8 - 2;			/* half a device */
	g.nr_journal = 0;
	CHECK_EQ(again(CODE), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 1);
	CHECK_EQ(g.journal[0].data, 0x5566);
	CHECK_EQ(peek(DEVICE - 2, 2), 0x7788);
	GPR(RBX) = READONLY - 8;			/* forbidden */
	RIP = CODE;
	CHECK(faulted(guest_step(&g), 14, 3));
	CHECK_EQ(g.c.event.address, READONLY);
	CHECK_EQ(RIP, CODE);
	GPR(RBX) = 0x8000000000000000ull;		/* not canonical */
	RIP = CODE;
	CHECK(faulted(guest_step(&g), 13, 0));
	/* mov (%rbx),%ecx clears the upper half, mov (%rbx),%cx does not */
	GPR(RBX) = 0x3008;
	GPR(RCX) = ~0ull;
	CHECK_EQ(RUN(0x66, 0x8b, 0x0b), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 0xffffffffffff7788ull);
	CHECK_EQ(RUN(0x8b, 0x0b), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 0x55667788);
	CHECK_EQ(RUN(0x0f, 0xb6, 0x0b), TDM_EMUL_DONE);	/* movzbl */
	CHECK_EQ(GPR(RCX), 0x88);
	CHECK_EQ(RUN(0xc7, 0x03, 1, 0, 0, 0x80), TDM_EMUL_DONE);
	CHECK_EQ(peek(0x3008, 8), 0x80000001);
}

/* Instructions that lie across two pages, and the second page changes. */
static void across_pages(void)
{
	static const u8 mov[] = { 0x48, 0xc7, 0xc0, 1, 2, 3, 4 };

	fresh_cached();
	memcpy(ram + 0x1ffc, mov, sizeof(mov));
	CHECK_EQ(again(0x1ffc), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x04030201);
	CHECK_EQ(again(0x1ffc), TDM_EMUL_DONE);
	poke(0x2002, 5, 1);
	CHECK_EQ(again(0x1ffc), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x05030201);
	/* the second page goes */
	g.region[0].len = 0x2000;
	RIP = 0x1ffc;
	CHECK(faulted(guest_step(&g), 14, 16));
	CHECK_EQ(g.c.event.address, 0x2000);
	g.region[0].len = RAM_LEN;
	CHECK_EQ(again(0x1ffc), TDM_EMUL_DONE);
	/* the segment ends within it */
	guest_flat(&g, TDM_MODE_PROT32, 0);
	memcpy(ram + 0x1ff8, mov + 1, sizeof(mov) - 1);
	CHECK_EQ(again(0x1ff8), TDM_EMUL_DONE);
	g.seg[TDM_SEG_CS].limit = 0x1ffb;
	RIP = 0x1ff8;
	CHECK(faulted(guest_step(&g), 13, 0));
}

static const struct emul_case cases[] = {
	{ "found again, or not when off", found_again },
	{ "self-modifying code", self_modifying },
	{ "a remapped code page, or another CR3", remapped },
	{ "the same bytes in another mode", other_mode },
	{ "the same code in another state", other_state },
	{ "moves by the short cut", short_cut },
	{ "instructions across pages", across_pages },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
