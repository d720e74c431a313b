// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder wrapper: lengths and errors, operands in the compact form, and
 * the cases in which it corrects the decoder.
 */
#include "arch/x86/insn-zydis.h"
#include "emul_case.h"

static struct tdm_insn insn;
static struct tdm_insn_work work;

#define DECODE(mode, ...) ({						\
	static const u8 code_[] = { __VA_ARGS__ };			\
	tdm_insn_decode(&insn, &work, code_, sizeof(code_), mode);		\
})

static const struct tdm_operand *op(unsigned int i)
{
	return &insn.opnd[i];
}

static void errors(void)
{
	/* Too few bytes is not too long, and neither is undefined. */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x48, 0x8b), -E2BIG);
	CHECK_EQ(tdm_insn_decode(&insn, &work, (const u8 *)"", 0, TDM_MODE_LONG64), -E2BIG);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
			0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90), -E2BIG);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x06), -EINVAL);	/* push es */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xf0, 0x90), -EINVAL);	/* lock nop */
	CHECK_EQ(DECODE(TDM_MODE_REAL, 0x0f, 0x00, 0xc0), -EINVAL); /* sldt */
	CHECK_EQ(DECODE(TDM_MODE_PROT32, 0x0f, 0x00, 0xc0), 0);
	/* Never looks behind the end: a truncated instruction at any length. */
	for (unsigned int n = 1; n < 10; n++) {
		static const u8 code[] = { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 };
		u8 *exact = malloc(n);

		memcpy(exact, code, n);
		CHECK_EQ(tdm_insn_decode(&insn, &work, exact, n, TDM_MODE_LONG64), -E2BIG);
		free(exact);
	}
}

static void operands(void)
{
	/* lock add word [fs:rax + r9*4 - 8], r10w */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x64, 0xf0, 0x66, 0x46, 0x01, 0x54, 0x88, 0xf8), 0);
	CHECK_EQ(insn.len, 8);
	CHECK_EQ(insn.opsize, 2);
	CHECK_EQ(insn.addrsize, 8);
	CHECK(insn.prefixes & TDM_PFX_LOCK);
	CHECK(insn.prefixes & TDM_PFX_OPSIZE);
	CHECK_EQ(insn.seg_override, TDM_SEG_FS);
	CHECK_EQ(op(0)->kind, TDM_OPND_MEM);
	CHECK_EQ(op(0)->seg, TDM_SEG_FS);
	CHECK_EQ(op(0)->base, TDM_RAX);
	CHECK_EQ(op(0)->index, TDM_R9);
	CHECK_EQ(op(0)->scale, 4);
	CHECK_EQ(op(0)->imm, (u64)-8);
	CHECK_EQ(op(0)->size, 2);
	CHECK_EQ(op(0)->actions, TDM_OPND_READ | TDM_OPND_WRITE);
	CHECK_EQ(op(1)->kind, TDM_OPND_GPR);
	CHECK_EQ(op(1)->reg, TDM_R10);
	/* mov ah, [rip + 0x10]; mov spl, al */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x8a, 0x25, 0x10, 0, 0, 0), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_GPR_HIGH);
	CHECK_EQ(op(0)->reg, TDM_RAX);
	CHECK_EQ(op(1)->base, TDM_REG_RIP);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x40, 0x88, 0xc4), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_GPR);
	CHECK_EQ(op(0)->reg, TDM_RSP);
	/* add rax, -1: the immediate is sign-extended */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x48, 0x83, 0xc0, 0xff), 0);
	CHECK_EQ(op(1)->kind, TDM_OPND_IMM);
	CHECK_EQ(op(1)->imm, ~0ull);
	/* jmp short, jmp far, mov cr8, mov dr7, mov ds, movd, movdqa */
	CHECK_EQ(DECODE(TDM_MODE_REAL, 0xeb, 0xfe), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_REL);
	CHECK_EQ(DECODE(TDM_MODE_REAL, 0xea, 0x34, 0x12, 0x78, 0x56), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_FAR);
	CHECK_EQ(op(0)->imm, 0x1234);
	CHECK_EQ(op(0)->sel, 0x5678);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x44, 0x0f, 0x22, 0xc0), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_CR);
	CHECK_EQ(op(0)->reg, 8);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x0f, 0x23, 0xf8), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_DR);
	CHECK_EQ(op(0)->reg, 7);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x8e, 0xd8), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_SEG);
	CHECK_EQ(op(0)->reg, TDM_SEG_DS);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x0f, 0x6e, 0xc0), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_MMX);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xc5, 0x7d, 0x6f, 0xff), 0);
	CHECK_EQ(op(0)->kind, TDM_OPND_VEC);
	CHECK_EQ(op(0)->reg, 15);
	CHECK_EQ(op(0)->size, 32);
	CHECK(insn.prefixes & TDM_PFX_VEX);
	/* 16-bit addressing: [bp + si], in SS */
	CHECK_EQ(DECODE(TDM_MODE_REAL, 0x8b, 0x02), 0);
	CHECK_EQ(op(1)->base, TDM_RBP);
	CHECK_EQ(op(1)->index, TDM_RSI);
	CHECK_EQ(op(1)->seg, TDM_SEG_SS);
	/* The last of F2 and F3 counts. */
	CHECK_EQ(DECODE(TDM_MODE_PROT32, 0xf2, 0xf3, 0xa6), 0);
	CHECK(insn.prefixes & TDM_PFX_REPE);
	CHECK(!(insn.prefixes & TDM_PFX_REPNE));
	/* In 64-bit mode DS, ES, SS and CS overrides mean nothing. */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x3e, 0x8b, 0x00), 0);
	CHECK_EQ(insn.seg_override, TDM_REG_NONE);
}

static void corrections(void)
{
	/* SIB without base, REX.B set, 32-bit addresses */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x67, 0x41, 0x8b, 0x04, 0x85, 1, 2, 3, 4), 0);
	CHECK_EQ(op(1)->base, TDM_REG_NONE);
	CHECK_EQ(op(1)->index, TDM_RAX);
	CHECK_EQ(op(1)->imm, 0x04030201);
	CHECK_EQ(tdm_insn_raw(&work)->zo[1].mem.base, ZYDIS_REGISTER_NONE);
	/* with a displacement of 8 bits there is one: r13d */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x67, 0x41, 0x8b, 0x44, 0x85, 1), 0);
	CHECK_EQ(op(1)->base, TDM_R13);
	/* PAUSE, but XCHG with REX.B */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xf3, 0x90), 0);
	CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_PAUSE);
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xf3, 0x49, 0x90), 0);
	CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_XCHG);
	CHECK_EQ(op(0)->reg, TDM_R8);
	CHECK_EQ(op(0)->size, 8);
	/* near branches under 66 in 64-bit mode */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0x66, 0xe9, 1, 0, 0, 0), 0);
	CHECK_EQ(insn.opsize, 8);
	CHECK_EQ(insn.len, 6);
	CHECK_EQ(DECODE(TDM_MODE_LONG64 | TDM_DECODE_AMD, 0x66, 0xe9, 1, 0), 0);
	CHECK_EQ(insn.opsize, 2);
	CHECK_EQ(insn.len, 4);
	CHECK_EQ(DECODE(TDM_MODE_LONG64 | TDM_DECODE_AMD, 0x66, 0xc3), 0);
	CHECK_EQ(insn.opsize, 2);
	CHECK_EQ(DECODE(TDM_MODE_LONG64 | TDM_DECODE_AMD, 0x66, 0x48, 0xc3), 0);
	CHECK_EQ(insn.opsize, 8);
	/* LZCNT of a coprocessor, VEX encoded */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xc4, 0xe1, 0xfa, 0xbd, 0xda), -EINVAL);
	/* what needs CET or MPX is a NOP */
	CHECK_EQ(DECODE(TDM_MODE_LONG64, 0xf3, 0x0f, 0x1e, 0xfa), 0);
	CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_NOP);
}

static const struct emul_case cases[] = {
	{ "decoder: errors", errors },
	{ "decoder: operands and prefixes", operands },
	{ "decoder: where it is corrected", corrections },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
