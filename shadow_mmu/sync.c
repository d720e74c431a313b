// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest page tables without a trace (unsync), and bringing their shadow pages
 * up to date when the guest flushes.
 *
 * A trapped write costs an exit. A leaf table the guest is about to write is
 * therefore freed from its trace: from then on its shadow page is a TLB, which
 * may say what the table said once, and is compared with the table whenever the
 * guest flushes its own. A table that does not change over a few flushes is
 * traced again, so that flushes stay cheap. That takes care: processors may
 * still have the table writable in their TLBs, so it is compared once more when
 * all have flushed (closing).
 *
 * All with mmu.lock held; may run with interrupts off.
 */
#include <linux/moduleparam.h>

#include "shadow_mmu/shadow.h"

unsigned int tdm_max_unsync = 64;
module_param_named(shadow_max_unsync, tdm_max_unsync, uint, 0644);
MODULE_PARM_DESC(shadow_max_unsync,
		 "guest page tables of a VM without a trace at a time (0: trace all, default 64)");

unsigned int tdm_unsync_idle = 3;
module_param_named(shadow_unsync_idle, tdm_unsync_idle, uint, 0644);
MODULE_PARM_DESC(shadow_unsync_idle,
		 "flushes without a change after which a guest page table is traced again (default 3)");

unsigned int tdm_flood = 4;
module_param_named(shadow_flood, tdm_flood, uint, 0644);
MODULE_PARM_DESC(shadow_flood,
		 "trapped writes to a page table without a use, after which it is taken for data (default 4)");

bool tdm_eager_fill = true;
module_param_named(shadow_eager_fill, tdm_eager_fill, bool, 0644);
MODULE_PARM_DESC(shadow_eager_fill,
		 "map what a trapped not-present-to-present write makes present (default on)");

/** tdm_unsync_join() - a shadow page's table has no trace */
void tdm_unsync_join(struct tdm_vm *vm, struct tdm_spage *sp)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	sp->closing = false;
	sp->idle = 0;
	if (sp->unsync)
		return;
	sp->unsync = true;
	list_add(&sp->unsync_node, &s->unsync);
	s->nr_unsync++;
}

/** tdm_unsync_forget() - a shadow page is in step again, or goes */
void tdm_unsync_forget(struct tdm_vm *vm, struct tdm_spage *sp)
{
	sp->unsync = false;
	sp->closing = false;
	list_del(&sp->unsync_node);
	vm->mmu.shadow->nr_unsync--;
}

/**
 * tdm_unsync() - free a traced table from its trace
 * @vm: the VM
 * @slot: of @gfn
 * @gfn: a traced page
 *
 * Return: true if no entry needs to withhold the right to write any more; false
 * if it has to stay traced: a table of a higher level, code, or too many.
 */
bool tdm_unsync(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn)
{
	struct tdm_gfn_info *info = tdm_gfn_info(slot, gfn);
	struct tdm_shadow *s = vm->mmu.shadow;
	struct hlist_node *tmp;
	struct tdm_spage *sp;

	if (info->code || s->nr_unsync + info->tables > READ_ONCE(tdm_max_unsync))
		return false;
	tdm_for_each_spage(vm, gfn, sp, tmp)
		if (tdm_spage_level(sp) != TDM_LEVEL_4K)
			return false;
	tdm_for_each_spage(vm, gfn, sp, tmp)
		tdm_unsync_join(vm, sp);
	info->unsync = true;
	tdm_vm_stat(vm, shadow_unsyncs);
	return true;
}

/**
 * tdm_unsync_close() - trace a table again
 * @vm: the VM
 * @slot: of @gfn
 * @gfn: a table without a trace
 *
 * Its shadow pages are compared until one comparison comes after a flush of all
 * vCPUs.
 */
void tdm_unsync_close(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn)
{
	struct hlist_node *tmp;
	struct tdm_spage *sp;

	tdm_gfn_info(slot, gfn)->unsync = false;
	tdm_write_protect(vm, slot, gfn);
	tdm_for_each_spage(vm, gfn, sp, tmp) {
		if (!sp->unsync)
			continue;
		sp->closing = true;
		sp->prot_gen = vm->mmu.tlb_gen;
	}
}

static bool sync_entry(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i)
{
	u64 gpte = tdm_gpte_read(sp, i);

	if (likely(gpte == sp->gpte[i]))
		return false;
	if (!test_bit(i, sp->filled)) {
		tdm_code_note(vm, sp, i, gpte);
		return true;
	}
	tdm_spte_refresh(vm, sp, i, gpte);
	if (!test_bit(i, sp->filled))
		tdm_vm_stat(vm, shadow_sync_drops);
	return true;
}

static void drop_all(struct tdm_vm *vm, struct tdm_spage *sp)
{
	unsigned int i;

	for_each_set_bit(i, sp->filled, TDM_PT_ENTRIES)
		tdm_spage_drop_entry(vm, &sp->spt[i]);
}

/* Entries of 8 bytes: what most guests have, at every flush. */
static bool compare8(struct tdm_vm *vm, struct tdm_spage *sp)
{
	const u64 *guest = sp->guest;
	bool changed = false;
	unsigned int w;

	for (w = 0; w < ARRAY_SIZE(sp->filled); w++) {
		unsigned long bits = sp->filled[w] | sp->code[w];

		while (bits) {
			unsigned int i = w * BITS_PER_LONG + __ffs(bits);

			bits &= bits - 1;
			if (unlikely(READ_ONCE(guest[i]) != sp->gpte[i]))
				changed |= sync_entry(vm, sp, i);
		}
	}
	return changed;
}

/* Compare all entries there are, and those that led to code. */
static bool compare(struct tdm_vm *vm, struct tdm_spage *sp)
{
	bool changed = false;
	unsigned int i;

	tdm_vm_stat(vm, shadow_syncs);
	if (!sp->guest) {
		drop_all(vm, sp);
		return true;
	}
	if (likely(tdm_spage_esize(sp) == 8))
		return compare8(vm, sp);
	for_each_set_bit(i, sp->filled, TDM_PT_ENTRIES)
		changed |= sync_entry(vm, sp, i);
	return changed;
}

/* Looking for @top above a leaf table; a guest can make that a long search. */
struct ascent {
	const struct tdm_spage *top;
	unsigned int left;
	bool found;
};

#define ASCENT_MAX	64u

static void ascend(void *ctx, u64 *spte)
{
	const struct tdm_spage *sp = tdm_spage_of(spte);
	struct ascent *a = ctx;

	if (sp == a->top || !a->left)
		a->found = true;
	if (a->found)
		return;
	a->left--;
	if (sp->level < a->top->level)
		tdm_rmap_each(sp->parents, ascend, a);
}

static bool is_below(const struct tdm_spage *sp, const struct tdm_spage *top)
{
	struct ascent a = { .top = top, .left = ASCENT_MAX };

	tdm_rmap_each(sp->parents, ascend, &a);
	return a.found;
}

/**
 * tdm_sync_link() - a shadow page gets a new parent
 * @vm: the VM
 * @sp: the shadow page
 *
 * Stale entries of tables without a trace, @sp or such below it, are good for
 * address spaces that could have used them before, not for one that reaches them
 * only now.
 */
void tdm_sync_link(struct tdm_vm *vm, struct tdm_spage *sp)
{
	struct tdm_spage *u, *next;

	if (sp->unsync)
		compare(vm, sp);
	if (sp->level == TDM_LEVEL_4K || !sp->present)
		return;
	list_for_each_entry_safe(u, next, &vm->mmu.shadow->unsync, unsync_node)
		if (is_below(u, sp))
			compare(vm, u);
}

static void sync_page(struct tdm_vm *vm, struct tdm_spage *sp)
{
	bool flushed = sp->closing && (vm->mmu.tlb_done >= sp->prot_gen || tdm_vcpu_alone(vm));
	struct tdm_memslot *slot;

	if (compare(vm, sp))
		sp->idle = 0;
	else if (sp->idle < U8_MAX)
		sp->idle++;
	if (flushed) {
		tdm_unsync_forget(vm, sp);
		return;
	}
	if (!sp->present && !sp->roots && !sp->nr_code) {
		/* Nothing is cached; what else is written there is not our business. */
		tdm_spage_zap(vm, sp);
		return;
	}
	if (sp->closing || sp->idle < READ_ONCE(tdm_unsync_idle))
		return;
	slot = tdm_memslot_find_locked(vm, sp->gfn);
	if (slot)
		tdm_unsync_close(vm, slot, sp->gfn);
}

/** tdm_sync_all() - bring every shadow page up to date: the guest flushed */
void tdm_sync_all(struct tdm_vm *vm)
{
	struct tdm_spage *sp, *next;

	list_for_each_entry_safe(sp, next, &vm->mmu.shadow->unsync, unsync_node)
		sync_page(vm, sp);
}

/*
 * The way to code may be marked in a shadow page of another role than this root's,
 * or one that this root does not lead to yet.
 */
static void sync_code(struct tdm_vm *vm, u64 gva)
{
	unsigned int i = tdm_level_index(gva >> PAGE_SHIFT, TDM_LEVEL_4K);
	struct tdm_spage *sp;

	list_for_each_entry(sp, &vm->mmu.shadow->unsync, unsync_node)
		if (unlikely(sp->nr_code))
			tdm_code_note(vm, sp, i, tdm_gpte_read(sp, i));
}

/**
 * tdm_sync_gva() - the guest invalidates one address
 * @vm: the VM
 * @root: shadow page the walk of @gva begins at; NULL = none
 * @gva: the address
 *
 * Return: true if the translation was or is a global one, or is not known: it
 * may be cached for other address spaces as well.
 */
bool tdm_sync_gva(struct tdm_vm *vm, struct tdm_spage *root, u64 gva)
{
	struct tdm_spage *sp = root;
	unsigned int i;
	int level;
	u64 val, was, now;

	sync_code(vm, gva);
	if (!root || tdm_spage_monitors(root, gva))
		return true;
	for (level = tdm_spage_level(root); level > TDM_LEVEL_4K; level--) {
		val = READ_ONCE(sp->spt[tdm_level_index(gva >> PAGE_SHIFT, level)]);
		if (!val || tdm_spte_leaf(val, level))
			return true;
		sp = tdm_spte_child(val);
	}
	if (!sp->unsync || !sp->guest)
		return true;
	i = tdm_level_index(gva >> PAGE_SHIFT, TDM_LEVEL_4K);
	was = test_bit(i, sp->filled) ? sp->gpte[i] : TDM_GPT_G;
	now = tdm_gpte_read(sp, i);
	if (test_bit(i, sp->filled) && now == was)
		return now & TDM_GPT_G;
	/* Who invalidates what is present is about to use it, mostly. */
	if (!tdm_spte_fill_eagerly(vm, sp, i, now) && test_bit(i, sp->filled))
		tdm_spte_refresh(vm, sp, i, now);
	return (was | now) & TDM_GPT_G;
}
