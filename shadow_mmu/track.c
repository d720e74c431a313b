// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traces: guest pages whose writes somebody has to hear of. Two clients: guest
 * page tables that have shadow pages, and the engine's translated code.
 *
 * A traced page has no writable mapping, small or large. What the core itself
 * writes there (emulated instructions, the walker's accessed and dirty bits)
 * comes in by tdm_mmu_guest_wrote(). Beware: writes by the caller through its
 * own mapping are not seen, as with KVM; a guest whose page tables are written
 * by DMA has to flush.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "shadow_mmu/shadow.h"

/* ---- per-slot arrays ---- */

static u64 nr_blocks(const struct tdm_memslot *slot)
{
	return ((slot->base_gfn + slot->npages - 1) >> 9) - (slot->base_gfn >> 9) + 1;
}

/**
 * tdm_slot_shadow_alloc() - what shadow paging keeps for a slot's pages
 * @vm: the VM; may sleep
 * @slot: new, or in use without shadow paging so far
 *
 * Return: 0; -ENOMEM.
 */
int tdm_slot_shadow_alloc(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	struct tdm_slot_shadow *ss = kzalloc(sizeof(*ss), GFP_KERNEL_ACCOUNT);

	if (!ss)
		return -ENOMEM;
	ss->gfns = kvcalloc(slot->npages, sizeof(*ss->gfns), GFP_KERNEL_ACCOUNT);
	if (!ss->gfns)
		goto free_ss;
	ss->blocks = kvcalloc(nr_blocks(slot), sizeof(*ss->blocks), GFP_KERNEL_ACCOUNT);
	if (!ss->blocks)
		goto free_gfns;
	ss->bytes = sizeof(*ss) + slot->npages * sizeof(*ss->gfns) +
		    nr_blocks(slot) * sizeof(*ss->blocks);
	tdm_vm_stat_add(vm, mem_bytes, ss->bytes);
	slot->shadow = ss;
	return 0;

free_gfns:
	kvfree(ss->gfns);
free_ss:
	kfree(ss);
	return -ENOMEM;
}

/** tdm_slot_shadow_free() - free it; the slot's mappings are gone; may be NULL */
void tdm_slot_shadow_free(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	struct tdm_slot_shadow *ss = slot->shadow;

	if (!ss)
		return;
	tdm_vm_stat_add(vm, mem_bytes, -(s64)ss->bytes);
	kvfree(ss->blocks);
	kvfree(ss->gfns);
	kfree(ss);
	slot->shadow = NULL;
}

/* ---- taking the right to write ---- */

static void protect_one(void *ctx, u64 *spte)
{
	u64 val = READ_ONCE(*spte);

	if (!(val & TDM_SPT_W))
		return;
	WRITE_ONCE(*spte, val & ~TDM_SPT_W);
	*(bool *)ctx = true;
}

/**
 * tdm_write_protect() - no entry may allow writes to a page
 * @vm: the VM; mmu.lock held
 * @slot: of @gfn
 * @gfn: the page
 *
 * Large mappings of it are dropped. Processors may still write there until the
 * next flush; if something was taken away, tdm_mmu_lost() was called.
 */
void tdm_write_protect(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn)
{
	bool lost = tdm_spage_drop_chain(vm, &tdm_block_info(slot, gfn)->rmap);

	tdm_rmap_each(tdm_gfn_info(slot, gfn)->rmap, protect_one, &lost);
	if (lost)
		tdm_mmu_lost(vm);
}

/* ---- guest page tables ---- */

/**
 * tdm_table_track() - a shadow page was made from a table
 * @vm: the VM; mmu.lock held
 * @slot: of sp->gfn
 * @sp: new, without entries
 */
void tdm_table_track(struct tdm_vm *vm, struct tdm_memslot *slot, struct tdm_spage *sp)
{
	struct tdm_gfn_info *info = tdm_gfn_info(slot, sp->gfn);

	if (!info->tables && !info->code)
		tdm_block_info(slot, sp->gfn)->traced++;
	info->tables++;
	/* Pairs with tdm_mmu_guest_wrote(): it sees this, or we read what it wrote. */
	smp_mb();
	if (info->unsync) {
		/* Others know it already, and let the guest write. */
		if (tdm_spage_level(sp) == TDM_LEVEL_4K) {
			tdm_unsync_join(vm, sp);
			return;
		}
		tdm_unsync_close(vm, slot, sp->gfn);
	} else {
		tdm_write_protect(vm, slot, sp->gfn);
	}
	/* Also if another vCPU's loss is what keeps the table writable. */
	if (!tdm_vcpu_alone(vm))
		sp->prot_gen = vm->mmu.tlb_gen;
}

/** tdm_table_untrack() - the shadow page goes; mmu.lock held */
void tdm_table_untrack(struct tdm_vm *vm, struct tdm_spage *sp)
{
	struct tdm_memslot *slot = tdm_memslot_find_locked(vm, sp->gfn);
	struct tdm_gfn_info *info;

	if (WARN_ON_ONCE(!slot))
		return;
	info = tdm_gfn_info(slot, sp->gfn);
	if (--info->tables)
		return;
	info->unsync = false;
	if (!info->code)
		tdm_block_info(slot, sp->gfn)->traced--;
}

/* Which of a shadow page's entries come from bytes [off, end) of the table. */
static bool entries_at(const struct tdm_spage *sp, unsigned int off, unsigned int end,
		       unsigned int *first, unsigned int *last)
{
	unsigned int from = off >> sp->eshift, to = (end - 1) >> sp->eshift;
	unsigned int base = sp->gbase, n = TDM_PT_ENTRIES >> sp->gshift;

	from = max(from, base);
	to = min(to, base + n - 1);
	if (from > to)
		return false;
	*first = (from - base) << sp->gshift;
	*last = ((to - base + 1) << sp->gshift) - 1;
	return true;
}

/* One shadow page of a table that was written. */
static void table_written(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int off,
			  unsigned int len)
{
	unsigned int i, first, last;
	bool leaf = tdm_spage_level(sp) == TDM_LEVEL_4K;

	if (!entries_at(sp, off, off + len, &first, &last))
		return;
	if (!sp->guest) {
		/* The host moved the table: nothing to read it by. */
		tdm_spage_zap(vm, sp);
		return;
	}
	for (i = first; i <= last; i++) {
		u64 gpte = tdm_gpte_read(sp, i);

		if (test_bit(i, sp->filled))
			tdm_spte_refresh(vm, sp, i, gpte);
		else
			tdm_code_note(vm, sp, i, gpte);
		if (leaf && tdm_eager_fill && !test_bit(i, sp->filled))
			tdm_spte_fill_eagerly(vm, sp, i, gpte);
	}
	if (sp->owner)
		tdm_root_written(sp);
}

/* Data, not entries: bytes, or many writes with no use between them. */
static bool flooded(struct tdm_spage *sp, unsigned int off, unsigned int len)
{
	if (sp->roots)
		return false;
	if (len < 4 || (off | len) & 3)
		return true;
	return ++sp->floods > tdm_flood;
}

static void gfn_written(struct tdm_vm *vm, u64 gfn, unsigned int off, unsigned int len)
{
	struct hlist_node *tmp;
	struct tdm_spage *sp;

	tdm_for_each_spage(vm, gfn, sp, tmp) {
		/* Compared at the next flush. */
		if (sp->unsync && !sp->closing)
			continue;
		if (flooded(sp, off, len)) {
			tdm_vm_stat(vm, shadow_flooded);
			tdm_spage_zap(vm, sp);
			continue;
		}
		table_written(vm, sp, off, len);
	}
	/* Tables that the write made unreachable are mostly free memory now. */
	tdm_spage_reap(vm, 4);
}

/**
 * tdm_mmu_guest_wrote() - guest memory was written by other than the guest's own stores
 * @vm: the VM; slots_sem held, mmu.lock not; interrupts may be off
 * @slot: of all of it
 * @gpa: where
 * @len: bytes, already written
 */
void tdm_mmu_guest_wrote(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa, u64 len)
{
	if (!slot->shadow)
		return;
	smp_mb();
	while (len) {
		u64 gfn = gpa >> PAGE_SHIFT;
		unsigned int off = gpa & ~PAGE_MASK;
		unsigned int n = min_t(u64, len, PAGE_SIZE - off);
		struct tdm_gfn_info *info = tdm_gfn_info(slot, gfn);

		if (READ_ONCE(info->tables)) {
			spin_lock(&vm->mmu.lock);
			gfn_written(vm, gfn, off, n);
			spin_unlock(&vm->mmu.lock);
		}
		if (READ_ONCE(info->code)) {
			tdm_vm_stat(vm, code_writes);
			if (tdm_mmu_client->code_written)
				tdm_mmu_client->code_written(vm, gpa, n);
		}
		gpa += n;
		len -= n;
	}
}

/* ---- code ---- */

/**
 * tdm_track_add() - hear of writes to a page
 * @vm: the VM, in shadow mode; may sleep, takes slots_sem
 * @gfn: the page
 * @client: TDM_TRACK_CODE; tables are traced by the MMU itself
 *
 * On return no vCPU can write there without an exit. Each call is undone by one
 * tdm_track_del(), or by the memslot's end.
 *
 * Return: 0; -ENOENT: no memslot; -EINVAL; -ENOSPC: too many holders.
 */
int tdm_track_add(struct tdm_vm *vm, u64 gfn, enum tdm_track client)
{
	struct tdm_memslot *slot;
	struct tdm_gfn_info *info;
	int r = 0;

	if (client != TDM_TRACK_CODE || !vm->mmu.shadow)
		return -EINVAL;
	down_read(&vm->slots_sem);
	spin_lock(&vm->mmu.lock);
	slot = tdm_memslot_find_locked(vm, gfn);
	if (!slot) {
		r = -ENOENT;
		goto unlock;
	}
	info = tdm_gfn_info(slot, gfn);
	if (info->code == U16_MAX) {
		r = -ENOSPC;
		goto unlock;
	}
	if (info->code++)
		goto unlock;
	if (!info->tables)
		tdm_block_info(slot, gfn)->traced++;
	if (info->unsync)
		tdm_unsync_close(vm, slot, gfn);
	else
		tdm_write_protect(vm, slot, gfn);
unlock:
	spin_unlock(&vm->mmu.lock);
	up_read(&vm->slots_sem);
	if (!r)
		tdm_mmu_sync_tlb(vm);
	return r;
}

/**
 * tdm_mmu_forget_code() - a page with code is to be written, nobody can tell how
 * @vm: the VM; may sleep, takes slots_sem
 * @gfn: the page
 *
 * Return: true if it has a trace for code, whose holder was told.
 */
bool tdm_mmu_forget_code(struct tdm_vm *vm, u64 gfn)
{
	struct tdm_memslot *slot;
	bool code;

	down_read(&vm->slots_sem);
	slot = tdm_memslot_find(vm, gfn);
	code = slot && slot->shadow && READ_ONCE(tdm_gfn_info(slot, gfn)->code) &&
	       tdm_mmu_client->code_written;
	if (code)
		tdm_mmu_client->code_written(vm, gfn << PAGE_SHIFT, PAGE_SIZE);
	up_read(&vm->slots_sem);
	return code;
}

/**
 * tdm_track_del() - undo one tdm_track_add()
 * @vm: the VM; takes slots_sem
 * @gfn: the page; nothing happens if its memslot went meanwhile
 * @client: as given then
 */
void tdm_track_del(struct tdm_vm *vm, u64 gfn, enum tdm_track client)
{
	struct tdm_memslot *slot;
	struct tdm_gfn_info *info;

	if (client != TDM_TRACK_CODE || !vm->mmu.shadow)
		return;
	down_read(&vm->slots_sem);
	spin_lock(&vm->mmu.lock);
	slot = tdm_memslot_find_locked(vm, gfn);
	info = slot ? tdm_gfn_info(slot, gfn) : NULL;
	if (info && info->code && !--info->code && !info->tables)
		tdm_block_info(slot, gfn)->traced--;
	spin_unlock(&vm->mmu.lock);
	up_read(&vm->slots_sem);
}
