/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest FPU state: swapped with the task's as KVM does, XCR0 included.
 */
#ifndef TDM_FPU_H
#define TDM_FPU_H

#include "arch/x86/vcpu.h"

int tdm_fpu_create(struct tdm_vcpu *vcpu);
void tdm_fpu_destroy(struct tdm_vcpu *vcpu);
void tdm_fpu_reset(struct tdm_vcpu *vcpu, bool init);
void tdm_fpu_load(struct tdm_vcpu *vcpu);	/* guest FPU becomes current's; KVM_RUN entry */
void tdm_fpu_unload(struct tdm_vcpu *vcpu);	/* before returning to userspace */
/* right around enter(), IRQs off: FPU registers really loaded (return from a context switch), XCR0/XSS/PKRU to guest's and back; cheap when equal */
void tdm_fpu_enter(struct tdm_vcpu *vcpu);
void tdm_fpu_exit(struct tdm_vcpu *vcpu);
int tdm_fpu_get(struct tdm_vcpu *vcpu, struct kvm_fpu *fpu);
int tdm_fpu_set(struct tdm_vcpu *vcpu, const struct kvm_fpu *fpu);
int tdm_xsave_get(struct tdm_vcpu *vcpu, struct kvm_xsave *x);
int tdm_xsave_set(struct tdm_vcpu *vcpu, const struct kvm_xsave *x);
int tdm_xcrs_get(struct tdm_vcpu *vcpu, struct kvm_xcrs *x);
int tdm_xcrs_set(struct tdm_vcpu *vcpu, const struct kvm_xcrs *x);

#endif /* TDM_FPU_H */
