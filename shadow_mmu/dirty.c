// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages of a slot were written since the caller asked last.
 *
 * In a slot that logs, a page's bit is set before the guest can write to it,
 * and the right to write is taken away before the bit is given to the caller
 * and cleared: both under mmu.lock. The TLBs are flushed before the caller's
 * ioctl returns, so a write that was not reported yet will be in the next log.
 * Emulated accesses set the bit after the write, under slots_sem.
 *
 * Mappings are 4 KiB there; larger ones from before are split by the first
 * write. With KVM_DIRTY_LOG_INITIALLY_SET all bits start set and nothing is
 * protected until the caller clears them.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shadow_mmu/internal.h"

/* So many words of the bitmap are handled in one hold of mmu.lock. */
#define CHUNK_WORDS	32u
#define CHUNK_PAGES	(CHUNK_WORDS * BITS_PER_LONG)

/* Pages write-protected in one hold of mmu.lock when logging starts. */
#define START_PAGES	(64u * 512)

/** tdm_dirty_alloc() - a clear bitmap for a slot of @npages, or NULL */
unsigned long *tdm_dirty_alloc(struct tdm_vm *vm, u64 npages)
{
	unsigned long *dirty = kvzalloc(tdm_dirty_bytes(npages), GFP_KERNEL_ACCOUNT);

	if (!dirty)
		return NULL;
	tdm_vm_stat_add(vm, mem_bytes, tdm_dirty_bytes(npages));
	if (vm->dirty_log_caps & KVM_DIRTY_LOG_INITIALLY_SET)
		bitmap_set(dirty, 0, npages);
	return dirty;
}

/** tdm_dirty_free() - free a bitmap of tdm_dirty_alloc(); NULL is fine */
void tdm_dirty_free(struct tdm_vm *vm, unsigned long *dirty, u64 npages)
{
	if (!dirty)
		return;
	tdm_vm_stat_add(vm, mem_bytes, -(s64)tdm_dirty_bytes(npages));
	kvfree(dirty);
}

/** tdm_mark_dirty() - the page was or may be written; slots_sem or mmu.lock held */
void tdm_mark_dirty(struct tdm_memslot *slot, u64 gfn)
{
	u64 bit = gfn - slot->base_gfn;

	if (slot->dirty && !test_bit(bit, slot->dirty))
		set_bit(bit, slot->dirty);
}

/**
 * tdm_dirty_log_start() - logging was switched on for a slot that is in use
 * @vm: the VM; slots_sem held for writing
 * @slot: the slot; its flags and bitmap are set, so that new mappings obey
 */
void tdm_dirty_log_start(struct tdm_vm *vm, struct tdm_memslot *slot)
{
	u64 gfn = slot->base_gfn, end = gfn + slot->npages;

	if (vm->dirty_log_caps & KVM_DIRTY_LOG_INITIALLY_SET)
		return;
	while (gfn < end) {
		u64 next = min(end, gfn + START_PAGES);

		spin_lock(&vm->mmu.lock);
		tdm_mmu_protect(vm, slot, gfn, next);
		spin_unlock(&vm->mmu.lock);
		cond_resched();
		gfn = next;
	}
	tdm_mmu_sync_tlb(vm);
}

/* Protect the pages whose bits are set in @mask, in runs; mmu.lock held. */
static void protect_mask(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn,
			 unsigned long mask)
{
	while (mask) {
		unsigned int from = __ffs(mask);
		unsigned long rest = mask >> from;
		unsigned int run = ~rest ? ffz(rest) : BITS_PER_LONG;

		tdm_mmu_protect(vm, slot, gfn + from, gfn + from + run);
		if (from + run >= BITS_PER_LONG)
			return;
		mask &= ~0ul << (from + run);
	}
}

/* Move @n words of the bitmap, from word @first, to @buf; protect their pages. */
static void take_words(struct tdm_vm *vm, struct tdm_memslot *slot, size_t first,
		       size_t n, unsigned long *buf)
{
	size_t i;

	spin_lock(&vm->mmu.lock);
	for (i = 0; i < n; i++) {
		unsigned long *word = &slot->dirty[first + i];

		buf[i] = READ_ONCE(*word) ? xchg(word, 0) : 0;
		protect_mask(vm, slot, slot->base_gfn + (first + i) * BITS_PER_LONG, buf[i]);
	}
	spin_unlock(&vm->mmu.lock);
}

/* Give bits back that could not be delivered. */
static void return_words(struct tdm_memslot *slot, size_t first, size_t n,
			 const unsigned long *buf)
{
	size_t i;

	for (i = 0; i < n; i++)
		atomic_long_or(buf[i], (atomic_long_t *)&slot->dirty[first + i]);
}

static int get_and_clear(struct tdm_vm *vm, struct tdm_memslot *slot,
			 unsigned long __user *to)
{
	size_t words = BITS_TO_LONGS(slot->npages), at, n;
	unsigned long buf[CHUNK_WORDS];
	int r = 0;

	for (at = 0; at < words && !r; at += n) {
		n = min_t(size_t, words - at, CHUNK_WORDS);
		take_words(vm, slot, at, n, buf);
		if (copy_to_user(to + at, buf, n * sizeof(long))) {
			return_words(slot, at, n, buf);
			r = -EFAULT;
		}
		cond_resched();
	}
	tdm_mmu_sync_tlb(vm);
	return r;
}

/* The slot a log ioctl names; slots_sem held. */
static struct tdm_memslot *logging_slot(struct tdm_vm *vm, u32 id)
{
	struct tdm_memslot *slot;

	if (id >> 16 || (u16)id >= TDM_NR_MEMSLOTS)
		return ERR_PTR(-EINVAL);
	slot = tdm_memslot_by_id(vm, 0, (u16)id);
	return slot && slot->dirty ? slot : ERR_PTR(-ENOENT);
}

/**
 * tdm_dirty_log_get() - KVM_GET_DIRTY_LOG
 * @vm: the VM; takes slots_sem; may sleep
 * @log: slot and bitmap. With KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE the bits stay
 *	set and the pages writable until tdm_dirty_log_clear().
 *
 * Return: 0; -EINVAL (bad slot number), -ENOENT (no such slot, or it does not
 * log), -EFAULT.
 */
int tdm_dirty_log_get(struct tdm_vm *vm, struct kvm_dirty_log *log)
{
	struct tdm_memslot *slot;
	int r;

	down_read(&vm->slots_sem);
	slot = logging_slot(vm, log->slot);
	if (IS_ERR(slot))
		r = PTR_ERR(slot);
	else if (!(vm->dirty_log_caps & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		r = get_and_clear(vm, slot, log->dirty_bitmap);
	else
		r = copy_to_user(log->dirty_bitmap, slot->dirty,
				 tdm_dirty_bytes(slot->npages)) ? -EFAULT : 0;
	up_read(&vm->slots_sem);
	return r;
}

/* Clear the bits of @mask in one word of the bitmap and protect their pages. */
static void clear_word(struct tdm_vm *vm, struct tdm_memslot *slot, size_t word,
		       unsigned long mask)
{
	atomic_long_t *p = (atomic_long_t *)&slot->dirty[word];

	mask &= atomic_long_read(p);
	if (!mask)
		return;
	mask &= atomic_long_fetch_andnot(mask, p);
	protect_mask(vm, slot, slot->base_gfn + word * BITS_PER_LONG, mask);
}

/* @n pages from @first; bits past the end of the slot do not count. */
static int clear_pages(struct tdm_vm *vm, struct tdm_memslot *slot, u64 first,
		       u64 n, const unsigned long __user *from)
{
	size_t word = first / BITS_PER_LONG;
	unsigned long buf[CHUNK_WORDS];
	int r = 0;

	while (n && !r) {
		u64 pages = min_t(u64, n, CHUNK_PAGES);
		size_t words = BITS_TO_LONGS(pages), i;

		if (copy_from_user(buf, from, words * sizeof(long))) {
			r = -EFAULT;
			break;
		}
		if (pages % BITS_PER_LONG)
			buf[words - 1] &= BIT(pages % BITS_PER_LONG) - 1;
		spin_lock(&vm->mmu.lock);
		for (i = 0; i < words; i++)
			clear_word(vm, slot, word + i, buf[i]);
		spin_unlock(&vm->mmu.lock);
		cond_resched();
		word += words;
		from += words;
		n -= pages;
	}
	tdm_mmu_sync_tlb(vm);
	return r;
}

/**
 * tdm_dirty_log_clear() - KVM_CLEAR_DIRTY_LOG
 * @vm: the VM; takes slots_sem; may sleep
 * @log: slot, pages and the bits to clear: first_page is a multiple of 64, and
 *	so is num_pages unless it reaches the slot's end
 *
 * Return: 0; -EINVAL, -ENOENT (no such slot, or it does not log), -EFAULT.
 */
int tdm_dirty_log_clear(struct tdm_vm *vm, struct kvm_clear_dirty_log *log)
{
	struct tdm_memslot *slot;
	u64 rest;
	int r;

	if (log->first_page & 63)
		return -EINVAL;
	down_read(&vm->slots_sem);
	slot = logging_slot(vm, log->slot);
	if (IS_ERR(slot)) {
		r = PTR_ERR(slot);
		goto unlock;
	}
	r = -EINVAL;
	if (log->first_page > slot->npages)
		goto unlock;
	rest = slot->npages - log->first_page;
	if (log->num_pages > rest || (log->num_pages < rest && (log->num_pages & 63)))
		goto unlock;
	r = clear_pages(vm, slot, log->first_page, log->num_pages, log->dirty_bitmap);
unlock:
	up_read(&vm->slots_sem);
	return r;
}
