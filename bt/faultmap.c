// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an address in the TC to the guest: which fragment, which record, which guest
 * instruction. Works for killed TUs, too, until the next full flush: a vCPU may
 * have been inside.
 *
 * All addresses come from the guest; each has an answer, if only "no".
 */
#include "bt/tc.h"

/**
 * tdm_tc_at() - the fragment at a TC offset
 * @tc: the TC; tc->lock held
 * @off: any
 *
 * Return: the TU, dead or alive; NULL: no fragment there.
 */
struct tdm_tu *tdm_tc_at(struct tdm_bt_vm *tc, u32 off)
{
	u32 page = off / PAGE_SIZE, low, high, mid;
	struct tdm_tu *tu;

	if (off >= tc->bottom)
		return NULL;
	low = tc->first[page];
	if (!low)
		return NULL;
	high = (page + 1) * PAGE_SIZE < tc->size ? tc->first[page + 1] : 0;
	if (!high)
		high = tc->nr_tus - 1;
	/* The last one that begins at or before @off. */
	while (low < high) {
		mid = high - (high - low) / 2;
		if (tdm_tc_tu(tc, mid)->off <= off)
			low = mid;
		else
			high = mid - 1;
	}
	tu = tdm_tc_tu(tc, low);
	return off - tu->off < tu->len ? tu : NULL;
}

static const struct tdm_bt_rec *record_at(const struct tdm_bt_rec *recs, u32 nr, u32 hoff)
{
	while (nr > 1 && recs[nr - 1].hoff > hoff)
		nr--;
	return &recs[nr - 1];
}

/* Where the fragment has the beginning of @rec's instruction; 0: not at all. */
static u64 this_of(const struct tdm_bt_vm *tc, const struct tdm_tu *tu,
		   const struct tdm_bt_rec *rec)
{
	while (rec > tu->recs && rec[-1].insn == rec->insn)
		rec--;
	return rec->kind == TDM_REC_BEFORE && !rec->restore ? tdm_tc_va(tc, tu->off + rec->hoff) : 0;
}

/* Where it goes on behind that instruction: with the next, or out of the fragment. */
static u64 next_of(const struct tdm_bt_vm *tc, const struct tdm_tu *tu,
		   const struct tdm_bt_rec *rec)
{
	const struct tdm_bt_rec *end = tu->recs + tu->nr_recs;
	u8 insn = rec->insn;

	while (++rec < end) {
		if (rec->insn != insn)
			return rec->kind == TDM_REC_BEFORE && !rec->restore ?
			       tdm_tc_va(tc, tu->off + rec->hoff) : 0;
		if (rec->kind == TDM_REC_AFTER && !rec->restore && !rec->flags)
			return tdm_tc_va(tc, tu->off + rec->hoff);
	}
	return 0;
}

static void pos_at(const struct tdm_bt_vm *tc, const struct tdm_tu *tu,
		   const struct tdm_bt_rec *rec, struct tdm_bt_pos *pos)
{
	pos->rec = *rec;
	pos->rip = tu->rip + rec->goff;
	pos->target = tu->nr_links ? tu->links[0].target : 0;
	pos->tc_this = tu->dead ? 0 : this_of(tc, tu, rec);
	pos->tc_next = tu->dead ? 0 : next_of(tc, tu, rec);
}

/**
 * tdm_tu_pos() - what a place in a fragment means
 * @tc: the TC; tc->lock held
 * @tu: the TU
 * @off: in its fragment
 * @pos: filled
 */
void tdm_tu_pos(struct tdm_bt_vm *tc, const struct tdm_tu *tu, u32 off, struct tdm_bt_pos *pos)
{
	pos_at(tc, tu, record_at(tu->recs, tu->nr_recs, off - tu->off), pos);
}

/* In a stub of an indirect target: on the way. */
static bool stub_pos(struct tdm_bt_pos *pos)
{
	memset(pos, 0, sizeof(*pos));
	pos->rec.kind = TDM_REC_INDIRECT;
	pos->rec.restore = TDM_BT_STUB_RESTORE;
	return true;
}

/* In a cell: its INT has not been executed yet, so the branch has. */
static bool cell_pos(struct tdm_bt_vm *tc, u32 off, struct tdm_bt_pos *pos)
{
	struct tdm_tu *tu;
	u32 id, link;

	if (off % TDM_TC_CELL)
		return false;
	tdm_tc_read(tc, off + 2, &id, sizeof(id));
	tu = tdm_tc_tu(tc, TDM_BT_ID_TU(id));
	link = TDM_BT_ID_WHAT(id) - TDM_BT_WHAT_LINK0;
	if (!tu || link >= tu->nr_links)
		return false;
	memset(pos, 0, sizeof(*pos));
	pos->rec.kind = TDM_REC_TAKEN;
	pos->rip = tu->links[link].target;
	pos->target = pos->rip;
	pos->tc_this = tdm_tc_va(tc, off);
	return true;
}

/**
 * tdm_tc_pos() - what a TC offset means
 * @tc: the TC; tc->lock held
 * @off: any
 * @pos: filled
 *
 * Return: false: nothing is there.
 */
bool tdm_tc_pos(struct tdm_bt_vm *tc, u32 off, struct tdm_bt_pos *pos)
{
	struct tdm_tu *tu;

	if (off >= tc->top)
		return test_bit(off / PAGE_SIZE, tc->stub_pages) ? stub_pos(pos) :
								    cell_pos(tc, off, pos);
	if (off < tc->common_len) {
		if (!tc->nr_common_recs)
			return false;
		memset(pos, 0, sizeof(*pos));
		pos->rec = *record_at(tc->common_recs, tc->nr_common_recs, off);
		return true;
	}
	tu = tdm_tc_at(tc, off);
	if (!tu)
		return false;
	tdm_tu_pos(tc, tu, off, pos);
	return true;
}

/**
 * tdm_bt_locate() - where the guest is, when it is at a TC address
 * @b: the vCPU; interrupts off
 * @tc_va: any address
 * @pos: filled
 *
 * Return: false: not in the TC, or nothing is there.
 */
bool tdm_bt_locate(struct tdm_bt *b, u64 tc_va, struct tdm_bt_pos *pos)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	u64 off = tc_va - (b->base + TDM_BT_TC);
	bool found;

	if (off >= tc->size)
		return false;
	spin_lock(&tc->lock);
	found = b->base == tc->base && tdm_tc_pos(tc, off, pos);
	spin_unlock(&tc->lock);
	if (found && pos->rec.kind == TDM_REC_INDIRECT)
		pos->target = READ_ONCE(b->state->ind_rip);
	return found;
}

/**
 * tdm_bt_site() - an instruction by its id, as translated code notes it
 * @b: the vCPU; interrupts off
 * @id: TDM_BT_ID() of the instruction; the guest's word
 * @pos: filled: its first record, before the instruction
 *
 * Return: false: no such instruction.
 */
bool tdm_bt_site(struct tdm_bt *b, u32 id, struct tdm_bt_pos *pos)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	const struct tdm_bt_rec *rec;
	struct tdm_tu *tu;
	bool found = false;

	spin_lock(&tc->lock);
	tu = tdm_tc_tu(tc, TDM_BT_ID_TU(id));
	for (rec = tu ? tu->recs : NULL; tu && rec < tu->recs + tu->nr_recs; rec++)
		if (rec->insn == TDM_BT_ID_WHAT(id)) {
			pos_at(tc, tu, rec, pos);
			found = true;
			break;
		}
	spin_unlock(&tc->lock);
	return found;
}
