// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands: registers, effective addresses, and integer reads and writes of
 * whatever an operand is.
 *
 * An operand the instruction both reads and writes is read with write
 * permission, so that it faults as on hardware: once, as a write. The address
 * found then is kept for the write.
 */
#include "internal.h"

/**
 * emul_gpr() - the low bytes of a general register
 * @c: context
 * @reg: enum tdm_reg
 * @size: 1, 2, 4 or 8 bytes
 *
 * Return: the value, zero-extended.
 */
u64 emul_gpr(const struct tdm_emul_ctxt *c, unsigned int reg, unsigned int size)
{
	return c->regs->gpr[reg] & emul_mask(size);
}

/**
 * emul_set_gpr() - write the low bytes of a general register
 * @c: context
 * @reg: enum tdm_reg
 * @size: 1, 2, 4 or 8 bytes; 4 clears the upper half, 1 and 2 keep the rest
 * @val: value
 */
void emul_set_gpr(struct tdm_emul_ctxt *c, unsigned int reg, unsigned int size,
		  u64 val)
{
	u64 mask = emul_mask(size);

	if (size == 4)
		c->regs->gpr[reg] = (u32)val;
	else
		c->regs->gpr[reg] = (c->regs->gpr[reg] & ~mask) | (val & mask);
}

/**
 * emul_ea() - effective address of a memory operand
 * @c: context
 * @op: memory operand
 *
 * Return: offset in its segment, cut to the address size.
 */
u64 emul_ea(const struct tdm_emul_ctxt *c, const struct tdm_operand *op)
{
	u64 ea = op->imm;

	if (op->base == TDM_REG_RIP)
		ea += c->regs->rip + c->insn->len;
	else if (op->base != TDM_REG_NONE)
		ea += c->regs->gpr[op->base];
	if (op->index != TDM_REG_NONE)
		ea += c->regs->gpr[op->index] * op->scale;
	return ea & emul_mask(c->insn->addrsize);
}

/**
 * emul_mem_linear() - checked linear address of a memory operand
 * @c: context
 * @op: memory operand
 * @size: bytes
 * @acc: TDM_ACC_*
 * @lin: result
 *
 * Return: enum tdm_emul_rc.
 */
int emul_mem_linear(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		    unsigned int size, unsigned int acc, u64 *lin)
{
	return emul_linear(c, op->seg, emul_ea(c, op), size, acc, lin);
}

/**
 * emul_string_seg() - segment of a string instruction's source
 * @c: context
 *
 * Return: DS or the override.
 */
unsigned int emul_string_seg(const struct tdm_emul_ctxt *c)
{
	return c->insn->seg_override == TDM_REG_NONE ? TDM_SEG_DS :
						      c->insn->seg_override;
}

/**
 * emul_advance() - move a string register by what was done
 * @c: context
 * @reg: TDM_RSI or TDM_RDI
 * @bytes: how far; DF says which way
 */
void emul_advance(struct tdm_emul_ctxt *c, unsigned int reg, unsigned int bytes)
{
	u64 old = emul_addr_reg(c, reg);
	bool down = c->regs->rflags & X86_EFLAGS_DF;

	emul_set_gpr(c, reg, c->insn->addrsize, down ? old - bytes : old + bytes);
}

static int get_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op, u64 *val)
{
	unsigned int acc = TDM_ACC_READ;
	u64 v = 0;
	int rc;

	if (EMUL_CANNOT_BE(!op->size || op->size > sizeof(v)))
		return TDM_EMUL_UNHANDLED;
	if (op->actions & TDM_OPND_WRITE)
		acc |= TDM_ACC_WRITE;
	rc = emul_mem_linear(c, op, op->size, acc, &c->mem_lin);
	if (!rc)
		rc = emul_check_align(c, c->mem_lin, op->size);
	if (!rc)
		rc = emul_read_lin(c, c->mem_lin, &v, op->size, acc);
	if (rc)
		return rc;
	c->mem_old[0] = v;
	c->mem_valid = true;
	*val = v;
	return TDM_EMUL_DONE;
}

/**
 * emul_get() - value of an operand
 * @c: context
 * @i: which visible operand
 * @val: result, zero-extended from the operand's size
 *
 * Return: enum tdm_emul_rc; UNHANDLED for operands that are no integers.
 */
int emul_get(struct tdm_emul_ctxt *c, unsigned int i, u64 *val)
{
	const struct tdm_operand *op = emul_opnd(c, i);

	switch (op->kind) {
	case TDM_OPND_GPR:
		*val = emul_gpr(c, op->reg, op->size);
		return TDM_EMUL_DONE;
	case TDM_OPND_GPR_HIGH:
		*val = (c->regs->gpr[op->reg] >> 8) & 0xff;
		return TDM_EMUL_DONE;
	case TDM_OPND_IMM:
	case TDM_OPND_REL:
		*val = op->imm;
		return TDM_EMUL_DONE;
	case TDM_OPND_SEG:
		*val = emul_seg(c, op->reg)->selector;
		return TDM_EMUL_DONE;
	case TDM_OPND_MEM:
		return get_mem(c, op, val);
	default:
		return TDM_EMUL_UNHANDLED;
	}
}

static int put_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op, u64 val)
{
	unsigned int acc = TDM_ACC_WRITE;
	int rc;

	if (EMUL_CANNOT_BE(!op->size || op->size > sizeof(val)))
		return TDM_EMUL_UNHANDLED;
	if (op->actions & TDM_OPND_READ)
		acc |= TDM_ACC_READ;
	if (!c->mem_valid) {
		rc = emul_mem_linear(c, op, op->size, acc, &c->mem_lin);
		if (!rc)
			rc = emul_check_align(c, c->mem_lin, op->size);
		if (rc)
			return rc;
	} else if (c->insn->prefixes & TDM_PFX_LOCK) {
		return emul_cmpxchg_lin(c, c->mem_lin, c->mem_old, &val, op->size);
	}
	return emul_write_lin(c, c->mem_lin, &val, op->size, acc);
}

/**
 * emul_put() - store into an operand
 * @c: context
 * @i: which visible operand
 * @val: value; bits above the operand's size are ignored
 *
 * Return: enum tdm_emul_rc.
 */
int emul_put(struct tdm_emul_ctxt *c, unsigned int i, u64 val)
{
	const struct tdm_operand *op = emul_opnd(c, i);

	switch (op->kind) {
	case TDM_OPND_GPR:
		emul_set_gpr(c, op->reg, op->size, val);
		return TDM_EMUL_DONE;
	case TDM_OPND_GPR_HIGH:
		c->regs->gpr[op->reg] = (c->regs->gpr[op->reg] & ~0xff00ull) |
				       (val & 0xff) << 8;
		return TDM_EMUL_DONE;
	case TDM_OPND_MEM:
		return put_mem(c, op, val);
	default:
		return TDM_EMUL_UNHANDLED;
	}
}
