// SPDX-License-Identifier: GPL-2.0-only
/*
 * Audit: a debug walk that checks every leaf of the nested tables against the
 * memslots and the host's page tables, and the tables against their own books.
 *
 * Slow: mmu.lock is held for the whole walk. For tests and debugfs.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "shadow_mmu/shadow.h"

/**
 * struct audit - state of a walk
 * @vm: the VM
 * @mm_alive: the host's tables can be read
 * @tables: tables seen
 * @lies: what was wrong
 */
struct audit {
	struct tdm_vm *vm;
	bool mm_alive;
	u64 tables;
	u64 lies;
};

static void lie(struct audit *a, const char *what, u64 gfn, u64 val, u64 host)
{
	a->lies++;
	WARN_ONCE(1, "tandem: MMU audit: %s: gfn %llx, leaf %016llx, host %016llx\n",
		  what, gfn, val, host);
}

/* A leaf against the host's entry for one of its pages. */
static void check_host(struct audit *a, struct tdm_memslot *slot, u64 gfn,
		       u64 pfn, u64 val)
{
	unsigned long hva = tdm_slot_hva(slot, gfn);
	struct tdm_host_map host;
	unsigned long flags;

	if (!a->mm_alive ||
	    tdm_mmu_invalidating(&a->vm->mmu, hva, hva + PAGE_SIZE))
		return;
	local_irq_save(flags);
	tdm_host_lookup(a->vm->mm, hva, &host);
	local_irq_restore(flags);
	if (!(host.pte & _PAGE_PRESENT))
		lie(a, "the host has no page there", gfn, val, host.pte);
	else if (tdm_host_pfn(host.pte) != pfn)
		lie(a, "the host has another page there", gfn, val, host.pte);
	else if ((val & (TDM_EPT_W | TDM_EPT_HOST_W)) && !tdm_host_writable(host.pte))
		lie(a, "the host's page is not writable and dirty", gfn, val, host.pte);
}

static void check_leaf(struct audit *a, u64 base, int level, u64 val)
{
	u64 pages = tdm_level_pages(level), i;
	struct tdm_memslot *slot = tdm_memslot_find(a->vm, base);

	if (!(val & TDM_EPT_R))
		lie(a, "not readable", base, val, 0);
	if (tdm_ept_pfn(val) & (pages - 1))
		lie(a, "a large leaf is not aligned", base, val, 0);
	if (!slot || base + pages > slot->base_gfn + slot->npages) {
		lie(a, "no memslot", base, val, 0);
		return;
	}
	if ((val & TDM_EPT_W) && (slot->flags & KVM_MEM_READONLY))
		lie(a, "writable in a read-only memslot", base, val, 0);
	if ((val & TDM_EPT_W) && !(val & TDM_EPT_HOST_W))
		lie(a, "writable, but not so marked", base, val, 0);
	for (i = 0; i < pages; i++) {
		if (slot->dirty && (val & TDM_EPT_W) &&
		    !test_bit(base + i - slot->base_gfn, slot->dirty))
			lie(a, "writable, but not in the dirty log", base + i, val, 0);
		check_host(a, slot, base + i, tdm_ept_pfn(val) + i, val);
	}
}

static void check_table(struct audit *a, u64 *table, int level, u64 base)
{
	struct page *page = virt_to_page(table);
	unsigned int i, present = 0;

	a->tables++;
	if (tdm_table_level(page) != level)
		lie(a, "a table is of another level", base, level, tdm_table_level(page));
	for (i = 0; i < TDM_PT_ENTRIES; i++) {
		u64 val = READ_ONCE(table[i]);
		u64 at = base + i * tdm_level_pages(level);

		if (!tdm_ept_present(val))
			continue;
		present++;
		if (tdm_ept_is_leaf(val, level))
			check_leaf(a, at, level, val);
		else
			check_table(a, tdm_ept_table(val), level - 1, at);
	}
	if (present != tdm_table_present(page))
		lie(a, "a table's count is wrong", base, present, tdm_table_present(page));
}

/**
 * tdm_mmu_audit() - check every nested mapping; WARN_ONCE on a lie
 * @vm: the VM; takes slots_sem and, for long, mmu.lock; may sleep
 *
 * Return: the number of lies.
 */
u64 tdm_mmu_audit(struct tdm_vm *vm)
{
	struct audit a = { .vm = vm, .mm_alive = mmget_not_zero(vm->mm) };

	down_read(&vm->slots_sem);
	spin_lock(&vm->mmu.lock);
	check_table(&a, vm->mmu.root, TDM_PT_LEVELS, 0);
	if (vm->mmu.shadow)
		a.lies += tdm_shadow_audit(vm, a.mm_alive);
	spin_unlock(&vm->mmu.lock);
	up_read(&vm->slots_sem);
	if (a.mm_alive)
		mmput(vm->mm);
	return a.lies;
}
