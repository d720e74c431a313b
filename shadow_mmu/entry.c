// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an entry says: reading the guest's, making the shadow's.
 *
 * Must not say more than the guest's entry, its accessed and dirty bits, the
 * memslot, the traces, the dirty log and the host's page tables allow together.
 * All with mmu.lock held.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>

#include "shadow_mmu/shadow.h"

unsigned int tdm_prefetch = 8;
module_param_named(shadow_prefetch, tdm_prefetch, uint, 0644);
MODULE_PARM_DESC(shadow_prefetch,
		 "used entries of a guest table to fill in on either side of a hidden fault (0: none, default 8)");

static unsigned int direct_around = 32;
module_param_named(shadow_direct_around, direct_around, uint, 0644);
MODULE_PARM_DESC(shadow_direct_around,
		 "pages of a guest large page to map on either side of a fault (0: none, default 32)");

/* ---- the guest's entries ---- */

static u64 bits(unsigned int lo, unsigned int hi)
{
	return hi < lo ? 0 : GENMASK_ULL(hi, lo);
}

static unsigned int maxphyaddr(const struct tdm_spage *sp)
{
	return (sp->role & TDM_ROLE_MODE_MASK) >> TDM_MODE_MAXPHY_SHIFT;
}

/* Address bits from 32 up that a 4 MiB page has (PSE-36). */
static unsigned int pse36_bits(const struct tdm_spage *sp)
{
	return sp->role & TDM_MODE_PSE36 ? min(maxphyaddr(sp), 40u) - 32 : 0;
}

/* Reserved bits (SDM vol. 3, tables 4-4 to 4-20). */
static void describe_rsvd(struct tdm_spage *sp)
{
	int level = sp->level;
	u64 rsvd;

	if (tdm_spage_fmt(sp) == TDM_MODE_32) {
		if (level == TDM_LEVEL_2M)
			sp->rsvd[1] = bits(13 + pse36_bits(sp), 21);
		return;
	}
	rsvd = bits(maxphyaddr(sp), tdm_spage_fmt(sp) == TDM_MODE_PAE ? 62 : 51);
	if (!(sp->role & TDM_MODE_NX))
		rsvd |= TDM_GPT_NX;
	sp->rsvd[0] = rsvd;
	sp->rsvd[1] = rsvd | bits(13, 9 * level + 2);
	/* A bit that says "large" where no page can be that large. */
	if (level > TDM_LEVEL_1G || (level == TDM_LEVEL_1G && !(sp->role & TDM_MODE_1G)))
		sp->rsvd[0] |= TDM_GPT_LARGE;
}

/** tdm_spage_describe() - fill what follows from sp->role */
void tdm_spage_describe(struct tdm_spage *sp)
{
	unsigned int quad = tdm_spage_quad(sp);

	sp->level = (sp->role & TDM_ROLE_LEVEL_MASK) >> TDM_ROLE_LEVEL_SHIFT;
	sp->eshift = 3;
	sp->gshift = 0;
	sp->gbase = 0;
	sp->rsvd[0] = 0;
	sp->rsvd[1] = 0;
	if (tdm_spage_direct(sp))
		return;
	describe_rsvd(sp);
	if (tdm_spage_fmt(sp) != TDM_MODE_32)
		return;
	sp->eshift = 2;
	/* A 4 MiB entry is two of ours. */
	sp->gshift = sp->level == TDM_LEVEL_2M;
	sp->gbase = (quad * TDM_PT_ENTRIES) >> sp->gshift;
}

/** tdm_gpte_gfn_odd() - tdm_gpte_gfn() for large pages and 32-bit tables */
u64 tdm_gpte_gfn_odd(const struct tdm_spage *sp, u64 gpte, unsigned int i)
{
	u64 gfn;

	if (tdm_spage_fmt(sp) != TDM_MODE_32)
		return tdm_level_base((gpte & TDM_SPT_ADDR) >> PAGE_SHIFT, sp->level);
	if (!tdm_gpte_large(sp, gpte))
		return (u32)gpte >> PAGE_SHIFT;
	gfn = (gpte & bits(22, 31)) >> PAGE_SHIFT;
	gfn |= ((gpte >> 13) & ((1ull << pse36_bits(sp)) - 1)) << 20;
	return gfn + (i & 1) * TDM_PT_ENTRIES;
}

/**
 * tdm_spage_map_guest() - find the table in the kernel's own mapping
 * @vm: the VM
 * @slot: of the table
 * @sp: sp->guest and guest_w are set
 * @patient: the caller has the host's protection-key rights
 *
 * Return: 0; -EAGAIN: the host is changing it; -ENXIO: the host must bring it
 * in; -EFAULT: it is not memory.
 */
int tdm_spage_map_guest(struct tdm_vm *vm, struct tdm_memslot *slot, struct tdm_spage *sp,
			bool patient)
{
	unsigned long hva = tdm_slot_hva(slot, sp->gfn);
	struct tdm_host_map host;
	unsigned long flags;
	u64 pfn;
	int r;

	if (tdm_mmu_invalidating(&vm->mmu, hva, hva + PAGE_SIZE))
		return -EAGAIN;
	local_irq_save(flags);
	r = tdm_host_find(vm->mm, hva, false, patient, &host);
	local_irq_restore(flags);
	if (r)
		return r;
	pfn = tdm_host_pfn(host.pte);
	if (!tdm_host_kernel_maps(pfn))
		return -EFAULT;
	sp->guest = __va(pfn << PAGE_SHIFT);
	sp->guest_w = tdm_host_maps(host.pte) && tdm_host_writable(host.pte) &&
		      !(slot->flags & KVM_MEM_READONLY);
	return 0;
}

/* ---- the shadow's ---- */

/**
 * tdm_spte_rights() - an entry's own rights, without the address
 * @sp: of the table
 * @gpte: present
 *
 * The processor runs with CR0.WP set whatever the guest's says. With the
 * guest's clear, a supervisor may write everywhere: to pages only it can reach,
 * by letting W in; to others by emulation, as no entry can say that.
 */
u64 tdm_spte_rights(const struct tdm_spage *sp, u64 gpte)
{
	u64 val = TDM_SPT_P | TDM_SPT_A | (gpte & TDM_GPT_U);

	if ((gpte & TDM_GPT_W) || (!(sp->role & TDM_MODE_WP) && !(gpte & TDM_GPT_U)))
		val |= TDM_SPT_W;
	if (tdm_spage_fmt(sp) != TDM_MODE_32)
		val |= gpte & TDM_GPT_NX;
	return val;
}

/**
 * tdm_spte_link_val() - an entry that points to another shadow page
 * @sp: of the table
 * @gpte: the guest's entry; a large page is mapped by a direct shadow page
 * @child: that shadow page
 */
u64 tdm_spte_link_val(const struct tdm_spage *sp, u64 gpte, const struct tdm_spage *child)
{
	u64 val = tdm_spte_rights(sp, gpte);

	/* Hardware sets a large page's dirty bit with the first write. */
	if (tdm_gpte_large(sp, gpte) && !(gpte & TDM_GPT_D))
		val &= ~TDM_SPT_W;
	return val | __pa(child->spt);
}

static u64 leaf_rights(const struct tdm_spage *sp, u64 gpte)
{
	u64 val;

	if (tdm_spage_direct(sp))
		return TDM_SPT_P | TDM_SPT_A | TDM_SPT_U | TDM_SPT_W |
		       (u64)(sp->role >> TDM_ROLE_PKEY_SHIFT) << TDM_SPT_PKEY_SHIFT;
	val = tdm_spte_rights(sp, gpte);
	if (!(gpte & TDM_GPT_D))
		val &= ~TDM_SPT_W;
	if (tdm_spage_fmt(sp) == TDM_MODE_64)
		val |= gpte & TDM_SPT_PKEY;
	return val;
}

/* All that is needed to write a leaf. */
struct leaf {
	u64 pfn;
	bool host_w;	/* the host's entry allows writes, as long as it lasts */
};

static bool page_traced(const struct tdm_memslot *slot, u64 gfn, int level)
{
	return level == TDM_LEVEL_4K && tdm_gfn_traced(tdm_gfn_info(slot, gfn));
}

static u64 leaf_value(const struct tdm_sfill *f, const struct tdm_memslot *slot,
		      u64 gfn, u64 gpte, const struct leaf *leaf, u64 old)
{
	u64 val = leaf_rights(f->sp, gpte);
	bool may_w = (val & TDM_SPT_W) && !(slot->flags & KVM_MEM_READONLY);

	val &= ~TDM_SPT_W;
	val |= leaf->pfn << PAGE_SHIFT;
	if (f->level > TDM_LEVEL_4K)
		val |= TDM_SPT_LARGE;
	if (leaf->host_w)
		val |= TDM_SPT_HOST_W;
	if (may_w)
		val |= TDM_SPT_MAY_W;
	if (may_w && leaf->host_w && !page_traced(slot, gfn, f->level) &&
	    (!tdm_slot_logs(slot) || f->write || (old & TDM_SPT_W)))
		val |= TDM_SPT_W | TDM_SPT_D;
	return val;
}

static void install_new(const struct tdm_sfill *f, const struct tdm_memslot *slot,
			u64 gfn, u64 *spte, u64 val)
{
	unsigned long *head = tdm_leaf_head(slot, gfn, f->level);

	tdm_spage_bound_chain(f->vm, head);
	tdm_rmap_add(f->vm, head, spte);
	if (f->level == TDM_LEVEL_4K)
		tdm_block_info(slot, gfn)->mapped++;
	__set_bit(tdm_spte_index(spte), f->sp->filled);
	f->sp->present++;
	WRITE_ONCE(*spte, val);
}

/* The entry maps the same page already: rights only. */
static void install_over(struct tdm_vm *vm, u64 *spte, u64 old, u64 val)
{
	const u64 lost = TDM_SPT_W | TDM_SPT_U;

	WRITE_ONCE(*spte, val);
	if ((old & ~val & lost) || (~old & val & TDM_SPT_NX) || ((old ^ val) & TDM_SPT_PKEY))
		tdm_mmu_lost(vm);
}

static void install(struct tdm_sfill *f, struct tdm_memslot *slot,
		    const struct leaf *leaf)
{
	u64 *spte = &f->sp->spt[f->i], old = *spte, val;

	if (old && (!tdm_spte_leaf(old, f->level) || tdm_spte_pfn(old) != leaf->pfn ||
		    tdm_spte_gfn(f->sp, f->i) != f->gfn)) {
		tdm_spage_drop_entry(f->vm, spte);
		old = 0;
	}
	val = leaf_value(f, slot, f->gfn, f->gpte, leaf, old);
	if ((val & TDM_SPT_W) && tdm_slot_logs(slot))
		tdm_mark_dirty(slot, f->gfn);
	tdm_code_note(f->vm, f->sp, f->i, f->gpte);
	f->sp->gpte[f->i] = f->gpte;
	if (old)
		install_over(f->vm, spte, old, val);
	else
		install_new(f, slot, f->gfn, spte, val);
}

/*
 * The entry maps the page already, and lacks a right that the guest's tables or
 * the dirty log withheld: the host need not be asked.
 */
static bool fill_again(struct tdm_sfill *f, struct tdm_memslot *slot)
{
	u64 old = f->sp->spt[f->i];
	struct leaf leaf = {
		.pfn = tdm_spte_pfn(old), .host_w = old & TDM_SPT_HOST_W,
	};

	if (!old || !tdm_spte_leaf(old, f->level) || (f->write && !leaf.host_w) ||
	    tdm_spte_gfn(f->sp, f->i) != f->gfn)
		return false;
	install(f, slot, &leaf);
	return true;
}

/* Look the page up and install it; interrupts are off. */
static int fill_irqoff(struct tdm_sfill *f, struct tdm_memslot *slot,
		       struct tdm_host_map *host)
{
	struct leaf leaf;
	int r = tdm_host_find(f->vm->mm, f->hva, f->write, f->slow, host);

	if (r)
		return r;
	if (f->level > host->level)
		return -EAGAIN;
	leaf.pfn = tdm_host_pfn(host->pte);
	leaf.host_w = tdm_host_grants_write(host->pte, f->write);
	install(f, slot, &leaf);
	return 0;
}

/**
 * tdm_spte_fill() - make a leaf
 * @f: what; @f->hva and @f->generation are set. tdm_rmap_room(1).
 * @slot: of @f->gfn. With @f->write it is not read-only.
 *
 * The entry may lack W in the end although @f->write: a trace.
 *
 * Return: 0; -EAGAIN: not now, or not so; -ENXIO: the host must bring the page
 * in; -EFAULT.
 */
int tdm_spte_fill(struct tdm_sfill *f, struct tdm_memslot *slot)
{
	struct tdm_host_map host;
	unsigned long flags;
	int r;

	f->hva = tdm_slot_hva(slot, f->gfn);
	f->generation = f->vm->slots_generation;
	if (f->vm->mmu.gone)
		return -EFAULT;
	if (tdm_mmu_invalidating(&f->vm->mmu, f->hva,
				 f->hva + (tdm_level_pages(f->level) << PAGE_SHIFT)))
		return -EAGAIN;
	if (fill_again(f, slot))
		return 0;
	local_irq_save(flags);
	r = fill_irqoff(f, slot, &host);
	local_irq_restore(flags);
	return r;
}

/**
 * tdm_block_level() - can the 2 MiB around a gfn be one leaf?
 * @vm: the VM
 * @slot: of @gfn
 * @gfn: any in the block
 *
 * Return: TDM_LEVEL_2M or TDM_LEVEL_4K.
 */
int tdm_block_level(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn)
{
	u64 base = tdm_level_base(gfn, TDM_LEVEL_2M);
	struct tdm_host_map host;
	unsigned long flags;

	if (tdm_slot_logs(slot) || tdm_block_info(slot, gfn)->traced ||
	    base < slot->base_gfn ||
	    base + TDM_PT_ENTRIES > slot->base_gfn + slot->npages ||
	    tdm_slot_hva(slot, base) & (PMD_SIZE - 1))
		return TDM_LEVEL_4K;
	local_irq_save(flags);
	tdm_host_lookup(vm->mm, tdm_slot_hva(slot, gfn), &host);
	local_irq_restore(flags);
	return host.level >= TDM_LEVEL_2M && tdm_host_maps(host.pte) ?
	       TDM_LEVEL_2M : TDM_LEVEL_4K;
}

/* ---- beside a fault ---- */

/* One page further on in a direct shadow page; both tables are in reach. */
static bool fill_neighbour(struct tdm_sfill *f, struct tdm_memslot *slot,
			   const struct tdm_host_map *host, int d)
{
	u64 pte = host->ptep ? READ_ONCE(host->ptep[d]) :
			       host->pte + ((u64)(s64)d << PAGE_SHIFT);
	u64 gfn = f->gfn + d, *spte = &f->sp->spt[f->i + d];
	struct leaf leaf;

	if (*spte || !tdm_host_maps(pte) || !tdm_rmap_room(f->vm, 1))
		return false;
	leaf.pfn = tdm_host_pfn(pte);
	leaf.host_w = tdm_host_writable(pte);
	install_new(f, slot, gfn, spte, leaf_value(f, slot, gfn, f->gpte, &leaf, 0));
	return true;
}

/*
 * The rest of a guest large page, outward until the host lacks a page or there
 * is a mapping. The shadow page, the host's table and the slot bound it.
 */
static void fill_direct(struct tdm_sfill *f, struct tdm_memslot *slot)
{
	u64 max = READ_ONCE(direct_around);
	unsigned int hi = (f->hva >> PAGE_SHIFT) & (TDM_PT_ENTRIES - 1);
	u64 down = min3(f->gfn - slot->base_gfn, (u64)min(f->i, hi), max);
	u64 up = min3(slot->base_gfn + slot->npages - 1 - f->gfn,
		      (u64)TDM_PT_ENTRIES - 1 - max(f->i, hi), max);
	struct tdm_host_map host;
	unsigned long flags;
	int d, n = 0;

	if (tdm_mmu_invalidating(&f->vm->mmu, f->hva - (down << PAGE_SHIFT),
				 f->hva + ((up + 1) << PAGE_SHIFT)))
		return;
	f->write = false;
	local_irq_save(flags);
	tdm_host_lookup(f->vm->mm, f->hva, &host);
	if (tdm_host_maps(host.pte)) {
		for (d = 1; d <= (int)up && fill_neighbour(f, slot, &host, d); d++)
			n++;
		for (d = 1; d <= (int)down && fill_neighbour(f, slot, &host, -d); d++)
			n++;
	}
	local_irq_restore(flags);
	tdm_vm_stat_add(f->vm, shadow_prefetched, n);
}

/* An entry beside one that was filled in: if the guest has used it before. */
static bool fill_beside(struct tdm_sfill *f, unsigned int i)
{
	struct tdm_sfill g = {
		.vm = f->vm, .sp = f->sp, .i = i, .level = TDM_LEVEL_4K,
	};
	struct tdm_memslot *slot;

	if (f->sp->spt[i])
		return false;
	g.gpte = tdm_gpte_read(f->sp, i);
	if ((g.gpte & (TDM_GPT_P | TDM_GPT_A)) != (TDM_GPT_P | TDM_GPT_A) ||
	    tdm_gpte_bad(f->sp, g.gpte) || !tdm_rmap_room(f->vm, 1))
		return false;
	g.gfn = tdm_gpte_gfn(f->sp, g.gpte, i);
	slot = tdm_memslot_find_locked(f->vm, g.gfn);
	return slot && !tdm_spte_fill(&g, slot);
}

/* Neighbours in the guest's table, outward until one is of no use. */
static void fill_table(struct tdm_sfill *f)
{
	unsigned int max = READ_ONCE(tdm_prefetch), n = 0, d;

	for (d = 1; d <= max && f->i + d < TDM_PT_ENTRIES; d++, n++)
		if (!fill_beside(f, f->i + d))
			break;
	for (d = 1; d <= max && d <= f->i; d++, n++)
		if (!fill_beside(f, f->i - d))
			break;
	if (n)
		tdm_vm_stat_add(f->vm, shadow_prefetched, n);
}

/**
 * tdm_spte_fill_around() - map what lies beside a page just mapped, if it is cheap
 * @f: as filled by tdm_spte_fill(); not to be used after
 * @slot: ditto
 */
void tdm_spte_fill_around(struct tdm_sfill *f, struct tdm_memslot *slot)
{
	if (f->level != TDM_LEVEL_4K)
		return;
	if (tdm_spage_direct(f->sp))
		fill_direct(f, slot);
	else
		fill_table(f);
}

/* ---- the guest's entry changed ---- */

/**
 * tdm_spte_fill_eagerly() - spare the guest the hidden fault
 * @vm: the VM
 * @sp: of a leaf table
 * @i: the entry
 * @gpte: the guest's entry now
 *
 * Only what the guest has used before: hardware sets accessed bits, not we.
 *
 * Return: true if the entry is present now.
 */
bool tdm_spte_fill_eagerly(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte)
{
	struct tdm_sfill f = {
		.vm = vm, .sp = sp, .i = i, .gpte = gpte, .level = TDM_LEVEL_4K,
	};
	struct tdm_memslot *slot;

	if (!(gpte & TDM_GPT_P) || !(gpte & TDM_GPT_A) || tdm_gpte_bad(sp, gpte) ||
	    (!sp->unsync && sp->prot_gen > vm->mmu.tlb_done) || !tdm_rmap_room(vm, 1))
		return false;
	f.gfn = tdm_gpte_gfn(sp, gpte, i);
	slot = tdm_memslot_find_locked(vm, f.gfn);
	if (!slot || tdm_spte_fill(&f, slot))
		return false;
	tdm_vm_stat(vm, shadow_eager);
	return true;
}

static u64 refreshed_leaf(const struct tdm_spage *sp, u64 gpte, u64 old)
{
	u64 rights = leaf_rights(sp, gpte);
	u64 val = old & ~(TDM_SPT_U | TDM_SPT_W | TDM_SPT_D | TDM_SPT_NX | TDM_SPT_PKEY);

	val |= rights & (TDM_SPT_U | TDM_SPT_NX | TDM_SPT_PKEY);
	/* What it gained comes with the next fault; here only what it keeps. */
	if (!(rights & TDM_SPT_W))
		val &= ~TDM_SPT_MAY_W;
	else
		val |= old & (TDM_SPT_W | TDM_SPT_D);
	return val;
}

/**
 * tdm_spte_refresh() - the guest's entry behind a shadow entry is another now
 * @vm: the VM
 * @sp: of the table
 * @i: a present entry
 * @gpte: the guest's entry now
 *
 * If it still points to the same place the rights are brought up to date;
 * otherwise the entry goes.
 */
void tdm_spte_refresh(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte)
{
	u64 *spte = &sp->spt[i], old = *spte, was = sp->gpte[i];
	int level = tdm_spage_level(sp);

	if (gpte == was)
		return;
	tdm_code_note(vm, sp, i, gpte);
	if (!(gpte & TDM_GPT_P) || !(gpte & TDM_GPT_A) || tdm_gpte_bad(sp, gpte) ||
	    tdm_gpte_large(sp, gpte) != tdm_gpte_large(sp, was) ||
	    tdm_gpte_gfn(sp, gpte, i) != tdm_gpte_gfn(sp, was, i) ||
	    (tdm_gpte_large(sp, gpte) && ((gpte ^ was) & TDM_SPT_PKEY))) {
		tdm_spage_drop_entry(vm, spte);
		return;
	}
	sp->gpte[i] = gpte;
	if (tdm_spte_leaf(old, level))
		install_over(vm, spte, old, refreshed_leaf(sp, gpte, old));
	else
		install_over(vm, spte, old, tdm_spte_link_val(sp, gpte, tdm_spte_child(old)));
}
