/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding a CPUID leaf in constant time.
 *
 * Pure: builds in the kernel and in the unit tests. The index refers to the
 * entries by number; it is built once, whenever a caller sets CPUID, and read
 * at every CPUID exit.
 */
#ifndef TDM_CPUID_INDEX_H
#define TDM_CPUID_INDEX_H

#include <linux/kvm.h>

#include "arch/x86/emul/port.h"

#define TDM_CPUID_MAX_ENTRIES	256	/* as KVM: more is E2BIG */
#define TDM_CPUID_CLASSES	4	/* basic, hypervisor, extended, Centaur */
#define TDM_CPUID_LEAVES	64	/* leaves of a class that are indexed */
#define TDM_CPUID_SUBLEAVES	64	/* subleaves of a leaf that are indexed */
#define TDM_CPUID_POOL		1024	/* subleaf slots of all leaves together */

/**
 * struct tdm_cpuid_leaf - where the entries of one leaf are
 * @any: entry (number + 1) whose subleaf does not matter, 0 = none
 * @nsub: indexed subleaves are below this
 * @sub: first slot in the pool
 * @search: has subleaves the index has no room for
 */
struct tdm_cpuid_leaf {
	u16 any;
	u16 nsub;
	u16 sub;
	bool search;
};

/**
 * struct tdm_cpuid_index - the index over an array of entries
 * @leaf: by class and low bits of the function; number in @group, 0 = none
 * @group: by number; [0] unused
 * @pool: subleaf slots: entry number + 1, 0 = none
 * @nr_groups: groups used, the unused first included
 * @nr_pool: slots used
 * @nent: entries there are
 * @outside: some functions are beyond the index and need a search
 * @redirect: a function out of range gives the highest basic leaf (Intel);
 *	      otherwise it gives zeros (AMD)
 */
struct tdm_cpuid_index {
	u16 leaf[TDM_CPUID_CLASSES][TDM_CPUID_LEAVES];
	struct tdm_cpuid_leaf group[TDM_CPUID_MAX_ENTRIES + 1];
	u16 pool[TDM_CPUID_POOL];
	u16 nr_groups;
	u16 nr_pool;
	u16 nent;
	bool outside;
	bool redirect;
};

void tdm_cpuid_index_build(struct tdm_cpuid_index *idx,
			   const struct kvm_cpuid_entry2 *entries, unsigned int nent);
const struct kvm_cpuid_entry2 *
tdm_cpuid_index_find(const struct tdm_cpuid_index *idx,
		     const struct kvm_cpuid_entry2 *entries, u32 function, u32 index);

/**
 * tdm_cpuid_index_hit() - the entry for a leaf and subleaf, if the index has it
 * @idx: index built over @entries
 * @entries: the entries
 * @function: leaf (EAX)
 * @index: subleaf (ECX)
 *
 * The hot half of tdm_cpuid_index_find(), inline in the CPUID exit.
 *
 * Return: the entry; NULL if it takes a search or is not there.
 */
static inline const struct kvm_cpuid_entry2 *
tdm_cpuid_index_hit(const struct tdm_cpuid_index *idx,
		    const struct kvm_cpuid_entry2 *entries, u32 function, u32 index)
{
	const struct tdm_cpuid_leaf *g;
	u16 n = 0;

	/* 0x0..., 0x4..., 0x8..., 0xc...: the two top bits tell the class */
	if (unlikely((function & 0x3fffffffu) >= TDM_CPUID_LEAVES))
		return NULL;
	g = &idx->group[idx->leaf[function >> 30][function & (TDM_CPUID_LEAVES - 1)]];
	if (index < g->nsub)
		n = idx->pool[g->sub + index];
	if (!n) {
		if (unlikely(g->search))
			return NULL;
		n = g->any;
	}
	return n ? &entries[n - 1] : NULL;
}

void tdm_cpuid_index_exec(const struct tdm_cpuid_index *idx,
			  const struct kvm_cpuid_entry2 *entries,
			  u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

#endif /* TDM_CPUID_INDEX_H */
