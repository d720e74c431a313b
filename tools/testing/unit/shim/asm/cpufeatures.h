/* SPDX-License-Identifier: GPL-2.0-only */
/* The numbers are the test's own. */
#ifndef SHIM_CPUFEATURES_H
#define SHIM_CPUFEATURES_H

/* The kernel has these by way of others. */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#define X86_FEATURE_PSE36	0
#define X86_FEATURE_GBPAGES	1
#define X86_FEATURE_CX16	2
#define X86_FEATURE_PCID	3
#define X86_FEATURE_LA57	4
#define X86_FEATURE_FSGSBASE	5

#endif /* SHIM_CPUFEATURES_H */
