// SPDX-License-Identifier: GPL-2.0-only
/*
 * What far transfers and event delivery share: checking and loading code
 * segments, switching to a more privileged stack, returning to an outer one.
 *
 * SDM vol. 3, 5.8 (privilege checks) and 6.12, 6.14 (stack switches). Task
 * switches are not emulated.
 */
#include "internal.h"
#include "desc.h"

/**
 * emul_is_far() - is this JMP, CALL or RET a far one?
 * @c: context with a decoded instruction
 *
 * Return: true for EA, 9A, CA, CB, FF /3 and FF /5.
 */
bool emul_is_far(const struct tdm_emul_ctxt *c)
{
	switch (c->insn->opcode) {
	case 0xea:
	case 0x9a:
	case 0xca:
	case 0xcb:
		return true;
	case 0xff:
		return c->insn->modrm_reg == 3 || c->insn->modrm_reg == 5;
	default:
		return false;
	}
}

/**
 * emul_read_far() - read a far pointer from memory
 * @c: context
 * @op: memory operand
 * @sel: selector
 * @off: offset, opsize bytes; AMD processors have no 64-bit one
 *
 * Return: enum tdm_emul_rc.
 */
int emul_read_far(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		  u16 *sel, u64 *off)
{
	unsigned int size = c->insn->opsize;
	u64 lin;
	int rc;

	if (size == 8 && (c->features & TDM_EMUL_F_AMD))
		size = 4;
	*off = 0;
	rc = emul_mem_linear(c, op, size + 2, TDM_ACC_READ, &lin);
	if (!rc)
		rc = emul_read_lin(c, lin, off, size, TDM_ACC_READ);
	if (!rc)
		rc = emul_read_lin(c, lin + size, sel, 2, TDM_ACC_READ);
	return rc;
}

/**
 * emul_desc_is_code() - is it a code segment that could be loaded?
 * @c: context
 * @d: descriptor
 *
 * L and D together are reserved in IA-32e mode.
 */
bool emul_desc_is_code(const struct tdm_emul_ctxt *c, const struct emul_desc *d)
{
	if (!(d->raw & EMUL_DESC_S) || !(emul_desc_type(d) & TDM_AR_CODE))
		return false;
	return !emul_lma(c) ||
	       (d->raw & (EMUL_DESC_L | EMUL_DESC_DB)) !=
	       (EMUL_DESC_L | EMUL_DESC_DB);
}

/**
 * emul_load_cs() - go on in another code segment
 * @c: context
 * @d: descriptor, checked
 * @sel: selector; its RPL is replaced by @cpl
 * @cpl: privilege level there
 * @rip: offset there
 *
 * The caller must have written whatever it pushes with the old CPL before.
 *
 * Return: enum tdm_emul_rc.
 */
int emul_load_cs(struct tdm_emul_ctxt *c, struct emul_desc *d, u16 sel,
		 unsigned int cpl, u64 rip)
{
	struct tdm_segment s;
	int rc;

	tdm_segment_from_desc(&s, d->raw, (sel & ~3u) | cpl);
	rc = emul_check_target(c, &s, rip);
	if (!rc)
		rc = emul_set_accessed(c, d);
	if (rc)
		return rc;
	s.ar |= TDM_AR_ACCESSED;
	emul_store_seg(c, TDM_SEG_CS, &s);
	c->next_rip = rip;
	return TDM_EMUL_DONE;
}

/* Stack pointer and SS for a privilege level, from a 16- or 32-bit TSS. */
static int tss_stack(struct tdm_emul_ctxt *c, unsigned int cpl, u16 *ss, u64 *sp)
{
	const struct tdm_segment *tr = emul_seg(c, TDM_SEG_TR);
	unsigned int acc = TDM_ACC_READ | TDM_ACC_IMPLICIT;
	bool tss32 = tr->ar & 8;
	unsigned int size = tss32 ? 4 : 2;
	u64 off = tss32 ? 4 + 8 * cpl : 2 + 4 * cpl;
	int rc;

	if (off + 2 * size - 1 > tr->limit)
		return emul_exc_err(c, EMUL_TS, (tr->selector & ~3u) | c->ext);
	*sp = 0;
	rc = emul_read_lin(c, tr->base + off, sp, size, acc);
	if (!rc)
		rc = emul_read_lin(c, tr->base + off + size, ss, 2, acc);
	return rc;
}

/* Check and load SS for a more privileged level; #TS or #SS with selector. */
static int load_inner_ss(struct tdm_emul_ctxt *c, u16 sel, unsigned int cpl)
{
	u32 err = (sel & ~3u) | c->ext;
	struct tdm_segment s;
	struct emul_desc d;
	u32 ar;
	int rc;

	if (!(sel & ~3u))
		return emul_exc_err(c, EMUL_TS, c->ext);
	if (!emul_desc_linear(c, sel, 8, &d.lin))
		return emul_exc_err(c, EMUL_TS, err);
	rc = emul_read_desc(c, sel, EMUL_TS, &d);
	if (rc)
		return rc;
	ar = d.raw >> 40;
	if ((sel & 3) != cpl || emul_desc_dpl(&d) != cpl || !(ar & TDM_AR_S) ||
	    (ar & (TDM_AR_CODE | TDM_AR_RW)) != TDM_AR_RW)
		return emul_exc_err(c, EMUL_TS, err);
	if (!(ar & TDM_AR_P))
		return emul_exc_err(c, EMUL_SS, err);
	rc = emul_set_accessed(c, &d);
	if (rc)
		return rc;
	tdm_segment_from_desc(&s, d.raw, sel);
	emul_store_seg(c, TDM_SEG_SS, &s);
	return TDM_EMUL_DONE;
}

/**
 * emul_inner_stack() - switch to the stack of a more privileged level
 * @c: context
 * @cpl: the new level
 * @ist: in IA-32e mode: stack of the interrupt stack table, 0 for none
 *
 * Loads SS and RSP, and makes @cpl the current privilege level for the
 * accesses that follow. Not committed before the step is.
 *
 * Return: enum tdm_emul_rc.
 */
int emul_inner_stack(struct tdm_emul_ctxt *c, unsigned int cpl, unsigned int ist)
{
	const struct tdm_segment *tr = emul_seg(c, TDM_SEG_TR);
	struct tdm_segment null = { .selector = cpl };
	u64 sp, off = ist ? 28 + 8 * ist : 4 + 8 * cpl;
	u16 ss;
	int rc;

	if (!emul_lma(c)) {
		rc = tss_stack(c, cpl, &ss, &sp);
		if (!rc)
			rc = load_inner_ss(c, ss, cpl);
		if (rc)
			return rc;
		c->cpl = cpl;
		emul_set_gpr(c, TDM_RSP, emul_stack_size(c), sp);
		return TDM_EMUL_DONE;
	}

	if (off + 7 > tr->limit)
		return emul_exc_err(c, EMUL_TS, (tr->selector & ~3u) | c->ext);
	rc = emul_read_lin(c, tr->base + off, &sp, 8,
			   TDM_ACC_READ | TDM_ACC_IMPLICIT);
	if (rc)
		return rc;
	if (!emul_canonical(c, sp))
		return emul_exc_err(c, EMUL_SS, c->ext);
	if (cpl != emul_cpl(c)) {
		null.ar = TDM_AR_UNUSABLE | cpl << TDM_AR_DPL_SHIFT;
		emul_store_seg(c, TDM_SEG_SS, &null);
	}
	c->cpl = cpl;
	c->mode = TDM_MODE_LONG64;	/* what is pushed is pushed there */
	c->regs->gpr[TDM_RSP] = sp;
	return TDM_EMUL_DONE;
}

#define OP_IRET	0xcf

/**
 * emul_outer_ss() - check and load SS when returning to an outer level
 * @c: context
 * @sel: selector from the stack
 * @cs: the code segment returned to, its RPL the new level
 *
 * Return: enum tdm_emul_rc.
 */
int emul_outer_ss(struct tdm_emul_ctxt *c, u16 sel, const struct tdm_segment *cs)
{
	unsigned int cpl = cs->selector & 3;
	struct tdm_segment s;
	struct emul_desc d;
	u32 ar;
	int rc;

	if (!(sel & ~3u)) {
		/* 64-bit code above level 3 runs with a null SS. */
		if (!emul_lma(c) || !(cs->ar & TDM_AR_L) || cpl == 3 ||
		    (sel & 3) != cpl)
			return emul_gp(c, 0);
		s = (struct tdm_segment) {
			.selector = sel,
			.ar = TDM_AR_UNUSABLE | cpl << TDM_AR_DPL_SHIFT,
		};
		emul_store_seg(c, TDM_SEG_SS, &s);
		return TDM_EMUL_DONE;
	}
	rc = emul_read_desc(c, sel, EMUL_GP, &d);
	if (rc)
		return rc;
	ar = d.raw >> 40;
	if ((sel & 3) != cpl || emul_desc_dpl(&d) != cpl || !(ar & TDM_AR_S) ||
	    (ar & (TDM_AR_CODE | TDM_AR_RW)) != TDM_AR_RW)
		return emul_gp(c, sel & ~3u);
	/* SDM vol. 2: IRET's #NP is for either segment. RET, and AMD's: for CS alone. */
	if (!(ar & TDM_AR_P))
		return emul_exc_err(c, c->insn->opcode == OP_IRET &&
				    !(c->features & TDM_EMUL_F_AMD) ? EMUL_NP : EMUL_SS,
				    sel & ~3u);
	rc = emul_set_accessed(c, &d);
	if (rc)
		return rc;
	tdm_segment_from_desc(&s, d.raw, sel);
	emul_store_seg(c, TDM_SEG_SS, &s);
	return TDM_EMUL_DONE;
}

/**
 * emul_drop_segments() - null the data segments an outer level may not have
 * @c: context
 * @cpl: the new level
 */
void emul_drop_segments(struct tdm_emul_ctxt *c, unsigned int cpl)
{
	static const u8 segs[] = { TDM_SEG_ES, TDM_SEG_DS, TDM_SEG_FS, TDM_SEG_GS };
	struct tdm_segment null = { .ar = TDM_AR_UNUSABLE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		const struct tdm_segment *s = emul_seg(c, segs[i]);
		unsigned int dpl = (s->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;

		if ((s->ar & TDM_AR_UNUSABLE) || dpl >= cpl)
			continue;
		if ((s->ar & (TDM_AR_CODE | TDM_AR_DC)) != (TDM_AR_CODE | TDM_AR_DC))
			emul_store_seg(c, segs[i], &null);
	}
}
