// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host and the caller change: ranges of a memslot are unmapped,
 * write-protected for the dirty log, or looked at for their age; with either
 * builder of mappings.
 *
 * mmu.lock is held, unless said otherwise. Under shadow paging nothing here is
 * proportional to a slot's size but for one look at each 2 MiB block, and at each
 * page of blocks that are in use.
 */
#include "shadow_mmu/shadow.h"

static void zap_tables(struct tdm_vm *vm, u64 gfn)
{
	struct hlist_node *tmp;
	struct tdm_spage *sp;

	/* What the next table is in the bucket may change by each call. */
	tdm_for_each_spage(vm, gfn, sp, tmp)
		tdm_spage_zap(vm, sp);
}

/* Call for each block that is in use: the part of it that is in the range. */
struct walk {
	struct tdm_vm *vm;
	struct tdm_memslot *slot;
	bool clear;
	bool young;
};

typedef void (*block_fn)(struct walk *w, struct tdm_block_info *block, u64 start, u64 end);

static void for_blocks(struct walk *w, u64 start, u64 end, block_fn fn)
{
	u64 gfn = max(start, w->slot->base_gfn), next;

	end = min(end, w->slot->base_gfn + w->slot->npages);
	for (; gfn < end; gfn = next) {
		struct tdm_block_info *block = tdm_block_info(w->slot, gfn);

		next = min(end, tdm_level_base(gfn, TDM_LEVEL_2M) + TDM_PT_ENTRIES);
		if (block->rmap || block->mapped || block->traced)
			fn(w, block, gfn, next);
	}
}

static void zap_block(struct walk *w, struct tdm_block_info *block, u64 start, u64 end)
{
	u64 gfn;

	tdm_spage_drop_chain(w->vm, &block->rmap);
	for (gfn = start; gfn < end; gfn++) {
		struct tdm_gfn_info *info = tdm_gfn_info(w->slot, gfn);

		tdm_spage_drop_chain(w->vm, &info->rmap);
		if (info->tables)
			zap_tables(w->vm, gfn);
	}
}

/**
 * tdm_mmu_zap() - remove every mapping of a range, and shadows of tables in it
 * @vm: the VM
 * @slot: the memslot, in the tree of gfns
 * @start: first gfn
 * @end: gfn after the last
 */
void tdm_mmu_zap(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end)
{
	struct walk w = { .vm = vm, .slot = slot };

	if (slot->shadow)
		for_blocks(&w, start, end, zap_block);
	else
		tdm_ept_zap(vm, start, end);
}

/** tdm_mmu_zap_all() - remove every mapping there is */
void tdm_mmu_zap_all(struct tdm_vm *vm)
{
	if (vm->mmu.shadow)
		tdm_spage_zap_all(vm);
	tdm_ept_zap(vm, 0, TDM_GFN_END);
}

static void report_block(struct walk *w, struct tdm_block_info *block, u64 start, u64 end)
{
	u64 gfn, from;

	for (gfn = start; gfn < end; gfn++) {
		for (from = gfn; gfn < end && tdm_gfn_info(w->slot, gfn)->code; gfn++)
			;
		if (from != gfn)
			tdm_mmu_client->code_written(w->vm, from << PAGE_SHIFT,
						     (gfn - from) << PAGE_SHIFT);
	}
}

/**
 * tdm_mmu_code_gone() - a memslot goes: tell of the code in it
 * @vm: the VM; slots_sem held for writing, mmu.lock not
 * @slot: in the tree of gfns no more. Its traces end with it.
 */
void tdm_mmu_code_gone(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	struct walk w = { .vm = vm, .slot = slot };

	if (slot->shadow && tdm_mmu_client->code_written)
		for_blocks(&w, slot->base_gfn, slot->base_gfn + slot->npages, report_block);
}

static void protect_block(struct walk *w, struct tdm_block_info *block, u64 start, u64 end)
{
	u64 gfn;

	for (gfn = start; gfn < end; gfn++)
		tdm_write_protect(w->vm, w->slot, gfn);
}

/**
 * tdm_mmu_protect() - take the right to write from every mapping of a range
 * @vm: the VM
 * @slot: the memslot
 * @start: first gfn
 * @end: gfn after the last
 */
void tdm_mmu_protect(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end)
{
	struct walk w = { .vm = vm, .slot = slot };

	if (slot->shadow)
		for_blocks(&w, start, end, protect_block);
	else
		tdm_ept_protect(vm, start, end);
}

static void age_one(void *ctx, u64 *spte)
{
	struct walk *w = ctx;
	u64 val = READ_ONCE(*spte);

	if (!(val & TDM_SPT_A))
		return;
	w->young = true;
	/* A processor that sets it at the same moment loses, which is no harm. */
	if (w->clear)
		WRITE_ONCE(*spte, val & ~TDM_SPT_A);
}

static void age_block(struct walk *w, struct tdm_block_info *block, u64 start, u64 end)
{
	u64 gfn;

	tdm_rmap_each(block->rmap, age_one, w);
	for (gfn = start; gfn < end; gfn++)
		tdm_rmap_each(tdm_gfn_info(w->slot, gfn)->rmap, age_one, w);
}

/**
 * tdm_mmu_age() - has the guest used a range lately?
 * @vm: the VM
 * @slot: the memslot
 * @start: first gfn
 * @end: gfn after the last
 * @clear: and forget it
 *
 * Return: true if so.
 */
bool tdm_mmu_age(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end, bool clear)
{
	struct walk w = { .vm = vm, .slot = slot, .clear = clear };

	if (!slot->shadow)
		return tdm_ept_age(vm, start, end, clear);
	for_blocks(&w, start, end, age_block);
	return w.young;
}
