// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest does to its translations: loads CR3, flushes, invalidates.
 *
 * Under EPT all that is the processor's business, and the core only has to
 * flush what an emulated instruction would have flushed.
 */
#include "shadow_mmu/internal.h"

/**
 * tdm_mmu_guest_flush() - the guest flushed its TLB or changed how it translates
 * @vcpu: loaded vCPU; its registers are new already
 * @what: TDM_FLUSH_*
 */
void tdm_mmu_guest_flush(struct tdm_vcpu *vcpu, u32 what)
{
	if (vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW) {
		vcpu->mmu.pending |= what;
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
		return;
	}
	if (what & (TDM_FLUSH_CR3 | TDM_FLUSH_ALL))
		tdm_request(vcpu, TDM_REQ_TLB_FLUSH);
}

void tdm_mmu_guest_invlpg(struct tdm_vcpu *vcpu, u64 gva)
{
	tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
}

void tdm_mmu_guest_invpcid(struct tdm_vcpu *vcpu, u64 type, u64 pcid, u64 gva)
{
	tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
}
