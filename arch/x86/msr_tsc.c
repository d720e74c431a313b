// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's time-stamp counter: host TSC plus an offset.
 *
 * Two writers mean two things. A guest that writes TSC or TSC_ADJUST moves its
 * own counter, and both registers show it (SDM vol. 3, 17.17.3). The VMM sets
 * where a vCPU's counter stands, which TSC_ADJUST does not show; values that
 * nearly agree between vCPUs are made to agree exactly.
 *
 * Must not scale: a guest's TSC runs at the host's rate.
 */
#include <linux/math64.h>
#include <linux/ktime.h>
#include <asm/tsc.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/msr_check.h"
#include "arch/x86/msr_int.h"
#include "kmod/devices/irq.h"

/* A TSC rate this close to the host's is the host's: KVM's tolerance, in 1/10^6 */
#define TSC_TOLERANCE_PPM	250

/**
 * tdm_tsc_set_offset() - set the offset the guest's TSC has from the host's
 * @vcpu: loaded vCPU
 * @offset: guest TSC minus host TSC
 */
void tdm_tsc_set_offset(struct tdm_vcpu *vcpu, u64 offset)
{
	vcpu->st.tsc_offset = offset;
	tdm_lapic_tsc_changed(vcpu);
	tdm_request(vcpu, TDM_REQ_CLOCK);
}

/**
 * tdm_tsc_host_write() - the VMM sets a vCPU's TSC
 * @vcpu: loaded vCPU
 * @tsc: value now; a value that fits the other vCPUs joins them exactly
 */
void tdm_tsc_host_write(struct tdm_vcpu *vcpu, u64 tsc)
{
	struct tdm_vm *vm = vcpu->vm;
	unsigned long flags;
	u64 offset, ns, elapsed;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	ns = ktime_get_boottime_ns();
	offset = tsc - rdtsc();
	if (vm->last_tsc_ns && !check_tsc_unstable()) {
		elapsed = mul_u64_u32_div(ns - vm->last_tsc_ns, tsc_khz, NSEC_PER_MSEC);
		if (tdm_tsc_synchronises(tsc, vm->last_tsc_write, elapsed,
					 (u64)tsc_khz * 1000))
			offset = vm->last_tsc_offset;
	}
	vm->last_tsc_ns = ns;
	vm->last_tsc_write = tsc;
	vm->last_tsc_offset = offset;
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	tdm_tsc_set_offset(vcpu, offset);
}

/**
 * tdm_tsc_set_khz() - KVM_SET_TSC_KHZ
 * @vcpu: loaded vCPU
 * @khz: rate wanted; 0 = the host's
 *
 * Return: 0; -EINVAL for a rate that is not the host's.
 */
int tdm_tsc_set_khz(struct tdm_vcpu *vcpu, u32 khz)
{
	u64 diff;

	if (khz) {
		diff = khz > tsc_khz ? khz - tsc_khz : tsc_khz - khz;
		if (diff * 1000000 > (u64)tsc_khz * TSC_TOLERANCE_PPM)
			return -EINVAL;
	}
	vcpu->tsc_khz = khz ? khz : tsc_khz;
	return 0;
}

MSR_GETTER(msr_get_tsc)
{
	*val = tdm_tsc_read(vcpu);
	return 0;
}

static void guest_moves_tsc(struct tdm_vcpu *vcpu, u64 by)
{
	tdm_tsc_set_offset(vcpu, vcpu->st.tsc_offset + by);
	vcpu->st.tsc_adjust += by;
}

MSR_SETTER(msr_set_tsc)
{
	if (host)
		tdm_tsc_host_write(vcpu, val);
	else
		guest_moves_tsc(vcpu, val - tdm_tsc_read(vcpu));
	return 0;
}

MSR_SETTER(msr_set_tsc_adjust)
{
	if (host)
		vcpu->st.tsc_adjust = val;
	else
		guest_moves_tsc(vcpu, val - vcpu->st.tsc_adjust);
	return 0;
}

MSR_GETTER(msr_get_tsc_deadline)
{
	if (!vcpu->lapic && !host)
		return -EINVAL;
	*val = vcpu->lapic ? tdm_lapic_get_deadline(vcpu) : 0;
	return 0;
}

MSR_SETTER(msr_set_tsc_deadline)
{
	if (!vcpu->lapic)
		return host && !val ? 0 : -EINVAL;
	tdm_lapic_set_deadline(vcpu, val);
	return 0;
}
