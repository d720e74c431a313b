// SPDX-License-Identifier: GPL-2.0-only
/*
 * A short cut for MOV between a register (or immediate) and memory: most writes
 * to page tables, most accesses to devices, much of any code.
 *
 * Part of the instruction cache: only what was found there comes here, so that
 * without the cache there is no short cut either. It does nothing that the
 * ordinary way would do otherwise: whenever anything is out of the ordinary it
 * returns false with nothing done, and the ordinary way starts from the
 * beginning.
 */
#include "internal.h"

/**
 * emul_fast_kind() - can an instruction take the short cut?
 * @op: its entry in the dispatch table, may be NULL
 * @insn: decoded instruction
 *
 * Return: enum emul_fast.
 */
u8 emul_fast_kind(const struct tdm_emul_op *op, const struct tdm_insn *insn)
{
	const struct tdm_operand *dst = &insn->opnd[0], *src = &insn->opnd[1];

	if (!op || op->flags || op->feature || insn->nr_opnds != 2)
		return EMUL_FAST_NONE;
	if (op->fn == emul_op_mov && dst->kind == TDM_OPND_MEM && dst->size <= 8) {
		if (src->kind == TDM_OPND_GPR)
			return EMUL_FAST_STORE_REG;
		if (src->kind == TDM_OPND_IMM)
			return EMUL_FAST_STORE_IMM;
	}
	if ((op->fn == emul_op_mov || op->fn == emul_op_movzx) &&
	    dst->kind == TDM_OPND_GPR && src->kind == TDM_OPND_MEM && src->size <= 8)
		return EMUL_FAST_LOAD;
	return EMUL_FAST_NONE;
}

/* Where the operand is, if it is plain: no fault, one page. */
static inline bool plain_address(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
				 unsigned int acc)
{
	if (emul_linear(c, op->seg, emul_ea(c, op), op->size, acc, &c->mem_lin))
		return false;
	if (unlikely((c->mem_lin & (op->size - 1)) && (c->cr0 & X86_CR0_AM)))
		return false;
	return op->size <= emul_to_page_end(c->mem_lin);
}

/* An instruction that met a device will again: the detour is not worth it. */
static noinline bool met(struct tdm_emul_ctxt *c, int rc)
{
	if (rc == TDM_EMUL_MMIO)
		c->lines[c->line_no].fast = EMUL_FAST_NONE;
	return false;
}

static inline bool store(struct tdm_emul_ctxt *c, u64 val)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	int rc;

	if (!plain_address(c, op, TDM_ACC_WRITE))
		return false;
	c->mem_new = val;
	rc = c->ops->write(c, c->mem_lin, &c->mem_new, op->size,
			   emul_acc(c, TDM_ACC_WRITE));
	return likely(!rc) ? true : met(c, rc);
}

static inline bool load(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *dst = emul_opnd(c, 0), *op = emul_opnd(c, 1);
	int rc;

	if (!plain_address(c, op, TDM_ACC_READ))
		return false;
	c->mem_new = 0;
	rc = c->ops->read(c, c->mem_lin, &c->mem_new, op->size, emul_acc(c, TDM_ACC_READ));
	if (unlikely(rc))
		return met(c, rc);
	emul_set_gpr(c, dst->reg, dst->size, c->mem_new);
	return true;
}

/**
 * emul_fast() - execute an instruction the short way
 * @c: context, instruction fetched
 *
 * Return: true: done and committed; false: nothing has happened.
 */
bool emul_fast(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *src = emul_opnd(c, 1);
	struct tdm_regs *regs = c->regs;
	bool done;

	if (unlikely(regs->rflags & X86_EFLAGS_TF))
		return false;
	if (c->fast == EMUL_FAST_LOAD)
		done = load(c);
	else if (c->fast == EMUL_FAST_STORE_REG)
		done = store(c, regs->gpr[src->reg]);
	else
		done = store(c, src->imm);
	if (unlikely(!done))
		return false;
	regs->rip += c->insn->len;
	if (!emul_long64(c))
		regs->rip = (u32)regs->rip;
	regs->rflags = (regs->rflags & ~(u64)X86_EFLAGS_RF) | X86_EFLAGS_FIXED;
	c->int_shadow = 0;
	c->nr_emulated++;
	return true;
}
