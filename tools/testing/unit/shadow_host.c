// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host of the test machine: frames with contents, an array for the page
 * tables, faults and copy-on-write, notifiers; and memslots over it.
 *
 * A frame that is freed is poisoned and given out again as late as possible, and
 * the poison is looked at then: who still writes there is found.
 */
#include "shadow_machine.h"

#define POISON	0xa5
#define FRAME0	SHIM_PAGES
#define FRAMES	SHIM_HOST_PAGES

static struct mm_struct mm = { 1 };
static int owner[FRAMES];		/* host page + 1, 0: free */
static u64 freed_at[FRAMES];		/* 0: never used */
static u64 frees;
static unsigned int hand;		/* where the search for a free frame goes on */

unsigned long m_hva(unsigned int i)
{
	return M_HVA0 + ((unsigned long)i << PAGE_SHIFT);
}

u8 *m_frame(u64 pfn)
{
	return __va(pfn << PAGE_SHIFT);
}

int m_frame_owner(u64 pfn)
{
	return pfn < FRAME0 || pfn >= FRAME0 + FRAMES ? -1 :
	       owner[pfn - FRAME0] - 1;
}

static void check_poison(unsigned int f)
{
	const u8 *p = m_frame(FRAME0 + f);

	if (!freed_at[f])
		return;
	m_must(p[0] == POISON && !memcmp(p, p + 1, PAGE_SIZE - 1),
	       "a page was written that the host had taken back", "frame %u", f);
}

static void take_frame(unsigned int f, unsigned int page)
{
	unsigned int i;
	u64 *at = (u64 *)m_frame(FRAME0 + f);

	check_poison(f);
	owner[f] = page + 1;
	for (i = 0; i < 512; i++)
		at[i] = ref_read(page, i * 8);
}

static void give_frame(unsigned int f)
{
	owner[f] = 0;
	freed_at[f] = ++frees;
	memset(m_frame(FRAME0 + f), POISON, PAGE_SIZE);
}

/* Round robin: the one freed longest ago, nearly. */
static unsigned int find_frames(unsigned int n)
{
	unsigned int tries, i;

	if (n > 1)
		hand = (hand + n - 1) & ~(n - 1);
	for (tries = 0; tries < 2 * FRAMES; tries += n, hand += n) {
		hand %= FRAMES;
		for (i = 0; i < n && !owner[hand + i]; i++)
			;
		if (i == n) {
			i = hand;
			hand += n;
			return i;
		}
	}
	return FRAMES;
}

/* What is in a page must be what was stored there. */
static void check_contents(unsigned int i)
{
	const u64 *at = (const u64 *)m_frame(m.host[i].pfn);
	unsigned int j;

	for (j = 0; j < 512; j++)
		m_must(at[j] == ref_read(i, j * 8),
		       "guest memory has other contents than were stored",
		       "host page %u + %x: %llx, not %llx", i, j * 8,
		       (unsigned long long)at[j], (unsigned long long)ref_read(i, j * 8));
}

void m_compare_all(void)
{
	unsigned int i;

	for (i = 0; i < M_HVAS; i++)
		if (m.host[i].present && m.used[i])
			check_contents(i);
}

static void sync_pte(unsigned int i)
{
	const struct m_host_page *p = &m.host[i];

	m.host_pte[i] = !p->present ? 0 :
		p->pfn << PAGE_SHIFT | _PAGE_PRESENT | _PAGE_USER |
		(p->rw ? _PAGE_RW : 0) | (p->dirty ? _PAGE_DIRTY : 0);
}

static void set_page(unsigned int i, u64 pfn, bool write, int level)
{
	m.host[i] = (struct m_host_page){ pfn, true, write, write, level };
	sync_pte(i);
}

static void clear_page_at(unsigned int i)
{
	if (m.host[i].present) {
		check_contents(i);
		give_frame(m.host[i].pfn - FRAME0);
	}
	m.host[i] = (struct m_host_page){};
	sync_pte(i);
}

/* Bring in one page, or, where nothing is yet, a whole large one. */
void m_populate(unsigned int i, bool write, bool large)
{
	unsigned int base = i & ~511u, j, f = FRAMES;

	large = large && base + 512 <= M_HVAS;
	for (j = 0; large && j < 512; j++)
		large = !m.host[base + j].present;
	if (large)
		f = find_frames(512);
	if (f < FRAMES) {
		for (j = 0; j < 512; j++) {
			take_frame(f + j, base + j);
			set_page(base + j, FRAME0 + f + j, write, 2);
		}
		return;
	}
	f = find_frames(1);
	assert(f < FRAMES);
	take_frame(f, i);
	set_page(i, FRAME0 + f, write, 1);
}

/* The host begins, or has ended, to change a range. */
void m_notify(unsigned int from, unsigned int to, bool start)
{
	struct mmu_notifier_range r = { m_hva(from), m_hva(to) };
	const struct mmu_notifier_ops *ops = m.vm.mmu.notifier.ops;

	m.invalidating += start ? 1 : -1;
	if (start)
		ops->invalidate_range_start(&m.vm.mmu.notifier, &r);
	else
		ops->invalidate_range_end(&m.vm.mmu.notifier, &r);
}

/* When the host was told that nobody uses the pages, no TLB may have them. */
static void check_gone(unsigned int from, unsigned int to, bool only_protect)
{
	unsigned int c, t;

	for (c = 0; c < m.nr_cpus; c++)
		for (t = 0; t < M_TLB; t++) {
			const struct m_tlb *e = &m.cpu[c].tlb[t];
			int page = e->valid ? m_frame_owner(e->pfn) : -1;

			if (page < (int)from || page >= (int)to)
				continue;
			m_must(only_protect && !e->w, "a translation outlived its notifier",
			       "cpu %u vpn %llx", c, (unsigned long long)e->vpn);
		}
}

/* The host takes pages away, or write access to them. A large page is split. */
void m_invalidate(unsigned int from, unsigned int to, bool only_protect)
{
	unsigned int i;

	for (i = from; i < to; i++)
		if (m.host[i].level == 2) {
			from = min(from, i & ~511u);
			to = max(to, (i | 511u) + 1);
		}
	m_notify(from, to, true);
	check_gone(from, to, only_protect);
	for (i = from; i < to; i++) {
		if (!only_protect) {
			clear_page_at(i);
		} else if (m.host[i].present) {
			m.host[i].rw = false;
			m.host[i].dirty = false;
			sync_pte(i);
		}
	}
	m_notify(from, to, false);
	m.count[M_C_HOST]++;
}

/* Small pages become a large one. */
void m_collapse(unsigned int block)
{
	unsigned int base = block * 512;

	if (base + 512 > M_HVAS)
		return;
	m_invalidate(base, base + 512, false);
	m_populate(base, true, true);
}

/* A large page becomes small ones, same frames. */
void m_split(unsigned int block)
{
	unsigned int base = block * 512, i;

	if (base + 512 > M_HVAS || m.host[base].level != 2)
		return;
	m_notify(base, base + 512, true);
	check_gone(base, base + 512, false);
	for (i = base; i < base + 512; i++) {
		m.host[i].level = 1;
		sync_pte(i);
	}
	m_notify(base, base + 512, false);
}

/* What a page fault of the host does. */
static void fault_in(unsigned int i, bool write)
{
	if (!m.host[i].present) {
		/* Also writable without a need: the caller may have written it. */
		m_populate(i, write || one_in(2), i / 512 % 2 || one_in(8));
	} else if (write && !(m.host[i].rw && m.host[i].dirty)) {
		unsigned int n = m.host[i].level == 2 ? 512 : 1, j = i & ~(n - 1);

		if (m.rules.host_acts && one_in(2)) {
			m_invalidate(i, i + 1, false);	/* copy on write */
			m_populate(i, true, false);
			return;
		}
		for (; n; n--, j++) {
			m.host[j].rw = true;
			m.host[j].dirty = true;
			sync_pte(j);
		}
	}
}

/* ---- what the code under test asks of the host ---- */

void tdm_host_lookup(struct mm_struct *mm_, unsigned long hva, struct tdm_host_map *map)
{
	unsigned int i = (hva - M_HVA0) >> PAGE_SHIFT;

	assert(m.vm.mmu.lock.held);
	*map = (struct tdm_host_map){ .level = TDM_LEVEL_4K };
	if (hva < M_HVA0 || i >= M_HVAS)
		return;
	map->pte = m.host_pte[i];
	if (map->pte)
		map->level = m.host[i].level;
	if (map->level == TDM_LEVEL_4K)
		map->ptep = &m.host_pte[i];
}

bool tdm_host_kernel_maps(u64 pfn)
{
	return true;
}

enum tdm_host_verdict tdm_host_judge_odd(u64 pte, bool write)
{
	return pte & _PAGE_PRESENT ? TDM_HOST_REFUSE : TDM_HOST_FAULT;
}

int tdm_host_fault_in(struct mm_struct *mm_, unsigned long hva, bool write)
{
	unsigned int i = (hva - M_HVA0) >> PAGE_SHIFT;

	assert(!m.vm.mmu.lock.held && !m.vm.slots_sem.held);
	assert(hva >= M_HVA0 && i < M_HVAS);
	fault_in(i, write);
	return 0;
}

static void *user_pointer(const void *at, bool write, bool may_fault)
{
	unsigned long hva = (unsigned long)at;
	unsigned int i = (hva - M_HVA0) >> PAGE_SHIFT;
	const struct m_host_page *p;

	if (hva < M_HVA0 || i >= M_HVAS)
		return (void *)at;		/* a buffer of the test */
	p = &m.host[i];
	if (!p->present || (write && !(p->rw && p->dirty))) {
		if (!may_fault)
			return NULL;
		assert(!m.vm.mmu.lock.held);
		fault_in(i, write);
	}
	return m_frame(p->pfn) + PAGE_OFF(hva);
}

void m_host_reset(void)
{
	unsigned int i;

	shim_init();
	shim_uaccess = user_pointer;
	m.vm.mm = &mm;
	for (i = 0; i < FRAMES; i++)
		if (owner[i])
			give_frame(i);
}

/* ---- memslots ---- */

/* Each id has its own pages of the host, so that no two gfns show one page. */
static const struct { unsigned int hva, npages; } id_pages[M_SLOTS] = {
	{ 0, 512 }, { 512, 1024 }, { 1536, 512 }, { 2048, 64 }, { 2112, 64 }, { 2176, 128 },
};

struct m_slot *m_slot_at(u64 gfn)
{
	unsigned int i;

	for (i = 0; i < M_SLOTS; i++)
		if (m.slot[i].used && gfn >= m.slot[i].base &&
		    gfn < m.slot[i].base + m.slot[i].npages)
			return &m.slot[i];
	return NULL;
}

int m_page_at(u64 gfn)
{
	struct m_slot *s = m_slot_at(gfn);

	return s ? (int)(s->hva + (gfn - s->base)) : -1;
}

u64 m_gfn_of(unsigned int i)
{
	unsigned int id;

	for (id = 0; id < M_SLOTS; id++) {
		const struct m_slot *s = &m.slot[id];

		if (s->used && i >= s->hva && i < s->hva + s->npages)
			return s->base + (i - s->hva);
	}
	return ~0ull;
}

/* No translation of a slot that went or lost rights may be left. */
static void check_slot_tlbs(void)
{
	unsigned int c, t;

	for (c = 0; c < m.nr_cpus; c++)
		for (t = 0; t < M_TLB; t++) {
			const struct m_tlb *e = &m.cpu[c].tlb[t];

			if (e->valid)
				m_must(m_frame_owner(e->pfn) >= 0 &&
				       m_gfn_of(m_frame_owner(e->pfn)) != ~0ull,
				       "a translation outlived its memslot", "vpn %llx",
				       (unsigned long long)e->vpn);
		}
}

/* npages 0: delete. The size is the id's own or less. */
int m_set_slot(unsigned int id, u64 base, u64 npages, u32 flags)
{
	struct m_slot *s = &m.slot[id], old = *s;
	struct kvm_userspace_memory_region r = {
		.slot = id, .flags = flags, .guest_phys_addr = base << PAGE_SHIFT,
		.memory_size = npages << PAGE_SHIFT,
		.userspace_addr = m_hva(id_pages[id].hva),
	};
	unsigned int i;
	int err;

	assert(npages <= id_pages[id].npages);
	m.op++;
	err = tdm_memslot_set(&m.vm, &r);
	if (err)
		return err;
	m.now++;
	*s = (struct m_slot){ npages != 0, base, npages, id_pages[id].hva, flags };
	for (i = id_pages[id].hva; i < id_pages[id].hva + id_pages[id].npages; i++) {
		if (!s->used || !old.used || old.base != base) {
			m_must(!m.code[i] || m.reported[i] == m.op,
			       "a memslot with code went without a word", "page %u", i);
			m.code[i] = 0;
		}
		if (!s->used || !old.used || !(old.flags & flags & KVM_MEM_LOG_DIRTY_PAGES))
			m.written[i] = false;
	}
	check_slot_tlbs();
	return 0;
}

static unsigned long bitmap[M_HVAS / 64 + 1];

/* KVM_GET_DIRTY_LOG, and with manual protection KVM_CLEAR_DIRTY_LOG. */
void m_get_log(unsigned int id)
{
	bool clear_by_hand = m.vm.dirty_log_caps & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	struct m_slot *s = &m.slot[id];
	struct kvm_dirty_log get = { .slot = id, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = id, .dirty_bitmap = bitmap };
	unsigned int i, c, t;
	int r;

	memset(bitmap, 0, sizeof(bitmap));
	r = tdm_dirty_log_get(&m.vm, &get);
	if (!s->used || !(s->flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		m_must(r == -ENOENT, "a dirty log where none is", "%d", r);
		return;
	}
	m_must(!r, "KVM_GET_DIRTY_LOG fails", "%d", r);
	for (i = 0; i < s->npages; i++)
		m_must(test_bit(i, bitmap) || !m.written[s->hva + i],
		       "a write is missing from the dirty log", "gfn %llx",
		       (unsigned long long)s->base + i);
	if (clear_by_hand) {
		clear.num_pages = s->npages;
		r = tdm_dirty_log_clear(&m.vm, &clear);
		m_must(!r, "KVM_CLEAR_DIRTY_LOG fails", "%d", r);
	}
	memset(m.written + s->hva, 0, s->npages);
	for (c = 0; c < m.nr_cpus; c++)
		for (t = 0; t < M_TLB; t++) {
			const struct m_tlb *e = &m.cpu[c].tlb[t];
			int page = e->valid && e->w ? m_frame_owner(e->pfn) : -1;

			m_must(page < (int)s->hva || page >= (int)(s->hva + s->npages),
			       "a page is writable through a TLB after its log was cleared",
			       "page %d", page);
		}
}
