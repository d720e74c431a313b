// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test machine as the BT engine runs it: one entry of every PML4 the processor
 * walks leads to tables of the engine, which are the vCPU's own; and code is
 * translated, by linear address, and used until the MMU says that the guest's
 * tables on the way there have changed.
 *
 * A monitor's tables map one page, for supervisors to read: who meets it must not
 * use that part of the address space itself.
 */
#include <asm/processor-flags.h>

#include "arch/x86/compat.h"
#include "shadow_machine.h"

#define MON_FLAGS	(P_P | P_W | P_A)
#define ENTRY_MASK	(P_P | P_W | P_U | P_A | P_PS | P_ADDR | P_XD)

static u64 *new_table(void)
{
	struct page *page = alloc_page(__GFP_ZERO);

	assert(page);
	return page_address(page);
}

void m_bt_start(struct m_vcpu *c)
{
	static const u16 first[] = { 264, 256, 511 };
	u64 *pd, *pt;

	c->mon = new_table();
	pd = new_table();
	pt = new_table();
	c->mon_page = (u64)__pa(new_table());
	c->mon[0] = __pa(pd) | MON_FLAGS;
	pd[0] = __pa(pt) | MON_FLAGS;
	pt[0] = c->mon_page | P_P | P_A | P_XD;
	c->v.mmu.mon_index = first[pick(ARRAY_SIZE(first))];
	c->v.mmu.mon_entry = __pa(c->mon) | MON_FLAGS;
}

static u64 *table_at(u64 entry)
{
	return __va(entry & P_ADDR);
}

void m_bt_end(struct m_vcpu *c)
{
	u64 *pd, *pt;

	if (!c->mon)
		return;
	pd = table_at(c->mon[0]);
	pt = table_at(pd[0]);
	m_must(pt[0] == (c->mon_page | P_P | P_A | P_XD) && !c->mon[1] && !pd[1] && !pt[1],
	       "the monitor's tables were changed", "cpu %u", c->v.id);
	__free_page(virt_to_page(__va(c->mon_page)));
	__free_page(virt_to_page(pt));
	__free_page(virt_to_page(pd));
	__free_page(virt_to_page(c->mon));
	c->mon = NULL;
}

static bool long_mode(const struct m_vcpu *c)
{
	return (c->v.st.efer & 0x400) && (c->v.st.cr0 & X86_CR0_PG);
}

/* Where the guest's PML4 has an entry. */
static u64 root_entry(const struct m_vcpu *c, unsigned int index)
{
	struct ref_regs r;

	ref_regs_of((struct m_vcpu *)c, &r);
	return ref_table_entry((r.cr3 & P_ADDR & ((1ull << r.maxphyaddr) - 1)) + index * 8);
}

/* ---- the monitor's place ---- */

static void check_root(struct m_vcpu *c)
{
	const u64 *root = __va(c->v.mmu.hw_cr3);
	unsigned int i, n = 0;

	m_must(root[c->v.mmu.mon_index] == c->v.mmu.mon_entry,
	       "a root lacks its monitor", "cpu %u: %llx at %u", c->v.id,
	       (unsigned long long)root[c->v.mmu.mon_index], c->v.mmu.mon_index);
	for (i = 0; i < m.nr_cpus; i++)
		m_must(&m.cpu[i] == c || m.cpu[i].v.mmu.hw_cr3 != c->v.mmu.hw_cr3,
		       "two vCPUs have one root", "cpus %u and %u", i, c->v.id);
	/* Nobody's monitor anywhere else, nor this one. */
	for (i = 0; i < 512; i++) {
		unsigned int j;

		for (j = 0; j < m.nr_cpus; j++)
			n += (root[i] & P_P) && (root[i] & P_ADDR) == (u64)__pa(m.cpu[j].mon);
	}
	m_must(n == 1, "monitors in a root", "cpu %u: %u of them", c->v.id, n);
	m_must(!(root_entry(c, c->v.mmu.mon_index) & P_P) || root_entry(c, 0) == ~0ull,
	       "a monitor where the guest has an entry", "cpu %u, index %u", c->v.id,
	       c->v.mmu.mon_index);
}

/* Another index, that the guest does not use; the MMU is asked and checked. */
static void move(struct m_vcpu *c)
{
	unsigned int i, index = 256 + pick(256);
	u64 entry;
	int r;

	for (i = 0; i < 256; i++, index = index == 511 ? 256 : index + 1) {
		m_must(tdm_mmu_root_entry(&c->v, index, &entry), "a root's entry is not told",
		       "index %u", index);
		m_must(entry == (root_entry(c, index) & ENTRY_MASK) || m.invalidating,
		       "a root's entry is told wrongly", "index %u: %llx, not %llx", index,
		       (unsigned long long)entry, (unsigned long long)root_entry(c, index));
		if (!(entry & P_P) && index != c->v.mmu.mon_index)
			break;
	}
	if (i == 256)
		return;		/* no memory there: all ones */
	m_log("cpu %u: the monitor moves from %u to %u", c->v.id, c->v.mmu.mon_index, index);
	r = tdm_mmu_move_monitor(&c->v, index);
	m_must(!r && !c->v.mmu.mon_conflict, "the monitor cannot be moved", "%d", r);
	m.count[M_C_MOVES]++;
}

bool m_bt_settled(struct m_vcpu *c)
{
	if (!c->mon || !c->v.mmu.mon_conflict)
		return true;
	m_must(long_mode(c), "a conflict without a PML4", "cpu %u", c->v.id);
	move(c);
	c->stale = true;
	return false;
}

/* Hardware let an access through: to the monitor's page? Its users must not mind. */
bool m_bt_meets_monitor(struct m_vcpu *c, u64 gva, u32 access, u64 pfn)
{
	if (!c->mon || (gva >> 39 & 511) != c->v.mmu.mon_index || !long_mode(c))
		return false;
	m_must(pfn == c->mon_page >> PAGE_SHIFT, "other pages where the monitor is",
	       "gva %llx: frame %llx", (unsigned long long)gva, (unsigned long long)pfn);
	m_must(!(access & (TDM_ACCESS_WRITE | TDM_ACCESS_FETCH)) &&
	       (!(access & TDM_ACCESS_USER) || (access & TDM_WALK_IMPLICIT)),
	       "the monitor is within reach", "access %x", access);
	m.count[M_C_MONITOR]++;
	return true;
}

/* ---- translated code ---- */

/* The engine hears: it looks at the root's entries and for code. */
void m_bt_tell(struct m_vcpu *c)
{
	unsigned int i;

	c->told = m.vm.mmu.code_gen;
	c->must_tell = false;
	for (i = 0; c->mon && i < 512; i++)
		c->told_root[i] = root_entry(c, i) & ENTRY_MASK;
}

void m_bt_flushed(struct m_vcpu *c, u64 gva)
{
	u64 was = c->told_root[gva >> 39 & 511];

	/* Where there was no memory, or no accessed bit yet, no code was found. */
	if (c->mon && long_mode(c) && gva != ~0ull && was != ENTRY_MASK && (was & P_A) &&
	    was != (root_entry(c, gva >> 39 & 511) & ENTRY_MASK))
		c->must_tell = true;
	/* Of several INVLPGs the last; a full flush stays one. */
	if (!c->look || c->look_gva != ~0ull)
		c->look_gva = gva;
	c->look = true;
	c->due = m.vm.mmu.code_gen;
}

/*
 * The guest flushed, and the vCPU is about to run: what was translated is used if
 * the root's entry above is the same and the MMU saw no change. Then it must be
 * what a fetch would find, which would not even have an accessed bit to set.
 */
static void look_at_code(struct m_vcpu *c)
{
	struct ref_regs r;
	struct ref_walk w;
	unsigned int i, k;

	ref_regs_of(c, &r);
	for (i = 0; i < M_CODE; i++) {
		const struct m_code *code = &m.code_page[i];

		if (!code->gen || code->gen != m.vm.mmu.code_gen + 1 || code->smep != r.smep ||
		    (c->look_gva != ~0ull && (c->look_gva ^ code->gva) >> PAGE_SHIFT) ||
		    (root_entry(c, code->gva >> 39 & 511) & ENTRY_MASK) != code->root)
			continue;
		ref_translate(&r, code->gva, TDM_ACCESS_FETCH, &w);
		m_must(w.ok && w.gpa == code->gpa, "code that is used is elsewhere by now",
		       "cpu %u gva %llx: gpa %llx, now %s %llx", c->v.id,
		       (unsigned long long)code->gva, (unsigned long long)code->gpa,
		       w.ok ? "ok" : "fault", (unsigned long long)w.gpa);
		for (k = 0; w.ok && k < w.nr; k++)
			m_must(w.entry[k] & P_A, "a fetch would set an accessed bit",
			       "gva %llx level %u", (unsigned long long)code->gva, k);
		m.count[M_C_CODE_LOOKS]++;
	}
}

void m_bt_entered(struct m_vcpu *c)
{
	if (!c->mon)
		return;
	m_must(c->told >= c->due, "a flush that concerns code went without a word",
	       "cpu %u: told of %llu, not %llu", c->v.id, (unsigned long long)c->told,
	       (unsigned long long)c->due);
	m_must(!c->must_tell, "INVLPG after the root changed went without a word", "cpu %u",
	       c->v.id);
	if (long_mode(c)) {
		check_root(c);
		if (c->look)
			look_at_code(c);
	}
	c->look = false;
}

static struct m_code *slot_for(u64 gva)
{
	struct m_code *free = &m.code_page[pick(M_CODE)];
	unsigned int i;

	for (i = 0; i < M_CODE; i++) {
		if (m.code_page[i].gen && m.code_page[i].gva == gva)
			return &m.code_page[i];
		if (!m.code_page[i].gen || m.code_page[i].gen != m.vm.mmu.code_gen + 1)
			free = &m.code_page[i];
	}
	return free;
}

/* The vCPU has been entered; now its translator wants the page at @gva. */
void m_bt_code_page(struct m_vcpu *c, u64 gva)
{
	struct tdm_page_fault pf = {};
	u64 gen = m.vm.mmu.code_gen, gpa = 0;
	struct ref_regs regs;
	struct ref_walk w;
	int r;

	m_leave(c);
	m.op++;
	m.count[M_C_CODE_PAGES]++;
	ref_regs_of(c, &regs);
	ref_translate(&regs, gva, TDM_ACCESS_FETCH, &w);
	r = tdm_mmu_code_page(&c->v, gva, &gpa, &pf);
	m_log("cpu %u: code page %llx: %d, gpa %llx, generation %llu", c->v.id,
	      (unsigned long long)gva, r, (unsigned long long)gpa,
	      (unsigned long long)m.vm.mmu.code_gen);
	if (regs.mode != M_64) {
		m_must(r == -EOPNOTSUPP, "code of another mode", "%d", r);
		return;
	}
	if (r == -EFAULT) {
		m_must(!w.ok && pf.gva == gva && pf.error == w.error, "a fetch faults wrongly",
		       "gva %llx: error %x, not %x", (unsigned long long)gva, pf.error, w.error);
		ref_untouched(&w);
		return;
	}
	if (r == -ENOMEM && m.fail)
		return;
	ref_absorb(&w, TDM_ACCESS_FETCH, true);
	m_must(r == 0 || (r == -EBUSY && (m.invalidating || c->v.mmu.mon_conflict)),
	       "no code page", "%d: gva %llx", r, (unsigned long long)gva);
	if (r)
		return;
	m_must(w.ok && w.gpa == gpa, "a fetch ends elsewhere", "gva %llx: gpa %llx, not %llx",
	       (unsigned long long)gva, (unsigned long long)gpa, (unsigned long long)w.gpa);
	/* Meanwhile something changed: a translator begins again. */
	if (m.vm.mmu.code_gen != gen)
		return;
	*slot_for(gva) = (struct m_code){ gen + 1, gva, gpa,
		root_entry(c, gva >> 39 & 511) & ENTRY_MASK, regs.smep };
}
