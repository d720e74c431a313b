/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX operation per CPU: VMXON with the first VM, VMXOFF with the last.
 */
#ifndef TDM_VMX_VMXON_H
#define TDM_VMX_VMXON_H

#include "arch/x86/host.h"

extern const struct tdm_host_hw tdm_vmx_hw;

int tdm_vmx_get(struct tdm_why *why);
void tdm_vmx_put(void);

#endif /* TDM_VMX_VMXON_H */
