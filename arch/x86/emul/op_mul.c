// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multiplication, division, sign extension of the accumulator, and the decimal
 * adjustments.
 */
#include "internal.h"
#include "table.h"

/* Write a double-width result to (R)DX:(R)AX, or AX for bytes. */
static void put_wide(struct tdm_emul_ctxt *c, u64 lo, u64 hi, unsigned int size)
{
	if (size == 1) {
		emul_set_gpr(c, TDM_RAX, 2, (lo & 0xff) | (hi & 0xff) << 8);
		return;
	}
	emul_set_gpr(c, TDM_RAX, size, lo);
	emul_set_gpr(c, TDM_RDX, size, hi);
}

static void mul_overflow(struct tdm_emul_ctxt *c, bool over)
{
	emul_flag(c, X86_EFLAGS_CF, over);
	emul_flag(c, X86_EFLAGS_OF, over);
}

static void umul(u64 a, u64 b, unsigned int size, u64 *lo, u64 *hi)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	*lo = (u64)p & emul_mask(size);
	*hi = (u64)(p >> (size * 8)) & emul_mask(size);
}

static void smul(u64 a, u64 b, unsigned int size, u64 *lo, u64 *hi)
{
	__int128 p = (__int128)emul_sext(a, size) * emul_sext(b, size);

	*lo = (u64)p & emul_mask(size);
	*hi = (u64)(p >> (size * 8)) & emul_mask(size);
}

/* MUL */
int emul_op_mul(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v, lo, hi;
	int rc = emul_get(c, 0, &v);

	if (rc)
		return rc;
	umul(emul_gpr(c, TDM_RAX, size), v, size, &lo, &hi);
	put_wide(c, lo, hi, size);
	mul_overflow(c, hi);
	return TDM_EMUL_DONE;
}

/* IMUL with one, two or three operands */
int emul_op_imul(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size, n = c->insn->nr_opnds;
	u64 a, b, lo, hi, sign;
	int rc;

	if (n == 1) {
		a = emul_gpr(c, TDM_RAX, size);
		rc = emul_get(c, 0, &b);
	} else {
		rc = emul_get(c, n - 2, &a);
		if (!rc)
			rc = emul_get(c, n - 1, &b);
	}
	if (rc)
		return rc;
	smul(a, b, size, &lo, &hi);
	sign = lo & emul_sign_bit(size) ? emul_mask(size) : 0;
	mul_overflow(c, hi != sign);
	if (n == 1) {
		put_wide(c, lo, hi, size);
		return TDM_EMUL_DONE;
	}
	return emul_put(c, 0, lo);
}

/* MULX: high half, low half, source; no flags */
int emul_op_mulx(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v, lo, hi;
	int rc = emul_get(c, 2, &v);

	if (rc)
		return rc;
	umul(emul_gpr(c, TDM_RDX, size), v, size, &lo, &hi);
	/* If both destinations are one register, the high half stays. */
	rc = emul_put(c, 1, lo);
	return rc ? rc : emul_put(c, 0, hi);
}

/*
 * 128 by 64 bits; the caller has excluded overflow (hi < d), so the real
 * instruction cannot fault. There is no 128-bit division in the kernel.
 */
static u64 udiv128(u64 hi, u64 lo, u64 d, u64 *rem)
{
	u64 q;

	asm("divq %4" : "=a" (q), "=d" (*rem) : "0" (lo), "1" (hi), "rm" (d)
	    : "cc");
	return q;
}

static void get_dividend(const struct tdm_emul_ctxt *c, unsigned int size,
			 u64 *lo, u64 *hi)
{
	if (size == 1) {
		*lo = emul_gpr(c, TDM_RAX, 1);
		*hi = emul_gpr(c, TDM_RAX, 2) >> 8;
	} else {
		*lo = emul_gpr(c, TDM_RAX, size);
		*hi = emul_gpr(c, TDM_RDX, size);
	}
}

/* Double-width dividend by divisor; hi < d so that the quotient fits. */
static u64 udiv(u64 hi, u64 lo, u64 d, unsigned int size, u64 *rem)
{
	u64 wide;

	if (size == 8)
		return udiv128(hi, lo, d, rem);
	wide = hi << (size * 8) | lo;
	*rem = wide % d;
	return wide / d;
}

/* All undefined: AMD's clear SF, ZF and PF and set AF, others leave them. */
static void div_flags(struct tdm_emul_ctxt *c)
{
	if (c->features & TDM_EMUL_F_AMD)
		emul_set_flags(c, X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_PF |
			       X86_EFLAGS_AF, X86_EFLAGS_AF);
}

/* DIV */
int emul_op_div(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 d, lo, hi, q, r;
	int rc = emul_get(c, 0, &d);

	if (rc)
		return rc;
	get_dividend(c, size, &lo, &hi);
	if (hi >= d)
		return emul_exc(c, EMUL_DE);
	q = udiv(hi, lo, d, size, &r);
	put_wide(c, q, r, size);
	div_flags(c);
	return TDM_EMUL_DONE;
}

/* IDIV: on magnitudes; the remainder has the sign of the dividend. */
int emul_op_idiv(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 mask = emul_mask(size), sign = emul_sign_bit(size);
	u64 d, lo, hi, q, r;
	bool neg_n, neg_d;
	int rc = emul_get(c, 0, &d);

	if (rc)
		return rc;
	get_dividend(c, size, &lo, &hi);
	neg_n = hi & sign;
	neg_d = d & sign;
	if (neg_n) {
		lo = -lo & mask;
		hi = (~hi + !lo) & mask;
	}
	if (neg_d)
		d = -d & mask;
	if (hi >= d)
		return emul_exc(c, EMUL_DE);
	q = udiv(hi, lo, d, size, &r);
	if (q > (neg_n != neg_d ? sign : sign - 1))
		return emul_exc(c, EMUL_DE);
	put_wide(c, neg_n != neg_d ? -q : q, neg_n ? -r : r, size);
	div_flags(c);
	return TDM_EMUL_DONE;
}

/* CBW, CWDE, CDQE */
int emul_op_cbw(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;

	emul_set_gpr(c, TDM_RAX, size,
		     emul_sext(emul_gpr(c, TDM_RAX, size / 2), size / 2));
	return TDM_EMUL_DONE;
}

/* CWD, CDQ, CQO */
int emul_op_cwd(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;
	bool neg = emul_gpr(c, TDM_RAX, size) & emul_sign_bit(size);

	emul_set_gpr(c, TDM_RDX, size, neg ? ~0ull : 0);
	return TDM_EMUL_DONE;
}

static void set_al(struct tdm_emul_ctxt *c, u8 al)
{
	emul_set_gpr(c, TDM_RAX, 1, al);
}

/*
 * AAA, AAS. The undefined flags are those of the addition or subtraction, of
 * the whole of AX.
 */
int emul_op_aaa(struct tdm_emul_ctxt *c)
{
	u16 ax = c->regs->gpr[TDM_RAX];
	bool adjust = (ax & 15) > 9 || (c->regs->rflags & X86_EFLAGS_AF);
	u16 by = adjust ? 0x106 : 0;

	ax = c->op->arg == BCD_ADD ? emul_add(c, ax, by, 0, 2) :
				     emul_sub(c, ax, by, 0, 2);
	emul_set_gpr(c, TDM_RAX, 2, ax & 0xff0f);
	emul_flag(c, X86_EFLAGS_AF, adjust);
	emul_flag(c, X86_EFLAGS_CF, adjust);
	return TDM_EMUL_DONE;
}

/* DAA, DAS; OF, undefined, is that of the addition or subtraction. */
int emul_op_daa(struct tdm_emul_ctxt *c)
{
	bool add = c->op->arg == BCD_ADD;
	u8 al = c->regs->gpr[TDM_RAX];
	bool cf = c->regs->rflags & X86_EFLAGS_CF;
	bool low = (al & 15) > 9 || (c->regs->rflags & X86_EFLAGS_AF);
	bool high = al > 0x99 || cf;
	u8 by = (low ? 6 : 0) + (high ? 0x60 : 0);

	/* DAS also carries out of the low digit alone; DAA cannot. */
	cf = high || (!add && low && al < 6);
	al = add ? emul_add(c, al, by, 0, 1) : emul_sub(c, al, by, 0, 1);
	set_al(c, al);
	emul_flag(c, X86_EFLAGS_AF, low);
	emul_flag(c, X86_EFLAGS_CF, cf);
	return TDM_EMUL_DONE;
}

/* AAM */
int emul_op_aam(struct tdm_emul_ctxt *c)
{
	u8 al = c->regs->gpr[TDM_RAX], base = emul_opnd(c, 0)->imm;

	if (!base)
		return emul_exc(c, EMUL_DE);
	emul_set_gpr(c, TDM_RAX, 2, (u16)(al / base) << 8 | al % base);
	emul_szp_flags(c, al % base, 1);
	emul_set_flags(c, X86_EFLAGS_AF | X86_EFLAGS_CF | X86_EFLAGS_OF, 0);
	return TDM_EMUL_DONE;
}

/* AAD; OF, AF and CF, undefined, are those of the addition. */
int emul_op_aad(struct tdm_emul_ctxt *c)
{
	u16 ax = c->regs->gpr[TDM_RAX];

	emul_set_gpr(c, TDM_RAX, 2,
		     emul_add(c, (ax >> 8) * emul_opnd(c, 0)->imm, ax, 0, 1));
	return TDM_EMUL_DONE;
}

/* SALC: undocumented, AL from CF */
int emul_op_salc(struct tdm_emul_ctxt *c)
{
	set_al(c, c->regs->rflags & X86_EFLAGS_CF ? 0xff : 0);
	return TDM_EMUL_DONE;
}
