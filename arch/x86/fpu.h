/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest FPU state: swapped with the task's as KVM does, XCR0 included.
 *
 * Between tdm_fpu_load() and tdm_fpu_unload() the guest's state is the task's:
 * context switches save and restore it. Between tdm_fpu_enter() and
 * tdm_fpu_exit() it is in the registers, with the guest's XCR0, XSS and PKRU.
 */
#ifndef TDM_FPU_H
#define TDM_FPU_H

#include "arch/x86/vcpu.h"

int tdm_fpu_create(struct tdm_vcpu *vcpu);
void tdm_fpu_destroy(struct tdm_vcpu *vcpu);
void tdm_fpu_reset(struct tdm_vcpu *vcpu, bool init);
void tdm_fpu_refresh(struct tdm_vcpu *vcpu);
u32 tdm_fpu_pkru(struct tdm_vcpu *vcpu);

void tdm_fpu_load(struct tdm_vcpu *vcpu);
void tdm_fpu_unload(struct tdm_vcpu *vcpu);
void tdm_fpu_enter(struct tdm_vcpu *vcpu);
void tdm_fpu_exit(struct tdm_vcpu *vcpu);

/* Single registers of the running guest, for the emulator; FPU loaded */
void tdm_fpu_get_vec(struct tdm_vcpu *vcpu, unsigned int reg, void *data, unsigned int size);
void tdm_fpu_set_vec(struct tdm_vcpu *vcpu, unsigned int reg, const void *data,
		     unsigned int size, bool zero_upper);
u64 tdm_fpu_get_mmx(struct tdm_vcpu *vcpu, unsigned int reg);
void tdm_fpu_set_mmx(struct tdm_vcpu *vcpu, unsigned int reg, u64 val);

/* The caller's view; FPU not loaded */
int tdm_fpu_get(struct tdm_vcpu *vcpu, struct kvm_fpu *fpu);
int tdm_fpu_set(struct tdm_vcpu *vcpu, const struct kvm_fpu *fpu);
u32 tdm_xsave_area_size(struct tdm_vcpu *vcpu);
int tdm_xsave_get(struct tdm_vcpu *vcpu, void *buf, u32 size);
int tdm_xsave_set(struct tdm_vcpu *vcpu, const void *buf);
int tdm_xcrs_get(struct tdm_vcpu *vcpu, struct kvm_xcrs *x);
int tdm_xcrs_set(struct tdm_vcpu *vcpu, const struct kvm_xcrs *x);

#endif /* TDM_FPU_H */
