// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the decoder on any bytes, in every mode. Built with the
 * decoder's assertions on, which in the kernel are warnings or worse: here they
 * must never fire. What comes out must be what insn.h promises.
 *
 * With clang a libFuzzer target (make -C tools/testing/fuzz insn). Built with
 * FUZZ_MAIN it feeds itself: all two-byte openings, then random bytes.
 * insn_fuzz [-n RUNS] [-s SEED]
 */
#include "arch/x86/emul/port.h"
#include "arch/x86/insn.h"

#include <stdio.h>

static struct tdm_insn insn;
static struct tdm_insn_work work;

static void fail(const char *what, const u8 *code, size_t len, unsigned int mode)
{
	size_t i;

	fprintf(stderr, "insn_fuzz: %s: mode %x:", what, mode);
	for (i = 0; i < len; i++)
		fprintf(stderr, " %02x", code[i]);
	fputc('\n', stderr);
	abort();
}

static const char *bad_operand(const struct tdm_operand *op)
{
	switch (op->kind) {
	case TDM_OPND_GPR:
		if (op->reg >= TDM_NR_GPRS)
			return "register number";
		if (op->size != 1 && op->size != 2 && op->size != 4 && op->size != 8)
			return "register size";
		return NULL;
	case TDM_OPND_GPR_HIGH:
		return op->reg >= 4 || op->size != 1 ? "high byte register" : NULL;
	case TDM_OPND_SEG:
		return op->reg > TDM_SEG_GS ? "segment register" : NULL;
	case TDM_OPND_CR:
	case TDM_OPND_DR:
		return op->reg > 15 ? "control register" : NULL;
	case TDM_OPND_VEC:
		return op->reg > 31 ? "vector register" : NULL;
	case TDM_OPND_MMX:
		return op->reg > 7 ? "MMX register" : NULL;
	case TDM_OPND_MEM:
		if (op->seg > TDM_SEG_GS)
			return "segment";
		if (op->base > TDM_REG_RIP && op->base != TDM_REG_NONE)
			return "base register";
		if (op->index >= TDM_NR_GPRS && op->index != TDM_REG_NONE)
			return "index register";
		if (op->index != TDM_REG_NONE && op->scale != 1 && op->scale != 2 &&
		    op->scale != 4 && op->scale != 8)
			return "scale";
		return NULL;
	default:
		return op->kind > TDM_OPND_OTHER ? "operand kind" : NULL;
	}
}

static const char *bad_insn(size_t len)
{
	unsigned int i;

	if (!insn.len || insn.len > len || insn.len > TDM_INSN_MAX_LEN)
		return "length";
	if (insn.opsize != 1 && insn.opsize != 2 && insn.opsize != 4 && insn.opsize != 8)
		return "operand size";
	if (insn.addrsize != 2 && insn.addrsize != 4 && insn.addrsize != 8)
		return "address size";
	if (insn.nr_opnds > TDM_INSN_MAX_OPERANDS)
		return "number of operands";
	for (i = 0; i < insn.nr_opnds; i++)
		if (bad_operand(&insn.opnd[i]))
			return bad_operand(&insn.opnd[i]);
	return NULL;
}

static void one_input(const u8 *code, size_t len)
{
	unsigned int mode, amd;
	int rc;

	if (len > TDM_INSN_MAX_LEN)
		len = TDM_INSN_MAX_LEN;
	for (mode = 0; mode < TDM_NR_MODES; mode++) {
		for (amd = 0; amd <= TDM_DECODE_AMD; amd += TDM_DECODE_AMD) {
			rc = tdm_insn_decode(&insn, &work, code, len, mode | amd);
			if (rc && rc != -EINVAL && rc != -E2BIG)
				fail("return value", code, len, mode | amd);
			if (!rc && bad_insn(len))
				fail(bad_insn(len), code, len, mode | amd);
		}
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	one_input(data, size);
	return 0;
}

#ifdef FUZZ_MAIN

static u64 rng = 88172645463325252ull;

static u64 rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dull;
}

int main(int argc, char **argv)
{
	/* Openings that lead into the rarer tables. */
	static const u8 openings[][3] = {
		{ 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a }, { 0xc5 }, { 0xc4 }, { 0x62 },
		{ 0x8f }, { 0x66, 0x0f }, { 0xf3, 0x0f }, { 0xf2, 0x0f }, { 0x48, 0x0f },
		{ 0x0f, 0x0f }, { 0x67 }, { 0x66, 0x0f, 0x38 }, { 0xf2, 0x0f, 0x38 },
	};
	unsigned long runs = 1000000, i;
	unsigned int arg, n;
	u8 code[24];

	for (arg = 1; arg + 1 < (unsigned int)argc; arg += 2) {
		if (!strcmp(argv[arg], "-n"))
			runs = strtoul(argv[arg + 1], NULL, 0);
		else if (!strcmp(argv[arg], "-s"))
			rng += strtoul(argv[arg + 1], NULL, 0);
	}
	printf("KTAP version 1\n1..1\n");
	for (i = 0; i < 0x10000 + runs; i++) {
		for (n = 0; n < sizeof(code); n += 8) {
			u64 v = rnd();

			memcpy(code + n, &v, 8);
		}
		if (i < 0x10000)
			memcpy(code, (u8[]){ i, i >> 8 }, 2);
		else if (i & 1)
			memcpy(code, openings[(rnd() >> 32) % ARRAY_SIZE(openings)], 1 + i / 2 % 3);
		one_input(code, i % 8 ? TDM_INSN_MAX_LEN : rnd() >> 60);
	}
	printf("ok 1 decoder on %lu random inputs, in 8 modes\n", i);
	return 0;
}

#endif /* FUZZ_MAIN */
