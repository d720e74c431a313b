// SPDX-License-Identifier: GPL-2.0-only
/*
 * PUSH and POP in all their forms, ENTER and LEAVE.
 */
#include "internal.h"

/*
 * PUSH of a segment register moves RSP by the operand size but writes two
 * bytes only, as Intel processors do.
 */
static int push_seg(struct tdm_emul_ctxt *c, u16 sel, unsigned int size)
{
	unsigned int width = emul_stack_size(c);
	u64 sp = (emul_gpr(c, TDM_RSP, width) - size) & emul_mask(width);
	u64 wide = sel;
	int rc;

	rc = emul_write_seg(c, TDM_SEG_SS, sp, &wide,
			    c->features & TDM_EMUL_F_AMD ? size : 2);
	if (!rc)
		emul_set_gpr(c, TDM_RSP, width, sp);
	return rc;
}

/* PUSH */
int emul_op_push(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = emul_get(c, 0, &v);

	if (rc)
		return rc;
	if (emul_opnd(c, 0)->kind == TDM_OPND_SEG)
		return push_seg(c, v, c->insn->opsize);
	return emul_push(c, v, c->insn->opsize);
}

/*
 * POP. RSP moves before the destination's address is computed. POP to memory
 * that faults leaves RSP alone: the caller restores it.
 */
int emul_op_pop(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	unsigned int size = c->insn->opsize;
	u64 v;
	int rc;

	rc = emul_pop(c, &v, size);
	if (rc)
		return rc;
	if (op->kind == TDM_OPND_SEG) {
		if (op->reg == TDM_SEG_SS) {
			c->new_shadow = TDM_EMUL_SHADOW_MOV_SS;
			c->no_trap = true;
		}
		return emul_load_seg(c, op->reg, v);
	}
	return emul_put(c, 0, v);
}

/*
 * PUSHF: VM and RF are pushed as 0. In virtual-8086 mode with IOPL below 3 a
 * 16-bit PUSHF works under CR4.VME, with VIF in the place of IF.
 */
int emul_op_pushf(struct tdm_emul_ctxt *c)
{
	u64 f = c->regs->rflags & ~(u64)(X86_EFLAGS_VM | X86_EFLAGS_RF);

	if (emul_vm86(c) && emul_iopl(c) < 3) {
		if (!(c->cr4 & X86_CR4_VME) || c->insn->opsize != 2)
			return emul_gp(c, 0);
		f |= X86_EFLAGS_IOPL;
		f &= ~(u64)X86_EFLAGS_IF;
		if (c->regs->rflags & X86_EFLAGS_VIF)
			f |= X86_EFLAGS_IF;
	}
	return emul_push(c, f, c->insn->opsize);
}

/* POPF under CR4.VME in virtual-8086 mode with IOPL below 3. */
static int popf_vme(struct tdm_emul_ctxt *c)
{
	u64 mask = EMUL_ARITH_FLAGS | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT;
	u64 f, old = c->regs->rflags;
	int rc;

	if (!(c->cr4 & X86_CR4_VME) || c->insn->opsize != 2)
		return emul_gp(c, 0);
	rc = emul_pop(c, &f, 2);
	if (rc)
		return rc;
	if (((f & X86_EFLAGS_IF) && (old & X86_EFLAGS_VIP)) || (f & X86_EFLAGS_TF))
		return emul_gp(c, 0);
	emul_set_flags(c, mask, f);
	emul_flag(c, X86_EFLAGS_VIF, f & X86_EFLAGS_IF);
	return TDM_EMUL_DONE;
}

/* POPF: which flags it may change depends on CPL and IOPL. */
int emul_op_popf(struct tdm_emul_ctxt *c)
{
	u64 mask = EMUL_ARITH_FLAGS | X86_EFLAGS_TF | X86_EFLAGS_DF |
		   X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_ID;
	unsigned int cpl = emul_cpl(c);
	u64 f;
	int rc;

	if (emul_vm86(c) && emul_iopl(c) < 3)
		return popf_vme(c);
	rc = emul_pop(c, &f, c->insn->opsize);
	if (rc)
		return rc;
	if (cpl == 0)
		mask |= X86_EFLAGS_IOPL;
	if (cpl <= emul_iopl(c))
		mask |= X86_EFLAGS_IF;
	if (c->insn->opsize == 2)
		mask &= 0xffff;
	emul_set_flags(c, mask, f);
	/* VIP and VIF are cleared, but not in virtual-8086 mode. */
	if (c->insn->opsize != 2 && !emul_vm86(c))
		emul_set_flags(c, X86_EFLAGS_VIP | X86_EFLAGS_VIF, 0);
	return TDM_EMUL_DONE;
}

/* PUSHA: the SP pushed is the one before the instruction. */
int emul_op_pusha(struct tdm_emul_ctxt *c)
{
	return emul_push_many(c, c->saved.gpr, 8, c->insn->opsize);
}

/* POPA: the SP on the stack is skipped. */
int emul_op_popa(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;
	int reg, rc;
	u64 v;

	for (reg = TDM_RDI; reg >= TDM_RAX; reg--) {
		rc = emul_pop(c, &v, size);
		if (rc)
			return rc;
		if (reg != TDM_RSP)
			emul_set_gpr(c, reg, size, v);
	}
	return TDM_EMUL_DONE;
}

/*
 * ENTER. The frame pointers of the enclosing procedures are copied one by one;
 * the stack below the new frame must be writable, though nothing is written
 * there.
 */
int emul_op_enter(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize, width = emul_stack_size(c);
	unsigned int alloc = (u16)emul_opnd(c, 0)->imm;
	unsigned int level = emul_opnd(c, 1)->imm & 31, i;
	u64 frame, lin, v, bp = emul_gpr(c, TDM_RBP, width);
	int rc;

	rc = emul_push(c, emul_gpr(c, TDM_RBP, size), size);
	if (rc)
		return rc;
	frame = c->regs->gpr[TDM_RSP];
	for (i = 1; i < level; i++) {
		bp = (bp - size) & emul_mask(width);
		v = 0;
		rc = emul_read_seg(c, TDM_SEG_SS, bp, &v, size);
		if (!rc)
			rc = emul_push(c, v, size);
		if (rc)
			return rc;
	}
	if (level) {
		rc = emul_push(c, frame, size);
		if (rc)
			return rc;
	}
	emul_set_gpr(c, TDM_RSP, width, emul_gpr(c, TDM_RSP, width) - alloc);
	rc = emul_linear(c, TDM_SEG_SS, emul_gpr(c, TDM_RSP, width), size,
			 TDM_ACC_WRITE, &lin);
	if (!rc)
		rc = emul_check_align(c, lin, size);
	if (!rc)
		rc = emul_probe_lin(c, lin, size, TDM_ACC_WRITE);
	if (!rc)
		emul_set_gpr(c, TDM_RBP, size, frame);
	return rc;
}

/* LEAVE */
int emul_op_leave(struct tdm_emul_ctxt *c)
{
	unsigned int width = emul_stack_size(c);
	u64 v;
	int rc;

	emul_set_gpr(c, TDM_RSP, width, emul_gpr(c, TDM_RBP, width));
	rc = emul_pop(c, &v, c->insn->opsize);
	if (!rc)
		emul_set_gpr(c, TDM_RBP, c->insn->opsize, v);
	return rc;
}
