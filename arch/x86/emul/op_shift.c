// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shifts and rotates.
 *
 * Flags the manuals leave undefined (OF for counts above 1, AF, CF for counts
 * beyond the operand) are set as the tested processors set them; see
 * tools/testing/unit.
 */
#include "internal.h"
#include "table.h"

static bool bit_at(u64 v, unsigned int n)
{
	return n < 64 && (v >> n & 1);
}

static void set_cf_of(struct tdm_emul_ctxt *c, bool cf, bool of)
{
	emul_flag(c, X86_EFLAGS_CF, cf);
	emul_flag(c, X86_EFLAGS_OF, of);
}

static u64 shl(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	unsigned int bits = size * 8;
	u64 res = (n < 64 ? v << n : 0) & emul_mask(size);
	bool cf = n <= bits && bit_at(v, bits - n);

	set_cf_of(c, cf, cf != bit_at(res, bits - 1));
	return res;
}

static u64 shr(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	u64 res = n < 64 ? v >> n : 0;

	set_cf_of(c, bit_at(v, n - 1), n == 1 && bit_at(v, size * 8 - 1));
	return res;
}

static u64 sar(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	s64 s = emul_sext(v, size);

	set_cf_of(c, bit_at(s, n - 1), false);
	return (u64)(s >> n) & emul_mask(size);
}

static u64 rotate_left(u64 v, unsigned int n, unsigned int bits)
{
	n %= bits;
	return n ? (v << n | v >> (bits - n)) & emul_mask(bits / 8) : v;
}

static u64 rol(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	u64 res = rotate_left(v, n, size * 8);

	set_cf_of(c, res & 1, (res & 1) != bit_at(res, size * 8 - 1));
	return res;
}

static u64 ror(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	unsigned int bits = size * 8;
	u64 res = rotate_left(v, bits - n % bits, bits);
	bool top = bit_at(res, bits - 1);

	set_cf_of(c, top, top != bit_at(res, bits - 2));
	return res;
}

/* Through carry: a rotate of one bit more than the operand has. */
static u64 rcl(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	unsigned int bits = size * 8;
	bool cf = c->regs->rflags & X86_EFLAGS_CF;

	for (n %= bits + 1; n; n--) {
		bool out = bit_at(v, bits - 1);

		v = (v << 1 | cf) & emul_mask(size);
		cf = out;
	}
	set_cf_of(c, cf, cf != bit_at(v, bits - 1));
	return v;
}

static u64 rcr(struct tdm_emul_ctxt *c, u64 v, unsigned int n, unsigned int size)
{
	unsigned int bits = size * 8;
	bool cf = c->regs->rflags & X86_EFLAGS_CF;

	for (n %= bits + 1; n; n--) {
		bool out = v & 1;

		v = v >> 1 | (u64)cf << (bits - 1);
		cf = out;
	}
	set_cf_of(c, cf, bit_at(v, bits - 1) != bit_at(v, bits - 2));
	return v;
}

static u64 (*const shifts[])(struct tdm_emul_ctxt *c, u64 v, unsigned int n,
			     unsigned int size) = {
	[SHIFT_SHL] = shl,
	[SHIFT_SHR] = shr,
	[SHIFT_SAR] = sar,
	[SHIFT_ROL] = rol,
	[SHIFT_ROR] = ror,
	[SHIFT_RCL] = rcl,
	[SHIFT_RCR] = rcr,
};

/* SHL, SHR, SAR, ROL, ROR, RCL, RCR; op->arg says which. */
int emul_op_shift(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 v, n;
	int rc;

	rc = emul_get(c, 1, &n);
	if (!rc)
		rc = emul_get(c, 0, &v);
	if (rc)
		return rc;
	n &= size == 8 ? 63 : 31;
	if (n) {
		v = shifts[c->op->arg](c, v, n, size);
		if (c->op->arg <= SHIFT_SAR) {
			emul_szp_flags(c, v, size);
			emul_undefined_af(c);
		}
	}
	/* Also with a count of 0: the operand is written all the same. */
	return emul_put(c, 0, v);
}

/*
 * SHLD and SHRD by more than the operand's 16 bits: undefined. Intel processors
 * shift the destination in again behind the source, AMD's the source, and
 * those clear CF.
 */
static u64 shiftd_far(struct tdm_emul_ctxt *c, u64 v, u64 src, unsigned int n,
		      bool left, bool *cf)
{
	bool amd = c->features & TDM_EMUL_F_AMD;
	u64 behind = amd ? src : v;

	if (left) {
		u64 wide = v << 32 | src << 16 | behind;

		*cf = !amd && bit_at(wide, 48 - n);
		return wide >> (32 - n);
	}
	*cf = !amd && bit_at(src, n - 17);
	return (behind << 32 | src << 16 | v) >> n;
}

/* SHLD, SHRD; op->arg says which. */
int emul_op_shiftd(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size, bits = size * 8;
	bool left = c->op->arg == SHIFTD_LEFT;
	u64 v, src, n, res;
	bool cf, top;
	int rc;

	rc = emul_get(c, 2, &n);
	if (!rc)
		rc = emul_get(c, 1, &src);
	if (!rc)
		rc = emul_get(c, 0, &v);
	if (rc)
		return rc;
	n &= size == 8 ? 63 : 31;
	if (!n)
		return emul_put(c, 0, v);

	if (n > bits) {
		res = shiftd_far(c, v, src, n, left, &cf);
	} else if (left) {
		cf = bit_at(v, bits - n);
		res = n == bits ? src : v << n | src >> (bits - n);
	} else {
		cf = bit_at(v, n - 1);
		res = n == bits ? src : v >> n | src << (bits - n);
	}
	res &= emul_mask(size);
	emul_szp_flags(c, res, size);
	emul_undefined_af(c);
	/* OF is defined for a count of 1 only; this is what it is beyond. */
	top = bit_at(res, bits - 1);
	if (left && n >= bits && (c->features & TDM_EMUL_F_AMD))
		top = false;
	set_cf_of(c, cf, top != (left ? cf : bit_at(res, bits - 2)));
	return emul_put(c, 0, res);
}

/* SHLX, SHRX, SARX, RORX: no flags; op->arg says which. */
int emul_op_shiftx(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	u64 flags = c->regs->rflags;
	u64 v, n;
	int rc;

	rc = emul_get(c, 2, &n);
	if (!rc)
		rc = emul_get(c, 1, &v);
	if (rc)
		return rc;
	n &= size == 8 ? 63 : 31;
	if (n)
		v = shifts[c->op->arg](c, v, n, size);
	c->regs->rflags = flags;
	return emul_put(c, 0, v);
}
