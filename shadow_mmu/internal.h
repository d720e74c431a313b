/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of shadow_mmu/ only.
 *
 * Locks, outermost first: vm->lock > slots_sem > mmap_lock of vm->mm (taken by
 * faults on guest memory) > mmu.lock. Under mmu.lock nothing sleeps, allocates
 * or touches user memory. The notifiers come in below mmap_lock, reclaim locks
 * and host page-table locks, and so may take mmu.lock only.
 */
#ifndef TDM_SHADOW_MMU_INTERNAL_H
#define TDM_SHADOW_MMU_INTERNAL_H

#include <linux/mm.h>

#include "shadow_mmu/mmu.h"

#define TDM_PT_LEVELS		4	/* of the tables we build; gpa below 2^48 */
#define TDM_PT_ENTRIES		512u
#define TDM_GFN_END		(1ull << (9 * TDM_PT_LEVELS))
#define TDM_LEVEL_4K		1
#define TDM_LEVEL_2M		2
#define TDM_LEVEL_1G		3

/* Table pages one fault can need: a path of three, and one to split a leaf. */
#define TDM_POOL_NEED		4u
#define TDM_POOL_FILL		16u

#define TDM_MIN_MAX_PAGES	64u	/* as in KVM */
static_assert(TDM_MIN_MAX_PAGES > 2 * TDM_POOL_FILL);

/* Pages per large page of a level; also the alignment of its gfn. */
static inline u64 tdm_level_pages(int level)
{
	return 1ull << (9 * (level - 1));
}

static inline unsigned int tdm_level_index(u64 gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & (TDM_PT_ENTRIES - 1);
}

/* Lowest gfn of the block of @level that holds @gfn. */
static inline u64 tdm_level_base(u64 gfn, int level)
{
	return gfn & ~(tdm_level_pages(level) - 1);
}

/* ---- mmu.c ---- */
int tdm_mmu_refill(struct tdm_vm *vm);
void tdm_mmu_sync_tlb(struct tdm_vm *vm);
void tdm_mmu_free_table(struct tdm_vm *vm, struct page *page);
u64 *tdm_mmu_take_table(struct tdm_vm *vm, int level);
u64 tdm_mmu_max_gfn(void);
struct page *tdm_mmu_alloc_table(struct tdm_vm *vm);

/*
 * Every table page carries, in page->private, its level and the number of its
 * present entries: an empty table is unlinked, a dead one freed by level.
 */
#define TDM_TABLE_LEVEL_SHIFT	16

static inline void tdm_table_init(struct page *page, int level)
{
	set_page_private(page, (unsigned long)level << TDM_TABLE_LEVEL_SHIFT);
}

static inline int tdm_table_level(struct page *page)
{
	return page_private(page) >> TDM_TABLE_LEVEL_SHIFT;
}

static inline unsigned int tdm_table_present(struct page *page)
{
	return page_private(page) & ((1u << TDM_TABLE_LEVEL_SHIFT) - 1);
}

static inline void tdm_table_count(struct page *page, int delta)
{
	set_page_private(page, page_private(page) + delta);
}

/* mmu.lock held: a mapping or right was taken away. */
static inline void tdm_mmu_lost(struct tdm_vm *vm)
{
	vm->mmu.tlb_gen++;
}

/* mmu.lock held: may [start, end) of the host's address space not be mapped now? */
static inline bool tdm_mmu_invalidating(const struct tdm_mmu *mmu,
					unsigned long start, unsigned long end)
{
	return mmu->notifier_count &&
	       start < mmu->inv_end && end > mmu->inv_start;
}

/* ---- memslot.c, dirty.c ---- */
static inline unsigned long tdm_slot_hva(const struct tdm_memslot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

static inline size_t tdm_dirty_bytes(u64 npages)
{
	return BITS_TO_LONGS(npages) * sizeof(long);
}

static inline bool tdm_slot_logs(const struct tdm_memslot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

void tdm_memslots_free(struct tdm_vm *vm);
struct tdm_memslot *tdm_memslot_find_locked(struct tdm_vm *vm, u64 gfn); /* mmu.lock held */
struct tdm_memslot *tdm_memslot_by_id(struct tdm_vm *vm, u32 as_id, u32 id);
void tdm_mark_dirty(struct tdm_memslot *slot, u64 gfn);	/* slots_sem or mmu.lock held */
unsigned long *tdm_dirty_alloc(struct tdm_vm *vm, u64 npages);
void tdm_dirty_free(struct tdm_vm *vm, unsigned long *dirty, u64 npages);
void tdm_dirty_log_start(struct tdm_vm *vm, struct tdm_memslot *slot); /* slots_sem held for writing */

/* ---- fault.c ---- */
int tdm_mmu_host_fault(struct tdm_vm *vm, unsigned long hva, bool write, u32 generation);

/* ---- track.c ---- */
void tdm_mmu_guest_wrote(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa, u64 len);

/* ---- access.c, gva.c ---- */
void tdm_slot_wrote(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa, size_t len);
int tdm_slot_cmpxchg(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa,
		     void *old, const void *new, size_t len);
int tdm_gva_walk(struct tdm_vcpu *vcpu, u64 gva, u32 access, struct tdm_walk *walk);

/* ---- hostmap.c ---- */
/**
 * struct tdm_host_map - what the host's own page tables say of one page
 * @pte: the entry, in the format of a 4 KiB one; 0 = none present
 * @level: size of the host's page: TDM_LEVEL_*
 * @ptep: the entry itself if @level is TDM_LEVEL_4K, else NULL
 */
struct tdm_host_map {
	u64 pte;
	int level;
	const u64 *ptep;
};

#define TDM_HOST_NEEDED		(_PAGE_PRESENT | _PAGE_USER)
/* Not plain write-back memory that is mapped page by page, or under a key. */
#define TDM_HOST_REFUSED	(_PAGE_SPECIAL | _PAGE_CACHE_MASK | _PAGE_PKEY_MASK)

void tdm_host_lookup(struct mm_struct *mm, unsigned long hva, struct tdm_host_map *map);
int tdm_host_fault_in(struct mm_struct *mm, unsigned long hva, bool write);
bool tdm_host_kernel_maps(u64 pfn);

/** enum tdm_host_verdict - what to do about a host entry */
enum tdm_host_verdict {
	TDM_HOST_MAP,		/* good for this access */
	TDM_HOST_FAULT,		/* the host has to do something first */
	TDM_HOST_REFUSE,	/* never */
};

enum tdm_host_verdict tdm_host_judge_odd(u64 pte, bool write);

/* May the guest read the page the host maps so? One compare: it is in a hot loop. */
static inline bool tdm_host_maps(u64 pte)
{
	return (pte & (TDM_HOST_NEEDED | TDM_HOST_REFUSED)) == TDM_HOST_NEEDED;
}

/*
 * May it write? Only where the host's own entry is dirty already: so the host
 * knows of the guest's writes, and nothing is to be told it when the mapping
 * goes (every place that cleans an entry invalidates first).
 */
static inline bool tdm_host_writable(u64 pte)
{
	return (pte & (_PAGE_RW | _PAGE_DIRTY)) == (_PAGE_RW | _PAGE_DIRTY);
}

static inline enum tdm_host_verdict tdm_host_judge(u64 pte, bool write)
{
	if (!tdm_host_maps(pte))
		return tdm_host_judge_odd(pte, write);
	return !write || tdm_host_writable(pte) ? TDM_HOST_MAP : TDM_HOST_FAULT;
}

/*
 * May the guest's mapping be writable? Under a protection key the rights can
 * change without notice: as the access asked, no more.
 */
static inline bool tdm_host_grants_write(u64 pte, bool write)
{
	return tdm_host_writable(pte) && (tdm_host_maps(pte) || write);
}

/*
 * Look the page up and judge it; interrupts are off. Only a @patient caller, who
 * has the host's protection-key rights, is told of odd pages. 0; -EAGAIN: an odd
 * page; -ENXIO: the host must bring it in; -EFAULT: never.
 */
static inline int tdm_host_find(struct mm_struct *mm, unsigned long hva, bool write,
				bool patient, struct tdm_host_map *map)
{
	tdm_host_lookup(mm, hva, map);
	if (!patient && map->pte && !tdm_host_maps(map->pte))
		return -EAGAIN;
	switch (tdm_host_judge(map->pte, write)) {
	case TDM_HOST_FAULT:
		return -ENXIO;
	case TDM_HOST_REFUSE:
		return -EFAULT;
	case TDM_HOST_MAP:
		break;
	}
	return 0;
}

static inline u64 tdm_host_pfn(u64 pte)
{
	return (pte & PTE_PFN_MASK) >> PAGE_SHIFT;
}

/* ---- ept.c: all with mmu.lock held ---- */
/*
 * EPT entries (SDM vol. 3, 29.3.2). A leaf is never writable or executable
 * without being readable. TDM_EPT_HOST_W is ours (bits 52-56 are ignored by the
 * processor): the host's entry allowed writes when the leaf was made, so the
 * leaf can be made writable without looking again; what lacks TDM_EPT_W then
 * lacks it for the dirty log.
 */
#define TDM_EPT_R		BIT_ULL(0)
#define TDM_EPT_W		BIT_ULL(1)
#define TDM_EPT_X		BIT_ULL(2)
#define TDM_EPT_WB		(6ull << 3)
#define TDM_EPT_IPAT		BIT_ULL(6)	/* the guest's PAT does not count */
#define TDM_EPT_LARGE		BIT_ULL(7)
#define TDM_EPT_A		BIT_ULL(8)
#define TDM_EPT_D		BIT_ULL(9)
#define TDM_EPT_ADDR		GENMASK_ULL(51, 12)
#define TDM_EPT_HOST_W		BIT_ULL(52)

#define TDM_EPT_RWX		(TDM_EPT_R | TDM_EPT_W | TDM_EPT_X)

/**
 * struct tdm_leaf - where a walk of the guest's nested tables ended
 * @entry: the deepest entry on the path of the gfn
 * @val: its value
 * @level: its level
 */
struct tdm_leaf {
	u64 *entry;
	u64 val;
	int level;
};

static inline bool tdm_ept_present(u64 val)
{
	return val & TDM_EPT_RWX;
}

static inline bool tdm_ept_is_leaf(u64 val, int level)
{
	return tdm_ept_present(val) &&
	       (level == TDM_LEVEL_4K || (val & TDM_EPT_LARGE));
}

static inline bool tdm_ept_is_table(u64 val, int level)
{
	return tdm_ept_present(val) && !tdm_ept_is_leaf(val, level);
}

static inline u64 tdm_ept_pfn(u64 val)
{
	return (val & TDM_EPT_ADDR) >> PAGE_SHIFT;
}

static inline u64 *tdm_ept_table(u64 val)
{
	return __va(val & TDM_EPT_ADDR);
}

void tdm_ept_find(struct tdm_vm *vm, u64 gfn, struct tdm_leaf *leaf);
u64 *tdm_ept_entry(struct tdm_vm *vm, u64 gfn, int level);
u64 tdm_ept_make(u64 pfn, int level, bool host_writable, bool writable);
void tdm_ept_install(struct tdm_vm *vm, u64 *entry, u64 val, int level);
void tdm_ept_allow_write(u64 *entry);
int tdm_ept_split(struct tdm_vm *vm, u64 *entry, int level);
void tdm_ept_zap(struct tdm_vm *vm, u64 start, u64 end);
void tdm_ept_protect(struct tdm_vm *vm, u64 start, u64 end);
bool tdm_ept_age(struct tdm_vm *vm, u64 start, u64 end, bool clear);
void tdm_ept_free_tree(struct tdm_vm *vm, struct page *page);

/* ---- both builders, range.c; mmu.lock held; [start, end) is within the slot ---- */
void tdm_mmu_zap(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end);
void tdm_mmu_zap_all(struct tdm_vm *vm);
void tdm_mmu_code_gone(struct tdm_vm *vm, struct tdm_memslot *slot); /* slots_sem instead */
void tdm_mmu_protect(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end);
bool tdm_mmu_age(struct tdm_vm *vm, struct tdm_memslot *slot, u64 start, u64 end, bool clear);

/* ---- notifier.c ---- */
int tdm_notifier_register(struct tdm_vm *vm);
void tdm_notifier_unregister(struct tdm_vm *vm);

#endif /* TDM_SHADOW_MMU_INTERNAL_H */
