// SPDX-License-Identifier: GPL-2.0-only
#include <linux/printk.h>
#include "arch/x86/vmx/vmx.h"
void tdm_vmx_explain(struct tdm_vcpu *vcpu, u32 reason, u32 insn_error)
{
	pr_err_ratelimited("tandem: VM entry refused: reason 0x%x, error %u\n", reason, insn_error);
}
