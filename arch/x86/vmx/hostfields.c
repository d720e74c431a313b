// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host-state area of the VMCS: where an exit lands.
 *
 * Three lifetimes: constant for the kernel (init), per CPU (moved), per thread
 * and entry (segs here, CR3 and CR4 in enter.c).
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "arch/x86/vmx/vmx.h"

static u64 read_msr(u32 msr)
{
	u64 val;

	rdmsrl(msr, val);
	return val;
}

/**
 * tdm_vmx_host_init() - fields that are the same on every CPU, for good
 */
void tdm_vmx_host_init(void)
{
	vmcs_writen(VMCS_HOST_CR0, native_read_cr0());
	vmcs_write16(VMCS_HOST_CS_SEL, __KERNEL_CS);
	vmcs_write16(VMCS_HOST_SS_SEL, __KERNEL_DS);
	vmcs_write16(VMCS_HOST_TR_SEL, GDT_ENTRY_TSS * 8);
	/* Userspace's may have RPL 3, which an exit cannot load: host.c restores them. */
	vmcs_write16(VMCS_HOST_DS_SEL, 0);
	vmcs_write16(VMCS_HOST_ES_SEL, 0);
	vmcs_write16(VMCS_HOST_FS_SEL, 0);
	vmcs_write16(VMCS_HOST_GS_SEL, 0);
	vmcs_write32(VMCS_HOST_SYSENTER_CS, read_msr(MSR_IA32_SYSENTER_CS));
	vmcs_writen(VMCS_HOST_SYSENTER_EIP, read_msr(MSR_IA32_SYSENTER_EIP));
	if (tdm_vmx_has_pat_fields())
		vmcs_write64(VMCS_HOST_PAT, read_msr(MSR_IA32_CR_PAT));
	if (tdm_vmx_loads_efer())
		vmcs_write64(VMCS_HOST_EFER, read_msr(MSR_EFER));
	vmcs_writen(VMCS_HOST_RIP, (unsigned long)tdm_vmx_exit_point);
}

/**
 * tdm_vmx_host_moved() - fields that belong to this CPU
 */
void tdm_vmx_host_moved(void)
{
	struct desc_ptr gdt, idt;

	native_store_gdt(&gdt);
	store_idt(&idt);
	vmcs_writen(VMCS_HOST_GDTR_BASE, gdt.address);
	vmcs_writen(VMCS_HOST_IDTR_BASE, idt.address);
	vmcs_writen(VMCS_HOST_TR_BASE,
		    (unsigned long)&get_cpu_entry_area(raw_smp_processor_id())->tss.x86_tss);
	vmcs_writen(VMCS_HOST_GS_BASE, read_msr(MSR_GS_BASE));
	vmcs_writen(VMCS_HOST_SYSENTER_ESP, read_msr(MSR_IA32_SYSENTER_ESP));
}

/**
 * tdm_vmx_host_segs() - the thread's FS base, which the kernel keeps loaded
 * @segs: as saved by tdm_host_segs_save()
 */
void tdm_vmx_host_segs(const struct tdm_host_segs *segs)
{
	vmcs_writen(VMCS_HOST_FS_BASE, segs->fs_base);
}
