// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two-operand arithmetic and logic, one-operand arithmetic, CMPXCHG, XADD.
 */
#include "internal.h"
#include "table.h"

/* ADD, ADC, SUB, SBB, AND, OR, XOR, CMP; op->arg says which. */
int emul_op_alu(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	unsigned int carry = c->regs->rflags & X86_EFLAGS_CF;
	u64 a, b, res;
	int rc;

	rc = emul_get(c, 1, &b);
	if (!rc)
		rc = emul_get(c, 0, &a);
	if (rc)
		return rc;

	switch (c->op->arg) {
	case ALU_ADD:
		res = emul_add(c, a, b, 0, size);
		break;
	case ALU_ADC:
		res = emul_add(c, a, b, carry, size);
		break;
	case ALU_SUB:
		res = emul_sub(c, a, b, 0, size);
		break;
	case ALU_SBB:
		res = emul_sub(c, a, b, carry, size);
		break;
	case ALU_CMP:
		emul_sub(c, a, b, 0, size);
		return TDM_EMUL_DONE;
	case ALU_AND:
		res = a & b;
		emul_logic_flags(c, res, size);
		break;
	case ALU_OR:
		res = a | b;
		emul_logic_flags(c, res, size);
		break;
	default:
		res = a ^ b;
		emul_logic_flags(c, res, size);
	}
	return emul_put(c, 0, res);
}

/* TEST */
int emul_op_test(struct tdm_emul_ctxt *c)
{
	u64 a, b;
	int rc;

	rc = emul_get(c, 0, &a);
	if (!rc)
		rc = emul_get(c, 1, &b);
	if (!rc)
		emul_logic_flags(c, a & b, emul_opnd(c, 0)->size);
	return rc;
}

/* INC, DEC, NEG, NOT; op->arg says which. */
int emul_op_unary(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 carry = c->regs->rflags & X86_EFLAGS_CF;
	u64 v;
	int rc = emul_get(c, 0, &v);

	if (rc)
		return rc;
	switch (c->op->arg) {
	case UNARY_INC:
		v = emul_add(c, v, 1, 0, size);
		emul_set_flags(c, X86_EFLAGS_CF, carry);
		break;
	case UNARY_DEC:
		v = emul_sub(c, v, 1, 0, size);
		emul_set_flags(c, X86_EFLAGS_CF, carry);
		break;
	case UNARY_NEG:
		v = emul_sub(c, 0, v, 0, size);
		break;
	default:
		v = ~v;
	}
	return emul_put(c, 0, v);
}

/*
 * CMPXCHG. Memory is written in either case, as on hardware: with its old value
 * if the comparison failed. A register then keeps even its upper half.
 */
int emul_op_cmpxchg(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 dest, src, acc = emul_gpr(c, TDM_RAX, size);
	int rc;

	rc = emul_get(c, 0, &dest);
	if (!rc)
		rc = emul_get(c, 1, &src);
	if (rc)
		return rc;
	emul_sub(c, acc, dest, 0, size);
	if (acc == dest)
		return emul_put(c, 0, src);
	if (emul_opnd(c, 0)->kind == TDM_OPND_MEM) {
		rc = emul_put(c, 0, dest);
		if (rc)
			return rc;
	}
	emul_set_gpr(c, TDM_RAX, size, dest);
	return TDM_EMUL_DONE;
}

/* XADD */
int emul_op_xadd(struct tdm_emul_ctxt *c)
{
	u64 dest, src, sum;
	int rc;

	rc = emul_get(c, 0, &dest);
	if (!rc)
		rc = emul_get(c, 1, &src);
	if (rc)
		return rc;
	sum = emul_add(c, dest, src, 0, emul_opnd(c, 0)->size);
	/* The register first: with XADD r,r of one register the sum stays. */
	rc = emul_put(c, 1, dest);
	return rc ? rc : emul_put(c, 0, sum);
}

/*
 * CMPXCHG8B, CMPXCHG16B. Memory is written in either case. Without LOCK it is
 * done with one atomic access all the same: nobody can tell.
 */
int emul_op_cmpxchg8b(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	unsigned int half = c->op->arg, size = 2 * half;
	unsigned int acc = TDM_ACC_READ | TDM_ACC_WRITE;
	u64 old[2] = { 0, 0 }, new[2], lin;
	u8 *mem = c->buf;
	bool equal;
	int rc;

	rc = emul_mem_linear(c, op, size, acc, &lin);
	if (!rc && size == 16 && (lin & 15))
		rc = emul_gp(c, 0);
	if (!rc)
		rc = emul_check_align(c, lin, size);
	if (!rc)
		rc = emul_read_lin(c, lin, mem, size, acc);
	if (rc)
		return rc;
	memcpy(&old[0], mem, half);
	memcpy(&old[1], mem + half, half);
	equal = old[0] == emul_gpr(c, TDM_RAX, half) &&
		old[1] == emul_gpr(c, TDM_RDX, half);
	memcpy(new, old, sizeof(new));
	if (equal) {
		new[0] = emul_gpr(c, TDM_RBX, half);
		new[1] = emul_gpr(c, TDM_RCX, half);
	}
	memcpy(mem + 16, &new[0], half);
	memcpy(mem + 16 + half, &new[1], half);
	rc = emul_cmpxchg_lin(c, lin, mem, mem + 16, size);
	if (rc)
		return rc;
	emul_flag(c, X86_EFLAGS_ZF, equal);
	if (!equal) {
		emul_set_gpr(c, TDM_RAX, half, old[0]);
		emul_set_gpr(c, TDM_RDX, half, old[1]);
	}
	return TDM_EMUL_DONE;
}
