/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one instruction decoder: a thin wrapper over Zydis, shared by the
 * emulator, the translator and the exit handlers.
 *
 * It hides the decoder's types: who only needs "what instruction, which
 * operands" includes this file alone and needs no Zydis on its include path.
 * A stage that needs more (raw byte offsets, accessed flags) includes
 * insn-zydis.h and looks at the raw result, which is kept.
 *
 * Decoding needs a struct tdm_insn_work of about 1 KiB: it lives in a vCPU or a
 * translator context, never on the stack. There is no other state and no lock.
 */
#ifndef TDM_ARCH_X86_INSN_H
#define TDM_ARCH_X86_INSN_H

#include "state.h"

#define TDM_INSN_MAX_LEN	15	/* bytes; longer is #GP */
#define TDM_INSN_MAX_OPERANDS	5	/* explicit and implicit, not hidden */
#define TDM_REG_NONE		0xff
#define TDM_REG_RIP		0x10	/* as the base of a memory operand */

/**
 * enum tdm_cpu_mode - how code is decoded
 * @TDM_MODE_REAL: real mode and virtual-8086 mode
 * @TDM_MODE_PROT16: 16-bit code segment in protected or compatibility mode
 * @TDM_MODE_PROT32: 32-bit code segment in protected or compatibility mode
 * @TDM_MODE_LONG64: 64-bit mode
 * @TDM_NR_MODES: how many there are
 */
enum tdm_cpu_mode {
	TDM_MODE_REAL,
	TDM_MODE_PROT16,
	TDM_MODE_PROT32,
	TDM_MODE_LONG64,
	TDM_NR_MODES
};

/*
 * May be added to the mode: decode as an AMD processor. In 64-bit mode an
 * operand-size prefix then makes a near branch 16 bits wide; others ignore it.
 */
#define TDM_DECODE_AMD	0x80

/**
 * enum tdm_operand_kind - what an operand is
 * @TDM_OPND_NONE: no operand
 * @TDM_OPND_GPR: general register @reg, its low @size bytes
 * @TDM_OPND_GPR_HIGH: bits 8-15 of general register @reg (AH, CH, DH, BH)
 * @TDM_OPND_MEM: memory
 * @TDM_OPND_IMM: immediate, sign- or zero-extended to 64 bits as encoded
 * @TDM_OPND_REL: branch displacement from the next instruction
 * @TDM_OPND_FAR: far pointer in the code: @imm is the offset, @sel the selector
 * @TDM_OPND_SEG: segment register @reg (enum tdm_seg)
 * @TDM_OPND_CR: control register @reg
 * @TDM_OPND_DR: debug register @reg
 * @TDM_OPND_VEC: SSE/AVX register @reg, 16, 32 or 64 bytes
 * @TDM_OPND_MMX: MMX register @reg
 * @TDM_OPND_OTHER: anything else (x87, mask, bound, table registers, ...)
 */
enum tdm_operand_kind {
	TDM_OPND_NONE,
	TDM_OPND_GPR,
	TDM_OPND_GPR_HIGH,
	TDM_OPND_MEM,
	TDM_OPND_IMM,
	TDM_OPND_REL,
	TDM_OPND_FAR,
	TDM_OPND_SEG,
	TDM_OPND_CR,
	TDM_OPND_DR,
	TDM_OPND_VEC,
	TDM_OPND_MMX,
	TDM_OPND_OTHER,
};

#define TDM_OPND_READ	0x01	/* operand action: (maybe) read */
#define TDM_OPND_WRITE	0x02	/* operand action: (maybe) written */

/**
 * struct tdm_operand - a visible operand
 * @imm: immediate, branch displacement, far offset or memory displacement
 * @size: bytes
 * @sel: selector of a far pointer
 * @kind: enum tdm_operand_kind
 * @actions: TDM_OPND_READ | TDM_OPND_WRITE
 * @reg: register number for register kinds
 * @seg: segment of a memory operand (enum tdm_seg)
 * @base: base register of a memory operand, TDM_REG_RIP or TDM_REG_NONE
 * @index: index register of a memory operand or TDM_REG_NONE
 * @scale: 1, 2, 4 or 8; 0 without index
 * @no_access: memory operand is an address only (LEA and the like)
 */
struct tdm_operand {
	__u64 imm;
	__u16 size;
	__u16 sel;
	__u8 kind;
	__u8 actions;
	__u8 reg;
	__u8 seg;
	__u8 base;
	__u8 index;
	__u8 scale;
	__u8 no_access;
};

#define TDM_PFX_LOCK	0x01	/* F0 */
#define TDM_PFX_REPE	0x02	/* F3 is the last of the F2/F3 prefixes */
#define TDM_PFX_REPNE	0x04	/* F2 is the last of the F2/F3 prefixes */
#define TDM_PFX_OPSIZE	0x08	/* 66 */
#define TDM_PFX_ADDRSIZE 0x10	/* 67 */
#define TDM_PFX_REX_W	0x20	/* REX.W or VEX.W */
#define TDM_PFX_VEX	0x40	/* VEX encoded */
#define TDM_PFX_EVEX	0x80	/* EVEX, MVEX or XOP encoded */

/**
 * struct tdm_insn - a decoded instruction
 * @mnemonic: ZydisMnemonic
 * @mode: enum tdm_cpu_mode it was decoded for
 * @len: bytes, 1 to 15
 * @opsize: operand size in bytes: 1, 2, 4 or 8
 * @addrsize: address size in bytes: 2, 4 or 8
 * @map: opcode map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A, others as Zydis
 * @opcode: opcode byte within the map
 * @modrm_mod: ModRM.mod, TDM_REG_NONE without ModRM
 * @modrm_reg: ModRM.reg without extension bits
 * @prefixes: TDM_PFX_*
 * @seg_override: effective segment override (enum tdm_seg) or TDM_REG_NONE
 * @nr_opnds: valid entries in @opnd
 * @privileged: the decoder says it needs CPL 0
 * @opnd: visible operands, destination first
 * @bytes: the instruction itself, @len of them valid
 */
struct tdm_insn {
	__u16 mnemonic;
	__u8 mode;
	__u8 len;
	__u8 opsize;
	__u8 addrsize;
	__u8 map;
	__u8 opcode;
	__u8 modrm_mod;
	__u8 modrm_reg;
	__u8 prefixes;
	__u8 seg_override;
	__u8 nr_opnds;
	__u8 privileged;
	struct tdm_operand opnd[TDM_INSN_MAX_OPERANDS];
	__u8 bytes[TDM_INSN_MAX_LEN + 1];
};

/**
 * struct tdm_insn_work - what decoding needs room for
 * @raw: the decoder's own result (insn-zydis.h)
 */
struct tdm_insn_work {
	__u64 raw[112];
};

int tdm_insn_decode(struct tdm_insn *insn, struct tdm_insn_work *work,
		    const __u8 *bytes, size_t len, unsigned int mode);
const char *tdm_insn_name(const struct tdm_insn *insn);

#endif /* TDM_ARCH_X86_INSN_H */
