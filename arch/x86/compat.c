// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of compat.h needs KVM's own in-kernel types, kept away from everything
 * else.
 *
 * xfer_to_guest_mode_handle_work() writes run->exit_reason and a counter of
 * the vCPU it is given when a signal is pending. All our vCPUs share one that
 * nobody reads: the races on it are harmless.
 */
#include <linux/kvm_host.h>

#include "arch/x86/compat.h"

static struct kvm_run scratch_run;
static struct kvm_vcpu scratch_vcpu = { .run = &scratch_run };

struct kvm_vcpu *const tdm_scratch_kvm_vcpu = &scratch_vcpu;
