// SPDX-License-Identifier: GPL-2.0-only
/*
 * BMI1, BMI2, ADX and CRC32: integer instructions on general registers.
 */
#include "internal.h"
#include "table.h"

/* ANDN */
int emul_op_andn(struct tdm_emul_ctxt *c)
{
	u64 a, b;
	int rc;

	rc = emul_get(c, 1, &a);
	if (!rc)
		rc = emul_get(c, 2, &b);
	if (rc)
		return rc;
	emul_logic_flags(c, ~a & b, emul_opnd(c, 0)->size);
	return emul_put(c, 0, ~a & b);
}

/* BLSI, BLSR, BLSMSK; op->arg says which. */
int emul_op_bls(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v, res;
	bool cf;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	switch (c->op->arg) {
	case BLS_I:
		res = v & -v;
		cf = v;
		break;
	case BLS_R:
		res = v & (v - 1);
		cf = !v;
		break;
	default:
		res = v ^ (v - 1);
		cf = !v;
	}
	emul_logic_flags(c, res, size);
	emul_flag(c, X86_EFLAGS_CF, cf);
	return emul_put(c, 0, res);
}

/* BEXTR */
int emul_op_bextr(struct tdm_emul_ctxt *c)
{
	unsigned int start, len;
	u64 v, ctl;
	int rc;

	rc = emul_get(c, 2, &ctl);
	if (!rc)
		rc = emul_get(c, 1, &v);
	if (rc)
		return rc;
	start = ctl & 0xff;
	len = ctl >> 8 & 0xff;
	v = start < 64 ? v >> start : 0;
	if (len < 64)
		v &= (1ull << len) - 1;
	emul_logic_flags(c, v, emul_opnd(c, 0)->size);
	emul_undefined_af(c);
	return emul_put(c, 0, v);
}

/* BZHI */
int emul_op_bzhi(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v, ctl;
	int rc;

	rc = emul_get(c, 2, &ctl);
	if (!rc)
		rc = emul_get(c, 1, &v);
	if (rc)
		return rc;
	ctl &= 0xff;
	if (ctl < size * 8)
		v &= (1ull << ctl) - 1;
	emul_logic_flags(c, v, size);
	emul_flag(c, X86_EFLAGS_CF, ctl >= size * 8);
	return emul_put(c, 0, v);
}

/* PDEP, PEXT; op->arg says which. */
int emul_op_pdep(struct tdm_emul_ctxt *c)
{
	u64 v, mask, res = 0, bit = 1;
	int rc;

	rc = emul_get(c, 1, &v);
	if (!rc)
		rc = emul_get(c, 2, &mask);
	if (rc)
		return rc;
	for (; mask; mask &= mask - 1, bit <<= 1) {
		u64 low = mask & -mask;

		if (c->op->arg == PDEP_DEPOSIT)
			res |= v & bit ? low : 0;
		else
			res |= v & low ? bit : 0;
	}
	return emul_put(c, 0, res);
}

/* ADCX, ADOX: op->arg is the flag that carries. */
int emul_op_adx(struct tdm_emul_ctxt *c)
{
	u64 flag = c->op->arg, flags = c->regs->rflags;
	u64 a, b, res;
	bool carry;
	int rc;

	rc = emul_get(c, 0, &a);
	if (!rc)
		rc = emul_get(c, 1, &b);
	if (rc)
		return rc;
	res = emul_add(c, a, b, !!(flags & flag), emul_opnd(c, 0)->size);
	carry = c->regs->rflags & X86_EFLAGS_CF;
	c->regs->rflags = flags;
	emul_flag(c, flag, carry);
	return emul_put(c, 0, res);
}

/* CRC32: polynomial 0x11EDC6F41, bits reflected */
int emul_op_crc32(struct tdm_emul_ctxt *c)
{
	unsigned int bits = emul_opnd(c, 1)->size * 8;
	u64 v, crc;
	int rc;

	rc = emul_get(c, 1, &v);
	if (!rc)
		rc = emul_get(c, 0, &crc);
	if (rc)
		return rc;
	crc = (u32)crc;
	for (; bits; bits--, v >>= 1) {
		bool odd = (crc ^ v) & 1;

		crc = crc >> 1 ^ (odd ? 0x82f63b78u : 0);
	}
	return emul_put(c, 0, crc);
}
