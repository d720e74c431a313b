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

/**
 * emul_get_mem() - read a memory operand
 * @c: context
 * @op: memory operand of at most 8 bytes
 *
 * The value is in c->mem_old[0], zero-extended; its address is kept for the
 * write.
 *
 * Return: enum tdm_emul_rc.
 */
int emul_get_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op)
{
	unsigned int acc = TDM_ACC_READ;
	int rc;

	if (EMUL_CANNOT_BE(!op->size || op->size > sizeof(c->mem_old[0])))
		return TDM_EMUL_UNHANDLED;
	if (op->actions & TDM_OPND_WRITE)
		acc |= TDM_ACC_WRITE;
	rc = emul_mem_linear(c, op, op->size, acc, &c->mem_lin);
	if (!rc)
		rc = emul_check_align(c, c->mem_lin, op->size);
	if (rc)
		return rc;
	c->mem_old[0] = 0;
	rc = emul_read_lin(c, c->mem_lin, &c->mem_old[0], op->size, acc);
	c->mem_valid = !rc;
	return rc;
}

/**
 * emul_put_mem() - write a memory operand
 * @c: context
 * @op: memory operand of at most 8 bytes
 * @val: value; bits above the operand's size are ignored
 *
 * With LOCK, what the operand held when it was read must still be there.
 *
 * Return: enum tdm_emul_rc.
 */
int emul_put_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op, u64 val)
{
	unsigned int acc = TDM_ACC_WRITE;
	int rc;

	if (EMUL_CANNOT_BE(!op->size || op->size > sizeof(val)))
		return TDM_EMUL_UNHANDLED;
	c->mem_new = val;
	if (op->actions & TDM_OPND_READ)
		acc |= TDM_ACC_READ;
	if (!c->mem_valid) {
		rc = emul_mem_linear(c, op, op->size, acc, &c->mem_lin);
		if (!rc)
			rc = emul_check_align(c, c->mem_lin, op->size);
		if (rc)
			return rc;
	} else if (c->insn->prefixes & TDM_PFX_LOCK) {
		return emul_cmpxchg_lin(c, c->mem_lin, c->mem_old, &c->mem_new,
					op->size);
	}
	return emul_write_lin(c, c->mem_lin, &c->mem_new, op->size, acc);
}
