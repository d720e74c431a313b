// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: injection, and what an exit cut short (SDM vol. 3, 24.8.3, 26.6,
 * 27.2.4).
 *
 * Priorities and #DF merging are the core's. NMI blocking is the processor's
 * virtual one: injecting an NMI sets it, the guest's IRET clears it.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "arch/x86/vmx/vmx.h"

static bool is_software(u8 type)
{
	return type >= TDM_EV_SOFT_INT;
}

static void unblock_nmi(void)
{
	u32 intr = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

	if (intr & INTR_BLOCK_NMI)
		vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, intr & ~INTR_BLOCK_NMI);
}

/*
 * Events that push RF as it was and reach the guest by injection alone, since
 * they always exit.
 */
static bool rf_is_ours(const struct tdm_event *ev)
{
	return ev->type == TDM_EV_IRQ || ev->type == TDM_EV_NMI ||
	       (ev->type == TDM_EV_EXC &&
		(ev->vector == X86_TRAP_DB || ev->vector == X86_TRAP_MC));
}

/** tdm_vmx_inject() - tdm_engine_ops.inject */
void tdm_vmx_inject(struct tdm_vcpu *vcpu, const struct tdm_event *ev)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u32 info = ev->vector | (u32)ev->type << INTR_TYPE_SHIFT | INTR_VALID;

	/* Real mode pushes no error codes. PE never changes unseen. */
	if (ev->has_error && (vcpu->st.cr0 & X86_CR0_PE)) {
		info |= INTR_ERROR_VALID;
		vmcs_write32(VMCS_ENTRY_INTR_ERROR, ev->error);
	}
	if (is_software(ev->type))
		vmcs_write32(VMCS_ENTRY_INSN_LEN, ev->insn_len);
	/* The entry itself blocks NMIs when it delivers one, and wants them open. */
	if (ev->type == TDM_EV_NMI)
		unblock_nmi();
	vmcs_write32(VMCS_ENTRY_INTR_INFO, info);
	v->queued = *ev;
	v->injected = true;
	if (v->shadow && rf_is_ours(ev)) {
		tdm_need(vcpu, TDM_ST_RFLAGS);
		v->queued_rf = vcpu->regs.rflags & X86_EFLAGS_RF;
	}
	/*
	 * A #DB exit in an STI or MOV SS shadow took "pending BS" away, which
	 * the entry wants there when RFLAGS.TF is set: recompute.
	 */
	if (ev->vector == X86_TRAP_DB && ev->type == TDM_EV_EXC) {
		tdm_need(vcpu, TDM_ST_SHADOW);
		vcpu->dirty |= TDM_ST_SHADOW;
	}
}

/** tdm_vmx_cancel_injection() - tdm_engine_ops.cancel_injection */
void tdm_vmx_cancel_injection(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (!v->injected)
		return;
	v->injected = false;
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
	vcpu->ev.cur = v->queued;
	vcpu->ev.cur_valid = true;
}

/**
 * tdm_vmx_requeue() - an event whose delivery the exit cut short
 * @vcpu: just exited
 * @idt_info: IDT-vectoring information
 *
 * Return: true if there was one; it is in ev.cur.
 */
bool tdm_vmx_requeue(struct tdm_vcpu *vcpu, u32 idt_info)
{
	struct tdm_event *ev = &vcpu->ev.cur;

	if (likely(!(idt_info & INTR_VALID)))
		return false;
	*ev = (struct tdm_event){
		.type = (idt_info & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT,
		.vector = idt_info & INTR_VECTOR_MASK,
	};
	if (idt_info & INTR_ERROR_VALID) {
		ev->has_error = true;
		ev->error = vmcs_read32(VMCS_IDT_VECTORING_ERROR);
	}
	if (is_software(ev->type))
		ev->insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	/* It was not delivered: NMIs are not blocked by it yet. */
	if (ev->type == TDM_EV_NMI)
		unblock_nmi();
	vcpu->ev.cur_valid = true;
	return true;
}

/**
 * tdm_vmx_restore_rf() - undo what a #PF exit did to RFLAGS.RF
 * @vcpu: just exited; the delivery of ev.cur was cut short by the #PF
 *
 * The exit saved RF = 1, which is right for the #PF, but would go into the frame
 * of the event when that is delivered again (27.3.3; EPT violations save the
 * event's). INT n, INT3 and INTO push 0, faults 1, the others what was injected.
 */
void tdm_vmx_restore_rf(struct tdm_vcpu *vcpu)
{
	const struct tdm_event *ev = &vcpu->ev.cur;
	u64 rf = 0;

	if (rf_is_ours(ev))
		rf = to_vmx(vcpu)->queued_rf;
	else if (!is_software(ev->type))
		return;
	if (!rf)
		vmcs_writen(VMCS_GUEST_RFLAGS,
			    vmcs_readn(VMCS_GUEST_RFLAGS) & ~(u64)X86_EFLAGS_RF);
}

/**
 * tdm_vmx_nmi_reblock() - the exit hit an IRET that had unblocked NMIs already
 * @vcpu: just exited, no event was being delivered
 *
 * The IRET will run again, and must find NMIs blocked as it did.
 */
void tdm_vmx_nmi_reblock(struct tdm_vcpu *vcpu)
{
	u32 intr = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

	vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, intr | INTR_BLOCK_NMI);
}

/** tdm_vmx_irq_allowed() - tdm_engine_ops.irq_allowed */
bool tdm_vmx_irq_allowed(struct tdm_vcpu *vcpu)
{
	tdm_need(vcpu, TDM_ST_RFLAGS | TDM_ST_SHADOW);
	return (vcpu->regs.rflags & X86_EFLAGS_IF) && !vcpu->ev.int_shadow;
}

/*
 * tdm_engine_ops.nmi_allowed. Not in an STI shadow either: some processors
 * fail the entry otherwise (26.3.1.5).
 */
bool tdm_vmx_nmi_allowed(struct tdm_vcpu *vcpu)
{
	tdm_need(vcpu, TDM_ST_SHADOW);
	return !vcpu->ev.nmi_masked && !vcpu->ev.int_shadow;
}
