// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a CPUID leaf in constant time, and what CPUID gives for leaves that
 * nobody described.
 *
 * The rule of the ABI: of the entries with the function, the first one wins
 * whose subleaf is not significant or equals ECX. A caller may give entries in
 * any order, twice, and at functions no processor has: those few beyond the
 * index are searched for, at the cost of that caller's own guest.
 *
 * Must not know of vCPUs: the unit tests build this file in userspace.
 */
#include "arch/x86/cpuid_index.h"

#define LEAF_TOPOLOGY		0x0bu
#define LEAF_TOPOLOGY_V2	0x1fu

/* Number of the function's slot in the index, or NULL when it has none. */
static const u16 *leaf_slot(const struct tdm_cpuid_index *idx, u32 function)
{
	/* 0x0..., 0x4..., 0x8..., 0xc...: the two top bits tell the class */
	if ((function & 0x3fffffffu) >= TDM_CPUID_LEAVES)
		return NULL;
	return &idx->leaf[function >> 30][function & (TDM_CPUID_LEAVES - 1)];
}

static bool entry_indexed(const struct kvm_cpuid_entry2 *e)
{
	return e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
}

/* First pass: a group for each leaf, and how many subleaf slots it wants. */
static void index_groups(struct tdm_cpuid_index *idx,
			 const struct kvm_cpuid_entry2 *entries)
{
	const struct kvm_cpuid_entry2 *e;
	struct tdm_cpuid_leaf *g;
	u16 *slot;
	int i;

	for (i = 0; i < idx->nent; i++) {
		e = &entries[i];
		slot = (u16 *)leaf_slot(idx, e->function);
		if (!slot) {
			idx->outside = true;
			continue;
		}
		if (!*slot)
			*slot = idx->nr_groups++;
		g = &idx->group[*slot];
		if (!entry_indexed(e))
			continue;
		if (e->index >= TDM_CPUID_SUBLEAVES)
			g->search = true;
		else if (e->index >= g->nsub)
			g->nsub = e->index + 1;
	}
}

static void index_pool(struct tdm_cpuid_index *idx)
{
	struct tdm_cpuid_leaf *g;
	int i;

	for (i = 1; i < idx->nr_groups; i++) {
		g = &idx->group[i];
		if (idx->nr_pool + g->nsub > TDM_CPUID_POOL) {
			g->nsub = 0;
			g->search = true;
			continue;
		}
		g->sub = idx->nr_pool;
		idx->nr_pool += g->nsub;
	}
}

/* Last pass, in the caller's order: the first entry that fits a slot keeps it. */
static void index_entries(struct tdm_cpuid_index *idx,
			  const struct kvm_cpuid_entry2 *entries)
{
	const struct kvm_cpuid_entry2 *e;
	struct tdm_cpuid_leaf *g;
	const u16 *slot;
	int i;

	for (i = 0; i < idx->nent; i++) {
		e = &entries[i];
		slot = leaf_slot(idx, e->function);
		if (!slot)
			continue;
		g = &idx->group[*slot];
		if (g->any)
			continue;
		if (!entry_indexed(e))
			g->any = i + 1;
		else if (e->index < g->nsub && !idx->pool[g->sub + e->index])
			idx->pool[g->sub + e->index] = i + 1;
	}
}

static bool vendor_is_amd(const struct kvm_cpuid_entry2 *e)
{
	return (e->ebx == 0x68747541 && e->edx == 0x69746e65 && e->ecx == 0x444d4163) ||
	       (e->ebx == 0x6f677948 && e->edx == 0x6e65476e && e->ecx == 0x656e6975);
}

/**
 * tdm_cpuid_index_build() - index @entries
 * @idx: where to; earlier contents are lost
 * @entries: must stay where they are for as long as the index is used with
 *	     them; registers in them may change, functions and flags may not
 * @nent: 0..TDM_CPUID_MAX_ENTRIES
 */
void tdm_cpuid_index_build(struct tdm_cpuid_index *idx,
			   const struct kvm_cpuid_entry2 *entries, unsigned int nent)
{
	const struct kvm_cpuid_entry2 *vendor;

	memset(idx, 0, sizeof(*idx));
	idx->nent = min_t(unsigned int, nent, TDM_CPUID_MAX_ENTRIES);
	idx->nr_groups = 1;
	index_groups(idx, entries);
	index_pool(idx);
	index_entries(idx, entries);
	vendor = tdm_cpuid_index_find(idx, entries, 0, 0);
	idx->redirect = vendor && !vendor_is_amd(vendor);
}

static const struct kvm_cpuid_entry2 *
find_by_search(const struct tdm_cpuid_index *idx,
	       const struct kvm_cpuid_entry2 *entries, u32 function, u32 index)
{
	const struct kvm_cpuid_entry2 *e;
	int i;

	for (i = 0; i < idx->nent; i++) {
		e = &entries[i];
		if (e->function == function && (!entry_indexed(e) || e->index == index))
			return e;
	}
	return NULL;
}

/**
 * tdm_cpuid_index_find() - the entry for a leaf and subleaf
 * @idx: index built over @entries
 * @entries: the entries
 * @function: leaf (EAX)
 * @index: subleaf (ECX)
 *
 * Return: the entry, or NULL if the caller gave none.
 */
const struct kvm_cpuid_entry2 *
tdm_cpuid_index_find(const struct tdm_cpuid_index *idx,
		     const struct kvm_cpuid_entry2 *entries, u32 function, u32 index)
{
	const struct kvm_cpuid_entry2 *e = tdm_cpuid_index_hit(idx, entries, function, index);
	const u16 *slot;

	if (likely(e))
		return e;
	slot = leaf_slot(idx, function);
	if (slot ? idx->group[*slot].search : idx->outside)
		return find_by_search(idx, entries, function, index);
	return NULL;
}

/*
 * SDM vol. 2, CPUID: "If a value entered for CPUID.EAX is higher than the
 * maximum input value for basic or extended function for that processor then
 * the data for the highest basic information leaf is returned"; a leaf inside
 * its range that is not there gives zeros. Hypervisor leaves come in blocks of
 * 256, each with its own maximum.
 */
static bool out_of_range(const struct tdm_cpuid_index *idx,
			 const struct kvm_cpuid_entry2 *entries, u32 function)
{
	const struct kvm_cpuid_entry2 *max;
	u32 base;

	if (function >> 28 == 4)
		base = function & 0xffffff00u;
	else if (function >= 0xc0000000u)
		base = 0xc0000000u;
	else
		base = function & 0x80000000u;
	max = tdm_cpuid_index_find(idx, entries, base, 0);
	return !max || function > max->eax;
}

/**
 * tdm_cpuid_index_exec() - what CPUID returns
 * @idx: index built over @entries
 * @entries: the entries
 * @eax: in: leaf; out
 * @ebx: out
 * @ecx: in: subleaf; out
 * @edx: out
 */
void tdm_cpuid_index_exec(const struct tdm_cpuid_index *idx,
			  const struct kvm_cpuid_entry2 *entries,
			  u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 function = *eax, index = *ecx;
	const struct kvm_cpuid_entry2 *e;

	e = tdm_cpuid_index_find(idx, entries, function, index);
	if (unlikely(!e) && idx->redirect && out_of_range(idx, entries, function)) {
		function = tdm_cpuid_index_find(idx, entries, 0, 0)->eax;
		e = tdm_cpuid_index_find(idx, entries, function, index);
	}
	if (likely(e)) {
		*eax = e->eax;
		*ebx = e->ebx;
		*ecx = e->ecx;
		*edx = e->edx;
		return;
	}
	*eax = 0;
	*ebx = 0;
	*ecx = 0;
	*edx = 0;
	/* Levels past the last: ECX[7:0] comes back, EDX is the x2APIC ID (SDM). */
	if (function == LEAF_TOPOLOGY || function == LEAF_TOPOLOGY_V2) {
		e = tdm_cpuid_index_find(idx, entries, function, 0);
		if (e) {
			*ecx = index & 0xff;
			*edx = e->edx;
		}
	}
}
