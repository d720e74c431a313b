/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest page-table walker: guest-linear to guest-physical in every paging
 * mode, as a function of the registers given and a way to read memory.
 *
 * It knows no vCPU, takes no lock and allocates nothing, so that it builds for
 * userspace tests as well. Beware: it does not check that a linear address is
 * canonical, nor segment limits; those faults are not page faults.
 */
#ifndef TDM_PAGING_H
#define TDM_PAGING_H

#include <linux/types.h>

/* Kinds of access: for a walk, and what an engine reports of an exit. */
#define TDM_ACCESS_READ		(1u << 0)
#define TDM_ACCESS_WRITE	(1u << 1)
#define TDM_ACCESS_FETCH	(1u << 2)
#define TDM_ACCESS_USER		(1u << 3)
#define TDM_ACCESS_PRESENT	(1u << 4)	/* exits: a mapping was there, its rights forbade it */
#define TDM_WALK_NO_AD		(1u << 16)	/* leave accessed and dirty bits alone */
#define TDM_WALK_IMPLICIT	(1u << 17)	/* implicit supervisor access: CPL and EFLAGS.AC do not count */

/* Page-fault error code (SDM vol. 3, 4.7) */
#define TDM_PF_P		(1u << 0)
#define TDM_PF_W		(1u << 1)
#define TDM_PF_U		(1u << 2)
#define TDM_PF_RSVD		(1u << 3)
#define TDM_PF_I		(1u << 4)
#define TDM_PF_PK		(1u << 5)

/** struct tdm_page_fault - what the guest's #PF would say */
struct tdm_page_fault {
	__u64 gva;
	__u32 error;	/* TDM_PF_* */
};

/* tdm_walk_regs.features: what the guest's CPUID has */
#define TDM_WALK_PSE36		(1u << 0)
#define TDM_WALK_1G		(1u << 1)

/**
 * struct tdm_walk_regs - all the processor state that a translation depends on
 * @cr0: CR0: PG, WP
 * @cr3: CR3
 * @cr4: CR4: PSE, PAE, PGE, SMEP, SMAP, PKE, LA57
 * @efer: EFER: LMA, NXE
 * @pdptr: the four page-directory-pointer registers, for PAE paging
 * @pkru: protection-key rights of user pages
 * @maxphyaddr: the guest's physical-address width, 32 to 52
 * @features: TDM_WALK_PSE36, TDM_WALK_1G
 * @ac: EFLAGS.AC
 */
struct tdm_walk_regs {
	__u64 cr0, cr3, cr4, efer;
	__u64 pdptr[4];
	__u32 pkru;
	__u32 features;
	__u8 maxphyaddr;
	__u8 ac;
};

/**
 * struct tdm_walk_ops - how the walker reaches guest-physical memory
 * @read: read a table entry of 4 or 8 bytes, naturally aligned. 0, or a
 *	  negative errno, which ends the walk. Where the guest has no memory it
 *	  gives all ones.
 * @cmpxchg: atomically replace entry @old by @new. 0, -EAGAIN if it was not
 *	  @old any more, -EROFS if it cannot be written (the walk goes on
 *	  without), another errno ends the walk.
 */
struct tdm_walk_ops {
	int (*read)(void *ctx, __u64 gpa, void *buf, unsigned int len);
	int (*cmpxchg)(void *ctx, __u64 gpa, __u64 old, __u64 new, unsigned int len);
};

#define TDM_WALK_MAX_LEVELS	4

/**
 * struct tdm_walk - the result of a walk
 * @gpa: the address translated
 * @fault: filled when tdm_walk() returns -EFAULT
 * @nr: entries used, the leaf last; 0 without paging
 * @entry_gpa: where each was read
 * @entry: its value, before accessed and dirty bits were set
 * @page_shift: 12, 21, 22 or 30; 0 without paging
 */
struct tdm_walk {
	__u64 gpa;
	struct tdm_page_fault fault;
	__u64 entry_gpa[TDM_WALK_MAX_LEVELS];
	__u64 entry[TDM_WALK_MAX_LEVELS];
	__u8 nr;
	__u8 page_shift;
};

int tdm_walk(const struct tdm_walk_regs *regs, const struct tdm_walk_ops *ops,
	     void *ctx, __u64 gva, __u32 access, struct tdm_walk *walk);
int tdm_pdptrs_check(const __u64 pdptr[4], __u8 maxphyaddr);

#endif /* TDM_PAGING_H */
