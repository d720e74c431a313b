// SPDX-License-Identifier: GPL-2.0-only
/*
 * Far JMP, CALL and RET, through code segments and call gates.
 */
#include "internal.h"
#include "desc.h"

static int far_operand(struct tdm_emul_ctxt *c, u16 *sel, u64 *off)
{
	const struct tdm_operand *op = emul_opnd(c, 0);

	if (op->kind == TDM_OPND_MEM)
		return emul_read_far(c, op, sel, off);
	*sel = op->sel;
	*off = op->imm & emul_mask(c->insn->opsize);
	return TDM_EMUL_DONE;
}

/* Real and virtual-8086 mode. */
static int far_real(struct tdm_emul_ctxt *c, u16 sel, u64 off, bool call)
{
	u64 frame[2] = { emul_seg(c, TDM_SEG_CS)->selector, c->next_rip };
	int rc = emul_check_target(c, emul_seg(c, TDM_SEG_CS), off);

	if (!rc && call)
		rc = emul_push_many(c, frame, 2, c->insn->opsize);
	if (rc)
		return rc;
	emul_load_seg_real(c, TDM_SEG_CS, sel);
	c->next_rip = off;
	return TDM_EMUL_DONE;
}

/* Straight to a code segment. */
static int far_direct(struct tdm_emul_ctxt *c, u16 sel, u64 off,
		      struct emul_desc *d, bool call)
{
	u64 frame[2] = { emul_seg(c, TDM_SEG_CS)->selector, c->next_rip };
	unsigned int cpl = emul_cpl(c), dpl = emul_desc_dpl(d);
	struct tdm_segment s;
	int rc;

	if (emul_desc_type(d) & TDM_AR_DC ? dpl > cpl :
					    (sel & 3) > cpl || dpl != cpl)
		return emul_gp(c, sel & ~3u);
	if (!(d->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, sel & ~3u);
	tdm_segment_from_desc(&s, d->raw, sel);
	rc = emul_check_target(c, &s, off);
	/* AMD processors push as in the mode they go to, Intel's as they are. */
	if (emul_lma(c) && (s.ar & TDM_AR_L) && (c->features & TDM_EMUL_F_AMD))
		c->mode = TDM_MODE_LONG64;
	if (!rc && call)
		rc = emul_push_many(c, frame, 2, c->insn->opsize);
	return rc ? rc : emul_load_cs(c, d, sel, cpl, off);
}

/* Copy the parameters of a 16- or 32-bit call gate from the old stack. */
static int gate_params(struct tdm_emul_ctxt *c, u64 *frame, unsigned int count,
		       unsigned int size)
{
	unsigned int width = emul_stack_size(c), i;
	u64 sp = emul_gpr(c, TDM_RSP, width);
	int rc;

	for (i = count; i; i--) {
		u64 ea = (sp + (i - 1) * size) & emul_mask(width);

		frame[count - i] = 0;
		rc = emul_read_seg(c, TDM_SEG_SS, ea, &frame[count - i], size);
		if (rc)
			return rc;
	}
	return TDM_EMUL_DONE;
}

/* CALL through a gate to a more privileged level. */
static int gate_inner(struct tdm_emul_ctxt *c, u64 gate, u16 sel, u64 off,
		      struct emul_desc *d, unsigned int size)
{
	unsigned int cpl = emul_desc_dpl(d);
	unsigned int params = size == 8 ? 0 : gate >> 32 & 31, n = 0;
	u64 *frame = (u64 *)c->buf;
	u64 cs = emul_seg(c, TDM_SEG_CS)->selector;
	u16 ss;
	int rc;

	static_assert(sizeof(c->buf) >= (31 + 4) * sizeof(u64));
	frame[n++] = emul_seg(c, TDM_SEG_SS)->selector;
	frame[n++] = c->regs->gpr[TDM_RSP];
	rc = gate_params(c, frame + n, params, size);
	n += params;
	frame[n++] = cs;
	frame[n++] = c->next_rip;
	if (!rc)
		rc = emul_inner_stack(c, cpl, 0);
	if (rc)
		return rc;
	rc = emul_push_many(c, frame, n, size);
	ss = emul_seg(c, TDM_SEG_SS)->selector;
	if (rc == TDM_EMUL_FAULT && c->event.vector == EMUL_SS && !c->event.error)
		c->event.error = ss & ~3u;
	return rc ? rc : emul_load_cs(c, d, sel, cpl, off);
}

/* The code segment a call gate names. */
static int gate_target(struct tdm_emul_ctxt *c, u16 sel, bool call,
		       struct emul_desc *d)
{
	unsigned int cpl = emul_cpl(c), dpl;
	bool conforming;
	int rc;

	if (!(sel & ~3u))
		return emul_gp(c, 0);
	rc = emul_read_desc(c, sel, EMUL_GP, d);
	if (rc)
		return rc;
	dpl = emul_desc_dpl(d);
	conforming = emul_desc_type(d) & TDM_AR_DC;
	if (!emul_desc_is_code(c, d) || dpl > cpl ||
	    (!call && !conforming && dpl != cpl))
		return emul_gp(c, sel & ~3u);
	if (emul_lma(c) && !(d->raw & EMUL_DESC_L))
		return emul_gp(c, sel & ~3u);
	if (!(d->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, sel & ~3u);
	return TDM_EMUL_DONE;
}

/* Upper half of a 16-byte gate: offset, and a type that must be 0. */
static int gate_upper(struct tdm_emul_ctxt *c, u16 sel, u64 *off)
{
	u64 lin, upper;
	int rc;

	if (!emul_desc_linear(c, sel, 16, &lin))
		return emul_gp(c, sel & ~3u);
	rc = emul_read_lin(c, lin + 8, &upper, 8,
			   TDM_ACC_READ | TDM_ACC_IMPLICIT);
	if (rc)
		return rc;
	if (upper >> 40 & 0x1f)
		return emul_gp(c, sel & ~3u);
	*off |= upper << 32;
	return TDM_EMUL_DONE;
}

static int far_gate(struct tdm_emul_ctxt *c, u16 gate_sel,
		    const struct emul_desc *gate, bool call)
{
	unsigned int type = emul_desc_type(gate), cpl = emul_cpl(c);
	unsigned int size = emul_lma(c) ? 8 : type == EMUL_SYS_CALL ? 4 : 2;
	u16 sel = gate->raw >> 16;
	u64 off = (gate->raw & 0xffff);
	u64 frame[2] = { emul_seg(c, TDM_SEG_CS)->selector, c->next_rip };
	struct emul_desc d;
	int rc;

	if (size >= 4)
		off |= gate->raw >> 48 << 16;
	if (emul_desc_dpl(gate) < cpl || emul_desc_dpl(gate) < (gate_sel & 3u))
		return emul_gp(c, gate_sel & ~3u);
	if (!(gate->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, gate_sel & ~3u);
	if (size == 8) {
		rc = gate_upper(c, gate_sel, &off);
		if (rc)
			return rc;
	}
	rc = gate_target(c, sel, call, &d);
	if (rc)
		return rc;
	if (call && !(emul_desc_type(&d) & TDM_AR_DC) && emul_desc_dpl(&d) < cpl)
		return gate_inner(c, gate->raw, sel, off, &d, size);
	if (call) {
		if (size == 8)
			c->mode = TDM_MODE_LONG64;
		rc = emul_push_many(c, frame, 2, size);
		if (rc)
			return rc;
	}
	return emul_load_cs(c, &d, sel, cpl, off);
}

static int far_transfer(struct tdm_emul_ctxt *c, bool call)
{
	struct emul_desc d;
	u16 sel;
	u64 off;
	int rc = far_operand(c, &sel, &off);

	if (rc)
		return rc;
	if (emul_real_segs(c))
		return far_real(c, sel, off, call);
	if (!(sel & ~3u))
		return emul_gp(c, 0);
	rc = emul_read_desc(c, sel, EMUL_GP, &d);
	if (rc)
		return rc;
	if (d.raw & EMUL_DESC_S) {
		if (!emul_desc_is_code(c, &d))
			return emul_gp(c, sel & ~3u);
		return far_direct(c, sel, off, &d, call);
	}
	switch (emul_desc_type(&d)) {
	case EMUL_SYS_CALL:
		return far_gate(c, sel, &d, call);
	case EMUL_SYS_CALL16:
		return emul_lma(c) ? emul_gp(c, sel & ~3u) :
				     far_gate(c, sel, &d, call);
	case EMUL_SYS_TSS16:
	case EMUL_SYS_TSS:
	case EMUL_SYS_TASK:
		return emul_lma(c) ? emul_gp(c, sel & ~3u) : TDM_EMUL_UNHANDLED;
	default:
		return emul_gp(c, sel & ~3u);
	}
}

int emul_far_jmp(struct tdm_emul_ctxt *c)
{
	return far_transfer(c, false);
}

int emul_far_call(struct tdm_emul_ctxt *c)
{
	return far_transfer(c, true);
}

/**
 * emul_return_cs() - check a code segment that is returned to
 * @c: context
 * @sel: selector from the stack
 * @d: its descriptor
 *
 * Return: enum tdm_emul_rc.
 */
int emul_return_cs(struct tdm_emul_ctxt *c, u16 sel, struct emul_desc *d)
{
	unsigned int rpl = sel & 3;
	int rc;

	if (!(sel & ~3u))
		return emul_gp(c, 0);
	rc = emul_read_desc(c, sel, EMUL_GP, d);
	if (rc)
		return rc;
	if (!emul_desc_is_code(c, d) || rpl < emul_cpl(c))
		return emul_gp(c, sel & ~3u);
	if (emul_desc_type(d) & TDM_AR_DC ? emul_desc_dpl(d) > rpl :
					    emul_desc_dpl(d) != rpl)
		return emul_gp(c, sel & ~3u);
	if (!(d->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, sel & ~3u);
	return TDM_EMUL_DONE;
}

/**
 * emul_return_outer() - return to a less privileged level
 * @c: context; CS has been loaded
 * @ss: SS selector from the old stack
 * @sp: RSP from the old stack
 * @release: parameter bytes to take off the outer stack too
 * @size: operand size in bytes
 *
 * Return: enum tdm_emul_rc.
 */
int emul_return_outer(struct tdm_emul_ctxt *c, u16 ss, u64 sp,
		      unsigned int release, unsigned int size)
{
	const struct tdm_segment *cs = emul_seg(c, TDM_SEG_CS);
	unsigned int width, cpl = cs->selector & 3;
	int rc = emul_outer_ss(c, ss, cs);

	if (rc)
		return rc;
	if (emul_lma(c) && (cs->ar & TDM_AR_L))
		width = 8;
	else
		width = emul_seg(c, TDM_SEG_SS)->ar & TDM_AR_DB ? 4 : 2;
	/* A 16-bit stack takes only SP; a 16-bit operand gives only SP. */
	sp &= emul_mask(size);
	emul_set_gpr(c, TDM_RSP, width, sp + release);
	if (cpl != emul_cpl(c))
		emul_drop_segments(c, cpl);
	return TDM_EMUL_DONE;
}

/* RET far */
int emul_far_ret(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;
	unsigned int release = c->insn->nr_opnds ? (u16)emul_opnd(c, 0)->imm : 0;
	u64 rip, sel, sp, ss;
	struct emul_desc d;
	int rc;

	rc = emul_pop(c, &rip, size);
	if (!rc)
		rc = emul_pop(c, &sel, size);
	if (rc)
		return rc;
	sel = (u16)sel;
	if (emul_real_segs(c)) {
		rc = emul_check_target(c, emul_seg(c, TDM_SEG_CS), rip);
		if (rc)
			return rc;
		emul_load_seg_real(c, TDM_SEG_CS, sel);
		emul_release(c, release);
		c->next_rip = rip;
		return TDM_EMUL_DONE;
	}
	rc = emul_return_cs(c, sel, &d);
	if (rc)
		return rc;
	emul_release(c, release);
	if ((sel & 3) == emul_cpl(c))
		return emul_load_cs(c, &d, sel, sel & 3, rip);
	rc = emul_pop(c, &sp, size);
	if (!rc)
		rc = emul_pop(c, &ss, size);
	if (!rc)
		rc = emul_load_cs(c, &d, sel, sel & 3, rip);
	return rc ? rc : emul_return_outer(c, ss, sp, release, size);
}
