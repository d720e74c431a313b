// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB: a hit costs a few dozen instructions where a walk with its
 * memslot lookups costs hundreds.
 *
 * Reads take no lock: they look at slots_generation before and after, and what
 * was read with an old one is not used. Writes hold slots_sem, so that a slot
 * cannot go under them. Anything out of the ordinary (no entry, a table entry
 * that changed, memory the host has to bring in) is -EAGAIN: the caller then
 * walks, and uses tdm_read_gpa() and friends.
 *
 * Beware: between user_access_begin() and user_access_end() no function may be
 * called.
 */
#include <linux/uaccess.h>

#include "arch/x86/fpu.h"
#include "shadow_mmu/internal.h"
#include "shadow_mmu/softtlb.h"

/* Bits of struct tdm_softtlb_entry.ok: read, write or fetch, and by whom. */
#define CLASS_READ	0
#define CLASS_WRITE	1
#define CLASS_FETCH	2
#define ALLOWS(kind, who) (1u << ((kind) * 3 + (who)))

/* Who: a user, a supervisor, a supervisor with EFLAGS.AC set (which lifts SMAP). */
static __always_inline unsigned int who(const struct tdm_vcpu *vcpu, u32 access)
{
	if (access & TDM_WALK_IMPLICIT)
		return 1;
	if (access & TDM_ACCESS_USER)
		return 0;
	return vcpu->regs.rflags & X86_EFLAGS_AC ? 2 : 1;
}

static __always_inline struct tdm_softtlb_entry *entry_of(struct tdm_softtlb *tlb,
							  u64 page, bool fetch)
{
	if (fetch)
		return &tlb->entry[TDM_SOFTTLB_DATA + page % TDM_SOFTTLB_CODE];
	return &tlb->entry[(page ^ page >> 4) % TDM_SOFTTLB_DATA];
}

static __always_inline struct tdm_softtlb_entry *
lookup(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva, u32 access,
       unsigned int kind)
{
	u64 page = gva >> PAGE_SHIFT;
	struct tdm_softtlb_entry *e = entry_of(tlb, page, kind == CLASS_FETCH);

	if (unlikely(e->page != page || e->gen != tlb->gen ||
		     !(e->ok & ALLOWS(kind, who(vcpu, access)))))
		return NULL;
	return e;
}

/*
 * Are the guest's table entries still what they were? The value is 0 if so.
 * Within user_access_begin(), whose range need not be theirs: memslots are
 * checked to be user memory when they are made.
 */
#define PATH_CHANGED(e, efault)							\
({										\
	u64 __diff = 0, __v;							\
	unsigned int __i;							\
	u32 __v32;								\
										\
	for (__i = 0; __i < (e)->nr; __i++) {					\
		if (likely((e)->wide)) {					\
			unsafe_get_user(__v, (u64 __user *)(e)->pte_hva[__i], efault); \
		} else {							\
			unsafe_get_user(__v32, (u32 __user *)(e)->pte_hva[__i], efault); \
			__v = __v32;						\
		}								\
		__diff |= __v ^ (e)->pte[__i];					\
	}									\
	__diff;									\
})

static __always_inline void __user *at_of(const struct tdm_softtlb_entry *e, u64 gva)
{
	return (void __user *)(e->hva + offset_in_page(gva));
}

/* Is the entry still true? For what is not done in one go with the check. */
static bool still_true(const struct tdm_softtlb_entry *e)
{
	u64 diff;

	if (!e->nr)
		return true;
	if (!user_access_begin((void __user *)e->pte_hva[0], 8))
		return false;
	diff = PATH_CHANGED(e, efault);
	user_access_end();
	return !diff;

efault:
	user_access_end();
	return false;
}

static bool slots_moved(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu)
{
	/* What was read before must have been read by now. */
	smp_rmb();
	return READ_ONCE(vcpu->vm->slots_generation) != tlb->slots_generation;
}

static __always_inline unsigned int kind_of(u32 access)
{
	if (access & TDM_ACCESS_FETCH)
		return CLASS_FETCH;
	return access & TDM_ACCESS_WRITE ? CLASS_WRITE : CLASS_READ;
}

/**
 * tdm_softtlb_probe() - would an access succeed?
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep
 * @gva: linear address
 * @access: as for tdm_gva_to_gpa()
 * @gpa: set unless -EAGAIN is returned
 *
 * Return: 0; -ENOENT: allowed, but there is no memslot; -EAGAIN: not known here.
 */
int tdm_softtlb_probe(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		      u32 access, u64 *gpa)
{
	struct tdm_softtlb_entry *e = lookup(tlb, vcpu, gva, access, kind_of(access));

	if (!e || !still_true(e) || slots_moved(tlb, vcpu))
		return -EAGAIN;
	*gpa = e->gpa | offset_in_page(gva);
	return e->hva ? 0 : -ENOENT;
}

/* Lengths that one or two plain loads do not do. */
static noinline int read_long(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu,
			      struct tdm_softtlb_entry *e, u64 gva, void *buf,
			      unsigned int len)
{
	if (!still_true(e) || copy_from_user(buf, at_of(e, gva), len) ||
	    slots_moved(tlb, vcpu))
		return -EAGAIN;
	return 0;
}

/**
 * tdm_softtlb_read() - read guest-linear memory
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep
 * @gva: linear address
 * @access: as for tdm_gva_to_gpa()
 * @buf: kernel buffer
 * @len: bytes, all in one page
 * @gpa: set unless -EAGAIN is returned
 *
 * Return: 0; -ENOENT: allowed, but there is no memslot; -EAGAIN: not known here.
 */
int tdm_softtlb_read(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		     u32 access, void *buf, unsigned int len, u64 *gpa)
{
	struct tdm_softtlb_entry *e = lookup(tlb, vcpu, gva, access, kind_of(access));
	u64 *p = buf;
	void __user *at;
	u64 diff;

	if (!e)
		return -EAGAIN;
	*gpa = e->gpa | offset_in_page(gva);
	if (unlikely(!e->hva))
		return still_true(e) && !slots_moved(tlb, vcpu) ? -ENOENT : -EAGAIN;
	at = at_of(e, gva);
	if (unlikely(!user_access_begin(at, len)))
		return -EAGAIN;
	diff = PATH_CHANGED(e, efault);
	switch (len) {
	case 1:
		unsafe_get_user(*(u8 *)buf, (u8 __user *)at, efault);
		break;
	case 2:
		unsafe_get_user(*(u16 *)buf, (u16 __user *)at, efault);
		break;
	case 4:
		unsafe_get_user(*(u32 *)buf, (u32 __user *)at, efault);
		break;
	case 8:
		unsafe_get_user(*p, (u64 __user *)at, efault);
		break;
	case 9 ... 16:
		/* The second load may repeat bytes of the first. */
		unsafe_get_user(*p, (u64 __user *)at, efault);
		unsafe_get_user(*(u64 *)(buf + len - 8), (u64 __user *)(at + len - 8),
				efault);
		break;
	default:
		user_access_end();
		return diff ? -EAGAIN : read_long(tlb, vcpu, e, gva, buf, len);
	}
	user_access_end();
	if (unlikely(diff || slots_moved(tlb, vcpu)))
		return -EAGAIN;
	tlb->hits++;
	return 0;

efault:
	user_access_end();
	return -EAGAIN;
}

/* slots_sem held. */
static __always_inline int write_locked(struct tdm_softtlb_entry *e, u64 gva,
					const void *buf, unsigned int len)
{
	void __user *at = at_of(e, gva);

	if (unlikely(!user_access_begin(at, len)))
		return -EAGAIN;
	if (unlikely(PATH_CHANGED(e, efault)))
		goto efault;
	switch (len) {
	case 1:
		unsafe_put_user(*(u8 *)buf, (u8 __user *)at, efault);
		break;
	case 2:
		unsafe_put_user(*(u16 *)buf, (u16 __user *)at, efault);
		break;
	case 4:
		unsafe_put_user(*(u32 *)buf, (u32 __user *)at, efault);
		break;
	case 8:
		unsafe_put_user(*(u64 *)buf, (u64 __user *)at, efault);
		break;
	default:
		goto efault;
	}
	user_access_end();
	return 0;

efault:
	user_access_end();
	return -EAGAIN;
}

/**
 * tdm_softtlb_write() - write guest-linear memory
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @gva: linear address
 * @access: as for tdm_gva_to_gpa(), with TDM_ACCESS_WRITE
 * @buf: what to write
 * @len: bytes, all in one page; other than 1, 2, 4 and 8 are left to the caller
 * @gpa: set unless -EAGAIN is returned
 *
 * Return: 0: written, logged as dirty, traces told; -ENOENT: allowed, but there
 * is no memslot; -EAGAIN: not known here, nothing is written.
 */
int tdm_softtlb_write(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		      u32 access, const void *buf, unsigned int len, u64 *gpa)
{
	struct tdm_softtlb_entry *e = lookup(tlb, vcpu, gva, access, CLASS_WRITE);
	struct tdm_vm *vm = vcpu->vm;
	int r = -EAGAIN;

	if (!e)
		return r;
	*gpa = e->gpa | offset_in_page(gva);
	if (unlikely(!e->hva))
		return still_true(e) && !slots_moved(tlb, vcpu) ? -ENOENT : -EAGAIN;
	down_read(&vm->slots_sem);
	if (likely(vm->slots_generation == tlb->slots_generation)) {
		r = write_locked(e, gva, buf, len);
		if (likely(!r))
			tdm_slot_wrote(vm, e->slot, *gpa, len);
	}
	up_read(&vm->slots_sem);
	tlb->hits += !r;
	return r;
}

/**
 * tdm_softtlb_cmpxchg() - atomic compare and exchange in guest-linear memory
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @gva: linear address
 * @access: as for tdm_gva_to_gpa(), with TDM_ACCESS_WRITE
 * @old: what is expected; with -ESTALE what was found
 * @new: what to store
 * @len: 1, 2, 4, 8 or 16 bytes, all in one page; 16 bytes are aligned
 * @gpa: set unless -EAGAIN is returned
 *
 * Return: as tdm_softtlb_write(), and -ESTALE: it was not @old.
 */
int tdm_softtlb_cmpxchg(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
			u32 access, void *old, const void *new, unsigned int len,
			u64 *gpa)
{
	struct tdm_softtlb_entry *e = lookup(tlb, vcpu, gva, access, CLASS_WRITE);
	struct tdm_vm *vm = vcpu->vm;
	int r = -EINVAL;

	if (!e)
		return -EAGAIN;
	*gpa = e->gpa | offset_in_page(gva);
	if (unlikely(!e->hva))
		return still_true(e) && !slots_moved(tlb, vcpu) ? -ENOENT : -EAGAIN;
	down_read(&vm->slots_sem);
	if (likely(vm->slots_generation == tlb->slots_generation && still_true(e)))
		r = tdm_slot_cmpxchg(vm, e->slot, *gpa, old, new, len);
	up_read(&vm->slots_sem);
	if (r && r != -EAGAIN)
		return -EAGAIN;
	tlb->hits++;
	return r ? -ESTALE : 0;
}

static void forget(struct tdm_softtlb *tlb)
{
	/* So that 0 is never a valid generation, not even after a wrap. */
	if (!++tlb->gen) {
		memset(tlb->entry, 0, sizeof(tlb->entry));
		tlb->gen = 1;
	}
}

/** tdm_softtlb_init() - nothing is known; @tlb is zeroed */
void tdm_softtlb_init(struct tdm_softtlb *tlb)
{
	tlb->gen = 1;
}

static bool pae_paging(const struct tdm_state *st)
{
	return (st->cr4 & X86_CR4_PAE) && !(st->efer & EFER_LMA);
}

/**
 * tdm_softtlb_changed() - the slow half of tdm_softtlb_sync()
 * @tlb: the vCPU's
 * @vcpu: loaded vCPU, TDM_ST_CR valid
 */
void tdm_softtlb_changed(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;
	u32 pkru = st->cr4 & X86_CR4_PKE ? tdm_fpu_pkru(vcpu) : 0;
	u32 generation = READ_ONCE(vcpu->vm->slots_generation);

	if (tlb->cr0 == st->cr0 && tlb->cr3 == st->cr3 && tlb->cr4 == st->cr4 &&
	    tlb->efer == st->efer && tlb->slots_generation == generation &&
	    tlb->pkru == pkru &&
	    (!pae_paging(st) || !memcmp(tlb->pdptr, st->pdptr, sizeof(tlb->pdptr))))
		return;
	tlb->cr0 = st->cr0;
	tlb->cr3 = st->cr3;
	tlb->cr4 = st->cr4;
	tlb->efer = st->efer;
	tlb->pkru = pkru;
	memcpy(tlb->pdptr, st->pdptr, sizeof(tlb->pdptr));
	tlb->slots_generation = generation;
	forget(tlb);
}

/* slots_sem held: the path of a walk, as it is after it. false: not to be kept. */
static bool note_path(struct tdm_vm *vm, struct tdm_softtlb_entry *e,
		      const struct tdm_walk *walk, bool write)
{
	int i;

	for (i = 0; i < walk->nr; i++) {
		u64 gpa = walk->entry_gpa[i];
		struct tdm_memslot *slot = tdm_memslot_find(vm, gpa >> PAGE_SHIFT);

		if (!slot)
			return false;
		e->pte_hva[i] = tdm_slot_hva(slot, gpa >> PAGE_SHIFT) +
				offset_in_page(gpa);
		e->pte[i] = walk->entry[i] | _PAGE_ACCESSED;
	}
	if (write && walk->nr)
		e->pte[walk->nr - 1] |= _PAGE_DIRTY;
	e->nr = walk->nr;
	return true;
}

static bool same_path(const struct tdm_softtlb_entry *a, const struct tdm_softtlb_entry *b)
{
	int i;

	if (a->page != b->page || a->gen != b->gen || a->gpa != b->gpa ||
	    a->hva != b->hva || a->nr != b->nr)
		return false;
	for (i = 0; i < a->nr; i++)
		if (a->pte_hva[i] != b->pte_hva[i] || a->pte[i] != b->pte[i])
			return false;
	return true;
}

/* Keep what a walk has found. */
static void fill(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva, u32 access,
		 const struct tdm_walk *walk)
{
	bool write = access & TDM_ACCESS_WRITE, fetch = access & TDM_ACCESS_FETCH;
	struct tdm_softtlb_entry *e = entry_of(tlb, gva >> PAGE_SHIFT, fetch);
	struct tdm_softtlb_entry new = {
		.page = gva >> PAGE_SHIFT,
		.gen = tlb->gen,
		.wide = tlb->cr4 & X86_CR4_PAE,
		.gpa = walk->gpa & PAGE_MASK,
	};
	unsigned int w = who(vcpu, access);
	struct tdm_vm *vm = vcpu->vm;

	down_read(&vm->slots_sem);
	if (vm->slots_generation != tlb->slots_generation ||
	    !note_path(vm, &new, walk, write))
		goto unlock;
	new.slot = tdm_memslot_find(vm, new.gpa >> PAGE_SHIFT);
	if (new.slot)
		new.hva = tdm_slot_hva(new.slot, new.gpa >> PAGE_SHIFT);
	/* Such a write is for a device: the MMU has to say so each time. */
	if (new.slot && write && (new.slot->flags & KVM_MEM_READONLY))
		goto unlock;
	new.ok = ALLOWS(fetch ? CLASS_FETCH : write ? CLASS_WRITE : CLASS_READ, w);
	/* Who may write may read. */
	if (write)
		new.ok |= ALLOWS(CLASS_READ, w);
	if (same_path(e, &new))
		new.ok |= e->ok;
	*e = new;
	tlb->fills++;
unlock:
	up_read(&vm->slots_sem);
}

/**
 * tdm_softtlb_walk() - tdm_gva_to_gpa(), whose result is kept
 * @tlb: the vCPU's, in sync
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @gva: canonical linear address
 * @access: TDM_ACCESS_*, TDM_WALK_IMPLICIT
 * @gpa: result
 * @pf: filled on -EFAULT
 *
 * Return: as tdm_gva_to_gpa().
 */
int tdm_softtlb_walk(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		     u32 access, u64 *gpa, struct tdm_page_fault *pf)
{
	struct tdm_walk walk;
	int r = tdm_gva_walk(vcpu, gva, access, &walk);

	*gpa = walk.gpa;
	*pf = walk.fault;
	if (!r)
		fill(tlb, vcpu, gva, access, &walk);
	return r;
}
