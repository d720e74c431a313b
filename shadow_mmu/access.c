// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest-physical memory as the emulator and the page walker reach it: through
 * the caller's own mapping, with the accessors for user memory. So nothing is
 * pinned, the host's rules hold, and memory without struct pages works.
 *
 * slots_sem is held for reading across each copy, so that a slot cannot go
 * under it. Must not: be called with a spinlock held, or by a thread whose mm is
 * not the VM's; nest.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/extable.h>

#include "shadow_mmu/internal.h"

#define CACHE_LINE	64u

/* How much of [gpa, gpa + len) one slot holds, and where; slots_sem held. */
static struct tdm_memslot *piece_at(struct tdm_vm *vm, u64 gpa, size_t len,
				    void __user **at, size_t *n)
{
	struct tdm_memslot *slot = tdm_memslot_find(vm, gpa >> PAGE_SHIFT);
	u64 end;

	if (!slot)
		return NULL;
	end = (slot->base_gfn + slot->npages) << PAGE_SHIFT;
	*at = (void __user *)(tdm_slot_hva(slot, gpa >> PAGE_SHIFT) +
			      offset_in_page(gpa));
	*n = min_t(u64, len, end - gpa);
	return slot;
}

/**
 * tdm_read_gpa() - read guest-physical memory
 * @vm: the VM; current->mm is its mm; may sleep, takes slots_sem
 * @gpa: any address
 * @buf: kernel buffer
 * @len: bytes; may cross pages and slots
 *
 * Return: 0; -ENOENT if a byte has no slot, -EFAULT if its memory is not mapped;
 * then the contents of @buf are undefined.
 */
int tdm_read_gpa(struct tdm_vm *vm, u64 gpa, void *buf, size_t len)
{
	void __user *at;
	int r = 0;
	size_t n;

	down_read(&vm->slots_sem);
	while (len) {
		if (!piece_at(vm, gpa, len, &at, &n)) {
			r = -ENOENT;
			break;
		}
		if (copy_from_user(buf, at, n)) {
			r = -EFAULT;
			break;
		}
		gpa += n;
		buf += n;
		len -= n;
	}
	up_read(&vm->slots_sem);
	return r;
}

static void mark_range(struct tdm_memslot *slot, u64 gpa, size_t len)
{
	u64 gfn;

	if (!slot->dirty)
		return;
	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
		tdm_mark_dirty(slot, gfn);
}

/**
 * tdm_slot_wrote() - bytes of a slot were written on a vCPU's behalf
 * @vm: the VM, slots_sem held for reading
 * @slot: the slot
 * @gpa: where, all of it in @slot
 * @len: bytes, at least 1
 *
 * Everything that has to know of guest writes is told from here.
 */
void tdm_slot_wrote(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa, size_t len)
{
	mark_range(slot, gpa, len);
	tdm_mmu_guest_wrote(vm, slot, gpa, len);
}

/**
 * tdm_write_gpa() - write guest-physical memory and log it as dirty
 * @vm: the VM; current->mm is its mm; may sleep, takes slots_sem
 * @gpa: any address
 * @buf: kernel buffer
 * @len: bytes; may cross pages and slots
 *
 * Return: 0; -ENOENT if a byte has no slot, -EFAULT if its memory is not mapped
 * for writing, -EROFS if the slot is read-only; bytes before it are written.
 */
int tdm_write_gpa(struct tdm_vm *vm, u64 gpa, const void *buf, size_t len)
{
	struct tdm_memslot *slot;
	void __user *at;
	size_t n, left;
	int r = 0;

	down_read(&vm->slots_sem);
	while (len) {
		slot = piece_at(vm, gpa, len, &at, &n);
		if (!slot) {
			r = -ENOENT;
			break;
		}
		if (slot->flags & KVM_MEM_READONLY) {
			r = -EROFS;
			break;
		}
		left = copy_to_user(at, buf, n);
		if (left < n)
			tdm_slot_wrote(vm, slot, gpa, n - left);
		if (left) {
			r = -EFAULT;
			break;
		}
		gpa += n;
		buf += n;
		len -= n;
	}
	up_read(&vm->slots_sem);
	return r;
}

#define CMPXCHG_USER(type, at, old, new)					\
({										\
	int __r = 0;								\
										\
	unsafe_try_cmpxchg_user((type __user *)(at), (type *)(old),		\
				*(const type *)(new), efault) ||		\
		(__r = -EAGAIN);						\
	__r;									\
})

/* LOCK CMPXCHG16B on user memory, within user_access_begin(). */
static __always_inline int cmpxchg16_user(void __user *at, u64 *old, const u64 *new)
{
	bool done;
	int err = 0;

	asm volatile("1: lock cmpxchg16b %[mem]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[err])
		     : [mem] "+m" (*(u8 (__force *)[16])at), "+a" (old[0]),
		       "+d" (old[1]), "=@ccz" (done), [err] "+r" (err)
		     : "b" (new[0]), "c" (new[1])
		     : "memory");
	if (err)
		return err;
	return done ? 0 : -EAGAIN;
}

static int cmpxchg_user(void __user *at, void *old, const void *new, size_t len)
{
	int r;

	if (!user_access_begin(at, len))
		return -EFAULT;
	switch (len) {
	case 1:
		r = CMPXCHG_USER(u8, at, old, new);
		break;
	case 2:
		r = CMPXCHG_USER(u16, at, old, new);
		break;
	case 4:
		r = CMPXCHG_USER(u32, at, old, new);
		break;
	case 8:
		r = CMPXCHG_USER(u64, at, old, new);
		break;
	default:
		r = cmpxchg16_user(at, old, new);
		break;
	}
	user_access_end();
	return r;

efault:
	user_access_end();
	return -EFAULT;
}

/*
 * A locked access across cache lines would stop the machine's buses, and kill
 * the host kernel where split-lock detection is on. So it is not atomic to other
 * processors; only guests that ask for trouble do it.
 */
static int cmpxchg_split(void __user *at, void *old, const void *new, size_t len)
{
	u8 now[16];

	if (copy_from_user(now, at, len))
		return -EFAULT;
	if (memcmp(now, old, len)) {
		memcpy(old, now, len);
		return -EAGAIN;
	}
	return copy_to_user(at, new, len) ? -EFAULT : 0;
}

static bool cmpxchg_len_ok(u64 gpa, size_t len)
{
	if (!len || len > 16 || (len & (len - 1)))
		return false;
	if (len == 16 && ((gpa & 15) || !boot_cpu_has(X86_FEATURE_CX16)))
		return false;
	return offset_in_page(gpa) + len <= PAGE_SIZE;
}

/**
 * tdm_slot_cmpxchg() - tdm_cmpxchg_gpa() where the slot is known
 * @vm: the VM, slots_sem held for reading
 * @slot: the slot that backs @gpa
 * @gpa: address
 * @old: what is expected; on -EAGAIN what was found
 * @new: what to store
 * @len: 1, 2, 4, 8 or 16
 *
 * Return: as tdm_cmpxchg_gpa().
 */
int tdm_slot_cmpxchg(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gpa,
		     void *old, const void *new, size_t len)
{
	void __user *at = (void __user *)(tdm_slot_hva(slot, gpa >> PAGE_SHIFT) +
					  offset_in_page(gpa));
	int r;

	if (!cmpxchg_len_ok(gpa, len))
		return -EINVAL;
	if (slot->flags & KVM_MEM_READONLY)
		return -EROFS;
	if (gpa % CACHE_LINE + len > CACHE_LINE)
		r = cmpxchg_split(at, old, new, len);
	else
		r = cmpxchg_user(at, old, new, len);
	if (!r)
		tdm_slot_wrote(vm, slot, gpa, len);
	return r;
}

/**
 * tdm_cmpxchg_gpa() - atomic compare and exchange in guest-physical memory
 * @vm: the VM; current->mm is its mm; may sleep, takes slots_sem
 * @gpa: address; @len bytes from it are in one page; 16 bytes are aligned
 * @old: what is expected; on -EAGAIN what was found
 * @new: what to store
 * @len: 1, 2, 4, 8 or 16
 *
 * Atomic to vCPUs and the caller's threads, but for operands that cross a cache
 * line. Marks the page dirty.
 *
 * Return: 0: stored; -EAGAIN: not as expected; -ENOENT: no slot; -EFAULT: not
 * mapped for writing; -EROFS: read-only slot; -EINVAL: bad length or alignment.
 */
int tdm_cmpxchg_gpa(struct tdm_vm *vm, u64 gpa, void *old, const void *new, size_t len)
{
	struct tdm_memslot *slot;
	int r = -ENOENT;

	down_read(&vm->slots_sem);
	slot = tdm_memslot_find(vm, gpa >> PAGE_SHIFT);
	if (slot)
		r = tdm_slot_cmpxchg(vm, slot, gpa, old, new, len);
	up_read(&vm->slots_sem);
	return r;
}

/**
 * tdm_gpa_is_ram() - does a memslot back an address?
 * @vm: the VM; takes slots_sem
 * @gpa: any address
 * @write: and may it be written?
 *
 * Return: true if so.
 */
bool tdm_gpa_is_ram(struct tdm_vm *vm, u64 gpa, bool write)
{
	struct tdm_memslot *slot;
	bool ram;

	down_read(&vm->slots_sem);
	slot = tdm_memslot_find(vm, gpa >> PAGE_SHIFT);
	ram = slot && !(write && (slot->flags & KVM_MEM_READONLY));
	up_read(&vm->slots_sem);
	return ram;
}
