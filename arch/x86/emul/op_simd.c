// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves between vector registers and memory or general registers: what
 * software uses on devices and page tables. Arithmetic is not emulated.
 *
 * No floating-point code here: register contents travel as bytes through the
 * ops.
 */
#include "internal.h"
#include "table.h"

static bool is_vex(const struct tdm_emul_ctxt *c)
{
	return c->insn->prefixes & TDM_PFX_VEX;
}

/* The alignment check asks for 16 bytes at most. */
static int check_align(struct tdm_emul_ctxt *c, u64 lin, unsigned int size)
{
	return emul_check_align(c, lin, min_t(unsigned int, size, 16));
}

static int mem_read(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		    void *data, unsigned int size, bool aligned)
{
	u64 lin;
	int rc = emul_mem_linear(c, op, size, TDM_ACC_READ, &lin);

	if (!rc && aligned && (lin & (size - 1)))
		rc = emul_gp(c, 0);
	if (!rc)
		rc = check_align(c, lin, size);
	return rc ? rc : emul_read_lin(c, lin, data, size, TDM_ACC_READ);
}

static int mem_write(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		     const void *data, unsigned int size, bool aligned)
{
	u64 lin;
	int rc = emul_mem_linear(c, op, size, TDM_ACC_WRITE, &lin);

	if (!rc && aligned && (lin & (size - 1)))
		rc = emul_gp(c, 0);
	if (!rc)
		rc = check_align(c, lin, size);
	return rc ? rc : emul_write_lin(c, lin, data, size, TDM_ACC_WRITE);
}

static void get_vec(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		    u8 *data, unsigned int size)
{
	memset(data, 0, 32);
	c->ops->get_vec(c, op->reg, data, size > 16 ? 32 : 16);
}

static void set_vec(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		    const u8 *data, unsigned int size)
{
	c->ops->set_vec(c, op->reg, data, size > 16 ? 32 : 16, is_vex(c));
}

/* Whole registers: MOVAPS, MOVUPS, MOVDQA, ...; op->arg: must be aligned */
int emul_op_movvec(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *to = emul_opnd(c, 0), *from = emul_opnd(c, 1);
	unsigned int size = to->size;
	u8 *v = c->buf;
	int rc;

	if (size != 16 && size != 32)
		return TDM_EMUL_UNHANDLED;
	if (from->kind == TDM_OPND_MEM) {
		rc = mem_read(c, from, v, size, c->op->arg);
		if (!rc)
			set_vec(c, to, v, size);
		return rc;
	}
	if (from->kind != TDM_OPND_VEC)
		return TDM_EMUL_UNHANDLED;
	get_vec(c, from, v, size);
	if (to->kind == TDM_OPND_MEM)
		return mem_write(c, to, v, size, c->op->arg);
	set_vec(c, to, v, size);
	return TDM_EMUL_DONE;
}

/*
 * MOVD, MOVQ: a low element to or from a general register, memory, or a
 * register of the other kind; the rest of a vector destination becomes 0.
 */
int emul_op_movd(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *to = emul_opnd(c, 0), *from = emul_opnd(c, 1);
	unsigned int size = min_t(unsigned int, to->size, from->size);
	u8 *v = c->buf;
	u64 low = 0;
	int rc;

	switch (from->kind) {
	case TDM_OPND_VEC:
		get_vec(c, from, v, 16);
		memcpy(&low, v, 8);
		break;
	case TDM_OPND_MMX:
		low = c->ops->get_mmx(c, from->reg);
		break;
	default:
		rc = emul_get(c, 1, &low);
		if (rc)
			return rc;
	}
	if (size > 8)
		size = 8;
	low &= emul_mask(size);

	switch (to->kind) {
	case TDM_OPND_VEC:
		memset(v, 0, 16);
		memcpy(v, &low, 8);
		set_vec(c, to, v, 16);
		return TDM_EMUL_DONE;
	case TDM_OPND_MMX:
		c->ops->set_mmx(c, to->reg, low);
		return TDM_EMUL_DONE;
	default:
		return emul_put(c, 0, low);
	}
}

/*
 * MOVSS, MOVSD: from memory the rest becomes 0, between registers it stays
 * (VEX: comes from the second operand). op->arg: bytes of the scalar.
 */
int emul_op_movscalar(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *to = emul_opnd(c, 0), *from = emul_opnd(c, 1);
	unsigned int size = c->op->arg;
	u8 *v = c->buf, *low = c->buf + 32;
	int rc;

	if (from->kind == TDM_OPND_MEM) {
		memset(v, 0, 16);
		rc = mem_read(c, from, v, size, false);
		if (!rc)
			set_vec(c, to, v, 16);
		return rc;
	}
	if (to->kind == TDM_OPND_MEM) {
		get_vec(c, from, v, 16);
		return mem_write(c, to, v, size, false);
	}
	if (c->insn->nr_opnds == 3) {
		get_vec(c, from, v, 16);
		get_vec(c, emul_opnd(c, 2), low, 16);
	} else {
		get_vec(c, to, v, 16);
		get_vec(c, from, low, 16);
	}
	memcpy(v, low, size);
	set_vec(c, to, v, 16);
	return TDM_EMUL_DONE;
}

/*
 * MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS: one half. op->arg: offset
 * of the half in the destination; between registers the source is the other
 * half. With three operands the untouched half comes from the second.
 */
int emul_op_movhalf(struct tdm_emul_ctxt *c)
{
	unsigned int half = c->op->arg, n = c->insn->nr_opnds;
	const struct tdm_operand *to = emul_opnd(c, 0);
	const struct tdm_operand *from = emul_opnd(c, n - 1);
	u8 *v = c->buf, *src = c->buf + 32;
	int rc;

	if (to->kind == TDM_OPND_MEM) {
		get_vec(c, from, v, 16);
		return mem_write(c, to, v + half, 8, false);
	}
	if (from->kind == TDM_OPND_MEM) {
		rc = mem_read(c, from, src, 8, false);
		if (rc)
			return rc;
	} else {
		get_vec(c, from, src, 16);
		memmove(src, src + (8 - half), 8);
	}
	get_vec(c, n == 3 ? emul_opnd(c, 1) : to, v, 16);
	memcpy(v + half, src, 8);
	set_vec(c, to, v, 16);
	return TDM_EMUL_DONE;
}

/* MOVNTQ */
int emul_op_movntq(struct tdm_emul_ctxt *c)
{
	return emul_put(c, 0, c->ops->get_mmx(c, emul_opnd(c, 1)->reg));
}
