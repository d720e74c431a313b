/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Encoder of the translator: the few x86 encodings its sequences consist of.
 * Every byte is bounds-checked; what does not fit sets @overflow and is
 * dropped. No policy: what to emit, and what it means for the guest, is the
 * caller's business.
 */
#ifndef TDM_BT_EMIT_H
#define TDM_BT_EMIT_H

#include "arch/x86/emul/port.h"
#include "bt/layout.h"

/**
 * struct tdm_emit - where code goes
 * @buf: room for @max bytes
 * @va: address the first byte will run at
 * @state: address of struct tdm_bt_state, within 2 GiB of the code
 * @len: bytes so far
 * @max: room in @buf
 * @overflow: something did not fit
 */
struct tdm_emit {
	u8 *buf;
	u64 va;
	u64 state;
	u16 len;
	u16 max;
	bool overflow;
};

/* Opcodes of tdm_emit_rip() and tdm_emit_state(): map and REX.W besides. */
#define TDM_X86_W		0x10000	/* REX.W */
#define TDM_X86_0F		0x20000
#define TDM_X86_STORE		(TDM_X86_W | 0x89)	/* mov [m], r64 */
#define TDM_X86_STORE32		0x89			/* mov [m], r32 */
#define TDM_X86_LOAD		(TDM_X86_W | 0x8b)	/* mov r64, [m] */
#define TDM_X86_LOAD32		0x8b			/* mov r32, [m] */
#define TDM_X86_LEA		(TDM_X86_W | 0x8d)	/* lea r64, [m] */
#define TDM_X86_XOR		(TDM_X86_W | 0x33)	/* xor r64, [m] */
#define TDM_X86_OR		(TDM_X86_W | 0x0b)	/* or r64, [m] */
#define TDM_X86_MOVZX16		(TDM_X86_0F | 0xb7)	/* movzx r32, word [m] */
#define TDM_X86_POP_M		0x8f			/* /0: pop [m] */

#define TDM_JMP_LEN		5	/* JMP rel32 */
#define TDM_JCC_LEN		6	/* Jcc rel32 */

void tdm_emit_bytes(struct tdm_emit *e, const u8 *bytes, unsigned int n);
void tdm_emit_u8(struct tdm_emit *e, u8 v);
void tdm_emit_u32(struct tdm_emit *e, u32 v);
void tdm_emit_u64(struct tdm_emit *e, u64 v);
void tdm_emit_rip(struct tdm_emit *e, u32 op, unsigned int reg, u64 target,
		  unsigned int imm_len);
void tdm_emit_state(struct tdm_emit *e, u32 op, unsigned int reg, unsigned int field);
void tdm_emit_store_imm32(struct tdm_emit *e, u64 target, u32 imm);
void tdm_emit_mov_imm(struct tdm_emit *e, unsigned int reg, u64 imm);
void tdm_emit_mov_reg(struct tdm_emit *e, unsigned int dst, unsigned int src);
void tdm_emit_lea_rsp(struct tdm_emit *e, u32 disp);
void tdm_emit_jmp(struct tdm_emit *e, u64 target);
void tdm_emit_jcc(struct tdm_emit *e, unsigned int cc, u64 target);
void tdm_emit_pad(struct tdm_emit *e, unsigned int opcode_len);
void tdm_emit_nop(struct tdm_emit *e, unsigned int n);
void tdm_emit_callout(struct tdm_emit *e, u32 id);

/**
 * tdm_emit_here() - address of the next byte
 * @e: emitter
 */
static inline u64 tdm_emit_here(const struct tdm_emit *e)
{
	return e->va + e->len;
}

/**
 * tdm_emit_short() - fill in the rel8 of a short branch that was emitted
 * @e: emitter
 * @at: offset of the byte behind the branch
 *
 * It leads to the next byte emitted.
 */
static inline void tdm_emit_short(struct tdm_emit *e, unsigned int at)
{
	if (e->overflow || EMUL_CANNOT_BE(!at || e->len - at > 127))
		e->overflow = true;
	else
		e->buf[at - 1] = e->len - at;
}

#endif /* TDM_BT_EMIT_H */
