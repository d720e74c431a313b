// SPDX-License-Identifier: GPL-2.0-only
/*
 * shadow_mmu/ built for userspace (shim/): memslots, nested faults, notifiers
 * and the dirty log against a model, in random order. The host's page tables
 * are an array here; a vCPU is a TLB that keeps what the tables once said until
 * it is flushed. After every operation that the caller could wait for: no TLB
 * entry and no leaf may say more than the host and the slots do.
 */
#include "shadow_mmu/internal.h"
#include "emul_ktap.h"

/* hva space: HVAS pages from HVA0; gfn space: GFNS pages from 0 */
#define HVA0	0x7f0000000000ul
#define HVAS	4096u
#define GFNS	6144u
#define NIDS	6u

static struct tdm_vm vm;
static struct tdm_vcpu vcpu = { .vm = &vm };
static struct mm_struct mm = { 1 };

/* ---- the host ---- */

struct host_page {
	u64 pfn;
	bool present, rw, dirty, special;
	int level;
};

static struct host_page host[HVAS];
static u64 next_pfn = 1 << 20;		/* 2 MiB aligned; never used twice */
static bool host_holes;			/* some addresses cannot be faulted in */

static unsigned long hva_of(unsigned int i)
{
	return HVA0 + ((unsigned long)i << PAGE_SHIFT);
}

static u64 host_pte(const struct host_page *p)
{
	if (!p->present)
		return 0;
	return p->pfn << PAGE_SHIFT | _PAGE_PRESENT | _PAGE_USER |
	       (p->rw ? _PAGE_RW : 0) | (p->dirty ? _PAGE_DIRTY : 0) |
	       (p->special ? _PAGE_SPECIAL : 0);
}

static u64 host_ptes[HVAS];		/* what map_around() reads */

static void host_sync(void)
{
	unsigned int i;

	for (i = 0; i < HVAS; i++)
		host_ptes[i] = host_pte(&host[i]);
}

void tdm_host_lookup(struct mm_struct *m, unsigned long hva, struct tdm_host_map *map)
{
	unsigned int i = (hva - HVA0) >> PAGE_SHIFT;

	(void)m;
	assert(vm.mmu.lock.held);
	*map = (struct tdm_host_map){};
	if (hva < HVA0 || i >= HVAS)
		return;
	map->pte = host_pte(&host[i]);
	map->level = map->pte ? host[i].level : 0;
	if (map->level <= TDM_LEVEL_4K) {
		map->level = TDM_LEVEL_4K;
		map->ptep = &host_ptes[i];
	}
}

bool tdm_host_kernel_maps(u64 pfn)
{
	return true;
}

enum tdm_host_verdict tdm_host_judge_odd(u64 pte, bool write)
{
	(void)write;
	return pte & _PAGE_PRESENT ? TDM_HOST_REFUSE : TDM_HOST_FAULT;
}

static u64 rng = 88172645463325252ull;

static u64 rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static bool one_in(unsigned int n)
{
	return rnd() % n == 0;
}

/* Bring in one page, or, where nothing is yet, a whole large one. */
static void host_populate(unsigned int i, bool write, bool large)
{
	unsigned int base = i & ~511u, j;

	for (j = 0; large && j < 512; j++)
		large = !host[base + j].present;
	if (!large) {
		host[i] = (struct host_page){ next_pfn, true, write, write, false, 1 };
		next_pfn++;
	} else {
		next_pfn = (next_pfn + 511) & ~511ull;
		for (j = 0; j < 512; j++)
			host[base + j] = (struct host_page){ next_pfn + j, true,
				write, write, false, 2 };
		next_pfn += 512;
	}
	host_sync();
}

static void notify(unsigned int from, unsigned int to, bool start)
{
	struct mmu_notifier_range r = { hva_of(from), hva_of(to) };

	if (start)
		vm.mmu.notifier.ops->invalidate_range_start(&vm.mmu.notifier, &r);
	else
		vm.mmu.notifier.ops->invalidate_range_end(&vm.mmu.notifier, &r);
}

static void check_tlb_host(unsigned int from, unsigned int to);

/* The host takes pages away, or write access to them. A large page is split. */
static void host_invalidate(unsigned int from, unsigned int to, bool only_protect)
{
	bool split = one_in(4);
	unsigned int i, j;

	for (i = from; i < to; i++)
		if (host[i].level == 2) {
			from = min(from, i & ~511u);
			to = max(to, (i | 511u) + 1);
		}
	notify(from, to, true);
	check_tlb_host(from, to);
	for (i = from; i < to; i++) {
		j = host[i].level;
		if (only_protect)
			host[i].rw = host[i].dirty = false;
		else
			host[i] = (struct host_page){};
		if (only_protect && j == 2 && split)
			host[i].level = 1;
	}
	host_sync();
	notify(from, to, false);
}

static int copied;			/* host copies of a page made on a write */

int tdm_host_fault_in(struct mm_struct *m, unsigned long hva, bool write)
{
	unsigned int i = (hva - HVA0) >> PAGE_SHIFT;

	(void)m;
	assert(!vm.mmu.lock.held && !vm.slots_sem.held);
	assert(hva >= HVA0 && i < HVAS);
	if (host_holes && i % 64 == 63)
		return -EFAULT;
	if (!host[i].present) {
		host_populate(i, write, i / 512 % 2 || one_in(8));
	} else if (write && one_in(2)) {
		/* Copy on write: another page. */
		host_invalidate(i, i + 1, false);
		host_populate(i, true, false);
		copied++;
	} else if (write) {
		unsigned int n = host[i].level == 2 ? 512 : 1, j = i & ~(n - 1);

		for (; n; n--, j++)
			host[j].rw = host[j].dirty = true;
		host_sync();
	}
	return 0;
}

/* ---- the vCPU's TLB ---- */

struct tlb_entry {
	bool valid, w;
	u64 pfn;
};

static struct tlb_entry tlb[GFNS];
static unsigned int flushes;

static void flush_vcpus(struct tdm_vm *v)
{
	assert(v == &vm && !vm.mmu.lock.held);
	memset(tlb, 0, sizeof(tlb));
	flushes++;
}

static const struct tdm_mmu_client client = { .flush_vcpus = flush_vcpus };

/* What the processor would do: walk, set accessed and dirty, cache. */
static bool walk(u64 gfn, bool write)
{
	u64 *table = vm.mmu.root, *entry, val;
	int level;

	for (level = 4; ; level--) {
		entry = &table[(gfn >> (9 * (level - 1))) & 511];
		val = *entry;
		if (!(val & 7) || (write && !(val & 2)))
			return false;
		assert(val & 1);
		if (level == 1 || (val & TDM_EPT_LARGE))
			break;
		table = __va(val & TDM_EPT_ADDR);
	}
	*entry |= TDM_EPT_A | (write ? TDM_EPT_D : 0);
	tlb[gfn] = (struct tlb_entry){ true, val & 2,
		((val & TDM_EPT_ADDR) >> 12) + (gfn & ((1ull << (9 * (level - 1))) - 1)) };
	return true;
}

/* ---- the model ---- */

struct model_slot {
	bool used;
	u64 base, npages;
	unsigned int hva;	/* index of a page */
	u32 flags;
};

static struct model_slot model[NIDS];
static bool written[GFNS];	/* by the guest, since last reported */

static struct model_slot *model_find(u64 gfn)
{
	unsigned int i;

	for (i = 0; i < NIDS; i++)
		if (model[i].used && gfn >= model[i].base &&
		    gfn < model[i].base + model[i].npages)
			return &model[i];
	return NULL;
}

static const char *broken;

static void must(bool ok, const char *what)
{
	if (!ok && !broken)
		broken = what;
}

/* A notifier came back: nothing in the range may be cached any more. */
static void check_tlb_host(unsigned int from, unsigned int to)
{
	u64 gfn;

	for (gfn = 0; gfn < GFNS; gfn++) {
		unsigned int i;

		if (!tlb[gfn].valid)
			continue;
		for (i = from; i < to; i++)
			must(!host[i].present || host[i].pfn != tlb[gfn].pfn,
			     "a cached page outlived its notifier");
	}
}

/* Everything cached must be what slots and host say now. */
static void check_tlb(void)
{
	u64 gfn;

	for (gfn = 0; gfn < GFNS; gfn++) {
		struct model_slot *s;
		struct host_page *p;

		if (!tlb[gfn].valid)
			continue;
		s = model_find(gfn);
		must(s, "a cached page outlived its memslot");
		if (!s)
			continue;
		p = &host[s->hva + (gfn - s->base)];
		must(p->present && p->pfn == tlb[gfn].pfn, "a cached page is another's");
		must(!tlb[gfn].w || (p->rw && p->dirty), "cached writable, but not in the host");
		must(!tlb[gfn].w || !(s->flags & KVM_MEM_READONLY),
		     "cached writable in a read-only slot");
	}
}

static void guest_access(u64 gfn, bool write)
{
	struct model_slot *s = model_find(gfn);
	unsigned int tries;
	int r;

	for (tries = 0; tries < 20; tries++) {
		if (tlb[gfn].valid && (!write || tlb[gfn].w))
			break;
		if (walk(gfn, write))
			break;
		/* An EPT violation drops what is cached for the address. */
		tlb[gfn].valid = false;
		r = one_in(2) ? tdm_mmu_fault_fast(&vcpu, gfn << 12, write ? 2 : 1) : -EAGAIN;
		if (r == -EAGAIN)
			r = tdm_mmu_fault(&vcpu, gfn << 12 | 0x123, write ? 2 : 1);
		if (r == TDM_MMU_MMIO) {
			must(!s || (write && (s->flags & KVM_MEM_READONLY)), "MMIO where memory is");
			return;
		}
		if (r == -ENOMEM && shim_fail)
			return;
		if (r < 0) {
			must(host_holes && r == -EFAULT, "an errno for good memory");
			return;
		}
	}
	must(tries < 20, "a fault is never resolved");
	must(s, "memory where no slot is");
	if (write)
		written[gfn] = true;
}

static int set_region(unsigned int id, u64 base, u64 npages, unsigned int hva, u32 flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = id, .flags = flags, .guest_phys_addr = base << PAGE_SHIFT,
		.memory_size = npages << PAGE_SHIFT, .userspace_addr = hva_of(hva),
	};

	return tdm_memslot_set(&vm, &r);
}

/* KVM's rules, said once more. */
static int model_set(unsigned int id, u64 base, u64 npages, unsigned int hva, u32 flags)
{
	struct model_slot *s = &model[id];
	unsigned int i;

	if (!npages) {
		if (!s->used)
			return -EINVAL;
		s->used = false;
		return 0;
	}
	if (s->used && (s->hva != hva || s->npages != npages ||
			((s->flags ^ flags) & KVM_MEM_READONLY)))
		return -EINVAL;
	for (i = 0; i < NIDS; i++)
		if (i != id && model[i].used && base < model[i].base + model[i].npages &&
		    model[i].base < base + npages && !(s->used && s->base == base))
			return -EEXIST;
	if (s->used && s->base != base && (s->flags & flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		/* The bitmap moves along. */
		bool moved[GFNS];

		memcpy(moved, written + s->base, npages);
		memset(written + s->base, 0, npages);
		memcpy(written + base, moved, npages);
	} else if (!s->used || s->base != base || !(s->flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		memset(written + base, 0, npages);
	}
	*s = (struct model_slot){ true, base, npages, hva, flags };
	return 0;
}

static void set_both(unsigned int id, u64 base, u64 npages, unsigned int hva, u32 flags)
{
	must(set_region(id, base, npages, hva, flags) ==
	     model_set(id, base, npages, hva, flags), "a memslot is refused");
}

static void random_slot_op(void)
{
	unsigned int id = rnd() % NIDS, hva;
	struct model_slot *s = &model[id], old = *s;
	u64 base = rnd() % 5 * 1024, npages = one_in(2) ? 1024 : 1 + rnd() % 1024;
	u32 flags = (one_in(2) ? KVM_MEM_LOG_DIRTY_PAGES : 0) | (one_in(6) ? KVM_MEM_READONLY : 0);
	int want, got;

	/* Half of them allow large pages: gfn and hva agree below 2 MiB. */
	if (one_in(3))
		base += rnd() % 8;
	hva = one_in(2) ? base % 512 + rnd() % 7 * 512 : rnd() % (HVAS - npages);
	if (s->used && !one_in(4)) {
		hva = s->hva;
		npages = s->npages;
		base = one_in(6) ? base : s->base;
		flags ^= (flags ^ s->flags) & KVM_MEM_READONLY;
	}
	if (one_in(12))
		npages = 0;
	if (hva + npages > HVAS || base + npages > GFNS)
		return;
	got = set_region(id, base, npages, hva, flags);
	if (got == -ENOMEM && shim_fail)
		return;
	want = model_set(id, base, npages, hva, flags);
	must(got == want, "KVM_SET_USER_MEMORY_REGION answers otherwise than KVM");
	if (got)
		*s = old;
}

static void random_host_op(void)
{
	unsigned int from = rnd() % HVAS, n = 1 + rnd() % (one_in(4) ? 1500 : 8);
	unsigned int to = min(from + n, HVAS);

	if (one_in(2)) {
		/* Small pages become a large one. */
		from &= ~511u;
		host_invalidate(from, from + 512, false);
		host_populate(from, true, true);
		return;
	}
	host_invalidate(from, to, one_in(3));
}

static void random_touch(void)
{
	u64 gfn = rnd() % GFNS;
	unsigned int n = one_in(4) ? 32 : 1;

	while (n-- && gfn < GFNS)
		guest_access(gfn++, one_in(2));
}

static unsigned long bitmap[HVAS / 64 + 1];
static bool manual;

static void check_log(const struct model_slot *s)
{
	u64 i;

	for (i = 0; i < s->npages; i++) {
		if (written[s->base + i])
			must(test_bit(i, bitmap), "a write is missing from the dirty log");
	}
	for (; i < BITS_TO_LONGS(s->npages) * 64; i++)
		must(!test_bit(i, bitmap), "a bit past the end of the dirty log");
}

static void random_log_op(void)
{
	unsigned int id = rnd() % NIDS;
	struct model_slot *s = &model[id];
	struct kvm_dirty_log get = { .slot = id, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = id, .dirty_bitmap = bitmap };
	bool logs = s->used && (s->flags & KVM_MEM_LOG_DIRTY_PAGES);
	int r = tdm_dirty_log_get(&vm, &get);
	u64 i;

	must(r == (logs ? 0 : -ENOENT), "KVM_GET_DIRTY_LOG answers otherwise than KVM");
	if (r)
		return;
	check_log(s);
	if (manual) {
		/* Clear a random part; bits that are not set in it stay. */
		clear.first_page = rnd() % (s->npages / 64 + 1) * 64;
		clear.num_pages = s->npages - clear.first_page;
		memmove(bitmap, bitmap + clear.first_page / 64,
			BITS_TO_LONGS(clear.num_pages) * 8);
		for (i = 0; i < BITS_TO_LONGS(clear.num_pages); i++)
			bitmap[i] &= rnd();
		r = tdm_dirty_log_clear(&vm, &clear);
		must(!r, "KVM_CLEAR_DIRTY_LOG fails");
	}
	for (i = 0; i < s->npages; i++) {
		u64 gfn = s->base + i;

		if (manual && (i < clear.first_page ||
			       !test_bit(i - clear.first_page, bitmap)))
			continue;
		written[gfn] = false;
		must(!tlb[gfn].valid || !tlb[gfn].w,
		     "a page is writable through the TLB after its bit was cleared");
	}
}

/* Slots alias each other's host pages: this is what the fault saw to be young. */
static void random_age_op(void)
{
	unsigned int i = rnd() % HVAS;
	struct mmu_notifier *mn = &vm.mmu.notifier;
	struct model_slot *s;
	u64 gfn;

	mn->ops->clear_flush_young(mn, &mm, hva_of(i), hva_of(i + 1));
	must(!mn->ops->test_young(mn, &mm, hva_of(i)), "young after it was cleared");
	for (gfn = 0; gfn < GFNS; gfn++) {
		s = model_find(gfn);
		if (!s || s->hva + (gfn - s->base) != i || !host[i].present)
			continue;
		if (!walk(gfn, false))
			continue;
		must(mn->ops->test_young(mn, &mm, hva_of(i)), "used, but not young");
		return;
	}
}

/* ---- running it ---- */

static void vm_start(u64 caps)
{
	memset(&vm, 0, sizeof(vm));
	memset(model, 0, sizeof(model));
	memset(host, 0, sizeof(host));
	memset(written, 0, sizeof(written));
	memset(tlb, 0, sizeof(tlb));
	host_sync();
	broken = NULL;
	tdm_mmu_client = &client;
	tdm_ept_caps = (struct tdm_ept_caps){ true, true, true, true, true, 4 };
	spin_lock_init(&vm.mmu.lock);
	init_rwsem(&vm.slots_sem);
	vm.mm = &mm;
	vm.dirty_log_caps = caps;
	manual = caps & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	assert(!tdm_mmu_vm_init(&vm));
}

static void vm_end(void)
{
	unsigned int i;

	shim_fail = 0;
	tdm_mmu_vm_release(&vm);
	for (i = 0; i < GFNS; i++)
		must(!tlb[i].valid, "a cached page outlived the address space");
	tdm_mmu_vm_destroy(&vm);
	must(!shim_live, "memory is leaked");
	shim_live = 0;
}

static void random_step(void)
{
	unsigned int what = rnd() % 100;

	if (what < 4)
		random_slot_op();
	else if (what < 6)
		random_host_op();
	else if (what < 17)
		random_log_op();
	else if (what < 19)
		random_age_op();
	else
		random_touch();
	if (one_in(8)) {
		check_tlb();
		tdm_mmu_audit(&vm);
	}
}

static void test_random(const char *name, u64 caps, bool ad_bits, unsigned int fail,
			unsigned int max_pages, unsigned int steps)
{
	s64 large, around, splits;
	unsigned int i;

	vm_start(caps);
	tdm_ept_caps.ad_bits = ad_bits;
	shim_fail = fail;
	vm.mmu.max_pages = max_pages;
	for (i = 0; i < steps && !broken; i++)
		random_step();
	must(!max_pages || vm.stat[TDM_VMSTAT_mmu_pages].v <= max_pages, "more tables than allowed");
	large = vm.stat[TDM_VMSTAT_mmu_mapped_2m].v;
	around = vm.stat[TDM_VMSTAT_mmu_mapped_around].v;
	splits = vm.stat[TDM_VMSTAT_mmu_splits].v;
	vm_end();
	/* What never happened was not tested. */
	if (!broken && (!large || !around || (!fail && !splits)))
		broken = "large pages, mapping around or splitting did not occur";
	ktap_result(!broken, "memslot: %s%s%s", name, broken ? ": " : "", broken ?: "");
}

static void test_arguments(void)
{
	static const struct {
		struct kvm_userspace_memory_region r;
		int want;
	} cases[] = {
		{ { 0, 0, 0, 0x1000, HVA0 }, 0 },
		{ { 0, 4, 0x10000, 0x1000, HVA0 }, -EINVAL },			/* flag */
		{ { 0x10001, 0, 0x10000, 0x1000, HVA0 }, -EINVAL },		/* address space */
		{ { TDM_NR_MEMSLOTS, 0, 0x10000, 0x1000, HVA0 }, -EINVAL },
		{ { TDM_NR_MEMSLOTS - 1, 0, 0x10000, 0x1000, HVA0 }, 0 },
		{ { 2, 0, 0x20800, 0x1000, HVA0 }, -EINVAL },
		{ { 2, 0, 0x20000, 0x1800, HVA0 }, -EINVAL },
		{ { 2, 0, 0x20000, 0x1000, HVA0 + 8 }, -EINVAL },
		{ { 2, 0, 0x20000, 0x1000, 0xffff800000000000ull }, -EINVAL },
		{ { 2, 0, 0x20000, 0x2000, 0x7ffffffff000ull }, -EINVAL },
		{ { 2, 0, 0xfffffffffffff000ull, 0x2000, HVA0 }, -EINVAL },	/* wraps */
		{ { 2, 0, 1ull << 40, 0x1000, HVA0 }, -EINVAL },		/* width */
		{ { 2, 0, (1ull << 40) - 0x1000, 0x1000, HVA0 }, 0 },
		{ { 3, 0, 0, 1ull << 43, 0 }, -EINVAL },			/* too many pages */
		{ { 3, 0, 0, 0x1000, HVA0 }, -EEXIST },
		{ { 3, 0, 0, 0, HVA0 }, -EINVAL },				/* not there */
		{ { 0, 0, 0, 0x2000, HVA0 }, -EINVAL },				/* size changes */
		{ { 0, 0, 0, 0x1000, HVA0 + 0x1000 }, -EINVAL },		/* memory changes */
		{ { 0, 2, 0, 0x1000, HVA0 }, -EINVAL },				/* read-only changes */
		{ { 0, 0, 0x10000, 0x1000, HVA0 }, -EEXIST },			/* moves onto another */
		{ { 0, 1, 0x5000, 0x1000, HVA0 }, 0 },
		{ { 0, 0, 0, 0, 0 }, 0 },
		{ { 0, 0, 0, 0, 0 }, -EINVAL },
	};
	unsigned int i, bad = 0;

	vm_start(0);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = tdm_memslot_set(&vm, &cases[i].r);

		if (got == cases[i].want)
			continue;
		bad++;
		printf("# case %u: %d, want %d\n", i, got, cases[i].want);
	}
	vm_end();
	ktap_result(!bad && !broken, "memslot: arguments of KVM_SET_USER_MEMORY_REGION");
}

static void test_log_arguments(void)
{
	struct kvm_clear_dirty_log c = { .slot = 1, .dirty_bitmap = bitmap };
	struct kvm_dirty_log g = { .slot = 0x10000, .dirty_bitmap = bitmap };
	bool ok;

	vm_start(0);
	memset(bitmap, 0, sizeof(bitmap));
	ok = !set_region(1, 0, 200, 0, KVM_MEM_LOG_DIRTY_PAGES);
	ok &= tdm_dirty_log_get(&vm, &g) == -EINVAL;
	g.slot = TDM_NR_MEMSLOTS;
	ok &= tdm_dirty_log_get(&vm, &g) == -EINVAL;
	g.slot = 2;
	ok &= tdm_dirty_log_get(&vm, &g) == -ENOENT;
	c.num_pages = 200;
	ok &= tdm_dirty_log_clear(&vm, &c) == 0;
	c.num_pages = 201;
	ok &= tdm_dirty_log_clear(&vm, &c) == -EINVAL;
	c.num_pages = 100;
	ok &= tdm_dirty_log_clear(&vm, &c) == -EINVAL;
	c.num_pages = 128;
	ok &= tdm_dirty_log_clear(&vm, &c) == 0;
	c.first_page = 32;
	ok &= tdm_dirty_log_clear(&vm, &c) == -EINVAL;
	c.first_page = 192;
	c.num_pages = 8;
	ok &= tdm_dirty_log_clear(&vm, &c) == 0;
	c.first_page = 256;
	c.num_pages = 0;
	ok &= tdm_dirty_log_clear(&vm, &c) == -EINVAL;
	vm_end();
	ktap_result(ok && !broken, "memslot: arguments of the dirty log ioctls");
}

/* A log that cannot be delivered is not lost. */
static void test_log_fault(void)
{
	struct kvm_dirty_log g = { .slot = 1, .dirty_bitmap = bitmap };
	bool ok;

	vm_start(0);
	set_both(1, 0, 200, 0, KVM_MEM_LOG_DIRTY_PAGES);
	guest_access(150, true);
	shim_bad_user = bitmap;
	ok = tdm_dirty_log_get(&vm, &g) == -EFAULT;
	shim_bad_user = (void *)-1l;
	ok &= !tdm_dirty_log_get(&vm, &g) && test_bit(150, bitmap);
	ok &= !tdm_dirty_log_get(&vm, &g) && !test_bit(150, bitmap);
	vm_end();
	ktap_result(ok && !broken, "memslot: a log that could not be copied is given again");
}

/* While the host changes a range, faults on it wait and others do not. */
static void test_notifier_blocks(void)
{
	bool ok;

	vm_start(0);
	set_region(1, 0, 1024, 0, 0);
	host_populate(5, true, false);
	host_populate(6, true, false);
	host_populate(700, true, false);
	notify(5, 6, true);
	ok = tdm_mmu_fault(&vcpu, 5 << 12, 2) == TDM_MMU_RESUME && !walk(5, false);
	ok &= tdm_mmu_fault_fast(&vcpu, 5 << 12, 2) == -EAGAIN;
	ok &= tdm_mmu_fault(&vcpu, 6 << 12, 2) == TDM_MMU_RESUME && walk(6, true);
	ok &= !walk(5, false);		/* nor mapped as a neighbour */
	ok &= tdm_mmu_fault(&vcpu, 700 << 12, 2) == TDM_MMU_RESUME && walk(700, true);
	notify(5, 6, false);
	ok &= tdm_mmu_fault(&vcpu, 5 << 12, 2) == TDM_MMU_RESUME && walk(5, true);
	vm_end();
	ktap_result(ok && !broken, "memslot: an invalidation in progress holds back its own range only");
}

/* A large leaf for reading; then the slot logs, and the host allows writes. */
static void test_large_to_small(void)
{
	unsigned int i;
	bool ok;

	vm_start(0);
	set_both(1, 0, 512, 0, 0);
	host_populate(0, false, true);
	guest_access(5, false);
	ok = vm.stat[TDM_VMSTAT_mmu_mapped_2m].v == 1;
	set_both(1, 0, 512, 0, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 512; i++)
		host[i].rw = host[i].dirty = true;
	host_sync();
	guest_access(5, true);
	check_tlb();
	tdm_mmu_audit(&vm);
	ok &= walk(5, true) && walk(6, false) && !walk(6, true);
	vm_end();
	ktap_result(ok && !broken, "memslot: a large page for reading gives way to small ones");
}

static void test_refused(void)
{
	bool ok;

	vm_start(0);
	set_region(1, 0, 64, 0, 0);
	host_populate(3, true, false);
	host[3].special = true;
	host_sync();
	ok = tdm_mmu_fault(&vcpu, 3 << 12, 1) == -EFAULT;
	ok &= tdm_mmu_fault(&vcpu, 64 << 12, 1) == TDM_MMU_MMIO;
	ok &= tdm_mmu_fault(&vcpu, 0xfee00000, 2) == TDM_MMU_MMIO;
	ok &= tdm_mmu_fault(&vcpu, ~0ull, 2) == TDM_MMU_MMIO;
	vm_end();
	ktap_result(ok && !broken, "memslot: page frames that are not memory are refused");
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000;
	u64 enable = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	ktap_start(12);
	test_arguments();
	test_log_arguments();
	test_log_fault();
	test_notifier_blocks();
	test_refused();
	test_large_to_small();
	test_random("random operations as the model", 0, true, 0, 0, n);
	test_random("random operations, logs cleared by hand", enable, true, 0, 0, n);
	test_random("random operations, logs initially set",
		    enable | KVM_DIRTY_LOG_INITIALLY_SET, true, 0, 0, n);
	test_random("random operations, no accessed bits", 0, false, 0, 0, n);
	test_random("random operations, allocations fail", 0, true, 5, 0, n);
	test_random("random operations, few table pages", 0, true, 0, 24, n);
	return ktap_end();
}
