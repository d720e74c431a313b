// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR of the guest: the table, the filter, and the accesses the
 * VMM wants to see for itself (KVM_CAP_X86_USER_SPACE_MSR).
 */
#include <asm/apicdef.h>
#include <asm/msr-index.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/trace.h"

#define X2APIC_MSR(reg)	(APIC_BASE_MSR + ((reg) >> 4))
#define ICR_SHORTHAND	0xc0000u
#define INSN_LEN	2	/* both are 0f xx; prefixes only if the engine says so */

static int msr_done(struct tdm_vcpu *vcpu)
{
	tdm_skip_insn(vcpu, vcpu->exit.insn_len ? vcpu->exit.insn_len : INSN_LEN);
	return 1;
}

static void set_edx_eax(struct tdm_vcpu *vcpu, u64 val)
{
	vcpu->regs.gpr[TDM_RAX] = (u32)val;
	vcpu->regs.gpr[TDM_RDX] = val >> 32;
}

static u64 get_edx_eax(const struct tdm_vcpu *vcpu)
{
	return (u32)vcpu->regs.gpr[TDM_RAX] | vcpu->regs.gpr[TDM_RDX] << 32;
}

static int complete_rdmsr(struct tdm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	set_edx_eax(vcpu, READ_ONCE(vcpu->run->msr.data));
	return msr_done(vcpu);
}

static int complete_wrmsr(struct tdm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	return msr_done(vcpu);
}

/* Refused: #GP, or the VMM decides if it asked to for this reason. */
static int msr_refused(struct tdm_vcpu *vcpu, u32 msr, u64 val, bool write, int error,
		       u64 reason)
{
	struct kvm_run *run = vcpu->run;

	trace_tdm_msr(vcpu, write, msr, val, error);
	if (!(READ_ONCE(vcpu->vm->user_msr_mask) & reason)) {
		tdm_stat(vcpu, msr_refused);
		tdm_queue_gp(vcpu);
		return 1;
	}
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	memset(&run->msr, 0, sizeof(run->msr));
	run->msr.reason = reason;
	run->msr.index = msr;
	run->msr.data = val;
	vcpu->complete_userspace = write ? complete_wrmsr : complete_rdmsr;
	return 0;
}

static u64 reason_of(int error)
{
	return error == -ENOENT ? KVM_MSR_EXIT_REASON_UNKNOWN :
				  KVM_MSR_EXIT_REASON_INVAL;
}

/**
 * tdm_rdmsr_exit() - RDMSR at CPL 0
 * @vcpu: loaded vCPU, RIP at the instruction
 *
 * Return: as exit handlers: 1 to resume, 0 for the VMM.
 */
int tdm_rdmsr_exit(struct tdm_vcpu *vcpu)
{
	u32 msr = vcpu->regs.gpr[TDM_RCX];
	u64 val = 0;
	int r;

	if (unlikely(tdm_msr_filtered(vcpu, msr, false)))
		return msr_refused(vcpu, msr, 0, false, -EPERM, KVM_MSR_EXIT_REASON_FILTER);
	r = tdm_msr_get(vcpu, msr, &val, false);
	if (unlikely(r))
		return msr_refused(vcpu, msr, 0, false, r, reason_of(r));
	trace_tdm_msr(vcpu, false, msr, val, 0);
	set_edx_eax(vcpu, val);
	return msr_done(vcpu);
}

/**
 * tdm_wrmsr_exit() - WRMSR at CPL 0
 * @vcpu: loaded vCPU, RIP at the instruction
 *
 * Return: as exit handlers: 1 to resume, 0 for the VMM.
 */
int tdm_wrmsr_exit(struct tdm_vcpu *vcpu)
{
	u32 msr = vcpu->regs.gpr[TDM_RCX];
	u64 val = get_edx_eax(vcpu);
	int r;

	if (unlikely(tdm_msr_filtered(vcpu, msr, true)))
		return msr_refused(vcpu, msr, val, true, -EPERM, KVM_MSR_EXIT_REASON_FILTER);
	r = tdm_msr_set(vcpu, msr, val, false);
	if (unlikely(r))
		return msr_refused(vcpu, msr, val, true, r, reason_of(r));
	trace_tdm_msr(vcpu, true, msr, val, 0);
	return msr_done(vcpu);
}

/* To one CPU, fixed: bounded work. Broadcasts are for the slow path. */
static bool icr_is_simple(u64 icr)
{
	u32 shorthand = icr & ICR_SHORTHAND;

	if ((icr & APIC_MODE_MASK) != APIC_DM_FIXED || (icr & APIC_DEST_LOGICAL))
		return false;
	return shorthand == APIC_DEST_SELF ||
	       (!shorthand && icr >> 32 != 0xffffffff);
}

/**
 * tdm_wrmsr_fast() - the frequent WRMSRs, without leaving the inner loop
 * @vcpu: loaded vCPU, interrupts off
 * @msr: index
 * @val: value
 *
 * Return: true: done, the instruction is to be skipped. False: nothing was
 * done, take the slow path.
 */
bool tdm_wrmsr_fast(struct tdm_vcpu *vcpu, u32 msr, u64 val)
{
	if (!vcpu->lapic)
		return false;
	switch (msr) {
	case MSR_IA32_TSC_DEADLINE:
		if (rcu_access_pointer(vcpu->vm->msr_filter) ||
		    !tdm_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
			return false;
		tdm_lapic_set_deadline(vcpu, val);
		break;
	case X2APIC_MSR(APIC_ICR):
		if (!icr_is_simple(val) || tdm_lapic_msr_set(vcpu, msr, val))
			return false;
		break;
	case X2APIC_MSR(APIC_EOI):
	case X2APIC_MSR(APIC_TASKPRI):
	case X2APIC_MSR(APIC_SELF_IPI):
		/* Out of x2APIC mode, or a bad value: nothing happened. */
		if (tdm_lapic_msr_set(vcpu, msr, val))
			return false;
		break;
	default:
		return false;
	}
	trace_tdm_msr(vcpu, true, msr, val, 0);
	return true;
}

/** tdm_xsetbv_exit() - TDM_EXIT_XSETBV: a register by number, as MSRs are */
int tdm_xsetbv_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u64 *gpr = vcpu->regs.gpr;
	u64 val = (u32)gpr[TDM_RAX] | gpr[TDM_RDX] << 32;

	tdm_stat(vcpu, exit_insn);
	/* CR4.OSXSAVE was checked by the CPU (#UD comes before the exit). */
	if (tdm_cpl(vcpu) || (u32)gpr[TDM_RCX] || tdm_set_xcr0(vcpu, val)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	tdm_skip_insn(vcpu, exit->insn_len);
	return 1;
}
