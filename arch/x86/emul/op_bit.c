// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bit tests and scans.
 */
#include "internal.h"
#include "table.h"

/*
 * BT, BTS, BTR, BTC. With a bit offset in a register the memory operand is a
 * bit string: the offset, signed, selects the element to access.
 */
int emul_op_bt(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	unsigned int size = op->size, acc = TDM_ACC_READ;
	u64 v = 0, bit, offset, ea;
	int rc;

	rc = emul_get(c, 1, &offset);
	if (rc)
		return rc;
	bit = 1ull << (offset & (size * 8 - 1));

	if (op->kind == TDM_OPND_MEM && emul_opnd(c, 1)->kind == TDM_OPND_GPR) {
		ea = emul_ea(c, op) +
		     (emul_sext(offset, size) >> (size == 8 ? 6 : size == 4 ? 5 : 4)) *
		     (s64)size;
		if (c->op->arg != BT_TEST)
			acc |= TDM_ACC_WRITE;
		rc = emul_linear(c, op->seg, ea & emul_mask(c->insn->addrsize),
				 size, acc, &c->mem_lin);
		if (!rc)
			rc = emul_check_align(c, c->mem_lin, size);
		if (!rc)
			rc = emul_read_lin(c, c->mem_lin, &v, size, acc);
		c->mem_old[0] = v;
		c->mem_valid = true;
	} else {
		rc = emul_get(c, 0, &v);
	}
	if (rc)
		return rc;

	emul_flag(c, X86_EFLAGS_CF, v & bit);
	switch (c->op->arg) {
	case BT_TEST:
		return TDM_EMUL_DONE;
	case BT_SET:
		return emul_put(c, 0, v | bit);
	case BT_RESET:
		return emul_put(c, 0, v & ~bit);
	default:
		return emul_put(c, 0, v ^ bit);
	}
}

/*
 * BSF, BSR: the destination keeps its value (and a 32-bit one its upper half)
 * if the source is 0; SF, OF, AF, PF, CF are undefined.
 */
static int scan(struct tdm_emul_ctxt *c, bool reverse)
{
	u64 v;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	emul_flag(c, X86_EFLAGS_ZF, !v);
	if (!v)
		return TDM_EMUL_DONE;
	return emul_put(c, 0, reverse ? 63 - __builtin_clzll(v) :
					__builtin_ctzll(v));
}

int emul_op_bsf(struct tdm_emul_ctxt *c)
{
	return scan(c, false);
}

int emul_op_bsr(struct tdm_emul_ctxt *c)
{
	return scan(c, true);
}

/* TZCNT, LZCNT: the same bytes as REP BSF and BSR on processors without. */
static int count_zeros(struct tdm_emul_ctxt *c, bool leading)
{
	unsigned int bits = emul_opnd(c, 0)->size * 8;
	u64 v, n = bits;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	if (v && leading)
		n = __builtin_clzll(v) - (64 - bits);
	else if (v)
		n = __builtin_ctzll(v);
	/* Undefined but for CF and ZF; OF stays on AMD processors. */
	emul_set_flags(c, X86_EFLAGS_SF | X86_EFLAGS_AF | X86_EFLAGS_PF |
		       (c->features & TDM_EMUL_F_AMD ? 0 : X86_EFLAGS_OF), 0);
	emul_flag(c, X86_EFLAGS_CF, n == bits);
	emul_flag(c, X86_EFLAGS_ZF, !n);
	return emul_put(c, 0, n);
}

int emul_op_tzcnt(struct tdm_emul_ctxt *c)
{
	return c->features & TDM_EMUL_F_BMI1 ? count_zeros(c, false) :
					       scan(c, false);
}

int emul_op_lzcnt(struct tdm_emul_ctxt *c)
{
	return c->features & TDM_EMUL_F_LZCNT ? count_zeros(c, true) :
						scan(c, true);
}

/* POPCNT */
int emul_op_popcnt(struct tdm_emul_ctxt *c)
{
	u64 v, n;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	for (n = 0; v; n++)
		v &= v - 1;
	emul_set_flags(c, EMUL_ARITH_FLAGS, n ? 0 : X86_EFLAGS_ZF);
	return emul_put(c, 0, n);
}
