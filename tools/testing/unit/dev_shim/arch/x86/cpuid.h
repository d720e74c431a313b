/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's CPUID is what the test says in struct dev_machine. */
#ifndef DEV_CPUID_H
#define DEV_CPUID_H

#include "arch/x86/vcpu.h"

bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature);
u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu);
void tdm_cpuid_refresh(struct tdm_vcpu *vcpu);

#endif /* DEV_CPUID_H */
