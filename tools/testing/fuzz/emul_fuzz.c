// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the emulator on any bytes, in any mode, with any state.
 *
 * Two guests get the same input; one's devices answer in the kernel, the other's
 * by exits to userspace. The first has the cache of decoded instructions, full of
 * what earlier inputs left there. Whatever the bytes are:
 *  - nothing crashes, overflows or runs for ever (sanitizers, the ops' aborts);
 *  - both guests end every step alike, with the same device accesses;
 *  - a step that is not DONE leaves registers and segments alone, but for the
 *    string registers of a REP instruction.
 *
 * With clang this is a libFuzzer target (make -C tools/testing/fuzz emul). Built
 * with FUZZ_MAIN it feeds itself random inputs: emul_fuzz [-n RUNS] [-s SEED]
 * [FILE...]
 */
#include <asm/processor-flags.h>
#include <stdio.h>

#include "tools/testing/unit/emul_guest.h"

#define RAM_LEN		0x8000u
#define DEVICE		0x8000u
#define STEPS		8

/**
 * struct input - how the fuzzer's bytes are read; missing ones are 0
 * @shape: mode, CPL and other choices
 * @cr4_bits: chosen bits of CR4
 * @regs: general registers; small ones are brought near memory
 * @rflags: flags
 * @features: TDM_EMUL_F_*
 * @event: an event to deliver first, sometimes
 * @seg: raw segment registers, used sometimes
 * @code: put at 0x1000
 * @tables: put at 0, where GDT and IDT are
 * @data: fills memory from 0x2000
 */
struct input {
	u8 shape[8];
	u32 cr4_bits;
	u64 regs[16];
	u64 rflags;
	u64 features;
	u8 event[8];
	struct { u32 base, limit; u16 ar, sel; } seg[TDM_NR_SEGS];
	u8 code[128];
	u8 tables[512];
	u8 data[512];
};

static struct input in;
static struct guest a, b;
static u8 ram_a[RAM_LEN], ram_b[RAM_LEN];

static void print_journal(const struct guest *g)
{
	unsigned int i;

	for (i = 0; i < g->nr_journal; i++)
		fprintf(stderr, "kind %d addr %llx data %llx count %d size %d\n",
			g->journal[i].kind, g->journal[i].addr,
			g->journal[i].data, g->journal[i].count, g->journal[i].size);
}

static void fail(const char *what)
{
	unsigned int i;

	fprintf(stderr, "device accesses without and with exits:\n");
	print_journal(&a);
	print_journal(&b);

	fprintf(stderr, "emul_fuzz: %s: mode %d", what, a.c.insn->mode);
	for (i = 0; i < a.c.insn->len; i++)
		fprintf(stderr, " %02x", a.c.insn->bytes[i]);
	fprintf(stderr, " (%s)\n", tdm_insn_name(a.c.insn));
	abort();
}

static void set_segments(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_SEGS; i++) {
		/* CS only now and then, or nothing would ever run. */
		if (!(in.shape[2] >> i & 1) || (i == TDM_SEG_CS && in.shape[3] % 8))
			continue;
		g->seg[i].base = in.seg[i].base;
		g->seg[i].limit = in.seg[i].limit;
		g->seg[i].ar = (in.seg[i].ar & 0xf0ffu) |
			       (in.seg[i].sel & 0x8000 ? TDM_AR_UNUSABLE : 0);
		g->seg[i].selector = in.seg[i].sel;
	}
}

static void setup(struct guest *g, u8 *ram, bool exit_io)
{
	unsigned int i, mode = in.shape[0] % 5;

	memset(ram, 0, RAM_LEN);
	memcpy(ram, in.tables, sizeof(in.tables));
	for (i = 0x2000; i < RAM_LEN; i += sizeof(in.data))
		memcpy(ram + i, in.data, sizeof(in.data));
	memcpy(ram + 0x1000, in.code, sizeof(in.code));
	guest_init(g);
	g->c.lines = exit_io ? NULL : g->lines;
	guest_region(g, 0, RAM_LEN, 0, ram);
	guest_region(g, DEVICE, 0x2000, REGION_DEVICE, NULL);
	guest_region(g, 0xffff8000, 0x8000, 0, ram);
	guest_region(g, 0xffffffffffff8000, 0x8000, 0, ram);
	if (mode < 2)
		guest_real_mode(g);
	else
		guest_flat(g, mode - 1, in.shape[1] & 3);
	set_segments(g);
	g->gdt = (struct tdm_table) { .base = 0, .limit = 0x1ff };
	g->idt = (struct tdm_table) { .base = 0x80, .limit = in.shape[4] * 4 };
	g->c.cr4 ^= in.cr4_bits & ~(u32)X86_CR4_LA57;
	if (mode > 1 && (in.shape[5] & 1))
		g->c.efer = 0xd01;	/* compatibility mode */
	g->c.cr0 |= in.shape[5] & 0x2e ? X86_CR0_AM : 0;
	g->c.features = in.features;
	memcpy(g->regs.gpr, in.regs, sizeof(in.regs));
	for (i = 0; i < TDM_NR_GPRS; i++)
		if (in.regs[i] & 1)
			g->regs.gpr[i] = in.regs[i] >> 8 & 0xffff;
	g->regs.rflags = (in.rflags & 0x3f7fd5) | 2;
	if (mode < 2)
		g->regs.rflags &= ~(u64)X86_EFLAGS_VM;
	if (mode == 4)
		g->regs.rflags &= ~(u64)X86_EFLAGS_VM;
	g->regs.rip = 0x1000;
	g->c.int_shadow = in.shape[6] & 3;
	g->star = 0x0013000800001100ull;
	g->lstar = 0x1100;
	g->sysenter_cs = 8;
	g->sysenter_eip = 0x1100;
	g->next_data = in.regs[0];
	g->irq = in.shape[7] & 1;
	g->exit_io = exit_io;
}

static bool same_regs(const struct tdm_regs *x, const struct tdm_regs *y)
{
	return !memcmp(x, y, sizeof(*x));
}

static bool same_journal(void)
{
	unsigned int i;

	if (a.nr_journal != b.nr_journal)
		return false;
	for (i = 0; i < a.nr_journal; i++)
		if (a.journal[i].addr != b.journal[i].addr ||
		    a.journal[i].data != b.journal[i].data ||
		    a.journal[i].count != b.journal[i].count ||
		    a.journal[i].size != b.journal[i].size ||
		    a.journal[i].kind != b.journal[i].kind)
			return false;
	return true;
}

static void compare(int rc_a, int rc_b)
{
	if (rc_a != rc_b)
		fail("results differ");
	if (!same_regs(&a.regs, &b.regs))
		fail("registers differ");
	if (memcmp(a.seg, b.seg, sizeof(a.seg)))
		fail("segments differ");
	if (memcmp(a.vec, b.vec, sizeof(a.vec)))
		fail("vector registers differ");
	if (memcmp(ram_a, ram_b, RAM_LEN))
		fail("memory differs");
	if (!same_journal())
		fail("device accesses differ");
	if (rc_a == TDM_EMUL_FAULT && a.c.event.vector > 31 &&
	    a.c.event.type == TDM_EMUL_EXC)
		fail("no such exception");
}

/* A step that was not DONE: what may have changed? */
static void check_untouched(const struct tdm_regs *before,
			    const struct tdm_segment *segs)
{
	static const u8 strings[] = { TDM_RCX, TDM_RSI, TDM_RDI, TDM_RAX };
	struct tdm_regs now = a.regs;
	unsigned int i;

	if (memcmp(segs, a.seg, sizeof(a.seg)))
		fail("segments changed");
	if (a.c.insn->prefixes & (TDM_PFX_REPE | TDM_PFX_REPNE)) {
		for (i = 0; i < ARRAY_SIZE(strings); i++)
			now.gpr[strings[i]] = before->gpr[strings[i]];
		now.rflags ^= (now.rflags ^ before->rflags) & 0x8d5;
	}
	if (!same_regs(&now, before))
		fail("registers changed");
}

static void refresh(struct guest *g)
{
	g->c.cr0 = g->cr[0] | (g->c.cr0 & X86_CR0_AM);
}

static void deliver(void)
{
	struct tdm_emul_event ev = {
		.vector = in.event[0], .type = in.event[1] % 5,
		.has_error = in.event[2] & 1, .error = in.event[3],
		.insn_len = in.event[4] % 16,
	};
	int rc_a, rc_b;

	/* Without exits: an event is not restarted through userspace here. */
	b.exit_io = false;
	rc_a = tdm_emul_deliver(&a.c, &ev);
	rc_b = tdm_emul_deliver(&b.c, &ev);
	b.exit_io = true;
	compare(rc_a, rc_b);
}

static void one_input(void)
{
	struct tdm_segment segs[TDM_NR_SEGS];
	struct tdm_regs before;
	unsigned int i;
	int rc_a, rc_b;

	setup(&a, ram_a, false);
	setup(&b, ram_b, true);
	if (in.event[7] & 1)
		deliver();
	for (i = 0; i < STEPS; i++) {
		before = a.regs;
		memcpy(segs, a.seg, sizeof(segs));
		a.nr_journal = b.nr_journal = 0;
		rc_a = guest_step(&a);
		rc_b = guest_step(&b);
		compare(rc_a, rc_b);
		if (rc_a != TDM_EMUL_DONE) {
			check_untouched(&before, segs);
			return;
		}
		refresh(&a);
		refresh(&b);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	memset(&in, 0, sizeof(in));
	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	one_input();
	return 0;
}

#ifdef FUZZ_MAIN

static u64 rng = 88172645463325252ull;

static u64 rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull >> 11;
}

/* Mostly plausible descriptors, so that segment loads get somewhere. */
static void random_tables(void)
{
	static const u8 rights[] = {
		0x92, 0x93, 0xf2, 0xf3, 0x9a, 0x9b, 0xfa, 0xfb, 0x9e, 0xb2, 0x96,
		0x82, 0x89, 0x8b, 0x8c, 0xec, 0x8e, 0xee, 0x8f, 0x84, 0x85, 0x12,
	};
	unsigned int i;

	for (i = 0; i + 8 <= sizeof(in.tables); i += 8) {
		u8 *d = in.tables + i;

		if (rnd() % 4 == 0)
			continue;
		memset(d, 0, 8);
		d[0] = rnd();
		d[1] = rnd() % 2 ? 0xff : rnd();
		d[2] = (rnd() % 32) * 8 + rnd() % 4;
		d[5] = rights[rnd() % ARRAY_SIZE(rights)];
		d[6] = rnd() % 2 ? 0xcf : rnd() % 2 ? 0xaf : rnd();
	}
}

static void random_input(void)
{
	static const u8 likely_opcodes[] = {
		0xcf, 0xcb, 0xca, 0x9a, 0xea, 0xff, 0x8e, 0xcd, 0xa4, 0xa5, 0xab,
		0x6c, 0x6d, 0x6e, 0x6f, 0xc4, 0xc5, 0x0f, 0xf3, 0x07, 0x1f, 0xc8,
	};
	u8 *p = (u8 *)&in;
	unsigned int i;

	for (i = 0; i < sizeof(in); i++)
		p[i] = rnd();
	for (i = 0; i < sizeof(in.code); i += 8)
		if (rnd() % 3 == 0)
			in.code[i] = likely_opcodes[rnd() % ARRAY_SIZE(likely_opcodes)];
	if (rnd() % 4)
		random_tables();
	if (rnd() % 2)
		in.shape[2] = 0;
	if (rnd() % 2)
		in.cr4_bits = 0;
	/* Stack contents that could be returned through. */
	for (i = 0; i < sizeof(in.data); i += 4)
		if (rnd() % 2)
			in.data[i + 1] = 0, in.data[i] = (rnd() % 64) * 8 + rnd() % 4;
}

int main(int argc, char **argv)
{
	unsigned long runs = 100000, i;
	int arg;

	for (arg = 1; arg < argc; arg++) {
		FILE *f;

		if (!strcmp(argv[arg], "-n") && arg + 1 < argc) {
			runs = strtoul(argv[++arg], NULL, 0);
		} else if (!strcmp(argv[arg], "-s") && arg + 1 < argc) {
			rng += strtoul(argv[++arg], NULL, 0);
		} else {
			f = fopen(argv[arg], "rb");
			memset(&in, 0, sizeof(in));
			if (!f || !fread(&in, 1, sizeof(in), f))
				return 2;
			one_input();
			fclose(f);
			return 0;
		}
	}
	printf("KTAP version 1\n1..1\n");
	for (i = 0; i < runs; i++) {
		random_input();
		one_input();
	}
	printf("ok 1 emulator on %lu random states\n", runs);
	return 0;
}

#endif /* FUZZ_MAIN */
