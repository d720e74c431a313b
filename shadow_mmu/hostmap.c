// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of a mapping: what the caller's own page tables say of an
 * address, and having the host bring a page in.
 *
 * No page is pinned and no struct page touched. The tables are read as
 * get_user_pages_fast() reads them: with interrupts off, which keeps tables
 * from being freed under the reader. What is read is true for as long as
 * mmu.lock is held, provided no invalidation of the address is in progress:
 * the host announces every removal or downgrade of an entry before it makes it
 * (invalidate_range_start), and that waits for mmu.lock.
 *
 * Must not: sleep in tdm_host_lookup(); read an entry twice.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "shadow_mmu/internal.h"

/* A large entry as that of one of its 4 KiB pages. */
static u64 as_small(u64 entry, unsigned long hva, unsigned long size)
{
	u64 val = entry & ~(u64)_PAGE_PSE;

	/* Its PAT bit is where a small one has its address. */
	if (entry & _PAGE_PAT_LARGE)
		val |= _PAGE_PAT;
	val &= ~(PTE_PFN_MASK & (size - 1));
	return val | (hva & (size - 1) & PAGE_MASK);
}

static bool is_present(u64 entry)
{
	return entry & _PAGE_PRESENT;
}

static void set_large(struct tdm_host_map *map, u64 entry, unsigned long hva,
		      unsigned long size, int level)
{
	map->pte = as_small(entry, hva, size);
	map->level = level;
}

static void walk(struct mm_struct *mm, unsigned long hva, struct tdm_host_map *map)
{
	pgd_t *pgd = pgd_offset(mm, hva);
	p4d_t *p4d;
	pud_t pud, *pudp;
	pmd_t pmd, *pmdp;
	pte_t *pte;

	if (pgd_none(READ_ONCE(*pgd)))
		return;
	p4d = p4d_offset(pgd, hva);
	if (!p4d_present(READ_ONCE(*p4d)))
		return;
	pudp = pud_offset(p4d, hva);
	pud = READ_ONCE(*pudp);
	if (!is_present(native_pud_val(pud)))
		return;
	if (native_pud_val(pud) & _PAGE_PSE) {
		set_large(map, native_pud_val(pud), hva, PUD_SIZE, TDM_LEVEL_1G);
		return;
	}
	pmdp = pmd_offset(&pud, hva);
	pmd = READ_ONCE(*pmdp);
	if (!is_present(native_pmd_val(pmd)))
		return;
	if (native_pmd_val(pmd) & _PAGE_PSE) {
		set_large(map, native_pmd_val(pmd), hva, PMD_SIZE, TDM_LEVEL_2M);
		return;
	}
	pte = pte_offset_kernel(&pmd, hva);
	map->ptep = (const u64 *)pte;
	map->level = TDM_LEVEL_4K;
	map->pte = READ_ONCE(*map->ptep);
	if (!is_present(map->pte))
		map->pte = 0;
}

/**
 * tdm_host_lookup() - the host's entry for an address
 * @mm: address space
 * @hva: address in it
 * @map: filled in; @map->pte is 0 if nothing is present. @map->ptep stays valid
 *	as long as interrupts stay off.
 *
 * Interrupts are off; for a lasting truth, see the top of the file.
 */
void tdm_host_lookup(struct mm_struct *mm, unsigned long hva, struct tdm_host_map *map)
{
	*map = (struct tdm_host_map){};
	walk(mm, hva, map);
}

/**
 * tdm_host_judge_odd() - tdm_host_judge() for what is not an ordinary page
 * @pte: an entry for which tdm_host_maps() is false
 * @write: the access is a write
 *
 * The zero page may be read, and a page under a protection key accessed as the
 * key allows now. Device memory, uncached memory and raw page frames may not be
 * mapped: they are not kept by the page's life, and not write-back.
 *
 * Return: the verdict.
 */
enum tdm_host_verdict tdm_host_judge_odd(u64 pte, bool write)
{
	if (!is_present(pte))
		return TDM_HOST_FAULT;
	if (pte & _PAGE_CACHE_MASK)
		return TDM_HOST_REFUSE;
	if ((pte & _PAGE_SPECIAL) && !is_zero_pfn(tdm_host_pfn(pte)))
		return TDM_HOST_REFUSE;
	if (!pte_access_permitted(native_make_pte(pte), write))
		return TDM_HOST_FAULT;
	return !write || tdm_host_writable(pte) ? TDM_HOST_MAP : TDM_HOST_FAULT;
}

/**
 * tdm_host_kernel_maps() - does the kernel map a page frame where __va() says?
 * @pfn: the frame
 *
 * Not those of memfd_secret(2), poisoned ones, and what is no memory. Looks
 * instead of trying: the BT engine asks where a fault would be the end.
 *
 * Return: true if so.
 */
bool tdm_host_kernel_maps(u64 pfn)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)__va(pfn << PAGE_SHIFT), &level);

	return pte && is_present(native_pte_val(*pte));
}

/*
 * The host refused: find out whether the page is poisoned. Rare, so it may be
 * slow.
 */
static int why_refused(unsigned long hva, bool write)
{
	struct page *page;
	long n;

	n = get_user_pages_unlocked(hva, 1, &page,
				    FOLL_HWPOISON | (write ? FOLL_WRITE : 0));
	if (n == 1) {
		put_page(page);
		return 0;
	}
	return n == -EHWPOISON ? -EHWPOISON : -EFAULT;
}

/**
 * tdm_host_fault_in() - have the host bring a page in, as if the caller touched it
 * @mm: current's address space
 * @hva: address
 * @write: for writing: copies are made, the entry becomes dirty
 *
 * Sleeps, and takes mmap_lock.
 *
 * Return: 0: look again. -EFAULT: nothing there, or not so accessible;
 * -EHWPOISON; -ENOMEM; -EINTR: the caller is being killed.
 */
int tdm_host_fault_in(struct mm_struct *mm, unsigned long hva, bool write)
{
	bool unlocked = false;
	int r;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	r = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return r == -EFAULT ? why_refused(hva, write) : r;
}
