// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor slot of a vCPU: its pages and who can do what with them.
 *
 * Two sets of page tables lead to the slot's pages: the guest's view, below every
 * shadow root of this vCPU (vcpu->mmu.mon_entry), and the monitor's view, below a
 * root of the monitor's own with the host's kernel besides. In the guest's view
 * nothing is writable but STACK and STATE, and what holds the host together is not
 * mapped at all: CPL 1 is supervisor to paging. No entry is global or the user's;
 * accessed and dirty bits are set beforehand; data is never executable.
 *
 * Beware of the monitor's root: with KPTI, the host's NMI and machine check
 * entries tell a user's CR3 by its bit 12, so the root is 8 KiB aligned. The host
 * adds top-level entries when memory is plugged in: switch.S follows.
 */
#include <asm/desc.h>
#include <asm/pgtable.h>
#include <asm/tlbflush.h>
#include <asm/trapnr.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "arch/x86/compat.h"
#include "bt/world.h"

#define PTE_DATA	(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_NX)
#define PTE_RO		PTE_DATA
#define PTE_RW		(PTE_DATA | _PAGE_RW)
#define PTE_RX		(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY)
#define PTE_TABLE	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED)
#define PTE_TABLE_RX	(_PAGE_PRESENT | _PAGE_ACCESSED)
#define PTE_TABLE_NX	(PTE_TABLE | _PAGE_NX)

/* The part of the address space that Linux leaves to hypervisors. */
#define INDEX_MIN	256
#define INDEX_MAX	271
#define INDEX_DEFAULT	264

/* KPTI puts a process's LDT right behind; it is not for the monitor. */
#define INDEX_KERNEL	273

static_assert((u32)LDT_PGD_ENTRY == (u32)(INDEX_KERNEL - 1 - 512));

/* What is in the slot, by page: its access in the guest's view and the monitor's. */
static unsigned int pt_index(u32 off)
{
	return off >> PAGE_SHIFT;
}

static void map(struct tdm_bt_mon *m, u32 off, const void *page, u64 guest, u64 mon)
{
	m->guest_pt[pt_index(off)] = guest ? __pa(page) | guest : 0;
	m->mon_pt[pt_index(off)] = mon ? __pa(page) | mon : 0;
}

static void *new_page(struct tdm_bt_mon *m)
{
	unsigned long page;

	if (WARN_ON_ONCE(m->nr_pages == BT_MAX_PAGES))
		return NULL;
	page = get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (page)
		m->pages[m->nr_pages++] = page;
	return (void *)page;
}

/* A new page at @off; NULL: none left. */
static void *new_mapped(struct tdm_bt_mon *m, u32 off, u64 guest, u64 mon)
{
	void *page = new_page(m);

	if (page)
		map(m, off, page, guest, mon);
	return page;
}

/* ---- construction ---- */

static bool make_tables(struct tdm_bt_mon *m)
{
	u64 *mon_pd;

	m->guest_pdpt = new_page(m);
	m->guest_pd = new_page(m);
	m->guest_pt = new_page(m);
	m->mon_pdpt = new_page(m);
	mon_pd = new_page(m);
	m->mon_pt = new_page(m);
	if (!m->guest_pdpt || !m->guest_pd || !m->guest_pt || !m->mon_pdpt || !mon_pd ||
	    !m->mon_pt)
		return false;
	m->guest_pdpt[0] = __pa(m->guest_pd) | PTE_TABLE;
	m->guest_pd[0] = __pa(m->guest_pt) | PTE_TABLE;
	m->mon_pdpt[0] = __pa(mon_pd) | PTE_TABLE;
	mon_pd[0] = __pa(m->mon_pt) | PTE_TABLE;
	return true;
}

static bool make_text(struct tdm_bt_mon *m)
{
	static const u8 nop3[] = { 0x0f, 0x1f, 0x00 };
	const u32 clac = tdm_bt_text_clac - tdm_bt_text;
	size_t left = tdm_bt_text_end - tdm_bt_text, n;
	u32 off;
	void *page;

	for (off = 0; left; off += PAGE_SIZE, left -= n) {
		page = new_mapped(m, TDM_BT_TEXT + off, PTE_RX, PTE_RX);
		if (!page)
			return false;
		n = min_t(size_t, left, PAGE_SIZE);
		memcpy(page, tdm_bt_text + off, n);
		if (!boot_cpu_has(X86_FEATURE_SMAP) && clac - off < PAGE_SIZE)
			memcpy(page + clac - off, nop3, sizeof(nop3));
	}
	return true;
}

/* The stacks of the guest's view; and one set only the monitor sees. */
static bool make_stacks(struct tdm_bt_mon *m)
{
	int i;

	for (i = 0; i < BT_NR_STACKS; i++) {
		if (!new_mapped(m, TDM_BT_STACK_RSP0 - PAGE_SIZE + i * 2 * PAGE_SIZE, PTE_RW, PTE_RW))
			return false;
		if (!new_mapped(m, TDM_BT_PSTACK_RSP0 - PAGE_SIZE + i * 2 * PAGE_SIZE, 0, PTE_RW))
			return false;
	}
	return true;
}

static bool make_gdt(struct tdm_bt_mon *m)
{
	u64 *own;
	int i;

	for (i = 0; i < BT_GDT_PAGES; i++) {
		map(m, TDM_BT_GDT + i * PAGE_SIZE, empty_zero_page, PTE_RO, PTE_RO);
		map(m, TDM_BT_SWITCH_GDT + i * PAGE_SIZE, empty_zero_page, 0, PTE_RO);
	}
	m->gdt[0] = new_mapped(m, TDM_BT_GDT, PTE_RO, PTE_RO);
	own = new_mapped(m, TDM_BT_GDT + (BT_GDT_PAGES - 1) * PAGE_SIZE, PTE_RO, PTE_RW);
	m->switch_gdt = new_mapped(m, TDM_BT_SWITCH_GDT, 0, PTE_RW);
	if (!m->gdt[0] || !own || !m->switch_gdt)
		return false;
	m->gdt[BT_GDT_PAGES - 1] = own;
	map(m, TDM_BT_SWITCH_GDT + (BT_GDT_PAGES - 1) * PAGE_SIZE, own, 0, PTE_RW);
	tdm_bt_gdt_init(m);
	return true;
}

/**
 * tdm_bt_mon_gdt_page() - a page of the GDT that was all zeros gets memory
 * @m: the slot; process context, the vCPU is not in the guest
 * @page: 1 to BT_GDT_PAGES - 2
 *
 * Return: the page; NULL: no memory.
 */
u64 *tdm_bt_mon_gdt_page(struct tdm_bt_mon *m, unsigned int page)
{
	m->gdt[page] = new_mapped(m, TDM_BT_GDT + page * PAGE_SIZE, PTE_RO, PTE_RO);
	return m->gdt[page];
}

static bool make_data(struct tdm_bt_mon *m)
{
	int i;

	m->info = new_mapped(m, TDM_BT_INFO, PTE_RO, PTE_RW);
	m->priv = new_mapped(m, TDM_BT_PRIV, 0, PTE_RW);
	m->idt = new_mapped(m, TDM_BT_IDT, PTE_RO, PTE_RO);
	for (i = 0; i < 2; i++)
		m->tss[i] = new_mapped(m, TDM_BT_TSS, PTE_RO, PTE_RO);
	if (!m->info || !m->priv || !m->idt || !m->tss[0] || !m->tss[1])
		return false;
	/* One address, two pages: interrupt stacks depend on the view. */
	map(m, TDM_BT_TSS, m->tss[0], PTE_RO, 0);
	m->mon_pt[pt_index(TDM_BT_TSS)] = __pa(m->tss[1]) | PTE_RO;
	return true;
}

/* PML4: host kernel as in the current process, which is the VM's. */
static bool make_root(struct tdm_bt_mon *m)
{
	const u64 *host = (const u64 *)current->mm->pgd;
	int i;

	m->root = (u64 *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, 1);
	if (!m->root)
		return false;
	for (i = INDEX_KERNEL; i < PTRS_PER_PGD; i++)
		m->root[i] = READ_ONCE(host[i]);
	m->priv->root = m->root;
	m->pcid = native_read_cr4() & X86_CR4_PCIDE ? BT_PCID_GUEST : 0;
	m->info->mon_cr3 = __pa(m->root) | (m->pcid ? BT_PCID_MONITOR : 0);
	m->crs.cr3 = m->info->mon_cr3;
	return true;
}

/* ---- addresses ---- */

static void set_gate(gate_desc *gate, u64 addr, unsigned int dpl, unsigned int ist)
{
	*gate = (gate_desc) {
		.offset_low = addr,
		.offset_middle = addr >> 16,
		.offset_high = addr >> 32,
		.segment = TDM_BT_SEL_K64,
		.bits = { .ist = ist, .type = GATE_INTERRUPT, .dpl = dpl, .p = 1 },
	};
}

/* Vectors with a stack of their own, and those that may be called with INT. */
static const u8 gate_ist[32] = {
	[X86_TRAP_DB] = BT_IST_DB,
	[X86_TRAP_NMI] = BT_IST_NMI,
	[X86_TRAP_DF] = BT_IST_DF,
	[X86_TRAP_MC] = BT_IST_MC,
};

static const u8 gate_dpl[32] = {
	[X86_TRAP_BP] = 3,
	[X86_TRAP_OF] = 3,
	[TDM_BT_VEC_CALLOUT] = 1,
};

static void set_tss(struct x86_hw_tss *tss, u64 stacks)
{
	const u64 rel = stacks - TDM_BT_STACK;

	tss->sp0 = rel + TDM_BT_STACK_RSP0;
	tss->ist[BT_IST_NMI - 1] = rel + TDM_BT_STACK_NMI;
	tss->ist[BT_IST_DB - 1] = rel + TDM_BT_STACK_DB;
	tss->ist[BT_IST_DF - 1] = rel + TDM_BT_STACK_DF;
	tss->ist[BT_IST_MC - 1] = rel + TDM_BT_STACK_MC;
	/* Beyond the limit: no port is allowed. */
	tss->io_bitmap_base = 0xffff;
}

static void set_dtr(struct tdm_bt_dtr *dtr, u64 base, u16 limit)
{
	dtr->base = base;
	dtr->limit = limit;
}

/* All that has the slot's address in it. */
static void set_index(struct tdm_bt *b, unsigned int index)
{
	struct tdm_bt_mon *m = b->mon;
	u64 base = tdm_bt_base(index);
	int i;

	b->base = base;
	m->enter = tdm_bt_text_at(b, tdm_bt_text_enter);
	for (i = 0; i < IDT_ENTRIES; i++)
		set_gate(&m->idt[i], base + TDM_BT_TEXT + 16 * i,
			 i < 32 ? gate_dpl[i] : 0, i < 32 ? gate_ist[i] : 0);
	set_tss(m->tss[0], base + TDM_BT_STACK);
	set_tss(m->tss[1], base + TDM_BT_PSTACK);
	tdm_bt_gdt_base(m, base);
	set_dtr(&m->tables.mon_gdt, base + TDM_BT_GDT, BT_GDT_PAGES * PAGE_SIZE - 1);
	set_dtr(&m->tables.switch_gdt, base + TDM_BT_SWITCH_GDT, BT_GDT_PAGES * PAGE_SIZE - 1);
	set_dtr(&m->tables.mon_idt, base + TDM_BT_IDT, IDT_ENTRIES * sizeof(gate_desc) - 1);
	m->root[m->index] = 0;
	m->root[index] = __pa(m->mon_pdpt) | PTE_TABLE;
	m->index = index;
}

/**
 * tdm_bt_mon_index_ok() - can the slot be there?
 * @index: PML4 entry
 *
 * The monitor's root has the host's kernel besides.
 */
bool tdm_bt_mon_index_ok(unsigned int index)
{
	return index >= INDEX_MIN && index <= INDEX_MAX;
}

/**
 * tdm_bt_mon_move() - the slot to another PML4 entry
 * @b: host state, preemption off
 * @index: tdm_bt_mon_index_ok()
 */
void tdm_bt_mon_move(struct tdm_bt *b, unsigned int index)
{
	if (WARN_ON_ONCE(b->in_monitor || !tdm_bt_mon_index_ok(index)))
		return;
	/* LSTAR and CSTAR with it. */
	tdm_bt_world_unload(b);
	set_index(b, index);
}

/* ---- life ---- */

static void fill_priv(struct tdm_bt *b)
{
	struct tdm_bt_priv *p = b->mon->priv;
	struct desc_ptr idt;
	int i;

	p->regs = &b->vcpu->regs;
	p->bt = b;
	p->fatal = tdm_bt_fatal;
	store_idt(&idt);
	for (i = 0; i < ARRAY_SIZE(p->gate); i++)
		p->gate[i] = gate_offset((gate_desc *)idt.address + i);
}

static void free_mon(struct tdm_bt_mon *m)
{
	while (m->nr_pages)
		free_page(m->pages[--m->nr_pages]);
	free_pages((unsigned long)m->root, 1);
	kvfree(m->mirror.was);
	kfree(m);
}

/**
 * tdm_bt_mon_create() - make the slot of a vCPU
 * @vcpu: engine_priv is set, and in it vcpu and state; current->mm is the VM's
 *
 * Sets vcpu->mmu.mon_entry and mon_index.
 *
 * Return: 0 or -ENOMEM.
 */
int tdm_bt_mon_create(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b = to_bt(vcpu);
	struct tdm_bt_mon *m;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	m->cpu = -1;
	m->index = INDEX_DEFAULT;
	if (!make_tables(m) || !make_text(m) || !make_stacks(m) || !make_gdt(m) ||
	    !make_data(m) || !make_root(m)) {
		free_mon(m);
		return -ENOMEM;
	}
	b->mon = m;
	map(m, TDM_BT_STATE, b->state, PTE_RW, 0);
	map(m, TDM_BT_STI, b->state, PTE_RW, 0);
	fill_priv(b);
	set_index(b, m->index);
	m->guest_pdpt[TDM_BT_TC >> PUD_SHIFT] = tdm_bt_tc_pde_page(vcpu->vm) | PTE_TABLE_RX;
	vcpu->mmu.mon_entry = __pa(m->guest_pdpt) | PTE_TABLE;
	vcpu->mmu.mon_index = m->index;
	m->counted = (m->nr_pages + 2) * PAGE_SIZE;
	tdm_vm_stat_add(vcpu->vm, mem_bytes, m->counted);
	return 0;
}

/** tdm_bt_mon_destroy() - the opposite; no root with the slot is in use any more */
void tdm_bt_mon_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_bt_mon *m = to_bt(vcpu)->mon;

	if (!m)
		return;
	vcpu->mmu.mon_entry = 0;
	to_bt(vcpu)->mon = NULL;
	tdm_vm_stat_add(vcpu->vm, mem_bytes, -m->counted);
	free_mon(m);
}

/**
 * tdm_bt_window() - may stores to STI go through?
 * @b: vCPU, not in the guest
 * @armed: no: they fault
 *
 * From the next entry on: it loads CR3.
 */
void tdm_bt_window(struct tdm_bt *b, bool armed)
{
	WRITE_ONCE(b->mon->guest_pt[pt_index(TDM_BT_STI)],
		   __pa(b->state) | (armed ? PTE_RO : PTE_RW));
}

/**
 * tdm_bt_set_lookup() - the lookup table of the current space
 * @b: vCPU, not in the guest
 * @pt_hpa: physical address of its page table; 0: none
 */
void tdm_bt_set_lookup(struct tdm_bt *b, u64 pt_hpa)
{
	WRITE_ONCE(b->mon->guest_pd[TDM_BT_LOOKUP >> PMD_SHIFT],
		   pt_hpa ? pt_hpa | PTE_TABLE_NX : 0);
}

/* ---- the machine ---- */

static int refuse(struct tdm_why *why, const char *text)
{
	snprintf(why->text, sizeof(why->text), "%s", text);
	return -ENODEV;
}

/**
 * tdm_bt_world_probe() - can this machine's host be left for a monitor?
 * @why: filled when not
 *
 * Return: 0 or -ENODEV.
 */
int tdm_bt_world_probe(struct tdm_why *why)
{
	if (pgtable_l5_enabled())
		return refuse(why, "the host uses 5-level page tables: boot it with the kernel option no5lvl");
	if (tdm_fred_active())
		return refuse(why, "the host uses FRED event delivery: boot it with the kernel option fred=off");
	if (!boot_cpu_has(X86_FEATURE_NX))
		return refuse(why, "the CPU's no-execute protection is off: enable it (XD, NX) in the firmware's settings");
	if (sme_me_mask)
		return refuse(why, "the host encrypts its memory: boot it with the kernel option mem_encrypt=off");
	if (!tdm_nmi_entry())
		return refuse(why, "the host kernel has no NMI entry for hypervisors: build it with CONFIG_KVM_INTEL (y or m)");
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return refuse(why, "the host is itself a paravirtualised Xen guest: run it on hardware or fully virtualised");
	return 0;
}
