// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dispatch table: mnemonic to handler. An instruction that is not here is
 * not emulated: the step ends with TDM_EMUL_UNHANDLED.
 */
#include "internal.h"
#include "table.h"

#include <Zydis/Mnemonic.h>

#define M(mnemonic)	ZYDIS_MNEMONIC_ ## mnemonic
#define OP(name, ...)	{ emul_op_ ## name, __VA_ARGS__ }

static const struct tdm_emul_op table[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	/* arithmetic and logic */
	[M(ADD)] = OP(alu, ALU_ADD),
	[M(ADC)] = OP(alu, ALU_ADC),
	[M(SUB)] = OP(alu, ALU_SUB),
	[M(SBB)] = OP(alu, ALU_SBB),
	[M(CMP)] = OP(alu, ALU_CMP),
	[M(AND)] = OP(alu, ALU_AND),
	[M(OR)] = OP(alu, ALU_OR),
	[M(XOR)] = OP(alu, ALU_XOR),
	[M(TEST)] = OP(test),
	[M(INC)] = OP(unary, UNARY_INC),
	[M(DEC)] = OP(unary, UNARY_DEC),
	[M(NEG)] = OP(unary, UNARY_NEG),
	[M(NOT)] = OP(unary, UNARY_NOT),
	[M(CMPXCHG)] = OP(cmpxchg),
	[M(XADD)] = OP(xadd),

	/* data movement */
	[M(MOV)] = OP(mov),
	[M(MOVZX)] = OP(movzx),
	[M(MOVSX)] = OP(movsx),
	[M(MOVSXD)] = OP(movsx),
	[M(LEA)] = OP(lea),
	[M(XCHG)] = OP(xchg),
	[M(BSWAP)] = OP(bswap),
	[M(MOVBE)] = OP(movbe, .feature = TDM_EMUL_F_MOVBE),
	[M(MOVNTI)] = OP(mov),
	[M(MOVDIRI)] = OP(mov, .feature = TDM_EMUL_F_MOVDIRI),

	/* strings */
	[M(MOVSB)] = OP(movs, 1),
	[M(MOVSW)] = OP(movs, 2),
	[M(MOVSD)] = OP(movsd, 4),
	[M(MOVSQ)] = OP(movs, 8),
	[M(CMPSB)] = OP(cmps, 1),
	[M(CMPSW)] = OP(cmps, 2),
	[M(CMPSD)] = OP(cmpsd, 4),
	[M(CMPSQ)] = OP(cmps, 8),
	[M(STOSB)] = OP(stos, 1),
	[M(STOSW)] = OP(stos, 2),
	[M(STOSD)] = OP(stos, 4),
	[M(STOSQ)] = OP(stos, 8),
	[M(LODSB)] = OP(lods, 1),
	[M(LODSW)] = OP(lods, 2),
	[M(LODSD)] = OP(lods, 4),
	[M(LODSQ)] = OP(lods, 8),
	[M(SCASB)] = OP(scas, 1),
	[M(SCASW)] = OP(scas, 2),
	[M(SCASD)] = OP(scas, 4),
	[M(SCASQ)] = OP(scas, 8),

	/* ports */
	[M(IN)] = OP(in),
	[M(OUT)] = OP(out),
	[M(INSB)] = OP(ins, 1),
	[M(INSW)] = OP(ins, 2),
	[M(INSD)] = OP(ins, 4),
	[M(OUTSB)] = OP(outs, 1),
	[M(OUTSW)] = OP(outs, 2),
	[M(OUTSD)] = OP(outs, 4),

	/* stack */
	[M(PUSH)] = OP(push),
	[M(POP)] = OP(pop),
	[M(PUSHF)] = OP(pushf),
	[M(PUSHFD)] = OP(pushf),
	[M(PUSHFQ)] = OP(pushf),
	[M(POPF)] = OP(popf),
	[M(POPFD)] = OP(popf),
	[M(POPFQ)] = OP(popf),
	[M(PUSHA)] = OP(pusha),
	[M(PUSHAD)] = OP(pusha),
	[M(POPA)] = OP(popa),
	[M(POPAD)] = OP(popa),

	/* flags */
	[M(CLC)] = OP(flag, FLAG_CLC),
	[M(STC)] = OP(flag, FLAG_STC),
	[M(CMC)] = OP(flag, FLAG_CMC),
	[M(CLD)] = OP(flag, FLAG_CLD),
	[M(STD)] = OP(flag, FLAG_STD),
	[M(CLI)] = OP(cli),
	[M(STI)] = OP(sti),
	[M(LAHF)] = OP(lahf),
	[M(SAHF)] = OP(sahf),

	/* bits */
	[M(BT)] = OP(bt, BT_TEST),
	[M(BTS)] = OP(bt, BT_SET),
	[M(BTR)] = OP(bt, BT_RESET),
	[M(BTC)] = OP(bt, BT_COMPLEMENT),
};

/**
 * emul_lookup() - how an instruction is emulated
 * @insn: decoded instruction
 *
 * Return: its entry, NULL if it is not emulated.
 */
const struct tdm_emul_op *emul_lookup(const struct tdm_insn *insn)
{
	const struct tdm_emul_op *op;

	if (insn->mnemonic >= ARRAY_SIZE(table) ||
	    (insn->prefixes & TDM_PFX_EVEX))
		return NULL;
	op = &table[insn->mnemonic];
	return op->fn ? op : NULL;
}
