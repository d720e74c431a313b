// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where translated code comes from. A translation cache that is looked up by
 * linear address depends on the guest's tables as a TLB does. The entries that
 * were on the way to code are marked in their shadow pages, and mmu.code_gen
 * changes when one of them says something else about a fetch: seen at a traced
 * write, at a comparison of an unsync table, at a fault that meets the new entry.
 *
 * A mark watches what the guest's entry said, not whether ours is filled in: what
 * the host takes away and gives back is no change. A shadow page that goes cannot
 * watch any more: that counts as a change, and so such pages are kept as long as
 * their memory is not taken for data.
 *
 * The root's own entries are not marked: address spaces come and go, and the
 * engine compares these (tdm_mmu_root_entry()). Marks do not depend on how the
 * tables are read: what could be fetched with EFER.NXE or CR0.WP set one way can
 * be fetched with it set the other. CR4.SMEP is the exception, and the engine's.
 *
 * All with mmu.lock held, but for tdm_mmu_code_page().
 */
#include <asm/processor-flags.h>

#include "shadow_mmu/shadow.h"

/* What a fetch by a supervisor depends on. */
#define FETCH_MASK	(TDM_GPT_P | TDM_GPT_U | TDM_GPT_LARGE | TDM_SPT_ADDR | TDM_GPT_NX)

static void new_generation(struct tdm_vm *vm)
{
	WRITE_ONCE(vm->mmu.code_gen, vm->mmu.code_gen + 1);
	tdm_vm_stat(vm, code_gens);
}

/**
 * tdm_code_changed() - a marked entry is another now
 * @vm: the VM
 * @sp: the shadow page
 * @i: a marked entry
 * @gpte: what the guest's says now; not sp->gpte[i]
 */
void tdm_code_changed(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte)
{
	u64 was = sp->gpte[i];

	/* The next fetch would have to set an accessed bit that was taken away. */
	if (!((gpte ^ was) & FETCH_MASK) && !(was & ~gpte & TDM_GPT_A)) {
		if (!test_bit(i, sp->filled))
			sp->gpte[i] = gpte;
		return;
	}
	__clear_bit(i, sp->code);
	sp->nr_code--;
	new_generation(vm);
}

/** tdm_code_gone() - a shadow page cannot watch its marked entries any more */
void tdm_code_gone(struct tdm_vm *vm, struct tdm_spage *sp)
{
	if (!sp->nr_code)
		return;
	bitmap_zero(sp->code, TDM_PT_ENTRIES);
	sp->nr_code = 0;
	new_generation(vm);
}

/** struct step - an entry on the way to code */
struct step {
	struct tdm_spage *sp;
	unsigned int i;
	u64 gpte;
};

/* What our entry was made from is what the guest's says, or there is none of ours. */
static void bring_up_to_date(struct tdm_vm *vm, const struct step *s)
{
	struct tdm_spage *sp = s->sp;

	if (sp->gpte[s->i] == s->gpte)
		return;
	if (test_bit(s->i, sp->filled))
		tdm_spte_refresh(vm, sp, s->i, s->gpte);
	tdm_code_note(vm, sp, s->i, s->gpte);
	if (!test_bit(s->i, sp->filled))
		sp->gpte[s->i] = s->gpte;
}

static bool in_use(struct tdm_vm *vm, const struct tdm_spage *sp)
{
	return sp->guest && (sp->unsync || sp->prot_gen <= vm->mmu.tlb_done);
}

/* The shadow page below an entry, NULL if there is none. */
static struct tdm_spage *below(const struct step *s)
{
	struct tdm_spage *child;

	if (!test_bit(s->i, s->sp->filled) || tdm_spte_leaf(s->sp->spt[s->i], s->sp->level))
		return NULL;
	child = tdm_spte_child(s->sp->spt[s->i]);
	return tdm_spage_direct(child) || child->gfn != tdm_gpte_gfn(s->sp, s->gpte, s->i) ?
	       NULL : child;
}

/*
 * Follow @gva to where the guest's tables end, all of them shadowed. The number
 * of steps; 0: something is missing, or the fetch is not allowed any more, or
 * leads elsewhere.
 */
static unsigned int follow(struct tdm_vcpu *vcpu, u64 gva, u64 gpa, struct step step[4])
{
	struct tdm_spage *sp = vcpu->mmu.root[0];
	u64 all = ~0ull, any = 0, pages;
	unsigned int n = 0;

	if (!sp || hlist_unhashed(&sp->hash) || tdm_spage_monitors(sp, gva))
		return 0;
	for (;; sp = below(&step[n++])) {
		struct step *s = &step[n];

		if (!sp || !in_use(vcpu->vm, sp))
			return 0;
		s->sp = sp;
		s->i = tdm_level_index(gva >> PAGE_SHIFT, sp->level);
		s->gpte = tdm_gpte_read(sp, s->i);
		if (!(s->gpte & TDM_GPT_P) || !(s->gpte & TDM_GPT_A) ||
		    tdm_gpte_bad(sp, s->gpte))
			return 0;
		bring_up_to_date(vcpu->vm, s);
		all &= s->gpte;
		any |= s->gpte;
		if (sp->level == TDM_LEVEL_4K || tdm_gpte_large(sp, s->gpte))
			break;
	}
	if ((any & TDM_GPT_NX) || ((all & TDM_GPT_U) && (vcpu->st.cr4 & X86_CR4_SMEP)))
		return 0;
	pages = tdm_level_pages(sp->level) - 1;
	if (tdm_gpte_gfn(sp, step[n].gpte, step[n].i) + (gva >> PAGE_SHIFT & pages) !=
	    gpa >> PAGE_SHIFT)
		return 0;
	return n + 1;
}

static bool mark(struct tdm_vcpu *vcpu, u64 gva, u64 gpa)
{
	struct tdm_vm *vm = vcpu->vm;
	unsigned int n, k;
	struct step step[4];

	spin_lock(&vm->mmu.lock);
	n = follow(vcpu, gva, gpa, step);
	for (k = 1; k < n; k++)
		if (!__test_and_set_bit(step[k].i, step[k].sp->code))
			step[k].sp->nr_code++;
	spin_unlock(&vm->mmu.lock);
	return n;
}

/* Have the tables on the way shadowed and marked. 0; -EAGAIN: try again. */
static int mark_path(struct tdm_vcpu *vcpu, u64 gva, u64 gpa)
{
	struct tdm_page_fault pf;
	bool old;
	int r = 0;

	spin_lock(&vcpu->vm->mmu.lock);
	old = tdm_root_is_old(vcpu);
	spin_unlock(&vcpu->vm->mmu.lock);
	if (old) {
		tdm_take_request(vcpu, TDM_REQ_MMU_ROOT);
		r = tdm_mmu_update_root(vcpu);
	}
	if (!r && !mark(vcpu, gva, gpa)) {
		r = tdm_shadow_make(vcpu, gva, TDM_PF_I, &pf);
		if (r >= 0)
			r = mark(vcpu, gva, gpa) ? 0 : -EAGAIN;
	}
	/* The engine has to hear of it all the same. */
	if (old)
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
	return r;
}

#define MAX_TRIES	8

/**
 * tdm_mmu_code_page() - where code is, and hear when it is elsewhere
 * @vcpu: loaded vCPU in long mode, shadow paging; no lock held, may sleep
 * @gva: canonical linear address
 * @gpa: result
 * @pf: filled on -EFAULT
 *
 * A fetch by CPL 0 as hardware would make it: with EFER.NXE, CR4.SMEP, accessed
 * bits. From then on mmu.code_gen changes whenever the entries on the way, below
 * the root's, may say something else about it. See mmu.h.
 *
 * Return: 0; -EOPNOTSUPP: not in long mode, or a table is in memory that the kernel has
 * no mapping of (memfd_secret); -ENOMEM; -EINTR; otherwise as
 * tdm_gva_to_gpa().
 */
int tdm_mmu_code_page(struct tdm_vcpu *vcpu, u64 gva, u64 *gpa, struct tdm_page_fault *pf)
{
	int tries, r;

	if (vcpu->vm->mmu_mode != TDM_MMU_MODE_SHADOW || !tdm_long_mode(vcpu) ||
	    !(vcpu->st.cr0 & X86_CR0_PG))
		return -EOPNOTSUPP;
	for (tries = 0; tries < MAX_TRIES; tries++) {
		r = tdm_gva_to_gpa(vcpu, gva, TDM_ACCESS_FETCH, gpa, pf);
		if (!r) {
			r = mark_path(vcpu, gva, *gpa);
			/* Not the guest's fault: a table in memory that cannot be watched. */
			if (r == -EFAULT)
				return -EOPNOTSUPP;
		}
		if (r != -EBUSY && r != -EAGAIN)
			return r;
	}
	return -EBUSY;
}
