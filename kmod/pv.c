// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest that knows KVM's paravirtual interface finds in its own memory:
 * kvmclock (time as a function of its TSC) and steal time.
 *
 * The VM's clock is a straight line through one pair of host TSC and
 * nanoseconds; KVM_GET_CLOCK and all vCPUs use the same, so they never differ.
 * It is offered only where the host's TSC is stable (cpuid_offer.c).
 *
 * Everything is written by the vCPU's own thread before it enters the guest.
 * Beware: the guest says where. A place without memory is its own loss.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <asm/kvm_para.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>

#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/pv.h"
#include "shadow_mmu/mmu.h"

static_assert(sizeof(struct pvclock_vcpu_time_info) == 32);
static_assert(sizeof(struct pvclock_wall_clock) == 12);

/* ---- the line ---- */

/*
 * ns = (ticks shifted by @shift) * @mul / 2^32, with as many bits in @mul as there
 * are. @khz of the TSC, not 0.
 */
static void line_slope(u32 khz, u32 *mul, s8 *shift)
{
	u64 num = USEC_PER_SEC, den = khz;
	s8 s = 0;

	while (num >= den) {
		den <<= 1;
		s++;
	}
	while (2 * num < den) {
		num <<= 1;
		s--;
	}
	*mul = div64_u64(num << 32, den);
	*shift = s;
}

static u64 ticks_to_ns(u64 ticks)
{
	u32 mul;
	s8 shift;

	line_slope(tsc_khz, &mul, &shift);
	if (shift < 0)
		ticks >>= -shift;
	else
		ticks <<= shift;
	return mul_u64_u32_shr(ticks, mul, 32);
}

static struct tdm_clock read_clock(struct tdm_vm *vm)
{
	struct tdm_clock clock;
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	clock = vm->clock;
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	return clock;
}

/* vCPUs have nothing before their first WRMSR; after that they hear of changes. */
static void tell_all(struct tdm_vm *vm)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;

	tdm_for_each_vcpu(vm, i, vcpu) {
		if (!(READ_ONCE(vcpu->pv.system_time) & KVM_MSR_ENABLED))
			continue;
		tdm_request(vcpu, TDM_REQ_CLOCK);
		tdm_vcpu_kick(vcpu);
	}
}

/**
 * tdm_clock_ns() - the VM's clock
 * @vm: the VM
 * @tsc: out: the host's TSC at that moment; 0: it is not stable, and the clock
 *	 is the host's boottime clock
 *
 * Return: nanoseconds.
 */
u64 tdm_clock_ns(struct tdm_vm *vm, u64 *tsc)
{
	struct tdm_clock clock = read_clock(vm);

	*tsc = rdtsc_ordered();
	/* Behind where it was: the host slept, and its TSC began anew. */
	if (likely(!check_tsc_unstable() && *tsc >= clock.tsc))
		return clock.ns + ticks_to_ns(*tsc - clock.tsc);
	*tsc = 0;
	return clock.ns + ktime_get_boottime_ns() - clock.boot;
}

/**
 * tdm_clock_set() - set the VM's clock, and tell its vCPUs
 * @vm: the VM
 * @ns: what it shows now
 */
void tdm_clock_set(struct tdm_vm *vm, u64 ns)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	vm->clock = (struct tdm_clock){
		.tsc = rdtsc_ordered(), .boot = ktime_get_boottime_ns(), .ns = ns,
	};
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	tell_all(vm);
}

/* ---- kvmclock ---- */

/*
 * One vCPU's reading is good for all if their TSCs agree. Should that change,
 * those that were told otherwise must hear of it.
 */
static bool tscs_agree(struct tdm_vm *vm, u64 offset)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;
	bool agree = true;

	tdm_for_each_vcpu(vm, i, vcpu)
		agree &= READ_ONCE(vcpu->st.tsc_offset) == offset;
	if (xchg(&vm->tscs_differ, !agree) != !agree)
		tell_all(vm);
	return agree;
}

/*
 * The version is odd while the rest is being written (pvclock-abi.h). Everything
 * behind it is written in one go, the version alone before and after.
 */
static int write_versioned(struct tdm_vm *vm, u64 gpa, u32 version, const void *rest,
			   u64 at, size_t len, u64 version_at)
{
	u32 odd = version - 1;
	int r;

	r = tdm_write_gpa(vm, gpa + version_at, &odd, sizeof(odd));
	smp_wmb();
	r = r ? r : tdm_write_gpa(vm, gpa + at, rest, len);
	smp_wmb();
	return r ? r : tdm_write_gpa(vm, gpa + version_at, &version, sizeof(version));
}

/* Versions as the guest sees them are even and grow. */
static u32 next_version(u32 *version)
{
	*version += 2;
	return *version;
}

static void write_system_time(struct tdm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.system_time & ~(u64)KVM_MSR_ENABLED;
	struct tdm_clock clock = read_clock(vcpu->vm);
	struct pvclock_vcpu_time_info info = {
		.tsc_timestamp = clock.tsc + vcpu->st.tsc_offset,
		.system_time = clock.ns,
	};

	line_slope(tsc_khz, &info.tsc_to_system_mul, &info.tsc_shift);
	if (tscs_agree(vcpu->vm, vcpu->st.tsc_offset))
		info.flags |= PVCLOCK_TSC_STABLE_BIT;
	if (vcpu->pv.stopped)
		info.flags |= PVCLOCK_GUEST_STOPPED;
	vcpu->pv.stopped = false;
	write_versioned(vcpu->vm, gpa, next_version(&vcpu->pv.clock_version),
			&info.pad0, offsetof(typeof(info), pad0),
			sizeof(info) - offsetof(typeof(info), pad0),
			offsetof(typeof(info), version));
}

/* When the VM's clock was 0, in the host's wall-clock time. */
static void write_wall_clock(struct tdm_vm *vm, u64 gpa)
{
	u64 tsc, ns = ktime_get_real_ns() - tdm_clock_ns(vm, &tsc);
	struct pvclock_wall_clock wc;
	u32 rem;

	wc.sec = div_u64_rem(ns, NSEC_PER_SEC, &rem);
	wc.nsec = rem;
	write_versioned(vm, gpa, 2, &wc.sec, offsetof(typeof(wc), sec),
			sizeof(wc) - offsetof(typeof(wc), sec), 0);
}

/**
 * tdm_pv_clock() - TDM_REQ_CLOCK: write what the guest reads time from
 * @vcpu: its own thread calls, may sleep
 */
void tdm_pv_clock(struct tdm_vcpu *vcpu)
{
	if (vcpu->pv.system_time & KVM_MSR_ENABLED)
		write_system_time(vcpu);
	if (vcpu->pv.wall_clock_asked) {
		vcpu->pv.wall_clock_asked = false;
		write_wall_clock(vcpu->vm, READ_ONCE(vcpu->vm->wall_clock));
	}
}

/**
 * tdm_pv_stopped() - KVM_KVMCLOCK_CTRL: the guest was stopped by its user
 * @vcpu: the vCPU
 *
 * Its watchdogs learn that it was not their CPU that hung.
 *
 * Return: 0; -EINVAL if the guest does not use kvmclock.
 */
int tdm_pv_stopped(struct tdm_vcpu *vcpu)
{
	if (!(vcpu->pv.system_time & KVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->pv.stopped = true;
	tdm_request(vcpu, TDM_REQ_CLOCK);
	return 0;
}

/* ---- steal time ---- */

/* Another thread than before has waited for other things. */
static u64 waited_since(struct tdm_vcpu *vcpu)
{
	u64 now = current->sched_info.run_delay, before = vcpu->pv.run_delay;
	bool same = vcpu->pv.thread == task_pid_nr(current);

	vcpu->pv.thread = task_pid_nr(current);
	vcpu->pv.run_delay = now;
	return same ? now - before : 0;
}

/**
 * tdm_pv_steal() - TDM_REQ_STEAL: how long the vCPU waited for a CPU of the host
 * @vcpu: its own thread calls, may sleep
 */
void tdm_pv_steal(struct tdm_vcpu *vcpu)
{
	u64 gpa = vcpu->pv.steal_time & ~(u64)KVM_MSR_ENABLED;
	struct kvm_steal_time told = { };

	if (!(vcpu->pv.steal_time & KVM_MSR_ENABLED))
		return;
	vcpu->pv.stolen += waited_since(vcpu);
	told.steal = vcpu->pv.stolen;
	told.version = next_version(&vcpu->pv.steal_version);
	write_versioned(vcpu->vm, gpa, told.version, &told.steal, 0,
			sizeof(told.steal), offsetof(typeof(told), version));
}
