/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPU state as the caller reads and writes it: ioctls and kvm_run.s.regs.
 *
 * All with vcpu->mutex held and the vCPU loaded, FPU not loaded.
 */
#ifndef TDM_IOCTL_STATE_H
#define TDM_IOCTL_STATE_H

#include "arch/x86/vcpu.h"

/* KVM_SET_GUEST_DEBUG flags that work */
#define TDM_GUESTDBG_FLAGS	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | \
				 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP | \
				 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | \
				 KVM_GUESTDBG_BLOCKIRQ)

/* ioctl_regs.c */
void tdm_regs_get(struct tdm_vcpu *vcpu, struct kvm_regs *r);
void tdm_regs_set(struct tdm_vcpu *vcpu, const struct kvm_regs *r);
void tdm_sregs_get(struct tdm_vcpu *vcpu, struct kvm_sregs *s);
int tdm_sregs_set(struct tdm_vcpu *vcpu, const struct kvm_sregs *s);
void tdm_sregs2_get(struct tdm_vcpu *vcpu, struct kvm_sregs2 *s);
int tdm_sregs2_set(struct tdm_vcpu *vcpu, const struct kvm_sregs2 *s);
int tdm_sync_regs_check(const struct kvm_run *run);
void tdm_sync_regs_to_run(struct tdm_vcpu *vcpu);
int tdm_sync_regs_from_run(struct tdm_vcpu *vcpu);

/* ioctl_events.c */
void tdm_events_get(struct tdm_vcpu *vcpu, struct kvm_vcpu_events *e);
int tdm_events_set(struct tdm_vcpu *vcpu, const struct kvm_vcpu_events *e);
int tdm_mp_state_set(struct tdm_vcpu *vcpu, u32 mp_state);
int tdm_user_interrupt(struct tdm_vcpu *vcpu, u32 vector);
int tdm_guest_debug_set(struct tdm_vcpu *vcpu, const struct kvm_guest_debug *dbg);

#endif /* TDM_IOCTL_STATE_H */
