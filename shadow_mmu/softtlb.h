/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A software TLB for accesses the core makes on behalf of a vCPU: remembers how
 * guest-linear pages were translated, and where the caller has their memory.
 *
 * It is exact, not only legal: before each use the paging-structure entries the
 * translation came from are read again and compared, and the registers it
 * depends on are compared by tdm_softtlb_sync(). So nobody has to flush it, and
 * what the guest's processor does to its own TLB does not matter.
 *
 * Reads take no lock: they look at slots_generation before and after, and what
 * was read with an old one is not used. Writes hold slots_sem, so that a slot
 * cannot go under them. Anything out of the ordinary (no entry, a table entry
 * that changed, memory the host has to bring in) is -EAGAIN: the caller then
 * walks, and uses tdm_read_gpa() and friends.
 *
 * Owned by the vCPU's thread; current->mm is the VM's. Beware: between
 * user_access_begin() and user_access_end() no function may be called.
 */
#ifndef TDM_SOFTTLB_H
#define TDM_SOFTTLB_H

#include <linux/mm.h>
#include <linux/uaccess.h>

#include "shadow_mmu/mmu.h"

#define TDM_SOFTTLB_DATA	16u	/* pages of data, powers of two */
#define TDM_SOFTTLB_CODE	4u

/**
 * enum tdm_softtlb_path - how the guest's tables led to a page
 * @TDM_SOFTTLB_FLAT: not at all: paging is off
 * @TDM_SOFTTLB_WIDE: by up to four entries of 8 bytes
 * @TDM_SOFTTLB_NARROW: by up to two entries of 4 bytes
 */
enum tdm_softtlb_path { TDM_SOFTTLB_FLAT, TDM_SOFTTLB_WIDE, TDM_SOFTTLB_NARROW };

/**
 * struct tdm_softtlb_entry - one page
 * @page: linear address, in pages
 * @gen: struct tdm_softtlb.gen when made; else it is void
 * @ok: kinds of access found allowed, TDM_SOFTTLB_READ() and so on
 * @path: enum tdm_softtlb_path
 * @gpa: guest-physical address of the page
 * @hva: where the caller has it; 0: no memslot, a device
 * @slot: its memslot; valid with slots_sem held and slots_generation unchanged
 * @pte_hva: where the entries of the guest's tables are that were used, the leaf
 *	last; where there are fewer than four (two), the first is there again
 * @pte: and what they were, with the accessed and dirty bits the access set
 * @pad: makes the size a power of two
 */
struct tdm_softtlb_entry {
	u64 page;
	u32 gen;
	u16 ok;
	u8 path;
	u64 gpa;
	unsigned long hva;
	struct tdm_memslot *slot;
	unsigned long pte_hva[TDM_WALK_MAX_LEVELS];
	u64 pte[TDM_WALK_MAX_LEVELS];
	u64 pad[3];
};

static_assert(sizeof(struct tdm_softtlb_entry) == 128);

/**
 * struct tdm_softtlb - of one vCPU
 * @gen: of the valid entries; never 0
 * @slots_generation: vm->slots_generation they were made with
 * @cr0: registers they were made with, and so on
 * @fills: entries made
 */
struct tdm_softtlb {
	u32 gen;
	u32 slots_generation;
	u64 cr0, cr3, cr4, efer;
	u64 pdptr[4];
	u32 pkru;
	u64 fills;
	struct tdm_softtlb_entry entry[TDM_SOFTTLB_DATA + TDM_SOFTTLB_CODE];
};

void tdm_softtlb_init(struct tdm_softtlb *tlb);
void tdm_softtlb_changed(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu);
int tdm_softtlb_walk(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		     u32 access, u64 *gpa, struct tdm_page_fault *pf);
/**
 * tdm_softtlb_sync() - before the accesses of an instruction
 * @tlb: the vCPU's
 * @vcpu: loaded vCPU, TDM_ST_CR valid
 *
 * Forgets all if memslots or a register that translations depend on changed.
 */
static inline void tdm_softtlb_sync(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;

	/* PAE's directory pointers and the protection keys: compared out of line. */
	if (unlikely(((tlb->cr0 ^ st->cr0) | (tlb->cr3 ^ st->cr3) |
		      (tlb->cr4 ^ st->cr4) | (tlb->efer ^ st->efer)) ||
		     tlb->slots_generation != READ_ONCE(vcpu->vm->slots_generation) ||
		     (st->cr4 & X86_CR4_PKE) ||
		     ((st->cr4 & X86_CR4_PAE) && !(st->efer & EFER_LMA))))
		tdm_softtlb_changed(tlb, vcpu);
}

/* Who accesses: only with EFLAGS.AC may a supervisor touch user pages under SMAP. */
#define TDM_SOFTTLB_USER	0
#define TDM_SOFTTLB_SUPERVISOR	1	/* and implicit accesses */
#define TDM_SOFTTLB_SUPER_AC	2

/* Bits of struct tdm_softtlb_entry.ok. */
#define TDM_SOFTTLB_READ(who)	(1u << (who))
#define TDM_SOFTTLB_WRITE(who)	(8u << (who))
#define TDM_SOFTTLB_FETCH(who)	(64u << (who))

static __always_inline unsigned int tdm_softtlb_who(const struct tdm_vcpu *vcpu, bool user)
{
	if (user)
		return TDM_SOFTTLB_USER;
	return vcpu->regs.rflags & X86_EFLAGS_AC ? TDM_SOFTTLB_SUPER_AC :
						   TDM_SOFTTLB_SUPERVISOR;
}

/* Where an entry for a page is, if there is one. */
static __always_inline struct tdm_softtlb_entry *
tdm_softtlb_entry(struct tdm_softtlb *tlb, u64 page, bool code)
{
	if (code)
		return &tlb->entry[TDM_SOFTTLB_DATA + page % TDM_SOFTTLB_CODE];
	return &tlb->entry[(page ^ page >> 4) % TDM_SOFTTLB_DATA];
}

/* The entry for an address, or NULL if nothing says that the access is allowed. */
static __always_inline struct tdm_softtlb_entry *
tdm_softtlb_lookup(struct tdm_softtlb *tlb, u64 gva, unsigned int ok, bool code)
{
	u64 page = gva >> PAGE_SHIFT;
	struct tdm_softtlb_entry *e = tdm_softtlb_entry(tlb, page, code);

	if (unlikely(e->page != page || e->gen != tlb->gen || !(e->ok & ok)))
		return NULL;
	return e;
}

/*
 * Are the guest's table entries still what they were? The value is 0 if so.
 * Within user_access_begin(), whose range need not be theirs: memslots are
 * checked to be user memory when they are made. No loop for tables with entries
 * of 8 bytes: there is always a path of four, see struct tdm_softtlb_entry.
 */
#define TDM_SOFTTLB_PTE(e, i, type, efault)					\
({										\
	type __v;								\
										\
	unsafe_get_user(__v, (type __user *)(e)->pte_hva[i], efault);		\
	__v ^ (e)->pte[i];							\
})

#define TDM_SOFTTLB_CHANGED(e, efault)						\
({										\
	u64 __diff = 0;								\
										\
	if (likely((e)->path == TDM_SOFTTLB_WIDE))				\
		__diff = TDM_SOFTTLB_PTE(e, 0, u64, efault) |			\
			 TDM_SOFTTLB_PTE(e, 1, u64, efault) |			\
			 TDM_SOFTTLB_PTE(e, 2, u64, efault) |			\
			 TDM_SOFTTLB_PTE(e, 3, u64, efault);			\
	else if ((e)->path == TDM_SOFTTLB_NARROW)				\
		__diff = TDM_SOFTTLB_PTE(e, 0, u32, efault) |			\
			 TDM_SOFTTLB_PTE(e, 1, u32, efault);			\
	__diff;									\
})

static __always_inline void __user *tdm_softtlb_at(const struct tdm_softtlb_entry *e,
						   u64 gva)
{
	return (void __user *)(e->hva + offset_in_page(gva));
}

/* Have memslots changed since the entry was made? What was read before has been. */
static __always_inline bool tdm_softtlb_moved(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu)
{
	smp_rmb();
	return READ_ONCE(vcpu->vm->slots_generation) != tlb->slots_generation;
}

/* Is the entry still true? For what is not done in one go with the check. */
static __always_inline bool tdm_softtlb_true(const struct tdm_softtlb_entry *e)
{
	u64 diff;

	if (e->path == TDM_SOFTTLB_FLAT)
		return true;
	if (!user_access_begin((void __user *)e->pte_hva[0], 8))
		return false;
	diff = TDM_SOFTTLB_CHANGED(e, efault);
	user_access_end();
	return !diff;

efault:
	user_access_end();
	return false;
}

/**
 * tdm_softtlb_fetch() - read code
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep
 * @gva: linear address
 * @ok: TDM_SOFTTLB_FETCH()
 * @buf: kernel buffer for 16 bytes, which are read if they are in one page
 *
 * Return: 0; -EAGAIN: not known here.
 */
static __always_inline int tdm_softtlb_fetch(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu,
					     u64 gva, unsigned int ok, u64 *buf)
{
	struct tdm_softtlb_entry *e = tdm_softtlb_lookup(tlb, gva, ok, true);
	void __user *at;
	u64 diff;

	if (unlikely(!e || !e->hva || offset_in_page(gva) > PAGE_SIZE - 16))
		return -EAGAIN;
	at = tdm_softtlb_at(e, gva);
	if (unlikely(!user_access_begin(at, 16)))
		return -EAGAIN;
	diff = TDM_SOFTTLB_CHANGED(e, efault);
	unsafe_get_user(buf[0], (u64 __user *)at, efault);
	unsafe_get_user(buf[1], (u64 __user *)(at + 8), efault);
	user_access_end();
	return unlikely(diff || tdm_softtlb_moved(tlb, vcpu)) ? -EAGAIN : 0;

efault:
	user_access_end();
	return -EAGAIN;
}

/**
 * tdm_softtlb_read() - read guest-linear memory
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep
 * @gva: linear address
 * @ok: TDM_SOFTTLB_READ(), or TDM_SOFTTLB_WRITE() to be asked for both
 * @buf: kernel buffer
 * @len: bytes, all in one page; other than 1, 2, 4 and 8 are left to the caller
 * @gpa: set with 0 and -ENOENT
 *
 * Return: 0; -ENOENT: allowed, but there is no memslot; -EAGAIN: not known here.
 */
static __always_inline int tdm_softtlb_read(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu,
					    u64 gva, unsigned int ok, void *buf,
					    unsigned int len, u64 *gpa)
{
	struct tdm_softtlb_entry *e = tdm_softtlb_lookup(tlb, gva, ok, false);
	void __user *at;
	u64 diff;

	if (unlikely(!e))
		return -EAGAIN;
	*gpa = e->gpa | offset_in_page(gva);
	if (unlikely(!e->hva))
		return tdm_softtlb_true(e) && !tdm_softtlb_moved(tlb, vcpu) ?
		       -ENOENT : -EAGAIN;
	at = tdm_softtlb_at(e, gva);
	if (unlikely(!user_access_begin(at, 8)))
		return -EAGAIN;
	diff = TDM_SOFTTLB_CHANGED(e, efault);
	if (len == 8)
		unsafe_get_user(*(u64 *)buf, (u64 __user *)at, efault);
	else if (len == 4)
		unsafe_get_user(*(u32 *)buf, (u32 __user *)at, efault);
	else if (len == 2)
		unsafe_get_user(*(u16 *)buf, (u16 __user *)at, efault);
	else if (len == 1)
		unsafe_get_user(*(u8 *)buf, (u8 __user *)at, efault);
	else
		diff = 1;
	user_access_end();
	return unlikely(diff || tdm_softtlb_moved(tlb, vcpu)) ? -EAGAIN : 0;

efault:
	user_access_end();
	return -EAGAIN;
}

/*
 * Store, slots_sem held. 0, or -EAGAIN and nothing is written.
 */
static __always_inline int tdm_softtlb_store(struct tdm_softtlb_entry *e, u64 gva,
					     const void *buf, unsigned int len)
{
	void __user *at = tdm_softtlb_at(e, gva);

	if (unlikely(!user_access_begin(at, 8)))
		return -EAGAIN;
	if (unlikely(TDM_SOFTTLB_CHANGED(e, efault)))
		goto efault;
	if (len == 8)
		unsafe_put_user(*(u64 *)buf, (u64 __user *)at, efault);
	else if (len == 4)
		unsafe_put_user(*(u32 *)buf, (u32 __user *)at, efault);
	else if (len == 2)
		unsafe_put_user(*(u16 *)buf, (u16 __user *)at, efault);
	else if (len == 1)
		unsafe_put_user(*(u8 *)buf, (u8 __user *)at, efault);
	else
		goto efault;
	user_access_end();
	return 0;

efault:
	user_access_end();
	return -EAGAIN;
}

#endif /* TDM_SOFTTLB_H */
