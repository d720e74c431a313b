// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test machine's processors: they walk the shadow tables with the control
 * bits an engine would run them with, keep translations, and take every exit to
 * the code under test. What comes of each access is held against the reference.
 */
#include <asm/processor-flags.h>
#include <stdarg.h>

#include "arch/x86/compat.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/cr.h"
#include "arch/x86/fpu.h"
#include "shadow_machine.h"
#include "shadow_mmu/shadow.h"

struct machine m;

void m_fail(const char *what, const char *fmt, ...)
{
	va_list ap;

	if (m.broken)
		return;
	m.broken = what;
	va_start(ap, fmt);
	vsnprintf(m.detail, sizeof(m.detail), fmt, ap);
	va_end(ap);
}

static struct m_vcpu *cpu_of(struct tdm_vcpu *v)
{
	return container_of(v, struct m_vcpu, v);
}

/* ---- what the code under test asks of the rest of the core ---- */

bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature)
{
	return feature == X86_FEATURE_PSE36 ? m.pse36 :
	       feature == X86_FEATURE_GBPAGES ? m.page_1g : true;
}

u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu)
{
	return m.maxphyaddr;
}

u32 tdm_fpu_pkru(struct tdm_vcpu *vcpu)
{
	return cpu_of(vcpu)->pkru;
}

void m_tlb_drop(struct m_vcpu *c)
{
	memset(c->tlb, 0, sizeof(c->tlb));
}

static void flush_vcpus(struct tdm_vm *vm)
{
	unsigned int i;

	assert(!vm->mmu.lock.held);
	for (i = 0; i < m.nr_cpus; i++) {
		m_tlb_drop(&m.cpu[i]);
		m.cpu[i].stale = true;
	}
	m.count[M_C_FLUSHES]++;
}

static void code_written(struct tdm_vm *vm, u64 gpa, u64 len)
{
	u64 gfn;

	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
		if (m_page_at(gfn) >= 0)
			m.reported[m_page_at(gfn)] = m.op;
	m.count[M_C_CODE]++;
}

/* Nothing that is searched under the lock may be long. */
static void check_chains(void)
{
	struct tdm_memslot *slot;
	struct tdm_spage *sp;
	unsigned long i;
	u64 gfn;

	xa_for_each(&m.vm.slots_by_id, i, slot)
		for (gfn = slot->base_gfn; gfn < slot->base_gfn + slot->npages; gfn++)
			m_must(tdm_rmap_count(tdm_gfn_info(slot, gfn)->rmap) <= TDM_RMAP_MAX,
			       "a reverse map without bound", "gfn %llx", (unsigned long long)gfn);
	for (i = 0; i < ARRAY_SIZE(m.vm.mmu.shadow->hash); i++)
		hlist_for_each_entry(sp, &m.vm.mmu.shadow->hash[i], hash)
			m_must(tdm_rmap_count(sp->parents) <= TDM_RMAP_MAX,
			       "a table with parents without bound", "gfn %llx",
			       (unsigned long long)sp->gfn);
}

static const struct tdm_mmu_client client = {
	.flush_vcpus = flush_vcpus,
	.code_written = code_written,
};

/* ---- life ---- */

static void start_vcpu(unsigned int i)
{
	struct m_vcpu *c = &m.cpu[i];
	int err;

	*c = (struct m_vcpu){};
	c->v.vm = &m.vm;
	c->v.id = i;
	c->v.index = i;
	c->v.valid = ~0u;
	c->v.ops = &c->ops;
	c->v.st.cr0 = X86_CR0_PE | X86_CR0_ET;
	c->v.st.seg[TDM_SEG_CS].ar = TDM_AR_P | TDM_AR_S | TDM_AR_CODE | TDM_AR_DB;
	err = xa_err(xa_store(&m.vm.vcpus, i, &c->v, 0));
	assert(!err);
	err = tdm_mmu_vcpu_init(&c->v);
	assert(!err);
	if (m.rules.bt)
		m_bt_start(c);
	c->stale = true;
	m.vm.online_vcpus.v = i + 1;
}

void m_start(unsigned int nr_cpus, const struct m_rules *rules)
{
	unsigned int i;
	int err;

	ref_reset();
	memset(&m, 0, sizeof(m));
	m.rules = *rules;
	m.now = 1;
	m.op = 1;
	m.maxphyaddr = 40;
	m.pse36 = true;
	m.page_1g = true;
	boot_cpu_data.x86_phys_bits = 40;
	shim_fail = 0;
	m_host_reset();
	tdm_mmu_client = &client;
	spin_lock_init(&m.vm.mmu.lock);
	init_rwsem(&m.vm.slots_sem);
	err = tdm_mmu_vm_init(&m.vm);
	assert(!err);
	m.vm.mmu_mode = TDM_MMU_MODE_SHADOW;
	if (!shim_shrinker) {
		err = tdm_mmu_module_init();
		assert(!err);
	}
	if (rules->slots_first)
		m_lay_out_slots();
	m.nr_cpus = nr_cpus;
	for (i = 0; i < nr_cpus; i++)
		start_vcpu(i);
}

void m_end(void)
{
	unsigned int i;

	shim_fail = 0;
	m_compare_all();
	tdm_mmu_vm_release(&m.vm);
	for (i = 0; i < m.nr_cpus; i++) {
		unsigned int t;

		for (t = 0; t < M_TLB; t++)
			m_must(!m.cpu[i].tlb[t].valid,
			       "a translation outlived the address space", "cpu %u", i);
	}
	for (i = 0; i < m.nr_cpus; i++) {
		m_bt_end(&m.cpu[i]);	/* the engine's tables go first */
		tdm_mmu_vcpu_destroy(&m.cpu[i].v);
	}
	tdm_mmu_vm_destroy(&m.vm);
	m_must(!shim_live, "memory is leaked", "%ld", shim_live);
	m_must(!m_vmstat(mem_bytes), "memory is accounted for wrongly", "%lld",
	       (long long)m_vmstat(mem_bytes));
	shim_live = 0;
}

u64 m_stat(enum tdm_vcpu_stat stat)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < m.nr_cpus; i++)
		sum += m.cpu[i].v.stat[stat];
	return sum;
}

void m_check(void)
{
	if (m.broken)
		return;
	m_must(!tdm_mmu_audit(&m.vm), "the audit found something", "%s", "");
	m_compare_all();
	check_chains();
	m_must(!m.vm.mmu.max_pages || m_vmstat(shadow_pages) <= (s64)m.vm.mmu.max_pages,
	       "more shadow pages than the caller allowed", "%lld",
	       (long long)m_vmstat(shadow_pages));
}

/* ---- the walker of the shadow tables ---- */

static bool hw_long(const struct m_vcpu *c)
{
	return c->v.st.efer & 0x400;
}

/* An entry is good hardware: no reserved bit, tables of ours, frames of the host. */
static bool sane_entry(const struct m_vcpu *c, u64 e, int level, bool leaf)
{
	u64 pfn = (e & P_ADDR) >> PAGE_SHIFT;
	u64 bad = ((1ull << 52) - 1) & ~((1ull << boot_cpu_data.x86_phys_bits) - 1);

	if (!hw_long(c))
		bad |= 0x7ffull << 52;
	if (leaf && level > 1)
		bad |= ((1ull << (9 * (level - 1))) - 1) << 13 >> 1 & ~0x1fffull;
	if ((e & P_PS) && level > 2)
		bad |= P_PS;
	if (e & bad)
		return false;
	if (leaf && c->mon && (e & P_ADDR) == c->mon_page)
		return true;
	return leaf ? pfn >= SHIM_PAGES && pfn < SHIM_PAGES + SHIM_HOST_PAGES :
		      pfn && pfn < SHIM_PAGES;
}

static void load_pdptes(struct m_vcpu *c)
{
	const u64 *p = __va(c->v.mmu.hw_cr3);
	unsigned int i;

	if (hw_long(c))
		return;
	for (i = 0; i < 4; i++) {
		c->pdpte[i] = p[i];
		m_must(!(p[i] & P_P) || (!(p[i] & 0x1e6) && !(p[i] >> boot_cpu_data.x86_phys_bits)),
		       "a PDPTE with reserved bits", "%llx", (unsigned long long)p[i]);
	}
}

/*
 * As a processor checks rights: CR0.WP is always 1, NX always on; the others are
 * the guest's, and off when it does not use paging.
 */
static u32 hw_forbids(struct m_vcpu *c, const struct m_tlb *e, u32 access)
{
	bool pg = c->v.st.cr0 & X86_CR0_PG, ac = c->v.regs.rflags & X86_EFLAGS_AC;
	bool implicit = access & TDM_WALK_IMPLICIT;
	bool user = (access & TDM_ACCESS_USER) && !implicit;
	bool write = access & TDM_ACCESS_WRITE, fetch = access & TDM_ACCESS_FETCH;
	u64 cr4 = pg ? c->v.st.cr4 : 0;
	bool bad = false;
	u32 err = 0;

	if (hw_long(c) && (cr4 & X86_CR4_PKE) && e->u && !fetch) {
		u32 key = c->pkru >> (2 * e->pkey);

		if ((key & 1) || ((key & 2) && write))
			err |= TDM_PF_PK;
	}
	bad |= write && !e->w;
	bad |= fetch && !e->x;
	bad |= user && !e->u;
	bad |= !user && fetch && e->u && (cr4 & X86_CR4_SMEP);
	bad |= !user && !fetch && e->u && (cr4 & X86_CR4_SMAP) && (implicit || !ac);
	return bad || err ? err | TDM_PF_P : 0;
}

/* 0 and @e, or the error code. Sets A and D in the shadow tables. */
static u32 hw_walk(struct m_vcpu *c, u64 gva, u32 access, struct m_tlb *e)
{
	u64 *path[4], *table, val;
	int level = hw_long(c) ? 4 : 2, n = 0, i;
	u64 top = hw_long(c) ? c->v.mmu.hw_cr3 : c->pdpte[gva >> 30 & 3];
	bool leaf;
	u32 err;

	if (!hw_long(c) && !(top & P_P))
		return 0x80000000;
	table = __va(top & P_ADDR);
	*e = (struct m_tlb){ .valid = true, .w = true, .u = true, .x = true,
			     .vpn = gva >> PAGE_SHIFT };
	for (;; level--) {
		path[n] = &table[gva >> (3 + 9 * level) & 511];
		val = *path[n++];
		if (!(val & P_P))
			return 0x80000000;
		leaf = level == 1 || (val & P_PS);
		m_must(sane_entry(c, val, level, leaf), "a shadow entry that no processor takes",
		       "level %d: %llx", level, (unsigned long long)val);
		if (m.broken)
			return 0x80000000;
		e->w &= val >> 1 & 1;
		e->u &= val >> 2 & 1;
		e->x &= !(val >> 63);
		if (leaf)
			break;
		table = __va(val & P_ADDR);
	}
	e->pkey = val >> 59 & 15;
	e->pfn = ((val & P_ADDR) >> PAGE_SHIFT) + (e->vpn & ((1ull << (9 * (level - 1))) - 1));
	err = hw_forbids(c, e, access);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		*path[i] |= P_A;
	if (access & TDM_ACCESS_WRITE)
		*path[n - 1] |= P_D;
	e->d = *path[n - 1] & P_D;
	return 0;
}

/* Through the TLB. 0 and *@pfn, or the error code of a #PF. */
static u32 hw_translate(struct m_vcpu *c, u64 gva, u32 access, u64 *pfn)
{
	struct m_tlb *t = &c->tlb[(gva >> PAGE_SHIFT) % M_TLB], e;
	bool hit = t->valid && t->vpn == gva >> PAGE_SHIFT &&
		   (t->d || !(access & TDM_ACCESS_WRITE));
	u32 err;

	if (hit)
		e = *t;
	err = hit ? hw_forbids(c, &e, access) : hw_walk(c, gva, access, &e);
	if (!err) {
		*t = e;
		*pfn = e.pfn;
		return 0;
	}
	if (t->vpn == gva >> PAGE_SHIFT)
		t->valid = false;	/* a #PF drops it */
	err |= 0x80000000;
	if (access & TDM_ACCESS_WRITE)
		err |= TDM_PF_W;
	if ((access & TDM_ACCESS_USER) && !(access & TDM_WALK_IMPLICIT))
		err |= TDM_PF_U;
	if (access & TDM_ACCESS_FETCH)
		err |= TDM_PF_I;
	return err;
}

/* ---- entering and leaving ---- */

/* What the run loop does before it lets the guest run. */
int m_enter(struct m_vcpu *c)
{
	unsigned int tries;
	int r;

	for (tries = 0; tries < 8; tries++) {
		if (!tdm_take_request(&c->v, TDM_REQ_MMU_ROOT) && c->v.mmu.hw_cr3 &&
		    m_bt_settled(c))
			break;
		r = 0;
		if (!one_in(2) || !tdm_mmu_update_root_fast(&c->v))
			r = tdm_mmu_update_root(&c->v);
		if (r) {
			tdm_request(&c->v, TDM_REQ_MMU_ROOT);
			return r;
		}
		m_bt_tell(c);
		/* The engine loads CR3. */
		m_tlb_drop(c);
		c->stale = true;
	}
	if (tries == 8) {
		m_fail("a root never becomes right", "cpu %u", c->v.id);
		return -EIO;
	}
	if (tdm_take_request(&c->v, TDM_REQ_TLB_FLUSH))
		m_tlb_drop(c);
	/* An entry: what was lost since the last one may not be cached any more. */
	if (c->stale && c->tlb_gen != m.vm.mmu.tlb_gen) {
		c->tlb_gen = m.vm.mmu.tlb_gen;
		m_tlb_drop(c);
	}
	if (c->stale)
		load_pdptes(c);
	c->stale = false;
	m_bt_entered(c);
	return 0;
}

void m_leave(struct m_vcpu *c)
{
	m.count[M_C_EXITS]++;
	c->stale = true;
	if (!m.rules.keep_tlb)
		m_tlb_drop(c);
}

/* ---- accesses ---- */

/* A write that the code under test did not see. */
static void check_direct_write(unsigned int page, u64 gpa)
{
	struct m_slot *s = m_slot_at(gpa >> PAGE_SHIFT);
	struct tdm_memslot *slot;

	m_must(m.host[page].rw && m.host[page].dirty, "wrote a page the host keeps read-only",
	       "gpa %llx", (unsigned long long)gpa);
	m_must(!(s->flags & KVM_MEM_READONLY), "wrote to a read-only memslot",
	       "gpa %llx", (unsigned long long)gpa);
	m_must(!m.code[page], "wrote a page of code without a word",
	       "gpa %llx", (unsigned long long)gpa);
	if (!(s->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	spin_lock(&m.vm.mmu.lock);
	slot = tdm_memslot_find_locked(&m.vm, gpa >> PAGE_SHIFT);
	m_must(test_bit((gpa >> PAGE_SHIFT) - slot->base_gfn, slot->dirty),
	       "wrote a page that the dirty log does not name",
	       "gpa %llx", (unsigned long long)gpa);
	spin_unlock(&m.vm.mmu.lock);
}

/* Hardware let it through: where did it end up, and could it? */
static void went_through(struct m_vcpu *c, const struct ref_regs *regs, u64 gva,
			 u32 access, u64 pfn, void *data, unsigned int len)
{
	int page = m_frame_owner(pfn);
	unsigned int off = PAGE_OFF(gva), i;
	struct ref_walk now;
	u64 gpa;

	if (page < 0 || m_gfn_of(page) == ~0ull) {
		m_fail("an access reached memory that is not the guest's",
		       "gva %llx pfn %llx", (unsigned long long)gva, (unsigned long long)pfn);
		return;
	}
	gpa = m_gfn_of(page) << PAGE_SHIFT | off;
	m_must(m.host[page].present && m.host[page].pfn == pfn,
	       "an access reached a page the host took away", "gpa %llx",
	       (unsigned long long)gpa);
	ref_translate(regs, gva, access, &now);
	for (i = 0; i < now.nr; i++)
		m_log("  entry at %llx: %llx", (unsigned long long)now.entry_gpa[i],
		      (unsigned long long)now.entry[i]);
	if (now.ok && now.gpa == gpa)
		ref_absorb(&now, access, false);
	m_must(ref_may_be_cached(c, regs, gva, access, gpa),
	       "an access went through that no TLB could have allowed",
	       "cpu %u mode %d gva %llx access %x: gpa %llx; now %s %llx error %x",
	       c->v.id, regs->mode, (unsigned long long)gva, access, (unsigned long long)gpa,
	       now.ok ? "ok" : "fault", (unsigned long long)now.gpa, now.error);
	m.count[M_C_OK]++;
	m.count[M_C_STALE] += !now.ok || now.gpa != gpa;
	if (m.broken)
		return;
	if (access & TDM_ACCESS_WRITE) {
		check_direct_write(page, gpa);
		memcpy(m_frame(pfn) + off, data, len);
		m.count[M_C_DIRECT_TABLE] += gpa >> PAGE_SHIFT < M_TABLES;
		ref_store(gpa, data, len);
	} else {
		m_must(ref_read(page, off & ~7u) == *(u64 *)(m_frame(pfn) + (off & ~7u)),
		       "a read got other data than was stored", "gpa %llx",
		       (unsigned long long)gpa);
	}
}

/* A write by the emulator or a device. */
void m_emulated_write(struct m_vcpu *c, u64 gpa, const void *data, unsigned int len)
{
	int page = m_page_at(gpa >> PAGE_SHIFT), r;
	struct m_slot *s = m_slot_at(gpa >> PAGE_SHIFT);
	int want = !s ? -ENOENT : s->flags & KVM_MEM_READONLY ? -EROFS : 0;
	u8 old[16];

	m.op++;
	if (one_in(4) && !(gpa & (len - 1)) && !(len & (len - 1)) && page >= 0) {
		u64 two[2] = { ref_read(page, PAGE_OFF(gpa) & ~15u),
			       ref_read(page, (PAGE_OFF(gpa) & ~15u) + 8) };

		memcpy(old, (u8 *)two + (gpa & 15), len);
		r = tdm_cmpxchg_gpa(&m.vm, gpa, old, data, len);
	} else {
		r = tdm_write_gpa(&m.vm, gpa, data, len);
	}
	m_log("  emulated write of %u at %llx: %llx", len, (unsigned long long)gpa,
	      *(unsigned long long *)data);
	m_must(r == want, "a write to guest memory answers wrongly", "%d, not %d", r, want);
	if (r)
		return;
	m_must(!m.code[page] || m.reported[page] == m.op,
	       "an emulated write to a page of code without a word", "gpa %llx",
	       (unsigned long long)gpa);
	ref_store(gpa, data, len);
}

static enum m_outcome true_fault(const struct ref_walk *w, const struct tdm_page_fault *pf,
				 u64 gva, u32 access)
{
	m_must(!w->ok, "a page fault that is not the guest's", "gva %llx access %x error %x",
	       (unsigned long long)gva, access, pf->error);
	m_must(w->ok || (pf->error == w->error && pf->gva == gva),
	       "a page fault with a wrong error code or address",
	       "gva %llx access %x: error %x, not %x; address %llx", (unsigned long long)gva,
	       access, pf->error, w->error, (unsigned long long)pf->gva);
	ref_untouched(w);
	m.count[M_C_FAULTS]++;
	return O_FAULT;
}

/* The emulator does the access: with a walk of its own. */
static enum m_outcome emulate(struct m_vcpu *c, const struct ref_walk *w, u64 gva,
			      u32 access, void *data, unsigned int len)
{
	struct m_slot *s = m_slot_at(w->gpa >> PAGE_SHIFT);
	struct tdm_page_fault pf;
	u64 gpa;
	int r = tdm_gva_to_gpa(&c->v, gva, access, &gpa, &pf);

	if (r == -EFAULT)
		return true_fault(w, &pf, gva, access);
	m_must(!r && w->ok && gpa == w->gpa, "the emulator's walk ends elsewhere",
	       "%d: gva %llx: gpa %llx, not %llx", r, (unsigned long long)gva,
	       (unsigned long long)gpa, (unsigned long long)w->gpa);
	if (m.broken)
		return O_ERROR;
	ref_absorb(w, access, true);
	if (!s || ((access & TDM_ACCESS_WRITE) && (s->flags & KVM_MEM_READONLY)))
		return O_MMIO;
	m.count[M_C_EMULATED]++;
	if (access & TDM_ACCESS_WRITE)
		m_emulated_write(c, gpa, data, len);
	return O_OK;
}

/* A #PF exit. O_OK: try again. */
static int page_fault(struct m_vcpu *c, u64 gva, u32 error, struct tdm_page_fault *pf)
{
	int r = -EAGAIN;

	m_leave(c);
	m.op++;
	if (!one_in(4)) {
		r = tdm_shadow_fault_fast(&c->v, gva, error, pf);
		m.count[M_C_FAST] += r >= 0;
		m_must(r >= 0 || r == -EAGAIN, "the fast path gives an errno", "%d", r);
	}
	if (r == -EAGAIN)
		r = tdm_shadow_fault(&c->v, gva, error, pf);
	return r;
}

enum m_outcome m_access(struct m_vcpu *c, u64 gva, u32 access, void *data, unsigned int len)
{
	struct ref_regs regs;
	struct tdm_page_fault pf = {};
	struct ref_walk w;
	unsigned int tries;
	u64 pfn;
	u32 err;
	int r;

	m.count[M_C_ACCESSES]++;
	c->v.st.seg[TDM_SEG_SS].ar = access & (TDM_ACCESS_USER | TDM_WALK_IMPLICIT) ? TDM_AR_DPL : 0;
	ref_regs_of(c, &regs);
	for (tries = 0; tries < M_TRIES && !m.broken; tries++) {
		if (m_enter(c))
			goto error;
		err = hw_translate(c, gva, access, &pfn);
		if (!err && m_bt_meets_monitor(c, gva, access, pfn))
			return O_FAULT;
		if (!err) {
			went_through(c, &regs, gva, access, pfn, data, len);
			return O_OK;
		}
		ref_translate(&regs, gva, access, &w);
		r = page_fault(c, gva, (u32)(err & ~0x80000000), &pf);
		m_log("  #PF error %x -> %d", err & ~0x80000000, r);
		switch (r) {
		case TDM_MMU_RESUME:
			ref_absorb(&w, access, false);
			break;
		case TDM_MMU_TRUE_FAULT:
			return true_fault(&w, &pf, gva, access);
		case TDM_MMU_MMIO:
			m.count[M_C_MMIO]++;
			r = emulate(c, &w, gva, access, data, len);
			m_must(r == O_MMIO, "device memory where memory is", "gva %llx",
			       (unsigned long long)gva);
			return r;
		case TDM_MMU_EMULATE:
			ref_absorb(&w, access, false);
			return emulate(c, &w, gva, access, data, len);
		default:
			goto error;
		}
	}
	m_must(m.invalidating, "a fault is never resolved", "gva %llx access %x",
	       (unsigned long long)gva, access);
error:
	m.count[M_C_ERRORS]++;
	m_must(m.fail || m.invalidating, "an errno for good memory", "gva %llx access %x",
	       (unsigned long long)gva, access);
	return O_ERROR;
}

/* ---- instructions that change translations ---- */

static void window_closed(struct m_vcpu *c, bool global)
{
	unsigned int i;

	m.now++;
	m_bt_flushed(c, ~0ull);
	for (i = 0; i < M_PCIDS; i++)
		c->flushed[i] = m.now;
	if (global)
		c->gflushed = m.now;
}

int m_mov_cr0(struct m_vcpu *c, u64 val)
{
	u64 old = c->v.st.cr0;
	int r = tdm_set_cr0(&c->v, val);

	m_leave(c);
	m_log("cpu %u: cr0 %llx: %d", c->v.id, (unsigned long long)val, r);
	if (!r && (old & X86_CR0_PG) && !(val & X86_CR0_PG))
		window_closed(c, true);
	return r;
}

int m_mov_cr3(struct m_vcpu *c, u64 val)
{
	bool pcide = c->v.st.cr4 & X86_CR4_PCIDE;
	int r = tdm_set_cr3(&c->v, val);

	m_leave(c);
	m_log("cpu %u: cr3 %llx: %d", c->v.id, (unsigned long long)val, r);
	if (r || (pcide && val >> 63))
		return r;
	m_bt_flushed(c, ~0ull);
	c->flushed[pcide ? val & 0xfff : 0] = ++m.now;
	return 0;
}

int m_mov_cr4(struct m_vcpu *c, u64 val)
{
	u64 diff = val ^ c->v.st.cr4;
	int r = tdm_set_cr4(&c->v, val);

	m_leave(c);
	m_log("cpu %u: cr4 %llx: %d", c->v.id, (unsigned long long)val, r);
	if (!r && ((diff & (X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PSE)) ||
		   (diff & ~val & X86_CR4_PCIDE) || (diff & val & X86_CR4_SMEP)))
		window_closed(c, true);
	return r;
}

int m_wrmsr_efer(struct m_vcpu *c, u64 val)
{
	u64 old = c->v.st.efer;
	int r = tdm_set_efer(&c->v, val);

	m_leave(c);
	m_log("cpu %u: efer %llx: %d", c->v.id, (unsigned long long)val, r);
	if (!r && ((val ^ old) & 0x800))
		window_closed(c, true);
	return r;
}

static void note_invlpg(struct m_vcpu *c, u64 gva, unsigned int pcid, bool any)
{
	c->invlpg[c->nr_invlpg++ % M_INVLPGS] = (struct m_invlpg){ gva, ++m.now, pcid, any };
}


void m_invlpg(struct m_vcpu *c, u64 gva)
{
	bool pcide = c->v.st.cr4 & X86_CR4_PCIDE;

	m_log("cpu %u: invlpg %llx", c->v.id, (unsigned long long)gva);
	tdm_mmu_guest_invlpg(&c->v, gva);
	m_leave(c);
	m_tlb_drop(c);
	m_bt_flushed(c, gva);
	note_invlpg(c, gva, pcide ? c->v.st.cr3 & 0xfff : 0, true);
}

void m_invpcid(struct m_vcpu *c, unsigned int type, unsigned int pcid, u64 gva)
{
	bool pcide = c->v.st.cr4 & X86_CR4_PCIDE;

	if (!pcide && type < 2)
		pcid = 0;
	m_log("cpu %u: invpcid %u pcid %u gva %llx", c->v.id, type, pcid,
	      (unsigned long long)gva);
	tdm_mmu_guest_invpcid(&c->v, type, pcid, gva);
	m_leave(c);
	switch (type) {
	case 0:
		if (!pcide || (c->v.st.cr3 & 0xfff) == pcid)
			m_tlb_drop(c);
		note_invlpg(c, gva, pcid, false);
		break;
	case 1:
		c->flushed[pcid] = ++m.now;
		break;
	default:
		window_closed(c, type == 2);
	}
}

/* The way a guest has to go: out of the old mode, into the new one. */
void m_set_mode(struct m_vcpu *c, enum m_mode mode, u64 root, u64 cr4, bool nx)
{
	u64 pcide = cr4 & X86_CR4_PCIDE;

	m.count[M_C_MODES]++;
	cr4 &= ~(u64)(X86_CR4_PAE | X86_CR4_PCIDE | X86_CR4_LA57);
	if (c->v.st.cr4 & X86_CR4_PCIDE)
		m_mov_cr4(c, c->v.st.cr4 & ~(u64)X86_CR4_PCIDE);
	m_mov_cr0(c, c->v.st.cr0 & ~(u64)X86_CR0_PG);
	m_wrmsr_efer(c, (mode == M_64 ? 0x100 : 0) | (nx ? 0x800 : 0));
	m_mov_cr4(c, cr4 | (mode == M_PAE || mode == M_64 ? X86_CR4_PAE : 0));
	m_mov_cr3(c, root);
	if (mode == M_OFF)
		return;
	/* In PAE mode the PDPTEs may be bad: #GP, and paging stays off. */
	if (m_mov_cr0(c, c->v.st.cr0 | X86_CR0_PG))
		m_must(mode == M_PAE, "paging cannot be turned on", "mode %d", mode);
	else if (mode == M_64 && pcide && !(root & 0xfff))
		m_mov_cr4(c, c->v.st.cr4 | X86_CR4_PCIDE);
}

/* So that the past can be forgotten: as INIT and a full flush would do. */
void m_flush_all(void)
{
	unsigned int i;

	for (i = 0; i < m.nr_cpus; i++) {
		tdm_mmu_guest_flush(&m.cpu[i].v, TDM_FLUSH_ALL);
		m_leave(&m.cpu[i]);
		window_closed(&m.cpu[i], true);
		m.cpu[i].nr_invlpg = 0;
	}
	ref_forget();
}
