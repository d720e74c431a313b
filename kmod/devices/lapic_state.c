// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_LAPIC and KVM_SET_LAPIC: the register page for the caller.
 *
 * Beware: the caller's page is not trusted. Every writable register is cut to
 * its bits; what is computed or fixed is made anew.
 */
#include "kmod/core.h"
#include "kmod/devices/lapic.h"

static_assert(sizeof(struct kvm_lapic_state) == TDM_APIC_REGS_END);

static bool wide_ids(struct tdm_vcpu *vcpu)
{
	return vcpu->vm->x2apic_api & KVM_X2APIC_API_USE_32BIT_IDS;
}

static u32 *state_reg(struct kvm_lapic_state *s, u32 offset)
{
	return (u32 *)(s->regs + offset);
}

static u32 state_val(const struct kvm_lapic_state *s, u32 offset)
{
	return *(const u32 *)(s->regs + offset);
}

/**
 * tdm_lapic_get() - KVM_GET_LAPIC
 * @vcpu: loaded vCPU
 * @s: out
 *
 * Return: 0, -EINVAL without a LAPIC in the kernel.
 */
int tdm_lapic_get(struct tdm_vcpu *vcpu, struct kvm_lapic_state *s)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic)
		return -EINVAL;
	tdm_timers_inject(vcpu);
	memcpy(s->regs, lapic->regs, sizeof(s->regs));
	*state_reg(s, TDM_APIC_PPR) = tdm_lapic_ppr(lapic);
	*state_reg(s, TDM_APIC_TMCCT) = tdm_lapic_timer_current(lapic);
	if (lapic->mode == TDM_LAPIC_X2APIC) {
		*state_reg(s, TDM_APIC_ICR2) = *state_reg(s, TDM_APIC_ICR + 4);
		*state_reg(s, TDM_APIC_ICR + 4) = 0;
		if (!wide_ids(vcpu))
			*state_reg(s, TDM_APIC_ID) <<= 24;
	}
	return 0;
}

/* The registers that software writes, and the vector bitmaps; nothing else is taken. */
static void copy_regs(struct tdm_lapic *lapic, const struct kvm_lapic_state *s)
{
	u32 offset, val;

	for (offset = 0; offset < TDM_APIC_REGS_END; offset += 0x10) {
		val = state_val(s, offset);
		if (offset >= TDM_APIC_ISR && offset < TDM_APIC_ESR)
			tdm_lapic_set_reg(lapic, offset, val);
		else if (tdm_lapic_writable(offset))
			tdm_lapic_set_reg(lapic, offset, val & tdm_lapic_writable(offset));
	}
	tdm_lapic_set_reg(lapic, TDM_APIC_DFR,
			  tdm_lapic_reg(lapic, TDM_APIC_DFR) | 0x0fffffff);
	tdm_lapic_set_reg(lapic, TDM_APIC_ESR, state_val(s, TDM_APIC_ESR) & 0xff);
}

static void fix_x2_regs(struct tdm_lapic *lapic, const struct kvm_lapic_state *s)
{
	u32 id = tdm_lapic_x2_id(lapic);

	tdm_lapic_set_reg(lapic, TDM_APIC_ID, id);
	tdm_lapic_set_reg(lapic, TDM_APIC_LDR, tdm_apic_x2_ldr(id));
	tdm_lapic_set_reg(lapic, TDM_APIC_ICR + 4, state_val(s, TDM_APIC_ICR2));
}

/**
 * tdm_lapic_set() - KVM_SET_LAPIC
 * @vcpu: loaded vCPU; its IA32_APIC_BASE has been set before, it says the format
 * @s: any content
 *
 * Return: 0; -EINVAL without a LAPIC in the kernel, or for another's x2APIC ID.
 */
int tdm_lapic_set(struct tdm_vcpu *vcpu, const struct kvm_lapic_state *s)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic)
		return -EINVAL;
	if (lapic->mode == TDM_LAPIC_X2APIC && wide_ids(vcpu) &&
	    state_val(s, TDM_APIC_ID) != tdm_lapic_x2_id(lapic))
		return -EINVAL;

	tdm_lapic_timer_stop(lapic);
	copy_regs(lapic, s);
	if (lapic->mode == TDM_LAPIC_X2APIC)
		fix_x2_regs(lapic, s);
	lapic->esr = 0;
	WRITE_ONCE(lapic->sw_enabled,
		   tdm_lapic_reg(lapic, TDM_APIC_SVR) & TDM_APIC_SVR_ENABLED);
	tdm_lapic_lvt0_changed(lapic);
	tdm_lapic_recount(lapic);
	tdm_apic_map_update(lapic);
	tdm_lapic_timer_restore(lapic, state_val(s, TDM_APIC_TMCCT));
	tdm_request(vcpu, TDM_REQ_EVENT);
	tdm_request(vcpu, TDM_REQ_APIC_PAGE);
	return 0;
}
