// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors, and loading of data and stack segment registers: MOV, POP,
 * LDS and friends. CS is loaded by far transfers (op_far.c).
 *
 * SDM vol. 3, 3.4.5 (descriptors) and 5.6, 5.7 (checks).
 */
#include "internal.h"
#include "desc.h"

/**
 * emul_desc_linear() - where a selector's descriptor is
 * @c: context
 * @sel: selector, not null
 * @size: bytes of the descriptor, 8 or 16
 * @lin: result
 *
 * Return: false if it is beyond its table or the LDT is not usable.
 */
bool emul_desc_linear(struct tdm_emul_ctxt *c, u16 sel, unsigned int size,
		      u64 *lin)
{
	u32 offset = sel & ~7u;

	if (sel & 4) {
		const struct tdm_segment *ldt = emul_seg(c, TDM_SEG_LDTR);

		if ((ldt->ar & TDM_AR_UNUSABLE) || !(ldt->ar & TDM_AR_P) ||
		    offset + size - 1 > ldt->limit)
			return false;
		*lin = ldt->base + offset;
	} else {
		struct tdm_table gdt;

		c->ops->get_table(c, false, &gdt);
		if (offset + size - 1 > gdt.limit)
			return false;
		*lin = gdt.base + offset;
	}
	if (!emul_lma(c))
		*lin = (u32)*lin;
	return true;
}

/**
 * emul_read_desc() - read a descriptor
 * @c: context
 * @sel: selector, not null
 * @vector: exception if it lies beyond its table (error code: the selector)
 * @d: result: low 8 bytes
 *
 * Return: enum tdm_emul_rc.
 */
int emul_read_desc(struct tdm_emul_ctxt *c, u16 sel, u8 vector,
		   struct emul_desc *d)
{
	if (!emul_desc_linear(c, sel, 8, &d->lin))
		return emul_exc_err(c, vector, sel & ~3u);
	return emul_read_lin(c, d->lin, &d->raw, 8,
			     TDM_ACC_READ | TDM_ACC_IMPLICIT);
}

/**
 * emul_set_accessed() - set the accessed bit of a code or data descriptor
 * @c: context
 * @d: as read; updated
 *
 * Return: enum tdm_emul_rc.
 */
int emul_set_accessed(struct tdm_emul_ctxt *c, struct emul_desc *d)
{
	unsigned int acc = TDM_ACC_READ | TDM_ACC_WRITE | TDM_ACC_IMPLICIT;
	u8 type = d->raw >> 40 | 1;

	if (d->raw & EMUL_DESC_ACCESSED)
		return TDM_EMUL_DONE;
	d->raw |= EMUL_DESC_ACCESSED;
	return emul_write_lin(c, d->lin + 5, &type, 1, acc);
}

/* Real and virtual-8086 mode: only the base follows the selector. */
void emul_load_seg_real(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel)
{
	struct tdm_segment s = *emul_seg(c, seg);

	s.selector = sel;
	s.base = (u32)sel << 4;
	if (emul_vm86(c)) {
		s.limit = 0xffff;
		s.ar = TDM_AR_P | TDM_AR_DPL | TDM_AR_S | TDM_AR_RW | TDM_AR_ACCESSED;
	} else {
		/* Limit and attributes stay ("unreal mode"). */
		s.ar &= ~TDM_AR_UNUSABLE;
		s.ar |= TDM_AR_P | TDM_AR_S;
	}
	emul_store_seg(c, seg, &s);
}

static int load_null(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel)
{
	struct tdm_segment s = { .selector = sel, .ar = TDM_AR_UNUSABLE };

	if (seg == TDM_SEG_SS) {
		/* Only 64-bit code above CPL 3 may have a null SS. */
		if (!emul_long64(c) || emul_cpl(c) == 3 ||
		    (sel & 3) != emul_cpl(c))
			return emul_gp(c, 0);
		s.ar |= emul_cpl(c) << TDM_AR_DPL_SHIFT;
	}
	emul_store_seg(c, seg, &s);
	return TDM_EMUL_DONE;
}

/* Type and privilege rules for a data or stack segment register. */
static bool seg_allowed(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel,
			const struct emul_desc *d)
{
	unsigned int cpl = emul_cpl(c), rpl = sel & 3, dpl = emul_desc_dpl(d);
	u32 ar = d->raw >> 40;

	if (!(ar & TDM_AR_S))
		return false;
	if (seg == TDM_SEG_SS)
		return rpl == cpl && dpl == cpl &&
		       (ar & (TDM_AR_CODE | TDM_AR_RW)) == TDM_AR_RW;
	if ((ar & TDM_AR_CODE) && !(ar & TDM_AR_RW))
		return false;
	if ((ar & (TDM_AR_CODE | TDM_AR_DC)) == (TDM_AR_CODE | TDM_AR_DC))
		return true;
	return dpl >= rpl && dpl >= cpl;
}

/**
 * emul_load_seg() - load ES, SS, DS, FS or GS
 * @c: context
 * @seg: which
 * @sel: selector
 *
 * Return: enum tdm_emul_rc.
 */
int emul_load_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel)
{
	struct tdm_segment s;
	struct emul_desc d;
	int rc;

	if (emul_real_segs(c)) {
		emul_load_seg_real(c, seg, sel);
		return TDM_EMUL_DONE;
	}
	if (!(sel & ~3u))
		return load_null(c, seg, sel);
	rc = emul_read_desc(c, sel, EMUL_GP, &d);
	if (rc)
		return rc;
	if (!seg_allowed(c, seg, sel, &d))
		return emul_gp(c, sel & ~3u);
	if (!(d.raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, seg == TDM_SEG_SS ? EMUL_SS : EMUL_NP,
				    sel & ~3u);
	rc = emul_set_accessed(c, &d);
	if (rc)
		return rc;
	tdm_segment_from_desc(&s, d.raw, sel);
	emul_store_seg(c, seg, &s);
	return TDM_EMUL_DONE;
}

/* MOV to or from a segment register. */
int emul_op_mov_seg(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	u64 v;
	int rc = emul_get(c, 1, &v);

	if (rc)
		return rc;
	if (op->kind != TDM_OPND_SEG)
		return emul_put(c, 0, v);
	if (op->reg == TDM_SEG_SS) {
		c->new_shadow = TDM_EMUL_SHADOW_MOV_SS;
		c->no_trap = true;
	}
	return emul_load_seg(c, op->reg, v);
}
