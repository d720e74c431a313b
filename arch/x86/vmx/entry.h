/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Offsets the entry code uses; vmx.h asserts that they are right.
 */
#ifndef TDM_VMX_ENTRY_H
#define TDM_VMX_ENTRY_H

#include "arch/x86/regs.h"

/* struct tdm_vmcs */
#define VMX_HOST_RSP	0
#define VMX_LAUNCHED	8

/* VMCS field HOST_RSP */
#define VMX_FIELD_HOST_RSP	0x6c14

/* what tdm_vmx_run_guest() returns */
#define VMX_RUN_EXITED	0
#define VMX_RUN_FAILED	1	/* VMfail: see the VM-instruction error */
#define VMX_RUN_FAULTED	2	/* the instruction faulted: VMX is off */

#endif /* TDM_VMX_ENTRY_H */
