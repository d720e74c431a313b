// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exit engine's table of operations: the engine as the core sees it.
 */
#include <linux/seq_file.h>

#include "arch/x86/vmx/vmx.h"
#include "arch/x86/vmx/vmxon.h"
#include "uapi/tandem.h"

static void vmx_dump(struct tdm_vcpu *vcpu, struct seq_file *m)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	seq_printf(m, "vmcs 0x%llx cpu %d launched %u vpid %u mmu %s root 0x%llx\n",
		   v->vmcs.phys, v->vmcs.cpu, v->vmcs.launched, v->vpid,
		   v->shadow ? "shadow" : "ept", v->root);
	tdm_vmcs_dump(m);
}

const struct tdm_engine_ops tdm_vmx_ops = {
	.name			= "vmx",
	.id			= TDM_ENGINE_VMX,
	.probe			= tdm_vmx_probe,
	.get			= tdm_vmx_get,
	.put			= tdm_vmx_put,
	.emergency_off		= tdm_host_hw_emergency_off,
	.vm_init		= tdm_vmx_vm_init,
	.vm_destroy		= tdm_vmx_vm_destroy,
	.vcpu_create		= tdm_vmx_vcpu_create,
	.vcpu_destroy		= tdm_vmx_vcpu_destroy,
	.load			= tdm_vmx_load,
	.unload			= tdm_vmx_unload,
	.sync_out		= tdm_vmx_sync_out,
	.sync_in		= tdm_vmx_sync_in,
	.prepare		= tdm_vmx_prepare,
	.to_host		= tdm_vmx_to_host,
	.enter			= tdm_vmx_enter,
	.inject			= tdm_vmx_inject,
	.cancel_injection	= tdm_vmx_cancel_injection,
	.request_window		= tdm_vmx_request_window,
	.irq_allowed		= tdm_vmx_irq_allowed,
	.nmi_allowed		= tdm_vmx_nmi_allowed,
	.mmu_modes		= tdm_vmx_mmu_modes,
	.must_emulate		= tdm_vmx_must_emulate,
	.mmu_root_changed	= tdm_vmx_mmu_root_changed,
	.tlb_flush		= tdm_vmx_tlb_flush,
	.intercepts_changed	= tdm_vmx_intercepts_changed,
	.set_timer		= tdm_vmx_set_timer,
	.dump			= vmx_dump,
};
