// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random life of the test machine: guests that build, tear and share page tables
 * of all kinds, use them, and flush now and then; a host and a caller that do
 * what they may. Choices come from a generator or from a fuzzer's bytes.
 */
#include <asm/processor-flags.h>

#include "arch/x86/compat.h"
#include "shadow_machine.h"

struct dice dice = { .rng = 88172645463325252ull };

static u64 next64(void)
{
	dice.rng ^= dice.rng << 13;
	dice.rng ^= dice.rng >> 7;
	dice.rng ^= dice.rng << 17;
	return dice.rng;
}

bool dice_done(void)
{
	return dice.data && dice.pos >= dice.len;
}

static u64 bytes(unsigned int n)
{
	u64 v = 0;

	while (n-- && dice.pos < dice.len)
		v = v << 8 | dice.data[dice.pos++];
	return v;
}

u32 pick(u32 n)
{
	if (!dice.data)
		return (next64() >> 20) % n;
	return bytes(n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n;
}

u64 pick64(void)
{
	return dice.data ? bytes(8) : next64();
}

bool one_in(u32 n)
{
	return pick(n) == n - 1;
}

#define PICK(array) ((array)[pick(ARRAY_SIZE(array))])

/* ---- guest-physical memory ---- */

/*
 * 0: tables and data; 1: 4 MiB for large pages, 2: 2 MiB below it; 3: read-only;
 * 4: above 4 GiB; 5: logged. Holes between.
 */
static const struct { u64 base, npages; u32 flags; } layout[M_SLOTS] = {
	{ 0, 512, 0 },
	{ 1024, 1024, 0 },
	{ 512, 512, 0 },
	{ 4096, 64, KVM_MEM_READONLY },
	{ 0x100000, 64, 0 },
	{ 2560, 128, KVM_MEM_LOG_DIRTY_PAGES },
};

static void set_slot_as_laid_out(unsigned int id, u32 flags)
{
	m_set_slot(id, layout[id].base, layout[id].npages, flags);
}

void m_lay_out_slots(void)
{
	unsigned int id;

	for (id = 0; id < M_SLOTS; id++)
		set_slot_as_laid_out(id, layout[id].flags);
}

/* Leaf tables mostly: a guest that has broken its roots does not do much more. */
static u64 some_table(void)
{
	static const u8 leaves[] = { 4, 5, 6, 13, 14 };

	return one_in(8) ? pick(M_TABLES) : one_in(2) ? 20 + pick(M_TABLES - 20) : PICK(leaves);
}

static u64 some_gfn(void)
{
	switch (pick(16)) {
	case 0 ... 6:
		return some_table();
	case 7 ... 10:
		return 64 + pick(16);
	case 11:
		return 512 + pick(1536);
	case 12:
		return 4096 + pick(64);
	case 13:
		return 0x100000 + pick(64);
	case 14:
		return 2560 + pick(128);
	default:
		return one_in(2) ? 3000 : pick64() & 0xffffffffff;
	}
}

static const u16 indices[] = { 0, 1, 2, 3, 4, 255, 256, 264, 510, 511, 768, 1023 };

static u64 random_entry(void)
{
	static const u64 large[] = { 0, 512, 1024, 1536, 0x100000, 2048 };
	u64 e = some_gfn() << PAGE_SHIFT;

	if (one_in(6)) {
		e = PICK(large) << PAGE_SHIFT | P_PS;
		if (one_in(8))
			e |= 1ull << (12 + pick(9));	/* PAT, reserved or PSE-36 */
	}
	e |= one_in(8) ? 0 : P_P;
	e |= one_in(4) ? 0 : P_W;
	e |= one_in(3) ? 0 : P_U;
	e |= one_in(2) ? P_A : 0;
	e |= one_in(2) ? P_D : 0;
	e |= one_in(8) ? P_G : 0;
	e |= one_in(6) ? P_XD : 0;
	e |= one_in(4) ? (u64)pick(16) << 59 : 0;
	e |= one_in(32) ? 1ull << pick(64) : 0;
	return e;
}

/* A good one, for the trees that are laid out. */
static u64 entry_to(u64 gfn)
{
	return gfn << PAGE_SHIFT | P_P | P_W | P_U;
}

static void put(u64 gfn, unsigned int index, u64 entry, unsigned int size)
{
	m_emulated_write(&m.cpu[0], gfn << PAGE_SHIFT | index * size, &entry, size);
}

/*
 * Trees that work: PML4 at gfn 0 (self-map in 256), PAE's PDPT at 8, both over
 * the same directories 2 and 3; 32-bit directory at 12 (self-map in 768). The
 * first pages are mapped one to one everywhere.
 */
void m_lay_out_tables(void)
{
	unsigned int i;

	put(0, 0, entry_to(1), 8);
	put(0, 1, entry_to(7), 8);
	put(7, 0, entry_to(3), 8);
	put(7, 1, entry_to(2), 8);
	put(7, 511, entry_to(15), 8);
	put(15, 0, entry_to(5), 8);
	put(15, 1, entry_to(1024) | P_PS, 8);
	put(15, 511, entry_to(6), 8);
	put(0, 256, entry_to(0), 8);
	put(0, 511, entry_to(1), 8);
	put(1, 0, entry_to(2), 8);
	put(1, 1, entry_to(3), 8);
	put(1, 511, entry_to(0) | P_PS, 8);
	put(2, 0, entry_to(4), 8);
	put(2, 1, entry_to(5), 8);
	put(2, 2, entry_to(1024) | P_PS, 8);
	put(2, 511, entry_to(512) | P_PS, 8);
	put(3, 0, entry_to(4), 8);
	put(3, 1, entry_to(6), 8);
	put(12, 0, entry_to(13), 4);
	put(12, 1, entry_to(14), 4);
	put(12, 2, entry_to(1024) | P_PS, 4);
	put(12, 768, entry_to(12), 4);
	put(12, 1023, entry_to(13), 4);
	for (i = 0; i < 4; i++)
		put(8, i, (i & 1 ? 3ull : 2ull) << PAGE_SHIFT | P_P, 8);
	for (i = 0; i < 96; i++) {
		/* Some for user code, some not: SMAP and SMEP forbid the others. */
		put(4, i, entry_to(i) & ~(i & 1 ? P_U : 0), 8);
		put(13, i, entry_to(i) & ~(i & 1 ? P_U : 0), 4);
	}
	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		unsigned int wide = indices[i] & 511;

		put(5, wide, entry_to(64 + i), 8);
		put(6, wide, entry_to(2560 + i), 8);
		put(14, indices[i], entry_to(64 + i), 4);
		put(4, wide, entry_to(wide < 96 ? wide : 2560 + i), 8);
	}
}

static void random_tables(void)
{
	unsigned int n = 1 + pick(200);

	while (n-- && !dice_done())
		put(pick(M_TABLES), PICK(indices) & 511, random_entry(), 8);
}

/* ---- linear addresses ---- */

static u64 random_gva(const struct ref_regs *r)
{
	static const u16 pt[] = { 0, 1, 2, 3, 4, 5, 6, 12, 13, 255, 510, 511 };
	static const u16 pml4[] = { 0, 0, 1, 1, 256, 264, 511, 511 }, pdpt[] = { 0, 1, 511 };
	static const u16 pd[] = { 0, 1, 2, 511 };
	static const u16 pd32[] = { 0, 1, 2, 768, 1023 };
	u64 gva, off;

	/* Where entries are, or anywhere. */
	off = one_in(3) ? pick(512) * 8 : PICK(indices) % 512 * (r->mode == M_32 ? 4 : 8);
	if (one_in(3))
		return some_table() << PAGE_SHIFT | off;
	switch (r->mode) {
	case M_OFF:
		return (some_gfn() << PAGE_SHIFT | off) & 0xffffffff;
	case M_32:
		return (u64)PICK(pd32) << 22 | (u64)PICK(indices) << 12 | off;
	case M_PAE:
		return (u64)pick(4) << 30 | (u64)PICK(pd) << 21 | (u64)PICK(pt) << 12 | off;
	default:
		gva = (u64)PICK(pml4) << 39 | (u64)PICK(pdpt) << 30 |
		      (u64)PICK(pd) << 21 | (u64)PICK(pt) << 12 | off;
		return (u64)((s64)(gva << 16) >> 16);
	}
}

static u32 random_kind(void)
{
	u32 access = one_in(6) ? TDM_ACCESS_FETCH :
		     one_in(2) ? TDM_ACCESS_WRITE : TDM_ACCESS_READ;

	if (one_in(3))
		return access | TDM_ACCESS_USER;
	if (one_in(8) && !(access & TDM_ACCESS_FETCH))
		return access | TDM_WALK_IMPLICIT;
	return access;
}

static void access_once(struct m_vcpu *c, u64 gva, u32 access)
{
	static const u8 sizes[] = { 8, 8, 8, 4, 4, 1, 2, 16 };
	unsigned int len = PICK(sizes);
	u64 data[2] = { random_entry(), len == 16 ? random_entry() : 0 };
	enum m_outcome o;

	gva &= ~(u64)(len - 1);
	o = m_access(c, gva, access, data, len);
	m_log("cpu %u: gva %llx access %x len %u data %llx: %d", c->v.id,
	      (unsigned long long)gva, access, len, (unsigned long long)data[0], o);
}

/* One address in several ways, or neighbours. */
static void random_access(struct m_vcpu *c)
{
	unsigned int times = one_in(16) ? 16 : 1 + pick(3);
	bool along = times > 3 || one_in(4);
	struct ref_regs r;
	u64 gva;

	ref_regs_of(c, &r);
	gva = random_gva(&r);
	while (times-- && !m.broken) {
		access_once(c, gva, random_kind());
		if (!along)
			continue;
		gva += one_in(2) ? PAGE_SIZE : 8;
		gva = r.mode == M_64 ? (u64)((s64)(gva << 16) >> 16) : gva & 0xffffffff;
	}
}

/* ---- what a vCPU does ---- */

static enum m_mode random_mode(void)
{
	enum m_mode mode;

	do
		mode = pick(M_NR_MODES);
	while (!(m.rules.modes & BIT(mode)) && !dice_done());
	return m.rules.modes & BIT(mode) ? mode : (enum m_mode)__ffs(m.rules.modes);
}

static u64 random_root(enum m_mode mode)
{
	static const u8 good[] = { [M_OFF] = 0, [M_32] = 12, [M_PAE] = 8, [M_64] = 0 };
	u64 gfn = !one_in(4) ? good[mode] : one_in(16) ? some_gfn() : pick(M_TABLES);

	gfn &= (1ull << (m.maxphyaddr - PAGE_SHIFT)) - 1;
	if (mode != M_64)
		gfn &= 0xfffff;
	return gfn << PAGE_SHIFT;
}

static u64 random_cr4(void)
{
	static const u32 bits[] = { X86_CR4_PSE, X86_CR4_PGE, X86_CR4_SMEP, X86_CR4_SMAP,
				    X86_CR4_PKE, X86_CR4_PCIDE };
	u64 cr4 = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++)
		cr4 |= one_in(2) ? bits[i] : 0;
	return one_in(2) ? cr4 : cr4 & ~(u64)(X86_CR4_SMAP | X86_CR4_SMEP);
}

void m_random_mode(struct m_vcpu *c)
{
	enum m_mode mode = random_mode();

	m_set_mode(c, mode, random_root(mode), random_cr4(), !one_in(3));
}

static void random_cr3(struct m_vcpu *c)
{
	struct ref_regs r;
	u64 val;

	ref_regs_of(c, &r);
	val = random_root(r.mode);
	if (c->v.st.cr4 & X86_CR4_PCIDE)
		val |= pick(M_PCIDS) | (one_in(2) ? 1ull << 63 : 0);
	m_mov_cr3(c, val);
}

static void random_control(struct m_vcpu *c)
{
	static const u32 bits[] = { X86_CR4_PSE, X86_CR4_PGE, X86_CR4_SMEP, X86_CR4_SMAP,
				    X86_CR4_PKE, X86_CR4_PCIDE };

	switch (pick(6)) {
	case 0:
	case 1:
		m_mov_cr0(c, c->v.st.cr0 ^ X86_CR0_WP);
		break;
	case 2:
	case 3:
		m_mov_cr4(c, c->v.st.cr4 ^ PICK(bits));
		break;
	case 4:
		m_wrmsr_efer(c, c->v.st.efer ^ 0x800);
		break;
	default:
		c->v.regs.rflags ^= X86_EFLAGS_AC;
		c->pkru = pick64();
	}
}

static void random_flush(struct m_vcpu *c)
{
	struct ref_regs r;
	u64 gva;

	ref_regs_of(c, &r);
	gva = random_gva(&r);
	if (one_in(4))
		m_invpcid(c, pick(4), pick(M_PCIDS), gva);
	else
		m_invlpg(c, gva);
}

/* The way system software goes about it: change an entry, flush, use it. */
static void change_and_use(struct m_vcpu *c)
{
	struct ref_regs r;
	struct ref_walk w;
	u64 gva, e, data = pick64();
	unsigned int i;

	ref_regs_of(c, &r);
	gva = random_gva(&r) & ~7ull;
	m_access(c, gva, TDM_ACCESS_READ, &data, 8);
	ref_translate(&r, gva, TDM_ACCESS_READ, &w);
	if (!w.nr || m.broken)
		return;
	i = pick(w.nr);
	e = one_in(2) ? random_entry() : w.entry[i] ^ (1ull << pick(w.esize * 8));
	if (m_page_at(w.entry_gpa[i] >> PAGE_SHIFT) < 0)
		return;
	if (one_in(2) && w.entry_gpa[i] >> PAGE_SHIFT < 96)
		m_access(c, w.entry_gpa[i], TDM_ACCESS_WRITE, &e, w.esize);
	else
		m_emulated_write(c, w.entry_gpa[i], &e, w.esize);
	if (!one_in(4))
		m_invlpg(c, gva);
	m_access(c, gva, one_in(2) ? TDM_ACCESS_READ : TDM_ACCESS_WRITE, &data, 8);
}

/* Many entries of one table, by the guest's own stores; some use; a flush. */
static void write_burst(struct m_vcpu *c)
{
	unsigned int n = 1 + pick(12), i;
	u64 table = some_table() << PAGE_SHIFT, e, gva;
	struct ref_regs r;

	for (i = 0; i < n && !m.broken; i++) {
		ref_regs_of(c, &r);
		e = one_in(4) ? random_entry() : entry_to(some_gfn()) | (one_in(2) ? P_A | P_D : 0);
		gva = table + PICK(indices) % 512 * (r.mode == M_32 ? 4 : 8);
		m_access(c, gva, TDM_ACCESS_WRITE, &e, r.mode == M_32 ? 4 : 8);
		if (one_in(3))
			random_access(c);
	}
	if (one_in(2))
		random_cr3(c);
	else
		m_invlpg(c, random_gva(&r));
}

/* ---- what the host and the caller do ---- */

static void random_host_op(void)
{
	unsigned int from = one_in(2) ? pick(96) : pick(M_HVAS);
	unsigned int to = min(from + 1 + pick(one_in(4) ? 600 : 8), M_HVAS);

	switch (pick(6)) {
	case 0:
		m_collapse(pick(M_HVAS / 512));
		break;
	case 1:
		m_split(pick(M_HVAS / 512));
		break;
	case 2:
		m_invalidate(from, to, true);
		break;
	case 3:		/* migration */
		m_invalidate(from, from + 1, false);
		m_populate(from, one_in(2), false);
		break;
	default:
		m_invalidate(from, to, false);
	}
}

/* Accesses while the host is changing a range. */
static void random_invalidation(void)
{
	unsigned int from = pick(M_HVAS), to = min(from + 1 + pick(64), M_HVAS), n = pick(4);

	m_notify(from, to, true);
	while (n-- && !m.broken)
		random_access(&m.cpu[pick(m.nr_cpus)]);
	m_notify(from, to, false);
}

static void random_age(void)
{
	unsigned int i = one_in(2) ? pick(96) : pick(M_HVAS);
	struct mmu_notifier *mn = &m.vm.mmu.notifier;

	if (one_in(4))
		mn->ops->clear_young(mn, m.vm.mm, m_hva(i), m_hva(min(i + 64, M_HVAS)));
	mn->ops->clear_flush_young(mn, m.vm.mm, m_hva(i), m_hva(i + 1));
	m_must(!mn->ops->test_young(mn, m.vm.mm, m_hva(i)), "young after it was cleared",
	       "host page %u", i);
}

static void random_slot_op(void)
{
	unsigned int id = one_in(4) ? 0 : 1 + pick(M_SLOTS - 1);
	struct m_slot *s = &m.slot[id];
	u32 flags = s->flags ^ KVM_MEM_LOG_DIRTY_PAGES;

	if (!s->used) {
		set_slot_as_laid_out(id, layout[id].flags);
	} else if (one_in(2)) {
		m_set_slot(id, s->base, s->npages, flags);
	} else if (id && one_in(2)) {
		m_set_slot(id, s->base == layout[id].base ? 0x2000 + id * 0x1000 :
			   layout[id].base, s->npages, s->flags);
	} else {
		m_set_slot(id, 0, 0, 0);
		if (!id) {	/* most guests do not live long without */
			random_access(&m.cpu[pick(m.nr_cpus)]);
			set_slot_as_laid_out(0, layout[0].flags);
		}
	}
}

static void random_track(void)
{
	u64 gfn = one_in(2) ? pick(M_TABLES) : some_gfn();
	int page = m_page_at(gfn), r;
	unsigned int c, t;

	if (page >= 0 && m.code[page] && !one_in(4)) {
		tdm_track_del(&m.vm, gfn, TDM_TRACK_CODE);
		m.code[page]--;
		return;
	}
	if (page >= 0 && m.code[page] > 100)
		return;
	r = tdm_track_add(&m.vm, gfn, TDM_TRACK_CODE);
	m_must(r == (page < 0 ? -ENOENT : 0), "a trace is not set", "%d", r);
	if (r)
		return;
	m.code[page]++;
	for (c = 0; c < m.nr_cpus; c++)
		for (t = 0; t < M_TLB; t++) {
			const struct m_tlb *e = &m.cpu[c].tlb[t];

			m_must(!e->valid || !e->w || m_frame_owner(e->pfn) != page,
			       "a traced page is writable through a TLB", "page %d", page);
		}
}

/* As a translator: fetch, now and then from where code was found before. */
static void random_code(struct m_vcpu *c)
{
	const struct m_code *code = &m.code_page[pick(M_CODE)];
	struct ref_regs r;

	if (m_enter(c))
		return;
	ref_regs_of(c, &r);
	m_bt_code_page(c, code->gen && one_in(2) ? code->gva : random_gva(&r));
}

static void random_bound(void)
{
	struct shrink_control sc = { .nr_to_scan = 1 + pick(64) };

	if (one_in(4))
		shim_shrinker->scan(NULL, &sc);
	if (m.rules.few_pages)
		tdm_mmu_set_max_pages(&m.vm, 64 + pick(100));
}

static void random_vm_op(void)
{
	unsigned int what = pick(16);

	if (what < 7) {
		if (m.rules.host_acts)
			random_host_op();
	} else if (what < 8) {
		if (m.rules.host_acts)
			random_invalidation();
	} else if (what < 10) {
		m_get_log(one_in(2) ? 5 : pick(M_SLOTS));
	} else if (what < 11) {
		random_age();
	} else if (what < 12) {
		if (!m.rules.no_slots)
			random_slot_op();
	} else if (what < 13) {
		random_track();
	} else {
		random_bound();
	}
}

void m_random_op(void)
{
	struct m_vcpu *c = &m.cpu[pick(m.nr_cpus)];
	unsigned int what = pick(256);

	if (ref_is_full())
		m_flush_all();
	if (m.rules.bt && one_in(4))
		random_code(c);
	else if (what < 150)
		random_access(c);
	else if (what < 175)
		put(some_table(), PICK(indices) & 511, random_entry(), 8);
	else if (what < 190)
		change_and_use(c);
	else if (what < 202)
		write_burst(c);
	else if (what < 212)
		random_cr3(c);
	else if (what < 224)
		random_flush(c);
	else if (what < 230)
		random_control(c);
	else if (what < 233)
		m_random_mode(c);
	else if (what < 251)
		random_vm_op();
	else if (what < 255)
		m_lay_out_tables();
	else if (one_in(4))
		random_tables();
}
