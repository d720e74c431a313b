/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what the host could offer a guest, and what a guest was given.
 */
#ifndef TDM_CPUID_H
#define TDM_CPUID_H

#include "arch/x86/vcpu.h"

int tdm_cpuid_supported(struct kvm_cpuid2 __user *arg, unsigned int cmd);	/* KVM_GET_SUPPORTED_CPUID / EMULATED */
int tdm_cpuid_set(struct tdm_vcpu *vcpu, const struct kvm_cpuid2 *hdr, struct kvm_cpuid_entry2 __user *entries);
int tdm_cpuid_set_v1(struct tdm_vcpu *vcpu, const struct kvm_cpuid *hdr, struct kvm_cpuid_entry __user *entries);
int tdm_cpuid_get(struct tdm_vcpu *vcpu, struct kvm_cpuid2 *hdr, struct kvm_cpuid_entry2 __user *entries);
void tdm_cpuid_free(struct tdm_vcpu *vcpu);
/* executes CPUID for the guest: eax, ecx in; all four out. Constant time (indexed), IRQs may be off. */
void tdm_cpuid_exec(struct tdm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
void tdm_cpuid_refresh(struct tdm_vcpu *vcpu);	/* CR4.OSXSAVE/OSPKE, XCR0, APIC base, MISC_ENABLE changed */
/* cached facts about this guest's CPUID, all valid once CPUID is set (defaults before: nothing) */
bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature);	/* X86_FEATURE_* number */
u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu);
u64 tdm_cr4_reserved(struct tdm_vcpu *vcpu);	/* bits the guest may not set */
u64 tdm_efer_reserved(struct tdm_vcpu *vcpu);
u64 tdm_xcr0_supported(struct tdm_vcpu *vcpu);

#endif /* TDM_CPUID_H */
