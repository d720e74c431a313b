/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_GET_STATS_FD: the counters of stats.h as KVM's binary statistics.
 */
#ifndef TDM_STATS_FD_H
#define TDM_STATS_FD_H

#include "arch/x86/vcpu.h"

int tdm_stats_vm_fd(struct tdm_vm *vm);
int tdm_stats_vcpu_fd(struct tdm_vcpu *vcpu);

#endif /* TDM_STATS_FD_H */
