// SPDX-License-Identifier: GPL-2.0-only
/*
 * Near branches.
 *
 * In 64-bit mode the operand size of a near branch is 64 bits whatever the
 * prefixes, but on AMD processors 16 bits with 66: the decoder knows.
 */
#include "internal.h"
#include "table.h"

/**
 * emul_check_target() - may execution go on there?
 * @c: context
 * @cs: code segment it will go on in
 * @rip: offset; all of it counts: a 64-bit one is beyond every limit
 *
 * Return: DONE or FAULT, #GP(0).
 */
int emul_check_target(struct tdm_emul_ctxt *c, const struct tdm_segment *cs,
		      u64 rip)
{
	if (emul_lma(c) && (cs->ar & TDM_AR_L)) {
		if (!emul_canonical(c, rip))
			return emul_gp(c, 0);
	} else if (rip > cs->limit) {
		return emul_gp(c, 0);
	}
	return TDM_EMUL_DONE;
}

static int jump(struct tdm_emul_ctxt *c, u64 rip)
{
	int rc;

	rip &= emul_mask(c->insn->opsize);
	rc = emul_check_target(c, emul_seg(c, TDM_SEG_CS), rip);
	if (!rc)
		c->next_rip = rip;
	return rc;
}

static int jump_relative(struct tdm_emul_ctxt *c)
{
	return jump(c, c->regs->rip + c->insn->len + emul_opnd(c, 0)->imm);
}

/* JMP near, direct or through register or memory; far forms in op_far.c */
int emul_op_jmp(struct tdm_emul_ctxt *c)
{
	u64 rip;
	int rc;

	if (emul_is_far(c))
		return emul_far_jmp(c);
	if (emul_opnd(c, 0)->kind == TDM_OPND_REL)
		return jump_relative(c);
	rc = emul_get(c, 0, &rip);
	return rc ? rc : jump(c, rip);
}

/* Jcc */
int emul_op_jcc(struct tdm_emul_ctxt *c)
{
	return emul_cond(c, c->insn->opcode & 15) ? jump_relative(c) :
						   TDM_EMUL_DONE;
}

/* JCXZ, JECXZ, JRCXZ */
int emul_op_jcxz(struct tdm_emul_ctxt *c)
{
	return emul_gpr(c, TDM_RCX, c->insn->addrsize) ? TDM_EMUL_DONE :
							jump_relative(c);
}

/*
 * Condition code of LOOP, LOOPE, LOOPNE, or LOOP_ALWAYS. On AMD processors a
 * REP prefix, meaningless here, replaces the condition of the latter two.
 */
static unsigned int loop_condition(const struct tdm_emul_ctxt *c)
{
	if (c->op->arg == LOOP_ALWAYS || !(c->features & TDM_EMUL_F_AMD))
		return c->op->arg;
	if (c->insn->prefixes & TDM_PFX_REPE)
		return 4;
	if (c->insn->prefixes & TDM_PFX_REPNE)
		return 5;
	return c->op->arg;
}

/* LOOP, LOOPE, LOOPNE; op->arg as above */
int emul_op_loop(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->addrsize, cc = loop_condition(c);
	u64 count = (emul_gpr(c, TDM_RCX, size) - 1) & emul_mask(size);

	emul_set_gpr(c, TDM_RCX, size, count);
	if (!count || (cc != LOOP_ALWAYS && !emul_cond(c, cc)))
		return TDM_EMUL_DONE;
	return jump_relative(c);
}

/* CALL near */
int emul_op_call(struct tdm_emul_ctxt *c)
{
	u64 rip, back = c->next_rip;
	int rc;

	if (emul_is_far(c))
		return emul_far_call(c);
	if (emul_opnd(c, 0)->kind == TDM_OPND_REL) {
		rc = jump_relative(c);
	} else {
		rc = emul_get(c, 0, &rip);
		if (!rc)
			rc = jump(c, rip);
	}
	return rc ? rc : emul_push(c, back, c->insn->opsize);
}

/* RET near, with or without releasing parameters */
int emul_op_ret(struct tdm_emul_ctxt *c)
{
	u64 rip;
	int rc;

	if (emul_is_far(c))
		return emul_far_ret(c);
	rc = emul_pop(c, &rip, c->insn->opsize);
	if (rc)
		return rc;
	if (c->insn->nr_opnds)
		emul_release(c, emul_opnd(c, 0)->imm);
	return jump(c, rip);
}
