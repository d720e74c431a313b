// SPDX-License-Identifier: GPL-2.0-only
/*
 * The APIC timer: one-shot, periodic, TSC-deadline.
 *
 * The count is never counted, only computed. The host's timer says that it
 * came due; the vCPU's own thread makes that an interrupt and sets the host's
 * timer for the next period: so the host has no more timer interrupts than the
 * guest makes exits.
 *
 * All but the callback runs in the vCPU's thread, perhaps with interrupts off.
 */
#include <linux/ktime.h>

#include <asm/tsc.h>

#include "arch/x86/compat.h"
#include "kmod/core.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/trace.h"

/* Periodic interrupts do not come closer than this; as KVM. */
#define MIN_INTERVAL_NS		(200 * NSEC_PER_USEC)

static u32 lvtt_type(struct tdm_lapic *lapic)
{
	return tdm_lapic_reg(lapic, TDM_APIC_LVTT) & TDM_APIC_LVTT_TYPE;
}

static bool masked(struct tdm_lapic *lapic)
{
	return tdm_lapic_reg(lapic, TDM_APIC_LVTT) & TDM_APIC_LVT_MASKED;
}

static u32 divisor(struct tdm_lapic *lapic)
{
	return tdm_apic_divisor(tdm_lapic_reg(lapic, TDM_APIC_TDCR));
}

/* Nanoseconds, that is bus clocks, of one run of the count. */
static u64 period(struct tdm_lapic *lapic)
{
	return (u64)tdm_lapic_reg(lapic, TDM_APIC_TMICT) * divisor(lapic);
}

/* How far ahead the host's timer is set for a deadline; it is looked at again then. */
#define MAX_AHEAD_MS	(24ull * 3600 * 1000)

static bool deadline_passed(const struct tdm_lapic_timer *t)
{
	return rdtsc_ordered() + t->tsc_offset >= t->deadline;
}

/* Host time at which the guest's TSC gets to the deadline; may be a bit early. */
static u64 deadline_ns(const struct tdm_lapic_timer *t)
{
	u64 now_ns = ktime_get_ns();
	u64 now = rdtsc_ordered() + t->tsc_offset;
	u64 delta = t->deadline > now ? t->deadline - now : 0;
	u64 ms = delta / tsc_khz;

	if (ms > MAX_AHEAD_MS)
		return now_ns + MAX_AHEAD_MS * NSEC_PER_MSEC;
	return now_ns + ms * NSEC_PER_MSEC +
	       delta % tsc_khz * NSEC_PER_MSEC / tsc_khz + 1;
}

static void start_host_timer(struct tdm_lapic *lapic, u64 ns)
{
	hrtimer_start(&lapic->timer.hrt, ns_to_ktime(ns),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

static enum hrtimer_restart timer_callback(struct hrtimer *hrt)
{
	struct tdm_lapic_timer *t = container_of(hrt, struct tdm_lapic_timer, hrt);
	struct tdm_lapic *lapic = container_of(t, struct tdm_lapic, timer);

	/* The host's clock may run ahead of the TSC a little. */
	if (t->deadline && !deadline_passed(t)) {
		hrtimer_set_expires(hrt, ns_to_ktime(deadline_ns(t)));
		return HRTIMER_RESTART;
	}
	WRITE_ONCE(t->pending, 1);
	tdm_vcpu_kick(lapic->vcpu);
	return HRTIMER_NORESTART;
}

/* The host's timer for what the registers say now; it is not running. */
static void arm(struct tdm_lapic *lapic)
{
	struct tdm_lapic_timer *t = &lapic->timer;
	struct tdm_vcpu *vcpu = lapic->vcpu;

	t->deadline = 0;
	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE) {
		t->deadline = vcpu->st.tsc_deadline;
		t->tsc_offset = vcpu->st.tsc_offset;
		if (t->deadline)
			start_host_timer(lapic, deadline_ns(t));
		return;
	}
	/* A masked timer counts on, and nobody need be told when it ends. */
	if (t->expiry_ns && !masked(lapic))
		start_host_timer(lapic, t->expiry_ns);
}

/*
 * First end of a period after @now. Periods shorter than MIN_INTERVAL_NS are
 * served every so many times only: were the next tick due before the exits for
 * this one are over, the guest would never get further.
 */
static u64 next_period(u64 start, u64 p, u64 now)
{
	if (p < MIN_INTERVAL_NS)
		p *= DIV_ROUND_UP(MIN_INTERVAL_NS, p);
	return start + ((now - start) / p + 1) * p;
}

/* First expiry after @now; 0 if there is none. */
static u64 next_expiry(struct tdm_lapic *lapic, u64 now)
{
	u64 start = lapic->timer.start_ns, p = period(lapic);

	if (!p)
		return 0;
	switch (lvtt_type(lapic)) {
	case TDM_APIC_LVTT_ONESHOT:
		return start + p > now ? start + p : 0;
	case TDM_APIC_LVTT_PERIODIC:
		return next_period(start, p, now);
	default:
		return 0;
	}
}

static void cancel(struct tdm_lapic *lapic)
{
	hrtimer_cancel(&lapic->timer.hrt);
}

/* Before the guest changes the timer: what came due earlier is an interrupt. */
static void settle(struct tdm_lapic *lapic)
{
	cancel(lapic);
	tdm_timers_inject(lapic->vcpu);
	cancel(lapic);
}

static void restart(struct tdm_lapic *lapic, u64 start_ns, u64 now)
{
	lapic->timer.start_ns = start_ns;
	lapic->timer.expiry_ns = next_expiry(lapic, now);
	arm(lapic);
}

void tdm_lapic_timer_init(struct tdm_lapic *lapic)
{
	tdm_hrtimer_setup(&lapic->timer.hrt, timer_callback, CLOCK_MONOTONIC,
			  HRTIMER_MODE_ABS_PINNED_HARD);
}

/** tdm_lapic_timer_stop() - reset or end: nothing will come due, nothing is pending */
void tdm_lapic_timer_stop(struct tdm_lapic *lapic)
{
	cancel(lapic);
	lapic->timer.expiry_ns = 0;
	lapic->timer.deadline = 0;
	WRITE_ONCE(lapic->timer.pending, 0);
}

/** tdm_lapic_timer_current() - the current count register */
u32 tdm_lapic_timer_current(struct tdm_lapic *lapic)
{
	u32 initial = tdm_lapic_reg(lapic, TDM_APIC_TMICT);
	u32 type = lvtt_type(lapic);

	if (!initial || (type != TDM_APIC_LVTT_ONESHOT && type != TDM_APIC_LVTT_PERIODIC))
		return 0;
	return tdm_apic_timer_count(initial, divisor(lapic),
				    type == TDM_APIC_LVTT_PERIODIC,
				    ktime_get_ns() - lapic->timer.start_ns);
}

void tdm_lapic_timer_set_initial(struct tdm_lapic *lapic, u32 count)
{
	u64 now;

	/* SDM vol. 3, 11.5.4.1: ignored in TSC-deadline mode. */
	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE)
		return;
	settle(lapic);
	tdm_lapic_set_reg(lapic, TDM_APIC_TMICT, count);
	now = ktime_get_ns();
	restart(lapic, now, now);
	trace_tdm_apic_timer(lapic->vcpu->id, count, lvtt_type(lapic));
}

/* Goes on from the current count at @now; a run-out one-shot stays so. */
static void continue_from(struct tdm_lapic *lapic, u32 current_count, u64 now)
{
	u32 initial = tdm_lapic_reg(lapic, TDM_APIC_TMICT);

	restart(lapic, now - (u64)(initial - current_count) * divisor(lapic), now);
}

void tdm_lapic_timer_set_divide(struct tdm_lapic *lapic, u32 tdcr)
{
	u32 current_count;

	settle(lapic);
	current_count = tdm_lapic_timer_current(lapic);
	tdm_lapic_set_reg(lapic, TDM_APIC_TDCR, tdcr);
	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE)
		arm(lapic);
	else
		continue_from(lapic, current_count, ktime_get_ns());
}

void tdm_lapic_timer_set_lvt(struct tdm_lapic *lapic, u32 lvt)
{
	u32 old, current_count;

	settle(lapic);
	old = lvtt_type(lapic);
	current_count = tdm_lapic_timer_current(lapic);
	tdm_lapic_set_reg(lapic, TDM_APIC_LVTT, lvt);
	/* To and from TSC-deadline mode the timer is disarmed. */
	if ((old ^ lvt) & TDM_APIC_LVTT_DEADLINE) {
		tdm_lapic_set_reg(lapic, TDM_APIC_TMICT, 0);
		lapic->vcpu->st.tsc_deadline = 0;
		lapic->timer.expiry_ns = 0;
		arm(lapic);
		return;
	}
	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE)
		arm(lapic);
	else
		continue_from(lapic, current_count, ktime_get_ns());
}

/**
 * tdm_lapic_timer_restore() - registers were set by the caller (KVM_SET_LAPIC)
 * @lapic: its timer is stopped
 * @current_count: as saved
 */
void tdm_lapic_timer_restore(struct tdm_lapic *lapic, u32 current_count)
{
	u32 initial = tdm_lapic_reg(lapic, TDM_APIC_TMICT);

	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE)
		arm(lapic);
	else
		continue_from(lapic, min(current_count, initial), ktime_get_ns());
}

/**
 * tdm_lapic_set_deadline() - IA32_TSC_DEADLINE is written
 * @vcpu: loaded vCPU
 * @tsc: guest TSC value, 0 disarms; ignored unless the timer is in TSC-deadline mode
 */
void tdm_lapic_set_deadline(struct tdm_vcpu *vcpu, u64 tsc)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic || lvtt_type(lapic) != TDM_APIC_LVTT_DEADLINE)
		return;
	settle(lapic);
	vcpu->st.tsc_deadline = tsc;
	arm(lapic);
}

/** tdm_lapic_get_deadline() - IA32_TSC_DEADLINE is read */
u64 tdm_lapic_get_deadline(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic || lvtt_type(lapic) != TDM_APIC_LVTT_DEADLINE)
		return 0;
	return vcpu->st.tsc_deadline;
}

/**
 * tdm_lapic_tsc_changed() - st.tsc_offset changed: deadlines move with it
 * @vcpu: loaded vCPU
 */
void tdm_lapic_tsc_changed(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic || lvtt_type(lapic) != TDM_APIC_LVTT_DEADLINE)
		return;
	settle(lapic);
	arm(lapic);
}

bool tdm_timer_pending(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	return lapic && READ_ONCE(lapic->timer.pending);
}

/**
 * tdm_timers_inject() - what came due becomes an interrupt
 * @vcpu: its own thread calls
 */
void tdm_timers_inject(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;
	struct tdm_lapic_timer *t;

	if (!lapic || !READ_ONCE(lapic->timer.pending))
		return;
	t = &lapic->timer;
	WRITE_ONCE(t->pending, 0);
	trace_tdm_apic_timer_due(vcpu->id);
	tdm_stat(vcpu, apic_timer_irqs);
	tdm_lapic_local(lapic, TDM_APIC_LVTT);
	if (lvtt_type(lapic) == TDM_APIC_LVTT_DEADLINE) {
		vcpu->st.tsc_deadline = 0;
		t->deadline = 0;
		return;
	}
	t->expiry_ns = next_expiry(lapic, ktime_get_ns());
	arm(lapic);
}

/**
 * tdm_timers_migrate() - take the host's timer along to the vCPU's new CPU
 * @vcpu: preemption off
 */
void tdm_timers_migrate(struct tdm_vcpu *vcpu)
{
	struct hrtimer *hrt;

	if (!vcpu->lapic)
		return;
	hrt = &vcpu->lapic->timer.hrt;
	/* A callback that runs right now has nothing left to take along. */
	if (hrtimer_try_to_cancel(hrt) == 1)
		hrtimer_start_expires(hrt, HRTIMER_MODE_ABS_PINNED_HARD);
}
