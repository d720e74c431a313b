/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvmclock and steal time, see pv.c; their MSRs are in arch/x86/msr_pv.c.
 */
#ifndef TDM_PV_H
#define TDM_PV_H

#include "arch/x86/vcpu.h"

u64 tdm_clock_ns(struct tdm_vm *vm, u64 *tsc);
void tdm_clock_set(struct tdm_vm *vm, u64 ns);
void tdm_pv_clock(struct tdm_vcpu *vcpu);	/* TDM_REQ_CLOCK */
void tdm_pv_steal(struct tdm_vcpu *vcpu);	/* TDM_REQ_STEAL */
int tdm_pv_stopped(struct tdm_vcpu *vcpu);	/* KVM_KVMCLOCK_CTRL */

#endif /* TDM_PV_H */
