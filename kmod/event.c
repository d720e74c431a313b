// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events for the guest: queueing exceptions, merging into #DF, and choosing
 * what goes in at the next entry.
 *
 * Priorities (SDM vol. 3, 6.9): what was cut short by an exit goes first, then
 * an exception of the current instruction, then NMI, then interrupts. One
 * event an entry; for the rest a window is requested.
 *
 * Must not sleep: tdm_inject_events() runs with interrupts off.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/trace.h"

/* SDM vol. 3, table 6-4: who doubles with whom */
enum exc_class { EXC_BENIGN, EXC_CONTRIBUTORY, EXC_PAGE_FAULT, EXC_DOUBLE };

static const u8 exc_classes[32] = {
	[X86_TRAP_DE] = EXC_CONTRIBUTORY,
	[X86_TRAP_DF] = EXC_DOUBLE,
	[X86_TRAP_TS] = EXC_CONTRIBUTORY,
	[X86_TRAP_NP] = EXC_CONTRIBUTORY,
	[X86_TRAP_SS] = EXC_CONTRIBUTORY,
	[X86_TRAP_GP] = EXC_CONTRIBUTORY,
	[X86_TRAP_PF] = EXC_PAGE_FAULT,
	[X86_TRAP_CP] = EXC_CONTRIBUTORY,
};

/* Faults push RF=1; traps, aborts and #DB do not (SDM vol. 3, 17.3.1.1). */
static bool exc_is_fault(u8 vector)
{
	const u32 not_faults = BIT(X86_TRAP_DB) | BIT(X86_TRAP_NMI) |
			       BIT(X86_TRAP_BP) | BIT(X86_TRAP_OF) |
			       BIT(X86_TRAP_DF) | BIT(X86_TRAP_MC);

	return vector < 32 && !(BIT(vector) & not_faults);
}

static bool exc_doubles(u8 first, u8 second)
{
	u8 a = exc_classes[first & 31], b = exc_classes[second & 31];

	return (a == EXC_CONTRIBUTORY && b == EXC_CONTRIBUTORY) ||
	       (a == EXC_PAGE_FAULT && (b == EXC_CONTRIBUTORY || b == EXC_PAGE_FAULT));
}

/* The exception whose delivery or handling the new one interrupts, or NULL. */
static const struct tdm_event *exc_in_progress(struct tdm_events *ev)
{
	if (ev->exc_pending)
		return &ev->exc;
	if (ev->cur_valid && ev->cur.type == TDM_EV_EXC)
		return &ev->cur;
	return NULL;
}

static void queue_exc(struct tdm_vcpu *vcpu, const struct tdm_event *new)
{
	struct tdm_events *ev = &vcpu->ev;
	const struct tdm_event *old = exc_in_progress(ev);

	/* The second page fault has written CR2 when it becomes a double fault. */
	if (old && new->vector == X86_TRAP_PF)
		vcpu->st.cr2 = new->payload;
	if (old && exc_classes[old->vector & 31] == EXC_DOUBLE &&
	    exc_classes[new->vector & 31] != EXC_BENIGN) {
		ev->exc_pending = false;
		ev->cur_valid = false;
		tdm_request(vcpu, TDM_REQ_TRIPLE_FAULT);
		return;
	}
	if (old && exc_doubles(old->vector, new->vector)) {
		ev->exc = (struct tdm_event){
			.type = TDM_EV_EXC,
			.vector = X86_TRAP_DF,
			.has_error = true,
		};
	} else {
		ev->exc = *new;
	}
	/*
	 * An exception cut short is replaced; the guest comes to it again. So it
	 * does to INT n, INT3, INTO and ICEBP: RIP is still at the instruction.
	 * Nobody would send an interrupt again: that one waits.
	 */
	if (ev->cur_valid && ev->cur.type != TDM_EV_IRQ && ev->cur.type != TDM_EV_NMI)
		ev->cur_valid = false;
	ev->exc_pending = true;
}

static bool has_real_error_code(struct tdm_vcpu *vcpu)
{
	tdm_need(vcpu, TDM_ST_CR);
	return vcpu->st.cr0 & X86_CR0_PE;
}

/**
 * tdm_queue_exception_payload() - raise an exception for the current instruction
 * @vcpu: loaded vCPU
 * @vector: 0..31
 * @has_error: push @error (ignored in real mode, which pushes none)
 * @error: error code
 * @payload: #PF: CR2; #DB: bits to set in DR6; stored at delivery
 *
 * Merges with an exception already being delivered (#DF, triple fault).
 */
void tdm_queue_exception_payload(struct tdm_vcpu *vcpu, u8 vector,
				 bool has_error, u32 error, u64 payload)
{
	const struct tdm_event new = {
		.type = TDM_EV_EXC,
		.vector = vector,
		.has_error = has_error && has_real_error_code(vcpu),
		.error = error,
		.has_payload = vector == X86_TRAP_PF || vector == X86_TRAP_DB,
		.payload = payload,
	};

	queue_exc(vcpu, &new);
}

void tdm_queue_exception(struct tdm_vcpu *vcpu, u8 vector)
{
	tdm_queue_exception_payload(vcpu, vector, false, 0, 0);
}

void tdm_queue_exception_error(struct tdm_vcpu *vcpu, u8 vector, u32 error)
{
	tdm_queue_exception_payload(vcpu, vector, true, error, 0);
}

void tdm_queue_page_fault(struct tdm_vcpu *vcpu, u64 gva, u32 error)
{
	tdm_queue_exception_payload(vcpu, X86_TRAP_PF, true, error, gva);
}

void tdm_deliver_payload(struct tdm_vcpu *vcpu, struct tdm_event *ev)
{
	if (!ev->has_payload)
		return;
	ev->has_payload = false;
	if (ev->vector == X86_TRAP_PF) {
		vcpu->st.cr2 = ev->payload;
		return;
	}
	/* SDM vol. 3, 17.2.3: B0-B3 are replaced, BS, BD, BT, RTM accumulate. */
	vcpu->st.dr6 &= ~TDM_DR6_BREAKPOINTS;
	vcpu->st.dr6 |= ev->payload;
	tdm_need(vcpu, TDM_ST_DR7);
	vcpu->st.dr7 &= ~TDM_DR7_GD;
	vcpu->st.debugctl &= ~(u64)DEBUGCTLMSR_LBR;
	tdm_touch(vcpu, TDM_ST_DR7);
}

static void inject(struct tdm_vcpu *vcpu, struct tdm_event *ev)
{
	tdm_deliver_payload(vcpu, ev);
	trace_tdm_inject(vcpu, ev);
	vcpu->ops->inject(vcpu, ev);
}

static void inject_exc(struct tdm_vcpu *vcpu)
{
	struct tdm_event *ev = &vcpu->ev.exc;

	if (exc_is_fault(ev->vector)) {
		tdm_need(vcpu, TDM_ST_RFLAGS);
		/* After an exit for a fault it is there already (27.3.3). */
		if (!(vcpu->regs.rflags & X86_EFLAGS_RF)) {
			vcpu->regs.rflags |= X86_EFLAGS_RF;
			tdm_touch(vcpu, TDM_ST_RFLAGS);
		}
	}
	vcpu->ev.exc_pending = false;
	tdm_stat(vcpu, inj_exception);
	inject(vcpu, ev);
}

static bool inject_irq(struct tdm_vcpu *vcpu)
{
	struct tdm_event ev = { .type = TDM_EV_IRQ };
	int vector = tdm_irq_ack(vcpu);

	if (vector < 0)
		return false;
	ev.vector = vector;
	tdm_stat(vcpu, inj_irq);
	inject(vcpu, &ev);
	return true;
}

static void inject_nmi(struct tdm_vcpu *vcpu)
{
	struct tdm_event ev = { .type = TDM_EV_NMI, .vector = X86_TRAP_NMI };

	vcpu->ev.nmi_pending--;
	tdm_stat(vcpu, inj_nmi);
	inject(vcpu, &ev);
}

/* At most one NMI is latched behind the one in service (SDM vol. 3, 6.7.1). */
static void collect_nmis(struct tdm_vcpu *vcpu)
{
	int limit = vcpu->ops->nmi_allowed(vcpu) ? 2 : 1;
	int n = atomic_xchg(&vcpu->nmi_queued, 0);

	vcpu->ev.nmi_pending = min(vcpu->ev.nmi_pending + n, limit);
}

/* Can what is in ev.cur be delivered again right now? */
static bool cur_deliverable(struct tdm_vcpu *vcpu)
{
	struct tdm_events *ev = &vcpu->ev;

	if (!ev->cur_valid || ev->exc_pending)
		return false;
	/* The entry checks want IF=1 for an external interrupt. */
	return ev->cur.type != TDM_EV_IRQ || vcpu->ops->irq_allowed(vcpu);
}

/*
 * NMIs and interrupts; @done: an event goes in already. Returns the windows to
 * ask for.
 */
static u32 inject_async(struct tdm_vcpu *vcpu, bool done)
{
	struct tdm_events *ev = &vcpu->ev;
	u32 windows = 0;

	if (ev->nmi_pending) {
		if (!done && vcpu->ops->nmi_allowed(vcpu)) {
			inject_nmi(vcpu);
			done = true;
		}
		if (ev->nmi_pending)
			windows |= TDM_WINDOW_NMI;
	}
	if (ev->cur_valid) {
		windows |= ev->cur.type == TDM_EV_NMI ? TDM_WINDOW_NMI : TDM_WINDOW_IRQ;
	} else if (tdm_irq_pending(vcpu)) {
		if (!done && vcpu->ops->irq_allowed(vcpu) && inject_irq(vcpu))
			done = true;
		if (tdm_irq_pending(vcpu))
			windows |= TDM_WINDOW_IRQ;
	}
	return windows;
}

/**
 * tdm_inject_events() - hand the engine what goes in at this entry
 * @vcpu: loaded, interrupts off, about to enter
 */
void tdm_inject_events(struct tdm_vcpu *vcpu)
{
	struct tdm_events *ev = &vcpu->ev;
	bool done = false;
	u32 windows = 0;

	if (cur_deliverable(vcpu)) {
		ev->cur_valid = false;
		inject(vcpu, &ev->cur);
		done = true;
	} else if (ev->exc_pending) {
		inject_exc(vcpu);
		done = true;
	}

	if (tdm_take_request(vcpu, TDM_REQ_NMI))
		collect_nmis(vcpu);
	/* A debugger that steps may not want to land in handlers. */
	if (likely(!(vcpu->guest_debug & KVM_GUESTDBG_BLOCKIRQ)))
		windows = inject_async(vcpu, done);
	/* An interrupt that only TPR holds back: hear of TPR going below it. */
	windows |= (u32)tdm_lapic_tpr_threshold(vcpu) << TDM_WINDOW_TPR_SHIFT;
	if (tdm_userspace_wants_window(vcpu))
		windows |= TDM_WINDOW_IRQ;
	if (windows != vcpu->windows) {
		vcpu->windows = windows;
		vcpu->ops->request_window(vcpu, windows);
	}
}

/**
 * tdm_has_events() - is there a reason to leave HLT?
 * @vcpu: loaded vCPU
 */
bool tdm_has_events(struct tdm_vcpu *vcpu)
{
	struct tdm_events *ev = &vcpu->ev;

	if (ev->exc_pending || ev->cur_valid || ev->triple_fault)
		return true;
	if (READ_ONCE(vcpu->requests) &
	    (BIT(TDM_REQ_UNBLOCK) | BIT(TDM_REQ_VM_DEAD) | BIT(TDM_REQ_TRIPLE_FAULT)))
		return true;
	if (READ_ONCE(vcpu->apic_events))
		return true;
	if ((ev->nmi_pending || atomic_read(&vcpu->nmi_queued)) &&
	    vcpu->ops->nmi_allowed(vcpu))
		return true;
	return tdm_irq_pending(vcpu) && vcpu->ops->irq_allowed(vcpu);
}

/**
 * tdm_userspace_wants_window() - did the caller ask for an interrupt window?
 * @vcpu: the vCPU
 *
 * Only without a PIC of our own does kvm_run.request_interrupt_window matter.
 */
bool tdm_userspace_wants_window(struct tdm_vcpu *vcpu)
{
	return vcpu->vm->irqchip != TDM_IRQCHIP_KERNEL &&
	       READ_ONCE(vcpu->run->request_interrupt_window);
}

/**
 * tdm_userspace_window_open() - can the caller inject with KVM_INTERRUPT now?
 * @vcpu: loaded vCPU
 */
bool tdm_userspace_window_open(struct tdm_vcpu *vcpu)
{
	return !vcpu->ev.cur_valid && !vcpu->ev.exc_pending &&
	       vcpu->ev.user_irq < 0 && vcpu->ops->irq_allowed(vcpu);
}
