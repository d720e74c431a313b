// SPDX-License-Identifier: GPL-2.0-only
/*
 * The form of fragments, see bt_form.h: records and links in order; each host
 * instruction decodes, is one that may run at CPL 1, and branches only to where
 * instructions of the fragment or continuations begin, or go through the lookup table.
 */
#include "bt_form.h"

#include "arch/x86/insn-zydis.h"
#include "bt/classify.h"

static const char *bad_records(const struct tdm_bt_tr *tr)
{
	unsigned int i, n = 0, g = 0;

	if (!tr->nr_recs || tr->nr_recs > TDM_TU_MAX_RECS || tr->recs[0].hoff ||
	    !tr->nr_insns || tr->nr_insns > tr->max_insns || !tr->out_len ||
	    tr->out_len > TDM_TU_MAX_HOST || tr->nr_links > TDM_TU_MAX_LINKS)
		return "counts";
	if (!tr->guest_len || tr->guest_len > tr->len)
		return "guest length";
	for (i = 0; i < tr->nr_recs; i++) {
		const struct tdm_bt_rec *rec = &tr->recs[i];

		if (i && rec->hoff <= rec[-1].hoff)
			return "order of the records";
		if (rec->hoff >= tr->out_len)
			return "record behind the fragment";
		if (rec->op >= TDM_NR_BT_OPS || rec->kind > TDM_REC_INDIRECT)
			return "record";
		if (rec->insn != n) {
			n++;
			g = rec->goff;
		}
		if (rec->insn != n || rec->goff != g || rec->goff >= tr->page_len)
			return "numbers of the records";
		if (!rec->glen || rec->goff + rec->glen > tr->guest_len)
			return "guest length of a record";
	}
	return n + 1 == tr->nr_insns ? NULL : "number of instructions";
}

/* Is the guest instruction an STI that is not left to the monitor? */
static bool is_sti(const struct tdm_bt_tr *tr, const struct tdm_bt_rec *rec)
{
	static struct tdm_insn insn;
	static struct tdm_insn_work work;

	return rec->op == TDM_BT_OP_NONE &&
	       !tdm_insn_decode(&insn, &work, tr->code + rec->goff, tr->len - rec->goff, tr->mode) &&
	       insn.mnemonic == ZYDIS_MNEMONIC_STI;
}

/* The shadow of STI: all of BEFORE the next instruction, which there must be. */
static const char *bad_shadow(const struct tdm_bt_tr *tr)
{
	bool sti[TDM_TU_MAX_INSNS + 1] = {};
	unsigned int i;

	for (i = 0; i < tr->nr_recs; i++) {
		const struct tdm_bt_rec *rec = &tr->recs[i];
		bool want = rec->insn && sti[rec->insn - 1] && rec->kind == TDM_REC_BEFORE;

		if (!i || rec[-1].insn != rec->insn)
			sti[rec->insn] = is_sti(tr, rec);
		if (want != !!(rec->flags & TDM_REC_F_STI_SHADOW))
			return "shadow of STI";
	}
	return sti[tr->nr_insns - 1] ? "the last instruction is STI" : NULL;
}

static const char *bad_links(const struct tdm_bt_tr *tr)
{
	unsigned int i;
	s32 rel;

	for (i = 0; i < tr->nr_links; i++) {
		const struct tdm_bt_link *l = &tr->links[i];
		u64 at = tr->va + l->patch;

		if (!l->patch || l->patch + 4 > tr->out_len)
			return "rel32 outside of the fragment";
		memcpy(&rel, tr->out + l->patch, 4);
		if ((at & 63) > 60)
			return "rel32 crosses a line";
		if (at + 4 + rel != tr->cont[i])
			return "rel32 does not lead to its continuation";
		if (l->elide && (l->patch + 4 != tr->out_len || tr->out[l->patch - 1] != 0xe9))
			return "link cannot be elided";
	}
	return NULL;
}

/* Sequences have these, besides what may be copied. */
static bool may_run(const struct tdm_insn *insn, const struct tdm_insn_work *work)
{
	struct tdm_bt_verdict v = tdm_bt_classify(insn, work);

	switch (v.cls) {
	case TDM_BTC_IDENT:
	case TDM_BTC_IDENT_STOP:
	case TDM_BTC_LEA:
	case TDM_BTC_JMP:
	case TDM_BTC_JCC:
	case TDM_BTC_LOOP:
		return true;
	case TDM_BTC_PUSHF:
	case TDM_BTC_POPF:
		return insn->opsize == 8;
	case TDM_BTC_JMP_IND:
		/* jmp [rax + rcx * 8] */
		return insn->len == 3 && !memcmp(insn->bytes, "\xff\x24\xc8", 3);
	default:
		return insn->mnemonic == ZYDIS_MNEMONIC_INT &&
		       insn->opnd[0].imm == TDM_BT_VEC_CALLOUT;
	}
}

static bool branches(const struct tdm_insn *insn)
{
	return insn->nr_opnds && insn->opnd[0].kind == TDM_OPND_REL;
}

/* First the starts of all instructions, then where branches lead. */
static const char *bad_code(const struct tdm_bt_tr *tr)
{
	static struct tdm_insn insn;
	static struct tdm_insn_work work;
	static bool start[TDM_TU_MAX_HOST + 1];
	unsigned int off, pass;
	u64 target;

	memset(start, 0, sizeof(start));
	for (pass = 0; pass < 2; pass++)
	for (off = 0; off < tr->out_len; off += insn.len) {
		start[off] = true;
		if (tdm_insn_decode(&insn, &work, tr->out + off, tr->out_len - off, tr->mode))
			return "host code does not decode";
		if (!may_run(&insn, &work))
			return "host instruction that must not be there";
		if (insn.mnemonic == ZYDIS_MNEMONIC_INT)
			insn.len += 4;
		if (!pass || !branches(&insn))
			continue;
		target = tr->va + off + insn.len + insn.opnd[0].imm;
		if (target - tr->va < tr->out_len ? !start[target - tr->va] :
		    target != tr->va + tr->out_len && target != tr->cont[0] &&
		    target != tr->cont[1])
			return "host branch to nowhere";
	}
	return off == tr->out_len ? NULL : "host code ends within an instruction";
}

const char *bt_bad_form(const struct tdm_bt_tr *tr)
{
	const char *why = bad_records(tr);

	if (!why)
		why = bad_shadow(tr);
	if (!why)
		why = bad_links(tr);
	return why ? why : bad_code(tr);
}
