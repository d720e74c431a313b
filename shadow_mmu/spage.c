// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages: making, finding, linking, throwing away, and the bound on how
 * many there are.
 *
 * A page that is thrown away is in use by processors until the next TLB flush:
 * it waits in the dead list, its entries all zero but for a monitor's. A page that lost its last
 * parent (an orphan) is kept for a while: the guest may come back to it; but
 * orphans go first. Nothing here recurses and each call's work is bounded by
 * one page's entries and parents, whatever the guest's tables look like.
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/slab.h>

#include "shadow_mmu/shadow.h"

#define FREE_FILL	16u	/* ready pages kept by the refill */
#define FREE_LOW	8u	/* below it gets or makes more */
#define FREE_MAX	64u	/* and at most, of those that came back */
#define RECYCLE_BATCH	32u	/* thrown away at a time */

static_assert(TDM_SHADOW_NEED <= FREE_LOW);

/* One in so many pages of guest memory, if the caller set no bound. */
#define DEFAULT_SHARE	50u
#define DEFAULT_MIN	512u

/* ---- pages ---- */

static void spage_free(struct tdm_vm *vm, struct tdm_spage *sp)
{
	tdm_mmu_free_table(vm, virt_to_page(sp->spt));
	tdm_mmu_free_table(vm, virt_to_page(sp->gpte));
	tdm_vm_stat_add(vm, mem_bytes, -(s64)sizeof(*sp));
	kfree(sp);
}

static struct tdm_spage *spage_alloc(struct tdm_vm *vm)
{
	struct tdm_spage *sp = kzalloc(sizeof(*sp), GFP_KERNEL_ACCOUNT);
	struct page *spt, *gpte;

	if (!sp)
		return NULL;
	spt = tdm_mmu_alloc_table(vm);
	if (!spt)
		goto free_sp;
	gpte = tdm_mmu_alloc_table(vm);
	if (!gpte)
		goto free_spt;
	sp->spt = page_address(spt);
	sp->gpte = page_address(gpte);
	set_page_private(spt, (unsigned long)sp);
	tdm_vm_stat_add(vm, mem_bytes, sizeof(*sp));
	return sp;

free_spt:
	tdm_mmu_free_table(vm, spt);
free_sp:
	kfree(sp);
	return NULL;
}

static unsigned long live_bound(struct tdm_vm *vm)
{
	unsigned long limit = READ_ONCE(vm->mmu.max_pages);

	if (limit)
		return max(limit, (unsigned long)TDM_SHADOW_MIN);
	return max(READ_ONCE(vm->nr_slot_pages) / DEFAULT_SHARE,
		   (unsigned long)DEFAULT_MIN);
}

/* Make room below the bound, and pages that only wait for a flush free. */
static void obey_bound(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	unsigned long limit = live_bound(vm), n;
	bool flush;

	spin_lock(&vm->mmu.lock);
	while (s->nr_live + FREE_FILL > limit) {
		n = min_t(unsigned long, s->nr_live + FREE_FILL - limit, RECYCLE_BATCH);
		if (tdm_spage_recycle(vm, n) < n)
			break;
		/* The bound can have shrunk by much. */
		spin_unlock(&vm->mmu.lock);
		cond_resched();
		spin_lock(&vm->mmu.lock);
	}
	/* A flush gives pages that are zero already, which beats new ones. */
	flush = s->nr_dead > TDM_DEAD_MAX ||
		(s->nr_free < FREE_LOW && s->nr_dead >= FREE_LOW) ||
		(s->nr_dead && s->nr_live + s->nr_dead + FREE_FILL > limit);
	spin_unlock(&vm->mmu.lock);
	if (flush)
		tdm_mmu_sync_tlb(vm);
}

/**
 * tdm_shadow_refill() - have pages and links for what one fault can use up
 * @vm: the VM; no lock held, may sleep
 *
 * Return: 0; -ENOMEM.
 */
int tdm_shadow_refill(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	obey_bound(vm);
	if (READ_ONCE(s->nr_free) >= FREE_LOW)
		return tdm_rmap_refill(vm);
	while (READ_ONCE(s->nr_free) < FREE_FILL) {
		struct tdm_spage *sp = spage_alloc(vm);

		if (!sp)
			break;
		spin_lock(&vm->mmu.lock);
		list_add(&sp->lru, &s->free);
		s->nr_free++;
		spin_unlock(&vm->mmu.lock);
	}
	if (READ_ONCE(s->nr_free) < TDM_SHADOW_NEED)
		return -ENOMEM;
	return tdm_rmap_refill(vm);
}

/**
 * tdm_shadow_free_dead() - no processor walks these any more
 * @vm: the VM; no lock held
 * @dead: shadow pages by lru
 */
void tdm_shadow_free_dead(struct tdm_vm *vm, struct list_head *dead)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	struct tdm_spage *sp, *next;

	list_for_each_entry_safe(sp, next, dead, lru) {
		list_del(&sp->lru);
		/* The last entry there is: the monitor's. */
		if (sp->mon)
			sp->spt[sp->mon] = 0;
		sp->mon = 0;
		spin_lock(&vm->mmu.lock);
		if (s->nr_free < FREE_MAX) {
			list_add(&sp->lru, &s->free);
			s->nr_free++;
			sp = NULL;
		}
		spin_unlock(&vm->mmu.lock);
		if (sp)
			spage_free(vm, sp);
	}
}

/** tdm_shadow_drain() - free the pages kept ready; returns how many */
unsigned long tdm_shadow_drain(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	struct tdm_spage *sp, *next;
	LIST_HEAD(pages);
	unsigned long n;

	spin_lock(&vm->mmu.lock);
	list_splice_init(&s->free, &pages);
	n = s->nr_free;
	s->nr_free = 0;
	spin_unlock(&vm->mmu.lock);
	list_for_each_entry_safe(sp, next, &pages, lru) {
		list_del(&sp->lru);
		spage_free(vm, sp);
	}
	return n;
}

/* ---- finding, making ---- */

struct hlist_head *tdm_spage_bucket(struct tdm_vm *vm, u64 gfn)
{
	return &vm->mmu.shadow->hash[hash_64(gfn, TDM_SHADOW_HASH_BITS)];
}

/**
 * tdm_spage_find() - the shadow page of a table in a role, or NULL
 * @vm: the VM; mmu.lock held
 * @gfn: the table's; direct: the first mapped
 * @role: all of it
 */
struct tdm_spage *tdm_spage_find(struct tdm_vm *vm, u64 gfn, u64 role)
{
	struct tdm_spage *sp;

	hlist_for_each_entry(sp, tdm_spage_bucket(vm, gfn), hash)
		if (sp->gfn == gfn && sp->role == role)
			return sp;
	return NULL;
}

/**
 * tdm_spage_create() - a new shadow page, without entries
 * @vm: the VM; mmu.lock held
 * @slot: of @gfn; NULL for a direct one
 * @gfn: as for tdm_spage_find(), which found none
 * @role: ditto
 *
 * The table is traced from now on. Nothing may be filled in before the flush
 * that @prot_gen asks for.
 *
 * Return: the page; NULL: the pool is empty, drop the lock and refill.
 */
struct tdm_spage *tdm_spage_create(struct tdm_vm *vm, struct tdm_memslot *slot,
				   u64 gfn, u64 role)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	struct tdm_spage *sp = list_first_entry_or_null(&s->free, struct tdm_spage, lru);

	if (!sp)
		return NULL;
	list_del(&sp->lru);
	s->nr_free--;
	s->nr_live++;
	sp->gfn = gfn;
	sp->role = role;
	sp->guest = NULL;
	sp->guest_w = false;
	sp->unsync = false;
	sp->closing = false;
	sp->orphan = false;
	sp->floods = 0;
	sp->idle = 0;
	sp->prot_gen = 0;
	tdm_spage_describe(sp);
	hlist_add_head(&sp->hash, tdm_spage_bucket(vm, gfn));
	list_add(&sp->lru, &s->active);
	if (slot)
		tdm_table_track(vm, slot, sp);
	tdm_vm_stat(vm, shadow_created);
	tdm_vm_stat(vm, shadow_pages);
	return sp;
}

/* ---- orphans ---- */

static void make_orphan(struct tdm_shadow *s, struct tdm_spage *sp)
{
	if (sp->orphan || sp->parents || sp->roots || hlist_unhashed(&sp->hash))
		return;
	/* Tables that lead to code are looked at again; losing one costs much. */
	if (sp->nr_code)
		return;
	sp->orphan = true;
	list_move_tail(&sp->lru, &s->orphans);
}

static void adopt(struct tdm_shadow *s, struct tdm_spage *sp)
{
	if (!sp->orphan)
		return;
	sp->orphan = false;
	list_move(&sp->lru, &s->active);
}

/* ---- entries ---- */

static void entry_gone(struct tdm_vm *vm, struct tdm_spage *sp, u64 *spte)
{
	WRITE_ONCE(*spte, 0);
	__clear_bit(tdm_spte_index(spte), sp->filled);
	sp->present--;
	tdm_mmu_lost(vm);
}

static void drop_leaf(struct tdm_vm *vm, struct tdm_spage *sp, u64 *spte, u64 val)
{
	int level = tdm_spage_level(sp);
	u64 gfn = tdm_spte_gfn(sp, tdm_spte_index(spte));
	struct tdm_memslot *slot = tdm_memslot_find_locked(vm, gfn);

	if (WARN_ON_ONCE(!slot))
		return;
	tdm_rmap_del(vm, tdm_leaf_head(slot, gfn, level), spte);
	if (level == TDM_LEVEL_4K)
		tdm_block_info(slot, gfn)->mapped--;
	tdm_vm_stat(vm, mmu_zapped);
}

/**
 * tdm_spage_drop_entry() - make an entry not present
 * @vm: the VM; mmu.lock held
 * @spte: a present entry; processors use it until the next flush
 */
void tdm_spage_drop_entry(struct tdm_vm *vm, u64 *spte)
{
	struct tdm_spage *sp = tdm_spage_of(spte), *child;
	u64 val = READ_ONCE(*spte);

	if (tdm_spte_leaf(val, tdm_spage_level(sp))) {
		drop_leaf(vm, sp, spte, val);
		entry_gone(vm, sp, spte);
		return;
	}
	child = tdm_spte_child(val);
	tdm_rmap_del(vm, &child->parents, spte);
	entry_gone(vm, sp, spte);
	make_orphan(vm->mmu.shadow, child);
}

/**
 * tdm_spage_drop_chain() - drop every entry of a reverse map
 * @vm: the VM; mmu.lock held
 * @head: of the chain; empty on return
 *
 * Return: true if there were any.
 */
bool tdm_spage_drop_chain(struct tdm_vm *vm, const unsigned long *head)
{
	bool any = *head;
	u64 *spte;

	while ((spte = tdm_rmap_first(*head)))
		tdm_spage_drop_entry(vm, spte);
	return any;
}

/**
 * tdm_spage_bound_chain() - make room in a reverse map that is to grow
 * @vm: the VM; mmu.lock held
 * @head: of the chain
 *
 * Each removal searches the chain, so one that has become too long goes whole.
 */
void tdm_spage_bound_chain(struct tdm_vm *vm, const unsigned long *head)
{
	if (likely(tdm_rmap_count(*head) < TDM_RMAP_MAX))
		return;
	tdm_vm_stat(vm, rmap_overflows);
	tdm_spage_drop_chain(vm, head);
}

/**
 * tdm_spage_link() - let an entry point to a shadow page
 * @vm: the VM; mmu.lock held, tdm_rmap_room(1)
 * @spte: the entry, not present; its gpte is set
 * @child: the shadow page
 * @val: the entry's value
 */
void tdm_spage_link(struct tdm_vm *vm, u64 *spte, struct tdm_spage *child, u64 val)
{
	struct tdm_spage *sp = tdm_spage_of(spte);

	tdm_spage_bound_chain(vm, &child->parents);
	adopt(vm->mmu.shadow, child);
	tdm_rmap_add(vm, &child->parents, spte);
	__set_bit(tdm_spte_index(spte), sp->filled);
	sp->present++;
	WRITE_ONCE(*spte, val);
}

/* ---- throwing away ---- */

static void bury(struct tdm_shadow *s, struct tdm_spage *sp)
{
	tdm_root_disown(sp);
	list_add(&sp->lru, &s->dead);
	s->nr_dead++;
}

/**
 * tdm_spage_zap() - throw a shadow page away
 * @vm: the VM; mmu.lock held
 * @sp: alive; on return it is dead. As a vCPU's root it stays, empty, until
 *	the vCPU takes another.
 */
void tdm_spage_zap(struct tdm_vm *vm, struct tdm_spage *sp)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	unsigned int i;
	u64 *spte;

	while ((spte = tdm_rmap_first(sp->parents))) {
		tdm_rmap_del(vm, &sp->parents, spte);
		entry_gone(vm, tdm_spage_of(spte), spte);
	}
	for_each_set_bit(i, sp->filled, TDM_PT_ENTRIES)
		tdm_spage_drop_entry(vm, &sp->spt[i]);
	tdm_code_gone(vm, sp);
	if (sp->unsync)
		tdm_unsync_forget(vm, sp);
	if (!tdm_spage_direct(sp))
		tdm_table_untrack(vm, sp);
	hlist_del_init(&sp->hash);
	list_del(&sp->lru);
	INIT_LIST_HEAD(&sp->lru);
	sp->guest = NULL;
	s->nr_live--;
	tdm_mmu_lost(vm);
	tdm_vm_stat(vm, shadow_zapped);
	tdm_vm_stat_add(vm, shadow_pages, -1);
	if (!sp->roots)
		bury(s, sp);
	else if (sp->owner)
		/* Whether the guest uses the monitor's entry shows in a live one only. */
		tdm_request(sp->owner, TDM_REQ_MMU_ROOT);
}

/** tdm_spage_hold() - a vCPU has it as a root; mmu.lock held */
void tdm_spage_hold(struct tdm_vm *vm, struct tdm_spage *sp)
{
	sp->roots++;
	adopt(vm->mmu.shadow, sp);
}

/*
 * tdm_spage_release() - and has it no more; mmu.lock held. It stays: the guest
 * may switch back. When the guest frees it, writes there show it (floods).
 */
void tdm_spage_release(struct tdm_vm *vm, struct tdm_spage *sp)
{
	if (!--sp->roots && hlist_unhashed(&sp->hash))
		bury(vm->mmu.shadow, sp);
}

/** tdm_spage_reap() - throw away up to @budget orphans; mmu.lock held */
void tdm_spage_reap(struct tdm_vm *vm, unsigned int budget)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	while (budget-- && !list_empty(&s->orphans))
		tdm_spage_zap(vm, list_first_entry(&s->orphans, struct tdm_spage, lru));
}

/**
 * tdm_spage_recycle() - throw away the least wanted shadow pages
 * @vm: the VM; mmu.lock held
 * @n: so many; roots in use stay
 *
 * Orphans first, then the oldest.
 *
 * Return: how many went.
 */
unsigned long tdm_spage_recycle(struct tdm_vm *vm, unsigned long n)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	unsigned long left = n, looks = s->nr_live;

	while (left && !list_empty(&s->orphans)) {
		tdm_spage_zap(vm, list_first_entry(&s->orphans, struct tdm_spage, lru));
		left--;
	}
	while (left && looks-- && !list_empty(&s->active)) {
		struct tdm_spage *sp = list_last_entry(&s->active, struct tdm_spage, lru);

		if (sp->roots) {
			list_move(&sp->lru, &s->active);
			continue;
		}
		tdm_spage_zap(vm, sp);
		left--;
	}
	tdm_vm_stat_add(vm, shadow_recycled, n - left);
	return n - left;
}

/** tdm_spage_zap_all() - throw all shadow pages away; mmu.lock held */
void tdm_spage_zap_all(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	while (!list_empty(&s->active))
		tdm_spage_zap(vm, list_first_entry(&s->active, struct tdm_spage, lru));
	while (!list_empty(&s->orphans))
		tdm_spage_zap(vm, list_first_entry(&s->orphans, struct tdm_spage, lru));
}

/*
 * Shadows of a table that no address space in use leads to: its memory was freed
 * by the guest, most likely, and is about to be something else.
 */
void tdm_spage_drop_unused(struct tdm_vm *vm, u64 gfn)
{
	struct hlist_node *tmp;
	struct tdm_spage *sp;

	tdm_for_each_spage(vm, gfn, sp, tmp) {
		if (sp->parents || sp->roots)
			continue;
		tdm_vm_stat(vm, shadow_flooded);
		tdm_spage_zap(vm, sp);
	}
}
