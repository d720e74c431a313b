// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory exits: nested faults under EPT, page faults under shadow paging. The
 * MMU decides what each one is; here is what follows from it.
 */
#include "kmod/core.h"
#include "kmod/trace.h"
#include "shadow_mmu/mmu.h"

/** tdm_fast_mmu_fault() - TDM_EXIT_MMU_FAULT with interrupts off */
enum tdm_fast tdm_fast_mmu_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (tdm_mmu_fault_fast(vcpu, exit->mmu.gpa, exit->mmu.access) != TDM_MMU_RESUME)
		return TDM_FAST_NO;
	tdm_stat(vcpu, exit_mmu_fault);
	/* An event cut short by the fault goes in again. */
	return vcpu->ev.cur_valid ? TDM_FAST_EVENTS : TDM_FAST_DONE;
}

/** tdm_handle_mmu_fault() - TDM_EXIT_MMU_FAULT */
int tdm_handle_mmu_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	int r = tdm_mmu_fault(vcpu, exit->mmu.gpa, exit->mmu.access);

	if (r == TDM_MMU_RESUME) {
		tdm_stat(vcpu, exit_mmu_fault);
		return 1;
	}
	if (r < 0)
		return r;
	tdm_stat(vcpu, exit_mmio);
	/* An event cut short by MMIO cannot be delivered by emulation. */
	if (vcpu->ev.cur_valid)
		return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, exit);
	return tdm_emulate(vcpu, exit);
}

/** tdm_fast_page_fault() - TDM_EXIT_PAGE_FAULT with interrupts off */
enum tdm_fast tdm_fast_page_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_page_fault pf;
	int r = tdm_shadow_fault_fast(vcpu, exit->pf.gva, exit->pf.error, &pf);

	if (r >= 0)
		trace_tdm_page_fault(vcpu, exit->pf.gva, exit->pf.error, r);
	switch (r) {
	case TDM_MMU_RESUME:
		tdm_stat(vcpu, exit_page_fault);
		/* An event cut short by the fault goes in again. */
		return vcpu->ev.cur_valid ? TDM_FAST_EVENTS : TDM_FAST_DONE;
	case TDM_MMU_TRUE_FAULT:
		tdm_stat(vcpu, exit_page_fault);
		tdm_queue_page_fault(vcpu, pf.gva, pf.error);
		return TDM_FAST_EVENTS;
	case TDM_MMU_MMIO:
		tdm_stat(vcpu, exit_mmio);
		exit->pf.emulate = true;
		return TDM_FAST_NO;
	case TDM_MMU_EMULATE:
		exit->pf.emulate = true;
		return TDM_FAST_NO;
	default:
		return TDM_FAST_NO;
	}
}

/** tdm_handle_page_fault() - TDM_EXIT_PAGE_FAULT */
int tdm_handle_page_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_page_fault pf;
	int r;

	tdm_stat(vcpu, exit_page_fault);
	if (exit->pf.emulate) {
		r = TDM_MMU_EMULATE;
	} else {
		r = tdm_shadow_fault(vcpu, exit->pf.gva, exit->pf.error, &pf);
		if (r >= 0)
			trace_tdm_page_fault(vcpu, exit->pf.gva, exit->pf.error, r);
	}
	switch (r) {
	case TDM_MMU_RESUME:
		return 1;
	case TDM_MMU_TRUE_FAULT:
		tdm_queue_page_fault(vcpu, pf.gva, pf.error);
		return 1;
	case TDM_MMU_MMIO:
		tdm_stat(vcpu, exit_mmio);
		break;
	case TDM_MMU_EMULATE:
		break;
	default:
		return r;
	}
	/* Or it was an event's delivery that touched what is traced, or a device. */
	return vcpu->ev.cur_valid ? tdm_emulate_event(vcpu, exit) : tdm_emulate(vcpu, exit);
}
