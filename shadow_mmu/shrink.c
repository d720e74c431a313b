// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving shadow pages back when the host runs short of memory: they can be made
 * again at any time. The VMs are taken in turn.
 *
 * Called from reclaim, under anybody's locks: may not sleep on vm->lock or
 * slots_sem, nor allocate. Lock order: shrink_mutex > mmu.lock.
 */
#include <linux/mutex.h>
#include <linux/shrinker.h>

#include "arch/x86/compat.h"
#include "shadow_mmu/shadow.h"

static DEFINE_MUTEX(shrink_mutex);	/* the list; trylock in reclaim */
static LIST_HEAD(shrink_vms);		/* of tdm_shadow.vms */

/* Left to every VM, so that it makes progress. */
#define KEEP	TDM_SHADOW_MIN

/** tdm_shrink_add() - the VM has shadow pages from now on; may sleep */
void tdm_shrink_add(struct tdm_vm *vm)
{
	mutex_lock(&shrink_mutex);
	list_add_tail(&vm->mmu.shadow->vms, &shrink_vms);
	mutex_unlock(&shrink_mutex);
}

/** tdm_shrink_del() - undo tdm_shrink_add(); may sleep */
void tdm_shrink_del(struct tdm_vm *vm)
{
	mutex_lock(&shrink_mutex);
	list_del(&vm->mmu.shadow->vms);
	mutex_unlock(&shrink_mutex);
}

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct tdm_shadow *s;
	unsigned long n = 0;

	if (!mutex_trylock(&shrink_mutex))
		return 0;
	list_for_each_entry(s, &shrink_vms, vms) {
		unsigned int live = READ_ONCE(s->nr_live);

		n += READ_ONCE(s->nr_free) + (live > KEEP ? live - KEEP : 0);
	}
	mutex_unlock(&shrink_mutex);
	return n ?: SHRINK_EMPTY;
}

static unsigned long shrink_vm(struct tdm_vm *vm, unsigned long n)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	unsigned long done = 0;

	spin_lock(&vm->mmu.lock);
	if (s->nr_live > KEEP)
		done = tdm_spage_recycle(vm, min_t(unsigned long, n, s->nr_live - KEEP));
	spin_unlock(&vm->mmu.lock);
	if (done)
		tdm_mmu_sync_tlb(vm);
	return max(done, tdm_shadow_drain(vm));
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct tdm_shadow *s;
	unsigned long freed = 0, vms = 0;

	if (!mutex_trylock(&shrink_mutex))
		return SHRINK_STOP;
	list_for_each_entry(s, &shrink_vms, vms)
		vms++;
	while (freed < sc->nr_to_scan && vms--) {
		s = list_first_entry(&shrink_vms, struct tdm_shadow, vms);
		list_move_tail(&s->vms, &shrink_vms);
		freed += shrink_vm(s->vm, sc->nr_to_scan - freed);
	}
	mutex_unlock(&shrink_mutex);
	return freed;
}

static struct tdm_shrinker tdm_mmu_shrinker = {
	.count = count,
	.scan = scan,
};

/**
 * tdm_mmu_module_init() - what the MMU needs once for all VMs
 *
 * Return: 0; -ENOMEM.
 */
int tdm_mmu_module_init(void)
{
	return tdm_shrinker_register(&tdm_mmu_shrinker, "tandem-mmu");
}

/** tdm_mmu_module_exit() - undo it; no VM is left */
void tdm_mmu_module_exit(void)
{
	tdm_shrinker_unregister(&tdm_mmu_shrinker);
}
