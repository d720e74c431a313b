// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest code for the translator: the fetch as the guest's CPL 0 would make it, and
 * proof that nothing changed between the read and the moment the translation is
 * published.
 *
 * Order: note what tells of changes; walk the guest's tables; have the page traced;
 * read. A write, a change of the tables, a full flush or another space that come
 * after the note are found by tdm_tc_fetch_good(), under tc->lock.
 */
#include <asm/trapnr.h>

#include "bt/tc.h"
#include "shadow_mmu/mmu.h"

static int fetch_fault(struct tdm_exit *exit, const struct tdm_page_fault *pf)
{
	tdm_bt_guest_exc(exit, X86_TRAP_PF, true, pf->error, pf->gva);
	exit->insn_len = 0;
	return 0;
}

static int emulate(struct tdm_exit *exit)
{
	exit->kind = TDM_EXIT_EMULATE;
	exit->insn_len = 0;
	return 0;
}

static int read_code(struct tdm_bt *b, u64 gpa, void *buf, u32 len, struct tdm_exit *exit)
{
	int r = tdm_read_gpa(b->vcpu->vm, gpa, buf, len);

	if (r == -ENOENT)
		return emulate(exit);
	return r ? r : 1;
}

/*
 * A page that the space has code of, at the generation noted: where the walk to it
 * ended then it would end now. False: walk.
 */
static bool known_page(struct tdm_bt *b, u64 va)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_fetched *f = &b->tcv->fetched;
	struct tdm_code_page *page;
	u32 i;

	spin_lock(&tc->lock);
	page = f->space == b->space && tc->resets == f->resets ?
	       tdm_smc_page(tc, b->space, va & PAGE_MASK) : NULL;
	if (!page || page->checked != f->code_gen || !page->gfn->tracked ||
	    page->gfn->slots_gen != READ_ONCE(tc->vm->slots_generation))
		goto no;
	for (i = 0; i < b->space->nr_roots && b->space->index[i] != f->index; i++)
		;
	if (i == b->space->nr_roots)
		goto no;
	f->root = b->space->entry[i];
	f->page[0].va = page->va;
	f->page[0].gfn = page->gfn;
	f->page[0].seq = page->gfn->seq;
	spin_unlock(&tc->lock);
	return true;
no:
	spin_unlock(&tc->lock);
	return false;
}

/*
 * Page @nr of the fetch, from @va on, @len bytes to @buf. As tdm_tc_fetch().
 */
static int fetch_page(struct tdm_bt *b, int nr, u64 va, void *buf, u32 len, struct tdm_exit *exit)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_fetched *f = &b->tcv->fetched;
	struct tdm_page_fault pf;
	struct tdm_code_gfn *gfn;
	u64 gpa;
	int r;

	r = tdm_mmu_code_page(b->vcpu, va, &gpa, &pf);
	if (r == -EFAULT)
		return fetch_fault(exit, &pf);
	if (r == -EOPNOTSUPP)
		return emulate(exit);
	if (r)
		return r;
	if (!tdm_gpa_is_ram(tc->vm, gpa, false))
		return emulate(exit);
	r = tdm_smc_track(tc, gpa >> PAGE_SHIFT);
	if (r)
		return r == -ENOENT ? emulate(exit) : r;

	spin_lock(&tc->lock);
	gfn = tc->resets == f->resets ? tdm_smc_gfn(tc, gpa >> PAGE_SHIFT) : NULL;
	if (gfn && gfn->tracked) {
		f->page[nr].va = va & PAGE_MASK;
		f->page[nr].gfn = gfn;
		f->page[nr].seq = gfn->seq;
	}
	r = gfn && gfn->tracked ? 0 : -EAGAIN;
	spin_unlock(&tc->lock);
	return r ? r : read_code(b, gpa, buf, len, exit);
}

static void begin(struct tdm_bt *b, u64 rip)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_fetched *f = &b->tcv->fetched;

	spin_lock(&tc->lock);
	f->resets = tc->resets;
	f->space = b->space;
	spin_unlock(&tc->lock);
	f->code_gen = READ_ONCE(tc->vm->mmu.code_gen);
	f->nr_pages = 0;
	f->index = rip >> 39 & 511;
	/* The walk must not use what is newer than this. */
	smp_mb();
}

/**
 * tdm_tc_fetch() - read the code at a guest address
 * @b: the vCPU with its space; process context, no lock
 * @rip: where
 * @second: the instruction there reaches into the next page: that, too
 * @exit: filled if 0 is returned
 *
 * Return: 1: b->tcv->fetched is filled; 0: *exit is TDM_EXIT_GUEST_EXC (#PF) or
 * TDM_EXIT_EMULATE; -EAGAIN: begin again with tdm_space_ensure(); -EBUSY: not before
 * the vCPU has been through its loop; -errno.
 */
int tdm_tc_fetch(struct tdm_bt *b, u64 rip, bool second, struct tdm_exit *exit)
{
	struct tdm_bt_fetched *f = &b->tcv->fetched;
	u32 left = PAGE_SIZE - (rip & ~PAGE_MASK);
	u64 next = (rip & PAGE_MASK) + PAGE_SIZE, root;
	int r;

	begin(b, rip);
	/* Few TUs are longer; the others go on in the next. */
	f->page_len = min_t(u32, left, TDM_TC_FETCH);
	f->len = min_t(u32, left, TDM_TC_FETCH + TDM_INSN_MAX_LEN);
	if (!second && known_page(b, rip)) {
		f->nr_pages = 1;
		return read_code(b, f->page[0].gfn->gfn << PAGE_SHIFT | (rip & ~PAGE_MASK), f->bytes,
				 f->len, exit);
	}
	r = tdm_space_root(b, rip, &f->root);
	if (r)
		return r;
	r = fetch_page(b, 0, rip, f->bytes, f->len, exit);
	if (r <= 0)
		return r;
	f->nr_pages = 1;
	if (second) {
		/* Across a PML4 entry, or further than an instruction is long. */
		if (left >= TDM_INSN_MAX_LEN || (next >> 39 & 511) != f->index)
			return emulate(exit);
		r = fetch_page(b, 1, next, f->bytes + f->len, TDM_INSN_MAX_LEN - 1, exit);
		if (r <= 0)
			return r;
		f->nr_pages = 2;
		f->len += TDM_INSN_MAX_LEN - 1;
	}
	r = tdm_space_root(b, rip, &root);
	if (r)
		return r;
	return root == f->root ? 1 : -EAGAIN;
}

/**
 * tdm_tc_fetch_good() - are the bytes still what a fetch would give?
 * @tc: the TC; tc->lock held
 * @b: the vCPU that fetched
 */
bool tdm_tc_fetch_good(struct tdm_bt_vm *tc, struct tdm_bt *b)
{
	const struct tdm_bt_fetched *f = &b->tcv->fetched;
	int i;

	if (f->resets != tc->resets || f->space != b->space || !tdm_space_current(b) ||
	    f->code_gen < b->space->reval_gen)
		return false;
	for (i = 0; i < f->nr_pages; i++)
		if (!f->page[i].gfn->tracked || f->page[i].gfn->seq != f->page[i].seq)
			return false;
	return true;
}
