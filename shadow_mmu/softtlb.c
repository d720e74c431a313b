// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB: a hit costs a few dozen instructions where a walk with its
 * memslot lookups costs hundreds. Here is what happens when there is no hit; the
 * accesses themselves are inline in softtlb.h.
 */
#include "arch/x86/fpu.h"
#include "shadow_mmu/internal.h"
#include "shadow_mmu/softtlb.h"

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

static_assert(TDM_WALK_MAX_LEVELS == 4);

/* slots_sem held: the path of a walk, as it is after it. false: not to be kept. */
static bool note_path(struct tdm_vm *vm, struct tdm_softtlb_entry *e,
		      const struct tdm_walk *walk, bool write, bool wide)
{
	int i;

	for (i = 0; i < TDM_WALK_MAX_LEVELS && walk->nr; i++) {
		int from = i < walk->nr ? i : 0;
		u64 gpa = walk->entry_gpa[from];
		struct tdm_memslot *slot = tdm_memslot_find(vm, gpa >> PAGE_SHIFT);

		if (!slot)
			return false;
		e->pte_hva[i] = tdm_slot_hva(slot, gpa >> PAGE_SHIFT) +
				offset_in_page(gpa);
		e->pte[i] = walk->entry[from] | _PAGE_ACCESSED;
		if (write && from == walk->nr - 1)
			e->pte[i] |= _PAGE_DIRTY;
	}
	e->path = !walk->nr ? TDM_SOFTTLB_FLAT :
		  wide ? TDM_SOFTTLB_WIDE : TDM_SOFTTLB_NARROW;
	return true;
}

static bool same_path(const struct tdm_softtlb_entry *a, const struct tdm_softtlb_entry *b)
{
	return a->page == b->page && a->gen == b->gen && a->gpa == b->gpa &&
	       a->hva == b->hva && a->path == b->path &&
	       !memcmp(a->pte_hva, b->pte_hva, sizeof(a->pte_hva)) &&
	       !memcmp(a->pte, b->pte, sizeof(a->pte));
}

/* Keep what a walk has found. */
static void fill(struct tdm_softtlb *tlb, struct tdm_vcpu *vcpu, u64 gva, u32 access,
		 const struct tdm_walk *walk)
{
	bool write = access & TDM_ACCESS_WRITE, fetch = access & TDM_ACCESS_FETCH;
	struct tdm_softtlb_entry *e = tdm_softtlb_entry(tlb, gva >> PAGE_SHIFT, fetch);
	struct tdm_softtlb_entry new = {
		.page = gva >> PAGE_SHIFT,
		.gen = tlb->gen,
		.gpa = walk->gpa & PAGE_MASK,
	};
	unsigned int who = TDM_SOFTTLB_SUPERVISOR;
	struct tdm_vm *vm = vcpu->vm;

	if (!(access & TDM_WALK_IMPLICIT))
		who = tdm_softtlb_who(vcpu, access & TDM_ACCESS_USER);
	down_read(&vm->slots_sem);
	if (vm->slots_generation != tlb->slots_generation ||
	    !note_path(vm, &new, walk, write, tlb->cr4 & X86_CR4_PAE))
		goto unlock;
	new.slot = tdm_memslot_find(vm, new.gpa >> PAGE_SHIFT);
	if (new.slot)
		new.hva = tdm_slot_hva(new.slot, new.gpa >> PAGE_SHIFT);
	/* Such a write is for a device: the MMU has to say so each time. */
	if (new.slot && write && (new.slot->flags & KVM_MEM_READONLY))
		goto unlock;
	new.ok = fetch ? TDM_SOFTTLB_FETCH(who) :
		 write ? TDM_SOFTTLB_WRITE(who) : TDM_SOFTTLB_READ(who);
	/* Who may write may read. */
	if (write)
		new.ok |= TDM_SOFTTLB_READ(who);
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
