// SPDX-License-Identifier: GPL-2.0-only
/*
 * Classifier of the translator: instruction to class, by two constant tables.
 *
 * Safety rests on this file: an instruction that is copied runs at CPL 1 as it
 * is. So it must behave there exactly as at CPL 0, or fault. What no table
 * names becomes a callout: an entry that is missing costs time, not fidelity.
 */
#include "bt/classify.h"

#include "arch/x86/insn-zydis.h"
#include "bt/tu.h"

#define SAME(m)		[ZYDIS_MNEMONIC_ ## m] = { TDM_BTC_IDENT, TDM_BT_OP_NONE }
#define SEQ(m, c)	[ZYDIS_MNEMONIC_ ## m] = { TDM_BTC_ ## c, TDM_BT_OP_NONE }
#define CALL_OUT(m, o)	[ZYDIS_MNEMONIC_ ## m] = { TDM_BTC_CALLOUT, TDM_BT_OP_ ## o }
#define STOP(m, o)	[ZYDIS_MNEMONIC_ ## m] = { TDM_BTC_STOP, TDM_BT_OP_ ## o }

#define SAME_CC(m)						\
	SAME(m ## O), SAME(m ## NO), SAME(m ## B), SAME(m ## NB),	\
	SAME(m ## Z), SAME(m ## NZ), SAME(m ## BE), SAME(m ## NBE),	\
	SAME(m ## S), SAME(m ## NS), SAME(m ## P), SAME(m ## NP),	\
	SAME(m ## L), SAME(m ## NL), SAME(m ## LE), SAME(m ## NLE)
#define SAME_STRING(m)	SAME(m ## B), SAME(m ## W), SAME(m ## D), SAME(m ## Q)

/* By mnemonic. For what has several natures (MOV, PUSH, JMP, ...) see refine(). */
static const struct tdm_bt_verdict by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	SAME(ADC), SAME(ADD), SAME(AND), SAME(BSF), SAME(BSR), SAME(BSWAP),
	SAME(BT), SAME(BTC), SAME(BTR), SAME(BTS), SAME(CBW), SAME(CDQ),
	SAME(CDQE), SAME(CLC), SAME(CLD), SAME(CMC), SAME_CC(CMOV), SAME(CMP),
	SAME_STRING(CMPS), SAME(CMPXCHG), SAME(CMPXCHG8B), SAME(CMPXCHG16B),
	SAME(CQO), SAME(CWD), SAME(CWDE), SAME(DEC), SAME(DIV), SAME(ENTER),
	SAME(IDIV), SAME(IMUL), SAME(INC), SAME(LAHF), SAME(LEAVE),
	SAME_STRING(LODS), SAME(MOV), SAME_STRING(MOVS), SAME(MOVSX),
	SAME(MOVSXD), SAME(MOVZX), SAME(MUL), SAME(NEG), SAME(NOP), SAME(NOT),
	SAME(OR), SAME(POP), SAME(PUSH), SAME(RCL), SAME(RCR), SAME(ROL),
	SAME(ROR), SAME(SAHF), SAME(SAR), SAME(SBB), SAME_STRING(SCAS),
	SAME_CC(SET), SAME(SHL), SAME(SHLD), SAME(SHR), SAME(SHRD), SAME(STC),
	SAME(STD), SAME_STRING(STOS), SAME(SUB), SAME(TEST), SAME(XADD),
	SAME(XCHG), SAME(XLAT), SAME(XOR),

	SAME(FXSAVE), SAME(FXSAVE64), SAME(FXRSTOR), SAME(FXRSTOR64),
	SAME(XGETBV), SAME(XSAVE), SAME(XSAVE64), SAME(XRSTOR), SAME(XRSTOR64),

	SEQ(UD0, IDENT_STOP), SEQ(UD1, IDENT_STOP), SEQ(UD2, IDENT_STOP),
	SEQ(LEA, LEA),

	SEQ(JMP, JMP), SEQ(CALL, CALL), SEQ(RET, RET),
	SEQ(JO, JCC), SEQ(JNO, JCC), SEQ(JB, JCC), SEQ(JNB, JCC),
	SEQ(JZ, JCC), SEQ(JNZ, JCC), SEQ(JBE, JCC), SEQ(JNBE, JCC),
	SEQ(JS, JCC), SEQ(JNS, JCC), SEQ(JP, JCC), SEQ(JNP, JCC),
	SEQ(JL, JCC), SEQ(JNL, JCC), SEQ(JLE, JCC), SEQ(JNLE, JCC),
	SEQ(LOOP, LOOP), SEQ(LOOPE, LOOP), SEQ(LOOPNE, LOOP),
	SEQ(JECXZ, LOOP), SEQ(JRCXZ, LOOP),

	SEQ(CLI, CLI), SEQ(STI, STI), SEQ(PUSHFQ, PUSHF), SEQ(POPFQ, POPF),
	SEQ(SWAPGS, SWAPGS), SEQ(STAC, STAC), SEQ(CLAC, CLAC),

	CALL_OUT(CPUID, CPUID), CALL_OUT(HLT, HLT), CALL_OUT(RDMSR, RDMSR),
	CALL_OUT(WRMSR, WRMSR), CALL_OUT(INVLPG, INVLPG), CALL_OUT(RDTSC, RDTSC),
	CALL_OUT(RDTSCP, RDTSCP), CALL_OUT(IN, IO), CALL_OUT(OUT, IO),
	CALL_OUT(WBINVD, WBINVD),

	SEQ(IRETQ, IRET), STOP(CLTS, CLTS), STOP(IRETD, INTERPRET), STOP(IRET, INTERPRET),
	STOP(SYSRET, SYSRET), STOP(SYSCALL, INTERPRET),
	STOP(SYSENTER, INTERPRET), STOP(SYSEXIT, INTERPRET),
	STOP(INT, INTERPRET), STOP(INT3, INTERPRET), STOP(INT1, INTERPRET),
};

/* By extension, for those that are of use to any program at any CPL alike. */
static const bool same_extension[ZYDIS_ISA_EXT_MAX_VALUE + 1] = {
	[ZYDIS_ISA_EXT_ADOX_ADCX] = true,
	[ZYDIS_ISA_EXT_AES] = true,
	[ZYDIS_ISA_EXT_AMD3DNOW_PREFETCH] = true,
	[ZYDIS_ISA_EXT_AVX] = true,
	[ZYDIS_ISA_EXT_AVX2] = true,
	[ZYDIS_ISA_EXT_AVX2GATHER] = true,
	[ZYDIS_ISA_EXT_AVX512EVEX] = true,
	[ZYDIS_ISA_EXT_AVX512VEX] = true,
	[ZYDIS_ISA_EXT_AVXAES] = true,
	[ZYDIS_ISA_EXT_AVX_VNNI] = true,
	[ZYDIS_ISA_EXT_BMI1] = true,
	[ZYDIS_ISA_EXT_BMI2] = true,
	[ZYDIS_ISA_EXT_CLDEMOTE] = true,
	[ZYDIS_ISA_EXT_CLFLUSHOPT] = true,
	[ZYDIS_ISA_EXT_CLFSH] = true,
	[ZYDIS_ISA_EXT_CLWB] = true,
	[ZYDIS_ISA_EXT_CLZERO] = true,
	[ZYDIS_ISA_EXT_F16C] = true,
	[ZYDIS_ISA_EXT_FMA] = true,
	[ZYDIS_ISA_EXT_FMA4] = true,
	[ZYDIS_ISA_EXT_GFNI] = true,
	[ZYDIS_ISA_EXT_LZCNT] = true,
	[ZYDIS_ISA_EXT_MMX] = true,
	[ZYDIS_ISA_EXT_MOVBE] = true,
	[ZYDIS_ISA_EXT_MOVDIR] = true,
	[ZYDIS_ISA_EXT_PAUSE] = true,
	[ZYDIS_ISA_EXT_PCLMULQDQ] = true,
	[ZYDIS_ISA_EXT_PKU] = true,
	[ZYDIS_ISA_EXT_PREFETCHWT1] = true,
	[ZYDIS_ISA_EXT_RDRAND] = true,
	[ZYDIS_ISA_EXT_RDSEED] = true,
	[ZYDIS_ISA_EXT_RDWRFSGS] = true,
	[ZYDIS_ISA_EXT_SERIALIZE] = true,
	[ZYDIS_ISA_EXT_SHA] = true,
	[ZYDIS_ISA_EXT_SSE] = true,
	[ZYDIS_ISA_EXT_SSE2] = true,
	[ZYDIS_ISA_EXT_SSE3] = true,
	[ZYDIS_ISA_EXT_SSE4] = true,
	[ZYDIS_ISA_EXT_SSE4A] = true,
	[ZYDIS_ISA_EXT_SSSE3] = true,
	[ZYDIS_ISA_EXT_TBM] = true,
	[ZYDIS_ISA_EXT_VAES] = true,
	[ZYDIS_ISA_EXT_VPCLMULQDQ] = true,
	[ZYDIS_ISA_EXT_X87] = true,
	[ZYDIS_ISA_EXT_XOP] = true,
	[ZYDIS_ISA_EXT_XSAVEC] = true,
	[ZYDIS_ISA_EXT_XSAVEOPT] = true,
};

#define VERDICT(c, o) ((struct tdm_bt_verdict) { TDM_BTC_ ## c, TDM_BT_OP_ ## o })

static struct tdm_bt_verdict classify_mov(const struct tdm_insn *insn)
{
	if (insn->map == ZYDIS_OPCODE_MAP_DEFAULT) {
		if (insn->opcode == 0x8c && insn->opnd[0].kind == TDM_OPND_GPR)
			return insn->opnd[1].reg == TDM_SEG_CS || insn->opnd[1].reg == TDM_SEG_SS ?
			       VERDICT(SREG_READ, NONE) : VERDICT(CALLOUT, SREG_READ);
		return insn->opcode == 0x8c || insn->opcode == 0x8e ?
		       VERDICT(CALLOUT, INTERPRET) : VERDICT(IDENT, NONE);
	}
	if (insn->map == ZYDIS_OPCODE_MAP_0F && insn->opcode == 0x20) {
		unsigned int cr = insn->opnd[1].reg;

		if (cr == 0 || (cr >= 2 && cr <= 4))
			return VERDICT(CR_READ, NONE);
		if (cr == 8)
			return VERDICT(CALLOUT, CR_READ);
	}
	if (insn->map == ZYDIS_OPCODE_MAP_0F && insn->opcode == 0x22) {
		unsigned int cr = insn->opnd[0].reg;

		if (cr == 0 || cr == 3 || cr == 4)
			return VERDICT(STOP, CR_WRITE);
		if (cr == 2 || cr == 8)
			return VERDICT(CALLOUT, CR_WRITE);
	}
	return VERDICT(CALLOUT, INTERPRET);
}

/* JMP, CALL, RET: near direct, near indirect or far. */
static struct tdm_bt_verdict classify_near(const struct tdm_insn *insn,
					   struct tdm_bt_verdict v)
{
	if (insn->map != ZYDIS_OPCODE_MAP_DEFAULT)
		return VERDICT(STOP, INTERPRET);
	switch (insn->opcode) {
	case 0xe8: case 0xe9: case 0xeb: case 0xc2: case 0xc3:
		return v;
	case 0xff:
		if (insn->modrm_reg == 2)
			return VERDICT(CALL_IND, NONE);
		if (insn->modrm_reg == 4)
			return VERDICT(JMP_IND, NONE);
	}
	return VERDICT(STOP, INTERPRET);
}

/* Mnemonics of several natures. */
static struct tdm_bt_verdict refine(const struct tdm_insn *insn,
				    struct tdm_bt_verdict v)
{
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return classify_mov(insn);
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
		/* of a segment register */
		if (insn->map != ZYDIS_OPCODE_MAP_DEFAULT)
			return VERDICT(CALLOUT, INTERPRET);
		return v;
	case ZYDIS_MNEMONIC_SYSRET:
		if (!(insn->prefixes & TDM_PFX_REX_W))
			return VERDICT(STOP, INTERPRET);
		return v;
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		v = classify_near(insn, v);
	}
	/* AMD's 16-bit branches. */
	if (insn->opsize == 2 && v.cls >= TDM_BTC_JMP && v.cls <= TDM_BTC_CALL_IND)
		return VERDICT(STOP, INTERPRET);
	return v;
}

/**
 * tdm_bt_classify() - what to do with an instruction
 * @insn: decoded for TDM_MODE_LONG64
 * @work: the decoder's result for it
 */
struct tdm_bt_verdict tdm_bt_classify(const struct tdm_insn *insn,
				      const struct tdm_insn_work *work)
{
	struct tdm_bt_verdict v = by_mnemonic[insn->mnemonic];

	if (v.cls != TDM_BTC_CALLOUT || v.op)
		return refine(insn, v);
	if (same_extension[tdm_insn_raw(work)->zi.meta.isa_ext] && !insn->privileged)
		return VERDICT(IDENT, NONE);
	return VERDICT(CALLOUT, INTERPRET);
}
