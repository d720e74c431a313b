// SPDX-License-Identifier: GPL-2.0-only
/*
 * IA32_EFER in the guest.
 *
 * CPUs with the "load IA32_EFER" controls have fields for it. Others keep the
 * host's while the guest runs, except that the entry sets LMA and LME from its
 * "IA-32e mode guest" control and the exit sets both. What differs then goes
 * through the MSR-load areas: only SCE can, and only in IA-32e mode, because
 * Intel's SYSCALL does not exist outside it. Beware: without them a guest that
 * has SCE clear would reach the host's LSTAR.
 */
#include <linux/slab.h>
#include <asm/io.h>
#include <asm/msr.h>

#include "arch/x86/vmx/vmx.h"

/* An entry of an MSR-load area (SDM vol. 3, table 24-12) */
struct msr_entry {
	u32 index, zero;
	u64 val;
};

/** struct tdm_vmx_efer - areas of one entry each; 16-byte aligned by kmalloc's rule for powers of two */
struct tdm_vmx_efer {
	struct msr_entry guest;
	struct msr_entry host;
};
static_assert(sizeof(struct tdm_vmx_efer) == 32);

/** tdm_vmx_efer_create() - memory for the areas, where they are needed. 0 or -ENOMEM */
int tdm_vmx_efer_create(struct tdm_vmx *v)
{
	if (tdm_vmx_loads_efer())
		return 0;
	v->efer = kzalloc(sizeof(*v->efer), GFP_KERNEL_ACCOUNT);
	if (!v->efer)
		return -ENOMEM;
	v->efer->guest.index = MSR_EFER;
	v->efer->host.index = MSR_EFER;
	return 0;
}

void tdm_vmx_efer_destroy(struct tdm_vmx *v)
{
	kfree(v->efer);
}

/** tdm_vmx_efer_init() - fields of a new VMCS */
void tdm_vmx_efer_init(struct tdm_vmx *v)
{
	if (!v->efer)
		return;
	vmcs_write64(VMCS_ENTRY_MSR_LOAD_ADDR, virt_to_phys(&v->efer->guest));
	vmcs_write64(VMCS_EXIT_MSR_LOAD_ADDR, virt_to_phys(&v->efer->host));
}

/*
 * What the hardware runs with. Shadow paging: paging is always on, so LME has to
 * be what LMA is; and the shadow tables use NX whatever the guest's tables do.
 */
static u64 hw_efer(const struct tdm_vmx *v, u64 efer, u64 host)
{
	if (!v->shadow)
		return efer;
	efer &= ~(u64)EFER_LME;
	if (efer & EFER_LMA)
		efer |= EFER_LME;
	return efer | (host & EFER_NX);
}

/** tdm_vmx_efer_in() - st.efer is new; the entry control IA-32e is set by the caller */
void tdm_vmx_efer_in(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 host, efer;
	u32 count;

	rdmsrl(MSR_EFER, host);
	efer = hw_efer(v, vcpu->st.efer, host);
	if (!v->efer) {
		vmcs_write64(VMCS_GUEST_EFER, efer);
		return;
	}
	count = (efer & EFER_LMA) && ((efer ^ host) & EFER_SCE);
	v->efer->guest.val = efer;
	v->efer->host.val = host;
	vmcs_write32(VMCS_ENTRY_MSR_LOAD_COUNT, count);
	vmcs_write32(VMCS_EXIT_MSR_LOAD_COUNT, count);
}
