/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSR table's own types, for the files arch/x86/msr*.c only.
 */
#ifndef TDM_MSR_INT_H
#define TDM_MSR_INT_H

#include <asm/msr-index.h>

#include "arch/x86/msr.h"

/* struct tdm_msr.flags */
#define MSR_F_SAVE	BIT(0)	/* in KVM_GET_MSR_INDEX_LIST: part of a vCPU's state */
#define MSR_F_FEATURE	BIT(1)	/* in KVM_GET_MSR_FEATURE_INDEX_LIST */
#define MSR_F_RO	BIT(2)	/* the guest may only read it */
#define MSR_F_CANONICAL	BIT(3)	/* must hold a canonical address */
#define MSR_F_DIRECT_R	BIT(4)	/* the engine may let the guest read the hardware's */
#define MSR_F_DIRECT_W	BIT(5)	/* ... and write it: the hardware checks as we do */
#define MSR_F_INTEL	BIT(6)	/* only Intel's processors have it */
#define MSR_F_AMD	BIT(7)	/* only AMD's */

/**
 * struct tdm_msr - one MSR or a range of them
 * @first: index
 * @last: last index of the range
 * @name: as in the manuals
 * @feature: X86_FEATURE_* a guest must have; 0 = none
 * @flags: MSR_F_*
 * @offset: in struct tdm_state, for msr_get_plain() and msr_set_plain()
 * @parts: TDM_ST_* the value belongs to
 * @reserved: bits the guest and the caller may not set
 * @get: read; NULL = refuse
 * @set: write a value already checked against @reserved and @flags; NULL = refuse
 */
struct tdm_msr {
	u32 first;
	u32 last;
	const char *name;
	u16 feature;
	u16 flags;
	u16 offset;
	u32 parts;
	u64 reserved;
	int (*get)(struct tdm_vcpu *vcpu, const struct tdm_msr *m, u32 msr,
		   u64 *val, bool host);
	int (*set)(struct tdm_vcpu *vcpu, const struct tdm_msr *m, u32 msr,
		   u64 val, bool host);
};

#define MSR_GETTER(name) \
	int name(struct tdm_vcpu *vcpu, const struct tdm_msr *m, u32 msr, u64 *val, bool host)
#define MSR_SETTER(name) \
	int name(struct tdm_vcpu *vcpu, const struct tdm_msr *m, u32 msr, u64 val, bool host)

MSR_GETTER(msr_get_tsc);
MSR_SETTER(msr_set_tsc);
MSR_SETTER(msr_set_tsc_adjust);
MSR_GETTER(msr_get_tsc_deadline);
MSR_SETTER(msr_set_tsc_deadline);
MSR_GETTER(msr_get_mtrr_cap);
MSR_GETTER(msr_get_mtrr_var);
MSR_SETTER(msr_set_mtrr_var);
MSR_GETTER(msr_get_mtrr_fixed);
MSR_SETTER(msr_set_mtrr_fixed);
MSR_SETTER(msr_set_mtrr_def);
MSR_SETTER(msr_set_pat);
MSR_GETTER(msr_get_mcg_ctl);
MSR_SETTER(msr_set_mcg_ctl);
MSR_GETTER(msr_get_mci);
MSR_SETTER(msr_set_mci);
MSR_GETTER(msr_get_wall_clock);
MSR_SETTER(msr_set_wall_clock);
MSR_GETTER(msr_get_system_time);
MSR_SETTER(msr_set_system_time);
MSR_GETTER(msr_get_steal_time);
MSR_SETTER(msr_set_steal_time);
void msr_pv_reset(struct tdm_vcpu *vcpu);
void msr_mtrr_reset(struct tdm_vcpu *vcpu);
void msr_mce_reset(struct tdm_vcpu *vcpu);

#endif /* TDM_MSR_INT_H */
