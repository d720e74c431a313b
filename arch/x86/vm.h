/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct tdm_vm: one virtual machine.
 *
 * Layout only, shared by the core, the MMU, the devices and the engines; the
 * functions that make and end a VM are in kmod/vm.c. Beware: this is included
 * by every layer, so it may name types of higher layers but not their headers.
 *
 * Field tags: (c) const after creation, (l) vm->lock, (s) slots_sem,
 * (m) mmu_lock, (a) atomic, (r) RCU, (d) the device's own lock.
 */
#ifndef TDM_VM_H
#define TDM_VM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "arch/x86/engine.h"
#include "arch/x86/stats.h"

#define TDM_MAX_VCPUS		1024	/* vCPUs a VM can have */
#define TDM_MAX_VCPU_IDS	4096	/* vcpu_id (APIC ID) is below this */
#define TDM_SOFT_MAX_VCPUS	8	/* recommended */
#define TDM_NR_MEMSLOTS		32764	/* user memslots */

struct tdm_shadow;
struct tdm_pic;
struct tdm_ioapic;
struct tdm_pit;
struct tdm_irq_routing;
struct tdm_apic_map;
struct tdm_io_bus;
struct tdm_ioevents;
struct tdm_coalesced;
struct tdm_msr_filter;
struct dentry;

enum tdm_irqchip_mode {
	TDM_IRQCHIP_NONE,	/* the caller has the interrupt controllers */
	TDM_IRQCHIP_KERNEL,	/* LAPIC, IOAPIC, PIC here */
	TDM_IRQCHIP_SPLIT,	/* LAPIC here, the rest at the caller */
};

enum tdm_mmu_mode { TDM_MMU_MODE_EPT, TDM_MMU_MODE_SHADOW };

enum tdm_bus { TDM_BUS_PIO, TDM_BUS_MMIO, TDM_NR_BUSES };

/**
 * struct tdm_mmu - per-VM MMU state; owned by shadow_mmu/
 *
 * Notifier protocol: host page tables are read and guest mappings made inside
 * one hold of @lock, and only while no invalidation of that range is in
 * progress. So a mapping can never be older than the host's own entry.
 *
 * TLB protocol: whoever removes a mapping or a right bumps @tlb_gen under
 * @lock and calls tdm_mmu_sync_tlb() without it before anybody is told;
 * @tlb_done follows once every vCPU has flushed. A notifier that finds nothing
 * to remove still waits for what others removed a moment ago.
 */
struct tdm_mmu {
	spinlock_t lock;		/* "mmu_lock": all below, and the guest tables */
	u64 *root;			/* (c) root table */
	u64 root_hpa;			/* (c) its physical address */
	struct rb_root_cached slots_by_hva; /* (m) interval tree of tdm_memslot */
	struct tdm_memslot *last_slot;	/* (m) the last one found; NULL = none */
	int notifier_count;		/* (m) invalidations in progress */
	unsigned long inv_start;	/* (m) hva range that covers them all */
	unsigned long inv_end;		/* (m) exclusive */
	bool gone;			/* (m) the address space has ended: map nothing */
	unsigned long max_pages;	/* (a) KVM_SET_NR_MMU_PAGES, 0 = no bound */
	u64 code_gen;			/* (m) bumped when a guest table above tracked code changed: tdm_mmu_code_page() */
	u64 tlb_gen;			/* (m) bumped by each loss of a mapping or right */
	u64 tlb_done;			/* (m) all vCPUs have flushed up to here */
	struct list_head pool;		/* (m) zeroed pages for tables, by page->lru */
	unsigned int pool_nr;		/* (m) pages in it */
	struct list_head dead;		/* (m) unlinked tables: freed after a flush */
	struct tdm_shadow *shadow;	/* (c) after the first vCPU; NULL under EPT */
	struct mmu_notifier notifier;	/* (c) registered on vm->mm */
	bool notifier_registered;	/* (c) */
};

/**
 * struct tdm_clock - the VM's clock: a point on the line
 * @tsc: of the host
 * @boot: the host's boottime clock then, for when its TSC is no good
 * @ns: what the clock shows then
 */
struct tdm_clock {
	u64 tsc;
	u64 boot;
	u64 ns;
};

struct tdm_vm {
	struct kref ref;
	const struct tdm_engine_ops *ops;	/* (c) after the first vCPU */
	void *engine_priv;			/* engine's own */
	struct mm_struct *mm;			/* (c) the creator's; mmgrab'ed */
	struct mutex lock;			/* configuration; outermost */
	enum tdm_mmu_mode mmu_mode;		/* (l), (c) after the first vCPU */
	u32 engine_id;				/* (l) as asked for */
	u32 mmu_id;				/* (l) ditto: TDM_MMU_* */
	bool engine_ready;			/* (l) get() and vm_init() done */
	bool dead;				/* set once: every KVM_RUN returns -EIO */

	/* memory */
	struct rw_semaphore slots_sem;		/* memslots; taken inside lock */
	struct rb_root slots_by_gfn[2];		/* (s) by address space */
	struct xarray slots_by_id;		/* (s) as_id << 16 | id */
	unsigned long nr_slot_pages;		/* (s) */
	u32 slots_generation;			/* (s) odd never; bumped by changes */
	struct tdm_mmu mmu;

	/* vCPUs */
	struct xarray vcpus;			/* by creation index; (l) to add */
	atomic_t online_vcpus;			/* (a) indices 0..n-1 are complete */
	int created_vcpus;			/* (l) */
	u32 bsp_vcpu_id;			/* (l), (c) after the first vCPU */
	u32 max_vcpu_ids;			/* (l) KVM_CAP_MAX_VCPU_ID, 0 = default */

	/* devices and interrupts */
	enum tdm_irqchip_mode irqchip;		/* (l), (c) after the first vCPU */
	struct tdm_pic *pic;			/* (c) once irqchip is set */
	struct tdm_ioapic *ioapic;
	struct tdm_pit *pit;			/* (l) to set */
	struct tdm_irq_routing __rcu *routing;	/* (r), (l) to change */
	struct tdm_apic_map *apic_map;		/* (c) once irqchip is set; destinations to LAPICs */
	u32 x2apic_api;				/* (l) KVM_X2APIC_API_* */
	struct tdm_io_bus __rcu *bus[TDM_NR_BUSES]; /* (r), (l) to change */
	struct tdm_ioevents __rcu *ioevents[TDM_NR_BUSES]; /* (r), (l) to change; NULL: none */
	struct tdm_coalesced *coalesced;	/* (c) */
	struct mutex irqfd_setup;		/* KVM_IRQFD; alone */
	spinlock_t irqfd_lock;			/* the two lists; inside eventfds' locks */
	struct list_head irqfds;		/* irqfd_lock */
	struct list_head resample_irqfds;	/* (r), irqfd_lock to change */
	u32 resamplers;				/* irqfd_lock to change: length of the latter */
	atomic_t vapics_in_nmi_mode;		/* (a) LVT0 set to NMI: PIT watchdog */

	/* time */
	raw_spinlock_t tsc_lock;		/* TSC synchronisation of vCPUs */
	u64 last_tsc_write;			/* tsc_lock */
	u64 last_tsc_offset;			/* tsc_lock */
	u64 last_tsc_ns;			/* tsc_lock */
	u32 default_tsc_khz;			/* (l) */
	struct tdm_clock clock;			/* tsc_lock */
	bool tscs_differ;			/* (a) found so when a clock was last written */
	u64 wall_clock;				/* (a) KVM_WALL_CLOCK: gpa */

	/* caps switched on by KVM_ENABLE_CAP */
	u32 user_msr_mask;			/* (l) KVM_MSR_EXIT_REASON_* */
	struct tdm_msr_filter __rcu *msr_filter;/* (r), (l) to change */
	u64 dirty_log_caps;			/* (l) KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	u32 disabled_exits;			/* (l) KVM_X86_DISABLE_EXITS_* */
	u64 disabled_quirks;			/* (l) KVM_CAP_DISABLE_QUIRKS* */
	bool exception_payload;			/* (l) */
	bool platform_info_hidden;		/* (l) KVM_CAP_MSR_PLATFORM_INFO = 0 */
	bool triple_fault_event;		/* (l) */

	atomic64_t stat[TDM_NR_VM_STATS];
	struct dentry *debugfs;			/* (c) */
	char name[32];				/* (c) "<pid>-<n>": debugfs, messages */
};

#define tdm_for_each_vcpu(vm, idx, vcpu)				\
	for ((idx) = 0; (idx) < (unsigned long)atomic_read(&(vm)->online_vcpus) && \
	     ((vcpu) = xa_load(&(vm)->vcpus, (idx))) != NULL; (idx)++)

#endif /* TDM_VM_H */
