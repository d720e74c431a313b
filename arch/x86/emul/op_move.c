// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data movement between general registers, segment registers and memory.
 */
#include "internal.h"

static emul_fn special_mov(u8 kind)
{
	switch (kind) {
	case TDM_OPND_SEG:
		return emul_op_mov_seg;
	case TDM_OPND_CR:
		return emul_mov_cr;
	case TDM_OPND_DR:
		return emul_mov_dr;
	default:
		return NULL;
	}
}

/* MOV */
int emul_op_mov(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc;

	if (special_mov(emul_opnd(c, 0)->kind))
		return special_mov(emul_opnd(c, 0)->kind)(c);
	if (special_mov(emul_opnd(c, 1)->kind))
		return special_mov(emul_opnd(c, 1)->kind)(c);
	rc = emul_get(c, 1, &v);
	return rc ? rc : emul_put(c, 0, v);
}

/* MOVZX */
int emul_op_movzx(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = emul_get(c, 1, &v);

	return rc ? rc : emul_put(c, 0, v);
}

/* MOVSX, MOVSXD */
int emul_op_movsx(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = emul_get(c, 1, &v);

	return rc ? rc : emul_put(c, 0, emul_sext(v, emul_opnd(c, 1)->size));
}

/* LEA: no access, no segment */
int emul_op_lea(struct tdm_emul_ctxt *c)
{
	return emul_put(c, 0, emul_ea(c, emul_opnd(c, 1)));
}

/* XCHG: with memory it is always locked: fetch.c gives it the prefix. */
int emul_op_xchg(struct tdm_emul_ctxt *c)
{
	u64 a, b;
	int rc;

	rc = emul_get(c, 0, &a);
	if (!rc)
		rc = emul_get(c, 1, &b);
	if (!rc)
		rc = emul_put(c, 0, b);
	return rc ? rc : emul_put(c, 1, a);
}

/* BSWAP: undefined for 16 bits, where processors give 0. */
int emul_op_bswap(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v;
	int rc = emul_get(c, 0, &v);

	if (rc)
		return rc;
	v = size == 2 ? 0 : __builtin_bswap64(v) >> (64 - size * 8);
	return emul_put(c, 0, v);
}

/* MOVBE */
int emul_op_movbe(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	v = __builtin_bswap64(v) >> (64 - emul_opnd(c, 1)->size * 8);
	return emul_put(c, 0, v);
}

/*
 * CMOVcc: the source is read, and may fault, in any case; a 32-bit
 * destination loses its upper half in any case.
 */
int emul_op_cmov(struct tdm_emul_ctxt *c)
{
	u64 old, v;
	int rc;

	rc = emul_get(c, 1, &v);
	if (!rc)
		rc = emul_get(c, 0, &old);
	if (rc)
		return rc;
	return emul_put(c, 0, emul_cond(c, c->insn->opcode & 15) ? v : old);
}

/* SETcc */
int emul_op_setcc(struct tdm_emul_ctxt *c)
{
	return emul_put(c, 0, emul_cond(c, c->insn->opcode & 15));
}

/*
 * NOP and hints, whose memory operand is never accessed. Of AMD's prefetches
 * (0F 0D) there is no register form there, elsewhere it is a NOP.
 */
int emul_op_nop(struct tdm_emul_ctxt *c)
{
	if ((c->features & TDM_EMUL_F_AMD) && c->insn->map == 1 &&
	    c->insn->opcode == 0x0d && c->insn->modrm_mod == 3)
		return emul_ud(c);
	return TDM_EMUL_DONE;
}

/* XLAT */
int emul_op_xlat(struct tdm_emul_ctxt *c)
{
	u64 ea = (c->regs->gpr[TDM_RBX] + emul_gpr(c, TDM_RAX, 1)) &
		 emul_mask(c->insn->addrsize);
	u8 v;
	int rc = emul_read_seg(c, emul_string_seg(c), ea, &v, 1);

	if (!rc)
		emul_set_gpr(c, TDM_RAX, 1, v);
	return rc;
}

/* BOUND: two signed bounds in memory */
int emul_op_bound(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;
	u64 idx, lo = 0, hi = 0, ea = emul_ea(c, emul_opnd(c, 1));
	unsigned int seg = emul_opnd(c, 1)->seg;
	s64 i;
	int rc;

	rc = emul_get(c, 0, &idx);
	if (!rc)
		rc = emul_read_seg(c, seg, ea, &lo, size);
	if (!rc)
		rc = emul_read_seg(c, seg, (ea + size) & emul_mask(c->insn->addrsize),
				   &hi, size);
	if (rc)
		return rc;
	i = emul_sext(idx, size);
	if (i < emul_sext(lo, size) || i > emul_sext(hi, size))
		return emul_exc(c, EMUL_BR);
	return TDM_EMUL_DONE;
}

/* LDS, LES, LFS, LGS, LSS: op->arg is the segment register. */
int emul_op_lds(struct tdm_emul_ctxt *c)
{
	u64 off;
	u16 sel;
	int rc = emul_read_far(c, emul_opnd(c, 1), &sel, &off);

	if (!rc)
		rc = emul_load_seg(c, c->op->arg, sel);
	return rc ? rc : emul_put(c, 0, off);
}
