// SPDX-License-Identifier: GPL-2.0-only
/*
 * Audit of shadow paging: every entry against the guest's table, the memslot,
 * the traces and the host's page tables; the books (reverse map, parents,
 * counts) against the entries.
 *
 * Slow: mmu.lock is held for the whole walk. For tests and debugfs.
 */
#include <linux/mm.h>

#include "shadow_mmu/shadow.h"

/**
 * struct saudit - state of an audit
 * @vm: the VM
 * @mm_alive: the host's tables can be read
 * @lies: what was wrong
 * @leaves: 4 KiB leaves seen
 */
struct saudit {
	struct tdm_vm *vm;
	bool mm_alive;
	u64 lies;
	u64 leaves;
};

static void lie(struct saudit *a, const char *what, const struct tdm_spage *sp,
		unsigned int i, u64 val)
{
	a->lies++;
	WARN_ONCE(1, "tandem: shadow audit: %s: table gfn %llx, role %llx, entry %u: %016llx, guest's %016llx\n",
		  what, sp->gfn, sp->role, i, val, sp->gpte[i]);
}

struct search {
	const u64 *spte;
	unsigned int found;
};

static void look(void *ctx, u64 *spte)
{
	struct search *s = ctx;

	s->found += spte == s->spte;
}

static bool in_chain(unsigned long head, const u64 *spte)
{
	struct search s = { .spte = spte };

	tdm_rmap_each(head, look, &s);
	return s.found == 1;
}

static void check_host(struct saudit *a, const struct tdm_spage *sp, unsigned int i,
		       struct tdm_memslot *slot, u64 gfn, u64 val)
{
	unsigned long hva = tdm_slot_hva(slot, gfn);
	struct tdm_host_map host;
	unsigned long flags;

	if (!a->mm_alive || tdm_mmu_invalidating(&a->vm->mmu, hva, hva + PAGE_SIZE))
		return;
	local_irq_save(flags);
	tdm_host_lookup(a->vm->mm, hva, &host);
	local_irq_restore(flags);
	if (!(host.pte & _PAGE_PRESENT))
		lie(a, "the host has no page there", sp, i, val);
	else if (tdm_host_pfn(host.pte) != tdm_spte_pfn(val))
		lie(a, "the host has another page there", sp, i, val);
	else if ((val & (TDM_SPT_W | TDM_SPT_HOST_W)) && !tdm_host_writable(host.pte))
		lie(a, "the host's page is not writable and dirty", sp, i, val);
}

static void check_write(struct saudit *a, const struct tdm_spage *sp, unsigned int i,
			struct tdm_memslot *slot, u64 gfn, u64 val, int level)
{
	u64 pages = tdm_level_pages(level), g;

	if ((val & (TDM_SPT_HOST_W | TDM_SPT_MAY_W)) != (TDM_SPT_HOST_W | TDM_SPT_MAY_W))
		lie(a, "writable, but not so marked", sp, i, val);
	if (slot->flags & KVM_MEM_READONLY)
		lie(a, "writable in a read-only memslot", sp, i, val);
	for (g = gfn; g < gfn + pages; g++) {
		if (tdm_gfn_traced(tdm_gfn_info(slot, g)))
			lie(a, "a traced page is writable", sp, i, val);
		if (slot->dirty && !test_bit(g - slot->base_gfn, slot->dirty))
			lie(a, "writable, but not in the dirty log", sp, i, val);
	}
}

/*
 * Does the table say what the entry was made from? Accessed and dirty bits may
 * have come since, by way of another shadow page of the table; in ROM the entry
 * has them although the table cannot.
 */
static bool in_step(const struct tdm_spage *sp, u64 now, u64 gpte)
{
	const u64 used = TDM_GPT_A | TDM_GPT_D;

	if ((now ^ gpte) & ~used)
		return false;
	return !(gpte & ~now) || !sp->guest_w;
}

/* The rights the guest's entry gives, as far as gpte[] knows it. */
static void check_rights(struct saudit *a, const struct tdm_spage *sp, unsigned int i,
			 u64 val, bool leaf)
{
	u64 gpte = sp->gpte[i], may = tdm_spte_rights(sp, gpte);

	if ((leaf || tdm_gpte_large(sp, gpte)) && !(gpte & TDM_GPT_D))
		may &= ~TDM_SPT_W;
	if (!(gpte & TDM_GPT_P) || tdm_gpte_bad(sp, gpte))
		lie(a, "the guest's entry is not present or not valid", sp, i, val);
	if (val & ~may & (TDM_SPT_W | TDM_SPT_U))
		lie(a, "more rights than the guest gives", sp, i, val);
	if (may & ~val & TDM_SPT_NX)
		lie(a, "executable, against the guest's entry", sp, i, val);
	if (!sp->unsync && sp->guest && !in_step(sp, tdm_gpte_read(sp, i), gpte) &&
	    sp->prot_gen <= a->vm->mmu.tlb_done)
		lie(a, "a traced table changed unseen", sp, i, tdm_gpte_read(sp, i));
}

static void check_leaf(struct saudit *a, struct tdm_spage *sp, unsigned int i, u64 val)
{
	int level = tdm_spage_level(sp);
	u64 gfn = tdm_spte_gfn(sp, i);
	struct tdm_memslot *slot = tdm_memslot_find(a->vm, gfn);

	if (!slot) {
		lie(a, "no memslot", sp, i, val);
		return;
	}
	a->leaves += level == TDM_LEVEL_4K;
	if (!in_chain(*tdm_leaf_head(slot, gfn, level), &sp->spt[i]))
		lie(a, "a leaf is not once in the reverse map", sp, i, val);
	if (val & TDM_SPT_W)
		check_write(a, sp, i, slot, gfn, val, level);
	check_host(a, sp, i, slot, gfn, val);
}

static void check_link(struct saudit *a, struct tdm_spage *sp, unsigned int i, u64 val)
{
	struct tdm_spage *child = tdm_spte_child(val);
	int level = tdm_spage_level(sp);
	u64 gfn = tdm_spte_gfn(sp, i);

	if (child->gfn != gfn || tdm_spage_level(child) != level - 1)
		lie(a, "points to another table", sp, i, val);
	if (hlist_unhashed(&child->hash))
		lie(a, "points to a dead shadow page", sp, i, val);
	if (!in_chain(child->parents, &sp->spt[i]))
		lie(a, "a link is not once among the parents", sp, i, val);
}

/* The monitor's entry: as its owner has it, in no book. */
static void check_monitor(struct saudit *a, const struct tdm_spage *sp)
{
	const struct tdm_vcpu *vcpu = sp->owner;
	u64 val = READ_ONCE(sp->spt[sp->mon]);

	if (sp->mon != vcpu->mmu.mon_index || val != vcpu->mmu.mon_entry || !val)
		lie(a, "not the entry of the owner's monitor", sp, sp->mon, val);
	if (test_bit(sp->mon, sp->filled))
		lie(a, "a monitor's entry is in the books", sp, sp->mon, val);
	if (sp->role >> TDM_ROLE_OWNER_SHIFT != vcpu->index + 1ull ||
	    tdm_spage_level(sp) != TDM_PT_LEVELS || sp->parents)
		lie(a, "a monitor where it cannot be", sp, sp->mon, val);
}

static void check_code(struct saudit *a, const struct tdm_spage *sp)
{
	if (bitmap_weight(sp->code, TDM_PT_ENTRIES) != sp->nr_code)
		lie(a, "the count of entries to code is wrong", sp, 0, sp->nr_code);
	if (sp->nr_code && (sp->orphan || tdm_spage_direct(sp)))
		lie(a, "a way to code is not watched", sp, 0, sp->nr_code);
}

static void check_spage(struct saudit *a, struct tdm_spage *sp)
{
	int level = tdm_spage_level(sp);
	unsigned int i, present = 0;

	check_code(a, sp);
	if (sp->owner)
		check_monitor(a, sp);
	else if (sp->role >> TDM_ROLE_OWNER_SHIFT)
		lie(a, "an owner's root without one", sp, 0, 0);
	for (i = 0; i < TDM_PT_ENTRIES; i++) {
		u64 val = READ_ONCE(sp->spt[i]);

		if (sp->owner && i == sp->mon)
			continue;
		if (!val != !test_bit(i, sp->filled))
			lie(a, "an entry and the bitmap differ", sp, i, val);
		if (!val)
			continue;
		present++;
		if (!tdm_spage_direct(sp))
			check_rights(a, sp, i, val, tdm_spte_leaf(val, level));
		if (tdm_spte_leaf(val, level))
			check_leaf(a, sp, i, val);
		else
			check_link(a, sp, i, val);
	}
	if (present != sp->present)
		lie(a, "the count of entries is wrong", sp, 0, sp->present);
	if (sp->orphan != (!sp->parents && !sp->roots) && sp->orphan)
		lie(a, "an orphan has parents or is a root", sp, 0, 0);
}

/* What a vCPU runs with must have its monitor's entry, and nobody else's root. */
static void check_vcpu(struct saudit *a, const struct tdm_vcpu *vcpu)
{
	const struct tdm_vcpu_mmu *m = &vcpu->mmu;
	const struct tdm_spage *sp = m->root[0];

	if (!sp || tdm_spage_level(sp) != TDM_PT_LEVELS || !m->mon_entry)
		return;
	/* One from before it had a monitor goes with the next update. */
	if (sp->owner != vcpu && !m->pending)
		lie(a, "a vCPU has another's root", sp, 0, m->hw_cr3);
	else if (READ_ONCE(sp->spt[m->mon_index]) != m->mon_entry)
		lie(a, "a vCPU's root lacks its monitor", sp, m->mon_index, m->mon_entry);
}

/* Sums over the slots must be what the shadow pages were seen to have. */
static void check_slots(struct saudit *a, u64 tables)
{
	u64 mapped = 0, traced_tables = 0;
	struct tdm_memslot *slot;
	unsigned long id;
	u64 g;

	xa_for_each(&a->vm->slots_by_id, id, slot) {
		for (g = slot->base_gfn; g < slot->base_gfn + slot->npages; g++) {
			mapped += tdm_rmap_count(tdm_gfn_info(slot, g)->rmap);
			traced_tables += tdm_gfn_info(slot, g)->tables;
		}
	}
	if (mapped == a->leaves && traced_tables == tables)
		return;
	a->lies++;
	WARN_ONCE(1, "tandem: shadow audit: %llu leaves, %llu in the reverse maps; %llu tables, %llu traced\n",
		  a->leaves, mapped, tables, traced_tables);
}

/**
 * tdm_shadow_audit() - check all shadow pages; WARN_ONCE on a lie
 * @vm: the VM; slots_sem and mmu.lock held
 * @mm_alive: vm->mm cannot go away
 *
 * Return: the number of lies.
 */
u64 tdm_shadow_audit(struct tdm_vm *vm, bool mm_alive)
{
	struct tdm_shadow *s = vm->mmu.shadow;
	struct saudit a = { .vm = vm, .mm_alive = mm_alive };
	struct tdm_spage *sp;
	u64 live = 0, tables = 0;
	struct tdm_vcpu *vcpu;
	unsigned long i;
	unsigned int b;

	for (b = 0; b < ARRAY_SIZE(s->hash); b++)
		hlist_for_each_entry(sp, &s->hash[b], hash) {
			live++;
			tables += !tdm_spage_direct(sp);
			check_spage(&a, sp);
		}
	check_slots(&a, tables);
	tdm_for_each_vcpu(vm, i, vcpu)
		check_vcpu(&a, vcpu);
	if (live != s->nr_live) {
		a.lies++;
		WARN_ONCE(1, "tandem: shadow audit: %llu shadow pages, %u counted\n",
			  live, s->nr_live);
	}
	return a.lies;
}
