// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory through the shadow tables as they are: for who emulates an access of
 * the guest's kernel with interrupts off, in monitor state even, where nothing can be
 * faulted in and the caller's addresses are not mapped.
 *
 * Must not make or change an entry, nor wait. A miss means no more than that the
 * long way is to be gone.
 */
#include <linux/mm.h>

#include "arch/x86/msr_check.h"
#include "shadow_mmu/mmu.h"
#include "shadow_mmu/shadow.h"

/**
 * tdm_shadow_reach() - where a supervisor access of the guest would end
 * @vcpu: loaded vCPU in the guest's long mode, IN_GUEST with interrupts off: as long
 *	as that is so its pages stay where they are (whoever takes one away waits for it)
 * @gva: linear address, not in the monitor's slot
 * @write: for a write as well as reads; traced pages are not for writing
 *
 * Pages that users may access are left out: SMAP would have to be asked.
 *
 * Return: address in the kernel's direct map, good up to the page's end. The map may
 * have holes: use the nofault accessors. NULL: not this way.
 */
void *tdm_shadow_reach(const struct tdm_vcpu *vcpu, u64 gva, bool write)
{
	u64 need = TDM_SPT_P | (write ? TDM_SPT_W : 0), user = TDM_SPT_U, entry;
	u64 root = vcpu->mmu.hw_cr3 & TDM_SPT_ADDR;
	unsigned long pfn;
	const u64 *table;
	int level;

	if (unlikely(!root || !tdm_canonical(gva, 48)))
		return NULL;
	for (level = TDM_PT_LEVELS;; level--) {
		table = __va(root);
		entry = READ_ONCE(table[tdm_level_index(gva >> PAGE_SHIFT, level)]);
		if ((entry & need) != need)
			return NULL;
		user &= entry;
		if (tdm_spte_leaf(entry, level))
			break;
		root = entry & TDM_SPT_ADDR;
	}
	/* The first write to a large page leaves its mark in the entry. */
	if (user || (write && level > TDM_LEVEL_4K && !(entry & TDM_SPT_D)))
		return NULL;
	pfn = tdm_spte_pfn(entry) + (gva >> PAGE_SHIFT & (tdm_level_pages(level) - 1));
	return pfn_valid(pfn) ? __va((u64)pfn << PAGE_SHIFT) + offset_in_page(gva) : NULL;
}
