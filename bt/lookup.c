// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookup tables: what indirect branches look their target up in, in the TC, without
 * the monitor. One for each vCPU and space; only the current one is mapped.
 *
 * A table is direct-mapped by the low 16 bits of the guest's RIP, 512 KiB of
 * addresses in the TC: of the target's stub, which compares the rest, or of the
 * common code for a miss. Its pages come one by one; where there is none, a page full
 * of misses is mapped. What a table says is never read back for anything but
 * removing it.
 */
#include <linux/io.h>
#include <linux/slab.h>

#include "bt/tc.h"
#include "shadow_mmu/mmu.h"

#define PER_PAGE	(PAGE_SIZE / TDM_BT_LOOKUP_SIZE)
#define PTE_RO		(BIT_ULL(0) | BIT_ULL(5) | BIT_ULL(63))	/* P, A, NX */

static_assert(TDM_BT_LOOKUP_SIZE == sizeof(u64));

static u64 miss_va(const struct tdm_bt_vm *tc)
{
	return tdm_tc_va(tc, 0);
}

/** tdm_lookup_init_page() - a page of misses; tc->lock held, tc->base as it will be used */
void tdm_lookup_init_page(const struct tdm_bt_vm *tc, u64 *page)
{
	unsigned int i;

	for (i = 0; i < PER_PAGE; i++)
		page[i] = miss_va(tc);
}

/** tdm_lookup_find() - the vCPU's table for a space; tc->lock held; NULL: none */
struct tdm_bt_lookup *tdm_lookup_find(struct tdm_bt_tcv *tcv, struct tdm_bt_space *space)
{
	struct tdm_bt_lookup *l;

	list_for_each_entry(l, &tcv->lookups, node)
		if (l->space == space)
			return l;
	return NULL;
}

static struct tdm_bt_lookup *table_alloc(struct tdm_bt_vm *tc, struct tdm_bt_space *space)
{
	struct tdm_bt_lookup *l;
	unsigned int i;

	l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	if (!l)
		return NULL;
	l->pt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!l->pt) {
		kfree(l);
		return NULL;
	}
	for (i = 0; i < TDM_LOOKUP_PAGES; i++)
		l->pt[i] = virt_to_phys(tc->empty) | PTE_RO;
	l->space = space;
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, sizeof(*l) + PAGE_SIZE);
	return l;
}

static void table_free(struct tdm_bt_vm *tc, struct tdm_bt_lookup *l)
{
	unsigned int i, n = 0;

	for (i = 0; i < TDM_LOOKUP_PAGES; i++) {
		n += !!l->page[i];
		free_page((unsigned long)l->page[i]);
	}
	free_page((unsigned long)l->pt);
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, -(s64)(sizeof(*l) + (n + 1) * PAGE_SIZE));
	kfree(l);
}

static int refill(struct tdm_bt_vm *tc, struct tdm_bt_tcv *tcv)
{
	u64 *page;

	while (tcv->nr_spare < TDM_LOOKUP_SPARE) {
		page = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
		if (!page)
			return tcv->nr_spare ? 0 : -ENOMEM;
		tdm_vm_stat_add(tc->vm, bt_mem_bytes, PAGE_SIZE);
		tcv->spare[tcv->nr_spare++] = page;
	}
	return 0;
}

/**
 * tdm_lookup_ensure() - the vCPU uses the table of a space from now on
 * @tc: the TC; process context
 * @b: the vCPU
 * @space: its new space
 *
 * Return: 0, -ENOMEM.
 */
int tdm_lookup_ensure(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_bt_space *space)
{
	struct tdm_bt_tcv *tcv = b->tcv;
	struct tdm_bt_lookup *l;

	if (refill(tc, tcv))
		return -ENOMEM;
	spin_lock(&tc->lock);
	l = tdm_lookup_find(tcv, space);
	spin_unlock(&tc->lock);
	if (!l) {
		l = table_alloc(tc, space);
		if (!l)
			return -ENOMEM;
		spin_lock(&tc->lock);
		list_add(&l->node, &tcv->lookups);
		spin_unlock(&tc->lock);
	}
	if (tcv->lookup != l) {
		tcv->lookup = l;
		tdm_bt_set_lookup(b, virt_to_phys(l->pt));
	}
	return 0;
}

static unsigned int index_of(u64 rip)
{
	return rip & ((1u << TDM_BT_LOOKUP_BITS) - 1);
}

/* A TU's stub, made when it is first wanted. 0: no room; ask in process context. */
static u32 stub_of(struct tdm_bt_vm *tc, struct tdm_tu *tu)
{
	u8 code[TDM_BT_STUB_MAX];

	if (tu->stub)
		return tu->stub;
	if (!tc->nr_stubs) {
		WRITE_ONCE(tc->want_stubs, true);
		return 0;
	}
	memset(code, 0xcc, sizeof(code));
	tdm_bt_emit_stub(code, tdm_tc_va(tc, tc->stub_next), tc->base, tu->rip,
			 tdm_tc_va(tc, tu->off), miss_va(tc));
	tdm_tc_write(tc, tc->stub_next, code, sizeof(code));
	tu->stub = tc->stub_next;
	tc->stub_next += TDM_BT_STUB_MAX;
	tc->nr_stubs--;
	return tu->stub;
}

/**
 * tdm_lookup_add() - indirect branches of a vCPU find a TU from now on
 * @tc: the TC; tc->lock held
 * @b: the vCPU, in the TU's space, not in the guest
 * @tu: alive
 *
 * Return: false: not yet, there is something to do in process context first.
 */
bool tdm_lookup_add(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_tu *tu)
{
	struct tdm_bt_tcv *tcv = b->tcv;
	struct tdm_bt_lookup *l = tcv->lookup;
	unsigned int index = index_of(tu->rip), nr = index / PER_PAGE;
	u32 stub;

	if (tdm_bt_verify || !l || l->space != tu->space)
		return true;
	stub = stub_of(tc, tu);
	/* No page left: tdm_bt_space_fast() has more made. */
	if (!stub || (!l->page[nr] && !tcv->nr_spare))
		return false;
	if (!l->page[nr]) {
		l->page[nr] = tcv->spare[--tcv->nr_spare];
		tdm_lookup_init_page(tc, l->page[nr]);
		WRITE_ONCE(l->pt[nr], virt_to_phys(l->page[nr]) | PTE_RO);
	}
	WRITE_ONCE(l->page[nr][index % PER_PAGE], tdm_tc_va(tc, stub));
	return true;
}

/**
 * tdm_lookup_remove() - no vCPU's indirect branches find a TU any more
 * @tc: the TC; tc->lock held
 * @tu: the TU
 */
void tdm_lookup_remove(struct tdm_bt_vm *tc, const struct tdm_tu *tu)
{
	unsigned int index = index_of(tu->rip), in = index % PER_PAGE;
	struct tdm_bt_lookup *l;
	struct tdm_bt_tcv *tcv;
	u64 *page;

	if (!tu->stub)
		return;
	list_for_each_entry(tcv, &tc->vcpus, node) {
		l = tdm_lookup_find(tcv, tu->space);
		page = l ? l->page[index / PER_PAGE] : NULL;
		if (page && page[in] == tdm_tc_va(tc, tu->stub))
			WRITE_ONCE(page[in], miss_va(tc));
	}
}

/**
 * tdm_lookup_clear_all() - all tables of all vCPUs
 * @tc: the TC; tc->lock held, nobody uses them now
 *
 * Also when tc->base has changed.
 */
void tdm_lookup_clear_all(struct tdm_bt_vm *tc)
{
	struct tdm_bt_lookup *l;
	struct tdm_bt_tcv *tcv;
	unsigned int i;

	tdm_lookup_init_page(tc, tc->empty);
	list_for_each_entry(tcv, &tc->vcpus, node)
		list_for_each_entry(l, &tcv->lookups, node)
			for (i = 0; i < TDM_LOOKUP_PAGES; i++)
				if (l->page[i])
					tdm_lookup_init_page(tc, l->page[i]);
}

/**
 * tdm_lookup_drop_space() - free all tables of a space
 * @tc: the TC; tc->mutex held, may sleep
 * @space: not the current one of any vCPU, and it will not be again
 */
void tdm_lookup_drop_space(struct tdm_bt_vm *tc, struct tdm_bt_space *space)
{
	struct tdm_bt_lookup *l, *tmp;
	struct tdm_bt_tcv *tcv;
	LIST_HEAD(dead);

	spin_lock(&tc->lock);
	list_for_each_entry(tcv, &tc->vcpus, node) {
		l = tdm_lookup_find(tcv, space);
		if (!l)
			continue;
		list_move(&l->node, &dead);
		/* Not current, but perhaps still in the slot: find_space() first, the table later. */
		if (tcv->lookup == l) {
			tcv->lookup = NULL;
			tdm_bt_set_lookup(tcv->b, 0);
		}
	}
	spin_unlock(&tc->lock);
	/* A processor may have the table's address in a paging-structure cache. */
	if (tc->smp && !list_empty(&dead))
		tdm_mmu_client->flush_vcpus(tc->vm);
	list_for_each_entry_safe(l, tmp, &dead, node)
		table_free(tc, l);
}

/** tdm_lookup_free_all() - the vCPU goes */
void tdm_lookup_free_all(struct tdm_bt_vm *tc, struct tdm_bt_tcv *tcv)
{
	struct tdm_bt_lookup *l, *tmp;

	list_for_each_entry_safe(l, tmp, &tcv->lookups, node)
		table_free(tc, l);
	INIT_LIST_HEAD(&tcv->lookups);
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, -(s64)(tcv->nr_spare * PAGE_SIZE));
	while (tcv->nr_spare)
		free_page((unsigned long)tcv->spare[--tcv->nr_spare]);
}
