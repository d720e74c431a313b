// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's paravirtual MSRs: where a guest wants its clock and its steal time.
 *
 * A write only notes the place; kmod/pv.c writes there before the guest runs
 * again. A guest has them only if its CPUID says so, whatever
 * KVM_CAP_ENFORCE_PV_FEATURE_CPUID says: elsewhere these are no registers.
 */
#include <asm/kvm_para.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/msr_int.h"

#define SIGNATURE_EBX	0x4b4d564b	/* "KVMK", "VMKV", "M" */
#define SIGNATURE_ECX	0x564b4d56
#define SIGNATURE_EDX	0x4d

static bool has_pv(struct tdm_vcpu *vcpu, unsigned int feature)
{
	u32 eax = KVM_CPUID_SIGNATURE, ebx, ecx = 0, edx;

	tdm_cpuid_exec(vcpu, &eax, &ebx, &ecx, &edx);
	if (ebx != SIGNATURE_EBX || ecx != SIGNATURE_ECX || edx != SIGNATURE_EDX)
		return false;
	eax = KVM_CPUID_FEATURES;
	ecx = 0;
	tdm_cpuid_exec(vcpu, &eax, &ebx, &ecx, &edx);
	return eax & BIT(feature);
}

static unsigned int feature_of(u32 msr)
{
	switch (msr) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_SYSTEM_TIME:
		return KVM_FEATURE_CLOCKSOURCE;
	case MSR_KVM_STEAL_TIME:
		return KVM_FEATURE_STEAL_TIME;
	default:
		return KVM_FEATURE_CLOCKSOURCE2;
	}
}

static int exists(struct tdm_vcpu *vcpu, u32 msr, bool host)
{
	return host || has_pv(vcpu, feature_of(msr)) ? 0 : -ENOENT;
}

/* The old and the new number of each are one register. */

MSR_GETTER(msr_get_wall_clock)
{
	*val = READ_ONCE(vcpu->vm->wall_clock);
	return exists(vcpu, msr, host);
}

MSR_SETTER(msr_set_wall_clock)
{
	int r = exists(vcpu, msr, host);

	if (r)
		return r;
	WRITE_ONCE(vcpu->vm->wall_clock, val);
	vcpu->pv.wall_clock_asked = !!val;
	tdm_request(vcpu, TDM_REQ_CLOCK);
	return 0;
}

MSR_GETTER(msr_get_system_time)
{
	*val = vcpu->pv.system_time;
	return exists(vcpu, msr, host);
}

MSR_SETTER(msr_set_system_time)
{
	int r = exists(vcpu, msr, host);

	if (r)
		return r;
	WRITE_ONCE(vcpu->pv.system_time, val);
	tdm_request(vcpu, TDM_REQ_CLOCK);
	return 0;
}

MSR_GETTER(msr_get_steal_time)
{
	*val = vcpu->pv.steal_time;
	return exists(vcpu, msr, host);
}

MSR_SETTER(msr_set_steal_time)
{
	int r = exists(vcpu, msr, host);

	if (r)
		return r;
	WRITE_ONCE(vcpu->pv.steal_time, val);
	tdm_request(vcpu, TDM_REQ_STEAL);
	return 0;
}

/** msr_pv_reset() - power-up: the guest has not said where */
void msr_pv_reset(struct tdm_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->pv.system_time, 0);
	WRITE_ONCE(vcpu->pv.steal_time, 0);
	vcpu->pv.wall_clock_asked = false;
}
