/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the CPU's VMX can do, and the control bits chosen from it.
 *
 * Filled once by tdm_vmx_caps_init(), constant afterwards.
 */
#ifndef TDM_VMX_CAPS_H
#define TDM_VMX_CAPS_H

#include <linux/types.h>

#include "arch/x86/vmx/controls.h"

struct tdm_why;

/**
 * struct tdm_vmx_caps - capabilities
 * @basic, @misc, @ept_vpid: the capability MSRs as they are
 * @pin, @cpu, @cpu2, @exit, @entry: controls every vCPU starts with: what is
 *	needed, plus what is wanted and there, plus the bits that must be 1
 * @pin_may, @cpu_may, @cpu2_may, @exit_may, @entry_may: allowed-1 settings
 * @pin_must ...: allowed-0 settings (bits that must be 1)
 * @cr0_fixed0, ...: bits that must be 1 (fixed0), may be 1 (fixed1)
 * @no_ept: what EPT mode lacks on this CPU, NULL = nothing
 * @mmu_modes: BIT(enum tdm_mmu_mode) of what works
 * @timer_shift: preemption timer ticks are TSC ticks >> this; 0xff = no timer
 */
struct tdm_vmx_caps {
	u64 basic, misc, ept_vpid;
	u32 pin, cpu, cpu2, exit, entry;
	u32 pin_may, cpu_may, cpu2_may, exit_may, entry_may;
	u32 pin_must, cpu_must, cpu2_must, exit_must, entry_must;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	const char *no_ept;
	u32 mmu_modes;
	u8 timer_shift;
};

extern struct tdm_vmx_caps tdm_vmx_caps;

int tdm_vmx_caps_init(struct tdm_why *why);
int tdm_vmx_cpu_usable(struct tdm_why *why);
bool tdm_vmx_cpu_matches(void);
int tdm_vmx_probe(struct tdm_why *why);
u32 tdm_vmx_mmu_modes(struct tdm_why *why);

static inline bool tdm_vmx_has_timer(void)
{
	return tdm_vmx_caps.timer_shift != 0xff;
}

/* The field and its loading exist; if not, EFER goes through the MSR areas. */
static inline bool tdm_vmx_loads_efer(void)
{
	return tdm_vmx_caps.entry & ENTRY_LOAD_EFER;
}

static inline bool tdm_vmx_has_pat_fields(void)
{
	return tdm_vmx_caps.entry_may & ENTRY_LOAD_PAT;
}

static inline bool tdm_vmx_has_cpu2(void)
{
	return tdm_vmx_caps.cpu_may & CPU_SECONDARY;
}

#endif /* TDM_VMX_CAPS_H */
