/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSRs: one const table; what is not in it is refused (#GP).
 */
#ifndef TDM_MSR_H
#define TDM_MSR_H

#include <linux/kvm.h>
#include <asm/msr.h>

#include "arch/x86/vcpu.h"

#define TDM_MCE_BANKS	32

int tdm_msr_init(void);

/*
 * 0; -EINVAL: #GP, the register is there but refuses; -ENOENT: #GP, there is no
 * such register. @host: access by the caller, not by the guest.
 */
int tdm_msr_get(struct tdm_vcpu *vcpu, u32 msr, u64 *val, bool host);
int tdm_msr_set(struct tdm_vcpu *vcpu, u32 msr, u64 val, bool host);
void tdm_msr_reset(struct tdm_vcpu *vcpu, bool init);
bool tdm_msr_passthrough(struct tdm_vcpu *vcpu, u32 msr, bool write);

/* ioctls; vcpu NULL: the feature MSRs of the system fd */
long tdm_msr_index_list(struct kvm_msr_list __user *arg, bool features);
long tdm_msr_io(struct tdm_vcpu *vcpu, struct kvm_msrs __user *arg, bool write);

/* msr_filter.c */
int tdm_msr_set_filter(struct tdm_vm *vm, struct kvm_msr_filter __user *arg);
void tdm_msr_filter_free(struct tdm_vm *vm);
bool tdm_msr_filtered(struct tdm_vcpu *vcpu, u32 msr, bool write);

/* msr_tsc.c */
void tdm_tsc_host_write(struct tdm_vcpu *vcpu, u64 tsc);
int tdm_tsc_set_khz(struct tdm_vcpu *vcpu, u32 khz);
void tdm_tsc_set_offset(struct tdm_vcpu *vcpu, u64 offset);

/** tdm_tsc_read() - the guest's TSC now */
static inline u64 tdm_tsc_read(const struct tdm_vcpu *vcpu)
{
	return rdtsc() + vcpu->st.tsc_offset;
}

/* msr_mce.c */
u64 tdm_mce_cap_supported(void);
int tdm_mce_setup(struct tdm_vcpu *vcpu, u64 mcg_cap);
int tdm_mce_inject(struct tdm_vcpu *vcpu, const struct kvm_x86_mce *mce);

/* kmod/msr_exit.c: the instructions, as exit handlers */
int tdm_rdmsr_exit(struct tdm_vcpu *vcpu);
int tdm_wrmsr_exit(struct tdm_vcpu *vcpu);
bool tdm_wrmsr_fast(struct tdm_vcpu *vcpu, u32 msr, u64 val);

#endif /* TDM_MSR_H */
