// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults under shadow paging. One walk goes down the guest's tables and
 * the shadow pages side by side and ends in one of
 *
 *   true fault:   the guest's own tables forbid the access: it gets a #PF;
 *   hidden fault: only the shadow lacked the mapping: fill and resume;
 *   trace:        a write to a table: free it from the trace, or emulate;
 *   device:       no memslot there: emulate.
 *
 * With interrupts off the walk uses what is there and gives up (-EAGAIN) where
 * something has to be made first: a shadow page, accessed bits the kernel cannot
 * set in its own mapping, a page the host has to bring in. The slow path lets
 * the plain walker of arch/x86/paging.c set accessed and dirty bits and decide
 * about faults, then does the same walk with the right to make what is missing.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/fpu.h"
#include "shadow_mmu/shadow.h"

/**
 * struct sfault - a page fault on its way
 * @vcpu: who
 * @vm: its VM
 * @gva: where; below 4 GiB outside long mode
 * @error: TDM_PF_* as the processor told: W, U, I say what the access was
 * @slow: things may be made
 * @need_sync: out: every vCPU has to flush before a new shadow page can be used
 * @all: AND of the guest's entries on the path
 * @any: OR of them
 * @sw: a supervisor's write can be expressed by entries (see tdm_spte_rights())
 * @w: the path may be written
 * @u: and reached by user code
 * @x: and executed
 * @hva_write: @hva has to be brought in for writing
 * @hva: out with -ENXIO: what the host has to bring in
 * @generation: of the memslots @hva comes from
 */
struct sfault {
	struct tdm_vcpu *vcpu;
	struct tdm_vm *vm;
	u64 gva;
	u32 error;
	bool slow;
	bool need_sync;
	u64 all, any;
	bool sw;
	bool w, u, x;
	bool hva_write;
	unsigned long hva;
	u32 generation;
};

static bool wants_write(const struct sfault *f)
{
	return f->error & TDM_PF_W;
}

/* The access counts as a supervisor's: CPL below 3, or an implicit one. */
static bool by_user(const struct sfault *f)
{
	return f->error & TDM_PF_U;
}

/* ---- rights ---- */

static u32 true_error(const struct sfault *f, u32 present)
{
	const struct tdm_state *st = &f->vcpu->st;
	u32 error = (f->error & (TDM_PF_W | TDM_PF_U)) | present;

	if ((f->error & TDM_PF_I) &&
	    ((st->cr4 & X86_CR4_SMEP) || ((st->cr4 & X86_CR4_PAE) && (st->efer & EFER_NX))))
		error |= TDM_PF_I;
	return error;
}

/* SMAP: without EFLAGS.AC, or for an access the CPU makes by itself. */
static bool smap_forbids(const struct sfault *f)
{
	struct tdm_vcpu *vcpu = f->vcpu;

	if (!(vcpu->st.cr4 & X86_CR4_SMAP) || !f->u)
		return false;
	tdm_need(vcpu, TDM_ST_RFLAGS);
	return !(vcpu->regs.rflags & X86_EFLAGS_AC) || tdm_cpl(vcpu) == 3;
}

/* SDM vol. 3, 4.6.1 */
static bool forbidden(const struct sfault *f)
{
	const struct tdm_state *st = &f->vcpu->st;

	if ((f->error & TDM_PF_I) && !f->x)
		return true;
	if (by_user(f))
		return !f->u || (wants_write(f) && !f->w);
	if (f->error & TDM_PF_I)
		return f->u && (st->cr4 & X86_CR4_SMEP);
	if (smap_forbids(f))
		return true;
	return wants_write(f) && !f->w && (st->cr0 & X86_CR0_WP);
}

/*
 * A key that denies writes binds supervisors only if CR0.WP is set, which it
 * always is for the processor.
 */
static bool key_holds_back(const struct sfault *f, u64 gpte)
{
	const struct tdm_state *st = &f->vcpu->st;
	unsigned int key = (gpte & TDM_SPT_PKEY) >> TDM_SPT_PKEY_SHIFT;

	if (!(st->cr4 & X86_CR4_PKE) || !(st->efer & EFER_LMA) || !f->u ||
	    (st->cr0 & X86_CR0_WP))
		return false;
	return tdm_fpu_pkru(f->vcpu) & (2u << (2 * key));
}

static __always_inline void add_rights(struct sfault *f, const struct tdm_spage *sp, u64 gpte)
{
	f->all &= gpte;
	f->any |= gpte;
	if (unlikely(!(sp->role & TDM_MODE_WP)))
		f->sw &= (gpte & TDM_GPT_W) || !(gpte & TDM_GPT_U);
}

/* All of the path is known. */
static __always_inline void sum_rights(struct sfault *f, const struct tdm_spage *sp)
{
	f->w = f->all & TDM_GPT_W;
	f->u = f->all & TDM_GPT_U;
	/* 32-bit entries end below the bit; without EFER.NXE it is reserved. */
	f->x = !(f->any & TDM_GPT_NX);
	if (likely(sp->role & TDM_MODE_WP))
		f->sw = f->w;
}

/* ---- accessed and dirty bits ---- */

static bool set_bits(void *at, unsigned int esize, u64 old, u64 new)
{
	if (esize == 4)
		return cmpxchg((u32 *)at, (u32)old, (u32)new) == (u32)old;
	return cmpxchg((u64 *)at, old, new) == old;
}

/* ROM keeps no such bits: hardware's write is lost there, the access goes on. */
static bool in_rom(struct sfault *f, const struct tdm_spage *sp)
{
	struct tdm_memslot *slot = tdm_memslot_find_locked(f->vm, sp->gfn);

	return slot && (slot->flags & KVM_MEM_READONLY);
}

/*
 * Set what hardware would. The slow path's walker has done it already unless
 * somebody took it back since; then start again.
 */
static int set_accessed(struct sfault *f, struct tdm_spage *sp, unsigned int i, u64 *gpte)
{
	u64 want = TDM_GPT_A | (wants_write(f) ? TDM_GPT_D : 0);
	struct tdm_memslot *slot;

	if (likely(!(want & ~*gpte)))
		return 0;
	slot = tdm_memslot_find_locked(f->vm, sp->gfn);
	if (!slot || tdm_gfn_info(slot, sp->gfn)->code)
		return -EAGAIN;
	if (!(slot->flags & KVM_MEM_READONLY)) {
		/* The host may have let us write meanwhile. */
		if (!sp->guest_w &&
		    (tdm_spage_map_guest(f->vm, slot, sp, f->slow) || !sp->guest_w))
			return -EAGAIN;
		if (!set_bits(tdm_gpte_at(sp, i), tdm_spage_esize(sp), *gpte, *gpte | want))
			return -EAGAIN;
		tdm_mark_dirty(slot, sp->gfn);
	}
	*gpte |= want;
	return 0;
}

/* ---- making ---- */

static int bring_in(struct sfault *f, struct tdm_memslot *slot, u64 gfn, bool write)
{
	f->hva = tdm_slot_hva(slot, gfn);
	f->hva_write = write;
	f->generation = f->vm->slots_generation;
	return -ENXIO;
}

/* The table must be readable, and every vCPU must have heard of its trace. */
static noinline int make_ready(struct sfault *f, struct tdm_spage *sp)
{
	struct tdm_memslot *slot;
	int r;

	if (sp->prot_gen > f->vm->mmu.tlb_done && !sp->unsync) {
		f->need_sync = true;
		return -EAGAIN;
	}
	if (sp->guest || tdm_spage_direct(sp))
		return 0;
	slot = tdm_memslot_find_locked(f->vm, sp->gfn);
	if (!slot)
		return -EAGAIN;
	r = tdm_spage_map_guest(f->vm, slot, sp, f->slow);
	return r == -ENXIO ? bring_in(f, slot, sp->gfn, false) : r;
}

static __always_inline int ready(struct sfault *f, struct tdm_spage *sp)
{
	sp->floods = 0;
	if (likely(sp->guest && sp->prot_gen <= f->vm->mmu.tlb_done))
		return 0;
	return make_ready(f, sp);
}

/* The shadow page an entry is to point to: found or made. NULL: *r says why. */
static struct tdm_spage *child_page(struct sfault *f, u64 gfn, u64 role, int *r)
{
	struct tdm_spage *child = tdm_spage_find(f->vm, gfn, role);
	struct tdm_memslot *slot = NULL;

	if (child)
		return child;
	*r = -EAGAIN;
	if (!f->slow)
		return NULL;
	if (!(role & TDM_ROLE_DIRECT)) {
		slot = tdm_memslot_find_locked(f->vm, gfn);
		if (!slot) {
			*r = TDM_MMU_EMULATE;
			return NULL;
		}
	}
	child = tdm_spage_create(f->vm, slot, gfn, role);
	if (!child)
		*r = -ENOMEM;
	return child;
}

/* What child an entry has: a table's, or a large page in parts. */
static void child_role(const struct tdm_spage *sp, u64 gpte, unsigned int i,
		       u64 *gfn, u64 *role)
{
	int level = tdm_spage_level(sp) - 1;
	unsigned int pkey = (gpte & TDM_SPT_PKEY) >> TDM_SPT_PKEY_SHIFT;
	unsigned int quad = 0;

	if (tdm_spage_direct(sp)) {
		*gfn = tdm_spte_gfn(sp, i);
		*role = tdm_role_direct(level, sp->role >> TDM_ROLE_PKEY_SHIFT);
		return;
	}
	*gfn = tdm_gpte_gfn(sp, gpte, i);
	if (tdm_gpte_large(sp, gpte)) {
		*role = tdm_role_direct(level, tdm_spage_fmt(sp) == TDM_MODE_64 ? pkey : 0);
		return;
	}
	if (tdm_spage_fmt(sp) == TDM_MODE_32)
		quad = i & 1;
	*role = tdm_role(sp->role & TDM_ROLE_MODE_MASK, level, quad);
}

/* Go one level down, linking what is missing. NULL: *r says why not. */
static struct tdm_spage *descend(struct sfault *f, struct tdm_spage *sp,
				 unsigned int i, u64 gpte, int *r)
{
	bool direct = tdm_spage_direct(sp);
	u64 *spte = &sp->spt[i], val = *spte;
	struct tdm_spage *child;
	u64 gfn, link, role;

	child_role(sp, gpte, i, &gfn, &role);
	if (val && (tdm_spte_leaf(val, tdm_spage_level(sp)) ||
		    tdm_spte_child(val)->gfn != gfn || tdm_spte_child(val)->role != role)) {
		tdm_spage_drop_entry(f->vm, spte);
		val = 0;
	}
	if (likely(val)) {
		child = tdm_spte_child(val);
	} else {
		child = child_page(f, gfn, role, r);
		if (!child)
			return NULL;
	}
	link = direct ? TDM_SPT_P | TDM_SPT_A | TDM_SPT_U | TDM_SPT_W | __pa(child->spt) :
			tdm_spte_link_val(sp, gpte, child);
	sp->gpte[i] = gpte;
	if (likely(val)) {
		/* Accessed or dirty now, or the guest gave more rights. */
		if (val != link)
			WRITE_ONCE(*spte, link);
		return child;
	}
	if (!tdm_rmap_room(f->vm, 1)) {
		*r = f->slow ? -ENOMEM : -EAGAIN;
		return NULL;
	}
	tdm_sync_link(f->vm, child);
	tdm_spage_link(f->vm, spte, child, link);
	return child;
}

/* ---- the leaf ---- */

/* The page is traced, and that is why the entry does not let the write happen. */
static int traced_write(struct sfault *f, struct tdm_sfill *fill, struct tdm_memslot *slot)
{
	tdm_stat(f->vcpu, pf_trace);
	if (fill->level != TDM_LEVEL_4K)
		return TDM_MMU_EMULATE;
	tdm_spage_drop_unused(f->vm, fill->gfn);
	if (tdm_gfn_traced(tdm_gfn_info(slot, fill->gfn)) &&
	    !tdm_unsync(f->vm, slot, fill->gfn))
		return TDM_MMU_EMULATE;
	return tdm_spte_fill(fill, slot) ? -EAGAIN : TDM_MMU_RESUME;
}

static int fill(struct sfault *f, struct tdm_spage *sp, unsigned int i, u64 gpte,
		u64 gfn, int level)
{
	struct tdm_sfill fill = {
		.vm = f->vm, .sp = sp, .i = i, .gpte = gpte, .gfn = gfn,
		.level = level, .write = wants_write(f), .slow = f->slow,
	};
	struct tdm_memslot *slot = tdm_memslot_find_locked(f->vm, gfn);
	bool new = !sp->spt[i];
	int r;

	if (!slot || (fill.write && (slot->flags & KVM_MEM_READONLY)))
		return TDM_MMU_MMIO;
	if (!tdm_rmap_room(f->vm, 1))
		return f->slow ? -ENOMEM : -EAGAIN;
	r = tdm_spte_fill(&fill, slot);
	if (r == -ENXIO)
		return bring_in(f, slot, gfn, fill.write);
	if (r)
		return r;
	if (fill.write && !(sp->spt[i] & TDM_SPT_W))
		return traced_write(f, &fill, slot);
	tdm_vm_stat(f->vm, shadow_filled);
	if (new)
		tdm_spte_fill_around(&fill, slot);
	return TDM_MMU_RESUME;
}

/* 2 MiB in one leaf; -EAGAIN if that cannot be, as in larger steps. */
static int fill_block(struct sfault *f, struct tdm_spage *sp, unsigned int i,
		      u64 gpte, u64 gfn, int level)
{
	struct tdm_memslot *slot = tdm_memslot_find_locked(f->vm, gfn);
	u64 val = sp->spt[i];

	if (level != TDM_LEVEL_2M || !slot ||
	    (val && !tdm_spte_leaf(val, level) && tdm_spte_child(val)->present) ||
	    tdm_block_level(f->vm, slot, gfn) != level)
		return -EAGAIN;
	return fill(f, sp, i, gpte, gfn, level);
}

/* No table says anything: guest large pages in parts, or paging is off. */
static int direct_fault(struct sfault *f, struct tdm_spage *sp, int level)
{
	const u64 all = TDM_GPT_P | TDM_GPT_W | TDM_GPT_U | TDM_GPT_A | TDM_GPT_D;
	unsigned int i;
	u64 gfn;
	int r;

	for (;; level--) {
		i = tdm_level_index(f->gva >> PAGE_SHIFT, level);
		gfn = tdm_spte_gfn(sp, i);
		if (level == TDM_LEVEL_4K)
			return fill(f, sp, i, all, gfn, level);
		r = fill_block(f, sp, i, all, gfn, level);
		if (r != -EAGAIN)
			return r;
		sp = descend(f, sp, i, all, &r);
		if (!sp)
			return r;
	}
}

/* A guest's large page: one leaf of ours if it can be, small ones if not. */
static int large_fault(struct sfault *f, struct tdm_spage *sp, unsigned int i,
		       u64 gpte, int level)
{
	u64 val = sp->spt[i];
	int r;

	r = fill_block(f, sp, i, gpte, tdm_gpte_gfn(sp, gpte, i), level);
	if (r != -EAGAIN)
		return r;
	if (!val || tdm_spte_leaf(val, level))
		tdm_vm_stat(f->vm, shadow_split_pages);
	sp = descend(f, sp, i, gpte, &r);
	return sp ? direct_fault(f, sp, level - 1) : r;
}

/* ---- the walk ---- */

static int true_fault(struct sfault *f, struct tdm_page_fault *pf, u32 present)
{
	pf->gva = f->gva;
	pf->error = true_error(f, present);
	return TDM_MMU_TRUE_FAULT;
}

/* At the entry that maps the page: all rights are known. */
static int leaf_fault(struct sfault *f, struct tdm_spage *sp, unsigned int i,
		      u64 gpte, int level, struct tdm_page_fault *pf)
{
	struct tdm_vcpu *vcpu = f->vcpu;
	int r;

	/* Protection keys: the plain walker knows, and the slow path has asked it. */
	if (unlikely((vcpu->st.cr4 & X86_CR4_PKE) && !f->slow))
		return -EAGAIN;
	sum_rights(f, sp);
	if (forbidden(f))
		return true_fault(f, pf, TDM_PF_P);
	r = set_accessed(f, sp, i, &gpte);
	if (r)
		return r;
	/* CR0.WP = 0, and no entry can say that only supervisors may write. */
	if (wants_write(f) && !by_user(f) && (!f->sw || key_holds_back(f, gpte)))
		return TDM_MMU_EMULATE;
	if (level > TDM_LEVEL_4K)
		return large_fault(f, sp, i, gpte, level);
	return fill(f, sp, i, gpte, tdm_gpte_gfn(sp, gpte, i), level);
}

/*
 * Below here nothing is shadowed, or something has to be made first. A true fault
 * needs none of it: many come from tables that map nothing yet. Read the rest of
 * the path in the guest's tables; @t stands for their shadow pages. -EAGAIN: the
 * access is allowed, or it takes more to know.
 */
static noinline int peek(struct sfault *f, const struct tdm_spage *sp, unsigned int i,
			 u64 gpte, struct tdm_page_fault *pf)
{
	struct tdm_memslot *slot;
	struct tdm_spage t;
	u64 gfn, role;

	if (f->slow)
		return -EAGAIN;
	do {
		child_role(sp, gpte, i, &gfn, &role);
		slot = tdm_memslot_find_locked(f->vm, gfn);
		if (!slot)
			return -EAGAIN;
		t.gfn = gfn;
		t.role = role;
		tdm_spage_describe(&t);
		if (tdm_spage_map_guest(f->vm, slot, &t, false))
			return -EAGAIN;
		sp = &t;
		i = tdm_level_index(f->gva >> PAGE_SHIFT, t.level);
		gpte = tdm_gpte_read(&t, i);
		add_rights(f, &t, gpte);
		if (!(gpte & TDM_GPT_P))
			return true_fault(f, pf, 0);
		if (tdm_gpte_bad(&t, gpte))
			return true_fault(f, pf, TDM_PF_P | TDM_PF_RSVD);
	} while (t.level > TDM_LEVEL_4K && !tdm_gpte_large(&t, gpte));
	sum_rights(f, &t);
	if ((f->vcpu->st.cr4 & X86_CR4_PKE) || !forbidden(f))
		return -EAGAIN;
	return true_fault(f, pf, TDM_PF_P);
}

/*
 * The entry points to a shadow page since a walk like this one, and the guest's
 * is what it was then: present, valid, accessed.
 */
static __always_inline bool linked_as_is(const struct tdm_spage *sp, unsigned int i,
					 u64 gpte, u64 val, int level)
{
	return val && level > TDM_LEVEL_4K && gpte == sp->gpte[i] &&
	       !tdm_gpte_large(sp, gpte);
}

/*
 * In the monitor's part of a root, which the guest cannot use: there is nothing
 * of its own, or the engine has to move the monitor first.
 */
static noinline int monitor_fault(struct sfault *f, struct tdm_spage *root,
				  struct tdm_page_fault *pf)
{
	u64 gpte;
	int r = ready(f, root);

	if (r)
		return r;
	gpte = tdm_gpte_read(root, root->mon);
	if (!(gpte & TDM_GPT_P))
		return true_fault(f, pf, 0);
	if (tdm_gpte_bad(root, gpte))
		return true_fault(f, pf, TDM_PF_P | TDM_PF_RSVD);
	root->owner->mmu.mon_conflict = true;
	return f->slow ? TDM_MMU_RESUME : -EAGAIN;
}

/*
 * mmu.lock held. enum tdm_mmu_result, or: -EAGAIN: not this way or not now;
 * -ENXIO: f->hva has to be brought in; -ENOMEM: refill; -EFAULT.
 */
static int walk(struct sfault *f, struct tdm_page_fault *pf)
{
	struct tdm_spage *sp = tdm_shadow_root(f->vcpu, f->gva), *child;
	int level, r;

	if (!sp || hlist_unhashed(&sp->hash))
		return -EAGAIN;
	if (unlikely(tdm_spage_monitors(sp, f->gva)))
		return monitor_fault(f, sp, pf);
	f->all = ~0ull;
	f->any = 0;
	f->sw = true;
	for (level = sp->level;; level--) {
		unsigned int i = tdm_level_index(f->gva >> PAGE_SHIFT, level);
		u64 gpte, val;

		r = ready(f, sp);
		if (unlikely(r))
			return r;
		if (tdm_spage_direct(sp))
			return direct_fault(f, sp, level);
		gpte = tdm_gpte_read(sp, i);
		val = sp->spt[i];
		add_rights(f, sp, gpte);
		if (likely(linked_as_is(sp, i, gpte, val, level))) {
			sp = tdm_spte_child(val);
			continue;
		}
		if (!(gpte & TDM_GPT_P))
			return true_fault(f, pf, 0);
		if (unlikely(tdm_gpte_bad(sp, gpte)))
			return true_fault(f, pf, TDM_PF_P | TDM_PF_RSVD);
		if (level == TDM_LEVEL_4K || tdm_gpte_large(sp, gpte))
			return leaf_fault(f, sp, i, gpte, level, pf);
		/* Only accesses that succeed set it: the slow path's walker does. */
		if (unlikely(!(gpte & TDM_GPT_A)) && !(f->slow && in_rom(f, sp)))
			return peek(f, sp, i, gpte, pf);
		child = descend(f, sp, i, gpte, &r);
		if (unlikely(!child))
			return r == -EAGAIN ? peek(f, sp, i, gpte, pf) : r;
		sp = child;
	}
}

static void count(struct tdm_vcpu *vcpu, int r)
{
	if (r == TDM_MMU_TRUE_FAULT)
		tdm_stat(vcpu, pf_true);
	else if (r == TDM_MMU_RESUME)
		tdm_stat(vcpu, pf_hidden);
	else if (r == TDM_MMU_EMULATE || r == TDM_MMU_MMIO)
		tdm_stat(vcpu, pf_emulated);
}

/**
 * tdm_shadow_fault_fast() - a page fault, if it can be resolved without sleeping
 * @vcpu: loaded vCPU, its root is current; current->mm is the VM's
 * @gva: linear address
 * @error: TDM_PF_*, as the processor gave it for the shadow tables
 * @pf: the guest's fault, with TDM_MMU_TRUE_FAULT
 *
 * May be called with interrupts off.
 *
 * Return: enum tdm_mmu_result, or -EAGAIN: call tdm_shadow_fault().
 */
int tdm_shadow_fault_fast(struct tdm_vcpu *vcpu, u64 gva, u32 error,
			  struct tdm_page_fault *pf)
{
	struct sfault f = { .vcpu = vcpu, .vm = vcpu->vm, .gva = gva, .error = error };
	int r;

	spin_lock(&f.vm->mmu.lock);
	r = walk(&f, pf);
	spin_unlock(&f.vm->mmu.lock);
	if (r == -ENXIO && f.hva_write == wants_write(&f)) {
		/* Spare tdm_shadow_fault() the search. */
		vcpu->miss_hva = f.hva;
		vcpu->miss_generation = f.generation;
	}
	if (r < 0)
		return -EAGAIN;
	count(vcpu, r);
	return r;
}

static u32 walk_access(struct tdm_vcpu *vcpu, u32 error)
{
	u32 access = error & TDM_PF_W ? TDM_ACCESS_WRITE :
		     error & TDM_PF_I ? TDM_ACCESS_FETCH : TDM_ACCESS_READ;

	if (error & TDM_PF_U)
		return access | TDM_ACCESS_USER;
	/* User code, but not the user's access: descriptor tables, the TSS. */
	return tdm_cpl(vcpu) == 3 ? access | TDM_WALK_IMPLICIT : access;
}

/* One attempt with everything allowed; the caller looks at need_sync. */
static int try_walk(struct sfault *f, struct tdm_page_fault *pf)
{
	struct tdm_mmu *mmu = &f->vm->mmu;
	int r;

	f->need_sync = false;
	spin_lock(&mmu->lock);
	r = walk(f, pf);
	spin_unlock(&mmu->lock);
	if (f->need_sync)
		tdm_mmu_sync_tlb(f->vm);
	return r;
}

/* Let the host bring in what is missing; 0: try again. */
static int host_fault(struct sfault *f)
{
	return tdm_mmu_host_fault(f->vm, f->hva, f->hva_write, f->generation);
}

#define MAX_TRIES	8

/* The guest's tables allow the access: have the shadow allow it. */
static int make(struct sfault *f, struct tdm_page_fault *pf)
{
	int tries, r;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		r = tdm_shadow_refill(f->vm);
		if (r)
			return r;
		if (READ_ONCE(f->vcpu->requests) & BIT(TDM_REQ_MMU_ROOT))
			return TDM_MMU_RESUME;
		r = try_walk(f, pf);
		if (r >= 0 || r == -EFAULT)
			return r;
		if (r != -ENXIO)
			continue;
		r = host_fault(f);
		if (r)
			return r;
	}
	/* The host or another vCPU keeps changing things; the guest asks again. */
	tdm_vm_stat(f->vm, mmu_retries);
	return TDM_MMU_RESUME;
}

/**
 * tdm_shadow_make() - have the shadow allow what the guest's tables allow
 * @vcpu: as for tdm_shadow_fault(); TDM_REQ_MMU_ROOT is not pending
 * @gva: linear address
 * @error: ditto; the guest's tables were asked, accessed and dirty bits are set
 * @pf: for a fault of the guest, should its tables have changed
 *
 * Return: as tdm_shadow_fault().
 */
int tdm_shadow_make(struct tdm_vcpu *vcpu, u64 gva, u32 error, struct tdm_page_fault *pf)
{
	struct sfault f = {
		.vcpu = vcpu, .vm = vcpu->vm, .gva = gva, .error = error, .slow = true,
	};

	return make(&f, pf);
}

/* The walk from a root the guest cannot really have: CR3 points to no memory. */
static bool no_root(struct tdm_vcpu *vcpu, u64 gva)
{
	struct tdm_spage *sp;
	bool none;

	spin_lock(&vcpu->vm->mmu.lock);
	sp = tdm_shadow_root(vcpu, gva);
	none = !sp && !tdm_root_is_old(vcpu);
	if (!none && (!sp || hlist_unhashed(&sp->hash)))
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
	spin_unlock(&vcpu->vm->mmu.lock);
	return none;
}

/**
 * tdm_shadow_fault() - a page fault under shadow paging
 * @vcpu: loaded vCPU, its root is current; current->mm is the VM's; no lock
 *	held, may sleep
 * @gva: linear address
 * @error: TDM_PF_*, as the processor gave it for the shadow tables
 * @pf: the guest's fault, with TDM_MMU_TRUE_FAULT
 *
 * Return: enum tdm_mmu_result, or a negative errno for the caller of KVM_RUN:
 * -EFAULT, -EHWPOISON, -ENOMEM, -EINTR as tdm_mmu_fault(); -EIO: a table's
 * memory is not there.
 */
int tdm_shadow_fault(struct tdm_vcpu *vcpu, u64 gva, u32 error, struct tdm_page_fault *pf)
{
	struct sfault f = {
		.vcpu = vcpu, .vm = vcpu->vm, .gva = gva, .error = error, .slow = true,
	};
	u64 gpa;
	int r;

	if (vcpu->miss_hva) {
		f.hva = vcpu->miss_hva;
		f.hva_write = wants_write(&f);
		f.generation = vcpu->miss_generation;
		vcpu->miss_hva = 0;
		r = host_fault(&f);
		if (r)
			return r;
	}
	r = tdm_gva_to_gpa(vcpu, gva, walk_access(vcpu, error), &gpa, pf);
	if (r == -EFAULT) {
		tdm_stat(vcpu, pf_true);
		return TDM_MMU_TRUE_FAULT;
	}
	if (r == -EBUSY)
		return TDM_MMU_RESUME;
	if (r)
		return r;
	r = no_root(vcpu, gva) ? TDM_MMU_EMULATE : make(&f, pf);
	count(vcpu, r);
	return r;
}

/* So few exits between two tries of one instruction are no progress. */
#define RETRY_EXITS	8u
#define RETRY_MAX	16u

/* Is the same instruction asked for again and again? */
static bool goes_round(struct tdm_vcpu *vcpu)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	u64 exits = vcpu->stat[TDM_STAT_exits];

	if (m->retry_rip != vcpu->regs.rip || exits - m->retry_exits > RETRY_EXITS)
		m->retries = 0;
	m->retry_rip = vcpu->regs.rip;
	m->retry_exits = exits;
	return ++m->retries > RETRY_MAX;
}

/**
 * tdm_mmu_unshadow() - let the guest write to a page of tables by itself
 * @vcpu: loaded vCPU; a fault there gave TDM_MMU_EMULATE, and the emulator does
 *	not know the instruction; may sleep
 * @gva: of the fault
 * @error: ditto
 *
 * The shadows of the tables in that page are thrown away, so that nothing holds
 * the write back; they are made again when the tables are used. So is code that
 * was translated: the engine lets go of the page before the guest goes on. An
 * instruction that uses the table, or is in the page, that it writes to could go
 * round for ever: it is given up.
 *
 * Return: true: run the instruction again; false: nothing to be done here.
 */
bool tdm_mmu_unshadow(struct tdm_vcpu *vcpu, u64 gva, u32 error)
{
	struct tdm_vm *vm = vcpu->vm;
	struct tdm_page_fault pf;
	struct hlist_node *tmp;
	struct tdm_spage *sp;
	bool code, tables = false;
	u64 gpa;

	if (goes_round(vcpu) ||
	    tdm_gva_to_gpa(vcpu, gva, walk_access(vcpu, error), &gpa, &pf))
		return false;
	code = tdm_mmu_forget_code(vm, gpa >> PAGE_SHIFT);
	spin_lock(&vm->mmu.lock);
	tdm_for_each_spage(vm, gpa >> PAGE_SHIFT, sp, tmp) {
		tdm_spage_zap(vm, sp);
		tables = true;
	}
	spin_unlock(&vm->mmu.lock);
	if (tables)
		tdm_vm_stat(vm, shadow_unshadowed);
	return code || tables;
}
