// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a VM's MMU: the root, the pool of table pages, TLB generations.
 *
 * Tables that were unlinked wait in mmu.dead until every vCPU has flushed: a
 * processor may still walk them, and the page must not be anything else then.
 */
#include <linux/gfp.h>
#include <linux/sched.h>

#include "shadow_mmu/shadow.h"

const struct tdm_mmu_client *tdm_mmu_client;

/* Highest gfn a slot can have: what the processor and four levels can address. */
u64 tdm_mmu_max_gfn(void)
{
	unsigned int bits = min_t(unsigned int, boot_cpu_data.x86_phys_bits, 48);

	return (1ull << (bits - PAGE_SHIFT)) - 1;
}

/** tdm_mmu_alloc_table() - a zeroed page, accounted to the VM; may sleep; NULL */
struct page *tdm_mmu_alloc_table(struct tdm_vm *vm)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (page)
		tdm_vm_stat_add(vm, mem_bytes, PAGE_SIZE);
	return page;
}

void tdm_mmu_free_table(struct tdm_vm *vm, struct page *page)
{
	set_page_private(page, 0);
	tdm_vm_stat_add(vm, mem_bytes, -(s64)PAGE_SIZE);
	__free_page(page);
}

/* Over the caller's bound: start again with empty tables. */
static void obey_limit(struct tdm_vm *vm)
{
	struct tdm_mmu *mmu = &vm->mmu;
	unsigned long limit = READ_ONCE(mmu->max_pages);

	if (!limit || atomic64_read(&vm->stat[TDM_VMSTAT_mmu_pages]) + TDM_POOL_FILL <= limit)
		return;
	spin_lock(&mmu->lock);
	tdm_ept_zap(vm, 0, TDM_GFN_END);
	spin_unlock(&mmu->lock);
	tdm_mmu_sync_tlb(vm);
}

/**
 * tdm_mmu_refill() - put zeroed pages into the pool of table pages
 * @vm: the VM; no lock held, may sleep
 *
 * Return: 0 once the pool has enough for one fault; -ENOMEM.
 */
int tdm_mmu_refill(struct tdm_vm *vm)
{
	struct tdm_mmu *mmu = &vm->mmu;
	LIST_HEAD(pages);
	unsigned int n;

	obey_limit(vm);
	for (n = 0; n < TDM_POOL_FILL; n++) {
		struct page *page = tdm_mmu_alloc_table(vm);

		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	spin_lock(&mmu->lock);
	list_splice(&pages, &mmu->pool);
	mmu->pool_nr += n;
	n = mmu->pool_nr;
	spin_unlock(&mmu->lock);
	return n >= TDM_POOL_NEED ? 0 : -ENOMEM;
}

/**
 * tdm_mmu_set_max_pages() - KVM_SET_NR_MMU_PAGES: bound the table pages
 * @vm: the VM
 * @pages: so many at most; when they are used up all mappings are made anew
 *
 * Without it the bound is what the caller's memory cgroup allows.
 *
 * Return: 0; -EINVAL: too few to run with.
 */
int tdm_mmu_set_max_pages(struct tdm_vm *vm, unsigned long pages)
{
	if (pages < TDM_MIN_MAX_PAGES)
		return -EINVAL;
	/* KVM_GET_NR_MMU_PAGES returns it as an int. */
	WRITE_ONCE(vm->mmu.max_pages, min(pages, (unsigned long)INT_MAX));
	return 0;
}

static void empty_pool(struct tdm_vm *vm)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &vm->mmu.pool, lru)
		tdm_mmu_free_table(vm, page);
	INIT_LIST_HEAD(&vm->mmu.pool);
	vm->mmu.pool_nr = 0;
}

/**
 * tdm_mmu_take_table() - a zeroed table page from the pool
 * @vm: the VM, mmu.lock held
 * @level: level of its entries, kept with the page for the freeing
 *
 * Return: the table, or NULL if the pool is empty: drop the lock and refill.
 */
u64 *tdm_mmu_take_table(struct tdm_vm *vm, int level)
{
	struct tdm_mmu *mmu = &vm->mmu;
	struct page *page = list_first_entry_or_null(&mmu->pool, struct page, lru);

	if (!page)
		return NULL;
	list_del(&page->lru);
	mmu->pool_nr--;
	tdm_table_init(page, level);
	tdm_vm_stat(vm, mmu_pages);
	return page_address(page);
}

/*
 * Free unlinked tables and all that hangs below them. Nobody can reach them any
 * more, so this needs no lock; a big tree takes a while.
 */
static void free_dead(struct tdm_vm *vm, struct list_head *dead)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, dead, lru) {
		list_del(&page->lru);
		tdm_ept_free_tree(vm, page);
	}
}

/**
 * tdm_mmu_sync_tlb() - wait until no vCPU uses a mapping that was taken away
 * @vm: the VM; mmu.lock not held; does not sleep
 *
 * Covers what others took away as well: on return every loss counted in
 * mmu.tlb_gen before the call is flushed. Frees the tables that died with them.
 */
void tdm_mmu_sync_tlb(struct tdm_vm *vm)
{
	struct tdm_mmu *mmu = &vm->mmu;
	struct tdm_shadow *shadow = mmu->shadow;
	LIST_HEAD(dead);
	LIST_HEAD(dead_spages);
	u64 gen;

	spin_lock(&mmu->lock);
	gen = mmu->tlb_gen;
	if (mmu->tlb_done >= gen) {
		spin_unlock(&mmu->lock);
		return;
	}
	list_splice_init(&mmu->dead, &dead);
	if (shadow) {
		list_splice_init(&shadow->dead, &dead_spages);
		shadow->nr_dead = 0;
	}
	spin_unlock(&mmu->lock);

	tdm_mmu_client->flush_vcpus(vm);

	spin_lock(&mmu->lock);
	mmu->tlb_done = max(mmu->tlb_done, gen);
	spin_unlock(&mmu->lock);
	free_dead(vm, &dead);
	if (shadow)
		tdm_shadow_free_dead(vm, &dead_spages);
}

/**
 * tdm_mmu_vm_init() - give a new VM its root table and register the notifier
 * @vm: the VM; current->mm == vm->mm; mmu.lock, slots_sem, slots_by_id are set up
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int tdm_mmu_vm_init(struct tdm_vm *vm)
{
	struct tdm_mmu *mmu = &vm->mmu;
	int r;

	INIT_LIST_HEAD(&mmu->pool);
	INIT_LIST_HEAD(&mmu->dead);
	mmu->slots_by_hva = RB_ROOT_CACHED;
	vm->slots_by_gfn[0] = RB_ROOT;
	vm->slots_by_gfn[1] = RB_ROOT;

	r = tdm_mmu_refill(vm);
	if (r)
		goto drain_pool;
	spin_lock(&mmu->lock);
	mmu->root = tdm_mmu_take_table(vm, TDM_PT_LEVELS);
	spin_unlock(&mmu->lock);
	mmu->root_hpa = __pa(mmu->root);

	r = tdm_notifier_register(vm);
	if (r)
		goto free_root;
	return 0;

free_root:
	tdm_ept_free_tree(vm, virt_to_page(mmu->root));
drain_pool:
	empty_pool(vm);
	return r;
}

/**
 * tdm_mmu_vm_release() - drop all mappings and leave the address space alone
 * @vm: the VM; its last file is closed, vCPUs still exist but do not run
 */
void tdm_mmu_vm_release(struct tdm_vm *vm)
{
	tdm_notifier_unregister(vm);
}

/**
 * tdm_mmu_vm_destroy() - free everything; tdm_mmu_vm_release() came before
 * @vm: the VM
 */
void tdm_mmu_vm_destroy(struct tdm_vm *vm)
{
	tdm_shadow_vm_destroy(vm);
	tdm_memslots_free(vm);
	free_dead(vm, &vm->mmu.dead);
	tdm_ept_free_tree(vm, virt_to_page(vm->mmu.root));
	empty_pool(vm);
	WARN_ON_ONCE(atomic64_read(&vm->stat[TDM_VMSTAT_mmu_pages]));
	WARN_ON_ONCE(atomic64_read(&vm->stat[TDM_VMSTAT_mem_bytes]));
}
