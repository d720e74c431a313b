// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAT and MTRRs: stored and checked as the processor does.
 *
 * They have no further effect: guest memory is the host's write-back memory,
 * and devices are emulated, so no type could be observed.
 */
#include "arch/x86/cpuid.h"
#include "arch/x86/msr_check.h"
#include "arch/x86/msr_int.h"

#define MTRR_NR_VAR	8
/* IA32_MTRRCAP: eight variable ranges, fixed ranges, WC; no SMRR */
#define MTRR_CAP	(MTRR_NR_VAR | BIT_ULL(8) | BIT_ULL(10))

static_assert(sizeof_field(struct tdm_state, mtrr_var) == MTRR_NR_VAR * 2 * sizeof(u64));

/* st.mtrr_fixed[] in the order of the MSRs: 1 of 64K, 2 of 16K, 8 of 4K */
static int fixed_slot(u32 msr)
{
	switch (msr) {
	case MSR_MTRRfix64K_00000:
		return 0;
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return 1 + msr - MSR_MTRRfix16K_80000;
	default:
		return 3 + ((msr - MSR_MTRRfix4K_C0000) & 7);
	}
}

MSR_GETTER(msr_get_mtrr_cap)
{
	*val = MTRR_CAP;
	return 0;
}

MSR_GETTER(msr_get_mtrr_var)
{
	*val = vcpu->st.mtrr_var[(msr - m->first) & (MTRR_NR_VAR * 2 - 1)];
	return 0;
}

MSR_SETTER(msr_set_mtrr_var)
{
	u32 i = (msr - m->first) & (MTRR_NR_VAR * 2 - 1);

	if (!tdm_mtrr_var_valid(val, i & 1, tdm_maxphyaddr(vcpu)))
		return -EINVAL;
	vcpu->st.mtrr_var[i] = val;
	return 0;
}

MSR_GETTER(msr_get_mtrr_fixed)
{
	*val = vcpu->st.mtrr_fixed[fixed_slot(msr)];
	return 0;
}

MSR_SETTER(msr_set_mtrr_fixed)
{
	if (!tdm_mtrr_fixed_valid(val))
		return -EINVAL;
	vcpu->st.mtrr_fixed[fixed_slot(msr)] = val;
	return 0;
}

MSR_SETTER(msr_set_mtrr_def)
{
	if (!tdm_mtrr_def_valid(val))
		return -EINVAL;
	vcpu->st.mtrr_def = val;
	return 0;
}

MSR_SETTER(msr_set_pat)
{
	if (!tdm_pat_valid(val))
		return -EINVAL;
	vcpu->st.pat = val;
	tdm_touch(vcpu, TDM_ST_PAT);
	return 0;
}

void msr_mtrr_reset(struct tdm_vcpu *vcpu)
{
	struct tdm_state *st = &vcpu->st;

	st->mtrr_def = 0;
	memset(st->mtrr_fixed, 0, sizeof(st->mtrr_fixed));
	memset(st->mtrr_var, 0, sizeof(st->mtrr_var));
	st->pat = 0x0007040600070406ull;	/* SDM vol. 3, 12.12.4 */
}
