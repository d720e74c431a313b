/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of asm headers that kmod/devices uses; feature numbers are the test's. */
#ifndef DEV_REGS_H
#define DEV_REGS_H

#include "dev_kernel.h"

#define APIC_DEFAULT_PHYS_BASE		0xfee00000
#define MSR_IA32_APICBASE_BSP		(1 << 8)
#define X2APIC_ENABLE			(1ul << 10)
#define MSR_IA32_APICBASE_ENABLE	(1 << 11)
#define X86_FEATURE_X2APIC		1
#define X86_FEATURE_TSC_DEADLINE_TIMER	2

#endif /* DEV_REGS_H */
