// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mirror: the guest's GDT in the monitor's (gdt.c), as far as user code may load it
 * or ask LAR, LSL, VERR and VERW about it.
 *
 * Before each entry to user code the descriptors in guest memory are compared with
 * those the mirror was made of: Linux writes to its GDT at each context switch, and
 * changes it in a system call, so a trace would cost more. Where they cannot be
 * compared (no RAM, or users may access it) the mirror is read again each time.
 *
 * Must not sleep or fault in the comparison: interrupts are off, in host or monitor
 * state. Another processor can change a descriptor after it; the entry is as if that
 * came later.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "arch/x86/msr_check.h"
#include "bt/world.h"
#include "shadow_mmu/mmu.h"

/* Of @left descriptors from @gva on, how many are in its page whole. */
static unsigned int in_page(u64 gva, unsigned int left)
{
	return min_t(unsigned int, left, (PAGE_SIZE - offset_in_page(gva)) / 8);
}

/* ---- is it still good? ---- */

static bool same(const u64 *now, const u64 *was, unsigned int nr)
{
	u64 val, differ = 0;
	unsigned int i;

	/* At each entry to user code: half of it would be the loop's own. */
#pragma GCC unroll 8
	for (i = 0; i < nr; i++) {
		__get_kernel_nofault(&val, &now[i], u64, fault);
		differ |= val ^ was[i];
	}
	return !differ;

fault:
	return false;
}

/*
 * The first descriptor. What the shadow tables map stays where it is until tlb_gen
 * says something else, and this vCPU is waited for.
 */
static const u64 *first_at(struct tdm_vcpu *vcpu, struct tdm_bt_mirror *mi)
{
	u64 gen = READ_ONCE(vcpu->vm->mmu.tlb_gen);

	if (likely(mi->root == vcpu->mmu.hw_cr3 && mi->tlb_gen == gen))
		return mi->at;
	mi->at = tdm_shadow_reach(vcpu, mi->gdt.base, false);
	mi->root = vcpu->mmu.hw_cr3;
	mi->tlb_gen = gen;
	return mi->at;
}

enum verdict { SAME, OTHER, NO_IDEA };

static enum verdict compare(struct tdm_vcpu *vcpu, struct tdm_bt_mirror *mi)
{
	const u64 *at = first_at(vcpu, mi);
	u64 gva = mi->gdt.base;
	unsigned int i, n;

	for (i = 0; i < mi->nr; i += n, gva += 8 * n) {
		n = in_page(gva, mi->nr - i);
		if (unlikely(!n)) {
			/* One that lies across pages is absent: nobody has a GDT like that. */
			n = 1;
			continue;
		}
		if (unlikely(i))
			at = tdm_shadow_reach(vcpu, gva, false);
		if (unlikely(!at)) {
			/* Once more, when it is mapped. */
			mi->root = 0;
			return NO_IDEA;
		}
		if (unlikely(!same(at, mi->was + i, n)))
			return OTHER;
	}
	return SAME;
}

/**
 * tdm_bt_gdt_stale() - is the mirror to be read before user code runs?
 * @b: loaded vCPU, IN_GUEST, interrupts off
 */
bool tdm_bt_gdt_stale(const struct tdm_bt *b)
{
	const struct tdm_table *now = &b->vcpu->st.gdt;
	struct tdm_bt_mirror *mi = &b->mon->mirror;
	bool tried = mi->tried;

	if (unlikely(now->base != mi->gdt.base || now->limit != mi->gdt.limit))
		return true;
	mi->tried = false;
	switch (compare(b->vcpu, mi)) {
	case SAME:
		return false;
	case OTHER:
		return true;
	default:
		return !tried;
	}
}

/* ---- reading it ---- */

/* @nr descriptors of the guest's, in one page; 0: cannot be read. */
static void read_descs(struct tdm_vcpu *vcpu, u64 gva, u64 *to, unsigned int nr)
{
	struct tdm_page_fault pf;
	u64 gpa;

	memset(to, 0, nr * sizeof(*to));
	if (!tdm_canonical(gva, 48))
		return;
	/* For the comparison. What comes of it is seen there. */
	tdm_shadow_fault(vcpu, gva, 0, &pf);
	if (tdm_gva_to_gpa(vcpu, gva, TDM_ACCESS_READ | TDM_WALK_IMPLICIT | TDM_WALK_NO_AD, &gpa,
			   &pf) ||
	    tdm_read_gpa(vcpu->vm, gpa, to, nr * sizeof(*to)))
		memset(to, 0, nr * sizeof(*to));
}

static int read_all(struct tdm_vcpu *vcpu, struct tdm_bt_mirror *mi)
{
	u64 gva = vcpu->st.gdt.base, *was;
	unsigned int i, n;

	mi->root = 0;
	mi->tried = true;
	mi->gdt = vcpu->st.gdt;
	mi->nr = min_t(unsigned int, (mi->gdt.limit + 1u) / 8, BT_GDT_GUEST);
	if (mi->nr > mi->room) {
		was = kvmalloc_array(mi->nr, sizeof(*was), GFP_KERNEL_ACCOUNT);
		if (!was) {
			mi->nr = 0;
			mi->gdt.limit = ~vcpu->st.gdt.limit;
			return -ENOMEM;
		}
		kvfree(mi->was);
		mi->was = was;
		mi->room = mi->nr;
	}
	for (i = 0; i < mi->nr; i += n, gva += 8 * n) {
		n = in_page(gva, mi->nr - i);
		if (n)
			read_descs(vcpu, gva, mi->was + i, n);
		else
			mi->was[i] = 0;
		n = n ?: 1;
	}
	return 0;
}

static u64 mirrored(u64 desc)
{
	return (desc >> 40 & TDM_BT_AR_MIRRORED) == TDM_BT_AR_MIRRORED ?
	       desc | (u64)TDM_AR_ACCESSED << 40 : 0;
}

/**
 * tdm_bt_gdt_refresh() - read the mirror
 * @b: loaded vCPU, host state, process context
 *
 * What cannot be read is absent. Return: 0 or -ENOMEM.
 */
int tdm_bt_gdt_refresh(struct tdm_bt *b)
{
	const unsigned int per_page = PAGE_SIZE / 8;
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_bt_mon *m = b->mon;
	unsigned int page, i, index;
	int r;

	tdm_stat(vcpu, bt_gdt_reads);
	/* The hidden parts of what is loaded come from here, and go over it again. */
	preempt_disable();
	tdm_need(vcpu, TDM_ST_SEG_REST);
	preempt_enable();
	tdm_touch(vcpu, TDM_ST_SEG_REST);
	m->user_cs.selector = 0;
	r = read_all(vcpu, &m->mirror);
	if (r)
		return r;
	for (page = 0; page < BT_GDT_PAGES; page++) {
		if (!m->gdt[page] && page * per_page < m->mirror.nr &&
		    !tdm_bt_mon_gdt_page(m, page))
			return -ENOMEM;
		if (!m->gdt[page])
			continue;
		/* The monitor's own are behind them, in the last page. */
		for (i = 0; i < per_page && page * per_page + i < BT_GDT_GUEST; i++) {
			index = page * per_page + i;
			WRITE_ONCE(m->gdt[page][i],
				   index < m->mirror.nr ? mirrored(m->mirror.was[index]) : 0);
		}
	}
	return 0;
}
