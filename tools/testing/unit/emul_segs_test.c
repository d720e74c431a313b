// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment loads and far transfers against the real processor: random selectors
 * (flat, LDT of every kind, the kernel's, null, absent) through MOV, POP, LDS,
 * far JMP, CALL and RET, IRET, LAR, LSL, VERR and VERW, in 64-, 32- and 16-bit
 * code at CPL 3. Selectors, registers, stack and faults with their error codes
 * must come out equal.
 *
 * usage: emul_segs_test [-n RUNS] [-s SEED]
 */
#include <asm/ldt.h>
#include <asm/processor-flags.h>
#include <getopt.h>

#include "emul_guest.h"
#include "emul_ktap.h"
#include "emul_native.h"

#define TABLES	0x40000000u	/* where the emulator's guest has its GDT and LDT */
#define LDT_AT	0x800u
#define NR_LDT	16

static u64 rng_state = 7;
static struct guest g;
static struct native_state in;
static enum native_mode mode;
static u8 mem[NATIVE_DATA_LEN], emul_mem[NATIVE_DATA_LEN];
static u8 code[16], emul_code[NATIVE_CODE_LEN];
static unsigned int code_len;
static u64 tables[512];
static unsigned int nr_done, nr_faults;

/* What Linux has in its GDT; the TSS's and LDT's bases do not matter here. */
static const u64 linux_gdt[16] = {
	[1] = 0x00cf9b000000ffff, [2] = 0x00af9b000000ffff,
	[3] = 0x00cf93000000ffff, [4] = 0x00cffb000000ffff,
	[5] = 0x00cff3000000ffff, [6] = 0x00affb000000ffff,
	[8] = 0x00008b0000002087, [10] = 0x000082000000007f,
	[15] = 0x0040f50000000000,
};

static const u16 selectors[] = {
	0x23, 0x2b, 0x33, 0x23, 0x2b, 0x33, 0x20, 0x28, 0x30, 0x22, 0x10, 0x18,
	0x13, 0x1b, 0x08, 0x0b, 0, 1, 2, 3, 0x40, 0x43, 0x50, 0x53, 0x60, 0x63,
	0x80, 0x83, 0xfffb, 0xffff, 4, 7,
};

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state * 0x2545f4914f6cdd1dull >> 16;
}

static u16 rnd_selector(void)
{
	if (rnd() % 2)
		return selectors[rnd() % ARRAY_SIZE(selectors)];
	return (rnd() % (NR_LDT + 1)) << 3 | 4 | (rnd() % 4 ? 3 : rnd() % 4);
}

/* An offset that some code segment of ours contains, or none. */
static u64 rnd_offset(void)
{
	static const u64 some[] = {
		0x40, NATIVE_CODE + 0x80, 0xfff, 0x1fff, 0x2000, 0x10040,
		0xffffffff, 0x100000040, 0x800000000040, 0xffff800000000000,
	};

	return some[rnd() % ARRAY_SIZE(some)];
}

static bool make_tables(void)
{
	static const struct { unsigned int limit, contents, bits; bool code; } d[] = {
		[3] = { 0xfff, 0, NATIVE_LDT_32, false },
		[4] = { 0xffff, 0, NATIVE_LDT_32 | NATIVE_LDT_RO, false },
		[5] = { 0xfff, 1, NATIVE_LDT_32, false },
		[6] = { 0xffff, 0, NATIVE_LDT_32 | NATIVE_LDT_NP, false },
		[7] = { 0x1fff, 2, NATIVE_LDT_32, true },
		[8] = { 0x1fff, 2, NATIVE_LDT_32 | NATIVE_LDT_RO, true },
		[9] = { 0xffff, 2, 0, true },
		[10] = { 0xffff, 2, NATIVE_LDT_32 | NATIVE_LDT_NP, true },
		[11] = { 0xf, 0, NATIVE_LDT_32 | NATIVE_LDT_PAGES, false },
		[13] = { 0xff, 3, NATIVE_LDT_32 | NATIVE_LDT_NP, true },
		[14] = { 0xff, 1, NATIVE_LDT_RO, false },
		[15] = { 0xfffff, 0, NATIVE_LDT_32 | NATIVE_LDT_PAGES, false },
	};
	u64 *ldt = tables + LDT_AT / 8;
	unsigned int i;

	memcpy(tables, linux_gdt, sizeof(linux_gdt));
	ldt[0] = native_ldt(0, NATIVE_CODE, 0xffff, 2, 0);
	ldt[1] = native_ldt(1, NATIVE_DATA, 0xffff, 0, 0);
	ldt[2] = native_ldt(2, NATIVE_DATA, 0xffff, 0, NATIVE_LDT_32);
	for (i = 3; i < ARRAY_SIZE(d); i++)
		if (d[i].limit)
			ldt[i] = native_ldt(i, d[i].code ? NATIVE_CODE : NATIVE_DATA,
					    d[i].limit, d[i].contents, d[i].bits);
	return ldt[0] && ldt[15];
}

static void emit(u8 b)
{
	code[code_len++] = b;
}

static void emit_n(u64 v, unsigned int n)
{
	memcpy(code + code_len, &v, n);
	code_len += n;
}

/* What offset 0 of the data pages is in this mode. */
static u64 data_offset(void)
{
	return mode == NATIVE_16 ? 0 : NATIVE_DATA;
}

static u8 *stack_top(void)
{
	return mem + (in.regs.gpr[TDM_RSP] - data_offset());
}

/* Emit the prefixes for an operand size; 0: it does not exist here. */
static unsigned int operand_size(bool rex)
{
	unsigned int r = rnd() % 3;

	if (mode == NATIVE_64) {
		if (r == 0) {
			emit(0x66);
			return 2;
		}
		if (r == 1 && rex) {
			emit(0x48);
			return 8;
		}
		return 4;
	}
	if (r == 0) {
		emit(0x66);
		return mode == NATIVE_32 ? 2 : 4;
	}
	return mode == NATIVE_32 ? 4 : 2;
}

/* Put a far pointer where [RBX] is. */
static void far_pointer(unsigned int size)
{
	u64 off = rnd_offset();
	u16 sel = rnd_selector();

	memcpy(mem + 0x100, &off, size);
	memcpy(mem + 0x100 + size, &sel, 2);
	in.regs.gpr[TDM_RBX] = data_offset() + 0x100;
}

/* ModRM of [RBX], a general register or opcode extension in the middle. */
static void emit_rbx(unsigned int reg)
{
	emit((mode == NATIVE_16 ? 0x07 : 0x03) | reg << 3);
}

static void emit_mov_seg(void)
{
	static const u8 segs[] = { TDM_SEG_ES, TDM_SEG_DS, TDM_SEG_GS, TDM_SEG_SS };

	emit(0x8e);
	emit(0xc0 | segs[rnd() % ARRAY_SIZE(segs)] << 3 | TDM_RAX);
	in.regs.gpr[TDM_RAX] = rnd_selector();
}

static void emit_pop_seg(void)
{
	u16 sel = rnd_selector();

	memcpy(stack_top(), &sel, 2);
	if (mode == NATIVE_64 || rnd() % 3 == 0) {
		emit(0x0f);
		emit(0xa9);	/* pop gs */
	} else {
		emit(rnd() % 2 ? 0x07 : 0x1f);
	}
}

static void emit_lds(void)
{
	unsigned int size = operand_size(true);
	bool gs = mode == NATIVE_64 || rnd() % 3 == 0;

	if (gs)
		emit(0x0f);
	emit(gs ? 0xb5 : rnd() % 2 ? 0xc5 : 0xc4);
	emit_rbx(TDM_RAX);
	far_pointer(size);
}

static void emit_far(void)
{
	bool call = rnd() % 2;
	unsigned int size;

	if (mode != NATIVE_64 && rnd() % 2) {
		size = operand_size(false);
		emit(call ? 0x9a : 0xea);
		emit_n(rnd_offset(), size);
		emit_n(rnd_selector(), 2);
		return;
	}
	size = operand_size(true);
	emit(0xff);
	emit_rbx(call ? 3 : 5);
	far_pointer(size);
}

/* A frame for RET far or IRET. */
static void frame(unsigned int size, bool flags)
{
	u64 v[5], n = 0, i;

	v[n++] = rnd_offset();
	v[n++] = rnd_selector();
	if (flags)
		v[n++] = (rnd() & 0x3fcfd5) | 2;
	v[n++] = data_offset() + rnd() % 0x800;
	v[n++] = rnd_selector();
	for (i = 0; i < n; i++)
		memcpy(stack_top() + i * size, &v[i], size);
}

static void emit_ret(void)
{
	unsigned int size = operand_size(true);

	if (rnd() % 2) {
		emit(0xcb);
	} else {
		emit(0xca);
		emit_n(rnd() % 64, 2);
	}
	frame(size, false);
}

static void emit_iret(void)
{
	unsigned int size = operand_size(true);

	emit(0xcf);
	frame(size, true);
}

static void emit_inspect(void)
{
	unsigned int op = rnd() % 4;

	operand_size(true);
	emit(0x0f);
	if (op < 2) {
		emit(op ? 0x03 : 0x02);
		emit(0xc0 | TDM_RDX << 3 | TDM_RAX);
	} else {
		emit(0x00);
		emit(0xc0 | (op + 2) << 3 | TDM_RAX);
	}
	in.regs.gpr[TDM_RAX] = rnd_selector();
	/* The limits of the CPU number's and the LDT's segments are not ours. */
	while (in.regs.gpr[TDM_RAX] >> 3 == 15 || in.regs.gpr[TDM_RAX] >> 3 == 10)
		in.regs.gpr[TDM_RAX] = rnd_selector();
}

static void make_case(void)
{
	static void (*const kinds[])(void) = {
		emit_mov_seg, emit_pop_seg, emit_lds, emit_far, emit_ret,
		emit_iret, emit_inspect,
	};
	unsigned int i;

	do
		mode = rnd() % NATIVE_MODES;
	while (!native_has(mode));
	memset(&in, 0, sizeof(in));
	memset(mem, 0, sizeof(mem));
	code_len = 0;
	for (i = 0; i < 8; i++)
		in.regs.gpr[i] = rnd() & 0xffffffff;
	in.regs.gpr[TDM_RSP] = data_offset() + 0x400 + rnd() % 64;
	in.regs.rflags = 0x202 | (rnd() & 0xd5);
	in.regs.rip = mode == NATIVE_16 ? 0x40 : NATIVE_CODE + 0x40;
	kinds[rnd() % ARRAY_SIZE(kinds)]();
}

static void load_segment(enum tdm_seg seg, u16 sel)
{
	u64 d = sel & 4 ? tables[LDT_AT / 8 + (sel >> 3)] : tables[sel >> 3];
	struct tdm_segment *s = &g.seg[seg];

	*s = (struct tdm_segment) { .selector = sel, .ar = TDM_AR_UNUSABLE };
	if (!(sel & ~3u))
		return;
	s->base = (d >> 16 & 0xffffff) | (d >> 56) << 24;
	s->limit = (d & 0xffff) | (d >> 32 & 0xf0000);
	s->ar = d >> 40 & 0xf0ff;
	if (s->ar & TDM_AR_G)
		s->limit = s->limit << 12 | 0xfff;
}

static void put_code(u8 *page)
{
	memset(page, 0x90, NATIVE_CODE_LEN);
	memcpy(page + 0x40, code, code_len);
}

static void setup_guest(void)
{
	static const enum tdm_cpu_mode modes[] = {
		TDM_MODE_LONG64, TDM_MODE_PROT32, TDM_MODE_PROT16,
	};

	guest_init(&g);
	guest_flat(&g, modes[mode], 3);
	g.c.features = guest_cpu_features();
	g.c.efer = 0xd01;
	guest_region(&g, NATIVE_DATA, NATIVE_DATA_LEN, 0, emul_mem);
	guest_region(&g, NATIVE_CODE, NATIVE_CODE_LEN, 0, emul_code);
	guest_region(&g, TABLES, sizeof(tables), REGION_SUPER, (u8 *)tables);
	g.gdt = (struct tdm_table) { .base = TABLES, .limit = 127 };
	g.seg[TDM_SEG_LDTR] = (struct tdm_segment) {
		.selector = 0x50, .base = TABLES + LDT_AT, .limit = NR_LDT * 8 - 1,
		.ar = 0x82,
	};
	load_segment(TDM_SEG_CS, native_cs(mode));
	load_segment(TDM_SEG_SS, native_ss(mode));
	load_segment(TDM_SEG_DS, native_ds(mode));
	load_segment(TDM_SEG_ES, native_ds(mode));
	load_segment(TDM_SEG_FS, 0);
	load_segment(TDM_SEG_GS, 0);
	memcpy(emul_mem, mem, sizeof(mem));
	put_code(emul_code);
	g.regs = in.regs;
	g.regs.rflags |= X86_EFLAGS_TF;
}

static bool check(const char *what, u64 cpu, u64 emul)
{
	if (cpu == emul)
		return true;
	printf("# %s: cpu %llx emulator %llx\n", what, cpu, emul);
	return false;
}

/* On its way to us the kernel's IRET makes every null selector 0. */
static u16 visible(u16 sel)
{
	return sel & ~3u ? sel : 0;
}

static bool same(const struct native_state *n, int rc)
{
	static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs" };
	u64 rf = n->trapno == 1 ? 0 : X86_EFLAGS_RF;
	unsigned int i;
	bool ok = true;

	if (n->trapno == 1) {
		ok &= check("result", TDM_EMUL_DONE, rc);
	} else {
		nr_faults++;
		ok &= check("result", TDM_EMUL_FAULT, rc) &&
		      check("vector", n->trapno, g.c.event.vector) &&
		      check("error code", n->error, g.c.event.error);
	}
	for (i = 0; i < 6; i++)
		if (i != TDM_SEG_FS)
			ok &= check(names[i], n->sel[i], visible(g.seg[i].selector));
	for (i = 0; i < 8; i++)
		ok &= check("register", n->regs.gpr[i], g.regs.gpr[i]);
	ok &= check("rip", n->regs.rip, g.regs.rip);
	/* RF in the frame of a fault is up to who delivers it. */
	ok &= check("flags", n->regs.rflags & ~rf, g.regs.rflags & ~rf);
	/* What is pushed before a fault lies beyond the stack: nobody's business. */
	if (n->trapno == 1)
		ok &= check("memory", 0, memcmp((void *)NATIVE_DATA, emul_mem,
						NATIVE_DATA_LEN));
	return ok;
}

static bool run_case(void)
{
	struct native_state n = in;
	unsigned int i;
	int rc;

	setup_guest();
	memcpy((void *)NATIVE_DATA, mem, sizeof(mem));
	put_code((void *)NATIVE_CODE);
	native_step(mode, &n);
	rc = guest_step(&g);
	/* After a load of SS the trap comes one instruction, a NOP, later. */
	if (rc == TDM_EMUL_DONE && g.c.int_shadow == TDM_EMUL_SHADOW_MOV_SS)
		rc = guest_step(&g);
	nr_done++;
	if (same(&n, rc))
		return true;
	printf("# differs: cpu trap %u error %llx, mode %d:", n.trapno, n.error, mode);
	for (i = 0; i < code_len; i++)
		printf(" %02x", code[i]);
	printf(" rax %llx rsp %llx, stack:", in.regs.gpr[TDM_RAX],
	       in.regs.gpr[TDM_RSP]);
	for (i = 0; i < 40; i++)
		printf(" %02x", stack_top()[i]);
	putchar('\n');
	return false;
}

int main(int argc, char **argv)
{
	unsigned long runs = 100000, i, failed = 0;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:")) != -1) {
		if (opt == 'n')
			runs = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			rng_state = strtoul(optarg, NULL, 0) * 2 + 1;
		else
			return 2;
	}
	ktap_start(1);
	if (native_init() || !make_tables()) {
		ktap_skip("native comparison of segment loads", "no LDT here");
		return 0;
	}
	for (i = 0; i < runs && failed < 10; i++) {
		make_case();
		failed += !run_case();
	}
	ktap_result(!failed, "%u segment loads and far transfers as native (%u faults)",
		    nr_done, nr_faults);
	return ktap_end();
}
