// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator against the real processor: random instructions with random
 * operands and flags, in 64-, 32- and 16-bit code, each executed by both. Every
 * register, flag and byte of memory must come out equal, and every fault be
 * the same fault.
 *
 * Flags that the decoder's tables call undefined may differ (processors do);
 * how often they do is told per instruction with -v.
 *
 * usage: emul_random_test [-n RUNS] [-s SEED] [-o MNEMONIC] [-v]
 */
#include <asm/processor-flags.h>
#include <getopt.h>

#include "arch/x86/emul/internal.h"
#include "arch/x86/insn-zydis.h"
#include "emul_guest.h"
#include "emul_ktap.h"
#include "emul_native.h"

/**
 * struct test_case - one instruction and all that surrounds it
 * @mode: where it runs
 * @len: bytes of code
 * @code: the instruction
 * @rip: where it lies, linear
 * @in: state before
 * @mem: data pages before
 */
struct test_case {
	enum native_mode mode;
	unsigned int len;
	u8 code[16];
	u64 rip;
	struct native_state in;
	u8 mem[NATIVE_DATA_LEN];
};

static u64 rng_state = 1;
static struct test_case t;
static struct guest g;
static struct tdm_insn insn;
static struct tdm_insn_work work;
static u8 emul_mem[NATIVE_DATA_LEN], emul_code[NATIVE_CODE_LEN];
static u32 done[ZYDIS_MNEMONIC_MAX_VALUE + 1];
static u32 undefined_differs[ZYDIS_MNEMONIC_MAX_VALUE + 1];
static u32 faults[32];

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state * 0x2545f4914f6cdd1dull >> 8 | rng_state << 60;
}

static unsigned int vendor(void)
{
	return guest_cpu_features() & TDM_EMUL_F_AMD ? TDM_DECODE_AMD : 0;
}

static bool one_in(unsigned int n)
{
	return rnd() % n == 0;
}

static u64 rnd_value(void)
{
	static const u64 edges[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
		~0ull, 2, 8, 16, 31, 32, 33, 63, 64,
	};

	switch (rnd() % 4) {
	case 0:
		return edges[rnd() % ARRAY_SIZE(edges)];
	case 1:
		return rnd() % 256;
	default:
		return rnd() ^ rnd() << 32;
	}
}

/* An address the instruction may touch: data, its edges, rarely beyond. */
static u64 rnd_address(void)
{
	u64 a = rnd() % (NATIVE_DATA_LEN - 64);

	if (one_in(4))
		a = 4096 - rnd() % 40;
	else if (one_in(8))
		a &= ~31ull;
	else if (one_in(40))
		a = NATIVE_DATA_LEN - rnd() % 40;
	return NATIVE_DATA + a;
}

static unsigned int add_prefixes(u8 *p)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x3e, 0x66 };
	unsigned int n = 0;

	while (n < 3 && one_in(3))
		p[n++] = prefixes[rnd() % ARRAY_SIZE(prefixes)];
	if (t.mode == NATIVE_64 && one_in(2))
		p[n++] = 0x40 | rnd() % 16;
	return n;
}

/* A vector move, often with VEX: chance alone would seldom find one. */
static void make_vector_move(void)
{
	static const u8 opcodes[] = {
		0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2b, 0x6e,
		0x7e, 0x6f, 0x7f, 0xe7, 0xd6, 0xf0,
	};
	static const u8 prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	u8 op = opcodes[rnd() % ARRAY_SIZE(opcodes)], pp = rnd() % 4;
	unsigned int n = 0;

	if (one_in(2)) {
		t.code[n++] = 0xc5;
		t.code[n++] = (rnd() & 0x84) | (one_in(3) ? rnd() & 0x78 : 0x78) | pp;
	} else if (one_in(2)) {
		t.code[n++] = 0xc4;
		t.code[n++] = (rnd() & 0xe0) | 1;
		t.code[n++] = (rnd() & 0x84) | (one_in(3) ? rnd() & 0x78 : 0x78) | pp;
	} else {
		if (pp)
			t.code[n++] = prefixes[pp];
		if (t.mode == NATIVE_64 && one_in(2))
			t.code[n++] = 0x40 | rnd() % 16;
		t.code[n++] = 0x0f;
	}
	t.code[n] = op;
}

static void make_code(void)
{
	unsigned int n, i;

	for (i = 0; i < sizeof(t.code); i++)
		t.code[i] = rnd();
	if (one_in(8)) {
		make_vector_move();
		return;
	}
	n = add_prefixes(t.code);
	switch (rnd() % 16) {
	case 0 ... 4:
		t.code[n++] = 0x0f;
		break;
	case 5:
		t.code[n++] = 0x0f;
		t.code[n++] = one_in(4) ? 0x3a : 0x38;
		t.code[n] = one_in(2) ? 0xf0 + rnd() % 8 : t.code[n];
		break;
	case 6:
		/* VEX: map 1 to 3, small opcodes and those of BMI */
		t.code[n++] = 0xc4;
		t.code[n] = (t.code[n] & 0xe0) | (1 + rnd() % 3);
		t.code[n + 1] |= one_in(2) ? 0x78 : 0;
		t.code[n + 2] = one_in(2) ? 0xf0 + rnd() % 8 : t.code[n + 2];
		break;
	case 7:
		t.code[n++] = 0xc4;
		t.code[n] = (t.code[n] & 0xe0) | (2 + one_in(4));
		t.code[n + 1] &= ~4;
		t.code[n + 2] = 0xf0 + rnd() % 8;
		break;
	}
}

/* Instructions that would change the process, or answer differently here. */
static bool testable(const struct tdm_emul_op *op)
{
	static int (* const not[])(struct tdm_emul_ctxt *) = {
		emul_op_syscall, emul_op_sysret, emul_op_sysenter, emul_op_sysexit,
		emul_op_int, emul_op_int1, emul_op_int3, emul_op_into, emul_op_iret,
		emul_op_lds, emul_op_cpuid, emul_op_rdtsc, emul_op_rdpid,
		emul_op_rdpmc, emul_op_xgetbv, emul_op_xsetbv, emul_op_sgdt,
		emul_op_sldt, emul_op_smsw, emul_op_lar, emul_op_verr,
		emul_op_fsbase, emul_op_vmcall, emul_op_monitor, emul_op_clac,
		emul_op_ud, emul_op_invpcid, emul_op_swapgs,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(not); i++)
		if (op->fn == not[i])
			return false;
	if (op->fn == emul_op_jmp || op->fn == emul_op_call ||
	    op->fn == emul_op_ret) {
		g.c.insn = &insn;
		if (emul_is_far(&g.c))
			return false;
	}
	for (i = 0; i < insn.nr_opnds; i++) {
		if (insn.opnd[i].kind == TDM_OPND_MMX)
			return false;
		/* Loading segment registers, or seeing what FS is here. */
		if (insn.opnd[i].kind == TDM_OPND_SEG &&
		    ((insn.opnd[i].actions & TDM_OPND_WRITE) ||
		     insn.opnd[i].reg >= TDM_SEG_FS))
			return false;
		if (insn.opnd[i].kind == TDM_OPND_MEM &&
		    insn.opnd[i].seg >= TDM_SEG_FS)
			return false;
	}
	return insn.seg_override < TDM_SEG_FS || insn.seg_override == TDM_REG_NONE;
}

static void fill_state(void)
{
	struct native_state *s = &t.in;
	static const u8 pointers[] = { TDM_RSP, TDM_RSI, TDM_RDI, TDM_RBX, TDM_RBP };
	u64 base = t.mode == NATIVE_16 ? NATIVE_DATA : 0;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < TDM_NR_GPRS; i++)
		s->regs.gpr[i] = rnd_value();
	for (i = 0; i < ARRAY_SIZE(pointers); i++)
		s->regs.gpr[pointers[i]] = rnd_address() - base;
	if (insn.prefixes & (TDM_PFX_REPE | TDM_PFX_REPNE))
		s->regs.gpr[TDM_RCX] = rnd() % 4;
	if (t.mode != NATIVE_64)
		for (i = 0; i < TDM_NR_GPRS; i++)
			s->regs.gpr[i] = i < 8 ? (u32)s->regs.gpr[i] : 0;
	s->regs.rflags = 0x202 | (rnd() & (EMUL_ARITH_FLAGS | X86_EFLAGS_DF));
	if (one_in(16))
		s->regs.rflags |= X86_EFLAGS_AC;
	for (i = 0; i < 16; i++) {
		u64 *v = (u64 *)s->vec[i];

		v[0] = rnd();
		v[1] = rnd();
		v[2] = native_avx() ? rnd() : 0;
		v[3] = native_avx() ? rnd() : 0;
	}
	for (i = 0; i < NATIVE_DATA_LEN; i += 8) {
		u64 v = rnd_value();

		memcpy(t.mem + i, &v, 8);
	}
	/* Make comparisons come out equal now and then. */
	if (one_in(2))
		for (i = 0; i < NATIVE_DATA_LEN; i += 8)
			memcpy(t.mem + i, &s->regs.gpr[TDM_RAX], 8);
}

/* Write an absolute or RIP-relative displacement into the code. */
static bool patch_disp(const struct tdm_operand *op, u64 target)
{
	const struct tdm_insn_raw *raw = tdm_insn_raw(&work);
	s64 disp = target;

	if (!raw->zi.raw.disp.size)
		return false;
	if (op->base == TDM_REG_RIP)
		disp = target - (t.rip + insn.len);
	memcpy(t.code + raw->zi.raw.disp.offset, &disp,
	       raw->zi.raw.disp.size / 8);
	return true;
}

/* Choose registers so that a memory operand's address is @target. */
static bool aim(const struct tdm_operand *op, u64 target)
{
	u64 *gpr = t.in.regs.gpr;
	u64 want = target - op->imm;

	if (op->base == TDM_REG_RIP ||
	    (op->base == TDM_REG_NONE && op->index == TDM_REG_NONE))
		return patch_disp(op, target);
	if (op->index == TDM_REG_NONE) {
		gpr[op->base] = want;
	} else if (op->base == TDM_REG_NONE || op->base == op->index) {
		unsigned int f = op->scale + (op->base == op->index);

		gpr[op->index] = want / f;
	} else {
		gpr[op->index] = rnd() % 256;
		gpr[op->base] = want - gpr[op->index] * op->scale;
	}
	return true;
}

/* Does the address, as the emulator computes it, lie where writes are safe? */
static bool aimed_well(const struct tdm_operand *op)
{
	u64 base = t.mode == NATIVE_16 ? NATIVE_DATA : 0, ea;

	g.regs = t.in.regs;
	g.c.regs = &g.regs;
	g.c.insn = &insn;
	g.regs.rip = t.rip;
	ea = emul_ea(&g.c, op);
	if (t.mode == NATIVE_16)
		return ea < 0x10000;
	ea += base;
	return ea >= NATIVE_DATA - 256 && ea < NATIVE_DATA + NATIVE_DATA_LEN + 256;
}

static bool place_operands(void)
{
	u64 base = t.mode == NATIVE_16 ? NATIVE_DATA : 0;
	unsigned int i, j;

	for (i = 0; i < insn.nr_opnds; i++) {
		struct tdm_operand op = insn.opnd[i];

		if (op.kind == TDM_OPND_OTHER)
			return false;
		if (op.kind != TDM_OPND_MEM || op.no_access)
			continue;
		if (t.mode == NATIVE_16 && op.base == TDM_REG_NONE && insn.addrsize == 2) {
			/* any 16-bit displacement is in reach */
		} else if (!aim(&op, rnd_address() - base)) {
			return false;
		}
		if (t.mode != NATIVE_64)
			for (j = 0; j < 8; j++)
				t.in.regs.gpr[j] = (u32)t.in.regs.gpr[j];
		/* The displacement may have been patched. */
		if (tdm_insn_decode(&insn, &work, t.code, t.len, insn.mode | vendor()))
			return false;
		/* Bit strings reach far: keep their offset small. */
		if (i == 0 && insn.nr_opnds > 1 && insn.opnd[1].kind == TDM_OPND_GPR &&
		    insn.opnd[1].reg != op.base && insn.opnd[1].reg != op.index &&
		    emul_lookup(&insn)->fn == emul_op_bt)
			t.in.regs.gpr[insn.opnd[1].reg] = rnd() % 1024 - 512;
		else if (emul_lookup(&insn)->fn == emul_op_bt &&
			 insn.opnd[1].kind == TDM_OPND_GPR)
			return false;
		if (!aimed_well(&insn.opnd[i]))
			return false;
	}
	return true;
}

static bool safe_stack(void)
{
	u64 sp = t.in.regs.gpr[TDM_RSP], bp = t.in.regs.gpr[TDM_RBP];
	emul_fn fn = emul_lookup(&insn)->fn;

	if (t.mode == NATIVE_16)
		return sp < 0x10000;
	if (fn == emul_op_leave || fn == emul_op_enter)
		sp = bp;
	return sp >= NATIVE_DATA - 256 && sp < NATIVE_DATA + NATIVE_DATA_LEN + 256;
}

static bool make_case(void)
{
	static const enum tdm_cpu_mode modes[] = {
		[NATIVE_64] = TDM_MODE_LONG64, [NATIVE_32] = TDM_MODE_PROT32,
		[NATIVE_16] = TDM_MODE_PROT16,
	};
	const struct tdm_emul_op *op;

	do
		t.mode = rnd() % NATIVE_MODES;
	while (!native_has(t.mode));
	make_code();
	if (tdm_insn_decode(&insn, &work, t.code, 15, modes[t.mode] | vendor()))
		return false;
	op = emul_lookup(&insn);
	if (!op || !testable(op))
		return false;
	t.len = insn.len;
	t.rip = NATIVE_CODE + 64;
	if (one_in(8))
		t.rip = NATIVE_CODE + 4096 - rnd() % t.len;
	else if (one_in(64))
		t.rip = NATIVE_CODE + NATIVE_CODE_LEN - rnd() % t.len - 1;
	fill_state();
	if (!place_operands() || !safe_stack())
		return false;
	t.in.regs.rip = t.mode == NATIVE_16 ? t.rip - NATIVE_CODE : t.rip;
	return true;
}

static void put_code(u8 *page)
{
	unsigned int off = t.rip - NATIVE_CODE;

	memset(page, 0x90, NATIVE_CODE_LEN);
	memcpy(page + off, t.code,
	       min_t(unsigned int, t.len, NATIVE_CODE_LEN - off));
}

static void setup_guest(void)
{
	static const enum tdm_cpu_mode modes[] = {
		[NATIVE_64] = TDM_MODE_LONG64, [NATIVE_32] = TDM_MODE_PROT32,
		[NATIVE_16] = TDM_MODE_PROT16,
	};
	unsigned int i;

	guest_init(&g);
	guest_flat(&g, modes[t.mode], 3);
	g.c.features = guest_cpu_features();
	g.c.efer = 0xd01;
	g.c.cr0 |= X86_CR0_AM;
	guest_region(&g, NATIVE_DATA, NATIVE_DATA_LEN, 0, emul_mem);
	guest_region(&g, NATIVE_CODE, NATIVE_CODE_LEN, 0, emul_code);
	for (i = 0; i < TDM_SEG_LDTR; i++)
		g.seg[i].selector = native_ds(t.mode);
	g.seg[TDM_SEG_TR].limit = 101;	/* no I/O bitmap: no ports */
	g.seg[TDM_SEG_CS].selector = native_cs(t.mode);
	g.seg[TDM_SEG_SS].selector = native_ss(t.mode);
	if (t.mode == NATIVE_16) {
		for (i = 0; i < TDM_SEG_LDTR; i++) {
			g.seg[i].base = i == TDM_SEG_CS ? NATIVE_CODE : NATIVE_DATA;
			g.seg[i].limit = 0xffff;
		}
	}
	memcpy(emul_mem, t.mem, sizeof(t.mem));
	put_code(emul_code);
	memcpy(g.vec, t.in.vec, sizeof(g.vec));
	g.regs = t.in.regs;
	g.regs.rflags |= X86_EFLAGS_TF;
}

static void print_case(const char *what)
{
	unsigned int i;

	printf("# %s: mode %d %s:", what, t.mode, tdm_insn_name(&insn));
	for (i = 0; i < t.len; i++)
		printf(" %02x", t.code[i]);
	printf(" at %llx with", t.in.regs.rip);
	for (i = 0; i < TDM_NR_GPRS; i++)
		printf(" %llx", t.in.regs.gpr[i]);
	putchar('\n');
}

/* Registers, flags, vectors and memory; says what differs. */
static bool same_state(const struct native_state *n, u64 undefined)
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",
		"r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	unsigned int i, nr = t.mode == NATIVE_64 ? 16 : 8;
	u64 diff = n->regs.rflags ^ g.regs.rflags;
	bool ok = true;

	/* RF in the frame of a fault is up to who delivers it. */
	if (n->trapno != 1)
		diff &= ~(u64)X86_EFLAGS_RF;

	for (i = 0; i < nr; i++) {
		if (n->regs.gpr[i] == g.regs.gpr[i])
			continue;
		printf("# %s: in %llx cpu %llx emulator %llx\n", names[i],
		       t.in.regs.gpr[i], n->regs.gpr[i], g.regs.gpr[i]);
		ok = false;
	}
	if (n->regs.rip != g.regs.rip) {
		printf("# rip: cpu %llx emulator %llx\n", n->regs.rip,
		       g.regs.rip);
		ok = false;
	}
	if (diff & ~undefined) {
		printf("# flags: in %llx cpu %llx emulator %llx undefined %llx\n",
		       t.in.regs.rflags, n->regs.rflags, g.regs.rflags, undefined);
		ok = false;
	} else if (diff) {
		undefined_differs[insn.mnemonic]++;
	}
	if (memcmp(n->vec, g.vec, sizeof(g.vec))) {
		printf("# vector registers differ\n");
		ok = false;
	}
	if (memcmp((void *)NATIVE_DATA, emul_mem, NATIVE_DATA_LEN)) {
		for (i = 0; ((u8 *)NATIVE_DATA)[i] == emul_mem[i]; i++)
			;
		printf("# memory at %x: in %02x cpu %02x emulator %02x\n", i,
		       t.mem[i], ((u8 *)NATIVE_DATA)[i], emul_mem[i]);
		ok = false;
	}
	return ok;
}

/* Did both end the same way? */
static bool same_end(const struct native_state *n, int rc)
{
	const struct tdm_emul_event *ev = &g.c.event;

	if (n->trapno == 1) {
		if (rc == TDM_EMUL_DONE && g.c.trap_dr6 == TDM_EMUL_DR6_BS)
			return true;
	} else if (rc == TDM_EMUL_FAULT && ev->vector == n->trapno) {
		faults[n->trapno & 31]++;
		if (n->trapno != 14)
			return true;
		if (ev->address == n->cr2 && ev->error == n->error)
			return true;
	}
	/* Where an access is misaligned and something else is wrong too. */
	if (n->trapno == 17 && rc == TDM_EMUL_FAULT)
		return true;
	printf("# end: cpu trap %u error %llx cr2 %llx", n->trapno, n->error, n->cr2);
	printf(" emulator rc %d vector %u error %x address %llx\n", rc, ev->vector,
	       ev->error, ev->address);
	return false;
}

/*
 * Instructions of many accesses, which leave part of their work behind when
 * one faults. The emulator leaves nothing, which is as good: they restart.
 */
static bool partial_on_fault(void)
{
	emul_fn fn = emul_lookup(&insn)->fn;

	return fn == emul_op_pusha || fn == emul_op_popa || fn == emul_op_enter;
}

static bool run_case(void)
{
	const struct tdm_insn_raw *raw = tdm_insn_raw(&work);
	struct native_state n = t.in;
	u64 undefined = raw->zi.cpu_flags ? raw->zi.cpu_flags->undefined : 0;
	bool ok;
	int rc;

	setup_guest();
	memcpy((void *)NATIVE_DATA, t.mem, sizeof(t.mem));
	put_code((void *)NATIVE_CODE);
	native_step(t.mode, &n);
	rc = guest_step(&g);
	ok = same_end(&n, rc);
	if (rc != TDM_EMUL_FAULT || !partial_on_fault())
		ok &= same_state(&n, undefined);
	done[insn.mnemonic]++;
	if (!ok)
		print_case("differs");
	return ok;
}

static void statistics(void)
{
	unsigned int i, kinds = 0;

	for (i = 0; i < ARRAY_SIZE(done); i++) {
		kinds += !!done[i];
		if (done[i])
			printf("# %-12s %7u runs %6u with other undefined flags\n",
			       ZydisMnemonicGetString(i), done[i],
			       undefined_differs[i]);
	}
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (faults[i])
			printf("# vector %u: %u faults alike\n", i, faults[i]);
	printf("# %u different mnemonics\n", kinds);
}

int main(int argc, char **argv)
{
	unsigned long runs = 200000, i, tries = 0, failed = 0;
	const char *only = NULL;
	bool verbose = false;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:o:v")) != -1) {
		if (opt == 'n')
			runs = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			rng_state = strtoul(optarg, NULL, 0) * 2 + 1;
		else if (opt == 'o')
			only = optarg;
		else if (opt == 'v')
			verbose = true;
		else
			return 2;
	}
	ktap_start(1);
	if (native_init()) {
		ktap_skip("native comparison", "cannot set up the test pages");
		return 0;
	}
	for (i = 0; i < runs && failed < 20; tries++) {
		if (!make_case() || (only && strcmp(only, tdm_insn_name(&insn))))
			continue;
		failed += !run_case();
		i++;
	}
	if (verbose)
		statistics();
	ktap_result(!failed, "%lu random instructions, emulated and native (%lu differ)",
		    i, failed);
	return ktap_end();
}
