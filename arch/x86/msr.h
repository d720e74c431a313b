/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSRs: one const table; what is not in it is refused (#GP).
 */
#ifndef TDM_MSR_H
#define TDM_MSR_H

#include "arch/x86/vcpu.h"

int tdm_msr_get(struct tdm_vcpu *vcpu, u32 msr, u64 *val, bool host);	/* 0; -EINVAL = #GP; -ENOENT = unknown (#GP or userspace exit) */
int tdm_msr_set(struct tdm_vcpu *vcpu, u32 msr, u64 val, bool host);
long tdm_msr_index_list(struct kvm_msr_list __user *arg, bool features);	/* E2BIG protocol */
long tdm_msr_io(struct tdm_vcpu *vcpu, struct kvm_msrs __user *arg, bool write);	/* KVM_GET/SET_MSRS; vcpu NULL: feature MSRs */
int tdm_msr_set_filter(struct tdm_vm *vm, struct kvm_msr_filter __user *arg);	/* KVM_X86_SET_MSR_FILTER */
bool tdm_msr_filtered(struct tdm_vcpu *vcpu, u32 msr, bool write);	/* true: the guest may not, by the filter */
/* MSRs that need no exit, for the engine's bitmap: filter and table agree, and the engine holds the value */
bool tdm_msr_passthrough(struct tdm_vcpu *vcpu, u32 msr, bool write);
void tdm_msr_reset(struct tdm_vcpu *vcpu, bool init);

#endif /* TDM_MSR_H */
