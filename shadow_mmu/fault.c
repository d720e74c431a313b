// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested page faults: find the memslot, look the page up in the host's page
 * tables, map it. All of one attempt happens inside one hold of mmu.lock, so
 * there is nothing to re-check; only when the host itself has to bring a page
 * in (or a table page is needed) the lock is dropped and all starts over.
 *
 * A guest's first touch of each page is a main cost of its boot. Therefore:
 * large leaves where the host has large pages; no get_user_pages(); and pages
 * beside the faulting one that the host has already are mapped along with it,
 * outward until the first that is missing or mapped, so that the work is in
 * proportion to what it saves.
 *
 * Must not: take slots_sem (a host fault can sleep for as long as userspace
 * likes); map anything while the host invalidates it.
 */
#include <linux/moduleparam.h>
#include <linux/sched.h>

#include "shadow_mmu/internal.h"

static unsigned int fault_around = TDM_PT_ENTRIES;
module_param(fault_around, uint, 0644);
MODULE_PARM_DESC(fault_around,
		 "pages to map on either side of a fault, if the host has them (0: none, default 512)");

/**
 * struct fault - one nested fault on its way
 * @vm: the VM
 * @gfn: where
 * @write: the access is a write
 * @slow: the caller can wait, and has the host's protection-key rights
 * @hva: out: the host address behind it
 * @generation: out: of the memslots that @hva was computed from
 */
struct fault {
	struct tdm_vm *vm;
	u64 gfn;
	bool write;
	bool slow;
	unsigned long hva;
	u32 generation;
};

/* A leaf is there, write-protected for the dirty log only. */
static int log_write(struct fault *f, struct tdm_memslot *slot, struct tdm_leaf *leaf)
{
	if (tdm_slot_logs(slot)) {
		while (leaf->level > TDM_LEVEL_4K) {
			if (tdm_ept_split(f->vm, leaf->entry, leaf->level))
				return -ENOMEM;
			tdm_ept_find(f->vm, f->gfn, leaf);
		}
		tdm_mark_dirty(slot, f->gfn);
		tdm_vm_stat(f->vm, dirty_faults);
	}
	tdm_ept_allow_write(leaf->entry);
	return TDM_MMU_RESUME;
}

/* Can the block of @level around the gfn be one leaf, as far as the slot goes? */
static bool block_fits(struct fault *f, struct tdm_memslot *slot, int level)
{
	u64 pages = tdm_level_pages(level);
	u64 base = tdm_level_base(f->gfn, level);
	unsigned long hva;

	if (base < slot->base_gfn ||
	    base + pages > slot->base_gfn + slot->npages)
		return false;
	hva = tdm_slot_hva(slot, base);
	if (hva & ((pages << PAGE_SHIFT) - 1))
		return false;
	return !tdm_mmu_invalidating(&f->vm->mmu, hva, hva + (pages << PAGE_SHIFT));
}

static int pick_level(struct fault *f, struct tdm_memslot *slot,
		      const struct tdm_host_map *host, const struct tdm_leaf *leaf)
{
	int level = min(host->level, leaf->level);

	if (level > TDM_LEVEL_2M && !tdm_ept_caps.page_1g)
		level = TDM_LEVEL_2M;
	if (level > TDM_LEVEL_4K && (!tdm_ept_caps.page_2m || tdm_slot_logs(slot)))
		level = TDM_LEVEL_4K;
	while (level > TDM_LEVEL_4K && !block_fits(f, slot, level))
		level--;
	return level;
}

/* The host's entry of the page @i further on (or back), inside one host table. */
static u64 host_neighbour(const struct tdm_host_map *host, int i)
{
	if (host->ptep)
		return READ_ONCE(host->ptep[i]);
	return host->pte + ((u64)i << PAGE_SHIFT);
}

static bool map_neighbour(u64 *entry, u64 pte, bool may_write)
{
	bool host_w = tdm_host_writable(pte);

	if (*entry || !tdm_host_maps(pte))
		return false;
	WRITE_ONCE(*entry, tdm_ept_make(tdm_host_pfn(pte), TDM_LEVEL_4K, host_w,
					host_w && may_write));
	return true;
}

/*
 * Map what is beside the page just mapped at @entry. Both the nested table and
 * the host's table bound it: 2 MiB of gfn and of hva.
 */
static void map_around(struct fault *f, struct tdm_memslot *slot,
		       const struct tdm_host_map *host, u64 *entry)
{
	u64 max = READ_ONCE(fault_around);
	unsigned int gi = tdm_level_index(f->gfn, TDM_LEVEL_4K);
	unsigned int hi = (f->hva >> PAGE_SHIFT) & (TDM_PT_ENTRIES - 1);
	u64 down = min3(f->gfn - slot->base_gfn, (u64)min(gi, hi), max);
	u64 up = min3(slot->base_gfn + slot->npages - 1 - f->gfn,
		      (u64)TDM_PT_ENTRIES - 1 - max(gi, hi), max);
	bool may_write = !(slot->flags & (KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES));
	int i, n = 0;

	if (tdm_mmu_invalidating(&f->vm->mmu, f->hva - (down << PAGE_SHIFT),
				 f->hva + ((up + 1) << PAGE_SHIFT)))
		return;
	for (i = 1; i <= (int)up; i++, n++)
		if (!map_neighbour(entry + i, host_neighbour(host, i), may_write))
			break;
	for (i = 1; i <= (int)down; i++, n++)
		if (!map_neighbour(entry - i, host_neighbour(host, -i), may_write))
			break;
	if (!n)
		return;
	tdm_table_count(virt_to_page(entry), n);
	tdm_vm_stat_add(f->vm, mmu_mapped_around, n);
}

/* Map what the host has. Interrupts are off. */
static int map_host(struct fault *f, struct tdm_memslot *slot, struct tdm_leaf *leaf)
{
	struct tdm_host_map host;
	bool host_w, writable;
	u64 *entry, pfn;
	int level, r;

	r = tdm_host_find(f->vm->mm, f->hva, f->write, f->slow, &host);
	if (r)
		return r;
	level = pick_level(f, slot, &host, leaf);
	if (level < leaf->level && tdm_ept_present(leaf->val)) {
		/* A large leaf that cannot stay large: from now on it is small ones. */
		if (!f->slow)
			return -EAGAIN;
		tdm_ept_zap(f->vm, f->gfn, f->gfn + 1);
	}
	entry = level == leaf->level ? leaf->entry :
		tdm_ept_entry(f->vm, f->gfn, level);
	if (!entry)
		return -ENOMEM;

	pfn = tdm_level_base(tdm_host_pfn(host.pte), level);
	host_w = tdm_host_grants_write(host.pte, f->write);
	writable = host_w && !(slot->flags & KVM_MEM_READONLY) &&
		   (f->write || !tdm_slot_logs(slot));
	if (writable && tdm_slot_logs(slot))
		tdm_mark_dirty(slot, f->gfn);
	tdm_ept_install(f->vm, entry,
			tdm_ept_make(pfn, level, host_w, writable), level);
	if (level == TDM_LEVEL_4K && tdm_host_maps(host.pte))
		map_around(f, slot, &host, entry);
	return TDM_MMU_RESUME;
}

/*
 * One attempt, mmu.lock held. TDM_MMU_* or -EAGAIN (the host is changing the
 * mapping), -ENXIO (the host must bring the page in), -ENOMEM (no table page in
 * the pool), -EFAULT.
 */
static int try_map(struct fault *f)
{
	struct tdm_vm *vm = f->vm;
	struct tdm_memslot *slot = tdm_memslot_find_locked(vm, f->gfn);
	struct tdm_leaf leaf;
	unsigned long flags;
	int r;

	if (!slot || (f->write && (slot->flags & KVM_MEM_READONLY)))
		return TDM_MMU_MMIO;
	f->hva = tdm_slot_hva(slot, f->gfn);
	f->generation = vm->slots_generation;

	tdm_ept_find(vm, f->gfn, &leaf);
	if (tdm_ept_present(leaf.val)) {
		/* Another vCPU was faster. */
		if (!f->write || (leaf.val & TDM_EPT_W))
			return TDM_MMU_RESUME;
		if (leaf.val & TDM_EPT_HOST_W)
			return log_write(f, slot, &leaf);
	}
	if (vm->mmu.gone)
		return -EFAULT;
	if (tdm_mmu_invalidating(&vm->mmu, f->hva, f->hva + PAGE_SIZE))
		return -EAGAIN;
	local_irq_save(flags);
	r = map_host(f, slot, &leaf);
	local_irq_restore(flags);
	return r;
}

static int try_map_lock(struct fault *f)
{
	struct tdm_mmu *mmu = &f->vm->mmu;
	u64 gen;
	int r;

	spin_lock(&mmu->lock);
	gen = mmu->tlb_gen;
	r = try_map(f);
	gen = mmu->tlb_gen - gen;
	spin_unlock(&mmu->lock);
	if (gen)
		tdm_mmu_sync_tlb(f->vm);
	return r;
}

/**
 * tdm_mmu_fault_fast() - resolve a nested page fault if that takes no sleeping
 * @vcpu: the vCPU that faulted; current->mm is the VM's
 * @gpa: guest-physical address of the access
 * @access: TDM_ACCESS_*
 *
 * May be called with interrupts off.
 *
 * Return: enum tdm_mmu_result, or -EAGAIN: call tdm_mmu_fault().
 */
int tdm_mmu_fault_fast(struct tdm_vcpu *vcpu, u64 gpa, u32 access)
{
	struct fault f = {
		.vm = vcpu->vm,
		.gfn = gpa >> PAGE_SHIFT,
		.write = access & TDM_ACCESS_WRITE,
	};
	int r;

	spin_lock(&f.vm->mmu.lock);
	r = try_map(&f);
	spin_unlock(&f.vm->mmu.lock);
	if (r >= 0)
		return r;
	if (r == -ENXIO) {
		/* Spare tdm_mmu_fault() the search. */
		vcpu->miss_hva = f.hva;
		vcpu->miss_generation = f.generation;
	}
	return -EAGAIN;
}

/**
 * tdm_mmu_host_fault() - have the host bring a page in for a fault of the guest
 * @vm: the VM; no lock held, may sleep
 * @hva: where
 * @write: for writing
 * @generation: of the memslots that @hva comes from
 *
 * Return: 0: try again; also if what went wrong concerns memory that no memslot
 * names any more. -EFAULT, -EHWPOISON, -ENOMEM, -EINTR.
 */
int tdm_mmu_host_fault(struct tdm_vm *vm, unsigned long hva, bool write, u32 generation)
{
	int r;

	tdm_vm_stat(vm, mmu_host_faults);
	r = tdm_host_fault_in(vm->mm, hva, write);
	return r && READ_ONCE(vm->slots_generation) == generation ? r : 0;
}

static int host_fault(struct fault *f)
{
	return tdm_mmu_host_fault(f->vm, f->hva, f->write, f->generation);
}

/*
 * Shadow paging has no nested faults: this is the emulator asking why it could
 * not reach a page. Nothing is mapped.
 */
static int why_unreachable(struct fault *f)
{
	struct tdm_memslot *slot;

	spin_lock(&f->vm->mmu.lock);
	slot = tdm_memslot_find_locked(f->vm, f->gfn);
	if (slot && f->write && (slot->flags & KVM_MEM_READONLY))
		slot = NULL;
	if (slot)
		f->hva = tdm_slot_hva(slot, f->gfn);
	f->generation = f->vm->slots_generation;
	spin_unlock(&f->vm->mmu.lock);
	if (!slot)
		return TDM_MMU_MMIO;
	return host_fault(f) ?: TDM_MMU_RESUME;
}

/* So often the host is asked for the same page before the guest is let run again. */
#define MAX_HOST_FAULTS	4

/**
 * tdm_mmu_fault() - resolve a nested page fault
 * @vcpu: the vCPU that faulted; current->mm is the VM's; no lock held, may sleep
 * @gpa: guest-physical address of the access
 * @access: TDM_ACCESS_*
 *
 * Return: enum tdm_mmu_result, or a negative errno for the caller of KVM_RUN:
 * -EFAULT (the memslot's memory is not mapped, not writable, or not memory),
 * -EHWPOISON, -ENOMEM, -EINTR (being killed).
 */
int tdm_mmu_fault(struct tdm_vcpu *vcpu, u64 gpa, u32 access)
{
	struct fault f = {
		.vm = vcpu->vm,
		.gfn = gpa >> PAGE_SHIFT,
		.write = access & TDM_ACCESS_WRITE,
		.slow = true,
	};
	int tries, r;

	if (f.vm->mmu_mode == TDM_MMU_MODE_SHADOW)
		return why_unreachable(&f);
	if (vcpu->miss_hva) {
		f.hva = vcpu->miss_hva;
		f.generation = vcpu->miss_generation;
		vcpu->miss_hva = 0;
		r = host_fault(&f);
		if (r)
			return r;
	}
	for (tries = 0; tries < MAX_HOST_FAULTS; tries++) {
		r = try_map_lock(&f);
		if (r == -ENOMEM) {
			r = tdm_mmu_refill(f.vm);
			if (r)
				return r;
			r = try_map_lock(&f);
		}
		if (r == -EAGAIN || r == -ENOMEM) {
			tdm_vm_stat(f.vm, mmu_retries);
			cond_resched();
			return TDM_MMU_RESUME;
		}
		if (r != -ENXIO)
			return r;
		r = host_fault(&f);
		if (r)
			return r;
	}
	return TDM_MMU_RESUME;
}
