// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segmentation: from segment and offset to a linear address, with the checks
 * of SDM vol. 3, 5.3 to 5.5 and, in 64-bit mode, the canonical check.
 *
 * Segment registers are read where the caller has them; changed ones are kept in
 * the context and stored at commit (emul.c).
 */
#include "internal.h"

/**
 * emul_store_seg() - change a segment register, at commit
 * @c: context
 * @seg: which
 * @s: new contents
 */
void emul_store_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg,
		    const struct tdm_segment *s)
{
	c->seg[seg] = *s;
	c->seg_dirty |= 1u << seg;
}

/**
 * emul_canonical() - is an address canonical for the paging mode?
 * @c: context
 * @lin: linear address
 *
 * Return: true if the bits above the implemented ones repeat the highest.
 */
bool emul_canonical(const struct tdm_emul_ctxt *c, u64 lin)
{
	unsigned int unused = c->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(lin << unused) >> unused) == lin;
}

static int seg_fault(struct tdm_emul_ctxt *c, enum tdm_seg seg)
{
	return emul_exc_err(c, seg == TDM_SEG_SS ? EMUL_SS : EMUL_GP, 0);
}

/* May the segment be accessed this way at all? Protected mode only. */
static bool type_allows(const struct tdm_segment *s, unsigned int acc)
{
	if (s->ar & TDM_AR_UNUSABLE)
		return false;
	if (acc & TDM_ACC_WRITE)
		return (s->ar & (TDM_AR_CODE | TDM_AR_RW)) == TDM_AR_RW;
	if (acc & TDM_ACC_FETCH)
		return true;
	return !(s->ar & TDM_AR_CODE) || (s->ar & TDM_AR_RW);
}

static bool limit_allows(const struct tdm_segment *s, u64 ea, unsigned int size)
{
	u64 last = ea + size - 1;

	if ((s->ar & (TDM_AR_CODE | TDM_AR_DC)) == TDM_AR_DC)
		return ea > s->limit &&
		       last <= (s->ar & TDM_AR_DB ? 0xffffffffull : 0xffffull);
	return last <= s->limit;
}

static int linear64(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
		    unsigned int size, u64 *lin)
{
	if (seg == TDM_SEG_FS || seg == TDM_SEG_GS)
		ea += emul_seg(c, seg)->base;
	if (!emul_canonical(c, ea) || !emul_canonical(c, ea + size - 1))
		return seg_fault(c, seg);
	*lin = ea;
	return TDM_EMUL_DONE;
}

/**
 * emul_alignment_fault() - the rare half of emul_check_align()
 * @c: context, CR0.AM set, the access not aligned
 *
 * Return: DONE or FAULT, #AC(0).
 */
int emul_alignment_fault(struct tdm_emul_ctxt *c)
{
	if (!(c->regs->rflags & X86_EFLAGS_AC) || emul_cpl(c) != 3)
		return TDM_EMUL_DONE;
	return emul_exc_err(c, EMUL_AC, 0);
}

/**
 * emul_linear_checked() - emul_linear() with all checks
 * @c: context
 * @seg: segment
 * @ea: offset, already cut to the address size
 * @size: bytes that will be accessed, at least 1
 * @acc: TDM_ACC_*: what will be done there
 * @lin: result
 *
 * Return: DONE, or FAULT with #GP(0) or #SS(0).
 */
int emul_linear_checked(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
			unsigned int size, unsigned int acc, u64 *lin)
{
	const struct tdm_segment *s;

	if (emul_long64(c))
		return linear64(c, seg, ea, size, lin);

	s = emul_seg(c, seg);
	if (!emul_real_segs(c) && !type_allows(s, acc))
		return seg_fault(c, seg);
	if (!limit_allows(s, ea, size))
		return seg_fault(c, seg);
	*lin = (u32)(s->base + ea);
	return TDM_EMUL_DONE;
}
