// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest page-table walker (SDM vol. 3, chapter 4): no paging, 32-bit with
 * PSE and PSE-36, PAE, 4-level. 5-level paging is refused.
 *
 * One loop serves all modes; what differs is in struct paging_mode, one const
 * table per mode. Order of the checks is the processor's: each entry on the way
 * for present and then for reserved bits; rights of the whole path only once
 * there is a translation; accessed and dirty bits last, so that an access that
 * faults leaves none behind.
 *
 * Must not: take locks, call anything but the ops. Builds for userspace.
 */
#include <linux/errno.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#include "arch/x86/paging.h"

#define CR0_WP		(1ull << 16)
#define CR0_PG		(1ull << 31)
#define CR4_PSE		(1ull << 4)
#define CR4_PAE		(1ull << 5)
#define CR4_LA57	(1ull << 12)
#define CR4_SMEP	(1ull << 20)
#define CR4_SMAP	(1ull << 21)
#define CR4_PKE		(1ull << 22)
#define EFER_LONG_ACTIVE (1ull << 10)
#define EFER_NO_EXEC	(1ull << 11)

#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_XD		(1ull << 63)
#define PTE_PKEY_SHIFT	59
#define PTE_ADDR	0x000ffffffffff000ull

/* Bits lo..hi, both included; empty if hi < lo. */
static __u64 bits(unsigned int lo, unsigned int hi)
{
	return hi < lo ? 0 : (~0ull >> (63 - (hi - lo))) << lo;
}

/**
 * struct paging_mode - what tells one paging mode from another
 * @levels: tables read from memory, the root included
 * @index_bits: bits of the address each of them is indexed by
 * @entry_size: bytes
 */
struct paging_mode {
	__u8 levels;
	__u8 index_bits;
	__u8 entry_size;
};

static const struct paging_mode mode_32bit = { 2, 10, 4 };
static const struct paging_mode mode_pae = { 2, 9, 8 };
static const struct paging_mode mode_4level = { 4, 9, 8 };

static bool is_long(const struct tdm_walk_regs *r)
{
	return r->efer & EFER_LONG_ACTIVE;
}

static const struct paging_mode *mode_of(const struct tdm_walk_regs *r)
{
	if (is_long(r))
		return &mode_4level;
	return r->cr4 & CR4_PAE ? &mode_pae : &mode_32bit;
}

static unsigned int level_shift(const struct paging_mode *m, int level)
{
	return 12 + m->index_bits * (level - 1);
}

/* Can an entry of this level map a page by itself? Level 1 always does. */
static bool is_leaf(const struct tdm_walk_regs *r, const struct paging_mode *m,
		    int level, __u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (m == &mode_32bit)
		return r->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && (r->features & TDM_WALK_1G));
}

/* A 4 MiB page's address bits 32 and up are in bits 13 and up (PSE-36). */
static unsigned int pse36_bits(const struct tdm_walk_regs *r)
{
	unsigned int m = r->maxphyaddr < 40 ? r->maxphyaddr : 40;

	return r->features & TDM_WALK_PSE36 ? m - 32 : 0;
}

/* Bits that must be zero in a present entry (SDM vol. 3, tables 4-4 to 4-20). */
static __u64 reserved_bits(const struct tdm_walk_regs *r,
			   const struct paging_mode *m, int level, __u64 entry)
{
	bool leaf = is_leaf(r, m, level, entry);
	__u64 rsvd;

	if (m == &mode_32bit)
		return leaf && level == 2 ? bits(13 + pse36_bits(r), 21) : 0;

	rsvd = bits(r->maxphyaddr, m == &mode_pae ? 62 : 51);
	if (!(r->efer & EFER_NO_EXEC))
		rsvd |= PTE_XD;
	if (leaf && level > 1)
		rsvd |= bits(13, level_shift(m, level) - 1);
	/* PS where no page of that size can be. */
	if (!leaf && level > 2)
		rsvd |= PTE_PS;
	return rsvd;
}

static __u64 leaf_base(const struct tdm_walk_regs *r,
		       const struct paging_mode *m, int level, __u64 entry)
{
	unsigned int shift = level_shift(m, level);

	if (m != &mode_32bit)
		return entry & PTE_ADDR & ~bits(0, shift - 1);
	if (level == 1)
		return entry & bits(12, 31);
	return (entry & bits(22, 31)) |
	       ((entry >> 13) & bits(0, 7) & (bits(0, pse36_bits(r)) >> 1)) << 32;
}

/* The parts of the error code that follow from the access alone. */
static __u32 access_error(const struct tdm_walk_regs *r, __u32 access)
{
	__u32 err = 0;

	if (access & TDM_ACCESS_WRITE)
		err |= TDM_PF_W;
	if ((access & TDM_ACCESS_USER) && !(access & TDM_WALK_IMPLICIT))
		err |= TDM_PF_U;
	if ((access & TDM_ACCESS_FETCH) &&
	    ((r->cr4 & CR4_SMEP) ||
	     ((r->cr4 & CR4_PAE) && (r->efer & EFER_NO_EXEC))))
		err |= TDM_PF_I;
	return err;
}

/* Rights of the whole path: W and U if all entries have it, XD if any has. */
struct rights {
	bool write;
	bool user;
	bool xd;
	__u8 pkey;
};

/* Does the protection key forbid it? Independent of every other reason. */
static bool pkey_forbids(const struct tdm_walk_regs *r, const struct rights *p,
			 __u32 access, bool user)
{
	__u32 key = r->pkru >> (2 * p->pkey);

	if (!is_long(r) || !(r->cr4 & CR4_PKE) || !p->user ||
	    (access & TDM_ACCESS_FETCH))
		return false;
	if (key & 1)
		return true;
	return (key & 2) && (access & TDM_ACCESS_WRITE) &&
	       (user || (r->cr0 & CR0_WP));
}

/* SDM vol. 3, 4.6.1; protection keys apart. */
static bool rights_forbid(const struct tdm_walk_regs *r, const struct rights *p,
			  __u32 access, bool user)
{
	if ((access & TDM_ACCESS_FETCH) && p->xd)
		return true;
	if (user) {
		if (!p->user)
			return true;
		return (access & TDM_ACCESS_WRITE) && !p->write;
	}
	if (p->user) {
		if (access & TDM_ACCESS_FETCH)
			return r->cr4 & CR4_SMEP;
		if ((r->cr4 & CR4_SMAP) &&
		    (!r->ac || (access & TDM_WALK_IMPLICIT)))
			return true;
	}
	return (access & TDM_ACCESS_WRITE) && !p->write && (r->cr0 & CR0_WP);
}

static int read_entry(const struct tdm_walk_ops *ops, void *ctx, __u64 gpa,
		      unsigned int size, __u64 *entry)
{
	__u32 e32 = 0;
	int r;

	if (size == 8)
		return ops->read(ctx, gpa, entry, 8);
	r = ops->read(ctx, gpa, &e32, 4);
	*entry = e32;
	return r;
}

static int fault(struct tdm_walk *w, __u32 error)
{
	w->fault.error |= error;
	return -EFAULT;
}

/*
 * The root table, or, for PAE, the directory that the PDPTE register points to.
 * The registers were checked for reserved bits when they were loaded.
 */
static int root_table(const struct tdm_walk_regs *r, const struct paging_mode *m,
		      __u64 gva, struct tdm_walk *w, __u64 *table)
{
	__u64 pdpte;

	if (m == &mode_32bit) {
		*table = r->cr3 & bits(12, 31);
		return 0;
	}
	if (m == &mode_4level) {
		*table = r->cr3 & PTE_ADDR & bits(0, r->maxphyaddr - 1);
		return 0;
	}
	pdpte = r->pdptr[(gva >> 30) & 3];
	if (!(pdpte & PTE_P))
		return fault(w, 0);
	*table = pdpte & PTE_ADDR;
	return 0;
}

/* One descent from the root to a leaf; entries are recorded, nothing is written. */
static int descend(const struct tdm_walk_regs *r, const struct paging_mode *m,
		   const struct tdm_walk_ops *ops, void *ctx, __u64 gva,
		   struct tdm_walk *w, struct rights *p)
{
	__u64 table, entry;
	int level, err;

	err = root_table(r, m, gva, w, &table);
	if (err)
		return err;
	*p = (struct rights){ .write = true, .user = true };
	for (level = m->levels; level >= 1; level--) {
		unsigned int shift = level_shift(m, level);
		__u64 index = (gva >> shift) & bits(0, m->index_bits - 1);
		__u64 at = table + index * m->entry_size;

		err = read_entry(ops, ctx, at, m->entry_size, &entry);
		if (err)
			return err;
		w->entry_gpa[w->nr] = at;
		w->entry[w->nr++] = entry;
		if (!(entry & PTE_P))
			return fault(w, 0);
		if (entry & reserved_bits(r, m, level, entry))
			return fault(w, TDM_PF_P | TDM_PF_RSVD);
		p->write &= !!(entry & PTE_W);
		p->user &= !!(entry & PTE_U);
		if (m != &mode_32bit && (r->efer & EFER_NO_EXEC))
			p->xd |= !!(entry & PTE_XD);
		if (is_leaf(r, m, level, entry)) {
			w->page_shift = shift;
			w->gpa = leaf_base(r, m, level, entry) |
				 (gva & bits(0, shift - 1));
			p->pkey = (entry >> PTE_PKEY_SHIFT) & 15;
			return 0;
		}
		table = m == &mode_32bit ? entry & bits(12, 31) : entry & PTE_ADDR;
	}
	return -EIO;	/* not reached: level 1 is always a leaf */
}

/* Accessed bits on the path and, for a write, dirty in the leaf. */
static int set_ad_bits(const struct paging_mode *m, const struct tdm_walk_ops *ops,
		       void *ctx, __u32 access, struct tdm_walk *w)
{
	int i, err;

	for (i = 0; i < w->nr; i++) {
		__u64 want = w->entry[i] | PTE_A;

		if (i == w->nr - 1 && (access & TDM_ACCESS_WRITE))
			want |= PTE_D;
		if (want == w->entry[i])
			continue;
		err = ops->cmpxchg(ctx, w->entry_gpa[i], w->entry[i], want,
				   m->entry_size);
		if (err && err != -EROFS)
			return err;
	}
	return 0;
}

/*
 * A table that another vCPU changes all the time must not hold this one for
 * ever: after so many lost races the walk ends with -EBUSY and the caller runs
 * the instruction again.
 */
#define MAX_RACES	64

/**
 * tdm_walk() - translate a guest-linear address
 * @regs: the processor's registers
 * @ops: access to guest-physical memory
 * @ctx: handed to @ops
 * @gva: linear address; canonical in 64-bit mode, else the low 32 bits count
 * @access: one of TDM_ACCESS_READ, WRITE, FETCH; TDM_ACCESS_USER for accesses at
 *	CPL 3; TDM_WALK_* (a write that also reads is a WRITE)
 * @walk: filled in
 *
 * Return: 0 and @walk->gpa; -EFAULT and @walk->fault for a #PF; -EOPNOTSUPP for
 * 5-level paging; -EBUSY if the entries keep changing; or an error of @ops.
 */
int tdm_walk(const struct tdm_walk_regs *regs, const struct tdm_walk_ops *ops,
	     void *ctx, __u64 gva, __u32 access, struct tdm_walk *walk)
{
	bool user = (access & TDM_ACCESS_USER) && !(access & TDM_WALK_IMPLICIT);
	const struct paging_mode *m;
	struct rights p;
	int races, err;
	__u32 pk;

	if (!is_long(regs))
		gva &= 0xffffffff;
	*walk = (struct tdm_walk){ .gpa = gva, .fault.gva = gva };
	if (!(regs->cr0 & CR0_PG))
		return 0;
	if (is_long(regs) && (regs->cr4 & CR4_LA57))
		return -EOPNOTSUPP;

	m = mode_of(regs);
	for (races = 0; races < MAX_RACES; races++) {
		walk->nr = 0;
		walk->fault.error = access_error(regs, access);
		err = descend(regs, m, ops, ctx, gva, walk, &p);
		if (err)
			return err;
		pk = pkey_forbids(regs, &p, access, user) ? TDM_PF_PK : 0;
		if (pk || rights_forbid(regs, &p, access, user))
			return fault(walk, TDM_PF_P | pk);
		if (access & TDM_WALK_NO_AD)
			return 0;
		err = set_ad_bits(m, ops, ctx, access, walk);
		if (err != -EAGAIN)
			return err;
	}
	return -EBUSY;
}

/**
 * tdm_pdptrs_check() - may these be loaded as PAE page-directory pointers?
 * @pdptr: the four entries at CR3
 * @maxphyaddr: the guest's physical-address width
 *
 * SDM vol. 3, 4.4.1: a present one with a reserved bit set is a #GP.
 *
 * Return: 0 or -EINVAL.
 */
int tdm_pdptrs_check(const __u64 pdptr[4], __u8 maxphyaddr)
{
	__u64 rsvd = bits(1, 2) | bits(5, 8) | bits(maxphyaddr, 63);
	int i;

	for (i = 0; i < 4; i++)
		if ((pdptr[i] & PTE_P) && (pdptr[i] & rsvd))
			return -EINVAL;
	return 0;
}
