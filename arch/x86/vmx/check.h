/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry checks: helpers shared by the files that re-check them.
 */
#ifndef TDM_VMX_CHECK_H
#define TDM_VMX_CHECK_H

#include <asm/processor.h>

#include "arch/x86/vmx/vmx.h"

/* A rule of the SDM: when it does not hold, the field is to blame. */
#define RULE(holds, field, text)					\
	do {								\
		if (!(holds))						\
			tdm_vmx_broken_rule(#field,			\
					    vmcs_read_raw(VMCS_##field), text); \
	} while (0)

void tdm_vmx_broken_rule(const char *field, u64 val, const char *text);
void tdm_vmx_check_guest(void);

static inline bool check_phys(u64 addr)
{
	return !(addr >> boot_cpu_data.x86_phys_bits);
}

/* Four-level addresses; with LA57 in the CPU the checks allow 57 bits. */
static inline bool check_canonical(u64 addr)
{
	int shift = boot_cpu_has(X86_FEATURE_LA57) ? 7 : 16;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

static inline bool check_fixed(u64 val, u64 must, u64 may)
{
	return (val & must) == must && !(val & ~may);
}

static inline bool check_pat(u64 pat)
{
	int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type == 2 || type == 3 || type > 7)
			return false;
	}
	return true;
}

#endif /* TDM_VMX_CHECK_H */
