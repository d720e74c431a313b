// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic with exact flags, and the condition codes.
 */
#include "internal.h"

static u64 parity_flag(u64 res)
{
	return __builtin_parity(res & 0xff) ? 0 : X86_EFLAGS_PF;
}

static u64 szp(u64 res, unsigned int size)
{
	u64 f = parity_flag(res);

	if (!(res & emul_mask(size)))
		f |= X86_EFLAGS_ZF;
	if (res & emul_sign_bit(size))
		f |= X86_EFLAGS_SF;
	return f;
}

/**
 * emul_szp_flags() - set SF, ZF and PF from a result, keep the others
 * @c: context
 * @res: result
 * @size: bytes
 */
void emul_szp_flags(struct tdm_emul_ctxt *c, u64 res, unsigned int size)
{
	emul_set_flags(c, X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_PF,
		       szp(res, size));
}

/**
 * emul_logic_flags() - flags of AND, OR, XOR, TEST
 * @c: context
 * @res: result
 * @size: bytes
 *
 * AF is architecturally undefined; processors clear it.
 */
void emul_logic_flags(struct tdm_emul_ctxt *c, u64 res, unsigned int size)
{
	emul_set_flags(c, EMUL_ARITH_FLAGS, szp(res, size));
}

/**
 * emul_undefined_af() - AF where the manuals leave it undefined
 * @c: context
 *
 * Shifts, BEXTR and divisions set it on AMD processors, clear it on Intel's.
 */
void emul_undefined_af(struct tdm_emul_ctxt *c)
{
	emul_flag(c, X86_EFLAGS_AF, c->features & TDM_EMUL_F_AMD);
}

/**
 * emul_add() - add and set all arithmetic flags
 * @c: context
 * @a: first addend
 * @b: second addend
 * @carry: 0 or 1
 * @size: bytes
 *
 * Return: the sum, cut to @size.
 */
u64 emul_add(struct tdm_emul_ctxt *c, u64 a, u64 b, unsigned int carry,
	     unsigned int size)
{
	u64 mask = emul_mask(size), sign = emul_sign_bit(size);
	u64 res, f;

	a &= mask;
	b &= mask;
	res = (a + b + carry) & mask;
	f = szp(res, size);
	if (res < a || (carry && res == a))
		f |= X86_EFLAGS_CF;
	if ((a ^ b ^ res) & 0x10)
		f |= X86_EFLAGS_AF;
	if ((a ^ res) & (b ^ res) & sign)
		f |= X86_EFLAGS_OF;
	emul_set_flags(c, EMUL_ARITH_FLAGS, f);
	return res;
}

/**
 * emul_sub() - subtract and set all arithmetic flags
 * @c: context
 * @a: minuend
 * @b: subtrahend
 * @borrow: 0 or 1
 * @size: bytes
 *
 * Return: the difference, cut to @size.
 */
u64 emul_sub(struct tdm_emul_ctxt *c, u64 a, u64 b, unsigned int borrow,
	     unsigned int size)
{
	u64 mask = emul_mask(size), sign = emul_sign_bit(size);
	u64 res, f;

	a &= mask;
	b &= mask;
	res = (a - b - borrow) & mask;
	f = szp(res, size);
	if (a < b || (borrow && a == b))
		f |= X86_EFLAGS_CF;
	if ((a ^ b ^ res) & 0x10)
		f |= X86_EFLAGS_AF;
	if ((a ^ b) & (a ^ res) & sign)
		f |= X86_EFLAGS_OF;
	emul_set_flags(c, EMUL_ARITH_FLAGS, f);
	return res;
}

/**
 * emul_cond() - evaluate a condition code
 * @c: context
 * @cc: the low four bits of the opcode of Jcc, SETcc, CMOVcc
 *
 * Return: whether it holds.
 */
bool emul_cond(const struct tdm_emul_ctxt *c, unsigned int cc)
{
	u64 f = c->regs->rflags;
	bool sf_ne_of = !(f & X86_EFLAGS_SF) != !(f & X86_EFLAGS_OF);
	bool r;

	switch (cc >> 1) {
	case 0:
		r = f & X86_EFLAGS_OF;
		break;
	case 1:
		r = f & X86_EFLAGS_CF;
		break;
	case 2:
		r = f & X86_EFLAGS_ZF;
		break;
	case 3:
		r = f & (X86_EFLAGS_CF | X86_EFLAGS_ZF);
		break;
	case 4:
		r = f & X86_EFLAGS_SF;
		break;
	case 5:
		r = f & X86_EFLAGS_PF;
		break;
	case 6:
		r = sf_ne_of;
		break;
	default:
		r = sf_ne_of || (f & X86_EFLAGS_ZF);
	}
	return r != (cc & 1);
}
