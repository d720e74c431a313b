/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The monitor slot: the one PML4 entry of a guest's shadow tables that is not
 * the guest's. Addresses in it, and the bt_state page in it.
 *
 * Included by assembly, by the translator (which also builds for userspace) and
 * by the engine. Constants only, and struct tdm_bt_state.
 *
 * Two views of the slot, the same addresses: the guest's (under every shadow
 * root of the vCPU) and the monitor's (under the root that has the host's kernel
 * besides). CPL 1 is supervisor to paging: what the guest's view maps writable,
 * translated code can write, and it is never trusted afterwards; what it maps at
 * all, it can read. Documentation/bt.rst has the argument.
 *
 *	offset		guest's view	what
 *	TEXT		r-x		entry stubs, switch.S
 *	INFO		r--		what the stubs must know: no host addresses
 *	TSS, IDT, GDT	r--		the monitor's own tables
 *	STACK		rw-		stacks of the stubs, nothing of value on them
 *	STATE		rw-		struct tdm_bt_state
 *	STI		rw- or r--	the same page again: stores that could open
 *					the guest's interrupt window go here, and
 *					fault when an interrupt waits for that
 *	PRIV		not mapped	the monitor's own data (monitor's view only)
 *	SWITCH_GDT	not mapped	GDT while switching, ditto
 *	PSTACK		not mapped	stacks of NMI, #MC... in monitor state, ditto
 *	LOOKUP		r--		indirect branches: guest RIP to TC address
 *	TC		r-x		translation cache, shared by the VM's vCPUs
 */
#ifndef TDM_BT_LAYOUT_H
#define TDM_BT_LAYOUT_H

#define TDM_BT_TEXT		0x00000000
#define TDM_BT_TEXT_PAGES	4
#define TDM_BT_INFO		0x00010000
#define TDM_BT_TSS		0x00011000
#define TDM_BT_IDT		0x00012000
#define TDM_BT_GDT		0x00020000	/* 16 pages: all 8192 selectors */
#define TDM_BT_STACK		0x00040000	/* see below: a page each, with a hole below it */
#define TDM_BT_STATE		0x00060000
#define TDM_BT_STI		0x00061000
#define TDM_BT_PRIV		0x00062000
#define TDM_BT_SWITCH_GDT	0x00080000	/* 16 pages */
#define TDM_BT_PSTACK		0x000a0000	/* as STACK */
#define TDM_BT_LOOKUP		0x00200000	/* a PDE of its own: one store changes the space */
#define TDM_BT_TC		0x40000000	/* a PDPTE of its own */
#define TDM_BT_TC_MAX		0x20000000
#define TDM_BT_SLOT_SIZE	0x8000000000	/* one PML4 entry */

/* Stacks: tops, a page each, below each an unmapped page. */
#define TDM_BT_STACK_RSP0	(TDM_BT_STACK + 0x2000)
#define TDM_BT_STACK_NMI	(TDM_BT_STACK + 0x4000)
#define TDM_BT_STACK_DB		(TDM_BT_STACK + 0x6000)
#define TDM_BT_STACK_DF		(TDM_BT_STACK + 0x8000)
#define TDM_BT_STACK_MC		(TDM_BT_STACK + 0xa000)
#define TDM_BT_PSTACK_RSP0	(TDM_BT_PSTACK + 0x2000)

/*
 * Entries of the lookup table: index = low 16 bits of the guest's RIP. A u64: where
 * in the TC to jump to, a stub that looks whether it is the one meant, or the
 * common code for a miss.
 */
#define TDM_BT_LOOKUP_BITS	16
#define TDM_BT_LOOKUP_SIZE	8

/*
 * INT n that translated code calls the monitor with: gates with DPL 1, so that
 * user code gets #GP. Vectors below 32 are never interrupts of the host. A u32
 * follows the instruction: TDM_BT_ID().
 */
#define TDM_BT_VEC_CALLOUT	0x18

/* tdm_bt_frame.vector of what has none. */
#define TDM_BT_VEC_SYSCALL	0x100
#define TDM_BT_VEC_SYSCALL32	0x101

/* Selectors of the monitor's GDT: the top of it, where no guest has its own. */
#define TDM_BT_SEL_K64		0xff80	/* ring 0 code: the stubs */
#define TDM_BT_SEL_KDS		0xff88
#define TDM_BT_SEL_C64		0xff91	/* ring 1 code: translated */
#define TDM_BT_SEL_D1		0xff99	/* ring 1 stack */
#define TDM_BT_SEL_U64		0xffa3	/* flat user code and data, should the guest's not do */
#define TDM_BT_SEL_UDS		0xffab
#define TDM_BT_SEL_TSS		0xffb0	/* 16 bytes */

#define TDM_BT_IF		0x200	/* RFLAGS.IF */

/* Offsets in struct tdm_bt_state. */
#define TDM_BTS_SPILL		0x000	/* + 8 * register */
#define TDM_BTS_VIF		0x080
#define TDM_BTS_KGS		0x088
#define TDM_BTS_IND_RIP		0x090
#define TDM_BTS_IND_TC		0x098
#define TDM_BTS_SITE		0x0a0
#define TDM_BTS_CR0		0x0a8
#define TDM_BTS_CR2		0x0b0
#define TDM_BTS_CR3		0x0b8
#define TDM_BTS_CR4		0x0c0
#define TDM_BTS_FLAGS		0x0c8	/* [0] before, [1] after: TDM_REC_F_FLAGS */
#define TDM_BTS_ARGS		0x0d8	/* 9 of them */
#define TDM_BTS_IRET_PTR	0x120	/* 4 of them */
#define TDM_BTS_CS		0x140
#define TDM_BTS_SS		0x148
#define TDM_BTS_IRET_BAD	0x150
#define TDM_BTS_IRET_SAME	0x158	/* for CS, SS: pointer, what is there */

#ifndef __ASSEMBLY__
#include <linux/types.h>

/**
 * struct tdm_bt_state - what translated code needs of the vCPU, and scratch
 * @spill: where sequences keep a guest register while they use it; see
 *	tdm_bt_rec.restore
 * @vif: the guest's RFLAGS.IF: 0 or TDM_BT_IF. Stores of 0 go to STATE, others
 *	to the alias STI
 * @kernel_gs: MSR_KERNEL_GS_BASE, for swapgs
 * @ind_rip: target of the indirect branch under way, guest's address
 * @ind_tc: scratch of SWAPGS
 * @site: TDM_BT_ID() of the indirect branch under way
 * @cr0, @cr2, @cr3, @cr4: for reads; writes of the guest leave translated code
 * @flags: the guest's flags while a sequence uses the real ones: see
 *	TDM_REC_F_FLAGS
 * @args: memory operands that translated code read for a callout. IRETQ: the
 *	five values on the stack, then what @iret_ptr points to
 * @iret_ptr: addresses of four descriptors in the guest's GDT that IRETQ is likely
 *	to load; of @args where there is none
 * @cs, @ss: the guest's selectors, at CPL 0
 * @iret_bad: not 0: translated code must not do an IRETQ alone, even one to the same
 *	CS and SS
 * @iret_same: of these two: address of the descriptor, and what it was when it was
 *	found good
 *
 * The guest can write every byte of it at any time: whoever reads it outside of
 * translated code checks it as a value from the guest.
 */
struct tdm_bt_state {
	__u64 spill[16];
	__u64 vif;
	__u64 kernel_gs;
	__u64 ind_rip;
	__u64 ind_tc;
	__u32 site;
	__u32 pad;
	__u64 cr0;
	__u64 cr2;
	__u64 cr3;
	__u64 cr4;
	__u64 flags[2];
	__u64 args[9];
	__u64 iret_ptr[4];
	__u64 cs;
	__u64 ss;
	__u64 iret_bad;
	struct {
		__u64 ptr;
		__u64 raw;
	} iret_same[2];
};

#endif /* __ASSEMBLY__ */
#endif /* TDM_BT_LAYOUT_H */
