// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host changes its mind: MMU notifiers on the caller's address space. The
 * host may swap, migrate, merge, split or drop guest memory at any time, since
 * none of it is pinned.
 *
 * Callbacks come under mmap_lock, reclaim locks or host page-table locks, from
 * any process: only mmu.lock may be taken, nothing may sleep or allocate, and
 * no range is too much work for a caller that cannot block (the OOM reaper):
 * whole tables are unlinked at once. Pages are the host's to reuse as soon as
 * invalidate_range_start() returns, so that waits for every vCPU's TLB flush.
 */
#include <linux/mmu_notifier.h>

#include "shadow_mmu/internal.h"

static struct tdm_vm *vm_of(struct mmu_notifier *mn)
{
	return container_of(mn, struct tdm_vm, mmu.notifier);
}

/* Call fn for the gfns of every slot that shows part of [start, end). */
#define for_each_hva_range(mmu, start, end, it, slot, first, last)		\
	for ((it) = interval_tree_iter_first(&(mmu)->slots_by_hva, (start),	\
					     (end) - 1);			\
	     (it) && ((slot) = container_of((it), struct tdm_memslot, hva_node), \
		      (first) = slot_gfn_at(slot, max((start), (slot)->hva)),	\
		      (last) = slot_gfn_at(slot, min((end) - 1, (it)->last)),	\
		      true);							\
	     (it) = interval_tree_iter_next((it), (start), (end) - 1))

static u64 slot_gfn_at(const struct tdm_memslot *slot, unsigned long hva)
{
	return slot->base_gfn + ((hva - slot->hva) >> PAGE_SHIFT);
}

static void zap_hva_range(struct tdm_vm *vm, unsigned long start, unsigned long end)
{
	struct interval_tree_node *it;
	struct tdm_memslot *slot;
	u64 first, last;

	for_each_hva_range(&vm->mmu, start, end, it, slot, first, last)
		tdm_mmu_zap(vm, slot, first, last + 1);
}

enum age_mode { AGE_TEST, AGE_CLEAR, AGE_CLEAR_FLUSH };

static bool age_hva_range(struct tdm_vm *vm, unsigned long start,
			  unsigned long end, enum age_mode mode)
{
	struct interval_tree_node *it;
	struct tdm_memslot *slot;
	bool young = false;
	u64 first, last;

	if (start >= end)
		return false;
	spin_lock(&vm->mmu.lock);
	for_each_hva_range(&vm->mmu, start, end, it, slot, first, last)
		young |= tdm_mmu_age(vm, slot, first, last + 1, mode != AGE_TEST);
	/* A page used through a cached translation would look idle for ever. */
	if (young && mode == AGE_CLEAR_FLUSH)
		tdm_mmu_lost(vm);
	spin_unlock(&vm->mmu.lock);
	return young;
}

static int range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct tdm_vm *vm = vm_of(mn);
	struct tdm_mmu *mmu = &vm->mmu;

	spin_lock(&mmu->lock);
	if (mmu->notifier_count++) {
		mmu->inv_start = min(mmu->inv_start, range->start);
		mmu->inv_end = max(mmu->inv_end, range->end);
	} else {
		mmu->inv_start = range->start;
		mmu->inv_end = range->end;
	}
	if (range->start < range->end)
		zap_hva_range(vm, range->start, range->end);
	spin_unlock(&mmu->lock);
	tdm_vm_stat(vm, mmu_notifier_ranges);
	tdm_mmu_sync_tlb(vm);
	return 0;
}

static void range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct tdm_mmu *mmu = &vm_of(mn)->mmu;

	spin_lock(&mmu->lock);
	mmu->notifier_count--;
	WARN_ON_ONCE(mmu->notifier_count < 0);
	spin_unlock(&mmu->lock);
}

static int clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	bool young = age_hva_range(vm_of(mn), start, end, AGE_CLEAR_FLUSH);

	tdm_mmu_sync_tlb(vm_of(mn));
	return young;
}

/* As the host does for its own entries here: no flush, it is a statistic. */
static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	return age_hva_range(vm_of(mn), start, end, AGE_CLEAR);
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm,
		      unsigned long address)
{
	return age_hva_range(vm_of(mn), address, address + PAGE_SIZE, AGE_TEST);
}

/* The address space ends: its pages go without further notice. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct tdm_vm *vm = vm_of(mn);

	spin_lock(&vm->mmu.lock);
	vm->mmu.gone = true;
	tdm_mmu_zap_all(vm);
	spin_unlock(&vm->mmu.lock);
	tdm_mmu_sync_tlb(vm);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = release,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.invalidate_range_start = range_start,
	.invalidate_range_end = range_end,
};

/**
 * tdm_notifier_register() - hear of changes to the caller's address space
 * @vm: the VM; current->mm == vm->mm
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int tdm_notifier_register(struct tdm_vm *vm)
{
	int r;

	vm->mmu.notifier.ops = &notifier_ops;
	r = mmu_notifier_register(&vm->mmu.notifier, vm->mm);
	vm->mmu.notifier_registered = !r;
	return r;
}

/**
 * tdm_notifier_unregister() - hear no more; every mapping is gone on return
 * @vm: the VM
 */
void tdm_notifier_unregister(struct tdm_vm *vm)
{
	if (!vm->mmu.notifier_registered)
		return;
	vm->mmu.notifier_registered = false;
	mmu_notifier_unregister(&vm->mmu.notifier, vm->mm);
}
