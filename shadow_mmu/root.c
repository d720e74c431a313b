// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces: what the guest does to its translations (loads CR3, flushes,
 * invalidates), and the root the processor walks.
 *
 * Under EPT all that is the processor's business, and the core only has to
 * flush what an emulated instruction would have flushed.
 *
 * Under shadow paging the shadow pages are a big TLB. Where they have no trace
 * they are compared with the guest's tables when the guest flushes; a CR3 load
 * that keeps its PCID's translations compares nothing. Roots stay when the guest
 * leaves them, so that coming back costs a look-up.
 *
 * CR3-target values, by which a processor could load CR3 without an exit, are
 * of no use here: they load the guest's value, which is not where our root is.
 */
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arch/x86/cpuid.h"
#include "shadow_mmu/shadow.h"

#define CR3_PCID	0xfffull
#define CR3_ADDR	GENMASK_ULL(51, 12)

/* ---- modes ---- */

static u32 mode_of(struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;
	u32 mode, maxphy = clamp_t(u32, tdm_maxphyaddr(vcpu), 32, 52);

	if (!(st->cr0 & X86_CR0_PG))
		return TDM_MODE_OFF;
	mode = maxphy << TDM_MODE_MAXPHY_SHIFT;
	if (st->cr0 & X86_CR0_WP)
		mode |= TDM_MODE_WP;
	if (!(st->cr4 & X86_CR4_PAE)) {
		mode |= TDM_MODE_32;
		if (st->cr4 & X86_CR4_PSE)
			mode |= TDM_MODE_PSE;
		if (tdm_guest_has(vcpu, X86_FEATURE_PSE36))
			mode |= TDM_MODE_PSE36;
		return mode;
	}
	if (st->efer & EFER_NX)
		mode |= TDM_MODE_NX;
	if (!(st->efer & EFER_LMA))
		return mode | TDM_MODE_PAE;
	if (tdm_guest_has(vcpu, X86_FEATURE_GBPAGES))
		mode |= TDM_MODE_1G;
	return mode | TDM_MODE_64;
}

/**
 * struct want - a root there should be
 * @gfn: the table's; direct: the first mapped
 * @role: of the shadow page
 * @none: the guest has no table there
 */
struct want {
	u64 gfn;
	u64 role;
	bool none;
};

/* The roots of the guest's state; how many. */
static unsigned int wanted(struct tdm_vcpu *vcpu, u32 mode, struct want want[4])
{
	const struct tdm_state *st = &vcpu->st;
	unsigned int q;

	if ((mode & TDM_MODE_FMT_MASK) == TDM_MODE_64) {
		want[0] = (struct want){
			.gfn = (st->cr3 & CR3_ADDR) >> PAGE_SHIFT,
			.role = tdm_role(mode, TDM_PT_LEVELS, 0),
		};
		/* What the monitor's entry leads to is one vCPU's. */
		if (vcpu->mmu.mon_entry)
			want[0].role |= (vcpu->index + 1ull) << TDM_ROLE_OWNER_SHIFT;
		return 1;
	}
	for (q = 0; q < 4; q++) {
		want[q] = (struct want){ };
		switch (mode & TDM_MODE_FMT_MASK) {
		case TDM_MODE_OFF:
			want[q].gfn = (u64)q << 18;
			want[q].role = tdm_role_direct(TDM_LEVEL_2M, 0);
			break;
		case TDM_MODE_32:
			want[q].gfn = (u32)st->cr3 >> PAGE_SHIFT;
			want[q].role = tdm_role(mode, TDM_LEVEL_2M, q);
			break;
		default:
			want[q].none = !(st->pdptr[q] & TDM_GPT_P);
			want[q].gfn = (st->pdptr[q] & CR3_ADDR) >> PAGE_SHIFT;
			want[q].role = tdm_role(mode, TDM_LEVEL_2M, 0);
		}
	}
	return 4;
}

/**
 * tdm_shadow_root() - where the walk of an address begins
 * @vcpu: the vCPU; mmu.lock held
 * @gva: linear address
 *
 * Return: the shadow page; NULL: there is none, as CR3 or a PDPTE point to no
 * memory, or the PDPTE is not present. A dead one has to be replaced.
 */
struct tdm_spage *tdm_shadow_root(struct tdm_vcpu *vcpu, u64 gva)
{
	const struct tdm_vcpu_mmu *m = &vcpu->mmu;

	return (m->mode & TDM_MODE_FMT_MASK) == TDM_MODE_64 ? m->root[0] :
							     m->root[(gva >> 30) & 3];
}

/**
 * tdm_root_is_old() - is the root at hand not the guest's, in long mode?
 * @vcpu: the vCPU; mmu.lock held
 *
 * Return: true if it is dead, or something is pending, or if CR3 pointed to no
 * memory, and does now.
 */
bool tdm_root_is_old(struct tdm_vcpu *vcpu)
{
	const struct tdm_spage *sp = vcpu->mmu.root[0];

	if (vcpu->mmu.pending || (READ_ONCE(vcpu->requests) & BIT(TDM_REQ_MMU_ROOT)))
		return true;
	if ((vcpu->mmu.mode & TDM_MODE_FMT_MASK) != TDM_MODE_64)
		return false;
	return sp ? hlist_unhashed(&sp->hash) :
		    !!tdm_memslot_find_locked(vcpu->vm, (vcpu->st.cr3 & CR3_ADDR) >> PAGE_SHIFT);
}

/* ---- taking a root ---- */

static bool is_root(const struct tdm_spage *sp, const struct want *want)
{
	return sp && !hlist_unhashed(&sp->hash) && sp->gfn == want->gfn &&
	       sp->role == want->role;
}

/* mmu.lock held: find, or make if @make. NULL: *missing says that one could be made. */
static struct tdm_spage *get_root(struct tdm_vcpu *vcpu, const struct want *want, bool make,
				  bool *missing)
{
	struct tdm_vm *vm = vcpu->vm;
	struct tdm_spage *sp = tdm_spage_find(vm, want->gfn, want->role);
	struct tdm_memslot *slot = NULL;

	if (sp)
		return sp;
	if (!(want->role & TDM_ROLE_DIRECT)) {
		slot = tdm_memslot_find_locked(vm, want->gfn);
		if (!slot)
			return NULL;
	}
	*missing = true;
	if (!make)
		return NULL;
	sp = tdm_spage_create(vm, slot, want->gfn, want->role);
	if (sp && want->role >> TDM_ROLE_OWNER_SHIFT)
		tdm_root_own(vcpu, sp);
	return sp;
}

static void set_hw_root(struct tdm_vcpu *vcpu, unsigned int n)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	unsigned int q;

	if (n == 1 && m->root[0]) {
		m->hw_cr3 = __pa(m->root[0]->spt);
		return;
	}
	for (q = 0; q < 4; q++)
		WRITE_ONCE(m->pae[q], n == 4 && m->root[q] ?
				      __pa(m->root[q]->spt) | TDM_SPT_P : 0);
	/* Of meaning in long mode only, where nothing else is there. */
	if (m->mon_entry)
		WRITE_ONCE(m->pae[m->mon_index], m->mon_entry);
	m->hw_cr3 = __pa(m->pae);
}

/*
 * Take the roots of the guest's state; mmu.lock held. False: a shadow page has
 * to be made and may not, or the pool is empty; nothing has changed then.
 */
static bool take_roots(struct tdm_vcpu *vcpu, bool make)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	u32 mode = mode_of(vcpu);
	bool missing = false;
	struct want want[4];
	struct tdm_spage *root[4] = { };
	unsigned int n = wanted(vcpu, mode, want), q;

	for (q = 0; q < n; q++) {
		bool lacks = false;

		if (want[q].none)
			continue;
		if (is_root(m->root[q], &want[q])) {
			root[q] = m->root[q];
			continue;
		}
		root[q] = get_root(vcpu, &want[q], make, &lacks);
		if (!root[q] && lacks)
			return false;
		missing |= lacks;
	}
	for (q = 0; q < 4; q++)
		if (root[q])
			tdm_spage_hold(vcpu->vm, root[q]);
	for (q = 0; q < 4; q++)
		if (m->root[q])
			tdm_spage_release(vcpu->vm, m->root[q]);
	memcpy(m->root, root, sizeof(root));
	m->mode = mode;
	set_hw_root(vcpu, n);
	if (missing)
		tdm_stat(vcpu, root_misses);
	else
		tdm_stat(vcpu, root_hits);
	return true;
}

/* ---- PCIDs ---- */

static bool pcids_on(const struct tdm_vcpu *vcpu)
{
	return vcpu->st.cr4 & X86_CR4_PCIDE;
}

/* Forget which address spaces of a PCID are fresh; @except stays. */
static void forget_pcid(struct tdm_vcpu_mmu *m, u64 pcid, u64 except)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_PCID_SLOTS; i++)
		if ((m->pcid_cr3[i] & CR3_PCID) == pcid && m->pcid_cr3[i] != except)
			m->pcid_cr3[i] = 0;
}

static void forget_pcids(struct tdm_vcpu_mmu *m, u64 except)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_PCID_SLOTS; i++)
		if (m->pcid_cr3[i] != except)
			m->pcid_cr3[i] = 0;
}

/* Move to the front; was it there? CR3 = 0 is never remembered. */
static bool remember_cr3(struct tdm_vcpu_mmu *m, u64 cr3)
{
	unsigned int i;
	bool was;

	for (i = 0; i < TDM_NR_PCID_SLOTS - 1 && m->pcid_cr3[i] != cr3; i++)
		;
	was = cr3 && m->pcid_cr3[i] == cr3;
	for (; i; i--)
		m->pcid_cr3[i] = m->pcid_cr3[i - 1];
	m->pcid_cr3[0] = cr3;
	return was;
}

/*
 * Does what is pending ask for a comparison of the tables without a trace? A
 * CR3 load that keeps a PCID's translations does not, if that CR3 was loaded
 * before and the PCID was not flushed since.
 */
static bool must_sync(struct tdm_vcpu *vcpu, u32 pending)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	u64 cr3 = vcpu->st.cr3;
	bool fresh;

	if (pending & TDM_FLUSH_ALL)
		forget_pcids(m, 0);
	/* Turning PCIDs off flushed all: none is remembered. */
	if (!pcids_on(vcpu))
		return pending & (TDM_FLUSH_CR3 | TDM_FLUSH_ALL);
	if (pending & TDM_FLUSH_CR3)
		forget_pcid(m, cr3 & CR3_PCID, 0);
	fresh = remember_cr3(m, cr3);
	return !fresh;
}

/* ---- what is pending ---- */

/*
 * Nothing but CR3 was written, in IA-32e mode: one root, read the same way as the
 * last. mmu.lock held. False: ask take_roots().
 */
static bool switch_root(struct tdm_vcpu *vcpu)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	u64 gfn = (vcpu->st.cr3 & CR3_ADDR) >> PAGE_SHIFT;
	struct tdm_spage *old = m->root[0], *sp = old;

	if ((m->pending & ~(TDM_FLUSH_CR3 | TDM_FLUSH_ROOT)) || !old ||
	    (m->mode & TDM_MODE_FMT_MASK) != TDM_MODE_64)
		return false;
	if (old->gfn != gfn) {
		sp = tdm_spage_find(vcpu->vm, gfn, old->role);
		if (!sp)
			return false;
		tdm_spage_hold(vcpu->vm, sp);
		tdm_spage_release(vcpu->vm, old);
		m->root[0] = sp;
		m->hw_cr3 = __pa(sp->spt);
	} else if (hlist_unhashed(&old->hash)) {
		return false;
	}
	tdm_stat(vcpu, root_hits);
	return true;
}

/* mmu.lock held */
static bool update(struct tdm_vcpu *vcpu, bool make)
{
	struct tdm_vm *vm = vcpu->vm;
	u32 pending = vcpu->mmu.pending;

	if (!switch_root(vcpu) && !take_roots(vcpu, make))
		return false;
	vcpu->mmu.pending = 0;
	if (must_sync(vcpu, pending) && !list_empty(&vm->mmu.shadow->unsync))
		tdm_sync_all(vm);
	vcpu->mmu.code_gen = vm->mmu.code_gen;
	vcpu->mmu.root_written = false;
	return !vcpu->mmu.mon_entry || make || !tdm_root_look(vcpu, false);
}

/**
 * tdm_mmu_update_root_fast() - have the right root and fresh tables, if that is quick
 * @vcpu: loaded vCPU
 *
 * May be called with interrupts off. vcpu->mmu.hw_cr3 is right afterwards.
 *
 * Return: true; false: call tdm_mmu_update_root().
 */
bool tdm_mmu_update_root_fast(struct tdm_vcpu *vcpu)
{
	struct tdm_vm *vm = vcpu->vm;
	bool done;

	spin_lock(&vm->mmu.lock);
	done = update(vcpu, false);
	spin_unlock(&vm->mmu.lock);
	return done;
}

/**
 * tdm_mmu_update_root() - have the right root and fresh tables
 * @vcpu: loaded vCPU; may sleep. EPT: does nothing.
 *
 * vcpu->mmu.hw_cr3 is right afterwards.
 *
 * Return: 0; -ENOMEM.
 */
int tdm_mmu_update_root(struct tdm_vcpu *vcpu)
{
	struct tdm_vm *vm = vcpu->vm;
	bool done;
	int r;

	if (vm->mmu_mode != TDM_MMU_MODE_SHADOW)
		return 0;
	tdm_need(vcpu, TDM_ST_CR);
	do {
		r = tdm_shadow_refill(vm);
		if (r)
			return r;
		spin_lock(&vm->mmu.lock);
		tdm_spage_reap(vm, 16);
		done = update(vcpu, true);
		spin_unlock(&vm->mmu.lock);
	} while (!done);
	return vcpu->mmu.mon_entry ? tdm_root_reach(vcpu) : 0;
}

/* ---- the guest's instructions ---- */

/**
 * tdm_mmu_guest_flush() - the guest flushed its TLB or changed how it translates
 * @vcpu: loaded vCPU; its registers are new already
 * @what: TDM_FLUSH_*
 */
void tdm_mmu_guest_flush(struct tdm_vcpu *vcpu, u32 what)
{
	if (vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW) {
		vcpu->mmu.pending |= what;
		/* What is loaded and left again before an entry leaves no trace. */
		if ((what & TDM_FLUSH_CR3) && pcids_on(vcpu))
			forget_pcid(&vcpu->mmu, vcpu->st.cr3 & CR3_PCID, 0);
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
		return;
	}
	if (what & (TDM_FLUSH_CR3 | TDM_FLUSH_ALL))
		tdm_request(vcpu, TDM_REQ_TLB_FLUSH);
}

/*
 * One address was invalidated, and the root stays. Translated code has to be looked
 * at if any way to code has changed, now or by an earlier write; the root's entries
 * are a part of the way that code_gen does not tell of.
 */
static void tell_of_code(struct tdm_vcpu *vcpu)
{
	const struct tdm_vcpu_mmu *m = &vcpu->mmu;

	if (!m->mon_entry)
		return;
	if (READ_ONCE(vcpu->vm->mmu.code_gen) != m->code_gen || READ_ONCE(m->root_written))
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
}

/**
 * tdm_mmu_guest_invlpg() - INVLPG
 * @vcpu: loaded vCPU
 * @gva: linear address; not canonical ones do nothing
 *
 * Takes mmu.lock; may be called with interrupts off.
 */
void tdm_mmu_guest_invlpg(struct tdm_vcpu *vcpu, u64 gva)
{
	struct tdm_vm *vm = vcpu->vm;
	bool global;

	tdm_stat(vcpu, invlpgs);
	if (vm->mmu_mode != TDM_MMU_MODE_SHADOW) {
		tdm_request(vcpu, TDM_REQ_TLB_FLUSH);
		return;
	}
	if (vcpu->mmu.pending) {
		/* The root at hand is not the guest's any more. */
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
		return;
	}
	spin_lock(&vm->mmu.lock);
	global = list_empty(&vm->mmu.shadow->unsync) ? false :
		 tdm_sync_gva(vm, tdm_shadow_root(vcpu, gva), gva);
	spin_unlock(&vm->mmu.lock);
	tell_of_code(vcpu);
	/* Other address spaces may have it cached: they are compared when loaded. */
	if (global)
		forget_pcids(&vcpu->mmu, vcpu->st.cr3);
}

/**
 * tdm_mmu_guest_invpcid() - INVPCID
 * @vcpu: loaded vCPU
 * @type: 0 to 3 (SDM vol. 2, INVPCID)
 * @pcid: 0 to 0xfff
 * @gva: canonical, for type 0
 *
 * Takes mmu.lock; may be called with interrupts off.
 */
void tdm_mmu_guest_invpcid(struct tdm_vcpu *vcpu, u64 type, u64 pcid, u64 gva)
{
	u64 current_pcid = pcids_on(vcpu) ? vcpu->st.cr3 & CR3_PCID : 0;

	if (vcpu->vm->mmu_mode != TDM_MMU_MODE_SHADOW) {
		tdm_stat(vcpu, invlpgs);
		tdm_request(vcpu, TDM_REQ_TLB_FLUSH);
		return;
	}
	if (type == 0 && pcid == current_pcid) {
		tdm_mmu_guest_invlpg(vcpu, gva);
		forget_pcid(&vcpu->mmu, pcid, vcpu->st.cr3);
		return;
	}
	tdm_stat(vcpu, invlpgs);
	if (type <= 1 && pcid != current_pcid) {
		forget_pcid(&vcpu->mmu, pcid, 0);
		return;
	}
	if (type == 1)
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_CR3);
	else
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
}

/* ---- life ---- */

static void free_shadow(struct tdm_vm *vm, struct tdm_shadow *s)
{
	tdm_vm_stat_add(vm, mem_bytes, -(s64)sizeof(*s));
	kvfree(s);
}

static struct tdm_shadow *alloc_shadow(struct tdm_vm *vm)
{
	struct tdm_shadow *s = kvzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	tdm_vm_stat_add(vm, mem_bytes, sizeof(*s));
	s->vm = vm;
	INIT_LIST_HEAD(&s->active);
	INIT_LIST_HEAD(&s->orphans);
	INIT_LIST_HEAD(&s->dead);
	INIT_LIST_HEAD(&s->free);
	INIT_LIST_HEAD(&s->unsync);
	return s;
}

/* The slots there are get their arrays; from now on new ones get them too. */
static int shadow_slots(struct tdm_vm *vm, struct tdm_shadow *s)
{
	struct tdm_memslot *slot;
	unsigned long i;
	int r = 0;

	down_write(&vm->slots_sem);
	xa_for_each(&vm->slots_by_id, i, slot) {
		if (slot->shadow)
			continue;	/* from an attempt that failed */
		r = tdm_slot_shadow_alloc(vm, slot);
		if (r)
			break;
	}
	if (!r) {
		spin_lock(&vm->mmu.lock);
		vm->mmu.shadow = s;
		spin_unlock(&vm->mmu.lock);
	}
	up_write(&vm->slots_sem);
	return r;
}

static int shadow_vm_init(struct tdm_vm *vm)
{
	struct tdm_shadow *s = alloc_shadow(vm);
	int r;

	if (!s)
		return -ENOMEM;
	r = shadow_slots(vm, s);
	if (r) {
		free_shadow(vm, s);
		return r;
	}
	tdm_shrink_add(vm);
	return 0;
}

/** tdm_shadow_vm_destroy() - free it all; every vCPU is gone, or never was */
void tdm_shadow_vm_destroy(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	LIST_HEAD(dead);

	if (!s)
		return;
	tdm_shrink_del(vm);
	spin_lock(&vm->mmu.lock);
	tdm_spage_zap_all(vm);
	list_splice_init(&s->dead, &dead);
	spin_unlock(&vm->mmu.lock);
	tdm_shadow_free_dead(vm, &dead);
	tdm_shadow_drain(vm);
	tdm_rmap_free_descs(vm);
	vm->mmu.shadow = NULL;
	free_shadow(vm, s);
}

/**
 * tdm_mmu_vcpu_init() - a vCPU's part of the MMU
 * @vcpu: new; the VM's MMU mode is final; vm->lock held, may sleep
 *
 * Return: 0; -ENOMEM.
 */
int tdm_mmu_vcpu_init(struct tdm_vcpu *vcpu)
{
	struct tdm_vm *vm = vcpu->vm;
	struct page *page;
	int r;

	if (vm->mmu_mode != TDM_MMU_MODE_SHADOW)
		return 0;
	if (!vm->mmu.shadow) {
		r = shadow_vm_init(vm);
		if (r)
			return r;
	}
	/* Outside long mode the processor's CR3 has 32 bits. */
	page = alloc_page(GFP_KERNEL_ACCOUNT | GFP_DMA32 | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	tdm_vm_stat_add(vm, mem_bytes, PAGE_SIZE);
	vcpu->mmu.pae = page_address(page);
	INIT_LIST_HEAD(&vcpu->mmu.owned);
	/* Maps nothing in either format, until there is a root. */
	vcpu->mmu.hw_cr3 = __pa(vcpu->mmu.pae);
	vcpu->mmu.pending = TDM_FLUSH_ALL;
	tdm_request(vcpu, TDM_REQ_MMU_ROOT);
	return 0;
}

/** tdm_mmu_vcpu_destroy() - undo tdm_mmu_vcpu_init(), also if it failed */
void tdm_mmu_vcpu_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	struct tdm_vm *vm = vcpu->vm;
	unsigned int q;

	if (!m->pae)
		return;
	spin_lock(&vm->mmu.lock);
	for (q = 0; q < 4; q++) {
		if (m->root[q])
			tdm_spage_release(vm, m->root[q]);
		m->root[q] = NULL;
	}
	tdm_root_zap_owned(vcpu);
	spin_unlock(&vm->mmu.lock);
	tdm_mmu_free_table(vm, virt_to_page(m->pae));
	m->pae = NULL;
}
