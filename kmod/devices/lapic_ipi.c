// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt messages: from the ICR, the IOAPIC or an MSI to the LAPICs meant.
 *
 * Any context; nothing sleeps, no lock is taken.
 */
#include <linux/rcupdate.h>

#include "kmod/core.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/trace.h"

/**
 * struct tdm_dest_walk - a message on its way
 * @msg: the message
 * @sender: as tdm_apic_deliver()
 * @ret: as tdm_apic_deliver()
 * @best: arbitration: the candidate so far
 * @best_ppr: its processor priority class
 */
struct tdm_dest_walk {
	const struct tdm_apic_msg *msg;
	struct tdm_vcpu *sender;
	int ret;
	struct tdm_lapic *best;
	u8 best_ppr;
};

static void give(struct tdm_dest_walk *walk, struct tdm_lapic *lapic)
{
	int r = tdm_lapic_accept(lapic, walk->msg, walk->sender);

	if (r >= 0)
		walk->ret = max(walk->ret, 0) + r;
}

static void give_others(struct tdm_dest_walk *walk, struct tdm_lapic *lapic)
{
	if (lapic->vcpu != walk->sender)
		give(walk, lapic);
}

/*
 * Lowest priority wins. Among equals it goes by the low bits of the vector, so
 * that devices spread over CPUs and each keeps to its own, as chipsets do it.
 */
static void arbitrate(struct tdm_dest_walk *walk, struct tdm_lapic *lapic)
{
	u8 ppr = tdm_apic_ppr(tdm_lapic_reg(lapic, TDM_APIC_TPR),
			      READ_ONCE(lapic->isrv)) >> 4;
	u32 vector = walk->msg->vector;

	if (!READ_ONCE(lapic->sw_enabled))
		return;
	if (walk->best && ppr > walk->best_ppr)
		return;
	if (walk->best && ppr == walk->best_ppr &&
	    (lapic->vcpu->index ^ vector) > (walk->best->vcpu->index ^ vector))
		return;
	walk->best = lapic;
	walk->best_ppr = ppr;
}

static void to_everyone(struct tdm_vm *vm, struct tdm_dest_walk *walk,
			tdm_dest_visit visit)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;

	tdm_for_each_vcpu(vm, i, vcpu)
		if (READ_ONCE(vcpu->lapic->mode) != TDM_LAPIC_DISABLED)
			visit(walk, vcpu->lapic);
}

static bool is_lowest(const struct tdm_apic_msg *msg)
{
	return msg->mode == TDM_APIC_LOWEST ||
	       (msg->redirect && msg->mode == TDM_APIC_FIXED);
}

/**
 * tdm_apic_deliver() - send a message to the LAPICs it is for
 * @vm: the VM
 * @sender: vCPU in whose thread this runs, NULL for none
 * @msg: the message
 *
 * Return: how many LAPICs it was news to; 0 if it was to none; -1 if no LAPIC
 * accepted it.
 */
int tdm_apic_deliver(struct tdm_vm *vm, struct tdm_vcpu *sender,
		     const struct tdm_apic_msg *msg)
{
	struct tdm_dest_walk walk = { .msg = msg, .sender = sender, .ret = -1 };

	rcu_read_lock();
	switch (msg->shorthand) {
	case TDM_APIC_TO_SELF:
		give(&walk, sender->lapic);
		break;
	case TDM_APIC_TO_ALL:
		to_everyone(vm, &walk, give);
		break;
	case TDM_APIC_TO_OTHERS:
		to_everyone(vm, &walk, give_others);
		break;
	default:
		if (!is_lowest(msg)) {
			tdm_apic_map_walk(vm, msg, give, &walk);
			break;
		}
		tdm_apic_map_walk(vm, msg, arbitrate, &walk);
		if (walk.best)
			give(&walk, walk.best);
	}
	rcu_read_unlock();
	return walk.ret;
}

/**
 * tdm_lapic_send_icr() - the guest wrote the interrupt command register
 * @lapic: its LAPIC
 * @icr: 64 bits; the destination is bits 63:56, in x2APIC mode 63:32
 */
void tdm_lapic_send_icr(struct tdm_lapic *lapic, u64 icr)
{
	bool x2 = tdm_lapic_is_x2(lapic);
	const struct tdm_apic_msg msg = {
		.dest = x2 ? icr >> 32 : icr >> 56,
		.vector = icr,
		.mode = icr >> 8 & 7,
		.shorthand = icr >> 18 & 3,
		.logical = icr & TDM_APIC_ICR_LOGICAL,
		.level = icr & TDM_APIC_ICR_LEVEL,
		.assert = icr & TDM_APIC_ICR_ASSERT,
		.x2 = x2,
	};

	trace_tdm_apic_ipi(lapic->vcpu->id, icr);
	tdm_stat(lapic->vcpu, ipis);
	if (msg.vector < TDM_APIC_MIN_VECTOR &&
	    (msg.mode == TDM_APIC_FIXED || msg.mode == TDM_APIC_LOWEST)) {
		tdm_lapic_error(lapic, TDM_APIC_ESR_SEND_VECTOR);
		return;
	}
	tdm_apic_deliver(lapic->vcpu->vm, lapic->vcpu, &msg);
}

/** tdm_lapic_self_ipi() - the x2APIC's self-IPI register was written */
void tdm_lapic_self_ipi(struct tdm_lapic *lapic, u8 vector)
{
	tdm_lapic_send_icr(lapic, TDM_APIC_TO_SELF << 18 | vector);
}
