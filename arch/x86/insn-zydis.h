/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decoder's own view of a decoded instruction, for those few files that
 * need more than insn.h offers. Needs the Zydis include paths and flags of
 * zydis/Kbuild.inc (TDM_ZYDIS_CFLAGS).
 */
#ifndef TDM_ARCH_X86_INSN_ZYDIS_H
#define TDM_ARCH_X86_INSN_ZYDIS_H

#include <Zydis/Decoder.h>

#include "insn.h"

/**
 * struct tdm_insn_raw - what lies in tdm_insn_work.raw
 * @zi: the instruction
 * @zo: its visible operands, zi.operand_count_visible of them
 * @zc: the decoder's context, for decoding hidden operands too
 */
struct tdm_insn_raw {
	ZydisDecodedInstruction zi;
	ZydisDecodedOperand zo[TDM_INSN_MAX_OPERANDS];
	ZydisDecoderContext zc;
};

/**
 * tdm_insn_raw() - the decoder's own result
 * @work: of an instruction that was successfully decoded
 */
static inline const struct tdm_insn_raw *tdm_insn_raw(const struct tdm_insn_work *work)
{
	return (const struct tdm_insn_raw *)work->raw;
}

#endif /* TDM_ARCH_X86_INSN_ZYDIS_H */
