// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pending events, run state and guest debugging for the caller:
 * KVM_GET/SET_VCPU_EVENTS, KVM_SET_MP_STATE, KVM_INTERRUPT,
 * KVM_SET_GUEST_DEBUG.
 *
 * The ABI's "injected" is our ev.cur (given to the guest, delivery not
 * finished), its "pending" exception is our ev.exc.
 */
#include <asm/kvm.h>
#include <asm/trapnr.h>

#include "arch/x86/dr.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/ioctl_state.h"

#define EVENT_FLAGS	(KVM_VCPUEVENT_VALID_NMI_PENDING | \
			 KVM_VCPUEVENT_VALID_SIPI_VECTOR | \
			 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM | \
			 KVM_VCPUEVENT_VALID_PAYLOAD | \
			 KVM_VCPUEVENT_VALID_TRIPLE_FAULT)

/* ---- KVM_GET_VCPU_EVENTS ---- */

static void exception_get(struct tdm_vcpu *vcpu, struct kvm_vcpu_events *e)
{
	struct tdm_events *ev = &vcpu->ev;
	struct tdm_event *exc = NULL;

	if (ev->exc_pending)
		exc = &ev->exc;
	else if (ev->cur_valid && ev->cur.type == TDM_EV_EXC)
		exc = &ev->cur;
	/*
	 * INT3 and INTO are not told: the ABI has no instruction length, and
	 * RIP is still at the instruction, which raises them again.
	 */
	if (!exc || exc->vector == X86_TRAP_BP || exc->vector == X86_TRAP_OF)
		return;
	/* A caller that does not know payloads needs CR2 and DR6 up to date. */
	if (!vcpu->vm->exception_payload)
		tdm_deliver_payload(vcpu, exc);
	e->exception.pending = ev->exc_pending;
	e->exception.injected = !ev->exc_pending || !vcpu->vm->exception_payload;
	e->exception.nr = exc->vector;
	e->exception.has_error_code = exc->has_error;
	e->exception.error_code = exc->error;
	e->exception_has_payload = exc->has_payload;
	e->exception_payload = exc->has_payload ? exc->payload : 0;
}

/* The ABI and we number the two shadows differently. */
static u8 shadow_to_kvm(u8 shadow)
{
	return (shadow & TDM_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
	       (shadow & TDM_SHADOW_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0);
}

static u8 shadow_from_kvm(u8 shadow)
{
	return (shadow & KVM_X86_SHADOW_INT_STI ? TDM_SHADOW_STI : 0) |
	       (shadow & KVM_X86_SHADOW_INT_MOV_SS ? TDM_SHADOW_MOV_SS : 0);
}

/** tdm_events_get() - KVM_GET_VCPU_EVENTS */
void tdm_events_get(struct tdm_vcpu *vcpu, struct kvm_vcpu_events *e)
{
	const struct tdm_events *ev = &vcpu->ev;

	memset(e, 0, sizeof(*e));
	tdm_need(vcpu, TDM_ST_SHADOW);
	exception_get(vcpu, e);
	if (ev->cur_valid && ev->cur.type == TDM_EV_IRQ) {
		e->interrupt.injected = 1;
		e->interrupt.nr = ev->cur.vector;
	} else if (!ev->cur_valid && ev->user_irq >= 0) {
		/* KVM_INTERRUPT counts as injected, as in KVM. */
		e->interrupt.injected = 1;
		e->interrupt.nr = ev->user_irq;
	}
	e->interrupt.shadow = shadow_to_kvm(ev->int_shadow);
	e->nmi.injected = ev->cur_valid && ev->cur.type == TDM_EV_NMI;
	e->nmi.pending = ev->nmi_pending || atomic_read(&vcpu->nmi_queued);
	e->nmi.masked = ev->nmi_masked;
	e->smi.latched_init = test_bit(TDM_APIC_EV_INIT, &vcpu->apic_events);
	e->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
		   KVM_VCPUEVENT_VALID_SMM;
	if (vcpu->vm->exception_payload)
		e->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->vm->triple_fault_event) {
		e->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
		e->triple_fault.pending = test_bit(TDM_REQ_TRIPLE_FAULT, &vcpu->requests);
	}
}

/* ---- KVM_SET_VCPU_EVENTS ---- */

/* What the exception fields mean, given the flags. */
struct asked {
	bool pending;
	bool injected;
	bool has_payload;
};

static struct asked exception_asked(const struct kvm_vcpu_events *e)
{
	struct asked a = { .injected = e->exception.injected };

	if (!(e->flags & KVM_VCPUEVENT_VALID_PAYLOAD))
		return a;
	a.pending = e->exception.pending;
	if (a.pending) {
		a.injected = false;
		a.has_payload = e->exception_has_payload;
	}
	return a;
}

static int events_check(struct tdm_vcpu *vcpu, const struct kvm_vcpu_events *e,
			const struct asked *a)
{
	const struct tdm_vm *vm = vcpu->vm;

	if (e->flags & ~EVENT_FLAGS)
		return -EINVAL;
	if ((e->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && !vm->exception_payload)
		return -EINVAL;
	if ((e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !vm->triple_fault_event)
		return -EINVAL;
	if ((a->pending || a->injected) &&
	    (e->exception.nr > 31 || e->exception.nr == X86_TRAP_NMI))
		return -EINVAL;
	/* No system management mode here. */
	if ((e->flags & KVM_VCPUEVENT_VALID_SMM) && (e->smi.smm || e->smi.pending))
		return -EINVAL;
	/* A processor delivers one event at a time. */
	if (a->injected + !!e->interrupt.injected + !!e->nmi.injected > 1)
		return -EINVAL;
	return 0;
}

static struct tdm_event make_exception(const struct kvm_vcpu_events *e,
				       const struct asked *a)
{
	bool soft = e->exception.nr == X86_TRAP_BP || e->exception.nr == X86_TRAP_OF;

	return (struct tdm_event){
		.type = soft ? TDM_EV_SOFT_EXC : TDM_EV_EXC,
		.vector = e->exception.nr,
		.insn_len = soft,
		.has_error = e->exception.has_error_code,
		.error = e->exception.error_code,
		.has_payload = a->has_payload,
		.payload = e->exception_payload,
	};
}

static void set_cur(struct tdm_events *ev, const struct kvm_vcpu_events *e,
		    const struct asked *a)
{
	ev->cur_valid = true;
	/* What is set replaces what waited; it was read as injected. */
	ev->user_irq = -1;
	if (a->injected)
		ev->cur = make_exception(e, a);
	else if (e->nmi.injected)
		ev->cur = (struct tdm_event){ .type = TDM_EV_NMI, .vector = X86_TRAP_NMI };
	else if (e->interrupt.injected)
		ev->cur = (struct tdm_event){
			.type = e->interrupt.soft ? TDM_EV_SOFT_INT : TDM_EV_IRQ,
			.vector = e->interrupt.nr,
			.insn_len = e->interrupt.soft ? 2 : 0,
		};
	else
		ev->cur_valid = false;
}

static void set_nmi(struct tdm_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	struct tdm_events *ev = &vcpu->ev;

	ev->nmi_masked = e->nmi.masked;
	if (!(e->flags & KVM_VCPUEVENT_VALID_NMI_PENDING))
		return;
	atomic_set(&vcpu->nmi_queued, 0);
	ev->nmi_pending = min_t(u8, e->nmi.pending, 2);
}

static void set_apic_and_faults(struct tdm_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	if ((e->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->lapic)
		WRITE_ONCE(vcpu->sipi_vector, (u8)e->sipi_vector);
	if ((e->flags & KVM_VCPUEVENT_VALID_SMM) && vcpu->lapic) {
		if (e->smi.latched_init)
			set_bit(TDM_APIC_EV_INIT, &vcpu->apic_events);
		else
			clear_bit(TDM_APIC_EV_INIT, &vcpu->apic_events);
	}
	if (e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (e->triple_fault.pending)
			tdm_request(vcpu, TDM_REQ_TRIPLE_FAULT);
		else
			tdm_take_request(vcpu, TDM_REQ_TRIPLE_FAULT);
	}
}

/**
 * tdm_events_set() - KVM_SET_VCPU_EVENTS
 * @vcpu: loaded vCPU
 * @e: what shall be pending
 *
 * Return: 0; -EINVAL, with nothing changed, for unknown flags, a capability
 * not switched on, no exception's number, SMM, or two events half delivered.
 */
int tdm_events_set(struct tdm_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	const struct asked a = exception_asked(e);
	struct tdm_events *ev = &vcpu->ev;
	int r = events_check(vcpu, e, &a);

	if (r)
		return r;
	tdm_need(vcpu, TDM_ST_SHADOW);
	set_cur(ev, e, &a);
	ev->exc_pending = a.pending;
	if (a.pending)
		ev->exc = make_exception(e, &a);
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW)
		ev->int_shadow = shadow_from_kvm(e->interrupt.shadow);
	set_nmi(vcpu, e);
	tdm_touch(vcpu, TDM_ST_SHADOW);
	set_apic_and_faults(vcpu, e);
	tdm_request(vcpu, TDM_REQ_EVENT);
	return 0;
}

/* ---- run state, interrupts ---- */

/**
 * tdm_mp_state_set() - KVM_SET_MP_STATE
 * @vcpu: the vCPU
 * @mp_state: KVM_MP_STATE_*
 *
 * Return: 0; -EINVAL for a state x86 does not have, or for any but RUNNABLE
 * without a LAPIC here, which alone could end the others.
 */
int tdm_mp_state_set(struct tdm_vcpu *vcpu, u32 mp_state)
{
	if (!vcpu->lapic && mp_state != KVM_MP_STATE_RUNNABLE)
		return -EINVAL;
	switch (mp_state) {
	case KVM_MP_STATE_RUNNABLE:
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
		vcpu->mp_state = mp_state;
		break;
	case KVM_MP_STATE_SIPI_RECEIVED:
		/* The vector came with KVM_SET_VCPU_EVENTS. */
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		set_bit(TDM_APIC_EV_SIPI, &vcpu->apic_events);
		break;
	default:
		return -EINVAL;
	}
	tdm_request(vcpu, TDM_REQ_EVENT);
	return 0;
}

/**
 * tdm_user_interrupt() - KVM_INTERRUPT: the VMM's own interrupt controller
 * @vcpu: loaded vCPU
 * @vector: 0..255
 *
 * Return: 0; -EINVAL for no vector; -ENXIO with our PIC; -EEXIST when one is
 * waiting already.
 */
int tdm_user_interrupt(struct tdm_vcpu *vcpu, u32 vector)
{
	if (vector > 255)
		return -EINVAL;
	if (vcpu->vm->irqchip == TDM_IRQCHIP_KERNEL)
		return -ENXIO;
	if (vcpu->ev.user_irq >= 0)
		return -EEXIST;
	vcpu->ev.user_irq = vector;
	tdm_request(vcpu, TDM_REQ_EVENT);
	tdm_request(vcpu, TDM_REQ_UNBLOCK);
	return 0;
}

/* ---- guest debugging ---- */

/**
 * tdm_guest_debug_set() - KVM_SET_GUEST_DEBUG
 * @vcpu: loaded vCPU
 * @dbg: what to watch; INJECT_DB and INJECT_BP raise the exception in the guest
 *
 * Return: 0; -EINVAL for unknown flags; -EBUSY to inject while an exception is
 * pending.
 */
int tdm_guest_debug_set(struct tdm_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	u32 control = dbg->control;
	int i;

	if (control & ~TDM_GUESTDBG_FLAGS)
		return -EINVAL;
	if (control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->ev.exc_pending)
			return -EBUSY;
		tdm_queue_exception(vcpu, control & KVM_GUESTDBG_INJECT_DB ?
					  X86_TRAP_DB : X86_TRAP_BP);
	}
	if (!(control & KVM_GUESTDBG_ENABLE))
		control = 0;
	vcpu->guest_debug = control;
	if (control & KVM_GUESTDBG_USE_HW_BP) {
		for (i = 0; i < 4; i++)
			vcpu->debug_dr[i] = dbg->arch.debugreg[i];
		/* The debugger must not turn on what VM entry refuses. */
		vcpu->debug_dr7 = (dbg->arch.debugreg[7] & 0xffff23ff) | TDM_DR7_RESET;
	}
	/* The engine's breakpoints and intercepts depend on all this. */
	tdm_need(vcpu, TDM_ST_DR7 | TDM_ST_RFLAGS);
	tdm_touch(vcpu, TDM_ST_DR7 | TDM_ST_RFLAGS);
	tdm_request(vcpu, TDM_REQ_INTERCEPTS);
	return 0;
}
