/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values the architecture allows in MSRs; pure, also built by the unit tests.
 */
#ifndef TDM_MSR_CHECK_H
#define TDM_MSR_CHECK_H

#include "arch/x86/emul/port.h"

/** tdm_canonical() - is the address sign-extended from @bits (48 or 57)? */
static inline bool tdm_canonical(u64 addr, unsigned int bits)
{
	return (u64)((s64)(addr << (64 - bits)) >> (64 - bits)) == addr;
}

/* Memory types by number (SDM vol. 3, 12.3): UC, WC, WT, WP, WB; UC- in PAT only */
#define TDM_MTRR_TYPES	0x73u
#define TDM_PAT_TYPES	0xf3u

static inline bool tdm_types_valid(u64 val, unsigned int bytes, u32 types)
{
	unsigned int i, type;

	for (i = 0; i < bytes; i++) {
		type = val >> (i * 8) & 0xff;
		if (type > 7 || !(types & (1u << type)))
			return false;
	}
	return true;
}

/** tdm_pat_valid() - IA32_PAT: eight memory types */
static inline bool tdm_pat_valid(u64 val)
{
	return tdm_types_valid(val, 8, TDM_PAT_TYPES);
}

/** tdm_mtrr_fixed_valid() - a fixed-range MTRR: eight memory types */
static inline bool tdm_mtrr_fixed_valid(u64 val)
{
	return tdm_types_valid(val, 8, TDM_MTRR_TYPES);
}

/** tdm_mtrr_def_valid() - IA32_MTRR_DEF_TYPE: type, FE, E; the rest reserved */
static inline bool tdm_mtrr_def_valid(u64 val)
{
	return !(val & ~0xcffull) && tdm_types_valid(val, 1, TDM_MTRR_TYPES);
}

/** tdm_mtrr_var_valid() - variable range: @mask false for PHYSBASE, true for PHYSMASK */
static inline bool tdm_mtrr_var_valid(u64 val, bool mask, unsigned int maxphyaddr)
{
	if (maxphyaddr < 64 && val >> maxphyaddr)
		return false;
	if (mask)
		return !(val & 0x7ff);
	return !(val & 0xf00) && tdm_types_valid(val, 1, TDM_MTRR_TYPES);
}

/* What IA32_MCi_CTL takes: all or nothing; some guests clear bit 0 or bit 10. */
static inline bool tdm_mci_ctl_valid(u64 val)
{
	return !val || (val | (1u << 10) | 1u) == ~0ull;
}

/**
 * tdm_tsc_synchronises() - does this write mean "the same as the others"?
 * @tsc: value written by the VMM
 * @last_tsc: what it wrote last, to any vCPU of the VM
 * @elapsed: TSC ticks since then
 * @hz: ticks a second
 *
 * A VMM that sets vCPUs one after the other to one value wants them in step;
 * within a second of where the last one is now is taken for that. So is 0, the
 * value of a vCPU made later.
 */
static inline bool tdm_tsc_synchronises(u64 tsc, u64 last_tsc, u64 elapsed, u64 hz)
{
	u64 expected = last_tsc + elapsed;

	return !tsc || (tsc < expected + hz && tsc + hz > expected);
}

#endif /* TDM_MSR_CHECK_H */
