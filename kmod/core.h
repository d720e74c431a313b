/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core's own functions: life of VMs and vCPUs, run loop, events, exits.
 */
#ifndef TDM_CORE_H
#define TDM_CORE_H

#include <linux/file.h>
#include <linux/kvm.h>

#include "arch/x86/cr.h"
#include "arch/x86/dr.h"
#include "arch/x86/vcpu.h"

#define TDM_RUN_PAGES	3	/* struct kvm_run, the port I/O data page, and: */
#define TDM_RING_PAGE	2	/* the VM's ring of coalesced writes */
#define TDM_MCG_CAP_SUPPORTED ((1ull << 8) | (1ull << 24))	/* MCG_CTL_P, MCG_SER_P; as KVM */

/* vm.c */
int tdm_vm_create_fd(unsigned long type);
void tdm_vm_put(struct tdm_vm *vm);
/** tdm_vm_kill() - this VM cannot go on (an invariant broke): say so once, stop its vCPUs. Any context. */
__printf(2, 3) void tdm_vm_kill(struct tdm_vm *vm, const char *fmt, ...);

/* vcpu.c */
int tdm_vcpu_init(void);	/* module load */
void tdm_vcpu_exit(void);
int tdm_vcpu_create(struct tdm_vm *vm, u32 id);
void tdm_vcpu_free(struct tdm_vcpu *vcpu);
void tdm_vcpu_load(struct tdm_vcpu *vcpu);	/* vcpu->mutex held (or not yet visible); preempt notifier; state accessible */
void tdm_vcpu_unload(struct tdm_vcpu *vcpu);
void tdm_vcpu_reset(struct tdm_vcpu *vcpu, bool init);	/* power-up or INIT state; vcpu loaded */
void tdm_vcpu_kick(struct tdm_vcpu *vcpu);	/* any context: out of the guest, and out of HLT */
void tdm_vcpu_nmi(struct tdm_vcpu *vcpu);	/* any context: one NMI more */
void tdm_flush_vcpus(struct tdm_vm *vm);	/* tdm_mmu_client */
struct tdm_vcpu *tdm_vcpu_by_id(struct tdm_vm *vm, u32 id);	/* by APIC ID; RCU-safe, any context */

/* run.c */
int tdm_run(struct tdm_vcpu *vcpu);		/* KVM_RUN */

/* event.c: what an instruction's emulation or an exit handler raises */
void tdm_queue_exception(struct tdm_vcpu *vcpu, u8 vector);
void tdm_queue_exception_error(struct tdm_vcpu *vcpu, u8 vector, u32 error);
void tdm_queue_exception_payload(struct tdm_vcpu *vcpu, u8 vector, bool has_error, u32 error, u64 payload);
void tdm_queue_page_fault(struct tdm_vcpu *vcpu, u64 gva, u32 error);
static inline void tdm_queue_gp(struct tdm_vcpu *vcpu)	{ tdm_queue_exception_error(vcpu, 13, 0); }
static inline void tdm_queue_ud(struct tdm_vcpu *vcpu)	{ tdm_queue_exception(vcpu, 6); }

/* exit.c */
int tdm_handle_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit);	/* 1 resume, 0 to the caller, <0 errno */
/**
 * enum tdm_fast - what became of an exit with interrupts off
 * @TDM_FAST_NO: not done: tdm_handle_exit()
 * @TDM_FAST_DONE: done; nothing to inject can have come of it
 * @TDM_FAST_EVENTS: done; look for events before entering again
 */
enum tdm_fast { TDM_FAST_NO, TDM_FAST_DONE, TDM_FAST_EVENTS };
enum tdm_fast tdm_fast_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
void tdm_skip_insn(struct tdm_vcpu *vcpu, u8 len);	/* RIP += len, shadow and RF cleared, TF -> #DB */

void tdm_insn_done_flags(struct tdm_vcpu *vcpu, u64 before);
int tdm_interpreted_breakpoint(struct tdm_vcpu *vcpu, u64 hits);
void tdm_hypercall(struct tdm_vcpu *vcpu);	/* VMCALL but for RIP */
bool tdm_may_monitor(struct tdm_vcpu *vcpu);	/* MONITOR, MWAIT do nothing; false: #UD */
int tdm_debug_step(struct tdm_vcpu *vcpu, u64 old_rip);
int tdm_internal_error(struct tdm_vcpu *vcpu, u32 suberror, const struct tdm_exit *exit);

/* mem_exit.c, for exit.c's tables */
enum tdm_fast tdm_fast_mmu_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
enum tdm_fast tdm_fast_page_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
int tdm_handle_mmu_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
int tdm_handle_page_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit);

int tdm_xsetbv_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit);	/* msr_exit.c, ditto */

/* engine_exit.c, ditto */
enum tdm_fast tdm_fast_guest_exc(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
int tdm_handle_guest_exc(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
int tdm_handle_engine(struct tdm_vcpu *vcpu, struct tdm_exit *exit);

/* emulate.c */
int tdm_emulate(struct tdm_vcpu *vcpu, const struct tdm_exit *exit);	/* as tdm_handle_exit */
int tdm_emulate_event(struct tdm_vcpu *vcpu, const struct tdm_exit *exit);	/* ev.cur, through the guest's IDT */
#define TDM_INTERPRET_MAX	1000	/* instructions of one TDM_EXIT_EMULATE */
int tdm_interpret(struct tdm_vcpu *vcpu, const struct tdm_exit *exit, unsigned int max);
int tdm_emul_create(struct tdm_vcpu *vcpu);
void tdm_emul_destroy(struct tdm_vcpu *vcpu);

/* ioctl_*.c */
long tdm_vcpu_state_ioctl(struct tdm_vcpu *vcpu, unsigned int cmd, void __user *arg);	/* -ENOIOCTLCMD: not one of them */
long tdm_vm_irq_ioctl(struct tdm_vm *vm, unsigned int cmd, void __user *arg);		/* ditto */
int tdm_check_extension(struct tdm_vm *vm, long ext);	/* vm may be NULL */

/* stats: debugfs.c */
void tdm_debugfs_init(void);
void tdm_debugfs_exit(void);
void tdm_debugfs_vm(struct tdm_vm *vm);
void tdm_debugfs_vcpu(struct tdm_vcpu *vcpu);
void tdm_debugfs_vm_gone(struct tdm_vm *vm);

#endif /* TDM_CORE_H */
