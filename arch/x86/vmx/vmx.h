/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit engine's own per-vCPU state, shared by the files of this folder.
 *
 * Reading order: caps.c (can we?), vmxon.c (hardware on, off), vcpu.c (life,
 * load, unload), ctrl.c (controls), sync.c (state to and from the VMCS),
 * enter.c with entry.S (the hot path), exit.c (what happened), event.c
 * (injection), restrict.c (what has to be interpreted), check.c (why an entry was refused), ops.c (the table).
 *
 * Everything here is under vcpu->mutex, touched only by the thread that has
 * the vCPU loaded, except vmcs.cpu and vmcs.launched (see vmcs.h).
 */
#ifndef TDM_VMX_H
#define TDM_VMX_H

#include <asm/processor-flags.h>

#include "arch/x86/host.h"
#include "arch/x86/vcpu.h"
#include "arch/x86/vmx/caps.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/entry.h"
#include "arch/x86/vmx/vmcs.h"

/* tdm_vmx.before: to be done before the next entry */
#define BEFORE_FRESH	BIT(0)	/* interrupts were on: look at the host again */
#define BEFORE_CTLS	BIT(1)	/* windows or base controls changed */
#define BEFORE_FLUSH	BIT(2)	/* this CPU may hold stale translations */
#define BEFORE_ROOT	BIT(3)	/* EPT root or shadow root changed */
#define BEFORE_TIMER	BIT(4)	/* stays set while a deadline is armed */
#define BEFORE_DR	BIT(5)	/* stays set while DR0-3 matter to the guest */
#define BEFORE_MOVED	BIT(6)	/* another CPU: host fields are stale */

/* tdm_vmx.after: to be done after each exit */
#define AFTER_DEBUGCTL	BIT(0)	/* the host's DEBUGCTL is not 0 */
#define AFTER_HOST_BP	BIT(1)	/* the host uses hardware breakpoints */
#define AFTER_DR_SAVE	BIT(2)	/* the guest may write DR0-3, DR6 */

/**
 * struct tdm_vmx - per-vCPU state of the engine
 * @vmcs: first: its first fields are the entry code's
 * @before, @after: BEFORE_*, AFTER_*
 * @valid_after: canonical parts still valid after an exit: RIP, and what the
 *	guest cannot change without exiting
 * @cpu_base: primary controls without windows
 * @cpu_now, @cpu2_now, @pin_now, @entry_now: as in the VMCS
 * @windows: TDM_WINDOW_* requested
 * @msr_owned: canonical parts the guest changes by WRMSR or SWAPGS unseen
 * @tpr_now: TPR threshold in the VMCS
 * @host_cr3, @host_cr4: as in the VMCS
 * @host_debugctl: to be put back after exits
 * @tsc_offset: as in the VMCS
 * @root: EPTP or, with shadow paging, CR3 as in the VMCS; 0 = none yet
 * @deadline: host TSC at which to exit, ~0 = never
 * @cr0_owned, @cr4_owned: bits the guest reads and writes without an exit
 * @queued: event in VM_ENTRY_INTR_INFO while @injected
 * @queued_rf: RFLAGS.RF that @queued is to push (shadow paging only)
 * @dr_granted: MOV DR does not exit for now, the guest's DRs are in hardware
 * @initialised: the VMCS has its constant fields
 * @plain: VMX_EXIT_* flags of exits that need no tdm_vmx_decode()
 * @shadow: (c) shadow paging: no EPT, VPID, unrestricted guest
 * @vpid: 0 = none left, runs untagged
 * @segs: the host's segment state while the guest's is loaded
 * @msr_bitmap: one page
 * @efer: MSR-load areas, NULL where the VMCS has fields for EFER
 */
struct tdm_vmx {
	struct tdm_vmcs vmcs;
	u32 before;
	u32 after;
	u32 valid_after;
	u32 cpu_base;
	u32 cpu_now;
	u32 cpu2_now;
	u32 pin_now;
	u32 entry_now;
	u32 windows;
	u32 msr_owned;
	u8 tpr_now;
	bool injected;
	bool dr_granted;
	bool initialised;
	u8 plain;
	bool shadow;
	u16 vpid;
	unsigned long host_cr3;
	unsigned long host_cr4;
	u64 host_debugctl;
	u64 tsc_offset;
	u64 root;
	u64 deadline;
	u64 cr0_owned;
	u64 cr4_owned;
	struct tdm_event queued;
	u32 queued_rf;
	struct tdm_host_segs segs;
	unsigned long *msr_bitmap;
	struct tdm_vmx_efer *efer;
};

static_assert(offsetof(struct tdm_vmx, vmcs.host_rsp) == VMX_HOST_RSP);
static_assert(offsetof(struct tdm_vmx, vmcs.launched) == VMX_LAUNCHED);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RAX]) == REG_RAX);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RCX]) == REG_RCX);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RDX]) == REG_RDX);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RBX]) == REG_RBX);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RBP]) == REG_RBP);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RSI]) == REG_RSI);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_RDI]) == REG_RDI);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_R8]) == REG_R8);
static_assert(offsetof(struct tdm_vcpu, regs.gpr[TDM_R15]) == REG_R15);
/* The interruptibility field's low bits are ev.int_shadow as they are. */
static_assert(TDM_SHADOW_STI == INTR_BLOCK_STI);
static_assert(TDM_SHADOW_MOV_SS == INTR_BLOCK_MOV_SS);

static inline struct tdm_vmx *to_vmx(struct tdm_vcpu *vcpu)
{
	return vcpu->engine_priv;
}

/* vcpu.c */
int tdm_vmx_vm_init(struct tdm_vm *vm);
void tdm_vmx_vm_destroy(struct tdm_vm *vm);
int tdm_vmx_vcpu_create(struct tdm_vcpu *vcpu);
void tdm_vmx_vcpu_destroy(struct tdm_vcpu *vcpu);
void tdm_vmx_load(struct tdm_vcpu *vcpu, int cpu);
void tdm_vmx_unload(struct tdm_vcpu *vcpu);
void tdm_vmx_prepare(struct tdm_vcpu *vcpu);
void tdm_vmx_to_host(struct tdm_vcpu *vcpu);
void tdm_vmx_load_msrs(struct tdm_vcpu *vcpu);

/* hostfields.c */
void tdm_vmx_host_init(void);
void tdm_vmx_host_moved(void);
void tdm_vmx_host_segs(const struct tdm_host_segs *segs);

/* ctrl.c */
void tdm_vmx_ctrl_init(struct tdm_vcpu *vcpu);
void tdm_vmx_intercepts_changed(struct tdm_vcpu *vcpu);
void tdm_vmx_ctrl_apply(struct tdm_vcpu *vcpu);
void tdm_vmx_set_entry_ctl(struct tdm_vmx *v, u32 bit, bool on);
void tdm_vmx_update_valid_after(struct tdm_vcpu *vcpu);
void tdm_vmx_request_window(struct tdm_vcpu *vcpu, u32 windows);
void tdm_vmx_set_timer(struct tdm_vcpu *vcpu, u64 delta_tsc);

/* efer.c */
int tdm_vmx_efer_create(struct tdm_vmx *v);
void tdm_vmx_efer_destroy(struct tdm_vmx *v);
void tdm_vmx_efer_init(struct tdm_vmx *v);
void tdm_vmx_efer_in(struct tdm_vcpu *vcpu);

/* restrict.c */
bool tdm_vmx_must_emulate(struct tdm_vcpu *vcpu);

/* sync.c */
void tdm_vmx_sync_in(struct tdm_vcpu *vcpu, u32 mask);
void tdm_vmx_sync_out(struct tdm_vcpu *vcpu, u32 mask);

/* enter.c */
void tdm_vmx_enter(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
void tdm_vmx_mmu_root_changed(struct tdm_vcpu *vcpu);
void tdm_vmx_tlb_flush(struct tdm_vcpu *vcpu);
asmlinkage u32 tdm_vmx_run_guest(struct tdm_regs *regs, struct tdm_vmcs *vmcs);
extern const char tdm_vmx_exit_point[];

/* exit.c */

/* tdm_vmx_exit_desc.flags */
#define VMX_EXIT_INSN	BIT(0)	/* of an instruction: length; RFLAGS and shadow, to skip it */
#define VMX_EXIT_QUAL	BIT(1)	/* has an exit qualification */
#define VMX_EXIT_VECT	BIT(2)	/* can cut short the delivery of an event */

/**
 * struct tdm_vmx_exit_desc - how to read an exit
 * @kind: enum tdm_exit_kind; 0 = no entry
 * @flags: VMX_EXIT_*
 */
struct tdm_vmx_exit_desc {
	u8 kind;
	u8 flags;
};

typedef bool (*tdm_vmx_decoder)(struct tdm_vcpu *vcpu, struct tdm_exit *exit);

extern const struct tdm_vmx_exit_desc tdm_vmx_exits[VMX_NR_REASONS];

bool tdm_vmx_decode(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 reason);
void tdm_vmx_decode_odd(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 reason);
const char *tdm_vmx_reason_name(u32 reason);

/* event.c */
void tdm_vmx_inject(struct tdm_vcpu *vcpu, const struct tdm_event *ev);
void tdm_vmx_cancel_injection(struct tdm_vcpu *vcpu);
bool tdm_vmx_requeue(struct tdm_vcpu *vcpu, u32 idt_info);
void tdm_vmx_restore_rf(struct tdm_vcpu *vcpu);
void tdm_vmx_nmi_reblock(struct tdm_vcpu *vcpu);
bool tdm_vmx_irq_allowed(struct tdm_vcpu *vcpu);
bool tdm_vmx_nmi_allowed(struct tdm_vcpu *vcpu);

/* check.c */
void tdm_vmx_explain(struct tdm_vcpu *vcpu, u32 reason, u32 insn_error);

#endif /* TDM_VMX_H */
