/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_IRQ_H
#define SHIM_IRQ_H

#include "arch/x86/vcpu.h"

void tdm_lapic_set_tpr(struct tdm_vcpu *vcpu, u64 tpr);
u64 tdm_lapic_get_tpr(struct tdm_vcpu *vcpu);

#endif /* SHIM_IRQ_H */
