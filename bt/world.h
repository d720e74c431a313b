/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch's own header: what monitor.c, gdt.c, world.c and switch.S
 * share, and nobody else needs. Offsets for assembly are asserted in world.c.
 */
#ifndef TDM_BT_WORLD_H
#define TDM_BT_WORLD_H

#include "bt/layout.h"

/* struct tdm_bt_info */
#define INFO_MON_CR3		0
#define INFO_EVENT		8

/* tdm_bt_info.event */
#define BT_EVENT_NMI		1
#define BT_EVENT_MC		2

/* struct tdm_bt_priv */
#define PRIV_HOST_RSP		0
#define PRIV_REGS		8
#define PRIV_BT			16
#define PRIV_FATAL		24
#define PRIV_HOST_GS		32
#define PRIV_ROOT		40
#define PRIV_HOST_ROOT		48
#define PRIV_GATES		64

/* struct tdm_bt, struct tdm_bt_frame */
#define FRAME_VECTOR		0
#define FRAME_ERROR		8
#define FRAME_RIP		16
#define FRAME_CS		24
#define FRAME_RFLAGS		32
#define FRAME_RSP		40
#define FRAME_SS		48

/* struct tdm_bt_tables */
#define TABLES_SWITCH_GDT	6
#define TABLES_MON_GDT		22
#define TABLES_MON_IDT		38
#define TABLES_HOST_GDT		54
#define TABLES_HOST_IDT		70

/*
 * Interrupt stacks: the host's numbers, because for an instant each side's IDT
 * is used with the other side's TSS (switch.S).
 */
#define BT_IST_DF		1
#define BT_IST_NMI		2
#define BT_IST_DB		3
#define BT_IST_MC		4

/* All that SYSCALL can clear: CF PF AF ZF SF TF IF DF OF IOPL NT RF AC ID. */
#define BT_SYSCALL_MASK		0x257fd5

/* PCIDs of the monitor and its guest; Linux uses 0..6 and those with bit 11. */
#define BT_PCID_MONITOR		0x80
#define BT_PCID_GUEST		0x81

#ifndef __ASSEMBLY__
#include <asm/desc_defs.h>
#include <asm/processor.h>

#include "arch/x86/host.h"
#include "bt/bt.h"

/**
 * struct tdm_bt_info - page INFO, which the guest can read
 * @mon_cr3: the monitor's root
 * @event: BT_EVENT_*: came while the CPU was at CPL 0 in monitor state
 *
 * No host addresses but the physical one of the root.
 */
struct tdm_bt_info {
	u64 mon_cr3;
	u8 event;
};

/**
 * struct tdm_bt_priv - page PRIV, monitor's view only
 * @host_rsp: of tdm_bt_switch()
 * @regs: the vCPU's gprs
 * @bt: the frame is first in it
 * @fatal: tdm_bt_fatal()
 * @host_gs: GS base of this CPU, for @fatal
 * @root: the monitor's root
 * @host_root: the root that switch_in() found
 * @gate: the host's handlers of exceptions
 */
struct tdm_bt_priv {
	u64 host_rsp;
	struct tdm_regs *regs;
	struct tdm_bt *bt;
	void *fatal;
	u64 host_gs;
	u64 *root;
	u64 *host_root;
	u64 pad;
	u64 gate[32];
};

/** struct tdm_bt_dtr - LGDT's operand, 8-byte aligned where it matters */
struct tdm_bt_dtr {
	u16 pad[3];
	u16 limit;
	u64 base;
} __packed;

/** struct tdm_bt_tables - what switch.S loads */
struct tdm_bt_tables {
	struct tdm_bt_dtr switch_gdt;
	struct tdm_bt_dtr mon_gdt;
	struct tdm_bt_dtr mon_idt;
	struct tdm_bt_dtr host_gdt;
	struct tdm_bt_dtr host_idt;
};

#define BT_GDT_PAGES		16
#define BT_GDT_GUEST		(TDM_BT_SEL_K64 >> 3)	/* indices below may be the guest's */
#define BT_NR_STACKS		5
#define BT_MAX_PAGES		64

/* Descriptors in the mirror: present, code or data, DPL 3. */
#define TDM_BT_AR_MIRRORED	(TDM_AR_P | TDM_AR_S | TDM_AR_DPL)

/**
 * struct tdm_bt_mirror - what the mirror of the guest's GDT was made of
 * @gdt: the GDTR
 * @was: the descriptors in guest memory; 0 where there was none
 * @nr: how many
 * @room: how many @was has memory for
 * @tried: all was done to have the shadow tables map them
 * @at: the first one in the direct map, under @root and @tlb_gen
 */
struct tdm_bt_mirror {
	struct tdm_table gdt;			/* (v) */
	u64 *was;				/* (v) */
	unsigned int nr, room;			/* (v) */
	bool tried;				/* (v) */
	const u64 *at;				/* (v) */
	u64 root, tlb_gen;			/* (v) */
};

/**
 * struct tdm_bt_mon - the monitor slot of a vCPU and what it replaces
 * @tables: operands for switch.S
 * @info, @priv, @state: pages of the slot, host's addresses
 * @root: the monitor's PML4; 8 KiB aligned, see monitor.c
 * @guest_pdpt, @guest_pd, @guest_pt: the guest's view of the slot
 * @mon_pdpt, @mon_pt: the monitor's view
 * @tss: the guest's view, the monitor's view
 * @idt: both views
 * @gdt: the guest's and the monitor's; NULL: all zeros
 * @mirror: what part of @gdt is the guest's
 * @switch_gdt: first page of the GDT used while switching
 * @index: PML4 entry of the slot
 * @host: what switch_in() found
 * @crs: what holds in monitor state, from @host and the guest's
 * @enter: address of the entry in the slot
 * @pcid: of the guest's root; 0 on hosts without PCIDs
 * @ds: the host's records that are off
 * @segs: the host's segments while the guest's are in the CPU
 * @msrs: ditto, syscall MSRs
 * @sel: selectors loaded in ES, DS, FS, GS (by enum tdm_seg)
 * @user_cs, @user_ss: what the GDT has for CS and SS of user code
 * @host_bps: the host has breakpoints
 * @bps: the guest or its debugger has
 * @dr7: the guest's, while it runs; 0: none that may be loaded
 * @cpu: whose tables @tables has
 * @host_vector: event for the host, 0 = none
 * @counted: bytes of it in the VM's mem_bytes
 * @pages, @nr_pages: all that was allocated page by page
 */
struct tdm_bt_mon {
	struct tdm_bt_tables tables;		/* (v) */
	struct tdm_bt_info *info;		/* (c) */
	struct tdm_bt_priv *priv;		/* (c) */
	u64 *root;				/* (c) */
	u64 *guest_pdpt, *guest_pd, *guest_pt;	/* (c) */
	u64 *mon_pdpt, *mon_pt;			/* (c) */
	struct x86_hw_tss *tss[2];		/* (c) */
	gate_desc *idt;				/* (c) */
	u64 *gdt[BT_GDT_PAGES];			/* (v) */
	struct tdm_bt_mirror mirror;		/* (v) */
	u64 *switch_gdt;			/* (c) */
	unsigned int index;			/* (v) */
	struct tdm_host_crs host;		/* (v) */
	struct tdm_host_crs crs;		/* (v) */
	unsigned long enter;			/* (v) */
	u64 pcid;				/* (c) */
	struct tdm_host_ds ds;			/* (v) */
	struct tdm_host_segs segs;		/* (v) */
	struct tdm_host_sysmsrs msrs;		/* (v) */
	u16 sel[TDM_SEG_GS + 1];		/* (v) */
	struct tdm_segment user_cs, user_ss;	/* (v) */
	bool host_bps, bps;			/* (v) */
	u64 dr7;				/* (v) */
	int cpu;				/* (v) */
	u32 host_vector;			/* (v) */
	s64 counted;				/* (c) */
	unsigned int nr_pages;			/* (v) */
	unsigned long pages[BT_MAX_PAGES];	/* (v) */
};

/* switch.S */
void tdm_bt_switch(struct tdm_bt *b, struct tdm_regs *regs, u64 cr3, unsigned long enter);
extern const char tdm_bt_text[], tdm_bt_text_end[];
extern const char tdm_bt_text_enter[], tdm_bt_text_in[], tdm_bt_text_out[];
extern const char tdm_bt_text_syscall[], tdm_bt_text_syscall32[], tdm_bt_text_clac[];
asmlinkage void tdm_bt_fatal(struct tdm_bt *b, const u64 *frame);

/* Address in the slot of a label of switch.S. */
static inline unsigned long tdm_bt_text_at(const struct tdm_bt *b, const char *label)
{
	return b->base + TDM_BT_TEXT + (label - tdm_bt_text);
}

/* monitor.c */
u64 *tdm_bt_mon_gdt_page(struct tdm_bt_mon *m, unsigned int page);

/* gdt.c */
void tdm_bt_gdt_init(struct tdm_bt_mon *m);
void tdm_bt_gdt_base(struct tdm_bt_mon *m, u64 base);

static inline u64 tdm_bt_base(unsigned int index)
{
	return (u64)((s64)((u64)index << 55) >> 16);
}

#endif /* __ASSEMBLY__ */
#endif /* TDM_BT_WORLD_H */
