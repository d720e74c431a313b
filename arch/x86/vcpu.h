/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct tdm_vcpu: one virtual CPU: canonical state, pending events, requests.
 *
 * The thread in a vCPU ioctl holds vcpu->mutex and so owns everything here
 * that carries no other tag. Other threads only set requests, kick, and use
 * the LAPIC through its own interface.
 *
 * Beware: an engine may hold newer values of canonical state. Read through
 * tdm_need() first, and tell it about writes with tdm_touch().
 *
 * Field tags: (c) const after creation, (v) vcpu->mutex, (a) atomic.
 */
#ifndef TDM_VCPU_H
#define TDM_VCPU_H

#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>

#include "arch/x86/state.h"
#include "arch/x86/vm.h"

struct tdm_lapic;
struct tdm_cpuid;
struct tdm_emul;
struct tdm_verify;
struct tdm_fpu;

/* ev.int_shadow */
#define TDM_SHADOW_STI		1u	/* = KVM_X86_SHADOW_INT_STI >> 1, see event.c */
#define TDM_SHADOW_MOV_SS	2u

/**
 * struct tdm_events - what is to be delivered to the guest
 * @exc: exception raised by the core for the current instruction, @exc_pending
 * @cur: event handed to the engine, or whose delivery was cut short by an
 *       exit: goes in first at the next entry, @cur_valid
 * @nmi_pending: NMIs waiting, at most 2 (one in service, one latched)
 * @nmi_masked: NMIs blocked until IRET (TDM_ST_SHADOW)
 * @int_shadow: TDM_SHADOW_* (TDM_ST_SHADOW)
 * @user_irq: vector given by KVM_INTERRUPT (no in-kernel irqchip), -1 = none
 * @triple_fault: guest shut down; to be reported
 * @db_pending: DR6 bits of a debug trap to deliver after this instruction
 */
struct tdm_events {
	bool exc_pending;
	bool cur_valid;
	bool nmi_masked;	/* and int_shadow: written together at each exit */
	u8 int_shadow;
	bool triple_fault;
	u8 nmi_pending;
	s16 user_irq;
	u64 db_pending;
	struct tdm_event exc;
	struct tdm_event cur;
};

/** struct tdm_state - canonical guest state besides the general registers */
struct tdm_state {
	u64 cr0, cr2, cr3, cr4, efer;
	u64 cr8;			/* only without a LAPIC of our own */
	u64 pdptr[4];			/* PAE page-directory pointers */
	struct tdm_segment seg[TDM_NR_SEGS];
	struct tdm_table gdt, idt;
	u64 dr[4], dr6, dr7;
	u64 xcr0, xss;
	u64 star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pat, debugctl, misc_enable, spec_ctrl;
	u64 apic_base;
	u64 tsc_offset;			/* guest TSC = host TSC + offset */
	u64 tsc_adjust;
	u64 tsc_deadline;
	u64 smbase;
	u64 mtrr_def, mtrr_fixed[11], mtrr_var[16];
	u64 mcg_status, mcg_ctl, mcg_cap, mce[4 * 32];
	u64 ucode_rev, platform_info, misc_features, feature_control;
	u64 power_ctl, arch_caps, smi_count, hwcr;
};

/* vcpu->requests (bit numbers); set with tdm_request() */
enum tdm_req {
	TDM_REQ_EVENT,		/* something new to inject: recompute */
	TDM_REQ_TLB_FLUSH,	/* guest TLB, before the next entry */
	TDM_REQ_MMU_ROOT,	/* root changed */
	TDM_REQ_INTERCEPTS,	/* controls to be recomputed */
	TDM_REQ_APIC_PAGE,	/* APIC mode or base changed */
	TDM_REQ_TRIPLE_FAULT,
	TDM_REQ_CLOCK,		/* TSC offset or clock changed */
	TDM_REQ_VM_DEAD,
	TDM_REQ_NMI,		/* nmi_queued went up */
	TDM_REQ_UNBLOCK,	/* leave HLT */
	TDM_REQ_STEAL,		/* time was waited for a CPU: tell the guest */
	TDM_REQ_EOI_EXIT,	/* split irqchip: the caller hears of an EOI */
	TDM_NR_REQS
};

/**
 * struct tdm_pv - paravirtual features of a vCPU, (v); kmod/pv.c
 * @system_time: KVM_SYSTEM_TIME: gpa, bit 0 = on; other threads look at the bit
 * @steal_time: KVM_STEAL_TIME: ditto
 * @stolen: ns told so far
 * @run_delay: of the thread that ran the vCPU last, when it was told
 * @thread: that thread's ID
 * @clock_version: version written last; even
 * @steal_version: ditto
 * @wall_clock_asked: KVM_WALL_CLOCK was written
 * @stopped: KVM_KVMCLOCK_CTRL
 */
struct tdm_pv {
	u64 system_time;
	u64 steal_time;
	u64 stolen;
	u64 run_delay;
	int thread;
	u32 clock_version;
	u32 steal_version;
	bool wall_clock_asked;
	bool stopped;
};

enum tdm_vcpu_mode { TDM_OUTSIDE, TDM_IN_GUEST };

/* What the guest did to its TLB since the shadow tables were last brought up to date. */
#define TDM_FLUSH_CR3	(1u << 0)	/* MOV to CR3 that flushes */
#define TDM_FLUSH_ALL	(1u << 1)	/* everything, global entries too */
#define TDM_FLUSH_ROOT	(1u << 2)	/* nothing flushed: another CR3, or PDPTRs loaded again */
#define TDM_FLUSH_MODE	(1u << 3)	/* nothing flushed, but tables are read another way */

struct tdm_spage;

/* PCIDs whose shadow tables are known to be as fresh as hardware's TLB would be. */
#define TDM_NR_PCID_SLOTS	8

/**
 * struct tdm_vcpu_mmu - shadow paging, per vCPU; owned by shadow_mmu/
 *
 * In long mode root[0] is the shadow of the PML4. Otherwise root[] are four page
 * directories of 1 GiB each, and @pae points at them. Where CR3 points to no memory
 * @pae is the root: it has no entries then but the monitor's.
 */
struct tdm_vcpu_mmu {
	u64 hw_cr3;			/* (v) for the engine: physical address, no flags; 0 = none yet */
	u32 pending;			/* (v) TDM_FLUSH_* */
	u32 mode;			/* (m) mode bits of a shadow page's role */
	struct tdm_spage *root[4];	/* (m) referenced */
	u64 mon_entry;			/* (c) BT: entry @mon_index of every root of this vCPU, not the guest's; 0 = none */
	u16 mon_index;			/* (v) BT: 256..511, changed only by tdm_mmu_move_monitor() */
	bool mon_conflict;		/* (m) BT: the guest's PML4 uses that entry: move the monitor before entering */
	bool root_written;		/* (m) BT: the guest wrote to its PML4 since the engine was last told of a flush */
	u64 code_gen;			/* (v) BT: vm->mmu.code_gen when the engine was last told of a flush */
	struct list_head owned;		/* (m) roots with this vCPU's mon_entry, by tdm_spage.owned */
	u64 *pae;			/* (c) hardware PDPTEs, a page below 4 GiB */
	u64 retry_rip;			/* (v) see tdm_mmu_unshadow() */
	u64 retry_exits;		/* (v) ditto */
	u32 retries;			/* (v) ditto */
	u64 pcid_cr3[TDM_NR_PCID_SLOTS];/* (v) CR3s loaded lately and not flushed since, most recent first; 0 = free */
};

struct tdm_vcpu {
	/* hot: touched by every exit */
	struct tdm_regs regs;		/* (v) first: the entry code's offsets */
	u32 valid;			/* (v) TDM_ST_* fresh in canonical state */
	u32 dirty;			/* (v) TDM_ST_* newer than the engine's */
	unsigned long requests;		/* (a) BIT(enum tdm_req) */
	u32 windows;			/* (v) TDM_WINDOW_* last asked of the engine */
	int mode;			/* (a) enum tdm_vcpu_mode, see tdm_vcpu_kick() */
	int cpu;			/* CPU it is loaded on, -1 */
	struct tdm_vm *vm;		/* (c) */
	const struct tdm_engine_ops *ops; /* (v) = vm->ops but for switches */
	void *engine_priv;		/* (v) engine's own */
	struct tdm_cpuid *cpuid;	/* (v) table set by KVM_SET_CPUID2 */
	struct tdm_lapic *lapic;	/* (c) NULL without in-kernel LAPIC */
	void *vapic;			/* (c) its register page (page aligned, TPR at 0x80), else NULL */
	struct tdm_events ev;		/* (v) */
	struct tdm_state st;		/* (v) */
	struct tdm_exit exit;		/* (v) the exit being handled */
	u64 stat[TDM_NR_VCPU_STATS];	/* (v) writes */

	/* identity and lifetime */
	u32 id;				/* (c) vcpu_id, APIC ID */
	u32 index;			/* (c) creation order */
	struct mutex mutex;		/* taken by every vCPU ioctl */
	bool has_run;			/* (v) KVM_RUN was called: CPUID is fixed */
	struct preempt_notifier preempt_notifier;
	bool loaded;			/* (v) preempt notifier registered */
	int last_cpu;			/* (v) for engine caches; -1 never ran */

	struct tdm_vcpu_mmu mmu;	/* shadow paging */

	/* MMU, within one exit: a page the fast path found missing in the host */
	unsigned long miss_hva;		/* (v) 0: none; a hint, checked again */
	u32 miss_generation;		/* (v) of the memslots */

	/* run state */
	struct kvm_run *run;		/* (c) page shared with the caller */
	void *pio_data;			/* (c) page after it */
	u32 mp_state;			/* KVM_MP_STATE_*; (v), others by requests */
	struct rcuwait wait;		/* HLT sleep */
	u8 sipi_vector;			/* (a) */
	unsigned long apic_events;	/* (a) TDM_APIC_EV_*: INIT, SIPI latched */
	atomic_t nmi_queued;		/* (a) NMIs sent and not yet seen by ev */
	u64 io_rip;			/* (v) RIP of an OUT that went to the caller */
	int (*complete_userspace)(struct tdm_vcpu *vcpu); /* (v) */
	sigset_t sigset;		/* (v) */
	bool sigset_active;

	struct tdm_fpu *fpu;		/* (c) owned by arch/x86/fpu.c */

	/* emulator context, kmod/emulate.c */
	struct tdm_emul *emul;		/* (c) */

	struct tdm_verify *verify;	/* (v) kmod/verify.c; NULL unless bt_verify */

	/* guest debugging, KVM_SET_GUEST_DEBUG */
	u32 guest_debug;		/* (v) KVM_GUESTDBG_* */
	u64 debug_dr[4], debug_dr7;	/* (v) */

	struct tdm_pv pv;		/* (v) */
	u32 tsc_khz;			/* (v) */
	u64 time_at_last_exit;		/* (v) */
	struct dentry *debugfs;		/* (c) */
};

/**
 * tdm_need() - make parts of canonical state fresh
 * @vcpu: loaded vCPU (engine ops need it current)
 * @mask: TDM_ST_*
 */
static inline void tdm_need(struct tdm_vcpu *vcpu, u32 mask)
{
	u32 want = mask & ~vcpu->valid;

	if (want)
		vcpu->ops->sync_out(vcpu, want);
}

/**
 * tdm_touch() - canonical state was changed: the engine's copy is stale
 * @vcpu: the vCPU; parts of @mask written only partly need tdm_need() first
 * @mask: TDM_ST_*
 */
static inline void tdm_touch(struct tdm_vcpu *vcpu, u32 mask)
{
	vcpu->valid |= mask;
	vcpu->dirty |= mask;
}

static inline u64 tdm_reg(struct tdm_vcpu *vcpu, int reg)
{
	if (reg == TDM_RSP)
		tdm_need(vcpu, TDM_ST_RSP);
	return vcpu->regs.gpr[reg];
}

static inline void tdm_set_reg(struct tdm_vcpu *vcpu, int reg, u64 val)
{
	vcpu->regs.gpr[reg] = val;
	if (reg == TDM_RSP)
		tdm_touch(vcpu, TDM_ST_RSP);
}

static inline bool tdm_long_mode(struct tdm_vcpu *vcpu)
{
	return vcpu->st.efer & (1ull << 10);	/* EFER.LMA */
}

static inline bool tdm_64bit_code(struct tdm_vcpu *vcpu)
{
	if (!tdm_long_mode(vcpu))
		return false;
	tdm_need(vcpu, TDM_ST_CS_SS);
	return vcpu->st.seg[TDM_SEG_CS].ar & TDM_AR_L;
}

/** tdm_cpl() - current privilege level: DPL of SS (SDM vol. 3, 25.4.1) */
static inline int tdm_cpl(struct tdm_vcpu *vcpu)
{
	tdm_need(vcpu, TDM_ST_CS_SS);
	return (vcpu->st.seg[TDM_SEG_SS].ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;
}

static inline void tdm_request(struct tdm_vcpu *vcpu, enum tdm_req req)
{
	/* The data the request speaks of must be visible before the bit is. */
	smp_wmb();
	set_bit(req, &vcpu->requests);
}

static inline bool tdm_take_request(struct tdm_vcpu *vcpu, enum tdm_req req)
{
	if (!(READ_ONCE(vcpu->requests) & (1ul << req)))
		return false;
	clear_bit(req, &vcpu->requests);
	smp_mb__after_atomic();
	return true;
}

#endif /* TDM_VCPU_H */
