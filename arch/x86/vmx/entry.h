/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Offsets the entry code uses; vmx.h asserts that they are right.
 */
#ifndef TDM_VMX_ENTRY_H
#define TDM_VMX_ENTRY_H

/* struct tdm_regs */
#define REG_RAX		0
#define REG_RCX		8
#define REG_RDX		16
#define REG_RBX		24
#define REG_RBP		40
#define REG_RSI		48
#define REG_RDI		56
#define REG_R8		64
#define REG_R9		72
#define REG_R10		80
#define REG_R11		88
#define REG_R12		96
#define REG_R13		104
#define REG_R14		112
#define REG_R15		120

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
