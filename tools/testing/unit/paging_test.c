// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/paging.c against a second walker written straight from the manual's
 * tables, on random page tables, registers and accesses: the outcome, the error
 * code, the address and every byte of guest memory afterwards must agree. Then
 * single properties that the random test could miss.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/paging.h"
#include "emul_ktap.h"

#define PAGES	16u
#define MEM	(PAGES * 4096u)

#define PG	(1ull << 31)
#define WP	(1ull << 16)
#define PSE	(1ull << 4)
#define PAE	(1ull << 5)
#define LA57	(1ull << 12)
#define SMEP	(1ull << 20)
#define SMAP	(1ull << 21)
#define PKE	(1ull << 22)
#define LMA	(1ull << 10)
#define NXE	(1ull << 11)

/* ---- guest memory ---- */

struct mem {
	__u8 byte[MEM];
	unsigned int races;	/* so many cmpxchgs to fail */
	bool read_only;		/* cmpxchg gives -EROFS */
	int error;		/* read gives this */
	unsigned int reads;
};

static int mem_read(void *ctx, __u64 gpa, void *buf, unsigned int len)
{
	struct mem *m = ctx;

	m->reads++;
	if (m->error)
		return m->error;
	if (gpa > MEM - len)
		memset(buf, 0xff, len);
	else
		memcpy(buf, m->byte + gpa, len);
	return 0;
}

static int mem_cmpxchg(void *ctx, __u64 gpa, __u64 old, __u64 new, unsigned int len)
{
	struct mem *m = ctx;

	if (m->read_only || gpa > MEM - len)
		return -EROFS;
	if (m->races) {
		/* As if another CPU had set a software bit meanwhile. */
		m->races--;
		m->byte[gpa + 1] ^= 2;
	}
	if (memcmp(m->byte + gpa, &old, len))
		return -EAGAIN;
	memcpy(m->byte + gpa, &new, len);
	return 0;
}

static const struct tdm_walk_ops ops = { mem_read, mem_cmpxchg };

/* ---- the reference: one mode after the other, nothing shared ---- */

struct ref {
	struct mem *m;
	const struct tdm_walk_regs *r;
	__u64 gva, gpa;
	__u32 access, error;
	__u64 at[4], ent[4];
	int n, size;
	bool w, u, nx;
	unsigned int key;
};

static __u64 ref_entry(struct ref *f, __u64 at)
{
	__u64 e = 0;

	mem_read(f->m, at, &e, f->size);
	f->at[f->n] = at;
	f->ent[f->n++] = e;
	f->w &= e >> 1 & 1;
	f->u &= e >> 2 & 1;
	if (f->size == 8)
		f->nx |= e >> 63;
	return e;
}

static int ref_fault(struct ref *f, bool present, bool reserved, bool pk)
{
	bool user = (f->access & TDM_ACCESS_USER) && !(f->access & TDM_WALK_IMPLICIT);
	bool nx_on = (f->r->cr4 & PAE) && (f->r->efer & NXE);

	f->error = present | (f->access & TDM_ACCESS_WRITE ? 2 : 0) | user << 2 |
		   reserved << 3 | pk << 5;
	if ((f->access & TDM_ACCESS_FETCH) && (nx_on || (f->r->cr4 & SMEP)))
		f->error |= 16;
	return -EFAULT;
}

static int ref_32bit(struct ref *f)
{
	const struct tdm_walk_regs *r = f->r;
	__u64 e = ref_entry(f, (r->cr3 & 0xfffff000) + (f->gva >> 22) * 4);

	if (!(e & 1))
		return ref_fault(f, false, false, false);
	if ((e & 0x80) && (r->cr4 & PSE)) {
		int width = r->maxphyaddr > 40 ? 40 : r->maxphyaddr;
		int b;

		if (!(r->features & TDM_WALK_PSE36))
			width = 32;
		f->gpa = (e & 0xffc00000) | (f->gva & 0x3fffff);
		for (b = 13; b <= 21; b++) {
			if (!(e >> b & 1))
				continue;
			if (b - 13 + 32 >= width)
				return ref_fault(f, true, true, false);
			f->gpa |= 1ull << (b - 13 + 32);
		}
		return 0;
	}
	e = ref_entry(f, (e & 0xfffff000) + (f->gva >> 12 & 0x3ff) * 4);
	if (!(e & 1))
		return ref_fault(f, false, false, false);
	f->gpa = (e & 0xfffff000) | (f->gva & 0xfff);
	return 0;
}

/* Is a bit from @lo to @hi (both included) set? */
static bool any(__u64 e, int lo, int hi)
{
	for (; lo <= hi; lo++)
		if (e >> lo & 1)
			return true;
	return false;
}

/* PDE and PTE of PAE paging; @top: last bit that maxphyaddr makes reserved */
static int ref_pd(struct ref *f, __u64 pd, int top)
{
	const struct tdm_walk_regs *r = f->r;
	__u64 e = ref_entry(f, pd + (f->gva >> 21 & 0x1ff) * 8);

	if (!(e & 1))
		return ref_fault(f, false, false, false);
	if (any(e, r->maxphyaddr, top) || (e >> 63 && !(r->efer & NXE)))
		return ref_fault(f, true, true, false);
	if (e & 0x80) {
		if (any(e, 13, 20))
			return ref_fault(f, true, true, false);
		f->gpa = (e & 0xfffffffe00000) | (f->gva & 0x1fffff);
		f->key = e >> 59 & 15;
		return 0;
	}
	e = ref_entry(f, (e & 0xffffffffff000) + (f->gva >> 12 & 0x1ff) * 8);
	if (!(e & 1))
		return ref_fault(f, false, false, false);
	if (any(e, r->maxphyaddr, top) || (e >> 63 && !(r->efer & NXE)))
		return ref_fault(f, true, true, false);
	f->gpa = (e & 0xffffffffff000) | (f->gva & 0xfff);
	f->key = e >> 59 & 15;
	return 0;
}

static int ref_pae(struct ref *f)
{
	__u64 e = f->r->pdptr[f->gva >> 30];

	if (!(e & 1))
		return ref_fault(f, false, false, false);
	return ref_pd(f, e & 0xffffffffff000, 62);
}

static int ref_long(struct ref *f)
{
	const struct tdm_walk_regs *r = f->r;
	__u64 root = r->cr3 & 0xffffffffff000 & ((1ull << r->maxphyaddr) - 1);
	__u64 e = ref_entry(f, root + (f->gva >> 39 & 0x1ff) * 8);

	if (!(e & 1))
		return ref_fault(f, false, false, false);
	if (any(e, r->maxphyaddr, 51) || (e >> 63 && !(r->efer & NXE)) || (e & 0x80))
		return ref_fault(f, true, true, false);
	e = ref_entry(f, (e & 0xffffffffff000) + (f->gva >> 30 & 0x1ff) * 8);
	if (!(e & 1))
		return ref_fault(f, false, false, false);
	if (any(e, r->maxphyaddr, 51) || (e >> 63 && !(r->efer & NXE)))
		return ref_fault(f, true, true, false);
	if (e & 0x80) {
		if (!(r->features & TDM_WALK_1G) || any(e, 13, 29))
			return ref_fault(f, true, true, false);
		f->gpa = (e & 0xfffffc0000000) | (f->gva & 0x3fffffff);
		f->key = e >> 59 & 15;
		return 0;
	}
	return ref_pd(f, e & 0xffffffffff000, 51);
}

static int ref_rights(struct ref *f)
{
	const struct tdm_walk_regs *r = f->r;
	bool write = f->access & TDM_ACCESS_WRITE, fetch = f->access & TDM_ACCESS_FETCH;
	bool implicit = f->access & TDM_WALK_IMPLICIT;
	bool user = (f->access & TDM_ACCESS_USER) && !implicit;
	bool wp = r->cr0 & WP, ok, pk = false;

	if (f->size == 4 || !(r->efer & NXE))
		f->nx = false;
	if ((r->efer & LMA) && (r->cr4 & PKE) && f->u && !fetch) {
		bool ad = r->pkru >> (2 * f->key) & 1, wd = r->pkru >> (2 * f->key + 1) & 1;

		pk = ad || (wd && write && (user || wp));
	}
	if (user)
		ok = fetch ? f->u && !f->nx : write ? f->u && f->w : f->u;
	else if (fetch)
		ok = !f->nx && !(f->u && (r->cr4 & SMEP));
	else
		ok = (!f->u || !(r->cr4 & SMAP) || (r->ac && !implicit)) &&
		     (!write || !wp || f->w);
	return ok && !pk ? 0 : ref_fault(f, true, false, pk);
}

static int ref_walk(struct ref *f)
{
	int i, r;

	f->w = f->u = true;
	if (!(f->r->cr0 & PG)) {
		f->gpa = f->gva;
		return 0;
	}
	f->size = (f->r->cr4 & PAE) ? 8 : 4;
	if (f->r->efer & LMA)
		r = ref_long(f);
	else
		r = f->size == 8 ? ref_pae(f) : ref_32bit(f);
	if (!r)
		r = ref_rights(f);
	if (r || (f->access & TDM_WALK_NO_AD))
		return r;
	for (i = 0; i < f->n; i++) {
		__u64 e = f->ent[i] | 0x20;

		if (i == f->n - 1 && (f->access & TDM_ACCESS_WRITE))
			e |= 0x40;
		if (f->at[i] <= MEM - f->size && !f->m->read_only)
			memcpy(f->m->byte + f->at[i], &e, f->size);
	}
	return 0;
}

/* ---- random cases ---- */

static __u64 rng = 88172645463325252ull;

static __u64 rnd(void)
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

static __u64 random_entry(void)
{
	__u64 e = rnd() % PAGES << 12;

	e |= (one_in(16) ? 0 : 1) | (one_in(5) ? 0 : 2) | (one_in(4) ? 0 : 4);
	e |= rnd() & 0xf60;		/* A, D, and what is ignored */
	if (one_in(6))
		e |= 0x80;
	if (one_in(8))
		e |= 1ull << 63;
	if (one_in(4))
		e |= (rnd() & 0x7ff) << 52;
	if (one_in(20))
		e |= 1ull << (12 + rnd() % 40);
	if (one_in(3) && (e & 0x80))
		e &= ~0x3ff000ull;	/* an aligned large page */
	return e;
}

/* Entries of both sizes: fill with 8-byte ones, then half with 4-byte ones. */
static void random_mem(struct mem *m, bool small)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < MEM; i += small ? 4 : 8) {
		__u64 e = random_entry();

		memcpy(m->byte + i, &e, small ? 4 : 8);
	}
	m->read_only = one_in(16);
}

static void random_regs(struct tdm_walk_regs *r, int mode)
{
	static const __u8 widths[] = { 32, 36, 39, 40, 46, 52 };
	int i;

	memset(r, 0, sizeof(*r));
	r->cr0 = (mode ? PG : 0) | (one_in(2) ? WP : 0);
	r->cr4 = (one_in(2) ? PSE : 0) | (one_in(2) ? SMEP : 0) |
		 (one_in(2) ? SMAP : 0) | (one_in(2) ? PKE : 0) | (mode >= 2 ? PAE : 0);
	r->efer = (mode == 3 ? LMA : 0) | (one_in(3) ? 0 : NXE);
	r->cr3 = rnd() % PAGES << 12 | (rnd() & 0xfff);
	r->pkru = rnd() & rnd();
	r->features = rnd() & 3;
	r->maxphyaddr = widths[rnd() % sizeof(widths)];
	r->ac = one_in(2);
	for (i = 0; i < 4; i++)
		r->pdptr[i] = rnd() % PAGES << 12 | (one_in(8) ? 0 : 1);
}

static __u32 random_access(void)
{
	__u32 a = 1u << rnd() % 3;

	if (one_in(2))
		a |= TDM_ACCESS_USER;
	if (one_in(8))
		a |= TDM_WALK_IMPLICIT;
	if (one_in(8))
		a |= TDM_WALK_NO_AD;
	return a;
}

struct tally {
	unsigned int walks, ok, faults[64], bad;
};

static bool same(const struct tdm_walk *w, int r, const struct ref *f, int rr)
{
	if (r != rr)
		return false;
	if (r == -EFAULT)
		return w->fault.error == f->error && w->fault.gva == f->gva;
	return w->gpa == f->gpa && w->nr == f->n;
}

static void one_walk(struct mem *m, struct mem *copy, int mode, struct tally *t)
{
	struct tdm_walk_regs regs;
	struct tdm_walk w;
	struct ref f;
	__u64 gva = rnd();
	__u32 access = random_access();
	int r, rr;

	random_regs(&regs, mode);
	gva = mode == 3 ? (__u64)((__s64)(gva << 16) >> 16) : gva & 0xffffffff;
	memset(&f, 0, sizeof(f));
	f.m = copy;
	f.r = &regs;
	f.gva = gva;
	f.access = access;
	r = tdm_walk(&regs, &ops, m, gva, access, &w);
	rr = ref_walk(&f);
	t->walks++;
	t->ok += !r;
	if (r == -EFAULT)
		t->faults[w.fault.error & 63]++;
	if (same(&w, r, &f, rr) && !memcmp(m->byte, copy->byte, MEM))
		return;
	if (t->bad++ > 3)
		return;
	printf("# mode %d gva %llx access %x: got %d error %x gpa %llx, want %d error %x gpa %llx%s\n",
	       mode, (unsigned long long)gva, access, r, w.fault.error,
	       (unsigned long long)w.gpa, rr, f.error, (unsigned long long)f.gpa,
	       memcmp(m->byte, copy->byte, MEM) ? ", memory differs" : "");
}

static void test_random(int mode, const char *name, unsigned int rounds)
{
	static struct mem m, copy;
	struct tally t = {0};
	unsigned int i, j, kinds = 0;

	for (i = 0; i < rounds; i++) {
		random_mem(&m, mode == 1);
		copy = m;
		for (j = 0; j < 200; j++)
			one_walk(&m, &copy, mode, &t);
	}
	for (i = 0; i < 64; i++)
		kinds += !!t.faults[i];
	/* A test that never saw a success or a kind of fault proves nothing. */
	ktap_result(!t.bad && t.ok > t.walks / 100 && (!mode || kinds >= 8),
		    "paging: %s: %u random walks as the reference (%u translated, %u kinds of fault)",
		    name, t.walks, t.ok, kinds);
}

/* ---- single properties ---- */

static struct mem prop;

/* A 4-level table that maps gva 0 to page 4, entries in pages 0 to 3. */
static void simple_tables(struct tdm_walk_regs *r, __u64 flags)
{
	__u64 i, e;

	memset(&prop, 0, sizeof(prop));
	for (i = 0; i < 4; i++) {
		e = (i + 1) << 12 | flags;
		memcpy(prop.byte + i * 4096, &e, 8);
	}
	memset(r, 0, sizeof(*r));
	r->cr0 = PG | WP;
	r->cr4 = PAE;
	r->efer = LMA | NXE;
	r->maxphyaddr = 40;
}

static void test_races(void)
{
	struct tdm_walk_regs r;
	struct tdm_walk w;
	__u64 leaf;
	int err;

	simple_tables(&r, 7);
	prop.races = 5;
	err = tdm_walk(&r, &ops, &prop, 0x123, TDM_ACCESS_WRITE, &w);
	memcpy(&leaf, prop.byte + 3 * 4096, 8);
	ktap_result(!err && w.gpa == 0x4123 && (leaf & 0x60) == 0x60,
		    "paging: a lost race for an accessed bit walks again");
	simple_tables(&r, 7);
	prop.races = ~0u;
	err = tdm_walk(&r, &ops, &prop, 0, TDM_ACCESS_READ, &w);
	ktap_result(err == -EBUSY && prop.reads < 1000,
		    "paging: a race that never ends gives up");
}

static void test_errors(void)
{
	struct tdm_walk_regs r;
	struct tdm_walk w;

	simple_tables(&r, 7);
	prop.error = -EIO;
	ktap_result(tdm_walk(&r, &ops, &prop, 0, TDM_ACCESS_READ, &w) == -EIO,
		    "paging: an error of the memory comes back");
	simple_tables(&r, 7);
	r.cr4 |= LA57;
	ktap_result(tdm_walk(&r, &ops, &prop, 0, TDM_ACCESS_READ, &w) == -EOPNOTSUPP,
		    "paging: 5-level paging is refused");
	simple_tables(&r, 0x67);
	r.cr3 = 0xfff0000000;
	ktap_result(tdm_walk(&r, &ops, &prop, 0, TDM_ACCESS_READ, &w) == -EFAULT &&
		    w.fault.error == (TDM_PF_P | TDM_PF_RSVD),
		    "paging: a table where no memory is reads as all ones");
}

static void test_no_ad_on_fault(void)
{
	static struct mem before;
	struct tdm_walk_regs r;
	struct tdm_walk w;
	int err;

	simple_tables(&r, 5);
	before = prop;
	err = tdm_walk(&r, &ops, &prop, 0, TDM_ACCESS_WRITE | TDM_ACCESS_USER, &w);
	ktap_result(err == -EFAULT && w.fault.error == (TDM_PF_P | TDM_PF_W | TDM_PF_U) &&
		    !memcmp(prop.byte, before.byte, MEM),
		    "paging: a faulting access leaves no accessed bit");
}

static void test_pdptrs(void)
{
	__u64 p[4] = { 0x1001, 0xffffffffffffffe0 & ~1ull, 0x2001, 0 };
	int good, low, high, b, bad = 0;

	good = tdm_pdptrs_check(p, 36);
	for (b = 1; b < 64; b++) {
		bool reserved = b == 1 || b == 2 || (b >= 5 && b <= 8) || b >= 36;
		__u64 q[4] = { 1ull << b | 1, 0, 0, 0 };

		bad += (tdm_pdptrs_check(q, 36) == -EINVAL) != reserved;
	}
	p[2] |= 2;
	low = tdm_pdptrs_check(p, 36);
	p[2] = 1ull << 51 | 1;
	high = tdm_pdptrs_check(p, 52);
	ktap_result(!good && low == -EINVAL && !high && !bad,
		    "paging: reserved bits of PAE PDPTEs, present ones only");
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000;

	ktap_start(11);
	test_random(0, "no paging", rounds / 20 + 1);
	test_random(1, "32-bit", rounds);
	test_random(2, "PAE", rounds);
	test_random(3, "4-level", rounds);
	test_races();
	test_errors();
	test_no_ad_on_fault();
	test_pdptrs();
	return ktap_end();
}
