// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: which of the caller's memory backs which guest-physical range.
 *
 * Slots are found by gfn (rb tree), by id (xarray) and by hva (interval tree,
 * for the notifiers). Changes hold slots_sem for writing, and mmu.lock while
 * they touch a tree. A slot that goes leaves the gfn tree first: from then on
 * accesses find no slot. It leaves the hva tree only after its mappings are
 * gone and flushed: until then the notifiers must still find it, or the host
 * would reuse pages that the guest can reach.
 *
 * Every change costs O(log n), for 32764 slots as for two.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shadow_mmu/shadow.h"

#define MAX_PAGES_PER_SLOT	((1ull << 31) - 1)	/* KVM_MEM_MAX_NR_PAGES */

static struct tdm_memslot *slot_of(struct rb_node *node)
{
	return rb_entry(node, struct tdm_memslot, node);
}

static u64 slot_end(const struct tdm_memslot *slot)
{
	return slot->base_gfn + slot->npages;
}

static struct tdm_memslot *find_in(struct rb_root *root, u64 gfn)
{
	struct rb_node *node = root->rb_node;

	while (node) {
		struct tdm_memslot *slot = slot_of(node);

		if (gfn < slot->base_gfn)
			node = node->rb_left;
		else if (gfn >= slot_end(slot))
			node = node->rb_right;
		else
			return slot;
	}
	return NULL;
}

/**
 * tdm_memslot_find() - the memslot that backs a gfn
 * @vm: the VM; slots_sem (reading will do) or mmu.lock held
 * @gfn: any value
 *
 * Return: the slot, or NULL.
 */
struct tdm_memslot *tdm_memslot_find(struct tdm_vm *vm, u64 gfn)
{
	return find_in(&vm->slots_by_gfn[0], gfn);
}

/**
 * tdm_memslot_find_locked() - as tdm_memslot_find(), remembering the last one
 * @vm: the VM; mmu.lock held
 * @gfn: any value
 *
 * Return: the slot, or NULL.
 */
struct tdm_memslot *tdm_memslot_find_locked(struct tdm_vm *vm, u64 gfn)
{
	struct tdm_memslot *slot = vm->mmu.last_slot;

	if (slot && gfn - slot->base_gfn < slot->npages)
		return slot;
	slot = tdm_memslot_find(vm, gfn);
	if (slot)
		vm->mmu.last_slot = slot;
	return slot;
}

/** tdm_memslot_by_id() - the slot of an id, or NULL; slots_sem held */
struct tdm_memslot *tdm_memslot_by_id(struct tdm_vm *vm, u32 as_id, u32 id)
{
	return xa_load(&vm->slots_by_id, as_id << 16 | id);
}

/* The lowest slot that ends above @gfn. */
static struct tdm_memslot *first_above(struct rb_root *root, u64 gfn)
{
	struct rb_node *node = root->rb_node;
	struct tdm_memslot *best = NULL;

	while (node) {
		struct tdm_memslot *slot = slot_of(node);

		if (slot_end(slot) > gfn) {
			best = slot;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/* Does a slot other than @except have a gfn in [base, end)? */
static bool overlaps(struct tdm_vm *vm, u64 base, u64 end,
		     const struct tdm_memslot *except)
{
	struct tdm_memslot *slot = first_above(&vm->slots_by_gfn[0], base);

	if (slot && slot == except) {
		struct rb_node *next = rb_next(&slot->node);

		slot = next ? slot_of(next) : NULL;
	}
	return slot && slot->base_gfn < end;
}

/* mmu.lock held for both; the generation tells faults that hvas have changed. */
static void link_gfn(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	struct rb_node **link = &vm->slots_by_gfn[slot->as_id].rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		parent = *link;
		link = slot->base_gfn < slot_of(parent)->base_gfn ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&slot->node, parent, link);
	rb_insert_color(&slot->node, &vm->slots_by_gfn[slot->as_id]);
	interval_tree_insert(&slot->hva_node, &vm->mmu.slots_by_hva);
	vm->slots_generation += 2;
}

static void unlink_gfn(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	/* Shadow pages find what they map by gfn: no entry may outlive that. */
	if (slot->shadow)
		tdm_mmu_zap(vm, slot, slot->base_gfn, slot_end(slot));
	rb_erase(&slot->node, &vm->slots_by_gfn[slot->as_id]);
	if (vm->mmu.last_slot == slot)
		vm->mmu.last_slot = NULL;
	vm->slots_generation += 2;
}

static struct tdm_memslot *slot_alloc(struct tdm_vm *vm)
{
	struct tdm_memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (slot)
		tdm_vm_stat_add(vm, mem_bytes, sizeof(*slot));
	return slot;
}

static void slot_free(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	tdm_dirty_free(vm, slot->dirty, slot->npages);
	tdm_slot_shadow_free(vm, slot);
	tdm_vm_stat_add(vm, mem_bytes, -(s64)sizeof(*slot));
	kfree(slot);
}

/* A new slot as the caller described it, in no tree yet. */
static struct tdm_memslot *slot_create(struct tdm_vm *vm,
				       const struct kvm_userspace_memory_region *r)
{
	struct tdm_memslot *slot = slot_alloc(vm);

	if (!slot)
		return NULL;
	slot->id = (u16)r->slot;
	slot->as_id = r->slot >> 16;
	slot->base_gfn = r->guest_phys_addr >> PAGE_SHIFT;
	slot->npages = r->memory_size >> PAGE_SHIFT;
	slot->hva = r->userspace_addr;
	slot->flags = r->flags;
	slot->hva_node.start = slot->hva;
	slot->hva_node.last = slot->hva + r->memory_size - 1;
	if (vm->mmu.shadow && tdm_slot_shadow_alloc(vm, slot))
		goto free_slot;
	if (!tdm_slot_logs(slot))
		return slot;
	slot->dirty = tdm_dirty_alloc(vm, slot->npages);
	if (!slot->dirty)
		goto free_slot;
	return slot;

free_slot:
	slot_free(vm, slot);
	return NULL;
}

/*
 * The slot is in the gfn tree no more, or its mappings are to be made anew:
 * take them away, wait until nobody uses them.
 */
static void drop_mappings(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	spin_lock(&vm->mmu.lock);
	tdm_mmu_zap(vm, slot, slot->base_gfn, slot_end(slot));
	spin_unlock(&vm->mmu.lock);
	tdm_mmu_sync_tlb(vm);
}

/* After unlink_gfn(). */
static void retire(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	/* Before the flush: no vCPU may go on with what it was translated to. */
	tdm_mmu_code_gone(vm, slot);
	drop_mappings(vm, slot);
	spin_lock(&vm->mmu.lock);
	interval_tree_remove(&slot->hva_node, &vm->mmu.slots_by_hva);
	spin_unlock(&vm->mmu.lock);
	slot_free(vm, slot);
}

static u32 slot_index(const struct tdm_memslot *slot)
{
	return (u32)slot->as_id << 16 | slot->id;
}

static int create_slot(struct tdm_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct tdm_memslot *slot = slot_create(vm, r);
	int err;

	if (!slot)
		return -ENOMEM;
	err = xa_err(xa_store(&vm->slots_by_id, slot_index(slot), slot,
			      GFP_KERNEL_ACCOUNT));
	if (err)
		goto free_slot;
	spin_lock(&vm->mmu.lock);
	link_gfn(vm, slot);
	spin_unlock(&vm->mmu.lock);
	vm->nr_slot_pages += slot->npages;
	return 0;

free_slot:
	slot_free(vm, slot);
	return err;
}

static void delete_slot(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	xa_erase(&vm->slots_by_id, slot_index(slot));
	vm->nr_slot_pages -= slot->npages;
	spin_lock(&vm->mmu.lock);
	unlink_gfn(vm, slot);
	spin_unlock(&vm->mmu.lock);
	retire(vm, slot);
}

/*
 * The new slot takes the old one's place, and its dirty bitmap if both log. The
 * old one lives on in the hva tree until its mappings are gone.
 */
static int move_slot(struct tdm_vm *vm, struct tdm_memslot *old,
		     const struct kvm_userspace_memory_region *r)
{
	struct tdm_memslot *new = slot_create(vm, r);
	int err;

	if (!new)
		return -ENOMEM;
	err = xa_err(xa_store(&vm->slots_by_id, slot_index(new), new,
			      GFP_KERNEL_ACCOUNT));
	if (err)
		goto free_slot;
	spin_lock(&vm->mmu.lock);
	if (old->dirty && new->dirty)
		swap(old->dirty, new->dirty);
	unlink_gfn(vm, old);
	link_gfn(vm, new);
	spin_unlock(&vm->mmu.lock);
	retire(vm, old);
	return 0;

free_slot:
	slot_free(vm, new);
	return err;
}

/* Only KVM_MEM_LOG_DIRTY_PAGES can have changed. */
static int change_flags(struct tdm_vm *vm, struct tdm_memslot *slot, u32 flags)
{
	unsigned long *dirty = NULL, *old;

	if (flags & KVM_MEM_LOG_DIRTY_PAGES) {
		dirty = tdm_dirty_alloc(vm, slot->npages);
		if (!dirty)
			return -ENOMEM;
	}
	spin_lock(&vm->mmu.lock);
	old = slot->dirty;
	slot->dirty = dirty;
	slot->flags = flags;
	spin_unlock(&vm->mmu.lock);
	tdm_dirty_free(vm, old, slot->npages);
	if (dirty)
		tdm_dirty_log_start(vm, slot);
	else
		drop_mappings(vm, slot);	/* so that large leaves come back */
	return 0;
}

/* What can be said without looking at other slots; the order is KVM's. */
static int check_region(const struct kvm_userspace_memory_region *r)
{
	const void __user *hva = (const void __user *)(unsigned long)r->userspace_addr;

	if (r->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if ((r->memory_size | r->guest_phys_addr | r->userspace_addr) & ~PAGE_MASK)
		return -EINVAL;
	if (r->userspace_addr != untagged_addr(r->userspace_addr) ||
	    !access_ok(hva, r->memory_size))
		return -EINVAL;
	if (r->slot >> 16 || (u16)r->slot >= TDM_NR_MEMSLOTS)
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EINVAL;
	if (r->memory_size >> PAGE_SHIFT > MAX_PAGES_PER_SLOT)
		return -EINVAL;
	return 0;
}

static int change_slot(struct tdm_vm *vm, struct tdm_memslot *old,
		       const struct kvm_userspace_memory_region *r)
{
	u64 base = r->guest_phys_addr >> PAGE_SHIFT;
	u64 npages = r->memory_size >> PAGE_SHIFT;

	if (!npages) {
		if (!old)
			return -EINVAL;
		delete_slot(vm, old);
		return 0;
	}
	if (old && (r->userspace_addr != old->hva || npages != old->npages ||
		    ((r->flags ^ old->flags) & KVM_MEM_READONLY)))
		return -EINVAL;
	if (old && base == old->base_gfn)
		return r->flags == old->flags ? 0 : change_flags(vm, old, r->flags);
	if (!old && vm->nr_slot_pages + npages < npages)
		return -EINVAL;
	if (overlaps(vm, base, base + npages, old))
		return -EEXIST;
	if (base + npages - 1 > tdm_mmu_max_gfn())
		return -EINVAL;
	return old ? move_slot(vm, old, r) : create_slot(vm, r);
}

/**
 * tdm_memslot_set() - KVM_SET_USER_MEMORY_REGION
 * @vm: the VM; current->mm == vm->mm; takes slots_sem
 * @r: as the caller gave it
 *
 * On return no vCPU has a mapping of a slot that was deleted or moved.
 *
 * Return: 0; -EINVAL; -EEXIST (overlaps another slot); -ENOMEM.
 */
int tdm_memslot_set(struct tdm_vm *vm, const struct kvm_userspace_memory_region *r)
{
	int err = check_region(r);

	if (err)
		return err;
	down_write(&vm->slots_sem);
	err = change_slot(vm, tdm_memslot_by_id(vm, r->slot >> 16, (u16)r->slot), r);
	up_write(&vm->slots_sem);
	return err;
}

/**
 * tdm_memslots_free() - free all slots of a VM that is going
 * @vm: the VM; the notifier is unregistered, nobody else uses it
 */
void tdm_memslots_free(struct tdm_vm *vm)
{
	struct tdm_memslot *slot;
	unsigned long i;

	xa_for_each(&vm->slots_by_id, i, slot)
		slot_free(vm, slot);
	xa_destroy(&vm->slots_by_id);
	vm->slots_by_gfn[0] = RB_ROOT;
	vm->mmu.slots_by_hva = RB_ROOT_CACHED;
	vm->mmu.last_slot = NULL;
}
