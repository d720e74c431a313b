/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's CPUID is what the test says. */
#ifndef SHIM_CPUID_H
#define SHIM_CPUID_H

#include <asm/cpufeatures.h>

#include "arch/x86/vcpu.h"

bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature);
u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu);
u64 tdm_cr4_reserved(struct tdm_vcpu *vcpu);
u64 tdm_efer_reserved(struct tdm_vcpu *vcpu);
u64 tdm_xcr0_supported(struct tdm_vcpu *vcpu);
void tdm_cpuid_refresh(struct tdm_vcpu *vcpu);

#endif /* SHIM_CPUID_H */
