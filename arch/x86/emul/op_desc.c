// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptor tables, LDTR and TR, and the instructions that inspect selectors.
 */
#include "internal.h"
#include "desc.h"
#include "table.h"

#define ACC_SYS (TDM_ACC_READ | TDM_ACC_IMPLICIT)

/* SGDT, SIDT, SLDT, STR, SMSW above level 0 under UMIP. */
static bool umip_forbids(struct tdm_emul_ctxt *c)
{
	return emul_prot(c) && (c->cr4 & X86_CR4_UMIP) && emul_cpl(c);
}

/* SGDT, SIDT; op->arg: IDT */
int emul_op_sgdt(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_long64(c) ? 10 : 6;
	struct tdm_table t;
	u64 lin;
	u8 image[10];
	int rc;

	if (umip_forbids(c))
		return emul_gp(c, 0);
	c->ops->get_table(c, c->op->arg, &t);
	memcpy(image, &t.limit, 2);
	memcpy(image + 2, &t.base, 8);
	rc = emul_mem_linear(c, emul_opnd(c, 0), size, TDM_ACC_WRITE, &lin);
	return rc ? rc : emul_write_lin(c, lin, image, size, TDM_ACC_WRITE);
}

/* LGDT, LIDT: a 16-bit operand size takes 24 bits of base. */
int emul_op_lgdt(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_long64(c) ? 10 : 6;
	struct tdm_table t = { .base = 0 };
	u8 image[10];
	u64 lin;
	int rc;

	rc = emul_mem_linear(c, emul_opnd(c, 0), size, TDM_ACC_READ, &lin);
	if (!rc)
		rc = emul_read_lin(c, lin, image, size, TDM_ACC_READ);
	if (rc)
		return rc;
	memcpy(&t.limit, image, 2);
	memcpy(&t.base, image + 2, size - 2);
	if (!emul_long64(c) && c->insn->opsize == 2)
		t.base &= 0xffffff;
	if (emul_long64(c) && !emul_canonical(c, t.base))
		return emul_gp(c, 0);
	c->ops->set_table(c, c->op->arg, &t);
	return TDM_EMUL_DONE;
}

/* SLDT, STR: op->arg is the register. */
int emul_op_sldt(struct tdm_emul_ctxt *c)
{
	if (umip_forbids(c))
		return emul_gp(c, 0);
	return emul_put(c, 0, emul_seg(c, c->op->arg)->selector);
}

/* Complete base of a system descriptor; 16 bytes in IA-32e mode. */
static int system_base(struct tdm_emul_ctxt *c, u16 sel,
		       const struct emul_desc *d, u64 *base)
{
	u64 upper;
	int rc;

	if (!emul_lma(c))
		return TDM_EMUL_DONE;
	rc = emul_read_lin(c, d->lin + 8, &upper, 8, ACC_SYS);
	if (rc)
		return rc;
	*base |= upper << 32;
	if ((upper >> 40 & 0x1f) || !emul_canonical(c, *base))
		return emul_gp(c, sel & ~3u);
	return TDM_EMUL_DONE;
}

/* Read a system descriptor of the GDT. */
static int read_system(struct tdm_emul_ctxt *c, u16 sel, struct emul_desc *d)
{
	u64 lin;

	if ((sel & 4) || !emul_desc_linear(c, sel, emul_lma(c) ? 16 : 8, &lin))
		return emul_gp(c, sel & ~3u);
	return emul_read_desc(c, sel, EMUL_GP, d);
}

/* LLDT */
int emul_op_lldt(struct tdm_emul_ctxt *c)
{
	struct tdm_segment s = { .ar = TDM_AR_UNUSABLE };
	struct emul_desc d;
	u64 sel;
	int rc = emul_get(c, 0, &sel);

	if (rc)
		return rc;
	if (!(sel & 0xfffc)) {
		s.selector = sel;
		emul_store_seg(c, TDM_SEG_LDTR, &s);
		return TDM_EMUL_DONE;
	}
	rc = read_system(c, sel, &d);
	if (rc)
		return rc;
	if ((d.raw & EMUL_DESC_S) || emul_desc_type(&d) != EMUL_SYS_LDT)
		return emul_gp(c, sel & ~3u);
	if (!(d.raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, sel & ~3u);
	tdm_segment_from_desc(&s, d.raw, sel);
	rc = system_base(c, sel, &d, &s.base);
	if (!rc)
		emul_store_seg(c, TDM_SEG_LDTR, &s);
	return rc;
}

/* LTR: marks the TSS busy in memory. */
int emul_op_ltr(struct tdm_emul_ctxt *c)
{
	struct tdm_segment s;
	struct emul_desc d;
	unsigned int type;
	u64 sel, busy;
	int rc = emul_get(c, 0, &sel);

	if (rc)
		return rc;
	if (!(sel & 0xfffc))
		return emul_gp(c, 0);
	rc = read_system(c, sel, &d);
	if (rc)
		return rc;
	type = emul_desc_type(&d);
	if ((d.raw & EMUL_DESC_S) ||
	    (type != EMUL_SYS_TSS && (type != EMUL_SYS_TSS16 || emul_lma(c))))
		return emul_gp(c, sel & ~3u);
	if (!(d.raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, sel & ~3u);
	tdm_segment_from_desc(&s, d.raw, sel);
	rc = system_base(c, sel, &d, &s.base);
	if (rc)
		return rc;
	busy = d.raw | BIT_ULL(41);
	/* In parentheses: the kernel has a macro of this name. */
	rc = (c->ops->cmpxchg)(c, d.lin, &d.raw, &busy, 8,
			       TDM_ACC_WRITE | ACC_SYS);
	/* A table that straddles pages or lies in a device is too odd. */
	if (rc == TDM_EMUL_MMIO)
		return TDM_EMUL_UNHANDLED;
	if (rc)
		return rc;
	s.ar |= 2;
	emul_store_seg(c, TDM_SEG_TR, &s);
	return TDM_EMUL_DONE;
}

/*
 * Descriptor for LAR, LSL, VERR, VERW: sets *ok only if it is there, its type
 * is in @types (a bit per system type) or it is code or data, and the privilege
 * rules allow it.
 */
static int inspect(struct tdm_emul_ctxt *c, u16 sel, u32 types,
		   struct emul_desc *d, bool *ok)
{
	unsigned int dpl, rpl = sel & 3, type;
	u64 lin;
	int rc;

	*ok = false;
	if (!(sel & ~3u) || !emul_desc_linear(c, sel, 8, &lin))
		return TDM_EMUL_DONE;
	rc = emul_read_desc(c, sel, EMUL_GP, d);
	if (rc)
		return rc;
	dpl = emul_desc_dpl(d);
	type = emul_desc_type(d);
	if (!(d->raw & EMUL_DESC_S)) {
		if (!(types >> type & 1))
			return TDM_EMUL_DONE;
		/* In IA-32e mode system descriptors have 16 bytes. */
		if (emul_lma(c) && !emul_desc_linear(c, sel, 16, &lin))
			return TDM_EMUL_DONE;
	} else if ((type & (TDM_AR_CODE | TDM_AR_DC)) == (TDM_AR_CODE | TDM_AR_DC)) {
		*ok = true;
		return TDM_EMUL_DONE;
	}
	*ok = dpl >= rpl && dpl >= emul_cpl(c);
	return TDM_EMUL_DONE;
}

/* LAR, LSL; op->arg: LSL */
int emul_op_lar(struct tdm_emul_ctxt *c)
{
	/* Types that have access rights or a limit to tell of. */
	bool lsl = c->op->arg;
	u32 types = lsl ? 0x0a0e : 0x1a3e;
	struct tdm_segment s;
	struct emul_desc d;
	u64 sel;
	bool ok;
	int rc = emul_get(c, 1, &sel);

	if (emul_lma(c))
		types = lsl ? 0x0a04 : 0x1a04;
	if (!rc)
		rc = inspect(c, sel, types, &d, &ok);
	if (rc)
		return rc;
	emul_flag(c, X86_EFLAGS_ZF, ok);
	if (!ok)
		return TDM_EMUL_DONE;
	tdm_segment_from_desc(&s, d.raw, sel);
	return emul_put(c, 0, lsl ? s.limit : d.raw >> 32 & 0xffff00);
}

/* VERR, VERW; op->arg: VERW */
int emul_op_verr(struct tdm_emul_ctxt *c)
{
	struct emul_desc d;
	unsigned int type;
	u64 sel;
	bool ok;
	int rc = emul_get(c, 0, &sel);

	if (!rc)
		rc = inspect(c, sel, 0, &d, &ok);
	if (rc)
		return rc;
	if (ok) {
		type = emul_desc_type(&d);
		if (c->op->arg)
			ok = (type & (TDM_AR_CODE | TDM_AR_RW)) == TDM_AR_RW;
		else
			ok = !(type & TDM_AR_CODE) || (type & TDM_AR_RW);
	}
	emul_flag(c, X86_EFLAGS_ZF, ok);
	return TDM_EMUL_DONE;
}

/*
 * ARPL: asks for write permission only if it has something to write: fetch.c
 * makes its operand one that is read.
 */
int emul_op_arpl(struct tdm_emul_ctxt *c)
{
	u64 dst, src;
	bool lower;
	int rc;

	rc = emul_get(c, 0, &dst);
	if (!rc)
		rc = emul_get(c, 1, &src);
	if (rc)
		return rc;
	lower = (dst & 3) < (src & 3);
	emul_flag(c, X86_EFLAGS_ZF, lower);
	if (!lower)
		return TDM_EMUL_DONE;
	c->mem_valid = false;	/* the address is checked anew, for writing */
	return emul_put(c, 0, (dst & ~3ull) | (src & 3));
}

/* SMSW: to memory always 16 bits */
int emul_op_smsw(struct tdm_emul_ctxt *c)
{
	if (umip_forbids(c))
		return emul_gp(c, 0);
	return emul_put(c, 0, c->cr0);
}

/* LMSW: can set PE, not clear it */
int emul_op_lmsw(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = emul_get(c, 0, &v);

	if (rc)
		return rc;
	v = (c->cr0 & ~0xeull) | (v & 0xf);
	return c->ops->set_cr(c, 0, v);
}
