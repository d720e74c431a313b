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
 * Owned by the vCPU's thread; current->mm is the VM's.
 */
#ifndef TDM_SOFTTLB_H
#define TDM_SOFTTLB_H

#include "shadow_mmu/mmu.h"

#define TDM_SOFTTLB_DATA	16u	/* pages of data, powers of two */
#define TDM_SOFTTLB_CODE	4u

/**
 * struct tdm_softtlb_entry - one page
 * @page: linear address, in pages
 * @gen: struct tdm_softtlb.gen when made; else it is void
 * @ok: kinds of access found allowed, see softtlb.c
 * @nr: entries of the guest's tables that were used
 * @wide: they have 8 bytes, not 4
 * @gpa: guest-physical address of the page
 * @hva: where the caller has it; 0: no memslot, a device
 * @slot: its memslot; valid with slots_sem held and slots_generation unchanged
 * @pte_hva: where the entries are
 * @pte: and what they were, with the accessed and dirty bits the access set
 */
struct tdm_softtlb_entry {
	u64 page;
	u32 gen;
	u16 ok;
	u8 nr;
	bool wide;
	u64 gpa;
	unsigned long hva;
	struct tdm_memslot *slot;
	unsigned long pte_hva[TDM_WALK_MAX_LEVELS];
	u64 pte[TDM_WALK_MAX_LEVELS];
};

/**
 * struct tdm_softtlb - of one vCPU
 * @gen: of the valid entries; never 0
 * @slots_generation: vm->slots_generation they were made with
 * @cr0: registers they were made with, and so on
 * @hits: accesses answered, for tests and debugfs
 * @fills: entries made
 */
struct tdm_softtlb {
	u32 gen;
	u32 slots_generation;
	u64 cr0, cr3, cr4, efer;
	u64 pdptr[4];
	u32 pkru;
	u64 hits;
	u64 fills;
	struct tdm_softtlb_entry entry[TDM_SOFTTLB_DATA + TDM_SOFTTLB_CODE];
};

void tdm_softtlb_init(struct tdm_softtlb *tlb);
void tdm_softtlb_changed(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu);
int tdm_softtlb_walk(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		     u32 access, u64 *gpa, struct tdm_page_fault *pf);
int tdm_softtlb_probe(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		      u32 access, u64 *gpa);
int tdm_softtlb_read(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		     u32 access, void *buf, unsigned int len, u64 *gpa);
int tdm_softtlb_write(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
		      u32 access, const void *buf, unsigned int len, u64 *gpa);
int tdm_softtlb_cmpxchg(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva,
			u32 access, void *old, const void *new, unsigned int len,
			u64 *gpa);

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

#endif /* TDM_SOFTTLB_H */
