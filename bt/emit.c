// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoder of the translator, see emit.h. Must not write outside of the buffer,
 * whatever it is asked for.
 */
#include "bt/emit.h"

/**
 * tdm_emit_bytes() - copy bytes
 * @e: emitter
 * @bytes: what
 * @n: how many
 */
void tdm_emit_bytes(struct tdm_emit *e, const u8 *bytes, unsigned int n)
{
	if (e->overflow || n > e->max - e->len) {
		e->overflow = true;
		return;
	}
	memcpy(e->buf + e->len, bytes, n);
	e->len += n;
}

void tdm_emit_u8(struct tdm_emit *e, u8 v)
{
	tdm_emit_bytes(e, &v, 1);
}

void tdm_emit_u32(struct tdm_emit *e, u32 v)
{
	tdm_emit_bytes(e, (const u8 *)&v, 4);
}

void tdm_emit_u64(struct tdm_emit *e, u64 v)
{
	tdm_emit_bytes(e, (const u8 *)&v, 8);
}

/* The 32-bit displacement to @target of an instruction that ends @after later. */
static void emit_rel32(struct tdm_emit *e, u64 target, unsigned int after)
{
	u64 rel = target - (tdm_emit_here(e) + 4 + after);

	if (EMUL_CANNOT_BE(rel != (u64)(s64)(s32)rel))
		e->overflow = true;
	tdm_emit_u32(e, rel);
}

/**
 * tdm_emit_rip() - an instruction with a RIP-relative memory operand
 * @e: emitter
 * @op: opcode, TDM_X86_*
 * @reg: register operand or opcode extension
 * @target: address, within 2 GiB of the code
 * @imm_len: bytes of an immediate, which the caller emits
 */
void tdm_emit_rip(struct tdm_emit *e, u32 op, unsigned int reg, u64 target,
		  unsigned int imm_len)
{
	u8 rex = (op & TDM_X86_W ? 0x48 : 0) | (reg & 8 ? 0x44 : 0);

	if (rex)
		tdm_emit_u8(e, rex);
	if (op & TDM_X86_0F)
		tdm_emit_u8(e, 0x0f);
	tdm_emit_u8(e, op);
	tdm_emit_u8(e, (reg & 7) << 3 | 5);
	emit_rel32(e, target, imm_len);
}

/**
 * tdm_emit_state() - an instruction with a field of bt_state as operand
 * @e: emitter
 * @op: opcode, TDM_X86_*
 * @reg: register operand or opcode extension
 * @field: TDM_BTS_*
 */
void tdm_emit_state(struct tdm_emit *e, u32 op, unsigned int reg, unsigned int field)
{
	tdm_emit_rip(e, op, reg, e->state + field, 0);
}

/* mov dword [target], imm32 */
void tdm_emit_store_imm32(struct tdm_emit *e, u64 target, u32 imm)
{
	tdm_emit_rip(e, 0xc7, 0, target, 4);
	tdm_emit_u32(e, imm);
}

/**
 * tdm_emit_mov_imm() - the shortest MOV of a constant to a register
 * @e: emitter
 * @reg: enum tdm_reg
 * @imm: 64-bit value
 */
void tdm_emit_mov_imm(struct tdm_emit *e, unsigned int reg, u64 imm)
{
	u8 b = reg & 8 ? 1 : 0;

	if (imm == (u32)imm) {
		if (b)
			tdm_emit_u8(e, 0x41);
		tdm_emit_u8(e, 0xb8 | (reg & 7));
		tdm_emit_u32(e, imm);
	} else if (imm == (u64)(s64)(s32)imm) {
		tdm_emit_u8(e, 0x48 | b);
		tdm_emit_u8(e, 0xc7);
		tdm_emit_u8(e, 0xc0 | (reg & 7));
		tdm_emit_u32(e, imm);
	} else {
		tdm_emit_u8(e, 0x48 | b);
		tdm_emit_u8(e, 0xb8 | (reg & 7));
		tdm_emit_u64(e, imm);
	}
}

void tdm_emit_mov_reg(struct tdm_emit *e, unsigned int dst, unsigned int src)
{
	tdm_emit_u8(e, 0x48 | (src & 8 ? 4 : 0) | (dst & 8 ? 1 : 0));
	tdm_emit_u8(e, 0x89);
	tdm_emit_u8(e, 0xc0 | (src & 7) << 3 | (dst & 7));
}

/* lea rsp, [rsp + disp]; @disp is not negative */
void tdm_emit_lea_rsp(struct tdm_emit *e, u32 disp)
{
	static const u8 lea8[] = { 0x48, 0x8d, 0x64, 0x24 };
	static const u8 lea32[] = { 0x48, 0x8d, 0xa4, 0x24 };

	if (disp < 128) {
		tdm_emit_bytes(e, lea8, 4);
		tdm_emit_u8(e, disp);
	} else {
		tdm_emit_bytes(e, lea32, 4);
		tdm_emit_u32(e, disp);
	}
}

void tdm_emit_jmp(struct tdm_emit *e, u64 target)
{
	tdm_emit_u8(e, 0xe9);
	emit_rel32(e, target, 0);
}

void tdm_emit_jcc(struct tdm_emit *e, unsigned int cc, u64 target)
{
	tdm_emit_u8(e, 0x0f);
	tdm_emit_u8(e, 0x80 | (cc & 15));
	emit_rel32(e, target, 0);
}

/**
 * tdm_emit_nop() - do nothing, in one instruction
 * @e: emitter
 * @n: 0 to 3 bytes
 */
void tdm_emit_nop(struct tdm_emit *e, unsigned int n)
{
	static const u8 nops[4][3] = { {}, { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0x00 } };

	tdm_emit_bytes(e, nops[n & 3], n & 3);
}

/**
 * tdm_emit_pad() - see that the rel32 of the next branch is in one 64-byte line
 * @e: emitter
 * @opcode_len: bytes before the rel32
 */
void tdm_emit_pad(struct tdm_emit *e, unsigned int opcode_len)
{
	unsigned int at = (tdm_emit_here(e) + opcode_len) & 63;

	if (at > 60)
		tdm_emit_nop(e, 64 - at);
}

void tdm_emit_callout(struct tdm_emit *e, u32 id)
{
	tdm_emit_u8(e, 0xcd);
	tdm_emit_u8(e, TDM_BT_VEC_CALLOUT);
	tdm_emit_u32(e, id);
}
