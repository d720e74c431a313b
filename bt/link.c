// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: direct branches out of a fragment. As translated they lead to a cell, an
 * INT that calls the monitor. When the target has a fragment the branch is turned
 * there ("chained"), or was replaced by it ("elided"). Every link keeps its cell,
 * so that it can be turned back whenever its target goes.
 *
 * Turning a branch is one store to its rel32, which does not cross a cache line: a
 * vCPU that runs there goes the old way or the new one. (What was elided can cross
 * one; then there is only one vCPU.)
 */
#include "bt/tc.h"
#include "bt/trace.h"

static void set_target(struct tdm_bt_vm *tc, const struct tdm_tu_link *link, u32 to)
{
	u32 at = tdm_link_tu((struct tdm_tu_link *)link)->off + link->patch;

	tdm_tc_store32(tc, at, to - (at + 4));
}

/**
 * tdm_link_unchain() - a link leads to its cell again
 * @tc: the TC; tc->lock held
 * @link: not elided
 */
void tdm_link_unchain(struct tdm_bt_vm *tc, struct tdm_tu_link *link)
{
	if (link->state != TDM_LINK_CHAINED)
		return;
	set_target(tc, link, link->cell);
	hlist_del(&link->in);
	link->to = NULL;
	link->state = TDM_LINK_CELL;
	tdm_vm_stat(tc->vm, bt_unchained);
}

/**
 * tdm_link_chain() - a link leads to a TU from now on
 * @tc: the TC; tc->lock held
 * @link: of a TU that is alive
 * @to: alive, in the same space
 *
 * Not with bt_verify: each TU is to end in the monitor then.
 */
void tdm_link_chain(struct tdm_bt_vm *tc, struct tdm_tu_link *link, struct tdm_tu *to)
{
	struct tdm_tu *from = tdm_link_tu(link);

	if (tdm_bt_verify || link->state != TDM_LINK_CELL || from->dead || to->dead || from->space != to->space)
		return;
	/* What is below another PML4 entry is the same only for some of the space's vCPUs. */
	if (from->rip >> 39 != to->rip >> 39)
		return;
	set_target(tc, link, to->off);
	link->to = to;
	link->state = TDM_LINK_CHAINED;
	hlist_add_head(&link->in, &to->in);
	tdm_vm_stat(tc->vm, bt_chained);
	trace_tdm_bt_chain(tc->vm, from->rip, to->rip, false);
}

/*
 * The JMP is not there any more, the target's fragment is in its place: a JMP to
 * the link's cell over its beginning. Nobody is in there: only without tc->smp are
 * jumps elided, and then the one vCPU is not in the guest now.
 */
static void unelide(struct tdm_bt_vm *tc, struct tdm_tu_link *link)
{
	struct tdm_tu *from = tdm_link_tu(link);
	u32 at = from->off + from->len, rel = link->cell - (at + 5);
	u8 jmp[5] = { 0xe9 };

	memcpy(jmp + 1, &rel, sizeof(rel));
	tdm_tc_write(tc, at, jmp, sizeof(jmp));
	hlist_del(&link->in);
	link->to = NULL;
	link->state = TDM_LINK_CELL;
	/* From now on as any other, but in the killed TU's place. */
	link->elide = false;
	link->patch = from->len + 1;
	tdm_vm_stat(tc->vm, bt_unchained);
}

/**
 * tdm_link_cut() - nothing leads to a TU, nor on from it but to the monitor
 * @tc: the TC; tc->lock held
 * @tu: being killed
 */
void tdm_link_cut(struct tdm_bt_vm *tc, struct tdm_tu *tu)
{
	struct tdm_tu_link *link;
	struct hlist_node *tmp;
	int i;

	/* Its own first: a JMP over its beginning may be over one of its links. */
	for (i = 0; i < tu->nr_links; i++) {
		link = &tu->links[i];
		if (link->state == TDM_LINK_ELIDED) {
			/* Falls into a fragment that is alive; but nobody comes here. */
			hlist_del(&link->in);
			link->to = NULL;
			link->state = TDM_LINK_CELL;
		} else {
			tdm_link_unchain(tc, link);
		}
	}
	hlist_for_each_entry_safe(link, tmp, &tu->in, in) {
		if (link->state == TDM_LINK_ELIDED)
			unelide(tc, link);
		else
			tdm_link_unchain(tc, link);
	}
}

/* ---- a branch met a target that was not there ---- */

static void remember(struct tdm_bt_vm *tc, struct tdm_bt_tcv *tcv, const struct tdm_tu_link *link)
{
	tcv->pend_tu = tdm_link_tu((struct tdm_tu_link *)link)->nr;
	tcv->pend_link = link->nr;
	tcv->pend_resets = tc->resets;
}

/**
 * tdm_link_pending() - the link for whose sake the vCPU wants a translation
 * @b: the vCPU; tc->lock held
 * @rip: what is to be translated
 *
 * Return: a link of a TU that is alive and in the vCPU's space; NULL: none.
 */
struct tdm_tu_link *tdm_link_pending(struct tdm_bt *b, u64 rip)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_tcv *tcv = b->tcv;
	struct tdm_tu_link *link;
	struct tdm_tu *tu;

	if (!tcv->pend_tu || tcv->pend_resets != tc->resets)
		return NULL;
	tu = tdm_tc_tu(tc, tcv->pend_tu);
	link = &tu->links[tcv->pend_link];
	if (tu->dead || tu->space != b->space || link->target != rip ||
	    link->state != TDM_LINK_CELL || tu->rip >> 39 != rip >> 39)
		return NULL;
	return link;
}

/** tdm_link_resolve() - what waited for a TU: it is there now; tc->lock held */
void tdm_link_resolve(struct tdm_bt *b, struct tdm_tu *tu)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_tu_link *link = tdm_link_pending(b, tu->rip);

	b->tcv->pend_tu = 0;
	if (link)
		tdm_link_chain(tc, link, tu);
}

/* ---- callouts ---- */

/* Where the vCPU goes on: @target, which has a fragment or not. */
static void go_to(struct tdm_bt_vm *tc, struct tdm_bt_pos *pos, u64 target,
		  const struct tdm_tu *tu)
{
	pos->rec.glen = 0;
	pos->rip = target;
	pos->target = target;
	pos->tc_this = tu ? tdm_tc_va(tc, tu->off) : 0;
	pos->tc_next = 0;
}

static bool link_callout(struct tdm_bt_vm *tc, struct tdm_bt *b, u32 id, struct tdm_bt_pos *pos)
{
	struct tdm_tu *tu = tdm_tc_tu(tc, TDM_BT_ID_TU(id)), *to;
	u32 nr = TDM_BT_ID_WHAT(id) - TDM_BT_WHAT_LINK0;
	struct tdm_tu_link *link;

	if (!tu || nr >= tu->nr_links)
		return false;
	link = &tu->links[nr];
	to = tdm_tc_lookup(b, link->target);
	if (!to && !tu->dead)
		remember(tc, b->tcv, link);
	else if (to)
		tdm_link_chain(tc, link, to);
	memset(pos, 0, sizeof(*pos));
	pos->rec.kind = TDM_REC_TAKEN;
	go_to(tc, pos, link->target, to);
	return true;
}

static bool miss_callout(struct tdm_bt_vm *tc, struct tdm_bt *b, u32 at, struct tdm_bt_pos *pos)
{
	u64 rip = READ_ONCE(b->state->ind_rip);
	struct tdm_tu *to;

	if (!tdm_tc_pos(tc, at, pos))
		return false;
	to = tdm_tc_lookup(b, rip);
	/* Or else it would come here each time. */
	if (to && !tdm_lookup_add(tc, b, to))
		to = NULL;
	pos->rec.kind = TDM_REC_INDIRECT;
	go_to(tc, pos, rip, to);
	return true;
}

static bool callout_at(struct tdm_bt_vm *tc, struct tdm_bt *b, u32 at, u32 id,
		       struct tdm_bt_pos *pos)
{
	struct tdm_tu *tu;

	if (at >= tc->top)
		return at % TDM_TC_CELL == 0 && TDM_BT_ID_WHAT(id) >= TDM_BT_WHAT_LINK0 &&
		       link_callout(tc, b, id, pos);
	if (at < tc->common_len)
		return id == TDM_BT_ID(TDM_BT_ID_COMMON, TDM_BT_WHAT_MISS) &&
		       miss_callout(tc, b, at, pos);
	/* A jump into the middle of an instruction can make an INT of anything. */
	tu = tdm_tc_tu(tc, TDM_BT_ID_TU(id));
	if (!tu || at - tu->off >= tu->len)
		return false;
	tdm_tu_pos(tc, tu, at, pos);
	return pos->rec.insn == TDM_BT_ID_WHAT(id);
}

/**
 * tdm_bt_callout() - what translated code called the monitor for
 * @b: the vCPU; interrupts off
 * @tc_va: return address of the INT, which is that of the id
 * @pos: filled. Instructions: as tdm_bt_locate(). Links and MISS: @rip, @target are
 *	where to go on, @tc_this its fragment or 0
 * @what: TDM_BT_ID_WHAT() of the id
 *
 * Return: false: there is no such callout there; the guest made it up.
 */
bool tdm_bt_callout(struct tdm_bt *b, u64 tc_va, struct tdm_bt_pos *pos, u32 *what)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	u64 at = tc_va - 2 - (b->base + TDM_BT_TC);
	bool good;
	u32 id;

	if (at >= tc->size - TDM_TC_CELL + 1)
		return false;
	spin_lock(&tc->lock);
	id = tdm_tc_read32(tc, at + 2);
	*what = TDM_BT_ID_WHAT(id);
	good = b->tcv && b->base == tc->base && callout_at(tc, b, at, id, pos);
	spin_unlock(&tc->lock);
	return good;
}
