// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to guest code. A guest page with translated code is traced (not mapped
 * writable), so each write to it ends here, after it was made.
 *
 * A TU dies if one of its bytes was written. A page that only ever gets writes
 * beside its code has data in it, too: after so many (@patience) it loses all its
 * TUs and the trace, and must be even more patient when code comes back. Traces go
 * in process context, when the next fill or entry comes by.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "bt/tc.h"
#include "bt/trace.h"
#include "shadow_mmu/mmu.h"

#define BLOCK_SHIFT	6	/* tdm_code_gfn.blocks: 64 bytes a bit */

static u64 blocks_of(u32 off, u32 len)
{
	u32 from = off >> BLOCK_SHIFT, to = (off + len - 1) >> BLOCK_SHIFT;

	return GENMASK_ULL(to, from);
}

static struct hlist_head *gfn_bucket(struct tdm_bt_vm *tc, u64 gfn)
{
	return &tc->gfns[hash_64(gfn, TDM_TC_PAGE_HASH_BITS)];
}

/** tdm_smc_gfn() - what is known of a guest page; tc->lock held; NULL: nothing */
struct tdm_code_gfn *tdm_smc_gfn(struct tdm_bt_vm *tc, u64 gfn)
{
	struct tdm_code_gfn *g;

	hlist_for_each_entry(g, gfn_bucket(tc, gfn), hash)
		if (g->gfn == gfn)
			return g;
	return NULL;
}

static struct hlist_head *page_bucket(struct tdm_bt_vm *tc, const struct tdm_bt_space *space,
				      u64 va)
{
	return &tc->pages[hash_64((va >> PAGE_SHIFT) ^ (unsigned long)space,
				  TDM_TC_PAGE_HASH_BITS)];
}

/** tdm_smc_page() - a page of code in a space; tc->lock held; NULL: none */
struct tdm_code_page *tdm_smc_page(struct tdm_bt_vm *tc, struct tdm_bt_space *space, u64 va)
{
	struct tdm_code_page *page;

	hlist_for_each_entry(page, page_bucket(tc, space, va), hash)
		if (page->va == va && page->space == space)
			return page;
	return NULL;
}

/* ---- a TU's bytes ---- */

/**
 * tdm_smc_add_ref() - note that a TU has bytes in a page
 * @tc: the TC; tc->lock held
 * @ref: @tu, @off, @len set
 * @space: the TU's
 * @va: address of the page
 * @gfn: tracked
 * @spare: a page struct; NULL in it afterwards if that was used
 */
void tdm_smc_add_ref(struct tdm_bt_vm *tc, struct tdm_code_ref *ref, struct tdm_bt_space *space,
		     u64 va, struct tdm_code_gfn *gfn, struct tdm_code_page **spare)
{
	struct tdm_code_page *page = tdm_smc_page(tc, space, va);

	if (page && page->gfn != gfn) {
		/* The guest has mapped something else there since; no flush needed for us to see it. */
		tdm_smc_kill_page(tc, page);
		page = NULL;
	}
	if (!page) {
		page = *spare;
		*spare = NULL;
		page->space = space;
		page->va = va;
		page->gfn = gfn;
		page->checked = space->reval_gen;
		hlist_add_head(&page->hash, page_bucket(tc, space, va));
		list_add_tail(&page->in_space, &space->pages);
		list_add(&page->in_gfn, &gfn->pages);
		tdm_vm_stat(tc->vm, bt_code_pages);
	}
	ref->page = page;
	hlist_add_head(&ref->node, &page->refs);
	gfn->blocks |= blocks_of(ref->off, ref->len);
}

static void idle(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn)
{
	gfn->blocks = 0;
	gfn->misses = 0;
	if (!list_empty(&gfn->idle_node))
		return;
	list_add_tail(&gfn->idle_node, &tc->idle);
	WRITE_ONCE(tc->idle_work, true);
}

static void drop_ref(struct tdm_bt_vm *tc, struct tdm_code_ref *ref)
{
	struct tdm_code_page *page = ref->page;

	if (!page)
		return;
	ref->page = NULL;
	hlist_del(&ref->node);
	if (!hlist_empty(&page->refs))
		return;
	hlist_del(&page->hash);
	list_del(&page->in_space);
	list_del(&page->in_gfn);
	if (list_empty(&page->gfn->pages))
		idle(tc, page->gfn);
	tdm_vm_stat_add(tc->vm, bt_code_pages, -1);
	kfree(page);
}

/** tdm_smc_drop_refs() - a TU has no bytes anywhere any more; tc->lock held */
void tdm_smc_drop_refs(struct tdm_bt_vm *tc, struct tdm_tu *tu)
{
	drop_ref(tc, &tu->ref[0]);
	drop_ref(tc, &tu->ref[1]);
}

/** tdm_smc_kill_page() - all TUs with bytes in a page; tc->lock held; the page struct is freed */
void tdm_smc_kill_page(struct tdm_bt_vm *tc, struct tdm_code_page *page)
{
	struct tdm_code_ref *ref;
	bool last;

	do {
		ref = hlist_entry(page->refs.first, struct tdm_code_ref, node);
		last = !ref->node.next;
		tdm_tc_kill(tc, ref->tu);
	} while (!last);
}

/* ---- traces ---- */

static struct tdm_code_gfn *get_gfn(struct tdm_bt_vm *tc, u64 nr)
{
	struct tdm_code_gfn *gfn;

	spin_lock(&tc->lock);
	gfn = tdm_smc_gfn(tc, nr);
	spin_unlock(&tc->lock);
	if (gfn)
		return gfn;
	gfn = kzalloc(sizeof(*gfn), GFP_KERNEL_ACCOUNT);
	if (!gfn)
		return NULL;
	INIT_LIST_HEAD(&gfn->pages);
	INIT_LIST_HEAD(&gfn->idle_node);
	gfn->gfn = nr;
	gfn->patience = TDM_SMC_PATIENCE_MIN;
	spin_lock(&tc->lock);
	hlist_add_head(&gfn->hash, gfn_bucket(tc, nr));
	spin_unlock(&tc->lock);
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, sizeof(*gfn));
	return gfn;
}

static void kill_gfn(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn)
{
	while (!list_empty(&gfn->pages))
		tdm_smc_kill_page(tc, list_first_entry(&gfn->pages, struct tdm_code_page, in_gfn));
}

/* tc->mutex held. The trace may have gone with its memslot: then it is made again. */
static int track(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn)
{
	u32 slots_gen = READ_ONCE(tc->vm->slots_generation);
	int r;

	if (gfn->tracked && gfn->slots_gen == slots_gen)
		return 0;
	if (gfn->tracked) {
		spin_lock(&tc->lock);
		kill_gfn(tc, gfn);
		gfn->tracked = false;
		spin_unlock(&tc->lock);
		/* Nothing, if the trace has gone: nobody else has any. */
		tdm_track_del(tc->vm, gfn->gfn, TDM_TRACK_CODE);
	}
	/* The memslot that is found now, or a later one, has this generation or a later one. */
	smp_mb();
	r = tdm_track_add(tc->vm, gfn->gfn, TDM_TRACK_CODE);
	if (r)
		return r;
	spin_lock(&tc->lock);
	gfn->tracked = true;
	gfn->slots_gen = slots_gen;
	spin_unlock(&tc->lock);
	return 0;
}

/**
 * tdm_smc_track() - hear of writes to a guest page from now on
 * @tc: the TC; process context
 * @gfn: the page
 *
 * Return: 0; -ENOENT: no memslot; -ENOMEM, -ENOSPC.
 */
int tdm_smc_track(struct tdm_bt_vm *tc, u64 gfn)
{
	struct tdm_code_gfn *g;
	int r = -ENOMEM;

	mutex_lock(&tc->mutex);
	g = get_gfn(tc, gfn);
	if (g)
		r = track(tc, g);
	mutex_unlock(&tc->mutex);
	return r;
}

/**
 * tdm_smc_reap() - end the traces of pages that have no code any more
 * @tc: the TC; process context
 */
void tdm_smc_reap(struct tdm_bt_vm *tc)
{
	struct tdm_code_gfn *gfn;
	bool untrack;

	if (likely(!READ_ONCE(tc->idle_work)))
		return;
	mutex_lock(&tc->mutex);
	spin_lock(&tc->lock);
	while (!list_empty(&tc->idle)) {
		gfn = list_first_entry(&tc->idle, struct tdm_code_gfn, idle_node);
		list_del_init(&gfn->idle_node);
		untrack = gfn->tracked && list_empty(&gfn->pages);
		if (!untrack)
			continue;
		gfn->tracked = false;
		spin_unlock(&tc->lock);
		tdm_track_del(tc->vm, gfn->gfn, TDM_TRACK_CODE);
		tdm_vm_stat(tc->vm, bt_untraced);
		spin_lock(&tc->lock);
	}
	WRITE_ONCE(tc->idle_work, false);
	spin_unlock(&tc->lock);
	mutex_unlock(&tc->mutex);
}

/** tdm_smc_free_gfns() - forget pages without code and trace; tc->lock and tc->mutex held */
void tdm_smc_free_gfns(struct tdm_bt_vm *tc)
{
	struct tdm_code_gfn *gfn;
	struct hlist_node *tmp;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tc->gfns); i++)
		hlist_for_each_entry_safe(gfn, tmp, &tc->gfns[i], hash) {
			if (gfn->tracked || !list_empty(&gfn->pages))
				continue;
			hlist_del(&gfn->hash);
			list_del(&gfn->idle_node);
			tdm_vm_stat_add(tc->vm, bt_mem_bytes, -(s64)sizeof(*gfn));
			kfree(gfn);
		}
}

/** tdm_smc_destroy() - the VM ends; the traces went with its memory */
void tdm_smc_destroy(struct tdm_bt_vm *tc)
{
	struct tdm_code_gfn *gfn;
	struct hlist_node *tmp;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tc->gfns); i++)
		hlist_for_each_entry_safe(gfn, tmp, &tc->gfns[i], hash)
			kfree(gfn);
}

/* ---- writes ---- */

/*
 * The TUs of one page with bytes in [off, end): how many. With the last one of all
 * its TUs the page struct goes.
 */
static unsigned int kill_bytes(struct tdm_bt_vm *tc, struct tdm_code_page *page, u32 off, u32 end)
{
	struct tdm_code_ref *ref;
	struct hlist_node *tmp;
	unsigned int n = 0;

	hlist_for_each_entry_safe(ref, tmp, &page->refs, node) {
		if (ref->off >= end || ref->off + ref->len <= off)
			continue;
		n++;
		tdm_tc_kill(tc, ref->tu);
	}
	return n;
}

/* A TU can be in two of the gfn's pages, and take both along: begin again after each. */
static unsigned int kill_range(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn, u32 off, u32 end)
{
	struct tdm_code_page *page;
	unsigned int n, sum = 0;

	do {
		n = 0;
		list_for_each_entry(page, &gfn->pages, in_gfn) {
			n = kill_bytes(tc, page, off, end);
			if (n)
				break;
		}
		sum += n;
	} while (n);
	return sum;
}

static void rebuild_blocks(struct tdm_code_gfn *gfn)
{
	struct tdm_code_page *page;
	struct tdm_code_ref *ref;

	gfn->blocks = 0;
	list_for_each_entry(page, &gfn->pages, in_gfn)
		hlist_for_each_entry(ref, &page->refs, node)
			gfn->blocks |= blocks_of(ref->off, ref->len);
}

/* A write beside all code. */
static void missed(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn)
{
	if (list_empty(&gfn->pages)) {
		/* Traced, but nothing came of it; or not reaped yet. */
		idle(tc, gfn);
		return;
	}
	if (++gfn->misses < gfn->patience)
		return;
	gfn->patience = min_t(u32, gfn->patience * 2, TDM_SMC_PATIENCE_MAX);
	tdm_vm_stat(tc->vm, bt_evicted_pages);
	kill_gfn(tc, gfn);
}

static void gfn_written(struct tdm_bt_vm *tc, struct tdm_code_gfn *gfn, u32 off, u32 len)
{
	unsigned int n = 0;

	gfn->seq++;
	if (gfn->blocks & blocks_of(off, len))
		n = kill_range(tc, gfn, off, off + len);
	if (n)
		rebuild_blocks(gfn);
	else
		missed(tc, gfn);
	trace_tdm_bt_written(tc->vm, (gfn->gfn << PAGE_SHIFT) + off, len, n);
}

/**
 * tdm_bt_code_written() - tdm_mmu_client.code_written
 * @vm: the VM; slots_sem or mmu.lock held, interrupts on or off
 * @gpa: where
 * @len: bytes, already written; or memory that is no more
 */
void tdm_bt_code_written(struct tdm_vm *vm, u64 gpa, u64 len)
{
	struct tdm_bt_vm *tc = to_bt_vm(vm);
	struct tdm_code_gfn *gfn;

	if (!tc)
		return;
	spin_lock(&tc->lock);
	while (len) {
		u32 off = gpa & ~PAGE_MASK, n = min_t(u64, len, PAGE_SIZE - off);

		gfn = tdm_smc_gfn(tc, gpa >> PAGE_SHIFT);
		if (gfn)
			gfn_written(tc, gfn, off, n);
		gpa += n;
		len -= n;
	}
	spin_unlock(&tc->lock);
}
