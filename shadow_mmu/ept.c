// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPT builder: four levels of nested page tables and what is done to them:
 * find, map, split, zap, write-protect, age. All with mmu.lock held.
 *
 * A gfn has one place in the tables, so no reverse map is needed. Entries are
 * written with single stores while processors walk the tables and set accessed
 * and dirty bits in them; such a bit may get lost under our store, which costs
 * precision of aging and nothing else (see tdm_host_writable()).
 *
 * Beware: what is taken away here (tdm_mmu_lost()) is in use by processors
 * until tdm_mmu_sync_tlb(), and so are the tables unlinked.
 */
#include <linux/mm.h>

#include "shadow_mmu/internal.h"

struct tdm_ept_caps tdm_ept_caps;

static_assert(sizeof(u64) * TDM_PT_ENTRIES == PAGE_SIZE);
static_assert(!(TDM_EPT_HOST_W & (TDM_EPT_ADDR | TDM_EPT_RWX)));

static void write_entry(u64 *entry, u64 val)
{
	WRITE_ONCE(*entry, val);
}

static struct page *page_of(u64 *entry)
{
	return virt_to_page(entry);
}

/**
 * tdm_ept_find() - the deepest entry on the path of a gfn
 * @vm: the VM
 * @gfn: below 2^36
 * @leaf: filled in; its value is a leaf or not present
 */
void tdm_ept_find(struct tdm_vm *vm, u64 gfn, struct tdm_leaf *leaf)
{
	u64 *table = vm->mmu.root;
	int level = TDM_PT_LEVELS;

	for (;; level--) {
		u64 *entry = table + tdm_level_index(gfn, level);
		u64 val = READ_ONCE(*entry);

		if (!tdm_ept_is_table(val, level)) {
			leaf->entry = entry;
			leaf->val = val;
			leaf->level = level;
			return;
		}
		table = tdm_ept_table(val);
	}
}

/**
 * tdm_ept_entry() - the entry of a gfn at a level, tables made on the way
 * @vm: the VM
 * @gfn: below 2^36
 * @level: TDM_LEVEL_*
 *
 * Return: the entry; NULL if the pool of table pages is empty. Where a larger
 * leaf is in the way, that leaf's entry: the caller has looked before.
 */
u64 *tdm_ept_entry(struct tdm_vm *vm, u64 gfn, int level)
{
	u64 *table = vm->mmu.root;
	int l;

	for (l = TDM_PT_LEVELS; l > level; l--) {
		u64 *entry = table + tdm_level_index(gfn, l);
		u64 val = READ_ONCE(*entry);

		if (tdm_ept_is_leaf(val, l))
			return entry;
		if (!tdm_ept_present(val)) {
			table = tdm_mmu_take_table(vm, l - 1);
			if (!table)
				return NULL;
			val = __pa(table) | TDM_EPT_RWX | TDM_EPT_A;
			write_entry(entry, val);
			tdm_table_count(page_of(entry), 1);
		}
		table = tdm_ept_table(val);
	}
	return table + tdm_level_index(gfn, level);
}

/**
 * tdm_ept_make() - the value of a leaf
 * @pfn: host page frame; aligned to the level
 * @level: TDM_LEVEL_*
 * @host_writable: the host's entry is writable and dirty
 * @writable: the guest may write now; only with @host_writable
 *
 * Memory type: write-back whatever the guest's PAT and MTRRs say: it is the
 * host's RAM, the host maps it write-back too, and no device does DMA past us.
 *
 * Return: the value.
 */
u64 tdm_ept_make(u64 pfn, int level, bool host_writable, bool writable)
{
	u64 val = pfn << PAGE_SHIFT | TDM_EPT_R | TDM_EPT_X | TDM_EPT_WB |
		  TDM_EPT_IPAT;

	if (level > TDM_LEVEL_4K)
		val |= TDM_EPT_LARGE;
	if (host_writable)
		val |= TDM_EPT_HOST_W;
	if (writable)
		val |= TDM_EPT_W;
	return val;
}

static void count_mapped(struct tdm_vm *vm, int level)
{
	if (level == TDM_LEVEL_4K)
		tdm_vm_stat(vm, mmu_mapped_4k);
	else if (level == TDM_LEVEL_2M)
		tdm_vm_stat(vm, mmu_mapped_2m);
	else
		tdm_vm_stat(vm, mmu_mapped_1g);
}

/**
 * tdm_ept_install() - write a leaf
 * @vm: the VM
 * @entry: from tdm_ept_entry(); not a table
 * @val: from tdm_ept_make()
 * @level: its level
 */
void tdm_ept_install(struct tdm_vm *vm, u64 *entry, u64 val, int level)
{
	u64 old = READ_ONCE(*entry);

	if (!tdm_ept_present(old))
		tdm_table_count(page_of(entry), 1);
	else if (((old ^ val) & TDM_EPT_ADDR) || (old & ~val & TDM_EPT_RWX))
		tdm_mmu_lost(vm);
	write_entry(entry, val);
	count_mapped(vm, level);
}

/** tdm_ept_allow_write() - make a leaf writable whose TDM_EPT_HOST_W is set */
void tdm_ept_allow_write(u64 *entry)
{
	write_entry(entry, READ_ONCE(*entry) | TDM_EPT_W | TDM_EPT_A | TDM_EPT_D);
}

/**
 * tdm_ept_split() - replace a large leaf by a table of the next smaller size
 * @vm: the VM
 * @entry: the leaf; write-protected, or about to be
 * @level: its level, above TDM_LEVEL_4K
 *
 * The new leaves are not writable, but may be made so one by one.
 *
 * Return: 0, or -ENOMEM if the pool of table pages is empty.
 */
int tdm_ept_split(struct tdm_vm *vm, u64 *entry, int level)
{
	u64 old = READ_ONCE(*entry);
	u64 pfn = tdm_ept_pfn(old);
	u64 *table = tdm_mmu_take_table(vm, level - 1);
	unsigned int i;

	if (!table)
		return -ENOMEM;
	for (i = 0; i < TDM_PT_ENTRIES; i++)
		table[i] = tdm_ept_make(pfn + i * tdm_level_pages(level - 1),
					level - 1, old & TDM_EPT_HOST_W, false) |
			   (old & (TDM_EPT_A | TDM_EPT_D));
	tdm_table_count(virt_to_page(table), TDM_PT_ENTRIES);
	/* The large translation may be cached; the small ones agree with it. */
	if (old & TDM_EPT_W)
		tdm_mmu_lost(vm);
	write_entry(entry, __pa(table) | TDM_EPT_RWX | TDM_EPT_A);
	tdm_vm_stat(vm, mmu_splits);
	return 0;
}

/* Take an entry out of the tables; a table goes to the dead list as a tree. */
static void unlink_entry(struct tdm_vm *vm, u64 *entry, u64 val, int level)
{
	write_entry(entry, 0);
	tdm_table_count(page_of(entry), -1);
	tdm_mmu_lost(vm);
	if (tdm_ept_is_table(val, level))
		list_add(&virt_to_page(tdm_ept_table(val))->lru, &vm->mmu.dead);
	else
		tdm_vm_stat(vm, mmu_zapped);
}

/*
 * Call fn on every present entry of the subtree that intersects [start, end)
 * and is a leaf. For zapping, whole tables inside the range count as leaves, so
 * that the time under the lock does not depend on how much is mapped.
 */
struct range_op {
	struct tdm_vm *vm;
	u64 start, end;		/* gfns */
	bool whole_tables;
	void (*leaf)(struct range_op *op, u64 *entry, u64 val, int level);
	bool young;		/* result of age_leaf() */
	bool clear;		/* its argument */
};

static void for_range(struct range_op *op, u64 *table, u64 base, int level)
{
	u64 pages = tdm_level_pages(level);
	u64 first = max(op->start, base);
	u64 last = min(op->end, base + pages * TDM_PT_ENTRIES) - 1;
	unsigned int i = tdm_level_index(first, level);
	unsigned int to = tdm_level_index(last, level);

	for (; i <= to; i++) {
		u64 *entry = table + i, val = READ_ONCE(*entry), at = base + i * pages;
		bool inside = at >= op->start && at + pages <= op->end;

		if (!tdm_ept_present(val))
			continue;
		if (tdm_ept_is_leaf(val, level) || (op->whole_tables && inside)) {
			op->leaf(op, entry, val, level);
			continue;
		}
		for_range(op, tdm_ept_table(val), at, level - 1);
		if (!tdm_table_present(virt_to_page(tdm_ept_table(val))))
			unlink_entry(op->vm, entry, val, level);
	}
}

static void run_range(struct range_op *op)
{
	if (op->start < op->end)
		for_range(op, op->vm->mmu.root, 0, TDM_PT_LEVELS);
}

static void zap_leaf(struct range_op *op, u64 *entry, u64 val, int level)
{
	unlink_entry(op->vm, entry, val, level);
}

/**
 * tdm_ept_zap() - remove every mapping that touches a range
 * @vm: the VM
 * @start: first gfn
 * @end: gfn after the last, at most 2^36
 *
 * Large leaves that are only partly in the range go as a whole.
 */
void tdm_ept_zap(struct tdm_vm *vm, u64 start, u64 end)
{
	struct range_op op = {
		.vm = vm, .start = start, .end = end,
		.whole_tables = true, .leaf = zap_leaf,
	};

	run_range(&op);
}

static void protect_leaf(struct range_op *op, u64 *entry, u64 val, int level)
{
	if (!(val & TDM_EPT_W))
		return;
	write_entry(entry, val & ~TDM_EPT_W);
	tdm_mmu_lost(op->vm);
}

/**
 * tdm_ept_protect() - take the right to write from every mapping in a range
 * @vm: the VM
 * @start: first gfn
 * @end: gfn after the last
 */
void tdm_ept_protect(struct tdm_vm *vm, u64 start, u64 end)
{
	struct range_op op = {
		.vm = vm, .start = start, .end = end, .leaf = protect_leaf,
	};

	run_range(&op);
}

/*
 * Without accessed bits in the tables every mapping counts as young, and to
 * forget means to unmap: the next access faults, quickly.
 */
static void age_leaf(struct range_op *op, u64 *entry, u64 val, int level)
{
	if (!tdm_ept_caps.ad_bits) {
		op->young = true;
		if (op->clear)
			unlink_entry(op->vm, entry, val, level);
		return;
	}
	if (!(val & TDM_EPT_A))
		return;
	op->young = true;
	if (op->clear)
		write_entry(entry, val & ~TDM_EPT_A);
}

/**
 * tdm_ept_age() - has the guest used a range lately?
 * @vm: the VM
 * @start: first gfn
 * @end: gfn after the last
 * @clear: and forget it
 *
 * Return: true if so.
 */
bool tdm_ept_age(struct tdm_vm *vm, u64 start, u64 end, bool clear)
{
	struct range_op op = {
		.vm = vm, .start = start, .end = end, .leaf = age_leaf,
		.clear = clear,
	};

	run_range(&op);
	return op.young;
}

/**
 * tdm_ept_free_tree() - free a table that nothing reaches any more
 * @vm: the VM
 * @page: the table's page, and with it all tables below
 *
 * Needs no lock. The recursion is as deep as the tables are: four.
 */
void tdm_ept_free_tree(struct tdm_vm *vm, struct page *page)
{
	u64 *table = page_address(page);
	int level = tdm_table_level(page);
	unsigned int leaves = tdm_table_present(page);
	unsigned int i;

	for (i = 0; level > TDM_LEVEL_4K && i < TDM_PT_ENTRIES; i++) {
		if (!tdm_ept_is_table(table[i], level))
			continue;
		tdm_ept_free_tree(vm, virt_to_page(tdm_ept_table(table[i])));
		leaves--;
	}
	tdm_vm_stat_add(vm, mmu_zapped, leaves);
	tdm_vm_stat_add(vm, mmu_pages, -1);
	tdm_mmu_free_table(vm, page);
}

/**
 * tdm_mmu_eptp() - the EPT pointer for a VMCS (SDM vol. 3, 25.6.11)
 * @vm: the VM
 *
 * Return: write-back, four levels, accessed and dirty bits as the CPU has them.
 */
u64 tdm_mmu_eptp(struct tdm_vm *vm)
{
	u64 eptp = vm->mmu.root_hpa | (TDM_PT_LEVELS - 1) << 3 | 6;

	if (tdm_ept_caps.ad_bits)
		eptp |= BIT_ULL(6);
	return eptp;
}
