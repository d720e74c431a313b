// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC: life, mode changes, acceptance of interrupts, priorities.
 *
 * Registers are in lapic_regs.c, the timer in lapic_timer.c, sending in
 * lapic_ipi.c. Source: SDM vol. 3, chapter 11.
 *
 * Beware: IRR is set by any CPU in any context. irr_words says which of its
 * words are worth a look; a bit there is set after the IRR's, and cleared only
 * by the vCPU, which then looks once more.
 */
#include <linux/io.h>
#include <linux/slab.h>

#include <asm/apicdef.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>

#include "arch/x86/cpuid.h"
#include "kmod/core.h"
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/trace.h"

#define APIC_VERSION		0x14u	/* integrated APIC */
#define BASE_MODE_SHIFT		10	/* EXTD, EN */
#define BASE_RESERVED_LOW	0x2ffull

static_assert(TDM_APIC_BASE_ADDR == APIC_DEFAULT_PHYS_BASE);

/* IA32_APIC_BASE[11:10] to mode; EXTD without EN is illegal. */
static const s8 base_modes[4] = {
	TDM_LAPIC_DISABLED, -1, TDM_LAPIC_XAPIC, TDM_LAPIC_X2APIC,
};

static int mode_of(u64 base)
{
	return base_modes[base >> BASE_MODE_SHIFT & 3];
}

static unsigned long *vec_word(struct tdm_lapic *lapic, u32 bitmap, u8 vector)
{
	return lapic->regs + tdm_apic_vec_offset(bitmap, vector);
}

/* ---- requested and in service ---- */

/* Highest requested vector, -1 none. The vCPU's own thread calls. */
static int highest_irr(struct tdm_lapic *lapic)
{
	unsigned long words = READ_ONCE(lapic->irr_words);
	u32 offset, bits;
	int w;

	while (words) {
		w = __fls(words);
		offset = TDM_APIC_IRR + w * 0x10;
		bits = tdm_lapic_reg(lapic, offset);
		if (!bits) {
			clear_bit(w, &lapic->irr_words);
			/* Pairs with the IRR bit's being set before the hint. */
			smp_mb__after_atomic();
			bits = tdm_lapic_reg(lapic, offset);
			if (bits)
				set_bit(w, &lapic->irr_words);
		}
		if (bits)
			return w * 32 + __fls(bits);
		words &= ~BIT(w);
	}
	return -1;
}

/* The vector to deliver now, -1 if none beats the processor's priority. */
static int deliverable(struct tdm_lapic *lapic)
{
	int irr;

	if (likely(!READ_ONCE(lapic->irr_words)) || lapic->mode == TDM_LAPIC_DISABLED)
		return -1;
	irr = highest_irr(lapic);
	return tdm_apic_beats(irr, tdm_lapic_ppr(lapic)) ? irr : -1;
}

static void start_service(struct tdm_lapic *lapic, u8 vector)
{
	clear_bit(vector & 31, vec_word(lapic, TDM_APIC_IRR, vector));
	*tdm_apic_reg(lapic->regs, tdm_apic_vec_offset(TDM_APIC_ISR, vector)) |=
		BIT(vector & 31);
	lapic->isr_words |= BIT(vector >> 5);
	/* It beat what was in service. */
	WRITE_ONCE(lapic->isrv, vector);
}

/* Other chips hear of the end of a level interrupt, the PIT's tick counts too. */
static void tell_end(struct tdm_lapic *lapic, u8 vector)
{
	struct tdm_ioapic *ioapic = lapic->vcpu->vm->ioapic;
	bool level = tdm_apic_test_vector(lapic->regs, TDM_APIC_TMR, vector);

	if (ioapic && (level || tdm_ioapic_wants_eoi(ioapic, vector)))
		tdm_ioapic_eoi(ioapic, vector, level);
	if (!ioapic && level) {
		/* The caller has the IOAPIC; the vCPU does not enter before it knows. */
		lapic->eoi_exit = vector;
		tdm_request(lapic->vcpu, TDM_REQ_EOI_EXIT);
	}
}

u8 tdm_lapic_eoi_exit_vector(struct tdm_vcpu *vcpu)
{
	return vcpu->lapic->eoi_exit;
}

/** tdm_lapic_do_eoi() - EOI register written: the highest service ends */
void tdm_lapic_do_eoi(struct tdm_lapic *lapic)
{
	int vector = lapic->isrv;
	u32 *word;

	if (vector < 0)
		return;
	word = tdm_apic_reg(lapic->regs, tdm_apic_vec_offset(TDM_APIC_ISR, vector));
	*word &= ~BIT(vector & 31);
	if (!*word)
		lapic->isr_words &= ~BIT(vector >> 5);
	WRITE_ONCE(lapic->isrv,
		   tdm_apic_highest(lapic->regs, TDM_APIC_ISR, lapic->isr_words));
	trace_tdm_apic_eoi(lapic->vcpu->id, vector);
	tell_end(lapic, vector);
}

/** tdm_lapic_eoi() - the processor did an EOI by itself (virtual-interrupt delivery) */
void tdm_lapic_eoi(struct tdm_vcpu *vcpu, u8 vector)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	trace_tdm_apic_eoi(vcpu->id, vector);
	tdm_lapic_recount(lapic);
	tell_end(lapic, vector);
}

void tdm_lapic_recount(struct tdm_lapic *lapic)
{
	int w;

	lapic->isr_words = 0;
	for (w = 0; w < 8; w++)
		if (tdm_lapic_reg(lapic, TDM_APIC_ISR + w * 0x10))
			lapic->isr_words |= BIT(w);
	WRITE_ONCE(lapic->isrv,
		   tdm_apic_highest(lapic->regs, TDM_APIC_ISR, lapic->isr_words));
	/* Every word is worth a look; highest_irr() finds out. */
	WRITE_ONCE(lapic->irr_words, 0xff);
}

/* ---- acceptance ---- */

static int accept_fixed(struct tdm_lapic *lapic, const struct tdm_apic_msg *msg)
{
	unsigned long *tmr = vec_word(lapic, TDM_APIC_TMR, msg->vector);
	int bit = msg->vector & 31;

	if (msg->level && !msg->assert)
		return 0;
	if (!READ_ONCE(lapic->sw_enabled))
		return -1;
	if (msg->vector < TDM_APIC_MIN_VECTOR) {
		tdm_lapic_error(lapic, TDM_APIC_ESR_RECV_VECTOR);
		return -1;
	}
	if (msg->level && !test_bit(bit, tmr))
		set_bit(bit, tmr);
	else if (!msg->level && test_bit(bit, tmr))
		clear_bit(bit, tmr);
	if (test_and_set_bit(bit, vec_word(lapic, TDM_APIC_IRR, msg->vector)))
		return 0;
	if (!test_bit(msg->vector >> 5, &lapic->irr_words))
		set_bit(msg->vector >> 5, &lapic->irr_words);
	return 1;
}

static int accept_init(struct tdm_vcpu *vcpu, const struct tdm_apic_msg *msg)
{
	/* INIT level de-assert only concerns arbitration IDs of old. */
	if (msg->level && !msg->assert)
		return 0;
	/* A SIPI before this INIT is void. */
	clear_bit(TDM_APIC_EV_SIPI, &vcpu->apic_events);
	set_bit(TDM_APIC_EV_INIT, &vcpu->apic_events);
	return 1;
}

static int accept_sipi(struct tdm_vcpu *vcpu, const struct tdm_apic_msg *msg)
{
	WRITE_ONCE(vcpu->sipi_vector, msg->vector);
	/* The vector before the bit; pairs with kmod/run.c. */
	smp_wmb();
	set_bit(TDM_APIC_EV_SIPI, &vcpu->apic_events);
	return 1;
}

/**
 * tdm_lapic_accept() - an interrupt message reaches this LAPIC
 * @lapic: turned on by IA32_APIC_BASE
 * @msg: the message; mode, vector and trigger matter
 * @sender: the vCPU in whose thread this runs, NULL for none
 *
 * Any context. Return: 1 accepted, 0 accepted and nothing new (already
 * requested, or a message without effect), -1 not accepted.
 */
int tdm_lapic_accept(struct tdm_lapic *lapic, const struct tdm_apic_msg *msg,
		     struct tdm_vcpu *sender)
{
	struct tdm_vcpu *vcpu = lapic->vcpu;
	int r;

	switch (msg->mode) {
	case TDM_APIC_FIXED:
	case TDM_APIC_LOWEST:
		r = accept_fixed(lapic, msg);
		break;
	case TDM_APIC_NMI:
		tdm_vcpu_nmi(vcpu);
		r = 1;
		break;
	case TDM_APIC_INIT:
		r = accept_init(vcpu, msg);
		break;
	case TDM_APIC_SIPI:
		r = accept_sipi(vcpu, msg);
		break;
	default:
		/*
		 * SMI: no SMM; remote read: not since the P6; ExtINT: the PIC's
		 * output is looked at directly.
		 */
		r = 0;
	}
	trace_tdm_apic_accept(vcpu->id, msg->mode, msg->vector, msg->level, r);
	if (r > 0 && vcpu != sender) {
		tdm_request(vcpu, TDM_REQ_EVENT);
		tdm_vcpu_kick(vcpu);
	}
	return r;
}

/**
 * tdm_lapic_local() - a local source fires
 * @lapic: the LAPIC; its own thread calls (LINT0: any)
 * @lvt_offset: its LVT register
 */
void tdm_lapic_local(struct tdm_lapic *lapic, u32 lvt_offset)
{
	u32 lvt = tdm_lapic_reg(lapic, lvt_offset);
	const struct tdm_apic_msg msg = {
		.vector = lvt,
		.mode = (lvt & TDM_APIC_LVT_MODE) >> 8,
		.assert = true,
	};

	if ((lvt & TDM_APIC_LVT_MASKED) || lapic->mode == TDM_LAPIC_DISABLED)
		return;
	tdm_lapic_accept(lapic, &msg, NULL);
}

/**
 * tdm_lapic_error() - note an error for the ESR
 * @lapic: any context
 * @esr_bit: TDM_APIC_ESR_*
 *
 * The error interrupt comes with the first error since the guest wrote the ESR.
 */
void tdm_lapic_error(struct tdm_lapic *lapic, int esr_bit)
{
	bool first = !READ_ONCE(lapic->esr);

	if (!test_and_set_bit(esr_bit, &lapic->esr) && first)
		tdm_lapic_local(lapic, TDM_APIC_LVTERR);
}

/* ---- the PIC on LINT0 ---- */

static u32 lvt_mode(u32 lvt)
{
	return lvt & (TDM_APIC_LVT_MASKED | TDM_APIC_LVT_MODE);
}

/** tdm_lapic_takes_pic() - does the PIC's interrupt reach this processor? Any context. */
bool tdm_lapic_takes_pic(struct tdm_lapic *lapic)
{
	/* Without an APIC, LINT0 is the processor's INTR pin. */
	if (READ_ONCE(lapic->mode) == TDM_LAPIC_DISABLED)
		return true;
	return lvt_mode(tdm_lapic_reg(lapic, TDM_APIC_LVT0)) == TDM_APIC_EXTINT << 8;
}

/** tdm_lapic_lint0_nmi() - LINT0 fires, if it is wired as NMI. Any context. */
void tdm_lapic_lint0_nmi(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (lvt_mode(tdm_lapic_reg(lapic, TDM_APIC_LVT0)) == TDM_APIC_NMI << 8)
		tdm_lapic_local(lapic, TDM_APIC_LVT0);
}

/** tdm_lapic_lvt0_changed() - count the LAPICs that have LINT0 as NMI */
void tdm_lapic_lvt0_changed(struct tdm_lapic *lapic)
{
	bool nmi = lvt_mode(tdm_lapic_reg(lapic, TDM_APIC_LVT0)) == TDM_APIC_NMI << 8;

	if (nmi == lapic->lint0_nmi)
		return;
	lapic->lint0_nmi = nmi;
	if (nmi)
		atomic_inc(&lapic->vcpu->vm->vapics_in_nmi_mode);
	else
		atomic_dec(&lapic->vcpu->vm->vapics_in_nmi_mode);
}

/* Is there an external interrupt, not from the LAPIC's own IRR? */
static bool extint_pending(struct tdm_vcpu *vcpu)
{
	struct tdm_pic *pic = vcpu->vm->pic;

	if (pic ? !tdm_pic_output(pic) : vcpu->ev.user_irq < 0)
		return false;
	return !vcpu->lapic || tdm_lapic_takes_pic(vcpu->lapic);
}

static int extint_ack(struct tdm_vcpu *vcpu)
{
	int vector;

	if (vcpu->vm->pic)
		return tdm_pic_intack(vcpu->vm->pic);
	vector = vcpu->ev.user_irq;
	vcpu->ev.user_irq = -1;
	return vector;
}

/* ---- for the run loop ---- */

/**
 * tdm_irq_pending() - can an interrupt be delivered, as far as priorities go?
 * @vcpu: its own thread calls; RFLAGS.IF is the caller's to look at
 */
bool tdm_irq_pending(struct tdm_vcpu *vcpu)
{
	if (vcpu->lapic && deliverable(vcpu->lapic) >= 0)
		return true;
	return extint_pending(vcpu);
}

/**
 * tdm_irq_ack() - the interrupt is being delivered
 * @vcpu: its own thread calls
 *
 * Return: its vector, now in service; -1 if there is none any more.
 */
int tdm_irq_ack(struct tdm_vcpu *vcpu)
{
	int vector;

	if (extint_pending(vcpu)) {
		vector = extint_ack(vcpu);
		if (vector >= 0)
			return vector;
	}
	if (!vcpu->lapic)
		return -1;
	vector = deliverable(vcpu->lapic);
	if (vector >= 0)
		start_service(vcpu->lapic, vector);
	return vector;
}

/** tdm_lapic_tpr_threshold() - for TPR shadow: exit when TPR[7:4] falls below; 0 = never */
int tdm_lapic_tpr_threshold(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic || !READ_ONCE(lapic->irr_words))
		return 0;
	return tdm_apic_tpr_threshold(highest_irr(lapic),
				      tdm_lapic_reg(lapic, TDM_APIC_TPR));
}

/** tdm_lapic_page_hpa() - host-physical address of the register page */
u64 tdm_lapic_page_hpa(struct tdm_vcpu *vcpu)
{
	return virt_to_phys(vcpu->lapic->regs);
}

u64 tdm_lapic_get_tpr(struct tdm_vcpu *vcpu)
{
	if (!vcpu->lapic)
		return vcpu->st.cr8;
	return tdm_lapic_reg(vcpu->lapic, TDM_APIC_TPR) >> 4 & 0xf;
}

void tdm_lapic_set_tpr(struct tdm_vcpu *vcpu, u64 cr8)
{
	if (!vcpu->lapic)
		vcpu->st.cr8 = cr8 & 0xf;
	else
		tdm_lapic_set_reg(vcpu->lapic, TDM_APIC_TPR, (cr8 & 0xf) << 4);
}

/* ---- modes and reset ---- */

/** tdm_lapic_set_svr() - spurious-interrupt vector register; turning off masks the LVT */
void tdm_lapic_set_svr(struct tdm_lapic *lapic, u32 val)
{
	bool enabled = val & TDM_APIC_SVR_ENABLED;
	u32 i, offset;

	tdm_lapic_set_reg(lapic, TDM_APIC_SVR, val);
	WRITE_ONCE(lapic->sw_enabled, enabled);
	if (enabled)
		return;
	for (i = 0; i < tdm_lapic_nr_lvt(lapic); i++) {
		offset = TDM_APIC_LVTT + i * 0x10;
		tdm_lapic_write(lapic, offset, tdm_lapic_reg(lapic, offset) |
					       TDM_APIC_LVT_MASKED);
	}
}

static void set_ids(struct tdm_lapic *lapic)
{
	u32 id = lapic->vcpu->id;

	if (lapic->mode == TDM_LAPIC_X2APIC) {
		tdm_lapic_set_reg(lapic, TDM_APIC_ID, id);
		tdm_lapic_set_reg(lapic, TDM_APIC_LDR, tdm_apic_x2_ldr(id));
	} else {
		tdm_lapic_set_reg(lapic, TDM_APIC_ID, id << 24);
	}
}

static bool is_bsp(struct tdm_vcpu *vcpu)
{
	return vcpu->id == vcpu->vm->bsp_vcpu_id;
}

/* Table 11-1's values; ID and mode are not touched. */
static void reset_regs(struct tdm_lapic *lapic)
{
	struct tdm_vcpu *vcpu = lapic->vcpu;
	u32 id = tdm_lapic_reg(lapic, TDM_APIC_ID), i;

	tdm_lapic_timer_stop(lapic);
	WRITE_ONCE(lapic->sw_enabled, false);
	memset(lapic->regs, 0, TDM_APIC_REGS_END);
	lapic->esr = 0;
	tdm_lapic_set_reg(lapic, TDM_APIC_ID, id);
	tdm_lapic_set_reg(lapic, TDM_APIC_LVR,
			  APIC_VERSION | (tdm_lapic_nr_lvt(lapic) - 1) << 16);
	tdm_lapic_set_reg(lapic, TDM_APIC_DFR, 0xffffffff);
	tdm_lapic_set_reg(lapic, TDM_APIC_SVR, 0xff);
	for (i = 0; i < tdm_lapic_nr_lvt(lapic); i++)
		tdm_lapic_set_reg(lapic, TDM_APIC_LVTT + i * 0x10, TDM_APIC_LVT_MASKED);
	/* KVM's quirk, on unless the caller turns it off: as after firmware. */
	if (is_bsp(vcpu) && !(vcpu->vm->disabled_quirks & KVM_X86_QUIRK_LINT0_REENABLED))
		tdm_lapic_set_reg(lapic, TDM_APIC_LVT0, TDM_APIC_EXTINT << 8);
	if (lapic->mode == TDM_LAPIC_X2APIC)
		tdm_lapic_set_reg(lapic, TDM_APIC_LDR, tdm_apic_x2_ldr(vcpu->id));
	tdm_lapic_lvt0_changed(lapic);
	vcpu->st.tsc_deadline = 0;
	tdm_lapic_recount(lapic);
}

/**
 * tdm_lapic_reset() - power-up or INIT
 * @vcpu: loaded vCPU
 * @init: INIT: IA32_APIC_BASE and the APIC ID stay
 */
void tdm_lapic_reset(struct tdm_vcpu *vcpu, bool init)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!init) {
		vcpu->st.apic_base = TDM_APIC_BASE_ADDR | MSR_IA32_APICBASE_ENABLE |
				     (is_bsp(vcpu) ? MSR_IA32_APICBASE_BSP : 0);
		WRITE_ONCE(lapic->mode, TDM_LAPIC_XAPIC);
		vcpu->apic_events = 0;
		set_ids(lapic);
	}
	reset_regs(lapic);
	tdm_apic_map_update(lapic);
	tdm_request(vcpu, TDM_REQ_APIC_PAGE);
}

static void set_mode(struct tdm_lapic *lapic, int mode)
{
	struct tdm_vcpu *vcpu = lapic->vcpu;
	int old = lapic->mode;

	if (mode == old)
		return;
	trace_tdm_apic_mode(vcpu->id, old, mode);
	WRITE_ONCE(lapic->mode, mode);
	if (mode == TDM_LAPIC_DISABLED) {
		/* Turned on again, it is as after power-up (11.4.3). */
		reset_regs(lapic);
	} else {
		set_ids(lapic);
		if (mode == TDM_LAPIC_X2APIC)
			tdm_lapic_set_reg(lapic, TDM_APIC_ICR + 4,
					  tdm_lapic_reg(lapic, TDM_APIC_ICR2));
	}
	tdm_apic_map_update(lapic);
}

static bool legal_transition(int old, int mode)
{
	return !(old == TDM_LAPIC_X2APIC && mode == TDM_LAPIC_XAPIC) &&
	       !(old == TDM_LAPIC_DISABLED && mode == TDM_LAPIC_X2APIC);
}

/**
 * tdm_lapic_set_base() - IA32_APIC_BASE is written
 * @vcpu: loaded vCPU, with or without a LAPIC in the kernel
 * @val: new value
 * @host: by the caller, who may make transitions a guest may not
 *
 * Return: 0, or -EINVAL (#GP): reserved bits, no such mode, illegal transition
 * (SDM vol. 3, 11.12.5).
 */
int tdm_lapic_set_base(struct tdm_vcpu *vcpu, u64 val, bool host)
{
	u64 reserved = BASE_RESERVED_LOW | ~0ull << tdm_maxphyaddr(vcpu);
	int old = mode_of(vcpu->st.apic_base);
	int mode = mode_of(val);
	u64 changed = vcpu->st.apic_base ^ val;

	if (!tdm_guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= X2APIC_ENABLE;
	if ((val & reserved) || mode < 0)
		return -EINVAL;
	if (!host && !legal_transition(old, mode))
		return -EINVAL;
	vcpu->st.apic_base = val;
	if (vcpu->lapic)
		set_mode(vcpu->lapic, mode);
	if (changed & MSR_IA32_APICBASE_ENABLE)
		tdm_cpuid_refresh(vcpu);
	if (changed)
		tdm_request(vcpu, TDM_REQ_APIC_PAGE);
	return 0;
}

/**
 * tdm_lapic_create() - give a vCPU its LAPIC, in power-up state
 * @vcpu: not yet visible to others
 */
int tdm_lapic_create(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic;

	lapic = kzalloc(sizeof(*lapic), GFP_KERNEL_ACCOUNT);
	if (!lapic)
		return -ENOMEM;
	lapic->regs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!lapic->regs) {
		kfree(lapic);
		return -ENOMEM;
	}
	lapic->vcpu = vcpu;
	lapic->isrv = -1;
	tdm_lapic_timer_init(lapic);
	vcpu->lapic = lapic;
	/* From here on the guest may change TPR without an exit. */
	vcpu->vapic = lapic->regs;
	tdm_lapic_reset(vcpu, false);
	return 0;
}

/** tdm_lapic_destroy() - nobody sends to it any more */
void tdm_lapic_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (!lapic)
		return;
	tdm_lapic_timer_stop(lapic);
	if (lapic->lint0_nmi)
		atomic_dec(&vcpu->vm->vapics_in_nmi_mode);
	vcpu->vapic = NULL;
	vcpu->lapic = NULL;
	free_page((unsigned long)lapic->regs);
	kfree(lapic);
}
