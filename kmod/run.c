// SPDX-License-Identifier: GPL-2.0-only
/*
 * THE run loop: KVM_RUN.
 *
 *   tdm_run()         once per ioctl: FPU, signals, I/O completion
 *     run_loop()      until the caller has something to do
 *       block()       HLT or waiting for SIPI
 *       enter_guest() requests, events, then the inner loop with interrupts
 *                     off: enter, tdm_fast_exit(), enter...
 *       tdm_handle_exit()
 *
 * Beware of the order in enter_guest(): vcpu->mode must be IN_GUEST before the
 * last look at requests, or a kick is lost (pairs with tdm_vcpu_kick()).
 */
#include <linux/context_tracking.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "arch/x86/compat.h"
#include "arch/x86/fpu.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/ioctl_state.h"
#include "kmod/pv.h"
#include "kmod/trace.h"
#include "kmod/verify.h"
#include "shadow_mmu/mmu.h"

/* ---- INIT, SIPI, HLT ---- */

static void start_ap(struct tdm_vcpu *vcpu, u8 vector)
{
	struct tdm_segment *cs = &vcpu->st.seg[TDM_SEG_CS];

	tdm_need(vcpu, TDM_ST_SEG);
	cs->selector = (u16)vector << 8;
	cs->base = (u64)vector << 12;
	vcpu->regs.rip = 0;
	tdm_touch(vcpu, TDM_ST_SEG | TDM_ST_RIP);
}

/* INIT and SIPI, in this order (SDM vol. 3, 8.4.3). */
static void take_apic_events(struct tdm_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->apic_events))
		return;
	if (test_and_clear_bit(TDM_APIC_EV_INIT, &vcpu->apic_events)) {
		tdm_vcpu_reset(vcpu, true);
		vcpu->mp_state = vcpu->id == vcpu->vm->bsp_vcpu_id ?
				 KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(TDM_APIC_EV_SIPI, &vcpu->apic_events)) {
		/* Pairs with the barrier of the sender: bit, then vector. */
		smp_rmb();
		if (vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED) {
			start_ap(vcpu, READ_ONCE(vcpu->sipi_vector));
			vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		}
	}
}

static bool is_runnable(struct tdm_vcpu *vcpu)
{
	return vcpu->mp_state == KVM_MP_STATE_RUNNABLE;
}

static bool wants_to_wake(struct tdm_vcpu *vcpu)
{
	if (vcpu->mp_state == KVM_MP_STATE_HALTED)
		return tdm_timer_pending(vcpu) || tdm_has_events(vcpu);
	return READ_ONCE(vcpu->apic_events) ||
	       (READ_ONCE(vcpu->requests) & BIT(TDM_REQ_VM_DEAD));
}

/*
 * Sleep until an event, or -EINTR. Fresh RFLAGS and shadow are fetched first,
 * so that the condition needs no engine access while preemption is on.
 */
static int block(struct tdm_vcpu *vcpu)
{
	u64 start = ktime_get_ns();
	u64 ns;
	int r;

	tdm_need(vcpu, TDM_ST_RFLAGS | TDM_ST_SHADOW);
	tdm_stat(vcpu, halt_blocks);
	r = rcuwait_wait_event(&vcpu->wait, wants_to_wake(vcpu),
			       TASK_INTERRUPTIBLE);
	ns = ktime_get_ns() - start;
	tdm_stat_add(vcpu, halt_ns, ns);
	trace_tdm_halt(vcpu, ns);
	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (wants_to_wake(vcpu)) {
		tdm_stat(vcpu, halt_wakeups);
		tdm_take_request(vcpu, TDM_REQ_UNBLOCK);
		if (tdm_timer_pending(vcpu))
			tdm_timers_inject(vcpu);
		if (vcpu->mp_state == KVM_MP_STATE_HALTED && tdm_has_events(vcpu))
			vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		take_apic_events(vcpu);
		return 1;
	}
	return r;
}

/* ---- entering ---- */

/* 1, or an errno: then it is still to be done */
static int new_root(struct tdm_vcpu *vcpu)
{
	int r;

	if (vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW) {
		r = tdm_mmu_update_root(vcpu);
		if (r) {
			tdm_request(vcpu, TDM_REQ_MMU_ROOT);
			return r;
		}
	}
	preempt_disable();
	vcpu->ops->mmu_root_changed(vcpu);
	preempt_enable();
	return 1;
}

/* Requests that want a schedulable context. 1 go on, 0 to the caller, <0 errno */
static int slow_requests(struct tdm_vcpu *vcpu)
{
	if (tdm_take_request(vcpu, TDM_REQ_VM_DEAD))
		return -EIO;
	if (tdm_take_request(vcpu, TDM_REQ_TRIPLE_FAULT)) {
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	if (tdm_take_request(vcpu, TDM_REQ_EOI_EXIT)) {
		vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		vcpu->run->eoi.vector = tdm_lapic_eoi_exit_vector(vcpu);
		return 0;
	}
	if (tdm_take_request(vcpu, TDM_REQ_CLOCK))
		tdm_pv_clock(vcpu);
	if (tdm_take_request(vcpu, TDM_REQ_STEAL))
		tdm_pv_steal(vcpu);
	if (tdm_take_request(vcpu, TDM_REQ_INTERCEPTS)) {
		preempt_disable();
		vcpu->ops->intercepts_changed(vcpu);
		preempt_enable();
	}
	if (tdm_take_request(vcpu, TDM_REQ_MMU_ROOT))
		return new_root(vcpu);
	return 1;
}

/* Requests that need no more than interrupts off. */
#define FAST_REQUESTS	(BIT(TDM_REQ_TLB_FLUSH) | BIT(TDM_REQ_NMI) | \
			 BIT(TDM_REQ_EVENT) | BIT(TDM_REQ_UNBLOCK) | \
			 BIT(TDM_REQ_APIC_PAGE))

/*
 * Everything another thread or a timer wants comes with a request: a kick sets
 * TDM_REQ_EVENT. So one load tells that there is nothing.
 */
static __always_inline bool must_leave(struct tdm_vcpu *vcpu)
{
	unsigned long requests = READ_ONCE(vcpu->requests);

	if (unlikely(requests) &&
	    ((requests & ~FAST_REQUESTS) || READ_ONCE(vcpu->apic_events) ||
	     tdm_timer_pending(vcpu)))
		return true;
	return tdm_work_pending();
}

/*
 * The last steps before the guest. TDM_REQ_EVENT is taken only here, after
 * must_leave() has looked at what may have come with it.
 */
static void last_steps(struct tdm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->requests)) {
		tdm_take_request(vcpu, TDM_REQ_EVENT);
		tdm_take_request(vcpu, TDM_REQ_UNBLOCK);
		tdm_take_request(vcpu, TDM_REQ_APIC_PAGE);
		if (tdm_take_request(vcpu, TDM_REQ_TLB_FLUSH)) {
			tdm_stat(vcpu, tlb_flushes);
			vcpu->ops->tlb_flush(vcpu);
		}
	}
	tdm_inject_events(vcpu);
}

static int enter_guest(struct tdm_vcpu *vcpu)
{
	struct tdm_exit *exit = &vcpu->exit;
	enum tdm_fast fast = TDM_FAST_EVENTS;
	int r;

	if (READ_ONCE(vcpu->requests)) {
		r = slow_requests(vcpu);
		if (r <= 0)
			return r;
	}
	take_apic_events(vcpu);
	if (!is_runnable(vcpu))
		return 1;

	if (unlikely(tdm_bt_verify))
		tdm_verify_begin(vcpu);
	preempt_disable();
	vcpu->ops->prepare(vcpu);
	local_irq_disable();
	WRITE_ONCE(vcpu->mode, TDM_IN_GUEST);
	/* IN_GUEST before the look at requests: see the head of this file. */
	smp_mb();
	if (must_leave(vcpu)) {
		WRITE_ONCE(vcpu->mode, TDM_OUTSIDE);
		local_irq_enable();
		preempt_enable();
		return 1;
	}
	tdm_fpu_enter(vcpu);
	do {
		if (fast == TDM_FAST_EVENTS || unlikely(READ_ONCE(vcpu->requests)))
			last_steps(vcpu);
		trace_tdm_enter(vcpu);
		tdm_stat(vcpu, entries);
		vcpu->ops->enter(vcpu, exit);
		tdm_stat(vcpu, exits);
		trace_tdm_exit(vcpu, exit);
		fast = unlikely(tdm_bt_verify) ? TDM_FAST_NO : tdm_fast_exit(vcpu, exit);
	} while (fast != TDM_FAST_NO && !must_leave(vcpu));
	if (vcpu->ops->leave)
		vcpu->ops->leave(vcpu);
	tdm_fpu_exit(vcpu);
	if (vcpu->ops->hand_over)
		vcpu->ops->hand_over(vcpu);
	WRITE_ONCE(vcpu->mode, TDM_OUTSIDE);
	/* A pending host interrupt is taken right here. */
	local_irq_enable();
	preempt_enable();
	if (unlikely(tdm_bt_verify) && !tdm_verify_end(vcpu))
		return 0;
	if (fast != TDM_FAST_NO)
		return 1;
	return tdm_handle_exit(vcpu, exit);
}

static int run_loop(struct tdm_vcpu *vcpu)
{
	int r;

	for (;;) {
		r = is_runnable(vcpu) ? enter_guest(vcpu) : block(vcpu);
		if (r <= 0)
			return r;
		if (tdm_timer_pending(vcpu))
			tdm_timers_inject(vcpu);
		if (tdm_userspace_wants_window(vcpu) &&
		    tdm_userspace_window_open(vcpu)) {
			vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			return 0;
		}
		if (tdm_work_pending()) {
			r = tdm_handle_work();
			if (r)
				return r;
		}
	}
}

/* ---- the ioctl ---- */

/* The caller's KVM_SET_SIGNAL_MASK holds for the time in KVM_RUN. */
static void sigmask_activate(struct tdm_vcpu *vcpu)
{
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
}

static void sigmask_restore(struct tdm_vcpu *vcpu)
{
	if (!vcpu->sigset_active)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}

static void publish_run(struct tdm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	tdm_need(vcpu, TDM_ST_RFLAGS);
	run->if_flag = !!(vcpu->regs.rflags & X86_EFLAGS_IF);
	run->flags = 0;
	run->cr8 = vcpu->lapic ? tdm_lapic_get_tpr(vcpu) : vcpu->st.cr8;
	run->apic_base = vcpu->st.apic_base;
	run->ready_for_interrupt_injection =
		vcpu->vm->irqchip == TDM_IRQCHIP_KERNEL || tdm_userspace_window_open(vcpu);
	if (run->kvm_valid_regs)
		tdm_sync_regs_to_run(vcpu);
}

/*
 * Only a signal is an exit of its own. immediate_exit leaves the reason of the
 * last exit, which the caller may not have looked at yet.
 */
static int note_signal(struct tdm_vcpu *vcpu, int r)
{
	if (r == -EINTR) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		tdm_stat(vcpu, user_signals);
	}
	return r;
}

/* Wait for SIPI with the caller's thread, as KVM does: -EAGAIN when it came. */
static int run_waiting_ap(struct tdm_vcpu *vcpu)
{
	int r;

	if (tdm_immediate_exit(vcpu->run))
		return -EINTR;
	r = block(vcpu);
	return r < 0 ? note_signal(vcpu, r) : -EAGAIN;
}

static int run_loaded(struct tdm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int (*complete)(struct tdm_vcpu *vcpu);
	u64 rip;
	int r;

	if (vcpu->mp_state == KVM_MP_STATE_UNINITIALIZED)
		return run_waiting_ap(vcpu);
	r = tdm_sync_regs_check(run);
	if (r)
		return r;
	if (run->kvm_dirty_regs) {
		r = tdm_sync_regs_from_run(vcpu);
		if (r)
			return r;
	}
	if (!vcpu->lapic && tdm_set_cr8(vcpu, READ_ONCE(run->cr8)))
		return -EINVAL;
	complete = vcpu->complete_userspace;
	if (complete) {
		vcpu->complete_userspace = NULL;
		rip = vcpu->regs.rip;
		r = complete(vcpu);
		if (r > 0)
			r = tdm_debug_step(vcpu, rip);
		if (r <= 0)
			return r;
	}
	if (tdm_immediate_exit(run))
		return -EINTR;
	return note_signal(vcpu, run_loop(vcpu));
}

/**
 * tdm_run() - KVM_RUN
 * @vcpu: vcpu->mutex held, not loaded
 *
 * Return: 0 with run->exit_reason set; -EINTR (a signal or immediate_exit);
 * -EAGAIN (the AP was started meanwhile: call again); -EFAULT (guest memory
 * the caller unmapped); -EIO (the VM is dead); -EINVAL (bad state in the
 * shared page).
 */
int tdm_run(struct tdm_vcpu *vcpu)
{
	int r;

	vcpu->has_run = true;
	sigmask_activate(vcpu);
	tdm_vcpu_load(vcpu);
	tdm_fpu_load(vcpu);
	if (vcpu->pv.steal_time)
		tdm_request(vcpu, TDM_REQ_STEAL);
	r = run_loaded(vcpu);
	tdm_stat(vcpu, user_exits);
	preempt_disable();
	vcpu->ops->to_host(vcpu);
	preempt_enable();
	tdm_fpu_unload(vcpu);
	publish_run(vcpu);
	tdm_vcpu_unload(vcpu);
	sigmask_restore(vcpu);
	return r;
}
